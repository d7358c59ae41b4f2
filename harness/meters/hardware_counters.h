/* SPDX-License-Identifier: MIT */
/*
 * The CPU's own counters of this process, every thread, user and kernel: how many instructions, how
 * many cycles. As everywhere, a figure is the difference of two readings.
 */
#ifndef IOLAB_HARDWARE_COUNTERS_H
#define IOLAB_HARDWARE_COUNTERS_H

#include <stdint.h>

#include "reason.h"

/*
 * What is counted. Where kernel.perf_event_paranoid allows user space alone (2 and above), nothing
 * is: what an interface costs is the kernel's work.
 */
#define HARDWARE_SCOPE "user+kernel"

enum hardware_counter {
	COUNT_INSTRUCTIONS,
	COUNT_CYCLES,
	COUNT_CACHE_MISSES,
	COUNT_BRANCH_MISSES,
	HARDWARE_COUNTERS
};

/* What is counted: type and config of perf_event_open(2). */
struct counted_event {
	uint32_t type;
	uint64_t config;
};

extern const struct counted_event hardware_events[HARDWARE_COUNTERS];

struct hardware_counters {
	int fds[HARDWARE_COUNTERS]; /* -1: not to be had */
	struct reason why; /* of the first that is not to be had; else empty */
	int error; /* its errno; 0: all are there */
};

struct hardware_reading {
	struct {
		uint64_t count;
		uint64_t enabled_ns; /* how long it should have counted, all threads together */
		uint64_t running_ns; /* how long it had a counter of the CPU */
	} of[HARDWARE_COUNTERS];
};

/*
 * Counts `events` for the calling thread and for all threads that are started from now on, until
 * hardware_counters_close(). Those that are not to be had are absent, and `why` says so.
 */
void hardware_counters_open(struct hardware_counters *counters,
			    const struct counted_event events[HARDWARE_COUNTERS]);
void hardware_counters_close(struct hardware_counters *counters);

/* One system call for each counter, a few microseconds for all. */
void hardware_counters_read(const struct hardware_counters *counters,
			    struct hardware_reading *reading);

/* How often each event happened between two readings. */
struct hardware_counts {
	double of[HARDWARE_COUNTERS]; /* NAN: not counted */
	double running_pct; /* share of the time that the least lucky one counted; NAN: none did */
	struct reason
		why; /* of the first that was not counted; empty when all were, or none asked */
};

/*
 * Fills `counts`. Where a CPU has fewer counters than are asked of it, they take turns; what was
 * counted is scaled up to the whole time. `counters` may be NULL: nothing was counted, and there is
 * no reason to tell.
 */
void hardware_counters_between(const struct hardware_counters *counters,
			       const struct hardware_reading *before,
			       const struct hardware_reading *after,
			       struct hardware_counts *counts);

#endif
