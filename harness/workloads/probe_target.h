/* SPDX-License-Identifier: MIT */
/*
 * Descriptors to try an interface on: a file that has data and no name, and a socket or pipe at
 * whose other end a process answers after a while.
 */
#ifndef IOLAB_PROBE_TARGET_H
#define IOLAB_PROBE_TARGET_H

#include <stdint.h>
#include <sys/types.h>

#include "io_engine.h"
#include "reason.h"

/*
 * A file of `size_bytes` in `folder`, written and synced, opened for reading and writing with these
 * further `flags`; it goes away with its last descriptor. Returns that, or -errno with `why`.
 */
int nameless_file(const char *folder, uint64_t size_bytes, int flags, struct reason *why);

/*
 * What came of an operation on such a target, where there is always something to move: 0; its
 * -errno; -EIO for a count that cannot be.
 */
int probe_error(const struct io_op *op);

struct answerer {
	int fd; /* to read from; a byte comes for each that was asked for */
	int far_fd, ask_fd;
	pid_t pid; /* 0: none */
};

enum answer_way {
	ANSWER_BY_PIPE,
	ANSWER_BY_UNIX_SOCKET,
	ANSWER_BY_TCP, /* on the loopback interface */
};

/* Returns 0, or -errno with `why`. */
int answerer_start(struct answerer *answerer, enum answer_way way, unsigned after_ms,
		   struct reason *why);

/* One byte comes through `fd` when the time is over. Returns 0 or -errno. */
int answerer_ask(struct answerer *answerer);

/* Ends the process; `fd` stays open. */
void answerer_stop(struct answerer *answerer);

#endif
