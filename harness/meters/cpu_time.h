/* SPDX-License-Identifier: MIT */
/* CPU time that was used so far: of the process, with all its threads, and of the calling thread. */
#ifndef IOLAB_CPU_TIME_H
#define IOLAB_CPU_TIME_H

#include <stdint.h>
#include <time.h>

#include "clock.h"

static inline uint64_t cpu_time_ns(clockid_t clock)
{
	struct timespec used;
	clock_gettime(clock, &used);
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

/* Threads that have ended count, too. */
static inline uint64_t process_cpu_ns(void)
{
	return cpu_time_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline uint64_t thread_cpu_ns(void)
{
	return cpu_time_ns(CLOCK_THREAD_CPUTIME_ID);
}

#endif
