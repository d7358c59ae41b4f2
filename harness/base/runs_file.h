/* SPDX-License-Identifier: MIT */
/* The raw results of a results folder. */
#ifndef IOLAB_RUNS_FILE_H
#define IOLAB_RUNS_FILE_H

#include <jansson.h>

#include "reason.h"

/*
 * The runs of `folder`/runs.jsonl in the order in which they ran, a new reference; NULL with `why`
 * when there is none, or a line is not a run. A torn last line is left out, and said so on stderr.
 */
json_t *runs_read(const char *folder, struct reason *why);

#endif
