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

/* The rows. */

static void watch(struct engine *e, struct io_op *op)
{
	//> 1 A row for `op`, behind the others: the descriptor, and what to look for, which is POLLIN
	//> for what comes in and POLLOUT for what goes out (op_poll_events()). `waiting` says whose
	//> row it is.
	//+ op_queue_finish(&e->finished, op, -ENOSYS);
	unsigned i = e->watched_count++;
	e->watched[i] = (struct pollfd) { .fd = op->fd, .events = op_poll_events(op) };
	e->waiting[i] = op;
	//< 1
}

/* The last row takes the place of the one that leaves, so that the array stays dense. */
static void unwatch(struct engine *e, unsigned i)
{
	unsigned last = --e->watched_count;
	e->watched[i] = e->watched[last];
	e->waiting[i] = e->waiting[last];
}

/*
 * Hands all rows to the kernel and sleeps until one has news or the time is over. A negative timeout
 * is for ever, 0 asks without waiting. Returns how many rows have news (0: none has), or -errno. The
 * news stand in each row's `revents`.
 */
static int ask(struct engine *e, int64_t timeout_ns)
{
	//> 1 One ppoll(2) of all rows and no more than these. It takes a timespec
	//> (timespec_of_ns()), or NULL to wait for ever. It needs no signal mask.
	//+ (void)e;
	//+ (void)timeout_ns;
	//+ return -ENOSYS;
	struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
	int ready = ppoll(e->watched, e->watched_count, timeout_ns < 0 ? NULL : &timeout, NULL);
	return ready < 0 ? -errno : ready;
	//< 1
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
	//> 4 A write to a pipe has no flag that keeps it from sleeping. POLLOUT promises room for
	//> PIPE_BUF bytes, pipe(7), and no more: cut a longer one to that, in a copy of the
	//> operation. What is written then is a short count, which the caller may get. A write to a
	//> file has an offset, and is no business of this.
	struct io_op cut;
	bool to_a_pipe = op->kind == IO_WRITE && op->offset == IO_NO_OFFSET;
	if (to_a_pipe && op->len_bytes > PIPE_BUF) {
		cut = *op;
		cut.len_bytes = PIPE_BUF;
		op = &cut;
	}
	//< 4
	//> 2 "Ready" is no promise: somebody else may have been faster. So the call must not sleep.
	//> For a socket a flag says so. A call on a file sleeps nevertheless.
	//+ return op_syscall(op, 0);
	return op_syscall(op, MSG_DONTWAIT);
	//< 2
}

/* Looks through the rows after ask(), and ends each operation that can be ended. */
static void try_ready(struct engine *e, int ready_count)
{
	//> 5 Given code with a bug. The handout tells how it shows.
	//+ /* From the first row to the last, as the kernel filled them in. */
	//+ for (unsigned i = 0; i < e->watched_count && ready_count > 0; i++) {
	/* From the end, since unwatch() moves the last row into the hole. */
	for (unsigned i = e->watched_count; i-- > 0 && ready_count > 0;) {
		//< 5
		struct io_op *op = e->waiting[i];
		//> 6 Given code with a bug. The handout tells how it shows.
		//+ /* What the operation waits for has come. */
		//+ bool has_news = e->watched[i].revents & e->watched[i].events;
		/* POLLERR, POLLHUP and POLLNVAL come unasked. The call then says what is wrong. */
		bool has_news = e->watched[i].revents != 0;
		//< 6
		if (!has_news)
			continue;
		ready_count--;
		int64_t result = try_when_ready(op);
		//> 2 Not every answer is a result. After a false alarm the operation waits on.
		if (result == -EAGAIN)
			continue;
		//< 2
		unwatch(e, i);
		op_queue_finish(&e->finished, op, result);
	}
}

static int poll_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		//> 4 A send mostly fits into the socket's buffer, so it is tried before it waits, and
		//> a connect begins with its first call. A receive mostly finds nothing yet, and a
		//> pipe cannot be tried. op_try_at_once() knows: -EAGAIN means that it has to wait.
		//+ int64_t result = -EAGAIN;
		int64_t result = op_try_at_once(ops[i]);
		//< 4
		if (result == -EAGAIN)
			watch(e, ops[i]);
		else
			op_queue_finish(&e->finished, ops[i], result);
	}
	return (int)count;
}

static int poll_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(min > 0 ? timeout_ns : 0);
	//> 3 The starter asks once. One answer need not bring all that is waited for: ask again,
	//> until `min` are finished or the time is over. It goes on running meanwhile:
	//> deadline_left_ns() in clock.h says what is left. A signal ends the wait early (-EINTR)
	//> and is no error: hand out what there is.
	//+ if (e->watched_count > 0 && e->finished.count == 0) {
	//+ 	int ready = ask(e, deadline_left_ns(deadline));
	//+ 	if (ready < 0)
	//+ 		return ready;
	//+ 	try_ready(e, ready);
	//+ }
	while (e->watched_count > 0 && (e->finished.count == 0 || e->finished.count < min)) {
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
	//< 3
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
