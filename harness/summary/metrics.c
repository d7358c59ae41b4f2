/* SPDX-License-Identifier: MIT */
/* What the rounds of one configuration say, metric by metric. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/estimate_json.h"
#include "base/json_path.h"
#include "base/statistics.h"
#include "summary/parts.h"
#include "summary/summary.h"

/* Every metric that is summarised: its name in the summary is its path in a run. */
static const char *const metric_paths[] = {
	"ops_per_s",
	"bytes_per_s",
	"latency_ns.p50",
	"latency_ns.p99",
	"latency_ns.p99_9",
	"latency_ns.mean",
	"cpu.us_per_op",
	"cpu.host_us_per_op",
	"cpu.util_pct",
	"cpu.user_pct",
	"cpu.system_pct",
	"cpu.host_util_pct",
	"cpu.peer_util_pct",
	"cpu.other_util_pct",
	"cpu.other_above_idle_pct",
	"cpu.host_error_pct",
	"context_switches_per_op",
	"inflight_mean",
	"cpu.host_steal_pct",
	"cpu.user_us_per_op",
	"cpu.system_us_per_op",
	"cpu.other_us_per_op",
	"cpu.host_error_us_per_op",
	"offered_per_s",
	"unfinished",
	"latency_uncorrected_ns.p50",
	"latency_uncorrected_ns.p99",
	"latency_uncorrected_ns.p99_9",
	"hardware.instructions_per_op",
	"hardware.cycles_per_op",
	"hardware.instructions_per_cycle",
	"hardware.cache_misses_per_op",
	"hardware.branch_misses_per_op",
};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Times that a run has in seconds, as a share of a CPU and for an operation. */
static const struct {
	const char *seconds, *percent, *us_per_op;
} times[] = {
	{ "cpu.user_s", "cpu.user_pct", "cpu.user_us_per_op" },
	{ "cpu.system_s", "cpu.system_pct", "cpu.system_us_per_op" },
	{ "cpu.host_error_s", "cpu.host_error_pct", "cpu.host_error_us_per_op" },
	{ "cpu.host_steal_s", "cpu.host_steal_pct", "cpu.host_steal_us_per_op" },
};

bool metric_of(const json_t *run, const json_t *idle, const char *path, double *value)
{
	const json_t *metrics = json_object_get(run, "metrics");
	double ops = number_at(metrics, "ops"), elapsed_s = number_at(metrics, "elapsed_s");
	bool for_an_op = strstr(path, "_per_op") != NULL;
	const json_t *other_pct = at_path(metrics, "cpu.other_util_pct");
	/* A window in which nothing was finished has a rate, 0, and nothing for an operation. */
	if (for_an_op && ops <= 0)
		return false;
	for (unsigned i = 0; i < LENGTH(times); i++) {
		const json_t *time_s = at_path(metrics, times[i].seconds);
		if (strcmp(path, times[i].percent) == 0 || strcmp(path, times[i].us_per_op) == 0) {
			*value = json_number_value(time_s) *
				 (for_an_op ? 1e6 / ops : 100 / elapsed_s);
			return json_is_number(time_s) && elapsed_s > 0;
		}
	}
	if (strcmp(path, "cpu.other_us_per_op") == 0) {
		*value = json_number_value(other_pct) / 100 * elapsed_s * 1e6 / ops;
		return json_is_number(other_pct);
	}
	if (strcmp(path, "cpu.other_above_idle_pct") == 0) {
		*value = json_number_value(other_pct) - number_at(idle, "busy_pct");
		return json_is_number(other_pct) && json_is_object(idle);
	}
	if (strcmp(path, "context_switches_per_op") == 0) {
		*value = (number_at(metrics, "context_switches.voluntary") +
			  number_at(metrics, "context_switches.involuntary")) /
			 ops;
		return json_is_object(json_object_get(metrics, "context_switches"));
	}
	const json_t *found = at_path(metrics, path);
	*value = json_number_value(found);
	return json_is_number(found);
}

/* The estimate of one metric; null when there is none. */
static json_t *metric_json(const struct configuration *c, unsigned rounds, const char *path)
{
	double *values = malloc(rounds * sizeof *values);
	for (unsigned round = 0; round < rounds; round++)
		if (!ok_in_round(c, round) ||
		    !metric_of(c->by_round[round], c->idle, path, &values[round]))
			values[round] = NAN;
	json_t *result = estimate_of(values, rounds);
	free(values);
	return result;
}

json_t *per_cpu_json(const struct configuration *c, unsigned rounds)
{
	size_t cpus = 0;
	for (unsigned round = 0; round < rounds; round++) {
		size_t here = ok_in_round(c, round)
				      ? json_array_size(at_path(c->by_round[round],
								"metrics.cpu.per_cpu_pct"))
				      : 0;
		cpus = here > cpus ? here : cpus;
	}
	double *values = malloc(rounds * sizeof *values);
	json_t *list = json_array();
	for (size_t cpu = 0; cpu < cpus; cpu++) {
		for (unsigned round = 0; round < rounds; round++) {
			const json_t *busy_pct =
				ok_in_round(c, round)
					? json_array_get(at_path(c->by_round[round],
								 "metrics.cpu.per_cpu_pct"),
							 cpu)
					: NULL;
			values[round] =
				json_is_number(busy_pct) ? json_number_value(busy_pct) : NAN;
		}
		json_array_append_new(list, estimate_of(values, rounds));
	}
	free(values);
	return list;
}

json_t *syscalls_json(const struct configuration *c, json_t **spread, json_t **reason)
{
	double values[COUNTING_ROUNDS];
	unsigned count = 0;
	size_t i;
	json_t *run;
	*spread = *reason = json_null();
	json_array_foreach (c->counting, i, run) {
		if (!status_is(run, "ok"))
			continue;
		const json_t *calls = at_path(run, "metrics.syscalls_per_op");
		const json_t *why = at_path(run, "metrics.syscalls_reason");
		if (json_is_number(calls) && count < COUNTING_ROUNDS)
			values[count++] = json_number_value(calls);
		else if (json_is_string(why) && json_is_null(*reason))
			*reason = json_incref((json_t *)why);
	}
	if (count > 0) {
		struct estimate e = estimate_median(values, count);
		json_decref(*reason);
		*reason = json_null();
		*spread = json_pack("{s:f, s:f, s:i}", "min", e.min, "max", e.max, "count",
				    (int)count);
		return json_real(e.median);
	}
	if (json_is_null(*reason))
		*reason = json_string(is_imported(c) ? "imported runs do not tell them"
						     : "no run counted them");
	return json_null();
}

json_t *metrics_json(const struct configuration *c, unsigned rounds)
{
	json_t *metrics = json_object();
	for (unsigned i = 0; i < LENGTH(metric_paths); i++)
		json_object_set_new(metrics, metric_paths[i],
				    metric_json(c, rounds, metric_paths[i]));
	return metrics;
}

/* The rounds' histograms added up. Buckets come in order, and the same ones in every run. */
json_t *merge_histograms(const struct configuration *c, unsigned rounds, const char *key)
{
	json_t *merged = NULL;
	for (unsigned round = 0; round < rounds; round++) {
		if (!ok_in_round(c, round))
			continue;
		const json_t *histogram = json_object_get(c->by_round[round], key);
		if (!json_is_object(histogram))
			continue;
		if (!merged) {
			merged = json_deep_copy(histogram);
			continue;
		}
		json_t *into = json_object_get(merged, "buckets"), *sum = json_array();
		const json_t *from = json_object_get(histogram, "buckets");
		size_t i = 0, j = 0;
		while (i < json_array_size(into) || j < json_array_size(from)) {
			json_t *a = json_array_get(into, i), *b = json_array_get(from, j);
			json_int_t a_low = a ? json_integer_value(json_array_get(a, 0)) : INT64_MAX;
			json_int_t b_low = b ? json_integer_value(json_array_get(b, 0)) : INT64_MAX;
			json_t *bucket = json_deep_copy(a_low <= b_low ? a : b);
			if (a_low == b_low)
				json_array_set_new(
					bucket, 2,
					json_integer(json_integer_value(json_array_get(a, 2)) +
						     json_integer_value(json_array_get(b, 2))));
			json_array_append_new(sum, bucket);
			i += a_low <= b_low;
			j += b_low <= a_low;
		}
		json_object_set_new(merged, "buckets", sum);
	}
	return merged ? merged : json_null();
}
