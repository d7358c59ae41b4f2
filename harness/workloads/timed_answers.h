/* SPDX-License-Identifier: MIT */
/*
 * A process of its own that answers questions over one socket, each after the time that the question
 * names. So the asking side draws the times, and every way of asking meets the same ones.
 */
#ifndef IOLAB_TIMED_ANSWERS_H
#define IOLAB_TIMED_ANSWERS_H

#include <stdint.h>
#include <sys/types.h>

#include "random.h"
#include "reason.h"

/* The delay of a question that is never answered. */
#define TIMED_NEVER UINT64_MAX

/* As they lie in the socket. */
struct timed_question {
	uint64_t number; /* any; the answer repeats it */
	uint64_t delay_ns; /* from the moment in which the service reads the question */
};

struct timed_answer {
	uint64_t number;
	uint64_t value; /* timed_value(number) */
};

static inline uint64_t timed_value(uint64_t number)
{
	return mix64(number + 1);
}

struct timed_answers {
	/*
	 * One stream socket, blocking, by two descriptors: some interfaces begin nothing on a
	 * descriptor while they wait on it.
	 */
	int ask_fd, hear_fd;
	pid_t pid; /* 0: none */
};

/*
 * `waiting_max` questions may wait for their time at once. More stay in the socket, and then those
 * are late. Returns 0, or -errno with `why`; then nothing is left. The service ends with this
 * process.
 */
int timed_answers_start(struct timed_answers *service, unsigned waiting_max, struct reason *why);

/* Closes both, with which the service ends, and waits for that. */
void timed_answers_stop(struct timed_answers *service);

#endif
