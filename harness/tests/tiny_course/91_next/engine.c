/* SPDX-License-Identifier: MIT */
/* The null engine in short: finished operations wait in a list. */
#include <stdlib.h>

#include "io_engine.h"
#include "op_queue.h"

struct engine {
	struct op_queue finished;
};

static int tiny_supports(const struct engine_config *config, enum io_kind kind,
			 enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	(void)fd_kind;
	(void)why;
	return 0;
}

static int tiny_open(struct engine **engine, const struct engine_config *config, struct reason *why)
{
	(void)config;
	(void)why;
	*engine = malloc(sizeof **engine);
	op_queue_init(&(*engine)->finished);
	return 0;
}

static int tiny_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		//> 2 The result is the length.
		//+ ops[i]->result = 0;
		ops[i]->result = ops[i]->len_bytes;
		//< 2
		op_queue_push(&e->finished, ops[i]);
	}
	return (int)count;
}

static int tiny_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	//> 1 Take what is finished.
	//+ (void)e;
	//+ (void)done;
	//+ (void)max;
	//+ return -38;
	return (int)op_queue_take(&e->finished, done, max);
	//< 1
}

static void tiny_cancel(struct engine *e)
{
	(void)e;
}

static void tiny_close(struct engine *e)
{
	free(e);
}

static const struct engine_ops tiny_engine = {
	.name = IO_ENGINE_NAME("null"),
	.summary = "for the course's own tests",
	.lab = IO_ENGINE_LAB,
	.traits = IO_MOVES_NO_BYTES,
	.supports = tiny_supports,
	.open = tiny_open,
	.submit = tiny_submit,
	.reap = tiny_reap,
	.cancel = tiny_cancel,
	.close = tiny_close,
};

IO_ENGINE(tiny_engine);
