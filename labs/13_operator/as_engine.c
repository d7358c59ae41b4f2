/* SPDX-License-Identifier: MIT */
/*
 * The operator as an engine, for `make measure`: each no-op is a record, which goes through the operator
 * over the event loop over epoll. Its question is answered at once, or, with `slow`, by a timer: after
 * times that vary as those of a service do.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "async_operator.h"
#include "clock.h"
#include "engines.h"
#include "op_queue.h"

#define ANSWER_NS (2 * NS_PER_MS) /* in the mean */

enum { ORDERED, SLOW, SYNCHRONOUS };

/* A record, by the slot of its operation. */
struct question {
	struct engine *engine;
	struct io_op *op;
	struct operator_ticket ticket;
	struct loop_timer answer;
};

struct engine {
	struct event_loop *loop;
	struct async_operator *operator;
	struct question *questions;
	struct op_queue finished;
	struct loop_timer limit;
	bool is_late, is_slow;
	unsigned seed;
	int error;
};

static int operator_supports(const struct engine_config *config, enum io_kind kind,
			     enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)fd_kind;
	if (kind == IO_NOP)
		return 0;
	return reason_errno(why, "records_are_no_io", EOPNOTSUPP,
			    "as an engine the operator has records without I/O");
}

static void on_limit(struct event_loop *loop, void *context)
{
	(void)loop;
	((struct engine *)context)->is_late = true;
}

static void on_answer(struct event_loop *loop, void *context)
{
	struct question *question = context;
	(void)loop;
	operator_complete(question->ticket, NULL, 0);
}

/* Exponential: most answers come soon, and a few take several times the mean. */
static int64_t next_answer_ns(struct engine *e)
{
	double uniform = (rand_r(&e->seed) + 1.0) / (RAND_MAX + 1.0);
	return (int64_t)(-log(uniform) * (double)ANSWER_NS);
}

static void invoke(void *context, void *record, struct operator_ticket ticket)
{
	struct engine *e = context;
	struct question *question = record;
	question->ticket = ticket;
	if (e->is_slow)
		event_loop_timer_start(e->loop, &question->answer, next_answer_ns(e), 0);
	else
		operator_complete(ticket, NULL, 0);
}

static void emit(void *context, void *record, struct operator_results results)
{
	const struct question *question = record;
	(void)results;
	op_queue_finish(&((struct engine *)context)->finished, question->op, 0);
}

static void failed(void *context, void *record, int error)
{
	(void)record;
	((struct engine *)context)->error = error;
}

static void release(struct engine *e)
{
	if (e->operator)
		operator_close(e->operator);
	if (e->loop)
		event_loop_close(e->loop);
	free(e->questions);
	free(e);
}

static int operator_engine_open(struct engine **engine, const struct engine_config *config,
				struct reason *why)
{
	struct event_loop_config loop_config = { .engine = engine_find("epoll"),
						 .depth = 1,
						 .max_fds = 1 };
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the engine");
	e->seed = 13;
	e->is_slow = config->options & 1u << SLOW;
	e->limit = (struct loop_timer) { .call = on_limit, .context = e };
	e->questions = calloc(config->depth, sizeof *e->questions);
	op_queue_init(&e->finished);
	int rc = e->questions ? event_loop_open(&e->loop, &loop_config, why)
			      : reason_no_memory(why, "the engine");
	if (rc == 0) {
		struct operator_config operator_config = {
			.loop = e->loop,
			.is_ordered = config->options & 1u << ORDERED,
			.capacity = config->options & 1u << SYNCHRONOUS ? 1 : config->depth,
			.context = e,
			.invoke = invoke,
			.emit = emit,
			.failed = failed,
		};
		rc = operator_open(&e->operator, & operator_config, why);
	}
	if (rc < 0) {
		release(e);
		return rc;
	}
	*engine = e;
	return 0;
}

static int operator_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	unsigned taken = 0;
	event_loop_update_now(e->loop);
	while (taken < count) {
		struct io_op *op = ops[taken];
		struct question *question = &e->questions[op->slot];
		question->engine = e;
		question->op = op;
		question->answer.call = on_answer;
		question->answer.context = question;
		if (operator_put(e->operator, question) < 0)
			break; /* full: the rest comes again */
		taken++;
	}
	return (int)taken;
}

static int operator_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
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
	while (rc >= 0 && may_wait && e->finished.count < min && !e->is_late && !e->error);
	event_loop_timer_stop(e->loop, &e->limit);
	rc = rc < 0 ? rc : e->error;
	return rc < 0 ? rc : (int)op_queue_take(&e->finished, done, max);
}

/* Every answer comes soon. */
static void operator_cancel(struct engine *e)
{
	(void)e;
}

static const struct engine_option options[] = {
	[ORDERED] = { .name = "ordered", .summary = "results in the order of the records" },
	[SLOW] = { .name = "slow", .summary = "answers take 2 ms in the mean" },
	[SYNCHRONOUS] = { .name = "synchronous", .summary = "one record at a time" },
	{ .name = NULL },
};

static const struct engine_ops operator_engine = {
	.name = IO_ENGINE_NAME("operator"),
	.summary = "an asynchronous operator: no-ops are records",
	.lab = IO_ENGINE_LAB,
	.options = options,
	.supports = operator_supports,
	.open = operator_engine_open,
	.submit = operator_submit,
	.reap = operator_reap,
	.cancel = operator_cancel,
	.close = release,
};

IO_ENGINE(operator_engine);
