/* SPDX-License-Identifier: MIT */
/* What the rounds of one configuration say, metric by metric. */
#include <math.h>
#include <stdlib.h>

#include "base/estimate_json.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "summary/parts.h"
#include "summary/summary.h"

double value_in_round(const struct measured_config *c, unsigned round, const struct metric *m)
{
	if (!ok_in_round(c, round))
		return NAN;
	return metric_value(m, json_object_get(c->by_round[round], "metrics"), c->idle);
}

/* The estimate of what the runs say that counted system calls; null when none has counted. */
static json_t *estimate_apart(const struct measured_config *c, const struct metric *m)
{
	double values[COUNTING_ROUNDS];
	unsigned count = 0;
	size_t i;
	json_t *run;
	json_array_foreach (c->counting, i, run)
		if (status_is(run, "ok") && count < COUNTING_ROUNDS)
			values[count++] = metric_value(m, json_object_get(run, "metrics"), c->idle);
	return estimate_of(values, count);
}

/* The estimate of one metric over the rounds; null when there is none. */
static json_t *estimate_over_rounds(const struct measured_config *c, unsigned rounds,
				    const struct metric *m)
{
	double *values = malloc(rounds * sizeof *values);
	for (unsigned round = 0; round < rounds; round++)
		values[round] = value_in_round(c, round, m);
	json_t *result = estimate_of(values, rounds);
	free(values);
	return result;
}

json_t *metrics_json(const struct measured_config *c, unsigned rounds)
{
	json_t *metrics = required(json_object());
	for_each_metric (m)
		if (m->in_summary)
			put_new(metrics, m->name,
				m->apart ? estimate_apart(c, m)
					 : estimate_over_rounds(c, rounds, m));
	return metrics;
}

/* "per_cpu_pct" of a round; NULL when it has none. */
static const json_t *cpus_in_round(const struct measured_config *c, unsigned round)
{
	return ok_in_round(c, round) ? at_path(c->by_round[round], "metrics.cpu.per_cpu_pct")
				     : NULL;
}

json_t *per_cpu_estimates(const struct measured_config *c, unsigned rounds)
{
	size_t cpus = 0;
	for (unsigned round = 0; round < rounds; round++) {
		size_t here = json_array_size(cpus_in_round(c, round));
		cpus = here > cpus ? here : cpus;
	}
	double *values = malloc(rounds * sizeof *values);
	json_t *list = required(json_array());
	for (size_t cpu = 0; cpu < cpus; cpu++) {
		for (unsigned round = 0; round < rounds; round++) {
			const json_t *busy_pct = json_array_get(cpus_in_round(c, round), cpu);
			values[round] =
				json_is_number(busy_pct) ? json_number_value(busy_pct) : NAN;
		}
		json_array_append_new(list, estimate_of(values, rounds));
	}
	free(values);
	return list;
}

json_t *syscalls_reason(const struct measured_config *c)
{
	const json_t *reason = NULL;
	size_t i;
	json_t *run;
	json_array_foreach (c->counting, i, run) {
		if (status_is(run, "ok") && json_is_number(at_path(run, "metrics.syscalls_per_op")))
			return json_null();
		if (!reason)
			reason = at_path(run, "metrics.syscalls_reason");
	}
	if (json_is_object(reason))
		return json_incref((json_t *)reason);
	if (is_imported(c))
		return remark_new("syscalls_not_imported", NULL, "imported runs do not tell them");
	return remark_new("syscalls_not_counted", NULL, "no run counted them");
}

/* Two lists of buckets added up, both in order: those of the same place become one. */
static json_t *add_buckets(const json_t *into, const json_t *from)
{
	json_t *sum = required(json_array());
	size_t i = 0, j = 0;
	while (i < json_array_size(into) || j < json_array_size(from)) {
		json_t *a = json_array_get(into, i), *b = json_array_get(from, j);
		json_int_t a_low = a ? json_integer_value(json_array_get(a, 0)) : INT64_MAX;
		json_int_t b_low = b ? json_integer_value(json_array_get(b, 0)) : INT64_MAX;
		json_t *bucket = json_deep_copy(a_low <= b_low ? a : b);
		if (a_low == b_low)
			json_array_set_new(bucket, 2,
					   json_integer(json_integer_value(json_array_get(a, 2)) +
							json_integer_value(json_array_get(b, 2))));
		json_array_append_new(sum, bucket);
		i += a_low <= b_low;
		j += b_low <= a_low;
	}
	return sum;
}

json_t *merge_histograms(const struct measured_config *c, unsigned rounds, const char *key)
{
	json_t *merged = NULL;
	for (unsigned round = 0; round < rounds; round++) {
		const json_t *histogram =
			ok_in_round(c, round) ? json_object_get(c->by_round[round], key) : NULL;
		if (!json_is_object(histogram))
			continue;
		if (merged)
			put_new(merged, "buckets",
				add_buckets(json_object_get(merged, "buckets"),
					    json_object_get(histogram, "buckets")));
		else
			merged = json_deep_copy(histogram);
	}
	return merged ? merged : json_null();
}
