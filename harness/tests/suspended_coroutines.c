/* SPDX-License-Identifier: MIT */
/*
 * Coroutines in each state, for common/coroutines_gdb.py: gdb.bats stops it in
 * at_rest(). Alone it looks whether each of them goes on as it should.
 */
#include "coroutine.h"
#include "tap.h"

/* Volatile: so the compiler keeps the calls below, and what they were given. */
static volatile unsigned steps;

void at_rest(void);

__attribute__((noinline)) void at_rest(void)
{
	__asm__ volatile("" ::: "memory"); /* no optimiser knows what it does */
}

__attribute__((noinline)) static void wait_deep_inside(int cookie)
{
	coroutine_suspend(coroutine_current);
	steps += (unsigned)cookie;
}

__attribute__((noinline)) static void read_answer(int cookie)
{
	wait_deep_inside(cookie + 1);
	steps++;
}

static void waits(void *argument)
{
	(void)argument;
	read_answer(41);
	steps++;
}

/* It stops in the middle of its own body. */
static void waits_at_once(void *argument)
{
	(void)argument;
	coroutine_suspend(coroutine_current);
	steps++;
}

static void ends(void *argument)
{
	(void)argument;
	steps++;
}

static void begins_later(void *argument)
{
	(void)argument;
	steps += 2;
}

/* It runs while gdb looks. */
static void stops_for_gdb(void *argument)
{
	(void)argument;
	at_rest();
	steps++;
}

static void resumes_another(void *other)
{
	coroutine_resume(other);
	steps++;
}

int main(void)
{
	struct tap tap = { 0 };
	struct coroutine_pool *pool;
	struct reason why = { "" };
	if (coroutine_pool_open(&pool, 8, 16 * 1024, &why) < 0) {
		tap_skip(&tap, "coroutines with stacks", why.text);
		return tap_end(&tap);
	}
	struct coroutine *waiting = coroutine_new(pool, waits, NULL);
	struct coroutine *at_once = coroutine_new(pool, waits_at_once, NULL);
	struct coroutine *ended = coroutine_new(pool, ends, NULL);
	struct coroutine *later = coroutine_new(pool, begins_later, NULL);
	bool goes_on = coroutine_resume(waiting) && coroutine_resume(at_once);
	tap_check(&tap, goes_on && !coroutine_resume(ended), "two wait, and one has ended");
	struct coroutine *inner = coroutine_new(pool, stops_for_gdb, NULL);
	struct coroutine *outer = coroutine_new(pool, resumes_another, inner);
	coroutine_resume(outer);
	steps = 0;
	goes_on = coroutine_resume(waiting) || coroutine_resume(at_once) || coroutine_resume(later);
	tap_check(&tap, !goes_on && steps == 42 + 5, "and each goes on where it was");
	coroutine_pool_close(pool);
	return tap_end(&tap);
}
