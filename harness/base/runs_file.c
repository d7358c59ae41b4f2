/* SPDX-License-Identifier: MIT */
#include "base/runs_file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"

json_t *runs_read(const char *folder, struct reason *why)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/runs.jsonl", folder);
	FILE *file = fopen(path, "re");
	if (!file) {
		reason_errno(why, errno, "%s", path);
		return NULL;
	}
	json_t *runs = json_array();
	char *line = NULL;
	size_t size = 0;
	unsigned number = 0;
	ssize_t length;
	bool bad = false;
	while (!bad && (length = getline(&line, &size, file)) > 0) {
		json_error_t error;
		number++;
		json_t *run = json_loads(line, 0, &error);
		if (!run && line[length - 1] != '\n') {
			fprintf(stderr, "iolab: %s:%u: the last line is torn and left out\n", path,
				number);
			break;
		}
		bad = !run || strcmp(string_at(run, "schema"), "iolab.run.v1") != 0;
		if (bad) {
			reason_set(why, "%s:%u: %s", path, number,
				   run ? "not of the schema iolab.run.v1" : error.text);
			json_decref(run);
		} else {
			json_array_append_new(runs, run);
		}
	}
	free(line);
	fclose(file);
	if (!bad && json_array_size(runs) == 0) {
		reason_set(why, "%s holds no run", path);
		bad = true;
	}
	if (bad) {
		json_decref(runs);
		return NULL;
	}
	return runs;
}
