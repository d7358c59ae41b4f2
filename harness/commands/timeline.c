/* SPDX-License-Identifier: MIT */
/*
 * `iolab timeline`: what asynchronous means, operation by operation. Each engine runs the same
 * short piece of work, reads and computing, in a process of its own, in rounds of random order;
 * what is kept is a trace of a typical piece of the typical round, and figures over all rounds.
 * plots/figures/timeline.py draws it.
 */
#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/estimate_json.h"
#include "base/json_folder.h"
#include "base/json_path.h"
#include "clock.h"
#include "commands/commands.h"
#include "compute.h"
#include "meters/idle_host.h"
#include "plan/child_run.h"
#include "plan/engine_choice.h"
#include "random.h"
#include "summary/failed_rounds.h"

#define BASELINE_SPEC "blocking" /* whose time for an operation the others' is compared with */
#define RUN_LIMIT_S   60 /* a run that takes longer is hung; laying out its file may take seconds */

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
	unsigned rounds;
	uint64_t seed;
};

/* One engine over the rounds. */
struct lane {
	const char *spec;
	json_t *results[ROUNDS_MAX]; /* of each round; NULL where it failed */
	unsigned ok_count;
	json_t *failures; /* warnings, one a round that failed */
	json_t *failure; /* what the last of them answered; NULL with `why` for nothing */
	struct reason why;
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

/* Nanoseconds for an operation, its computing included. */
static double op_ns(const json_t *result)
{
	return NS_PER_S / number_at(result, "metrics.ops_per_s");
}

static double switches_per_op(const json_t *result)
{
	return (number_at(result, "metrics.context_switches.voluntary") +
		number_at(result, "metrics.context_switches.involuntary")) /
	       number_at(result, "metrics.ops");
}

static double in_calls_pct(const json_t *result)
{
	return number_at(result, "trace.totals.submit_pct") +
	       number_at(result, "trace.totals.reap_pct");
}

/* Over the rounds that have the number at `path`; null when none has. */
static json_t *estimate_at(const struct lane *lane, unsigned rounds, const char *path)
{
	double values[ROUNDS_MAX];
	for (unsigned round = 0; round < rounds; round++) {
		const json_t *found = at_path(lane->results[round], path);
		values[round] = json_is_number(found) ? json_number_value(found) : NAN;
	}
	return estimate_of(values, rounds);
}

static json_t *estimate_by(const struct lane *lane, unsigned rounds,
			   double (*measure)(const json_t *))
{
	double values[ROUNDS_MAX];
	for (unsigned round = 0; round < rounds; round++)
		values[round] = lane->results[round] ? measure(lane->results[round]) : NAN;
	return estimate_of(values, rounds);
}

/* How many times as fast as the baseline, of the rounds that both have; null without one. */
static json_t *speed_of(const struct lane *lane, const struct lane *baseline, unsigned rounds)
{
	double values[ROUNDS_MAX];
	for (unsigned round = 0; round < rounds; round++)
		values[round] =
			baseline && baseline->results[round] && lane->results[round]
				? op_ns(baseline->results[round]) / op_ns(lane->results[round])
				: NAN;
	return ratio_estimate_of(values, rounds);
}

struct timed_round {
	double op_ns;
	unsigned round;
};

static int compare_rounds(const void *a, const void *b)
{
	const struct timed_round *x = a, *y = b;
	return (x->op_ns > y->op_ns) - (x->op_ns < y->op_ns);
}

/* The round that is shown: the median by the time for an operation. */
static unsigned typical_round(const struct lane *lane, unsigned rounds)
{
	struct timed_round timed[ROUNDS_MAX] = { 0 };
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++)
		if (lane->results[round])
			timed[count++] =
				(struct timed_round) { op_ns(lane->results[round]), round };
	qsort(timed, count, sizeof *timed, compare_rounds);
	return timed[count / 2].round;
}

static json_t *run_json(const struct lane *lane, const struct lane *baseline, unsigned rounds)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "op_ns",
			 estimate_by(lane, rounds, op_ns), "speed",
			 speed_of(lane, baseline, rounds), "held_computing",
			 estimate_at(lane, rounds, "trace.totals.held_computing"), "in_calls_pct",
			 estimate_by(lane, rounds, in_calls_pct), "working_pct",
			 estimate_at(lane, rounds, "trace.totals.working_pct"), "blocked_pct",
			 estimate_at(lane, rounds, "trace.totals.blocked_pct"), "inflight_mean",
			 estimate_at(lane, rounds, "metrics.inflight_mean"), "switches_per_op",
			 estimate_by(lane, rounds, switches_per_op));
}

/* One engine's lane; where no run ended ok, the reason in its place. */
static json_t *lane_json(const struct lane *lane, const struct lane *baseline, unsigned rounds)
{
	bool ok = lane->ok_count > 0;
	if (!ok && !lane->failure)
		return json_pack("{s:{s:s}, s:s, s:s, s:n}", "engine", "label", lane->spec,
				 "status", "error", "reason", lane->why.text, "trace");
	const json_t *shown = ok ? lane->results[typical_round(lane, rounds)] : lane->failure;
	json_t *trace = json_object_get(shown, "trace");
	json_t *warnings = json_copy(json_object_get(shown, "warnings"));
	if (ok)
		json_array_extend(warnings, lane->failures);
	return json_pack("{s:O, s:O, s:O, s:o, s:O, s:O, s:O, s:o}", "engine",
			 json_object_get(shown, "engine"), "status",
			 json_object_get(shown, "status"), "reason",
			 json_object_get(shown, "reason"), "warnings", warnings, "workload",
			 json_object_get(shown, "workload"), "config",
			 json_object_get(shown, "config"), "trace", trace ? trace : json_null(),
			 "run", ok ? run_json(lane, baseline, rounds) : json_null());
}

static void print_share(const json_t *run, const char *key)
{
	const json_t *found = json_object_get(run, key);
	if (json_is_object(found))
		printf("%8.1f %% ", number_at(found, "median"));
	else
		printf("%10s ", "-");
}

static void print_lanes(const json_t *document)
{
	size_t i;
	const json_t *lane;
	printf("%s, %.0f rounds; medians (speed: means)\n\n%-24s %10s %9s %10s %10s %10s %12s\n",
	       string_at(document, "panel"), number_at(document, "rounds"), "engine", "op", "speed",
	       "held", "working", "blocked", "switches/op");
	json_array_foreach (json_object_get(document, "lanes"), i, lane) {
		const json_t *run = json_object_get(lane, "run");
		printf("%-24s ", string_at(lane, "engine.label"));
		if (!status_is(lane, "ok")) {
			printf("%s: %s\n", string_at(lane, "status"), string_at(lane, "reason"));
			continue;
		}
		printf("%7.1f us ", number_at(run, "op_ns.median") / 1e3);
		if (json_is_object(json_object_get(run, "speed")))
			printf("%7.2f x ", number_at(run, "speed.mean"));
		else
			printf("%9s ", "-");
		if (json_is_object(json_object_get(run, "held_computing")))
			printf("%10.2f ", number_at(run, "held_computing.median"));
		else
			printf("%10s ", "-");
		print_share(run, "working_pct");
		print_share(run, "blocked_pct");
		printf("%12.2f\n", number_at(run, "switches_per_op.median"));
	}
	printf("\nop: time for an operation, its computing included; speed: " BASELINE_SPEC
	       "'s time over it\n"
	       "held: operations that the engine had accepted and not returned, in the mean while "
	       "the thread\ncomputed; that follows from the interface, speed says what it "
	       "brought\n"
	       "working, blocked: share of the time that the thread spent in the engine's calls, "
	       "on a CPU and off it\n");
	print_warnings(json_object_get(document, "lanes"));
}

enum option_key { OPT_ROUNDS = 0x100, OPT_SEED };

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
	case OPT_ROUNDS:
		o->rounds = rounds_option(arg, state);
		break;
	case OPT_SEED:
		o->seed = seed_option(arg, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* `result` is taken over; where it is NULL, the lane knows why already. */
static void note_failure(struct lane *lane, json_t *result, unsigned round, unsigned rounds)
{
	bool ran = status_is(result, "ok");
	if (ran)
		reason_set(&lane->why, "nothing was finished; use a longer --runtime");
	else if (result)
		reason_set(&lane->why, "%s", string_at(result, "reason"));
	failed_round_add(lane->failures, round, rounds, &lane->why);
	json_decref(lane->failure);
	lane->failure = ran ? NULL : result;
	if (ran)
		json_decref(result);
}

/* One run of a round. What is unsupported is not asked again. */
static void run_lane(struct lane *lane, unsigned round, const char *loops_per_us,
		     const struct options *options)
{
	struct run_words words;
	if (status_is(lane->failure, "unsupported"))
		return;
	gather_words(&words, lane->spec, loops_per_us, options);
	json_t *result = child_run(&words, RUN_LIMIT_S, &lane->why);
	if (!status_is(result, "ok") || number_at(result, "metrics.ops_per_s") <= 0) {
		note_failure(lane, result, round, options->rounds);
		return;
	}
	lane->results[round] = result;
	lane->ok_count++;
}

static void run_rounds(struct lane *lanes, const struct options *options)
{
	unsigned order[ENGINES_MAX];
	char loops_per_us[32];
	struct random_stream random = { .state = options->seed };
	/* Once for all, so that every engine computes the same. */
	snprintf(loops_per_us, sizeof loops_per_us, "%.3f", compute_calibrate());
	for (unsigned round = 0; round < options->rounds; round++) {
		random_order(&random, order, options->choice.count);
		for (unsigned i = 0; i < options->choice.count; i++)
			run_lane(&lanes[order[i]], round, loops_per_us, options);
	}
}

static void free_lanes(struct lane *lanes, const struct options *options)
{
	for (unsigned i = 0; i < options->choice.count; i++) {
		for (unsigned round = 0; round < options->rounds; round++)
			json_decref(lanes[i].results[round]);
		json_decref(lanes[i].failure);
		json_decref(lanes[i].failures);
	}
	free(lanes);
}

static json_t *make_document(const struct options *options, int argc, char **argv)
{
	char stamp[32];
	struct lane *lanes = calloc(options->choice.count, sizeof *lanes);
	const struct lane *baseline = NULL;
	for (unsigned i = 0; i < options->choice.count; i++) {
		lanes[i].spec = options->choice.specs[i];
		lanes[i].failures = json_array();
		if (strcmp(lanes[i].spec, BASELINE_SPEC) == 0)
			baseline = &lanes[i];
	}
	json_t *idle = idle_host_json(IDLE_HOST_S);
	run_rounds(lanes, options);

	const json_t *first = NULL;
	json_t *list = json_array();
	for (unsigned i = 0; i < options->choice.count; i++) {
		if (!first)
			first = lanes[i].ok_count ? lanes[i].results[typical_round(&lanes[i],
										   options->rounds)]
						  : lanes[i].failure;
		json_array_append_new(list, lane_json(&lanes[i], baseline, options->rounds));
	}
	json_t *env = json_object_get(first, "env");
	json_t *document = json_pack(
		"{s:s, s:s, s:o, s:I, s:i, s:I, s:s, s:O, s:o, s:o}", "schema", "iolab.timeline.v2",
		"time_utc", time_utc(stamp), "command", command_json(argc, argv), "length_ns",
		(json_int_t)atoi(options->length_us) * 1000, "rounds", (int)options->rounds, "seed",
		(json_int_t)options->seed, "panel", first ? string_at(first, "workload.panel") : "",
		"env", env ? env : json_null(), "idle_baseline", idle, "lanes", list);
	free_lanes(lanes, options);
	return document;
}

int command_timeline(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "length-us", 'l', "US", 0, "how much of each run is kept (default: 1000)", 0 },
		{ "rounds", OPT_ROUNDS, "N", 0, "how often each engine is run (default: 5)", 0 },
		{ "seed", OPT_SEED, "N", 0, "of the order of runs (default: from the clock)", 0 },
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
		.rounds = 5,
		.seed = clock_ns() % 1000000,
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
	json_array_foreach (json_object_get(document, "lanes"), i, lane)
		any |= status_is(lane, "ok");
	json_decref(document);
	return status != EXIT_OK ? status : any ? EXIT_OK : EXIT_ERROR;
}
