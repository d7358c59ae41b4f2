/* SPDX-License-Identifier: MIT */
/* Lab 10: what a tuned engine asks the kernel for, how often, and what it must put up with for it. */
#include "lab_test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocation_count.h"
#include "clock.h"
#include "failing_calls.h"
#include "newer_kernels.h"
#include "ring_test.h"
#include "stream_test.h"

#define URING "io_uring_enter io_uring_register close "

/* The ring, as /proc shows it. */

struct ring_facts {
	unsigned requests, completions; /* since the ring was made */
	unsigned receives_waiting, accepts_waiting; /* requests that the kernel looks after */
	unsigned waiting; /* all of them */
	unsigned files; /* registered */
};

static int ring_descriptor(void)
{
	int fd = engines_ring();
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
		facts.waiting++;
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
	unsigned enters = calls_made(RING_ENTER), calls = calls_made(NULL);
	expect(enters <= most, WHEN("%s") EXPECTED("at most %u io_uring_enter") SAW("%u"), what,
	       most, enters);
	expect(calls == enters, WHEN("%s") EXPECTED("no other system call") SAW("%u"), what,
	       calls - enters);
}

#define LENT_BYTES 256u

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

/* Reaps `count`, one by one. */
static void await_some(struct subject *s, unsigned count)
{
	struct io_op *done[1];
	for (; count > 0; count--) {
		unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
		expect(n > 0, EXPECTED("%u operations more") SAW("none for 2 s"), count);
	}
}

/* The bystander's receive stays. */
static void await_but_the_last(struct subject *s)
{
	await_some(s, s->inflight - 1);
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
		unsigned before = count_open_descriptors();
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
		expect(count_open_descriptors() == before, "a descriptor is left open");
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

/* The first ring is refused, and a plain one does not open either: for want of a descriptor, here. */
static void an_old_kernel_is_not_blamed_on_an_option(struct subject *s)
{
	const struct engine_config config = { .depth = 2, .cpu_count = 2, .options = s->options };
	struct reason why = { "" };
	struct rlimit limit, few;
	int lowest = dup(STDERR_FILENO);
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &limit);
	few = limit;
	few.rlim_cur = (rlim_t)lowest;
	setrlimit(RLIMIT_NOFILE, &few);
	fail_call("io_uring_setup", EINVAL, 0);
	int rc = s->ops->supports(&config, IO_READ, IO_FD_FILE, &why);
	bool failed = call_failed();
	setrlimit(RLIMIT_NOFILE, &limit);
	expect(failed, EXPECTED("io_uring_setup to be tried") SAW("no call"));
	expect(rc == -EINVAL && strstr(why.text, "6.1") && !strstr(why.text, "6.6"),
	       WHEN("no ring opens, with the option no_sqarray or without it")
		       EXPECTED("words about DEFER_TASKRUN and Linux 6.1") SAW("%s: \"%s\""),
	       answer(rc), why.text);
}

/* Exercise 2: buffers that the kernel chooses from. */

/* Two buffers, and many messages: each buffer is lent again and again. */
static void giving_back_is_a_note_in_memory(struct subject *s)
{
	enum { BUFFERS = 2, MESSAGES = 500 };
	int ends[2];
	s->lent_count = BUFFERS;
	s->lent_len_bytes = LENT_BYTES;
	open_engine(s, 2, 1);
	make_pair(s, ends);
	attach(s, 0, ends[0]);
	for (unsigned i = 0; i < MESSAGES; i++) {
		char sent[LENT_BYTES];
		unsigned length_bytes = 1 + i % LENT_BYTES;
		for (unsigned b = 0; b < length_bytes; b++)
			sent[b] = pattern_byte((uint64_t)i * LENT_BYTES + b);
		peer_sends(ends[1], sent, length_bytes);
		struct io_op *op = prepare_receive(s, i % 2, ends[0], 0);
		op->buf = NULL;
		op->len_bytes = LENT_BYTES;
		int64_t n = perform(s, op);
		expect(n == length_bytes && op->buf && memcmp(op->buf, sent, length_bytes) == 0,
		       WHEN("message %u") EXPECTED("its %u bytes in a lent buffer")
			       SAW("%s, or others"),
		       i, length_bytes, answer(n));
		calls_reset();
		s->ops->give_back(s->engine, op->buf);
		expect_calls(0, "a buffer is given back");
	}
	detach(s, 0);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Exercise 3: one request, and what it brings. */

/* Answers a message on connection `i` as it comes. */
static void receive_a_message(struct subject *s, const struct connections *c, unsigned i,
			      uint64_t *position, unsigned length_bytes)
{
	char bytes[BUFFER_BYTES];
	for (unsigned b = 0; b < length_bytes; b++)
		bytes[b] = pattern_byte(*position + b);
	start(s, receive(s, c, i));
	look(s);
	peer_sends(c->ends[i][1], bytes, length_bytes);
	await(s, &s->op[i]);
	expect(s->op[i].result == length_bytes && memcmp(buffer_of(s, i), bytes, length_bytes) == 0,
	       WHEN("the peer has sent a message") EXPECTED("its %u bytes") SAW("%s, or others"),
	       length_bytes, answer(s->op[i].result));
	*position += length_bytes;
}

static void asks_once_for_all_messages(struct subject *s)
{
	enum { MESSAGES = 50 };
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	receive_a_message(s, &c, 0, &position, 10);
	unsigned before = ring_facts().requests;
	for (unsigned i = 0; i < MESSAGES; i++)
		receive_a_message(s, &c, 0, &position, 10 + i);
	unsigned requests = ring_facts().requests - before;
	expect(requests == 0,
	       WHEN("%u messages came after the first one")
		       EXPECTED("no request more: that of the first one goes on") SAW("%u"),
	       MESSAGES, requests);
	close_connections(s, &c);
}

/* Who has asked for nothing may not want what comes: another may read it. */
static void takes_nothing_before_the_first_receive(struct subject *s)
{
	struct connections c;
	char seen[8];
	open_connections(s, &c, 2);
	look(s);
	struct ring_facts before = ring_facts();
	peer_sends(c.ends[0][1], "theirs", 6);
	look(s);
	struct ring_facts after = ring_facts();
	expect(after.completions == before.completions && after.requests == before.requests,
	       WHEN("bytes came on a socket on which nobody receives") EXPECTED("no request")
		       SAW("%u requests, %u completions"),
	       after.requests - before.requests, after.completions - before.completions);
	ssize_t n = recv(c.ends[0][0], seen, sizeof seen, MSG_DONTWAIT);
	expect(n == 6, EXPECTED("the 6 bytes still in the socket") SAW("%zd"), n);
	close_connections(s, &c);
}

/* Three pieces come while nobody receives. Then they are in the program's memory already. */
static void answers_with_what_is_parked(struct subject *s)
{
	enum { PIECES = 3, PIECE_BYTES = 100 };
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	receive_a_message(s, &c, 0, &position, PIECE_BYTES);
	unsigned before = ring_facts().completions;
	send_in_pieces(s, &c, 0, &position, PIECES, PIECE_BYTES);
	unsigned came = ring_facts().completions - before;
	expect(came == PIECES,
	       WHEN("3 pieces came, and nobody receives yet") EXPECTED("3 completions") SAW("%u"),
	       came);
	calls_reset();
	expect_bytes(s, &c, 0, PIECE_BYTES, position, BUFFER_BYTES);
	expect_calls(0, "what is asked for is parked already");
	receive_a_message(s, &c, 0, &position, PIECE_BYTES);
	close_connections(s, &c);
}

/*
 * Of two operations that are waited for, one takes what is parked. The kernel is waited for one more, also
 * where the other one's request is armed already, and so nothing is to be handed over.
 */
static void one_parked_and_one_to_come(struct subject *s, bool both_are_armed)
{
	struct connections c;
	struct io_op *done[4];
	uint64_t positions[2] = { 0 };
	open_connections(s, &c, 3);
	for (unsigned i = 0; i < 1u + both_are_armed; i++)
		receive_a_message(s, &c, i, &positions[i], 10);
	send_in_pieces(s, &c, 0, &positions[0], 1, 10);
	peer_sends(c.ends[1][1], "here", 4);
	struct io_op *both[] = { receive(s, &c, 0), receive(s, &c, 1) };
	start_all(s, both, 2);
	uint64_t begin_ns = clock_ns();
	unsigned n = reap(s, done, 2, 4, PATIENCE_NS);
	expect(n == 2 && clock_ns() - begin_ns < PATIENCE_NS,
	       WHEN("one operation takes what is parked, and bytes are there for the other%s")
		       EXPECTED("both before the time is over") SAW("%u after %llu ms"),
	       both_are_armed ? ", whose request is armed already" : "", n,
	       (unsigned long long)((clock_ns() - begin_ns) / NS_PER_MS));
	close_connections(s, &c);
}

/* One socket's bytes are all parked, and no call is needed for them. Another one waits, and must be heard, too. */
static void who_waits_is_heard_beside_what_is_parked(struct subject *s)
{
	enum { PIECES = 2, PIECE_BYTES = 100, RECEIVES = 150 };
	struct io_op *done[1];
	struct connections c;
	uint64_t position = 0;
	s->lent_count = 0;
	open_connections(s, &c, 3);
	receive_a_message(s, &c, 0, &position, 10);
	start(s, receive(s, &c, 1));
	look(s);
	send_in_pieces(s, &c, 0, &position, PIECES, PIECE_BYTES);
	peer_sends(c.ends[1][1], "heard", 5);
	unsigned received = 0;
	bool is_heard = false;
	for (; !is_heard && received < RECEIVES; received++) {
		struct io_op *op = receive(s, &c, 0);
		op->len_bytes = 1;
		start(s, op);
		while (op->in_flight && !is_heard)
			is_heard = reap(s, done, 1, 1, PATIENCE_NS) == 1 && done[0] == &s->op[1];
	}
	expect(is_heard,
	       WHEN("bytes are parked for %u receives at one socket, and bytes came for another")
		       EXPECTED("both to be heard") SAW("the first alone"),
	       RECEIVES);
	await_but_the_last(s);
	expect_bytes(s, &c, 0, 10 + (uint64_t)received, position, BUFFER_BYTES);
	close_connections(s, &c);
}

/* One look that does not wait takes what came since the last one. */
static void one_look_takes_what_came(struct subject *s)
{
	struct io_op *done[1];
	struct connections c;
	open_connections(s, &c, 2);
	for (unsigned i = 0; i < 5; i++) {
		start(s, receive(s, &c, 0));
		look(s);
		peer_sends(c.ends[0][1], "here", 4);
		unsigned n = reap(s, done, 0, 1, 0);
		expect(n == 1 && done[0] == &s->op[0],
		       WHEN("bytes have come") EXPECTED("the receive from one reap() with min 0")
			       SAW("%u operations"),
		       n);
	}
	close_connections(s, &c);
}

static void what_is_parked_counts(struct subject *s)
{
	one_parked_and_one_to_come(s, false);
	one_parked_and_one_to_come(s, true);
}

/* One operation takes what is parked, bytes are there for two more, and there is room for two in all. */
static void what_is_parked_takes_room(struct subject *s)
{
	struct connections c;
	struct io_op *done[4];
	uint64_t position = 0;
	open_connections(s, &c, 4);
	receive_a_message(s, &c, 0, &position, 10);
	send_in_pieces(s, &c, 0, &position, 1, 10);
	peer_sends(c.ends[1][1], "here", 4);
	peer_sends(c.ends[2][1], "here", 4);
	struct io_op *all[] = { receive(s, &c, 0), receive(s, &c, 1), receive(s, &c, 2) };
	start_all(s, all, 3);
	unsigned n = reap(s, done, 2, 2, PATIENCE_NS);
	expect(n == 2, EXPECTED("2 operations, as many as asked for") SAW("%u"), n);
	for (unsigned i = 0; i < 3; i++)
		await(s, all[i]);
	close_connections(s, &c);
}

/*
 * One receive waits on a silent socket. Meanwhile bytes come on others, which nobody waits for. They are
 * parked, and the time that the caller gave does not begin anew with each.
 */
static void what_is_parked_lengthens_no_wait(struct subject *s)
{
	enum { OTHERS = CONNECTIONS_MOST - 1 };
	struct connections c;
	struct io_op *done[1];
	struct speaker speaker = { .pause_ns = 50 * NS_PER_MS, .count = OTHERS };
	open_connections(s, &c, OTHERS + 1);
	for (unsigned i = 0; i < OTHERS; i++) {
		uint64_t position = 0;
		receive_a_message(s, &c, i, &position, 10);
		speaker.fds[i] = c.ends[i][1];
	}
	begin_speaking(&speaker);
	uint64_t begin_ns = clock_ns();
	unsigned n = reap(s, done, 1, 1, 200 * NS_PER_MS);
	uint64_t waited_ns = clock_ns() - begin_ns;
	speaker.enough = true;
	pthread_join(speaker.thread, NULL);
	expect(n == 0 && waited_ns < OTHERS * 50 * NS_PER_MS,
	       WHEN("nothing comes for who waits, and bytes for others, 39 times")
		       EXPECTED("the end after 200 ms") SAW("%u back after %llu ms"),
	       n, (unsigned long long)(waited_ns / NS_PER_MS));
	close_connections(s, &c);
}

/* Sends a word, and one signal to the thread that waits, once the engine has taken the word. */
struct signaller {
	pthread_t thread, sleeper;
	int peer;
	unsigned completions; /* before the word */
	int64_t patience_ns; /* with the engine: then it is too busy a machine */
};

static void let_it_be(int signal_number)
{
	(void)signal_number;
}

static void *speak_and_signal(void *argument)
{
	struct signaller *signaller = argument;
	uint64_t until_ns = clock_ns() + (uint64_t)signaller->patience_ns;
	peer_sends(signaller->peer, "word", 4);
	while (ring_facts().completions == signaller->completions && clock_ns() < until_ns)
		usleep(1000);
	usleep(5000); /* to sleep again takes a moment, and does not matter much */
	pthread_kill(signaller->sleeper, SIGUSR1);
	return NULL;
}

/*
 * Two receives are waited for. Bytes come for neither, but for a socket that nobody reads, and they are
 * parked. Then a signal comes: it ends the wait as it ends any other.
 */
static void a_signal_ends_a_wait_while_others_park(struct subject *s)
{
	struct connections c;
	struct io_op *done[4];
	uint64_t position = 0;
	struct sigaction action = { .sa_handler = let_it_be };
	sigaction(SIGUSR1, &action, NULL);
	open_connections(s, &c, 3);
	receive_a_message(s, &c, 0, &position, 10);
	start(s, receive(s, &c, 1));
	look(s);
	struct signaller signaller = { .sleeper = pthread_self(),
				       .peer = c.ends[0][1],
				       .completions = ring_facts().completions,
				       .patience_ns = PATIENCE_NS / 2 };
	expect(pthread_create(&signaller.thread, NULL, speak_and_signal, &signaller) == 0,
	       "the test has no thread");
	uint64_t begin_ns = clock_ns();
	unsigned n = reap(s, done, 2, 4, 2 * PATIENCE_NS);
	uint64_t waited_ns = clock_ns() - begin_ns;
	pthread_join(signaller.thread, NULL);
	expect(n == 0 && waited_ns < 2 * PATIENCE_NS,
	       WHEN("bytes come that nobody waits for, and then a signal")
		       EXPECTED("it to end the wait") SAW("%u back after %llu ms"),
	       n, (unsigned long long)(waited_ns / NS_PER_MS));
	peer_sends(c.ends[1][1], "here", 4);
	await(s, &s->op[1]);
	close_connections(s, &c);
}

/* As many bytes as the operation has room for; the others stay for the next one, in their order. */
static void leaves_what_has_no_room(struct subject *s)
{
	static const uint32_t lengths_bytes[] = { 1, 7, 99, 100, 101, 250 };
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	receive_a_message(s, &c, 0, &position, 10);
	for (unsigned i = 0; i < sizeof lengths_bytes / sizeof *lengths_bytes; i++) {
		uint64_t begin = position;
		send_in_pieces(s, &c, 0, &position, 4, 100);
		expect_bytes(s, &c, 0, begin, position, lengths_bytes[i]);
	}
	close_connections(s, &c);
}

static void end_behind(struct subject *s, unsigned pieces)
{
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	receive_a_message(s, &c, 0, &position, 10);
	uint64_t begin = position;
	send_in_pieces(s, &c, 0, &position, pieces, 100);
	shutdown(c.ends[0][1], SHUT_WR);
	look(s);
	look(s);
	expect_bytes(s, &c, 0, begin, position, 64);
	for (unsigned i = 0; i < 3; i++) {
		int64_t n = perform(s, receive(s, &c, 0));
		expect(n == 0, WHEN("the peer has ended, time %u") EXPECTED("0") SAW("%s"), i,
		       answer(n));
	}
	close_connections(s, &c);
}

/*
 * The peer's end was parked behind its last bytes. It is no less true the second time. Of many bytes some are
 * still in the socket, behind those that are parked.
 */
static void the_end_comes_after_the_bytes(struct subject *s)
{
	end_behind(s, 2);
	end_behind(s, 100);
}

/* An error is told once, by the kernel and by the engine: to the receive that comes next. */
static void an_error_is_kept_for_the_next(struct subject *s)
{
	struct linger reset = { .l_onoff = 1 };
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	receive_a_message(s, &c, 0, &position, 10);
	setsockopt(c.ends[0][1], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(c.ends[0][1]);
	look(s);
	look(s);
	int64_t n = perform(s, receive(s, &c, 0));
	expect(n == -ECONNRESET,
	       WHEN("the peer reset the connection, and nobody received") EXPECTED("%s") SAW("%s"),
	       answer(-ECONNRESET), answer(n));
	c.ends[0][1] = dup(c.ends[1][1]); /* for the end of the test to close */
	close_connections(s, &c);
}

static struct io_op *lent_receive(struct subject *s, const struct connections *c, unsigned i)
{
	struct io_op *op = receive(s, c, i);
	op->buf = NULL;
	op->len_bytes = LENT_BYTES;
	return op;
}

/* All buffers of the ring hold what nobody has asked for. Who waits on a silent socket just waits. */
static void a_wait_needs_no_buffer(struct subject *s)
{
	enum { PARKING = 2 };
	struct connections c;
	s->lent_count = PARKING;
	s->lent_len_bytes = LENT_BYTES;
	open_connections(s, &c, PARKING + 2);
	for (unsigned i = 0; i < PARKING; i++) {
		peer_sends(c.ends[i][1], "first", 5);
		int64_t n = perform(s, lent_receive(s, &c, i));
		expect(n == 5, EXPECTED("5 bytes") SAW("%s"), answer(n));
		s->ops->give_back(s->engine, s->op[i].buf);
	}
	for (unsigned i = 0; i < PARKING; i++) {
		peer_sends(c.ends[i][1], "parked", 6);
		look(s);
	}
	struct io_op *op = lent_receive(s, &c, PARKING);
	start(s, op);
	look(s);
	unsigned before = ring_facts().requests;
	for (unsigned i = 0; i < 5; i++)
		look(s);
	unsigned requests = ring_facts().requests - before;
	expect(requests == 0,
	       WHEN("a receive waits, nothing comes and no buffer is free")
		       EXPECTED("it to wait without a buffer") SAW("%u requests meanwhile"),
	       requests);
	peer_sends(c.ends[PARKING][1], "late", 4);
	await(s, op);
	expect(op->result == 4 && op->buf && memcmp(op->buf, "late", 4) == 0,
	       EXPECTED("its 4 bytes in a lent buffer") SAW("%s"), answer(op->result));
	s->ops->give_back(s->engine, op->buf);
	close_connections(s, &c);
}

/* Each socket has its own. */
static void keeps_sockets_apart(struct subject *s)
{
	enum { COUNT = 6 };
	struct connections c;
	uint64_t positions[COUNT] = { 0 };
	open_connections(s, &c, COUNT + 1);
	for (unsigned i = 0; i < COUNT; i++) {
		positions[i] = i * 1000;
		receive_a_message(s, &c, i, &positions[i], 10);
	}
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < COUNT; i++)
			send_in_pieces(s, &c, i, &positions[i], 1, 50 + i);
	for (unsigned i = COUNT; i-- > 0;)
		expect_bytes(s, &c, i, i * 1000 + 10, positions[i], 40);
	close_connections(s, &c);
}

/* Far more messages than there are buffers, and still the one request. */
static void buffers_come_back(struct subject *s)
{
	enum { MESSAGES = 3000 };
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	receive_a_message(s, &c, 0, &position, 10);
	unsigned before = ring_facts().requests;
	for (unsigned i = 0; i < MESSAGES; i++)
		receive_a_message(s, &c, 0, &position, 1 + i % 100);
	unsigned requests = ring_facts().requests - before;
	expect(requests == 0,
	       WHEN("%u messages came, one after the other")
		       EXPECTED("no request more: it never lacked a buffer") SAW("%u"),
	       MESSAGES, requests);
	close_connections(s, &c);
}

/* Exercise 4: when the buffers run out, and when the request ends. */

/* Sockets that nobody reads. Each has had its receive, and now takes what comes. */
static void fill_sockets(struct subject *s, const struct connections *c, unsigned count,
			 uint64_t *positions, unsigned pieces)
{
	for (unsigned i = 0; i < count; i++)
		receive_a_message(s, c, i, &positions[i], 10);
	for (unsigned i = 0; i < count; i++)
		send_in_pieces(s, c, i, &positions[i], pieces, 20);
}

/* However much waits on other sockets, who receives gets its bytes. Nothing is lost, and all goes on. */
static void goes_on_without_buffers(struct subject *s)
{
	enum { COUNT = 30, PIECES = 40 };
	struct connections c;
	uint64_t positions[CONNECTIONS_MOST] = { 0 };
	open_connections(s, &c, COUNT + 2);
	fill_sockets(s, &c, COUNT, positions, PIECES);
	receive_a_message(s, &c, COUNT, &positions[COUNT], 100);
	receive_a_message(s, &c, COUNT, &positions[COUNT], 200);
	for (unsigned i = 0; i < COUNT; i++)
		expect_bytes(s, &c, i, 10, positions[i], 512);
	for (unsigned i = 0; i <= COUNT; i++)
		receive_a_message(s, &c, i, &positions[i], 30);
	close_connections(s, &c);
}

/* One that nobody reads is stopped, each time. The others go on as if it were not there. */
static void who_is_not_read_is_stopped(struct subject *s)
{
	enum { PIECES = 100 };
	struct connections c;
	uint64_t positions[3] = { 0 };
	open_connections(s, &c, 3);
	receive_a_message(s, &c, 1, &positions[1], 10);
	for (unsigned round = 0; round < 2; round++) {
		uint64_t begin = positions[0] + 10;
		fill_sockets(s, &c, 1, positions, PIECES);
		look(s);
		struct ring_facts facts = ring_facts();
		expect(facts.receives_waiting <= 2,
		       WHEN("%u pieces came, and nobody reads")
			       EXPECTED("the request to be called back")
				       SAW("it goes on: %u receives wait where two would"),
		       PIECES, facts.receives_waiting);
		for (unsigned i = 0; i < 20; i++)
			receive_a_message(s, &c, 1, &positions[1], 100);
		unsigned requests = ring_facts().requests - facts.requests;
		expect(requests == 0,
		       WHEN("another socket's messages come") EXPECTED("its own request to go on")
			       SAW("%u requests"),
		       requests);
		expect_bytes(s, &c, 0, begin, positions[0], BUFFER_BYTES);
	}
	close_connections(s, &c);
}

/* A request that has ended is made anew when somebody waits: and then it is one for many again. */
static void arms_again_once_it_is_read(struct subject *s)
{
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	fill_sockets(s, &c, 1, &position, 100);
	expect_bytes(s, &c, 0, 10, position, BUFFER_BYTES);
	receive_a_message(s, &c, 0, &position, 10);
	unsigned before = ring_facts().requests;
	for (unsigned i = 0; i < 50; i++)
		receive_a_message(s, &c, 0, &position, 100);
	unsigned requests = ring_facts().requests - before;
	expect(requests == 0,
	       WHEN("50 messages came after the request was made anew") EXPECTED("no request more")
		       SAW("%u"),
	       requests);
	close_connections(s, &c);
}

/* Exercise 5: the end. */

/* Then in a socket that was stopped because nobody read: what else was armed beside its receive? */
static void detach_leaves_nothing_armed(struct subject *s)
{
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	look(s);
	unsigned before = ring_facts().waiting;
	for (unsigned round = 0; round < 2; round++) {
		receive_a_message(s, &c, 0, &position, 10);
		send_in_pieces(s, &c, 0, &position, round ? 30 : 2, 10);
		detach(s, 0);
		unsigned after = ring_facts().waiting;
		expect(after == before,
		       WHEN("after detach(), with %s parked")
			       EXPECTED("nothing armed for the socket")
				       SAW("%u requests more than before it was attached"),
		       round ? "much" : "little", after - before);
		attach(s, 0, c.ends[0][0]);
	}
	close_connections(s, &c);
}

/* detach() waits for what the kernel has of the socket. What else ends meanwhile is not lost. */
static void detach_keeps_what_others_ended(struct subject *s)
{
	enum { OTHERS = 3 };
	struct io_op *done[OTHERS];
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 3);
	receive_a_message(s, &c, 0, &position, 10);
	for (unsigned i = 0; i < OTHERS; i++)
		start(s, prepare(s, 3 + i, IO_NOP, -1, 0, 0, 0));
	detach(s, 0);
	unsigned n = reap(s, done, OTHERS, OTHERS, PATIENCE_NS);
	expect(n == OTHERS,
	       WHEN("%u no-ops ended while detach() waited") EXPECTED("all of them from reap()")
		       SAW("%u"),
	       OTHERS, n);
	attach(s, 0, c.ends[0][0]);
	close_connections(s, &c);
}

/* The call that ends what is armed is interrupted, or the kernel is busy: it is made once more. */
static void detach_goes_on_after_a_signal(struct subject *s)
{
	static const int errors[] = { EINTR, EAGAIN, EBUSY };
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	look(s);
	unsigned before = ring_facts().waiting;
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
		receive_a_message(s, &c, 0, &position, 10);
		fail_call(RING_ENTER, errors[i], 0);
		detach(s, 0);
		expect(call_failed(), EXPECTED("detach() to tell the kernel") SAW("no call"));
		unsigned after = ring_facts().waiting;
		expect(after == before,
		       WHEN("io_uring_enter fails once in detach()")
			       EXPECTED("nothing armed for the socket")
				       SAW("%u requests more than before it was attached"),
		       after - before);
		attach(s, 0, c.ends[0][0]);
	}
	close_connections(s, &c);
}

/* A request holds its file: the peer of a socket that was only closed would wait for ever. */
static void detach_lets_the_socket_go(struct subject *s)
{
	struct connections c;
	uint64_t position = 0;
	char byte;
	open_connections(s, &c, 2);
	for (unsigned round = 0; round < 2; round++) {
		receive_a_message(s, &c, 0, &position, 10);
		send_in_pieces(s, &c, 0, &position, round ? 30 : 0, 10);
		detach(s, 0);
		close(c.ends[0][0]);
		struct pollfd peer = { .fd = c.ends[0][1], .events = POLLIN };
		int ready = poll(&peer, 1, (int)(PATIENCE_NS / NS_PER_MS));
		expect(ready == 1 && read(c.ends[0][1], &byte, 1) <= 0,
		       WHEN("the socket was detached and closed")
			       EXPECTED("the peer to see the end")
				       SAW("nothing for 2 s: something still holds the socket"));
		close(c.ends[0][1]);
		make_pair(s, c.ends[0]);
		attach(s, 0, c.ends[0][0]);
	}
	close_connections(s, &c);
}

/* What came for the socket before must not come out of the next one in its place. */
static void the_next_socket_gets_its_own(struct subject *s)
{
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 2);
	for (unsigned round = 0; round < 6; round++) {
		receive_a_message(s, &c, 0, &position, 10);
		/* Parked by now, or in the ring, or in the socket. */
		if (round % 3 == 0)
			send_in_pieces(s, &c, 0, &position, 3, 10);
		else
			peer_sends(c.ends[0][1], "old", 3);
		if (round % 3 == 2)
			shutdown(c.ends[0][1], SHUT_WR);
		detach(s, 0);
		close(c.ends[0][0]);
		close(c.ends[0][1]);
		make_pair(s, c.ends[0]);
		attach(s, 0, c.ends[0][0]);
	}
	close_connections(s, &c);
}

/*
 * The kernel refuses the call that would end the old socket's request. So that request may bring something
 * later: it is nobody's, and its buffer serves the next one.
 */
static void what_comes_late_is_nobodys(struct subject *s)
{
	enum { ROUNDS = 40 };
	struct connections c;
	int old[ROUNDS][2];
	uint64_t position = 0;
	open_connections(s, &c, 2);
	for (unsigned round = 0; round < ROUNDS; round++) {
		receive_a_message(s, &c, 0, &position, 10);
		fail_call(RING_ENTER " io_uring_register", ENOMEM, 0);
		detach(s, 0);
		call_failed();
		memcpy(old[round], c.ends[0], sizeof old[round]);
		make_pair(s, c.ends[0]);
		attach(s, 0, c.ends[0][0]);
		start(s, receive(s, &c, 0));
		look(s);
		peer_sends(old[round][1], "old", 3);
		look(s);
		expect(s->op[0].in_flight,
		       WHEN("bytes came on the socket that had this place before")
			       EXPECTED("nothing for the new one") SAW("%s"),
		       answer(s->op[0].result));
		peer_sends(c.ends[0][1], "new", 3);
		await(s, &s->op[0]);
		expect(s->op[0].result == 3 && memcmp(buffer_of(s, 0), "new", 3) == 0,
		       EXPECTED("the new socket's 3 bytes") SAW("%s, or others"),
		       answer(s->op[0].result));
	}
	unsigned before = ring_facts().requests;
	for (unsigned i = 0; i < 20; i++)
		receive_a_message(s, &c, 0, &position, 10);
	unsigned requests = ring_facts().requests - before;
	expect(requests == 0,
	       WHEN("late bytes were dropped %u times") EXPECTED("their buffers to serve again")
		       SAW("%u requests for want of buffers"),
	       ROUNDS, requests);
	close_connections(s, &c);
	for (unsigned round = 0; round < ROUNDS; round++) {
		close(old[round][0]);
		close(old[round][1]);
	}
}

/* From this depth on the submission ring has a place for each operation, and no more. */
#define FILLING 256u

/* So many operations that they fill the submission ring, which is not handed over yet. */
static void fill_the_ring(struct subject *s)
{
	struct io_op *ops[FILLING];
	for (unsigned i = 0; i < FILLING; i++)
		ops[i] = prepare(s, i, IO_NOP, -1, 0, 0, 0);
	start_all(s, ops, FILLING);
}

/*
 * The ring is full, and the kernel refuses the call that would empty it. So the old socket's request cannot
 * even be asked back, and receives what comes there. Its buffers serve the others all the same.
 */
static void late_bytes_give_their_buffers_back(struct subject *s)
{
	enum { ROUNDS = 20 };
	struct connections c = { .count = 1 };
	int old[ROUNDS][2];
	open_engine(s, FILLING, 1);
	make_pair(s, c.ends[0]);
	attach(s, 0, c.ends[0][0]);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct io_op *done[1];
		start(s, receive(s, &c, 0));
		reap(s, done, 1, 1, NS_PER_MS);
		peer_sends(c.ends[0][1], "new", 3);
		await(s, &s->op[0]);
		fill_the_ring(s);
		fail_call(RING_ENTER " io_uring_register", ENOMEM, 0);
		detach(s, 0);
		call_failed();
		memcpy(old[round], c.ends[0], sizeof old[round]);
		make_pair(s, c.ends[0]);
		attach(s, 0, c.ends[0][0]);
		await_all(s);
		peer_sends(old[round][1], "old", 3);
	}
	start(s, receive(s, &c, 0));
	peer_sends(c.ends[0][1], "new", 3);
	await(s, &s->op[0]);
	unsigned before = ring_facts().requests;
	for (unsigned i = 0; i < 20; i++) {
		start(s, receive(s, &c, 0));
		peer_sends(c.ends[0][1], "new", 3);
		await(s, &s->op[0]);
	}
	unsigned requests = ring_facts().requests - before;
	expect(requests == 0,
	       WHEN("bytes came for sockets that were gone, %u times")
		       EXPECTED("their buffers to serve again")
			       SAW("%u requests for want of buffers"),
	       ROUNDS, requests);
	detach(s, 0);
	close_engine(s);
	for (unsigned round = 0; round < ROUNDS; round++) {
		close(old[round][0]);
		close(old[round][1]);
	}
	close(c.ends[0][0]);
	close(c.ends[0][1]);
}

/* Each socket that goes leaves what it had parked: were it kept, soon none would be left. */
static void detach_gives_back_what_is_parked(struct subject *s)
{
	struct connections c;
	uint64_t position = 0, other = 0;
	open_connections(s, &c, 3);
	receive_a_message(s, &c, 1, &other, 10);
	unsigned detached_requests = 0, before = ring_facts().requests;
	for (unsigned round = 0; round < 200; round++) {
		unsigned at_first = ring_facts().requests;
		receive_a_message(s, &c, 0, &position, 10);
		send_in_pieces(s, &c, 0, &position, 3, 10);
		detach(s, 0);
		attach(s, 0, c.ends[0][0]);
		detached_requests += ring_facts().requests - at_first;
	}
	receive_a_message(s, &c, 1, &other, 10);
	unsigned requests = ring_facts().requests - before - detached_requests;
	expect(requests == 0,
	       WHEN("after 200 detach() with bytes parked")
		       EXPECTED("buffers for the socket that stayed") SAW("%u new requests"),
	       requests);
	close_connections(s, &c);
}

static void close_ends_what_is_armed(struct subject *s)
{
	char byte;
	for (unsigned round = 0; round < 3; round++) {
		struct connections c;
		uint64_t position = 0;
		open_connections(s, &c, 2);
		receive_a_message(s, &c, 0, &position, 10);
		send_in_pieces(s, &c, 0, &position, 2, 10);
		peer_sends(c.ends[1][1], "end", 3);
		await_all(s);
		calls_reset();
		close_engine(s); /* without a detach() before */
		unsigned calls = calls_made("io_uring_enter io_uring_register");
		expect(calls >= 2,
		       WHEN("a receive is armed when close() is called")
			       EXPECTED("a call that ends it, and one that lets the ring go")
				       SAW("%u calls"),
		       calls);
		for (unsigned i = 0; i < 2; i++) {
			close(c.ends[i][0]);
			struct pollfd peer = { .fd = c.ends[i][1], .events = POLLIN };
			int ready = poll(&peer, 1, (int)(PATIENCE_NS / NS_PER_MS));
			expect(ready == 1 && read(c.ends[i][1], &byte, 1) <= 0,
			       WHEN("engine and socket are closed")
				       EXPECTED("the peer to see the end") SAW("nothing for 2 s"));
			close(c.ends[i][1]);
		}
	}
}

/* The operation waits in the engine, for what the request may bring. The kernel knows nothing of it. */
static void called_back_without_the_kernel(struct subject *s)
{
	struct connections c;
	struct io_op *done[2];
	uint64_t position = 0;
	open_connections(s, &c, 2);
	receive_a_message(s, &c, 0, &position, 10);
	start(s, receive(s, &c, 0));
	look(s);
	struct ring_facts before = ring_facts();
	calls_reset();
	cancel_one(s, &s->op[0]);
	unsigned n = reap(s, done, 1, 2, PATIENCE_NS);
	expect(n == 1 && done[0] == &s->op[0] && done[0]->result == -ECANCELED,
	       EXPECTED("the operation that was called back, with -ECANCELED") SAW("%u of them"),
	       n);
	expect_calls(0, "a receive is called back");
	send_in_pieces(s, &c, 0, &position, 2, 10); /* nobody waits for them any more */
	expect_bytes(s, &c, 0, position - 20, position, BUFFER_BYTES);
	for (unsigned i = 0; i < 3; i++)
		receive_a_message(s, &c, 0, &position, 10);
	struct ring_facts after = ring_facts();
	expect(after.requests == before.requests,
	       WHEN("a receive was called back") EXPECTED("the socket's request to go on")
		       SAW("%u requests more"),
	       after.requests - before.requests);
	close_connections(s, &c);
}

/* Exercise 6: accepting. */

struct listening {
	struct sockaddr_in address;
	unsigned fd_slot;
	int fd, bystander[2];
};

static void attach_listener(struct subject *s, const struct listening *l)
{
	struct reason why = { "" };
	int rc = s->ops->attach(s->engine, l->fd_slot, l->fd, IO_FD_LISTENER, &why);
	expect(rc == 0, EXPECTED("attach() to succeed") SAW("%s: %s"), answer(rc), why.text);
}

static void make_listener(struct listening *l, unsigned fd_slot)
{
	socklen_t length = sizeof l->address;
	l->address = (struct sockaddr_in) { .sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	l->fd_slot = fd_slot;
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(bind(l->fd, (struct sockaddr *)&l->address, length) == 0 && listen(l->fd, 1000) == 0,
	       "the test cannot listen");
	getsockname(l->fd, (struct sockaddr *)&l->address, &length);
}

static void open_listening(struct subject *s, struct listening *l)
{
	make_listener(l, 0);
	open_engine(s, 4, 3);
	attach_listener(s, l);
	make_pair(s, l->bystander);
	attach(s, 1, l->bystander[0]);
	start(s, prepare_receive(s, 1, l->bystander[0], 1));
}

static void close_listening(struct subject *s, const struct listening *l)
{
	peer_sends(l->bystander[1], "end", 3);
	await_all(s);
	detach(s, 1);
	detach(s, 0);
	close_engine(s);
	close(l->fd);
	close(l->bystander[0]);
	close(l->bystander[1]);
}

static int new_client(const struct listening *l)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(connect(fd, (const struct sockaddr *)&l->address, sizeof l->address) == 0,
	       "the test cannot connect: %s", strerror(errno));
	return fd;
}

static struct io_op *accept_op(struct subject *s, const struct listening *l)
{
	struct io_op *op = prepare(s, l->fd_slot, IO_ACCEPT, l->fd, l->fd_slot, 0, 0);
	op->buf = NULL;
	return op;
}

static void expect_mode(int fd)
{
	expect((fcntl(fd, F_GETFD) & FD_CLOEXEC) && !(fcntl(fd, F_GETFL) & O_NONBLOCK),
	       EXPECTED("the descriptor in blocking mode and closed on exec") SAW("it otherwise"));
}

/* An accept, of this very client. Returns its other end. */
static int expect_client(struct subject *s, const struct listening *l, int client)
{
	struct sockaddr_in theirs, ours;
	socklen_t length = sizeof theirs;
	int fd = (int)perform(s, accept_op(s, l));
	expect(fd >= 0, EXPECTED("a descriptor") SAW("%s"), answer(fd));
	getpeername(fd, (struct sockaddr *)&theirs, &length);
	getsockname(client, (struct sockaddr *)&ours, &length);
	expect(theirs.sin_port == ours.sin_port,
	       EXPECTED("clients in the order in which they came") SAW("another one"));
	expect_mode(fd);
	return fd;
}

static void asks_once_for_all_clients(struct subject *s)
{
	enum { CLIENTS = 30 };
	struct listening l;
	open_listening(s, &l);
	look(s);
	unsigned before = ring_facts().requests;
	for (unsigned i = 0; i < CLIENTS; i++) {
		int client = new_client(&l);
		close(expect_client(s, &l, client));
		close(client);
	}
	unsigned requests = ring_facts().requests - before;
	expect(requests == 1,
	       WHEN("%u clients came") EXPECTED("1 request for all of them") SAW("%u"), CLIENTS,
	       requests);
	close_listening(s, &l);
}

static void takes_nobody_before_the_first_accept(struct subject *s)
{
	struct listening l;
	open_listening(s, &l);
	int client = new_client(&l);
	look(s);
	unsigned before = ring_facts().completions;
	look(s);
	expect(ring_facts().completions == before && ring_facts().accepts_waiting == 0,
	       WHEN("nobody accepts yet") EXPECTED("no request") SAW("one"));
	int fd = accept4(l.fd, NULL, NULL, SOCK_CLOEXEC);
	expect(fd >= 0, "the client is gone from the listener");
	close(fd);
	close(client);
	close_listening(s, &l);
}

static void clients_wait_in_their_order(struct subject *s)
{
	enum { CLIENTS = 3 };
	struct listening l;
	int clients[CLIENTS];
	open_listening(s, &l);
	int first = new_client(&l);
	close(expect_client(s, &l, first));
	close(first);
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = new_client(&l);
		look(s);
	}
	calls_reset();
	for (unsigned i = 0; i < CLIENTS; i++) {
		close(expect_client(s, &l, clients[i]));
		close(clients[i]);
	}
	unsigned enters = calls_made(RING_ENTER);
	expect(enters == 0,
	       WHEN("the clients are accepted already") EXPECTED("no io_uring_enter") SAW("%u"),
	       enters);
	close_listening(s, &l);
}

/* Who is accepted ahead and wanted by nobody must not think for ever that it is served. */
static void who_was_not_wanted_is_closed(struct subject *s)
{
	struct listening l;
	char byte;
	open_listening(s, &l);
	int first = new_client(&l);
	close(expect_client(s, &l, first));
	close(first);
	unsigned before = count_open_descriptors();
	int client = new_client(&l);
	look(s);
	detach(s, 0);
	struct ring_facts facts = ring_facts();
	expect(facts.accepts_waiting == 0,
	       WHEN("after detach()") EXPECTED("no accept armed any more") SAW("%u"),
	       facts.accepts_waiting);
	unsigned after = count_open_descriptors();
	expect(after == before + 1,
	       WHEN("after detach()") EXPECTED("the client's own descriptor alone") SAW("%u more"),
	       after - before);
	struct pollfd peer = { .fd = client, .events = POLLIN };
	int ready = poll(&peer, 1, (int)(PATIENCE_NS / NS_PER_MS));
	expect(ready == 1 && read(client, &byte, 1) <= 0,
	       EXPECTED("the client to see the end") SAW("nothing for 2 s"));
	close(client);
	attach_listener(s, &l);
	close_listening(s, &l);
}

/* Two have come, and the engine has looked at the first of them only when it is closed. */
static void who_came_last_is_closed(struct subject *s)
{
	enum { CLIENTS = 2 };
	struct listening l;
	struct io_op *done[1];
	int clients[CLIENTS];
	char byte;
	make_listener(&l, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = new_client(&l);
	open_engine(s, 1, 1);
	attach_listener(s, &l);
	start(s, accept_op(s, &l));
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	expect(n == 1 && done[0]->result >= 0, EXPECTED("the first client") SAW("%u operations"),
	       n);
	close((int)done[0]->result);
	close_engine(s);
	close(l.fd);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct pollfd peer = { .fd = clients[i], .events = POLLIN };
		int ready = poll(&peer, 1, (int)(PATIENCE_NS / NS_PER_MS));
		expect(ready == 1 && read(clients[i], &byte, 1) <= 0,
		       WHEN("engine and listener are closed") EXPECTED("client %u to see the end")
			       SAW("nothing for 2 s"),
		       i);
		close(clients[i]);
	}
}

/* Descriptors run out: the request has ended with that. Once there are some, it is made anew. */
static void accepts_on_after_an_error(struct subject *s)
{
	struct listening l;
	struct rlimit limit, few;
	open_listening(s, &l);
	getrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned round = 0; round < 3; round++) {
		int client = new_client(&l);
		int lowest = dup(client); /* all below it are taken */
		close(lowest);
		few = limit;
		few.rlim_cur = (rlim_t)lowest;
		setrlimit(RLIMIT_NOFILE, &few);
		int64_t result = perform(s, accept_op(s, &l));
		setrlimit(RLIMIT_NOFILE, &limit);
		expect(result == -EMFILE,
		       WHEN("no descriptor is left") EXPECTED("-EMFILE") SAW("%s"), answer(result));
		close(expect_client(s, &l, client));
		close(client);
		/* An accept begins with the limit that holds then: the next round needs a new one. */
		detach(s, 0);
		attach_listener(s, &l);
	}
	close_listening(s, &l);
}

/* An error that nobody was told of goes with the listener that had it. */
static void the_next_listener_has_no_error(struct subject *s)
{
	struct listening l;
	struct rlimit limit, few;
	open_listening(s, &l);
	int sockets[2] = { socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 0) };
	int lowest = dup(sockets[0]);
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &limit);
	few = limit;
	few.rlim_cur = (rlim_t)lowest + 1; /* one more, for the first client */
	setrlimit(RLIMIT_NOFILE, &few);
	start(s, accept_op(s, &l));
	for (unsigned i = 0; i < 2; i++) {
		int rc = connect(sockets[i], (struct sockaddr *)&l.address, sizeof l.address);
		expect(rc == 0, "the test cannot connect: %s", strerror(errno));
		if (i == 0)
			await(s, &s->op[l.fd_slot]);
		else
			look(s); /* for this one there is no descriptor, and nobody waits */
	}
	setrlimit(RLIMIT_NOFILE, &limit);
	int first = (int)s->op[l.fd_slot].result;
	expect(first >= 0, EXPECTED("a descriptor") SAW("%s"), answer(first));
	detach(s, l.fd_slot);
	close(l.fd);
	make_listener(&l, l.fd_slot);
	attach_listener(s, &l);
	int client = new_client(&l);
	close(expect_client(s, &l, client));
	close(client);
	close(first);
	close(sockets[0]);
	close(sockets[1]);
	close_listening(s, &l);
}

/* The kernel's backlog is bounded, and so is what an engine accepts ahead of its caller. */
static void does_not_accept_without_end(struct subject *s)
{
	enum { CLIENTS = 300 };
	struct listening l;
	static int clients[CLIENTS];
	open_listening(s, &l);
	int first = new_client(&l);
	close(expect_client(s, &l, first));
	unsigned before = count_open_descriptors();
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = new_client(&l);
		look(s);
	}
	unsigned accepted = count_open_descriptors() - before - CLIENTS;
	expect(accepted < CLIENTS / 2,
	       WHEN("%u clients came, and nobody accepts") EXPECTED("some of them accepted ahead")
		       SAW("%u"),
	       CLIENTS, accepted);
	for (unsigned i = 0; i < CLIENTS; i++) {
		close(expect_client(s, &l, clients[i]));
		close(clients[i]);
	}
	close(first);
	close_listening(s, &l);
}

/* And it is bounded again, once they were taken. Each client is noticed alone, so no ring is ever full. */
static void stops_accepting_each_time(struct subject *s)
{
	enum { CLIENTS = 150 };
	struct listening l;
	static int clients[CLIENTS];
	open_listening(s, &l);
	for (unsigned round = 0; round < 3; round++) {
		int first = new_client(&l);
		close(expect_client(s, &l, first));
		unsigned before = count_open_descriptors();
		for (unsigned i = 0; i < CLIENTS; i++) {
			clients[i] = new_client(&l);
			look(s);
		}
		unsigned accepted = count_open_descriptors() - before - CLIENTS;
		expect(accepted < CLIENTS,
		       WHEN("%u clients came, and nobody accepts, time %u")
			       EXPECTED("some of them accepted ahead") SAW("all"),
		       CLIENTS, round + 1);
		for (unsigned i = 0; i < CLIENTS; i++) {
			close(expect_client(s, &l, clients[i]));
			close(clients[i]);
		}
		close(first);
	}
	close_listening(s, &l);
}

/* So many clients of one listener are parked that requests are called back. Who waits at another waits on. */
static void listeners_do_not_stop_each_other(struct subject *s)
{
	enum { CLIENTS = 100 };
	static int clients[CLIENTS];
	struct listening busy, quiet;
	open_listening(s, &busy);
	make_listener(&quiet, 2);
	attach_listener(s, &quiet);
	int first = new_client(&busy);
	close(expect_client(s, &busy, first));
	close(first);
	start(s, accept_op(s, &quiet));
	look(s);
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = new_client(&busy);
		look(s);
	}
	/* Another client, and then a third one: the request at this listener may end meanwhile, too. */
	for (unsigned i = 0; i < 3; i++) {
		int client = new_client(&quiet);
		struct io_op *op = &s->op[quiet.fd_slot];
		await(s, op);
		expect(op->result >= 0,
		       WHEN("100 clients wait at another listener") EXPECTED("a descriptor")
			       SAW("%s"),
		       answer(op->result));
		expect_mode((int)op->result);
		close((int)op->result);
		close(client);
		if (i < 2)
			start(s, accept_op(s, &quiet));
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		close(expect_client(s, &busy, clients[i]));
		close(clients[i]);
	}
	detach(s, quiet.fd_slot);
	close_listening(s, &busy);
	close(quiet.fd);
}

/* Each of two listeners has an accept armed, and one of them is detached. */
static void detach_ends_the_accept_of_its_slot(struct subject *s)
{
	struct listening l[2];
	open_listening(s, &l[0]);
	make_listener(&l[1], 2);
	attach_listener(s, &l[1]);
	for (unsigned i = 0; i < 2; i++) {
		int client = new_client(&l[i]);
		close(expect_client(s, &l[i], client));
		close(client);
	}
	look(s);
	detach(s, l[1].fd_slot);
	look(s);
	unsigned waiting = ring_facts().accepts_waiting, before = ring_facts().requests;
	expect(waiting == 1,
	       WHEN("one of two listeners is detached") EXPECTED("1 accept armed") SAW("%u"),
	       waiting);
	close(l[1].fd);
	int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(connect(late, (const struct sockaddr *)&l[1].address, sizeof l[1].address) < 0,
	       WHEN("one of two listeners is detached and closed")
		       EXPECTED("nobody to listen there") SAW("somebody"));
	close(late);
	int client = new_client(&l[0]);
	close(expect_client(s, &l[0], client));
	close(client);
	unsigned requests = ring_facts().requests - before;
	expect(requests == 0,
	       WHEN("the other listener was detached")
		       EXPECTED("the accept that is armed to take on") SAW("%u requests more"),
	       requests);
	close_listening(s, &l[0]);
}

/* Exercise 7: sending without a copy. */

static void sends_in_two_completions(struct subject *s)
{
	struct connections c;
	char seen[64];
	open_connections(s, &c, 2);
	look(s);
	for (unsigned i = 0; i < 10; i++) {
		struct ring_facts before = ring_facts();
		memset(buffer_of(s, 2), (int)('a' + i), 50);
		int64_t n = perform(s, prepare_send(s, 2, c.ends[0][0], 0, 50));
		struct ring_facts after = ring_facts();
		expect(n == 50, EXPECTED("50 bytes sent") SAW("%s"), answer(n));
		expect(after.requests - before.requests == 1 &&
			       after.completions - before.completions == 2,
		       WHEN("one send")
			       EXPECTED("1 request and 2 completions: sent, and yours again")
				       SAW("%u and %u"),
		       after.requests - before.requests, after.completions - before.completions);
		expect(read(c.ends[0][1], seen, sizeof seen) == 50 && seen[49] == (char)('a' + i),
		       "the peer did not get the bytes");
	}
	close_connections(s, &c);
}

/* The entry has the flags of a plain send, and does not wait before it tries. */
static void an_uncopied_entry_asks_no_more(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct ring_view view = view_ring();
	struct io_uring_sqe sqe = last_sqe_of(s, &view, prepare_send(s, 0, ends[0], 0, 100));
	expect(sqe.opcode == IORING_OP_SEND_ZC && !(sqe.ioprio & IORING_RECVSEND_POLL_FIRST) &&
		       sqe.msg_flags == MSG_NOSIGNAL,
	       EXPECTED("opcode %d without POLL_FIRST in ioprio, and MSG_NOSIGNAL")
		       SAW("%d with %#x and %#x"),
	       IORING_OP_SEND_ZC, sqe.opcode, sqe.ioprio, sqe.msg_flags);
	close_view(&view);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Two sends in one batch: the first completions of both come before the second ones. */
static void keeps_the_result_of_each(struct subject *s)
{
	struct connections c;
	open_connections(s, &c, 3);
	look(s);
	struct io_op *both[] = { prepare_send(s, 3, c.ends[0][0], 0, 50),
				 prepare_send(s, 4, c.ends[1][0], 1, 70) };
	start_all(s, both, 2);
	await(s, both[0]);
	await(s, both[1]);
	expect(both[0]->result == 50 && both[1]->result == 70,
	       WHEN("50 and 70 bytes are sent at once") EXPECTED("50 and 70") SAW("%s and %s"),
	       answer(both[0]->result), answer(both[1]->result));
	close_connections(s, &c);
}

/* Makes the peer's window close, while there is still room on this side. */
static void close_the_window(const struct connections *c)
{
	static const char bytes[2048];
	int little = 4096, much = 1 << 20, waiting = 0, last;
	setsockopt(c->ends[0][1], SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
	setsockopt(c->ends[0][0], SOL_SOCKET, SO_SNDBUF, &much, sizeof much);
	do {
		last = waiting;
		ssize_t n = send(c->ends[0][0], bytes, sizeof bytes, MSG_DONTWAIT);
		expect(n == sizeof bytes, "the test's own send failed");
		ioctl(c->ends[0][0], TIOCOUTQ, &waiting);
	} while (waiting < (int)(16 * sizeof bytes) || waiting == last);
}

/* The bytes are accepted for sending, and they still lie in the caller's buffer. */
static void keeps_the_buffer_until_it_is_free(struct subject *s)
{
	struct connections c;
	open_connections(s, &c, 2);
	close_the_window(&c);
	struct io_op *op = prepare_send(s, 2, c.ends[0][0], 0, 4096);
	start(s, op);
	look(s);
	expect(op->in_flight,
	       WHEN("the peer's window is closed, so nothing was sent yet")
		       EXPECTED("the send not to come back, since its buffer is in use") SAW("%s"),
	       answer(op->result));
	while (op->in_flight) {
		struct io_op *done[2];
		read_what_is_there(c.ends[0][1]);
		reap(s, done, 1, 2, NS_PER_MS);
	}
	expect(op->result == 4096, EXPECTED("4096") SAW("%s"), answer(op->result));
	close_connections(s, &c);
}

/* Given code, which goes through all regions: the other options. */

static int support(struct subject *s, enum io_kind kind, enum io_fd_kind fd_kind,
		   struct reason *why)
{
	const struct engine_config config = { .depth = 2, .cpu_count = 2, .options = s->options };
	return s->ops->supports(&config, kind, fd_kind, why);
}

/* An option that changes nothing for an operation is refused in words. */
static void expect_refused(struct subject *s, enum io_kind kind, enum io_fd_kind fd_kind)
{
	struct reason why = { "" };
	int rc = support(s, kind, fd_kind, &why);
	expect(rc == -EOPNOTSUPP && why.text[0],
	       WHEN("%s") EXPECTED("-EOPNOTSUPP from supports(), and words") SAW("%s: %s"),
	       kind_name(kind), answer(rc), why.text);
}

static void is_for_sockets(struct subject *s)
{
	static const enum io_kind on_sockets[] = { IO_RECV, IO_SEND, IO_ACCEPT, IO_CONNECT };
	static const enum io_kind on_files[] = { IO_READ, IO_WRITE, IO_FSYNC, IO_NOP };
	for (unsigned i = 0; i < 4; i++) {
		struct reason why = { "" };
		enum io_fd_kind fd_kind =
			on_sockets[i] == IO_ACCEPT ? IO_FD_LISTENER : IO_FD_SOCKET;
		int rc = support(s, on_sockets[i], fd_kind, &why);
		expect(rc == 0, WHEN("%s") EXPECTED("0 from supports()") SAW("%s: %s"),
		       kind_name(on_sockets[i]), answer(rc), why.text);
		expect_refused(s, on_files[i], on_files[i] == IO_NOP ? IO_FD_NONE : IO_FD_FILE);
	}
}

static void is_for_files(struct subject *s)
{
	struct reason why = { "" };
	int rc = support(s, IO_READ, IO_FD_FILE, &why);
	expect(rc == 0, EXPECTED("0 from supports()") SAW("%s: %s"), answer(rc), why.text);
	expect_refused(s, IO_NOP, IO_FD_NONE);
	expect_refused(s, IO_RECV, IO_FD_SOCKET);
	expect_refused(s, IO_ACCEPT, IO_FD_LISTENER);
}

static void is_for_descriptors(struct subject *s)
{
	struct reason why = { "" };
	expect(support(s, IO_RECV, IO_FD_SOCKET, &why) == 0 &&
		       support(s, IO_READ, IO_FD_FILE, &why) == 0,
	       EXPECTED("0 from supports()") SAW("%s"), why.text);
	expect_refused(s, IO_NOP, IO_FD_NONE);
}

static void is_for_multishot(struct subject *s)
{
	expect_refused(s, IO_RECV, IO_FD_SOCKET);
	expect_refused(s, IO_SEND, IO_FD_SOCKET);
}

/* Skips the test where the kernel lacks the option: the engine says so in words. */
static void need_option(struct subject *s)
{
	struct reason why = { "" };
	bool is_file = s->flavour == BUFFERED || s->flavour == DIRECT;
	int rc = support(s, is_file ? IO_READ : IO_RECV, is_file ? IO_FD_FILE : IO_FD_SOCKET, &why);
	expect(rc == 0 || why.text[0], EXPECTED("words") SAW("%s alone"), answer(rc));
	if (rc < 0)
		test_skipped("%s", why.text);
}

/* Only a device is polled. Which one could be is not known before such a read was tried. */
static void is_for_blocks(struct subject *s)
{
	struct reason why = { "" };
	expect_refused(s, IO_NOP, IO_FD_NONE);
	expect_refused(s, IO_FSYNC, IO_FD_FILE);
	expect_refused(s, IO_RECV, IO_FD_SOCKET);
	expect_refused(s, IO_READ, IO_FD_PIPE);
	unsigned before = count_open_descriptors();
	int rc = support(s, IO_WRITE, IO_FD_FILE, &why);
	expect(rc == 0 || (why.text[0] && strcmp(why.id, "iopoll_is_for_blocks") != 0),
	       WHEN("WRITE to a file") EXPECTED("0, or what the kernel says") SAW("%s: %s"),
	       answer(rc), why.text);
	unsigned after = count_open_descriptors();
	expect(after == before, EXPECTED("no descriptor more") SAW("%u more"), after - before);
}

/* The read that is tried needs a file. It is made where temporary files belong. */
static void tries_where_temporary_files_are(struct subject *s)
{
	struct reason why = { "" };
	char path[sizeof s->folder + 16];
	snprintf(path, sizeof path, "%s/not_there", s->folder);
	setenv("TMPDIR", path, 1);
	int rc = support(s, IO_READ, IO_FD_FILE, &why);
	if (strcmp(why.id, "kernel_too_old") == 0)
		test_skipped("%s", why.text);
	expect(rc == -ENOENT && strstr(why.text, "not_there"),
	       WHEN("TMPDIR does not exist") EXPECTED("-ENOENT, and its name") SAW("%s: %s"),
	       answer(rc), why.text);
}

/* Where the read that is tried works, the option is there. Here no ring polls, so that any device will do. */
static void a_read_that_works_is_a_yes(struct subject *s)
{
	setenv("TMPDIR", s->folder, 1);
	hide_ring_flags(IORING_SETUP_IOPOLL);
	unsigned before = count_open_descriptors();
	for (unsigned i = 0; i < 3; i++) {
		struct reason why = { "" };
		int rc = support(s, IO_READ, IO_FD_FILE, &why);
		if (strcmp(why.id, "no_direct_file") == 0)
			test_skipped("%s", why.text);
		expect(rc == 0, WHEN("the read works") EXPECTED("0 from supports()") SAW("%s: %s"),
		       answer(rc), why.text);
	}
	unsigned after = count_open_descriptors();
	expect(after == before, EXPECTED("no descriptor more") SAW("%u more"), after - before);
	expect(rmdir(s->folder) == 0, EXPECTED("no file left in TMPDIR") SAW("%s"),
	       strerror(errno));
	mkdir(s->folder, 0700);
}

/* What a descriptor cannot do with the option is refused when it is attached. */
static void expect_attached_or_not(struct subject *s, const char *what, int fd,
				   enum io_fd_kind fd_kind, bool is_taken)
{
	struct engine_config config = {
		.depth = 2, .max_fds = 2, .cpu_count = 2, .options = s->options
	};
	struct reason why = { "" };
	if (s->ops->open(&s->engine, &config, &why) < 0)
		test_skipped("%s", why.text);
	int rc = s->ops->attach(s->engine, 1, fd, fd_kind, &why);
	expect(rc == (is_taken ? 0 : -EOPNOTSUPP) && (is_taken || why.text[0]),
	       WHEN("%s") EXPECTED("%s") SAW("%s: %s"), what,
	       is_taken ? "0 from attach()" : "-EOPNOTSUPP from attach(), and words", answer(rc),
	       why.text);
	s->ops->close(s->engine);
	s->engine = NULL;
	close(fd);
}

static void direct_reads_only(struct subject *s)
{
	char path[sizeof s->folder + 8];
	snprintf(path, sizeof path, "%s/block", s->folder);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	expect_attached_or_not(s, "a file behind the page cache", fd, IO_FD_FILE, false);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		test_skipped("files there have no O_DIRECT");
	expect_attached_or_not(s, "a file with O_DIRECT", fd, IO_FD_FILE, true);
}

static void uncopied_over_ip_only(struct subject *s)
{
	int ends[2];
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	expect_attached_or_not(s, "a Unix socket", ends[0], IO_FD_SOCKET, false);
	expect_attached_or_not(s, "a Unix socket as a listener", ends[1], IO_FD_LISTENER, true);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect_attached_or_not(s, "a TCP socket", fd, IO_FD_SOCKET, true);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	expect_attached_or_not(s, "a file", fd, IO_FD_FILE, true);
}

/* Seems to lack memory that may be locked, from the nth call on. */
static unsigned locks, locks_that_succeed = UINT_MAX;
static size_t locked_bytes;

int mlock(const void *pages, size_t len_bytes)
{
	if (locks++ >= locks_that_succeed) {
		errno = ENOMEM;
		return -1;
	}
	locked_bytes += len_bytes;
	return (int)syscall(SYS_mlock, pages, len_bytes);
}

int munlock(const void *pages, size_t len_bytes)
{
	(void)pages;
	locked_bytes -= len_bytes;
	return 0;
}

/* What may wait to be sent counts as locked memory: a page for each operation, or what they lie in. */
static void counts_what_it_may_send(struct subject *s)
{
	enum { DEPTH = 5, PAGE = 4096 };
	static char arena[DEPTH * PAGE] __attribute__((aligned(PAGE)));
	struct engine_config config = { .depth = DEPTH,
					.max_fds = 1,
					.cpu_count = 2,
					.options = s->options,
					.arena = arena,
					.arena_len_bytes = sizeof arena };
	for (unsigned opens = 0; opens < 2; opens++) {
		struct reason why = { "" };
		struct engine *engine = NULL;
		unsigned before = count_open_descriptors();
		locks = 0;
		locks_that_succeed = 0;
		int rc = opens ? s->ops->open(&engine, &config, &why)
			       : s->ops->supports(&config, IO_SEND, IO_FD_SOCKET, &why);
		expect(locks == 1 && rc == -ENOMEM && strstr(why.text, "20480"),
		       WHEN("%s(), and 5 pages exceed what may be locked")
			       EXPECTED("-ENOMEM, and how many bytes that is") SAW("%s: %s"),
		       opens ? "open" : "supports", answer(rc), why.text);
		expect(count_open_descriptors() == before, "a descriptor is left open");
		locks_that_succeed = UINT_MAX;
		rc = opens ? s->ops->open(&engine, &config, &why)
			   : s->ops->supports(&config, IO_SEND, IO_FD_SOCKET, &why);
		expect(rc == 0 && locks == 2 && locked_bytes == 0,
		       WHEN("%s()") EXPECTED("0, and no page locked behind it")
			       SAW("%s, and %zu bytes"),
		       opens ? "open" : "supports", answer(rc), locked_bytes);
		if (engine)
			s->ops->close(engine);
	}
	long pages = pages_mapped();
	struct reason why = { "" };
	for (unsigned i = 0; i < 50; i++)
		s->ops->supports(&config, IO_SEND, IO_FD_SOCKET, &why);
	long more = pages_mapped() - pages;
	expect(more < 50, WHEN("supports() 50 times") EXPECTED("next to no page kept") SAW("%ld"),
	       more);
	locks = 0;
	int rc = s->ops->supports(&config, IO_RECV, IO_FD_SOCKET, &why);
	expect(rc == 0 && locks == 0, WHEN("RECV") EXPECTED("0, and nothing locked") SAW("%s"),
	       answer(rc));
}

/* A kernel without what the option is made of says so when the ring is made. */
static void expect_linux(struct subject *s, const char *linux_version, int expected)
{
	struct reason why = { "" };
	unsigned before = count_open_descriptors();
	int rc = support(s, IO_RECV, IO_FD_SOCKET, &why);
	expect(rc == expected && strstr(why.text, linux_version),
	       WHEN("a kernel that is too old") EXPECTED("%s, and Linux %s named") SAW("%s: %s"),
	       answer(expected), linux_version, answer(rc), why.text);
	expect(count_open_descriptors() == before, "a descriptor is left open");
}

static void min_wait_is_found_out(struct subject *s)
{
	hide_ring_features(FEATURE_MIN_WAIT);
	expect_linux(s, "6.12", -EOPNOTSUPP);
	hide_ring_features(FEATURE_RECEIVE_BUNDLES);
	need_option(s);
}

static void bundle_is_found_out(struct subject *s)
{
	hide_ring_features(FEATURE_RECEIVE_BUNDLES);
	expect_linux(s, "6.10", -EOPNOTSUPP);
	hide_ring_features(FEATURE_MIN_WAIT);
	need_option(s);
}

static void no_sqarray_is_found_out(struct subject *s)
{
	struct reason why = { "" };
	fail_call("io_uring_setup", EINVAL, 0);
	int rc = support(s, IO_READ, IO_FD_FILE, &why);
	expect(call_failed(), EXPECTED("io_uring_setup to be tried") SAW("no call"));
	expect(rc == -EINVAL && strstr(why.text, "no_sqarray") && strstr(why.text, "6.6") &&
		       strstr(why.text, "EINVAL"),
	       WHEN("a kernel that is too old") EXPECTED("-EINVAL, and the option and its Linux")
		       SAW("%s: %s"),
	       answer(rc), why.text);
}

static void hybrid_iopoll_is_found_out(struct subject *s)
{
	struct reason why = { "" };
	fail_call("io_uring_setup", EINVAL, 0);
	int rc = support(s, IO_READ, IO_FD_FILE, &why);
	expect(call_failed(), EXPECTED("io_uring_setup to be tried") SAW("no call"));
	expect(rc == -EINVAL && strstr(why.text, "hybrid_iopoll") && strstr(why.text, "6.13"),
	       WHEN("a kernel that is too old") EXPECTED("-EINVAL, and the option and its Linux")
		       SAW("%s: %s"),
	       answer(rc), why.text);
}

/* The page for waits, then the ring enabled, then the ring's own descriptor. */
static void registered_wait_is_found_out(struct subject *s)
{
	static const int errors[] = { EINVAL, EPERM };
	need_option(s);
	for (unsigned call = 0; call < 3; call++)
		for (unsigned i = 0; i < 2; i++) {
			struct reason why = { "" };
			unsigned before = count_open_descriptors();
			fail_call("io_uring_register", errors[i], call);
			int rc = support(s, IO_RECV, IO_FD_SOCKET, &why);
			expect(call_failed(), EXPECTED("%u registrations") SAW("fewer"), call + 1);
			bool is_too_old = strstr(why.text, "6.13") != NULL;
			expect(rc == -errors[i] && why.text[0] &&
				       is_too_old == (call == 0 && i == 0),
			       WHEN("when registration %u fails")
				       EXPECTED("%s, and Linux 6.13 named only for the first")
					       SAW("%s: %s"),
			       call + 1, answer(-errors[i]), answer(rc), why.text);
			expect(count_open_descriptors() == before, "a descriptor is left open");
		}
}

/* A thread may register 16 rings. */
static void the_rings_place_is_found_out(struct subject *s)
{
	static const int errors[] = { EBUSY, EINVAL };
	struct reason whys[2] = { 0 };
	for (unsigned i = 0; i < 2; i++) {
		unsigned before = count_open_descriptors();
		fail_call("io_uring_register", errors[i], 0);
		int rc = support(s, IO_READ, IO_FD_FILE, &whys[i]);
		expect(call_failed(), EXPECTED("the ring to be registered") SAW("no call"));
		expect(rc == -errors[i] && whys[i].text[0],
		       WHEN("when the ring's descriptor is not registered") EXPECTED("%s and words")
			       SAW("%s: %s"),
		       answer(-errors[i]), answer(rc), whys[i].text);
		expect(count_open_descriptors() == before, "a descriptor is left open");
	}
	expect(strcmp(whys[0].id, whys[1].id) != 0,
	       EXPECTED("-EBUSY and -EINVAL to have reasons of their own") SAW("\"%s\" for both"),
	       whys[0].id);
}

/* A completion for each operation and for its cancel, and four times as many for what comes ahead. */
static void has_room_for_what_comes_ahead(struct subject *s)
{
	static const unsigned depths[] = { 4, 10, 11, 255, 256 };
	for (unsigned i = 0; i < sizeof depths / sizeof *depths; i++) {
		unsigned depth = depths[i],
			 most = has_option(s, "multishot") && depth < 256 ? 2 * depth : depth;
		open_engine(s, depth, 1);
		struct ring_view view = view_ring();
		unsigned sqes = number_at(&view, view.sq.ring_entries);
		unsigned cqes = number_at(&view, view.cq.ring_entries);
		expect(sqes >= most && sqes < 2 * most,
		       WHEN("%u operations") EXPECTED("at least %u SQEs") SAW("%u"), depth, most,
		       sqes);
		expect(cqes >= 6 * depth && cqes / 2 < 6 * depth,
		       WHEN("%u operations") EXPECTED("at least %u CQEs") SAW("%u"), depth,
		       6 * depth, cqes);
		close_view(&view);
		close_engine(s);
	}
}

/* What comes at once, in one piece that needs several buffers. Returns how many completions that were. */
static unsigned completions_of_a_long_piece(struct subject *s)
{
	enum { LENGTH_BYTES = 3 * BUFFER_BYTES };
	static char bytes[LENGTH_BYTES];
	struct connections c;
	uint64_t position = 0;
	open_connections(s, &c, 3);
	receive_a_message(s, &c, 0, &position, 10);
	for (unsigned b = 0; b < LENGTH_BYTES; b++)
		bytes[b] = pattern_byte(position + b);
	unsigned before = ring_facts().completions;
	peer_sends(c.ends[0][1], bytes, LENGTH_BYTES);
	look(s);
	unsigned completions = ring_facts().completions - before;
	expect_bytes(s, &c, 0, position, position + LENGTH_BYTES, BUFFER_BYTES);
	close_connections(s, &c);
	return completions;
}

static void a_bundle_is_one_completion(struct subject *s)
{
	need_option(s);
	unsigned completions = completions_of_a_long_piece(s);
	expect(completions == 1,
	       WHEN("a piece came that needs several buffers") EXPECTED("1 completion") SAW("%u"),
	       completions);
}

/*
 * Buffers go back in another order than that of their numbers: one socket keeps its own while the others'
 * come and go. A bundle lies in those that were handed in one after the other.
 */
static void a_bundle_follows_the_order(struct subject *s)
{
	enum { LENGTH_BYTES = 3 * BUFFER_BYTES, ROUNDS = 9 };
	static char bytes[LENGTH_BYTES];
	struct connections c;
	uint64_t kept = 0, position = 0;
	need_option(s);
	open_connections(s, &c, 3);
	receive_a_message(s, &c, 0, &kept, 10);
	receive_a_message(s, &c, 1, &position, 10);
	for (unsigned round = 0; round < ROUNDS; round++) {
		send_in_pieces(s, &c, 0, &kept, 1, 10);
		for (unsigned i = 0; i < round; i++)
			receive_a_message(s, &c, 1, &position, 10);
		expect_bytes(s, &c, 0, kept - 10, kept, BUFFER_BYTES);
		for (unsigned b = 0; b < LENGTH_BYTES; b++)
			bytes[b] = pattern_byte(position + b);
		peer_sends(c.ends[1][1], bytes, LENGTH_BYTES);
		look(s);
		expect_bytes(s, &c, 1, position, position + LENGTH_BYTES, BUFFER_BYTES);
		position += LENGTH_BYTES;
	}
	close_connections(s, &c);
}

static void without_a_bundle_each_buffer_is_one(struct subject *s)
{
	unsigned completions = completions_of_a_long_piece(s);
	expect(completions >= 3,
	       WHEN("a piece came that needs several buffers")
		       EXPECTED("a completion for each of them") SAW("%u"),
	       completions);
}

static void receives_with_it(struct subject *s)
{
	need_option(s);
	stream_receives_in_full_buffers(s);
}

static void goes_on_with_it(struct subject *s)
{
	need_option(s);
	stream_survives_many_operations(s);
}

static void parks_with_it(struct subject *s)
{
	need_option(s);
	leaves_what_has_no_room(s);
}

static void runs_out_with_it(struct subject *s)
{
	need_option(s);
	goes_on_without_buffers(s);
}

static void lends_with_it(struct subject *s)
{
	need_option(s);
	lent_buffer_is_the_callers(s);
}

static void nothing_mapped_with_it(struct subject *s)
{
	need_option(s);
	close_leaves_nothing_mapped(s);
}

/* What the engine said of its last wait, in a call that liburing has as io_uring_enter2(). */
static struct {
	unsigned calls, min_complete, min_wait_us;
	bool has_timeout;
	struct __kernel_timespec timeout;
} last_wait;

int io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		    sigset_t *argument, size_t argument_len_bytes)
{
	static _Thread_local int (*real)(unsigned, unsigned, unsigned, unsigned, sigset_t *,
					 size_t);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_enter2");
	last_wait.calls++;
	last_wait.min_complete = min_complete;
	if ((flags & IORING_ENTER_EXT_ARG) && !(flags & ENTER_REGISTERED_WAIT)) {
		const struct wait_argument *wait = (const void *)argument;
		last_wait.min_wait_us = wait->min_wait_us;
		last_wait.has_timeout = wait->timeout != 0;
		if (wait->timeout)
			last_wait.timeout = *(struct __kernel_timespec *)(uintptr_t)wait->timeout;
	}
	return real(fd, to_submit, min_complete, flags, argument, argument_len_bytes);
}

static void expect_wait(const char *what, unsigned min_complete, bool goes_on)
{
	expect(last_wait.min_complete == min_complete && (last_wait.min_wait_us > 0) == goes_on,
	       WHEN("%s") EXPECTED("a wait for %u that %s") SAW("for %u, and %u us"), what,
	       min_complete, goes_on ? "may end earlier with one" : "does not end earlier",
	       last_wait.min_complete, last_wait.min_wait_us);
}

/* A wait for one becomes a wait for all that are in flight, at most 16, and ends earlier with one of them. */
static void a_wait_for_one_is_for_more(struct subject *s)
{
	enum { COUNT = 20 };
	struct io_op *done[COUNT];
	struct connections c;
	need_option(s);
	open_connections(s, &c, COUNT); /* one receive waits already */
	const unsigned in_flight[] = { 1, 2, 3, COUNT };
	for (unsigned i = 0, started = 1; i < 4; i++) {
		for (; started < in_flight[i]; started++)
			start(s, receive(s, &c, started - 1));
		last_wait.calls = 0;
		unsigned n = reap(s, done, 1, COUNT, A_MOMENT_NS);
		expect(n == 0, EXPECTED("nothing yet") SAW("%u"), n);
		if (last_wait.calls == 0)
			test_skipped("the engine waits by other means");
		expect_wait(in_flight[i] == 1	   ? "one operation is in flight"
			    : in_flight[i] < COUNT ? "two or three operations are in flight"
						   : "20 operations are in flight",
			    in_flight[i] < 16 ? in_flight[i] : 16, in_flight[i] > 1);
		expect(last_wait.has_timeout && last_wait.timeout.tv_sec == 0 &&
			       last_wait.timeout.tv_nsec > 0 &&
			       last_wait.timeout.tv_nsec <= A_MOMENT_NS,
		       EXPECTED("a limit of at most 20 ms") SAW("%lld.%09lld s"),
		       (long long)last_wait.timeout.tv_sec, (long long)last_wait.timeout.tv_nsec);
	}
	/* A wait for two, and one after most have come back. */
	unsigned n = reap(s, done, 2, COUNT, A_MOMENT_NS);
	expect(n == 0, EXPECTED("nothing yet") SAW("%u"), n);
	expect_wait("two are waited for", 2, false);
	for (unsigned i = 0; i < COUNT - 3; i++)
		peer_sends(c.ends[i][1], "x", 1);
	await_some(s, COUNT - 3);
	n = reap(s, done, 1, COUNT, A_MOMENT_NS);
	expect(n == 0, EXPECTED("nothing yet") SAW("%u"), n);
	expect_wait("three are left of 20", 3, true);
	peer_sends(c.ends[COUNT - 3][1], "x", 1);
	peer_sends(c.ends[COUNT - 2][1], "x", 1);
	await_some(s, 2);
	/* Without a limit it still has one, since the kernel would end such a wait at once. */
	start(s, receive(s, &c, 0));
	struct speaker speaker = { .pause_ns = A_MOMENT_NS, .count = 1, .fds = { c.ends[0][1] } };
	begin_speaking(&speaker);
	n = reap(s, done, 1, COUNT, -1);
	pthread_join(speaker.thread, NULL);
	expect(n == 1, EXPECTED("1 operation") SAW("%u"), n);
	expect(last_wait.has_timeout && last_wait.timeout.tv_sec > 1000000000,
	       WHEN("a wait for ever") EXPECTED("more than 30 years") SAW("%lld s"),
	       (long long)last_wait.timeout.tv_sec);
	close_connections(s, &c);
}

static void waits_with_it(struct subject *s)
{
	need_option(s);
	stream_keeps_its_timeout(s);
}

static void waits_shortly_with_it(struct subject *s)
{
	need_option(s);
	stream_waits_less_than_a_millisecond(s);
}

static void waits_for_ever_with_it(struct subject *s)
{
	need_option(s);
	stream_waits_for_ever(s);
}

/* With a second operation in flight min_wait asks for more than one, at first. */
static void waits_for_one_of_two_with_it(struct subject *s)
{
	need_option(s);
	struct connections c;
	struct io_op *done[2];
	open_connections(s, &c, 2);
	for (unsigned i = 0; i < 3; i++) {
		struct speaker speaker = { .pause_ns = A_MOMENT_NS,
					   .count = 1,
					   .fds = { c.ends[0][1] } };
		start(s, receive(s, &c, 0));
		begin_speaking(&speaker);
		unsigned n = reap(s, done, 1, 2, -1);
		pthread_join(speaker.thread, NULL);
		expect(n == 1 && done[0] == &s->op[0],
		       WHEN("two operations wait, without a limit of time")
			       EXPECTED("the one whose peer speaks after 20 ms") SAW("%u back"),
		       n);
	}
	close_connections(s, &c);
}

static void waits_for_many_with_it(struct subject *s)
{
	need_option(s);
	stream_waits_for_as_many_as_asked(s);
}

#define EXERCISE(number, options)                                                                  \
	.exercise = number, .engine = "uring_tuned" options, .allowed_calls = URING

#define MULTI(number) EXERCISE(number, ":multishot")

#define ACCEPTS(number) EXERCISE(number, ":multishot_accept")

#define OPTION(option) EXERCISE(7, ":" option)

#define UNCOPIED(number) EXERCISE(number, ":send_zc")

#define TEST(test, which, function) .name = test, .flavours = which, .run = function

const struct lab_test lab_tests[] = {
	{ EXERCISE(1, ""), TEST("completes_only_when_asked", SOCKETS, completes_only_when_asked) },
	{ EXERCISE(1, ""),
	  TEST("one_bad_request_holds_up_no_other", ONE(TCP), one_bad_request_holds_up_no_other) },
	{ EXERCISE(1, ""),
	  TEST("is_known_without_its_descriptor", ONE(UNIX), is_known_without_its_descriptor) },
	{ EXERCISE(1, ""), TEST("an_old_kernel_is_told_from_others", ONE(NO_FD),
				an_old_kernel_is_told_from_others) },
	{ EXERCISE(1, ":no_sqarray"), TEST("an_old_kernel_is_not_blamed_on_an_option", ONE(NO_FD),
					   an_old_kernel_is_not_blamed_on_an_option) },
	{ EXERCISE(1, ""), TEST("open_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ EXERCISE(1, ""),
	  TEST("the_rings_place_is_found_out", ONE(NO_FD), the_rings_place_is_found_out) },
	{ EXERCISE(1, ""), TEST("submit_makes_no_call", ONE(NO_FD), submit_makes_no_call) },
	{ EXERCISE(1, ""), TEST("what_is_beyond_max_stays", ONE(NO_FD), what_is_beyond_max_stays) },
	{ EXERCISE(1, ""),
	  TEST("one_call_a_batch_of_messages", SOCKETS, one_call_a_batch_of_messages) },
	{ EXERCISE(1, ""), TEST("takes_what_is_there_without_a_call", ONE(NO_FD),
				ring_is_taken_from_without_a_call) },
	{ EXERCISE(1, ""), TEST("does_not_wait_when_enough_is_there", ONE(UNIX),
				does_not_wait_when_enough_is_there) },
	{ EXERCISE(1, ""), TEST("hands_over_even_if_it_may_not_wait", ONE(UNIX),
				hands_over_even_if_it_may_not_wait) },
	{ EXERCISE(1, ""),
	  TEST("a_time_limit_is_part_of_the_call", ONE(UNIX), a_time_limit_is_part_of_the_call) },
	{ EXERCISE(1, ""),
	  TEST("an_endless_wait_is_one_call", ONE(UNIX), ring_endless_wait_is_one_call) },
	{ EXERCISE(1, ""),
	  TEST("goes_on_behind_a_full_ring", ONE(NO_FD), goes_on_behind_a_full_ring) },
	{ EXERCISE(1, ""),
	  TEST("a_refusal_is_back_pressure", ONE(NO_FD), a_refusal_is_back_pressure) },
	{ EXERCISE(1, ""), TEST("takes_completions_from_a_busy_kernel", ONE(NO_FD),
				takes_completions_from_a_busy_kernel) },
	{ EXERCISE(1, ""), TEST("a_busy_kernel_is_no_error", ONE(TCP), a_busy_kernel_is_no_error) },
	{ EXERCISE(1, ""), TEST("a_broken_ring_is_told", ONE(TCP), a_broken_ring_is_told) },
	{ EXERCISE(1, ""), TEST("a_broken_ring_is_told_beside_a_cancel", ONE(UNIX),
				a_broken_ring_is_told_beside_a_cancel) },
	{ EXERCISE(1, ""),
	  TEST("supports_leaves_nothing_behind", ONE(NO_FD), supports_leaves_nothing_behind) },
	{ EXERCISE(1, ""), TEST("an_unanswered_probe_is_no_promise", ONE(NO_FD),
				an_unanswered_probe_is_no_promise) },
	{ EXERCISE(1, ""),
	  TEST("a_ring_is_as_large_as_needed", ONE(NO_FD), a_ring_is_as_large_as_needed) },
	{ EXERCISE(1, ""),
	  TEST("opens_for_more_than_a_ring_holds", ONE(NO_FD), ring_opens_for_more_than_it_holds) },
	{ EXERCISE(1, ""),
	  TEST("lends_as_many_as_a_ring_holds", ONE(UNIX), lends_as_many_as_a_ring_holds) },
	{ EXERCISE(1, ""),
	  TEST("keeps_no_page_of_what_it_lent", ONE(UNIX), keeps_no_page_of_what_it_lent) },
	{ EXERCISE(1, ""), TEST("keeps_its_timeout", ONE(UNIX), stream_keeps_its_timeout) },
	{ EXERCISE(1, ""),
	  TEST("short_waits_are_short", ONE(UNIX), stream_waits_less_than_a_millisecond) },
	{ EXERCISE(1, ""), TEST("keeps_all_bits_of_a_timeout", ONE(UNIX), stream_waits_for_ever) },
	{ EXERCISE(1, ""),
	  TEST("waits_for_as_many_as_asked", ONE(UNIX), stream_waits_for_as_many_as_asked) },
	{ EXERCISE(1, ""),
	  TEST("plain_counts_what_was_left", ONE(UNIX), stream_counts_what_was_left) },
	{ EXERCISE(1, ""), TEST("keeps_min_and_max", ONE(UNIX), reap_keeps_min_and_max) },
	{ EXERCISE(1, ""), TEST("keeps_a_large_min", ONE(NO_FD), reap_keeps_a_large_min) },
	{ EXERCISE(1, ""), TEST("a_signal_ends_the_wait", ONE(TCP), stream_signal_ends_the_wait) },
	{ EXERCISE(1, ""), TEST("nop_completes", ONE(NO_FD), nop_completes) },
	{ EXERCISE(1, ""),
	  TEST("plain_receives_what_is_there", STREAMS, stream_receives_what_is_there) },
	{ EXERCISE(1, ""), TEST("end_of_file", STREAMS, stream_end_of_file) },
	{ EXERCISE(1, ""), TEST("plain_two_engines", ONE(BUFFERED), two_engines_on_files) },
	{ EXERCISE(1, ""),
	  TEST("plain_survives_many_operations", ONE(NO_FD), file_survives_many_operations) },
	{ EXERCISE(1, ""), TEST("result_is_all_that_is_written", ONE(UNIX) | ONE(BUFFERED),
				result_is_all_that_is_written) },
	{ EXERCISE(1, ""), TEST("reads_the_right_blocks", FILES, file_read_right_data) },
	{ EXERCISE(1, ""), TEST("writes_the_right_blocks", FILES, file_write_right_data) },
	{ EXERCISE(1, ""), TEST("syncs", ONE(BUFFERED), file_sync) },
	{ EXERCISE(1, ""), TEST("a_sync_is_a_sync", ONE(UNIX), a_sync_is_a_sync) },
	{ EXERCISE(1, ""), TEST("a_send_raises_no_signal", ONE(UNIX), a_send_raises_no_signal) },
	{ EXERCISE(1, ""),
	  TEST("a_send_ends_with_what_fits", SOCKETS, a_send_ends_with_what_fits) },
	{ EXERCISE(1, ""), TEST("each_sync_has_its_flag", ONE(BUFFERED), each_sync_has_its_flag) },
	{ EXERCISE(1, ""),
	  TEST("an_entry_for_each_operation", ONE(BUFFERED), an_entry_for_each_operation) },
	{ EXERCISE(1, ""), TEST("plain_sends_right_data", STREAMS, stream_sends_right_data) },
	{ EXERCISE(1, ""), TEST("send_to_nobody", ONE(TCP) | ONE(UNIX), stream_send_to_nobody) },
	{ EXERCISE(1, ""), TEST("accepts_a_client", SOCKETS, accept_takes_who_waits) },
	{ EXERCISE(1, ""), TEST("connects", SOCKETS, connect_reaches_a_listener) },
	{ EXERCISE(1, ""), TEST("survives_signals", ONE(PIPE), stream_survives_signals) },
	{ EXERCISE(1, ""),
	  TEST("asks_for_the_very_operation", ONE(NO_FD), asks_for_the_very_operation) },
	{ EXERCISE(1, ""), TEST("supports_or_says_why", ONE(NO_FD), supports_or_says_why) },

	{ EXERCISE(2, ""), TEST("lends_what_came", SOCKETS, lent_buffer_holds_what_came) },
	{ EXERCISE(2, ""), TEST("lends_and_takes_back", ONE(UNIX), lent_buffer_is_the_callers) },
	{ EXERCISE(2, ""),
	  TEST("lends_to_nobody_who_waits", ONE(UNIX), lent_buffers_wait_for_none) },
	{ EXERCISE(2, ""), TEST("lends_until_none_is_left", ONE(UNIX), lent_buffers_are_short) },
	{ EXERCISE(2, ""), TEST("lends_for_bytes_only", ONE(UNIX), lent_buffer_for_bytes_only) },
	{ EXERCISE(2, ""), TEST("lends_the_length", ONE(UNIX), lent_buffers_take_the_length) },
	{ EXERCISE(2, ""), TEST("lends_beside_others", ONE(UNIX), lent_buffers_and_others) },
	{ EXERCISE(2, ""), TEST("lends_or_says_why_not", ONE(UNIX), lent_buffers_or_a_reason) },
	{ EXERCISE(2, ""),
	  TEST("giving_back_is_a_note_in_memory", ONE(UNIX), giving_back_is_a_note_in_memory) },

	{ MULTI(3), TEST("receives_what_is_there", SOCKETS, stream_receives_what_is_there) },
	{ MULTI(3), TEST("asks_once_for_all_messages", SOCKETS, asks_once_for_all_messages) },
	{ MULTI(3), TEST("takes_nothing_before_the_first_receive", ONE(UNIX),
			 takes_nothing_before_the_first_receive) },
	{ MULTI(3), TEST("answers_with_what_is_parked", ONE(UNIX), answers_with_what_is_parked) },
	{ MULTI(3), TEST("one_look_takes_what_came", SOCKETS, one_look_takes_what_came) },
	{ MULTI(3), TEST("who_waits_is_heard_beside_what_is_parked", ONE(UNIX),
			 who_waits_is_heard_beside_what_is_parked) },
	{ MULTI(3), TEST("what_is_parked_counts", SOCKETS, what_is_parked_counts) },
	{ MULTI(3), TEST("what_is_parked_takes_room", SOCKETS, what_is_parked_takes_room) },
	{ MULTI(3),
	  TEST("what_is_parked_lengthens_no_wait", ONE(UNIX), what_is_parked_lengthens_no_wait) },
	{ MULTI(3), TEST("a_signal_ends_a_wait_while_others_park", ONE(UNIX),
			 a_signal_ends_a_wait_while_others_park) },
	{ MULTI(3), TEST("leaves_what_has_no_room", ONE(UNIX), leaves_what_has_no_room) },
	{ MULTI(3), TEST("the_end_comes_after_the_bytes", SOCKETS, the_end_comes_after_the_bytes) },
	{ MULTI(3), TEST("keeps_sockets_apart", ONE(UNIX), keeps_sockets_apart) },

	{ MULTI(3),
	  TEST("an_error_is_kept_for_the_next", ONE(TCP), an_error_is_kept_for_the_next) },
	{ MULTI(4), TEST("a_wait_needs_no_buffer", SOCKETS, a_wait_needs_no_buffer) },
	{ MULTI(3), TEST("buffers_come_back", ONE(UNIX), buffers_come_back) },
	{ MULTI(4), TEST("goes_on_without_buffers", SOCKETS, goes_on_without_buffers) },
	{ MULTI(4), TEST("who_is_not_read_is_stopped", SOCKETS, who_is_not_read_is_stopped) },
	{ MULTI(4), TEST("arms_again_once_it_is_read", ONE(UNIX), arms_again_once_it_is_read) },

	{ MULTI(5), TEST("detach_leaves_nothing_armed", SOCKETS, detach_leaves_nothing_armed) },
	{ MULTI(5),
	  TEST("detach_keeps_what_others_ended", ONE(UNIX), detach_keeps_what_others_ended) },
	{ MULTI(5), TEST("moves_nothing_for_no_bytes", ONE(UNIX), stream_zero_bytes) },
	{ MULTI(5),
	  TEST("detach_goes_on_after_a_signal", ONE(UNIX), detach_goes_on_after_a_signal) },
	{ MULTI(5), TEST("detach_lets_the_socket_go", SOCKETS, detach_lets_the_socket_go) },
	{ MULTI(5), TEST("the_next_socket_gets_its_own", SOCKETS, the_next_socket_gets_its_own) },
	{ MULTI(5),
	  TEST("detach_gives_back_what_is_parked", ONE(UNIX), detach_gives_back_what_is_parked) },
	{ MULTI(5), TEST("late_bytes_give_their_buffers_back", ONE(UNIX),
			 late_bytes_give_their_buffers_back) },
	{ MULTI(5), TEST("what_comes_late_is_nobodys", ONE(UNIX), what_comes_late_is_nobodys) },
	{ MULTI(5), TEST("close_ends_what_is_armed", SOCKETS, close_ends_what_is_armed) },
	{ MULTI(5),
	  TEST("called_back_without_the_kernel", ONE(UNIX), called_back_without_the_kernel) },

	{ MULTI(5), TEST("counts_what_was_left", ONE(UNIX), stream_counts_what_was_left) },
	{ MULTI(5), TEST("a_signal_ends_a_wait_after_a_cancel", ONE(UNIX),
			 stream_signal_ends_a_wait_after_a_cancel) },

	{ MULTI(3), TEST("tells_the_end", SOCKETS, stream_end_of_file) },
	{ MULTI(3), TEST("tells_the_end_to_who_waits", SOCKETS, stream_end_while_waiting) },
	{ MULTI(3), TEST("tells_an_error_behind_bytes", ONE(TCP), tcp_error_behind_bytes) },
	{ MULTI(3), TEST("tells_a_reset", ONE(TCP), tcp_reset) },
	{ MULTI(3), TEST("fills_buffers", SOCKETS, stream_receives_in_full_buffers) },
	{ MULTI(3), TEST("sends_beside_it", SOCKETS, socket_both_directions_at_once) },
	{ MULTI(3), TEST("sleeps_while_waiting", ONE(TCP), stream_sleeps_while_waiting) },
	{ MULTI(3), TEST("survives_many_operations", ONE(UNIX), stream_survives_many_operations),
	  .limit_s = 60 },

	{ MULTI(4), TEST("lends_ahead", SOCKETS, lent_buffer_holds_what_came) },
	{ MULTI(4), TEST("lends_ahead_and_takes_back", ONE(UNIX), lent_buffer_is_the_callers) },
	{ MULTI(4), TEST("lends_ahead_until_none_is_left", SOCKETS, lent_buffers_are_short) },
	{ MULTI(5), TEST("lends_ahead_for_bytes_only", ONE(UNIX), lent_buffer_for_bytes_only) },
	{ MULTI(4), TEST("lends_ahead_the_length", ONE(UNIX), lent_buffers_take_the_length) },
	{ MULTI(4), TEST("lends_ahead_beside_others", ONE(UNIX), lent_buffers_and_others) },

	{ MULTI(5),
	  TEST("slot_takes_another_number", ONE(UNIX), stream_slot_takes_another_number) },
	{ MULTI(5),
	  TEST("number_moves_to_another_slot", ONE(UNIX), stream_number_moves_to_another_slot) },
	{ MULTI(5), TEST("slot_is_used_again", SOCKETS, stream_slot_is_used_again) },
	{ MULTI(5), TEST("stays_whole_after_the_end", SOCKETS, stream_stays_whole_after_the_end) },
	{ MULTI(5), TEST("calls_one_back", SOCKETS, cancel_one_leaves_the_others) },
	{ MULTI(5),
	  TEST("leaves_the_descriptor_whole", ONE(UNIX), cancel_one_leaves_the_descriptor_whole) },
	{ MULTI(5), TEST("loses_no_byte", ONE(UNIX), cancel_one_loses_no_byte) },
	{ MULTI(5), TEST("comes_too_late", ONE(UNIX), cancel_one_comes_too_late) },
	{ MULTI(5), TEST("a_cancel_leaves_what_is_back", ONE(TCP), cancel_leaves_what_is_back) },
	{ MULTI(5), TEST("calls_all_back", SOCKETS, stream_cancel) },
	{ MULTI(5),
	  TEST("calls_all_back_in_scattered_slots", ONE(UNIX), stream_cancel_in_scattered_slots) },
	{ MULTI(5), TEST("two_engines", ONE(UNIX), two_engines_on_streams) },
	{ MULTI(5), TEST("opens_and_closes_again", ONE(UNIX), opens_and_closes_again) },
	{ MULTI(5), TEST("close_leaves_nothing_mapped", ONE(UNIX), close_leaves_nothing_mapped) },
	{ OPTION("registered_wait"),
	  TEST("registered_wait_leaves_nothing_mapped", ONE(UNIX), nothing_mapped_with_it) },
	{ MULTI(5), TEST("allocates_nothing_later", ONE(UNIX), counted_no_allocation_after_open) },
	{ MULTI(5),
	  TEST("failures_leave_nothing_behind", ONE(UNIX), failures_leave_nothing_behind) },

	{ EXERCISE(5, ""),
	  TEST("a_cancel_is_part_of_the_batch", ONE(UNIX), a_cancel_is_part_of_the_batch) },
	{ EXERCISE(5, ""),
	  TEST("a_cancels_completion_ends_no_wait", ONE(UNIX), a_cancels_completion_ends_no_wait) },
	{ EXERCISE(5, ""), TEST("what_came_back_is_waited_for_no_more", ONE(UNIX),
				what_came_back_is_waited_for_no_more) },
	{ EXERCISE(5, ""),
	  TEST("a_cancel_begins_no_time_anew", ONE(UNIX), a_cancel_begins_no_time_anew) },
	{ EXERCISE(5, ""),
	  TEST("max_is_kept_beside_a_cancel", ONE(UNIX), max_is_kept_beside_a_cancel) },
	{ EXERCISE(5, ""),
	  TEST("a_full_ring_has_room_for_cancels", ONE(UNIX), a_full_ring_has_room_for_cancels) },
	{ EXERCISE(5, ""), TEST("what_nobody_called_back_goes_on", ONE(UNIX) | ONE(PIPE),
				what_nobody_called_back_goes_on) },
	{ EXERCISE(5, ""), TEST("cancels_without_room_are_all_asked", ONE(UNIX),
				cancels_without_room_are_all_asked) },
	{ EXERCISE(5, ""), TEST("a_cancel_without_room_is_not_forgotten", ONE(UNIX),
				a_cancel_without_room_is_not_forgotten) },
	{ EXERCISE(5, ""), TEST("a_cancel_without_room_twice_is_asked_again", ONE(UNIX),
				a_cancel_without_room_twice_is_asked_again) },
	{ EXERCISE(5, ""), TEST("what_is_over_is_called_back_no_more", ONE(UNIX),
				what_is_over_is_called_back_no_more) },
	{ EXERCISE(5, ""),
	  TEST("a_cancel_names_one_operation", ONE(UNIX), a_cancel_names_one_operation) },
	{ EXERCISE(5, ""),
	  TEST("a_deep_engine_calls_all_back", ONE(UNIX), a_deep_engine_calls_all_back) },
	{ EXERCISE(5, ""), TEST("a_cancel_leaves_the_other_direction", ONE(UNIX),
				a_cancel_leaves_the_other_direction) },
	{ EXERCISE(5, ""),
	  TEST("plain_calls_one_back", ONE(TCP) | ONE(PIPE), cancel_one_leaves_the_others) },
	{ EXERCISE(5, ""), TEST("plain_leaves_the_descriptor_whole", ONE(UNIX),
				cancel_one_leaves_the_descriptor_whole) },
	{ EXERCISE(5, ""), TEST("leaves_no_trace", ONE(UNIX), cancel_one_leaves_no_trace) },
	{ EXERCISE(5, ""), TEST("plain_loses_no_byte", ONE(UNIX), cancel_one_loses_no_byte) },
	{ EXERCISE(5, ""), TEST("meets_the_beginning", ONE(UNIX), cancel_one_meets_the_beginning) },
	{ EXERCISE(5, ""), TEST("plain_comes_too_late", ONE(UNIX), cancel_one_comes_too_late) },
	{ EXERCISE(5, ""), TEST("plain_calls_a_send_back", ONE(UNIX), cancel_one_of_a_send) },
	{ EXERCISE(5, ""),
	  TEST("calls_a_short_send_back", ONE(UNIX) | ONE(PIPE), cancel_one_of_a_short_send) },
	{ EXERCISE(5, ""), TEST("calls_a_file_back", ONE(BUFFERED), cancel_one_of_a_file) },
	{ EXERCISE(5, ""), TEST("plain_calls_all_back", ONE(TCP) | ONE(PIPE), stream_cancel) },
	{ EXERCISE(5, ""), TEST("plain_calls_all_back_in_scattered_slots", ONE(UNIX),
				stream_cancel_in_scattered_slots) },
	{ EXERCISE(5, ""),
	  TEST("plain_a_cancel_leaves_what_is_back", ONE(UNIX), cancel_leaves_what_is_back) },
	{ EXERCISE(5, ""), TEST("calls_sends_back", ONE(UNIX), stream_cancel_of_sends) },
	{ EXERCISE(5, ""), TEST("calls_files_back", FILES, file_cancel) },
	{ EXERCISE(5, ""), TEST("calls_nothing_back", ONE(UNIX), cancel_with_nothing_in_flight) },
	{ EXERCISE(5, ""), TEST("plain_stays_whole_after_the_end", ONE(UNIX) | ONE(PIPE),
				stream_stays_whole_after_the_end) },
	{ EXERCISE(5, ""), TEST("plain_calls_an_accept_back", ONE(TCP), accept_is_called_back) },
	{ EXERCISE(5, ""),
	  TEST("calls_a_connect_back", ONE(TCP), connect_waits_and_is_called_back) },
	{ EXERCISE(5, ""),
	  TEST("plain_allocates_nothing_later", ONE(UNIX), counted_no_allocation_after_open) },

	{ ACCEPTS(6), TEST("asks_once_for_all_clients", ONE(TCP), asks_once_for_all_clients) },
	{ ACCEPTS(6), TEST("takes_nobody_before_the_first_accept", ONE(TCP),
			   takes_nobody_before_the_first_accept) },
	{ ACCEPTS(6), TEST("clients_wait_in_their_order", ONE(TCP), clients_wait_in_their_order) },
	{ ACCEPTS(6),
	  TEST("who_was_not_wanted_is_closed", ONE(TCP), who_was_not_wanted_is_closed) },
	{ ACCEPTS(6), TEST("who_came_last_is_closed", ONE(TCP), who_came_last_is_closed) },
	{ ACCEPTS(6), TEST("accepts_on_after_an_error", ONE(TCP), accepts_on_after_an_error) },
	{ ACCEPTS(6),
	  TEST("the_next_listener_has_no_error", ONE(TCP), the_next_listener_has_no_error) },
	{ ACCEPTS(6), TEST("stops_accepting_each_time", ONE(TCP), stops_accepting_each_time) },
	{ ACCEPTS(6), TEST("does_not_accept_without_end", ONE(TCP), does_not_accept_without_end) },
	{ ACCEPTS(6),
	  TEST("listeners_do_not_stop_each_other", ONE(TCP), listeners_do_not_stop_each_other) },
	{ ACCEPTS(6), TEST("detach_ends_the_accept_of_its_slot", ONE(TCP),
			   detach_ends_the_accept_of_its_slot) },
	{ EXERCISE(6, ":multishot+multishot_accept"),
	  TEST("detach_ends_the_accept_beside_receives", ONE(TCP),
	       detach_ends_the_accept_of_its_slot) },
	{ ACCEPTS(6), TEST("accepts_who_waits", SOCKETS, accept_takes_who_waits) },
	{ ACCEPTS(6), TEST("accepts_who_comes_later", SOCKETS, accept_waits_for_a_client) },
	{ ACCEPTS(6), TEST("accepts_who_has_gone", ONE(TCP), accept_of_a_client_that_has_gone) },
	{ ACCEPTS(6), TEST("accepts_on_no_listener", ONE(TCP), accept_on_no_listener) },
	{ ACCEPTS(6), TEST("calls_an_accept_back", SOCKETS, accept_is_called_back) },

	{ UNCOPIED(7), TEST("sends_in_two_completions", ONE(TCP), sends_in_two_completions) },
	{ UNCOPIED(7),
	  TEST("an_uncopied_entry_asks_no_more", ONE(TCP), an_uncopied_entry_asks_no_more) },
	{ UNCOPIED(7), TEST("keeps_the_result_of_each", ONE(TCP), keeps_the_result_of_each) },
	{ UNCOPIED(7),
	  TEST("keeps_the_buffer_until_it_is_free", ONE(TCP), keeps_the_buffer_until_it_is_free) },
	{ UNCOPIED(7), TEST("sends_right_data", ONE(TCP), stream_sends_right_data) },
	{ UNCOPIED(7), TEST("sends_into_a_full_socket", ONE(TCP), stream_survives_a_full_buffer) },
	{ UNCOPIED(7), TEST("tells_a_send_that_fails", ONE(TCP), stream_send_to_nobody) },
	{ UNCOPIED(7), TEST("calls_a_send_back", ONE(TCP), cancel_one_of_a_send) },

	{ OPTION("multishot"), TEST("multishot_is_for_sockets", ONE(NO_FD), is_for_sockets) },
	{ OPTION("multishot_accept"),
	  TEST("multishot_accept_is_for_sockets", ONE(NO_FD), is_for_sockets) },
	{ OPTION("send_zc"), TEST("send_zc_is_for_sockets", ONE(NO_FD), is_for_sockets) },
	{ OPTION("fixed_buffers"), TEST("fixed_buffers_are_for_files", ONE(NO_FD), is_for_files) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_are_for_descriptors", ONE(NO_FD), is_for_descriptors) },
	{ OPTION("bundle"), TEST("bundle_is_for_multishot", ONE(NO_FD), is_for_multishot) },
	{ OPTION("iopoll"), TEST("iopoll_is_for_blocks", ONE(NO_FD), is_for_blocks) },
	{ OPTION("hybrid_iopoll"), TEST("hybrid_iopoll_is_for_blocks", ONE(NO_FD), is_for_blocks) },
	{ OPTION("iopoll"), TEST("iopoll_tries_where_temporary_files_are", ONE(BUFFERED),
				 tries_where_temporary_files_are) },
	{ OPTION("iopoll"),
	  TEST("iopoll_is_there_where_a_read_works", ONE(BUFFERED), a_read_that_works_is_a_yes) },
	{ OPTION("iopoll"), TEST("iopoll_takes_direct_files", ONE(BUFFERED), direct_reads_only) },
	{ OPTION("send_zc"), TEST("send_zc_takes_ip_sockets", ONE(NO_FD), uncopied_over_ip_only) },
	{ OPTION("send_zc"),
	  TEST("send_zc_counts_what_it_may_send", ONE(NO_FD), counts_what_it_may_send) },
	{ OPTION("min_wait"), TEST("min_wait_is_found_out", ONE(UNIX), min_wait_is_found_out) },
	{ OPTION("multishot+bundle"), TEST("bundle_is_found_out", ONE(UNIX), bundle_is_found_out) },
	{ OPTION("no_sqarray"),
	  TEST("no_sqarray_is_found_out", ONE(NO_FD), no_sqarray_is_found_out) },
	{ OPTION("hybrid_iopoll"),
	  TEST("hybrid_iopoll_is_found_out", ONE(NO_FD), hybrid_iopoll_is_found_out) },
	{ OPTION("registered_wait"),
	  TEST("registered_wait_is_found_out", ONE(UNIX), registered_wait_is_found_out) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_let_go_what_is_detached", ONE(UNIX), what_is_detached_is_let_go) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_tell_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_attach_or_tell", ONE(UNIX), attach_tells_what_fails) },
	{ OPTION("fixed_buffers"),
	  TEST("fixed_buffers_tell_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ OPTION("registered_wait"),
	  TEST("registered_wait_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ OPTION("multishot"), TEST("multishot_has_room_for_what_comes_ahead", ONE(NO_FD),
				    has_room_for_what_comes_ahead) },
	{ OPTION("multishot_accept"), TEST("multishot_accept_has_room_for_what_comes_ahead",
					   ONE(NO_FD), has_room_for_what_comes_ahead) },
	{ OPTION("incremental"),
	  TEST("incremental_is_for_multishot", ONE(NO_FD), is_for_multishot) },
	{ OPTION("fixed_files"), TEST("fixed_files_read", ONE(BUFFERED), file_read_right_data) },
	{ OPTION("fixed_files+multishot"),
	  TEST("fixed_files_receive", ONE(UNIX), asks_once_for_all_messages) },
	{ OPTION("fixed_files+multishot"), TEST("fixed_files_slot_takes_another_number", ONE(UNIX),
						stream_slot_takes_another_number) },
	{ OPTION("fixed_buffers"), TEST("fixed_buffers_ask_for_the_very_operation", ONE(NO_FD),
					asks_for_the_very_operation) },
	{ OPTION("fixed_buffers"),
	  TEST("fixed_buffers_are_used", ONE(BUFFERED), uses_registered_buffers) },
	{ OPTION("send_zc"),
	  TEST("send_zc_asks_for_the_very_operation", ONE(NO_FD), asks_for_the_very_operation) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_have_empty_places", ONE(BUFFERED), an_empty_place_is_no_descriptor) },
	{ OPTION("fixed_buffers"), TEST("fixed_buffers_read", FILES, file_read_right_data) },
	{ OPTION("fixed_buffers"), TEST("fixed_buffers_write", FILES, file_write_right_data) },
	{ OPTION("multishot"), TEST("without_a_bundle_each_buffer_is_one", ONE(UNIX),
				    without_a_bundle_each_buffer_is_one) },
	{ OPTION("multishot+bundle"),
	  TEST("a_bundle_is_one_completion", ONE(UNIX), a_bundle_is_one_completion) },
	{ OPTION("multishot+bundle"),
	  TEST("a_bundle_follows_the_order", ONE(UNIX), a_bundle_follows_the_order) },
	{ OPTION("multishot+bundle"), TEST("bundle_receives", SOCKETS, receives_with_it) },
	{ OPTION("multishot+bundle"), TEST("bundle_parks", ONE(UNIX), parks_with_it) },
	{ OPTION("multishot+bundle"), TEST("bundle_runs_out", ONE(UNIX), runs_out_with_it) },
	{ OPTION("multishot+bundle"), TEST("bundle_lends", ONE(UNIX), lends_with_it) },
	{ OPTION("multishot+bundle"), TEST("bundle_goes_on", ONE(UNIX), goes_on_with_it) },
	{ OPTION("multishot+incremental"),
	  TEST("incremental_receives", SOCKETS, receives_with_it) },
	{ OPTION("multishot+incremental"), TEST("incremental_parks", ONE(UNIX), parks_with_it) },
	{ OPTION("multishot+incremental"),
	  TEST("incremental_runs_out", ONE(UNIX), runs_out_with_it) },
	{ OPTION("multishot+incremental"), TEST("incremental_lends", ONE(UNIX), lends_with_it) },
	{ OPTION("multishot+incremental"),
	  TEST("incremental_goes_on", ONE(UNIX), goes_on_with_it) },
	{ OPTION("registered_wait"),
	  TEST("registered_wait_keeps_its_timeout", ONE(UNIX), waits_with_it) },
	{ OPTION("registered_wait"),
	  TEST("registered_wait_is_short", ONE(UNIX), waits_shortly_with_it) },
	{ OPTION("registered_wait"),
	  TEST("registered_wait_is_endless", ONE(UNIX), waits_for_ever_with_it) },
	{ OPTION("registered_wait"),
	  TEST("registered_wait_is_for_many", ONE(UNIX), waits_for_many_with_it) },
	{ OPTION("min_wait"), TEST("min_wait_keeps_its_timeout", ONE(UNIX), waits_with_it) },
	{ OPTION("min_wait"),
	  TEST("min_wait_is_for_more_than_one", ONE(UNIX), a_wait_for_one_is_for_more) },
	{ OPTION("min_wait"), TEST("min_wait_is_short", ONE(UNIX), waits_shortly_with_it) },
	{ OPTION("min_wait"), TEST("min_wait_is_endless", ONE(UNIX), waits_for_ever_with_it) },
	{ OPTION("min_wait"),
	  TEST("min_wait_is_endless_for_one_of_two", ONE(UNIX), waits_for_one_of_two_with_it) },
	{ OPTION("min_wait"), TEST("min_wait_is_for_many", ONE(UNIX), waits_for_many_with_it) },

	THE_REST_OF_THE_CONTRACT(7, "uring_tuned", FILES | STREAMS | ONE(NO_FD), BLOCKING),
	{ NULL },
};
