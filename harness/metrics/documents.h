/* SPDX-License-Identifier: MIT */
/*
 * Does JSON from outside have the shape that docs/result.schema.json promises? The shapes are those
 * of harness/schema/documents.json, with the rows of metrics.c in place of "metrics": what is read
 * and what is written are described once.
 */
#ifndef IOLAB_DOCUMENTS_H
#define IOLAB_DOCUMENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "reason.h"

/* The schema of a run that is written now; summary/runs_file.h says which are read. */
#define RUN_SCHEMA "iolab.run.v2"

/*
 * Has `value` the shape `name`, which must exist? Otherwise false with `why`: the path of the first
 * key that has not, and what it should be. A metric that a run may lack need not be there: a folder
 * may be older than the metric.
 */
bool document_fits(const char *name, const json_t *value, struct reason *why);

#endif
