/* SPDX-License-Identifier: MIT */
/* What the workloads with a server have in common: where it listens, and where its peer runs. */
#ifndef IOLAB_SERVER_SOCKET_H
#define IOLAB_SERVER_SOCKET_H

#include <jansson.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "reason.h"

enum transport { TRANSPORT_TCP, TRANSPORT_UNIX };

/* Their words, ended by NULL. */
extern const char *const transport_names[];

/*
 * A blocking socket that listens, on a port or name that the kernel chooses: `address` becomes that.
 * Returns the descriptor, or -errno with `why`.
 */
int listen_anywhere(enum transport transport, struct sockaddr_storage *address,
		    socklen_t *address_len, struct reason *why);

/*
 * The CPU for the peer of a server on `server_cpus`: the last one that is not the server's. When
 * there is none `*shared` becomes true, and they share.
 */
cpu_set_t choose_peer_cpu(const cpu_set_t *server_cpus, bool *shared);

/* Adds to `warnings` what a reader must know of the peer: see describe() in workload.h. */
void peer_remarks(bool shares_cpu, const json_t *metrics, json_t *warnings);

#endif
