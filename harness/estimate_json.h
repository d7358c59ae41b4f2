/* SPDX-License-Identifier: MIT */
/* An estimate as every document has it. */
#ifndef IOLAB_ESTIMATE_JSON_H
#define IOLAB_ESTIMATE_JSON_H

#include <jansson.h>

/*
 * {median, low, high, min, max, confidence_pct, count} of `values`, which are sorted in place; null
 * for none. A new reference.
 */
json_t *estimate_of(double *values, unsigned count);

#endif
