/* SPDX-License-Identifier: MIT */
#include "meters/op_trace.h"
#include "base/json_put.h"
#include "base/remark.h"

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

/* The computing of the window, in order: when each stretch began, and how much there was before. */
struct computing {
	uint64_t begin_ns, end_ns, before_ns;
};

static unsigned list_computing(const struct trace *trace, const struct trace_window *window,
			       struct computing *stretches)
{
	unsigned count = 0;
	uint64_t before_ns = 0;
	for (uint64_t i = 0; i < held(trace->span_count); i++) {
		struct trace_span span = *span_at(trace, i);
		if (span.activity != TRACE_COMPUTE || !clip(window, &span.begin_ns, &span.end_ns))
			continue;
		stretches[count++] = (struct computing) { span.begin_ns, span.end_ns, before_ns };
		before_ns += span.end_ns - span.begin_ns;
	}
	return count;
}

/* How much of the window's computing was done until `at_ns`. */
static uint64_t computed_until(const struct computing *stretches, unsigned count, uint64_t at_ns)
{
	unsigned low = 0, high = count; /* the first that begins at `at_ns` or later lies between */
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (stretches[middle].begin_ns < at_ns)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return 0;
	const struct computing *last = &stretches[low - 1];
	uint64_t end_ns = at_ns < last->end_ns ? at_ns : last->end_ns;
	return last->before_ns + (end_ns - last->begin_ns);
}

/*
 * How many operations the engine held, in the mean over the time in which the loop's thread
 * computed: accepted and not yet returned. That follows from how the interface is used (whoever
 * accepts 8 and returns one at a time holds 7) and does not tell how many the kernel was busy with.
 * While submit() is still on its way, the thread is not free, so that is not counted.
 */
static json_t *held_computing(const struct trace *trace, const struct trace_window *window)
{
	struct computing *stretches = malloc(TRACE_CAPACITY * sizeof *stretches);
	unsigned count = stretches ? list_computing(trace, window, stretches) : 0;
	uint64_t computed_ns = computed_until(stretches, count, window->end_ns), together_ns = 0;
	for (uint64_t i = 0; i < held(trace->op_count); i++) {
		const struct trace_op *op = op_at(trace, i);
		uint64_t begin_ns = op->accepted_ns, end_ns = op->completed_ns;
		if (clip(window, &begin_ns, &end_ns))
			together_ns += computed_until(stretches, count, end_ns) -
				       computed_until(stretches, count, begin_ns);
	}
	free(stretches);
	return computed_ns ? json_real((double)together_ns / (double)computed_ns) : json_null();
}

static json_t *percentage(uint64_t part, uint64_t whole)
{
	return whole ? json_real(100.0 * (double)part / (double)whole) : json_null();
}

static json_t *totals_json(const struct trace *trace, const struct trace_window *window)
{
	uint64_t in_ns[TRACE_COMPUTE + 1] = { 0 }, ops = 0;

	for (uint64_t i = 0; i < held(trace->op_count); i++) {
		uint64_t at_ns = op_at(trace, i)->completed_ns;
		ops += at_ns > window->begin_ns && at_ns <= window->end_ns;
	}
	for (uint64_t i = 0; i < held(trace->span_count); i++) {
		struct trace_span span = *span_at(trace, i);
		if (clip(window, &span.begin_ns, &span.end_ns))
			in_ns[span.activity] += span.end_ns - span.begin_ns;
	}
	uint64_t length_ns = window->end_ns - window->begin_ns;
	json_t *totals = required(json_object());
	put_int(totals, "ops", (int64_t)ops);
	put_new(totals, "submit_pct", percentage(in_ns[TRACE_SUBMIT], length_ns));
	put_new(totals, "reap_pct", percentage(in_ns[TRACE_REAP], length_ns));
	put_new(totals, "compute_pct", percentage(in_ns[TRACE_COMPUTE], length_ns));
	put_new(totals, "held_computing", held_computing(trace, window));
	put_null(totals, "working_pct");
	put_null(totals, "blocked_pct");
	return totals;
}

/* [slot, offered, accepted, completed], the times from the beginning of the window. */
static json_t *operations_json(const struct trace *trace, const struct trace_window *window)
{
	int64_t origin_ns = (int64_t)window->begin_ns;
	json_t *operations = required(json_array());
	for (uint64_t i = 0; i < held(trace->op_count); i++) {
		const struct trace_op *op = op_at(trace, i);
		if (op->completed_ns <= window->begin_ns || op->offered_ns >= window->end_ns)
			continue;
		json_t *operation = required(json_array());
		append_int(operation, op->slot);
		append_int(operation, (int64_t)op->offered_ns - origin_ns);
		append_int(operation, (int64_t)op->accepted_ns - origin_ns);
		append_int(operation, (int64_t)op->completed_ns - origin_ns);
		json_array_append_new(operations, operation);
	}
	return operations;
}

/* [what, begin, end]: a piece of the loop's time, or of a call. */
static json_t *piece_json(const char *what, int64_t begin_ns, int64_t end_ns)
{
	json_t *piece = required(json_array());
	json_array_append_new(piece, required(json_string(what)));
	append_int(piece, begin_ns);
	append_int(piece, end_ns);
	return piece;
}

static json_t *loop_json(const struct trace *trace, const struct trace_window *window)
{
	static const char *const activities[] = {
		[TRACE_SUBMIT] = "submit", [TRACE_REAP] = "reap", [TRACE_COMPUTE] = "compute"
	};
	int64_t origin_ns = (int64_t)window->begin_ns;
	json_t *loop = required(json_array());
	for (uint64_t i = 0; i < held(trace->span_count); i++) {
		const struct trace_span *span = span_at(trace, i);
		if (span->end_ns <= window->begin_ns || span->begin_ns >= window->end_ns)
			continue;
		json_array_append_new(loop, piece_json(activities[span->activity],
						       (int64_t)span->begin_ns - origin_ns,
						       (int64_t)span->end_ns - origin_ns));
	}
	return loop;
}

json_t *trace_json(const struct trace *trace, const struct trace_window *window)
{
	json_t *json = required(json_object());
	put_int(json, "begin_ns", (int64_t)window->begin_ns);
	put_int(json, "length_ns", (int64_t)(window->end_ns - window->begin_ns));
	put_new(json, "operations", operations_json(trace, window));
	put_new(json, "loop", loop_json(trace, window));
	put_new(json, "totals", totals_json(trace, window));
	return json;
}

static json_int_t integer_at(const json_t *list, size_t i)
{
	return json_integer_value(json_array_get(list, i));
}

/* When the loop's thread was on a CPU; NULL where no switch of it was seen, so it never left. */
static const json_t *loop_on_cpu(const json_t *threads)
{
	size_t i;
	json_t *thread;
	json_array_foreach (threads, i, thread) {
		if (json_is_true(json_object_get(thread, "loop")))
			return json_object_get(thread, "on_cpu");
	}
	return NULL;
}

/* What [begin, end) of a call was: working while the thread was on a CPU, blocked while it was not. */
struct call_splitter {
	json_t *calls;
	json_int_t working_ns, blocked_ns;
};

static void add_part(struct call_splitter *splitter, bool working, json_int_t begin_ns,
		     json_int_t end_ns)
{
	if (begin_ns >= end_ns)
		return;
	*(working ? &splitter->working_ns : &splitter->blocked_ns) += end_ns - begin_ns;
	json_array_append_new(splitter->calls,
			      piece_json(working ? "working" : "blocked", begin_ns, end_ns));
}

static void split_call(struct call_splitter *splitter, json_int_t begin_ns, json_int_t end_ns,
		       const json_t *on_cpu, size_t *next)
{
	json_int_t at_ns = begin_ns;
	/* Both lists are in order; a stretch may reach over several calls. */
	while (*next < json_array_size(on_cpu) &&
	       integer_at(json_array_get(on_cpu, *next), 2) <= begin_ns)
		++*next;
	for (size_t i = *next; i < json_array_size(on_cpu); i++) {
		const json_t *stretch = json_array_get(on_cpu, i);
		json_int_t from_ns = integer_at(stretch, 1), to_ns = integer_at(stretch, 2);
		if (from_ns >= end_ns)
			break;
		if (from_ns > at_ns) {
			add_part(splitter, false, at_ns, from_ns);
			at_ns = from_ns;
		}
		add_part(splitter, true, at_ns, to_ns < end_ns ? to_ns : end_ns);
		at_ns = to_ns < end_ns ? to_ns : end_ns;
	}
	add_part(splitter, false, at_ns, end_ns);
}

void trace_add_threads(json_t *trace, json_t *threads, const struct reason *why)
{
	json_int_t length_ns = json_integer_value(json_object_get(trace, "length_ns"));
	struct call_splitter splitter = { required(json_array()), 0, 0 };
	const json_t *on_cpu = loop_on_cpu(threads);
	json_t *span, *stretch = required(json_array()), *always = required(json_array());
	size_t i, next = 0;
	append_int(stretch, 0);
	append_int(stretch, 0);
	append_int(stretch, length_ns);
	json_array_append_new(always, stretch);
	json_array_foreach (json_object_get(trace, "loop"), i, span) {
		json_int_t begin_ns = integer_at(span, 1), end_ns = integer_at(span, 2);
		if (strcmp(json_string_value(json_array_get(span, 0)), "compute") != 0)
			split_call(&splitter, begin_ns > 0 ? begin_ns : 0,
				   end_ns < length_ns ? end_ns : length_ns,
				   on_cpu ? on_cpu : always, &next);
	}
	json_t *totals = json_object_get(trace, "totals");
	if (threads) {
		put_new(totals, "working_pct",
			percentage((uint64_t)splitter.working_ns, (uint64_t)length_ns));
		put_new(totals, "blocked_pct",
			percentage((uint64_t)splitter.blocked_ns, (uint64_t)length_ns));
	}
	put_shared(trace, "calls", threads ? splitter.calls : NULL);
	put_new(trace, "threads", threads);
	put_new(trace, "threads_reason", threads ? NULL : remark_of_reason(why));
	json_decref(splitter.calls);
	json_decref(always);
}
