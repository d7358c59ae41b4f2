/* SPDX-License-Identifier: MIT */
/*
 * How many rounds `compare` runs. Its runs are played by this very program: compare executes
 * /proc/self/exe with "run", and gets the figures that are written here instead of measured ones.
 */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <pty.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/statistics.h"
#include "commands/commands.h"
#include "histogram.h"
#include "metrics/metric.h"
#include "run/result.h"
#include "run/run_options.h"
#include "tap.h"

#define SCATTER 0.03

/* Odd rounds show the engine 3 % too fast, even ones 3 % too slow: a spread as known as can be. */
static double scripted_ratio(unsigned round)
{
	return 1.2 * exp(round % 2 ? SCATTER : -SCATTER);
}

#define SCRIPTED_OPS 100000

/* Metrics of a whole run, of which only throughput, CPU time and latency say something. */
static json_t *scripted_metrics(double ratio, const struct histogram *latency)
{
	json_t *metrics = metrics_unknown();
	for_each_metric (m)
		if (m->always)
			metric_put(metrics, m->name, 1);
	metric_put(metrics, "ops", SCRIPTED_OPS);
	metric_put(metrics, "reads", 0);
	metric_put(metrics, "bytes", 0);
	metric_put(metrics, "bytes_per_s", 0);
	metric_put(metrics, "inflight_max", 1);
	metric_put(metrics, "elapsed_s", 100 / ratio);
	metric_put(metrics, METRIC_RATE, SCRIPTED_OPS * ratio / 100);
	metric_put(metrics, "cpu.user_s", SCRIPTED_OPS / ratio / 1e6);
	metric_put(metrics, "cpu.us_per_op", 1 / ratio);
	put_new(metrics, "latency_ns", result_latency(latency, "driver"));
	put_null(metrics, "latency_uncorrected_ns");
	put_null(metrics, "sync_latency_ns");
	put_null(metrics, "syscalls_reason");
	put_null(metrics, "hardware_reason");
	put_null(metrics, "steadiness");
	put_new(json_object_get(metrics, "cpu"), "per_cpu_pct", json_array());
	put_null(json_object_get(metrics, "hardware"), "scope");
	put_null(json_object_get(metrics, "hardware"), "running_pct");
	return metrics;
}

static int play_run(int argc, char **argv)
{
	struct run_options options;
	const char *const name = "iolab run"; /* as main() sets it, for argp */
	argv[0] = (char *)name;
	struct reason unread;
	if (run_options_parse(&options, argc, argv, &unread) < 0)
		exit(1);
	bool baseline = strcmp(options.config.engine->name, "null") == 0;
	double ratio = baseline ? 1 : scripted_ratio((unsigned)options.round);
	json_t *result = result_new(&options, argc, argv);
	result_set_status(result, RESULT_OK, NULL);
	struct histogram latency;
	histogram_reset(&latency);
	histogram_record(&latency, 50, SCRIPTED_OPS);
	json_object_set_new(result, "metrics", scripted_metrics(ratio, &latency));
	json_object_set_new(result, "histogram", result_histogram(&latency));
	json_dumpf(result, stdout, JSON_COMPACT);
	putchar('\n');
	run_options_free(&options);
	return 0;
}

struct compared {
	int status;
	char output[65536]; /* what a terminal would have shown */
	json_t *summary;
};

/* `iolab compare` of null and io_uring on nop, with `words` besides, at a terminal. */
static void compare(const char *folder, const char *const *words, struct compared *o)
{
	const char *argv[32] = { "iolab compare",
				 "--engines",
				 "null,io_uring",
				 "--workloads",
				 "nop",
				 "--depths",
				 "1",
				 "--baseline",
				 "null",
				 "--out",
				 folder,
				 "--seed",
				 "1",
				 "--idle",
				 "0",
				 "--no-count-syscalls" };
	int argc = 16, master;
	while (*words)
		argv[argc++] = *words++;
	memset(o, 0, sizeof *o);
	pid_t pid = forkpty(&master, NULL, NULL, NULL);
	if (pid == 0) {
		setenv("TERM", "xterm", 1);
		exit(command_compare(argc, (char **)argv));
	}
	/* EIO: the other end is closed. */
	size_t length = 0;
	for (ssize_t n; (n = read(master, o->output + length, sizeof o->output - 1 - length)) > 0;)
		length += (size_t)n;
	waitpid(pid, &o->status, 0);
	close(master);
	char path[512];
	snprintf(path, sizeof path, "%s/summary.json", folder);
	o->summary = json_load_file(path, 0, NULL);
	unlink(path);
	snprintf(path, sizeof path, "%s/runs.jsonl", folder);
	unlink(path);
	rmdir(folder);
}

/* The first number of rounds from 5 on at which the scripted ratios are known well enough. */
static unsigned rounds_until(double half_width)
{
	for (unsigned count = 5;; count++) {
		double ratios[1000];
		for (unsigned round = 0; round < count; round++)
			ratios[round] = scripted_ratio(round);
		if (estimate_ratio(ratios, count).half_width <= half_width)
			return count;
	}
}

static int rounds_done(const struct compared *o)
{
	return (int)number_at(o->summary, "rounds_done");
}

static const json_t *ratio_of_second(const struct compared *o)
{
	return json_array_get(json_object_get(o->summary, "configurations"), 1);
}

static bool matches(const char *text, const char *pattern)
{
	regex_t compiled;
	bool found = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) == 0 &&
		     regexec(&compiled, text, 0, NULL, 0) == 0;
	regfree(&compiled);
	return found;
}

static void precision_tests(struct tap *tap, const char *folder)
{
	struct compared o;
	unsigned expected = rounds_until(0.02);
	compare(folder, (const char *const[]) { "--until-ci", "2%", NULL }, &o);
	tap_check(tap, o.status == 0 && rounds_done(&o) == (int)expected,
		  "--until-ci 2%% ends after %u rounds, saw %d", expected, rounds_done(&o));
	tap_check(tap,
		  json_is_true(at_path(o.summary, "precision.reached")) &&
			  strcmp(string_at(o.summary, "precision.ended_by"), "precision") == 0 &&
			  strstr(o.output, "Every ratio is known to +-2 %"),
		  "and says that this was reached");
	double mean = json_number_value(json_object_get(
		json_object_get(json_object_get(ratio_of_second(&o), "ratio"), "ops_per_s"),
		"mean"));
	tap_check(tap, fabs(mean - 1.2) < 0.01, "the ratio is the scripted one: %.4f", mean);
	/* How long depends on the machine and on what else it does. */
	tap_check(tap,
		  strstr(o.output, "widest +-") &&
			  matches(o.output, "about [0-9]+:[0-5][0-9] left"),
		  "progress tells the width so far and how long it may take");
	json_decref(o.summary);

	compare(folder, (const char *const[]) { "--until-ci", "50", NULL }, &o);
	tap_check(tap, rounds_done(&o) == 5, "never fewer than five rounds: %d", rounds_done(&o));
	json_decref(o.summary);

	compare(folder,
		(const char *const[]) { "--until-ci", "0.01", "--time-limit", "0.4s", NULL }, &o);
	size_t unreached = json_array_size(at_path(o.summary, "precision.unreached"));
	tap_check(tap,
		  o.status == 0 &&
			  strcmp(string_at(o.summary, "precision.ended_by"), "time") == 0 &&
			  json_is_false(at_path(o.summary, "precision.reached")) && unreached == 2,
		  "--time-limit ends it, and %zu ratios are listed as not reached", unreached);
	tap_check(tap,
		  strstr(o.output, "The time limit of 0.4 s ended it") &&
			  strstr(o.output, "io_uring on nop, depth 1, ops_per_s: +-"),
		  "and so says the table");
	json_decref(o.summary);

	compare(folder, (const char *const[]) { "--rounds", "3", NULL }, &o);
	tap_check(tap,
		  rounds_done(&o) == 3 && json_is_null(json_object_get(o.summary, "precision")),
		  "without it, as many rounds as asked for");
	json_decref(o.summary);

	compare(folder, (const char *const[]) { "--until-ci", "1", "--rounds", "4", NULL }, &o);
	tap_check(tap, WEXITSTATUS(o.status) == 2 && strstr(o.output, "at least --rounds 5"),
		  "four rounds are too few to judge from");
	compare(folder, (const char *const[]) { "--until-ci", "2x", NULL }, &o);
	tap_check(tap, WEXITSTATUS(o.status) == 2 && strstr(o.output, "% may follow"),
		  "a width that is none");
	compare(folder, (const char *const[]) { "--until-ci", "2", "--engines", "null", NULL }, &o);
	tap_check(tap,
		  rounds_done(&o) == 5 && strstr(o.output, "no ratio to be known") &&
			  strcmp(string_at(o.summary, "precision.ended_by"), "unreachable") == 0,
		  "an engine alone has no ratio, and no further round would bring one");
	json_decref(o.summary);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		return play_run(argc - 1, argv + 1);
	argp_err_exit_status = EXIT_USAGE; /* as iolab's own main() does */
	struct tap tap = { 0 };
	char folder[] = "/var/tmp/iolab-compare-test-XXXXXX";
	if (!mkdtemp(folder))
		return 1;
	precision_tests(&tap, folder);
	rmdir(folder);
	return tap_end(&tap);
}
