/* SPDX-License-Identifier: MIT */
/*
 * Tests in many processes of one program. A program with a sanitizer takes longer to start than most
 * tests take, and a fork of it begins at once.
 */
#ifndef IOLAB_COURSE_EACH_TEST_H
#define IOLAB_COURSE_EACH_TEST_H

/*
 * Runs each test in a process of its own, as many at once as there are CPUs, by `run`, whose result is
 * the process's exit status. A process that takes longer than `limit_s` says is killed. Prints a line
 * for each test, its name and "passed", "skipped" or "failed"; what the tests print is dropped.
 * Waits for all of them. Returns an exit status: 0, or 1 when a test failed.
 */
int run_each_test(char *const names[], unsigned count, int (*run)(const char *name),
		  unsigned (*limit_s)(const char *name));

#endif
