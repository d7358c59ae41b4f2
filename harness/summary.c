/* SPDX-License-Identifier: MIT */
#include "summary.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "estimate_json.h"
#include "histogram.h"
#include "json_path.h"
#include "measurement.h"
#include "place.h"
#include "runs_file.h"
#include "statistics.h"

/* Every metric that is summarised: its name in the summary is its path in a run. */
static const char *const metric_paths[] = {
	"ops_per_s",
	"bytes_per_s",
	"latency_ns.p50",
	"latency_ns.p99",
	"latency_ns.p99_9",
	"latency_ns.mean",
	"cpu.us_per_op",
	"cpu.host_us_per_op",
	"cpu.util_pct",
	"cpu.user_pct",
	"cpu.system_pct",
	"cpu.host_util_pct",
	"cpu.peer_util_pct",
	"cpu.other_util_pct",
	"cpu.other_above_idle_pct",
	"cpu.host_error_pct",
	"context_switches_per_op",
	"inflight_mean",
	"cpu.host_steal_pct",
	"cpu.host_error_us_per_op",
	"offered_per_s",
	"unfinished",
	"latency_uncorrected_ns.p50",
	"latency_uncorrected_ns.p99",
	"latency_uncorrected_ns.p99_9",
	"hardware.instructions_per_op",
	"hardware.cycles_per_op",
	"hardware.instructions_per_cycle",
	"hardware.cache_misses_per_op",
	"hardware.branch_misses_per_op",
};

/* Those of which a ratio to the baseline is given. */
static const char *const ratio_paths[] = { "ops_per_s", "cpu.us_per_op", "latency_ns.p50",
					   "latency_ns.p99", "hardware.instructions_per_op" };

/* --until-ci asks about so many of them: rounds that are short leave p99 to chance. */
#define RATIOS_TO_BE_PRECISE 3

/* What "interval" of the summary says; table, figures and report repeat it. */
#define LEVEL_METHOD "order statistics of the rounds (sign test)"
#define RATIO_METHOD "geometric mean of the rounds' ratios, Student's t on their logarithms"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static bool counts_syscalls(const json_t *run)
{
	return json_is_true(at_path(run, "config.count_syscalls"));
}

/* `part` over `whole` in percent, for what a run has in other units. */
static bool percent_of(const json_t *part, double whole, double *value)
{
	*value = 100 * json_number_value(part) / whole;
	return json_is_number(part);
}

/* A metric of a run; false when the run has none. `idle` is the comparison's, or NULL. */
static bool metric_of(const json_t *run, const json_t *idle, const char *path, double *value)
{
	const json_t *metrics = json_object_get(run, "metrics");
	double ops = number_at(metrics, "ops");
	if (ops <= 0) /* a window in which nothing was finished measured nothing */
		return false;
	double elapsed_s = number_at(metrics, "elapsed_s");
	if (strcmp(path, "cpu.host_steal_pct") == 0)
		return percent_of(at_path(metrics, "cpu.host_steal_s"), elapsed_s, value);
	if (strcmp(path, "cpu.user_pct") == 0)
		return percent_of(at_path(metrics, "cpu.user_s"), elapsed_s, value);
	if (strcmp(path, "cpu.system_pct") == 0)
		return percent_of(at_path(metrics, "cpu.system_s"), elapsed_s, value);
	if (strcmp(path, "cpu.host_error_pct") == 0)
		return percent_of(at_path(metrics, "cpu.host_error_s"), elapsed_s, value);
	if (strcmp(path, "cpu.other_above_idle_pct") == 0) {
		const json_t *other_pct = at_path(metrics, "cpu.other_util_pct");
		*value = json_number_value(other_pct) - number_at(idle, "busy_pct");
		return json_is_number(other_pct) && json_is_object(idle);
	}
	if (strcmp(path, "cpu.host_error_us_per_op") == 0) {
		*value = 1e6 * number_at(metrics, "cpu.host_error_s") / ops;
		return json_is_number(at_path(metrics, "cpu.host_error_s"));
	}
	if (strcmp(path, "context_switches_per_op") == 0) {
		*value = (json_number_value(at_path(metrics, "context_switches.voluntary")) +
			  json_number_value(at_path(metrics, "context_switches.involuntary"))) /
			 ops;
		return json_is_object(json_object_get(metrics, "context_switches"));
	}
	const json_t *found = at_path(metrics, path);
	*value = json_number_value(found);
	return json_is_number(found);
}

static void delete_keys(json_t *object, const char *const *keys)
{
	for (; *keys; keys++)
		json_object_del(object, *keys);
}

json_t *configuration_of(const json_t *run, bool with_engine)
{
	static const char *const found[] = { "cache_resident_pct", "cache_resident_end_pct", "path",
					     NULL };
	static const char *const changing[] = { "round",
						"position",
						"plan",
						"command",
						"count_syscalls",
						"runtime_s",
						"warmup_s",
						"compute_loops_per_us",
						NULL };
	json_t *workload = json_deep_copy(json_object_get(run, "workload"));
	json_t *config = json_deep_copy(json_object_get(run, "config"));
	delete_keys(workload, found);
	delete_keys(config, changing);
	json_t *identity = json_pack("{s:o, s:o}", "workload", workload, "config", config);
	if (with_engine)
		json_object_set(identity, "engine", json_object_get(run, "engine"));
	return identity;
}

struct configuration {
	json_t *identity; /* with the engine */
	json_t *workpiece; /* without: what it has in common with its baseline */
	json_t **by_round; /* [round]: the run, borrowed, or NULL */
	json_t *first; /* borrowed */
	json_t *counting; /* the runs that counted system calls, a list */
	const json_t *idle; /* how busy the host was anyhow, borrowed, or NULL */
};

struct grouping {
	struct configuration *configurations;
	unsigned count;
	unsigned rounds;
};

static struct configuration *find_configuration(struct grouping *g, const json_t *identity)
{
	for (unsigned i = 0; i < g->count; i++)
		if (json_equal(g->configurations[i].identity, identity))
			return &g->configurations[i];
	return NULL;
}

static unsigned round_of(const json_t *run)
{
	json_int_t round = json_integer_value(at_path(run, "config.round"));
	return round > 0 ? (unsigned)round : 0;
}

/* The order of the plan, not the shuffled one in which they ran. */
static int compare_by_plan(const void *a, const void *b)
{
	double x = number_at(((const struct configuration *)a)->first, "config.plan");
	double y = number_at(((const struct configuration *)b)->first, "config.plan");
	return (x > y) - (x < y);
}

static struct grouping group_runs(const json_t *runs, const json_t *idle)
{
	struct grouping g = { 0 };
	size_t i;
	json_t *run;
	json_array_foreach(runs, i, run) if (round_of(run) >= g.rounds && !counts_syscalls(run))
		g.rounds = round_of(run) + 1;
	if (g.rounds == 0)
		g.rounds = 1;
	g.configurations = calloc(json_array_size(runs), sizeof *g.configurations);

	json_array_foreach(runs, i, run)
	{
		json_t *identity = configuration_of(run, true);
		struct configuration *c = find_configuration(&g, identity);
		if (c) {
			json_decref(identity);
		} else {
			c = &g.configurations[g.count++];
			c->identity = identity;
			c->workpiece = configuration_of(run, false);
			c->by_round = calloc(g.rounds, sizeof(json_t *));
			c->first = run;
			c->counting = json_array();
			c->idle = idle;
		}
		if (counts_syscalls(run))
			json_array_append(c->counting, run);
		else
			c->by_round[round_of(run)] = run;
	}
	qsort(g.configurations, g.count, sizeof *g.configurations, compare_by_plan);
	return g;
}

static void free_grouping(struct grouping *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		json_decref(g->configurations[i].identity);
		json_decref(g->configurations[i].workpiece);
		json_decref(g->configurations[i].counting);
		free(g->configurations[i].by_round);
	}
	free(g->configurations);
}

static bool is_imported(const struct configuration *c)
{
	return json_is_object(json_object_get(c->first, "imported"));
}

static bool ok_in_round(const struct configuration *c, unsigned round)
{
	return c->by_round[round] && status_is(c->by_round[round], "ok");
}

/* The estimate of one metric over the rounds, with every round's value; null when there is none. */
static json_t *metric_json(const struct configuration *c, unsigned rounds, const char *path)
{
	double *values = malloc(rounds * sizeof *values);
	json_t *list = json_array();
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++) {
		double value;
		if (ok_in_round(c, round) && metric_of(c->by_round[round], c->idle, path, &value)) {
			values[count++] = value;
			json_array_append_new(list, json_real(value));
		} else {
			json_array_append_new(list, json_null());
		}
	}
	json_t *result = json_null();
	if (count > 0) {
		result = estimate_of(values, count);
		json_object_set(result, "values", list);
	}
	json_decref(list);
	free(values);
	return result;
}

/* How busy each CPU was, an estimate over the rounds for each; null for one that was offline. */
static json_t *per_cpu_json(const struct configuration *c, unsigned rounds)
{
	size_t cpus = 0;
	for (unsigned round = 0; round < rounds; round++) {
		size_t here = ok_in_round(c, round)
				      ? json_array_size(at_path(c->by_round[round],
								"metrics.cpu.per_cpu_pct"))
				      : 0;
		cpus = here > cpus ? here : cpus;
	}
	double *values = malloc(rounds * sizeof *values);
	json_t *list = json_array();
	for (size_t cpu = 0; cpu < cpus; cpu++) {
		unsigned count = 0;
		for (unsigned round = 0; round < rounds; round++) {
			const json_t *busy_pct =
				ok_in_round(c, round)
					? json_array_get(at_path(c->by_round[round],
								 "metrics.cpu.per_cpu_pct"),
							 cpu)
					: NULL;
			if (json_is_number(busy_pct))
				values[count++] = json_number_value(busy_pct);
		}
		json_array_append_new(list, estimate_of(values, count));
	}
	free(values);
	return list;
}

/*
 * What the runs that counted system calls say: the median, and in `spread` the least and the
 * greatest. Else null, and `reason` says why.
 */
static json_t *syscalls_json(const struct configuration *c, json_t **spread, json_t **reason)
{
	double values[COUNTING_ROUNDS];
	unsigned count = 0;
	size_t i;
	json_t *run;
	*spread = *reason = json_null();
	json_array_foreach(c->counting, i, run)
	{
		if (!status_is(run, "ok"))
			continue;
		const json_t *calls = at_path(run, "metrics.syscalls_per_op");
		const json_t *why = at_path(run, "metrics.syscalls_reason");
		if (json_is_number(calls) && count < COUNTING_ROUNDS)
			values[count++] = json_number_value(calls);
		else if (json_is_string(why) && json_is_null(*reason))
			*reason = json_incref((json_t *)why);
	}
	if (count > 0) {
		struct estimate e = estimate_median(values, count);
		json_decref(*reason);
		*reason = json_null();
		*spread = json_pack("{s:f, s:f, s:i}", "min", e.min, "max", e.max, "count",
				    (int)count);
		return json_real(e.median);
	}
	if (json_is_null(*reason))
		*reason = json_string(is_imported(c) ? "imported runs do not tell them"
						     : "no run counted them");
	return json_null();
}

const char *ratio_verdict(double low, double high, unsigned rounds)
{
	if (rounds < VERDICT_ROUNDS)
		return NO_DIFFERENCE;
	return low > 1 ? "higher" : high < 1 ? "lower" : NO_DIFFERENCE;
}

void widen_by_buckets(double *low, double *high)
{
	*low *= (1 - HISTOGRAM_ERROR_BOUND) / (1 + HISTOGRAM_ERROR_BOUND);
	*high *= (1 + HISTOGRAM_ERROR_BOUND) / (1 - HISTOGRAM_ERROR_BOUND);
}

/*
 * Ratios are taken round by round, so that what disturbed a whole round cancels. null where there
 * is none: no round in common, or (then `undefined` is set) one in which either had nothing.
 */
static json_t *ratio_json(const struct configuration *c, const struct configuration *baseline,
			  unsigned rounds, const char *path, bool *undefined)
{
	double *ratios = malloc(rounds * sizeof *ratios);
	unsigned count = 0;
	bool positive = true;
	for (unsigned round = 0; round < rounds; round++) {
		double value, base;
		if (!ok_in_round(c, round) || !ok_in_round(baseline, round) ||
		    !metric_of(c->by_round[round], c->idle, path, &value) ||
		    !metric_of(baseline->by_round[round], baseline->idle, path, &base))
			continue;
		positive = positive && value > 0 && base > 0;
		ratios[count++] = value / base;
	}
	json_t *result = json_null();
	if (count > 0 && positive) {
		struct ratio_estimate e = estimate_ratio(ratios, count);
		if (strncmp(path, "latency_ns.", 11) == 0)
			widen_by_buckets(&e.low, &e.high);
		result = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:s}", "mean",
				   e.mean, "low", e.low, "high", e.high, "half_width_pct",
				   100 * e.half_width, "median", e.median, "min", e.min, "max",
				   e.max, "confidence_pct", 100 * e.confidence, "count",
				   (int)e.count, "verdict", ratio_verdict(e.low, e.high, e.count));
	}
	*undefined = *undefined || !positive;
	free(ratios);
	return result;
}

/* The window's first tenth may be so much slower than the rest before anybody is warned. */
#define COLD_START 0.9

/*
 * Was the warm-up long enough? A single short run cannot tell; whether the first tenth of the
 * window is slower in round after round can be told. Warns in `warnings`.
 */
static void judge_warm_up(const struct configuration *c, unsigned rounds, json_t *warnings)
{
	double *ratios = malloc(rounds * sizeof *ratios);
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++) {
		const json_t *first =
			ok_in_round(c, round)
				? at_path(c->by_round[round], "metrics.steadiness.first_slice_pct")
				: NULL;
		double ratio = 1 + json_number_value(first) / 100;
		if (json_is_number(first) && ratio > 0)
			ratios[count++] = ratio;
	}
	if (count >= VERDICT_ROUNDS && estimate_ratio(ratios, count).high < COLD_START)
		json_array_append_new(
			warnings, json_string("the first tenth of the window was slower than the "
					      "rest, round after round: warm up longer "
					      "(--warmup)"));
	free(ratios);
}

/* Of five rounds chance alone calls one an outlier too often to warn of it: docs/measurement.md. */
#define ROUNDS_FOR_OUTLIERS 8

/*
 * Was the machine the same for this configuration in all rounds? null with fewer than five. What
 * looks otherwise is told in `warnings` and stays in every figure.
 */
static json_t *steadiness_json(const struct configuration *c, unsigned rounds, json_t *warnings)
{
	double *values = malloc(rounds * sizeof *values);
	unsigned *round_of_value = malloc(rounds * sizeof *round_of_value);
	bool *outlying = malloc(rounds * sizeof *outlying);
	json_t *result = json_null(), *outliers = json_array();
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++) {
		if (!ok_in_round(c, round) ||
		    !metric_of(c->by_round[round], NULL, "ops_per_s", &values[count]))
			continue;
		round_of_value[count++] = round;
	}
	if (count >= 5) {
		struct drift drift = drift_of(values, count);
		if (find_outliers(values, count, outlying) > 0 && count >= ROUNDS_FOR_OUTLIERS)
			json_array_append_new(warnings,
					      json_string("a round lies far from the others (see "
							  "steadiness in summary.json); it counts "
							  "all the same"));
		for (unsigned i = 0; i < count; i++)
			if (outlying[i])
				json_array_append_new(outliers, json_integer(round_of_value[i]));
		if (drift.shown)
			json_array_append_new(
				warnings, json_string("throughput drifted by more than 10 % from "
						      "the first round to the last"));
		result = json_pack("{s:f, s:b, s:O}", "drift_pct", 100 * drift.change,
				   "drift_shown", drift.shown, "outlier_rounds", outliers);
	}
	json_decref(outliers);
	free(outlying);
	free(round_of_value);
	free(values);
	return result;
}

/* The rounds' histograms added up. Buckets come in order, and the same ones in every run. */
static json_t *merge_histograms(const struct configuration *c, unsigned rounds, const char *key)
{
	json_t *merged = NULL;
	for (unsigned round = 0; round < rounds; round++) {
		if (!ok_in_round(c, round))
			continue;
		const json_t *histogram = json_object_get(c->by_round[round], key);
		if (!json_is_object(histogram))
			continue;
		if (!merged) {
			merged = json_deep_copy(histogram);
			continue;
		}
		json_t *into = json_object_get(merged, "buckets"), *sum = json_array();
		const json_t *from = json_object_get(histogram, "buckets");
		size_t i = 0, j = 0;
		while (i < json_array_size(into) || j < json_array_size(from)) {
			json_t *a = json_array_get(into, i), *b = json_array_get(from, j);
			json_int_t a_low = a ? json_integer_value(json_array_get(a, 0)) : INT64_MAX;
			json_int_t b_low = b ? json_integer_value(json_array_get(b, 0)) : INT64_MAX;
			json_t *bucket = json_deep_copy(a_low <= b_low ? a : b);
			if (a_low == b_low)
				json_array_set_new(
					bucket, 2,
					json_integer(json_integer_value(json_array_get(a, 2)) +
						     json_integer_value(json_array_get(b, 2))));
			json_array_append_new(sum, bucket);
			i += a_low <= b_low;
			j += b_low <= a_low;
		}
		json_object_set_new(merged, "buckets", sum);
	}
	return merged ? merged : json_null();
}

/* The command that repeats one configuration alone. */
static json_t *lone_command(const json_t *run)
{
	json_t *command = json_array();
	const json_t *full = at_path(run, "config.command");
	for (size_t i = 0; i < json_array_size(full); i++) {
		const char *word = json_string_value(json_array_get(full, i));
		if (strcmp(word, "--round") == 0 || strcmp(word, "--position") == 0 ||
		    strcmp(word, "--plan") == 0) {
			i++;
			continue;
		}
		if (strcmp(word, "--json") != 0 && strcmp(word, "--count-syscalls") != 0)
			json_array_append_new(command, json_string(word));
	}
	return command;
}

static void add_warnings(json_t *into, const json_t *run)
{
	size_t i, j;
	json_t *warning, *known;
	json_array_foreach(json_object_get(run, "warnings"), i, warning)
	{
		bool is_new = true;
		json_array_foreach(into, j, known) is_new = is_new && !json_equal(known, warning);
		if (is_new)
			json_array_append(into, warning);
	}
}

static bool ever_ok(const struct configuration *c, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++)
		if (ok_in_round(c, round))
			return true;
	return false;
}

/* Why no ratio can be taken to a baseline that was not run (NULL), or never ended ok. */
static json_t *missing_baseline(const struct configuration *baseline, const char *label)
{
	if (!baseline)
		return json_sprintf("%s was not run here", label);
	return json_sprintf("%s is %s here: %s", label, string_at(baseline->first, "status"),
			    string_at(baseline->first, "reason"));
}

/* Why a configuration that is ok has no ratio of throughput; null when it has one, or needs none.
 */
static json_t *ratio_reason(const json_t *ratio, const struct configuration *c,
			    const struct configuration *baseline, unsigned rounds,
			    const char *label)
{
	if (baseline == c || !ever_ok(c, rounds) ||
	    json_is_object(json_object_get(ratio, "ops_per_s")))
		return json_null();
	if (is_imported(c) || (baseline && is_imported(baseline)))
		return json_string("imported runs did not take turns with the others, so there is "
				   "no ratio round by round");
	if (!baseline || !ever_ok(baseline, rounds))
		return missing_baseline(baseline, label);
	return json_sprintf("no round in which both it and %s finished anything", label);
}

/* Which run of another program is which round. */
static json_t *imported_json(const struct configuration *c, unsigned rounds)
{
	json_t *list = json_array();
	for (unsigned round = 0; round < rounds; round++) {
		const json_t *from = json_object_get(c->by_round[round], "imported");
		if (from)
			json_array_append_new(list,
					      json_pack("{s:i, s:O, s:O, s:O}", "round", (int)round,
							"tool", json_object_get(from, "tool"),
							"file", json_object_get(from, "file"),
							"job", json_object_get(from, "job")));
	}
	return list;
}

static json_t *summarise(const struct configuration *c, const struct configuration *baseline,
			 const struct configuration *stand_in, unsigned rounds,
			 const char *baseline_label)
{
	json_t *stand_in_reason = json_null();
	if (stand_in) {
		stand_in_reason = missing_baseline(baseline, baseline_label);
		baseline = stand_in;
		baseline_label = string_at(stand_in->identity, "engine.label");
	}
	json_t *warnings = json_array(), *metrics = json_object(), *ratio = json_null();
	json_t *syscalls_spread, *syscalls_reason;
	json_t *syscalls = syscalls_json(c, &syscalls_spread, &syscalls_reason);
	const json_t *speaks = c->first; /* for the status, when no round is ok */
	unsigned ok_rounds = 0;
	for (unsigned round = 0; round < rounds; round++) {
		if (!c->by_round[round])
			continue;
		if (ok_in_round(c, round))
			ok_rounds++;
		add_warnings(warnings, c->by_round[round]);
		if (ok_in_round(c, round) == (ok_rounds > 0))
			speaks = c->by_round[round];
	}
	for (unsigned i = 0; i < LENGTH(metric_paths); i++)
		json_object_set_new(metrics, metric_paths[i],
				    metric_json(c, rounds, metric_paths[i]));
	bool in_turns = baseline && !is_imported(c) && !is_imported(baseline);
	if (in_turns && baseline != c && ok_rounds > 0 && ever_ok(baseline, rounds)) {
		bool undefined = false;
		ratio = json_object();
		for (unsigned i = 0; i < LENGTH(ratio_paths); i++)
			json_object_set_new(
				ratio, ratio_paths[i],
				ratio_json(c, baseline, rounds, ratio_paths[i], &undefined));
		if (undefined)
			json_array_append_new(warnings,
					      json_string("in a round this engine or its baseline "
							  "measured 0, so a ratio is missing"));
	}
	json_t *no_ratio = ratio_reason(ratio, c, baseline, rounds, baseline_label);
	json_t *steadiness = steadiness_json(c, rounds, warnings);
	judge_warm_up(c, rounds, warnings);
	json_t *config = json_copy(json_object_get(c->identity, "config"));
	if (!counts_syscalls(c->first)) { /* the run that counts has a window of its own */
		json_object_set(config, "runtime_s",
				(json_t *)at_path(c->first, "config.runtime_s"));
		json_object_set(config, "warmup_s", (json_t *)at_path(c->first, "config.warmup_s"));
	}
	json_t *summary = json_pack(
		"{s:O, s:O, s:o, s:o, s:O, s:O, s:o, s:i, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o}",
		"engine", json_object_get(c->identity, "engine"), "workload",
		json_object_get(c->identity, "workload"), "config", config, "command",
		lone_command(c->first), "status", json_object_get(speaks, "status"), "reason",
		json_object_get(speaks, "reason"), "warnings", warnings, "rounds", (int)ok_rounds,
		"metrics", metrics, "per_cpu_pct", per_cpu_json(c, rounds), "baseline",
		baseline_label, "stand_in_reason", stand_in_reason, "ratio", ratio, "ratio_reason",
		no_ratio, "steadiness", steadiness, "syscalls_per_op", syscalls, "syscalls_spread",
		syscalls_spread, "syscalls_reason", syscalls_reason, "histogram",
		merge_histograms(c, rounds, "histogram"), "histogram_uncorrected",
		merge_histograms(c, rounds, "histogram_uncorrected"));
	if (is_imported(c))
		json_object_set_new(summary, "imported", imported_json(c, rounds));
	return summary;
}

static const struct configuration *find_baseline(const struct grouping *g,
						 const struct configuration *c, const char *label)
{
	for (unsigned i = 0; i < g->count; i++)
		if (strcmp(string_at(g->configurations[i].identity, "engine.label"), label) == 0 &&
		    json_equal(g->configurations[i].workpiece, c->workpiece))
			return &g->configurations[i];
	/* With an imported one nothing is compared, whatever it was told: it says why. */
	for (unsigned i = 0; i < g->count; i++)
		if (is_imported(&g->configurations[i]) &&
		    strcmp(string_at(g->configurations[i].identity, "engine.label"), label) == 0)
			return &g->configurations[i];
	return NULL;
}

static unsigned ok_rounds_of(const struct configuration *c, unsigned rounds)
{
	unsigned count = 0;
	for (unsigned round = 0; round < rounds; round++)
		count += ok_in_round(c, round);
	return count;
}

/*
 * Where the baseline never ended ok, another engine stands in for it, so that there are ratios at
 * all: on the same work the first in the order of the plan that ended ok in most rounds. NULL where
 * none is needed, or there is none beside `c`. The summary says which, and why.
 */
static const struct configuration *find_stand_in(const struct grouping *g,
						 const struct configuration *c,
						 const struct configuration *baseline)
{
	const struct configuration *best = NULL;
	unsigned others = 0;
	if (!baseline || is_imported(c) || is_imported(baseline) || ever_ok(baseline, g->rounds))
		return NULL;
	for (unsigned i = 0; i < g->count; i++) {
		const struct configuration *other = &g->configurations[i];
		unsigned rounds = ok_rounds_of(other, g->rounds);
		if (rounds == 0 || is_imported(other) ||
		    !json_equal(other->workpiece, c->workpiece))
			continue;
		others++;
		if (!best || rounds > ok_rounds_of(best, g->rounds))
			best = other;
	}
	return others > 1 ? best : NULL;
}

/* Names of the environment's keys that were not the same in all runs that know theirs. */
static json_t *varying_environment(const json_t *runs)
{
	json_t *names = json_array();
	const json_t *first = NULL;
	const char *key;
	json_t *value;
	for (size_t i = 0; i < json_array_size(runs) && !json_is_object(first); i++)
		first = json_object_get(json_array_get(runs, i), "env");
	json_object_foreach((json_t *)first, key, value)
	{
		/* These belong to the test file, which only the file workload has. */
		if (strcmp(key, "filesystem") == 0 || strcmp(key, "device") == 0 ||
		    strcmp(key, "scheduler") == 0)
			continue;
		size_t i;
		json_t *run;
		json_array_foreach(runs, i, run)
		{
			const json_t *env = json_object_get(run, "env");
			if (!json_is_object(env) || json_equal(json_object_get(env, key), value))
				continue;
			json_array_append_new(names, json_string(key));
			break;
		}
	}
	return names;
}

/* That of the first run with a test file, which knows its device; else that of the first run. */
static json_t *environment_of(const json_t *runs)
{
	size_t i;
	json_t *run;
	json_array_foreach(runs, i, run)
	{
		if (json_is_string(at_path(run, "env.filesystem")))
			return json_incref(json_object_get(run, "env"));
	}
	json_array_foreach(runs, i, run)
	{
		if (json_is_object(json_object_get(run, "env")))
			return json_incref(json_object_get(run, "env"));
	}
	return json_null();
}

/* A ratio whose interval is wider than what was asked for. */
static json_t *unreached_json(const json_t *configuration, const char *metric,
			      double half_width_pct)
{
	return json_pack("{s:s, s:s, s:s, s:O, s:s, s:f}", "engine",
			 string_at(configuration, "engine.label"), "panel",
			 string_at(configuration, "workload.panel"), "x_name",
			 string_at(configuration, "config.x_name"), "x",
			 at_path(configuration, "config.x"), "metric", metric, "half_width_pct",
			 half_width_pct);
}

/* As summary_precision(), and lists what was not reached in `unreached`, unless that is NULL. */
static struct precision judge_precision(const json_t *configurations, double wanted_ci_pct,
					json_t *unreached)
{
	struct precision p = { 0 };
	size_t i;
	json_t *c;
	json_array_foreach(configurations, i, c)
	{
		for (unsigned m = 0; m < RATIOS_TO_BE_PRECISE; m++) {
			const json_t *ratio =
				json_object_get(json_object_get(c, "ratio"), ratio_paths[m]);
			if (!json_is_object(ratio))
				continue;
			unsigned count =
				(unsigned)json_integer_value(json_object_get(ratio, "count"));
			double half_pct =
				json_number_value(json_object_get(ratio, "half_width_pct"));
			p.ratios++;
			if (half_pct > p.widest_pct)
				p.widest_pct = half_pct;
			if (count > 1 && half_pct <= wanted_ci_pct)
				continue;
			p.unreached++;
			if (unreached)
				json_array_append_new(unreached,
						      unreached_json(c, ratio_paths[m], half_pct));
			unsigned needed = count > 1 ? rounds_needed(half_pct / 100, count,
								    wanted_ci_pct / 100)
						    : 2;
			if (needed > p.rounds_needed)
				p.rounds_needed = needed;
		}
	}
	return p;
}

struct precision summary_precision(const json_t *summary, double wanted_ci_pct)
{
	return judge_precision(json_object_get(summary, "configurations"), wanted_ci_pct, NULL);
}

/* What was asked for and what came of it; null when nothing was. */
static json_t *precision_json(const json_t *configurations, const struct comparison *comparison)
{
	if (comparison->wanted_ci_pct <= 0 && comparison->time_limit_s <= 0)
		return json_null();
	bool width = comparison->wanted_ci_pct > 0;
	json_t *unreached = json_array();
	struct precision p = { 0 };
	if (width)
		p = judge_precision(configurations, comparison->wanted_ci_pct, unreached);
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:i, s:o}", "wanted_pct",
			 width ? json_real(comparison->wanted_ci_pct) : json_null(), "time_limit_s",
			 comparison->time_limit_s > 0 ? json_real(comparison->time_limit_s)
						      : json_null(),
			 "ended_by", comparison->ended_by, "reached",
			 p.ratios > 0 ? json_boolean(p.unreached == 0) : json_null(), "widest_pct",
			 p.ratios > 0 ? json_real(p.widest_pct) : json_null(), "ratios",
			 (int)p.ratios, "unreached", unreached);
}

static bool peer_was_busy(const json_t *configuration)
{
	const json_t *peer_pct =
		json_object_get(json_object_get(configuration, "metrics"), "cpu.peer_util_pct");
	return number_at(peer_pct, "max") >= PEER_BUSY_PCT;
}

/*
 * Where the peer was busy all the time with one engine, it bounds what all of them can
 * reach: their rates must not be compared there, the neighbours' neither.
 */
static void judge_peer(json_t *configurations)
{
	size_t i, j;
	json_t *c, *other;
	json_array_foreach(configurations, i, c)
	{
		bool limited = false;
		json_array_foreach(configurations, j, other)
		{
			limited = limited || (same_place(c, other) && peer_was_busy(other));
		}
		json_object_set_new(c, "peer_limited", json_boolean(limited));
		if (limited && status_is(c, "ok") && !peer_was_busy(c))
			json_array_append_new(
				json_object_get(c, "warnings"),
				json_string("with another engine the peer was at its limit "
					    "here: "
					    "compare CPU per message, not rates"));
	}
}

json_t *summary_compute(const char *folder, const struct comparison *comparison, struct reason *why)
{
	char time_utc[32];
	json_t *runs = runs_read(folder, why);
	if (!runs)
		return NULL;

	struct grouping g = group_runs(runs, comparison->idle_baseline);
	json_t *configurations = json_array();
	unsigned done = 0, imported = 0;
	for (unsigned i = 0; i < g.count; i++) {
		const struct configuration *c = &g.configurations[i];
		const struct configuration *baseline = find_baseline(&g, c, comparison->baseline);
		json_t *entry = summarise(c, baseline, find_stand_in(&g, c, baseline), g.rounds,
					  comparison->baseline);
		unsigned rounds = (unsigned)json_integer_value(json_object_get(entry, "rounds"));
		unsigned *most = is_imported(c) ? &imported : &done;
		*most = rounds > *most ? rounds : *most;
		json_array_append_new(configurations, entry);
	}
	if (done == 0) /* how often something was imported says nothing of our own rounds */
		done = imported;
	judge_peer(configurations);
	/* What the interval of most rows is worth: that of a configuration with all rounds.
	 */
	double zeros[1024] = { 0 };
	struct estimate typical = estimate_median(zeros, done < 1		? 1
							 : done < LENGTH(zeros) ? done
										: LENGTH(zeros));
	struct ratio_estimate typical_ratio = estimate_ratio((double[]) { 1, 1 }, done < 2 ? 1 : 2);
	time_t now = time(NULL);
	strftime(time_utc, sizeof time_utc, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	json_t *summary = json_pack(
		"{s:s, s:s, s:O, s:i, s:i, s:b, s:I, s:s, s:{s:s, s:f, s:s, s:f}, s:o, "
		"s:o, s:o, "
		"s:o, "
		"s:o}",
		"schema", "iolab.summary.v1", "time_utc", time_utc, "command", comparison->command,
		"rounds_planned", (int)comparison->rounds_planned, "rounds_done", (int)done,
		"interrupted", comparison->interrupted, "seed", (json_int_t)comparison->seed,
		"baseline", comparison->baseline, "interval", "method", LEVEL_METHOD,
		"confidence_pct", 100 * typical.confidence, "ratio_method", RATIO_METHOD,
		"ratio_confidence_pct", 100 * typical_ratio.confidence, "precision",
		precision_json(configurations, comparison), "idle_baseline",
		comparison->idle_baseline ? json_incref(comparison->idle_baseline) : json_null(),
		"env", environment_of(runs), "env_varies", varying_environment(runs),
		"configurations", configurations);
	free_grouping(&g);
	json_decref(runs);
	if (!summary)
		reason_set(why, "out of memory");
	return summary;
}

json_t *summary_recompute(const char *folder, const char *baseline, struct comparison fresh,
			  struct reason *why)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/summary.json", folder);
	json_t *old = json_load_file(path, 0, NULL);
	if (old)
		fresh = (struct comparison) {
			.command = json_object_get(old, "command"),
			.rounds_planned = (unsigned)json_integer_value(
				json_object_get(old, "rounds_planned")),
			.seed = (uint64_t)json_integer_value(json_object_get(old, "seed")),
			.interrupted = json_is_true(json_object_get(old, "interrupted")),
			.baseline = string_at(old, "baseline"),
			.wanted_ci_pct = number_at(old, "precision.wanted_pct"),
			.time_limit_s = number_at(old, "precision.time_limit_s"),
			.ended_by = string_at(old, "precision.ended_by"),
			.idle_baseline = json_object_get(old, "idle_baseline"),
		};
	json_t *no_command = json_array();
	if (!fresh.command)
		fresh.command = no_command;
	if (baseline)
		fresh.baseline = baseline;
	else if (!fresh.baseline || !*fresh.baseline)
		fresh.baseline = "blocking";
	json_t *summary = summary_compute(folder, &fresh, why);
	json_decref(no_command);
	json_decref(old);
	return summary;
}

int summary_write(const char *folder, const json_t *summary, struct reason *why)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	snprintf(path, sizeof path, "%s/summary.json", folder);
	snprintf(fresh, sizeof fresh, "%s/.summary.json.new", folder);
	FILE *file = fopen(fresh, "we");
	if (!file)
		return reason_errno(why, errno, "%s", fresh);
	int error = 0;
	errno = 0; /* json_dumpf() leaves that of the write */
	if (json_dumpf(summary, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0)
		error = errno ? errno : EIO;
	if (!error && (fflush(file) != 0 || fsync(fileno(file)) != 0))
		error = errno;
	if (fclose(file) != 0 && !error)
		error = errno;
	if (!error && rename(fresh, path) < 0)
		error = errno;
	if (error) {
		unlink(fresh);
		return reason_errno(why, error, "writing %s", path);
	}
	return 0;
}

struct summary_options {
	const char *folder;
	const char *baseline;
	bool json, cpu;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct summary_options *o = state->input;
	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'c':
		o->cpu = true;
		return 0;
	case 'b':
		o->baseline = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->folder)
			argp_error(state, "one results folder at a time");
		o->folder = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->folder)
			argp_error(state, "which results folder? For example results/latest");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Ends the program when no configuration has this engine. */
static void check_baseline(const json_t *summary, const char *label)
{
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(summary, "configurations"), i, c)
	{
		if (strcmp(string_at(c, "engine.label"), label) == 0)
			return;
	}
	fprintf(stderr,
		"iolab summary: --baseline %s: no run of it; the table names those there "
		"are\n",
		label);
	exit(EXIT_USAGE);
}

int command_summary(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "json", 'j', NULL, 0, "print summary.json instead of the table", 0 },
		{ "cpu", 'c', NULL, 0,
		  "where the CPU time went, in place of the table: process, elsewhere, each CPU",
		  0 },
		{ "baseline", 'b', "ENGINE", 0, "what ratios are taken to (default: as before)",
		  0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "FOLDER",
		.doc = "Computes a results folder's summary from its runs.jsonl anew, "
		       "prints it, "
		       "and writes it to summary.json."
		       "\vWhere summary.json cannot be written, the table is printed all "
		       "the same, "
		       "and the exit status is 1.",
	};
	struct summary_options options = { 0 };
	struct reason why = { "" };
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	json_t *summary = summary_recompute(options.folder, options.baseline,
					    (struct comparison) { 0 }, &why);
	int status = EXIT_ERROR;
	if (!summary) {
		fprintf(stderr, "iolab: %s\n", why.text);
	} else {
		if (options.baseline)
			check_baseline(summary, options.baseline);
		if (options.json) {
			json_dumpf(summary, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
			putchar('\n');
		} else if (options.cpu) {
			summary_print_cpu(stdout, summary);
		} else {
			summary_print(stdout, summary);
		}
		/* After it is printed: a folder that is only for reading can be read. */
		if (summary_write(options.folder, summary, &why) == 0)
			status = EXIT_OK;
		else
			fprintf(stderr, "iolab: printed, but not written: %s\n", why.text);
	}
	json_decref(summary);
	return status;
}
