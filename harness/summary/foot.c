/* SPDX-License-Identifier: MIT */
/* The last lines of the table: what its columns are worth, and what disturbed the machine. */
#include <stdbool.h>
#include <string.h>

#include "base/json_path.h"
#include "summary/interval_method.h"
#include "summary/notes.h"
#include "summary/place.h"
#include "summary/summary.h"

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
					: "\nImported, one run a round, not in turns with other "
					  "runs: ",
				string_at(c, "engine.label"));
	}
	if (named)
		fputs(".", out);
	return own;
}

/* What the columns are worth. */
static void print_columns(FILE *out, const json_t *summary)
{
	unsigned own = print_imported(out, json_object_get(summary, "configurations"));
	long long rounds = json_integer_value(json_object_get(summary, "rounds_done"));
	if (rounds <= 1) {
		fputs("\nOne round only, so the spread of values and ratios is unknown.\n", out);
		return;
	}
	fprintf(out,
		"\nMedians of %lld rounds%s. Spread: interval of %.4g %% confidence, "
		"%s.\nRatio: %s,\ninterval of %.4g %%. \"%s\", and = behind a value: it spans 1, "
		"or there are fewer than five rounds.\n",
		rounds, own ? " in random order" : "",
		json_number_value(at_path(summary, "interval.confidence_pct")),
		interval_method_words(string_at(summary, "interval.method")),
		interval_method_words(string_at(summary, "interval.ratio_method")),
		json_number_value(at_path(summary, "interval.ratio_confidence_pct")),
		NO_DIFFERENCE);
}

/* The ratios that are not known as precisely as was asked for, the first few by name. */
static void print_unreached(FILE *out, const json_t *unreached, double wanted_pct)
{
	const unsigned told_max = 5;
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
			string_at(ratio, "panel.text"), string_at(ratio, "x_name"),
			(long long)json_integer_value(json_object_get(ratio, "x")),
			string_at(ratio, "metric"));
		if (json_is_number(half_pct))
			fprintf(out, "+-%.2g %%\n", json_number_value(half_pct));
		else
			fputs("no ratio, since a round finished nothing\n", out);
	}
}

/* Was the width that --until-ci named reached? */
static void print_precision(FILE *out, const json_t *precision)
{
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
	print_unreached(out, unreached, wanted_pct);
}

/* Time that the hypervisor took: what it disturbed is not the engines' doing. */
static void print_steal(FILE *out, const json_t *list)
{
	const json_t *worst = NULL;
	double most_pct = 0;
	size_t i;
	json_t *c;
	json_array_foreach (list, i, c) {
		double pct = number_at(metric_estimate(c, "cpu.host_steal_pct"), "max");
		if (pct > most_pct) {
			most_pct = pct;
			worst = c;
		}
	}
	if (worst)
		fprintf(out,
			"The hypervisor took up to %.2g %% of a CPU away (steal): from %s on %s, "
			"%s %lld.\n",
			most_pct, string_at(worst, "engine.label"),
			string_at(worst, "workload.panel.text"), string_at(worst, "config.x_name"),
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
		const json_t *other = metric_estimate(c, "cpu.other_util_pct");
		if (other && (!worst || number_at(other, "median") > most_pct)) {
			most_pct = number_at(other, "median");
			worst = c;
		}
	}
	if (worst)
		fprintf(out,
			"Other CPU use (kernel workers, softirq, other programs) peaked at %.0f %% "
			"(+-%.0f %%) of one CPU:\n%s on %s, %s %lld. All of it, CPU by CPU: iolab "
			"summary --cpu\n",
			most_pct, number_at(metric_estimate(worst, "cpu.host_error_pct"), "median"),
			string_at(worst, "engine.label"), string_at(worst, "workload.panel.text"),
			string_at(worst, "config.x_name"),
			(long long)json_integer_value(at_path(worst, "config.x")));
}

void print_foot(FILE *out, const json_t *summary)
{
	const json_t *list = json_object_get(summary, "configurations");
	const json_t *idle = json_object_get(summary, "idle_baseline");
	const json_t *precision = json_object_get(summary, "precision");
	print_columns(out, summary);
	print_steal(out, list);
	if (json_is_object(idle))
		fprintf(out, "Before it, the idle host used %.3g %% (+-%.2g %%) of a CPU.\n",
			number_at(idle, "busy_pct"), number_at(idle, "error_pct"));
	print_elsewhere(out, list);
	double quota = number_at(summary, "env.cpu_quota");
	if (quota > 0)
		fprintf(out,
			"A control group allows this process %.3g CPUs' time (cpu.max): it was "
			"stopped when that was used up.\n",
			quota);
	if (json_is_object(precision))
		print_precision(out, precision);
}
