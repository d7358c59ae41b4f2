/* SPDX-License-Identifier: MIT */
/*
 * trust: an engine whose cost is known, for `make check-trust`. It is linked into build/trust/iolab
 * only, and does no-ops that each take a fixed number of turns of a loop.
 *
 *     trust           the work
 *     trust:twin      the same work, so that what is found between the two is a false alarm
 *     trust:slower    5 % more of it, which must be found
 *     trust:delay     no work; each operation is over DELAY_NS after it was submitted
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "compute.h"
#include "io_engine.h"
#include "op_queue.h"

/* Some 10 us: what the harness itself adds to an operation is below 1 % of it. */
#define LOOPS	     8000
#define SLOWER_LOOPS (LOOPS + LOOPS / 20)

/* check_trust.py holds the latency that was measured against this. */
#define DELAY_NS NS_PER_MS

/* The end of a delay is spun out: waking up takes as long as the machine likes. */
#define SPIN_NS (300 * NS_PER_US)

enum option { TWIN, SLOWER, DELAY };

struct engine {
	uint64_t loops_per_op;
	bool delays;
	struct op_queue accepted; /* in the order in which they are over */
	uint64_t *over_ns; /* [slot] */
};

static int trust_supports(const struct engine_config *config, enum io_kind kind,
			  enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	if (fd_kind == IO_FD_NONE)
		return 0;
	reason_set(why, "only_noops", "this engine performs no-ops only");
	return -EOPNOTSUPP;
}

static int trust_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the trust engine");
	e->delays = config->options & (1u << DELAY);
	e->loops_per_op = e->delays ? 0 : config->options & (1u << SLOWER) ? SLOWER_LOOPS : LOOPS;
	e->over_ns = calloc(config->depth, sizeof *e->over_ns);
	if (!e->over_ns) {
		free(e);
		return reason_no_memory(why, "the trust engine");
	}
	op_queue_init(&e->accepted);
	*engine = e;
	return 0;
}

static int trust_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (e->delays)
			e->over_ns[ops[i]->slot] = clock_ns() + DELAY_NS;
		compute_loops(e->loops_per_op);
		ops[i]->result = 0;
		op_queue_push(&e->accepted, ops[i]);
	}
	return (int)count;
}

/* Waits until the first is over, or until `end_ns`. */
static void wait_for_first(struct engine *e, uint64_t end_ns)
{
	uint64_t over_ns = e->over_ns[e->accepted.first->slot];
	if (over_ns > end_ns)
		over_ns = end_ns;
	struct timespec nearly = timespec_of_ns((int64_t)over_ns - SPIN_NS);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &nearly, NULL);
	while (clock_ns() < over_ns)
		;
}

static int trust_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	if (!e->delays)
		return (int)op_queue_take(&e->accepted, done, max);
	if (min > 0 && e->accepted.first)
		wait_for_first(e, timeout_ns < 0 ? UINT64_MAX : clock_ns() + (uint64_t)timeout_ns);
	unsigned n = 0;
	uint64_t now_ns = clock_ns();
	while (n < max && e->accepted.first && e->over_ns[e->accepted.first->slot] <= now_ns)
		done[n++] = op_queue_pop(&e->accepted);
	return (int)n;
}

static void trust_cancel(struct engine *e)
{
	(void)e; /* all of it is over soon */
}

static void trust_close(struct engine *e)
{
	free(e->over_ns);
	free(e);
}

static const struct engine_option trust_options[] = {
	[TWIN] = { "twin", "the same work again" },
	[SLOWER] = { "slower", "5 % more work" },
	[DELAY] = { "delay", "over 1 ms after submission" },
	{ 0 },
};

static const struct engine_ops trust_engine = {
	.name = IO_ENGINE_NAME("trust"),
	.summary = "no-ops of a known cost: proves the harness",
	.lab = "",
	.options = trust_options,
	.traits = IO_MOVES_NO_BYTES,
	.supports = trust_supports,
	.open = trust_open,
	.submit = trust_submit,
	.reap = trust_reap,
	.cancel = trust_cancel,
	.close = trust_close,
};

IO_ENGINE(trust_engine);
