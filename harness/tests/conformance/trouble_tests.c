/* SPDX-License-Identifier: MIT */
/* Errors, connections of which half is closed, batches, and a wait that must be a sleep. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "conformance.h"
#include "random.h"
#include "tests.h"

#define BLOCK 4096u

static int64_t send_three(struct subject *s, int fd)
{
	memcpy(buffer_of(s, 1), "out", 3);
	return perform(s, prepare_send(s, 1, fd, 0, 3));
}

/* A peer that only stopped sending must still hear, before its end was read and after. */
void socket_peer_that_stopped_sending_hears(struct subject *s)
{
	int ends[2];
	char seen[9];
	make_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	expect(write(ends[1], "last", 4) == 4, "the test's own write failed");
	shutdown(ends[1], SHUT_WR);
	int64_t n = send_three(s, ends[0]);
	expect(n == 3, WHEN("before the end was read") EXPECTED("3 bytes sent") SAW("%s"),
	       answer(n));
	n = perform(s, prepare_receive(s, 0, ends[0], 0));
	expect(n == 4 && memcmp(buffer_of(s, 0), "last", 4) == 0,
	       EXPECTED("the last 4 bytes") SAW("%s"), answer(n));
	n = send_three(s, ends[0]);
	expect(n == 3, WHEN("before the end was read") EXPECTED("3 bytes sent") SAW("%s"),
	       answer(n));
	n = perform(s, prepare_receive(s, 0, ends[0], 0));
	expect(n == 0, EXPECTED("0 at the end") SAW("%s"), answer(n));
	n = send_three(s, ends[0]);
	expect(n == 3, WHEN("after the end was read") EXPECTED("3 bytes sent") SAW("%s"),
	       answer(n));
	expect(recv(ends[1], seen, 9, MSG_WAITALL) == 9 && memcmp(seen, "outoutout", 9) == 0,
	       "the peer did not hear what was sent to it");
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The end of one direction must not end what waits in the other. */
void socket_peer_that_stopped_sending_makes_room(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	struct io_op *done[2];
	make_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	fill(s, ends[0]);
	struct io_op *sent = prepare_send(s, 0, ends[0], 0, 1000);
	struct io_op *received = prepare_receive(s, 1, ends[0], 0);
	start(s, received);
	start(s, sent);
	shutdown(ends[1], SHUT_WR);
	await(s, received);
	expect(received->result == 0, EXPECTED("0 at the end") SAW("%s"), answer(received->result));
	/* An engine that is told of the end again and again must bear that, too. */
	if (sent->in_flight)
		reap(s, done, 1, 2, 5 * NS_PER_MS);
	for (unsigned tries = 0; sent->in_flight; tries++) {
		expect(tries < 1000, "there is room, and the send still waits");
		read_what_is_there(ends[1]);
		reap(s, done, 1, 2, 5 * NS_PER_MS);
	}
	expect(sent->result > 0,
	       EXPECTED("bytes sent to a peer that only stopped sending") SAW("%s"),
	       answer(sent->result));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The peer is gone, and bytes of it are still to be read: HUP is not yet the end. */
void stream_bytes_before_the_hang_up(struct subject *s)
{
	enum { TOTAL = 20000 };
	static char sent[TOTAL];
	for (unsigned b = 0; b < TOTAL; b++)
		sent[b] = pattern_byte(b);
	for (unsigned waits = 0; waits < 2; waits++) {
		if (waits && s->ops->traits & IO_BLOCKS_IN_SUBMIT)
			continue;
		int ends[2];
		make_reading_pair(s, ends);
		open_engine(s, 1, 1);
		attach(s, 0, ends[0]);
		if (waits)
			start(s, prepare_receive(s, 0, ends[0], 0));
		expect(write(ends[1], sent, TOTAL) == TOTAL, "the test's own write failed");
		close(ends[1]);
		uint64_t total = 0;
		for (bool first = waits;; first = false) {
			int64_t n;
			if (first) {
				await(s, &s->op[0]);
				n = s->op[0].result;
			} else {
				n = perform(s, prepare_receive(s, 0, ends[0], 0));
			}
			expect(n >= 0, EXPECTED("bytes or the end") SAW("%s"), answer(n));
			if (n == 0)
				break;
			expect(memcmp(buffer_of(s, 0), sent + total, (size_t)n) == 0,
			       "a wrong byte after %llu", (unsigned long long)total);
			total += (uint64_t)n;
		}
		expect(total == TOTAL, EXPECTED("%u bytes before the end") SAW("%llu"), TOTAL,
		       (unsigned long long)total);
		close_engine(s);
		close(ends[0]);
	}
}

/*
 * Other operations that are offered with a send are no reason to hold its bytes back, as TCP does for 200
 * ms after MSG_MORE. On a new connection nothing else is.
 */
void tcp_sends_are_on_their_way(struct subject *s)
{
	enum { PAIRS = 4 };
	int ends[PAIRS][2];
	struct io_op *ops[PAIRS];
	open_engine(s, PAIRS, PAIRS);
	for (unsigned i = 0; i < PAIRS; i++) {
		make_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		ops[i] = prepare_send(s, i, ends[i][0], i, 100);
	}
	start_all(s, ops, PAIRS);
	await_all(s);
	for (unsigned i = 0; i < PAIRS; i++) {
		int unsent_bytes = -1;
		expect(ioctl(ends[i][0], SIOCOUTQNSD, &unsent_bytes) == 0,
		       "the test's own ioctl failed: %s", strerror(errno));
		expect(ops[i]->result == 100 && unsent_bytes == 0,
		       WHEN("%u sends are offered together")
			       EXPECTED("100 bytes sent, and none held back") SAW("%s, and %d"),
		       PAIRS, answer(ops[i]->result), unsent_bytes);
	}
	close_engine(s);
	for (unsigned i = 0; i < PAIRS; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* Sends 5 bytes and then resets the connection. */
static void send_and_reset(int fd)
{
	struct linger at_once = { .l_onoff = 1 };
	expect(write(fd, "bytes", 5) == 5, "the test's own write failed");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fd);
}

/* As recv(2) does: on another connection it is asked what is right. */
void tcp_error_behind_bytes(struct subject *s)
{
	int ends[2], plain[2];
	make_pair(s, ends);
	make_pair(s, plain);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	send_and_reset(ends[1]);
	send_and_reset(plain[1]);
	for (unsigned i = 0; i < 3; i++) {
		char byte_or_more[BUFFER_BYTES];
		ssize_t expected = recv(plain[0], byte_or_more, sizeof byte_or_more, 0);
		if (expected < 0)
			expected = -errno;
		int64_t n = perform(s, prepare_receive(s, 0, ends[0], 0));
		expect(n == expected, WHEN("receive %u") EXPECTED("%zd as recv(2) says") SAW("%s"),
		       i + 1, expected, answer(n));
	}
	close_engine(s);
	close(ends[0]);
	close(plain[0]);
}

/* A pipe cannot be synced: fsync(2) says EINVAL. */
void file_sync_that_fails(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int ends[2];
	int fd = make_file(s, BLOCK, O_RDONLY);
	expect(pipe2(ends, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
	open_engine(s, 4, 2);
	attach(s, 0, fd);
	attach(s, 1, ends[1]);
	int64_t full = perform(s, prepare(s, 1, IO_FSYNC, ends[1], 1, 0, 0));
	expect(full == -EINVAL, EXPECTED("-EINVAL from fsync") SAW("%s"), answer(full));
	int64_t data_only = perform(s, prepare(s, 2, IO_FDATASYNC, ends[1], 1, 0, 0));
	expect(data_only == -EINVAL, EXPECTED("-EINVAL from fdatasync") SAW("%s"),
	       answer(data_only));
	int64_t n = perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	expect(n == BLOCK, WHEN("after the error") EXPECTED("%u bytes") SAW("%s"), BLOCK,
	       answer(n));
	close_engine(s);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

/* Reads all that comes, and lets the sender wait before it begins. */
static void *read_late(void *argument)
{
	const struct timespec late = { .tv_nsec = 30 * NS_PER_MS };
	char bytes[4096];
	int fd = *(int *)argument;
	nanosleep(&late, NULL);
	while (read(fd, bytes, sizeof bytes) > 0)
		;
	return NULL;
}

/* A send that has to wait for room, while signals come: EINTR is not its result. */
void stream_send_survives_signals(struct subject *s)
{
	int ends[2];
	pthread_t reader;
	sigset_t all, before;
	make_writing_pair(s, ends);
	fill(s, ends[0]);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	sigfillset(&all); /* signals are for the thread that drives the engine */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	expect(pthread_create(&reader, NULL, read_late, &ends[1]) == 0, "no thread");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	timer_t timer = signal_every(NS_PER_MS);
	for (unsigned i = 0; i < 20; i++) {
		int64_t n = perform(s, prepare_send(s, 0, ends[0], 0, 1000));
		expect(n > 0 && n <= 1000,
		       WHEN("send %u") EXPECTED("up to 1000 bytes sent") SAW("%s"), i, answer(n));
	}
	timer_delete(timer);
	detach(s, 0);
	close_engine(s);
	close(ends[0]);
	pthread_join(reader, NULL);
	close(ends[1]);
}

#define BATCH 16u

static void start_batch(struct subject *s, int ends[BATCH][2])
{
	struct io_op *ops[BATCH];
	for (unsigned i = 0; i < BATCH; i++)
		ops[i] = prepare_receive(s, i, ends[i][0], i);
	start_all(s, ops, BATCH);
	expect(s->inflight == BATCH, EXPECTED("%u receives that wait") SAW("%u"), BATCH,
	       s->inflight);
}

static void open_batch(struct subject *s, int ends[BATCH][2])
{
	open_engine(s, BATCH, BATCH);
	for (unsigned i = 0; i < BATCH; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
	}
}

static void close_batch(struct subject *s, int ends[BATCH][2])
{
	close_engine(s);
	for (unsigned i = 0; i < BATCH; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* The last of a batch is served while all before it wait, and so is each of the others. */
void stream_batch_is_in_flight_at_once(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[BATCH][2];
	open_batch(s, ends);
	for (unsigned round = 0; round < 30; round++) {
		start_batch(s, ends);
		for (unsigned i = BATCH; i-- > 0;) {
			expect(write(ends[i][1], "x", 1) == 1, "the test's own write failed");
			await(s, &s->op[i]);
			expect(s->inflight == i, EXPECTED("%u that still wait") SAW("%u"), i,
			       s->inflight);
		}
	}
	close_batch(s, ends);
}

void stream_stays_asleep(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[BATCH][2];
	struct io_op *done[1];
	open_batch(s, ends);
	start_batch(s, ends);
	/* All that belongs to the beginning is over then. */
	expect(reap(s, done, 1, 1, 5 * NS_PER_MS) == 0, "a receive completed with nothing there");
	usleep(20000);
	expect_asleep(s, 300 * NS_PER_MS); /* whoever looks every 10 ms wakes 30 times */
	for (unsigned i = 0; i < BATCH; i++)
		expect(write(ends[i][1], "x", 1) == 1, "the test's own write failed");
	await_all(s);
	close_batch(s, ends);
}

static void set_receive_timeout(int fd, int64_t timeout_ns)
{
	struct timeval timeout = { .tv_sec = timeout_ns / NS_PER_S,
				   .tv_usec = timeout_ns % NS_PER_S / NS_PER_US };
	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0,
	       "SO_RCVTIMEO: %s", strerror(errno));
}

/*
 * A receive that sleeps in recv(2) ends with EAGAIN then, and one that waits in another way does
 * not. Made again and again, the call would block a program whose owner asked for a limit.
 */
void socket_receive_timeout_is_an_error(struct subject *s)
{
	int ends[2];
	struct io_op *done[1];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	set_receive_timeout(ends[0], 20 * NS_PER_MS);
	struct io_op *op = prepare_receive(s, 0, ends[0], 0);
	if (s->ops->traits & IO_BLOCKS_IN_SUBMIT)
		alarm(5); /* submit() itself would not come back */
	start(s, op);
	alarm(0);
	if (op->in_flight)
		reap(s, done, 1, 1, 60 * NS_PER_MS);
	if (!op->in_flight)
		expect(op->result == -EAGAIN,
		       WHEN("after SO_RCVTIMEO") EXPECTED("-EAGAIN") SAW("%s"), answer(op->result));
	expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
	if (op->in_flight)
		await(s, op);
	/* On a busy machine a thread of the engine's may be late, and end as the byte comes. */
	if (op->result == -EAGAIN)
		perform(s, prepare_receive(s, 0, ends[0], 0));
	expect(op->result == 1 && buffer_of(s, 0)[0] == 'x',
	       WHEN("after the time was over") EXPECTED("the byte that came") SAW("%s"),
	       answer(op->result));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Watches a thread that waits for two: speaks to one of them, and sends it one signal. */
struct onlooker {
	pthread_t sleeper;
	int sleeper_tid;
	int peers[2];
	bool is_silent; /* it does not speak before the signal */
	bool is_back; /* the thread came back from its wait */
	bool overslept;
};

static bool is_back(const struct onlooker *onlooker)
{
	return __atomic_load_n(&onlooker->is_back, __ATOMIC_ACQUIRE);
}

/* How often it gave its CPU away, or -1 while it runs: proc_pid_status(5). */
static long sleeps_of(int tid)
{
	char path[64], line[128], state = 'R';
	long sleeps = -1;
	snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file)) {
		sscanf(line, "State: %c", &state);
		sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps);
	}
	if (file)
		fclose(file);
	return state == 'S' ? sleeps : -1;
}

/* Until it has slept on for a while. A variant that spins never does. */
static void let_it_settle(const struct onlooker *onlooker)
{
	enum { ON_END_MS = 20, MOST_MS = 400 };
	long before = -1;
	for (unsigned ms = 0, quiet_ms = 0; ms < MOST_MS && quiet_ms < ON_END_MS; ms++) {
		usleep(1000);
		long now = sleeps_of(onlooker->sleeper_tid);
		quiet_ms = now >= 0 && now == before ? quiet_ms + 1 : 0;
		before = now;
	}
}

static void *speak_and_signal(void *argument)
{
	struct onlooker *onlooker = argument;
	let_it_settle(onlooker);
	if (!onlooker->is_silent)
		expect(write(onlooker->peers[0], "x", 1) == 1, "the test's own write failed");
	let_it_settle(onlooker);
	pthread_kill(onlooker->sleeper, SIGUSR1);
	uint64_t until_ns = clock_ns() + 2 * (uint64_t)NS_PER_S;
	while (!is_back(onlooker) && clock_ns() < until_ns)
		usleep(1000);
	onlooker->overslept = !is_back(onlooker);
	for (unsigned i = !onlooker->is_silent; i < 2; i++)
		expect(write(onlooker->peers[i], "x", 1) == 1, "the test's own write failed");
	return NULL;
}

static void let_it_be(int signal_number)
{
	(void)signal_number;
}

/*
 * The handler's flags are the caller's affair. Returns how many of two came back at the signal, or -1 where it
 * was slept over. A third one may have been called back before: it is waited for, too, and comes at once.
 */
static int one_signal_in_a_wait_for_two(struct subject *s, int flags, unsigned called_back,
					bool is_silent)
{
	int ends[3][2];
	struct io_op *done[3];
	pthread_t thread;
	struct onlooker onlooker = { .sleeper = pthread_self(),
				     .sleeper_tid = gettid(),
				     .is_silent = is_silent };
	struct sigaction action = { .sa_handler = let_it_be, .sa_flags = flags };
	sigaction(SIGUSR1, &action, NULL);
	unsigned count = 2 + called_back;
	open_engine(s, count, count);
	for (unsigned i = 0; i < count; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
		if (i < 2)
			onlooker.peers[i] = ends[i][1];
		else
			cancel_one(s, &s->op[i]);
	}
	expect(pthread_create(&thread, NULL, speak_and_signal, &onlooker) == 0, "no thread");
	unsigned n = reap(s, done, count, count, -1);
	__atomic_store_n(&onlooker.is_back, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < count; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	if (onlooker.overslept || n == count)
		return -1;
	return n > called_back ? (int)(n - called_back) : 0;
}

/*
 * On a busy machine the engine's helpers, or the kernel's, may be late with the first, or with the answer to the
 * call back; but not each time.
 */
static void one_signal_ends_a_wait_for_two(struct subject *s, int flags, unsigned called_back)
{
	int n = 0;
	for (unsigned tries = 0, slept = 0; tries < 5 && slept <= 2 * called_back && n <= 0;
	     tries++) {
		n = one_signal_in_a_wait_for_two(s, flags, called_back, false);
		slept += n < 0;
	}
	expect(n >= 0,
	       WHEN("one of two was there, and a signal came%s%s")
		       EXPECTED("it to end a wait without a time limit") SAW("reap() sleep on"),
	       flags ? ", whose handler has SA_RESTART" : "",
	       called_back ? ", after another one was called back" : "");
	expect(n == 1, WHEN("one of two was there, and a signal came, five times")
			       EXPECTED("reap() to return what it has") SAW("nothing, each time"));
}

void stream_one_signal_ends_a_wait_for_two(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	one_signal_ends_a_wait_for_two(s, 0, 0);
}

/* What comes of a call back may end a wait too early, and is waited behind. A signal ends that wait, too. */
void stream_signal_ends_a_wait_after_a_cancel(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	one_signal_ends_a_wait_for_two(s, 0, 1);
	int n = -1; /* on a busy machine the signal may come before the wait; but not each time */
	for (unsigned tries = 0; tries < 3 && n < 0; tries++)
		n = one_signal_in_a_wait_for_two(s, 0, 1, true);
	expect(n >= 0, WHEN("one was called back, and nothing else had come but a signal") EXPECTED(
			       "it to end a wait without a time limit") SAW("reap() sleep on"));
}

/* What the caller blocks after open() waits, also while reap() sleeps. */
void stream_blocked_signals_wait(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	struct sigaction action = { .sa_handler = let_it_be };
	struct io_op *done[1];
	sigset_t usr1, waiting;
	int ends[2];
	sigaction(SIGUSR1, &action, NULL);
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	pthread_kill(pthread_self(), SIGUSR1);
	unsigned n = reap(s, done, 1, 1, 10 * NS_PER_MS);
	expect(n == 0, "a receive completed with nothing there");
	sigpending(&waiting);
	expect(sigismember(&waiting, SIGUSR1),
	       EXPECTED("a signal that the caller blocks to wait") SAW("it taken in reap()"));
	expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
	await_all(s);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* signal(7): such a handler lets some calls go on, as if nothing had been. reap() ends nevertheless. */
void stream_signal_that_restarts_ends_the_wait(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	one_signal_ends_a_wait_for_two(s, SA_RESTART, 0);
}

static void *speak_to_the_sleeper(void *argument)
{
	const struct onlooker *onlooker = argument;
	let_it_settle(onlooker);
	expect(write(onlooker->peers[0], "x", 1) == 1, "the test's own write failed");
	return NULL;
}

/* What the clock cannot count to is for ever, also where one of two was called back before. */
void stream_far_limit_beside_a_cancel(struct subject *s)
{
	static const int64_t limits_ns[] = { INT64_MAX, INT64_MAX - NS_PER_S };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	for (unsigned round = 0; round < sizeof limits_ns / sizeof *limits_ns; round++) {
		int ends[2][2];
		struct io_op *done[2];
		pthread_t thread;
		struct onlooker onlooker = { .sleeper_tid = gettid() };
		open_engine(s, 2, 2);
		for (unsigned i = 0; i < 2; i++) {
			make_reading_pair(s, ends[i]);
			attach(s, i, ends[i][0]);
			start(s, prepare_receive(s, i, ends[i][0], i));
		}
		onlooker.peers[0] = ends[0][1];
		cancel_one(s, &s->op[1]);
		expect(pthread_create(&thread, NULL, speak_to_the_sleeper, &onlooker) == 0,
		       "no thread");
		unsigned n = reap(s, done, 2, 2, limits_ns[round]);
		pthread_join(thread, NULL);
		expect(n == 2,
		       WHEN("one was called back, and the other one's byte comes later, in a wait of "
			    "%lld ns") EXPECTED("both") SAW("%u"),
		       (long long)limits_ns[round], n);
		close_engine(s);
		for (unsigned i = 0; i < 2; i++) {
			close(ends[i][0]);
			close(ends[i][1]);
		}
	}
}
