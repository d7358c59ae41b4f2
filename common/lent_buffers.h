/* SPDX-License-Identifier: MIT */
/*
 * Buffers that an engine lends to receives, for an engine that makes recv(2) once the kernel has called a
 * socket ready: no earlier does the receive need a buffer.
 */
#ifndef IOLAB_LENT_BUFFERS_H
#define IOLAB_LENT_BUFFERS_H

#include "io_engine.h"
#include "op_syscall.h"

/* All of one length, in one block. The last that was given back is lent first: the CPU knows it still. */
struct lent_buffers {
	char *block;
	uint32_t len_bytes; /* of each */
	unsigned count;
	unsigned free_count;
	void **free; /* [free_count] */
};

/* As `config` asks for. Returns false where memory is short. Then close what is there, too. */
bool lent_buffers_open(struct lent_buffers *lent, const struct engine_config *config);
/* Right for one that is all 0, as well. */
void lent_buffers_close(struct lent_buffers *lent);

/* `buf` as it was lent, once. */
void lent_buffers_give_back(struct lent_buffers *lent, void *buf);

/* A RECV that asks to be lent a buffer. Returns as op_try_when_ready(), and -ENOBUFS where none is free. */
int64_t lent_buffers_receive(struct lent_buffers *lent, struct io_op *op);

/* op_try_when_ready() for an engine that lends. */
static inline int64_t op_try_when_ready_or_lend(struct io_op *op, struct lent_buffers *lent)
{
	bool asks_for_a_buffer = !op->buf && op->kind == IO_RECV;
	return asks_for_a_buffer ? lent_buffers_receive(lent, op) : op_try_when_ready(op);
}

#endif
