/* SPDX-License-Identifier: MIT */
/* Following the program of an exam from its first instruction to its end. */
#ifndef IOLAB_COURSE_TRACING_H
#define IOLAB_COURSE_TRACING_H

#include "exam.h"

/* waitpid() is interrupted by a timer's signal, so that deadlines are met. Called once. */
void start_ticking(void);

/*
 * Blocks until the program and all that it started are gone. Stops it at its system calls, unless
 * the exam is untraced. Returns true when its time is over first: then it still lives, stopped or
 * running, so that it can be asked where it hangs.
 */
bool follow_program(struct exam *e);

/* Reads what the program has printed by now. Never blocks. */
void drain_output(struct exam *e);

#endif
