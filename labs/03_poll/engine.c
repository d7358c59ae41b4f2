/* SPDX-License-Identifier: MIT */
/*
 * poll: ask the kernel which descriptors are ready, then make the call that will not block.
 *
 * Every operation that waits has an entry in one array. Each ppoll(2) hands the whole array to the
 * kernel, which walks it from end to end. So the cost of a wait grows with the number of
 * descriptors that are watched, not with the number that are ready. That is the lesson of this lab,
 * and the reason for the next.
 *
 * Regular files are always "ready". poll answers at once, and the read that follows still blocks
 * this thread. The engine performs it that way: poll has told it nothing.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "clock.h"
#include "io_engine.h"
#include "op_queue.h"
#include "op_syscall.h"

struct engine {
	struct pollfd *watched; /* dense: the kernel walks all of it at each call */
	struct io_op **waiting; /* waiting[i] goes with watched[i] */
	unsigned watched_count;
	struct op_queue finished;
};

static int poll_supports(const struct engine_config *config, enum io_kind kind,
			 enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)fd_kind;
	if (kind != IO_NOP)
		return 0;
	reason_set(why, "noop_has_no_descriptor",
		   "the engine waits for descriptors, and a no-op has none");
	return -EOPNOTSUPP;
}

static void poll_close(struct engine *e)
{
	free(e->watched);
	free(e->waiting);
	free(e);
}

static int poll_open(struct engine **engine, const struct engine_config *config, struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the poll engine");
	op_queue_init(&e->finished);
	e->watched = malloc(config->depth * sizeof *e->watched);
	e->waiting = malloc(config->depth * sizeof(struct io_op *));
	if (!e->watched || !e->waiting) {
		poll_close(e);
		return reason_no_memory(why, "the poll engine");
	}
	*engine = e;
	return 0;
}

static void watch(struct engine *e, struct io_op *op)
{
	unsigned i = e->watched_count++;
	e->watched[i] = (struct pollfd) { .fd = op->fd, .events = op_poll_events(op) };
	e->waiting[i] = op;
}

/* The last entry takes the place of the one that leaves, so that the array stays dense. */
static void unwatch(struct engine *e, unsigned i)
{
	unsigned last = --e->watched_count;
	e->watched[i] = e->watched[last];
	e->waiting[i] = e->waiting[last];
}

/*
 * A send mostly fits into the socket's buffer, so it is tried before it waits. A receive mostly
 * finds nothing yet, so it waits before it is tried.
 */
static int poll_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int64_t result = op_try_at_once(ops[i]);
		if (result == -EAGAIN)
			watch(e, ops[i]);
		else
			op_queue_finish(&e->finished, ops[i], result);
	}
	return (int)count;
}

/* POLLERR, POLLHUP and POLLNVAL need no request; the call itself then reports what is wrong. */
static void try_ready(struct engine *e, int ready_count)
{
	/* From the end, since unwatch() moves the last entry into the hole. */
	for (unsigned i = e->watched_count; i-- > 0 && ready_count > 0;) {
		if (!e->watched[i].revents)
			continue;
		ready_count--;
		struct io_op *op = e->waiting[i];
		int64_t result = op_try_when_ready(op);
		if (result == -EAGAIN)
			continue; /* "ready" was a false alarm, poll(2) BUGS */
		unwatch(e, i);
		op_queue_finish(&e->finished, op, result);
	}
}

static int poll_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(min > 0 ? timeout_ns : 0);
	while (e->watched_count > 0 && (e->finished.count == 0 || e->finished.count < min)) {
		/* ppoll, since poll(2) counts in milliseconds. */
		struct timespec left;
		int ready =
			ppoll(e->watched, e->watched_count, deadline_left(deadline, &left), NULL);
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready <= 0)
			break;
		try_ready(e, ready);
		if (deadline.at_ns == DEADLINE_PASSED)
			break; /* asked once, without waiting */
	}
	return (int)op_queue_take(&e->finished, done, max);
}

static void poll_cancel_one(struct engine *e, struct io_op *op)
{
	for (unsigned i = 0; i < e->watched_count; i++)
		if (e->waiting[i] == op) {
			unwatch(e, i);
			op_queue_finish(&e->finished, op, -ECANCELED);
			return;
		}
}

static void poll_cancel(struct engine *e)
{
	while (e->watched_count > 0)
		op_queue_finish(&e->finished, e->waiting[--e->watched_count], -ECANCELED);
}

static const struct engine_ops poll_engine = {
	.name = IO_ENGINE_NAME("poll"),
	.summary =
		"readiness by ppoll, then the call that does not block; files block nevertheless",
	.lab = IO_ENGINE_LAB,
	.traits = IO_WAITS_FOR_READINESS | IO_TRIES_CONNECTIONS,
	.supports = poll_supports,
	.open = poll_open,
	.submit = poll_submit,
	.reap = poll_reap,
	.cancel_one = poll_cancel_one,
	.cancel = poll_cancel,
	.close = poll_close,
};

IO_ENGINE(poll_engine);
