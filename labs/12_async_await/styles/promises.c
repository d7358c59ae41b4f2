/* SPDX-License-Identifier: MIT */
/*
 * With promises. A transfer is an object now, made of a callback once, in transfer(). What comes
 * after it is hung on it where it belongs, so start() and next_block() have the parts of the job in
 * their order, and a rejection passes by all parts up to the one that catches it. The parts are
 * functions still. And a loop is a part that begins the next round in a chain of its own: were each
 * round to follow the next one, the chain would grow until the end.
 */
#include <assert.h>
#include <stdlib.h>

#include "promise.h"
#include "styles.h"

/* A line of things that are done one after another: that of the job, and one in each lane. */
struct line {
	struct index_job *job;
	struct job_lane *lane; /* NULL in the job's own */
	struct loop_request left;
	struct loop_op *op; /* in flight, or NULL */
	struct promise *moved; /* of the transfer, until it is settled */
	struct promise *ended; /* of a lane */
};

struct promises {
	struct promise_pool *pool;
	struct promise **ended; /* of all lanes */
	struct line line;
	struct line lanes[];
};

/* In each line, at most: two rounds of a chain of four, the lane's end, and its part in the whole. */
#define PROMISES_EACH 10

static void start_operation(struct line *line);

static void on_operation(struct event_loop *loop, void *context, int64_t result)
{
	struct line *line = context;
	(void)loop;
	line->op = NULL;
	int rc = job_transferred(&line->left, result);
	if (rc > 0) {
		start_operation(line);
		return;
	}
	if (rc < 0)
		promise_reject(line->moved, rc);
	else
		promise_fulfil(line->moved, 0);
	promise_drop(line->moved);
}

static void start_operation(struct line *line)
{
	line->op = event_loop_start(line->job->loop, &line->left, on_operation, line);
	if (line->job->error < 0) /* it has failed since this part was hung on the one before */
		event_loop_cancel(line->job->loop, line->op);
}

/* Fulfilled when all of it was moved. */
static struct promise *transfer(struct line *line, struct loop_request request)
{
	const struct promises *own = line->job->own;
	line->left = request;
	line->moved = promise_new(own->pool);
	start_operation(line);
	return promise_hold(line->moved);
}

static struct promise_answer hear(void *context, int64_t value)
{
	struct line *line = context;
	(void)value;
	return PROMISE_FOLLOW(transfer(line, job_hear(line->lane)));
}

static struct promise *fetch_block(struct line *line)
{
	if (job_is_in_file(line->lane))
		return transfer(line, job_read_block(line->lane));
	return promise_and_then(transfer(line, job_ask(line->lane)), hear, line);
}

static struct promise_answer fail_lane(void *context, int64_t error)
{
	struct line *line = context;
	job_fail(line->job, (int)error);
	promise_fulfil(line->ended, 0);
	return PROMISE_VALUE(0);
}

static struct promise_answer take_block(void *context, int64_t value);

static void next_block(struct line *line)
{
	if (!job_next_entry(line->lane)) {
		promise_fulfil(line->ended, 0);
		return;
	}
	struct promise *taken = promise_and_then(fetch_block(line), take_block, line);
	promise_drop(promise_and_catch(taken, fail_lane, line));
}

static struct promise_answer take_block(void *context, int64_t value)
{
	struct line *line = context;
	job_take_block(line->lane);
	next_block(line);
	return PROMISE_VALUE(value);
}

/* Fulfilled when all lanes have ended, well or not. */
static struct promise_answer fetch_all(void *context, int64_t value)
{
	struct index_job *job = context;
	struct promises *own = job->own;
	(void)value;
	int rc = job_take_index(job);
	if (rc < 0)
		return PROMISE_REJECTION(rc);
	for (unsigned i = 0; i < job->lane_count; i++) {
		own->ended[i] = own->lanes[i].ended = promise_new(own->pool);
		next_block(&own->lanes[i]);
	}
	return PROMISE_FOLLOW(promise_all(own->pool, own->ended, job->lane_count));
}

static struct promise_answer write_result(void *context, int64_t value)
{
	struct index_job *job = context;
	struct promises *own = job->own;
	(void)value;
	if (job->error < 0)
		return PROMISE_REJECTION(job->error);
	return PROMISE_FOLLOW(transfer(&own->line, job_write_result(job)));
}

static struct promise_answer fail(void *context, int64_t error)
{
	job_fail(context, (int)error);
	return PROMISE_VALUE(0);
}

static struct promise_answer end(void *context, int64_t value)
{
	struct index_job *job = context;
	struct promises *own = job->own;
	for (unsigned i = 0; i < job->lane_count; i++) {
		promise_drop(own->lanes[i].ended);
		own->lanes[i].ended = NULL;
	}
	job_end(job);
	return PROMISE_VALUE(value);
}

static void start(struct index_job *job)
{
	struct promises *own = job->own;
	struct promise *index = transfer(&own->line, job_read_index(job));
	struct promise *fetched = promise_and_then(index, fetch_all, job);
	struct promise *written = promise_and_then(fetched, write_result, job);
	struct promise *caught = promise_and_catch(written, fail, job);
	promise_drop(promise_and_then(caught, end, job));
}

static void give_up(struct index_job *job)
{
	struct promises *own = job->own;
	for (unsigned i = 0; i < job->lane_count; i++)
		if (own->lanes[i].op)
			event_loop_cancel(job->loop, own->lanes[i].op);
	if (own->line.op)
		event_loop_cancel(job->loop, own->line.op);
}

static void close_pool(struct index_job *job)
{
	struct promises *own = job->own;
	if (own->pool) {
		assert(promise_pool_used(own->pool) == 0);
		promise_pool_close(own->pool);
	}
	free(own->ended);
	free(own);
}

static int open_pool(struct index_job *job, struct reason *why)
{
	struct promises *own = calloc(1, sizeof *own + job->lane_count * sizeof *own->lanes);
	if (!own)
		return reason_no_memory(why, "the job");
	struct promise_pool_config config = { .loop = job->loop,
					      .count = (1 + job->lane_count) * PROMISES_EACH };
	job->own = own;
	own->ended = calloc(job->lane_count, sizeof(struct promise *));
	int rc = own->ended ? promise_pool_open(&own->pool, &config, why)
			    : reason_no_memory(why, "the job");
	if (rc < 0) {
		close_pool(job);
		return rc;
	}
	own->line.job = job;
	for (unsigned i = 0; i < job->lane_count; i++)
		own->lanes[i] = (struct line) { .job = job, .lane = &job->lanes[i] };
	return 0;
}

const struct style style_promises = {
	.name = "promises",
	.words = "promises",
	.open = open_pool,
	.start = start,
	.give_up = give_up,
	.close = close_pool,
};
