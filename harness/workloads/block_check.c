/* SPDX-License-Identifier: MIT */
#include "workloads/block_check.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "workloads/block_pattern.h"
#include "workloads/data_file.h"

#define SPOILT 0xa5 /* no block_fill() makes words of it */

#define ALIGNMENT_BYTES 4096u /* suits O_DIRECT on every device */

int block_check_open(struct block_check *check, uint64_t block_count, uint32_t bs_bytes,
		     struct reason *why)
{
	size_t found_bytes = (bs_bytes + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
	check->bs_bytes = bs_bytes;
	check->block_count = block_count;
	check->generation = calloc(block_count, sizeof *check->generation);
	check->busy = calloc(block_count, sizeof *check->busy);
	check->found = aligned_alloc(ALIGNMENT_BYTES, found_bytes);
	if (!check->generation || !check->busy || !check->found)
		return reason_no_memory(why, "the blocks of --verify");
	return 0;
}

void block_check_close(struct block_check *check)
{
	free(check->generation);
	free(check->busy);
	free(check->found);
}

uint64_t block_check_take(struct block_check *check, uint64_t block)
{
	while (check->busy[block])
		block = block + 1 < check->block_count ? block + 1 : 0;
	check->busy[block] = 1;
	return block;
}

/* Is the block that was found the one that should be there? `when` names the moment. */
static int compare_block(struct block_check *check, uint64_t block, const void *found,
			 const char *when, struct reason *why)
{
	uint64_t offset = block * check->bs_bytes;
	int64_t at = block_mismatch(found, check->bs_bytes, offset, check->generation[block]);
	check->compared_blocks++;
	if (at < 0)
		return 0;
	reason_set(why, "data_differs",
		   "verify, {when}: the block at offset {offset} differs at byte {byte} from its "
		   "generation {generation}",
		   reason_string("when", when), reason_int("offset", (int64_t)offset),
		   reason_int("byte", at), reason_int("generation", check->generation[block]));
	return -EILSEQ;
}

static int read_back(struct block_check *check, uint64_t block, const char *when,
		     struct reason *why)
{
	uint64_t offset = block * check->bs_bytes;
	ssize_t n = data_file_pread(check->fd, check->found, check->bs_bytes, offset);
	if (n < 0)
		return reason_errno(why, "block_not_read_back", errno,
				    "verify: reading back offset {offset}",
				    reason_int("offset", (int64_t)offset));
	if (n == (ssize_t)check->bs_bytes)
		return compare_block(check, block, check->found, when, why);
	reason_set(why, "block_missing",
		   "verify, {when}: the file ends within the block at offset {offset}: it was "
		   "truncated during the run, or a write is missing",
		   reason_string("when", when), reason_int("offset", (int64_t)offset));
	return -EILSEQ;
}

int block_check_begin(struct block_check *check, struct io_op *op, struct reason *why)
{
	uint64_t block = op->offset / check->bs_bytes;
	assert(check->busy[block]);
	if (op->kind != IO_WRITE) {
		memset(op->buf, SPOILT, op->len_bytes);
		return 0;
	}
	block_fill(op->buf, op->len_bytes, op->offset, check->generation[block] + 1);
	return read_back(check, block, "before writing again", why);
}

int block_check_end(struct block_check *check, const struct io_op *op, const void *buffer,
		    struct reason *why)
{
	/* What was moved last may be the rest of the block only. */
	uint64_t block = (op->offset + op->len_bytes) / check->bs_bytes - 1;
	assert(check->busy[block]);
	check->busy[block] = 0;
	check->finished_ops++;
	check->generation[block] += op->kind == IO_WRITE;
	int rc = op->kind == IO_WRITE ? read_back(check, block, "after writing", why)
				      : compare_block(check, block, buffer, "when reading", why);
	check->proven_ops += rc == 0;
	return rc;
}

int block_check_all(struct block_check *check, struct reason *why)
{
	int rc = 0;
	for (uint64_t block = 0; rc == 0 && block < check->block_count; block++) {
		if (interrupt_requested())
			return interrupt_reason(why);
		rc = read_back(check, block, "after the run", why);
	}
	return rc;
}
