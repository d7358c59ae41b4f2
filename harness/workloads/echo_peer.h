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
#include <sys/types.h>

#include "histogram.h"
#include "reason.h"
#include "workloads/schedule.h"

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
 * PEER_STOP: it sends no new message, waits for the echoes that are owed, closes each connection
 * that is owed none, and exits. PEER_LEAVE: it closes all of them and exits.
 */
enum peer_phase { PEER_WARM_UP, PEER_WINDOW, PEER_DONE, PEER_STOP, PEER_LEAVE };

/* Nothing came for that long although echoes are owed: then the peer gives up, and names them. */
#define PEER_PATIENCE_S 4

/* What both processes see. Written by the peer, but for `phase`. */
struct peer_shared {
	enum peer_phase phase; /* atomically; the parent's */
	int failed; /* `failure` says why */
	struct reason failure;
	struct histogram
		round_trips; /* completed within the window, without the slow clients'; open
				loop: and how long the unanswered had waited at its end */
	struct histogram uncorrected; /* open loop: of the same messages, since they were sent */
	struct schedule schedule; /* open loop; begun_ns (atomically) is 0 until it begins */
	uint64_t answered; /* atomically; messages whose echo has come, since the beginning */
};

struct echo_peer {
	pid_t pid;
	int control_fd; /* an eventfd: the first write starts the peer, the second stops it */
	bool started;
	struct peer_shared *shared;
};

/*
 * Forks the peer, to run on `cpus` only. It connects load->conns sockets to `address` and then
 * waits for echo_peer_go(). It dies with this process. Returns 0, or -errno with `why`.
 */
int echo_peer_start(struct echo_peer *peer, const struct echo_load *load,
		    const struct sockaddr *address, socklen_t address_len, const cpu_set_t *cpus,
		    struct reason *why);

/* Lets the peer begin to send. Does not block. */
void echo_peer_go(struct echo_peer *peer);

/* What it should do from now on. */
void echo_peer_set_phase(struct echo_peer *peer, enum peer_phase phase);

/*
 * Open loop: how many messages have been due by now, and how many of them have no echo yet. Both
 * since the beginning.
 */
uint64_t echo_peer_due(const struct echo_peer *peer, uint64_t *unfinished);

/* Has it died already, or found something wrong? 0, or -errno with `why`. Does not block. */
int echo_peer_check(struct echo_peer *peer, struct reason *why);

/*
 * Waits for the peer to exit after PEER_STOP, a second longer than its patience at most. Returns 0
 * when every message that was sent came back, and was right; or -errno with `why`.
 */
int echo_peer_finish(struct echo_peer *peer, struct reason *why);

/* Kills the peer if it still runs, and frees what is shared. */
void echo_peer_close(struct echo_peer *peer);

#endif
