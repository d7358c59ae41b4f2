/* SPDX-License-Identifier: MIT */
/* Why the kernel refuses io_uring, in words: each cause has another cure. */
#ifndef IOLAB_URING_REFUSAL_H
#define IOLAB_URING_REFUSAL_H

#include "reason.h"

/* io_uring_setup(2) answered `error`, positive or negative. Returns -|error|. */
int uring_setup_refused(struct reason *why, int error);

#endif
