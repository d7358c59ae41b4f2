/* SPDX-License-Identifier: MIT */
/*
 * An engine without a kernel: the job of common/styles.h gets its index and blocks from memory, by a
 * copy within submit(). What is left of the job's time is the loop's and the style's. A no-op is over
 * at once, too. It is not registered: nobody compares it with interfaces.
 */
#ifndef IOLAB_MEMORY_ENGINE_H
#define IOLAB_MEMORY_ENGINE_H

#include "styles.h"

extern const struct engine_ops memory_engine;

/* Sources are borrowed from here on by each engine that opens, until it is closed. */
struct memory_source {
	const void *file; /* as index_image() makes it; reads lie within it */
	const void *answers; /* the server's block of key k begins at k * block_bytes */
	uint32_t block_bytes;
	struct job_result *result; /* written to */
};

void memory_engine_serve(const struct memory_source *source);

#endif
