/* SPDX-License-Identifier: MIT */
/* One job of fio's JSON output as a run, the object that docs/results.md describes. */
#ifndef IOLAB_FIO_JOB_H
#define IOLAB_FIO_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

#include "reason.h"

/* What a job alone does not say. */
struct fio_output {
	const char *path; /* where it was read from */
	const json_t *document; /* all that fio wrote */
	time_t written; /* when, for a fio that does not say it */
	const char *cache; /* "warm" or "dropped" when buffered jobs began; NULL: not known */
	bool here; /* it ran on this machine as it is now */
	int signal; /* fio says that it was interrupted by this signal; 0: it does not */
};

/*
 * The run that job number `index` was, a new reference, without its round and plan. NULL with `why`
 * when it cannot be told as one run of the workload file. A job in which fio itself failed is a run
 * with that error.
 */
json_t *fio_job_run(const struct fio_output *output, unsigned index, struct reason *why);

#endif
