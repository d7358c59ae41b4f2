/* SPDX-License-Identifier: MIT */
/* What the files of the engine uring_tuned share. engine.c says what the engine does. */
#ifndef IOLAB_TUNED_H
#define IOLAB_TUNED_H

#include <liburing.h>
#include <stdbool.h>

#include "io_engine.h"
#include "op_queue.h"

enum tuned_option {
	FIXED_FILES = 1 << 0,
	FIXED_BUFFERS = 1 << 1,
};

struct engine {
	struct io_uring ring;
	bool has_ring;
	uint64_t options; /* enum tuned_option */
	unsigned depth;
	struct io_op **held; /* [slot]: the last accepted there that nobody called back */
	unsigned calls_back; /* completions of cancels that are still to come */
	bool *unasked; /* [slot]: to be called back, and the ring had no room for that yet */
	unsigned unasked_count;
	struct op_queue finished; /* over, and not by the completion that is looked at */
};

/* engine_setup.c */

/* Makes a ring for `depth` operations. Returns 0, or -errno with `why`. */
int tuned_ring_open(struct io_uring *ring, unsigned depth, uint64_t options, struct reason *why);
/* Registers with the ring what `config` and the options say. Returns 0, or -errno with `why`. */
int tuned_register(struct engine *e, const struct engine_config *config, struct reason *why);

/* engine.c */

/*
 * A free SQE, also when the submission ring is full. NULL when the kernel takes nothing. Whoever takes one
 * must fill it: what is in it will be handed over.
 */
struct io_uring_sqe *tuned_take_sqe(struct engine *e);

/* engine_wait.c */

/*
 * The one system call of a batch: hands over all SQEs, and waits for `min` completions. Returns 0 or
 * -errno. "Nothing yet" is no error.
 */
int tuned_enter(struct engine *e, unsigned min, int64_t timeout_ns);

#endif
