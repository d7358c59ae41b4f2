/* SPDX-License-Identifier: MIT */
/*
 * What a lab's tests.c is written with.
 *
 * It defines `lab_tests`, a table that ends with a NULL name. Each test runs in a fresh process
 * with a time limit. It drives the engine through the functions of conformance.h (open_engine,
 * prepare, start, reap, await, ...), which check every rule of the contract on the way, and it may
 * ask below which system calls the engine made. The shared conformance tests (tests.h) can be named
 * in the table as they are.
 *
 * A test ends when it returns, or when an expect() does not hold. The proctor adds the operations
 * and system calls that led there.
 */
#ifndef IOLAB_LAB_TEST_H
#define IOLAB_LAB_TEST_H

#include <stdbool.h>

#include "conformance.h"
#include "tests.h"

struct lab_test {
	const char *name; /* says what must hold: "reads_short_without_looping" */
	unsigned exercise; /* to which exercise of lab.toml it belongs, from 1 */
	const char *engine; /* with options, as in --engine: "epoll:edge" */
	unsigned flavours; /* bits of enum flavour: the test runs once for each, as NAME/FLAVOUR */
	/*
	 * For a layer, in place of the two: engines as words, "epoll io_uring:sqpoll". The test runs
	 * once over each, as NAME/ENGINE, and skips itself where an engine lacks what it needs.
	 */
	const char *over;
	/* NULL: the row stands for many tests, see THE_REST_OF_THE_CONTRACT. */
	void (*run)(struct subject *s);
	/*
	 * The system calls that the engine's own thread may make in submit, reap and cancel, as
	 * words; NULL allows all. Memory calls (brk, mmap, ...) and futex are always allowed.
	 */
	const char *allowed_calls;
	unsigned limit_s; /* 0: 10 seconds */
	unsigned left_out; /* bits of enum about, with THE_REST_OF_THE_CONTRACT */
};

extern const struct lab_test lab_tests[];

/*
 * A row for all tests of the contract (contract_tests.c) over these flavours that no other row names for the same
 * engine, but for those that take long and those about what it does not do: contract_NAME/FLAVOUR. A direct file
 * and a Unix socket are left out where the test has a buffered file and TCP, too.
 */
#define THE_REST_OF_THE_CONTRACT(number, of_engine, which, does_not)                               \
	{                                                                                          \
		.name = "contract", .exercise = number, .engine = of_engine, .flavours = which,    \
		.left_out = does_not, .limit_s = 30                                                \
	}

/*
 * System calls of the engine since the last calls_reset(): by the thread that drives it, and by
 * threads that it started. `names` are words: "recvfrom read"; NULL counts all but those
 * that are always allowed (memory calls, futex, reading the clock). Where calls are not counted
 * (sanitizer builds, ptrace refused) the test is skipped.
 */
void calls_reset(void);
unsigned calls_made(const char *names);
unsigned calls_made_by_workers(const char *names);

/*
 * Calls of the engine that only print (to descriptors 1 and 2), since the process began. They count
 * in none of the numbers above and are allowed everywhere, so that a learner's puts() fails only a
 * test that asks for this. Skips the test in the same cases.
 */
unsigned prints_made(void);

/*
 * Lets a system call of the engine's fail: the next one among `names` (words), after `let_through` of
 * them; not a memory call, which nobody sees. It is not made then, and answers -1 with errno `error`.
 * Skips the test in the same cases.
 */
void fail_call(const char *names, int error, unsigned let_through);
/* Its name, once it has failed; before that all of them, "dup or fcntl". */
const char *failing_call(void);
/* Did it come to that? From now on no call is made to fail. */
bool call_failed(void);
/* Calls that the engine made after the one that failed, without those that only clear away. */
unsigned calls_after_failure(void);

/*
 * Holds up the next call among `names` that the engine makes on the thread that drives it, before it
 * is made. Another thread of the test waits for that, at most `patience_ns`; lets others run as long
 * as it likes; and lets the call go. Whether it was reached at all is for an engine to decide. Skips
 * the test in the same cases.
 */
void hold_call(const char *names);
/* The same, after `let_through` of them. */
void hold_call_after(const char *names, unsigned let_through);
bool wait_until_held(int64_t patience_ns);
void let_call_go(void);

/*
 * Waits until all threads but this one and the process's first sleep in the kernel, all of them at one
 * moment (at most 5 s).
 */
void wait_until_others_sleep(void);

/* Threads that the engine started since the process began. Skips the test in the same cases. */
unsigned threads_started(void);

/*
 * Adds to the account of what led to a failure: what the test itself did ("the peer sends 10
 * bytes").
 */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);

/* Writes all of `bytes` to the peer's end, with a note. When that fails, the test ends. */
void peer_sends(int fd, const void *bytes, size_t count);

/* Waits until thread `tid` of this process sleeps in the kernel (at most 5 s). */
void wait_until_asleep(int tid);

/* The kernel's thread that polls for an io_uring of this process, or -1 where /proc/self/task shows none. */
int polling_thread(void);

/* CPU time used so far by the calling thread, by all threads: for tests that forbid busy waiting. */
int64_t thread_cpu_ns(void);
int64_t process_cpu_ns(void);

#endif
