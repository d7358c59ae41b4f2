/* SPDX-License-Identifier: MIT */
#include "summary/failed_rounds.h"

#include <stdio.h>

#include "base/json_path.h"

void failed_round_add(json_t *warnings, unsigned round, unsigned rounds, const struct reason *why)
{
	json_array_append_new(warnings,
			      json_sprintf("round %u of %u: %s", round + 1, rounds, why->text));
}

void print_warnings(const json_t *entries)
{
	size_t i, w;
	const json_t *entry, *warning;
	json_array_foreach (entries, i, entry) {
		if (!status_is(entry, "ok"))
			continue;
		json_array_foreach (json_object_get(entry, "warnings"), w, warning)
			printf("warning: %s: %s\n", string_at(entry, "engine.label"),
			       json_string_value(warning));
	}
}
