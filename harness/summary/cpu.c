/* SPDX-License-Identifier: MIT */
/* Where the CPU time went: `iolab summary --cpu`, from what the summary says of each configuration. */
#include <stdio.h>

#include "base/json_path.h"
#include "base/printable_json.h"
#include "summary/place.h"
#include "summary/summary.h"

/* More CPUs than this do not fit a line; summary.json has them all. */
#define CPUS_SHOWN 16

/* The median; "-" where it is not known. */
static const char *median_text(const json_t *estimate, char text[24])
{
	if (!json_is_object(estimate))
		return "-";
	snprintf(text, 24, "%.0f", number_at(estimate, "median"));
	return text;
}

/* With its interval over the rounds. */
static const char *interval_text(const json_t *estimate, char text[40])
{
	if (!json_is_object(estimate))
		return "-";
	snprintf(text, 40, "%.0f (%.0f..%.0f)", number_at(estimate, "median"),
		 number_at(estimate, "low"), number_at(estimate, "high"));
	return text;
}

static void print_each_cpu(FILE *out, const json_t *list)
{
	size_t i;
	const json_t *busy_pct;
	char text[24];
	json_array_foreach (list, i, busy_pct) {
		if (i == CPUS_SHOWN) {
			fputs(" ...", out);
			break;
		}
		fprintf(out, " %3s",
			json_is_object(busy_pct) ? median_text(busy_pct, text) : "off");
	}
	fputc('\n', out);
}

static void print_cpu_row(FILE *out, const json_t *c)
{
	char text[40];
	fprintf(out, "  %-24s", string_at(c, "engine.label"));
	fprintf(out, " %6s", median_text(metric_estimate(c, "cpu.user_pct"), text));
	fprintf(out, " %6s", median_text(metric_estimate(c, "cpu.system_pct"), text));
	fprintf(out, " %6s", median_text(metric_estimate(c, "cpu.peer_util_pct"), text));
	fprintf(out, " %16s", interval_text(metric_estimate(c, "cpu.other_util_pct"), text));
	fprintf(out, " %16s", interval_text(metric_estimate(c, "cpu.other_above_idle_pct"), text));
	fprintf(out, " %5s ", median_text(metric_estimate(c, "cpu.host_error_pct"), text));
	print_each_cpu(out, json_object_get(c, "per_cpu_pct"));
}

void summary_print_cpu(FILE *out, const json_t *from_outside)
{
	json_t *summary = printable_copy(from_outside);
	const json_t *list = json_object_get(summary, "configurations");
	const json_t *idle = json_object_get(summary, "idle_baseline");
	const json_t *last = NULL, *c;
	size_t i;
	fputs("Where the CPU time went, in % of one CPU.\n", out);
	json_array_foreach (list, i, c) {
		if (!status_is(c, "ok"))
			continue;
		if (!last || !same_panel(last, c)) {
			fprintf(out, "\n%s\n", string_at(c, "workload.panel.text"));
			fprintf(out, "  %-24s %13s %6s %33s\n", "", "process", "", "elsewhere");
			fprintf(out, "  %-24s %6s %6s %6s %16s %16s %5s  %s\n", "", "user",
				"system", "peer", "all", "above idle", "+-", "each CPU");
		}
		if (!last || !same_place(last, c))
			fprintf(out, " %s %lld\n", string_at(c, "config.x_name"),
				(long long)json_integer_value(at_path(c, "config.x")));
		print_cpu_row(out, c);
		last = c;
	}
	fputs("\nMedians over the rounds, their intervals in brackets. process: all its threads, "
	      "those of io-wq\nand SQPOLL too; the split into user and system is good to a timer "
	      "tick of 1 to 10 ms. elsewhere:\nthe machine without process and peer, from "
	      "/proc/stat: kworkers, softirq and other programs\ntogether; good to +-, and below 0 "
	      "within that.\n",
	      out);
	if (json_is_object(idle))
		fprintf(out,
			"above idle: without the %.3g %% (+-%.2g %%) that the idle host used "
			"before.\n",
			number_at(idle, "busy_pct"), number_at(idle, "error_pct"));
	else
		fputs("above idle: not known, since the idle host was not measured (--idle 0).\n",
		      out);
	json_decref(summary);
}
