/* SPDX-License-Identifier: MIT */
/*
 * The metrics, a row each. First the functions that rows name, then the rows. To add one, add a
 * function and a row here, and run `make schema`.
 */
#include <math.h>

#include "base/json_path.h"
#include "meters/helper_threads.h"
#include "metrics/metric.h"

/* What a finished run has measured. */

#define MEASURE(name, expression)                                                                  \
	static double name(const struct measured *m)                                               \
	{                                                                                          \
		return (double)(expression);                                                       \
	}

/* A window in which nothing was finished has a rate, 0, and nothing for an operation. */
static double for_an_op(const struct measured *m, double amount)
{
	return m->workload->tally.ops > 0 ? amount / (double)m->workload->tally.ops : NAN;
}

static double process_s(const struct measured *m)
{
	return m->usage.user_s + m->usage.system_s;
}

static double peer_s(const struct measured *m)
{
	return isnan(m->usage.peer_s) ? 0 : m->usage.peer_s;
}

static double pct_of_window(const struct measured *m, double time_s)
{
	return 100 * time_s / m->usage.elapsed_s;
}

static double instructions_per_cycle(const struct measured *m)
{
	double cycles = m->usage.hardware.of[COUNT_CYCLES];
	return cycles > 0 ? m->usage.hardware.of[COUNT_INSTRUCTIONS] / cycles : NAN;
}

MEASURE(elapsed_s, m->usage.elapsed_s)
MEASURE(ops, m->workload->tally.ops)
MEASURE(bytes, m->workload->tally.bytes)
MEASURE(reads, m->workload->tally.reads)
MEASURE(writes, m->workload->tally.writes)
MEASURE(syncs, m->workload->tally.syncs)
MEASURE(short_transfers, m->workload->tally.short_transfers)
MEASURE(ops_per_s, ops(m) / m->usage.elapsed_s)
MEASURE(bytes_per_s, bytes(m) / m->usage.elapsed_s)
MEASURE(offered_per_s, m->open_loop ? (double)m->workload->window_due / m->usage.elapsed_s : NAN)
MEASURE(owed_before, m->open_loop ? (double)m->workload->owed_before : NAN)
MEASURE(unfinished, m->open_loop ? (double)m->workload->unfinished : NAN)
MEASURE(user_s, m->usage.user_s)
MEASURE(system_s, m->usage.system_s)
MEASURE(process_us_per_op, for_an_op(m, process_s(m) * 1e6))
MEASURE(process_pct, pct_of_window(m, process_s(m)))
MEASURE(peer_cpu_s, m->usage.peer_s)
MEASURE(peer_pct, pct_of_window(m, m->usage.peer_s))
MEASURE(host_busy_s, m->usage.host_busy_s)
MEASURE(host_pct, pct_of_window(m, m->usage.host_busy_s))
/* Never below 0, and NAN stays NAN. */
MEASURE(host_us_per_op,
	for_an_op(m,
		  m->usage.host_busy_s < peer_s(m) ? 0 : (m->usage.host_busy_s - peer_s(m)) * 1e6))
MEASURE(host_steal_s, m->usage.host_steal_s)
MEASURE(host_error_s, m->usage.host_error_s)
MEASURE(other_pct, pct_of_window(m, m->usage.host_busy_s - process_s(m) - peer_s(m)))
MEASURE(voluntary, m->usage.voluntary_switches)
MEASURE(involuntary, m->usage.involuntary_switches)
MEASURE(syscalls_per_op, for_an_op(m, m->usage.syscalls))
MEASURE(instructions_per_op, for_an_op(m, m->usage.hardware.of[COUNT_INSTRUCTIONS]))
MEASURE(cycles_per_op, for_an_op(m, m->usage.hardware.of[COUNT_CYCLES]))
MEASURE(cache_misses_per_op, for_an_op(m, m->usage.hardware.of[COUNT_CACHE_MISSES]))
MEASURE(branch_misses_per_op, for_an_op(m, m->usage.hardware.of[COUNT_BRANCH_MISSES]))
MEASURE(inflight_mean, m->window->inflight_mean)
MEASURE(inflight_max, m->window->inflight_max)

static double kernel_helpers(void)
{
	struct helper_threads now = helper_threads_now();
	return now.io_wq + now.sqpoll;
}

/* What follows from the figures of a run. `run` is its "metrics". */

#define DERIVE(name, expression)                                                                   \
	static double name(const json_t *run, const json_t *idle)                                  \
	{                                                                                          \
		(void)idle;                                                                        \
		return expression;                                                                 \
	}

static double at(const json_t *run, const char *path)
{
	const json_t *found = at_path(run, path);
	return json_is_number(found) ? json_number_value(found) : NAN;
}

static double share_pct(const json_t *run, const char *seconds)
{
	return 100 * at(run, seconds) / at(run, "elapsed_s");
}

static double for_an_op_of(const json_t *run, double amount)
{
	return at(run, "ops") > 0 ? amount / at(run, "ops") : NAN;
}

/* CPU time that was used outside of process and peer. */
static double other_s(const json_t *run)
{
	return at(run, "cpu.other_util_pct") / 100 * at(run, "elapsed_s");
}

static double above_idle_pct(const json_t *run, const json_t *idle)
{
	return at(run, "cpu.other_util_pct") - at(idle, "busy_pct");
}

DERIVE(user_pct, share_pct(run, "cpu.user_s"))
DERIVE(system_pct, share_pct(run, "cpu.system_s"))
DERIVE(host_error_pct, share_pct(run, "cpu.host_error_s"))
DERIVE(host_steal_pct, share_pct(run, "cpu.host_steal_s"))
DERIVE(user_us_per_op, for_an_op_of(run, at(run, "cpu.user_s") * 1e6))
DERIVE(system_us_per_op, for_an_op_of(run, at(run, "cpu.system_s") * 1e6))
DERIVE(host_error_us_per_op, for_an_op_of(run, at(run, "cpu.host_error_s") * 1e6))
DERIVE(other_us_per_op, for_an_op_of(run, other_s(run) * 1e6))
DERIVE(switches_per_op, for_an_op_of(run, at(run, "context_switches.voluntary") +
						  at(run, "context_switches.involuntary")))

const struct metric all_metrics[] = {
	{
		.name = "elapsed_s",
		.words = "length of the window",
		.unit = "s",
		.meaning = "Length of the measured window.",
		.always = true,
		.measure = elapsed_s,
		.csv = "elapsed_s",
		.in_prose = true,
	},
	{
		.name = "ops",
		.words = "operations",
		.unit = "operations",
		.meaning = "Operations that were finished in the window.",
		.whole = true,
		.always = true,
		.measure = ops,
		.csv = "ops",
		.in_prose = true,
	},
	{
		.name = "bytes",
		.words = "bytes",
		.unit = "bytes",
		.meaning = "Bytes that these operations transferred.",
		.whole = true,
		.always = true,
		.measure = bytes,
		.csv = "bytes",
		.in_prose = true,
	},
	{
		.name = "reads",
		.words = "reads",
		.unit = "operations",
		.meaning = "Reads among the operations.",
		.whole = true,
		.measure = reads,
		.csv = "reads",
		.in_prose = true,
	},
	{
		.name = "writes",
		.words = "writes",
		.unit = "operations",
		.meaning = "Writes among the operations.",
		.whole = true,
		.measure = writes,
		.csv = "writes",
		.in_prose = true,
	},
	{
		.name = "syncs",
		.words = "syncs",
		.unit = "calls",
		.meaning = "fsync and fdatasync calls; they are not among the operations.",
		.whole = true,
		.always = true,
		.measure = syncs,
		.csv = "syncs",
	},
	{
		.name = "short_transfers",
		.words = "short transfers",
		.unit = "transfers",
		.meaning = "Completions that had to be continued.",
		.whole = true,
		.always = true,
		.measure = short_transfers,
		.csv = "short_transfers",
	},

	{
		.name = METRIC_RATE,
		.words = "throughput",
		.unit = "operations/s",
		.meaning = "Operations a second.",
		.better = BETTER_HIGHER,
		.shown_as = SHOWN_SCALED,
		.always = true,
		.measure = ops_per_s,
		.in_summary = true,
		.ratio = true,
		.until_ci = true,
		.csv = "ops_per_s",
		.in_prose = true,
	},
	{
		.name = "bytes_per_s",
		.words = "throughput in bytes",
		.unit = "bytes/s",
		.meaning = "Bytes a second.",
		.better = BETTER_HIGHER,
		.shown_as = SHOWN_SCALED,
		.always = true,
		.measure = bytes_per_s,
		.in_summary = true,
		.csv = "bytes_per_s",
		.in_prose = true,
	},

	{
		.name = "latency_ns.min",
		.words = "least latency",
		.unit = "ns",
		.meaning = "The shortest latency.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.csv = "latency_min_ns",
		.in_prose = true,
	},
	{
		.name = "latency_ns.mean",
		.words = "mean latency",
		.unit = "ns",
		.meaning = "The mean latency.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.in_summary = true,
		.csv = "latency_mean_ns",
		.in_prose = true,
	},
	{
		.name = "latency_ns.p50",
		.words = "latency p50",
		.unit = "ns",
		.meaning = "Half of the operations were faster.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.in_summary = true,
		.ratio = true,
		.until_ci = true,
		.bucketed = true,
		.csv = "latency_p50_ns",
		.column = { COLUMN_ALWAYS, "latency", "p50", 8 },
		.in_prose = true,
	},
	{
		.name = "latency_ns.p90",
		.words = "latency p90",
		.unit = "ns",
		.meaning = "90 % of the operations were faster.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.bucketed = true,
		.csv = "latency_p90_ns",
		.in_prose = true,
	},
	{
		.name = "latency_ns.p99",
		.words = "latency p99",
		.unit = "ns",
		.meaning = "99 % of the operations were faster.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.in_summary = true,
		.ratio = true,
		.bucketed = true,
		.csv = "latency_p99_ns",
		.column = { COLUMN_ALWAYS, "latency", "p99", 8 },
		.in_prose = true,
	},
	{
		.name = "latency_ns.p99_9",
		.words = "latency p99.9",
		.unit = "ns",
		.meaning = "99.9 % of the operations were faster.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.in_summary = true,
		.bucketed = true,
		.csv = "latency_p99_9_ns",
		.in_prose = true,
	},
	{
		.name = "latency_ns.max",
		.words = "greatest latency",
		.unit = "ns",
		.meaning = "The longest latency.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.csv = "latency_max_ns",
		.in_prose = true,
	},
	{
		.name = "latency_uncorrected_ns.p50",
		.words = "latency p50 since begun",
		.unit = "ns",
		.meaning = "In an open loop the latency since submission: half were faster.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.in_summary = true,
		.bucketed = true,
		.csv = "latency_uncorrected_p50_ns",
		.in_prose = true,
	},
	{
		.name = "latency_uncorrected_ns.p99",
		.words = "latency p99 since begun",
		.unit = "ns",
		.meaning = "In an open loop the latency since submission: 99 % were faster.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.in_summary = true,
		.bucketed = true,
		.csv = "latency_uncorrected_p99_ns",
		.in_prose = true,
	},
	{
		.name = "latency_uncorrected_ns.p99_9",
		.words = "latency p99.9 since begun",
		.unit = "ns",
		.meaning = "In an open loop the latency since submission: 99.9 % were faster.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.in_summary = true,
		.bucketed = true,
		.in_prose = true,
	},
	{
		.name = "sync_latency_ns.p50",
		.words = "latency p50 of a sync",
		.unit = "ns",
		.meaning = "Half of the fsync and fdatasync calls were faster.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.bucketed = true,
		.csv = "sync_latency_p50_ns",
	},
	{
		.name = "sync_latency_ns.p99",
		.words = "latency p99 of a sync",
		.unit = "ns",
		.meaning = "99 % of the fsync and fdatasync calls were faster.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_TIME,
		.bucketed = true,
		.csv = "sync_latency_p99_ns",
	},

	{
		.name = "offered_per_s",
		.words = "offered load",
		.unit = "operations/s",
		.meaning = "In an open loop: operations a second that were due in the window.",
		.shown_as = SHOWN_SCALED,
		.measure = offered_per_s,
		.in_summary = true,
		.csv = "offered_per_s",
		.in_prose = true,
	},
	{
		.name = "owed_before",
		.words = "operations owed before",
		.unit = "operations",
		.meaning =
			"In an open loop: operations that were due before the window and not finished "
			"when it opened. With those that were due in it they are ops and unfinished.",
		.better = BETTER_LOWER,
		.whole = true,
		.measure = owed_before,
		.csv = "owed_before",
		.in_prose = true,
	},
	{
		.name = "unfinished",
		.words = "unfinished operations",
		.unit = "operations",
		.meaning =
			"In an open loop: operations that were due by the end of the window and not "
			"finished. latency_ns holds the time that they had waited by then.",
		.better = BETTER_LOWER,
		.whole = true,
		.measure = unfinished,
		.in_summary = true,
		.csv = "unfinished",
		.in_prose = true,
	},

	{
		.name = "cpu.user_s",
		.words = "user time",
		.unit = "s",
		.meaning = "CPU time of the process in user mode, every thread.",
		.better = BETTER_LOWER,
		.measure = user_s,
		.csv = "cpu_user_s",
		.in_prose = true,
	},
	{
		.name = "cpu.system_s",
		.words = "system time",
		.unit = "s",
		.meaning =
			"CPU time of the process in the kernel, SQPOLL and io-wq threads included.",
		.better = BETTER_LOWER,
		.measure = system_s,
		.csv = "cpu_system_s",
		.in_prose = true,
	},
	{
		.name = "cpu.us_per_op",
		.words = "CPU per op",
		.unit = "us",
		.meaning = "CPU time of the process for an operation, user and system.",
		.better = BETTER_LOWER,
		.measure = process_us_per_op,
		.in_summary = true,
		.ratio = true,
		.until_ci = true,
		.csv = "cpu_us_per_op",
		.column = { COLUMN_ALWAYS, "CPU us per op", "process", 8 },
		.in_prose = true,
	},
	{
		.name = "cpu.host_us_per_op",
		.words = "CPU per op of the machine",
		.unit = "us",
		.meaning = "CPU time of the whole machine, without the peer's, for an operation.",
		.better = BETTER_LOWER,
		.measure = host_us_per_op,
		.in_summary = true,
		.error = "cpu.host_error_us_per_op",
		.csv = "cpu_host_us_per_op",
		.column = { COLUMN_ALWAYS, "CPU us per op", "machine", 8 },
		.in_prose = true,
	},
	{
		.name = "cpu.user_us_per_op",
		.words = "user time per op",
		.unit = "us",
		.meaning = "CPU time of the process in user mode for an operation.",
		.better = BETTER_LOWER,
		.derive = user_us_per_op,
		.in_summary = true,
		.in_prose = true,
	},
	{
		.name = "cpu.system_us_per_op",
		.words = "system time per op",
		.unit = "us",
		.meaning = "CPU time of the process in the kernel for an operation.",
		.better = BETTER_LOWER,
		.derive = system_us_per_op,
		.in_summary = true,
		.in_prose = true,
	},
	{
		.name = "cpu.other_us_per_op",
		.words = "CPU per op elsewhere",
		.unit = "us",
		.meaning =
			"CPU time outside of process and peer for an operation: workers of the kernel "
			"that belong to no process, interrupts, other programs. Below 0 within the "
			"error.",
		.better = BETTER_LOWER,
		.derive = other_us_per_op,
		.in_summary = true,
		.error = "cpu.host_error_us_per_op",
		.in_prose = true,
	},
	{
		.name = "cpu.host_error_us_per_op",
		.words = "error of the machine's CPU per op",
		.unit = "us",
		.meaning = "How far cpu.host_us_per_op and cpu.other_us_per_op may be off.",
		.derive = host_error_us_per_op,
		.in_summary = true,
		.in_prose = true,
	},
	{
		.name = "cpu.util_pct",
		.words = "CPU of the process",
		.unit = "%",
		.meaning = "CPU time of the process as a share of the window; 100 is one CPU.",
		.measure = process_pct,
		.in_summary = true,
		.csv = "cpu_util_pct",
		.in_prose = true,
	},
	{
		.name = "cpu.user_pct",
		.words = "user time",
		.unit = "%",
		.meaning = "The part of it in user mode.",
		.derive = user_pct,
		.in_summary = true,
		.in_prose = true,
	},
	{
		.name = "cpu.system_pct",
		.words = "system time",
		.unit = "%",
		.meaning = "The part of it in the kernel.",
		.derive = system_pct,
		.in_summary = true,
		.in_prose = true,
	},
	{
		.name = "cpu.peer_s",
		.words = "CPU time of the peer",
		.unit = "s",
		.meaning = "CPU time of the process at the other end; null without one.",
		.measure = peer_cpu_s,
		.in_prose = true,
	},
	{
		.name = "cpu.peer_util_pct",
		.words = "CPU of the peer",
		.unit = "%",
		.meaning = "The same as a share of the window; 100 is one CPU.",
		.measure = peer_pct,
		.in_summary = true,
		.csv = "cpu_peer_util_pct",
		.in_prose = true,
	},
	{
		.name = "cpu.host_busy_s",
		.words = "CPU time of the machine",
		.unit = "s",
		.meaning =
			"CPU time of the whole machine: CPUs x elapsed - idle - iowait - steal, from "
			"/proc/stat in whole clock ticks. null when it cannot be read.",
		.below_zero = true,
		.measure = host_busy_s,
		.csv = "cpu_host_busy_s",
		.in_prose = true,
	},
	{
		.name = "cpu.host_util_pct",
		.words = "CPU of the machine",
		.unit = "%",
		.meaning = "The same as a share of the window; 100 is one CPU.",
		.below_zero = true,
		.measure = host_pct,
		.in_summary = true,
		.error = "cpu.host_error_pct",
		.csv = "cpu_host_util_pct",
		.in_prose = true,
	},
	{
		.name = "cpu.host_steal_s",
		.words = "steal",
		.unit = "s",
		.meaning =
			"Time that the hypervisor took, all CPUs together; no part of busy time.",
		.below_zero = true,
		.measure = host_steal_s,
		.csv = "cpu_host_steal_s",
		.in_prose = true,
	},
	{
		.name = "cpu.host_steal_pct",
		.words = "steal",
		.unit = "%",
		.meaning = "The same as a share of the window; 100 is one CPU.",
		.derive = host_steal_pct,
		.in_summary = true,
		.in_prose = true,
	},
	{
		.name = "cpu.host_error_s",
		.words = "error of the machine's CPU time",
		.unit = "s",
		.meaning = "How far cpu.host_busy_s may be off: two clock ticks, three where the "
			   "hypervisor took time.",
		.measure = host_error_s,
		.in_prose = true,
	},
	{
		.name = "cpu.host_error_pct",
		.words = "error of the machine's CPU",
		.unit = "%",
		.meaning = "The same as a share of the window: the error of cpu.host_util_pct, of "
			   "cpu.other_util_pct and of each CPU.",
		.derive = host_error_pct,
		.in_summary = true,
		.in_prose = true,
	},
	{
		.name = "cpu.other_util_pct",
		.words = "CPU elsewhere",
		.unit = "%",
		.meaning =
			"cpu.host_util_pct without this process and its peer: workers of the kernel "
			"that belong to no process, interrupts, other programs. Below 0 within the "
			"error.",
		.below_zero = true,
		.measure = other_pct,
		.in_summary = true,
		.error = "cpu.host_error_pct",
		.in_prose = true,
	},
	{
		.name = "cpu.other_above_idle_pct",
		.words = "CPU elsewhere, above idle",
		.unit = "%",
		.meaning =
			"The same without what the idle host used before the comparison; null where "
			"that was not measured.",
		.derive = above_idle_pct,
		.in_summary = true,
		.error = "cpu.host_error_pct",
		.in_prose = true,
	},

	{
		.name = "context_switches.voluntary",
		.words = "voluntary context switches",
		.unit = "switches",
		.meaning = "Context switches of the process because a thread waited.",
		.whole = true,
		.measure = voluntary,
		.csv = "switches_voluntary",
		.in_prose = true,
	},
	{
		.name = "context_switches.involuntary",
		.words = "involuntary context switches",
		.unit = "switches",
		.meaning = "Context switches of the process because a thread was preempted.",
		.whole = true,
		.measure = involuntary,
		.csv = "switches_involuntary",
		.in_prose = true,
	},
	{
		.name = "context_switches_per_op",
		.words = "context switches per op",
		.unit = "switches",
		.meaning = "Context switches of the process for an operation, both kinds.",
		.better = BETTER_LOWER,
		.derive = switches_per_op,
		.in_summary = true,
		.in_prose = true,
	},
	{
		.name = "syscalls_per_op",
		.words = "system calls per op",
		.unit = "calls",
		.meaning =
			"System calls of the process for an operation, counted in runs of their own; "
			"null in all others.",
		.better = BETTER_LOWER,
		.measure = syscalls_per_op,
		.in_summary = true,
		.apart = true,
		.csv = "syscalls_per_op",
		.column = { COLUMN_ALWAYS, "calls", "per op", 7 },
		.in_prose = true,
	},
	{
		.name = "hardware.instructions_per_op",
		.words = "instructions per op",
		.unit = "instructions",
		.meaning = "Instructions for an operation, every thread, user and kernel.",
		.better = BETTER_LOWER,
		.measure = instructions_per_op,
		.in_summary = true,
		.ratio = true,
		.csv = "instructions_per_op",
		.in_prose = true,
	},
	{
		.name = "hardware.cycles_per_op",
		.words = "cycles per op",
		.unit = "cycles",
		.meaning = "CPU cycles for an operation.",
		.better = BETTER_LOWER,
		.measure = cycles_per_op,
		.in_summary = true,
		.csv = "cycles_per_op",
		.in_prose = true,
	},
	{
		.name = "hardware.instructions_per_cycle",
		.words = "instructions per cycle",
		.unit = "instructions",
		.meaning = "Instructions that a CPU cycle completed.",
		.better = BETTER_HIGHER,
		.measure = instructions_per_cycle,
		.in_summary = true,
		.in_prose = true,
	},
	{
		.name = "hardware.cache_misses_per_op",
		.words = "cache misses per op",
		.unit = "misses",
		.meaning = "Misses of the last-level cache for an operation.",
		.better = BETTER_LOWER,
		.measure = cache_misses_per_op,
		.in_summary = true,
		.csv = "cache_misses_per_op",
		.in_prose = true,
	},
	{
		.name = "hardware.branch_misses_per_op",
		.words = "branch misses per op",
		.unit = "misses",
		.meaning = "Mispredicted branches for an operation.",
		.better = BETTER_LOWER,
		.measure = branch_misses_per_op,
		.in_summary = true,
		.csv = "branch_misses_per_op",
		.in_prose = true,
	},
	{
		.name = "inflight_mean",
		.words = "operations in flight",
		.unit = "operations",
		.meaning =
			"Operations that the engine held, by the driver's count and not the kernel's, "
			"averaged over the window.",
		.measure = inflight_mean,
		.in_summary = true,
		.csv = "inflight_mean",
		.in_prose = true,
	},
	{
		.name = "inflight_max",
		.words = "most operations in flight",
		.unit = "operations",
		.meaning = "The most operations that the engine held at once.",
		.whole = true,
		.measure = inflight_max,
		.csv = "inflight_max",
		.in_prose = true,
	},
	{
		.name = "kernel_helpers",
		.words = "kernel helper threads",
		.unit = "threads",
		.meaning = "io-wq and SQPOLL threads that the kernel kept for the engine when the "
			   "window was over. Those of a ring that only asked what works here are "
			   "not counted.",
		.better = BETTER_LOWER,
		.shown_as = SHOWN_WHOLE,
		.whole = true,
		.observe = kernel_helpers,
		.in_summary = true,
		.csv = "kernel_helpers",
		.column = { COLUMN_IF_SOME, "kernel", "helpers", 7 },
	},
	{ 0 },
};
