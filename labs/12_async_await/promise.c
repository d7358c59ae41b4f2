/* SPDX-License-Identifier: MIT */
/*
 * Promises. A promise knows those that wait for its end (its followers). Each follower says what it
 * makes of that end: its role. Settling puts a promise into a queue, and a deferred call of the loop
 * works the queue off: there and nowhere else callbacks run.
 */
#include "promise.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Callbacks in one turn: what they settle is worked off in the same turn, up to here. */
#define CALLBACKS_MAX 4096

enum role {
	/* What a follower makes of the end of the one before it. */
	THEN, /* these four call back */
	CATCH,
	FINALLY,
	AWAIT,
	PART, /* tells a combined promise */
	FOLLOWER, /* ends alike */
	DEADLINE, /* the same, or by a timer */
	/* Where the end of a promise comes from that follows none. */
	SOURCE, /* from its maker */
	OPERATION,
	DELAY,
	ALL, /* these three: from their parts */
	ANY,
	RACE,
};

/* Promises in order, through `next`. */
struct promise_list {
	struct promise *first; /* or NULL */
	struct promise *last; /* of those that there are */
};

/* One line of the cache, since a promise is made for each operation, and its memory used again soon. */
struct promise {
	_Alignas(64) struct promise_pool *pool; /* for ever */
	uint8_t state; /* enum promise_state */
	uint8_t role; /* enum role */
	bool is_queued;
	bool is_looked_at;
	uint32_t holds;
	struct promise *next; /* among the followers of `before`, or in the queue, or free */
	struct promise_list followers; /* who waits for its end */
	union {
		struct promise *before; /* while pending: whose end it waits for; or NULL */
		struct promise *next_doubtful; /* once settled: among the pool's */
	};
	union {
		promise_step *step;
		struct loop_op *op; /* of an OPERATION, while pending: in flight */
		struct promise *whole; /* of a PART: the combined promise, which it holds */
		uint32_t parts_left; /* of a combined one */
	};
	union {
		void *context; /* while pending: for `step` */
		int64_t value; /* once settled */
	};
};

struct promise_pool {
	struct event_loop *loop;
	struct promise *free; /* through `next` */
	unsigned count, used;
	struct promise_list queue; /* settled ones, for work_off() */
	bool is_working; /* it runs, and sees what is queued meanwhile */
	struct loop_deferred work;
	struct promise *doubtful; /* nobody looked at their rejection before work_off() was there */
	struct loop_deferred report;
	struct promise *all; /* [count] */
	struct loop_timer *timers; /* [count] */
	void (*neglected)(void *context, int64_t value);
	void *context;
};

static const struct promise rejected_mark;
const struct promise *const promise_rejected_answer = &rejected_mark;

static void work_off(struct event_loop *loop, void *context);
static void report_neglected(struct event_loop *loop, void *context);

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
	pool->work = (struct loop_deferred) { .call = work_off, .context = pool };
	pool->report = (struct loop_deferred) { .call = report_neglected, .context = pool };
	pool->all = aligned_alloc(_Alignof(struct promise), config->count * sizeof *pool->all);
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
	event_loop_undefer(pool->loop, &pool->report);
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

/* Lists. */

static inline void append(struct promise_list *list, struct promise *p)
{
	struct promise **place = list->first ? &list->last->next : &list->first;
	p->next = NULL;
	*place = list->last = p;
}

/* The first one, taken out; NULL when there is none. */
static inline struct promise *take_first(struct promise_list *list)
{
	struct promise *first = list->first;
	if (first)
		list->first = first->next;
	return first;
}

static void take_out(struct promise_list *list, const struct promise *p)
{
	struct promise **at = &list->first, *previous = NULL;
	while (*at != p) {
		previous = *at;
		at = &previous->next;
	}
	*at = p->next;
	if (list->last == p)
		list->last = previous;
}

/* Making, holding, freeing. */

/* Inlined, as all that an operation comes by more than once. */
static inline struct promise *take(struct promise_pool *pool, enum role role)
{
	struct promise *p = pool->free;
	if (!p)
		return NULL;
	pool->free = p->next;
	pool->used++;
	p->state = PROMISE_PENDING;
	p->role = (uint8_t)role;
	p->is_queued = p->is_looked_at = false;
	p->holds = 1;
	p->before = NULL;
	p->followers.first = NULL;
	return p;
}

struct promise *promise_new(struct promise_pool *pool)
{
	return take(pool, SOURCE);
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

/* If it has one. */
static void stop_timer(const struct promise *p)
{
	if (p->role == DELAY || p->role == DEADLINE)
		event_loop_timer_stop(p->pool->loop, timer_of(p));
}

/* Nobody can settle it any more: its followers would wait for ever. They are given up as well. */
static __attribute__((cold)) void give_up(struct promise *p)
{
	//> 5 Its followers lose the one before them, and the hold that it had on each of them. Its
	//> timer must not ring for whoever gets this memory next.
	//+ stop_timer(p);
	struct promise *follower;
	stop_timer(p);
	while ((follower = take_first(&p->followers))) {
		follower->before = NULL;
		promise_drop(follower);
	}
	//< 5
	if (p->role == PART)
		promise_drop(p->whole);
}

/* Gives up a hold. */
static inline void release(struct promise *p)
{
	if (--p->holds > 0)
		return;
	if (p->state == PROMISE_PENDING)
		give_up(p);
	p->next = p->pool->free;
	p->pool->free = p;
	p->pool->used--;
}

void promise_drop(struct promise *p)
{
	if (p)
		release(p);
}

/* Settling. */

static inline void enqueue(struct promise *p)
{
	struct promise_pool *pool = p->pool;
	if (p->is_queued)
		return;
	p->is_queued = true;
	p->holds++;
	bool is_first = !pool->queue.first;
	append(&pool->queue, p);
	if (is_first && !pool->is_working)
		event_loop_defer(pool->loop, &pool->work);
}

static inline void settle(struct promise *p, enum promise_state state, int64_t value)
{
	//> 1 Keep state and value. Whoever waits hears of it from the loop: enqueue() has work_off()
	//> called there. A rejection goes there in any case, to see whether anybody has looked.
	//+ (void)p;
	//+ (void)state;
	//+ (void)value;
	p->state = (uint8_t)state;
	p->value = value;
	if (p->followers.first || state == PROMISE_REJECTED)
		enqueue(p);
	//< 1
}

static int settle_source(struct promise *p, enum promise_state state, int64_t value)
{
	//> 1 Only a SOURCE that is pending can be settled from outside. Say -EALREADY to all else.
	//+ if (!p)
	//+ 	return -EALREADY;
	if (!p || p->state != PROMISE_PENDING || p->role != SOURCE)
		return -EALREADY;
	//< 1
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
	if (!p) {
		if (value)
			*value = -ENOMEM;
		return PROMISE_REJECTED;
	}
	p->is_looked_at = true;
	if (value && p->state != PROMISE_PENDING)
		*value = p->value;
	return (enum promise_state)p->state;
}

/* `p` waits for the end of `before`, which holds it until then. */
static inline void follow(struct promise *p, struct promise *before)
{
	p->before = before;
	p->holds++;
	before->is_looked_at = true;
	append(&before->followers, p);
	//> 1 If `before` is settled already, its end has to come still, and not from here. What you find
	//> here thinks of one kind of end only.
	//+ if (before->state == PROMISE_REJECTED)
	//+ 	enqueue(before);
	if (before->state != PROMISE_PENDING)
		enqueue(before);
	//< 1
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
	//> 2 A value, a rejection, or another promise (see PROMISE_VALUE and the others): then `p`
	//> has the role FOLLOWER from now on, and the hold of whoever answered is ours to give up.
	//+ (void)other;
	//+ settle(p, PROMISE_FULFILLED, answer.value);
	if (!other) {
		settle(p, PROMISE_FULFILLED, answer.value);
	} else if (other == promise_rejected_answer) {
		settle(p, PROMISE_REJECTED, answer.value);
	} else {
		p->role = FOLLOWER;
		follow(p, other);
		promise_drop(other);
	}
	//< 2
}

/* One part of a combined promise has ended. */
static void end_part(struct promise *part, enum promise_state state, int64_t value)
{
	struct promise *whole = part->whole;
	bool is_last = --whole->parts_left == 0;
	//> 3 Does the whole settle now, and with what? One that is settled already stays as it is.
	//> For ALL that are fulfilled the value is their count, which combine() left in `value`.
	//+ if (is_last && whole->state == PROMISE_PENDING)
	//+ 	settle(whole, state, value);
	if (whole->state == PROMISE_PENDING) {
		bool settles = whole->role == RACE || is_last ||
			       (whole->role == ALL && state == PROMISE_REJECTED) ||
			       (whole->role == ANY && state == PROMISE_FULFILLED);
		if (settles && whole->role == ALL && state == PROMISE_FULFILLED)
			settle(whole, state, whole->value);
		else if (settles)
			settle(whole, state, value);
	}
	//< 3
	settle(part, PROMISE_FULFILLED, 0);
	release(whole);
}

/* It does not count: nobody follows the promise in it, on which there is a hold. */
static inline void drop_answer(struct promise_answer answer)
{
	if (answer.follows && answer.follows != promise_rejected_answer)
		release((struct promise *)answer.follows);
}

/* Its callback runs either way. The end passes by, but for a rejection of the callback's own. */
static void end_finally(struct promise *p, enum promise_state state, int64_t value)
{
	//> 2 A promise in the answer is not waited for: give up the hold on it.
	struct promise_answer answer = p->step(p->context, value);
	if (answer.follows == promise_rejected_answer) {
		state = PROMISE_REJECTED;
		value = answer.value;
	} else {
		promise_drop((struct promise *)answer.follows);
	}
	//< 2
	settle(p, state, value);
}

/* The one before has ended. */
static void hear_of_end(struct promise *p, enum promise_state state, int64_t value)
{
	switch ((enum role)p->role) {
	case THEN:
	case CATCH:
		//> 2 Whom does this end concern? Where it does not concern `p`, it passes by.
		//+ take_answer(p, p->step(p->context, value));
		if ((p->role == THEN) == (state == PROMISE_FULFILLED))
			take_answer(p, p->step(p->context, value));
		else
			settle(p, state, value);
		//< 2
		break;
	case FINALLY:
		end_finally(p, state, value);
		break;
	case PART:
		end_part(p, state, value);
		break;
	case AWAIT:
		drop_answer(p->step(p->context, value));
		settle(p, PROMISE_FULFILLED, 0);
		break;
	case DEADLINE:
		//> 4 It came in time. What becomes of the timer?
		stop_timer(p);
		//< 4
		settle(p, state, value);
		break;
	default: /* FOLLOWER */
		settle(p, state, value);
		break;
	}
}

static void end_one(struct promise *p)
{
	//> 1 Take the followers off the list, the first one first, and let each hear_of_end(). Then give up
	//> the hold that follow() took. A callback may add others to the list: they come when the queue
	//> comes to this promise again, behind those that were due before them.
	//+ if (p->followers.first)
	//+ 	hear_of_end(p->followers.first, (enum promise_state)p->state, p->value);
	struct promise_list followers = p->followers;
	struct promise *follower;
	p->followers.first = NULL;
	while ((follower = take_first(&followers))) {
		hear_of_end(follower, (enum promise_state)p->state, p->value);
		release(follower);
	}
	//< 1
}

/* It was rejected, and nobody has looked at it. There is time for that until the next turn. */
static __attribute__((cold)) void doubt(struct promise *p)
{
	//> 5 Put it among the doubtful ones of the pool, which holds it for that, and have
	//> report_neglected() called.
	//+ (void)p;
	struct promise_pool *pool = p->pool;
	p->holds++;
	p->next_doubtful = pool->doubtful;
	pool->doubtful = p;
	event_loop_defer(pool->loop, &pool->report);
	//< 5
}

static void work_off(struct event_loop *loop, void *context)
{
	struct promise_pool *pool = context;
	struct promise *p;
	pool->is_working = true;
	for (unsigned left = CALLBACKS_MAX; left > 0 && (p = take_first(&pool->queue)); left--) {
		p->is_queued = false;
		end_one(p);
		if (p->state == PROMISE_REJECTED && !p->is_looked_at)
			doubt(p);
		release(p);
	}
	pool->is_working = false;
	if (pool->queue.first)
		event_loop_defer(loop, &pool->work);
}

static void report_neglected(struct event_loop *loop, void *context)
{
	struct promise_pool *pool = context;
	struct promise *doubtful = pool->doubtful;
	pool->doubtful = NULL;
	work_off(loop, pool); /* callbacks of this turn may still look */
	while (doubtful) {
		struct promise *p = doubtful;
		doubtful = p->next_doubtful;
		//> 5 Report it, if nobody has looked until now. Then give up the hold.
		if (!p->is_looked_at)
			pool->neglected(pool->context, p->value);
		release(p);
		//< 5
	}
}

/* Chains. */

static inline struct promise *chain(struct promise *before, enum role role, promise_step *step,
				    void *context)
{
	struct promise *p = before ? take(before->pool, role) : NULL;
	if (!p)
		return NULL;
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
	if (before)
		release(before);
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

static struct promise *combine(struct promise_pool *pool, enum role combination,
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
	whole->role = (uint8_t)combination;
	whole->parts_left = count;
	whole->value = count;
	for (unsigned i = 0; i < made; i++) {
		struct promise *part = parts;
		parts = part->next;
		if (made == count) {
			part->role = PART;
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
	//> 4 The operation has ended: so has the promise.
	//+ (void)result;
	settle(p, result < 0 ? PROMISE_REJECTED : PROMISE_FULFILLED, result);
	//< 4
	release(p);
}

struct promise *promise_operation(struct promise_pool *pool, const struct loop_request *request)
{
	struct promise *p = take(pool, OPERATION);
	if (!p)
		return NULL;
	p->op = event_loop_start(pool->loop, request, end_operation, p);
	if (p->op)
		p->holds++;
	else
		settle(p, PROMISE_REJECTED, -EAGAIN);
	return p;
}

static void end_delay(struct event_loop *loop, void *context)
{
	struct promise *p = context;
	(void)loop;
	settle(p, PROMISE_FULFILLED, 0);
	promise_drop(p);
}

/* Starts the timer that belongs to `p`. Returns 0 or -errno. */
static int start_timer(struct promise *p, loop_call *call, int64_t delay_ns)
{
	struct loop_timer *timer = timer_of(p);
	timer->call = call;
	timer->context = p;
	return event_loop_timer_start(p->pool->loop, timer, delay_ns, 0);
}

struct promise *promise_delay(struct promise_pool *pool, int64_t delay_ns)
{
	struct promise *p = take(pool, DELAY);
	if (!p)
		return NULL;
	int rc = start_timer(p, end_delay, delay_ns);
	if (rc < 0)
		settle(p, PROMISE_REJECTED, rc);
	else
		promise_hold(p); /* the timer's */
	return p;
}

/* Rejects one that follows another, and does so no more. Returns the other; NULL: it was given up. */
static struct promise *reject_early(struct promise *p, int64_t value)
{
	struct promise *before = p->before;
	if (before)
		take_out(&before->followers, p);
	settle(p, PROMISE_REJECTED, value);
	if (before)
		release(p); /* which `before` held */
	return before;
}

static void end_deadline(struct event_loop *loop, void *context)
{
	struct promise *p = context;
	(void)loop;
	//> 4 Time is up: `p` is rejected with -ETIMEDOUT, and what it has waited for is cancelled.
	//> It is not to hear of that end any more: reject_early() sees to that.
	//+ (void)p;
	promise_cancel(reject_early(p, -ETIMEDOUT));
	//< 4
}

struct promise *promise_with_deadline(struct promise *before, int64_t delay_ns)
{
	struct promise *p = chain(before, FOLLOWER, NULL, NULL);
	if (!p || before->state != PROMISE_PENDING)
		return p;
	p->role = DEADLINE;
	int rc = start_timer(p, end_deadline, delay_ns);
	if (rc < 0)
		reject_early(p, rc);
	return p;
}

void promise_cancel(struct promise *p)
{
	//> 4 Up to the beginning of the chain, through `before`: its end comes down again. What ended
	//> already stays as it is. An operation is called back, and its end comes through
	//> end_operation(). All else ends here. A delay has a timer, which held the promise.
	//+ (void)p;
	while (p && p->state == PROMISE_PENDING && p->before)
		p = p->before;
	if (!p || p->state != PROMISE_PENDING)
		return;
	if (p->role == OPERATION) {
		event_loop_cancel(p->pool->loop, p->op);
		return;
	}
	stop_timer(p);
	settle(p, PROMISE_REJECTED, -ECANCELED);
	if (p->role == DELAY)
		release(p);
	//< 4
}
