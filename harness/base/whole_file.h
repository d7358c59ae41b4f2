/* SPDX-License-Identifier: MIT */
/*
 * A file that is whole or not there. It is written under another name beside its place, and takes
 * the place of an older file when all of it is on the device.
 */
#ifndef IOLAB_WHOLE_FILE_H
#define IOLAB_WHOLE_FILE_H

#include <jansson.h>
#include <limits.h>
#include <stdio.h>

#include "reason.h"

struct whole_file {
	FILE *stream; /* to be written to */
	char path[PATH_MAX];
	char unfinished[PATH_MAX]; /* its name until then, which nobody else has */
};

/*
 * Begins the file. The new name follows no link and is no file that is there already. Returns 0,
 * or -errno with `why`, -EINVAL when a device or a pipe is at its place; after 0 either of the next two
 * must follow.
 */
int whole_file_open(struct whole_file *file, const char *path, struct reason *why);

/*
 * Puts it into place; blocks until the device has it. Returns 0, or -errno with `why` when anything
 * was not written: then an older file stays as it was.
 */
int whole_file_finish(struct whole_file *file, struct reason *why);

/* Gives it up: an older file stays as it was. */
void whole_file_discard(struct whole_file *file);

/* All of that for a JSON document, indented. Returns 0, or -errno with `why`. */
int whole_file_write_json(const char *path, const json_t *document, struct reason *why);

#endif
