/* SPDX-License-Identifier: MIT */
/*
 * fio's words and ours. What fio measures in another way is left out and not put under our names:
 * its CPU time and context switches are those of the job's own thread, and its completion latency
 * begins when the submission is over.
 */
#include "exchange/fio_job.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "histogram.h"
#include "meters/environment.h"
#include "metrics/metric.h"
#include "run/result.h"
#include "run/run_options.h"
#include "workloads/file.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* fio's options that the run has under a name of its own, or that change nothing of the work. */
static const char known_options[] =
	"name description filename directory filename_format ioengine rw readwrite bs "
	"blocksize size direct buffered iodepth numjobs group_reporting new_group stonewall "
	"wait_for* runtime timeout time_based ramp_time startdelay loops number_ios io_size "
	"io_limit rwmixread rwmixwrite fsync fdatasync invalidate readonly unlink overwrite "
	"create_* fallocate randseed randrepeat allrandrepeat *_percentiles percentile_list "
	"write_*_log log_* thread disk_util kb_base unit_base bwavgtime iopsavgtime "
	"significant_figures refill_buffers *_percentile exitall*";

/* How fio drives its engine, or what it spends on itself: told in the engine's label. */
static const char driving_options[] =
	"iodepth_* fixedbufs registerfiles sqthread_poll* hipri* nonvectored uncached "
	"force_async userspace_reap cmd_type gtod_* norandommap disable_* clocksource "
	"cpus_allowed* nowait posixaio_* io_submit_mode";

/* fio's engines that have one operation in flight, whatever iodepth says. */
static const char synchronous_engines[] =
	"sync psync vsync pvsync pvsync2 mmap splice libpmem dev-dax";

/* Is the name one of the words, which may be patterns of the shell's? */
static bool is_listed(const char *name, const char *words)
{
	char pattern[40];
	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");
		snprintf(pattern, sizeof pattern, "%.*s", (int)length, at);
		if (fnmatch(pattern, name, 0) == 0)
			return true;
		at += length;
	}
	return false;
}

/* The value of an option under either of its names; NULL when it was not given. */
static const char *option_of(const json_t *options, const char *name, const char *alias)
{
	const json_t *value = json_object_get(options, name);
	if (!value && alias)
		value = json_object_get(options, alias);
	if (!value)
		return NULL;
	return json_is_string(value) ? json_string_value(value) : "1";
}

/* Whether a yes-or-no option is on: fio writes "1", or nothing where its name alone was given. */
static bool is_on(const json_t *options, const char *name)
{
	const char *value = option_of(options, name, NULL);
	return value && (!*value || atoi(value) != 0);
}

static unsigned count_of(const json_t *options, const char *name, const char *alias, unsigned usual)
{
	const char *value = option_of(options, name, alias);
	long count = value ? strtol(value, NULL, 10) : 0;
	return count > 0 && count <= 1000000 ? (unsigned)count : usual;
}

/*
 * "128k" in bytes; 0 for what is not a size in bytes. With fio's usual kb_base of 1024 k is 1024
 * and ki is 1000, with 1000 the other way round (fio(1), "int").
 */
static uint64_t bytes_of(const char *text, bool k_is_1024)
{
	static const char units[] = "kmgtp";
	char *end;
	double value = strtod(text, &end);
	const char *unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	bool has_i = unit && tolower((unsigned char)end[1]) == 'i';
	end += (unit != NULL) + has_i;
	end += tolower((unsigned char)*end) == 'b';
	if ((*end && *end != ',') || !(value > 0))
		return 0;
	double bytes = value * pow(k_is_1024 != has_i ? 1024 : 1000, unit ? unit - units + 1 : 0);
	return bytes < 0x1p62 ? (uint64_t)bytes : 0;
}

/* "500ms" in seconds; 0 for what is not a time. Seconds are fio's usual unit. */
static double seconds_of(const char *text)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {
		{ "", 1 },	{ "s", 1 },	  { "sec", 1 }, { "ms", 1e-3 }, { "msec", 1e-3 },
		{ "us", 1e-6 }, { "usec", 1e-6 }, { "m", 60 },	{ "h", 3600 },	{ "d", 86400 },
	};
	char *end;
	double value = text ? strtod(text, &end) : 0;
	for (unsigned i = 0; value > 0 && i < LENGTH(units); i++)
		if (strcasecmp(end, units[i].unit) == 0)
			return value * units[i].seconds;
	return 0;
}

/* The jobs of the document that ran at the same time as this one: no stonewall was between them. */
static unsigned companions(const json_t *jobs, unsigned index, bool of_same_name)
{
	const json_t *job = json_array_get(jobs, index);
	unsigned count = 0;
	for (unsigned i = 0; i < json_array_size(jobs); i++) {
		const json_t *other = json_array_get(jobs, i);
		count += i != index &&
			 json_equal(json_object_get(other, "groupid"),
				    json_object_get(job, "groupid")) &&
			 (!of_same_name || json_equal(json_object_get(other, "jobname"),
						      json_object_get(job, "jobname")));
	}
	return count;
}

/* Global options and the job's own, which go before. */
static json_t *merged_options(const json_t *document, const json_t *job)
{
	json_t *options = json_object();
	const json_t *global = json_object_get(document, "global options");
	const json_t *own = json_object_get(job, "job options");
	if (json_is_object(global))
		json_object_update(options, (json_t *)global);
	if (json_is_object(own))
		json_object_update(options, (json_t *)own);
	return options;
}

/* A job in terms of `iolab run`. */
struct translation {
	struct run_options options;
	struct workload_settings file; /* the options' settings */
	json_t *workload;
	json_t *engine;
	json_t *remarks; /* becomes the run's "warnings" */
};

/* "randread:8" and "rw" in our words. fio's sequential mix is a pattern that `iolab run` has not. */
static int translate_pattern(const json_t *options, struct workload_settings *file, bool *in_order,
			     struct reason *why)
{
	static const struct {
		const char *name;
		enum file_pattern rw;
		bool mix_in_order;
	} patterns[] = {
		{ "read", RW_READ, false },	    { "write", RW_WRITE, false },
		{ "randread", RW_RANDREAD, false }, { "randwrite", RW_RANDWRITE, false },
		{ "randrw", RW_RANDRW, false },	    { "rw", RW_RANDRW, true },
		{ "readwrite", RW_RANDRW, true },
	};
	const char *rw = option_of(options, "rw", "readwrite");
	if (!rw)
		rw = "read"; /* fio's default */
	size_t length = strcspn(rw, ":");
	for (unsigned i = 0; i < LENGTH(patterns); i++) {
		if (strlen(patterns[i].name) != length ||
		    strncmp(patterns[i].name, rw, length) != 0)
			continue;
		file->rw = patterns[i].rw;
		*in_order = patterns[i].mix_in_order;
		return 0;
	}
	reason_set(why,
		   "rw=%s has no counterpart here; read, write, rw, randread, randwrite and "
		   "randrw have",
		   rw);
	return -EOPNOTSUPP;
}

/* Appends ", NAME=VALUE" to the panel: what differs in it does not belong into one plot. */
static void add_to_panel(json_t *workload, const char *name, const char *value)
{
	json_object_set_new(workload, "panel",
			    json_sprintf("%s, %s%s%s", string_at(workload, "panel"), name,
					 *value ? "=" : "", value));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "fio:libaio+batch_submit=16". Never the name of an engine of ours. */
static json_t *translate_engine(const json_t *options, const char *ioengine, unsigned jobs,
				unsigned iodepth)
{
	char variant[400];
	const char *name, *names[64] = { NULL };
	unsigned count = 0;
	json_t *value;
	json_object_foreach ((json_t *)options, name, value) {
		if (count < LENGTH(names) && is_listed(name, driving_options))
			names[count++] = name;
	}
	qsort(names, count, sizeof *names, compare_names);
	size_t used = (size_t)snprintf(variant, sizeof variant, "%s", ioengine);
	if (jobs > 1 && iodepth > 1 && used < sizeof variant)
		used += (size_t)snprintf(variant + used, sizeof variant - used, "+%u_jobs", jobs);
	else if (jobs > 1 && used < sizeof variant)
		used += (size_t)snprintf(variant + used, sizeof variant - used, "+jobs");
	for (unsigned i = 0; i < count && used < sizeof variant; i++) {
		const char *given = option_of(options, names[i], NULL);
		const char *brief = names[i];
		if (strncmp(brief, "iodepth_", strlen("iodepth_")) == 0)
			brief += strlen("iodepth_");
		bool plain = brief == names[i] && (!*given || strcmp(given, "1") == 0);
		used += (size_t)snprintf(variant + used, sizeof variant - used, "+%s%s%s", brief,
					 plain ? "" : "=", plain ? "" : given);
	}
	json_t *engine = required(json_object());
	put_string(engine, "name", "fio");
	put_string(engine, "variant", variant);
	put_new(engine, "label", json_sprintf("fio:%s", variant));
	return engine;
}

/* The command that repeats the job. */
static json_t *fio_command(const json_t *options, const char *jobname)
{
	json_t *command = json_pack("[s, o]", "fio", json_sprintf("--name=%s", jobname));
	const char *name;
	json_t *value;
	json_object_foreach ((json_t *)options, name, value) {
		const char *text = json_string_value(value);
		if (strcmp(name, "name") == 0)
			continue;
		json_array_append_new(command, text && *text ? json_sprintf("--%s=%s", name, text)
							     : json_sprintf("--%s", name));
	}
	return command;
}

/* What the panel of `iolab run` does not know of. */
static void complete_panel(const struct fio_output *output, const json_t *options, bool in_order,
			   unsigned beside, struct translation *t)
{
	const char *name, *bs = option_of(options, "bs", "blocksize");
	const char *rw = option_of(options, "rw", "readwrite");
	json_t *value;
	if (in_order) {
		const char *panel = string_at(t->workload, "panel");
		json_object_set_new(t->workload, "panel",
				    json_sprintf("file rw%s", panel + strlen("file randrw")));
		json_object_set_new(t->workload, "rw", json_string("rw"));
	}
	const struct workload_settings *file = &t->file;
	if (!file->direct && !output->cache) {
		json_object_set_new(t->workload, "cache", json_null());
		add_to_panel(t->workload, "cache as fio found it", "");
	}
	if (bs && strchr(bs, ','))
		add_to_panel(t->workload, "bs", bs);
	if (rw && strchr(rw, ':'))
		add_to_panel(t->workload, "rw", rw);
	const char *size = option_of(options, "size", NULL);
	if (size && file->size_bytes == 0)
		add_to_panel(t->workload, "size", size);
	json_object_foreach ((json_t *)options, name, value) {
		if (!is_listed(name, known_options) && !is_listed(name, driving_options))
			add_to_panel(t->workload, name, option_of(options, name, NULL));
	}
	if (beside == 0)
		return;
	char words[40];
	snprintf(words, sizeof words, "beside %u other job%s", beside, beside == 1 ? "" : "s");
	add_to_panel(t->workload, words, "");
	json_t *values = required(json_object());
	put_int(values, "jobs", beside);
	remark_add(t->remarks, "jobs_beside", values,
		   "other jobs of the same file ran at the same time ({jobs}): this is a share of "
		   "what all reached; stonewall sets them apart");
}

/* Whether the job goes past the page cache, and in which state that is. */
static void translate_cache(const struct fio_output *output, const json_t *options,
			    struct workload_settings *file)
{
	const char *buffered = option_of(options, "buffered", NULL);
	file->direct = buffered ? atoi(buffered) == 0 : is_on(options, "direct");
	file->cache = CACHE_WARM;
	if (file->direct)
		file->cache = CACHE_BYPASSED;
	else if (output->cache && strcmp(output->cache, "dropped") == 0)
		file->cache = CACHE_DROPPED;
}

/* Fills `t` from the options; its references are the caller's. Returns 0, or -errno with `why`. */
static int translate(const struct fio_output *output, unsigned index, const json_t *options,
		     struct translation *t, struct reason *why)
{
	const json_t *jobs = json_object_get(output->document, "jobs");
	struct run_config *config = &t->options.config;
	struct workload_settings *file = config->settings = &t->file;
	const char *value = option_of(options, "kb_base", NULL);
	bool k_is_1024 = !value || strcmp(value, "1000") != 0, in_order;
	int rc = translate_pattern(options, file, &in_order, why);
	if (rc < 0)
		return rc;

	unsigned count = count_of(options, "numjobs", NULL, 1);
	unsigned twins = companions(jobs, index, true);
	if (count > 1 && twins > 0) {
		reason_set(why,
			   "numjobs=%u, and each of them by itself; what they reached together "
			   "is what fio writes with --group_reporting",
			   count);
		return -EINVAL;
	}
	/* Sizes given as a share of the file, or not at all, are not known here. */
	value = option_of(options, "size", NULL);
	file->size_bytes = value ? bytes_of(value, k_is_1024) : 0;
	value = option_of(options, "bs", "blocksize");
	uint64_t bs_bytes = value ? bytes_of(value, k_is_1024) : 4096;
	if (bs_bytes == 0 || bs_bytes > UINT32_MAX) {
		reason_set(why, "bs=%s is not a size of blocks", value);
		return -EINVAL;
	}
	file->bs_bytes = (uint32_t)bs_bytes;
	translate_cache(output, options, file);
	value = option_of(options, "rwmixwrite", NULL);
	file->read_pct =
		value ? 100 - (unsigned)atoi(value) : count_of(options, "rwmixread", NULL, 50);
	file->fsync_every = count_of(options, "fsync", NULL, 0);
	file->fdatasync_every = count_of(options, "fdatasync", NULL, 0);
	file->path = option_of(options, "filename", NULL);
	bool named = file->path != NULL;
	if (!named)
		file->path = "";

	const char *ioengine = option_of(options, "ioengine", NULL);
	if (!ioengine)
		ioengine = "psync"; /* fio's default on Linux */
	unsigned iodepth = count_of(options, "iodepth", NULL, 1);
	if (is_listed(ioengine, synchronous_engines))
		iodepth = 1;
	config->depth = iodepth * count;
	config->op_limit = count_of(options, "number_ios", NULL, 0);
	config->seed = count_of(options, "randseed", NULL, 0);
	config->warmup_s = seconds_of(option_of(options, "ramp_time", NULL));
	config->runtime_s = seconds_of(option_of(options, "runtime", "timeout"));
	config->workload = workload_find("file", why);
	t->options.round = t->options.position = t->options.plan = -1;

	t->remarks = json_array();
	t->engine = translate_engine(options, ioengine, count, iodepth);
	t->workload = result_workload(config);
	if (!named)
		json_object_del(t->workload, "path");
	complete_panel(output, options, in_order,
		       option_of(options, "wait_for", NULL) ? 0 : companions(jobs, index, false),
		       t);
	result_set_words(t->workload, config->workload);
	return 0;
}

/* What a job did in one direction: "read", "write" or "mixed", both of them together. */
struct direction {
	const json_t *json;
	json_int_t ops, short_ops;
	double ops_per_s, bytes, bytes_per_s, elapsed_s;
};

static struct direction direction_of(const json_t *job, const char *name)
{
	const json_t *found = json_object_get(job, name);
	struct direction d = { .json = found };
	d.ops = (json_int_t)number_at(found, "total_ios");
	d.short_ops = (json_int_t)number_at(found, "short_ios");
	d.ops_per_s = number_at(found, "iops");
	d.elapsed_s = number_at(found, "runtime") / 1e3;
	/* Before fio 3 io_bytes counted KiB, and there was no bw_bytes; bw has always been in
	 * KiB/s. */
	const json_t *rate = json_object_get(found, "bw_bytes");
	d.bytes_per_s =
		json_is_number(rate) ? json_number_value(rate) : 1024 * number_at(found, "bw");
	d.bytes = json_is_number(json_object_get(found, "io_kbytes")) ? number_at(found, "io_bytes")
								      : d.bytes_per_s * d.elapsed_s;
	return d;
}

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
		json_int_t times = json_integer_value(count);
		if (times > 0)
			histogram_record(&part, strtoull(key, NULL, 10), (uint64_t)times);
	}
	if (part.count == 0)
		return false;
	part.min_ns = (uint64_t)number_at(source->json, "min");
	part.max_ns = (uint64_t)number_at(source->json, "max");
	part.sum_ns = (uint64_t)llround(number_at(source->json, "mean") * (double)part.count);
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

static json_t *latency_from_percentiles(const struct latency_source *source, json_int_t ops)
{
	double unit_ns = source->unit_ns;
	const json_t *count = json_object_get(source->json, "N");
	json_t *latency = required(json_object());
	put_real(latency, "min", number_at(source->json, "min") * unit_ns);
	put_real(latency, "mean", number_at(source->json, "mean") * unit_ns);
	put_new(latency, "p50", percentile(source, 50));
	put_new(latency, "p90", percentile(source, 90));
	put_new(latency, "p99", percentile(source, 99));
	put_new(latency, "p99_9", percentile(source, 99.9));
	put_real(latency, "max", number_at(source->json, "max") * unit_ns);
	put_int(latency, "count", json_is_integer(count) ? json_integer_value(count) : ops);
	put_real(latency, "error_bound_pct", 100 * HISTOGRAM_ERROR_BOUND);
	put_string(latency, "source", "fio");
	return latency;
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

/* Sets latency_ns of the metrics, and the run's histogram. Reads and writes are put together. */
static void set_latency(json_t *run, json_t *metrics, const struct direction *directions,
			unsigned count, json_t *remarks)
{
	struct histogram h;
	json_t *latency = json_null(), *histogram = json_null();
	struct latency_source source = { 0 };
	unsigned binned = 0;
	histogram_reset(&h);
	for (unsigned i = 0; i < count; i++) {
		source = latency_of(directions[i].json);
		remark_on_clat(&source, directions[i].json, remarks);
		binned += add_bins(&h, &source);
	}
	if (binned == count) {
		latency = result_latency(&h, "fio");
		histogram = result_histogram(&h);
	} else if (count > 1) {
		remark_add(remarks, "quantiles_apart", NULL,
			   "quantiles of reads and of writes cannot be put together; fio "
			   "--output-format=json+ or --unified_rw_reporting=1 can");
	} else if (source.json) {
		latency = latency_from_percentiles(&source, directions[0].ops);
		if (!has_entries(source.json, "percentile"))
			remark_add(remarks, "no_quantiles", NULL,
				   "fio was told to keep no quantiles of its latency");
	}
	json_object_set_new(metrics, "latency_ns", latency);
	json_object_set_new(run, "histogram", histogram);
}

static json_t *sync_latency(const json_t *job)
{
	struct histogram h;
	struct latency_source source = latency_of(json_object_get(job, "sync"));
	histogram_reset(&h);
	if (add_bins(&h, &source))
		return result_latency(&h, "fio");
	return source.json ? latency_from_percentiles(&source,
						      (json_int_t)number_at(job, "sync.total_ios"))
			   : json_null();
}

/* Sets metrics and histogram. Returns why there are none, or NULL. */
static const char *set_metrics(json_t *run, const json_t *job, json_t *remarks)
{
	struct direction read = direction_of(job, "read"), write = direction_of(job, "write");
	struct direction mixed = direction_of(job, "mixed"), used[2], sum = { 0 };
	unsigned count = 0;
	if (mixed.ops > 0)
		used[count++] = mixed;
	if (mixed.ops == 0 && read.ops > 0)
		used[count++] = read;
	if (mixed.ops == 0 && write.ops > 0)
		used[count++] = write;
	if (count == 0)
		return "fio finished no operation";
	for (unsigned i = 0; i < count; i++) {
		sum.ops += used[i].ops;
		sum.short_ops += used[i].short_ops;
		sum.ops_per_s += used[i].ops_per_s;
		sum.bytes += used[i].bytes;
		sum.bytes_per_s += used[i].bytes_per_s;
		sum.elapsed_s = fmax(sum.elapsed_s, used[i].elapsed_s);
	}
	if (!(sum.ops_per_s > 0))
		return "fio took less than its millisecond for all of it, so there is no rate";
	json_t *metrics = metrics_unknown();
	metric_put(metrics, "elapsed_s", sum.elapsed_s);
	metric_put(metrics, "ops", (double)sum.ops);
	metric_put(metrics, "bytes", sum.bytes);
	if (read.json ||
	    write.json) { /* with unified_rw_reporting=1 fio does not tell them apart */
		metric_put(metrics, "reads", (double)read.ops);
		metric_put(metrics, "writes", (double)write.ops);
	}
	metric_put(metrics, "syncs", number_at(job, "sync.total_ios"));
	metric_put(metrics, "short_transfers", (double)sum.short_ops);
	metric_put(metrics, METRIC_RATE, sum.ops_per_s);
	metric_put(metrics, "bytes_per_s", sum.bytes_per_s);
	put_new(metrics, "sync_latency_ns", sync_latency(job));
	put_null(metrics, "latency_uncorrected_ns");
	put_null(metrics, "steadiness");
	put_null(json_object_get(metrics, "cpu"), "per_cpu_pct");
	put_null(json_object_get(metrics, "hardware"), "scope");
	put_null(json_object_get(metrics, "hardware"), "running_pct");
	put_new(metrics, "syscalls_reason",
		remark_new("syscalls_not_imported", NULL, "fio does not count system calls"));
	put_new(metrics, "hardware_reason",
		remark_new("hardware_not_imported", NULL, "fio does not read hardware counters"));
	set_latency(run, metrics, used, count, remarks);
	json_object_set_new(run, "metrics", metrics);
	return NULL;
}

/* The job's own start where fio tells it, or else when its output was written. */
static json_t *time_of(const struct fio_output *output, const json_t *job)
{
	char text[32];
	double start_ms = number_at(job, "job_start");
	double written_s = number_at(output->document, "timestamp");
	time_t time = start_ms > 0    ? (time_t)(start_ms / 1e3)
		      : written_s > 0 ? (time_t)written_s
				      : output->written;
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&time));
	return json_string(text);
}

/* Where the run comes from, and what of it has no place among ours. */
static json_t *origin(const struct fio_output *output, const json_t *job, unsigned index,
		      json_t *options)
{
	json_t *origin = required(json_object());
	put_string(origin, "tool", "fio");
	put_string(origin, "version", string_at(output->document, "fio version"));
	put_string(origin, "file", output->path);
	put_string(origin, "job", string_at(job, "jobname"));
	put_int(origin, "index", index);
	put_real(origin, "thread_usr_cpu_pct", number_at(job, "usr_cpu"));
	put_real(origin, "thread_sys_cpu_pct", number_at(job, "sys_cpu"));
	put_real(origin, "thread_context_switches", number_at(job, "ctx"));
	put_new(origin, "options", options);
	return origin;
}

/* ok, or fio's own error. */
static void settle(json_t *run, const json_t *job, json_t *remarks)
{
	struct reason error;
	int number = (int)number_at(job, "error");
	const char *none = number == 0 ? set_metrics(run, job, remarks) : NULL;
	if (number != 0 && *string_at(job, "desc"))
		reason_errno(&error, number, "fio: %s", string_at(job, "desc"));
	else if (number != 0)
		reason_errno(&error, number, "fio ended with an error");
	else if (none)
		reason_set(&error, "%s", none);
	bool ok = number == 0 && !none;
	result_set_status(run, ok ? RESULT_OK : RESULT_ERROR, ok ? NULL : &error);
}

json_t *fio_job_run(const struct fio_output *output, unsigned index, struct reason *why)
{
	const json_t *job = json_array_get(json_object_get(output->document, "jobs"), index);
	json_t *options = merged_options(output->document, job);
	struct translation t = { 0 };
	if (translate(output, index, options, &t, why) < 0) {
		json_decref(options);
		return NULL;
	}
	const char *path = t.file.path;
	json_t *command = fio_command(options, string_at(job, "jobname"));
	json_t *env = output->here ? environment_json(*path ? path : NULL) : json_null();
	remark_add(
		t.remarks, "imported", NULL,
		"imported, not in turns with other runs; fio's CPU time and context switches are "
		"those of the job's own thread, and not shown");
	if (number_at(job, "total_err") > 0) {
		json_t *values = required(json_object());
		put_int(values, "operations", (int64_t)number_at(job, "total_err"));
		remark_add(t.remarks, "operations_failed", values,
			   "{operations} operations failed and fio went on; they are in no figure");
	}
	json_t *run = required(json_object());
	put_string(run, "schema", RUN_SCHEMA);
	put_new(run, "time_utc", time_of(output, job));
	put_string(run, "status", "error");
	put_null(run, "reason");
	put_new(run, "warnings", t.remarks);
	put_new(run, "engine", t.engine);
	put_new(run, "workload", t.workload);
	put_new(run, "config", result_config(&t.options, command));
	put_new(run, "env", env);
	put_null(run, "metrics");
	put_null(run, "histogram");
	put_null(run, "histogram_uncorrected");
	put_new(run, "imported", origin(output, job, index, options));
	settle(run, job, t.remarks);
	return run;
}
