/* SPDX-License-Identifier: MIT */
#include "frames.h"

#include "program_memory.h"

/* ARM's processors may sign a return address, in the bits that no address of a program has. */
#define ADDRESS_BITS ((UINT64_C(1) << 48) - 1)

bool read_frame(pid_t tid, uint64_t at, struct frame *frame)
{
	uint64_t words[2];
	if (!read_program(tid, at, words, sizeof words))
		return false;
	*frame = (struct frame) { at, words[0], words[1] & ADDRESS_BITS };
	return true;
}

bool read_frames(pid_t tid, uint64_t innermost, uint64_t outermost, struct frames *frames)
{
	frames->count = 0;
	for (uint64_t at = innermost; at < outermost && frames->count < FRAMES_MAX;) {
		struct frame *frame = &frames->frames[frames->count++];
		if (!read_frame(tid, at, frame) || frame->callers <= at)
			return false;
		at = frame->callers;
		if (at == outermost)
			return true;
	}
	return false;
}

bool same_calls(const struct frames *a, const struct frames *b)
{
	bool same = a->count == b->count;
	for (unsigned i = 0; same && i < a->count; i++)
		same = a->frames[i].at == b->frames[i].at &&
		       a->frames[i].callers == b->frames[i].callers &&
		       (i == 0 || a->frames[i].returns_to == b->frames[i].returns_to);
	return same;
}
