/* SPDX-License-Identifier: MIT */
/*
 * Lab 06: what an engine on POSIX AIO must do: glibc's threads make the calls, and the engine asks for
 * them, sleeps meanwhile, and takes each result once.
 */
#include "lab_test.h"

#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "failing_calls.h"
#include "stream_test.h"

/*
 * What the loop's thread needs: glibc starts threads on it, and looks at a descriptor before it syncs or
 * cancels (fcntl). Whoever is told by signals takes them.
 */
#define STARTS	  "clone clone3 rt_sigprocmask rt_sigaction sched_getparam sched_getscheduler fcntl "
#define SIGNALS	  "rt_sigtimedwait rt_sigpending rt_sigqueueinfo getpid gettid "
#define FILING	  STARTS SIGNALS
#define STREAMING STARTS SIGNALS "shutdown "

#define BLOCK 4096u

/*
 * The engine's calls of POSIX AIO come here first, for they are no system calls: each is counted, and
 * may be refused.
 */
#define REQUESTS_MOST 4096u

static struct {
	pthread_mutex_t lock;
	unsigned begun; /* handed to glibc */
	unsigned looks; /* aio_error(), aio_suspend() */
	unsigned too_early, too_often; /* aio_return() of what is not over, and again */
	unsigned no_signals; /* requests whose end is told by signal 0, which is none */
	int refused_with; /* the errno; 0 where nothing is refused */
	unsigned let_through; /* before that */
	bool was_refused;
	int suspend_fails_with; /* the next aio_suspend() */
	void (*meanwhile)(void); /* happens before it fails */
	time_t shortest_limit_s; /* of all aio_suspend() that had a time limit */
	int idle_s; /* by which glibc's threads outlive the engine, as it has chosen */
	unsigned request_count;
	struct {
		const struct aiocb *cb;
		bool is_open; /* begun, and its result not taken */
	} requests[REQUESTS_MOST];
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The library's function of that name. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static bool *is_open(const struct aiocb *cb)
{
	unsigned i = 0;
	while (i < seen.request_count && seen.requests[i].cb != cb)
		i++;
	expect(i < REQUESTS_MOST, EXPECTED("at most %u control blocks") SAW("more"), REQUESTS_MOST);
	seen.request_count += i == seen.request_count;
	seen.requests[i].cb = cb;
	return &seen.requests[i].is_open;
}

/*
 * An idle thread of glibc's lives on for aio_idle_time seconds, and each test would wait for that at its
 * end. With -1 it does not idle. The other numbers are glibc's own, where an engine does not choose.
 */
static atomic_bool has_chosen;

void aio_init(const struct aioinit *init)
{
	struct aioinit hurried = *init;
	pthread_mutex_lock(&seen.lock);
	seen.idle_s = init->aio_idle_time;
	pthread_mutex_unlock(&seen.lock);
	hurried.aio_idle_time = -1;
	has_chosen = true;
	REAL(aio_init)(&hurried);
}

/* Returns the errno with which it is refused, or 0. */
static int begin_request(const struct aiocb *cb)
{
	if (!has_chosen)
		aio_init(&(struct aioinit) { .aio_threads = 20, .aio_num = 64 });
	pthread_mutex_lock(&seen.lock);
	int error = seen.refused_with && seen.let_through-- == 0 ? seen.refused_with : 0;
	if (error) {
		seen.refused_with = 0;
		seen.was_refused = true;
	} else {
		seen.begun++;
		*is_open(cb) = true;
		const struct sigevent *told = &cb->aio_sigevent;
		seen.no_signals += told->sigev_notify == SIGEV_SIGNAL && told->sigev_signo == 0;
	}
	pthread_mutex_unlock(&seen.lock);
	return error;
}

static int refuse(int error)
{
	errno = error;
	return -1;
}

int aio_read(struct aiocb *cb)
{
	int error = begin_request(cb);
	return error ? refuse(error) : REAL(aio_read)(cb);
}

int aio_write(struct aiocb *cb)
{
	int error = begin_request(cb);
	return error ? refuse(error) : REAL(aio_write)(cb);
}

int aio_fsync(int operation, struct aiocb *cb)
{
	int error = begin_request(cb);
	return error ? refuse(error) : REAL(aio_fsync)(operation, cb);
}

int aio_error(const struct aiocb *cb)
{
	pthread_mutex_lock(&seen.lock);
	seen.looks++;
	pthread_mutex_unlock(&seen.lock);
	return REAL(aio_error)(cb);
}

ssize_t aio_return(struct aiocb *cb)
{
	bool early = REAL(aio_error)(cb) == EINPROGRESS;
	pthread_mutex_lock(&seen.lock);
	seen.too_early += early;
	seen.too_often += !*is_open(cb);
	*is_open(cb) = false;
	pthread_mutex_unlock(&seen.lock);
	return REAL(aio_return)(cb);
}

int aio_suspend(const struct aiocb *const list[], int count, const struct timespec *timeout)
{
	pthread_mutex_lock(&seen.lock);
	seen.looks++;
	int error = seen.suspend_fails_with;
	seen.suspend_fails_with = 0;
	if (timeout && timeout->tv_sec < seen.shortest_limit_s)
		seen.shortest_limit_s = timeout->tv_sec;
	pthread_mutex_unlock(&seen.lock);
	if (error && seen.meanwhile)
		seen.meanwhile();
	return error ? refuse(error) : REAL(aio_suspend)(list, count, timeout);
}

static unsigned looks_so_far(void)
{
	pthread_mutex_lock(&seen.lock);
	unsigned looks = seen.looks;
	pthread_mutex_unlock(&seen.lock);
	return looks;
}

static unsigned in_progress(void)
{
	unsigned count = 0;
	pthread_mutex_lock(&seen.lock);
	for (unsigned i = 0; i < seen.request_count; i++)
		count += seen.requests[i].is_open &&
			 REAL(aio_error)(seen.requests[i].cb) == EINPROGRESS;
	pthread_mutex_unlock(&seen.lock);
	return count;
}

/* Requests whose result nobody has taken from glibc. */
static unsigned results_not_taken(void)
{
	unsigned count = 0;
	pthread_mutex_lock(&seen.lock);
	for (unsigned i = 0; i < seen.request_count; i++)
		count += seen.requests[i].is_open;
	pthread_mutex_unlock(&seen.lock);
	return count;
}

/* Until no more than `left` requests are in progress, and whoever is told of the others has heard. */
static void wait_until_over(unsigned left)
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (in_progress() > left && clock_ns() < deadline_ns)
		usleep(200);
	wait_until_others_sleep();
}

/* The next request after `let_through` others is refused. */
static void refuse_request(int error, unsigned let_through)
{
	note("-- request number %u from here on is refused with %s", let_through + 1,
	     errno_name(error));
	seen.refused_with = error;
	seen.let_through = let_through;
	seen.was_refused = false;
}

static void expect_refused(void)
{
	expect(seen.was_refused,
	       EXPECTED("the engine to call aio_read, aio_write or aio_fsync for an operation")
		       SAW("no such call"));
}

/*
 * A pipe stands for a slow disk: the engine is told of a file, and reads of it take until the test
 * writes. A read at position 0 of it is what glibc makes a plain read(2) of.
 */
static void make_slow_file(int ends[2])
{
	expect(pipe2(ends, O_CLOEXEC) == 0, "the test has no pipe");
}

static struct io_op *slow_read(struct subject *s, unsigned slot, int fd, unsigned fd_slot)
{
	return prepare(s, slot, IO_READ, fd, fd_slot, 0, 64);
}

#define SLOW_MOST 16u

struct slow_files {
	unsigned count;
	int ends[SLOW_MOST][2];
};

/* An engine open on `count` slow files, with a read of each that waits. */
static void open_slow_files(struct subject *s, struct slow_files *files, unsigned count)
{
	files->count = count;
	open_engine(s, count, count);
	for (unsigned i = 0; i < count; i++) {
		make_slow_file(files->ends[i]);
		attach(s, i, files->ends[i][0]);
		start(s, slow_read(s, i, files->ends[i][0], i));
	}
}

/* Ends what waits still, by closing what it waits for. */
static void close_slow_files(struct subject *s, struct slow_files *files)
{
	for (unsigned i = 0; i < files->count; i++)
		close(files->ends[i][1]);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i < files->count; i++)
		close(files->ends[i][0]);
}

/* Exercise 1: files. */

/* Who reads, writes and syncs is a thread of glibc's, once for each request that it was handed. */
static void glibc_makes_the_calls(struct subject *s)
{
	int fd = make_file(s, 16 * BLOCK, O_RDWR);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	calls_reset();
	unsigned before = seen.begun;
	for (unsigned i = 0; i < 10; i++) {
		perform(s, prepare(s, 0, IO_READ, fd, 0, (uint64_t)BLOCK * i, BLOCK));
		perform(s, prepare(s, 1, IO_WRITE, fd, 0, (uint64_t)BLOCK * i, BLOCK));
	}
	unsigned begun = seen.begun - before;
	expect(begun == 20, EXPECTED("20 requests of POSIX AIO for 20 operations") SAW("%u"),
	       begun);
	unsigned mine = calls_made("pread64 pwrite64 read write readv writev preadv pwritev");
	expect(mine == 0, EXPECTED("no read or write on the loop's own thread") SAW("%u"), mine);
	unsigned reads = calls_made_by_workers("pread64 preadv read");
	unsigned writes = calls_made_by_workers("pwrite64 pwritev write");
	expect(reads == 10 && writes == 10,
	       EXPECTED("10 reads and 10 writes by glibc's threads") SAW("%u and %u"), reads,
	       writes);
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
	unsigned full = calls_made_by_workers("fsync"), only_data;
	expect(full == 1, EXPECTED("one fsync for IO_FSYNC") SAW("%u"), full);
	calls_reset();
	perform(s, prepare(s, 0, IO_FDATASYNC, fd, 0, 0, 0));
	only_data = calls_made_by_workers("fdatasync");
	expect(only_data == 1, EXPECTED("one fdatasync for IO_FDATASYNC") SAW("%u"), only_data);
	close_engine(s);
	close(fd);
}

/* What a thread's call fails with is the operation's result. The call is not made again. */
static void tells_what_fails(struct subject *s)
{
	static const struct {
		enum io_kind kind;
		const char *calls;
		int error;
	} faults[] = {
		{ IO_READ, "pread64", EIO },	  { IO_READ, "pread64", EAGAIN },
		{ IO_WRITE, "pwrite64", ENOSPC }, { IO_WRITE, "pwrite64", EDQUOT },
		{ IO_FSYNC, "fsync", EIO },	  { IO_FDATASYNC, "fdatasync", EIO },
	};
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 2, 1);
	attach(s, 0, fd);
	for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) {
		bool syncs = faults[i].kind == IO_FSYNC || faults[i].kind == IO_FDATASYNC;
		calls_reset();
		fail_call(faults[i].calls, faults[i].error, 0);
		int64_t n = perform(s, prepare(s, 0, faults[i].kind, fd, 0, 0, syncs ? 0 : BLOCK));
		call_failed();
		expect(n == -faults[i].error, WHEN("%s fails with %s") EXPECTED("-%s") SAW("%s"),
		       failing_call(), errno_name(faults[i].error), errno_name(faults[i].error),
		       answer(n));
		unsigned calls = calls_made_by_workers(faults[i].calls);
		expect(calls == 1, WHEN("%s fails") EXPECTED("one call") SAW("%u"), faults[i].calls,
		       calls);
	}
	close_engine(s);
	close(fd);
}

/* An operation for which there is no call fails, and what an earlier call left in errno is not its own. */
static void tells_that_there_is_no_call(struct subject *s)
{
	open_engine(s, 1, 1);
	errno = 0;
	int64_t result = perform(s, prepare(s, 0, IO_KIND_COUNT, -1, 0, 0, 0));
	expect(result < 0, EXPECTED("-errno from a kind that does not exist") SAW("%s"),
	       answer(result));
	close_engine(s);
}

/* Bytes of address space that this process has, and of memory that malloc() has given out. */
static size_t address_space(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	expect(file && fscanf(file, "%lu", &pages) == 1, "the test cannot read /proc/self/statm");
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t memory_in_use(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

#define DEPTH_LARGE 100000u /* the control blocks of so many are 16 MB and more */
#define STEP_BYTES  (256 * 1024)
#define STEPS	    120
#define GROWTHS_MAX 8

/* One READ in the last slot. */
static int64_t read_in_last_slot(struct subject *s, struct engine *engine, int fd, char *buf)
{
	struct reason why = { "" };
	struct io_op op = { .kind = IO_READ, .fd = fd, .buf = buf, .len_bytes = 1 };
	struct io_op *offered = &op, *done[1];
	op.slot = DEPTH_LARGE - 1;
	if (s->ops->attach)
		s->ops->attach(engine, 0, fd, IO_FD_FILE, &why);
	expect(s->ops->submit(engine, &offered, 1) == 1, "the read is not accepted");
	expect(s->ops->reap(engine, done, 1, 1, PATIENCE_NS) == 1, "the read never came back");
	return op.result;
}

/* However much memory there is: open() says that it is too little, and keeps none; or the engine works. */
static void opens_whole_or_not_at_all(struct subject *s)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	test_skipped("a sanitizer ends the program where memory is short");
#endif
	static char arena[BLOCK] __attribute__((aligned(4096)));
	const struct engine_config config = { .depth = DEPTH_LARGE,
					      .max_fds = 1,
					      .arena = arena,
					      .arena_len_bytes = sizeof arena,
					      .cpu_count = 1,
					      .options = s->options };
	struct rlimit before;
	unsigned opened = 0, refused = 0, growths = 0;
	size_t used = memory_in_use();
	int fd = make_file(s, BLOCK, O_RDONLY);
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	getrlimit(RLIMIT_AS, &before);
	for (unsigned i = 0; i < STEPS; i++) {
		struct reason why = { "" };
		struct engine *engine = NULL;
		size_t space = address_space();
		struct rlimit some = { space + (size_t)i * STEP_BYTES, before.rlim_max };
		setrlimit(RLIMIT_AS, &some);
		int rc = s->ops->open(&engine, &config, &why);
		setrlimit(RLIMIT_AS, &before);
		if (rc == 0) {
			opened++;
			int64_t n = read_in_last_slot(s, engine, fd, arena);
			expect(n == 1, EXPECTED("1 byte") SAW("%s"), answer(n));
			s->ops->close(engine);
			break; /* with more memory it opens, too */
		}
		refused++;
		expect(rc == -ENOMEM && why.text[0],
		       WHEN("with %u KiB of memory") EXPECTED("-ENOMEM and words from open()")
			       SAW("%s and \"%s\""),
		       i * (STEP_BYTES / 1024), answer(rc), why.text);
		/* malloc()'s cache keeps what is freed first, and not for ever. */
		growths += memory_in_use() > used;
		used = memory_in_use();
		expect(growths <= GROWTHS_MAX,
		       EXPECTED("open() to keep no memory when it fails")
			       SAW("%zu bytes in use, and more each time"),
		       used);
	}
	if (opened == 0 || refused == 0)
		test_skipped("RLIMIT_AS limits nothing here, or memory is short anyway");
	close(fd);
}

/* aio_return(3): only when it is over, and once. Afterwards glibc has forgotten the request. */
static void takes_each_result_once(struct subject *s)
{
	struct slow_files files;
	struct io_op *done[4];
	open_slow_files(s, &files, 4);
	for (unsigned i = 0; i < 3; i++)
		reap(s, done, 0, 4, 0);
	for (unsigned i = 4; i-- > 0;) {
		peer_sends(files.ends[i][1], "late", 4);
		await(s, &s->op[i]);
		expect(s->op[i].result == 4, EXPECTED("4 bytes") SAW("%s"),
		       answer(s->op[i].result));
		reap(s, done, 0, 4, 0);
	}
	int64_t n = perform(s, prepare(s, 0, IO_WRITE, files.ends[0][0], 0, 0, 64));
	expect(n == -EBADF, EXPECTED("-EBADF from a write to what is only for reading") SAW("%s"),
	       answer(n));
	close_slow_files(s, &files);
	expect(seen.too_early == 0,
	       EXPECTED("aio_return() of requests that are over") SAW("%u that were not"),
	       seen.too_early);
	expect(seen.too_often == 0,
	       EXPECTED("one aio_return() for a request") SAW("it again for %u"), seen.too_often);
	for (unsigned i = 0; i < seen.request_count; i++)
		expect(!seen.requests[i].is_open,
		       EXPECTED("aio_return() for each request that is over")
			       SAW("none for request %u"),
		       i);
}

/* A sigevent that is all zeros is SIGEV_SIGNAL: glibc then makes a system call to send signal 0. */
static void nobody_is_told(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDWR);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	perform(s, prepare(s, 0, IO_WRITE, fd, 0, 0, BLOCK));
	perform(s, prepare(s, 0, IO_FSYNC, fd, 0, 0, 0));
	expect(seen.no_signals == 0,
	       EXPECTED("SIGEV_NONE: nobody is told of the end, and collect() asks")
		       SAW("%u requests for signal 0 (0 is SIGEV_SIGNAL)"),
	       seen.no_signals);
	close_engine(s);
	close(fd);
}

/* What is over comes back, whatever the order in which it ends, and whatever still waits. */
static void finds_what_is_over(struct subject *s)
{
	static const unsigned order[] = { 2, 7, 0, 1, 6, 3, 5, 4 };
	struct slow_files files;
	open_slow_files(s, &files, 8);
	for (unsigned i = 0; i < 8; i++) {
		unsigned slot = order[i];
		char bytes[3] = { pattern_byte(slot), pattern_byte(slot + 100), 'x' };
		peer_sends(files.ends[slot][1], bytes, sizeof bytes);
		await(s, &s->op[slot]);
		expect(s->op[slot].result == 3 &&
			       memcmp(buffer_of(s, slot), bytes, sizeof bytes) == 0,
		       EXPECTED("the 3 bytes of file %u") SAW("%s, or others"), slot,
		       answer(s->op[slot].result));
		expect(s->inflight == 7 - i, EXPECTED("%u to wait still") SAW("%u"), 7 - i,
		       s->inflight);
	}
	close_slow_files(s, &files);
}

/* Several end before anybody looks. */
static void finds_all_that_is_over(struct subject *s)
{
	struct slow_files files;
	struct io_op *done[8];
	open_slow_files(s, &files, 8);
	for (unsigned i = 0; i < 8; i += i == 2 ? 2 : 1)
		peer_sends(files.ends[i][1], "bytes", 5);
	wait_until_over(1);
	unsigned n = reap(s, done, 0, 8, 0);
	expect(n == 7, EXPECTED("the 7 that are over, of 8") SAW("%u"), n);
	expect(s->op[3].in_flight, "the one that waits came back");
	close_slow_files(s, &files);
}

/* glibc has a queue for each descriptor, and one thread for each queue. */
static void one_descriptor_is_served_by_one_thread(struct subject *s)
{
	int ends[2];
	make_slow_file(ends);
	open_engine(s, 8, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 0; i < 8; i++)
		start(s, slow_read(s, i, ends[0], 0));
	wait_until_others_sleep();
	unsigned threads = threads_started();
	expect(s->inflight == 8, EXPECTED("8 reads in flight") SAW("%u"), s->inflight);
	expect(threads == 1, EXPECTED("one thread of glibc's for one descriptor") SAW("%u"),
	       threads);
	close(ends[1]);
	await_all(s);
	close_engine(s);
	close(ends[0]);
}

static void sixteen_descriptors_are_served_by_sixteen(struct subject *s)
{
	struct slow_files files;
	open_slow_files(s, &files, 16);
	wait_until_others_sleep();
	unsigned threads = threads_started();
	expect(threads == 16, EXPECTED("a thread of glibc's for each of 16 descriptors") SAW("%u"),
	       threads);
	peer_sends(files.ends[15][1], "last", 4);
	await(s, &s->op[15]);
	expect(s->op[15].result == 4 && s->inflight == 15,
	       EXPECTED("the last one back, and 15 that wait") SAW("%s, and %u"),
	       answer(s->op[15].result), s->inflight);
	close_slow_files(s, &files);
}

/* Exercise 2: waiting. */

#define SILENCE_NS (300 * NS_PER_MS)
#define LOOKS_MAX  40u

static void sleeps_until_one_is_over(struct subject *s)
{
	struct slow_files files;
	struct io_op *done[3];
	struct speaker speaker = { .pause_ns = SILENCE_NS, .count = 1 };
	open_slow_files(s, &files, 3);
	unsigned n = reap(s, done, 0, 3, 0);
	expect(n == 0, EXPECTED("three reads that wait") SAW("%u come back"), n);
	speaker.fds[0] = files.ends[1][1];
	unsigned before = looks_so_far();
	begin_speaking(&speaker);
	n = reap(s, done, 1, 3, -1);
	pthread_join(speaker.thread, NULL);
	unsigned looks = looks_so_far() - before;
	expect(n == 1 && done[0] == &s->op[1], EXPECTED("the read whose bytes came") SAW("%u"), n);
	expect(looks <= LOOKS_MAX,
	       EXPECTED("the engine to sleep in %lld ms in which nothing happened")
		       SAW("%u calls of aio_error and aio_suspend"),
	       (long long)(SILENCE_NS / NS_PER_MS), looks);
	close_slow_files(s, &files);
}

/* A wait without end has a limit for the sake of signals. It is one that nobody lives to see. */
static void an_endless_wait_has_a_far_limit(struct subject *s)
{
	const time_t far_away_s = 365 * 24 * 3600;
	struct slow_files files;
	struct io_op *done[1];
	struct speaker speaker = { .pause_ns = 20 * NS_PER_MS, .count = 1 };
	open_slow_files(s, &files, 1);
	speaker.fds[0] = files.ends[0][1];
	seen.shortest_limit_s = far_away_s;
	begin_speaking(&speaker);
	unsigned n = reap(s, done, 1, 1, -1);
	pthread_join(speaker.thread, NULL);
	expect(n == 1, EXPECTED("the read whose bytes came") SAW("%u"), n);
	expect(seen.shortest_limit_s == far_away_s,
	       WHEN("in a wait without end") EXPECTED("a time limit that is years away")
		       SAW("%lld s"),
	       (long long)seen.shortest_limit_s);
	close_slow_files(s, &files);
}

/* One wait in which nothing comes: as long as it was to be, and asleep. */
static void wait_in_vain(struct subject *s, int64_t timeout_ns)
{
	struct io_op *done[1];
	uint64_t before_ns = clock_ns();
	unsigned before = looks_so_far();
	unsigned n = reap(s, done, 1, 1, timeout_ns);
	int64_t waited_ns = (int64_t)(clock_ns() - before_ns);
	unsigned looks = looks_so_far() - before;
	expect(n == 0, "a read completed with nothing there");
	expect(waited_ns >= timeout_ns - 10 * NS_PER_US && waited_ns < timeout_ns + PATIENCE_NS,
	       EXPECTED("reap() to wait %lld us") SAW("it back after %lld"),
	       (long long)(timeout_ns / NS_PER_US), (long long)(waited_ns / NS_PER_US));
	expect(looks <= LOOKS_MAX, EXPECTED("the engine to sleep meanwhile") SAW("%u looks"),
	       looks);
}

/* Half a millisecond is a wait. On a busy machine even no wait at all may last so long, so: often. */
static void keeps_its_timeouts(struct subject *s)
{
	struct slow_files files;
	struct io_op *done[1];
	open_slow_files(s, &files, 1);
	for (unsigned i = 0; i < 40; i++)
		wait_in_vain(s, 400 * NS_PER_US);
	wait_in_vain(s, 20 * NS_PER_MS);
	wait_in_vain(s, 1100 * NS_PER_MS);
	unsigned n = reap(s, done, 0, 1, -1);
	expect(n == 0, "a read completed with nothing there");
	close_slow_files(s, &files);
}

/* reap() does not wait when it is not to, and then it still looks. */
static void looks_without_waiting(struct subject *s)
{
	struct slow_files files;
	struct io_op *done[2];
	open_slow_files(s, &files, 2);
	unsigned n = reap(s, done, 1, 2, 0);
	expect(n == 0, "a read completed with nothing there");
	n = reap(s, done, 0, 2, -1);
	expect(n == 0, "a read completed with nothing there");
	peer_sends(files.ends[0][1], "bytes", 5);
	wait_until_over(1);
	n = reap(s, done, 0, 2, -1);
	expect(n == 1, EXPECTED("what is over from a reap() that need not wait") SAW("%u"), n);
	close_slow_files(s, &files);
}

static void waits_for_as_many_as_asked(struct subject *s)
{
	struct slow_files files;
	struct io_op *done[4];
	struct speaker speaker = { .pause_ns = 3 * NS_PER_MS, .count = 3 };
	open_slow_files(s, &files, 4);
	for (unsigned i = 0; i < 3; i++)
		speaker.fds[i] = files.ends[3 - i][1];
	begin_speaking(&speaker);
	unsigned n = reap(s, done, 3, 4, PATIENCE_NS);
	pthread_join(speaker.thread, NULL);
	expect(n == 3, EXPECTED("reap() to wait for the 3 that were asked for") SAW("%u"), n);
	n = reap(s, done, 1, 4, A_MOMENT_NS);
	expect(n == 0, "a read completed with nothing there");
	close_slow_files(s, &files);
}

/*
 * Two are waited for, and one comes after two thirds of the limit. Returns how long reap() took, or -1
 * where the machine was too busy for it to come in time.
 */
static int64_t wait_for_two_of_which_one_comes(struct subject *s, int64_t limit_ns)
{
	struct slow_files files;
	struct io_op *done[2];
	struct speaker speaker = { .pause_ns = limit_ns * 2 / 3, .count = 1 };
	open_slow_files(s, &files, 2);
	speaker.fds[0] = files.ends[0][1];
	begin_speaking(&speaker);
	uint64_t before_ns = clock_ns();
	unsigned n = reap(s, done, 2, 2, limit_ns);
	int64_t waited_ns = (int64_t)(clock_ns() - before_ns);
	pthread_join(speaker.thread, NULL);
	close_slow_files(s, &files);
	return n == 1 ? waited_ns : -1;
}

/* After the first, what is left of the limit is a third. On a busy machine a longer limit is tried. */
static void what_comes_does_not_prolong_the_wait(struct subject *s)
{
	const int64_t limits_ms[] = { 150, 600, 1500 };
	int64_t waited_ns = -1;
	for (unsigned i = 0; i < sizeof limits_ms / sizeof *limits_ms; i++) {
		waited_ns = wait_for_two_of_which_one_comes(s, limits_ms[i] * NS_PER_MS);
		if (waited_ns >= 0 && waited_ns < limits_ms[i] * NS_PER_MS * 7 / 5)
			return;
	}
	expect(waited_ns < 0,
	       EXPECTED("a wait of %lld ms, in which one of two comes") SAW("%lld ms"),
	       (long long)limits_ms[2], (long long)(waited_ns / NS_PER_MS));
	test_skipped("this machine is too busy: a thread that sleeps a second wakes much later");
}

static void a_signal_ends_the_wait(struct subject *s)
{
	const int64_t timeouts_ns[] = { 3 * NS_PER_S, -1 };
	struct slow_files files;
	struct io_op *done[1];
	open_slow_files(s, &files, 1);
	for (unsigned i = 0; i < 2; i++) {
		timer_t timer = signal_every(30 * NS_PER_MS);
		uint64_t before_ns = clock_ns();
		unsigned n = reap(s, done, 1, 1, timeouts_ns[i]);
		int64_t waited_ms = (int64_t)(clock_ns() - before_ns) / NS_PER_MS;
		timer_delete(timer);
		expect(n == 0, EXPECTED("nothing, after a signal") SAW("%u"), n);
		expect(waited_ms < 2500,
		       EXPECTED("a signal to end the wait") SAW("reap() back after %lld ms"),
		       (long long)waited_ms);
	}
	peer_sends(files.ends[0][1], "bytes", 5);
	await(s, &s->op[0]);
	expect(s->op[0].result == 5, EXPECTED("5 bytes, after the signals") SAW("%s"),
	       answer(s->op[0].result));
	close_slow_files(s, &files);
}

/* A thread of the test's own, which ends a read while the loop's thread is in aio_suspend(). */
static struct {
	pthread_t thread;
	int peer;
	sem_t may_end, has_ended;
} the_end;

static void *end_the_read(void *unused)
{
	sem_wait(&the_end.may_end);
	peer_sends(the_end.peer, "bytes", 5);
	wait_until_over(0);
	sem_post(&the_end.has_ended);
	return unused;
}

static void have_the_read_ended(void)
{
	sem_post(&the_end.may_end);
	sem_wait(&the_end.has_ended);
}

/* The read ends while the signal ends the wait: reap() has it, and says so. */
static void a_signal_hides_nothing(struct subject *s)
{
	struct slow_files files;
	struct io_op *done[1];
	open_slow_files(s, &files, 1);
	the_end.peer = files.ends[0][1];
	expect(pthread_create(&the_end.thread, NULL, end_the_read, NULL) == 0,
	       "the test has no thread");
	seen.meanwhile = have_the_read_ended;
	seen.suspend_fails_with = EINTR;
	note("-- the next aio_suspend() fails with EINTR, after the read has ended");
	unsigned n = reap(s, done, 1, 1, A_MOMENT_NS);
	bool waited = seen.suspend_fails_with == 0;
	seen.suspend_fails_with = 0;
	seen.meanwhile = NULL;
	if (!waited) /* it waits in another call, of which nothing is known here */
		sem_post(&the_end.may_end);
	pthread_join(the_end.thread, NULL);
	expect(!waited || (n == 1 && s->op[0].result == 5),
	       WHEN("a read ended, and a signal came") EXPECTED("the read from reap()")
		       SAW("%u back"),
	       n);
	close_slow_files(s, &files);
}

/* Signals for the loop's thread, whose handler has SA_RESTART, until it is back. */
struct restarter {
	pthread_t thread, loop;
	int fd; /* what ends the wait in their place */
	atomic_bool is_back;
	bool was_in_vain;
};

static void let_it_be(int signal_number)
{
	(void)signal_number;
}

static void *signal_until_it_is_back(void *argument)
{
	struct restarter *restarter = argument;
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (!atomic_load(&restarter->is_back) && clock_ns() < deadline_ns) {
		usleep(30000);
		pthread_kill(restarter->loop, SIGUSR1);
	}
	restarter->was_in_vain = !atomic_load(&restarter->is_back);
	if (write(restarter->fd, "bytes", 5) != 5)
		note("test     cannot write");
	return NULL;
}

/* signal(7): after such a handler some calls go on, as if nothing had been. */
static void a_signal_that_restarts_ends_the_wait(struct subject *s)
{
	struct slow_files files;
	struct io_op *done[1];
	struct sigaction action = { .sa_handler = let_it_be, .sa_flags = SA_RESTART };
	sigaction(SIGUSR1, &action, NULL);
	open_slow_files(s, &files, 1);
	struct restarter restarter = { .loop = pthread_self(), .fd = files.ends[0][1] };
	note("test     signals come, whose handler has SA_RESTART");
	expect(pthread_create(&restarter.thread, NULL, signal_until_it_is_back, &restarter) == 0,
	       "the test has no thread");
	unsigned n = reap(s, done, 1, 1, -1);
	atomic_store(&restarter.is_back, true);
	pthread_join(restarter.thread, NULL);
	expect(n == 0 && !restarter.was_in_vain,
	       EXPECTED("a signal to end the wait, although its handler has SA_RESTART")
		       SAW("the wait go on"));
	await(s, &s->op[0]);
	expect(s->op[0].result == 5, EXPECTED("5 bytes, after the signals") SAW("%s"),
	       answer(s->op[0].result));
	close_slow_files(s, &files);
}

/* Any other failure of the wait means that the engine is broken. It must not wait on. */
static void a_wait_that_fails_is_told(struct subject *s)
{
	struct slow_files files;
	struct io_op *done[1];
	open_slow_files(s, &files, 1);
	seen.suspend_fails_with = ENOSYS;
	note("-- from here the next aio_suspend() fails with ENOSYS");
	int n = s->ops->reap(s->engine, done, 1, 1, A_MOMENT_NS);
	bool failed = seen.suspend_fails_with == 0;
	seen.suspend_fails_with = 0;
	expect(n == (failed ? -ENOSYS : 0),
	       WHEN("aio_suspend() fails with ENOSYS") EXPECTED("-ENOSYS from reap()") SAW("%s"),
	       answer(n));
	close_slow_files(s, &files);
}

/* Exercise 3: sockets. */

#define QUIET	   30u
#define QUIET_MOST 120u

/* Receives wait on more connections than glibc starts threads for; then the last one speaks. */
static void quiet_connections(struct subject *s, unsigned quiet, bool and_a_file)
{
	int ends[QUIET_MOST + 1][2], fd = -1;
	struct reason why = { "" };
	open_engine(s, quiet + 1, quiet + 2);
	for (unsigned i = 0; i <= quiet; i++) {
		make_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
	}
	if (and_a_file) {
		fd = make_file(s, BLOCK, O_RDONLY);
		int rc = s->ops->attach ? s->ops->attach(s->engine, quiet + 1, fd, IO_FD_FILE, &why)
					: 0;
		expect(rc == 0, EXPECTED("0 from attach() of a file") SAW("%s"), answer(rc));
	}
	for (unsigned i = 0; i <= quiet; i++)
		start(s, prepare_receive(s, i, ends[i][0], i));
	struct io_op *speaks = &s->op[quiet], *done[1];
	for (unsigned round = 0; round < 3; round++) {
		peer_sends(ends[quiet][1], "hello", 5);
		uint64_t until_ns = clock_ns() + 3 * (uint64_t)PATIENCE_NS;
		unsigned n = reap(s, done, 1, 1, 3 * PATIENCE_NS);
		expect(n == 1 && clock_ns() < until_ns,
		       WHEN("the only one that speaks among %u") EXPECTED("it to end the wait")
			       SAW("the end of the time end it"),
		       quiet + 1);
		expect(speaks->result == 5,
		       EXPECTED("5 bytes on the connection that speaks") SAW("%s"),
		       answer(speaks->result));
		start(s, prepare_receive(s, quiet, ends[quiet][0], quiet));
	}
	expect(s->inflight == quiet + 1, EXPECTED("%u receives in flight") SAW("%u"), quiet + 1,
	       s->inflight);
	for (unsigned i = 0; i <= quiet; i++)
		close(ends[i][1]);
	await_all(s);
	close_engine(s);
	for (unsigned i = 0; i <= quiet; i++)
		close(ends[i][0]);
	if (fd >= 0)
		close(fd);
}

static void quiet_connections_hold_up_nobody(struct subject *s)
{
	quiet_connections(s, QUIET, false);
}

/* As many threads as there are receives in flight, and all of these in the list of aio_suspend(). */
static void many_quiet_connections_hold_up_nobody(struct subject *s)
{
	quiet_connections(s, QUIET_MOST, false);
}

static void a_file_changes_nothing_for_them(struct subject *s)
{
	quiet_connections(s, QUIET, true);
}

/* The engine cannot end glibc's threads: it can only say how long they live on. */
static void threads_outlive_it_by_a_second(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	expect(seen.idle_s == 1,
	       EXPECTED("threads of glibc's that live on for 1 s (aio_idle_time)") SAW("%d"),
	       seen.idle_s);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* A socket has no position, so it does not matter what stands in `offset`. */
static void a_socket_has_no_position(struct subject *s)
{
	static const uint64_t offsets[] = { IO_NO_OFFSET, 0, 4096, UINT64_C(1) << 62 };
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 0; i < sizeof offsets / sizeof *offsets; i++) {
		peer_sends(ends[1], "0123456789", 10);
		int64_t n = perform(s, prepare(s, 0, IO_RECV, ends[0], 0, offsets[i], 64));
		expect(n == 10,
		       WHEN("the offset of a receive is %lld")
			       EXPECTED("the 10 bytes that are there") SAW("%s"),
		       (long long)offsets[i], answer(n));
		n = perform(s, prepare(s, 1, IO_SEND, ends[0], 0, offsets[i], 10));
		expect(n == 10,
		       WHEN("the offset of a send is %lld") EXPECTED("10 bytes sent") SAW("%s"),
		       (long long)offsets[i], answer(n));
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* A receive is one request and one call of a thread's, and so is a send. */
static void a_message_is_one_request(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	unsigned before = seen.begun;
	calls_reset();
	for (unsigned i = 0; i < 20; i++) {
		peer_sends(ends[1], "0123456789", 10);
		int64_t n = perform(s, prepare_receive(s, 0, ends[0], 0));
		expect(n == 10, EXPECTED("the 10 bytes that are there") SAW("%s"), answer(n));
		n = perform(s, prepare_send(s, 1, ends[0], 0, 10));
		expect(n == 10, EXPECTED("10 bytes sent") SAW("%s"), answer(n));
	}
	unsigned begun = seen.begun - before;
	expect(begun == 40, EXPECTED("40 requests for 40 operations") SAW("%u"), begun);
	unsigned calls = calls_made("read recvfrom recvmsg write sendto sendmsg");
	expect(calls == 0, EXPECTED("no receive or send on the loop's own thread") SAW("%u"),
	       calls);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Exercise 4: a request that is refused. */

/* One submit() of operations that the test has prepared. Returns how many were accepted. */
static unsigned offer(struct subject *s, struct io_op *const *ops, unsigned count)
{
	int n = s->ops->submit(s->engine, ops, count);
	expect(n >= 0 && (unsigned)n <= count, EXPECTED("a count up to %u from submit()") SAW("%s"),
	       count, answer(n));
	for (int i = 0; i < n; i++)
		ops[i]->in_flight = 1;
	s->inflight += (unsigned)n;
	return (unsigned)n;
}

/* An engine open on a slow file, of which `waiting` reads wait, and up to four more are prepared. */
static void open_slow_file(struct subject *s, int ends[2], unsigned waiting, struct io_op *next[4])
{
	make_slow_file(ends);
	open_engine(s, waiting + 4, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 0; i < waiting; i++)
		start(s, slow_read(s, i, ends[0], 0));
	for (unsigned i = 0; i < 4; i++)
		next[i] = slow_read(s, waiting + i, ends[0], 0);
}

static void close_slow_file(struct subject *s, const int ends[2])
{
	close(ends[1]);
	await_all(s);
	close_engine(s);
	close(ends[0]);
}

static void no_room_is_back_pressure(struct subject *s)
{
	int ends[2];
	struct io_op *next[4], *done[1];
	open_slow_file(s, ends, 1, next);
	refuse_request(EAGAIN, 0);
	unsigned n = offer(s, next, 1);
	expect_refused();
	expect(n == 0,
	       WHEN("no room, while a read waits")
		       EXPECTED("0 accepted: the driver offers it again") SAW("%u accepted"),
	       n);
	unsigned back = reap(s, done, 0, 1, 0);
	expect(back == 0, EXPECTED("nothing back yet") SAW("%u"), back);
	n = offer(s, next, 1);
	expect(n == 1, WHEN("there is room again") EXPECTED("it accepted") SAW("%u"), n);
	peer_sends(ends[1], "first", 5);
	await(s, &s->op[0]);
	peer_sends(ends[1], "second", 6);
	await(s, next[0]);
	expect(next[0]->result == 6,
	       EXPECTED("6 bytes of the one that was offered again") SAW("%s"),
	       answer(next[0]->result));
	close_slow_file(s, ends);
}

/* The first of those offered are accepted, and none behind the one that is refused. */
static void accepts_those_before_it(struct subject *s)
{
	int ends[2];
	struct io_op *next[4];
	open_slow_file(s, ends, 0, next);
	unsigned before = seen.begun;
	refuse_request(EAGAIN, 2);
	unsigned n = offer(s, next, 4);
	expect_refused();
	expect(n == 2, WHEN("no room for the third of four") EXPECTED("2 accepted") SAW("%u"), n);
	unsigned begun = seen.begun - before;
	expect(begun == 2,
	       EXPECTED("nothing begun behind the one that is refused") SAW("%u requests begun"),
	       begun);
	n = offer(s, next + 2, 2);
	expect(n == 2, EXPECTED("the other two accepted later") SAW("%u"), n);
	for (unsigned i = 0; i < 4; i++) {
		peer_sends(ends[1], "bytes", i + 1);
		await(s, next[i]);
		expect(next[i]->result == i + 1, EXPECTED("%u bytes for read %u") SAW("%s"), i + 1,
		       i, answer(next[i]->result));
	}
	close_slow_file(s, ends);
}

/* With nothing to wait for, the driver would offer it for ever. */
static void no_room_for_the_only_one_is_its_result(struct subject *s)
{
	int ends[2];
	struct io_op *next[4];
	open_slow_file(s, ends, 0, next);
	for (unsigned round = 0; round < 2; round++) {
		refuse_request(EAGAIN, 0);
		unsigned n = offer(s, next, 1);
		expect_refused();
		expect(n == 1,
		       WHEN("no room, with nothing in flight") EXPECTED("1 accepted") SAW("%u"), n);
		await(s, next[0]);
		expect(next[0]->result == -EAGAIN, EXPECTED("-EAGAIN") SAW("%s"),
		       answer(next[0]->result));
	}
	close_slow_file(s, ends);
}

/* What reap() has not handed out yet is still held. */
static void what_is_not_reaped_is_held(struct subject *s)
{
	int ends[2];
	struct io_op *next[4];
	open_slow_file(s, ends, 0, next);
	refuse_request(ENOSYS, 0);
	unsigned n = offer(s, next, 1);
	expect_refused();
	expect(n == 1, WHEN("ENOSYS") EXPECTED("1 accepted") SAW("%u"), n);
	refuse_request(EAGAIN, 0);
	n = offer(s, next + 1, 1);
	expect_refused();
	expect(n == 0,
	       WHEN("no room, while a result is not reaped") EXPECTED("0 accepted") SAW("%u"), n);
	await_all(s);
	expect(next[0]->result == -ENOSYS, EXPECTED("-ENOSYS") SAW("%s"), answer(next[0]->result));
	close_slow_file(s, ends);
}

/* Only EAGAIN passes with time. And it is no matter what else is in flight. */
static void each_other_refusal_is_a_result(struct subject *s)
{
	static const int errors[] = { ENOSYS, EINVAL, EBADF, ENOMEM, EIO };
	int ends[2];
	struct io_op *next[4];
	open_slow_file(s, ends, 1, next);
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
		refuse_request(errors[i], 0);
		unsigned n = offer(s, next, 1);
		expect_refused();
		expect(n == 1, WHEN("refused with errno %d") EXPECTED("1 accepted") SAW("%u"),
		       errors[i], n);
		await(s, next[0]);
		expect(next[0]->result == -errors[i], EXPECTED("-%d") SAW("%s"), errors[i],
		       answer(next[0]->result));
	}
	close_slow_file(s, ends);
}

/* Where no thread can be started and none is there, glibc refuses the first request. */
static void without_a_thread_it_says_so(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 1, 1);
	attach(s, 0, fd);
	fail_call("clone3 clone", EAGAIN, 0);
	int64_t n = perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	bool failed = call_failed();
	expect(failed, EXPECTED("glibc to start a thread for the first request") SAW("none"));
	expect(n == -EAGAIN, WHEN("no thread can be started") EXPECTED("-EAGAIN") SAW("%s"),
	       answer(n));
	n = perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	expect(n == BLOCK, WHEN("after that") EXPECTED("%u bytes") SAW("%s"), BLOCK, answer(n));
	close_engine(s);
	close(fd);
}

/* Exercise 5: cancelling. */

/* On one descriptor one read is under way, and those behind it have not begun. */
static void takes_back_what_has_not_begun(struct subject *s)
{
	int ends[2];
	struct io_op *next[4];
	open_slow_file(s, ends, 4, next);
	wait_until_others_sleep();
	s->ops->cancel(s->engine);
	for (unsigned i = 1; i < 4; i++) {
		await(s, &s->op[i]);
		expect(s->op[i].result == -ECANCELED,
		       WHEN("after cancel") EXPECTED("-ECANCELED from read %u") SAW("%s"), i,
		       answer(s->op[i].result));
	}
	expect(s->op[0].in_flight, "the read that a thread performs came back too");
	unsigned left = results_not_taken();
	expect(left == 1,
	       WHEN("three reads were taken back, and one goes on")
		       EXPECTED("each result to be taken by aio_return(), once") SAW("%u left"),
	       left - 1);
	peer_sends(ends[1], "bytes", 5);
	await(s, &s->op[0]);
	expect(s->op[0].result == 5,
	       WHEN("after cancel, of the read that a thread performed")
		       EXPECTED("the 5 bytes that came for it") SAW("%s"),
	       answer(s->op[0].result));
	close_slow_file(s, ends);
}

static void cancel_one_takes_that_one(struct subject *s)
{
	int ends[2];
	struct io_op *next[4];
	open_slow_file(s, ends, 4, next);
	wait_until_others_sleep();
	cancel_one(s, &s->op[2]);
	await(s, &s->op[2]);
	expect(s->op[2].result == -ECANCELED,
	       WHEN("after cancel_one") EXPECTED("-ECANCELED") SAW("%s"), answer(s->op[2].result));
	static const unsigned others[] = { 0, 1, 3 };
	for (unsigned i = 0; i < 3; i++) {
		struct io_op *op = &s->op[others[i]];
		expect(op->in_flight, "read %u came back, and was not called back", others[i]);
		peer_sends(ends[1], "bytes", i + 1);
		await(s, op);
		expect(op->result == i + 1, EXPECTED("%u bytes for read %u") SAW("%s"), i + 1,
		       others[i], answer(op->result));
	}
	close_slow_file(s, ends);
}

/* glibc has one list for the process: what another engine has in it, behind the same descriptor, stays there. */
static void the_neighbour_goes_on(struct subject *s)
{
	enum { LENGTH = 64, THEIRS = 2 };
	static const char bytes[4 * LENGTH];
	for (unsigned all = 0; all < 2; all++) {
		struct subject other = { .ops = s->ops, .flavour = s->flavour };
		int ends[2];
		make_slow_file(ends);
		open_engine(s, 2, 1);
		open_engine(&other, THEIRS, 1);
		attach(s, 0, ends[0]);
		attach(&other, 0, ends[0]);
		start(s, slow_read(s, 0, ends[0], 0));
		for (unsigned i = 0; i < THEIRS; i++)
			start(&other, slow_read(&other, i, ends[0], 0));
		start(s, slow_read(s, 1, ends[0], 0));
		wait_until_others_sleep();
		if (all)
			s->ops->cancel(s->engine);
		else
			cancel_one(s, &s->op[1]);
		peer_sends(ends[1], bytes, sizeof bytes);
		await_all(s);
		await_all(&other);
		for (unsigned i = 0; i < THEIRS; i++)
			expect(other.op[i].result == LENGTH,
			       WHEN("after %s of another engine")
				       EXPECTED("the read that waits to bring %d bytes") SAW("%s"),
			       all ? "cancel()" : "cancel_one()", LENGTH,
			       answer(other.op[i].result));
		close_engine(&other);
		close_engine(s);
		close(ends[0]);
		close(ends[1]);
	}
}

/* A file is not for shutdown(2), also beside a socket: whoever performs its read will be done. */
static void a_file_is_not_shut_down(struct subject *s)
{
	int ends[2], sockets[2];
	struct reason why = { "" };
	make_slow_file(ends);
	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0, "no sockets");
	open_engine(s, 2, 2);
	attach(s, 0, ends[0]);
	int rc = s->ops->attach ? s->ops->attach(s->engine, 1, sockets[0], IO_FD_SOCKET, &why) : 0;
	expect(rc == 0, EXPECTED("0 from attach() of a socket") SAW("%s"), answer(rc));
	for (unsigned i = 0; i < 2; i++)
		start(s, slow_read(s, i, ends[0], 0));
	wait_until_others_sleep();
	calls_reset();
	cancel_one(s, &s->op[0]);
	cancel_one(s, &s->op[1]);
	unsigned calls = calls_made("shutdown");
	expect(calls == 0, EXPECTED("no shutdown for a file") SAW("%u"), calls);
	close(sockets[0]);
	close(sockets[1]);
	close_slow_file(s, ends);
}

/* A thread sleeps in a receive, and the peer says nothing. */
static void a_receive_that_sleeps_comes_back(struct subject *s)
{
	int ends[2][2];
	open_engine(s, 2, 2);
	for (unsigned i = 0; i < 2; i++) {
		make_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
		start(s, prepare_receive(s, i, ends[i][0], i));
	}
	wait_until_others_sleep();
	calls_reset();
	cancel_one(s, &s->op[0]);
	await(s, &s->op[0]);
	expect(s->op[0].result == 0 || s->op[0].result == -ECANCELED,
	       WHEN("after cancel_one") EXPECTED("0 or -ECANCELED") SAW("%s"),
	       answer(s->op[0].result));
	unsigned calls = calls_made("shutdown");
	expect(calls == 1, EXPECTED("one shutdown, of the socket that it is about") SAW("%u"),
	       calls);
	peer_sends(ends[1][1], "bytes", 5);
	await(s, &s->op[1]);
	expect(s->op[1].result == 5, EXPECTED("5 bytes on the other connection") SAW("%s"),
	       answer(s->op[1].result));
	close_engine(s);
	for (unsigned i = 0; i < 2; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/*
 * What is called back from a thread leaves its socket shut in both directions, whichever one it was. Unix
 * sockets: TCP may find more room for a send that waits.
 */
static void both_directions_are_shut(struct subject *s)
{
	for (unsigned sends = 0; sends < 2; sends++) {
		int ends[2];
		char byte = 0;
		make_pair(s, ends);
		if (sends)
			fill(s, ends[0]);
		open_engine(s, 1, 1);
		attach(s, 0, ends[0]);
		start(s, sends ? prepare_send(s, 0, ends[0], 0, BUFFER_BYTES)
			       : prepare_receive(s, 0, ends[0], 0));
		wait_until_others_sleep();
		cancel_one(s, &s->op[0]);
		await(s, &s->op[0]);
		ssize_t received = recv(ends[0], &byte, 1, MSG_DONTWAIT);
		ssize_t sent = send(ends[0], &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		int error = errno;
		expect(received == 0,
		       WHEN("after cancel_one of a %s") EXPECTED("the direction in to be shut")
			       SAW("it open"),
		       sends ? "send" : "receive");
		expect(sent < 0 && error == EPIPE,
		       WHEN("after cancel_one of a %s") EXPECTED("the direction out to be shut")
			       SAW("it open"),
		       sends ? "send" : "receive");
		close_engine(s);
		close(ends[0]);
		close(ends[1]);
	}
}

/* The request came too late: the bytes are its result, and the connection is still of use. */
static void what_is_over_is_left_alone(struct subject *s)
{
	int ends[2];
	make_pair(s, ends);
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
	start(s, prepare_receive(s, 0, ends[0], 0));
	peer_sends(ends[1], "bytes", 5);
	wait_until_over(0);
	calls_reset();
	cancel_one(s, &s->op[0]);
	await(s, &s->op[0]);
	expect(s->op[0].result == 5, EXPECTED("the 5 bytes that had come") SAW("%s"),
	       answer(s->op[0].result));
	unsigned calls = calls_made("shutdown");
	expect(calls == 0, WHEN("the receive was over") EXPECTED("no shutdown") SAW("%u"), calls);
	int64_t n = perform(s, prepare_send(s, 1, ends[0], 0, 7));
	expect(n == 7, EXPECTED("7 bytes sent afterwards") SAW("%s"), answer(n));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Exercise 6: what cannot be done. */

static void says_what_it_cannot_do(struct subject *s)
{
	static const struct {
		enum io_kind kind;
		enum io_fd_kind fd_kind;
		bool possible;
		const char *words;
	} pairs[] = {
		{ IO_READ, IO_FD_FILE, true, "READ on a file" },
		{ IO_WRITE, IO_FD_FILE, true, "WRITE on a file" },
		{ IO_FSYNC, IO_FD_FILE, true, "FSYNC on a file" },
		{ IO_FDATASYNC, IO_FD_FILE, true, "FDATASYNC on a file" },
		{ IO_RECV, IO_FD_SOCKET, true, "RECV on a socket" },
		{ IO_SEND, IO_FD_SOCKET, true, "SEND on a socket" },
		{ IO_NOP, IO_FD_NONE, false, "NOP" },
		{ IO_ACCEPT, IO_FD_LISTENER, false, "ACCEPT on a listener" },
		{ IO_CONNECT, IO_FD_SOCKET, false, "CONNECT on a socket" },
		{ IO_READ, IO_FD_PIPE, false, "READ on a pipe, which cannot be called back" },
		{ IO_WRITE, IO_FD_PIPE, false, "WRITE on a pipe, which cannot be called back" },
	};
	const struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	expect(s->ops->traits & IO_SERIALISES_DESCRIPTOR,
	       EXPECTED("the trait IO_SERIALISES_DESCRIPTOR: a receive that waits holds up a send")
		       SAW("it missing"));
	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct reason why = { "" };
		int rc = s->ops->supports(&config, pairs[i].kind, pairs[i].fd_kind, &why);
		expect(rc == (pairs[i].possible ? 0 : -EOPNOTSUPP),
		       EXPECTED("%s from supports() for %s") SAW("%s"),
		       pairs[i].possible ? "0" : "-EOPNOTSUPP", pairs[i].words, answer(rc));
		expect(rc == 0 || why.text[0], EXPECTED("a reason in words for %s") SAW("none"),
		       pairs[i].words);
	}
}

#define TEST(exercise_, name_, flavours_, run_, calls_)                                            \
	{                                                                                          \
		.name = name_, .exercise = exercise_, .engine = "posix_aio",                       \
		.flavours = flavours_, .run = run_, .allowed_calls = calls_                        \
	}

#define FILE_TEST(exercise, name, flavours, run)   TEST(exercise, name, flavours, run, FILING)
#define SOCKET_TEST(exercise, name, flavours, run) TEST(exercise, name, flavours, run, STREAMING)

const struct lab_test lab_tests[] = {
	FILE_TEST(1, "reads_the_right_blocks", FILES, file_read_right_data),
	FILE_TEST(1, "writes_the_right_blocks", FILES, file_write_right_data),
	FILE_TEST(1, "reads_up_to_the_end", FILES, file_read_across_end),
	FILE_TEST(1, "glibc_makes_the_calls", ONE(BUFFERED), glibc_makes_the_calls),
	FILE_TEST(1, "takes_each_result_once", ONE(BUFFERED), takes_each_result_once),
	FILE_TEST(1, "nobody_is_told", ONE(BUFFERED), nobody_is_told),
	FILE_TEST(1, "finds_what_is_over", ONE(BUFFERED), finds_what_is_over),
	FILE_TEST(1, "finds_all_that_is_over", ONE(BUFFERED), finds_all_that_is_over),
	FILE_TEST(1, "one_descriptor_is_served_by_one_thread", ONE(BUFFERED),
		  one_descriptor_is_served_by_one_thread),
	FILE_TEST(1, "sixteen_descriptors_are_served_by_sixteen", ONE(BUFFERED),
		  sixteen_descriptors_are_served_by_sixteen),
	FILE_TEST(1, "syncs", ONE(BUFFERED), file_sync),
	FILE_TEST(1, "syncs_as_it_was_asked", ONE(BUFFERED), syncs_as_it_was_asked),
	FILE_TEST(1, "tells_a_sync_that_fails", ONE(BUFFERED), file_sync_that_fails),
	FILE_TEST(1, "tells_a_bad_descriptor", ONE(BUFFERED), file_bad_descriptor),
	FILE_TEST(1, "tells_a_descriptor_that_only_reads", ONE(BUFFERED), file_write_to_read_only),
	FILE_TEST(1, "tells_a_bad_offset", ONE(BUFFERED), file_bad_offset),
	FILE_TEST(1, "tells_a_misaligned_buffer", ONE(DIRECT), file_misaligned_direct),
	FILE_TEST(1, "tells_what_fails", ONE(BUFFERED), tells_what_fails),
	FILE_TEST(1, "tells_that_there_is_no_call", ONE(NO_FD), tells_that_there_is_no_call),
	FILE_TEST(1, "keeps_all_bits_of_an_offset", ONE(BUFFERED), file_offsets_beyond_4_gib),
	FILE_TEST(1, "keeps_all_bits_of_a_length", ONE(BUFFERED), file_lengths_beyond_2_gib),
	FILE_TEST(1, "writes_up_to_a_limit", ONE(BUFFERED), file_write_up_to_a_limit),
	FILE_TEST(1, "moves_zero_bytes", ONE(BUFFERED), file_zero_bytes),
	FILE_TEST(1, "serves_descriptor_0", ONE(BUFFERED), descriptor_0_is_served),
	FILE_TEST(1, "keeps_two_engines_apart", ONE(BUFFERED), two_engines_on_files),
	FILE_TEST(1, "touches_only_result_and_next", ONE(BUFFERED), result_is_all_that_is_written),
	FILE_TEST(1, "fills_its_depth", ONE(BUFFERED), file_fills_its_depth),
	FILE_TEST(1, "keeps_min_and_max", ONE(BUFFERED), reap_keeps_min_and_max),
	FILE_TEST(1, "opens_and_closes_again", ONE(BUFFERED), opens_and_closes_again),
	FILE_TEST(1, "opens_without_memory_or_says_why_not", ONE(BUFFERED), open_without_memory),
	FILE_TEST(1, "opens_whole_or_not_at_all", ONE(BUFFERED), opens_whole_or_not_at_all),
	FILE_TEST(1, "open_tells_what_fails", ONE(BUFFERED), open_tells_what_fails),

	FILE_TEST(2, "sleeps_until_one_is_over", ONE(BUFFERED), sleeps_until_one_is_over),
	FILE_TEST(2, "an_endless_wait_has_a_far_limit", ONE(BUFFERED),
		  an_endless_wait_has_a_far_limit),
	FILE_TEST(2, "keeps_its_timeouts", ONE(BUFFERED), keeps_its_timeouts),
	FILE_TEST(2, "looks_without_waiting", ONE(BUFFERED), looks_without_waiting),
	FILE_TEST(2, "waits_for_as_many_as_asked", ONE(BUFFERED), waits_for_as_many_as_asked),
	FILE_TEST(2, "what_comes_does_not_prolong_the_wait", ONE(BUFFERED),
		  what_comes_does_not_prolong_the_wait),
	FILE_TEST(2, "a_signal_ends_the_wait", ONE(BUFFERED), a_signal_ends_the_wait),
	FILE_TEST(2, "a_signal_that_restarts_ends_the_wait", ONE(BUFFERED),
		  a_signal_that_restarts_ends_the_wait),
	FILE_TEST(2, "a_signal_hides_nothing", ONE(BUFFERED), a_signal_hides_nothing),
	FILE_TEST(2, "a_wait_that_fails_is_told", ONE(BUFFERED), a_wait_that_fails_is_told),

	SOCKET_TEST(3, "receives_what_is_there", SOCKETS, stream_receives_what_is_there),
	SOCKET_TEST(3, "receives_more_in_the_next_call", SOCKETS, stream_receives_in_full_buffers),
	SOCKET_TEST(3, "sends_what_it_is_given", SOCKETS, stream_sends_right_data),
	SOCKET_TEST(3, "quiet_connections_hold_up_nobody", SOCKETS,
		    quiet_connections_hold_up_nobody),
	SOCKET_TEST(3, "many_quiet_connections_hold_up_nobody", ONE(UNIX),
		    many_quiet_connections_hold_up_nobody),
	SOCKET_TEST(3, "a_file_changes_nothing_for_them", ONE(TCP),
		    a_file_changes_nothing_for_them),
	SOCKET_TEST(3, "threads_outlive_it_by_a_second", ONE(UNIX), threads_outlive_it_by_a_second),
	SOCKET_TEST(3, "a_socket_has_no_position", SOCKETS, a_socket_has_no_position),
	SOCKET_TEST(3, "a_message_is_one_request", SOCKETS, a_message_is_one_request),
	SOCKET_TEST(3, "one_signal_ends_a_wait_for_two", ONE(UNIX),
		    stream_one_signal_ends_a_wait_for_two),
	SOCKET_TEST(3, "sees_the_end", SOCKETS, stream_end_of_file),
	SOCKET_TEST(3, "wakes_when_the_peer_closes", SOCKETS, stream_end_while_waiting),
	SOCKET_TEST(3, "sends_to_nobody_and_lives", SOCKETS, stream_send_to_nobody),
	SOCKET_TEST(3, "tells_a_reset", ONE(TCP), tcp_reset),
	SOCKET_TEST(3, "gives_up_when_the_socket_does", SOCKETS,
		    socket_receive_timeout_is_an_error),
	SOCKET_TEST(3, "leaves_descriptors_blocking", SOCKETS, stream_stays_blocking),
	SOCKET_TEST(3, "leaves_options_alone", SOCKETS, socket_options_stay),
	SOCKET_TEST(3, "serves_a_number_used_again", ONE(TCP), stream_slot_is_used_again),

	FILE_TEST(4, "no_room_is_back_pressure", ONE(BUFFERED), no_room_is_back_pressure),
	FILE_TEST(4, "accepts_those_before_it", ONE(BUFFERED), accepts_those_before_it),
	FILE_TEST(4, "no_room_for_the_only_one_is_its_result", ONE(BUFFERED),
		  no_room_for_the_only_one_is_its_result),
	FILE_TEST(4, "what_is_not_reaped_is_held", ONE(BUFFERED), what_is_not_reaped_is_held),
	FILE_TEST(4, "each_other_refusal_is_a_result", ONE(BUFFERED),
		  each_other_refusal_is_a_result),
	FILE_TEST(4, "without_a_thread_it_says_so", ONE(BUFFERED), without_a_thread_it_says_so),

	FILE_TEST(5, "takes_back_what_has_not_begun", ONE(BUFFERED), takes_back_what_has_not_begun),
	FILE_TEST(5, "cancel_one_takes_that_one", ONE(BUFFERED), cancel_one_takes_that_one),
	FILE_TEST(5, "the_neighbour_goes_on", ONE(BUFFERED), the_neighbour_goes_on),
	FILE_TEST(5, "a_file_is_not_shut_down", ONE(BUFFERED), a_file_is_not_shut_down),
	FILE_TEST(5, "file_comes_back_once", ONE(BUFFERED), file_cancel),
	FILE_TEST(5, "then_silence", ONE(BUFFERED), file_cancel_then_silence),
	SOCKET_TEST(5, "a_receive_that_sleeps_comes_back", SOCKETS,
		    a_receive_that_sleeps_comes_back),
	SOCKET_TEST(5, "both_directions_are_shut", ONE(UNIX), both_directions_are_shut),
	SOCKET_TEST(5, "what_is_over_is_left_alone", SOCKETS, what_is_over_is_left_alone),
	SOCKET_TEST(5, "takes_back_what_waits", SOCKETS, stream_cancel),
	SOCKET_TEST(5, "takes_back_sends", SOCKETS, stream_cancel_of_sends),
	SOCKET_TEST(5, "takes_back_in_scattered_slots", ONE(TCP), stream_cancel_in_scattered_slots),
	SOCKET_TEST(5, "leaves_the_others", ONE(TCP), cancel_one_leaves_the_others),
	SOCKET_TEST(5, "a_slot_forgets_what_was_called_back", ONE(TCP),
		    cancel_one_leaves_the_slot_whole),
	SOCKET_TEST(5, "cancels_nothing", ONE(TCP), cancel_with_nothing_in_flight),

	FILE_TEST(6, "says_what_it_cannot_do", ONE(BUFFERED), says_what_it_cannot_do),
	FILE_TEST(6, "supports_or_says_why", ONE(BUFFERED), supports_or_says_why),
	THE_REST_OF_THE_CONTRACT(6, "posix_aio", FILES | SOCKETS, LENDING | BLOCKING | CONNECTING),
	{ NULL },
};
