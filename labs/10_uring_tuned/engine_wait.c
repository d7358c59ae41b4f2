/* SPDX-License-Identifier: MIT */
/* The one system call of a batch. */
#include <errno.h>

#include "clock.h"
#include "tuned.h"

static int enter(struct engine *e, unsigned min, int64_t timeout_ns)
{
	/* With DEFER_TASKRUN completions appear only when they are asked for. */
	if (min == 0 || timeout_ns == 0)
		return io_uring_submit_and_get_events(&e->ring);
	if (timeout_ns < 0)
		return io_uring_submit_and_wait(&e->ring, min);
	struct io_uring_cqe *unused;
	struct __kernel_timespec timeout = { .tv_sec = timeout_ns / NS_PER_S,
					     .tv_nsec = timeout_ns % NS_PER_S };
	return io_uring_submit_and_wait_timeout(&e->ring, &unused, min, &timeout, NULL);
}

int tuned_enter(struct engine *e, unsigned min, int64_t timeout_ns)
{
	int rc = enter(e, min, timeout_ns);
	/*
	 * ETIME: the time is over. EINTR: a signal. EAGAIN, EBUSY: the kernel is short of memory or
	 * wants completions taken first; SQEs that it did not take stay in the ring for the next
	 * call.
	 */
	bool nothing_yet = rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY;
	return rc < 0 && !nothing_yet ? rc : 0;
}
