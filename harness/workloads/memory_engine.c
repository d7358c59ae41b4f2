/* SPDX-License-Identifier: MIT */
#include "workloads/memory_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct memory_source served;

struct engine {
	struct memory_source source;
	unsigned depth;
	unsigned first, count; /* of what is done: a ring */
	uint64_t *keys; /* asked for last, by fd_slot */
	struct io_op *done[];
};

void memory_engine_serve(const struct memory_source *source)
{
	served = *source;
}

static int memory_supports(const struct engine_config *config, enum io_kind kind,
			   enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	bool of_file = (kind == IO_READ || kind == IO_WRITE) && fd_kind == IO_FD_FILE;
	bool of_socket = (kind == IO_SEND || kind == IO_RECV) && fd_kind == IO_FD_SOCKET;
	if (of_file || of_socket || kind == IO_NOP)
		return 0;
	reason_set(why, "not_of_the_job", "memory has the job's four operations and no-ops only");
	return -EOPNOTSUPP;
}

static int memory_open(struct engine **opened, const struct engine_config *config,
		       struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e + config->depth * sizeof(struct io_op *));
	uint64_t *keys = calloc(config->max_fds, sizeof *keys);
	if (!e || !keys) {
		free(keys);
		free(e);
		return reason_no_memory(why, "the engine");
	}
	e->source = served;
	e->depth = config->depth;
	e->keys = keys;
	*opened = e;
	return 0;
}

static void perform(struct engine *e, struct io_op *op)
{
	const struct memory_source *s = &e->source;
	op->result = op->len_bytes;
	switch ((enum io_kind)op->kind) {
	case IO_NOP:
		op->result = 0;
		break;
	case IO_READ:
		memcpy(op->buf, (const char *)s->file + op->offset, op->len_bytes);
		break;
	case IO_WRITE:
		memcpy((char *)s->result + op->offset, op->buf, op->len_bytes);
		break;
	case IO_SEND:
		memcpy(&e->keys[op->fd_slot], op->buf, sizeof(uint64_t));
		break;
	default:
		memcpy(op->buf, (const char *)s->answers + e->keys[op->fd_slot] * s->block_bytes,
		       op->len_bytes);
	}
}

static int memory_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned place = e->first + e->count++;
		perform(e, ops[i]);
		e->done[place < e->depth ? place : place - e->depth] = ops[i];
	}
	return (int)count;
}

static int memory_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		       int64_t timeout_ns)
{
	unsigned count = e->count < max ? e->count : max;
	(void)min; /* all is done already */
	(void)timeout_ns;
	for (unsigned i = 0; i < count; i++) {
		done[i] = e->done[e->first];
		e->first = e->first + 1 < e->depth ? e->first + 1 : 0;
	}
	e->count -= count;
	return (int)count;
}

static void memory_cancel(struct engine *e)
{
	(void)e; /* nothing waits */
}

static void memory_close(struct engine *e)
{
	free(e->keys);
	free(e);
}

const struct engine_ops memory_engine = {
	.name = "memory",
	.summary = "copies within memory, and no kernel",
	.lab = "",
	.supports = memory_supports,
	.open = memory_open,
	.submit = memory_submit,
	.reap = memory_reap,
	.cancel = memory_cancel,
	.close = memory_close,
};
