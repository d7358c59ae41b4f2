/* SPDX-License-Identifier: MIT */
#include "plan/engine_choice.h"

#include <stdlib.h>
#include <string.h>

#include "base/list_option.h"
#include "clock.h"
#include "engines.h"
#include "plan/rounds.h"

static void parse_engines(struct engine_choice *choice, struct argp_state *state)
{
	choice->count =
		split_list(choice->command, "engines", choice->list, choice->specs, ENGINES_MAX);
	for (unsigned i = 0; i < choice->count; i++) {
		const struct engine_ops *engine;
		uint64_t options;
		struct reason why;
		if (engine_spec_parse(choice->specs[i], &engine, &options, &why) < 0)
			argp_error(state, "--engines %s: %s", choice->specs[i], why.text);
	}
}

static error_t parse_engine_choice(int key, char *arg, struct argp_state *state)
{
	struct engine_choice *choice = state->input;
	switch (key) {
	case 'e':
		choice->list = arg;
		break;
	case 'o':
		choice->out = arg;
		break;
	case ARGP_KEY_ARGS:
		choice->run_words = state->argv + state->next;
		choice->run_word_count = (unsigned)(state->argc - state->next);
		if (!choice->takes_run_words)
			argp_error(state, "'%s' is not an option; options begin with --",
				   choice->run_words[0]);
		if (strncmp(choice->run_words[0], "--", 2) != 0)
			argp_error(state,
				   "'%s' is not an option; options for the runs come after --",
				   choice->run_words[0]);
		break;
	case ARGP_KEY_END:
		parse_engines(choice, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp engine_choice_argp = {
	.options =
		(const struct argp_option[]) {
			{ "engines", 'e', "LIST", 0,
			  "engines and variants, separated by commas (default: those of the labs "
			  "that can do it)",
			  0 },
			{ "out", 'o', "FOLDER", 0, "results folder", 0 },
			{ 0 },
		},
	.parser = parse_engine_choice,
};

enum option_key { OPT_ROUNDS = 0x1000, OPT_SEED };

static error_t parse_round_choice(int key, char *arg, struct argp_state *state)
{
	struct round_choice *choice = state->input;
	char *end;
	unsigned long long number;
	switch (key) {
	case OPT_ROUNDS:
		number = strtoull(arg, &end, 10);
		if (*end || *arg == '-' || number < 1 || number > ROUNDS_MAX)
			argp_error(state, "--rounds %s: must lie between 1 and %d", arg,
				   ROUNDS_MAX);
		choice->rounds = (unsigned)number;
		break;
	case OPT_SEED:
		choice->seed = strtoull(arg, &end, 10);
		if (*end || !*arg || *arg == '-' || choice->seed > INT64_MAX)
			argp_error(state, "--seed %s: must be a whole number below 2^63", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp round_choice_argp = {
	.options =
		(const struct argp_option[]) {
			{ "rounds", OPT_ROUNDS, "N", 0, "run everything N times (default: 5)", 0 },
			{ "seed", OPT_SEED, "N", 0,
			  "seed of the order of runs (default: from the clock; recorded)", 0 },
			{ 0 },
		},
	.parser = parse_round_choice,
};

struct round_choice default_rounds(void)
{
	return (struct round_choice) { .rounds = 5, .seed = clock_ns() % 1000000 };
}

double number_option(const struct argp_state *state, const char *option, const char *arg,
		     double least, double most)
{
	char *end;
	double value = strtod(arg, &end);
	if (end == arg || *end || !(value >= least && value <= most))
		argp_error(state, "--%s %s: must lie between %g and %g", option, arg, least, most);
	return value;
}

const char *scratch_folder(void)
{
	const char *folder = getenv("TMPDIR");
	return folder && *folder ? folder : "/var/tmp";
}
