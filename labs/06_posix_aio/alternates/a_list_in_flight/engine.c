/* SPDX-License-Identifier: MIT */
/*
 * The requests in flight are a linked list, and reap() lays them out for aio_suspend each time that it
 * waits. What is over is a stack.
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
	struct request *next; /* in flight */
	struct io_op *op;
};

/*
 * glibc's own limit. With 64 threads for 64 reads each would sleep after each read: half as fast.
 */
#define THREADS_FOR_FILES 20

struct engine {
	unsigned depth;
	bool has_socket;
	struct request *requests; /* [slot] */
	const struct aiocb **layout; /* for aio_suspend */
	struct request *in_flight;
	struct io_op *finished; /* the last one first */
	unsigned finished_count;
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
	free(e->layout);
	free(e);
}

static int posix_aio_open(struct engine **engine, const struct engine_config *config,
			  struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the posix_aio engine");
	e->requests = calloc(config->depth, sizeof *e->requests);
	e->layout = calloc(config->depth, sizeof *e->layout);
	if (!e->requests || !e->layout) {
		posix_aio_close(e);
		return reason_no_memory(why, "the posix_aio engine");
	}
	e->depth = config->depth;
	*engine = e;
	return 0;
}

static int posix_aio_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			    struct reason *why)
{
	(void)fd_slot;
	(void)fd;
	(void)why;
	e->has_socket |= fd_kind == IO_FD_SOCKET;
	bool few = !e->has_socket && e->depth > THREADS_FOR_FILES;
	aio_init(&(struct aioinit) {
		.aio_threads = (int)(few ? THREADS_FOR_FILES : e->depth),
		.aio_idle_time = 1, /* seconds by which glibc's threads outlive the engine */
	});
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

static void finish(struct engine *e, struct io_op *op, int64_t result)
{
	op->result = result;
	op->next = e->finished;
	e->finished = op;
	e->finished_count++;
}

static int posix_aio_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct request *r = &e->requests[ops[i]->slot];
		r->op = ops[i];
		if (start(r, ops[i]) == 0) {
			r->next = e->in_flight;
			e->in_flight = r;
			continue;
		}
		int error = errno;
		if (error == EAGAIN && (e->in_flight || e->finished))
			return (int)i;
		finish(e, ops[i], -error);
	}
	return (int)count;
}

/* Moves what is over to `finished`, and lays out the rest. Returns how many those are. */
static int collect(struct engine *e)
{
	int count = 0;
	for (struct request **at = &e->in_flight; *at;) {
		struct request *r = *at;
		int error = aio_error(&r->cb);
		if (error == EINPROGRESS) {
			e->layout[count++] = &r->cb;
			at = &r->next;
			continue;
		}
		*at = r->next;
		ssize_t n = aio_return(&r->cb);
		finish(e, r->op, error ? -error : n);
	}
	return count;
}

static int posix_aio_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			  int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	int count = collect(e);
	while (e->finished_count < min) {
		struct timespec left = { .tv_sec = INT_MAX };
		deadline_left(deadline, &left); /* with a limit a signal always ends it */
		int rc = aio_suspend(e->layout, count, &left);
		int error = rc ? errno : 0;
		count = collect(e);
		if (error == EINTR || error == EAGAIN)
			break;
		if (error)
			return -error;
	}
	unsigned n = 0;
	for (; n < max && e->finished; n++) {
		done[n] = e->finished;
		e->finished = e->finished->next;
		e->finished_count--;
	}
	return (int)n;
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
	for (struct request *r = e->in_flight; r; r = r->next)
		posix_aio_cancel_one(e, r->op);
}

static const struct engine_ops posix_aio_engine = {
	.name = IO_ENGINE_NAME("posix_aio"),
	.summary = "aio_read, aio_write and aio_suspend: threads inside glibc",
	.lab = IO_ENGINE_LAB,
	.traits = IO_SERIALISES_DESCRIPTOR | IO_CANCEL_SHUTS_DOWN,
	.supports = posix_aio_supports,
	.open = posix_aio_open,
	.attach = posix_aio_attach,
	.submit = posix_aio_submit,
	.reap = posix_aio_reap,
	.cancel_one = posix_aio_cancel_one,
	.cancel = posix_aio_cancel,
	.close = posix_aio_close,
};

IO_ENGINE(posix_aio_engine);
