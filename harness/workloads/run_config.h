/* SPDX-License-Identifier: MIT */
/* Everything that a person can choose about one run. Filled once from argv, read by everybody
 * after. */
#ifndef IOLAB_RUN_CONFIG_H
#define IOLAB_RUN_CONFIG_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "io_engine.h"

struct workload_ops;

/*
 * What `iolab run` accepts, and so what a run that it wrote can hold. Where the least is not 0, a 0
 * says that the option was not given.
 */
#define DEPTH_MOST	  16384
#define BATCH_MOST	  16384
#define COMPUTE_MOST_US	  1e6
#define RATE_MOST_PER_S	  100000000
#define STALL_LEAST_MS	  0.01
#define STALL_MOST_MS	  10000
#define RUNTIME_LEAST_S	  0.01
#define RUNTIME_MOST_S	  86400
#define WARMUP_MOST_S	  3600
#define OPS_MOST	  (UINT64_C(1) << 46)
#define ROUND_MOST	  (1u << 30)
#define LOOPS_MOST_PER_US 1e9

/* What one workload alone needs. Each workload's file completes this type for itself. */
struct workload_settings;

struct run_config {
	/* What is compared, and on what. */
	const struct engine_ops *engine;
	uint64_t engine_options;
	const struct workload_ops *workload;

	/* Common to all workloads. */
	unsigned depth; /* operations in flight at most */
	unsigned batch_submit; /* most to offer to one submit(); 0: all that are ready */
	unsigned batch_complete; /* most to take from one reap(); 0: all that are done */
	double compute_us; /* CPU work per finished operation, in microseconds of a calibrated loop */
	double compute_loops_per_us; /* 0: calibrate at the start of this run */
	double runtime_s; /* the measured window */
	double warmup_s; /* runs before the window and is not measured */
	unsigned rate_per_s; /* open loop: operations begun per second; 0: closed loop */
	double stall_ms; /* sleep of the reaping thread, halfway through the window */
	uint64_t op_limit; /* operations that end the window; 0: it ends after runtime_s */
	uint64_t seed;
	bool verify;
	bool count_syscalls;
	bool count_hardware;
	unsigned trace_us; /* length of the trace at the window's end; 0: none */
	cpu_set_t cpus; /* CPUs for this process; empty: its usual ones */

	struct workload_settings *settings; /* NULL where it needs nothing of its own */
};

#endif
