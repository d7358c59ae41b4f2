/* SPDX-License-Identifier: MIT */
/* fio's JSON, out of the file that holds it, and what fio said beside it. */
#ifndef IOLAB_FIO_TEXT_H
#define IOLAB_FIO_TEXT_H

#include <jansson.h>
#include <time.h>

#include "reason.h"

struct fio_text {
	json_t *document; /* all that fio wrote as JSON, with at least one job; a new reference */
	time_t written; /* when the file was last changed */
	int signal; /* "fio: terminating on signal 2" stands beside the JSON; 0: it does not */
};

/*
 * Reads UTF-8 and UTF-16, with a mark of the encoding or without. Lines of text may stand before the
 * JSON and behind it, and fio's result may be part of another document. Returns 0, or -errno with
 * `why`, one line that says what was found instead.
 */
int fio_text_read(const char *path, struct fio_text *found, struct reason *why);

#endif
