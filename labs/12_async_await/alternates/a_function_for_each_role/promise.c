/* SPDX-License-Identifier: MIT */
/* An alternate: a function for each role in place of a switch, and the followers in one go. */
/*
 * Promises. A promise knows those that wait for its end (its followers). Each follower says what it
 * makes of that end. Settling puts a promise into a queue, and a deferred call of the loop works the
 * queue off: there and nowhere else callbacks run.
 */
#include "promise.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Callbacks in one turn: what they settle is worked off in the same turn, up to here. */
#define CALLBACKS_MAX 4096

/* What a follower makes of the end of the one before it. */
enum role { SOURCE, THEN, CATCH, FINALLY, FOLLOWER, PART, AWAIT };

enum combination { ALL, ANY, RACE };

struct promise {
	struct promise_pool *pool; /* for ever */
	uint8_t state; /* enum promise_state */
	uint8_t role;
	uint8_t combination; /* of a combined one */
	bool is_looked_at;
	bool is_queued;
	bool is_doubtful; /* rejected, and nobody had looked at it when it was worked off */
	bool is_timed; /* its timer is active */
	uint32_t holds;
	uint32_t parts_left; /* of a combined one */
	int64_t value;

	struct promise *before; /* whose end it waits for; holds this one until then */
	struct promise *followers, **followers_end;
	struct promise *next; /* among the followers of `before`, or in the queue, or free */

	promise_step *step;
	void *context;
	struct promise *whole; /* of a PART: the combined promise, which it holds */
	struct loop_op *op; /* in flight, of an operation */
};

struct promise_pool {
	struct event_loop *loop;
	unsigned count, used;
	struct promise *all, *free;
	struct loop_timer *timers; /* [count] */
	struct promise *queue, **queue_end;
	bool is_working; /* work_off() runs, and sees what is queued meanwhile */
	struct promise *doubtful; /* through `next` */
	struct loop_deferred work;
	void (*neglected)(void *context, int64_t value);
	void *context;
};

static const struct promise rejected_mark;
const struct promise *const promise_rejected_answer = &rejected_mark;

static void work_off(struct event_loop *loop, void *context);

static void print_neglected(void *context, int64_t value)
{
	(void)context;
	fprintf(stderr, "a promise was rejected with %" PRId64 ", and nobody looked at it\n",
		value);
}

int promise_pool_open(struct promise_pool **opened, const struct promise_pool_config *config,
		      struct reason *why)
{
	struct promise_pool *pool = calloc(1, sizeof *pool);
	if (!pool)
		return reason_no_memory(why, "promises");
	pool->loop = config->loop;
	pool->count = config->count;
	pool->neglected = config->neglected ? config->neglected : print_neglected;
	pool->context = config->context;
	pool->queue_end = &pool->queue;
	pool->work = (struct loop_deferred) { .call = work_off, .context = pool };
	pool->all = calloc(config->count, sizeof *pool->all);
	pool->timers = calloc(config->count, sizeof *pool->timers);
	if (!pool->all || !pool->timers) {
		promise_pool_close(pool);
		return reason_no_memory(why, "promises");
	}
	for (unsigned i = config->count; i-- > 0;) {
		pool->all[i].pool = pool;
		pool->all[i].next = pool->free;
		pool->free = &pool->all[i];
	}
	*opened = pool;
	return 0;
}

void promise_pool_close(struct promise_pool *pool)
{
	event_loop_undefer(pool->loop, &pool->work);
	for (unsigned i = 0; pool->timers && i < pool->count; i++)
		event_loop_timer_stop(pool->loop, &pool->timers[i]);
	free(pool->timers);
	free(pool->all);
	free(pool);
}

unsigned promise_pool_used(const struct promise_pool *pool)
{
	return pool->used;
}

/* Making, holding, freeing. */

struct promise *promise_new(struct promise_pool *pool)
{
	struct promise *p = pool->free;
	if (!p)
		return NULL;
	pool->free = p->next;
	pool->used++;
	/* Not all of it: clearing a whole structure would cost more than the rest of a short chain. */
	p->state = PROMISE_PENDING;
	p->role = SOURCE;
	p->is_looked_at = p->is_queued = p->is_doubtful = p->is_timed = false;
	p->holds = 1;
	p->before = p->followers = p->whole = NULL;
	p->followers_end = &p->followers;
	p->op = NULL;
	return p;
}

struct promise *promise_hold(struct promise *p)
{
	if (p)
		p->holds++;
	return p;
}

static struct loop_timer *timer_of(const struct promise *p)
{
	return &p->pool->timers[p - p->pool->all];
}

static void stop_timer(struct promise *p)
{
	if (!p->is_timed)
		return;
	event_loop_timer_stop(p->pool->loop, timer_of(p));
	p->is_timed = false;
}

/* Nobody can settle it any more: its followers would wait for ever. They are given up as well. */
static __attribute__((noinline)) void give_up(struct promise *p)
{
	stop_timer(p);
	while (p->followers) {
		struct promise *follower = p->followers;
		p->followers = follower->next;
		follower->before = NULL;
		promise_drop(follower);
	}
	if (p->whole)
		promise_drop(p->whole);
}

void promise_drop(struct promise *p)
{
	if (!p || --p->holds > 0)
		return;
	if (p->followers || p->whole || p->is_timed)
		give_up(p);
	p->next = p->pool->free;
	p->pool->free = p;
	p->pool->used--;
}

/* Settling. */

static void enqueue(struct promise *p)
{
	struct promise_pool *pool = p->pool;
	if (p->is_queued)
		return;
	p->is_queued = true;
	p->holds++;
	p->next = NULL;
	*pool->queue_end = p;
	pool->queue_end = &p->next;
	if (pool->queue == p && !pool->is_working)
		event_loop_defer(pool->loop, &pool->work);
}

static void settle(struct promise *p, enum promise_state state, int64_t value)
{
	p->state = (uint8_t)state;
	p->value = value;
	if (p->followers || state == PROMISE_REJECTED)
		enqueue(p);
	stop_timer(p);
}

static int settle_source(struct promise *p, enum promise_state state, int64_t value)
{
	if (!p || p->state != PROMISE_PENDING || p->role != SOURCE)
		return -EALREADY;
	settle(p, state, value);
	return 0;
}

int promise_fulfil(struct promise *p, int64_t value)
{
	return settle_source(p, PROMISE_FULFILLED, value);
}

int promise_reject(struct promise *p, int64_t value)
{
	return settle_source(p, PROMISE_REJECTED, value);
}

enum promise_state promise_state(struct promise *p, int64_t *value)
{
	p->is_looked_at = true;
	if (value && p->state != PROMISE_PENDING)
		*value = p->value;
	return (enum promise_state)p->state;
}

/* `p` waits for the end of `before`, which holds it until then. */
static void follow(struct promise *p, struct promise *before)
{
	p->before = before;
	promise_hold(p);
	before->is_looked_at = true;
	p->next = NULL;
	*before->followers_end = p;
	before->followers_end = &p->next;
	if (before->state != PROMISE_PENDING)
		enqueue(before);
}

struct promise_answer promise_follow(struct promise *promise)
{
	if (!promise)
		return PROMISE_REJECTION(-ENOMEM);
	return (struct promise_answer) { promise, 0 };
}

/* What the callback of `p` answered becomes its end. */
static void take_answer(struct promise *p, struct promise_answer answer)
{
	struct promise *other = (struct promise *)answer.follows;
	if (!other) {
		settle(p, PROMISE_FULFILLED, answer.value);
	} else if (other == promise_rejected_answer) {
		settle(p, PROMISE_REJECTED, answer.value);
	} else {
		p->role = FOLLOWER;
		follow(p, other);
		promise_drop(other);
	}
}

/* One part of a combined promise has ended. */
static void end_of_part(struct promise *part, enum promise_state state, int64_t value)
{
	struct promise *whole = part->whole;
	bool is_last = --whole->parts_left == 0;
	settle(part, PROMISE_FULFILLED, 0);
	if (whole->state != PROMISE_PENDING)
		return;
	switch ((enum combination)whole->combination) {
	case ALL:
		if (state == PROMISE_REJECTED)
			settle(whole, state, value);
		else if (is_last)
			settle(whole, state, (int64_t)(intptr_t)whole->context);
		break;
	case ANY:
		if (state == PROMISE_FULFILLED || is_last)
			settle(whole, state, value);
		break;
	case RACE:
		settle(whole, state, value);
		break;
	}
}

static void end_of_then(struct promise *p, enum promise_state state, int64_t value)
{
	if (state == PROMISE_REJECTED)
		settle(p, state, value);
	else
		take_answer(p, p->step(p->context, value));
}

static void end_of_catch(struct promise *p, enum promise_state state, int64_t value)
{
	if (state == PROMISE_FULFILLED)
		settle(p, state, value);
	else
		take_answer(p, p->step(p->context, value));
}

static void end_of_finally(struct promise *p, enum promise_state state, int64_t value)
{
	struct promise_answer answer = p->step(p->context, value);
	bool rejects = answer.follows == promise_rejected_answer;
	if (!rejects)
		promise_drop((struct promise *)answer.follows);
	settle(p, rejects ? PROMISE_REJECTED : state, rejects ? answer.value : value);
}

static void end_of_await(struct promise *p, enum promise_state state, int64_t value)
{
	(void)state;
	settle(p, PROMISE_FULFILLED, 0);
	(void)p->step(p->context, value);
}

/* The one before has ended. */
static void hear_of_end(struct promise *p, enum promise_state state, int64_t value)
{
	static void (*const ends[])(struct promise * p, enum promise_state state, int64_t value) = {
		[SOURCE] = settle,	    [THEN] = end_of_then, [CATCH] = end_of_catch,
		[FINALLY] = end_of_finally, [FOLLOWER] = settle,  [PART] = end_of_part,
		[AWAIT] = end_of_await,
	};
	p->before = NULL;
	if (p->state == PROMISE_PENDING) /* else its deadline came first */
		ends[p->role](p, state, value);
}

/* A rejection without followers has until the next turn to be looked at. */
static void doubt(struct promise *p)
{
	if (p->is_doubtful) {
		p->is_looked_at = true;
		p->pool->neglected(p->pool->context, p->value);
		return;
	}
	p->is_doubtful = true;
	promise_hold(p);
	p->next = p->pool->doubtful;
	p->pool->doubtful = p;
	event_loop_defer(p->pool->loop, &p->pool->work);
}

static void end_one(struct promise *p)
{
	/* Those that a callback adds come when the queue comes to this promise again. */
	struct promise *follower = p->followers, *next;
	p->followers = NULL;
	p->followers_end = &p->followers;
	for (; follower; follower = next) {
		next = follower->next;
		hear_of_end(follower, (enum promise_state)p->state, p->value);
		promise_drop(follower);
	}
	if (p->state == PROMISE_REJECTED && !p->is_looked_at)
		doubt(p);
}

static void work_off(struct event_loop *loop, void *context)
{
	struct promise_pool *pool = context;
	struct promise *doubtful = pool->doubtful;
	pool->doubtful = NULL;
	pool->is_working = true;
	while (doubtful) {
		struct promise *p = doubtful;
		doubtful = p->next;
		enqueue(p); /* behind its followers, if it has some by now */
		promise_drop(p);
	}
	for (unsigned i = 0; pool->queue && i < CALLBACKS_MAX; i++) {
		struct promise *p = pool->queue;
		pool->queue = p->next;
		if (!pool->queue)
			pool->queue_end = &pool->queue;
		p->is_queued = false;
		end_one(p);
		promise_drop(p);
	}
	pool->is_working = false;
	if (pool->queue)
		event_loop_defer(loop, &pool->work);
}

/* Chains. */

static struct promise *chain(struct promise *before, enum role role, promise_step *step,
			     void *context)
{
	struct promise *p = before ? promise_new(before->pool) : NULL;
	if (!p)
		return NULL;
	p->role = (uint8_t)role;
	p->step = step;
	p->context = context;
	follow(p, before);
	return p;
}

struct promise *promise_then(struct promise *before, promise_step *step, void *context)
{
	return chain(before, THEN, step, context);
}

struct promise *promise_catch(struct promise *before, promise_step *step, void *context)
{
	return chain(before, CATCH, step, context);
}

static struct promise *chain_on(struct promise *before, enum role role, promise_step *step,
				void *context)
{
	struct promise *p = chain(before, role, step, context);
	promise_drop(before);
	return p;
}

struct promise *promise_and_then(struct promise *before, promise_step *step, void *context)
{
	return chain_on(before, THEN, step, context);
}

struct promise *promise_and_catch(struct promise *before, promise_step *step, void *context)
{
	return chain_on(before, CATCH, step, context);
}

struct promise *promise_finally(struct promise *before, promise_step *step, void *context)
{
	return chain(before, FINALLY, step, context);
}

bool promise_await(struct promise *before, promise_step *step, void *context)
{
	struct promise *p = chain(before, AWAIT, step, context);
	promise_drop(p);
	return p;
}

/* Combined. */

static struct promise *combine(struct promise_pool *pool, enum combination combination,
			       struct promise *const *promises, unsigned count)
{
	struct promise *whole = promise_new(pool), *parts = NULL;
	unsigned made = 0;
	if (!whole)
		return NULL;
	/* All parts first: where the pool is empty half-way, nothing has begun. */
	for (; made < count && promises[made]; made++) {
		struct promise *part = promise_new(pool);
		if (!part)
			break;
		part->next = parts;
		parts = part;
	}
	whole->role = FOLLOWER;
	whole->combination = (uint8_t)combination;
	whole->parts_left = count;
	whole->context = (void *)(intptr_t)count;
	for (unsigned i = 0; i < made; i++) {
		struct promise *part = parts;
		parts = part->next;
		part->role = PART;
		if (made == count) {
			part->whole = promise_hold(whole);
			follow(part, promises[i]);
		}
		promise_drop(part);
	}
	if (made < count) {
		promise_drop(whole);
		return NULL;
	}
	if (count == 0 && combination != RACE)
		settle(whole, combination == ALL ? PROMISE_FULFILLED : PROMISE_REJECTED,
		       combination == ALL ? 0 : -ENOENT);
	return whole;
}

struct promise *promise_all(struct promise_pool *pool, struct promise *const *promises,
			    unsigned count)
{
	return combine(pool, ALL, promises, count);
}

struct promise *promise_any(struct promise_pool *pool, struct promise *const *promises,
			    unsigned count)
{
	return combine(pool, ANY, promises, count);
}

struct promise *promise_race(struct promise_pool *pool, struct promise *const *promises,
			     unsigned count)
{
	return combine(pool, RACE, promises, count);
}

/* From the loop. */

static void end_operation(struct event_loop *loop, void *context, int64_t result)
{
	struct promise *p = context;
	(void)loop;
	p->op = NULL;
	if (p->state == PROMISE_PENDING)
		settle(p, result < 0 ? PROMISE_REJECTED : PROMISE_FULFILLED, result);
	promise_drop(p);
}

struct promise *promise_operation(struct promise_pool *pool, const struct loop_request *request)
{
	struct promise *p = promise_new(pool);
	if (!p)
		return NULL;
	p->role = FOLLOWER; /* of the operation: nobody else settles it */
	p->op = event_loop_start(pool->loop, request, end_operation, p);
	if (p->op)
		promise_hold(p);
	else
		settle(p, PROMISE_REJECTED, -EAGAIN);
	return p;
}

static void end_delay(struct event_loop *loop, void *context)
{
	struct promise *p = context;
	(void)loop;
	p->is_timed = false;
	settle(p, PROMISE_FULFILLED, 0);
	promise_drop(p);
}

/* Starts the timer that belongs to `p`. Returns 0 or -errno. */
static int start_timer(struct promise *p, loop_call *call, int64_t delay_ns)
{
	struct loop_timer *timer = timer_of(p);
	timer->call = call;
	timer->context = p;
	int rc = event_loop_timer_start(p->pool->loop, timer, delay_ns, 0);
	p->is_timed = rc == 0;
	return rc;
}

struct promise *promise_delay(struct promise_pool *pool, int64_t delay_ns)
{
	struct promise *p = promise_new(pool);
	if (!p)
		return NULL;
	p->role = FOLLOWER;
	int rc = start_timer(p, end_delay, delay_ns);
	if (rc < 0)
		settle(p, PROMISE_REJECTED, rc);
	else
		promise_hold(p); /* the timer's */
	return p;
}

static void end_deadline(struct event_loop *loop, void *context)
{
	struct promise *p = context;
	(void)loop;
	p->is_timed = false;
	promise_hold(p);
	if (p->before)
		promise_cancel(p->before);
	settle(p, PROMISE_REJECTED, -ETIMEDOUT);
	promise_drop(p);
}

struct promise *promise_with_deadline(struct promise *before, int64_t delay_ns)
{
	struct promise *p = chain(before, FOLLOWER, NULL, NULL);
	if (!p || before->state != PROMISE_PENDING)
		return p;
	int rc = start_timer(p, end_deadline, delay_ns);
	if (rc < 0)
		settle(p, PROMISE_REJECTED, rc);
	return p;
}

void promise_cancel(struct promise *p)
{
	while (p && p->state == PROMISE_PENDING && p->before)
		p = p->before;
	if (!p || p->state != PROMISE_PENDING)
		return;
	if (p->op) {
		event_loop_cancel(p->pool->loop, p->op);
		return;
	}
	bool is_delay = p->is_timed;
	settle(p, PROMISE_REJECTED, -ECANCELED);
	if (is_delay)
		promise_drop(p);
}
