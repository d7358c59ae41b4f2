/* SPDX-License-Identifier: MIT */
#include "summary/failed_rounds.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"

void failed_round_add(json_t *warnings, unsigned round, unsigned rounds, const struct reason *why)
{
	json_t *values = required(json_object());
	put_int(values, "round", round + 1);
	put_int(values, "rounds", rounds);
	put_string(values, "why", why->text);
	remark_add(warnings, "round_failed", values, "round {round} of {rounds}: {why}");
}

void print_warnings_of(const json_t *entries)
{
	size_t i, w;
	const json_t *entry, *warning;
	json_array_foreach (entries, i, entry) {
		if (!status_is(entry, "ok"))
			continue;
		json_array_foreach (json_object_get(entry, "warnings"), w, warning) {
			char *text = remark_text(warning);
			printf("warning: %s: %s\n", string_at(entry, "engine.label"), text);
			free(text);
		}
	}
}
