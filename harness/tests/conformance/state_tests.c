/* SPDX-License-Identifier: MIT */
/* Two engines at once, numbers that are used again, and what a child process would inherit. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "allocations.h"
#include "clock.h"
#include "conformance.h"
#include "tests.h"

#define BLOCK 4096u

static void send_text(int fd, const char *text)
{
	expect(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
	       "the test's own write failed: %s", strerror(errno));
}

static void expect_text(struct subject *s, unsigned slot, const char *text)
{
	const struct io_op *op = &s->op[slot];
	expect(op->result == (int64_t)strlen(text) &&
		       memcmp(buffer_of(s, slot), text, strlen(text)) == 0,
	       EXPECTED("\"%s\" for operation %u") SAW("a result of %s"), text, slot,
	       answer(op->result));
}

/* The same engine without options; what is shared by the two must not be. */
static struct subject second_subject(const struct subject *s)
{
	return (struct subject) { .ops = s->ops, .flavour = s->flavour };
}

/* Opens the first of two. Another one comes and goes meanwhile: what belongs to the first is not free then. */
static void open_first_engine(struct subject *s, unsigned depth)
{
	struct subject brief = second_subject(s);
	open_engine(s, depth, 1);
	open_engine(&brief, 1, 1);
	close_engine(&brief);
}

/* Asks again and again, and does not wait. */
static void await_all_by_polling(struct subject *s)
{
	struct io_op *done[8];
	uint64_t until_ns = clock_ns() + 5 * (uint64_t)NS_PER_S;
	while (s->inflight > 0) {
		if (reap(s, done, 0, 8, 0) == 0)
			usleep(100);
		expect(!time_is_up(until_ns),
		       WHEN("another engine is open, by reap() with min 0") EXPECTED("all back")
			       SAW("%u in flight after 5 s"),
		       s->inflight);
	}
}

void two_engines_on_files(struct subject *s)
{
	struct io_op *done[8];
	struct subject second = second_subject(s);
	int fd = make_file(s, 16 * BLOCK, O_RDONLY);
	open_first_engine(s, 3);
	open_engine(&second, 8, 3);
	attach(s, 0, fd);
	attach(&second, 2, fd);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned slot = 0; slot < 3; slot++)
			start(s, prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * slot, BLOCK));
		for (unsigned slot = 0; slot < 8; slot++)
			start(&second, prepare(&second, slot, IO_READ, fd, 2,
					       (uint64_t)BLOCK * (slot + 3), BLOCK));
		reap(s, done, 0, 8, 0);
		await_all(&second);
		if (round % 2)
			await_all(s);
		else
			await_all_by_polling(s);
		if (s->ops->traits & IO_MOVES_NO_BYTES)
			continue;
		for (unsigned slot = 0; slot < 8; slot++)
			expect(buffer_of(&second, slot)[0] ==
				       pattern_byte((uint64_t)BLOCK * (slot + 3)),
			       "the second engine's read %u has a wrong byte", slot);
	}
	close_engine(s);
	int64_t n = perform(&second, prepare(&second, 7, IO_READ, fd, 2, 0, BLOCK));
	expect(n == BLOCK, WHEN("after close() of the first") EXPECTED("%u bytes") SAW("%s"), BLOCK,
	       answer(n));
	close_engine(&second);
	close(fd);
}

void two_engines_on_streams(struct subject *s)
{
	int ends[2], second_ends[2];
	struct subject second = second_subject(s);
	make_reading_pair(s, ends);
	make_reading_pair(s, second_ends);
	open_first_engine(s, 1);
	open_engine(&second, 7, 4);
	attach(s, 0, ends[0]);
	attach(&second, 3, second_ends[0]);
	for (unsigned round = 0; round < 20; round++) {
		/* An engine that blocks in submit() can only be given what is there. */
		bool waits = !(s->ops->traits & IO_BLOCKS_IN_SUBMIT);
		struct io_op *op = prepare_receive(s, 0, ends[0], 0);
		struct io_op *second_op = prepare_receive(&second, 6, second_ends[0], 3);
		if (!waits) {
			send_text(ends[1], "first");
			send_text(second_ends[1], "second");
		}
		start(s, op);
		start(&second, second_op);
		if (waits) {
			struct io_op *done[1];
			send_text(second_ends[1], "second");
			expect(reap(s, done, 1, 1, 2 * NS_PER_MS) == 0,
			       "a receive completed with nothing there");
		}
		await(&second, second_op);
		expect_text(&second, 6, "second");
		if (waits) {
			expect(op->in_flight, "the first engine's receive is gone");
			send_text(ends[1], "first");
		}
		if (round % 2)
			await(s, op);
		else
			await_all_by_polling(s);
		expect_text(s, 0, "first");
	}
	s->ops->cancel(s->engine);
	close_engine(s);
	send_text(second_ends[1], "still");
	perform(&second, prepare_receive(&second, 6, second_ends[0], 3));
	expect_text(&second, 6, "still");
	close_engine(&second);
	for (unsigned i = 0; i < 2; i++) {
		close(ends[i]);
		close(second_ends[i]);
	}
}

#define AT_ONCE 32u
#define TURNS	200u

struct one_of_two {
	const struct subject *like;
	pthread_barrier_t *both_are_open;
};

/* Opens an engine, and has messages on many connections come at once, again and again. */
static void *many_messages_at_once(void *argument)
{
	const struct one_of_two *one = argument;
	struct subject s = second_subject(one->like);
	int ends[AT_ONCE][2];
	s.options = one->like->options;
	sigset_t mask;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	open_engine(&s, AT_ONCE, AT_ONCE);
	pthread_barrier_wait(one->both_are_open);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		make_reading_pair(&s, ends[i]);
		attach(&s, i, ends[i][0]);
	}
	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct io_op *ops[AT_ONCE];
		for (unsigned i = 0; i < AT_ONCE; i++)
			ops[i] = prepare_receive(&s, i, ends[i][0], i);
		for (unsigned i = 0; i < AT_ONCE; i++)
			send_text(ends[i][1], "text");
		start_all(&s, ops, AT_ONCE);
		await_all(&s);
		for (unsigned i = 0; i < AT_ONCE; i++)
			expect_text(&s, i, "text");
	}
	close_engine(&s);
	expect_same_mask(&mask, false, "after close()");
	for (unsigned i = 0; i < AT_ONCE; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	return NULL;
}

/* Each belongs to the thread that opened it, and knows nothing of the other. */
void two_engines_in_two_threads(struct subject *s)
{
	pthread_t other;
	pthread_barrier_t both_are_open;
	struct one_of_two one = { s, &both_are_open };
	pthread_barrier_init(&both_are_open, NULL, 2);
	expect(pthread_create(&other, NULL, many_messages_at_once, &one) == 0, "no thread");
	many_messages_at_once(&one);
	pthread_join(other, NULL);
	pthread_barrier_destroy(&both_are_open);
}

/* One receive through `fd_slot`, and nothing of it is left. */
static void receive_through(struct subject *s, unsigned slot, const int ends[2], unsigned fd_slot,
			    const char *text)
{
	attach(s, fd_slot, ends[0]);
	bool waits = !(s->ops->traits & IO_BLOCKS_IN_SUBMIT);
	struct io_op *op = prepare_receive(s, slot, ends[0], fd_slot);
	if (!waits)
		send_text(ends[1], text);
	start(s, op);
	if (waits) {
		struct io_op *done[1];
		expect(reap(s, done, 1, 1, NS_PER_MS) == 0,
		       "a receive completed with nothing there");
		send_text(ends[1], text);
	}
	await(s, op);
	expect_text(s, slot, text);
	detach(s, fd_slot);
}

void stream_number_moves_to_another_slot(struct subject *s)
{
	static const unsigned fd_slots[] = { 0, 3, 1, 3, 2, 0 };
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 4, 4);
	for (unsigned i = 0; i < sizeof fd_slots / sizeof *fd_slots; i++)
		receive_through(s, (i + 1) % 4, ends, fd_slots[i], "moved");
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The old descriptor stays open, and has something to say. */
void stream_slot_takes_another_number(struct subject *s)
{
	int old[2], new[2];
	make_reading_pair(s, old);
	make_reading_pair(s, new);
	open_engine(s, 2, 1);
	for (unsigned round = 0; round < 10; round++) {
		receive_through(s, 0, old, 0, "old");
		send_text(old[1], "unread");
		receive_through(s, 1, new, 0, "new");
		char unread[16];
		expect(read(old[0], unread, sizeof unread) == 6 && memcmp(unread, "unread", 6) == 0,
		       "the bytes for a detached descriptor are gone");
	}
	close_engine(s);
	for (unsigned i = 0; i < 2; i++) {
		close(old[i]);
		close(new[i]);
	}
}

/* 0 is a number like any other. The test's own standard input is back afterwards. */
void descriptor_0_is_served(struct subject *s)
{
	not_for(s, IO_MOVES_NO_BYTES, "moves no bytes");
	int ends[2] = { -1, -1 };
	bool on_file = ONE(s->flavour) & FILES;
	if (on_file)
		ends[0] = make_file(s, BLOCK, O_RDONLY);
	else
		make_reading_pair(s, ends);
	int standard_input = fcntl(0, F_DUPFD_CLOEXEC, 3);
	expect(dup2(ends[0], 0) == 0, "dup2: %s", strerror(errno));
	open_engine(s, 1, 1);
	attach(s, 0, 0);
	if (!on_file)
		send_text(ends[1], "zero");
	int64_t n = perform(s, on_file ? prepare(s, 0, IO_READ, 0, 0, 0, BLOCK)
				       : prepare_receive(s, 0, 0, 0));
	expect(n == (on_file ? (int64_t)BLOCK : 4),
	       EXPECTED("the bytes that descriptor 0 has") SAW("%s"), answer(n));
	detach(s, 0);
	close_engine(s);
	close(0);
	if (standard_input >= 0) {
		dup2(standard_input, 0);
		close(standard_input);
	}
	for (unsigned i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

#define NUMBERS 2048

/* Sets is_open[fd] for each descriptor below NUMBERS. */
static void look_for_descriptors(bool is_open[NUMBERS])
{
	memset(is_open, 0, NUMBERS * sizeof *is_open);
	DIR *folder = opendir("/proc/self/fd");
	expect(folder, "the test itself cannot read /proc/self/fd");
	for (struct dirent *entry; (entry = readdir(folder));) {
		int fd = entry->d_name[0] == '.' ? NUMBERS : atoi(entry->d_name);
		if (fd < NUMBERS && fd != dirfd(folder))
			is_open[fd] = true;
	}
	closedir(folder);
}

/* Those that a new program would have, if this one called execve(2) now. */
void descriptors_are_not_inherited(struct subject *s)
{
	static bool was_open[NUMBERS], is_open[NUMBERS];
	int ends[2] = { -1, -1 };
	look_for_descriptors(was_open);
	struct io_op *op;
	open_engine(s, 2, 1);
	if (s->flavour == NO_FD) {
		op = prepare(s, 0, IO_NOP, -1, 0, 0, 0);
	} else if (ONE(s->flavour) & FILES) {
		ends[0] = make_file(s, BLOCK, O_RDONLY);
		op = prepare(s, 0, IO_READ, ends[0], 0, 0, BLOCK);
	} else {
		make_reading_pair(s, ends);
		send_text(ends[1], "x");
		op = prepare_receive(s, 0, ends[0], 0);
	}
	if (ends[0] >= 0)
		attach(s, 0, ends[0]);
	perform(s, op);
	look_for_descriptors(is_open);
	for (int fd = 0; fd < NUMBERS; fd++)
		expect(was_open[fd] || !is_open[fd] || fcntl(fd, F_GETFD) & FD_CLOEXEC,
		       "descriptor %d of the engine would be inherited: no FD_CLOEXEC", fd);
	close_engine(s);
	for (unsigned i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

/* Which descriptors are open, as one number: any that comes or goes changes it. */
static uint64_t open_descriptors(void)
{
	static bool is_open[NUMBERS];
	uint64_t hash = 0;
	look_for_descriptors(is_open);
	for (int fd = 0; fd < NUMBERS; fd++)
		if (is_open[fd])
			hash = hash * 31 + (uint64_t)fd + 1;
	return hash;
}

/* Calls supports() for all that can be asked. Only what the contract calls valid is set. */
static void ask_all(const struct subject *s, bool may_fail)
{
	struct engine_config config = { .depth = 1, .cpu_count = 2, .options = s->options };
	for (unsigned kind = 0; kind < IO_KIND_COUNT; kind++)
		for (unsigned fd_kind = 0; fd_kind < IO_FD_KIND_COUNT; fd_kind++) {
			struct reason why = { "" }, again = { "" };
			int rc = s->ops->supports(&config, (enum io_kind)kind,
						  (enum io_fd_kind)fd_kind, &why);
			int second = s->ops->supports(&config, (enum io_kind)kind,
						      (enum io_fd_kind)fd_kind, &again);
			expect(rc <= 0, EXPECTED("0 or -errno from supports()") SAW("%s"),
			       answer(rc));
			expect(rc == 0 || why.text[0],
			       "supports() refuses %s with %s and gives no reason", kind_name(kind),
			       answer(rc));
			expect(rc == second || may_fail,
			       WHEN("asked twice") EXPECTED("the same answer") SAW("%s and %s"),
			       answer(rc), answer(second));
		}
}

/*
 * Lets open() and supports() run out of descriptors, at the first that they ask for, at the second
 * and so on.
 */
void failures_leave_nothing_behind(struct subject *s)
{
	bool counted = allocations_begin && allocations_begin();
	struct rlimit limit, low;
	getrlimit(RLIMIT_NOFILE, &limit);
	ask_all(s, false); /* what a library does once is done then */
	uint64_t before = open_descriptors();
	struct signals signals_before = signals_now();
	long live = counted ? allocations_so_far().live : 0;
	ask_all(s, false);
	expect(open_descriptors() == before, "supports() left a descriptor open");
	int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
	close(lowest);
	for (unsigned room = 0; room < 5; room++) {
		struct reason why = { "" };
		struct engine_config config = { .depth = 1,
						.max_fds = 1,
						.arena = s->folder,
						.cpu_count = 2,
						.options = s->options };
		low = limit;
		low.rlim_cur = (rlim_t)lowest + room;
		setrlimit(RLIMIT_NOFILE, &low);
		ask_all(s, true);
		int rc = s->ops->open(&s->engine, &config, &why);
		setrlimit(RLIMIT_NOFILE, &limit);
		expect(rc <= 0, EXPECTED("0 or -errno from open()") SAW("%s"), answer(rc));
		expect(rc == 0 || why.text[0], "open() failed with %s and gave no reason",
		       answer(rc));
		if (rc == 0)
			s->ops->close(s->engine);
		expect(open_descriptors() == before,
		       "with room for %u descriptors: one was left open", room);
		expect_signals_as(&signals_before, "after open() with few descriptors");
	}
	expect(!counted || allocations_so_far().live == live,
	       WHEN("after failures") EXPECTED("no memory kept") SAW("%ld blocks"),
	       allocations_so_far().live - live);
}

/* The workload's and the driver's fields come back as they were. */
/*
 * An operation that the workload holds may be part of a list of its own. An engine neither follows what
 * it finds in `next` nor writes there once it has handed the operation out.
 */
void next_is_the_holders(struct subject *s)
{
	enum { COUNT = 4 };
	struct io_op strange = { 0 };
	int ends[2] = { -1, -1 };
	bool on_file = ONE(s->flavour) & FILES;
	open_engine(s, COUNT, 1);
	if (on_file)
		ends[0] = make_file(s, BLOCK, O_RDONLY);
	else if (s->flavour != NO_FD)
		make_reading_pair(s, ends);
	if (ends[0] >= 0)
		attach(s, 0, ends[0]);
	for (unsigned i = 0; i < 3 * COUNT; i++) {
		unsigned slot = i % COUNT;
		struct io_op *op = s->flavour == NO_FD ? prepare(s, slot, IO_NOP, -1, 0, 0, 0)
				   : on_file ? prepare(s, slot, IO_READ, ends[0], 0, 0, BLOCK)
					     : prepare_receive(s, slot, ends[0], 0);
		if (ends[1] >= 0)
			send_text(ends[1], "x");
		op->next = &strange;
		perform(s, op);
		op->next = &strange;
		for (unsigned other = 0; i >= COUNT && other < COUNT; other++)
			expect(s->op[other].next == &strange,
			       EXPECTED("`next` of an operation that came back to stay")
				       SAW("another one in operation %u"),
			       other);
	}
	expect(strange.next == NULL && strange.result == 0,
	       EXPECTED("an operation that was never submitted to stay") SAW("it changed"));
	close_engine(s);
	for (unsigned i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

/* Performs it, and looks at what else it has written. */
static void expect_only_a_result(struct subject *s, struct io_op *op)
{
	op->continues = 1;
	op->reserved = 0x5a;
	op->tag = 0xdeadbeef;
	op->submit_ns = 0x0123456789abcdef;
	struct io_op before = *op;
	perform(s, op);
	before.result = op->result;
	before.next = op->next;
	expect(memcmp(&before, op, sizeof before) == 0,
	       EXPECTED("only result and next to be written") SAW("another field"));
}

/* The same where the operation fails: a long send, whose peer has gone. */
void result_of_a_failure_is_all_that_is_written(struct subject *s)
{
	int ends[2];
	signal(SIGPIPE, SIG_IGN);
	make_writing_pair(s, ends);
	open_engine(s, 2, 2);
	attach(s, 1, ends[0]);
	close(ends[1]);
	expect_only_a_result(s, prepare_send(s, 1, ends[0], 1, BUFFER_BYTES));
	expect(s->op[1].result < 0, EXPECTED("a send to nobody to fail") SAW("%s"),
	       answer(s->op[1].result));
	close_engine(s);
	close(ends[0]);
}

void result_is_all_that_is_written(struct subject *s)
{
	int ends[2] = { -1, -1 };
	struct io_op *op;
	open_engine(s, 2, 2);
	if (s->flavour == NO_FD) {
		op = prepare(s, 1, IO_NOP, -1, 0, 0, 0);
	} else if (ONE(s->flavour) & FILES) {
		ends[0] = make_file(s, BLOCK / 2, O_RDONLY);
		op = prepare(s, 1, IO_READ, ends[0], 1, 0, BLOCK); /* a short one */
	} else {
		make_reading_pair(s, ends);
		send_text(ends[1], "x");
		op = prepare_receive(s, 1, ends[0], 1);
	}
	if (ends[0] >= 0)
		attach(s, 1, ends[0]);
	expect_only_a_result(s, op);
	close_engine(s);
	for (unsigned i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}
