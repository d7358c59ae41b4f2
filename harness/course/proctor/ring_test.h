/* SPDX-License-Identifier: MIT */
/*
 * What the tests of an engine that stands on liburing are written with, beside lab_test.h: a look at the ring
 * that it shares with the kernel, and the tests that such engines have in common.
 */
#ifndef IOLAB_COURSE_RING_TEST_H
#define IOLAB_COURSE_RING_TEST_H

#include <liburing.h>

#include "lab_test.h"

/* The engine's own ring, as it stands in memory that any owner of its descriptor may map. */
struct ring_view {
	int fd;
	const char *rings; /* the first page: the numbers, and not the entries */
	const struct io_uring_sqe *sqes; /* all, where a page holds them, and else NULL */
	struct io_sqring_offsets sq;
	struct io_cqring_offsets cq;
};

/* The descriptor of an engine's ring, or -1 where /proc/self/fd shows none. */
int engines_ring(void);
/* Skips the test where the ring cannot be mapped. */
struct ring_view view_ring(void);
void close_view(const struct ring_view *view);
/* At one of the offsets `sq` and `cq`. */
unsigned number_at(const struct ring_view *view, unsigned offset);
/* Performs the operation, and returns the SQE that was handed over last. Skips the test where no page holds all. */
struct io_uring_sqe sqe_of(struct subject *s, const struct ring_view *view, struct io_op *op);

/* Was the engine asked for this option? False where it has none of this name. */
bool has_option(const struct subject *s, const char *name);

/* Batches of every size: an entry that was taken and not filled would come back as what it last was. */
void an_entry_for_each_operation(struct subject *s);
/* A sync of what has no disk behind it is refused, so it has reached the kernel as a sync. */
void a_sync_is_a_sync(struct subject *s);
/* Both end with 0, and a disk that is slow or a machine that loses its power tells them apart. */
void each_sync_has_its_flag(struct subject *s);
/* A kernel may lack any one operation. Then that kind is refused, and no other one. */
void asks_for_the_very_operation(struct subject *s);
/* With the option fixed_buffers. */
void uses_registered_buffers(struct subject *s);
/* With the option fixed_files. */
void an_empty_place_is_no_descriptor(struct subject *s);

#endif
