/* SPDX-License-Identifier: MIT */
/* `iolab export`: a results folder for the tools that people have. */
#include "exchange/export.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "base/whole_file.h"
#include "commands/commands.h"
#include "summary/runs_file.h"
#include "summary/summary.h"

struct format {
	const char *name;
	void (*write)(FILE *out, const json_t *runs, const json_t *summary);
};

static const struct format formats[] = {
	{ "fio", export_fio },
	{ "hyperfine", export_hyperfine },
	{ "csv", export_csv },
};

#define FORMAT_COUNT (sizeof formats / sizeof *formats)

struct export_options {
	const char *folder;
	const char *out; /* NULL: standard output */
	const struct format *format;
};

static int write_file(const struct export_options *o, const json_t *runs, const json_t *summary,
		      struct reason *why)
{
	struct whole_file file;
	int rc = whole_file_open(&file, o->out, why);
	if (rc < 0)
		return rc;
	o->format->write(file.stream, runs, summary);
	return whole_file_finish(&file, why);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct export_options *o = state->input;
	switch (key) {
	case 'f':
		for (unsigned i = 0; i < FORMAT_COUNT; i++)
			if (strcmp(arg, formats[i].name) == 0)
				o->format = &formats[i];
		if (!o->format)
			argp_error(state, "--format %s: must be fio, hyperfine or csv", arg);
		break;
	case 'o':
		o->out = arg;
		break;
	case ARGP_KEY_ARG:
		if (o->folder)
			argp_error(state, "'%s': one results folder at a time", arg);
		o->folder = arg;
		break;
	case ARGP_KEY_END:
		if (!o->folder)
			argp_error(state, "which results folder? For example results/latest");
		if (!o->format)
			argp_error(state, "in which format? --format fio, hyperfine or csv");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int command_export(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "format", 'f', "FORMAT", 0, "fio, hyperfine or csv", 0 },
		{ "out", 'o', "FILE", 0, "file to write (default: standard output)", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "FOLDER",
		.doc = "Writes a results folder in another program's format: fio's JSON (a job for "
		       "each run), hyperfine's JSON (the time of a million operations), or CSV (a "
		       "line for each run).",
	};
	struct export_options options = { 0 };
	struct reason why = { "" };
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	json_t *runs = runs_read(options.folder, &why);
	json_t *summary =
		runs ? summary_recompute(options.folder, NULL, (struct comparison) { 0 }, &why)
		     : NULL;
	int rc = summary ? 0 : -1;
	if (rc == 0 && options.out)
		rc = write_file(&options, runs, summary, &why);
	else if (rc == 0)
		options.format->write(stdout, runs, summary);
	if (rc < 0)
		fprintf(stderr, "iolab: %s\n", why.text);
	else if (options.out)
		printf("Written: %s\n", options.out);
	json_decref(summary);
	json_decref(runs);
	return rc < 0 ? EXIT_ERROR : EXIT_OK;
}
