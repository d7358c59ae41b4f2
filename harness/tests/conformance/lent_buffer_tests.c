/* SPDX-License-Identifier: MIT */
/* Receives that are lent a buffer of the engine's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "allocations.h"
#include "clock.h"
#include "conformance.h"
#include "engines.h"
#include "tests.h"

#define LENT_BYTES 512u
#define ENDS_MAX   8

static struct engine_config lending_config(const struct subject *s, unsigned lent_count)
{
	return (struct engine_config) { .depth = ENDS_MAX,
					.max_fds = ENDS_MAX,
					.arena = s->arena,
					.arena_len_bytes = s->arena_len_bytes,
					.cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
					.options = s->options,
					.lent_count = lent_count,
					.lent_len_bytes = LENT_BYTES };
}

static void need_lending(struct subject *s)
{
	struct reason why = { "" };
	struct engine_config config = lending_config(s, 1);
	int rc = engine_lends(s->ops, &config, &why);
	expect(rc == 0 || (why.text[0] && why.id[0]),
	       EXPECTED("the engine to say why it lends no buffer") SAW("an empty reason"));
	if (rc < 0)
		test_skipped("%s", why.text);
}

/* Connected pairs, the first of each attached under its number. */
struct connected {
	unsigned count;
	int ends[ENDS_MAX][2];
};

static void open_lending(struct subject *s, unsigned lent_count, struct connected *c,
			 unsigned count)
{
	need_lending(s);
	s->lent_count = lent_count;
	s->lent_len_bytes = LENT_BYTES;
	open_engine(s, ENDS_MAX, ENDS_MAX);
	c->count = count;
	for (unsigned i = 0; i < count; i++) {
		make_pair(s, c->ends[i]);
		attach(s, i, c->ends[i][0]);
	}
}

static void close_lending(struct subject *s, struct connected *c)
{
	for (unsigned i = 0; i < c->count; i++)
		detach(s, i);
	close_engine(s);
	for (unsigned i = 0; i < c->count; i++) {
		close(c->ends[i][0]);
		close(c->ends[i][1]);
	}
}

/* A receive that asks to be lent a buffer, in the slot of its pair. */
static struct io_op *prepare_lent(struct subject *s, const struct connected *c, unsigned i,
				  uint32_t len_bytes)
{
	struct io_op *op = prepare(s, i, IO_RECV, c->ends[i][0], i, 0, len_bytes);
	op->buf = NULL;
	return op;
}

static void send_pattern(const struct connected *c, unsigned i, uint64_t position,
			 uint32_t len_bytes)
{
	char bytes[4 * LENT_BYTES];
	for (uint32_t at = 0; at < len_bytes; at++)
		bytes[at] = pattern_byte(position + at);
	expect(write(c->ends[i][1], bytes, len_bytes) == (ssize_t)len_bytes,
	       "the test's own write failed: %s", strerror(errno));
}

static void expect_in(const void *buf, uint64_t position, int64_t count)
{
	for (int64_t at = 0; at < count; at++)
		expect(((const char *)buf)[at] == pattern_byte(position + (uint64_t)at),
		       "wrong byte at %lld of %lld in the buffer", (long long)at, (long long)count);
}

/* It was lent a buffer with these bytes. */
static void expect_lent(const struct subject *s, const struct io_op *op, uint64_t position,
			int64_t count)
{
	const char *buf = op->buf;
	expect(op->result == count, EXPECTED("%lld bytes in a lent buffer") SAW("%s"),
	       (long long)count, answer(op->result));
	expect(buf, EXPECTED("a buffer in `buf`") SAW("NULL"));
	expect(buf + LENT_BYTES <= s->arena || buf >= s->arena + s->arena_len_bytes,
	       EXPECTED("a buffer of the engine's") SAW("one in the arena"));
	expect_in(buf, position, count);
}

static void expect_nothing_lent(const struct io_op *op, int64_t result)
{
	expect(op->result == result, EXPECTED("%s") SAW("%s"), answer(result), answer(op->result));
	expect(!op->buf, WHEN("with result %s") EXPECTED("`buf` NULL") SAW("a buffer"),
	       answer(result));
}

static void hand_back(struct subject *s, void *buf)
{
	s->ops->give_back(s->engine, buf);
}

/* Again and again, more often than there are buffers: each is the last word of its receive. */
static void lend_to_one_after_the_other(struct subject *s, unsigned lent_count)
{
	enum { ROUNDS = 50 };
	struct connected c;
	open_lending(s, lent_count, &c, 1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct io_op *op = prepare_lent(s, &c, 0, LENT_BYTES);
		start(s, op);
		send_pattern(&c, 0, round, 1 + 3 * round);
		await(s, op);
		expect_lent(s, op, round, 1 + 3 * round);
		hand_back(s, op->buf);
	}
	close_lending(s, &c);
}

void lent_buffer_holds_what_came(struct subject *s)
{
	lend_to_one_after_the_other(s, 3);
	lend_to_one_after_the_other(s, 1);
}

/* What is lent stays as it is while others are lent; it may be sent from, and close() wants none back. */
void lent_buffer_is_the_callers(struct subject *s)
{
	enum { BUFFERS = 3 };
	struct connected c;
	open_lending(s, BUFFERS, &c, BUFFERS);
	char echoed[LENT_BYTES];
	void *bufs[BUFFERS];
	for (unsigned i = 0; i < BUFFERS; i++) {
		struct io_op *op = prepare_lent(s, &c, i, LENT_BYTES);
		send_pattern(&c, i, 1000 * i, LENT_BYTES);
		perform(s, op);
		expect_lent(s, op, 1000 * i, LENT_BYTES);
		bufs[i] = op->buf;
	}
	for (unsigned i = 0; i < BUFFERS; i++) {
		expect_in(bufs[i], 1000 * i, LENT_BYTES);
		struct io_op *echo = prepare_send(s, i, c.ends[i][0], i, LENT_BYTES);
		echo->buf = bufs[i];
		perform(s, echo);
		expect(echo->result == LENT_BYTES,
		       WHEN("sending from a lent buffer") EXPECTED("512") SAW("%s"),
		       answer(echo->result));
		expect(echo->buf == bufs[i], "a send changed its `buf`");
		expect(recv(c.ends[i][1], echoed, LENT_BYTES, MSG_WAITALL) == LENT_BYTES,
		       "the test's own recv failed: %s", strerror(errno));
		expect_in(echoed, 1000 * i, LENT_BYTES);
		expect_in(bufs[i], 1000 * i, LENT_BYTES);
	}
	close_lending(s, &c);
}

/* It may be received into, like any other; when that brings nothing it is the caller's all the same. */
void lent_buffer_may_be_received_into(struct subject *s)
{
	struct connected c;
	open_lending(s, 2, &c, 3);
	send_pattern(&c, 0, 0, 2);
	struct io_op *lent = prepare_lent(s, &c, 0, 1); /* a part of what is there */
	perform(s, lent);
	expect_lent(s, lent, 0, 1);
	for (unsigned again = 0; again < 2; again++) {
		struct io_op *own = prepare_receive(s, 1, c.ends[1][0], 1);
		own->buf = lent->buf;
		own->len_bytes = LENT_BYTES;
		shutdown(c.ends[1][1], SHUT_WR);
		perform(s, own);
		expect(own->result == 0, WHEN("the peer has ended") EXPECTED("0") SAW("%s"),
		       answer(own->result));
		expect(own->buf == lent->buf, "a receive's own buffer was replaced");
	}
	hand_back(s, lent->buf);
	void *first = NULL;
	for (unsigned round = 0; round < 2; round++) {
		send_pattern(&c, 2, round, 2);
		struct io_op *op = prepare_lent(s, &c, 2, 1);
		perform(s, op);
		expect(op->buf && op->buf != first,
		       EXPECTED("two buffers that are lent to be two") SAW("one"));
		first = op->buf;
	}
	close_lending(s, &c);
}

/* Receives that wait hold no buffer: many wait, one buffer serves them all. */
void lent_buffers_wait_for_none(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	struct connected c;
	struct io_op *op[ENDS_MAX], *done[ENDS_MAX];
	open_lending(s, 1, &c, ENDS_MAX);
	for (unsigned i = 0; i < ENDS_MAX; i++)
		op[i] = prepare_lent(s, &c, i, LENT_BYTES);
	start_all(s, op, ENDS_MAX);
	unsigned n = reap(s, done, 1, ENDS_MAX, 2 * NS_PER_MS);
	expect(n == 0,
	       WHEN("%u receives wait and one buffer is there") EXPECTED("all to wait")
		       SAW("one end with %s"),
	       ENDS_MAX, answer(done[0]->result));
	for (unsigned i = ENDS_MAX; i-- > 0;) {
		send_pattern(&c, i, i, 200);
		await(s, op[i]);
		expect_lent(s, op[i], i, 200);
		if (i > 0)
			hand_back(s, op[i]->buf);
	}
	/* None is free now, and one that is offered waits like the others. */
	start(s, prepare_lent(s, &c, 1, LENT_BYTES));
	n = reap(s, done, 1, 1, 2 * NS_PER_MS);
	expect(n == 0,
	       WHEN("no buffer is free and no byte is there") EXPECTED("the receive to wait")
		       SAW("%s"),
	       answer(op[1]->result));
	hand_back(s, op[0]->buf);
	send_pattern(&c, 1, 77, 10);
	await(s, op[1]);
	expect_lent(s, op[1], 77, 10);
	close_lending(s, &c);
}

/* Bytes and no buffer: ENOBUFS, and nothing is lost. */
void lent_buffers_are_short(struct subject *s)
{
	struct connected c;
	open_lending(s, 2, &c, 3);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 3; i++)
			send_pattern(&c, i, i + round, 300);
		struct io_op *op[3];
		for (unsigned i = 0; i < 2; i++) {
			op[i] = prepare_lent(s, &c, i, LENT_BYTES);
			perform(s, op[i]);
			expect_lent(s, op[i], i + round, 300);
		}
		for (unsigned again = 0; again < 2; again++) {
			op[2] = prepare_lent(s, &c, 2, LENT_BYTES);
			perform(s, op[2]);
			expect_nothing_lent(op[2], -ENOBUFS);
		}
		hand_back(s, op[round % 2]->buf);
		op[2] = prepare_lent(s, &c, 2, LENT_BYTES);
		perform(s, op[2]);
		expect_lent(s, op[2], 2 + round, 300);
		expect_in(op[(round + 1) % 2]->buf, (round + 1) % 2 + round, 300);
		hand_back(s, op[2]->buf);
		hand_back(s, op[(round + 1) % 2]->buf);
	}
	close_lending(s, &c);
}

/* The end, a reset and a cancel lend nothing, and keep nothing: the one buffer is free afterwards. */
void lent_buffer_for_bytes_only(struct subject *s)
{
	struct connected c;
	struct linger at_once = { .l_onoff = 1 };
	open_lending(s, 1, &c, 4);
	for (unsigned again = 0; again < 2; again++) {
		struct io_op *end = prepare_lent(s, &c, 0, LENT_BYTES);
		shutdown(c.ends[0][1], SHUT_WR);
		perform(s, end);
		expect_nothing_lent(end, 0);
	}
	if (s->flavour == TCP) {
		struct io_op *reset = prepare_lent(s, &c, 1, LENT_BYTES);
		setsockopt(c.ends[1][1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		close(c.ends[1][1]);
		c.ends[1][1] = -1;
		perform(s, reset);
		expect_nothing_lent(reset, -ECONNRESET);
	}
	if (!(s->ops->traits & IO_BLOCKS_IN_SUBMIT)) {
		struct io_op *done[1], *waits = prepare_lent(s, &c, 2, LENT_BYTES);
		start(s, waits);
		expect(reap(s, done, 1, 1, NS_PER_MS) == 0, "a receive ended, and nothing came");
		cancel_one(s, waits);
		await(s, waits);
		expect_nothing_lent(waits, -ECANCELED);
	}
	for (unsigned round = 0; round < 3; round++) {
		struct io_op *op = prepare_lent(s, &c, 3, LENT_BYTES);
		send_pattern(&c, 3, round, 50);
		perform(s, op);
		expect_lent(s, op, round, 50);
		hand_back(s, op->buf);
	}
	close_lending(s, &c);
}

/* At most `len_bytes`, from one byte to the whole buffer; the rest is there for the next. */
void lent_buffers_take_the_length(struct subject *s)
{
	struct connected c;
	static const uint32_t lengths[] = { 1, LENT_BYTES, 100, LENT_BYTES, 1, LENT_BYTES - 1 };
	uint64_t position = 0;
	open_lending(s, 2, &c, 1);
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		if (i % 3 == 0)
			send_pattern(&c, 0, position, lengths[i] + lengths[i + 1] + lengths[i + 2]);
		struct io_op *op = prepare_lent(s, &c, 0, lengths[i]);
		perform(s, op);
		expect_lent(s, op, position, lengths[i]);
		position += lengths[i];
		hand_back(s, op->buf);
	}
	close_lending(s, &c);
}

/* A receive with a buffer of its own is lent none, also where buffers are there. */
void lent_buffers_and_others(struct subject *s)
{
	struct connected c;
	open_lending(s, 1, &c, 2);
	send_pattern(&c, 0, 0, 80);
	struct io_op *lent = prepare_lent(s, &c, 0, LENT_BYTES);
	perform(s, lent);
	expect_lent(s, lent, 0, 80);
	for (unsigned round = 0; round < 3; round++) {
		send_pattern(&c, 1, round, 120);
		struct io_op *own = prepare_receive(s, 1, c.ends[1][0], 1);
		perform(s, own);
		expect(own->result == 120, EXPECTED("120 bytes") SAW("%s"), answer(own->result));
		expect(own->buf == buffer_of(s, 1), "a receive's own buffer was replaced");
		expect_in(own->buf, round, 120);
	}
	expect_in(lent->buf, 0, 80);
	close_lending(s, &c);
}

void lent_buffers_allocate_nothing(struct subject *s)
{
	need_lending(s);
	if (!allocations_begin || !allocations_begin())
		test_skipped("allocations are counted in the plain build");
	struct connected c;
	struct allocations at_first = allocations_so_far();
	open_lending(s, 2, &c, 2);
	struct allocations before = allocations_so_far();
	for (unsigned round = 0; round < 50; round++) {
		struct io_op *op = prepare_lent(s, &c, round % 2, LENT_BYTES);
		send_pattern(&c, round % 2, round, 64);
		perform(s, op);
		expect_lent(s, op, round, 64);
		hand_back(s, op->buf);
	}
	struct allocations after = allocations_so_far();
	close_lending(s, &c);
	struct allocations at_the_end = allocations_so_far();
	expect(after.made == before.made,
	       WHEN("after open()") EXPECTED("no call of malloc") SAW("%lu in 50 rounds"),
	       after.made - before.made);
	expect(at_the_end.live == at_first.live,
	       WHEN("after close()") EXPECTED("no memory kept") SAW("%ld blocks"),
	       at_the_end.live - at_first.live);
}

/* Whatever number is asked for: open() and supports() agree, and a refusal has its reason. */
void lent_buffers_or_a_reason(struct subject *s)
{
	static const unsigned counts[] = { 1, 2, 3, 1000, 32768, 32769, 100000 };
	need_lending(s);
	for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct engine_config config = lending_config(s, counts[i]);
		struct reason asked = { "" }, opened = { "" };
		int says = engine_lends(s->ops, &config, &asked);
		int rc = s->ops->open(&s->engine, &config, &opened);
		expect(says == rc,
		       WHEN("asked to lend %u buffers") EXPECTED("supports() and open() to agree")
			       SAW("%s and %s"),
		       counts[i], answer(says), answer(rc));
		expect(rc == 0 || (asked.text[0] && asked.id[0] && opened.text[0]),
		       WHEN("asked to lend %u buffers") EXPECTED("a reason") SAW("none"),
		       counts[i]);
		/* One is lent here, so a refusal is about how many there are. */
		expect(strcmp(asked.id, "kernel_too_old") != 0,
		       WHEN("asked to lend %u buffers") EXPECTED("the limit as the reason")
			       SAW("\"%s\""),
		       counts[i], asked.text);
		if (rc == 0)
			s->ops->close(s->engine);
	}
	s->engine = NULL;
}

/* All are lent but one that was given back: that one serves, whatever becomes of the others. */
void lent_buffer_serves_at_once(struct subject *s)
{
	enum { ROUNDS = 20 };
	struct connected c;
	struct io_op *ops[ENDS_MAX];
	open_lending(s, ENDS_MAX, &c, ENDS_MAX);
	for (unsigned i = 0; i < ENDS_MAX; i++) {
		send_pattern(&c, i, i, 40);
		ops[i] = prepare_lent(s, &c, i, LENT_BYTES);
		perform(s, ops[i]);
		expect_lent(s, ops[i], i, 40);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = round * 3 % ENDS_MAX;
		hand_back(s, ops[i]->buf);
		send_pattern(&c, i, 100 + round, 60);
		perform(s, prepare_lent(s, &c, i, LENT_BYTES));
		expect_lent(s, ops[i], 100 + round, 60);
	}
	close_lending(s, &c);
}

/*
 * There is no memory for so many of such a size, and a piece of them that is kept is kept each time. malloc(3) itself
 * may keep what it was given at first.
 */
void lent_buffers_refused_leave_nothing(struct subject *s)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	test_skipped("a sanitizer ends the program where memory is short");
#endif
	enum { AT_FIRST = 4, TIMES = 64 };
	need_lending(s);
	struct engine_config config = lending_config(s, 32768);
	config.lent_len_bytes = UINT32_MAX;
	void *volatile all = malloc((size_t)config.lent_count * config.lent_len_bytes);
	free(all);
	if (all)
		test_skipped("this machine has memory for 128 TiB of buffers");
	long before = 0;
	for (unsigned i = 0; i <= AT_FIRST + TIMES; i++) {
		struct reason why = { "" };
		s->ops->supports(&config, IO_RECV, IO_FD_SOCKET, &why);
		why = (struct reason) { "" };
		int rc = s->ops->open(&s->engine, &config, &why);
		expect(rc < 0,
		       WHEN("there is no memory for 128 TiB of buffers")
			       EXPECTED("-errno from open()") SAW("%s"),
		       answer(rc));
		if (i == AT_FIRST)
			before = pages_mapped();
	}
	s->engine = NULL;
	long more = pages_mapped() - before;
	expect(more < TIMES,
	       WHEN("%d times there was no memory for what it was to lend")
		       EXPECTED("next to no page kept") SAW("%ld pages"),
	       TIMES, more);
}
