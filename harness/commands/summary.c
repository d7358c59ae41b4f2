/* SPDX-License-Identifier: MIT */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "commands/commands.h"
#include "summary/summary.h"

struct summary_options {
	const char *folder;
	const char *baseline;
	bool json, cpu;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct summary_options *o = state->input;
	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'c':
		o->cpu = true;
		return 0;
	case 'b':
		o->baseline = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->folder)
			argp_error(state, "one results folder at a time");
		o->folder = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->folder)
			argp_error(state, "which results folder? For example results/latest");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Ends the program when no configuration has this engine. */
static void check_baseline(const json_t *summary, const char *label)
{
	size_t i;
	json_t *c;
	json_array_foreach (json_object_get(summary, "configurations"), i, c) {
		if (strcmp(string_at(c, "engine.label"), label) == 0)
			return;
	}
	fprintf(stderr,
		"iolab summary: --baseline %s: no run of it; the table names those there "
		"are\n",
		label);
	exit(EXIT_USAGE);
}

int command_summary(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "json", 'j', NULL, 0, "print summary.json instead of the table", 0 },
		{ "cpu", 'c', NULL, 0,
		  "print where the CPU time went (process, elsewhere, each CPU) in place of the table",
		  0 },
		{ "baseline", 'b', "ENGINE", 0,
		  "engine that ratios are taken to (default: as before)", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "FOLDER",
		.doc = "Computes a results folder's summary again from runs.jsonl, prints it and writes "
		       "summary.json."
		       "\vIf summary.json cannot be written, the table is still printed and the exit "
		       "status is 1.",
	};
	struct summary_options options = { 0 };
	struct reason why = { "" };
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	json_t *summary = summary_recompute(options.folder, options.baseline,
					    (struct comparison) { 0 }, &why);
	int status = EXIT_ERROR;
	if (!summary) {
		fprintf(stderr, "iolab: %s\n", why.text);
	} else {
		if (options.baseline)
			check_baseline(summary, options.baseline);
		if (options.json) {
			json_dumpf(summary, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
			putchar('\n');
		} else if (options.cpu) {
			summary_print_cpu(stdout, summary);
		} else {
			summary_print(stdout, summary);
		}
		/* After it is printed: a folder that is only for reading can be read. */
		if (summary_write(options.folder, summary, &why) == 0)
			status = EXIT_OK;
		else
			fprintf(stderr, "iolab: printed, but not written: %s\n", why.text);
	}
	json_decref(summary);
	return status;
}
