/* SPDX-License-Identifier: MIT */
#include "stream_test.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

void write_message(int fd, unsigned number, unsigned len_bytes)
{
	char bytes[64];
	for (unsigned i = 0; i < len_bytes; i++)
		bytes[i] = pattern_byte(number * UINT64_C(1000) + i);
	peer_sends(fd, bytes, len_bytes);
}

void expect_message(const struct subject *s, const struct io_op *op, unsigned number,
		    unsigned len_bytes)
{
	expect(op->result == len_bytes, EXPECTED("the %u bytes of message %u") SAW("%s"), len_bytes,
	       number, answer(op->result));
	for (unsigned i = 0; i < len_bytes; i++)
		expect(buffer_of(s, op->slot)[i] == pattern_byte(number * UINT64_C(1000) + i),
		       EXPECTED("message %u") SAW("another byte at %u"), number, i);
}

void wait_for_bytes(int fd, size_t count)
{
	char bytes[64];
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (recv(fd, bytes, count, MSG_PEEK | MSG_DONTWAIT) < (ssize_t)count)
		expect(!time_is_up(deadline_ns), "the test's own bytes do not arrive");
}

struct two open_two(struct subject *s)
{
	struct two two;
	make_reading_pair(s, two.a);
	make_reading_pair(s, two.b);
	open_engine(s, 4, 2);
	attach(s, 0, two.a[0]);
	attach(s, 1, two.b[0]);
	return two;
}

void close_two(struct subject *s, const struct two *two)
{
	close_engine(s);
	for (unsigned i = 0; i < 2; i++) {
		if (two->a[i] >= 0)
			close(two->a[i]);
		if (two->b[i] >= 0)
			close(two->b[i]);
	}
}

void raise_fd_limit(unsigned connections)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < 2 * (rlim_t)connections + 50)
		test_skipped("RLIMIT_NOFILE is %llu", (unsigned long long)limit.rlim_max);
}

static void *speak(void *argument)
{
	struct speaker *speaker = argument;
	struct timespec pause = timespec_of_ns(speaker->pause_ns);
	for (unsigned i = 0; i < speaker->count && !speaker->enough; i++) {
		nanosleep(&pause, NULL);
		if (write(speaker->fds[i], "!", 1) != 1)
			break;
		uint64_t now_ns = clock_ns();
		int64_t gap_ns = (int64_t)(now_ns - speaker->spoke_ns);
		speaker->longest_ns = gap_ns > speaker->longest_ns ? gap_ns : speaker->longest_ns;
		speaker->spoke_ns = now_ns;
	}
	return NULL;
}

void begin_speaking(struct speaker *speaker)
{
	speaker->spoke_ns = clock_ns();
	expect(pthread_create(&speaker->thread, NULL, speak, speaker) == 0,
	       "the test has no thread");
}

void expect_one_thread(void)
{
	unsigned threads = threads_started();
	expect(threads == 0,
	       EXPECTED("the engine to start no thread (the kernel watches the descriptors)")
		       SAW("%u started"),
	       threads);
}

/*
 * One receive waits on a quiet connection. For IDLE_NS nothing happens (but what `cause` says has
 * happened before), then its peer speaks. Returns the CPU time that the whole process used.
 */
static int64_t idle_once(struct subject *s, unsigned slot, const int ends[2], unsigned fd_slot,
			 const char *cause)
{
	struct speaker speaker = { .pause_ns = IDLE_NS, .count = 1, .fds = { ends[1] } };
	struct io_op *op = prepare_receive(s, slot, ends[0], fd_slot);
	calls_reset();
	int64_t before_ns = process_cpu_ns();
	start(s, op);
	begin_speaking(&speaker);
	await(s, op);
	int64_t used_ns = process_cpu_ns() - before_ns;
	pthread_join(speaker.thread, NULL);
	unsigned calls = calls_made(NULL);
	expect(op->result == 1, EXPECTED("1 byte on the quiet connection") SAW("%s"),
	       answer(op->result));
	expect(calls <= IDLE_CALLS_MAX,
	       EXPECTED("at most %d system calls in %lld ms in which nothing happened")
		       SAW("%u: %s keeps the loop awake"),
	       IDLE_CALLS_MAX, (long long)(IDLE_NS / NS_PER_MS), calls, cause);
	expect_one_thread();
	return used_ns;
}

/*
 * The engine should have slept. On a virtual machine under load a sleeper can be charged for time
 * that it never ran, so CPU time is believed when it was used three times in a row.
 */
void expect_idle(struct subject *s, unsigned slot, const int ends[2], unsigned fd_slot,
		 const char *cause)
{
	int64_t used_ns = IDLE_CPU_NS;
	for (unsigned tries = 0; tries < 3 && used_ns >= IDLE_CPU_NS; tries++)
		used_ns = idle_once(s, slot, ends, fd_slot, cause);
	expect(used_ns < IDLE_CPU_NS,
	       EXPECTED("the engine to sleep")
		       SAW("%lld ms of CPU used in %lld, three times in a row"),
	       (long long)(used_ns / NS_PER_MS), (long long)(IDLE_NS / NS_PER_MS));
}

void make_narrow_pair(const struct subject *s, int ends[2])
{
	int small = 16 * 1024;
	make_pair(s, ends);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
}

/*
 * What is under way in TCP makes room once the peer's kernel has acknowledged it, which it may put
 * off (TCP_QUICKACK hurries it, tcp(7)): waits until all that was sent has been.
 */
static void wait_until_acknowledged(const int ends[2])
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	int on = 1, unacknowledged, unsent;
	while (ioctl(ends[0], SIOCOUTQ, &unacknowledged) == 0 &&
	       ioctl(ends[0], SIOCOUTQNSD, &unsent) == 0 && unacknowledged != unsent) {
		expect(!time_is_up(deadline_ns), "the test's own packets are not acknowledged");
		setsockopt(ends[1], IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
		usleep(200);
	}
}

uint64_t send_until_full(struct subject *s, unsigned slot, const int ends[2], uint64_t sent)
{
	for (;;) {
		struct io_op *done[4];
		struct io_op *op =
			prepare(s, slot, out_kind(s), ends[0], 0, IO_NO_OFFSET, BUFFER_BYTES);
		for (unsigned i = 0; i < BUFFER_BYTES; i++)
			buffer_of(s, slot)[i] = pattern_byte(sent + i);
		start(s, op);
		reap(s, done, 0, 4, 0);
		if (op->in_flight)
			wait_until_acknowledged(ends);
		if (op->in_flight)
			reap(s, done, 0, 4, 0);
		if (op->in_flight)
			return sent;
		expect(op->result > 0,
		       EXPECTED("a send to go out or to wait for room") SAW("its result %s"),
		       answer(op->result));
		sent += (uint64_t)op->result;
		expect(sent < 64u << 20, "the socket never fills; this test knows no such socket");
	}
}

uint64_t take_all(int fd, uint64_t at)
{
	static char bytes[1 << 16];
	ssize_t n;
	while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			expect(bytes[i] == pattern_byte(at),
			       EXPECTED("the bytes that were sent") SAW("another at %llu"),
			       (unsigned long long)at);
	return at;
}

uint64_t make_room(struct subject *s, unsigned slot, int peer_fd, uint64_t taken, uint64_t sent)
{
	struct io_op *done[4];
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	note("peer     reads all that is there");
	while (s->op[slot].in_flight) {
		taken = take_all(peer_fd, taken);
		reap(s, done, 1, 4, 10 * NS_PER_MS);
		expect(!time_is_up(deadline_ns),
		       EXPECTED("the waiting send to go on when there was room")
			       SAW("it wait still"));
	}
	expect(s->op[slot].result > 0, EXPECTED("some bytes sent") SAW("%s"),
	       answer(s->op[slot].result));
	sent += (uint64_t)s->op[slot].result;
	while (taken < sent) {
		taken = take_all(peer_fd, taken);
		expect(!time_is_up(deadline_ns), EXPECTED("%llu bytes to arrive") SAW("%llu"),
		       (unsigned long long)sent, (unsigned long long)taken);
	}
	expect(taken == sent, EXPECTED("%llu bytes to arrive") SAW("%llu"),
	       (unsigned long long)sent, (unsigned long long)taken);
	return sent;
}

#define EACH_HAS 3u

/* The engine of the second thread, which works while the first one is held up. */
struct other_engine {
	pthread_t thread;
	const struct subject *like;
	pthread_barrier_t is_ready, may_begin;
	unsigned rounds;
};

static void open_each(struct subject *s, int (*ends)[2])
{
	open_engine(s, EACH_HAS, EACH_HAS);
	for (unsigned i = 0; i < EACH_HAS; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
	}
}

static void close_each(struct subject *s, int (*ends)[2])
{
	close_engine(s);
	for (unsigned i = 0; i < EACH_HAS; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* A message is there for each receive, so one reap() has them all. */
static void receive_each(struct subject *s, int (*ends)[2], unsigned number)
{
	struct io_op *done[EACH_HAS];
	for (unsigned i = 0; i < EACH_HAS; i++) {
		start(s, prepare_receive(s, i, ends[i][0], i));
		write_message(ends[i][1], number + i, 20);
	}
	unsigned n = reap(s, done, EACH_HAS, EACH_HAS, PATIENCE_NS);
	expect(n == EACH_HAS,
	       WHEN("another engine has worked meanwhile, in another thread")
		       EXPECTED("%u messages from one reap()") SAW("%u"),
	       EACH_HAS, n);
	for (unsigned i = 0; i < EACH_HAS; i++)
		expect_message(s, &s->op[i], number + i, 20);
}

static void *work_meanwhile(void *argument)
{
	struct other_engine *other = argument;
	int ends[EACH_HAS][2];
	struct subject s = { .ops = other->like->ops,
			     .options = other->like->options,
			     .flavour = other->like->flavour };
	open_each(&s, ends);
	pthread_barrier_wait(&other->is_ready);
	for (unsigned round = 0; round < other->rounds; round++) {
		pthread_barrier_wait(&other->may_begin);
		(void)wait_until_held(PATIENCE_NS / 4); /* where it makes no such call: in vain */
		receive_each(&s, ends, 100 + 10 * round);
		let_call_go();
		pthread_barrier_wait(&other->is_ready);
	}
	close_each(&s, ends);
	return NULL;
}

void expect_engines_apart(struct subject *s, const char *waits, const char *receives)
{
	const char *held[] = { waits, receives };
	struct other_engine other = { .like = s, .rounds = 2 };
	int ends[EACH_HAS][2];
	pthread_barrier_init(&other.is_ready, NULL, 2);
	pthread_barrier_init(&other.may_begin, NULL, 2);
	open_each(s, ends);
	expect(pthread_create(&other.thread, NULL, work_meanwhile, &other) == 0,
	       "the test has no thread");
	pthread_barrier_wait(&other.is_ready);
	for (unsigned round = 0; round < other.rounds; round++) {
		hold_call(held[round]);
		note("-- another engine works while this one is before its next call");
		pthread_barrier_wait(&other.may_begin);
		receive_each(s, ends, 10 * round);
		pthread_barrier_wait(&other.is_ready);
	}
	pthread_join(other.thread, NULL);
	pthread_barrier_destroy(&other.is_ready);
	pthread_barrier_destroy(&other.may_begin);
	close_each(s, ends);
}
