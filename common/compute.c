/* SPDX-License-Identifier: MIT */
#include "compute.h"

#include "clock.h"

void compute_loops(uint64_t loops)
{
	uint64_t x = loops;
	for (; loops > 0; loops--) {
		x = x * UINT64_C(0x9e3779b97f4a7c15) + 1;
		__asm__ volatile("" : "+r"(x)); /* keeps the loop: its result is never used */
	}
}

double compute_calibrate(void)
{
	const uint64_t loops = 200000;
	uint64_t shortest_ns = UINT64_MAX;
	/* The shortest of many is the one that nothing interrupted. */
	for (int i = 0; i < 50; i++) {
		uint64_t start_ns = clock_ns();
		compute_loops(loops);
		uint64_t took_ns = clock_ns() - start_ns;
		if (took_ns < shortest_ns)
			shortest_ns = took_ns;
	}
	return (double)loops * 1000.0 / (double)shortest_ns;
}
