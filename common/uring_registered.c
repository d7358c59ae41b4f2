/* SPDX-License-Identifier: MIT */
#include "uring_registered.h"

#include <errno.h>
#include <stdlib.h>

/* The kernel's limit for one registered buffer. */
#define BUFFER_BYTES_MAX ((size_t)1 << 30)

int uring_register_places(struct io_uring *ring, unsigned max_fds, struct reason *why)
{
	int *fds = malloc(max_fds * sizeof *fds);
	if (!fds)
		return reason_no_memory(why, "registered files");
	for (unsigned i = 0; i < max_fds; i++)
		fds[i] = -1; /* an empty place, to be filled later (Linux 5.5) */
	int rc = io_uring_register_files(ring, fds, max_fds);
	free(fds);
	return rc < 0 ? reason_errno(why, "register_files", rc,
				     "registering {files} files (RLIMIT_NOFILE bounds it)",
				     reason_int("files", max_fds))
		      : 0;
}

int uring_register_file(struct io_uring *ring, unsigned place, int fd, struct reason *why)
{
	int rc = io_uring_register_files_update(ring, place, &fd, 1);
	return rc < 0 ? reason_errno(why, "register_descriptor", rc, "registering descriptor {fd}",
				     reason_int("fd", fd))
		      : 0;
}

void uring_forget_file(struct io_uring *ring, unsigned place)
{
	int none = -1;
	io_uring_register_files_update(ring, place, &none, 1);
}

int uring_register_arena(struct io_uring *ring, const struct engine_config *config,
			 struct reason *why)
{
	struct iovec arena = { .iov_base = config->arena, .iov_len = config->arena_len_bytes };
	if (config->arena_len_bytes > BUFFER_BYTES_MAX)
		return reason_errno(why, "too_many_buffer_bytes", EFBIG,
				    "registering {bytes} bytes of buffers, and the kernel takes "
				    "{limit_bytes} at most",
				    reason_int("bytes", (int64_t)config->arena_len_bytes),
				    reason_int("limit_bytes", BUFFER_BYTES_MAX));
	int rc = io_uring_register_buffers(ring, &arena, 1);
	if (rc == -ENOMEM)
		return reason_errno(why, "buffers_exceed_memlock", rc,
				    "registering {bytes} bytes of buffers exceeds RLIMIT_MEMLOCK; "
				    "raise it with ulimit -l, or lower --depth or --bs",
				    reason_int("bytes", (int64_t)config->arena_len_bytes));
	return rc < 0 ? reason_errno(why, "register_buffers", rc, "registering the buffers") : 0;
}
