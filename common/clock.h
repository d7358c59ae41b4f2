/* SPDX-License-Identifier: MIT */
/* The one clock: CLOCK_MONOTONIC in nanoseconds. A reading costs about 20 ns: the vDSO answers, so
 * there is no system call. */
#ifndef IOLAB_CLOCK_H
#define IOLAB_CLOCK_H

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

static inline uint64_t clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* `ns` is not negative. */
static inline struct timespec timespec_of_ns(int64_t ns)
{
	assert(ns >= 0);
	return (struct timespec) { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

/*
 * The moment at which a wait must end, made of a timeout as reap() is given one: a negative timeout
 * waits for ever, 0 does not wait. Neither of these two reads the clock.
 */
struct deadline {
	int64_t at_ns; /* as clock_ns() counts, or one of the two below */
};

#define DEADLINE_NEVER	INT64_MAX
#define DEADLINE_PASSED 0

/* A timeout that the clock cannot count to is for ever, too. */
static inline struct deadline deadline_after(int64_t timeout_ns)
{
	if (timeout_ns < 0)
		return (struct deadline) { DEADLINE_NEVER };
	if (timeout_ns == 0)
		return (struct deadline) { DEADLINE_PASSED };
	int64_t now_ns = (int64_t)clock_ns();
	bool representable = timeout_ns < DEADLINE_NEVER - now_ns;
	return (struct deadline) { representable ? now_ns + timeout_ns : DEADLINE_NEVER };
}

static inline struct deadline deadline_sooner(struct deadline a, struct deadline b)
{
	return a.at_ns < b.at_ns ? a : b;
}

/* What is left, as a timeout: -1 for ever, 0 once it has passed. */
static inline int64_t deadline_left_ns(struct deadline deadline)
{
	if (deadline.at_ns == DEADLINE_NEVER)
		return -1;
	if (deadline.at_ns == DEADLINE_PASSED)
		return 0;
	int64_t left_ns = deadline.at_ns - (int64_t)clock_ns();
	return left_ns > 0 ? left_ns : 0;
}

/* The same in milliseconds, rounded up: rounded down, a caller would spin for the last one. */
static inline int deadline_left_ms(struct deadline deadline)
{
	int64_t left_ns = deadline_left_ns(deadline);
	if (left_ns < 0)
		return -1;
	int64_t left_ms = left_ns / NS_PER_MS + (left_ns % NS_PER_MS > 0);
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/*
 * The same for ppoll(2), aio_suspend(3) and io_getevents(2): stores what is left in `*left` and
 * returns `left`, or returns NULL for ever.
 */
static inline struct timespec *deadline_left(struct deadline deadline, struct timespec *left)
{
	int64_t left_ns = deadline_left_ns(deadline);
	if (left_ns < 0)
		return NULL;
	*left = timespec_of_ns(left_ns);
	return left;
}

#endif
