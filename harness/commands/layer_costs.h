/* SPDX-License-Identifier: MIT */
/* The second part of `iolab styles`: what a layer adds to one operation, in its document and its table. */
#ifndef IOLAB_LAYER_COSTS_H
#define IOLAB_LAYER_COSTS_H

#include <jansson.h>
#include <stdbool.h>

#include "plan/rounds.h"
#include "run/layer_cost.h"

/* All layers with one number of operations in flight. */
struct layer_costs {
	struct layer_cost_task task;
	char status[16]; /* of the last run that failed; "error" until one ran */
	json_t *reason; /* of that, a remark */
	json_t *warnings; /* one for each round in which a run failed */
	bool has_run;
	struct {
		int64_t ops;
		double cpu_ns[ROUNDS_MAX]; /* NAN where the run failed */
	} layers[LAYERS_MAX]; /* as layer_cost_names[] */
};

void layer_costs_begin(struct layer_costs *costs, const struct layer_cost_task *task);
void layer_costs_end(struct layer_costs *costs);

/* One round. Blocks until it is over. */
void layer_costs_run(struct layer_costs *costs, unsigned round, unsigned rounds, uint64_t seed);

/* Appends a row for each layer to `rows`. */
void layer_costs_add(const struct layer_costs *costs, unsigned rounds, json_t *rows);

/* The table of all rows. */
void layer_costs_print(const json_t *rows);

#endif
