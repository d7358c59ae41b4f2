/* SPDX-License-Identifier: MIT */
#include "run/layer_cost.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "async_operator.h"
#include "await.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/statistics.h"
#include "clock.h"
#include "meters/cpu_time.h"
#include "random.h"
#include "workloads/memory_engine.h"
#include "workloads/probe_target.h"

/* A turn takes a fraction of a millisecond, so that what disturbs one disturbs the next one, too. */
#define OPS_PER_TURN	  8192u
#define READS_PER_TURN	  512u
#define TURNS_MAX	  20000u
#define STACK_BYTES	  (32u * 1024)
#define TIMEOUT_NS	  (60 * NS_PER_S) /* of a record */
#define PROMISES_PER_LANE 4

static const struct loop_request no_op = { .kind = IO_NOP };

/* One layer over a loop of its own. */
struct layered {
	struct event_loop *loop;
	struct promise_pool *promises;
	struct task_pool *tasks;
	struct async_operator *ordered, *unordered;
	struct lane {
		struct task task; /* first: of the stackless kind */
		struct layered *layered;
		struct async_operator *operator; /* the one that it puts its records into */
		struct operator_ticket ticket;
	} * lanes;
	unsigned lane_count;
	unsigned left; /* operations of this turn that have not begun */
};

/* With a callback. */

static void on_no_op(struct event_loop *loop, void *context, int64_t result)
{
	struct lane *lane = context;
	(void)result;
	if (lane->layered->left == 0)
		return;
	lane->layered->left--;
	event_loop_start(loop, &no_op, on_no_op, lane);
}

static void begin_callback(struct lane *lane)
{
	on_no_op(lane->layered->loop, lane, 0);
}

/* With a promise. */

static struct promise_answer after_no_op(void *context, int64_t value)
{
	struct lane *lane = context;
	(void)value;
	if (lane->layered->left > 0) {
		lane->layered->left--;
		struct promise *ended = promise_operation(lane->layered->promises, &no_op);
		promise_drop(promise_and_then(ended, after_no_op, lane));
	}
	return PROMISE_VALUE(0);
}

static void begin_promise(struct lane *lane)
{
	(void)after_no_op(lane, 0);
}

/* With a task that awaits, of either kind. */

static bool stackless_no_ops(struct task *self)
{
	struct lane *lane = (struct lane *)self;
	STACKLESS_BEGIN(&self->at);
	while (lane->layered->left > 0) {
		lane->layered->left--;
		AWAIT_OPERATION(self, &no_op);
	}
	STACKLESS_END(&self->at);
}

static void begin_stackless(struct lane *lane)
{
	task_start_stackless(&lane->task, lane->layered->loop, stackless_no_ops);
}

static void stackful_no_ops(void *argument)
{
	struct lane *lane = argument;
	struct task *self = task_current();
	while (lane->layered->left > 0) {
		lane->layered->left--;
		await_operation(self, &no_op);
	}
}

static void begin_stackful(struct lane *lane)
{
	task_start(lane->layered->tasks, stackful_no_ops, lane);
}

/* With an operator: a lane is a record, which comes again when it has left. */

static void on_answer(struct event_loop *loop, void *context, int64_t result)
{
	struct lane *lane = context;
	void *results[] = { lane };
	(void)loop;
	(void)result;
	operator_complete(lane->ticket, results, 1);
}

static void ask_on_the_loop(void *context, void *record, struct operator_ticket ticket)
{
	const struct layered *layered = context;
	struct lane *lane = record;
	lane->ticket = ticket;
	event_loop_start(layered->loop, &no_op, on_answer, lane);
}

static void put_again(void *context, void *record, struct operator_results results)
{
	struct layered *layered = context;
	struct lane *lane = record;
	(void)results;
	if (layered->left == 0)
		return;
	layered->left--;
	operator_put(lane->operator, lane);
}

static void never_fails(void *context, void *record, int error)
{
	(void)context;
	(void)record;
	(void)error;
	abort(); /* a no-op has failed, or took longer than the timeout */
}

static int open_operator(struct async_operator **opened, struct layered *l, bool is_ordered,
			 struct reason *why)
{
	struct operator_config config = { .loop = l->loop,
					  .is_ordered = is_ordered,
					  .capacity = l->lane_count,
					  .timeout_ns = TIMEOUT_NS,
					  .context = l,
					  .invoke = ask_on_the_loop,
					  .emit = put_again,
					  .failed = never_fails };
	return operator_open(opened, &config, why);
}

static void begin_record(struct lane *lane, struct async_operator *operator)
{
	lane->operator= operator;
	put_again(lane->layered, lane, (struct operator_results) { NULL, 0 });
}

static void begin_ordered(struct lane *lane)
{
	begin_record(lane, lane->layered->ordered);
}

static void begin_unordered(struct lane *lane)
{
	begin_record(lane, lane->layered->unordered);
}

/* How each of layer_cost_names begins a lane; NULL: it reads, and has no loop. */
static void (*const ways[])(struct lane *lane) = {
	begin_callback,	 begin_promise, begin_stackless, begin_stackful, begin_ordered,
	begin_unordered, NULL
};
const char *const layer_cost_names[] = { "callbacks",	     "promises",
					 "await_stackless",  "await_stackful",
					 "operator_ordered", "operator_unordered",
					 CACHED_READ,	     NULL };

/* One contender: what it does in a turn, and what its turns showed. */
struct timed_layer {
	const char *name;
	void (*begin)(struct lane *lane); /* one of `ways` */
	struct layered layered;
	double *cpu_ns; /* of an operation: [TURNS_MAX] */
	unsigned turns;
	uint64_t ops;
};

struct layer_bench {
	const struct layer_cost_task *task;
	struct timed_layer layers[LAYERS_MAX];
	unsigned count;
	int file; /* -1: none */
};

static int open_layered(struct layered *l, const struct layer_cost_task *task, struct reason *why)
{
	struct event_loop_config config = { .engine = &memory_engine,
					    .depth = task->lane_count,
					    .max_fds = 1 };
	struct promise_pool_config promises = { .count = PROMISES_PER_LANE * task->lane_count };
	l->lane_count = task->lane_count;
	l->lanes = calloc(l->lane_count, sizeof *l->lanes);
	if (!l->lanes)
		return reason_no_memory(why, "the lanes");
	for (unsigned i = 0; i < l->lane_count; i++)
		l->lanes[i].layered = l;
	int rc = event_loop_open(&l->loop, &config, why);
	promises.loop = l->loop;
	if (rc == 0)
		rc = promise_pool_open(&l->promises, &promises, why);
	if (rc == 0)
		rc = task_pool_open(&l->tasks, l->loop, l->promises, l->lane_count, STACK_BYTES,
				    why);
	if (rc == 0)
		rc = open_operator(&l->ordered, l, true, why);
	if (rc == 0)
		rc = open_operator(&l->unordered, l, false, why);
	return rc;
}

static void close_layered(struct layered *l)
{
	if (l->ordered)
		operator_close(l->ordered);
	if (l->unordered)
		operator_close(l->unordered);
	if (l->tasks)
		task_pool_close(l->tasks);
	if (l->promises)
		promise_pool_close(l->promises);
	if (l->loop)
		event_loop_close(l->loop);
	free(l->lanes);
}

static int open_layers(struct layer_bench *b, struct reason *why)
{
	int rc = b->file = nameless_file(b->task->folder, CACHED_READ_BYTES, 0, why);
	for (unsigned i = 0; i < sizeof ways / sizeof *ways && rc >= 0; i++) {
		struct timed_layer *layer = &b->layers[b->count++];
		layer->name = layer_cost_names[i];
		layer->begin = ways[i];
		layer->cpu_ns = calloc(TURNS_MAX, sizeof(double));
		if (!layer->cpu_ns)
			rc = reason_no_memory(why, "the turns");
		else if (layer->begin)
			rc = open_layered(&layer->layered, b->task, why);
	}
	return rc;
}

/* Also what open_layers() left half-way. */
static void close_layers(struct layer_bench *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		close_layered(&b->layers[i].layered);
		free(b->layers[i].cpu_ns);
	}
	if (b->file >= 0)
		close(b->file);
}

/* Returns how many operations were done, or -errno. */
static int do_operations(struct layered *l, void (*begin)(struct lane *lane))
{
	l->left = OPS_PER_TURN;
	for (unsigned i = 0; i < l->lane_count; i++)
		begin(&l->lanes[i]);
	int rc = event_loop_run(l->loop, LOOP_RUN);
	return rc < 0 ? rc : (int)OPS_PER_TURN;
}

static int do_reads(int file)
{
	static char block[CACHED_READ_BYTES];
	for (unsigned i = 0; i < READS_PER_TURN; i++)
		if (pread(file, block, sizeof block, 0) != (ssize_t)sizeof block)
			return -EIO;
	return (int)READS_PER_TURN;
}

static int time_layer(const struct layer_bench *b, struct timed_layer *layer)
{
	uint64_t began_ns = thread_cpu_ns();
	int count = layer->begin ? do_operations(&layer->layered, layer->begin) : do_reads(b->file);
	if (count < 0)
		return count;
	layer->cpu_ns[layer->turns++] = (double)(thread_cpu_ns() - began_ns) / count;
	layer->ops += (uint64_t)count;
	return 0;
}

/* Rounds of turns until the time is over; the first is not counted. Returns 0 or -errno. */
static int time_layers(struct layer_bench *b)
{
	struct random_stream random = { b->task->seed };
	unsigned order[LAYERS_MAX];
	uint64_t end_ns = clock_ns() + (uint64_t)(b->task->runtime_s * NS_PER_S);
	int rc = 0;
	for (unsigned turn = 0; rc == 0 && turn < TURNS_MAX && (turn < 2 || clock_ns() < end_ns);
	     turn++) {
		random_order(&random, order, b->count);
		for (unsigned i = 0; i < b->count && rc == 0; i++)
			rc = time_layer(b, &b->layers[order[i]]);
		for (unsigned i = 0; i < b->count && turn == 0; i++)
			b->layers[i].turns = b->layers[i].ops = 0;
	}
	return rc;
}

json_t *layer_cost_run(const void *task)
{
	struct layer_bench b = { .task = task, .file = -1 };
	struct reason why = { "" };
	json_t *answer = required(json_object());
	int rc = open_layers(&b, &why);
	const char *status = rc < 0 ? "unsupported" : "ok";
	if (rc >= 0 && (rc = time_layers(&b)) < 0) {
		status = "error";
		reason_errno(&why, "result_is_error", -rc, "the operation's result");
	}
	put_string(answer, "status", status);
	if (rc < 0)
		put_new(answer, "reason", remark_of_reason(&why));
	for (unsigned i = 0; i < b.count && rc >= 0; i++) {
		struct timed_layer *layer = &b.layers[i];
		json_t *entry = required(json_object());
		put_int(entry, "ops", (int64_t)layer->ops);
		put_real(entry, "cpu_ns", estimate_median(layer->cpu_ns, layer->turns).median);
		put_new(answer, layer->name, entry);
	}
	close_layers(&b);
	return answer;
}
