/* SPDX-License-Identifier: MIT */
/*
 * One job, written in five styles: with blocking calls, callbacks, promises, and await on stackless
 * and on stackful tasks. labs/12_async_await/styles/ has the five, side by side.
 *
 *     index block ──names──► blocks ──┬── in the file: READ
 *                                     └── at the lookup server: SEND a key, RECV the block
 *     each block ──computing──► its digest ──all of them──► the result: WRITE
 *
 * The job.     Read the index block from the file. Fetch the blocks that it names, from the file
 *              and from a lookup server, at most one at a time in each lane. Compute the digest of
 *              each. Write all digests as the result, in the order of the index.
 * Lanes.       A lane has a connection to the server and a buffer. So as many blocks are on their
 *              way at once as there are lanes. The style with blocking calls uses the first only.
 * Failing.     The first thing that goes wrong is the job's error: job_fail() keeps it. Nothing new
 *              begins after it. What is in flight is called back, and the job ends when all of that
 *              has ended. A job that failed before its result was written leaves no result.
 * Deadline.    A job that takes longer than its timeout fails with -ETIMEDOUT.
 * Cancelling.  job_fail(job, -ECANCELED). From a callback of the loop; with blocking calls from a
 *              signal handler or from another thread.
 * Short I/O.   A transfer that moved less than was asked for goes on with the rest. The end of the
 *              file or of the connection before that is -ENODATA.
 * Memory.      All is allocated by job_open(). A run allocates nothing.
 */
#ifndef IOLAB_STYLES_H
#define IOLAB_STYLES_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "event_loop.h"

/* What stands in the file, and what is sent and written. In the machine's own byte order. */

#define JOB_MAGIC	    UINT64_C(0x6c6f62656c6f6172)
#define JOB_PAGE_BYTES	    4096u
#define JOB_ENTRIES_MAX	    255u
#define JOB_BLOCK_BYTES_MAX 4096u

enum job_source { JOB_FROM_FILE, JOB_FROM_SERVER, JOB_SOURCE_COUNT };

struct job_entry {
	uint64_t source; /* enum job_source */
	uint64_t key; /* the block's offset in the file, or what the server is asked for */
};

struct job_index {
	uint64_t magic;
	uint64_t count;
	struct job_entry entries[JOB_ENTRIES_MAX];
};

struct job_result {
	uint64_t count;
	uint64_t digests[JOB_ENTRIES_MAX];
};

_Static_assert(sizeof(struct job_index) == JOB_PAGE_BYTES, "an index is one page");
_Static_assert(sizeof(struct job_result) <= JOB_PAGE_BYTES, "and a result fits into one");

/* What is computed of a block. `len_bytes` is a multiple of 8. */
uint64_t job_digest(const void *block, uint32_t len_bytes);

/* Opening and running. */

struct style;

struct job_config {
	const struct style *style;
	/* For the loop; NULL for a style with blocking calls. */
	const struct engine_ops *engine;
	uint64_t engine_options;
	int file; /* to read from */
	int result_file; /* to write to, at 0 */
	const int *connections; /* connected sockets, one for each lane */
	unsigned lane_count; /* at least 1 */
	uint32_t block_bytes; /* a multiple of 8, up to JOB_BLOCK_BYTES_MAX */
	int64_t timeout_ns; /* 0: none */
};

struct index_job;

/*
 * Opens the engine, a loop over it, and what the style needs. Returns 0, or -errno with `why`: what
 * the engine cannot do, in its own words. The descriptors stay the caller's, and open.
 */
int job_open(struct index_job **job, const struct job_config *config, struct reason *why);
void job_close(struct index_job *job);

/*
 * Does the job once. Returns 0, or the job's error. It may be run again, but after an error its
 * connections can only be closed. Blocks until the job has ended.
 */
int job_run(struct index_job *job);

/* Does nothing once the job has failed, or ended. `error` is negative. */
void job_fail(struct index_job *job, int error);

/* How many operations a run with this index takes, the two of the index and the result too. */
uint64_t job_operations(const struct job_index *index);

/* The styles. */

struct style {
	const char *name; /* "await_stackful" */
	const char *words; /* "await on stackful tasks" */
	bool blocks; /* it makes its calls itself, and has neither engine nor loop */
	/* Allocates `job->own`. Returns 0, or -errno with `why`, and then has nothing. NULL: needs none. */
	int (*open)(struct index_job *job, struct reason *why);
	/* Begins the job, which calls job_end(). A style that blocks returns when that is done. */
	void (*start)(struct index_job *job);
	/* The job has failed: calls back what is in flight. job->error says why. */
	void (*give_up)(struct index_job *job);
	void (*close)(struct index_job *job); /* frees `job->own`; NULL: has nothing */
};

extern const struct style style_blocking, style_callbacks, style_promises, style_await_stackless,
	style_await_stackful;

/* All of them, in this order, ended by NULL. */
extern const struct style *const styles[];

/* For the styles. */

struct job_lane {
	struct index_job *job;
	int connection;
	unsigned fd_slot;
	uint64_t *key; /* the request; in the loop's buffers, as the block */
	void *block;
	unsigned entry; /* the one that it works on */
};

struct index_job {
	const struct style *style;
	void *own; /* the style's */
	struct event_loop *loop; /* NULL for a style that blocks */
	int file, result_file;
	unsigned file_slot, result_slot;
	struct job_lane *lanes;
	unsigned lane_count;
	uint32_t block_bytes;
	int64_t timeout_ns; /* 0: none */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC */
	struct job_index *index;
	struct job_result *result;
	unsigned next_entry; /* the first that no lane has taken */
	bool is_running;
	int error; /* 0, or the first that happened */
	struct loop_timer timer;
};

/* The transfers of the job. */
struct loop_request job_read_index(const struct index_job *job);
struct loop_request job_read_block(const struct job_lane *lane);
struct loop_request job_ask(const struct job_lane *lane);
struct loop_request job_hear(const struct job_lane *lane);
struct loop_request job_write_result(const struct index_job *job);

/*
 * What a transfer's operation ended with: takes it off `left`. Returns 1 when more is left, 0 when
 * nothing is, or -errno.
 */
static inline int job_transferred(struct loop_request *left, int64_t result)
{
	if (result < 0)
		return (int)result;
	if (result == 0)
		return -ENODATA;
	left->buf = (char *)left->buf + result;
	left->offset += (uint64_t)result;
	left->len_bytes -= (uint32_t)result;
	return left->len_bytes > 0;
}

/* The index is here. Returns 0, or -EBADMSG for one that is none. */
int job_take_index(struct index_job *job);

/* The lane's next entry. Returns false when none is left, or the job has failed. */
bool job_next_entry(struct job_lane *lane);

static inline bool job_is_in_file(const struct job_lane *lane)
{
	return lane->job->index->entries[lane->entry].source == JOB_FROM_FILE;
}

/* The lane's block is here: computes. */
void job_take_block(struct job_lane *lane);

/* Nothing is in flight any more: the job has ended, well or not. */
void job_end(struct index_job *job);

#endif
