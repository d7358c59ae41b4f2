/* SPDX-License-Identifier: MIT */
/*
 * What an engine does in the beginning it does for ever: the hundred thousandth like the first. And an
 * option does something.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conformance.h"
#include "faults.h"
#include "tests.h"

#define DEPTH 64u

/* Variants share their counters, so one is asked at length. */
static unsigned operations(const struct subject *s)
{
	return s->options == 0 ? 100000 : 10000;
}

static void start_in_a_batch(struct subject *s, unsigned count)
{
	struct io_op *ops[DEPTH];
	for (unsigned slot = 0; slot < count; slot++)
		ops[slot] = &s->op[slot];
	start_all(s, ops, count);
	await_all(s);
}

/* Each write is looked for in the file. */
void file_writes_stay_honest(struct subject *s)
{
	uint64_t seen[DEPTH];
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int fd = memfd_create("conformance", MFD_CLOEXEC);
	expect(fd >= 0, "memfd_create: %s", strerror(errno));
	open_engine(s, DEPTH, 1);
	attach(s, 0, fd);
	for (uint64_t count = 0; count < operations(s); count += DEPTH) {
		for (unsigned slot = 0; slot < DEPTH; slot++) {
			uint64_t number = count + slot;
			memcpy(buffer_of(s, slot), &number, sizeof number);
			prepare(s, slot, IO_WRITE, fd, 0, slot * sizeof number, sizeof number);
		}
		start_in_a_batch(s, DEPTH);
		expect(pread(fd, seen, sizeof seen, 0) == sizeof seen, "cannot read back");
		for (unsigned slot = 0; slot < DEPTH; slot++)
			expect(s->op[slot].result == sizeof seen[slot] &&
				       seen[slot] == count + slot,
			       WHEN("write %llu") EXPECTED("8 bytes in the file")
				       SAW("%s and another content"),
			       (unsigned long long)(count + slot), answer(s->op[slot].result));
	}
	close_engine(s);
	close(fd);
}

/* A pipe cannot be synced, so a sync that is made is an error. */
void file_syncs_stay_honest(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int ends[2];
	expect(pipe2(ends, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
	open_engine(s, DEPTH, 1);
	attach(s, 0, ends[1]);
	for (unsigned count = 0; count < operations(s) / 2; count += DEPTH) {
		for (unsigned slot = 0; slot < DEPTH; slot++)
			prepare(s, slot, slot % 2 ? IO_FSYNC : IO_FDATASYNC, ends[1], 0, 0, 0);
		start_in_a_batch(s, DEPTH);
		for (unsigned slot = 0; slot < DEPTH; slot++)
			expect(s->op[slot].result == -EINVAL,
			       WHEN("sync %u of a pipe") EXPECTED("-EINVAL") SAW("%s"),
			       count + slot, answer(s->op[slot].result));
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Each byte is looked for at the other end. */
void stream_sends_stay_honest(struct subject *s)
{
	char seen[DEPTH];
	int ends[2];
	make_writing_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (unsigned count = 0; count < operations(s); count += DEPTH) {
		for (unsigned i = 0; i < DEPTH; i++) {
			buffer_of(s, 0)[0] = pattern_byte(count + i);
			int64_t n = perform(s, prepare_send(s, 0, ends[0], 0, 1));
			expect(n == 1, WHEN("send %u") EXPECTED("1 byte") SAW("%lld"), count + i,
			       (long long)n);
		}
		for (size_t got = 0; got < DEPTH;) {
			ssize_t n = read(ends[1], seen + got, DEPTH - got);
			expect(n > 0, "the test's own read failed: %s", strerror(errno));
			got += (size_t)n;
		}
		for (unsigned i = 0; i < DEPTH; i++)
			expect(seen[i] == pattern_byte(count + i), "send %u: a wrong byte",
			       count + i);
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* What a variant asks of the interface for a few operations. */
static struct asked_for asked_by(struct subject *s, uint64_t options)
{
	int ends[2] = { -1, -1 };
	s->options = options;
	if (ONE(s->flavour) & FILES)
		ends[0] = make_file(s, 4096, O_RDWR);
	else if (s->flavour != NO_FD)
		make_pair(s, ends);
	faults_watch();
	open_engine(s, 2, 2);
	if (ends[0] >= 0)
		attach(s, 0, ends[0]);
	if (s->flavour == NO_FD) {
		perform(s, prepare(s, 0, IO_NOP, -1, 0, 0, 0));
	} else if (ONE(s->flavour) & FILES) {
		perform(s, prepare(s, 0, IO_READ, ends[0], 0, 0, 4096));
		perform(s, prepare(s, 1, IO_WRITE, ends[0], 0, 0, 4096));
	} else {
		struct io_op *op = prepare_receive(s, 0, ends[0], 0);
		start(s, op);
		expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
		await(s, op);
		perform(s, prepare_send(s, 1, ends[0], 0, 1));
		if (s->flavour != PIPE)
			accept_a_client(s, 0, 1);
	}
	struct asked_for asked = faults_asked_for();
	close_engine(s);
	faults_end();
	for (unsigned i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return asked;
}

/* The plain engine's calls and flags, and those of the variant, are not the same. */
void option_is_no_mere_label(struct subject *s)
{
	uint64_t options = s->options;
	if (!faults_watch || !faults_watch())
		test_skipped("calls are seen in the plain build");
	faults_end();
	if (options == 0)
		test_skipped("it has no option here");
	struct asked_for plain = asked_by(s, 0), with = asked_by(s, options), none = { 0 };
	if (memcmp(&plain, &none, sizeof none) == 0)
		test_skipped("it makes no call that is seen");
	expect(memcmp(&plain, &with, sizeof plain) != 0,
	       EXPECTED("other calls or flags than without the option") SAW("the same"));
}
