/* SPDX-License-Identifier: MIT */
/* What the five styles share: the job's data and transfers, its error and its deadline. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "random.h"
#include "styles.h"

const struct style *const styles[] = { &style_blocking,	      &style_callbacks,
				       &style_promises,	      &style_await_stackless,
				       &style_await_stackful, NULL };

/* Each kind of operation that the job needs. */
static const struct {
	enum io_kind kind;
	enum io_fd_kind fd_kind;
} needs[] = {
	{ IO_READ, IO_FD_FILE },
	{ IO_WRITE, IO_FD_FILE },
	{ IO_SEND, IO_FD_SOCKET },
	{ IO_RECV, IO_FD_SOCKET },
};

uint64_t job_digest(const void *block, uint32_t len_bytes)
{
	const uint64_t *words = block;
	uint64_t digest = len_bytes;
	for (uint32_t i = 0; i < len_bytes / 8; i++)
		digest = (digest ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return mix64(digest);
}

uint64_t job_operations(const struct job_index *index)
{
	uint64_t count = 2;
	for (uint64_t i = 0; i < index->count; i++)
		count += index->entries[i].source == JOB_FROM_FILE ? 1 : 2;
	return count;
}

/* Can the engine do the job? 0, or -errno with `why`. */
static int check_engine(const struct job_config *config, const struct event_loop *loop,
			struct reason *why)
{
	int rc = 0;
	if (config->engine->traits & IO_MOVES_NO_BYTES)
		return reason_set(why, "brings_no_index",
				  "an engine that moves no bytes brings no index to work on"),
		       -EOPNOTSUPP;
	if (config->timeout_ns > 0 && config->engine->traits & IO_BLOCKS_IN_SUBMIT)
		return reason_set(why, "keeps_no_deadline",
				  "one thread that sleeps in its calls cannot keep a deadline"),
		       -EOPNOTSUPP;
	for (unsigned i = 0; i < sizeof needs / sizeof *needs && rc == 0; i++)
		rc = event_loop_supports(loop, needs[i].kind, needs[i].fd_kind, why);
	return rc;
}

/* Attaches, and stores the number. Returns 0, or -errno with `why`. */
static int attach(struct index_job *job, int fd, enum io_fd_kind kind, unsigned *fd_slot,
		  struct reason *why)
{
	int rc = job->loop ? event_loop_attach(job->loop, fd, kind, why) : 0;
	*fd_slot = rc < 0 ? 0 : (unsigned)rc;
	return rc < 0 ? rc : 0;
}

/* The index, the result, then each lane's request and block. */
static size_t buffers_len_bytes(const struct job_config *config)
{
	return (2 + (size_t)config->lane_count) * JOB_PAGE_BYTES +
	       config->lane_count * sizeof(uint64_t);
}

static int divide_buffers(struct index_job *job, const struct job_config *config,
			  struct reason *why)
{
	char *at = job->loop ? event_loop_buffers(job->loop) : calloc(1, buffers_len_bytes(config));
	job->lanes = calloc(config->lane_count, sizeof *job->lanes);
	job->index = (struct job_index *)at;
	if (!at || !job->lanes)
		return reason_no_memory(why, "the job");
	job->result = (struct job_result *)(at + JOB_PAGE_BYTES);
	uint64_t *keys = (uint64_t *)(at + (2 + config->lane_count) * (size_t)JOB_PAGE_BYTES);
	int rc = attach(job, job->file, IO_FD_FILE, &job->file_slot, why);
	if (rc == 0)
		rc = attach(job, job->result_file, IO_FD_FILE, &job->result_slot, why);
	for (unsigned i = 0; i < config->lane_count && rc == 0; i++) {
		struct job_lane *lane = &job->lanes[i];
		lane->job = job;
		lane->connection = config->connections[i];
		lane->block = at + (2 + i) * (size_t)JOB_PAGE_BYTES;
		lane->key = &keys[i];
		rc = attach(job, lane->connection, IO_FD_SOCKET, &lane->fd_slot, why);
	}
	return rc;
}

static void release(struct index_job *job)
{
	if (job->loop)
		event_loop_close(job->loop);
	else
		free(job->index);
	free(job->lanes);
	free(job);
}

static void on_deadline(struct event_loop *loop, void *context)
{
	(void)loop;
	job_fail(context, -ETIMEDOUT);
}

int job_open(struct index_job **opened, const struct job_config *config, struct reason *why)
{
	assert(config->lane_count > 0 && config->block_bytes % 8 == 0 &&
	       config->block_bytes <= JOB_BLOCK_BYTES_MAX);
	struct index_job *job = calloc(1, sizeof *job);
	if (!job)
		return reason_no_memory(why, "the job");
	job->style = config->style;
	job->file = config->file;
	job->result_file = config->result_file;
	job->lane_count = config->lane_count;
	job->block_bytes = config->block_bytes;
	job->timeout_ns = config->timeout_ns;
	job->timer = (struct loop_timer) { .call = on_deadline, .context = job };
	int rc = 0;
	if (!config->style->blocks) {
		struct event_loop_config loop_config = {
			.engine = config->engine,
			.options = config->engine_options,
			.depth = config->lane_count,
			.max_fds = config->lane_count + 2,
			.buffers_len_bytes = buffers_len_bytes(config),
		};
		rc = event_loop_open(&job->loop, &loop_config, why);
		if (rc == 0)
			rc = check_engine(config, job->loop, why);
	}
	if (rc == 0 && job->loop) {
		/* So that the heap of timers has its place. */
		rc = event_loop_timer_start(job->loop, &job->timer, 0, 0);
		event_loop_timer_stop(job->loop, &job->timer);
	}
	if (rc == 0)
		rc = divide_buffers(job, config, why);
	if (rc == 0 && job->style->open)
		rc = job->style->open(job, why);
	if (rc < 0) {
		release(job);
		return rc;
	}
	*opened = job;
	return 0;
}

void job_close(struct index_job *job)
{
	if (job->style->close)
		job->style->close(job);
	release(job);
}

int job_run(struct index_job *job)
{
	job->error = 0;
	job->next_entry = 0;
	job->is_running = true;
	job->deadline_ns = clock_ns() + (uint64_t)job->timeout_ns;
	job->style->start(job);
	if (!job->loop)
		return job->error;
	int rc = 0;
	event_loop_update_now(job->loop);
	if (job->timeout_ns > 0)
		rc = event_loop_timer_start(job->loop, &job->timer, job->timeout_ns, 0);
	if (rc < 0)
		job_fail(job, rc);
	rc = event_loop_run(job->loop, LOOP_RUN);
	return rc < 0 ? rc : job->error;
}

void job_end(struct index_job *job)
{
	job->is_running = false;
	if (job->loop)
		event_loop_timer_stop(job->loop, &job->timer);
}

void job_fail(struct index_job *job, int error)
{
	int none = 0;
	/* In one step: with blocking calls this may come from elsewhere. */
	if (job->is_running && __atomic_compare_exchange_n(&job->error, &none, error, false,
							   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		job->style->give_up(job);
}

struct loop_request job_read_index(const struct index_job *job)
{
	return (struct loop_request) { .kind = IO_READ,
				       .fd_slot = job->file_slot,
				       .buf = job->index,
				       .len_bytes = sizeof *job->index };
}

int job_take_index(struct index_job *job)
{
	const struct job_index *index = job->index;
	bool is_whole = index->magic == JOB_MAGIC && index->count <= JOB_ENTRIES_MAX;
	for (uint64_t i = 0; is_whole && i < index->count; i++)
		is_whole = index->entries[i].source < JOB_SOURCE_COUNT;
	if (!is_whole)
		return -EBADMSG;
	job->result->count = index->count;
	return 0;
}

bool job_next_entry(struct job_lane *lane)
{
	struct index_job *job = lane->job;
	if (job->error < 0 || job->next_entry >= job->index->count)
		return false;
	lane->entry = job->next_entry++;
	return true;
}

static const struct job_entry *entry_of(const struct job_lane *lane)
{
	return &lane->job->index->entries[lane->entry];
}

struct loop_request job_read_block(const struct job_lane *lane)
{
	return (struct loop_request) { .kind = IO_READ,
				       .fd_slot = lane->job->file_slot,
				       .buf = lane->block,
				       .len_bytes = lane->job->block_bytes,
				       .offset = entry_of(lane)->key };
}

struct loop_request job_ask(const struct job_lane *lane)
{
	*lane->key = entry_of(lane)->key;
	return (struct loop_request) { .kind = IO_SEND,
				       .fd_slot = lane->fd_slot,
				       .buf = lane->key,
				       .len_bytes = sizeof *lane->key };
}

struct loop_request job_hear(const struct job_lane *lane)
{
	return (struct loop_request) { .kind = IO_RECV,
				       .fd_slot = lane->fd_slot,
				       .buf = lane->block,
				       .len_bytes = lane->job->block_bytes };
}

void job_take_block(struct job_lane *lane)
{
	lane->job->result->digests[lane->entry] = job_digest(lane->block, lane->job->block_bytes);
}

struct loop_request job_write_result(const struct index_job *job)
{
	uint64_t words = 1 + job->result->count;
	return (struct loop_request) { .kind = IO_WRITE,
				       .fd_slot = job->result_slot,
				       .buf = job->result,
				       .len_bytes = (uint32_t)(words * sizeof(uint64_t)) };
}
