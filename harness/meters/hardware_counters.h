/* SPDX-License-Identifier: MIT */
/*
 * The CPU's own counters of this process, every thread, user and kernel: how many instructions, how
 * many cycles. As everywhere, a figure is the difference of two readings.
 */
#ifndef IOLAB_HARDWARE_COUNTERS_H
#define IOLAB_HARDWARE_COUNTERS_H

#include <jansson.h>
#include <stdint.h>

#include "reason.h"

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

/* One system call a counter, some microseconds all together. */
void hardware_counters_read(const struct hardware_counters *counters,
			    struct hardware_reading *reading);

/*
 * "hardware" of the metrics in docs/results.md, for `ops` operations between two readings; null
 * when nothing was counted. `why` says why it or a value in it is null, and is left alone when none
 * is. A new reference.
 */
json_t *hardware_counters_json(const struct hardware_counters *counters,
			       const struct hardware_reading *before,
			       const struct hardware_reading *after, uint64_t ops,
			       struct reason *why);

#endif
