/* SPDX-License-Identifier: MIT */
/*
 * A results folder with these bytes as its runs.jsonl. What follows a line "summary.json:" is that
 * file.
 */
#include <stdio.h>
#include <string.h>

#include "folder_verdict.h"
#include "fuzz.h"

static const char mark[] = "\nsummary.json:\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char folder[FOLDER_BYTES], path[FOLDER_BYTES + 16];
	struct reason why = { "" };
	const uint8_t *found = memmem(bytes, length, mark, strlen(mark));
	size_t runs_length = found ? (size_t)(found - bytes) + 1 : length;
	make_folder(folder);
	snprintf(path, sizeof path, "%s/runs.jsonl", folder);
	write_bytes(path, bytes, runs_length);
	if (found) {
		size_t before = runs_length - 1 + strlen(mark);
		snprintf(path, sizeof path, "%s/summary.json", folder);
		write_bytes(path, bytes + before, length - before);
	}
	enum folder_verdict verdict = folder_verdict(folder, &why);
	remove_folder(folder);
	must(verdict != FOLDER_WRONG, why.text);
	return 0;
}
