/* SPDX-License-Identifier: MIT */
/* iolab: compares the kernel's I/O interfaces on identical workloads. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "engines.h"
#include "meters/environment.h"
#include "reason.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "list", command_list, "list engines and workloads, and what each can do here" },
	{ "doctor", command_doctor,
	  "check what this machine can measure, and say what would help" },
	{ "run", command_run, "measure one workload through one interface" },
	{ "compare", command_compare, "compare engines in random order: table and results folder" },
	{ "summary", command_summary, "print the table of an existing results folder" },
	{ "diff", command_diff, "show what differs between two results folders" },
	{ "import", command_import, "add results of fio to a results folder, as runs" },
	{ "export", command_export,
	  "write a results folder as fio's or hyperfine's JSON, or as CSV" },
	{ "timeline", command_timeline, "trace every operation of a short run of each engine" },
	{ "overlap", command_overlap, "measure how much each engine overlaps computing and I/O" },
	{ "matrix", command_matrix,
	  "try what each interface really does with each kind of descriptor" },
	{ "responsiveness", command_responsiveness,
	  "measure how late a timer fires while I/O is in flight" },
	{ "operator", command_operator,
	  "measure a stream of records, each with a question in flight" },
	{ "upcall", command_upcall,
	  "trace single operations through the kernel: interrupt, wake-up" },
	{ "styles", command_styles,
	  "measure what callbacks, promises and await add to an operation" },
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_help(FILE *out)
{
	fputs("Usage: iolab COMMAND [OPTION...]\n"
	      "Compares the kernel's I/O interfaces on identical workloads.\n\n",
	      out);
	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].summary);
	fputs("\n`iolab COMMAND --help` shows a command's options.\n", out);
}

/*
 * 0, or the errno of a write to standard output that failed. A stream keeps only the fact that an
 * earlier write failed, so the cause is asked for by one more.
 */
static int output_error(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	if (errno == 0) {
		clearerr(stdout);
		putchar('\n');
		fflush(stdout);
	}
	return errno ? errno : EIO;
}

/* What was printed must have arrived, whoever printed it: a full disk, a closed pipe. */
static void check_output(int status, void *unused)
{
	(void)unused;
	int error = output_error();
	if (error == 0 || status == EXIT_ERROR) /* an error was told already */
		return;
	struct reason why;
	reason_say_errno(&why, error, "writing to standard output");
	fprintf(stderr, "iolab: %s\n", why.text);
	_exit(EXIT_ERROR);
}

int main(int argc, char **argv)
{
	on_exit(check_output, NULL);
	signal(SIGXFSZ,
	       SIG_IGN); /* a file that reaches RLIMIT_FSIZE is an error, no silent death */
	argp_err_exit_status = EXIT_USAGE; /* of all commands */
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0 || strcmp(name, "-h") == 0) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (strcmp(name, "--version") == 0) {
		printf("iolab %s\n", iolab_version());
		return EXIT_OK;
	}

	const char *names[COMMAND_COUNT];
	for (unsigned i = 0; i < COMMAND_COUNT; i++) {
		names[i] = commands[i].name;
		if (strcmp(name, names[i]) != 0)
			continue;
		/* argp prints argv[0] in its help and errors. */
		char program[32];
		snprintf(program, sizeof program, "iolab %s", name);
		argv[1] = program;
		return commands[i].run(argc - 1, argv + 1);
	}
	const char *nearest = nearest_word(name, names, COMMAND_COUNT);
	fprintf(stderr, "iolab: no command '%s'%s%s%s; see `iolab --help`\n", name,
		nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
	return EXIT_USAGE;
}
