/* SPDX-License-Identifier: MIT */
#include "base/json_folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/exit_status.h"
#include "base/json_put.h"
#include "base/whole_file.h"

int json_to_folder(const json_t *document, const char *folder, const char *name, struct reason *why)
{
	char path[PATH_MAX];
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return reason_say_errno(why, errno, "making the folder %s (see --out)", folder);
	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
		return reason_say_errno(why, ENAMETOOLONG, "%s/%s", folder, name);
	return whole_file_write_json(path, document, why);
}

int json_deliver(const json_t *document, bool as_json, const char *folder, const char *name)
{
	struct reason why;
	/* errno says why a long document stopped halfway; the flush at the end may succeed again. */
	bool printed = !as_json ||
		       (json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
			putchar('\n') != EOF);
	int error = errno;
	if (folder && json_to_folder(document, folder, name, &why) < 0) {
		fprintf(stderr, "iolab: %s\n", why.text);
		return EXIT_ERROR;
	}
	if (folder && !as_json)
		printf("\nWritten: %s/%s   Figures: make plots RESULTS=%s\n", folder, name, folder);
	if (printed && fflush(stdout) == 0)
		return EXIT_OK;
	reason_say_errno(&why, printed ? errno : error, "writing the result");
	fprintf(stderr, "iolab: %s\n", why.text);
	return EXIT_ERROR;
}

json_t *command_json(int argc, char **argv)
{
	const char *name = strchr(argv[0], ' ');
	json_t *command = required(json_array());
	json_array_append_new(command, json_string("iolab"));
	json_array_append_new(command, json_string(name ? name + 1 : argv[0]));
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
