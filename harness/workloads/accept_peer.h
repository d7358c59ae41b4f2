/* SPDX-License-Identifier: MIT */
/*
 * The fixed client of the accept workload: a process of its own, the same for every engine.
 *
 * Each of its clients connects, sends one message, reads the whole echo, checks every byte, closes the
 * connection, and begins again. A visit counts from the clock reading before socket(2) to the one
 * after the recv(2) that completed the echo.
 *
 * A TCP client closes with a reset (SO_LINGER of 0). After an ordinary close the kernel would keep its
 * port for a minute (TIME_WAIT): within a second or two no port would be free, and each engine that
 * is measured would find more of them than the one before.
 */
#ifndef IOLAB_ACCEPT_PEER_H
#define IOLAB_ACCEPT_PEER_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "reason.h"
#include "workloads/peer_process.h"

/* What the peer does. */
struct accept_load {
	unsigned clients; /* each has one connection at most */
	uint32_t msg_size_bytes;
	uint64_t seed; /* of the messages' bytes */
	bool no_farewell; /* for somebody else's server, which waits for none: see peers/ */
};

/*
 * Starts the peer (peer_process.h), to run on `cpus` only. Told to stop, each client ends its visit.
 * Then comes the farewell: a last connection, which is closed without a message. Returns 0, or -errno
 * with `why`.
 */
int accept_peer_start(struct peer_process *peer, const struct accept_load *load,
		      const struct sockaddr *address, socklen_t address_len, const cpu_set_t *cpus,
		      struct reason *why);

#endif
