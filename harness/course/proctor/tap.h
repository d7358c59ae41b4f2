/* SPDX-License-Identifier: MIT */
/*
 * The proctor's output: TAP version 14, one test after another. Each result carries a block that
 * holds one line of JSON (which is YAML):
 *
 *     not ok 3 - receives_what_is_there/tcp
 *       ---
 *       {"exercise": 2, "findings": [...], "output": [...], "events": [...], "events_cut": false}
 *       ...
 *
 * "output" holds the lines that the program printed, without the middle of a very long output;
 * account.h tells what "events" are. A test that passed has instead what the proctor saw of it from
 * outside, which a grader holds against the same test on the reference: "engine_calls" (the test's
 * calls to each function of the engine, no more than COMPARED_CALLS_MAX) and "own_calls" (the system calls that its
 * main thread made outside of the engine and that succeeded, but for those of is_background_call() and of
 * varies_in_tests(), and no more than 200 of a name), each {name: count}; "engine_moved_bytes",
 * what the engine's system calls brought in and took out; "faults", how many calls of the engine's
 * were made to fail; "rings", how many of io_uring's the program made;
 * and "own_waits", which of wait_names[] (calls.h) the test's main thread called outside of the engine. All texts are printable ASCII in JSON strings: nothing that a submission does makes a
 * line of its own.
 */
#ifndef IOLAB_COURSE_TAP_H
#define IOLAB_COURSE_TAP_H

#include "exam.h"
#include "verdict.h"

void tap_begin(void);

/* One result, whole when this returns. `e`: NULL for a test that was not run. */
void tap_result(unsigned number, const struct exam_test *test, enum verdict verdict,
		const json_t *findings, const struct exam *e);

void tap_end(const unsigned counts[VERDICT_COUNT]);

#endif
