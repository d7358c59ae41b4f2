/* SPDX-License-Identifier: MIT */
/*
 * The process at the other end of a server: it is forked, waits to be let go, hears of phases, and
 * leaves its verdict and its measurements in memory that both see. What it does is another file's,
 * such as echo_peer.h.
 */
#ifndef IOLAB_PEER_PROCESS_H
#define IOLAB_PEER_PROCESS_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"
#include "reason.h"
#include "workloads/schedule.h"

/*
 * PEER_STOP: it begins nothing new, waits for what it is owed, closes its connections, and exits.
 * PEER_LEAVE: it closes all of them and exits.
 */
enum peer_phase { PEER_WARM_UP, PEER_WINDOW, PEER_DONE, PEER_STOP, PEER_LEAVE };

/* Nothing came for that long although something is owed: then the peer gives up, and names it. */
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

struct peer_process {
	pid_t pid;
	int control_fd; /* an eventfd: the first write starts the peer, the second stops it */
	bool started;
	struct peer_shared *shared;
};

/*
 * Forks the peer, to run on `cpus` only, where `live` is its whole life: it connects its sockets,
 * calls peer_await_go(), and ends with _exit(). It dies with this process. Returns 0, or -errno
 * with `why`.
 */
int peer_start(struct peer_process *peer,
	       void (*live)(struct peer_shared *shared, int control_fd, const void *context),
	       const void *context, const cpu_set_t *cpus, struct reason *why);

/* In the peer: sleeps until peer_go(). */
void peer_await_go(int control_fd);

/* In the peer: ends it; what is in `shared->failure` says why. */
void peer_end_failed(struct peer_shared *shared) __attribute__((noreturn));

/* In the peer: where the first failure goes; NULL after it. */
struct reason *peer_failure(struct peer_shared *shared);

/* Lets the peer begin. Does not block. */
void peer_go(struct peer_process *peer);

/* What it should do from now on. */
void peer_set_phase(struct peer_process *peer, enum peer_phase phase);

/* In the peer: what it should do now. */
static inline enum peer_phase peer_phase(const struct peer_shared *shared)
{
	return __atomic_load_n(&shared->phase, __ATOMIC_RELAXED);
}

/*
 * Open loop: how many messages have been due by now, and how many of them have no echo yet. Both
 * since the beginning.
 */
uint64_t peer_due(const struct peer_process *peer, uint64_t *unfinished);

/* Has it died already, or found something wrong? 0, or -errno with `why`. Does not block. */
int peer_check(struct peer_process *peer, struct reason *why);

/*
 * Waits for the peer to exit after PEER_STOP, a second longer than its patience at most. Returns 0
 * when everything that was sent came back, and was right; or -errno with `why`.
 */
int peer_finish(struct peer_process *peer, struct reason *why);

/* Kills the peer if it still runs, and frees what is shared. */
void peer_close(struct peer_process *peer);

#endif
