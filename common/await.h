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
 * Two kinds.   A task of a pool has a stack of its own, and awaits anywhere. A task that is started
 *              by task_start_stackless() has none. Its body is a function as common/coroutine.h has
 *              them, which returns at each await, so it awaits by macros and in that function only:
 *
 *                  static bool copy(struct task *self)
 *                  {
 *                          struct copy *copy = (struct copy *)self; // its first member
 *                          STACKLESS_BEGIN(&self->at);
 *                          AWAIT_OPERATION(self, &copy->read_block);
 *                          copy->n = self->result;
 *                          ...
 *                          STACKLESS_END(&self->at);
 *                  }
 *
 * Cancelling.  task_cancel() calls back what the task awaits. Its await returns -ECANCELED, and so
 *              does each later one, at once. The task runs on to its own end, so whatever it has
 *              to clean up is cleaned up by its own code.
 * Groups.      A task that has started others awaits the end of all of them as a group. While it
 *              does so, cancelling it cancels the group, and it goes on when all have ended. So no
 *              task outlives the one that started it.
 * Lifetimes.   An operation's buffer lies in the loop's buffers and not on the task's stack. The
 *              pool is closed when all tasks have ended. The memory of a stackless task belongs to
 *              the program, which keeps it until the task has ended.
 */
#ifndef IOLAB_AWAIT_H
#define IOLAB_AWAIT_H

#include <errno.h>

#include "coroutine.h"
#include "event_loop.h"
#include "promise.h"

struct task;
struct task_pool;

typedef void task_body(void *argument);
typedef bool stackless_body(struct task *self); /* returns true when it is done */

/* Tasks that one task waits for. All 0 in the beginning; on the stack of the one that waits. */
struct task_group {
	struct task *running; /* through `next_in_group` */
	struct task *waiter; /* or NULL */
};

struct task {
	struct coroutine *coroutine; /* NULL when it has ended, and without a stack */
	struct event_loop *loop;
	struct loop_op *awaited_op; /* in flight, or NULL */
	struct promise *awaited; /* pending, or NULL */
	struct task_group *awaited_group; /* or NULL */
	int64_t result; /* of what was awaited last */
	bool is_rejected; /* so was the promise that was awaited last */
	bool is_cancelled;

	stackless_body *stackless; /* NULL for one with a stack */
	struct stackless at;
	task_body *body; /* the pool's, as all below */
	void *argument;
	struct task_pool *pool;
	struct loop_deferred begin;
	struct task *next;
	struct task *next_in_group, **place_in_group; /* NULL: in none */
	struct task_group *group;
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

/* Begins `task` in the loop's next step of deferred calls. What it was before is overwritten. */
void task_start_stackless(struct task *task, struct event_loop *loop, stackless_body *body);

/* Puts a task that has not ended, and is in no group, into one. NULL is passed over. */
void task_join(struct task *task, struct task_group *group);

/*
 * A promise of the task's end, fulfilled with 0. Asked for before the task begins or while it runs.
 * Of a pool's tasks only.
 */
struct promise *task_promise(struct task *task);

/*
 * One that is cancelled already is not cancelled again. A stackless one that has ended, and whose
 * memory is still there, may be cancelled: nothing happens.
 */
void task_cancel(struct task *task);

/* The task that runs. Outside of all tasks, where nothing can await, it says so and aborts. */
struct task *task_current(void);

/* The loop's and the group's side of await. */
void task_go_on(struct event_loop *loop, void *context, int64_t result);
struct promise_answer task_go_on_after(void *context, int64_t value);
/* Returns whether there is anything to wait for. */
bool task_begins_to_wait(struct task *self, struct task_group *group);

/* Starts it. Returns whether there is anything to wait for; else `self->result` says why not. */
static inline bool task_begins_operation(struct task *self, const struct loop_request *request)
{
	self->result = self->is_cancelled ? -ECANCELED : -EAGAIN;
	if (self->is_cancelled)
		return false;
	self->awaited_op = event_loop_start(self->loop, request, task_go_on, self);
	return self->awaited_op;
}

/*
 * The operation's result: bytes, a descriptor or -errno; -ECANCELED after task_cancel(); -EAGAIN
 * when the loop's depth is used up.
 */
static inline __attribute__((always_inline)) int64_t await_operation(
	struct task *self, const struct loop_request *request)
{
	if (task_begins_operation(self, request))
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

/* Until all in the group have ended; one that has none is not waited for. */
static inline __attribute__((always_inline)) void await_group(struct task *self,
							      struct task_group *group)
{
	if (task_begins_to_wait(self, group))
		coroutine_suspend(self->coroutine);
}

/* The same in a stackless task. The result is `self->result`, as above. */
#define AWAIT_OPERATION(self, request)                                                             \
	do {                                                                                       \
		if (task_begins_operation((self), (request)))                                      \
			STACKLESS_SUSPEND(&(self)->at);                                            \
	} while (0)

#define AWAIT_GROUP(self, group)                                                                   \
	do {                                                                                       \
		if (task_begins_to_wait((self), (group)))                                          \
			STACKLESS_SUSPEND(&(self)->at);                                            \
	} while (0)

#endif
