/* SPDX-License-Identifier: MIT */
#include "lent_ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define GROUP 0 /* the only one */

/* The kernel's limit for one ring of buffers. */
#define ENTRIES_MAX 32768

static unsigned power_of_two_from(unsigned count)
{
	unsigned power = 1;
	while (power < count)
		power *= 2;
	return power;
}

static size_t ring_len_bytes(const struct lent_ring *lent)
{
	return lent->entries * sizeof(struct io_uring_buf);
}

static int register_ring(struct lent_ring *lent, struct io_uring *uring, struct reason *why)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)lent->ring,
		.ring_entries = lent->entries,
		.bgid = GROUP,
	};
	int rc = io_uring_register_buf_ring(uring, &registration, 0);
	if (rc == -EINVAL)
		return reason_errno(why, "kernel_too_old", rc, "{option} needs Linux {linux}",
				    reason_string("option", "lending buffers"),
				    reason_string("linux", "5.19"));
	return rc < 0 ? reason_errno(why, "register_buf_ring", rc,
				     "registering {buffers} buffers to lend",
				     reason_int("buffers", lent->count))
		      : 0;
}

static void add(struct lent_ring *lent, unsigned number, int offset)
{
	io_uring_buf_ring_add(lent->ring, lent->block + (size_t)number * lent->len_bytes,
			      lent->len_bytes, (unsigned short)number,
			      io_uring_buf_ring_mask(lent->entries), offset);
}

int lent_ring_open(struct lent_ring *lent, struct io_uring *uring,
		   const struct engine_config *config, struct reason *why)
{
	if (config->lent_count == 0)
		return 0;
	if (config->lent_count > ENTRIES_MAX)
		return reason_errno(
			why, "too_many_lent_buffers", E2BIG,
			"{buffers} buffers to lend, and the kernel takes {limit} at most",
			reason_int("buffers", config->lent_count),
			reason_int("limit", ENTRIES_MAX));
	lent->count = config->lent_count;
	lent->len_bytes = config->lent_len_bytes;
	lent->entries = power_of_two_from(lent->count);
	/* It begins a page, as the kernel demands. */
	void *ring = mmap(NULL, ring_len_bytes(lent), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	lent->ring = ring == MAP_FAILED ? NULL : ring;
	lent->block = malloc((size_t)lent->count * lent->len_bytes);
	if (!lent->ring || !lent->block)
		return reason_no_memory(why, "the buffers to lend");
	int rc = register_ring(lent, uring, why);
	if (rc < 0)
		return rc;
	io_uring_buf_ring_init(lent->ring);
	for (unsigned i = 0; i < lent->count; i++)
		add(lent, i, (int)i);
	io_uring_buf_ring_advance(lent->ring, (int)lent->count);
	return 0;
}

void lent_ring_close(struct lent_ring *lent)
{
	if (lent->ring)
		munmap(lent->ring, ring_len_bytes(lent));
	free(lent->block);
}

void lent_ring_give_back(struct lent_ring *lent, void *buf)
{
	size_t offset_bytes = (size_t)((char *)buf - lent->block);
	assert(offset_bytes % lent->len_bytes == 0 && offset_bytes / lent->len_bytes < lent->count);
	add(lent, (unsigned)(offset_bytes / lent->len_bytes), 0);
	io_uring_buf_ring_advance(lent->ring, 1);
}

/*
 * A receive that tries first takes a buffer for the try, and ends with -ENOBUFS where there is none, even
 * if no byte is there. So it waits first.
 */
void lent_ring_prepare(struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
}

void lent_ring_finish(struct lent_ring *lent, struct io_op *op, const struct io_uring_cqe *cqe)
{
	unsigned number = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	void *buf = lent->block + (size_t)number * lent->len_bytes;
	if (cqe->res > 0)
		op->buf = buf;
	else
		lent_ring_give_back(lent, buf);
}
