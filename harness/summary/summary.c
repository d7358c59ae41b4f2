/* SPDX-License-Identifier: MIT */
#include "summary/summary.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json_path.h"
#include "base/runs_file.h"
#include "base/statistics.h"
#include "base/whole_file.h"
#include "meters/measurement.h"
#include "summary/parts.h"
#include "summary/place.h"

/* What "interval" of the summary says; table, figures and report repeat it. */
#define LEVEL_METHOD "order statistics of the rounds (sign test)"
#define RATIO_METHOD "geometric mean of the rounds' ratios, Student's t on their logarithms"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

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
	json_array_foreach (json_object_get(run, "warnings"), i, warning) {
		bool is_new = true;
		json_array_foreach (into, j, known)
			is_new = is_new && !json_equal(known, warning);
		if (is_new)
			json_array_append(into, warning);
	}
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
	json_t *warnings = json_array();
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
	json_t *ratio = ratios_json(c, baseline, rounds, warnings);
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
		"metrics", metrics_json(c, rounds), "per_cpu_pct", per_cpu_json(c, rounds),
		"baseline", baseline_label, "stand_in_reason", stand_in_reason, "ratio", ratio,
		"ratio_reason", no_ratio, "steadiness", steadiness, "syscalls_per_op", syscalls,
		"syscalls_spread", syscalls_spread, "syscalls_reason", syscalls_reason, "histogram",
		merge_histograms(c, rounds, "histogram"), "histogram_uncorrected",
		merge_histograms(c, rounds, "histogram_uncorrected"));
	if (is_imported(c))
		json_object_set_new(summary, "imported", imported_json(c, rounds));
	return summary;
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
		/* These belong to the test file, which only the file workload has. */
		if (strcmp(key, "filesystem") == 0 || strcmp(key, "device") == 0 ||
		    strcmp(key, "scheduler") == 0)
			continue;
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

/* That of the first run with a test file, which knows its device; else that of the first run. */
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
 * Where the peer was busy all the time with one engine, it bounds what all of them can
 * reach: their rates must not be compared there, the neighbours' neither.
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
	/* What the interval of most rows is worth: that of a configuration with all rounds. */
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
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/summary.json", folder) >= (int)sizeof path)
		return reason_errno(why, ENAMETOOLONG, "%s/summary.json", folder);
	return whole_file_write_json(path, summary, why);
}
