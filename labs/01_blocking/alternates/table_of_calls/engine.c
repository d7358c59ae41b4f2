/* SPDX-License-Identifier: MIT */
/*
 * blocking, with a function for each kind, found in a table. Operations on files are accepted as
 * many as are offered, since no peer is silent behind a file; those on streams, which can sleep for
 * ever, only when nothing that is finished waits to be reaped.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_engine.h"
#include "op_queue.h"

struct engine {
	struct op_queue finished; /* what submit() has performed and reap() will return */
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
	op_queue_init(&e->finished);
	*engine = e;
	return 0;
}

static ssize_t call_read(const struct io_op *op)
{
	if (op->offset == IO_NO_OFFSET)
		return read(op->fd, op->buf, op->len_bytes);
	return pread(op->fd, op->buf, op->len_bytes, (off_t)op->offset);
}

static ssize_t call_write(const struct io_op *op)
{
	if (op->offset == IO_NO_OFFSET)
		return write(op->fd, op->buf, op->len_bytes);
	return pwrite(op->fd, op->buf, op->len_bytes, (off_t)op->offset);
}

static ssize_t call_fsync(const struct io_op *op)
{
	return fsync(op->fd);
}

static ssize_t call_fdatasync(const struct io_op *op)
{
	return fdatasync(op->fd);
}

static ssize_t call_recv(const struct io_op *op)
{
	return recv(op->fd, op->buf, op->len_bytes, 0);
}

static ssize_t call_send(const struct io_op *op)
{
	return send(op->fd, op->buf, op->len_bytes, MSG_NOSIGNAL);
}

static ssize_t call_accept(const struct io_op *op)
{
	return accept4(op->fd, NULL, NULL, SOCK_CLOEXEC);
}

static ssize_t call_connect(const struct io_op *op)
{
	return connect(op->fd, op->buf, op->len_bytes);
}

static ssize_t (*const calls[IO_KIND_COUNT])(const struct io_op *op) = {
	[IO_READ] = call_read,		 [IO_WRITE] = call_write,     [IO_FSYNC] = call_fsync,
	[IO_FDATASYNC] = call_fdatasync, [IO_RECV] = call_recv,	      [IO_SEND] = call_send,
	[IO_ACCEPT] = call_accept,	 [IO_CONNECT] = call_connect,
};

static void perform(struct engine *e, struct io_op *op)
{
	if (op->kind >= IO_KIND_COUNT || !calls[op->kind]) {
		op->result = -EINVAL;
	} else {
		ssize_t n = TEMP_FAILURE_RETRY(calls[op->kind](op));
		op->result = n < 0 ? -errno : n;
	}
	op_queue_push(&e->finished, op);
}

static bool can_sleep_for_ever(const struct io_op *op)
{
	return io_kind_is_for_sockets(op->kind) || op->offset == IO_NO_OFFSET;
}

static int blocking_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	unsigned accepted = 0;
	while (accepted < count) {
		struct io_op *op = ops[accepted];
		if (can_sleep_for_ever(op) && e->finished.count > 0)
			break;
		perform(e, op);
		accepted++;
	}
	return (int)accepted;
}

static int blocking_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			 int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	return (int)op_queue_take(&e->finished, done, max);
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
