/* SPDX-License-Identifier: MIT */
/* A first-in, first-out queue of operations, linked through `next`: no allocation, no limit. */
#ifndef IOLAB_OP_QUEUE_H
#define IOLAB_OP_QUEUE_H

#include <errno.h>

#include "io_engine.h"

/* Must not be moved or copied once it is initialised: `end` points into it while it is empty. */
struct op_queue {
	struct io_op *first;
	struct io_op **end; /* where the next one is linked */
	unsigned count;
};

static inline void op_queue_init(struct op_queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
	queue->count = 0;
}

static inline void op_queue_push(struct op_queue *queue, struct io_op *op)
{
	op->next = NULL;
	*queue->end = op;
	queue->end = &op->next;
	queue->count++;
}

/* Pushes an operation that is over: `result` is bytes or -errno. */
static inline void op_queue_finish(struct op_queue *finished, struct io_op *op, int64_t result)
{
	op->result = result;
	op_queue_push(finished, op);
}

/* The oldest, or NULL when the queue is empty. */
static inline struct io_op *op_queue_pop(struct op_queue *queue)
{
	struct io_op *op = queue->first;
	if (!op)
		return NULL;
	queue->first = op->next;
	if (!queue->first)
		queue->end = &queue->first;
	queue->count--;
	return op;
}

/* Takes one operation out. Returns whether it was there. Looks through all of them. */
static inline bool op_queue_remove(struct op_queue *queue, struct io_op *op)
{
	struct io_op **at = &queue->first;
	while (*at && *at != op)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = op->next;
	if (queue->end == &op->next)
		queue->end = at;
	queue->count--;
	return true;
}

/* Takes one operation back that waits: it is finished with -ECANCELED. Returns whether it was there. */
static inline bool op_queue_cancel_one(struct op_queue *waiting, struct op_queue *finished,
				       struct io_op *op)
{
	if (!op_queue_remove(waiting, op))
		return false;
	op_queue_finish(finished, op, -ECANCELED);
	return true;
}

/* Takes back all that waits: each is finished with -ECANCELED. */
static inline void op_queue_cancel(struct op_queue *waiting, struct op_queue *finished)
{
	for (struct io_op *op; (op = op_queue_pop(waiting));)
		op_queue_finish(finished, op, -ECANCELED);
}

/* Moves up to `max` of the oldest to `ops` and returns how many: the last step of reap(). */
static inline unsigned op_queue_take(struct op_queue *queue, struct io_op **ops, unsigned max)
{
	unsigned n = 0;
	struct io_op *op = queue->first;
	for (; n < max && op; op = op->next)
		ops[n++] = op;
	queue->first = op;
	if (!op)
		queue->end = &queue->first;
	queue->count -= n;
	return n;
}

#endif
