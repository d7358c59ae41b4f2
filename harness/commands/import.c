/* SPDX-License-Identifier: MIT */
/*
 * `iolab import`: results of fio as runs of a results folder, a new one or one that `compare` made.
 * Nothing is written before all that was named has been read.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_folder.h"
#include "base/json_path.h"
#include "commands/commands.h"
#include "exchange/fio_job.h"
#include "exchange/fio_text.h"
#include "exchange/places.h"
#include "exchange/short_name.h"
#include "metrics/documents.h"
#include "plan/rounds.h"
#include "run/result.h"
#include "summary/run_check.h"
#include "summary/runs_file.h"
#include "summary/summary.h"

struct import_options {
	char **files;
	unsigned file_count;
	const char *out;
	const char *cache;
	bool here;
};

/* As it will be when it is read back, so that it can be compared with what was. */
static json_t *as_written(json_t *run)
{
	char *text = json_dumps(run, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_t *written = text ? json_loads(text, 0, NULL) : NULL;
	free(text);
	json_decref(run);
	return written;
}

/* The run of one job at its place; NULL with `why`. */
static json_t *placed_run(const struct fio_output *output, unsigned index, struct places *places,
			  struct reason *why)
{
	struct reason misfit;
	json_t *run = fio_job_run(output, index, why);
	if (!run)
		return NULL;
	run = as_written(run);
	if (!run) {
		reason_say(why, "it cannot be written as JSON");
	} else if (places_has(places, run)) {
		reason_say(why, "it is in the folder already, or was named twice");
	} else {
		places_take(places, run);
		if (places->rounds > ROUNDS_MAX)
			reason_say(why, "there are more than %d rounds of its configuration",
				   ROUNDS_MAX);
		else if (!run_is_sound(run, &misfit))
			reason_say(why, "no run can be made of it: %s", misfit.text);
		else
			return run;
	}
	json_decref(run);
	return NULL;
}

/* Writes the line of a run for each job of a file to `lines`. */
static int add_file(const struct import_options *o, const char *path, struct places *places,
		    FILE *lines, struct reason *why)
{
	struct fio_output output = { .path = path, .cache = o->cache, .here = o->here };
	struct fio_text found;
	int rc = fio_text_read(path, &found, why);
	json_t *document = found.document;
	output.document = document;
	output.written = found.written;
	output.signal = found.signal;
	size_t jobs = json_array_size(json_object_get(document, "jobs"));
	for (unsigned i = 0; rc == 0 && i < jobs; i++) {
		struct reason cause = { "" };
		json_t *run = placed_run(&output, i, places, &cause);
		if (!run) {
			const json_t *job = json_array_get(json_object_get(document, "jobs"), i);
			char name[61];
			short_name(string_at(job, "jobname"), name, sizeof name);
			reason_say(why, "%s: job '%s': %s", path, name, cause.text);
			rc = -1;
			break;
		}
		json_dumpf(run, lines, JSON_COMPACT | JSON_REAL_PRECISION(9));
		fputc('\n', lines);
		json_decref(run);
	}
	json_decref(document);
	return rc;
}

/* What is in the folder already: an empty list for a new one; NULL with `why`. */
static json_t *runs_before(const char *folder, struct reason *why)
{
	char path[PATH_MAX];
	struct stat status;
	snprintf(path, sizeof path, "%s/runs.jsonl", folder);
	if (stat(path, &status) < 0)
		return json_array();
	/* What is appended to a torn line would be lost with it. */
	char last = '\n';
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && status.st_size > 0 && pread(fd, &last, 1, status.st_size - 1) == 1 &&
	    last != '\n')
		reason_say(why, "%s: its last line is torn; delete that line first", path);
	if (fd >= 0)
		close(fd);
	return last == '\n' ? runs_read(folder, why) : NULL;
}

/* Appends the lines, all or none. */
static int append(const char *folder, const char *lines, size_t length, struct reason *why)
{
	char path[PATH_MAX];
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return reason_say_errno(why, errno, "making the folder %s (see --out)", folder);
	snprintf(path, sizeof path, "%s/runs.jsonl", folder);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	struct stat before;
	if (fd < 0 || fstat(fd, &before) < 0)
		return reason_say_errno(why, errno, "%s (see --out)", path);
	int error = 0;
	for (size_t done = 0; done < length && !error;) {
		ssize_t n = write(fd, lines + done, length - done);
		if (n < 0)
			error = errno;
		else
			done += (size_t)n;
	}
	if (error && ftruncate(fd, before.st_size) < 0)
		error = errno;
	if (close(fd) < 0 && !error)
		error = errno;
	if (error && before.st_size == 0)
		unlink(path); /* it was not there before, and holds nothing */
	return error ? reason_say_errno(why, error, "writing %s", path) : 0;
}

/* Summary and table; an exit status. */
static int conclude_import(const struct import_options *o, json_t *command, unsigned rounds,
			   struct reason *why)
{
	struct comparison fresh = { .command = command, .rounds_planned = rounds };
	json_t *summary = summary_recompute(o->out, NULL, fresh, why);
	int status = EXIT_ERROR;
	if (!summary || summary_write(o->out, summary, why) < 0) {
		fprintf(stderr, "iolab: no summary: %s\n", why->text);
	} else {
		summary_print(stdout, summary);
		printf("\nResults: %s   Figures and report: make report RESULTS=%s\n", o->out,
		       o->out);
		status = json_integer_value(json_object_get(summary, "rounds_done")) > 0
				 ? EXIT_OK
				 : EXIT_ERROR;
	}
	json_decref(summary);
	return status;
}

enum { OPT_OUT = 0x100, OPT_CACHE, OPT_HERE };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct import_options *o = state->input;
	switch (key) {
	case OPT_OUT:
		o->out = arg;
		break;
	case OPT_CACHE:
		if (strcmp(arg, "warm") != 0 && strcmp(arg, "dropped") != 0)
			argp_error(state, "--cache %s: must be warm or dropped", arg);
		o->cache = arg;
		break;
	case OPT_HERE:
		o->here = true;
		break;
	case ARGP_KEY_ARGS:
		o->files = state->argv + state->next;
		o->file_count = (unsigned)(state->argc - state->next);
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which files? fio writes them with --output-format=json+");
		break;
	case ARGP_KEY_END:
		if (!o->out)
			argp_error(state, "into which results folder? Name it with --out");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int command_import(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "out", OPT_OUT, "FOLDER", 0, "results folder, new or existing", 0 },
		{ "cache", OPT_CACHE, "STATE", 0,
		  "state of the page cache when buffered jobs began: warm or dropped (default: unknown)",
		  0 },
		{ "here", OPT_HERE, NULL, 0,
		  "fio ran on this machine as it is now: record its environment", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "FILE...",
		.doc = "Adds fio's results (--output-format=json or json+) to a results folder, one run "
		       "for each job, so that table and figures show them."
		       "\vJobs with the same configuration become its rounds, in the order of the "
		       "files and of the jobs in them. They did not take turns with iolab's runs, so "
		       "there are no ratios between the two.",
	};
	struct import_options options = { 0 };
	struct reason why = { "" };
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	char *text = NULL;
	size_t length = 0;
	FILE *lines = open_memstream(&text, &length);
	json_t *runs = runs_before(options.out, &why);
	struct places places = places_of(runs);
	int rc = runs ? 0 : -1;
	for (unsigned i = 0; rc == 0 && i < options.file_count; i++)
		rc = add_file(&options, options.files[i], &places, lines, &why);
	if (fclose(lines) != 0 && rc == 0)
		rc = reason_say_errno(&why, errno, "putting the runs together");
	if (rc == 0)
		rc = append(options.out, text, length, &why);
	int status = EXIT_ERROR;
	if (rc < 0) {
		fprintf(stderr, "iolab: %s\n", why.text);
	} else {
		json_t *command = command_json(argc, argv);
		status = conclude_import(&options, command, (unsigned)places.rounds, &why);
		json_decref(command);
	}
	places_free(&places);
	json_decref(runs);
	free(text);
	return status;
}
