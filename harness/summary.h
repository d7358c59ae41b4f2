/* SPDX-License-Identifier: MIT */
/* From raw runs to medians, intervals and ratios: the one place where statistics are computed. */
#ifndef IOLAB_SUMMARY_H
#define IOLAB_SUMMARY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reason.h"

/* The verdict on a ratio whose interval spans 1. */
#define NO_DIFFERENCE "no difference shown"

/* What a comparison knows of itself and the runs do not. */
struct comparison {
	json_t *command; /* borrowed: the exact argv, a list */
	unsigned rounds_planned;
	uint64_t seed;
	bool interrupted;
	const char *baseline; /* an engine's label */
	double wanted_ci_pct; /* --until-ci; 0: not asked for */
	double time_limit_s; /* --time-limit; 0: none */
	const char *ended_by; /* "rounds", "precision", "time" or "signal" */
	json_t *idle_baseline; /* borrowed, as docs/results.md describes it; NULL: not measured */
};

/* How the intervals of a summary's ratios stand to the width that was asked for. */
struct precision {
	unsigned ratios, unreached;
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

/* Of every ratio in the summary. A ratio of a single round is never precise enough. */
struct precision summary_precision(const json_t *summary, double wanted_ci_pct);

/* Writes `folder`/summary.json, whole or not at all. Returns 0 or -errno with `why`. */
int summary_write(const char *folder, const json_t *summary, struct reason *why);

/* The table, for a person at a terminal. */
void summary_print(FILE *out, const json_t *summary);

#endif
