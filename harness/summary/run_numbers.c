/* SPDX-License-Identifier: MIT */
/*
 * Do the numbers of a run agree with each other? Most of them are told twice: a rate is operations over
 * time, a histogram has one count for each operation. A program that measured them cannot disagree with
 * itself; a damaged file can.
 *
 * What another program measured has less in common: its directions have run times of their own, and a
 * contradiction that import found is a warning there.
 */
#include <math.h>
#include <string.h>

#include "base/json_path.h"
#include "summary/run_check.h"
#include "workloads/workload.h"

/* Numbers are written with nine digits, and two of them may meet. */
#define ROUNDED 1e-6

/* CPU time is brought up to date at each clock tick, on every CPU. */
#define TICKS_S 0.02

struct numbers {
	const json_t *run, *metrics;
	const struct workload_ops *workload;
	bool imported, open_loop;
	struct reason *why;
};

/* The number at a path of "metrics"; NAN where there is none. */
static double metric_of(const struct numbers *n, const char *path)
{
	const json_t *found = at_path(n->metrics, path);
	return json_is_number(found) ? json_number_value(found) : NAN;
}

static double config_of(const struct numbers *n, const char *key)
{
	const json_t *found = json_object_get(json_object_get(n->run, "config"), key);
	return json_is_number(found) ? json_number_value(found) : NAN;
}

/* 0 for NAN: of what a run may not have. */
static double or_zero(double value)
{
	return isnan(value) ? 0 : value;
}

/*
 * Is `found` the same as `expected`, which is `words`? They may differ by `slack`. What is not known,
 * NAN, contradicts nothing.
 */
static bool is_same(const struct numbers *n, const char *name, double found, double expected,
		    double slack, const char *words)
{
	if (isnan(found) || isnan(expected) ||
	    fabs(found - expected) <= slack + ROUNDED * fabs(expected))
		return true;
	reason_say(n->why, "metrics.%s is %.9g, but %s %.9g", name, found, words, expected);
	return false;
}

static bool is_at_most(const struct numbers *n, const char *name, double found, double most,
		       const char *words)
{
	if (isnan(found) || isnan(most) || found <= most + ROUNDED * fabs(most))
		return true;
	reason_say(n->why, "metrics.%s is %.9g, more than %s, %.9g", name, found, words, most);
	return false;
}

/* Import says so where fio's rates deny its counters. */
static bool has_warning(const struct numbers *n, const char *id)
{
	size_t i;
	const json_t *warning;
	json_array_foreach (json_object_get(n->run, "warnings"), i, warning)
		if (strcmp(string_at(warning, "id"), id) == 0)
			return true;
	return false;
}

/*
 * fio's elapsed_s is of the direction that ran longest, in whole milliseconds, so a rate is never below
 * what it gives.
 */
static bool has_rates_of_import(const struct numbers *n)
{
	double elapsed_s = metric_of(n, "elapsed_s"), rate = metric_of(n, "ops_per_s");
	double counted = metric_of(n, "ops") / elapsed_s;
	double error = 0.01 * counted + counted * 0.001 / elapsed_s + 1;
	bool one_direction = metric_of(n, "reads") == 0 || metric_of(n, "writes") == 0;
	if (!(elapsed_s > 0) || has_warning(n, "rate_contradicts"))
		return true;
	if (rate < counted - error || one_direction)
		return is_same(n, "ops_per_s", rate, counted, error, "ops over elapsed_s are");
	return true;
}

static bool has_rates(const struct numbers *n)
{
	double elapsed_s = metric_of(n, "elapsed_s"), ops = metric_of(n, "ops");
	if (n->imported)
		return has_rates_of_import(n);
	if (!(elapsed_s > 0)) {
		reason_say(n->why, "metrics.elapsed_s must be more than 0");
		return false;
	}
	if (!is_same(n, "ops_per_s", metric_of(n, "ops_per_s"), ops / elapsed_s, 0,
		     "ops over elapsed_s are") ||
	    !is_same(n, "bytes_per_s", metric_of(n, "bytes_per_s"),
		     metric_of(n, "bytes") / elapsed_s, 0, "bytes over elapsed_s are"))
		return false;
	double limit = config_of(n, "op_limit"), runtime_s = config_of(n, "runtime_s");
	if (limit > 0)
		return is_same(n, "ops", ops, limit, 0, "config.op_limit is");
	if (elapsed_s >= (1 - ROUNDED) * runtime_s || isnan(runtime_s))
		return true;
	return is_same(n, "elapsed_s", elapsed_s, runtime_s, 0, "config.runtime_s is");
}

/*
 * An operation moves as many bytes as the workload says; without such a parameter none. At the window's
 * edges a part of those under way may have been moved: what came short, and what a peer sent.
 */
static bool has_its_bytes(const struct numbers *n)
{
	double op_bytes = 0, ops = metric_of(n, "ops");
	const struct parameter_row *row = n->workload->parameter_rows;
	for (; row && row->name; row++) {
		const json_t *value =
			json_object_get(json_object_get(n->run, "workload"), row->name);
		if (row->moved_by_op)
			op_bytes = json_is_number(value) ? json_number_value(value) : NAN;
	}
	bool in_pieces = metric_of(n, "short_transfers") > 0 || n->workload->has_peer;
	if (n->imported)
		return true;
	return is_same(n, "bytes", metric_of(n, "bytes"), ops * op_bytes,
		       in_pieces ? config_of(n, "depth") * op_bytes : 0,
		       "ops and the size of one make");
}

/* What each operation was, of workloads that tell it; and the parts of the window. */
static bool has_its_parts(const struct numbers *n)
{
	double ops = metric_of(n, "ops"), sum = metric_of(n, "reads") + metric_of(n, "writes");
	size_t i;
	const json_t *slice;
	const json_t *slices = at_path(n->metrics, "steadiness.slice_ops");
	double sliced = json_is_array(slices) ? 0 : NAN;
	json_array_foreach (slices, i, slice)
		sliced += json_number_value(slice);
	double rate = config_of(n, "rate_per_s"), offered = metric_of(n, "offered_per_s");
	double elapsed_s = metric_of(n, "elapsed_s");
	double shown_due = ops + metric_of(n, "unfinished") - metric_of(n, "owed_before");
	/* A peer keeps its own schedule, sees the edges of the window later, and is behind when it is overloaded. */
	bool ours = !n->workload->has_peer;
	double late = 10 / elapsed_s;
	/* After the last of a limited number nothing is due. */
	double least = config_of(n, "op_limit") > 0 || !ours ? 0 : rate / 2 - late;
	return (sum == 0 || is_same(n, "reads", metric_of(n, "reads"), ops - metric_of(n, "writes"),
				    0, "ops without writes are")) &&
	       is_same(n, "steadiness.slice_ops", sliced, ops, 0, "ops are") &&
	       (!ours || is_same(n, "offered_per_s", offered, shown_due / elapsed_s, 1 / elapsed_s,
				 "ops, unfinished and owed_before make")) &&
	       (offered >= least ||
		is_same(n, "offered_per_s", offered, rate, 0, "config.rate_per_s is")) &&
	       is_at_most(n, "offered_per_s", offered, 1.5 * rate + late,
			  "config.rate_per_s allows") &&
	       is_at_most(n, "inflight_mean", metric_of(n, "inflight_mean"),
			  metric_of(n, "inflight_max"), "inflight_max") &&
	       is_at_most(n, "inflight_max", metric_of(n, "inflight_max"), config_of(n, "depth"),
			  "config.depth") &&
	       is_at_most(n, "verified_pct", metric_of(n, "verified_pct"), 100, "all");
}

/* fio's quantiles are those of its buckets, its extremes are exact, and a group's are put together. */
#define FIO_BUCKET 1.1

/* min <= p50 <= p90 <= p99 <= p99_9 <= max, and the mean between min and max. */
static bool is_latency_in_order(const struct numbers *n, const char *name)
{
	static const char *const keys[] = { "min", "p50", "p90", "p99", "p99_9", "max" };
	double above = n->imported ? FIO_BUCKET : 1, below = 0;
	const char *below_key = "";
	const json_t *latency = json_object_get(n->metrics, name);
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		const json_t *value = json_object_get(latency, keys[i]);
		if (!json_is_number(value))
			continue;
		if (json_number_value(value) * above < below * (1 - ROUNDED)) {
			reason_say(n->why, "metrics.%s.%s is %.9g, less than its %s, %.9g", name,
				   keys[i], json_number_value(value), below_key, below);
			return false;
		}
		below = json_number_value(value);
		below_key = keys[i];
	}
	double least = number_at(latency, "min"), most = number_at(latency, "max");
	double mean = number_at(latency, "mean");
	double error = 0.001 * (n->imported ? mean : 0) + 1 + ROUNDED * most;
	if (!latency || (mean >= least - error && mean <= most + error))
		return true;
	reason_say(n->why, "metrics.%s.mean is %.9g, not between its min and max, %.9g and %.9g",
		   name, mean, least, most);
	return false;
}

/* How many operations a histogram holds; NAN without one. */
static double counted_in(const json_t *histogram)
{
	double sum = json_is_object(histogram) ? 0 : NAN;
	size_t i;
	const json_t *bucket;
	json_array_foreach (json_object_get(histogram, "buckets"), i, bucket)
		sum += json_number_value(json_array_get(bucket, 2));
	return sum;
}

/* A histogram holds as many operations as its latency, the shortest in its first bucket. */
static bool is_latency_of_histogram(const struct numbers *n, const char *name, const char *key)
{
	const json_t *latency = json_object_get(n->metrics, name);
	const json_t *histogram = json_object_get(n->run, key);
	const json_t *buckets = json_object_get(histogram, "buckets");
	double held = counted_in(histogram);
	if (!json_is_object(histogram))
		return true;
	if (held == 0 && !json_is_object(latency))
		return true;
	char count[48];
	snprintf(count, sizeof count, "%s.count", name);
	if (!json_is_object(latency)) {
		reason_say(n->why, "metrics.%s is missing, but %s holds %.15g operations", name,
			   key, held);
		return false;
	}
	if (!is_same(n, count, number_at(latency, "count"), held, 0, "its histogram holds"))
		return false;
	if (n->imported || json_array_size(buckets) == 0)
		return true;
	double first = json_number_value(json_array_get(json_array_get(buckets, 0), 1));
	const json_t *last = json_array_get(buckets, json_array_size(buckets) - 1);
	if (number_at(latency, "min") < first &&
	    number_at(latency, "max") >= json_number_value(json_array_get(last, 0)))
		return true;
	reason_say(n->why, "metrics.%s: its min or max lies outside of %s", name, key);
	return false;
}

/*
 * Each operation has a latency, and in an open loop those that were due and did not finish. A peer
 * counts for itself: its window opens and closes a little later than ours.
 */
static bool has_latencies(const struct numbers *n)
{
	static const char *const names[] = { "latency_ns", "latency_uncorrected_ns",
					     "sync_latency_ns" };
	const json_t *latency = json_object_get(n->metrics, "latency_ns");
	double ops = metric_of(n, "ops"), count = metric_of(n, "latency_ns.count");
	double counted = ops + (n->open_loop ? or_zero(metric_of(n, "unfinished")) : 0);
	bool ours = strcmp(string_at(latency, "source"), "driver") == 0 || !n->workload->latency;
	double slack = 0;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (!is_latency_in_order(n, names[i]))
			return false;
	if (n->imported)
		slack = counted;
	else if (!ours && n->open_loop && count < counted)
		slack = counted; /* an overloaded peer is behind with its own account */
	else if (!ours)
		slack = counted / 2 + 4 * config_of(n, "depth") + 64;
	else
		count = or_zero(count); /* it has a latency unless nothing finished */
	return is_same(n, "latency_ns.count", count, counted, slack,
		       "the operations that it is of are") &&
	       (!ours || n->imported ||
		is_same(n, "latency_uncorrected_ns.count",
			metric_of(n, "latency_uncorrected_ns.count"), ops, 0, "ops are")) &&
	       (n->imported ||
		is_same(n, "sync_latency_ns.count", metric_of(n, "sync_latency_ns.count"),
			metric_of(n, "syncs"), 0, "syncs are")) &&
	       is_latency_of_histogram(n, "latency_ns", "histogram") &&
	       is_latency_of_histogram(n, "latency_uncorrected_ns", "histogram_uncorrected");
}

/* No more CPU time is used than there is, and its shares are those of the window. */
static bool has_possible_cpu(const struct numbers *n)
{
	static const char *const seconds[] = { "cpu.user_s", "cpu.system_s", "cpu.peer_s",
					       "cpu.host_busy_s" };
	double elapsed_s = metric_of(n, "elapsed_s"), ops = metric_of(n, "ops");
	double cpus = number_at(n->run, "env.cpus_online");
	double all_s = cpus * (1.05 * elapsed_s + TICKS_S);
	double process_s = metric_of(n, "cpu.user_s") + metric_of(n, "cpu.system_s");
	double host_s = metric_of(n, "cpu.host_busy_s");
	double peer_s = metric_of(n, "cpu.peer_s"), rest_s = host_s - process_s - or_zero(peer_s);
	const json_t *per_cpu = at_path(n->metrics, "cpu.per_cpu_pct"), *cpu;
	size_t i;
	for (i = 0; i < sizeof seconds / sizeof *seconds; i++)
		if (!is_at_most(n, seconds[i], metric_of(n, seconds[i]), all_s,
				"all CPUs have in the window"))
			return false;
	json_array_foreach (per_cpu, i, cpu)
		if (json_is_number(cpu) &&
		    !(fabs(json_number_value(cpu) - 50) <= 150 + 100 * TICKS_S / elapsed_s)) {
			reason_say(n->why, "metrics.cpu.per_cpu_pct.%zu is %.9g, and 100 is all", i,
				   json_number_value(cpu));
			return false;
		}
	const double grain = 100 * ROUNDED * cpus;
	double busy_us = 1e6 * fmax(0, host_s - or_zero(peer_s));
	return is_at_most(n, "cpu.user_s and cpu.system_s", process_s, all_s,
			  "all CPUs have in the window") &&
	       (isnan(host_s) || host_s >= -TICKS_S * cpus ||
		is_same(n, "cpu.host_busy_s", host_s, 0, 0, "the least is")) &&
	       is_same(n, "cpu.util_pct", metric_of(n, "cpu.util_pct"), 100 * process_s / elapsed_s,
		       grain, "user_s and system_s are") &&
	       is_same(n, "cpu.us_per_op", metric_of(n, "cpu.us_per_op"), 1e6 * process_s / ops,
		       ROUNDED, "user_s and system_s over ops are") &&
	       is_same(n, "cpu.peer_util_pct", metric_of(n, "cpu.peer_util_pct"),
		       100 * peer_s / elapsed_s, grain, "peer_s is") &&
	       is_same(n, "cpu.host_util_pct", metric_of(n, "cpu.host_util_pct"),
		       100 * host_s / elapsed_s, grain, "host_busy_s is") &&
	       is_same(n, "cpu.other_util_pct", metric_of(n, "cpu.other_util_pct"),
		       100 * rest_s / elapsed_s, grain, "host_busy_s without the process is") &&
	       is_same(n, "cpu.host_us_per_op", metric_of(n, "cpu.host_us_per_op"),
		       isnan(host_s) ? NAN : busy_us / ops, ROUNDED, "host_busy_s over ops is");
}

bool run_numbers_agree(const json_t *run, struct reason *why)
{
	struct numbers n = {
		.run = run,
		.metrics = json_object_get(run, "metrics"),
		.workload = workload_find(string_at(run, "workload.name"), why),
		.imported = json_object_get(run, "imported") != NULL,
		.open_loop = json_is_integer(at_path(run, "config.rate_per_s")),
		.why = why,
	};
	if (!n.workload)
		return false;
	return !json_is_object(n.metrics) ||
	       (has_rates(&n) && has_its_bytes(&n) && has_its_parts(&n) && has_latencies(&n) &&
		(n.imported || has_possible_cpu(&n)));
}
