/* SPDX-License-Identifier: MIT */
/* Test Anything Protocol for the small C tests: one line a check, a count at the end. */
#ifndef IOLAB_TAP_H
#define IOLAB_TAP_H

#include <stdbool.h>
#include <stdio.h>

struct tap {
	unsigned passed, failed, skipped;
};

/* Prints "ok" or "not ok" with what was checked; on failure the numbers tell what was seen. */
#define tap_check(tap, condition, ...)                                                             \
	do {                                                                                       \
		bool holds_ = (condition);                                                         \
		(tap)->passed += holds_;                                                           \
		(tap)->failed += !holds_;                                                          \
		printf("%sok %u - ", holds_ ? "" : "not ",                                         \
		       (tap)->passed + (tap)->failed + (tap)->skipped);                            \
		printf(__VA_ARGS__);                                                               \
		putchar('\n');                                                                     \
		fflush(stdout);                                                                    \
	} while (0)

static inline void tap_skip(struct tap *tap, const char *what, const char *why)
{
	tap->skipped++;
	printf("ok %u - %s # SKIP %s\n", tap->passed + tap->failed + tap->skipped, what, why);
}

/* The exit status of main(). */
static inline int tap_end(const struct tap *tap)
{
	printf("1..%u\n# %u passed, %u failed, %u skipped\n",
	       tap->passed + tap->failed + tap->skipped, tap->passed, tap->failed, tap->skipped);
	return tap->failed ? 1 : 0;
}

#endif
