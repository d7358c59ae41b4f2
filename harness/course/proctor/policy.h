/* SPDX-License-Identifier: MIT */
/*
 * What a program under test may not do. Each function looks at the call that a task is about to
 * make. When it breaks a rule, the program is ended before the call is made (break_off()).
 */
#ifndef IOLAB_COURSE_POLICY_H
#define IOLAB_COURSE_POLICY_H

#include "exam.h"

/* Calls that reach for another process, or turn into another program. `arch`: AUDIT_ARCH_*. */
void check_reach(struct exam *e, const struct tracee *task, uint32_t arch);

/*
 * Calls that start a process. May change the call to ENOSYS, so that the C library falls back to
 * one that can be judged; then the task's call is not counted.
 */
void check_new_process(struct exam *e, struct tracee *task);

/* Opens a file where the program may read nothing, or to write outside of its own folder. */
void check_open(struct exam *e, const struct tracee *task);

/* Makes, moves, removes or changes a file outside of its own folder by its path. */
void check_change(struct exam *e, const struct tracee *task);

/* Makes new code, or puts other code into the place of some. */
void check_code(struct exam *e, const struct tracee *task);

#endif
