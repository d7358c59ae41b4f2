/* SPDX-License-Identifier: MIT */
/*
 * blocking, through the calls that take vectors: preadv2(2) and pwritev2(2), to which an offset of
 * -1 means the descriptor's own position, and recvmsg(2) and sendmsg(2). Still one call an
 * operation.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
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
	struct iovec whole = { op->buf, op->len_bytes };
	struct msghdr message = { .msg_iov = &whole, .msg_iovlen = 1 };
	off_t offset = op->offset == IO_NO_OFFSET ? -1 : (off_t)op->offset;
	ssize_t n = -1;
	/* Here -1 has a meaning; to the contract it is IO_NO_OFFSET alone, and others are wrong. */
	errno = ENOSYS;
	if (offset < -1 && (op->kind == IO_READ || op->kind == IO_WRITE))
		return -EINVAL;
	switch ((enum io_kind)op->kind) {
	case IO_READ:
		n = preadv2(op->fd, &whole, 1, offset, 0);
		break;
	case IO_WRITE:
		n = pwritev2(op->fd, &whole, 1, offset, 0);
		break;
	case IO_FSYNC:
		n = fsync(op->fd);
		break;
	case IO_FDATASYNC:
		n = fdatasync(op->fd);
		break;
	case IO_RECV:
		n = recvmsg(op->fd, &message, 0);
		break;
	case IO_SEND:
		n = sendmsg(op->fd, &message, MSG_NOSIGNAL);
		break;
	case IO_ACCEPT:
		n = accept4(op->fd, NULL, NULL, SOCK_CLOEXEC);
		break;
	case IO_CONNECT:
		n = connect(op->fd, op->buf, op->len_bytes);
		break;
	default:
		break;
	}
	return n < 0 ? -errno : n;
}

/* The same, again after a signal: EINTR says that the call had moved nothing yet. */
static int64_t call(const struct io_op *op)
{
	int64_t result;
	do
		result = make_call(op);
	while (result == -EINTR);
	return result;
}

/*
 * Performs what it accepts here and now. The driver reaps it before it offers the next, so no
 * result waits for the rest of a batch.
 */
static int blocking_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	(void)count;
	if (e->finished)
		return 0;
	ops[0]->result = call(ops[0]);
	e->finished = ops[0];
	return 1;
}

static int blocking_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			 int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	if (!e->finished || max == 0)
		return 0;
	done[0] = e->finished;
	e->finished = NULL;
	return 1;
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
