/* SPDX-License-Identifier: MIT */
/*
 * The only I/O loop that a comparison measures: it carries operations from the workload to the
 * engine and back.
 */
#ifndef IOLAB_DRIVER_H
#define IOLAB_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "meters/measurement.h"
#include "workloads/run_config.h"
#include "workloads/workload.h"

/* A window that has a length in time is counted in so many slices of equal length. */
#define DRIVER_SLICES 10

/* What the driver itself observed in the window. */
struct driver_counts {
	double inflight_mean; /* operations that the engine held, averaged over time */
	unsigned inflight_max;
	double slice_s; /* 0: the window ended by --ops, and was not sliced */
	uint64_t slice_ops[DRIVER_SLICES]; /* their sum is the workload's count */
};

/*
 * Warms up, measures one window, drains. `before` and `after` are filled at the window's edges.
 * On return nothing is in flight, so engine and workload can be closed; only after a negative
 * return with `lost` > 0 did the engine keep that many operations, and then it must not be closed
 * (the kernel may still write to the buffers).
 *
 * Returns 0; -EINTR when a signal asked for the end (see base/interrupt.h); or another -errno
 * with `why`. Blocks for warm-up + runtime + the time to drain (bounded by 10 s).
 */
int driver_run(const struct run_config *config, struct workload *workload, struct engine *engine,
	       struct measurement *before, struct measurement *after, struct driver_counts *counts,
	       unsigned *lost, struct reason *why);

#endif
