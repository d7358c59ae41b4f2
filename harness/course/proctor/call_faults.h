/* SPDX-License-Identifier: MIT */
/*
 * System calls of the engine that the proctor lets fail, or holds up, because the test asks for it
 * (exam_record.h). No kernel has to be short of anything for that, and no race is left to chance.
 */
#ifndef IOLAB_COURSE_CALL_FAULTS_H
#define IOLAB_COURSE_CALL_FAULTS_H

#include "exam.h"

/*
 * The task is about to make a call of the engine's. When it is the one that shall fail, the kernel
 * gets to see no call at all. Of close(2) only the answer is changed: Linux releases the descriptor
 * even then.
 */
void begin_fault(struct exam *e, struct tracee *task);

/* The call is over. When it is the one that shall fail, `error` takes the place of its answer. */
void end_fault(struct tracee *task, bool *failed, long long *answer);

/* The task is about to make a call of the engine's. When the test wants to hold it up, it is held. */
void begin_hold(struct exam *e, struct tracee *task);

/* The task that is held up and that the test has let go, to be resumed; or NULL. */
struct tracee *end_hold(struct exam *e);

#endif
