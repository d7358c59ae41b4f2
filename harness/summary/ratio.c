/* SPDX-License-Identifier: MIT */
/* How a configuration stands to its baseline, or to what stands in for it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/estimate_json.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/statistics.h"
#include "histogram.h"
#include "summary/parts.h"
#include "summary/summary.h"

const char *ratio_verdict(double low, double high, unsigned rounds)
{
	if (rounds < VERDICT_ROUNDS)
		return VERDICT_NONE;
	return low > 1 ? VERDICT_HIGHER : high < 1 ? VERDICT_LOWER : VERDICT_NONE;
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
static json_t *ratio_json(const struct measured_config *c, const struct measured_config *baseline,
			  unsigned rounds, const struct metric *m, bool *undefined)
{
	double *ratios = malloc(rounds * sizeof *ratios);
	unsigned count = 0;
	bool positive = true;
	for (unsigned round = 0; round < rounds; round++) {
		double value = value_in_round(c, round, m);
		double base = value_in_round(baseline, round, m);
		if (isnan(value) || isnan(base))
			continue;
		double ratio = value / base;
		positive = positive && value > 0 && base > 0 && ratio > 0 && isfinite(ratio);
		ratios[count++] = ratio;
	}
	json_t *result = json_null();
	if (count > 0 && positive) {
		struct ratio_estimate e = estimate_ratio(ratios, count);
		if (m->bucketed)
			widen_by_buckets(&e.low, &e.high);
		result = ratio_estimate_json(&e);
		if (json_is_object(result))
			put_string(result, "verdict", ratio_verdict(e.low, e.high, e.count));
	}
	*undefined = *undefined || !positive;
	free(ratios);
	return result;
}

/* How much wider an interval is when `together` of them are to hold at once, and not each alone. */
static double widening(unsigned rounds, unsigned together)
{
	double miss = (1 - CONFIDENCE_WANTED) / 2;
	return student_t_quantile(1 - miss / together, rounds - 1) /
	       student_t_quantile(1 - miss, rounds - 1);
}

/*
 * Among twenty ratios of equal engines one shows a difference by chance. What a ratio shows even so is
 * what its interval shows when it is widened until all of its metric hold together (Bonferroni).
 */
static void judge_ratios_of(json_t *configurations, const char *metric)
{
	unsigned together = 0;
	size_t i;
	json_t *c;
	json_array_foreach (configurations, i, c)
		together += json_is_object(json_object_get(json_object_get(c, "ratio"), metric));
	json_array_foreach (configurations, i, c) {
		json_t *ratio = json_object_get(json_object_get(c, "ratio"), metric);
		unsigned rounds = (unsigned)json_integer_value(json_object_get(ratio, "count"));
		if (!json_is_object(ratio))
			continue;
		double mean = number_at(ratio, "mean"), low = mean, high = mean;
		if (rounds > 1) {
			double wider = widening(rounds, together);
			low *= pow(number_at(ratio, "low") / mean, wider);
			high *= pow(number_at(ratio, "high") / mean, wider);
		}
		put_string(ratio, "verdict_together", ratio_verdict(low, high, rounds));
	}
}

void judge_ratios_together(json_t *configurations)
{
	for_each_metric (m)
		if (m->ratio)
			judge_ratios_of(configurations, m->name);
}

json_t *ratios_json(const struct measured_config *c, const struct measured_config *baseline,
		    unsigned rounds, json_t *warnings)
{
	if (!baseline || baseline == c || is_imported(c) || is_imported(baseline) ||
	    !ok_rounds_of(c, rounds) || !ok_rounds_of(baseline, rounds))
		return json_null();
	json_t *ratios = required(json_object());
	for_each_metric (m) {
		bool undefined = false;
		if (!m->ratio)
			continue;
		put_new(ratios, m->name, ratio_json(c, baseline, rounds, m, &undefined));
		if (!undefined)
			continue;
		json_t *values = required(json_object());
		put_string(values, "metric", m->name);
		remark_add(warnings, "ratio_undefined", values,
			   "in a round this engine or its baseline measured 0, so the ratio of "
			   "{metric} is missing");
	}
	return ratios;
}

/* The values of a remark that speaks of the baseline. */
static json_t *baseline_values(const char *label)
{
	json_t *values = required(json_object());
	put_string(values, "baseline", label);
	return values;
}

json_t *missing_baseline(const struct measured_config *baseline, const char *label)
{
	json_t *values = baseline_values(label);
	if (!baseline)
		return remark_new("baseline_not_run", values, "{baseline} was not run here");
	put_string(values, "status", string_at(baseline->first, "status"));
	return remark_caused("baseline_not_ok", values, "{baseline} is {status} here: {cause}",
			     json_object_get(baseline->first, "reason"));
}

json_t *ratio_reason(const json_t *ratio, const struct measured_config *c,
		     const struct measured_config *baseline, unsigned rounds, const char *label)
{
	if (baseline == c || !ok_rounds_of(c, rounds) ||
	    json_is_object(json_object_get(ratio, METRIC_RATE)))
		return json_null();
	if (is_imported(c) || (baseline && is_imported(baseline)))
		return remark_new("no_turns", NULL,
				  "imported runs did not take turns with the others, so there is "
				  "no ratio round by round");
	if (!baseline || !ok_rounds_of(baseline, rounds))
		return missing_baseline(baseline, label);
	for (unsigned round = 0; round < rounds; round++)
		if (ok_in_round(c, round) && ok_in_round(baseline, round))
			return remark_new("round_finished_nothing", baseline_values(label),
					  "in a round it or {baseline} finished nothing");
	return remark_new("no_common_round", baseline_values(label),
			  "no round in which both it and {baseline} ended ok");
}

const struct measured_config *find_baseline(const struct grouping *g,
					    const struct measured_config *c, const char *label)
{
	for (unsigned i = 0; i < g->count; i++)
		if (strcmp(string_at(g->configurations[i].identity, "engine.label"), label) == 0 &&
		    json_equal(g->configurations[i].workpiece, c->workpiece))
			return &g->configurations[i];
	/* An imported baseline is found whatever its work was, so that the reason can be told. */
	for (unsigned i = 0; i < g->count; i++)
		if (is_imported(&g->configurations[i]) &&
		    strcmp(string_at(g->configurations[i].identity, "engine.label"), label) == 0)
			return &g->configurations[i];
	return NULL;
}

/*
 * Where the baseline never ended ok, another engine stands in for it, so that there are ratios: of
 * those that did the same work, the one that ended ok in most rounds, the first in the plan among
 * equals. NULL where none is needed, or there is none beside `c`. The summary says which, and why.
 */
const struct measured_config *find_stand_in(const struct grouping *g,
					    const struct measured_config *c,
					    const struct measured_config *baseline)
{
	const struct measured_config *best = NULL;
	unsigned others = 0;
	if (!baseline || is_imported(c) || is_imported(baseline) ||
	    ok_rounds_of(baseline, g->rounds))
		return NULL;
	for (unsigned i = 0; i < g->count; i++) {
		const struct measured_config *other = &g->configurations[i];
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
