/* SPDX-License-Identifier: MIT */
/*
 * A results folder is damaged in every place, one at a time: each key of each run is deleted, each
 * value replaced by ones that are none. Such a folder is refused, with a reason that names the file;
 * or its summary satisfies our own schema, and can be printed and exported. Built with sanitizers
 * this finds what is read without a look.
 *
 * The runs are fixtures/whole_runs.jsonl: a file run, an echo run in an open loop, one that is
 * unsupported and an imported one, as `iolab run --json` and `iolab import` write them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_put.h"
#include "fuzz/folder_verdict.h"
#include "summary/summary.h"
#include "tap.h"

#define RUNS_MAX 8

/* What stands in for a value; the first, NULL, deletes its key. */
static const char *const replacements[] = { NULL,	    "null",	 "\"=\\u001b[31mtext\"",
					    "-1",	    "0",	 "1e308",
					    "1e-300",	    "true",	 "[null]",
					    "{\"a\":null}", "4294967295" };
#define REPLACEMENTS (sizeof replacements / sizeof *replacements)

struct damage_test {
	char folder[64];
	json_t *runs[RUNS_MAX];
	unsigned run_count;
	json_t *damaged; /* one of them; NULL: none, or the summary */
	FILE *nowhere;
	char where[200]; /* the place that is damaged */
	unsigned damages, accepted, wrong;
};

/* All of them, or the one that is damaged now. */
static void write_runs(const struct damage_test *t)
{
	char path[96];
	snprintf(path, sizeof path, "%s/runs.jsonl", t->folder);
	FILE *file = fopen(path, "we");
	for (unsigned i = 0; i < t->run_count; i++) {
		if (t->damaged && t->damaged != t->runs[i])
			continue;
		json_dumpf(t->runs[i], file, JSON_COMPACT);
		fputc('\n', file);
	}
	fclose(file);
}

static void complain(struct damage_test *t, const char *what)
{
	if (t->wrong++ < 20)
		printf("# %s: %s\n", t->where, what);
}

/* Of the folder as it is now: is it refused, or is its summary as it should be? */
static void judge(struct damage_test *t)
{
	struct reason why = { "" };
	enum folder_verdict verdict = folder_verdict(t->folder, &why);
	t->damages++;
	t->accepted += verdict == FOLDER_ACCEPTED;
	if (verdict == FOLDER_WRONG)
		complain(t, why.text);
}

static void damage_all(struct damage_test *t, json_t *value, size_t where_length);

/* Puts each replacement in the place of `old`, which set() writes back in the end. */
static void damage_value(struct damage_test *t, json_t *container, const char *key, size_t index,
			 size_t where_length)
{
	json_t *old = key ? json_object_get(container, key) : json_array_get(container, index);
	size_t length = where_length;
	if (key)
		length += (size_t)snprintf(t->where + length, sizeof t->where - length, ".%s", key);
	else
		length += (size_t)snprintf(t->where + length, sizeof t->where - length, ".%zu",
					   index);
	json_incref(old);
	for (unsigned i = 0; i < REPLACEMENTS; i++) {
		const char *text = replacements[i];
		json_t *other = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
		snprintf(t->where + length, sizeof t->where - length, ": %s", text ? text : "none");
		if (!other && !key)
			continue;
		if (other && key)
			json_object_set_new(container, key, other);
		else if (other)
			json_array_set_new(container, index, other);
		else
			json_object_del(container, key);
		write_runs(t);
		judge(t);
	}
	if (key)
		json_object_set(container, key, old);
	else
		json_array_set(container, index, old);
	t->where[length] = '\0';
	damage_all(t, old, length);
	json_decref(old);
	t->where[where_length] = '\0';
}

/* Each key of an object; of a list the first entry, which stands for all. */
static void damage_all(struct damage_test *t, json_t *value, size_t where_length)
{
	if (json_is_array(value) && json_array_size(value) > 0)
		damage_value(t, value, NULL, 0, where_length);
	if (!json_is_object(value))
		return;
	/* A list of the keys first: the object changes. */
	json_t *keys = required(json_array()), *inner, *name;
	const char *key;
	size_t i;
	json_object_foreach (value, key, inner)
		json_array_append_new(keys, json_string(key));
	json_array_foreach (keys, i, name)
		damage_value(t, value, json_string_value(name), 0, where_length);
	json_decref(keys);
}

static void read_fixture(struct damage_test *t, const char *path)
{
	char *line = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "re");
	if (!file) {
		perror(path);
		exit(1);
	}
	while (t->run_count < RUNS_MAX && getline(&line, &size, file) > 0)
		t->runs[t->run_count++] = required(json_loads(line, 0, NULL));
	free(line);
	fclose(file);
}

/* What summary.json keeps is read as well. */
static void damage_summary(struct damage_test *t)
{
	static const char *const kept[] = { "command",	    "rounds_planned", "seed",
					    "interrupted",  "baseline",	      "precision",
					    "idle_baseline" };
	struct reason why;
	char path[96];
	snprintf(path, sizeof path, "%s/summary.json", t->folder);
	write_runs(t);
	json_t *whole =
		required(summary_recompute(t->folder, NULL, (struct comparison) { 0 }, &why));
	for (unsigned k = 0; k < sizeof kept / sizeof *kept; k++) {
		for (unsigned i = 0; i < REPLACEMENTS; i++) {
			json_t *copy = json_deep_copy(whole);
			const char *text = replacements[i];
			snprintf(t->where, sizeof t->where, "summary.json: %s: %s", kept[k],
				 text ? text : "none");
			if (text)
				json_object_set_new(copy, kept[k],
						    json_loads(text, JSON_DECODE_ANY, NULL));
			else
				json_object_del(copy, kept[k]);
			json_dump_file(copy, path, 0);
			judge(t);
			json_decref(copy);
		}
	}
	json_decref(whole);
	unlink(path);
}

int main(int argc, char **argv)
{
	struct tap tap = { 0 };
	struct damage_test t = { .nowhere = fopen("/dev/null", "we") };
	const char *folder = getenv("TMPDIR");
	snprintf(t.folder, sizeof t.folder, "%.40s/damages-XXXXXX", folder ? folder : "/tmp");
	if (!mkdtemp(t.folder)) {
		perror(t.folder);
		return 1;
	}
	stderr = t.nowhere; /* the exports tell there what they leave out; sanitizers do not ask */
	read_fixture(&t, argc > 1 ? argv[1] : "harness/tests/fixtures/whole_runs.jsonl");
	snprintf(t.where, sizeof t.where, "whole");
	write_runs(&t);
	judge(&t);
	tap_check(&tap, t.accepted == 1 && t.wrong == 0, "whole runs are accepted");
	for (unsigned i = 0; i < t.run_count; i++) {
		int length = snprintf(t.where, sizeof t.where, "run %u", i);
		t.damaged = t.runs[i];
		damage_all(&t, t.runs[i], (size_t)length);
	}
	t.damaged = NULL;
	damage_summary(&t);
	tap_check(&tap, t.wrong == 0, "%u damages: %u accepted, %u answered wrongly", t.damages,
		  t.accepted, t.wrong);
	tap_check(&tap, t.damages > 2000 && t.accepted < t.damages / 2, "most damages are refused");
	write_runs(&t);
	char path[96];
	snprintf(path, sizeof path, "%s/runs.jsonl", t.folder);
	unlink(path);
	rmdir(t.folder);
	for (unsigned i = 0; i < t.run_count; i++)
		json_decref(t.runs[i]);
	fclose(t.nowhere);
	return tap_end(&tap);
}
