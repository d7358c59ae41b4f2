/* SPDX-License-Identifier: MIT */
/*
 * What makes an engine an engine, whatever interface it uses: it hands back all that it accepted,
 * once; it accepts no more than it can hold; it says what came of each operation.
 */
#include "lab_test.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "allocation_count.h"
#include "failing_calls.h"
#include "random.h"

#define BLOCK 4096u

/* No word in it is a system call's name: none may be made. */
#define NOTHING "no system call at all"

static struct io_op *prepare_nop(struct subject *s, unsigned slot)
{
	return prepare(s, slot, IO_NOP, -1, 0, 0, 0);
}

/* One submit() of `count` operations from `ops`. Returns how many were accepted. */
static unsigned offer(struct subject *s, struct io_op **ops, unsigned count)
{
	int accepted = s->ops->submit(s->engine, ops, count);
	expect(accepted >= 0 && (unsigned)accepted <= count,
	       EXPECTED("a count from 0 to the %u that were offered from submit()") SAW("%s"),
	       count, answer(accepted));
	for (int i = 0; i < accepted; i++)
		ops[i]->in_flight = 1;
	s->inflight += (unsigned)accepted;
	return (unsigned)accepted;
}

static void hands_back_what_it_accepts(struct subject *s)
{
	struct io_op *done[8] = { NULL };
	open_engine(s, 4, 1);
	struct io_op *first = prepare_nop(s, 2);
	start(s, first);
	unsigned n = reap(s, done, 1, 8, -1);
	expect(n == 1, EXPECTED("reap() to return the one operation that was accepted") SAW("%u"),
	       n);
	for (unsigned slot = 0; slot < 4; slot++)
		start(s, prepare_nop(s, slot));
	n = reap(s, done, 4, 8, -1);
	expect(n == 4, EXPECTED("reap() to return the 4 operations that were accepted") SAW("%u"),
	       n);
	close_engine(s);
}

/* Batches of any size in, batches of any size out, in any order, and each of them once. */
static void comes_back_exactly_once(struct subject *s)
{
	enum { DEPTH = 64 };
	struct random_stream random = { 11 };
	struct io_op *idle[DEPTH], *done[DEPTH];
	unsigned idle_count = 0, returned[DEPTH] = { 0 }, accepted[DEPTH] = { 0 };
	open_engine(s, DEPTH, 1);
	for (unsigned slot = 0; slot < DEPTH; slot++)
		idle[idle_count++] = prepare_nop(s, slot);
	for (unsigned round = 0; round < 1000; round++) {
		unsigned count = idle_count ? (unsigned)random_below(&random, idle_count + 1) : 0;
		for (unsigned i = 0; i < count; i++)
			idle[idle_count - count + i] =
				prepare_nop(s, idle[idle_count - count + i]->slot);
		struct io_op **batch = idle + idle_count - count;
		unsigned taken = count ? offer(s, batch, count) : 0;
		for (unsigned i = 0; i < taken; i++)
			accepted[batch[i]->slot]++;
		memmove(batch, batch + taken, (count - taken) * sizeof *batch);
		idle_count -= taken;
		unsigned n = reap(s, done, 0, 1 + (unsigned)random_below(&random, DEPTH), 0);
		for (unsigned i = 0; i < n; i++) {
			returned[done[i]->slot]++;
			idle[idle_count++] = done[i];
		}
	}
	for (unsigned tries = 0; s->inflight > 0 && tries < DEPTH; tries++) {
		unsigned n = reap(s, done, 1, DEPTH, 0);
		for (unsigned i = 0; i < n; i++)
			returned[done[i]->slot]++;
	}
	expect(s->inflight == 0, EXPECTED("every operation back") SAW("%u lost for good"),
	       s->inflight);
	for (unsigned slot = 0; slot < DEPTH; slot++)
		expect(returned[slot] == accepted[slot],
		       WHEN("operation %u") EXPECTED("it back the %u times that it was accepted")
			       SAW("%u"),
		       slot, accepted[slot], returned[slot]);
	close_engine(s);
}

static void writes_no_more_than_max(struct subject *s)
{
	struct io_op marker, *done[16];
	open_engine(s, 8, 1);
	for (unsigned slot = 0; slot < 8; slot++)
		start(s, prepare_nop(s, slot));
	for (unsigned i = 0; i < 16; i++)
		done[i] = &marker;
	unsigned n = reap(s, done, 1, 3, 0);
	expect(n <= 3, EXPECTED("at most 3") SAW("%u"), n);
	for (unsigned i = n; i < 16; i++)
		expect(done[i] == &marker,
		       EXPECTED("done[%u] to be left alone by a reap() that returned "
				"%u of at most 3") SAW("it written"),
		       i, n);
	for (unsigned tries = 0; s->inflight > 0 && tries < 8; tries++)
		reap(s, done, 1, 3, 0);
	expect(s->inflight == 0, EXPECTED("the rest from later calls") SAW("%u of 8 lost"),
	       s->inflight);
	close_engine(s);
}

/* `min` 0 never waits, not even for ever. */
static void does_not_wait_for_nothing(struct subject *s)
{
	struct io_op *done[4];
	open_engine(s, 4, 1);
	unsigned n = reap(s, done, 0, 4, -1);
	expect(n == 0, EXPECTED("0 from reap() with nothing in flight") SAW("%u"), n);
	start(s, prepare_nop(s, 0));
	await_all(s);
	n = reap(s, done, 0, 4, -1);
	expect(n == 0, EXPECTED("0 from reap() with nothing in flight") SAW("%u"), n);
	close_engine(s);
}

static void touches_only_result_and_next(struct subject *s)
{
	open_engine(s, 4, 1);
	for (unsigned round = 0; round < 8; round++) {
		struct io_op *op = prepare(s, round % 4, IO_READ, 7, 0, 4096 * round, BLOCK);
		op->tag = 0xabcd + round;
		op->submit_ns = 12345;
		struct io_op before = *op;
		perform(s, op);
		before.result = op->result;
		before.next = op->next;
		expect(memcmp(op, &before, sizeof before) == 0,
		       EXPECTED("the engine to write `result` and `next` alone")
			       SAW("another field of the operation changed"));
	}
	close_engine(s);
}

/* `next` belongs to whoever holds the operation: at submit() it holds anything. */
static void does_not_trust_next(struct subject *s)
{
	struct io_op *done[8];
	open_engine(s, 4, 1);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned slot = 0; slot < 4; slot++) {
			struct io_op *op = prepare_nop(s, slot);
			op->next = &s->op[(slot + 1) % 4]; /* left over from some queue */
			start(s, op);
		}
		unsigned n = 0;
		for (unsigned tries = 0; s->inflight > 0 && tries < 8; tries++)
			n += reap(s, done, 1, 8, 0);
		expect(n == 4, EXPECTED("the 4 operations of the round back") SAW("%u"), n);
	}
	close_engine(s);
}

static void leaves_buffers_alone(struct subject *s)
{
	open_engine(s, 2, 1);
	for (unsigned b = 0; b < BUFFER_BYTES; b++)
		buffer_of(s, 1)[b] = pattern_byte(b);
	perform(s, prepare(s, 1, IO_READ, 7, 0, 0, BLOCK));
	perform(s, prepare(s, 1, IO_WRITE, 7, 0, 0, BLOCK));
	for (unsigned b = 0; b < BUFFER_BYTES; b++)
		expect(buffer_of(s, 1)[b] == pattern_byte(b),
		       EXPECTED("an engine that moves no bytes to leave the buffer alone")
			       SAW("byte %u changed"),
		       b);
	close_engine(s);
}

static void two_engines_do_not_mix(struct subject *s)
{
	struct subject other = *s;
	struct io_op *done[4];
	open_engine(s, 4, 1);
	open_engine(&other, 4, 1);
	start(s, prepare_nop(s, 0));
	start(&other, prepare_nop(&other, 1));
	unsigned n = reap(&other, done, 1, 4, 0);
	expect(n == 1 && done[0] == &other.op[1],
	       EXPECTED("the one operation of the second engine from it") SAW("%u"), n);
	n = reap(s, done, 1, 4, 0);
	expect(n == 1 && done[0] == &s->op[0],
	       EXPECTED("the one operation of the first engine from it") SAW("%u"), n);
	close_engine(&other);
	start(s, prepare_nop(s, 3));
	await_all(s);
	close_engine(s);
}

static void makes_no_system_call(struct subject *s)
{
	struct io_op *ops[16], *done[16];
	open_engine(s, 16, 1);
	calls_reset();
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned slot = 0; slot < 16; slot++)
			ops[slot] = prepare(s, slot, IO_READ, 7, 0, 0, BLOCK);
		unsigned accepted = offer(s, ops, 16);
		reap(s, done, accepted, 16, 1000000);
	}
	s->ops->cancel(s->engine);
	unsigned calls = calls_made(NULL) + calls_made("futex sched_yield");
	expect(calls == 0,
	       EXPECTED("no system call for operations that are over at once") SAW("%u"), calls);
	await_all(s);
	close_engine(s);
}

static void allocates_nothing_after_open(struct subject *s)
{
	enum { DEPTH = 1000 };
	struct io_op **ops = calloc(DEPTH, sizeof(struct io_op *));
	struct io_op **done = calloc(DEPTH, sizeof(struct io_op *));
	open_engine(s, DEPTH, 1);
	for (unsigned slot = 0; slot < DEPTH; slot++)
		ops[slot] = prepare_nop(s, slot);
	size_t before = mallinfo2().uordblks;
	unsigned accepted = offer(s, ops, DEPTH);
	size_t after = mallinfo2().uordblks;
	expect(after <= before,
	       EXPECTED("open() to allocate all that is ever needed")
		       SAW("submit() of %u operations take %zu bytes more"),
	       accepted, after - before);
	while (s->inflight > 0)
		expect(reap(s, done, 1, DEPTH, 0) > 0, EXPECTED("all %u back") SAW("%u missing"),
		       accepted, s->inflight);
	close_engine(s);
	free(ops);
	free(done);
}

static void loses_nothing_on_cancel(struct subject *s)
{
	struct io_op *done[8];
	open_engine(s, 8, 1);
	for (unsigned slot = 0; slot < 8; slot++)
		start(s, prepare(s, slot, IO_READ, 7, 0, 0, BLOCK));
	s->ops->cancel(s->engine);
	for (unsigned tries = 0; s->inflight > 0 && tries < 8; tries++)
		reap(s, done, 1, 8, 0);
	expect(s->inflight == 0, EXPECTED("all 8 back after cancel()") SAW("%u missing"),
	       s->inflight);
	for (unsigned slot = 0; slot < 8; slot++)
		expect(s->op[slot].result == BLOCK || s->op[slot].result == -ECANCELED,
		       EXPECTED("%u or -ECANCELED after cancel()") SAW("%s"), BLOCK,
		       answer(s->op[slot].result));
	close_engine(s);
}

/* What has finished is there for any time limit: a negative one is for ever, whichever it is. */
static void knows_every_time_limit(struct subject *s)
{
	static const int64_t limits_ns[] = { -1, -2, INT64_MIN, 0, 1, INT64_MAX };
	struct io_op *done[4];
	open_engine(s, 4, 1);
	for (unsigned i = 0; i < sizeof limits_ns / sizeof *limits_ns; i++) {
		start(s, prepare_nop(s, i % 4));
		unsigned n = reap(s, done, 1, 4, limits_ns[i]);
		expect(n == 1, EXPECTED("the finished operation with a limit of %lld ns") SAW("%u"),
		       (long long)limits_ns[i], n);
	}
	close_engine(s);
}

/* The test's own memory may grow a little; an engine that is kept takes more than 16 bytes. */
static void close_frees_all(struct subject *s)
{
	enum { ROUNDS = 300 };
	size_t before = 0;
	for (unsigned i = 0; i <= ROUNDS; i++) {
		open_engine(s, 64, 1);
		perform(s, prepare_nop(s, 0));
		close_engine(s);
		if (i == 0) /* what the C library allocates once is there now */
			before = mallinfo2().uordblks;
	}
	size_t after = mallinfo2().uordblks;
	expect(after < before + 16 * ROUNDS,
	       EXPECTED("nothing left of %u engines that were closed") SAW("%zu bytes more"),
	       ROUNDS, after - before);
}

/* A depth that needs more bits than 16, and one that has none of the lower 16. */
static void serves_a_large_depth(struct subject *s)
{
	static const unsigned depths[] = { 65536, 131072, 131075 };
	for (unsigned i = 0; i < 3; i++) {
		struct io_op *op;
		open_engine_with_arena(s, depths[i], BUFFER_BYTES);
		op = prepare_nop(s, depths[i] - 1);
		unsigned accepted = offer(s, &op, 1);
		expect(accepted == 1,
		       EXPECTED("an idle engine of depth %u to accept one") SAW("%u"), depths[i],
		       accepted);
		await_all(s);
		close_engine(s);
	}
}

/* Exercise 2: the engine is null:narrow, which holds half of its depth. */

static void prepare_all(struct subject *s, struct io_op **ops, unsigned count)
{
	for (unsigned slot = 0; slot < count; slot++)
		ops[slot] = prepare_nop(s, slot);
}

static void stops_at_its_capacity(struct subject *s)
{
	struct io_op *ops[8], *done[8];
	unsigned accepted = 0;
	open_engine(s, 8, 1);
	prepare_all(s, ops, 8);
	for (unsigned tries = 0; tries < 8 && accepted < 8; tries++)
		accepted += offer(s, ops + accepted, 8 - accepted);
	expect(accepted <= 4, EXPECTED("at most 4 of 8 accepted at depth 8") SAW("%u"), accepted);
	expect(accepted >= 1, EXPECTED("at least one accepted by an idle engine") SAW("none"));
	for (unsigned tries = 0; s->inflight > 0 && tries < 8; tries++)
		reap(s, done, 1, 8, 0);
	expect(s->inflight == 0, EXPECTED("the accepted ones back") SAW("%u missing"), s->inflight);
	close_engine(s);
}

static void accepts_again_after_reap(struct subject *s)
{
	struct io_op *ops[8], *done[8];
	open_engine(s, 8, 1);
	for (unsigned round = 0; round < 20; round++) {
		prepare_all(s, ops, 8);
		unsigned accepted = 0, returned = 0;
		for (unsigned tries = 0; returned < 8 && tries < 100; tries++) {
			unsigned now = accepted < 8 ? offer(s, ops + accepted, 8 - accepted) : 0;
			expect(now > 0 || s->inflight > 0,
			       WHEN("round %u") EXPECTED("an idle engine to accept at least one")
				       SAW("none"),
			       round);
			accepted += now;
			expect(s->inflight <= 4,
			       WHEN("round %u, with a part reaped")
				       EXPECTED("at most 4 held at depth 8") SAW("%u"),
			       round, s->inflight);
			returned += reap(s, done, 1, 2, 0);
		}
		expect(returned == 8, WHEN("round %u") EXPECTED("8 to pass through") SAW("%u"),
		       round, returned);
	}
	close_engine(s);
}

static void accepts_from_the_front(struct subject *s)
{
	struct io_op *ops[8], *done[8];
	open_engine(s, 8, 1);
	prepare_all(s, ops, 8);
	unsigned accepted = offer(s, ops, 8), returned = 0;
	for (unsigned tries = 0; returned < accepted && tries < 8; tries++)
		returned += reap(s, done, 1, 8, 0); /* which complains of any but the first ones */
	expect(returned == accepted, EXPECTED("the first %u back") SAW("%u"), accepted, returned);
	close_engine(s);
}

static void leaves_alone_what_it_refuses(struct subject *s)
{
	struct io_op *ops[8], *done[8], before[8];
	open_engine(s, 8, 1);
	prepare_all(s, ops, 8);
	for (unsigned i = 0; i < 8; i++) { /* the caller's, until the engine accepts it */
		ops[i]->result = 77;
		ops[i]->next = &s->op[7 - i];
	}
	memcpy(before, s->op, sizeof before);
	unsigned accepted = offer(s, ops, 8);
	for (unsigned i = accepted; i < 8; i++)
		expect(memcmp(ops[i], &before[i], sizeof before[i]) == 0,
		       EXPECTED("operation %u, refused, to be as it was") SAW("it changed"), i);
	for (unsigned tries = 0; s->inflight > 0 && tries < 8; tries++)
		reap(s, done, 1, 8, 0);
	close_engine(s);
}

static void accepts_one_when_idle(struct subject *s)
{
	struct io_op *done[1];
	open_engine(s, 1, 1);
	for (unsigned round = 0; round < 5; round++) {
		struct io_op *op = prepare_nop(s, 0);
		unsigned accepted = offer(s, &op, 1);
		expect(accepted == 1, EXPECTED("an idle engine of depth 1 to accept it") SAW("%u"),
		       accepted);
		unsigned n = reap(s, done, 1, 1, 0);
		expect(n == 1, EXPECTED("it back") SAW("%u"), n);
	}
	close_engine(s);
}

/* Half of the depth, rounded up: no less, and no more. */
static void holds_half_rounded_up(struct subject *s)
{
	static const unsigned depths[] = { 1, 2, 3, 7, 8, 65, 1001 };
	struct io_op *ops[1001];
	for (unsigned i = 0; i < sizeof depths / sizeof *depths; i++) {
		unsigned depth = depths[i], half = (depth + 1) / 2, accepted = 0;
		open_engine_with_arena(s, depth, BUFFER_BYTES);
		prepare_all(s, ops, depth);
		for (unsigned tries = 0; tries < 16 + depth && accepted < depth; tries++)
			accepted += offer(s, ops + accepted, depth - accepted);
		expect(accepted == half,
		       WHEN("depth %u") EXPECTED("room for %u") SAW("%u accepted"), depth, half,
		       accepted);
		await_all(s);
		close_engine(s);
	}
}

/* Another engine, opened later with another depth and without the option, changes nothing. */
static void keeps_its_own_capacity(struct subject *s)
{
	struct subject large = { .ops = s->ops, .flavour = s->flavour };
	struct io_op *ops[8];
	unsigned accepted = 0;
	open_engine(s, 8, 1);
	open_engine(&large, 64, 1);
	prepare_all(s, ops, 8);
	for (unsigned tries = 0; tries < 16 && accepted < 8; tries++)
		accepted += offer(s, ops + accepted, 8 - accepted);
	expect(accepted == 4,
	       EXPECTED("room for 4 beside an engine of depth 64") SAW("%u accepted"), accepted);
	await_all(s);
	close_engine(s);
	close_engine(&large);
}

/* Exercise 3. */

/* All 32 bits of len_bytes are a length. */
static void counts_every_length(struct subject *s)
{
	static const uint32_t lengths[] = { 0, 1, 65536, 0x7fffffff, 0x80000000, UINT32_MAX };
	open_engine(s, 4, 1);
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		static const enum io_kind kinds[] = { IO_READ, IO_WRITE };
		for (unsigned k = 0; k < 2; k++) {
			struct io_op *op = prepare(s, i % 4, kinds[k], 7, 0, 0, BLOCK);
			op->len_bytes = lengths[i];
			int64_t result = perform(s, op);
			expect(result == lengths[i], EXPECTED("%u from a %s of %u bytes") SAW("%s"),
			       lengths[i], kind_name(kinds[k]), lengths[i], answer(result));
		}
	}
	close_engine(s);
}

static void moves_nothing_in_syncs_and_no_ops(struct subject *s)
{
	static const enum io_kind kinds[] = { IO_NOP, IO_FSYNC, IO_FDATASYNC };
	open_engine(s, 4, 1);
	for (unsigned i = 0; i < 3; i++) {
		int64_t result = perform(s, prepare(s, i, kinds[i], 7, 0, 0, 512));
		expect(result == 0, EXPECTED("0 from a %s, for any len_bytes") SAW("%s"),
		       kind_name(kinds[i]), answer(result));
	}
	int64_t result = perform(s, prepare(s, 0, IO_WRITE, 7, 0, 0, 512));
	expect(result == 512, EXPECTED("512 from a WRITE of 512 bytes") SAW("%s"), answer(result));
	close_engine(s);
}

/* An operation that fails is accepted, and its neighbours do not suffer. */
static void tells_failure_in_the_result(struct subject *s)
{
	struct io_op *ops[3], *done[4];
	open_engine(s, 4, 1);
	ops[0] = prepare(s, 0, IO_READ, 7, 0, 0, BLOCK);
	ops[1] = prepare(s, 1, IO_RECV, 7, 0, IO_NO_OFFSET, BLOCK);
	ops[2] = prepare(s, 2, IO_WRITE, 7, 0, 0, BLOCK);
	for (unsigned offered = 0, tries = 0; offered < 3 && tries < 10; tries++) {
		int n = s->ops->submit(s->engine, ops + offered, 3 - offered);
		expect(n >= 0,
		       EXPECTED(
			       "submit() to accept a RECV that must fail, and its result to say so")
			       SAW("submit() return %s"),
		       answer(n));
		for (int i = 0; i < n; i++)
			ops[offered + (unsigned)i]->in_flight = 1;
		s->inflight += (unsigned)n;
		offered += (unsigned)n;
		reap(s, done, 0, 4, 0);
	}
	await_all(s);
	expect(s->op[1].result == -EOPNOTSUPP, EXPECTED("-EOPNOTSUPP from a RECV") SAW("%s"),
	       answer(s->op[1].result));
	expect(s->op[0].result == BLOCK && s->op[2].result == BLOCK,
	       EXPECTED("%u from the READ before it and the WRITE after it") SAW("%s and %s"),
	       BLOCK, answer(s->op[0].result), answer(s->op[2].result));
	for (enum io_kind kind = IO_ACCEPT; kind <= IO_CONNECT; kind++) {
		int64_t result = perform(s, prepare(s, 3, kind, 7, 0, 0, 16));
		expect(result == -EOPNOTSUPP, EXPECTED("-EOPNOTSUPP from %s") SAW("%s"),
		       kind_name(kind), answer(result));
	}
	int64_t unheard_of = perform(s, prepare(s, 3, IO_KIND_COUNT, 7, 0, 0, BLOCK));
	expect(unheard_of == -EOPNOTSUPP,
	       EXPECTED("-EOPNOTSUPP from a kind that does not exist") SAW("%s"),
	       answer(unheard_of));
	close_engine(s);
}

/* Exercise 4. */

static int ask(const struct subject *s, enum io_kind kind, enum io_fd_kind fd_kind,
	       struct reason *why)
{
	struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	why->text[0] = '\0';
	return s->ops->supports(&config, kind, fd_kind, why);
}

static void says_what_it_cannot_do(struct subject *s)
{
	static const struct {
		enum io_kind kind;
		enum io_fd_kind fd_kind;
		const char *words;
	} pairs[] = { { IO_RECV, IO_FD_SOCKET, "RECV on a socket" },
		      { IO_SEND, IO_FD_SOCKET, "SEND on a socket" },
		      { IO_ACCEPT, IO_FD_LISTENER, "ACCEPT on a listener" },
		      { IO_CONNECT, IO_FD_SOCKET, "CONNECT on a socket" },
		      { IO_READ, IO_FD_PIPE, "READ on a pipe" },
		      { IO_WRITE, IO_FD_PIPE, "WRITE on a pipe" } };
	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct reason why;
		int rc = ask(s, pairs[i].kind, pairs[i].fd_kind, &why);
		expect(rc < 0, EXPECTED("supports() to refuse %s with -errno") SAW("%s"),
		       pairs[i].words, answer(rc));
		expect(why.text[0],
		       EXPECTED("supports() to say why it refuses %s") SAW("an empty reason"),
		       pairs[i].words);
	}
}

static void says_what_it_can_do(struct subject *s)
{
	static const enum io_kind kinds[] = { IO_READ, IO_WRITE, IO_FSYNC, IO_FDATASYNC };
	struct reason why;
	int rc = ask(s, IO_NOP, IO_FD_NONE, &why);
	expect(rc == 0, EXPECTED("0 from supports() for a no-op") SAW("%s: %s"), answer(rc),
	       why.text);
	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		rc = ask(s, kinds[i], IO_FD_FILE, &why);
		expect(rc == 0, EXPECTED("0 from supports() for %s on a file") SAW("%s: %s"),
		       kind_name(kinds[i]), answer(rc), why.text);
	}
}

const struct lab_test lab_tests[] = {
	{ .name = "hands_back_what_it_accepts",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = hands_back_what_it_accepts,
	  .allowed_calls = NOTHING },
	{ .name = "writes_no_more_than_max",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = writes_no_more_than_max,
	  .allowed_calls = NOTHING },
	{ .name = "comes_back_exactly_once",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = comes_back_exactly_once,
	  .allowed_calls = NOTHING },
	{ .name = "does_not_wait_for_nothing",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = does_not_wait_for_nothing,
	  .allowed_calls = NOTHING },
	{ .name = "touches_only_result_and_next",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = touches_only_result_and_next,
	  .allowed_calls = NOTHING },
	{ .name = "does_not_trust_next",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = does_not_trust_next,
	  .allowed_calls = NOTHING },
	{ .name = "leaves_buffers_alone",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = leaves_buffers_alone,
	  .allowed_calls = NOTHING },
	{ .name = "two_engines_do_not_mix",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = two_engines_do_not_mix,
	  .allowed_calls = NOTHING },
	{ .name = "makes_no_system_call",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = makes_no_system_call },
	{ .name = "allocates_nothing_after_open",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = allocates_nothing_after_open },
	{ .name = "loses_nothing_on_cancel",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = loses_nothing_on_cancel,
	  .allowed_calls = NOTHING },
	{ .name = "fills_its_depth",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(BUFFERED),
	  .run = file_fills_its_depth,
	  .allowed_calls = NOTHING },
	{ .name = "keeps_min_and_max",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(BUFFERED),
	  .run = reap_keeps_min_and_max,
	  .allowed_calls = NOTHING },
	{ .name = "opens_and_closes_again",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(BUFFERED),
	  .run = opens_and_closes_again },
	{ .name = "opens_without_memory_or_says_why_not",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = open_without_memory },
	{ .name = "knows_every_time_limit",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = knows_every_time_limit,
	  .allowed_calls = NOTHING },
	{ .name = "reaps_nothing_when_max_is_0",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(BUFFERED),
	  .run = reap_of_nothing_loses_nothing },
	{ .name = "keeps_a_large_min",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(BUFFERED),
	  .run = reap_keeps_a_large_min,
	  .allowed_calls = NOTHING },
	{ .name = "survives_many_operations",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = file_survives_many_operations,
	  .allowed_calls = NOTHING,
	  .limit_s = 60 }, /* a learner's puts() is 300,000 watched calls */
	{ .name = "cancels_more_than_64",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(BUFFERED),
	  .run = file_cancel_then_silence },
	{ .name = "open_tells_what_fails",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = open_tells_what_fails },
	{ .name = "open_keeps_nothing_where_memory_is_short",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = open_keeps_nothing_where_memory_is_short },
	{ .name = "close_frees_all",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = close_frees_all },
	{ .name = "serves_a_large_depth",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = serves_a_large_depth },

	{ .name = "stops_at_its_capacity",
	  .exercise = 2,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = stops_at_its_capacity,
	  .allowed_calls = NOTHING },
	{ .name = "accepts_again_after_reap",
	  .exercise = 2,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = accepts_again_after_reap,
	  .allowed_calls = NOTHING },
	{ .name = "accepts_from_the_front",
	  .exercise = 2,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = accepts_from_the_front,
	  .allowed_calls = NOTHING },
	{ .name = "leaves_alone_what_it_refuses",
	  .exercise = 2,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = leaves_alone_what_it_refuses,
	  .allowed_calls = NOTHING },
	{ .name = "accepts_one_when_idle",
	  .exercise = 2,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = accepts_one_when_idle,
	  .allowed_calls = NOTHING },
	{ .name = "fills_any_depth",
	  .exercise = 2,
	  .engine = "null:narrow",
	  .flavours = ONE(BUFFERED),
	  .run = file_fills_its_depth,
	  .allowed_calls = NOTHING },
	{ .name = "holds_half_rounded_up",
	  .exercise = 2,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = holds_half_rounded_up,
	  .allowed_calls = NOTHING },
	{ .name = "keeps_its_own_capacity",
	  .exercise = 2,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = keeps_its_own_capacity,
	  .allowed_calls = NOTHING },
	{ .name = "narrow_serves_a_large_depth",
	  .exercise = 2,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = serves_a_large_depth },

	{ .name = "moves_nothing_in_syncs_and_no_ops",
	  .exercise = 3,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = moves_nothing_in_syncs_and_no_ops,
	  .allowed_calls = NOTHING },
	{ .name = "tells_failure_in_the_result",
	  .exercise = 3,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = tells_failure_in_the_result,
	  .allowed_calls = NOTHING },
	{ .name = "reads_say_how_much",
	  .exercise = 3,
	  .engine = "null",
	  .flavours = ONE(BUFFERED),
	  .run = file_read_right_data,
	  .allowed_calls = NOTHING },
	{ .name = "counts_every_length",
	  .exercise = 3,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = counts_every_length,
	  .allowed_calls = NOTHING },

	{ .name = "says_what_it_cannot_do",
	  .exercise = 4,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = says_what_it_cannot_do },
	{ .name = "says_what_it_can_do",
	  .exercise = 4,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = says_what_it_can_do },
	{ .name = "narrow_says_what_it_cannot_do",
	  .exercise = 4,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = says_what_it_cannot_do },
	{ .name = "narrow_says_what_it_can_do",
	  .exercise = 4,
	  .engine = "null:narrow",
	  .flavours = ONE(NO_FD),
	  .run = says_what_it_can_do },
	{ .name = "supports_tells_what_fails",
	  .exercise = 4,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = supports_tells_what_fails },
	THE_REST_OF_THE_CONTRACT(4, "null", ONE(NO_FD), WAITING | LENDING | BLOCKING),
	{ NULL },
};
