/* SPDX-License-Identifier: MIT */
/* What a job of fio's counted, by the best counter that its version wrote. */
#ifndef IOLAB_FIO_COUNTERS_H
#define IOLAB_FIO_COUNTERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "reason.h"

/* What a job did in one direction: "read", "write" or "mixed", both of them together. */
struct fio_direction {
	const json_t *json; /* NULL: fio does not tell */
	int64_t ops, short_ops;
	double ops_per_s, bytes, bytes_per_s, elapsed_s;
	bool ops_computed; /* fio did not write their number */
	bool ops_by_blocks; /* it is computed from the size of blocks that the options say */
};

struct fio_counters {
	struct fio_direction read, write;
	struct fio_direction used[2]; /* those with operations; "mixed" alone where fio has it */
	unsigned used_count;
	struct fio_direction sum; /* of those that are used */
	double jobs_seen; /* the jobs' run time divided by their group's; 0: not known */
	int64_t depth_seen; /* the depth that fio saw in flight is at least this; 0: not known */
};

/*
 * Reads them from a job. `bs_bytes` tells a version without a number of operations how large they
 * were; 0: not known. Returns 0, or -ERANGE with a `why` that names a number that cannot be: a
 * negative one, or one beyond any measurement.
 */
int fio_counters_read(struct fio_counters *counters, const json_t *job, double bs_bytes,
		      struct reason *why);

/*
 * Appends a remark to `remarks` for what fio's version did not write and is computed, and for a rate
 * that its own operations and run time deny.
 */
void fio_counters_remark(const struct fio_counters *counters, json_t *remarks);

#endif
