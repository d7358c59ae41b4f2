/* SPDX-License-Identifier: MIT */
/* The options of `iolab run`, from argv to struct run_config. */
#ifndef IOLAB_RUN_OPTIONS_H
#define IOLAB_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "run_config.h"

struct run_options {
	struct run_config config;
	bool json;
	int round, position, plan; /* of a comparison; -1 when run alone */
	char default_file[256]; /* what config.file points to without --file */
};

/*
 * Parses and checks. A mistake ends the program with one line on stderr that names the option and
 * the cure, and exit status 2. What only this machine refuses is not a mistake and is left to the
 * run. `options` must stay where it is: config.file may point into it.
 */
void run_options_parse(struct run_options *options, int argc, char **argv);

/* Where the test file lies without --file; fills and returns `path`. */
const char *default_test_file(char *path, size_t size);

#endif
