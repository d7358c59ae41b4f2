/* SPDX-License-Identifier: MIT */
/*
 * --verify of the file workload: what each block should hold, and whether it does.
 *
 * A read is compared as a whole, and its buffer is spoilt first, so that bytes which were not read
 * show. A write is read back as soon as it is over. A block is looked at once more before it is
 * written again, and all blocks are at the end: so a block that anything else changed is found, too.
 */
#ifndef IOLAB_BLOCK_CHECK_H
#define IOLAB_BLOCK_CHECK_H

#include <stdint.h>

#include "io_engine.h"

struct block_check {
	int fd; /* borrowed: what is looked at goes through no engine */
	uint32_t bs_bytes;
	uint64_t block_count;
	uint32_t *generation; /* [block]: how often it has been written */
	uint8_t *busy; /* [block]: an operation on it is in flight */
	void *found; /* a block that was read back */
	uint64_t finished_ops, proven_ops; /* reads and writes; of these: their effect was seen */
	uint64_t compared_blocks;
};

/*
 * Allocates what the check of a file of `block_count` blocks needs; all are of generation 0.
 * Returns 0, or -ENOMEM with `why`. block_check_close() must follow in both cases.
 */
int block_check_open(struct block_check *check, uint64_t block_count, uint32_t bs_bytes,
		     struct reason *why);

void block_check_close(struct block_check *check);

/* The first block from `block` on that no operation is in flight on; it counts as busy from now. */
uint64_t block_check_take(struct block_check *check, uint64_t block);

/*
 * To be called before a whole READ or WRITE of a block that was taken is offered. Fills the buffer
 * of a write, once the block was seen to hold what it should. Returns 0, or -errno with `why`.
 * Reads the file.
 */
int block_check_begin(struct block_check *check, struct io_op *op, struct reason *why);

/*
 * To be called when all of the block that begins `buffer` was moved. Returns 0, or -errno with
 * `why`: -EILSEQ when the block is not what it should be. Reads the file after a write.
 */
int block_check_end(struct block_check *check, const struct io_op *op, const void *buffer,
		    struct reason *why);

/* Reads all blocks. Returns 0, -EINTR when interrupt_requested(), or -errno with `why`. */
int block_check_all(struct block_check *check, struct reason *why);

#endif
