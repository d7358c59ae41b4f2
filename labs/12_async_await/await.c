/* SPDX-License-Identifier: MIT */
/* Tasks: coroutines that an event loop resumes. */
#include "await.h"

#include <assert.h>
#include <stdlib.h>

struct task_pool {
	struct event_loop *loop;
	struct promise_pool *promises;
	struct coroutine_pool *coroutines;
	struct task *all, *free;
};

static __thread struct task *current;

int task_pool_open(struct task_pool **opened, struct event_loop *loop,
		   struct promise_pool *promises, unsigned count, size_t stack_len_bytes,
		   struct reason *why)
{
	struct task_pool *pool = calloc(1, sizeof *pool);
	if (!pool)
		return reason_no_memory(why, "tasks");
	pool->loop = loop;
	pool->promises = promises;
	pool->all = calloc(count, sizeof *pool->all);
	int rc = pool->all ? coroutine_pool_open(&pool->coroutines, count, stack_len_bytes, why)
			   : reason_no_memory(why, "tasks");
	if (rc < 0) {
		free(pool->all);
		free(pool);
		return rc;
	}
	for (unsigned i = count; i-- > 0;) {
		pool->all[i].next = pool->free;
		pool->free = &pool->all[i];
	}
	*opened = pool;
	return 0;
}

void task_pool_close(struct task_pool *pool)
{
	coroutine_pool_close(pool->coroutines);
	free(pool->all);
	free(pool);
}

struct task *task_current(void)
{
	return current;
}

/* Resumes it; when it has ended, it is free. */
static void go_on(struct task *task)
{
	struct task *before = current;
	current = task;
	bool goes_on = coroutine_resume(task->coroutine);
	current = before;
	if (goes_on)
		return;
	struct promise *ended = task->ended;
	task->coroutine = NULL;
	task->next = task->pool->free;
	task->pool->free = task;
	if (ended) {
		promise_fulfil(ended, 0);
		promise_drop(ended);
	}
}

void task_go_on(struct event_loop *loop, void *context, int64_t result)
{
	struct task *task = context;
	(void)loop;
	task->awaited_op = NULL;
	task->result = result;
	go_on(task);
}

struct promise_answer task_go_on_after(void *context, int64_t value)
{
	go_on(context);
	return PROMISE_VALUE(value);
}

static void run_body(void *argument)
{
	const struct task *task = argument;
	task->body(task->argument);
}

static void begin(struct event_loop *loop, void *context)
{
	(void)loop;
	go_on(context);
}

struct task *task_start(struct task_pool *pool, task_body *body, void *argument)
{
	struct task *task = pool->free;
	struct coroutine *coroutine = task ? coroutine_new(pool->coroutines, run_body, task) : NULL;
	if (!coroutine)
		return NULL;
	pool->free = task->next;
	*task = (struct task) {
		.coroutine = coroutine,
		.loop = pool->loop,
		.body = body,
		.argument = argument,
		.pool = pool,
		.begin = { .call = begin, .context = task },
	};
	event_loop_defer(pool->loop, &task->begin);
	return task;
}

struct promise *task_promise(struct task *task)
{
	if (!task->ended)
		task->ended = promise_new(task->pool->promises);
	return promise_hold(task->ended);
}

void task_cancel(struct task *task)
{
	task->is_cancelled = true;
	if (task->awaited_op)
		event_loop_cancel(task->loop, task->awaited_op);
	else if (task->awaited)
		promise_cancel(task->awaited);
}
