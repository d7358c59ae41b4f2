/* SPDX-License-Identifier: MIT */
/* Judges a test, and finds out why it failed. */
#ifndef IOLAB_COURSE_VERDICT_H
#define IOLAB_COURSE_VERDICT_H

#include "exam.h"

enum verdict { PASSED, FAILED, SKIPPED, VERDICT_COUNT };

/* Adds the finding "hung", with where the program sits. Only while it still lives. */
void find_hang(struct exam *e);

/*
 * Judges a program that has ended, alone or (`hung`) by force, and adds its findings. The exit
 * status alone proves nothing, since an engine may call exit(0): the token must be in its place.
 */
enum verdict judge(struct exam *e, bool hung);

#endif
