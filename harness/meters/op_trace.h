/* SPDX-License-Identifier: MIT */
/*
 * What the driver's loop did, and when: every operation and every stretch of its own time. Kept in
 * two rings that are allocated beforehand, so that recording is a few stores; the oldest entries
 * are overwritten. A run without a trace has a NULL pointer in its place.
 */
#ifndef IOLAB_TRACE_H
#define IOLAB_TRACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "io_engine.h"

/* The loop's thread is in one of these, or between them for as long as the workload takes. */
enum trace_activity { TRACE_SUBMIT, TRACE_REAP, TRACE_COMPUTE };

struct trace_span {
	uint64_t begin_ns, end_ns;
	enum trace_activity activity;
};

/* One operation; one with a short transfer is as many as it took. */
struct trace_op {
	uint64_t offered_ns; /* the clock reading before submit() */
	uint64_t accepted_ns; /* ... after it */
	uint64_t completed_ns; /* ... after the reap() that returned it */
	uint32_t slot;
};

#define TRACE_CAPACITY (1u << 16) /* of each ring; a power of two */

struct trace {
	struct trace_op *ops;
	struct trace_span *spans;
	uint64_t op_count, span_count; /* recorded ever; the rings hold the last of them */
	struct trace_op *open; /* [slot]: what is in flight there */
};

/* Memory for a run with `depth` slots, touched. NULL when there is none. */
struct trace *trace_open(unsigned depth);
void trace_close(struct trace *trace);

static inline void trace_span(struct trace *trace, enum trace_activity activity, uint64_t begin_ns,
			      uint64_t end_ns)
{
	trace->spans[trace->span_count++ & (TRACE_CAPACITY - 1)] =
		(struct trace_span) { begin_ns, end_ns, activity };
}

/* submit() was called at `begin_ns`, has just returned, and took the first `count` of `ops`. */
static inline void trace_submitted(struct trace *trace, uint64_t begin_ns, struct io_op *const *ops,
				   int count)
{
	uint64_t now_ns = clock_ns();
	trace_span(trace, TRACE_SUBMIT, begin_ns, now_ns);
	for (int i = 0; i < count; i++)
		trace->open[ops[i]->slot] = (struct trace_op) { begin_ns, now_ns, 0, ops[i]->slot };
}

/* reap() was called at `begin_ns`, had returned at `now_ns`, and gave `count` of `ops` back. */
static inline void trace_reaped(struct trace *trace, uint64_t begin_ns, uint64_t now_ns,
				struct io_op *const *ops, unsigned count)
{
	trace_span(trace, TRACE_REAP, begin_ns, now_ns);
	for (unsigned i = 0; i < count; i++) {
		struct trace_op *op = &trace->open[ops[i]->slot];
		op->completed_ns = now_ns;
		trace->ops[trace->op_count++ & (TRACE_CAPACITY - 1)] = *op;
	}
}

/* A piece of the trace, as it will be shown. */
struct trace_window {
	uint64_t begin_ns, end_ns;
};

/*
 * A typical piece of `length_ns` between the two times: of all pieces that begin with an operation,
 * the last of those in which as many operations were completed as in the median piece. A single
 * stall would otherwise decide what is shown. Returns false when the trace has no such piece, since
 * it holds too little or was overwritten; then the window is the last piece.
 */
bool trace_choose_window(const struct trace *trace, uint64_t earliest_ns, uint64_t latest_ns,
			 uint64_t length_ns, struct trace_window *window);

/*
 * "operations", "loop" and "totals" of that piece, as docs/results.md has them: times in
 * nanoseconds from its beginning. A new reference.
 */
json_t *trace_json(const struct trace *trace, const struct trace_window *window);

/*
 * Adds to that object which threads were on a CPU, a list as on_cpu_json() makes it (the reference
 * is taken over), and by it splits the calls of the loop's thread into working and blocked:
 * "calls", and two of "totals". Without the list (NULL) these are null, with the reason `why`.
 */
void trace_add_threads(json_t *trace, json_t *threads, const struct reason *why);

#endif
