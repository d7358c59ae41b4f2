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
	bool readable, ended; /* edge only; `ended`: no further edge will come */
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
	//> 6 Files. Try it: register any regular file (memfd_create(2) makes one without a name or
	//> a disk) with an epoll of its own, and return what epoll_ctl(2) says: 0, or -errno with
	//> the reason in `why` (reason_errno() does both). Leave no descriptor open, on any path.
	//+ (void)why;
	//+ return 0;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int file = memfd_create("iolab", MFD_CLOEXEC);
	int rc = 0;
	struct epoll_event event = { .events = EPOLLIN };
	if (epoll_fd < 0 || file < 0)
		rc = reason_errno(why, errno, "epoll_create1, memfd_create");
	else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, file, &event) < 0)
		rc = reason_errno(why, errno,
				  "epoll_ctl(EPOLL_CTL_ADD) refuses a regular file, which is "
				  "always \"ready\"");
	if (file >= 0)
		close(file);
	if (epoll_fd >= 0)
		close(epoll_fd);
	return rc;
	//< 6
}

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
		return reason_errno(why, ENOMEM, "epoll engine");
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
		int rc = reason_errno(why, e->watched ? errno : ENOMEM, "epoll_create1");
		epoll_close(e);
		return rc;
	}
	*engine = e;
	return 0;
}

/* Asks the kernel for `events` on a descriptor, from now on. Returns 0 or -errno. */
static int set_interest(struct engine *e, struct watched *w, uint32_t events)
{
	//> 1 Tell the kernel: epoll_ctl(2), EPOLL_CTL_ADD for a descriptor that it does not have
	//> yet, EPOLL_CTL_MOD for one that it has. Whatever you put into the event's `data` comes
	//> back with every event of this descriptor: a pointer to its state saves the search.
	//+ (void)e;
	//+ (void)w;
	//+ (void)events;
	//+ return -ENOSYS;
	int operation = w->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	struct epoll_event event = { .events = events, .data.ptr = w };
	if (epoll_ctl(e->epoll_fd, operation, w->fd, &event) < 0)
		return -errno;
	w->registered = true;
	w->armed = events;
	return 0;
	//< 1
}

/* Takes a descriptor off the kernel's list. Returns 0 or -errno. */
static int forget(struct engine *e, struct watched *w)
{
	//> 3 HUP and ERR are reported whether asked for or not, so interest in nothing is not
	//> enough: only EPOLL_CTL_DEL silences a descriptor. Mind one that is not registered at
	//> present.
	//+ (void)e;
	//+ (void)w;
	//+ return 0;
	if (!w->registered)
		return 0;
	w->registered = false;
	w->armed = 0;
	return epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL) < 0 ? -errno : 0;
	//< 3
}

static int epoll_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			struct reason *why)
{
	struct watched *w = &e->watched[fd_slot];
	*w = (struct watched) { .fd = fd };
	/* What every receive waits for: asked once, a message then costs no epoll_ctl. */
	uint32_t events = EPOLLIN;
	//> 4 Edge-triggered: whatever could ever be wanted, once and for all. EPOLLRDHUP tells of a
	//> peer that will send no more, even while its last bytes are still to be read.
	//+ if (e->trigger == EDGE)
	//+ 	return reason_errno(why, ENOSYS, "edge-triggered is exercise 4");
	if (e->trigger == EDGE)
		events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	//< 4
	//> 5 One-shot: registered, and switched off until something waits.
	//+ if (e->trigger == ONESHOT)
	//+ 	return reason_errno(why, ENOSYS, "one-shot is exercise 5");
	if (e->trigger == ONESHOT)
		events = EPOLLONESHOT;
	//< 5
	int rc = set_interest(e, w, events);
	if (rc < 0)
		reason_errno(why, rc, "epoll_ctl(EPOLL_CTL_ADD) on %s",
			     fd_kind == IO_FD_FILE ? "a regular file" : "a descriptor");
	return rc;
}

static void epoll_detach(struct engine *e, unsigned fd_slot)
{
	forget(e, &e->watched[fd_slot]);
}

static void finish(struct engine *e, struct io_op *op, int64_t result)
{
	op->result = result;
	op_queue_push(&e->finished, op);
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
		//> 5 Each wait is asked for anew, and is good for one event. One call says it for
		//> both directions; the bit EPOLLONESHOT is part of what is asked for.
		rc = set_interest(e, w, events | EPOLLONESHOT);
		//< 5
	} else if (events & ~w->armed) {
		//> 2 Something waits that the kernel has not been asked for: room to send, say. Ask
		//> for it, and keep what it was asked for before.
		rc = set_interest(e, w, w->armed | events);
		//< 2
	}
	if (rc == 0)
		return;
	if (w->receiver)
		finish(e, w->receiver, rc);
	if (w->sender)
		finish(e, w->sender, rc);
	w->receiver = w->sender = NULL;
}

/* Tries what waits to receive, without sleeping. Returns whether it is done. */
static bool try_receive(struct engine *e, struct watched *w)
{
	struct io_op *op = w->receiver;
	int64_t result = op_try_when_ready(op);
	//> 4 Is more there? A buffer that was filled may have left something behind, and no edge
	//> will tell of it. One that came back short has drained the socket, unless the end has
	//> been announced already: that no edge will tell of either.
	w->readable = w->ended || result == op->len_bytes;
	//< 4
	//> 1 Not every answer is a result. -EAGAIN says that "ready" was a false alarm: the
	//> operation goes on waiting, and its caller must never see it.
	//+ w->receiver = NULL;
	//+ finish(e, op, result);
	//+ return true;
	if (result == -EAGAIN)
		return false;
	w->receiver = NULL;
	finish(e, op, result);
	return true;
	//< 1
}

/* The same for what waits to send. */
static bool try_send(struct engine *e, struct watched *w)
{
	struct io_op *op = w->sender;
	int64_t result = op_try_when_ready(op);
	//> 2 -EAGAIN is no result: the socket's buffer is full, and the send waits. A short count
	//> is one: never send the rest here.
	//+ w->sender = NULL;
	//+ finish(e, op, result);
	//+ return true;
	if (result == -EAGAIN)
		return false;
	w->sender = NULL;
	finish(e, op, result);
	return true;
	//< 2
}

/* A receive mostly finds nothing yet, so it is not tried before the kernel says so. */
static void begin_receive(struct engine *e, struct watched *w, struct io_op *op)
{
	w->receiver = op;
	//> 4 Edge-triggered, an event that came while nothing waited will not come again. When the
	//> socket is known to be readable, try now.
	if (e->trigger == EDGE && w->readable && try_receive(e, w))
		return;
	//< 4
	arm(e, w);
}

static void begin_send(struct engine *e, struct watched *w, struct io_op *op)
{
	//> 2 A send mostly fits into the socket's buffer, so try it before it waits, and ask for
	//> EPOLLOUT only when it did not fit. A pipe's write (IO_WRITE) cannot be tried before the
	//> kernel says so: there is no MSG_DONTWAIT for pipes, it would block.
	//+ (void)w;
	//+ finish(e, op, -ENOSYS);
	w->sender = op;
	if (op->kind == IO_SEND && try_send(e, w))
		return;
	arm(e, w);
	//< 2
}

static int epoll_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct watched *w = &e->watched[ops[i]->fd_slot];
		if (ops[i]->kind == IO_RECV || ops[i]->kind == IO_READ)
			begin_receive(e, w, ops[i]);
		else
			begin_send(e, w, ops[i]);
	}
	return (int)count;
}

/* One event. Returns 0, or -errno when the kernel and this engine no longer agree. */
static int handle_event(struct engine *e, struct watched *w, uint32_t events)
{
	//> 3 Level-triggered: an event that nobody waits for would be reported by every wait from
	//> now on. Of what was asked for (`armed`) and is reported here, whatever is not wanted()
	//> is switched off: by set_interest() while something else remains, by forget() when
	//> nothing does. EPOLLHUP and EPOLLERR speak of both directions. arm() switches it on
	//> again.
	if (e->trigger == LEVEL) {
		uint32_t reported = events & TROUBLE ? w->armed : w->armed & events;
		uint32_t unwanted = reported & ~wanted(w);
		uint32_t left = w->armed & ~unwanted;
		int rc = 0;
		if (unwanted)
			rc = left ? set_interest(e, w, left) : forget(e, w);
		if (rc < 0)
			return rc;
	}
	//< 3
	//> 4 Edge-triggered: remember what has been reported, for it will not be reported again.
	//> After EPOLLRDHUP, EPOLLHUP or EPOLLERR no further edge will come: `ended`.
	if (e->trigger == EDGE && (events & IN_EVENTS)) {
		w->readable = true;
		w->ended = w->ended || (events & (EPOLLRDHUP | TROUBLE));
	}
	//< 4
	if (w->receiver && (events & IN_EVENTS))
		try_receive(e, w);
	if (w->sender && (events & OUT_EVENTS))
		try_send(e, w);
	//> 5 One-shot: this event has switched the descriptor off, for both directions. If
	//> something still waits (the other direction, or a false alarm), it must be armed anew.
	if (e->trigger == ONESHOT) {
		w->armed = 0;
		if (wanted(w))
			arm(e, w);
	}
	//< 5
	return 0;
}

/* Sleeps until something is ready: fills `events`, returns how many, or -1 with errno. */
static int wait_for_events(struct engine *e, int64_t timeout_ns)
{
	//> 1 Wait. epoll_pwait2(2) takes a timespec (timespec_of_ns()), or NULL to wait for ever;
	//> epoll_wait(2) counts in milliseconds: round up, or a wait of 0.4 ms does not wait at all
	//> and the caller spins until its time has come. 0 asks without waiting.
	//+ (void)e;
	//+ (void)timeout_ns;
	//+ errno = ENOSYS;
	//+ return -1;
#if HAVE_EPOLL_PWAIT2
	struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
	int count = epoll_pwait2(e->epoll_fd, e->events, EVENTS_MAX,
				 timeout_ns < 0 ? NULL : &timeout, NULL);
	if (count >= 0 || errno != ENOSYS) /* Linux 5.11 */
		return count;
#endif
	int timeout_ms = timeout_ns < 0 ? -1 : (int)((timeout_ns + NS_PER_MS - 1) / NS_PER_MS);
	return epoll_wait(e->epoll_fd, e->events, EVENTS_MAX, timeout_ms);
	//< 1
}

static int epoll_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	bool may_wait = min > 0 && timeout_ns != 0;
	int64_t left_ns = may_wait ? timeout_ns : 0;
	int64_t deadline_ns = left_ns > 0 ? (int64_t)clock_ns() + left_ns : 0;
	while (e->finished.count == 0 || e->finished.count < min) {
		int count = wait_for_events(e, left_ns);
		//> 1 What the wait came to. A signal ends it early (EINTR), which is no error:
		//> reap() then returns what it has. So it does when the time was over (0).
		//+ if (count < 0)
		//+ 	return -errno;
		//+ if (count == 0)
		//+ 	break;
		if (count < 0 && errno != EINTR)
			return -errno;
		if (count <= 0)
			break;
		//< 1
		for (int i = 0; i < count; i++) {
			int rc = handle_event(e, e->events[i].data.ptr, e->events[i].events);
			if (rc < 0)
				return rc;
		}
		if (deadline_ns)
			left_ns = deadline_ns - (int64_t)clock_ns();
		if (!may_wait || (deadline_ns && left_ns <= 0))
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
