/* SPDX-License-Identifier: MIT */
#include "ring_test.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VIEW_BYTES 4096

int engines_ring(void)
{
	int found = -1;
	DIR *directory = opendir("/proc/self/fd");
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char link[64] = "";
		if (readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1) > 0 &&
		    strcmp(link, "anon_inode:[io_uring]") == 0)
			found = atoi(entry->d_name);
	}
	if (directory)
		closedir(directory);
	return found;
}

/* The offsets are the same in all rings of one kernel: a ring of the test's own tells them. */
struct ring_view view_ring(void)
{
	struct ring_view view = { .fd = engines_ring() };
	struct io_uring_params params = { 0 };
	int own = (int)syscall(SYS_io_uring_setup, 1, &params);
	expect(own >= 0, "the test has no ring: %s", strerrorname_np(errno));
	close(own);
	view.sq = params.sq_off;
	view.cq = params.cq_off;
	void *rings = mmap(NULL, VIEW_BYTES, PROT_READ, MAP_SHARED, view.fd, IORING_OFF_SQ_RING);
	void *sqes = mmap(NULL, VIEW_BYTES, PROT_READ, MAP_SHARED, view.fd, IORING_OFF_SQES);
	if (rings == MAP_FAILED)
		test_skipped("the engine's ring cannot be mapped");
	view.rings = rings;
	view.sqes = sqes == MAP_FAILED ? NULL : sqes;
	return view;
}

void close_view(const struct ring_view *view)
{
	munmap((void *)view->rings, VIEW_BYTES);
	if (view->sqes)
		munmap((void *)view->sqes, VIEW_BYTES);
}

unsigned number_at(const struct ring_view *view, unsigned offset)
{
	return __atomic_load_n((const unsigned *)(view->rings + offset), __ATOMIC_ACQUIRE);
}

struct io_uring_sqe last_sqe_of(struct subject *s, const struct ring_view *view, struct io_op *op)
{
	unsigned mask = number_at(view, view->sq.ring_mask);
	if (!view->sqes || (mask + 1) * sizeof *view->sqes > VIEW_BYTES)
		test_skipped("the engine's SQEs cannot be mapped");
	perform(s, op);
	return view->sqes[(number_at(view, view->sq.tail) - 1) & mask];
}

bool has_option(const struct subject *s, const char *name)
{
	const struct engine_option *options = s->ops->options;
	for (unsigned i = 0; options && options[i].name; i++)
		if (strcmp(options[i].name, name) == 0)
			return s->options >> i & 1;
	return false;
}

int ring_opcode_of(const struct subject *s, enum io_kind kind)
{
	switch (kind) {
	case IO_READ:
		return has_option(s, "fixed_buffers") ? IORING_OP_READ_FIXED : IORING_OP_READ;
	case IO_WRITE:
		return has_option(s, "fixed_buffers") ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE;
	case IO_FSYNC:
	case IO_FDATASYNC:
		return IORING_OP_FSYNC;
	case IO_RECV:
		return IORING_OP_RECV;
	case IO_SEND:
		return has_option(s, "send_zc") ? IORING_OP_SEND_ZC : IORING_OP_SEND;
	case IO_ACCEPT:
		return IORING_OP_ACCEPT;
	case IO_CONNECT:
		return IORING_OP_CONNECT;
	default:
		return IORING_OP_NOP;
	}
}

struct io_op *ring_no_op(struct subject *s, unsigned slot)
{
	return prepare(s, slot, IO_NOP, -1, 0, 0, 0);
}

void ring_no_ops(struct subject *s, struct io_op **ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		ops[i] = ring_no_op(s, i);
}

struct io_op *ring_receive(struct subject *s, unsigned slot, int fd, unsigned fd_slot)
{
	return prepare_receive(s, slot, fd, fd_slot);
}

/* submit() itself, for what start_all() would put right. Returns how many were accepted. */
unsigned ring_submit_once(struct subject *s, struct io_op *const *ops, unsigned count)
{
	int accepted = s->ops->submit(s->engine, ops, count);
	expect(accepted >= 0 && (unsigned)accepted <= count,
	       EXPECTED("at most %u accepted by submit()") SAW("%s"), count, answer(accepted));
	for (int i = 0; i < accepted; i++)
		ops[i]->in_flight = 1;
	s->inflight += (unsigned)accepted;
	return (unsigned)accepted;
}

void expect_ring_calls(unsigned most, const char *what)
{
	unsigned enters = calls_made(RING_ENTER), calls = calls_made(NULL);
	expect(enters <= most, WHEN("%s") EXPECTED("at most %u io_uring_enter") SAW("%u"), what,
	       most, enters);
	expect(calls == enters, WHEN("%s") EXPECTED("no other system call") SAW("%u"), what,
	       calls - enters);
}

void open_ring_connections(struct subject *s, struct ring_connections *c, unsigned count,
			   unsigned depth)
{
	c->count = count;
	open_engine(s, depth, count);
	for (unsigned i = 0; i < count; i++) {
		make_reading_pair(s, c->ends[i]);
		attach(s, i, c->ends[i][0]);
	}
}

void close_ring_connections(struct subject *s, const struct ring_connections *c)
{
	close_engine(s);
	for (unsigned i = 0; i < c->count; i++) {
		close(c->ends[i][0]);
		close(c->ends[i][1]);
	}
}

unsigned count_open_descriptors(void)
{
	unsigned count = 0;
	DIR *directory = opendir("/proc/self/fd");
	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}
