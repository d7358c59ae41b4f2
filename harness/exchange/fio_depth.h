/* SPDX-License-Identifier: MIT */
/* Which engine of fio's did a job, and how many operations were in flight: as far as it is known. */
#ifndef IOLAB_FIO_DEPTH_H
#define IOLAB_FIO_DEPTH_H

#include <jansson.h>
#include <stdbool.h>

#include "exchange/fio_counters.h"
#include "reason.h"

/* Patterns of the options that say how fio drives its engine, or what it spends on itself. */
extern const char fio_driving_options[];

struct fio_depth {
	const char *ioengine; /* NULL: not known */
	unsigned jobs, iodepth;
	bool jobs_known, iodepth_known;
	bool known; /* the depth, which is their product */
};

/*
 * Reads it from the options, and holds it against what the counters prove. `here`: it ran on this
 * system, so that fio's usual engine is known. Appends to `remarks` what is not known, and why.
 * Returns 0, or -EINVAL with `why`.
 */
int fio_depth_find(const json_t *options, bool here, const struct fio_counters *counters,
		   double longest_s, struct fio_depth *found, json_t *remarks, struct reason *why);

/* "engine" of a run: "fio:libaio+batch_submit=16". Never the name of an engine of ours. */
json_t *fio_engine_json(const json_t *options, const struct fio_depth *depth);

#endif
