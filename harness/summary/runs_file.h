/* SPDX-License-Identifier: MIT */
/* The raw results of a results folder. */
#ifndef IOLAB_RUNS_FILE_H
#define IOLAB_RUNS_FILE_H

#include <jansson.h>

#include "reason.h"

/*
 * The runs of `folder`/runs.jsonl in the order in which they ran, a new reference; NULL with `why`
 * when there is none, or a line is not a whole run: `why` names the line and the key
 * (summary/run_check.h). A torn last line is left out, with a word on stderr.
 *
 * Runs are given as iolab.run.v2 has them. Those of iolab.run.v1 are read, too (summary/first_run.h).
 */
json_t *runs_read(const char *folder, struct reason *why);

#endif
