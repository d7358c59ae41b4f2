/* SPDX-License-Identifier: MIT */
/* `iolab import` of a file with these bytes: what it makes of them, every reader must take. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json_put.h"
#include "exchange/fio_job.h"
#include "exchange/fio_text.h"
#include "folder_verdict.h"
#include "fuzz.h"

/* A file may have 100,000 jobs, which takes long and finds nothing more. */
#define JOBS_MOST 8

/* As commands/import.c gives it a place. Returns the line of the results folder, to be freed. */
static char *line_of(json_t *run, unsigned index)
{
	json_t *config = json_object_get(run, "config");
	put_int(config, "round", 0);
	put_int(config, "plan", index);
	return json_dumps(run, JSON_COMPACT | JSON_REAL_PRECISION(9));
}

/* The runs of all jobs, as the text of a runs.jsonl. */
static void put_runs(const char *path, const struct fio_text *found, FILE *lines)
{
	struct fio_output output = {
		.path = path,
		.document = found->document,
		.written = found->written,
		.signal = found->signal,
	};
	size_t jobs = json_array_size(json_object_get(found->document, "jobs"));
	for (unsigned i = 0; i < jobs && i < JOBS_MOST; i++) {
		struct reason why = { "" };
		json_t *run = fio_job_run(&output, i, &why);
		must(run || why.text[0], "a job that is refused has a reason");
		if (!run)
			continue;
		char *line = line_of(run, i);
		must(line != NULL, "a run can be written as JSON");
		fprintf(lines, "%s\n", line);
		free(line);
		json_decref(run);
	}
}

static void judge_runs(const char *text, size_t length)
{
	char folder[FOLDER_BYTES], path[FOLDER_BYTES + 16];
	struct reason why = { "" };
	make_folder(folder);
	snprintf(path, sizeof path, "%s/runs.jsonl", folder);
	write_bytes(path, text, length);
	enum folder_verdict verdict = folder_verdict(folder, &why);
	remove_folder(folder);
	must(verdict == FOLDER_ACCEPTED, why.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char path[40], *text = NULL;
	size_t text_length = 0;
	struct fio_text found;
	struct reason why = { "" };
	int fd = memfd_create("fio", MFD_CLOEXEC);
	must(fd >= 0 && write(fd, bytes, length) == (ssize_t)length, "there is memory for a file");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (fio_text_read(path, &found, &why) < 0) {
		must(why.text[0] != '\0', "a file that is refused has a reason");
	} else {
		FILE *lines = open_memstream(&text, &text_length);
		put_runs(path, &found, lines);
		fclose(lines);
		json_decref(found.document);
		if (text_length > 0)
			judge_runs(text, text_length);
		free(text);
	}
	close(fd);
	return 0;
}
