/* SPDX-License-Identifier: MIT */
/* Are the ratios as precise as the user asked for, and how many rounds would make them so? */
#include <math.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/statistics.h"
#include "summary/parts.h"
#include "summary/summary.h"

/* A ratio whose interval is wider than what was asked for. */
static json_t *unreached_json(const json_t *configuration, const struct metric *m,
			      double half_width_pct)
{
	json_t *entry = required(json_object());
	put_string(entry, "engine", string_at(configuration, "engine.label"));
	put_shared(entry, "panel", at_path(configuration, "workload.panel"));
	put_string(entry, "x_name", string_at(configuration, "config.x_name"));
	put_shared(entry, "x", at_path(configuration, "config.x"));
	put_string(entry, "metric", m->name);
	put_real(entry, "half_width_pct", half_width_pct); /* null for NAN: there is no ratio */
	return entry;
}

/* Adds one ratio to the judgement. `unreached` may be NULL. */
static void judge_ratio(const json_t *configuration, const struct metric *m, double wanted_ci_pct,
			struct precision *p, json_t *unreached)
{
	const json_t *ratios = json_object_get(configuration, "ratio");
	const json_t *ratio = json_object_get(ratios, m->name);
	bool known = json_is_object(ratio);
	/* A round that finished nothing: no ratio of throughput, and never one. */
	bool undefined = json_is_object(ratios) && strcmp(m->name, METRIC_RATE) == 0;
	if (!known && !undefined)
		return;
	unsigned count = known ? (unsigned)number_at(ratio, "count") : 0;
	double half_pct = known ? number_at(ratio, "half_width_pct") : NAN;
	p->ratios++;
	p->widest_pct = fmax(p->widest_pct, half_pct);
	if (count > 1 && half_pct <= wanted_ci_pct)
		return;
	p->unreached++;
	if (unreached)
		json_array_append_new(unreached, unreached_json(configuration, m, half_pct));
	unsigned needed = count > 1 ? rounds_needed(half_pct / 100, count, wanted_ci_pct / 100)
			  : known   ? 2
				    : 0;
	if (needed > p->rounds_needed)
		p->rounds_needed = needed;
}

/* As precision_so_far(), and lists what was not reached in `unreached`, unless that is NULL. */
static struct precision judge_precision(const json_t *configurations, double wanted_ci_pct,
					json_t *unreached)
{
	struct precision p = { 0 };
	size_t i;
	json_t *c;
	json_array_foreach (configurations, i, c)
		for_each_metric (m)
			if (m->ratio && m->until_ci)
				judge_ratio(c, m, wanted_ci_pct, &p, unreached);
	return p;
}

/* Has its ratio of throughput been lost for good, by a round in which either finished nothing? */
static bool is_lost(const json_t *ratios, const struct measured_config *c,
		    const struct measured_config *baseline, unsigned rounds)
{
	if (!json_is_object(ratios) || json_is_object(json_object_get(ratios, METRIC_RATE)))
		return false;
	for (unsigned round = 0; round < rounds; round++)
		if (ok_in_round(c, round) && ok_in_round(baseline, round))
			return true;
	return false;
}

struct precision precision_so_far(const struct grouping *g, const char *baseline_label,
				  double wanted_ci_pct)
{
	json_t *entries = required(json_array());
	unsigned lost = 0;
	for (unsigned i = 0; i < g->count; i++) {
		const struct measured_config *c = &g->configurations[i];
		const struct measured_config *baseline = find_baseline(g, c, baseline_label);
		const struct measured_config *stand_in = find_stand_in(g, c, baseline);
		json_t *entry = required(json_object()), *unused = required(json_array());
		baseline = stand_in ? stand_in : baseline;
		put_new(entry, "ratio", ratios_json(c, baseline, g->rounds, unused));
		lost += is_lost(json_object_get(entry, "ratio"), c, baseline, g->rounds);
		json_array_append_new(entries, entry);
		json_decref(unused);
	}
	struct precision p = judge_precision(entries, wanted_ci_pct, NULL);
	p.lost = lost;
	json_decref(entries);
	return p;
}

json_t *precision_json(const json_t *configurations, const struct comparison *comparison)
{
	bool width = comparison->wanted_ci_pct > 0, limit = comparison->time_limit_s > 0;
	if (!width && !limit)
		return json_null();
	json_t *unreached = required(json_array()), *precision = required(json_object());
	struct precision p = { 0 };
	if (width)
		p = judge_precision(configurations, comparison->wanted_ci_pct, unreached);
	put_real(precision, "wanted_pct", width ? comparison->wanted_ci_pct : NAN);
	put_real(precision, "time_limit_s", limit ? comparison->time_limit_s : NAN);
	put_string(precision, "ended_by", comparison->ended_by);
	put_new(precision, "reached", p.ratios > 0 ? json_boolean(p.unreached == 0) : NULL);
	put_real(precision, "widest_pct", p.ratios > 0 ? p.widest_pct : NAN);
	put_int(precision, "ratios", p.ratios);
	put_new(precision, "unreached", unreached);
	return precision;
}
