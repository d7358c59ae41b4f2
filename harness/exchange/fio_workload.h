/* SPDX-License-Identifier: MIT */
/* A job of fio's in the terms of `iolab run`: workload, engine and depth. */
#ifndef IOLAB_FIO_WORKLOAD_H
#define IOLAB_FIO_WORKLOAD_H

#include <jansson.h>
#include <stdbool.h>

#include "exchange/fio_counters.h"
#include "exchange/fio_job.h"
#include "reason.h"
#include "run/run_options.h"
#include "workloads/file.h"

struct fio_translation {
	struct run_options options;
	struct workload_settings file; /* the options' settings */
	bool depth_known;
	json_t *workload, *engine; /* of the run */
	json_t *remarks; /* becomes the run's "warnings" */
};

/*
 * Fills `t`, whose three references are the caller's. What the job does not say, and what its
 * counters deny, is null there, unknown in the panel and the label, and told in a remark. Returns 0,
 * or -errno with `why`. `t` stays where it is: its options point to its settings.
 */
int fio_translate(const struct fio_output *output, unsigned index, const json_t *options,
		  const struct fio_counters *counters, double longest_s, struct fio_translation *t,
		  struct reason *why);

#endif
