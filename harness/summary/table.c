/* SPDX-License-Identifier: MIT */
/* The table that a comparison ends with: one block for each panel, one row for each engine. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/printable_json.h"
#include "base/remark.h"
#include "metrics/metric.h"
#include "summary/notes.h"
#include "summary/place.h"
#include "summary/remarks.h"
#include "summary/summary.h"

#define RATIO_WIDTH 19

const char *format_ratio(double ratio, char text[16])
{
	snprintf(text, 16, "%.2f", ratio);
	if (strcmp(text, "1.00") == 0)
		snprintf(text, 16, "%.4f", ratio);
	return text;
}

static void print_ratio(FILE *out, const json_t *configuration)
{
	const char *baseline = string_at(configuration, "baseline");
	const json_t *ratio = json_object_get(json_object_get(configuration, "ratio"), METRIC_RATE);
	char text[64], mean[16], low[16], high[16];
	if (strcmp(string_at(configuration, "engine.label"), baseline) == 0)
		snprintf(text, sizeof text, "1");
	else if (!json_is_object(ratio))
		snprintf(text, sizeof text, "-");
	else if (strcmp(string_at(ratio, "verdict"), VERDICT_NONE) == 0)
		snprintf(text, sizeof text, NO_DIFFERENCE);
	else
		snprintf(text, sizeof text, "%s (%s-%s)",
			 format_ratio(number_at(ratio, "mean"), mean),
			 format_ratio(number_at(ratio, "low"), low),
			 format_ratio(number_at(ratio, "high"), high));
	fprintf(out, " %*s", RATIO_WIDTH, text);
}

/* Stands behind a value that the rounds do not tell from the baseline's. */
static char equal_sign(const json_t *c, const struct metric *m)
{
	const json_t *ratio = json_object_get(json_object_get(c, "ratio"), m->name);
	return strcmp(string_at(ratio, "verdict"), VERDICT_NONE) == 0 ? '=' : ' ';
}

/* The median; with its error where that is more than its last digits; "-" when there is none. */
static const char *median_words(const json_t *c, const struct metric *m, char text[16])
{
	const json_t *estimate = metric_estimate(c, m->name);
	if (!estimate)
		return "-";
	double value = number_at(estimate, "median");
	double error = m->error ? number_at(metric_estimate(c, m->error), "median") : 0;
	if (error > 0 && error > 0.01 * fabs(value))
		snprintf(text, 16, error >= 0.95 ? "%.0f+-%.0f" : "%.1f+-%.1f", value, error);
	else
		metric_format(m, value, text);
	return text;
}

/* Has the table of this panel a column for it? */
static bool has_column(const json_t *list, const json_t *panel, const struct metric *m)
{
	size_t i;
	const json_t *c;
	if (m->column.shown != COLUMN_IF_SOME)
		return m->column.shown == COLUMN_ALWAYS;
	json_array_foreach (list, i, c)
		if (same_panel(c, panel) && number_at(metric_estimate(c, m->name), "max") > 0)
			return true;
	return false;
}

static void print_row(FILE *out, const json_t *list, const json_t *c)
{
	const json_t *rate = metric_estimate(c, METRIC_RATE);
	double median = number_at(rate, "median");
	char text[16];
	fprintf(out, "  %-24s", string_at(c, "engine.label"));
	fprintf(out, " %8s", median_words(c, metric_find(METRIC_RATE), text));
	if (median > 0)
		fprintf(out, " %+4.0f %+4.0f%%", 100 * (number_at(rate, "low") / median - 1),
			100 * (number_at(rate, "high") / median - 1));
	else
		fprintf(out, " %10s", "-");
	print_ratio(out, c);
	for_each_metric (m) {
		if (!has_column(list, c, m))
			continue;
		fprintf(out, " %*s", m->column.width_chars, median_words(c, m, text));
		if (m->ratio)
			fputc(equal_sign(c, m), out);
	}
	fprintf(out, "%s\n", json_array_size(json_object_get(c, "warnings")) ? " !" : "");
}

/*
 * The first line above the columns: what neighbours have in common, at the right end of them. The
 * place of a "=" stays empty.
 */
static void print_groups(FILE *out, const json_t *list, const json_t *panel)
{
	const char *group = "";
	int width = 0, tail = 0;
	for_each_metric (m) {
		if (!has_column(list, panel, m))
			continue;
		if (width > 0 && strcmp(group, m->column.group) != 0) {
			fprintf(out, "%*s%*s", width - tail, group, tail, "");
			width = 0;
		}
		group = m->column.group;
		tail = m->ratio;
		width += 1 + m->column.width_chars + tail;
	}
	fprintf(out, "%*s\n", width - tail, group);
}

static void print_heads(FILE *out, const json_t *list, const json_t *panel, const char *baseline)
{
	char rate[32];
	snprintf(rate, sizeof rate, "%ss/s", string_at(panel, "workload.op"));
	fprintf(out, "  %-22s %10s %10s %*s", "", "", "", RATIO_WIDTH, "ratio to");
	print_groups(out, list, panel);
	fprintf(out, "  %-22s %10s %10s %*s", "", rate, "spread", RATIO_WIDTH,
		baseline ? baseline : "see below");
	for_each_metric (m)
		if (has_column(list, panel, m))
			fprintf(out, " %*s%s", m->column.width_chars, m->column.head,
				m->ratio ? " " : "");
	fputc('\n', out);
}

/* Whether `entry` is the first of its panel (or of its panel and swept value) in the list. */
static bool is_first(const json_t *list, size_t position,
		     bool (*same)(const json_t *, const json_t *))
{
	const json_t *entry = json_array_get(list, position);
	for (size_t i = 0; i < position; i++)
		if (same(json_array_get(list, i), entry))
			return false;
	return true;
}

/* What the ratios of a panel are taken to; NULL where that differs among its swept values. */
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
	char place[64];
	size_t i, j;
	json_t *c, *row;
	fprintf(out, "\n%s\n", string_at(panel, "workload.panel.text"));
	print_heads(out, list, panel, baseline);
	json_array_foreach (list, i, c) {
		if (!same_panel(c, panel) || !is_first(list, i, same_place))
			continue;
		bool headed = false;
		json_array_foreach (list, j, row) {
			if (!same_place(row, c) || !status_is(row, "ok"))
				continue;
			if (!headed)
				fprintf(out, " %s%s%s\n", x_words(c, place),
					baseline ? "" : ", ratios to ",
					baseline ? "" : string_at(c, "baseline"));
			headed = true;
			print_row(out, list, row);
		}
	}
	print_panel_notes(out, list, panel);
}

void summary_print(FILE *out, const json_t *from_outside)
{
	json_t *summary = printable_copy(from_outside);
	const json_t *list = json_object_get(summary, "configurations");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (is_first(list, i, same_panel))
			print_panel(out, list, i);
	print_all_warnings(out, list);
	if (json_integer_value(json_object_get(summary, "rounds_done")) > 0)
		print_foot(out, summary);
	json_decref(summary);
}
