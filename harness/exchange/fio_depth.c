/* SPDX-License-Identifier: MIT */
#include "exchange/fio_depth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_put.h"
#include "base/remark.h"
#include "exchange/fio_latency.h"
#include "exchange/fio_options.h"
#include "exchange/short_name.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Longer labels are cut: they stand in tables, beside curves and in names of files. */
#define LABEL_BYTES_MOST 60

#define DEPTH_MOST 100000000

const char fio_driving_options[] =
	"iodepth_* fixedbufs registerfiles sqthread_poll* hipri* nonvectored uncached "
	"force_async userspace_reap cmd_type gtod_* norandommap disable_* clocksource "
	"cpus_allowed* nowait posixaio_* io_submit_mode";

/* fio's engines that have one operation in flight, whatever iodepth says. */
static const char synchronous_engines[] =
	"sync psync vsync pvsync pvsync2 mmap splice libpmem dev-dax";

/*
 * How many jobs the figures are of. fio reports a group as one job with the options of one of its
 * jobs, which may be of several kinds, and up to 3.3 without numjobs; the run times of all of them,
 * added up, tell a group.
 */
static bool knows_jobs(const json_t *options, const struct fio_counters *counters, unsigned jobs)
{
	bool grouped = fio_option_is_on(options, "group_reporting");
	bool given = fio_option(options, "numjobs", NULL) != NULL;
	double seen = counters->jobs_seen;
	/* fio counts in whole milliseconds. */
	double error = counters->sum.elapsed_s > 0 ? 0.003 / counters->sum.elapsed_s : 0;
	if (grouped && !given)
		return seen > 0 && seen <= 1.1 + error;
	if (!grouped && jobs > 1 && seen > 0 && seen + error < 1.5)
		return false;
	return seen <= (jobs + 0.5) * (1 + error);
}

static void remark_on_jobs(const json_t *options, const struct fio_counters *counters,
			   json_t *remarks)
{
	const char *numjobs = fio_option(options, "numjobs", NULL);
	json_t *values = required(json_object());
	put_string(values, "numjobs", numjobs ? numjobs : "not given");
	if (counters->jobs_seen == 0) {
		remark_add(
			remarks, "jobs_unknown", values,
			"fio reports a group of jobs as one, with the options of one of them; how "
			"many jobs there were is not known (numjobs: {numjobs}), nor the workload "
			"and the depth");
		return;
	}
	put_real(values, "jobs_seen", counters->jobs_seen);
	remark_add(
		remarks, "jobs_contradict", values,
		"these are the figures of about {jobs_seen} jobs (their run times over the "
		"group's) and the options of one (numjobs: {numjobs}); workload and depth are not "
		"known");
}

/* The depth by the options, against what was in flight. */
static bool is_proven_wrong(const struct fio_counters *counters, double longest_s, double depth,
			    int64_t iodepth, json_t *remarks)
{
	double elapsed_s = counters->sum.elapsed_s;
	double in_flight = fio_latency_in_flight(counters, longest_s);
	double error = elapsed_s > 0 ? 0.003 / elapsed_s : 0;
	if (counters->depth_seen > iodepth)
		in_flight = (double)counters->depth_seen;
	else if (in_flight <= 1.1 * depth * (1 + error))
		return false;
	json_t *values = required(json_object());
	put_real(values, "options_depth", depth);
	put_real(values, "in_flight", in_flight);
	remark_add(remarks, "depth_contradicts", values,
		   "fio's file contradicts itself: its options allow {options_depth} operations in "
		   "flight, its counters show {in_flight}; the depth is not known");
	return true;
}

int fio_depth_find(const json_t *options, bool here, const struct fio_counters *counters,
		   double longest_s, struct fio_depth *found, json_t *remarks, struct reason *why)
{
	*found = (struct fio_depth) { .ioengine = fio_option(options, "ioengine", NULL) };
	if (json_object_size(options) == 0)
		return 0;
	if (fio_option_count(options, "numjobs", 1, &found->jobs, why) < 0 ||
	    fio_option_count(options, "iodepth", 1, &found->iodepth, why) < 0)
		return -EINVAL;
	/* fio takes at least one of each. */
	found->jobs += found->jobs == 0;
	found->iodepth += found->iodepth == 0;
	if (!found->ioengine && here)
		found->ioengine = "psync"; /* fio's usual one on Linux */
	if (!found->ioengine)
		remark_add(remarks, "engine_unknown", NULL,
			   "--ioengine was not given, and fio's usual engine depends on the system "
			   "that it ran on");
	else if (fio_is_listed(found->ioengine, synchronous_engines))
		found->iodepth = 1;
	found->iodepth_known = found->ioengine || found->iodepth == 1 || counters->depth_seen > 1;
	if (!found->iodepth_known) {
		json_t *values = required(json_object());
		put_int(values, "iodepth", found->iodepth);
		remark_add(
			remarks, "depth_unknown", values,
			"whether its engine had {iodepth} operations in flight, as --iodepth says, "
			"or one is not known");
	}
	found->jobs_known = knows_jobs(options, counters, found->jobs);
	if (!found->jobs_known)
		remark_on_jobs(options, counters, remarks);
	double depth = (double)found->iodepth * found->jobs;
	if (depth > DEPTH_MOST) {
		reason_say(why, "iodepth=%u and numjobs=%u cannot be", found->iodepth, found->jobs);
		return -EINVAL;
	}
	found->known = found->jobs_known && found->iodepth_known &&
		       !is_proven_wrong(counters, longest_s, depth, found->iodepth, remarks);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "+batch_submit=16": the options that say how fio drives its engine. */
static void print_driving_options(FILE *out, const json_t *options)
{
	const char *name, *names[64] = { NULL };
	unsigned count = 0;
	json_t *value;
	json_object_foreach ((json_t *)options, name, value)
		if (count < LENGTH(names) && fio_is_listed(name, fio_driving_options))
			names[count++] = name;
	qsort(names, count, sizeof *names, compare_names);
	for (unsigned i = 0; i < count; i++) {
		const char *given = fio_option(options, names[i], NULL);
		const char *brief = names[i];
		if (strncmp(brief, "iodepth_", strlen("iodepth_")) == 0)
			brief += strlen("iodepth_");
		bool plain = brief == names[i] && (!*given || strcmp(given, "1") == 0);
		fprintf(out, "+%s%s%s", brief, plain ? "" : "=", plain ? "" : given);
	}
}

json_t *fio_engine_json(const json_t *options, const struct fio_depth *depth)
{
	char *variant = NULL;
	size_t size;
	FILE *out = open_memstream(&variant, &size);
	fputs(depth->ioengine ? depth->ioengine : "unknown", out);
	if (json_object_size(options) > 0 && !depth->jobs_known)
		fputs("+jobs_unknown", out);
	else if (depth->jobs > 1 && depth->iodepth > 1)
		fprintf(out, "+%u_jobs", depth->jobs);
	else if (depth->jobs > 1)
		fputs("+jobs", out);
	print_driving_options(out, options);
	fclose(out);
	char name[LABEL_BYTES_MOST + 1];
	short_name(variant, name, sizeof name);
	json_t *engine = required(json_object());
	put_string(engine, "name", "fio");
	put_string(engine, "variant", name);
	put_new(engine, "label", json_sprintf("fio:%s", name));
	free(variant);
	return engine;
}
