/* SPDX-License-Identifier: MIT */
/* Seeded pseudo-random numbers: the same seed gives every engine the same operations. */
#ifndef IOLAB_RANDOM_H
#define IOLAB_RANDOM_H

#include <stdint.h>

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): turns a counter into noise. */
static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

struct random_stream {
	uint64_t state;
};

/* SplitMix64: 64 bits of state, one multiplication chain, passes BigCrush. */
static inline uint64_t random_next(struct random_stream *stream)
{
	return mix64(stream->state += UINT64_C(0x9e3779b97f4a7c15));
}

/*
 * Uniform in 0 .. bound-1, by Lemire's multiply-and-shift. Its bias is below 2^-32 for our bounds.
 */
static inline uint64_t random_below(struct random_stream *stream, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)random_next(stream) * bound) >> 64);
}

/* Stores all numbers below `count` in `order`, shuffled (Fisher and Yates). */
static inline void random_order(struct random_stream *stream, unsigned *order, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		order[i] = i;
	for (unsigned i = count; i > 1; i--) {
		unsigned j = (unsigned)random_below(stream, i);
		unsigned last = order[i - 1];
		order[i - 1] = order[j];
		order[j] = last;
	}
}

#endif
