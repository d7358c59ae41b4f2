/* SPDX-License-Identifier: MIT */
/* The trace of a run, on times that are made up: what is kept, and what is computed from it. */
#include <errno.h>
#include <string.h>

#include "base/json_path.h"
#include "base/remark.h"
#include "meters/op_trace.h"
#include "tap.h"

#define ORIGIN_NS UINT64_C(1000000)

static void add_op(struct trace *trace, uint32_t slot, uint64_t offered, uint64_t accepted,
		   uint64_t completed)
{
	trace->ops[trace->op_count++ & (TRACE_CAPACITY - 1)] =
		(struct trace_op) { ORIGIN_NS + offered, ORIGIN_NS + accepted,
				    ORIGIN_NS + completed, slot };
}

static void add_span(struct trace *trace, enum trace_activity activity, uint64_t begin,
		     uint64_t end)
{
	trace_span(trace, activity, ORIGIN_NS + begin, ORIGIN_NS + end);
}

static void overlap_tests(struct tap *tap)
{
	struct trace *trace = trace_open(4);
	/* Two operations that overlap each other, computing through both and beyond. */
	add_op(trace, 0, 0, 100, 600);
	add_op(trace, 1, 50, 100, 800);
	add_span(trace, TRACE_SUBMIT, 0, 100);
	add_span(trace, TRACE_COMPUTE, 300, 1300);
	add_op(trace, 2, 1300, 1800, 1801);
	add_span(trace, TRACE_SUBMIT, 1300, 1800);
	struct trace_window window = { ORIGIN_NS, ORIGIN_NS + 2000 };
	json_t *json = trace_json(trace, &window);

	tap_check(tap,
		  json_array_size(json_object_get(json, "operations")) == 3 &&
			  json_array_size(json_object_get(json, "loop")) == 3,
		  "three operations and three stretches are there");
	tap_check(tap, number_at(json, "totals.ops") == 3, "three completed");
	tap_check(tap, number_at(json, "totals.compute_pct") == 50, "half of the time computing");
	tap_check(tap, number_at(json, "totals.submit_pct") == 30, "30 %% of it in submit()");
	tap_check(tap, number_at(json, "totals.held_computing") == 0.8,
		  "0.8 held on average while computing: 300 + 500 ns of 1000 (%g)",
		  number_at(json, "totals.held_computing"));
	json_decref(json);

	/* The edges cut: for 200 of the 500 ns that are computed in the window one is held. */
	window = (struct trace_window) { ORIGIN_NS + 600, ORIGIN_NS + 1100 };
	json = trace_json(trace, &window);
	tap_check(tap,
		  number_at(json, "totals.held_computing") == 0.4 &&
			  number_at(json, "totals.compute_pct") == 100 &&
			  number_at(json, "totals.ops") == 1,
		  "a window cuts what reaches over its edges");
	json_decref(json);
	trace_close(trace);
}

/* Two calls and computing in 1000 ns: of the calls' 700 ns the thread was on a CPU for 350. */
static json_t *two_calls(void)
{
	return json_pack("{s:i, s:[[s,i,i],[s,i,i],[s,i,i]], s:{s:i}}", "length_ns", 1000, "loop",
			 "submit", -100, 200, "compute", 250, 500, "reap", 500, 1300, "totals",
			 "ops", 1);
}

static void calls_tests(struct tap *tap)
{
	struct reason why;
	json_t *json = two_calls();
	trace_add_threads(json,
			  json_pack("[{s:b, s:[[i,i,i]]}, {s:b, s:[[i,i,i],[i,i,i]]}]", "loop", 0,
				    "on_cpu", 1, 0, 1000, "loop", 1, "on_cpu", 0, 0, 550, 0, 900,
				    1000),
			  NULL);
	tap_check(tap,
		  number_at(json, "totals.working_pct") == 35 &&
			  number_at(json, "totals.blocked_pct") == 35,
		  "in a call and on a CPU: working; in a call and on none: blocked (%g, %g)",
		  number_at(json, "totals.working_pct"), number_at(json, "totals.blocked_pct"));
	json_t *expected =
		json_pack("[[s,i,i],[s,i,i],[s,i,i],[s,i,i]]", "working", 0, 200, "working", 500,
			  550, "blocked", 550, 900, "working", 900, 1000);
	tap_check(tap, json_equal(json_object_get(json, "calls"), expected),
		  "each call is cut where the thread left its CPU or came back");
	json_decref(expected);
	json_decref(json);

	json = two_calls();
	trace_add_threads(json, json_array(), NULL);
	tap_check(tap,
		  number_at(json, "totals.working_pct") == 70 &&
			  number_at(json, "totals.blocked_pct") == 0,
		  "a thread that was never switched was on its CPU all the time");
	json_decref(json);

	json = two_calls();
	reason_errno(&why, "perf_refused", EACCES,
		     "perf_event_open of {event} (see kernel.perf_event_paranoid; root may)",
		     reason_string("event", "context switches"));
	trace_add_threads(json, NULL, &why);
	tap_check(tap,
		  json_is_null(json_object_get(json, "calls")) &&
			  remark_is(json_object_get(json, "threads_reason"), "perf_refused"),
		  "where the switches are not known, neither is what a call did");
	json_decref(json);
}

static void window_tests(struct tap *tap)
{
	struct trace *trace = trace_open(4);
	struct trace_window window;
	/* Ten a piece, but for a stall in the midst and at the end. */
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t at = i * 100 + (i >= 100 ? 5000 : 0) + (i >= 190 ? 5000 : 0);
		add_op(trace, 0, at, at + 10, at + 90);
	}
	bool whole = trace_choose_window(trace, ORIGIN_NS, ORIGIN_NS + 30000, 1000, &window);
	json_t *json = trace_json(trace, &window);
	tap_check(tap, whole && number_at(json, "totals.ops") == 10,
		  "a typical piece is chosen, not one with a stall in it");
	tap_check(tap, window.begin_ns == ORIGIN_NS + 29000 && window.end_ns == ORIGIN_NS + 30000,
		  "the last of these: it begins with an operation, %llu ns after the origin",
		  (unsigned long long)(window.begin_ns - ORIGIN_NS));
	json_decref(json);
	tap_check(tap,
		  !trace_choose_window(trace, ORIGIN_NS, ORIGIN_NS + 30000, 40000, &window) &&
			  window.end_ns == ORIGIN_NS + 30000,
		  "a piece longer than the run: the trace says no");
	trace_close(trace);

	trace = trace_open(4);
	for (uint64_t i = 0; i < TRACE_CAPACITY + 5; i++)
		add_op(trace, 0, i * 10, i * 10 + 1, i * 10 + 9);
	uint64_t latest_ns = ORIGIN_NS + (TRACE_CAPACITY + 5) * 10;
	whole = trace_choose_window(trace, ORIGIN_NS, latest_ns, 1000, &window);
	json = trace_json(trace, &window);
	tap_check(tap, whole && json_array_size(json_object_get(json, "operations")) == 100,
		  "a full ring holds the last of what was recorded");
	json_decref(json);
	tap_check(tap,
		  !trace_choose_window(trace, ORIGIN_NS, latest_ns, TRACE_CAPACITY * 10, &window),
		  "and says when it does not reach back far enough");
	trace_close(trace);
}

static void recording_tests(struct tap *tap)
{
	struct trace *trace = trace_open(2);
	struct io_op op = { .slot = 1 };
	struct io_op *ops[] = { &op };
	uint64_t begin_ns = clock_ns();
	trace_submitted(trace, begin_ns, ops, 0);
	tap_check(tap, trace->op_count == 0 && trace->span_count == 1,
		  "what was not accepted is no operation");
	trace_submitted(trace, begin_ns, ops, 1);
	trace_reaped(trace, begin_ns + 5, begin_ns + 2000000, ops, 1);
	const struct trace_op *recorded = &trace->ops[0];
	tap_check(tap,
		  trace->op_count == 1 && recorded->slot == 1 && recorded->offered_ns == begin_ns &&
			  recorded->accepted_ns >= begin_ns &&
			  recorded->completed_ns == begin_ns + 2000000,
		  "an operation has its three times");
	trace_close(trace);
}

int main(void)
{
	struct tap tap = { 0 };
	overlap_tests(&tap);
	calls_tests(&tap);
	window_tests(&tap);
	recording_tests(&tap);
	return tap_end(&tap);
}
