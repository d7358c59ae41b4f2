/* SPDX-License-Identifier: MIT */
/* A test in a process of its own: it may crash, hang or end the program, and the others go on. */
#ifndef IOLAB_TEST_APART_H
#define IOLAB_TEST_APART_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SKIPPED_STATUS 77

/* Ends the test, with words that are its first line. */
#define expect(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("%s:%d: ", __FILE__, __LINE__);                                     \
			printf(__VA_ARGS__);                                                       \
			puts("");                                                                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

struct test_counts {
	unsigned all, passed, failed, skipped;
};

/*
 * Runs `call(test)` in a child, which SIGALRM ends after `limit_s`; `call` is NULL for the test alone.
 * Prints its line of TAP, with "group/" before the name unless `group` is NULL, and counts it.
 */
static inline void run_test_apart(struct test_counts *counts, void (*call)(void (*test)(void)),
				  void (*test)(void), unsigned limit_s, const char *group,
				  const char *name)
{
	int ends[2], status;
	char text[400] = "";
	fflush(stdout);
	expect(pipe(ends) == 0, "pipe");
	pid_t pid = fork();
	expect(pid >= 0, "fork");
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		alarm(limit_s);
		if (call)
			call(test);
		else
			test();
		exit(0);
	}
	close(ends[1]);
	waitpid(pid, &status, 0);
	ssize_t n = read(ends[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	close(ends[0]);
	bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == TEST_SKIPPED_STATUS;
	counts->passed += passed;
	counts->skipped += skipped;
	counts->failed += !passed && !skipped;
	printf("%s %u - %s%s%s%s%s\n", passed || skipped ? "ok" : "not ok", ++counts->all,
	       group ? group : "", group ? "/" : "", name, skipped ? " # SKIP " : "",
	       skipped ? text : "");
	if (!passed && !skipped)
		printf("# %s (status %x)\n", text, (unsigned)status);
}

/* The end of the TAP. Returns an exit status. */
static inline int report_tests(const struct test_counts *counts)
{
	printf("1..%u\n# %u passed, %u failed, %u skipped\n", counts->all, counts->passed,
	       counts->failed, counts->skipped);
	return counts->failed > 0;
}

#endif
