/* SPDX-License-Identifier: MIT */
/*
 * `iolab responsiveness`: what a user interface would feel. One thread keeps I/O going and has a
 * timer that is due every millisecond; how late is it, by engine? A thread that sleeps in a
 * blocking call cannot look at its timer. Two scenes: large reads of a file, past the page cache;
 * and a socket whose peer takes its time. With --loop the thread runs an event loop, and it is a
 * callback that holds it up: commands/loop_lateness.c.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/estimate_json.h"
#include "base/interrupt.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "clock.h"
#include "commands/commands.h"
#include "commands/loop_lateness.h"
#include "engines.h"
#include "histogram.h"
#include "meters/environment.h"
#include "plan/child_run.h"
#include "plan/engine_series.h"
#include "plan/rounds.h"
#include "random.h"
#include "summary/failed_rounds.h"
#include "workloads/probe_target.h"

#define TICK_NS		NS_PER_MS
#define FILE_BYTES	(UINT64_C(32) << 20)
#define BLOCK_BYTES	(1u << 20)
#define DEPTH		2u
#define ANSWER_AFTER_MS 5
#define RUN_LIMIT_S	30
#define ROWS_MAX	(1 + ENGINES_MAX * SCENE_COUNT)

enum io_scene { FILE_SCENE, SOCKET_SCENE, SCENE_COUNT };

static const struct {
	const char *name, *words;
	enum io_kind kind;
	enum io_fd_kind fd_kind;
	unsigned depth;
} scenes[SCENE_COUNT] = {
	[FILE_SCENE] = { "file", "2 reads of 1 MiB outstanding, O_DIRECT", IO_READ, IO_FD_FILE,
			 DEPTH },
	[SOCKET_SCENE] = { "socket", "a receive outstanding, answered after 5 ms", IO_RECV,
			   IO_FD_SOCKET, 1 },
};

struct responsiveness_options {
	struct engine_series series;
	double runtime_s; /* 0: the default */
	const char *folder;
	bool over_the_loop;
	double slow_callback_ns, piece_ns; /* 0: the default */
};

/* One run, in a process of its own. */
struct timer_run {
	const struct engine_ops *ops; /* NULL: nothing outstanding */
	uint64_t engine_options;
	enum io_scene scene;
	const struct responsiveness_options *options;
};

struct loop {
	const struct timer_run *task;
	struct engine *engine;
	struct io_op ops[DEPTH];
	struct io_op *idle[DEPTH];
	unsigned idle_count, inflight;
	int fd;
	struct answerer answerer;
	struct random_stream random;
	uint64_t due_ns, finished;
	struct histogram lateness;
};

/* Records how late each tick is that is due by now; ticks slept through count, too. */
static void look_at_timer(struct loop *l)
{
	uint64_t now_ns = clock_ns();
	for (; now_ns >= l->due_ns; l->due_ns += TICK_NS)
		histogram_record(&l->lateness, now_ns - l->due_ns, 1);
}

/* Offers everything that is idle. Returns 0 or -errno. */
static int offer(struct loop *l)
{
	for (unsigned i = 0; i < l->idle_count; i++) {
		struct io_op *op = l->idle[i];
		if (l->task->scene == FILE_SCENE)
			op->offset =
				random_below(&l->random, FILE_BYTES / BLOCK_BYTES) * BLOCK_BYTES;
		/* `tag`: asked for already, and refused for the moment. */
		else if (!op->tag && answerer_ask(&l->answerer) < 0)
			return -EIO;
		op->tag = 1;
	}
	int accepted = l->task->ops->submit(l->engine, l->idle, l->idle_count);
	if (accepted < 0)
		return accepted;
	for (unsigned i = 0; i < (unsigned)accepted; i++)
		l->idle[i]->tag = 0;
	l->idle_count -= (unsigned)accepted;
	l->inflight += (unsigned)accepted;
	memmove(l->idle, l->idle + accepted, l->idle_count * sizeof *l->idle);
	return 0;
}

/* Takes what is done, and waits for it until the timer is due. Returns 0 or -errno. */
static int take(struct loop *l)
{
	struct io_op *done[DEPTH];
	uint64_t now_ns = clock_ns();
	int64_t wait_ns = l->due_ns > now_ns ? (int64_t)(l->due_ns - now_ns) : 0;
	int count = l->task->ops->reap(l->engine, done, wait_ns ? 1 : 0, DEPTH, wait_ns);
	for (int i = 0; i < count; i++) {
		int error = probe_error(done[i]);
		if (error < 0)
			return error;
		l->idle[l->idle_count++] = done[i];
	}
	if (count > 0) {
		l->inflight -= (unsigned)count;
		l->finished += (unsigned)count;
	}
	return count < 0 ? count : 0;
}

/* A turn of the loop without I/O: only the timer. */
static int sleep_only(struct loop *l)
{
	uint64_t now_ns = clock_ns();
	struct timespec wait =
		timespec_of_ns(l->due_ns > now_ns ? (int64_t)(l->due_ns - now_ns) : 0);
	ppoll(NULL, 0, &wait, NULL);
	return 0;
}

static int run_timer_loop(struct loop *l, double runtime_s)
{
	uint64_t end_ns = clock_ns() + (uint64_t)(runtime_s * NS_PER_S);
	int rc = 0;
	l->due_ns = clock_ns() + TICK_NS;
	while (rc == 0 && l->due_ns < end_ns) {
		if (l->task->ops) {
			if (l->idle_count > 0)
				rc = offer(l);
			look_at_timer(l);
			if (rc == 0 && l->inflight > 0)
				rc = take(l);
		} else {
			rc = sleep_only(l);
		}
		look_at_timer(l);
	}
	return rc;
}

/* Descriptor, operations and engine. Returns 0, or -errno with `why`. */
static int set_up(struct loop *l, struct reason *why)
{
	const struct timer_run *task = l->task;
	unsigned depth = scenes[task->scene].depth;
	bool file = task->scene == FILE_SCENE;
	if (!task->ops)
		return 0;
	cpu_set_t allowed;
	sched_getaffinity(0, sizeof allowed, &allowed);
	struct engine_config config = {
		.depth = depth,
		.max_fds = 1,
		.arena_len_bytes = (size_t)depth * BLOCK_BYTES,
		.cpu_count = (unsigned)CPU_COUNT(&allowed),
		.options = task->engine_options,
	};
	int rc = task->ops->supports(&config, scenes[task->scene].kind, scenes[task->scene].fd_kind,
				     why);
	if (rc < 0)
		return rc;
	if (file)
		rc = l->fd = nameless_file(task->options->folder, FILE_BYTES, O_DIRECT, why);
	else if ((rc = answerer_start(&l->answerer, ANSWER_BY_UNIX_SOCKET, ANSWER_AFTER_MS, why)) ==
		 0)
		l->fd = l->answerer.fd;
	if (rc < 0)
		return rc;
	config.arena = mmap(NULL, config.arena_len_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (config.arena == MAP_FAILED)
		return reason_no_memory(why, "buffers");
	for (unsigned i = 0; i < depth; i++) {
		l->ops[i] = (struct io_op) {
			.kind = (uint8_t)scenes[task->scene].kind,
			.fd = l->fd,
			.buf = (char *)config.arena + (size_t)i * BLOCK_BYTES,
			.len_bytes = file ? BLOCK_BYTES : 1,
			.offset = IO_NO_OFFSET,
			.slot = i,
		};
		l->idle[l->idle_count++] = &l->ops[i];
	}
	rc = task->ops->open(&l->engine, &config, why);
	if (rc == 0 && task->ops->attach)
		rc = task->ops->attach(l->engine, 0, l->fd, scenes[task->scene].fd_kind, why);
	return rc;
}

static json_t *failure_json(const char *status, const struct reason *why)
{
	json_t *answer = required(json_object());
	put_string(answer, "status", status);
	put_new(answer, "reason", remark_of_reason(why));
	return answer;
}

static json_t *run_task(const void *argument)
{
	static struct loop l;
	struct reason why = { "" };
	l.task = argument;
	l.random.state = 1;
	/* The default of 50 us would make every sleep that much longer: prctl(2). */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	int rc = set_up(&l, &why);
	if (rc < 0) {
		answerer_stop(&l.answerer);
		return failure_json("unsupported", &why);
	}
	histogram_reset(&l.lateness);
	rc = run_timer_loop(&l, l.task->options->runtime_s);
	answerer_stop(&l.answerer);
	if (rc < 0) {
		reason_errno(&why, "result_is_error", rc, "the operation's result");
		return failure_json("error", &why);
	}
	/* What is still in flight ends with this process. */
	const struct histogram *h = &l.lateness;
	json_t *answer = required(json_object());
	put_string(answer, "status", "ok");
	put_int(answer, "ticks", (int64_t)h->count);
	put_int(answer, "ops", (int64_t)l.finished);
	put_real(answer, "p50", histogram_quantile_ns(h, 0.50));
	put_real(answer, "p99", histogram_quantile_ns(h, 0.99));
	put_real(answer, "max", (double)h->max_ns);
	return answer;
}

/* One engine in one scene, over the rounds. */
struct lateness_row {
	struct timer_run task;
	char label[240];
	char status[16]; /* empty until it ran */
	json_t *reason; /* why not ok, a remark; NULL until it ran */
	double p50[ROUNDS_MAX], p99[ROUNDS_MAX], max[ROUNDS_MAX];
	unsigned count;
	uint64_t ticks, ops;
};

/* The timer alone, then every engine in every scene. Returns how many. */
static unsigned list_lateness_rows(struct lateness_row *rows,
				   const struct responsiveness_options *options)
{
	unsigned count = 0;
	rows[count].task = (struct timer_run) { NULL, 0, FILE_SCENE, options };
	count++;
	for (int scene = 0; scene < SCENE_COUNT; scene++) {
		for (unsigned i = 0; i < options->series.engines.count; i++) {
			struct lateness_row *row = &rows[count++];
			struct timer_run *task = &row->task;
			task->scene = (enum io_scene)scene;
			task->options = options;
			engine_spec_parse(options->series.engines.specs[i], &task->ops,
					  &task->engine_options, NULL);
			engine_label(task->ops, task->engine_options, row->label,
				     sizeof row->label);
		}
	}
	return count;
}

static void run_row(struct lateness_row *row)
{
	if (*row->status && strcmp(row->status, "ok") != 0)
		return;
	struct reason why;
	json_t *answer = child_work(run_task, &row->task, RUN_LIMIT_S, &why);
	if (interrupt_requested()) {
		json_decref(answer); /* cut short, which is no failure of the engine */
		return;
	}
	snprintf(row->status, sizeof row->status, "%s",
		 answer ? string_at(answer, "status") : "error");
	if (answer && status_is(answer, "ok")) {
		row->p50[row->count] = number_at(answer, "p50");
		row->p99[row->count] = number_at(answer, "p99");
		row->max[row->count++] = number_at(answer, "max");
		row->ticks += (uint64_t)number_at(answer, "ticks");
		row->ops += (uint64_t)number_at(answer, "ops");
	} else {
		row->reason = child_run_failure(answer, &why);
	}
	json_decref(answer);
}

static json_t *lateness_row_json(const struct lateness_row *row)
{
	bool ok = row->count > 0 && strcmp(row->status, "ok") == 0;
	json_t *entry = required(json_object()), *lateness = required(json_object());
	json_t *engine = NULL; /* the timer alone has none */
	if (row->task.ops) {
		engine = required(json_object());
		put_string(engine, "label", row->label);
	}
	put_new(lateness, "p50", estimate_of(row->p50, row->count));
	put_new(lateness, "p99", estimate_of(row->p99, row->count));
	put_new(lateness, "max", estimate_of(row->max, row->count));
	put_new(entry, "engine", engine);
	put_string(entry, "scene", scenes[row->task.scene].name);
	put_string(entry, "status", *row->status ? row->status : "error");
	put_new(entry, "reason",
		ok	      ? NULL
		: row->reason ? json_incref(row->reason)
			      : engine_series_not_reached());
	put_int(entry, "ticks", (int64_t)row->ticks);
	put_int(entry, "ops", (int64_t)row->ops);
	put_new(entry, "lateness_ns", lateness);
	return entry;
}

static void print_document(const json_t *document)
{
	size_t i;
	const json_t *row;
	printf("A timer that is due every millisecond, and how late it was looked at\n\n"
	       "%-8s %-20s %10s %10s %10s\n",
	       "scene", "engine", "p50", "p99", "latest");
	json_array_foreach (json_object_get(document, "rows"), i, row) {
		bool alone = !json_is_object(json_object_get(row, "engine"));
		printf("%-8s %-20s ", string_at(row, "scene"),
		       alone ? "no I/O" : string_at(row, "engine.label"));
		if (!status_is(row, "ok"))
			print_status_of(row);
		else
			printf("%7.0f us %7.0f us %7.0f us\n",
			       number_at(row, "lateness_ns.p50.median") / 1e3,
			       number_at(row, "lateness_ns.p99.median") / 1e3,
			       number_at(row, "lateness_ns.max.median") / 1e3);
	}
	printf("\nMedians over %.0f rounds.", number_at(document, "rounds"));
	for (int scene = 0; scene < SCENE_COUNT; scene++)
		printf(" %s: %s.", scenes[scene].name, scenes[scene].words);
	printf("\n");
}

static json_t *scenes_json(void)
{
	json_t *list = required(json_array());
	for (int scene = 0; scene < SCENE_COUNT; scene++) {
		json_t *entry = required(json_object());
		put_string(entry, "name", scenes[scene].name);
		put_string(entry, "words", scenes[scene].words);
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *document_json(const struct responsiveness_options *options,
			     const struct lateness_row *rows, unsigned count)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/iolab-probe", options->folder);
	json_t *document = engine_series_document(&options->series, environment_json(path));
	json_t *list = required(json_array());
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, lateness_row_json(&rows[i]));
	put_real(document, "runtime_s", options->runtime_s);
	put_int(document, "tick_ns", TICK_NS);
	put_new(document, "scenes", scenes_json());
	put_new(document, "rows", list);
	return document;
}

enum { OPT_RUNTIME = 0x100, OPT_LOOP, OPT_SLOW_CALLBACK, OPT_PIECE };

#define RUNTIME_S	 0.2
#define LOOP_RUNTIME_S	 0.5
#define SLOW_CALLBACK_NS (10 * NS_PER_MS)
#define PIECE_NS	 (500 * NS_PER_US)

static void settle_loop_options(struct responsiveness_options *o, const struct argp_state *state)
{
	bool has_any = o->slow_callback_ns > 0 || o->piece_ns > 0;
	if (!o->over_the_loop && has_any)
		argp_error(state, "--slow-callback-ns and --piece-ns need --loop");
	if (o->slow_callback_ns == 0)
		o->slow_callback_ns = SLOW_CALLBACK_NS;
	if (o->piece_ns == 0)
		o->piece_ns = PIECE_NS;
	if (o->runtime_s == 0)
		o->runtime_s = o->over_the_loop ? LOOP_RUNTIME_S : RUNTIME_S;
	double least_s = loop_lateness_runtime_min_s((int64_t)o->slow_callback_ns);
	if (o->over_the_loop && o->runtime_s < least_s)
		argp_error(state, "--runtime %g: at least %g with this --slow-callback-ns",
			   o->runtime_s, least_s);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct responsiveness_options *o = state->input;
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = &o->series;
	else if (key == 'f')
		o->folder = arg;
	else if (key == OPT_RUNTIME)
		o->runtime_s = number_option(state, "runtime", arg, 0.01, 20);
	else if (key == OPT_LOOP)
		o->over_the_loop = true;
	else if (key == OPT_SLOW_CALLBACK)
		o->slow_callback_ns = number_option(state, "slow-callback-ns", arg, 1e5, 1e9);
	else if (key == OPT_PIECE)
		o->piece_ns = number_option(state, "piece-ns", arg, 1e3, 1e9);
	else if (key == ARGP_KEY_END)
		settle_loop_options(o, state);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

/* The timer alone always runs: what counts is whether any engine did. */
static int lateness_status(const json_t *rows)
{
	json_t *engines = json_copy((json_t *)rows);
	json_array_remove(engines, 0);
	int status = exit_status_of(engines);
	json_decref(engines);
	return status;
}

int command_responsiveness(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "runtime", OPT_RUNTIME, "S", 0,
		  "seconds to measure in each run (default: 0.2; with --loop: 0.5)", 0 },
		{ "loop", OPT_LOOP, NULL, 0,
		  "instead: over an event loop with many timers and receives, how late one slow "
		  "callback makes all others, and what helps",
		  0 },
		{ "slow-callback-ns", OPT_SLOW_CALLBACK, "NS", 0,
		  "with --loop: how long it computes (default: 10000000)", 0 },
		{ "piece-ns", OPT_PIECE, "NS", 0,
		  "with --loop: a piece of it, where it is done in pieces (default: 500000)", 0 },
		{ "folder", 'f', "FOLDER", 0,
		  "folder for a temporary file (default: $TMPDIR or /var/tmp)", 0 },
		{ 0 },
	};
	static const struct argp_child children[] = { { &engine_series_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = children,
		.doc = "Measures how late a timer of one millisecond fires in the thread that does "
		       "the I/O, as a user interface would feel it. With --loop: how late the "
		       "callbacks of an event loop are while one of them computes.",
	};
	struct responsiveness_options options = {
		.series = {
			.engines = { .command = "iolab responsiveness",
				     .usual = { .variants = VARIANTS_NONE } },
			.order = default_rounds(),
			.schema = "iolab.responsiveness.v2",
			.file_name = "responsiveness.json",
		},
		.folder = scratch_folder(),
	};
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (options.over_the_loop)
		return loop_lateness(&options.series,
				     &(struct loop_lateness_options) {
					     .slow_callback_ns = (int64_t)options.slow_callback_ns,
					     .piece_ns = (int64_t)options.piece_ns,
					     .runtime_s = options.runtime_s,
				     },
				     argc, argv);

	static struct lateness_row rows[ROWS_MAX];
	struct engine_series *series = &options.series;
	struct turn turn;
	unsigned count = list_lateness_rows(rows, &options);
	engine_series_begin(series, argc, argv);
	while (engine_series_next(series, count, &turn))
		run_row(&rows[turn.piece]);
	json_t *document = document_json(&options, rows, count);
	int status = lateness_status(json_object_get(document, "rows"));
	for (unsigned i = 0; i < count; i++)
		json_decref(rows[i].reason);
	return engine_series_end(series, document, status, print_document);
}
