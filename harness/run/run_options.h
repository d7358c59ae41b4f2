/* SPDX-License-Identifier: MIT */
/*
 * The options of `iolab run`, from argv to struct run_config: those that all workloads have in
 * common, and those in the chosen workload's own table.
 */
#ifndef IOLAB_RUN_OPTIONS_H
#define IOLAB_RUN_OPTIONS_H

#include <stdbool.h>

#include "reason.h"
#include "workloads/run_config.h"

struct run_options {
	struct run_config config;
	const char *engine_spec, *workload_name, *cpu_list; /* as they were typed */
	bool json;
	int round, position, plan; /* of a comparison; -1 when run alone */
};

/*
 * Parses and checks the words of `argv` (argv[0] is the program). Returns 0, or -EINVAL with a
 * `why` that names the option and the cure. Prints nothing. What only this machine refuses is not
 * a mistake and is left to the run. `options` borrows from `argv`, and after 0 is to be freed.
 */
int run_options_read(struct run_options *options, int argc, char **argv, struct reason *why);

/*
 * The same for a command's own argv: argp answers --help, and ends the program with one line on
 * stderr and exit status 2 after a mistake. Returns 0, or -ENOMEM with `why`.
 */
int run_options_parse(struct run_options *options, int argc, char **argv, struct reason *why);

void run_options_free(struct run_options *options);

/*
 * The name of the option that a word of argv stands for ("depth" for --depth=4 or --dep), without
 * its value; NULL when it stands for none.
 */
const char *run_option_name(const char *word);

/* Does `iolab compare` set the option of that name itself, so that it must not come after --? */
bool run_option_is_planned(const char *name);

/* Does the option of that name end the window, so that it has no length in time and no warm-up? */
bool run_option_ends_window(const char *name);

/* Has an option of that name an effect with this workload and configuration? */
bool run_option_works(const char *name, const struct run_config *config);

/*
 * After this many seconds such a run is hung. Generous, since a run that is killed too early is
 * lost.
 */
double run_limit_s(const struct run_config *config);

#endif
