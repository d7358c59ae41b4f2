/* SPDX-License-Identifier: MIT */
/*
 * Options of a run that belong to one run of several: which one it is, and how it reports. They are
 * no part of what is measured: `iolab compare` sets them itself, and the command that repeats a
 * configuration alone has none of them.
 */
#ifndef IOLAB_ROUND_OPTIONS_H
#define IOLAB_ROUND_OPTIONS_H

#include <stdbool.h>

struct round_option {
	const char *name; /* without its dashes; NULL ends the table */
	bool takes_value;
};

extern const struct round_option round_options[];

/* NULL when no such option has that name, without its dashes. */
const struct round_option *round_option_find(const char *name);

#endif
