/* SPDX-License-Identifier: MIT */
#include "exchange/chrome_trace.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json_path.h"
#include "base/json_put.h"

/* Rows of a process, in the order in which viewers show them: by number. */
enum {
	LOOP_ROW = 1,
	LEGS_ROW = 1,
	FIRST_CPU_ROW = 2,
	FIRST_THREAD_ROW = 100,
	FIRST_SLOT_ROW = 10000,
};

/* "M": a name for a process, or for one of its rows. */
static void add_name(json_t *events, const char *what, int64_t pid, int64_t tid, const char *name)
{
	json_t *event = required(json_object()), *args = required(json_object());
	put_string(args, "name", name);
	put_string(event, "name", what);
	put_string(event, "ph", "M");
	put_int(event, "pid", pid);
	put_int(event, "tid", tid);
	put_new(event, "args", args);
	json_array_append_new(events, event);
}

/* "X": a span. The format counts in microseconds, with a fraction. */
static json_t *add_span(json_t *events, int64_t pid, int64_t tid, const char *name, double begin_ns,
			double end_ns)
{
	json_t *event = required(json_object());
	put_string(event, "name", name);
	put_string(event, "cat", "iolab");
	put_string(event, "ph", "X");
	put_int(event, "pid", pid);
	put_int(event, "tid", tid);
	put_real(event, "ts", begin_ns / 1e3);
	put_real(event, "dur", (end_ns - begin_ns) / 1e3);
	json_array_append_new(events, event);
	return event;
}

static double item_ns(const json_t *list, size_t at)
{
	return json_number_value(json_array_get(list, at));
}

/* [slot, offered, accepted, completed]: a slot has one operation at a time, so it is a row. */
static void add_operations(json_t *events, int64_t pid, const json_t *operations)
{
	size_t i;
	const json_t *op;
	json_t *named = required(json_object());
	json_array_foreach (operations, i, op) {
		char name[64];
		int64_t slot = json_integer_value(json_array_get(op, 0));
		snprintf(name, sizeof name, "operation, slot %lld", (long long)slot);
		if (!json_object_get(named, name))
			add_name(events, "thread_name", pid, FIRST_SLOT_ROW + slot, name);
		put_string(named, name, "");
		add_span(events, pid, FIRST_SLOT_ROW + slot, "in submit()", item_ns(op, 1),
			 item_ns(op, 2));
		add_span(events, pid, FIRST_SLOT_ROW + slot, "in flight", item_ns(op, 2),
			 item_ns(op, 3));
	}
	json_decref(named);
}

static void add_threads(json_t *events, int64_t pid, const json_t *threads)
{
	size_t i, k;
	const json_t *thread, *turn;
	json_array_foreach (threads, i, thread) {
		char name[320];
		int64_t row = FIRST_THREAD_ROW + (int64_t)i;
		snprintf(name, sizeof name, "%s on a CPU", string_at(thread, "name"));
		add_name(events, "thread_name", pid, row, name);
		json_array_foreach (json_object_get(thread, "on_cpu"), k, turn) {
			snprintf(name, sizeof name, "CPU %lld",
				 (long long)json_integer_value(json_array_get(turn, 0)));
			add_span(events, pid, row, name, item_ns(turn, 1), item_ns(turn, 2));
		}
	}
}

static void add_lane(json_t *events, int64_t pid, const json_t *lane)
{
	size_t i;
	const json_t *step, *trace = json_object_get(lane, "trace");
	add_name(events, "process_name", pid, 0, string_at(lane, "engine.label"));
	if (!json_is_object(trace))
		return; /* it is not ok, and has a name only */
	add_name(events, "thread_name", pid, LOOP_ROW, "the loop's thread");
	json_array_foreach (json_object_get(trace, "loop"), i, step)
		add_span(events, pid, LOOP_ROW, json_string_value(json_array_get(step, 0)),
			 item_ns(step, 1), item_ns(step, 2));
	add_threads(events, pid, json_object_get(trace, "threads"));
	add_operations(events, pid, json_object_get(trace, "operations"));
}

/* The object around the events, which it takes over. */
static json_t *whole_trace(json_t *events)
{
	json_t *trace = required(json_object());
	put_new(trace, "traceEvents", events);
	put_string(trace, "displayTimeUnit", "ns");
	return trace;
}

json_t *chrome_trace_of_timeline(const json_t *document)
{
	size_t i;
	const json_t *lane;
	json_t *events = required(json_array());
	json_array_foreach (json_object_get(document, "lanes"), i, lane)
		add_lane(events, (int64_t)i + 1, lane);
	return whole_trace(events);
}

/* [put, timed out, emitted, [[asked, heard, failed]...]]: questions, and the rests between them. */
static void add_record(json_t *events, int64_t pid, int64_t row, const json_t *record)
{
	size_t i;
	const json_t *attempt;
	double at_ns = item_ns(record, 0), emitted_ns = item_ns(record, 2);
	double over_ns = emitted_ns; /* when nothing more is heard */
	if (json_is_integer(json_array_get(record, 1)))
		over_ns = item_ns(record, 1);
	const char *rest = "before it is asked";
	json_array_foreach (json_array_get(record, 3), i, attempt) {
		bool is_heard = json_is_integer(json_array_get(attempt, 1));
		bool failed = json_is_true(json_array_get(attempt, 2));
		double asked_ns = item_ns(attempt, 0);
		double heard_ns = is_heard ? item_ns(attempt, 1) : over_ns;
		add_span(events, pid, row, rest, at_ns, asked_ns);
		add_span(events, pid, row,
			 !is_heard ? "asked, no answer"
			 : failed  ? "asked, an error"
				   : "asked",
			 asked_ns, heard_ns);
		at_ns = heard_ns;
		rest = failed ? "pause" : "answered, waits for its turn";
	}
	add_span(events, pid, row, over_ns < emitted_ns ? "its time is over" : rest, at_ns,
		 emitted_ns);
}

json_t *chrome_trace_of_operator(const json_t *document)
{
	size_t i, k;
	const json_t *row, *record;
	json_t *events = required(json_array());
	json_array_foreach (json_object_get(document, "rows"), i, row) {
		char name[400];
		int64_t pid = (int64_t)i + 1;
		bool has_engine = json_is_object(json_object_get(row, "engine"));
		snprintf(name, sizeof name, "%s, %s, %s answers, capacity %.0f",
			 has_engine ? string_at(row, "engine.label") : "no engine",
			 string_at(row, "emission"), string_at(row, "answers"),
			 number_at(row, "capacity"));
		add_name(events, "process_name", pid, 0, name);
		json_array_foreach (json_object_get(row, "trace"), k, record) {
			snprintf(name, sizeof name, "record %zu", k + 1);
			add_name(events, "thread_name", pid, (int64_t)k + 1, name);
			add_record(events, pid, (int64_t)k + 1, record);
		}
	}
	return whole_trace(events);
}

/* The legs of an operation's way: a span from each moment that was seen to the next, named by that. */
static void add_legs(json_t *events, int64_t pid, const json_t *path, const json_t *moments)
{
	double at_ns = 0;
	for (;;) {
		size_t i, next = SIZE_MAX;
		const json_t *item;
		json_array_foreach (path, i, item)
			if (json_is_integer(item) && json_number_value(item) > at_ns &&
			    (next == SIZE_MAX || json_number_value(item) < item_ns(path, next)))
				next = i;
		if (next == SIZE_MAX)
			return;
		add_span(events, pid, LEGS_ROW, string_at(json_array_get(moments, next), "words"),
			 at_ns, item_ns(path, next));
		at_ns = item_ns(path, next);
	}
}

/* "i": a moment without a length, [when, CPU, thread, tracepoint, values...]; a CPU is a row. */
static void add_tracepoint(json_t *events, int64_t pid, json_t *named, const json_t *tracepoint)
{
	char name[40];
	json_t *event = required(json_object()), *args = required(json_object());
	int64_t cpu = json_integer_value(json_array_get(tracepoint, 1));
	snprintf(name, sizeof name, "CPU %lld", (long long)cpu);
	if (!json_object_get(named, name))
		add_name(events, "thread_name", pid, FIRST_CPU_ROW + cpu, name);
	put_string(named, name, "");
	put_string(event, "name", json_string_value(json_array_get(tracepoint, 3)));
	put_string(event, "cat", "iolab");
	put_string(event, "ph", "i");
	put_string(event, "s", "t");
	put_int(event, "pid", pid);
	put_int(event, "tid", FIRST_CPU_ROW + cpu);
	put_real(event, "ts", item_ns(tracepoint, 0) / 1e3);
	put_shared(args, "thread", json_array_get(tracepoint, 2));
	put_shared(args, "value", json_array_get(tracepoint, 4));
	put_new(event, "args", args);
	json_array_append_new(events, event);
}

json_t *chrome_trace_of_upcall(const json_t *document)
{
	size_t i, k;
	const json_t *row, *tracepoint, *moments = json_object_get(document, "moments");
	json_t *events = required(json_array());
	json_array_foreach (json_object_get(document, "rows"), i, row) {
		char name[400];
		int64_t pid = (int64_t)i + 1;
		json_t *named = required(json_object());
		snprintf(name, sizeof name, "%s, %s", string_at(row, "engine.label"),
			 string_at(row, "target"));
		add_name(events, "process_name", pid, 0, name);
		add_name(events, "thread_name", pid, LEGS_ROW, "the operation");
		add_legs(events, pid, at_path(row, "trace.path"), moments);
		json_array_foreach (at_path(row, "trace.events"), k, tracepoint)
			add_tracepoint(events, pid, named, tracepoint);
		json_decref(named);
	}
	return whole_trace(events);
}
