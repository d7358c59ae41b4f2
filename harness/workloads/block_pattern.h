/* SPDX-License-Identifier: MIT */
/*
 * What iolab writes into a block: words that depend on where the block lies and on how often it has
 * been written, so that a wrong block, a stale block and a torn block all show.
 *
 * The first word marks the block as iolab's own, whichever run wrote it. Files that do not begin
 * with the mark are a person's, and are never written to.
 */
#ifndef IOLAB_BLOCK_PATTERN_H
#define IOLAB_BLOCK_PATTERN_H

#include <stdint.h>
#include <string.h>

#include "random.h"

#define BLOCK_MARK UINT64_C(0x6b6c62620062616c) /* any constant unlikely in a person's file */

static inline uint64_t block_mark(uint64_t offset)
{
	return mix64(BLOCK_MARK + offset);
}

static inline uint64_t block_word(uint64_t offset, uint32_t generation)
{
	return mix64(offset + ((uint64_t)generation << 40));
}

/* Fills `len_bytes` (a multiple of 8) that will stand at `offset` of the file. */
static inline void block_fill(void *block, uint32_t len_bytes, uint64_t offset, uint32_t generation)
{
	uint64_t *words = block;
	words[0] = block_mark(offset);
	for (uint32_t i = 1; i < len_bytes / 8; i++)
		words[i] = block_word(offset + 8 * (uint64_t)i, generation);
}

/* The position of the first word that differs from block_fill(), in bytes; or -1. */
static inline int64_t block_mismatch(const void *block, uint32_t len_bytes, uint64_t offset,
				     uint32_t generation)
{
	const uint64_t *words = block;
	if (words[0] != block_mark(offset))
		return 0;
	for (uint32_t i = 1; i < len_bytes / 8; i++)
		if (words[i] != block_word(offset + 8 * (uint64_t)i, generation))
			return 8 * (int64_t)i;
	return -1;
}

#endif
