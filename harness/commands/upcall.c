/* SPDX-License-Identifier: MIT */
/*
 * `iolab upcall`: one operation as the kernel sees it. Each engine makes operations one after another,
 * on a file and on a socket, and the kernel's tracepoints tell when the request was issued, the
 * interrupt came, the thread was woken. plots/figures/upcall.py draws the legs between.
 */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "commands/commands.h"
#include "engines.h"
#include "exchange/chrome_trace.h"
#include "meters/environment.h"
#include "meters/upcall_path.h"
#include "plan/child_run.h"
#include "plan/engine_series.h"
#include "plan/rounds.h"
#include "run/upcall_run.h"
#include "summary/failed_rounds.h"
#include "summary/upcall_legs.h"

#define RUN_LIMIT_S 60

struct upcall_options {
	struct engine_series series;
	double ops;
	const char *folder;
};

/* One engine on one target, over the rounds. */
struct upcall_row {
	struct upcall_task task;
	char label[240];
	char status[16]; /* of the last run that failed; "error" until one ran */
	json_t *reason; /* of that, a remark */
	json_t *warnings; /* one for each round in which a run failed */
	json_t *paths[ROUNDS_MAX]; /* NULL where the run failed */
	json_t *trace; /* of the last round that was ok; NULL without one */
	bool has_run;
};

struct upcall_rows {
	struct upcall_row *all;
	unsigned count;
};

/* The file with every engine, then the socket with every engine. Returns 0 or -ENOMEM. */
static int list_upcall_rows(struct upcall_rows *rows, const struct upcall_options *o)
{
	rows->all = calloc((size_t)o->series.engines.count * UPCALL_TARGETS, sizeof *rows->all);
	if (!rows->all)
		return -ENOMEM;
	for (int target = 0; target < UPCALL_TARGETS; target++)
		for (unsigned i = 0; i < o->series.engines.count; i++) {
			struct upcall_row *row = &rows->all[rows->count++];
			row->task = (struct upcall_task) {
				.target = (enum upcall_target)target,
				.ops = (unsigned)o->ops,
				.folder = o->folder,
			};
			engine_spec_parse(o->series.engines.specs[i], &row->task.engine,
					  &row->task.engine_options, NULL);
			engine_label(row->task.engine, row->task.engine_options, row->label,
				     sizeof row->label);
			strcpy(row->status, "error");
			row->reason = engine_series_not_reached();
			row->warnings = required(json_array());
		}
	return 0;
}

static void free_upcall_rows(struct upcall_rows *rows)
{
	for (unsigned i = 0; i < rows->count; i++) {
		for (unsigned round = 0; round < ROUNDS_MAX; round++)
			json_decref(rows->all[i].paths[round]);
		json_decref(rows->all[i].trace);
		json_decref(rows->all[i].warnings);
		json_decref(rows->all[i].reason);
	}
	free(rows->all);
}

/* Cause and cure, as `iolab doctor` has them. */
static json_t *refusal_of(const struct reason *why)
{
	const struct said *cure = kernel_trace_cure(why);
	json_t *cause = remark_of_reason(why);
	json_t *refusal = cure ? remark_caused("cannot_trace", with_text("cure", cure->text),
					       "{cause}; {cure}", cause)
			       : json_incref(cause);
	json_decref(cause);
	return refusal;
}

/* No row can be had: all have the same reason. */
static void refuse_all(struct upcall_rows *rows, const struct reason *why)
{
	for (unsigned i = 0; i < rows->count; i++) {
		strcpy(rows->all[i].status, "unsupported");
		json_decref(rows->all[i].reason);
		rows->all[i].reason = refusal_of(why);
	}
}

static void run_upcall_row(struct upcall_row *row, const struct engine_series *series,
			   struct kernel_trace *trace, unsigned round)
{
	if (strcmp(row->status, "unsupported") == 0)
		return; /* what is unsupported is not asked again */
	struct reason why;
	row->task.trace = trace;
	row->task.seed = series->order.seed + round;
	json_t *answer = child_work(upcall_run, &row->task, RUN_LIMIT_S, &why);
	if (interrupt_requested()) {
		json_decref(answer); /* cut short, which is no failure of the engine */
		return;
	}
	if (status_is(answer, "ok")) {
		row->has_run = true;
		row->paths[round] = json_incref(json_object_get(answer, "paths"));
		json_decref(row->trace);
		row->trace = json_incref(json_object_get(answer, "trace"));
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

static json_t *upcall_row_json(const struct upcall_row *row, unsigned rounds)
{
	struct upcall_ways ways = { row->paths, rounds, row->task.target == UPCALL_FILE };
	json_t *entry = required(json_object()), *engine = required(json_object());
	put_string(engine, "label", row->label);
	put_new(entry, "engine", engine);
	put_string(entry, "target", upcall_targets[row->task.target].name);
	put_string(entry, "status", row->has_run ? "ok" : row->status);
	put_shared(entry, "reason", row->has_run ? NULL : row->reason);
	put_shared(entry, "warnings", row->warnings);
	put_int(entry, "ops", upcall_ops(&ways));
	put_new(entry, "moments", row->has_run ? upcall_legs_json(&ways) : NULL);
	put_shared(entry, "trace", row->trace);
	return entry;
}

/* What each moment is called, and the tracepoint that shows it. */
static json_t *moments_json(const struct kernel_trace *trace)
{
	json_t *list = required(json_array());
	for (unsigned m = 0; m < UPCALL_MOMENTS; m++) {
		const struct upcall_moment_kind *kind = &upcall_moments[m];
		bool has_event = kind->event < KERNEL_EVENT_KINDS;
		json_t *entry = required(json_object());
		put_string(entry, "name", kind->name);
		put_string(entry, "words", kind->words);
		put_string(entry, "tracepoint",
			   has_event ? kernel_tracepoints[kind->event].name : NULL);
		put_bool(entry, "known_here",
			 !has_event || (trace && kernel_trace_has(trace, kind->event)));
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *targets_json(void)
{
	json_t *list = required(json_array());
	for (unsigned t = 0; t < UPCALL_TARGETS; t++) {
		json_t *entry = required(json_object());
		put_string(entry, "name", upcall_targets[t].name);
		put_string(entry, "words", upcall_targets[t].words);
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *document_json(const struct upcall_options *o, const struct upcall_rows *rows,
			     const struct kernel_trace *trace)
{
	json_t *document = engine_series_document(&o->series, environment_json(o->folder));
	json_t *list = required(json_array());
	for (unsigned i = 0; i < rows->count; i++)
		json_array_append_new(list, upcall_row_json(&rows->all[i], o->series.rounds_begun));
	put_int(document, "ops", (int64_t)o->ops);
	put_new(document, "targets", targets_json());
	put_new(document, "moments", moments_json(trace));
	put_new(document, "rows", list);
	return document;
}

/* The entry of `list` with this name. */
static const json_t *named_entry(const json_t *list, const char *name)
{
	size_t i;
	const json_t *entry;
	json_array_foreach (list, i, entry)
		if (strcmp(string_at(entry, "name"), name) == 0)
			return entry;
	return NULL;
}

static void print_moment(const json_t *document, const json_t *moment, double ops)
{
	const json_t *kind =
		named_entry(json_object_get(document, "moments"), string_at(moment, "name"));
	double seen = number_at(moment, "seen");
	const json_t *step = json_object_get(moment, "step");
	printf("  %c  %-32s ", json_is_integer(step) ? '0' + (int)json_integer_value(step) : ' ',
	       string_at(kind, "words"));
	if (seen == 0 && !json_is_true(json_object_get(kind, "known_here"))) {
		printf("this kernel has no tracepoint %s\n", string_at(kind, "tracepoint"));
		return;
	}
	if (seen == 0) {
		printf("absent\n");
		return;
	}
	printf("%8.1f us ", number_at(moment, "at_ns.median") / 1e3);
	if (json_is_object(json_object_get(moment, "leg_ns")))
		printf("%8.1f us  %8.1f to %8.1f us", number_at(moment, "leg_ns.median") / 1e3,
		       number_at(moment, "leg_ns.p10") / 1e3,
		       number_at(moment, "leg_ns.p90") / 1e3);
	if (seen < ops)
		printf("  in %.0f %%", 100 * seen / ops);
	printf("\n");
}

static void print_upcall_row(const json_t *document, const json_t *row)
{
	size_t i;
	const json_t *moment;
	printf("%s, %s: ", string_at(row, "engine.label"), string_at(row, "target"));
	if (!status_is(row, "ok")) {
		print_status_of(row);
		return;
	}
	printf("%.0f operations\n  %-35s %11s %11s  %s\n", number_at(row, "ops"), "step",
	       "since it", "leg", "from p10 to p90");
	json_array_foreach (json_object_get(row, "moments"), i, moment)
		print_moment(document, moment, number_at(row, "ops"));
}

/* Do all rows have this reason, in place of figures? */
static bool is_everybodys(const json_t *rows, const json_t *reason)
{
	size_t i;
	const json_t *row;
	json_array_foreach (rows, i, row)
		if (!status_is(row, "unsupported") ||
		    !remarks_same(json_object_get(row, "reason"), reason))
			return false;
	return true;
}

static void print_document(const json_t *document)
{
	size_t i;
	const json_t *row, *target, *rows = json_object_get(document, "rows");
	const json_t *first = json_array_get(rows, 0);
	if (is_everybodys(rows, json_object_get(first, "reason"))) {
		print_status_of(first);
		return;
	}
	printf("One operation at a time, as the kernel's tracepoints tell\n");
	json_array_foreach (json_object_get(document, "targets"), i, target)
		printf("%s: %s\n", string_at(target, "name"), string_at(target, "words"));
	json_array_foreach (rows, i, row) {
		printf("\n");
		print_upcall_row(document, row);
	}
	printf("\nMedians over all operations of %.0f rounds. leg: since the moment seen before; p10 "
	       "to p90:\nfour of five operations lie between. absent: no operation had it. The "
	       "numbers of steps are the\ncourse's: 1 ask, 2 handle, 3 care, 4 carry on, 5 event, 6 "
	       "take. Tracing takes time of its own\n",
	       number_at(document, "rounds"));
	print_warnings_of(rows);
}

enum { OPT_OPS = 0x100, OPT_FORMAT };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct upcall_options *o = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->series;
		return 0;
	case 'f':
		o->folder = arg;
		return 0;
	case OPT_OPS:
		o->ops = floor(number_option(state, "ops", arg, 1, UPCALL_OPS_MAX));
		return 0;
	case OPT_FORMAT:
		choose_document_format(&o->series, arg, chrome_trace_of_upcall, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "ops", OPT_OPS, "N", 0, "operations of each run, one after another (default: 50)", 0 },
	{ "folder", 'f', "FOLDER", 0, "folder for a temporary file (default: $TMPDIR or /var/tmp)",
	  0 },
	{ "format", OPT_FORMAT, "FORMAT", 0,
	  "table, json, or chrome: a typical operation of each row, as ui.perfetto.dev and "
	  "chrome://tracing open it (default: table)",
	  0 },
	{ 0 },
};

/* All runs. A machine on which nothing can be traced has its reason in every row. */
static void run_all(struct upcall_options *o, struct upcall_rows *rows, struct kernel_trace **trace)
{
	struct engine_series *series = &o->series;
	struct turn turn;
	struct reason why;
	if (kernel_trace_open(trace, &why) < 0) {
		refuse_all(rows, &why);
		series->order.rounds = 1;
	}
	while (engine_series_next(series, rows->count, &turn))
		run_upcall_row(&rows->all[turn.piece], series, *trace, turn.round);
}

int command_upcall(int argc, char **argv)
{
	static const struct argp_child children[] = { { &engine_series_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = children,
		.doc = "Traces single operations through the kernel: request, interrupt, wake-up, "
		       "return. Takes root, and libtracefs when it is built.",
	};
	struct upcall_options options = {
		.series = {
			.engines = { .command = "iolab upcall",
				     .usual = { .variants = VARIANTS_COMPARED, .that_repeat = true } },
			.order = default_rounds(),
			.schema = "iolab.upcall.v1",
			.file_name = "upcall.json",
		},
		.ops = 50,
		.folder = scratch_folder(),
	};
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	struct upcall_rows rows = { 0 };
	struct kernel_trace *trace = NULL;
	if (list_upcall_rows(&rows, &options) < 0) {
		fprintf(stderr, "iolab upcall: no memory for the rows\n");
		return EXIT_ERROR;
	}
	engine_series_begin(&options.series, argc, argv);
	run_all(&options, &rows, &trace);
	json_t *document = document_json(&options, &rows, trace);
	kernel_trace_close(trace);
	free_upcall_rows(&rows);
	return engine_series_end(&options.series, document,
				 exit_status_of(json_object_get(document, "rows")), print_document);
}
