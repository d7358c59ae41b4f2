/* SPDX-License-Identifier: MIT */
/*
 * The memory that a lab's test program and the proctor share during one test.
 *
 * The proctor is another process. It stops the program at every system call (ptrace(2)), counts the
 * calls that the engine under test makes, and writes them down beside what the test did. The program
 * is stopped meanwhile, so it may read the counts without a lock.
 *
 * The engine can write here too. So the proctor believes nothing that stands here but the token, copies
 * texts before it looks at them, and prints none as it stands. What it must know of the test, the test
 * tells it by the words below.
 */
#ifndef IOLAB_COURSE_EXAM_RECORD_H
#define IOLAB_COURSE_EXAM_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "event_key.h"

/* The environment variable that names the descriptor of the shared memory. */
#define EXAM_FD_VARIABLE "IOLAB_EXAM_FD"

/*
 * What a test tells the proctor: the first argument of a prctl(2) that no kernel knows. The third is where
 * the program has mapped the record, and the fourth the frame of the function that makes the call. One
 * instruction makes all of these calls, right before the label EXAM_TELLS_AT; made from elsewhere, they are a
 * forger's. So they are where code of the submission led there (hearing.c).
 */
enum exam_word {
	/*
	 * main() has begun, and the token should be put into `token`. Not earlier: a submission's
	 * constructors run before main().
	 */
	EXAM_BEGIN = 0x494f4c42,
	/*
	 * The test is about to call a function of the engine: the second argument, an enum
	 * engine_function. So the proctor counts those calls itself, see tap.h.
	 */
	EXAM_CALL,
	EXAM_RETURN, /* that call is over */
	EXAM_FAILED, /* an expectation does not hold: whatever follows, the test has failed */
	EXAM_RESET, /* the counts below begin anew */
	EXAM_COUNT, /* the test is about to read them */
	EXAM_END, /* the test is over, and no expectation failed */
};
/*
 * So many calls to each function are told, which is all of them but in three tests of lab 10: these make 140,000
 * calls to submit() and to reap(), and would take seconds.
 */
#define EXAM_TOLD_MAX 10000
#define EXAM_TELLS_AT "iolab_tells"

enum engine_function {
	FUNCTION_SUPPORTS,
	FUNCTION_OPEN,
	FUNCTION_ATTACH,
	FUNCTION_DETACH,
	FUNCTION_SUBMIT,
	FUNCTION_REAP,
	FUNCTION_CANCEL,
	FUNCTION_CLOSE,
	FUNCTION_COUNT,
};

static const char *const function_names[FUNCTION_COUNT] = { "supports", "open", "attach", "detach",
							    "submit",	"reap", "cancel", "close" };

/* Above the number of every system call that a lab could count. */
#define EXAM_CALLS_MAX 1024

#define EXAM_EVENTS	 512
#define EXAM_EVENT_BYTES 160
/* The first ones are kept: a loop without end must not push out its own cause. */
#define EXAM_FIRST_EVENTS 64

/* Events with the same or an alike key are folded when they repeat. The text is for people. */
struct exam_event {
	struct event_key key;
	char text[EXAM_EVENT_BYTES];
};

/* Where event number `i` is kept. */
static inline uint32_t exam_event_slot(uint32_t i)
{
	return i < EXAM_FIRST_EVENTS
		       ? i
		       : EXAM_FIRST_EVENTS +
				 (i - EXAM_FIRST_EVENTS) % (EXAM_EVENTS - EXAM_FIRST_EVENTS);
}

/* The expectation of the test that did not hold. */
struct exam_failure {
	uint32_t line; /* in `file`; 0: none */
	char file[64];
	char when[120]; /* "after cancel", or empty */
	char expected[300]; /* empty where `seen` says everything */
	char seen[300];
};

/*
 * One system call of the engine's that shall fail: the test fills it in (fail_call() in lab_test.h),
 * the proctor acts (call_faults.h).
 */
struct exam_fault {
	char names[64]; /* which calls, as words */
	int32_t error; /* a positive errno value; 0: none shall fail */
	uint32_t let_through; /* how many of them are made before */
	uint32_t failed; /* the proctor's: it has happened */
	char call[40]; /* the proctor's: which one failed */
	uint32_t calls_since; /* the proctor's: calls that the engine made later */
};

/*
 * One system call of the engine's, on the thread that drives it, that is held up before it is made:
 * hold_call_after() in lab_test.h.
 */
struct exam_hold {
	char names[64]; /* which calls, as words; empty: none is held */
	uint32_t let_through; /* how many of them are made before */
	uint32_t held; /* the proctor's: it stands there now, or has stood there */
	uint32_t let_go; /* the program's: it may be made */
};

/*
 * Threads of the test, beside the first, that call the engine: their system calls are told, and not
 * counted.
 */
#define EXAM_DRIVERS 8
struct exam_driver {
	uint32_t tid; /* 0: there is none */
	uint32_t in_engine; /* set while it is inside the engine */
};

/* Clearing away after a failure is not going on in spite of it. */
#define EXAM_CALLS_AFTER_A_FAULT                                                                   \
	"close munmap mmap mprotect madvise brk futex exit rt_sigprocmask gettid rseq "            \
	"set_robust_list sched_yield clock_gettime"

struct exam_record {
	uint64_t token; /* the proctor's, see EXAM_BEGIN */
	uint64_t finished; /* the program's: the token, once the test is over */
	uint32_t attached; /* the proctor's: calls are being counted */
	uint32_t in_engine; /* the program's: set while its main thread is inside the engine */
	char where[32]; /* the program's: the function of the contract that it is inside */
	struct exam_driver drivers[EXAM_DRIVERS]; /* the program's */
	struct exam_failure failure; /* the program's */
	struct exam_fault fault; /* the program's, but for the two counters */
	struct exam_hold hold; /* the program's, but for `held` */
	uint32_t reporting; /* the program's: a sanitizer writes its report, and the test is over */
	char skipped[300]; /* the program's: why the test cannot be made here */

	/* Calls that the engine made since the test last set them to 0, by number. */
	uint32_t calls_main[EXAM_CALLS_MAX]; /* by the thread that drives the engine */
	uint32_t calls_others[EXAM_CALLS_MAX]; /* by threads that the engine started */
	uint32_t threads_started; /* by the engine */
	uint32_t prints; /* the engine's calls that only print: they are in neither count above */

	/* What happened, the first and the newest; `event_count` grows without end. */
	uint32_t event_count;
	struct exam_event events[EXAM_EVENTS];
};

/* The test's thread of that id as reports call it: its first thread is number 1. 0: it drives no engine. */
static inline unsigned driver_number(const struct exam_record *record, int tid)
{
	for (unsigned i = 0; i < EXAM_DRIVERS; i++)
		if (__atomic_load_n(&record->drivers[i].tid, __ATOMIC_SEQ_CST) == (uint32_t)tid)
			return i + 2;
	return 0;
}

#endif
