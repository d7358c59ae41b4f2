/* SPDX-License-Identifier: MIT */
/*
 * What a pool of threads is: the loop's thread makes no I/O call and sleeps until enough is done; a
 * worker sleeps in one call; no wake-up is lost, and none is made for nothing.
 *
 * Races are not left to chance. The engine's own pthread_mutex_lock() and pthread_mutex_unlock() come
 * here first, so a test can hold a thread up between two steps while the others go on.
 */
#include "lab_test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "failing_calls.h"

#define BLOCK 4096u

/* How long a test waits for what must not come, and for what must. */
#define A_MOMENT_NS (20 * NS_PER_MS)
#define PATIENCE_NS (2 * NS_PER_S)
/* The same for what takes many steps of many threads, on a machine that is busy with twenty others. */
#define LONG_PATIENCE_NS (15 * NS_PER_S)

/* Nothing happens for this long, and the engine should make next to no calls. */
#define IDLE_NS	       (60 * NS_PER_MS)
#define IDLE_CALLS_MAX 10

/* Both sides of an eventfd, or sleeping in another call than futex(2), are right, too. */
#define SLEEPING                                                                                   \
	"nanosleep clock_nanosleep poll ppoll epoll_wait epoll_pwait epoll_pwait2 read write "
#define CALLING "tgkill rt_sigprocmask getpid gettid "

/* A place in the engine at which a test can hold up one thread. */
enum place {
	NOWHERE,
	LOOP_LOCKS,
	LOOP_HAS_UNLOCKED,
	WORKER_LOCKS,
	WORKER_HAS_UNLOCKED,
	WORKER_HAS_RESULT, /* of read(2) or accept4(2), and no lock */
	WORKER_FALLS_ASLEEP, /* in pthread_cond_wait(), with the lock */
};

static struct {
	atomic_int place;
	atomic_int let_through; /* how many pass before one is held */
	atomic_int interrupted; /* signals that reached the one who is held */
	pthread_t loop;
	sem_t reached, go;
	pthread_cond_t *waited_for; /* by the one who falls asleep */
} gate;

static int (*real_lock)(pthread_mutex_t *), (*real_unlock)(pthread_mutex_t *);

__attribute__((constructor)) static void find_the_real_ones(void)
{
	*(void **)&real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	*(void **)&real_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
}

/* Makes no system call but futex(2), which every lab allows: it may stand in the loop's submit(). */
static void pass(enum place as_loop, enum place as_worker)
{
	int place = atomic_load(&gate.place);
	if (place == NOWHERE)
		return;
	if (place != (int)(pthread_equal(pthread_self(), gate.loop) ? as_loop : as_worker))
		return;
	if (atomic_fetch_sub(&gate.let_through, 1) != 0)
		return;
	sem_post(&gate.reached);
	while (sem_wait(&gate.go) < 0)
		atomic_fetch_add(&gate.interrupted, 1);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (!real_lock)
		find_the_real_ones();
	pass(LOOP_LOCKS, WORKER_LOCKS);
	return real_lock(mutex);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (!real_unlock)
		find_the_real_ones();
	int rc = real_unlock(mutex);
	pass(LOOP_HAS_UNLOCKED, WORKER_HAS_UNLOCKED);
	return rc;
}

/* From here on one thread is held at `place`, once `let_through` others have passed. */
static void close_gate(enum place place, int let_through)
{
	gate.loop = pthread_self();
	sem_init(&gate.reached, 0, 0);
	sem_init(&gate.go, 0, 0);
	atomic_store(&gate.interrupted, 0);
	atomic_store(&gate.let_through, let_through);
	atomic_store(&gate.place, place);
}

static bool somebody_is_held(int64_t patience_ns)
{
	struct timespec until = timespec_of_ns((int64_t)clock_ns() + patience_ns);
	return sem_clockwait(&gate.reached, CLOCK_MONOTONIC, &until) == 0;
}

static void open_gate(void)
{
	atomic_store(&gate.place, NOWHERE);
	sem_post(&gate.go);
}

/*
 * What was initialised and not destroyed since the process began. On Linux that keeps nothing but memory
 * of the owner's, which is why nobody sees it; elsewhere it is a leak: pthread_mutex_destroy(3).
 */
static atomic_int initialised;

#define COUNTED(name, change, parameters, arguments)                                               \
	int name parameters                                                                        \
	{                                                                                          \
		static int(*real) parameters;                                                      \
		int(*called) parameters = __atomic_load_n(&real, __ATOMIC_RELAXED);                \
		if (!called) {                                                                     \
			*(void **)&called = dlsym(RTLD_NEXT, #name);                               \
			__atomic_store_n(&real, called, __ATOMIC_RELAXED);                         \
		}                                                                                  \
		int rc = called arguments;                                                         \
		if (rc == 0)                                                                       \
			atomic_fetch_add(&initialised, change);                                    \
		return rc;                                                                         \
	}

/* ThreadSanitizer has functions of its own by these names, which do more than the C library's. */
#ifndef __SANITIZE_THREAD__
int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	static int (*real)(pthread_cond_t *, pthread_mutex_t *);
	int (*called)(pthread_cond_t *, pthread_mutex_t *) =
		__atomic_load_n(&real, __ATOMIC_RELAXED);
	if (!called) {
		*(void **)&called = dlsym(RTLD_NEXT, "pthread_cond_wait");
		__atomic_store_n(&real, called, __ATOMIC_RELAXED);
	}
	if (atomic_load(&gate.place) == WORKER_FALLS_ASLEEP)
		__atomic_store_n(&gate.waited_for, cond, __ATOMIC_RELEASE);
	pass(NOWHERE, WORKER_FALLS_ASLEEP);
	return called(cond, mutex);
}

ssize_t read(int fd, void *buf, size_t count)
{
	static ssize_t (*real)(int, void *, size_t);
	ssize_t (*called)(int, void *, size_t) = __atomic_load_n(&real, __ATOMIC_RELAXED);
	if (!called) {
		*(void **)&called = dlsym(RTLD_NEXT, "read");
		__atomic_store_n(&real, called, __ATOMIC_RELAXED);
	}
	ssize_t n = called(fd, buf, count);
	int error = errno;
	pass(NOWHERE, WORKER_HAS_RESULT);
	errno = error;
	return n;
}

int accept4(int fd, struct sockaddr *address, socklen_t *len_bytes, int flags)
{
	static int (*real)(int, struct sockaddr *, socklen_t *, int);
	int (*called)(int, struct sockaddr *, socklen_t *, int) =
		__atomic_load_n(&real, __ATOMIC_RELAXED);
	if (!called) {
		*(void **)&called = dlsym(RTLD_NEXT, "accept4");
		__atomic_store_n(&real, called, __ATOMIC_RELAXED);
	}
	int client = called(fd, address, len_bytes, flags);
	int error = errno;
	pass(NOWHERE, WORKER_HAS_RESULT);
	errno = error;
	return client;
}

COUNTED(pthread_mutex_init, 1, (pthread_mutex_t * lock, const pthread_mutexattr_t *attributes),
	(lock, attributes))
COUNTED(pthread_mutex_destroy, -1, (pthread_mutex_t * lock), (lock))
COUNTED(pthread_cond_init, 1, (pthread_cond_t * cond, const pthread_condattr_t *attributes),
	(cond, attributes))
COUNTED(pthread_cond_destroy, -1, (pthread_cond_t * cond), (cond))
COUNTED(sem_init, 1, (sem_t * semaphore, int shared, unsigned value), (semaphore, shared, value))
COUNTED(sem_destroy, -1, (sem_t * semaphore), (semaphore))
COUNTED(pthread_attr_init, 1, (pthread_attr_t * attributes), (attributes))
COUNTED(pthread_attr_destroy, -1, (pthread_attr_t * attributes), (attributes))
#endif

/* Somebody beside the engine, who acts while the loop's thread is in it. */
struct bystander {
	pthread_t thread;
	int fds[32]; /* the test's ends of pipes */
	unsigned count;
	atomic_bool is_back; /* the loop's thread is out of the engine */
	bool was_stuck, was_early;
};

/* Waits until somebody is held, or the loop's thread is back without it. */
static bool is_held_before_it_is_back(struct bystander *bystander)
{
	bool held = false;
	while (!held && !atomic_load(&bystander->is_back))
		held = somebody_is_held(NS_PER_MS);
	return held || somebody_is_held(0);
}

static void begin(struct bystander *bystander, void *(*act)(void *))
{
	expect(pthread_create(&bystander->thread, NULL, act, bystander) == 0,
	       "the test has no thread");
}

/* A pipe stands for a slow disk or a silent peer: read(2) sleeps until the test writes to it. */
static void make_pipe(int ends[2])
{
	expect(pipe2(ends, O_CLOEXEC) == 0, "the test has no pipe");
}

static struct io_op *slow_read(struct subject *s, unsigned slot, int fd)
{
	return prepare(s, slot, IO_READ, fd, 0, IO_NO_OFFSET, BLOCK);
}

static void end_read(int fd)
{
	if (write(fd, "!", 1) != 1)
		abort(); /* a pipe of the test's own */
}

static void expect_block(struct subject *s, const struct io_op *op)
{
	expect(op->result == BLOCK, EXPECTED("%u bytes") SAW("%s"), BLOCK, answer(op->result));
	for (unsigned i = 0; i < BLOCK; i++)
		expect(buffer_of(s, op->slot)[i] == pattern_byte(op->offset + i),
		       EXPECTED("the block at offset %llu") SAW("another byte at %u"),
		       (unsigned long long)op->offset, i);
}

/*
 * Waits for `min`, all of which will end soon. Returns how many came back before the time limit: when only
 * that ended the wait, the engine did not hear of them.
 */
static unsigned hear(struct subject *s, struct io_op **done, unsigned min, int64_t patience_ns)
{
	uint64_t before_ns = clock_ns();
	unsigned n = reap(s, done, min, min, patience_ns);
	return (int64_t)(clock_ns() - before_ns) < patience_ns ? n : 0;
}

/* All that the loop's thread asked of the kernel, futex(2) included. */
static unsigned calls_of_the_loop(void)
{
	return calls_made(NULL) + calls_made("futex");
}

static unsigned calls_of_workers(void)
{
	return calls_made_by_workers(NULL) + calls_made_by_workers("futex sched_yield");
}

/* Exercise 1: threads. */

static void starts_a_thread_for_each_operation(struct subject *s)
{
	static const unsigned depths[] = { 1, 5, 100, 240 };
	for (unsigned i = 0; i < sizeof depths / sizeof *depths; i++) {
		unsigned before = threads_started();
		open_engine(s, depths[i], 1);
		unsigned started = threads_started() - before;
		expect(started == depths[i],
		       EXPECTED("%u threads for %u operations in flight") SAW("%u started"),
		       depths[i], depths[i], started);
		close_engine(s);
	}
}

static void ends_its_threads(struct subject *s)
{
	struct holdings before = holdings_now();
	for (unsigned i = 0; i < 20; i++) {
		open_engine(s, 1 + i % 8, 1);
		close_engine(s);
	}
	expect_nothing_left_since(&before);
}

static void destroys_what_it_initialised(struct subject *s)
{
#ifdef __SANITIZE_THREAD__
	test_skipped("under ThreadSanitizer nobody counts");
#endif
	for (unsigned depth = 1; depth < 4; depth++) {
		int before = atomic_load(&initialised);
		open_engine(s, depth, 1);
		close_engine(s);
		int kept = atomic_load(&initialised) - before;
		expect(kept == 0,
		       EXPECTED("each mutex, condition variable, semaphore and attribute "
				"object initialised once, and destroyed after close()")
			       SAW("%d %s"),
		       abs(kept), kept > 0 ? "kept" : "more destroyed than initialised");
	}
}

/* The last that a worker does is to give the lock back. It is held there. */
static void *hold_the_last_step(void *argument)
{
	struct bystander *bystander = argument;
	if (!is_held_before_it_is_back(bystander)) {
		open_gate();
		return NULL;
	}
	for (unsigned i = 0; i < 100 && !atomic_load(&bystander->is_back); i++)
		usleep(500);
	bystander->was_early = atomic_load(&bystander->is_back);
	open_gate();
	return NULL;
}

static void close_waits_for_its_threads(struct subject *s)
{
	struct bystander bystander = { .count = 0 };
	open_engine(s, 2, 1);
	wait_until_others_sleep();
	close_gate(WORKER_HAS_UNLOCKED, 0);
	begin(&bystander, hold_the_last_step);
	close_engine(s);
	atomic_store(&bystander.is_back, true);
	pthread_join(bystander.thread, NULL);
	expect(!bystander.was_early, EXPECTED("close() to wait for its threads (pthread_join)")
					     SAW("it return while one was still in the engine"));
}

/* close(), while a worker has looked, and does not sleep yet. */
struct closing {
	pthread_t thread;
	int loop_tid;
	atomic_bool has_begun, is_over;
	bool was_lost;
};

/* Lets the worker fall asleep once close() waits for it. Whom close() has woken in vain, it wakes itself. */
static void *close_goes_on(void *argument)
{
	struct closing *closing = argument;
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (!atomic_load(&closing->has_begun) && clock_ns() < deadline_ns)
		usleep(200);
	if (atomic_load(&closing->has_begun))
		wait_until_asleep(closing->loop_tid);
	open_gate();
	deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (!atomic_load(&closing->is_over) && clock_ns() < deadline_ns)
		usleep(200);
	closing->was_lost = !atomic_load(&closing->is_over);
	if (closing->was_lost)
		pthread_cond_broadcast(__atomic_load_n(&gate.waited_for, __ATOMIC_ACQUIRE));
	return NULL;
}

static void close_keeps_its_wake_up(struct subject *s)
{
#ifdef __SANITIZE_THREAD__
	test_skipped("under ThreadSanitizer nobody is held up at pthread_cond_wait()");
#endif
	struct closing closing = { .loop_tid = (int)syscall(SYS_gettid) };
	close_gate(WORKER_FALLS_ASLEEP, 0);
	expect(pthread_create(&closing.thread, NULL, close_goes_on, &closing) == 0,
	       "the test has no thread");
	open_engine(s, 1, 1);
	bool held = somebody_is_held(PATIENCE_NS);
	if (held)
		note("test     a worker is held at pthread_cond_wait(): it has looked, and does not sleep");
	atomic_store(&closing.has_begun, true);
	close_engine(s);
	atomic_store(&closing.is_over, true);
	pthread_join(closing.thread, NULL);
	expect(!closing.was_lost,
	       WHEN("close() came while a worker was about to fall asleep")
		       EXPECTED("close() to wake it") SAW("it asleep: its wake-up was lost"));
	if (!held)
		test_skipped("no worker sleeps in pthread_cond_wait()");
}

static void open_fails_without_a_trace(struct subject *s)
{
	struct signals signals_before = signals_now();
	struct engine_config config = { .depth = 5, .max_fds = 1, .cpu_count = 1 };
	struct holdings before = holdings_now();
	for (unsigned let_through = 0; let_through < 5; let_through++) {
		struct reason why = { "" };
		struct engine *engine;
		fail_call("clone3 clone", EAGAIN, let_through);
		int rc = s->ops->open(&engine, &config, &why);
		expect(call_failed(), EXPECTED("open() to start 5 threads") SAW("%u at most"),
		       let_through);
		expect(rc == -EAGAIN,
		       WHEN("when thread %u does not start") EXPECTED("-EAGAIN from open()")
			       SAW("%s"),
		       let_through + 1, answer(rc));
		expect(why.text[0], EXPECTED("the reason in words") SAW("none"));
		expect_signals_as(&signals_before, "when a thread does not start");
		expect_nothing_left_since(&before);
	}
}

/* Signals for the program are for its own thread: proc(5), SigBlk. */
static void workers_block_the_programs_signals(struct subject *s)
{
	static const int of_the_program[] = { SIGINT, SIGTERM, SIGHUP,	SIGALRM, SIGUSR1, SIGCHLD,
					      SIGIO,  SIGPIPE, SIGQUIT, SIGPROF, SIGWINCH };
	open_engine(s, 3, 1);
	wait_until_others_sleep();
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		char path[300], line[256];
		unsigned long long blocked = 0;
		if (atoi(entry->d_name) <= 0 || atoi(entry->d_name) == getpid())
			continue;
		snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
		FILE *status = fopen(path, "re");
		while (status && fgets(line, sizeof line, status))
			sscanf(line, "SigBlk: %llx", &blocked);
		if (!status)
			continue;
		fclose(status);
		for (unsigned i = 0; i < sizeof of_the_program / sizeof *of_the_program; i++)
			expect(blocked >> (of_the_program[i] - 1) & 1,
			       EXPECTED("a worker to block SIG%s") SAW("it would take it"),
			       sigabbrev_np(of_the_program[i]));
	}
	if (tasks)
		closedir(tasks);
	close_engine(s);
}

/* Threads work with whatever blocks. For a no-op there is no call to block in. */
static void says_what_it_can_do(struct subject *s)
{
	static const struct {
		enum io_kind kind;
		enum io_fd_kind fd_kind;
		int rc;
	} pairs[] = {
		{ IO_READ, IO_FD_FILE, 0 },	     { IO_WRITE, IO_FD_FILE, 0 },
		{ IO_FSYNC, IO_FD_FILE, 0 },	     { IO_FDATASYNC, IO_FD_FILE, 0 },
		{ IO_READ, IO_FD_PIPE, 0 },	     { IO_WRITE, IO_FD_PIPE, 0 },
		{ IO_RECV, IO_FD_SOCKET, 0 },	     { IO_SEND, IO_FD_SOCKET, 0 },
		{ IO_ACCEPT, IO_FD_LISTENER, 0 },    { IO_CONNECT, IO_FD_SOCKET, 0 },
		{ IO_NOP, IO_FD_NONE, -EOPNOTSUPP },
	};
	const struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct reason why = { "" };
		int rc = s->ops->supports(&config, pairs[i].kind, pairs[i].fd_kind, &why);
		expect(rc == pairs[i].rc, EXPECTED("%s from supports() for %s") SAW("%s"),
		       answer(pairs[i].rc), kind_name(pairs[i].kind), answer(rc));
		expect(rc == 0 || why.text[0],
		       EXPECTED("supports() to say why") SAW("an empty reason"));
	}
}

/* Exercise 2: one operation through a worker. */

static void reads_in_other_threads(struct subject *s)
{
	const unsigned reads = 64, depth = 8;
	int fd = make_file(s, (uint64_t)reads * BLOCK, O_RDONLY);
	open_engine(s, depth, 1);
	calls_reset();
	for (unsigned i = 0; i < reads; i += depth) {
		for (unsigned slot = 0; slot < depth; slot++)
			start(s, prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * (i + slot),
					 BLOCK));
		await_all(s);
		for (unsigned slot = 0; slot < depth; slot++)
			expect_block(s, &s->op[slot]);
	}
	unsigned in_workers = calls_made_by_workers("pread64 preadv preadv2");
	unsigned in_loop = calls_made("pread64 preadv preadv2");
	expect(in_loop == 0 && in_workers == reads,
	       EXPECTED("%u reads in worker threads and none on the loop's") SAW("%u and %u"),
	       reads, in_workers, in_loop);
	close_engine(s);
	close(fd);
}

/* Frees a loop that is stuck in submit(), and tells so. */
static void *free_the_loop(void *argument)
{
	struct bystander *bystander = argument;
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS / 2;
	while (!atomic_load(&bystander->is_back) && clock_ns() < deadline_ns)
		usleep(200);
	bystander->was_stuck = !atomic_load(&bystander->is_back);
	end_read(bystander->fds[0]);
	return NULL;
}

static void a_worker_that_sleeps_holds_no_lock(struct subject *s)
{
	struct bystander bystander = { .count = 1 };
	int ends[2], fd = make_file(s, BLOCK, O_RDONLY);
	make_pipe(ends);
	bystander.fds[0] = ends[1];
	open_engine(s, 2, 1);
	start(s, slow_read(s, 0, ends[0]));
	wait_until_others_sleep();
	begin(&bystander, free_the_loop);
	start(s, prepare(s, 1, IO_READ, fd, 0, 0, BLOCK));
	await(s, &s->op[1]);
	atomic_store(&bystander.is_back, true);
	pthread_join(bystander.thread, NULL);
	expect(!bystander.was_stuck,
	       WHEN("while a worker sleeps in read(2)")
		       EXPECTED("the loop to submit and reap another operation")
			       SAW("it wait for that worker: who holds the lock meanwhile?"));
	expect_block(s, &s->op[1]);
	await_all(s);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static void workers_without_work_sleep(struct subject *s)
{
	struct timespec idle = timespec_of_ns(IDLE_NS);
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	for (unsigned i = 0; i < 8; i++)
		perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	wait_until_others_sleep();
	calls_reset();
	nanosleep(&idle, NULL);
	unsigned calls = calls_of_workers();
	expect(calls <= IDLE_CALLS_MAX,
	       EXPECTED("at most %d system calls of workers in %lld ms without work") SAW("%u"),
	       IDLE_CALLS_MAX, (long long)(IDLE_NS / NS_PER_MS), calls);
	perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	expect_block(s, &s->op[0]);
	close_engine(s);
	close(fd);
}

/* Exercise 3: the loop's thread sleeps until enough is done. */

static void sleeps_in_one_call(struct subject *s)
{
	int ends[2];
	struct io_op *done[1];
	make_pipe(ends);
	open_engine(s, 1, 1);
	start(s, slow_read(s, 0, ends[0]));
	wait_until_others_sleep();
	calls_reset();
	unsigned n = reap(s, done, 1, 1, IDLE_NS);
	unsigned calls = calls_of_the_loop();
	expect(n == 0, "a slow read ended before its byte was there");
	expect(calls > 0 && calls <= 4,
	       EXPECTED("the loop's thread to sleep %lld ms in one call")
		       SAW("%u system calls, in which nothing happened"),
	       (long long)(IDLE_NS / NS_PER_MS), calls);
	end_read(ends[1]);
	await(s, &s->op[0]);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

#define BATCH 16u

/* One after the other, so that nobody waits for the lock, and with a pause in which the loop may come. */
static void *end_the_batch(void *argument)
{
	struct bystander *bystander = argument;
	wait_until_asleep(getpid());
	for (unsigned i = 0; i < bystander->count; i++) {
		end_read(bystander->fds[i]);
		wait_until_others_sleep();
		wait_until_asleep(getpid());
	}
	return NULL;
}

/* Each is in its worker before the next is started: exercise 4 is about several at once. */
static void begin_slow_reads(struct subject *s, int ends[][2], struct bystander *bystander,
			     unsigned count)
{
	bystander->count = count;
	for (unsigned i = 0; i < count; i++) {
		make_pipe(ends[i]);
		bystander->fds[i] = ends[i][1];
		start(s, slow_read(s, i, ends[i][0]));
		wait_until_others_sleep();
	}
}

static void close_pipes(int ends[][2], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

static void wakes_once_for_a_batch(struct subject *s)
{
	struct bystander bystander = { .count = 0 };
	int ends[BATCH][2];
	struct io_op *done[BATCH];
	open_engine(s, BATCH, 1);
	begin_slow_reads(s, ends, &bystander, BATCH);
	calls_reset();
	begin(&bystander, end_the_batch);
	unsigned n = hear(s, done, BATCH, LONG_PATIENCE_NS);
	unsigned calls = calls_of_the_loop();
	pthread_join(bystander.thread, NULL);
	expect(n == BATCH,
	       EXPECTED("the loop's thread to be woken when all %u are done")
		       SAW("it sleep until its time limit"),
	       BATCH);
	expect(calls <= BATCH / 2,
	       WHEN("when it waits for %u, which end one after the other")
		       EXPECTED("the loop's thread to be woken once") SAW("%u system calls"),
	       BATCH, calls);
	close_engine(s);
	close_pipes(ends, BATCH);
}

static void enough_is_there_without_a_call(struct subject *s)
{
	struct io_op *done[4];
	int fd = make_file(s, 4 * BLOCK, O_RDONLY);
	open_engine(s, 4, 1);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned slot = 0; slot < 4; slot++)
			start(s, prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * slot, BLOCK));
		wait_until_others_sleep();
		calls_reset();
		unsigned n = reap(s, done, 4, 4, PATIENCE_NS);
		unsigned calls = calls_of_the_loop();
		expect(n == 4, EXPECTED("all 4") SAW("%u"), n);
		expect(calls <= 2,
		       WHEN("when all 4 are done before reap()")
			       EXPECTED("next to no system call (at most 2)") SAW("%u"),
		       calls);
	}
	close_engine(s);
	close(fd);
}

/* All of a large batch, in one submit() and one reap(). */
static void keeps_a_large_min(struct subject *s)
{
	enum { DEPTH = 200 };
	static struct io_op *ops[DEPTH], *done[DEPTH];
	int fd = make_file(s, 16 * BLOCK, O_RDONLY);
	open_engine(s, DEPTH, 1);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned slot = 0; slot < DEPTH; slot++)
			ops[slot] = prepare(s, slot, IO_READ, fd, 0, (uint64_t)BLOCK * (slot % 16),
					    BLOCK);
		start_all(s, ops, DEPTH);
		expect(s->inflight == DEPTH,
		       EXPECTED("as many accepted as the engine was opened for, %d") SAW("%u"),
		       DEPTH, s->inflight);
		unsigned n = reap(s, done, DEPTH, DEPTH, LONG_PATIENCE_NS);
		expect(n == DEPTH, EXPECTED("all %d that were asked for") SAW("%u"), DEPTH, n);
		for (unsigned slot = 0; slot < DEPTH; slot++)
			expect_block(s, ops[slot]);
	}
	close_engine(s);
	close(fd);
}

/* The byte comes while the loop's thread is held; or once it sleeps, where it did not come to that. */
static void *end_while_the_loop_is_held(void *argument)
{
	struct bystander *bystander = argument;
	bool held = false;
	for (unsigned i = 0; i < 20 && !held; i++) {
		held = somebody_is_held(NS_PER_MS);
		if (!held)
			wait_until_asleep(getpid());
	}
	held = held || somebody_is_held(0);
	end_read(bystander->fds[0]);
	if (held)
		wait_until_others_sleep(); /* the worker is done, and has told all it will tell */
	open_gate();
	return NULL;
}

static void ends_at(struct subject *s, enum place place, int let_through, const char *words)
{
	struct bystander bystander = { .count = 1 };
	struct io_op *done[1];
	int ends[2];
	make_pipe(ends);
	bystander.fds[0] = ends[1];
	start(s, slow_read(s, 0, ends[0]));
	wait_until_others_sleep();
	close_gate(place, let_through);
	begin(&bystander, end_while_the_loop_is_held);
	unsigned n = hear(s, done, 1, PATIENCE_NS);
	pthread_join(bystander.thread, NULL);
	expect(n == 1,
	       WHEN("when a read ends while the loop's thread %s, number %d in reap()")
		       EXPECTED("the loop to hear of it")
			       SAW("it sleep until its time limit: its wake-up was lost"),
	       words, let_through + 1);
	close(ends[0]);
	close(ends[1]);
}

/*
 * Between looking and falling asleep the loop's thread takes and releases the lock, perhaps several
 * times. At each of these steps a worker may be done.
 */
static void keeps_a_wake_up_before_it_sleeps(struct subject *s)
{
	open_engine(s, 1, 1);
	for (int step = 0; step < 4; step++) {
		ends_at(s, LOOP_HAS_UNLOCKED, step, "has just released the lock");
		ends_at(s, LOOP_LOCKS, step, "is about to take the lock");
	}
	close_engine(s);
}

/* The same just before futex(2), or whatever the engine sleeps in. */
static void *end_while_a_call_is_held(void *argument)
{
	struct bystander *bystander = argument;
	bool held = wait_until_held(NS_PER_S);
	end_read(bystander->fds[0]);
	if (held)
		wait_until_others_sleep();
	let_call_go();
	return NULL;
}

static void keeps_a_wake_up_as_it_falls_asleep(struct subject *s)
{
	struct bystander bystander = { .count = 1 };
	struct io_op *done[1];
	int ends[2];
	make_pipe(ends);
	bystander.fds[0] = ends[1];
	open_engine(s, 1, 1);
	start(s, slow_read(s, 0, ends[0]));
	wait_until_others_sleep();
	hold_call("futex " SLEEPING);
	begin(&bystander, end_while_a_call_is_held);
	unsigned n = hear(s, done, 1, PATIENCE_NS);
	pthread_join(bystander.thread, NULL);
	expect(n == 1, WHEN("when a read ends just before the loop's thread falls asleep")
			       EXPECTED("the loop to hear of it")
				       SAW("it sleep until its time limit: its wake-up was lost"));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/*
 * The time is over, and the loop's thread is about to take the lock. Now the read ends, and its worker wakes
 * who no longer sleeps. That is no reason to end the next wait.
 */
static void a_late_wake_up_ends_no_other_wait(struct subject *s)
{
	struct bystander bystander = { .count = 1 };
	struct io_op *done[1];
	int ends[2];
	make_pipe(ends);
	bystander.fds[0] = ends[1];
	open_engine(s, 1, 1);
	for (int step = 0; step < 4; step++) {
		start(s, slow_read(s, 0, ends[0]));
		wait_until_others_sleep();
		close_gate(LOOP_LOCKS, step);
		begin(&bystander, end_while_the_loop_is_held);
		unsigned n = reap(s, done, 1, 1, NS_PER_MS);
		pthread_join(bystander.thread, NULL);
		if (n == 0)
			await(s, &s->op[0]);
		start(s, slow_read(s, 0, ends[0]));
		uint64_t before_ns = clock_ns();
		n = reap(s, done, 1, 1, A_MOMENT_NS);
		int64_t waited_ns = (int64_t)(clock_ns() - before_ns);
		expect(n == 0 && waited_ns >= A_MOMENT_NS - NS_PER_MS,
		       WHEN("after a read that ended as the time was over")
			       EXPECTED("the next wait to last its whole time")
				       SAW("it over after %lld us"),
		       (long long)(waited_ns / NS_PER_US));
		end_read(ends[1]);
		await(s, &s->op[0]);
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Exercise 4: a wake-up for each operation. */

#define AT_ONCE 32u

/*
 * All wait at the same time, each in its worker. They end from the last to the first: one that has no
 * worker would wait for another one's end.
 */
static void are_in_workers_at_once(struct subject *s, bool in_one_submit)
{
	int ends[AT_ONCE][2];
	struct io_op *ops[AT_ONCE], *done[1];
	open_engine(s, AT_ONCE, 1);
	for (unsigned i = 0; i < AT_ONCE; i++)
		make_pipe(ends[i]);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < AT_ONCE; i++)
			ops[i] = slow_read(s, i, ends[i][0]);
		for (unsigned i = 0; !in_one_submit && i < AT_ONCE; i++)
			start(s, ops[i]);
		if (in_one_submit)
			start_all(s, ops, AT_ONCE);
		for (unsigned i = AT_ONCE; i-- > 0;) {
			end_read(ends[i][1]);
			unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
			expect(n == 1 && done[0] == ops[i],
			       EXPECTED("each of %u reads, %s, to be in a worker") SAW(
				       "number %u wait, although workers sleep: nobody woke one"),
			       AT_ONCE,
			       in_one_submit ? "offered in one submit()"
					     : "offered one after the other",
			       i);
		}
	}
	close_engine(s);
	close_pipes(ends, AT_ONCE);
}

static void a_batch_is_in_workers_at_once(struct subject *s)
{
	are_in_workers_at_once(s, true);
}

static void each_submit_has_a_worker(struct subject *s)
{
	are_in_workers_at_once(s, false);
}

/* A thread more that is woken finds nothing, and has cost two context switches. */
static void wakes_one_for_one(struct subject *s)
{
	const unsigned depth = 32, reads = 50;
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, depth, 1);
	wait_until_others_sleep();
	calls_reset();
	for (unsigned i = 0; i < reads; i++) {
		perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
		wait_until_others_sleep();
	}
	unsigned calls = calls_of_workers();
	expect(calls <= 9 * reads,
	       WHEN("with %u workers asleep") EXPECTED("one of them to be woken for one read")
		       SAW("%u system calls of workers for %u reads"),
	       depth, calls, reads);
	close_engine(s);
	close(fd);
}

/*
 * Workers sleep on a condition variable, inside the C library, where no gate stands. But they take
 * the signal by which the engine calls back. While the test's handler has it, a worker is held.
 */
static atomic_int handlers_reached, handlers_go;

static void hold_in_the_handler(int signal_number)
{
	(void)signal_number;
	int kept = errno;
	const struct timespec nap = { .tv_nsec = 200000 };
	atomic_fetch_add(&handlers_reached, 1);
	while (!atomic_load(&handlers_go))
		nanosleep(&nap, NULL);
	errno = kept;
}

/* Sends `signal_number` to each thread but this one. Returns to how many. */
static int signal_workers(int signal_number)
{
	int count = 0, own = (int)syscall(SYS_gettid);
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		int tid = atoi(entry->d_name);
		if (tid > 0 && tid != own)
			count += syscall(SYS_tgkill, getpid(), tid, signal_number) == 0;
	}
	if (tasks)
		closedir(tasks);
	return count;
}

/* Returns whether all workers stand in the handler. An engine that calls back otherwise has no such signal. */
static bool hold_workers(struct sigaction *engines)
{
	struct sigaction action = { .sa_handler = hold_in_the_handler };
	sigaction(SIGUSR2, NULL, engines);
	if (engines->sa_handler == SIG_DFL || engines->sa_handler == SIG_IGN)
		return false;
	atomic_store(&handlers_go, 0);
	atomic_store(&handlers_reached, 0);
	sigaction(SIGUSR2, &action, NULL);
	int count = signal_workers(SIGUSR2);
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (atomic_load(&handlers_reached) < count && clock_ns() < deadline_ns)
		usleep(200);
	return atomic_load(&handlers_reached) == count;
}

static void let_workers_go(const struct sigaction *engines)
{
	atomic_store(&handlers_go, 1);
	wait_until_others_sleep();
	if (engines->sa_handler != SIG_DFL && engines->sa_handler != SIG_IGN)
		sigaction(SIGUSR2, engines, NULL);
}

/*
 * The loop's thread is held between its push and its wake-up. A worker that has just become free takes
 * the operation meanwhile. So the one who is woken finds nothing, and must be there for the next two.
 */
static void *free_a_worker(void *argument)
{
	struct bystander *bystander = argument;
	bool held = is_held_before_it_is_back(bystander);
	end_read(bystander->fds[0]);
	if (held)
		wait_until_others_sleep();
	open_gate();
	return NULL;
}

static void survives_a_wake_up_for_nothing(struct subject *s)
{
	struct bystander bystander = { .count = 1 };
	struct io_op *done[2];
	int ends[2][2], fd = make_file(s, BLOCK, O_RDONLY);
	make_pipe(ends[0]);
	make_pipe(ends[1]);
	bystander.fds[0] = ends[0][1];
	open_engine(s, 2, 1);
	for (unsigned round = 0; round < 3; round++) {
		start(s, slow_read(s, 0, ends[0][0]));
		wait_until_others_sleep();
		close_gate(LOOP_HAS_UNLOCKED, 0);
		atomic_store(&bystander.is_back, false);
		begin(&bystander, free_a_worker);
		start(s, prepare(s, 1, IO_READ, fd, 0, 0, BLOCK));
		atomic_store(&bystander.is_back, true);
		pthread_join(bystander.thread, NULL);
		await_all(s);
		wait_until_others_sleep();
	}
	start(s, slow_read(s, 0, ends[0][0]));
	start(s, slow_read(s, 1, ends[1][0]));
	for (unsigned i = 2; i-- > 0;) {
		end_read(ends[i][1]);
		unsigned n = reap(s, done, 1, 2, PATIENCE_NS);
		expect(n == 1, WHEN("after a worker was woken and found nothing")
				       EXPECTED("both workers to be there for two reads")
					       SAW("one read wait for the other one's end"));
	}
	close_engine(s);
	close_pipes(ends, 2);
	close(fd);
}

/* Work comes while the only worker stands at some step between its last operation and its sleep. */
static void comes_at(struct subject *s, int fd, enum place place, int let_through,
		     const char *words)
{
	struct io_op *done[1];
	unsigned n = 0;
	bool held = false;
	wait_until_others_sleep();
	close_gate(place, let_through);
	start(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	for (unsigned i = 0; i < 100 && n == 0 && !held; i++) {
		n = reap(s, done, 1, 1, A_MOMENT_NS);
		held = somebody_is_held(0);
	}
	if (n == 0)
		n = reap(s, done, 1, 1, A_MOMENT_NS);
	if (n == 0) { /* held with the operation in its hands: nothing more can come */
		open_gate();
		await_all(s);
		return;
	}
	wait_until_others_sleep(); /* at the gate, or for want of work */
	start(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	open_gate();
	n = reap(s, done, 1, 1, PATIENCE_NS);
	expect(n == 1,
	       WHEN("when work comes while the only worker %s, number %d after its wake-up")
		       EXPECTED("it to be done")
			       SAW("it wait, and the worker sleep: its wake-up was lost"),
	       words, let_through + 1);
}

static void workers_keep_a_wake_up(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 1, 1);
	for (int step = 0; step < 6; step++) {
		comes_at(s, fd, WORKER_HAS_UNLOCKED, step, "has just released the lock");
		comes_at(s, fd, WORKER_LOCKS, step, "is about to take the lock");
	}
	close_engine(s);
	close(fd);
}

/* Whoever sleeps is woken when the work is there for him, and not before. */
static void *let_workers_look(void *argument)
{
	struct bystander *bystander = argument;
	if (is_held_before_it_is_back(bystander))
		wait_until_others_sleep();
	open_gate();
	return NULL;
}

static void submit_keeps_its_wake_up(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDONLY);
	struct bystander bystander = { .count = 0 };
	struct io_op *done[1];
	open_engine(s, 2, 1);
	for (int step = 0; step < 4; step++) {
		wait_until_others_sleep();
		close_gate(step % 2 ? LOOP_HAS_UNLOCKED : LOOP_LOCKS, step / 2);
		atomic_store(&bystander.is_back, false);
		begin(&bystander, let_workers_look);
		start(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
		atomic_store(&bystander.is_back, true);
		pthread_join(bystander.thread, NULL);
		unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
		expect(n == 1,
		       WHEN("when the loop's thread pauses in submit() %s")
			       EXPECTED("the operation to be done")
				       SAW("it wait, and all workers sleep: the wake-up was lost"),
		       step % 2 ? "after it released the lock" : "before it takes the lock");
		expect_block(s, &s->op[0]);
	}
	close_engine(s);
	close(fd);
}

/* Exercise 5: everything is called back. */

/* The signal reaches a worker that has taken its operation and not yet made the call. */
static void calls_back_who_is_on_its_way(struct subject *s)
{
	struct io_op *done[1];
	int ends[2];
	make_pipe(ends);
	open_engine(s, 1, 1);
	wait_until_others_sleep();
	close_gate(WORKER_HAS_UNLOCKED, 0);
	start(s, slow_read(s, 0, ends[0]));
	bool held = somebody_is_held(PATIENCE_NS);
	s->ops->cancel(s->engine);
	for (unsigned i = 0; held && i < 500 && !atomic_load(&gate.interrupted); i++)
		usleep(200);
	open_gate();
	if (held)
		wait_until_others_sleep();
	unsigned n = reap(s, done, 1, 1, PATIENCE_NS);
	expect(n == 1 && s->op[0].result == -ECANCELED,
	       WHEN("when the signal comes just before the call that it shall end")
		       EXPECTED("the operation back with -ECANCELED")
			       SAW("%u back: the worker sleeps in read(2), and heard nothing"),
	       n);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The engine has sent its signal a few times, and the worker has not come to its call yet. */
static void *let_go_when_called_often(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < 2500 && atomic_load(&gate.interrupted) < 5; i++)
		usleep(200);
	open_gate();
	return NULL;
}

/* Meanwhile the caller's own wait goes on: it ends when enough is back, or its time is over. */
static void waits_for_who_is_called_back(struct subject *s)
{
	struct bystander bystander = { .count = 0 };
	struct io_op *done[1];
	int ends[2];
	make_pipe(ends);
	open_engine(s, 1, 1);
	wait_until_others_sleep();
	close_gate(WORKER_HAS_UNLOCKED, 0);
	start(s, slow_read(s, 0, ends[0]));
	somebody_is_held(PATIENCE_NS);
	s->ops->cancel(s->engine);
	begin(&bystander, let_go_when_called_often);
	unsigned n = reap(s, done, 1, 1, LONG_PATIENCE_NS);
	pthread_join(bystander.thread, NULL);
	expect(n == 1, WHEN("while a worker is called back and takes its time") EXPECTED(
			       "reap() to wait for the one that was asked for") SAW("none"));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* One is back at the first signal. The other one needs a second. */
static void calls_back_the_second_as_well(struct subject *s)
{
	struct io_op *done[2];
	int ends[2];
	make_pipe(ends);
	open_engine(s, 2, 1);
	start(s, slow_read(s, 0, ends[0]));
	wait_until_others_sleep();
	close_gate(WORKER_HAS_UNLOCKED, 0);
	start(s, slow_read(s, 1, ends[0]));
	bool held = somebody_is_held(PATIENCE_NS);
	s->ops->cancel(s->engine);
	await(s, &s->op[0]);
	for (unsigned i = 0; held && i < 500 && !atomic_load(&gate.interrupted); i++)
		usleep(200);
	open_gate();
	if (held)
		wait_until_others_sleep();
	unsigned n = s->op[1].in_flight ? reap(s, done, 1, 2, PATIENCE_NS) : 1;
	expect(n == 1 && s->op[1].result == -ECANCELED,
	       WHEN("when one of two is back already, and the other's signal came too early")
		       EXPECTED("it back with -ECANCELED")
			       SAW("%u back: nobody sends its worker the signal again"),
	       n);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* A caller who looks now and then, and never waits, gets it back as well. */
static void calls_back_for_a_caller_who_polls(struct subject *s)
{
	struct io_op *done[1];
	int ends[2];
	unsigned n = 0;
	make_pipe(ends);
	open_engine(s, 1, 1);
	wait_until_others_sleep();
	close_gate(WORKER_HAS_UNLOCKED, 0);
	start(s, slow_read(s, 0, ends[0]));
	bool held = somebody_is_held(PATIENCE_NS);
	s->ops->cancel(s->engine);
	for (unsigned i = 0; held && i < 500 && !atomic_load(&gate.interrupted); i++)
		usleep(200);
	open_gate();
	if (held)
		wait_until_others_sleep();
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	while (n == 0 && clock_ns() < deadline_ns) {
		n = reap(s, done, 0, 1, 0);
		usleep(500);
	}
	expect(n == 1, EXPECTED("the operation back from a reap() that does not wait")
			       SAW("nothing in 2 s"));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* A signal that nobody sent for this purpose is no reason to end an operation. */
static void a_stray_signal_ends_nothing(struct subject *s)
{
	struct io_op *done[2];
	int ends[2][2];
	open_engine(s, 2, 1);
	struct sigaction action;
	sigaction(SIGUSR2, NULL, &action);
	for (unsigned i = 0; i < 2; i++) {
		make_pipe(ends[i]);
		start(s, slow_read(s, i, ends[i][0]));
		wait_until_others_sleep();
	}
	for (unsigned i = 0; i < 5 && action.sa_handler != SIG_DFL; i++) {
		signal_workers(SIGUSR2);
		wait_until_others_sleep();
	}
	unsigned n = reap(s, done, 1, 2, A_MOMENT_NS);
	expect(n == 0,
	       WHEN("when a signal comes that cancel() did not send")
		       EXPECTED("the reads to wait on") SAW("%u end, the first with %s"),
	       n, n ? answer(done[0]->result) : "");
	for (unsigned i = 2; i-- > 0;) {
		end_read(ends[i][1]);
		await(s, &s->op[i]);
		expect(s->op[i].result == 1, EXPECTED("1 byte") SAW("%s"), answer(s->op[i].result));
	}
	close_engine(s);
	close_pipes(ends, 2);
}

/* No worker has taken them: they are back at once, while all workers are held. */
static void takes_back_what_no_worker_has(struct subject *s)
{
	struct io_op *done[2], *ops[2];
	struct sigaction engines;
	int ends[2];
	make_pipe(ends);
	open_engine(s, 2, 1);
	wait_until_others_sleep();
	bool held = hold_workers(&engines);
	for (unsigned i = 0; i < 2; i++)
		ops[i] = slow_read(s, i, ends[0]);
	start_all(s, ops, 2);
	if (!held)
		wait_until_others_sleep();
	s->ops->cancel(s->engine);
	unsigned n = held ? reap(s, done, 2, 2, PATIENCE_NS) : 0;
	let_workers_go(&engines);
	expect(!held || n == 2,
	       WHEN("when no worker has begun") EXPECTED("both reads back at once, after cancel()")
		       SAW("%u"),
	       n);
	await_all(s);
	for (unsigned i = 0; i < 2; i++)
		expect(s->op[i].result == -ECANCELED,
		       WHEN("after cancel") EXPECTED("-ECANCELED") SAW("%s"),
		       answer(s->op[i].result));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The handler of a signal belongs to the process, and so to all engines in it. */
static void another_engine_may_close_first(struct subject *s)
{
	struct engine_config config = {
		.depth = 1, .max_fds = 1, .cpu_count = 1, .options = s->options
	};
	struct reason why = { "" };
	struct engine *other;
	struct sigaction before, after;
	int ends[2];
	sigaction(SIGUSR2, NULL, &before);
	make_pipe(ends);
	expect(s->ops->open(&other, &config, &why) == 0, EXPECTED("a second engine") SAW("%s"),
	       why.text);
	open_engine(s, 1, 1);
	s->ops->close(other);
	start(s, slow_read(s, 0, ends[0]));
	wait_until_others_sleep();
	s->ops->cancel(s->engine);
	await_all(s);
	expect(s->op[0].result == -ECANCELED,
	       WHEN("when another engine has closed meanwhile") EXPECTED("-ECANCELED") SAW("%s"),
	       answer(s->op[0].result));
	close_engine(s);
	sigaction(SIGUSR2, NULL, &after);
	expect(after.sa_handler == before.sa_handler,
	       WHEN("after both have closed") EXPECTED("SIGUSR2 to do what it did before")
		       SAW("another action"));
	close(ends[0]);
	close(ends[1]);
}

/* Exercise 6: one is called back. */

static void calls_one_back_that_no_worker_has(struct subject *s)
{
	struct io_op *done[2], *ops[2];
	struct sigaction engines;
	int ends[2];
	make_pipe(ends);
	open_engine(s, 2, 1);
	wait_until_others_sleep();
	bool held = hold_workers(&engines);
	for (unsigned i = 0; i < 2; i++)
		ops[i] = slow_read(s, i, ends[0]);
	start_all(s, ops, 2);
	if (!held)
		wait_until_others_sleep();
	cancel_one(s, ops[1]);
	unsigned n = held ? reap(s, done, 1, 2, PATIENCE_NS) : 0;
	let_workers_go(&engines);
	expect(!held || (n == 1 && done[0] == ops[1]),
	       WHEN("when no worker has begun")
		       EXPECTED("the one that is asked for back at once, alone") SAW("%u"),
	       n);
	await(s, ops[1]);
	expect(ops[1]->result == -ECANCELED,
	       WHEN("after cancel_one()") EXPECTED("-ECANCELED") SAW("%s"), answer(ops[1]->result));
	n = reap(s, done, 1, 2, A_MOMENT_NS);
	expect(n == 0, EXPECTED("the other one to wait on") SAW("it end with %s"),
	       answer(ops[0]->result));
	end_read(ends[1]);
	await_all(s);
	expect(ops[0]->result == 1, EXPECTED("1 byte") SAW("%s"), answer(ops[0]->result));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* The byte is read, and the worker is on its way back, when it is called. Nothing of that stays. */
static void calls_one_back_on_its_way_home(struct subject *s)
{
	struct io_op *done[1];
	int ends[2];
	make_pipe(ends);
	open_engine(s, 1, 1);
	start(s, slow_read(s, 0, ends[0]));
	wait_until_others_sleep();
	close_gate(WORKER_LOCKS, 0);
	end_read(ends[1]);
	somebody_is_held(PATIENCE_NS);
	cancel_one(s, &s->op[0]);
	open_gate();
	await(s, &s->op[0]);
	expect(s->op[0].result == 1,
	       WHEN("when it is called back after it has read") EXPECTED("1 byte") SAW("%s"),
	       answer(s->op[0].result));
	start(s, slow_read(s, 0, ends[0]));
	wait_until_others_sleep();
	unsigned n = reap(s, done, 1, 1, A_MOMENT_NS);
	expect(n == 0,
	       WHEN("when its worker was called back too late")
		       EXPECTED("the next operation to wait like any other") SAW("it end with %s"),
	       answer(s->op[0].result));
	end_read(ends[1]);
	await(s, &s->op[0]);
	expect(s->op[0].result == 1, EXPECTED("1 byte") SAW("%s"), answer(s->op[0].result));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/*
 * The call has returned, and its worker has not yet said so, when it is called back: what it received
 * is the result, a byte or a client.
 */
static void calls_one_back_with_its_result_in_hand(struct subject *s)
{
#ifdef __SANITIZE_THREAD__
	test_skipped("under ThreadSanitizer no call is held");
#endif
	bool accepts = s->flavour == TCP;
	struct sockaddr_in at;
	int ends[2];
	if (accepts)
		ends[0] = tcp_listener(s, &at);
	else
		make_pipe(ends);
	open_engine(s, 1, 1);
	struct io_op *op = slow_read(s, 0, ends[0]);
	if (accepts)
		op->kind = IO_ACCEPT;
	start(s, op);
	wait_until_others_sleep();
	close_gate(WORKER_HAS_RESULT, 0);
	if (accepts)
		ends[1] = tcp_client(&at);
	else
		end_read(ends[1]);
	bool held = somebody_is_held(PATIENCE_NS);
	cancel_one(s, op);
	open_gate();
	await(s, op);
	expect(held, EXPECTED("a worker in read(2) or accept4(2)") SAW("none"));
	expect(accepts ? op->result >= 0 : op->result == 1,
	       WHEN("when it is called back with its result in hand") EXPECTED("%s") SAW("%s"),
	       accepts ? "the client" : "1 byte", answer(op->result));
	if (accepts)
		close((int)op->result);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* Each of many, in every slot, and its worker serves the next operation as if nothing had been. */
static void calls_back_each_of_many(struct subject *s)
{
	int ends[BATCH][2];
	struct io_op *done[BATCH];
	struct bystander bystander = { .count = 0 };
	open_engine(s, BATCH, 1);
	begin_slow_reads(s, ends, &bystander, BATCH);
	for (unsigned i = 0; i < BATCH; i++) {
		unsigned slot = i * 7 % BATCH;
		cancel_one(s, &s->op[slot]);
		unsigned n = reap(s, done, 1, BATCH, PATIENCE_NS);
		expect(n == 1 && done[0] == &s->op[slot] && done[0]->result == -ECANCELED,
		       WHEN("after cancel_one() of slot %u") EXPECTED("it alone, with -ECANCELED")
			       SAW("%u back, the first with %s"),
		       slot, n, n ? answer(done[0]->result) : "");
	}
	for (unsigned i = 0; i < BATCH; i++) {
		start(s, slow_read(s, i, ends[i][0]));
		wait_until_others_sleep();
	}
	unsigned n = reap(s, done, 1, BATCH, A_MOMENT_NS);
	expect(n == 0,
	       WHEN("when all have been called back once")
		       EXPECTED("the next operations to wait like any other") SAW("%u end"),
	       n);
	for (unsigned i = BATCH; i-- > 0;) {
		end_read(ends[i][1]);
		await(s, &s->op[i]);
		expect(s->op[i].result == 1, EXPECTED("1 byte") SAW("%s"), answer(s->op[i].result));
	}
	close_engine(s);
	close_pipes(ends, BATCH);
}

/* The table. */

#define ON(number) .exercise = number, .engine = "threads", .allowed_calls = SLEEPING CALLING
#define TEST(number, test, which, function)                                                        \
	{                                                                                          \
		ON(number), .name = test, .flavours = which, .run = function                       \
	}

#define LONG_TEST(number, test, which, function)                                                   \
	{                                                                                          \
		ON(number), .name = test, .flavours = which, .run = function, .limit_s = 60        \
	}

const struct lab_test lab_tests[] = {
	TEST(1, "starts_a_thread_for_each_operation", ONE(NO_FD),
	     starts_a_thread_for_each_operation),
	TEST(1, "ends_its_threads", ONE(NO_FD), ends_its_threads),
	TEST(1, "destroys_what_it_initialised", ONE(NO_FD), destroys_what_it_initialised),
	TEST(1, "close_waits_for_its_threads", ONE(NO_FD), close_waits_for_its_threads),
	TEST(1, "close_keeps_its_wake_up", ONE(NO_FD), close_keeps_its_wake_up),
	TEST(1, "open_fails_without_a_trace", ONE(NO_FD), open_fails_without_a_trace),
	TEST(1, "open_tells_what_fails", ONE(NO_FD), open_tells_what_fails),
	TEST(1, "workers_block_the_programs_signals", ONE(NO_FD),
	     workers_block_the_programs_signals),
	TEST(1, "leaves_signals_to_the_caller", ONE(NO_FD), signals_are_left_to_the_caller),
	TEST(1, "signals_stay_as_they_were", ONE(NO_FD), signals_stay_as_they_were),
	TEST(1, "opens_without_memory_or_says_why_not", ONE(NO_FD), open_without_memory),
	TEST(1, "says_what_it_can_do", ONE(NO_FD), says_what_it_can_do),
	TEST(1, "supports_or_says_why", ONE(NO_FD), supports_or_says_why),
	TEST(1, "failures_leave_nothing_behind", ONE(NO_FD), failures_leave_nothing_behind),

	TEST(2, "reads_in_other_threads", FILES, reads_in_other_threads),
	TEST(2, "a_worker_that_sleeps_holds_no_lock", ONE(BUFFERED),
	     a_worker_that_sleeps_holds_no_lock),
	TEST(2, "workers_without_work_sleep", ONE(BUFFERED), workers_without_work_sleep),
	TEST(2, "reads_the_right_blocks", FILES, file_read_right_data),
	TEST(2, "writes_the_right_blocks", FILES, file_write_right_data),
	TEST(2, "reads_up_to_the_end", FILES, file_read_across_end),
	TEST(2, "syncs", ONE(BUFFERED), file_sync),
	TEST(2, "tells_a_sync_that_fails", ONE(BUFFERED), file_sync_that_fails),
	TEST(2, "tells_a_bad_descriptor", ONE(BUFFERED), file_bad_descriptor),
	TEST(2, "tells_a_bad_offset", ONE(BUFFERED), file_bad_offset),
	TEST(2, "tells_what_fails", ONE(BUFFERED), file_tells_what_fails),
	TEST(2, "moves_zero_bytes", ONE(BUFFERED), file_zero_bytes),
	TEST(2, "keeps_all_bits_of_an_offset", ONE(BUFFERED), file_offsets_beyond_4_gib),
	TEST(2, "keeps_min_and_max", ONE(BUFFERED), reap_keeps_min_and_max),
	TEST(2, "loses_nothing_to_a_reap_of_nothing", ONE(BUFFERED), reap_of_nothing_loses_nothing),
	TEST(2, "keeps_two_engines_apart", ONE(BUFFERED), two_engines_on_files),
	TEST(2, "touches_only_result_and_next", ONE(BUFFERED), result_is_all_that_is_written),
	TEST(2, "leaves_next_to_the_holder", ONE(BUFFERED), next_is_the_holders),
	TEST(2, "serves_descriptor_0", ONE(BUFFERED), descriptor_0_is_served),
	TEST(2, "opens_and_closes_again", ONE(BUFFERED), opens_and_closes_again),
	TEST(2, "stays_whole_after_the_end", ONE(BUFFERED), file_stays_whole_after_the_end),
	TEST(2, "receives_what_is_there", STREAMS, stream_receives_what_is_there),
	TEST(2, "sends_right_data", STREAMS, stream_sends_right_data),
	TEST(2, "sees_the_end", STREAMS, stream_end_of_file),

	TEST(3, "sleeps_in_one_call", ONE(PIPE), sleeps_in_one_call),
	LONG_TEST(3, "wakes_once_for_a_batch", ONE(PIPE), wakes_once_for_a_batch),
	TEST(3, "enough_is_there_without_a_call", ONE(BUFFERED), enough_is_there_without_a_call),
	TEST(3, "keeps_a_wake_up_before_it_sleeps", ONE(PIPE), keeps_a_wake_up_before_it_sleeps),
	TEST(3, "keeps_a_wake_up_as_it_falls_asleep", ONE(PIPE),
	     keeps_a_wake_up_as_it_falls_asleep),
	TEST(3, "a_late_wake_up_ends_no_other_wait", ONE(PIPE), a_late_wake_up_ends_no_other_wait),
	LONG_TEST(3, "keeps_a_large_min", ONE(BUFFERED), keeps_a_large_min),
	TEST(3, "keeps_its_time_limit", ONE(PIPE), stream_keeps_its_timeout),
	TEST(3, "short_waits_are_short", ONE(PIPE), stream_waits_less_than_a_millisecond),
	TEST(3, "waits_for_seconds", ONE(PIPE), stream_waits_for_seconds),
	TEST(3, "keeps_all_bits_of_a_timeout", ONE(PIPE), stream_waits_for_ever),
	TEST(3, "a_signal_ends_the_wait", ONE(PIPE), stream_signal_ends_the_wait),
	TEST(3, "one_signal_ends_a_wait_for_two", ONE(PIPE), stream_one_signal_ends_a_wait_for_two),
	TEST(3, "a_signal_that_restarts_ends_the_wait", ONE(PIPE),
	     stream_signal_that_restarts_ends_the_wait),
	TEST(3, "survives_signals", ONE(PIPE), stream_survives_signals),
	TEST(3, "survives_many_signals_in_a_row", ONE(PIPE), stream_survives_many_signals_in_a_row),
	TEST(3, "end_while_waiting", STREAMS, stream_end_while_waiting),

	TEST(4, "a_batch_is_in_workers_at_once", ONE(PIPE), a_batch_is_in_workers_at_once),
	TEST(4, "each_submit_has_a_worker", ONE(PIPE), each_submit_has_a_worker),
	TEST(4, "wakes_one_for_one", ONE(BUFFERED), wakes_one_for_one),
	TEST(4, "survives_a_wake_up_for_nothing", ONE(BUFFERED), survives_a_wake_up_for_nothing),
	TEST(4, "submit_keeps_its_wake_up", ONE(BUFFERED), submit_keeps_its_wake_up),
	TEST(4, "workers_keep_a_wake_up", ONE(BUFFERED), workers_keep_a_wake_up),
	TEST(4, "waits_without_touching", ONE(PIPE) | ONE(TCP), stream_waits_without_touching),
	TEST(4, "sleeps_while_waiting", ONE(PIPE), stream_sleeps_while_waiting),
	TEST(4, "stays_asleep", ONE(PIPE), stream_stays_asleep),
	TEST(4, "receives_in_full_buffers", STREAMS, stream_receives_in_full_buffers),
	TEST(4, "survives_a_full_buffer", STREAMS, stream_survives_a_full_buffer),
	TEST(4, "both_directions", SOCKETS, socket_both_directions_at_once),
	TEST(4, "comes_back_one_by_one", ONE(PIPE), stream_comes_back_one_by_one),
	TEST(4, "waits_for_as_many_as_asked", ONE(PIPE), stream_waits_for_as_many_as_asked),
	TEST(4, "batch_is_in_flight_at_once", ONE(PIPE), stream_batch_is_in_flight_at_once),
	TEST(4, "keeps_two_engines_apart_on_streams", ONE(PIPE), two_engines_on_streams),
	TEST(4, "two_engines_in_two_threads", ONE(PIPE), two_engines_in_two_threads),

	TEST(5, "cancel", STREAMS, stream_cancel),
	TEST(5, "cancel_in_scattered_slots", ONE(PIPE), stream_cancel_in_scattered_slots),
	TEST(5, "cancel_of_sends", ONE(UNIX) | ONE(PIPE), stream_cancel_of_sends),
	TEST(5, "cancel_with_nothing", ONE(PIPE), cancel_with_nothing_in_flight),
	TEST(5, "cancel_of_files", ONE(BUFFERED), file_cancel),
	TEST(5, "cancel_then_silence", ONE(BUFFERED), file_cancel_then_silence),
	TEST(5, "cancel_with_all_signals_blocked", ONE(PIPE),
	     stream_cancel_with_all_signals_blocked),
	TEST(5, "calls_back_who_is_on_its_way", ONE(PIPE), calls_back_who_is_on_its_way),
	TEST(5, "waits_for_who_is_called_back", ONE(PIPE), waits_for_who_is_called_back),
	TEST(5, "calls_back_the_second_as_well", ONE(PIPE), calls_back_the_second_as_well),
	TEST(5, "calls_back_for_a_caller_who_polls", ONE(PIPE), calls_back_for_a_caller_who_polls),
	TEST(5, "a_stray_signal_ends_nothing", ONE(PIPE), a_stray_signal_ends_nothing),
	TEST(5, "takes_back_what_no_worker_has", ONE(PIPE), takes_back_what_no_worker_has),
	TEST(5, "another_engine_may_close_first", ONE(PIPE), another_engine_may_close_first),
	TEST(5, "finds_the_active_one", ONE(TCP), stream_finds_the_active_one),
	TEST(5, "streams_stay_whole_after_the_end", ONE(UNIX), stream_stays_whole_after_the_end),
	TEST(5, "streams_tell_what_fails", ONE(UNIX) | ONE(PIPE), stream_tells_what_fails),
	TEST(5, "connections_tell_what_fails", ONE(TCP), connections_tell_what_fails),

	TEST(6, "calls_one_back", STREAMS, cancel_one_leaves_the_others),
	TEST(6, "calls_one_back_and_receives_again", ONE(UNIX) | ONE(PIPE),
	     cancel_one_leaves_the_descriptor_whole),
	TEST(6, "leaves_no_trace", ONE(PIPE), cancel_one_leaves_no_trace),
	TEST(6, "loses_no_client", ONE(TCP), accept_called_back_loses_no_client),
	TEST(6, "calls_one_back_with_its_result_in_hand", ONE(TCP) | ONE(PIPE),
	     calls_one_back_with_its_result_in_hand),
	TEST(6, "loses_no_byte", ONE(UNIX), cancel_one_loses_no_byte),
	TEST(6, "meets_the_beginning", ONE(PIPE), cancel_one_meets_the_beginning),
	TEST(6, "comes_too_late", ONE(UNIX), cancel_one_comes_too_late),
	TEST(6, "calls_a_send_back", ONE(UNIX), cancel_one_of_a_send),
	TEST(6, "calls_one_of_a_file_back", ONE(BUFFERED), cancel_one_of_a_file),
	TEST(6, "calls_one_back_that_no_worker_has", ONE(PIPE), calls_one_back_that_no_worker_has),
	TEST(6, "calls_one_back_on_its_way_home", ONE(PIPE), calls_one_back_on_its_way_home),
	TEST(6, "calls_back_each_of_many", ONE(PIPE), calls_back_each_of_many),
	THE_REST_OF_THE_CONTRACT(6, "threads", FILES | STREAMS, LENDING | BLOCKING),
	{ NULL },
};
