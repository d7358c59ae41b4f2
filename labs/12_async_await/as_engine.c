/* SPDX-License-Identifier: MIT */
/*
 * What callbacks, promises and await add to an operation, as engines, for `make measure`. Each
 * operation goes through an event loop over the engine null, where it ends at once. So what is left is
 * the cost of the way there and back: by a callback, a promise with a then(), a task with a stack, a
 * task without one. A task belongs to each of the driver's operations, and awaits it again and again.
 */
#include <stdlib.h>

#include "await.h"
#include "engines.h"
#include "op_queue.h"

enum { BY_CALLBACK, BY_PROMISE, STACKLESS, NOT_INLINED };

#define STACK_BYTES 16384

struct engine {
	struct event_loop *loop;
	struct promise_pool *promises; /* NULL unless the way is by promises */
	struct task_pool *tasks;
	unsigned depth;
	struct asked *asked; /* by the operation's slot */
	struct op_queue finished;
	bool is_closing;
	bool (*ask)(struct asked *asked); /* false: no room */
};

/* An operation, and whoever waits for it. */
struct asked {
	struct task without_stack; /* first */
	struct engine *engine;
	struct io_op *op;
	struct loop_request request;
	struct task *task;
};

static void finish(struct asked *asked, int64_t result)
{
	op_queue_finish(&asked->engine->finished, asked->op, result);
}

/* By callbacks. */

static void on_done(struct event_loop *loop, void *context, int64_t result)
{
	(void)loop;
	finish(context, result);
}

static bool ask_by_callback(struct asked *asked)
{
	return event_loop_start(asked->engine->loop, &asked->request, on_done, asked);
}

/* By promises. */

static struct promise_answer on_end(void *context, int64_t value)
{
	finish(context, value);
	return PROMISE_VALUE(0);
}

static bool ask_by_promise(struct asked *asked)
{
	struct promise *end = promise_operation(asked->engine->promises, &asked->request);
	struct promise *then = promise_and_then(end, on_end, asked);
	promise_drop(then);
	return then;
}

/* By tasks. Between two operations a task is suspended, and the next one lets it go on. */

static void await_each(void *context)
{
	struct asked *asked = context;
	struct task *self = task_current();
	for (;;) {
		coroutine_suspend(self->coroutine);
		if (asked->engine->is_closing)
			return;
		finish(asked, await_operation(self, &asked->request));
	}
}

static __attribute__((noinline)) int64_t await_in_a_function(struct task *self,
							     const struct loop_request *request)
{
	return await_operation(self, request);
}

/* The same, but for one call between the task and its way out. */
static void await_each_in_a_function(void *context)
{
	struct asked *asked = context;
	struct task *self = task_current();
	for (;;) {
		coroutine_suspend(self->coroutine);
		if (asked->engine->is_closing)
			return;
		finish(asked, await_in_a_function(self, &asked->request));
	}
}

static bool await_each_stackless(struct task *self)
{
	struct asked *asked = (struct asked *)self;
	STACKLESS_BEGIN(&self->at);
	for (;;) {
		STACKLESS_SUSPEND(&self->at);
		if (asked->engine->is_closing)
			break;
		AWAIT_OPERATION(self, &asked->request);
		finish(asked, self->result);
	}
	STACKLESS_END(&self->at);
}

static bool ask_by_task(struct asked *asked)
{
	task_go_on(asked->engine->loop, asked->task, 0);
	return true;
}

static bool has(uint64_t options, unsigned option)
{
	return options & UINT64_C(1) << option;
}

/* Each of them runs to its first suspension. */
static int start_tasks(struct engine *e, uint64_t options)
{
	for (unsigned i = 0; i < e->depth; i++) {
		struct asked *asked = &e->asked[i];
		asked->task = &asked->without_stack;
		if (has(options, STACKLESS))
			task_start_stackless(asked->task, e->loop, await_each_stackless);
		else
			asked->task = task_start(
				e->tasks,
				has(options, NOT_INLINED) ? await_each_in_a_function : await_each,
				asked);
	}
	int rc = event_loop_run(e->loop, LOOP_POLL);
	return rc < 0 ? rc : 0;
}

static int open_way(struct engine *e, uint64_t options, struct reason *why)
{
	struct promise_pool_config promises = { .loop = e->loop, .count = 2 * e->depth };
	e->ask = has(options, BY_CALLBACK)  ? ask_by_callback
		 : has(options, BY_PROMISE) ? ask_by_promise
					    : ask_by_task;
	if (has(options, BY_CALLBACK))
		return 0;
	if (has(options, BY_PROMISE))
		return promise_pool_open(&e->promises, &promises, why);
	int rc = has(options, STACKLESS)
			 ? 0
			 : task_pool_open(&e->tasks, e->loop, NULL, e->depth, STACK_BYTES, why);
	return rc < 0 ? rc : start_tasks(e, options);
}

static const struct engine_ops *below(void)
{
	return engine_find("null");
}

static int await_supports(const struct engine_config *config, enum io_kind kind,
			  enum io_fd_kind fd_kind, struct reason *why)
{
	struct engine_config plain = *config;
	plain.options = 0;
	return below()->supports(&plain, kind, fd_kind, why);
}

static void await_close(struct engine *e)
{
	e->is_closing = true;
	for (unsigned i = 0; e->asked && i < e->depth; i++)
		if (e->asked[i].task)
			task_go_on(e->loop, e->asked[i].task, 0); /* to its end */
	if (e->tasks)
		task_pool_close(e->tasks);
	if (e->promises)
		promise_pool_close(e->promises);
	if (e->loop)
		event_loop_close(e->loop);
	free(e->asked);
	free(e);
}

static int await_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	struct event_loop_config loop_config = { .engine = below(), .depth = config->depth };
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the engine");
	e->depth = config->depth;
	op_queue_init(&e->finished);
	e->asked = calloc(config->depth, sizeof *e->asked);
	int rc = e->asked ? event_loop_open(&e->loop, &loop_config, why)
			  : reason_no_memory(why, "the engine");
	for (unsigned i = 0; rc == 0 && i < config->depth; i++)
		e->asked[i].engine = e;
	if (rc == 0)
		rc = open_way(e, config->options, why);
	if (rc < 0) {
		await_close(e);
		return rc;
	}
	*engine = e;
	return 0;
}

static int await_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			struct reason *why)
{
	(void)e;
	(void)fd_slot;
	(void)fd;
	(void)fd_kind;
	return reason_errno(why, "no_ops_only", EOPNOTSUPP, "it performs no-ops only");
}

static void await_detach(struct engine *e, unsigned fd_slot)
{
	(void)e;
	(void)fd_slot;
}

static int await_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	unsigned taken = 0;
	for (; taken < count; taken++) {
		struct asked *asked = &e->asked[ops[taken]->slot];
		asked->op = ops[taken];
		asked->request = (struct loop_request) { .kind = ops[taken]->kind };
		if (!e->ask(asked))
			break;
	}
	return (int)taken;
}

/* An operation of null has ended by the second turn. */
static int await_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	int rc = 1;
	(void)timeout_ns;
	do
		rc = event_loop_run(e->loop, LOOP_POLL);
	while (rc > 0 && e->finished.count < min);
	return rc < 0 ? rc : (int)op_queue_take(&e->finished, done, max);
}

static void await_cancel(struct engine *e)
{
	(void)e; /* nothing waits */
}

static const struct engine_option options[] = {
	[BY_CALLBACK] = { .name = "callback", .summary = "a callback, without await" },
	[BY_PROMISE] = { .name = "promise", .summary = "a promise and a then(), without await" },
	[STACKLESS] = { .name = "stackless", .summary = "tasks without a stack" },
	[NOT_INLINED] = { .name = "not_inlined", .summary = "each await in a function of its own" },
	{ .name = NULL },
};

static const struct engine_ops async_await_engine = {
	.name = IO_ENGINE_NAME("async_await"),
	.summary = "tasks that await, over the engine null",
	.lab = IO_ENGINE_LAB,
	.traits = IO_MOVES_NO_BYTES,
	.options = options,
	.supports = await_supports,
	.open = await_open,
	.attach = await_attach,
	.detach = await_detach,
	.submit = await_submit,
	.reap = await_reap,
	.cancel = await_cancel,
	.close = await_close,
};

IO_ENGINE(async_await_engine);
