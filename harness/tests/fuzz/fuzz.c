/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void must(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz: this does not hold: %s\n", what);
	abort();
}

void write_bytes(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "we");
	if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

void make_folder(char folder[FOLDER_BYTES])
{
	const char *below = getenv("TMPDIR");
	snprintf(folder, FOLDER_BYTES, "%.40s/fuzz-XXXXXX", below ? below : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		exit(1);
	}
}

void remove_folder(const char *folder)
{
	static const char *const names[] = { "runs.jsonl", "summary.json" };
	char path[PATH_MAX];
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}
