/* SPDX-License-Identifier: MIT */
/* A system call of the program in words, as in "recvfrom(5, 100, MSG_DONTWAIT)". */
#ifndef IOLAB_COURSE_CALLS_H
#define IOLAB_COURSE_CALLS_H

#include <signal.h>
#include <stddef.h>

#include "exam.h"

/* The call that the task is in, or was in last. */
void describe_call(const struct tracee *task, char *text, size_t size);

/* Is the task inside of its call still? */
bool is_in_call(const struct tracee *task);

/* Appends the call that a task leaves to the events, with its result or (`failed`) its error. */
void write_down_call(struct exam *e, const struct tracee *task, bool failed, long long result);

/* Appends a signal that comes to a thread inside of the engine; before its handler, where it has one. */
void write_down_signal(struct exam *e, const struct tracee *task, const siginfo_t *info);

/* The engine's calls that have not returned: they end the account of what happened. */
void write_down_calls_under_way(struct exam *e);

/*
 * Does the call only print, or ask what standard output is (which the C library does before it prints
 * for the first time)?
 */
bool is_printing(const struct tracee *task);

/* Does the C library make this call unasked, beside those that an engine asks for? */
bool is_background_call(long call);

/* Is it told in the account of what led to a failure? What a thread blocks says which signals it can miss. */
bool is_worth_telling(long call);

/*
 * Waits of the kernel's interfaces that no test makes itself, but for those of its lab. The C library makes
 * one of them of poll(2) on some architectures, which is left out there.
 */
extern const char *const wait_names[WAIT_COUNT];

/*
 * Does it depend on the engine or on time how often a test makes this call itself? A wait, a look into
 * /proc, a question that supports() answers by trying.
 */
bool varies_in_tests(long call);

#endif
