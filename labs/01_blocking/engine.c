/* SPDX-License-Identifier: MIT */
/*
 * blocking: one plain system call per operation, made inside submit().
 *
 * The thread that asks is the thread that waits. While the kernel fetches the data it sleeps, and
 * all other work waits behind it. On a socket that is head-of-line blocking: one silent peer holds
 * up every other. Nothing is ever "in flight" once submit() has returned.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_engine.h"

struct engine {
	struct io_op *finished; /* what submit() has performed and reap() will return */
};

static int blocking_supports(const struct engine_config *config, enum io_kind kind,
			     enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)fd_kind;
	if (kind != IO_NOP)
		return 0;
	reason_set(why, "no_noop_call", "there is no system call that does nothing");
	return -EOPNOTSUPP;
}

static int blocking_open(struct engine **engine, const struct engine_config *config,
			 struct reason *why)
{
	(void)config;
	struct engine *e = malloc(sizeof *e);
	if (!e)
		return reason_no_memory(why, "the blocking engine");
	e->finished = NULL;
	*engine = e;
	return 0;
}

/* One call. Returns bytes or -errno; a count below len_bytes is a success (a short transfer). */
static int64_t make_call(const struct io_op *op)
{
	ssize_t n = -1;
	errno = ENOSYS;
	switch ((enum io_kind)op->kind) {
	//> 1 The calls for files and pipes: one for one operation. A READ or WRITE with an offset
	//> is pread(2) or pwrite(2), which leave the descriptor's own position alone;
	//> IO_NO_OFFSET means a pipe, which has no position, so read(2) or write(2). IO_FSYNC and
	//> IO_FDATASYNC are fsync(2) and fdatasync(2). Put the count into `n`; what becomes of -1
	//> and errno stands below.
	case IO_READ:
		if (op->offset != IO_NO_OFFSET) {
			n = pread(op->fd, op->buf, op->len_bytes, (off_t)op->offset);
			break;
		}
		n = read(op->fd, op->buf, op->len_bytes);
		break;
	case IO_WRITE:
		if (op->offset != IO_NO_OFFSET) {
			n = pwrite(op->fd, op->buf, op->len_bytes, (off_t)op->offset);
			break;
		}
		n = write(op->fd, op->buf, op->len_bytes);
		break;
	case IO_FSYNC:
		n = fsync(op->fd);
		break;
	case IO_FDATASYNC:
		n = fdatasync(op->fd);
		break;
	//< 1
	//> 2 The calls for a socket: recv(2) and send(2). A peer that went away must be -EPIPE
	//> and not a dead process: see MSG_NOSIGNAL in send(2). No other flag: a receive returns
	//> what is there, and sleeps while nothing is. An ACCEPT is accept4(2), and what it returns
	//> must be closed on exec (SOCK_CLOEXEC). A CONNECT is connect(2); `buf` is the address.
	case IO_RECV:
		n = recv(op->fd, op->buf, op->len_bytes, 0);
		break;
	case IO_SEND:
		n = send(op->fd, op->buf, op->len_bytes, MSG_NOSIGNAL);
		break;
	case IO_ACCEPT:
		n = accept4(op->fd, NULL, NULL, SOCK_CLOEXEC);
		break;
	case IO_CONNECT:
		n = connect(op->fd, op->buf, op->len_bytes);
		break;
	//< 2
	default:
		break;
	}
	return n < 0 ? -errno : n;
}

/* The same, again after a signal: EINTR says that the call had moved nothing yet. */
static int64_t call(const struct io_op *op)
{
	//> 3 A signal ends a blocking call early. With EINTR nothing was moved, so the call can
	//> be made again, as often as it takes; the program must not see it. When something was
	//> moved the call returns that count instead: a short transfer, which is a success. An
	//> engine never loops to fill a buffer.
	//+ return make_call(op);
	int64_t result;
	do
		result = make_call(op);
	while (result == -EINTR);
	return result;
	//< 3
}

/*
 * Performs what it accepts here and now. The driver reaps it before it offers the next, so no
 * result waits for the rest of a batch.
 */
static int blocking_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	//> 4 One at a time. A loop over all that is offered keeps the contract, yet when the
	//> second operation sleeps, the first, long done, is withheld with it. So accept one; and
	//> none while that one has not been reaped: the driver will offer the rest again.
	//+ for (unsigned i = 0; i < count; i++) {
	//+ 	ops[i]->result = call(ops[i]);
	//+ 	ops[i]->next = e->finished;
	//+ 	e->finished = ops[i];
	//+ }
	//+ return (int)count;
	(void)count;
	if (e->finished)
		return 0;
	ops[0]->result = call(ops[0]);
	e->finished = ops[0];
	return 1;
	//< 4
}

static int blocking_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			 int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	//> 4 With one at a time there is no list to hand out: the one that is finished, or
	//> nothing.
	//+ unsigned n = 0;
	//+ for (; n < max && e->finished; e->finished = e->finished->next)
	//+ 	done[n++] = e->finished;
	//+ return (int)n;
	if (!e->finished || max == 0)
		return 0;
	done[0] = e->finished;
	e->finished = NULL;
	return 1;
	//< 4
}

static void blocking_cancel(struct engine *e)
{
	(void)e; /* submit() returned, so the call is over */
}

static void blocking_close(struct engine *e)
{
	free(e);
}

static const struct engine_ops blocking_engine = {
	.name = IO_ENGINE_NAME("blocking"),
	.summary = "one plain system call at a time, inside submit",
	.lab = IO_ENGINE_LAB,
	.traits = IO_BLOCKS_IN_SUBMIT,
	.is_baseline = true,
	.supports = blocking_supports,
	.open = blocking_open,
	.submit = blocking_submit,
	.reap = blocking_reap,
	.cancel = blocking_cancel,
	.close = blocking_close,
};

IO_ENGINE(blocking_engine);
