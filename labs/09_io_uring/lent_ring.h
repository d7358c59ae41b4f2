/* SPDX-License-Identifier: MIT */
/*
 * Buffers that io_uring lends to receives: a ring of their addresses, of which the kernel takes one when
 * bytes are there (Linux 5.19). To give one back is to write into that ring: it costs no system call.
 *
 * Linux 5.7 has an older form, IORING_OP_PROVIDE_BUFFERS. With it a receive keeps its buffer while it
 * waits, and each return is an operation. Therefore it is not used.
 */
#ifndef IOLAB_LENT_RING_H
#define IOLAB_LENT_RING_H

#include <liburing.h>

#include "io_engine.h"

struct lent_ring {
	struct io_uring_buf_ring *ring; /* NULL: nothing to lend */
	unsigned entries; /* a power of two, at least `count` */
	char *block; /* the buffers */
	unsigned count;
	uint32_t len_bytes; /* of each */
};

/*
 * Makes the buffers that `config` asks for, and registers them with `uring`. Returns 0, or -errno with
 * `why`. Then it has to be closed, too.
 */
int lent_ring_open(struct lent_ring *lent, struct io_uring *uring,
		   const struct engine_config *config, struct reason *why);
/* After the ring of io_uring is gone. Right for one that is all 0, as well. */
void lent_ring_close(struct lent_ring *lent);

/* `buf` as it was lent, once. */
void lent_ring_give_back(struct lent_ring *lent, void *buf);

/* Makes a prepared receive ask for a buffer. */
void lent_ring_prepare(struct io_uring_sqe *sqe);

/* Such a receive has ended with a buffer, which goes back at once when nothing came. */
void lent_ring_finish(struct lent_ring *lent, struct io_op *op, const struct io_uring_cqe *cqe);

#endif
