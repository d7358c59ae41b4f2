/* SPDX-License-Identifier: MIT */
/*
 * What an event loop is asked to do beside others: timers, echo, and waiting on idle connections.
 * One file a loop; each in the settings that its own documentation calls the fastest for this.
 * A failure inside ends the program.
 */
#ifndef IOLAB_LOOP_BENCH_H
#define IOLAB_LOOP_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#define NO_OPS_IN_FLIGHT 32

struct timer_task {
	unsigned count;
	const uint32_t *delays_ms;
	const uint32_t *stop_order; /* each number below count, once */
};

struct loop_bench {
	const char *name;

	/* Makes the loop; not measured. `engine` is what it runs over, NULL for its own choice. */
	void (*open)(const char *engine, unsigned timers, unsigned conns, uint32_t message_bytes);

	/* Starts all timers, and stops all of them. */
	void (*start_and_stop)(const struct timer_task *task);

	/* Starts all timers, and returns when the last one has been called. */
	void (*expire)(const struct timer_task *task);

	/* Has `count` no-ops done, some always in flight. NULL where a loop has no operations. */
	void (*no_ops)(unsigned count);

	/* Accepts and echoes for ever. The listener is non-blocking. */
	void (*echo)(int listener_fd);

	/* Begins to receive on all of them; returns at once. Non-blocking stream sockets. */
	void (*wait_on)(const int *fds, unsigned count);

	/* Has each connection that waits a buffer of its own for what may come? NULL: none has. */
	bool (*idle_holds_a_buffer)(void);
};

/* The one that this program has. */
extern const struct loop_bench loop_bench;

#endif
