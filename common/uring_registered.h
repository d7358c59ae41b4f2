/* SPDX-License-Identifier: MIT */
/* What a ring of liburing's may know beforehand: descriptors and buffers. Each returns 0, or -errno with `why`. */
#ifndef IOLAB_URING_REGISTERED_H
#define IOLAB_URING_REGISTERED_H

#include <liburing.h>

#include "io_engine.h"

/* Places for `max_fds` descriptors, all empty. */
int uring_register_places(struct io_uring *ring, unsigned max_fds, struct reason *why);
/* `fd` in its place; the caller keeps it open until uring_forget_file(). */
int uring_register_file(struct io_uring *ring, unsigned place, int fd, struct reason *why);
/* The place is empty again. */
void uring_forget_file(struct io_uring *ring, unsigned place);

/* The whole arena as one buffer, number 0. */
int uring_register_arena(struct io_uring *ring, const struct engine_config *config,
			 struct reason *why);

#endif
