/* SPDX-License-Identifier: MIT */
/*
 * epoll with cached readiness, as event loops in libraries have it: an event only sets bits in the
 * descriptor's state, and one function moves what can be moved. A bit is cleared by EAGAIN and by
 * nothing else (a pipe's by every call, since a pipe cannot be tried). All three triggers differ
 * only in how the kernel is told what is still of interest.
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

#define EVENTS_MAX 64

enum direction { IN, OUT };

static const uint32_t bit[2] = { EPOLLIN, EPOLLOUT };

struct watched {
	int fd;
	bool pipe;
	uint32_t ready; /* EPOLLIN, EPOLLOUT: what is believed to go without sleeping */
	bool ended; /* then `ready` stays */
	uint32_t asked; /* of the kernel; 0: it is not on its list */
	struct io_op *waiting[2];
	struct watched *next; /* of those that events have come for */
};

struct engine {
	int epoll_fd;
	uint64_t options;
	struct op_queue finished;
	unsigned watched_count;
	struct watched *watched;
};

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
	if (fd_kind != IO_FD_FILE)
		return 0;
	int rc = 0, epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int file = memfd_create("asks", MFD_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	if (epoll_fd < 0 || file < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, file, &event) < 0)
		rc = reason_errno(why, "epoll_refuses_files", errno,
				  "epoll_ctl(EPOLL_CTL_ADD) refuses a regular file, which is "
				  "always \"ready\"");
	if (file >= 0)
		close(file);
	if (epoll_fd >= 0)
		close(epoll_fd);
	return rc;
}

static int epoll_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	struct watched *watched = calloc(config->max_fds, sizeof *watched);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!e || !watched || epoll_fd < 0) {
		int rc = epoll_fd < 0
				 ? reason_errno(why, "epoll_not_made", errno, "setting up epoll")
				 : reason_no_memory(why, "the epoll engine");
		free(e);
		free(watched);
		if (epoll_fd >= 0)
			close(epoll_fd);
		return rc;
	}
	op_queue_init(&e->finished);
	e->epoll_fd = epoll_fd;
	e->options = config->options;
	e->watched_count = config->max_fds;
	e->watched = watched;
	*engine = e;
	return 0;
}

static void epoll_close(struct engine *e)
{
	close(e->epoll_fd);
	free(e->watched);
	free(e);
}

/* Brings the kernel's list in line: `events` is what it should hold. */
static int tell(struct engine *e, struct watched *w, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = w };
	int operation = !events ? EPOLL_CTL_DEL : w->asked ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (!events && !w->asked)
		return 0;
	if (epoll_ctl(e->epoll_fd, operation, w->fd, &event) < 0)
		return -errno;
	w->asked = events;
	return 0;
}

static int epoll_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			struct reason *why)
{
	struct watched *w = &e->watched[fd_slot];
	*w = (struct watched) { .fd = fd, .pipe = fd_kind == IO_FD_PIPE };
	uint32_t events = e->options & OPTION_EDGE	? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
			  : e->options & OPTION_ONESHOT ? (uint32_t)EPOLLONESHOT
							: (uint32_t)EPOLLIN;
	int rc = tell(e, w, events);
	return rc < 0 ? reason_errno(why, "epoll_ctl_add", rc, "epoll_ctl(EPOLL_CTL_ADD)") : 0;
}

static void epoll_detach(struct engine *e, unsigned fd_slot)
{
	tell(e, &e->watched[fd_slot], 0);
}

static void finish(struct engine *e, struct watched *w, enum direction d, int64_t result)
{
	struct io_op *op = w->waiting[d];
	w->waiting[d] = NULL;
	op_queue_finish(&e->finished, op, result);
}

/* Moves what can be moved; then sees to it that the rest will be reported. */
static int move(struct engine *e, struct watched *w)
{
	uint32_t wanted = 0;
	for (enum direction d = IN; d <= OUT; d++) {
		if (!w->waiting[d])
			continue;
		if (w->ready & bit[d]) {
			int64_t result = op_try_when_ready(w->waiting[d]);
			if ((w->pipe || result == -EAGAIN) && !w->ended)
				w->ready &= ~bit[d];
			if (result != -EAGAIN)
				finish(e, w, d, result);
		}
		if (w->waiting[d])
			wanted |= bit[d];
	}
	if (!wanted || (e->options & OPTION_EDGE))
		return 0;
	if (e->options & OPTION_ONESHOT)
		return tell(e, w, wanted | EPOLLONESHOT);
	return wanted & ~w->asked ? tell(e, w, w->asked | wanted) : 0;
}

static int epoll_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct io_op *op = ops[i];
		struct watched *w = &e->watched[op->fd_slot];
		enum direction d = io_kind_is_input(op->kind) ? IN : OUT;
		w->waiting[d] = op;
		if (op->kind == IO_CONNECT) { /* what was known is of a socket without a peer */
			w->ready = 0;
			w->ended = false;
		}
		if (op->kind == IO_SEND || op->kind == IO_CONNECT)
			w->ready |= EPOLLOUT; /* mostly true, and trying is free of charge */
		int rc = move(e, w);
		if (rc < 0)
			finish(e, w, d, rc);
	}
	return (int)count;
}

/* Level-triggered: interest in what nobody waits for ends with the event that shows it. */
static int take_in(struct engine *e, struct watched *w, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		w->ready |= EPOLLIN;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		w->ready |= EPOLLOUT;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		w->ended = true;
	if (e->options & (OPTION_EDGE | OPTION_ONESHOT))
		return 0;
	uint32_t idle = 0;
	for (enum direction d = IN; d <= OUT; d++)
		if (!w->waiting[d] && (w->ready & bit[d]))
			idle |= bit[d];
	return idle & w->asked ? tell(e, w, w->asked & ~idle) : 0;
}

static int epoll_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	unsigned enough = min > 0 ? min : 1;
	struct deadline deadline = deadline_after(min > 0 ? timeout_ns : 0);
	while (e->finished.count < enough) {
		struct epoll_event events[EVENTS_MAX];
		int left_ms = deadline_left_ms(deadline);
		int count = epoll_wait(e->epoll_fd, events, EVENTS_MAX, left_ms);
		if (count < 0 && errno != EINTR)
			return -errno;
		if (count <= 0)
			break;
		struct watched *first = NULL;
		for (int i = 0; i < count; i++) {
			struct watched *w = events[i].data.ptr;
			int rc = take_in(e, w, events[i].events);
			if (rc < 0)
				return rc;
			w->next = first;
			first = w;
		}
		for (struct watched *w = first; w; w = w->next) {
			int rc = move(e, w);
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
	enum direction d = io_kind_is_input(op->kind) ? IN : OUT;
	if (w->waiting[d] == op)
		finish(e, w, d, -ECANCELED);
}

static void epoll_cancel(struct engine *e)
{
	for (unsigned i = 0; i < e->watched_count; i++)
		for (enum direction d = IN; d <= OUT; d++)
			if (e->watched[i].waiting[d])
				finish(e, &e->watched[i], d, -ECANCELED);
}

static const struct engine_option options[] = {
	{ "edge", "edge-triggered" },
	{ "oneshot", "armed anew for each wait" },
	{ NULL, NULL },
};

static const struct engine_ops epoll_engine = {
	.name = IO_ENGINE_NAME("epoll"),
	.summary = "readiness, cached for each descriptor",
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
