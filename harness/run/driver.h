/* SPDX-License-Identifier: MIT */
/*
 * The only I/O loop that a comparison measures: it carries operations from the workload to the
 * engine and back.
 */
#ifndef IOLAB_DRIVER_H
#define IOLAB_DRIVER_H

#include "meters/meter.h"
#include "reason.h"
#include "workloads/run_config.h"
#include "workloads/workload.h"

/*
 * How long the driver puts up with silence: nothing comes back, although something is in flight.
 * Long, since a machine may be loaded, and a client may pause for ten seconds.
 */
struct patience {
	uint64_t standstill_ns; /* until the run fails; it may take half as much again to be seen */
	uint64_t drain_ns; /* once the workload was told to stop; then comes cancel() */
	uint64_t cancel_ns; /* once cancelled */
	uint64_t
		cut_off_ns; /* an engine sits in a call after a phase: its connections are shut down */
};

/* What the driver is told. All is borrowed. */
struct job {
	const struct run_config *config;
	struct workload *workload; /* open */
	struct engine *engine; /* open, descriptors attached */
	const struct meter *meter; /* open since before the engine */
	struct trace *trace; /* where the loop's steps are recorded; NULL: nowhere */
	const struct patience *patience; /* NULL: the usual one */
};

/* What came of it. */
struct outcome {
	struct window window; /* whole when the run ended well */
	unsigned lost; /* operations that the engine kept, even after cancel */
	struct reason why; /* set with a negative return */
	bool refused; /* before it began, by attach(): the variant cannot serve such a descriptor */
};

/*
 * Warms up, measures one window, drains. On return nothing is in flight, so engine and workload can
 * be closed; only after a negative return with `lost` > 0 did the engine keep that many operations,
 * and then it must not be closed (the kernel may still write to the buffers).
 *
 * Returns 0; -EINTR when a signal asked for the end (see base/interrupt.h); or another -errno with
 * `why`, which names what is owed when the engine stood still. Blocks for warm-up + runtime + the
 * time to drain: 10 s of silence end it, and a second more for each MB that a device still owes.
 */
int driver_run(const struct job *job, struct outcome *outcome);

#endif
