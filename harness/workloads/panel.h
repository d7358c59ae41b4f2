/* SPDX-License-Identifier: MIT */
/*
 * A panel: what runs have in common that belong in one plot. They differ by engine and swept value
 * alone.
 *
 *     { "id": "file", "values": { "rw": "randread", "bs_bytes": 4096, ... },
 *       "text": "file randread 4k O_DIRECT, 1M" }
 *
 * Programs compare `id`, the name of the workload, and `values`: numbers, strings, booleans, and null
 * for what is not known. `text` is for people. It is made from the values, here, and nothing reads it.
 */
#ifndef IOLAB_PANEL_H
#define IOLAB_PANEL_H

#include <jansson.h>
#include <stdbool.h>

#include "workloads/workload.h"

/*
 * The panel of a run, a new reference. `parameters` are those of "workload" in its result; `config`
 * is "config" there, and NULL says that all options are as usual. Both are borrowed. So a run of an
 * older format, or of another program, has the same panel as a run of today with the same work.
 */
json_t *panel_new(const struct workload_ops *ops, const json_t *parameters, const json_t *config);

/*
 * Adds a value that the workload does not know, taken over, and its words at the end of the text,
 * behind a comma.
 */
void panel_add(json_t *panel, const char *key, json_t *value, const char *words);

/* Have both the same id and the same values? Their texts are not looked at. False without a panel. */
bool panels_same(const json_t *a, const json_t *b);

/* For a workload's panel_values(): the parameters of these names, as far as there are any. */
void panel_keep(json_t *values, const json_t *parameters, const char *const *names);

#endif
