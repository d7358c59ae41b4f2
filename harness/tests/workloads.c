/* SPDX-License-Identifier: MIT */
/*
 * What every workload says of itself is true: its table names the parameters that it writes into a
 * result. A new one needs no other file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "tap.h"
#include "workloads/panel.h"
#include "workloads/workload.h"

static void one_needs(const struct run_config *config, struct workload_needs *needs)
{
	(void)config;
	workload_need(needs, IO_READ, IO_FD_PIPE);
}

static const struct option_row no_options[] = { { 0 } };

static const struct workload_ops newcomer = {
	.name = "newcomer",
	.place = 99,
	.has_peer = true,
	.options = no_options,
	.axis = &axis_depth,
	.needs = one_needs,
};
WORKLOAD(newcomer);

/* "count", "amount", "boolean" or "string", null where there is a "?". */
static bool fits(const struct parameter_row *row, const json_t *value)
{
	bool is_word = !row->words;
	for (unsigned i = 0; row->words && row->words[i]; i++)
		is_word |= json_is_string(value) &&
			   strcmp(json_string_value(value), row->words[i]) == 0;
	if (json_is_null(value))
		return strchr(row->type, '?') != NULL;
	if (strncmp(row->type, "count", 5) == 0)
		return json_is_integer(value) && json_integer_value(value) >= 0;
	if (strncmp(row->type, "amount", 6) == 0)
		return json_is_number(value) && json_number_value(value) >= 0;
	if (strncmp(row->type, "boolean", 7) == 0)
		return json_is_boolean(value);
	return strncmp(row->type, "string", 6) == 0 && json_is_string(value) && is_word;
}

static const struct parameter_row *row_of(const struct workload_ops *workload, const char *key)
{
	for (const struct parameter_row *row = workload->parameter_rows; row && row->name; row++)
		if (strcmp(row->name, key) == 0)
			return row;
	return NULL;
}

/* A panel's values are parameters, and the swept one is none of them. */
static void check_panel(struct tap *tap, const struct workload_ops *workload,
			const json_t *parameters)
{
	const char *strange = "", *key;
	const json_t *value;
	json_t *panel = panel_new(workload, parameters, NULL);
	json_object_foreach (json_object_get(panel, "values"), key, value)
		if (!json_equal(value, json_object_get(parameters, key)) ||
		    strcmp(key, workload->axis->option) == 0)
			strange = key;
	tap_check(tap, *string_at(panel, "text") && !*strange,
		  "%s: its panel is of its parameters, without the swept one: %s", workload->name,
		  *strange ? strange : string_at(panel, "text"));
	json_decref(panel);
}

static void check_parameters(struct tap *tap, const struct workload_ops *workload)
{
	struct run_config config;
	struct reason why = { "" };
	const char *fault = "", *key;
	json_t *value, *parameters = required(json_object());
	int rc = workload_usual_config(workload, &config, &why);
	tap_check(tap, rc == 0, "%s: expected a usual configuration, saw %d %s", workload->name, rc,
		  why.text);
	if (workload->parameters)
		workload->parameters(&config, parameters);
	json_object_foreach (parameters, key, value) {
		const struct parameter_row *row = row_of(workload, key);
		if (!row || !fits(row, value))
			fault = key;
	}
	for (const struct parameter_row *row = workload->parameter_rows; row && row->name; row++)
		if (!row->may_be_missing && !json_object_get(parameters, row->name))
			fault = row->name;
	tap_check(tap, !*fault, "%s: its table of parameters is what it writes; differs in: \"%s\"",
		  workload->name, fault);
	check_panel(tap, workload, parameters);
	json_decref(parameters);
	free(config.settings);
}

/* One option means one axis: its name is the "x_name" of results, and its list an option of compare. */
static bool is_one_meaning(const struct sweep_axis *a, const struct sweep_axis *b)
{
	return a == b ||
	       (strcmp(a->option, b->option) != 0 && strcmp(a->list_option, b->list_option) != 0);
}

static void check_axes(struct tap *tap)
{
	const struct sweep_axis same_option = { .option = "depth", .list_option = "deep" };
	const struct sweep_axis same_list = { .option = "deep", .list_option = "depths" };
	for (unsigned i = 0; i < workloads_count(); i++) {
		const char *other = NULL;
		for (unsigned j = 0; j < i; j++)
			if (!is_one_meaning(workload_at(i)->axis, workload_at(j)->axis))
				other = workload_at(j)->name;
		tap_check(tap, !other,
			  "%s: no other workload gives its axis --%s another meaning: %s",
			  workload_at(i)->name, workload_at(i)->axis->option,
			  other ? other : "none");
	}
	tap_check(tap,
		  !is_one_meaning(&axis_depth, &same_option) &&
			  !is_one_meaning(&axis_depth, &same_list),
		  "an axis of its own with the option or the list of another is found");
}

int main(void)
{
	struct tap tap = { 0 };
	char all[200], with_peer[200];
	unsigned last = workloads_count() - 1;
	for (unsigned i = 0; i < last; i++)
		check_parameters(&tap, workload_at(i));
	check_axes(&tap);
	workload_names(all, sizeof all);
	workload_names_with_peer(with_peer, sizeof with_peer);
	tap_check(&tap, workload_at(last) == &newcomer && strstr(all, " and newcomer"),
		  "a new workload is in the list, by its place: %s", all);
	tap_check(&tap, strstr(with_peer, " and newcomer") && !strstr(with_peer, "nop"),
		  "and among those with a peer: %s", with_peer);

	const struct workload_ops *without = workload_without_io();
	struct workload_needs needs = { 0 };
	struct run_config config = { .workload = without };
	if (without)
		without->needs(&config, &needs);
	tap_check(&tap, needs.pair_count == 1 && needs.pairs[0].fd_kind == IO_FD_NONE,
		  "the workload without I/O needs no descriptor: %s",
		  without ? without->name : "none");
	return tap_end(&tap);
}
