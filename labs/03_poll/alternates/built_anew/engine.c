/* SPDX-License-Identifier: MIT */
/*
 * poll: ask the kernel which descriptors are ready, then make the call that will not block.
 *
 * Every operation that waits has a row in one array. Each ppoll(2) hands the whole array to the
 * kernel, which walks it from end to end and forgets it again. So the cost of a wait grows with the
 * number of descriptors that are watched, not with the number that are ready. That is the lesson of
 * this lab, and the reason for the next.
 *
 * Regular files are always "ready". poll answers at once, and the read that follows still blocks
 * this thread. The engine performs it that way: poll has told it nothing.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "clock.h"
#include "io_engine.h"
#include "op_queue.h"
#include "op_syscall.h"

struct engine {
	struct pollfd *watched; /* made of the queue before each call */
	struct io_op **asked; /* asked[i] goes with watched[i] */
	struct op_queue waiting;
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
	free(e->asked);
	free(e);
}

static int poll_open(struct engine **engine, const struct engine_config *config, struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the poll engine");
	op_queue_init(&e->finished);
	op_queue_init(&e->waiting);
	e->watched = malloc(config->depth * sizeof *e->watched);
	e->asked = malloc(config->depth * sizeof(struct io_op *));
	if (!e->watched || !e->asked) {
		poll_close(e);
		return reason_no_memory(why, "the poll engine");
	}
	*engine = e;
	return 0;
}

/* The rows. */

/*
 * Hands all rows to the kernel and sleeps until one has news or the time is over. A negative timeout
 * is for ever, 0 asks without waiting. Returns how many rows have news (0: none has), or -errno. The
 * news stand in each row's `revents`.
 */
static int ask(struct engine *e, int64_t timeout_ns)
{
	struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
	nfds_t count = 0;
	for (struct io_op *op = e->waiting.first; op; op = op->next) {
		e->asked[count] = op;
		e->watched[count++] =
			(struct pollfd) { .fd = op->fd, .events = op_poll_events(op) };
	}
	int ready = ppoll(e->watched, count, timeout_ns < 0 ? NULL : &timeout, NULL);
	return ready < 0 ? -errno : ready;
}

/* The calls that move the bytes. */

/*
 * Makes the call of an operation whose row has news. Returns its result, or -EAGAIN when "ready"
 * was a false alarm (poll(2), BUGS). The descriptor is in blocking mode.
 */
static int64_t try_when_ready(const struct io_op *op)
{
	if (op->kind == IO_CONNECT)
		return op_try_connect(op);
	struct io_op cut;
	bool to_a_pipe = op->kind == IO_WRITE && op->offset == IO_NO_OFFSET;
	if (to_a_pipe && op->len_bytes > PIPE_BUF) {
		cut = *op;
		cut.len_bytes = PIPE_BUF;
		op = &cut;
	}
	return op_syscall(op, MSG_DONTWAIT);
}

static void try_ready(struct engine *e, int ready_count)
{
	for (unsigned i = 0; ready_count > 0; i++) {
		if (!e->watched[i].revents)
			continue;
		ready_count--;
		int64_t result = try_when_ready(e->asked[i]);
		if (result != -EAGAIN && op_queue_remove(&e->waiting, e->asked[i]))
			op_queue_finish(&e->finished, e->asked[i], result);
	}
}

static int poll_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int64_t result = op_try_at_once(ops[i]);
		if (result == -EAGAIN)
			op_queue_push(&e->waiting, ops[i]);
		else
			op_queue_finish(&e->finished, ops[i], result);
	}
	return (int)count;
}

static int poll_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(min > 0 ? timeout_ns : 0);
	while (e->waiting.count > 0 && (e->finished.count == 0 || e->finished.count < min)) {
		int64_t left_ns = deadline_left_ns(deadline);
		int ready = ask(e, left_ns);
		if (ready < 0 && ready != -EINTR)
			return ready;
		if (ready <= 0)
			break;
		try_ready(e, ready);
		if (left_ns == 0)
			break;
	}
	return (int)op_queue_take(&e->finished, done, max);
}

static void poll_cancel_one(struct engine *e, struct io_op *op)
{
	op_queue_cancel_one(&e->waiting, &e->finished, op);
}

static void poll_cancel(struct engine *e)
{
	op_queue_cancel(&e->waiting, &e->finished);
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
