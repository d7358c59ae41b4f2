/* SPDX-License-Identifier: MIT */
/* The ring, as one should ask for it today, and what is registered with it. */
#include <errno.h>
#include <stdlib.h>

#include "tuned.h"
#include "uring_refusal.h"

/* A deeper engine hands over several times in a batch. The kernel's limit is 32768. */
#define SQ_ENTRIES_MAX 4096

/* The kernel's limit for one registered buffer. */
#define BUFFER_BYTES_MAX ((size_t)1 << 30)

static int explain_setup(int rc, struct reason *why)
{
	if (rc == -EINVAL)
		return reason_errno(why, "kernel_too_old", rc, "{option} needs Linux {linux}",
				    reason_string("option", "uring_tuned (DEFER_TASKRUN)"),
				    reason_string("linux", "6.1"));
	return uring_setup_refused(why, rc);
}

/* Those of requests that nobody asked for: each needs a buffer, but the last word. */
static unsigned completions_ahead(const struct engine_config *config)
{
	return config->options & (MULTISHOT | MULTISHOT_ACCEPT) ? 4 * config->depth : 0;
}

int tuned_ring_open(struct io_uring *ring, const struct engine_config *config, struct reason *why)
{
	unsigned depth = config->depth;
	struct io_uring_params params = {
		/* A ring larger than the kernel allows is cut to what it allows. */
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		/* Room for every operation and, at the end, for a cancel of every one. */
		.cq_entries = 2 * depth + completions_ahead(config),
	};
	params.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED;
	/* A receive that is armed needs two entries. */
	unsigned wanted = config->options & MULTISHOT ? 2 * depth : depth;
	unsigned sq_entries = wanted < SQ_ENTRIES_MAX ? wanted : SQ_ENTRIES_MAX;
	int rc = io_uring_queue_init_params(sq_entries, ring, &params);
	if (rc < 0)
		return explain_setup(rc, why);
	/* The thread that enables it is the one that alone may use it. */
	int enabled = io_uring_enable_rings(ring);
	if (enabled < 0) {
		io_uring_queue_exit(ring);
		return reason_errno(why, "enable_rings", enabled, "enabling the ring");
	}
	int registered = io_uring_register_ring_fd(ring); /* 1, or -errno */
	if (registered < 0) {
		io_uring_queue_exit(ring);
		return reason_errno(why, "register_ring", registered,
				    "registering the ring's own descriptor (Linux 5.18)");
	}
	return 0;
}

static int register_files(struct engine *e, unsigned max_fds, struct reason *why)
{
	int *fds = malloc(max_fds * sizeof *fds);
	if (!fds)
		return reason_no_memory(why, "registered files");
	for (unsigned i = 0; i < max_fds; i++)
		fds[i] = -1; /* an empty place, for attach() to fill */
	int rc = io_uring_register_files(&e->ring, fds, max_fds);
	free(fds);
	return rc < 0 ? reason_errno(why, "register_files", rc,
				     "registering {files} files (RLIMIT_NOFILE bounds it)",
				     reason_int("files", max_fds))
		      : 0;
}

static int register_buffers(struct engine *e, const struct engine_config *config,
			    struct reason *why)
{
	struct iovec arena = { .iov_base = config->arena, .iov_len = config->arena_len_bytes };
	if (config->arena_len_bytes > BUFFER_BYTES_MAX)
		return reason_errno(why, "too_many_buffer_bytes", EFBIG,
				    "registering {bytes} bytes of buffers, and the kernel takes "
				    "{limit_bytes} at most",
				    reason_int("bytes", (int64_t)config->arena_len_bytes),
				    reason_int("limit_bytes", BUFFER_BYTES_MAX));
	int rc = io_uring_register_buffers(&e->ring, &arena, 1);
	if (rc == -ENOMEM)
		return reason_errno(why, "buffers_exceed_memlock", rc,
				    "registering {bytes} bytes of buffers exceeds RLIMIT_MEMLOCK; "
				    "raise it with ulimit -l, or lower --depth or --bs",
				    reason_int("bytes", (int64_t)config->arena_len_bytes));
	return rc < 0 ? reason_errno(why, "register_buffers", rc, "registering the buffers") : 0;
}

int tuned_register(struct engine *e, const struct engine_config *config, struct reason *why)
{
	int rc = 0;
	if (e->options & FIXED_FILES)
		rc = register_files(e, config->max_fds, why);
	if (rc == 0 && (e->options & FIXED_BUFFERS))
		rc = register_buffers(e, config, why);
	return rc;
}
