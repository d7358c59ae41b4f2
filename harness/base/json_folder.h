/* SPDX-License-Identifier: MIT */
/* A document of a results folder. */
#ifndef IOLAB_JSON_FOLDER_H
#define IOLAB_JSON_FOLDER_H

#include <jansson.h>
#include <stdbool.h>

#include "reason.h"

/*
 * Makes the folder if it is not there and puts `document` into it as `name`, in the place of an
 * older one. A file is whole or not there. Returns 0, or -errno with `why`.
 */
int json_to_folder(const json_t *document, const char *folder, const char *name,
		   struct reason *why);

/*
 * What a command that makes such a document does with it: one line of JSON to stdout (`as_json`),
 * and the file `name` in `folder` unless that is NULL. Returns an exit status.
 */
int json_deliver(const json_t *document, bool as_json, const char *folder, const char *name);

/* The command as it was typed, from argp's argv ("iolab timeline", ...). A new reference. */
json_t *command_json(int argc, char **argv);

/* Now, in ISO 8601. */
const char *time_utc(char text[32]);

#endif
