/* SPDX-License-Identifier: MIT */
/*
 * `iolab timeline`: what asynchronous means, operation by operation. Each engine runs the same
 * short piece of work, reads and computing, in a process of its own; what is kept is a trace of a
 * typical piece of it. plots/timeline.py draws it.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "child_run.h"
#include "commands.h"
#include "compute.h"
#include "engine_choice.h"
#include "json_folder.h"
#include "json_path.h"

#define RUN_LIMIT_S 60 /* a run that takes longer is hung; laying out its file may take seconds */

/*
 * Eight reads in flight, one returned at a time, so that the thread computes in even pieces. The
 * reads bypass the page cache: from there they would be over within submit(), for every engine.
 */
static const char *const default_run[] = {
	"--direct",	    "1", "--size",    "64M", "--depth",	 "8",	"--compute-us", "30",
	"--batch-complete", "1", "--runtime", "0.2", "--warmup", "0.1", NULL,
};

struct options {
	struct engine_choice choice;
	const char *length_us;
};

static void gather_words(struct run_words *run, const char *engine, const char *loops_per_us,
			 const struct options *options)
{
	run_words_begin(run);
	run_words_add(run, "--engine");
	run_words_add(run, engine);
	for (unsigned i = 0; default_run[i]; i++)
		run_words_add(run, default_run[i]);
	run_words_add(run, "--trace-us");
	run_words_add(run, options->length_us);
	for (unsigned i = 0; i < options->choice.run_word_count; i++)
		run_words_add(run, options->choice.run_words[i]);
	if (*loops_per_us) {
		run_words_add(run, "--compute-loops-per-us");
		run_words_add(run, loops_per_us);
	}
}

/* One engine's lane, from the line of its run; without a line, the reason why there is none. */
static json_t *lane_json(const char *engine, json_t *result, const struct reason *why)
{
	if (!result)
		return json_pack("{s:{s:s}, s:s, s:s, s:n}", "engine", "label", engine, "status",
				 "error", "reason", why->text, "trace");
	json_t *trace = json_object_get(result, "trace");
	json_t *lane = json_pack(
		"{s:O, s:O, s:O, s:O, s:O, s:O, s:O}", "engine", json_object_get(result, "engine"),
		"status", json_object_get(result, "status"), "reason",
		json_object_get(result, "reason"), "warnings", json_object_get(result, "warnings"),
		"workload", json_object_get(result, "workload"), "config",
		json_object_get(result, "config"), "trace", trace ? trace : json_null());
	if (status_is(result, "ok"))
		json_object_set_new(
			lane, "run",
			json_pack("{s:f, s:f, s:f}", "ops_per_s",
				  number_at(result, "metrics.ops_per_s"), "inflight_mean",
				  number_at(result, "metrics.inflight_mean"), "switches_per_op",
				  (number_at(result, "metrics.context_switches.voluntary") +
				   number_at(result, "metrics.context_switches.involuntary")) /
					  (number_at(result, "metrics.ops") + 1e-9)));
	else
		json_object_set_new(lane, "run", json_null());
	return lane;
}

static void print_lanes(const json_t *document)
{
	size_t i;
	const json_t *lane;
	double length_ms = number_at(document, "length_ns") / 1e6;
	printf("In %.3g ms of %s\n\n%-24s %8s %11s %11s %10s %12s\n", length_ms,
	       string_at(document, "panel"), "engine", "finished", "computing", "overlapped",
	       "in submit", "switches/op");
	json_array_foreach(json_object_get(document, "lanes"), i, lane)
	{
		const json_t *totals = at_path(lane, "trace.totals");
		printf("%-24s ", string_at(lane, "engine.label"));
		if (!status_is(lane, "ok")) {
			printf("%s: %s\n", string_at(lane, "status"), string_at(lane, "reason"));
			continue;
		}
		printf("%8.0f %9.1f %% ", number_at(totals, "ops"),
		       number_at(totals, "compute_pct"));
		if (json_is_number(json_object_get(totals, "overlapped_pct")))
			printf("%9.1f %% ", number_at(totals, "overlapped_pct"));
		else
			printf("%11s ", "-");
		printf("%8.1f %% %12.2f\n", number_at(totals, "submit_pct"),
		       number_at(lane, "run.switches_per_op"));
	}
	printf("\ncomputing: share of the time in which the loop's thread computed\n"
	       "overlapped: share of that in which an operation was in flight\n"
	       "in submit: share of the time that the thread spent inside submit()\n");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->choice;
		break;
	case 'l':
		o->length_us = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static json_t *make_document(const struct options *options, int argc, char **argv)
{
	char stamp[32], loops_per_us[32];
	json_t *lanes = json_array(), *env = NULL;
	const char *panel = "";
	json_t *document =
		json_pack("{s:s, s:s, s:o, s:I}", "schema", "iolab.timeline.v1", "time_utc",
			  time_utc(stamp), "command", command_json(argc, argv), "length_ns",
			  (json_int_t)atoi(options->length_us) * 1000);
	/* Once for all, so that every engine computes the same. */
	snprintf(loops_per_us, sizeof loops_per_us, "%.3f", compute_calibrate());
	for (unsigned i = 0; i < options->choice.count; i++) {
		const char *engine = options->choice.specs[i];
		struct run_words words;
		struct reason why = { "" };
		gather_words(&words, engine, loops_per_us, options);
		json_t *result = child_run(&words, RUN_LIMIT_S, NULL, &why);
		if (result && !env) {
			env = json_incref(json_object_get(result, "env"));
			panel = string_at(result, "workload.panel");
			json_object_set_new(document, "panel", json_string(panel));
		}
		json_array_append_new(lanes, lane_json(engine, result, &why));
		json_decref(result);
	}
	if (!env)
		json_object_set_new(document, "panel", json_string(""));
	json_object_set_new(document, "env", env ? env : json_null());
	json_object_set_new(document, "lanes", lanes);
	return document;
}

int command_timeline(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "length-us", 'l', "US", 0, "how much of each run is kept (default: 1000)", 0 },
		{ 0 },
	};
	static const struct argp_child children[] = { { &engine_choice_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = children,
		.args_doc = "[-- RUN-OPTION...]",
		.doc = "Traces every operation of a short run of each engine: when it was offered, "
		       "accepted and returned, and when the thread computed."
		       "\vOptions after -- go to every `iolab run`; without any: --direct 1 --size "
		       "64M --depth 8 --compute-us 30 --batch-complete 1 --runtime 0.2 --warmup "
		       "0.1",
	};
	struct options options = {
		.choice = { .command = "iolab timeline",
			    .list = "blocking,threads,posix_aio,libaio,io_uring,io_uring:sqpoll",
			    .takes_run_words = true },
		.length_us = "1000",
	};
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	for (unsigned i = 0; i < options.choice.count; i++) {
		struct run_words words;
		struct run_options parsed;
		gather_words(&words, options.choice.specs[i], "", &options);
		run_words_parse(&words, &parsed);
	}
	json_t *document = make_document(&options, argc, argv);
	if (!options.choice.json)
		print_lanes(document);
	int status =
		json_deliver(document, options.choice.json, options.choice.out, "timeline.json");
	size_t i;
	json_t *lane;
	bool any = false;
	json_array_foreach(json_object_get(document, "lanes"), i, lane) any |=
		status_is(lane, "ok");
	json_decref(document);
	return status != EXIT_OK ? status : any ? EXIT_OK : EXIT_ERROR;
}
