/* SPDX-License-Identifier: MIT */
/*
 * With callbacks. Each wait cuts the program in two: what comes after it is another function. So the
 * job reads from on_index() to on_written(), with a detour for each block, and what a function has
 * to remember across a wait lies in a structure. Loops are gone too: a lane's loop over blocks is
 * next_block() and on_block(), which call each other by way of the event loop.
 */
#include <stdlib.h>

#include "styles.h"

/* A line of things that are done one after another: that of the job, and one in each lane. */
struct line {
	struct index_job *job;
	struct job_lane *lane; /* NULL in the job's own */
	struct loop_request left;
	struct loop_op *op; /* in flight, or NULL */
	void (*then)(struct line *line, int rc);
};

struct callbacks {
	unsigned busy_lanes;
	struct line line;
	struct line lanes[];
};

static void transfer(struct line *line, struct loop_request request,
		     void (*then)(struct line *line, int rc));

static void on_operation(struct event_loop *loop, void *context, int64_t result)
{
	struct line *line = context;
	(void)loop;
	line->op = NULL;
	int rc = job_transferred(&line->left, result);
	if (rc > 0)
		transfer(line, line->left, line->then);
	else
		line->then(line, rc);
}

static void transfer(struct line *line, struct loop_request request,
		     void (*then)(struct line *line, int rc))
{
	line->left = request;
	line->then = then;
	line->op = event_loop_start(line->job->loop, &line->left, on_operation, line);
	if (line->job->error < 0) /* it failed when the operation before was over already */
		event_loop_cancel(line->job->loop, line->op);
}

static void on_written(struct line *line, int rc)
{
	if (rc < 0)
		job_fail(line->job, rc);
	job_end(line->job);
}

static void end_lane(struct line *line, int rc)
{
	struct index_job *job = line->job;
	struct callbacks *own = job->own;
	if (rc < 0)
		job_fail(job, rc);
	if (--own->busy_lanes > 0)
		return;
	if (job->error < 0)
		job_end(job);
	else
		transfer(&own->line, job_write_result(job), on_written);
}

static void next_block(struct line *line);

static void on_block(struct line *line, int rc)
{
	if (rc < 0) {
		end_lane(line, rc);
		return;
	}
	job_take_block(line->lane);
	next_block(line);
}

static void on_asked(struct line *line, int rc)
{
	if (rc < 0)
		end_lane(line, rc);
	else
		transfer(line, job_hear(line->lane), on_block);
}

static void next_block(struct line *line)
{
	if (!job_next_entry(line->lane))
		end_lane(line, 0);
	else if (job_is_in_file(line->lane))
		transfer(line, job_read_block(line->lane), on_block);
	else
		transfer(line, job_ask(line->lane), on_asked);
}

static void on_index(struct line *line, int rc)
{
	struct index_job *job = line->job;
	struct callbacks *own = job->own;
	if (rc == 0)
		rc = job_take_index(job);
	if (rc < 0) {
		job_fail(job, rc);
		job_end(job);
		return;
	}
	own->busy_lanes = job->lane_count;
	for (unsigned i = 0; i < job->lane_count; i++)
		next_block(&own->lanes[i]);
}

static void start(struct index_job *job)
{
	struct callbacks *own = job->own;
	transfer(&own->line, job_read_index(job), on_index);
}

static void give_up(struct index_job *job)
{
	struct callbacks *own = job->own;
	for (unsigned i = 0; i < job->lane_count; i++)
		if (own->lanes[i].op)
			event_loop_cancel(job->loop, own->lanes[i].op);
	if (own->line.op)
		event_loop_cancel(job->loop, own->line.op);
}

static int open_lines(struct index_job *job, struct reason *why)
{
	struct callbacks *own = calloc(1, sizeof *own + job->lane_count * sizeof *own->lanes);
	if (!own)
		return reason_no_memory(why, "the job");
	own->line.job = job;
	for (unsigned i = 0; i < job->lane_count; i++)
		own->lanes[i] = (struct line) { .job = job, .lane = &job->lanes[i] };
	job->own = own;
	return 0;
}

static void close_lines(struct index_job *job)
{
	free(job->own);
}

const struct style style_callbacks = {
	.name = "callbacks",
	.words = "callbacks of the event loop",
	.open = open_lines,
	.start = start,
	.give_up = give_up,
	.close = close_lines,
};
