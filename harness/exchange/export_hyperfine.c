/* SPDX-License-Identifier: MIT */
/*
 * hyperfine times commands, and its scripts print seconds with three digits. A run here has no end
 * of its own: it goes on for as long as it was told to. So a "time" is what a million operations
 * take at the run's throughput, and the command's name says so. In seconds it is the same number as
 * microseconds for one operation.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/statistics.h"
#include "exchange/export.h"
#include "summary/place.h"

#define OPERATIONS 1e6

/* Does the run belong to the configuration, and has it a throughput? */
static bool measures(const json_t *run, const json_t *configuration)
{
	return status_is(run, "ok") && number_at(run, "metrics.ops_per_s") > 0 &&
	       !json_is_true(at_path(run, "config.count_syscalls")) &&
	       strcmp(string_at(run, "engine.label"), string_at(configuration, "engine.label")) ==
		       0 &&
	       same_place(run, configuration);
}

/* CPU seconds for as many operations; null where a run does not know its own. */
static json_t *cpu_json(double sum_s, unsigned known, unsigned count)
{
	return known == count ? json_real(sum_s / count) : json_null();
}

/* Short, since hyperfine's figures print it along an axis: the panel only where there are several. */
static json_t *hyperfine_command(const json_t *configuration, bool many_panels)
{
	char place[64];
	return json_sprintf("%s, %s: 1 million %ss%s%s", string_at(configuration, "engine.label"),
			    x_words(configuration, place), string_at(configuration, "workload.op"),
			    many_panels ? ", " : "",
			    many_panels ? string_at(configuration, "workload.panel.text") : "");
}

/* NULL when no run of the configuration measured anything. */
static json_t *result_json(const json_t *runs, const json_t *configuration, bool many_panels)
{
	double *times = malloc((json_array_size(runs) + 1) * sizeof *times);
	double sum = 0, squares = 0, user_s = 0, system_s = 0;
	char place[64];
	unsigned count = 0, known = 0;
	json_t *list = json_array(), *codes = json_array(), *run;
	size_t i;
	json_array_foreach (runs, i, run) {
		if (!measures(run, configuration))
			continue;
		double ops = number_at(run, "metrics.ops");
		times[count] = OPERATIONS / number_at(run, "metrics.ops_per_s");
		sum += times[count];
		known += json_is_number(at_path(run, "metrics.cpu.user_s"));
		user_s += number_at(run, "metrics.cpu.user_s") / ops * OPERATIONS;
		system_s += number_at(run, "metrics.cpu.system_s") / ops * OPERATIONS;
		json_array_append_new(list, json_real(times[count++]));
		json_array_append_new(codes, json_integer(0));
	}
	json_t *result = NULL;
	if (count > 0) {
		double mean = sum / count;
		for (unsigned k = 0; k < count; k++)
			squares += (times[k] - mean) * (times[k] - mean);
		struct estimate e = estimate_median(times, count);
		json_t *parameters = required(json_object());
		put_new(parameters, string_at(configuration, "config.x_name"),
			json_string(x_words(configuration, place) +
				    strlen(string_at(configuration, "config.x_name")) + 1));
		result = required(json_object());
		put_new(result, "command", hyperfine_command(configuration, many_panels));
		put_string(result, "panel", string_at(configuration, "workload.panel.text"));
		put_real(result, "mean", mean);
		put_real(result, "stddev", count > 1 ? sqrt(squares / (count - 1)) : NAN);
		put_real(result, "median", e.median);
		put_new(result, "user", cpu_json(user_s, known, count));
		put_new(result, "system", cpu_json(system_s, known, count));
		put_real(result, "min", e.min);
		put_real(result, "max", e.max);
		put_shared(result, "times", list);
		put_shared(result, "exit_codes", codes);
		put_new(result, "parameters", parameters);
	}
	json_decref(codes);
	json_decref(list);
	free(times);
	return result;
}

void export_hyperfine(FILE *out, const json_t *runs, const json_t *summary)
{
	json_t *results = json_array();
	size_t i;
	json_t *configuration;
	unsigned without = 0;
	const json_t *list = json_object_get(summary, "configurations");
	bool many_panels = false;
	json_array_foreach (list, i, configuration) {
		many_panels = many_panels || !same_panel(configuration, json_array_get(list, 0));
	}
	json_array_foreach (list, i, configuration) {
		json_t *result = result_json(runs, configuration, many_panels);
		without += !result;
		if (result)
			json_array_append_new(results, result);
	}
	if (without > 0)
		fprintf(stderr,
			"iolab export: %u configuration%s without a figure left out; CSV has %s\n",
			without, without == 1 ? "" : "s", without == 1 ? "it" : "them");
	json_t *document = required(json_object());
	put_new(document, "results", results);
	json_dumpf(document, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	fputc('\n', out);
	json_decref(document);
}
