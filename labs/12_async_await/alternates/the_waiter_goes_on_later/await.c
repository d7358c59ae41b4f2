/* SPDX-License-Identifier: MIT */
/* An alternate: whoever waits for a group goes on in a deferred call, and the first of a group stays first. */
/* Tasks: coroutines that an event loop resumes. */
#include "await.h"

#include <assert.h>
#include <stdio.h>
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
	if (!current) {
		fputs("task_current: no task runs here, and only a task can await\n", stderr);
		abort();
	}
	return current;
}

static void go_on(struct task *task);

/* Its memory is free from here on. The last one of a group lets the waiter go on. */
static void end_task(struct task *task)
{
	struct task_group *group = task->group;
	struct promise *ended = task->ended;
	if (group) {
		*task->place_in_group = task->next_in_group;
		if (task->next_in_group)
			task->next_in_group->place_in_group = task->place_in_group;
	}
	if (task->pool) {
		task->coroutine = NULL;
		task->next = task->pool->free;
		task->pool->free = task;
	}
	if (ended) {
		promise_fulfil(ended, 0);
		promise_drop(ended);
	}
	if (group && !group->running && group->waiter) {
		struct task *waiter = group->waiter;
		group->waiter = NULL;
		waiter->awaited_group = NULL;
		event_loop_defer(waiter->loop, &waiter->begin); /* by the call that began it */
	}
}

static void go_on(struct task *task)
{
	bool goes_on;
	struct task *before = current;
	current = task;
	goes_on = task->stackless ? !task->stackless(task) : coroutine_resume(task->coroutine);
	current = before;
	if (!goes_on)
		end_task(task);
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

void task_start_stackless(struct task *task, struct event_loop *loop, stackless_body *body)
{
	*task = (struct task) {
		.loop = loop,
		.stackless = body,
		.begin = { .call = begin, .context = task },
	};
	event_loop_defer(loop, &task->begin);
}

void task_join(struct task *task, struct task_group *group)
{
	if (!task)
		return;
	assert(!task->group);
	struct task **end = &group->running;
	while (*end)
		end = &(*end)->next_in_group;
	task->group = group;
	task->next_in_group = NULL;
	task->place_in_group = end;
	*end = task;
}

static void cancel_group(const struct task_group *group)
{
	for (struct task *task = group->running; task; task = task->next_in_group)
		task_cancel(task);
}

bool task_begins_to_wait(struct task *self, struct task_group *group)
{
	if (!group->running)
		return false;
	group->waiter = self;
	self->awaited_group = group;
	if (self->is_cancelled)
		cancel_group(group);
	return true;
}

struct promise *task_promise(struct task *task)
{
	assert(task->pool);
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
	else if (task->awaited_group)
		cancel_group(task->awaited_group);
}
