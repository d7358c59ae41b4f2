/* SPDX-License-Identifier: MIT */
/*
 * With await, on tasks without a stack. The job reads almost as with blocking calls. Whatever lives
 * across an await is a member of the task's structure and no variable, since the function returns at
 * each await and is called anew when it goes on. Only the task's own function can await, so what
 * would be a function that awaits (TRANSFER) is a macro. A compiler with `async` does both for you.
 */
#include <stdlib.h>

#include "await.h"
#include "styles.h"

struct lane_task {
	struct task task;
	struct job_lane *lane;
	struct loop_request left;
	int rc;
};

struct job_task {
	struct task task;
	struct index_job *job;
	struct loop_request left;
	int rc;
	struct task_group group;
	struct lane_task lanes[];
};

/* All of `request`, to `self->rc`. */
#define TRANSFER(self, request)                                                                    \
	do {                                                                                       \
		(self)->left = (request);                                                          \
		do {                                                                               \
			AWAIT_OPERATION(&(self)->task, &(self)->left);                             \
			(self)->rc = job_transferred(&(self)->left, (self)->task.result);          \
		} while ((self)->rc > 0);                                                          \
	} while (0)

static bool fetch_blocks(struct task *task)
{
	struct lane_task *self = (struct lane_task *)task;
	struct job_lane *lane = self->lane;
	STACKLESS_BEGIN(&task->at);
	self->rc = 0;
	while (self->rc == 0 && job_next_entry(lane)) {
		if (job_is_in_file(lane)) {
			TRANSFER(self, job_read_block(lane));
		} else {
			TRANSFER(self, job_ask(lane));
			if (self->rc == 0)
				TRANSFER(self, job_hear(lane));
		}
		if (self->rc == 0)
			job_take_block(lane);
	}
	if (self->rc < 0)
		job_fail(lane->job, self->rc);
	STACKLESS_END(&task->at);
}

static bool do_job(struct task *task)
{
	struct job_task *self = (struct job_task *)task;
	struct index_job *job = self->job;
	STACKLESS_BEGIN(&task->at);
	TRANSFER(self, job_read_index(job));
	if (self->rc == 0)
		self->rc = job_take_index(job);
	if (self->rc == 0) {
		for (unsigned i = 0; i < job->lane_count; i++) {
			task_start_stackless(&self->lanes[i].task, job->loop, fetch_blocks);
			task_join(&self->lanes[i].task, &self->group);
		}
		AWAIT_GROUP(task, &self->group);
		self->rc = job->error;
	}
	if (self->rc == 0)
		TRANSFER(self, job_write_result(job));
	if (self->rc < 0)
		job_fail(job, self->rc);
	job_end(job);
	STACKLESS_END(&task->at);
}

static void start(struct index_job *job)
{
	struct job_task *self = job->own;
	task_start_stackless(&self->task, job->loop, do_job);
}

static void give_up(struct index_job *job)
{
	struct job_task *self = job->own;
	task_cancel(&self->task);
}

static int open_tasks(struct index_job *job, struct reason *why)
{
	struct job_task *self = calloc(1, sizeof *self + job->lane_count * sizeof *self->lanes);
	if (!self)
		return reason_no_memory(why, "the job");
	self->job = job;
	for (unsigned i = 0; i < job->lane_count; i++)
		self->lanes[i].lane = &job->lanes[i];
	job->own = self;
	return 0;
}

static void close_tasks(struct index_job *job)
{
	free(job->own);
}

const struct style style_await_stackless = {
	.name = "await_stackless",
	.words = "await on stackless tasks",
	.open = open_tasks,
	.start = start,
	.give_up = give_up,
	.close = close_tasks,
};
