/* SPDX-License-Identifier: MIT */
/*
 * SIGEV_THREAD: glibc starts a thread for each request that is over. It takes the result and puts the
 * operation on a queue, so reap() need not ask all requests. It waits for a semaphore.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "io_engine.h"
#include "op_queue.h"

struct request {
	struct aiocb cb;
	struct engine *engine;
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
	unsigned held; /* accepted, and not reaped */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t all_told;
	sem_t news;
	unsigned telling; /* threads that are to come, or at work */
	struct op_queue finished;
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
	pthread_mutex_lock(&e->lock);
	while (e->telling > 0)
		pthread_cond_wait(&e->all_told, &e->lock);
	pthread_mutex_unlock(&e->lock);
	sem_destroy(&e->news);
	pthread_cond_destroy(&e->all_told);
	pthread_mutex_destroy(&e->lock);
	free(e->requests);
	free(e);
}

static int posix_aio_open(struct engine **engine, const struct engine_config *config,
			  struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the posix_aio engine");
	op_queue_init(&e->finished);
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->all_told, NULL);
	sem_init(&e->news, 0, 0);
	e->requests = calloc(config->depth, sizeof *e->requests);
	if (!e->requests) {
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

static void tell(union sigval value)
{
	struct request *r = value.sival_ptr;
	struct engine *e = r->engine;
	int error = aio_error(&r->cb);
	ssize_t n = aio_return(&r->cb);
	pthread_mutex_lock(&e->lock);
	op_queue_finish(&e->finished, r->op, error ? -error : n);
	sem_post(&e->news);
	if (--e->telling == 0)
		pthread_cond_signal(&e->all_told);
	pthread_mutex_unlock(&e->lock);
}

/* Hands a request over. Returns 0, or -1 with errno. */
static int start(struct request *r, const struct io_op *op)
{
	r->cb.aio_fildes = op->fd;
	r->cb.aio_buf = op->buf;
	r->cb.aio_nbytes = op->len_bytes;
	r->cb.aio_offset = (off_t)op->offset;
	r->cb.aio_sigevent.sigev_notify = SIGEV_THREAD;
	r->cb.aio_sigevent.sigev_notify_function = tell;
	r->cb.aio_sigevent.sigev_value.sival_ptr = r;
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
		r->engine = e;
		pthread_mutex_lock(&e->lock);
		e->telling++;
		pthread_mutex_unlock(&e->lock);
		int rc = start(r, ops[i]), error = errno;
		if (rc == 0) {
			e->held++;
			continue;
		}
		pthread_mutex_lock(&e->lock);
		e->telling--;
		pthread_mutex_unlock(&e->lock);
		if (error == EAGAIN && e->held > 0)
			return (int)i;
		e->held++;
		pthread_mutex_lock(&e->lock);
		op_queue_finish(&e->finished, ops[i], -error);
		pthread_mutex_unlock(&e->lock);
	}
	return (int)count;
}

static int posix_aio_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			  int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	struct timespec at = timespec_of_ns(deadline.at_ns);
	int rc = 0;
	pthread_mutex_lock(&e->lock);
	while (rc == 0 && e->finished.count < min) {
		pthread_mutex_unlock(&e->lock);
		rc = sem_clockwait(&e->news, CLOCK_MONOTONIC, &at);
		pthread_mutex_lock(&e->lock);
	}
	unsigned n = op_queue_take(&e->finished, done, max);
	pthread_mutex_unlock(&e->lock);
	e->held -= n;
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
	for (unsigned i = 0; i < e->depth; i++)
		if (e->requests[i].engine && aio_error(&e->requests[i].cb) == EINPROGRESS)
			posix_aio_cancel_one(e, e->requests[i].op);
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
