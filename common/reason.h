/* SPDX-License-Identifier: MIT */
/* Why something was refused: one line of text, in words, filled where the cause is known. */
#ifndef IOLAB_REASON_H
#define IOLAB_REASON_H

#include <stdarg.h>

struct reason {
	char text[400];
};

/*
 * Overwrites `why` (which may be NULL) like printf, cutting what does not fit, never within a
 * character of UTF-8.
 */
__attribute__((format(printf, 2, 3))) void reason_set(struct reason *why, const char *format, ...);
__attribute__((format(printf, 2, 0))) void reason_vset(struct reason *why, const char *format,
						       va_list args);

/*
 * As reason_set(), then ": ENAME: message" for the (positive or negative) errno value, which is
 * never what is cut. Returns it
 * negative, so that a caller can write `return reason_errno(why, errno, "open %s", path);`.
 */
__attribute__((format(printf, 3, 4))) int reason_errno(struct reason *why, int error,
						       const char *format, ...);

/* The symbolic name of a (positive or negative) errno value, "EPERM"; "E?" when unknown. */
const char *errno_name(int error);

#endif
