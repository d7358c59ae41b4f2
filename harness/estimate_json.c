/* SPDX-License-Identifier: MIT */
#include "estimate_json.h"

#include "statistics.h"

json_t *estimate_of(double *values, unsigned count)
{
	if (count == 0)
		return json_null();
	struct estimate e = estimate_median(values, count);
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:i}", "median", e.median, "low", e.low,
			 "high", e.high, "min", e.min, "max", e.max, "confidence_pct",
			 100 * e.confidence, "count", (int)e.count);
}
