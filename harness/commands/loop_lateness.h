/* SPDX-License-Identifier: MIT */
/* `iolab responsiveness --loop`: one slow callback, and how late it makes everybody else. */
#ifndef IOLAB_LOOP_LATENESS_H
#define IOLAB_LOOP_LATENESS_H

#include <stdint.h>

#include "plan/engine_series.h"

struct loop_lateness_options {
	int64_t slow_callback_ns; /* what is computed now and then takes this long */
	int64_t piece_ns; /* and a piece of it this long */
	double runtime_s;
};

/* The shortest run in which something is computed, in seconds. */
double loop_lateness_runtime_min_s(int64_t slow_callback_ns);

/* Runs and reports. `series` has its options already. Returns the exit status. */
int loop_lateness(struct engine_series *series, const struct loop_lateness_options *options,
		  int argc, char **argv);

#endif
