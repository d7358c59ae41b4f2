/* SPDX-License-Identifier: MIT */
/*
 * signal: the kernel interrupts this thread when a descriptor has news (O_ASYNC, signal-driven I/O).
 *
 * A signal says once that something happened, and on which number. It does not say what is there now.
 * So it is an edge (lab 04), with three differences: what was there before O_ASYNC was set makes no
 * signal, the number is the one that was armed (it may be closed by now), and signals wait in a queue
 * that can be full. Then one SIGIO comes in place of all that were lost.
 *
 * The signal is a real-time one, for only these are queued and bring a number. It is blocked as long as
 * the engine is open, so it interrupts nobody. There are three ways to take it:
 *
 *   (plain)    sigtimedwait(2): one signal a call.
 *   signalfd   a descriptor that is readable while signals wait; one read(2) takes many.
 *   handler    a function that the kernel calls on this thread's stack, between two instructions.
 *
 * Regular files are refused. fcntl(2) reports no error for them, and does not set O_ASYNC.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "io_engine.h"
#include "lent_buffers.h"
#include "op_queue.h"
#include "op_syscall.h"

/* Signals taken from one read; more stay for the next. */
#define UPCALLS_MAX 64

/* What a signal says. */
struct upcall {
	int signal; /* the engine's own, or SIGIO after an overflow */
	int fd; /* the number by which the descriptor was armed */
	int code; /* POLL_IN, POLL_OUT, POLL_ERR, POLL_HUP, ...: sigaction(2), SIGIO */
};

/* How many signals have told of a descriptor since it was last found empty. */
enum news { NO_NEWS, ONE_SIGNAL, MANY_OR_UNKNOWN };

/* One descriptor: what waits for it, and what is known of it. */
struct watched {
	int fd;
	bool attached, is_pipe;
	bool is_deaf; /* attached, but arm() has failed since */
	enum news news;
	struct io_op *receiver, *sender; /* what waits: at most one of each direction */
	struct watched *twin; /* a ring of all that share an open file (dup); itself when alone */
	struct watched *next; /* in its bucket */
};

struct engine {
	const struct way *way;
	int signal; /* real-time; nobody else in this process uses it */
	struct sigaction action_before;
	bool blocked_before; /* by the caller */
	int signal_fd; /* of some ways; or -1 */
	unsigned overflows_seen;
	struct lent_buffers lent; /* for receives that bring no buffer */
	struct op_queue finished;
	unsigned watched_count;
	struct watched *watched; /* [fd_slot] */
	struct pollfd *asked; /* [watched_count], for the time after an overflow */
	unsigned bucket_mask;
	struct watched **buckets; /* [bucket_mask + 1], by number */
	unsigned upcall_count;
	struct upcall upcalls[UPCALLS_MAX];
};

/* How signals are taken. */
struct way {
	/* What of the two signals `signal_fd` is for; 0 where there is none. */
	bool reads_its_own, reads_sigio;
	/*
	 * Fills `upcalls` and `upcall_count`; waits for the first of them. A negative timeout is for
	 * ever, 0 does not wait. Returns 0, with none when the time is over or another signal has ended
	 * the wait, or -errno.
	 */
	int (*take)(struct engine *e, int64_t timeout_ns);
};

/* SIGIO comes to a thread, and any engine of the thread may take it. It is for all of them. */
static _Thread_local struct {
	unsigned engines, overflows;
	bool sigio_blocked_before;
} of_this_thread;

/* From a number to those who have it. */

static struct watched **bucket_of(struct engine *e, int fd)
{
	return &e->buckets[(unsigned)fd & e->bucket_mask];
}

static void note_number(struct engine *e, struct watched *w)
{
	struct watched **bucket = bucket_of(e, w->fd);
	w->next = *bucket;
	*bucket = w;
}

static void forget_number(struct engine *e, struct watched *w)
{
	struct watched **at = bucket_of(e, w->fd);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

/* Arming. */

/*
 * Has the kernel send `signal` to this thread when something happens to `fd`. Returns 0, or -errno:
 * -EOPNOTSUPP when the kernel does so for no descriptor of this kind.
 */
static int arm(int fd, int signal)
{
	//> 1 Four steps, each an fcntl(2). Whom: F_SETOWN_EX with F_OWNER_TID and this thread
	//> (gettid(2)), since a signal for the process may go to any of its threads. Which signal:
	//> F_SETSIG. Then O_ASYNC, by F_GETFL and F_SETFL, beside the flags that are there. F_SETFL
	//> says 0 whether it took or not; F_GETFL tells. Where O_ASYNC is on already, switch it off
	//> first: the number that a signal brings is the one by which O_ASYNC was switched on.
	//+ (void)fd;
	//+ (void)signal;
	//+ return -ENOSYS;
	struct f_owner_ex owner = { F_OWNER_TID, gettid() };
	if (fcntl(fd, F_SETOWN_EX, &owner) < 0 || fcntl(fd, F_SETSIG, signal) < 0)
		return -errno;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	if ((flags & O_ASYNC) && fcntl(fd, F_SETFL, flags & ~O_ASYNC) < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, flags | O_ASYNC) < 0)
		return -errno;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	return flags & O_ASYNC ? 0 : -EOPNOTSUPP;
	//< 1
}

/* Undoes arm(). */
static void disarm(int fd)
{
	//> 4 Leave the open file as it came: without O_ASYNC, with the other flags that it has, for
	//> whoever else holds it. Then no signal of its own (F_SETSIG, 0) and no owner (F_SETOWN, 0).
	//+ fcntl(fd, F_SETOWN, 0); /* nobody is told any more, and O_ASYNC stays */
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags & ~O_ASYNC);
	fcntl(fd, F_SETSIG, 0);
	fcntl(fd, F_SETOWN, 0);
	//< 4
}

/* The calls that move the bytes. */

/* poll(2), without sleeping. Returns above 0 when `fd` is ready, 0, or -errno. */
static int ask(int fd, short events)
{
	struct pollfd asked = { .fd = fd, .events = events };
	int ready;
	do
		ready = poll(&asked, 1, 0);
	while (ready < 0 && errno == EINTR);
	return ready < 0 ? -errno : ready;
}

/*
 * A pipe in blocking mode has no MSG_DONTWAIT: poll(2) must say first that the call will not sleep. And
 * where no buffer is free to be lent, poll(2) says whether one is needed.
 */
static bool must_ask_first(const struct engine *e, const struct watched *w, const struct io_op *op)
{
	return w->is_pipe || (op->kind == IO_RECV && !op->buf && e->lent.free_count == 0);
}

/* Makes the call of what waits to receive. Returns bytes, or -errno; -EAGAIN when nothing is there. */
static int64_t receive_now(struct engine *e, struct watched *w)
{
	struct io_op *op = w->receiver;
	if (!must_ask_first(e, w, op))
		return op_try_when_ready_or_lend(op, &e->lent);
	int64_t result = -EAGAIN;
	int ready = 1;
	while (result == -EAGAIN && (ready = ask(w->fd, POLLIN)) > 0)
		result = op_try_when_ready_or_lend(op, &e->lent);
	return ready < 0 ? ready : result;
}

/* The same for what waits to send. */
static int64_t send_now(struct watched *w)
{
	struct io_op *op = w->sender;
	int ready = w->is_pipe ? ask(w->fd, POLLOUT) : 1;
	if (ready <= 0)
		return ready < 0 ? ready : -EAGAIN;
	int64_t result = op_try_when_ready(op);
	/*
	 * A socket signals room only after somebody met EAGAIN. A Unix socket notes that after it has
	 * looked (sock_alloc_send_pskb()), so room that came between has no signal. The second look
	 * finds it.
	 */
	if (result == -EAGAIN && op->kind != IO_CONNECT)
		result = op_try_when_ready(op);
	return result;
}

/* Tries what waits to receive, without sleeping. */
static void try_receive(struct engine *e, struct watched *w)
{
	struct io_op *op = w->receiver;
	int64_t result = receive_now(e, w);
	//> 2 Is more there, of which no signal will tell? After -EAGAIN nothing is (NO_NEWS). After a
	//> short count, of more than 0 bytes, neither, if exactly ONE_SIGNAL had come: what happened
	//> later has a signal of its own, which is still in the queue. In all other cases the next
	//> receive must try (MANY_OR_UNKNOWN): a full buffer may have left something behind, the end of
	//> the stream stays, an error has drained nothing, and the last of several signals may have
	//> been the end's.
	bool is_short = result > 0 && result < op->len_bytes;
	bool drained = result == -EAGAIN || (is_short && w->news == ONE_SIGNAL);
	w->news = drained ? NO_NEWS : MANY_OR_UNKNOWN;
	//< 2
	if (result == -EAGAIN)
		return;
	w->receiver = NULL;
	op_queue_finish(&e->finished, op, result);
}

/* The same for what waits to send. Returns whether it is over. */
static bool try_send(struct engine *e, struct watched *w)
{
	struct io_op *op = w->sender;
	int64_t result = send_now(w);
	//> 3 -EAGAIN is no result: there is no room, and the send waits for a signal. A short count is
	//> one: never send the rest here.
	//+ w->sender = NULL;
	//+ op_queue_finish(&e->finished, op, result);
	//+ return true;
	if (result == -EAGAIN)
		return false;
	w->sender = NULL;
	op_queue_finish(&e->finished, op, result);
	return true;
	//< 3
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

/* What a signal says is taken at its word only so far: go and look. */

static void look(struct engine *e, struct watched *w, int code)
{
	if (code != POLL_OUT) {
		//> 2 Count it. Nobody may be waiting to receive now, and no signal comes twice. So it is
		//> remembered, for begin_receive().
		w->news = w->news == NO_NEWS ? ONE_SIGNAL : MANY_OR_UNKNOWN;
		//< 2
		if (w->receiver)
			try_receive(e, w);
	}
	//> 3 POLL_OUT tells a sender of room, POLL_ERR and POLL_HUP tell both that something is wrong.
	//> POLL_IN is not for it.
	if (code != POLL_IN && w->sender)
		try_send(e, w);
	//< 3
}

/* All with this number, and those who share their open files: of these only one number is told. */
static void on_number(struct engine *e, int fd, int code)
{
	for (struct watched *w = *bucket_of(e, fd); w; w = w->next) {
		if (w->fd != fd)
			continue;
		look(e, w, code);
		//> 4 The descriptor may have twins. The kernel tells of their open file once, by the
		//> number that was armed last. So look() at each of the ring, once.
		for (struct watched *twin = w->twin; twin != w; twin = twin->twin)
			look(e, twin, code);
		//< 4
	}
}

/* The queue was full, and signals are lost. Nobody knows which. Returns 0 or -errno. */
static int recover(struct engine *e)
{
	e->overflows_seen = of_this_thread.overflows;
	//> 5 First make room: take all signals that are still in the queue, without waiting, and forget
	//> them. sigtimedwait(2) says EAGAIN when there is none left. What happens from then on has a
	//> signal again. Then ask poll(2), once, about every descriptor: POLLIN where it is attached,
	//> POLLOUT where a sender waits; `asked` has room for all. look() at those that it names, as
	//> after signals of an unknown number and kind (POLL_HUP is for both directions). Both calls may
	//> say EINTR, which says nothing: call again.
	sigset_t own;
	sigemptyset(&own);
	sigaddset(&own, e->signal);
	while (sigtimedwait(&own, NULL, &(struct timespec) { 0 }) > 0 || errno == EINTR)
		;
	if (errno != EAGAIN)
		return -errno;
	for (unsigned i = 0; i < e->watched_count; i++) {
		const struct watched *w = &e->watched[i];
		short events = (short)(POLLIN | (w->sender ? POLLOUT : 0));
		e->asked[i] = (struct pollfd) { .fd = w->attached ? w->fd : -1, .events = events };
	}
	int ready;
	do
		ready = poll(e->asked, e->watched_count, 0);
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return -errno;
	for (unsigned i = 0; i < e->watched_count; i++) {
		if (!e->asked[i].revents)
			continue;
		e->watched[i].news = MANY_OR_UNKNOWN;
		look(e, &e->watched[i], POLL_HUP);
	}
	//< 5
	return 0;
}

static void heed(struct engine *e, struct upcall upcall)
{
	//> 5 SIGIO in place of the engine's own signal: the queue was full. Count it in
	//> `of_this_thread`, since it is for all engines of this thread. reap() then sees
	//> that `overflows_seen` is another number, and calls recover().
	if (upcall.signal == SIGIO) {
		of_this_thread.overflows++;
		return;
	}
	//< 5
	/* What another process sends with kill(2) has a code of 0 or below, and no number. */
	if (upcall.code >= POLL_IN)
		on_number(e, upcall.fd, upcall.code);
}

/* Ways to take a signal. */

/* One call, one signal. */
static int take_by_sigtimedwait(struct engine *e, int64_t timeout_ns)
{
	//> 1 Wait for the engine's signal, or SIGIO: sigtimedwait(2), with a timespec
	//> (timespec_of_ns()), or sigwaitinfo(2) for ever. It returns the signal's number, and fills a
	//> siginfo_t: si_fd, si_code. Put what came into `upcalls`, with `upcall_count` 1. EAGAIN (the
	//> time is over) and EINTR (a signal that is none of ours) are no errors, and bring nothing.
	//+ (void)timeout_ns;
	//+ e->upcall_count = 0;
	//+ return -ENOSYS;
	struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
	siginfo_t info;
	sigset_t ours;
	sigemptyset(&ours);
	sigaddset(&ours, e->signal);
	sigaddset(&ours, SIGIO);
	e->upcall_count = 0;
	int signal = sigtimedwait(&ours, &info, timeout_ns < 0 ? NULL : &timeout);
	if (signal < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	e->upcalls[e->upcall_count++] = (struct upcall) { signal, info.si_fd, info.si_code };
	return 0;
	//< 1
}

static const struct way by_sigtimedwait = { .take = take_by_sigtimedwait };

/* Takes what `signal_fd` has, without waiting. Returns 0 or -errno. */
static int read_signal_fd(struct engine *e)
{
	//> 6 One read(2) fills an array: as many struct signalfd_siginfo as there are, and as fit. Their
	//> fields are called ssi_signo, ssi_fd and ssi_code. Nothing there (EAGAIN) is no error, and
	//> EINTR is none.
	//+ (void)e;
	//+ return -ENOSYS;
	struct signalfd_siginfo infos[UPCALLS_MAX];
	ssize_t n = read(e->signal_fd, infos, sizeof infos);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (size_t i = 0; i < (size_t)n / sizeof *infos; i++)
		e->upcalls[e->upcall_count++] =
			(struct upcall) { (int)infos[i].ssi_signo, infos[i].ssi_fd,
					  infos[i].ssi_code };
	return 0;
	//< 6
}

static int take_by_signalfd(struct engine *e, int64_t timeout_ns)
{
	//> 6 Sleep in ppoll(2) until `signal_fd` is readable or the time is over, then
	//> read_signal_fd(). A read that sleeps would know no time limit.
	//+ (void)timeout_ns;
	//+ e->upcall_count = 0;
	//+ return read_signal_fd(e);
	struct pollfd asked = { .fd = e->signal_fd, .events = POLLIN };
	struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
	e->upcall_count = 0;
	int ready = ppoll(&asked, 1, timeout_ns < 0 ? NULL : &timeout, NULL);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	return ready > 0 ? read_signal_fd(e) : 0;
	//< 6
}

static const struct way by_signalfd = { .reads_its_own = true,
					.reads_sigio = true,
					.take = take_by_signalfd };

/* The engine that lets itself be interrupted right now; NULL at all other times. */
static _Thread_local struct engine *volatile interrupted;

/*
 * The kernel calls this between any two instructions, so it may call only what signal-safety(7) lists:
 * it takes a note in memory that nobody else uses at this moment, and no more.
 */
static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	//> 7 Put what came into `upcalls` of the engine that is `interrupted`, if there is one and it
	//> has room. Nothing else: no printf, no malloc, no lock, and no call that changes errno.
	//+ (void)number;
	//+ (void)info;
	//+ (void)interrupted;
	struct engine *e = interrupted;
	if (e && e->upcall_count < UPCALLS_MAX)
		e->upcalls[e->upcall_count++] =
			(struct upcall) { number, info->si_fd, info->si_code };
	//< 7
}

static int take_by_handler(struct engine *e, int64_t timeout_ns)
{
	//> 7 The signal is blocked until now. ppoll(2) unblocks it and begins to sleep in one step, with
	//> the mask that it is given: the thread's own (pthread_sigmask(3) tells) without the engine's
	//> signal. In two steps a signal between them would find nobody asleep. When ppoll returns,
	//> on_signal() has run, and errno is EINTR. SIGIO stays blocked: `signal_fd` is for it here, and
	//> ppoll watches it.
	//+ (void)timeout_ns;
	//+ e->upcall_count = 0;
	//+ return -ENOSYS;
	struct pollfd asked = { .fd = e->signal_fd, .events = POLLIN };
	struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
	sigset_t mask;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	sigdelset(&mask, e->signal);
	e->upcall_count = 0;
	interrupted = e;
	int ready = ppoll(&asked, 1, timeout_ns < 0 ? NULL : &timeout, &mask);
	interrupted = NULL;
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	return ready > 0 ? read_signal_fd(e) : 0;
	//< 7
}

static const struct way by_handler = { .reads_sigio = true, .take = take_by_handler };

enum { OPTION_SIGNALFD = 1 << 0, OPTION_HANDLER = 1 << 1 };

/* What the engine is asked before a run: can it be done? */

static bool is_unused(const struct sigaction *action)
{
	return action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN;
}

/* Makes a descriptor of the kind; `other` is its other end, or -1. Returns 0 or -errno. */
static int make_a_sample(enum io_fd_kind fd_kind, int *fd, int *other)
{
	int ends[2] = { -1, -1 }, rc;
	if (fd_kind == IO_FD_FILE)
		rc = ends[0] = memfd_create("iolab", MFD_CLOEXEC);
	else if (fd_kind == IO_FD_PIPE)
		rc = pipe2(ends, O_CLOEXEC);
	else
		rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	*fd = ends[0];
	*other = ends[1];
	return rc < 0 ? -errno : 0;
}

static int signal_supports(const struct engine_config *config, enum io_kind kind,
			   enum io_fd_kind fd_kind, struct reason *why)
{
	if ((config->options & OPTION_SIGNALFD) && (config->options & OPTION_HANDLER)) {
		reason_set(why, "ways_conflict",
			   "signalfd and handler are two answers to the same question; choose one");
		return -EINVAL;
	}
	if (kind == IO_NOP) {
		reason_set(why, "noop_has_no_descriptor",
			   "the engine waits for descriptors, and a no-op has none");
		return -EOPNOTSUPP;
	}
	int fd, other;
	int rc = make_a_sample(fd_kind, &fd, &other);
	if (rc < 0)
		return reason_errno(why, "no_sample", rc, "making a descriptor to try O_ASYNC on");
	rc = arm(fd, SIGRTMAX);
	if (rc == -EOPNOTSUPP)
		reason_set(
			why, "o_async_does_not_take",
			"fcntl(F_SETFL, O_ASYNC) succeeds, and F_GETFL shows that it did not take: the "
			"kernel sends no signals for this kind of descriptor");
	else if (rc < 0)
		reason_errno(why, "o_async_fails", rc, "fcntl, for O_ASYNC");
	close(fd);
	if (other >= 0)
		close(other);
	return rc;
}

/* Opening and closing. */

/*
 * Looks for a real-time signal that nobody handles, from the last one down, and marks it as used: with
 * an action. Returns false when there is none. Two threads may ask at the same moment.
 */
static bool claim_signal(struct engine *e)
{
	struct sigaction ours = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	for (int signal = SIGRTMAX; signal >= SIGRTMIN; signal--) {
		struct sigaction *before = &e->action_before;
		if (sigaction(signal, NULL, before) < 0 || !is_unused(before))
			continue;
		e->signal = signal;
		sigaction(signal, &ours, before);
		if (is_unused(before))
			return true;
		sigaction(signal, before, NULL); /* another thread was faster */
	}
	e->signal = 0;
	return false;
}

/* From now on the engine's signal and SIGIO wait in the queue, and interrupt nobody. */
static void block_signals(struct engine *e)
{
	sigset_t ours, before;
	sigemptyset(&ours);
	sigaddset(&ours, e->signal);
	sigaddset(&ours, SIGIO);
	pthread_sigmask(SIG_BLOCK, &ours, &before);
	e->blocked_before = sigismember(&before, e->signal);
	if (of_this_thread.engines++ == 0)
		of_this_thread.sigio_blocked_before = sigismember(&before, SIGIO);
}

/* Nothing is armed any more. Leaves no signal behind that would find nobody who knows it. */
static void give_signals_back(struct engine *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t ours;
	sigemptyset(&ours);
	if (!e->blocked_before)
		sigaddset(&ours, e->signal);
	/* To ignore a signal throws away those that are in the queue. */
	sigaction(e->signal, &ignore, NULL);
	sigaction(e->signal, &e->action_before, NULL);
	if (--of_this_thread.engines == 0 && !of_this_thread.sigio_blocked_before) {
		sigset_t sigio;
		sigemptyset(&sigio);
		sigaddset(&sigio, SIGIO);
		sigaddset(&ours, SIGIO);
		sigtimedwait(&sigio, NULL, &(struct timespec) { 0 });
	}
	pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}

static int open_signal_fd(struct engine *e)
{
	sigset_t read_here;
	sigemptyset(&read_here);
	if (e->way->reads_its_own)
		sigaddset(&read_here, e->signal);
	if (e->way->reads_sigio)
		sigaddset(&read_here, SIGIO);
	if (!e->way->reads_its_own && !e->way->reads_sigio)
		return 0;
	e->signal_fd = signalfd(-1, &read_here, SFD_CLOEXEC | SFD_NONBLOCK);
	return e->signal_fd < 0 ? -errno : 0;
}

static void signal_close(struct engine *e)
{
	for (unsigned i = 0; e->watched && i < e->watched_count; i++)
		if (e->watched[i].attached)
			disarm(e->watched[i].fd);
	if (e->signal)
		give_signals_back(e);
	if (e->signal_fd >= 0)
		close(e->signal_fd);
	lent_buffers_close(&e->lent);
	free(e->watched);
	free(e->asked);
	free(e->buckets);
	free(e);
}

static bool allocate(struct engine *e, const struct engine_config *config)
{
	unsigned buckets = 1;
	while (buckets < config->max_fds)
		buckets *= 2;
	e->bucket_mask = buckets - 1;
	e->watched_count = config->max_fds;
	e->watched = calloc(config->max_fds, sizeof *e->watched);
	e->asked = malloc(config->max_fds * sizeof *e->asked);
	e->buckets = calloc(buckets, sizeof *e->buckets);
	return lent_buffers_open(&e->lent, config) && e->watched && e->asked && e->buckets;
}

static int signal_open(struct engine **engine, const struct engine_config *config,
		       struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the signal engine");
	int rc = 0;
	op_queue_init(&e->finished);
	e->signal_fd = -1;
	e->overflows_seen = of_this_thread.overflows;
	e->way = &by_sigtimedwait;
	if (config->options & OPTION_SIGNALFD)
		e->way = &by_signalfd;
	if (config->options & OPTION_HANDLER)
		e->way = &by_handler;
	if (!allocate(e, config)) {
		rc = reason_no_memory(why, "the signal engine");
	} else if (!claim_signal(e)) {
		reason_set(why, "no_free_signal", "every real-time signal has a handler already");
		rc = -EAGAIN;
	} else {
		block_signals(e);
		rc = open_signal_fd(e);
		if (rc < 0)
			reason_errno(why, "no_signalfd", rc, "signalfd");
	}
	if (rc < 0)
		signal_close(e);
	else
		*engine = e;
	return rc;
}

/* Descriptors come and go. */

/* Has this engine switched O_ASYNC on, for another descriptor of the open file? */
static bool is_armed_here(const struct engine *e, int fd)
{
	struct f_owner_ex owner;
	return fcntl(fd, F_GETSIG) == e->signal && fcntl(fd, F_GETOWN_EX, &owner) == 0 &&
	       owner.type == F_OWNER_TID && owner.pid == gettid();
}

/*
 * Joins the ring of those that share the open file of `w`, where O_ASYNC was just switched off: it is off
 * for all of them, and on for all others. (To compare inodes would not do: the two ends of a pipe have
 * one, and so has a FIFO that was opened twice.)
 */
static void join_twins(struct engine *e, struct watched *w)
{
	for (unsigned i = 0; i < e->watched_count; i++) {
		struct watched *other = &e->watched[i];
		if (other == w || !other->attached || other->is_deaf)
			continue;
		int flags = fcntl(other->fd, F_GETFL);
		if (flags >= 0 && (flags & O_ASYNC))
			continue;
		w->twin = other->twin;
		other->twin = w;
		return;
	}
}

static void leave_twins(struct watched *w)
{
	struct watched *before = w;
	while (before->twin != w)
		before = before->twin;
	before->twin = w->twin;
	w->twin = w;
}

/* For a moment `w` and its twins were not armed. */
static void look_again(struct engine *e, struct watched *w)
{
	struct watched *twin = w;
	do {
		twin->news = MANY_OR_UNKNOWN;
		look(e, twin, POLL_HUP);
		twin = twin->twin;
	} while (twin != w);
}

/*
 * `w` and its twins are deaf now, or would be called by a number that is about to be closed: arms their open
 * file by the number of `w`. Returns 0, or -errno after what waits on them has ended with it.
 */
static int arm_again(struct engine *e, struct watched *w)
{
	//> 4 arm() it. If that fails, what waits on any of them ends with the error (end_both()), and each
	//> `is_deaf`. look_again() at all, since the open file was not armed for a moment: after arm(), or
	//> what comes between the two is lost.
	//+ (void)end_both;
	//+ look_again(e, w);
	//+ return 0;
	int rc = arm(w->fd, e->signal);
	struct watched *twin = w;
	do {
		twin->is_deaf = rc < 0;
		if (rc < 0)
			end_both(e, twin, rc);
		twin = twin->twin;
	} while (twin != w);
	look_again(e, w);
	return rc;
	//< 4
}

/*
 * Arms what is about to be attached. Where a twin has switched O_ASYNC on, it is switched off before: that
 * shows who the twins are. Returns 0 or -errno.
 */
static int arm_with_twins(struct engine *e, struct watched *w, int flags)
{
	bool is_armed = flags & O_ASYNC;
	if (is_armed && fcntl(w->fd, F_SETFL, flags & ~O_ASYNC) < 0)
		return -errno;
	if (is_armed)
		join_twins(e, w);
	int rc = arm(w->fd, e->signal);
	struct watched *twin = w->twin;
	if (rc < 0) {
		leave_twins(w);
		disarm(w->fd);
		if (twin != w)
			arm_again(e, twin);
	} else if (is_armed) {
		look_again(e, w);
	}
	return rc;
}

static int signal_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			 struct reason *why)
{
	struct watched *w = &e->watched[fd_slot];
	*w = (struct watched) { .fd = fd, .is_pipe = fd_kind == IO_FD_PIPE, .twin = w };
	//> 2 What is there already makes no signal: it is unknown.
	w->news = MANY_OR_UNKNOWN;
	//< 2
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return reason_errno(why, "not_armed", errno, "fcntl, for O_ASYNC");
	if ((flags & O_ASYNC) && !is_armed_here(e, fd)) {
		return reason_errno(why, "armed_for_another", EBUSY,
				    "O_ASYNC is set already, and not by this engine");
	}
	int rc = arm_with_twins(e, w, flags);
	if (rc < 0)
		return reason_errno(why, "not_armed", rc, "fcntl, for O_ASYNC");
	w->attached = true;
	note_number(e, w);
	return 0;
}

static void signal_detach(struct engine *e, unsigned fd_slot)
{
	struct watched *w = &e->watched[fd_slot], *twin = w->twin;
	if (!w->attached)
		return;
	w->attached = false;
	forget_number(e, w);
	disarm(w->fd);
	//> 4 If it has twins, it leaves their ring, and they are armed again, by one of their numbers.
	//+ (void)twin;
	if (twin == w)
		return;
	leave_twins(w);
	arm_again(e, twin);
	//< 4
}

/* The loop: operations begin, signals come, operations end. */

static void begin_receive(struct engine *e, struct watched *w, struct io_op *op)
{
	w->receiver = op;
	//> 2 If there may be something, try now: its signal came when nobody waited, or never came.
	//+ (void)e;
	if (w->news != NO_NEWS)
		try_receive(e, w);
	//< 2
}

/* A send mostly fits into the socket's buffer, so it is tried before it waits. A connect begins so. */
static void begin_send(struct engine *e, struct watched *w, struct io_op *op)
{
	w->sender = op;
	try_send(e, w);
}

static int signal_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct watched *w = &e->watched[ops[i]->fd_slot];
		int rc = w->is_deaf ? arm_again(e, w) : 0;
		if (rc < 0)
			op_queue_finish(&e->finished, ops[i], rc);
		else if (io_kind_is_input(ops[i]->kind))
			begin_receive(e, w, ops[i]);
		else
			begin_send(e, w, ops[i]);
	}
	return (int)count;
}

static int signal_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		       int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(min > 0 ? timeout_ns : 0);
	while (e->finished.count == 0 || e->finished.count < min) {
		bool overflown = e->overflows_seen != of_this_thread.overflows;
		int rc = overflown ? recover(e) : e->way->take(e, deadline_left_ns(deadline));
		if (rc < 0)
			return rc;
		if (!overflown && e->upcall_count == 0)
			break; /* the time is over, or another signal came */
		for (unsigned i = 0; !overflown && i < e->upcall_count; i++)
			heed(e, e->upcalls[i]);
	}
	return (int)op_queue_take(&e->finished, done, max);
}

static void signal_give_back(struct engine *e, void *buf)
{
	lent_buffers_give_back(&e->lent, buf);
}

static void signal_cancel_one(struct engine *e, struct io_op *op)
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

static void signal_cancel(struct engine *e)
{
	for (unsigned i = 0; i < e->watched_count; i++)
		end_both(e, &e->watched[i], -ECANCELED);
}

static const struct engine_option options[] = {
	{ "signalfd", "signals are read from a descriptor, many at once" },
	{ "handler", "signals call a function on the thread's stack" },
	{ NULL, NULL },
};

static const struct engine_ops signal_engine = {
	.name = IO_ENGINE_NAME("signal"),
	.summary = "the kernel sends a signal when a descriptor has news (O_ASYNC)",
	.lab = IO_ENGINE_LAB,
	.options = options,
	.traits = IO_WAITS_FOR_READINESS | IO_TRIES_CONNECTIONS,
	.supports = signal_supports,
	.open = signal_open,
	.attach = signal_attach,
	.detach = signal_detach,
	.submit = signal_submit,
	.reap = signal_reap,
	.give_back = signal_give_back,
	.cancel_one = signal_cancel_one,
	.cancel = signal_cancel,
	.close = signal_close,
};

IO_ENGINE(signal_engine);
