/* SPDX-License-Identifier: MIT */
/* The input of the job in common/styles.h, and what must come of it. */
#ifndef IOLAB_INDEX_FILE_H
#define IOLAB_INDEX_FILE_H

#include "reason.h"
#include "styles.h"

/*
 * An index of `count` blocks, in turn from the file and from the lookup server, and what the job
 * makes of it.
 */
void index_make(struct job_index *index, uint32_t count, uint32_t block_bytes,
		struct job_result *expected);

/* Writes the index and its blocks to `fd`, which was empty. Returns 0, or -errno with `why`. */
int index_write(int fd, const struct job_index *index, uint32_t block_bytes, struct reason *why);

/* The whole file in memory to be freed, and all that the server may answer, block after block. */
struct index_image {
	void *file, *answers;
};

/* Returns 0, or -ENOMEM with `why`. */
int index_image_make(struct index_image *image, const struct job_index *index, uint32_t block_bytes,
		     struct reason *why);
void index_image_free(struct index_image *image);

#endif
