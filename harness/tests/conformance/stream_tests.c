/* SPDX-License-Identifier: MIT */
/* What every engine must do with sockets and pipes. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "conformance.h"
#include "random.h"
#include "tests.h"

/* A lab's report tells what the peer did (course/proctor/lab_test.c); here nobody takes note. */
__attribute__((weak, format(printf, 1, 2))) void note(const char *format, ...);

static void put(int fd, const char *bytes, size_t count)
{
	if (note)
		note("peer     sends %zu byte%s", count, count == 1 ? "" : "s");
	expect(write(fd, bytes, count) == (ssize_t)count, "the test's own write failed: %s",
	       strerror(errno));
}

static void expect_bytes(const char *seen, const char *expected, size_t count)
{
	expect(memcmp(seen, expected, count) == 0, "the %zu bytes received are not those sent",
	       count);
}

void stream_receives_what_is_there(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 4, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 1; i <= 50; i++) {
		char sent[64];
		for (unsigned b = 0; b < sizeof sent; b++)
			sent[b] = pattern_byte(i * 1000 + b);
		put(ends[1], sent, i);
		/* Less than asked for: a short read is a success. */
		int64_t n = perform(s, prepare_receive(s, i % 4, ends[0], 0));
		expect(n == i, EXPECTED("the %u bytes that were there") SAW("%s"), i, answer(n));
		expect_bytes(buffer_of(s, i % 4), sent, i);
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

void stream_receives_in_full_buffers(struct subject *s)
{
	int ends[2];
	char sent[64];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (unsigned b = 0; b < sizeof sent; b++)
		sent[b] = pattern_byte(b);
	put(ends[1], sent, 64);
	/* Four reads of 16: more is there after each, and no new event will say so. */
	for (unsigned i = 0; i < 4; i++) {
		struct io_op *op = prepare_receive(s, 0, ends[0], 0);
		op->len_bytes = 16;
		int64_t n = perform(s, op);
		expect(n == 16, EXPECTED("16 bytes") SAW("%s"), answer(n));
		expect_bytes(buffer_of(s, 0), sent + (size_t)16 * i, 16);
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

void stream_sends_right_data(struct subject *s)
{
	int ends[2];
	char seen[BUFFER_BYTES];
	make_writing_pair(s, ends);
	open_engine(s, 4, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 1; i <= 20; i++) {
		unsigned count = i * 31;
		char *bytes = buffer_of(s, i % 4);
		for (unsigned b = 0; b < count; b++)
			bytes[b] = pattern_byte(i * 7777 + b);
		int64_t n =
			perform(s, prepare(s, i % 4, out_kind(s), ends[0], 0, IO_NO_OFFSET, count));
		expect(n == count, EXPECTED("%u bytes sent") SAW("%s"), count, answer(n));
		expect(read(ends[1], seen, sizeof seen) == (ssize_t)count, "they did not arrive");
		expect_bytes(seen, bytes, count);
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

void stream_end_of_file(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	put(ends[1], "last!", 5);
	close(ends[1]); /* half-way: data first, then the end */
	int64_t n = perform(s, prepare_receive(s, 0, ends[0], 0));
	expect(n == 5, EXPECTED("the last 5 bytes") SAW("%s"), answer(n));
	for (unsigned i = 0; i < 3; i++) {
		n = perform(s, prepare_receive(s, 1, ends[0], 0));
		expect(n == 0, EXPECTED("0 at the end") SAW("%s"), answer(n));
	}
	close_engine(s);
	close(ends[0]);
}

void stream_end_while_waiting(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	struct io_op *done[1];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
	expect(reap(s, done, 1, 1, 5 * NS_PER_MS) == 0, "a receive completed with nothing there");
	close(ends[1]);
	await(s, &s->op[0]);
	expect(s->op[0].result == 0, EXPECTED("0 when the peer closes") SAW("%s"),
	       answer(s->op[0].result));
	close_engine(s);
	close(ends[0]);
}

void stream_waits_without_touching(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	struct io_op *done[1];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (unsigned round = 0; round < 3; round++) {
		memset(buffer_of(s, 0), 0x77, BUFFER_BYTES);
		start(s, prepare_receive(s, 0, ends[0], 0));

		uint64_t before_ns = clock_ns();
		expect(reap(s, done, 0, 1, -1) == 0, "a receive completed with nothing there");
		expect(clock_ns() - before_ns < (uint64_t)NS_PER_S,
		       "reap() waited although min was 0");
		expect(reap(s, done, 1, 1, 0) == 0, "a receive completed with nothing there");

		before_ns = clock_ns();
		expect(reap(s, done, 1, 1, 20 * NS_PER_MS) == 0,
		       "a receive completed with nothing there");
		uint64_t waited_ns = clock_ns() - before_ns;
		expect(waited_ns >= 18 * (uint64_t)NS_PER_MS,
		       EXPECTED("reap() to wait 20 ms") SAW("%llu us"),
		       (unsigned long long)waited_ns / 1000);
		expect(waited_ns < (uint64_t)NS_PER_S, "reap() kept its timeout badly: %llu ms",
		       (unsigned long long)(waited_ns / NS_PER_MS));
		for (unsigned b = 0; b < BUFFER_BYTES; b++)
			expect(buffer_of(s, 0)[b] == 0x77,
			       "the buffer was touched before completion");

		put(ends[1], "now", 3);
		await(s, &s->op[0]);
		expect(s->op[0].result == 3, EXPECTED("3 bytes") SAW("%s"),
		       answer(s->op[0].result));
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

void stream_sleeps_while_waiting(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	struct io_op *done[1];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
	/* The calling thread's CPU time, without a polling kernel thread's. */
	struct timespec before, after;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	expect(reap(s, done, 1, 1, 100 * NS_PER_MS) == 0, "a receive completed with nothing there");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	int64_t used_ns =
		(after.tv_sec - before.tv_sec) * NS_PER_S + after.tv_nsec - before.tv_nsec;
	expect(used_ns < 30 * NS_PER_MS, "reap() used %lld ms of CPU in waiting 100 ms",
	       (long long)(used_ns / NS_PER_MS));
	put(ends[1], "x", 1);
	await(s, &s->op[0]);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Reads all that comes until the end, once the sender has stopped for lack of room. */
struct drain {
	int fd;
	uint64_t count;
	bool right;
};

static void *drain(void *argument)
{
	struct drain *d = argument;
	int there = -1, before;
	/* Full when nothing more arrives for a while. */
	do {
		struct timespec a_while = { .tv_nsec = 5 * NS_PER_MS };
		before = there;
		nanosleep(&a_while, NULL);
		if (ioctl(d->fd, FIONREAD, &there) < 0)
			break;
	} while (there != before || there <= 0);
	char bytes[3000];
	ssize_t n;
	d->right = true;
	while ((n = read(d->fd, bytes, sizeof bytes)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			d->right = d->right && bytes[i] == pattern_byte(d->count + (uint64_t)i);
		d->count += (uint64_t)n;
	}
	return NULL;
}

void stream_survives_a_full_buffer(struct subject *s)
{
	const uint64_t total = 2 << 20;
	int ends[2], small = 16 * 1024;
	make_writing_pair(s, ends);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct drain d = { .fd = ends[1] };
	pthread_t thread;
	expect(pthread_create(&thread, NULL, drain, &d) == 0, "no thread");
	uint64_t sent = 0;
	while (sent < total) {
		char *bytes = buffer_of(s, 0);
		for (unsigned b = 0; b < BUFFER_BYTES; b++)
			bytes[b] = pattern_byte(sent + b);
		struct io_op *op =
			prepare(s, 0, out_kind(s), ends[0], 0, IO_NO_OFFSET, BUFFER_BYTES);
		int64_t n = perform(s, op);
		expect(n > 0, EXPECTED("some bytes sent") SAW("%s"), answer(n));
		sent += (uint64_t)n; /* a short one: the rest goes with the next */
	}
	detach(s, 0);
	close_engine(s);
	close(ends[0]);
	pthread_join(thread, NULL);
	expect(d.count == sent, "%llu bytes were sent, %llu arrived", (unsigned long long)sent,
	       (unsigned long long)d.count);
	expect(d.right, "the bytes that arrived are not those sent");
	close(ends[1]);
}

void stream_send_to_nobody(struct subject *s)
{
	int ends[2];
	make_writing_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	if (s->flavour == PIPE)
		signal(SIGPIPE, SIG_IGN); /* write(2) has no MSG_NOSIGNAL */
	close(ends[1]);
	int64_t n = 1;
	/* TCP learns of it from the answer to the first. */
	for (unsigned tries = 0; tries < 100 && n > 0; tries++) {
		n = perform(s, prepare(s, 0, out_kind(s), ends[0], 0, IO_NO_OFFSET, 100));
		struct pollfd ended = { .fd = ends[0], .events = POLLRDHUP };
		poll(&ended, 1, 1);
	}
	expect(n == -EPIPE || (n == -ECONNRESET && s->flavour == TCP),
	       EXPECTED("-EPIPE%s") SAW("%s"), s->flavour == TCP ? " or -ECONNRESET" : "",
	       answer(n));
	close_engine(s);
	close(ends[0]);
}

/* Closes the peer's end so that the connection is reset. */
static void reset(int fd)
{
	struct linger at_once = { .l_onoff = 1 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fd);
}

void tcp_reset(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	reset(ends[1]);
	int64_t n = perform(s, prepare_receive(s, 0, ends[0], 0));
	expect(n == -ECONNRESET, EXPECTED("-ECONNRESET") SAW("%s"), answer(n));
	close_engine(s);
	close(ends[0]);
}

/* The peer leaves while a send waits for room. The errno is the kernel's. */
void tcp_reset_while_a_send_waits(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct io_op *op = start_send_that_waits(s, ends[0]);
	reset(ends[1]);
	await(s, op);
	expect(op->result == -ECONNRESET, EXPECTED("-ECONNRESET") SAW("%s"), answer(op->result));
	close_engine(s);
	close(ends[0]);
}

/* The reset is there before the send: its errno is the kernel's, and no EPIPE. */
void tcp_reset_before_a_send(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	reset(ends[1]);
	struct pollfd trouble = { .fd = ends[0] };
	expect(poll(&trouble, 1, 3000) == 1 && trouble.revents & POLLERR,
	       "the reset does not come");
	int64_t n = perform(s, prepare_send(s, 0, ends[0], 0, 1));
	expect(n == -ECONNRESET, EXPECTED("-ECONNRESET from a send") SAW("%s"), answer(n));
	close_engine(s);
	close(ends[0]);
}

void socket_both_directions_at_once(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	not_for(s, IO_SERIALISES_DESCRIPTOR, "performs the operations on one descriptor in turn");
	int ends[2];
	char seen[3];
	make_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	for (unsigned round = 0; round < 20; round++) {
		start(s, prepare_receive(s, 0, ends[0], 0));
		memcpy(buffer_of(s, 1), "out", 3);
		int64_t n = perform(s, prepare(s, 1, IO_SEND, ends[0], 0, IO_NO_OFFSET, 3));
		expect(n == 3, EXPECTED("3 bytes sent past a waiting receive") SAW("%s"),
		       answer(n));
		expect(s->op[0].in_flight, "the receive came back with nothing there");
		expect(read(ends[1], seen, 3) == 3 && memcmp(seen, "out", 3) == 0,
		       "lost on the way");
		put(ends[1], "in", 2);
		await(s, &s->op[0]);
		expect(s->op[0].result == 2, EXPECTED("2 bytes") SAW("%s"),
		       answer(s->op[0].result));
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

#define MANY 100u

static void open_many(struct subject *s, int ends[MANY][2])
{
	open_engine(s, MANY, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		memset(buffer_of(s, i), 0x77, BUFFER_BYTES);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
}

static void close_many(struct subject *s, int ends[MANY][2])
{
	close_engine(s);
	for (unsigned i = 0; i < MANY; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

void stream_finds_the_active_one(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[MANY][2];
	struct random_stream random = { 3 };
	open_many(s, ends);
	for (unsigned round = 0; round < 200; round++) {
		unsigned active = (unsigned)random_below(&random, MANY);
		put(ends[active][1], (const char *)&round, sizeof round);
		await(s, &s->op[active]);
		expect(s->op[active].result == sizeof round, EXPECTED("%zu bytes") SAW("%s"),
		       sizeof round, answer(s->op[active].result));
		expect_bytes(buffer_of(s, active), (const char *)&round, sizeof round);
		expect(s->inflight == MANY - 1, "%u others came back with nothing there",
		       MANY - 1 - s->inflight);
		start(s, prepare_receive(s, active, ends[active][0], active));
	}
	s->ops->cancel(s->engine);
	await_all(s);
	close_many(s, ends);
}

void stream_cancel(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[MANY][2];
	open_many(s, ends);
	struct io_op *done[1];
	expect(reap(s, done, 1, 1, 5 * NS_PER_MS) == 0, "a receive completed with nothing there");
	s->ops->cancel(s->engine);
	await_all(s);
	for (unsigned i = 0; i < MANY; i++) {
		int64_t result = s->op[i].result;
		/* 0: the engine had to shut the socket down, which the contract allows. */
		expect(result == -ECANCELED || (result == 0 && s->flavour != PIPE),
		       WHEN("after cancel") EXPECTED("-ECANCELED") SAW("%s"), answer(result));
		expect(buffer_of(s, i)[0] == 0x77, "the buffer of a cancelled receive was touched");
	}
	/* The buffers are ours again: what arrives now must not land in them. */
	signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < MANY; i++) {
		ssize_t n = write(ends[i][1], "late", 4);
		expect(n == 4 || errno == EPIPE || errno == ECONNRESET,
		       "the test's own write failed");
		expect(buffer_of(s, i)[0] == 0x77, "a late byte landed in a buffer given back");
	}
	close_many(s, ends);
}

void cancel_with_nothing_in_flight(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 4, 1);
	attach(s, 0, ends[0]);
	put(ends[1], "x", 1);
	perform(s, prepare_receive(s, 0, ends[0], 0));
	s->ops->cancel(s->engine);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

void stream_slot_is_used_again(struct subject *s)
{
	open_engine(s, 1, 1);
	for (unsigned round = 0; round < 20; round++) {
		int ends[2];
		make_reading_pair(s, ends); /* most likely the same numbers each time */
		attach(s, 0, ends[0]);
		put(ends[1], (const char *)&round, sizeof round);
		int64_t n = perform(s, prepare_receive(s, 0, ends[0], 0));
		expect(n == sizeof round, WHEN("round %u") EXPECTED("%zu bytes") SAW("%s"), round,
		       sizeof round, answer(n));
		expect_bytes(buffer_of(s, 0), (const char *)&round, sizeof round);
		detach(s, 0);
		close(ends[0]);
		close(ends[1]);
	}
	close_engine(s);
}

/* What was attached and never used leaves nothing behind: its number is free for another slot. */
void stream_detached_unused(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 2);
	for (unsigned i = 0; i < 4; i++) {
		attach(s, i % 2, ends[0]);
		detach(s, i % 2);
	}
	attach(s, 1, ends[0]);
	put(ends[1], "x", 1);
	int64_t n = perform(s, prepare_receive(s, 0, ends[0], 1));
	expect(n == 1, EXPECTED("the byte that is there") SAW("%s"), answer(n));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

void stream_stays_blocking(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	int before = fcntl(ends[0], F_GETFL);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	put(ends[1], "x", 1);
	perform(s, prepare_receive(s, 0, ends[0], 0));
	/* While it is attached, an engine may have its signals sent. */
	int now = fcntl(ends[0], F_GETFL) & ~O_ASYNC;
	expect(now == before, EXPECTED("the descriptor's flags to stay %#x") SAW("%#x"), before,
	       now);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The driver waits without a time limit, and has a signal end the wait. */
void stream_signal_ends_the_wait(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	struct io_op *done[1];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	/* A message before it: what was ready then is not ready now. */
	put(ends[1], "x", 1);
	perform(s, prepare_receive(s, 0, ends[0], 0));
	start(s, prepare_receive(s, 0, ends[0], 0));
	timer_t timer = signal_every(10 * NS_PER_MS);
	/* The first may also hand over, and have that as its answer: the second only waits. */
	for (unsigned i = 0; i < 2; i++)
		expect(reap(s, done, 1, 1, -1) == 0, "a receive completed with nothing there");
	uint64_t before_ns = clock_ns();
	expect(reap(s, done, 1, 1, 5 * NS_PER_S) == 0, "a receive completed with nothing there");
	uint64_t waited_ns = clock_ns() - before_ns;
	timer_delete(timer);
	expect(waited_ns < 4 * (uint64_t)NS_PER_S,
	       EXPECTED("a signal to end a wait of 5 s") SAW("it last for %llu s"),
	       (unsigned long long)(waited_ns / NS_PER_S));
	put(ends[1], "x", 1);
	await(s, &s->op[0]);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

static void *send_late(void *argument)
{
	const struct timespec late = { .tv_nsec = 200 * NS_PER_MS };
	nanosleep(&late, NULL);
	put(*(int *)argument, "x", 1);
	return NULL;
}

/* Waits 300 ms for two, of which one comes. Returns how many came. */
static unsigned wait_for_two(struct subject *s, uint64_t *waited_ns)
{
	int ends[2][2];
	struct io_op *done[2];
	pthread_t thread;
	open_engine(s, 2, 2);
	for (unsigned i = 0; i < 2; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	expect(pthread_create(&thread, NULL, send_late, &ends[0][1]) == 0, "no thread");
	uint64_t before_ns = clock_ns();
	unsigned n = reap(s, done, 2, 2, 300 * NS_PER_MS);
	*waited_ns = clock_ns() - before_ns;
	pthread_join(thread, NULL);
	put(ends[1][1], "x", 1);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < 2; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	return n;
}

/* The time limit is for the whole wait, and does not begin again with each completion. */
void stream_keeps_its_timeout(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	/* Begun again after the first it would be 500 ms. */
	const uint64_t most_ns = 450 * (uint64_t)NS_PER_MS;
	uint64_t waited_ns;
	unsigned n, attempts = 0;
	bool may_be_chance;
	/* On a busy machine the byte may come late, or the wait end a little late, but not each time. */
	do {
		n = wait_for_two(s, &waited_ns);
		may_be_chance = n == 0 || (waited_ns >= most_ns && waited_ns < 4 * most_ns);
	} while (may_be_chance && ++attempts < 5);
	expect(n == 1, EXPECTED("the one that had something") SAW("%u"), n);
	expect(waited_ns < most_ns, EXPECTED("a wait of 300 ms") SAW("%llu"),
	       (unsigned long long)(waited_ns / NS_PER_MS));
}

void stream_survives_signals(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	timer_t timer = signal_every(200 * NS_PER_US);
	bool can_wait = !(s->ops->traits & IO_BLOCKS_IN_SUBMIT);
	for (unsigned round = 0; round < 300; round++) {
		struct io_op *done[1];
		struct io_op *op = prepare_receive(s, 0, ends[0], 0);
		if (can_wait) {
			start(s, op);
			unsigned early = reap(s, done, 1, 1, NS_PER_MS / 2);
			expect(early == 0, "a receive completed with nothing there");
			put(ends[1], (const char *)&round, sizeof round);
			await(s, op);
		} else {
			put(ends[1], (const char *)&round, sizeof round);
			perform(s, op);
		}
		expect(op->result == sizeof round, WHEN("round %u") EXPECTED("%zu bytes") SAW("%s"),
		       round, sizeof round, answer(op->result));
		expect_bytes(buffer_of(s, 0), (const char *)&round, sizeof round);
	}
	timer_delete(timer);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/*
 * Several are over, and reap() hands them out one at a time. What is submitted meanwhile begins with the next
 * reap(), and not when the last of them is gone.
 */
void socket_begins_behind_a_backlog(struct subject *s)
{
	enum { OVER = 4, PATIENCE_MS = 5000 };
	int ends[OVER][2], out[2];
	struct io_op *done[1], *ops[OVER];
	open_engine(s, OVER + 1, OVER + 1);
	for (unsigned i = 0; i < OVER; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		put(ends[i][1], "x", 1);
		ops[i] = prepare_receive(s, i, ends[i][0], i);
	}
	make_writing_pair(s, out);
	attach(s, OVER, out[0]);
	start_all(s, ops, OVER);
	unsigned n = reap(s, done, 1, 1, 5 * NS_PER_S);
	expect(n == 1, WHEN("a byte is there for each of 4") EXPECTED("one of them") SAW("none"));
	start(s, prepare_send(s, OVER, out[0], OVER, 5));
	n = reap(s, done, 1, 1, 5 * NS_PER_S);
	expect(n == 1, WHEN("three more are over") EXPECTED("one of them") SAW("none"));
	struct pollfd peer = { .fd = out[1], .events = POLLIN };
	expect(poll(&peer, 1, PATIENCE_MS) == 1,
	       WHEN("others are over, and wait to be taken")
		       EXPECTED("a send to begin with the next reap()")
			       SAW("nothing at its peer for 5 s"));
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < OVER; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close(out[0]);
	close(out[1]);
}
