/* SPDX-License-Identifier: MIT */
/*
 * The event loop as an engine, for `make measure`: each operation goes through the loop to the engine
 * below, and its callback puts it among what reap() hands out. So the loop is compared as an engine
 * is, and the difference to the engine below is what the loop costs.
 */
#include <stdlib.h>

#include "engines.h"
#include "event_loop.h"
#include "op_queue.h"

enum { OVER_IO_URING };

/* An operation that the loop has. */
struct asked {
	struct engine *engine;
	struct io_op *op;
	struct loop_op *handle; /* NULL once it has ended */
};

struct engine {
	struct event_loop *loop;
	unsigned depth;
	struct asked *asked; /* by the operation's slot */
	int *fd_slots; /* the loop's, by ours */
	struct op_queue finished;
	struct loop_timer limit;
	bool is_late;
};

static const struct engine_ops *below(uint64_t options)
{
	return engine_find(options & 1u << OVER_IO_URING ? "io_uring" : "epoll");
}

static int loop_supports(const struct engine_config *config, enum io_kind kind,
			 enum io_fd_kind fd_kind, struct reason *why)
{
	struct engine_config plain = *config;
	plain.options = 0;
	return below(config->options)->supports(&plain, kind, fd_kind, why);
}

static void on_limit(struct event_loop *loop, void *context)
{
	(void)loop;
	((struct engine *)context)->is_late = true;
}

static void release(struct engine *e)
{
	free(e->asked);
	free(e->fd_slots);
	free(e);
}

static int loop_open(struct engine **engine, const struct engine_config *config, struct reason *why)
{
	struct event_loop_config loop_config = {
		.engine = below(config->options),
		.depth = config->depth,
		.max_fds = config->max_fds,
	};
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the engine");
	e->depth = config->depth;
	e->asked = calloc(config->depth, sizeof *e->asked);
	e->fd_slots = calloc(config->max_fds + 1, sizeof *e->fd_slots);
	e->limit = (struct loop_timer) { .call = on_limit, .context = e };
	op_queue_init(&e->finished);
	int rc = e->asked && e->fd_slots ? event_loop_open(&e->loop, &loop_config, why)
					 : reason_no_memory(why, "the engine");
	if (rc < 0) {
		release(e);
		return rc;
	}
	*engine = e;
	return 0;
}

static int loop_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
		       struct reason *why)
{
	int rc = event_loop_attach(e->loop, fd, fd_kind, why);
	e->fd_slots[fd_slot] = rc;
	return rc < 0 ? rc : 0;
}

static void loop_detach(struct engine *e, unsigned fd_slot)
{
	event_loop_detach(e->loop, (unsigned)e->fd_slots[fd_slot]);
}

static void on_done(struct event_loop *loop, void *context, int64_t result)
{
	struct asked *asked = context;
	(void)loop;
	asked->handle = NULL;
	op_queue_finish(&asked->engine->finished, asked->op, result);
}

static int loop_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	unsigned taken = 0;
	while (taken < count) {
		struct io_op *op = ops[taken];
		struct asked *asked = &e->asked[op->slot];
		struct loop_request request = {
			.kind = op->kind,
			.fd_slot = op->kind == IO_NOP ? 0 : (unsigned)e->fd_slots[op->fd_slot],
			.buf = op->buf,
			.len_bytes = op->len_bytes,
			.offset = op->offset,
		};
		*asked = (struct asked) { .engine = e, .op = op };
		asked->handle = event_loop_start(e->loop, &request, on_done, asked);
		if (!asked->handle)
			break;
		taken++;
	}
	return (int)taken;
}

static int loop_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	bool may_wait = e->finished.count < min && timeout_ns != 0;
	int rc = 0;
	e->is_late = false;
	if (may_wait && timeout_ns > 0) {
		event_loop_update_now(e->loop);
		rc = event_loop_timer_start(e->loop, &e->limit, timeout_ns, 0);
	}
	do
		rc = rc < 0 ? rc : event_loop_run(e->loop, may_wait ? LOOP_ONCE : LOOP_POLL);
	while (rc >= 0 && may_wait && e->finished.count < min && !e->is_late);
	event_loop_timer_stop(e->loop, &e->limit);
	return rc < 0 ? rc : (int)op_queue_take(&e->finished, done, max);
}

static void loop_cancel(struct engine *e)
{
	for (unsigned i = 0; i < e->depth; i++)
		if (e->asked[i].handle)
			event_loop_cancel(e->loop, e->asked[i].handle);
}

static void loop_close(struct engine *e)
{
	event_loop_close(e->loop);
	release(e);
}

static const struct engine_option options[] = {
	[OVER_IO_URING] = { .name = "io_uring", .summary = "over io_uring in place of epoll" },
	{ .name = NULL },
};

static const struct engine_ops event_loop_engine = {
	.name = IO_ENGINE_NAME("event_loop"),
	.summary = "an event loop with callbacks, over epoll",
	.lab = IO_ENGINE_LAB,
	.options = options,
	.supports = loop_supports,
	.open = loop_open,
	.attach = loop_attach,
	.detach = loop_detach,
	.submit = loop_submit,
	.reap = loop_reap,
	.cancel = loop_cancel,
	.close = loop_close,
};

IO_ENGINE(event_loop_engine);
