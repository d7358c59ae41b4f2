/* SPDX-License-Identifier: MIT */
/* Are the ratios as precise as the user asked for, and how many rounds would make them so? */
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/statistics.h"
#include "summary/parts.h"
#include "summary/summary.h"

/* --until-ci asks about so many of them: rounds that are short leave p99 to chance. */
#define RATIOS_TO_BE_PRECISE 3

/* A ratio whose interval is wider than what was asked for; takes over `half_width_pct`. */
static json_t *unreached_json(const json_t *configuration, const char *metric,
			      json_t *half_width_pct)
{
	return json_pack("{s:s, s:s, s:s, s:O, s:s, s:o}", "engine",
			 string_at(configuration, "engine.label"), "panel",
			 string_at(configuration, "workload.panel"), "x_name",
			 string_at(configuration, "config.x_name"), "x",
			 at_path(configuration, "config.x"), "metric", metric, "half_width_pct",
			 half_width_pct);
}

/* As precision_so_far(), and lists what was not reached in `unreached`, unless that is NULL. */
static struct precision judge_precision(const json_t *configurations, double wanted_ci_pct,
					json_t *unreached)
{
	struct precision p = { 0 };
	size_t i;
	json_t *c;
	json_array_foreach (configurations, i, c) {
		const json_t *ratios = json_object_get(c, "ratio");
		for (unsigned m = 0; m < RATIOS_TO_BE_PRECISE; m++) {
			const json_t *ratio = json_object_get(ratios, ratio_paths[m]);
			/* A round that finished nothing: no ratio of throughput, and never one. */
			if (m == 0 && json_is_object(ratios) && !json_is_object(ratio)) {
				p.ratios++;
				p.unreached++;
				if (unreached)
					json_array_append_new(
						unreached,
						unreached_json(c, ratio_paths[m], json_null()));
			}
			if (!json_is_object(ratio))
				continue;
			unsigned count =
				(unsigned)json_integer_value(json_object_get(ratio, "count"));
			double half_pct =
				json_number_value(json_object_get(ratio, "half_width_pct"));
			p.ratios++;
			if (half_pct > p.widest_pct)
				p.widest_pct = half_pct;
			if (count > 1 && half_pct <= wanted_ci_pct)
				continue;
			p.unreached++;
			if (unreached)
				json_array_append_new(
					unreached,
					unreached_json(c, ratio_paths[m], json_real(half_pct)));
			unsigned needed = count > 1 ? rounds_needed(half_pct / 100, count,
								    wanted_ci_pct / 100)
						    : 2;
			if (needed > p.rounds_needed)
				p.rounds_needed = needed;
		}
	}
	return p;
}

/* Has its ratio of throughput been lost for good, by a round in which either finished nothing? */
static bool is_lost(const json_t *ratios, const struct configuration *c,
		    const struct configuration *baseline, unsigned rounds)
{
	if (!json_is_object(ratios) || json_is_object(json_object_get(ratios, ratio_paths[0])))
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
		const struct configuration *c = &g->configurations[i];
		const struct configuration *baseline = find_baseline(g, c, baseline_label);
		const struct configuration *stand_in = find_stand_in(g, c, baseline);
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
	if (comparison->wanted_ci_pct <= 0 && comparison->time_limit_s <= 0)
		return json_null();
	bool width = comparison->wanted_ci_pct > 0;
	json_t *unreached = json_array();
	struct precision p = { 0 };
	if (width)
		p = judge_precision(configurations, comparison->wanted_ci_pct, unreached);
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:i, s:o}", "wanted_pct",
			 width ? json_real(comparison->wanted_ci_pct) : json_null(), "time_limit_s",
			 comparison->time_limit_s > 0 ? json_real(comparison->time_limit_s)
						      : json_null(),
			 "ended_by", comparison->ended_by, "reached",
			 p.ratios > 0 ? json_boolean(p.unreached == 0) : json_null(), "widest_pct",
			 p.ratios > 0 ? json_real(p.widest_pct) : json_null(), "ratios",
			 (int)p.ratios, "unreached", unreached);
}
