/* SPDX-License-Identifier: MIT */
#include "commands/layer_costs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/estimate_json.h"
#include "base/interrupt.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "plan/child_run.h"
#include "plan/engine_series.h"
#include "summary/failed_rounds.h"

#define RUN_LIMIT_S	60
#define REFERENCE_LAYER 0 /* of layer_cost_names: the callbacks */

void layer_costs_begin(struct layer_costs *costs, const struct layer_cost_task *task)
{
	costs->task = *task;
	costs->warnings = required(json_array());
	costs->reason = engine_series_not_reached();
	strcpy(costs->status, "error");
	for (unsigned i = 0; i < LAYERS_MAX; i++)
		for (unsigned round = 0; round < ROUNDS_MAX; round++)
			costs->layers[i].cpu_ns[round] = NAN;
}

void layer_costs_end(struct layer_costs *costs)
{
	json_decref(costs->warnings);
	json_decref(costs->reason);
}

void layer_costs_run(struct layer_costs *costs, unsigned round, unsigned rounds, uint64_t seed)
{
	struct reason why;
	costs->task.seed = seed + round;
	json_t *answer = child_work(layer_cost_run, &costs->task, RUN_LIMIT_S, &why);
	if (interrupt_requested()) {
		json_decref(answer); /* cut short, which is no failure */
		return;
	}
	if (status_is(answer, "ok")) {
		costs->has_run = true;
		for (unsigned i = 0; layer_cost_names[i]; i++) {
			const json_t *seen = json_object_get(answer, layer_cost_names[i]);
			costs->layers[i].ops += (int64_t)number_at(seen, "ops");
			costs->layers[i].cpu_ns[round] = number_at(seen, "cpu_ns");
		}
	} else {
		snprintf(costs->status, sizeof costs->status, "%s",
			 answer ? string_at(answer, "status") : "error");
		json_decref(costs->reason);
		costs->reason = child_run_failure(answer, &why);
		failed_round_add(costs->warnings, round, rounds, costs->reason);
	}
	json_decref(answer);
}

static bool is_layer(unsigned i)
{
	return i != REFERENCE_LAYER && strcmp(layer_cost_names[i], CACHED_READ) != 0;
}

static unsigned place_of_read(void)
{
	unsigned i = 0;
	while (strcmp(layer_cost_names[i], CACHED_READ) != 0)
		i++;
	return i;
}

void layer_costs_add(const struct layer_costs *costs, unsigned rounds, json_t *rows)
{
	const double *reference_ns = costs->layers[REFERENCE_LAYER].cpu_ns;
	const double *read_ns = costs->layers[place_of_read()].cpu_ns;
	for (unsigned i = 0; layer_cost_names[i]; i++) {
		const double *cpu_ns = costs->layers[i].cpu_ns;
		double added_ns[ROUNDS_MAX], added_pct[ROUNDS_MAX];
		for (unsigned round = 0; round < rounds; round++) {
			added_ns[round] = cpu_ns[round] - reference_ns[round];
			added_pct[round] = 100 * added_ns[round] / read_ns[round];
		}
		json_t *row = required(json_object());
		put_string(row, "layer", layer_cost_names[i]);
		put_int(row, "in_flight", costs->task.lane_count);
		put_string(row, "status", costs->has_run ? "ok" : costs->status);
		put_shared(row, "reason", costs->has_run ? NULL : costs->reason);
		put_shared(row, "warnings", costs->warnings);
		put_int(row, "ops", costs->layers[i].ops);
		put_new(row, "cpu_ns", estimate_of(cpu_ns, rounds));
		put_new(row, "added_ns", is_layer(i) ? estimate_of(added_ns, rounds) : NULL);
		put_new(row, "added_pct", is_layer(i) ? estimate_of(added_pct, rounds) : NULL);
		json_array_append_new(rows, row);
	}
}

/* The same for all layers of a run, so those of the first one. */
static void print_warnings(const json_t *rows)
{
	size_t i, w;
	const json_t *row, *warning;
	json_array_foreach (rows, i, row) {
		if (!status_is(row, "ok") ||
		    strcmp(string_at(row, "layer"), layer_cost_names[REFERENCE_LAYER]) != 0)
			continue;
		json_array_foreach (json_object_get(row, "warnings"), w, warning) {
			printf("warning: %.0f in flight: ", number_at(row, "in_flight"));
			remark_print(stdout, warning);
			putchar('\n');
		}
	}
}

void layer_costs_print(const json_t *rows)
{
	size_t i;
	const json_t *row;
	double refused_in_flight = 0; /* one line tells of all layers */
	printf("\nOne operation that does nothing, to an engine that answers at once, and a read of "
	       "%u cached bytes\n\n%-19s %9s %12s %12s  %-18s %s\n",
	       CACHED_READ_BYTES, "layer", "in flight", "CPU", "added", "interval", "of the read");
	json_array_foreach (rows, i, row) {
		double in_flight = number_at(row, "in_flight");
		bool is_ok = status_is(row, "ok");
		if (!is_ok && in_flight == refused_in_flight)
			continue;
		printf("%-19s %9.0f ", string_at(row, "layer"), in_flight);
		if (!is_ok) {
			refused_in_flight = in_flight;
			print_status_of(row);
			continue;
		}
		printf("%9.1f ns ", number_at(row, "cpu_ns.median"));
		if (json_is_object(json_object_get(row, "added_ns"))) {
			char interval[40];
			snprintf(interval, sizeof interval, "%+.1f to %+.1f ns",
				 number_at(row, "added_ns.low"), number_at(row, "added_ns.high"));
			printf("%+9.1f ns  %-18s %.1f %%\n", number_at(row, "added_ns.median"),
			       interval, number_at(row, "added_pct.median"));
		} else {
			printf("%12s\n", "-");
		}
	}
	print_warnings(rows);
}
