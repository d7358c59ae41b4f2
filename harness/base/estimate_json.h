/* SPDX-License-Identifier: MIT */
/* An estimate as every document has it. */
#ifndef IOLAB_ESTIMATE_JSON_H
#define IOLAB_ESTIMATE_JSON_H

#include <jansson.h>

#include "base/statistics.h"

/*
 * {median, low, high, min, max, confidence_pct, count, values} of one value a round, in their
 * order, NAN for a round that has none: null among `values`, which are all that was measured, so
 * that any other statistic can be made of them. null when no round has one. A new reference.
 */
json_t *estimate_of(const double *by_round, unsigned rounds);

/*
 * The same of ratios: {mean, low, high, half_width_pct, median, min, max, confidence_pct, count,
 * values}, `mean` and interval being those of estimate_ratio(). All that are there are above 0.
 */
json_t *ratio_estimate_of(const double *by_round, unsigned rounds);

/* That without `values`. */
json_t *ratio_estimate_json(const struct ratio_estimate *e);

#endif
