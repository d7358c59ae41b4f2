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
		expect(n > 0 && (uint64_t)n <= end - begin, EXPECTED("1 to %llu bytes") SAW("%s"),
		       (unsigned long long)(end - begin), answer(n));
		for (int64_t b = 0; b < n; b++, begin++)
			expect(buffer_of(s, i)[b] == pattern_byte(begin),
			       EXPECTED("byte %llu of the stream in its place") SAW("another"),
			       (unsigned long long)begin);
	}
}

/* Exercise 1: what is asked for once. */

/*
 * The peer is this very thread. Without DEFER_TASKRUN its send ends with the receive's work, and the
 * completion is there before anybody asked.
 */
static void completes_only_when_asked(struct subject *s)
{
	struct connections c;
	open_connections(s, &c, 2);
	struct io_op *op = receive(s, &c, 0);
	start(s, op);
	look(s);
	memset(buffer_of(s, 0), 0x55, 8);
	unsigned before = ring_facts().completions;
	peer_sends(c.ends[0][1], "bytes", 5);
	unsigned after = ring_facts().completions;
	expect(after == before && buffer_of(s, 0)[0] == 0x55,
	       WHEN("bytes have come, and nobody has asked yet")
		       EXPECTED("the receive's work still to be done (DEFER_TASKRUN)")
			       SAW("%u completions, made in the sender's call"),
	       after - before);
	await(s, op);
	expect(op->result == 5, EXPECTED("5 bytes") SAW("%s"), answer(op->result));
	close_connections(s, &c);
}

/* The kernel refuses an address that is too long before it begins with anything. */
static void one_bad_request_holds_up_no_other(struct subject *s)
{
	enum { COUNT = 5, BAD = 2, TOO_LONG = 500 };
	struct io_op *ops[COUNT], *done[COUNT];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	open_engine(s, COUNT, 1);
	attach(s, 0, fd);
	for (unsigned i = 0; i < COUNT; i++)
		ops[i] = i == BAD ? prepare(s, i, IO_CONNECT, fd, 0, 0, TOO_LONG)
				  : prepare(s, i, IO_NOP, -1, 0, 0, 0);
	calls_reset();
	start_all(s, ops, COUNT);
	unsigned n = reap(s, done, COUNT, COUNT, PATIENCE_NS);
	expect(n == COUNT,
	       WHEN("one of five requests is refused at once")
		       EXPECTED("all five back from one reap()") SAW("%u"),
	       n);
	expect_calls(1, "one of five requests is refused at once");
	for (unsigned i = 0; i < COUNT; i++)
		expect(ops[i]->result == (i == BAD ? -EINVAL : 0), EXPECTED("%s") SAW("%s"),
		       answer(i == BAD ? -EINVAL : 0), answer(ops[i]->result));
	detach(s, 0);
	close_engine(s);
	close(fd);
}

/* Another file stands under the ring's number for a while: who goes by the number meets it. */
static void is_known_without_its_descriptor(struct subject *s)
{
	struct connections c;
	open_connections(s, &c, 2);
	int ring = ring_descriptor(), kept = fcntl(ring, F_DUPFD_CLOEXEC, 100);
	int other = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct io_op *op = receive(s, &c, 0);
	start(s, op);
	dup2(other, ring);
	struct io_op *done[4];
	int rc = s->ops->reap(s->engine, done, 0, 4, 0);
	peer_sends(c.ends[0][1], "bytes", 5);
	int came = s->ops->reap(s->engine, done, 1, 4, PATIENCE_NS);
	dup2(kept, ring);
	expect(rc == 0 && came == 1,
	       WHEN("the ring's descriptor stands for another file")
		       EXPECTED("the ring to be found by its registered number")
			       SAW("%s from reap(), and %s from another one"),
	       answer(rc), answer(came));
	op->in_flight = 0;
	s->inflight--;
	expect(op->result == 5, EXPECTED("5 bytes") SAW("%s"), answer(op->result));
	close(other);
	close(kept);
	close_connections(s, &c);
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;
	DIR *directory = opendir("/proc/self/fd");
	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

/* A kernel that knows not all of the flags answers EINVAL. Nothing is tried in their place. */
static void an_old_kernel_is_told_from_others(struct subject *s)
{
	static const int errors[] = { EINVAL, ENOSYS, EPERM, ENOMEM };
	enum { COUNT = sizeof errors / sizeof *errors };
	struct engine_config config = {
		.depth = 2, .max_fds = 2, .cpu_count = 2, .options = s->options
	};
	struct reason whys[COUNT] = { 0 };
	for (unsigned i = 0; i < COUNT; i++) {
		struct engine *engine = NULL;
		unsigned before = open_descriptors();
		calls_reset();
		fail_call("io_uring_setup", errors[i], 0);
		int rc = i % 2 ? s->ops->supports(&config, IO_READ, IO_FD_FILE, &whys[i])
			       : s->ops->open(&engine, &config, &whys[i]);
		expect(call_failed(), EXPECTED("io_uring_setup to be tried") SAW("no call"));
		expect(rc == -errors[i] && whys[i].text[0],
		       WHEN("when io_uring_setup fails") EXPECTED("%s and words") SAW("%s: %s"),
		       answer(-errors[i]), answer(rc), whys[i].text);
		unsigned tries = calls_made("io_uring_setup");
		expect(tries <= 1,
		       WHEN("when io_uring_setup fails") EXPECTED("no other ring to be tried")
			       SAW("%u tried"),
		       tries);
		expect(open_descriptors() == before, "a descriptor is left open");
		for (unsigned other = 0; other < i; other++)
			expect(strcmp(whys[i].id, whys[other].id) != 0,
			       EXPECTED("%s and %s to have reasons of their own")
				       SAW("\"%s\" for both"),
			       answer(-errors[i]), answer(-errors[other]), whys[i].id);
	}
	expect(strstr(whys[0].text, "Linux") != NULL,
	       WHEN("when a flag is not known")
		       EXPECTED("the words to name the Linux that knows it") SAW("\"%s\""),
	       whys[0].text);
}

#define EXERCISE(number, options)                                                                  \
	.exercise = number, .engine = "uring_tuned" options, .allowed_calls = URING

#define TEST(test, which, function) .name = test, .flavours = which, .run = function

const struct lab_test lab_tests[] = {
	{ EXERCISE(1, ""), TEST("completes_only_when_asked", SOCKETS, completes_only_when_asked) },
	{ EXERCISE(1, ""),
	  TEST("one_bad_request_holds_up_no_other", ONE(TCP), one_bad_request_holds_up_no_other) },
	{ EXERCISE(1, ""),
	  TEST("is_known_without_its_descriptor", ONE(UNIX), is_known_without_its_descriptor) },
	{ EXERCISE(1, ""), TEST("an_old_kernel_is_told_from_others", ONE(NO_FD),
				an_old_kernel_is_told_from_others) },
	{ EXERCISE(1, ""), TEST("open_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ NULL },
};
