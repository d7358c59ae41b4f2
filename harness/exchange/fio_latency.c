/* SPDX-License-Identifier: MIT */
#include "exchange/fio_latency.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/whole_number.h"
#include "histogram.h"
#include "run/result.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/*
 * Which of a direction's latencies to take. fio counts three: submission (slat), completion (clat),
 * and their sum (lat), which is what we call latency. Which of them has quantiles is an option of
 * fio's, --lat_percentiles and --clat_percentiles; by default it is clat. Before fio 3 they were in
 * microseconds, under names without a unit.
 */
struct latency_source {
	const json_t *json; /* NULL: nothing was timed */
	double unit_ns;
	bool is_total;
};

static bool has_entries(const json_t *latency, const char *key)
{
	return json_object_size(json_object_get(latency, key)) > 0;
}

static struct latency_source latency_of(const json_t *direction)
{
	static const struct {
		const char *key;
		double unit_ns;
		bool is_total;
	} places[] = { { "lat_ns", 1, true },
		       { "lat", 1000, true },
		       { "clat_ns", 1, false },
		       { "clat", 1000, false } };
	struct latency_source timed = { 0 };
	for (unsigned i = 0; i < LENGTH(places); i++) {
		const json_t *found = json_object_get(direction, places[i].key);
		struct latency_source source = { found, places[i].unit_ns, places[i].is_total };
		/* Bins before fio 3 are numbers of buckets and not nanoseconds. */
		if (has_entries(found, "percentile") ||
		    (places[i].unit_ns == 1 && has_entries(found, "bins")))
			return source;
		if (!timed.json && number_at(found, "max") > 0)
			timed = source;
	}
	return timed;
}

/*
 * Adds json+'s bins. fio's buckets are ours: each power of two is cut into 64, and the key is the
 * middle of the bucket. Minimum, maximum and sum are exact in fio's output. Returns false when
 * there are none.
 */
static bool add_bins(struct histogram *h, const struct latency_source *source)
{
	const json_t *bins = json_object_get(source->json, "bins");
	const char *key;
	json_t *count;
	struct histogram part;
	if (source->unit_ns != 1 || json_object_size(bins) == 0)
		return false;
	histogram_reset(&part);
	json_object_foreach ((json_t *)bins, key, count) {
		int64_t times = whole_number(json_number_value(count), 0, INT64_MAX);
		if (times > 0)
			histogram_record(&part, strtoull(key, NULL, 10), (uint64_t)times);
	}
	if (part.count == 0)
		return false;
	double sum_ns = number_at(source->json, "mean") * (double)part.count;
	part.min_ns = (uint64_t)whole_number(number_at(source->json, "min"), 0, INT64_MAX);
	part.max_ns = (uint64_t)whole_number(number_at(source->json, "max"), 0, INT64_MAX);
	part.sum_ns = (uint64_t)whole_number(sum_ns, 0, INT64_MAX);
	histogram_add(h, &part);
	return true;
}

/* A quantile from "percentile", whose keys are "99.900000"; null when it was not asked for. */
static json_t *percentile(const struct latency_source *source, double wanted)
{
	const char *key;
	json_t *value;
	json_object_foreach (json_object_get(source->json, "percentile"), key, value) {
		if (fabs(strtod(key, NULL) - wanted) < 1e-6)
			return json_real(json_number_value(value) * source->unit_ns);
	}
	return json_null();
}

/* How many operations the latency is of. */
static int64_t timed_count(const struct latency_source *source, int64_t ops)
{
	const json_t *count = json_object_get(source->json, "N");
	return json_is_number(count) ? whole_number(json_number_value(count), 0, INT64_MAX) : ops;
}

static json_t *latency_from_percentiles(const struct latency_source *source, int64_t ops)
{
	double unit_ns = source->unit_ns;
	json_t *latency = required(json_object());
	put_real(latency, "min", number_at(source->json, "min") * unit_ns);
	put_real(latency, "mean", number_at(source->json, "mean") * unit_ns);
	put_new(latency, "p50", percentile(source, 50));
	put_new(latency, "p90", percentile(source, 90));
	put_new(latency, "p99", percentile(source, 99));
	put_new(latency, "p99_9", percentile(source, 99.9));
	put_real(latency, "max", number_at(source->json, "max") * unit_ns);
	put_int(latency, "count", timed_count(source, ops));
	put_real(latency, "error_bound_pct", 100 * HISTOGRAM_ERROR_BOUND);
	put_string(latency, "source", "fio");
	return latency;
}

/* Of several directions without bins: all but the quantiles, which cannot be put together. */
static json_t *latency_without_quantiles(const struct latency_source *sources,
					 const struct fio_direction *directions, unsigned count)
{
	double least_ns = INFINITY, most_ns = 0, sum_ns = 0;
	int64_t all = 0;
	for (unsigned i = 0; i < count; i++) {
		double unit_ns = sources[i].unit_ns;
		int64_t timed = timed_count(&sources[i], directions[i].ops);
		least_ns = fmin(least_ns, number_at(sources[i].json, "min") * unit_ns);
		most_ns = fmax(most_ns, number_at(sources[i].json, "max") * unit_ns);
		sum_ns += number_at(sources[i].json, "mean") * unit_ns * (double)timed;
		all += timed;
	}
	json_t *latency = required(json_object());
	put_real(latency, "min", least_ns);
	put_real(latency, "mean", all > 0 ? sum_ns / (double)all : NAN);
	put_null(latency, "p50");
	put_null(latency, "p90");
	put_null(latency, "p99");
	put_null(latency, "p99_9");
	put_real(latency, "max", most_ns);
	put_int(latency, "count", all);
	put_real(latency, "error_bound_pct", 100 * HISTOGRAM_ERROR_BOUND);
	put_string(latency, "source", "fio");
	return latency;
}

/* Nothing takes longer than its job, and a mean lies between the extremes. */
static bool is_possible(const struct latency_source *source, double longest_s)
{
	double min = number_at(source->json, "min"), mean = number_at(source->json, "mean");
	double max = number_at(source->json, "max");
	return min <= 1.001 * mean + 1 && mean <= 1.001 * max + 1 &&
	       max * source->unit_ns / 1e9 <= longest_s;
}

/* Where the latency begins, unless it is where ours does. */
static void remark_on_clat(const struct latency_source *source, const json_t *direction,
			   json_t *remarks)
{
	const json_t *submission = json_object_get(direction, "slat_ns");
	double unit_ns = submission ? 1 : 1000;
	if (!submission)
		submission = json_object_get(direction, "slat");
	double mean_us = number_at(submission, "mean") * unit_ns / 1e3;
	if (!source->json || source->is_total || mean_us <= 0)
		return; /* a synchronous engine of fio's has no submission apart */
	json_t *values = required(json_object());
	put_real(values, "submission_us", mean_us);
	remark_add(remarks, "completion_latency", values,
		   "its latency is fio's clat and lacks the submission, {submission_us} us on "
		   "average; fio --lat_percentiles=1 --clat_percentiles=0 has both");
}

static void remark_on_impossible(const struct latency_source *source, double longest_s,
				 json_t *remarks)
{
	json_t *values = required(json_object());
	put_real(values, "min_s", number_at(source->json, "min") * source->unit_ns / 1e9);
	put_real(values, "mean_s", number_at(source->json, "mean") * source->unit_ns / 1e9);
	put_real(values, "max_s", number_at(source->json, "max") * source->unit_ns / 1e9);
	put_real(values, "longest_s", longest_s);
	remark_add(
		remarks, "latency_impossible", values,
		"fio's latency cannot be, and is left out: least {min_s} s, mean {mean_s} s, most "
		"{max_s} s; no operation can have taken more than {longest_s} s");
}

/* Latency and histogram of the directions, new references; null where they are not known. */
static void put_together(const struct fio_direction *directions, unsigned count, double longest_s,
			 json_t **latency, json_t **histogram, json_t *remarks)
{
	struct histogram h;
	struct latency_source sources[2] = { { 0 } };
	unsigned binned = 0, timed = 0;
	histogram_reset(&h);
	for (unsigned i = 0; i < count; i++) {
		sources[i] = latency_of(directions[i].json);
		timed += sources[i].json != NULL;
		if (sources[i].json && !is_possible(&sources[i], longest_s)) {
			remark_on_impossible(&sources[i], longest_s, remarks);
			return;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		remark_on_clat(&sources[i], directions[i].json, remarks);
		binned += add_bins(&h, &sources[i]);
	}
	if (binned == count) {
		*latency = result_latency(&h, "fio");
		*histogram = result_histogram(&h);
	} else if (timed == count && count > 1) {
		*latency = latency_without_quantiles(sources, directions, count);
		remark_add(remarks, "quantiles_apart", NULL,
			   "quantiles of reads and of writes cannot be put together; fio "
			   "--output-format=json+ or --unified_rw_reporting=1 can");
	} else if (timed == count && count == 1) {
		*latency = latency_from_percentiles(&sources[0], directions[0].ops);
		if (!has_entries(sources[0].json, "percentile"))
			remark_add(remarks, "no_quantiles", NULL,
				   "fio was told to keep no quantiles of its latency");
	}
}

static json_t *sync_latency(const json_t *job, double longest_s)
{
	struct histogram h;
	struct latency_source source = latency_of(json_object_get(job, "sync"));
	histogram_reset(&h);
	if (!source.json || !is_possible(&source, longest_s))
		return NULL;
	if (add_bins(&h, &source))
		return result_latency(&h, "fio");
	double syncs = number_at(job, "sync.total_ios");
	return latency_from_percentiles(&source, whole_number(syncs, 0, INT64_MAX));
}

void fio_latency_set(json_t *run, json_t *metrics, const json_t *job,
		     const struct fio_counters *counters, double longest_s, json_t *remarks)
{
	json_t *latency = NULL, *histogram = NULL;
	put_together(counters->used, counters->used_count, longest_s, &latency, &histogram,
		     remarks);
	put_new(metrics, "latency_ns", latency);
	put_new(metrics, "sync_latency_ns", sync_latency(job, longest_s));
	put_new(run, "histogram", histogram);
}

double fio_latency_in_flight(const struct fio_counters *counters, double longest_s)
{
	double sum_s = 0, longest_seen_s = 0;
	for (unsigned i = 0; i < counters->used_count; i++) {
		struct latency_source source = latency_of(counters->used[i].json);
		if (!source.json || !is_possible(&source, longest_s))
			return 0;
		sum_s += number_at(source.json, "mean") * source.unit_ns / 1e9 *
			 (double)timed_count(&source, counters->used[i].ops);
		longest_seen_s =
			fmax(longest_seen_s, number_at(source.json, "max") * source.unit_ns / 1e9);
	}
	double elapsed_s = counters->sum.elapsed_s;
	return elapsed_s > 0 ? sum_s / (elapsed_s + longest_seen_s) : 0;
}
