/* SPDX-License-Identifier: MIT */
/*
 * The parts of which summary.c makes a configuration's entry. All return new references, null where
 * there is nothing to tell, and take rounds from 0 to `rounds` - 1.
 */
#ifndef IOLAB_SUMMARY_PARTS_H
#define IOLAB_SUMMARY_PARTS_H

#include <jansson.h>
#include <stdbool.h>

#include "summary/grouping.h"
#include "summary/summary.h"

/* summary_metrics.c */

/* A metric of a run; false when the run has none. `idle` is the comparison's, or NULL. */
bool metric_of(const json_t *run, const json_t *idle, const char *path, double *value);

/* Every metric: its estimate over the rounds, with every round's value. */
json_t *metrics_json(const struct configuration *c, unsigned rounds);

/* How busy each CPU was, an estimate for each; null for one that was offline. */
json_t *per_cpu_json(const struct configuration *c, unsigned rounds);

/*
 * What the runs that counted system calls say: the median, and in `spread` the least and the
 * greatest. Else null, and `reason` says why.
 */
json_t *syscalls_json(const struct configuration *c, json_t **spread, json_t **reason);

/* The rounds' histograms under `key`, added up. */
json_t *merge_histograms(const struct configuration *c, unsigned rounds, const char *key);

/* summary_steadiness.c; both add to `warnings`, a list */

void judge_warm_up(const struct configuration *c, unsigned rounds, json_t *warnings);
json_t *steadiness_json(const struct configuration *c, unsigned rounds, json_t *warnings);

/* summary_ratio.c */

/* The metrics of which a ratio to the baseline is given; --until-ci asks about the first of them. */
#define RATIO_PATHS 5
extern const char *const ratio_paths[RATIO_PATHS];

/* The same work by the engine with this label; NULL when it was not run. */
const struct configuration *find_baseline(const struct grouping *g, const struct configuration *c,
					  const char *label);

/* What stands in for a baseline that never ended ok; NULL where nothing must, or can. */
const struct configuration *find_stand_in(const struct grouping *g, const struct configuration *c,
					  const struct configuration *baseline);

/* Round by round; null as a whole where no ratio can be taken. May add to `warnings`, a list. */
json_t *ratios_json(const struct configuration *c, const struct configuration *baseline,
		    unsigned rounds, json_t *warnings);

/* Why no ratio can be taken to a baseline that was not run (NULL), or never ended ok. */
json_t *missing_baseline(const struct configuration *baseline, const char *label);

/* Why a configuration that is ok has no ratio of throughput; null when it has one, or needs none. */
json_t *ratio_reason(const json_t *ratio, const struct configuration *c,
		     const struct configuration *baseline, unsigned rounds, const char *label);

/* summary_precision.c */

/* What width was asked for, and what came of it. */
json_t *precision_json(const json_t *configurations, const struct comparison *comparison);

#endif
