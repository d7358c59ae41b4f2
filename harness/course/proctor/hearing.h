/* SPDX-License-Identifier: MIT */
/* What a test tells the proctor (exam_record.h), and whether it is the test that speaks. */
#ifndef IOLAB_COURSE_HEARING_H
#define IOLAB_COURSE_HEARING_H

#include "exam.h"

struct __ptrace_syscall_info;

/* Is the call that the task is in a word of the test to the proctor? Nobody waits in it. */
bool is_told_by_test(const struct tracee *task);

/*
 * Takes what the test tells by the call that the task is in. Returns whether the call was such a
 * word. Ends the program where another speaks, or where the record says something else than the proctor
 * has seen.
 */
bool hear_test(struct exam *e, const struct tracee *task, const struct __ptrace_syscall_info *info);

/* Notes a call that the engine makes. `mains`: on the program's first thread. */
void note_call_of_engine(struct exam *e, const struct tracee *task, bool mains);

#endif
