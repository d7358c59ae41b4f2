/* SPDX-License-Identifier: MIT */
/* Arguments of a system call in words: flags, commands, signals and time limits by their names. */
#ifndef IOLAB_COURSE_CALL_WORDS_H
#define IOLAB_COURSE_CALL_WORDS_H

#include <signal.h>
#include <stddef.h>

#include "exam.h"

#define LIMIT_NONE     INT64_MIN /* the call names no time limit by a pointer */
#define LIMIT_FOR_EVER INT64_C(-1)

struct flag {
	uint32_t bit;
	const char *name;
};

/* "IN|ET"; bits without a name follow as a number. `flags` ends with a NULL name. */
const char *flag_names(uint32_t bits, const struct flag *flags, char *text, size_t size);

/*
 * The time limit that a call names by a pointer, as it stands there before the call: ppoll(2) leaves
 * there what was left of it.
 */
int64_t time_limit_of(const struct tracee *task);

/* "SIGIO"; a real-time signal by its number. */
const char *signal_word(int number, char text[16]);

/*
 * The call's arguments, separated by ", ", as syscall_shape() has them. `key` NULL, or what they make
 * of the event's key: commands and flags make it another one, numbers vary.
 */
void describe_arguments(const struct tracee *task, char *text, size_t size, struct event_key *key);

/* What the call's answer means, where a number alone does not say it: ": POLL_IN for fd 5". May be empty. */
void describe_answer(const struct tracee *task, long long answer, char *text, size_t size);

/* What a signal brought with it, ": POLL_IN for fd 5"; empty where it brought nothing. */
void describe_signal(const siginfo_t *info, char *text, size_t size);

#endif
