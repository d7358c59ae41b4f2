/* SPDX-License-Identifier: MIT */
/*
 * Do threads of this process sleep? "Others" are all threads but the calling one and the process's
 * first.
 */
#ifndef IOLAB_THREADS_ASLEEP_H
#define IOLAB_THREADS_ASLEEP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Waits until thread `tid` sleeps in the kernel. Returns 0; -ESRCH when there is no such thread;
 * -ETIMEDOUT when `within_ns` has passed.
 */
int thread_falls_asleep(int tid, int64_t within_ns);

/* Do they all sleep, at this look? How often they have gone to sleep since they began is added to `*switches`. */
bool others_sleep(uint64_t *switches);

/* Waits until they all sleep in the kernel at one moment. Returns false when `within_ns` has passed. */
bool others_fall_asleep(int64_t within_ns);

#endif
