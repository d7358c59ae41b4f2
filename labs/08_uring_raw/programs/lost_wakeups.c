/* SPDX-License-Identifier: MIT */
/*
 * lost_wakeups: two threads store one word each and load the other's, without a ring. What stands between
 * the store and the load decides whether both may miss each other.
 *
 *     cc -O2 -Wall -Wextra -pthread -o build/lost_wakeups labs/08_uring_raw/programs/lost_wakeups.c
 *     build/lost_wakeups [ROUNDS [quick]]     (default: 10000; quick: the store is not made slow)
 *
 * The sleeper sets its flag, and looks at the tail once more. The submitter writes the tail, and looks at the
 * flag. When the sleeper saw no new tail and the submitter no flag, nobody wakes it: a wake-up is lost.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE_LEFT UINT32_MAX

enum between { NOTHING, ACQUIRE, COMPILER, FULL_BARRIER, BETWEEN_COUNT };
static const char *const words[BETWEEN_COUNT] = { "nothing", "an acquire for the load",
						  "a barrier for the compiler alone",
						  "a full barrier" };

/* Each word has a cache line of its own, as in the rings. */
static struct {
	uint32_t word;
} __attribute__((aligned(128))) tail, flag, round_now, round_done;
static bool saw_no_tail; /* the sleeper's, of this round */

/*
 * A processor writes in order. So the store of the tail waits in the store buffer behind these, which miss
 * the cache; a load does not wait. That widens a gap of nanoseconds.
 */
#define COLD_BYTES (32u << 20)
#define COLD_LINES 24u
static volatile char cold[COLD_BYTES];

static void write_cold_lines(uint32_t round)
{
	for (uint32_t i = 0; i < COLD_LINES; i++)
		cold[(round * COLD_LINES + i) * (4096 + 64) % COLD_BYTES] = 1;
}

static uint32_t await_change(const uint32_t *word, uint32_t last)
{
	uint32_t now;
	while ((now = __atomic_load_n(word, __ATOMIC_ACQUIRE)) == last)
		;
	return now;
}

/* Two threads that take turns on one CPU have nothing to show. `nth` from 0. */
static bool move_to_cpu(const cpu_set_t *all, unsigned nth)
{
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t one;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (CPU_ISSET(cpu, all) && nth-- == 0)
			return sched_setaffinity(0, sizeof one, &one) == 0;
	}
	return false;
}

/* The kernel's thread in short. It always has its half of the barrier. */
static void *go_to_sleep(void *all)
{
	move_to_cpu(all, 1);
	for (uint32_t round = 0; (round = await_change(&round_now.word, round)) != NONE_LEFT;) {
		/* Its own copy of the tail's line, as a thread has that has polled. */
		(void)__atomic_load_n(&tail.word, __ATOMIC_RELAXED);
		__atomic_store_n(&flag.word, 1, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		saw_no_tail = __atomic_load_n(&tail.word, __ATOMIC_RELAXED) != round;
		__atomic_store_n(&round_done.word, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Writes the tail, and returns whether the flag is set. */
static bool submit(uint32_t round, enum between between)
{
	__atomic_store_n(&tail.word, round, __ATOMIC_RELEASE);
	if (between == COMPILER)
		__asm__ volatile("" ::: "memory");
	if (between == FULL_BARRIER)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return between == ACQUIRE ? __atomic_load_n(&flag.word, __ATOMIC_ACQUIRE)
				  : __atomic_load_n(&flag.word, __ATOMIC_RELAXED);
}

int main(int argc, char **argv)
{
	cpu_set_t all;
	pthread_t sleeper;
	long rounds = argc > 1 ? atol(argv[1]) : 10000;
	bool is_quick = argc == 3 && strcmp(argv[2], "quick") == 0;
	if (argc > 2 + is_quick || rounds < 1 || rounds > 100000000)
		return fprintf(stderr, "usage: lost_wakeups [ROUNDS [quick]]\n"), 2;
	sched_getaffinity(0, sizeof all, &all);
	if (CPU_COUNT(&all) < 2 || !move_to_cpu(&all, 0))
		return puts("there is one CPU here: two threads never run at the same time"), 0;
	if (pthread_create(&sleeper, NULL, go_to_sleep, &all) != 0)
		return fprintf(stderr, "there is no second thread\n"), 1;
	printf("%-34s lost of %ld\n", "between the store and the load", rounds);
	uint32_t round = 0;
	for (enum between between = 0; between < BETWEEN_COUNT; between++) {
		unsigned long lost = 0;
		for (long i = 0; i < rounds; i++) {
			round++;
			__atomic_store_n(&flag.word, 0, __ATOMIC_RELAXED);
			__atomic_store_n(&round_now.word, round, __ATOMIC_RELEASE);
			if (!is_quick)
				write_cold_lines(round);
			bool told = submit(round, between);
			await_change(&round_done.word, round - 1);
			lost += saw_no_tail && !told;
		}
		printf("%-34s %lu\n", words[between], lost);
	}
	__atomic_store_n(&round_now.word, NONE_LEFT, __ATOMIC_RELEASE);
	pthread_join(sleeper, NULL);
	return 0;
}
