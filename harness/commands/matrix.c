/* SPDX-License-Identifier: MIT */
/*
 * `iolab matrix`: what an interface really does with a kind of descriptor. The engine is asked, the
 * operation is tried and timed, and /proc/self/task shows its threads; nothing is assumed.
 *
 * Each cell is a process of its own that hands operations to the engine and then looks: had the
 * call returned before they were over? Were there threads that had not been there before? A read
 * from a socket or pipe finds nothing at first, and is answered after ANSWER_AFTER_MS by another
 * process.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/estimate_json.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "clock.h"
#include "commands/commands.h"
#include "engines.h"
#include "meters/cpu_time.h"
#include "meters/environment.h"
#include "meters/helper_threads.h"
#include "plan/child_run.h"
#include "plan/engine_series.h"
#include "random.h"
#include "run/result.h"
#include "workloads/data_file.h"
#include "workloads/probe_target.h"

#define FILE_BYTES	(UINT64_C(8) << 20)
#define BLOCK_BYTES	65536u
#define BATCH		16u /* reads of a file handed over together */
#define REPEATS		9 /* of each file's cell; the median counts */
#define STREAM_REPEATS	3 /* of a socket's or pipe's, where each waits for its answer */
#define ANSWER_AFTER_MS 20
#define CELL_LIMIT_S	20
#define COLD_PCT	5 /* at most this share of a cold file is in the page cache */
/* Handing over is all of the work when it takes at least this share of the time. */
#define BLOCKED_SHARE 0.5
/* ... unless helpers used at least this share of the CPU time of the process. */
#define HELPERS_CPU_SHARE 0.5

enum target { DIRECT_READ, COLD_READ, TMPFS_READ, SYNC, SOCKET_RECV, PIPE_READ, TARGET_COUNT };

static const struct {
	const char *name, *words;
	enum io_kind kind;
	enum io_fd_kind fd_kind;
} targets[TARGET_COUNT] = {
	[DIRECT_READ] = { "file_direct", "file, direct", IO_READ, IO_FD_FILE },
	[COLD_READ] = { "file_cold", "file, cold", IO_READ, IO_FD_FILE },
	[TMPFS_READ] = { "file_tmpfs", "file, tmpfs", IO_READ, IO_FD_FILE },
	[SYNC] = { "file_fsync", "file, fsync", IO_FSYNC, IO_FD_FILE },
	[SOCKET_RECV] = { "socket", "socket", IO_RECV, IO_FD_SOCKET },
	[PIPE_READ] = { "pipe", "pipe", IO_READ, IO_FD_PIPE },
};

struct cell {
	const struct engine_ops *ops;
	uint64_t options;
	enum target target;
	const char *folder; /* of the files */
};

/* What is tried in a cell. */
struct trial {
	const struct cell *cell;
	struct engine *engine;
	struct io_op ops[BATCH];
	unsigned count;
	char *arena;
	int fd; /* what is read from */
	struct answerer answerer; /* of a socket or pipe */
	struct random_stream random;
};

/* Raises `most` to what is there now. */
static void look_for_helpers(struct helper_threads *most)
{
	struct helper_threads now = helper_threads_now();
	most->user = now.user > most->user ? now.user : most->user;
	most->io_wq = now.io_wq > most->io_wq ? now.io_wq : most->io_wq;
	most->sqpoll = now.sqpoll > most->sqpoll ? now.sqpoll : most->sqpoll;
}

static int open_target(struct trial *t, struct reason *why)
{
	enum target target = t->cell->target;
	struct statfs fs;
	if (target == PIPE_READ || target == SOCKET_RECV) {
		int rc = answerer_start(
			&t->answerer, target == PIPE_READ ? ANSWER_BY_PIPE : ANSWER_BY_UNIX_SOCKET,
			ANSWER_AFTER_MS, why);
		t->fd = t->answerer.fd;
		return rc;
	}
	if (target == TMPFS_READ && (statfs("/dev/shm", &fs) < 0 || fs.f_type != TMPFS_MAGIC)) {
		reason_set(why, "no_tmpfs", "/dev/shm is no tmpfs here");
		return -ENODEV;
	}
	t->fd = nameless_file(target == TMPFS_READ ? "/dev/shm" : t->cell->folder, FILE_BYTES,
			      target == DIRECT_READ ? O_DIRECT : 0, why);
	if (t->fd >= 0 &&
	    target == COLD_READ) /* else one read would bring in the blocks of others */
		posix_fadvise(t->fd, 0, 0, POSIX_FADV_RANDOM);
	return t->fd < 0 ? t->fd : 0;
}

/* A file of memory has no cold state: its pages are the file. Returns 0, or -errno with `why`. */
static int drop_cache(const struct trial *t, struct reason *why)
{
	double resident_pct;
	int rc = data_file_set_cache(t->fd, FILE_BYTES, CACHE_DROPPED, &resident_pct, why);
	if (rc == 0 && resident_pct > COLD_PCT) {
		reason_set(why, "cache_not_dropped",
			   "{resident_pct} % of the file stay in memory (see --folder)",
			   reason_real("resident_pct", resident_pct));
		return -ENODEV;
	}
	return rc;
}

/* Fresh operations, and a descriptor in the state in which there is something to wait for. */
static int prepare_trial(struct trial *t, struct reason *why)
{
	enum target target = t->cell->target;
	bool stream = t->answerer.pid > 0;
	t->count = stream || target == SYNC ? 1 : BATCH;
	for (unsigned i = 0; i < t->count; i++) {
		uint64_t stripe = FILE_BYTES / BLOCK_BYTES / BATCH; /* no block twice in a batch */
		uint64_t block = i * stripe + random_below(&t->random, stripe);
		t->ops[i] = (struct io_op) {
			.kind = (uint8_t)targets[target].kind,
			.fd = t->fd,
			.buf = target == SYNC ? NULL : t->arena + i * BLOCK_BYTES,
			.offset = stream	   ? IO_NO_OFFSET
				  : target == SYNC ? 0
						   : block * BLOCK_BYTES,
			.len_bytes = stream	      ? 1
				     : target == SYNC ? 0
						      : BLOCK_BYTES,
			.slot = i,
		};
	}
	if (target == COLD_READ)
		return drop_cache(t, why);
	/* Something for an fsync to do. */
	for (unsigned i = 0; target == SYNC && i < BATCH; i++)
		if (pwrite(t->fd, t->arena, BLOCK_BYTES, (off_t)i * BLOCK_BYTES) < 0)
			return reason_errno(why, "probe_not_written", errno,
					    "writing before fsync");
	int rc = stream ? answerer_ask(&t->answerer) : 0;
	return rc < 0 ? reason_errno(why, "answerer_not_asked", rc, "asking the answering process")
		      : 0;
}

/* What one trial took. */
struct attempt {
	double handover_ns, total_ns;
	double cpu_ns, loop_cpu_ns; /* of the whole process, and of the loop's thread */
};

/*
 * Hands the batch over, and a reap() that must not wait is part of that: some engines make their
 * system call there. Then waits for all. An engine that takes only some gets only these. Returns 0,
 * or -errno with `why` when the engine is broken or an operation failed.
 */
static int try_once(struct trial *t, struct attempt *attempt, struct reason *why)
{
	const struct engine_ops *ops = t->cell->ops;
	struct io_op *offered[BATCH], *done[BATCH];
	int first_error = 0;
	for (unsigned i = 0; i < t->count; i++)
		offered[i] = &t->ops[i];

	uint64_t cpu_before_ns = process_cpu_ns();
	uint64_t loop_before_ns = thread_cpu_ns();
	uint64_t begin_ns = clock_ns();
	int accepted = ops->submit(t->engine, offered, t->count);
	if (accepted <= 0)
		return reason_errno(why, "submit_failed", accepted ? accepted : EIO, "submit");
	int finished = ops->reap(t->engine, done, 0, BATCH, 0);
	uint64_t handed_over_ns = clock_ns();
	while (finished >= 0) {
		for (int i = 0; i < finished; i++)
			if (first_error == 0)
				first_error = probe_error(done[i]);
		accepted -= finished;
		if (accepted == 0)
			break;
		finished = ops->reap(t->engine, done, 1, BATCH, NS_PER_S);
	}
	uint64_t end_ns = clock_ns();
	*attempt = (struct attempt) {
		.handover_ns = (double)(handed_over_ns - begin_ns),
		.total_ns = (double)(end_ns - begin_ns),
		.cpu_ns = (double)(process_cpu_ns() - cpu_before_ns),
		.loop_cpu_ns = (double)(thread_cpu_ns() - loop_before_ns),
	};
	if (finished < 0)
		return reason_errno(why, "reap_failed", finished, "reap");
	if (first_error)
		return reason_errno(why, "result_is_error", first_error, "the operation's result");
	return 0;
}

/* A cell in which there is nothing to measure. Takes over `reason`. */
static json_t *without_figures(const char *outcome, json_t *reason)
{
	static const char *const measured[] = { "handover_ns",	     "total_ns", "handover_share",
						"helpers_cpu_share", "helpers",	 "agreed" };
	json_t *cell = required(json_object());
	put_string(cell, "outcome", outcome);
	put_new(cell, "reason", reason);
	for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
		put_null(cell, measured[i]);
	return cell;
}

static json_t *unmeasured(const char *outcome, const struct reason *why)
{
	return without_figures(outcome, remark_of_reason(why));
}

/*
 * The rule. Blocked: handing over took at least half of the time until all was done, and it was the
 * loop's thread that worked, not helpers that were quicker than it. Else threads: others than the
 * loop's were there that could have done it. Else native: the kernel did it on its own. A polling
 * thread only submits, so it does not count.
 */
static const char *outcome_of(double share, double helpers_cpu_share,
			      const struct helper_threads *helpers)
{
	bool has_helpers = helpers->user + helpers->io_wq > 0;
	if (share >= BLOCKED_SHARE && !(has_helpers && helpers_cpu_share >= HELPERS_CPU_SHARE))
		return "blocked";
	return has_helpers ? "threads" : "native";
}

/* How many of the trials would alone come to the outcome of all of them together. */
static unsigned count_agreed(const char *outcome, const double *shares, const double *cpu_shares,
			     unsigned repeats, const struct helper_threads *helpers)
{
	unsigned agreed = 0;
	for (unsigned i = 0; i < repeats; i++)
		agreed += strcmp(outcome_of(shares[i], cpu_shares[i], helpers), outcome) == 0;
	return agreed;
}

static json_t *helpers_json(const struct helper_threads *helpers)
{
	json_t *entry = required(json_object());
	put_int(entry, "user", helpers->user);
	put_int(entry, "io_wq", helpers->io_wq);
	put_int(entry, "sqpoll", helpers->sqpoll);
	return entry;
}

static json_t *measured(struct trial *t, struct reason *why)
{
	double handover_ns[REPEATS], total_ns[REPEATS], shares[REPEATS], cpu_shares[REPEATS];
	struct helper_threads helpers = { 0 };
	bool stream = t->answerer.pid > 0;
	unsigned repeats = stream ? STREAM_REPEATS : REPEATS;
	for (unsigned i = 0; i < repeats; i++) {
		struct attempt attempt = { 0 };
		if (prepare_trial(t, why) < 0)
			return unmeasured("not tried", why);
		if (try_once(t, &attempt, why) < 0)
			return unmeasured("refused", why);
		handover_ns[i] = attempt.handover_ns;
		total_ns[i] = attempt.total_ns;
		shares[i] = attempt.handover_ns / attempt.total_ns;
		cpu_shares[i] = (attempt.cpu_ns - attempt.loop_cpu_ns) / (attempt.cpu_ns + 1);
		look_for_helpers(&helpers); /* they stay for a second or more */
	}
	json_t *cell = required(json_object());
	json_t *share = estimate_of(shares, repeats);
	json_t *cpu_share = estimate_of(cpu_shares, repeats);
	const char *outcome =
		outcome_of(number_at(share, "median"), number_at(cpu_share, "median"), &helpers);
	put_string(cell, "outcome", outcome);
	put_null(cell, "reason");
	put_new(cell, "handover_ns", estimate_of(handover_ns, repeats));
	put_new(cell, "total_ns", estimate_of(total_ns, repeats));
	put_new(cell, "handover_share", share);
	put_new(cell, "helpers_cpu_share", cpu_share);
	put_new(cell, "helpers", helpers_json(&helpers));
	put_int(cell, "agreed", count_agreed(outcome, shares, cpu_shares, repeats, &helpers));
	return cell;
}

/* A whole cell, in a process of its own. */
static json_t *try_cell(const void *argument)
{
	const struct cell *cell = argument;
	struct trial t = { .cell = cell, .random.state = 1, .fd = -1 };
	struct reason why = { "" };
	cpu_set_t allowed;
	sched_getaffinity(0, sizeof allowed, &allowed);
	struct engine_config config = {
		.depth = BATCH,
		.max_fds = 1,
		.arena_len_bytes = (size_t)BATCH * BLOCK_BYTES,
		.cpu_count = (unsigned)CPU_COUNT(&allowed),
		.options = cell->options,
	};
	if (cell->ops->supports(&config, targets[cell->target].kind, targets[cell->target].fd_kind,
				&why) < 0)
		return unmeasured("refused", &why);
	if (open_target(&t, &why) < 0)
		return unmeasured("not tried", &why);
	t.arena = mmap(NULL, config.arena_len_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (t.arena == MAP_FAILED)
		return NULL;
	config.arena = t.arena;
	helper_threads_leave_out_present();
	if (cell->ops->open(&t.engine, &config, &why) < 0)
		return unmeasured("refused", &why);
	json_t *answer;
	if (cell->ops->attach &&
	    cell->ops->attach(t.engine, 0, t.fd, targets[cell->target].fd_kind, &why) < 0)
		answer = unmeasured("refused", &why);
	else
		answer = measured(&t, &why);
	/* An engine that may still hold something is not closed: the process ends anyway. */
	answerer_stop(&t.answerer);
	return answer;
}

struct matrix_options {
	struct engine_series series;
	const char *folder;
};

/* One engine and its cells, which are NULL until they were tried. */
struct matrix_row {
	const struct engine_ops *ops;
	uint64_t options;
	json_t *cells[TARGET_COUNT];
};

static void list_matrix_rows(struct matrix_row *rows, const struct matrix_options *options)
{
	for (unsigned i = 0; i < options->series.engines.count; i++)
		engine_spec_parse(options->series.engines.specs[i], &rows[i].ops, &rows[i].options,
				  NULL);
}

static void fill_cell(struct matrix_row *row, enum target target, const char *folder)
{
	struct reason why;
	struct cell cell = { row->ops, row->options, target, folder };
	json_t *answer = child_work(try_cell, &cell, CELL_LIMIT_S, &why);
	row->cells[target] = answer ? answer : unmeasured("error", &why);
}

static json_t *matrix_row_json(const struct matrix_row *row)
{
	json_t *entry = required(json_object()), *cells = required(json_object());
	for (int target = 0; target < TARGET_COUNT; target++)
		put_new(cells, targets[target].name,
			row->cells[target]
				? json_incref(row->cells[target])
				: without_figures("not tried", engine_series_not_reached()));
	put_new(entry, "engine", result_engine(row->ops, row->options));
	put_new(entry, "cells", cells);
	return entry;
}

static json_t *columns_json(void)
{
	json_t *columns = required(json_array());
	for (int target = 0; target < TARGET_COUNT; target++) {
		json_t *column = required(json_object());
		put_string(column, "name", targets[target].name);
		put_string(column, "words", targets[target].words);
		json_array_append_new(columns, column);
	}
	return columns;
}

static json_t *document_json(const struct matrix_options *options, const struct matrix_row *rows)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/iolab-matrix", options->folder);
	json_t *document = engine_series_document(&options->series, environment_json(path));
	json_t *list = required(json_array());
	for (unsigned i = 0; i < options->series.engines.count; i++)
		json_array_append_new(list, matrix_row_json(&rows[i]));
	put_real(document, "blocked_share", BLOCKED_SHARE);
	put_real(document, "helpers_cpu_share", HELPERS_CPU_SHARE);
	put_int(document, "batch", BATCH);
	put_int(document, "block_bytes", BLOCK_BYTES);
	put_int(document, "answer_after_ms", ANSWER_AFTER_MS);
	put_new(document, "columns", columns_json());
	put_new(document, "rows", list);
	return document;
}

/* One cell that was measured is enough; an engine may refuse most of them. */
static int matrix_status(const struct matrix_row *rows, unsigned count)
{
	bool refused = count > 0;
	for (unsigned i = 0; i < count; i++) {
		for (int target = 0; target < TARGET_COUNT; target++) {
			if (json_is_object(json_object_get(rows[i].cells[target], "handover_ns")))
				return EXIT_OK;
			const char *outcome = string_at(rows[i].cells[target], "outcome");
			refused = refused && strcmp(outcome, "refused") == 0;
		}
	}
	return refused ? EXIT_UNSUPPORTED : EXIT_ERROR;
}

/* What a cell says: "native 12 %", "threads 98 % 7/9". */
static void describe_cell(const json_t *cell, char *words, size_t size_bytes)
{
	size_t used = (size_t)snprintf(words, size_bytes, "%s", string_at(cell, "outcome"));
	if (json_is_object(json_object_get(cell, "handover_share")))
		used += (size_t)snprintf(words + used, size_bytes - used, " %.0f %%",
					 100 * number_at(cell, "handover_share.median"));
	int agreed = (int)number_at(cell, "agreed");
	int trials = (int)number_at(cell, "handover_share.count");
	if (agreed < trials)
		snprintf(words + used, size_bytes - used, " %d/%d", agreed, trials);
}

static void print_document(const json_t *document)
{
	size_t i;
	const json_t *row;
	printf("%-20s", "");
	for (int target = 0; target < TARGET_COUNT; target++)
		printf(" %-17s", targets[target].name);
	printf("\n");
	json_array_foreach (json_object_get(document, "rows"), i, row) {
		printf("%-20s", string_at(row, "engine.label"));
		for (int target = 0; target < TARGET_COUNT; target++) {
			char words[64];
			describe_cell(json_object_get(json_object_get(row, "cells"),
						      targets[target].name),
				      words, sizeof words);
			printf(" %-17s", words);
		}
		printf("\n");
	}
	printf("\nnative: the kernel did it on its own. threads: threads beside the loop's did it.\n"
	       "blocked: the call that hands over returned when it was over. refused: not "
	       "possible.\n"
	       "The percentage is the share of the time that handing over took: the median of %d "
	       "trials,\nof %d for sockets and pipes. From %.0f %% on it is blocked, unless helper "
	       "threads used\n%.0f %% of the CPU time or more. 7/9: that many trials alone came to "
	       "the same outcome;\nwithout such a number all did. Reasons and numbers: iolab matrix "
	       "--json\n",
	       REPEATS, STREAM_REPEATS, 100 * BLOCKED_SHARE, 100 * HELPERS_CPU_SHARE);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct matrix_options *o = state->input;
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = &o->series;
	else if (key == 'f')
		o->folder = arg;
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

int command_matrix(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "folder", 'f', "FOLDER", 0,
		  "folder for temporary files (default: $TMPDIR or /var/tmp)", 0 },
		{ 0 },
	};
	static const struct argp_child children[] = { { &engine_series_once_argp, 0, NULL, 0 },
						      { 0 } };
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = children,
		.doc = "Tries what each interface really does with each kind of descriptor: "
		       "asynchronous in the kernel, done by threads, blocked in the call, or "
		       "refused.",
	};
	struct matrix_options options = {
		.series = {
			.engines = { .command = "iolab matrix",
				     .usual = { .variants = VARIANTS_OTHER_WORKER } },
			.order = { .rounds = 1, .seed = default_rounds().seed },
			.schema = "iolab.matrix.v2",
			.file_name = "matrix.json",
		},
		.folder = scratch_folder(),
	};
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	static struct matrix_row rows[ENGINES_MAX];
	struct engine_series *series = &options.series;
	unsigned count = series->engines.count;
	struct turn turn;
	list_matrix_rows(rows, &options);
	engine_series_begin(series, argc, argv);
	while (engine_series_next(series, count * TARGET_COUNT, &turn))
		fill_cell(&rows[turn.piece / TARGET_COUNT], turn.piece % TARGET_COUNT,
			  options.folder);
	json_t *document = document_json(&options, rows);
	int status = matrix_status(rows, count);
	for (unsigned i = 0; i < count; i++)
		for (int target = 0; target < TARGET_COUNT; target++)
			json_decref(rows[i].cells[target]);
	return engine_series_end(series, document, status, print_document);
}
