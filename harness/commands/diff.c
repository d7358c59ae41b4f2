/* SPDX-License-Identifier: MIT */
/*
 * `iolab diff A B`: two results folders, of two machines, kernels or commits. What differs in their
 * environments comes first. The rounds of two folders have nothing in common, so they are not paired.
 * A disturbance that lasted a whole session shifts all its rounds alike, so no interval shows it.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_folder.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/printable_json.h"
#include "base/remark.h"
#include "base/statistics.h"
#include "commands/commands.h"
#include "metrics/metric.h"
#include "summary/environment_diff.h"
#include "summary/grouping.h"
#include "summary/interval_method.h"
#include "summary/place.h"
#include "summary/summary.h"
#include "workloads/panel.h"

struct diff_options {
	const char *folders[2];
	unsigned folder_count;
	bool json;
};

static bool same_engine(const json_t *a, const json_t *b)
{
	return strcmp(string_at(a, "engine.label"), string_at(b, "engine.label")) == 0;
}

/* The same engine's configuration at the same place; NULL when there is none. */
static const json_t *counterpart(const json_t *list, const json_t *configuration)
{
	size_t i;
	json_t *other;
	json_array_foreach (list, i, other) {
		if (same_engine(other, configuration) && same_place(other, configuration))
			return other;
	}
	return NULL;
}

/* Every round's value of a metric; how many there are. `positive` becomes false with one that is 0. */
static unsigned values_of(const json_t *configuration, const char *metric, double **values,
			  bool *positive)
{
	const json_t *found = json_object_get(json_object_get(configuration, "metrics"), metric);
	const json_t *list = json_object_get(found, "values");
	unsigned count = 0;
	size_t i;
	json_t *value;
	*values = malloc((json_array_size(list) + 1) * sizeof **values);
	json_array_foreach (list, i, value) {
		if (!json_is_number(value))
			continue;
		(*values)[count] = json_number_value(value);
		*positive = *positive && (*values)[count] > 0;
		count++;
	}
	return count;
}

/* B to A in one metric; null where either has none, or measured 0. */
static json_t *diff_ratio_json(const json_t *a, const json_t *b, const struct metric *m)
{
	double *a_values, *b_values;
	bool positive = true;
	unsigned a_count = values_of(a, m->name, &a_values, &positive);
	unsigned b_count = values_of(b, m->name, &b_values, &positive);
	json_t *result = json_null();
	if (a_count > 0 && b_count > 0 && positive) {
		struct unpaired_ratio r =
			estimate_unpaired_ratio(a_values, a_count, b_values, b_count);
		if (m->bucketed)
			widen_by_buckets(&r.low, &r.high);
		result = required(json_object());
		put_real(result, "mean", r.mean);
		put_real(result, "low", r.low);
		put_real(result, "high", r.high);
		put_real(result, "confidence_pct", 100 * r.confidence);
		put_int(result, "a_count", a_count);
		put_int(result, "b_count", b_count);
		put_string(result, "verdict",
			   ratio_verdict(r.low, r.high, a_count < b_count ? a_count : b_count));
	}
	free(a_values);
	free(b_values);
	return result;
}

/* Names of what was configured otherwise at the same place: CPUs, the seed. */
static json_t *config_differences(const json_t *a, const json_t *b)
{
	json_t *in_a = json_copy(json_object_get(a, "config"));
	json_t *in_b = json_copy(json_object_get(b, "config"));
	json_t *names = required(json_array());
	const char *name;
	json_t *value;
	config_without_words(in_a);
	config_without_words(in_b);
	json_object_foreach (in_a, name, value)
		if (!json_equal(value, json_object_get(in_b, name)))
			json_array_append_new(names, json_string(name));
	json_object_foreach (in_b, name, value)
		if (!json_object_get(in_a, name))
			json_array_append_new(names, json_string(name));
	json_decref(in_a);
	json_decref(in_b);
	return names;
}

/* The medians of both, of every metric that both have. */
static json_t *medians_json(const json_t *a, const json_t *b)
{
	json_t *medians = required(json_object());
	for_each_metric (m) {
		const json_t *in_a = metric_estimate(a, m->name),
			     *in_b = metric_estimate(b, m->name);
		if (!in_a || !in_b)
			continue;
		json_t *pair = required(json_object());
		put_real(pair, "a", number_at(in_a, "median"));
		put_real(pair, "b", number_at(in_b, "median"));
		put_new(medians, m->name, pair);
	}
	return medians;
}

static json_t *place_json(const json_t *configuration)
{
	json_t *place = required(json_object());
	put_string(place, "engine", string_at(configuration, "engine.label"));
	put_shared(place, "panel", at_path(configuration, "workload.panel"));
	put_string(place, "x_name", string_at(configuration, "config.x_name"));
	put_shared(place, "x", at_path(configuration, "config.x"));
	return place;
}

static json_t *entry_json(const json_t *a, const json_t *b)
{
	json_t *entry = place_json(a), *ratio = required(json_object());
	for_each_metric (m)
		if (m->ratio)
			put_new(ratio, m->name, diff_ratio_json(a, b, m));
	put_shared(entry, "a_status", json_object_get(a, "status"));
	put_shared(entry, "b_status", json_object_get(b, "status"));
	put_shared(entry, "a_reason", json_object_get(a, "reason"));
	put_shared(entry, "b_reason", json_object_get(b, "reason"));
	put_new(entry, "config_differs", config_differences(a, b));
	put_new(entry, "ratio", ratio);
	put_new(entry, "median", medians_json(a, b));
	return entry;
}

/* The configurations of `list` that `others` lack. */
static json_t *only_in(const json_t *list, const json_t *others)
{
	json_t *only = json_array(), *c;
	size_t i;
	json_array_foreach (list, i, c) {
		if (!counterpart(others, c))
			json_array_append_new(only, place_json(c));
	}
	return only;
}

static json_t *side_json(const char *folder, const json_t *summary)
{
	json_t *side = required(json_object());
	put_string(side, "folder", folder);
	put_shared(side, "time_utc", json_object_get(summary, "time_utc"));
	put_shared(side, "rounds_done", json_object_get(summary, "rounds_done"));
	put_shared(side, "command", json_object_get(summary, "command"));
	put_shared(side, "env_varies", json_object_get(summary, "env_varies"));
	return side;
}

static json_t *document_json(const struct diff_options *o, json_t *summaries[2], json_t *command)
{
	const json_t *a = json_object_get(summaries[0], "configurations");
	const json_t *b = json_object_get(summaries[1], "configurations");
	json_t *both = json_array(), *c;
	char stamp[32];
	size_t i;
	json_array_foreach (a, i, c) {
		const json_t *other = counterpart(b, c);
		if (other)
			json_array_append_new(both, entry_json(c, other));
	}
	json_t *interval = required(json_object()), *document = required(json_object());
	put_string(interval, "method", DIFF_METHOD);
	put_int(interval, "confidence_pct", 95);
	put_string(document, "schema", "iolab.diff.v2");
	put_string(document, "time_utc", time_utc(stamp));
	put_new(document, "command", command);
	put_new(document, "a", side_json(o->folders[0], summaries[0]));
	put_new(document, "b", side_json(o->folders[1], summaries[1]));
	put_new(document, "interval", interval);
	put_new(document, "environment",
		environment_diff(json_object_get(summaries[0], "env"),
				 json_object_get(summaries[1], "env")));
	put_new(document, "configurations", both);
	put_new(document, "only_a", only_in(a, b));
	put_new(document, "only_b", only_in(b, a));
	return document;
}

#define COLUMN_WIDTH 19

/* Do two entries of the document belong in one block of the table? */
static bool same_block(const json_t *a, const json_t *b)
{
	return panels_same(json_object_get(a, "panel"), json_object_get(b, "panel"));
}

/* Has any configuration of the panel `of` a ratio of it? */
static bool has_diff_column(const json_t *list, const json_t *of, const struct metric *m)
{
	size_t i;
	const json_t *entry;
	json_array_foreach (list, i, entry)
		if (m->ratio && same_block(entry, of) &&
		    json_is_object(json_object_get(json_object_get(entry, "ratio"), m->name)))
			return true;
	return false;
}

/* Two blanks and `text`, after `*spaces`, which become those that this column leaves. */
static void print_cell(FILE *out, const char *text, int *spaces)
{
	int length = fprintf(out, "%*s  %s", *spaces, "", text) - *spaces - 2;
	*spaces = length < COLUMN_WIDTH ? COLUMN_WIDTH - length : 0;
}

static void print_diff_ratio(FILE *out, const json_t *ratio, int *spaces)
{
	char text[64] = "-", mean[16], low[16], high[16];
	bool equal = strcmp(string_at(ratio, "verdict"), VERDICT_NONE) == 0;
	if (json_is_object(ratio))
		snprintf(text, sizeof text, "%s (%s-%s)%s",
			 format_ratio(number_at(ratio, "mean"), mean),
			 format_ratio(number_at(ratio, "low"), low),
			 format_ratio(number_at(ratio, "high"), high), equal ? " =" : "");
	print_cell(out, text, spaces);
}

/* What no ratio is taken of, where there is something: "helper threads 0 -> 1". */
static void print_changed(FILE *out, const json_t *entry)
{
	char a_text[16], b_text[16];
	for_each_metric (m) {
		const json_t *pair = json_object_get(json_object_get(entry, "median"), m->name);
		if (m->column.shown == COLUMN_NEVER || m->ratio)
			continue;
		metric_format(m, number_at(pair, "a"), a_text);
		metric_format(m, number_at(pair, "b"), b_text);
		if (strcmp(a_text, b_text) != 0)
			fprintf(out, "  %s %s -> %s", m->words, a_text, b_text);
	}
}

static void print_reason(FILE *out, const char *side, const char *status, const json_t *reason)
{
	fprintf(out, "  %s: %s: ", side, status);
	remark_print(out, reason);
}

/* Why a row has no ratio; nothing where it has. */
static void print_diff_missing(FILE *out, const json_t *entry)
{
	static const char *const sides[] = { "A", "B" };
	static const char *const status[] = { "a_status", "b_status" };
	static const char *const reason[] = { "a_reason", "b_reason" };
	for (unsigned i = 0; i < 2; i++)
		if (strcmp(string_at(entry, status[i]), "ok") != 0)
			print_reason(out, sides[i], string_at(entry, status[i]),
				     json_object_get(entry, reason[i]));
}

static void print_entry(FILE *out, const json_t *list, const json_t *entry)
{
	const json_t *config_differs = json_object_get(entry, "config_differs");
	bool ok = strcmp(string_at(entry, "a_status"), "ok") == 0 &&
		  strcmp(string_at(entry, "b_status"), "ok") == 0;
	int spaces = 0;
	size_t i;
	json_t *name;
	if (json_is_number(json_object_get(entry, "x")))
		fprintf(out, "  %6.0f", number_at(entry, "x"));
	else
		fprintf(out, "  %6s", "?");
	fprintf(out, "  %-24s", string_at(entry, "engine"));
	for_each_metric (m)
		if (ok && has_diff_column(list, entry, m))
			print_diff_ratio(out,
					 json_object_get(json_object_get(entry, "ratio"), m->name),
					 &spaces);
	if (ok)
		print_changed(out, entry);
	else
		print_diff_missing(out, entry);
	json_array_foreach (config_differs, i, name)
		fprintf(out, "%s%s", i == 0 ? "  not alike: " : ", ", json_string_value(name));
	fputc('\n', out);
}

static void print_diff_heads(FILE *out, const json_t *list, const json_t *first)
{
	int spaces = 0;
	fprintf(out, "\n%s\n  %6s  %-24s", string_at(first, "panel.text"),
		string_at(first, "x_name"), "B / A");
	for_each_metric (m)
		if (has_diff_column(list, first, m))
			print_cell(out, m->words, &spaces);
	fputc('\n', out);
}

/* A block for each panel, in the order of A. */
static void print_configurations(FILE *out, const json_t *list)
{
	size_t i, j;
	json_t *first, *entry;
	json_array_foreach (list, i, first) {
		bool begun = false;
		json_array_foreach (list, j, entry) {
			if (!same_block(entry, first))
				continue;
			if (j < i) /* its block has been printed */
				break;
			if (!begun)
				print_diff_heads(out, list, first);
			begun = true;
			print_entry(out, list, entry);
		}
	}
}

/* One line a panel and engine: "blocking on file randread 4k, depth 1, 16". */
static void print_only(FILE *out, const char *side, const json_t *list)
{
	size_t i, j;
	json_t *first, *other;
	if (json_array_size(list) > 0)
		fprintf(out, "\nOnly %s has\n", side);
	json_array_foreach (list, i, first) {
		bool begun = false;
		json_array_foreach (list, j, other) {
			bool together =
				same_block(first, other) &&
				strcmp(string_at(first, "engine"), string_at(other, "engine")) == 0;
			if (together && j < i)
				break;
			if (!together)
				continue;
			if (!begun)
				fprintf(out, "  %s on %s, %s", string_at(first, "engine"),
					string_at(first, "panel.text"), string_at(first, "x_name"));
			if (json_is_number(json_object_get(other, "x")))
				fprintf(out, "%s %.0f", begun ? "," : "", number_at(other, "x"));
			else
				fprintf(out, "%s unknown", begun ? "," : "");
			begun = true;
		}
		if (begun)
			fputc('\n', out);
	}
}

static void print_side(FILE *out, const char *name, const json_t *side)
{
	size_t i;
	json_t *key;
	fprintf(out, "%s  %s, %.0f round%s", name, string_at(side, "folder"),
		number_at(side, "rounds_done"), number_at(side, "rounds_done") == 1 ? "" : "s");
	json_array_foreach (json_object_get(side, "env_varies"), i, key)
		fprintf(out, "%s%s", i == 0 ? "; changed between its runs: " : ", ",
			json_string_value(key));
	fputc('\n', out);
}

/* What the columns say, and what no interval can. */
static void print_legend(FILE *out)
{
	fprintf(out, "\nB / A: %s,\ninterval of 95 %%. =: %s, ", interval_method_words(DIFF_METHOD),
		NO_DIFFERENCE);
	fputs("because it includes 1, or either has fewer than five rounds.\n"
	      "A disturbance that lasted a whole session shifts all its rounds alike, so no interval "
	      "shows it. A\ndifference says that the two sessions differ. Measure A and B again, in "
	      "turns, before you say that\nkernels, commits or machines do.\n",
	      out);
}

static void print_document(FILE *out, const json_t *from_outside)
{
	json_t *document = printable_copy(from_outside);
	const json_t *both = json_object_get(document, "configurations");
	print_side(out, "A", json_object_get(document, "a"));
	print_side(out, "B", json_object_get(document, "b"));
	fputc('\n', out);
	environment_diff_print(out, json_object_get(document, "environment"));
	if (json_array_size(both) == 0)
		fputs("\nThere is no configuration that both have.\n", out);
	print_configurations(out, both);
	print_only(out, "A", json_object_get(document, "only_a"));
	print_only(out, "B", json_object_get(document, "only_b"));
	if (json_array_size(both) > 0)
		print_legend(out);
	json_decref(document);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct diff_options *o = state->input;
	switch (key) {
	case 'j':
		o->json = true;
		break;
	case ARGP_KEY_ARG:
		if (o->folder_count == 2)
			argp_error(state, "'%s': two results folders at a time", arg);
		o->folders[o->folder_count++] = arg;
		break;
	case ARGP_KEY_END:
		if (o->folder_count < 2)
			argp_error(state, "which two results folders? For example results/a "
					  "results/b");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int command_diff(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "json", 'j', NULL, 0, "print one line of JSON instead of the table", 0 }, { 0 }
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "FOLDER_A FOLDER_B",
		.doc = "Compares two results folders, of two machines, kernels or commits. First "
		       "come the differences of their environments, then the ratio B / A of every "
		       "configuration that both have, then what only one has. Writes nothing."
	};
	struct diff_options options = { 0 };
	struct reason why = { "" };
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	json_t *summaries[2] = { NULL, NULL };
	int status = EXIT_OK;
	for (unsigned i = 0; i < 2 && status == EXIT_OK; i++) {
		summaries[i] = summary_recompute(options.folders[i], NULL,
						 (struct comparison) { 0 }, &why);
		if (!summaries[i]) {
			fprintf(stderr, "iolab: %s\n", why.text);
			status = EXIT_ERROR;
		}
	}
	if (status == EXIT_OK) {
		json_t *document = document_json(&options, summaries, command_json(argc, argv));
		if (!options.json)
			print_document(stdout, document);
		status = json_deliver(document, options.json, NULL, "");
		json_decref(document);
	}
	json_decref(summaries[0]);
	json_decref(summaries[1]);
	return status;
}
