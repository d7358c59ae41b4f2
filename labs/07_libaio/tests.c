/* SPDX-License-Identifier: MIT */
/* Lab 07: what an engine on Linux native AIO must do, and by which system calls. */
#include "lab_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "failing_calls.h"

#define BLOCK 4096u

/* The interface, as words for allowed_calls and calls_made(). */
#define AIO_WAITS   "io_getevents io_pgetevents "
#define EPOLL_WAITS "epoll_wait epoll_pwait epoll_pwait2 "
#define OF_FILES    "io_submit io_cancel " AIO_WAITS
#define OF_STREAMS  "recvfrom recvmsg sendto sendmsg read readv write writev accept accept4 connect "
#define STREAMING   OF_FILES OF_STREAMS
#define BY_EPOLL    "io_submit io_cancel epoll_ctl " EPOLL_WAITS OF_STREAMS

/* Nothing happens for this long, and the engine should make next to no calls. */
#define IDLE_NS	       (30 * NS_PER_MS)
#define IDLE_CALLS_MAX 8

#define PATIENCE_NS (2 * NS_PER_S)

static void expect_block(struct subject *s, const struct io_op *op)
{
	expect(op->result == BLOCK, EXPECTED("%u bytes of the block at %llu") SAW("%s"), BLOCK,
	       (unsigned long long)op->offset, answer(op->result));
	for (unsigned i = 0; i < BLOCK; i++)
		expect(buffer_of(s, op->slot)[i] == pattern_byte(op->offset + i),
		       EXPECTED("the block at %llu") SAW("another byte at %u of it"),
		       (unsigned long long)op->offset, i);
}

/* A read of block `block`, over a buffer that holds something else. */
static struct io_op *block_read(struct subject *s, unsigned slot, int fd, unsigned block)
{
	memset(buffer_of(s, slot), 0x55, BLOCK);
	return prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * block, BLOCK);
}

/* The kernel is what works on: a thread that made blocking calls would look the same from outside. */
static void expect_no_thread(void)
{
	unsigned threads = threads_started();
	expect(threads == 0, EXPECTED("the engine to start no thread") SAW("%u started"), threads);
}

/* Exercise 1: ask, and take the answer. */

/* Each read and each sync goes through the interface, and through nothing else. */
static void asks_by_io_submit(struct subject *s)
{
	const unsigned reads = 40;
	int fd = make_file(s, 16 * BLOCK, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	calls_reset();
	for (unsigned i = 0; i < reads; i++) {
		perform(s, block_read(s, 0, fd, i % 16));
		expect_block(s, &s->op[0]);
	}
	int64_t n = perform(s, prepare(s, 0, IO_FSYNC, fd, 0, 0, 0));
	expect(n == 0, EXPECTED("0 from a sync") SAW("%s"), answer(n));
	unsigned submits = calls_made("io_submit");
	expect(submits == reads + 1,
	       EXPECTED("one io_submit for each of %u operations, offered one by one") SAW("%u"),
	       reads + 1, submits);
	expect_no_thread();
	close_engine(s);
	close(fd);
}

/*
 * Which command the newest request brought. libaio's function of this name is this one in the test
 * program, so each request comes through here on its way to the kernel.
 */
static _Thread_local int newest_command = -1;

/* Descriptors of the requests that the kernel took, in their order; the test begins with none. */
#define HANDED_MOST 8u
static _Thread_local unsigned handed_count;
static _Thread_local int handed_fds[HANDED_MOST];

static int note_handed(int taken, struct iocb **requests)
{
	for (int i = 0; i < taken && handed_count < HANDED_MOST; i++)
		handed_fds[handed_count++] = requests[i]->aio_fildes;
	return taken;
}

/* As long as it is true the kernel has no room for a request. */
static bool no_room;

static int submit_to_mock(long count, struct iocb **requests);
static bool mock_is_on;

/* libaio returns -errno, and leaves errno as it was. */
static int answer_of_libaio(long n, int errno_before)
{
	int answer = n < 0 ? -errno : (int)n;
	errno = errno_before;
	return answer;
}

int io_submit(io_context_t context, long count, struct iocb **requests)
{
	int errno_before = errno;
	if (count > 0 && requests && requests[0])
		newest_command = requests[0]->aio_lio_opcode;
	if (mock_is_on)
		return submit_to_mock(count, requests);
	if (__atomic_load_n(&no_room, __ATOMIC_RELAXED))
		return -EAGAIN;
	return note_handed(
		answer_of_libaio(syscall(SYS_io_submit, context, count, requests), errno_before),
		requests);
}

/* Both end with 0, and a disk that is slow or a machine that loses its power tells them apart. */
static void each_sync_has_its_command(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	for (unsigned i = 0; i < 4; i++) {
		enum io_kind kind = i % 2 ? IO_FDATASYNC : IO_FSYNC;
		int command = i % 2 ? IO_CMD_FDSYNC : IO_CMD_FSYNC;
		newest_command = -1;
		perform(s, prepare(s, 0, kind, fd, 0, 0, 0));
		if (newest_command == -1)
			test_skipped("the engine does not call libaio's io_submit()");
		expect(newest_command == command, WHEN("%s") EXPECTED("command %d") SAW("%d"),
		       kind_name(kind), command, newest_command);
	}
	close_engine(s);
	close(fd);
}

/* Exercise 2: one call a batch, and what it refuses. */

#define BATCH 32u

static void one_call_a_batch(struct subject *s)
{
	struct io_op *ops[BATCH];
	int fd = make_file(s, BATCH * BLOCK, O_RDONLY);
	open_engine(s, BATCH, 1);
	attach(s, 0, fd);
	calls_reset();
	for (unsigned i = 0; i < BATCH; i++)
		ops[i] = block_read(s, i, fd, i);
	start_all(s, ops, BATCH);
	await_all(s);
	unsigned submits = calls_made("io_submit");
	for (unsigned i = 0; i < BATCH; i++)
		expect_block(s, ops[i]);
	expect(submits == 1,
	       EXPECTED("one io_submit for %u reads that were offered together") SAW("%u"), BATCH,
	       submits);
	close_engine(s);
	close(fd);
}

/*
 * io_submit stops at a request that it refuses: here of a descriptor that is only for writing, in
 * the places of `refused`. The others go on, and cost no call each.
 */
static void a_refusal_stops_no_other(struct subject *s)
{
	static const unsigned refused[] = { 0, 3, 4, 7 };
	struct io_op *ops[8];
	int fd = make_file(s, 8 * BLOCK, O_RDONLY);
	int writer = make_file(s, 8 * BLOCK, O_WRONLY);
	open_engine(s, 8, 2);
	attach(s, 0, fd);
	attach(s, 1, writer);
	for (unsigned i = 0; i < 8; i++)
		ops[i] = block_read(s, i, fd, i);
	for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++)
		ops[refused[i]] = prepare(s, refused[i], IO_READ, writer, 1, 0, BLOCK);
	calls_reset();
	start_all(s, ops, 8);
	await_all(s);
	unsigned submits = calls_made("io_submit");
	for (unsigned i = 0; i < 8; i++)
		if (ops[i]->fd == writer)
			expect(ops[i]->result == -EBADF,
			       EXPECTED("-EBADF from a read of what is only for writing") SAW("%s"),
			       answer(ops[i]->result));
		else
			expect_block(s, ops[i]);
	expect(submits <= 6,
	       EXPECTED("at most 6 io_submit: one for each of 4 refusals and 2 runs between them")
		       SAW("%u"),
	       submits);
	close_engine(s);
	close(fd);
	close(writer);
}

/* A second read meets EAGAIN while a first is still to be reaped: it waits, and ends well. */
static void no_room_is_no_result(struct subject *s)
{
	int fd = make_file(s, 8 * BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	for (unsigned round = 0; round < 3; round++) {
		struct io_op *ops[3];
		start(s, block_read(s, 0, fd, round));
		reap(s, NULL, 0, 0, 0); /* an engine may put io_submit off until now */
		fail_call("io_submit", EAGAIN, 0);
		for (unsigned i = 0; i < 3; i++)
			ops[i] = block_read(s, 1 + i, fd, round + 1 + i);
		start_all(s, ops, 3);
		unsigned more = calls_after_failure();
		expect(more == 0,
		       EXPECTED("submit() to leave it at EAGAIN, since only reap() makes room")
			       SAW("%u calls more"),
		       more);
		await_all(s);
		expect(call_failed(), EXPECTED("io_submit for the next reads") SAW("none"));
		for (unsigned slot = 0; slot < 4; slot++)
			expect_block(s, &s->op[slot]);
	}
	close_engine(s);
	close(fd);
}

/* What is left behind a part that was taken and a refusal meets EAGAIN, and waits in its order. */
static void no_room_behind_a_refusal(struct subject *s)
{
	struct io_op *ops[6];
	int fd = make_file(s, 8 * BLOCK, O_RDONLY);
	int writer = make_file(s, 8 * BLOCK, O_WRONLY);
	open_engine(s, 6, 2);
	attach(s, 0, fd);
	attach(s, 1, writer);
	for (unsigned i = 0; i < 6; i++)
		ops[i] = block_read(s, i, fd, i);
	ops[2] = prepare(s, 2, IO_READ, writer, 1, 0, BLOCK);
	fail_call("io_submit", EAGAIN, 2);
	start_all(s, ops, 6);
	await_all(s);
	expect(call_failed(),
	       EXPECTED("io_submit again for what stood behind a refusal") SAW("no such call"));
	for (unsigned i = 0; i < 6; i++)
		if (i != 2)
			expect_block(s, ops[i]);
	expect(ops[2]->result == -EBADF,
	       EXPECTED("-EBADF from a read of what is only for writing") SAW("%s"),
	       answer(ops[2]->result));
	close_engine(s);
	close(fd);
	close(writer);
}

/* Nothing is under way that could make room. To wait for it would be for ever. */
static void no_room_ever_is_a_result(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	perform(s, block_read(s, 0, fd, 0)); /* what is over makes no room any more */
	expect_block(s, &s->op[0]);
	fail_call("io_submit", EAGAIN, 0);
	int64_t n = perform(s, block_read(s, 0, fd, 0));
	expect(call_failed(), EXPECTED("io_submit for a read") SAW("none"));
	expect(n == -EAGAIN,
	       EXPECTED("-EAGAIN when nothing is in flight that could make room") SAW("%s"),
	       answer(n));
	perform(s, block_read(s, 0, fd, 0));
	expect_block(s, &s->op[0]);
	close_engine(s);
	close(fd);
}

/* A request that failed is as much over as another one, and no room will come from it. */
static void what_failed_makes_no_room(struct subject *s)
{
	int fd = make_file(s, 2 * BLOCK, O_RDONLY);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	int64_t n = perform(s, prepare(s, 0, IO_READ, fd, 0, 1, BLOCK));
	if (n >= 0)
		test_skipped("this file system reads with O_DIRECT from any offset");
	fail_call("io_submit", EAGAIN, 0);
	n = perform(s, block_read(s, 0, fd, 0));
	expect(call_failed(), EXPECTED("io_submit for a read") SAW("none"));
	expect(n == -EAGAIN,
	       WHEN("a request has failed, and nothing is in flight that could make room")
		       EXPECTED("-EAGAIN") SAW("%s"),
	       answer(n));
	close_engine(s);
	close(fd);
}

static void a_signal_is_no_result(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	for (unsigned i = 0; i < 3; i++) {
		fail_call("io_submit", EINTR, 0);
		perform(s, block_read(s, 0, fd, 0));
		expect(call_failed(), EXPECTED("io_submit for a read") SAW("none"));
		expect_block(s, &s->op[0]);
	}
	close_engine(s);
	close(fd);
}

/* Exercise 3: the ring. */

/*
 * A read from the page cache is over when io_submit returns. Its event lies in the ring, so no call
 * is left to make. More reads than the ring has places go round it several times.
 */
static void takes_what_is_there_without_a_call(struct subject *s)
{
	const unsigned rounds = 400;
	struct io_op *ops[4], *done[4];
	int fd = make_file(s, 64 * BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	calls_reset();
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < 4; i++)
			ops[i] = block_read(s, i, fd, (round + 7 * i) % 64);
		start_all(s, ops, 4);
		unsigned n = reap(s, done, 4, 4, PATIENCE_NS);
		expect(n == 4, EXPECTED("4 reads back") SAW("%u"), n);
		for (unsigned i = 0; i < 4; i++)
			expect_block(s, ops[i]);
	}
	unsigned waits = calls_made(AIO_WAITS), submits = calls_made("io_submit");
	expect(waits == 0,
	       EXPECTED("no io_getevents for what lies in the ring") SAW("%u in %u rounds"), waits,
	       rounds);
	expect(submits == rounds, EXPECTED("%u io_submit") SAW("%u"), rounds, submits);
	close_engine(s);
	close(fd);
}

/*
 * A kernel of the test's own, a thread. The context *is* the ring's address, so the ring may be a page of
 * the test's. Nothing but the ring's head and tail orders the two threads, so that ThreadSanitizer sees
 * what these leave open: io_submit() hands over by words without an order.
 */
#define MOCK_PLACES 4u /* so that the kernel overwrites a place soon: one of them stays empty */
#define MOCK_DEPTH  8u
#define MOCK_EVENTS 1500u

struct mock_ring { /* fs/aio.c, struct aio_ring */
	unsigned id, size, head, tail, magic, compat_features, incompat_features, header_bytes;
	struct io_event events[MOCK_PLACES];
};

static struct {
	struct mock_ring ring __attribute__((aligned(4096)));
	struct iocb *requests[MOCK_DEPTH]; /* the nth at n % MOCK_DEPTH */
	void *data[MOCK_DEPTH];
	unsigned submitted;
	bool enough;
} mock;

static long mock_result(unsigned nth)
{
	return 1 + (long)(nth * 7919u % 4000u);
}

int io_setup(int depth, io_context_t *context)
{
	int errno_before = errno;
	if (!mock_is_on)
		return answer_of_libaio(syscall(SYS_io_setup, depth, context), errno_before);
	mock.ring = (struct mock_ring) { .size = MOCK_PLACES,
					 .magic = 0xa10a10a1,
					 .compat_features = 1,
					 .header_bytes = offsetof(struct mock_ring, events) };
	*context = (io_context_t)&mock.ring;
	return 0;
}

int io_destroy(io_context_t context)
{
	int errno_before = errno;
	return mock_is_on ? 0 : answer_of_libaio(syscall(SYS_io_destroy, context), errno_before);
}

static int submit_to_mock(long count, struct iocb **requests)
{
	for (long i = 0; i < count; i++) {
		unsigned nth = mock.submitted;
		__atomic_store_n(&mock.requests[nth % MOCK_DEPTH], requests[i], __ATOMIC_RELAXED);
		__atomic_store_n(&mock.data[nth % MOCK_DEPTH], requests[i]->data, __ATOMIC_RELAXED);
		__atomic_store_n(&mock.submitted, nth + 1, __ATOMIC_RELAXED);
	}
	return (int)count;
}

/* Where each thread's newest io_getevents was to put what it brings. */
static _Thread_local struct io_event *given_place;
static _Thread_local long given_room;

/* The kernel takes events as an engine does, and a wait for what is not there yet ends as by a signal. */
int io_getevents(io_context_t context, long min, long max, struct io_event *events,
		 struct timespec *limit)
{
	int errno_before = errno;
	given_place = events;
	given_room = max;
	/* As libaio does: a look at a ring that is empty is no system call. */
	bool looks = limit && limit->tv_sec == 0 && limit->tv_nsec == 0;
	const struct mock_ring *ring = (const struct mock_ring *)context;
	if (!mock_is_on && looks && ring->head == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE))
		return 0;
	if (!mock_is_on)
		return answer_of_libaio(syscall(SYS_io_getevents, context, min, max, events, limit),
					errno_before);
	long n = 0;
	unsigned head = mock.ring.head;
	for (; n < max && head != __atomic_load_n(&mock.ring.tail, __ATOMIC_ACQUIRE); n++) {
		events[n] = mock.ring.events[head];
		head = (head + 1) % MOCK_PLACES;
		__atomic_store_n(&mock.ring.head, head, __ATOMIC_RELEASE);
	}
	sched_yield();
	return n == 0 && min > 0 ? -EINTR : (int)n;
}

/* fs/aio.c, aio_complete(): the event, and then the tail. */
static void *complete_all(void *unused)
{
	(void)unused;
	unsigned tail = 0;
	for (unsigned nth = 0; nth < MOCK_EVENTS;) {
		unsigned next = (tail + 1) % MOCK_PLACES;
		if (nth == __atomic_load_n(&mock.submitted, __ATOMIC_RELAXED) ||
		    next == __atomic_load_n(&mock.ring.head, __ATOMIC_ACQUIRE)) {
			if (__atomic_load_n(&mock.enough, __ATOMIC_RELAXED))
				break;
			sched_yield();
			continue;
		}
		void **data = &mock.data[nth % MOCK_DEPTH];
		struct iocb **request = &mock.requests[nth % MOCK_DEPTH];
		mock.ring.events[tail] =
			(struct io_event) { .data = __atomic_load_n(data, __ATOMIC_RELAXED),
					    .obj = __atomic_load_n(request, __ATOMIC_RELAXED),
					    .res = (unsigned long)mock_result(nth) };
		__atomic_store_n(&mock.ring.tail, tail = next, __ATOMIC_RELEASE);
		nth++;
	}
	return unused;
}

/* Reads of a file, which the mock answers in their order, each with a length of its own. */
static void take_from_mock(struct subject *s, int fd)
{
	struct io_op *done[MOCK_DEPTH];
	unsigned started = 0, ended = 0, wrong = 0;
	uint64_t deadline_ns = clock_ns() + 20 * (uint64_t)NS_PER_S;
	while (ended < MOCK_EVENTS && clock_ns() < deadline_ns) {
		for (; started < MOCK_EVENTS && started - ended < MOCK_DEPTH; started++)
			start(s, prepare(s, started % MOCK_DEPTH, IO_READ, fd, 0, 0, BLOCK));
		unsigned n = reap(s, done, 1, MOCK_DEPTH, PATIENCE_NS);
		for (unsigned i = 0; i < n; i++, ended++)
			wrong += done[i]->slot != ended % MOCK_DEPTH ||
				 done[i]->result != mock_result(ended);
	}
	__atomic_store_n(&mock.enough, true, __ATOMIC_RELAXED);
	expect(ended == MOCK_EVENTS, EXPECTED("%u events out of the ring in 20 s") SAW("%u"),
	       MOCK_EVENTS, ended);
	expect(wrong == 0,
	       EXPECTED("each event whole when the tail shows it, and read before the head gives "
			"its place back") SAW("%u that were not"),
	       wrong);
}

static void sees_whole_events(struct subject *s)
{
	pthread_t kernel;
	int fd = make_file(s, BLOCK, O_RDONLY);
	mock_is_on = true;
	open_engine(s, MOCK_DEPTH, 1);
	if (mock.ring.size == 0) {
		mock_is_on = false;
		close_engine(s);
		test_skipped("the engine does not call libaio's io_setup()");
	}
	attach(s, 0, fd);
	expect(pthread_create(&kernel, NULL, complete_all, NULL) == 0, "the test has no thread");
	take_from_mock(s, fd);
	pthread_join(kernel, NULL);
	close_engine(s);
	mock_is_on = false;
	close(fd);
}

/* What lies in the ring counts for a wait: only what is missing is waited for. */
static void waits_only_for_what_is_missing(struct subject *s)
{
	int ends[2];
	struct io_op *done[4];
	make_reading_pair(s, ends);
	int fd = make_file(s, 4 * BLOCK, O_RDONLY);
	open_engine(s, 4, 2);
	attach(s, 0, ends[0]);
	attach(s, 1, fd);
	peer_sends(ends[1], "x", 1);
	start(s, prepare_receive(s, 3, ends[0], 0));
	for (unsigned i = 0; i < 3; i++) {
		memset(buffer_of(s, i), 0x55, BLOCK);
		start(s, prepare(s, i, IO_READ, fd, 1, (uint64_t)BLOCK * i, BLOCK));
	}
	unsigned n = reap(s, done, 4, 4, PATIENCE_NS);
	expect(n == 4, EXPECTED("3 reads and a receive back") SAW("%u"), n);
	for (unsigned i = 0; i < 3; i++)
		expect_block(s, &s->op[i]);
	expect(s->op[3].result == 1, EXPECTED("1 byte") SAW("%s"), answer(s->op[3].result));
	close_engine(s);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

/* Exercise 4: sockets. */

/* A thread of the test's own that speaks while reap() waits. */
struct late_speaker {
	pthread_t thread;
	int fd;
};

static void *speak_late(void *argument)
{
	const struct late_speaker *speaker = argument;
	struct timespec pause = timespec_of_ns(IDLE_NS);
	nanosleep(&pause, NULL);
	if (write(speaker->fd, "!", 1) != 1)
		note("peer     cannot write");
	return NULL;
}

/* A receive waits while nothing happens, and the engine sleeps. Returns how many calls it made. */
static unsigned calls_while_idle(struct subject *s, struct io_op *op, int peer_fd)
{
	struct late_speaker speaker = { .fd = peer_fd };
	calls_reset();
	start(s, op);
	expect(pthread_create(&speaker.thread, NULL, speak_late, &speaker) == 0,
	       "the test has no thread");
	struct io_op *done[1];
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	pthread_join(speaker.thread, NULL);
	expect(n == 1, EXPECTED("the receive to end when its peer spoke")
			       SAW("an engine that slept on until its time was over"));
	unsigned calls = calls_made(NULL);
	expect(op->result == 1, EXPECTED("1 byte") SAW("%s"), answer(op->result));
	return calls;
}

static void sleeps_until_the_peer_speaks(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	unsigned calls = calls_while_idle(s, prepare_receive(s, 0, ends[0], 0), ends[1]);
	unsigned submits = calls_made("io_submit");
	expect(calls <= IDLE_CALLS_MAX,
	       EXPECTED("at most %d system calls for one receive that waits") SAW("%u"),
	       IDLE_CALLS_MAX, calls);
	expect(submits == 1, EXPECTED("one io_submit for one receive") SAW("%u"), submits);
	expect_no_thread();
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Says a word once the engine's thread sleeps. */
struct word_in_time {
	pthread_t thread;
	int sleeper_tid, fd;
};

static void *speak_to_the_sleeper(void *argument)
{
	const struct word_in_time *word = argument;
	wait_until_asleep(word->sleeper_tid);
	peer_sends(word->fd, "second", 6);
	return NULL;
}

/* Two dups of one socket are both ready; the first receive takes all, the second finds nothing. */
static void false_alarm_goes_on_waiting(struct subject *s)
{
	int ends[2];
	struct io_op *done[2];
	make_pair(s, ends);
	int twin = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	open_engine(s, 2, 2);
	attach(s, 0, ends[0]);
	attach(s, 1, twin);
	start(s, prepare_receive(s, 0, ends[0], 0));
	start(s, prepare_receive(s, 1, twin, 1));
	peer_sends(ends[1], "first", 5);
	unsigned n = reap(s, done, 1, 2, PATIENCE_NS);
	expect(n == 1, EXPECTED("one of two receives to find the only message") SAW("%u come back"),
	       n);
	struct io_op *left = &s->op[!done[0]->slot];
	n = reap(s, done, 1, 2, IDLE_NS);
	expect(n == 0, EXPECTED("the other receive to go on waiting") SAW("it end with %s"),
	       answer(left->result));
	/* It comes while the engine sleeps: the new poll has to wake it. */
	struct word_in_time word = { .sleeper_tid = (int)syscall(SYS_gettid), .fd = ends[1] };
	expect(pthread_create(&word.thread, NULL, speak_to_the_sleeper, &word) == 0,
	       "the test has no thread");
	n = reap(s, done, 1, 2, PATIENCE_NS);
	pthread_join(word.thread, NULL);
	expect(n == 1,
	       WHEN("a message comes after a false alarm") EXPECTED("it back from reap()")
		       SAW("nothing in %lld s"),
	       (long long)(PATIENCE_NS / NS_PER_S));
	expect(left->result == 6, EXPECTED("the 6 bytes that came later") SAW("%s"),
	       answer(left->result));
	close_engine(s);
	close(twin);
	close(ends[0]);
	close(ends[1]);
}

/* Refusals stand between receives of which one waits: a message for the last is heard of nevertheless. */
static void refusals_stop_no_receive(struct subject *s)
{
	int ends[3][2];
	struct io_op *ops[5], *done[5];
	int writer = make_file(s, BLOCK, O_WRONLY);
	open_engine(s, 5, 5);
	for (unsigned i = 0; i < 3; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, 2 * i, ends[i][0]);
		ops[2 * i] = prepare_receive(s, 2 * i, ends[i][0], 2 * i);
	}
	for (unsigned i = 1; i < 5; i += 2)
		ops[i] = prepare(s, i, IO_READ, writer, i, 0, BLOCK);
	peer_sends(ends[2][1], "here", 4);
	start_all(s, ops, 5);
	unsigned n = reap(s, done, 3, 5, PATIENCE_NS);
	expect(n == 3,
	       WHEN("two receives wait, two reads are refused, and for the last receive "
		    "bytes are there") EXPECTED("three back") SAW("%u"),
	       n);
	expect(ops[1]->result == -EBADF && ops[3]->result == -EBADF,
	       EXPECTED("-EBADF of what is only for writing") SAW("%s and %s"),
	       answer(ops[1]->result), answer(ops[3]->result));
	expect(ops[4]->result == 4, EXPECTED("4 bytes") SAW("%s"), answer(ops[4]->result));
	for (unsigned i = 0; i < 2; i++)
		peer_sends(ends[i][1], "here", 4);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < 3; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close(writer);
}

/* The event is in the ring before reap() begins, and the bytes are gone. A wait for the next ones has to begin. */
static void a_false_alarm_lies_in_the_ring(struct subject *s)
{
	char taken[8];
	int ends[2];
	struct io_op *done[1];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct io_op *op = prepare_receive(s, 0, ends[0], 0);
	start(s, op);
	reap(s, done, 0, 1, 0);
	peer_sends(ends[1], "taken", 5);
	ssize_t count = recv(ends[0], taken, sizeof taken, 0);
	expect(count == 5, "the test cannot take the bytes away");
	struct late_speaker speaker = { .fd = ends[1] };
	expect(pthread_create(&speaker.thread, NULL, speak_late, &speaker) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	pthread_join(speaker.thread, NULL);
	expect(n == 1 && op->result == 1,
	       WHEN("another has taken the bytes, and the peer speaks again")
		       EXPECTED("a wait until then, and 1 byte") SAW("%u back"),
	       n);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Only a descriptor that was polled gives false alarms. What the kernel says of a file is its result. */
static void eagain_of_a_file_is_told(struct subject *s)
{
	struct io_op *done[1];
	int fd = make_file(s, BLOCK, O_RDONLY);
	mock_is_on = true;
	open_engine(s, 1, 1);
	if (mock.ring.size == 0) {
		mock_is_on = false;
		close_engine(s);
		test_skipped("the engine does not call libaio's io_setup()");
	}
	attach(s, 0, fd);
	struct io_op *op = prepare(s, 0, IO_READ, fd, 0, 0, BLOCK);
	start(s, op);
	reap(s, done, 0, 1, 0);
	expect(mock.submitted == 1, EXPECTED("one request handed over") SAW("%u"), mock.submitted);
	mock.ring.events[0] = (struct io_event) { .data = mock.data[0],
						  .obj = mock.requests[0],
						  .res = (unsigned long)-EAGAIN };
	__atomic_store_n(&mock.ring.tail, 1, __ATOMIC_RELEASE);
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	expect(n == 1 && op->result == -EAGAIN,
	       WHEN("the event of a read says -EAGAIN") EXPECTED("it as the result")
		       SAW("%u back, and %u requests handed over"),
	       n, mock.submitted);
	close_engine(s);
	mock_is_on = false;
	close(fd);
}

#define CONNECTIONS_MANY 200u
#define MESSAGES	 20u

/* System calls for MESSAGES messages, while receives wait on `count` connections. */
static unsigned calls_with(struct subject *s, unsigned count)
{
	int(*ends)[2] = calloc(count, sizeof *ends);
	open_engine(s, count, count);
	for (unsigned i = 0; i < count; i++) {
		make_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	calls_reset();
	for (unsigned m = 0; m < MESSAGES; m++) {
		unsigned speaker = m * 7919 % count;
		peer_sends(ends[speaker][1], "message", 7);
		await(s, &s->op[speaker]);
		expect(s->op[speaker].result == 7, EXPECTED("7 bytes") SAW("%s"),
		       answer(s->op[speaker].result));
		expect(s->inflight == count - 1, EXPECTED("%u others to wait still") SAW("%u"),
		       count - 1, s->inflight);
		start(s, prepare_receive(s, speaker, ends[speaker][0], speaker));
	}
	unsigned calls = calls_made(NULL);
	for (unsigned i = 0; i < count; i++)
		close(ends[i][1]);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < count; i++)
		close(ends[i][0]);
	free(ends);
	return calls;
}

static void price_does_not_grow(struct subject *s)
{
	unsigned calls = calls_with(s, 1), calls_many = calls_with(s, CONNECTIONS_MANY);
	expect(calls <= 4 * MESSAGES,
	       EXPECTED("at most 4 calls a message (io_submit, io_getevents, receive, a try)")
		       SAW("%u for %u messages"),
	       calls, MESSAGES);
	expect(calls_many <= calls + MESSAGES / 4,
	       EXPECTED("%u connections to cost as many system calls as one does (%u)") SAW("%u"),
	       CONNECTIONS_MANY, calls, calls_many);
}

#define RECEIVES_MOST 300u

/* Speaks to one connection after the other, each time when the engine's thread sleeps. */
struct round {
	pthread_t thread;
	int sleeper_tid;
	unsigned count;
	int ends[RECEIVES_MOST][2];
};

static void *speak_to_each(void *argument)
{
	const struct round *round = argument;
	for (unsigned i = 0; i < round->count; i++) {
		if (i < 40) /* often enough to tell one wait from many */
			wait_until_asleep(round->sleeper_tid);
		if (write(round->ends[i][1], "!", 1) != 1)
			note("peer     cannot write");
	}
	return NULL;
}

/* One reap() waits for as many receives as there are. Returns the system calls that waited. */
static unsigned waits_for_all(struct subject *s, unsigned count)
{
	static struct round round;
	static struct io_op *done[RECEIVES_MOST];
	round.count = count;
	round.sleeper_tid = (int)syscall(SYS_gettid);
	open_engine(s, count, count);
	for (unsigned i = 0; i < count; i++) {
		make_reading_pair(s, round.ends[i]);
		attach(s, i, round.ends[i][0]);
		start(s, prepare_receive(s, i, round.ends[i][0], i));
	}
	calls_reset();
	expect(pthread_create(&round.thread, NULL, speak_to_each, &round) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, count, count, PATIENCE_NS);
	unsigned waits = calls_made(AIO_WAITS);
	pthread_join(round.thread, NULL);
	expect(n == count, EXPECTED("all %u that were asked for") SAW("%u"), count, n);
	for (unsigned i = 0; i < count; i++)
		expect(s->op[i].result == 1, EXPECTED("1 byte") SAW("%s"), answer(s->op[i].result));
	close_engine(s);
	for (unsigned i = 0; i < count; i++) {
		close(round.ends[i][0]);
		close(round.ends[i][1]);
	}
	return waits;
}

/* The kernel counts: the thread sleeps until as many are over as it asked for. */
static void a_wait_brings_many(struct subject *s)
{
	unsigned waits = waits_for_all(s, 32);
	expect(waits <= 2,
	       EXPECTED("at most 2 io_getevents for 32 receives, one after the other") SAW("%u"),
	       waits);
}

static void waits_for_more_than_one_call_brings(struct subject *s)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < 2 * RECEIVES_MOST + 50)
		test_skipped("RLIMIT_NOFILE is %llu", (unsigned long long)limit.rlim_max);
	waits_for_all(s, RECEIVES_MOST);
}

/* When the engine's thread sleeps, there is room again, and all peers speak. */
struct room {
	pthread_t thread;
	int sleeper_tid;
	int ends[4][2];
};

static void *release_room(void *argument)
{
	const struct room *room = argument;
	wait_until_asleep(room->sleeper_tid);
	__atomic_store_n(&no_room, false, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 4; i++)
		if (write(room->ends[i][1], "!", 1) != 1)
			note("peer     cannot write");
	return NULL;
}

/*
 * `there` receives are in the kernel, and the other ones found no room. Of the four that reap() waits for
 * the kernel can end only those. It is they who make room for the others.
 */
static void wait_with_in_the_kernel(struct subject *s, unsigned there)
{
	struct room room = { .sleeper_tid = (int)syscall(SYS_gettid) };
	struct io_op *ops[4], *done[4];
	open_engine(s, 4, 4);
	for (unsigned i = 0; i < 4; i++) {
		make_reading_pair(s, room.ends[i]);
		attach(s, i, room.ends[i][0]);
		ops[i] = prepare_receive(s, i, room.ends[i][0], i);
	}
	newest_command = -1;
	start_all(s, ops, there);
	expect(reap(s, done, 0, 4, 0) == 0, "a receive completed with nothing there");
	if (newest_command == -1)
		test_skipped("the engine does not call libaio's io_submit()");
	note("test     from here io_submit says EAGAIN, until the engine sleeps");
	no_room = true;
	start_all(s, ops + there, 4 - there);
	expect(pthread_create(&room.thread, NULL, release_room, &room) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 4, 4, PATIENCE_NS);
	pthread_join(room.thread, NULL);
	expect(n == 4,
	       EXPECTED(
		       "all 4: those that were in the kernel (%u), and then those that had no room")
		       SAW("%u: it waited for events of requests that the kernel never got"),
	       there, n);
	close_engine(s);
	for (unsigned i = 0; i < 4; i++) {
		close(room.ends[i][0]);
		close(room.ends[i][1]);
	}
}

static void waits_only_for_what_the_kernel_has(struct subject *s)
{
	for (unsigned there = 3; there > 0; there--)
		wait_with_in_the_kernel(s, there);
}

/* An engine of a thread of its own, that waits in vain for a moment, and where events would have come to. */
struct waiter {
	struct subject s;
	int ends[2];
	struct io_event *place;
	long room;
};

static void *wait_in_vain(void *argument)
{
	struct waiter *waiter = argument;
	struct subject *s = &waiter->s;
	struct io_op *done[1];
	make_reading_pair(s, waiter->ends);
	open_engine(s, 1, 1);
	attach(s, 0, waiter->ends[0]);
	start(s, prepare_receive(s, 0, waiter->ends[0], 0));
	given_place = NULL;
	unsigned n = reap(s, done, 1, 1, NS_PER_MS);
	expect(n == 0, "a receive completed with nothing there");
	waiter->place = given_place;
	waiter->room = given_room;
	peer_sends(waiter->ends[1], "x", 1);
	await_all(s);
	return NULL;
}

/* The kernel may fill the one while the other one's thread goes through what it has got. */
static void events_of_two_engines_have_two_places(struct subject *s)
{
	struct waiter both[2] = { { .s = *s }, { .s = *s } };
	pthread_t thread;
	wait_in_vain(&both[0]);
	expect(pthread_create(&thread, NULL, wait_in_vain, &both[1]) == 0,
	       "the test has no thread");
	pthread_join(thread, NULL);
	if (!both[0].place || !both[1].place)
		test_skipped("the engine waits by other means than libaio's io_getevents");
	expect(both[0].place + both[0].room <= both[1].place ||
		       both[1].place + both[1].room <= both[0].place,
	       WHEN("each of two threads has an engine")
		       EXPECTED("io_getevents to bring events to two places") SAW("one"));
	for (unsigned i = 0; i < 2; i++) {
		close_engine(&both[i].s);
		close(both[i].ends[0]);
		close(both[i].ends[1]);
	}
}

static void a_send_that_fits_is_one_call(struct subject *s)
{
	const unsigned sends = 20;
	int ends[2];
	char seen[64];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	calls_reset();
	for (unsigned i = 0; i < sends; i++) {
		int64_t n = perform(s, prepare_send(s, 0, ends[0], 0, sizeof seen));
		expect(n == sizeof seen, EXPECTED("64 bytes sent") SAW("%s"), answer(n));
		expect(recv(ends[1], seen, sizeof seen, MSG_WAITALL) == sizeof seen,
		       "the test's own recv() failed");
	}
	unsigned calls = calls_made(NULL);
	expect(calls == sends, EXPECTED("one system call a send") SAW("%u for %u sends"), calls,
	       sends);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Exercise 5: calling back. */

struct four {
	int ends[4][2];
};

/*
 * A receive waits in the kernel, as operation 0. Three more wait in the engine: io_submit had no
 * room for them.
 */
static struct four open_four(struct subject *s)
{
	struct four four;
	struct io_op *ops[3];
	open_engine(s, 4, 4);
	for (unsigned i = 0; i < 4; i++) {
		make_reading_pair(s, four.ends[i]);
		attach(s, i, four.ends[i][0]);
	}
	start(s, prepare_receive(s, 0, four.ends[0][0], 0));
	struct io_op *none[1];
	expect(reap(s, none, 0, 1, 0) == 0, "a receive completed with nothing there");
	fail_call("io_submit", EAGAIN, 0);
	for (unsigned i = 0; i < 3; i++)
		ops[i] = prepare_receive(s, 1 + i, four.ends[1 + i][0], 1 + i);
	start_all(s, ops, 3);
	return four;
}

static void close_four(struct subject *s, const struct four *four)
{
	close_engine(s);
	for (unsigned i = 0; i < 4; i++) {
		close(four->ends[i][0]);
		close(four->ends[i][1]);
	}
}

/*
 * The kernel has never heard of it, so the engine itself takes it out of its queue, wherever it stands
 * there.
 */
static void calls_one_back_that_is_queued(struct subject *s)
{
	for (unsigned asked = 1; asked < 4; asked++) {
		struct four four = open_four(s);
		struct io_op *done[4];
		handed_count = 0;
		cancel_one(s, &s->op[asked]);
		unsigned n = reap(s, done, 1, 4, PATIENCE_NS);
		expect(call_failed(), EXPECTED("io_submit for the receives") SAW("none"));
		expect(n == 1 && done[0] == &s->op[asked] && done[0]->result == -ECANCELED,
		       WHEN("number %u of three that are queued is called back")
			       EXPECTED("it alone, with -ECANCELED")
				       SAW("%u back, the first with %s"),
		       asked, n, answer(n > 0 ? done[0]->result : 0));
		for (unsigned i = 4; i-- > 0;)
			if (i != asked)
				peer_sends(four.ends[i][1], "here", 4);
		await_all(s);
		expect(handed_count != 2 || handed_fds[0] < handed_fds[1],
		       WHEN("number %u of three that are queued was called back")
			       EXPECTED("the other two handed over in their order")
				       SAW("fd %d before fd %d"),
		       asked, handed_fds[0], handed_fds[1]);
		for (unsigned i = 0; i < 4; i++)
			expect(i == asked || s->op[i].result == 4,
			       EXPECTED("4 bytes for each of the others")
				       SAW("%s for operation %u"),
			       answer(s->op[i].result), i);
		close_four(s, &four);
	}
}

static void calls_all_back_that_are_queued(struct subject *s)
{
	struct four four = open_four(s);
	s->ops->cancel(s->engine);
	await_all(s);
	for (unsigned i = 0; i < 4; i++)
		expect(s->op[i].result == -ECANCELED,
		       EXPECTED("-ECANCELED for each of four") SAW("%s for operation %u"),
		       answer(s->op[i].result), i);
	/* What stays in a queue would go to the kernel now, and find bytes. */
	for (unsigned i = 0; i < 4; i++)
		peer_sends(four.ends[i][1], "here", 4);
	for (unsigned looks = 0; looks < 3; looks++) {
		struct io_op *done[4];
		unsigned n = reap(s, done, 0, 4, 0);
		expect(n == 0,
		       WHEN("when all four are back") EXPECTED("nothing from reap()")
			       SAW("%u operations"),
		       n);
	}
	close_four(s, &four);
}

/* Exercise 6: what io_setup says. */

static long long number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		test_skipped("%s cannot be read", path);
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	return n > 0 ? atoll(text) : 0;
}

static int try_to_open(struct subject *s, unsigned depth, struct reason *why)
{
	static char arena[BLOCK] __attribute__((aligned(4096)));
	struct engine_config config = { .depth = depth,
					.max_fds = 1,
					.arena = arena,
					.arena_len_bytes = sizeof arena,
					.cpu_count = 1,
					.options = s->options };
	int rc = s->ops->open(&s->engine, &config, why);
	if (rc == 0)
		s->ops->close(s->engine);
	return rc;
}

/* Nobody may have more requests in flight than the whole system has. */
static void names_the_limit(struct subject *s)
{
	struct reason why = { "" };
	long long most = number_in("/proc/sys/fs/aio-max-nr");
	if (most > 1 << 20)
		test_skipped("aio-max-nr is %lld here, too many to ask for", most);
	struct holdings before = holdings_now();
	note("test     opens the engine for one operation more than aio-max-nr");
	int rc = try_to_open(s, (unsigned)most + 1, &why);
	expect(rc == -EAGAIN, EXPECTED("-EAGAIN from open() for %lld operations") SAW("%s"),
	       most + 1, answer(rc));
	expect(strstr(why.text, "aio-max-nr"),
	       EXPECTED("the reason to name aio-max-nr, which a reader can look up and raise")
		       SAW("\"%s\""),
	       why.text);
	rc = try_to_open(s, 8, &why);
	expect(rc == 0, WHEN("after that") EXPECTED("open() for 8 operations to succeed") SAW("%s"),
	       answer(rc));
	expect_nothing_left_since(&before);
}

static const struct refusal {
	int error;
	const char *word;
} refusals[] = {
	{ ENOSYS, "CONFIG_AIO" },
	{ EPERM, "seccomp" },
	{ EAGAIN, "aio-max-nr" },
	{ ENOMEM, "io_setup" },
};

#define REFUSALS (sizeof refusals / sizeof *refusals)

/* The kernel has no no-op, although libaio's header has a number for one. */
static void refuses_a_no_op(struct subject *s)
{
	const struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	struct reason why = { "" };
	int rc = s->ops->supports(&config, IO_NOP, IO_FD_NONE, &why);
	expect(rc == -EOPNOTSUPP && why.text[0],
	       EXPECTED("-EOPNOTSUPP from supports() for a no-op, with a reason") SAW("%s: \"%s\""),
	       answer(rc), why.text);
}

static void supports_asks_the_kernel(struct subject *s)
{
	const struct engine_config config = { .depth = 8, .cpu_count = 1, .options = s->options };
	struct holdings before = holdings_now();
	for (unsigned i = 0; i < REFUSALS; i++) {
		struct reason why = { "" };
		fail_call("io_setup", refusals[i].error, 0);
		int rc = s->ops->supports(&config, IO_READ, IO_FD_FILE, &why);
		expect(call_failed(), EXPECTED("supports() to try io_setup") SAW("no such call"));
		expect(rc == -refusals[i].error, EXPECTED("%s from supports()") SAW("%s"),
		       answer(-refusals[i].error), answer(rc));
		expect(strstr(why.text, refusals[i].word),
		       WHEN("when io_setup answers %s")
			       EXPECTED("the reason to say something of %s") SAW("\"%s\""),
		       answer(rc), refusals[i].word, why.text);
		rc = s->ops->supports(&config, IO_READ, IO_FD_FILE, &why);
		expect(rc == 0, WHEN("when nothing fails") EXPECTED("0 from supports()") SAW("%s"),
		       answer(rc));
	}
	expect_nothing_left_since(&before);
}

/* Exercise 7: an eventfd, and epoll. */

static void sleeps_in_epoll(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 0; i < 3; i++) {
		unsigned calls = calls_while_idle(s, prepare_receive(s, 0, ends[0], 0), ends[1]);
		unsigned waits = calls_made(EPOLL_WAITS), other_waits = calls_made(AIO_WAITS);
		expect(waits > 0, EXPECTED("the engine to wait in epoll") SAW("no such call"));
		expect(other_waits == 0,
		       EXPECTED("no io_getevents, which hears of nothing else") SAW("%u"),
		       other_waits);
		expect(calls <= IDLE_CALLS_MAX,
		       EXPECTED("at most %d system calls for one receive that waits")
			       SAW("%u: an eventfd that nobody read keeps the loop awake"),
		       IDLE_CALLS_MAX, calls);
	}
	expect_no_thread();
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* A program may have closed its standard input. Then the next descriptor that is made is number 0. */
static void *free_descriptor_0(void *unused)
{
	(void)unused;
	if (wait_until_held(NS_PER_S))
		close(STDIN_FILENO);
	let_call_go();
	return NULL;
}

static void may_get_descriptor_0(struct subject *s)
{
	static const char *const makers[] = { "eventfd2 eventfd", "epoll_create1 epoll_create" };
	int input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 64);
	for (unsigned i = 0; i < 2; i++) {
		pthread_t thread;
		int ends[2];
		make_reading_pair(s, ends);
		hold_call(makers[i]);
		expect(pthread_create(&thread, NULL, free_descriptor_0, NULL) == 0,
		       "the test has no thread");
		open_engine(s, 1, 1);
		pthread_join(thread, NULL);
		attach(s, 0, ends[0]);
		calls_while_idle(s, prepare_receive(s, 0, ends[0], 0), ends[1]);
		unsigned waits = calls_made(EPOLL_WAITS);
		expect(waits > 0,
		       WHEN("%s gave descriptor 0") EXPECTED("the engine to wait in epoll")
			       SAW("no such call"),
		       makers[i]);
		close_engine(s);
		expect(fcntl(STDIN_FILENO, F_GETFD) < 0,
		       WHEN("%s gave descriptor 0") EXPECTED("close() to close it")
			       SAW("it left open"),
		       makers[i]);
		close(ends[0]);
		close(ends[1]);
		dup2(input, STDIN_FILENO);
	}
	close(input);
}

/* The try in open() asks and does not wait. So no signal can end it. */
static void opens_among_signals(struct subject *s)
{
	timer_t timer = signal_every(NS_PER_MS);
	for (unsigned i = 0; i < 20; i++) {
		open_engine(s, 4, 1);
		close_engine(s);
	}
	timer_delete(timer);
}

/* What a batch has left on the eventfd wakes the loop once more at most. */
static void sleeps_after_a_batch(struct subject *s)
{
	int ends[2];
	make_reading_pair(s, ends);
	int fd = make_file(s, 8 * BLOCK, O_RDONLY);
	open_engine(s, 8, 2);
	attach(s, 0, fd);
	attach(s, 1, ends[0]);
	for (unsigned i = 0; i < 8; i++)
		start(s, block_read(s, i, fd, i));
	await_all(s);
	unsigned calls = calls_while_idle(s, prepare_receive(s, 0, ends[0], 1), ends[1]);
	expect(calls <= IDLE_CALLS_MAX,
	       WHEN("after 8 reads") EXPECTED("at most %d system calls for a receive that waits")
		       SAW("%u"),
	       IDLE_CALLS_MAX, calls);
	close_engine(s);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

/* What a sandbox may hide, supports() tells, and leaves nothing open on any path. */
static void supports_tries_each_call(struct subject *s)
{
	static const char *const calls[] = { "eventfd2 eventfd", "epoll_create1 epoll_create",
					     "epoll_ctl", "epoll_wait epoll_pwait epoll_pwait2" };
	const struct engine_config config = { .depth = 8, .cpu_count = 1, .options = s->options };
	struct holdings before = holdings_now();
	for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct reason why = { "" };
		fail_call(calls[i], ENOMEM, 0);
		int rc = s->ops->supports(&config, IO_READ, IO_FD_FILE, &why);
		expect(call_failed(), EXPECTED("supports() to try %s") SAW("no such call"),
		       failing_call());
		expect(rc == -ENOMEM && why.text[0],
		       WHEN("when %s fails with ENOMEM")
			       EXPECTED("-ENOMEM from supports(), with a reason") SAW("%s: \"%s\""),
		       failing_call(), answer(rc), why.text);
		rc = s->ops->supports(&config, IO_READ, IO_FD_FILE, &why);
		expect(rc == 0, WHEN("when nothing fails") EXPECTED("0 from supports()") SAW("%s"),
		       answer(rc));
		expect_nothing_left_since(&before);
	}
}

/* The highest count of an eventfd of this process that nobody has read: proc(5), fdinfo. */
static unsigned long long unread_eventfd(void)
{
	unsigned long long most = 0;
	DIR *directory = opendir("/proc/self/fd");
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char path[300], link[64] = "", line[128];
		snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, link, sizeof link - 1) < 0 || !strstr(link, "[eventfd]"))
			continue;
		snprintf(path, sizeof path, "/proc/self/fdinfo/%s", entry->d_name);
		FILE *info = fopen(path, "re");
		while (info && fgets(line, sizeof line, info)) {
			unsigned long long count;
			if (sscanf(line, "eventfd-count: %llx", &count) == 1 && count > most)
				most = count;
		}
		if (info)
			fclose(info);
	}
	if (directory)
		closedir(directory);
	return most;
}

/* The kernel raises it for each request, and nothing but the kernel does. */
static void the_kernel_raises_it(struct subject *s)
{
	struct io_op *ops[3];
	int fd = make_file(s, 4 * BLOCK, O_RDONLY);
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	calls_reset();
	for (unsigned i = 0; i < 3; i++)
		ops[i] = block_read(s, i, fd, i);
	start_all(s, ops, 3);
	while (calls_made("io_submit") > 0 && unread_eventfd() < 3)
		expect(clock_ns() < deadline_ns,
		       EXPECTED("an eventfd that counts 3 reads") SAW("one that counts %llu"),
		       unread_eventfd());
	await_all(s);
	unsigned writes = calls_made("write writev");
	expect(writes == 0, EXPECTED("the kernel to write the eventfd") SAW("%u writes"), writes);
	for (unsigned i = 0; i < 3; i++)
		expect_block(s, ops[i]);
	close_engine(s);
	close(fd);
}

/* A second receive ends while the loop stands before its read of the eventfd. */
struct interleaving {
	pthread_t thread;
	int second_fd;
	bool held;
};

static void *speak_during_the_read(void *argument)
{
	struct interleaving *interleaving = argument;
	interleaving->held = wait_until_held(NS_PER_S);
	unsigned long long before = unread_eventfd();
	uint64_t deadline_ns = clock_ns() + (uint64_t)NS_PER_S;
	if (write(interleaving->second_fd, "!", 1) == 1)
		while (interleaving->held && unread_eventfd() == before && clock_ns() < deadline_ns)
			usleep(200);
	let_call_go();
	return NULL;
}

static void keeps_a_completion_during_its_read(struct subject *s)
{
	struct interleaving interleaving = { .held = false };
	struct io_op *done[2];
	int first[2], second[2];
	make_reading_pair(s, first);
	make_reading_pair(s, second);
	open_engine(s, 2, 2);
	attach(s, 0, first[0]);
	attach(s, 1, second[0]);
	for (unsigned round = 0; round < 2; round++) {
		interleaving.second_fd = second[1];
		start(s, prepare_receive(s, 0, first[0], 0));
		start(s, prepare_receive(s, 1, second[0], 1));
		peer_sends(first[1], "!", 1);
		hold_call("read readv");
		expect(pthread_create(&interleaving.thread, NULL, speak_during_the_read,
				      &interleaving) == 0,
		       "the test has no thread");
		unsigned n = reap(s, done, 2, 2, PATIENCE_NS);
		pthread_join(interleaving.thread, NULL);
		expect(n == 2,
		       EXPECTED("both receives")
			       SAW("%u: the other one ended just before the read of the eventfd"),
		       n);
	}
	close_engine(s);
	close(first[0]);
	close(first[1]);
	close(second[0]);
	close(second[1]);
}

static void hears_of_every_completion(struct subject *s)
{
	const unsigned depth = 8;
	int fd = make_file(s, (uint64_t)depth * BLOCK, O_RDONLY);
	struct io_op *done[8];
	open_engine(s, depth, 1);
	attach(s, 0, fd);
	for (unsigned round = 0; round < 80; round++) {
		unsigned batch = 1 + round % depth, most = 1 + round / 3 % depth;
		for (unsigned slot = 0; slot < batch; slot++)
			start(s, block_read(s, slot, fd, slot));
		while (s->inflight > 0) {
			unsigned n = reap(s, done, 1, most, PATIENCE_NS);
			expect(n > 0,
			       EXPECTED("a completion to wake the loop")
				       SAW("none in 2 s with %u in flight: a wake-up was lost"),
			       s->inflight);
		}
		for (unsigned slot = 0; slot < batch; slot++)
			expect_block(s, &s->op[slot]);
	}
	close_engine(s);
	close(fd);
}

#define TEST(exercise_, engine_, name_, flavours_, run_, calls_)                                   \
	{                                                                                          \
		.name = name_, .exercise = exercise_, .engine = engine_, .flavours = flavours_,    \
		.run = run_, .allowed_calls = calls_                                               \
	}

#define FILE_TEST(exercise, name, flavours, run)                                                   \
	TEST(exercise, "libaio", name, flavours, run, OF_FILES)
#define STREAM_TEST(exercise, name, flavours, run)                                                 \
	TEST(exercise, "libaio", name, flavours, run, STREAMING)
#define EVENTFD_TEST(exercise, name, flavours, run)                                                \
	TEST(exercise, "libaio:eventfd", name, flavours, run, BY_EPOLL)

const struct lab_test lab_tests[] = {
	FILE_TEST(1, "reads_the_right_blocks", FILES, file_read_right_data),
	FILE_TEST(1, "writes_the_right_blocks", FILES, file_write_right_data),
	FILE_TEST(1, "asks_by_io_submit", FILES, asks_by_io_submit),
	FILE_TEST(1, "reads_up_to_the_end", FILES, file_read_across_end),
	FILE_TEST(1, "tells_a_misaligned_buffer", ONE(DIRECT), file_misaligned_direct),
	FILE_TEST(1, "tells_a_bad_descriptor", ONE(BUFFERED), file_bad_descriptor),
	FILE_TEST(1, "tells_a_descriptor_that_only_reads", ONE(BUFFERED), file_write_to_read_only),
	FILE_TEST(1, "tells_a_bad_offset", ONE(BUFFERED), file_bad_offset),
	FILE_TEST(1, "syncs", ONE(BUFFERED), file_sync),
	FILE_TEST(1, "each_sync_has_its_command", ONE(BUFFERED), each_sync_has_its_command),
	FILE_TEST(1, "keeps_all_bits_of_an_offset", ONE(BUFFERED), file_offsets_beyond_4_gib),
	FILE_TEST(1, "keeps_all_bits_of_a_length", ONE(BUFFERED), file_lengths_beyond_64_kib),
	FILE_TEST(1, "moves_zero_bytes", ONE(BUFFERED), file_zero_bytes),
	FILE_TEST(1, "fills_its_depth", FILES, file_fills_its_depth),
	FILE_TEST(1, "keeps_min_and_max", FILES, reap_keeps_min_and_max),
	FILE_TEST(1, "keeps_a_large_min", ONE(BUFFERED), reap_keeps_a_large_min),
	FILE_TEST(1, "loses_nothing_to_a_reap_of_nothing", ONE(BUFFERED),
		  reap_of_nothing_loses_nothing),
	FILE_TEST(1, "serves_descriptor_0", ONE(BUFFERED), descriptor_0_is_served),
	FILE_TEST(1, "keeps_two_engines_apart", ONE(BUFFERED), two_engines_on_files),
	FILE_TEST(1, "touches_only_result_and_next", FILES, result_is_all_that_is_written),
	FILE_TEST(1, "opens_and_closes_again", ONE(BUFFERED), opens_and_closes_again),
	FILE_TEST(1, "opens_without_memory_or_says_why_not", ONE(BUFFERED), open_without_memory),
	FILE_TEST(1, "survives_many_operations", ONE(BUFFERED), file_survives_many_operations),

	FILE_TEST(2, "one_call_a_batch", FILES, one_call_a_batch),
	FILE_TEST(2, "a_refusal_stops_no_other", ONE(BUFFERED), a_refusal_stops_no_other),
	FILE_TEST(2, "no_room_is_no_result", ONE(BUFFERED), no_room_is_no_result),
	FILE_TEST(2, "no_room_behind_a_refusal", ONE(BUFFERED), no_room_behind_a_refusal),
	FILE_TEST(2, "no_room_ever_is_a_result", ONE(BUFFERED), no_room_ever_is_a_result),
	FILE_TEST(2, "what_failed_makes_no_room", ONE(DIRECT), what_failed_makes_no_room),
	FILE_TEST(2, "a_signal_is_no_result", ONE(BUFFERED), a_signal_is_no_result),
	FILE_TEST(2, "tells_what_fails", ONE(BUFFERED), file_tells_what_fails),

	FILE_TEST(3, "takes_what_is_there_without_a_call", ONE(BUFFERED),
		  takes_what_is_there_without_a_call),
	FILE_TEST(3, "sees_whole_events", ONE(BUFFERED), sees_whole_events),
	FILE_TEST(3, "keeps_min_and_max_of_the_ring", FILES, reap_keeps_min_and_max),

	STREAM_TEST(4, "receives_what_is_there", STREAMS, stream_receives_what_is_there),
	STREAM_TEST(4, "receives_in_full_buffers", STREAMS, stream_receives_in_full_buffers),
	STREAM_TEST(4, "waits_without_touching", ONE(TCP) | ONE(PIPE),
		    stream_waits_without_touching),
	STREAM_TEST(4, "sleeps_while_waiting", ONE(TCP), stream_sleeps_while_waiting),
	STREAM_TEST(4, "sleeps_until_the_peer_speaks", STREAMS, sleeps_until_the_peer_speaks),
	STREAM_TEST(4, "false_alarm_goes_on_waiting", SOCKETS, false_alarm_goes_on_waiting),
	STREAM_TEST(4, "refusals_stop_no_receive", ONE(UNIX), refusals_stop_no_receive),
	STREAM_TEST(4, "a_false_alarm_lies_in_the_ring", SOCKETS, a_false_alarm_lies_in_the_ring),
	FILE_TEST(4, "eagain_of_a_file_is_told", ONE(BUFFERED), eagain_of_a_file_is_told),
	STREAM_TEST(4, "price_does_not_grow", ONE(UNIX), price_does_not_grow),
	STREAM_TEST(4, "events_of_two_engines_have_two_places", ONE(UNIX),
		    events_of_two_engines_have_two_places),
	STREAM_TEST(4, "a_send_that_fits_is_one_call", SOCKETS, a_send_that_fits_is_one_call),
	STREAM_TEST(4, "waits_only_for_what_is_missing", ONE(UNIX) | ONE(PIPE),
		    waits_only_for_what_is_missing),
	STREAM_TEST(4, "waits_only_for_what_the_kernel_has", ONE(UNIX),
		    waits_only_for_what_the_kernel_has),
	STREAM_TEST(4, "a_wait_brings_many", ONE(UNIX), a_wait_brings_many),
	STREAM_TEST(4, "waits_for_more_than_one_call_brings", ONE(UNIX),
		    waits_for_more_than_one_call_brings),
	STREAM_TEST(4, "end_of_file", STREAMS, stream_end_of_file),
	STREAM_TEST(4, "end_while_waiting", STREAMS, stream_end_while_waiting),
	STREAM_TEST(4, "reset", ONE(TCP), tcp_reset),
	STREAM_TEST(4, "reset_of_a_send_that_waits", ONE(TCP), tcp_reset_while_a_send_waits),
	STREAM_TEST(4, "finds_many_ready_at_once", ONE(UNIX), stream_finds_many_ready_at_once),
	STREAM_TEST(4, "comes_back_one_by_one", ONE(UNIX) | ONE(PIPE),
		    stream_comes_back_one_by_one),
	STREAM_TEST(4, "short_waits_are_short", ONE(UNIX), stream_waits_less_than_a_millisecond),
	STREAM_TEST(4, "waits_for_seconds", ONE(UNIX), stream_waits_for_seconds),
	STREAM_TEST(4, "keeps_its_timeout", ONE(UNIX), stream_keeps_its_timeout),
	STREAM_TEST(4, "waits_for_ever", ONE(UNIX), stream_waits_for_ever),
	STREAM_TEST(4, "a_signal_ends_the_wait", ONE(UNIX), stream_signal_ends_the_wait),
	STREAM_TEST(4, "one_signal_ends_a_wait_for_two", ONE(UNIX),
		    stream_one_signal_ends_a_wait_for_two),
	STREAM_TEST(4, "survives_signals", ONE(UNIX), stream_survives_signals),
	STREAM_TEST(4, "sends_right_data", STREAMS, stream_sends_right_data),
	STREAM_TEST(4, "survives_a_full_buffer", STREAMS, stream_survives_a_full_buffer),
	STREAM_TEST(4, "send_to_nobody", STREAMS, stream_send_to_nobody),
	STREAM_TEST(4, "both_directions", SOCKETS, socket_both_directions_at_once),
	STREAM_TEST(4, "zero_bytes", SOCKETS, stream_zero_bytes),
	STREAM_TEST(4, "stays_blocking", STREAMS, stream_stays_blocking),
	STREAM_TEST(4, "accepts_who_comes", ONE(TCP), accept_waits_for_a_client),
	STREAM_TEST(4, "tells_that_no_number_is_free", ONE(UNIX), accept_without_a_free_number),
	STREAM_TEST(4, "connects", SOCKETS, connect_reaches_a_listener),
	STREAM_TEST(4, "connects_to_nobody", ONE(TCP), connect_to_nobody),

	STREAM_TEST(5, "connections_tell_what_fails", ONE(TCP), connections_tell_what_fails),
	STREAM_TEST(5, "streams_tell_what_fails", ONE(UNIX) | ONE(PIPE), stream_tells_what_fails),
	STREAM_TEST(5, "finds_the_active_one", ONE(TCP), stream_finds_the_active_one),
	STREAM_TEST(5, "calls_all_back", STREAMS, stream_cancel),
	STREAM_TEST(5, "calls_one_back", STREAMS, cancel_one_leaves_the_others),
	STREAM_TEST(5, "calls_one_back_and_receives_again", STREAMS,
		    cancel_one_leaves_the_descriptor_whole),
	STREAM_TEST(5, "a_false_alarm_meets_a_cancel", SOCKETS, socket_false_alarm_meets_a_cancel),
	STREAM_TEST(5, "calls_back_too_late", ONE(UNIX), cancel_one_comes_too_late),
	STREAM_TEST(5, "calls_back_and_loses_no_byte", ONE(UNIX), cancel_one_loses_no_byte),
	STREAM_TEST(5, "calls_a_send_back_too_late", ONE(UNIX) | ONE(PIPE),
		    cancel_one_of_a_send_that_fits),
	STREAM_TEST(5, "calls_back_all_sends", ONE(UNIX) | ONE(PIPE), stream_cancel_of_sends),
	STREAM_TEST(5, "calls_back_in_scattered_slots", ONE(UNIX),
		    stream_cancel_in_scattered_slots),
	STREAM_TEST(5, "calls_one_back_that_is_queued", ONE(UNIX), calls_one_back_that_is_queued),
	STREAM_TEST(5, "calls_all_back_that_are_queued", ONE(UNIX), calls_all_back_that_are_queued),
	STREAM_TEST(5, "calls_back_an_accept", ONE(TCP), accept_is_called_back),
	STREAM_TEST(5, "calls_back_a_connect", ONE(TCP), connect_waits_and_is_called_back),
	STREAM_TEST(5, "calls_back_nothing", ONE(UNIX), cancel_with_nothing_in_flight),
	FILE_TEST(5, "a_file_comes_back_when_it_is_done", FILES, file_cancel),
	FILE_TEST(5, "a_file_is_called_back_in_vain", ONE(DIRECT), cancel_one_of_a_file),
	FILE_TEST(5, "is_silent_after_the_end", ONE(BUFFERED), file_cancel_then_silence),

	{ .exercise = 6,
	  .engine = "libaio",
	  .name = "names_the_limit",
	  .flavours = ONE(NO_FD),
	  .run = names_the_limit },
	{ .exercise = 6,
	  .engine = "libaio",
	  .name = "supports_asks_the_kernel",
	  .flavours = ONE(NO_FD),
	  .run = supports_asks_the_kernel },
	{ .exercise = 6,
	  .engine = "libaio",
	  .name = "refuses_a_no_op",
	  .flavours = ONE(NO_FD),
	  .run = refuses_a_no_op },
	{ .exercise = 6,
	  .engine = "libaio",
	  .name = "supports_or_says_why",
	  .flavours = ONE(NO_FD),
	  .run = supports_or_says_why },
	{ .exercise = 6,
	  .engine = "libaio",
	  .name = "open_tells_what_fails",
	  .flavours = ONE(NO_FD),
	  .run = open_tells_what_fails },

	EVENTFD_TEST(7, "sleeps_in_epoll", ONE(UNIX) | ONE(PIPE), sleeps_in_epoll),
	EVENTFD_TEST(7, "sleeps_after_a_batch", ONE(UNIX), sleeps_after_a_batch),
	EVENTFD_TEST(7, "the_kernel_raises_it", FILES, the_kernel_raises_it),
	EVENTFD_TEST(7, "keeps_a_completion_during_its_read", ONE(UNIX),
		     keeps_a_completion_during_its_read),
	EVENTFD_TEST(7, "hears_of_every_completion", FILES, hears_of_every_completion),
	EVENTFD_TEST(7, "eventfd_reads_the_right_blocks", FILES, file_read_right_data),
	EVENTFD_TEST(7, "eventfd_writes_the_right_blocks", FILES, file_write_right_data),
	EVENTFD_TEST(7, "eventfd_keeps_min_and_max", FILES, reap_keeps_min_and_max),
	EVENTFD_TEST(7, "eventfd_keeps_a_large_min", ONE(BUFFERED), reap_keeps_a_large_min),
	EVENTFD_TEST(7, "eventfd_receives_what_is_there", STREAMS, stream_receives_what_is_there),
	EVENTFD_TEST(7, "eventfd_short_waits_are_short", ONE(UNIX),
		     stream_waits_less_than_a_millisecond),
	EVENTFD_TEST(7, "eventfd_waits_for_seconds", ONE(UNIX), stream_waits_for_seconds),
	EVENTFD_TEST(7, "eventfd_keeps_its_timeout", ONE(UNIX), stream_keeps_its_timeout),
	EVENTFD_TEST(7, "eventfd_a_signal_ends_the_wait", ONE(UNIX), stream_signal_ends_the_wait),
	EVENTFD_TEST(7, "eventfd_waits_only_for_what_the_kernel_has", ONE(UNIX),
		     waits_only_for_what_the_kernel_has),
	EVENTFD_TEST(7, "eventfd_survives_signals", ONE(UNIX), stream_survives_signals),
	EVENTFD_TEST(7, "eventfd_calls_all_back", STREAMS, stream_cancel),
	EVENTFD_TEST(7, "eventfd_false_alarm", SOCKETS, false_alarm_goes_on_waiting),
	EVENTFD_TEST(7, "eventfd_keeps_two_engines_apart", ONE(BUFFERED), two_engines_on_files),
	EVENTFD_TEST(7, "eventfd_opens_and_closes_again", ONE(BUFFERED), opens_and_closes_again),
	EVENTFD_TEST(7, "eventfd_tells_what_fails", ONE(BUFFERED), file_tells_what_fails),
	{ .exercise = 7,
	  .engine = "libaio:eventfd",
	  .name = "eventfd_open_tells_what_fails",
	  .flavours = ONE(NO_FD),
	  .run = open_tells_what_fails },
	EVENTFD_TEST(7, "eventfd_may_get_descriptor_0", ONE(UNIX), may_get_descriptor_0),
	EVENTFD_TEST(7, "eventfd_opens_among_signals", ONE(NO_FD), opens_among_signals),
	{ .exercise = 7,
	  .engine = "libaio:eventfd",
	  .name = "eventfd_supports_or_says_why",
	  .flavours = ONE(NO_FD),
	  .run = supports_or_says_why },
	{ .exercise = 7,
	  .engine = "libaio:eventfd",
	  .name = "supports_tries_each_call",
	  .flavours = ONE(NO_FD),
	  .run = supports_tries_each_call },
	{ .exercise = 7,
	  .engine = "libaio:eventfd",
	  .name = "eventfd_is_not_inherited",
	  .flavours = ONE(BUFFERED),
	  .run = descriptors_are_not_inherited },
	THE_REST_OF_THE_CONTRACT(7, "libaio", FILES | STREAMS, LENDING | BLOCKING),
	{ NULL },
};
