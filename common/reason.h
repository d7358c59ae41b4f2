/* SPDX-License-Identifier: MIT */
/*
 * Why something was refused or failed, written where the cause is known.
 *
 * A reason that may reach a result is an identifier, values, and a text for people:
 *
 *     reason_set(why, "file_too_short", "{path} holds {bytes} bytes, less than --size {size}",
 *                reason_string("path", path), reason_int("bytes", have), reason_int("size", want));
 *
 * The identifier is a word of [a-z0-9_] that names the cause, such as "io_uring_disabled". Programs
 * compare it and the values. The text is a literal, the same one wherever its identifier is used;
 * each {name} in it stands for a value. So what varies is a value: a number, a path, a name. A
 * reason with one fixed cause needs none. base/remark.h makes JSON of it.
 *
 * Nothing here allocates memory: an engine gives its reason when there is none left.
 */
#ifndef IOLAB_REASON_H
#define IOLAB_REASON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REASON_VALUES_MAX 8

/* The longest string value that is kept whole, with its NUL. */
#define REASON_STRING_BYTES 240

enum reason_value_kind { REASON_INT, REASON_REAL, REASON_STRING };

struct reason_value {
	const char *name; /* a literal of [a-z0-9_] */
	enum reason_value_kind kind;
	union {
		int64_t integer;
		double real;
		const char *string; /* copied by reason_set(); NULL within a struct reason */
	};
};

struct reason {
	char id[40]; /* "" until a reason is set, or when it only speaks to a person */
	int error; /* the errno value behind it, positive; 0 when there is none */
	unsigned value_count;
	struct reason_value values[REASON_VALUES_MAX];
	char strings[2 * REASON_STRING_BYTES]; /* the string values, each with its NUL */
	const char *template; /* the text before its values are filled in; NULL without an id */
	char text[800]; /* for people: one line without control characters */
};

static inline struct reason_value reason_int(const char *name, int64_t integer)
{
	return (struct reason_value) { .name = name, .kind = REASON_INT, .integer = integer };
}

/* `real` is finite. */
static inline struct reason_value reason_real(const char *name, double real)
{
	return (struct reason_value) { .name = name, .kind = REASON_REAL, .real = real };
}

/*
 * A name or a path, no sentence: NULL is kept as "?", a control character as '?', and what is too
 * long is cut off, never within a character of UTF-8.
 */
static inline struct reason_value reason_string(const char *name, const char *string)
{
	return (struct reason_value) { .name = name, .kind = REASON_STRING, .string = string };
}

/*
 * Overwrites `why`, which may be NULL: reason_set(why, id, text, value ...). The values are all that
 * `text` names, and no other.
 */
#define reason_set(why, id, text, ...) reason_store(why, 0, id, "" text, REASON_LIST(__VA_ARGS__))

/*
 * As reason_set(), with an errno value behind it, positive or negative, never 0. The text goes on
 * with ": ENAME: message". Returns it negative, so that a caller can write
 * `return reason_errno(why, "file_not_read", errno, "reading {path}", reason_string("path", path));`.
 */
#define reason_errno(why, id, error, text, ...)                                                    \
	reason_store(why, error, id, "" text ": {errno}", REASON_LIST(__VA_ARGS__))

/* The reason "no_memory" for `what`, a noun. Returns -ENOMEM. */
int reason_no_memory(struct reason *why, const char *what);

/* What the macros call. A value without a name ends the list. Returns -|error|. */
#define REASON_LIST(...) ((const struct reason_value[REASON_VALUES_MAX + 1]) { __VA_ARGS__ })
int reason_store(struct reason *why, int error, const char *id, const char *text,
		 const struct reason_value *values);

/* The string value at this place, which is one. */
const char *reason_string_at(const struct reason *why, unsigned position);

/*
 * Have both the same identifier, errno value and values? Two that only speak to a person have not;
 * two that were never set (id and text "") have.
 */
bool reasons_same(const struct reason *a, const struct reason *b);

/*
 * For what a person at the terminal reads in one line and no result ever holds: a mistake on the
 * command line, a folder that cannot be written. Words as printf makes them, and no identifier. What
 * does not fit is cut off, never within a character of UTF-8. `why` may be NULL.
 */
__attribute__((format(printf, 2, 3))) void reason_say(struct reason *why, const char *format, ...);

/* The same, followed by ": ENAME: message", which is never cut off. Returns -|error|. */
__attribute__((format(printf, 3, 4))) int reason_say_errno(struct reason *why, int error,
							   const char *format, ...);

/* The name of an errno value, positive or negative: "EPERM". "E?" when it has none. */
const char *errno_name(int error);

/* The errno value of this name; 0 when there is none. */
int errno_by_name(const char *name);

/* "EPERM: Operation not permitted"; the number where it has no name. Returns the length. */
size_t describe_errno(int error, char *text, size_t size);

/*
 * Does `text` begin with a placeholder, as {name}? Returns its length, with the name in `name`; 0
 * when it does not, or when the name does not fit.
 */
size_t placeholder_length(const char *text, char *name, size_t size);

#endif
