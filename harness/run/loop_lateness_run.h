/* SPDX-License-Identifier: MIT */
/*
 * One run of `iolab responsiveness --loop`: an event loop with timers and receives, while now and then
 * something is computed.
 */
#ifndef IOLAB_LOOP_LATENESS_RUN_H
#define IOLAB_LOOP_LATENESS_RUN_H

#include <jansson.h>
#include <stdint.h>

#include "io_engine.h"

/* There are so many timers, and so many receives outstanding; each is due every LOOP_WATCHED_BEAT_NS. */
#define LOOP_WATCHED	       32u
#define LOOP_WATCHED_BEAT_NS   (16 * NS_PER_MS)
#define LOOP_WATCHED_LATE_NS   (1 * NS_PER_MS) /* what is later than this counts as late */
#define LOOP_COMPUTING_PERIODS 5 /* computing begins once in so many times of its length */

enum computing_way {
	COMPUTING_NOTHING,
	COMPUTING_AT_ONCE, /* in one callback */
	COMPUTING_IN_PIECES, /* a deferred call does a piece, and defers itself again */
	COMPUTING_IN_A_THREAD, /* which wakes the loop when it has ended */
	COMPUTING_COUNT,
};

extern const char *const computing_names[COMPUTING_COUNT];

struct loop_lateness_task {
	const struct engine_ops *engine;
	uint64_t engine_options;
	enum computing_way computing;
	int64_t computing_ns; /* what one computation takes, undisturbed */
	uint64_t computing_loops, piece_loops; /* of compute.h: that, and a piece of it */
	double runtime_s;
};

/*
 * For child_work(); the argument is a struct loop_lateness_task. Answers "status" and "reason"; when
 * it went well, "timers" and "receives", each with "count", "p50", "p99" and "max" of how late their
 * callbacks were, in ns, and the share "late"; and "computations", with the mean "computed_in_ns"
 * from a computation's beginning to its end, 0 without one.
 */
json_t *loop_lateness_run(const void *task);

#endif
