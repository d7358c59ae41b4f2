/* SPDX-License-Identifier: MIT */
/* What the files of the engine uring_tuned share. engine.c says what the engine does. */
#ifndef IOLAB_TUNED_H
#define IOLAB_TUNED_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "io_engine.h"
#include "op_queue.h"

enum tuned_option {
	MULTISHOT = 1 << 0,
	BUNDLE = 1 << 1,
	INCREMENTAL = 1 << 2,
	MULTISHOT_ACCEPT = 1 << 3,
	SEND_ZC = 1 << 4,
	FIXED_FILES = 1 << 5,
	FIXED_BUFFERS = 1 << 6,
	REGISTERED_WAIT = 1 << 7,
	MIN_WAIT = 1 << 8,
	NO_SQARRAY = 1 << 9,
	IOPOLL = 1 << 10,
	HYBRID_IOPOLL = 1 << 11,
	ANY_IOPOLL = IOPOLL | HYBRID_IOPOLL,
};

/* What a ring needs beside itself, for some options. */
struct ring_extras {
	struct registered_wait *wait; /* registered_wait: a page of the kernel's and ours */
	uint32_t *array; /* no_sqarray: where an older library may write */
};

/* Of a buffer in the ring. */
struct buffer_state {
	uint16_t place; /* in the ring, when it was handed in last */
	uint16_t users; /* pieces that are not released, and the kernel while it writes there */
	uint32_t used_bytes; /* where the next piece begins */
};

/* Buffers that the kernel chooses from, engine_buffers.c. All 0 where there are none. */
struct buffers {
	struct io_uring_buf_ring *ring;
	unsigned entries; /* a power of two, at least `count` */
	unsigned count; /* buffers in the ring; their numbers begin at 0 */
	char *block;
	uint32_t len_bytes; /* of each */
	size_t stride_bytes; /* from one to the next */
	bool incremental; /* the kernel fills one after the other, a message behind the other */
	struct buffer_state *states; /* [number] */
	unsigned lent, lent_most;
	unsigned *
		reserve; /* those outside of the ring that are free; their numbers begin at `count` */
	unsigned reserve_count, reserve_free;
};

struct engine {
	struct io_uring ring;
	bool has_ring;
	struct ring_extras extras;
	uint64_t options; /* enum tuned_option */
	unsigned depth;
	unsigned in_flight; /* operations accepted that reap() has not returned */
	struct io_op **held; /* [slot]: the last accepted there that nobody called back */
	bool *unasked; /* [slot]: to be called back, and the ring had no room for that yet */
	unsigned unasked_count;
	struct op_queue finished; /* over, and not by the completion that is looked at */
	struct buffers buffers;
	unsigned without_call; /* reap() in a row that made none */
	unsigned armed; /* requests in the kernel that nobody asked for */
	struct receives *receives; /* NULL where none is made ahead */
	struct accepts *accepts; /* the same */
};

/*
 * What a completion belongs to: the lowest bits of its user data. An operation's is its address. That of a
 * request which nobody asked for is the fd_slot and its owner's generation.
 */
enum tuned_owner { OF_OPERATION, OF_RECEIVES, OF_WATCHES, OF_ACCEPTS, OF_NOBODY, OWNER_MASK = 7 };

static inline uint64_t tuned_name(enum tuned_owner owner, unsigned fd_slot, uint32_t generation)
{
	return (uint64_t)fd_slot << 32 | (uint32_t)(generation << 3) | owner;
}

static inline unsigned tuned_name_slot(uint64_t name)
{
	return (unsigned)(name >> 32);
}

/* engine.c */

/*
 * A free SQE, also when the submission ring is full. NULL when the kernel takes nothing. Whoever takes one
 * must fill it: what is in it will be handed over.
 */
struct io_uring_sqe *tuned_take_sqe(struct engine *e);
/* After the prep functions, which may clear the flags. */
void tuned_use_fixed_file(const struct engine *e, struct io_uring_sqe *sqe, unsigned fd_slot);
/* Takes all completions. What is over then is in `finished`. */
void tuned_drain(struct engine *e);

/*
 * Asks for a request back that nobody asked for, or, without a name, for all. Each is over when its last
 * completion is there. Returns false where the submission ring has no room.
 */
bool tuned_ask_back(struct engine *e, uint64_t name);
/* Waits for a completion and drains. Returns false when that fails for good. */
bool tuned_take_what_ended(struct engine *e);

/* engine_setup.c */

/* Returns 0, or -errno with `why`. */
int tuned_ring_open(struct io_uring *ring, struct ring_extras *extras,
		    const struct engine_config *config, struct reason *why);
void tuned_ring_close(struct io_uring *ring, struct ring_extras *extras);
/* Registers with the ring what `config` and the options say. Returns 0, or -errno with `why`. */
int tuned_register(struct engine *e, const struct engine_config *config, struct reason *why);

/* Can the kernel send from a page of each operation without a copy? Returns 0, or -errno with `why`. */
int tuned_page_for_each(unsigned depth, struct reason *why);

/* engine_polled.c: tries such a read on a ring that polls. Returns 0, or -errno with `why`. */
int polled_read_works(struct io_uring *ring, struct reason *why);

/* engine_wait.c */

/*
 * The one system call of a batch: hands over all SQEs, and waits for `min` completions. Returns 0 or
 * -errno. "Nothing yet" is no error.
 */
int tuned_enter(struct engine *e, unsigned min, int64_t timeout_ns);

/* engine_buffers.c */

#define BUFFER_GROUP 0 /* the only one */

/* Bytes in the buffer `number`. */
struct span {
	unsigned number;
	uint32_t from, len_bytes;
};

/* What a completion brought, from the buffer `number` on. */
struct arrival {
	unsigned number;
	uint32_t left_bytes; /* not yet taken */
	bool goes_on; /* the kernel goes on with the last buffer (incremental) */
};

/*
 * Makes the buffers that `config` asks for, and registers them. Returns 0, or -errno with `why`. Then they
 * have to be closed, too.
 */
int buffers_open(struct buffers *b, struct io_uring *uring, const struct engine_config *config,
		 struct reason *why);
/* After the ring of io_uring is gone. */
void buffers_close(struct buffers *b);

void *buffers_at(const struct buffers *b, unsigned number);
/* The next piece of what came. */
struct span buffers_next_span(struct buffers *b, struct arrival *arrival);
/* A completion named a buffer and brought nothing in it. */
void buffers_unused(struct buffers *b, uint32_t completion_flags);
/* A piece of that buffer is not needed any more. Without users it goes back to the kernel. */
void buffers_release(struct buffers *b, unsigned number);
/* There is one: fewer than lent_most are lent. */
void *buffers_reserve_take(struct buffers *b);
/* `buf` as it was lent, once. */
void buffers_give_back(struct buffers *b, void *buf);

/* engine_receives.c */

int receives_open(struct engine *e, const struct engine_config *config, struct reason *why);
void receives_free(struct engine *e);
/* Accepts a RECV. Returns false where the submission ring has no room. */
bool receives_start(struct engine *e, struct io_op *op);
/* A completion of a request that nobody asked for. Returns the operation that is over with it, or NULL. */
struct io_op *receives_complete(struct engine *e, const struct io_uring_cqe *cqe);
/* The poll for a peer's end says something. */
void receives_hung_up(struct engine *e, const struct io_uring_cqe *cqe);
/* A RECV that had a request of its own, for want of buffers, has a result. NULL when it goes on. */
struct io_op *receives_once_over(struct engine *e, struct io_op *op);
/* Returns false for an operation that does not wait here. */
bool receives_called_back(struct engine *e, struct io_op *op);
/* Nothing is received on that descriptor any more, and what is parked is gone. */
void receives_detach(struct engine *e, unsigned fd_slot);

/* engine_accepts.c: as engine_receives.c, for an ACCEPT */

int accepts_open(struct engine *e, const struct engine_config *config, struct reason *why);
void accepts_free(struct engine *e);
bool accepts_start(struct engine *e, struct io_op *op);
struct io_op *accepts_complete(struct engine *e, const struct io_uring_cqe *cqe);
bool accepts_called_back(struct engine *e, struct io_op *op);
void accepts_detach(struct engine *e, unsigned fd_slot);
/* Closes what is parked, once nothing is accepted any more. */
void accepts_end(struct engine *e);

#endif
