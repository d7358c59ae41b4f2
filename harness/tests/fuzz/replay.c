/* SPDX-License-Identifier: MIT */
/*
 * fuzz_import FOLDER: the target once with each file of the folder. Built with sanitizers this finds
 * again what libFuzzer found before.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "tests/tap.h"

/* In a block of exactly its length: what is read behind it is noticed. */
static void replay(struct tap *tap, const char *path)
{
	struct stat status = { .st_size = 0 };
	FILE *file = fopen(path, "re");
	bool there = file && fstat(fileno(file), &status) == 0;
	size_t length = (size_t)status.st_size;
	uint8_t *bytes = malloc(length > 0 ? length : 1);
	there = there && bytes && fread(bytes, 1, length, file) == length;
	if (file)
		fclose(file);
	printf("# %s\n", path);
	fflush(stdout);
	if (there)
		LLVMFuzzerTestOneInput(bytes, length);
	free(bytes);
	tap_check(tap, there, "%s is answered", strrchr(path, '/') + 1);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct tap tap = { 0 };
	struct dirent **entries;
	int count = argc == 2 ? scandir(argv[1], &entries, is_visible, alphasort) : -1;
	if (count < 0) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < count; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
		replay(&tap, path);
		free(entries[i]);
	}
	free(entries);
	tap_check(&tap, count > 0, "there are files: %d", count);
	return tap_end(&tap);
}
