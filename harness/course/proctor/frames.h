/* SPDX-License-Identifier: MIT */
/* The functions that a program is in: the frames of its stack, which frame pointers join. */
#ifndef IOLAB_COURSE_FRAMES_H
#define IOLAB_COURSE_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAMES_MAX 32

struct frame {
	uint64_t at;
	uint64_t callers; /* the frame of the function that called this one */
	uint64_t returns_to; /* an instruction of that function */
};

/* The innermost first. */
struct frames {
	unsigned count;
	struct frame frames[FRAMES_MAX];
};

/*
 * Follows the frames from the one at `innermost` on, up to the one that was called from the frame at
 * `outermost`. False where they do not lead there.
 */
bool read_frames(pid_t tid, uint64_t innermost, uint64_t outermost, struct frames *frames);

/* Reads the one frame at `at`. */
bool read_frame(pid_t tid, uint64_t at, struct frame *frame);

/* Are these the same calls, but for the last one, which comes from another place of the same function? */
bool same_calls(const struct frames *a, const struct frames *b);

#endif
