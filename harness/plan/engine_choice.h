/* SPDX-License-Identifier: MIT */
/* The options that all commands have which look at several engines, one after the other. */
#ifndef IOLAB_ENGINE_CHOICE_H
#define IOLAB_ENGINE_CHOICE_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#define ENGINES_MAX 32

struct engine_choice {
	const char *command; /* "iolab matrix" */
	const char *list; /* --engines: separated by commas; set beforehand to the default */
	const char *specs[ENGINES_MAX]; /* its words, each of them an engine that there is */
	unsigned count;
	const char *out; /* --out: a results folder; NULL: none */
	bool json; /* --json */
	bool takes_run_words;
	char **run_words; /* after "--" */
	unsigned run_word_count;
};

/*
 * A child of a command's own parser: its input is a struct engine_choice. A mistake ends the
 * program with one line.
 */
extern const struct argp engine_choice_argp;

/* --folder without a value: where a file may be made for a moment. */
const char *scratch_folder(void);

/* Most rounds of a command that is no comparison. */
#define ROUNDS_MAX 100

/* The value of --rounds, from 1 to ROUNDS_MAX. Ends the program on anything else. */
unsigned rounds_option(const char *arg, const struct argp_state *state);

/* The value of --seed, a whole number that JSON holds, too. Ends the program on anything else. */
uint64_t seed_option(const char *arg, const struct argp_state *state);

#endif
