/* SPDX-License-Identifier: MIT */
/*
 * What a lab's test program and the proctor that watches it share: one page of memory.
 *
 * The proctor is another process. It stops the program at every system call (ptrace(2)), counts
 * those that the engine under test makes, and writes them down beside what the test did. The
 * program is stopped meanwhile, so it may read the counts without a lock.
 */
#ifndef IOLAB_COURSE_TRACE_H
#define IOLAB_COURSE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* The environment variable that names the descriptor of the shared memory. */
#define TRACE_FD_VARIABLE "IOLAB_TRACE_FD"

/*
 * prctl() with this option, which no kernel knows, tells the proctor that main() has begun and that
 * it should put the token into `token`. Not earlier: a submission's constructors run before main().
 */
#define TRACE_BEGIN 0x494f4c42

/* Above any system call's number that a lab could count. */
#define TRACE_CALLS_MAX 1024

#define TRACE_EVENTS	  512
#define TRACE_EVENT_BYTES 120
/* Of those the first ones are kept: a loop without end must not push out how it came about. */
#define TRACE_FIRST_EVENTS 64

/* Where event number `i` is kept. */
static inline uint32_t trace_slot(uint32_t i)
{
	return i < TRACE_FIRST_EVENTS
		       ? i
		       : TRACE_FIRST_EVENTS +
				 (i - TRACE_FIRST_EVENTS) % (TRACE_EVENTS - TRACE_FIRST_EVENTS);
}

struct trace {
	uint64_t token; /* the proctor's, see TRACE_BEGIN */
	uint64_t finished; /* the program's: the token, once the test is over */
	uint32_t attached; /* the proctor's: calls are being counted */
	uint32_t in_engine; /* the program's: set while its main thread is inside the engine */
	char where[32]; /* the program's: the function of the contract that it is inside */

	/* Calls that the engine made since the test last set them to 0, by number. */
	uint32_t calls_main[TRACE_CALLS_MAX]; /* by the thread that drives the engine */
	uint32_t calls_others[TRACE_CALLS_MAX]; /* by threads that the engine started */
	uint32_t threads_started; /* by the engine */

	/* What happened, the first and the newest; `event_count` grows without end. */
	uint32_t event_count;
	char events[TRACE_EVENTS][TRACE_EVENT_BYTES];
};

#endif
