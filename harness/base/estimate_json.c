/* SPDX-License-Identifier: MIT */
#include "base/estimate_json.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_put.h"

/* The values without the missing ones, to be freed; `list` gets all of them, null where missing. */
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
	json_t *list = required(json_array()), *json = json_null();
	double *values = gather(by_round, rounds, &count, list);
	struct estimate e = { .median = NAN };
	if (count > 0)
		e = estimate_median(values, count);
	if (isfinite(e.median)) {
		json = required(json_object());
		put_real(json, "median", e.median);
		put_real(json, "low", e.low);
		put_real(json, "high", e.high);
		put_real(json, "min", e.min);
		put_real(json, "max", e.max);
		put_real(json, "confidence_pct", 100 * e.confidence);
		put_int(json, "count", e.count);
		put_shared(json, "values", list);
	}
	json_decref(list);
	free(values);
	return json;
}

json_t *ratio_estimate_json(const struct ratio_estimate *e)
{
	if (!isfinite(e->mean) || !isfinite(e->low) || !isfinite(e->high) ||
	    !isfinite(e->half_width))
		return json_null();
	json_t *json = required(json_object());
	put_real(json, "mean", e->mean);
	put_real(json, "low", e->low);
	put_real(json, "high", e->high);
	put_real(json, "half_width_pct", 100 * e->half_width);
	put_real(json, "median", e->median);
	put_real(json, "min", e->min);
	put_real(json, "max", e->max);
	put_real(json, "confidence_pct", 100 * e->confidence);
	put_int(json, "count", e->count);
	return json;
}

json_t *ratio_estimate_of(const double *by_round, unsigned rounds)
{
	unsigned count;
	json_t *list = required(json_array()), *json = json_null();
	double *ratios = gather(by_round, rounds, &count, list);
	if (count > 0) {
		struct ratio_estimate e = estimate_ratio(ratios, count);
		json = ratio_estimate_json(&e);
		if (json_is_object(json))
			put_shared(json, "values", list);
	}
	json_decref(list);
	free(ratios);
	return json;
}
