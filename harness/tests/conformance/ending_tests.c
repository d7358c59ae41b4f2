/* SPDX-License-Identifier: MIT */
/* What is so after the end: of an operation, of an attachment, of an engine. And what never is. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "allocations.h"
#include "clock.h"
#include "conformance.h"
#include "tests.h"

#define BLOCK 4096u

/* All is back: from now on nothing comes, and no buffer changes. */
static void expect_silence(struct subject *s)
{
	struct io_op *done[8];
	size_t count = (size_t)s->depth * BUFFER_BYTES;
	char *before = malloc(count);
	expect(before, "no memory");
	memcpy(before, s->arena, count);
	for (unsigned i = 0; i < 5; i++) {
		usleep(1000);
		unsigned n = reap(s, done, 0, 8, 0);
		expect(n == 0, WHEN("after everything was back") EXPECTED("nothing") SAW("%u more"),
		       n);
	}
	expect(memcmp(before, s->arena, count) == 0,
	       "after everything was back: a buffer was touched");
	free(before);
}

/*
 * Receives that wait in scattered slots of a deep engine, under other numbers as descriptors, the
 * last slot among them.
 */
void stream_cancel_in_scattered_slots(struct subject *s)
{
	enum { COUNT = 5, DEPTH = 100 };
	static const unsigned slots[COUNT] = { 3, 50, 64, 98, 99 };
	static const unsigned fd_slots[COUNT] = { 99, 70, 33, 8, 1 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[COUNT][2];
	struct io_op *done[1];
	signal(SIGPIPE, SIG_IGN);
	open_engine(s, DEPTH, DEPTH);
	memset(s->arena, 0x77, s->arena_len_bytes);
	for (unsigned i = 0; i < COUNT; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, fd_slots[i], ends[i][0]);
		start(s, prepare_receive(s, slots[i], ends[i][0], fd_slots[i]));
	}
	expect(reap(s, done, 1, 1, NS_PER_MS) == 0, "a receive completed with nothing there");
	s->ops->cancel(s->engine);
	await_all(s);
	for (unsigned i = 0; i < COUNT; i++)
		if (write(ends[i][1], "late", 4) < 0)
			expect(errno == EPIPE || errno == ECONNRESET,
			       "the test's own write failed: %s", strerror(errno));
	expect_silence(s);
	for (size_t b = 0; b < s->arena_len_bytes; b++)
		expect(s->arena[b] == 0x77, "byte %zu of the arena was touched", b);
	close_engine(s);
	for (unsigned i = 0; i < COUNT; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

void stream_cancel_of_sends(struct subject *s)
{
	enum { COUNT = 12 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	int ends[COUNT][2];
	struct io_op *done[1];
	signal(SIGPIPE, SIG_IGN);
	open_engine(s, COUNT, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		make_writing_pair(s, ends[i]);
		fill(s, ends[i][0]);
		attach(s, i, ends[i][0]);
		start(s, prepare_send(s, i, ends[i][0], i, 1000));
	}
	/* The kernel may have found room nevertheless: then the next one waits. */
	for (unsigned tries = 0; reap(s, done, 1, 1, 2 * NS_PER_MS) > 0; tries++) {
		unsigned i = done[0]->slot;
		expect(tries < 1000, "sends complete with no room for them");
		fill(s, ends[i][0]);
		start(s, prepare_send(s, i, ends[i][0], i, 1000));
	}
	s->ops->cancel(s->engine);
	bool uncopied = traits_of(s) & IO_SENDS_UNCOPIED;
	for (unsigned i = 0; uncopied && s->inflight > 0 && i < 3000 * COUNT; i++) {
		read_what_is_there(ends[i % COUNT][1]);
		reap(s, done, 1, 1, NS_PER_MS / COUNT);
	}
	await_all(s);
	unsigned in_time = 0;
	for (unsigned i = 0; i < COUNT; i++) {
		int64_t result = s->op[i].result;
		/* TCP may find room for some at this moment, too. */
		in_time += s->flavour == TCP && result == 1000;
		/* -EPIPE: the engine had to shut the socket down, which the contract allows. */
		expect(result == -ECANCELED || (result == -EPIPE && s->flavour != PIPE) ||
			       (s->flavour == TCP && result == 1000),
		       WHEN("after cancel") EXPECTED("-ECANCELED") SAW("%s"), answer(result));
	}
	expect(in_time < COUNT || uncopied,
	       WHEN("after cancel") EXPECTED("sends with -ECANCELED") SAW("all sent"));
	/* There is room now, and nothing may use it. */
	for (unsigned i = 0; i < COUNT; i++)
		read_what_is_on_its_way(ends[i][0], ends[i][1]);
	expect_silence(s);
	for (unsigned i = 0; i < COUNT; i++) {
		size_t late = read_what_is_there(ends[i][1]);
		expect(late == 0, WHEN("after cancel") EXPECTED("nothing sent") SAW("%zu bytes"),
		       late);
	}
	close_engine(s);
	for (unsigned i = 0; i < COUNT; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

void file_cancel_then_silence(struct subject *s)
{
	enum { DEPTH = 100 };
	struct io_op *ops[DEPTH];
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, DEPTH, 1);
	attach(s, 0, fd);
	for (unsigned slot = 0; slot < DEPTH; slot++)
		ops[slot] = prepare(s, slot, IO_READ, fd, 0, 0, BLOCK);
	start_all(s, ops, DEPTH);
	s->ops->cancel(s->engine);
	await_all(s);
	expect_silence(s);
	close_engine(s);
	close(fd);
}

/* What the engine did not ask for is still there, and the connection works in both directions. */
static void expect_whole_stream(struct subject *s, int ends[2], ssize_t left)
{
	char seen[200];
	ssize_t n = left == 0 ? 0 : recv(ends[0], seen, sizeof seen, MSG_DONTWAIT);
	if (n < 0 && errno == ENOTSOCK)
		n = read(ends[0], seen, sizeof seen);
	expect(n == left, EXPECTED("the bytes that were not asked for") SAW("%zd (%s)"), n,
	       n < 0 ? strerror(errno) : "read");
	for (unsigned b = 0; b < left; b++)
		expect(seen[b] == pattern_byte(b + 10),
		       EXPECTED("byte %u of those left") SAW("another"), b);
	expect(write(ends[1], "in", 2) == 2 && read(ends[0], seen, 2) == 2 &&
		       memcmp(seen, "in", 2) == 0,
	       "the descriptor no longer receives");
	if (s->flavour != PIPE)
		expect(write(ends[0], "out", 3) == 3 && read(ends[1], seen, 3) == 3 &&
			       memcmp(seen, "out", 3) == 0,
		       "the descriptor no longer sends");
}

static void expect_flags(int fd, int before, const char *when)
{
	int now = fcntl(fd, F_GETFL);
	expect(now >= 0, WHEN("%s") EXPECTED("a descriptor that is open") SAW("another"), when);
	expect(now == before, WHEN("%s") EXPECTED("its flags as they were, %#x") SAW("%#x"), when,
	       before, now);
}

/* After detach(), and after close() without it. Bytes that an engine has taken ahead are lost then. */
void stream_stays_whole_after_the_end(struct subject *s)
{
	for (unsigned detached = 0; detached < 2; detached++) {
		int ends[2];
		char sent[100];
		bool ahead = s->flavour != PIPE && (traits_of(s) & IO_RECEIVES_AHEAD);
		ssize_t left = ahead ? 0 : 90;
		for (unsigned b = 0; b < sizeof sent; b++)
			sent[b] = pattern_byte(b);
		make_reading_pair(s, ends);
		int flags = fcntl(ends[0], F_GETFL);
		open_engine(s, 2, 2);
		attach(s, 1, ends[0]);
		expect(write(ends[1], sent, 10 + (size_t)left) == 10 + left,
		       "the test's own write failed");
		struct io_op *op = prepare_receive(s, 0, ends[0], 1);
		op->len_bytes = 10;
		int64_t n = perform(s, op);
		expect(n == 10, EXPECTED("the 10 bytes asked for") SAW("%s"), answer(n));
		if (detached) {
			detach(s, 1);
			expect_flags(ends[0], flags, "after detach()");
			expect_whole_stream(s, ends, left);
		}
		close_engine(s);
		expect_flags(ends[0], flags, "after close()");
		if (!detached)
			expect_whole_stream(s, ends, left);
		close(ends[0]);
		close(ends[1]);
	}
}

void file_stays_whole_after_the_end(struct subject *s)
{
	int fd = make_file(s, 4 * BLOCK, O_RDWR);
	expect(lseek(fd, 100, SEEK_SET) == 100, "lseek: %s", strerror(errno));
	open_engine(s, 2, 2);
	attach(s, 1, fd);
	memset(buffer_of(s, 1), 0x33, BLOCK);
	perform(s, prepare(s, 0, IO_READ, fd, 1, BLOCK, BLOCK));
	perform(s, prepare(s, 1, IO_WRITE, fd, 1, 2 * (uint64_t)BLOCK, BLOCK));
	detach(s, 1);
	off_t position = lseek(fd, 0, SEEK_CUR);
	expect(position == 100, EXPECTED("the file's position to stay at 100") SAW("%lld (%s)"),
	       (long long)position, position < 0 ? strerror(errno) : "moved");
	close_engine(s);
	expect(lseek(fd, 0, SEEK_END) == 4 * BLOCK,
	       WHEN("after close()") EXPECTED("a file of the same length") SAW("another"));
	close(fd);
}

/* What came back is the workload's: it may hold anything when cancel() is called. */
void cancel_leaves_what_is_back(struct subject *s)
{
	enum { COUNT = 3 };
	int ends[2] = { -1, -1 };
	struct io_op *op;
	open_engine(s, COUNT, 1);
	if (ONE(s->flavour) & FILES)
		ends[0] = make_file(s, BLOCK, O_RDONLY);
	else if (s->flavour != NO_FD)
		make_reading_pair(s, ends);
	if (ends[0] >= 0)
		attach(s, 0, ends[0]);
	for (unsigned slot = 0; slot < COUNT; slot++) {
		if (ends[1] >= 0)
			expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
		op = s->flavour == NO_FD ? prepare(s, slot, IO_NOP, -1, 0, 0, 0)
		     : ends[1] < 0	 ? prepare(s, slot, IO_READ, ends[0], 0, 0, BLOCK)
					 : prepare_receive(s, slot, ends[0], 0);
		perform(s, op);
	}
	memset(s->op, 0xff, COUNT * sizeof *s->op);
	s->ops->cancel(s->engine);
	for (size_t i = 0; i < COUNT * sizeof *s->op; i++)
		expect(((unsigned char *)s->op)[i] == 0xff,
		       WHEN("after cancel()") EXPECTED("an operation that was back as it was")
			       SAW("it changed"));
	memset(s->op, 0, COUNT * sizeof *s->op);
	close_engine(s);
	for (unsigned i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

/* The options of a socket that an engine may be tempted to set. */
struct socket_options {
	int of_socket[5], nodelay;
	struct timeval receive_timeout, send_timeout;
	struct linger linger;
};

static struct socket_options options_of(int fd)
{
	/* Not the sizes of its buffers: the kernel changes them as it sees fit. */
	static const int names[] = { SO_RCVLOWAT, SO_KEEPALIVE, SO_OOBINLINE, SO_BUSY_POLL,
				     SO_PRIORITY };
	struct socket_options options;
	memset(&options, 0, sizeof options); /* the padding is compared, too */
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		socklen_t size = sizeof(int);
		getsockopt(fd, SOL_SOCKET, names[i], &options.of_socket[i], &size);
	}
	socklen_t size = sizeof options.nodelay;
	getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &options.nodelay, &size);
	size = sizeof options.receive_timeout;
	getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &options.receive_timeout, &size);
	size = sizeof options.send_timeout;
	getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &options.send_timeout, &size);
	size = sizeof options.linger;
	getsockopt(fd, SOL_SOCKET, SO_LINGER, &options.linger, &size);
	return options;
}

/* An engine moves bytes; how the connection behaves is the workload's affair. */
void socket_options_stay(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &(int) { 0 }, sizeof(int)); /* was set */
	struct socket_options before = options_of(ends[0]);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
	perform(s, prepare_receive(s, 0, ends[0], 0));
	perform(s, prepare_send(s, 1, ends[0], 0, 1));
	detach(s, 0);
	struct socket_options after = options_of(ends[0]);
	expect(memcmp(&before, &after, sizeof before) == 0,
	       EXPECTED("the socket's options as they were") SAW("one that was changed"));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* As a workload does: batches of operations, some of which wait. */
static void work_on_files(struct subject *s, int fd)
{
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned slot = 0; slot < s->depth; slot++)
			start(s, prepare(s, slot, slot % 2 ? IO_READ : IO_WRITE, fd, 0,
					 (uint64_t)BLOCK * slot, BLOCK));
		await_all(s);
		perform(s, prepare(s, 0, IO_FDATASYNC, fd, 0, 0, 0));
	}
}

static void work_on_streams(struct subject *s, int (*ends)[2], unsigned count)
{
	bool waits = !(s->ops->traits & IO_BLOCKS_IN_SUBMIT);
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < count; i++) {
			if (!waits)
				expect(write(ends[i][1], "x", 1) == 1, "no write");
			start(s, prepare_receive(s, i, ends[i][0], i));
		}
		for (unsigned i = 0; i < count && waits; i++)
			expect(write(ends[i][1], "x", 1) == 1, "no write");
		await_all(s);
	}
}

/* The way back is a part of the work. */
static void call_back(struct subject *s, int ends[][2], unsigned count)
{
	bool waits = ONE(s->flavour) & STREAMS && !(s->ops->traits & IO_BLOCKS_IN_SUBMIT);
	for (unsigned i = 0; i < count && waits; i++)
		start(s, prepare_receive(s, i, ends[i][0], i));
	for (unsigned i = 0; i < count && waits; i += 2)
		cancel_one(s, &s->op[i]);
	for (unsigned i = 0; i < count && waits; i += 2)
		await(s, &s->op[i]);
	s->ops->cancel(s->engine);
	await_all(s);
}

static void work_on_nothing(struct subject *s)
{
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned slot = 0; slot < s->depth; slot++)
			start(s, prepare(s, slot, IO_NOP, -1, 0, 0, 0));
		await_all(s);
	}
}

void no_allocation_after_open(struct subject *s)
{
	/* More than the first few that an engine may have made room for. */
	enum { BLOCKS = 16, COUNT = 80 };
	int ends[COUNT][2], fd = -1;
	if (!allocations_begin || !allocations_begin())
		test_skipped("allocations are counted in the plain build");
	if (ONE(s->flavour) & FILES)
		fd = make_file(s, BLOCKS * BLOCK, O_RDWR);
	if (ONE(s->flavour) & STREAMS)
		for (unsigned i = 0; i < COUNT; i++)
			make_reading_pair(s, ends[i]);
	struct allocations at_first = allocations_so_far();
	open_engine(s, fd >= 0 ? BLOCKS : COUNT, COUNT);
	struct allocations before = allocations_so_far();
	for (unsigned i = 0; i < (fd >= 0 ? 1 : s->flavour == NO_FD ? 0 : COUNT); i++)
		attach(s, i, fd >= 0 ? fd : ends[i][0]);
	if (fd >= 0)
		work_on_files(s, fd);
	else if (s->flavour == NO_FD)
		work_on_nothing(s);
	else
		work_on_streams(s, ends, COUNT);
	call_back(s, ends, COUNT);
	struct allocations after = allocations_so_far();
	close_engine(s);
	struct allocations at_the_end = allocations_so_far();
	expect(after.made == before.made,
	       WHEN("after open()") EXPECTED("no call of malloc") SAW("%lu in 50 rounds"),
	       after.made - before.made);
	expect(at_the_end.live == at_first.live,
	       WHEN("after close()") EXPECTED("no memory kept") SAW("%ld blocks"),
	       at_the_end.live - at_first.live);
	expect(at_the_end.initialised == at_first.initialised,
	       WHEN("after close()")
		       EXPECTED("all destroyed that was initialised, and nothing else")
			       SAW("%ld too few"),
	       at_the_end.initialised - at_first.initialised);
	if (after.made_by_aio > 0)
		printf("# glibc's own AIO allocated %lu times\n", after.made_by_aio);
	if (fd >= 0)
		close(fd);
	for (unsigned i = 0; ONE(s->flavour) & STREAMS && i < COUNT; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* While it is open, an engine may have blocked SIGIO and one real-time signal: what O_ASYNC sends. */
void expect_same_mask(const sigset_t *before, bool open, const char *when)
{
	sigset_t now;
	unsigned own = 0;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	for (int number = 1; number < NSIG; number++) {
		bool blocked = sigismember(&now, number) == 1;
		if (blocked == (sigismember(before, number) == 1))
			continue;
		bool real_time = number >= SIGRTMIN && number <= SIGRTMAX;
		own += real_time;
		expect(open && blocked && (number == SIGIO || (real_time && own == 1)),
		       WHEN("%s") EXPECTED("the caller's signal mask as it was")
			       SAW("another for signal %d"),
		       when, number);
	}
}

static void do_nothing(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info, (void)context;
}

/* Only those that no fault of this program sends. Whoever puts back a function alone loses the rest. */
static void handle_signals(void)
{
	static const int sent_by_others[] = { SIGUSR1, SIGUSR2, SIGURG, SIGIO, SIGWINCH };
	struct sigaction handle = { .sa_sigaction = do_nothing, .sa_flags = SA_SIGINFO };
	struct sigaction ignore = { .sa_handler = SIG_IGN, .sa_flags = SA_ONSTACK };
	sigaddset(&handle.sa_mask, SIGHUP);
	sigaddset(&ignore.sa_mask, SIGHUP);
	for (unsigned i = 0; i < sizeof sent_by_others / sizeof *sent_by_others; i++)
		sigaction(sent_by_others[i], &handle, NULL);
	/* An engine takes one that has no handler. */
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		sigaction(number, &ignore, NULL);
}

struct signals signals_now(void)
{
	struct signals now = { 0 }; /* of two signals the C library does not tell */
	pthread_sigmask(SIG_BLOCK, NULL, &now.blocked);
	for (int number = 1; number < NSIG; number++)
		sigaction(number, NULL, &now.actions[number]);
	return now;
}

/* SA_RESTORER, of which no header tells, is the C library's: it is there once sigaction(2) was called. */
static bool same_action(const struct sigaction *one, const struct sigaction *other)
{
	const int all_flags = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART |
			      SA_NODEFER | (int)SA_RESETHAND;
	bool same = one->sa_handler == other->sa_handler;
#ifdef __SANITIZE_THREAD__
	return same; /* its sigaction(2) adds flags of its own */
#endif
	same &= ((one->sa_flags ^ other->sa_flags) & all_flags) == 0;
	for (int number = 1; number < NSIG; number++)
		same &= sigismember(&one->sa_mask, number) == sigismember(&other->sa_mask, number);
	return same;
}

void expect_signals_as(const struct signals *before, const char *when)
{
	struct signals now = signals_now();
	expect_same_mask(&before->blocked, false, when);
	for (int number = 1; number < NSIG; number++)
		expect(same_action(&now.actions[number], &before->actions[number]),
		       WHEN("%s") EXPECTED("signal %d to do what it did")
			       SAW("another action, flags or mask"),
		       when, number);
}

/*
 * At the end: while it is open, an engine may use one. The second time the caller blocks all of them,
 * and has them blocked afterwards.
 */
void signals_stay_as_they_were(struct subject *s)
{
	sigset_t all;
	handle_signals();
	sigfillset(&all);
	for (unsigned blocked = 0; blocked < 2; blocked++) {
		if (blocked)
			pthread_sigmask(SIG_BLOCK, &all, NULL);
		struct signals before = signals_now();
		open_engine(s, 2, 1);
		expect_same_mask(&before.blocked, true, "after open()");
		close_engine(s);
		expect_signals_as(&before, "after close()");
	}
}

static pthread_t taker;
static bool taken;

static void note_taker(int number)
{
	(void)number;
	taker = pthread_self();
	__atomic_store_n(&taken, true, __ATOMIC_RELEASE);
}

/* A signal for the process, which the caller has blocked: no thread of the engine's takes it. */
void signals_are_left_to_the_caller(struct subject *s)
{
	struct sigaction action = { .sa_handler = note_taker };
	sigset_t mask, before;
	sigaction(SIGUSR1, &action, NULL);
	open_engine(s, 2, 1);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &mask, &before);
	kill(getpid(), SIGUSR1);
	/* A thread that may take it does so at once, or when a busy machine lets it run. */
	for (unsigned i = 0; i < 100 && !__atomic_load_n(&taken, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	expect(__atomic_load_n(&taken, __ATOMIC_ACQUIRE) && pthread_equal(taker, pthread_self()),
	       EXPECTED("the caller's thread to take the signal") SAW("a thread of the engine's"));
	close_engine(s);
}

void stream_cancel_with_all_signals_blocked(struct subject *s)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	stream_cancel(s);
}

static void *does_nothing(void *nothing)
{
	return nothing;
}

/* An emulator of user programs keeps something of each thread. Is it the process that grows, without an engine? */
static bool threads_alone_leave_pages(void)
{
	bool grew = true;
	for (unsigned round = 0; round < 10 && grew; round++) {
		pthread_t threads[8];
		long before = pages_mapped();
		for (unsigned i = 0; i < 8; i++)
			expect(pthread_create(&threads[i], NULL, does_nothing, NULL) == 0,
			       "no thread for the test's own");
		for (unsigned i = 0; i < 8; i++)
			pthread_join(threads[i], NULL);
		grew = pages_mapped() > before;
	}
	return grew;
}

/*
 * LeakSanitizer looks for what malloc() gave, and not for mappings. A round needs what the round before gave
 * back. So the process grows in the first ones at most, for the allocator. It grows in each where one is left.
 */
void close_leaves_nothing_mapped(struct subject *s)
{
	enum { ROUNDS = 40 };
	bool grew = true;
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
	test_skipped("a sanitizer maps memory of its own, for each thread");
#endif
	if (threads_alone_leave_pages())
		test_skipped("each thread that has ended leaves memory mapped here");
	for (unsigned round = 0; round < ROUNDS && grew; round++) {
		long before = pages_mapped();
		open_engine(s, 64, 8);
		close_engine(s);
		grew = pages_mapped() > before;
	}
	expect(!grew,
	       WHEN("an engine was opened and closed %d times") EXPECTED("no mapping left behind")
		       SAW("more memory mapped after each time"),
	       ROUNDS);
}
