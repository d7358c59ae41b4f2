/* SPDX-License-Identifier: MIT */
/*
 * Where a configuration of a summary stands: its workload's panel, and the value that was swept
 * there. Engines at one place did the same work and can be compared.
 */
#ifndef IOLAB_PLACE_H
#define IOLAB_PLACE_H

#include <jansson.h>
#include <stdbool.h>

bool same_panel(const json_t *a, const json_t *b);

/* The same value of the same swept option. */
bool same_x(const json_t *a, const json_t *b);

/* Both of them. */
bool same_place(const json_t *a, const json_t *b);

/* "depth 4", or "depth unknown" where an imported run does not say it. Returns `text`. */
const char *x_words(const json_t *configuration, char text[64]);

/* The estimate of a metric; NULL when no round gave one. */
const json_t *metric_estimate(const json_t *configuration, const char *metric);

#endif
