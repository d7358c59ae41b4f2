/* SPDX-License-Identifier: MIT */
/*
 * The fixed client of the echo and idle workloads: a process of its own, the same for every engine.
 *
 * Each active connection sends a message, reads the whole echo, checks every byte, and sends the
 * next. A round trip counts from the clock reading before the first send() of the message to the
 * one after the recv() that completed its echo. The reading that ends one round trip begins the
 * next, so the clock is read once a message.
 *
 * In an open loop (--rate) messages are due on a schedule, on one connection after the other, and
 * are sent then, whether the echo of an earlier one has come or not. A round trip counts from the
 * moment at which the message was due; that from the first send() is recorded beside it.
 */
#ifndef IOLAB_ECHO_PEER_H
#define IOLAB_ECHO_PEER_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "reason.h"
#include "workloads/peer_process.h"

/* What the peer does. */
struct echo_load {
	unsigned conns;
	unsigned active; /* connections that talk; the others stay silent */
	uint32_t msg_size_bytes;
	unsigned slow_conns; /* of the active ones: pause between messages */
	double slow_pause_ms;
	unsigned rate_per_s; /* open loop; 0: closed */
	uint64_t seed; /* of the messages' bytes */
	bool trust_echo; /* compares no bytes: for somebody else's server, see peers/ */
};

/*
 * Starts the peer (peer_process.h), to run on `cpus` only. It connects load->conns sockets to
 * `address` and then waits for peer_go(). Returns 0, or -errno with `why`.
 */
int echo_peer_start(struct peer_process *peer, const struct echo_load *load,
		    const struct sockaddr *address, socklen_t address_len, const cpu_set_t *cpus,
		    struct reason *why);

#endif
