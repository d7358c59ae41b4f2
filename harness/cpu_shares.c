/* SPDX-License-Identifier: MIT */
/*
 * `iolab cpu FOLDER`: where an operation's CPU time goes, from the runs of a comparison. User and
 * system time of the process with all its threads, and what the rest of the machine did meanwhile:
 * the kernel's workers of no process, interrupts, other programs.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "estimate_json.h"
#include "json_folder.h"
#include "json_path.h"
#include "runs_file.h"

#define CONFIGURATIONS_MAX 512
#define ROUNDS_MAX	   1000

/* REST_ERROR is how far REST may be off, by the ticks of /proc/stat. */
enum share { USER, SYSTEM, REST, REST_ERROR, SHARE_COUNT };

static const char *const share_names[SHARE_COUNT] = { "user_us", "system_us", "rest_us",
						      "rest_error_us" };

/* All runs of one engine on one workload at one swept value. */
struct configuration {
	json_t *run; /* the first of them, for its names */
	double *per_op[SHARE_COUNT]; /* microseconds, one a run */
	unsigned count;
};

struct shares {
	struct configuration configurations[CONFIGURATIONS_MAX];
	unsigned count;
	json_t *env;
};

static bool same_configuration(const json_t *a, const json_t *b)
{
	return strcmp(string_at(a, "engine.label"), string_at(b, "engine.label")) == 0 &&
	       strcmp(string_at(a, "workload.panel"), string_at(b, "workload.panel")) == 0 &&
	       number_at(a, "config.x") == number_at(b, "config.x");
}

static struct configuration *configuration_of(struct shares *shares, json_t *run)
{
	for (unsigned i = 0; i < shares->count; i++)
		if (same_configuration(shares->configurations[i].run, run))
			return &shares->configurations[i];
	if (shares->count == CONFIGURATIONS_MAX)
		return NULL;
	struct configuration *c = &shares->configurations[shares->count++];
	c->run = json_incref(run);
	for (int share = 0; share < SHARE_COUNT; share++)
		c->per_op[share] = malloc(ROUNDS_MAX * sizeof(double));
	return c;
}

static void add_run(struct shares *shares, json_t *run)
{
	double ops = number_at(run, "metrics.ops");
	/* A run that counts system calls spends CPU time on that; an imported one knows of none. */
	if (!status_is(run, "ok") || ops <= 0 ||
	    !json_is_number(at_path(run, "metrics.cpu.other_util_pct")) ||
	    json_is_true(at_path(run, "config.count_syscalls")))
		return;
	struct configuration *c = configuration_of(shares, run);
	if (!c || c->count == ROUNDS_MAX)
		return;
	if (!shares->env)
		shares->env = json_incref(json_object_get(run, "env"));
	double user_us = number_at(run, "metrics.cpu.user_s") * 1e6;
	double system_us = number_at(run, "metrics.cpu.system_s") * 1e6;
	double others_us = number_at(run, "metrics.cpu.other_util_pct") / 100 *
			   number_at(run, "metrics.elapsed_s") * 1e6;
	c->per_op[USER][c->count] = user_us / ops;
	c->per_op[SYSTEM][c->count] = system_us / ops;
	c->per_op[REST][c->count] = others_us / ops;
	c->per_op[REST_ERROR][c->count] = number_at(run, "metrics.cpu.host_error_s") * 1e6 / ops;
	c->count++;
}

/* Returns 0, or -errno with `why`. */
static int add_runs(struct shares *shares, const char *folder, struct reason *why)
{
	size_t i;
	json_t *run, *runs = runs_read(folder, why);
	if (!runs)
		return -ENODATA;
	json_array_foreach(runs, i, run)
	{
		add_run(shares, run);
	}
	json_decref(runs);
	if (shares->count > 0)
		return 0;
	reason_set(why, "%s/runs.jsonl holds no run that ended ok", folder);
	return -ENODATA;
}

/* As in the comparison's own table, not as the rounds happened to be shuffled. */
static int compare_plans(const void *a, const void *b)
{
	double x = number_at(((const struct configuration *)a)->run, "config.plan");
	double y = number_at(((const struct configuration *)b)->run, "config.plan");
	return (x > y) - (x < y);
}

static json_t *document_json(const struct shares *shares, int argc, char **argv)
{
	char stamp[32];
	json_t *list = json_array();
	for (unsigned i = 0; i < shares->count; i++) {
		const struct configuration *c = &shares->configurations[i];
		json_t *entry = json_pack(
			"{s:O, s:s, s:s, s:s, s:O}", "engine", json_object_get(c->run, "engine"),
			"panel", string_at(c->run, "workload.panel"), "op",
			string_at(c->run, "workload.op"), "x_name",
			string_at(c->run, "config.x_name"), "x", at_path(c->run, "config.x"));
		for (int share = 0; share < SHARE_COUNT; share++)
			json_object_set_new(entry, share_names[share],
					    estimate_of(c->per_op[share], c->count));
		json_array_append_new(list, entry);
	}
	return json_pack("{s:s, s:s, s:o, s:O, s:o}", "schema", "iolab.cpu.v1", "time_utc",
			 time_utc(stamp), "command", command_json(argc, argv), "env", shares->env,
			 "configurations", list);
}

static void print_document(const json_t *document)
{
	size_t i;
	const json_t *entry;
	printf("%-40s %8s %-24s %9s %9s %9s %7s\n", "us of CPU for an operation", "", "engine",
	       "user", "system", "rest", "+-");
	json_array_foreach(json_object_get(document, "configurations"), i, entry) printf(
		"%-40s %8.0f %-24s %9.2f %9.2f %9.2f %7.2f\n", string_at(entry, "panel"),
		number_at(entry, "x"), string_at(entry, "engine.label"),
		number_at(entry, "user_us.median"), number_at(entry, "system_us.median"),
		number_at(entry, "rest_us.median"), number_at(entry, "rest_error_us.median"));
	printf("\nuser, system: of the process, all threads. rest: of the machine meanwhile, "
	       "without "
	       "process\nand peer; good to +-, two ticks of /proc/stat, and below 0 within that. "
	       "Medians over\nthe rounds.\n");
}

struct options {
	const char *folder;
	bool json;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	switch (key) {
	case 'j':
		o->json = true;
		break;
	case ARGP_KEY_ARG:
		if (o->folder)
			argp_error(state, "'%s': one results folder at a time", arg);
		o->folder = arg;
		break;
	case ARGP_KEY_END:
		if (!o->folder)
			argp_error(state, "which results folder? For example: results/latest");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int command_cpu(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "json", 'j', NULL, 0, "print one line of JSON, too", 0 }, { 0 }
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "RESULTS_DIR",
		.doc = "Where the CPU time of an operation goes, from the runs of a comparison; "
		       "written to cpu.json in the same folder.",
	};
	static struct shares shares;
	struct options options = { 0 };
	struct reason why = { "" };
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (add_runs(&shares, options.folder, &why) < 0) {
		fprintf(stderr, "iolab: %s\n", why.text);
		return EXIT_ERROR;
	}
	qsort(shares.configurations, shares.count, sizeof *shares.configurations, compare_plans);
	json_t *document = document_json(&shares, argc, argv);
	if (!options.json)
		print_document(document);
	int status = json_deliver(document, options.json, options.folder, "cpu.json");
	json_decref(document);
	return status;
}
