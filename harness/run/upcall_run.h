/* SPDX-License-Identifier: MIT */
/* One run of `iolab upcall`: operations one after another over one engine, each traced in the kernel. */
#ifndef IOLAB_UPCALL_RUN_H
#define IOLAB_UPCALL_RUN_H

#include <jansson.h>
#include <stdint.h>

#include "io_engine.h"
#include "meters/kernel_trace.h"

#define UPCALL_OPS_MAX	   2000u
#define UPCALL_BLOCK_BYTES 4096u
#define UPCALL_ANSWER_MS   1u

enum upcall_target {
	UPCALL_FILE, /* reads past the page cache, at places drawn by chance */
	UPCALL_SOCKET, /* receives over the loopback interface; the peer answers after a while */
	UPCALL_TARGETS,
};

extern const struct upcall_target_kind {
	const char *name, *words;
	enum io_kind kind;
	enum io_fd_kind fd_kind;
} upcall_targets[UPCALL_TARGETS];

struct upcall_task {
	const struct engine_ops *engine;
	uint64_t engine_options;
	enum upcall_target target;
	unsigned ops; /* at most UPCALL_OPS_MAX */
	uint64_t seed; /* of the places in the file */
	const char *folder; /* for the file */
	struct kernel_trace *trace;
};

/*
 * For child_work(); the argument is a struct upcall_task. Answers "status" and "reason"; when it went
 * well, "paths": for each operation the times of its moments, as enum upcall_moment lists them, in
 * nanoseconds from the first, null for what was not seen; and "trace", the events in the time of the
 * operation that took the median time, as docs/results.md has them.
 */
json_t *upcall_run(const void *task);

#endif
