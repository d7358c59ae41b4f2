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
#include "base/interrupt.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/number_option.h"
#include "clock.h"
#include "commands/commands.h"
#include "compute.h"
#include "engines.h"
#include "exchange/chrome_trace.h"
#include "plan/child_run.h"
#include "plan/engine_series.h"
#include "plan/rounds.h"
#include "summary/failed_rounds.h"

#define RUN_LIMIT_S 60 /* a run that takes longer is hung; laying out its file may take seconds */

/*
 * Eight reads in flight, one returned at a time, so that the thread computes in even pieces. The
 * reads bypass the page cache: from there they would be over within submit(), for every engine.
 */
static const char *const usual_run_words[] = {
	"--direct",	    "1", "--size",    "64M", "--depth",	 "8",	"--compute-us", "30",
	"--batch-complete", "1", "--runtime", "0.2", "--warmup", "0.1", NULL,
};

struct timeline_options {
	struct engine_series series;
	const char *length_us;
};

/* One engine over the rounds. */
struct lane {
	const char *spec;
	json_t *results[ROUNDS_MAX]; /* of each round; NULL where it failed */
	unsigned ok_count;
	json_t *failures; /* warnings, one a round that failed */
	json_t *failure; /* what the last of them answered; NULL for nothing */
	json_t *reason; /* why no round is ok, a remark */
};

static void gather_words(struct run_words *run, const char *engine, const char *loops_per_us,
			 const struct timeline_options *options)
{
	engine_choice_gather(&options->series.engines, engine, run);
	run_words_add(run, "--trace-us");
	run_words_add(run, options->length_us);
	run_words_add(run, "--compute-loops-per-us");
	run_words_add(run, loops_per_us);
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
	json_t *run = required(json_object());
	put_new(run, "op_ns", estimate_by(lane, rounds, op_ns));
	put_string(run, "baseline", engine_baseline_name());
	put_new(run, "speed", speed_of(lane, baseline, rounds));
	put_new(run, "held_computing", estimate_at(lane, rounds, "trace.totals.held_computing"));
	put_new(run, "in_calls_pct", estimate_by(lane, rounds, in_calls_pct));
	put_new(run, "working_pct", estimate_at(lane, rounds, "trace.totals.working_pct"));
	put_new(run, "blocked_pct", estimate_at(lane, rounds, "trace.totals.blocked_pct"));
	put_new(run, "inflight_mean", estimate_at(lane, rounds, "metrics.inflight_mean"));
	put_new(run, "switches_per_op", estimate_by(lane, rounds, switches_per_op));
	return run;
}

/* A lane whose engine left no result in any round. */
static json_t *empty_lane_json(const struct lane *lane)
{
	json_t *entry = required(json_object()), *engine = required(json_object());
	put_string(engine, "label", lane->spec);
	put_new(entry, "engine", engine);
	put_string(entry, "status", "error");
	put_shared(entry, "reason", lane->reason);
	put_null(entry, "trace");
	return entry;
}

/* One engine's lane; where no run ended ok, the reason in its place. */
static json_t *lane_json(const struct lane *lane, const struct lane *baseline, unsigned rounds)
{
	bool ok = lane->ok_count > 0;
	if (!ok && !lane->failure)
		return empty_lane_json(lane);
	const json_t *shown = ok ? lane->results[typical_round(lane, rounds)] : lane->failure;
	json_t *entry = required(json_object());
	json_t *warnings = json_copy(json_object_get(shown, "warnings"));
	if (ok)
		json_array_extend(warnings, lane->failures);
	put_shared(entry, "engine", json_object_get(shown, "engine"));
	put_shared(entry, "status", json_object_get(shown, "status"));
	put_shared(entry, "reason", json_object_get(shown, "reason"));
	put_new(entry, "warnings", warnings);
	put_shared(entry, "workload", json_object_get(shown, "workload"));
	put_shared(entry, "config", json_object_get(shown, "config"));
	put_shared(entry, "trace", json_object_get(shown, "trace"));
	put_new(entry, "run", ok ? run_json(lane, baseline, rounds) : NULL);
	return entry;
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
	       string_at(document, "panel.text"), number_at(document, "rounds"), "engine", "op",
	       "speed", "held", "working", "blocked", "switches/op");
	json_array_foreach (json_object_get(document, "lanes"), i, lane) {
		const json_t *run = json_object_get(lane, "run");
		printf("%-24s ", string_at(lane, "engine.label"));
		if (!status_is(lane, "ok")) {
			print_status_of(lane);
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
	printf("\nop: time for an operation, its computing included; speed: %s's time over it\n"
	       "held: operations that the engine had accepted and not returned, in the mean while "
	       "the thread\ncomputed; that follows from the interface, speed says what it "
	       "brought\n"
	       "working, blocked: share of the time that the thread spent in the engine's calls, "
	       "on a CPU and off it\n",
	       engine_baseline_name());
	print_warnings_of(json_object_get(document, "lanes"));
}

enum { OPT_FORMAT = 0x100 };

/* The run that gets it would speak of its own option. */
static void set_length(struct timeline_options *o, const char *text, const struct argp_state *state)
{
	struct reason why;
	uint64_t length_us;
	if (number_whole("length-us", text, 1, 1000000, UNIT_THOUSAND, &length_us, &why) < 0)
		argp_error(state, "%s", why.text);
	o->length_us = text;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct timeline_options *o = state->input;
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = &o->series;
	else if (key == 'l')
		set_length(o, arg, state);
	else if (key == OPT_FORMAT)
		choose_document_format(&o->series, arg, chrome_trace_of_timeline, state);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

/* Takes over `result`; where it is NULL, `why` it left none. */
static void note_failure(struct lane *lane, json_t *result, const struct reason *why,
			 unsigned round, unsigned rounds)
{
	bool ran = status_is(result, "ok");
	json_decref(lane->reason);
	lane->reason = child_run_failure(result, why);
	failed_round_add(lane->failures, round, rounds, lane->reason);
	json_decref(lane->failure);
	lane->failure = ran ? NULL : result;
	if (ran)
		json_decref(result);
}

/* One run of a round. What is unsupported is not asked again. */
static void run_lane(struct lane *lane, unsigned round, const char *loops_per_us,
		     const struct timeline_options *options)
{
	struct run_words words;
	if (status_is(lane->failure, "unsupported"))
		return;
	gather_words(&words, lane->spec, loops_per_us, options);
	struct reason why;
	json_t *result = child_run(&words, RUN_LIMIT_S, &why);
	if (interrupt_requested()) {
		json_decref(result); /* cut short, which is no failure of the engine */
		return;
	}
	if (!status_is(result, "ok") || number_at(result, "metrics.ops_per_s") <= 0) {
		note_failure(lane, result, &why, round, options->series.order.rounds);
		return;
	}
	lane->results[round] = result;
	lane->ok_count++;
}

static struct lane *make_lanes(const struct timeline_options *options)
{
	struct lane *lanes = calloc(options->series.engines.count, sizeof *lanes);
	for (unsigned i = 0; i < options->series.engines.count; i++) {
		lanes[i].spec = options->series.engines.specs[i];
		lanes[i].failures = required(json_array());
		lanes[i].reason = engine_series_not_reached();
	}
	return lanes;
}

static void free_lanes(struct lane *lanes, const struct timeline_options *options)
{
	for (unsigned i = 0; i < options->series.engines.count; i++) {
		for (unsigned round = 0; round < options->series.order.rounds; round++)
			json_decref(lanes[i].results[round]);
		json_decref(lanes[i].failure);
		json_decref(lanes[i].failures);
		json_decref(lanes[i].reason);
	}
	free(lanes);
}

/* A result of the first engine that left one, for what all have in common. */
static const json_t *first_result(const struct lane *lanes, unsigned count, unsigned rounds)
{
	for (unsigned i = 0; i < count; i++) {
		if (lanes[i].ok_count)
			return lanes[i].results[typical_round(&lanes[i], rounds)];
		if (lanes[i].failure)
			return lanes[i].failure;
	}
	return NULL;
}

static json_t *document_json(const struct timeline_options *options, const struct lane *lanes)
{
	const struct engine_series *series = &options->series;
	unsigned count = series->engines.count, rounds = series->rounds_begun;
	const json_t *first = first_result(lanes, count, rounds);
	const struct lane *baseline = NULL;
	for (unsigned i = 0; i < count; i++)
		if (strcmp(lanes[i].spec, engine_baseline_name()) == 0)
			baseline = &lanes[i];
	json_t *list = required(json_array());
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, lane_json(&lanes[i], baseline, rounds));
	json_t *document =
		engine_series_document(series, json_incref(json_object_get(first, "env")));
	put_int(document, "length_ns", strtoll(options->length_us, NULL, 10) * 1000);
	put_shared(document, "panel", first ? at_path(first, "workload.panel") : NULL);
	put_new(document, "lanes", list);
	return document;
}

/* Before anything runs, are the options for the runs right? Returns an exit status. */
static int check_run_words(const struct timeline_options *options)
{
	for (unsigned i = 0; i < options->series.engines.count; i++) {
		struct run_words words;
		struct reason why;
		gather_words(&words, options->series.engines.specs[i], "1", options);
		if (run_words_try(&words, &why) < 0) {
			fprintf(stderr, "iolab timeline: %s\n", why.text);
			return EXIT_USAGE;
		}
	}
	return EXIT_OK;
}

int command_timeline(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "length-us", 'l', "US", 0, "microseconds of each run to trace (default: 1000)",
		  0 },
		{ "format", OPT_FORMAT, "FORMAT", 0,
		  "table, json, or chrome: what ui.perfetto.dev and chrome://tracing open "
		  "(default: table)",
		  0 },
		{ 0 },
	};
	static const struct argp_child children[] = { { &engine_series_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = children,
		.args_doc = "[-- RUN-OPTION...]",
		.doc = "Traces every operation in a short run of each engine: when it was offered, "
		       "accepted and returned, and when the thread computed.",
	};
	struct timeline_options options = {
		.series = {
			.engines = { .command = "iolab timeline",
				     .usual = { .variants = VARIANTS_OTHER_WORKER, .that_read_files = true },
				     .usual_run_words = usual_run_words,
				     .takes_run_words = true },
			.order = default_rounds(),
			.schema = "iolab.timeline.v3",
			.file_name = "timeline.json",
		},
		.length_us = "1000",
	};
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (check_run_words(&options) != EXIT_OK) {
		engine_choice_free(&options.series.engines);
		return EXIT_USAGE;
	}

	char loops_per_us[32];
	struct turn turn;
	struct engine_series *series = &options.series;
	struct lane *lanes = make_lanes(&options);
	engine_series_begin(series, argc, argv);
	/* Calibrated once, so that every engine computes the same. */
	snprintf(loops_per_us, sizeof loops_per_us, "%.3f", compute_calibrate());
	while (engine_series_next(series, series->engines.count, &turn))
		run_lane(&lanes[turn.piece], turn.round, loops_per_us, &options);
	json_t *document = document_json(&options, lanes);
	free_lanes(lanes, &options);
	return engine_series_end(series, document,
				 exit_status_of(json_object_get(document, "lanes")), print_lanes);
}
