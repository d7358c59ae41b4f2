/* SPDX-License-Identifier: MIT */
#include "exchange/places.h"

#include <stdlib.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "summary/grouping.h"

/* Equal values have equal texts. To be freed. */
static char *text_of(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
}

static char *identity_text(const json_t *run)
{
	json_t *identity = identity_of(run, true);
	char *text = text_of(identity);
	json_decref(identity);
	return text;
}

/* What makes it the same result: not where its file lies. */
static char *result_text(const json_t *run)
{
	static const char *const paths[] = { "metrics",	     "engine",	       "time_utc",
					     "imported.job", "imported.index", "imported.options" };
	json_t *parts = required(json_array());
	for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
		const json_t *part = at_path(run, paths[i]);
		json_array_append_new(parts, part ? json_incref((json_t *)part) : json_null());
	}
	char *text = text_of(parts);
	json_decref(parts);
	return text;
}

/* The number that follows; 0 when the run has none, as one that was made alone. */
static json_int_t next_of(const json_t *config, const char *key)
{
	const json_t *number = json_object_get(config, key);
	return json_is_integer(number) ? json_integer_value(number) + 1 : 0;
}

/* Counts a run at the place that it has. */
static void count_run(struct places *places, const json_t *run)
{
	const json_t *config = json_object_get(run, "config");
	json_int_t next_round = next_of(config, "round"), next_plan = next_of(config, "plan");
	char *text = identity_text(run);
	json_t *place = json_object_get(places->taken, text);
	if (!place) {
		place = required(json_object());
		put_int(place, "round", 0);
		put_int(place, "plan", places->plans);
		put_new(places->taken, text, place);
	}
	if (next_plan > 0)
		put_int(place, "plan", next_plan - 1);
	if (next_round > json_integer_value(json_object_get(place, "round")))
		put_int(place, "round", next_round);
	if (next_round > places->rounds)
		places->rounds = next_round;
	if (next_plan > places->plans)
		places->plans = next_plan;
	free(text);
	if (json_is_object(json_object_get(run, "imported"))) {
		text = result_text(run);
		put_new(places->imported, text, json_true());
		free(text);
	}
}

struct places places_of(const json_t *runs)
{
	struct places places = { .taken = required(json_object()),
				 .imported = required(json_object()) };
	size_t i;
	json_t *run;
	json_array_foreach (runs, i, run)
		count_run(&places, run);
	return places;
}

void places_free(struct places *places)
{
	json_decref(places->taken);
	json_decref(places->imported);
	*places = (struct places) { 0 };
}

bool places_has(const struct places *places, const json_t *run)
{
	char *text = result_text(run);
	bool has = json_object_get(places->imported, text) != NULL;
	free(text);
	return has;
}

void places_take(struct places *places, json_t *run)
{
	json_t *config = json_object_get(run, "config");
	char *text = identity_text(run);
	const json_t *place = json_object_get(places->taken, text);
	put_int(config, "round", place ? json_integer_value(json_object_get(place, "round")) : 0);
	put_int(config, "plan",
		place ? json_integer_value(json_object_get(place, "plan")) : places->plans);
	free(text);
	count_run(places, run);
}
