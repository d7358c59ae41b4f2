/* SPDX-License-Identifier: MIT */
/*
 * Why something was refused or failed, written where the cause is known.
 *
 * A reason that may reach a result has an identifier: a word of [a-z0-9_] that names the cause, such
 * as "no_noop" or "io_uring_disabled". Programs compare it, and the errno value. Its words are for
 * people: one line, in which a control character becomes a '?'. base/remark.h makes JSON of all three.
 */
#ifndef IOLAB_REASON_H
#define IOLAB_REASON_H

struct reason {
	char id[40]; /* "" until a reason is set, or when it only speaks to a person */
	int error; /* the errno value behind it, positive; 0 when there is none */
	char text[400];
};

/*
 * Overwrites `why`: with an identifier, and words as printf makes them. What does not fit is cut
 * off, never within a character of UTF-8. `why` may be NULL.
 */
__attribute__((format(printf, 3, 4))) void reason_set(struct reason *why, const char *id,
						      const char *format, ...);

/*
 * As reason_set(), followed by ": ENAME: message" for the errno value, which is never cut off.
 * `error` is positive or negative, never 0. Returns it negative, so that a caller can write
 * `return reason_errno(why, "file_not_opened", errno, "open %s", path);`.
 */
__attribute__((format(printf, 4, 5))) int reason_errno(struct reason *why, const char *id,
						       int error, const char *format, ...);

/*
 * The same without an identifier, for what a person at the terminal reads in one line and no result
 * ever holds: a mistake on the command line, a folder that cannot be written.
 */
__attribute__((format(printf, 2, 3))) void reason_say(struct reason *why, const char *format, ...);
__attribute__((format(printf, 3, 4))) int reason_say_errno(struct reason *why, int error,
							   const char *format, ...);

/* The name of an errno value, positive or negative: "EPERM". "E?" when it has none. */
const char *errno_name(int error);

#endif
