/* SPDX-License-Identifier: MIT */
/* How a configuration stands to its baseline, or to what stands in for it. */
#include <stdlib.h>
#include <string.h>

#include "base/estimate_json.h"
#include "base/json_path.h"
#include "base/statistics.h"
#include "histogram.h"
#include "summary/parts.h"
#include "summary/summary.h"

/* The metrics of which a ratio to the baseline is given. */
const char *const ratio_paths[RATIO_PATHS] = { "ops_per_s", "cpu.us_per_op", "latency_ns.p50",
					       "latency_ns.p99", "hardware.instructions_per_op" };

const char *ratio_verdict(double low, double high, unsigned rounds)
{
	if (rounds < VERDICT_ROUNDS)
		return NO_DIFFERENCE;
	return low > 1 ? "higher" : high < 1 ? "lower" : NO_DIFFERENCE;
}

void widen_by_buckets(double *low, double *high)
{
	*low *= (1 - HISTOGRAM_ERROR_BOUND) / (1 + HISTOGRAM_ERROR_BOUND);
	*high *= (1 + HISTOGRAM_ERROR_BOUND) / (1 - HISTOGRAM_ERROR_BOUND);
}

/*
 * Ratios are taken round by round, so that what disturbed a whole round cancels. null where there
 * is none: no round in common, or (then `undefined` is set) one in which either had nothing.
 */
static json_t *ratio_json(const struct configuration *c, const struct configuration *baseline,
			  unsigned rounds, const char *path, bool *undefined)
{
	double *ratios = malloc(rounds * sizeof *ratios);
	unsigned count = 0;
	bool positive = true;
	for (unsigned round = 0; round < rounds; round++) {
		double value, base;
		if (!ok_in_round(c, round) || !ok_in_round(baseline, round) ||
		    !metric_of(c->by_round[round], c->idle, path, &value) ||
		    !metric_of(baseline->by_round[round], baseline->idle, path, &base))
			continue;
		positive = positive && value > 0 && base > 0;
		ratios[count++] = value / base;
	}
	json_t *result = json_null();
	if (count > 0 && positive) {
		struct ratio_estimate e = estimate_ratio(ratios, count);
		if (strncmp(path, "latency_ns.", 11) == 0)
			widen_by_buckets(&e.low, &e.high);
		result = ratio_estimate_json(&e);
		json_object_set_new(result, "verdict",
				    json_string(ratio_verdict(e.low, e.high, e.count)));
	}
	*undefined = *undefined || !positive;
	free(ratios);
	return result;
}

json_t *ratios_json(const struct configuration *c, const struct configuration *baseline,
		    unsigned rounds, json_t *warnings)
{
	bool undefined = false;
	if (!baseline || baseline == c || is_imported(c) || is_imported(baseline) ||
	    !ok_rounds_of(c, rounds) || !ok_rounds_of(baseline, rounds))
		return json_null();
	json_t *ratios = json_object();
	for (unsigned i = 0; i < RATIO_PATHS; i++)
		json_object_set_new(ratios, ratio_paths[i],
				    ratio_json(c, baseline, rounds, ratio_paths[i], &undefined));
	if (undefined)
		json_array_append_new(warnings,
				      json_string("in a round this engine or its baseline "
						  "measured 0, so a ratio is missing"));
	return ratios;
}

json_t *missing_baseline(const struct configuration *baseline, const char *label)
{
	if (!baseline)
		return json_sprintf("%s was not run here", label);
	return json_sprintf("%s is %s here: %s", label, string_at(baseline->first, "status"),
			    string_at(baseline->first, "reason"));
}

json_t *ratio_reason(const json_t *ratio, const struct configuration *c,
		     const struct configuration *baseline, unsigned rounds, const char *label)
{
	if (baseline == c || !ok_rounds_of(c, rounds) ||
	    json_is_object(json_object_get(ratio, "ops_per_s")))
		return json_null();
	if (is_imported(c) || (baseline && is_imported(baseline)))
		return json_string("imported runs did not take turns with the others, so there is "
				   "no ratio round by round");
	if (!baseline || !ok_rounds_of(baseline, rounds))
		return missing_baseline(baseline, label);
	for (unsigned round = 0; round < rounds; round++)
		if (ok_in_round(c, round) && ok_in_round(baseline, round))
			return json_sprintf("in a round it or %s finished nothing", label);
	return json_sprintf("no round in which both it and %s ended ok", label);
}

const struct configuration *find_baseline(const struct grouping *g, const struct configuration *c,
					  const char *label)
{
	for (unsigned i = 0; i < g->count; i++)
		if (strcmp(string_at(g->configurations[i].identity, "engine.label"), label) == 0 &&
		    json_equal(g->configurations[i].workpiece, c->workpiece))
			return &g->configurations[i];
	/* With an imported one nothing is compared, whatever it was told: it says why. */
	for (unsigned i = 0; i < g->count; i++)
		if (is_imported(&g->configurations[i]) &&
		    strcmp(string_at(g->configurations[i].identity, "engine.label"), label) == 0)
			return &g->configurations[i];
	return NULL;
}

/*
 * Where the baseline never ended ok, another engine stands in for it, so that there are ratios at
 * all: on the same work the first in the order of the plan that ended ok in most rounds. NULL where
 * none is needed, or there is none beside `c`. The summary says which, and why.
 */
const struct configuration *find_stand_in(const struct grouping *g, const struct configuration *c,
					  const struct configuration *baseline)
{
	const struct configuration *best = NULL;
	unsigned others = 0;
	if (!baseline || is_imported(c) || is_imported(baseline) ||
	    ok_rounds_of(baseline, g->rounds))
		return NULL;
	for (unsigned i = 0; i < g->count; i++) {
		const struct configuration *other = &g->configurations[i];
		unsigned rounds = ok_rounds_of(other, g->rounds);
		if (rounds == 0 || is_imported(other) ||
		    !json_equal(other->workpiece, c->workpiece))
			continue;
		others++;
		if (!best || rounds > ok_rounds_of(best, g->rounds))
			best = other;
	}
	return others > 1 ? best : NULL;
}
