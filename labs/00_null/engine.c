/* SPDX-License-Identifier: MIT */
/*
 * null: every operation is over the moment it is accepted, and no byte moves.
 *
 * It is the contract at its smallest, and the harness's own yardstick: what a run on null costs is
 * what driver, workload and measurement cost, since the engine adds next to nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "io_engine.h"
#include "op_queue.h"

struct engine {
	struct op_queue finished; /* until they are reaped */
};

static int null_supports(const struct engine_config *config, enum io_kind kind,
			 enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	if (fd_kind == IO_FD_NONE || fd_kind == IO_FD_FILE)
		return 0;
	reason_set(why, "null moves no bytes, so a peer would wait for ever for an answer");
	return -EOPNOTSUPP;
}

static int null_open(struct engine **engine, const struct engine_config *config, struct reason *why)
{
	(void)config;
	struct engine *e = malloc(sizeof *e);
	if (!e)
		return reason_errno(why, ENOMEM, "null engine");
	op_queue_init(&e->finished);
	*engine = e;
	return 0;
}

static int null_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		ops[i]->result = ops[i]->len_bytes;
		op_queue_push(&e->finished, ops[i]);
	}
	return (int)count;
}

/* Nothing to wait for: what was accepted is finished, so `min` is always met. */
static int null_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	return (int)op_queue_take(&e->finished, done, max);
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
	.traits = IO_MOVES_NO_BYTES,
	.supports = null_supports,
	.open = null_open,
	.submit = null_submit,
	.reap = null_reap,
	.cancel = null_cancel,
	.close = null_close,
};

IO_ENGINE(null_engine);
