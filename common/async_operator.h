/* SPDX-License-Identifier: MIT */
/*
 * An asynchronous operator: it takes a stream of records, asks something outside for each (a
 * database, a service, a disk), keeps many such questions in flight, and passes the answers on.
 *
 *     source ──put──► queue ──invoke──► the program's own asynchronous call
 *                       │                        │
 *     sink ◄──emit──────┘ ◄───complete───────────┘
 *
 * The model is the asynchronous I/O operator of Apache Flink 1.18.
 *
 * Records.     A record is a pointer, which belongs to the program. It is in the operator from
 *              put() until its results were emitted, or the operator has failed.
 * Completion.  Each invoke() gets a ticket. The first completion by it counts; a later one, and one
 *              of an earlier attempt, does nothing. A record has none, one or many results.
 * Order.       Ordered: results leave in the order of the records. Unordered: as they come, but no
 *              record overtakes a watermark, and no watermark a record.
 * Capacity.    At most `capacity` records and watermarks are inside. When it is full, put() refuses,
 *              and `has_room` is called when there is room again: that is back-pressure.
 * Timeout.     One for each record, over all of its attempts and the pauses between them. It counts
 *              from put(). Without `timed_out` the operator fails with -ETIMEDOUT.
 * Retry.       By result, by error, or both; after a pause that grows, for each record by itself. A
 *              record keeps its place meanwhile.
 * Failure.     An error that is not tried again fails the operator: `failed` is called, once, and
 *              nothing is emitted afterwards. What is in flight may complete; nobody hears of it.
 * The end.     After finish() nothing is tried again: records that pause before another attempt are
 *              tried at once, for the last time, and what is in flight counts as it ends. `ended` is
 *              called when all has been emitted.
 * Callbacks.   They run from the loop, never inside put(), complete() or fail(). Only invoke() is
 *              called by put() itself, and what decides about a retry by complete() and fail(). An
 *              invoke() may complete at once.
 * Memory.      All that the operator itself needs is allocated by open(). The loop's heap of timers may
 *              still grow. When it cannot, the operator fails with -ENOMEM, and a record that was just
 *              put is not invoked.
 * Threads.     All calls come from the loop's thread. Who gets an answer in another thread hands it
 *              over by event_loop_wake().
 */
#ifndef IOLAB_ASYNC_OPERATOR_H
#define IOLAB_ASYNC_OPERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "event_loop.h"

struct async_operator;

/* One attempt at one record. Passed by value, and never stale: it is known when it is too late. */
struct operator_ticket {
	struct async_operator *op;
	uint32_t place;
	uint32_t attempt; /* of this place, over all records */
};

/* The results of one record, an array that is valid during the call. */
struct operator_results {
	void *const *items;
	unsigned count;
};

/*
 * An attempt whose result by_result() wants to be tried again, or whose error by_error(), is followed by
 * another, as long as there are `attempts` left. The first pause is `pause_ns`. Each further one is the
 * last one times `factor`, and at most `pause_max_ns`.
 */
struct operator_retry {
	unsigned attempts; /* after the first one; 0: no retry */
	bool (*by_result)(void *context, void *record,
			  struct operator_results results); /* or NULL */
	bool (*by_error)(void *context, void *record, int error); /* or NULL */
	int64_t pause_ns; /* before the second attempt */
	double factor; /* each further pause is the last one times this; 0 or 1: all are equal */
	int64_t pause_max_ns; /* 0: no limit */
};

struct operator_config {
	struct event_loop *loop;
	bool is_ordered;
	unsigned capacity; /* above 0 */
	unsigned results_max; /* that a record may have; 0: 1 */
	int64_t timeout_ns; /* 0: none, which a retry does not allow */
	struct operator_retry retry;
	void *context; /* of all calls below */

	/* Begins to answer. It calls operator_complete() or operator_fail(), now or later. */
	void (*invoke)(void *context, void *record, struct operator_ticket ticket);
	/* The time is over. It may complete by the ticket, and does so before it returns; else, or
	 * when this is NULL, the operator fails. */
	void (*timed_out)(void *context, void *record, struct operator_ticket ticket);
	void (*emit)(void *context, void *record, struct operator_results results);
	void (*emit_watermark)(void *context, int64_t timestamp); /* may be NULL */
	void (*has_room)(void *context); /* may be NULL */
	void (*failed)(void *context, void *record, int error);
	void (*ended)(void *context); /* may be NULL */
};

/* Returns 0, or -errno with `why`: -EINVAL names the setting that is wrong. */
int operator_open(struct async_operator **op, const struct operator_config *config,
		  struct reason *why);

/* Gives up all that is inside, without a call. Tickets may not be used afterwards. */
void operator_close(struct async_operator *op);

/*
 * Takes a record and invokes it. Returns 0; -EAGAIN when it is full; -EPIPE after finish(); the
 * operator's error when it has failed.
 */
int operator_put(struct async_operator *op, void *record);

/* Takes a watermark, which needs a place as a record does. Returns as operator_put(). */
int operator_put_watermark(struct async_operator *op, int64_t timestamp);

/* No record comes any more. */
void operator_finish(struct async_operator *op);

/*
 * What an attempt came to. Return true when it counted. More results than `results_max` are an
 * error of the record, -E2BIG.
 */
bool operator_complete(struct operator_ticket ticket, void *const *results, unsigned count);
bool operator_fail(struct operator_ticket ticket, int error);

/* What is inside. */
unsigned operator_in_flight(const struct async_operator *op);
unsigned operator_capacity_left(const struct async_operator *op);

/*
 * A snapshot: calls `keep` for each record that is inside and was not emitted, and each watermark,
 * in the order in which they came. To restore, put them again, first of all: calls happen at least
 * once, results are emitted exactly once.
 */
void operator_snapshot(const struct async_operator *op,
		       void (*keep_record)(void *context, void *record),
		       void (*keep_watermark)(void *context, int64_t timestamp), void *context);

#endif
