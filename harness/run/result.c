/* SPDX-License-Identifier: MIT */
#include "run/result.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_folder.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/statistics.h"
#include "engines.h"
#include "meters/environment.h"
#include "metrics/documents.h"
#include "metrics/metric.h"
#include "run/pause.h"
#include "workloads/panel.h"

/* Slices of the window shorter than this are recorded, and nothing is concluded from them. */
#define SLICE_JUDGED_S 0.1

json_t *result_engine(const struct engine_ops *engine, uint64_t engine_options)
{
	char variant[200], label[240];
	engine_variant_name(engine, engine_options, variant, sizeof variant);
	engine_label(engine, engine_options, label, sizeof label);
	json_t *entry = required(json_object());
	put_string(entry, "name", engine->name);
	put_string(entry, "variant", variant);
	put_string(entry, "label", label);
	put_string(entry, "lab", engine->lab);
	return entry;
}

static json_t *cpus_json(const cpu_set_t *cpus)
{
	json_t *list = required(json_array());
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus))
			json_array_append_new(list, json_integer(cpu));
	return list;
}

/* A number that a comparison gives its runs; null where a run is alone. */
static void put_given(json_t *config, const char *key, int value)
{
	put_new(config, key, value < 0 ? NULL : json_integer(value));
}

/* What is swept, and how a figure and a report speak of it. */
static void put_axis(json_t *config, const struct run_config *c)
{
	const struct sweep_axis *axis = c->workload->axis;
	bool rate = c->rate_per_s > 0;
	put_string(config, "x_name", rate ? "rate" : axis->option);
	put_int(config, "x", rate ? c->rate_per_s : workload_x(c));
	put_string(config, "x_label", rate ? "operations due in a second" : axis->label);
	put_string(config, "x_unit", rate ? NULL : axis->unit);
	put_string(config, "x_about",
		   rate ? "“Rate” is how many operations are due in a second, whether the earlier "
			  "ones are finished or not."
			: axis->about);
}

json_t *result_config(const struct run_options *options, json_t *command)
{
	const struct run_config *c = &options->config;
	json_t *config = required(json_object());
	put_int(config, "depth", c->depth);
	put_axis(config, c);
	put_int(config, "batch_submit", c->batch_submit);
	put_int(config, "batch_complete", c->batch_complete);
	put_real(config, "compute_us", c->compute_us);
	put_new(config, "compute_loops_per_us",
		c->compute_us > 0 ? json_real(c->compute_loops_per_us) : NULL);
	put_real(config, "runtime_s", c->runtime_s);
	put_real(config, "warmup_s", c->warmup_s);
	put_int(config, "op_limit", (int64_t)c->op_limit);
	put_int(config, "seed", (int64_t)c->seed);
	put_bool(config, "verify", c->verify);
	put_bool(config, "count_syscalls", c->count_syscalls);
	put_bool(config, "count_hardware", c->count_hardware);
	put_new(config, "cpus", cpus_json(&c->cpus));
	put_given(config, "round", options->round);
	put_given(config, "position", options->position);
	put_given(config, "plan", options->plan);
	put_new(config, "command", command);
	put_new(config, "rate_per_s", c->rate_per_s ? json_integer(c->rate_per_s) : NULL);
	put_real(config, "stall_ms", c->stall_ms);
	return config;
}

/* The exact command. argv[0] is "iolab run", for argp. */
static json_t *run_command(int argc, char **argv)
{
	json_t *command = required(json_array());
	json_array_append_new(command, required(json_string(program_invocation_name)));
	json_array_append_new(command, required(json_string("run")));
	for (int i = 1; i < argc; i++)
		json_array_append_new(command, required(json_string(argv[i])));
	return command;
}

json_t *result_parameters(const struct run_config *c)
{
	json_t *workload = required(json_object());
	put_string(workload, "name", c->workload->name);
	put_string(workload, "op", c->workload->op_name);
	if (c->workload->parameters)
		c->workload->parameters(c, workload);
	return workload;
}

json_t *result_workload(const struct run_options *options)
{
	const struct run_config *c = &options->config;
	json_t *workload = result_parameters(c), *config = result_config(options, NULL);
	result_set_words(workload, c->workload);
	put_new(workload, "panel", panel_new(c->workload, workload, config));
	json_decref(config);
	return workload;
}

void result_set_words(json_t *workload, const struct workload_ops *ops)
{
	put_new(workload, "words", ops->words ? ops->words(workload) : NULL);
}

json_t *result_new(const struct run_options *options, int argc, char **argv)
{
	const struct run_config *c = &options->config;
	char stamp[32];
	const char *file = c->workload->path ? c->workload->path(c) : NULL;
	json_t *result = required(json_object());
	put_string(result, "schema", RUN_SCHEMA);
	put_string(result, "time_utc", time_utc(stamp));
	put_string(result, "status", "error"); /* until something better is known */
	put_null(result, "reason");
	put_new(result, "warnings", required(json_array()));
	put_new(result, "engine", result_engine(c->engine, c->engine_options));
	put_new(result, "workload", result_workload(options));
	put_new(result, "config", result_config(options, run_command(argc, argv)));
	put_new(result, "env", environment_json(file));
	put_null(result, "metrics");
	put_null(result, "histogram");
	put_null(result, "histogram_uncorrected");
	return result;
}

void result_set_status(json_t *result, enum result_status status, const struct reason *why)
{
	static const char *const names[] = { "ok", "unsupported", "error" };
	put_string(result, "status", names[status]);
	put_new(result, "reason", why ? remark_of_reason(why) : NULL);
}

json_t *result_latency(const struct histogram *h, const char *source)
{
	if (h->count == 0)
		return json_null();
	json_t *latency = required(json_object());
	put_real(latency, "min", (double)h->min_ns);
	put_real(latency, "mean", histogram_mean_ns(h));
	put_real(latency, "p50", histogram_quantile_ns(h, 0.50));
	put_real(latency, "p90", histogram_quantile_ns(h, 0.90));
	put_real(latency, "p99", histogram_quantile_ns(h, 0.99));
	put_real(latency, "p99_9", histogram_quantile_ns(h, 0.999));
	put_real(latency, "max", (double)h->max_ns);
	put_int(latency, "count", (int64_t)h->count);
	put_real(latency, "error_bound_pct", 100 * HISTOGRAM_ERROR_BOUND);
	put_string(latency, "source", source);
	return latency;
}

json_t *result_histogram(const struct histogram *h)
{
	json_t *buckets = required(json_array());
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (h->buckets[i] == 0)
			continue;
		json_t *bucket = required(json_array());
		append_int(bucket, (int64_t)histogram_bucket_low_ns(i));
		append_int(bucket, (int64_t)histogram_bucket_end_ns(i));
		append_int(bucket, (int64_t)h->buckets[i]);
		json_array_append_new(buckets, bucket);
	}
	json_t *histogram = required(json_object());
	put_string(histogram, "unit", "ns");
	put_real(histogram, "error_bound_pct", 100 * HISTOGRAM_ERROR_BOUND);
	put_new(histogram, "buckets", buckets);
	return histogram;
}

/* Was the window steady? null when it ended by --ops. `warnings` get what was not steady. */
static json_t *window_steadiness(const struct window *window, json_t *warnings)
{
	double values[WINDOW_SLICES], others = 0;
	bool outlying[WINDOW_SLICES];
	if (window->slice_s <= 0)
		return json_null();
	json_t *ops = required(json_array());
	for (unsigned i = 0; i < WINDOW_SLICES; i++) {
		values[i] = (double)window->slice_ops[i];
		others += i > 0 ? values[i] / (WINDOW_SLICES - 1) : 0;
		json_array_append_new(ops, required(json_integer((json_int_t)values[i])));
	}
	struct drift drift = drift_of(values, WINDOW_SLICES);
	find_outliers(values, WINDOW_SLICES, outlying);
	/* In a short window a slice is a few wake-ups long: its unevenness is no news. */
	bool judged = window->slice_s >= SLICE_JUDGED_S;
	if (judged && outlying[0])
		remark_add(warnings, "first_slice_off", NULL,
			   "the first tenth of the window was off by more than 10 %; a longer "
			   "--warmup helps");
	else if (judged && drift.shown)
		remark_add(warnings, "window_drifted", NULL,
			   "the rate drifted by more than 10 % within the window; a longer "
			   "--warmup or --runtime may help");
	json_t *steadiness = required(json_object());
	put_real(steadiness, "slice_s", window->slice_s);
	put_new(steadiness, "slice_ops", ops);
	put_real(steadiness, "drift_pct", 100 * drift.change);
	put_bool(steadiness, "drift_shown", drift.shown);
	put_real(steadiness, "first_slice_pct", others > 0 ? 100 * (values[0] / others - 1) : 0);
	put_bool(steadiness, "first_slice_off", outlying[0]);
	return steadiness;
}

/* Did the run stand still for a while? A rate over the window is not the engine's then. */
static void judge_pause(const struct window *window, const json_t *result, json_t *warnings)
{
	double pause_s = longest_pause_s(window);
	bool syncs =
		number_at(result, "metrics.syncs") > 0; /* a slow disk is seen in their latency */
	if (pause_s <= 0 || syncs || number_at(result, "config.stall_ms") > 0)
		return;
	json_t *values = required(json_object());
	put_real(values, "pause_s", pause_s);
	put_real(values, "window_s", WINDOW_SLICES * window->slice_s);
	remark_add(
		warnings, "paused", values,
		"nothing finished for {pause_s} s of the window of {window_s} s: engine, peer or "
		"machine stood still");
}

/* In an open loop: was what was due also done? */
static void judge_load(const json_t *metrics, json_t *warnings)
{
	double offered_per_s = number_at(metrics, "offered_per_s");
	double achieved_per_s = number_at(metrics, METRIC_RATE);
	if (achieved_per_s >= 0.98 * offered_per_s)
		return;
	json_t *values = required(json_object());
	put_real(values, "offered_per_s", offered_per_s);
	put_real(values, "achieved_per_s", achieved_per_s);
	remark_add(warnings, "load_not_reached", values,
		   "the offered load was not reached: what waits grows as long as the run lasts, "
		   "and latency with it");
}

/* Why "syscalls_per_op" is null; NULL when the calls were counted. */
static json_t *uncounted_syscalls(const struct meter *meter)
{
	if (meter->syscall_counter_fd >= 0)
		return NULL;
	if (meter->no_syscalls.text[0])
		return remark_because("syscalls_refused", "{cause}", &meter->no_syscalls);
	return remark_new("syscalls_not_asked_for", NULL,
			  "counted in a run of its own (--count-syscalls)");
}

/* What "hardware" tells beside its metrics, and why one of them is null. */
static void describe_hardware(const struct meter *meter, const struct hardware_counts *counts,
			      json_t *metrics, json_t *warnings)
{
	json_t *hardware = json_object_get(metrics, "hardware"), *reason = NULL;
	put_string(hardware, "scope", HARDWARE_SCOPE);
	put_real(hardware, "running_pct", counts->running_pct);
	if (!meter->hardware)
		reason = remark_new("hardware_not_asked_for", NULL,
				    "counted where it is asked for (--count-hardware)");
	else if (counts->why.text[0])
		reason = remark_because("hardware_not_counted", "{cause}", &counts->why);
	put_new(metrics, "hardware_reason", reason);
	if (!meter->hardware || !reason)
		return;
	/* What was asked for and is not there must not pass unseen in a comparison's table. */
	json_array_append_new(warnings, remark_because("hardware_not_counted",
						       "hardware counters: {cause}", &counts->why));
}

void result_set_metrics(json_t *result, struct workload *workload, const struct meter *meter,
			const struct window *window, const json_t *observed)
{
	const struct tally *tally = &workload->tally;
	const struct histogram *latency = &tally->latency;
	const struct histogram *uncorrected = &tally->uncorrected;
	const char *source = "driver";
	json_t *warnings = json_object_get(result, "warnings");
	struct measured measured = {
		.workload = workload,
		.window = window,
		.usage = usage_between(meter, &window->begin, &window->end),
		.open_loop = json_is_integer(at_path(result, "config.rate_per_s")),
	};
	if (workload->ops->latency)
		latency = workload->ops->latency(workload, &uncorrected, &source);

	json_t *metrics = metrics_of_run(&measured, observed);
	put_new(result, "metrics", metrics);
	put_new(result, "histogram", result_histogram(latency));
	put_new(metrics, "latency_ns", result_latency(latency, source));
	put_new(metrics, "latency_uncorrected_ns",
		measured.open_loop ? result_latency(uncorrected, source) : NULL);
	put_new(metrics, "sync_latency_ns", result_latency(&tally->sync_latency, "driver"));
	put_new(json_object_get(metrics, "cpu"), "per_cpu_pct",
		per_cpu_json(&window->begin, &window->end));
	put_new(metrics, "syscalls_reason", uncounted_syscalls(meter));
	put_new(metrics, "steadiness", window_steadiness(window, warnings));
	judge_pause(window, result, warnings);
	if (measured.open_loop) {
		put_new(result, "histogram_uncorrected", result_histogram(uncorrected));
		judge_load(metrics, warnings);
	}
	if (workload->ops->describe)
		workload->ops->describe(workload, json_object_get(result, "workload"), metrics,
					warnings);
	describe_hardware(meter, &measured.usage.hardware, metrics, warnings);
	if (tally->ops == 0)
		remark_add(warnings, "nothing_finished", NULL,
			   "nothing was finished within the window; use a longer --runtime");
}

static void print_latency(const char *what, const json_t *latency)
{
	printf("  %-12s p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us (%s's clock, +-%.2f "
	       "%%)\n",
	       what, number_at(latency, "p50") / 1e3, number_at(latency, "p99") / 1e3,
	       number_at(latency, "p99_9") / 1e3, number_at(latency, "max") / 1e3,
	       string_at(latency, "source"), number_at(latency, "error_bound_pct"));
}

/* Which CPUs were busy, whoever used them: what an engine lets the kernel do elsewhere shows here. */
static void print_cpus_of_run(const json_t *metrics)
{
	const json_t *list = at_path(metrics, "cpu.per_cpu_pct");
	const json_t *other_pct = at_path(metrics, "cpu.other_util_pct");
	size_t i, shown_max = 16;
	json_t *busy_pct;
	if (!json_is_number(other_pct))
		return;
	printf("  %-12s", "each CPU");
	json_array_foreach (list, i, busy_pct) {
		if (i == shown_max)
			printf(" ...");
		if (i >= shown_max)
			break;
		if (json_is_number(busy_pct))
			printf(" %.0f", json_number_value(busy_pct));
		else
			printf(" off");
	}
	printf(" %% busy; outside of this process%s %.0f %% of a CPU (+-%.0f %%)\n",
	       json_is_number(at_path(metrics, "cpu.peer_s")) ? " and its peer" : "",
	       json_number_value(other_pct),
	       100 * number_at(metrics, "cpu.host_error_s") / number_at(metrics, "elapsed_s"));
}

/* Of the process, and of the whole system where /proc/stat could be read. */
static void print_cpu(const json_t *metrics, const char *op)
{
	const json_t *cpu = json_object_get(metrics, "cpu");
	printf("  %-12s", "CPU");
	if (json_is_number(json_object_get(cpu, "us_per_op")))
		printf(" %.2f us a %s in this process", number_at(cpu, "us_per_op"), op);
	else
		printf(" this process");
	printf(" (%.0f %% of a CPU)", number_at(cpu, "util_pct"));
	if (json_is_number(json_object_get(cpu, "host_us_per_op")))
		printf(", %.2f us in the whole system", number_at(cpu, "host_us_per_op"));
	putchar('\n');
	print_cpus_of_run(metrics);
	double steal_pct = 100 * number_at(cpu, "host_steal_s") / number_at(metrics, "elapsed_s");
	if (steal_pct > 0)
		printf("  %-12s %.0f %% of a CPU, taken by the hypervisor\n", "steal", steal_pct);
}

/* Nothing without counters: where they were asked for, a warning says why they are missing. */
static void print_hardware(const json_t *metrics, const char *op)
{
	static const struct {
		const char *key, *words;
	} parts[] = {
		{ "instructions_per_op", "instructions" },
		{ "cycles_per_op", "cycles" },
		{ "cache_misses_per_op", "cache misses" },
		{ "branch_misses_per_op", "branch misses" },
	};
	const json_t *hardware = json_object_get(metrics, "hardware");
	if (!json_is_number(json_object_get(hardware, "running_pct")))
		return;
	printf("  %-12s", "hardware");
	const char *comma = "";
	for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
		double value = number_at(hardware, parts[i].key);
		if (!json_is_number(json_object_get(hardware, parts[i].key)))
			continue;
		printf(value < 1000 ? "%s %.3g %s" : "%s %.0f %s", comma, value, parts[i].words);
		comma = ",";
	}
	printf(" a %s", op);
	if (json_is_number(json_object_get(hardware, "instructions_per_cycle")))
		printf("; %.2f instructions a cycle",
		       number_at(hardware, "instructions_per_cycle"));
	printf(" (%s", string_at(hardware, "scope"));
	if (number_at(hardware, "running_pct") < 99.5)
		printf(", scaled up from %.0f %% of the time", number_at(hardware, "running_pct"));
	printf(")\n");
}

/* A line for each metric that no sentence above tells of. */
static void print_others(const json_t *metrics)
{
	char text[16];
	for_each_metric (m) {
		double value = metric_value(m, metrics, NULL);
		if (m->in_prose || isnan(value) || value == 0)
			continue;
		/* A time has its unit already. */
		const char *unit = m->shown_as == SHOWN_TIME ? "" : m->unit;
		printf("  %-12s %s: %s%s%s\n", "also", m->words, metric_format(m, value, text),
		       *unit ? " " : "", unit);
	}
}

static void print_remark(const char *what, const char *before, const json_t *remark)
{
	printf("  %-12s %s", what, before);
	remark_print(stdout, remark);
	putchar('\n');
}

void result_print(const json_t *result)
{
	const char *status = json_string_value(json_object_get(result, "status"));
	const json_t *metrics = json_object_get(result, "metrics");
	const json_t *config = json_object_get(result, "config");

	printf("%s on %s, %s %.0f\n", string_at(result, "engine.label"),
	       string_at(result, "workload.panel.text"), string_at(result, "config.x_name"),
	       number_at(config, "x"));
	if (strcmp(status, "ok") != 0) {
		print_remark(status, "", json_object_get(result, "reason"));
		return;
	}
	printf("  %-12s %.0f %ss/s, %.1f MiB/s over %.2f s\n", "throughput",
	       number_at(metrics, "ops_per_s"), string_at(result, "workload.op"),
	       number_at(metrics, "bytes_per_s") / (1 << 20), number_at(metrics, "elapsed_s"));
	bool open_loop = json_is_number(json_object_get(metrics, "offered_per_s"));
	if (open_loop)
		printf("  %-12s %.0f %ss/s, of which %.0f were finished too late for the window\n",
		       "offered", number_at(metrics, "offered_per_s"),
		       string_at(result, "workload.op"), number_at(metrics, "unfinished"));
	if (json_is_object(json_object_get(metrics, "latency_ns")))
		print_latency(open_loop ? "since due" : "latency",
			      json_object_get(metrics, "latency_ns"));
	else
		printf("  %-12s nothing was timed\n", "latency");
	if (json_is_object(json_object_get(metrics, "latency_uncorrected_ns")))
		print_latency("since begun", json_object_get(metrics, "latency_uncorrected_ns"));
	print_cpu(metrics, string_at(result, "workload.op"));
	if (json_is_number(json_object_get(json_object_get(metrics, "cpu"), "peer_util_pct")))
		printf("  %-12s %.0f %% of a CPU\n", "peer",
		       number_at(metrics, "cpu.peer_util_pct"));
	printf("  %-12s mean %.1f, max %.0f\n", "in flight", number_at(metrics, "inflight_mean"),
	       number_at(metrics, "inflight_max"));
	printf("  %-12s %.0f voluntary, %.0f involuntary\n", "switches",
	       number_at(metrics, "context_switches.voluntary"),
	       number_at(metrics, "context_switches.involuntary"));
	const json_t *syscalls = json_object_get(metrics, "syscalls_per_op");
	if (json_is_number(syscalls))
		printf("  %-12s %.3f a %s\n", "system calls", json_number_value(syscalls),
		       string_at(result, "workload.op"));
	else
		print_remark("system calls",
			     "not counted: ", json_object_get(metrics, "syscalls_reason"));
	print_hardware(metrics, string_at(result, "workload.op"));
	print_others(metrics);

	size_t i;
	const json_t *warning;
	json_array_foreach (json_object_get(result, "warnings"), i, warning)
		print_remark("warning", "", warning);
}
