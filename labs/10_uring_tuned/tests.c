/* SPDX-License-Identifier: MIT */
/* Lab 10: what a tuned engine asks the kernel for, how often, and what it must put up with for it. */
#include "lab_test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "failing_calls.h"

#define ENTER "io_uring_enter"
#define URING "io_uring_enter io_uring_register close "

/* How long a test waits for what must not come, and for what must. */
#define A_MOMENT_NS (20 * NS_PER_MS)
#define PATIENCE_NS (2 * NS_PER_S)

/* The ring, as /proc shows it. */

struct ring_facts {
	unsigned requests, completions; /* since the ring was made */
	unsigned receives_waiting, accepts_waiting; /* requests that the kernel looks after */
	unsigned files; /* registered */
};

static int ring_descriptor(void)
{
	int fd = -1;
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	while (directory && fd < 0 && (entry = readdir(directory)) != NULL) {
		char target[64] = "";
		ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
		if (n > 0 && strcmp(target, "anon_inode:[io_uring]") == 0)
			fd = atoi(entry->d_name);
	}
	if (directory)
		closedir(directory);
	if (fd < 0)
		test_skipped("/proc/self/fd shows no ring");
	return fd;
}

static struct ring_facts ring_facts(void)
{
	struct ring_facts facts = { 0 };
	char path[64], line[160];
	bool has_tail = false, in_poll_list = false;
	unsigned opcode;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", ring_descriptor());
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file)) {
		has_tail |= sscanf(line, "SqTail: %u", &facts.requests) == 1;
		sscanf(line, "CqTail: %u", &facts.completions);
		sscanf(line, "UserFiles: %u", &facts.files);
		if (line[0] != ' ')
			in_poll_list = strncmp(line, "PollList", 8) == 0;
		if (!in_poll_list || sscanf(line, " op=%u", &opcode) != 1)
			continue;
		facts.receives_waiting += opcode == IORING_OP_RECV || opcode == IORING_OP_RECVMSG;
		facts.accepts_waiting += opcode == IORING_OP_ACCEPT;
	}
	if (file)
		fclose(file);
	if (!has_tail)
		test_skipped("%s of this kernel does not show the rings", path);
	return facts;
}

static void expect_calls(unsigned most, const char *what)
{
	unsigned enters = calls_made(ENTER), calls = calls_made(NULL);
	expect(enters <= most, WHEN("%s") EXPECTED("at most %u io_uring_enter") SAW("%u"), what,
	       most, enters);
	expect(calls == enters, WHEN("%s") EXPECTED("no other system call") SAW("%u"), what,
	       calls - enters);
}

/* Connections. On the last one, the bystander, a receive waits all the time. */
#define CONNECTIONS_MOST 40u

struct connections {
	unsigned count;
	int ends[CONNECTIONS_MOST][2];
};

static struct io_op *receive(struct subject *s, const struct connections *c, unsigned i)
{
	return prepare_receive(s, i, c->ends[i][0], i);
}

static void open_connections(struct subject *s, struct connections *c, unsigned count)
{
	c->count = count;
	open_engine(s, 2 * count, count);
	for (unsigned i = 0; i < count; i++) {
		make_pair(s, c->ends[i]);
		attach(s, i, c->ends[i][0]);
	}
	start(s, receive(s, c, count - 1));
}

static void close_connections(struct subject *s, const struct connections *c)
{
	peer_sends(c->ends[c->count - 1][1], "end", 3);
	await_all(s);
	for (unsigned i = 0; i < c->count; i++)
		detach(s, i);
	close_engine(s);
	for (unsigned i = 0; i < c->count; i++) {
		close(c->ends[i][0]);
		close(c->ends[i][1]);
	}
}

/* Gives the engine occasion to notice what has come: the bystander's receive is waited for, in vain. */
static void look(struct subject *s)
{
	struct io_op *done[4];
	unsigned n = reap(s, done, 1, 4, NS_PER_MS);
	expect(n == 0, EXPECTED("nothing for the receive that waits") SAW("%u came back"), n);
}

/* The peer of connection `i` sends in `count` pieces, and the engine notices each of them alone. */
static void send_in_pieces(struct subject *s, const struct connections *c, unsigned i,
			   uint64_t *position, unsigned count, unsigned piece_bytes)
{
	char bytes[BUFFER_BYTES];
	for (unsigned piece = 0; piece < count; piece++) {
		for (unsigned b = 0; b < piece_bytes; b++)
			bytes[b] = pattern_byte((*position)++);
		peer_sends(c->ends[i][1], bytes, piece_bytes);
		look(s);
	}
}

/* Receives on connection `i`, `len_bytes` at most at a time, until all up to `end` have come. */
static void expect_bytes(struct subject *s, const struct connections *c, unsigned i, uint64_t begin,
			 uint64_t end, uint32_t len_bytes)
{
	while (begin < end) {
		struct io_op *op = receive(s, c, i);
		op->len_bytes = len_bytes;
		int64_t n = perform(s, op);
		expect(n > 0 && (uint64_t)n <= end - begin,
		       EXPECTED("1 to %llu bytes") SAW("%s"), (unsigned long long)(end - begin),
		       answer(n));
		for (int64_t b = 0; b < n; b++, begin++)
			expect(buffer_of(s, i)[b] == pattern_byte(begin),
			       EXPECTED("byte %llu of the stream in its place") SAW("another"),
			       (unsigned long long)begin);
	}
}
