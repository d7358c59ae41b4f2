/* SPDX-License-Identifier: MIT */
#include "workloads/index_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workloads/block_pattern.h"
#include "workloads/lookup_server.h"

static void block_of(void *block, const struct job_entry *entry, uint32_t block_bytes)
{
	if (entry->source == JOB_FROM_FILE)
		block_fill(block, block_bytes, entry->key, 0);
	else
		lookup_block(block, block_bytes, entry->key);
}

void index_make(struct job_index *index, uint32_t count, uint32_t block_bytes,
		struct job_result *expected)
{
	uint64_t block[JOB_BLOCK_BYTES_MAX / sizeof(uint64_t)];
	*index = (struct job_index) { .magic = JOB_MAGIC, .count = count };
	*expected = (struct job_result) { .count = count };
	for (uint32_t i = 0; i < count; i++) {
		struct job_entry *entry = &index->entries[i];
		*entry = i % 2 ? (struct job_entry) { JOB_FROM_SERVER, i }
			       : (struct job_entry) { JOB_FROM_FILE,
						      JOB_PAGE_BYTES +
							      (uint64_t)(i / 2) * block_bytes };
		block_of(block, entry, block_bytes);
		expected->digests[i] = job_digest(block, block_bytes);
	}
}

static size_t file_len_bytes(const struct job_index *index, uint32_t block_bytes)
{
	return JOB_PAGE_BYTES + (size_t)index->count * block_bytes;
}

int index_image_make(struct index_image *image, const struct job_index *index, uint32_t block_bytes,
		     struct reason *why)
{
	size_t answers_len_bytes = ((size_t)index->count + 1) * block_bytes;
	*image = (struct index_image) { calloc(1, file_len_bytes(index, block_bytes)),
					calloc(1, answers_len_bytes) };
	if (!image->file || !image->answers) {
		index_image_free(image);
		return reason_no_memory(why, "the index and its blocks");
	}
	memcpy(image->file, index, sizeof *index);
	for (uint64_t i = 0; i < index->count; i++) {
		const struct job_entry *entry = &index->entries[i];
		if (entry->source == JOB_FROM_FILE)
			block_of((char *)image->file + entry->key, entry, block_bytes);
		else if (entry->key <= index->count)
			block_of((char *)image->answers + entry->key * block_bytes, entry,
				 block_bytes);
	}
	return 0;
}

void index_image_free(struct index_image *image)
{
	free(image->file);
	free(image->answers);
}

int index_write(int fd, const struct job_index *index, uint32_t block_bytes, struct reason *why)
{
	struct index_image image;
	size_t len_bytes = file_len_bytes(index, block_bytes);
	int rc = index_image_make(&image, index, block_bytes, why);
	if (rc < 0)
		return rc;
	ssize_t n = pwrite(fd, image.file, len_bytes, 0);
	if (n != (ssize_t)len_bytes)
		rc = reason_errno(why, "index_not_written", n < 0 ? errno : ENOSPC,
				  "writing the file of the index");
	index_image_free(&image);
	return rc;
}
