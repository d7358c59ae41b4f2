/* SPDX-License-Identifier: MIT */
#include "tap.h"

#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/json_put.h"
#include "calls.h"
#include "findings.h"
#include "syscall_names.h"

#define LINE_BYTES_MAX 300

void tap_begin(void)
{
	puts("TAP version 14");
}

/* Appends the lines of a text to an array. */
static void append_lines(json_t *lines, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		json_t *line =
			untrusted_text(text, length < LINE_BYTES_MAX ? length : LINE_BYTES_MAX);
		if (json_array_append_new(lines, line) < 0)
			required(NULL);
		text += length + (text[length] == '\n');
	}
}

/* An array of the lines that the program printed, first and last ones. */
static json_t *output_lines(const struct exam *e)
{
	static char text[EXAM_TAIL_BYTES + 1];
	json_t *lines = required(json_array());
	uint64_t total = e->output_bytes;
	size_t head = total < EXAM_HEAD_BYTES ? (size_t)total : EXAM_HEAD_BYTES;
	uint64_t after = total - head;
	size_t tail = after < EXAM_TAIL_BYTES ? (size_t)after : EXAM_TAIL_BYTES;
	bool whole = after == tail && head + tail < sizeof text;
	if (whole) {
		memcpy(text, e->output_head, head);
		memcpy(text + head, e->output_tail, tail);
		text[head + tail] = '\0';
		append_lines(lines, text);
		return lines;
	}
	memcpy(text, e->output_head, head);
	text[head] = '\0';
	append_lines(lines, text);
	snprintf(text, sizeof text, "(%llu bytes are left out here)",
		 (unsigned long long)(after - tail));
	append_lines(lines, text);
	for (size_t i = 0; i < tail; i++)
		text[i] = e->output_tail[(after - tail + i) % EXAM_TAIL_BYTES];
	text[tail] = '\0';
	append_lines(lines, text);
	return lines;
}

/* What the proctor saw of a test from outside, see tap.h. */
static void put_calls(json_t *block, const struct exam *e)
{
	json_t *engine = required(json_object()), *own = required(json_object());
	json_t *moved = required(json_object()), *waits = required(json_array());
	char name[SYSCALL_NAME_SIZE];
	for (unsigned i = 0; i < FUNCTION_COUNT; i++)
		if (e->engine_calls[i])
			put_int(engine, function_names[i],
				e->engine_calls[i] < COMPARED_CALLS_MAX ? e->engine_calls[i]
									: COMPARED_CALLS_MAX);
	for (long n = 0; n < EXAM_CALLS_MAX; n++)
		if (e->own_calls[n] && !is_background_call(n))
			put_int(own, syscall_name(n, name), e->own_calls[n]);
	put_int(moved, "in", (long long)e->engine_moved_bytes[DIRECTION_IN]);
	put_int(moved, "out", (long long)e->engine_moved_bytes[DIRECTION_OUT]);
	put_new(block, "engine_calls", engine);
	put_new(block, "engine_moved_bytes", moved);
	put_new(block, "own_calls", own);
	put_int(block, "faults", e->faults);
	put_int(block, "rings", e->rings);
	for (unsigned i = 0; i < WAIT_COUNT; i++)
		if (e->waited[i] && json_array_append_new(waits, json_string(wait_names[i])) < 0)
			required(NULL);
	put_new(block, "own_waits", waits);
}

void tap_result(unsigned number, const struct exam_test *test, enum verdict verdict,
		const json_t *findings, const struct exam *e)
{
	json_t *block = required(json_object());
	put_int(block, "exercise", test->exercise);
	put_shared(block, "findings", findings);
	if (e && verdict == FAILED) {
		bool cut;
		put_new(block, "output", output_lines(e));
		put_new(block, "events", account_of(e->record, &cut));
		put_bool(block, "events_cut", cut);
	}
	if (e && verdict == PASSED && e->begun)
		put_calls(block, e);
	printf("%s %u - %s%s\n  ---\n  ", verdict == FAILED ? "not ok" : "ok", number, test->name,
	       verdict == SKIPPED ? " # SKIP" : "");
	json_dumpf(block, stdout, JSON_ENSURE_ASCII);
	printf("\n  ...\n");
	fflush(stdout);
	json_decref(block);
}

void tap_end(const unsigned counts[VERDICT_COUNT])
{
	printf("1..%u\n# %u passed, %u failed, %u skipped\n",
	       counts[PASSED] + counts[FAILED] + counts[SKIPPED], counts[PASSED], counts[FAILED],
	       counts[SKIPPED]);
}
