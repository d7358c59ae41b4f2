/* SPDX-License-Identifier: MIT */
/*
 * What the tests of an engine that stands on liburing are written with, beside lab_test.h: a look at the ring
 * that it shares with the kernel, and the tests that such engines have in common.
 */
#ifndef IOLAB_COURSE_RING_TEST_H
#define IOLAB_COURSE_RING_TEST_H

#include <liburing.h>

#include "lab_test.h"

#define RING_ENTER "io_uring_enter"
/* More than the submission ring of any engine holds. */
#define MORE_THAN_A_RING 5000u

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
struct io_uring_sqe last_sqe_of(struct subject *s, const struct ring_view *view, struct io_op *op);

/* Was the engine asked for this option? False where it has none of this name. */
bool has_option(const struct subject *s, const char *name);
/* By which the engine, with its options, asks the kernel for `kind`. */
int ring_opcode_of(const struct subject *s, enum io_kind kind);

struct io_op *ring_no_op(struct subject *s, unsigned slot);
/* The same, in slots 0 to `count` - 1. */
void ring_no_ops(struct subject *s, struct io_op **ops, unsigned count);
struct io_op *ring_receive(struct subject *s, unsigned slot, int fd, unsigned fd_slot);
/* submit() itself, for what start_all() would put right. Returns how many were accepted. */
unsigned ring_submit_once(struct subject *s, struct io_op *const *ops, unsigned count);
/* At most so many io_uring_enter since calls_reset(), and no other call. */
void expect_ring_calls(unsigned most, const char *what);

/* Connections on which receives wait. */
#define RING_CONNECTIONS_MOST 16u

struct ring_connections {
	unsigned count;
	int ends[RING_CONNECTIONS_MOST][2];
};

/* Opens the engine, too. */
void open_ring_connections(struct subject *s, struct ring_connections *c, unsigned count,
			   unsigned depth);
void close_ring_connections(struct subject *s, const struct ring_connections *c);

/* Of this process. */
unsigned count_open_descriptors(void);

/* Entries. */

/* Batches of every size: an entry that was taken and not filled would come back as what it last was. */
void an_entry_for_each_operation(struct subject *s);
/* A sync of what has no disk behind it is refused, so it has reached the kernel as a sync. */
void a_sync_is_a_sync(struct subject *s);
/* Both end with 0, and a disk that is slow or a machine that loses its power tells them apart. */
void each_sync_has_its_flag(struct subject *s);
/* New kernels add the flag themselves, older ones do not. */
void a_send_raises_no_signal(struct subject *s);
/* What found room is the result, and the rest is the caller's affair. */
void a_send_ends_with_what_fits(struct subject *s);
/* With the option fixed_buffers. */
void uses_registered_buffers(struct subject *s);
/* With the option fixed_files. */
void an_empty_place_is_no_descriptor(struct subject *s);
void what_is_detached_is_let_go(struct subject *s);

/* Waits, and a full ring. */

void submit_makes_no_call(struct subject *s);
void what_is_beyond_max_stays(struct subject *s);
void one_call_a_batch_of_messages(struct subject *s);
void ring_is_taken_from_without_a_call(struct subject *s);
void does_not_wait_when_enough_is_there(struct subject *s);
void hands_over_even_if_it_may_not_wait(struct subject *s);
void a_time_limit_is_part_of_the_call(struct subject *s);
void ring_endless_wait_is_one_call(struct subject *s);
void goes_on_behind_a_full_ring(struct subject *s);
void a_refusal_is_back_pressure(struct subject *s);

/* Cancels. */

void a_cancel_is_part_of_the_batch(struct subject *s);
void a_cancels_completion_ends_no_wait(struct subject *s);
void what_came_back_is_waited_for_no_more(struct subject *s);
void a_cancel_begins_no_time_anew(struct subject *s);
void max_is_kept_beside_a_cancel(struct subject *s);
void a_full_ring_has_room_for_cancels(struct subject *s);
void what_nobody_called_back_goes_on(struct subject *s);
void cancels_without_room_are_all_asked(struct subject *s);
void a_cancel_without_room_is_not_forgotten(struct subject *s);
void a_cancel_without_room_twice_is_asked_again(struct subject *s);
void what_is_over_is_called_back_no_more(struct subject *s);
void a_cancel_names_one_operation(struct subject *s);
void a_cancel_leaves_the_other_direction(struct subject *s);
/* More are in flight than the submission ring has places, and each of them is called back. */
void a_deep_engine_calls_all_back(struct subject *s);

/* What the kernel lacks or refuses. */

/* Of the features of each ring that liburing makes from now on (IORING_FEAT_*), these seem to be missing. */
void hide_ring_features(unsigned features);
/* The kernel does not hear of these flags (IORING_SETUP_*) of rings that liburing makes from now on. */
void hide_ring_flags(unsigned flags);

/* A kernel may lack any one operation. Then that kind is refused, and no other one. */
void asks_for_the_very_operation(struct subject *s);
void takes_completions_from_a_busy_kernel(struct subject *s);
void a_busy_kernel_is_no_error(struct subject *s);
void a_broken_ring_is_told(struct subject *s);
void a_broken_ring_is_told_beside_a_cancel(struct subject *s);
void supports_leaves_nothing_behind(struct subject *s);
void an_unanswered_probe_is_no_promise(struct subject *s);
void a_ring_is_as_large_as_needed(struct subject *s);
void ring_opens_for_more_than_it_holds(struct subject *s);
void lends_as_many_as_a_ring_holds(struct subject *s);
void keeps_no_page_of_what_it_lent(struct subject *s);

#endif
