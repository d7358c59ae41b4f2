/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

struct trace *trace_open(unsigned depth)
{
	struct trace *trace = calloc(1, sizeof *trace);
	if (!trace)
		return NULL;
	trace->ops = malloc(TRACE_CAPACITY * sizeof *trace->ops);
	trace->spans = malloc(TRACE_CAPACITY * sizeof *trace->spans);
	trace->open = calloc(depth, sizeof *trace->open);
	if (!trace->ops || !trace->spans || !trace->open) {
		trace_close(trace);
		return NULL;
	}
	/* A first touch costs a page fault, and would be seen in the trace. */
	memset(trace->ops, 1, TRACE_CAPACITY * sizeof *trace->ops);
	memset(trace->spans, 1, TRACE_CAPACITY * sizeof *trace->spans);
	return trace;
}

void trace_close(struct trace *trace)
{
	if (!trace)
		return;
	free(trace->ops);
	free(trace->spans);
	free(trace->open);
	free(trace);
}

/* How many entries a ring holds, when `recorded` were put into it. */
static uint64_t held(uint64_t recorded)
{
	return recorded < TRACE_CAPACITY ? recorded : TRACE_CAPACITY;
}

/* Entry `i` of those that are held, the oldest first. */
static const struct trace_op *op_at(const struct trace *trace, uint64_t i)
{
	uint64_t first = trace->op_count - held(trace->op_count);
	return &trace->ops[(first + i) & (TRACE_CAPACITY - 1)];
}

static const struct trace_span *span_at(const struct trace *trace, uint64_t i)
{
	uint64_t first = trace->span_count - held(trace->span_count);
	return &trace->spans[(first + i) & (TRACE_CAPACITY - 1)];
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* A piece that could be shown, and how many operations were completed in it. */
struct piece {
	uint64_t begin_ns;
	unsigned completed;
};

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	if (x->completed != y->completed)
		return x->completed < y->completed ? -1 : 1;
	return (x->begin_ns > y->begin_ns) - (x->begin_ns < y->begin_ns);
}

/* From when on both rings hold everything. */
static uint64_t whole_since_ns(const struct trace *trace)
{
	uint64_t ops_ns = trace->op_count > TRACE_CAPACITY ? op_at(trace, 0)->completed_ns : 0;
	uint64_t spans_ns = trace->span_count > TRACE_CAPACITY ? span_at(trace, 0)->begin_ns : 0;
	return ops_ns > spans_ns ? ops_ns : spans_ns;
}

/* Every piece between the two times. Operations complete in the order of the ring. */
static unsigned list_pieces(const struct trace *trace, uint64_t earliest_ns, uint64_t latest_ns,
			    uint64_t length_ns, struct piece *pieces, uint64_t *begins)
{
	uint64_t n = held(trace->op_count), first = 0, next = 0;
	unsigned count = 0, begin_count = 0;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t begin_ns = op_at(trace, i)->offered_ns;
		if (begin_ns >= earliest_ns && begin_ns + length_ns <= latest_ns)
			begins[begin_count++] = begin_ns;
	}
	if (begin_count > 0)
		qsort(begins, begin_count, sizeof *begins, compare_times);
	for (unsigned i = 0; i < begin_count; i++) {
		uint64_t begin_ns = begins[i];
		if (i > 0 && begin_ns == begins[i - 1])
			continue; /* offered in one batch */
		while (first < n && op_at(trace, first)->completed_ns <= begin_ns)
			first++;
		while (next < n && op_at(trace, next)->completed_ns <= begin_ns + length_ns)
			next++;
		pieces[count++] = (struct piece) { begin_ns, (unsigned)(next - first) };
	}
	return count;
}

bool trace_choose_window(const struct trace *trace, uint64_t earliest_ns, uint64_t latest_ns,
			 uint64_t length_ns, struct trace_window *window)
{
	struct piece *pieces = malloc(TRACE_CAPACITY * sizeof *pieces);
	uint64_t *begins = malloc(TRACE_CAPACITY * sizeof *begins);
	unsigned count = 0;
	if (earliest_ns < whole_since_ns(trace))
		earliest_ns = whole_since_ns(trace);
	if (pieces && begins)
		count = list_pieces(trace, earliest_ns, latest_ns, length_ns, pieces, begins);
	uint64_t begin_ns = latest_ns - length_ns;
	if (count > 0) {
		qsort(pieces, count, sizeof *pieces, compare_pieces);
		unsigned chosen = count / 2;
		while (chosen + 1 < count &&
		       pieces[chosen + 1].completed == pieces[chosen].completed)
			chosen++;
		begin_ns = pieces[chosen].begin_ns;
	}
	*window = (struct trace_window) { begin_ns, begin_ns + length_ns };
	free(begins);
	free(pieces);
	return count > 0;
}

/* The part of an interval that lies within the window; false when none does. */
static bool clip(const struct trace_window *window, uint64_t *begin_ns, uint64_t *end_ns)
{
	if (*begin_ns < window->begin_ns)
		*begin_ns = window->begin_ns;
	if (*end_ns > window->end_ns)
		*end_ns = window->end_ns;
	return *begin_ns < *end_ns;
}

static int compare_spans(const void *a, const void *b)
{
	const struct trace_span *x = a, *y = b;
	return (x->begin_ns > y->begin_ns) - (x->begin_ns < y->begin_ns);
}

/*
 * Stretches in which at least one operation was in flight: accepted by the engine and not yet
 * returned. While submit() is still on its way, the loop's thread is not free, so that is not
 * counted. Returns how many were stored.
 */
static unsigned stretches_in_flight(const struct trace *trace, const struct trace_window *window,
				    struct trace_span *stretches)
{
	unsigned count = 0, merged = 0;
	for (uint64_t i = 0; i < held(trace->op_count); i++) {
		struct trace_span s = { op_at(trace, i)->accepted_ns, op_at(trace, i)->completed_ns,
					TRACE_REAP };
		if (clip(window, &s.begin_ns, &s.end_ns))
			stretches[count++] = s;
	}
	qsort(stretches, count, sizeof *stretches, compare_spans);
	for (unsigned i = 0; i < count; i++) {
		if (merged > 0 && stretches[i].begin_ns <= stretches[merged - 1].end_ns) {
			if (stretches[i].end_ns > stretches[merged - 1].end_ns)
				stretches[merged - 1].end_ns = stretches[i].end_ns;
		} else {
			stretches[merged++] = stretches[i];
		}
	}
	return merged;
}

/* How much of [begin, end) lies in one of the stretches. */
static uint64_t common_ns(uint64_t begin_ns, uint64_t end_ns, const struct trace_span *stretches,
			  unsigned count)
{
	uint64_t total_ns = 0;
	for (unsigned i = 0; i < count; i++) {
		uint64_t from = stretches[i].begin_ns > begin_ns ? stretches[i].begin_ns : begin_ns;
		uint64_t to = stretches[i].end_ns < end_ns ? stretches[i].end_ns : end_ns;
		if (from < to)
			total_ns += to - from;
	}
	return total_ns;
}

static json_t *percentage(uint64_t part, uint64_t whole)
{
	return whole ? json_real(100.0 * (double)part / (double)whole) : json_null();
}

static json_t *totals_json(const struct trace *trace, const struct trace_window *window)
{
	struct trace_span *stretches = malloc(TRACE_CAPACITY * sizeof *stretches);
	unsigned count = stretches ? stretches_in_flight(trace, window, stretches) : 0;
	uint64_t in_ns[TRACE_COMPUTE + 1] = { 0 }, overlapped_ns = 0, ops = 0;

	for (uint64_t i = 0; i < held(trace->op_count); i++) {
		uint64_t at_ns = op_at(trace, i)->completed_ns;
		ops += at_ns > window->begin_ns && at_ns <= window->end_ns;
	}
	for (uint64_t i = 0; i < held(trace->span_count); i++) {
		struct trace_span span = *span_at(trace, i);
		if (!clip(window, &span.begin_ns, &span.end_ns))
			continue;
		in_ns[span.activity] += span.end_ns - span.begin_ns;
		if (span.activity == TRACE_COMPUTE)
			overlapped_ns += common_ns(span.begin_ns, span.end_ns, stretches, count);
	}
	free(stretches);
	uint64_t length_ns = window->end_ns - window->begin_ns;
	return json_pack("{s:I, s:o, s:o, s:o, s:o}", "ops", (json_int_t)ops, "submit_pct",
			 percentage(in_ns[TRACE_SUBMIT], length_ns), "reap_pct",
			 percentage(in_ns[TRACE_REAP], length_ns), "compute_pct",
			 percentage(in_ns[TRACE_COMPUTE], length_ns), "overlapped_pct",
			 percentage(overlapped_ns, in_ns[TRACE_COMPUTE]));
}

json_t *trace_json(const struct trace *trace, const struct trace_window *window)
{
	static const char *const activities[] = {
		[TRACE_SUBMIT] = "submit", [TRACE_REAP] = "reap", [TRACE_COMPUTE] = "compute"
	};
	json_int_t origin_ns = (json_int_t)window->begin_ns;
	json_t *operations = json_array(), *loop = json_array();

	for (uint64_t i = 0; i < held(trace->op_count); i++) {
		const struct trace_op *op = op_at(trace, i);
		if (op->completed_ns <= window->begin_ns || op->offered_ns >= window->end_ns)
			continue;
		json_array_append_new(operations,
				      json_pack("[I, I, I, I]", (json_int_t)op->slot,
						(json_int_t)op->offered_ns - origin_ns,
						(json_int_t)op->accepted_ns - origin_ns,
						(json_int_t)op->completed_ns - origin_ns));
	}
	for (uint64_t i = 0; i < held(trace->span_count); i++) {
		const struct trace_span *span = span_at(trace, i);
		if (span->end_ns <= window->begin_ns || span->begin_ns >= window->end_ns)
			continue;
		json_array_append_new(loop, json_pack("[s, I, I]", activities[span->activity],
						      (json_int_t)span->begin_ns - origin_ns,
						      (json_int_t)span->end_ns - origin_ns));
	}
	return json_pack("{s:I, s:I, s:o, s:o, s:o}", "begin_ns", origin_ns, "length_ns",
			 (json_int_t)(window->end_ns - window->begin_ns), "operations", operations,
			 "loop", loop, "totals", totals_json(trace, window));
}
