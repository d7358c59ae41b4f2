/* SPDX-License-Identifier: MIT */
/*
 * null, the other way round: submit() only notes what it accepts, at most three at a time, and
 * reap() performs it, the last first. The contract promises no order, and lets submit() put work
 * off.
 */
#include <errno.h>
#include <stdlib.h>

#include "io_engine.h"

#define ACCEPTED_AT_ONCE 3

struct engine {
	struct io_op *top; /* what was accepted, the last first */
	unsigned held;
	unsigned capacity; /* most operations that it holds at once */
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
	struct engine *e = malloc(sizeof *e);
	if (!e)
		return reason_no_memory(why, "the null engine");
	e->top = NULL;
	e->held = 0;
	e->capacity = config->depth;
	if (config->options & NARROW)
		e->capacity = (config->depth + 1) / 2;
	*engine = e;
	return 0;
}

/* The result of an operation that is over. */
static int64_t result_of(const struct io_op *op)
{
	switch ((enum io_kind)op->kind) {
	case IO_READ:
	case IO_WRITE:
		return op->len_bytes;
	case IO_NOP:
	case IO_FSYNC:
	case IO_FDATASYNC:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int null_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	unsigned accepted = 0;
	while (accepted < count && accepted < ACCEPTED_AT_ONCE && e->held < e->capacity) {
		struct io_op *op = ops[accepted++];
		op->next = e->top;
		e->top = op;
		e->held++;
	}
	return (int)accepted;
}

/* Nothing to wait for: what is held can be performed now, so `min` is always met. */
static int null_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	unsigned n = 0;
	for (; n < max && e->top; n++) {
		struct io_op *op = e->top;
		e->top = op->next;
		e->held--;
		op->result = result_of(op);
		done[n] = op;
	}
	return (int)n;
}

static void null_cancel(struct engine *e)
{
	(void)e; /* what is held needs nobody else to finish */
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
