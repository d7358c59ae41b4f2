/* SPDX-License-Identifier: MIT */
/* cancel_one(): one operation comes back, once, and nothing else is lost. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "conformance.h"
#include "tests.h"

#define SHUTS_DOWN "it has to shut the socket down, so what comes later is lost with it"

static void expect_nothing_more(struct subject *s)
{
	struct io_op *done[4];
	for (unsigned i = 0; i < 3; i++) {
		usleep(1000);
		unsigned n = reap(s, done, 0, 4, 0);
		expect(n == 0, WHEN("after it was back") EXPECTED("nothing") SAW("%u more"), n);
	}
}

/* One of several receives, in each place among them. The others go on. */
void cancel_one_leaves_the_others(struct subject *s)
{
	enum { COUNT = 5 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[COUNT][2];
	struct io_op *done[1], *ops[COUNT];
	for (unsigned chosen = 0; chosen < COUNT; chosen++) {
		open_engine(s, COUNT, COUNT);
		for (unsigned i = 0; i < COUNT; i++) {
			make_reading_pair(s, ends[i]);
			attach(s, i, ends[i][0]);
			ops[i] = prepare_receive(s, i, ends[i][0], i);
			start(s, ops[i]);
		}
		expect(reap(s, done, 1, 1, NS_PER_MS) == 0,
		       "a receive completed with nothing there");
		cancel_one(s, ops[chosen]);
		await(s, ops[chosen]);
		int64_t result = ops[chosen]->result;
		/* 0: the engine had to shut the socket down. */
		bool shut = result == 0 && s->ops->traits & IO_CANCEL_SHUTS_DOWN;
		expect(result == -ECANCELED || shut,
		       WHEN("after cancel_one()") EXPECTED("-ECANCELED") SAW("%s"), answer(result));
		expect_nothing_more(s);
		for (unsigned i = 0; i < COUNT; i++) {
			if (i == chosen)
				continue;
			expect(ops[i]->in_flight, "operation %u came back with operation %u", i,
			       chosen);
			expect(write(ends[i][1], "bytes", 5) == 5, "the test's own write failed");
			await(s, ops[i]);
			expect(ops[i]->result == 5,
			       WHEN("not called back") EXPECTED("5 bytes") SAW("%s"),
			       answer(ops[i]->result));
		}
		for (unsigned i = 0; i < COUNT; i++) {
			detach(s, i);
			close(ends[i][0]);
			close(ends[i][1]);
		}
		close_engine(s);
	}
}

/* Others end meanwhile, each in turn: those that are left are found, the last one first. */
void cancel_one_finds_what_is_left(struct subject *s)
{
	enum { COUNT = 4 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[COUNT][2];
	struct io_op *ops[COUNT];
	for (unsigned ended = 0; ended < COUNT; ended++) {
		open_engine(s, COUNT, COUNT);
		for (unsigned i = 0; i < COUNT; i++) {
			make_reading_pair(s, ends[i]);
			attach(s, i, ends[i][0]);
			ops[i] = prepare_receive(s, i, ends[i][0], i);
		}
		start_all(s, ops, COUNT);
		expect(write(ends[ended][1], "bytes", 5) == 5, "the test's own write failed");
		await(s, ops[ended]);
		for (unsigned i = COUNT; i-- > 0;) {
			if (i == ended)
				continue;
			cancel_one(s, ops[i]);
			await(s, ops[i]);
			bool shut = ops[i]->result == 0 && s->ops->traits & IO_CANCEL_SHUTS_DOWN;
			expect(ops[i]->result == -ECANCELED || shut,
			       WHEN("operation %u has ended, and %u is called back")
				       EXPECTED("-ECANCELED") SAW("%s"),
			       ended, i, answer(ops[i]->result));
		}
		for (unsigned i = 0; i < COUNT; i++) {
			detach(s, i);
			close(ends[i][0]);
			close(ends[i][1]);
		}
		close_engine(s);
	}
}

/* A receive and a send wait on one socket. One of them is called back, and the other goes on. */
void cancel_one_leaves_the_other_direction(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	not_for(s, IO_SERIALISES_DESCRIPTOR, "it performs one at a time on a descriptor");
	not_for(s, IO_CANCEL_SHUTS_DOWN, SHUTS_DOWN);
	unsigned directions =
		traits_of(s) & IO_SENDS_UNCOPIED ? 1 : 2; /* a send may not come back */
	for (unsigned of_send = 0; of_send < directions; of_send++) {
		int ends[2];
		struct io_op *done[1];
		make_pair(s, ends);
		open_engine(s, 2, 1);
		attach(s, 0, ends[0]);
		struct io_op *send = start_send_that_waits(s, ends[0]);
		struct io_op *receive = prepare_receive(s, 1, ends[0], 0);
		start(s, receive);
		reap(s, done, 1, 1, NS_PER_MS); /* TCP may find room for the send now */
		struct io_op *chosen = of_send && send->in_flight ? send : receive;
		cancel_one(s, chosen);
		await(s, chosen);
		expect(chosen->result == -ECANCELED || (chosen->result > 0 && chosen == send),
		       WHEN("after cancel_one()") EXPECTED("-ECANCELED") SAW("%s"),
		       answer(chosen->result));
		if (receive->in_flight)
			expect(write(ends[1], "bytes", 5) == 5, "the test's own write failed");
		for (unsigned tries = 0; s->inflight > 0 && tries < 300; tries++) {
			read_what_is_there(ends[1]);
			reap(s, done, 1, 1, 10 * NS_PER_MS);
		}
		await_all(s);
		expect(chosen == send || send->result > 0,
		       WHEN("the receive was called back") EXPECTED("the send to go on") SAW("%s"),
		       answer(send->result));
		expect(chosen == receive || receive->result == 5,
		       WHEN("the send was called back") EXPECTED("the receive to go on") SAW("%s"),
		       answer(receive->result));
		detach(s, 0);
		close_engine(s);
		close(ends[0]);
		close(ends[1]);
	}
}

/* What comes after it is there for the next receive. */
void cancel_one_leaves_the_descriptor_whole(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	not_for(s, IO_CANCEL_SHUTS_DOWN, SHUTS_DOWN);
	int ends[2];
	struct io_op *done[1];
	make_reading_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 0; i < 3; i++) {
		struct io_op *op = prepare_receive(s, i % 2, ends[0], 0);
		start(s, op);
		expect(reap(s, done, 1, 1, NS_PER_MS) == 0,
		       "a receive completed with nothing there");
		cancel_one(s, op);
		await(s, op);
		expect(op->result == -ECANCELED,
		       WHEN("after cancel_one()") EXPECTED("-ECANCELED") SAW("%s"),
		       answer(op->result));
		expect(write(ends[1], "later", 5) == 5, "the test's own write failed");
		expect_nothing_more(s); /* nobody waits for these bytes */
		op = prepare_receive(s, 1 - i % 2, ends[0], 0);
		int64_t result = perform(s, op);
		expect(result == 5 && memcmp(op->buf, "later", 5) == 0,
		       WHEN("the receive after it") EXPECTED("5 bytes") SAW("%s"), answer(result));
	}
	detach(s, 0);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Polls, and does not wait: the engine is asked again and again for what it has. */
static void await_by_polling(struct subject *s, const struct io_op *op)
{
	struct io_op *done[1];
	uint64_t until_ns = clock_ns() + 5 * (uint64_t)NS_PER_S;
	while (op->in_flight && !time_is_up(until_ns)) {
		reap(s, done, 0, 1, 0);
		usleep(100);
	}
	expect(!op->in_flight, WHEN("after cancel_one(), by reap() with min 0") EXPECTED("it back")
				       SAW("nothing for 5 s"));
}

/*
 * Threads of the engine have performed others before, and what was called back is over: neither leaves a
 * trace. What is in flight afterwards goes on, and reap() sleeps.
 */
void cancel_one_leaves_no_trace(struct subject *s)
{
	enum { COUNT = 4, ROUNDS = 6, QUIET_MS = 40 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	not_for(s, IO_CANCEL_SHUTS_DOWN, SHUTS_DOWN);
	int ends[COUNT][2];
	struct io_op *done[1], *ops[COUNT];
	open_engine(s, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct io_op *op =
			prepare_receive(s, round % COUNT, ends[round % COUNT][0], round % COUNT);
		start(s, op);
		expect(reap(s, done, 1, 1, NS_PER_MS) == 0,
		       "a receive completed with nothing there");
		cancel_one(s, op);
		await_by_polling(s, op);
		expect(op->result == -ECANCELED,
		       WHEN("after cancel_one()") EXPECTED("-ECANCELED") SAW("%s"),
		       answer(op->result));
		for (unsigned i = 0; i < COUNT; i++)
			ops[i] = prepare_receive(s, i, ends[i][0], i);
		start_all(s, ops, COUNT);
		expect(reap(s, done, 1, 1, 5 * NS_PER_MS) == 0,
		       "a receive came back that nobody asked for");
		expect_asleep(s, QUIET_MS * NS_PER_MS);
		for (unsigned i = 0; i < COUNT; i++)
			expect(write(ends[i][1], "x", 1) == 1, "the test's own write failed");
		await_all(s);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		detach(s, i);
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close_engine(s);
}

/* The bytes and the request meet. Whoever wins, each byte is received once, and nothing is left of either. */
void cancel_one_loses_no_byte(struct subject *s)
{
	enum { ROUNDS = 300 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	not_for(s, IO_CANCEL_SHUTS_DOWN, SHUTS_DOWN);
	int ends[2];
	struct io_op *done[1];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (unsigned round = 0; round < ROUNDS; round++) {
		char sent = (char)round;
		struct io_op *op = prepare_receive(s, 0, ends[0], 0);
		start(s, op);
		reap(s, done, 0, 1, 0);
		expect(write(ends[1], &sent, 1) == 1, "the test's own write failed");
		if (op->in_flight)
			cancel_one(s, op);
		await(s, op);
		if (op->result == -ECANCELED)
			perform(s, prepare_receive(s, 0, ends[0], 0));
		expect(op->result == 1 && *(char *)op->buf == sent,
		       WHEN("round %u") EXPECTED("the byte that was sent") SAW("%s"), round,
		       answer(op->result));
	}
	/* No request is left, whether it came in time or not: what waits now sleeps. */
	struct io_op *last = prepare_receive(s, 0, ends[0], 0);
	start(s, last);
	expect_asleep(s, 200 * NS_PER_MS);
	expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
	await(s, last);
	detach(s, 0);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The calls that perform them are just beginning: a request at that moment is not lost. */
void cancel_one_meets_the_beginning(struct subject *s)
{
	enum { COUNT = 16, ROUNDS = 2000, LATEST_US = 100 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	not_for(s, IO_CANCEL_SHUTS_DOWN, SHUTS_DOWN);
	int ends[COUNT][2];
	struct io_op *done[COUNT], *ops[COUNT];
	open_engine(s, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
	}
	uint64_t enough_ns = clock_ns() + (uint64_t)NS_PER_S;
	for (unsigned round = 0; round < ROUNDS && clock_ns() < enough_ns; round++) {
		for (unsigned i = 0; i < COUNT; i++)
			ops[i] = prepare_receive(s, i, ends[i][0], i);
		start_all(s, ops, COUNT);
		uint64_t until_ns = clock_ns() + round % LATEST_US * NS_PER_US;
		while (clock_ns() < until_ns)
			;
		unsigned waiting = 0;
		for (unsigned i = 0; i < COUNT; i++)
			if (ops[i]->in_flight) {
				cancel_one(s, ops[i]);
				waiting++;
			}
		/* In one wait, since an engine may ask once more in the next. */
		unsigned n = reap(s, done, waiting, COUNT, 3 * NS_PER_S);
		expect(n == waiting,
		       WHEN("called back %u us after submit()") EXPECTED("all %u") SAW("%u"),
		       round % LATEST_US, waiting, n);
		for (unsigned i = 0; i < COUNT; i++)
			expect(ops[i]->result == -ECANCELED,
			       WHEN("called back") EXPECTED("-ECANCELED") SAW("%s"),
			       answer(ops[i]->result));
	}
	for (unsigned i = 0; i < COUNT; i++) {
		detach(s, i);
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close_engine(s);
}

/* Two are over and one is handed out: of the other the engine may hold the result already. */
void cancel_one_comes_too_late(struct subject *s)
{
	int ends[2][2];
	struct io_op *done[1], *ops[2];
	open_engine(s, 2, 2);
	for (unsigned i = 0; i < 2; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		expect(write(ends[i][1], "early", 5) == 5, "the test's own write failed");
		ops[i] = prepare_receive(s, i, ends[i][0], i);
		start(s, ops[i]);
	}
	reap(s, done, 1, 1, NS_PER_S);
	for (unsigned i = 0; i < 2; i++) {
		if (ops[i]->in_flight && s->ops->cancel_one)
			cancel_one(s, ops[i]);
		await(s, ops[i]);
		int64_t result = ops[i]->result;
		bool shuts = s->ops->traits & IO_CANCEL_SHUTS_DOWN;
		expect(result == 5 || result == -ECANCELED || (result == 0 && shuts),
		       EXPECTED("5 bytes, or -ECANCELED") SAW("%s"), answer(result));
		if (result == -ECANCELED && !shuts) /* it has received nothing: they are there */
			result = perform(s, ops[i]);
		expect(shuts || (result == 5 && memcmp(ops[i]->buf, "early", 5) == 0),
		       EXPECTED("the bytes that came") SAW("%s"), answer(result));
	}
	expect_nothing_more(s);
	for (unsigned i = 0; i < 2; i++) {
		detach(s, i);
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close_engine(s);
}

/* Takes what comes within a moment. Returns how many bytes. */
static ssize_t take_what_comes(int fd, int patience_ms)
{
	char bytes[16];
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	return poll(&ready, 1, patience_ms) > 0 ? read(fd, bytes, sizeof bytes) : 0;
}

/* A send that found room is over before anybody asks for it back: the peer has what its result says. */
void cancel_one_of_a_send_that_fits(struct subject *s)
{
	enum { COUNT = 5, MOMENT_MS = 5, PATIENCE_MS = 5000 };
	int ends[2];
	signal(SIGPIPE, SIG_IGN);
	make_writing_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (unsigned round = 0; round < 3; round++) {
		struct io_op *op = prepare_send(s, 0, ends[0], 0, COUNT);
		start(s, op);
		if (op->in_flight && s->ops->cancel_one)
			cancel_one(s, op);
		await(s, op);
		expect(op->result == COUNT || op->result == -ECANCELED ||
			       (op->result == -EPIPE && s->ops->traits & IO_CANCEL_SHUTS_DOWN),
		       EXPECTED("%d bytes, or -ECANCELED") SAW("%s"), COUNT, answer(op->result));
		bool sent = op->result == COUNT;
		ssize_t came = take_what_comes(ends[1], sent ? PATIENCE_MS : MOMENT_MS);
		expect(came == (sent ? COUNT : 0),
		       WHEN("a send that was asked back ended with %s")
			       EXPECTED("%d bytes at its peer") SAW("%zd"),
		       answer(op->result), sent ? COUNT : 0, came);
	}
	expect_nothing_more(s);
	detach(s, 0);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/*
 * What comes next in its slot, on another descriptor, ends as it ends: bytes, and then the end. So it is also
 * where the request came too late.
 */
void cancel_one_leaves_the_slot_whole(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	struct io_op *done[1];
	open_engine(s, 1, 1);
	for (unsigned round = 0; round < 8; round++) {
		int ends[2];
		make_reading_pair(s, ends);
		attach(s, 0, ends[0]);
		if (round % 2 == 0) {
			struct io_op *op = prepare_receive(s, 0, ends[0], 0);
			start(s, op);
			expect(reap(s, done, 1, 1, NS_PER_MS) == 0,
			       "a receive completed with nothing there");
			if (round % 4 == 2)
				expect(write(ends[1], "early", 5) == 5,
				       "the test's own write failed");
			cancel_one(s, op);
			await(s, op);
		} else {
			expect(write(ends[1], "bytes", 5) == 5, "the test's own write failed");
			int64_t result = perform(s, prepare_receive(s, 0, ends[0], 0));
			expect(result == 5, EXPECTED("5 bytes") SAW("%s"), answer(result));
			close(ends[1]);
			ends[1] = -1;
			result = perform(s, prepare_receive(s, 0, ends[0], 0));
			expect(result == 0,
			       WHEN("in a slot that was called back before") EXPECTED("the end")
				       SAW("%s"),
			       answer(result));
		}
		detach(s, 0);
		close(ends[0]);
		if (ends[1] >= 0)
			close(ends[1]);
	}
	close_engine(s);
}

/* Starts a receive, sends a byte, and takes it away again. Returns whether that was faster. */
static bool alarm_falsely(struct subject *s, const int ends[2], struct io_op *op)
{
	struct io_op *done[1];
	char byte;
	start(s, op);
	expect(reap(s, done, 1, 1, NS_PER_MS) == 0, "a receive completed with nothing there");
	expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
	usleep(1000); /* the news of it may take a moment to reach the engine */
	return recv(ends[0], &byte, 1, MSG_DONTWAIT) == 1;
}

/* A false alarm that nobody asked back goes on waiting. */
static void expect_to_wait_on(struct subject *s, const int ends[2], struct io_op *op)
{
	struct io_op *done[1];
	if (alarm_falsely(s, ends, op)) {
		expect(reap(s, done, 1, 1, 5 * NS_PER_MS) == 0,
		       WHEN("the next receive in that slot meets a false alarm")
			       EXPECTED("it to wait on") SAW("%s"),
		       answer(op->result));
		expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
	}
	await(s, op);
	expect(op->result == 1, EXPECTED("the byte") SAW("%s"), answer(op->result));
}

/* Nothing was there, and nothing comes. */
static void call_back_in_time(struct subject *s, struct io_op *op)
{
	struct io_op *done[1];
	start(s, op);
	expect(reap(s, done, 1, 1, NS_PER_MS) == 0, "a receive completed with nothing there");
	cancel_one(s, op);
	await(s, op);
	expect(op->result == -ECANCELED,
	       WHEN("after cancel_one()") EXPECTED("-ECANCELED") SAW("%s"), answer(op->result));
}

/*
 * The kernel has said that a byte is there, and the engine has not yet looked. Somebody else takes the
 * byte, and the operation is asked back: the false alarm must not make it wait again.
 */
void socket_false_alarm_meets_a_cancel(struct subject *s)
{
	enum { ROUNDS = 10 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	for (unsigned round = 0; round < ROUNDS; round++) {
		bool all = round % 2;
		make_pair(s, ends);
		open_engine(s, 1, 1);
		attach(s, 0, ends[0]);
		struct io_op *op = prepare_receive(s, 0, ends[0], 0);
		bool stolen = alarm_falsely(s, ends, op);
		if (all)
			s->ops->cancel(s->engine);
		else
			cancel_one(s, op);
		await(s, op);
		bool shut = op->result == 0 && (all || s->ops->traits & IO_CANCEL_SHUTS_DOWN);
		expect(op->result == (stolen ? -ECANCELED : 1) || shut,
		       WHEN("a false alarm meets %s") EXPECTED("%s") SAW("%s"),
		       all ? "cancel()" : "cancel_one()", stolen ? "-ECANCELED" : "the byte",
		       answer(op->result));
		if (!all && !(s->ops->traits & IO_CANCEL_SHUTS_DOWN)) {
			expect_to_wait_on(s, ends, prepare_receive(s, 0, ends[0], 0));
			call_back_in_time(s, prepare_receive(s, 0, ends[0], 0));
			expect_to_wait_on(s, ends, prepare_receive(s, 0, ends[0], 0));
		}
		close_engine(s);
		close(ends[0]);
		close(ends[1]);
	}
}

void cancel_one_of_a_send(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	struct io_op *done[1];
	signal(SIGPIPE, SIG_IGN);
	make_writing_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct io_op *op = start_send_that_waits(s, ends[0]);
	cancel_one(s, op);
	bool uncopied = traits_of(s) & IO_SENDS_UNCOPIED;
	for (unsigned i = 0; uncopied && op->in_flight && i < 3000; i++) {
		read_what_is_there(ends[1]);
		reap(s, done, 1, 1, NS_PER_MS);
	}
	await(s, op);
	bool shut = op->result == -EPIPE && s->ops->traits & IO_CANCEL_SHUTS_DOWN;
	bool in_time = op->result == 1000 && s->flavour == TCP;
	expect(op->result == -ECANCELED || shut || in_time,
	       WHEN("after cancel_one()") EXPECTED("-ECANCELED") SAW("%s"), answer(op->result));
	read_what_is_on_its_way(ends[0], ends[1]);
	expect_nothing_more(s);
	size_t late = read_what_is_there(ends[1]);
	expect(late == 0, WHEN("after cancel_one()") EXPECTED("nothing sent") SAW("%zu bytes"),
	       late);
	detach(s, 0);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

static size_t read_to_the_end(int fd)
{
	char bytes[4096];
	size_t count = 0;
	ssize_t n;
	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		count += (size_t)n;
	return count;
}

/*
 * Too long for the room that is there. What went out is the result, also of a send that was called back:
 * who took -ECANCELED for it would send these bytes again.
 */
void cancel_one_of_a_short_send(struct subject *s)
{
	enum { LENGTH_BYTES = 1 << 20, ROUNDS = 4 };
	const int little = 4096;
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	signal(SIGPIPE, SIG_IGN);
	for (unsigned round = 0; round < ROUNDS; round++) {
		int ends[2];
		struct io_op *done[1];
		make_writing_pair(s, ends);
		(void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
		open_engine(s, LENGTH_BYTES / BUFFER_BYTES, 1);
		attach(s, 0, ends[0]);
		struct io_op *op =
			prepare(s, 0, out_kind(s), ends[0], 0, IO_NO_OFFSET, LENGTH_BYTES);
		start(s, op);
		if (round % 2)
			reap(s, done, 1, 1, NS_PER_MS);
		if (op->in_flight)
			cancel_one(s, op);
		size_t came = 0;
		for (unsigned tries = 0; op->in_flight && tries < 300; tries++) {
			reap(s, done, 1, 1, 10 * NS_PER_MS);
			if (op->in_flight) /* it may need the peer to take the bytes */
				came += read_what_is_there(ends[1]);
		}
		await(s, op);
		int64_t result = op->result;
		detach(s, 0);
		close_engine(s);
		close(ends[0]);
		came += read_to_the_end(ends[1]);
		close(ends[1]);
		expect(came == (result > 0 ? (size_t)result : 0),
		       WHEN("a send was called back, and its result is %s")
			       EXPECTED("as many bytes at the other end") SAW("%zu"),
		       answer(result), came);
	}
}

/* A file's operation is soon over: it comes back with its data, or called back. */
void cancel_one_of_a_file(struct subject *s)
{
	enum { DEPTH = 32, BLOCK = 4096 };
	struct io_op *ops[DEPTH];
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, DEPTH, 1);
	attach(s, 0, fd);
	for (unsigned slot = 0; slot < DEPTH; slot++)
		ops[slot] = prepare(s, slot, IO_READ, fd, 0, 0, BLOCK);
	start_all(s, ops, DEPTH);
	for (unsigned slot = 0; slot < DEPTH; slot += 2)
		if (ops[slot]->in_flight && s->ops->cancel_one)
			cancel_one(s, ops[slot]);
	await_all(s);
	for (unsigned slot = 0; slot < DEPTH; slot++) {
		bool called_back = ops[slot]->result == -ECANCELED && slot % 2 == 0;
		expect(ops[slot]->result == BLOCK || called_back,
		       WHEN("slot %u") EXPECTED("4096 bytes") SAW("%s"), slot,
		       answer(ops[slot]->result));
	}
	expect_nothing_more(s);
	close_engine(s);
	close(fd);
}

/*
 * Two are over and one is handed out; the other one is asked back too late. Whatever comes of that request is no
 * news for who waits for a third one.
 */
void cancel_one_too_late_ends_no_wait(struct subject *s)
{
	enum { ROUNDS = 3, WAIT_MS = 20 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	not_for(s, IO_CANCEL_SHUTS_DOWN, SHUTS_DOWN);
	int ends[3][2];
	struct io_op *done[1], *ops[2];
	open_engine(s, 3, 3);
	for (unsigned i = 0; i < 3; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < 2; i++) {
			expect(write(ends[i][1], "early", 5) == 5, "the test's own write failed");
			ops[i] = prepare_receive(s, i, ends[i][0], i);
		}
		start_all(s, ops, 2);
		unsigned n = reap(s, done, 1, 1, 5 * NS_PER_S);
		expect(n == 1, EXPECTED("one of two receives") SAW("none"));
		struct io_op *other = ops[done[0] == ops[0]];
		start(s, prepare_receive(s, 2, ends[2][0], 2));
		cancel_one(s, other);
		n = reap(s, done, 1, 1, 5 * NS_PER_S);
		expect(n == 1 && done[0] == other,
		       EXPECTED("the one that was asked back") SAW("%u"), n);
		uint64_t before_ns = clock_ns();
		n = reap(s, done, 1, 1, WAIT_MS * NS_PER_MS);
		uint64_t waited_ns = clock_ns() - before_ns;
		expect(n == 0, "a receive completed with nothing there");
		expect(waited_ns >= (WAIT_MS - 2) * (uint64_t)NS_PER_MS,
		       WHEN("another one was asked back too late") EXPECTED("reap() to wait %d ms")
			       SAW("%llu us"),
		       WAIT_MS, (unsigned long long)waited_ns / 1000);
		expect(write(ends[2][1], "x", 1) == 1, "the test's own write failed");
		await_all(s);
		if (other->result == -ECANCELED) /* it has received nothing: its bytes are there */
			perform(s, prepare_receive(s, other->slot, other->fd, other->fd_slot));
	}
	close_engine(s);
	for (unsigned i = 0; i < 3; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}
