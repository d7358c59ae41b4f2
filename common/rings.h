/* SPDX-License-Identifier: MIT */
/*
 * io_uring without a library: two rings in memory that this program and the kernel share.
 *
 * A ring has a head and a tail. Both only grow, go on from UINT32_MAX to 0, and are masked when an entry
 * is looked up. Who adds entries writes the tail, who takes them writes the head, and nobody else does.
 * So there is no lock. There is an order instead: an index says something about entries, and may be
 * written only when it is true.
 *
 *   ring          adds         takes        entries
 *   submission    program      kernel       numbers of SQEs (struct io_uring_sqe)
 *   completion    kernel       program      CQEs (struct io_uring_cqe)
 *
 * Here is what an engine on the rings (labs/08_uring_raw) and its tests both know: the calls that reach
 * the kernel, the rings as they are mapped, and the steps.
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

/* io_uring_register(2); `register` is a word of C. */
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
	int fd;
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

/* What an engine does to the rings, one step at a time. */
struct ring_steps {
	/* Creates the rings and maps them. Returns 0 or -errno; then nothing is left behind. */
	int (*open)(struct rings *r, const struct ring_calls *calls, unsigned entries,
		    struct io_uring_params *params);
	void (*close)(struct rings *r);
	/* The next free SQE, all zero, to be filled in before publish(). NULL: the ring is full. */
	struct io_uring_sqe *(*next_sqe)(struct rings *r);
	/* Shows the kernel all that was filled in. */
	void (*publish)(struct rings *r);
	/*
	 * Publishes and hands over all entries, and waits until `min` completions are in the ring or
	 * `timeout_ns` has passed; below 0: for ever. That is one system call, or none where nothing is
	 * to be done. Returns what io_uring_enter(2) does: the entries taken, or -errno.
	 */
	int (*enter)(struct rings *r, unsigned min, int64_t timeout_ns);
	/*
	 * With IORING_SETUP_SQPOLL entries become free some time after they were published. Waits until
	 * one is. Returns 0 or -errno.
	 */
	int (*wait_for_room)(struct rings *r);
	/*
	 * Copies up to `max` completions out, and gives their places back to the kernel. Returns how
	 * many.
	 */
	unsigned (*take)(struct rings *r, struct io_uring_cqe *taken, unsigned max);
};

/*
 * An engine shows its steps to tests as it registers itself: through a section, so that two engines of
 * one program may have functions of the same names.
 */
#define RING_STEPS(steps)                                                                          \
	static const struct ring_steps *const steps##_shown                                        \
		__attribute__((used, section("ring_steps"))) = &(steps)

#endif
