/* SPDX-License-Identifier: MIT */
/* The table of metrics: is it whole, and does it make of known readings what it says? */
#include <math.h>
#include <string.h>

#include "base/json_path.h"
#include "metrics/metric.h"
#include "tap.h"

static unsigned rows_named(const char *name)
{
	unsigned count = 0;
	for_each_metric (m)
		count += strcmp(m->name, name) == 0;
	return count;
}

static unsigned columns_named(const char *name)
{
	unsigned count = 0;
	for_each_metric (m)
		count += m->csv && strcmp(m->csv, name) == 0;
	return count;
}

/* Each row alone. */
static void check_rows(struct tap *tap)
{
	unsigned rows = 0, wrong = 0;
	for_each_metric (m) {
		unsigned sources = !!m->measure + !!m->observe + !!m->derive;
		bool fine = m->words && m->unit && m->meaning && sources <= 1 &&
			    rows_named(m->name) == 1 && (!m->csv || columns_named(m->csv) == 1) &&
			    (!m->error || metric_find(m->error)) &&
			    (m->in_summary || (!m->ratio && m->column.shown == COLUMN_NEVER)) &&
			    (m->ratio || !m->until_ci) && (m->in_summary || !m->derive) &&
			    (!m->column.shown || (m->column.head && m->column.group));
		if (!fine)
			tap_check(tap, false, "the row %s", m->name);
		wrong += !fine;
		rows++;
	}
	tap_check(tap, rows > 40 && wrong == 0, "%u rows, each whole, with a name of its own",
		  rows);
	tap_check(tap, metric_find(METRIC_RATE) && !metric_find("nothing"),
		  "a row is found by its name");
}

static bool is_near(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fabs(b);
}

/* Half a second of 1000 operations, with figures that are easy to divide. */
static struct measured known(struct workload *workload, struct window *window)
{
	workload->tally.ops = 1000;
	workload->tally.bytes = 4096000;
	window->inflight_mean = 3.5;
	window->inflight_max = 4;
	struct measured m = {
		.workload = workload,
		.window = window,
		.usage = {
			.elapsed_s = 0.5,
			.user_s = 0.1,
			.system_s = 0.2,
			.peer_s = 0.05,
			.host_busy_s = 0.4,
			.host_steal_s = 0.01,
			.host_error_s = 0.02,
			.voluntary_switches = 900,
			.involuntary_switches = 100,
			.syscalls = 2000,
			.hardware = { .of = { 6000, 3000, 40, NAN }, .running_pct = 100 },
		},
	};
	return m;
}

static double value(const json_t *run, const char *name)
{
	return metric_value(metric_find(name), run, NULL);
}

static void measure_known_readings(struct tap *tap)
{
	static struct workload workload;
	static struct window window;
	struct measured m = known(&workload, &window);
	json_t *run = metrics_of_run(&m, NULL);
	static const struct {
		const char *name;
		double value;
	} expected[] = {
		{ "ops", 1000 },
		{ "ops_per_s", 2000 },
		{ "bytes_per_s", 8192000 },
		{ "cpu.us_per_op", 300 },
		{ "cpu.util_pct", 60 },
		{ "cpu.user_pct", 20 },
		{ "cpu.system_us_per_op", 200 },
		{ "cpu.peer_util_pct", 10 },
		{ "cpu.host_util_pct", 80 },
		{ "cpu.host_us_per_op", 350 },
		{ "cpu.host_steal_pct", 2 },
		{ "cpu.host_error_us_per_op", 20 },
		{ "cpu.other_util_pct", 10 },
		{ "cpu.other_us_per_op", 50 },
		{ "context_switches_per_op", 1 },
		{ "syscalls_per_op", 2 },
		{ "hardware.instructions_per_op", 6 },
		{ "hardware.instructions_per_cycle", 2 },
		{ "inflight_mean", 3.5 },
		{ "inflight_max", 4 },
	};
	for (unsigned i = 0; i < sizeof expected / sizeof *expected; i++)
		tap_check(tap, is_near(value(run, expected[i].name), expected[i].value), "%s is %g",
			  expected[i].name, value(run, expected[i].name));
	tap_check(tap,
		  json_is_integer(at_path(run, "ops")) && json_is_real(at_path(run, "ops_per_s")),
		  "an integer is one, a rate is none");
	tap_check(tap,
		  json_is_null(at_path(run, "hardware.branch_misses_per_op")) &&
			  json_is_null(at_path(run, "unfinished")) &&
			  json_is_null(at_path(run, "owed_before")),
		  "what was not counted, and what a closed loop has not, is null");
	tap_check(tap, isnan(value(run, "cpu.other_above_idle_pct")),
		  "nothing is above an idle host that was not measured");
	json_decref(run);
}

static void divide_by_nothing(struct tap *tap)
{
	static struct workload workload;
	static struct window window;
	struct measured m = known(&workload, &window);
	workload.tally.ops = 0;
	json_t *run = metrics_of_run(&m, NULL);
	unsigned wrong = 0;
	for_each_metric (row)
		if (strstr(row->name, "_per_op"))
			wrong += !isnan(metric_value(row, run, NULL));
	tap_check(tap, wrong == 0 && value(run, "ops_per_s") == 0,
		  "without an operation there is a rate, 0, and nothing for an operation");
	json_decref(run);
}

static void know_nothing(struct tap *tap)
{
	json_t *run = metrics_unknown();
	unsigned wrong = 0;
	for_each_metric (m) {
		bool there = at_path(run, m->name) != NULL;
		wrong += there != (m->measure || m->observe) || !isnan(metric_value(m, run, NULL));
	}
	tap_check(tap, wrong == 0, "a run of which nothing is known has every key, and null there");
	json_decref(run);
}

static void write_values(struct tap *tap)
{
	static const struct {
		const char *name;
		double value;
		const char *text;
	} written[] = {
		{ "ops_per_s", 1234567, "1.23M" },	{ "ops_per_s", 999.4, "999" },
		{ "latency_ns.p50", 45600, "45.6 us" }, { "latency_ns.p99", 3e9, "3.00 s" },
		{ "cpu.us_per_op", 1.234, "1.23" },	{ "syscalls_per_op", 0.0004, "<0.001" },
		{ "syscalls_per_op", 0.0312, "0.031" },
	};
	for (unsigned i = 0; i < sizeof written / sizeof *written; i++) {
		char text[16];
		metric_format(metric_find(written[i].name), written[i].value, text);
		tap_check(tap, strcmp(text, written[i].text) == 0, "%s of %g is written %s",
			  written[i].name, written[i].value, text);
	}
}

int main(void)
{
	struct tap tap = { 0 };
	check_rows(&tap);
	measure_known_readings(&tap);
	divide_by_nothing(&tap);
	know_nothing(&tap);
	write_values(&tap);
	return tap_end(&tap);
}
