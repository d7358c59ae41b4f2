/* SPDX-License-Identifier: MIT */
/*
 * blocking: one plain system call per operation, made inside submit().
 *
 * The thread that asks is the thread that waits: while the kernel fetches the data, it sleeps, and
 * whatever else there was to do waits behind it. On a socket that is head-of-line blocking: one
 * silent peer holds up every other. Nothing is ever "in flight" once submit() has returned.
 */
#include <errno.h>
#include <stdlib.h>

#include "io_engine.h"
#include "op_syscall.h"

struct engine {
	struct io_op
		*finished; /* the operation that submit() has performed and reap() will return */
};

static int blocking_supports(const struct engine_config *config, enum io_kind kind,
			     enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)fd_kind;
	if (kind != IO_NOP)
		return 0;
	reason_set(why, "there is no system call that does nothing; blocking has only real ones");
	return -EOPNOTSUPP;
}

static int blocking_open(struct engine **engine, const struct engine_config *config,
			 struct reason *why)
{
	(void)config;
	struct engine *e = malloc(sizeof *e);
	if (!e)
		return reason_errno(why, ENOMEM, "blocking engine");
	e->finished = NULL;
	*engine = e;
	return 0;
}

/*
 * Accepts one operation at a time and performs it here and now. The driver reaps it before it
 * offers the next, so each latency is that of one call and not of a batch.
 */
static int blocking_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	(void)count;
	if (e->finished)
		return 0;
	ops[0]->result = op_syscall(ops[0], 0);
	e->finished = ops[0];
	return 1;
}

static int blocking_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			 int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	if (!e->finished || max == 0)
		return 0;
	done[0] = e->finished;
	e->finished = NULL;
	return 1;
}

static void blocking_cancel(struct engine *e)
{
	(void)e; /* submit() returned, so the call is over */
}

static void blocking_close(struct engine *e)
{
	free(e);
}

static const struct engine_ops blocking_engine = {
	.name = "blocking",
	.summary = "one plain system call at a time, inside submit",
	.lab = IO_ENGINE_LAB,
	.traits = IO_BLOCKS_IN_SUBMIT,
	.supports = blocking_supports,
	.open = blocking_open,
	.submit = blocking_submit,
	.reap = blocking_reap,
	.cancel = blocking_cancel,
	.close = blocking_close,
};

IO_ENGINE(blocking_engine);
