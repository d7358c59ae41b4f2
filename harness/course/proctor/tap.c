/* SPDX-License-Identifier: MIT */
#include "tap.h"

#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/json_put.h"
#include "findings.h"

#define LINE_BYTES_MAX 300

void tap_begin(void)
{
	puts("TAP version 14");
}

/* An array of the lines that the program printed. */
static json_t *output_lines(const char *text)
{
	json_t *lines = required(json_array());
	while (*text) {
		size_t length = strcspn(text, "\n");
		json_t *line =
			untrusted_text(text, length < LINE_BYTES_MAX ? length : LINE_BYTES_MAX);
		if (json_array_append_new(lines, line) < 0)
			required(NULL);
		text += length + (text[length] == '\n');
	}
	return lines;
}

void tap_result(unsigned number, const struct exam_test *test, enum verdict verdict,
		const json_t *findings, const struct exam *e)
{
	json_t *block = required(json_object());
	put_int(block, "exercise", test->exercise);
	put_shared(block, "findings", findings);
	if (e && verdict == FAILED) {
		bool cut;
		put_new(block, "output", output_lines(e->output));
		put_new(block, "events", account_of(e->record, &cut));
		put_bool(block, "events_cut", cut);
	}
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
