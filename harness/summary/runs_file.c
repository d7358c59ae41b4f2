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
#include "base/remark.h"
#include "metrics/documents.h"

/*
 * A sentence of iolab.run.v1 as a remark; null stays null. The sentence is the value, so that two of
 * them differ. The one kind that figures look for keeps its identifier. A new reference.
 */
static json_t *remark_of_v1(const json_t *sentence)
{
	static const char hardware[] = "hardware counters: ";
	const size_t length = sizeof hardware - 1;
	if (!json_is_string(sentence))
		return json_null();
	const char *words = json_string_value(sentence);
	bool of_hardware = strncmp(words, hardware, length) == 0;
	json_t *remark = remark_of_sentence("v1", of_hardware ? words + length : words);
	if (!of_hardware)
		return remark;
	json_t *caused =
		remark_caused("hardware_not_counted", NULL, "hardware counters: {cause}", remark);
	json_decref(remark);
	return caused;
}

static void upgrade_reason(json_t *object, const char *key)
{
	if (json_is_object(object))
		put_new(object, key, remark_of_v1(json_object_get(object, key)));
}

/* Turns a run of iolab.run.v1 into one of v2. */
static void upgrade_run(json_t *run)
{
	json_t *warnings = required(json_array()), *metrics = json_object_get(run, "metrics");
	size_t i;
	json_t *sentence;
	/* Where there were no counters, v1 has null in place of an object of nulls. */
	if (json_is_object(metrics) && json_is_null(json_object_get(metrics, "hardware"))) {
		json_t *hardware = required(json_object());
		put_null(hardware, "scope");
		put_null(hardware, "running_pct");
		put_new(metrics, "hardware", hardware);
	}
	json_array_foreach (json_object_get(run, "warnings"), i, sentence)
		json_array_append_new(warnings, remark_of_v1(sentence));
	put_new(run, "warnings", warnings);
	upgrade_reason(run, "reason");
	upgrade_reason(metrics, "syscalls_reason");
	upgrade_reason(metrics, "hardware_reason");
	upgrade_reason(json_object_get(run, "trace"), "threads_reason");
	json_object_del(metrics, "achieved_per_s"); /* ops_per_s again */
	json_object_del(json_object_get(run, "config"), "conns"); /* workload.conns again */
	put_string(run, "schema", "iolab.run.v2");
}

/* Is it a run that can be read? Otherwise false with `why`, which names the line and the key. */
static bool is_readable(json_t *run, const char *path, unsigned line, struct reason *why)
{
	struct reason misfit;
	const char *schema = string_at(run, "schema");
	if (strcmp(schema, "iolab.run.v1") == 0)
		upgrade_run(run);
	else if (strcmp(schema, "iolab.run.v2") != 0) {
		reason_say(why,
			   "%s:%u: its schema is %s; this iolab reads iolab.run.v1 and v2: use the "
			   "iolab that wrote the folder",
			   path, line, *schema ? schema : "missing");
		return false;
	}
	if (document_fits("iolab.run.v2", run, &misfit))
		return true;
	reason_say(why, "%s:%u: %s", path, line, misfit.text);
	return false;
}

json_t *runs_read(const char *folder, struct reason *why)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/runs.jsonl", folder);
	FILE *file = fopen(path, "re");
	if (!file) {
		reason_say_errno(why, errno, "%s", path);
		return NULL;
	}
	json_t *runs = required(json_array());
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
		bad = !run || !is_readable(run, path, number, why);
		if (!run)
			reason_say(why, "%s:%u: %s", path, number, error.text);
		if (bad)
			json_decref(run);
		else
			json_array_append_new(runs, run);
	}
	free(line);
	fclose(file);
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
