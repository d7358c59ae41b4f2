/* SPDX-License-Identifier: MIT */
/*
 * uring_copy: copies by io_uring, many blocks in flight, each a chain: read, time limit, write.
 *
 *     cc -O2 -Wall -Wextra -o build/uring_copy labs/09_io_uring/program.c -luring
 *     build/uring_copy SOURCE TARGET [BLOCKS_IN_FLIGHT]    "-" is standard input; TARGET is a file
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES 65536u
#define BLOCKS_MAX  64u
#define SQ_ENTRIES  16u /* few on purpose: they run out */
#define PATIENCE_MS 300
enum step { READ, TIME_LIMIT, WRITE, STEPS };

static struct block {
	uint64_t offset;
	unsigned want, have, written, pending; /* bytes to read, read, written; CQEs to come */
	int result[STEPS];
	char bytes[BLOCK_BYTES];
} blocks[BLOCKS_MAX];

static struct io_uring ring;
static bool is_stream, ended; /* no positions, so one block at a time; a read has found the end */
static uint64_t next_offset;
static int in, out, active; /* descriptors; blocks that have a chain in flight */
static unsigned long bytes, chains, calls, for_room, cut_short, timed_out; /* counted */

static void die(const char *what, int error)
{
	fprintf(stderr, "uring_copy: %s: %s\n", what, strerror(error));
	exit(1);
}

/* Hands over all SQEs and waits until `wanted` CQEs are there, in one system call. */
static void enter(unsigned wanted)
{
	calls++;
	int rc = io_uring_submit_and_wait(&ring, wanted);
	if (rc < 0 && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
		die("io_uring_enter", -rc);
}

/* The kernel takes a chain from one call only, so room is made for all of it first. */
static void make_room(unsigned sqes)
{
	for (; io_uring_sq_space_left(&ring) < sqes; for_room++)
		enter(0);
}

static struct io_uring_sqe *sqe_for(const struct block *b, enum step step)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring); /* not NULL: there is room */
	io_uring_sqe_set_data64(sqe, (uint64_t)(b - blocks) * STEPS + step);
	return sqe;
}

static void begin_chain(struct block *b)
{
	/* Only its address is in the SQE until a later call hands that over: no variable on the stack. */
	static struct __kernel_timespec patience = { .tv_nsec = PATIENCE_MS * 1000000ll };
	make_room(STEPS);
	struct io_uring_sqe *sqe = sqe_for(b, READ);
	io_uring_prep_read(sqe, in, b->bytes, b->want, is_stream ? (uint64_t)-1 : b->offset);
	sqe->flags |= IOSQE_IO_LINK;
	sqe = sqe_for(b, TIME_LIMIT);
	io_uring_prep_link_timeout(sqe, &patience, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe = sqe_for(b, WRITE);
	io_uring_prep_write(sqe, out, b->bytes, b->want, b->offset);
	chains++;
	b->written = 0, b->pending = STEPS;
}

static void begin_block(struct block *b)
{
	b->offset = next_offset;
	next_offset += b->want = BLOCK_BYTES;
	begin_chain(b);
}

/* All CQEs of its chain, or of the rest of a write, have come. */
static void go_on(struct block *b)
{
	int read = b->result[READ], wrote = b->result[WRITE];
	if (read == -ECANCELED) /* by the time limit, and the write with it */
		return timed_out++, begin_chain(b);
	if (read < 0 || (wrote < 0 && wrote != -ECANCELED))
		die(read < 0 ? "reading" : "writing", read < 0 ? -read : -wrote);
	b->have = (unsigned)read;
	b->written += wrote > 0 ? (unsigned)wrote : 0;
	if (b->written < b->have) {
		cut_short += wrote == -ECANCELED; /* a short read cuts its chain */
		make_room(1);
		io_uring_prep_write(sqe_for(b, WRITE), out, b->bytes + b->written,
				    b->have - b->written, b->offset + b->written);
		b->pending = 1;
		return;
	}
	bytes += b->have;
	ended = ended || b->have == 0;
	b->offset += b->have;
	b->want = is_stream ? BLOCK_BYTES : b->want - b->have;
	if (b->have > 0 && b->want > 0)
		return begin_chain(b); /* short, and perhaps not at the end: the next read tells */
	active -= ended;
	if (!ended)
		begin_block(b);
}

int main(int argc, char **argv)
{
	int in_flight = argc == 4 ? atoi(argv[3]) : 16;
	if (argc < 3 || argc > 4 || in_flight < 1 || in_flight > (int)BLOCKS_MAX)
		return fprintf(stderr, "usage: uring_copy SOURCE TARGET [BLOCKS, 1 to 64]\n"), 2;
	in = strcmp(argv[1], "-") ? open(argv[1], O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (in < 0 || out < 0)
		die("opening", errno);
	is_stream = lseek(in, 0, SEEK_CUR) < 0;
	struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE };
	params.cq_entries = STEPS * BLOCKS_MAX; /* all that can be outstanding */
	int rc = io_uring_queue_init_params(SQ_ENTRIES, &ring, &params);
	if (rc < 0)
		die("io_uring_setup", -rc);
	for (active = 0; active < (is_stream ? 1 : in_flight); active++)
		begin_block(&blocks[active]);
	while (active > 0) {
		struct io_uring_cqe *cqe;
		enter(1);
		while (io_uring_peek_cqe(&ring, &cqe) == 0) {
			struct block *b = &blocks[cqe->user_data / STEPS];
			b->result[cqe->user_data % STEPS] = cqe->res;
			io_uring_cqe_seen(&ring, cqe); /* from here the entry is the kernel's */
			if (--b->pending == 0)
				go_on(b);
		}
	}
	printf("%lu bytes in %lu chains: %lu calls of io_uring_enter, %lu of them to make room; "
	       "%lu chains cut by a short read, %lu by the time limit\n",
	       bytes, chains, calls, for_room, cut_short, timed_out);
	return 0;
}
