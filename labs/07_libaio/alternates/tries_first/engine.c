/* SPDX-License-Identifier: MIT */
/*
 * libaio, tried first: every operation on a socket is tried in submit(), and only what meets EAGAIN
 * is polled for. A receive that finds its bytes costs one call instead of three, one that waits a call
 * more.
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
	const struct completion_ring *ring = ring_of(e->context);
	if (ring->magic == RING_MAGIC && ring->incompat_features == 0)
		return 0;
	reason_set(why, "unknown_aio_ring", "the ring of io_setup has a layout that is not known");
	return -EOPNOTSUPP;
}

/* Makes the eventfd and the epoll that watches it. After an error libaio_close() closes them. */
static int open_eventfd(struct engine *e, struct reason *why)
{
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
	struct engine_config one = { .depth = 1, .options = config->options };
	struct engine *e;
	int rc = libaio_open(&e, &one, why);
	if (rc == 0)
		libaio_close(e);
	return rc;
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
		io_prep_poll(cb, op->fd, op_poll_events(op));
	} else {
		if (op->kind == IO_READ)
			io_prep_pread(cb, op->fd, op->buf, op->len_bytes, (long long)op->offset);
		else if (op->kind == IO_WRITE)
			io_prep_pwrite(cb, op->fd, op->buf, op->len_bytes, (long long)op->offset);
		else if (op->kind == IO_FSYNC)
			io_prep_fsync(cb, op->fd);
		else
			io_prep_fdsync(cb, op->fd);
	}
	if (e->event_fd >= 0)
		io_set_eventfd(cb, e->event_fd);
	cb->data = op;
	e->queued[e->queued_count++] = cb;
}

/* Hands what is queued to the kernel, oldest first. */
static void submit_queued(struct engine *e)
{
	unsigned done = 0;
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
	e->queued_count -= done;
	memmove(e->queued, e->queued + done, e->queued_count * sizeof *e->queued);
}

/* A pipe has no MSG_DONTWAIT, and accept(2) is left to the poll, too. */
static int64_t try_now(const struct io_op *op)
{
	return op->kind == IO_RECV ? op_syscall(op, MSG_DONTWAIT) : op_try_at_once(op);
}

static int libaio_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct io_op *op = ops[i];
		int64_t result = try_now(op);
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
	if (waits_for_readiness(op) && result >= 0)
		result = result == 0 ? -ECANCELED : op_try_when_ready(op);
	/* Called back after its event came into the ring: io_cancel() no longer knew it. */
	if (result == -EAGAIN && e->called_back[op->slot])
		result = -ECANCELED;
	if (waits_for_readiness(op) && result == -EAGAIN) {
		enqueue(e, op);
		return;
	}
	op_queue_finish(&e->finished, op, result);
}

/* Takes what lies in the ring. */
static void drain_ring(struct engine *e)
{
	struct completion_ring *ring = ring_of(e->context);
	unsigned head = ring->head;
	while (head != __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE)) {
		struct io_event event = ring->events[head];
		head = head + 1 == ring->size ? 0 : head + 1;
		__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
		handle_event(e, &event);
	}
}

/*
 * Sleeps until `missing` more requests are over, and handles their events. Returns 1; 0 when a
 * signal or the time ended the wait; or -errno.
 */
static int wait_for_events(struct engine *e, unsigned missing, struct deadline deadline)
{
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
}

/* Sleeps in epoll until the eventfd says that a request is over. Returns as wait_for_events(). */
static int wait_for_eventfd(struct engine *e, struct deadline deadline)
{
	struct epoll_event event;
	struct timespec left;
	eventfd_t ended;
	int count = epoll_pwait2(e->epoll_fd, &event, 1, deadline_left(deadline, &left), NULL);
	if (count <= 0)
		return count == 0 || errno == EINTR ? 0 : -errno;
	eventfd_read(e->event_fd, &ended);
	return 1;
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
	struct io_event unused;
	io_cancel(e->context, cb, &unused);
	e->called_back[cb - e->iocbs] = true;
}

static void libaio_cancel_one(struct engine *e, struct io_op *op)
{
	struct iocb *cb = &e->iocbs[op->slot];
	for (unsigned i = 0; i < e->queued_count; i++)
		if (e->queued[i] == cb) {
			e->queued_count--;
			memmove(e->queued + i, e->queued + i + 1,
				(e->queued_count - i) * sizeof *e->queued);
			op_queue_finish(&e->finished, op, -ECANCELED);
			return;
		}
	call_back(e, cb);
}

static void libaio_cancel(struct engine *e)
{
	for (unsigned i = 0; i < e->queued_count; i++)
		op_queue_finish(&e->finished, e->queued[i]->data, -ECANCELED);
	e->queued_count = 0;
	for (unsigned slot = 0; slot < e->depth; slot++)
		call_back(e, &e->iocbs[slot]);
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
