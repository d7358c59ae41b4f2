/* SPDX-License-Identifier: MIT */
/* Was a configuration warm, and the machine the same in all rounds? */
#include <math.h>
#include <stdlib.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/statistics.h"
#include "summary/parts.h"
#include "summary/summary.h"

/* The window's first tenth, as a share of the rest: below it there is a warning. */
#define COLD_START 0.9

/*
 * Was the warm-up long enough? A single short run cannot tell; whether the first tenth of the
 * window is slower in round after round can be told. Warns in `warnings`.
 */
void judge_warm_up(const struct measured_config *c, unsigned rounds, json_t *warnings)
{
	double *ratios = malloc(rounds * sizeof *ratios);
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++) {
		const json_t *first =
			ok_in_round(c, round)
				? at_path(c->by_round[round], "metrics.steadiness.first_slice_pct")
				: NULL;
		double ratio = 1 + json_number_value(first) / 100;
		if (json_is_number(first) && ratio > 0)
			ratios[count++] = ratio;
	}
	if (count >= VERDICT_ROUNDS && estimate_ratio(ratios, count).high < COLD_START)
		remark_add(warnings, "cold_start", NULL,
			   "the first tenth of the window was slower than the rest, round after "
			   "round: warm up longer (--warmup)");
	free(ratios);
}

/* Of five rounds chance alone calls one an outlier too often to warn of it: docs/measurement.md. */
#define ROUNDS_FOR_OUTLIERS 8

/*
 * Was the machine the same for this configuration in all rounds? null with fewer than five. What
 * looks otherwise is told in `warnings` and stays in every figure.
 */
json_t *steadiness_json(const struct measured_config *c, unsigned rounds, json_t *warnings)
{
	const struct metric *rate = metric_find(METRIC_RATE);
	double *values = malloc(rounds * sizeof *values);
	unsigned *round_of_value = malloc(rounds * sizeof *round_of_value);
	bool *outlying = malloc(rounds * sizeof *outlying);
	json_t *result = json_null(), *outliers = json_array();
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++) {
		double value = value_in_round(c, round, rate);
		if (isnan(value))
			continue;
		values[count] = value;
		round_of_value[count++] = round;
	}
	if (count >= 5) {
		struct drift drift = drift_of(values, count);
		if (find_outliers(values, count, outlying) > 0 && count >= ROUNDS_FOR_OUTLIERS)
			remark_add(warnings, "round_outlying", NULL,
				   "a round lies far from the others (see steadiness in "
				   "summary.json); it still counts");
		for (unsigned i = 0; i < count; i++)
			if (outlying[i])
				json_array_append_new(outliers, json_integer(round_of_value[i]));
		if (drift.shown)
			remark_add(warnings, "rounds_drifted", NULL,
				   "throughput drifted by more than 10 % from the first round to "
				   "the last");
		result = required(json_object());
		put_real(result, "drift_pct", 100 * drift.change);
		put_bool(result, "drift_shown", drift.shown);
		put_shared(result, "outlier_rounds", outliers);
	}
	json_decref(outliers);
	free(outlying);
	free(round_of_value);
	free(values);
	return result;
}
