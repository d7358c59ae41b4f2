/* SPDX-License-Identifier: MIT */
#include "summary/runs_file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/plain_file.h"
#include "metrics/documents.h"
#include "summary/first_run.h"
#include "summary/grouping.h"
#include "summary/run_check.h"

/* Is it a run that can be read? Otherwise false with `why`, which names the line and the key. */
static bool is_readable(json_t *run, const char *path, unsigned line, struct reason *why)
{
	struct reason misfit;
	const char *schema = string_at(run, "schema");
	if (strcmp(schema, FIRST_RUN_SCHEMA) == 0)
		first_run_upgrade(run);
	else if (strcmp(schema, RUN_SCHEMA) != 0) {
		reason_say(why,
			   "%s:%u: its schema is %s; this iolab reads iolab.run.v1 and v2: use the "
			   "iolab that wrote the folder",
			   path, line, *schema ? schema : "missing");
		return false;
	}
	if (run_is_sound(run, &misfit))
		return true;
	reason_say(why, "%s:%u: %s", path, line, misfit.text);
	return false;
}

/*
 * A round holds one run of a configuration, so a second one would take its place unseen. `lines`
 * has the line of each run before. Returns false with `why` where the run is there already.
 */
static bool is_first_of_its_round(json_t *lines, const json_t *run, const char *path, unsigned line,
				  struct reason *why)
{
	json_t *place = identity_of(run, true);
	put_shared(place, "round", at_path(run, "config.round"));
	put_shared(place, "counting", at_path(run, "config.count_syscalls"));
	char *text = json_dumps(place, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
	if (!text)
		required(NULL); /* ends the program */
	const json_t *before = json_object_get(lines, text);
	if (before)
		reason_say(why,
			   "%s:%u: its engine, configuration and round are those of line "
			   "%" JSON_INTEGER_FORMAT,
			   path, line, json_integer_value(before));
	else
		put_int(lines, text, line);
	free(text);
	json_decref(place);
	return !before;
}

/*
 * The length of the next line, or 0 or less when there is none. getline() ends in the same way, and
 * within a line, where the file ends and where it cannot be read: then there is no line, but `failed`.
 */
static ssize_t next_line(FILE *file, char **line, size_t *size, int *failed)
{
	errno = 0;
	ssize_t length = getline(line, size, file);
	bool whole = length > 0 && (*line)[length - 1] == '\n';
	if (whole || feof(file))
		return length;
	*failed = errno ? errno : EIO;
	return 0;
}

json_t *runs_read(const char *folder, struct reason *why)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/runs.jsonl", folder);
	FILE *file;
	if (plain_file_open(path, &file, why) < 0)
		return NULL;
	json_t *runs = required(json_array()), *lines = required(json_object());
	char *line = NULL;
	size_t size = 0;
	unsigned number = 0;
	ssize_t length;
	bool bad = false;
	int failed = 0;
	while (!bad && (length = next_line(file, &line, &size, &failed)) > 0) {
		json_error_t error;
		number++;
		json_t *run = json_loads(line, 0, &error);
		if (!run && line[length - 1] != '\n') {
			fprintf(stderr, "iolab: %s:%u: the last line is torn and left out\n", path,
				number);
			break;
		}
		bad = !run || !is_readable(run, path, number, why) ||
		      !is_first_of_its_round(lines, run, path, number, why);
		if (!run)
			reason_say(why, "%s:%u: %s", path, number, error.text);
		if (bad)
			json_decref(run);
		else
			json_array_append_new(runs, run);
	}
	if (!bad && failed) {
		reason_say_errno(why, failed, "%s: reading it behind line %u", path, number);
		bad = true;
	}
	free(line);
	fclose(file);
	json_decref(lines);
	if (!bad && json_array_size(runs) == 0) {
		reason_say(why, "%s holds no run", path);
		bad = true;
	}
	if (bad) {
		json_decref(runs);
		return NULL;
	}
	return runs;
}
