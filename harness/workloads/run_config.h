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

/* What one workload alone needs. Each workload's file completes this type for itself. */
struct workload_settings;

struct run_config {
	/* What is compared, and on what. */
	const struct engine_ops *engine;
	uint64_t engine_options;
	const struct workload_ops *workload;

	/* Common to all workloads. */
	unsigned depth; /* operations in flight at most */
	unsigned batch_submit; /* offered to one submit() at most; 0: as many as are ready */
	unsigned batch_complete; /* taken from one reap() at most; 0: as many as are done */
	double compute_us; /* CPU work per finished operation, in microseconds of a calibrated loop */
	double compute_loops_per_us; /* 0: calibrate at the start of this run */
	double runtime_s; /* the measured window */
	double warmup_s; /* before it, not measured */
	unsigned rate_per_s; /* open loop: so many operations begin a second; 0: closed loop */
	double stall_ms; /* the thread that reaps sleeps so long in the middle of the window */
	uint64_t op_limit; /* end the window after so many operations; 0: after runtime_s */
	uint64_t seed;
	bool verify;
	bool count_syscalls;
	bool count_hardware;
	unsigned trace_us; /* keep a trace of so much at the end of the window; 0: none */
	cpu_set_t cpus; /* CPUs for this process; empty: all that it was given */

	struct workload_settings *settings; /* NULL where it needs nothing of its own */
};

#endif
