/* SPDX-License-Identifier: MIT */
/* Options shared by the commands that run several engines in turn. */
#ifndef IOLAB_ENGINE_CHOICE_H
#define IOLAB_ENGINE_CHOICE_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list_option.h"
#include "plan/child_run.h"

#define ENGINES_MAX 64

/* Which variants of an engine a command takes by default, beside the plain one. */
enum usual_variants {
	VARIANTS_NONE,
	VARIANTS_COMPARED, /* those that the engine puts forward for a comparison */
	VARIANTS_OTHER_WORKER, /* those in which another thread makes the calls */
};

/*
 * The engines that a command takes by default: all that move bytes, the variants among them, in the
 * order of the labs. A rule and no list, so that a new engine shows up.
 */
struct usual_engines {
	enum usual_variants variants;
	bool that_read_files; /* asynchronously: without those that cannot or that wait for readiness */
	bool that_repeat; /* those with IO_REPEATS_INTERFACE, too */
};

/* Which engines, and where the results go. */
struct engine_choice {
	/* Set by the command. */
	const char *command; /* "iolab matrix" */
	struct usual_engines usual;
	bool takes_run_words;
	const char *const *usual_run_words; /* of the runs, ended by NULL; NULL: none */

	/* By the options. */
	const char *list; /* --engines: separated by commas */
	char *usual_list; /* the default of that */
	struct word_list words; /* of that list */
	char **specs; /* the same, each an engine that there is */
	unsigned count;
	const char *out; /* --out: a results folder; NULL: none */
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

/* Frees the lists, and with them `specs`. */
void engine_choice_free(struct engine_choice *choice);

/* The default of --engines, separated by commas: in memory to be freed, NULL without any. */
char *usual_engine_list(const struct usual_engines *usual);

/*
 * The words of a run of `engine`: the usual ones, then those that came after "--", which win. They
 * are borrowed.
 */
void engine_choice_gather(const struct engine_choice *choice, const char *engine,
			  struct run_words *run);

/* Five rounds, and a seed from the clock. */
struct round_choice default_rounds(void);

/* The value of `option`, from `least` to `most`. Ends the program on anything else. */
double number_option(const struct argp_state *state, const char *option, const char *arg,
		     double least, double most);

/* --folder without a value: where a file may be made for a moment. */
const char *scratch_folder(void);

#endif
