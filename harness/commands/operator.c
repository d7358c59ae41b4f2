/* SPDX-License-Identifier: MIT */
/*
 * `iolab operator`: what an asynchronous operator makes of waiting. A stream of records asks a
 * service for each, with up to `capacity` questions in flight. Records a second and the time of a
 * record, against capacity: ordered and unordered, over each engine, for answer times that are all
 * equal, exponential or heavy-tailed; and the program that waits for each answer, beside them.
 */
#include <argp.h>
#include <errno.h>
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
#include "clock.h"
#include "commands/commands.h"
#include "engines.h"
#include "exchange/chrome_trace.h"
#include "meters/environment.h"
#include "plan/child_run.h"
#include "plan/engine_series.h"
#include "plan/rounds.h"
#include "run/operator_run.h"
#include "summary/failed_rounds.h"

#define CAPACITIES_MAX	16
#define CAPACITY_MOST	1000000
#define RUN_LIMIT_S	60
#define WARMUP_ANSWERS	5 /* in the mean, and at least WARMUP_S */
#define WARMUP_S	0.05
#define TIMEOUT_ANSWERS 20 /* in the mean */

struct operator_options {
	struct engine_series series;
	const char *capacities, *answers; /* separated by commas */
	double answer_ms, pause_ms;
	double timeout_ms; /* 0: by the answers' mean where one is needed */
	double lost_pct, failing_pct;
	double runtime_s;
	unsigned traced_records;
};

/* What --capacities and --answers ask for. */
struct operator_axes {
	unsigned capacities[CAPACITIES_MAX], capacity_count;
	enum answer_times answers[ANSWER_TIMES_COUNT];
	unsigned answers_count;
};

/* One combination, over the rounds. */
struct operator_row {
	struct operator_task task;
	char label[240]; /* of the engine; empty without one */
	char status[16]; /* of the last run that failed; "error" until one ran */
	json_t *reason; /* of that, a remark */
	json_t *warnings; /* one for each round in which a run failed */
	json_t *trace; /* of the last round that was ok; NULL without one */
	bool has_run;
	uint64_t records, retried, timed_out;
	/* NAN where the run failed. */
	double records_per_s[ROUNDS_MAX], of_expected[ROUNDS_MAX], cpu_ns[ROUNDS_MAX];
	double latency_p50_ns[ROUNDS_MAX], latency_p99_ns[ROUNDS_MAX];
	double answer_mean_ns[ROUNDS_MAX], answer_p99_ns[ROUNDS_MAX];
};

struct operator_rows {
	struct operator_row *all;
	unsigned count;
};

/* Options. Each returns 0, or -EINVAL with `why`. */

static int parse_capacities(const char *text, struct operator_axes *axes, struct reason *why)
{
	struct word_list list;
	int rc = word_list_split(&list, "capacities", text, CAPACITIES_MAX, why);
	for (unsigned i = 0; rc == 0 && i < list.count; i++) {
		uint64_t capacity = 0;
		rc = number_whole("capacities", list.words[i], 1, CAPACITY_MOST, UNIT_THOUSAND,
				  &capacity, why);
		axes->capacities[axes->capacity_count++] = (unsigned)capacity;
	}
	word_list_free(&list);
	return rc;
}

static int parse_answer_times(const char *text, struct operator_axes *axes, struct reason *why)
{
	struct word_list list;
	int rc = word_list_split(&list, "answers", text, ANSWER_TIMES_COUNT, why);
	for (unsigned i = 0; rc == 0 && i < list.count; i++) {
		unsigned known = 0;
		while (known < ANSWER_TIMES_COUNT &&
		       strcmp(list.words[i], answer_times_names[known]) != 0)
			known++;
		if (known < ANSWER_TIMES_COUNT) {
			axes->answers[axes->answers_count++] = (enum answer_times)known;
		} else {
			reason_say(why, "--answers %s: constant, exponential or heavy_tailed",
				   list.words[i]);
			rc = -EINVAL;
		}
	}
	word_list_free(&list);
	return rc;
}

static int check_operator_options(const struct operator_options *o, struct reason *why)
{
	if (o->lost_pct + o->failing_pct <= 90)
		return 0;
	reason_say(why, "--lost and --failing: at most 90 %% together");
	return -EINVAL;
}

/* Rows. */

static struct operator_row *add_operator_row(struct operator_rows *rows,
					     const struct operator_options *o)
{
	struct operator_row *row = &rows->all[rows->count++];
	double answer_ns = o->answer_ms * NS_PER_MS;
	double warmup_s = WARMUP_ANSWERS * answer_ns / NS_PER_S;
	bool has_limit = o->timeout_ms > 0 || o->lost_pct > 0 || o->failing_pct > 0;
	double timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_ANSWERS * o->answer_ms;
	row->task = (struct operator_task) {
		.answer_ns = answer_ns,
		.lost_share = o->lost_pct / 100,
		.failing_share = o->failing_pct / 100,
		.timeout_ns = has_limit ? (int64_t)(timeout_ms * NS_PER_MS) : 0,
		.pause_ns = (int64_t)(o->pause_ms * NS_PER_MS),
		.warmup_s = warmup_s > WARMUP_S ? warmup_s : WARMUP_S,
		.runtime_s = o->runtime_s,
		.traced_records = o->traced_records,
		.capacity = 1,
		.emission = EMIT_SYNCHRONOUS,
	};
	row->warnings = required(json_array());
	row->reason = engine_series_not_reached();
	strcpy(row->status, "error");
	for (unsigned round = 0; round < ROUNDS_MAX; round++)
		row->records_per_s[round] = row->of_expected[round] = row->cpu_ns[round] =
			row->latency_p50_ns[round] = row->latency_p99_ns[round] =
				row->answer_mean_ns[round] = row->answer_p99_ns[round] = NAN;
	return row;
}

/* For each kind of answers the program that waits, then every engine with every capacity. */
static void list_rows(struct operator_rows *rows, const struct operator_options *o,
		      const struct operator_axes *axes)
{
	for (unsigned a = 0; a < axes->answers_count; a++) {
		add_operator_row(rows, o)->task.answer_times = axes->answers[a];
		for (unsigned e = 0; e < o->series.engines.count; e++)
			for (int emission = 0; emission < EMIT_SYNCHRONOUS; emission++)
				for (unsigned c = 0; c < axes->capacity_count; c++) {
					struct operator_row *row = add_operator_row(rows, o);
					row->task.answer_times = axes->answers[a];
					row->task.emission = (enum emission)emission;
					row->task.capacity = axes->capacities[c];
					engine_spec_parse(o->series.engines.specs[e],
							  &row->task.engine,
							  &row->task.engine_options, NULL);
					engine_label(row->task.engine, row->task.engine_options,
						     row->label, sizeof row->label);
				}
	}
}

static void take_figures(struct operator_row *row, unsigned round, const json_t *answer)
{
	double mean_ns = number_at(answer, "answer_ns.mean");
	double per_s = number_at(answer, "records_per_s");
	row->has_run = true;
	json_decref(row->trace);
	row->trace = json_incref(json_object_get(answer, "trace"));
	row->records += (uint64_t)number_at(answer, "records");
	row->retried += (uint64_t)number_at(answer, "retried");
	row->timed_out += (uint64_t)number_at(answer, "timed_out");
	row->records_per_s[round] = per_s;
	row->of_expected[round] = per_s * mean_ns / NS_PER_S / row->task.capacity;
	row->cpu_ns[round] = number_at(answer, "cpu_ns");
	row->latency_p50_ns[round] = number_at(answer, "latency_ns.p50");
	row->latency_p99_ns[round] = number_at(answer, "latency_ns.p99");
	row->answer_mean_ns[round] = mean_ns;
	row->answer_p99_ns[round] = number_at(answer, "answer_ns.p99");
}

static void run_operator_row(struct operator_row *row, const struct engine_series *series,
			     unsigned round)
{
	if (strcmp(row->status, "unsupported") == 0)
		return; /* what is unsupported is not asked again */
	struct reason why;
	/* In a round all draw the same answers. */
	row->task.seed = series->order.seed + round;
	json_t *answer = child_work(operator_run, &row->task, RUN_LIMIT_S, &why);
	if (interrupt_requested()) {
		json_decref(answer); /* cut short, which is no failure of the engine */
		return;
	}
	if (status_is(answer, "ok")) {
		take_figures(row, round, answer);
	} else {
		snprintf(row->status, sizeof row->status, "%s",
			 answer ? string_at(answer, "status") : "error");
		json_decref(row->reason);
		row->reason = child_run_failure(answer, &why);
		failed_round_add(row->warnings, round, series->order.rounds, row->reason);
	}
	json_decref(answer);
}

/* The document. */

static json_t *operator_row_json(const struct operator_row *row, unsigned rounds)
{
	json_t *entry = required(json_object()), *engine = NULL;
	json_t *latency = required(json_object()), *answer = required(json_object());
	if (*row->label) {
		engine = required(json_object());
		put_string(engine, "label", row->label);
	}
	put_new(entry, "engine", engine);
	put_string(entry, "emission", emission_names[row->task.emission]);
	put_string(entry, "answers", answer_times_names[row->task.answer_times]);
	put_int(entry, "capacity", row->task.capacity);
	put_string(entry, "status", row->has_run ? "ok" : row->status);
	put_shared(entry, "reason", row->has_run ? NULL : row->reason);
	put_shared(entry, "warnings", row->warnings);
	put_int(entry, "records", (int64_t)row->records);
	put_int(entry, "retried", (int64_t)row->retried);
	put_int(entry, "timed_out", (int64_t)row->timed_out);
	put_new(entry, "records_per_s", estimate_of(row->records_per_s, rounds));
	put_new(entry, "of_expected", estimate_of(row->of_expected, rounds));
	put_new(entry, "cpu_ns", estimate_of(row->cpu_ns, rounds));
	put_new(latency, "p50", estimate_of(row->latency_p50_ns, rounds));
	put_new(latency, "p99", estimate_of(row->latency_p99_ns, rounds));
	put_new(answer, "mean", estimate_of(row->answer_mean_ns, rounds));
	put_new(answer, "p99", estimate_of(row->answer_p99_ns, rounds));
	put_new(entry, "latency_ns", latency);
	put_new(entry, "answer_ns", answer);
	put_shared(entry, "trace", row->trace);
	return entry;
}

static json_t *document_json(const struct operator_options *o, const struct operator_rows *rows)
{
	json_t *document = engine_series_document(&o->series, environment_json(NULL));
	json_t *list = required(json_array());
	for (unsigned i = 0; i < rows->count; i++)
		json_array_append_new(list,
				      operator_row_json(&rows->all[i], o->series.rounds_begun));
	const struct operator_task *task = &rows->all[0].task;
	put_real(document, "runtime_s", o->runtime_s);
	put_real(document, "answer_ns", task->answer_ns);
	put_real(document, "lost_pct", o->lost_pct);
	put_real(document, "failing_pct", o->failing_pct);
	put_int(document, "timeout_ns", task->timeout_ns);
	put_int(document, "pause_ns", task->pause_ns);
	put_new(document, "rows", list);
	return document;
}

static void print_operator_row(const json_t *row)
{
	bool has_engine = json_is_object(json_object_get(row, "engine"));
	printf("%-14s %-12s %-11s %8.0f ", has_engine ? string_at(row, "engine.label") : "-",
	       string_at(row, "answers"), string_at(row, "emission"), number_at(row, "capacity"));
	if (!status_is(row, "ok")) {
		print_status_of(row);
		return;
	}
	printf("%10.0f %6.1f %%  %4.0f to %4.0f %% %9.2f ms %9.2f ms %8.2f us\n",
	       number_at(row, "records_per_s.median"), 100 * number_at(row, "of_expected.median"),
	       100 * number_at(row, "of_expected.low"), 100 * number_at(row, "of_expected.high"),
	       number_at(row, "latency_ns.p50.median") / NS_PER_MS,
	       number_at(row, "latency_ns.p99.median") / NS_PER_MS,
	       number_at(row, "cpu_ns.median") / 1e3);
}

static void print_document(const json_t *document)
{
	size_t i;
	const json_t *row, *refused = NULL; /* one line tells of all rows of an engine */
	printf("A stream of records, each answered after %g ms in the mean\n\n"
	       "%-14s %-12s %-11s %8s %10s %8s  %-13s %12s %12s %11s\n",
	       number_at(document, "answer_ns") / NS_PER_MS, "engine", "answers", "emission",
	       "capacity", "records/s", "of C/L", "interval", "p50", "p99", "CPU");
	json_array_foreach (json_object_get(document, "rows"), i, row) {
		bool is_told = refused && status_is(row, "unsupported") &&
			       json_equal(json_object_get(refused, "engine"),
					  json_object_get(row, "engine"));
		if (!is_told)
			print_operator_row(row);
		refused = status_is(row, "unsupported") ? row : NULL;
	}
	printf("\nMedians over %.0f rounds. C/L: capacity by the mean answer time, which is what "
	       "waiting alone allows.\np50, p99: from the moment in which the operator took a "
	       "record until it left; CPU: of this process, for a record\n",
	       number_at(document, "rounds"));
	if (number_at(document, "timeout_ns") > 0)
		printf("%g %% of the questions got no answer, %g %% an error and another try; a "
		       "record's time is over after %g ms\n",
		       number_at(document, "lost_pct"), number_at(document, "failing_pct"),
		       number_at(document, "timeout_ns") / NS_PER_MS);
	print_warnings_of(json_object_get(document, "rows"));
}

/* The program that waits always runs: what counts is whether any engine did. */
static int status_of_engines(const json_t *rows)
{
	size_t i;
	json_t *row, *with_engine = required(json_array());
	json_array_foreach (rows, i, row)
		if (json_is_object(json_object_get(row, "engine")))
			json_array_append(with_engine, row);
	int status = exit_status_of(with_engine);
	json_decref(with_engine);
	return status;
}

enum {
	OPT_RUNTIME = 0x100,
	OPT_CAPACITIES,
	OPT_ANSWERS,
	OPT_ANSWER,
	OPT_TIMEOUT,
	OPT_PAUSE,
	OPT_LOST,
	OPT_FAILING,
	OPT_TRACE,
	OPT_FORMAT,
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct operator_options *o = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->series;
		return 0;
	case OPT_CAPACITIES:
		o->capacities = arg;
		return 0;
	case OPT_ANSWERS:
		o->answers = arg;
		return 0;
	case OPT_RUNTIME:
		o->runtime_s = number_option(state, "runtime", arg, 0.01, 20);
		return 0;
	case OPT_ANSWER:
		o->answer_ms = number_option(state, "answer-ms", arg, 0.01, 1000);
		return 0;
	case OPT_TIMEOUT:
		o->timeout_ms = number_option(state, "timeout-ms", arg, 0.01, 60000);
		return 0;
	case OPT_PAUSE:
		o->pause_ms = number_option(state, "pause-ms", arg, 0, 60000);
		return 0;
	case OPT_LOST:
		o->lost_pct = number_option(state, "lost", arg, 0, 90);
		return 0;
	case OPT_FAILING:
		o->failing_pct = number_option(state, "failing", arg, 0, 90);
		return 0;
	case OPT_TRACE:
		o->traced_records =
			(unsigned)number_option(state, "trace", arg, 0, OPERATOR_TRACED_MAX);
		return 0;
	case OPT_FORMAT:
		choose_document_format(&o->series, arg, chrome_trace_of_operator, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "capacities", OPT_CAPACITIES, "LIST", 0,
	  "records inside the operator at once (default: 1,8,64,512)", 0 },
	{ "answers", OPT_ANSWERS, "LIST", 0,
	  "how answer times are drawn: constant, exponential, heavy_tailed (default: exponential)",
	  0 },
	{ "answer-ms", OPT_ANSWER, "MS", 0, "an answer's time in the mean (default: 5)", 0 },
	{ "lost", OPT_LOST, "PERCENT", 0, "questions without an answer (default: 0)", 0 },
	{ "failing", OPT_FAILING, "PERCENT", 0,
	  "answers that are errors, and are asked for again (default: 0)", 0 },
	{ "timeout-ms", OPT_TIMEOUT, "MS", 0,
	  "time of a record (default: 20 answers when any is lost or fails, else none)", 0 },
	{ "pause-ms", OPT_PAUSE, "MS", 0, "pause before another attempt (default: 1)", 0 },
	{ "runtime", OPT_RUNTIME, "S", 0, "seconds to measure in each run (default: 0.3)", 0 },
	{ "trace", OPT_TRACE, "RECORDS", 0,
	  "records of each run whose times are kept one by one (default: 32)", 0 },
	{ "format", OPT_FORMAT, "FORMAT", 0,
	  "table, json, or chrome: the traced records, as ui.perfetto.dev and chrome://tracing "
	  "open them (default: table)",
	  0 },
	{ 0 },
};

/* Returns an exit status; EXIT_OK with the rows. */
static int prepare(struct operator_options *o, struct operator_rows *rows)
{
	struct operator_axes axes = { 0 };
	struct reason why;
	int rc = check_operator_options(o, &why);
	if (rc == 0)
		rc = parse_capacities(o->capacities, &axes, &why);
	if (rc == 0)
		rc = parse_answer_times(o->answers, &axes, &why);
	unsigned count = axes.answers_count *
			 (1 + o->series.engines.count * EMIT_SYNCHRONOUS * axes.capacity_count);
	if (rc == 0 && count > PIECES_MAX)
		rc = reason_errno(&why, "too_many_rows", EINVAL,
				  "engines, capacities and answers make {rows} rows, and {most} is "
				  "the most; name fewer",
				  reason_int("rows", count), reason_int("most", PIECES_MAX));
	if (rc < 0) {
		fprintf(stderr, "iolab operator: %s\n", why.text);
		return EXIT_USAGE;
	}
	rows->all = calloc(count, sizeof *rows->all);
	if (!rows->all) {
		fprintf(stderr, "iolab operator: no memory for %u rows\n", count);
		return EXIT_ERROR;
	}
	list_rows(rows, o, &axes);
	return EXIT_OK;
}

int command_operator(int argc, char **argv)
{
	static const struct argp_child children[] = { { &engine_series_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = children,
		.doc = "Measures an asynchronous operator: a stream of records that asks a service "
		       "for each, with up to CAPACITY questions in flight.",
	};
	struct operator_options options = {
		.series = {
			.engines = { .command = "iolab operator",
				     .usual = { .variants = VARIANTS_NONE } },
			.order = default_rounds(),
			.schema = "iolab.operator.v1",
			.file_name = "operator.json",
		},
		.capacities = "1,8,64,512",
		.answers = answer_times_names[ANSWERS_EXPONENTIAL],
		.answer_ms = 5,
		.pause_ms = 1,
		.runtime_s = 0.3,
		.traced_records = 32,
	};
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	struct operator_rows rows = { 0 };
	struct engine_series *series = &options.series;
	struct turn turn;
	int status = prepare(&options, &rows);
	if (status != EXIT_OK)
		return status;
	engine_series_begin(series, argc, argv);
	while (engine_series_next(series, rows.count, &turn))
		run_operator_row(&rows.all[turn.piece], series, turn.round);
	json_t *document = document_json(&options, &rows);
	status = status_of_engines(json_object_get(document, "rows"));
	for (unsigned i = 0; i < rows.count; i++) {
		json_decref(rows.all[i].warnings);
		json_decref(rows.all[i].reason);
		json_decref(rows.all[i].trace);
	}
	free(rows.all);
	return engine_series_end(series, document, status, print_document);
}
