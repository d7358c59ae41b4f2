/* SPDX-License-Identifier: MIT */
/*
 * posix_aio: the standard's asynchronous I/O, which glibc performs with threads.
 *
 * aio_read(3) puts a request on a list, and a helper thread of glibc makes the blocking call. Two
 * consequences surprise. First, requests on one descriptor are performed one after another. So
 * depth brings nothing unless each request has a descriptor of its own, and a receive that waits
 * holds up a send on the same socket. Second, glibc starts at most 20 threads unless aio_init(3)
 * asks for more. For files that is plenty: a thread that finds the next request on the list need
 * not sleep. For sockets it is too few: each receive that waits holds one.
 *
 * The engine waits for completions with aio_suspend(3). SIGEV_THREAD would start a thread for every
 * completion, and SIGEV_SIGNAL would cost two system calls each. aio_suspend takes the whole list
 * of what is outstanding, and afterwards each request has to be asked whether it is over. That is
 * O(n), by design of the interface.
 *
 * aio_init takes effect once in a process, before the first request. Each run is a process of its
 * own.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
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

/*
 * glibc's own limit. With 64 threads for 64 reads each would sleep after each read: half as fast.
 */
#define THREADS_FOR_FILES 20

struct engine {
	unsigned depth;
	bool has_socket;
	struct request *requests; /* [slot] */
	const struct aiocb **outstanding; /* dense, as aio_suspend wants it */
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

static void limit_threads(unsigned count)
{
	aio_init(&(struct aioinit) {
		.aio_threads = (int)count,
		.aio_idle_time = 1, /* seconds by which glibc's threads outlive the engine */
	});
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
	limit_threads(few ? THREADS_FOR_FILES : e->depth);
	return 0;
}

static int start(struct request *r, const struct io_op *op)
{
	r->cb.aio_fildes = op->fd;
	r->cb.aio_buf = op->buf;
	r->cb.aio_nbytes = op->len_bytes;
	/* On a socket glibc's pread fails with ESPIPE, and it then does a plain read. */
	r->cb.aio_offset = io_kind_is_for_sockets(op->kind) ? 0 : (off_t)op->offset;
	r->cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	switch ((enum io_kind)op->kind) {
	case IO_READ:
	case IO_RECV:
		return aio_read(&r->cb);
	case IO_WRITE:
	case IO_SEND:
		/* glibc's threads block all signals, SIGPIPE too: only EPIPE comes back. */
		return aio_write(&r->cb);
	case IO_FSYNC:
		return aio_fsync(O_SYNC, &r->cb);
	default: /* IO_FDATASYNC: supports() admits no other */
		return aio_fsync(O_DSYNC, &r->cb);
	}
}

static int posix_aio_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct request *r = &e->requests[ops[i]->slot];
		r->op = ops[i];
		if (start(r, ops[i]) == 0) {
			e->outstanding[e->outstanding_count++] = &r->cb;
			continue;
		}
		int error = errno;
		if (error == EAGAIN && (e->outstanding_count > 0 || e->finished.count > 0))
			return (int)i; /* no room now: what is in flight makes some */
		op_queue_finish(&e->finished, ops[i], -error);
	}
	return (int)count;
}

/* Moves what is over from `outstanding` to `finished`. */
static void collect(struct engine *e)
{
	for (unsigned i = e->outstanding_count; i-- > 0;) {
		struct aiocb *cb = (struct aiocb *)e->outstanding[i];
		int error = aio_error(cb);
		if (error == EINPROGRESS)
			continue;
		/* Exactly once for each request: aio_return(3). */
		ssize_t n = aio_return(cb);
		e->outstanding[i] = e->outstanding[--e->outstanding_count];
		op_queue_finish(&e->finished, ((struct request *)cb)->op, error ? -error : n);
	}
}

static int posix_aio_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			  int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	collect(e);
	while (e->finished.count < min) {
		struct timespec left;
		int rc = aio_suspend(e->outstanding, (int)e->outstanding_count,
				     deadline_left(deadline, &left));
		int error = rc ? errno : 0;
		collect(e);
		if (error == EINTR || error == EAGAIN)
			break; /* a signal, or the time is over */
		if (error)
			return -error;
	}
	return (int)op_queue_take(&e->finished, done, max);
}

/*
 * aio_cancel takes back what has not begun. A helper thread that sleeps in a call on a socket
 * returns when the socket is shut down, which the contract allows here. One that reads a file is
 * soon done.
 */
static void posix_aio_cancel_one(struct engine *e, struct io_op *op)
{
	struct aiocb *cb = &e->requests[op->slot].cb;
	bool on_socket = io_kind_is_for_sockets(op->kind);
	if (aio_cancel(op->fd, cb) == AIO_NOTCANCELED && on_socket)
		shutdown(op->fd, SHUT_RDWR);
}

static void posix_aio_cancel(struct engine *e)
{
	for (unsigned i = 0; i < e->outstanding_count; i++)
		posix_aio_cancel_one(e, ((struct request *)e->outstanding[i])->op);
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
