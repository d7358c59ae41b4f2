/* SPDX-License-Identifier: MIT */
/*
 * Counts what this program allocates and initialises. The counters see malloc(3) and its relatives,
 * whoever calls them, and pthread_mutex_init(3) and its relatives. What glibc's own AIO allocates is counted apart: no engine can help that. What the dynamic
 * linker keeps for each thread's stack, and glibc with the stack, is not counted.
 *
 * In a sanitizer's build, which has an allocator of its own, and in a program without
 * allocations.c nothing is counted.
 */
#ifndef IOLAB_CONFORMANCE_ALLOCATIONS_H
#define IOLAB_CONFORMANCE_ALLOCATIONS_H

#include <stdbool.h>

struct allocations {
	unsigned long made; /* since the counting began */
	unsigned long made_by_aio; /* of glibc's; not part of `made` */
	long live; /* made, and not freed yet; without glibc's AIO */
	/* Mutexes, condition variables, semaphores and attributes of threads: initialised, and not
	 * destroyed yet. In glibc they hold nothing, and in another C library they may. */
	long initialised;
};

/* Begins to count. Returns false where nothing is counted. */
__attribute__((weak)) bool allocations_begin(void);
__attribute__((weak)) struct allocations allocations_so_far(void);

/* Of this thread: +1 before a call of glibc's AIO, -1 after it. */
__attribute__((weak)) void allocations_inside_aio(int change);

#endif
