/* SPDX-License-Identifier: MIT */
#include "ring_test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VIEW_BYTES 4096
#define BLOCK	   4096u

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

struct io_uring_sqe sqe_of(struct subject *s, const struct ring_view *view, struct io_op *op)
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
		struct io_uring_sqe sqe = sqe_of(s, &view, prepare(s, 0, kind, fd, 0, 0, 0));
		expect(sqe.opcode == IORING_OP_FSYNC && sqe.fsync_flags == flags,
		       WHEN("%s") EXPECTED("opcode %d with the flags %#x")
			       SAW("opcode %d with %#x"),
		       kind_name(kind), IORING_OP_FSYNC, flags, sqe.opcode, sqe.fsync_flags);
	}
	close_view(&view);
	close_engine(s);
	close(fd);
}

/*
 * Which operation the kernel shall seem to lack, or -1. liburing's function of this name is this one in the
 * test program. So the test stands between the engine and what the kernel says.
 */
static int lacking = -1;
static unsigned probes;

struct io_uring_probe *io_uring_get_probe_ring(struct io_uring *ring)
{
	static struct io_uring_probe *(*real)(struct io_uring *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_get_probe_ring");
	struct io_uring_probe *probe = real ? real(ring) : NULL;
	probes++;
	if (probe && lacking >= 0 && lacking < probe->ops_len)
		probe->ops[lacking].flags = 0;
	return probe;
}

static int opcode_for(const struct subject *s, enum io_kind kind)
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

void asks_for_the_very_operation(struct subject *s)
{
	const struct engine_config config = { .depth = 2, .cpu_count = 2, .options = s->options };
	for (enum io_kind kind = 0; kind < IO_KIND_COUNT; kind++) {
		struct reason why = { "" };
		lacking = -1;
		if (s->ops->supports(&config, kind, IO_FD_NONE, &why) < 0)
			continue; /* an option that would do nothing */
		int opcode = opcode_for(s, kind);
		for (lacking = 0; lacking < IORING_OP_LAST; lacking++) {
			unsigned before = probes;
			why = (struct reason) { "" };
			int rc = s->ops->supports(&config, kind, IO_FD_NONE, &why);
			if (probes == before)
				test_skipped("the engine asks by other means");
			expect(rc == (lacking == opcode ? -EOPNOTSUPP : 0),
			       WHEN("%s where the kernel lacks opcode %d")
				       EXPECTED("%s from supports()") SAW("%s"),
			       kind_name(kind), lacking,
			       answer(lacking == opcode ? -EOPNOTSUPP : 0), answer(rc));
			expect(rc == 0 || why.text[0],
			       WHEN("%s where the kernel lacks it") EXPECTED("words") SAW("none"),
			       kind_name(kind));
		}
		lacking = -1;
	}
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
			sqe_of(s, &view, prepare(s, 0, kinds[i], fd, 0, 0, BLOCK));
		int opcode = opcode_for(s, kinds[i]);
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
