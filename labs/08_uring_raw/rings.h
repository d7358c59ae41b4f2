/* SPDX-License-Identifier: MIT */
/*
 * io_uring without a library: two rings in memory that this program and the kernel share.
 *
 * A ring has a head and a tail. Both only grow, wrap from UINT32_MAX to 0, and are masked when an entry
 * is looked up. Who adds entries writes the tail, who takes them writes the head, and nobody else does.
 * So there is no lock. There is an order instead: an index says something about entries, and may be
 * written only when it is true.
 *
 *   ring          adds         takes        entries
 *   submission    program      kernel       indices of SQEs (struct io_uring_sqe)
 *   completion    kernel       program      CQEs (struct io_uring_cqe)
 *
 * The functions are in this header so that the compiler can put them where they are called: some of them
 * run once for each operation.
 */
#ifndef IOLAB_RINGS_H
#define IOLAB_RINGS_H

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_NS_PER_S INT64_C(1000000000)

/*
 * The interface: three system calls, and mmap(2) for the memory. They stand behind pointers, so that a
 * test can be the kernel. Each returns what the call returns, or -errno.
 */
struct ring_calls {
	int (*setup)(unsigned entries, struct io_uring_params *params);
	int (*enter)(int ring_fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		     const void *argument, size_t argument_len_bytes);
	int (*enroll)(int ring_fd, unsigned opcode, void *argument, unsigned count);
	/* Stores where it is mapped. */
	int (*map)(void **memory, int ring_fd, size_t len_bytes, uint64_t offset);
};

/* glibc has no functions for them. */
static inline int kernel_setup(unsigned entries, struct io_uring_params *params)
{
	long rc = syscall(__NR_io_uring_setup, entries, params);
	return rc < 0 ? -errno : (int)rc;
}

static inline int kernel_enter(int ring_fd, unsigned to_submit, unsigned min_complete,
			       unsigned flags, const void *argument, size_t argument_len_bytes)
{
	long rc = syscall(__NR_io_uring_enter, ring_fd, to_submit, min_complete, flags, argument,
			  argument_len_bytes);
	return rc < 0 ? -errno : (int)rc;
}

static inline int kernel_enroll(int ring_fd, unsigned opcode, void *argument, unsigned count)
{
	long rc = syscall(__NR_io_uring_register, ring_fd, opcode, argument, count);
	return rc < 0 ? -errno : (int)rc;
}

static inline int kernel_map(void **memory, int ring_fd, size_t len_bytes, uint64_t offset)
{
	*memory = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_fd,
		       (off_t)offset);
	return *memory == MAP_FAILED ? -errno : 0;
}

static const struct ring_calls kernel_calls = {
	.setup = kernel_setup,
	.enter = kernel_enter,
	.enroll = kernel_enroll,
	.map = kernel_map,
};

struct ring_memory {
	void *start; /* NULL: not mapped */
	size_t len_bytes;
};

struct rings {
	const struct ring_calls *calls;
	int fd; /* below 0: none */
	bool polled; /* a thread of the kernel looks at the submission ring (IORING_SETUP_SQPOLL) */

	struct io_uring_sqe *sqes;
	uint32_t sq_entries, sq_mask;
	uint32_t sq_filled; /* our own: where the next SQE goes; at or ahead of the shared tail */
	uint32_t *sq_tail; /* shared, written here */
	const uint32_t *sq_head; /* shared, written by the kernel */
	const uint32_t *sq_flags; /* shared, written by the kernel: IORING_SQ_... */

	const struct io_uring_cqe *cqes;
	uint32_t cq_mask;
	uint32_t cq_taken; /* our own copy of the shared head */
	uint32_t *cq_head; /* shared, written here */
	const uint32_t *cq_tail; /* shared, written by the kernel */

	struct ring_memory sq_memory, cq_memory, sqe_memory;
};

/* Right after rings_open(), whatever it answered. */
static inline void rings_close(struct rings *r)
{
	const struct ring_memory *all[] = { &r->sq_memory, &r->cq_memory, &r->sqe_memory };
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i]->start)
			munmap(all[i]->start, all[i]->len_bytes);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

static inline int rings_map(struct rings *r, struct ring_memory *memory, size_t len_bytes,
			    uint64_t offset)
{
	void *start;
	int rc = r->calls->map(&start, r->fd, len_bytes, offset);
	if (rc == 0)
		*memory = (struct ring_memory) { start, len_bytes };
	return rc;
}

static inline uint32_t *ring_word(const struct ring_memory *memory, uint32_t offset_bytes)
{
	return (uint32_t *)((char *)memory->start + offset_bytes);
}

/*
 * Creates the rings. io_uring_setup(2) answers with a descriptor, the sizes and, for each field, its
 * offset in what mmap(2) of the descriptor brings. The two rings and the SQEs are three mappings.
 * (With IORING_FEAT_SINGLE_MMAP the rings are one piece of memory. Two mappings of it are right too.)
 * Returns 0 or -errno.
 */
static inline int rings_open(struct rings *r, const struct ring_calls *calls, unsigned entries,
			     struct io_uring_params *params)
{
	*r = (struct rings) { .calls = calls };
	r->fd = calls->setup(entries, params);
	if (r->fd < 0)
		return r->fd;
	r->polled = params->flags & IORING_SETUP_SQPOLL;

	const struct io_sqring_offsets *sq = &params->sq_off;
	const struct io_cqring_offsets *cq = &params->cq_off;
	int rc = rings_map(r, &r->sq_memory,
			   sq->array + params->sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	if (rc == 0)
		rc = rings_map(r, &r->cq_memory,
			       cq->cqes + params->cq_entries * sizeof(struct io_uring_cqe),
			       IORING_OFF_CQ_RING);
	if (rc == 0)
		rc = rings_map(r, &r->sqe_memory, params->sq_entries * sizeof(struct io_uring_sqe),
			       IORING_OFF_SQES);
	if (rc < 0) {
		rings_close(r);
		return rc;
	}

	r->sqes = r->sqe_memory.start;
	r->sq_entries = params->sq_entries;
	r->sq_mask = *ring_word(&r->sq_memory, sq->ring_mask);
	r->sq_head = ring_word(&r->sq_memory, sq->head);
	r->sq_tail = ring_word(&r->sq_memory, sq->tail);
	r->sq_flags = ring_word(&r->sq_memory, sq->flags);
	r->sq_filled = *r->sq_tail;

	r->cqes = (const void *)ring_word(&r->cq_memory, cq->cqes);
	r->cq_mask = *ring_word(&r->cq_memory, cq->ring_mask);
	r->cq_head = ring_word(&r->cq_memory, cq->head);
	r->cq_tail = ring_word(&r->cq_memory, cq->tail);
	r->cq_taken = *r->cq_head;

	/* The submission ring holds indices of SQEs, in any order. Here place i always names SQE i. */
	uint32_t *array = ring_word(&r->sq_memory, sq->array);
	for (uint32_t i = 0; i < params->sq_entries; i++)
		array[i] = i;
	return 0;
}

/*
 * The next free SQE, all zero, for the caller to fill in before rings_publish(). NULL when the ring is
 * full. Acquire: the kernel has read an entry before its head says so, and only then is it written anew.
 */
static inline struct io_uring_sqe *rings_next_sqe(struct rings *r)
{
	uint32_t head = __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE);
	if (r->sq_filled - head == r->sq_entries)
		return NULL;
	struct io_uring_sqe *sqe = &r->sqes[r->sq_filled++ & r->sq_mask];
	*sqe = (struct io_uring_sqe) { 0 };
	return sqe;
}

/* Release: who sees the tail sees the entries before it. */
static inline void rings_publish(struct rings *r)
{
	__atomic_store_n(r->sq_tail, r->sq_filled, __ATOMIC_RELEASE);
}

/* Entries that the kernel has not taken. */
static inline unsigned rings_unsubmitted(const struct rings *r)
{
	return r->sq_filled - __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE);
}

/*
 * Does the polling thread sleep, or is it about to? It sets the flag, then looks at the tail once more.
 * Here the tail was written, and then the flag is read. Each side writes one word and reads the other's.
 * A processor may let the read go first, on both sides. Then neither sees the other, and the entry waits
 * for ever. Only a full barrier between the write and the read forbids that, here as in the kernel.
 */
static inline bool rings_poller_sleeps(const struct rings *r)
{
	__sync_synchronize();
	return __atomic_load_n(r->sq_flags, __ATOMIC_RELAXED) & IORING_SQ_NEED_WAKEUP;
}

/* The kernel keeps completions that found the ring full (IORING_FEAT_NODROP). */
static inline bool rings_overflowed(const struct rings *r)
{
	return __atomic_load_n(r->sq_flags, __ATOMIC_RELAXED) & IORING_SQ_CQ_OVERFLOW;
}

/*
 * Hands over all entries, and waits until `min` completions are in the ring or `timeout_ns` has passed;
 * below 0: for ever. That is one system call, or none where nothing is to be done. `more_flags` are
 * IORING_ENTER_... that the caller wants in any case. Returns what io_uring_enter(2) does: the entries
 * taken, or -errno.
 */
static inline int rings_enter(struct rings *r, unsigned min, int64_t timeout_ns,
			      unsigned more_flags)
{
	rings_publish(r);
	unsigned to_submit = rings_unsubmitted(r);
	unsigned flags = more_flags;
	bool needed = more_flags || (to_submit > 0 && !r->polled);
	if (to_submit > 0 && r->polled && rings_poller_sleeps(r))
		flags |= IORING_ENTER_SQ_WAKEUP;
	if (timeout_ns == 0)
		min = 0;
	if (min > 0 || rings_overflowed(r))
		flags |= IORING_ENTER_GETEVENTS;
	if (!needed && flags == 0)
		return 0;

	if (min == 0 || timeout_ns < 0)
		return r->calls->enter(r->fd, to_submit, min, flags, NULL, 0);
	/* Linux 5.11 takes a time limit in the same call. */
	struct __kernel_timespec limit = { .tv_sec = timeout_ns / RING_NS_PER_S,
					   .tv_nsec = timeout_ns % RING_NS_PER_S };
	struct io_uring_getevents_arg argument = { .ts = (uintptr_t)&limit };
	return r->calls->enter(r->fd, to_submit, min, flags | IORING_ENTER_EXT_ARG, &argument,
			       sizeof argument);
}

/*
 * Under IORING_SETUP_SQPOLL entries become free some time after they were handed over. Waits until one
 * is (Linux 5.10). Returns 0 or -errno.
 */
static inline int rings_wait_for_room(struct rings *r)
{
	unsigned wakeup = rings_poller_sleeps(r) ? IORING_ENTER_SQ_WAKEUP : 0;
	int rc = r->calls->enter(r->fd, 0, 0, IORING_ENTER_SQ_WAIT | wakeup, NULL, 0);
	return rc < 0 ? rc : 0;
}

/* Acquire: who sees the tail sees the completions before it. */
static inline unsigned rings_ready(const struct rings *r)
{
	return __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) - r->cq_taken;
}

/*
 * Copies up to `max` completions out, and gives their places back to the kernel. Release: they are read
 * before the head says so, since the kernel may write there at once. Returns how many.
 */
static inline unsigned rings_take(struct rings *r, struct io_uring_cqe *taken, unsigned max)
{
	unsigned ready = rings_ready(r);
	unsigned count = ready < max ? ready : max;
	for (unsigned i = 0; i < count; i++) {
		const struct io_uring_cqe *cqe = &r->cqes[(r->cq_taken + i) & r->cq_mask];
		taken[i].user_data = cqe->user_data;
		taken[i].res = cqe->res;
		taken[i].flags = cqe->flags;
	}
	r->cq_taken += count;
	__atomic_store_n(r->cq_head, r->cq_taken, __ATOMIC_RELEASE);
	return count;
}

#endif
