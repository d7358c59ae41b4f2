/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says about CPU time and system calls. A meter is where to read, a reading what was
 * read at one moment, a window two readings and what the driver counted between them. A figure is
 * always the difference of two readings.
 */
#ifndef IOLAB_METER_H
#define IOLAB_METER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "meters/hardware_counters.h"
#include "reason.h"

/* At this share of a CPU the peer, not the server, was the bottleneck. */
#define PEER_BUSY_PCT 95
/* CPUs with higher numbers than this are counted in the sum only. */
#define METER_CPUS 1024

/* Where to read: opened before the engine, so that every thread it starts is counted. */
struct meter {
	int proc_stat_fd;
	int syscall_counter_fd; /* -1: not counted */
	struct reason no_syscalls; /* why they are not counted although they were asked for */
	const struct hardware_counters *hardware; /* borrowed; NULL, as opened: not counted */
	clockid_t peer_clock;
	pid_t peer; /* 0: no peer */
};

/* What the sources said at one moment. */
struct reading {
	uint64_t wall_ns;
	struct rusage self; /* RUSAGE_SELF: every thread, SQPOLL and io-wq workers included */
	bool host_known; /* whether /proc/stat could be read */
	uint64_t host_idle_us; /* idle and iowait, all CPUs */
	uint64_t host_steal_us;
	unsigned cpu_end; /* one more than the highest number of a CPU */
	uint64_t cpu_idle_us[METER_CPUS]; /* the same of each; UINT64_MAX: it is offline */
	uint64_t peer_cpu_ns;
	uint64_t syscalls;
	struct hardware_reading hardware;
};

/* A window that has a length in time is counted in this many slices of equal length. */
#define WINDOW_SLICES 10

/* The measured part of a run. */
struct window {
	struct reading begin, end;
	double inflight_mean; /* operations that the engine held, averaged over time */
	unsigned inflight_max;
	double slice_s; /* 0: the window ended by --ops, and was not sliced */
	uint64_t slice_ops[WINDOW_SLICES]; /* their sum is the workload's count */
};

/* What was used between two readings; NAN where it is not known. */
struct usage {
	double elapsed_s;
	double user_s, system_s; /* of this process, every thread */
	double peer_s; /* NAN without a peer */
	double host_busy_s, host_steal_s; /* of all CPUs together */
	double host_error_s; /* how far host_busy_s may be off */
	double voluntary_switches, involuntary_switches;
	double syscalls; /* NAN: not counted */
	struct hardware_counts hardware;
};

/*
 * Opens the sources. `peer` is the process at the other end, or 0. With `count_syscalls` a
 * tracepoint counts every system call of this process and of threads it starts from now on; where
 * that is not allowed, `no_syscalls` says so and the count is absent.
 */
void meter_open(struct meter *meter, pid_t peer, bool count_syscalls);

/*
 * Take the readings at the window's edges. What a reading costs, some tens of microseconds, lies
 * outside of the window: the clock is read last at its beginning and first at its end.
 */
void meter_begin(const struct meter *meter, struct reading *reading);
void meter_end(const struct meter *meter, struct reading *reading);

void meter_close(struct meter *meter);

/* The difference of two readings of a meter. */
struct usage usage_between(const struct meter *meter, const struct reading *begin,
			   const struct reading *end);

/*
 * How busy each CPU was, a list: 100 is all the time, null for one that was offline. Empty when
 * /proc/stat could not be read. A new reference.
 */
json_t *per_cpu_json(const struct reading *begin, const struct reading *end);

#endif
