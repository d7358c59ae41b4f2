/* SPDX-License-Identifier: MIT */
/*
 * ring_cat: writes a file to its standard output through io_uring, by mmap(2) and barriers alone.
 *
 *     cc -O2 -Wall -Wextra -o build/ring_cat labs/08_uring_raw/program.c
 *     build/ring_cat [-d] [-p] FILE     -d draws both rings at each step; -p lets the kernel poll
 *
 * One block is read while the one before it is written. With -p a thread of the kernel looks at the
 * submission ring, and this program at the completion ring: then it makes no system call at all.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES	    4
#define PLACES	    (2 * ENTRIES) /* of the completion ring */
#define BLOCK_BYTES 65536
#define AT(address) ((void *)(address))

static int ring_fd;
static bool draws, polls;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static unsigned *sq_head, *sq_tail, *sq_flags, *sq_array, *cq_head, *cq_tail;
static unsigned filled, enters; /* our own tail: SQEs that were filled in; calls */
enum { READS = 'R', WRITES = 'W' }; /* an operation's user_data */

static void *map(size_t len_bytes, off_t offset)
{
	void *memory = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, offset);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	return memory;
}

static void set_up(void)
{
	/* After 1000 ms without work the kernel's thread sleeps. */
	struct io_uring_params params = { .flags = polls ? IORING_SETUP_SQPOLL : 0,
					  .sq_thread_idle = 1000 };
	ring_fd = (int)syscall(__NR_io_uring_setup, ENTRIES, &params);
	if (ring_fd < 0)
		err(1, "io_uring_setup");
	char *sq = map(params.sq_off.array + ENTRIES * sizeof(unsigned), IORING_OFF_SQ_RING);
	char *cq = map(params.cq_off.cqes + PLACES * sizeof *cqes, IORING_OFF_CQ_RING);
	sqes = map(ENTRIES * sizeof *sqes, IORING_OFF_SQES);
	sq_head = AT(sq + params.sq_off.head), sq_tail = AT(sq + params.sq_off.tail);
	sq_flags = AT(sq + params.sq_off.flags), sq_array = AT(sq + params.sq_off.array);
	cq_head = AT(cq + params.cq_off.head), cq_tail = AT(cq + params.cq_off.tail);
	cqes = AT(cq + params.cq_off.cqes);
	for (unsigned i = 0; i < ENTRIES; i++)
		sq_array[i] = i; /* place i names SQE i, for good */
}

/* A small letter is filled in and not shown to the kernel yet. */
static void draw(const char *step)
{
	char sq[ENTRIES + 1] = "....", cq[PLACES + 1] = "........";
	if (!draws)
		return;
	unsigned head = *(volatile unsigned *)sq_head, done = *(volatile unsigned *)cq_tail;
	for (unsigned i = head; i != filled; i++)
		sq[i % ENTRIES] =
			(char)(sqes[i % ENTRIES].user_data | ((int)(i - *sq_tail) >= 0) << 5);
	for (unsigned i = *cq_head; i != done; i++)
		cq[i % PLACES] = (char)cqes[i % PLACES].user_data;
	fprintf(stderr, "%-16s SQ [%s] head %2u tail %2u   CQ [%s] head %2u tail %2u\n", step, sq,
		head, *sq_tail, cq, *cq_head, done);
}

/* The ring is never full: at most two operations are under way. */
static void fill_in(int kind, int fd, char *bytes, unsigned len_bytes, unsigned long long offset)
{
	struct io_uring_sqe *sqe = &sqes[filled++ % ENTRIES];
	memset(sqe, 0, sizeof *sqe);
	sqe->opcode = kind == READS ? IORING_OP_READ : IORING_OP_WRITE;
	sqe->fd = fd;
	sqe->addr = (unsigned long)bytes;
	sqe->len = len_bytes;
	sqe->off = offset; /* all ones: where the descriptor stands, as a pipe wants it */
	sqe->user_data = (unsigned)kind;
	draw(kind == READS ? "read filled in" : "write filled in");
}

/* Shows the kernel what was filled in, and waits until at least one operation is over. */
static void hand_over_and_wait(void)
{
	unsigned new = filled - *sq_tail, flags = polls ? 0 : IORING_ENTER_GETEVENTS;
	__atomic_store_n(sq_tail, filled, __ATOMIC_RELEASE); /* the SQEs before the tail */
	draw("tail written");
	__sync_synchronize(); /* the tail before the flag, or both sides may miss each other */
	if (new > 0 && (__atomic_load_n(sq_flags, __ATOMIC_RELAXED) & IORING_SQ_NEED_WAKEUP))
		flags |= IORING_ENTER_SQ_WAKEUP;
	enters += flags != 0;
	if (flags && syscall(__NR_io_uring_enter, ring_fd, new, !polls, flags, NULL, 0) < 0)
		err(1, "io_uring_enter");
	while (__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) == *cq_head) /* the tail before the CQE */
		;
	draw(flags ? "after the call" : "seen, no call");
}

/* Returns how many bytes the operation moved. */
static unsigned take(int *kind)
{
	const struct io_uring_cqe *cqe = &cqes[*cq_head % PLACES];
	int res = cqe->res;
	*kind = (int)cqe->user_data;
	__atomic_store_n(cq_head, *cq_head + 1, __ATOMIC_RELEASE); /* the CQE before the head */
	draw("head written");
	if (res < 0)
		errx(1, "%c: %s", *kind, strerror(-res));
	return (unsigned)res;
}

int main(int argc, char **argv)
{
	int option, fd, kind;
	while ((option = getopt(argc, argv, "dp")) > 0)
		*(option == 'd' ? &draws : &polls) = true;
	if (optind + 1 != argc)
		errx(2, "usage: ring_cat [-d] [-p] FILE");
	if ((fd = open(argv[optind], O_RDONLY | O_CLOEXEC)) < 0)
		err(1, "%s", argv[optind]);
	set_up();
	static char blocks[2][BLOCK_BYTES];
	unsigned long long offset = 0;
	unsigned len[2] = { 0 }, sent = 0, in = 0, out = 0; /* in: the block to read into */
	bool reading = false, writing = false, ended = false;
	while (!ended || len[out] > 0) {
		if (!reading && !ended && len[in] == 0)
			fill_in(READS, fd, blocks[in], BLOCK_BYTES, offset), reading = 1;
		if (!writing && len[out] > 0)
			fill_in(WRITES, 1, &blocks[out][sent], len[out] - sent, -1), writing = 1;
		hand_over_and_wait();
		unsigned moved = take(&kind);
		if (kind == READS) {
			reading = false, ended = moved == 0, offset += moved;
			len[in] = moved, in ^= moved > 0;
		} else if ((writing = false, sent += moved) == len[out]) {
			len[out] = sent = 0, out ^= 1;
		}
	}
	fprintf(stderr, "%llu bytes, %u calls of io_uring_enter\n", offset, enters);
}
