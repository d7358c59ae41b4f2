/* SPDX-License-Identifier: MIT */
#include "exchange/fio_counters.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/whole_number.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Nothing that fio counts comes near it: bytes, operations, milliseconds. */
#define COUNTER_MOST 1e17

static const char *const directions[] = { "read", "write", "trim", "mixed", "sync" };

/* Is it what a counter can be? Sets `why` when it is not. */
static bool is_counter(const json_t *value, const char *where, const char *key, double most,
		       struct reason *why)
{
	double number = json_number_value(value);
	if (!json_is_number(value) || (number >= 0 && number <= most))
		return true;
	reason_say(why, "%s%s%s is %g, which cannot be", where, *where ? "." : "", key, number);
	return false;
}

/* A latency that is too long is fio's own trouble, and told as such; a negative one is none. */
static bool is_latency(const json_t *latency, const char *direction, const char *name,
		       struct reason *why)
{
	static const char *const keys[] = { "min", "max", "mean", "stddev", "N" };
	char where[64];
	const char *key;
	json_t *value;
	snprintf(where, sizeof where, "%s.%.20s", direction, name);
	for (unsigned i = 0; i < LENGTH(keys); i++)
		if (!is_counter(json_object_get(latency, keys[i]), where, keys[i], INFINITY, why))
			return false;
	json_object_foreach (json_object_get(latency, "percentile"), key, value)
		if (!is_counter(value, where, "percentile", INFINITY, why))
			return false;
	json_object_foreach (json_object_get(latency, "bins"), key, value)
		if (!is_counter(value, where, "bins", COUNTER_MOST, why))
			return false;
	return true;
}

static bool is_direction(const json_t *direction, const char *name, struct reason *why)
{
	static const char *const counters[] = { "io_bytes",  "io_kbytes", "bw_bytes",
						"bw",	     "iops",	  "runtime",
						"total_ios", "short_ios", "drop_ios" };
	const char *key;
	json_t *value;
	for (unsigned i = 0; i < LENGTH(counters); i++)
		if (!is_counter(json_object_get(direction, counters[i]), name, counters[i],
				COUNTER_MOST, why))
			return false;
	json_object_foreach ((json_t *)direction, key, value)
		if (json_is_object(value) && !is_latency(value, name, key, why))
			return false;
	return true;
}

static bool is_given(const json_t *direction, const char *key)
{
	return json_is_number(json_object_get(direction, key));
}

/*
 * Before fio 3 io_bytes counted KiB, and there was no bw_bytes; bw has always been in KiB/s, cut to a
 * whole number in many versions. Which unit io_bytes has, its rate says.
 */
static void count_bytes(struct fio_direction *d)
{
	double given = number_at(d->json, "io_bytes"), bw = 1024 * number_at(d->json, "bw");
	double about = bw * d->elapsed_s;
	d->bytes = given;
	if (!is_given(d->json, "io_kbytes") && !is_given(d->json, "bw_bytes")) {
		bool kib = fabs(1024 * given - about) < fabs(given - about);
		d->bytes = given > 0 ? (kib ? 1024 : 1) * given : about;
	} else if (given == 0) {
		d->bytes = 1024 * number_at(d->json, "io_kbytes");
	}
	if (number_at(d->json, "bw_bytes") > 0)
		d->bytes_per_s = number_at(d->json, "bw_bytes");
	else
		d->bytes_per_s = d->elapsed_s > 0 && d->bytes > 0 ? d->bytes / d->elapsed_s : bw;
	if (d->bytes == 0)
		d->bytes = d->bytes_per_s * d->elapsed_s;
}

static struct fio_direction direction_of(const json_t *job, const char *name, double bs_bytes)
{
	struct fio_direction d = { .json = json_object_get(job, name) };
	double iops = number_at(d.json, "iops");
	d.short_ops = whole_number(number_at(d.json, "short_ios"), 0, INT64_MAX);
	d.elapsed_s = number_at(d.json, "runtime") / 1e3;
	count_bytes(&d);
	d.ops_per_s = iops;
	/* A 0 that its bytes and its rate deny is no counter. */
	if (is_given(d.json, "total_ios") &&
	    (number_at(d.json, "total_ios") > 0 || d.bytes == 0 || iops == 0)) {
		d.ops = whole_number(number_at(d.json, "total_ios"), 0, INT64_MAX);
		/* Old versions cut the rate to a whole number. */
		double rate = d.elapsed_s > 0 ? (double)d.ops / d.elapsed_s : 0;
		if (iops == 0 || (iops == floor(iops) && fabs(iops - rate) < 1))
			d.ops_per_s = rate;
		return d;
	}
	/* Blocks of one size are more exact than a rate that is a whole number, unless it denies them. */
	double ops = iops * d.elapsed_s, blocks = bs_bytes > 0 ? d.bytes / bs_bytes : 0;
	bool by_blocks =
		blocks > 0 && (iops == 0 || fabs(blocks - ops) < (1 + 0.01 * iops) * d.elapsed_s);
	if (by_blocks)
		ops = blocks;
	d.ops = whole_number(ops, 0, INT64_MAX);
	d.ops_computed = d.ops > 0;
	d.ops_by_blocks = d.ops > 0 && by_blocks;
	if (d.elapsed_s > 0 && (iops == 0 || (iops == floor(iops) && by_blocks)))
		d.ops_per_s = ops / d.elapsed_s;
	return d;
}

/* The least depth that fio's shares of "iodepth_level" prove: its words are 1, 2, 4 ... ">=64". */
static int64_t depth_of_levels(const json_t *job)
{
	const char *level;
	json_t *share_pct;
	int64_t seen = 0;
	json_object_foreach (json_object_get(job, "iodepth_level"), level, share_pct) {
		long depth = strtol(level + strspn(level, ">="), NULL, 10);
		if (json_number_value(share_pct) > 0 && depth > seen)
			seen = depth;
	}
	return seen;
}

int fio_counters_read(struct fio_counters *counters, const json_t *job, double bs_bytes,
		      struct reason *why)
{
	*counters = (struct fio_counters) { 0 };
	for (unsigned i = 0; i < LENGTH(directions); i++)
		if (!is_direction(json_object_get(job, directions[i]), directions[i], why))
			return -ERANGE;
	if (!is_counter(json_object_get(job, "job_start"), "", "job_start", COUNTER_MOST, why) ||
	    !is_counter(json_object_get(job, "job_runtime"), "", "job_runtime", COUNTER_MOST, why))
		return -ERANGE;
	struct fio_direction mixed = direction_of(job, "mixed", bs_bytes);
	struct fio_direction *sum = &counters->sum;
	counters->read = direction_of(job, "read", bs_bytes);
	counters->write = direction_of(job, "write", bs_bytes);
	if (mixed.ops > 0)
		counters->used[counters->used_count++] = mixed;
	if (mixed.ops == 0 && counters->read.ops > 0)
		counters->used[counters->used_count++] = counters->read;
	if (mixed.ops == 0 && counters->write.ops > 0)
		counters->used[counters->used_count++] = counters->write;
	for (unsigned i = 0; i < counters->used_count; i++) {
		const struct fio_direction *d = &counters->used[i];
		sum->ops += d->ops;
		sum->short_ops += d->short_ops;
		sum->ops_per_s += d->ops_per_s;
		sum->bytes += d->bytes;
		sum->bytes_per_s += d->bytes_per_s;
		sum->elapsed_s = fmax(sum->elapsed_s, d->elapsed_s);
		sum->ops_computed |= d->ops_computed;
		sum->ops_by_blocks |= d->ops_by_blocks;
	}
	double jobs_s = number_at(job, "job_runtime") / 1e3;
	if (sum->elapsed_s > 0)
		counters->jobs_seen = jobs_s / sum->elapsed_s;
	counters->depth_seen = depth_of_levels(job);
	return 0;
}

void fio_counters_remark(const struct fio_counters *counters, json_t *remarks)
{
	if (counters->sum.ops_computed)
		remark_add(remarks, "operations_computed", NULL,
			   "this version of fio does not write the number of operations; it is "
			   "computed from bytes, rate and run time");
	for (unsigned i = 0; i < counters->used_count; i++) {
		const struct fio_direction *d = &counters->used[i];
		double rate = d->elapsed_s > 0 ? (double)d->ops / d->elapsed_s : 0;
		/* fio's run time is in whole milliseconds. */
		double error = 0.01 * rate + (rate > 0 ? rate * 0.001 / d->elapsed_s : 0);
		if (rate == 0 || fabs(rate - d->ops_per_s) <= error)
			continue;
		json_t *values = required(json_object());
		put_real(values, "fio_per_s", d->ops_per_s);
		put_real(values, "counted_per_s", rate);
		remark_add(
			remarks, "rate_contradicts", values,
			"fio's file contradicts itself: it says {fio_per_s} operations a second, "
			"but its operations over its run time are {counted_per_s}");
	}
}
