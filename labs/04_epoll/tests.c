/* SPDX-License-Identifier: MIT */
/* Lab 04: what an engine on epoll must do, and by which system calls. */
#include "lab_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "failing_calls.h"
#include "stream_test.h"

/* The interface, as words for allowed_calls and calls_made(). */
#define WAITS	  "epoll_wait epoll_pwait epoll_pwait2 "
#define RECEIVING WAITS "epoll_ctl recvfrom recvmsg read readv accept accept4 "
#define STREAMING RECEIVING "sendto sendmsg write writev connect "
/* read and write: the eventfd, on the loop's thread. */
#define HEARING WAITS "read readv write writev "

/*
 * What the kernel's own list says of `fd`: the events asked for, or 0 when it is not on it.
 * proc(5): the fdinfo of an epoll descriptor has a line for each descriptor that it watches.
 */
static uint32_t interest_in(int fd)
{
	uint32_t interest = 0;
	DIR *directory = opendir("/proc/self/fd");
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char path[300], link[64] = "", line[256];
		snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, link, sizeof link - 1) < 0 || !strstr(link, "[eventpoll]"))
			continue;
		snprintf(path, sizeof path, "/proc/self/fdinfo/%s", entry->d_name);
		FILE *info = fopen(path, "re");
		while (info && fgets(line, sizeof line, info)) {
			int watched_fd;
			unsigned events;
			if (sscanf(line, "tfd: %d events: %x", &watched_fd, &events) == 2 &&
			    watched_fd == fd)
				interest |= events;
		}
		if (info)
			fclose(info);
	}
	if (directory)
		closedir(directory);
	return interest;
}

/*
 * "EPOLLIN|EPOLLET", in a buffer that the next call overwrites. What has no name here is a number.
 */
static const char *event_names(uint32_t events)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} known[] = {
		{ EPOLLIN, "EPOLLIN" },	      { EPOLLOUT, "EPOLLOUT" },
		{ EPOLLRDHUP, "EPOLLRDHUP" }, { EPOLLPRI, "EPOLLPRI" },
		{ EPOLLERR, "EPOLLERR" },     { EPOLLHUP, "EPOLLHUP" },
		{ EPOLLET, "EPOLLET" },	      { EPOLLONESHOT, "EPOLLONESHOT" },
	};
	static char text[160];
	text[0] = '\0';
	for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
		if (events & known[i].bit)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
				 *text ? "|" : "", known[i].name);
		events &= ~known[i].bit;
	}
	if (events || !*text)
		snprintf(text + strlen(text), sizeof text - strlen(text), *text ? "|%#x" : "%#x",
			 events);
	return text;
}

/* Exercise 1: level-triggered receives. */

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

#define MESSAGES 20u

/* System calls for MESSAGES messages, while receives wait on `count` connections. */
static unsigned calls_with(struct subject *s, unsigned count, unsigned *controls)
{
	int(*ends)[2] = calloc(count, sizeof *ends);
	open_engine(s, count, count);
	for (unsigned i = 0; i < count; i++) {
		make_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	expect(s->inflight == count, EXPECTED("%u receives in flight") SAW("%u"), count,
	       s->inflight);
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
	*controls = calls_made("epoll_ctl");
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

static void price_does_not_grow(struct subject *s)
{
	unsigned controls;
	raise_fd_limit(CONNECTIONS_MANY);
	unsigned calls = calls_with(s, 1, &controls);
	expect(calls <= 3 * MESSAGES,
	       EXPECTED("at most 3 system calls a message (wait, receive)")
		       SAW("%u for %u messages"),
	       calls, MESSAGES);
	expect(controls <= MESSAGES / 10,
	       EXPECTED("interest to stay in the kernel") SAW("%u epoll_ctl for %u messages"),
	       controls, MESSAGES);
	unsigned calls_many = calls_with(s, CONNECTIONS_MANY, &controls);
	expect(calls_many <= calls + 5,
	       EXPECTED("%u connections to cost as many system calls as one does (%u)") SAW("%u"),
	       CONNECTIONS_MANY, calls, calls_many);
	expect(controls <= MESSAGES / 10,
	       EXPECTED("interest to stay in the kernel") SAW("%u epoll_ctl for %u messages"),
	       controls, MESSAGES);
}

#define BATCH 32u

static void takes_events_in_batches(struct subject *s)
{
	int ends[BATCH][2];
	struct io_op *done[BATCH];
	open_engine(s, BATCH, BATCH);
	for (unsigned i = 0; i < BATCH; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	for (unsigned i = 0; i < BATCH; i++)
		write_message(ends[i][1], i, 24);
	calls_reset();
	unsigned n = reap(s, done, BATCH, BATCH, PATIENCE_NS);
	unsigned waits = calls_made(WAITS);
	expect(n == BATCH, EXPECTED("all %u that were asked for") SAW("%u"), BATCH, n);
	for (unsigned i = 0; i < BATCH; i++)
		expect_message(s, &s->op[i], i, 24);
	expect(waits <= 4,
	       EXPECTED("one wait to bring many events (%u were ready)") SAW("%u waits"), BATCH,
	       waits);
	close_engine(s);
	for (unsigned i = 0; i < BATCH; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

static void waits_in_the_kernel(struct subject *s)
{
	struct two two = open_two(s);
	struct io_op *done[1];
	start(s, prepare_receive(s, 0, two.a[0], 0));
	unsigned n = reap(s, done, 0, 1, 0);
	expect(n == 0, "a receive completed with nothing there");
	expect(interest_in(two.a[0]) & EPOLLIN,
	       EXPECTED("the kernel to be asked for EPOLLIN while a receive waits") SAW("%s"),
	       event_names(interest_in(two.a[0])));
	write_message(two.a[1], 1, 50);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 50);
	expect_idle(s, 1, two.b, 1, "a receive that waits");
	close_two(s, &two);
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
	bool from_files = ONE(s->flavour) & FILES; /* a pipe stands for a slow disk */
	open_engine(s, WORDS_MOST, WORDS_MOST);
	for (unsigned i = 0; i < WORDS_MOST; i++) {
		if (from_files)
			expect(pipe2(ends[i], O_CLOEXEC) == 0, "pipe");
		else
			make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, from_files ? prepare(s, i, IO_READ, ends[i][0], i, IO_NO_OFFSET, 64)
				    : prepare_receive(s, i, ends[i][0], i));
		speaker.fds[i] = ends[i][1];
	}
	note("peers    speak in turn, one every %lld ms",
	     (long long)(speaker.pause_ns / NS_PER_MS));
	begin_speaking(&speaker);
	unsigned n = reap(s, done, WORDS_MOST, WORDS_MOST, limit_ns);
	uint64_t back_ns = clock_ns();
	speaker.enough = true;
	pthread_join(speaker.thread, NULL);
	int64_t silent_ns = (int64_t)(back_ns - speaker.spoke_ns);
	*longest_ns = silent_ns > speaker.longest_ns ? silent_ns : speaker.longest_ns;
	s->ops->cancel(s->engine);
	for (unsigned i = 0; i < WORDS_MOST; i++)
		close(ends[i][1]);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < WORDS_MOST; i++)
		close(ends[i][0]);
	return n;
}

/*
 * An event that comes meanwhile must not start the timeout again. An engine that does so waits for
 * all words, unless it meets a silence as long as the limit. A busy machine can make such a silence,
 * and can keep a right engine from running until all is said. Neither tells anything, so the limit
 * grows until the answer does not depend on that.
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

/* Two are waited for, and one comes late. Returns how long reap() took. */
static int64_t wait_for_two_of_which_one_comes(struct subject *s, int64_t limit_ns)
{
	struct io_op *done[2];
	int ends[2][2];
	bool from_files = ONE(s->flavour) & FILES;
	open_engine(s, 2, 2);
	for (unsigned i = 0; i < 2; i++) {
		if (from_files)
			expect(pipe2(ends[i], O_CLOEXEC) == 0, "pipe");
		else
			make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, from_files ? prepare(s, i, IO_READ, ends[i][0], i, IO_NO_OFFSET, 64)
				    : prepare_receive(s, i, ends[i][0], i));
	}
	struct speaker speaker = { .pause_ns = limit_ns * 2 / 3,
				   .count = 1,
				   .fds = { ends[0][1] } };
	begin_speaking(&speaker);
	uint64_t before_ns = clock_ns();
	reap(s, done, 2, 2, limit_ns);
	int64_t waited_ns = (int64_t)(clock_ns() - before_ns);
	pthread_join(speaker.thread, NULL);
	peer_sends(ends[1][1], "!", 1);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < 2; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
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
	unsigned waits = calls_made(WAITS);
	pthread_join(speaker.thread, NULL);
	expect(n == 1, EXPECTED("the message that came after a long silence") SAW("%u"), n);
	expect(waits == 1, EXPECTED("one wait") SAW("%u in %lld ms in which nothing happened"),
	       waits, (long long)(SILENCE_NS / NS_PER_MS));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* What epoll answers is each engine's own, whatever happens between two of its calls. */
static void keeps_two_engines_apart(struct subject *s)
{
	expect_engines_apart(s, WAITS, "recvfrom recvmsg read readv");
}

/* Exercise 2: sends, and room for them. */

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
	expect(interest_in(ends[0]) & EPOLLOUT,
	       EXPECTED("the kernel to be asked for EPOLLOUT while a send waits") SAW("%s"),
	       event_names(interest_in(ends[0])));
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
	unsigned calls = calls_made(NULL), controls = calls_made("epoll_ctl");
	expect(controls == 0, EXPECTED("no epoll_ctl for sends that fit") SAW("%u for %u sends"),
	       controls, sends);
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
		/* Of a full pipe the kernel says EPOLLERR alone; write(2) would raise a signal. */
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

/* Exercise 3: interest that nobody has any more. */

static void unwanted_bytes_are_silent(struct subject *s)
{
	struct two two = open_two(s);
	for (unsigned round = 0; round < 2; round++) {
		write_message(two.a[1], round, 50);
		expect_idle(s, 1, two.b, 1, "a connection with bytes that nobody asks for");
		/* Switched off is not lost. */
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

/* What the peer said is switched off already when the peer goes. */
static void hang_up_after_unwanted_bytes(struct subject *s)
{
	struct two two = open_two(s);
	write_message(two.a[1], 1, 50);
	expect_idle(s, 1, two.b, 1, "a connection with bytes that nobody asks for");
	note("peer     closes");
	close(two.a[1]);
	two.a[1] = -1;
	expect_idle(s, 1, two.b, 1, "a closed connection with bytes that nobody asks for");
	perform(s, prepare_receive(s, 0, two.a[0], 0));
	expect_message(s, &s->op[0], 1, 50);
	int64_t n = perform(s, prepare_receive(s, 0, two.a[0], 0));
	expect(n == 0, EXPECTED("0 at the end") SAW("%s"), answer(n));
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

static void room_is_silent(struct subject *s)
{
	struct two two;
	make_narrow_pair(s, two.a);
	make_pair(s, two.b);
	open_engine(s, 2, 2);
	attach(s, 0, two.a[0]);
	attach(s, 1, two.b[0]);
	uint64_t sent = send_until_full(s, 0, two.a, 0);
	make_room(s, 0, two.a[1], 0, sent);
	expect_idle(s, 1, two.b, 1, "a socket with room to send, for which nobody waits,");
	expect(!(interest_in(two.a[0]) & EPOLLOUT),
	       EXPECTED("EPOLLOUT to be switched off when no send waits") SAW("%s"),
	       event_names(interest_in(two.a[0])));
	close_two(s, &two);
}

/* The writing end of a pipe without readers reports EPOLLERR, asked or not. */
static void broken_pipe_is_silent(struct subject *s)
{
	struct two two;
	make_writing_pair(s, two.a);
	make_reading_pair(s, two.b);
	open_engine(s, 2, 2);
	attach(s, 0, two.a[0]);
	attach(s, 1, two.b[0]);
	close(two.a[1]);
	two.a[1] = -1;
	expect_idle(s, 1, two.b, 1, "a pipe that nobody reads");
	close_two(s, &two);
}

/* close(2) ends epoll's interest only with the last descriptor of the open file: epoll(7), Q&A 6. */
static void detach_forgets_a_shared_socket(struct subject *s)
{
	struct two two = open_two(s);
	int twin = fcntl(two.a[0], F_DUPFD_CLOEXEC, 0);
	s->ops->detach(s->engine, 0);
	note("test     closes fd %d; fd %d still refers to the same connection", two.a[0], twin);
	close(two.a[0]);
	two.a[0] = -1;
	write_message(two.a[1], 1, 50);
	expect_idle(s, 1, two.b, 1, "a connection that was detached");
	close_two(s, &two);
	close(twin);
}

static void attaches_the_same_again(struct subject *s)
{
	struct two two = open_two(s);
	for (unsigned round = 0; round < 5; round++) {
		write_message(two.a[1], round, 50);
		if (round % 2) /* so that it is switched off when it goes */
			expect_idle(s, 1, two.b, 1, "a connection with bytes that nobody asks for");
		else
			perform(s, prepare_receive(s, 0, two.a[0], 0));
		s->ops->detach(s->engine, 0);
		attach(s, 0, two.a[0]);
		if (round % 2)
			perform(s, prepare_receive(s, 0, two.a[0], 0));
		expect_message(s, &s->op[0], round, 50);
	}
	close_two(s, &two);
}

/* Exercise 4: edge-triggered. */

static void edge_tells_once(struct subject *s)
{
	struct two two = open_two(s);
	uint32_t interest = interest_in(two.a[0]);
	expect(interest & (uint32_t)EPOLLET,
	       EXPECTED("the kernel to be asked with EPOLLET") SAW("%s"), event_names(interest));
	write_message(two.a[1], 1, 50);
	expect_idle(s, 1, two.b, 1, "a connection with bytes that nobody asks for");
	close_two(s, &two);
}

static void edge_remembers(struct subject *s)
{
	struct two two = open_two(s);
	for (unsigned round = 0; round < 5; round++) {
		struct io_op *done[1];
		write_message(two.a[1], round, 50);
		wait_for_bytes(two.a[0], 50);
		/* The only edge, taken while nobody waits. */
		expect(reap(s, done, 0, 1, 0) == 0, "something completed that was not in flight");
		perform(s, prepare_receive(s, 0, two.a[0], 0));
		expect_message(s, &s->op[0], round, 50);
	}
	close_two(s, &two);
}

/* Bytes that were there before the engine: the registration itself is the edge. */
static void edge_sees_earlier_bytes(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	write_message(ends[1], 1, 50);
	wait_for_bytes(ends[0], 50);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	perform(s, prepare_receive(s, 0, ends[0], 0));
	expect_message(s, &s->op[0], 1, 50);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

static void edge_asks_once(struct subject *s)
{
	struct two two;
	make_narrow_pair(s, two.a);
	make_pair(s, two.b);
	open_engine(s, 2, 2);
	attach(s, 0, two.a[0]);
	attach(s, 1, two.b[0]);
	/* The edges of registration: each socket has room. */
	struct io_op *done[2];
	reap(s, done, 0, 2, 0);
	calls_reset();
	for (unsigned m = 0; m < MESSAGES; m++) {
		start(s, prepare_receive(s, 1, two.b[0], 1));
		write_message(two.b[1], m, 50);
		await(s, &s->op[1]);
		expect_message(s, &s->op[1], m, 50);
	}
	unsigned calls = calls_made(NULL);
	expect(calls <= 4 * MESSAGES,
	       EXPECTED("at most 4 system calls a message (wait, receive)")
		       SAW("%u for %u messages"),
	       calls, MESSAGES);
	uint64_t sent = send_until_full(s, 0, two.a, 0);
	make_room(s, 0, two.a[1], 0, sent);
	write_message(two.a[1], 1, 50);
	wait_for_bytes(two.a[0], 50);
	reap(s, done, 0, 2, 0);
	unsigned controls = calls_made("epoll_ctl");
	expect(controls == 0, EXPECTED("no epoll_ctl after attach()") SAW("%u"), controls);
	close_two(s, &two);
}

/* One event says both: bytes, and the end behind them. */
static void edge_sees_the_end_behind_bytes(struct subject *s)
{
	for (unsigned round = 0; round < 3; round++) {
		int ends[2];
		struct io_op *done[1];
		make_pair(s, ends);
		open_engine(s, 2, 1);
		attach(s, 0, ends[0]);
		if (round == 0) /* a receive waits already */
			start(s, prepare_receive(s, 0, ends[0], 0));
		write_message(ends[1], round, 50);
		note("peer     will send no more, and still reads (shutdown)");
		shutdown(ends[1], SHUT_WR);
		wait_for_bytes(ends[0], 50);
		if (round == 1) /* the event comes while nobody waits */
			reap(s, done, 0, 1, 0);
		if (round == 0)
			await(s, &s->op[0]);
		else
			perform(s, prepare_receive(s, 0, ends[0], 0));
		expect_message(s, &s->op[0], round, 50);
		for (unsigned i = 0; i < 2; i++) {
			int64_t n = perform(s, prepare_receive(s, 0, ends[0], 0));
			expect(n == 0, EXPECTED("0 at the end") SAW("%s"), answer(n));
		}
		/* Half-closed: the other direction still works. */
		char seen[3];
		memcpy(buffer_of(s, 1), "ok!", 3);
		int64_t n = perform(s, prepare(s, 1, IO_SEND, ends[0], 0, IO_NO_OFFSET, 3));
		expect(n == 3 && recv(ends[1], seen, 3, MSG_WAITALL) == 3 &&
			       memcmp(seen, "ok!", 3) == 0,
		       EXPECTED("3 bytes to reach a peer that only stopped sending") SAW("%s"),
		       answer(n));
		close_engine(s);
		close(ends[0]);
		close(ends[1]);
	}
}

/* Exercise 5: one-shot. */

static void oneshot_arms_anew(struct subject *s)
{
	struct two two = open_two(s);
	uint32_t interest = interest_in(two.a[0]);
	expect(interest & (uint32_t)EPOLLONESHOT,
	       EXPECTED("the kernel to be asked with EPOLLONESHOT") SAW("%s"),
	       event_names(interest));
	calls_reset();
	for (unsigned m = 0; m < MESSAGES; m++) {
		start(s, prepare_receive(s, 0, two.a[0], 0));
		write_message(two.a[1], m, 50);
		await(s, &s->op[0]);
		expect_message(s, &s->op[0], m, 50);
		interest = interest_in(two.a[0]);
		expect(!(interest & (EPOLLIN | EPOLLOUT)),
		       EXPECTED("a descriptor that nobody waits for to be off") SAW("%s"),
		       event_names(interest));
	}
	unsigned controls = calls_made("epoll_ctl");
	expect(controls >= MESSAGES && controls <= 2 * MESSAGES,
	       EXPECTED("each of %u waits to be armed by an epoll_ctl") SAW("%u"), MESSAGES,
	       controls);
	close_two(s, &two);
}

static void oneshot_tells_once(struct subject *s)
{
	struct two two = open_two(s);
	write_message(two.a[1], 1, 50);
	expect_idle(s, 1, two.b, 1, "a connection with bytes that nobody asks for");
	perform(s, prepare_receive(s, 0, two.a[0], 0));
	expect_message(s, &s->op[0], 1, 50);
	note("peer     closes");
	close(two.a[1]);
	two.a[1] = -1;
	expect_idle(s, 1, two.b, 1, "a connection that its peer has closed");
	int64_t n = perform(s, prepare_receive(s, 0, two.a[0], 0));
	expect(n == 0, EXPECTED("0 at the end") SAW("%s"), answer(n));
	close_two(s, &two);
}

/* Exercise 6: files are refused. */

static void files_are_refused(struct subject *s)
{
	struct reason why = { "" };
	struct engine_config config = { .depth = 1, .cpu_count = 1 };
	int fd = make_file(s, 4096, O_RDWR);
	for (unsigned i = 0; i < 100; i++) { /* and no descriptor stays open */
		why.text[0] = '\0';
		int rc = s->ops->supports(&config, i % 2 ? IO_READ : IO_WRITE, IO_FD_FILE, &why);
		expect(rc == -EPERM,
		       EXPECTED("supports() of a file to give the kernel's -EPERM") SAW("%s"),
		       answer(rc));
		expect(why.text[0], EXPECTED("the reason in words") SAW("none"));
	}
	open_engine(s, 1, 1);
	why.text[0] = '\0';
	int rc = s->ops->attach(s->engine, 0, fd, IO_FD_FILE, &why);
	expect(rc == -EPERM, EXPECTED("attach() of a file to give -EPERM") SAW("%s"), answer(rc));
	expect(why.text[0], EXPECTED("the reason in words") SAW("none"));

	/* The slot is free as before. */
	int ends[2];
	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	rc = s->ops->attach(s->engine, 0, ends[0], IO_FD_SOCKET, &why);
	expect(rc == 0, WHEN("after a refused file") EXPECTED("attach() to succeed") SAW("%s"),
	       answer(rc));
	write_message(ends[1], 1, 50);
	perform(s, prepare(s, 0, IO_RECV, ends[0], 0, IO_NO_OFFSET, BUFFER_BYTES));
	expect_message(s, &s->op[0], 1, 50);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static void expect_answer(struct subject *s, enum io_kind kind, enum io_fd_kind fd_kind,
			  int expected)
{
	static const char *const fd_kinds[IO_FD_KIND_COUNT] = { "no descriptor", "a file",
								"a socket", "a pipe",
								"a listener" };
	struct reason why = { "" };
	struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	int rc = s->ops->supports(&config, kind, fd_kind, &why);
	expect(rc == expected, EXPECTED("%s from supports() for %s on %s") SAW("%s: %s"),
	       answer(expected), kind_name(kind), fd_kinds[fd_kind], answer(rc), why.text);
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
	expect_answer(s, IO_READ, IO_FD_FILE, -EPERM);
	expect_answer(s, IO_FSYNC, IO_FD_FILE, -EPERM);
	expect_answer(s, IO_NOP, IO_FD_NONE, -EOPNOTSUPP);
}

/* A pipe in blocking mode cannot be tried until -EAGAIN, which an edge demands. */
/* A thread of the test's own that looks at the descriptors while supports() makes its last call. */
struct onlooker {
	pthread_t thread;
	atomic_bool enough;
	uint64_t known; /* bit i: descriptor i was there before, from whoever started the tests */
	int inherited_fd; /* -1: there was none */
};

/* Which of the first descriptors a program would inherit now: one bit for each. */
static uint64_t inheritable(void)
{
	uint64_t found = 0;
	for (int fd = 0; fd < 64; fd++) {
		int flags = fcntl(fd, F_GETFD);
		found |= (uint64_t)(flags >= 0 && !(flags & FD_CLOEXEC)) << fd;
	}
	return found;
}

static void *look_on(void *argument)
{
	struct onlooker *onlooker = argument;
	while (!onlooker->enough && !wait_until_held(NS_PER_MS))
		;
	uint64_t found = inheritable() & ~onlooker->known;
	if (found)
		onlooker->inherited_fd = __builtin_ctzll(found);
	let_call_go();
	return NULL;
}

/* Another thread may start a program at any time. It would inherit what is without O_CLOEXEC. */
static void supports_hands_nothing_down(struct subject *s)
{
	static const struct {
		enum io_kind kind;
		enum io_fd_kind fd_kind;
	} asked[] = { { IO_RECV, IO_FD_SOCKET }, { IO_READ, IO_FD_FILE } };
	for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
		struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
		struct onlooker onlooker = { .known = inheritable(), .inherited_fd = -1 };
		struct reason why = { "" };
		hold_call("epoll_ctl " WAITS);
		expect(pthread_create(&onlooker.thread, NULL, look_on, &onlooker) == 0,
		       "the test has no thread");
		s->ops->supports(&config, asked[i].kind, asked[i].fd_kind, &why);
		onlooker.enough = true;
		pthread_join(onlooker.thread, NULL);
		expect(onlooker.inherited_fd < 0,
		       EXPECTED("a program that another thread starts to inherit nothing")
			       SAW("descriptor %d without close-on-exec"),
		       onlooker.inherited_fd);
	}
}

static void edge_says_what_it_can_do(struct subject *s)
{
	expect_answer(s, IO_RECV, IO_FD_SOCKET, 0);
	expect_answer(s, IO_SEND, IO_FD_SOCKET, 0);
	expect_answer(s, IO_READ, IO_FD_PIPE, -EOPNOTSUPP);
	expect_answer(s, IO_WRITE, IO_FD_PIPE, -EOPNOTSUPP);
}

static void refuses_both_modes(struct subject *s)
{
	expect_answer(s, IO_RECV, IO_FD_SOCKET, -EINVAL);
	expect_answer(s, IO_READ, IO_FD_PIPE, -EINVAL);
}

static void files_says_what_it_can_do(struct subject *s)
{
	expect_answer(s, IO_READ, IO_FD_FILE, 0);
	expect_answer(s, IO_WRITE, IO_FD_FILE, 0);
	expect_answer(s, IO_FDATASYNC, IO_FD_FILE, 0);
	expect_answer(s, IO_RECV, IO_FD_SOCKET, -EOPNOTSUPP);
	expect_answer(s, IO_ACCEPT, IO_FD_LISTENER, -EOPNOTSUPP);
	expect_answer(s, IO_READ, IO_FD_PIPE, -EOPNOTSUPP);
	expect_answer(s, IO_NOP, IO_FD_NONE, -EOPNOTSUPP);
	expect_answer(s, IO_NOP, IO_FD_FILE, -EOPNOTSUPP);
}

/* Exercise 7: files through worker threads, and an eventfd. */

#define BLOCK 4096u

static void expect_block(struct subject *s, const struct io_op *op)
{
	expect(op->result == BLOCK, EXPECTED("%u bytes") SAW("%s"), BLOCK, answer(op->result));
	for (unsigned i = 0; i < BLOCK; i++)
		expect(buffer_of(s, op->slot)[i] == pattern_byte(op->offset + i),
		       EXPECTED("the block at offset %llu") SAW("another byte at %u"),
		       (unsigned long long)op->offset, i);
}

static void reads_in_other_threads(struct subject *s)
{
	const unsigned reads = 64, depth = 8;
	int fd = make_file(s, (uint64_t)reads * BLOCK, O_RDONLY);
	open_engine(s, depth, 1);
	attach(s, 0, fd);
	calls_reset();
	for (unsigned i = 0; i < reads; i += depth) {
		for (unsigned slot = 0; slot < depth; slot++)
			start(s, prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * (i + slot),
					 BLOCK));
		await_all(s);
		for (unsigned slot = 0; slot < depth; slot++)
			expect_block(s, &s->op[slot]);
	}
	unsigned in_workers = calls_made_by_workers("pread64 preadv preadv2");
	unsigned in_loop = calls_made("pread64 preadv preadv2");
	expect(in_loop == 0 && in_workers == reads,
	       EXPECTED("%u reads in worker threads and none on the loop's") SAW("%u and %u"),
	       reads, in_workers, in_loop);
	close_engine(s);
	close(fd);
}

static void hears_by_eventfd(struct subject *s)
{
	const unsigned reads = 50;
	int fd = make_file(s, BLOCK, O_RDONLY), event_fd = -1;
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	for (int n = 0; n < 64; n++) {
		char path[64], link[64] = "";
		snprintf(path, sizeof path, "/proc/self/fd/%d", n);
		if (readlink(path, link, sizeof link - 1) > 0 && strstr(link, "[eventfd]"))
			event_fd = n;
	}
	expect(event_fd >= 0, EXPECTED("the engine to hold an eventfd") SAW("none"));
	expect(fcntl(event_fd, F_GETFL) & O_NONBLOCK,
	       EXPECTED("an eventfd that does not block (EFD_NONBLOCK)") SAW("one that does"));
	expect(interest_in(event_fd) & EPOLLIN,
	       EXPECTED("epoll to watch the eventfd for EPOLLIN") SAW("%s"),
	       event_names(interest_in(event_fd)));
	calls_reset();
	for (unsigned i = 0; i < reads; i++) {
		perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
		expect_block(s, &s->op[0]);
	}
	unsigned writes = calls_made_by_workers("write writev"), heard = calls_made("read readv");
	expect(writes > 0 && writes <= reads,
	       EXPECTED("workers to write to the eventfd, once a completion at most")
		       SAW("%u writes for %u"),
	       writes, reads);
	/* None is right, too: with EPOLLET each write is an edge, read or not. */
	expect(heard <= 2 * reads,
	       EXPECTED("at most 2 reads of the eventfd a completion") SAW("%u for %u completions"),
	       heard, reads);
	close_engine(s);
	close(fd);
}

/* A pipe stands for a slow disk: read(2) sleeps until the test writes to it. */
static struct io_op *slow_read(struct subject *s, unsigned slot, int fd)
{
	return prepare(s, slot, IO_READ, fd, 0, IO_NO_OFFSET, BLOCK);
}

/* Ends one read when the loop sleeps: what had ended before would be found without a wake-up. */
static void *end_while_the_loop_sleeps(void *argument)
{
	const int *fd = argument;
	wait_until_asleep(getpid());
	if (write(*fd, "!", 1) != 1)
		note("the pipe takes no byte");
	return NULL;
}

static void sleeps_beside_slow_disks(struct subject *s)
{
	int ends[4][2];
	struct io_op *done[4];
	pthread_t thread;
	open_engine(s, 4, 1);
	for (unsigned i = 0; i < 4; i++) {
		expect(pipe2(ends[i], O_CLOEXEC) == 0, "pipe");
		start(s, slow_read(s, i, ends[i][0]));
	}
	/* The fourth overtakes three that wait: workers are inside of these by then. */
	wait_until_others_sleep();
	expect(pthread_create(&thread, NULL, end_while_the_loop_sleeps, &ends[3][1]) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 1, 4, PATIENCE_NS);
	pthread_join(thread, NULL);
	expect(n == 1 && done[0] == &s->op[3],
	       EXPECTED("the fast read to wake the loop while 3 slow ones wait")
		       SAW("%u completions after 2 s"),
	       n);
	expect(s->op[3].result == 1, EXPECTED("1 byte") SAW("%s"), answer(s->op[3].result));
	int64_t used_ns = IDLE_CPU_NS; /* three tries, as in expect_idle() */
	for (unsigned tries = 0; tries < 3 && used_ns >= IDLE_CPU_NS; tries++) {
		calls_reset();
		int64_t before_ns = process_cpu_ns();
		n = reap(s, done, 1, 4, IDLE_NS);
		used_ns = process_cpu_ns() - before_ns;
		expect(n == 0, "a slow read completed before its bytes were there");
	}
	unsigned calls = calls_made(NULL), waits = calls_made(WAITS);
	/* By name, since NULL leaves out what always is allowed: a worker may spin on these two. */
	unsigned calls_of_workers =
		calls_made_by_workers(NULL) + calls_made_by_workers("futex sched_yield");
	expect(waits > 0, EXPECTED("the loop to sleep in epoll_wait") SAW("no such call"));
	expect(calls <= IDLE_CALLS_MAX,
	       EXPECTED("at most %d system calls in %lld ms in which nothing happened") SAW("%u"),
	       IDLE_CALLS_MAX, (long long)(IDLE_NS / NS_PER_MS), calls);
	expect(calls_of_workers <= IDLE_CALLS_MAX,
	       EXPECTED("workers without work to sleep")
		       SAW("%u system calls of theirs (%u sched_yield, %u futex) in "
			   "%lld ms in which nothing happened"),
	       calls_of_workers, calls_made_by_workers("sched_yield"),
	       calls_made_by_workers("futex"), (long long)(IDLE_NS / NS_PER_MS));
	expect(used_ns < IDLE_CPU_NS,
	       EXPECTED("the loop and its workers to sleep") SAW("%lld ms of CPU used in %lld"),
	       (long long)(used_ns / NS_PER_MS), (long long)(IDLE_NS / NS_PER_MS));
	for (unsigned i = 3; i-- > 0;) {
		write_message(ends[i][1], i, 30);
		await(s, &s->op[i]);
		expect_message(s, &s->op[i], i, 30);
	}
	close_engine(s);
	for (unsigned i = 0; i < 4; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* One look took many completions: nothing of them is left that would wake the loop later. */
static void sleeps_after_a_batch(struct subject *s)
{
	const unsigned batch = 16;
	int ends[2], fd = make_file(s, BLOCK, O_RDONLY);
	struct io_op *done[17];
	expect(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	open_engine(s, batch + 1, 1);
	attach(s, 0, fd);
	for (unsigned slot = 0; slot < batch; slot++)
		start(s, prepare(s, slot, IO_READ, fd, 0, 0, BLOCK));
	wait_until_others_sleep();
	reap(s, done, batch, batch, PATIENCE_NS);
	start(s, slow_read(s, batch, ends[0]));
	wait_until_others_sleep();
	calls_reset();
	unsigned n = reap(s, done, 1, 1, IDLE_NS);
	unsigned calls = calls_made(NULL);
	expect(n == 0, "a slow read completed before its bytes were there");
	expect(calls <= IDLE_CALLS_MAX,
	       WHEN("after %u completions at once")
		       EXPECTED("at most %d system calls in %lld ms in which nothing happened")
			       SAW("%u"),
	       batch, IDLE_CALLS_MAX, (long long)(IDLE_NS / NS_PER_MS), calls);
	write_message(ends[1], 1, 30);
	await(s, &s->op[batch]);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* Nobody looks meanwhile: what was announced need not be announced again. */
static void a_batch_is_announced_once(struct subject *s)
{
	const unsigned batch = 16;
	struct io_op *ops[16];
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, batch, 1);
	attach(s, 0, fd);
	for (unsigned slot = 0; slot < batch; slot++)
		ops[slot] = prepare(s, slot, IO_READ, fd, 0, 0, BLOCK);
	calls_reset();
	int accepted = s->ops->submit(s->engine, ops, batch);
	expect(accepted == (int)batch, EXPECTED("%u accepted") SAW("%s"), batch, answer(accepted));
	for (unsigned slot = 0; slot < batch; slot++)
		ops[slot]->in_flight = 1;
	s->inflight = batch;
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (calls_made_by_workers("pread64 preadv preadv2") < batch && clock_ns() < deadline_ns)
		usleep(200);
	wait_until_others_sleep();
	unsigned writes = calls_made_by_workers("write writev");
	expect(writes == 1,
	       WHEN("%u reads are over and the loop has not looked")
		       EXPECTED("one write to the eventfd") SAW("%u"),
	       batch, writes);
	await_all(s);
	close_engine(s);
	close(fd);
}

static void hears_of_every_completion(struct subject *s)
{
	const unsigned depth = 8;
	int fd = make_file(s, (uint64_t)depth * BLOCK, O_RDONLY);
	struct io_op *done[8];
	open_engine(s, depth, 1);
	attach(s, 0, fd);
	for (unsigned round = 0; round < 80; round++) {
		unsigned batch = 1 + round % depth, most = 1 + round / 3 % depth;
		for (unsigned slot = 0; slot < batch; slot++)
			start(s, prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * slot, BLOCK));
		while (s->inflight > 0) {
			unsigned n = reap(s, done, 1, most, PATIENCE_NS);
			expect(n > 0,
			       EXPECTED("a completion to wake the loop")
				       SAW("none in 2 s with %u in flight: a wake-up was lost"),
			       s->inflight);
		}
		for (unsigned slot = 0; slot < batch; slot++)
			expect_block(s, &s->op[slot]);
	}
	close_engine(s);
	close(fd);
}

/* With too few descriptors free, open() says so, and what it had made by then is gone again. */
static void open_fails_without_a_trace(struct subject *s)
{
	struct engine_config config = { .depth = 2, .max_fds = 1, .cpu_count = 1 };
	struct rlimit before, tight;
	getrlimit(RLIMIT_NOFILE, &before);
	int lowest_free = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	close(lowest_free);
	for (unsigned spare = 0; spare < 2; spare++) {
		struct reason why = { "" };
		struct engine *engine;
		note("test     leaves %u descriptors free (RLIMIT_NOFILE)", spare);
		tight = before;
		tight.rlim_cur = (rlim_t)lowest_free + spare;
		setrlimit(RLIMIT_NOFILE, &tight);
		int rc = s->ops->open(&engine, &config, &why);
		setrlimit(RLIMIT_NOFILE, &before);
		expect(rc == -EMFILE, EXPECTED("-EMFILE from open()") SAW("%s"), answer(rc));
		expect(why.text[0], EXPECTED("the reason in words") SAW("none"));
	}
}

/* A second read ends while the loop stands before its read of the eventfd. */
struct interleaving {
	pthread_t thread;
	int slow_fd;
	bool held;
};

static void *end_slow_read(void *argument)
{
	struct interleaving *interleaving = argument;
	interleaving->held = wait_until_held(NS_PER_S);
	if (write(interleaving->slow_fd, "!", 1) == 1)
		wait_until_others_sleep();
	let_call_go();
	return NULL;
}

/*
 * The one moment at which a wake-up can be lost: the queue has been emptied, and the eventfd is still
 * to be read. What a worker announces now must not be swallowed by that read.
 */
static void keeps_a_wake_up_during_its_read(struct subject *s)
{
	struct interleaving interleaving = { .held = false };
	struct io_op *done[2];
	int ends[2], fd = make_file(s, BLOCK, O_RDONLY);
	expect(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	interleaving.slow_fd = ends[1];
	open_engine(s, 2, 1);
	attach(s, 0, fd);
	start(s, slow_read(s, 1, ends[0]));
	hold_call("read readv");
	start(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	expect(pthread_create(&interleaving.thread, NULL, end_slow_read, &interleaving) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 2, 2, PATIENCE_NS);
	pthread_join(interleaving.thread, NULL);
	expect(n == 2,
	       EXPECTED("both reads within 2 s")
		       SAW("%u: the second ended while the loop was about to read "
			   "the eventfd, and its wake-up was lost"),
	       n);
	expect_block(s, &s->op[0]);
	expect(s->op[1].result == 1, EXPECTED("1 byte") SAW("%s"), answer(s->op[1].result));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/*
 * A worker's word to the loop can be held up before it is said: the engine's eventfd_write() and write()
 * come here first.
 */
static struct {
	atomic_bool closed;
	pthread_t loop;
	int loop_tid;
	sem_t reached, go;
} word;

static void pass_as_worker(void)
{
	if (!atomic_load(&word.closed) || pthread_equal(pthread_self(), word.loop))
		return;
	if (!atomic_exchange(&word.closed, false))
		return;
	sem_post(&word.reached);
	while (sem_wait(&word.go) < 0)
		;
}

/* ThreadSanitizer has a function of its own by this name, which does more than the C library's. */
#ifndef __SANITIZE_THREAD__
int eventfd_write(int fd, eventfd_t value)
{
	pass_as_worker();
	return syscall(SYS_write, fd, &value, sizeof value) == sizeof value ? 0 : -1;
}

ssize_t write(int fd, const void *buf, size_t count)
{
	pass_as_worker();
	return syscall(SYS_write, fd, buf, count);
}
#endif

static void *say_the_word(void *unused)
{
	(void)unused;
	wait_until_asleep(word.loop_tid); /* it waits for the worker's lock, or for this thread */
	sem_post(&word.go);
	return NULL;
}

static void *end_it_later(void *argument)
{
	const struct timespec quiet = timespec_of_ns(IDLE_NS);
	nanosleep(&quiet, NULL);
	if (syscall(SYS_write, *(int *)argument, "!", 1) != 1)
		abort();
	return NULL;
}

/*
 * A read is over, and its worker is about to write to the eventfd, when the loop comes and takes the read.
 * What is written afterwards announces nothing, and must not keep the loop awake for ever.
 */
static void sleeps_after_a_late_word(struct subject *s)
{
#ifdef __SANITIZE_THREAD__
	test_skipped("under ThreadSanitizer no call is held");
#endif
	struct io_op *done[2];
	pthread_t speaker;
	int ends[2], fd = make_file(s, BLOCK, O_RDONLY);
	expect(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	open_engine(s, 2, 1);
	attach(s, 0, fd);
	start(s, slow_read(s, 1, ends[0]));
	wait_until_others_sleep();
	sem_init(&word.reached, 0, 0);
	sem_init(&word.go, 0, 0);
	word.loop = pthread_self();
	word.loop_tid = (int)syscall(SYS_gettid);
	atomic_store(&word.closed, true);
	struct io_op *op = prepare(s, 0, IO_READ, fd, 0, 0, BLOCK);
	start(s, op);
	struct timespec until = timespec_of_ns((int64_t)clock_ns() + PATIENCE_NS);
	sem_clockwait(&word.reached, CLOCK_MONOTONIC, &until); /* others may say it otherwise */
	expect(pthread_create(&speaker, NULL, say_the_word, NULL) == 0, "the test has no thread");
	reap(s, done, 0, 2, 0);
	pthread_join(speaker, NULL);
	if (op->in_flight)
		await(s, op);
	wait_until_others_sleep();
	calls_reset();
	expect(pthread_create(&speaker, NULL, end_it_later, &ends[1]) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	unsigned calls = calls_made(NULL);
	pthread_join(speaker, NULL);
	expect(n == 1, EXPECTED("the other read, which was slow") SAW("%u"), n);
	expect(calls <= IDLE_CALLS_MAX,
	       EXPECTED("the loop asleep, with at most %d system calls in %lld ms") SAW("%u"),
	       IDLE_CALLS_MAX, (long long)(IDLE_NS / NS_PER_MS), calls);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* Three slow reads end while the loop stands before a wait that lacks only one. */
struct three_ends {
	pthread_t thread;
	int fds[3];
};

static void *end_three_reads(void *argument)
{
	struct three_ends *three = argument;
	bool held = wait_until_held(NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		if (write(three->fds[i], "!", 1) != 1)
			abort();
	if (held)
		wait_until_others_sleep();
	let_call_go();
	return NULL;
}

static void keeps_max_after_a_wait(struct subject *s)
{
	struct three_ends three;
	struct io_op *done[8];
	int ends[3][2], fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	for (unsigned i = 0; i < 3; i++) {
		expect(pipe2(ends[i], O_CLOEXEC) == 0, "pipe");
		three.fds[i] = ends[i][1];
		start(s, slow_read(s, i, ends[i][0]));
	}
	start(s, prepare(s, 3, IO_READ, fd, 0, 0, BLOCK));
	wait_until_others_sleep(); /* the fourth is over, and three wait */
	hold_call(WAITS);
	expect(pthread_create(&three.thread, NULL, end_three_reads, &three) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 2, 2, PATIENCE_NS); /* which fails the test when it is more */
	pthread_join(three.thread, NULL);
	expect(n == 2, EXPECTED("the 2 that were asked for") SAW("%u"), n);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < 3; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close(fd);
}

/* As many as there are workers at most. */
#define AT_ONCE 64u

/* Each has a worker at once, in every round, also after a quiet moment. */
static void are_in_workers_at_once(struct subject *s, bool in_one_submit)
{
	int ends[AT_ONCE][2];
	struct io_op *ops[AT_ONCE];
	open_engine(s, AT_ONCE, AT_ONCE);
	for (unsigned i = 0; i < AT_ONCE; i++)
		expect(pipe2(ends[i], O_CLOEXEC) == 0, "pipe");
	/* A worker that is awake still takes the second read unasked, so that takes more tries. */
	unsigned rounds = in_one_submit ? 3 : 12;
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < AT_ONCE; i++)
			ops[i] = slow_read(s, i, ends[i][0]);
		for (unsigned i = 0; !in_one_submit && i < AT_ONCE; i++)
			start(s, ops[i]);
		if (in_one_submit)
			start_all(s, ops, AT_ONCE);
		expect(s->inflight == AT_ONCE, EXPECTED("%u reads in flight") SAW("%u"), AT_ONCE,
		       s->inflight);
		for (unsigned i = AT_ONCE; i-- > 0;) {
			write_message(ends[i][1], round, 30);
			uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
			while (s->op[i].in_flight) {
				struct io_op *done[1];
				reap(s, done, 1, 1, A_MOMENT_NS);
				expect(clock_ns() < deadline_ns,
				       EXPECTED("each of %u reads, %s, to have a worker")
					       SAW("number %u wait for another read's end"),
				       AT_ONCE,
				       in_one_submit ? "which came in one submit()"
						     : "which came one after the other",
				       i);
			}
			expect_message(s, &s->op[i], round, 30);
		}
	}
	close_engine(s);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

static void a_batch_is_in_workers_at_once(struct subject *s)
{
	are_in_workers_at_once(s, true);
}

static void each_submit_has_a_worker(struct subject *s)
{
	are_in_workers_at_once(s, false);
}

#define DEPTH_LARGE  200u
#define WORKERS_MOST 64u

static void threads_are_bounded(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, DEPTH_LARGE, 1);
	attach(s, 0, fd);
	unsigned threads = threads_started();
	expect(threads > 0 && threads <= WORKERS_MOST,
	       EXPECTED("between 1 and %u worker threads for depth %u") SAW("%u"), WORKERS_MOST,
	       DEPTH_LARGE, threads);
	for (unsigned slot = 0; slot < DEPTH_LARGE; slot++)
		start(s, prepare(s, slot, IO_READ, fd, 0, 0, BLOCK));
	await_all(s);
	expect(threads_started() == threads, EXPECTED("no thread to start after open()") SAW("%u"),
	       threads_started() - threads);
	close_engine(s);
	close(fd);
}

/* More slow reads than there are workers: what no worker has taken comes back at once. */
static void cancel_takes_back_the_queue(struct subject *s)
{
	const unsigned depth = WORKERS_MOST + 16;
	int ends[2];
	struct io_op *done[WORKERS_MOST + 16];
	expect(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	open_engine(s, depth, 1);
	attach(s, 0, ends[0]);
	for (unsigned slot = 0; slot < depth; slot++)
		start(s, slow_read(s, slot, ends[0]));
	wait_until_others_sleep(); /* in the reads, which cancel() must not wait for */
	s->ops->cancel(s->engine);
	unsigned n = reap(s, done, 16, depth, PATIENCE_NS);
	expect(n >= 16,
	       WHEN("after cancel") EXPECTED("at least the 16 that no worker had") SAW("%u"), n);
	for (unsigned i = 0; i < n; i++)
		expect(done[i]->result == -ECANCELED,
		       WHEN("after cancel") EXPECTED("-ECANCELED") SAW("%s"),
		       answer(done[i]->result));
	note("test     closes the pipe, so that the slow reads end");
	close(ends[1]);
	await_all(s);
	close_engine(s);
	close(ends[0]);
}

/* One that no worker has taken comes back at once. One that sleeps in a worker stays there. */
static void calls_one_back_from_the_queue(struct subject *s)
{
	const unsigned depth = WORKERS_MOST + 3;
	int ends[2];
	struct io_op *done[WORKERS_MOST + 3];
	expect(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	open_engine(s, depth, 1);
	attach(s, 0, ends[0]);
	for (unsigned slot = 0; slot < depth; slot++)
		start(s, slow_read(s, slot, ends[0]));
	wait_until_others_sleep();
	struct io_op *in_a_worker = &s->op[0], *queued = &s->op[depth - 2];
	cancel_one(s, in_a_worker);
	cancel_one(s, queued);
	unsigned n = reap(s, done, 1, depth, PATIENCE_NS);
	expect(n == 1 && done[0] == queued && queued->result == -ECANCELED,
	       WHEN("after cancel_one() of one that no worker had")
		       EXPECTED("it alone back, with -ECANCELED") SAW("%u"),
	       n);
	note("test     closes the pipe, so that the slow reads end");
	close(ends[1]);
	await_all(s);
	expect(in_a_worker->result == 0 && s->op[depth - 1].result == 0,
	       EXPECTED("the others to end as they would have, with 0") SAW("%s and %s"),
	       answer(in_a_worker->result), answer(s->op[depth - 1].result));
	close_engine(s);
	close(ends[0]);
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
}

/* A fast read is over and a slow one is not: the time limit ends the wait for both. */
static void files_keep_their_time_limit(struct subject *s)
{
	int ends[2];
	struct io_op *done[2];
	int fd = make_file(s, BLOCK, O_RDONLY);
	expect(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	open_engine(s, 2, 1);
	attach(s, 0, fd);
	start(s, slow_read(s, 0, ends[0]));
	start(s, prepare(s, 1, IO_READ, fd, 0, 0, BLOCK));
	unsigned n = reap(s, done, 2, 2, 10 * A_MOMENT_NS);
	expect(n == 1 && done[0] == &s->op[1],
	       WHEN("when the time for two is over") EXPECTED("the one that is done") SAW("%u"), n);
	expect_block(s, &s->op[1]);
	n = reap(s, done, 1, 2, A_MOMENT_NS);
	expect(n == 0, "a slow read completed before its bytes were there");
	n = reap(s, done, 1, 2, 0);
	expect(n == 0, "a slow read completed before its bytes were there");
	write_message(ends[1], 1, 30);
	await(s, &s->op[0]);
	expect_message(s, &s->op[0], 1, 30);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* What the program blocks stays blocked, and no worker takes a signal that waits for the program. */
static void files_leave_signals_alone(struct subject *s)
{
	sigset_t blocked, before, after, waiting;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigaddset(&blocked, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	open_engine(s, 4, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int i = 1; i < SIGRTMIN; i++)
		expect(sigismember(&after, i) == sigismember(&before, i),
		       WHEN("after open()") EXPECTED("SIG%s blocked as before") SAW("it is not"),
		       sigabbrev_np(i));
	/* By default it ends the process, whichever thread takes it. */
	kill(getpid(), SIGUSR2);
	sigpending(&waiting);
	expect(sigismember(&waiting, SIGUSR2),
	       EXPECTED("a blocked signal to wait for the program") SAW("a worker take it"));
	signal(SIGUSR2, SIG_IGN); /* it waits no longer */
	close_engine(s);
}

static void files_survive_signals(struct subject *s)
{
	int ends[2];
	struct io_op *done[1];
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	expect(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned round = 0; round < 50; round++) {
		start(s, slow_read(s, 0, ends[0]));
		/* Without a time limit: only the signal ends this wait. */
		unsigned n = reap(s, done, 1, 1, -1);
		expect(n == 0, "a slow read completed before its bytes were there");
		write_message(ends[1], round, 30);
		await(s, &s->op[0]);
		expect_message(s, &s->op[0], round, 30);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The table. */

#define EXERCISE_1 .exercise = 1, .engine = "epoll", .allowed_calls = RECEIVING
#define EXERCISE_2 .exercise = 2, .engine = "epoll", .allowed_calls = STREAMING
#define EXERCISE_3 .exercise = 3, .engine = "epoll", .allowed_calls = STREAMING
#define EXERCISE_4 .exercise = 4, .engine = "epoll:edge", .allowed_calls = STREAMING
#define EXERCISE_5 .exercise = 5, .engine = "epoll:oneshot", .allowed_calls = STREAMING
#define EXERCISE_6 .exercise = 6, .engine = "epoll", .allowed_calls = STREAMING
#define EXERCISE_7 .exercise = 7, .engine = "epoll_workers", .allowed_calls = HEARING

#define TEST(test, which, function) .name = test, .flavours = which, .run = function

const struct lab_test lab_tests[] = {
	{ EXERCISE_1, TEST("receives_what_is_there", STREAMS, stream_receives_what_is_there) },
	{ EXERCISE_1, TEST("receives_in_full_buffers", STREAMS, stream_receives_in_full_buffers) },
	{ EXERCISE_1,
	  TEST("waits_without_touching", ONE(TCP) | ONE(PIPE), stream_waits_without_touching) },
	{ EXERCISE_1, TEST("sleeps_while_waiting", ONE(TCP), stream_sleeps_while_waiting) },
	{ EXERCISE_1, TEST("waits_in_the_kernel", SOCKETS, waits_in_the_kernel) },
	{ EXERCISE_1, TEST("keeps_short_timeouts", ONE(TCP), keeps_short_timeouts) },
	{ EXERCISE_1,
	  TEST("short_waits_are_short", ONE(TCP), stream_waits_less_than_a_millisecond) },
	{ EXERCISE_1, TEST("keeps_all_bits_of_a_timeout", ONE(UNIX), stream_waits_for_ever) },
	{ EXERCISE_1, TEST("false_alarm_goes_on_waiting", SOCKETS, false_alarm_goes_on_waiting) },
	{ EXERCISE_1, TEST("end_of_file", STREAMS, stream_end_of_file) },
	{ EXERCISE_1, TEST("end_while_waiting", STREAMS, stream_end_while_waiting) },
	{ EXERCISE_1, TEST("reset", ONE(TCP), tcp_reset) },
	{ EXERCISE_1, TEST("waits_for_as_many_as_asked", ONE(UNIX), waits_for_as_many_as_asked) },
	{ EXERCISE_1,
	  TEST("the_time_limit_is_for_the_whole_wait", ONE(UNIX),
	       the_time_limit_is_for_the_whole_wait),
	  .limit_s = 30 },
	{ EXERCISE_1, TEST("what_comes_does_not_prolong_the_wait", ONE(UNIX),
			   what_comes_does_not_prolong_the_wait) },
	{ EXERCISE_1, TEST("waits_for_seconds", ONE(UNIX), stream_waits_for_seconds) },
	{ EXERCISE_1, TEST("an_endless_wait_is_one_call", ONE(UNIX), an_endless_wait_is_one_call) },
	{ EXERCISE_1,
	  TEST("comes_back_one_by_one", ONE(UNIX) | ONE(PIPE), stream_comes_back_one_by_one) },
	{ EXERCISE_1, TEST("fd_slot_beyond_65535", ONE(UNIX), stream_slot_beyond_65535) },
	{ EXERCISE_1, TEST("descriptor_0_is_served", ONE(UNIX), descriptor_0_is_served) },
	{ EXERCISE_1, TEST("two_engines_in_two_threads", ONE(UNIX), two_engines_in_two_threads) },
	{ EXERCISE_1, TEST("takes_events_in_batches", ONE(UNIX), takes_events_in_batches) },
	{ EXERCISE_1, TEST("finds_the_active_one", ONE(TCP), stream_finds_the_active_one) },
	{ EXERCISE_1, TEST("price_does_not_grow", ONE(TCP), price_does_not_grow) },
	{ EXERCISE_1, TEST("survives_signals", ONE(TCP), stream_survives_signals) },
	{ EXERCISE_1, TEST("a_signal_ends_the_wait", ONE(TCP), stream_signal_ends_the_wait) },
	{ EXERCISE_1, TEST("stays_blocking", ONE(TCP) | ONE(PIPE), stream_stays_blocking) },
	{ EXERCISE_1, TEST("slot_is_used_again", ONE(TCP) | ONE(PIPE), stream_slot_is_used_again) },
	{ EXERCISE_1, TEST("cancel", ONE(TCP) | ONE(PIPE), stream_cancel) },
	{ EXERCISE_1, TEST("cancel_with_nothing", ONE(TCP), cancel_with_nothing_in_flight) },
	{ EXERCISE_1, TEST("opens_without_memory_or_says_why_not", ONE(TCP), open_without_memory) },

	{ EXERCISE_1, TEST("result_is_all_that_is_written", ONE(UNIX) | ONE(PIPE),
			   result_is_all_that_is_written) },
	{ EXERCISE_1, TEST("is_not_inherited", ONE(UNIX), descriptors_are_not_inherited) },
	{ EXERCISE_1, TEST("two_engines", ONE(UNIX), two_engines_on_streams) },
	{ EXERCISE_1, TEST("bytes_before_the_hang_up", ONE(UNIX) | ONE(PIPE),
			   stream_bytes_before_the_hang_up) },
	{ EXERCISE_1, TEST("error_behind_bytes", ONE(TCP), tcp_error_behind_bytes) },
	{ EXERCISE_1,
	  TEST("batch_is_in_flight_at_once", ONE(UNIX), stream_batch_is_in_flight_at_once) },
	{ EXERCISE_1,
	  TEST("cancel_in_scattered_slots", ONE(UNIX), stream_cancel_in_scattered_slots) },
	{ EXERCISE_1, TEST("stays_whole_after_the_end", ONE(UNIX) | ONE(PIPE),
			   stream_stays_whole_after_the_end) },
	{ EXERCISE_1,
	  TEST("finds_many_ready_at_once", ONE(UNIX), stream_finds_many_ready_at_once) },
	{ EXERCISE_1, TEST("open_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ EXERCISE_1,
	  TEST("failures_leave_nothing_behind", ONE(NO_FD), failures_leave_nothing_behind) },
	{ EXERCISE_1, TEST("accepts_who_waits", ONE(TCP), accept_takes_who_waits) },
	{ EXERCISE_1, TEST("accepts_who_comes", ONE(TCP), accept_waits_for_a_client) },
	{ EXERCISE_1, TEST("accepts_nobody_after_a_false_alarm", ONE(UNIX),
			   accept_false_alarm_goes_on_waiting) },
	{ EXERCISE_1, TEST("calls_one_back", ONE(UNIX) | ONE(PIPE), cancel_one_leaves_the_others) },
	{ EXERCISE_1,
	  TEST("tells_that_no_number_is_free", ONE(UNIX), accept_without_a_free_number) },
	{ EXERCISE_1, TEST("calls_one_back_too_late", ONE(UNIX), cancel_one_comes_too_late) },
	{ EXERCISE_1, TEST("lends_when_bytes_are_there", ONE(UNIX), lent_buffer_holds_what_came) },
	{ EXERCISE_1, TEST("lends_for_bytes_only", ONE(UNIX), lent_buffer_for_bytes_only) },
	{ EXERCISE_1, TEST("attach_tells_what_fails", ONE(UNIX), attach_tells_what_fails) },

	{ EXERCISE_2, TEST("zero_bytes", ONE(UNIX), stream_zero_bytes) },
	{ EXERCISE_2, TEST("options_stay", ONE(TCP), socket_options_stay) },
	{ EXERCISE_2, TEST("waits_for_room", SOCKETS, waits_for_room) },
	{ EXERCISE_2, TEST("sends_right_data", STREAMS, stream_sends_right_data) },
	{ EXERCISE_2, TEST("survives_a_full_buffer", STREAMS, stream_survives_a_full_buffer) },
	{ EXERCISE_2, TEST("a_send_that_fits_is_one_call", SOCKETS, a_send_that_fits_is_one_call) },
	{ EXERCISE_2, TEST("both_directions", SOCKETS, socket_both_directions_at_once) },
	{ EXERCISE_2, TEST("keeps_the_other_direction", SOCKETS, keeps_the_other_direction) },
	{ EXERCISE_2, TEST("peer_that_stopped_sending_hears", ONE(UNIX),
			   socket_peer_that_stopped_sending_hears) },
	{ EXERCISE_2, TEST("peer_that_stopped_sending_makes_room", ONE(UNIX),
			   socket_peer_that_stopped_sending_makes_room) },
	{ EXERCISE_2, TEST("lends_no_more_than_it_has", ONE(UNIX), lent_buffers_are_short) },
	{ EXERCISE_2,
	  TEST("send_survives_signals", ONE(UNIX) | ONE(PIPE), stream_send_survives_signals) },
	{ EXERCISE_2, TEST("cancel_of_sends", ONE(UNIX) | ONE(PIPE), stream_cancel_of_sends) },
	{ EXERCISE_2, TEST("send_to_nobody", STREAMS, stream_send_to_nobody) },
	{ EXERCISE_2,
	  TEST("a_peer_that_leaves_ends_a_send", STREAMS, a_peer_that_leaves_ends_a_send) },
	{ EXERCISE_2, TEST("cancel_takes_back_a_send", SOCKETS, cancel_takes_back_a_send) },
	{ EXERCISE_2,
	  TEST("keeps_two_engines_apart", ONE(UNIX) | ONE(PIPE), keeps_two_engines_apart) },
	{ EXERCISE_2, TEST("calls_a_send_back_too_late", ONE(UNIX) | ONE(PIPE),
			   cancel_one_of_a_send_that_fits) },
	{ EXERCISE_2, TEST("reset_of_a_send_that_waits", ONE(TCP), tcp_reset_while_a_send_waits) },
	{ EXERCISE_2, TEST("calls_one_send_back", ONE(UNIX), cancel_one_of_a_send) },
	{ EXERCISE_2, TEST("connects", SOCKETS, connect_reaches_a_listener) },
	{ EXERCISE_2, TEST("connects_to_nobody", ONE(TCP), connect_to_nobody) },
	{ EXERCISE_2, TEST("calls_a_connect_back", ONE(TCP), connect_waits_and_is_called_back) },

	{ EXERCISE_3,
	  TEST("unwanted_bytes_are_silent", ONE(TCP) | ONE(PIPE), unwanted_bytes_are_silent) },
	{ EXERCISE_3, TEST("hang_up_is_silent", STREAMS, hang_up_is_silent) },
	{ EXERCISE_3, TEST("hang_up_after_unwanted_bytes", ONE(TCP) | ONE(PIPE),
			   hang_up_after_unwanted_bytes) },
	{ EXERCISE_3, TEST("reset_is_silent", ONE(TCP), reset_is_silent) },
	{ EXERCISE_3, TEST("room_is_silent", SOCKETS, room_is_silent) },
	{ EXERCISE_3, TEST("broken_pipe_is_silent", ONE(PIPE), broken_pipe_is_silent) },
	{ EXERCISE_3, TEST("detach_forgets_a_shared_socket", ONE(TCP) | ONE(PIPE),
			   detach_forgets_a_shared_socket) },
	{ EXERCISE_3, TEST("detached_unused", ONE(UNIX), stream_detached_unused) },
	{ EXERCISE_3, TEST("attaches_the_same_again", ONE(TCP), attaches_the_same_again) },
	{ EXERCISE_3,
	  TEST("number_moves_to_another_slot", ONE(UNIX), stream_number_moves_to_another_slot) },
	{ EXERCISE_3,
	  TEST("slot_takes_another_number", ONE(UNIX), stream_slot_takes_another_number) },

	/* The bytes that come after it are unwanted for a moment. */
	{ EXERCISE_3, TEST("calls_one_back_and_receives_again", ONE(UNIX) | ONE(PIPE),
			   cancel_one_leaves_the_descriptor_whole) },

	{ EXERCISE_3, TEST("connections_tell_what_fails", ONE(TCP), connections_tell_what_fails) },
	{ EXERCISE_3, TEST("tells_what_fails", ONE(UNIX) | ONE(PIPE), stream_tells_what_fails) },

	{ EXERCISE_4, TEST("edge_tells_once", SOCKETS, edge_tells_once) },
	{ EXERCISE_4, TEST("edge_remembers", SOCKETS, edge_remembers) },
	{ EXERCISE_4, TEST("edge_sees_earlier_bytes", SOCKETS, edge_sees_earlier_bytes) },
	{ EXERCISE_4, TEST("edge_asks_once", SOCKETS, edge_asks_once) },
	{ EXERCISE_4,
	  TEST("edge_sees_the_end_behind_bytes", SOCKETS, edge_sees_the_end_behind_bytes) },
	{ EXERCISE_4, TEST("edge_receives_what_is_there", SOCKETS, stream_receives_what_is_there) },
	{ EXERCISE_4, TEST("edge_drains", SOCKETS, stream_receives_in_full_buffers) },
	{ EXERCISE_4, TEST("edge_lends_the_length", ONE(UNIX), lent_buffers_take_the_length) },
	{ EXERCISE_4,
	  TEST("edge_waits_without_touching", ONE(TCP), stream_waits_without_touching) },
	{ EXERCISE_4, TEST("edge_false_alarm", SOCKETS, false_alarm_goes_on_waiting) },
	{ EXERCISE_4, TEST("edge_end_of_file", SOCKETS, stream_end_of_file) },
	{ EXERCISE_4, TEST("edge_end_while_waiting", ONE(TCP), stream_end_while_waiting) },
	{ EXERCISE_4, TEST("edge_reset", ONE(TCP), tcp_reset) },
	{ EXERCISE_4, TEST("edge_waits_for_room", SOCKETS, waits_for_room) },
	{ EXERCISE_4, TEST("edge_survives_a_full_buffer", SOCKETS, stream_survives_a_full_buffer) },
	{ EXERCISE_4, TEST("edge_comes_back_one_by_one", SOCKETS, stream_comes_back_one_by_one) },
	{ EXERCISE_4, TEST("edge_zero_bytes", SOCKETS, stream_zero_bytes) },
	{ EXERCISE_4, TEST("edge_detached_unused", ONE(UNIX), stream_detached_unused) },
	{ EXERCISE_4, TEST("edge_both_directions", SOCKETS, socket_both_directions_at_once) },
	{ EXERCISE_4,
	  TEST("edge_keeps_the_other_direction", ONE(UNIX), keeps_the_other_direction) },
	{ EXERCISE_4, TEST("edge_peer_that_stopped_sending_hears", ONE(UNIX),
			   socket_peer_that_stopped_sending_hears) },
	{ EXERCISE_4,
	  TEST("edge_bytes_before_the_hang_up", ONE(UNIX), stream_bytes_before_the_hang_up) },
	{ EXERCISE_4, TEST("edge_error_behind_bytes", ONE(TCP), tcp_error_behind_bytes) },
	{ EXERCISE_4, TEST("edge_number_moves_to_another_slot", ONE(UNIX),
			   stream_number_moves_to_another_slot) },
	{ EXERCISE_4, TEST("edge_finds_the_active_one", ONE(TCP), stream_finds_the_active_one) },
	{ EXERCISE_4, TEST("edge_slot_is_used_again", ONE(TCP), stream_slot_is_used_again) },
	{ EXERCISE_4, TEST("edge_peer_that_stopped_sending_makes_room", ONE(UNIX),
			   socket_peer_that_stopped_sending_makes_room) },
	{ EXERCISE_4,
	  TEST("edge_finds_many_ready_at_once", ONE(UNIX), stream_finds_many_ready_at_once) },
	{ EXERCISE_4,
	  TEST("edge_detach_forgets_a_shared_socket", ONE(TCP), detach_forgets_a_shared_socket) },
	{ EXERCISE_4, TEST("edge_cancel", ONE(TCP), stream_cancel) },
	{ EXERCISE_4, TEST("edge_cancel_of_sends", ONE(UNIX), stream_cancel_of_sends) },
	{ EXERCISE_4, TEST("edge_send_to_nobody", ONE(UNIX), stream_send_to_nobody) },
	{ EXERCISE_4,
	  TEST("edge_a_peer_that_leaves_ends_a_send", ONE(UNIX), a_peer_that_leaves_ends_a_send) },

	{ EXERCISE_4, TEST("edge_lends_no_more_than_it_has", ONE(UNIX), lent_buffers_are_short) },
	{ EXERCISE_4, TEST("edge_accepts_who_waits", ONE(TCP), accept_takes_who_waits) },
	{ EXERCISE_4, TEST("edge_accepts_who_comes", ONE(TCP), accept_waits_for_a_client) },
	{ EXERCISE_4, TEST("edge_connects", SOCKETS, connect_reaches_a_listener) },
	{ EXERCISE_4,
	  TEST("edge_calls_one_back", ONE(UNIX), cancel_one_leaves_the_descriptor_whole) },

	{ EXERCISE_4,
	  TEST("edge_connections_tell_what_fails", ONE(TCP), connections_tell_what_fails) },
	{ EXERCISE_4, TEST("edge_tells_what_fails", ONE(UNIX), stream_tells_what_fails) },

	{ EXERCISE_5, TEST("oneshot_arms_anew", SOCKETS, oneshot_arms_anew) },
	{ EXERCISE_5, TEST("oneshot_tells_once", ONE(TCP) | ONE(PIPE), oneshot_tells_once) },
	{ EXERCISE_5,
	  TEST("oneshot_keeps_the_other_direction", SOCKETS, keeps_the_other_direction) },
	{ EXERCISE_5, TEST("oneshot_false_alarm", SOCKETS, false_alarm_goes_on_waiting) },
	{ EXERCISE_5, TEST("oneshot_receives_what_is_there", ONE(TCP) | ONE(PIPE),
			   stream_receives_what_is_there) },
	{ EXERCISE_5, TEST("oneshot_receives_in_full_buffers", ONE(TCP) | ONE(PIPE),
			   stream_receives_in_full_buffers) },
	{ EXERCISE_5,
	  TEST("oneshot_end_while_waiting", ONE(TCP) | ONE(PIPE), stream_end_while_waiting) },
	{ EXERCISE_5, TEST("oneshot_comes_back_one_by_one", ONE(UNIX) | ONE(PIPE),
			   stream_comes_back_one_by_one) },
	{ EXERCISE_5, TEST("oneshot_zero_bytes", ONE(UNIX), stream_zero_bytes) },
	{ EXERCISE_5,
	  TEST("oneshot_detached_unused", ONE(UNIX) | ONE(PIPE), stream_detached_unused) },
	{ EXERCISE_5, TEST("oneshot_waits_for_room", SOCKETS, waits_for_room) },
	{ EXERCISE_5, TEST("oneshot_survives_a_full_buffer", ONE(TCP) | ONE(PIPE),
			   stream_survives_a_full_buffer) },
	{ EXERCISE_5,
	  TEST("oneshot_send_survives_signals", ONE(UNIX), stream_send_survives_signals) },
	{ EXERCISE_5, TEST("oneshot_batch_is_in_flight_at_once", ONE(UNIX),
			   stream_batch_is_in_flight_at_once) },
	{ EXERCISE_5, TEST("oneshot_slot_is_used_again", ONE(TCP), stream_slot_is_used_again) },
	{ EXERCISE_5, TEST("oneshot_peer_that_stopped_sending_makes_room", ONE(UNIX),
			   socket_peer_that_stopped_sending_makes_room) },
	{ EXERCISE_5,
	  TEST("oneshot_finds_many_ready_at_once", ONE(UNIX), stream_finds_many_ready_at_once) },
	{ EXERCISE_5, TEST("oneshot_number_moves_to_another_slot", ONE(UNIX),
			   stream_number_moves_to_another_slot) },
	{ EXERCISE_5, TEST("oneshot_detach_forgets_a_shared_socket", ONE(TCP),
			   detach_forgets_a_shared_socket) },
	{ EXERCISE_5, TEST("oneshot_cancel", ONE(TCP), stream_cancel) },
	{ EXERCISE_5,
	  TEST("oneshot_cancel_of_sends", ONE(UNIX) | ONE(PIPE), stream_cancel_of_sends) },
	{ EXERCISE_5, TEST("oneshot_reset", ONE(TCP), tcp_reset) },
	{ EXERCISE_5, TEST("oneshot_send_to_nobody", ONE(UNIX), stream_send_to_nobody) },
	{ EXERCISE_5, TEST("oneshot_a_peer_that_leaves_ends_a_send", ONE(UNIX),
			   a_peer_that_leaves_ends_a_send) },

	{ EXERCISE_5, TEST("oneshot_accepts_who_waits", ONE(TCP), accept_takes_who_waits) },
	{ EXERCISE_5, TEST("oneshot_accepts_who_comes", ONE(TCP), accept_waits_for_a_client) },
	{ EXERCISE_5, TEST("oneshot_connects", ONE(TCP), connect_reaches_a_listener) },
	{ EXERCISE_5,
	  TEST("oneshot_calls_one_back", ONE(UNIX), cancel_one_leaves_the_descriptor_whole) },

	{ EXERCISE_5,
	  TEST("oneshot_tells_what_fails", ONE(UNIX) | ONE(PIPE), stream_tells_what_fails) },

	{ EXERCISE_6, TEST("files_are_refused", ONE(BUFFERED), files_are_refused) },
	{ EXERCISE_6, TEST("says_what_it_can_do", ONE(NO_FD), says_what_it_can_do) },
	{ EXERCISE_6, TEST("supports_or_says_why", ONE(NO_FD), supports_or_says_why) },
	{ .exercise = 6,
	  .engine = "epoll:edge+oneshot",
	  TEST("says_why_not_both_modes", ONE(NO_FD), supports_or_says_why) },
	{ .exercise = 6,
	  .engine = "epoll:edge",
	  TEST("edge_says_what_it_can_do", ONE(NO_FD), edge_says_what_it_can_do) },
	{ .exercise = 6,
	  .engine = "epoll:oneshot",
	  TEST("oneshot_says_what_it_can_do", ONE(NO_FD), says_what_it_can_do) },
	{ .exercise = 6,
	  .engine = "epoll:edge+oneshot",
	  TEST("refuses_both_modes", ONE(NO_FD), refuses_both_modes) },

	{ EXERCISE_6, TEST("supports_tells_what_fails", ONE(NO_FD), supports_tells_what_fails) },
	{ EXERCISE_6,
	  TEST("supports_hands_nothing_down", ONE(NO_FD), supports_hands_nothing_down) },

	{ EXERCISE_7, TEST("reads_in_other_threads", FILES, reads_in_other_threads) },
	{ EXERCISE_7, TEST("hears_by_eventfd", ONE(BUFFERED), hears_by_eventfd) },
	{ EXERCISE_7, TEST("sleeps_after_a_late_word", ONE(BUFFERED), sleeps_after_a_late_word) },
	{ EXERCISE_7, TEST("sleeps_beside_slow_disks", ONE(BUFFERED), sleeps_beside_slow_disks) },
	{ EXERCISE_7, TEST("a_completion_does_not_prolong_the_wait", ONE(BUFFERED),
			   what_comes_does_not_prolong_the_wait) },
	{ EXERCISE_7, TEST("sleeps_after_a_batch", ONE(BUFFERED), sleeps_after_a_batch) },
	{ EXERCISE_7, TEST("a_batch_is_announced_once", ONE(BUFFERED), a_batch_is_announced_once) },
	{ EXERCISE_7, TEST("keeps_max_after_a_wait", ONE(BUFFERED), keeps_max_after_a_wait) },
	{ EXERCISE_7, TEST("each_submit_has_a_worker", ONE(BUFFERED), each_submit_has_a_worker) },
	{ EXERCISE_7,
	  TEST("the_time_limit_is_for_all_completions", ONE(BUFFERED),
	       the_time_limit_is_for_the_whole_wait),
	  .limit_s = 30 },
	{ EXERCISE_7,
	  TEST("leaves_signals_to_the_loop", ONE(BUFFERED), signals_are_left_to_the_caller) },
	{ EXERCISE_7, TEST("hears_of_every_completion", ONE(BUFFERED), hears_of_every_completion) },
	{ EXERCISE_7,
	  TEST("keeps_a_wake_up_during_its_read", ONE(BUFFERED), keeps_a_wake_up_during_its_read) },
	{ EXERCISE_7,
	  TEST("a_batch_is_in_workers_at_once", ONE(BUFFERED), a_batch_is_in_workers_at_once) },
	{ EXERCISE_7,
	  TEST("open_fails_without_a_trace", ONE(BUFFERED), open_fails_without_a_trace) },
	{ EXERCISE_7, TEST("threads_are_bounded", ONE(BUFFERED), threads_are_bounded) },
	{ EXERCISE_7,
	  TEST("cancel_takes_back_the_queue", ONE(BUFFERED), cancel_takes_back_the_queue) },
	{ EXERCISE_7,
	  TEST("calls_one_back_from_the_queue", ONE(BUFFERED), calls_one_back_from_the_queue) },
	{ EXERCISE_7, TEST("files_call_one_back", ONE(BUFFERED), cancel_one_of_a_file) },
	{ EXERCISE_7, TEST("files_failures_leave_nothing_behind", ONE(BUFFERED),
			   failures_leave_nothing_behind) },
	{ EXERCISE_7,
	  TEST("files_keep_their_time_limit", ONE(BUFFERED), files_keep_their_time_limit) },
	{ EXERCISE_7, TEST("files_leave_signals_alone", ONE(BUFFERED), files_leave_signals_alone) },
	{ EXERCISE_7, TEST("files_survive_signals", ONE(BUFFERED), files_survive_signals) },
	{ EXERCISE_7, TEST("files_read_right_data", FILES, file_read_right_data) },
	{ EXERCISE_7, TEST("files_write_right_data", FILES, file_write_right_data) },
	{ EXERCISE_7, TEST("files_read_across_end", FILES, file_read_across_end) },
	{ EXERCISE_7, TEST("files_sync", ONE(BUFFERED), file_sync) },
	{ EXERCISE_7, TEST("files_bad_descriptor", ONE(BUFFERED), file_bad_descriptor) },
	{ EXERCISE_7, TEST("files_bad_offset", ONE(BUFFERED), file_bad_offset) },
	{ EXERCISE_7, TEST("files_keep_min_and_max", ONE(BUFFERED), reap_keeps_min_and_max) },
	{ EXERCISE_7, TEST("files_cancel", ONE(BUFFERED), file_cancel) },
	{ EXERCISE_7, TEST("opens_and_closes_again", ONE(BUFFERED), opens_and_closes_again) },
	{ EXERCISE_7,
	  TEST("files_open_without_memory_or_say_why_not", ONE(BUFFERED), open_without_memory) },
	{ EXERCISE_7, TEST("files_open_tells_what_fails", ONE(BUFFERED), open_tells_what_fails) },
	{ EXERCISE_7,
	  TEST("files_supports_tells_what_fails", ONE(BUFFERED), supports_tells_what_fails) },
	{ EXERCISE_7,
	  TEST("files_supports_hands_nothing_down", ONE(BUFFERED), supports_hands_nothing_down) },
	{ EXERCISE_7, TEST("files_tell_what_fails", ONE(BUFFERED), file_tells_what_fails) },
	{ EXERCISE_7, TEST("files_says_what_it_can_do", ONE(NO_FD), files_says_what_it_can_do) },
	{ EXERCISE_7, TEST("files_result_is_all_that_is_written", ONE(BUFFERED),
			   result_is_all_that_is_written) },
	{ EXERCISE_7,
	  TEST("files_are_not_inherited", ONE(BUFFERED), descriptors_are_not_inherited) },
	{ EXERCISE_7, TEST("files_two_engines", ONE(BUFFERED), two_engines_on_files) },
	{ EXERCISE_7, TEST("files_zero_bytes", ONE(BUFFERED), file_zero_bytes) },
	{ EXERCISE_7, TEST("files_sync_that_fails", ONE(BUFFERED), file_sync_that_fails) },
	{ EXERCISE_7, TEST("files_cancel_then_silence", ONE(BUFFERED), file_cancel_then_silence) },
	{ EXERCISE_7, TEST("files_keep_a_large_min", ONE(BUFFERED), reap_keeps_a_large_min) },
	{ EXERCISE_7, TEST("files_lose_nothing_to_a_reap_of_nothing", ONE(BUFFERED),
			   reap_of_nothing_loses_nothing) },
	{ EXERCISE_7,
	  TEST("files_stay_whole_after_the_end", ONE(BUFFERED), file_stays_whole_after_the_end) },
	{ EXERCISE_7, TEST("files_supports_or_says_why", ONE(BUFFERED), supports_or_says_why) },
	THE_REST_OF_THE_CONTRACT(7, "epoll", STREAMS, BLOCKING),
	THE_REST_OF_THE_CONTRACT(7, "epoll_workers", FILES, LENDING | BLOCKING),
	{ NULL },
};
