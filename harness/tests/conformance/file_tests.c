/* SPDX-License-Identifier: MIT */
/* What every engine must do with regular files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conformance.h"
#include "random.h"
#include "tests.h"

#define BLOCK	    4096u
#define FILE_BLOCKS 64u

static void check_bytes(const struct subject *s, const struct io_op *op, uint64_t count)
{
	const char *bytes = buffer_of(s, op->slot);
	if (s->ops->traits & IO_MOVES_NO_BYTES)
		return;
	for (uint64_t i = 0; i < count; i++)
		expect(bytes[i] == pattern_byte(op->offset + i),
		       "wrong byte at %llu of the block read from offset %llu",
		       (unsigned long long)i, (unsigned long long)op->offset);
}

void file_read_right_data(struct subject *s)
{
	struct random_stream random = { 7 };
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDONLY);
	open_engine(s, 16, 1);
	attach(s, 0, fd);
	for (unsigned round = 0; round < 16; round++) {
		for (unsigned slot = 0; slot < s->depth; slot++) {
			memset(buffer_of(s, slot), 0x55, BLOCK);
			start(s, prepare(s, slot, IO_READ, fd, 0,
					 BLOCK * random_below(&random, FILE_BLOCKS), BLOCK));
		}
		await_all(s);
		for (unsigned slot = 0; slot < s->depth; slot++) {
			expect(s->op[slot].result == BLOCK, EXPECTED("%u bytes") SAW("%s"), BLOCK,
			       answer(s->op[slot].result));
			check_bytes(s, &s->op[slot], BLOCK);
		}
	}
	close_engine(s);
	close(fd);
}

void file_write_right_data(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDWR);
	open_engine(s, 16, 1);
	attach(s, 0, fd);
	/* Every block once, its words shifted by one, in an order that jumps. */
	for (unsigned i = 0; i < FILE_BLOCKS; i++) {
		unsigned slot = i % s->depth;
		uint64_t offset = (uint64_t)BLOCK * (i * 37 % FILE_BLOCKS);
		if (s->op[slot].in_flight)
			await(s, &s->op[slot]);
		char *bytes = buffer_of(s, slot);
		for (unsigned b = 0; b < BLOCK; b++)
			bytes[b] = pattern_byte(offset + b + 1);
		start(s, prepare(s, slot, IO_WRITE, fd, 0, offset, BLOCK));
	}
	await_all(s);
	for (unsigned slot = 0; slot < s->depth; slot++)
		expect(s->op[slot].result == BLOCK, EXPECTED("%u bytes written") SAW("%s"), BLOCK,
		       answer(s->op[slot].result));
	for (unsigned block = 0; block < FILE_BLOCKS; block++) {
		char *bytes = buffer_of(s, 0);
		expect(pread(fd, bytes, BLOCK, (off_t)block * BLOCK) == BLOCK, "cannot read back");
		for (unsigned b = 0; b < BLOCK; b++)
			expect(bytes[b] == pattern_byte((uint64_t)block * BLOCK + b + 1),
			       "block %u: byte %u did not reach the file", block, b);
	}
	close_engine(s);
	close(fd);
}

void file_read_across_end(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, 2 * BLOCK + 100, O_RDONLY);
	open_engine(s, 2, 1);
	attach(s, 0, fd);
	int64_t across = perform(s, prepare(s, 0, IO_READ, fd, 0, (uint64_t)2 * BLOCK, BLOCK));
	expect(across == 100, EXPECTED("100 bytes up to the end") SAW("%s"), answer(across));
	check_bytes(s, &s->op[0], 100);
	int64_t beyond = perform(s, prepare(s, 1, IO_READ, fd, 0, (uint64_t)3 * BLOCK, BLOCK));
	expect(beyond == 0, EXPECTED("0 beyond the end") SAW("%s"), answer(beyond));
	close_engine(s);
	close(fd);
}

void file_sync(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	memset(buffer_of(s, 0), 1, BLOCK);
	perform(s, prepare(s, 0, IO_WRITE, fd, 0, 0, BLOCK));
	int64_t full = perform(s, prepare(s, 1, IO_FSYNC, fd, 0, 0, 0));
	expect(full == 0, EXPECTED("0 from fsync") SAW("%s"), answer(full));
	int64_t data = perform(s, prepare(s, 2, IO_FDATASYNC, fd, 0, 0, 0));
	expect(data == 0, EXPECTED("0 from fdatasync") SAW("%s"), answer(data));
	close_engine(s);
	close(fd);
}

/* After an error the engine must still work. */
static void still_works(struct subject *s, int fd)
{
	int64_t n = perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	expect(n == BLOCK, WHEN("after the error") EXPECTED("%u bytes") SAW("%s"), BLOCK,
	       answer(n));
	check_bytes(s, &s->op[0], BLOCK);
}

void file_bad_descriptor(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDONLY);
	/* High, so that nothing which the engine opens takes the number. */
	int closed = fcntl(fd, F_DUPFD_CLOEXEC, 500);
	close(closed);
	open_engine(s, 4, 2);
	attach(s, 0, fd);
	struct reason why = { "" };
	if (try_attach(s, 1, closed, &why) == 0) {
		int64_t result = perform(s, prepare(s, 1, IO_READ, closed, 1, 0, BLOCK));
		expect(result == -EBADF, EXPECTED("-EBADF on a closed descriptor") SAW("%s"),
		       answer(result));
	}
	still_works(s, fd);
	close_engine(s);
	close(fd);
}

void file_write_to_read_only(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	int64_t result = perform(s, prepare(s, 1, IO_WRITE, fd, 0, 0, BLOCK));
	expect(result == -EBADF, EXPECTED("-EBADF") SAW("%s"), answer(result));
	still_works(s, fd);
	close_engine(s);
	close(fd);
}

void file_bad_offset(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	int64_t result = perform(s, prepare(s, 1, IO_READ, fd, 0, (uint64_t)INT64_MIN, BLOCK));
	expect(result == -EINVAL, EXPECTED("-EINVAL for a negative offset") SAW("%s"),
	       answer(result));
	still_works(s, fd);
	close_engine(s);
	close(fd);
}

void file_misaligned_direct(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	struct io_op *op = prepare(s, 1, IO_READ, fd, 0, 1, 511);
	int64_t expected = pread(fd, op->buf, op->len_bytes, (off_t)op->offset) < 0 ? -errno : 511;
	int64_t result = perform(s, op);
	expect(result == expected, "pread says %s, the engine %s", answer(expected),
	       answer(result));
	still_works(s, fd);
	close_engine(s);
	close(fd);
}

/* Exactly `depth` in flight, for small and large depths, all offered in one submit(). */
void file_fills_its_depth(struct subject *s)
{
	static const unsigned depths[] = { 1, 2, 3, 7, 33, 64, 999, 1000 };
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDONLY);
	for (unsigned d = 0; d < sizeof depths / sizeof *depths; d++) {
		unsigned depth = depths[d], offered = 0;
		struct io_op **ops = calloc(depth, sizeof(struct io_op *));
		open_engine(s, depth, 1);
		attach(s, 0, fd);
		for (unsigned slot = 0; slot < depth; slot++)
			ops[slot] = prepare(s, slot, IO_READ, fd, 0,
					    (uint64_t)BLOCK * (slot % FILE_BLOCKS), BLOCK);
		while (offered < depth) {
			int accepted = s->ops->submit(s->engine, ops + offered, depth - offered);
			expect(accepted >= 0 && (unsigned)accepted <= depth - offered,
			       "submit() of %u returned %s", depth - offered, answer(accepted));
			for (int i = 0; i < accepted; i++)
				ops[offered + (unsigned)i]->in_flight = 1;
			offered += (unsigned)accepted;
			s->inflight += (unsigned)accepted;
			expect(accepted > 0 || s->inflight > 0, "an idle engine accepts nothing");
			struct io_op *done[8];
			if (accepted == 0 || s->ops->traits & IO_BLOCKS_IN_SUBMIT)
				reap(s, done, 1, 8, 0);
		}
		await_all(s);
		for (unsigned slot = 0; slot < depth; slot++)
			check_bytes(s, ops[slot], BLOCK);
		close_engine(s);
		free(ops);
	}
	close(fd);
}

/* What an engine says with IO_BLOCKS_IN_SUBMIT: a reap() that does not wait finds it all. */
void blocking_submit_is_over_at_its_end(struct subject *s)
{
	struct io_op *done[4], *ops[4];
	if (!(s->ops->traits & IO_BLOCKS_IN_SUBMIT))
		test_skipped("its submit() does not wait");
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	for (unsigned slot = 0; slot < 4; slot++)
		ops[slot] = prepare(s, slot, IO_READ, fd, 0, 0, BLOCK);
	int accepted = s->ops->submit(s->engine, ops, 4);
	expect(accepted > 0, EXPECTED("at least one to be accepted") SAW("%d"), accepted);
	for (int i = 0; i < accepted; i++)
		ops[i]->in_flight = 1;
	s->inflight = (unsigned)accepted;
	unsigned n = reap(s, done, 0, 4, 0);
	expect(n == (unsigned)accepted, EXPECTED("all %d to be over") SAW("%u"), accepted, n);
	close_engine(s);
	close(fd);
}

void file_cancel(struct subject *s)
{
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDONLY);
	open_engine(s, 32, 1);
	attach(s, 0, fd);
	for (unsigned slot = 0; slot < s->depth; slot++)
		start(s, prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * slot, BLOCK));
	s->ops->cancel(s->engine);
	await_all(s);
	for (unsigned slot = 0; slot < s->depth; slot++) {
		int64_t result = s->op[slot].result;
		expect(result == BLOCK || result == -ECANCELED,
		       WHEN("after cancel") EXPECTED("%u or -ECANCELED") SAW("%s"), BLOCK,
		       answer(result));
		if (result == BLOCK)
			check_bytes(s, &s->op[slot], BLOCK);
	}
	close_engine(s);
	close(fd);
}

void reap_keeps_min_and_max(struct subject *s)
{
	struct io_op *done[8];
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDONLY);
	open_engine(s, 8, 1);
	attach(s, 0, fd);
	/* start() reaps where there is back-pressure: perhaps fewer than 8 are left in flight. */
	for (unsigned slot = 0; slot < 8; slot++)
		start(s, prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * slot, BLOCK));
	unsigned count = s->inflight;
	unsigned n = reap(s, done, count, 8, -1);
	expect(n == count, EXPECTED("the %u that were asked for") SAW("%u"), count, n);
	for (unsigned slot = 0; slot < 8; slot++)
		start(s, prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * slot, BLOCK));
	for (unsigned left = s->inflight; left > 0; left--) {
		n = reap(s, done, 1, 1, -1);
		expect(n == 1, EXPECTED("one at a time") SAW("%u"), n);
	}
	close_engine(s);
	close(fd);
}

void opens_and_closes_again(struct subject *s)
{
	int fd = make_file(s, FILE_BLOCKS * BLOCK, O_RDONLY);
	for (unsigned i = 0; i < 100; i++) {
		open_engine(s, 2, 1);
		attach(s, 0, fd);
		perform(s, prepare(s, 1, IO_READ, fd, 0, 0, BLOCK));
		check_bytes(s, &s->op[1], BLOCK);
		detach(s, 0);
		close_engine(s);
	}
	close(fd);
}

void nop_completes(struct subject *s)
{
	open_engine(s, 64, 1);
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned slot = 0; slot < s->depth; slot++)
			start(s, prepare(s, slot, IO_NOP, -1, 0, 0, 0));
		await_all(s);
		for (unsigned slot = 0; slot < s->depth; slot++)
			expect(s->op[slot].result == 0, EXPECTED("0") SAW("%s"),
			       answer(s->op[slot].result));
	}
	close_engine(s);
}

static bool can_receive(const struct subject *s, struct reason *why)
{
	struct engine_config config = { .depth = 1,
					.cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
					.options = s->options };
	*why = (struct reason) { "" };
	return s->ops->supports(&config, IO_RECV, IO_FD_SOCKET, why) == 0;
}

/* A receive waits on a silent socket. A sync that comes later is none of its business. */
void file_sync_waits_for_nobody(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int ends[2];
	struct reason why;
	if (!can_receive(s, &why))
		test_skipped("%s", why.text);
	int fd = make_file(s, BLOCK, O_RDWR);
	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair: %s",
	       strerror(errno));
	open_engine(s, 2, 2);
	attach(s, 0, fd);
	if (s->ops->attach)
		expect(s->ops->attach(s->engine, 1, ends[0], IO_FD_SOCKET, &why) == 0,
		       EXPECTED("attach() to succeed") SAW("%s"), why.text);
	struct io_op *received = prepare(s, 0, IO_RECV, ends[0], 1, 0, BLOCK);
	start(s, received);
	for (enum io_kind kind = IO_FSYNC; kind <= IO_FDATASYNC; kind++) {
		int64_t result = perform(s, prepare(s, 1, kind, fd, 0, 0, 0));
		expect(result == 0, WHEN("a receive waits") EXPECTED("0 from %s") SAW("%s"),
		       kind_name(kind), answer(result));
	}
	expect(received->in_flight, "a receive completed with nothing there");
	expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
	await(s, received);
	close_engine(s);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}
