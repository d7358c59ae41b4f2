/* SPDX-License-Identifier: MIT */
/*
 * With await, on tasks that have stacks of their own. The job reads as with blocking calls: the same
 * loops, the same variables, the same way out. But a wait suspends one task only, and the thread goes
 * on with the others. So there is a task in each lane, and one that waits for them as a group.
 * Cancelling that one cancels its group.
 *
 * What awaits is inlined into the task's own function, since a switch is cheap only then
 * (common/coroutine.h).
 */
#include "await.h"
#include "styles.h"

#include <stdlib.h>

#define STACK_BYTES 16384

struct tasks {
	struct task_pool *pool;
	struct task *whole; /* the task of the whole job */
};

static inline __attribute__((always_inline)) int transfer(struct task *self,
							  struct loop_request left)
{
	int rc;
	do
		rc = job_transferred(&left, await_operation(self, &left));
	while (rc > 0);
	return rc;
}

static void fetch_blocks(void *argument)
{
	struct task *self = task_current();
	struct job_lane *lane = argument;
	int rc = 0;
	while (rc == 0 && job_next_entry(lane)) {
		if (job_is_in_file(lane)) {
			rc = transfer(self, job_read_block(lane));
		} else {
			rc = transfer(self, job_ask(lane));
			if (rc == 0)
				rc = transfer(self, job_hear(lane));
		}
		if (rc == 0)
			job_take_block(lane);
	}
	if (rc < 0)
		job_fail(lane->job, rc);
}

static void do_job(void *argument)
{
	struct task *self = task_current();
	struct index_job *job = argument;
	struct tasks *own = job->own;
	struct task_group lanes = { 0 };
	int rc = transfer(self, job_read_index(job));
	if (rc == 0)
		rc = job_take_index(job);
	if (rc == 0) {
		for (unsigned i = 0; i < job->lane_count; i++)
			task_join(task_start(own->pool, fetch_blocks, &job->lanes[i]), &lanes);
		await_group(self, &lanes);
		rc = job->error;
	}
	if (rc == 0)
		rc = transfer(self, job_write_result(job));
	if (rc < 0)
		job_fail(job, rc);
	job_end(job);
}

static void start(struct index_job *job)
{
	struct tasks *own = job->own;
	own->whole = task_start(own->pool, do_job, job);
}

static void give_up(struct index_job *job)
{
	const struct tasks *own = job->own;
	task_cancel(own->whole);
}

static int open_tasks(struct index_job *job, struct reason *why)
{
	struct tasks *own = calloc(1, sizeof *own);
	if (!own)
		return reason_no_memory(why, "the job");
	int rc = task_pool_open(&own->pool, job->loop, NULL, 1 + job->lane_count, STACK_BYTES, why);
	if (rc < 0)
		free(own);
	else
		job->own = own;
	return rc;
}

static void close_tasks(struct index_job *job)
{
	struct tasks *own = job->own;
	task_pool_close(own->pool);
	free(own);
}

const struct style style_await_stackful = {
	.name = "await_stackful",
	.words = "await on stackful tasks",
	.open = open_tasks,
	.start = start,
	.give_up = give_up,
	.close = close_tasks,
};
