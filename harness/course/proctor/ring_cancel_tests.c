/* SPDX-License-Identifier: MIT */
/* What is called back, also where the ring has no room for that. */
#include "ring_test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "allocation_count.h"
#include "clock.h"
#include "failing_calls.h"
#include "stream_test.h"

/* cancel_one() only writes an SQE, and the next reap() hands it over and waits for what it brings. */
void a_cancel_is_part_of_the_batch(struct subject *s)
{
	struct io_op *done[4];
	struct ring_connections c;
	open_ring_connections(s, &c, 3, 4);
	for (unsigned i = 0; i < 3; i++)
		start(s, ring_receive(s, i, c.ends[i][0], i));
	unsigned n = reap(s, done, 0, 4, 0);
	expect(n == 0, EXPECTED("nothing yet") SAW("%u"), n);
	calls_reset();
	cancel_one(s, &s->op[1]);
	expect_ring_calls(0, "in cancel_one()");
	n = reap(s, done, 1, 4, PATIENCE_NS);
	expect(n == 1 && done[0] == &s->op[1] && done[0]->result == -ECANCELED,
	       EXPECTED("the operation that was called back, with -ECANCELED") SAW("%u of them"),
	       n);
	expect_ring_calls(2, "one operation is called back");
	for (unsigned i = 0; i < 3; i += 2)
		peer_sends(c.ends[i][1], "x", 1);
	await_all(s);
	close_ring_connections(s, &c);
}

/*
 * A cancel that comes too late still completes (-ENOENT), here after the operation that it was for has
 * been handed out. That is nobody's news: who waits for another one waits on, and not for ever.
 */
void a_cancels_completion_ends_no_wait(struct subject *s)
{
	struct io_op *done[4];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 4);
	struct io_op *ops[2] = { ring_no_op(s, 1), ring_no_op(s, 2) };
	for (unsigned round = 0; round < 3; round++) {
		start_all(s, ops, 2);
		unsigned n = reap(s, done, 2, 1, PATIENCE_NS);
		expect(n == 1, EXPECTED("1 no-op, the most that were asked for") SAW("%u"), n);
		start(s, ring_receive(s, 0, c.ends[0][0], 0));
		cancel_one(s, done[0] == ops[0] ? ops[1] : ops[0]);
		n = reap(s, done, 1, 1, PATIENCE_NS);
		expect(n == 1 && done[0]->result == 0,
		       EXPECTED("the other no-op, which was over already") SAW("%u"), n);
		uint64_t before_ns = clock_ns();
		n = reap(s, done, 1, 4, A_MOMENT_NS);
		int64_t took_ns = (int64_t)(clock_ns() - before_ns);
		expect(n == 0, EXPECTED("nothing") SAW("%u"), n);
		expect(took_ns >= A_MOMENT_NS && took_ns < PATIENCE_NS,
		       WHEN("a cancel that came too late has completed")
			       EXPECTED("a wait of %lld ms") SAW("one of %lld"),
		       (long long)(A_MOMENT_NS / NS_PER_MS), (long long)(took_ns / NS_PER_MS));
		peer_sends(c.ends[0][1], "x", 1);
		await_all(s);
	}
	close_ring_connections(s, &c);
}

/*
 * Two are waited for. The one that was called back comes at once, with the cancel's own completion. Then one
 * is missing, and not two.
 */
void what_came_back_is_waited_for_no_more(struct subject *s)
{
	struct io_op *done[2];
	struct ring_connections c;
	open_ring_connections(s, &c, 2, 2);
	for (unsigned i = 0; i < 2; i++)
		start(s, ring_receive(s, i, c.ends[i][0], i));
	reap(s, done, 0, 2, 0);
	cancel_one(s, &s->op[1]);
	struct speaker speaker = { .pause_ns = A_MOMENT_NS, .count = 1, .fds = { c.ends[0][1] } };
	begin_speaking(&speaker);
	uint64_t before_ns = clock_ns();
	unsigned n = reap(s, done, 2, 2, PATIENCE_NS);
	int64_t took_ns = (int64_t)(clock_ns() - before_ns);
	pthread_join(speaker.thread, NULL);
	expect(n == 2 && took_ns < PATIENCE_NS,
	       WHEN("one receive is called back, and bytes come for the other after 20 ms")
		       EXPECTED("both before the time is over") SAW("%u after %lld ms"),
	       n, (long long)(took_ns / NS_PER_MS));
	close_ring_connections(s, &c);
}

#define LIMIT_NS NS_PER_S

struct late_call {
	pthread_t thread;
	bool held;
	uint64_t let_go_ns;
};

static void *hold_beyond_the_limit(void *argument)
{
	struct late_call *call = argument;
	struct timespec limit = timespec_of_ns(LIMIT_NS);
	call->held = wait_until_held(PATIENCE_NS);
	nanosleep(&limit, NULL);
	call->let_go_ns = clock_ns();
	let_call_go();
	return NULL;
}

/* The first call comes back when the time is over, and with a cancel's completion. So nothing is left to wait. */
void a_cancel_begins_no_time_anew(struct subject *s)
{
	struct io_op *done[2];
	struct ring_connections c;
	struct late_call call = { .held = false };
	open_ring_connections(s, &c, 2, 2);
	for (unsigned i = 0; i < 2; i++)
		start(s, ring_receive(s, i, c.ends[i][0], i));
	reap(s, done, 0, 2, 0);
	peer_sends(c.ends[1][1], "x", 1);
	cancel_one(s, &s->op[1]); /* too late, and so it has a completion in every design */
	hold_call(RING_ENTER);
	expect(pthread_create(&call.thread, NULL, hold_beyond_the_limit, &call) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 2, 2, LIMIT_NS);
	uint64_t now_ns = clock_ns();
	pthread_join(call.thread, NULL);
	expect(call.held, EXPECTED("a call of io_uring_enter") SAW("none"));
	expect(n == 1 && now_ns - call.let_go_ns < LIMIT_NS,
	       WHEN("the time was over as the first call began")
		       EXPECTED("1 operation, and no second wait") SAW("%u, and %lld ms more"),
	       n, (long long)((now_ns - call.let_go_ns) / NS_PER_MS));
	peer_sends(c.ends[0][1], "x", 1);
	await_all(s);
	close_ring_connections(s, &c);
}

/* Writes to both peers at the moment when the wait for more begins. */
struct two_writers {
	pthread_t thread;
	int fds[2];
};

static void *write_while_a_call_is_held(void *argument)
{
	const struct two_writers *writers = argument;
	(void)wait_until_held(PATIENCE_NS);
	for (unsigned i = 0; i < 2; i++)
		if (write(writers->fds[i], "x", 1) != 1)
			break;
	let_call_go();
	return NULL;
}

/* One is back, and there is room for one more. Then two come at once. */
void max_is_kept_beside_a_cancel(struct subject *s)
{
	struct io_op *done[4];
	struct ring_connections c;
	open_ring_connections(s, &c, 3, 3);
	for (unsigned i = 0; i < 3; i++)
		start(s, ring_receive(s, i, c.ends[i][0], i));
	reap(s, done, 0, 2, 0);
	peer_sends(c.ends[2][1], "x", 1);
	cancel_one(s, &s->op[2]); /* too late, and so it has a completion in every design */
	struct two_writers writers = { .fds = { c.ends[0][1], c.ends[1][1] } };
	hold_call_after(RING_ENTER, 1);
	expect(pthread_create(&writers.thread, NULL, write_while_a_call_is_held, &writers) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 2, 2, PATIENCE_NS);
	pthread_join(writers.thread, NULL);
	expect(n == 2, EXPECTED("2 operations, which are as many as asked for") SAW("%u"), n);
	await_all(s);
	close_ring_connections(s, &c);
}

/* As many SQEs as there are in the ring wait to be handed over, and then comes a cancel of each. */
void a_full_ring_has_room_for_cancels(struct subject *s)
{
	enum { COUNT = 16 };
	struct io_op *ops[COUNT];
	struct ring_connections c;
	open_ring_connections(s, &c, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		ops[i] = ring_receive(s, i, c.ends[i][0], i);
	expect(ring_submit_once(s, ops, COUNT) == COUNT, "not all are accepted");
	calls_reset();
	s->ops->cancel(s->engine);
	await_all(s);
	for (unsigned i = 0; i < COUNT; i++)
		expect(ops[i]->result == -ECANCELED, EXPECTED("-ECANCELED") SAW("%s"),
		       answer(ops[i]->result));
	expect_ring_calls(8, "16 receives are called back");
	close_ring_connections(s, &c);
}

/* Where the test's own hand calls an operation back (Linux 6.0), and not the engine. */
static void cancel_from_outside(void)
{
	struct io_uring_sync_cancel_reg cancel = {
		.flags = IORING_ASYNC_CANCEL_ANY,
		.fd = -1,
		.timeout = { .tv_sec = -1, .tv_nsec = -1 },
	};
	if (syscall(SYS_io_uring_register, engines_ring(), IORING_REGISTER_SYNC_CANCEL, &cancel,
		    1) < 0)
		test_skipped("this kernel cancels nothing by io_uring_register: %s",
			     strerrorname_np(errno));
}

/*
 * A signal may end a pipe's read with ECANCELED, on Linux 6.1. Nobody called it back, so it begins anew,
 * as after EINTR. On a socket that cannot be, and it is told.
 */
void what_nobody_called_back_goes_on(struct subject *s)
{
	struct io_op *done[1];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 2);
	ring_receive(s, 1, c.ends[0][0], 0);
	s->op[1].offset = IO_NO_OFFSET; /* only a pipe's says something */
	start(s, &s->op[1]);
	unsigned n = reap(s, done, 0, 1, 0);
	expect(n == 0, EXPECTED("nothing yet") SAW("%u"), n);
	cancel_from_outside();
	n = reap(s, done, 1, 1, A_MOMENT_NS);
	if (s->flavour == PIPE) {
		expect(n == 0, EXPECTED("the read to go on") SAW("it end with %s"),
		       answer(s->op[1].result));
		peer_sends(c.ends[0][1], "late", 4);
		await(s, &s->op[1]);
		expect(s->op[1].result == 4, EXPECTED("the 4 bytes that came late") SAW("%s"),
		       answer(s->op[1].result));
	} else {
		expect(n == 1 && s->op[1].result == -ECANCELED,
		       EXPECTED("the receive with -ECANCELED") SAW("%u operations"), n);
	}
	close_ring_connections(s, &c);
}

/* The first slot and the last one, with the kernel taking nothing for either. */
void cancels_without_room_are_all_asked(struct subject *s)
{
	enum { COUNT = 4 };
	struct io_op *ops[COUNT], *done[COUNT];
	struct ring_connections c;
	open_ring_connections(s, &c, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		ops[i] = ring_receive(s, i, c.ends[i][0], i);
	expect(ring_submit_once(s, ops, COUNT) == COUNT, "not all are accepted");
	for (unsigned i = 0; i < COUNT; i += COUNT - 1) {
		fail_call(RING_ENTER, EAGAIN, 0);
		cancel_one(s, ops[i]);
		call_failed();
	}
	await(s, ops[0]);
	await(s, ops[COUNT - 1]);
	for (unsigned i = 0; i < COUNT; i += COUNT - 1)
		expect(ops[i]->result == -ECANCELED,
		       WHEN("slot %u is called back") EXPECTED("-ECANCELED") SAW("%s"), i,
		       answer(ops[i]->result));
	/* Nothing is left to be asked: the thread sleeps again, in the kernel. */
	calls_reset();
	unsigned n = reap(s, done, 1, COUNT, A_MOMENT_NS);
	unsigned enters = calls_made(RING_ENTER);
	expect(n == 0, EXPECTED("the others to go on") SAW("%u came back"), n);
	expect(enters >= 1 && enters <= 4, EXPECTED("a wait in io_uring_enter") SAW("%u calls"),
	       enters);
	for (unsigned i = 1; i < COUNT - 1; i++)
		peer_sends(c.ends[i][1], "x", 1);
	await_all(s);
	close_ring_connections(s, &c);
}

/* The kernel takes nothing when the full ring is to be handed over for the cancel's sake. */
void a_cancel_without_room_is_not_forgotten(struct subject *s)
{
	enum { COUNT = 4 };
	struct io_op *ops[COUNT], *done[COUNT];
	struct ring_connections c;
	open_ring_connections(s, &c, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		ops[i] = ring_receive(s, i, c.ends[i][0], i);
	expect(ring_submit_once(s, ops, COUNT) == COUNT, "not all are accepted");
	fail_call(RING_ENTER, EAGAIN, 0);
	unsigned long made = allocations_made();
	cancel_one(s, ops[2]);
	made = allocations_made() - made;
	call_failed();
	expect(made == 0,
	       WHEN("the ring has no room for a cancel") EXPECTED("no call of malloc") SAW("one"));
	await(s, ops[2]);
	expect(ops[2]->result == -ECANCELED, EXPECTED("-ECANCELED") SAW("%s"),
	       answer(ops[2]->result));
	unsigned n = reap(s, done, 1, COUNT, A_MOMENT_NS);
	expect(n == 0, EXPECTED("the others to go on") SAW("%u came back"), n);
	for (unsigned i = 0; i < COUNT; i++)
		if (i != 2)
			peer_sends(c.ends[i][1], "x", 1);
	await_all(s);
	close_ring_connections(s, &c);
}

/* Twice the kernel takes nothing, and nothing else comes: who waits for that would wait for ever. */
void a_cancel_without_room_twice_is_asked_again(struct subject *s)
{
	enum { COUNT = 4 };
	struct io_op *ops[COUNT], *done[COUNT];
	struct ring_connections c;
	open_ring_connections(s, &c, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		ops[i] = ring_receive(s, i, c.ends[i][0], i);
	expect(ring_submit_once(s, ops, COUNT) == COUNT, "not all are accepted");
	fail_call(RING_ENTER, EAGAIN, 0);
	cancel_one(s, ops[1]);
	if (call_failed())
		fail_call(RING_ENTER, EAGAIN, 0);
	unsigned n = reap(s, done, 1, COUNT, PATIENCE_NS);
	call_failed();
	expect(n == 1 && done[0] == ops[1] && ops[1]->result == -ECANCELED,
	       EXPECTED("the operation that was called back, with -ECANCELED") SAW("%u of them"),
	       n);
	for (unsigned i = 0; i < COUNT; i++)
		if (i != 1)
			peer_sends(c.ends[i][1], "x", 1);
	await_all(s);
	close_ring_connections(s, &c);
}

/* It ends by itself before its cancel has found room. What the slot does next is not called back. */
void what_is_over_is_called_back_no_more(struct subject *s)
{
	enum { COUNT = 4 };
	struct io_op *ops[COUNT], *done[COUNT];
	struct ring_connections c;
	open_ring_connections(s, &c, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		ops[i] = ring_receive(s, i, c.ends[i][0], i);
	expect(ring_submit_once(s, ops, COUNT) == COUNT, "not all are accepted");
	fail_call(RING_ENTER, EAGAIN, 0);
	cancel_one(s, ops[2]);
	bool failed = call_failed();
	peer_sends(c.ends[2][1], "x", 1);
	if (failed)
		fail_call(RING_ENTER, EAGAIN, 0);
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	call_failed();
	if (n == 0)
		await(s, ops[2]);
	for (unsigned round = 0; round < 2; round++) {
		start(s, ring_receive(s, 2, c.ends[2][0], 2));
		n = reap(s, done, 1, COUNT, A_MOMENT_NS);
		expect(n == 0 || done[0]->result == 1,
		       WHEN("another receive waits in the slot") EXPECTED("it to go on")
			       SAW("it end with %s"),
		       answer(done[0]->result));
		if (n == 0) {
			peer_sends(c.ends[2][1], "x", 1);
			await(s, ops[2]);
		}
	}
	for (unsigned i = 0; i < COUNT; i++)
		if (i != 2)
			peer_sends(c.ends[i][1], "x", 1);
	await_all(s);
	close_ring_connections(s, &c);
}

/* A receive and a send wait on one socket, and only the send is called back. */
void a_cancel_names_one_operation(struct subject *s)
{
	struct io_op *done[2];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 2);
	fill(s, c.ends[0][0]);
	start(s, ring_receive(s, 0, c.ends[0][0], 0));
	start(s, prepare_send(s, 1, c.ends[0][0], 0, 100));
	unsigned n = reap(s, done, 1, 2, A_MOMENT_NS);
	expect(n == 0, EXPECTED("both to wait") SAW("%u came back"), n);
	cancel_one(s, &s->op[1]);
	await(s, &s->op[1]);
	expect(s->op[1].result == -ECANCELED, EXPECTED("-ECANCELED") SAW("%s"),
	       answer(s->op[1].result));
	n = reap(s, done, 1, 2, A_MOMENT_NS);
	expect(n == 0, EXPECTED("the receive to go on") SAW("it end with %s"),
	       answer(s->op[0].result));
	peer_sends(c.ends[0][1], "x", 1);
	await(s, &s->op[0]);
	expect(s->op[0].result == 1, EXPECTED("1 byte") SAW("%s"), answer(s->op[0].result));
	close_ring_connections(s, &c);
}

/* The other way round, of many pairs: which of two the kernel finds first depends on where they lie. */
void a_cancel_leaves_the_other_direction(struct subject *s)
{
	enum { PAIRS = 40 };
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 2 * PAIRS);
	for (unsigned i = 0; i < PAIRS; i++) {
		struct io_op *done[2];
		struct io_op *in = ring_receive(s, 2 * i, c.ends[0][0], 0);
		struct io_op *out = prepare_send(s, 2 * i + 1, c.ends[0][0], 0, 100);
		fill(s, c.ends[0][0]);
		start(s, i % 2 ? in : out);
		start(s, i % 2 ? out : in);
		reap(s, done, 0, 2, 0);
		cancel_one(s, in);
		await(s, in);
		expect(in->result == -ECANCELED && out->in_flight,
		       WHEN("the receive of a socket was called back")
			       EXPECTED("-ECANCELED, and the send to go on") SAW("%s, or none"),
		       answer(in->result));
		read_what_is_there(c.ends[0][1]);
		await(s, out);
		expect(out->result == 100, EXPECTED("100 bytes") SAW("%s"), answer(out->result));
		read_what_is_there(c.ends[0][1]);
	}
	close_ring_connections(s, &c);
}

/* Slots far apart, at each power of two: one by one, and then all. */
void a_deep_engine_calls_all_back(struct subject *s)
{
	struct ring_connections c;
	struct io_op *ops[RING_CONNECTIONS_MOST];
	open_ring_connections(s, &c, RING_CONNECTIONS_MOST, MORE_THAN_A_RING);
	for (unsigned all = 0; all < 2; all++) {
		unsigned count = 0;
		for (unsigned slot = 0; slot < MORE_THAN_A_RING; slot = slot ? 2 * slot : 1) {
			ops[count] = ring_receive(s, slot, c.ends[count][0], count);
			count++;
		}
		start_all(s, ops, count);
		if (all)
			s->ops->cancel(s->engine);
		for (unsigned i = 0; i < count; i++) {
			if (!all)
				cancel_one(s, ops[i]);
			await(s, ops[i]);
			expect(ops[i]->result == -ECANCELED,
			       WHEN("slot %u is called back") EXPECTED("-ECANCELED") SAW("%s"),
			       ops[i]->slot, answer(ops[i]->result));
			expect(all || s->inflight == count - 1 - i,
			       WHEN("slot %u is called back") EXPECTED("no other one")
				       SAW("%u left"),
			       ops[i]->slot, s->inflight);
		}
	}
	close_ring_connections(s, &c);
}
