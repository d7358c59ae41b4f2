/* SPDX-License-Identifier: MIT */
#include "run/pause.h"

/* Less is what a loaded machine or a slow disk does to any program. */
#define SLICES_LEAST  2
#define PAUSE_LEAST_S 0.1

/* Where a slice has this number on average, an empty one is no chance. */
#define OPS_PER_SLICE_LEAST 20

double longest_pause_s(const struct window *window)
{
	unsigned longest = 0, current = 0, busy_slices = 0;
	uint64_t ops = 0;
	for (unsigned i = 0; i < WINDOW_SLICES; i++) {
		bool empty = window->slice_ops[i] == 0;
		current = empty ? current + 1 : 0;
		longest = current > longest ? current : longest;
		busy_slices += !empty;
		ops += window->slice_ops[i];
	}
	double pause_s = longest * window->slice_s;
	bool by_chance = ops < OPS_PER_SLICE_LEAST * (uint64_t)busy_slices || busy_slices == 0;
	return longest < SLICES_LEAST || pause_s < PAUSE_LEAST_S || by_chance ? 0 : pause_s;
}
