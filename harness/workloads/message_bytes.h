/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a message: words that count up from a start which depends on seed, connection and
 * message, so that a byte of another message, or at another place, is wrong.
 */
#ifndef IOLAB_MESSAGE_BYTES_H
#define IOLAB_MESSAGE_BYTES_H

#include <stdint.h>

#include "random.h"

/* Fills `chunk` so that it holds the bytes from `offset` on at chunk[offset % 8]. */
static inline void message_bytes(uint64_t seed, uint32_t connection, uint32_t sequence, char *chunk,
				 uint32_t offset, uint32_t len_bytes)
{
	uint64_t start = mix64(seed + ((uint64_t)connection << 32) + sequence);
	uint64_t first = offset / 8, count = (offset % 8 + len_bytes + 7) / 8;
	uint64_t *words = (uint64_t *)chunk;
	for (uint64_t i = 0; i < count; i++)
		words[i] = start + (first + i) * UINT64_C(0x9e3779b97f4a7c15);
}

#endif
