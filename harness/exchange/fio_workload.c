/* SPDX-License-Identifier: MIT */
#include "exchange/fio_workload.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "exchange/fio_depth.h"
#include "exchange/fio_options.h"
#include "exchange/short_name.h"
#include "printable_text.h"
#include "run/result.h"
#include "workloads/panel.h"
#include "workloads/workload.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Longer texts of panels are cut: they are titles of figures and names of files. */
#define PANEL_TEXT_BYTES_MOST 150

/* fio's options that the run has under a name of its own, or that change nothing of the work. */
static const char known_options[] =
	"name description filename directory filename_format ioengine rw readwrite bs "
	"blocksize bsrange blocksize_range bssplit bs_is_seq_rand size direct buffered iodepth "
	"numjobs group_reporting new_group stonewall "
	"wait_for* runtime timeout time_based ramp_time startdelay loops number_ios io_size "
	"io_limit rwmixread rwmixwrite fsync fdatasync invalidate readonly unlink overwrite "
	"create_* fallocate randseed randrepeat allrandrepeat *_percentiles percentile_list "
	"write_*_log log_* thread disk_util kb_base unit_base bwavgtime iopsavgtime "
	"significant_figures refill_buffers *_percentile exitall*";

struct pattern {
	const char *name;
	enum file_pattern rw;
	bool mix_in_order; /* a pattern that `iolab run` has not */
	bool reads, writes, random;
};

/* What is known of the work itself. */
struct work {
	const struct pattern *pattern; /* NULL: not known */
	struct fio_blocks blocks;
	bool blocks_known;
};

/* "randread:8" and "rw" in our words; NULL with `why`. */
static const struct pattern *find_pattern(const json_t *options, struct reason *why)
{
	static const struct pattern patterns[] = {
		{ "read", RW_READ, false, true, false, false },
		{ "write", RW_WRITE, false, false, true, false },
		{ "randread", RW_RANDREAD, false, true, false, true },
		{ "randwrite", RW_RANDWRITE, false, false, true, true },
		{ "randrw", RW_RANDRW, false, true, true, true },
		{ "rw", RW_RANDRW, true, true, true, false },
		{ "readwrite", RW_RANDRW, true, true, true, false },
	};
	char shown[60];
	const char *rw = fio_option(options, "rw", "readwrite");
	if (!rw)
		rw = "read"; /* fio's usual one */
	size_t length = strcspn(rw, ":");
	for (unsigned i = 0; i < LENGTH(patterns); i++)
		if (strlen(patterns[i].name) == length &&
		    strncmp(patterns[i].name, rw, length) == 0)
			return &patterns[i];
	copy_printable(rw, strlen(rw), shown, sizeof shown);
	reason_say(why,
		   "rw=%s has no counterpart here; read, write, rw, randread, randwrite and "
		   "randrw have",
		   shown);
	return NULL;
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

/* The share of reads: the later one of fio's two options for it wins. */
static int find_read_pct(const json_t *options, unsigned *read_pct, struct reason *why)
{
	const char *name;
	json_t *value;
	*read_pct = 50;
	json_object_foreach ((json_t *)options, name, value) {
		unsigned pct;
		bool of_writes = strcmp(name, "rwmixwrite") == 0;
		if (!of_writes && strcmp(name, "rwmixread") != 0)
			continue;
		if (fio_option_count(options, name, 50, &pct, why) < 0)
			return -EINVAL;
		if (pct > 100) {
			reason_say(why, "%s=%u is no share in percent", name, pct);
			return -EINVAL;
		}
		*read_pct = of_writes ? 100 - pct : pct;
	}
	return 0;
}

/* Whether the job goes past the page cache, and in which state that is. */
static void find_cache(const struct fio_output *output, const json_t *options,
		       struct workload_settings *file)
{
	bool buffered = fio_option(options, "buffered", NULL) != NULL;
	file->direct = buffered ? !fio_option_is_on(options, "buffered")
				: fio_option_is_on(options, "direct");
	file->cache = CACHE_WARM;
	if (file->direct)
		file->cache = CACHE_BYPASSED;
	else if (output->cache && strcmp(output->cache, "dropped") == 0)
		file->cache = CACHE_DROPPED;
}

/* fio reads back what it wrote when it is told to verify, and counts that as reads. */
static bool reads_back(const json_t *options)
{
	const char *verify = fio_option(options, "verify", NULL);
	return verify && strcmp(verify, "0") != 0 &&
	       (!fio_option(options, "do_verify", NULL) || fio_option_is_on(options, "do_verify"));
}

static bool is_pattern_denied(const json_t *options, const struct pattern *pattern,
			      const struct fio_counters *counters)
{
	return (counters->read.ops > 0 && !pattern->reads && !reads_back(options)) ||
	       (counters->write.ops > 0 && !pattern->writes);
}

/* The mean length of an operation, against blocks of one size. The last of a file may be shorter. */
static bool are_blocks_denied(const struct fio_counters *counters, double bs_bytes)
{
	const struct fio_direction *sum = &counters->sum;
	if (bs_bytes == 0 || sum->ops == 0 || sum->bytes == 0 || sum->ops_by_blocks)
		return false;
	double mean_bytes = sum->bytes / (double)sum->ops;
	/* Old versions cut to KiB, and rates to a whole number. */
	double error = 0.02 * bs_bytes + (bs_bytes + 2048) / (double)sum->ops;
	return mean_bytes > bs_bytes + error ||
	       (mean_bytes < bs_bytes - error && sum->short_ops == 0);
}

/* The share of reads that the options ask for, against a share of enough operations. */
static bool is_mix_denied(const json_t *options, const struct pattern *pattern,
			  const struct fio_counters *counters, double asked_pct)
{
	double reads = (double)counters->read.ops, writes = (double)counters->write.ops;
	if (!pattern->reads || !pattern->writes || reads + writes < 1000 || reads_back(options))
		return false;
	return fabs(100 * reads / (reads + writes) - asked_pct) > 10;
}

/* Holds the work that the options name against the counters. */
static void check_work(const json_t *options, const struct fio_counters *counters, double read_pct,
		       struct work *work, json_t *remarks)
{
	if (is_mix_denied(options, work->pattern, counters, read_pct)) {
		json_t *values = required(json_object());
		put_real(values, "asked_pct", read_pct);
		put_int(values, "reads", counters->read.ops);
		put_int(values, "writes", counters->write.ops);
		remark_add(remarks, "mix_contradicts", values,
			   "by its options {asked_pct} % are reads, by its counters it is {reads} "
			   "reads and {writes} writes");
	}
	if (is_pattern_denied(options, work->pattern, counters)) {
		json_t *values = required(json_object());
		put_string(values, "rw", work->pattern->name);
		put_int(values, "reads", counters->read.ops);
		put_int(values, "writes", counters->write.ops);
		remark_add(
			remarks, "pattern_contradicts", values,
			"fio's file contradicts itself: by its options it is {rw}, by its counters "
			"{reads} reads and {writes} writes; the pattern is not known");
		work->pattern = NULL;
	}
	if (are_blocks_denied(counters, work->blocks.bytes)) {
		json_t *values = required(json_object());
		put_int(values, "bs_bytes", work->blocks.bytes);
		put_real(values, "mean_bytes", counters->sum.bytes / (double)counters->sum.ops);
		remark_add(
			remarks, "block_size_contradicts", values,
			"fio's file contradicts itself: blocks of {bs_bytes} bytes by its options, "
			"of {mean_bytes} by its bytes over its operations; their size is not known");
		work->blocks_known = false;
	}
}

/* Fills in work and settings from the options. */
static int find_work(const struct fio_output *output, const json_t *options, struct work *work,
		     struct workload_settings *file, struct reason *why)
{
	const struct pattern *pattern = work->pattern = find_pattern(options, why);
	if (!pattern)
		return -EOPNOTSUPP;
	int rc = fio_option_blocks(options, pattern->reads, pattern->writes, pattern->random,
				   &work->blocks, why);
	if (rc == 0)
		rc = find_read_pct(options, &file->read_pct, why);
	if (rc == 0)
		rc = fio_option_count(options, "fsync", 0, &file->fsync_every, why);
	if (rc == 0)
		rc = fio_option_count(options, "fdatasync", 0, &file->fdatasync_every, why);
	if (rc < 0)
		return rc;
	work->blocks_known = true;
	file->rw = pattern->rw;
	file->bs_bytes = work->blocks.bytes;
	/* A size that is a share of the file, or is not given, is not known here. */
	const char *size = fio_option(options, "size", NULL);
	file->size_bytes = size ? fio_option_bytes(options, size) : 0;
	find_cache(output, options, file);
	return 0;
}

/* What the job's options do not say, or its counters deny, is null among the parameters. */
static void put_unknown(const struct fio_output *output, const struct work *work,
			const struct workload_settings *file, json_t *workload)
{
	if (work->pattern && work->pattern->mix_in_order)
		put_string(workload, "rw", "rw");
	if (!work->pattern) {
		put_null(workload, "rw");
		put_null(workload, "read_pct");
	}
	if (!work->blocks_known || work->blocks.bytes == 0)
		put_null(workload, "bs_bytes");
	if (work->blocks_known && work->blocks.words) {
		char words[80];
		copy_printable(work->blocks.words, strlen(work->blocks.words), words, sizeof words);
		put_string(workload, "blocks", words);
	}
	if (!file->direct && !output->cache)
		put_null(workload, "cache");
	if (file->size_bytes == 0)
		put_null(workload, "size_bytes");
}

/* Of what was asked for, nothing is known. */
static void put_nothing_known(json_t *workload)
{
	static const char *const unknown[] = {
		"rw",	    "bs_bytes",	   "size_bytes",      "direct",	   "cache",
		"read_pct", "fsync_every", "fdatasync_every", "fd_per_op",
	};
	for (unsigned i = 0; i < LENGTH(unknown); i++)
		put_null(workload, unknown[i]);
	json_object_del(workload, "blocks");
}

/* Nothing is known but what the counters show. */
static void remark_on_counters(const struct fio_counters *counters, json_t *remarks)
{
	const struct fio_direction *sum = &counters->sum;
	json_t *values = required(json_object());
	put_real(values, "mean_bytes", sum->ops > 0 ? sum->bytes / (double)sum->ops : 0);
	remark_add(
		remarks, "options_unknown", values,
		"the file does not say fio's options (fio before 2.3 does not write them): pattern, "
		"size of blocks, page cache, engine and depth are not known; an operation was of "
		"{mean_bytes} bytes on average");
}

/* An option of fio's: two values of it do not belong in one plot. */
static void add_foreign_option(json_t *panel, const char *name, const char *value)
{
	json_t *key = required(json_sprintf("fio_%s", name));
	json_t *words = required(json_sprintf("%s%s%s", name, *value ? "=" : "", value));
	panel_add(panel, json_string_value(key), required(json_string(value)),
		  json_string_value(words));
	json_decref(key);
	json_decref(words);
}

/* The options that have no counterpart in `iolab run`. */
static void add_foreign_options(json_t *panel, const json_t *options,
				const struct workload_settings *file)
{
	const char *name, *rw = fio_option(options, "rw", "readwrite");
	const char *size = fio_option(options, "size", NULL);
	json_t *value;
	if (rw && strchr(rw, ':'))
		add_foreign_option(panel, "rw", rw);
	if (size && file->size_bytes == 0)
		add_foreign_option(panel, "size", size);
	json_object_foreach ((json_t *)options, name, value) {
		if (!fio_is_listed(name, known_options) &&
		    !fio_is_listed(name, fio_driving_options))
			add_foreign_option(panel, name, json_string_value(value));
	}
}

/* What it did, as its counters show it. */
static void add_counted(json_t *panel, const struct fio_counters *counters)
{
	bool reads = counters->read.ops > 0, writes = counters->write.ops > 0;
	const char *counted = reads && writes ? "reads and writes"
			      : reads	      ? "reads"
			      : writes	      ? "writes"
					      : "nothing done";
	panel_add(panel, "fio_reads", json_boolean(reads), counted);
	put_bool(json_object_get(panel, "values"), "fio_writes", writes);
}

/*
 * What is not known may differ from job to job, even where all that is known is the same: such a job
 * is no round of another one.
 */
static void set_apart(json_t *panel, const struct fio_output *output, unsigned index)
{
	const json_t *job = json_array_get(json_object_get(output->document, "jobs"), index);
	json_t *words = required(
		json_sprintf("job %u '%s' of %s", index, string_at(job, "jobname"), output->path));
	panel_add(panel, "fio_job", required(json_integer(index)), json_string_value(words));
	put_string(json_object_get(panel, "values"), "fio_file", output->path);
	json_decref(words);
}

/* The jobs that ran beside this one. */
static void add_company(json_t *panel, unsigned beside, json_t *remarks)
{
	if (beside == 0)
		return;
	char words[40];
	snprintf(words, sizeof words, "beside %u other job%s", beside, beside == 1 ? "" : "s");
	panel_add(panel, "fio_jobs_beside", required(json_integer(beside)), words);
	json_t *values = required(json_object());
	put_int(values, "jobs", beside);
	remark_add(remarks, "jobs_beside", values,
		   "other jobs of the same file ran at the same time ({jobs}): this is a share of "
		   "what all reached; stonewall sets them apart");
}

/* The panel's text as it may stand in a title, a file's name and on a terminal. */
static void shorten_text(json_t *panel)
{
	char text[PANEL_TEXT_BYTES_MOST + 1];
	short_name(string_at(panel, "text"), text, sizeof text);
	put_string(panel, "text", text);
}

/* Several jobs of one name, each reported alone. fio can write their sum; we cannot compute it. */
static int refuse_twins(const json_t *options, unsigned twins, struct reason *why)
{
	const char *numjobs = fio_option(options, "numjobs", NULL);
	if (twins == 0)
		return 0;
	char shown[24] = "";
	if (numjobs)
		snprintf(shown, sizeof shown, "numjobs=%.12s", numjobs);
	reason_say(
		why,
		"%s: %u jobs of this name in one group, each reported alone; fio writes what they "
		"reached together with --group_reporting",
		*shown ? shown : "numjobs", twins + 1);
	return -EINVAL;
}

/* What of the configuration is not the workload's own. */
static int find_config(const json_t *options, const struct fio_depth *depth,
		       struct run_config *config, struct reason *why)
{
	if (fio_option_large(options, "number_ios", &config->op_limit, why) < 0 ||
	    fio_option_large(options, "randseed", &config->seed, why) < 0 ||
	    fio_option_check_time(options, "ramp_time", NULL, why) < 0 ||
	    fio_option_check_time(options, "runtime", "timeout", why) < 0)
		return -EINVAL;
	config->depth = depth->known ? depth->jobs * depth->iodepth : 0;
	config->warmup_s = fio_option_seconds(options, "ramp_time", NULL);
	config->runtime_s = fio_option_seconds(options, "runtime", "timeout");
	config->workload = workload_find("file", why);
	return config->workload ? 0 : -EINVAL;
}

/* The panel of `t`, whose parameters are complete. */
static json_t *panel_of(const struct fio_output *output, unsigned index, const json_t *options,
			const struct fio_counters *counters, const struct work *work,
			const struct fio_depth *depth, const struct fio_translation *t)
{
	const json_t *jobs = json_object_get(output->document, "jobs");
	bool any = json_object_size(options) > 0;
	json_t *panel = panel_new(t->options.config.workload, t->workload, NULL);
	if (any)
		add_foreign_options(panel, options, &t->file);
	else
		add_counted(panel, counters);
	if (any && !depth->jobs_known)
		panel_add(panel, "fio_group", json_true(), "one of a group of jobs");
	if (!depth->known)
		panel_add(panel, "depth", json_null(), "depth unknown");
	add_company(panel,
		    fio_option(options, "wait_for", NULL) ? 0 : companions(jobs, index, false),
		    t->remarks);
	if (!depth->known || !work->pattern || !work->blocks_known)
		set_apart(panel, output, index);
	shorten_text(panel);
	return panel;
}

int fio_translate(const struct fio_output *output, unsigned index, const json_t *options,
		  const struct fio_counters *counters, double longest_s, struct fio_translation *t,
		  struct reason *why)
{
	const json_t *jobs = json_object_get(output->document, "jobs");
	bool any = json_object_size(options) > 0;
	struct run_config *config = &t->options.config;
	struct work work = { 0 };
	struct fio_depth depth;
	config->settings = &t->file;
	t->options.round = t->options.position = t->options.plan = -1;
	t->file.cache = CACHE_WARM;
	t->remarks = required(json_array());
	int rc = any ? find_work(output, options, &work, &t->file, why) : 0;
	if (rc == 0)
		rc = refuse_twins(options, companions(jobs, index, true), why);
	if (rc == 0)
		rc = fio_depth_find(options, output->here, counters, longest_s, &depth, t->remarks,
				    why);
	if (rc == 0)
		rc = find_config(options, &depth, config, why);
	if (rc < 0) {
		json_decref(t->remarks);
		return rc;
	}
	t->file.path = fio_option(options, "filename", NULL);
	bool named = t->file.path != NULL;
	if (!named)
		t->file.path = "";
	if (any && depth.jobs_known)
		check_work(options, counters, t->file.read_pct, &work, t->remarks);
	t->depth_known = depth.known;
	t->engine = fio_engine_json(options, &depth);
	t->workload = result_parameters(config);
	if (!named)
		json_object_del(t->workload, "path");
	if (any)
		put_unknown(output, &work, &t->file, t->workload);
	else
		put_nothing_known(t->workload);
	if (!any)
		remark_on_counters(counters, t->remarks);
	json_t *panel = panel_of(output, index, options, counters, &work, &depth, t);
	/* The options are those of one job of the group: the others may have done something else. */
	if (any && !depth.jobs_known) {
		put_nothing_known(t->workload);
		json_object_del(t->workload, "path");
	}
	put_new(t->workload, "panel", panel);
	result_set_words(t->workload, config->workload);
	if (!json_is_number(json_object_get(t->workload, "bs_bytes")))
		put_null(t->workload, "words");
	return 0;
}
