/* SPDX-License-Identifier: MIT */
/*
 * One run of the asynchronous operator: a source that always has a record, a service that answers
 * each after a time of its own, and a sink that looks at its watch.
 */
#ifndef IOLAB_OPERATOR_RUN_H
#define IOLAB_OPERATOR_RUN_H

#include <jansson.h>
#include <stdint.h>

#include "io_engine.h"

#define OPERATOR_TRACED_MAX 200u

enum emission {
	EMIT_ORDERED,
	EMIT_UNORDERED,
	EMIT_SYNCHRONOUS, /* no operator: ask by send(2), wait in recv(2), one record at a time */
	EMISSION_COUNT,
};

enum answer_times {
	ANSWERS_CONSTANT,
	ANSWERS_EXPONENTIAL,
	ANSWERS_HEAVY_TAILED, /* Pareto with a shape of 1.5, cut off at a hundred means */
	ANSWER_TIMES_COUNT,
};

extern const char *const emission_names[EMISSION_COUNT];
extern const char *const answer_times_names[ANSWER_TIMES_COUNT];

struct operator_task {
	const struct engine_ops *engine; /* NULL when synchronous */
	uint64_t engine_options;
	enum emission emission;
	enum answer_times answer_times;
	unsigned capacity;
	double answer_ns; /* in the mean */
	double lost_share, failing_share; /* of all attempts: no answer; an error as the answer */
	int64_t timeout_ns; /* of a record; 0: none */
	int64_t pause_ns; /* before another attempt, after an error; as often as it takes */
	double warmup_s, runtime_s;
	unsigned traced_records; /* at most OPERATOR_TRACED_MAX */
	uint64_t seed; /* of the answers: equal seeds draw equal times in the order of attempts */
};

/*
 * For child_work(): `task` is a struct operator_task. Answers {status, reason} and, when that is
 * "ok", {records, retried, timed_out, records_per_s, cpu_ns, latency_ns: {p50, p99}, answer_ns:
 * {mean, p50, p99}, trace}. What is counted left the operator within the window; what is inside then is
 * given up. A record's latency counts from the moment in which the operator took it, and its answer
 * is the time that was drawn for all of its attempts. `trace` has a list for each of the first
 * records that came within the window, and left: [put, timed out, emitted, attempts], in nanoseconds
 * from the window's beginning, and an attempt is [asked, heard, failed]; null for what never came.
 */
json_t *operator_run(const void *task);

#endif
