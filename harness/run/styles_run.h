/* SPDX-License-Identifier: MIT */
/* One run of `iolab styles`: the job of common/styles.h, in all styles by turns. */
#ifndef IOLAB_STYLES_RUN_H
#define IOLAB_STYLES_RUN_H

#include <jansson.h>

#include "styles.h"

#define STYLES_MAX 8

struct styles_task {
	/* NULL: the style that blocks, which has none. &memory_engine: no file and no server. */
	const struct engine_ops *engine;
	uint64_t engine_options;
	unsigned lane_count, block_count;
	uint32_t block_bytes;
	double runtime_s;
	uint64_t seed; /* of the order of styles */
	const char *folder; /* for the file */
};

/*
 * For child_work(); the argument is a struct styles_task. Answers "status" and "reason"; when it went
 * well, for each style by its name "ops", "op_ns" and "cpu_ns", medians of many short turns.
 */
json_t *styles_run(const void *task);

/* The same with a struct style: what the style needs for a lane, and allocates while it runs. */
json_t *styles_weigh(const void *style);

/* Does the style run over this engine? */
bool styles_fits(const struct styles_task *task, const struct style *style);

#endif
