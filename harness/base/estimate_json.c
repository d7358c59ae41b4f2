/* SPDX-License-Identifier: MIT */
#include "base/estimate_json.h"

#include <math.h>
#include <stdlib.h>

/* The values that are there, to be sorted; `list` has all of them as they came. */
static double *gather(const double *by_round, unsigned rounds, unsigned *count, json_t *list)
{
	double *values = malloc((rounds + 1) * sizeof *values);
	*count = 0;
	for (unsigned round = 0; round < rounds; round++) {
		bool there = !isnan(by_round[round]);
		if (there)
			values[(*count)++] = by_round[round];
		json_array_append_new(list, there ? json_real(by_round[round]) : json_null());
	}
	return values;
}

json_t *estimate_of(const double *by_round, unsigned rounds)
{
	unsigned count;
	json_t *list = json_array(), *json = json_null();
	double *values = gather(by_round, rounds, &count, list);
	if (count > 0) {
		struct estimate e = estimate_median(values, count);
		json = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:O}", "median", e.median,
				 "low", e.low, "high", e.high, "min", e.min, "max", e.max,
				 "confidence_pct", 100 * e.confidence, "count", (int)e.count,
				 "values", list);
	}
	json_decref(list);
	free(values);
	return json;
}

json_t *ratio_estimate_json(const struct ratio_estimate *e)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i}", "mean", e->mean, "low",
			 e->low, "high", e->high, "half_width_pct", 100 * e->half_width, "median",
			 e->median, "min", e->min, "max", e->max, "confidence_pct",
			 100 * e->confidence, "count", (int)e->count);
}

json_t *ratio_estimate_of(const double *by_round, unsigned rounds)
{
	unsigned count;
	json_t *list = json_array(), *json = json_null();
	double *ratios = gather(by_round, rounds, &count, list);
	if (count > 0) {
		struct ratio_estimate e = estimate_ratio(ratios, count);
		json = ratio_estimate_json(&e);
		json_object_set(json, "values", list);
	}
	json_decref(list);
	free(ratios);
	return json;
}
