/* SPDX-License-Identifier: MIT */
/*
 * One run of the second part of `iolab styles`: what a layer adds to one operation. Operations that
 * do nothing go through the loop to an engine that answers at once, one after another in each lane:
 * with a callback, with a promise and one then(), awaited by a task, and as the question that an
 * operator asks for a record. A cached read shows how much that is.
 */
#ifndef IOLAB_LAYER_COST_H
#define IOLAB_LAYER_COST_H

#include <jansson.h>
#include <stdint.h>

struct layer_cost_task {
	unsigned lane_count; /* operations in flight */
	double runtime_s;
	uint64_t seed; /* of the order of layers */
	const char *folder; /* for the file that is read */
};

#define LAYERS_MAX	  8
#define CACHED_READ_BYTES 4096u
#define CACHED_READ	  "cached read"

/* What is measured, in order, ended by NULL. The last one, CACHED_READ, is what the others are compared with. */
extern const char *const layer_cost_names[];

/*
 * For child_work(); the argument is a struct layer_cost_task. Answers "status" and "reason"; when it
 * went well, for each of layer_cost_names "ops" and "cpu_ns", the median of many short turns.
 */
json_t *layer_cost_run(const void *task);

#endif
