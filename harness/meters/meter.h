/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says about CPU time and system calls, read at both edges of the window. A figure
 * is always the difference of two readings.
 */
#ifndef IOLAB_MEASUREMENT_H
#define IOLAB_MEASUREMENT_H

#include <jansson.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "meters/hardware_counters.h"
#include "reason.h"

/* A peer that used so much of a CPU, or more, hardly ever waited for the server: it was the limit. */
#define PEER_BUSY_PCT 95
/* CPUs with higher numbers than this are counted in the sum only. */
#define MEASUREMENT_CPUS 1024

/* Where to read: opened before the engine, so that every thread it starts is counted. */
struct measurement {
	/* The sources; the same in both readings. */
	int proc_stat_fd;
	int syscall_counter_fd; /* -1: not counted */
	const struct hardware_counters *hardware; /* borrowed; NULL, as opened: not counted */
	clockid_t peer_clock;
	pid_t peer; /* 0: no peer */

	/* The reading. */
	uint64_t wall_ns;
	struct rusage self; /* RUSAGE_SELF: every thread, SQPOLL and io-wq workers included */
	int host_known; /* whether /proc/stat could be read */
	uint64_t host_idle_us; /* idle and iowait, all CPUs */
	uint64_t host_steal_us;
	unsigned cpu_end; /* one more than the highest number of a CPU */
	uint64_t cpu_idle_us[MEASUREMENT_CPUS]; /* the same of each; UINT64_MAX: it is offline */
	uint64_t peer_cpu_ns;
	uint64_t syscalls;
	struct hardware_reading hardware_reading;
};

/*
 * Opens the sources into both readings. `peer` is the process at the other end, or 0. With
 * `count_syscalls` a tracepoint counts every system call of this process and of threads it starts
 * from now on; where that is not allowed, `syscalls_why` says so and the count is absent.
 */
void measurement_open(struct measurement *before, struct measurement *after, pid_t peer,
		      int count_syscalls, struct reason *syscalls_why);

/*
 * Take the readings at the window's edges. What a reading costs, some tens of microseconds, lies
 * outside of the window: the clock is read last at its beginning and first at its end.
 */
void measurement_begin(struct measurement *m);
void measurement_end(struct measurement *m);

void measurement_close(struct measurement *before, struct measurement *after);

/*
 * The figures of the window between two readings, for `ops` operations, as the keys of "metrics" in
 * docs/results.md. A new reference.
 */
json_t *measurement_json(const struct measurement *before, const struct measurement *after,
			 uint64_t ops, const struct reason *syscalls_why);

#endif
