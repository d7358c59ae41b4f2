/* SPDX-License-Identifier: MIT */
/* What a submission entry says. */
#include "ring_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream_test.h"

#define BLOCK 4096u

void an_entry_for_each_operation(struct subject *s)
{
	enum { DEPTH = 7 };
	struct io_op *done[DEPTH], *ops[DEPTH];
	int fd = make_file(s, (uint64_t)DEPTH * BLOCK, O_RDONLY);
	open_engine(s, DEPTH, 1);
	attach(s, 0, fd);
	for (unsigned round = 0; round < 30; round++) {
		unsigned count = 1 + round * 3 % DEPTH;
		for (unsigned i = 0; i < count; i++) {
			ops[i] = prepare(s, i, IO_READ, fd, 0, (uint64_t)BLOCK * i, BLOCK);
			memset(buffer_of(s, i), 0x55, BLOCK);
		}
		start_all(s, ops, count);
		await_all(s);
		for (unsigned i = 0; i < count; i++)
			expect(ops[i]->result == BLOCK &&
				       buffer_of(s, i)[1] == pattern_byte((uint64_t)BLOCK * i + 1),
			       WHEN("in a batch of %u") EXPECTED("block %u") SAW("%s"), count, i,
			       answer(ops[i]->result));
		unsigned more = reap(s, done, 0, DEPTH, 0);
		expect(more == 0, WHEN("after a batch of %u") EXPECTED("nothing more") SAW("%u"),
		       count, more);
	}
	close_engine(s);
	close(fd);
}

void a_sync_is_a_sync(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (enum io_kind kind = IO_FSYNC; kind <= IO_FDATASYNC; kind++) {
		int64_t result = perform(s, prepare(s, 0, kind, ends[0], 0, 0, 0));
		expect(result == -EINVAL, WHEN("%s of a socket") EXPECTED("-EINVAL") SAW("%s"),
		       kind_name(kind), answer(result));
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

void each_sync_has_its_flag(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	struct ring_view view = view_ring();
	for (unsigned i = 0; i < 4; i++) {
		enum io_kind kind = i % 2 ? IO_FDATASYNC : IO_FSYNC;
		unsigned flags = i % 2 ? IORING_FSYNC_DATASYNC : 0;
		struct io_uring_sqe sqe = last_sqe_of(s, &view, prepare(s, 0, kind, fd, 0, 0, 0));
		expect(sqe.opcode == IORING_OP_FSYNC && sqe.fsync_flags == flags,
		       WHEN("%s") EXPECTED("opcode %d with the flags %#x")
			       SAW("opcode %d with %#x"),
		       kind_name(kind), IORING_OP_FSYNC, flags, sqe.opcode, sqe.fsync_flags);
	}
	close_view(&view);
	close_engine(s);
	close(fd);
}

void uses_registered_buffers(struct subject *s)
{
	static const enum io_kind kinds[] = { IO_READ, IO_WRITE };
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	struct ring_view view = view_ring();
	for (unsigned i = 0; i < 2; i++) {
		struct io_uring_sqe sqe =
			last_sqe_of(s, &view, prepare(s, 0, kinds[i], fd, 0, 0, BLOCK));
		int opcode = ring_opcode_of(s, kinds[i]);
		expect(sqe.opcode == opcode, WHEN("%s") EXPECTED("opcode %d") SAW("%d"),
		       kind_name(kinds[i]), opcode, sqe.opcode);
	}
	close_view(&view);
	close_engine(s);
	close(fd);
}

void an_empty_place_is_no_descriptor(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 1, 3);
	attach(s, 1, fd);
	for (unsigned slot = 0; slot < 3; slot++) {
		int64_t n = perform(s, prepare(s, 0, IO_READ, fd, slot, 0, BLOCK));
		int64_t expected = slot == 1 ? (int64_t)BLOCK : -EBADF;
		expect(n == expected,
		       WHEN("a read through place %u, and only place 1 is filled") EXPECTED("%s")
			       SAW("%s"),
		       slot, answer(expected), answer(n));
	}
	close_engine(s);
	close(fd);
}

/* What is detached and then closed is gone: the peer hears of it. The others stay. */
void what_is_detached_is_let_go(struct subject *s)
{
	struct ring_connections c;
	open_ring_connections(s, &c, 3, 1);
	detach(s, 1);
	close(c.ends[1][0]);
	struct pollfd peer = { .fd = c.ends[1][1], .events = POLLIN };
	/* Linux 6.1 lets go of it in a worker, up to a second later (io_rsrc_node_ref_zero()). */
	int ready = poll(&peer, 1, 5000);
	expect(ready == 1, WHEN("after detach() and close(2)") EXPECTED("the peer to see the end")
				   SAW("the engine keep the descriptor open"));
	for (unsigned i = 0; i < 3; i++) {
		if (i != 1)
			peer_sends(c.ends[i][1], "here", 4);
		int64_t n = perform(s, ring_receive(s, 0, c.ends[i][0], i));
		int64_t expected = i == 1 ? -EBADF : 4;
		expect(n == expected,
		       WHEN("a receive through place %u, and place 1 was detached") EXPECTED("%s")
			       SAW("%s"),
		       i, answer(expected), answer(n));
	}
	c.ends[1][0] = c.ends[2][0];
	c.ends[2][0] = fcntl(c.ends[1][0], F_DUPFD_CLOEXEC, 0); /* for close_ring_connections() */
	close_ring_connections(s, &c);
}

void a_send_raises_no_signal(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct ring_view view = view_ring();
	struct io_uring_sqe sqe = last_sqe_of(s, &view, prepare_send(s, 0, ends[0], 0, 100));
	expect(sqe.opcode == IORING_OP_SEND && (sqe.msg_flags & MSG_NOSIGNAL),
	       EXPECTED("opcode %d with MSG_NOSIGNAL") SAW("%d with %#x"), IORING_OP_SEND,
	       sqe.opcode, sqe.msg_flags);
	close_view(&view);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

void a_send_ends_with_what_fits(struct subject *s)
{
	enum { LENGTH_BYTES = 4 << 20 };
	struct io_op *done[1];
	int ends[2];
	make_narrow_pair(s, ends);
	open_engine(s, LENGTH_BYTES / BUFFER_BYTES, 1);
	attach(s, 0, ends[0]);
	start(s, prepare(s, 0, IO_SEND, ends[0], 0, IO_NO_OFFSET, LENGTH_BYTES));
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	expect(n == 1, WHEN("a part of a send finds room, and the peer does not read")
			       EXPECTED("the part as its result") SAW("it wait on"));
	expect(s->op[0].result > 0 && s->op[0].result < LENGTH_BYTES,
	       EXPECTED("a part of the %d bytes sent") SAW("%s"), LENGTH_BYTES,
	       answer(s->op[0].result));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}
