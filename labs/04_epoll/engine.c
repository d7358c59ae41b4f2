/* SPDX-License-Identifier: MIT */
/*
 * epoll: the interest in a descriptor stays in the kernel; a wait returns only those that are
 * ready.
 *
 * Each descriptor is registered once, with a pointer to its state, so neither the kernel nor this
 * engine walks a list of all of them. Three ways to be told, of which a variant takes one:
 *
 *   (level)   as long as a descriptor is ready, every wait reports it. An event that no operation
 *             waits for must be switched off, or the loop spins; that is done when it happens.
 *   edge      only a change is reported, once, so the engine remembers who is ready. A receive
 *             that came back short has drained the socket and need not be tried again before the
 *             next edge: epoll(7), Q&A 9.
 *   oneshot   an event switches the descriptor off, and each wait arms it anew: a system call
 *             more per operation, for programs whose threads share one epoll.
 *
 * Regular files are refused with EPERM: they are always "ready", so there is no event to wait for.
 * See epoll_workers for what programs do instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "io_engine.h"
#include "op_queue.h"
#include "op_syscall.h"

enum { OPTION_EDGE = 1 << 0, OPTION_ONESHOT = 1 << 1 };

/* Events after which the call should be made: it then reports what is wrong. */
#define TROUBLE	   (EPOLLHUP | EPOLLERR)
#define IN_EVENTS  (EPOLLIN | EPOLLRDHUP | TROUBLE)
#define OUT_EVENTS (EPOLLOUT | TROUBLE)

/* Events taken from one epoll_wait; more stay for the next. */
#define EVENTS_MAX 256

/* One descriptor: what waits for it, and what is known of it. */
struct watched {
	int fd;
	bool registered;
	bool readable, ended; /* edge only; `ended`: no further edge will come */
	uint32_t armed; /* events asked for */
	struct io_op *receiver, *sender; /* at most one of each direction */
};

struct engine {
	int epoll_fd;
	uint64_t options;
	bool has_pwait2;
	struct op_queue finished;
	unsigned watched_count;
	struct watched *watched; /* [fd_slot] */
	struct epoll_event events[EVENTS_MAX];
};

static int epoll_supports(const struct engine_config *config, enum io_kind kind,
			  enum io_fd_kind fd_kind, struct reason *why)
{
	if ((config->options & OPTION_EDGE) && (config->options & OPTION_ONESHOT)) {
		reason_set(why,
			   "edge and oneshot are two answers to the same question; choose one");
		return -EINVAL;
	}
	if (kind == IO_NOP) {
		reason_set(why, "epoll waits for descriptors, and a no-op has none");
		return -EOPNOTSUPP;
	}
	if (fd_kind == IO_FD_PIPE && (config->options & OPTION_EDGE)) {
		reason_set(why,
			   "after an edge one must try until EAGAIN, and a pipe in blocking mode "
			   "cannot be tried: it has no MSG_DONTWAIT");
		return -EOPNOTSUPP;
	}
	if (fd_kind != IO_FD_FILE)
		return 0;

	/* The kernel says it best. */
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int file = memfd_create("iolab", MFD_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	int error = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, file, &event) < 0 ? errno : 0;
	close(file);
	close(epoll_fd);
	return error ? reason_errno(
			       why, error,
			       "epoll_ctl(EPOLL_CTL_ADD) refuses a regular file, which is always "
			       "\"ready\"")
		     : 0;
}

static int wait_for_events(struct engine *e, int64_t timeout_ns)
{
#if HAVE_EPOLL_PWAIT2
	if (e->has_pwait2) {
		struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
		return epoll_pwait2(e->epoll_fd, e->events, EVENTS_MAX,
				    timeout_ns < 0 ? NULL : &timeout, NULL);
	}
#endif
	/* Rounded up: an early return would make the caller spin until the time has come. */
	int timeout_ms = timeout_ns < 0 ? -1 : (int)((timeout_ns + NS_PER_MS - 1) / NS_PER_MS);
	return epoll_wait(e->epoll_fd, e->events, EVENTS_MAX, timeout_ms);
}

static void epoll_close(struct engine *e)
{
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	free(e->watched);
	free(e);
}

static int epoll_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_errno(why, ENOMEM, "epoll engine");
	op_queue_init(&e->finished);
	e->options = config->options;
	e->watched_count = config->max_fds;
	e->watched = calloc(config->max_fds, sizeof *e->watched);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!e->watched || e->epoll_fd < 0) {
		int rc = reason_errno(why, e->watched ? errno : ENOMEM, "epoll_create1");
		epoll_close(e);
		return rc;
	}
#if HAVE_EPOLL_PWAIT2
	/* Linux 5.11. Nanoseconds; epoll_wait(2) counts in milliseconds. */
	e->has_pwait2 = true;
	e->has_pwait2 = !(wait_for_events(e, 0) < 0 && errno == ENOSYS);
#endif
	*engine = e;
	return 0;
}

/* Asks for `events` on a descriptor, or for none at all. Returns 0 or -errno. */
static int set_interest(struct engine *e, struct watched *w, uint32_t events)
{
	/*
	 * HUP and ERR are reported whether asked for or not, so that only EPOLL_CTL_DEL silences a
	 * descriptor. A disarmed oneshot stays registered: the kernel has silenced it already.
	 */
	bool wanted = events != 0 || (e->options & OPTION_ONESHOT);
	int operation = !w->registered ? EPOLL_CTL_ADD : wanted ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
	if (!wanted && !w->registered)
		return 0;
	struct epoll_event event = { .events = events, .data.ptr = w };
	if (epoll_ctl(e->epoll_fd, operation, w->fd, &event) < 0)
		return -errno;
	w->registered = wanted;
	w->armed = events;
	return 0;
}

static int epoll_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			struct reason *why)
{
	struct watched *w = &e->watched[fd_slot];
	*w = (struct watched) { .fd = fd, .readable = true };
	uint32_t events = EPOLLIN;
	if (e->options & OPTION_EDGE)
		events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	else if (e->options & OPTION_ONESHOT)
		events = EPOLLONESHOT;
	int rc = set_interest(e, w, events);
	if (rc < 0)
		reason_errno(why, rc, "epoll_ctl(EPOLL_CTL_ADD) on %s",
			     fd_kind == IO_FD_FILE ? "a regular file" : "a descriptor");
	return rc;
}

static void epoll_detach(struct engine *e, unsigned fd_slot)
{
	struct watched *w = &e->watched[fd_slot];
	if (w->registered)
		epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->registered = false;
}

static void finish(struct engine *e, struct io_op *op, int64_t result)
{
	op->result = result;
	op_queue_push(&e->finished, op);
}

/* Makes sure that what waits on `w` will be reported. */
static void arm(struct engine *e, struct watched *w)
{
	uint32_t wanted =
		(w->receiver ? (uint32_t)EPOLLIN : 0) | (w->sender ? (uint32_t)EPOLLOUT : 0);
	int rc = 0;
	if (e->options & OPTION_EDGE)
		return;
	if (e->options & OPTION_ONESHOT)
		rc = set_interest(e, w, wanted | EPOLLONESHOT);
	else if (wanted & ~w->armed)
		rc = set_interest(e, w, wanted | w->armed);
	if (rc == 0)
		return;
	if (w->receiver)
		finish(e, w->receiver, rc);
	if (w->sender)
		finish(e, w->sender, rc);
	w->receiver = w->sender = NULL;
}

/* Tries what waits to receive. Returns whether it is done. */
static bool try_receive(struct engine *e, struct watched *w)
{
	struct io_op *op = w->receiver;
	int64_t result = op_try_when_ready(op);
	/* Short or empty-handed means drained, unless the end has been announced already. */
	w->readable = w->ended || (result != -EAGAIN && result == op->len_bytes);
	if (result == -EAGAIN)
		return false;
	w->receiver = NULL;
	finish(e, op, result);
	return true;
}

static bool try_send(struct engine *e, struct watched *w)
{
	struct io_op *op = w->sender;
	int64_t result = op_try_when_ready(op);
	if (result == -EAGAIN)
		return false;
	w->sender = NULL;
	finish(e, op, result);
	return true;
}

/*
 * Only a socket's send is tried before it waits: mostly it fits into the buffer. A receive mostly
 * finds nothing yet. A pipe cannot be tried at all before it is ready, for it would block.
 */
static int epoll_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	bool edge = e->options & OPTION_EDGE;
	for (unsigned i = 0; i < count; i++) {
		struct io_op *op = ops[i];
		struct watched *w = &e->watched[op->fd_slot];
		bool socket = op->kind == IO_RECV || op->kind == IO_SEND;
		bool done = false;
		if (op->kind == IO_RECV || op->kind == IO_READ) {
			w->receiver = op;
			if (edge && socket && w->readable)
				done = try_receive(e, w);
		} else {
			w->sender = op;
			if (socket)
				done = try_send(e, w);
		}
		if (!done)
			arm(e, w);
	}
	return (int)count;
}

static void handle_event(struct engine *e, struct watched *w, uint32_t events)
{
	if (events & IN_EVENTS)
		w->readable = true;
	if (events & (EPOLLRDHUP | TROUBLE))
		w->ended = true;
	if (e->options & OPTION_ONESHOT)
		w->armed = 0;

	bool waits_in = w->receiver, waits_out = w->sender;
	if (waits_in && (events & IN_EVENTS))
		waits_in = !try_receive(e, w);
	else if (!waits_in && (events & IN_EVENTS) &&
		 !(e->options & (OPTION_EDGE | OPTION_ONESHOT)))
		set_interest(e, w, w->armed & ~(uint32_t)EPOLLIN);
	if (waits_out && (events & OUT_EVENTS))
		waits_out = !try_send(e, w);
	else if (!waits_out && (w->armed & EPOLLOUT) && !(e->options & OPTION_EDGE))
		set_interest(e, w, w->armed & ~(uint32_t)EPOLLOUT);
	if ((e->options & OPTION_ONESHOT) && (waits_in || waits_out))
		arm(e, w);
}

static int epoll_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	bool may_wait = min > 0 && timeout_ns != 0;
	while (e->finished.count == 0 || e->finished.count < min) {
		int count = wait_for_events(e, may_wait ? timeout_ns : 0);
		if (count < 0 && errno != EINTR)
			return -errno;
		if (count <= 0)
			break;
		for (int i = 0; i < count; i++)
			handle_event(e, e->events[i].data.ptr, e->events[i].events);
		if (!may_wait)
			break;
	}
	return (int)op_queue_take(&e->finished, done, max);
}

static void epoll_cancel(struct engine *e)
{
	for (unsigned i = 0; i < e->watched_count; i++) {
		struct watched *w = &e->watched[i];
		if (w->receiver)
			finish(e, w->receiver, -ECANCELED);
		if (w->sender)
			finish(e, w->sender, -ECANCELED);
		w->receiver = w->sender = NULL;
	}
}

static const struct engine_option options[] = {
	{ "edge", "edge-triggered: only changes are reported" },
	{ "oneshot", "each event disarms its descriptor, each wait arms it anew" },
	{ NULL, NULL },
};

static const struct engine_ops epoll_engine = {
	.name = IO_ENGINE_NAME("epoll"),
	.summary = "readiness, with the interest kept in the kernel; level-triggered",
	.lab = IO_ENGINE_LAB,
	.options = options,
	.supports = epoll_supports,
	.open = epoll_open,
	.attach = epoll_attach,
	.detach = epoll_detach,
	.submit = epoll_submit,
	.reap = epoll_reap,
	.cancel = epoll_cancel,
	.close = epoll_close,
};

IO_ENGINE(epoll_engine);
