/* SPDX-License-Identifier: MIT */
/*
 * epoll: the interest in a descriptor stays in the kernel; a wait returns only those that are
 * ready.
 *
 * Each descriptor is registered once, with a pointer to its state. So neither the kernel nor this
 * engine walks a list of all of them. There are three trigger modes, and each variant of the engine
 * has one. A mode is three functions, which stand together below.
 *
 *   (level)   Every wait reports a descriptor for as long as it is ready.
 *   edge      A wait reports only what has changed, once.
 *   oneshot   A wait reports a descriptor once and then switches it off.
 *
 * Regular files are refused with EPERM. They are always "ready", so there is no event to wait for.
 * The engine epoll_workers shows what programs do instead.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "io_engine.h"
#include "lent_buffers.h"
#include "op_queue.h"
#include "op_syscall.h"

/* Errors and hang-ups: the recv or send is made then, too, and its result says what is wrong. */
#define TROUBLE	   (EPOLLHUP | EPOLLERR)
#define IN_EVENTS  (EPOLLIN | EPOLLRDHUP | TROUBLE)
#define OUT_EVENTS (EPOLLOUT | TROUBLE)

/* Events taken from one wait; more stay for the next. */
#define EVENTS_MAX 256

/* One descriptor: what waits for it, and what is known of it. */
struct watched {
	int fd;
	bool registered; /* the kernel has it */
	uint32_t armed; /* the events that the kernel was asked for last */
	bool readable, ended; /* edge only; `ended`: no further edge will come */
	struct io_op *receiver, *sender; /* what waits: at most one of each direction */
};

struct engine {
	int epoll_fd;
	const struct trigger_mode *mode;
	struct lent_buffers lent; /* for receives that bring no buffer */
	struct op_queue finished;
	unsigned watched_count;
	struct watched *watched; /* [fd_slot] */
	struct epoll_event events[EVENTS_MAX];
};

/* How the kernel is to tell of what is ready. Each function returns 0 or -errno. */
struct trigger_mode {
	/* A descriptor has come. Nothing waits on it yet. */
	int (*on_attach)(struct engine *e, struct watched *w);
	/* An operation has begun to wait on `w`. The kernel must report it when its time comes. */
	int (*on_wait)(struct engine *e, struct watched *w);
	/* The kernel has reported `events`. */
	int (*on_event)(struct engine *e, struct watched *w, uint32_t events);
};

/* The kernel's interest list. */

/* Asks the kernel for `events` on a descriptor, from now on. Returns 0 or -errno. */
static int set_interest(struct engine *e, struct watched *w, uint32_t events)
{
	//> 1 Tell the kernel: epoll_ctl(2), EPOLL_CTL_ADD for a descriptor that it does not have
	//> yet, EPOLL_CTL_MOD for one that it has. What you put into the event's `data` comes back
	//> with every event of this descriptor: a pointer to its state saves the search.
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

/* The calls that move the bytes. */

/* Tries what waits to receive, without sleeping. Returns whether it is over. */
static bool try_receive(struct engine *e, struct watched *w)
{
	struct io_op *op = w->receiver;
	int64_t result = op_try_when_ready_or_lend(op, &e->lent);
	//> 1 Not every answer is a result. -EAGAIN says that "ready" was a false alarm: the
	//> operation goes on waiting, and its caller must never see it.
	//+ w->receiver = NULL;
	//+ op_queue_finish(&e->finished, op, result);
	//+ return true;
	if (result == -EAGAIN)
		return false;
	w->receiver = NULL;
	op_queue_finish(&e->finished, op, result);
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
	//+ op_queue_finish(&e->finished, op, result);
	//+ return true;
	if (result == -EAGAIN)
		return false;
	w->sender = NULL;
	op_queue_finish(&e->finished, op, result);
	return true;
	//< 2
}

/* Tries each waiting operation whose direction `events` concern. */
static void try_both(struct engine *e, struct watched *w, uint32_t events)
{
	if (w->receiver && (events & IN_EVENTS))
		try_receive(e, w);
	if (w->sender && (events & OUT_EVENTS))
		try_send(e, w);
}

/* What waits on `w`, in epoll's words. */
static uint32_t wanted(const struct watched *w)
{
	return (w->receiver ? (uint32_t)EPOLLIN : 0) | (w->sender ? (uint32_t)EPOLLOUT : 0);
}

/* Ends what waits on `w`, with `result`. */
static void end_both(struct engine *e, struct watched *w, int64_t result)
{
	if (w->receiver)
		op_queue_finish(&e->finished, w->receiver, result);
	if (w->sender)
		op_queue_finish(&e->finished, w->sender, result);
	w->receiver = w->sender = NULL;
}

/* Has the kernel report what waits on `w`. If it refuses, the operation ends with its error. */
static void arm(struct engine *e, struct watched *w)
{
	int rc = wanted(w) ? e->mode->on_wait(e, w) : 0;
	if (rc < 0)
		end_both(e, w, rc);
}

/*
 * Level-triggered. Every wait reports a descriptor for as long as it is ready. Receives cost no
 * epoll_ctl: EPOLLIN is asked for once and stays on. But an event that no operation waits for must
 * be switched off, or the loop spins. That is done when it happens.
 */

static int level_on_attach(struct engine *e, struct watched *w)
{
	return set_interest(e, w, EPOLLIN);
}

static int level_on_wait(struct engine *e, struct watched *w)
{
	//> 2 Something waits; wanted(w) says what. If the kernel has not been asked for it (room
	//> to send, for example), ask, and keep what it was asked for before (`armed`).
	//+ (void)e;
	//+ (void)w;
	//+ return 0;
	uint32_t missing = wanted(w) & ~w->armed;
	return missing ? set_interest(e, w, w->armed | missing) : 0;
	//< 2
}

static int level_on_event(struct engine *e, struct watched *w, uint32_t events)
{
	//> 3 Every wait from now on would report an event that nobody waits for. So switch off
	//> what was asked for (`armed`) and is reported here and is not wanted(): by set_interest()
	//> while something else remains, by forget() when nothing does. EPOLLHUP and EPOLLERR speak
	//> of both directions. level_on_wait() switches it on again.
	uint32_t reported = events & TROUBLE ? w->armed : w->armed & events;
	uint32_t unwanted = reported & ~wanted(w);
	uint32_t left = w->armed & ~unwanted;
	int rc = 0;
	if (unwanted)
		rc = left ? set_interest(e, w, left) : forget(e, w);
	if (rc < 0)
		return rc;
	//< 3
	try_both(e, w, events);
	return 0;
}

static const struct trigger_mode level = { level_on_attach, level_on_wait, level_on_event };

/*
 * Edge-triggered. A wait reports only what has changed, once, so the engine remembers who is
 * readable. All is asked for in the beginning, and epoll_ctl is never called again.
 */

static int edge_on_attach(struct engine *e, struct watched *w)
{
	//> 4 Ask for all that could ever be wanted, once and for all. EPOLLRDHUP tells of a peer
	//> that will send no more, even while its last bytes are still to be read.
	//+ (void)e;
	//+ (void)w;
	//+ return -ENOSYS;
	return set_interest(e, w, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	//< 4
}

static int edge_on_wait(struct engine *e, struct watched *w)
{
	//> 4 An event that came while nothing waited will not come again. So when the socket is
	//> known to be `readable`, try the receive now. Then ask: is more there? A buffer that was
	//> filled may have left something behind, and no edge will tell of it. A receive that came
	//> back short, or with -EAGAIN, has drained the socket (epoll(7), Q&A 9), and the next
	//> byte makes an edge. Another error has drained nothing. And once the end has been
	//> announced (`ended`) no edge will come.
	//+ (void)e;
	//+ (void)w;
	struct io_op *op = w->receiver;
	if (op && w->readable) {
		bool over = try_receive(e, w);
		bool drained = !over || (op->result >= 0 && op->result < op->len_bytes);
		w->readable = w->ended || !drained;
	}
	//< 4
	return 0;
}

static int edge_on_event(struct engine *e, struct watched *w, uint32_t events)
{
	//> 4 Remember what is reported, for it will not be reported again. Each of IN_EVENTS makes
	//> the socket `readable`. After EPOLLRDHUP, EPOLLHUP or EPOLLERR it has `ended`.
	if (events & IN_EVENTS)
		w->readable = true;
	if (events & (EPOLLRDHUP | TROUBLE))
		w->ended = true;
	//< 4
	if (w->sender && (events & OUT_EVENTS))
		try_send(e, w);
	return edge_on_wait(e, w);
}

static const struct trigger_mode edge = { edge_on_attach, edge_on_wait, edge_on_event };

/*
 * One-shot. An event switches its descriptor off, and each operation that waits switches it on.
 * That is a system call more for each operation. Programs whose threads share one epoll pay it: no
 * two of them are ever told of the same descriptor.
 */

static int oneshot_on_attach(struct engine *e, struct watched *w)
{
	//> 5 Register it, switched off: nothing waits yet.
	//+ (void)e;
	//+ (void)w;
	//+ return -ENOSYS;
	return set_interest(e, w, EPOLLONESHOT);
	//< 5
}

static int oneshot_on_wait(struct engine *e, struct watched *w)
{
	//> 5 Switch it on for what is wanted(), which is good for one event. One call says it for
	//> both directions; the bit EPOLLONESHOT is part of what is asked for.
	//+ (void)e;
	//+ (void)w;
	//+ return 0;
	return set_interest(e, w, wanted(w) | EPOLLONESHOT);
	//< 5
}

static int oneshot_on_event(struct engine *e, struct watched *w, uint32_t events)
{
	try_both(e, w, events);
	//> 5 This event has switched the descriptor off, for both directions. If something still
	//> waits (the other direction, or a false alarm), arm() it again.
	arm(e, w);
	//< 5
	return 0;
}

static const struct trigger_mode oneshot = { oneshot_on_attach, oneshot_on_wait, oneshot_on_event };

/* What the engine is asked before a run: can it be done? */

enum { OPTION_EDGE = 1 << 0, OPTION_ONESHOT = 1 << 1 };

/* Does epoll take a regular file? Asks the kernel. Returns 0, or -errno with `why`. */
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
	//< 6
}

/* Some sandboxes hide epoll_pwait2(2), which is younger than the other calls. */
static int try_a_wait(struct reason *why)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	struct timespec at_once = { 0 };
	int rc = 0;
	if (epoll_fd < 0 || epoll_pwait2(epoll_fd, &event, 1, &at_once, NULL) < 0)
		rc = reason_errno(why, "no_epoll_pwait2", errno, "epoll_create1, epoll_pwait2");
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
	return fd_kind == IO_FD_FILE ? try_a_file(why) : try_a_wait(why);
}

static void epoll_close(struct engine *e)
{
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	lent_buffers_close(&e->lent);
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
	e->mode = &level;
	if (config->options & OPTION_EDGE)
		e->mode = &edge;
	if (config->options & OPTION_ONESHOT)
		e->mode = &oneshot;
	e->watched_count = config->max_fds;
	e->watched = calloc(config->max_fds, sizeof *e->watched);
	bool has_memory = lent_buffers_open(&e->lent, config) && e->watched;
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!has_memory || e->epoll_fd < 0) {
		int rc = has_memory ? reason_errno(why, "epoll_not_made", errno, "setting up epoll")
				    : reason_no_memory(why, "the epoll engine");
		epoll_close(e);
		return rc;
	}
	*engine = e;
	return 0;
}

static int epoll_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			struct reason *why)
{
	(void)fd_kind;
	struct watched *w = &e->watched[fd_slot];
	*w = (struct watched) { .fd = fd };
	int rc = e->mode->on_attach(e, w);
	if (rc < 0)
		reason_errno(why, "epoll_ctl_add", rc, "epoll_ctl(EPOLL_CTL_ADD)");
	return rc;
}

static void epoll_detach(struct engine *e, unsigned fd_slot)
{
	forget(e, &e->watched[fd_slot]);
}

/* The loop: operations begin, events come, operations end. */

/* A receive mostly finds nothing yet, so it is not tried before the kernel says so. */
static void begin_receive(struct engine *e, struct watched *w, struct io_op *op)
{
	w->receiver = op;
	arm(e, w);
}

static void begin_send(struct engine *e, struct watched *w, struct io_op *op)
{
	/* What the kernel said of the socket before it had a peer (EPOLLHUP) no longer holds. */
	if (op->kind == IO_CONNECT)
		w->readable = w->ended = false;
	//> 2 A send mostly fits into the socket's buffer, so try it before it waits, and ask for
	//> EPOLLOUT, by arm(), only when it did not fit. A pipe's write (IO_WRITE) cannot be tried
	//> before the kernel says so: there is no MSG_DONTWAIT for pipes, it would block. A connect
	//> begins with its first try, and is over when the kernel reports EPOLLOUT.
	//+ (void)w;
	//+ op_queue_finish(&e->finished, op, -ENOSYS);
	w->sender = op;
	if (op->kind != IO_WRITE && try_send(e, w))
		return;
	arm(e, w);
	//< 2
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

/*
 * Sleeps until something is ready: fills `events`, returns how many, or -1 with errno. A negative
 * timeout is for ever, 0 asks without waiting.
 */
static int wait_for_events(struct engine *e, int64_t timeout_ns)
{
	//> 1 Wait. epoll_pwait2(2) takes a timespec (timespec_of_ns()), or NULL to wait for ever.
	//> The older epoll_wait(2) counts in milliseconds: round up, or a wait of 0.4 ms does not
	//> wait at all and the caller spins until its time has come.
	//+ (void)e;
	//+ (void)timeout_ns;
	//+ errno = ENOSYS;
	//+ return -1;
	struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
	return epoll_pwait2(e->epoll_fd, e->events, EVENTS_MAX, timeout_ns < 0 ? NULL : &timeout,
			    NULL);
	//< 1
}

static int epoll_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(min > 0 ? timeout_ns : 0);
	while (e->finished.count == 0 || e->finished.count < min) {
		int64_t left_ns = deadline_left_ns(deadline);
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
			struct watched *w = e->events[i].data.ptr;
			int rc = e->mode->on_event(e, w, e->events[i].events);
			if (rc < 0)
				return rc; /* the kernel and this engine no longer agree */
		}
		if (left_ns == 0)
			break;
	}
	return (int)op_queue_take(&e->finished, done, max);
}

static void epoll_give_back(struct engine *e, void *buf)
{
	lent_buffers_give_back(&e->lent, buf);
}

static void epoll_cancel_one(struct engine *e, struct io_op *op)
{
	struct watched *w = &e->watched[op->fd_slot];
	if (w->receiver == op)
		w->receiver = NULL;
	else if (w->sender == op)
		w->sender = NULL;
	else
		return; /* it is over */
	op_queue_finish(&e->finished, op, -ECANCELED);
}

static void epoll_cancel(struct engine *e)
{
	for (unsigned i = 0; i < e->watched_count; i++)
		end_both(e, &e->watched[i], -ECANCELED);
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
	.give_back = epoll_give_back,
	.cancel_one = epoll_cancel_one,
	.cancel = epoll_cancel,
	.close = epoll_close,
};

IO_ENGINE(epoll_engine);
