/* SPDX-License-Identifier: MIT */
/*
 * A process of its own that is asked for blocks by their keys, over connected sockets: a key of
 * eight bytes, a block in answer, on each connection one after another.
 */
#ifndef IOLAB_LOOKUP_SERVER_H
#define IOLAB_LOOKUP_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "reason.h"

/* A key that is never answered. */
#define LOOKUP_SILENT_KEY UINT64_MAX

struct lookup_server {
	int *connections; /* this side's ends, blocking */
	unsigned connection_count;
	pid_t pid; /* 0: none */
};

/* What the server answers, of `len_bytes`, a multiple of 8. */
void lookup_block(void *block, uint32_t len_bytes, uint64_t key);

/* Returns 0, or -errno with `why`; then nothing is left. The server ends with this process. */
int lookup_server_start(struct lookup_server *server, unsigned connection_count,
			uint32_t block_bytes, struct reason *why);

/* Closes the connections, with which the server ends, and waits for that. */
void lookup_server_stop(struct lookup_server *server);

#endif
