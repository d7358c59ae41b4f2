/* SPDX-License-Identifier: MIT */
/* Every number of the contract at its edges: offsets, lengths, counts, depths and times. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "conformance.h"
#include "random.h"
#include "tests.h"

#define BLOCK 4096u
#define GIB   (UINT64_C(1) << 30)

static void fill_with_pattern(char *bytes, uint64_t position, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = pattern_byte(position + i);
}

static void expect_pattern(const char *bytes, uint64_t position, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect(bytes[i] == pattern_byte(position + i),
		       "wrong byte at %zu of the block at offset %llu", i,
		       (unsigned long long)position);
}

/* Where no file can be that long: an offset that loses its upper bits meets the file's first blocks. */
static void offsets_beyond_a_small_file(struct subject *s, int fd, const uint64_t *places,
					unsigned count)
{
	fill_with_pattern(buffer_of(s, 0), 0, BLOCK);
	for (unsigned block = 0; block < 8; block++)
		expect(pwrite(fd, buffer_of(s, 0), BLOCK, block * (off_t)BLOCK) == BLOCK,
		       "the test's own write failed");
	for (unsigned i = 0; i < count; i++) {
		int64_t n = perform(s, prepare(s, 0, IO_READ, fd, 0, places[i], BLOCK));
		expect(n == 0, EXPECTED("0, the end, from a READ at %llu") SAW("%s"),
		       (unsigned long long)places[i], answer(n));
		memset(buffer_of(s, 1), 0x55, BLOCK);
		n = perform(s, prepare(s, 1, IO_WRITE, fd, 0, places[i], BLOCK));
		expect(n == -EFBIG || n == -ENOSPC,
		       EXPECTED("-EFBIG from a WRITE at %llu") SAW("%s"),
		       (unsigned long long)places[i], answer(n));
	}
	for (unsigned block = 0; block < 8; block++) {
		expect(pread(fd, buffer_of(s, 1), BLOCK, block * (off_t)BLOCK) == BLOCK,
		       "cannot read back");
		expect_pattern(buffer_of(s, 1), 0, BLOCK);
	}
}

/*
 * No two of the places lie at the same offset when it is cut to 31 or 32 bits, and none of those
 * offsets is a place.
 */
void file_offsets_beyond_4_gib(struct subject *s)
{
	static const uint64_t places[] = { 2 * GIB + BLOCK, 4 * GIB + 3 * BLOCK,
					   1024 * GIB + 5 * BLOCK };
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 2, 1);
	attach(s, 0, fd);
	unsigned tried = 0;
	for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
		signal(SIGXFSZ, SIG_IGN);
		if (ftruncate(fd, (off_t)(places[i] + BLOCK)) < 0)
			continue; /* larger than this file system's files can be */
		tried++;
		fill_with_pattern(buffer_of(s, 0), places[i], BLOCK);
		int64_t n = perform(s, prepare(s, 0, IO_WRITE, fd, 0, places[i], BLOCK));
		expect(n == BLOCK, EXPECTED("%u bytes written at %llu") SAW("%s"), BLOCK,
		       (unsigned long long)places[i], answer(n));
		char *seen = buffer_of(s, 1);
		expect(pread(fd, seen, BLOCK, (off_t)places[i]) == BLOCK, "cannot read back");
		expect_pattern(seen, places[i], BLOCK);

		memset(seen, 0x55, BLOCK);
		n = perform(s, prepare(s, 1, IO_READ, fd, 0, places[i], BLOCK));
		expect(n == BLOCK, EXPECTED("%u bytes read at %llu") SAW("%s"), BLOCK,
		       (unsigned long long)places[i], answer(n));
		expect_pattern(seen, places[i], BLOCK);
	}
	if (tried == 0) /* by RLIMIT_FSIZE, for example */
		offsets_beyond_a_small_file(s, fd, places, sizeof places / sizeof *places);
	close_engine(s);
	close(fd);
}

/* The kernel moves it by one call, so the engine does. */
void file_lengths_beyond_64_kib(struct subject *s)
{
	static const uint32_t lengths[] = { 65536, 65536 + BLOCK, 131072 + BLOCK, 1 << 20 };
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, 2 << 20, O_RDWR);
	open_engine(s, 2 * (1 << 20) / BUFFER_BYTES, 1);
	attach(s, 0, fd);
	unsigned half = s->depth / 2;
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		uint32_t count = lengths[i];
		memset(buffer_of(s, 0), 0x55, count);
		int64_t n = perform(s, prepare(s, 0, IO_READ, fd, 0, BLOCK, count));
		expect(n == count, EXPECTED("%u bytes read") SAW("%s"), count, answer(n));
		expect_pattern(buffer_of(s, 0), BLOCK, count);

		fill_with_pattern(buffer_of(s, half), BLOCK + i + 1, count);
		n = perform(s, prepare(s, half, IO_WRITE, fd, 0, BLOCK, count));
		expect(n == count, EXPECTED("%u bytes written") SAW("%s"), count, answer(n));
		expect(pread(fd, buffer_of(s, 0), count, BLOCK) == (ssize_t)count,
		       "cannot read back");
		expect_pattern(buffer_of(s, 0), BLOCK + i + 1, count);
		fill_with_pattern(buffer_of(s, half), BLOCK, count);
		expect(pwrite(fd, buffer_of(s, half), count, BLOCK) == (ssize_t)count,
		       "cannot write back");
	}
	close_engine(s);
	close(fd);
}

/* The kernel moves at most 0x7ffff000 bytes by one call: read(2). The rest is the workload's. */
#define KERNEL_BYTES_MAX 0x7ffff000

void file_lengths_beyond_2_gib(struct subject *s)
{
	static const uint32_t lengths[] = { 0x80001000, 0xfffff000 };
	const unsigned there = 100000;
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, there, O_RDONLY);
	open_engine_with_arena(s, 1, 4 * GIB);
	attach(s, 0, fd);
	for (unsigned i = 0; i < 2; i++) {
		memset(s->arena, 0x55, there);
		int64_t n = perform(s, prepare(s, 0, IO_READ, fd, 0, 0, lengths[i]));
		expect(n == there,
		       WHEN("a read of %u bytes") EXPECTED("the %u that are there") SAW("%s"),
		       lengths[i], there, answer(n));
		expect_pattern(s->arena, 0, there);
	}
	detach(s, 0);
	close(fd);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* they look at each byte */
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC); /* takes all at once and looks at none */
	expect(fd >= 0, "cannot open /dev/null: %s", strerror(errno));
	attach(s, 0, fd);
	int64_t n = perform(s, prepare(s, 0, IO_WRITE, fd, 0, 0, lengths[0]));
	expect(n == KERNEL_BYTES_MAX, WHEN("a write of %u bytes") EXPECTED("%u") SAW("%s"),
	       lengths[0], KERNEL_BYTES_MAX, answer(n));
	detach(s, 0);
	close(fd);
#endif
	close_engine(s);
}

static volatile sig_atomic_t signals_of_the_limit;

static void count_a_signal(int signal_number)
{
	(void)signal_number;
	signals_of_the_limit++;
}

void file_zero_bytes(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 2, 1);
	attach(s, 0, fd);
	memset(buffer_of(s, 0), 0x55, BUFFER_BYTES);
	int64_t n = perform(s, prepare(s, 0, IO_READ, fd, 0, 0, 0));
	expect(n == 0, EXPECTED("0 from a read of 0 bytes") SAW("%s"), answer(n));
	for (unsigned b = 0; b < BUFFER_BYTES; b++)
		expect(buffer_of(s, 0)[b] == 0x55, "a read of 0 bytes touched its buffer");
	n = perform(s, prepare(s, 1, IO_WRITE, fd, 0, 3 * (uint64_t)BLOCK, 0));
	expect(n == 0, EXPECTED("0 from a write of 0 bytes") SAW("%s"), answer(n));
	expect(lseek(fd, 0, SEEK_END) == BLOCK, "a write of 0 bytes changed the file's length");
	close_engine(s);
	close(fd);
}

void stream_zero_bytes(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	/* Something is there: what a receive of 0 bytes waits for otherwise is not agreed upon. */
	expect(write(ends[1], "abc", 3) == 3, "the test's own write failed");
	int64_t n = perform(s, prepare(s, 0, in_kind(s), ends[0], 0, IO_NO_OFFSET, 0));
	expect(n == 0, EXPECTED("0 from a receive of 0 bytes") SAW("%s"), answer(n));
	n = perform(s, prepare(s, 1, in_kind(s), ends[0], 0, IO_NO_OFFSET, BUFFER_BYTES));
	expect(n == 3 && memcmp(buffer_of(s, 1), "abc", 3) == 0,
	       EXPECTED("the 3 bytes that were there") SAW("%s"), answer(n));
	detach(s, 0);
	close(ends[0]);
	close(ends[1]);

	char byte;
	make_writing_pair(s, ends);
	attach(s, 0, ends[0]);
	n = perform(s, prepare_send(s, 0, ends[0], 0, 0));
	expect(n == 0, EXPECTED("0 from a send of 0 bytes") SAW("%s"), answer(n));
	detach(s, 0);
	close(ends[0]);
	expect(read(ends[1], &byte, 1) == 0, "a send of 0 bytes sent some");
	close(ends[1]);
	close_engine(s);
}

/* To ask for nothing is a call like any other: the kernel looks at the descriptor first. */
void file_zero_bytes_that_fail(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	int64_t n = perform(s, prepare(s, 0, IO_WRITE, fd, 0, 0, 0));
	expect(n == -EBADF,
	       WHEN("0 bytes into a file opened for reading") EXPECTED("-EBADF") SAW("%s"),
	       answer(n));
	close_engine(s);
	close(fd);
}

/* A limit on the size of files lets half of a block in: half is the result, and no second try. */
void file_write_up_to_a_limit(struct subject *s)
{
	const unsigned half = BLOCK / 2;
	struct rlimit before, limit;
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	signals_of_the_limit = 0;
	signal(SIGXFSZ, count_a_signal);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = BLOCK + half;
	expect(setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit: %s", strerror(errno));
	int64_t n = perform(s, prepare(s, 0, IO_WRITE, fd, 0, BLOCK, BLOCK));
	setrlimit(RLIMIT_FSIZE, &before);
	expect(n == half, EXPECTED("the %u bytes that fit") SAW("%s"), half, answer(n));
	expect(signals_of_the_limit == 0,
	       EXPECTED("no second call for the rest") SAW("SIGXFSZ, which only that raises"));
	close_engine(s);
	close(fd);
}

/* Starts `count` reads of one block each, in slots 0 .. count-1, in one call. */
static void start_reads(struct subject *s, int fd, unsigned count)
{
	struct io_op **ops = calloc(count, sizeof(struct io_op *));
	for (unsigned slot = 0; slot < count; slot++)
		ops[slot] = prepare(s, slot, IO_READ, fd, 0, 0, BLOCK);
	start_all(s, ops, count);
	free(ops);
}

void reap_keeps_a_large_min(struct subject *s)
{
	enum { DEPTH = 300 };
	struct io_op *done[DEPTH];
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, DEPTH, 1);
	attach(s, 0, fd);
	start_reads(s, fd, DEPTH);
	unsigned count = s->inflight;
	unsigned n = reap(s, done, count, DEPTH, -1);
	expect(n == count, EXPECTED("all %u that were asked for") SAW("%u"), count, n);
	start_reads(s, fd, DEPTH);
	count = s->inflight;
	unsigned min = count > 9 ? 9 : count;
	n = reap(s, done, min, DEPTH, -1);
	expect(n >= min, EXPECTED("at least the %u that were asked for") SAW("%u"), min, n);
	await_all(s);
	close_engine(s);
	close(fd);
}

void reap_of_nothing_loses_nothing(struct subject *s)
{
	struct io_op *done[8];
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 8, 1);
	attach(s, 0, fd);
	start_reads(s, fd, 8);
	expect(reap(s, done, 0, 0, 0) == 0, EXPECTED("none with max 0") SAW("some"));
	/* Min 0 does not wait, and yet finds what is finished. */
	uint64_t deadline_ns = clock_ns() + 5 * (uint64_t)NS_PER_S;
	while (s->inflight > 0) {
		if (reap(s, done, 0, 8, -1) == 0)
			usleep(100);
		expect(clock_ns() < deadline_ns, "%u finished operations never came with min 0",
		       s->inflight);
	}
	close_engine(s);
	close(fd);
}

/* More than two bytes can count, and twice more. */
#define MANY_OPERATIONS 140000u

static void check_read_of_one_byte(struct subject *s, unsigned slot)
{
	const struct io_op *op = &s->op[slot];
	if (op->kind != IO_READ || s->ops->traits & IO_MOVES_NO_BYTES)
		return; /* a no-op, or not used yet */
	expect(op->result == 1, EXPECTED("1 byte") SAW("%s"), answer(op->result));
	expect(buffer_of(s, slot)[0] == pattern_byte(slot), "a wrong byte");
}

/* No power of two: positions in a ring of that length go wrong where their 16 bits end. */
void file_survives_many_operations(struct subject *s)
{
	enum { DEPTH = 63 };
	struct io_op *done[DEPTH];
	bool on_file = s->flavour != NO_FD;
	int fd = on_file ? make_file(s, DEPTH, O_RDONLY) : -1;
	open_engine(s, DEPTH, 1);
	if (on_file)
		attach(s, 0, fd);
	for (unsigned count = 0; count < MANY_OPERATIONS;) {
		struct io_op *ops[DEPTH];
		unsigned idle = 0;
		for (unsigned slot = 0; slot < DEPTH; slot++) {
			if (s->op[slot].in_flight)
				continue;
			check_read_of_one_byte(s, slot);
			buffer_of(s, slot)[0] = (char)~pattern_byte(slot);
			ops[idle++] = on_file ? prepare(s, slot, IO_READ, fd, 0, slot, 1)
					      : prepare(s, slot, IO_NOP, -1, 0, 0, 0);
		}
		start_all(s, ops, idle);
		count += idle;
		unsigned n = s->inflight ? reap(s, done, 1, DEPTH, 5 * NS_PER_S) : 1;
		expect(n > 0, "operation %u: none came back in 5 s", count);
	}
	await_all(s);
	for (unsigned slot = 0; slot < DEPTH; slot++)
		check_read_of_one_byte(s, slot);
	close_engine(s);
	if (on_file)
		close(fd);
}

void stream_survives_many_operations(struct subject *s)
{
	enum { CHUNK = 8192 };
	char chunk[CHUNK];
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (uint64_t count = 0; count < MANY_OPERATIONS; count++) {
		if (count % CHUNK == 0) {
			fill_with_pattern(chunk, count, CHUNK);
			expect(write(ends[1], chunk, CHUNK) == CHUNK,
			       "the test's own write failed");
		}
		int64_t n = perform(s, prepare(s, 0, in_kind(s), ends[0], 0, IO_NO_OFFSET, 1));
		expect(n == 1, WHEN("operation %llu") EXPECTED("1 byte") SAW("%s"),
		       (unsigned long long)count, answer(n));
		expect(buffer_of(s, 0)[0] == pattern_byte(count), "operation %llu: a wrong byte",
		       (unsigned long long)count);
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* A peer that speaks later, from a thread of its own. */
struct late_peer {
	pthread_t thread;
	int fd;
	int64_t late_ns;
};

static void *speak_late(void *argument)
{
	struct late_peer *peer = argument;
	struct timespec late = timespec_of_ns(peer->late_ns);
	nanosleep(&late, NULL);
	if (write(peer->fd, "x", 1) != 1)
		abort();
	return NULL;
}

static void speak_after(struct late_peer *peer, int fd, int64_t late_ns)
{
	peer->fd = fd;
	peer->late_ns = late_ns;
	sigset_t all, before; /* signals are for the thread that drives the engine */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	expect(pthread_create(&peer->thread, NULL, speak_late, peer) == 0, "no thread");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* One connection with a receive that waits on it. */
static void start_waiting(struct subject *s, int ends[2])
{
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
}

static void end_waiting(struct subject *s, int ends[2])
{
	expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
	await(s, &s->op[0]);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/*
 * The shortest of many, so that a busy machine does not matter: a wait that is rounded up to a
 * millisecond passes, one that takes ten does not.
 */
void stream_waits_less_than_a_millisecond(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	const uint64_t asked_ns = 400 * NS_PER_US;
	uint64_t shortest_ns = UINT64_MAX;
	int ends[2];
	struct io_op *done[1];
	start_waiting(s, ends);
	/* Over before the engine can begin to wait: what is left of them is nothing, and not for ever. */
	for (int64_t tiny_ns = 1; tiny_ns < NS_PER_US; tiny_ns *= 10)
		expect(reap(s, done, 1, 1, tiny_ns) == 0, "a receive completed with nothing there");
	/* Many: on a busy machine one that is cut short may take as long nevertheless. */
	for (unsigned i = 0; i < 200 && (i < 50 || shortest_ns > 5 * (uint64_t)NS_PER_MS); i++) {
		uint64_t before_ns = clock_ns();
		expect(reap(s, done, 1, 1, (int64_t)asked_ns) == 0,
		       "a receive completed with nothing there");
		uint64_t waited_ns = clock_ns() - before_ns;
		if (waited_ns < shortest_ns)
			shortest_ns = waited_ns;
	}
	expect(shortest_ns >= asked_ns / 2, EXPECTED("a wait of 400 us") SAW("%llu us"),
	       (unsigned long long)shortest_ns / NS_PER_US);
	expect(shortest_ns < 5 * (uint64_t)NS_PER_MS, EXPECTED("a wait of 0.4 ms") SAW("%llu us"),
	       (unsigned long long)shortest_ns / NS_PER_US);
	end_waiting(s, ends);
}

/* Cut to fewer bits, taken for nanoseconds of a second or added to now, each would end at once. */
void stream_waits_for_ever(struct subject *s)
{
	static const int64_t timeouts_ns[] = {
		NS_PER_S,
		3 * NS_PER_S / 2,
		(INT64_C(1) << 32) + NS_PER_MS,
		65536 * NS_PER_MS + NS_PER_MS,
		(INT64_C(1) << 32) * NS_PER_US + NS_PER_MS,
		(INT64_C(1) << 32) * NS_PER_MS + NS_PER_MS,
		INT64_MAX / 2,
		INT64_MAX - NS_PER_S,
		INT64_MAX,
		-1,
		-2,
		-NS_PER_S,
		-(INT64_C(1) << 32) + NS_PER_MS,
		INT64_MIN,
	};
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	struct io_op *done[1];
	start_waiting(s, ends);
	for (unsigned i = 0; i < sizeof timeouts_ns / sizeof *timeouts_ns; i++) {
		struct late_peer peer;
		/* The limit of an earlier wait is over with it. */
		expect(reap(s, done, 1, 1, NS_PER_MS) == 0,
		       "a receive completed with nothing there");
		speak_after(&peer, ends[1], 15 * NS_PER_MS);
		unsigned n = reap(s, done, 1, 1, timeouts_ns[i]);
		expect(n == 1,
		       WHEN("timeout %lld ns") EXPECTED("a wait until the peer speaks") SAW("none"),
		       (long long)timeouts_ns[i]);
		pthread_join(peer.thread, NULL);
		start(s, prepare_receive(s, 0, ends[0], 0));
	}
	end_waiting(s, ends);
}

/* Beyond 2^31 nanoseconds: as an int it would be for ever, as a fraction of a second an error. */
/* All are ready at once, and max 1 takes one: the others are not forgotten. */
void stream_comes_back_one_by_one(struct subject *s)
{
	enum { COUNT = 8 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[COUNT][2];
	struct io_op *done[1];
	open_engine(s, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	expect(reap(s, done, 1, 1, NS_PER_MS) == 0, "a receive completed with nothing there");
	for (unsigned i = 0; i < COUNT; i++)
		expect(write(ends[i][1], "x", 1) == 1, "the test's own write failed");
	for (unsigned i = 0; i < COUNT; i++) {
		unsigned n = reap(s, done, 1, 1, 5 * NS_PER_S);
		expect(n == 1, EXPECTED("all %u, one by one") SAW("%u come back"), COUNT, i);
	}
	close_engine(s);
	for (unsigned i = 0; i < COUNT; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* An fd_slot that needs more bits than 16, and one that has none of the lower 16. */
void stream_slot_beyond_65535(struct subject *s)
{
	static const unsigned slots[] = { 0, 65536, 65541 };
	int ends[3][2];
	open_engine_with_slots(s, 3, 65542);
	for (unsigned i = 0; i < 3; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, slots[i], ends[i][0]);
	}
	for (unsigned i = 3; i-- > 0;) {
		expect(write(ends[i][1], "abc", i + 1) == (ssize_t)i + 1,
		       "the test's own write failed");
		int64_t n = perform(s, prepare_receive(s, i, ends[i][0], slots[i]));
		expect(n == i + 1, WHEN("fd_slot %u") EXPECTED("%u bytes") SAW("%s"), slots[i],
		       i + 1, answer(n));
	}
	close_engine(s);
	for (unsigned i = 0; i < 3; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

void stream_waits_for_seconds(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	const int64_t asked_ns = (INT64_C(1) << 31) + 10 * NS_PER_MS;
	int ends[2];
	struct io_op *done[1];
	start_waiting(s, ends);
	uint64_t before_ns = clock_ns();
	expect(reap(s, done, 1, 1, asked_ns) == 0, "a receive completed with nothing there");
	int64_t waited_ns = (int64_t)(clock_ns() - before_ns);
	expect(waited_ns >= asked_ns - 2 * NS_PER_MS, EXPECTED("a wait of 2.15 s") SAW("%lld ms"),
	       (long long)(waited_ns / NS_PER_MS));
	expect(waited_ns < 4 * asked_ns, EXPECTED("a wait of 2.15 s") SAW("%lld ms"),
	       (long long)(waited_ns / NS_PER_MS));
	end_waiting(s, ends);
}

void stream_survives_many_signals_in_a_row(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[2];
	struct io_op *done[1];
	start_waiting(s, ends);
	timer_t timer = signal_every(NS_PER_MS);
	for (unsigned i = 0; i < 70; i++)
		expect(reap(s, done, 1, 1, -1) == 0, "a receive completed with nothing there");
	timer_delete(timer);
	end_waiting(s, ends);
}

/* Room for that many descriptors; the test ends skipped where the limit is lower. */
static void need_descriptors(unsigned count)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < count && limit.rlim_max >= count) {
		limit.rlim_cur = count;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < count)
		test_skipped("RLIMIT_NOFILE allows %llu descriptors, and this needs %u",
			     (unsigned long long)limit.rlim_cur, count);
}

/* More than any array for events holds that an engine may have. */
void stream_finds_many_ready_at_once(struct subject *s)
{
	enum { COUNT = 1100 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	need_descriptors(2 * COUNT + 100);
	static int ends[COUNT][2];
	struct io_op *ops[COUNT], *done[COUNT];
	open_engine(s, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		ops[i] = prepare(s, i, in_kind(s), ends[i][0], i, IO_NO_OFFSET, BUFFER_BYTES);
	}
	start_all(s, ops, COUNT);
	expect(s->inflight == COUNT, EXPECTED("%u receives that wait") SAW("%u"), COUNT,
	       s->inflight);
	for (unsigned i = 0; i < COUNT; i++)
		expect(write(ends[i][1], (const char *)&i, sizeof i) == sizeof i,
		       "the test's own write failed");
	unsigned n = reap(s, done, COUNT, COUNT, -1);
	expect(n == COUNT, EXPECTED("all %u that are ready") SAW("%u"), COUNT, n);
	for (unsigned i = 0; i < COUNT; i++)
		expect(s->op[i].result == sizeof i &&
			       memcmp(buffer_of(s, i), (const char *)&i, sizeof i) == 0,
		       WHEN("descriptor %u") EXPECTED("%zu bytes of its own") SAW("%s"), i,
		       sizeof i, answer(s->op[i].result));
	close_engine(s);
	for (unsigned i = 0; i < COUNT; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* Speaks on each of the first three, one after another. */
static void *speak_in_turn(void *argument)
{
	int(*ends)[2] = argument;
	const struct timespec later = { .tv_nsec = 5 * NS_PER_MS };
	for (unsigned i = 0; i < 3; i++) {
		nanosleep(&later, NULL);
		if (write(ends[i][1], "x", 1) != 1)
			abort();
	}
	return NULL;
}

/* Three of four speak: the wait for three ends with the third, neither before nor after. */
void stream_waits_for_as_many_as_asked(struct subject *s)
{
	enum { COUNT = 4 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[COUNT][2];
	struct io_op *done[COUNT];
	pthread_t speaker;
	open_engine(s, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	expect(pthread_create(&speaker, NULL, speak_in_turn, ends) == 0, "no thread");
	uint64_t began_ns = clock_ns();
	unsigned n = reap(s, done, 3, COUNT, 5 * NS_PER_S);
	expect(clock_ns() - began_ns < 4 * (uint64_t)NS_PER_S,
	       EXPECTED("a wait until the third is there") SAW("one until the time was over"));
	expect(n == 3, EXPECTED("the 3 that were asked for") SAW("%u"), n);
	pthread_join(speaker, NULL);
	expect(reap(s, done, 1, COUNT, NS_PER_MS) == 0, "a receive completed with nothing there");
	expect(write(ends[3][1], "x", 1) == 1, "the test's own write failed");
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < COUNT; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* Two are over and one of them is handed out. A wait for the other one and a third is for no more than these. */
void stream_counts_what_was_left(struct subject *s)
{
	enum { COUNT = 3 };
	int ends[COUNT][2];
	struct io_op *ops[COUNT], *done[COUNT];
	open_engine(s, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		expect(write(ends[i][1], "x", 1) == 1, "the test's own write failed");
		ops[i] = prepare_receive(s, i, ends[i][0], i);
	}
	start_all(s, ops, 2);
	unsigned n = reap(s, done, 1, 1, 5 * NS_PER_S);
	expect(n == 1, EXPECTED("1 of the two that are over") SAW("%u"), n);
	start(s, ops[2]);
	unsigned left = s->inflight; /* 1, where submit() sleeps and a third has no room */
	uint64_t began_ns = clock_ns();
	n = reap(s, done, left, left, 5 * NS_PER_S);
	expect(n == left && clock_ns() - began_ns < 4 * (uint64_t)NS_PER_S,
	       WHEN("max 1 left one, and another one is over")
		       EXPECTED("a wait for both to end at once") SAW("%u after %llu ms"),
	       n, (unsigned long long)((clock_ns() - began_ns) / NS_PER_MS));
	close_engine(s);
	for (unsigned i = 0; i < COUNT; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* Speaks on the third, when the engine has had time to begin its wait. */
static void *speak_last(void *argument)
{
	const int *fd = argument;
	const struct timespec later = { .tv_nsec = 100 * NS_PER_MS };
	nanosleep(&later, NULL);
	if (write(*fd, "x", 1) != 1)
		abort();
	return NULL;
}

/* Two of three are there when the wait begins. It is for three nevertheless, and not for three more. */
void stream_counts_what_is_there_once(struct subject *s)
{
	enum { COUNT = 3 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[COUNT][2];
	struct io_op *done[COUNT];
	pthread_t speaker;
	open_engine(s, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	expect(reap(s, done, 0, COUNT, 0) == 0, "a receive completed with nothing there");
	for (unsigned i = 0; i < 2; i++)
		expect(write(ends[i][1], "x", 1) == 1, "the test's own write failed");
	/* To begin a thread is a call of the kernel: it posts what is over. */
	expect(pthread_create(&speaker, NULL, speak_last, &ends[2][1]) == 0, "no thread");
	uint64_t began_ns = clock_ns();
	unsigned n = reap(s, done, COUNT, COUNT, 5 * NS_PER_S);
	expect(clock_ns() - began_ns < 4 * (uint64_t)NS_PER_S,
	       EXPECTED("a wait until the third is there") SAW("one until the time was over"));
	expect(n == COUNT,
	       WHEN("two are there already") EXPECTED("the 3 that were asked for") SAW("%u"), n);
	pthread_join(speaker, NULL);
	close_engine(s);
	for (unsigned i = 0; i < COUNT; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}
