/* SPDX-License-Identifier: MIT */
/*
 * What a blocking engine is: for each operation one system call, which sleeps until the operation
 * is over; a count that is short is a result, a signal is none.
 */
#include "lab_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "failing_calls.h"

#define BLOCK 4096u

/* One call moves the bytes of one operation, by whichever of its family. */
#define FILE_CALLS                                                                                 \
	"pread64 pwrite64 preadv pwritev preadv2 pwritev2 read write readv writev fsync fdatasync"
#define STREAM_CALLS                                                                               \
	"recvfrom recvmsg sendto sendmsg read write readv writev preadv2 pwritev2 "                \
	"accept accept4 connect"

/*
 * While the engine sleeps, somebody else has to act: send what it waits for, or a signal. This
 * thread does. `done` is set once the engine has come back from what is being looked at.
 */
struct bystander {
	pthread_t thread, sleeper;
	int sleeper_tid;
	int fd; /* the peer's end */
	unsigned signals; /* for the tests of exercise 3 */
	atomic_int done;
	atomic_int first_is_back; /* for the test of exercise 4 */
	bool was_withheld, slept_again;
};

static atomic_int signals_handled;

static void count_signal(int signal_number)
{
	(void)signal_number;
	atomic_fetch_add(&signals_handled, 1);
}

/* Without SA_RESTART, so that a call which sleeps ends with EINTR. */
static void handle_signals(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	sigaction(SIGUSR1, &action, NULL);
}

static void bystander_begin(struct bystander *b, int fd, void *(*act)(void *))
{
	b->fd = fd;
	b->sleeper = pthread_self();
	b->sleeper_tid = (int)syscall(SYS_gettid);
	expect(pthread_create(&b->thread, NULL, act, b) == 0, "the test itself gets no thread");
}

static void bystander_end(struct bystander *b)
{
	atomic_store(&b->done, 1);
	pthread_join(b->thread, NULL);
}

/* Sends the sleeper a signal, and waits until its handler has run. */
static void interrupt(const struct bystander *b)
{
	int before = atomic_load(&signals_handled);
	uint64_t deadline_ns = clock_ns() + 5 * NS_PER_S;
	note("peer     sends a signal");
	pthread_kill(b->sleeper, SIGUSR1);
	while (atomic_load(&signals_handled) == before && clock_ns() < deadline_ns)
		usleep(200);
}

static bool is_asleep(int tid)
{
	char path[64], line[256] = "";
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, line, sizeof line - 1);
	close(fd);
	const char *state = n > 0 ? strrchr(line, ')') : NULL;
	return state && state[2] == 'S';
}

/* Waits until the sleeper sleeps (true), or is done (false). */
static bool sleeps_before_it_is_done(struct bystander *b)
{
	while (!atomic_load(&b->done)) {
		if (is_asleep(b->sleeper_tid) && !atomic_load(&b->done))
			return true;
		usleep(200);
	}
	return false;
}

static struct io_op *prepare_in(struct subject *s, unsigned slot, int fd, unsigned fd_slot)
{
	return prepare(s, slot, in_kind(s), fd, fd_slot, IO_NO_OFFSET, BUFFER_BYTES);
}

/* Exercise 1. */

static void makes_one_call_for_a_block(struct subject *s)
{
	int fd = make_file(s, 16 * BLOCK, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	calls_reset();
	for (unsigned i = 0; i < 50; i++)
		perform(s, prepare(s, 0, i % 2 ? IO_WRITE : IO_READ, fd, 0,
				   (uint64_t)BLOCK * (i % 16), BLOCK));
	perform(s, prepare(s, 0, IO_FSYNC, fd, 0, 0, 0));
	unsigned calls = calls_made(NULL);
	expect(calls == 51, EXPECTED("51 system calls for 51 operations") SAW("%u"), calls);
	close_engine(s);
	close(fd);
}

/* fdatasync(2) may leave a file's times behind, so it must not stand in for fsync(2). */
static void syncs_as_it_was_asked(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	calls_reset();
	perform(s, prepare(s, 0, IO_FSYNC, fd, 0, 0, 0));
	unsigned full = calls_made("fsync");
	calls_reset();
	perform(s, prepare(s, 0, IO_FDATASYNC, fd, 0, 0, 0));
	unsigned data_only = calls_made("fdatasync");
	expect(full == 1, EXPECTED("one fsync for IO_FSYNC") SAW("%u"), full);
	expect(data_only == 1, EXPECTED("one fdatasync for IO_FDATASYNC") SAW("%u"), data_only);
	close_engine(s);
	close(fd);
}

/* Whoever else uses the descriptor keeps their place in the file. */
static void leaves_the_position_alone(struct subject *s)
{
	int fd = make_file(s, 16 * BLOCK, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	lseek(fd, 1234, SEEK_SET);
	perform(s, prepare(s, 0, IO_READ, fd, 0, 5 * (uint64_t)BLOCK, BLOCK));
	perform(s, prepare(s, 0, IO_WRITE, fd, 0, 3 * (uint64_t)BLOCK, BLOCK));
	perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	perform(s, prepare(s, 0, IO_WRITE, fd, 0, 0, BLOCK));
	off_t position = lseek(fd, 0, SEEK_CUR);
	expect(position == 1234,
	       EXPECTED("the descriptor's position to stay 1234")
		       SAW("%lld: a READ or WRITE with an offset must not move it"),
	       (long long)position);
	close_engine(s);
	close(fd);
}

/* One byte is there, and a few more are asked for: it is the result, for any length. */
static void returns_what_is_there_for_any_length(struct subject *s)
{
	static const uint32_t lengths[] = { 1, 2, 3, 4, 8, 15, 16, 17, 64, 512, BUFFER_BYTES };
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		peer_sends(ends[1], "x", 1);
		int64_t n =
			perform(s, prepare(s, 0, in_kind(s), ends[0], 0, IO_NO_OFFSET, lengths[i]));
		expect(n == 1 && buffer_of(s, 0)[0] == 'x',
		       EXPECTED("the one byte that was there, of %u") SAW("%s"), lengths[i],
		       answer(n));
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* How the process answers to signals belongs to the program: an engine leaves it alone. */
static void leaves_signals_alone(struct subject *s)
{
	static struct sigaction before[NSIG], after[NSIG];
	int ends[2];
	make_pair(s, ends);
	for (int i = 1; i < NSIG; i++)
		sigaction(i, NULL, &before[i]);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	perform(s, prepare(s, 0, IO_SEND, ends[0], 0, IO_NO_OFFSET, 1));
	for (int i = 1; i < NSIG; i++) {
		sigaction(i, NULL, &after[i]);
		expect(after[i].sa_handler == before[i].sa_handler,
		       EXPECTED("the answer to signal %d (%s) as it was") SAW("another one"), i,
		       strsignal(i));
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Ten bytes are there and thousands are asked for: ten is the result, at once. */
static void returns_what_is_there(struct subject *s)
{
	int ends[2];
	char sent[10];
	make_reading_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned b = 0; b < sizeof sent; b++)
			sent[b] = pattern_byte(round * 100 + b);
		memset(buffer_of(s, 1), 0x55, BUFFER_BYTES);
		peer_sends(ends[1], sent, sizeof sent);
		int64_t n = perform(s, prepare_in(s, 1, ends[0], 0));
		expect(n == sizeof sent,
		       EXPECTED("the 10 bytes that were there as a result") SAW("%s"), answer(n));
		expect(memcmp(buffer_of(s, 1), sent, sizeof sent) == 0,
		       EXPECTED("the 10 bytes that were sent") SAW("others"));
		for (unsigned b = sizeof sent; b < BUFFER_BYTES; b++)
			expect(buffer_of(s, 1)[b] == 0x55,
			       EXPECTED("the buffer beyond the 10 bytes to be left alone")
				       SAW("byte %u changed"),
			       b);
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

static void is_over_when_submit_returns(struct subject *s)
{
	struct io_op *done[1];
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 2, 1);
	attach(s, 0, fd);
	for (unsigned round = 0; round < 3; round++) {
		struct io_op *op = prepare(s, 0, IO_READ, fd, 0, 0, BLOCK);
		start(s, op);
		expect(buffer_of(s, 0)[BLOCK - 1] == pattern_byte(BLOCK - 1),
		       EXPECTED("the bytes in the buffer when submit() returns") SAW("others"));
		unsigned n = reap(s, done, 0, 1, 0);
		expect(n == 1, EXPECTED("the operation from a reap() that may not wait") SAW("%u"),
		       n);
		memset(buffer_of(s, 0), 0, BLOCK);
	}
	close_engine(s);
	close(fd);
}

static void says_what_it_can_do(struct subject *s)
{
	static const struct {
		enum io_kind kind;
		enum io_fd_kind fd_kind;
		const char *words;
	} pairs[] = {
		{ IO_READ, IO_FD_FILE, "READ on a file" },
		{ IO_WRITE, IO_FD_FILE, "WRITE on a file" },
		{ IO_FSYNC, IO_FD_FILE, "FSYNC on a file" },
		{ IO_FDATASYNC, IO_FD_FILE, "FDATASYNC on a file" },
		{ IO_READ, IO_FD_PIPE, "READ on a pipe" },
		{ IO_WRITE, IO_FD_PIPE, "WRITE on a pipe" },
		{ IO_RECV, IO_FD_SOCKET, "RECV on a socket" },
		{ IO_SEND, IO_FD_SOCKET, "SEND on a socket" },
		{ IO_ACCEPT, IO_FD_LISTENER, "ACCEPT on a listener" },
		{ IO_CONNECT, IO_FD_SOCKET, "CONNECT on a socket" },
	};
	const struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct reason why = { "" };
		int rc = s->ops->supports(&config, pairs[i].kind, pairs[i].fd_kind, &why);
		expect(rc == 0, EXPECTED("0 from supports() for %s") SAW("%s: %s"), pairs[i].words,
		       answer(rc), why.text);
	}
}

/* An operation for which there is no system call fails, unless supports() promised it. */
static void tells_that_there_is_no_call(struct subject *s)
{
	const struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	struct reason why = { "" };
	bool promised = s->ops->supports(&config, IO_NOP, IO_FD_NONE, &why) == 0;
	open_engine(s, 1, 1);
	/* What an earlier call left there is not this operation's. */
	errno = 0;
	int64_t result = perform(s, prepare(s, 0, IO_NOP, -1, 0, 0, 0));
	if (promised)
		expect(result == 0, EXPECTED("0 from a no-op that supports() promised") SAW("%s"),
		       answer(result));
	else
		expect(result < 0,
		       EXPECTED("-errno from a no-op that supports() refused") SAW("%s"),
		       answer(result));
	errno = 0;
	result = perform(s, prepare(s, 0, IO_KIND_COUNT, -1, 0, 0, 0));
	expect(result < 0, EXPECTED("-errno from a kind that does not exist") SAW("%s"),
	       answer(result));
	close_engine(s);
}

/* Exercise 2. */

static void makes_one_call_for_a_message(struct subject *s)
{
	int ends[2];
	char bytes[64] = "";
	make_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	calls_reset();
	for (unsigned i = 0; i < 20; i++) {
		peer_sends(ends[1], bytes, sizeof bytes);
		perform(s, prepare_in(s, 0, ends[0], 0));
		perform(s, prepare(s, 1, IO_SEND, ends[0], 0, IO_NO_OFFSET, sizeof bytes));
	}
	unsigned calls = calls_made(NULL);
	expect(calls == 40, EXPECTED("40 system calls for 40 operations") SAW("%u"), calls);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The sleep is long enough that running through it shows in the CPU time. */
#define IDLE_NS (60 * NS_PER_MS)

static void *send_late(void *argument)
{
	struct bystander *b = argument;
	struct timespec a_while = { .tv_nsec = IDLE_NS };
	wait_until_asleep(b->sleeper_tid);
	nanosleep(&a_while, NULL);
	peer_sends(b->fd, "late", 4);
	return NULL;
}

static void sleeps_until_the_peer_speaks(struct subject *s)
{
	struct bystander b = { 0 };
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct io_op *op = prepare_in(s, 0, ends[0], 0);
	bystander_begin(&b, ends[1], send_late);
	int64_t before_ns = thread_cpu_ns();
	int64_t n = perform(s, op);
	int64_t used_ns = thread_cpu_ns() - before_ns;
	bystander_end(&b);
	expect(n == 4, EXPECTED("the 4 bytes that came late") SAW("%s"), answer(n));
	expect(used_ns < IDLE_NS / 2,
	       EXPECTED("a thread asleep while its peer is silent") SAW("%lld of %lld ms on a CPU"),
	       (long long)(used_ns / NS_PER_MS), (long long)(IDLE_NS / NS_PER_MS));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The peer closes while the engine sleeps in a receive: the end of the stream, 0. */
static void *close_late(void *argument)
{
	struct bystander *b = argument;
	wait_until_asleep(b->sleeper_tid);
	note("peer     closes");
	close(b->fd);
	return NULL;
}

static void wakes_when_the_peer_closes(struct subject *s)
{
	struct bystander b = { 0 };
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct io_op *op = prepare_in(s, 0, ends[0], 0);
	bystander_begin(&b, ends[1], close_late);
	int64_t n = perform(s, op);
	bystander_end(&b);
	expect(n == 0, EXPECTED("0, the end, when the peer closes") SAW("%s"), answer(n));
	close_engine(s);
	close(ends[0]);
}

/* Who names a position asks for pread(2), and its answer is the result. */
static void a_pipe_has_no_position(struct subject *s)
{
	int ends[2];
	char left[8];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	peer_sends(ends[1], "bytes", 5);
	int64_t n = perform(s, prepare(s, 0, IO_READ, ends[0], 0, 0, 5));
	expect(n == -ESPIPE, WHEN("at position 0 of a pipe") EXPECTED("-ESPIPE") SAW("%s"),
	       answer(n));
	expect(read(ends[0], left, sizeof left) == 5,
	       EXPECTED("the bytes in the pipe to stay there") SAW("fewer"));
	n = perform(s, prepare(s, 0, IO_WRITE, ends[1], 0, 0, 5));
	expect(n == -ESPIPE, WHEN("a write at position 0 of a pipe") EXPECTED("-ESPIPE") SAW("%s"),
	       answer(n));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Exercise 3. */

#define SIGNALS 5

static void *interrupt_then_send(void *argument)
{
	struct bystander *b = argument;
	for (unsigned i = 0; i < b->signals; i++) {
		wait_until_asleep(b->sleeper_tid);
		interrupt(b);
	}
	wait_until_asleep(b->sleeper_tid);
	peer_sends(b->fd, "at last", 7);
	return NULL;
}

static void waits_on_after_signals(struct subject *s, unsigned signals)
{
	struct bystander b = { .signals = signals };
	int ends[2];
	handle_signals();
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct io_op *op = prepare_in(s, 0, ends[0], 0);
	bystander_begin(&b, ends[1], interrupt_then_send);
	int64_t n = perform(s, op); /* reap() fails the test when it is -EINTR */
	bystander_end(&b);
	expect(n == 7 && memcmp(buffer_of(s, 0), "at last", 7) == 0,
	       EXPECTED("the 7 bytes that came after %u signals") SAW("%s"), signals, answer(n));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

static void waits_on_after_a_signal(struct subject *s)
{
	waits_on_after_signals(s, SIGNALS);
}

/* As often as it takes: there is no number after which it is enough. */
static void waits_on_after_3000_signals(struct subject *s)
{
	waits_on_after_signals(s, 3000);
}

static void calls_again_once_a_signal(struct subject *s)
{
	struct bystander b = { .signals = SIGNALS };
	int ends[2];
	handle_signals();
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct io_op *op = prepare_in(s, 0, ends[0], 0);
	calls_reset();
	bystander_begin(&b, ends[1], interrupt_then_send);
	perform(s, op);
	bystander_end(&b);
	unsigned calls = calls_made(NULL);
	expect(calls == SIGNALS + 1,
	       EXPECTED("%u system calls, one and one more for each signal") SAW("%u"), SIGNALS + 1,
	       calls);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

#define PIPE_PAGES 4

/* Wakes the writer; should it sleep again, makes room so that the test can end. */
static void *interrupt_a_writer(void *argument)
{
	struct bystander *b = argument;
	char bytes[BLOCK];
	wait_until_asleep(b->sleeper_tid);
	interrupt(b);
	b->slept_again = sleeps_before_it_is_done(b);
	for (unsigned i = 0; b->slept_again && i < PIPE_PAGES; i++)
		expect(read(b->fd, bytes, sizeof bytes) > 0, "the test itself cannot read");
	return NULL;
}

/* There is room for half of a write, and then comes a signal: half is the result. */
static void takes_a_short_write_for_a_result(struct subject *s)
{
	struct bystander b = { 0 };
	int ends[2];
	char bytes[BLOCK] = "";
	handle_signals();
	make_writing_pair(s, ends);
	if (fcntl(ends[0], F_SETPIPE_SZ, PIPE_PAGES * BLOCK) != PIPE_PAGES * BLOCK)
		test_skipped("pages here are not of 4 KiB, so a pipe has another size");
	for (unsigned i = 0; i < PIPE_PAGES - 1; i++)
		peer_sends(ends[0], bytes, sizeof bytes);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct io_op *op = prepare(s, 0, IO_WRITE, ends[0], 0, IO_NO_OFFSET, 2 * BLOCK);
	bystander_begin(&b, ends[1], interrupt_a_writer);
	int64_t n = perform(s, op);
	bystander_end(&b);
	expect(n == BLOCK,
	       EXPECTED("the %u bytes that were written before the signal as a result") SAW("%s"),
	       BLOCK, answer(n));
	expect(!b.slept_again, EXPECTED("submit() to return after a short write")
				       SAW("it write on and sleep again"));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Exercise 4. */

/* Speaks on the second connection once the engine sleeps, and sees whether the first is back. */
static void *speak_when_waited_for(void *argument)
{
	struct bystander *b = argument;
	if (!sleeps_before_it_is_done(b))
		return NULL;
	b->was_withheld = !atomic_load(&b->first_is_back);
	peer_sends(b->fd, "second", 6);
	return NULL;
}

static void hands_out_what_is_done_before_it_waits(struct subject *s)
{
	struct bystander b = { 0 };
	int first[2], second[2];
	struct io_op *ops[2], *done[2];
	make_reading_pair(s, first);
	make_reading_pair(s, second);
	open_engine(s, 2, 2);
	attach(s, 0, first[0]);
	attach(s, 1, second[0]);
	ops[0] = prepare_in(s, 0, first[0], 0);
	ops[1] = prepare_in(s, 1, second[0], 1);
	peer_sends(first[1], "first", 5);
	struct pollfd arrives = { .fd = first[0], .events = POLLIN };
	expect(poll(&arrives, 1, 2000) == 1, "the test's own message does not arrive");
	bystander_begin(&b, second[1], speak_when_waited_for);
	unsigned offered = 0, back = 0;
	for (unsigned turns = 0; back < 2 && turns < 10; turns++) {
		int n = offered < 2 ? s->ops->submit(s->engine, ops + offered, 2 - offered) : 0;
		expect(n >= 0 && (unsigned)n <= 2 - offered,
		       EXPECTED("a count up to the %u offered from submit()") SAW("%s"),
		       2 - offered, answer(n));
		for (int i = 0; i < n; i++)
			ops[offered + (unsigned)i]->in_flight = 1;
		s->inflight += (unsigned)n;
		offered += (unsigned)n;
		back += reap(s, done, 0, 2, 0);
		if (offered > 0 && !ops[0]->in_flight)
			atomic_store(&b.first_is_back, 1);
	}
	bystander_end(&b);
	expect(back == 2, EXPECTED("both receives back") SAW("%u"), back);
	expect(ops[0]->result == 5 && ops[1]->result == 6,
	       EXPECTED("5 and 6 bytes") SAW("%s and %s"), answer(ops[0]->result),
	       answer(ops[1]->result));
	expect(!b.was_withheld,
	       EXPECTED("the first receive from reap() before the engine waits in the second")
		       SAW("it withheld until the second's peer spoke"));
	close_engine(s);
	for (unsigned i = 0; i < 2; i++) {
		close(first[i]);
		close(second[i]);
	}
}

/* Offered once more before anything was reaped: refused or accepted, nothing may be forgotten. */
static void forgets_nothing_unreaped(struct subject *s)
{
	struct io_op *done[4];
	int fd = make_file(s, 4 * BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	unsigned accepted = 0, back = 0;
	for (unsigned slot = 0; slot < 4; slot++) {
		struct io_op *op = prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * slot, BLOCK);
		int n = s->ops->submit(s->engine, &op, 1);
		expect(n == 0 || n == 1, EXPECTED("0 or 1 from submit()") SAW("%s"), answer(n));
		op->in_flight = (uint8_t)n;
		accepted += (unsigned)n;
		s->inflight += (unsigned)n;
	}
	for (unsigned tries = 0; back < accepted && tries < 8; tries++)
		back += reap(s, done, 0, 4, 0);
	expect(back == accepted, EXPECTED("the %u operations back that were accepted") SAW("%u"),
	       accepted, back);
	unsigned n = reap(s, done, 0, 4, 0);
	expect(n == 0, EXPECTED("nothing more from reap()") SAW("%u"), n);
	close_engine(s);
	close(fd);
}

#define TEST(exercise_, name_, flavours_, run_, calls_)                                            \
	{                                                                                          \
		.name = name_, .exercise = exercise_, .engine = "blocking", .flavours = flavours_, \
		.run = run_, .allowed_calls = calls_                                               \
	}

#define FILE_TEST(exercise, name, flavours, run)   TEST(exercise, name, flavours, run, FILE_CALLS)
#define STREAM_TEST(exercise, name, flavours, run) TEST(exercise, name, flavours, run, STREAM_CALLS)

const struct lab_test lab_tests[] = {
	FILE_TEST(1, "reads_the_right_blocks", FILES, file_read_right_data),
	FILE_TEST(1, "writes_the_right_blocks", FILES, file_write_right_data),
	FILE_TEST(1, "reads_up_to_the_end", FILES, file_read_across_end),
	FILE_TEST(1, "makes_one_call_for_a_block", ONE(BUFFERED), makes_one_call_for_a_block),
	FILE_TEST(1, "leaves_the_position_alone", ONE(BUFFERED), leaves_the_position_alone),
	FILE_TEST(1, "keeps_all_bits_of_an_offset", ONE(BUFFERED), file_offsets_beyond_4_gib),
	FILE_TEST(1, "keeps_all_bits_of_a_length", ONE(BUFFERED), file_lengths_beyond_2_gib),
	FILE_TEST(1, "writes_up_to_a_limit", ONE(BUFFERED), file_write_up_to_a_limit),
	FILE_TEST(1, "moves_zero_bytes", FILES, file_zero_bytes),
	FILE_TEST(1, "asks_for_zero_bytes_too", ONE(BUFFERED), file_zero_bytes_that_fail),
	FILE_TEST(1, "serves_descriptor_0", ONE(BUFFERED), descriptor_0_is_served),
	FILE_TEST(1, "keeps_two_engines_apart", ONE(BUFFERED), two_engines_on_files),
	FILE_TEST(1, "touches_only_result_and_next", FILES, result_is_all_that_is_written),
	FILE_TEST(1, "syncs", ONE(BUFFERED), file_sync),
	FILE_TEST(1, "tells_a_sync_that_fails", ONE(BUFFERED), file_sync_that_fails),
	FILE_TEST(1, "syncs_as_it_was_asked", ONE(BUFFERED), syncs_as_it_was_asked),
	FILE_TEST(1, "tells_a_bad_descriptor", ONE(BUFFERED), file_bad_descriptor),
	FILE_TEST(1, "tells_a_descriptor_that_only_reads", ONE(BUFFERED), file_write_to_read_only),
	FILE_TEST(1, "tells_a_bad_offset", ONE(BUFFERED), file_bad_offset),
	FILE_TEST(1, "tells_a_misaligned_buffer", ONE(DIRECT), file_misaligned_direct),
	FILE_TEST(1, "is_over_when_submit_returns", ONE(BUFFERED), is_over_when_submit_returns),
	FILE_TEST(1, "opens_and_closes_again", ONE(BUFFERED), opens_and_closes_again),
	FILE_TEST(1, "opens_without_memory_or_says_why_not", ONE(BUFFERED), open_without_memory),
	FILE_TEST(1, "open_tells_what_fails", ONE(BUFFERED), open_tells_what_fails),
	FILE_TEST(1, "supports_or_says_why", ONE(BUFFERED), supports_or_says_why),
	FILE_TEST(1, "supports_tells_what_fails", ONE(BUFFERED), supports_tells_what_fails),
	FILE_TEST(1, "says_what_it_can_do", ONE(BUFFERED), says_what_it_can_do),
	FILE_TEST(1, "tells_that_there_is_no_call", ONE(NO_FD), tells_that_there_is_no_call),
	STREAM_TEST(1, "reads_a_pipe", ONE(PIPE), stream_receives_what_is_there),
	STREAM_TEST(1, "returns_what_is_there", ONE(PIPE), returns_what_is_there),
	STREAM_TEST(1, "returns_what_is_there_for_any_length", ONE(PIPE),
		    returns_what_is_there_for_any_length),
	STREAM_TEST(1, "serves_descriptor_0", ONE(PIPE), descriptor_0_is_served),
	STREAM_TEST(1, "reads_more_in_the_next_call", ONE(PIPE), stream_receives_in_full_buffers),
	STREAM_TEST(1, "writes_a_pipe", ONE(PIPE), stream_sends_right_data),
	FILE_TEST(1, "a_pipe_has_no_position", ONE(PIPE), a_pipe_has_no_position),
	STREAM_TEST(1, "sees_the_end", ONE(PIPE), stream_end_of_file),
	STREAM_TEST(1, "survives_a_full_buffer", ONE(PIPE), stream_survives_a_full_buffer),
	STREAM_TEST(1, "writes_to_nobody_and_says_so", ONE(PIPE), stream_send_to_nobody),

	STREAM_TEST(2, "receives_what_is_there", SOCKETS, stream_receives_what_is_there),
	STREAM_TEST(2, "returns_what_is_there", SOCKETS, returns_what_is_there),
	STREAM_TEST(2, "returns_what_is_there_for_any_length", SOCKETS,
		    returns_what_is_there_for_any_length),
	STREAM_TEST(2, "gives_up_when_the_socket_does", SOCKETS,
		    socket_receive_timeout_is_an_error),
	STREAM_TEST(2, "leaves_signals_alone", SOCKETS, leaves_signals_alone),
	STREAM_TEST(2, "leaves_options_alone", SOCKETS, socket_options_stay),
	STREAM_TEST(2, "serves_descriptor_0", SOCKETS, descriptor_0_is_served),
	STREAM_TEST(2, "keeps_two_engines_apart", SOCKETS, two_engines_on_streams),
	STREAM_TEST(2, "touches_only_result_and_next", SOCKETS, result_is_all_that_is_written),
	STREAM_TEST(2, "moves_zero_bytes", STREAMS, stream_zero_bytes),
	STREAM_TEST(2, "receives_more_in_the_next_call", SOCKETS, stream_receives_in_full_buffers),
	STREAM_TEST(2, "sends_what_it_is_given", SOCKETS, stream_sends_right_data),
	STREAM_TEST(2, "holds_no_byte_back", ONE(TCP), tcp_sends_are_on_their_way),
	STREAM_TEST(2, "makes_one_call_for_a_message", SOCKETS, makes_one_call_for_a_message),
	STREAM_TEST(2, "sleeps_until_the_peer_speaks", STREAMS, sleeps_until_the_peer_speaks),
	STREAM_TEST(2, "wakes_when_the_peer_closes", STREAMS, wakes_when_the_peer_closes),
	STREAM_TEST(2, "sees_the_end", SOCKETS, stream_end_of_file),
	STREAM_TEST(2, "tells_a_reset", ONE(TCP), tcp_reset),
	STREAM_TEST(2, "tells_a_reset_to_a_send", ONE(TCP), tcp_reset_before_a_send),
	STREAM_TEST(2, "sends_to_nobody_and_lives", SOCKETS, stream_send_to_nobody),
	STREAM_TEST(2, "survives_a_full_buffer", SOCKETS, stream_survives_a_full_buffer),
	STREAM_TEST(2, "leaves_descriptors_blocking", SOCKETS, stream_stays_blocking),
	STREAM_TEST(2, "serves_a_number_used_again", ONE(TCP), stream_slot_is_used_again),
	STREAM_TEST(2, "accepts_who_waits", SOCKETS, accept_takes_who_waits),
	STREAM_TEST(2, "accepts_descriptor_0", SOCKETS, accept_returns_descriptor_0),
	STREAM_TEST(2, "tells_that_it_is_no_listener", ONE(TCP), accept_on_no_listener),
	STREAM_TEST(2, "connects_to_a_listener", SOCKETS, connect_reaches_a_listener),
	STREAM_TEST(2, "tells_that_nobody_listens", SOCKETS, connect_to_nobody),
	STREAM_TEST(2, "cancels_nothing", ONE(TCP), cancel_with_nothing_in_flight),

	STREAM_TEST(3, "waits_on_after_a_signal", STREAMS, waits_on_after_a_signal),
	STREAM_TEST(3, "waits_on_after_3000_signals", ONE(TCP) | ONE(PIPE),
		    waits_on_after_3000_signals),
	STREAM_TEST(3, "calls_again_once_a_signal", ONE(TCP), calls_again_once_a_signal),
	STREAM_TEST(3, "takes_a_short_write_for_a_result", ONE(PIPE),
		    takes_a_short_write_for_a_result),
	STREAM_TEST(3, "survives_many_signals", ONE(TCP) | ONE(PIPE), stream_survives_signals),
	FILE_TEST(3, "files_tell_what_fails", ONE(BUFFERED), file_tells_what_fails),
	STREAM_TEST(3, "tells_what_fails", ONE(UNIX) | ONE(PIPE), stream_tells_what_fails),
	STREAM_TEST(3, "connections_tell_what_fails", ONE(TCP), connections_tell_what_fails),

	STREAM_TEST(4, "hands_out_what_is_done_before_it_waits", STREAMS,
		    hands_out_what_is_done_before_it_waits),
	FILE_TEST(4, "forgets_nothing_unreaped", ONE(BUFFERED), forgets_nothing_unreaped),
	FILE_TEST(4, "fills_its_depth", ONE(BUFFERED), file_fills_its_depth),
	FILE_TEST(4, "keeps_min_and_max", ONE(BUFFERED), reap_keeps_min_and_max),
	FILE_TEST(4, "loses_nothing_on_cancel", ONE(BUFFERED), file_cancel),
	THE_REST_OF_THE_CONTRACT(4, "blocking", FILES | STREAMS, WAITING | LENDING),
	{ NULL },
};
