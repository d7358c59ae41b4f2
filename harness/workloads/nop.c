/* SPDX-License-Identifier: MIT */
/* nop: operations that do nothing, to show what submission and completion cost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "workloads/workload.h"

struct nop_workload {
	struct workload base;
	struct io_op *ops; /* [depth] */
	struct io_op **idle; /* a stack */
	unsigned idle_count;
	uint64_t op_limit;
};

static void nop_needs(const struct run_config *config, struct workload_needs *needs)
{
	(void)config;
	workload_need(needs, IO_NOP, IO_FD_NONE);
}

static void nop_close(struct workload *workload)
{
	struct nop_workload *w = (struct nop_workload *)workload;
	if (w->base.arena)
		munmap(w->base.arena, w->base.arena_len_bytes);
	free(w->ops);
	free(w->idle);
	free(w);
}

static int nop_open(struct workload **workload, const struct run_config *config, struct reason *why)
{
	unsigned depth = config->depth;
	struct nop_workload *w = calloc(1, sizeof *w);
	if (!w)
		return reason_no_memory(why, "the nop workload");
	w->base.ops = config->workload;
	w->base.depth = depth;
	w->op_limit = config->op_limit;
	w->ops = aligned_alloc(64, depth * sizeof *w->ops);
	w->idle = malloc(depth * sizeof(struct io_op *));
	int rc = !w->ops || !w->idle ? reason_no_memory(why, "the nop workload")
				     : workload_arena_alloc(&w->base, 1, 1, why);
	if (rc < 0) {
		nop_close(&w->base);
		return rc;
	}
	memset(w->ops, 0, depth * sizeof *w->ops);
	for (unsigned slot = depth; slot-- > 0;) {
		w->ops[slot].kind = IO_NOP;
		w->ops[slot].fd = -1;
		w->ops[slot].slot = slot;
		w->idle[w->idle_count++] = &w->ops[slot];
	}
	w->base.first_op = w->ops;
	w->base.op_stride_bytes = sizeof *w->ops;
	*workload = &w->base;
	return 0;
}

static unsigned nop_fill(struct workload *workload, struct io_op **ops, unsigned max)
{
	struct nop_workload *w = (struct nop_workload *)workload;
	unsigned n = max < w->idle_count ? max : w->idle_count;
	if (w->base.stopping)
		return 0;
	if (n > w->base.due - w->base.begun)
		n = (unsigned)(w->base.due - w->base.begun);
	if (w->op_limit && n > w->op_limit - w->base.begun) {
		n = (unsigned)(w->op_limit - w->base.begun);
		w->base.exhausted = n == 0;
	}
	for (unsigned i = 0; i < n; i++)
		ops[i] = w->idle[--w->idle_count];
	workload_begin(&w->base, ops, n);
	return n;
}

static int nop_complete(struct workload *workload, struct io_op *const *ops, unsigned count,
			uint64_t now_ns)
{
	struct nop_workload *w = (struct nop_workload *)workload;
	int rc = 0;
	for (unsigned i = 0; i < count; i++) {
		if (ops[i]->result != 0)
			rc = reason_errno(&w->base.failure, "operation_failed", (int)ops[i]->result,
					  "{operation} at {place} {position}",
					  reason_string("operation", "no-op"),
					  reason_string("place", "slot"),
					  reason_int("position", ops[i]->slot));
		w->idle[w->idle_count++] = ops[i];
	}
	workload_record(&w->base, ops, count, now_ns);
	w->base.tally.ops += count;
	return rc;
}

static json_t *nop_words(const json_t *parameters)
{
	(void)parameters;
	return json_string("operations that do nothing: only the cost of the interface remains");
}

static const struct option_row nop_options[] = { DEPTH_OPTION, { 0 } };

static const struct workload_ops nop_workload = {
	.name = "nop",
	.summary = "no I/O at all: the cost of submitting and completing alone",
	.place = 4,
	.op_name = "no-op",
	.options = nop_options,
	.axis = &axis_depth,
	.swept = "1,16,64",
	.needs = nop_needs,
	.open = nop_open,
	.fill = nop_fill,
	.complete = nop_complete,
	.words = nop_words,
	.close = nop_close,
};
WORKLOAD(nop_workload);
