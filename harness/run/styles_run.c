/* SPDX-License-Identifier: MIT */
#include "run/styles_run.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json_put.h"
#include "base/remark.h"
#include "base/statistics.h"
#include "clock.h"
#include "meters/cpu_time.h"
#include "random.h"
#include "workloads/index_file.h"
#include "workloads/lookup_server.h"
#include "workloads/memory_engine.h"
#include "workloads/probe_target.h"

/* A style's turn is short, so that what disturbs one disturbs the next one, too. */
#define TURN_NS	  NS_PER_MS
#define TURNS_MAX 20000u

/* Weighed with so many lanes that what is there once does not count. */
#define WEIGHED_LANES 1000u
#define WEIGHED_RUNS  3

struct styles_bench {
	const struct styles_task *task;
	struct job_index index;
	struct job_result expected, written;
	struct index_image image;
	int file; /* -1: none */
	uint64_t operations; /* of one job */
	unsigned count; /* of styles */
	struct timed_style {
		const struct style *style;
		struct lookup_server server;
		struct index_job *job;
		int result_file; /* -1: none */
		uint64_t jobs;
		double *op_ns, *cpu_ns; /* [TURNS_MAX] */
		unsigned turns;
	} styles[STYLES_MAX];
};

bool styles_fits(const struct styles_task *task, const struct style *style)
{
	return style->blocks == !task->engine;
}

/* The job of one style, with its own engine, connections and result. Returns 0, or -errno with `why`. */
static int open_style(struct styles_bench *b, struct timed_style *timed, struct reason *why)
{
	const struct styles_task *task = b->task;
	bool in_memory = task->engine == &memory_engine;
	int *no_connections = calloc(task->lane_count, sizeof(int));
	struct job_config config = { .style = timed->style,
				     .engine = task->engine,
				     .engine_options = task->engine_options,
				     .connections = no_connections,
				     .lane_count = task->lane_count,
				     .block_bytes = task->block_bytes };
	timed->op_ns = calloc(TURNS_MAX, sizeof(double));
	timed->cpu_ns = calloc(TURNS_MAX, sizeof(double));
	int rc = 0;
	if (!no_connections || !timed->op_ns || !timed->cpu_ns)
		rc = reason_no_memory(why, "the styles");
	if (rc == 0 && !in_memory) {
		rc = lookup_server_start(&timed->server, task->lane_count, task->block_bytes, why);
		config.connections = timed->server.connections;
		config.file = b->file;
		if (rc == 0)
			rc = timed->result_file = nameless_file(task->folder, 0, 0, why);
		config.result_file = timed->result_file;
	}
	if (rc >= 0)
		rc = job_open(&timed->job, &config, why);
	free(no_connections);
	return rc;
}

static int open_bench(struct styles_bench *b, struct reason *why)
{
	const struct styles_task *task = b->task;
	int rc = 0;
	index_make(&b->index, task->block_count, task->block_bytes, &b->expected);
	b->operations = job_operations(&b->index);
	if (task->engine == &memory_engine) {
		rc = index_image_make(&b->image, &b->index, task->block_bytes, why);
		memory_engine_serve(&(struct memory_source) { .file = b->image.file,
							      .answers = b->image.answers,
							      .block_bytes = task->block_bytes,
							      .result = &b->written });
	} else {
		rc = b->file = nameless_file(task->folder, 0, 0, why);
		if (rc >= 0)
			rc = index_write(b->file, &b->index, task->block_bytes, why);
	}
	for (unsigned i = 0; styles[i] && rc >= 0; i++) {
		if (!styles_fits(task, styles[i]))
			continue;
		struct timed_style *timed = &b->styles[b->count++];
		timed->style = styles[i];
		timed->result_file = -1;
		rc = open_style(b, timed, why);
	}
	return rc;
}

/* Also what open_bench() left half-way. */
static void close_bench(struct styles_bench *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		struct timed_style *timed = &b->styles[i];
		if (timed->job)
			job_close(timed->job);
		lookup_server_stop(&timed->server);
		if (timed->result_file >= 0)
			close(timed->result_file);
		free(timed->op_ns);
		free(timed->cpu_ns);
	}
	if (b->file >= 0)
		close(b->file);
	index_image_free(&b->image);
}

/* Returns 0, or the job's error. */
static int take_turn(const struct styles_bench *b, struct timed_style *timed)
{
	uint64_t began_ns = clock_ns(), began_cpu_ns = process_cpu_ns(), took_ns, jobs = 0;
	do {
		int rc = job_run(timed->job);
		if (rc < 0)
			return rc;
		jobs++;
		took_ns = clock_ns() - began_ns;
	} while (took_ns < TURN_NS);
	double operations = (double)(jobs * b->operations);
	timed->cpu_ns[timed->turns] = (double)(process_cpu_ns() - began_cpu_ns) / operations;
	timed->op_ns[timed->turns++] = (double)took_ns / operations;
	timed->jobs += jobs;
	return 0;
}

/* Each style once, not counted; then rounds of turns until the time is over. Returns 0 or -errno. */
static int take_turns(struct styles_bench *b)
{
	struct random_stream random = { b->task->seed };
	unsigned order[STYLES_MAX];
	int rc = 0;
	for (unsigned i = 0; i < b->count && rc == 0; i++)
		rc = job_run(b->styles[i].job);
	uint64_t end_ns = clock_ns() + (uint64_t)(b->task->runtime_s * NS_PER_S);
	for (unsigned turn = 0; rc == 0 && turn < TURNS_MAX && (turn == 0 || clock_ns() < end_ns);
	     turn++) {
		random_order(&random, order, b->count);
		for (unsigned i = 0; i < b->count && rc == 0; i++)
			rc = take_turn(b, &b->styles[order[i]]);
	}
	return rc;
}

/* Is what the style wrote last right? In memory all write to one place, so it is asked for anew. */
static bool wrote_it(struct styles_bench *b, const struct timed_style *timed)
{
	size_t len_bytes = (1 + b->task->block_count) * sizeof(uint64_t);
	memset(&b->written, 0, sizeof b->written);
	if (timed->result_file < 0)
		return job_run(timed->job) == 0 && !memcmp(&b->written, &b->expected, len_bytes);
	return pread(timed->result_file, &b->written, len_bytes, 0) == (ssize_t)len_bytes &&
	       memcmp(&b->written, &b->expected, len_bytes) == 0;
}

static json_t *run_failure(const char *status, const struct reason *why)
{
	json_t *answer = required(json_object());
	put_string(answer, "status", status);
	put_new(answer, "reason", remark_of_reason(why));
	return answer;
}

static json_t *timed_json(struct timed_style *timed, uint64_t operations)
{
	json_t *entry = required(json_object());
	put_int(entry, "ops", (int64_t)(timed->jobs * operations));
	put_real(entry, "op_ns", estimate_median(timed->op_ns, timed->turns).median);
	put_real(entry, "cpu_ns", estimate_median(timed->cpu_ns, timed->turns).median);
	return entry;
}

json_t *styles_run(const void *argument)
{
	static struct styles_bench bench;
	struct styles_bench *b = &bench;
	struct reason why = { "" };
	*b = (struct styles_bench) { .task = argument, .file = -1 };
	int rc = open_bench(b, &why);
	json_t *answer = rc < 0 ? run_failure("unsupported", &why) : NULL;
	if (!answer && (rc = take_turns(b)) < 0) {
		reason_errno(&why, "result_is_error", rc, "the operation's result");
		answer = run_failure("error", &why);
	}
	for (unsigned i = 0; i < b->count && !answer; i++)
		if (!wrote_it(b, &b->styles[i])) {
			reason_set(&why, "another_result", "the style {style} wrote another result",
				   reason_string("style", b->styles[i].style->name));
			answer = run_failure("error", &why);
		}
	if (!answer) {
		answer = required(json_object());
		put_string(answer, "status", "ok");
		for (unsigned i = 0; i < b->count; i++)
			put_new(answer, b->styles[i].style->name,
				timed_json(&b->styles[i], b->operations));
	}
	close_bench(b);
	return answer;
}

/* Of this process, counted page by page. */
static double resident_bytes(void)
{
	unsigned long kib = 0;
	char line[200];
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "Rss: %lu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return (double)kib * 1024;
}

json_t *styles_weigh(const void *argument)
{
	struct styles_task task = { .engine = &memory_engine,
				    .lane_count = WEIGHED_LANES,
				    .block_count = JOB_ENTRIES_MAX,
				    .block_bytes = 64 };
	struct styles_bench b = { .task = &task, .file = -1 };
	struct timed_style timed = { .style = argument, .result_file = -1 };
	struct reason why = { "" };
	/* All of malloc(3) in the heap, which is never given back: so what goes is the stacks. */
	mallopt(M_MMAP_THRESHOLD, INT32_MAX);
	mallopt(M_TRIM_THRESHOLD, INT32_MAX);
	index_make(&b.index, task.block_count, task.block_bytes, &b.expected);
	int rc = index_image_make(&b.image, &b.index, task.block_bytes, &why);
	memory_engine_serve(&(struct memory_source) { b.image.file, b.image.answers,
						      task.block_bytes, &b.written });
	if (rc == 0)
		rc = open_style(&b, &timed, &why);
	if (rc < 0)
		return run_failure("error", &why);
	size_t before_bytes = mallinfo2().uordblks;
	for (unsigned i = 0; i < WEIGHED_RUNS && rc == 0; i++)
		rc = job_run(timed.job);
	size_t heap_bytes = mallinfo2().uordblks;
	double allocated_bytes = (double)heap_bytes - (double)before_bytes;
	double all_bytes = resident_bytes();
	timed.style->close(timed.job);
	double stacks_bytes = all_bytes - resident_bytes();
	double own_bytes = (double)(heap_bytes - mallinfo2().uordblks);
	json_t *answer = required(json_object());
	put_string(answer, "status", rc < 0 ? "error" : "ok");
	put_real(answer, "lane_bytes",
		 (own_bytes + (stacks_bytes > 0 ? stacks_bytes : 0)) / WEIGHED_LANES);
	put_real(answer, "allocated_bytes", allocated_bytes);
	return answer; /* the rest goes with the process */
}
