/* SPDX-License-Identifier: MIT */
/* One line a run, with fields as RFC 4180 has them: lines end in CR LF, quotes only where needed. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "exchange/export.h"
#include "metrics/metric.h"
#include "printable_text.h"
#include "workloads/workload.h"

struct column {
	const char *name, *path; /* the name has the unit; the path is where a run has it */
};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* First: which run it is, and what it measured. */
static const struct column work[] = {
	{ "time_utc", "time_utc" },
	{ "status", "status" },
	{ "reason", "reason" },
	{ "reason_id", "reason.id" },
	{ "engine", "engine.label" },
	{ "workload", "workload.name" },
	{ "panel", "workload.panel.text" },
	{ "operation", "workload.op" },
	{ "x_name", "config.x_name" },
	{ "x", "config.x" },
	{ "round", "config.round" },
	{ "position", "config.position" },
};

/* After the workloads' own parameters: how it was run. */
static const struct column configuration[] = {
	{ "depth", "config.depth" },
	{ "batch_submit", "config.batch_submit" },
	{ "batch_complete", "config.batch_complete" },
	{ "compute_us", "config.compute_us" },
	{ "rate_per_s", "config.rate_per_s" },
	{ "stall_ms", "config.stall_ms" },
	{ "seed", "config.seed" },
	{ "count_syscalls", "config.count_syscalls" },
};

/* After them: where. */
static const struct column surroundings[] = {
	{ "kernel", "env.kernel" },	      { "cpu_model", "env.cpu_model" },
	{ "cpus_online", "env.cpus_online" }, { "filesystem", "env.filesystem" },
	{ "device", "env.device" },	      { "commit", "env.commit" },
	{ "imported_file", "imported.file" }, { "imported_job", "imported.job" },
};

static void put_field(FILE *out, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/*
 * A spreadsheet takes a field that begins with one of these for a formula, which may start programs. With a quote
 * before it, it is text.
 */
static bool is_formula(const char *text)
{
	return *text && strchr("=+-@", *text);
}

/* Without control characters; only the ends of lines stay, since a quoted field may have them. */
static void put_text(FILE *out, const char *text)
{
	size_t length = strlen(text);
	char *copy = malloc(length + 2);
	if (!copy) {
		required(NULL); /* ends the program */
		return;
	}
	copy[0] = '\'';
	copy_printable(text, length, copy + 1, length + 1);
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\n')
			copy[1 + i] = '\n';
	put_field(out, is_formula(copy + 1) ? copy : copy + 1);
	free(copy);
}

static void put_remark(FILE *out, const json_t *remark)
{
	char *text = remark_text(remark);
	put_text(out, text);
	free(text);
}

/* What a run does not have is an empty field. Numbers have a point, whatever the locale. */
static void print_json_value(FILE *out, const json_t *value)
{
	if (json_is_string(value))
		put_text(out, json_string_value(value));
	else if (json_is_integer(value) || json_is_real(value))
		json_dumpf(value, out, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "true" : "false", out);
	else if (json_is_object(value))
		put_remark(out, value);
}

/* A metric of a run that has it; an empty field of one that has not. */
static void put_metric(FILE *out, const struct metric *m, const json_t *run)
{
	double value = metric_value(m, json_object_get(run, "metrics"), NULL);
	if (isnan(value))
		return;
	json_t *number = m->whole ? json_integer((json_int_t)value) : json_real(value);
	print_json_value(out, number);
	json_decref(number);
}

/* All of them in one field, since there may be any number. */
static void put_warnings(FILE *out, const json_t *warnings)
{
	char *joined = NULL;
	size_t i, length;
	json_t *warning;
	FILE *words = open_memstream(&joined, &length);
	json_array_foreach (warnings, i, warning) {
		fputs(i > 0 ? "; " : "", words);
		remark_print(words, warning);
	}
	fclose(words);
	put_text(out, joined);
	free(joined);
}

static void put_names(FILE *out, const struct column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s,", columns[i].name);
}

static void put_values(FILE *out, const struct column *columns, size_t count, const json_t *run)
{
	for (size_t i = 0; i < count; i++) {
		print_json_value(out, at_path(run, columns[i].path));
		fputc(',', out);
	}
}

/* Has a workload before that one a parameter of this name? */
static bool is_named_before(unsigned workload, const char *name)
{
	for (unsigned i = 0; i < workload; i++)
		for (const struct parameter_row *p = workload_at(i)->parameter_rows; p && p->name;
		     p++)
			if (strcmp(p->name, name) == 0)
				return true;
	return false;
}

/* A column for each parameter that a workload has: its name, or of a `run` the value. */
static void put_parameters(FILE *out, const json_t *run)
{
	const json_t *parameters = json_object_get(run, "workload");
	for (unsigned i = 0; i < workloads_count(); i++)
		for (const struct parameter_row *p = workload_at(i)->parameter_rows; p && p->name;
		     p++) {
			if (is_named_before(i, p->name))
				continue;
			if (run)
				print_json_value(out, json_object_get(parameters, p->name));
			else
				fputs(p->csv ? p->csv : p->name, out);
			fputc(',', out);
		}
}

void export_csv(FILE *out, const json_t *runs, const json_t *summary)
{
	(void)summary;
	size_t i;
	json_t *run;
	put_names(out, work, LENGTH(work));
	put_parameters(out, NULL);
	put_names(out, configuration, LENGTH(configuration));
	for_each_metric (m)
		if (m->csv)
			fprintf(out, "%s,", m->csv);
	put_names(out, surroundings, LENGTH(surroundings));
	fputs("warnings\r\n", out);
	json_array_foreach (runs, i, run) {
		put_values(out, work, LENGTH(work), run);
		put_parameters(out, run);
		put_values(out, configuration, LENGTH(configuration), run);
		for_each_metric (m) {
			if (!m->csv)
				continue;
			put_metric(out, m, run);
			fputc(',', out);
		}
		put_values(out, surroundings, LENGTH(surroundings), run);
		put_warnings(out, json_object_get(run, "warnings"));
		fputs("\r\n", out);
	}
}
