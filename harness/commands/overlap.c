/* SPDX-License-Identifier: MIT */
/*
 * `iolab overlap`: how much of computing and I/O an engine does at the same time. A program that
 * overlaps perfectly takes max(compute, I/O) for an operation, one that does not takes their sum.
 * Each round times each engine's I/O alone, the computing alone, and both together, in random order
 * one right after the other. So a disturbance of all three cancels out, and nothing is compared with
 * a value more than a few seconds old.
 */
#include <argp.h>
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/estimate_json.h"
#include "base/interrupt.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/list_option.h"
#include "base/number_option.h"
#include "base/remark.h"
#include "base/statistics.h"
#include "clock.h"
#include "commands/commands.h"
#include "compute.h"
#include "engines.h"
#include "plan/child_run.h"
#include "plan/engine_series.h"
#include "plan/rounds.h"
#include "random.h"
#include "summary/failed_rounds.h"
#include "workloads/workload.h"

#define RATIOS_MAX  16
#define RUN_LIMIT_S 60

/*
 * Blocks of 64 KiB, since their transfer takes longer than the calls for them: of a read of 4 KiB
 * from a fast disk half is the thread's own work, which no interface can hide behind computing.
 */
static const char *const usual_run_words[] = {
	"--direct",	    "1", "--bs",      "64k", "--size",	 "64M",	 "--depth", "4",
	"--batch-complete", "1", "--runtime", "0.1", "--warmup", "0.03", NULL,
};

struct overlap_options {
	struct engine_series series;
	const char *ratios; /* separated by commas */
};

/* One engine with one amount of computing, over the rounds. */
struct point {
	double ratio; /* that was asked for */
	/* Time for an operation, for computing alone and for both; 0 where the run failed. */
	double compute_ns[ROUNDS_MAX], op_ns[ROUNDS_MAX];
};

struct overlapper {
	const char *spec;
	json_t *engine; /* as a run describes it */
	json_t *warnings; /* one for each round in which a run failed */
	char status[16]; /* of the last run that failed; "error" until then */
	json_t *reason; /* of the last run that failed, a remark */
	double io_ns[ROUNDS_MAX]; /* time for an operation without computing */
	struct point points[RATIOS_MAX];
};

struct experiment {
	const struct overlap_options *options;
	struct overlapper subjects[ENGINES_MAX];
	unsigned point_count;
	char loops_per_us[32];
	json_t *env, *workload;
	struct random_stream *random; /* the series' own */
};

/* The engine that only measures the harness, for computing alone. */
static const char *engine_without_io(void)
{
	for (unsigned i = 0; i < engines_count(); i++)
		if (engine_at(i)->traits & IO_MOVES_NO_BYTES)
			return engine_at(i)->name;
	return NULL;
}

/* The same run without its I/O: what names a file means nothing there, and is left out. */
static void gather_compute_words(struct run_words *run, const struct overlap_options *options)
{
	const char *engine = engine_without_io();
	struct run_config without_io = { .workload = workload_without_io() };
	assert(engine && without_io.workload); /* both belong to the product */
	struct run_words whole;
	engine_choice_gather(&options->series.engines, engine, &whole);
	run_words_begin(run);
	unsigned first = run->count; /* of the options */
	run_words_add(run, "--workload");
	run_words_add(run, without_io.workload->name);
	for (unsigned i = first, end; i < whole.count; i = end) {
		/* A word that is an option, and its value. */
		for (end = i + 1; end < whole.count && whole.words[end][0] != '-';)
			end++;
		const char *name = run_option_name(whole.words[i]);
		if (name && !run_option_works(name, &without_io))
			continue;
		for (unsigned word = i; word < end; word++)
			run_words_add(run, whole.words[word]);
	}
}

static void note_what_ran(struct experiment *x, struct overlapper *subject, const json_t *result)
{
	if (!x->env) {
		x->env = json_incref(json_object_get(result, "env"));
		x->workload = json_incref(json_object_get(result, "workload"));
	}
	if (!subject->engine)
		subject->engine = json_incref(json_object_get(result, "engine"));
}

/* Why a run brought no time; where `result` is NULL, `why` it left none. */
static void note_why(struct overlapper *subject, bool with_io, const json_t *result,
		     const struct reason *why)
{
	bool ran = status_is(result, "ok");
	json_t *reason = child_run_failure(result, why);
	snprintf(subject->status, sizeof subject->status, "%s",
		 result && !ran ? string_at(result, "status") : "error");
	json_decref(subject->reason);
	subject->reason = with_io ? json_incref(reason)
				  : remark_caused("computing_failed", NULL,
						  "computing alone: {cause}", reason);
	json_decref(reason);
}

/* One run, with or without the engine's I/O. Returns nanoseconds for an operation, or 0 and notes
 * why. */
static double time_op_ns(struct experiment *x, struct overlapper *subject, bool with_io,
			 double compute_us)
{
	char compute[32];
	struct run_words words;
	if (with_io)
		engine_choice_gather(&x->options->series.engines, subject->spec, &words);
	else
		gather_compute_words(&words, x->options);
	snprintf(compute, sizeof compute, "%.3f", compute_us);
	run_words_add(&words, "--compute-us");
	run_words_add(&words, compute);
	run_words_add(&words, "--compute-loops-per-us");
	run_words_add(&words, x->loops_per_us);

	struct reason why;
	json_t *result = child_run(&words, RUN_LIMIT_S, &why);
	double op_ns = 0;
	if (interrupt_requested()) {
		json_decref(result); /* cut short, which is no failure of the engine */
		return 0;
	}
	if (with_io && result)
		note_what_ran(x, subject, result);
	if (status_is(result, "ok") && number_at(result, "metrics.ops_per_s") > 0)
		op_ns = NS_PER_S / number_at(result, "metrics.ops_per_s");
	else
		note_why(subject, with_io, result, &why);
	json_decref(result);
	return op_ns;
}

/*
 * One engine's runs of a round. A run just before tells how much computing each ratio asks for, and
 * is not counted otherwise: the ratio that counts is C/I as timed here. A run that
 * fails ends the round: without the first nobody knows how much to compute, and one that hangs is
 * not tried with every ratio.
 */
static void run_block(struct experiment *x, struct overlapper *subject, unsigned round)
{
	unsigned order[1 + 2 * RATIOS_MAX], count = 1 + 2 * x->point_count;
	if (strcmp(subject->status, "unsupported") == 0)
		return; /* what is unsupported is not asked again */
	double pilot_ns = time_op_ns(x, subject, true, 0);
	bool all_ran = pilot_ns > 0;
	random_order(x->random, order, count);
	for (unsigned i = 0; i < count && all_ran; i++) {
		double compute_us = 0, *op_ns = &subject->io_ns[round];
		bool with_io = order[i] % 2 == 0;
		if (order[i] > 0) {
			struct point *point = &subject->points[(order[i] - 1) / 2];
			compute_us = point->ratio * pilot_ns / 1e3;
			op_ns = &(with_io ? point->op_ns : point->compute_ns)[round];
		}
		*op_ns = time_op_ns(x, subject, with_io, compute_us);
		all_ran = *op_ns > 0;
	}
	if (!all_ran && !interrupt_requested())
		failed_round_add(subject->warnings, round, x->options->series.order.rounds,
				 subject->reason);
}

/* Did the round time all three? */
static bool has_point(const struct overlapper *subject, const struct point *point, unsigned round)
{
	return subject->io_ns[round] > 0 && point->compute_ns[round] > 0 && point->op_ns[round] > 0;
}

/*
 * Within a round: x = C/I, y = T/I, and the efficiency (C + I - T) / min(C, I), which is 1 when T
 * is max(C, I) and 0 when T is C + I. Where T is above C + I computing and I/O hold each other up,
 * and what is lost is T - (C + I).
 */
static json_t *point_json(const struct overlapper *subject, const struct point *point,
			  unsigned rounds)
{
	double computes_ns[ROUNDS_MAX], ratios[ROUNDS_MAX], totals[ROUNDS_MAX],
		efficiencies[ROUNDS_MAX], losses_ns[ROUNDS_MAX];
	for (unsigned round = 0; round < rounds; round++) {
		/* NAN where the round lacks one of the three. */
		bool whole = has_point(subject, point, round);
		double io_ns = whole ? subject->io_ns[round] : NAN,
		       compute_ns = whole ? point->compute_ns[round] : NAN,
		       total_ns = whole ? point->op_ns[round] : NAN;
		computes_ns[round] = compute_ns;
		ratios[round] = compute_ns / io_ns;
		totals[round] = total_ns / io_ns;
		losses_ns[round] = total_ns - (compute_ns + io_ns);
		efficiencies[round] = -losses_ns[round] / (compute_ns < io_ns ? compute_ns : io_ns);
	}
	json_t *entry = required(json_object());
	put_real(entry, "asked", point->ratio);
	put_new(entry, "compute_ns", estimate_of(computes_ns, rounds));
	put_new(entry, "compute_to_io", estimate_of(ratios, rounds));
	put_new(entry, "total_to_io", estimate_of(totals, rounds));
	put_new(entry, "efficiency", estimate_of(efficiencies, rounds));
	put_new(entry, "lost_ns", estimate_of(losses_ns, rounds));
	return entry;
}

/* Is there a round that timed all three? */
static bool has_any(const struct overlapper *subject, unsigned point_count, unsigned rounds)
{
	for (unsigned p = 0; p < point_count; p++)
		for (unsigned round = 0; round < rounds; round++)
			if (has_point(subject, &subject->points[p], round))
				return true;
	return false;
}

static json_t *subject_json(const struct overlapper *subject, unsigned point_count, unsigned rounds)
{
	bool ok = has_any(subject, point_count, rounds);
	double io_ns[ROUNDS_MAX];
	json_t *entry = required(json_object()), *points = required(json_array());
	json_t *engine = json_incref(subject->engine);
	for (unsigned round = 0; round < rounds; round++)
		io_ns[round] = subject->io_ns[round] > 0 ? subject->io_ns[round] : NAN;
	for (unsigned p = 0; ok && p < point_count; p++)
		json_array_append_new(points, point_json(subject, &subject->points[p], rounds));
	if (!engine) {
		engine = required(json_object());
		put_string(engine, "label", subject->spec);
	}
	put_new(entry, "engine", engine);
	put_string(entry, "status", ok ? "ok" : subject->status);
	put_shared(entry, "reason", ok ? NULL : subject->reason);
	put_shared(entry, "warnings", subject->warnings);
	put_new(entry, "io_ns", estimate_of(io_ns, rounds));
	put_new(entry, "points", points);
	return entry;
}

static json_t *document_json(const struct experiment *x)
{
	const struct engine_series *series = &x->options->series;
	json_t *engines = required(json_array());
	for (unsigned s = 0; s < series->engines.count; s++)
		json_array_append_new(engines, subject_json(&x->subjects[s], x->point_count,
							    series->rounds_begun));
	json_t *document = engine_series_document(series, json_incref(x->env));
	put_shared(document, "workload", x->workload);
	put_new(document, "engines", engines);
	return document;
}

static void print_point(const json_t *engine, const json_t *point)
{
	printf("%-24s ", string_at(engine, "engine.label"));
	if (!json_is_object(json_object_get(point, "efficiency"))) {
		printf("%10s %8s %8s %12s  (C/I = %g was asked for, and no round has it)\n", "-",
		       "-", "-", "-", number_at(point, "asked"));
		return;
	}
	printf("%7.1f us %8.2f %8.2f %10.0f %%  %4.0f to %4.0f %% %9.1f us\n",
	       number_at(engine, "io_ns.median") / 1e3, number_at(point, "compute_to_io.median"),
	       number_at(point, "total_to_io.median"), 100 * number_at(point, "efficiency.median"),
	       100 * number_at(point, "efficiency.low"), 100 * number_at(point, "efficiency.high"),
	       number_at(point, "lost_ns.median") / 1e3);
}

static void print_document(const json_t *document)
{
	size_t e, p;
	const json_t *engine, *point;
	printf("%s, %.0f rounds; C: computing alone, I: I/O alone, T: both, for an operation\n\n"
	       "%-24s %10s %8s %8s %12s  %-16s %s\n",
	       string_at(document, "workload.panel.text"), number_at(document, "rounds"), "engine",
	       "I", "C/I", "T/I", "efficiency", "interval", "T - (C + I)");
	json_array_foreach (json_object_get(document, "engines"), e, engine) {
		if (!status_is(engine, "ok")) {
			printf("%-24s ", string_at(engine, "engine.label"));
			print_status_of(engine);
		}
		json_array_foreach (json_object_get(engine, "points"), p, point)
			print_point(engine, point);
	}
	printf("\nefficiency: (C + I - T) / min(C, I); 100 %%: T is the greater of both, 0 %%: T "
	       "is their sum\nT - (C + I): below 0 what overlapping saved, above 0 what computing "
	       "and I/O cost each other\n");
	print_warnings_of(json_object_get(document, "engines"));
}

enum { OPT_RATIOS = 0x100 };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct overlap_options *o = state->input;
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = &o->series;
	else if (key == OPT_RATIOS)
		o->ratios = arg;
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

/* Returns how many there are, or -EINVAL with `why`. */
static int parse_ratios(const char *text, double *ratios, struct reason *why)
{
	struct word_list list;
	int rc = word_list_split(&list, "ratios", text, RATIOS_MAX, why);
	for (unsigned i = 0; rc == 0 && i < list.count; i++)
		rc = number_real("ratios", list.words[i], 0.001, 1000, &ratios[i], why);
	int count = (int)list.count;
	word_list_free(&list);
	return rc < 0 ? rc : count;
}

/*
 * Every engine, and the options for its runs checked before anything runs. Returns an exit status.
 */
static int list_subjects(struct experiment *x, const double *ratios)
{
	for (unsigned i = 0; i < x->options->series.engines.count; i++) {
		struct run_words words;
		struct reason why;
		struct overlapper *subject = &x->subjects[i];
		subject->spec = x->options->series.engines.specs[i];
		subject->warnings = required(json_array());
		strcpy(subject->status, "error");
		subject->reason = engine_series_not_reached();
		for (unsigned p = 0; p < x->point_count; p++)
			subject->points[p].ratio = ratios[p];
		engine_choice_gather(&x->options->series.engines, subject->spec, &words);
		/* As many as time_op_ns() adds. */
		for (unsigned more = 0; more < 4; more++)
			run_words_add(&words, "");
		int rc = run_words_check(&words, &why);
		engine_choice_gather(&x->options->series.engines, subject->spec, &words);
		if (rc == 0)
			rc = run_words_try(&words, &why);
		if (rc < 0) {
			fprintf(stderr, "iolab overlap: %s\n", why.text);
			return EXIT_USAGE;
		}
	}
	return EXIT_OK;
}

static void free_experiment(struct experiment *x)
{
	for (unsigned i = 0; i < x->options->series.engines.count; i++) {
		json_decref(x->subjects[i].engine);
		json_decref(x->subjects[i].warnings);
		json_decref(x->subjects[i].reason);
	}
	json_decref(x->env);
	json_decref(x->workload);
}

int command_overlap(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "ratios", OPT_RATIOS, "LIST", 0,
		  "computing, as multiples of the engine's own I/O time (default: 0.25,0.5,1,2,4)",
		  0 },
		{ 0 },
	};
	static const struct argp_child children[] = { { &engine_series_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = children,
		.args_doc = "[-- RUN-OPTION...]",
		.doc = "Measures how much each engine overlaps computing and I/O.",
	};
	struct overlap_options options = {
		.series = {
			.engines = { .command = "iolab overlap",
				     .usual = { .variants = VARIANTS_NONE, .that_read_files = true },
				     .usual_run_words = usual_run_words,
				     .takes_run_words = true },
			.order = default_rounds(),
			.schema = "iolab.overlap.v2",
			.file_name = "overlap.json",
		},
		.ratios = "0.25,0.5,1,2,4",
	};
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	static struct experiment x;
	double ratios[RATIOS_MAX];
	struct turn turn;
	struct engine_series *series = &options.series;
	x.options = &options;
	x.random = &series->random;
	struct reason why;
	int points = parse_ratios(options.ratios, ratios, &why);
	if (points < 0)
		fprintf(stderr, "iolab overlap: %s\n", why.text);
	x.point_count = points < 0 ? 0 : (unsigned)points;
	if (points < 0 || list_subjects(&x, ratios) != EXIT_OK) {
		engine_choice_free(&series->engines);
		return EXIT_USAGE;
	}
	engine_series_begin(series, argc, argv);
	snprintf(x.loops_per_us, sizeof x.loops_per_us, "%.3f", compute_calibrate());
	while (engine_series_next(series, series->engines.count, &turn))
		run_block(&x, &x.subjects[turn.piece], turn.round);
	json_t *document = document_json(&x);
	free_experiment(&x);
	return engine_series_end(series, document,
				 exit_status_of(json_object_get(document, "engines")),
				 print_document);
}
