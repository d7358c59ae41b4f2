/* SPDX-License-Identifier: MIT */
/* What a command of iolab returns to the shell. */
#ifndef IOLAB_EXIT_STATUS_H
#define IOLAB_EXIT_STATUS_H

enum exit_status {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_UNSUPPORTED = 77, /* as Automake's and liburing's tests say "skipped" */
	EXIT_INTERRUPTED = 130,
};

#endif
