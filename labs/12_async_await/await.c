/* SPDX-License-Identifier: MIT */
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
	//> 7 Take it out of its group.
	if (group) {
		*task->place_in_group = task->next_in_group;
		if (task->next_in_group)
			task->next_in_group->place_in_group = task->place_in_group;
	}
	//< 7
	if (task->pool) {
		task->coroutine = NULL;
		task->next = task->pool->free;
		task->pool->free = task;
	}
	//> 7 Whoever asked for a promise of its end has it now. If it was the last one of its group,
	//> the task that waits for the group goes on. `task` itself may be another one by now.
	//+ (void)group;
	//+ (void)ended;
	if (ended) {
		promise_fulfil(ended, 0);
		promise_drop(ended);
	}
	if (group && !group->running && group->waiter) {
		struct task *waiter = group->waiter;
		group->waiter = NULL;
		waiter->awaited_group = NULL;
		go_on(waiter);
	}
	//< 7
}

static void go_on(struct task *task)
{
	bool goes_on;
	//> 7 Let the task run until it waits again, or has ended: a stackless one by a call of its
	//> function, any other one by coroutine_resume(). `current` is the task that runs, and the
	//> one of before afterwards: a task may be what lets another one go on.
	//+ goes_on = true;
	struct task *before = current;
	current = task;
	goes_on = task->stackless ? !task->stackless(task) : coroutine_resume(task->coroutine);
	current = before;
	//< 7
	if (!goes_on)
		end_task(task);
}

void task_go_on(struct event_loop *loop, void *context, int64_t result)
{
	struct task *task = context;
	(void)loop;
	//> 7 It waits for no operation any more, and finds the result in the task.
	//+ (void)result;
	task->awaited_op = NULL;
	task->result = result;
	//< 7
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
	task->group = group;
	task->next_in_group = group->running;
	task->place_in_group = &group->running;
	if (group->running)
		group->running->place_in_group = &task->next_in_group;
	group->running = task;
}

static void cancel_group(const struct task_group *group)
{
	//> 7 Each of those that run.
	//+ (void)group;
	for (struct task *task = group->running; task; task = task->next_in_group)
		task_cancel(task);
	//< 7
}

bool task_begins_to_wait(struct task *self, struct task_group *group)
{
	//> 7 An empty group is not waited for. A task that is cancelled already waits for the end of
	//> its group all the more: it cancels them first.
	//+ if (self->is_cancelled)
	//+ 	cancel_group(group);
	//+ return false;
	if (!group->running)
		return false;
	group->waiter = self;
	self->awaited_group = group;
	if (self->is_cancelled)
		cancel_group(group);
	return true;
	//< 7
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
	//> 7 It is cancelled for ever. What it waits for now, if anything, is called back: the task
	//> itself runs on to its own end, and cleans up.
	//+ (void)task;
	task->is_cancelled = true;
	if (task->awaited_op)
		event_loop_cancel(task->loop, task->awaited_op);
	else if (task->awaited)
		promise_cancel(task->awaited);
	else if (task->awaited_group)
		cancel_group(task->awaited_group);
	//< 7
}
