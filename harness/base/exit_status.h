/* SPDX-License-Identifier: MIT */
/* What a command of iolab returns to the shell. */
#ifndef IOLAB_EXIT_STATUS_H
#define IOLAB_EXIT_STATUS_H

#include <jansson.h>

enum exit_status {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_UNSUPPORTED = 77, /* as Automake's and liburing's tests say "skipped" */
	EXIT_INTERRUPTED = 130,
};

/*
 * What the "status" of all entries of a list come to: one that is ok is enough; EXIT_UNSUPPORTED
 * when every one of them is unsupported, and there is one.
 */
enum exit_status exit_status_of(const json_t *entries);

#endif
