/* SPDX-License-Identifier: MIT */
#include "summary/failed_rounds.h"

#include <stdio.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"

void failed_round_add(json_t *warnings, unsigned round, unsigned rounds, const json_t *cause)
{
	json_t *values = required(json_object());
	put_int(values, "round", round + 1);
	put_int(values, "rounds", rounds);
	json_array_append_new(warnings, remark_caused("round_failed", values,
						      "round {round} of {rounds}: {cause}", cause));
}

void print_status_of(const json_t *entry)
{
	printf("%s: ", string_at(entry, "status"));
	remark_print(stdout, json_object_get(entry, "reason"));
	putchar('\n');
}

void print_warnings_of(const json_t *entries)
{
	size_t i, w;
	const json_t *entry, *warning;
	json_array_foreach (entries, i, entry) {
		if (!status_is(entry, "ok"))
			continue;
		json_array_foreach (json_object_get(entry, "warnings"), w, warning) {
			printf("warning: %s: ", string_at(entry, "engine.label"));
			remark_print(stdout, warning);
			putchar('\n');
		}
	}
}
