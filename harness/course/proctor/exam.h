/* SPDX-License-Identifier: MIT */
/* One test in one process of its own, as the proctor sees it: its exam. */
#ifndef IOLAB_COURSE_EXAM_H
#define IOLAB_COURSE_EXAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exam_record.h"
#include "frames.h"

#define COMPARED_CALLS_MAX 200 /* to a function of the engine, see tap.h */
#define WAIT_COUNT	   8 /* names in wait_names[] of calls.c */
#define EXAM_TASKS_MAX                                                                             \
	1100 /* threads of one program; a pool of lab 02 may have one for each of 1000 operations */
#define EXAM_FORBIDDEN_MAX   16
#define EXAM_DESCRIPTORS_MAX 4096 /* those above are not told apart */
/* What the program prints: the beginning is kept, and the end, where a sanitizer's report stands. */
#define EXAM_HEAD_BYTES 4096
#define EXAM_TAIL_BYTES 32768

enum direction { DIRECTION_IN, DIRECTION_OUT, DIRECTION_COUNT };

struct exam_options {
	const char *program;
	const char *list_program; /* trusted, names the tests; NULL: the program itself */
	const char *only; /* tests whose names begin so, or NULL */
	unsigned exercise; /* 0: all */
	const char *engine; /* only tests of this engine, in any variant, or NULL */
	uint64_t
		tells_offset_bytes; /* how far EXAM_TELLS_AT lies behind the table of segments; 0: not known */
	/* Where the test's own code begins and ends, behind that table, too; `to` 0: not known. */
	uint64_t code_from_bytes, code_to_bytes;
	bool layer; /* the submission itself calls the engine */
	unsigned part,
		parts; /* of the tests that are left only each `parts`th, from number `part` on */
	bool untraced;
	bool keep_going;
	int uid; /* to run the program as; -1: as ourselves */
	const char *forbidden[EXAM_FORBIDDEN_MAX]; /* folders in which it may open nothing */
	unsigned forbidden_count;
};

struct exam_test {
	char name[128];
	unsigned exercise;
	unsigned limit_s;
	char allowed_calls[300]; /* as in lab_test.h; empty: all */
};

/* A thread of the program. */
struct tracee {
	pid_t tid;
	bool engines; /* started by the engine */
	unsigned number; /* of those, from 1 */
	bool counted; /* the call it is in */
	bool told; /* that call is in the account, counted or not */
	bool prints; /* and is it one of those that only print? */
	bool tests; /* or is it a call of the test's own? */
	int fault; /* the errno value with which it fails, because the test wants it so; or 0 */
	bool held; /* stands before a call, until the test lets it go */
	bool sees_end; /* it stops again when the call is over */
	/* -1: outside of the kernel. One whose end is not seen may be over: is_in_call() in calls.h. */
	long call;
	uint64_t args[6];
	int64_t limit_ns; /* of the call that is told, see time_limit_of() in call_words.h */
};

struct exam {
	const struct exam_options *options;
	const struct exam_test *test;
	struct exam_record *record;
	int record_fd;
	uint64_t token;
	pid_t pid;
	int output_fd;
	char folder[220]; /* the test's own */
	char output_head[EXAM_HEAD_BYTES];
	char output_tail[EXAM_TAIL_BYTES]; /* a ring: what follows the head */
	uint64_t output_bytes; /* printed in all */
	struct tracee tasks[EXAM_TASKS_MAX];
	unsigned task_count;
	bool stopped_at_start;
	bool begun; /* main() was reached */
	uint64_t tells_at; /* the address from which the test tells; 0: not known yet */
	uint64_t record_at; /* of the record in the program */
	uint64_t code_from, code_to; /* of the test's own code in the program; `to` 0: not known */
	struct frame begun_in; /* of the function that tells, at EXAM_BEGIN */
	struct frames entered_in; /* at the last EXAM_CALL */
	bool inside; /* the engine, in a call that the test has told */
	enum engine_function function; /* which call that is */
	bool told_failure; /* an expectation did not hold */
	bool told_end; /* the test is over */
	long hidden_call; /* one that the exercise does not allow, in such a call; -1: none */
	/* The record's counts, where nobody else writes: */
	uint32_t calls_main[EXAM_CALLS_MAX], calls_others[EXAM_CALLS_MAX];
	uint32_t threads_started, prints;
	uint32_t arch; /* AUDIT_ARCH_* of the system calls that this proctor knows */
	unsigned execs;
	uint32_t engine_calls
		[FUNCTION_COUNT]; /* of the test to the engine, the first ones of each */
	/* Of system calls, those that succeed: */
	/* The test's own, on its main thread, as far as tap.h tells them. */
	uint32_t own_calls[EXAM_CALLS_MAX];
	uint64_t
		engine_moved_bytes[DIRECTION_COUNT]; /* by the engine, over what the test gave it */
	bool opened_by_engine[EXAM_DESCRIPTORS_MAX];
	bool waited[WAIT_COUNT]; /* the test itself, by the call of that name in wait_names[] */
	unsigned rings; /* of io_uring, by any thread at any time */
	unsigned faults; /* calls of the engine's that were made to fail */
	int own_signal; /* the last one that the program sent to itself; 0: none */
	bool left_inside; /* it ended inside the engine */
	uint64_t fault_address; /* of the instruction, when a signal is about to kill it */
	json_t *findings; /* an array, see findings.h */
	bool rule_broken; /* the proctor ended the program for what it did */
	uint64_t kept_waiting_ns; /* for a CPU, since others had them all */
	uint64_t ran_ns; /* the program's first thread */
	uint64_t worked_ns; /* the proctor, for it */
	int status; /* as waitpid() gives it */
	bool ended;
};

/* NULL when there is none. */
struct tracee *find_task(struct exam *e, pid_t tid);

/* The task, added when it is new. NULL when there is no room. */
struct tracee *add_task(struct exam *e, pid_t tid);

void remove_task(struct exam *e, pid_t tid);

void kill_all(struct exam *e);

/* Ends the program because it broke `rule`, the finding's id. `key` NULL: there is no value. */
void break_off(struct exam *e, const char *rule, const char *key, const char *value);

/*
 * Is the program's first thread inside the engine? Beyond EXAM_TOLD_MAX calls it is the program's word alone.
 */
bool is_in_engine(const struct exam *e);

/* Appends to the events of the record. */
void write_down(struct exam *e, struct event_key key, const char *text);

/* Code that is linked into the program can run earlier, in a constructor. */
bool reached_main(const struct exam *e);

#endif
