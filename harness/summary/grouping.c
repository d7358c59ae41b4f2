/* SPDX-License-Identifier: MIT */
#include "summary/grouping.h"

#include <stdlib.h>

#include "base/json_path.h"

bool counts_syscalls(const json_t *run)
{
	return json_is_true(at_path(run, "config.count_syscalls"));
}

static void delete_keys(json_t *object, const char *const *keys)
{
	for (; *keys; keys++)
		json_object_del(object, *keys);
}

json_t *configuration_of(const json_t *run, bool with_engine)
{
	static const char *const found[] = { "cache_resident_pct", "cache_resident_end_pct", "path",
					     NULL };
	static const char *const changing[] = { "round",
						"position",
						"plan",
						"command",
						"count_syscalls",
						"runtime_s",
						"warmup_s",
						"compute_loops_per_us",
						NULL };
	json_t *workload = json_deep_copy(json_object_get(run, "workload"));
	json_t *config = json_deep_copy(json_object_get(run, "config"));
	delete_keys(workload, found);
	delete_keys(config, changing);
	json_t *identity = json_pack("{s:o, s:o}", "workload", workload, "config", config);
	if (with_engine)
		json_object_set(identity, "engine", json_object_get(run, "engine"));
	return identity;
}

static struct configuration *find_configuration(struct grouping *g, const json_t *identity)
{
	for (unsigned i = 0; i < g->count; i++)
		if (json_equal(g->configurations[i].identity, identity))
			return &g->configurations[i];
	return NULL;
}

static unsigned round_of(const json_t *run)
{
	json_int_t round = json_integer_value(at_path(run, "config.round"));
	return round > 0 ? (unsigned)round : 0;
}

/* The order of the plan, not the shuffled one in which they ran. */
static int compare_by_plan(const void *a, const void *b)
{
	double x = number_at(((const struct configuration *)a)->first, "config.plan");
	double y = number_at(((const struct configuration *)b)->first, "config.plan");
	return (x > y) - (x < y);
}

struct grouping group_runs(const json_t *runs, const json_t *idle)
{
	struct grouping g = { 0 };
	size_t i;
	json_t *run;
	json_array_foreach (runs, i, run)
		if (round_of(run) >= g.rounds && !counts_syscalls(run))
			g.rounds = round_of(run) + 1;
	if (g.rounds == 0)
		g.rounds = 1;
	g.configurations = calloc(json_array_size(runs), sizeof *g.configurations);

	json_array_foreach (runs, i, run) {
		json_t *identity = configuration_of(run, true);
		struct configuration *c = find_configuration(&g, identity);
		if (c) {
			json_decref(identity);
		} else {
			c = &g.configurations[g.count++];
			c->identity = identity;
			c->workpiece = configuration_of(run, false);
			c->by_round = calloc(g.rounds, sizeof(json_t *));
			c->first = run;
			c->counting = json_array();
			c->idle = idle;
		}
		if (counts_syscalls(run))
			json_array_append(c->counting, run);
		else
			c->by_round[round_of(run)] = run;
	}
	qsort(g.configurations, g.count, sizeof *g.configurations, compare_by_plan);
	return g;
}

void free_grouping(struct grouping *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		json_decref(g->configurations[i].identity);
		json_decref(g->configurations[i].workpiece);
		json_decref(g->configurations[i].counting);
		free(g->configurations[i].by_round);
	}
	free(g->configurations);
}

bool is_imported(const struct configuration *c)
{
	return json_is_object(json_object_get(c->first, "imported"));
}

bool ok_in_round(const struct configuration *c, unsigned round)
{
	return c->by_round[round] && status_is(c->by_round[round], "ok");
}

unsigned ok_rounds_of(const struct configuration *c, unsigned rounds)
{
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++)
		count += ok_in_round(c, round);
	return count;
}
