/* SPDX-License-Identifier: MIT */
/* The table that a comparison ends with: one block for each panel, one row for each engine. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "summary/place.h"
#include "summary/summary.h"

/* Three significant digits and a unit: 1.23k, 45.6M. */
static const char *format_count(double value, char text[16])
{
	static const char units[] = " kMGT";
	unsigned unit = 0;
	while (value >= 999.5 && unit < 4) {
		value /= 1000;
		unit++;
	}
	const char *digits = value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f";
	int length = snprintf(text, 16, digits, value);
	if (unit > 0)
		snprintf(text + length, 16 - (size_t)length, "%c", units[unit]);
	return text;
}

static const char *format_time(double ns, char text[16])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	unsigned unit = 0;
	while (ns >= 999.5 && unit < 3) {
		ns /= 1000;
		unit++;
	}
	const char *digits = ns < 9.995 ? "%.2f %s" : ns < 99.95 ? "%.1f %s" : "%.0f %s";
	snprintf(text, 16, digits, ns, units[unit]);
	return text;
}

/* The estimate of a metric; NULL when no round gave one. */
static const json_t *estimate_at(const json_t *configuration, const char *metric)
{
	const json_t *found = json_object_get(json_object_get(configuration, "metrics"), metric);
	return json_is_object(found) ? found : NULL;
}

/* The median as `format` writes it; "-" when there is none. */
static const char *median_words(const json_t *configuration, const char *metric,
				const char *(*format)(double, char[16]), char text[16])
{
	const json_t *estimate = estimate_at(configuration, metric);
	return estimate ? format(number_at(estimate, "median"), text) : "-";
}

static const char *format_us(double us, char text[16])
{
	snprintf(text, 16, "%.2f", us);
	return text;
}

const char *format_ratio(double ratio, char text[16])
{
	snprintf(text, 16, "%.2f", ratio);
	if (strcmp(text, "1.00") == 0)
		snprintf(text, 16, "%.4f", ratio);
	return text;
}

/* With one call for hundreds of operations there is little, and it is not nothing. */
static const char *format_calls(double calls, char text[16])
{
	if (calls > 0 && calls < 0.001)
		snprintf(text, 16, "<0.001");
	else
		snprintf(text, 16, calls > 0 && calls < 0.1 ? "%.2g" : "%.2f", calls);
	return text;
}

static void print_ratio(FILE *out, const json_t *configuration)
{
	const char *baseline = string_at(configuration, "baseline");
	const json_t *ratio = json_object_get(json_object_get(configuration, "ratio"), "ops_per_s");
	char text[64], mean[16], low[16], high[16];
	if (strcmp(string_at(configuration, "engine.label"), baseline) == 0)
		snprintf(text, sizeof text, "1");
	else if (!json_is_object(ratio))
		snprintf(text, sizeof text, "-");
	else if (strcmp(string_at(ratio, "verdict"), NO_DIFFERENCE) == 0)
		snprintf(text, sizeof text, NO_DIFFERENCE);
	else
		snprintf(text, sizeof text, "%s (%s-%s)",
			 format_ratio(number_at(ratio, "mean"), mean),
			 format_ratio(number_at(ratio, "low"), low),
			 format_ratio(number_at(ratio, "high"), high));
	fprintf(out, " %19s", text);
}

/* Stands behind a value that the rounds do not tell from the baseline's. */
static const char *equal_sign(const json_t *c, const char *metric)
{
	const json_t *ratio = json_object_get(json_object_get(c, "ratio"), metric);
	return strcmp(string_at(ratio, "verdict"), NO_DIFFERENCE) == 0 ? "=" : " ";
}

/* The whole machine's CPU time; with its error where that is more than its last digits. */
static const char *host_words(const json_t *c, char text[16])
{
	double value = number_at(estimate_at(c, "cpu.host_us_per_op"), "median");
	double error = number_at(estimate_at(c, "cpu.host_error_us_per_op"), "median");
	if (error <= 0.01 * value)
		return median_words(c, "cpu.host_us_per_op", format_us, text);
	snprintf(text, 16, error >= 0.95 ? "%.0f+-%.0f" : "%.1f+-%.1f", value, error);
	return text;
}

static void print_row(FILE *out, const json_t *c)
{
	const json_t *rate = estimate_at(c, "ops_per_s");
	double median = number_at(rate, "median");
	char text[16], calls[16] = "-";
	const json_t *syscalls = json_object_get(c, "syscalls_per_op");
	if (json_is_number(syscalls))
		format_calls(json_number_value(syscalls), calls);

	fprintf(out, "  %-24s", string_at(c, "engine.label"));
	fprintf(out, " %8s", median_words(c, "ops_per_s", format_count, text));
	if (median > 0)
		fprintf(out, " %+4.0f %+4.0f%%", 100 * (number_at(rate, "low") / median - 1),
			100 * (number_at(rate, "high") / median - 1));
	else
		fprintf(out, " %10s", "-");
	print_ratio(out, c);
	fprintf(out, " %8s%s", median_words(c, "latency_ns.p50", format_time, text),
		equal_sign(c, "latency_ns.p50"));
	fprintf(out, " %8s%s", median_words(c, "latency_ns.p99", format_time, text),
		equal_sign(c, "latency_ns.p99"));
	fprintf(out, " %8s%s", median_words(c, "cpu.us_per_op", format_us, text),
		equal_sign(c, "cpu.us_per_op"));
	fprintf(out, " %8s", host_words(c, text));
	fprintf(out, " %7s%s\n", calls,
		json_array_size(json_object_get(c, "warnings")) ? " !" : "");
}

/* Whether `entry` is the first of its panel (or of its panel and swept value) in the list. */
static bool is_first(const json_t *list, size_t position,
		     bool (*same)(const json_t *, const json_t *))
{
	const json_t *entry = json_array_get(list, position);
	for (size_t i = 0; i < position; i++) {
		const json_t *earlier = json_array_get(list, i);
		if (same_panel(earlier, entry) && (!same || same(earlier, entry)))
			return false;
	}
	return true;
}

/* Engines that could not do a panel, each with its reason once, however many values were swept. */
static void print_refusals(FILE *out, const json_t *list, const json_t *panel)
{
	size_t i;
	json_t *c;
	json_array_foreach (list, i, c) {
		if (!same_panel(c, panel) || status_is(c, "ok"))
			continue;
		bool told = false;
		for (size_t j = 0; j < i; j++) {
			const json_t *earlier = json_array_get(list, j);
			told = told || (same_panel(earlier, c) && !status_is(earlier, "ok") &&
					json_equal(json_object_get(earlier, "engine"),
						   json_object_get(c, "engine")) &&
					json_equal(json_object_get(earlier, "reason"),
						   json_object_get(c, "reason")));
		}
		if (!told)
			fprintf(out, "  %-24s %s: %s\n", string_at(c, "engine.label"),
				string_at(c, "status"), string_at(c, "reason"));
	}
}

/* Why a column has a "-", once for each reason. */
static void print_missing(FILE *out, const json_t *list, const json_t *panel, const char *what,
			  const char *reason_key)
{
	size_t i, j;
	json_t *c, *earlier;
	json_array_foreach (list, i, c) {
		const char *reason = string_at(c, reason_key);
		bool told = !*reason || !same_panel(c, panel) || !status_is(c, "ok");
		json_array_foreach (list, j, earlier) {
			told = told || (j < i && same_panel(earlier, c) &&
					strcmp(string_at(earlier, reason_key), reason) == 0);
		}
		if (!told)
			fprintf(out, "  no %s: %s\n", what, reason);
	}
}

/* Where another engine stands in for the baseline: which one, and why, each once. */
static void print_stand_ins(FILE *out, const json_t *list, const json_t *panel)
{
	size_t i, j;
	json_t *c, *earlier;
	json_array_foreach (list, i, c) {
		const char *reason = string_at(c, "stand_in_reason");
		bool told = !*reason || !same_panel(c, panel);
		json_array_foreach (list, j, earlier) {
			told = told ||
			       (j < i && same_panel(earlier, c) &&
				strcmp(string_at(earlier, "stand_in_reason"), reason) == 0 &&
				strcmp(string_at(earlier, "baseline"), string_at(c, "baseline")) ==
					0);
		}
		if (!told)
			fprintf(out, "  ratios to %s: %s\n", string_at(c, "baseline"), reason);
	}
}

/* What the ratios of a panel are taken to, where that is the same at all swept values. */
static const char *common_baseline(const json_t *list, const json_t *panel)
{
	size_t i;
	json_t *c;
	json_array_foreach (list, i, c) {
		if (same_panel(c, panel) &&
		    strcmp(string_at(c, "baseline"), string_at(panel, "baseline")) != 0)
			return NULL;
	}
	return string_at(panel, "baseline");
}

static void print_panel(FILE *out, const json_t *list, size_t position)
{
	const json_t *panel = json_array_get(list, position);
	const char *baseline = common_baseline(list, panel);
	size_t i, j;
	json_t *c, *row;
	fprintf(out, "\n%s\n", string_at(panel, "workload.panel"));
	char rate[32];
	snprintf(rate, sizeof rate, "%ss/s", string_at(panel, "workload.op"));
	fprintf(out, "  %-22s %10s %10s %19s %18s %18s %9s\n", "", "", "", "ratio to", "latency",
		"CPU us per op", "calls");
	fprintf(out, "  %-22s %10s %10s %19s %8s  %8s  %8s  %8s %7s\n", "", rate, "spread",
		baseline ? baseline : "see below", "p50", "p99", "process", "machine", "per op");
	json_array_foreach (list, i, c) {
		if (!same_panel(c, panel) || !is_first(list, i, same_x))
			continue;
		bool headed = false;
		json_array_foreach (list, j, row) {
			if (!same_place(row, c) || !status_is(row, "ok"))
				continue;
			if (!headed)
				fprintf(out, " %s %lld%s%s\n", string_at(c, "config.x_name"),
					(long long)json_integer_value(at_path(c, "config.x")),
					baseline ? "" : ", ratios to ",
					baseline ? "" : string_at(c, "baseline"));
			headed = true;
			print_row(out, row);
		}
	}
	print_stand_ins(out, list, panel);
	print_missing(out, list, panel, "ratio", "ratio_reason");
	print_missing(out, list, panel, "calls per op", "syscalls_reason");
	print_refusals(out, list, panel);
}

/*
 * Warnings are alike when they differ in their numbers alone ("only 4 %", "only 77 %"). Steps over
 * one character, or over a number, of both; false where they part.
 */
static bool step_alike(const char **a, const char **b)
{
	char *a_end = (char *)*a + 1, *b_end = (char *)*b + 1;
	if (isdigit((unsigned char)**a) && isdigit((unsigned char)**b)) {
		strtod(*a, &a_end);
		strtod(*b, &b_end);
	} else if (**a != **b) {
		return false;
	}
	*a = a_end;
	*b = b_end;
	return true;
}

static bool alike(const char *a, const char *b)
{
	while (*a && *b)
		if (!step_alike(&a, &b))
			return false;
	return !*a && !*b;
}

static bool has_warning(const json_t *configuration, const char *text)
{
	size_t i;
	json_t *warning;
	json_array_foreach (json_object_get(configuration, "warnings"), i, warning) {
		if (alike(json_string_value(warning), text))
			return true;
	}
	return false;
}

/* The number at `position` of `text` as it is in all warnings that are alike: "4" or "4-77". */
static void print_range(FILE *out, const json_t *list, const char *text, size_t position)
{
	double least = strtod(text + position, NULL), most = least;
	size_t i, j;
	json_t *c, *warning;
	json_array_foreach (list, i, c) {
		json_array_foreach (json_object_get(c, "warnings"), j, warning) {
			const char *mine = text, *other = json_string_value(warning);
			if (!alike(mine, other))
				continue;
			while (mine < text + position)
				step_alike(&mine, &other);
			double value = strtod(other, NULL);
			least = value < least ? value : least;
			most = value > most ? value : most;
		}
	}
	fprintf(out, least < most ? "%g-%g" : "%g", least, most);
}

static void print_warning(FILE *out, const json_t *list, const char *text)
{
	for (const char *at = text; *at;) {
		char *end = (char *)at + 1;
		if (isdigit((unsigned char)*at)) {
			print_range(out, list, text, (size_t)(at - text));
			strtod(at, &end);
		} else {
			fputc(*at, out);
		}
		at = end;
	}
}

/* From entry `from` on: the engines that share its panel, its swept value and the warning. */
static void print_warned(FILE *out, const json_t *list, size_t from, const char *text)
{
	const json_t *first = json_array_get(list, from);
	fprintf(out, "    %s, %s %lld:", string_at(first, "workload.panel"),
		string_at(first, "config.x_name"),
		(long long)json_integer_value(at_path(first, "config.x")));
	for (size_t i = from; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		if (same_place(c, first) && has_warning(c, text))
			fprintf(out, "%s %s", i == from ? "" : ",", string_at(c, "engine.label"));
	}
	fputc('\n', out);
}

/* Whether an earlier entry carries the same warning (at the same place, if so asked). */
static bool warned_before(const json_t *list, size_t position, const char *text, bool at_same_place)
{
	const json_t *c = json_array_get(list, position);
	for (size_t i = 0; i < position; i++) {
		const json_t *earlier = json_array_get(list, i);
		bool same = !at_same_place || same_place(earlier, c);
		if (same && has_warning(earlier, text))
			return true;
	}
	return false;
}

/* Each warning once, then where it was given. */
static void print_warnings(FILE *out, const json_t *list)
{
	size_t i, j, k;
	json_t *c, *warning, *other;
	bool headed = false;
	json_array_foreach (list, i, c) {
		const json_t *warnings = json_object_get(c, "warnings");
		json_array_foreach (warnings, j, warning) {
			const char *text = json_string_value(warning);
			bool told = warned_before(list, i, text, false);
			for (k = 0; k < j && !told; k++)
				told = alike(json_string_value(json_array_get(warnings, k)), text);
			if (told)
				continue;
			fprintf(out, "%s  ", headed ? "" : "\nWarnings (rows marked !)\n");
			print_warning(out, list, text);
			fputc('\n', out);
			headed = true;
			json_array_foreach (list, k, other)
				if (has_warning(other, text) && !warned_before(list, k, text, true))
					print_warned(out, list, k, text);
		}
	}
}

/* The engines whose runs another program made, each once, and how many rows are not theirs. */
static unsigned print_imported(FILE *out, const json_t *list)
{
	unsigned named = 0, own = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		bool told = !json_object_get(c, "imported");
		own += told;
		for (size_t j = 0; j < i; j++)
			told = told ||
			       json_equal(json_object_get(json_array_get(list, j), "engine"),
					  json_object_get(c, "engine"));
		if (!told)
			fprintf(out, "%s%s",
				named++ ? ", "
					: "\nImported, one run a round, and not "
					  "in turns with other runs: ",
				string_at(c, "engine.label"));
	}
	if (named)
		fputs(".", out);
	return own;
}

/* What the columns are worth, in the summary's own words. */
static void print_foot(FILE *out, const json_t *summary)
{
	unsigned own = print_imported(out, json_object_get(summary, "configurations"));
	fprintf(out,
		"\nMedians of %lld rounds%s. Spread: interval of %.4g %% confidence, "
		"%s.\nRatio: %s,\ninterval of %.4g %%. \"%s\", and = behind a value: it spans 1, "
		"or there are fewer than five rounds.\n",
		(long long)json_integer_value(json_object_get(summary, "rounds_done")),
		own ? " in random order" : "",
		json_number_value(at_path(summary, "interval.confidence_pct")),
		string_at(summary, "interval.method"), string_at(summary, "interval.ratio_method"),
		json_number_value(at_path(summary, "interval.ratio_confidence_pct")),
		NO_DIFFERENCE);
}

/* Was the width that --until-ci named reached? What was not is said one by one, up to a few. */
static void print_precision(FILE *out, const json_t *precision)
{
	const unsigned told_max = 5;
	double wanted_pct = number_at(precision, "wanted_pct");
	const char *ended_by = string_at(precision, "ended_by");
	if (strcmp(ended_by, "time") == 0)
		fprintf(out, "The time limit of %g s ended it.\n",
			number_at(precision, "time_limit_s"));
	if (strcmp(ended_by, "unreachable") == 0)
		fputs("No further round would have made a ratio more precise.\n", out);
	if (wanted_pct <= 0)
		return;
	if (number_at(precision, "ratios") == 0) {
		fputs("There is no ratio to be known: is the baseline among the engines?\n", out);
		return;
	}
	const json_t *unreached = json_object_get(precision, "unreached");
	if (json_array_size(unreached) == 0) {
		fprintf(out,
			"Every ratio is known to +-%g %%, as asked: the widest to +-%.2g %%.\n",
			wanted_pct, number_at(precision, "widest_pct"));
		return;
	}
	fprintf(out, "Not known to +-%g %%, as asked:\n", wanted_pct);
	size_t i;
	json_t *ratio;
	json_array_foreach (unreached, i, ratio) {
		if (i == told_max) {
			fprintf(out, "  and %zu more, see precision in summary.json\n",
				json_array_size(unreached) - told_max);
			break;
		}
		const json_t *half_pct = json_object_get(ratio, "half_width_pct");
		fprintf(out, "  %s on %s, %s %lld, %s: ", string_at(ratio, "engine"),
			string_at(ratio, "panel"), string_at(ratio, "x_name"),
			(long long)json_integer_value(json_object_get(ratio, "x")),
			string_at(ratio, "metric"));
		if (json_is_number(half_pct))
			fprintf(out, "+-%.2g %%\n", json_number_value(half_pct));
		else
			fputs("no ratio, since a round finished nothing\n", out);
	}
}

/* Time that the hypervisor took: what it disturbed is not the engines' doing. */
static void print_steal(FILE *out, const json_t *list)
{
	const json_t *worst = NULL;
	double most_pct = 0;
	size_t i;
	json_t *c;
	json_array_foreach (list, i, c) {
		double pct = number_at(estimate_at(c, "cpu.host_steal_pct"), "max");
		if (pct > most_pct) {
			most_pct = pct;
			worst = c;
		}
	}
	if (worst)
		fprintf(out,
			"The hypervisor took up to %.2g %% of a CPU away (steal): from %s on %s, "
			"%s "
			"%lld.\n",
			most_pct, string_at(worst, "engine.label"),
			string_at(worst, "workload.panel"), string_at(worst, "config.x_name"),
			(long long)json_integer_value(at_path(worst, "config.x")));
}

/* The most CPU time that was used outside of process and peer, so that no engine can hide any. */
static void print_elsewhere(FILE *out, const json_t *list)
{
	const json_t *worst = NULL;
	double most_pct = 0;
	size_t i;
	json_t *c;
	json_array_foreach (list, i, c) {
		const json_t *other = estimate_at(c, "cpu.other_util_pct");
		if (other && (!worst || number_at(other, "median") > most_pct)) {
			most_pct = number_at(other, "median");
			worst = c;
		}
	}
	if (worst)
		fprintf(out,
			"Outside of process and peer (kernel workers, softirq, other programs) at "
			"most "
			"%.0f %% (+-%.0f %%) of a\nCPU were used: %s on %s, %s %lld. For all, and "
			"each CPU: "
			"iolab summary --cpu\n",
			most_pct, number_at(estimate_at(worst, "cpu.host_error_pct"), "median"),
			string_at(worst, "engine.label"), string_at(worst, "workload.panel"),
			string_at(worst, "config.x_name"),
			(long long)json_integer_value(at_path(worst, "config.x")));
}

void summary_print(FILE *out, const json_t *summary)
{
	const json_t *list = json_object_get(summary, "configurations");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (is_first(list, i, NULL))
			print_panel(out, list, i);
	print_warnings(out, list);
	if (json_integer_value(json_object_get(summary, "rounds_done")) == 0)
		return;
	print_foot(out, summary);
	print_steal(out, list);
	const json_t *idle = json_object_get(summary, "idle_baseline");
	if (json_is_object(idle))
		fprintf(out, "Before it, the idle host used %.3g %% (+-%.2g %%) of a CPU.\n",
			number_at(idle, "busy_pct"), number_at(idle, "error_pct"));
	print_elsewhere(out, list);
	const json_t *precision = json_object_get(summary, "precision");
	if (json_is_object(precision))
		print_precision(out, precision);
}
