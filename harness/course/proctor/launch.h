/* SPDX-License-Identifier: MIT */
/* Starting the program for one exam: its folder, its memory, its process. */
#ifndef IOLAB_COURSE_LAUNCH_H
#define IOLAB_COURSE_LAUNCH_H

#include "exam.h"
#include "reason.h"

/* Exit statuses of a child that could not become the program. */
#define CANNOT_TRACE 120
#define CANNOT_START 121

/*
 * Prepares an exam whose options and test are set, all else 0, and starts the program, stopped.
 * Returns 0, or -errno with the reason; either way clear_away() gives everything back.
 */
int launch(struct exam *e, struct reason *why);

/* The program must be gone. */
void clear_away(struct exam *e);

/* Was ptrace(2) or its filter refused, before the program began? Then its exit status is ours. */
bool tracing_was_refused(const struct exam *e);

/* In a child: gives up to the program's user. Returns 0 or -1. */
int become_user(const struct exam_options *options);

#endif
