/* SPDX-License-Identifier: MIT */
/* The options of `iolab run`, from argv to struct run_config. */
#ifndef IOLAB_RUN_OPTIONS_H
#define IOLAB_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "workloads/run_config.h"

struct run_options {
	struct run_config config;
	bool json;
	int round, position, plan; /* of a comparison; -1 when run alone */
	uint64_t typed; /* the options that argv names, a bit each */
	char default_file[256]; /* what config.file points to without --file */
};

/*
 * Parses and checks. A mistake ends the program with one line on stderr that names the option and
 * the cure, and exit status 2. What only this machine refuses is not a mistake and is left to the
 * run. `options` must stay where it is: config.file may point into it.
 */
void run_options_parse(struct run_options *options, int argc, char **argv);

/*
 * The name of the option that a word of argv stands for ("depth" for --depth=4 or --dep), without
 * its value; NULL when it stands for none.
 */
const char *run_option_name(const char *word);

/* Why an option of that name has no effect on this workload, and the cure; NULL when it may have
 * one. */
const char *run_option_unused(const char *name, const struct run_config *config);

/* After so long such a run is hung: generous, since a run that is killed too early is lost. */
double run_limit_s(const struct run_config *config);

/* Where the test file lies without --file; fills and returns `path`. */
const char *default_test_file(char *path, size_t size);

#endif
