/* SPDX-License-Identifier: MIT */
/* A results folder that is being filled: each result is a line of its runs.jsonl. */
#ifndef IOLAB_RESULTS_FOLDER_H
#define IOLAB_RESULTS_FOLDER_H

#include <limits.h>
#include <stdbool.h>

#include "reason.h"

struct results_folder {
	char path[PATH_MAX - 64];
	int runs_fd;
	bool made; /* it was not there before */
	bool dated; /* results/latest is to point to it */
};

/*
 * Makes the folder `out`, or for NULL a new one, results/<UTC time>, with a number behind it where
 * another began in the same second. An older runs.jsonl is never written to. Returns 0, or -errno
 * with `why`; close it in either case.
 */
int results_folder_create(struct results_folder *folder, const char *out, struct reason *why);

/*
 * Appends a line, without its newline, in one write: a killed program leaves whole lines. With the
 * first one, results/latest points to a folder in results/. Returns 0, or -errno with `why`; the
 * lines before are safe.
 */
int results_folder_append(struct results_folder *folder, const char *line, struct reason *why);

/* Waits until the device has all lines. Returns 0, or -errno with `why`. */
int results_folder_sync(const struct results_folder *folder, struct reason *why);

/* Closes it. A folder without a line leaves nothing behind but what was there before. */
void results_folder_close(struct results_folder *folder);

#endif
