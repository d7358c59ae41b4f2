/* SPDX-License-Identifier: MIT */
#include "base/json_folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/exit_status.h"

int json_to_folder(const json_t *document, const char *folder, const char *name, struct reason *why)
{
	char path[PATH_MAX], unfinished[PATH_MAX];
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return reason_errno(why, errno, "making the folder %s (see --out)", folder);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	snprintf(unfinished, sizeof unfinished, "%s/.%s.new", folder, name);
	FILE *file = fopen(unfinished, "we");
	if (!file)
		return reason_errno(why, errno, "%s (see --out)", unfinished);
	int failed = json_dumpf(document, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0;
	failed |= fputc('\n', file) == EOF;
	failed |= fclose(file) != 0;
	int error = errno;
	if (!failed && rename(unfinished, path) == 0)
		return 0;
	error = failed ? error : errno;
	unlink(unfinished);
	return reason_errno(why, error, "writing %s", path);
}

int json_deliver(const json_t *document, bool as_json, const char *folder, const char *name)
{
	struct reason why;
	if (as_json) {
		json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
		putchar('\n');
	}
	if (folder && json_to_folder(document, folder, name, &why) < 0) {
		fprintf(stderr, "iolab: %s\n", why.text);
		return EXIT_ERROR;
	}
	if (folder && !as_json)
		printf("\nWritten: %s/%s   Figures: make plots RESULTS=%s\n", folder, name, folder);
	if (fflush(stdout) == 0)
		return EXIT_OK;
	reason_errno(&why, errno, "writing the result");
	fprintf(stderr, "iolab: %s\n", why.text);
	return EXIT_ERROR;
}

json_t *command_json(int argc, char **argv)
{
	const char *name = strchr(argv[0], ' ');
	json_t *command = json_pack("[s, s]", "iolab", name ? name + 1 : argv[0]);
	for (int i = 1; i < argc; i++)
		json_array_append_new(command, json_string(argv[i]));
	return command;
}

const char *time_utc(char text[32])
{
	time_t now = time(NULL);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	return text;
}
