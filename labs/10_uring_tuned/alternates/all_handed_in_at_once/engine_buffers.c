/* SPDX-License-Identifier: MIT */
/*
 * Buffers that the kernel chooses from: it takes one when bytes are there, and a completion names it by its
 * number. To give one back is to write into the ring of their addresses: it costs no system call.
 *
 * Behind them lies a reserve that the kernel knows nothing of. Receives that nobody asked for may hold
 * every buffer of the ring. Then a receive that somebody did ask for is lent one of these.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "newer_kernels.h"
#include "tuned.h"

/* The kernel's limit for one ring of buffers. */
#define ENTRIES_MAX 32768

/* For receives into the caller's buffers: enough for a message on every descriptor. */
#define OWN_COUNT_MIN 8
#define OWN_COUNT_MAX 4096
#define OWN_BYTES_MIN 512
#define OWN_BYTES_MAX 8192

#define CACHE_LINE_BYTES 64
#define PAGE_BYTES	 4096

static unsigned clamped(size_t value, unsigned least, unsigned most)
{
	return value < least ? least : value > most ? most : (unsigned)value;
}

static unsigned power_of_two_from(unsigned count)
{
	unsigned power = 1;
	while (power < count)
		power *= 2;
	return power;
}

static size_t ring_len_bytes(const struct buffers *b)
{
	return b->entries * sizeof(struct io_uring_buf);
}

void *buffers_at(const struct buffers *b, unsigned number)
{
	return b->block + (size_t)number * b->stride_bytes;
}

/* The kernel may take it from now on. */
static void hand_in(struct buffers *b, unsigned number)
{
	int mask = io_uring_buf_ring_mask(b->entries);
	b->states[number] = (struct buffer_state) { .place = b->ring->tail, .users = 1 };
	io_uring_buf_ring_add(b->ring, buffers_at(b, number), b->len_bytes, (unsigned short)number,
			      mask, 0);
	io_uring_buf_ring_advance(b->ring, 1);
}

void buffers_release(struct buffers *b, unsigned number)
{
	if (--b->states[number].users == 0)
		hand_in(b, number);
}

void *buffers_reserve_take(struct buffers *b)
{
	assert(b->reserve_free > 0);
	return buffers_at(b, b->reserve[--b->reserve_free]);
}

static unsigned number_of(const struct buffers *b, const void *buf)
{
	size_t offset_bytes = (size_t)((const char *)buf - b->block);
	assert(offset_bytes % b->stride_bytes == 0 &&
	       offset_bytes / b->stride_bytes < b->count + b->reserve_count);
	return (unsigned)(offset_bytes / b->stride_bytes);
}

void buffers_give_back(struct buffers *b, void *buf)
{
	unsigned number = number_of(b, buf);
	b->lent--;
	if (number >= b->count)
		b->reserve[b->reserve_free++] = number;
	else
		buffers_release(b, number);
}

struct span buffers_next_span(struct buffers *b, struct arrival *arrival)
{
	struct buffer_state *state = &b->states[arrival->number];
	struct span span = { .number = arrival->number, .from = state->used_bytes };
	uint32_t room = b->len_bytes - span.from;
	span.len_bytes = arrival->left_bytes < room ? arrival->left_bytes : room;
	arrival->left_bytes -= span.len_bytes;
	state->used_bytes += span.len_bytes;
	if (arrival->left_bytes > 0) /* in the order in which they were handed in */
		arrival->number = b->ring->bufs[(state->place + 1u) % b->entries].bid;
	else if (arrival->goes_on)
		state->users++; /* the kernel stays one */
	return span;
}

void buffers_unused(struct buffers *b, uint32_t completion_flags)
{
	if (!(completion_flags & COMPLETION_BUFFER_GOES_ON))
		buffers_release(b, completion_flags >> IORING_CQE_BUFFER_SHIFT);
}

static int register_ring(struct buffers *b, struct io_uring *uring, struct reason *why)
{
	struct buffer_ring_registration registration = {
		.ring_addr = (uintptr_t)b->ring,
		.ring_entries = b->entries,
		.group = BUFFER_GROUP,
		.flags = b->incremental ? BUFFER_RING_INCREMENTAL : 0,
	};
	int rc = io_uring_register_buf_ring(uring, (struct io_uring_buf_reg *)&registration, 0);
	if (rc == -EINVAL && b->incremental)
		return reason_errno(why, "kernel_too_old", rc, "{option} needs Linux {linux}",
				    reason_string("option", "incremental"),
				    reason_string("linux", "6.12"));
	return rc < 0 ? reason_errno(why, "register_buffer_ring", rc,
				     "registering {buffers} buffers that the kernel chooses from",
				     reason_int("buffers", b->count))
		      : 0;
}

/* How many, and how long. Returns false when there are none. */
static bool measure(struct buffers *b, const struct engine_config *config)
{
	bool ahead = config->options & MULTISHOT;
	b->incremental = config->options & INCREMENTAL;
	if (config->lent_count == 0 && !ahead)
		return false;
	b->lent_most = config->lent_count;
	b->count = config->lent_count;
	b->len_bytes = config->lent_len_bytes;
	b->reserve_count = ahead ? config->lent_count : 0;
	if (config->lent_count == 0) {
		unsigned sockets =
			config->max_fds < config->depth ? config->max_fds : config->depth;
		size_t buffer_bytes = config->arena_len_bytes / config->depth;
		b->count = clamped(sockets, OWN_COUNT_MIN, OWN_COUNT_MAX);
		b->len_bytes = clamped(buffer_bytes, OWN_BYTES_MIN, OWN_BYTES_MAX);
		/* Fewer, and longer: each holds many messages. */
		if (b->incremental) {
			b->count = clamped(b->count / 4, OWN_COUNT_MIN, OWN_COUNT_MAX);
			b->len_bytes *= 4;
		}
	}
	b->entries = power_of_two_from(b->count);
	/*
	 * The first lines of buffers that are pages apart would compete for the same few places of a
	 * cache.
	 */
	b->stride_bytes =
		((size_t)b->len_bytes + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1);
	if (b->stride_bytes % PAGE_BYTES == 0)
		b->stride_bytes += CACHE_LINE_BYTES;
	return true;
}

static int allocate(struct buffers *b, struct reason *why)
{
	unsigned all = b->count + b->reserve_count;
	/* The ring begins a page, as the kernel demands. */
	void *ring = mmap(NULL, ring_len_bytes(b), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	b->ring = ring == MAP_FAILED ? NULL : ring;
	b->block = malloc(all * b->stride_bytes);
	b->states = calloc(b->count, sizeof *b->states);
	b->reserve = calloc(all, sizeof *b->reserve);
	bool complete = b->ring && b->block && b->states && b->reserve;
	return complete ? 0 : reason_no_memory(why, "buffers that the kernel chooses from");
}

/* The kernel sees them all with one store of the tail. */
static void hand_all_in(struct buffers *b)
{
	for (unsigned number = 0; number < b->count; number++) {
		b->states[number] = (struct buffer_state) { .place = (uint16_t)number, .users = 1 };
		io_uring_buf_ring_add(b->ring, buffers_at(b, number), b->len_bytes,
				      (unsigned short)number, io_uring_buf_ring_mask(b->entries),
				      (int)number);
	}
	io_uring_buf_ring_advance(b->ring, (int)b->count);
}

int buffers_open(struct buffers *b, struct io_uring *uring, const struct engine_config *config,
		 struct reason *why)
{
	if (config->lent_count > ENTRIES_MAX)
		return reason_errno(
			why, "too_many_lent_buffers", E2BIG,
			"{buffers} buffers to lend, and the kernel takes {limit} at most",
			reason_int("buffers", config->lent_count),
			reason_int("limit", ENTRIES_MAX));
	if (config->lent_count > 0 && (config->options & INCREMENTAL))
		return reason_errno(why, "incremental_lends_none", EOPNOTSUPP,
				    "lending buffers of which the kernel still fills the rest");
	if (!measure(b, config))
		return 0;
	int rc = allocate(b, why);
	if (rc == 0)
		rc = register_ring(b, uring, why);
	if (rc < 0)
		return rc;
	io_uring_buf_ring_init(b->ring);
	hand_all_in(b);
	while (b->reserve_free < b->reserve_count) {
		b->reserve[b->reserve_free] = b->count + b->reserve_free;
		b->reserve_free++;
	}
	return 0;
}

void buffers_close(struct buffers *b)
{
	if (b->ring)
		munmap(b->ring, ring_len_bytes(b));
	free(b->block);
	free(b->states);
	free(b->reserve);
}
