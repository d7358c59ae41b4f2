/* SPDX-License-Identifier: MIT */
#include "lent_buffers.h"

#include <assert.h>
#include <stdlib.h>

bool lent_buffers_open(struct lent_buffers *lent, const struct engine_config *config)
{
	lent->len_bytes = config->lent_len_bytes;
	lent->count = config->lent_count;
	if (lent->count == 0)
		return true;
	lent->block = malloc((size_t)lent->count * lent->len_bytes);
	lent->free = malloc(lent->count * sizeof *lent->free);
	if (!lent->block || !lent->free)
		return false;
	for (unsigned i = lent->count; i-- > 0;)
		lent->free[lent->free_count++] = lent->block + (size_t)i * lent->len_bytes;
	return true;
}

void lent_buffers_close(struct lent_buffers *lent)
{
	free(lent->block);
	free(lent->free);
}

void lent_buffers_give_back(struct lent_buffers *lent, void *buf)
{
	assert(lent->free_count < lent->count);
	assert((size_t)((char *)buf - lent->block) % lent->len_bytes == 0);
	lent->free[lent->free_count++] = buf;
}

int64_t lent_buffers_receive(struct lent_buffers *lent, struct io_op *op)
{
	if (lent->free_count == 0)
		return -ENOBUFS;
	assert(op->len_bytes >= 1 && op->len_bytes <= lent->len_bytes);
	op->buf = lent->free[lent->free_count - 1];
	int64_t result = op_try_when_ready(op);
	if (result > 0)
		lent->free_count--;
	else
		op->buf = NULL;
	return result;
}
