/* SPDX-License-Identifier: MIT */
/* One line a run, with fields as RFC 4180 has them: lines end in CR LF, quotes only where needed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "exchange/export.h"

/* The column, which names its unit, and where a run has it. */
static const struct {
	const char *name, *path;
} columns[] = {
	{ "time_utc", "time_utc" },
	{ "status", "status" },
	{ "reason", "reason" },
	{ "engine", "engine.label" },
	{ "workload", "workload.name" },
	{ "panel", "workload.panel" },
	{ "operation", "workload.op" },
	{ "x_name", "config.x_name" },
	{ "x", "config.x" },
	{ "round", "config.round" },
	{ "position", "config.position" },
	{ "rw", "workload.rw" },
	{ "bs_bytes", "workload.bs_bytes" },
	{ "size_bytes", "workload.size_bytes" },
	{ "direct", "workload.direct" },
	{ "cache", "workload.cache" },
	{ "cache_resident_pct", "workload.cache_resident_pct" },
	{ "fsync_every", "workload.fsync_every" },
	{ "fdatasync_every", "workload.fdatasync_every" },
	{ "transport", "workload.transport" },
	{ "msg_size_bytes", "workload.msg_size_bytes" },
	{ "depth", "config.depth" },
	{ "conns", "workload.conns" },
	{ "active_conns", "workload.active" },
	{ "batch_submit", "config.batch_submit" },
	{ "batch_complete", "config.batch_complete" },
	{ "compute_us", "config.compute_us" },
	{ "rate_per_s", "config.rate_per_s" },
	{ "stall_ms", "config.stall_ms" },
	{ "seed", "config.seed" },
	{ "count_syscalls", "config.count_syscalls" },
	{ "elapsed_s", "metrics.elapsed_s" },
	{ "ops", "metrics.ops" },
	{ "bytes", "metrics.bytes" },
	{ "reads", "metrics.reads" },
	{ "writes", "metrics.writes" },
	{ "syncs", "metrics.syncs" },
	{ "short_transfers", "metrics.short_transfers" },
	{ "ops_per_s", "metrics.ops_per_s" },
	{ "bytes_per_s", "metrics.bytes_per_s" },
	{ "latency_min_ns", "metrics.latency_ns.min" },
	{ "latency_mean_ns", "metrics.latency_ns.mean" },
	{ "latency_p50_ns", "metrics.latency_ns.p50" },
	{ "latency_p90_ns", "metrics.latency_ns.p90" },
	{ "latency_p99_ns", "metrics.latency_ns.p99" },
	{ "latency_p99_9_ns", "metrics.latency_ns.p99_9" },
	{ "latency_max_ns", "metrics.latency_ns.max" },
	{ "latency_uncorrected_p50_ns", "metrics.latency_uncorrected_ns.p50" },
	{ "latency_uncorrected_p99_ns", "metrics.latency_uncorrected_ns.p99" },
	{ "sync_latency_p50_ns", "metrics.sync_latency_ns.p50" },
	{ "sync_latency_p99_ns", "metrics.sync_latency_ns.p99" },
	{ "offered_per_s", "metrics.offered_per_s" },
	{ "unfinished", "metrics.unfinished" },
	{ "cpu_user_s", "metrics.cpu.user_s" },
	{ "cpu_system_s", "metrics.cpu.system_s" },
	{ "cpu_us_per_op", "metrics.cpu.us_per_op" },
	{ "cpu_util_pct", "metrics.cpu.util_pct" },
	{ "cpu_peer_util_pct", "metrics.cpu.peer_util_pct" },
	{ "cpu_host_busy_s", "metrics.cpu.host_busy_s" },
	{ "cpu_host_us_per_op", "metrics.cpu.host_us_per_op" },
	{ "cpu_host_util_pct", "metrics.cpu.host_util_pct" },
	{ "cpu_host_steal_s", "metrics.cpu.host_steal_s" },
	{ "switches_voluntary", "metrics.context_switches.voluntary" },
	{ "switches_involuntary", "metrics.context_switches.involuntary" },
	{ "syscalls_per_op", "metrics.syscalls_per_op" },
	{ "instructions_per_op", "metrics.hardware.instructions_per_op" },
	{ "cycles_per_op", "metrics.hardware.cycles_per_op" },
	{ "cache_misses_per_op", "metrics.hardware.cache_misses_per_op" },
	{ "branch_misses_per_op", "metrics.hardware.branch_misses_per_op" },
	{ "inflight_mean", "metrics.inflight_mean" },
	{ "inflight_max", "metrics.inflight_max" },
	{ "kernel", "env.kernel" },
	{ "cpu_model", "env.cpu_model" },
	{ "cpus_online", "env.cpus_online" },
	{ "filesystem", "env.filesystem" },
	{ "device", "env.device" },
	{ "commit", "env.commit" },
	{ "imported_file", "imported.file" },
	{ "imported_job", "imported.job" },
};

#define COLUMN_COUNT (sizeof columns / sizeof *columns)

static void put_text(FILE *out, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* What a run does not have is an empty field. Numbers have a point, whatever the locale. */
static void put_value(FILE *out, const json_t *value)
{
	if (json_is_string(value))
		put_text(out, json_string_value(value));
	else if (json_is_integer(value) || json_is_real(value))
		json_dumpf(value, out, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "true" : "false", out);
}

/* All of them in one field, since there may be any number. */
static void put_warnings(FILE *out, const json_t *warnings)
{
	char *joined = strdup("");
	size_t i;
	json_t *warning;
	json_array_foreach (warnings, i, warning) {
		char *longer;
		if (asprintf(&longer, "%s%s%s", joined, i > 0 ? "; " : "",
			     json_string_value(warning)) < 0)
			break;
		free(joined);
		joined = longer;
	}
	put_text(out, joined);
	free(joined);
}

void export_csv(FILE *out, const json_t *runs, const json_t *summary)
{
	(void)summary;
	size_t i;
	json_t *run;
	for (unsigned column = 0; column < COLUMN_COUNT; column++)
		fprintf(out, "%s,", columns[column].name);
	fputs("warnings\r\n", out);
	json_array_foreach (runs, i, run) {
		for (unsigned column = 0; column < COLUMN_COUNT; column++) {
			put_value(out, at_path(run, columns[column].path));
			fputc(',', out);
		}
		put_warnings(out, json_object_get(run, "warnings"));
		fputs("\r\n", out);
	}
}
