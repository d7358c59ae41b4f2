/* SPDX-License-Identifier: MIT */
/* Lab 03: what an engine on ppoll must do: which rows it hands to the kernel, and by which calls. */
#include "lab_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "allocation_count.h"
#include "clock.h"
#include "failing_calls.h"
#include "stream_test.h"

/* The interface, as words for allowed_calls and calls_made(). poll and select are not among them:
 * they count in larger steps than nanoseconds. */
#define RECEIVING "ppoll recvfrom recvmsg read readv accept accept4 "
#define STREAMING RECEIVING "sendto sendmsg write writev connect "
#define FILING	  "ppoll pread64 pwrite64 preadv pwritev preadv2 pwritev2 fsync fdatasync "

static void close_both(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

/* What a thread sleeps in. */

/* A system call that a thread of this process sleeps in, by proc(5): /proc/PID/syscall. */
struct sleeping_call {
	long number; /* -1: it does not sleep in one */
	unsigned long arguments[6];
};

static void read_line(int tid, const char *file, char *line, size_t size)
{
	char path[64];
	line[0] = '\0';
	snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, size - 1);
	line[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* A thread that the proctor has stopped at a call is not asleep ("t"). */
static bool is_asleep(int tid)
{
	char line[256];
	read_line(tid, "stat", line, sizeof line);
	const char *name_end = strrchr(line, ')');
	return name_end && name_end[1] && name_end[2] == 'S';
}

static struct sleeping_call call_of(int tid)
{
	struct sleeping_call call = { .number = -1 };
	unsigned long *a = call.arguments;
	char line[256];
	bool slept = is_asleep(tid);
	read_line(tid, "syscall", line, sizeof line);
	int found = sscanf(line, "%ld %lx %lx %lx %lx %lx %lx", &call.number, &a[0], &a[1], &a[2],
			   &a[3], &a[4], &a[5]);
	if (!slept || found != 7 || !is_asleep(tid))
		call.number = -1;
	return call;
}

#define ROWS_MOST 128u

/*
 * A thread of the test's own. It waits until the test's thread sleeps in ppoll, keeps what ppoll was
 * given, and then sends a byte to `wake_fd`.
 */
struct watcher {
	pthread_t thread;
	int tid;
	int wake_fd;
	bool found, unreadable;
	unsigned long row_count;
	struct pollfd rows[ROWS_MOST];
	bool for_ever;
	struct timespec timeout;
};

static void keep(struct watcher *w, const struct sleeping_call *call)
{
	/* The engine's own memory, which stays as it is while ppoll sleeps. */
	const struct pollfd *rows = (const struct pollfd *)call->arguments[0];
	const struct timespec *timeout = (const struct timespec *)call->arguments[2];
	w->row_count = call->arguments[1];
	for (unsigned i = 0; i < w->row_count && i < ROWS_MOST; i++)
		w->rows[i] = rows[i];
	w->for_ever = !timeout;
	if (timeout)
		w->timeout = *timeout;
}

static void look_at_the_sleeper(struct watcher *w)
{
	struct timespec pause = { .tv_nsec = 200 * NS_PER_US };
	char line[256];
	read_line(w->tid, "syscall", line, sizeof line);
	w->unreadable = !line[0];
	uint64_t end_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (!w->unreadable && !w->found && clock_ns() < end_ns) {
		struct sleeping_call call = call_of(w->tid);
		w->found = call.number == SYS_ppoll;
		if (w->found)
			keep(w, &call);
		else
			nanosleep(&pause, NULL);
	}
}

static void wake_the_sleeper(struct watcher *w)
{
	if (write(w->wake_fd, "!", 1) != 1)
		w->found = false;
}

static void *watch_the_sleeper(void *argument)
{
	look_at_the_sleeper(argument);
	wake_the_sleeper(argument);
	return NULL;
}

static void begin_watching(struct watcher *w, int wake_fd)
{
	w->tid = (int)syscall(SYS_gettid);
	w->wake_fd = wake_fd;
	expect(pthread_create(&w->thread, NULL, watch_the_sleeper, w) == 0,
	       "the test has no thread");
}

static void end_watching(struct watcher *w)
{
	pthread_join(w->thread, NULL);
	if (w->unreadable)
		test_skipped("this kernel has no /proc/PID/syscall");
	expect(w->found, EXPECTED("the engine to sleep in ppoll") SAW("it never sleep there"));
}

/* What the kernel was asked for on `fd`: the events of all its rows. */
static unsigned events_asked(const struct watcher *w, int fd)
{
	unsigned events = 0;
	for (unsigned i = 0; i < w->row_count && i < ROWS_MOST; i++)
		if (w->rows[i].fd == fd)
			events |= (unsigned short)w->rows[i].events;
	return events;
}

/* "POLLIN|POLLOUT", in a buffer that lasts as long as the block around it. */
#define event_names(events) event_words((events), (char[80]) { "" })
static const char *event_words(unsigned events, char *text)
{
	static const struct {
		unsigned bit;
		const char *name;
	} known[] = {
		{ POLLIN, "POLLIN" },	{ POLLOUT, "POLLOUT" }, { POLLPRI, "POLLPRI" },
		{ POLLERR, "POLLERR" }, { POLLHUP, "POLLHUP" }, { POLLRDHUP, "POLLRDHUP" },
	};
	for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
		if (events & known[i].bit)
			snprintf(text + strlen(text), 80 - strlen(text), "%s%s", *text ? "|" : "",
				 known[i].name);
	return *text ? text : "nothing";
}

/*
 * A thread of the test's own that watches the test's thread. When that sleeps in a call which is to
 * wait for nothing, it says so and ends the sleep: a test that fails need not hang.
 */
struct guard {
	pthread_t thread;
	int tid;
	long forbidden[4]; /* numbers of system calls */
	unsigned forbidden_count;
	void (*rescue)(int fd);
	int fd;
	atomic_bool done;
	bool slept;
};

static void *guard_the_sleeper(void *argument)
{
	struct guard *g = argument;
	struct timespec pause = { .tv_nsec = NS_PER_MS };
	while (!g->done && !g->slept) {
		struct sleeping_call call = call_of(g->tid);
		for (unsigned i = 0; i < g->forbidden_count; i++)
			g->slept = g->slept || call.number == g->forbidden[i];
		nanosleep(&pause, NULL);
	}
	if (g->slept)
		g->rescue(g->fd);
	return NULL;
}

static void begin_guarding(struct guard *g)
{
	g->tid = (int)syscall(SYS_gettid);
	expect(pthread_create(&g->thread, NULL, guard_the_sleeper, g) == 0,
	       "the test has no thread");
}

static void end_guarding(struct guard *g)
{
	g->done = true;
	pthread_join(g->thread, NULL);
}

static void send_a_byte(int fd)
{
	if (write(fd, "!", 1) != 1)
		abort(); /* the test's own end */
}

static void take_what_is_there(int fd)
{
	read_what_is_there(fd);
}

/* `count` connections, and a receive that waits on each. */
static void open_waiting(struct subject *s, int (*ends)[2], unsigned count)
{
	open_engine(s, count, count);
	for (unsigned i = 0; i < count; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	expect(s->inflight == count, EXPECTED("%u receives in flight") SAW("%u"), count,
	       s->inflight);
}

/* Calls back what still waits. */
static void close_waiting(struct subject *s, int (*ends)[2], unsigned count)
{
	s->ops->cancel(s->engine);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < count; i++)
		close_both(ends[i]);
}

/* Exercise 1: a row for each operation that waits, and one call for all rows. */

#define WAITING 50u

/* The kernel walks each row that it gets. So it gets those in which something waits, and no others. */
static void hands_over_what_waits(struct subject *s)
{
	int ends[WAITING][2];
	struct watcher before = { 0 }, after = { 0 };
	open_waiting(s, ends, WAITING);
	begin_watching(&before, ends[0][1]);
	await(s, &s->op[0]);
	end_watching(&before);
	expect(before.row_count == WAITING,
	       EXPECTED("%u receives that wait to be %u rows of ppoll") SAW("%lu"), WAITING,
	       WAITING, before.row_count);
	for (unsigned i = 0; i < WAITING; i++) {
		unsigned events = events_asked(&before, ends[i][0]);
		expect(events & POLLIN && !(events & POLLOUT),
		       EXPECTED("POLLIN and no POLLOUT in the row of fd %d") SAW("%s"), ends[i][0],
		       event_names(events));
	}
	/* One of them is over, and nothing waits there now. */
	begin_watching(&after, ends[7][1]);
	await(s, &s->op[7]);
	end_watching(&after);
	expect(after.row_count == WAITING - 1 && events_asked(&after, ends[0][0]) == 0,
	       WHEN("one of %u receives was over") EXPECTED("ppoll to get the other %u")
		       SAW("%lu rows"),
	       WAITING, WAITING - 1, after.row_count);
	expect_one_thread();
	close_waiting(s, ends, WAITING);
}

#define MESSAGES 20u

/* System calls for MESSAGES messages, while receives wait on `count` connections. */
static unsigned calls_with(struct subject *s, unsigned count)
{
	int(*ends)[2] = calloc(count, sizeof *ends);
	open_waiting(s, ends, count);
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
	close_waiting(s, ends, count);
	free(ends);
	return calls;
}

/* What grows is the work inside one ppoll, and not the number of calls. */
static void one_call_waits_for_all(struct subject *s)
{
	raise_fd_limit(CONNECTIONS_MANY);
	unsigned calls = calls_with(s, 1);
	expect(calls <= 3 * MESSAGES,
	       EXPECTED("at most 3 system calls a message (wait, receive)")
		       SAW("%u for %u messages"),
	       calls, MESSAGES);
	unsigned calls_many = calls_with(s, CONNECTIONS_MANY);
	expect(calls_many <= calls + 5,
	       EXPECTED("%u connections to cost as many system calls as one does (%u)") SAW("%u"),
	       CONNECTIONS_MANY, calls, calls_many);
}

static void sleeps_in_the_kernel(struct subject *s)
{
	struct two two = open_two(s);
	start(s, prepare_receive(s, 0, two.a[0], 0));
	expect_idle(s, 1, two.b, 1, "a receive that waits");
	write_message(two.a[1], 1, 50);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 50);
	close_two(s, &two);
}

/* What no operation waits for has no row, and keeps nobody awake. */
static void unwanted_bytes_are_silent(struct subject *s)
{
	struct two two = open_two(s);
	for (unsigned round = 0; round < 2; round++) {
		write_message(two.a[1], round, 50);
		expect_idle(s, 1, two.b, 1, "a connection with bytes that nobody asks for");
		perform(s, prepare_receive(s, 0, two.a[0], 0));
		expect_message(s, &s->op[0], round, 50);
	}
	note("peer     closes");
	close(two.a[1]);
	two.a[1] = -1;
	expect_idle(s, 1, two.b, 1, "a connection that its peer has closed");
	close_two(s, &two);
}

/* A wait without end is a NULL for ppoll. (A timeout of 0 would spin, and one of -1 ns is refused.) */
static void waits_without_end(struct subject *s)
{
	int ends[1][2];
	struct io_op *done[1];
	struct watcher watcher = { 0 };
	open_waiting(s, ends, 1);
	calls_reset();
	begin_watching(&watcher, ends[0][1]);
	unsigned n = reap(s, done, 1, 1, -1);
	unsigned waits = calls_made("ppoll");
	end_watching(&watcher);
	expect(n == 1, WHEN("without a limit of time") EXPECTED("the byte that came") SAW("%u"), n);
	expect(waits == 1, WHEN("without a limit of time") EXPECTED("one ppoll") SAW("%u"), waits);
	close_waiting(s, ends, 1);
}

/* It is reap()'s result, and what waits goes on waiting. */
static void an_error_of_ppoll_is_told(struct subject *s)
{
	int ends[1][2];
	struct io_op *done[1];
	open_waiting(s, ends, 1);
	fail_call("ppoll", ENOMEM, 0);
	int rc = s->ops->reap(s->engine, done, 1, 1, A_MOMENT_NS);
	expect(call_failed(), EXPECTED("a ppoll") SAW("none"));
	expect(rc == -ENOMEM, WHEN("ppoll fails") EXPECTED("-ENOMEM from reap()") SAW("%s"),
	       answer(rc));
	write_message(ends[0][1], 1, 20);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 20);
	close_waiting(s, ends, 1);
}

/* What goes out waits for room, and for nothing that comes in. */
static void a_send_asks_for_room(struct subject *s)
{
	int ends[2], others[2];
	char byte;
	struct watcher watcher = { 0 };
	make_pair(s, ends);
	make_pair(s, others);
	fill(s, ends[0]);
	open_engine(s, 2, 2);
	attach(s, 0, ends[0]);
	attach(s, 1, others[0]);
	buffer_of(s, 0)[0] = '?';
	start(s, prepare(s, 0, IO_SEND, ends[0], 0, IO_NO_OFFSET, 1));
	start(s, prepare_receive(s, 1, others[0], 1));
	begin_watching(&watcher, others[1]);
	await(s, &s->op[1]);
	end_watching(&watcher);
	unsigned events = events_asked(&watcher, ends[0]);
	expect(events & POLLOUT && !(events & POLLIN),
	       EXPECTED("POLLOUT and no POLLIN in the row of a send") SAW("%s"),
	       event_names(events));
	expect(s->op[0].in_flight, "the send came back although its peer has read nothing");
	read_what_is_there(ends[1]);
	await(s, &s->op[0]);
	expect(s->op[0].result == 1, EXPECTED("1 byte sent") SAW("%s"), answer(s->op[0].result));
	expect(recv(ends[1], &byte, 1, MSG_DONTWAIT) == 1 && byte == '?',
	       EXPECTED("the byte that was sent") SAW("another, or none"));
	close_engine(s);
	close_both(ends);
	close_both(others);
}

/* poll itself refuses nothing: a file is ready, whatever that is worth. But a no-op has no row. */
static void says_what_it_can_do(struct subject *s)
{
	static const struct {
		enum io_kind kind;
		enum io_fd_kind fd_kind;
		const char *words;
	} pairs[] = {
		{ IO_READ, IO_FD_FILE, "READ on a file" },
		{ IO_WRITE, IO_FD_FILE, "WRITE on a file" },
		{ IO_FSYNC, IO_FD_FILE, "FSYNC on a file" },
		{ IO_READ, IO_FD_PIPE, "READ on a pipe" },
		{ IO_WRITE, IO_FD_PIPE, "WRITE on a pipe" },
		{ IO_RECV, IO_FD_SOCKET, "RECV on a socket" },
		{ IO_SEND, IO_FD_SOCKET, "SEND on a socket" },
		{ IO_ACCEPT, IO_FD_LISTENER, "ACCEPT on a listener" },
		{ IO_CONNECT, IO_FD_SOCKET, "CONNECT on a socket" },
	};
	const struct engine_config config = { .depth = 1, .cpu_count = 1 };
	struct reason why = { "" };
	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		int rc = s->ops->supports(&config, pairs[i].kind, pairs[i].fd_kind, &why);
		expect(rc == 0, EXPECTED("0 from supports() for %s") SAW("%s: %s"), pairs[i].words,
		       answer(rc), why.text);
	}
	int rc = s->ops->supports(&config, IO_NOP, IO_FD_NONE, &why);
	expect(rc == -EOPNOTSUPP && why.text[0],
	       EXPECTED("-EOPNOTSUPP for a no-op, with a reason") SAW("%s: %s"), answer(rc),
	       why.text);
	expect(s->ops->traits & IO_WAITS_FOR_READINESS,
	       EXPECTED("an engine that says that it waits for readiness") SAW("none"));
}

/* Each engine has its rows to itself, whatever happens between two of its calls. */
static void keeps_two_engines_apart(struct subject *s)
{
	expect_engines_apart(s, "ppoll", "recvfrom recvmsg read readv");
}

/* Exercise 2: calls that cannot sleep. */

/*
 * Two dups of one socket are both ready. The first receive takes all, the second finds nothing. A
 * call that sleeps there is seen and ended. The third has nothing to do with it: it is the last row,
 * so a walk that goes wrong after a row has left (exercise 5) passes over this one, and not over the
 * false alarm.
 */
static void false_alarm_goes_on_waiting(struct subject *s)
{
	int ends[2], others[2];
	struct io_op *done[3];
	make_pair(s, ends);
	make_pair(s, others);
	int twin = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	open_engine(s, 3, 3);
	attach(s, 0, ends[0]);
	attach(s, 1, twin);
	attach(s, 2, others[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
	start(s, prepare_receive(s, 1, twin, 1));
	start(s, prepare_receive(s, 2, others[0], 2));
	write_message(ends[1], 1, 20);
	struct guard guard = { .forbidden = { SYS_recvfrom, SYS_recvmsg, SYS_read, SYS_readv },
			       .forbidden_count = 4,
			       .rescue = send_a_byte,
			       .fd = ends[1] };
	begin_guarding(&guard);
	unsigned n = reap(s, done, 1, 3, PATIENCE_NS);
	end_guarding(&guard);
	expect(!guard.slept,
	       WHEN("another receive was faster") EXPECTED("a call that does not sleep")
		       SAW("the loop sleep in a receive: all others wait with it"));
	expect(n == 1, EXPECTED("one of two receives to find the only message") SAW("%u come back"),
	       n);
	expect(done[0]->slot < 2, "a receive completed with nothing there");
	expect_message(s, done[0], 1, 20);
	struct io_op *left = &s->op[!done[0]->slot];
	n = reap(s, done, 1, 3, A_MOMENT_NS);
	expect(n == 0, EXPECTED("the other receive to go on waiting") SAW("it end with %s"),
	       answer(left->result));
	/* Its false alarm must not have made it deaf. */
	write_message(ends[1], 2, 30);
	await(s, left);
	expect_message(s, left, 2, 30);
	write_message(others[1], 3, 40);
	await(s, &s->op[2]);
	expect_message(s, &s->op[2], 3, 40);
	close_engine(s);
	close_both(others);
	close(twin);
	close_both(ends);
}

/* EAGAIN is an answer of the socket's, and the only one that is no result. */
static void other_errors_are_results(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	static const int errors[] = { ENOMEM, ECONNRESET, ETIMEDOUT };
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
		start(s, prepare_receive(s, 0, ends[0], 0));
		write_message(ends[1], i, 20);
		fail_call("recvfrom recvmsg read readv", errors[i], 0);
		await(s, &s->op[0]);
		expect(call_failed(),
		       EXPECTED("a receive of the bytes that are there") SAW("none"));
		expect(s->op[0].result == -errors[i], EXPECTED("%s") SAW("%s"), answer(-errors[i]),
		       answer(s->op[0].result));
		perform(s, prepare_receive(s, 0, ends[0], 0));
		expect_message(s, &s->op[0], i, 20);
	}
	close_engine(s);
	close_both(ends);
}

#define READS	    8u
#define BLOCK_BYTES 4096u

/* Of a file poll says "ready" at once, whatever is in memory. Then this thread makes the call. */
static void a_file_is_always_ready(struct subject *s)
{
	struct io_op *ops[READS];
	int fd = make_file(s, READS * BLOCK_BYTES, O_RDONLY);
	open_engine(s, READS, 1);
	attach(s, 0, fd);
	for (unsigned i = 0; i < READS; i++)
		ops[i] = prepare(s, i, IO_READ, fd, 0, i * BLOCK_BYTES, BLOCK_BYTES);
	calls_reset();
	start_all(s, ops, READS);
	await_all(s);
	unsigned waits = calls_made("ppoll");
	unsigned reads = calls_made("pread64 preadv preadv2");
	for (unsigned i = 0; i < READS; i++) {
		expect(ops[i]->result == BLOCK_BYTES, EXPECTED("%u bytes") SAW("%s"), BLOCK_BYTES,
		       answer(ops[i]->result));
		expect(buffer_of(s, i)[7] == pattern_byte(i * BLOCK_BYTES + 7),
		       EXPECTED("the bytes of block %u") SAW("others"), i);
	}
	expect(reads == READS, EXPECTED("%u reads on the loop's own thread") SAW("%u"), READS,
	       reads);
	expect(waits <= READS, EXPECTED("poll to call a file ready at once") SAW("%u ppolls"),
	       waits);
	expect_one_thread();
	close_engine(s);
	close(fd);
}

/* Exercise 3: as many as asked for, and as long. */

/* A thread that says a word only once the one before has been taken: no two are ready at one moment. */
struct patient_speaker {
	pthread_t thread;
	int (*ends)[2];
	unsigned count;
};

static void *speak_when_taken(void *argument)
{
	const struct patient_speaker *speaker = argument;
	struct timespec pause = { .tv_nsec = 200 * NS_PER_US };
	uint64_t end_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	for (unsigned i = 0; i < speaker->count; i++) {
		int unread = 1;
		send_a_byte(speaker->ends[i][1]);
		while (ioctl(speaker->ends[i][0], FIONREAD, &unread) == 0 && unread > 0 &&
		       clock_ns() < end_ns)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void waits_for_as_many_as_asked(struct subject *s)
{
	int ends[4][2];
	struct io_op *done[4];
	struct patient_speaker speaker = { .ends = ends, .count = 3 };
	open_waiting(s, ends, 4);
	/* One after the other; the fourth stays silent. */
	expect(pthread_create(&speaker.thread, NULL, speak_when_taken, &speaker) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 3, 4, PATIENCE_NS);
	pthread_join(speaker.thread, NULL);
	expect(n == 3, EXPECTED("reap() to wait for the 3 that were asked for") SAW("%u"), n);
	n = reap(s, done, 1, 4, A_MOMENT_NS);
	expect(n == 0, "a receive completed with nothing there");
	close_waiting(s, ends, 4);
}

/*
 * WORDS_MOST receives are waited for with a time limit, while their peers speak one after the other,
 * WORDS_IN_LIMIT in the limit's time. Returns how many words reap() waited for. `longest_ns`: the
 * longest silence that it lived through.
 */
#define WORDS_IN_LIMIT 8

static unsigned words_waited_for(struct subject *s, int64_t limit_ns, int64_t *longest_ns)
{
	int ends[WORDS_MOST][2];
	struct io_op *done[WORDS_MOST];
	struct speaker speaker = { .pause_ns = limit_ns / WORDS_IN_LIMIT, .count = WORDS_MOST };
	open_waiting(s, ends, WORDS_MOST);
	for (unsigned i = 0; i < WORDS_MOST; i++)
		speaker.fds[i] = ends[i][1];
	note("peers    speak in turn, one every %lld ms",
	     (long long)(speaker.pause_ns / NS_PER_MS));
	begin_speaking(&speaker);
	unsigned n = reap(s, done, WORDS_MOST, WORDS_MOST, limit_ns);
	uint64_t back_ns = clock_ns();
	speaker.enough = true;
	pthread_join(speaker.thread, NULL);
	int64_t silent_ns = (int64_t)(back_ns - speaker.spoke_ns);
	*longest_ns = silent_ns > speaker.longest_ns ? silent_ns : speaker.longest_ns;
	close_waiting(s, ends, WORDS_MOST);
	return n;
}

/*
 * What comes meanwhile must not start the timeout again. An engine that does so waits for all words,
 * unless it meets a silence as long as the limit. A busy machine can make such a silence, and can
 * keep a right engine from running until all is said. Neither tells anything, so the limit grows
 * until the answer does not depend on that.
 */
static void the_time_limit_is_for_the_whole_wait(struct subject *s)
{
	const int64_t limits_ms[] = { 80, 320, 640, 1280 };
	unsigned waits_for_all = 0;
	for (unsigned i = 0; i < sizeof limits_ms / sizeof *limits_ms; i++) {
		int64_t longest_ns, limit_ns = limits_ms[i] * NS_PER_MS;
		unsigned n = words_waited_for(s, limit_ns, &longest_ns);
		if (n < WORDS_MOST && longest_ns < limit_ns)
			return;
		waits_for_all += n == WORDS_MOST;
		expect(waits_for_all < 2,
		       EXPECTED("reap() to be back after %lld ms with what there was")
			       SAW("it wait for all %u words, of which %d come in that time"),
		       (long long)limits_ms[i], n, WORDS_IN_LIMIT);
	}
	test_skipped("this machine is too busy: a thread that sleeps %lld ms wakes after a second",
		     (long long)(limits_ms[3] / WORDS_IN_LIMIT));
}

/* Two waits of one reap(): a word ends the first, after a silence. */
struct two_waits {
	struct watcher first, second;
	int64_t silence_ns;
	int word_fd; /* where the engine takes the word */
};

static void *watch_two_waits(void *argument)
{
	struct two_waits *waits = argument;
	struct timespec silence = timespec_of_ns(waits->silence_ns);
	struct timespec pause = { .tv_nsec = 200 * NS_PER_US };
	int unread = 1;
	look_at_the_sleeper(&waits->first);
	nanosleep(&silence, NULL);
	wake_the_sleeper(&waits->first);
	uint64_t end_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (ioctl(waits->word_fd, FIONREAD, &unread) == 0 && unread > 0 && clock_ns() < end_ns)
		nanosleep(&pause, NULL);
	look_at_the_sleeper(&waits->second);
	wake_the_sleeper(&waits->second);
	return NULL;
}

/* After a word and a silence: the time that ppoll got for the first wait is not left for the second. */
static void each_wait_gets_what_is_left(struct subject *s)
{
	const int64_t limit_ns = 8 * NS_PER_S;
	int ends[2][2], tid = (int)syscall(SYS_gettid);
	struct io_op *done[2];
	open_waiting(s, ends, 2);
	struct two_waits waits = { .first = { .tid = tid, .wake_fd = ends[0][1] },
				   .second = { .tid = tid, .wake_fd = ends[1][1] },
				   .silence_ns = 100 * NS_PER_MS,
				   .word_fd = ends[0][0] };
	note("peers    are silent for 100 ms, then one speaks, and later the other");
	expect(pthread_create(&waits.second.thread, NULL, watch_two_waits, &waits) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 2, 2, limit_ns);
	end_watching(&waits.second);
	expect(n == 2 && waits.first.found, EXPECTED("two words in two waits") SAW("%u"), n);
	const struct timespec *left = &waits.second.timeout;
	int64_t left_ns = left->tv_sec * NS_PER_S + left->tv_nsec;
	expect(!waits.second.for_ever && left_ns <= limit_ns - waits.silence_ns,
	       WHEN("the first of two words came %lld ms after the wait of %lld began")
		       EXPECTED("the second ppoll to get what was left") SAW("%lld ms"),
	       (long long)(waits.silence_ns / NS_PER_MS), (long long)(limit_ns / NS_PER_MS),
	       (long long)(left_ns / NS_PER_MS));
	close_waiting(s, ends, 2);
}

/* A word after a silence, which somebody else takes before the engine does. */
static void *watch_a_false_alarm(void *argument)
{
	struct two_waits *waits = argument;
	struct timespec silence = timespec_of_ns(waits->silence_ns);
	look_at_the_sleeper(&waits->first);
	nanosleep(&silence, NULL);
	wake_the_sleeper(&waits->first);
	(void)wait_until_held(PATIENCE_NS);
	read_what_is_there(waits->word_fd);
	let_call_go();
	look_at_the_sleeper(&waits->second);
	wake_the_sleeper(&waits->second);
	return NULL;
}

/* It was no answer, so the wait is the same one still. */
static void a_false_alarm_begins_no_new_wait(struct subject *s)
{
	const int64_t limit_ns = 8 * NS_PER_S;
	int ends[1][2], tid = (int)syscall(SYS_gettid);
	struct io_op *done[1];
	open_waiting(s, ends, 1);
	struct two_waits waits = { .first = { .tid = tid, .wake_fd = ends[0][1] },
				   .second = { .tid = tid, .wake_fd = ends[0][1] },
				   .silence_ns = 100 * NS_PER_MS,
				   .word_fd = ends[0][0] };
	note("peer     is silent for 100 ms, then speaks, and another takes the word");
	hold_call("recvfrom recvmsg read readv");
	expect(pthread_create(&waits.second.thread, NULL, watch_a_false_alarm, &waits) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 1, 1, limit_ns);
	end_watching(&waits.second);
	expect(n == 1 && waits.first.found, EXPECTED("the second word") SAW("%u"), n);
	const struct timespec *left = &waits.second.timeout;
	int64_t left_ns = left->tv_sec * NS_PER_S + left->tv_nsec;
	expect(!waits.second.for_ever && left_ns <= limit_ns - waits.silence_ns,
	       WHEN("a false alarm came %lld ms after the wait of %lld began")
		       EXPECTED("the next ppoll to get what was left") SAW("%lld ms"),
	       (long long)(waits.silence_ns / NS_PER_MS), (long long)(limit_ns / NS_PER_MS),
	       (long long)(left_ns / NS_PER_MS));
	close_waiting(s, ends, 1);
}

/* Half a millisecond is a wait, too. */
static void keeps_short_timeouts(struct subject *s)
{
	const int64_t timeout_ns = 400 * NS_PER_US;
	int ends[1][2];
	struct io_op *done[1];
	open_waiting(s, ends, 1);
	for (unsigned round = 0; round < 20; round++) {
		uint64_t before_ns = clock_ns();
		unsigned n = reap(s, done, 1, 1, timeout_ns);
		int64_t waited_ns = (int64_t)(clock_ns() - before_ns);
		expect(n == 0, "a receive completed with nothing there");
		expect(waited_ns >= timeout_ns - 10 * NS_PER_US,
		       EXPECTED("reap() to wait 400 us") SAW("it back after %lld us"),
		       (long long)(waited_ns / NS_PER_US));
	}
	close_waiting(s, ends, 1);
}

/* Nothing but nanoseconds can hold what is left of such a timeout: ppoll gets it whole. */
static void counts_in_nanoseconds(struct subject *s)
{
	const int64_t timeout_ns = 1900 * NS_PER_MS + 345678;
	int ends[1][2];
	struct io_op *done[1];
	unsigned in_milliseconds = 0;
	for (unsigned round = 0; round < 3; round++) {
		struct watcher watcher = { 0 };
		open_waiting(s, ends, 1);
		begin_watching(&watcher, ends[0][1]);
		unsigned n = reap(s, done, 1, 1, timeout_ns);
		end_watching(&watcher);
		expect(n == 1, EXPECTED("the byte that came") SAW("%u"), n);
		expect(!watcher.for_ever, EXPECTED("ppoll to get a timeout") SAW("none"));
		int64_t left_ns = watcher.timeout.tv_sec * NS_PER_S + watcher.timeout.tv_nsec;
		expect(left_ns > 0 && left_ns <= timeout_ns,
		       EXPECTED("ppoll to get a timeout of at most %lld ns") SAW("%lld"),
		       (long long)timeout_ns, (long long)left_ns);
		in_milliseconds += left_ns % NS_PER_MS == 0;
		close_waiting(s, ends, 1);
	}
	expect(in_milliseconds < 3, EXPECTED("nanoseconds in the timeout of ppoll")
					    SAW("whole milliseconds, three times in a row"));
}

/* A wait without end is one wait, however long nothing happens: an engine has no heart that beats. */
#define SILENCE_NS (700 * NS_PER_MS)

static void an_endless_wait_is_one_call(struct subject *s)
{
	int ends[1][2];
	struct io_op *done[1];
	open_waiting(s, ends, 1);
	struct speaker speaker = { .pause_ns = SILENCE_NS, .count = 1, .fds = { ends[0][1] } };
	begin_speaking(&speaker);
	calls_reset();
	unsigned n = reap(s, done, 1, 1, -1);
	unsigned waits = calls_made("ppoll");
	pthread_join(speaker.thread, NULL);
	expect(n == 1, EXPECTED("the message that came after a long silence") SAW("%u"), n);
	expect(waits == 1, EXPECTED("one wait") SAW("%u in %lld ms in which nothing happened"),
	       waits, (long long)(SILENCE_NS / NS_PER_MS));
	close_waiting(s, ends, 1);
}

/* Three are finished and one is taken at a time: the kernel knows nothing new about the others. */
static void asks_nothing_that_it_knows(struct subject *s)
{
	int ends[4][2];
	struct io_op *done[4];
	open_waiting(s, ends, 4);
	for (unsigned i = 0; i < 3; i++)
		write_message(ends[i][1], i, 20);
	unsigned n = reap(s, done, 3, 1, PATIENCE_NS);
	expect(n == 1, EXPECTED("1, the most that was asked for") SAW("%u"), n);
	calls_reset();
	for (unsigned i = 0; i < 2; i++) {
		n = reap(s, done, 1, 1, PATIENCE_NS);
		expect(n == 1, EXPECTED("one of the two that are finished") SAW("%u"), n);
	}
	unsigned calls = calls_made(NULL);
	expect(calls == 0, EXPECTED("no system call for what is finished already") SAW("%u"),
	       calls);
	for (unsigned i = 0; i < 3; i++)
		expect_message(s, &s->op[i], i, 20);
	close_waiting(s, ends, 4);
}

/* Two are waited for and one comes. When the time is over it is handed out, and nobody asks again. */
static void the_end_of_the_time_brings_what_there_is(struct subject *s)
{
	int ends[2][2];
	struct io_op *done[2];
	open_waiting(s, ends, 2);
	write_message(ends[0][1], 1, 20);
	calls_reset();
	unsigned n = reap(s, done, 2, 2, A_MOMENT_NS);
	unsigned waits = calls_made("ppoll");
	expect(n == 1, EXPECTED("the one that came in time") SAW("%u"), n);
	expect_message(s, &s->op[0], 1, 20);
	expect(waits <= 2,
	       EXPECTED("2 ppolls: one brings the message, and one ends with the time") SAW("%u"),
	       waits);
	close_waiting(s, ends, 2);
}

/* reap() with a min of 0 asks once and does not wait, whatever its timeout. */
static void a_look_does_not_wait(struct subject *s)
{
	int ends[2][2];
	struct io_op *done[2];
	open_waiting(s, ends, 2);
	calls_reset();
	unsigned n = reap(s, done, 0, 2, -1);
	expect(n == 0, "a receive completed with nothing there");
	write_message(ends[1][1], 1, 20);
	n = reap(s, done, 0, 2, -1);
	expect(n == 1, EXPECTED("the message that is there") SAW("%u"), n);
	expect_message(s, &s->op[1], 1, 20);
	unsigned waits = calls_made("ppoll");
	expect(waits == 2, EXPECTED("one ppoll for each look") SAW("%u for two"), waits);
	/* Nor does it with a timeout of 0, however many it is to bring. */
	start(s, prepare_receive(s, 1, ends[1][0], 1));
	write_message(ends[0][1], 2, 20);
	calls_reset();
	n = reap(s, done, 2, 2, 0);
	waits = calls_made("ppoll");
	expect(n == 1, EXPECTED("the message that is there") SAW("%u"), n);
	expect_message(s, &s->op[0], 2, 20);
	expect(waits == 1, EXPECTED("one ppoll for a look") SAW("%u"), waits);
	close_waiting(s, ends, 2);
}

/* Exercise 4: sends, and room for them. */

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
	expect(calls == sends, EXPECTED("one system call a send") SAW("%u for %u sends"), calls,
	       sends);
	close_engine(s);
	close_both(ends);
}

/* The row of a send that waits asks for room, and that of a receive on the same socket for bytes. */
static void waits_for_room(struct subject *s)
{
	int ends[2], others[2];
	struct io_op *done[3];
	struct watcher watcher = { 0 };
	make_narrow_pair(s, ends);
	make_reading_pair(s, others);
	open_engine(s, 3, 2);
	attach(s, 0, ends[0]);
	attach(s, 1, others[0]);
	start(s, prepare_receive(s, 1, ends[0], 0));
	start(s, prepare_receive(s, 2, others[0], 1));
	uint64_t sent = send_until_full(s, 0, ends, 0);
	calls_reset();
	unsigned n = reap(s, done, 1, 3, IDLE_NS);
	unsigned calls = calls_made(NULL);
	expect(n == 0, "a send completed although its peer has read nothing");
	expect(calls <= IDLE_CALLS_MAX,
	       EXPECTED("at most %d system calls in waiting %lld ms for room") SAW("%u"),
	       IDLE_CALLS_MAX, (long long)(IDLE_NS / NS_PER_MS), calls);
	begin_watching(&watcher, others[1]);
	await(s, &s->op[2]);
	end_watching(&watcher);
	unsigned events = events_asked(&watcher, ends[0]);
	expect(events & POLLOUT && events & POLLIN,
	       EXPECTED("POLLIN and POLLOUT for a socket on which both directions wait") SAW("%s"),
	       event_names(events));
	expect_one_thread();
	sent = make_room(s, 0, ends[1], 0, sent);
	/* And once more, so that it has waited, gone on, and waited. */
	uint64_t again = send_until_full(s, 0, ends, sent);
	sent = make_room(s, 0, ends[1], sent, again);
	expect(s->op[1].in_flight, "the receive came back with nothing there");
	/* Room for which nobody waits wakes nobody. */
	expect_idle(s, 2, others, 1, "a socket with room");
	write_message(ends[1], 1, 50);
	await(s, &s->op[1]);
	expect_message(s, &s->op[1], 1, 50);
	close_engine(s);
	close_both(ends);
	close_both(others);
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
	close_both(ends);
}

/* The receive on the same socket has a row of its own, which stays. */
static void calls_one_send_back(struct subject *s)
{
	int ends[2];
	make_narrow_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 1, ends[0], 0));
	uint64_t sent = send_until_full(s, 0, ends, 0);
	cancel_one(s, &s->op[0]);
	await(s, &s->op[0]);
	expect(s->op[0].result == -ECANCELED, EXPECTED("-ECANCELED") SAW("%s"),
	       answer(s->op[0].result));
	expect(take_all(ends[1], 0) == sent, "bytes of the send that was called back arrived");
	expect(s->op[1].in_flight, "the receive came back with the send");
	write_message(ends[1], 1, 50);
	await(s, &s->op[1]);
	expect_message(s, &s->op[1], 1, 50);
	close_engine(s);
	close_both(ends);
}

/*
 * A pipe with room for a page, and more is to be written. POLLOUT promises the page. A write of all
 * would sleep until somebody reads; it is seen, and ended.
 */
static void a_long_write_does_not_sleep(struct subject *s)
{
	int ends[2];
	struct io_op *done[1];
	make_writing_pair(s, ends);
	fill(s, ends[0]);
	char page[4096];
	expect(read(ends[1], page, sizeof page) == sizeof page, "the test's own pipe is not full");
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct guard guard = { .forbidden = { SYS_write, SYS_writev, SYS_pwritev2 },
			       .forbidden_count = 3,
			       .rescue = take_what_is_there,
			       .fd = ends[1] };
	begin_guarding(&guard);
	start(s, prepare(s, 0, IO_WRITE, ends[0], 0, IO_NO_OFFSET, BUFFER_BYTES));
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	end_guarding(&guard);
	expect(!guard.slept,
	       WHEN("a pipe had room for a page") EXPECTED("a write that does not sleep")
		       SAW("the loop sleep in a write of 8192 bytes: all others wait with it"));
	expect(n == 1, EXPECTED("the write to be over, with what fitted") SAW("%u come back"), n);
	expect(s->op[0].result > 0 && s->op[0].result <= (int64_t)sizeof page,
	       EXPECTED("a short count, at most a page") SAW("%s"), answer(s->op[0].result));
	close_engine(s);
	close_both(ends);
}

/* To a file all goes in one call, also more than a pipe promises. */
static void a_long_write_to_a_file_is_whole(struct subject *s)
{
	int fd = make_file(s, 4 * BUFFER_BYTES, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	memset(buffer_of(s, 0), 'x', BUFFER_BYTES);
	calls_reset();
	int64_t n = perform(s, prepare(s, 0, IO_WRITE, fd, 0, BUFFER_BYTES, BUFFER_BYTES));
	unsigned writes = calls_made("pwrite64 pwritev pwritev2");
	expect(n == BUFFER_BYTES, EXPECTED("%d bytes written") SAW("%s"), BUFFER_BYTES, answer(n));
	expect(writes == 1, EXPECTED("one write") SAW("%u"), writes);
	close_engine(s);
	close(fd);
}

/* A send waits for room. That its peer stops sending is nothing to it. */
static void a_peer_that_stops_sending_is_silent(struct subject *s)
{
	int ends[2];
	struct io_op *done[1];
	make_pair(s, ends);
	fill(s, ends[0]);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_send(s, 0, ends[0], 0, 1));
	shutdown(ends[1], SHUT_WR);
	calls_reset();
	unsigned n = reap(s, done, 1, 1, 3 * A_MOMENT_NS);
	unsigned calls = calls_made(NULL);
	expect(n == 0, "the send came back although its peer has read nothing");
	expect(calls <= 10,
	       WHEN("while a send waits for room its peer stops sending") EXPECTED("a sleep")
		       SAW("%u calls in %lld ms"),
	       calls, (long long)(3 * A_MOMENT_NS / NS_PER_MS));
	read_what_is_there(ends[1]);
	await_all(s);
	close_engine(s);
	close_both(ends);
}

/* Exercise 5: all news of one call. */

#define BATCH 32u

/* One answer of the kernel's tells of all that is ready. So one question is enough. */
static void takes_all_news_of_one_call(struct subject *s)
{
	int ends[BATCH][2];
	struct io_op *done[BATCH];
	for (unsigned round = 0; round < 2; round++) {
		unsigned ready = round == 0 ? BATCH : BATCH / 2;
		open_waiting(s, ends, BATCH);
		/* All of them; then every other one. */
		for (unsigned i = 0; i < BATCH; i += BATCH / ready)
			write_message(ends[i][1], i, 24);
		calls_reset();
		unsigned n = reap(s, done, ready, BATCH, PATIENCE_NS);
		unsigned waits = calls_made("ppoll");
		expect(n == ready, EXPECTED("all %u that were asked for") SAW("%u"), ready, n);
		for (unsigned i = 0; i < BATCH; i += BATCH / ready)
			expect_message(s, &s->op[i], i, 24);
		expect(waits == 1,
		       EXPECTED("one ppoll, which tells of all %u that are ready") SAW("%u ppolls"),
		       ready, waits);
		close_waiting(s, ends, BATCH);
	}
}

/* Two share a socket, and one message came there: the second look is a false alarm, and the walk goes on. */
static void a_false_alarm_ends_no_walk(struct subject *s)
{
	int ends[3][2];
	struct io_op *done[4];
	for (unsigned i = 0; i < 3; i++)
		make_reading_pair(s, ends[i]);
	int fds[4] = { ends[0][0], ends[1][0], fcntl(ends[1][0], F_DUPFD_CLOEXEC, 0), ends[2][0] };
	open_engine(s, 4, 4);
	for (unsigned i = 0; i < 4; i++) {
		attach(s, i, fds[i]);
		start(s, prepare_receive(s, i, fds[i], i));
	}
	for (unsigned i = 0; i < 3; i++)
		write_message(ends[i][1], i, 24);
	calls_reset();
	unsigned n = reap(s, done, 3, 4, PATIENCE_NS);
	unsigned waits = calls_made("ppoll");
	expect(n == 3, EXPECTED("all 3 messages") SAW("%u"), n);
	expect_message(s, &s->op[0], 0, 24);
	expect_message(s, &s->op[3], 2, 24);
	expect(waits == 1,
	       WHEN("one of four that are ready is a false alarm")
		       EXPECTED("one ppoll for the other three") SAW("%u ppolls"),
	       waits);
	s->ops->cancel(s->engine);
	await_all(s);
	close_engine(s);
	close(fds[2]);
	for (unsigned i = 0; i < 3; i++)
		close_both(ends[i]);
}

/* An operation that is not ready costs no call, wherever its row stands. */
static void tries_only_what_is_ready(struct subject *s)
{
	int ends[BATCH][2];
	open_waiting(s, ends, BATCH);
	for (unsigned round = 0; round < 2 * BATCH; round++) {
		unsigned speaker = round * 7 % BATCH;
		write_message(ends[speaker][1], round, 30);
		calls_reset();
		await(s, &s->op[speaker]);
		unsigned receives = calls_made("recvfrom recvmsg read readv");
		expect_message(s, &s->op[speaker], round, 30);
		expect(receives == 1, EXPECTED("one receive for one message") SAW("%u"), receives);
		start(s, prepare_receive(s, speaker, ends[speaker][0], speaker));
	}
	close_waiting(s, ends, BATCH);
}

/* Exercise 6: what comes unasked. */

/* Of a pipe whose writer has gone with nothing in it the kernel says POLLHUP alone, and no POLLIN. */
static void a_hang_up_is_the_end(struct subject *s)
{
	int ends[2];
	struct io_op *done[1];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
	note("peer     closes");
	close(ends[1]);
	calls_reset();
	unsigned n = reap(s, done, 1, 1, 20 * NS_PER_MS);
	unsigned waits = calls_made("ppoll");
	/* A right engine may have been kept from running for that long. */
	if (n == 0 && waits <= IDLE_CALLS_MAX)
		n = reap(s, done, 1, 1, PATIENCE_NS);
	expect(n == 1,
	       WHEN("the writer was gone") EXPECTED("the read to be over: ppoll says POLLHUP")
		       SAW("%u ppolls, and it wait on"),
	       waits);
	expect(s->op[0].result == 0, EXPECTED("0, the end") SAW("%s"), answer(s->op[0].result));
	close_engine(s);
	close(ends[0]);
}

/* What was written before is read first: POLLHUP says that no more will come, and not that none is there. */
static void bytes_come_before_the_hang_up(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 0; i < 2; i++)
		write_message(ends[1], i, 40);
	note("peer     closes");
	close(ends[1]);
	for (unsigned i = 0; i < 2; i++) {
		perform(s, prepare(s, 0, in_kind(s), ends[0], 0, IO_NO_OFFSET, 40));
		expect_message(s, &s->op[0], i, 40);
	}
	int64_t n = perform(s, prepare_receive(s, 0, ends[0], 0));
	expect(n == 0, EXPECTED("0 after the bytes") SAW("%s"), answer(n));
	close_engine(s);
	close(ends[0]);
}

/* A full pipe whose reader goes has POLLERR, and no POLLOUT; a socket has more. */
static void a_peer_that_leaves_ends_a_send(struct subject *s)
{
	int ends[2];
	if (s->flavour == PIPE) {
		signal(SIGPIPE, SIG_IGN); /* write(2) has no MSG_NOSIGNAL */
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

/* POLLNVAL: there is no such descriptor. The operation's result is what a call on it says. */
static void a_number_that_is_closed_is_told(struct subject *s)
{
	int ends[2], others[2];
	make_reading_pair(s, ends);
	make_reading_pair(s, others);
	open_engine(s, 2, 2);
	attach(s, 0, ends[0]);
	attach(s, 1, others[0]);
	/* High, so that nothing which the engine opens takes the number. */
	int closed = fcntl(ends[0], F_DUPFD_CLOEXEC, 500);
	close(closed);
	start(s, prepare_receive(s, 1, others[0], 1));
	int64_t n = perform(s, prepare_receive(s, 0, closed, 0));
	expect(n == -EBADF, EXPECTED("-EBADF on a closed descriptor") SAW("%s"), answer(n));
	/* The others hear nothing of it. */
	write_message(others[1], 1, 30);
	await(s, &s->op[1]);
	expect_message(s, &s->op[1], 1, 30);
	close_engine(s);
	close_both(ends);
	close_both(others);
}

/* Their news come with one answer, wherever its row stands, and one look is enough for all. */
static void a_number_that_is_closed_ends_no_walk(struct subject *s)
{
	enum { COUNT = 3 };
	for (unsigned closed = 0; closed < COUNT; closed++) {
		int ends[COUNT][2];
		struct io_op *done[COUNT];
		open_engine(s, COUNT, COUNT);
		for (unsigned i = 0; i < COUNT; i++) {
			make_reading_pair(s, ends[i]);
			attach(s, i, ends[i][0]);
		}
		int none = fcntl(ends[closed][0], F_DUPFD_CLOEXEC, 500);
		close(none);
		for (unsigned i = 0; i < COUNT; i++)
			start(s, prepare_receive(s, i, i == closed ? none : ends[i][0], i));
		for (unsigned i = 0; i < COUNT; i++)
			write_message(ends[i][1], i, 24);
		calls_reset();
		unsigned n = reap(s, done, COUNT, COUNT, PATIENCE_NS);
		unsigned waits = calls_made("ppoll");
		expect(n == COUNT, EXPECTED("all %u") SAW("%u"), COUNT, n);
		for (unsigned i = 0; i < COUNT; i++)
			if (i != closed)
				expect_message(s, &s->op[i], i, 24);
		expect(s->op[closed].result == -EBADF,
		       EXPECTED("-EBADF on a closed descriptor") SAW("%s"),
		       answer(s->op[closed].result));
		expect(waits == 1,
		       WHEN("number %u of %u is closed, and bytes are there for the others")
			       EXPECTED("one ppoll, which tells of all") SAW("%u ppolls"),
		       closed, COUNT, waits);
		close_engine(s);
		for (unsigned i = 0; i < COUNT; i++)
			close_both(ends[i]);
	}
}

/* The table. */

#define EXERCISE_1 .exercise = 1, .engine = "poll", .allowed_calls = RECEIVING
#define EXERCISE_2 .exercise = 2, .engine = "poll", .allowed_calls = RECEIVING
#define EXERCISE_3 .exercise = 3, .engine = "poll", .allowed_calls = RECEIVING
#define EXERCISE_4 .exercise = 4, .engine = "poll", .allowed_calls = STREAMING
#define EXERCISE_5 .exercise = 5, .engine = "poll", .allowed_calls = STREAMING
#define EXERCISE_6 .exercise = 6, .engine = "poll", .allowed_calls = STREAMING
/* In the order of the exercises, whatever a test is about. */
#define FILES_2 .exercise = 2, .engine = "poll", .allowed_calls = FILING
#define FILES_3 .exercise = 3, .engine = "poll", .allowed_calls = FILING
#define FILES_4 .exercise = 4, .engine = "poll", .allowed_calls = FILING

#define TEST(test, which, function) .name = test, .flavours = which, .run = function

const struct lab_test lab_tests[] = {
	{ EXERCISE_1, TEST("receives_what_is_there", STREAMS, stream_receives_what_is_there) },
	{ EXERCISE_1, TEST("hands_over_what_waits", ONE(UNIX) | ONE(PIPE), hands_over_what_waits) },
	{ EXERCISE_1, TEST("one_call_waits_for_all", ONE(TCP), one_call_waits_for_all) },
	{ EXERCISE_1, TEST("sleeps_in_the_kernel", SOCKETS, sleeps_in_the_kernel) },
	{ EXERCISE_1, TEST("waits_without_end", ONE(UNIX), waits_without_end) },
	{ EXERCISE_1, TEST("an_error_of_ppoll_is_told", ONE(UNIX), an_error_of_ppoll_is_told) },
	{ .exercise = 1,
	  .engine = "poll",
	  .allowed_calls = STREAMING,
	  TEST("a_send_asks_for_room", ONE(UNIX), a_send_asks_for_room) },
	{ EXERCISE_1, TEST("unwanted_bytes_are_silent", STREAMS, unwanted_bytes_are_silent) },
	{ EXERCISE_1, TEST("receives_in_full_buffers", STREAMS, stream_receives_in_full_buffers) },
	{ EXERCISE_1,
	  TEST("waits_without_touching", ONE(TCP) | ONE(PIPE), stream_waits_without_touching) },
	{ EXERCISE_1, TEST("finds_the_active_one", ONE(TCP), stream_finds_the_active_one) },
	{ EXERCISE_1, TEST("end_while_waiting", SOCKETS, stream_end_while_waiting) },
	{ EXERCISE_1, TEST("reset", ONE(TCP), tcp_reset) },
	{ EXERCISE_1, TEST("error_behind_bytes", ONE(TCP), tcp_error_behind_bytes) },
	{ EXERCISE_1, TEST("descriptor_0_is_served", ONE(UNIX), descriptor_0_is_served) },
	{ EXERCISE_1, TEST("slot_is_used_again", ONE(TCP) | ONE(PIPE), stream_slot_is_used_again) },
	{ EXERCISE_1, TEST("fd_slot_beyond_65535", ONE(UNIX), stream_slot_beyond_65535) },
	{ EXERCISE_1, TEST("two_engines", ONE(UNIX), two_engines_on_streams) },
	{ EXERCISE_1, TEST("two_engines_in_two_threads", ONE(UNIX), two_engines_in_two_threads) },
	{ EXERCISE_1, TEST("result_is_all_that_is_written", ONE(UNIX) | ONE(PIPE),
			   result_is_all_that_is_written) },
	{ EXERCISE_1, TEST("accepts_who_comes", ONE(TCP), accept_waits_for_a_client) },
	{ EXERCISE_1,
	  TEST("tells_that_no_number_is_free", ONE(UNIX), accept_without_a_free_number) },
	{ EXERCISE_1, TEST("opens_without_memory_or_says_why_not", ONE(TCP), open_without_memory) },
	{ EXERCISE_1, TEST("open_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ EXERCISE_1,
	  TEST("failures_leave_nothing_behind", ONE(NO_FD), failures_leave_nothing_behind) },
	{ EXERCISE_1, TEST("supports_or_says_why", ONE(NO_FD), supports_or_says_why) },
	{ EXERCISE_1, TEST("says_what_it_can_do", ONE(NO_FD), says_what_it_can_do) },

	{ EXERCISE_2, TEST("false_alarm_goes_on_waiting", SOCKETS, false_alarm_goes_on_waiting) },
	{ EXERCISE_2, TEST("accepts_nobody_after_a_false_alarm", ONE(UNIX),
			   accept_false_alarm_goes_on_waiting) },
	{ EXERCISE_2,
	  TEST("other_errors_are_results", ONE(UNIX) | ONE(PIPE), other_errors_are_results) },
	{ EXERCISE_2, TEST("stays_blocking", ONE(TCP) | ONE(PIPE), stream_stays_blocking) },
	{ FILES_2, TEST("a_file_is_always_ready", FILES, a_file_is_always_ready) },
	{ FILES_2, TEST("reads_right_blocks", FILES, file_read_right_data) },
	{ FILES_2, TEST("reads_up_to_the_end", ONE(BUFFERED), file_read_across_end) },
	{ FILES_2, TEST("syncs", ONE(BUFFERED), file_sync) },
	{ FILES_2, TEST("tells_a_bad_offset", ONE(BUFFERED), file_bad_offset) },

	{ EXERCISE_3,
	  TEST("waits_for_as_many_as_asked", ONE(UNIX) | ONE(PIPE), waits_for_as_many_as_asked) },
	{ EXERCISE_3,
	  TEST("the_time_limit_is_for_the_whole_wait", ONE(UNIX),
	       the_time_limit_is_for_the_whole_wait),
	  .limit_s = 30 },
	{ EXERCISE_3, TEST("each_wait_gets_what_is_left", ONE(UNIX), each_wait_gets_what_is_left) },
	{ EXERCISE_3, TEST("keeps_short_timeouts", ONE(TCP), keeps_short_timeouts) },
	{ EXERCISE_3, TEST("counts_in_nanoseconds", ONE(UNIX), counts_in_nanoseconds) },
	{ EXERCISE_3, TEST("waits_for_seconds", ONE(UNIX), stream_waits_for_seconds) },
	{ EXERCISE_3, TEST("keeps_all_bits_of_a_timeout", ONE(UNIX), stream_waits_for_ever) },
	{ EXERCISE_3, TEST("an_endless_wait_is_one_call", ONE(UNIX), an_endless_wait_is_one_call) },
	{ EXERCISE_3,
	  TEST("asks_nothing_that_it_knows", ONE(UNIX) | ONE(PIPE), asks_nothing_that_it_knows) },
	{ EXERCISE_3, TEST("the_end_of_the_time_brings_what_there_is", ONE(UNIX),
			   the_end_of_the_time_brings_what_there_is) },
	{ EXERCISE_3, TEST("a_look_does_not_wait", ONE(UNIX), a_look_does_not_wait) },
	{ EXERCISE_3, TEST("sleeps_while_waiting", ONE(TCP), stream_sleeps_while_waiting) },
	{ EXERCISE_3, TEST("survives_signals", ONE(TCP), stream_survives_signals) },
	{ EXERCISE_3,
	  TEST("a_signal_ends_the_wait", ONE(TCP) | ONE(PIPE), stream_signal_ends_the_wait) },
	{ EXERCISE_3, TEST("one_signal_ends_a_wait_for_two", ONE(UNIX),
			   stream_one_signal_ends_a_wait_for_two) },
	{ EXERCISE_3, TEST("blocked_signals_wait", ONE(UNIX), stream_blocked_signals_wait) },
	{ EXERCISE_3,
	  TEST("comes_back_one_by_one", ONE(UNIX) | ONE(PIPE), stream_comes_back_one_by_one) },
	{ EXERCISE_3,
	  TEST("batch_is_in_flight_at_once", ONE(UNIX), stream_batch_is_in_flight_at_once) },
	{ EXERCISE_3, TEST("cancel", ONE(TCP) | ONE(PIPE), stream_cancel) },
	{ EXERCISE_3, TEST("cancel_with_nothing", ONE(TCP), cancel_with_nothing_in_flight) },
	{ EXERCISE_3,
	  TEST("cancel_in_scattered_slots", ONE(UNIX), stream_cancel_in_scattered_slots) },
	{ EXERCISE_3, TEST("calls_one_back", ONE(UNIX) | ONE(PIPE), cancel_one_leaves_the_others) },
	{ EXERCISE_3, TEST("calls_one_back_too_late", ONE(UNIX), cancel_one_comes_too_late) },
	{ EXERCISE_3, TEST("calls_one_back_and_receives_again", ONE(UNIX),
			   cancel_one_leaves_the_descriptor_whole) },
	{ EXERCISE_3,
	  TEST("a_false_alarm_begins_no_new_wait", ONE(UNIX), a_false_alarm_begins_no_new_wait) },
	{ FILES_3, TEST("calls_one_of_a_file_back", ONE(BUFFERED), cancel_one_of_a_file) },
	{ FILES_3, TEST("file_tells_what_fails", ONE(BUFFERED), file_tells_what_fails) },

	{ EXERCISE_4, TEST("a_send_that_fits_is_one_call", SOCKETS, a_send_that_fits_is_one_call) },
	{ EXERCISE_4, TEST("waits_for_room", SOCKETS, waits_for_room) },
	{ EXERCISE_4, TEST("a_peer_that_stops_sending_is_silent", ONE(UNIX),
			   a_peer_that_stops_sending_is_silent) },
	{ EXERCISE_4, TEST("keeps_the_other_direction", SOCKETS, keeps_the_other_direction) },
	{ EXERCISE_4, TEST("a_long_write_does_not_sleep", ONE(PIPE), a_long_write_does_not_sleep) },
	{ FILES_4,
	  TEST("a_long_write_to_a_file_is_whole", ONE(BUFFERED), a_long_write_to_a_file_is_whole) },
	{ FILES_4, TEST("writes_right_blocks", FILES, file_write_right_data) },
	{ EXERCISE_4, TEST("sends_right_data", STREAMS, stream_sends_right_data) },
	{ EXERCISE_4, TEST("survives_a_full_buffer", STREAMS, stream_survives_a_full_buffer) },
	{ EXERCISE_4, TEST("both_directions", SOCKETS, socket_both_directions_at_once) },
	{ EXERCISE_4, TEST("peer_that_stopped_sending_hears", ONE(UNIX),
			   socket_peer_that_stopped_sending_hears) },
	{ EXERCISE_4, TEST("peer_that_stopped_sending_makes_room", ONE(UNIX),
			   socket_peer_that_stopped_sending_makes_room) },
	{ EXERCISE_4,
	  TEST("send_survives_signals", ONE(UNIX) | ONE(PIPE), stream_send_survives_signals) },
	{ EXERCISE_4, TEST("cancel_of_sends", ONE(UNIX) | ONE(PIPE), stream_cancel_of_sends) },
	{ EXERCISE_4, TEST("calls_a_send_back_too_late", ONE(UNIX) | ONE(PIPE),
			   cancel_one_of_a_send_that_fits) },
	{ EXERCISE_4, TEST("calls_one_send_back", ONE(UNIX), calls_one_send_back) },
	{ EXERCISE_4, TEST("zero_bytes", ONE(UNIX), stream_zero_bytes) },
	{ EXERCISE_4, TEST("options_stay", ONE(TCP), socket_options_stay) },
	{ EXERCISE_4, TEST("connects", SOCKETS, connect_reaches_a_listener) },
	{ EXERCISE_4, TEST("connects_to_nobody", ONE(TCP), connect_to_nobody) },
	{ EXERCISE_4, TEST("calls_a_connect_back", ONE(TCP), connect_waits_and_is_called_back) },

	{ EXERCISE_5,
	  TEST("takes_all_news_of_one_call", ONE(UNIX) | ONE(PIPE), takes_all_news_of_one_call) },
	{ EXERCISE_5, TEST("a_false_alarm_ends_no_walk", ONE(UNIX), a_false_alarm_ends_no_walk) },
	{ EXERCISE_5,
	  TEST("tries_only_what_is_ready", ONE(UNIX) | ONE(PIPE), tries_only_what_is_ready) },
	{ EXERCISE_5,
	  TEST("finds_many_ready_at_once", ONE(UNIX), stream_finds_many_ready_at_once) },

	{ EXERCISE_6,
	  TEST("keeps_two_engines_apart", ONE(UNIX) | ONE(PIPE), keeps_two_engines_apart) },
	{ EXERCISE_6, TEST("result_of_a_failure_is_all_that_is_written", ONE(UNIX) | ONE(PIPE),
			   result_of_a_failure_is_all_that_is_written) },
	{ EXERCISE_6, TEST("a_hang_up_is_the_end", STREAMS, a_hang_up_is_the_end) },
	{ EXERCISE_6,
	  TEST("bytes_come_before_the_hang_up", STREAMS, bytes_come_before_the_hang_up) },
	{ EXERCISE_6,
	  TEST("a_peer_that_leaves_ends_a_send", STREAMS, a_peer_that_leaves_ends_a_send) },
	{ EXERCISE_6, TEST("a_number_that_is_closed_is_told", ONE(UNIX) | ONE(PIPE),
			   a_number_that_is_closed_is_told) },
	{ EXERCISE_6, TEST("a_number_that_is_closed_ends_no_walk", ONE(UNIX) | ONE(PIPE),
			   a_number_that_is_closed_ends_no_walk) },
	{ EXERCISE_6,
	  TEST("allocates_nothing_later", ONE(UNIX), counted_no_allocation_after_open) },
	{ EXERCISE_6, TEST("open_keeps_nothing_where_memory_is_short", ONE(UNIX),
			   open_keeps_nothing_where_memory_is_short) },
	{ EXERCISE_6, TEST("end_of_file", STREAMS, stream_end_of_file) },
	{ EXERCISE_6, TEST("pipe_end_while_waiting", ONE(PIPE), stream_end_while_waiting) },
	{ EXERCISE_6, TEST("reset_of_a_send_that_waits", ONE(TCP), tcp_reset_while_a_send_waits) },
	{ EXERCISE_6, TEST("send_to_nobody", STREAMS, stream_send_to_nobody) },
	{ EXERCISE_6, TEST("stays_whole_after_the_end", ONE(UNIX) | ONE(PIPE),
			   stream_stays_whole_after_the_end) },
	{ EXERCISE_6, TEST("connections_tell_what_fails", ONE(TCP), connections_tell_what_fails) },
	{ EXERCISE_6, TEST("tells_what_fails", ONE(UNIX) | ONE(PIPE), stream_tells_what_fails) },
	THE_REST_OF_THE_CONTRACT(6, "poll", FILES | STREAMS, LENDING | BLOCKING),
	{ NULL },
};
