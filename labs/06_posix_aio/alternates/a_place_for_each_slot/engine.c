/* SPDX-License-Identifier: MIT */
/*
 * A place for each slot: aio_suspend passes over NULL. The threads are asked for in open(), as many as
 * there may be operations, for files too.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "io_engine.h"
#include "op_queue.h"

struct request {
	struct aiocb cb;
	struct io_op *op;
};

struct engine {
	unsigned depth;
	struct request *requests; /* [slot] */
	const struct aiocb **outstanding; /* [slot], NULL where nothing is in flight */
	unsigned outstanding_count;
	struct op_queue finished; /* refused at once, or cancelled */
};

static int posix_aio_supports(const struct engine_config *config, enum io_kind kind,
			      enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	if (kind == IO_NOP) {
		reason_set(why, "posix_aio_has_no_noop",
			   "POSIX AIO has reads, writes and syncs, and no no-op");
		return -EOPNOTSUPP;
	}
	if (kind == IO_ACCEPT || kind == IO_CONNECT) {
		reason_set(why, "posix_aio_has_no_connections",
			   "POSIX AIO has reads, writes and syncs, and neither accept nor connect");
		return -EOPNOTSUPP;
	}
	if (fd_kind == IO_FD_PIPE) {
		reason_set(why, "pipe_not_cancelled",
			   "a read that waits on a pipe cannot be taken back: aio_cancel answers "
			   "AIO_NOTCANCELED, and glibc's thread stays in read(2)");
		return -EOPNOTSUPP;
	}
	return 0;
}

static void posix_aio_close(struct engine *e)
{
	free(e->requests);
	free(e->outstanding);
	free(e);
}

static int posix_aio_open(struct engine **engine, const struct engine_config *config,
			  struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the posix_aio engine");
	op_queue_init(&e->finished);
	e->requests = calloc(config->depth, sizeof *e->requests);
	e->outstanding = calloc(config->depth, sizeof *e->outstanding);
	if (!e->requests || !e->outstanding) {
		posix_aio_close(e);
		return reason_no_memory(why, "the posix_aio engine");
	}
	e->depth = config->depth;
	aio_init(&(struct aioinit) { .aio_threads = (int)e->depth, .aio_idle_time = 1 });
	*engine = e;
	return 0;
}

/* Hands a request over. Returns 0, or -1 with errno. */
static int start(struct request *r, const struct io_op *op)
{
	r->cb.aio_fildes = op->fd;
	r->cb.aio_buf = op->buf;
	r->cb.aio_nbytes = op->len_bytes;
	r->cb.aio_offset = (off_t)op->offset;
	r->cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (io_kind_is_for_sockets(op->kind))
		r->cb.aio_offset = 0;
	switch ((enum io_kind)op->kind) {
	case IO_READ:
		return aio_read(&r->cb);
	case IO_WRITE:
		return aio_write(&r->cb);
	case IO_FSYNC:
		return aio_fsync(O_SYNC, &r->cb);
	case IO_FDATASYNC:
		return aio_fsync(O_DSYNC, &r->cb);
	case IO_RECV:
		return aio_read(&r->cb);
	case IO_SEND:
		return aio_write(&r->cb);
	default:
		errno = ENOSYS;
		return -1;
	}
}

static int posix_aio_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct request *r = &e->requests[ops[i]->slot];
		r->op = ops[i];
		if (start(r, ops[i]) == 0) {
			e->outstanding[ops[i]->slot] = &r->cb;
			e->outstanding_count++;
			continue;
		}
		int error = errno;
		if (error == EAGAIN && (e->outstanding_count > 0 || e->finished.count > 0))
			return (int)i;
		op_queue_finish(&e->finished, ops[i], -error);
	}
	return (int)count;
}

/* Moves what is over from `outstanding` to `finished`. */
static void collect(struct engine *e)
{
	for (unsigned i = 0; i < e->depth; i++) {
		struct aiocb *cb = (struct aiocb *)e->outstanding[i];
		int error = cb ? aio_error(cb) : EINPROGRESS;
		if (error == EINPROGRESS)
			continue;
		ssize_t n = aio_return(cb);
		e->outstanding[i] = NULL;
		e->outstanding_count--;
		op_queue_finish(&e->finished, ((struct request *)cb)->op, error ? -error : n);
	}
}

static int posix_aio_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			  int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	collect(e);
	while (e->finished.count < min) {
		struct timespec left = { .tv_sec = INT_MAX };
		deadline_left(deadline, &left); /* with a limit a signal always ends it */
		int rc = aio_suspend(e->outstanding, (int)e->depth, &left);
		int error = rc ? errno : 0;
		collect(e);
		if (error == EINTR || error == EAGAIN)
			break;
		if (error)
			return -error;
	}
	return (int)op_queue_take(&e->finished, done, max);
}

static void posix_aio_cancel_one(struct engine *e, struct io_op *op)
{
	struct aiocb *cb = &e->requests[op->slot].cb;
	bool on_socket = io_kind_is_for_sockets(op->kind);
	if (aio_cancel(op->fd, cb) == AIO_NOTCANCELED && on_socket)
		shutdown(op->fd, SHUT_RDWR);
}

static void posix_aio_cancel(struct engine *e)
{
	for (unsigned i = 0; i < e->depth; i++)
		if (e->outstanding[i])
			posix_aio_cancel_one(e, ((struct request *)e->outstanding[i])->op);
}

static const struct engine_ops posix_aio_engine = {
	.name = IO_ENGINE_NAME("posix_aio"),
	.summary = "aio_read, aio_write and aio_suspend: threads inside glibc",
	.lab = IO_ENGINE_LAB,
	.traits = IO_SERIALISES_DESCRIPTOR | IO_CANCEL_SHUTS_DOWN,
	.supports = posix_aio_supports,
	.open = posix_aio_open,
	.submit = posix_aio_submit,
	.reap = posix_aio_reap,
	.cancel_one = posix_aio_cancel_one,
	.cancel = posix_aio_cancel,
	.close = posix_aio_close,
};

IO_ENGINE(posix_aio_engine);
