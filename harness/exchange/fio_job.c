/* SPDX-License-Identifier: MIT */
/*
 * fio's words and ours. What fio measures in another way is left out and not put under our names:
 * its CPU time and context switches are those of the job's own thread, and its completion latency
 * begins when the submission is over.
 */
#include "exchange/fio_job.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/whole_number.h"
#include "exchange/fio_counters.h"
#include "exchange/fio_latency.h"
#include "exchange/fio_options.h"
#include "exchange/fio_shape.h"
#include "exchange/fio_workload.h"
#include "meters/environment.h"
#include "metrics/documents.h"
#include "metrics/metric.h"
#include "printable_text.h"
#include "run/result.h"

/* The last second of the year 9999: what has four digits in a result. */
#define TIME_MOST_S 253402300799

/* fio's engines that exist on Linux only, which tells whose error numbers a file has. */
static const char linux_engines[] =
	"libaio io_uring io_uring_cmd pvsync2 splice sg mtd e4defrag ftruncate falloc netsplice nbd";

/* The command that repeats the job. */
static json_t *fio_command(const json_t *options, const char *jobname)
{
	json_t *command = required(json_array());
	json_array_append_new(command, required(json_string("fio")));
	json_array_append_new(command, required(json_sprintf("--name=%s", jobname)));
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

/* How long an operation of the job can have taken: no longer than all of it, with its run-up. */
static double longest_s_of(const json_t *job, const json_t *options)
{
	double run_s = 0, ramp_s = fio_option_seconds(options, "ramp_time", NULL);
	static const char *const directions[] = { "read", "write", "mixed" };
	for (unsigned i = 0; i < 3; i++) {
		const json_t *direction = json_object_get(job, directions[i]);
		run_s = fmax(run_s, number_at(direction, "runtime") / 1e3);
	}
	/* fio's "elapsed" is in whole seconds. */
	return fmax(run_s, number_at(job, "elapsed")) + ramp_s + 1;
}

/* Sets metrics and histogram. False with `why` when there are none. */
static bool set_metrics(json_t *run, const json_t *job, const struct fio_counters *counters,
			double longest_s, json_t *remarks, struct reason *why)
{
	const struct fio_direction *sum = &counters->sum;
	if (counters->used_count == 0) {
		reason_set(why, "fio_finished_nothing", "fio finished no operation");
		return false;
	}
	if (!(sum->ops_per_s > 0)) {
		reason_set(why, "fio_no_rate",
			   "fio took less than its millisecond for all of it, so there is no rate");
		return false;
	}
	fio_counters_remark(counters, remarks);
	json_t *metrics = metrics_unknown();
	metric_put(metrics, "elapsed_s", sum->elapsed_s);
	metric_put(metrics, "ops", (double)sum->ops);
	metric_put(metrics, "bytes", sum->bytes);
	/* With unified_rw_reporting=1 fio does not tell them apart. */
	if (counters->read.json || counters->write.json) {
		metric_put(metrics, "reads", (double)counters->read.ops);
		metric_put(metrics, "writes", (double)counters->write.ops);
	}
	metric_put(metrics, "syncs", number_at(job, "sync.total_ios"));
	metric_put(metrics, "short_transfers", (double)sum->short_ops);
	metric_put(metrics, METRIC_RATE, sum->ops_per_s);
	metric_put(metrics, "bytes_per_s", sum->bytes_per_s);
	put_null(metrics, "latency_uncorrected_ns");
	put_null(metrics, "steadiness");
	put_null(json_object_get(metrics, "cpu"), "per_cpu_pct");
	put_null(json_object_get(metrics, "hardware"), "scope");
	put_null(json_object_get(metrics, "hardware"), "running_pct");
	put_new(metrics, "syscalls_reason",
		remark_new("syscalls_not_imported", NULL, "fio does not count system calls"));
	put_new(metrics, "hardware_reason",
		remark_new("hardware_not_imported", NULL, "fio does not read hardware counters"));
	fio_latency_set(run, metrics, job, counters, longest_s, remarks);
	put_new(run, "metrics", metrics);
	return true;
}

/* The job's own start where fio tells it, or else when its output was written. */
static json_t *time_of(const struct fio_output *output, const json_t *job)
{
	char text[32];
	double start_s = floor(number_at(job, "job_start") / 1e3);
	double written_s = floor(number_at(output->document, "timestamp"));
	time_t time = whole_number(start_s > 0 ? start_s : written_s, 0, TIME_MOST_S);
	if (time == 0)
		time = output->written;
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

/*
 * The first error numbers are the same on every system, but for EAGAIN's. The others have a name
 * only where fio is known to have run on Linux.
 */
static bool is_linux_errno(int64_t number, const json_t *options, bool here)
{
	const char *ioengine = fio_option(options, "ioengine", NULL);
	return here || (number <= ERANGE && number != EAGAIN) ||
	       (ioengine && fio_is_listed(ioengine, linux_engines));
}

/* fio's own error as the reason. */
static void name_error(const json_t *job, const json_t *options, bool here, struct reason *error)
{
	int64_t number = whole_number(fabs(number_at(job, "error")), 1, INT32_MAX);
	const char *said = string_at(job, "desc");
	if (!*said)
		said = "ended with an error";
	if (is_linux_errno(number, options, here))
		reason_errno(error, "fio_error", (int)number, "fio: {said}",
			     reason_string("said", said));
	else
		reason_set(
			error, "fio_foreign_error",
			"fio: {said}: error {number}, by the numbers of the system that it ran on",
			reason_string("said", said), reason_int("number", number));
}

/* ok, or fio's own error. */
static void settle_job(json_t *run, const json_t *job, const struct fio_output *output,
		       const json_t *options, const struct fio_counters *counters, json_t *remarks)
{
	struct reason error;
	bool ok = number_at(job, "error") == 0;
	if (ok)
		ok = set_metrics(run, job, counters, longest_s_of(job, options), remarks, &error);
	else
		name_error(job, options, output->here, &error);
	result_set_status(run, ok ? RESULT_OK : RESULT_ERROR, ok ? NULL : &error);
}

/* What fio itself said, or what its figures say, of a job that did not go as it should. */
static void remark_on_trouble(const struct fio_output *output, const json_t *job,
			      const json_t *options, const struct fio_counters *counters,
			      json_t *remarks)
{
	double asked_s = fio_option_seconds(options, "runtime", "timeout");
	double ran_s = counters->sum.elapsed_s;
	bool limited = fio_option(options, "number_ios", NULL) ||
		       fio_option(options, "io_size", "io_limit") ||
		       fio_option(options, "steadystate", "ss");
	if (output->signal > 0) {
		json_t *values = required(json_object());
		put_int(values, "signal", output->signal);
		remark_add(remarks, "interrupted", values,
			   "fio was interrupted by signal {signal}: its jobs are not whole");
	}
	json_t *steady = json_object_get(job, "steadystate");
	if (steady && number_at(steady, "attained") == 0)
		remark_add(remarks, "not_steady", NULL,
			   "fio was to wait until the job was steady, and it did not become so");
	if (fio_option_is_on(options, "time_based") && !limited && counters->used_count > 0 &&
	    ran_s < 0.9 * asked_s - 0.1) {
		json_t *values = required(json_object());
		put_real(values, "asked_s", asked_s);
		put_real(values, "ran_s", ran_s);
		remark_add(remarks, "ended_early", values,
			   "the job ended after {ran_s} s, of {asked_s} s that it was to run");
	}
	double failed = number_at(job, "total_err");
	if (failed > 0) {
		json_t *values = required(json_object());
		put_int(values, "operations", whole_number(failed, 0, INT64_MAX));
		remark_add(remarks, "operations_failed", values,
			   "{operations} operations failed and fio went on; they are in no figure");
	}
}

/* Times outside of what a result can say. */
static int check_times(const json_t *document, const json_t *job, struct reason *why)
{
	double start_s = number_at(job, "job_start") / 1e3;
	double written_s = number_at(document, "timestamp");
	if (start_s >= 0 && start_s <= TIME_MOST_S && written_s >= 0 && written_s <= TIME_MOST_S)
		return 0;
	reason_say(why, "its time is no date (timestamp %g, job_start %g s)", written_s, start_s);
	return -ERANGE;
}

/* "config": null where fio does not tell, and for settings that `iolab run` has and fio has not. */
static json_t *config_json(const struct fio_translation *t, const json_t *options, json_t *command)
{
	static const char *const ours[] = { "batch_submit", "batch_complete", "compute_us",
					    "verify",	    "cpus",	      "stall_ms" };
	const struct run_config *known = &t->options.config;
	json_t *config = result_config(&t->options, command);
	for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++)
		put_null(config, ours[i]);
	if (!t->depth_known) {
		put_null(config, "depth");
		put_null(config, "x");
	}
	/* fio's may be larger than what JSON's readers take. */
	if (!fio_option(options, "randseed", NULL) || known->seed > INT64_MAX)
		put_null(config, "seed");
	if (!(known->runtime_s > 0))
		put_null(config, "runtime_s");
	if (!fio_option(options, "ramp_time", NULL))
		put_null(config, "warmup_s");
	if (known->op_limit == 0 || known->op_limit > INT64_MAX)
		put_null(config, "op_limit");
	return config;
}

/* The size of all blocks, of a job that may read and write; 0 when it is not one, or not known. */
static double block_bytes_of(const json_t *options)
{
	struct fio_blocks blocks;
	bool one = json_object_size(options) > 0 &&
		   fio_option_blocks(options, true, true, false, &blocks, NULL) == 0;
	return one ? blocks.bytes : 0;
}

json_t *fio_job_run(const struct fio_output *output, unsigned index, struct reason *why)
{
	const json_t *job = json_array_get(json_object_get(output->document, "jobs"), index);
	if (fio_shape_check(output->document, job, why) < 0)
		return NULL;
	json_t *options = fio_options_of(output->document, job);
	struct fio_translation t = { 0 };
	struct fio_counters counters;
	if (check_times(output->document, job, why) < 0 ||
	    fio_counters_read(&counters, job, block_bytes_of(options), why) < 0 ||
	    fio_translate(output, index, options, &counters, longest_s_of(job, options), &t, why) <
		    0) {
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
	remark_on_trouble(output, job, options, &counters, t.remarks);
	json_t *run = required(json_object());
	put_string(run, "schema", RUN_SCHEMA);
	put_new(run, "time_utc", time_of(output, job));
	put_string(run, "status", "error");
	put_null(run, "reason");
	put_new(run, "warnings", t.remarks);
	put_new(run, "engine", t.engine);
	put_new(run, "workload", t.workload);
	put_new(run, "config", config_json(&t, options, command));
	put_new(run, "env", env);
	put_null(run, "metrics");
	put_null(run, "histogram");
	put_null(run, "histogram_uncorrected");
	settle_job(run, job, output, options, &counters, t.remarks);
	put_new(run, "imported", origin(output, job, index, options));
	return run;
}
