/* SPDX-License-Identifier: MIT */
/*
 * NEWLAB: TODO what it asks of the kernel, and what is worth knowing of that.
 */
#include <errno.h>
#include <stdlib.h>

#include "io_engine.h"
#include "op_queue.h"

struct engine {
	struct op_queue finished; /* until they are reaped */
};

/* TODO: ask the kernel. So far there are only no-ops, which need none. */
static int NEWLAB_supports(const struct engine_config *config, enum io_kind kind,
			   enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)fd_kind;
	if (kind == IO_NOP)
		return 0;
	reason_set(why, "only_noops", "this engine performs no-ops only");
	return -EOPNOTSUPP;
}

static int NEWLAB_open(struct engine **engine, const struct engine_config *config,
		       struct reason *why)
{
	(void)config;
	struct engine *e = malloc(sizeof *e);
	if (!e)
		return reason_no_memory(why, "the NEWLAB engine");
	op_queue_init(&e->finished);
	*engine = e;
	return 0;
}

static int NEWLAB_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	//> 1 TODO: say what to write here, and which calls the kernel offers for it.
	//+ (void)e;
	//+ (void)ops;
	//+ (void)count;
	//+ return -ENOSYS;
	for (unsigned i = 0; i < count; i++) {
		ops[i]->result = 0;
		op_queue_push(&e->finished, ops[i]);
	}
	return (int)count;
	//< 1
}

static int NEWLAB_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		       int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	return (int)op_queue_take(&e->finished, done, max);
}

static void NEWLAB_cancel(struct engine *e)
{
	(void)e;
}

static void NEWLAB_close(struct engine *e)
{
	free(e);
}

static const struct engine_ops NEWLAB_engine = {
	.name = IO_ENGINE_NAME("NEWLAB"),
	.summary = "TODO: in one line, as `iolab list` shows it",
	.lab = IO_ENGINE_LAB,
	.supports = NEWLAB_supports,
	.open = NEWLAB_open,
	.submit = NEWLAB_submit,
	.reap = NEWLAB_reap,
	.cancel = NEWLAB_cancel,
	.close = NEWLAB_close,
};

IO_ENGINE(NEWLAB_engine);
