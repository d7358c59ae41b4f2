/* SPDX-License-Identifier: MIT */
/* The latency of a job of fio's. */
#ifndef IOLAB_FIO_LATENCY_H
#define IOLAB_FIO_LATENCY_H

#include <jansson.h>

#include "exchange/fio_counters.h"

/*
 * Sets latency_ns and sync_latency_ns of `metrics`, and the run's histogram; appends to `remarks`
 * what a reader must know of them. Reads and writes are put together. `longest_s` is how long an
 * operation of the job can have taken at most: a latency beyond it is left out.
 */
void fio_latency_set(json_t *run, json_t *metrics, const json_t *job,
		     const struct fio_counters *counters, double longest_s, json_t *remarks);

/*
 * How many operations must have been in flight on average: the sum of their latencies, over the run
 * time and the longest of them, since the first may have begun before the clock did. 0 when nothing
 * was timed, or when its latencies cannot be.
 */
double fio_latency_in_flight(const struct fio_counters *counters, double longest_s);

#endif
