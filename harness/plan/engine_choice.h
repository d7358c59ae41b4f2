/* SPDX-License-Identifier: MIT */
/* Options shared by the commands that run several engines in turn. */
#ifndef IOLAB_ENGINE_CHOICE_H
#define IOLAB_ENGINE_CHOICE_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list_option.h"

#define ENGINES_MAX 64

/* Which engines, and where the results go. */
struct engine_choice {
	const char *command; /* "iolab matrix" */
	const char *list; /* --engines: separated by commas; set beforehand to the default */
	struct word_list words; /* of that list */
	char **specs; /* the same, each an engine that there is */
	unsigned count;
	const char *out; /* --out: a results folder; NULL: none */
	bool takes_run_words;
	char **run_words; /* after "--" */
	unsigned run_word_count;
};

/* How often, and in which order. Both are set beforehand to the default. */
struct round_choice {
	unsigned rounds; /* --rounds, from 1 to ROUNDS_MAX */
	uint64_t seed; /* --seed, of the order of runs; JSON can hold it, too */
};

/*
 * Children of a command's own parser; their inputs are a struct engine_choice and a struct
 * round_choice. As everywhere with argp, a mistake ends the program with one line.
 */
extern const struct argp engine_choice_argp, round_choice_argp;

/* Frees the words of the list, and with them `specs`. */
void engine_choice_free(struct engine_choice *choice);

/* Five rounds, and a seed from the clock. */
struct round_choice default_rounds(void);

/* The value of `option`, from `least` to `most`. Ends the program on anything else. */
double number_option(const struct argp_state *state, const char *option, const char *arg,
		     double least, double most);

/* --folder without a value: where a file may be made for a moment. */
const char *scratch_folder(void);

#endif
