/* SPDX-License-Identifier: MIT */
/*
 * Promises over an event loop: a result that is not there yet, as a thing that can be kept, passed
 * on, chained and combined.
 *
 *     struct promise *size = promise_operation(pool, &read_header);
 *     struct promise *body = promise_then(size, read_body, file);
 *     struct promise *all = promise_catch(body, say_what_failed, file);
 *
 * States.      Pending; then fulfilled with a value, or rejected with one (mostly -errno). Once:
 *              who settles a second time is told so by -EALREADY, and nothing changes.
 * Callbacks.   They run from the loop, in its step of deferred calls, in the order in which they
 *              became due. Never inside then(), fulfil() or reject(). A chain without an end does
 *              not hold up the loop's other steps.
 * Chains.      then(), catch() and finally() make a new promise of what the callback answers: a
 *              value (PROMISE_VALUE), a rejection (PROMISE_REJECTION), or another promise whose end
 *              it follows (PROMISE_FOLLOW). A rejection passes by every then() to the next catch().
 * Holding.     A promise that a function returns is held by the caller, who gives it up by
 *              promise_drop(). A promise lives while it is held, while the loop works on it, and
 *              while what it follows is pending. So a chain of which only the last promise is kept
 *              is whole, and one of which nothing is kept goes on and frees itself.
 * Neglect.     A rejection that nobody has looked at by the next turn of the loop is reported once,
 *              through `neglected`. then(), catch(), finally(), await and the combinators look.
 * Memory.      From the pool, never from malloc(3) once it is open. A pool that is empty returns
 *              NULL; every function here that takes promises takes NULL too and returns NULL.
 * Threads.     All calls come from the loop's thread.
 */
#ifndef IOLAB_PROMISE_H
#define IOLAB_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

#include "event_loop.h"

struct promise;
struct promise_pool;

struct promise_pool_config {
	struct event_loop *loop; /* which outlives the pool */
	unsigned count; /* promises that may exist at once; each deadline takes one more */
	/* Told of each rejection that nobody looked at; NULL: it is printed to stderr. */
	void (*neglected)(void *context, int64_t value);
	void *context;
};

/* Returns 0, or -errno with `why`; then nothing is kept. */
int promise_pool_open(struct promise_pool **pool, const struct promise_pool_config *config,
		      struct reason *why);

/* Frees all of them, settled or not. No operation of theirs may be in flight. */
void promise_pool_close(struct promise_pool *pool);

/* How many exist now: 0 when every chain has ended and nothing is held. */
unsigned promise_pool_used(const struct promise_pool *pool);

/* What a callback answers. Returned in two registers. */
struct promise_answer {
	const struct promise *follows; /* NULL, PROMISE_REJECTED, or the promise to follow */
	int64_t value;
};

extern const struct promise *const promise_rejected_answer;

#define PROMISE_VALUE(value_)	  ((struct promise_answer) { NULL, (value_) })
#define PROMISE_REJECTION(value_) ((struct promise_answer) { promise_rejected_answer, (value_) })
/* Takes over the caller's hold on `promise_`. NULL (the pool was empty) rejects with -ENOMEM. */
#define PROMISE_FOLLOW(promise_) promise_follow(promise_)
struct promise_answer promise_follow(struct promise *promise);

/* `value` is what the promise before was settled with. */
typedef struct promise_answer promise_step(void *context, int64_t value);

/* Making and settling. */

/* A pending one, for whoever settles it. */
struct promise *promise_new(struct promise_pool *pool);

/* Return 0, or -EALREADY for one that is settled, or that follows another one, and for NULL. */
int promise_fulfil(struct promise *promise, int64_t value);
int promise_reject(struct promise *promise, int64_t value);

/* Another holder. Returns `promise`. */
struct promise *promise_hold(struct promise *promise);
void promise_drop(struct promise *promise);

enum promise_state { PROMISE_PENDING, PROMISE_FULFILLED, PROMISE_REJECTED };

/*
 * `*value` is set when it is settled; may be NULL. Counts as looking at it, now or when it is rejected
 * later. A promise that is NULL, since the pool was empty, is rejected with -ENOMEM.
 */
enum promise_state promise_state(struct promise *promise, int64_t *value);

/* From the loop. */

/*
 * Starts an operation. Fulfilled with its result, rejected with -errno; with -EAGAIN when the loop's
 * depth is used up. promise_cancel() calls it back.
 */
struct promise *promise_operation(struct promise_pool *pool, const struct loop_request *request);

/* Fulfilled with 0 in `delay_ns`. */
struct promise *promise_delay(struct promise_pool *pool, int64_t delay_ns);

/* Chains. `promise` stays with its holder. */

struct promise *promise_then(struct promise *promise, promise_step *step, void *context);
struct promise *promise_catch(struct promise *promise, promise_step *step, void *context);
/* The same, and take over the caller's hold: for a chain of which only the last one is kept. */
struct promise *promise_and_then(struct promise *promise, promise_step *step, void *context);
struct promise *promise_and_catch(struct promise *promise, promise_step *step, void *context);
/*
 * Called either way; `promise`'s own end passes by, unless the answer is a rejection. A promise in
 * the answer is not waited for.
 */
struct promise *promise_finally(struct promise *promise, promise_step *step, void *context);

/*
 * Calls `step` once when `promise` is settled; what it answers does not count. What await is made
 * of. Returns false when the pool is empty.
 */
bool promise_await(struct promise *promise, promise_step *step, void *context);

/*
 * Combined. The promises stay with their holders. Each settles as soon as its end is known. Of no promises
 * at all, all() is fulfilled with 0, any() rejected with -ENOENT, and race() pending for ever.
 */

/* Fulfilled with `count` when all are; rejected as the first that is. */
struct promise *promise_all(struct promise_pool *pool, struct promise *const *promises,
			    unsigned count);
/* Fulfilled as the first that is; rejected as the last when all are. */
struct promise *promise_any(struct promise_pool *pool, struct promise *const *promises,
			    unsigned count);
/* Settled as the first that is. */
struct promise *promise_race(struct promise_pool *pool, struct promise *const *promises,
			     unsigned count);

/*
 * As `promise`, but rejected with -ETIMEDOUT after `delay_ns`; then `promise` is cancelled, as by
 * promise_cancel().
 */
struct promise *promise_with_deadline(struct promise *promise, int64_t delay_ns);

/*
 * Gives up what the promise waits for: the operation or the delay at the beginning of its chain is
 * called back, and the rejection (-ECANCELED) comes down the chain. One that waits for promise_new()
 * is rejected itself, and so is a combined one, whose parts go on. An operation may have ended
 * already: then its result comes.
 */
void promise_cancel(struct promise *promise);

#endif
