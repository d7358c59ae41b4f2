/* SPDX-License-Identifier: MIT */
/*
 * `iolab compare`: every engine on every workload, in rounds. Each round runs every configuration
 * once, in an order shuffled anew from a recorded seed, each run in a fresh process. What disturbs
 * the machine for a while then disturbs all engines alike, and ratios within a round survive it.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_path.h"
#include "clock.h"
#include "commands/commands.h"
#include "meters/idle_host.h"
#include "plan/child_run.h"
#include "plan/plan.h"
#include "random.h"
#include "summary/summary.h"

/* System calls per operation hardly vary, so the run that counts them is short. */
#define COUNTING_RUNTIME_S "0.05"

/* --until-ci: never fewer rounds to judge from, nor more; and the time without --time-limit. */
#define UNTIL_CI_ROUNDS_MIN 5
#define ROUNDS_MAX	    1000
#define UNTIL_CI_LIMIT_S    600

struct options {
	struct plan_choice choice;
	const char *out;
	unsigned rounds; /* with until_ci_pct: at least */
	double until_ci_pct; /* 0: as many rounds as `rounds` says */
	double time_limit_s; /* no round begins that would probably end later; 0: none */
	uint64_t seed;
	bool count_syscalls;
	double idle_s; /* 0: how busy the idle host is is not measured */
};

struct comparison_run {
	const struct options *options;
	struct plan plan;
	struct random_stream random;
	char folder[PATH_MAX - 64];
	int runs_fd; /* runs.jsonl */
	bool show_progress;
	unsigned finished, planned; /* those left out as unsupported are finished, too */
	unsigned kept; /* lines in runs.jsonl */
	unsigned rounds_done, rounds_expected;
	double widest_pct; /* of the ratios' intervals after the last round; 0: not known yet */
	const char *ended_by;
	json_t *idle_baseline;
	uint64_t begun_ns;
};

static int make_folder(struct comparison_run *run, struct reason *why)
{
	char stamp[32], path[PATH_MAX];
	time_t now = time(NULL);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H%M%SZ", gmtime(&now));
	if (run->options->out) {
		snprintf(run->folder, sizeof run->folder, "%s", run->options->out);
	} else {
		if (mkdir("results", 0777) < 0 && errno != EEXIST)
			return reason_errno(why, errno,
					    "making the folder results; --out names another");
		snprintf(run->folder, sizeof run->folder, "results/%s", stamp);
	}
	if (mkdir(run->folder, 0777) < 0 && errno != EEXIST)
		return reason_errno(why, errno, "making the folder %s (see --out)", run->folder);
	snprintf(path, sizeof path, "%s/runs.jsonl", run->folder);
	/* O_EXCL: an older comparison is never written to. */
	run->runs_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (run->runs_fd < 0 && errno == EEXIST)
		return reason_errno(why, errno, "%s: choose another --out, or delete it", path);
	if (run->runs_fd < 0)
		return reason_errno(why, errno, "%s (see --out)", path);
	if (!run->options->out) {
		unlink("results/.latest");
		if (symlink(stamp, "results/.latest") == 0)
			rename("results/.latest", "results/latest");
	}
	return 0;
}

static double elapsed_s(const struct comparison_run *run)
{
	return (double)(clock_ns() - run->begun_ns) / NS_PER_S;
}

static void show_progress(const struct comparison_run *run, const char *label)
{
	if (!run->show_progress)
		return;
	double share = (double)run->finished / run->planned;
	int left_s = run->finished ? (int)(elapsed_s(run) / share * (1 - share) + 0.5) : 0;
	char bar[31];
	for (int i = 0; i < 30; i++)
		bar[i] = i < share * 30 ? '#' : '.';
	bar[30] = '\0';
	fprintf(stderr, "\r\033[K[%s] %u/%u", bar, run->finished, run->planned);
	if (run->finished)
		fprintf(stderr, ", %s%d:%02d left", run->options->until_ci_pct > 0 ? "about " : "",
			left_s / 60, left_s % 60);
	if (run->widest_pct > 0)
		fprintf(stderr, ", %u rounds, widest +-%.2g %% of +-%g %%", run->rounds_done,
			run->widest_pct, run->options->until_ci_pct);
	fprintf(stderr, "  %s", label);
}

static void clear_progress(const struct comparison_run *run)
{
	if (run->show_progress)
		fputs("\r\033[K", stderr);
}

/* Where in the comparison a run stands. */
struct place {
	unsigned round, position; /* in time */
	unsigned plan; /* in the table */
	bool counting; /* system calls, instead of being measured */
};

/*
 * Runs one configuration and returns its line, to be freed. What goes wrong with a run is a line,
 * too; NULL when we were interrupted, since that run was cut short.
 */
static char *run_once(struct configuration *c, const struct place *place)
{
	char round[16], position[16], plan[16];
	struct run_words run = c->run;
	struct reason why;
	snprintf(round, sizeof round, "%u", place->round);
	snprintf(position, sizeof position, "%u", place->position);
	snprintf(plan, sizeof plan, "%u", place->plan);
	run_words_add(&run, "--round");
	run_words_add(&run, round);
	run_words_add(&run, "--position");
	run_words_add(&run, position);
	run_words_add(&run, "--plan");
	run_words_add(&run, plan);
	if (place->counting)
		run_words_add(&run, "--count-syscalls");
	if (place->counting && c->config.op_limit == 0) {
		run_words_add(&run, "--runtime");
		run_words_add(&run, COUNTING_RUNTIME_S);
	}
	json_t *result = child_run(&run, c->limit_s, &why);
	if (!result)
		result = run_words_failure(&run, &why);
	if (status_is(result, "unsupported"))
		c->unsupported = true;
	char *line = interrupt_requested()
			     ? NULL
			     : json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(result);
	return line;
}

/* One write for one line, so that a killed comparison leaves whole lines. */
static int append_line(struct comparison_run *run, char *line, struct reason *why)
{
	size_t length = strlen(line);
	off_t before = lseek(run->runs_fd, 0, SEEK_END);
	line[length++] = '\n'; /* in place of the terminator */
	ssize_t n = write(run->runs_fd, line, length);
	if (n == (ssize_t)length)
		return 0;
	int error = n < 0 ? errno : ENOSPC;
	if (n > 0 && ftruncate(run->runs_fd, before) < 0)
		error = errno;
	return reason_errno(why, error, "writing %s/runs.jsonl; the runs before are safe",
			    run->folder);
}

/*
 * The plan in random order, to be freed: workload and swept value by chance, and for each of these
 * the engines by chance, one right after the other. So an engine and its baseline are neighbours in
 * time, and what disturbs the machine for a few seconds disturbs both.
 */
static unsigned *shuffled_plan(struct comparison_run *run)
{
	unsigned engines = run->plan.engine_count, places = run->plan.count / engines;
	unsigned *order = malloc(run->plan.count * sizeof *order);
	unsigned *places_order = malloc(places * sizeof *places_order);
	random_order(&run->random, places_order, places);
	for (unsigned i = 0; i < places; i++) {
		unsigned *group = order + i * engines;
		random_order(&run->random, group, engines);
		for (unsigned e = 0; e < engines; e++)
			group[e] += places_order[i] * engines;
	}
	free(places_order);
	return order;
}

/* Runs every configuration once. Returns 0, -EINTR, or -errno with `why`. */
static int run_round(struct comparison_run *run, unsigned round, bool counting, struct reason *why)
{
	unsigned *order = shuffled_plan(run);
	int rc = 0;
	for (unsigned i = 0; i < run->plan.count && rc == 0; i++) {
		struct configuration *c = &run->plan.configurations[order[i]];
		if (!c->unsupported) {
			show_progress(run, c->label);
			struct place place = { round, i, order[i], counting };
			char *line = run_once(c, &place);
			rc = line ? append_line(run, line, why) : -EINTR;
			run->kept += rc == 0;
			free(line);
		}
		run->finished++;
	}
	if (rc == 0 && fsync(run->runs_fd) < 0 && errno != EINVAL)
		rc = reason_errno(why, errno, "writing %s/runs.jsonl", run->folder);
	free(order);
	return rc;
}

/* How many more rounds fit into the time limit, as long as those before; at least 1 before the
 * first. */
static unsigned rounds_in_time(const struct comparison_run *run)
{
	if (run->options->time_limit_s <= 0)
		return ROUNDS_MAX;
	if (run->rounds_done == 0)
		return 1;
	double left_s = run->options->time_limit_s - elapsed_s(run);
	double rounds = left_s / (elapsed_s(run) / run->rounds_done);
	return rounds < 1 ? 0 : rounds < ROUNDS_MAX ? (unsigned)rounds : ROUNDS_MAX;
}

/* Rounds that only count system calls: not more than there are to be measured. */
static unsigned counting_rounds(const struct comparison_run *run)
{
	if (!run->options->count_syscalls)
		return 0;
	return run->rounds_expected < COUNTING_ROUNDS ? run->rounds_expected : COUNTING_ROUNDS;
}

/* The shares of the progress bar follow the number of rounds that is expected now. */
static void expect_rounds(struct comparison_run *run, unsigned rounds)
{
	unsigned in_time = rounds_in_time(run);
	if (run->rounds_done > 0 && rounds > run->rounds_done + in_time)
		rounds = run->rounds_done + in_time;
	run->rounds_expected = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
	run->planned = run->plan.count * (run->rounds_expected + counting_rounds(run));
}

/* Are the intervals as narrow as was asked? The judgement is the summary's own. */
static bool precise_enough(struct comparison_run *run)
{
	const struct options *o = run->options;
	struct reason why = { "" };
	json_t *command = json_array();
	struct comparison comparison = { .command = command,
					 .baseline = run->plan.baseline,
					 .ended_by = "" };
	json_t *summary = summary_compute(run->folder, &comparison, &why);
	struct precision p = summary_precision(summary, o->until_ci_pct);
	json_decref(summary);
	json_decref(command);
	run->widest_pct = p.widest_pct;
	unsigned needed = p.unreached ? p.rounds_needed : run->rounds_done;
	if (p.unreached && needed <= run->rounds_done)
		needed = run->rounds_done + 1;
	expect_rounds(run, needed > o->rounds ? needed : o->rounds);
	return p.unreached == 0;
}

/* Whether another round is due; otherwise `ended_by` says why not. */
static bool another_round(struct comparison_run *run)
{
	const struct options *o = run->options;
	bool until_ci = o->until_ci_pct > 0;
	unsigned most = until_ci ? ROUNDS_MAX : o->rounds;
	run->ended_by = "rounds";
	if (run->rounds_done >= most)
		return false;
	if (!until_ci)
		expect_rounds(run, o->rounds);
	if (until_ci && run->rounds_done >= 1) {
		bool enough = precise_enough(run);
		run->ended_by = "precision";
		if (enough && run->rounds_done >= o->rounds)
			return false;
	}
	run->ended_by = "time";
	return rounds_in_time(run) > 0;
}

static int run_all(struct comparison_run *run, struct reason *why)
{
	int rc = 0;
	for (; rc == 0 && another_round(run); run->rounds_done++)
		rc = run_round(run, run->rounds_done, false, why);
	/* Apart from the measured rounds: the tracepoint slows every system call down. */
	unsigned counting = counting_rounds(run);
	for (unsigned i = 0; rc == 0 && i < counting; i++)
		rc = run_round(run, run->rounds_done + i, true, why);
	clear_progress(run);
	if (rc != 0)
		run->ended_by = rc == -EINTR ? "signal" : "error";
	return rc;
}

/* What the statuses of all configurations come to: one that is ok is enough. */
static int status_of(const json_t *summary)
{
	bool unsupported = true;
	size_t i;
	json_t *c;
	json_array_foreach (json_object_get(summary, "configurations"), i, c) {
		if (status_is(c, "ok"))
			return EXIT_OK;
		unsupported = unsupported && status_is(c, "unsupported");
	}
	fflush(stdout); /* the table first */
	fputs("iolab: no run ended ok; the reasons are in the table\n", stderr);
	return unsupported ? EXIT_UNSUPPORTED : EXIT_ERROR;
}

/* The summary of whatever was done, even when the comparison was cut short. */
static int conclude(struct comparison_run *run, int argc, char **argv, int rc, struct reason *why)
{
	json_t *command = json_pack("[s, s]", program_invocation_name, "compare");
	for (int i = 1; i < argc; i++)
		json_array_append_new(command, json_string(argv[i]));
	struct comparison comparison = {
		.command = command,
		/* Rounds that the time or the precision made superfluous were never promised. */
		.rounds_planned = rc == 0 ? run->rounds_done : run->rounds_expected,
		.seed = run->options->seed,
		.interrupted = rc == -EINTR,
		.baseline = run->plan.baseline,
		.wanted_ci_pct = run->options->until_ci_pct,
		.time_limit_s = run->options->time_limit_s,
		.ended_by = run->ended_by,
		.idle_baseline = run->idle_baseline,
	};
	struct reason summary_why = { "" };
	if (rc == -EINTR && run->kept == 0) {
		printf("Interrupted before the first run was done: there is nothing in %s.\n",
		       run->folder);
		json_decref(command);
		return EXIT_INTERRUPTED;
	}
	json_t *summary = summary_compute(run->folder, &comparison, &summary_why);
	int written = summary ? summary_write(run->folder, summary, &summary_why) : -EIO;
	if (summary)
		summary_print(stdout, summary);
	if (rc == -EINTR)
		printf("\nInterrupted: what was done is kept, %u runs (planned: %u).\n", run->kept,
		       run->planned);
	else if (rc < 0)
		fprintf(stderr, "iolab: %s\n", why->text);
	if (written < 0)
		fprintf(stderr, "iolab: no summary: %s\n", summary_why.text);
	else
		printf("\nResults: %s   Figures and report: make report RESULTS=%s\n", run->folder,
		       run->folder);
	int status = rc == -EINTR	     ? EXIT_INTERRUPTED
		     : rc < 0 || written < 0 ? EXIT_ERROR
					     : status_of(summary);
	json_decref(summary);
	json_decref(command);
	return status;
}

enum option_key {
	OPT_ROUNDS = 0x100,
	OPT_SEED,
	OPT_RUNTIME,
	OPT_WARMUP,
	OPT_OUT,
	OPT_BASELINE,
	OPT_DEPTHS,
	OPT_CONNS,
	OPT_RATES,
	OPT_UNTIL_CI,
	OPT_TIME_LIMIT,
	OPT_IDLE,
	OPT_NO_COUNT
};

static const struct argp_option argp_options[] = {
	{ "engines", 'e', "LIST", 0,
	  "engines and variants, separated by commas (default: those of the labs)", 0 },
	{ "workloads", 'w', "LIST", 0,
	  "file, echo, idle, nop (default: a plan over the first three)", 0 },
	{ "depths", OPT_DEPTHS, "LIST", 0,
	  "operations in flight, for file and nop (default: 1,16,64)", 0 },
	{ "conns", OPT_CONNS, "LIST", 0,
	  "connections, for echo and idle (default: 1,50,500; idle 1000)", 0 },
	{ "rates", OPT_RATES, "LIST", 0,
	  "open loop: operations offered a second, in place of depths and connections", 0 },
	{ "rounds", OPT_ROUNDS, "N", 0, "how often everything is run (default: 5)", 0 },
	{ "until-ci", OPT_UNTIL_CI, "PERCENT", 0,
	  "run rounds (--rounds at least) until every ratio is known to +-PERCENT", 0 },
	{ "time-limit", OPT_TIME_LIMIT, "S", 0,
	  "begin no round that would end later (default: none; with --until-ci 600)", 0 },
	{ "runtime", OPT_RUNTIME, "S", 0, "seconds measured in one run (default: 0.2)", 0 },
	{ "warmup", OPT_WARMUP, "S", 0, "seconds before that (default: 0.05)", 0 },
	{ "idle", OPT_IDLE, "S", 0,
	  "seconds of doing nothing first, to see how busy the host is anyhow (default: 1)", 0 },
	{ "seed", OPT_SEED, "N", 0, "of the order of runs (default: from the clock; recorded)", 0 },
	{ "out", OPT_OUT, "FOLDER", 0, "results folder (default: results/<UTC time>)", 0 },
	{ "baseline", OPT_BASELINE, "ENGINE", 0, "what ratios are taken to (default: blocking)",
	  0 },
	{ "no-count-syscalls", OPT_NO_COUNT, NULL, 0,
	  "leave out the last rounds (three at most), which count system calls", 0 },
	{ 0 },
};

/* A number above 0 that `unit` may follow. Ends the program otherwise. */
static double parse_positive(struct argp_state *state, const char *option, const char *text,
			     char unit)
{
	char *end;
	double value = strtod(text, &end);
	bool has_unit = *end == unit && end[1] == '\0';
	if (end == text || (*end && !has_unit) || !(value > 0 && value < 1e6))
		argp_error(state, "--%s %s: must be a number above 0 (%c may follow)", option, text,
			   unit);
	return value;
}

/* A list or number is checked here as far as run_options_parse() will not see it. */
static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	unsigned long long number;
	char *end;
	switch (key) {
	case 'e':
		o->choice.engines = arg;
		break;
	case 'w':
		o->choice.workloads = arg;
		break;
	case OPT_DEPTHS:
		o->choice.depths = arg;
		break;
	case OPT_CONNS:
		o->choice.conns = arg;
		break;
	case OPT_RATES:
		o->choice.rates = arg;
		break;
	case OPT_ROUNDS:
		number = strtoull(arg, &end, 10);
		if (*end || number < 1 || number > ROUNDS_MAX)
			argp_error(state, "--rounds %s: must lie between 1 and %d", arg,
				   ROUNDS_MAX);
		o->rounds = (unsigned)number;
		break;
	case OPT_UNTIL_CI:
		o->until_ci_pct = parse_positive(state, "until-ci", arg, '%');
		break;
	case OPT_TIME_LIMIT:
		o->time_limit_s = parse_positive(state, "time-limit", arg, 's');
		break;
	case ARGP_KEY_END:
		if (o->choice.rates && !o->choice.workloads)
			argp_error(state, "--rates: name the --workloads that are to be offered so "
					  "much");
		if (o->until_ci_pct <= 0)
			break;
		if (o->rounds < UNTIL_CI_ROUNDS_MIN)
			argp_error(state, "--until-ci needs at least --rounds %d to judge from",
				   UNTIL_CI_ROUNDS_MIN);
		if (o->time_limit_s <= 0)
			o->time_limit_s = UNTIL_CI_LIMIT_S;
		break;
	case OPT_RUNTIME:
		o->choice.runtime = arg;
		break;
	case OPT_WARMUP:
		o->choice.warmup = arg;
		break;
	case OPT_IDLE:
		o->idle_s = strtod(arg, &end);
		if (end == arg || *end || !(o->idle_s >= 0 && o->idle_s <= 60))
			argp_error(state, "--idle %s: must lie between 0 and 60", arg);
		break;
	case OPT_SEED:
		o->seed = strtoull(arg, &end, 10);
		if (*end || !*arg || *arg == '-' || o->seed > INT64_MAX)
			argp_error(state, "--seed %s: must be a whole number below 2^63", arg);
		break;
	case OPT_OUT:
		o->out = arg;
		break;
	case OPT_BASELINE:
		o->choice.baseline = arg;
		break;
	case OPT_NO_COUNT:
		o->count_syscalls = false;
		break;
	case ARGP_KEY_ARGS:
		o->choice.run_words = state->argv + state->next;
		o->choice.run_word_count = (unsigned)(state->argc - state->next);
		if (strncmp(o->choice.run_words[0], "--", 2) != 0)
			argp_error(state,
				   "'%s' is not an option; options for the runs come after --",
				   o->choice.run_words[0]);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int command_compare(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "[-- RUN-OPTION...]",
		.doc = "Compares engines on identical workloads: rounds in random order, a fresh "
		       "process a "
		       "run, a table with ratios, and a results folder."
		       "\vOptions after -- go to every `iolab run`, for example: iolab compare -w "
		       "file -- "
		       "--rw randwrite --bs 8k",
	};
	struct options options = {
		.choice = { .engines = standard_engines(), },
		.rounds = 5,
		.seed = clock_ns() % 1000000,
		.count_syscalls = true,
		.idle_s = 1,
	};
	struct reason why = { "" };
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	struct comparison_run run = {
		.options = &options,
		.random.state = options.seed,
		.runs_fd = -1,
		.show_progress = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO),
	};
	plan_make(&run.plan, &options.choice);
	if (options.until_ci_pct > 0 && !run.plan.has_baseline) {
		fprintf(stderr,
			"iolab compare: --until-ci: no ratio can be known without the baseline %s "
			"among the engines; name another with --baseline\n",
			run.plan.baseline);
		plan_free(&run.plan);
		return EXIT_USAGE;
	}
	expect_rounds(&run, options.rounds);
	interrupt_install(NULL);

	int status = EXIT_ERROR;
	if (make_folder(&run, &why) < 0) {
		fprintf(stderr, "iolab: %s\n", why.text);
	} else {
		run.idle_baseline = idle_host_json(options.idle_s);
		run.begun_ns = clock_ns();
		int rc = interrupt_requested() ? -EINTR : run_all(&run, &why);
		status = conclude(&run, argc, argv, rc, &why);
	}
	if (run.runs_fd >= 0)
		close(run.runs_fd);
	json_decref(run.idle_baseline);
	plan_free(&run.plan);
	return status;
}
