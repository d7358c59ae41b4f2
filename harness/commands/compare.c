/* SPDX-License-Identifier: MIT */
/* `iolab compare`: every engine on every workload, in rounds; a table and a results folder. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_folder.h"
#include "base/number_option.h"
#include "base/results_folder.h"
#include "commands/commands.h"
#include "engines.h"
#include "meters/idle_host.h"
#include "plan/comparison_rounds.h"
#include "plan/engine_choice.h"
#include "plan/plan.h"
#include "summary/summary.h"

/* --until-ci: never fewer rounds to judge from; and the time without --time-limit. */
#define UNTIL_CI_ROUNDS_MIN 5
#define UNTIL_CI_LIMIT_S    600

struct compare_options {
	struct engine_choice engines;
	struct round_choice order; /* with until_ci_pct: rounds at least */
	struct plan_choice choice;
	double until_ci_pct; /* 0: as many rounds as were asked for */
	double time_limit_s; /* 0: none */
	bool count_syscalls;
	double idle_s; /* 0: how busy the idle host is, is not measured */
};

/* One configuration that is ok is enough. */
static int comparison_status(const json_t *summary)
{
	int status = exit_status_of(json_object_get(summary, "configurations"));
	if (status == EXIT_OK)
		return status;
	fflush(stdout); /* the table first */
	fputs("iolab: no run ended ok; the reasons are in the table\n", stderr);
	return status;
}

/* What the comparison knows of itself, for its summary. `command` is borrowed. */
static struct comparison comparison_of(const struct compare_options *o,
				       const struct comparison_rounds *rounds, enum ending ending,
				       json_t *command, json_t *idle_baseline)
{
	bool cut_short = ending == ENDED_BY_INTERRUPT || ending == ENDED_BY_FAILURE;
	return (struct comparison) {
		.command = command,
		/* Rounds that time or precision made superfluous were never promised. */
		.rounds_planned = cut_short ? rounds_expected(&rounds->progress)
					    : rounds->progress.rounds_done,
		.drawn = true,
		.seed = o->order.seed,
		.interrupted = ending == ENDED_BY_INTERRUPT,
		.baseline = rounds->plan->baseline,
		.wanted_ci_pct = o->until_ci_pct,
		.time_limit_s = o->time_limit_s,
		.ended_by = ending_id(ending),
		.idle_baseline = idle_baseline,
	};
}

/*
 * Writes and prints the summary of whatever was done, even when the comparison was cut short.
 * `why` says what failed. Returns an exit status.
 */
static int conclude_comparison(const struct comparison_rounds *rounds,
			       const struct comparison *comparison, enum ending ending,
			       const struct reason *why)
{
	const char *folder = rounds->folder->path;
	struct reason summary_why = { "" };
	if (ending == ENDED_BY_INTERRUPT && rounds->kept == 0) {
		puts("Interrupted before the first run was done: no results folder is left.");
		return EXIT_INTERRUPTED;
	}
	json_t *summary = summary_compute(folder, comparison, &summary_why);
	int written = summary ? summary_write(folder, summary, &summary_why) : -EIO;
	if (summary)
		summary_print(stdout, summary);
	if (ending == ENDED_BY_INTERRUPT)
		printf("\nInterrupted: what was done is kept, %u runs (planned: %u).\n",
		       rounds->kept, rounds->planned);
	if (ending == ENDED_BY_FAILURE)
		fprintf(stderr, "iolab: %s\n", why->text);
	if (written < 0)
		fprintf(stderr, "iolab: no summary: %s\n", summary_why.text);
	else
		printf("\nResults: %s   Figures and report: make report RESULTS=%s\n", folder,
		       folder);
	int status = ending == ENDED_BY_INTERRUPT		 ? EXIT_INTERRUPTED
		     : ending == ENDED_BY_FAILURE || written < 0 ? EXIT_ERROR
								 : comparison_status(summary);
	json_decref(summary);
	return status;
}

enum {
	OPT_RUNTIME = 0x100,
	OPT_WARMUP,
	OPT_BASELINE,
	OPT_RATES,
	OPT_UNTIL_CI,
	OPT_TIME_LIMIT,
	OPT_IDLE,
	OPT_NO_COUNT
};

static const struct argp_option argp_options[] = {
	{ "workloads", 'w', "LIST", 0,
	  "workloads, separated by commas (default: the plan of `make bench`)", 0 },
	{ "rates", OPT_RATES, "LIST", 0,
	  "open loop: operations offered a second, swept in place of --depths and the like", 0 },
	{ "until-ci", OPT_UNTIL_CI, "PERCENT", 0,
	  "run rounds, at least --rounds, until every ratio is known to +-PERCENT", 0 },
	{ "time-limit", OPT_TIME_LIMIT, "S", 0,
	  "begin no round that would end later (default: none; with --until-ci 600)", 0 },
	{ "runtime", OPT_RUNTIME, "S", 0, "seconds to measure in each run (default: 0.2)", 0 },
	{ "warmup", OPT_WARMUP, "S", 0, "seconds of warm-up in each run (default: 0.05)", 0 },
	{ "idle", OPT_IDLE, "S", 0,
	  "seconds to sample the idle host before the first round (default: 1)", 0 },
	{ "baseline", OPT_BASELINE, "ENGINE", 0, "engine that ratios are taken to", 0 },
	{ "no-count-syscalls", OPT_NO_COUNT, NULL, 0,
	  "leave out the last rounds (at most two), which count system calls", 0 },
	{ 0 },
};

/* argp(3) frees what it gets in place of `text`. */
static char *name_default_baseline(int key, const char *text, void *input)
{
	char *named;
	(void)input;
	if (key != OPT_BASELINE ||
	    asprintf(&named, "%s (default: %s)", text, engine_baseline_name()) < 0)
		return (char *)text;
	return named;
}

/* A number above 0 that `unit` may follow. Ends the program otherwise. */
static double parse_positive(const struct argp_state *state, const char *option, const char *text,
			     char unit)
{
	char number[32];
	size_t length = strlen(text);
	struct reason why;
	double value = 0;
	if (length > 0 && text[length - 1] == unit)
		length--;
	snprintf(number, sizeof number, "%.*s", (int)length, text);
	if (number_real(option, number, 1e-9, 1e6, &value, &why) < 0)
		argp_error(state, "--%s %s: must be a number above 0 (%c may follow)", option, text,
			   unit);
	return value;
}

/* What one option alone does not show. */
static void check_options(struct compare_options *o, const struct argp_state *state)
{
	if (o->choice.rates && !o->choice.workloads)
		argp_error(state,
			   "--rates needs --workloads: name those that are offered these rates");
	if (o->until_ci_pct <= 0)
		return;
	if (o->order.rounds < UNTIL_CI_ROUNDS_MIN)
		argp_error(state, "--until-ci needs at least --rounds %d to judge from",
			   UNTIL_CI_ROUNDS_MIN);
	if (o->time_limit_s <= 0)
		o->time_limit_s = UNTIL_CI_LIMIT_S;
}

/* A list or number is checked here as far as run_options_parse() will not see it. */
static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct compare_options *o = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->engines;
		state->child_inputs[1] = &o->order;
		state->child_inputs[2] = &o->choice;
		break;
	case 'w':
		o->choice.workloads = arg;
		break;
	case OPT_RATES:
		o->choice.rates = arg;
		break;
	case OPT_UNTIL_CI:
		o->until_ci_pct = parse_positive(state, "until-ci", arg, '%');
		break;
	case OPT_TIME_LIMIT:
		o->time_limit_s = parse_positive(state, "time-limit", arg, 's');
		break;
	case OPT_RUNTIME:
		o->choice.runtime = arg;
		break;
	case OPT_WARMUP:
		o->choice.warmup = arg;
		break;
	case OPT_IDLE:
		o->idle_s = number_option(state, "idle", arg, 0, 60);
		break;
	case OPT_BASELINE:
		o->choice.baseline = arg;
		break;
	case OPT_NO_COUNT:
		o->count_syscalls = false;
		break;
	case ARGP_KEY_END:
		check_options(o, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Is it a terminal that obeys escape sequences? TERM=dumb says that it is none of these. */
static bool obeys_escapes(int fd)
{
	const char *term = getenv("TERM");
	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

/* The comparison from its first run to its summary. Returns an exit status. */
static int run_comparison(const struct compare_options *o, struct plan *plan, json_t *command)
{
	struct reason why = { "" };
	struct results_folder folder;
	int status = EXIT_ERROR;
	if (results_folder_create(&folder, o->engines.out, &why) < 0) {
		fprintf(stderr, "iolab: %s\n", why.text);
		goto out;
	}
	struct comparison_rounds rounds = {
		.plan = plan,
		.folder = &folder,
		.random.state = o->order.seed,
		.wanted_ci_pct = o->until_ci_pct,
		.count_syscalls = o->count_syscalls,
		.show_progress = isatty(STDOUT_FILENO) && obeys_escapes(STDERR_FILENO),
		.progress = { .rounds_asked = o->order.rounds,
			      .until_precise = o->until_ci_pct > 0,
			      .limit_s = o->time_limit_s },
	};
	json_t *idle_baseline = idle_host_json(o->idle_s);
	enum ending ending = comparison_rounds_run(&rounds, &why);
	struct comparison comparison = comparison_of(o, &rounds, ending, command, idle_baseline);
	status = conclude_comparison(&rounds, &comparison, ending, &why);
	comparison_rounds_free(&rounds);
	json_decref(idle_baseline);
out:
	results_folder_close(&folder);
	return status;
}

/* Parses argv, with one option for each axis that a workload sweeps. */
static void parse_options(struct compare_options *options, int argc, char **argv)
{
	struct argp *swept = swept_options();
	const struct argp_child children[] = {
		{ &engine_choice_argp, 0, NULL, 0 },
		{ &round_choice_argp, 0, NULL, 0 },
		{ swept, 0, NULL, 0 },
		{ 0 },
	};
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.help_filter = name_default_baseline,
		.children = children,
		.args_doc = "[-- RUN-OPTION...]",
		.doc = "Compares engines on identical workloads: rounds in random order, and a "
		       "fresh process for each run. Prints a table with ratios and keeps a results "
		       "folder (--out; default: results/<UTC time>)."
		       "\vOptions after -- go to every `iolab run`, for example: iolab compare -w "
		       "file -- --rw randwrite --bs 8k\n\n"
		       "Ctrl-C ends the current run and keeps what was measured, with a summary. A "
		       "second Ctrl-C does not wait for that run.",
	};
	argp_parse(&argp, argc, argv, 0, NULL, options);
	swept_options_free(swept);
	options->choice.engines = options->engines.list;
	options->choice.run_words = options->engines.run_words;
	options->choice.run_word_count = options->engines.run_word_count;
}

int command_compare(int argc, char **argv)
{
	struct compare_options options = {
		.engines = { .command = "iolab compare",
			     .usual = { .variants = VARIANTS_COMPARED },
			     .takes_run_words = true },
		.order = default_rounds(),
		.count_syscalls = true,
		.idle_s = 1,
	};
	parse_options(&options, argc, argv);

	struct plan plan = { 0 };
	struct reason why = { "" };
	int status = EXIT_USAGE;
	if (plan_make(&plan, &options.choice, &why) < 0) {
		fprintf(stderr, "iolab compare: %s\n", why.text);
		goto out;
	}
	if (options.until_ci_pct > 0 && !plan.has_baseline) {
		fprintf(stderr,
			"iolab compare: --until-ci: no ratio can be known without the baseline %s "
			"among the engines; name another with --baseline\n",
			plan.baseline);
		goto out;
	}
	interrupt_install(NULL);
	json_t *command = command_json(argc, argv);
	json_array_set_new(command, 0, json_string(program_invocation_name));
	status = run_comparison(&options, &plan, command);
	json_decref(command);
out:
	plan_free(&plan);
	engine_choice_free(&options.engines);
	return status;
}
