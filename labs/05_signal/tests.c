/* SPDX-License-Identifier: MIT */
/* Lab 05: what an engine on signals must do, and by which system calls. */
#include "lab_test.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "failing_calls.h"
#include "stream_test.h"

/* The interface, as words for allowed_calls and calls_made(). */
#define MOVING                                                                                     \
	"recvfrom recvmsg read readv accept accept4 sendto sendmsg write writev connect poll ppoll "
#define TAKING	 "rt_sigtimedwait "
#define CHANGING "rt_sigaction "
#define READING	 "ppoll poll pselect6 read readv rt_sigtimedwait "
#define BEING_INTERRUPTED                                                                          \
	"ppoll pselect6 rt_sigsuspend rt_sigprocmask rt_sigreturn rt_sigtimedwait "
#define RECEIVES "recvfrom recvmsg "
#define SENDS	 "sendto sendmsg "

/* What happens between two calls of the engine, each once. The engine's calls come here first. */
static struct {
	bool steals; /* somebody else handles the signal, just before the engine does */
	int stolen; /* which one it was; 0: none */
	int peer_fd; /* it speaks just before O_ASYNC is switched on; -1: it does not */
} meanwhile = { .peer_fd = -1 };

/* The library's function of that name. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* While it is set nothing may sleep. Then the function that may have done so. */
static bool only_looks;
static const char *may_have_slept;

int poll(struct pollfd *asked, nfds_t count, int timeout_ms)
{
	if (only_looks && timeout_ms != 0)
		may_have_slept = "poll()";
	return REAL(poll)(asked, count, timeout_ms);
}

static bool is_none(const struct timespec *timeout)
{
	return timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
}

int ppoll(struct pollfd *asked, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	if (only_looks && !is_none(timeout))
		may_have_slept = "ppoll()";
	return REAL(ppoll)(asked, count, timeout, mask);
}

int sigtimedwait(const sigset_t *wanted, siginfo_t *info, const struct timespec *timeout)
{
	if (only_looks && !is_none(timeout))
		may_have_slept = "sigtimedwait()";
	return REAL(sigtimedwait)(wanted, info, timeout);
}

static void somebody_elses(int signal_number)
{
	(void)signal_number;
}

/* A descriptor that another program would inherit, or a signal that has a handler already: who made or changed it. */
static int signal_of_another;
static const char *broke_in;

int memfd_create(const char *name, unsigned flags)
{
	if (!(flags & MFD_CLOEXEC))
		broke_in = "memfd_create()";
	return REAL(memfd_create)(name, flags);
}

int pipe2(int both[2], int flags)
{
	if (!(flags & O_CLOEXEC))
		broke_in = "pipe2()";
	return REAL(pipe2)(both, flags);
}

int socketpair(int domain, int type, int protocol, int both[2])
{
	if (!(type & SOCK_CLOEXEC))
		broke_in = "socketpair()";
	return REAL(socketpair)(domain, type, protocol, both);
}

int sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
	if (action && number == signal_of_another)
		broke_in = "sigaction()";
	if (meanwhile.steals && action && number >= SIGRTMIN) {
		struct sigaction another = { .sa_handler = somebody_elses };
		meanwhile.steals = false;
		meanwhile.stolen = number;
		REAL(sigaction)(number, &another, NULL);
	}
	return REAL(sigaction)(number, action, before);
}

static unsigned gettid_calls;

pid_t gettid(void)
{
	gettid_calls++;
	return REAL(gettid)();
}

/* Its third argument is a pointer, a number or nothing. */
int fcntl(int fd, int command, ...)
{
	va_list rest;
	va_start(rest, command);
	void *argument = va_arg(rest, void *);
	va_end(rest);
	int peer_fd = meanwhile.peer_fd;
	if (peer_fd >= 0 && command == F_SETFL && ((intptr_t)argument & O_ASYNC)) {
		meanwhile.peer_fd = -1;
		write_message(peer_fd, 1, 20);
	}
	return REAL(fcntl)(fd, command, argument);
}

/* Exercise 1: a receive waits, and a signal comes. */

/* Two dups of one socket are both ready; the first receive takes all, the second finds nothing. */
static void false_alarm_goes_on_waiting(struct subject *s)
{
	int ends[2];
	struct io_op *done[2];
	make_pair(s, ends);
	int twin = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	open_engine(s, 2, 2);
	attach(s, 0, ends[0]);
	attach(s, 1, twin);
	start(s, prepare_receive(s, 0, ends[0], 0));
	start(s, prepare_receive(s, 1, twin, 1));
	write_message(ends[1], 1, 20);
	unsigned n = reap(s, done, 1, 2, PATIENCE_NS);
	expect(n == 1, EXPECTED("one of two receives to find the only message") SAW("%u come back"),
	       n);
	expect_message(s, done[0], 1, 20);
	struct io_op *left = &s->op[!done[0]->slot];
	n = reap(s, done, 1, 2, A_MOMENT_NS);
	expect(n == 0, EXPECTED("the other receive to go on waiting") SAW("it end with %s"),
	       answer(left->result));
	/* Its false alarm must not have made it deaf. */
	write_message(ends[1], 2, 30);
	await(s, left);
	expect_message(s, left, 2, 30);
	close_engine(s);
	close(twin);
	close(ends[0]);
	close(ends[1]);
}

/* Half a millisecond is a wait, too. */
static void keeps_short_timeouts(struct subject *s)
{
	const int64_t timeout_ns = 400 * NS_PER_US;
	int ends[2];
	struct io_op *done[1];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
	for (unsigned round = 0; round < 20; round++) {
		uint64_t before_ns = clock_ns();
		unsigned n = reap(s, done, 1, 1, timeout_ns);
		int64_t waited_ns = (int64_t)(clock_ns() - before_ns);
		expect(n == 0, "a receive completed with nothing there");
		expect(waited_ns >= timeout_ns - 10 * NS_PER_US,
		       EXPECTED("reap() to wait 400 us")
			       SAW("it back after %lld us: a timeout in milliseconds must "
				   "be rounded up"),
		       (long long)(waited_ns / NS_PER_US));
	}
	write_message(ends[1], 1, 10);
	await(s, &s->op[0]);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

static void waits_for_as_many_as_asked(struct subject *s)
{
	int ends[4][2];
	struct io_op *done[4];
	struct speaker speaker = { .pause_ns = 3 * NS_PER_MS, .count = 3 };
	open_engine(s, 4, 4);
	for (unsigned i = 0; i < 4; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
		speaker.fds[i] = ends[i][1];
	}
	/* One after the other; the fourth stays silent. */
	begin_speaking(&speaker);
	unsigned n = reap(s, done, 3, 4, PATIENCE_NS);
	pthread_join(speaker.thread, NULL);
	expect(n == 3, EXPECTED("reap() to wait for the 3 that were asked for") SAW("%u"), n);
	n = reap(s, done, 1, 4, A_MOMENT_NS);
	expect(n == 0, "a receive completed with nothing there");
	s->ops->cancel(s->engine);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < 4; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* Two are waited for, and one comes late. Returns how long reap() took. */
static int64_t wait_for_two_of_which_one_comes(struct subject *s, int64_t limit_ns)
{
	struct io_op *done[2];
	struct two two = open_two(s);
	start(s, prepare_receive(s, 0, two.a[0], 0));
	start(s, prepare_receive(s, 1, two.b[0], 1));
	struct speaker speaker = { .pause_ns = limit_ns * 2 / 3, .count = 1, .fds = { two.a[1] } };
	begin_speaking(&speaker);
	uint64_t before_ns = clock_ns();
	reap(s, done, 2, 2, limit_ns);
	int64_t waited_ns = (int64_t)(clock_ns() - before_ns);
	pthread_join(speaker.thread, NULL);
	peer_sends(two.b[1], "!", 1);
	await_all(s);
	close_two(s, &two);
	return waited_ns;
}

/* After the first, what is left of the limit is a third. On a busy machine a longer limit is tried. */
static void what_comes_does_not_prolong_the_wait(struct subject *s)
{
	const int64_t limits_ms[] = { 150, 600, 1500 };
	int64_t waited_ms = 0;
	for (unsigned i = 0; i < sizeof limits_ms / sizeof *limits_ms; i++) {
		waited_ms =
			wait_for_two_of_which_one_comes(s, limits_ms[i] * NS_PER_MS) / NS_PER_MS;
		if (waited_ms < limits_ms[i] * 7 / 5)
			return;
	}
	expect(false, EXPECTED("a wait of %lld ms, in which one of two comes") SAW("%lld ms"),
	       (long long)limits_ms[2], (long long)waited_ms);
}

/* A wait without end is one wait, however long nothing happens: an engine has no heart that beats. */
#define SILENCE_NS (700 * NS_PER_MS)

static void an_endless_wait_is_one_call(struct subject *s)
{
	int ends[2];
	struct io_op *done[1];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
	struct speaker speaker = { .pause_ns = SILENCE_NS, .count = 1, .fds = { ends[1] } };
	begin_speaking(&speaker);
	calls_reset();
	unsigned n = reap(s, done, 1, 1, -1);
	unsigned waits = calls_made(TAKING);
	pthread_join(speaker.thread, NULL);
	expect(n == 1, EXPECTED("the message that came after a long silence") SAW("%u"), n);
	expect(waits == 1, EXPECTED("one wait") SAW("%u in %lld ms in which nothing happened"),
	       waits, (long long)(SILENCE_NS / NS_PER_MS));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* What the kernel knows of an open file's signals. */
struct arming {
	int flags, signal;
	struct f_owner_ex owner;
};

static struct arming arming_of(int fd)
{
	struct arming arming = { .flags = fcntl(fd, F_GETFL), .signal = fcntl(fd, F_GETSIG) };
	fcntl(fd, F_GETOWN_EX, &arming.owner);
	return arming;
}

static void arms_for_its_own_thread(struct subject *s)
{
	struct two two = open_two(s);
	struct arming arming = arming_of(two.a[0]);
	expect(arming.flags & O_ASYNC, EXPECTED("O_ASYNC set while it is attached") SAW("it not"));
	expect(arming.signal >= SIGRTMIN && arming.signal <= SIGRTMAX,
	       EXPECTED("a real-time signal (F_SETSIG): only these are queued and bring a number")
		       SAW("signal %d"),
	       arming.signal);
	expect(arming.owner.type == F_OWNER_TID && arming.owner.pid == gettid(),
	       EXPECTED("the signal sent to this thread, and to no other of the process")
		       SAW("%s %d"),
	       arming.owner.type == F_OWNER_TID	  ? "F_OWNER_TID"
	       : arming.owner.type == F_OWNER_PID ? "the process (F_OWNER_PID)"
						  : "a group (F_OWNER_PGRP)",
	       arming.owner.pid);
	close_two(s, &two);
}

/* How often it asked for its thread's id while it opened and attached. */
static unsigned asks_who_it_is(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	gettid_calls = 0;
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	unsigned calls = gettid_calls;
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
	return calls;
}

/* Between two engines there may be a fork(2). It copies all that was kept, and the child's thread is another one. */
static void asks_for_each_engine_who_it_is(struct subject *s)
{
	unsigned first = asks_who_it_is(s), second = asks_who_it_is(s);
	if (first == 0)
		test_skipped("the engine asks for its thread by other means than gettid()");
	expect(second > 0, WHEN("an engine was open before, perhaps in a parent process") EXPECTED(
				   "the next one to ask which thread it is in") SAW("no gettid()"));
}

#define MESSAGES 20u

/* Calls for MESSAGES messages, while receives wait on `count` connections. */
static unsigned calls_with(struct subject *s, unsigned count)
{
	int(*ends)[2] = calloc(count, sizeof *ends);
	open_engine(s, count, count);
	for (unsigned i = 0; i < count; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	calls_reset();
	for (unsigned m = 0; m < MESSAGES; m++) {
		unsigned speaker = m * 7919 % count;
		write_message(ends[speaker][1], m, 40);
		await(s, &s->op[speaker]);
		expect_message(s, &s->op[speaker], m, 40);
		expect(s->inflight == count - 1, EXPECTED("%u others to wait still") SAW("%u"),
		       count - 1, s->inflight);
		start(s, prepare_receive(s, speaker, ends[speaker][0], speaker));
	}
	unsigned calls = calls_made(NULL);
	expect_one_thread();
	s->ops->cancel(s->engine);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < count; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	free(ends);
	return calls;
}

static void takes_a_signal(struct subject *s)
{
	unsigned calls = calls_with(s, 1), waits = calls_made(TAKING);
	unsigned most = s->flavour == PIPE ? 4 : 3;
	expect(waits >= MESSAGES,
	       EXPECTED("each of %u messages announced by a signal, taken by "
			"sigtimedwait or sigwaitinfo") SAW("%u taken"),
	       MESSAGES, waits);
	expect(calls <= most * MESSAGES,
	       EXPECTED("at most %u system calls a message (wait, receive)")
		       SAW("%u for %u messages"),
	       most, calls, MESSAGES);
}

static void price_does_not_grow(struct subject *s)
{
	raise_fd_limit(CONNECTIONS_MANY);
	unsigned calls = calls_with(s, 1), calls_many = calls_with(s, CONNECTIONS_MANY);
	expect(calls_many <= calls + 5,
	       EXPECTED("%u connections to cost as many system calls as one does (%u)") SAW("%u"),
	       CONNECTIONS_MANY, calls, calls_many);
}

/* It knows by the number whom a signal is about: it receives there, and nowhere else. */
static void looks_only_where_something_happened(struct subject *s)
{
	struct two two = open_two(s);
	struct io_op *done[2];
	start(s, prepare_receive(s, 0, two.a[0], 0));
	start(s, prepare_receive(s, 1, two.b[0], 1));
	reap(s, done, 0, 2, 0);
	calls_reset();
	for (unsigned m = 0; m < MESSAGES; m++) {
		write_message(two.a[1], m, 40);
		await(s, &s->op[0]);
		expect_message(s, &s->op[0], m, 40);
		start(s, prepare_receive(s, 0, two.a[0], 0));
	}
	unsigned receives = calls_made(RECEIVES);
	expect(receives <= MESSAGES + 2,
	       EXPECTED("one receive a message, where it came (%u messages)") SAW("%u receives"),
	       MESSAGES, receives);
	s->ops->cancel(s->engine);
	await_all(s);
	close_two(s, &two);
}

/* All real-time signals have a handler, but for `free_one`, which is ignored or not; 0: all. */
static void handle_all_signals_but(int free_one, bool is_ignored)
{
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		signal(number, number != free_one ? somebody_elses
			       : is_ignored	  ? SIG_IGN
						  : SIG_DFL);
}

static void expect_handler(int number, void (*handler)(int))
{
	struct sigaction now;
	sigaction(number, NULL, &now);
	expect(now.sa_handler == handler,
	       WHEN("after close()") EXPECTED("what signal %d did before") SAW("another handler"),
	       number);
}

static void takes_the_signal_that_is_free(struct subject *s)
{
	for (unsigned round = 0; round < 4; round++) {
		int free_one = round % 2 ? SIGRTMIN : SIGRTMAX;
		bool is_ignored = round / 2;
		handle_all_signals_but(free_one, is_ignored);
		struct two two = open_two(s);
		int signal = arming_of(two.a[0]).signal;
		expect(signal == free_one, EXPECTED("signal %d, which nobody handles") SAW("%d"),
		       free_one, signal);
		start(s, prepare_receive(s, 0, two.a[0], 0));
		write_message(two.a[1], round, 20);
		await(s, &s->op[0]);
		expect_message(s, &s->op[0], round, 20);
		close_two(s, &two);
		for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
			expect_handler(number, number != free_one ? somebody_elses
					       : is_ignored	  ? SIG_IGN
								  : SIG_DFL);
	}
}

static void takes_no_signal_of_anybody(struct subject *s)
{
	sigset_t before, after;
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	struct holdings held = holdings_now();
	for (unsigned is_faster = 0; is_faster < 2; is_faster++) {
		struct reason why = { "" };
		struct engine *engine;
		struct engine_config config = {
			.depth = 1, .max_fds = 1, .cpu_count = 1, .options = s->options
		};
		handle_all_signals_but(is_faster ? SIGRTMAX : 0, false);
		meanwhile.steals = is_faster; /* then somebody takes the last one */
		int rc = s->ops->open(&engine, &config, &why);
		expect(rc < 0 && why.text[0],
		       WHEN("all real-time signals have a handler")
			       EXPECTED("-errno from open(), and why") SAW("%s"),
		       answer(rc));
		for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
			expect_handler(number, somebody_elses);
	}
	expect_nothing_left_since(&held);
	handle_all_signals_but(SIGRTMIN, false);
	open_engine(s, 1, 1); /* and it begins from nothing */
	close_engine(s);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	expect(sigismember(&after, SIGIO) == sigismember(&before, SIGIO),
	       WHEN("after close()") EXPECTED("SIGIO not blocked") SAW("it blocked"));
}

/* Between the look and the claim another thread was faster. */
static void gives_back_what_another_claimed(struct subject *s)
{
	meanwhile.steals = true;
	struct two two = open_two(s);
	int signal = arming_of(two.a[0]).signal, stolen = meanwhile.stolen;
	expect(stolen != 0, EXPECTED("the engine to handle a signal") SAW("none"));
	expect(signal != stolen,
	       EXPECTED("another signal than %d, which somebody handles") SAW("the same"), stolen);
	expect_handler(stolen, somebody_elses);
	close_two(s, &two);
	expect_handler(stolen, somebody_elses);
}

/* A signal that no descriptor has sent: the number in it means nothing. */
static void ignores_what_no_descriptor_sent(struct subject *s)
{
	struct two two = open_two(s);
	struct io_op *done[2];
	int signal = arming_of(two.a[0]).signal;
	start(s, prepare_receive(s, 0, two.a[0], 0));
	reap(s, done, 0, 2, 0);
	calls_reset();
	note("test     sends signal %d to this thread", signal);
	pthread_sigqueue(pthread_self(), signal, (union sigval) { .sival_int = two.a[0] });
	unsigned n = reap(s, done, 1, 2, A_MOMENT_NS);
	expect(n == 0, "a receive completed with nothing there");
	write_message(two.a[1], 1, 30);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 30);
	close_two(s, &two);
}

/* SIGIO comes in place of lost signals, so whoever waits for the engine's signal must wait for it, too. */
static void takes_sigio_too(struct subject *s)
{
	struct two two = open_two(s);
	struct io_op *done[1];
	sigset_t waiting;
	start(s, prepare_receive(s, 0, two.a[0], 0));
	note("test     sends SIGIO to this thread");
	pthread_kill(pthread_self(), SIGIO);
	unsigned n = reap(s, done, 1, 1, A_MOMENT_NS);
	expect(n == 0, "a receive completed with nothing there");
	sigpending(&waiting);
	expect(!sigismember(&waiting, SIGIO),
	       EXPECTED("reap() to take SIGIO: it is in the set of those that are waited for")
		       SAW("it left in the queue"));
	write_message(two.a[1], 1, 30);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 30);
	close_two(s, &two);
}

/* Files. */

static void expect_refused(struct subject *s, int fd, enum io_fd_kind fd_kind, const char *what)
{
	struct reason why = { "" };
	int rc = s->ops->attach(s->engine, 0, fd, fd_kind, &why);
	expect(rc == -EOPNOTSUPP, EXPECTED("attach() of %s to give -EOPNOTSUPP") SAW("%s"), what,
	       answer(rc));
	expect(why.text[0], EXPECTED("the reason in words") SAW("none"));
}

static void what_sends_no_signal_is_refused(struct subject *s)
{
	struct reason why = { "" };
	struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	int file = make_file(s, 4096, O_RDWR);
	for (unsigned i = 0; i < 100; i++) { /* and no descriptor stays open */
		why.text[0] = '\0';
		int rc = s->ops->supports(&config, i % 2 ? IO_READ : IO_WRITE, IO_FD_FILE, &why);
		expect(rc == -EOPNOTSUPP,
		       EXPECTED("supports() of a file to give -EOPNOTSUPP") SAW("%s"), answer(rc));
		expect(why.text[0], EXPECTED("the reason in words") SAW("none"));
	}
	open_engine(s, 1, 1);
	expect_refused(s, file, IO_FD_FILE, "a file");
	/* The kernel is asked, and not a list by heart. */
	int event_fd = eventfd(0, EFD_CLOEXEC);
	expect_refused(s, event_fd, IO_FD_PIPE, "an eventfd");

	/* The slot is free as before. */
	int ends[2];
	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	int rc = s->ops->attach(s->engine, 0, ends[0], IO_FD_SOCKET, &why);
	expect(rc == 0, WHEN("after a refused file") EXPECTED("attach() to succeed") SAW("%s"),
	       answer(rc));
	start(s, prepare(s, 0, IO_RECV, ends[0], 0, IO_NO_OFFSET, BUFFER_BYTES));
	write_message(ends[1], 1, 50);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 50);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
	close(event_fd);
	close(file);
}

static void expect_answer(struct subject *s, enum io_kind kind, enum io_fd_kind fd_kind,
			  int expected)
{
	struct reason why = { "" };
	struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	int rc = s->ops->supports(&config, kind, fd_kind, &why);
	expect(rc == expected, EXPECTED("%s from supports() for %s") SAW("%s: %s"),
	       answer(expected), kind_name(kind), answer(rc), why.text);
	expect(rc == 0 || why.text[0], EXPECTED("the reason in words") SAW("none"));
}

static void says_what_it_can_do(struct subject *s)
{
	expect_answer(s, IO_RECV, IO_FD_SOCKET, 0);
	expect_answer(s, IO_SEND, IO_FD_SOCKET, 0);
	expect_answer(s, IO_ACCEPT, IO_FD_LISTENER, 0);
	expect_answer(s, IO_CONNECT, IO_FD_SOCKET, 0);
	expect_answer(s, IO_READ, IO_FD_PIPE, 0);
	expect_answer(s, IO_WRITE, IO_FD_PIPE, 0);
	expect_answer(s, IO_READ, IO_FD_FILE, -EOPNOTSUPP);
	expect_answer(s, IO_FSYNC, IO_FD_FILE, -EOPNOTSUPP);
	expect_answer(s, IO_NOP, IO_FD_NONE, -EOPNOTSUPP);
}

static void what_it_tries_is_not_inherited(struct subject *s)
{
	broke_in = NULL;
	says_what_it_can_do(s);
	expect(!broke_in,
	       WHEN("in supports(), by %s") EXPECTED("O_CLOEXEC from the start") SAW("none"),
	       broke_in);
}

static void a_signal_of_another_is_not_touched(struct subject *s)
{
	int ends[2];
	struct sigaction theirs = { .sa_handler = somebody_elses };
	sigaction(SIGRTMAX, &theirs, NULL);
	make_reading_pair(s, ends);
	broke_in = NULL;
	signal_of_another = SIGRTMAX;
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	write_message(ends[1], 1, 20);
	struct io_op *op = prepare_receive(s, 0, ends[0], 0);
	start(s, op);
	await(s, op);
	expect_message(s, op, 1, 20);
	close_engine(s);
	expect(!broke_in,
	       WHEN("with a handler of the program for SIGRTMAX")
		       EXPECTED("that it stays all the time") SAW("%s, for it"),
	       broke_in);
	close(ends[0]);
	close(ends[1]);
}

static void refuses_both_ways(struct subject *s)
{
	expect_answer(s, IO_RECV, IO_FD_SOCKET, -EINVAL);
	expect_answer(s, IO_READ, IO_FD_PIPE, -EINVAL);
}

/* Exercise 2: what no signal tells. */

/* Bytes that were there before O_ASYNC was. */
static void sees_earlier_bytes(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	write_message(ends[1], 1, 50);
	if (s->flavour != PIPE)
		wait_for_bytes(ends[0], 50);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	perform(s, prepare_receive(s, 0, ends[0], 0));
	expect_message(s, &s->op[0], 1, 50);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The signal is taken while nobody waits. It does not come again. */
static void remembers_news(struct subject *s)
{
	struct two two = open_two(s);
	start(s, prepare_receive(s, 0, two.a[0], 0));
	write_message(two.a[1], 9, 50);
	await(s, &s->op[0]); /* now it knows that nothing is there */
	for (unsigned round = 0; round < 5; round++) {
		struct io_op *done[1];
		write_message(two.a[1], round, 50);
		if (s->flavour != PIPE)
			wait_for_bytes(two.a[0], 50);
		expect(reap(s, done, 0, 1, 0) == 0, "something completed that was not in flight");
		perform(s, prepare_receive(s, 0, two.a[0], 0));
		expect_message(s, &s->op[0], round, 50);
	}
	close_two(s, &two);
}

/* Two signals, taken while nobody waits: bytes, and the end behind them. */
static void sees_the_end_behind_bytes(struct subject *s)
{
	for (unsigned round = 0; round < 3; round++) {
		int ends[2];
		struct io_op *done[1];
		make_pair(s, ends);
		open_engine(s, 2, 1);
		attach(s, 0, ends[0]);
		if (round > 0) { /* the engine has found it empty before */
			start(s, prepare_receive(s, 0, ends[0], 0));
			write_message(ends[1], 7, 50);
			await(s, &s->op[0]);
		}
		if (round == 1)
			start(s, prepare_receive(s, 0, ends[0], 0));
		write_message(ends[1], round, 50);
		note("peer     will send no more, and still reads (shutdown)");
		shutdown(ends[1], SHUT_WR);
		wait_for_bytes(ends[0], 50);
		while (round == 2 && reap(s, done, 0, 1, 0) > 0)
			;
		if (round == 1)
			await(s, &s->op[0]);
		else
			perform(s, prepare_receive(s, 0, ends[0], 0));
		expect_message(s, &s->op[0], round, 50);
		for (unsigned i = 0; i < 2; i++) {
			int64_t n = perform(s, prepare_receive(s, 0, ends[0], 0));
			expect(n == 0, EXPECTED("0 at the end") SAW("%s"), answer(n));
		}
		close_engine(s);
		close(ends[0]);
		close(ends[1]);
	}
}

/* One signal came for the 50 bytes, and a receive takes 20 of them at a time. */
static void takes_the_rest_without_a_signal(struct subject *s)
{
	struct two two = open_two(s);
	for (unsigned round = 0; round < 2; round++) {
		struct io_op *op = prepare_receive(s, 0, two.a[0], 0);
		op->len_bytes = 20;
		start(s, op);
		write_message(two.a[1], round, 50);
		await(s, op);
		expect_message(s, op, round, 20);
		for (unsigned taken = 20; taken < 50;) {
			op = prepare_receive(s, 0, two.a[0], 0);
			op->len_bytes = 20;
			int64_t n = perform(s, op);
			expect(n > 0 && n <= 20, EXPECTED("the rest of the message") SAW("%s"),
			       answer(n));
			taken += (unsigned)n;
		}
	}
	close_two(s, &two);
}

/* A receive that failed has drained nothing. */
static void an_error_drains_nothing(struct subject *s)
{
	struct two two = open_two(s);
	start(s, prepare_receive(s, 0, two.a[0], 0));
	write_message(two.a[1], 1, 30);
	fail_call(RECEIVES "read readv", ENOMEM, 0);
	await(s, &s->op[0]);
	expect(call_failed(), "no receive was made");
	expect(s->op[0].result == -ENOMEM, EXPECTED("-ENOMEM") SAW("%s"), answer(s->op[0].result));
	perform(s, prepare_receive(s, 1, two.a[0], 0));
	expect_message(s, &s->op[1], 1, 30);
	close_two(s, &two);
}

/* A message costs one signal and one receive: it does not ask whether more is there. */
static void a_message_is_two_calls(struct subject *s)
{
	struct two two = open_two(s);
	start(s, prepare_receive(s, 0, two.a[0], 0));
	write_message(two.a[1], 0, 40);
	await(s, &s->op[0]); /* what is there at first is unknown */
	calls_reset();
	for (unsigned m = 0; m < MESSAGES; m++) {
		start(s, prepare_receive(s, 0, two.a[0], 0));
		write_message(two.a[1], m, 40);
		await(s, &s->op[0]);
		expect_message(s, &s->op[0], m, 40);
	}
	unsigned calls = calls_made(NULL);
	expect(calls <= 2 * MESSAGES + 5,
	       EXPECTED("two system calls a message (wait, receive)") SAW("%u for %u messages"),
	       calls, MESSAGES);
	close_two(s, &two);
}

static void unwanted_bytes_are_silent(struct subject *s)
{
	struct two two = open_two(s);
	for (unsigned round = 0; round < 2; round++) {
		write_message(two.a[1], round, 50);
		expect_idle(s, 1, two.b, 1, "a connection with bytes that nobody asks for");
		/* Silence is not loss. */
		perform(s, prepare_receive(s, 0, two.a[0], 0));
		expect_message(s, &s->op[0], round, 50);
	}
	close_two(s, &two);
}

static void hang_up_is_silent(struct subject *s)
{
	struct two two = open_two(s);
	note("peer     closes");
	close(two.a[1]);
	two.a[1] = -1;
	expect_idle(s, 1, two.b, 1, "a connection that its peer has closed");
	int64_t n = perform(s, prepare_receive(s, 0, two.a[0], 0));
	expect(n == 0, EXPECTED("0 at the end") SAW("%s"), answer(n));
	/* Once more with the end seen already. */
	expect_idle(s, 1, two.b, 1, "a connection at its end");
	close_two(s, &two);
}

static void reset_is_silent(struct subject *s)
{
	struct two two = open_two(s);
	struct linger at_once = { .l_onoff = 1 };
	setsockopt(two.a[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	note("peer     resets the connection");
	close(two.a[1]);
	two.a[1] = -1;
	expect_idle(s, 1, two.b, 1, "a connection that its peer has reset");
	int64_t n = perform(s, prepare_receive(s, 0, two.a[0], 0));
	expect(n == -ECONNRESET, EXPECTED("-ECONNRESET") SAW("%s"), answer(n));
	close_two(s, &two);
}

/* Exercise 3: sends, and room for them. */

static void waits_for_room(struct subject *s)
{
	int ends[2];
	struct io_op *done[1];
	make_narrow_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	uint64_t sent = send_until_full(s, 0, ends, 0);
	calls_reset();
	unsigned n = reap(s, done, 1, 1, IDLE_NS);
	unsigned calls = calls_made(NULL);
	expect_one_thread();
	expect(n == 0, "a send completed although its peer has read nothing");
	expect(calls <= IDLE_CALLS_MAX,
	       EXPECTED("at most %d system calls in waiting %lld ms for room") SAW("%u"),
	       IDLE_CALLS_MAX, (long long)(IDLE_NS / NS_PER_MS), calls);
	sent = make_room(s, 0, ends[1], 0, sent);
	/* And once more, so that it has been switched on, off, and on. */
	uint64_t again = send_until_full(s, 0, ends, sent);
	make_room(s, 0, ends[1], sent, again);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

static void a_send_that_fits_is_one_call(struct subject *s)
{
	const unsigned sends = 50;
	int ends[2];
	char seen[64];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	calls_reset();
	for (unsigned i = 0; i < sends; i++) {
		for (unsigned b = 0; b < sizeof seen; b++)
			buffer_of(s, 0)[b] = pattern_byte(i * 1000 + b);
		int64_t n = perform(s, prepare(s, 0, IO_SEND, ends[0], 0, IO_NO_OFFSET, 64));
		expect(n == 64, EXPECTED("64 bytes sent") SAW("%s"), answer(n));
		expect(recv(ends[1], seen, 64, MSG_WAITALL) == 64 &&
			       memcmp(seen, buffer_of(s, 0), 64) == 0,
		       EXPECTED("the bytes that were sent") SAW("others"));
	}
	unsigned calls = calls_made(NULL);
	expect(calls <= 2 * sends, EXPECTED("one system call a send") SAW("%u for %u sends"), calls,
	       sends);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

static void a_peer_that_leaves_ends_a_send(struct subject *s)
{
	int ends[2];
	if (s->flavour == PIPE) {
		/* write(2) has no MSG_NOSIGNAL. */
		signal(SIGPIPE, SIG_IGN);
		make_writing_pair(s, ends);
	} else {
		make_narrow_pair(s, ends);
	}
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	send_until_full(s, 0, ends, 0);
	note("peer     closes with bytes unread");
	close(ends[1]);
	await(s, &s->op[0]);
	expect(s->op[0].result == -EPIPE || s->op[0].result == -ECONNRESET,
	       EXPECTED("-EPIPE or -ECONNRESET") SAW("%s"), answer(s->op[0].result));
	close_engine(s);
	close(ends[0]);
}

static void cancel_takes_back_a_send(struct subject *s)
{
	int ends[2];
	make_narrow_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 1, ends[0], 0));
	send_until_full(s, 0, ends, 0);
	s->ops->cancel(s->engine);
	await_all(s);
	for (unsigned i = 0; i < 2; i++)
		expect(s->op[i].result == -ECANCELED,
		       WHEN("after cancel") EXPECTED("-ECANCELED") SAW("%s"),
		       answer(s->op[i].result));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* What is done for one direction, waiting or over, must not touch the other. */
static void keeps_the_other_direction(struct subject *s)
{
	int ends[2];
	uint64_t sent = 0;
	make_narrow_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	for (unsigned round = 0; round < 2; round++) {
		start(s, prepare_receive(s, 1, ends[0], 0));
		uint64_t full = send_until_full(s, 0, ends, sent);
		if (round == 0) { /* first there is room, then a message */
			sent = make_room(s, 0, ends[1], sent, full);
			/* The room that nobody waits for now is reported alone. */
			struct io_op *done[1];
			unsigned n = reap(s, done, 1, 1, A_MOMENT_NS);
			expect(n == 0, "the receive came back with nothing there");
			write_message(ends[1], round, 50);
			await(s, &s->op[1]);
		} else {
			write_message(ends[1], round, 50);
			await(s, &s->op[1]);
			expect(s->op[0].in_flight, "the send came back without room");
			sent = make_room(s, 0, ends[1], sent, full);
		}
		expect_message(s, &s->op[1], round, 50);
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* A message is no room, and room is no message. */
static void looks_in_the_right_direction(struct subject *s)
{
	int ends[2];
	struct io_op *done[2];
	make_narrow_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 1, ends[0], 0));
	uint64_t sent = send_until_full(s, 0, ends, 0);
	calls_reset();
	write_message(ends[1], 1, 50);
	await(s, &s->op[1]);
	expect_message(s, &s->op[1], 1, 50);
	unsigned sends = calls_made(SENDS);
	expect(sends == 0, WHEN("after POLL_IN") EXPECTED("no send to be tried") SAW("%u"), sends);
	start(s, prepare_receive(s, 1, ends[0], 0));
	reap(s, done, 0, 2, 0);
	calls_reset();
	make_room(s, 0, ends[1], 0, sent);
	unsigned receives = calls_made(RECEIVES);
	expect(receives == 0, WHEN("after POLL_OUT") EXPECTED("no receive to be tried") SAW("%u"),
	       receives);
	s->ops->cancel(s->engine);
	await_all(s);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* A Unix socket may say EAGAIN when room has just come, and no signal tells of that room. */
static void finds_room_of_which_nobody_tells(struct subject *s)
{
	struct two two = open_two(s);
	fail_call(SENDS "write writev", EAGAIN, 0);
	int64_t n = perform(s, prepare_send(s, 0, two.a[0], 0, 7));
	expect(call_failed() && n == 7, EXPECTED("7 bytes sent") SAW("%s"), answer(n));
	close_two(s, &two);
}

/* Exercise 4: the number that a signal brings. */

static void expect_unarmed(int fd, int flags, const char *when)
{
	struct arming now = arming_of(fd);
	expect(now.flags == flags, WHEN("%s") EXPECTED("the flags %#x") SAW("%#x"), when, flags,
	       now.flags);
	expect(now.signal == 0, WHEN("%s") EXPECTED("no signal of its own (F_GETSIG)") SAW("%d"),
	       when, now.signal);
	expect(now.owner.pid == 0, WHEN("%s") EXPECTED("no owner (F_GETOWN)") SAW("one"), when);
}

static void leaves_the_open_file_as_it_came(struct subject *s)
{
	struct two two = open_two(s);
	/* Somebody else may change another flag meanwhile. */
	int flags = fcntl(two.a[0], F_GETFL) & ~O_ASYNC;
	fcntl(two.a[0], F_SETFL, flags | O_ASYNC | O_NONBLOCK);
	s->ops->detach(s->engine, 0);
	expect_unarmed(two.a[0], flags | O_NONBLOCK, "after detach()");
	flags = fcntl(two.b[0], F_GETFL) & ~O_ASYNC;
	close_engine(s);
	expect_unarmed(two.b[0], flags, "after close()");
	for (unsigned i = 0; i < 2; i++) {
		close(two.a[i]);
		close(two.b[i]);
	}
}

/* The same where attach() has found out that no signal will come. */
static void leaves_what_it_refuses_as_it_came(struct subject *s)
{
	int file = make_file(s, 4096, O_RDWR), flags = fcntl(file, F_GETFL);
	open_engine(s, 1, 1);
	expect_refused(s, file, IO_FD_FILE, "a file");
	expect_unarmed(file, flags, "after attach() has refused it");
	close_engine(s);
	close(file);
}

/* Signals still wait in the queue when it closes. They must not meet somebody who does not know them. */
static void leaves_no_signal_behind(struct subject *s)
{
	struct rlimit one, before;
	sigset_t waiting, mask, mask_before;
	struct sigaction action;
	pthread_sigmask(SIG_BLOCK, NULL, &mask_before);
	for (unsigned overflown = 0; overflown < 2; overflown++) {
		struct two two = open_two(s);
		getrlimit(RLIMIT_SIGPENDING, &before);
		one = (struct rlimit) { 0, before.rlim_max };
		if (overflown)
			setrlimit(RLIMIT_SIGPENDING, &one);
		write_message(two.a[1], 1, 10);
		if (s->flavour != PIPE)
			wait_for_bytes(two.a[0], 10);
		setrlimit(RLIMIT_SIGPENDING, &before);
		close_two(s, &two);
		sigpending(&waiting);
		pthread_sigmask(SIG_BLOCK, NULL, &mask);
		for (int number = 1; number <= SIGRTMAX; number++) {
			expect(!sigismember(&waiting, number),
			       WHEN("after close()") EXPECTED("no signal in the queue")
				       SAW("signal %d"),
			       number);
			expect(sigismember(&mask, number) == sigismember(&mask_before, number),
			       WHEN("after close()") EXPECTED("the mask as it was")
				       SAW("another for signal %d"),
			       number);
		}
		sigaction(SIGRTMAX, NULL, &action);
		expect(action.sa_handler == SIG_DFL,
		       WHEN("after close()") EXPECTED("no handler") SAW("one"));
	}
}

/* In two threads each engine has its signals and its notes to itself. */
static void keeps_two_engines_apart(struct subject *s)
{
	expect_engines_apart(s, READING, RECEIVES);
}

/* Two engines of one thread, closed in the order in which they were opened. */
static void the_first_to_close_leaves_the_other_whole(struct subject *s)
{
	int ends[2];
	struct subject other = *s;
	struct rlimit before;
	open_engine(s, 1, 1);
	make_reading_pair(s, ends);
	open_engine(&other, 1, 1);
	attach(&other, 0, ends[0]);
	start(&other, prepare_receive(&other, 0, ends[0], 0));
	close_engine(s);
	getrlimit(RLIMIT_SIGPENDING, &before);
	setrlimit(RLIMIT_SIGPENDING, &(struct rlimit) { 0, before.rlim_max });
	write_message(ends[1], 1, 20); /* SIGIO would end the process, if it were not blocked */
	setrlimit(RLIMIT_SIGPENDING, &before);
	await(&other, &other.op[0]);
	expect_message(&other, &other.op[0], 1, 20);
	close_engine(&other);
	close(ends[0]);
	close(ends[1]);
}

/* The signal that says that the queue was full waits still. It is for the engine that stays open, too. */
static void closing_one_leaves_sigio_to_the_other(struct subject *s)
{
	for (unsigned stays = 0; stays < 2; stays++) {
		int ends[2];
		struct subject other = *s;
		struct subject *both[] = { s, &other };
		open_engine(s, 1, 1);
		open_engine(&other, 1, 1);
		make_reading_pair(s, ends);
		attach(both[stays], 0, ends[0]);
		start(both[stays], prepare_receive(both[stays], 0, ends[0], 0));
		struct rlimit before;
		getrlimit(RLIMIT_SIGPENDING, &before);
		setrlimit(RLIMIT_SIGPENDING, &(struct rlimit) { 0, before.rlim_max });
		write_message(ends[1], 1, 20);
		setrlimit(RLIMIT_SIGPENDING, &before);
		note("test     closes the %s of two engines", stays ? "first" : "second");
		close_engine(both[!stays]);
		await(both[stays], &both[stays]->op[0]);
		expect_message(both[stays], &both[stays]->op[0], 1, 20);
		close_engine(both[stays]);
		close(ends[0]);
		close(ends[1]);
	}
}

/* The kernel tells of two descriptors of one open file by the number of one. That one goes. */
static void hears_after_its_twin_is_gone(struct subject *s)
{
	for (unsigned first = 0; first < 2; first++) {
		int ends[2];
		make_reading_pair(s, ends);
		int fds[2] = { ends[0], fcntl(ends[0], F_DUPFD_CLOEXEC, 0) };
		open_engine(s, 2, 2);
		attach(s, 0, fds[0]);
		attach(s, 1, fds[1]);
		unsigned stays = !first;
		start(s, prepare_receive(s, stays, fds[stays], stays));
		note("test     detaches and closes fd %d, another descriptor of the same file",
		     fds[first]);
		s->ops->detach(s->engine, first);
		close(fds[first]);
		write_message(ends[1], first, 50);
		await(s, &s->op[stays]);
		expect_message(s, &s->op[stays], first, 50);
		close_engine(s);
		expect(!(fcntl(fds[stays], F_GETFL) & O_ASYNC),
		       WHEN("after close()") EXPECTED("no O_ASYNC") SAW("it set"));
		close(fds[stays]);
		close(ends[1]);
	}
}

/* The signal brings the number of the twin that goes before it is taken. */
static void a_signal_for_the_twin_that_went(struct subject *s)
{
	for (unsigned first = 0; first < 2; first++) {
		int ends[2];
		make_reading_pair(s, ends);
		int fds[2] = { ends[0], fcntl(ends[0], F_DUPFD_CLOEXEC, 0) };
		open_engine(s, 2, 2);
		attach(s, 0, fds[0]);
		attach(s, 1, fds[1]);
		unsigned stays = !first;
		start(s, prepare_receive(s, stays, fds[stays], stays));
		write_message(ends[1], first, 50);
		if (s->flavour != PIPE)
			wait_for_bytes(ends[0], 50);
		s->ops->detach(s->engine, first);
		close(fds[first]);
		await(s, &s->op[stays]);
		expect_message(s, &s->op[stays], first, 50);
		close_engine(s);
		close(fds[stays]);
		close(ends[1]);
	}
}

/* The open file is not armed for a moment when a twin comes or goes. What happens then has no signal. */
static void loses_nothing_while_it_arms_anew(struct subject *s)
{
	for (unsigned goes = 0; goes < 2; goes++) {
		int ends[2];
		struct io_op *done[1];
		make_reading_pair(s, ends);
		int twin = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
		open_engine(s, 2, 2);
		attach(s, 0, ends[0]);
		if (goes)
			attach(s, 1, twin);
		start(s, prepare_receive(s, 0, ends[0], 0));
		reap(s, done, 0, 1, 0);
		meanwhile.peer_fd = ends[1];
		if (goes)
			s->ops->detach(s->engine, 1);
		else
			attach(s, 1, twin);
		if (meanwhile.peer_fd >= 0)
			write_message(ends[1], 1, 20); /* it was armed all the time */
		meanwhile.peer_fd = -1;
		await(s, &s->op[0]);
		expect_message(s, &s->op[0], 1, 20);
		close_engine(s);
		close(twin);
		close(ends[0]);
		close(ends[1]);
	}
}

/* A twin goes, and one of the calls fails that arm the other one anew: it may not wait for ever. */
static void a_twin_that_cannot_be_armed_is_told(struct subject *s)
{
	bool failed = true;
	for (unsigned nth = 0; failed; nth++) {
		int ends[2];
		make_reading_pair(s, ends);
		int twin = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
		open_engine(s, 2, 2);
		attach(s, 0, ends[0]);
		attach(s, 1, twin);
		start(s, prepare_receive(s, 0, ends[0], 0));
		fail_call("fcntl", EMFILE, nth);
		s->ops->detach(s->engine, 1);
		failed = call_failed();
		close(twin);
		write_message(ends[1], nth, 20);
		await(s, &s->op[0]);
		if (!failed || s->op[0].result != -EMFILE)
			expect_message(s, &s->op[0], nth, 20);
		close_engine(s);
		close(ends[0]);
		close(ends[1]);
	}
}

/* Three of one open file: whoever is told, all are looked at. */
static void all_twins_are_looked_at(struct subject *s)
{
	int ends[2], fds[3];
	make_reading_pair(s, ends);
	open_engine(s, 3, 3);
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = i == 0 ? ends[0] : fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
		attach(s, i, fds[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		start(s, prepare_receive(s, i, fds[i], i));
		write_message(ends[1], i, 20);
		await(s, &s->op[i]);
		expect_message(s, &s->op[i], i, 20);
	}
	s->ops->detach(s->engine, 1);
	close(fds[1]);
	for (unsigned i = 0; i < 3; i += 2) {
		start(s, prepare_receive(s, i, fds[i], i));
		write_message(ends[1], i, 20);
		await(s, &s->op[i]);
		expect_message(s, &s->op[i], i, 20);
	}
	close_engine(s);
	close(fds[0]);
	close(fds[2]);
	close(ends[1]);
}

/* Another descriptor of the same open file goes on when the slot of the first is given to a stranger. */
static void slot_of_a_twin_is_used_again(struct subject *s)
{
	int ends[2], stranger[2];
	make_reading_pair(s, ends);
	make_reading_pair(s, stranger);
	int twin = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	open_engine(s, 2, 2);
	attach(s, 0, ends[0]);
	attach(s, 1, twin);
	s->ops->detach(s->engine, 0);
	close(ends[0]);
	attach(s, 0, stranger[0]);
	start(s, prepare_receive(s, 0, stranger[0], 0));
	start(s, prepare_receive(s, 1, twin, 1));
	for (unsigned i = 0; i < 2; i++) {
		write_message(i ? ends[1] : stranger[1], i, 20);
		await(s, &s->op[i]);
		expect_message(s, &s->op[i], i, 20);
	}
	close_engine(s);
	close(twin);
	close(ends[1]);
	close(stranger[0]);
	close(stranger[1]);
}

/* Both ends have one inode, and are two open files. A dup of one end is of the other's inode, too. */
static void the_ends_of_a_pipe_are_no_twins(struct subject *s)
{
	int ends[2];
	char bytes[4096];
	ssize_t n;
	make_writing_pair(s, ends);
	int twin = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	fill(s, ends[0]);
	open_engine(s, 1, 3);
	attach(s, 0, ends[1]);
	attach(s, 1, ends[0]);
	attach(s, 2, twin);
	note("test     detaches fd %d, a descriptor of the same open file as fd %d", ends[0], twin);
	s->ops->detach(s->engine, 1);
	struct io_op *done[1];
	start(s, prepare_send(s, 0, twin, 2, 7));
	reap(s, done, 0, 1, 0);
	expect(s->op[0].in_flight, "a send completed although the pipe is full");
	note("peer     reads");
	for (struct pollfd peer = { ends[1], POLLIN, 0 }; poll(&peer, 1, 0) > 0;) {
		n = read(ends[1], bytes, sizeof bytes);
		expect(n > 0, "the test's own read failed");
	}
	await(s, &s->op[0]);
	expect(s->op[0].result == 7, EXPECTED("7 bytes sent") SAW("%s"), answer(s->op[0].result));
	close_engine(s);
	close(twin);
	close(ends[0]);
	close(ends[1]);
}

/* Three descriptors of one open file, in slots 0 to 2. */
struct triplets {
	int ends[2], fds[3];
};

static void open_triplets(struct subject *s, struct triplets *three)
{
	make_reading_pair(s, three->ends);
	open_engine(s, 3, 3);
	for (unsigned i = 0; i < 3; i++) {
		three->fds[i] = i == 0 ? three->ends[0] : fcntl(three->ends[0], F_DUPFD_CLOEXEC, 0);
		attach(s, i, three->fds[i]);
	}
}

static void close_triplets(struct subject *s, const struct triplets *three)
{
	close_engine(s);
	for (unsigned i = 0; i < 3; i++)
		close(three->fds[i]);
	if (three->ends[1] >= 0)
		close(three->ends[1]);
}

/* Writes a message while the engine is held up in a call, or when that is not met. */
struct interruption {
	pthread_t thread;
	int fd;
	atomic_bool over;
	bool held;
};

static void *come_in_between(void *argument)
{
	struct interruption *message = argument;
	do
		message->held = wait_until_held(0);
	while (!message->held && !message->over);
	write_message(message->fd, 99, 20);
	let_call_go();
	return NULL;
}

/* A message comes before fcntl number `nth` of detach(). Returns whether there was one. */
static bool a_message_during_detach(struct subject *s, unsigned waiting, unsigned nth)
{
	struct triplets three;
	open_triplets(s, &three);
	start(s, prepare_receive(s, waiting, three.fds[waiting], waiting));
	struct interruption message = { .fd = three.ends[1] };
	hold_call_after("fcntl", nth);
	expect(pthread_create(&message.thread, NULL, come_in_between, &message) == 0,
	       "the test has no thread");
	s->ops->detach(s->engine, 0);
	message.over = true;
	pthread_join(message.thread, NULL);
	await(s, &s->op[waiting]);
	expect_message(s, &s->op[waiting], 99, 20);
	close_triplets(s, &three);
	return message.held;
}

/*
 * While one of three twins goes there is a moment in which nothing is armed. Before, in and after it no
 * message may be lost, whoever of those that stay waits for it.
 */
static void a_message_at_any_moment_of_detach(struct subject *s)
{
	for (unsigned waiting = 1; waiting < 3; waiting++)
		for (unsigned nth = 0; a_message_during_detach(s, waiting, nth); nth++)
			;
}

/* How many calls of fcntl detach() makes where nothing is to be armed again. */
static unsigned calls_to_disarm(struct subject *s)
{
	struct two two = open_two(s);
	calls_reset();
	s->ops->detach(s->engine, 0);
	unsigned calls = calls_made("fcntl");
	close_two(s, &two);
	return calls;
}

/* There is no memory yet, and who receives hears of it at once. */
static void expect_still_deaf(struct subject *s, const struct io_op *before)
{
	struct io_op *done[1];
	struct io_op *op = prepare_receive(s, before->slot, before->fd, before->fd_slot);
	fail_call("fcntl", ENOMEM, 0);
	start(s, op);
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	expect(n == 1 && done[0] == op && op->result == -ENOMEM,
	       WHEN("when it cannot be armed by the next receive either")
		       EXPECTED("-ENOMEM as its result") SAW("%u back, and the result %s"),
	       n, n == 1 ? answer(op->result) : "none");
}

/* The next call of fcntl to arm again, after `nth`, fails. Returns whether there was one. */
static bool arming_again_fails(struct subject *s, unsigned nth)
{
	struct triplets three;
	struct io_op *done[2];
	open_triplets(s, &three);
	for (unsigned i = 1; i < 3; i++)
		start(s, prepare_receive(s, i, three.fds[i], i));
	fail_call("fcntl", ENOMEM, nth);
	s->ops->detach(s->engine, 0);
	bool failed = call_failed();
	unsigned n = reap(s, done, 0, 2, 0);
	expect(n == 0 || (failed && n == 2),
	       WHEN("when a twin cannot be armed again")
		       EXPECTED("all that waits on the open file to end") SAW("%u of 2"),
	       n);
	for (unsigned i = 0; i < n; i++) {
		expect(done[i]->result == -ENOMEM, EXPECTED("-ENOMEM") SAW("%s"),
		       answer(done[i]->result));
		if (i == 0)
			expect_still_deaf(s, done[i]);
		/* There is memory again. */
		start(s, prepare_receive(s, done[i]->slot, done[i]->fd, done[i]->fd_slot));
	}
	for (unsigned i = 0; i < 2; i++) {
		write_message(three.ends[1], i, 20);
		n = reap(s, done, 1, 1, PATIENCE_NS);
		expect(n == 1, EXPECTED("one of two receives to hear of the message") SAW("none"));
		expect_message(s, done[0], i, 20);
	}
	close_triplets(s, &three);
	return failed;
}

/*
 * Two twins could not be armed again, and nobody waited. There is memory again: now the one or the other waits,
 * alone, and has to hear. Returns whether a call failed.
 */
static bool arming_is_made_up_for(struct subject *s, unsigned waiting, unsigned nth)
{
	struct triplets three;
	open_triplets(s, &three);
	fail_call("fcntl", ENOMEM, nth);
	s->ops->detach(s->engine, 0);
	bool failed = call_failed();
	struct io_op *op = prepare_receive(s, waiting, three.fds[waiting], waiting);
	start(s, op);
	struct io_op *done[1];
	unsigned n = reap(s, done, 0, 1, 0);
	expect(n == 0, "a receive completed with nothing there");
	write_message(three.ends[1], 1, 20);
	await(s, op);
	expect_message(s, op, 1, 20);
	close_triplets(s, &three);
	return failed;
}

static void each_twin_is_armed_by_its_own_receive(struct subject *s)
{
	unsigned first = calls_to_disarm(s);
	for (unsigned waiting = 1; waiting < 3; waiting++)
		for (unsigned nth = first; arming_is_made_up_for(s, waiting, nth); nth++)
			;
}

/* One signal comes for them all, and it may stand for more than one of them can take. */
static void one_signal_is_for_all_twins(struct subject *s)
{
	struct triplets three;
	struct io_op *done[3];
	open_triplets(s, &three);
	for (unsigned ended = 0; ended < 2; ended++) {
		for (unsigned i = 0; i < 3; i++) {
			struct io_op *op = prepare_receive(s, i, three.fds[i], i);
			op->len_bytes = 4;
			start(s, op);
		}
		expect(reap(s, done, 0, 3, 0) == 0, "a receive completed with nothing there");
		if (ended) {
			note("peer     closes");
			close(three.ends[1]);
			three.ends[1] = -1;
		} else {
			peer_sends(three.ends[1], "one two tri ", 12);
		}
		await_all(s);
		for (unsigned i = 0; i < 3; i++)
			expect(s->op[i].result == (ended ? 0 : 4),
			       WHEN("three receives wait on one open file") EXPECTED("%s for each")
				       SAW("%s"),
			       ended ? "the end" : "4 bytes", answer(s->op[i].result));
	}
	close_triplets(s, &three);
}

static void detach_tells_all_twins_what_fails(struct subject *s)
{
	for (unsigned nth = calls_to_disarm(s); arming_again_fails(s, nth); nth++)
		;
}

/* Its number may be another's by then, who has armed it for himself. */
static void close_leaves_alone_what_was_detached(struct subject *s)
{
	struct two two = open_two(s);
	s->ops->detach(s->engine, 0);
	int flags = fcntl(two.a[0], F_GETFL);
	expect(fcntl(two.a[0], F_SETFL, flags | O_ASYNC) == 0, "F_SETFL");
	close_engine(s);
	expect(fcntl(two.a[0], F_GETFL) & O_ASYNC,
	       WHEN("when it was detached before close()")
		       EXPECTED("O_ASYNC as the program has set it") SAW("that it is off"));
	close(two.a[0]);
	close(two.a[1]);
	close(two.b[0]);
	close(two.b[1]);
}

static void looking_does_not_sleep(struct subject *s)
{
	struct io_op *done[2];
	struct two two = open_two(s);
	only_looks = true;
	start(s, prepare_receive(s, 0, two.a[0], 0));
	reap(s, done, 0, 2, 0);
	only_looks = false;
	expect(!may_have_slept,
	       WHEN("when reap() is not to wait, in %s") EXPECTED("a time of 0") SAW("another"),
	       may_have_slept);
	s->ops->cancel(s->engine);
	await_all(s);
	close_two(s, &two);
}

/* The second of two twins is not attached in the end; the first must hear as before. */
static void attach_that_fails_leaves_twins_whole(struct subject *s)
{
	bool failed = true;
	for (unsigned nth = 0; failed; nth++) {
		int ends[2];
		struct reason why = { "" };
		make_reading_pair(s, ends);
		int twin = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
		open_engine(s, 2, 2);
		attach(s, 0, ends[0]);
		start(s, prepare_receive(s, 0, ends[0], 0));
		fail_call("fcntl", ENOMEM, nth);
		int rc = s->ops->attach(s->engine, 1, twin,
					s->flavour == PIPE ? IO_FD_PIPE : IO_FD_SOCKET, &why);
		failed = call_failed();
		expect(rc == 0 || (failed && why.text[0]),
		       EXPECTED("attach() to succeed, or to say why not") SAW("%s: %s"), answer(rc),
		       why.text);
		for (unsigned m = 0; m < 2; m++) {
			write_message(ends[1], m, 20);
			await(s, &s->op[0]);
			expect_message(s, &s->op[0], m, 20);
			start(s, prepare_receive(s, 0, ends[0], 0));
		}
		s->ops->cancel(s->engine);
		await_all(s);
		close_engine(s);
		close(twin);
		close(ends[0]);
		close(ends[1]);
	}
}

/* A signal that was queued for a connection arrives at another, which has its number now. */
static void an_old_signal_is_a_false_alarm(struct subject *s)
{
	int old[2], ends[2];
	struct io_op *done[1];
	make_reading_pair(s, old);
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, old[0]);
	write_message(old[1], 1, 30);
	if (s->flavour != PIPE)
		wait_for_bytes(old[0], 30);
	s->ops->detach(s->engine, 0);
	expect(dup3(ends[0], old[0], O_CLOEXEC) == old[0], "dup3: %s", strerror(errno));
	close(ends[0]);
	note("test     closes fd %d, and gives its number to another connection", old[0]);
	attach(s, 0, old[0]);
	start(s, prepare_receive(s, 0, old[0], 0));
	unsigned n = reap(s, done, 1, 1, A_MOMENT_NS);
	expect(n == 0,
	       EXPECTED("a signal of the old connection to be a false alarm")
		       SAW("a receive that ends with %s"),
	       answer(s->op[0].result));
	write_message(ends[1], 2, 20);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 2, 20);
	close_engine(s);
	close(old[0]);
	close(old[1]);
	close(ends[1]);
}

/* Somebody else of this process is told of the descriptor by SIGIO already. */
static void what_another_has_armed_is_refused(struct subject *s)
{
	struct two two;
	struct reason why = { "" };
	make_reading_pair(s, two.a);
	make_reading_pair(s, two.b);
	fcntl(two.a[0], F_SETOWN, getpid());
	fcntl(two.a[0], F_SETFL, fcntl(two.a[0], F_GETFL) | O_ASYNC);
	struct arming before = arming_of(two.a[0]);
	open_engine(s, 2, 2);
	attach(s, 1, two.b[0]);
	int rc = s->ops->attach(s->engine, 0, two.a[0],
				s->flavour == PIPE ? IO_FD_PIPE : IO_FD_SOCKET, &why);
	struct arming after = arming_of(two.a[0]);
	expect(rc == -EBUSY, EXPECTED("attach() to give -EBUSY") SAW("%s"), answer(rc));
	expect(why.text[0], EXPECTED("the reason in words") SAW("none"));
	expect(after.flags == before.flags && after.owner.pid == before.owner.pid,
	       EXPECTED("what the other one has set to stay") SAW("it changed"));
	start(s, prepare_receive(s, 0, two.b[0], 1));
	write_message(two.b[1], 1, 20);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 20);
	close_two(s, &two);
}

/* Exercise 5: the queue was full. */

/* From now on so many signals of this user fit into queues. Returns how many did. */
static rlim_t limit_queues(rlim_t count)
{
	struct rlimit limit;
	getrlimit(RLIMIT_SIGPENDING, &limit);
	rlim_t before = limit.rlim_cur;
	limit.rlim_cur = count;
	note("test     has the queues hold at most %llu signals", (unsigned long long)count);
	expect(setrlimit(RLIMIT_SIGPENDING, &limit) == 0, "setrlimit: %s", strerror(errno));
	return before;
}

#define CROWD 40u

struct crowd {
	int ends[CROWD][2];
};

static void open_crowd(struct subject *s, struct crowd *crowd)
{
	open_engine(s, CROWD, CROWD);
	for (unsigned i = 0; i < CROWD; i++) {
		make_reading_pair(s, crowd->ends[i]);
		attach(s, i, crowd->ends[i][0]);
	}
}

static void close_crowd(struct subject *s, const struct crowd *crowd)
{
	close_engine(s);
	for (unsigned i = 0; i < CROWD; i++) {
		close(crowd->ends[i][0]);
		close(crowd->ends[i][1]);
	}
}

static void survives_a_full_queue(struct subject *s)
{
	struct crowd crowd;
	open_crowd(s, &crowd);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < CROWD; i++)
			start(s, prepare_receive(s, i, crowd.ends[i][0], i));
		rlim_t before = limit_queues(4);
		for (unsigned i = 0; i < CROWD; i++)
			write_message(crowd.ends[i][1], round * CROWD + i, 20);
		if (round == 1)
			limit_queues(before); /* there is room again before the engine looks */
		await_all(s);
		limit_queues(before);
		for (unsigned i = 0; i < CROWD; i++)
			expect_message(s, &s->op[i], round * CROWD + i, 20);
	}
	/* And the signals work as before. */
	start(s, prepare_receive(s, 3, crowd.ends[3][0], 3));
	write_message(crowd.ends[3][1], 77, 20);
	await(s, &s->op[3]);
	expect_message(s, &s->op[3], 77, 20);
	close_crowd(s, &crowd);
}

/* Has the engine find out that nothing is there. */
static void find_it_empty(struct subject *s, int fd)
{
	struct io_op *done[1];
	start(s, prepare_receive(s, 0, fd, 0));
	reap(s, done, 0, 1, 0);
	cancel_one(s, &s->op[0]);
	await(s, &s->op[0]);
	expect(s->op[0].result == -ECANCELED, EXPECTED("nothing there") SAW("%s"),
	       answer(s->op[0].result));
}

/* No signal fits into the queue, ever: SIGIO alone must do. */
static void lives_on_sigio_alone(struct subject *s)
{
	struct two two = open_two(s);
	rlim_t before = limit_queues(0);
	for (unsigned m = 0; m < MESSAGES; m++) {
		struct io_op *done[1];
		find_it_empty(s, two.a[0]);
		if (m % 2) { /* the signal is taken while nobody waits */
			write_message(two.a[1], m, 20);
			if (s->flavour != PIPE)
				wait_for_bytes(two.a[0], 20);
			expect(reap(s, done, 0, 1, 0) == 0, "nothing was in flight");
			perform(s, prepare_receive(s, 0, two.a[0], 0));
		} else {
			start(s, prepare_receive(s, 0, two.a[0], 0));
			write_message(two.a[1], m, 20);
			await(s, &s->op[0]);
		}
		expect_message(s, &s->op[0], m, 20);
	}
	limit_queues(before);
	close_two(s, &two);
}

/* Room was announced by a signal that did not fit. */
static void finds_room_after_a_full_queue(struct subject *s)
{
	int ends[2];
	make_narrow_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 1, ends[0], 0));
	uint64_t sent = send_until_full(s, 0, ends, 0);
	rlim_t before = limit_queues(0);
	make_room(s, 0, ends[1], 0, sent);
	limit_queues(before);
	s->ops->cancel(s->engine);
	await_all(s);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The way back is one question for all descriptors, and receives where something is. */
static void the_way_back_is_short(struct subject *s)
{
	struct crowd crowd;
	struct io_op *done[CROWD];
	open_crowd(s, &crowd);
	for (unsigned i = 0; i < CROWD; i++)
		start(s, prepare_receive(s, i, crowd.ends[i][0], i));
	rlim_t before = limit_queues(0);
	for (unsigned i = 0; i < 3; i++)
		write_message(crowd.ends[i * 7][1], i, 20);
	limit_queues(before);
	calls_reset();
	unsigned n = reap(s, done, 3, CROWD, PATIENCE_NS);
	expect(n == 3, EXPECTED("3 messages") SAW("%u"), n);
	unsigned polls = calls_made("poll ppoll epoll_wait epoll_pwait epoll_pwait2");
	unsigned receives = calls_made(RECEIVES);
	expect(polls <= 2, EXPECTED("all descriptors asked about in one call") SAW("%u calls"),
	       polls);
	expect(receives <= 6, EXPECTED("receives where something is (3)") SAW("%u"), receives);
	s->ops->cancel(s->engine);
	await_all(s);
	close_crowd(s, &crowd);
}

/* Writes a message while the engine is held up in a call, and makes room in the queue. */
struct latecomer {
	pthread_t thread;
	int fd;
	rlim_t room;
	bool held;
};

static void *come_late(void *argument)
{
	struct latecomer *late = argument;
	late->held = wait_until_held(PATIENCE_NS);
	limit_queues(late->room);
	write_message(late->fd, 99, 20);
	let_call_go();
	return NULL;
}

/*
 * The queue was full, and one descriptor was silent so far. A message comes there when the engine is about
 * to make the call after `let_through` of `names`.
 */
static void a_message_during_the_way_back(struct subject *s, const char *names,
					  unsigned let_through)
{
	struct crowd crowd;
	open_crowd(s, &crowd);
	for (unsigned i = 0; i < CROWD; i++)
		start(s, prepare_receive(s, i, crowd.ends[i][0], i));
	struct latecomer late = { .fd = crowd.ends[CROWD - 1][1], .room = limit_queues(2) };
	for (unsigned i = 0; i < CROWD - 1; i++)
		write_message(crowd.ends[i][1], i, 20);
	hold_call_after(names, let_through);
	expect(pthread_create(&late.thread, NULL, come_late, &late) == 0, "the test has no thread");
	await_all(s);
	pthread_join(late.thread, NULL);
	expect_message(s, &s->op[CROWD - 1], 99, 20);
	close_crowd(s, &crowd);
}

/* The engine has asked about all. What comes now must not be among the signals that are thrown away. */
static void forgets_old_signals_first(struct subject *s)
{
	a_message_during_the_way_back(s, RECEIVES, 0);
}

/*
 * The engine is about to throw the signals away; the call before was for SIGIO. What comes now may be
 * thrown away, too, so the question is still to come.
 */
static void forgets_before_it_asks(struct subject *s)
{
	a_message_during_the_way_back(s, TAKING CHANGING, 1);
}

/* After the way back the old signals are gone. Otherwise each is a false alarm later. */
static void forgets_what_the_way_back_knows(struct subject *s)
{
	struct crowd crowd;
	open_crowd(s, &crowd);
	for (unsigned i = 0; i < CROWD; i++)
		start(s, prepare_receive(s, i, crowd.ends[i][0], i));
	rlim_t before = limit_queues(CROWD / 2);
	for (unsigned i = 0; i < CROWD; i++)
		write_message(crowd.ends[i][1], i, 20);
	limit_queues(before);
	await_all(s);
	const unsigned lost = CROWD - 1; /* of the last there is no old signal */
	start(s, prepare_receive(s, lost, crowd.ends[lost][0], lost));
	calls_reset();
	write_message(crowd.ends[lost][1], 77, 20);
	await(s, &s->op[lost]);
	expect_message(s, &s->op[lost], 77, 20);
	unsigned signals = calls_made(TAKING);
	expect(signals <= 2,
	       WHEN("after the way back") EXPECTED("a message to cost one signal")
		       SAW("%u taken: the old ones are in the queue still"),
	       signals);
	close_crowd(s, &crowd);
}

/* Until the end has come, too: the signal for it is lost by then. */
static void wait_for_the_end(int fd)
{
	struct pollfd end = { .fd = fd, .events = POLLRDHUP };
	expect(poll(&end, 1, (int)(PATIENCE_NS / NS_PER_MS)) == 1,
	       "the end of the connection does not come");
}

/*
 * Bytes, and the end behind them. Both signals are lost, and one SIGIO comes for the two. poll(2) says POLLHUP only
 * where both directions are over.
 */
static void sees_the_end_behind_a_full_queue(struct subject *s)
{
	for (unsigned round = 0; round < 4; round++) {
		unsigned waits = round % 2;
		bool stops_sending = round / 2;
		if (stops_sending && s->flavour == PIPE)
			return;
		struct two two = open_two(s);
		struct io_op *done[1];
		find_it_empty(s, two.a[0]);
		if (waits)
			start(s, prepare_receive(s, 0, two.a[0], 0));
		rlim_t before = limit_queues(0);
		write_message(two.a[1], waits, 20);
		if (stops_sending) {
			note("peer     stops sending");
			shutdown(two.a[1], SHUT_WR);
		} else {
			note("peer     closes");
			close(two.a[1]);
			two.a[1] = -1;
		}
		if (s->flavour != PIPE)
			wait_for_the_end(two.a[0]);
		limit_queues(before);
		if (waits) {
			await(s, &s->op[0]);
		} else {
			expect(reap(s, done, 0, 1, 0) == 0, "nothing was in flight");
			perform(s, prepare_receive(s, 0, two.a[0], 0));
		}
		expect_message(s, &s->op[0], waits, 20);
		int64_t n = perform(s, prepare_receive(s, 0, two.a[0], 0));
		expect(n == 0, EXPECTED("0 at the end") SAW("%s"), answer(n));
		close_two(s, &two);
	}
}

/* SIGIO brings no number: si_fd is 0, which may be a descriptor that has no part in it. */
static void sigio_names_nobody(struct subject *s)
{
	int kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	int ends[2], other[2];
	struct io_op *done[2];
	make_reading_pair(s, ends);
	make_reading_pair(s, other);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	open_engine(s, 2, 2);
	attach(s, 0, STDIN_FILENO);
	attach(s, 1, other[0]);
	start(s, prepare_receive(s, 0, STDIN_FILENO, 0));
	start(s, prepare_receive(s, 1, other[0], 1));
	reap(s, done, 0, 2, 0);
	rlim_t before = limit_queues(0);
	write_message(other[1], 1, 20);
	limit_queues(before);
	calls_reset();
	await(s, &s->op[1]);
	expect_message(s, &s->op[1], 1, 20);
	unsigned receives = calls_made(RECEIVES);
	expect(receives == 1,
	       WHEN("after SIGIO") EXPECTED("one receive, where poll says that something is")
		       SAW("%u"),
	       receives);
	write_message(ends[1], 2, 20);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 2, 20);
	close_engine(s);
	if (kept >= 0)
		dup2(kept, STDIN_FILENO);
	else
		close(STDIN_FILENO);
	close(kept);
	close(ends[1]);
	close(other[0]);
	close(other[1]);
}

/* SIGIO is for the thread. One of its engines takes it, and both have lost signals. */
static void two_engines_hear_one_sigio(struct subject *s)
{
	struct subject other = *s;
	int ends[2][2];
	struct subject *both[] = { s, &other };
	for (unsigned i = 0; i < 2; i++) {
		make_reading_pair(s, ends[i]);
		open_engine(both[i], 1, 1);
		attach(both[i], 0, ends[i][0]);
		start(both[i], prepare_receive(both[i], 0, ends[i][0], 0));
	}
	rlim_t before = limit_queues(0);
	for (unsigned i = 0; i < 2; i++)
		write_message(ends[i][1], i, 20);
	limit_queues(before);
	for (unsigned i = 0; i < 2; i++) {
		await(both[i], &both[i]->op[0]);
		expect_message(both[i], &both[i]->op[0], i, 20);
	}
	for (unsigned i = 0; i < 2; i++) {
		close_engine(both[i]);
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* EINTR says nothing, and a zero that comes next is no EINTR, whatever errno holds. */
static void the_way_back_survives_a_signal(struct subject *s)
{
	struct two two = open_two(s);
	struct io_op *done[1];
	start(s, prepare_receive(s, 0, two.a[0], 0));
	/* It says that the queue was full; and nothing is ready. */
	pthread_kill(pthread_self(), SIGIO);
	fail_call("poll ppoll", EINTR, 0);
	unsigned n = reap(s, done, 1, 1, 20 * NS_PER_MS);
	expect(n == 0, EXPECTED("nothing, when the time is over") SAW("an operation"));
	write_message(two.a[1], 1, 20);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 20);
	close_two(s, &two);
}

/* A call of the way back fails: reap() says so, but for EINTR, after which the call is made again. */
static void the_way_back_tells_what_fails(struct subject *s)
{
	static const struct {
		const char *call;
		int error;
		unsigned let_through;
	} failing[] = { { "poll ppoll", ENOMEM, 0 },
			{ "poll ppoll", EINTR, 0 },
			{ TAKING, EBADF, 1 }, /* the first one takes SIGIO */
			{ TAKING, EINTR, 1 } };
	for (unsigned i = 0; i < sizeof failing / sizeof *failing; i++) {
		struct two two = open_two(s);
		struct io_op *done[1];
		start(s, prepare_receive(s, 0, two.a[0], 0));
		rlim_t before = limit_queues(0);
		write_message(two.a[1], i, 20);
		limit_queues(before);
		fail_call(failing[i].call, failing[i].error, failing[i].let_through);
		int rc = s->ops->reap(s->engine, done, 1, 1, PATIENCE_NS);
		int expected = call_failed() && failing[i].error != EINTR ? -failing[i].error : 1;
		expect(rc == expected,
		       WHEN("%s fails with %s") EXPECTED("%s from reap()") SAW("%s"),
		       failing_call(), errno_name(failing[i].error), answer(expected), answer(rc));
		if (rc == 1) {
			s->op[0].in_flight = 0;
			s->inflight--;
			expect_message(s, &s->op[0], i, 20);
		} else {
			s->ops->cancel(s->engine);
			await_all(s);
		}
		close_two(s, &two);
	}
}

/* Exercise 6: signalfd. */

static void signalfd_takes_many_at_once(struct subject *s)
{
	struct crowd crowd;
	struct io_op *done[CROWD];
	open_crowd(s, &crowd);
	for (unsigned i = 0; i < CROWD; i++)
		start(s, prepare_receive(s, i, crowd.ends[i][0], i));
	for (unsigned i = 0; i < CROWD; i++)
		write_message(crowd.ends[i][1], i, 20);
	calls_reset();
	unsigned n = reap(s, done, CROWD, CROWD, PATIENCE_NS);
	expect(n == CROWD, EXPECTED("%u messages") SAW("%u"), CROWD, n);
	for (unsigned i = 0; i < CROWD; i++)
		expect_message(s, &s->op[i], i, 20);
	unsigned reads = calls_made("read readv"), calls = calls_made(NULL);
	expect(reads >= 1 && reads <= 4,
	       EXPECTED("%u signals read from the signalfd in one call or two") SAW("%u reads"),
	       CROWD, reads);
	expect(calls <= CROWD + 10,
	       EXPECTED("a receive for each message, and a few calls more")
		       SAW("%u calls for %u messages"),
	       calls, CROWD);
	close_crowd(s, &crowd);
}

/* Exercise 7: a handler. */

/* The engine's own action for its signal; the test stands in between. */
static struct sigaction engines_action;
static volatile unsigned handler_calls;
static void (*around_handler)(bool begins);

static void stand_between(int number, siginfo_t *info, void *context)
{
	handler_calls++;
	if (around_handler)
		around_handler(true);
	if (engines_action.sa_flags & SA_SIGINFO)
		engines_action.sa_sigaction(number, info, context);
	else
		engines_action.sa_handler(number);
	if (around_handler)
		around_handler(false);
}

/* From now on the test sees each call of the handler for the signal of `fd`. */
static void watch_the_handler(int fd)
{
	int signal = arming_of(fd).signal;
	sigaction(signal, NULL, &engines_action);
	expect(engines_action.sa_handler != SIG_DFL && engines_action.sa_handler != SIG_IGN,
	       EXPECTED("a handler for signal %d") SAW("none"), signal);
	struct sigaction between = engines_action;
	between.sa_flags |= SA_SIGINFO;
	between.sa_sigaction = stand_between;
	handler_calls = 0;
	sigaction(signal, &between, NULL);
}

static void handler_takes_the_signal(struct subject *s)
{
	struct two two = open_two(s);
	watch_the_handler(two.a[0]);
	calls_reset();
	for (unsigned m = 0; m < MESSAGES; m++) {
		start(s, prepare_receive(s, 0, two.a[0], 0));
		write_message(two.a[1], m, 20);
		await(s, &s->op[0]);
		expect_message(s, &s->op[0], m, 20);
	}
	expect(handler_calls >= MESSAGES - 1,
	       EXPECTED("each of %u messages to call the handler") SAW("%u calls of it"), MESSAGES,
	       handler_calls);
	unsigned calls = calls_made(NULL);
	expect(calls <= 5 * MESSAGES,
	       EXPECTED("at most 5 system calls a message") SAW("%u for %u messages"), calls,
	       MESSAGES);
	close_two(s, &two);
}

/* The signal is in the queue when reap() begins. The handler must not run before the sleep begins. */
static void handler_leaves_no_gap(struct subject *s)
{
	struct two two = open_two(s);
	struct io_op *done[1];
	unsigned slept = 0; /* a busy machine may be late, but not three times */
	for (unsigned m = 0; m < 3; m++) {
		start(s, prepare_receive(s, 0, two.a[0], 0));
		reap(s, done, 0, 1, 0);
		write_message(two.a[1], m, 20);
		if (s->flavour != PIPE)
			wait_for_bytes(two.a[0], 20);
		uint64_t before_ns = clock_ns();
		unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
		slept += n == 0 || clock_ns() - before_ns > (uint64_t)PATIENCE_NS / 2;
		if (n == 0)
			await(s, &s->op[0]);
		expect_message(s, &s->op[0], m, 20);
	}
	expect(slept < 3,
	       EXPECTED("the message, which was there before the wait began")
		       SAW("a sleep of %lld s, each time"),
	       (long long)(PATIENCE_NS / NS_PER_S));
	close_two(s, &two);
}

/* Between calls of the engine no handler interrupts the caller. */
static void handler_runs_only_in_reap(struct subject *s)
{
	struct two two = open_two(s);
	calls_reset();
	start(s, prepare_receive(s, 0, two.a[0], 0));
	int signal = arming_of(two.a[0]).signal;
	sigset_t waiting;
	write_message(two.a[1], 1, 20);
	if (s->flavour != PIPE)
		wait_for_bytes(two.a[0], 20);
	sigpending(&waiting);
	expect(sigismember(&waiting, signal),
	       EXPECTED("the signal to wait until reap()") SAW("it interrupt the caller"));
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 20);
	close_two(s, &two);
}

static void count_usr1(int number)
{
	(void)number;
}

/* What the caller blocks after open() stays blocked during the wait. */
static void handler_keeps_the_callers_mask(struct subject *s)
{
	struct two two = open_two(s);
	struct io_op *done[1];
	sigset_t usr1, waiting;
	signal(SIGUSR1, count_usr1);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	start(s, prepare_receive(s, 0, two.a[0], 0));
	note("test     sends SIGUSR1 to this thread, which blocks it");
	pthread_kill(pthread_self(), SIGUSR1);
	unsigned n = reap(s, done, 1, 1, A_MOMENT_NS);
	expect(n == 0, "a receive completed with nothing there");
	sigpending(&waiting);
	expect(sigismember(&waiting, SIGUSR1),
	       EXPECTED("a signal that the caller blocks to wait") SAW("it taken during reap()"));
	write_message(two.a[1], 1, 20);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 20);
	signal(SIGUSR1, SIG_IGN);
	close_two(s, &two);
}

/* The C library's own variables: the lock and the buffer of stdout, the lists of malloc. */
/* A thread that has an engine of its own, and sleeps in its reap(). */
struct sleeper {
	struct subject subject;
	int ends[2], tid;
	sem_t begins; /* to wait */
	pthread_t thread;
};

static void *wait_for_a_message(void *argument)
{
	struct sleeper *sleeper = argument;
	struct subject *s = &sleeper->subject;
	open_engine(s, 1, 1);
	attach(s, 0, sleeper->ends[0]);
	start(s, prepare_receive(s, 0, sleeper->ends[0], 0));
	sleeper->tid = gettid();
	sem_post(&sleeper->begins);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 20);
	close_engine(s);
	return NULL;
}

/* A signal interrupts one thread, and what its handler notes is for the engine that sleeps there. */
static void handler_knows_its_engine(struct subject *s)
{
	struct sleeper sleeper = { .subject = *s };
	struct io_op *done[1];
	int ends[2];
	make_reading_pair(s, ends);
	make_reading_pair(s, sleeper.ends);
	sem_init(&sleeper.begins, 0, 0);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
	expect(pthread_create(&sleeper.thread, NULL, wait_for_a_message, &sleeper) == 0,
	       "no thread");
	sem_wait(&sleeper.begins);
	wait_until_asleep(sleeper.tid);
	unsigned n = reap(s, done, 0, 1, 0);
	expect(n == 0, "a receive completed with nothing there");
	write_message(sleeper.ends[1], 1, 20);
	pthread_join(sleeper.thread, NULL);
	write_message(ends[1], 2, 20);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 2, 20);
	close_engine(s);
	for (unsigned i = 0; i < 2; i++) {
		close(ends[i]);
		close(sleeper.ends[i]);
	}
	sem_destroy(&sleeper.begins);
}

static char *library_begin;
static size_t library_len_bytes;

static void find_the_library(void)
{
	char line[400];
	FILE *maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof line, maps)) {
		unsigned long begin, end;
		if (strstr(line, "/libc.so") && strstr(line, " rw-p ") &&
		    sscanf(line, "%lx-%lx", &begin, &end) == 2) {
			library_begin = (char *)begin; /* NOLINT: the number is an address */
			library_len_bytes = end - begin;
		}
	}
	if (maps)
		fclose(maps);
	if (!library_begin)
		test_skipped("the C library's variables are not found");
}

static void guard_the_library(bool begins)
{
	mprotect(library_begin, library_len_bytes, begins ? PROT_READ : PROT_READ | PROT_WRITE);
}

static void caught(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	guard_the_library(false);
	char *at = info->si_addr;
	expect(at < library_begin || at >= library_begin + library_len_bytes,
	       EXPECTED("the handler to call only what signal-safety(7) lists")
		       SAW("it write to the C library's own variables, as printf and malloc do"));
	expect(false, EXPECTED("the engine to go on") SAW("a segmentation fault"));
}

/*
 * A handler may come while the C library is in the middle of something. So its variables are made
 * read-only while the handler runs, and who writes to them is caught each time, and not once in a
 * thousand.
 */
static void handler_is_async_signal_safe(struct subject *s)
{
	struct two two = open_two(s);
	struct sigaction catch = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER };
	calls_reset();
	calls_made(NULL); /* skips the test under a sanitizer, which has variables of its own */
	find_the_library();
	watch_the_handler(two.a[0]);
	sigaction(SIGSEGV, &catch, NULL);
	around_handler = guard_the_library;
	for (unsigned m = 0; m < 5; m++) {
		start(s, prepare_receive(s, 0, two.a[0], 0));
		write_message(two.a[1], m, 20);
		await(s, &s->op[0]);
		expect_message(s, &s->op[0], m, 20);
	}
	expect(handler_calls >= 4, EXPECTED("the handler to be called") SAW("%u calls"),
	       handler_calls);
	close_two(s, &two);
}

/* The table. */

#define EXERCISE_1 .exercise = 1, .engine = "signal", .allowed_calls = TAKING CHANGING MOVING
#define EXERCISE_2 .exercise = 2, .engine = "signal", .allowed_calls = TAKING CHANGING MOVING
#define EXERCISE_3 .exercise = 3, .engine = "signal", .allowed_calls = TAKING CHANGING MOVING
#define EXERCISE_4 .exercise = 4, .engine = "signal", .allowed_calls = TAKING CHANGING MOVING
#define EXERCISE_5 .exercise = 5, .engine = "signal", .allowed_calls = TAKING CHANGING MOVING
#define EXERCISE_6                                                                                 \
	.exercise = 6, .engine = "signal:signalfd", .allowed_calls = READING CHANGING MOVING
#define EXERCISE_7                                                                                 \
	.exercise = 7, .engine = "signal:handler",                                                 \
	.allowed_calls = BEING_INTERRUPTED CHANGING MOVING

#define TEST(test, which, function) .name = test, .flavours = which, .run = function

const struct lab_test lab_tests[] = {
	{ EXERCISE_1, TEST("takes_a_signal", STREAMS, takes_a_signal) },
	{ EXERCISE_1,
	  TEST("arms_for_its_own_thread", ONE(TCP) | ONE(PIPE), arms_for_its_own_thread) },
	{ EXERCISE_1,
	  TEST("asks_for_each_engine_who_it_is", ONE(UNIX), asks_for_each_engine_who_it_is) },
	{ EXERCISE_1, TEST("keeps_short_timeouts", ONE(TCP), keeps_short_timeouts) },
	{ EXERCISE_1, TEST("waits_for_as_many_as_asked", ONE(UNIX), waits_for_as_many_as_asked) },
	{ EXERCISE_1,
	  TEST("what_comes_does_not_prolong_the_wait", ONE(UNIX),
	       what_comes_does_not_prolong_the_wait),
	  .limit_s = 30 },
	{ EXERCISE_1, TEST("an_endless_wait_is_one_call", ONE(UNIX), an_endless_wait_is_one_call) },
	{ EXERCISE_1, TEST("price_does_not_grow", ONE(TCP), price_does_not_grow) },
	{ EXERCISE_1, TEST("looks_only_where_something_happened", SOCKETS,
			   looks_only_where_something_happened) },
	{ EXERCISE_1,
	  TEST("takes_the_signal_that_is_free", ONE(UNIX), takes_the_signal_that_is_free) },
	{ EXERCISE_1, TEST("takes_no_signal_of_anybody", ONE(NO_FD), takes_no_signal_of_anybody) },
	{ EXERCISE_1,
	  TEST("gives_back_what_another_claimed", ONE(UNIX), gives_back_what_another_claimed) },
	{ EXERCISE_1, TEST("ignores_what_no_descriptor_sent", ONE(UNIX) | ONE(PIPE),
			   ignores_what_no_descriptor_sent) },
	{ EXERCISE_1, TEST("takes_sigio_too", ONE(UNIX), takes_sigio_too) },
	{ EXERCISE_1,
	  TEST("what_sends_no_signal_is_refused", ONE(BUFFERED), what_sends_no_signal_is_refused) },
	{ EXERCISE_1, TEST("says_what_it_can_do", ONE(NO_FD), says_what_it_can_do) },
	{ EXERCISE_1,
	  TEST("what_it_tries_is_not_inherited", ONE(NO_FD), what_it_tries_is_not_inherited) },
	{ EXERCISE_1,
	  TEST("waits_without_touching", ONE(TCP) | ONE(PIPE), stream_waits_without_touching) },
	{ EXERCISE_1, TEST("sleeps_while_waiting", ONE(TCP), stream_sleeps_while_waiting) },
	{ EXERCISE_1, TEST("stays_asleep", ONE(UNIX), stream_stays_asleep) },
	{ EXERCISE_1,
	  TEST("short_waits_are_short", ONE(TCP), stream_waits_less_than_a_millisecond) },
	{ EXERCISE_1, TEST("keeps_all_bits_of_a_timeout", ONE(UNIX), stream_waits_for_ever) },
	{ EXERCISE_1, TEST("waits_for_seconds", ONE(UNIX), stream_waits_for_seconds) },
	{ EXERCISE_1, TEST("keeps_its_timeout", ONE(UNIX), stream_keeps_its_timeout) },
	{ EXERCISE_1, TEST("survives_signals", ONE(TCP), stream_survives_signals) },
	{ EXERCISE_1, TEST("a_signal_ends_the_wait", ONE(TCP), stream_signal_ends_the_wait) },
	{ EXERCISE_1, TEST("survives_many_signals_in_a_row", ONE(UNIX),
			   stream_survives_many_signals_in_a_row) },
	{ EXERCISE_1, TEST("end_while_waiting", STREAMS, stream_end_while_waiting) },
	{ EXERCISE_1, TEST("reset", ONE(TCP), tcp_reset) },
	{ EXERCISE_1,
	  TEST("comes_back_one_by_one", ONE(UNIX) | ONE(PIPE), stream_comes_back_one_by_one) },
	{ EXERCISE_1, TEST("fd_slot_beyond_65535", ONE(UNIX), stream_slot_beyond_65535) },
	{ EXERCISE_1, TEST("descriptor_0_is_served", ONE(UNIX), descriptor_0_is_served) },
	{ EXERCISE_1, TEST("two_engines_in_two_threads", ONE(UNIX), two_engines_in_two_threads) },
	{ EXERCISE_1, TEST("two_engines", ONE(UNIX), two_engines_on_streams) },
	{ EXERCISE_1, TEST("finds_the_active_one", ONE(TCP), stream_finds_the_active_one) },
	{ EXERCISE_1,
	  TEST("finds_many_ready_at_once", ONE(UNIX), stream_finds_many_ready_at_once) },
	{ EXERCISE_1, TEST("stays_blocking", ONE(TCP) | ONE(PIPE), stream_stays_blocking) },
	{ EXERCISE_1, TEST("cancel", ONE(TCP) | ONE(PIPE), stream_cancel) },
	{ EXERCISE_1, TEST("cancel_with_nothing", ONE(TCP), cancel_with_nothing_in_flight) },
	{ EXERCISE_1,
	  TEST("cancel_in_scattered_slots", ONE(UNIX), stream_cancel_in_scattered_slots) },
	{ EXERCISE_1, TEST("cancel_with_all_signals_blocked", ONE(UNIX),
			   stream_cancel_with_all_signals_blocked) },
	{ EXERCISE_1, TEST("signals_stay_as_they_were", ONE(UNIX), signals_stay_as_they_were) },
	{ EXERCISE_2, TEST("a_signal_of_another_is_not_touched", ONE(UNIX),
			   a_signal_of_another_is_not_touched) },
	{ EXERCISE_1,
	  TEST("signals_are_left_to_the_caller", ONE(UNIX), signals_are_left_to_the_caller) },
	{ EXERCISE_1, TEST("opens_without_memory_or_says_why_not", ONE(TCP), open_without_memory) },
	{ EXERCISE_1,
	  TEST("failures_leave_nothing_behind", ONE(NO_FD), failures_leave_nothing_behind) },
	{ EXERCISE_1, TEST("supports_or_says_why", ONE(NO_FD), supports_or_says_why) },
	{ EXERCISE_1, TEST("open_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ EXERCISE_1, TEST("supports_tells_what_fails", ONE(NO_FD), supports_tells_what_fails) },
	{ EXERCISE_1,
	  TEST("batch_is_in_flight_at_once", ONE(UNIX), stream_batch_is_in_flight_at_once) },
	{ EXERCISE_1, TEST("calls_one_back", ONE(UNIX) | ONE(PIPE), cancel_one_leaves_the_others) },
	{ EXERCISE_1, TEST("calls_one_back_too_late", ONE(UNIX), cancel_one_comes_too_late) },
	{ EXERCISE_1, TEST("accepts_who_comes", ONE(TCP), accept_waits_for_a_client) },
	{ EXERCISE_1, TEST("accepts_nobody_after_a_false_alarm", ONE(UNIX),
			   accept_false_alarm_goes_on_waiting) },
	{ EXERCISE_1, TEST("lends_when_bytes_are_there", ONE(UNIX), lent_buffer_holds_what_came) },
	{ EXERCISE_1, TEST("lends_for_bytes_only", ONE(UNIX), lent_buffer_for_bytes_only) },
	{ EXERCISE_1, TEST("lends_nothing_while_it_waits", ONE(UNIX), lent_buffers_wait_for_none) },
	{ EXERCISE_1, TEST("receives_what_is_there", STREAMS, stream_receives_what_is_there) },
	{ EXERCISE_1,
	  TEST("receive_timeout_is_an_error", ONE(UNIX), socket_receive_timeout_is_an_error) },
	{ EXERCISE_1, TEST("options_stay", ONE(TCP), socket_options_stay) },
	{ EXERCISE_1, TEST("sends_right_data", STREAMS, stream_sends_right_data) },
	{ EXERCISE_1, TEST("both_directions", SOCKETS, socket_both_directions_at_once) },
	{ EXERCISE_1, TEST("peer_that_stopped_sending_hears", ONE(UNIX),
			   socket_peer_that_stopped_sending_hears) },
	{ EXERCISE_1, TEST("send_to_nobody", STREAMS, stream_send_to_nobody) },
	{ EXERCISE_1, TEST("slot_is_used_again", ONE(TCP) | ONE(PIPE), stream_slot_is_used_again) },

	{ EXERCISE_2, TEST("result_is_all_that_is_written", ONE(UNIX) | ONE(PIPE),
			   result_is_all_that_is_written) },
	{ EXERCISE_2,
	  TEST("tells_that_no_number_is_free", ONE(UNIX), accept_without_a_free_number) },
	{ EXERCISE_2, TEST("keeps_two_engines_apart", ONE(UNIX), keeps_two_engines_apart) },
	{ EXERCISE_2, TEST("is_not_inherited", ONE(UNIX), descriptors_are_not_inherited) },
	{ EXERCISE_2, TEST("lends_as_many_as_there_are", ONE(UNIX), lent_buffers_are_short) },
	{ EXERCISE_2, TEST("receives_in_full_buffers", STREAMS, stream_receives_in_full_buffers) },
	{ EXERCISE_2, TEST("end_of_file", STREAMS, stream_end_of_file) },
	{ EXERCISE_2, TEST("bytes_before_the_hang_up", ONE(UNIX) | ONE(PIPE),
			   stream_bytes_before_the_hang_up) },
	{ EXERCISE_2, TEST("error_behind_bytes", ONE(TCP), tcp_error_behind_bytes) },
	{ EXERCISE_2, TEST("zero_bytes", ONE(UNIX), stream_zero_bytes) },
	{ EXERCISE_2, TEST("accepts_who_waits", ONE(TCP), accept_takes_who_waits) },
	{ EXERCISE_2, TEST("calls_one_back_and_receives_again", ONE(UNIX) | ONE(PIPE),
			   cancel_one_leaves_the_descriptor_whole) },
	{ EXERCISE_2,
	  TEST("false_alarm_is_no_result", ONE(UNIX), accept_of_a_client_that_has_gone) },
	{ EXERCISE_2, TEST("sees_earlier_bytes", STREAMS, sees_earlier_bytes) },
	{ EXERCISE_2, TEST("remembers_news", STREAMS, remembers_news) },
	{ EXERCISE_2, TEST("sees_the_end_behind_bytes", SOCKETS, sees_the_end_behind_bytes) },
	{ EXERCISE_2,
	  TEST("takes_the_rest_without_a_signal", STREAMS, takes_the_rest_without_a_signal) },
	{ EXERCISE_2,
	  TEST("an_error_drains_nothing", ONE(UNIX) | ONE(PIPE), an_error_drains_nothing) },
	{ EXERCISE_2,
	  TEST("looking_does_not_sleep", ONE(UNIX) | ONE(PIPE), looking_does_not_sleep) },
	{ EXERCISE_2, TEST("a_message_is_two_calls", SOCKETS, a_message_is_two_calls) },
	{ EXERCISE_2,
	  TEST("unwanted_bytes_are_silent", ONE(TCP) | ONE(PIPE), unwanted_bytes_are_silent) },
	{ EXERCISE_2, TEST("hang_up_is_silent", STREAMS, hang_up_is_silent) },
	{ EXERCISE_2, TEST("reset_is_silent", ONE(TCP), reset_is_silent) },

	{ EXERCISE_3, TEST("connections_tell_what_fails", ONE(TCP), connections_tell_what_fails) },
	{ EXERCISE_3, TEST("tells_what_fails", ONE(UNIX) | ONE(PIPE), stream_tells_what_fails) },
	{ EXERCISE_3, TEST("survives_a_full_buffer", STREAMS, stream_survives_a_full_buffer) },
	{ EXERCISE_3, TEST("peer_that_stopped_sending_makes_room", ONE(UNIX),
			   socket_peer_that_stopped_sending_makes_room) },
	{ EXERCISE_3,
	  TEST("send_survives_signals", ONE(UNIX) | ONE(PIPE), stream_send_survives_signals) },
	{ EXERCISE_3, TEST("cancel_of_sends", ONE(UNIX) | ONE(PIPE), stream_cancel_of_sends) },
	{ EXERCISE_3, TEST("calls_one_send_back", ONE(UNIX), cancel_one_of_a_send) },
	{ EXERCISE_3, TEST("calls_a_send_back_too_late", ONE(UNIX) | ONE(PIPE),
			   cancel_one_of_a_send_that_fits) },
	{ EXERCISE_3, TEST("reset_of_a_send_that_waits", ONE(TCP), tcp_reset_while_a_send_waits) },
	{ EXERCISE_3, TEST("connects", SOCKETS, connect_reaches_a_listener) },
	{ EXERCISE_3, TEST("connects_to_nobody", ONE(TCP), connect_to_nobody) },
	{ EXERCISE_3, TEST("calls_a_connect_back", ONE(TCP), connect_waits_and_is_called_back) },
	{ EXERCISE_3, TEST("waits_for_room", SOCKETS, waits_for_room) },
	{ EXERCISE_3,
	  TEST("finds_room_of_which_nobody_tells", ONE(UNIX), finds_room_of_which_nobody_tells) },
	{ EXERCISE_3, TEST("a_send_that_fits_is_one_call", SOCKETS, a_send_that_fits_is_one_call) },
	{ EXERCISE_3,
	  TEST("a_peer_that_leaves_ends_a_send", STREAMS, a_peer_that_leaves_ends_a_send) },
	{ EXERCISE_3, TEST("cancel_takes_back_a_send", SOCKETS, cancel_takes_back_a_send) },
	{ EXERCISE_3, TEST("keeps_the_other_direction", SOCKETS, keeps_the_other_direction) },
	{ EXERCISE_3, TEST("looks_in_the_right_direction", SOCKETS, looks_in_the_right_direction) },

	{ EXERCISE_4, TEST("false_alarm_goes_on_waiting", SOCKETS, false_alarm_goes_on_waiting) },
	{ EXERCISE_4,
	  TEST("attach_tells_what_fails", ONE(UNIX) | ONE(PIPE), attach_tells_what_fails) },
	{ EXERCISE_4, TEST("stays_whole_after_the_end", ONE(UNIX) | ONE(PIPE),
			   stream_stays_whole_after_the_end) },
	{ EXERCISE_4, TEST("detached_unused", ONE(UNIX) | ONE(PIPE), stream_detached_unused) },
	{ EXERCISE_4, TEST("number_moves_to_another_slot", ONE(UNIX) | ONE(PIPE),
			   stream_number_moves_to_another_slot) },
	{ EXERCISE_4,
	  TEST("slot_takes_another_number", ONE(UNIX), stream_slot_takes_another_number) },
	{ EXERCISE_4, TEST("leaves_the_open_file_as_it_came", ONE(TCP) | ONE(PIPE),
			   leaves_the_open_file_as_it_came) },
	{ EXERCISE_4, TEST("leaves_what_it_refuses_as_it_came", ONE(BUFFERED),
			   leaves_what_it_refuses_as_it_came) },
	{ EXERCISE_4,
	  TEST("leaves_no_signal_behind", ONE(UNIX) | ONE(PIPE), leaves_no_signal_behind) },
	{ EXERCISE_4, TEST("hears_after_its_twin_is_gone", ONE(TCP) | ONE(PIPE),
			   hears_after_its_twin_is_gone) },
	{ EXERCISE_4, TEST("a_signal_for_the_twin_that_went", ONE(UNIX) | ONE(PIPE),
			   a_signal_for_the_twin_that_went) },
	{ EXERCISE_4, TEST("loses_nothing_while_it_arms_anew", ONE(UNIX) | ONE(PIPE),
			   loses_nothing_while_it_arms_anew) },
	{ EXERCISE_4, TEST("a_twin_that_cannot_be_armed_is_told", ONE(UNIX) | ONE(PIPE),
			   a_twin_that_cannot_be_armed_is_told) },
	{ EXERCISE_4, TEST("all_twins_are_looked_at", ONE(UNIX), all_twins_are_looked_at) },
	{ EXERCISE_4,
	  TEST("an_old_signal_is_a_false_alarm", STREAMS, an_old_signal_is_a_false_alarm) },
	{ EXERCISE_4, TEST("slot_of_a_twin_is_used_again", ONE(UNIX) | ONE(PIPE),
			   slot_of_a_twin_is_used_again) },
	{ EXERCISE_4,
	  TEST("the_ends_of_a_pipe_are_no_twins", ONE(PIPE), the_ends_of_a_pipe_are_no_twins) },
	{ EXERCISE_4, TEST("a_message_at_any_moment_of_detach", ONE(UNIX) | ONE(PIPE),
			   a_message_at_any_moment_of_detach) },
	/* What could not be armed is armed again by whoever waits next, in submit(). */
	{ .exercise = 4,
	  .engine = "signal",
	  TEST("detach_tells_all_twins_what_fails", ONE(UNIX) | ONE(PIPE),
	       detach_tells_all_twins_what_fails) },
	{ .exercise = 4,
	  .engine = "signal",
	  TEST("each_twin_is_armed_by_its_own_receive", ONE(UNIX) | ONE(PIPE),
	       each_twin_is_armed_by_its_own_receive) },
	{ EXERCISE_4, TEST("one_signal_is_for_all_twins", STREAMS, one_signal_is_for_all_twins) },
	{ EXERCISE_4, TEST("close_leaves_alone_what_was_detached", ONE(UNIX) | ONE(PIPE),
			   close_leaves_alone_what_was_detached) },
	{ EXERCISE_4, TEST("attach_that_fails_leaves_twins_whole", ONE(UNIX) | ONE(PIPE),
			   attach_that_fails_leaves_twins_whole) },
	{ EXERCISE_4, TEST("what_another_has_armed_is_refused", ONE(UNIX) | ONE(PIPE),
			   what_another_has_armed_is_refused) },

	{ EXERCISE_5, TEST("the_first_to_close_leaves_the_other_whole", ONE(UNIX),
			   the_first_to_close_leaves_the_other_whole) },
	{ EXERCISE_5, TEST("closing_one_leaves_sigio_to_the_other", ONE(UNIX) | ONE(PIPE),
			   closing_one_leaves_sigio_to_the_other) },
	{ EXERCISE_5, TEST("survives_a_full_queue", ONE(UNIX) | ONE(PIPE), survives_a_full_queue) },
	{ EXERCISE_5, TEST("lives_on_sigio_alone", STREAMS, lives_on_sigio_alone) },
	{ EXERCISE_5,
	  TEST("finds_room_after_a_full_queue", SOCKETS, finds_room_after_a_full_queue) },
	{ EXERCISE_5, TEST("the_way_back_is_short", ONE(UNIX), the_way_back_is_short) },
	{ EXERCISE_5,
	  TEST("the_way_back_tells_what_fails", ONE(UNIX), the_way_back_tells_what_fails) },
	{ EXERCISE_5,
	  TEST("the_way_back_survives_a_signal", ONE(UNIX), the_way_back_survives_a_signal) },
	{ EXERCISE_5, TEST("forgets_old_signals_first", ONE(UNIX), forgets_old_signals_first) },
	{ EXERCISE_5, TEST("forgets_before_it_asks", ONE(UNIX), forgets_before_it_asks) },
	{ EXERCISE_5,
	  TEST("forgets_what_the_way_back_knows", ONE(UNIX), forgets_what_the_way_back_knows) },
	{ EXERCISE_5,
	  TEST("sees_the_end_behind_a_full_queue", STREAMS, sees_the_end_behind_a_full_queue) },
	{ EXERCISE_5, TEST("sigio_names_nobody", ONE(UNIX), sigio_names_nobody) },
	{ EXERCISE_5, TEST("two_engines_hear_one_sigio", ONE(UNIX), two_engines_hear_one_sigio) },

	{ EXERCISE_6, TEST("signalfd_takes_many_at_once", ONE(UNIX), signalfd_takes_many_at_once) },
	{ EXERCISE_6, TEST("signalfd_receives_what_is_there", ONE(TCP) | ONE(PIPE),
			   stream_receives_what_is_there) },
	{ EXERCISE_6,
	  TEST("signalfd_waits_without_touching", ONE(TCP), stream_waits_without_touching) },
	{ EXERCISE_6, TEST("signalfd_looking_does_not_sleep", ONE(UNIX), looking_does_not_sleep) },
	{ EXERCISE_6, TEST("signalfd_keeps_short_timeouts", ONE(TCP), keeps_short_timeouts) },
	{ EXERCISE_6,
	  TEST("signalfd_keeps_all_bits_of_a_timeout", ONE(UNIX), stream_waits_for_ever) },
	{ EXERCISE_6,
	  TEST("signalfd_what_comes_does_not_prolong_the_wait", ONE(UNIX),
	       what_comes_does_not_prolong_the_wait),
	  .limit_s = 30 },
	{ EXERCISE_6, TEST("signalfd_survives_signals", ONE(TCP), stream_survives_signals) },
	{ EXERCISE_6,
	  TEST("signalfd_a_signal_ends_the_wait", ONE(TCP), stream_signal_ends_the_wait) },
	{ EXERCISE_6, TEST("signalfd_stays_asleep", ONE(UNIX), stream_stays_asleep) },
	{ EXERCISE_6,
	  TEST("signalfd_finds_many_ready_at_once", ONE(UNIX), stream_finds_many_ready_at_once) },
	{ EXERCISE_6, TEST("signalfd_waits_for_room", SOCKETS, waits_for_room) },
	{ EXERCISE_6, TEST("signalfd_two_engines", ONE(UNIX), two_engines_on_streams) },
	{ EXERCISE_6, TEST("signalfd_is_not_inherited", ONE(UNIX), descriptors_are_not_inherited) },
	{ EXERCISE_6, TEST("signalfd_ignores_what_no_descriptor_sent", ONE(UNIX),
			   ignores_what_no_descriptor_sent) },
	{ EXERCISE_6, TEST("signalfd_open_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ EXERCISE_6,
	  TEST("signalfd_tells_what_fails", ONE(UNIX) | ONE(PIPE), stream_tells_what_fails) },
	{ EXERCISE_6,
	  TEST("signalfd_signals_stay_as_they_were", ONE(UNIX), signals_stay_as_they_were) },
	{ EXERCISE_6, TEST("signalfd_failures_leave_nothing_behind", ONE(NO_FD),
			   failures_leave_nothing_behind) },
	{ EXERCISE_6,
	  TEST("signalfd_leaves_no_signal_behind", ONE(UNIX), leaves_no_signal_behind) },
	{ EXERCISE_6,
	  TEST("signalfd_survives_a_full_queue", ONE(UNIX) | ONE(PIPE), survives_a_full_queue) },
	{ EXERCISE_6, TEST("signalfd_lives_on_sigio_alone", ONE(UNIX), lives_on_sigio_alone) },
	{ EXERCISE_6, TEST("signalfd_says_what_it_can_do", ONE(NO_FD), says_what_it_can_do) },

	{ EXERCISE_7,
	  TEST("handler_takes_the_signal", ONE(TCP) | ONE(PIPE), handler_takes_the_signal) },
	{ EXERCISE_7, TEST("handler_leaves_no_gap", ONE(UNIX) | ONE(PIPE), handler_leaves_no_gap) },
	{ EXERCISE_7, TEST("handler_runs_only_in_reap", ONE(UNIX), handler_runs_only_in_reap) },
	{ EXERCISE_7,
	  TEST("handler_keeps_the_callers_mask", ONE(UNIX), handler_keeps_the_callers_mask) },
	{ EXERCISE_7, TEST("handler_knows_its_engine", ONE(UNIX), handler_knows_its_engine) },
	{ EXERCISE_7,
	  TEST("handler_is_async_signal_safe", ONE(UNIX), handler_is_async_signal_safe) },
	{ EXERCISE_7, TEST("handler_receives_what_is_there", ONE(TCP) | ONE(PIPE),
			   stream_receives_what_is_there) },
	{ EXERCISE_7,
	  TEST("handler_waits_without_touching", ONE(TCP), stream_waits_without_touching) },
	{ EXERCISE_7, TEST("handler_looking_does_not_sleep", ONE(UNIX), looking_does_not_sleep) },
	{ EXERCISE_7, TEST("handler_keeps_short_timeouts", ONE(TCP), keeps_short_timeouts) },
	{ EXERCISE_7,
	  TEST("handler_keeps_all_bits_of_a_timeout", ONE(UNIX), stream_waits_for_ever) },
	{ EXERCISE_7,
	  TEST("handler_what_comes_does_not_prolong_the_wait", ONE(UNIX),
	       what_comes_does_not_prolong_the_wait),
	  .limit_s = 30 },
	{ EXERCISE_7, TEST("handler_survives_signals", ONE(TCP), stream_survives_signals) },
	{ EXERCISE_7,
	  TEST("handler_a_signal_ends_the_wait", ONE(TCP), stream_signal_ends_the_wait) },
	{ EXERCISE_7, TEST("handler_stays_asleep", ONE(UNIX), stream_stays_asleep) },
	{ EXERCISE_7,
	  TEST("handler_finds_many_ready_at_once", ONE(UNIX), stream_finds_many_ready_at_once) },
	{ EXERCISE_7, TEST("handler_waits_for_room", SOCKETS, waits_for_room) },
	{ EXERCISE_7, TEST("handler_two_engines", ONE(UNIX), two_engines_on_streams) },
	{ EXERCISE_7, TEST("handler_is_not_inherited", ONE(UNIX), descriptors_are_not_inherited) },
	{ EXERCISE_7, TEST("handler_ignores_what_no_descriptor_sent", ONE(UNIX),
			   ignores_what_no_descriptor_sent) },
	{ EXERCISE_7, TEST("handler_open_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ EXERCISE_7,
	  TEST("handler_tells_what_fails", ONE(UNIX) | ONE(PIPE), stream_tells_what_fails) },
	{ EXERCISE_7,
	  TEST("handler_signals_stay_as_they_were", ONE(UNIX), signals_stay_as_they_were) },
	{ EXERCISE_7, TEST("handler_failures_leave_nothing_behind", ONE(NO_FD),
			   failures_leave_nothing_behind) },
	{ EXERCISE_7, TEST("handler_leaves_no_signal_behind", ONE(UNIX), leaves_no_signal_behind) },
	{ EXERCISE_7,
	  TEST("handler_survives_a_full_queue", ONE(UNIX) | ONE(PIPE), survives_a_full_queue) },
	{ EXERCISE_7, TEST("handler_lives_on_sigio_alone", ONE(UNIX), lives_on_sigio_alone) },
	{ EXERCISE_7, TEST("handler_says_what_it_can_do", ONE(NO_FD), says_what_it_can_do) },
	{ .exercise = 7,
	  .engine = "signal:signalfd+handler",
	  TEST("refuses_both_ways", ONE(NO_FD), refuses_both_ways) },
	{ .exercise = 7,
	  .engine = "signal:signalfd+handler",
	  TEST("says_why_not_both_ways", ONE(NO_FD), supports_or_says_why) },
	THE_REST_OF_THE_CONTRACT(7, "signal", STREAMS, BLOCKING),
	{ NULL },
};
