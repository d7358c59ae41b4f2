/* SPDX-License-Identifier: MIT */
#include "plan/engine_choice.h"

#include <stdlib.h>
#include <string.h>

#include "base/list_option.h"
#include "engines.h"

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

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct engine_choice *choice = state->input;
	switch (key) {
	case 'e':
		choice->list = arg;
		break;
	case 'o':
		choice->out = arg;
		break;
	case 'j':
		choice->json = true;
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
			  "engines and variants, separated by commas (default: the reference "
			  "engines that can do it)",
			  0 },
			{ "out", 'o', "FOLDER", 0, "results folder, for a file of its own", 0 },
			{ "json", 'j', NULL, 0, "print one line of JSON", 0 },
			{ 0 },
		},
	.parser = parse_option,
};

const char *scratch_folder(void)
{
	const char *folder = getenv("TMPDIR");
	return folder && *folder ? folder : "/var/tmp";
}

unsigned rounds_option(const char *arg, const struct argp_state *state)
{
	char *end;
	unsigned long rounds = strtoul(arg, &end, 10);
	if (*end || rounds < 1 || rounds > ROUNDS_MAX)
		argp_error(state, "--rounds %s: must lie between 1 and %d", arg, ROUNDS_MAX);
	return (unsigned)rounds;
}

uint64_t seed_option(const char *arg, const struct argp_state *state)
{
	char *end;
	uint64_t seed = strtoull(arg, &end, 10);
	if (*end || !*arg || *arg == '-' || seed > INT64_MAX)
		argp_error(state, "--seed %s: must be a whole number below 2^63", arg);
	return seed;
}
