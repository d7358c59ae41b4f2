/* SPDX-License-Identifier: MIT */
/*
 * `iolab diff A B`: two results folders, of two machines, kernels or commits. What differs around
 * them comes first. The rounds of two folders have nothing in common, so they are not paired; and
 * what was so for the whole of a session is in each of its rounds, and in no interval.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_folder.h"
#include "base/json_path.h"
#include "base/statistics.h"
#include "commands/commands.h"
#include "summary/environment_diff.h"
#include "summary/place.h"
#include "summary/summary.h"

#define METHOD	      "ratio of geometric means, Welch's t on the logarithms of unpaired rounds"
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const struct {
	const char *metric, *words;
} compared[] = {
	{ "ops_per_s", "throughput" },
	{ "latency_ns.p50", "latency p50" },
	{ "latency_ns.p99", "latency p99" },
	{ "cpu.us_per_op", "CPU per op" },
};

struct options {
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
static json_t *ratio_json(const json_t *a, const json_t *b, const char *metric)
{
	double *a_values, *b_values;
	bool positive = true;
	unsigned a_count = values_of(a, metric, &a_values, &positive);
	unsigned b_count = values_of(b, metric, &b_values, &positive);
	json_t *result = json_null();
	if (a_count > 0 && b_count > 0 && positive) {
		struct unpaired_ratio r =
			estimate_unpaired_ratio(a_values, a_count, b_values, b_count);
		if (strncmp(metric, "latency_ns.", strlen("latency_ns.")) == 0)
			widen_by_buckets(&r.low, &r.high);
		result = json_pack("{s:f, s:f, s:f, s:f, s:i, s:i, s:s}", "mean", r.mean, "low",
				   r.low, "high", r.high, "confidence_pct", 100 * r.confidence,
				   "a_count", (int)a_count, "b_count", (int)b_count, "verdict",
				   ratio_verdict(r.low, r.high,
						 r.a_count < r.b_count ? r.a_count : r.b_count));
	}
	free(a_values);
	free(b_values);
	return result;
}

/* Names of what was configured otherwise at the same place: CPUs, the seed. */
static json_t *config_differences(const json_t *a, const json_t *b)
{
	json_t *names = json_array();
	const char *name;
	json_t *value;
	json_object_foreach (json_object_get(a, "config"), name, value) {
		if (!json_equal(value, json_object_get(json_object_get(b, "config"), name)))
			json_array_append_new(names, json_string(name));
	}
	return names;
}

static json_t *place_json(const json_t *configuration)
{
	return json_pack("{s:s, s:s, s:s, s:O}", "engine", string_at(configuration, "engine.label"),
			 "panel", string_at(configuration, "workload.panel"), "x_name",
			 string_at(configuration, "config.x_name"), "x",
			 at_path(configuration, "config.x"));
}

static json_t *entry_json(const json_t *a, const json_t *b)
{
	json_t *entry = place_json(a), *ratio = json_object();
	for (unsigned i = 0; i < LENGTH(compared); i++)
		json_object_set_new(ratio, compared[i].metric,
				    ratio_json(a, b, compared[i].metric));
	json_object_update_new(entry, json_pack("{s:O, s:O, s:O, s:O, s:o, s:o}", "a_status",
						json_object_get(a, "status"), "b_status",
						json_object_get(b, "status"), "a_reason",
						json_object_get(a, "reason"), "b_reason",
						json_object_get(b, "reason"), "config_differs",
						config_differences(a, b), "ratio", ratio));
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
	return json_pack("{s:s, s:O, s:O, s:O, s:O}", "folder", folder, "time_utc",
			 json_object_get(summary, "time_utc"), "rounds_done",
			 json_object_get(summary, "rounds_done"), "command",
			 json_object_get(summary, "command"), "env_varies",
			 json_object_get(summary, "env_varies"));
}

static json_t *document_json(const struct options *o, json_t *summaries[2], json_t *command)
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
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:s, s:i}, s:o, s:o, s:o, s:o}", "schema",
			 "iolab.diff.v1", "time_utc", time_utc(stamp), "command", command, "a",
			 side_json(o->folders[0], summaries[0]), "b",
			 side_json(o->folders[1], summaries[1]), "interval", "method", METHOD,
			 "confidence_pct", 95, "environment",
			 environment_diff(json_object_get(summaries[0], "env"),
					  json_object_get(summaries[1], "env")),
			 "configurations", both, "only_a", only_in(a, b), "only_b", only_in(b, a));
}

/* Columns are so wide, but for the last, after which there is nothing to line up. */
static int column_width(size_t column)
{
	return column + 1 < LENGTH(compared) ? 19 : 0;
}

static void print_ratio(FILE *out, const json_t *ratio, int width)
{
	char text[64], mean[16], low[16], high[16];
	bool equal = strcmp(string_at(ratio, "verdict"), NO_DIFFERENCE) == 0;
	if (!json_is_object(ratio))
		snprintf(text, sizeof text, "-");
	else
		snprintf(text, sizeof text, "%s (%s-%s)%s",
			 format_ratio(number_at(ratio, "mean"), mean),
			 format_ratio(number_at(ratio, "low"), low),
			 format_ratio(number_at(ratio, "high"), high), equal ? " =" : "");
	fprintf(out, "  %-*s", width, text);
}

/* Why a row has no ratio; nothing where it has. */
static void print_missing(FILE *out, const json_t *entry)
{
	static const char *const sides[] = { "A", "B" };
	static const char *const status[] = { "a_status", "b_status" };
	static const char *const reason[] = { "a_reason", "b_reason" };
	for (unsigned i = 0; i < 2; i++)
		if (strcmp(string_at(entry, status[i]), "ok") != 0)
			fprintf(out, "  %s: %s: %s", sides[i], string_at(entry, status[i]),
				string_at(entry, reason[i]));
}

static void print_entry(FILE *out, const json_t *entry)
{
	const json_t *config_differs = json_object_get(entry, "config_differs");
	bool ok = strcmp(string_at(entry, "a_status"), "ok") == 0 &&
		  strcmp(string_at(entry, "b_status"), "ok") == 0;
	size_t i;
	json_t *name;
	fprintf(out, "  %6.0f  %-24s", number_at(entry, "x"), string_at(entry, "engine"));
	for (i = 0; ok && i < LENGTH(compared); i++)
		print_ratio(out,
			    json_object_get(json_object_get(entry, "ratio"), compared[i].metric),
			    column_width(i));
	if (!ok)
		print_missing(out, entry);
	json_array_foreach (config_differs, i, name)
		fprintf(out, "%s%s", i == 0 ? "  not alike: " : ", ", json_string_value(name));
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
			if (strcmp(string_at(entry, "panel"), string_at(first, "panel")) != 0)
				continue;
			if (j < i) /* its block has been printed */
				break;
			if (!begun) {
				fprintf(out, "\n%s\n  %6s  %-24s", string_at(first, "panel"),
					string_at(first, "x_name"), "B / A");
				for (unsigned m = 0; m < LENGTH(compared); m++)
					fprintf(out, "  %-*s", column_width(m), compared[m].words);
				fputc('\n', out);
			}
			begun = true;
			print_entry(out, entry);
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
				strcmp(string_at(first, "panel"), string_at(other, "panel")) == 0 &&
				strcmp(string_at(first, "engine"), string_at(other, "engine")) == 0;
			if (together && j < i)
				break;
			if (!together)
				continue;
			if (!begun)
				fprintf(out, "  %s on %s, %s", string_at(first, "engine"),
					string_at(first, "panel"), string_at(first, "x_name"));
			fprintf(out, "%s %.0f", begun ? "," : "", number_at(other, "x"));
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

static void print_document(FILE *out, const json_t *document)
{
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
	if (json_array_size(both) == 0)
		return;
	fputs("\nB / A: " METHOD ",\ninterval of 95 %. =: " NO_DIFFERENCE
	      ", because it includes 1, or either has fewer than five rounds.\n"
	      "A disturbance that lasted a whole session shifts all its rounds alike, so no interval "
	      "shows it. A\ndifference says that the two sessions differ. Measure A and B again, in "
	      "turns, before you say that\nkernels, commits or machines do.\n",
	      out);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
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
		.doc = "Compares two results folders, of two machines, kernels or commits: what "
		       "differs in "
		       "their environments, then the ratio B / A of every configuration that both "
		       "have, then what only one has. Nothing is written."
	};
	struct options options = { 0 };
	struct reason why = { "" };
	argp_err_exit_status = EXIT_USAGE;
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
