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
#include "base/size_text.h"
#include "exchange/fio_depth.h"
#include "exchange/fio_options.h"
#include "exchange/short_name.h"
#include "printable_text.h"
#include "run/result.h"
#include "workloads/workload.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Longer names of panels are cut: they are titles of figures and names of files. */
#define PANEL_BYTES_MOST 150

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
static bool is_pattern_denied(const json_t *options, const struct pattern *pattern,
			      const struct fio_counters *counters)
{
	bool verifies = fio_option(options, "verify", NULL) != NULL;
	return (counters->read.ops > 0 && !pattern->reads && !verifies) ||
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
	if (!pattern->reads || !pattern->writes || reads + writes < 1000 ||
	    fio_option(options, "verify", NULL))
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

/* Appends ", NAME=VALUE" to the panel: two values of it do not belong in one plot. */
static void add_to_panel(json_t *workload, const char *name, const char *value)
{
	put_new(workload, "panel",
		json_sprintf("%s, %s%s%s", string_at(workload, "panel"), name, *value ? "=" : "",
			     value));
}

/* The panel of a job whose pattern or size of blocks is not one that we know; its values are null. */
static void put_unknown_work(json_t *workload, const struct work *work)
{
	char size[SIZE_TEXT_BYTES], mix[32] = "", blocks[100] = "blocks of unknown size";
	char words[80] = "";
	const json_t *read_pct = json_object_get(workload, "read_pct");
	const char *cache = string_at(workload, "cache");
	if (work->pattern && json_is_number(read_pct))
		snprintf(mix, sizeof mix, " %.0f%% reads", json_number_value(read_pct));
	if (work->blocks.words)
		copy_printable(work->blocks.words, strlen(work->blocks.words), words, sizeof words);
	if (work->blocks_known && work->blocks.words)
		snprintf(blocks, sizeof blocks, "blocks %s", words);
	else if (work->blocks_known)
		snprintf(blocks, sizeof blocks, "%s", size_brief(work->blocks.bytes, size));
	double bytes = number_at(workload, "size_bytes");
	double fsync_every = number_at(workload, "fsync_every");
	double fdatasync_every = number_at(workload, "fdatasync_every");
	char sync[48] = "";
	if (fsync_every > 0)
		snprintf(sync, sizeof sync, " fsync every %.0f", fsync_every);
	else if (fdatasync_every > 0)
		snprintf(sync, sizeof sync, " fdatasync every %.0f", fdatasync_every);
	put_new(workload, "panel",
		json_sprintf("file %s%s %s %s%s%s%s",
			     work->pattern ? string_at(workload, "rw") : "pattern unknown", mix,
			     blocks,
			     strcmp(cache, "bypassed") == 0  ? "O_DIRECT"
			     : strcmp(cache, "dropped") == 0 ? "page cache dropped"
							     : "page cache",
			     sync, bytes > 0 ? ", " : "",
			     bytes > 0 ? size_brief((uint64_t)bytes, size) : ""));
	if (!work->pattern)
		put_null(workload, "rw");
	if (!work->pattern)
		put_null(workload, "read_pct");
	if (!work->blocks_known || work->blocks.bytes == 0)
		put_null(workload, "bs_bytes");
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
}

/* Nothing is known but what the counters show. */
static void put_unknown_workload(const struct fio_counters *counters, struct fio_translation *t)
{
	const struct fio_direction *sum = &counters->sum;
	bool reads = counters->read.ops > 0, writes = counters->write.ops > 0;
	put_nothing_known(t->workload);
	put_new(t->workload, "panel",
		json_sprintf("file, workload unknown: %s", reads && writes ? "reads and writes"
							   : reads	   ? "reads"
							   : writes	   ? "writes"
									   : "nothing done"));
	json_t *values = required(json_object());
	put_real(values, "mean_bytes", sum->ops > 0 ? sum->bytes / (double)sum->ops : 0);
	remark_add(
		t->remarks, "options_unknown", values,
		"the file does not say fio's options (fio before 2.3 does not write them): pattern, "
		"size of blocks, page cache, engine and depth are not known; an operation was of "
		"{mean_bytes} bytes on average");
}

/* What the panel of `iolab run` does not know of. */
static void complete_panel(const struct fio_output *output, const json_t *options,
			   const struct work *work, struct fio_translation *t)
{
	const char *name, *rw = fio_option(options, "rw", "readwrite");
	const char *size = fio_option(options, "size", NULL);
	json_t *value;
	if (work->pattern && work->pattern->mix_in_order) {
		const char *panel = string_at(t->workload, "panel");
		put_new(t->workload, "panel",
			json_sprintf("file rw%s", panel + strlen("file randrw")));
		put_string(t->workload, "rw", "rw");
	}
	if (!t->file.direct && !output->cache) {
		put_null(t->workload, "cache");
		add_to_panel(t->workload, "cache as fio found it", "");
	}
	if (rw && strchr(rw, ':'))
		add_to_panel(t->workload, "rw", rw);
	if (t->file.size_bytes == 0)
		put_null(t->workload, "size_bytes");
	if (size && t->file.size_bytes == 0)
		add_to_panel(t->workload, "size", size);
	json_object_foreach ((json_t *)options, name, value) {
		if (!fio_is_listed(name, known_options) &&
		    !fio_is_listed(name, fio_driving_options))
			add_to_panel(t->workload, name, json_string_value(value));
	}
}

/* The options are those of one job of a group: the others may have done something else. */
static void put_one_of_group(json_t *workload)
{
	const char *panel = string_at(workload, "panel");
	put_new(workload, "panel",
		json_sprintf("file, a group of jobs, one of them %s", panel + strlen("file ")));
	put_nothing_known(workload);
	json_object_del(workload, "path");
}

/*
 * What is not known may differ from job to job, even where all that is known is the same: such a job
 * is no round of another one.
 */
static void set_apart(const struct fio_output *output, unsigned index, json_t *workload)
{
	const json_t *job = json_array_get(json_object_get(output->document, "jobs"), index);
	put_new(workload, "panel",
		json_sprintf("%s, job %u '%s' of %s", string_at(workload, "panel"), index,
			     string_at(job, "jobname"), output->path));
}

/* The jobs that ran beside this one. */
static void add_company(unsigned beside, struct fio_translation *t)
{
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

/* The panel's name as it may stand in a title, a file's name and on a terminal. */
static void shorten_panel(json_t *workload)
{
	char name[PANEL_BYTES_MOST + 1];
	short_name(string_at(workload, "panel"), name, sizeof name);
	put_string(workload, "panel", name);
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
	unsigned op_limit, seed;
	if (fio_option_count(options, "number_ios", 0, &op_limit, why) < 0 ||
	    fio_option_count(options, "randseed", 0, &seed, why) < 0)
		return -EINVAL;
	config->depth = depth->known ? depth->jobs * depth->iodepth : 0;
	config->op_limit = op_limit;
	config->seed = seed;
	config->warmup_s = fio_option_seconds(fio_option(options, "ramp_time", NULL));
	config->runtime_s = fio_option_seconds(fio_option(options, "runtime", "timeout"));
	config->workload = workload_find("file", why);
	return config->workload ? 0 : -EINVAL;
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
	t->workload = result_workload(config);
	if (!named)
		json_object_del(t->workload, "path");
	if (!any)
		put_unknown_workload(counters, t);
	else if (!work.pattern || !work.blocks_known || work.blocks.bytes == 0)
		put_unknown_work(t->workload, &work);
	if (any)
		complete_panel(output, options, &work, t);
	unsigned beside = companions(jobs, index, false);
	if (any && !depth.jobs_known)
		put_one_of_group(t->workload);
	if (!depth.known)
		add_to_panel(t->workload, "depth unknown", "");
	add_company(fio_option(options, "wait_for", NULL) ? 0 : beside, t);
	if (!depth.known || !work.pattern || !work.blocks_known)
		set_apart(output, index, t->workload);
	shorten_panel(t->workload);
	result_set_words(t->workload, config->workload);
	if (!json_is_number(json_object_get(t->workload, "bs_bytes")))
		put_null(t->workload, "words");
	return 0;
}
