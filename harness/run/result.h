/* SPDX-License-Identifier: MIT */
/* One run as JSON: the object that docs/results.md and docs/result.schema.json describe. */
#ifndef IOLAB_RESULT_H
#define IOLAB_RESULT_H

#include <jansson.h>

#include "histogram.h"
#include "meters/meter.h"
#include "run/run_options.h"
#include "workloads/workload.h"

enum result_status { RESULT_OK, RESULT_UNSUPPORTED, RESULT_ERROR };

/*
 * The result without its figures: who, what, where, when. `argv` is the exact command. `workload`
 * may be NULL when the run did not get that far; then only what the options say is known. All
 * functions return new references and end the program when memory runs out.
 */
json_t *result_new(const struct run_options *options, int argc, char **argv);

/*
 * "workload" and "config" of a result, from the options alone: for runs that another program made,
 * too. `command` is taken over; it may be NULL.
 */
json_t *result_workload(const struct run_options *options);
json_t *result_config(const struct run_options *options, json_t *command);

/* "workload" without "words" and "panel", which follow from its parameters: for who changes these. */
json_t *result_parameters(const struct run_config *config);
void result_set_words(json_t *workload, const struct workload_ops *ops);

/* "engine" of a result: its name, variant, label and lab. */
json_t *result_engine(const struct engine_ops *engine, uint64_t engine_options);

/*
 * "latency_ns" and "histogram" of a result. `source` says whose clock it was. The former is null
 * when nothing was timed: there is no quantile of nothing.
 */
json_t *result_latency(const struct histogram *h, const char *source);
json_t *result_histogram(const struct histogram *h);

/* Sets "status" and "reason" (NULL when there is nothing to explain). */
void result_set_status(json_t *result, enum result_status status, const struct reason *why);

/*
 * Adds "metrics" and "histogram", and what the workload says of itself. `observed` is what
 * metrics_observe() saw while the engine was open.
 */
void result_set_metrics(json_t *result, struct workload *workload, const struct meter *meter,
			const struct window *window, const json_t *observed);

/* A few lines for a person. */
void result_print(const json_t *result);

#endif
