/* SPDX-License-Identifier: MIT */
/*
 * epoll, tried first: every operation on a socket is tried in submit(), and only what meets EAGAIN
 * waits. A message costs a call more, and nothing need be remembered of an edge.
 *
 * Events carry the number of the slot, not a pointer. Level-triggered, an event that nobody waits for
 * is no longer asked for; a descriptor that nothing waits on is taken off the list as a whole.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "io_engine.h"
#include "op_queue.h"
#include "op_syscall.h"

enum { OPTION_EDGE = 1 << 0, OPTION_ONESHOT = 1 << 1 };

/* How the kernel is to tell. */
enum trigger { LEVEL, EDGE, ONESHOT };

/* Events after which the call should be made: it then reports what is wrong. */
#define TROUBLE	   (EPOLLHUP | EPOLLERR)
#define IN_EVENTS  (EPOLLIN | EPOLLRDHUP | TROUBLE)
#define OUT_EVENTS (EPOLLOUT | TROUBLE)

/* Events taken from one wait; more stay for the next. */
#define EVENTS_MAX 256

/* One descriptor: what waits for it, and what is known of it. */
struct watched {
	int fd;
	bool registered; /* the kernel has it */
	bool pipe; /* cannot be tried before it is ready */
	uint32_t armed; /* the events that the kernel was asked for */
	struct io_op *receiver, *sender; /* what waits: at most one of each direction */
};

struct engine {
	int epoll_fd;
	enum trigger trigger;
	struct op_queue finished;
	unsigned watched_count;
	struct watched *watched; /* [fd_slot] */
	struct epoll_event events[EVENTS_MAX];
};

/* The kernel says it best. */
static int try_a_file(struct reason *why)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int file = memfd_create("iolab", MFD_CLOEXEC);
	int rc = 0;
	struct epoll_event event = { .events = EPOLLIN };
	if (epoll_fd < 0 || file < 0)
		rc = reason_errno(why, "epoll_not_made", errno, "setting up epoll");
	else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, file, &event) < 0)
		rc = reason_errno(why, "epoll_refuses_files", errno,
				  "epoll_ctl(EPOLL_CTL_ADD) refuses a regular file, which is "
				  "always \"ready\"");
	if (file >= 0)
		close(file);
	if (epoll_fd >= 0)
		close(epoll_fd);
	return rc;
}

static int epoll_supports(const struct engine_config *config, enum io_kind kind,
			  enum io_fd_kind fd_kind, struct reason *why)
{
	if ((config->options & OPTION_EDGE) && (config->options & OPTION_ONESHOT)) {
		reason_set(why, "options_conflict",
			   "edge and oneshot are two answers to the same question; choose one");
		return -EINVAL;
	}
	if (kind == IO_NOP) {
		reason_set(why, "noop_has_no_descriptor",
			   "the engine waits for descriptors, and a no-op has none");
		return -EOPNOTSUPP;
	}
	if (fd_kind == IO_FD_PIPE && (config->options & OPTION_EDGE)) {
		reason_set(why, "pipe_after_edge",
			   "after an edge one must try until EAGAIN, and a pipe in blocking mode "
			   "cannot be tried: it has no MSG_DONTWAIT");
		return -EOPNOTSUPP;
	}
	return fd_kind == IO_FD_FILE ? try_a_file(why) : 0;
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
		return reason_no_memory(why, "the epoll engine");
	op_queue_init(&e->finished);
	e->trigger = LEVEL;
	if (config->options & OPTION_EDGE)
		e->trigger = EDGE;
	if (config->options & OPTION_ONESHOT)
		e->trigger = ONESHOT;
	e->watched_count = config->max_fds;
	e->watched = calloc(config->max_fds, sizeof *e->watched);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!e->watched || e->epoll_fd < 0) {
		int rc = e->watched ? reason_errno(why, "epoll_not_made", errno, "setting up epoll")
				    : reason_no_memory(why, "the epoll engine");
		epoll_close(e);
		return rc;
	}
	*engine = e;
	return 0;
}

/* Asks the kernel for `events` on a descriptor, from now on. Returns 0 or -errno. */
static int set_interest(struct engine *e, struct watched *w, uint32_t events)
{
	int operation = w->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	struct epoll_event event = { .events = events, .data.u32 = (uint32_t)(w - e->watched) };
	if (epoll_ctl(e->epoll_fd, operation, w->fd, &event) < 0)
		return -errno;
	w->registered = true;
	w->armed = events;
	return 0;
}

/* Takes a descriptor off the kernel's list. Returns 0 or -errno. */
static int forget(struct engine *e, struct watched *w)
{
	if (!w->registered)
		return 0;
	w->registered = false;
	w->armed = 0;
	return epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL) < 0 ? -errno : 0;
}

static int epoll_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			struct reason *why)
{
	struct watched *w = &e->watched[fd_slot];
	*w = (struct watched) { .fd = fd, .pipe = fd_kind == IO_FD_PIPE };
	/* What every receive waits for: asked once, a message then costs no epoll_ctl. */
	uint32_t events = EPOLLIN;
	if (e->trigger == EDGE)
		events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	if (e->trigger == ONESHOT)
		events = EPOLLONESHOT;
	int rc = set_interest(e, w, events);
	if (rc < 0)
		reason_errno(why, "epoll_ctl_add", rc, "epoll_ctl(EPOLL_CTL_ADD)");
	return rc;
}

static void epoll_detach(struct engine *e, unsigned fd_slot)
{
	forget(e, &e->watched[fd_slot]);
}

/* What waits on `w`, in epoll's words. */
static uint32_t wanted(const struct watched *w)
{
	return (w->receiver ? (uint32_t)EPOLLIN : 0) | (w->sender ? (uint32_t)EPOLLOUT : 0);
}

/* Makes sure that what waits on `w` will be reported. */
static void arm(struct engine *e, struct watched *w)
{
	uint32_t events = wanted(w);
	int rc = 0;
	if (e->trigger == EDGE)
		return; /* all was asked for in attach() */
	if (e->trigger == ONESHOT) {
		rc = set_interest(e, w, events | EPOLLONESHOT);
	} else if (events & ~w->armed) {
		rc = set_interest(e, w, w->armed | events);
	}
	if (rc == 0)
		return;
	if (w->receiver)
		op_queue_finish(&e->finished, w->receiver, rc);
	if (w->sender)
		op_queue_finish(&e->finished, w->sender, rc);
	w->receiver = w->sender = NULL;
}

/* Tries what waits to receive, without sleeping. Returns whether it is done. */
static bool try_receive(struct engine *e, struct watched *w)
{
	struct io_op *op = w->receiver;
	int64_t result = op_try_when_ready(op);
	if (result == -EAGAIN)
		return false;
	w->receiver = NULL;
	op_queue_finish(&e->finished, op, result);
	return true;
}

/* The same for what waits to send. */
static bool try_send(struct engine *e, struct watched *w)
{
	struct io_op *op = w->sender;
	int64_t result = op_try_when_ready(op);
	if (result == -EAGAIN)
		return false;
	w->sender = NULL;
	op_queue_finish(&e->finished, op, result);
	return true;
}

static void begin_receive(struct engine *e, struct watched *w, struct io_op *op)
{
	w->receiver = op;
	if (w->pipe || !try_receive(e, w))
		arm(e, w);
}

static void begin_send(struct engine *e, struct watched *w, struct io_op *op)
{
	w->sender = op;
	if (w->pipe || !try_send(e, w))
		arm(e, w);
}

static int epoll_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct watched *w = &e->watched[ops[i]->fd_slot];
		if (io_kind_is_input(ops[i]->kind))
			begin_receive(e, w, ops[i]);
		else
			begin_send(e, w, ops[i]);
	}
	return (int)count;
}

/* One event. Returns 0, or -errno when the kernel and this engine no longer agree. */
static int handle_event(struct engine *e, struct watched *w, uint32_t events)
{
	if (e->trigger == LEVEL && !(w->receiver && (events & IN_EVENTS)) &&
	    !(w->sender && (events & OUT_EVENTS))) {
		int rc = wanted(w) ? set_interest(e, w, wanted(w)) : forget(e, w);
		if (rc < 0)
			return rc;
	}
	if (w->receiver && (events & IN_EVENTS))
		try_receive(e, w);
	if (w->sender && (events & OUT_EVENTS))
		try_send(e, w);
	if (e->trigger == ONESHOT) {
		w->armed = 0;
		if (wanted(w))
			arm(e, w);
	}
	/* Room is never news for long: no longer asked for than a send waits. */
	if (e->trigger == LEVEL && (w->armed & EPOLLOUT) && !w->sender)
		return set_interest(e, w, EPOLLIN);
	return 0;
}

static int epoll_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(min > 0 ? timeout_ns : 0);
	while (e->finished.count == 0 || e->finished.count < min) {
		int left_ms = deadline_left_ms(deadline);
		int count = epoll_wait(e->epoll_fd, e->events, EVENTS_MAX, left_ms);
		if (count < 0 && errno != EINTR)
			return -errno;
		if (count <= 0)
			break;
		for (int i = 0; i < count; i++) {
			int rc = handle_event(e, &e->watched[e->events[i].data.u32],
					      e->events[i].events);
			if (rc < 0)
				return rc;
		}
		if (left_ms == 0)
			break;
	}
	return (int)op_queue_take(&e->finished, done, max);
}

static void epoll_cancel_one(struct engine *e, struct io_op *op)
{
	struct watched *w = &e->watched[op->fd_slot];
	struct io_op **waiting = w->receiver == op ? &w->receiver : &w->sender;
	if (*waiting != op)
		return; /* it is over */
	*waiting = NULL;
	op_queue_finish(&e->finished, op, -ECANCELED);
}

static void epoll_cancel(struct engine *e)
{
	for (unsigned i = 0; i < e->watched_count; i++) {
		struct watched *w = &e->watched[i];
		if (w->receiver)
			op_queue_finish(&e->finished, w->receiver, -ECANCELED);
		if (w->sender)
			op_queue_finish(&e->finished, w->sender, -ECANCELED);
		w->receiver = w->sender = NULL;
	}
}

static const struct engine_option options[] = {
	{ "edge", "edge-triggered: only changes are reported" },
	{ "oneshot", "an event switches its descriptor off, each wait switches it on again" },
	{ NULL, NULL },
};

static const struct engine_ops epoll_engine = {
	.name = IO_ENGINE_NAME("epoll"),
	.summary = "readiness, with the interest kept in the kernel; level-triggered",
	.lab = IO_ENGINE_LAB,
	.options = options,
	.traits = IO_WAITS_FOR_READINESS | IO_TRIES_CONNECTIONS,
	.supports = epoll_supports,
	.open = epoll_open,
	.attach = epoll_attach,
	.detach = epoll_detach,
	.submit = epoll_submit,
	.reap = epoll_reap,
	.cancel_one = epoll_cancel_one,
	.cancel = epoll_cancel,
	.close = epoll_close,
};

IO_ENGINE(epoll_engine);
