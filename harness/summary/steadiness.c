/* SPDX-License-Identifier: MIT */
/* Was a configuration warm, and the machine the same in all rounds? */
#include <stdlib.h>

#include "base/json_path.h"
#include "base/statistics.h"
#include "summary/parts.h"
#include "summary/summary.h"

/* The window's first tenth may be so much slower than the rest before anybody is warned. */
#define COLD_START 0.9

/*
 * Was the warm-up long enough? A single short run cannot tell; whether the first tenth of the
 * window is slower in round after round can be told. Warns in `warnings`.
 */
void judge_warm_up(const struct configuration *c, unsigned rounds, json_t *warnings)
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
		json_array_append_new(
			warnings, json_string("the first tenth of the window was slower than the "
					      "rest, round after round: warm up longer "
					      "(--warmup)"));
	free(ratios);
}

/* Of five rounds chance alone calls one an outlier too often to warn of it: docs/measurement.md. */
#define ROUNDS_FOR_OUTLIERS 8

/*
 * Was the machine the same for this configuration in all rounds? null with fewer than five. What
 * looks otherwise is told in `warnings` and stays in every figure.
 */
json_t *steadiness_json(const struct configuration *c, unsigned rounds, json_t *warnings)
{
	double *values = malloc(rounds * sizeof *values);
	unsigned *round_of_value = malloc(rounds * sizeof *round_of_value);
	bool *outlying = malloc(rounds * sizeof *outlying);
	json_t *result = json_null(), *outliers = json_array();
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++) {
		if (!ok_in_round(c, round) ||
		    !metric_of(c->by_round[round], NULL, "ops_per_s", &values[count]))
			continue;
		round_of_value[count++] = round;
	}
	if (count >= 5) {
		struct drift drift = drift_of(values, count);
		if (find_outliers(values, count, outlying) > 0 && count >= ROUNDS_FOR_OUTLIERS)
			json_array_append_new(warnings,
					      json_string("a round lies far from the others (see "
							  "steadiness in summary.json); it counts "
							  "all the same"));
		for (unsigned i = 0; i < count; i++)
			if (outlying[i])
				json_array_append_new(outliers, json_integer(round_of_value[i]));
		if (drift.shown)
			json_array_append_new(
				warnings, json_string("throughput drifted by more than 10 % from "
						      "the first round to the last"));
		result = json_pack("{s:f, s:b, s:O}", "drift_pct", 100 * drift.change,
				   "drift_shown", drift.shown, "outlier_rounds", outliers);
	}
	json_decref(outliers);
	free(outlying);
	free(round_of_value);
	free(values);
	return result;
}
