/* SPDX-License-Identifier: MIT */
#include "summary/grouping.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"

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
	json_t *identity = required(json_object());
	put_new(identity, "workload", workload);
	put_new(identity, "config", config);
	if (with_engine)
		put_shared(identity, "engine", json_object_get(run, "engine"));
	return identity;
}

void config_without_words(json_t *config)
{
	static const char *const words[] = { "x_label", "x_unit", "x_about", NULL };
	delete_keys(config, words);
}

json_t *identity_of(const json_t *run, bool with_engine)
{
	json_t *identity = configuration_of(run, with_engine);
	json_t *workload = json_object_get(identity, "workload");
	json_object_del(workload, "words");
	json_object_del(json_object_get(workload, "panel"), "text");
	config_without_words(json_object_get(identity, "config"));
	return identity;
}

static struct measured_config *find_configuration(struct grouping *g, const json_t *identity)
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

/* Makes room for rounds 0 to `rounds` - 1 in every configuration. */
static void extend_rounds(struct grouping *g, unsigned rounds)
{
	if (rounds > g->rounds)
		g->rounds = rounds;
	if (rounds <= g->rounds_room)
		return;
	unsigned room = 2 * rounds;
	for (unsigned i = 0; i < g->count; i++) {
		struct measured_config *c = &g->configurations[i];
		c->by_round = realloc(c->by_round, room * sizeof *c->by_round);
		memset(c->by_round + g->rounds_room, 0,
		       (room - g->rounds_room) * sizeof *c->by_round);
	}
	g->rounds_room = room;
}

/* A configuration that was not there yet, at its place in the order of the plan. */
static struct measured_config *insert_configuration(struct grouping *g, json_t *identity,
						    json_t *run)
{
	if (g->count == g->room) {
		g->room = 2 * g->room + 16;
		g->configurations = realloc(g->configurations, g->room * sizeof *g->configurations);
	}
	unsigned at = g->count;
	while (at > 0 && number_at(g->configurations[at - 1].first, "config.plan") >
				 number_at(run, "config.plan"))
		at--;
	struct measured_config *c = &g->configurations[at];
	memmove(c + 1, c, (g->count++ - at) * sizeof *c);
	*c = (struct measured_config) {
		.identity = identity,
		.workpiece = identity_of(run, false),
		.by_round = calloc(g->rounds_room, sizeof(json_t *)),
		.first = json_incref(run),
		.counting = json_array(),
		.idle = g->idle,
	};
	return c;
}

void grouping_add(struct grouping *g, json_t *run)
{
	bool counting = counts_syscalls(run);
	extend_rounds(g, counting ? 1 : round_of(run) + 1);
	json_t *identity = identity_of(run, true);
	struct measured_config *c = find_configuration(g, identity);
	if (c)
		json_decref(identity);
	else
		c = insert_configuration(g, identity, run);
	if (counting) {
		json_array_append(c->counting, run);
	} else {
		json_decref(c->by_round[round_of(run)]);
		c->by_round[round_of(run)] = json_incref(run);
	}
}

struct grouping group_runs(const json_t *runs, const json_t *idle)
{
	struct grouping g = { .idle = idle };
	size_t i;
	json_t *run;
	extend_rounds(&g, 1);
	json_array_foreach (runs, i, run)
		grouping_add(&g, run);
	return g;
}

void free_grouping(struct grouping *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		struct measured_config *c = &g->configurations[i];
		for (unsigned round = 0; round < g->rounds; round++)
			json_decref(c->by_round[round]);
		free(c->by_round);
		json_decref(c->identity);
		json_decref(c->workpiece);
		json_decref(c->counting);
		json_decref(c->first);
	}
	free(g->configurations);
}

bool is_imported(const struct measured_config *c)
{
	return json_is_object(json_object_get(c->first, "imported"));
}

bool ok_in_round(const struct measured_config *c, unsigned round)
{
	return c->by_round[round] && status_is(c->by_round[round], "ok");
}

unsigned ok_rounds_of(const struct measured_config *c, unsigned rounds)
{
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++)
		count += ok_in_round(c, round);
	return count;
}
