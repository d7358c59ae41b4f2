/* SPDX-License-Identifier: MIT */
/* From raw runs to medians, intervals and ratios: the one place where statistics are computed. */
#ifndef IOLAB_SUMMARY_H
#define IOLAB_SUMMARY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reason.h"

/* What this version writes; what it reads is in summary_recompute() and summary/runs_file.h. */
#define SUMMARY_SCHEMA "iolab.summary.v2"

/* The verdicts on a ratio: its interval spans 1, or lies on one side of it. */
#define VERDICT_NONE   "none"
#define VERDICT_LOWER  "lower"
#define VERDICT_HIGHER "higher"

/* The words for VERDICT_NONE. */
#define NO_DIFFERENCE "no difference shown"

/* With fewer rounds t leans on the shape of the distribution more than anybody knows of it. */
#define VERDICT_ROUNDS 5

/* At most this many runs count system calls; none of them enters another figure. */
#define COUNTING_ROUNDS 2

/* What a comparison knows of itself and the runs do not. */
struct comparison {
	json_t *command; /* borrowed: the exact argv, a list */
	unsigned rounds_planned;
	bool drawn; /* the order of its runs was, from `seed` */
	uint64_t seed;
	bool interrupted;
	const char *baseline; /* an engine's label */
	double wanted_ci_pct; /* --until-ci; 0: not asked for */
	double time_limit_s; /* --time-limit; 0: none */
	const char *ended_by; /* why there was no further round, see docs/results.md */
	json_t *idle_baseline; /* borrowed, as docs/results.md describes it; NULL: not measured */
};

/* How the intervals of a summary's ratios stand to the width that was asked for. */
struct precision {
	unsigned ratios, unreached;
	unsigned lost; /* of the unreached: no further round can bring them */
	double widest_pct; /* half of an interval, relative, see struct ratio_estimate */
	unsigned rounds_needed; /* an estimate, from the spread so far */
};

/*
 * Reads `folder`/runs.jsonl and returns the summary that docs/results.md describes, a new
 * reference; NULL with `why` when there is nothing to summarise. A torn last line is left out, and
 * said so on stderr.
 */
json_t *summary_compute(const char *folder, const struct comparison *comparison,
			struct reason *why);

/*
 * The same of a folder that was summarised before: what the runs do not say is kept from its
 * summary.json; without one it is what `fresh` says. `baseline` may be NULL: as before.
 */
json_t *summary_recompute(const char *folder, const char *baseline, struct comparison fresh,
			  struct reason *why);

/*
 * Of every ratio of the runs so far to the baseline with that label. A ratio of a single round is
 * never precise enough.
 */
struct grouping;
struct precision precision_so_far(const struct grouping *grouping, const char *baseline_label,
				  double wanted_ci_pct);

/*
 * What a ratio's interval says, one of the verdicts above. `rounds` is how many it comes from, of two
 * sessions the smaller number.
 */
const char *ratio_verdict(double low, double high, unsigned rounds);

/*
 * For the ratio of two quantiles. Each is the middle of its bucket, and all rounds may fall into the
 * same one: then they do not scatter, and yet the ratio may be wrong by two half widths.
 */
void widen_by_buckets(double *low, double *high);

/* Writes `folder`/summary.json, whole or not at all. Returns 0 or -errno with `why`. */
int summary_write(const char *folder, const json_t *summary, struct reason *why);

/* The table, for a person at a terminal. */
void summary_print(FILE *out, const json_t *from_outside);

/*
 * Where the CPU time went, for a person at a terminal: of the process, elsewhere, on each CPU, in
 * percent of one CPU.
 */
void summary_print_cpu(FILE *out, const json_t *from_outside);

/*
 * A ratio with two digits, unless they would show an interval that ends beside 1 as one that
 * reaches it. Returns `text`.
 */
const char *format_ratio(double ratio, char text[16]);

#endif
