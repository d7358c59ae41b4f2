/* SPDX-License-Identifier: MIT */
/* sample: one system call an operation, for tests of the grader. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_engine.h"

struct engine {
	struct io_op *finished;
};

static int sample_supports(const struct engine_config *config, enum io_kind kind,
			   enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	(void)fd_kind;
	(void)why;
	return 0;
}

static int sample_open(struct engine **engine, const struct engine_config *config,
		       struct reason *why)
{
	(void)config;
	*engine = calloc(1, sizeof **engine);
	return *engine ? 0 : reason_no_memory(why, "the sample engine");
}

static int sample_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	struct io_op *op = ops[0];
	ssize_t n = -1;
	(void)count;
	if (e->finished)
		return 0;
	errno = ENOSYS;
	//> 1 Files: pread(2).
	if (op->kind == IO_READ)
		n = pread(op->fd, op->buf, op->len_bytes, (off_t)op->offset);
	//< 1
	//> 2 Sockets: recv(2) and send(2).
	if (op->kind == IO_RECV)
		n = recv(op->fd, op->buf, op->len_bytes, 0);
	if (op->kind == IO_SEND)
		n = send(op->fd, op->buf, op->len_bytes, MSG_NOSIGNAL);
	//< 2
	op->result = n < 0 ? -errno : n;
	e->finished = op;
	return 1;
}

static int sample_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
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

static void sample_cancel(struct engine *e)
{
	(void)e;
}

static void sample_close(struct engine *e)
{
	free(e);
}

static const struct engine_ops sample_engine = {
	.name = IO_ENGINE_NAME("sample"),
	.summary = "for tests of the grader",
	.lab = IO_ENGINE_LAB,
	.traits = IO_BLOCKS_IN_SUBMIT,
	.supports = sample_supports,
	.open = sample_open,
	.submit = sample_submit,
	.reap = sample_reap,
	.cancel = sample_cancel,
	.close = sample_close,
};

IO_ENGINE(sample_engine);
