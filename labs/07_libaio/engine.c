/* SPDX-License-Identifier: MIT */
/*
 * libaio: completion in the kernel. io_submit(2) hands over a batch, io_getevents(2) takes results.
 *
 * It is asynchronous for files opened with O_DIRECT. A buffered read is performed inside io_submit,
 * from start to end: the interface accepts it and says nothing. A read on a socket would block
 * there too. So the engine asks for readiness (IOCB_CMD_POLL, Linux 4.18) and then makes the call
 * that does not block.
 *
 * Finished requests lie in a ring that io_setup(2) mapped into this process. When enough are there
 * already, reading the ring saves the system call. QEMU and fio (userspace_reap) do the same. No
 * header has the layout, but it has been the kernel's ABI since 2.5 (fs/aio.c, struct aio_ring).
 * Where a ring says that it is laid out in another way, the engine is refused.
 *
 * libaio:eventfd sleeps in epoll instead: the kernel adds one to an eventfd for each request that
 * is over. So a program can wait for files and for anything else in one place.
 */
#include <errno.h>
#include <libaio.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "io_engine.h"
#include "op_queue.h"
#include "op_syscall.h"

#define RING_MAGIC 0xa10a10a1

struct completion_ring {
	unsigned id;
	unsigned size; /* of events[] */
	unsigned head; /* written by this engine, which takes the events */
	unsigned tail; /* written by the kernel */
	unsigned magic;
	unsigned compat_features;
	unsigned incompat_features;
	unsigned header_bytes;
	struct io_event events[];
};

/* Events taken by one io_getevents. */
#define EVENTS_MAX 256

struct engine {
	io_context_t context;
	unsigned depth;
	struct iocb *iocbs; /* [slot] */
	bool *called_back; /* [slot]: its operation was asked back, and is not polled for again */
	struct iocb **queued; /* accepted from the driver, not yet by the kernel; oldest first */
	unsigned queued_count;
	unsigned in_kernel;
	struct op_queue finished;
	/* libaio:eventfd; else -1 */
	int event_fd; /* the kernel adds 1 for each request that is over */
	int epoll_fd; /* watches it */
	struct io_event events[EVENTS_MAX];
};

enum { OPTION_EVENTFD = 1 << 0 };

/* The context's handle is the address of its ring. */
static struct completion_ring *ring_of(io_context_t context)
{
	return (struct completion_ring *)context;
}

static int create_context(struct engine *e, struct reason *why)
{
	unsigned depth = e->depth;
	int rc = io_setup((int)depth, &e->context); /* libaio returns -errno */
	//> 6 Say why it was refused, in words that help. -EAGAIN: the system's room is taken, or
	//> the depth is above it; name aio-max-nr and aio-nr, which are files of /proc/sys/fs.
	//> -ENOSYS: the kernel was built without CONFIG_AIO. -EPERM: probably seccomp, as in a
	//> container. Anything else: which call it was. reason_errno() returns the error.
	//+ if (rc < 0)
	//+ 	return reason_errno(why, "io_setup_failed", rc, "io_setup failed");
	if (rc == -ENOSYS)
		reason_errno(why, "no_kernel_aio", rc,
			     "io_setup: this kernel was built without CONFIG_AIO");
	else if (rc == -EAGAIN)
		reason_errno(why, "aio_max_nr", rc,
			     "io_setup({depth}): see /proc/sys/fs/aio-nr and aio-max-nr",
			     reason_int("depth", depth));
	else if (rc == -EPERM)
		reason_errno(why, "refused_by_seccomp", rc,
			     "{call} is refused, probably by seccomp as in a container",
			     reason_string("call", "io_setup"));
	else if (rc < 0)
		reason_errno(why, "io_setup", rc, "io_setup({depth})", reason_int("depth", depth));
	if (rc < 0)
		return rc;
	//< 6
	const struct completion_ring *ring = ring_of(e->context);
	if (ring->magic == RING_MAGIC && ring->incompat_features == 0)
		return 0;
	reason_set(why, "unknown_aio_ring", "the ring of io_setup has a layout that is not known");
	return -EOPNOTSUPP;
}

/* Makes the eventfd and the epoll that watches it. After an error libaio_close() closes them. */
static int open_eventfd(struct engine *e, struct reason *why)
{
	//> 7 Make `event_fd`, an eventfd, and `epoll_fd`, an epoll (both closed on exec), and watch the
	//> first with the second for EPOLLIN. Some sandboxes hide epoll_pwait2(2), which is younger
	//> than the other calls: try it once, without waiting. When a call fails, return
	//> reason_errno(why, "eventfd_not_made", errno, "...").
	//+ (void)e;
	//+ return reason_errno(why, "eventfd_missing", ENOSYS, "there is no eventfd yet");
	struct epoll_event event = { .events = EPOLLIN };
	struct timespec at_once = { 0 };
	e->event_fd = eventfd(0, EFD_CLOEXEC);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->event_fd >= 0 && e->epoll_fd >= 0 &&
	    epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->event_fd, &event) == 0 &&
	    epoll_pwait2(e->epoll_fd, &event, 1, &at_once, NULL) == 0)
		return 0;
	return reason_errno(why, "eventfd_not_made", errno,
			    "setting up an eventfd and an epoll that watches it");
	//< 7
}

static void libaio_close(struct engine *e)
{
	if (e->context)
		io_destroy(e->context);
	if (e->event_fd >= 0)
		close(e->event_fd);
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	free(e->iocbs);
	free(e->called_back);
	free(e->queued);
	free(e);
}

static int libaio_open(struct engine **engine, const struct engine_config *config,
		       struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the libaio engine");
	op_queue_init(&e->finished);
	e->event_fd = e->epoll_fd = -1;
	e->depth = config->depth;
	e->iocbs = calloc(config->depth, sizeof *e->iocbs);
	e->called_back = calloc(config->depth, sizeof *e->called_back);
	e->queued = calloc(config->depth, sizeof(struct iocb *));
	bool has_memory = e->iocbs && e->called_back && e->queued;
	int rc = has_memory ? create_context(e, why) : reason_no_memory(why, "the libaio engine");
	if (rc == 0 && (config->options & OPTION_EVENTFD))
		rc = open_eventfd(e, why);
	if (rc < 0) {
		libaio_close(e);
		return rc;
	}
	*engine = e;
	return 0;
}

static int libaio_supports(const struct engine_config *config, enum io_kind kind,
			   enum io_fd_kind fd_kind, struct reason *why)
{
	(void)fd_kind;
	if (kind == IO_NOP) {
		reason_set(why, "libaio_noop_refused",
			   "libaio has IO_CMD_NOOP in its header, and the kernel answers EINVAL");
		return -EOPNOTSUPP;
	}
	//> 6 Find out by trying: open an engine for one operation, with the same options, and close it
	//> again.
	//+ (void)config;
	//+ return 0;
	struct engine_config one = { .depth = 1, .options = config->options };
	struct engine *e;
	int rc = libaio_open(&e, &one, why);
	if (rc == 0)
		libaio_close(e);
	return rc;
	//< 6
}

static bool waits_for_readiness(const struct io_op *op)
{
	return io_kind_is_for_sockets(op->kind) || op->offset == IO_NO_OFFSET;
}

/* Puts the request for `op` at the end of what goes to the kernel next. */
static void enqueue(struct engine *e, struct io_op *op)
{
	struct iocb *cb = &e->iocbs[op->slot];
	if (waits_for_readiness(op)) {
		//> 4 A read of a socket would sleep inside io_submit. So ask for readiness:
		//> io_prep_poll() with op_poll_events(). handle_event() then makes the call.
		//+ op_queue_finish(&e->finished, op, -ENOSYS);
		//+ return;
		io_prep_poll(cb, op->fd, op_poll_events(op));
		//< 4
	} else {
		//> 1 Fill in the request for a file: io_prep_pread(), io_prep_pwrite(),
		//> io_prep_fsync() or io_prep_fdsync(), by op->kind.
		//+ op_queue_finish(&e->finished, op, -ENOSYS);
		//+ return;
		if (op->kind == IO_READ)
			io_prep_pread(cb, op->fd, op->buf, op->len_bytes, (long long)op->offset);
		else if (op->kind == IO_WRITE)
			io_prep_pwrite(cb, op->fd, op->buf, op->len_bytes, (long long)op->offset);
		else if (op->kind == IO_FSYNC)
			io_prep_fsync(cb, op->fd);
		else
			io_prep_fdsync(cb, op->fd);
		//< 1
	}
	//> 7 Where the engine has an event_fd, the kernel shall raise it when this request is over:
	//> io_set_eventfd(). The io_prep_ functions clear the whole request, so it comes after them.
	if (e->event_fd >= 0)
		io_set_eventfd(cb, e->event_fd);
	//< 7
	cb->data = op;
	e->queued[e->queued_count++] = cb;
}

/* Hands what is queued to the kernel, oldest first. */
static void submit_queued(struct engine *e)
{
	unsigned done = 0;
	//> 2 A loop that works, and asks one by one. Better: one io_submit for all that is queued. It
	//> returns how many it took, from the front, and stops at one that it refuses. When that is
	//> the first, it returns its error (EBADF, ...), which is the result of that one request;
	//> the others go on. There are two exceptions. -EINTR: make the call again. -EAGAIN: the
	//> kernel lacks room, so what is left stays queued and the next call tries again; but where
	//> nothing is in the kernel and nothing finished, no room will come, and it is a result.
	//+ for (; done < e->queued_count; done++) {
	//+ 	int n = io_submit(e->context, 1, e->queued + done);
	//+ 	if (n == 1)
	//+ 		e->in_kernel++;
	//+ 	else
	//+ 		op_queue_finish(&e->finished, e->queued[done]->data, n);
	//+ }
	while (done < e->queued_count) {
		int n = io_submit(e->context, e->queued_count - done, e->queued + done);
		if (n > 0) {
			done += (unsigned)n;
			e->in_kernel += (unsigned)n;
		} else if (n == -EAGAIN && (e->in_kernel > 0 || e->finished.count > 0)) {
			break;
		} else if (n != -EINTR) {
			op_queue_finish(&e->finished, e->queued[done++]->data, n);
		}
	}
	//< 2
	e->queued_count -= done;
	memmove(e->queued, e->queued + done, e->queued_count * sizeof *e->queued);
}

static int libaio_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct io_op *op = ops[i];
		/* A send mostly fits into the socket's buffer, so it is tried before it waits. */
		int64_t result = op_try_at_once(op);
		e->called_back[op->slot] = false;
		if (result == -EAGAIN)
			enqueue(e, op);
		else
			op_queue_finish(&e->finished, op, result);
	}
	submit_queued(e);
	return (int)count;
}

static void handle_event(struct engine *e, const struct io_event *event)
{
	struct io_op *op = event->data;
	int64_t result = (int64_t)event->res;
	e->in_kernel--;
	//> 4 The event of a poll says that the descriptor is ready; its `res` are poll(2)'s bits, no
	//> count of bytes. So make the call now, op_try_when_ready(). After -EAGAIN, a false alarm,
	//> enqueue() the operation again: a poll ends with its first event. A poll that was called
	//> back ends with no bit set, and the operation with -ECANCELED. An error stays one.
	if (waits_for_readiness(op) && result >= 0)
		result = result == 0 ? -ECANCELED : op_try_when_ready(op);
	//< 4
	//> 5 It may have been called back after its event came into the ring, when io_cancel() no longer
	//> knew it. Then a false alarm ends it, with -ECANCELED: it must not be polled for again.
	if (result == -EAGAIN && e->called_back[op->slot])
		result = -ECANCELED;
	//< 5
	//> 4 The false alarm.
	if (waits_for_readiness(op) && result == -EAGAIN) {
		enqueue(e, op);
		return;
	}
	//< 4
	op_queue_finish(&e->finished, op, result);
}

/* Takes what lies in the ring. */
static void drain_ring(struct engine *e)
{
	//> 3 Right, but each look at the ring that finds something is a system call. The ring is memory
	//> of this process, so read it: from `head`, which this engine moves, up to `tail`, which
	//> the kernel moves. Both count from 0 to size - 1. Load `tail` with acquire: the events
	//> before it are then there to be read. Copy an event, then store the new `head` with release:
	//> the kernel may overwrite the event from then on. Then handle_event() the copy.
	//+ struct timespec at_once = { 0 };
	//+ int count = io_getevents(e->context, 0, EVENTS_MAX, e->events, &at_once);
	//+ for (int i = 0; i < count; i++)
	//+ 	handle_event(e, &e->events[i]);
	struct completion_ring *ring = ring_of(e->context);
	unsigned head = ring->head;
	while (head != __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE)) {
		struct io_event event = ring->events[head];
		head = head + 1 == ring->size ? 0 : head + 1;
		__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
		handle_event(e, &event);
	}
	//< 3
}

/*
 * Sleeps until `missing` more requests are over, and handles their events. Returns 1; 0 when a
 * signal or the time ended the wait; or -errno.
 */
static int wait_for_events(struct engine *e, unsigned missing, struct deadline deadline)
{
	//> 1 io_getevents() takes how many events it must wait for, how many it may bring, where to
	//> put them, and a time limit, deadline_left(). It returns how many it brought, or -errno
	//> (libaio does not set errno). -EINTR is a signal, no error. It brings no more than
	//> EVENTS_MAX, so do not let it wait for more. handle_event() each. When it brought fewer
	//> than it was to wait for, a signal or the time ended the wait.
	//+ (void)e;
	//+ (void)missing;
	//+ (void)deadline;
	//+ return -ENOSYS;
	struct timespec left;
	if (missing > EVENTS_MAX)
		missing = EVENTS_MAX;
	int count = io_getevents(e->context, missing, EVENTS_MAX, e->events,
				 deadline_left(deadline, &left));
	if (count < 0)
		return count == -EINTR ? 0 : count;
	for (int i = 0; i < count; i++)
		handle_event(e, &e->events[i]);
	return count >= (int)missing;
	//< 1
}

/* Sleeps in epoll until the eventfd says that a request is over. Returns as wait_for_events(). */
static int wait_for_eventfd(struct engine *e, struct deadline deadline)
{
	//> 7 Sleep in epoll_pwait2(2), which takes the same time limit. A signal and the end of the
	//> time are 0. When the eventfd is readable, read it (eventfd_read()): that sets it to 0, and
	//> the next wait can sleep. The read comes first and the ring after it (reap() drains it
	//> next): in the other order a request that ends in between is never heard of. Should the
	//> read fail, the eventfd stays readable, and the next wait says so again.
	//+ (void)e;
	//+ (void)deadline;
	//+ return -ENOSYS;
	struct epoll_event event;
	struct timespec left;
	eventfd_t ended;
	int count = epoll_pwait2(e->epoll_fd, &event, 1, deadline_left(deadline, &left), NULL);
	if (count <= 0)
		return count == 0 || errno == EINTR ? 0 : -errno;
	eventfd_read(e->event_fd, &ended);
	return 1;
	//< 7
}

static int libaio_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		       int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	for (;;) {
		drain_ring(e);
		submit_queued(e);
		if (e->finished.count >= min || e->in_kernel == 0)
			break;
		/* What found no room is not in the kernel. The next event may make room for it. */
		unsigned missing = e->queued_count > 0 ? 1 : min - e->finished.count;
		int rc = e->epoll_fd >= 0 ? wait_for_eventfd(e, deadline)
					  : wait_for_events(e, missing, deadline);
		if (rc < 0)
			return rc;
		if (rc == 0)
			break;
	}
	return (int)op_queue_take(&e->finished, done, max);
}

/* The kernel can take back a poll. A read or write of a file it soon finishes. */
static void call_back(struct engine *e, struct iocb *cb)
{
	//> 5 io_cancel(2). Its answer does not matter: what was called back, like what was not, ends
	//> with an event in the ring (since Linux 4.18). Note in `called_back` that it was asked for:
	//> the event may lie in the ring already, and handle_event() is to know.
	//+ (void)e;
	//+ (void)cb;
	struct io_event unused;
	io_cancel(e->context, cb, &unused);
	e->called_back[cb - e->iocbs] = true;
	//< 5
}

static void libaio_cancel_one(struct engine *e, struct io_op *op)
{
	struct iocb *cb = &e->iocbs[op->slot];
	//> 5 An operation that is still queued never reached the kernel, which does not know it. Take
	//> it out of `queued`, keep the order of the others, and finish it with -ECANCELED.
	for (unsigned i = 0; i < e->queued_count; i++)
		if (e->queued[i] == cb) {
			e->queued_count--;
			memmove(e->queued + i, e->queued + i + 1,
				(e->queued_count - i) * sizeof *e->queued);
			op_queue_finish(&e->finished, op, -ECANCELED);
			return;
		}
	//< 5
	call_back(e, cb);
}

static void libaio_cancel(struct engine *e)
{
	//> 5 All that is queued is finished with -ECANCELED. Then call back each slot's request: for
	//> one that is not in flight the kernel says EINVAL, and that is all.
	//+ (void)e;
	for (unsigned i = 0; i < e->queued_count; i++)
		op_queue_finish(&e->finished, e->queued[i]->data, -ECANCELED);
	e->queued_count = 0;
	for (unsigned slot = 0; slot < e->depth; slot++)
		call_back(e, &e->iocbs[slot]);
	//< 5
}

static const struct engine_option libaio_options[] = {
	{ "eventfd", "sleeps in epoll, and hears of completions by an eventfd" },
	{ NULL, NULL },
};

static const struct engine_ops libaio_engine = {
	.name = IO_ENGINE_NAME("libaio"),
	.summary = "io_submit and io_getevents: asynchronous with O_DIRECT, blocking without",
	.lab = IO_ENGINE_LAB,
	.options = libaio_options,
	.traits = IO_TRIES_CONNECTIONS,
	.supports = libaio_supports,
	.open = libaio_open,
	.submit = libaio_submit,
	.reap = libaio_reap,
	.cancel_one = libaio_cancel_one,
	.cancel = libaio_cancel,
	.close = libaio_close,
};

IO_ENGINE(libaio_engine);
