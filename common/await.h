/* SPDX-License-Identifier: MIT */
/*
 * Await: straight code that waits without holding up its thread.
 *
 *     static void copy(void *argument)
 *     {
 *             struct task *self = task_current();
 *             int64_t n = await_operation(self, &read_block);
 *             ...
 *     }
 *
 * A task is a coroutine over an event loop. While it awaits, the loop goes on with other tasks.
 * When what it awaits has ended, the loop resumes it. All of this is inlined into the task's own
 * function, since a switch is cheap only then (common/coroutine.h).
 *
 * Cancelling.  task_cancel() calls back what the task awaits. Its await returns -ECANCELED, and so
 *              does each later one, at once. The task runs on to its own end, so whatever it has
 *              to clean up is cleaned up by its own code.
 * Lifetimes.   An operation's buffer lies in the loop's buffers and not on the task's stack. The
 *              pool is closed when all tasks have ended.
 */
#ifndef IOLAB_AWAIT_H
#define IOLAB_AWAIT_H

#include <errno.h>

#include "coroutine.h"
#include "event_loop.h"
#include "promise.h"

struct task_pool;

typedef void task_body(void *argument);

struct task {
	struct coroutine *coroutine; /* NULL when it has ended */
	struct event_loop *loop;
	struct loop_op *awaited_op; /* in flight, or NULL */
	struct promise *awaited; /* pending, or NULL */
	int64_t result; /* of what was awaited last */
	bool is_rejected; /* so was the promise that was awaited last */
	bool is_cancelled;

	task_body *body; /* the pool's, as all below */
	void *argument;
	struct task_pool *pool;
	struct loop_deferred begin;
	struct task *next;
	struct promise *ended; /* for task_promise() */
};

/* Returns 0, or -errno with `why`. `promises` may be NULL where no task awaits a promise. */
int task_pool_open(struct task_pool **pool, struct event_loop *loop, struct promise_pool *promises,
		   unsigned count, size_t stack_len_bytes, struct reason *why);
void task_pool_close(struct task_pool *pool);

/*
 * Begins a task in the loop's next step of deferred calls. NULL when `count` tasks run. The pointer
 * is valid until the task has ended.
 */
struct task *task_start(struct task_pool *pool, task_body *body, void *argument);

/* A promise of the task's end, fulfilled with 0. Asked for before the task begins or while it runs. */
struct promise *task_promise(struct task *task);

void task_cancel(struct task *task);

/* The task that runs. Only in a task. */
struct task *task_current(void);

/* The loop's side of await. */
void task_go_on(struct event_loop *loop, void *context, int64_t result);
struct promise_answer task_go_on_after(void *context, int64_t value);

/*
 * The operation's result: bytes, a descriptor or -errno; -ECANCELED after task_cancel(); -EAGAIN
 * when the loop's depth is used up.
 */
static inline __attribute__((always_inline)) int64_t await_operation(
	struct task *self, const struct loop_request *request)
{
	if (self->is_cancelled)
		return -ECANCELED;
	self->awaited_op = event_loop_start(self->loop, request, task_go_on, self);
	if (!self->awaited_op)
		return -EAGAIN;
	coroutine_suspend(self->coroutine);
	return self->result;
}

/*
 * The promise's value; `*is_rejected` (may be NULL) tells which. One that is settled already is
 * not waited for. NULL, and a pool that is empty, are a rejection with -ENOMEM.
 */
static inline __attribute__((always_inline)) int64_t await_promise(struct task *self,
								   struct promise *promise,
								   bool *is_rejected)
{
	int64_t value = self->is_cancelled ? -ECANCELED : -ENOMEM;
	enum promise_state state = PROMISE_REJECTED;
	if (promise && !self->is_cancelled)
		state = promise_state(promise, &value);
	if (state == PROMISE_PENDING) {
		self->awaited = promise;
		if (promise_await(promise, task_go_on_after, self)) {
			coroutine_suspend(self->coroutine);
			state = promise_state(promise, &value);
		} else {
			state = PROMISE_REJECTED;
			value = -ENOMEM;
		}
		self->awaited = NULL;
	}
	if (is_rejected)
		*is_rejected = state != PROMISE_FULFILLED;
	return value;
}

#endif
