/* SPDX-License-Identifier: MIT */
/*
 * null, with a ring: an array of as many pointers as may be held, and two counters that only grow.
 * The room is what the array has left.
 */
#include <errno.h>
#include <stdlib.h>

#include "io_engine.h"

struct engine {
	unsigned capacity; /* most operations that it holds at once */
	uint64_t head, tail; /* how many were ever reaped, and accepted */
	struct io_op *slots[];
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
	unsigned capacity = config->depth;
	if (config->options & NARROW)
		capacity = (config->depth + 1) / 2;
	struct engine *e = calloc(1, sizeof *e + capacity * sizeof(struct io_op *));
	if (!e)
		return reason_no_memory(why, "the null engine");
	e->capacity = capacity;
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
	unsigned room = e->capacity - (unsigned)(e->tail - e->head);
	unsigned accepted = count < room ? count : room;
	for (unsigned i = 0; i < accepted; i++) {
		ops[i]->result = result_of(ops[i]);
		e->slots[e->tail++ % e->capacity] = ops[i];
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
	while (n < max && e->head != e->tail)
		done[n++] = e->slots[e->head++ % e->capacity];
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
