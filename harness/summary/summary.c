/* SPDX-License-Identifier: MIT */
#include "summary/summary.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/json_folder.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/plain_file.h"
#include "base/remark.h"
#include "base/round_options.h"
#include "base/statistics.h"
#include "base/whole_file.h"
#include "engines.h"
#include "meters/environment.h"
#include "meters/meter.h"
#include "metrics/documents.h"
#include "metrics/metric.h"
#include "summary/interval_method.h"
#include "summary/parts.h"
#include "summary/place.h"
#include "summary/runs_file.h"

/* The command that repeats one configuration alone. */
static json_t *lone_command(const json_t *run)
{
	json_t *command = json_array();
	const json_t *full = at_path(run, "config.command");
	for (size_t i = 0; i < json_array_size(full); i++) {
		const char *word = json_string_value(json_array_get(full, i));
		bool is_option = strncmp(word, "--", 2) == 0;
		const struct round_option *left_out =
			is_option ? round_option_find(word + 2) : NULL;
		if (!left_out)
			json_array_append_new(command, json_string(word));
		else if (left_out->takes_value)
			i++;
	}
	return command;
}

static void add_warnings(json_t *into, const json_t *run)
{
	size_t i, j;
	json_t *warning, *known;
	json_array_foreach (json_object_get(run, "warnings"), i, warning) {
		bool is_new = true;
		json_array_foreach (into, j, known)
			is_new = is_new && !remarks_same(known, warning);
		if (is_new)
			json_array_append(into, warning);
	}
}

/* Maps each round to the imported run it came from. */
static json_t *imported_json(const struct measured_config *c, unsigned rounds)
{
	json_t *list = required(json_array());
	for (unsigned round = 0; round < rounds; round++) {
		const json_t *from = json_object_get(c->by_round[round], "imported");
		if (!from)
			continue;
		json_t *entry = required(json_object());
		put_int(entry, "round", round);
		put_shared(entry, "tool", json_object_get(from, "tool"));
		put_shared(entry, "file", json_object_get(from, "file"));
		put_shared(entry, "job", json_object_get(from, "job"));
		json_array_append_new(list, entry);
	}
	return list;
}

/* Who, what, and how to run it alone. */
static void put_identity(json_t *entry, const struct measured_config *c)
{
	json_t *described = configuration_of(c->first, true);
	json_t *config = json_object_get(described, "config");
	if (!counts_syscalls(c->first)) { /* the run that counts has a window of its own */
		put_shared(config, "runtime_s", at_path(c->first, "config.runtime_s"));
		put_shared(config, "warmup_s", at_path(c->first, "config.warmup_s"));
	}
	put_shared(entry, "engine", json_object_get(described, "engine"));
	put_shared(entry, "workload", json_object_get(described, "workload"));
	put_shared(entry, "config", config);
	put_new(entry, "command", lone_command(c->first));
	json_decref(described);
}

/* How it ended: "status", "reason", "rounds", and the runs' warnings, to `warnings`. */
static void put_status(json_t *entry, const struct measured_config *c, unsigned rounds,
		       json_t *warnings)
{
	const json_t *speaks = c->first; /* for the status, when no round is ok */
	unsigned ok_rounds = 0;
	for (unsigned round = 0; round < rounds; round++) {
		if (!c->by_round[round])
			continue;
		ok_rounds += ok_in_round(c, round);
		add_warnings(warnings, c->by_round[round]);
		if (ok_in_round(c, round) == (ok_rounds > 0))
			speaks = c->by_round[round];
	}
	put_shared(entry, "status", json_object_get(speaks, "status"));
	put_shared(entry, "reason", json_object_get(speaks, "reason"));
	put_int(entry, "rounds", ok_rounds);
}

/* Its ratios, and what they are taken to. */
static void put_ratios(json_t *entry, const struct measured_config *c, const struct grouping *g,
		       const char *baseline_label, json_t *warnings)
{
	const struct measured_config *baseline = find_baseline(g, c, baseline_label);
	const struct measured_config *stand_in = find_stand_in(g, c, baseline);
	json_t *stand_in_reason = NULL;
	if (stand_in) {
		stand_in_reason = missing_baseline(baseline, baseline_label);
		baseline = stand_in;
		baseline_label = string_at(stand_in->identity, "engine.label");
	}
	json_t *ratio = ratios_json(c, baseline, g->rounds, warnings);
	put_string(entry, "baseline", baseline_label);
	put_new(entry, "stand_in_reason", stand_in_reason);
	put_new(entry, "ratio", ratio);
	put_new(entry, "ratio_reason", ratio_reason(ratio, c, baseline, g->rounds, baseline_label));
}

static json_t *summarise(const struct measured_config *c, const struct grouping *g,
			 const char *baseline_label)
{
	json_t *entry = required(json_object()), *warnings = required(json_array());
	put_identity(entry, c);
	put_status(entry, c, g->rounds, warnings);
	put_new(entry, "metrics", metrics_json(c, g->rounds));
	put_new(entry, "syscalls_reason", syscalls_reason(c));
	put_new(entry, "per_cpu_pct", per_cpu_estimates(c, g->rounds));
	put_ratios(entry, c, g, baseline_label, warnings);
	put_new(entry, "steadiness", steadiness_json(c, g->rounds, warnings));
	judge_warm_up(c, g->rounds, warnings);
	put_new(entry, "warnings", warnings);
	put_new(entry, "histogram", merge_histograms(c, g->rounds, "histogram"));
	put_new(entry, "histogram_uncorrected",
		merge_histograms(c, g->rounds, "histogram_uncorrected"));
	if (is_imported(c))
		put_new(entry, "imported", imported_json(c, g->rounds));
	return entry;
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
	json_object_foreach ((json_t *)first, key, value) {
		if (environment_is_of_file(key))
			continue; /* runs without a test file do not know it */
		size_t i;
		json_t *run;
		json_array_foreach (runs, i, run) {
			const json_t *env = json_object_get(run, "env");
			if (!json_is_object(env) || json_equal(json_object_get(env, key), value))
				continue;
			json_array_append_new(names, json_string(key));
			break;
		}
	}
	return names;
}

/* Taken from the first run with a test file, which knows its device; else from the first run. */
static json_t *environment_of(const json_t *runs)
{
	size_t i;
	json_t *run;
	json_array_foreach (runs, i, run) {
		if (json_is_string(at_path(run, "env.filesystem")))
			return json_incref(json_object_get(run, "env"));
	}
	json_array_foreach (runs, i, run) {
		if (json_is_object(json_object_get(run, "env")))
			return json_incref(json_object_get(run, "env"));
	}
	return json_null();
}

static bool peer_was_busy(const json_t *configuration)
{
	const json_t *peer_pct =
		json_object_get(json_object_get(configuration, "metrics"), "cpu.peer_util_pct");
	return number_at(peer_pct, "max") >= PEER_BUSY_PCT;
}

/*
 * Where the peer was busy all the time with one engine, it bounds what all of them can reach: no
 * rates must be compared there, those of its neighbours included.
 */
static void judge_peer(json_t *configurations)
{
	size_t i, j;
	json_t *c, *other;
	json_array_foreach (configurations, i, c) {
		bool limited = false;
		json_array_foreach (configurations, j, other) {
			limited = limited || (same_place(c, other) && peer_was_busy(other));
		}
		json_object_set_new(c, "peer_limited", json_boolean(limited));
		if (limited && status_is(c, "ok") && !peer_was_busy(c))
			remark_add(json_object_get(c, "warnings"), "peer_at_limit_beside", NULL,
				   "with another engine the peer was at its limit here: compare "
				   "CPU per message, not rates");
	}
}

/* How the intervals are made, and what those of a configuration with all rounds are worth. */
static json_t *interval_json(unsigned rounds)
{
	json_t *interval = required(json_object());
	put_string(interval, "method", LEVEL_METHOD);
	put_real(interval, "confidence_pct", 100 * median_confidence(rounds));
	put_string(interval, "ratio_method", RATIO_METHOD);
	put_real(interval, "ratio_confidence_pct", rounds > 1 ? 100 * CONFIDENCE_WANTED : 0);
	return interval;
}

/* Rounds of the configuration that has most, the imported ones left out unless there are no others. */
static unsigned rounds_done(const struct grouping *g)
{
	unsigned own = 0, imported = 0;
	for (unsigned i = 0; i < g->count; i++) {
		unsigned rounds = ok_rounds_of(&g->configurations[i], g->rounds);
		unsigned *most = is_imported(&g->configurations[i]) ? &imported : &own;
		*most = rounds > *most ? rounds : *most;
	}
	return own > 0 ? own : imported;
}

json_t *summary_compute(const char *folder, const struct comparison *comparison, struct reason *why)
{
	char stamp[32];
	json_t *runs = runs_read(folder, why);
	if (!runs)
		return NULL;

	struct grouping g = group_runs(runs, comparison->idle_baseline);
	json_t *configurations = required(json_array()), *summary = required(json_object());
	unsigned done = rounds_done(&g);
	for (unsigned i = 0; i < g.count; i++)
		json_array_append_new(configurations,
				      summarise(&g.configurations[i], &g, comparison->baseline));
	judge_peer(configurations);
	judge_ratios_together(configurations);
	put_string(summary, "schema", SUMMARY_SCHEMA);
	put_string(summary, "time_utc", time_utc(stamp));
	put_shared(summary, "command", comparison->command);
	put_int(summary, "rounds_planned", comparison->rounds_planned);
	put_int(summary, "rounds_done", done);
	put_bool(summary, "interrupted", comparison->interrupted);
	put_new(summary, "seed",
		comparison->drawn ? json_integer((json_int_t)comparison->seed) : NULL);
	put_string(summary, "baseline", comparison->baseline);
	put_new(summary, "interval", interval_json(done));
	put_new(summary, "precision", precision_json(configurations, comparison));
	put_shared(summary, "idle_baseline", comparison->idle_baseline);
	put_new(summary, "env", environment_of(runs));
	put_new(summary, "env_varies", varying_environment(runs));
	put_new(summary, "metrics", metrics_in_summary());
	put_new(summary, "configurations", configurations);
	free_grouping(&g);
	json_decref(runs);
	return summary;
}

/* What the folder's summary.json keeps for the next one; `*old` is NULL where there is none. */
static int summary_before(const char *folder, json_t **old, struct reason *why)
{
	char path[PATH_MAX];
	struct reason misfit;
	json_error_t error;
	*old = NULL;
	if (snprintf(path, sizeof path, "%s/summary.json", folder) >= (int)sizeof path)
		return reason_say_errno(why, ENAMETOOLONG, "%s/summary.json", folder);
	FILE *file;
	int rc = plain_file_open(path, &file, why);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	*old = json_loadf(file, 0, &error);
	if (ferror(file))
		snprintf(error.text, sizeof error.text, "it cannot be read");
	fclose(file);
	bool fits = *old && document_fits("kept_of_summary", *old, &misfit);
	if (fits)
		return 0;
	reason_say(why, "%s: %s; delete it, and the next one is made without what it kept", path,
		   *old ? misfit.text : error.text);
	json_decref(*old);
	*old = NULL;
	return -EINVAL;
}

json_t *summary_recompute(const char *folder, const char *baseline, struct comparison fresh,
			  struct reason *why)
{
	json_t *old;
	if (summary_before(folder, &old, why) < 0)
		return NULL;
	if (old)
		fresh = (struct comparison) {
			.command = json_object_get(old, "command"),
			.rounds_planned = (unsigned)json_integer_value(
				json_object_get(old, "rounds_planned")),
			.drawn = json_is_integer(json_object_get(old, "seed")),
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
		fresh.baseline = engine_baseline_name();
	json_t *summary = summary_compute(folder, &fresh, why);
	json_decref(no_command);
	json_decref(old);
	return summary;
}

int summary_write(const char *folder, const json_t *summary, struct reason *why)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/summary.json", folder) >= (int)sizeof path)
		return reason_say_errno(why, ENAMETOOLONG, "%s/summary.json", folder);
	return whole_file_write_json(path, summary, why);
}
