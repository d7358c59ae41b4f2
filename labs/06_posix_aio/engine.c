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
	//> 6 Say what POSIX AIO cannot do, with -EOPNOTSUPP and the reason in `why`: reason_set(why,
	//> an identifier, words). It has aio_read(3), aio_write(3) and aio_fsync(3), and no more. And
	//> nothing wakes a thread of glibc's that sleeps in a read of a pipe: see cancel_one() below.
	//+ (void)kind;
	//+ (void)fd_kind;
	//+ (void)why;
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
	//< 6
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
	*engine = e;
	return 0;
}

static int posix_aio_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			    struct reason *why)
{
	(void)fd_slot;
	(void)fd;
	(void)why;
	//> 3 A receive that waits holds a thread of glibc's, and more than 20 are not started. So ask
	//> for more before the first request: aio_init(3), once a socket is there for as many as may
	//> be in flight. For files alone THREADS_FOR_FILES are enough. `aio_idle_time` is how many
	//> seconds an idle thread lives on; let it be 1.
	//+ (void)e;
	//+ (void)fd_kind;
	e->has_socket |= fd_kind == IO_FD_SOCKET;
	bool few = !e->has_socket && e->depth > THREADS_FOR_FILES;
	aio_init(&(struct aioinit) {
		.aio_threads = (int)(few ? THREADS_FOR_FILES : e->depth),
		.aio_idle_time = 1, /* seconds by which glibc's threads outlive the engine */
	});
	//< 3
	return 0;
}

/* Hands a request over. Returns 0, or -1 with errno. */
static int start(struct request *r, const struct io_op *op)
{
	//> 1 What, where and how much: aio_fildes, aio_buf, aio_nbytes, aio_offset. Nobody is to be
	//> told of the end (SIGEV_NONE): collect() asks. Then the call for the kind of a file's
	//> operation, one each: aio_read(3), aio_write(3), and aio_fsync(3) with O_SYNC for FSYNC or
	//> O_DSYNC for FDATASYNC.
	//+ (void)r;
	r->cb.aio_fildes = op->fd;
	r->cb.aio_buf = op->buf;
	r->cb.aio_nbytes = op->len_bytes;
	r->cb.aio_offset = (off_t)op->offset;
	r->cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	//< 1
	//> 3 A socket has no position, and IO_NO_OFFSET as an aio_offset is -1, which is refused. Say 0:
	//> then pread(2) in glibc's thread fails with ESPIPE, and it makes a plain read(2).
	if (io_kind_is_for_sockets(op->kind))
		r->cb.aio_offset = 0;
	//< 3
	switch ((enum io_kind)op->kind) {
	//> 1 The calls.
	case IO_READ:
		return aio_read(&r->cb);
	case IO_WRITE:
		return aio_write(&r->cb);
	case IO_FSYNC:
		return aio_fsync(O_SYNC, &r->cb);
	case IO_FDATASYNC:
		return aio_fsync(O_DSYNC, &r->cb);
	//< 1
	//> 3 POSIX AIO has no receive and no send: on a socket they are a read and a write. Nobody
	//> need care about SIGPIPE: glibc's threads block all signals, and only EPIPE comes back.
	case IO_RECV:
		return aio_read(&r->cb);
	case IO_SEND:
		return aio_write(&r->cb);
	//< 3
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
			e->outstanding[e->outstanding_count++] = &r->cb;
			continue;
		}
		//> 4 Refused. EAGAIN says that there is no room now. While this engine holds something,
		//> that is back-pressure, no failure: accept those before this one, and the driver will
		//> offer the rest again. With nothing held nobody would ever make room. Then EAGAIN is
		//> the operation's result, as each other error is.
		//+ op_queue_finish(&e->finished, ops[i], -errno);
		int error = errno;
		if (error == EAGAIN && (e->outstanding_count > 0 || e->finished.count > 0))
			return (int)i;
		op_queue_finish(&e->finished, ops[i], -error);
		//< 4
	}
	return (int)count;
}

/* Moves what is over from `outstanding` to `finished`. */
static void collect(struct engine *e)
{
	//> 1 Ask each: aio_error(3) says EINPROGRESS, or how it ended. Of one that is over aio_return(3)
	//> gives the count, exactly once. Close the gap in `outstanding`: the order does not matter,
	//> so the last one can fill it, if you go through the list from its end.
	//+ (void)e;
	for (unsigned i = e->outstanding_count; i-- > 0;) {
		struct aiocb *cb = (struct aiocb *)e->outstanding[i];
		int error = aio_error(cb);
		if (error == EINPROGRESS)
			continue;
		ssize_t n = aio_return(cb);
		e->outstanding[i] = e->outstanding[--e->outstanding_count];
		op_queue_finish(&e->finished, ((struct request *)cb)->op, error ? -error : n);
	}
	//< 1
}

static int posix_aio_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			  int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	collect(e);
	//> 2 What is given is right, and it spins. Sleep instead, in aio_suspend(3), until one of
	//> `outstanding` is over. deadline_left() gives it the time that is left. It does not say which
	//> one is over, so collect() again. A signal (EINTR) and the end of the time (EAGAIN) end the
	//> wait: no errors, reap() returns what there is. Give it a time limit even where there is none,
	//> one far away: without one it sleeps on after a signal whose handler has SA_RESTART.
	//+ while (e->finished.count < min && deadline_left_ns(deadline) != 0)
	//+ 	collect(e);
	while (e->finished.count < min) {
		struct timespec left = { .tv_sec = INT_MAX };
		deadline_left(deadline, &left); /* leaves it as it is where there is no limit */
		int rc = aio_suspend(e->outstanding, (int)e->outstanding_count, &left);
		int error = rc ? errno : 0;
		collect(e);
		if (error == EINTR || error == EAGAIN)
			break;
		if (error)
			return -error;
	}
	//< 2
	return (int)op_queue_take(&e->finished, done, max);
}

static void posix_aio_cancel_one(struct engine *e, struct io_op *op)
{
	//> 5 aio_cancel(3) takes back what glibc has not begun. Of what a thread performs it says
	//> AIO_NOTCANCELED. A file's operation is soon done. But a thread may sleep on a socket for
	//> ever, and only a shutdown(2) of both directions ends that, which the contract allows here.
	//+ (void)e;
	//+ (void)op;
	struct aiocb *cb = &e->requests[op->slot].cb;
	bool on_socket = io_kind_is_for_sockets(op->kind);
	if (aio_cancel(op->fd, cb) == AIO_NOTCANCELED && on_socket)
		shutdown(op->fd, SHUT_RDWR);
	//< 5
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
