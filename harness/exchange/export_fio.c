/* SPDX-License-Identifier: MIT */
/*
 * fio's JSON as fio 3 writes it with --output-format=json+, one job a run. What the two do not
 * count alike is told in docs/results.md; what we do not know (page faults, depths at each
 * submission) is left out.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/whole_number.h"
#include "exchange/export.h"
#include "histogram.h"
#include "meters/environment.h"
#include "summary/place.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* A figure as fio writes its counters. */
static json_int_t integer_of(double value)
{
	return whole_number(value, 0, INT64_MAX);
}

/* A run's histogram as it was when it was recorded. Empty when the run has none. */
static void restore_histogram(struct histogram *h, const json_t *buckets, const json_t *latency)
{
	size_t i;
	json_t *bucket;
	histogram_reset(h);
	json_array_foreach (buckets, i, bucket) {
		uint64_t low_ns = (uint64_t)json_integer_value(json_array_get(bucket, 0));
		histogram_record(h, low_ns,
				 (uint64_t)json_integer_value(json_array_get(bucket, 2)));
	}
	if (h->count == 0)
		return;
	h->min_ns = (uint64_t)integer_of(number_at(latency, "min"));
	h->max_ns = (uint64_t)integer_of(number_at(latency, "max"));
}

/* fio names a bucket by its middle. */
static uint64_t bucket_middle_ns(unsigned bucket)
{
	uint64_t low_ns = histogram_bucket_low_ns(bucket);
	return low_ns + (histogram_bucket_end_ns(bucket) - low_ns) / 2;
}

/* From the buckets' middles: the exact sum of squares is not kept. */
static double deviation_ns(const struct histogram *h, double mean_ns)
{
	double squares = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (h->buckets[i] > 0)
			squares += (double)h->buckets[i] *
				   pow((double)bucket_middle_ns(i) - mean_ns, 2);
	return h->count > 1 ? sqrt(squares / (double)(h->count - 1)) : 0;
}

static json_t *bins_json(const struct histogram *h)
{
	json_t *bins = json_object();
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		char key[24];
		snprintf(key, sizeof key, "%llu", (unsigned long long)bucket_middle_ns(i));
		if (h->buckets[i] > 0)
			json_object_set_new(bins, key, json_integer((json_int_t)h->buckets[i]));
	}
	return bins;
}

static void set_percentile(json_t *percentiles, double percent, double ns)
{
	char key[24];
	snprintf(key, sizeof key, "%f", percent);
	json_object_set_new(percentiles, key, json_integer(integer_of(ns)));
}

/* fio's usual list of them; of a run without a histogram those that it has. */
static json_t *percentiles_json(const struct histogram *h, const json_t *latency)
{
	static const double usual[] = { 1,  5,	10, 20, 30,   40,   50,	   60,	 70,
					80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99 };
	static const struct {
		double percent;
		const char *key;
	} kept[] = { { 50, "p50" }, { 90, "p90" }, { 99, "p99" }, { 99.9, "p99_9" } };
	json_t *percentiles = json_object();
	for (unsigned i = 0; i < LENGTH(usual) && h->count > 0; i++)
		set_percentile(percentiles, usual[i], histogram_quantile_ns(h, usual[i] / 100));
	for (unsigned i = 0; i < LENGTH(kept) && h->count == 0; i++)
		if (json_is_number(json_object_get(latency, kept[i].key)))
			set_percentile(percentiles, kept[i].percent,
				       number_at(latency, kept[i].key));
	return percentiles;
}

/* `latency` may be null: nothing was timed, as fio writes it. */
static json_t *latency_json(const json_t *latency, const json_t *buckets)
{
	struct histogram h;
	double mean_ns = number_at(latency, "mean");
	restore_histogram(&h, buckets, latency);
	json_t *json = required(json_object());
	put_int(json, "min", integer_of(number_at(latency, "min")));
	put_int(json, "max", integer_of(number_at(latency, "max")));
	put_real(json, "mean", mean_ns);
	put_real(json, "stddev", deviation_ns(&h, mean_ns));
	put_int(json, "N", integer_of(number_at(latency, "count")));
	if (json_is_object(latency))
		json_object_set_new(json, "percentile", percentiles_json(&h, latency));
	if (h.count > 0)
		json_object_set_new(json, "bins", bins_json(&h));
	return json;
}

/* fio samples its rate while it runs; we have the window's ten slices. */
static void set_rate_samples(json_t *direction, const json_t *run, double share)
{
	const json_t *slices = at_path(run, "metrics.steadiness.slice_ops");
	double slice_s = number_at(run, "metrics.steadiness.slice_s");
	double sum = 0, squares = 0, least = 0, most = 0;
	size_t count = slice_s > 0 && share > 0 ? json_array_size(slices) : 0;
	for (size_t i = 0; i < count; i++) {
		double rate = share * json_number_value(json_array_get(slices, i)) / slice_s;
		sum += rate;
		squares += rate * rate;
		least = i == 0 ? rate : fmin(least, rate);
		most = fmax(most, rate);
	}
	double mean = count > 0 ? sum / (double)count : 0;
	double variance = count > 1 ? (squares - mean * sum) / (double)(count - 1) : 0;
	put_int(direction, "iops_min", integer_of(least));
	put_int(direction, "iops_max", integer_of(most));
	put_real(direction, "iops_mean", mean);
	put_real(direction, "iops_stddev", sqrt(fmax(variance, 0)));
	put_int(direction, "iops_samples", (int64_t)count);
}

/* One of read, write and mixed: `ops` of the run's operations. */
static json_t *direction_json(const json_t *run, double ops, bool with_latency)
{
	double all = number_at(run, "metrics.ops"), share = all > 0 ? ops / all : 0;
	double bytes_per_s = share * number_at(run, "metrics.bytes_per_s");
	const json_t *latency = with_latency ? at_path(run, "metrics.latency_ns") : NULL;
	const json_t *buckets = with_latency ? at_path(run, "histogram.buckets") : NULL;
	json_int_t bytes = integer_of(share * number_at(run, "metrics.bytes"));
	json_t *direction = required(json_object());
	put_int(direction, "io_bytes", bytes);
	put_int(direction, "io_kbytes", bytes / 1024);
	put_int(direction, "bw_bytes", integer_of(bytes_per_s));
	put_int(direction, "bw", integer_of(floor(bytes_per_s / 1024)));
	put_real(direction, "iops", share * number_at(run, "metrics.ops_per_s"));
	put_int(direction, "runtime",
		share > 0 ? integer_of(1e3 * number_at(run, "metrics.elapsed_s")) : 0);
	put_int(direction, "total_ios", integer_of(ops));
	put_int(direction, "short_ios",
		integer_of(share * number_at(run, "metrics.short_transfers")));
	put_int(direction, "drop_ios", 0);
	put_new(direction, "slat_ns", latency_json(NULL, NULL));
	put_new(direction, "clat_ns", latency_json(latency, buckets));
	put_new(direction, "lat_ns", latency_json(latency, buckets));
	set_rate_samples(direction, run, share);
	return direction;
}

/* Which share of the operations took how long: fio's three small tables. */
static void set_latency_shares(json_t *job, const json_t *run)
{
	static const struct {
		const char *table, *key;
		double limit_ns;
	} shares[] = {
		{ "latency_ns", "2", 2 },	{ "latency_ns", "4", 4 },
		{ "latency_ns", "10", 10 },	{ "latency_ns", "20", 20 },
		{ "latency_ns", "50", 50 },	{ "latency_ns", "100", 100 },
		{ "latency_ns", "250", 250 },	{ "latency_ns", "500", 500 },
		{ "latency_ns", "750", 750 },	{ "latency_ns", "1000", 1e3 },
		{ "latency_us", "2", 2e3 },	{ "latency_us", "4", 4e3 },
		{ "latency_us", "10", 1e4 },	{ "latency_us", "20", 2e4 },
		{ "latency_us", "50", 5e4 },	{ "latency_us", "100", 1e5 },
		{ "latency_us", "250", 2.5e5 }, { "latency_us", "500", 5e5 },
		{ "latency_us", "750", 7.5e5 }, { "latency_us", "1000", 1e6 },
		{ "latency_ms", "2", 2e6 },	{ "latency_ms", "4", 4e6 },
		{ "latency_ms", "10", 1e7 },	{ "latency_ms", "20", 2e7 },
		{ "latency_ms", "50", 5e7 },	{ "latency_ms", "100", 1e8 },
		{ "latency_ms", "250", 2.5e8 }, { "latency_ms", "500", 5e8 },
		{ "latency_ms", "750", 7.5e8 }, { "latency_ms", "1000", 1e9 },
		{ "latency_ms", "2000", 2e9 },	{ "latency_ms", ">=2000", INFINITY },
	};
	struct histogram h;
	restore_histogram(&h, at_path(run, "histogram.buckets"),
			  at_path(run, "metrics.latency_ns"));
	unsigned bucket = 0;
	for (unsigned i = 0; i < LENGTH(shares); i++) {
		uint64_t count = 0;
		for (; bucket < HISTOGRAM_BUCKETS &&
		       (double)bucket_middle_ns(bucket) <= shares[i].limit_ns;
		     bucket++)
			count += h.buckets[bucket];
		json_t *table = json_object_get(job, shares[i].table);
		if (!table) {
			table = json_object();
			json_object_set_new(job, shares[i].table, table);
		}
		json_object_set_new(table, shares[i].key,
				    json_real(h.count ? 100 * (double)count / (double)h.count : 0));
	}
}

static void set_option(json_t *options, const char *name, const json_t *value)
{
	if (json_is_number(value))
		json_object_set_new(options, name, json_sprintf("%g", json_number_value(value)));
	else if (json_is_boolean(value))
		json_object_set_new(options, name, json_string(json_is_true(value) ? "1" : "0"));
	else if (json_is_string(value))
		json_object_set(options, name, (json_t *)value);
}

/* Whole numbers as they are: %g would round a size. */
static void set_bytes(json_t *options, const char *name, const json_t *value)
{
	if (json_integer_value(value) > 0)
		json_object_set_new(options, name,
				    json_sprintf("%lld", (long long)json_integer_value(value)));
}

/*
 * fio's own, with numjobs where it was left out and the depth shows that there was one job: readers
 * of fio's JSON look for it.
 */
static json_t *imported_options(const json_t *run)
{
	json_t *options = json_copy((json_t *)at_path(run, "imported.options"));
	if (!json_object_get(options, "numjobs") && json_is_number(at_path(run, "config.depth")))
		put_string(options, "numjobs", "1");
	return options;
}

/* As fio would have to be told, as far as it has words for it. All values are strings there. */
static json_t *options_json(const json_t *run, const char *jobname)
{
	if (json_is_object(at_path(run, "imported.options")))
		return imported_options(run);
	json_t *options = required(json_object());
	put_string(options, "name", jobname);
	put_new(options, "ioengine", json_sprintf("iolab-%s", string_at(run, "engine.label")));
	set_option(options, "rw", at_path(run, "workload.rw"));
	set_bytes(options, "bs", at_path(run, "workload.bs_bytes"));
	set_bytes(options, "bs", at_path(run, "workload.msg_size_bytes"));
	set_bytes(options, "size", at_path(run, "workload.size_bytes"));
	set_option(options, "direct", at_path(run, "workload.direct"));
	set_option(options, "rwmixread", at_path(run, "workload.read_pct"));
	if (number_at(run, "workload.fsync_every") > 0)
		set_option(options, "fsync", at_path(run, "workload.fsync_every"));
	if (number_at(run, "workload.fdatasync_every") > 0)
		set_option(options, "fdatasync", at_path(run, "workload.fdatasync_every"));
	set_option(options, "filename", at_path(run, "workload.path"));
	set_option(options, "iodepth", at_path(run, "config.depth"));
	put_string(options, "numjobs", "1");
	set_option(options, "rate_iops", at_path(run, "config.rate_per_s"));
	set_option(options, "runtime", at_path(run, "config.runtime_s"));
	if (number_at(run, "config.warmup_s") > 0)
		set_option(options, "ramp_time", at_path(run, "config.warmup_s"));
	return options;
}

static json_int_t start_ms(const json_t *run)
{
	struct tm time = { 0 };
	if (!strptime(string_at(run, "time_utc"), "%Y-%m-%dT%H:%M:%SZ", &time))
		return 0;
	return 1000 * (json_int_t)timegm(&time);
}

/* fio's CPU figures are the thread's; ours are those of the whole process. */
static void set_cpu(json_t *job, const json_t *run)
{
	double elapsed_s = number_at(run, "metrics.elapsed_s");
	double user_pct = number_at(run, "imported.thread_usr_cpu_pct");
	double system_pct = number_at(run, "imported.thread_sys_cpu_pct");
	double switches = number_at(run, "imported.thread_context_switches") +
			  number_at(run, "metrics.context_switches.voluntary") +
			  number_at(run, "metrics.context_switches.involuntary");
	if (elapsed_s > 0) {
		user_pct += 100 * number_at(run, "metrics.cpu.user_s") / elapsed_s;
		system_pct += 100 * number_at(run, "metrics.cpu.system_s") / elapsed_s;
	}
	put_int(job, "job_runtime", integer_of(1e3 * elapsed_s));
	put_real(job, "usr_cpu", user_pct);
	put_real(job, "sys_cpu", system_pct);
	put_int(job, "ctx", integer_of(switches));
}

/* Reads and writes apart have no latency of their own here: that is in "mixed". */
static void set_directions(json_t *job, const json_t *run)
{
	double ops = number_at(run, "metrics.ops"), writes = number_at(run, "metrics.writes");
	bool apart = !json_is_null(at_path(run, "metrics.reads"));
	bool both = !apart || (writes > 0 && writes < ops);
	json_object_set_new(job, "read",
			    direction_json(run, apart ? ops - writes : 0, !both && writes == 0));
	json_object_set_new(job, "write", direction_json(run, writes, !both && writes > 0));
	json_object_set_new(job, "trim", direction_json(run, 0, false));
	json_t *sync = required(json_object());
	put_int(sync, "total_ios", integer_of(number_at(run, "metrics.syncs")));
	put_new(sync, "lat_ns", latency_json(at_path(run, "metrics.sync_latency_ns"), NULL));
	put_new(job, "sync", sync);
	if (both)
		json_object_set_new(job, "mixed", direction_json(run, ops, true));
}

static json_t *job_json(const json_t *run, unsigned number)
{
	const char *panel = string_at(run, "workload.panel.text");
	char place[64];
	json_t *name = json_sprintf("%s, %s, %s, round %.0f", string_at(run, "engine.label"), panel,
				    x_words(run, place), number_at(run, "config.round"));
	int error = status_is(run, "ok") ? 0 : status_is(run, "unsupported") ? EOPNOTSUPP : EIO;
	json_t *job = required(json_object());
	put_shared(job, "jobname", name);
	put_int(job, "groupid", number);
	put_int(job, "job_start", start_ms(run));
	put_int(job, "error", error);
	put_int(job, "eta", 0);
	put_int(job, "elapsed", integer_of(ceil(number_at(run, "metrics.elapsed_s"))));
	put_new(job, "job options", options_json(run, json_string_value(name)));
	char *reason = remark_text(json_object_get(run, "reason"));
	put_string(job, "desc", error ? reason : panel);
	free(reason);
	set_directions(job, run);
	set_cpu(job, run);
	set_latency_shares(job, run);
	json_decref(name);
	return job;
}

void export_fio(FILE *out, const json_t *runs, const json_t *summary)
{
	json_t *jobs = json_array();
	size_t i;
	json_t *run;
	json_int_t last_ms = 0;
	char text[32] = "";
	(void)summary;
	json_array_foreach (runs, i, run) {
		if (json_is_true(at_path(run, "config.count_syscalls")))
			continue;
		json_array_append_new(jobs, job_json(run, (unsigned)json_array_size(jobs)));
		last_ms = start_ms(run) > last_ms ? start_ms(run) : last_ms;
	}
	time_t last = (time_t)(last_ms / 1000);
	strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", gmtime(&last));
	json_t *document = required(json_object());
	put_new(document, "fio version", json_sprintf("iolab %s", iolab_version()));
	put_int(document, "timestamp", last_ms / 1000);
	put_int(document, "timestamp_ms", last_ms);
	put_string(document, "time", text);
	put_new(document, "global options", required(json_object()));
	put_new(document, "jobs", jobs);
	put_new(document, "disk_util", required(json_array()));
	json_dumpf(document, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	fputc('\n', out);
	json_decref(document);
}
