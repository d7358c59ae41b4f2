/* SPDX-License-Identifier: MIT */
/* One call for a batch and a wait, or none; and a ring that is full. */
#include "ring_test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "failing_calls.h"
#include "stream_test.h"

void submit_makes_no_call(struct subject *s)
{
	enum { DEPTH = 16 };
	struct io_op *ops[DEPTH];
	open_engine(s, DEPTH, 1);
	for (unsigned i = 0; i < DEPTH; i++)
		ops[i] = ring_no_op(s, i);
	calls_reset();
	unsigned accepted = ring_submit_once(s, ops, DEPTH);
	expect_ring_calls(0, "in submit()");
	expect(accepted == DEPTH, EXPECTED("all %u accepted") SAW("%u"), DEPTH, accepted);
	await_all(s);
	close_engine(s);
}

/* More completions than `max` wait in the ring. Each comes once, and the ring is empty then. */
void what_is_beyond_max_stays(struct subject *s)
{
	enum { DEPTH = 8 };
	struct io_op *done[DEPTH], *ops[DEPTH];
	bool seen[DEPTH] = { false };
	open_engine(s, DEPTH, 1);
	for (unsigned i = 0; i < DEPTH; i++)
		ops[i] = ring_no_op(s, i);
	start_all(s, ops, DEPTH);
	for (unsigned left = DEPTH; left > 0;) {
		unsigned n = reap(s, done, 1, 3, PATIENCE_NS);
		expect(n > 0, WHEN("%u are left") EXPECTED("some of them") SAW("none"), left);
		left -= n;
		for (unsigned i = 0; i < n; i++) {
			expect(!seen[done[i]->slot], "operation %u came twice", done[i]->slot);
			seen[done[i]->slot] = true;
		}
	}
	close_engine(s);
}

void one_call_a_batch_of_messages(struct subject *s)
{
	enum { COUNT = 8 };
	struct io_op *ops[COUNT], *done[COUNT];
	struct ring_connections c;
	open_ring_connections(s, &c, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		peer_sends(c.ends[i][1], "message", 7);
		ops[i] = ring_receive(s, i, c.ends[i][0], i);
	}
	calls_reset();
	start_all(s, ops, COUNT);
	unsigned n = reap(s, done, COUNT, COUNT, PATIENCE_NS);
	expect(n == COUNT, EXPECTED("%u messages in one reap()") SAW("%u"), COUNT, n);
	expect_ring_calls(1, "8 messages are there, and 8 receives");
	for (unsigned i = 0; i < COUNT; i++)
		expect(ops[i]->result == 7, EXPECTED("7 bytes") SAW("%s"), answer(ops[i]->result));
	close_ring_connections(s, &c);
}

void ring_is_taken_from_without_a_call(struct subject *s)
{
	enum { DEPTH = 8 };
	struct io_op *ops[DEPTH], *done[DEPTH];
	open_engine(s, DEPTH, 1);
	for (unsigned i = 0; i < DEPTH; i++)
		ops[i] = ring_no_op(s, i);
	start_all(s, ops, DEPTH);
	unsigned n = reap(s, done, DEPTH, 2, PATIENCE_NS);
	expect(n == 2, EXPECTED("2 operations, the most that were asked for") SAW("%u"), n);
	calls_reset();
	n = reap(s, done, 1, 3, PATIENCE_NS);
	expect(n == 3, EXPECTED("3 of 6 that are there") SAW("%u"), n);
	n = reap(s, done, 3, 5, -1);
	expect(n == 3, EXPECTED("the last 3") SAW("%u"), n);
	expect_ring_calls(0, "the completions are in the ring");
	close_engine(s);
}

/* What is there is enough, and what else is in flight goes on waiting: a call must not wait for it. */
void does_not_wait_when_enough_is_there(struct subject *s)
{
	struct io_op *done[4];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 4);
	struct io_op *ops[3] = { ring_no_op(s, 1), ring_no_op(s, 2), ring_no_op(s, 3) };
	start_all(s, ops, 3);
	unsigned n = reap(s, done, 3, 1, PATIENCE_NS);
	expect(n == 1, EXPECTED("1 operation, the most that were asked for") SAW("%u"), n);
	/* The receive has to be handed over, with a call that finds two completions there. */
	start(s, ring_receive(s, 0, c.ends[0][0], 0));
	uint64_t before_ns = clock_ns();
	n = reap(s, done, 2, 4, PATIENCE_NS);
	int64_t took_ns = (int64_t)(clock_ns() - before_ns);
	expect(n == 2, EXPECTED("the 2 operations that were there") SAW("%u"), n);
	expect(took_ns < PATIENCE_NS / 2, EXPECTED("no wait") SAW("%lld ms"),
	       (long long)(took_ns / NS_PER_MS));
	peer_sends(c.ends[0][1], "x", 1);
	calls_reset();
	await_all(s);
	expect(s->op[0].result == 1, EXPECTED("1 byte") SAW("%s"), answer(s->op[0].result));
	close_ring_connections(s, &c);
}

/* The first reap() hands it over, so that later ones find what has come. */
void hands_over_even_if_it_may_not_wait(struct subject *s)
{
	struct io_op *done[2];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 2);
	start(s, ring_receive(s, 0, c.ends[0][0], 0));
	calls_reset();
	unsigned n = reap(s, done, 0, 2, -1);
	expect(n == 0, EXPECTED("nothing yet") SAW("%u"), n);
	peer_sends(c.ends[0][1], "bytes", 5);
	uint64_t until_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	for (unsigned i = 0; n == 0 && clock_ns() < until_ns; i++) {
		usleep(100);
		n = reap(s, done, 0, 2, i % 2 ? 0 : -1);
	}
	expect(n == 1, WHEN("it is asked again and again and never waits") EXPECTED("the receive")
			       SAW("nothing for 2 s"));
	expect(done[0]->result == 5, EXPECTED("5 bytes") SAW("%s"), answer(done[0]->result));
	unsigned enters = calls_made(RING_ENTER);
	expect(enters >= 1, EXPECTED("the receive to be handed over") SAW("no io_uring_enter"));
	close_ring_connections(s, &c);
}

void a_time_limit_is_part_of_the_call(struct subject *s)
{
	struct io_op *done[2];
	struct ring_connections c;
	open_ring_connections(s, &c, 2, 2);
	start(s, ring_receive(s, 0, c.ends[0][0], 0));
	start(s, ring_receive(s, 1, c.ends[1][0], 1));
	calls_reset();
	for (unsigned i = 0; i < 3; i++) {
		uint64_t before_ns = clock_ns();
		unsigned n = reap(s, done, 1, 2, A_MOMENT_NS);
		int64_t took_ns = (int64_t)(clock_ns() - before_ns);
		expect(n == 0, EXPECTED("nothing") SAW("%u"), n);
		expect(took_ns >= A_MOMENT_NS, EXPECTED("a wait of %lld ms") SAW("one of %lld"),
		       (long long)(A_MOMENT_NS / NS_PER_MS), (long long)(took_ns / NS_PER_MS));
	}
	expect_ring_calls(3, "three waits that end by time");
	for (unsigned i = 0; i < 2; i++)
		peer_sends(c.ends[i][1], "x", 1);
	await_all(s);
	close_ring_connections(s, &c);
}

/* A thread of the test's own that writes to a descriptor as soon as another thread sleeps. */
struct late_speaker {
	pthread_t thread;
	int sleeper_tid, fd;
};

static void *speak_to_a_sleeper(void *argument)
{
	const struct late_speaker *speaker = argument;
	wait_until_asleep(speaker->sleeper_tid);
	peer_sends(speaker->fd, "late", 4);
	return NULL;
}

static void begin_speaking_late(struct late_speaker *speaker, int fd)
{
	speaker->sleeper_tid = (int)syscall(SYS_gettid);
	speaker->fd = fd;
	expect(pthread_create(&speaker->thread, NULL, speak_to_a_sleeper, speaker) == 0,
	       "the test has no thread");
}

void ring_endless_wait_is_one_call(struct subject *s)
{
	struct io_op *done[1];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 1);
	start(s, ring_receive(s, 0, c.ends[0][0], 0));
	struct late_speaker speaker;
	begin_speaking_late(&speaker, c.ends[0][1]);
	calls_reset();
	unsigned n = reap(s, done, 1, 1, -1);
	pthread_join(speaker.thread, NULL);
	expect(n == 1 && done[0]->result == 4, EXPECTED("the 4 bytes that came late") SAW("%u"), n);
	expect_ring_calls(1, "a receive that had to wait");
	close_ring_connections(s, &c);
}

/* More than the submission ring of any engine here holds. */
#define MORE_THAN_A_RING 5000u

/* Offered all together, and one by one: then the ring is full at the beginning of a batch. */
void goes_on_behind_a_full_ring(struct subject *s)
{
	static struct io_op *ops[MORE_THAN_A_RING];
	open_engine(s, MORE_THAN_A_RING, 1);
	ring_no_ops(s, ops, MORE_THAN_A_RING);
	for (unsigned round = 0; round < 2; round++) {
		unsigned offered = round == 0 ? MORE_THAN_A_RING : 1;
		calls_reset();
		unsigned accepted = 0, last = 1;
		while (accepted < MORE_THAN_A_RING && last > 0) {
			unsigned left = MORE_THAN_A_RING - accepted;
			accepted += last = ring_submit_once(s, ops + accepted,
							    left < offered ? left : offered);
		}
		expect(accepted == MORE_THAN_A_RING,
		       WHEN("the submission ring is full")
			       EXPECTED("submit() to hand it over and to go on")
				       SAW("none accepted after %u"),
		       accepted);
		expect_ring_calls(4, "5,000 operations are submitted");
		await_all(s);
	}
	close_engine(s);
}

/* The kernel takes nothing for a while. That is no error, and nothing is lost. */
void a_refusal_is_back_pressure(struct subject *s)
{
	static const int errors[] = { EAGAIN, EBUSY, ENOMEM };
	static struct io_op *ops[MORE_THAN_A_RING];
	open_engine(s, MORE_THAN_A_RING, 1);
	ring_no_ops(s, ops, MORE_THAN_A_RING);
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
		fail_call(RING_ENTER, errors[i], 0);
		unsigned accepted = 0, last = 1;
		while (accepted < MORE_THAN_A_RING && last > 0)
			accepted += last =
				ring_submit_once(s, ops + accepted, MORE_THAN_A_RING - accepted);
		bool failed = call_failed();
		expect(!failed || accepted < MORE_THAN_A_RING,
		       WHEN("the kernel takes nothing from a full ring")
			       EXPECTED("submit() to accept what the ring holds")
				       SAW("all accepted"));
		await_all(s);
		for (unsigned n = 0; n < accepted; n++)
			expect(ops[n]->result == 0, EXPECTED("0 from a no-op") SAW("%s"),
			       answer(ops[n]->result));
	}
	close_engine(s);
}
