/* SPDX-License-Identifier: MIT */
/*
 * An event loop has 32 timers and 32 receives, and now and then something is computed: not at all, in
 * one slow callback, in pieces, or in a thread. How late are the callbacks of the others?
 */
#include "commands/loop_lateness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/estimate_json.h"
#include "base/exit_status.h"
#include "base/interrupt.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "clock.h"
#include "compute.h"
#include "engines.h"
#include "meters/environment.h"
#include "plan/child_run.h"
#include "plan/rounds.h"
#include "run/loop_lateness_run.h"
#include "summary/failed_rounds.h"

#define RUN_LIMIT_S 60

enum watched_kind { WATCHED_TIMERS, WATCHED_RECEIVES, WATCHED_KIND_COUNT };

static const char *const watched_names[WATCHED_KIND_COUNT] = { "timers", "receives" };

/* One engine with one way to compute, over the rounds. NAN where a run failed. */
struct loop_row {
	struct loop_lateness_task task;
	char label[240];
	char status[16]; /* of the last run that failed; "error" until one ran */
	json_t *reason; /* of that, a remark */
	json_t *warnings; /* one for each round in which a run failed */
	bool has_run;
	uint64_t computations;
	double computed_in_ns[ROUNDS_MAX];
	struct {
		uint64_t count;
		double p50[ROUNDS_MAX], p99[ROUNDS_MAX], max[ROUNDS_MAX], late[ROUNDS_MAX];
	} watched[WATCHED_KIND_COUNT];
};

double loop_lateness_runtime_min_s(int64_t slow_callback_ns)
{
	return (double)(LOOP_COMPUTING_PERIODS * slow_callback_ns) / NS_PER_S;
}

static void begin_row(struct loop_row *row, const struct loop_lateness_options *o,
		      const char *engine, enum computing_way computing, double loops_per_us)
{
	struct loop_lateness_task *task = &row->task;
	engine_spec_parse(engine, &task->engine, &task->engine_options, NULL);
	engine_label(task->engine, task->engine_options, row->label, sizeof row->label);
	task->computing = computing;
	task->computing_ns = o->slow_callback_ns;
	task->computing_loops = (uint64_t)(loops_per_us * (double)o->slow_callback_ns / NS_PER_US);
	task->piece_loops = 1 + (uint64_t)(loops_per_us * (double)o->piece_ns / NS_PER_US);
	task->runtime_s = o->runtime_s;
	strcpy(row->status, "error");
	row->reason = engine_series_not_reached();
	row->warnings = required(json_array());
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		row->computed_in_ns[round] = NAN;
		for (int kind = 0; kind < WATCHED_KIND_COUNT; kind++)
			row->watched[kind].p50[round] = row->watched[kind].p99[round] =
				row->watched[kind].max[round] = row->watched[kind].late[round] =
					NAN;
	}
}

/* Each engine with each way to compute. Returns how many. */
static unsigned list_loop_rows(struct loop_row *rows, const struct engine_series *series,
			       const struct loop_lateness_options *o)
{
	/* Once: so the amount of computing is the same everywhere. */
	double loops_per_us = compute_calibrate();
	unsigned count = 0;
	for (unsigned i = 0; i < series->engines.count; i++)
		for (int computing = 0; computing < COMPUTING_COUNT; computing++)
			begin_row(&rows[count++], o, series->engines.specs[i],
				  (enum computing_way)computing, loops_per_us);
	return count;
}

static void take_lateness(struct loop_row *row, const json_t *answer, unsigned round)
{
	row->has_run = true;
	row->computations += (uint64_t)number_at(answer, "computations");
	if (number_at(answer, "computations") > 0)
		row->computed_in_ns[round] = number_at(answer, "computed_in_ns");
	for (int kind = 0; kind < WATCHED_KIND_COUNT; kind++) {
		const json_t *seen = json_object_get(answer, watched_names[kind]);
		row->watched[kind].count += (uint64_t)number_at(seen, "count");
		row->watched[kind].p50[round] = number_at(seen, "p50");
		row->watched[kind].p99[round] = number_at(seen, "p99");
		row->watched[kind].max[round] = number_at(seen, "max");
		row->watched[kind].late[round] = number_at(seen, "late");
	}
}

static void run_loop_row(struct loop_row *row, const struct engine_series *series, unsigned round)
{
	if (strcmp(row->status, "unsupported") == 0)
		return; /* what is unsupported is not asked again */
	struct reason why;
	json_t *answer = child_work(loop_lateness_run, &row->task, RUN_LIMIT_S, &why);
	if (interrupt_requested()) {
		json_decref(answer); /* cut short, which is no failure of the engine */
		return;
	}
	if (status_is(answer, "ok")) {
		take_lateness(row, answer, round);
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

static json_t *watched_json(const struct loop_row *row, enum watched_kind kind, unsigned rounds)
{
	json_t *entry = required(json_object()), *lateness = required(json_object());
	put_new(lateness, "p50", estimate_of(row->watched[kind].p50, rounds));
	put_new(lateness, "p99", estimate_of(row->watched[kind].p99, rounds));
	put_new(lateness, "max", estimate_of(row->watched[kind].max, rounds));
	put_int(entry, "count", (int64_t)row->watched[kind].count);
	put_new(entry, "lateness_ns", lateness);
	put_new(entry, "late_share", estimate_of(row->watched[kind].late, rounds));
	return entry;
}

static json_t *loop_row_json(const struct loop_row *row, unsigned rounds)
{
	json_t *entry = required(json_object()), *engine = required(json_object());
	put_string(engine, "label", row->label);
	put_new(entry, "engine", engine);
	put_string(entry, "computing", computing_names[row->task.computing]);
	put_string(entry, "status", row->has_run ? "ok" : row->status);
	put_shared(entry, "reason", row->has_run ? NULL : row->reason);
	put_shared(entry, "warnings", row->warnings);
	put_int(entry, "computations", (int64_t)row->computations);
	put_new(entry, "computed_in_ns", estimate_of(row->computed_in_ns, rounds));
	for (int kind = 0; kind < WATCHED_KIND_COUNT; kind++)
		put_new(entry, watched_names[kind],
			watched_json(row, (enum watched_kind)kind, rounds));
	return entry;
}

static json_t *loop_document(const struct engine_series *series,
			     const struct loop_lateness_options *o, const struct loop_row *rows,
			     unsigned count)
{
	json_t *document = engine_series_document(series, environment_json(NULL));
	json_t *list = required(json_array());
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, loop_row_json(&rows[i], series->rounds_begun));
	put_real(document, "runtime_s", o->runtime_s);
	put_int(document, "slow_callback_ns", o->slow_callback_ns);
	put_int(document, "piece_ns", o->piece_ns);
	put_int(document, "period_ns", LOOP_COMPUTING_PERIODS * o->slow_callback_ns);
	put_int(document, "watched", LOOP_WATCHED);
	put_int(document, "beat_ns", LOOP_WATCHED_BEAT_NS);
	put_int(document, "late_ns", LOOP_WATCHED_LATE_NS);
	put_new(document, "rows", list);
	return document;
}

static void print_loop_row(const json_t *row, bool is_first)
{
	if (!status_is(row, "ok")) {
		/* One line tells of all rows of an engine. */
		if (is_first) {
			printf("%-16s ", string_at(row, "engine.label"));
			print_status_of(row);
		}
		return;
	}
	for (int kind = 0; kind < WATCHED_KIND_COUNT; kind++) {
		const json_t *seen = json_object_get(row, watched_names[kind]);
		printf("%-16s %-12s %-9s %8.0f us %8.0f us %8.0f us %7.1f %%",
		       kind ? "" : string_at(row, "engine.label"),
		       kind ? "" : string_at(row, "computing"), watched_names[kind],
		       number_at(seen, "lateness_ns.p50.median") / NS_PER_US,
		       number_at(seen, "lateness_ns.p99.median") / NS_PER_US,
		       number_at(seen, "lateness_ns.max.median") / NS_PER_US,
		       100 * number_at(seen, "late_share.median"));
		if (!kind && json_is_object(json_object_get(row, "computed_in_ns")))
			printf(" %8.1f ms", number_at(row, "computed_in_ns.median") / NS_PER_MS);
		printf("\n");
	}
}

static void print_document(const json_t *document)
{
	size_t i;
	const json_t *row, *refused = NULL;
	printf("%.0f timers and %.0f receives in one event loop, each due every %.0f ms. Every %.0f ms "
	       "something is computed\nfor %.1f ms: how late were the callbacks?\n\n"
	       "%-16s %-12s %-9s %11s %11s %11s %9s %11s\n",
	       number_at(document, "watched"), number_at(document, "watched"),
	       number_at(document, "beat_ns") / NS_PER_MS,
	       number_at(document, "period_ns") / NS_PER_MS,
	       number_at(document, "slow_callback_ns") / NS_PER_MS, "engine", "computing", "of",
	       "p50", "p99", "latest", "late", "computed in");
	json_array_foreach (json_object_get(document, "rows"), i, row) {
		bool is_told = refused && json_equal(json_object_get(refused, "engine"),
						     json_object_get(row, "engine"));
		print_loop_row(row, !is_told);
		refused = status_is(row, "ok") ? NULL : row;
	}
	printf("\nMedians over %.0f rounds. late: by more than %.0f ms. in_pieces: of %.1f ms, by "
	       "deferred calls.\n",
	       number_at(document, "rounds"), number_at(document, "late_ns") / NS_PER_MS,
	       number_at(document, "piece_ns") / NS_PER_MS);
	print_warnings_of(json_object_get(document, "rows"));
}

int loop_lateness(struct engine_series *series, const struct loop_lateness_options *options,
		  int argc, char **argv)
{
	static struct loop_row rows[COMPUTING_COUNT * ENGINES_MAX];
	struct turn turn;
	unsigned count = list_loop_rows(rows, series, options);
	series->schema = "iolab.loop_lateness.v1";
	series->file_name = "loop_lateness.json";
	engine_series_begin(series, argc, argv);
	while (engine_series_next(series, count, &turn))
		run_loop_row(&rows[turn.piece], series, turn.round);
	json_t *document = loop_document(series, options, rows, count);
	int status = exit_status_of(json_object_get(document, "rows"));
	for (unsigned i = 0; i < count; i++) {
		json_decref(rows[i].warnings);
		json_decref(rows[i].reason);
	}
	return engine_series_end(series, document, status, print_document);
}
