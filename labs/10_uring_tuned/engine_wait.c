/* SPDX-License-Identifier: MIT */
/*
 * The one system call of a batch, and what one may ask of its wait.
 *
 *   registered_wait   The limits of a wait stand in memory that was registered. So the kernel need not copy
 *                     them from the program's memory in each call.
 *   min_wait          A wait for one completion goes on for MIN_WAIT_US, unless more come earlier. So a
 *                     batch grows, and its first completion is late.
 */
#include <errno.h>

#include "clock.h"
#include "newer_kernels.h"
#include "tuned.h"

/* Without any limit the kernel ends a wait after MIN_WAIT_US, even if nothing has come. 146 years. */
#define FOR_EVER_NS (INT64_MAX / 2)

#define MIN_WAIT_US  20
#define BATCH_WANTED 16

/* What liburing does in front of its own io_uring_enter(2). Returns how many SQEs the kernel has not read. */
static unsigned publish(struct io_uring *ring)
{
	struct io_uring_sq *sq = &ring->sq;
	/* Place i of the ring names SQE i: some versions write that once, others each time. */
	for (unsigned at = sq->sqe_head; sq->array && at != sq->sqe_tail; at++)
		sq->array[at & *sq->kring_mask] = at & *sq->kring_mask;
	sq->sqe_head = sq->sqe_tail;
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	return sq->sqe_tail - io_uring_smp_load_acquire(sq->khead);
}

/* How many completions are waited for, and for how long at least. */
struct wait_limits {
	unsigned count;
	uint32_t min_wait_us;
};

static struct wait_limits limits_for(const struct engine *e, unsigned min)
{
	struct wait_limits limits = { .count = min };
	if ((e->options & MIN_WAIT) && min == 1 && e->in_flight > 1) {
		limits.count = e->in_flight < BATCH_WANTED ? e->in_flight : BATCH_WANTED;
		limits.min_wait_us = MIN_WAIT_US;
	}
	return limits;
}

/* A wait with limits that liburing 2.3 has no function for. */
static int enter_with(struct engine *e, unsigned min, int64_t timeout_ns)
{
	struct wait_limits limits = limits_for(e, min);
	if (limits.min_wait_us > 0 && timeout_ns < 0)
		timeout_ns = FOR_EVER_NS;
	struct __kernel_timespec timeout = { .tv_sec = timeout_ns / NS_PER_S,
					     .tv_nsec = timeout_ns % NS_PER_S };
	unsigned flags =
		IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING | IORING_ENTER_EXT_ARG;
	unsigned to_submit = publish(&e->ring);
	struct wait_argument argument = { .min_wait_us = limits.min_wait_us };
	if (timeout_ns > 0)
		argument.timeout = (uintptr_t)&timeout;
	if (e->options & REGISTERED_WAIT) {
		struct registered_wait *wait = e->extras.wait;
		wait->timeout = timeout;
		wait->min_wait_us = limits.min_wait_us;
		wait->flags = timeout_ns > 0 ? WAIT_HAS_TIMEOUT : 0;
		return io_uring_enter2((unsigned)e->ring.enter_ring_fd, to_submit, limits.count,
				       flags | ENTER_REGISTERED_WAIT, NULL, sizeof *wait);
	}
	return io_uring_enter2((unsigned)e->ring.enter_ring_fd, to_submit, limits.count, flags,
			       (void *)&argument, sizeof argument);
}

static int enter(struct engine *e, unsigned min, int64_t timeout_ns)
{
	/* With DEFER_TASKRUN completions appear only when they are asked for. */
	if (min == 0 || timeout_ns == 0)
		return io_uring_submit_and_get_events(&e->ring);
	if (e->options & (REGISTERED_WAIT | MIN_WAIT))
		return enter_with(e, min, timeout_ns);
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
