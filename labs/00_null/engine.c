/* SPDX-License-Identifier: MIT */
/*
 * null: every operation is over the moment it is accepted, and no byte moves.
 *
 * It is the smallest engine that keeps the contract. It also measures the harness: the engine adds
 * next to nothing, so a run on null costs what driver, workload and measurement cost. The kernel is
 * never asked for anything. One duty of an engine is left: to keep what it accepted until it is
 * reaped.
 */
#include <errno.h>
#include <stdlib.h>

#include "io_engine.h"
#include "op_queue.h"

struct engine {
	struct op_queue finished; /* until they are reaped */
	unsigned capacity; /* most operations that it holds at once */
};

/* Bits of engine_config.options, in the order of null_options. */
enum { NARROW = 1u << 0 };

static const struct engine_option null_options[] = {
	{ "narrow", "holds at most half of the depth, to show back-pressure" },
	{ NULL, NULL },
};

static int null_supports(const struct engine_config *config, enum io_kind kind,
			 enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	//> 4 Say before the run what cannot be done. Nobody notices that a file's bytes were
	//> never moved. But a socket or a pipe has a peer, and the peer would wait for ever for an
	//> answer. Without a peer (IO_FD_NONE, IO_FD_FILE) return 0. Refuse the rest:
	//> -EOPNOTSUPP, with a reason by reason_set(why, "moves_no_bytes", "...").
	//+ (void)fd_kind;
	//+ (void)why;
	//+ return 0;
	if (fd_kind == IO_FD_NONE || fd_kind == IO_FD_FILE)
		return 0;
	reason_set(why, "moves_no_bytes",
		   "null moves no bytes, so the other end would wait for ever");
	return -EOPNOTSUPP;
	//< 4
}

static int null_open(struct engine **engine, const struct engine_config *config, struct reason *why)
{
	struct engine *e = malloc(sizeof *e);
	if (!e)
		return reason_no_memory(why, "the null engine");
	op_queue_init(&e->finished);
	e->capacity = config->depth;
	//> 2 With the option NARROW it holds only half of the depth, rounded up: an engine that
	//> holds nothing must accept at least one operation, or nothing would ever move.
	if (config->options & NARROW)
		e->capacity = (config->depth + 1) / 2;
	//< 2
	*engine = e;
	return 0;
}

/* The result of an operation that is over. */
static int64_t result_of(const struct io_op *op)
{
	//> 3 What a result says depends on the kind. For a READ or WRITE it is len_bytes. For a
	//> sync or a no-op it is 0, even if len_bytes is not. Any other kind is one that this engine
	//> cannot perform, and -EOPNOTSUPP says so. That is the operation's own failure: it is
	//> reaped like a success, and submit() returns no error for it.
	//+ return op->len_bytes;
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
	//< 3
}

static int null_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	//> 2 Back-pressure: accept no more than there is room for, from the front of what is
	//> offered. Held is what was accepted and not yet reaped. A full engine accepts 0, which
	//> is no error: the driver reaps and offers the rest again.
	//+ unsigned accepted = count;
	unsigned room = e->capacity - e->finished.count;
	unsigned accepted = count < room ? count : room;
	//< 2
	//> 1 Each operation here is over at once, but nobody may see it before reap() returns it:
	//> keep it in e->finished (common/op_queue.h) until then, and return how many you
	//> accepted.
	//+ for (unsigned i = 0; i < accepted; i++)
	//+ 	ops[i]->result = result_of(ops[i]);
	//+ (void)e;
	//+ return -ENOSYS;
	for (unsigned i = 0; i < accepted; i++) {
		ops[i]->result = result_of(ops[i]);
		op_queue_push(&e->finished, ops[i]);
	}
	return (int)accepted;
	//< 1
}

/* Nothing to wait for: what was accepted is finished, so `min` is always met. */
static int null_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	//> 1 Store up to `max` of the kept operations in `done` and return how many those are.
	//> What does not fit is kept for the next call; what was handed out is never handed out
	//> again.
	//+ (void)e;
	//+ (void)done;
	//+ (void)max;
	//+ return -ENOSYS;
	return (int)op_queue_take(&e->finished, done, max);
	//< 1
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
