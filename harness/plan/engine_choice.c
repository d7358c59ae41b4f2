/* SPDX-License-Identifier: MIT */
#include "plan/engine_choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number_option.h"
#include "clock.h"
#include "engines.h"
#include "plan/rounds.h"

static void parse_engines(struct engine_choice *choice, struct argp_state *state)
{
	struct reason why;
	if (word_list_split(&choice->words, "engines", choice->list, ENGINES_MAX, &why) < 0)
		argp_error(state, "%s", why.text);
	choice->specs = choice->words.words;
	choice->count = choice->words.count;
	for (unsigned i = 0; i < choice->count; i++) {
		const struct engine_ops *engine;
		uint64_t options;
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

/* Each command has its own default. argp(3) frees what it gets in place of `text`. */
static char *name_default_engines(int key, const char *text, void *input)
{
	const struct engine_choice *choice = input;
	char *named = NULL;
	size_t size;
	FILE *out = key == 'e' && choice ? open_memstream(&named, &size) : NULL;
	if (!out)
		return (char *)text;
	fprintf(out, "%s (default: ", text);
	for (const char *c = choice->list; *c; c++)
		fputs(*c == ',' ? ", " : (char[]) { *c, '\0' }, out);
	fputc(')', out);
	fclose(out);
	return named ? named : (char *)text;
}

const struct argp engine_choice_argp = {
	.options =
		(const struct argp_option[]) {
			{ "engines", 'e', "LIST", 0, "engines and variants, separated by commas",
			  0 },
			{ "out", 'o', "FOLDER", 0, "results folder", 0 },
			{ 0 },
		},
	.parser = parse_engine_choice,
	.help_filter = name_default_engines,
};

enum option_key { OPT_ROUNDS = 0x1000, OPT_SEED };

static error_t parse_round_choice(int key, char *arg, struct argp_state *state)
{
	struct round_choice *choice = state->input;
	struct reason why;
	uint64_t rounds = 1;
	switch (key) {
	case OPT_ROUNDS:
		if (number_whole("rounds", arg, 1, ROUNDS_MAX, UNIT_THOUSAND, &rounds, &why) < 0)
			argp_error(state, "%s", why.text);
		choice->rounds = (unsigned)rounds;
		break;
	case OPT_SEED:
		if (number_seed("seed", arg, &choice->seed, &why) < 0)
			argp_error(state, "%s", why.text);
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

void engine_choice_free(struct engine_choice *choice)
{
	word_list_free(&choice->words);
	choice->specs = NULL;
	choice->count = 0;
}

struct round_choice default_rounds(void)
{
	return (struct round_choice) { .rounds = 5, .seed = clock_ns() % 1000000 };
}

double number_option(const struct argp_state *state, const char *option, const char *arg,
		     double least, double most)
{
	struct reason why;
	double value = least;
	if (number_real(option, arg, least, most, &value, &why) < 0)
		argp_error(state, "%s", why.text);
	return value;
}

const char *scratch_folder(void)
{
	const char *folder = getenv("TMPDIR");
	return folder && *folder ? folder : "/var/tmp";
}
