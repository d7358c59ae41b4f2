/* SPDX-License-Identifier: MIT */
/*
 * `iolab styles`: what callbacks, promises and await add to an operation. The job of common/styles.h
 * runs over each engine in each style, by turns of a millisecond in one process. Over memory, without
 * a kernel, the styles' own cost is seen; over the engines, what an operation costs beside it. The job
 * takes several promises an operation: layer_costs.h has what one layer adds to one operation.
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
#include "base/remark.h"
#include "clock.h"
#include "commands/commands.h"
#include "commands/layer_costs.h"
#include "engines.h"
#include "meters/environment.h"
#include "plan/child_run.h"
#include "plan/engine_series.h"
#include "plan/rounds.h"
#include "run/styles_run.h"
#include "summary/failed_rounds.h"
#include "workloads/memory_engine.h"

#define RUN_LIMIT_S	60
#define BLOCK_BYTES	4096u
#define MEMORY_BYTES	64u /* of a block: less to copy and to compute, so the layer is seen */
#define BLOCKS		JOB_ENTRIES_MAX
#define LANES_MOST	256
#define NO_KERNEL	"memory"
#define REFERENCE_STYLE "callbacks"

struct styles_options {
	struct engine_series series;
	double lanes, runtime_s;
	const char *folder;
};

/* One engine, with all styles that fit it; memory; or the style that blocks. */
struct styles_subject {
	struct styles_task task;
	char label[240]; /* empty without an interface: memory, and the style that blocks */
	char status[16]; /* of the last run that failed; "error" until one ran */
	json_t *reason; /* of that, a remark */
	json_t *warnings; /* one for each round in which a run failed */
	bool has_run;
	struct style_figures {
		uint64_t ops;
		double op_ns[ROUNDS_MAX], cpu_ns[ROUNDS_MAX]; /* NAN where the run failed */
	} figures[STYLES_MAX]; /* as styles[] */
};

static void add_subject(struct styles_subject *subject, const struct styles_options *o,
			const struct engine_ops *engine, uint64_t engine_options)
{
	bool in_memory = engine == &memory_engine;
	subject->task = (struct styles_task) {
		.engine = engine,
		.engine_options = engine_options,
		.lane_count = (unsigned)o->lanes,
		.block_count = BLOCKS,
		.block_bytes = in_memory ? MEMORY_BYTES : BLOCK_BYTES,
		.runtime_s = o->runtime_s,
		.folder = o->folder,
	};
	if (engine && !in_memory)
		engine_label(engine, engine_options, subject->label, sizeof subject->label);
	subject->warnings = required(json_array());
	subject->reason = engine_series_not_reached();
	strcpy(subject->status, "error");
	for (unsigned s = 0; s < STYLES_MAX; s++)
		for (unsigned round = 0; round < ROUNDS_MAX; round++)
			subject->figures[s].op_ns[round] = subject->figures[s].cpu_ns[round] = NAN;
}

/* Memory, blocking calls, then every engine. Returns how many. */
static unsigned list_styles(struct styles_subject *subjects, const struct styles_options *o)
{
	unsigned count = 0;
	add_subject(&subjects[count++], o, &memory_engine, 0);
	add_subject(&subjects[count++], o, NULL, 0);
	for (unsigned i = 0; i < o->series.engines.count; i++) {
		const struct engine_ops *engine;
		uint64_t options;
		engine_spec_parse(o->series.engines.specs[i], &engine, &options, NULL);
		add_subject(&subjects[count++], o, engine, options);
	}
	return count;
}

/* One at a time, and as many as there are lanes. Returns how many. */
static unsigned list_layer_costs(struct layer_costs costs[2], const struct styles_options *o)
{
	struct layer_cost_task task = { .lane_count = 1,
					.runtime_s = o->runtime_s,
					.folder = o->folder };
	layer_costs_begin(&costs[0], &task);
	if (o->lanes < 2)
		return 1;
	task.lane_count = (unsigned)o->lanes;
	layer_costs_begin(&costs[1], &task);
	return 2;
}

static void run_subject(struct styles_subject *subject, const struct engine_series *series,
			unsigned round)
{
	if (strcmp(subject->status, "unsupported") == 0)
		return; /* what is unsupported is not asked again */
	struct reason why;
	subject->task.seed = series->order.seed + round;
	json_t *answer = child_work(styles_run, &subject->task, RUN_LIMIT_S, &why);
	if (interrupt_requested()) {
		json_decref(answer); /* cut short, which is no failure of the engine */
		return;
	}
	if (status_is(answer, "ok")) {
		subject->has_run = true;
		for (unsigned s = 0; styles[s]; s++) {
			const json_t *seen = json_object_get(answer, styles[s]->name);
			if (!seen)
				continue;
			subject->figures[s].ops += (uint64_t)number_at(seen, "ops");
			subject->figures[s].op_ns[round] = number_at(seen, "op_ns");
			subject->figures[s].cpu_ns[round] = number_at(seen, "cpu_ns");
		}
	} else {
		snprintf(subject->status, sizeof subject->status, "%s",
			 answer ? string_at(answer, "status") : "error");
		json_decref(subject->reason);
		subject->reason = child_run_failure(answer, &why);
		failed_round_add(subject->warnings, round, series->order.rounds, subject->reason);
	}
	json_decref(answer);
}

/* The document. */

/* What the style adds to the callbacks of the same round: CPU for an operation. */
static json_t *added_json(const struct styles_subject *subject, unsigned style, unsigned rounds)
{
	unsigned reference = 0;
	double added_ns[ROUNDS_MAX];
	while (strcmp(styles[reference]->name, REFERENCE_STYLE) != 0)
		reference++;
	if (style == reference || styles[style]->blocks)
		return NULL;
	for (unsigned round = 0; round < rounds; round++)
		added_ns[round] = subject->figures[style].cpu_ns[round] -
				  subject->figures[reference].cpu_ns[round];
	return estimate_of(added_ns, rounds);
}

static json_t *styles_row_json(const struct styles_subject *subject, unsigned style,
			       unsigned rounds)
{
	const struct style_figures *figures = &subject->figures[style];
	json_t *entry = required(json_object()), *engine = NULL;
	if (*subject->label) {
		engine = required(json_object());
		put_string(engine, "label", subject->label);
	}
	put_new(entry, "engine", engine);
	put_string(entry, "style", styles[style]->name);
	put_string(entry, "status", subject->has_run ? "ok" : subject->status);
	put_shared(entry, "reason", subject->has_run ? NULL : subject->reason);
	put_shared(entry, "warnings", subject->warnings);
	put_int(entry, "ops", (int64_t)figures->ops);
	put_new(entry, "op_ns", estimate_of(figures->op_ns, rounds));
	put_new(entry, "cpu_ns", estimate_of(figures->cpu_ns, rounds));
	put_new(entry, "added_ns", added_json(subject, style, rounds));
	return entry;
}

/* What each style needs. The one that blocks needs nothing. */
static json_t *weights_json(void)
{
	json_t *list = required(json_array());
	for (unsigned s = 0; styles[s]; s++) {
		json_t *entry = required(json_object());
		struct reason why;
		json_t *answer = styles[s]->blocks || interrupt_requested()
					 ? NULL
					 : child_work(styles_weigh, styles[s], RUN_LIMIT_S, &why);
		bool ok = status_is(answer, "ok");
		put_string(entry, "name", styles[s]->name);
		put_string(entry, "words", styles[s]->words);
		put_new(entry, "lane_bytes",
			ok ? json_real(number_at(answer, "lane_bytes")) : NULL);
		put_new(entry, "allocated_bytes",
			ok ? json_real(number_at(answer, "allocated_bytes")) : NULL);
		json_array_append_new(list, entry);
		json_decref(answer);
	}
	return list;
}

static json_t *document_json(const struct styles_options *o, const struct styles_subject *subjects,
			     unsigned count, const struct layer_costs *costs, unsigned cost_count)
{
	json_t *document = engine_series_document(&o->series, environment_json(o->folder));
	json_t *rows = required(json_array());
	for (unsigned i = 0; i < count; i++)
		for (unsigned s = 0; styles[s]; s++)
			if (styles_fits(&subjects[i].task, styles[s]))
				json_array_append_new(
					rows,
					styles_row_json(&subjects[i], s, o->series.rounds_begun));
	put_real(document, "runtime_s", o->runtime_s);
	put_int(document, "lanes", (int64_t)o->lanes);
	put_int(document, "blocks", BLOCKS);
	put_int(document, "block_bytes", BLOCK_BYTES);
	put_int(document, "memory_block_bytes", MEMORY_BYTES);
	put_new(document, "styles", weights_json());
	put_new(document, "rows", rows);
	json_t *layers = required(json_array());
	for (unsigned i = 0; i < cost_count; i++)
		layer_costs_add(&costs[i], o->series.rounds_begun, layers);
	put_new(document, "layers", layers);
	return document;
}

static void print_styles_row(const json_t *row, double reference_ns)
{
	bool has_engine = json_is_object(json_object_get(row, "engine"));
	bool in_memory = !has_engine && strcmp(string_at(row, "style"), style_blocking.name) != 0;
	printf("%-16s %-16s ",
	       has_engine  ? string_at(row, "engine.label")
	       : in_memory ? NO_KERNEL
			   : "-",
	       string_at(row, "style"));
	if (!status_is(row, "ok")) {
		print_status_of(row);
		return;
	}
	double cpu_ns = number_at(row, "cpu_ns.median");
	printf("%9.1f ns %9.1f ns ", number_at(row, "op_ns.median"), cpu_ns);
	if (json_is_object(json_object_get(row, "added_ns")))
		printf("%6.2f %+9.1f ns  %+.1f to %+.1f ns\n", cpu_ns / reference_ns,
		       number_at(row, "added_ns.median"), number_at(row, "added_ns.low"),
		       number_at(row, "added_ns.high"));
	else
		printf("%6s %12s\n", "-", "-");
}

static void print_document(const json_t *document)
{
	size_t i;
	const json_t *row, *style, *refused = NULL; /* one line tells of all rows of an engine */
	double reference_ns = 0;
	printf("An index of %.0f blocks of %.0f bytes, half from a file, half from a lookup server, "
	       "%.0f at a time\n\n%-16s %-16s %12s %12s %6s %12s  %s\n",
	       number_at(document, "blocks"), number_at(document, "block_bytes"),
	       number_at(document, "lanes"), "engine", "style", "time", "CPU", "ratio", "added",
	       "interval");
	json_array_foreach (json_object_get(document, "rows"), i, row) {
		if (strcmp(string_at(row, "style"), REFERENCE_STYLE) == 0)
			reference_ns = number_at(row, "cpu_ns.median");
		bool is_told = refused && status_is(row, "unsupported") &&
			       json_equal(json_object_get(refused, "engine"),
					  json_object_get(row, "engine"));
		if (!is_told)
			print_styles_row(row, reference_ns);
		refused = status_is(row, "unsupported") ? row : NULL;
	}
	printf("\n%-16s %14s %18s\n", "style", "memory a lane", "allocated by runs");
	json_array_foreach (json_object_get(document, "styles"), i, style)
		if (json_is_number(json_object_get(style, "lane_bytes")))
			printf("%-16s %8.0f bytes %12.0f bytes\n", string_at(style, "name"),
			       number_at(style, "lane_bytes"), number_at(style, "allocated_bytes"));
	printf("\nFor an operation, medians over %.0f rounds. memory: blocks of %.0f bytes, copied "
	       "without a kernel.\nratio, added: CPU beside that of callbacks in the same round\n",
	       number_at(document, "rounds"), number_at(document, "memory_block_bytes"));
	layer_costs_print(json_object_get(document, "layers"));
	print_warnings_of(json_object_get(document, "rows"));
}

/* What always runs tells nothing: what counts is whether any engine did. */
static int status_of_the_engines(const json_t *rows)
{
	size_t i;
	json_t *row, *of_engines = required(json_array());
	json_array_foreach (rows, i, row)
		if (json_is_object(json_object_get(row, "engine")))
			json_array_append(of_engines, row);
	int status = exit_status_of(of_engines);
	json_decref(of_engines);
	return status;
}

enum { OPT_RUNTIME = 0x100, OPT_LANES };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct styles_options *o = state->input;
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = &o->series;
	else if (key == 'f')
		o->folder = arg;
	else if (key == OPT_RUNTIME)
		o->runtime_s = number_option(state, "runtime", arg, 0.01, 20);
	else if (key == OPT_LANES)
		o->lanes = floor(number_option(state, "lanes", arg, 1, LANES_MOST));
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

int command_styles(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "runtime", OPT_RUNTIME, "S", 0,
		  "seconds to measure each engine in each round, all styles by turns (default: 0.3)",
		  0 },
		{ "lanes", OPT_LANES, "N", 0, "blocks on their way at once (default: 16)", 0 },
		{ "folder", 'f', "FOLDER", 0,
		  "folder for a temporary file (default: $TMPDIR or /var/tmp)", 0 },
		{ 0 },
	};
	static const struct argp_child children[] = { { &engine_series_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = children,
		.doc = "Measures one job in five styles, with blocking calls, callbacks, promises "
		       "and await: what a style adds to an operation.",
	};
	struct styles_options options = {
		.series = {
			.engines = { .command = "iolab styles",
				     .usual = { .variants = VARIANTS_NONE } },
			.order = default_rounds(),
			.schema = "iolab.styles.v1",
			.file_name = "styles.json",
		},
		.lanes = 16,
		.runtime_s = 0.3,
		.folder = scratch_folder(),
	};
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	static struct styles_subject subjects[ENGINES_MAX + 2];
	static struct layer_costs costs[2]; /* one operation at a time, and as many as lanes */
	struct engine_series *series = &options.series;
	struct turn turn;
	unsigned count = list_styles(subjects, &options);
	unsigned cost_count = list_layer_costs(costs, &options);
	engine_series_begin(series, argc, argv);
	while (engine_series_next(series, count + cost_count, &turn))
		if (turn.piece < count)
			run_subject(&subjects[turn.piece], series, turn.round);
		else
			layer_costs_run(&costs[turn.piece - count], turn.round,
					series->order.rounds, series->order.seed);
	json_t *document = document_json(&options, subjects, count, costs, cost_count);
	int status = status_of_the_engines(json_object_get(document, "rows"));
	for (unsigned i = 0; i < count; i++) {
		json_decref(subjects[i].warnings);
		json_decref(subjects[i].reason);
	}
	for (unsigned i = 0; i < cost_count; i++)
		layer_costs_end(&costs[i]);
	return engine_series_end(series, document, status, print_document);
}
