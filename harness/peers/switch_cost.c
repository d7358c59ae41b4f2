/* SPDX-License-Identifier: MIT */
/*
 * What a coroutine's resume and suspend cost together. `make bench-loops` runs it.
 *
 *     switch_cost MECHANISM COUNT
 *
 * MECHANISM is ours (common/coroutine.h), swapcontext (the C library's, which keeps the signal mask
 * by two system calls) or minicoro (where `make fetch-minicoro` has put its header). Prints pairs a
 * second of CPU time and the CPU time of one, as JSON.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "coroutine.h"
#include "meters/cpu_time.h"

#define STACK_BYTES (64u * 1024)

#if __has_include(<peers/minicoro.h>)
#define HAVE_MINICORO 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#define MINICORO_IMPL
#define MCO_NO_DEBUG
#include <peers/minicoro.h>
#pragma GCC diagnostic pop
#endif

static void go_round(void *argument)
{
	(void)argument;
	for (;;)
		coroutine_suspend(coroutine_current);
}

static void resume_ours(unsigned count)
{
	static struct coroutine *coroutine;
	struct reason why;
	struct coroutine_pool *pool;
	if (!coroutine) {
		if (coroutine_pool_open(&pool, 1, STACK_BYTES, &why) < 0)
			errx(1, "%s", why.text);
		coroutine = coroutine_new(pool, go_round, NULL);
	}
	for (unsigned i = 0; i < count; i++)
		coroutine_resume(coroutine);
}

static ucontext_t outside, inside;

static void go_round_context(void)
{
	for (;;)
		swapcontext(&inside, &outside);
}

static void resume_context(unsigned count)
{
	static char stack[STACK_BYTES];
	if (!inside.uc_stack.ss_sp) {
		getcontext(&inside);
		inside.uc_stack.ss_sp = stack;
		inside.uc_stack.ss_size = sizeof stack;
		makecontext(&inside, go_round_context, 0);
	}
	for (unsigned i = 0; i < count; i++)
		swapcontext(&outside, &inside);
}

#ifdef HAVE_MINICORO
static void go_round_minicoro(mco_coro *self)
{
	for (;;)
		mco_yield(self);
}

static void resume_minicoro(unsigned count)
{
	static mco_coro *coroutine;
	mco_desc description = mco_desc_init(go_round_minicoro, STACK_BYTES);
	if (!coroutine && mco_create(&coroutine, &description) != MCO_SUCCESS)
		errx(1, "minicoro");
	for (unsigned i = 0; i < count; i++)
		mco_resume(coroutine);
}
#else
static void resume_minicoro(unsigned count)
{
	(void)count;
	errx(77, "minicoro: built without it; make fetch-minicoro");
}
#endif

static const struct {
	const char *name;
	void (*resume)(unsigned count);
} mechanisms[] = {
	{ "ours", resume_ours },
	{ "swapcontext", resume_context },
	{ "minicoro", resume_minicoro },
};

int main(int argc, char **argv)
{
	unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	for (unsigned i = 0; i < sizeof mechanisms / sizeof *mechanisms && count > 0; i++) {
		if (strcmp(argv[1], mechanisms[i].name) != 0)
			continue;
		mechanisms[i].resume((unsigned)count / 10 + 1);
		uint64_t from_ns = process_cpu_ns();
		mechanisms[i].resume((unsigned)count);
		double pair_ns = (double)(process_cpu_ns() - from_ns) / (double)count;
		printf("{\"ops_per_s\": %.1f, \"cpu_us_per_op\": %.6f}\n", 1e9 / pair_ns,
		       pair_ns / 1e3);
		return 0;
	}
	errx(2, "usage: %s ours|swapcontext|minicoro COUNT", argv[0]);
}
