/* SPDX-License-Identifier: MIT */
/* What the kernel's interface has and the header of liburing 2.3 lacks, as linux/io_uring.h has it. */
#ifndef IOLAB_NEWER_KERNELS_H
#define IOLAB_NEWER_KERNELS_H

#include <linux/time_types.h>
#include <stdint.h>

/* io_uring_setup(2): flags, and what the kernel says it can */
enum {
	SETUP_NO_SQARRAY = 1 << 16, /* Linux 6.6 */
	SETUP_HYBRID_IOPOLL = 1 << 17, /* Linux 6.13 */
	FEATURE_RECEIVE_BUNDLES = 1 << 14, /* Linux 6.10 */
	FEATURE_MIN_WAIT = 1 << 15, /* Linux 6.12 */
};

/* Of a receive: one completion may span several buffers. Of a completion: its buffer is not full. */
enum {
	RECEIVE_BUNDLE = 1 << 4, /* Linux 6.10 */
	COMPLETION_BUFFER_GOES_ON = 1 << 4, /* Linux 6.12 */
};

/* IORING_REGISTER_PBUF_RING, with a field that was padding until Linux 6.12 */
struct buffer_ring_registration {
	uint64_t ring_addr;
	uint32_t ring_entries;
	uint16_t group;
	uint16_t flags;
	uint64_t reserved[3];
};
enum { BUFFER_RING_INCREMENTAL = 2 };

/* io_uring_enter(2), IORING_ENTER_EXT_ARG: the second word was padding until Linux 6.12 */
struct wait_argument {
	uint64_t signals;
	uint32_t signals_len_bytes;
	uint32_t min_wait_us;
	uint64_t timeout; /* the address of a struct __kernel_timespec */
};

/* The same in memory that the kernel has at hand: Linux 6.13 */
struct registered_wait {
	struct __kernel_timespec timeout;
	uint32_t min_wait_us;
	uint32_t flags;
	uint64_t signals;
	uint32_t signals_len_bytes;
	uint32_t padding[3];
	uint64_t reserved[2];
};
enum { WAIT_HAS_TIMEOUT = 1, ENTER_REGISTERED_WAIT = 1 << 6 };

struct memory_region {
	uint64_t user_addr;
	uint64_t len_bytes;
	uint32_t flags;
	uint32_t id;
	uint64_t mmap_offset;
	uint64_t reserved[4];
};
struct memory_registration {
	uint64_t region; /* the address of a struct memory_region */
	uint64_t flags;
	uint64_t reserved[2];
};
enum { REGISTER_MEMORY = 34, REGION_OF_USER = 1, REGION_FOR_WAITS = 1 };

_Static_assert(sizeof(struct registered_wait) == 64, "as the kernel has it");

#endif
