/* SPDX-License-Identifier: MIT */
#include "summary/notes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/remark.h"
#include "summary/place.h"
#include "summary/remarks.h"

/* Where another engine stands in for the baseline: which one, and why, each once. */
static void print_stand_ins(FILE *out, const json_t *list, const json_t *panel)
{
	size_t i, j;
	json_t *c, *earlier;
	json_array_foreach (list, i, c) {
		const json_t *reason = json_object_get(c, "stand_in_reason");
		const char *baseline = string_at(c, "baseline");
		bool told = !json_is_object(reason) || !same_panel(c, panel);
		json_array_foreach (list, j, earlier)
			told = told ||
			       (j < i && same_panel(earlier, c) &&
				strcmp(string_at(earlier, "baseline"), baseline) == 0 &&
				remarks_same(json_object_get(earlier, "stand_in_reason"), reason));
		if (told)
			continue;
		fprintf(out, "  ratios to %s: ", baseline);
		remark_print(out, reason);
		fputc('\n', out);
	}
}

/* Why a column has a "-", once for each reason. */
static void print_missing(FILE *out, const json_t *list, const json_t *panel, const char *what,
			  const char *reason_key)
{
	size_t i, j;
	json_t *c, *earlier;
	json_array_foreach (list, i, c) {
		const json_t *reason = json_object_get(c, reason_key);
		bool told = !json_is_object(reason) || !same_panel(c, panel) || !status_is(c, "ok");
		json_array_foreach (list, j, earlier)
			told = told || (j < i && same_panel(earlier, c) &&
					remarks_same(json_object_get(earlier, reason_key), reason));
		if (told)
			continue;
		fprintf(out, "  no %s: ", what);
		remark_print(out, reason);
		fputc('\n', out);
	}
}

/* Engines that could not do a panel, each with its reason once, however many values were swept. */
static void print_refusals(FILE *out, const json_t *list, const json_t *panel)
{
	size_t i;
	json_t *c;
	json_array_foreach (list, i, c) {
		if (!same_panel(c, panel) || status_is(c, "ok"))
			continue;
		bool told = false;
		for (size_t j = 0; j < i; j++) {
			const json_t *earlier = json_array_get(list, j);
			told = told || (same_panel(earlier, c) && !status_is(earlier, "ok") &&
					json_equal(json_object_get(earlier, "engine"),
						   json_object_get(c, "engine")) &&
					remarks_same(json_object_get(earlier, "reason"),
						     json_object_get(c, "reason")));
		}
		if (told)
			continue;
		fprintf(out, "  %-24s %s: ", string_at(c, "engine.label"), string_at(c, "status"));
		remark_print(out, json_object_get(c, "reason"));
		fputc('\n', out);
	}
}

void print_panel_notes(FILE *out, const json_t *list, const json_t *panel)
{
	print_stand_ins(out, list, panel);
	print_missing(out, list, panel, "ratio", "ratio_reason");
	print_missing(out, list, panel, "calls per op", "syscalls_reason");
	print_refusals(out, list, panel);
}

static bool is_warned(const json_t *configuration, const json_t *warning)
{
	return find_alike(json_object_get(configuration, "warnings"), warning);
}

/* From entry `from` on: the engines that share its panel, its swept value and the warning. */
static void print_warned(FILE *out, const json_t *list, size_t from, const json_t *warning)
{
	const json_t *first = json_array_get(list, from);
	char place[64];
	fprintf(out, "    %s, %s:", string_at(first, "workload.panel.text"), x_words(first, place));
	for (size_t i = from; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		if (same_place(c, first) && is_warned(c, warning))
			fprintf(out, "%s %s", i == from ? "" : ",", string_at(c, "engine.label"));
	}
	fputc('\n', out);
}

/* Whether an earlier entry carries a warning like this (at the same place, if so asked). */
static bool warned_before(const json_t *list, size_t position, const json_t *warning,
			  bool at_same_place)
{
	const json_t *c = json_array_get(list, position);
	for (size_t i = 0; i < position; i++) {
		const json_t *earlier = json_array_get(list, i);
		if ((!at_same_place || same_place(earlier, c)) && is_warned(earlier, warning))
			return true;
	}
	return false;
}

void print_all_warnings(FILE *out, const json_t *list)
{
	size_t i, j, k;
	json_t *c, *warning, *other;
	bool headed = false;
	json_array_foreach (list, i, c) {
		const json_t *warnings = json_object_get(c, "warnings");
		json_array_foreach (warnings, j, warning) {
			if (find_alike(warnings, warning) != warning ||
			    warned_before(list, i, warning, false))
				continue;
			char *text = text_for_all(list, "warnings", warning);
			fprintf(out, "%s  %s\n", headed ? "" : "\nWarnings (rows marked !)\n",
				text);
			free(text);
			headed = true;
			json_array_foreach (list, k, other)
				if (is_warned(other, warning) &&
				    !warned_before(list, k, warning, true))
					print_warned(out, list, k, warning);
		}
	}
}
