/* SPDX-License-Identifier: MIT */
/*
 * null, with two stacks: submit() puts an operation on the one, reap() takes it from the other, and
 * turns the first over when the second is empty. So the oldest comes out first, without an end to
 * append to. The results are made in a table, by kind.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "io_engine.h"

struct engine {
	struct io_op *in, *out; /* accepted, the last first; to be reaped, the first first */
	unsigned held, capacity;
};

/* Bits of engine_config.options, in the order of null_options. */
enum { NARROW = 1u << 0 };

static const struct engine_option null_options[] = {
	{ "narrow", "holds half of the depth at most: back-pressure to look at" },
	{ NULL, NULL },
};

static int null_supports(const struct engine_config *config, enum io_kind kind,
			 enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	if (fd_kind == IO_FD_NONE || fd_kind == IO_FD_FILE)
		return 0;
	reason_set(why, "moves_no_bytes",
		   "null moves no bytes, so the other end would wait for ever");
	return -EOPNOTSUPP;
}

static int null_open(struct engine **engine, const struct engine_config *config, struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the null engine");
	bool narrow = config->options & NARROW;
	e->capacity = config->depth - (narrow ? config->depth / 2 : 0);
	*engine = e;
	return 0;
}

static const struct {
	bool known, whole;
} results[IO_KIND_COUNT] = {
	[IO_READ] = { true, true },   [IO_WRITE] = { true, true },	[IO_NOP] = { true, false },
	[IO_FSYNC] = { true, false }, [IO_FDATASYNC] = { true, false },
};

static void push(struct io_op **stack, struct io_op *op)
{
	op->next = *stack;
	*stack = op;
}

static struct io_op *pop(struct io_op **stack)
{
	struct io_op *op = *stack;
	*stack = op->next;
	return op;
}

static int null_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	unsigned accepted = 0;
	for (; accepted < count && e->held < e->capacity; accepted++, e->held++) {
		struct io_op *op = ops[accepted];
		if (op->kind >= IO_KIND_COUNT || !results[op->kind].known)
			op->result = -EOPNOTSUPP;
		else
			op->result = results[op->kind].whole ? op->len_bytes : 0;
		push(&e->in, op);
	}
	return (int)accepted;
}

/* Nothing to wait for: what was accepted is finished, so `min` is always met. */
static int null_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	unsigned n = 0;
	for (; n < max && e->held > 0; e->held--) {
		if (!e->out)
			while (e->in)
				push(&e->out, pop(&e->in));
		done[n++] = pop(&e->out);
	}
	return (int)n;
}

static void null_cancel(struct engine *e)
{
	(void)e; /* everything accepted is already finished */
}

static void null_close(struct engine *e)
{
	free(e);
}

static const struct engine_ops null_engine = {
	.name = IO_ENGINE_NAME("null"),
	.summary = "completes at once, moves no bytes: measures the harness itself",
	.lab = IO_ENGINE_LAB,
	.options = null_options,
	.traits = IO_MOVES_NO_BYTES,
	.supports = null_supports,
	.open = null_open,
	.submit = null_submit,
	.reap = null_reap,
	.cancel = null_cancel,
	.close = null_close,
};

IO_ENGINE(null_engine);
