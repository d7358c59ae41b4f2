/* SPDX-License-Identifier: MIT */
/*
 * Why something was refused: one line of text, written where the cause is known. A control character
 * in it becomes a '?'.
 */
#ifndef IOLAB_REASON_H
#define IOLAB_REASON_H

#include <stdarg.h>

struct reason {
	char text[400];
};

/*
 * Overwrites `why`, like printf. What does not fit is cut off, never within a character of UTF-8.
 * `why` may be NULL.
 */
__attribute__((format(printf, 2, 3))) void reason_set(struct reason *why, const char *format, ...);
__attribute__((format(printf, 2, 0))) void reason_vset(struct reason *why, const char *format,
						       va_list args);

/*
 * As reason_set(), followed by ": ENAME: message" for the errno value, which is never cut off.
 * `error` is positive or negative, never 0. Returns it negative, so that a caller can write
 * `return reason_errno(why, errno, "open %s", path);`.
 */
__attribute__((format(printf, 3, 4))) int reason_errno(struct reason *why, int error,
						       const char *format, ...);

/* The name of an errno value, positive or negative: "EPERM". "E?" when it has none. */
const char *errno_name(int error);

#endif
