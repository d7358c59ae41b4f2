/* SPDX-License-Identifier: MIT */
/*
 * The parts of which summary.c makes a configuration's entry. All return new references, null where
 * there is nothing to tell, and take rounds from 0 to `rounds` - 1.
 */
#ifndef IOLAB_SUMMARY_PARTS_H
#define IOLAB_SUMMARY_PARTS_H

#include <jansson.h>
#include <stdbool.h>

#include "metrics/metric.h"
#include "summary/grouping.h"
#include "summary/summary.h"

/* summary/metrics.c */

/* A metric of one round; NAN when it has none. */
double value_in_round(const struct measured_config *c, unsigned round, const struct metric *m);

/* Every metric: its estimate over the rounds, with every round's value. */
json_t *metrics_json(const struct measured_config *c, unsigned rounds);

/* How busy each CPU was, an estimate for each; null for one that was offline. */
json_t *per_cpu_estimates(const struct measured_config *c, unsigned rounds);

/* Why no run has counted system calls, a remark; null when one has. */
json_t *syscalls_reason(const struct measured_config *c);

/* The rounds' histograms under `key`, added up. */
json_t *merge_histograms(const struct measured_config *c, unsigned rounds, const char *key);

/* steadiness.c; both add to `warnings`, a list of remarks */

void judge_warm_up(const struct measured_config *c, unsigned rounds, json_t *warnings);
json_t *steadiness_json(const struct measured_config *c, unsigned rounds, json_t *warnings);

/* ratio.c */

/* The same work by the engine with this label; NULL when it was not run. */
const struct measured_config *find_baseline(const struct grouping *g,
					    const struct measured_config *c, const char *label);

/* What stands in for a baseline that never ended ok; NULL where nothing must, or can. */
const struct measured_config *find_stand_in(const struct grouping *g,
					    const struct measured_config *c,
					    const struct measured_config *baseline);

/*
 * Of every metric that has a ratio, round by round; null as a whole where none can be taken. May add
 * to `warnings`, a list of remarks.
 */
json_t *ratios_json(const struct measured_config *c, const struct measured_config *baseline,
		    unsigned rounds, json_t *warnings);

/* Adds to each ratio what it shows beside all others of its metric: `verdict_together`. */
void judge_ratios_together(json_t *configurations);

/* Why no ratio can be taken to a baseline that was not run (NULL), or never ended ok: a remark. */
json_t *missing_baseline(const struct measured_config *baseline, const char *label);

/*
 * Why a configuration that is ok has no ratio of throughput, a remark; null when it has one, or
 * needs none.
 */
json_t *ratio_reason(const json_t *ratio, const struct measured_config *c,
		     const struct measured_config *baseline, unsigned rounds, const char *label);

/* precision.c */

/* What width was asked for, and what came of it. */
json_t *precision_json(const json_t *configurations, const struct comparison *comparison);

#endif
