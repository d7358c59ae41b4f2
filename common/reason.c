/* SPDX-License-Identifier: MIT */
#include "reason.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "printable_text.h"

#define IDENTIFIER_BYTES "abcdefghijklmnopqrstuvwxyz0123456789_"
#define ERRNO_MOST	 133 /* Linux has no greater one with a name */

static bool is_identifier(const char *word)
{
	size_t length = strspn(word, IDENTIFIER_BYTES);
	return length > 0 && word[length] == '\0' && length < sizeof((struct reason *)0)->id;
}

size_t placeholder_length(const char *text, char *name, size_t size)
{
	if (*text != '{')
		return 0;
	size_t length = strspn(text + 1, IDENTIFIER_BYTES);
	if (length == 0 || length >= size || text[1 + length] != '}')
		return 0;
	memcpy(name, text + 1, length);
	name[length] = '\0';
	return length + 2;
}

const char *errno_name(int error)
{
	/* On Linux the same number as ENOTSUP, which is the name that glibc chooses. */
	if (abs(error) == EOPNOTSUPP)
		return "EOPNOTSUPP";
	const char *name = strerrorname_np(abs(error));
	return name ? name : "E?";
}

int errno_by_name(const char *name)
{
	int error = ERRNO_MOST;
	while (error > 0 && (!strerrorname_np(error) || strcmp(errno_name(error), name) != 0))
		error--;
	return error;
}

size_t describe_errno(int error, char *text, size_t size)
{
	const char *message = strerrordesc_np(abs(error));
	int length = message ? snprintf(text, size, "%s: %s", errno_name(error), message)
			     : snprintf(text, size, "%d", abs(error));
	return length < (int)size ? (size_t)length : size - 1;
}

const char *reason_string_at(const struct reason *why, unsigned position)
{
	const char *string = why->strings;
	assert(position < why->value_count && why->values[position].kind == REASON_STRING);
	for (unsigned i = 0; i < position; i++)
		if (why->values[i].kind == REASON_STRING)
			string += strlen(string) + 1;
	return string;
}

static bool values_same(const struct reason *a, const struct reason *b, unsigned position)
{
	const struct reason_value *one = &a->values[position], *other = &b->values[position];
	if (one->kind != other->kind || strcmp(one->name, other->name) != 0)
		return false;
	if (one->kind == REASON_INT)
		return one->integer == other->integer;
	if (one->kind == REASON_REAL)
		return one->real == other->real;
	return strcmp(reason_string_at(a, position), reason_string_at(b, position)) == 0;
}

bool reasons_same(const struct reason *a, const struct reason *b)
{
	bool same = strcmp(a->id, b->id) == 0 && a->error == b->error &&
		    a->value_count == b->value_count && (a->id[0] || (!a->text[0] && !b->text[0]));
	for (unsigned i = 0; same && i < a->value_count; i++)
		same = values_same(a, b, i);
	return same;
}

/* The position of the value with this name; value_count when there is none. */
static unsigned find_value(const struct reason *why, const char *name)
{
	unsigned i = 0;
	while (i < why->value_count && strcmp(why->values[i].name, name) != 0)
		i++;
	return i;
}

/* Returns the length of what stands for {name} in `text`; 0 when nothing does. */
static size_t print_value(const struct reason *why, const char *name, char *text, size_t size)
{
	unsigned i = find_value(why, name);
	if (i == why->value_count)
		return strcmp(name, "errno") == 0 && why->error
			       ? describe_errno(why->error, text, size)
			       : 0;
	const struct reason_value *value = &why->values[i];
	int length = value->kind == REASON_INT ? snprintf(text, size, "%" PRId64, value->integer)
		     : value->kind == REASON_REAL
			     ? snprintf(text, size, "%.4g", value->real)
			     : snprintf(text, size, "%s", reason_string_at(why, i));
	return length < (int)size ? (size_t)length : size - 1;
}

static void fill_in(struct reason *why)
{
	char *to = why->text;
	const char *end = why->text + sizeof why->text - 1;
	for (const char *at = why->template; *at && to < end;) {
		char name[32];
		size_t length = placeholder_length(at, name, sizeof name);
		size_t printed = length ? print_value(why, name, to, (size_t)(end - to) + 1) : 0;
		/* A string may be empty: only a name without a value stays as it stands. */
		if (length && (printed || find_value(why, name) < why->value_count)) {
			to += printed;
			at += length;
		} else {
			*to++ = *at++;
		}
	}
	*to = '\0';
}

/* Does `text` name each of the values, and nothing else? */
static bool names_all(const char *text, const struct reason *why)
{
	unsigned named = 0;
	for (const char *at = text; *at; at++) {
		char name[32];
		if (!placeholder_length(at, name, sizeof name))
			continue;
		unsigned i = find_value(why, name);
		if (i == why->value_count && !(why->error && strcmp(name, "errno") == 0))
			return false;
		named |= i < why->value_count ? 1u << i : 0;
	}
	return named == (1u << why->value_count) - 1;
}

static void keep_values(struct reason *why, const struct reason_value *values)
{
	size_t used = 0;
	why->value_count = 0;
	for (; values->name; values++) {
		assert(why->value_count < REASON_VALUES_MAX && is_identifier(values->name));
		assert(values->kind != REASON_REAL || isfinite(values->real));
		struct reason_value *kept = &why->values[why->value_count++];
		*kept = *values;
		if (kept->kind != REASON_STRING)
			continue;
		size_t room = sizeof why->strings - used;
		if (room > REASON_STRING_BYTES)
			room = REASON_STRING_BYTES;
		assert(room > 0);
		const char *string = values->string ? values->string : "?";
		copy_printable(string, strlen(string), why->strings + used, room);
		used += strlen(why->strings + used) + 1;
		kept->string = NULL;
	}
}

int reason_store(struct reason *why, int error, const char *id, const char *text,
		 const struct reason_value *values)
{
	assert(is_identifier(id));
	if (!why)
		return -abs(error);
	strcpy(why->id, id);
	why->error = abs(error);
	why->template = text;
	keep_values(why, values);
	assert(names_all(text, why));
	fill_in(why);
	return -why->error;
}

int reason_no_memory(struct reason *why, const char *what)
{
	return reason_errno(why, "no_memory", ENOMEM, "no memory for {what}",
			    reason_string("what", what));
}

/*
 * Sets the text to what fits into `room` bytes, cut between two characters: JSON takes no text that
 * ends within one (UTF-8's bytes after the first are 10xxxxxx).
 */
static void print_whole(struct reason *why, size_t room, const char *format, va_list args)
{
	char longer[sizeof why->text + 1];
	vsnprintf(longer, sizeof longer, format, args);
	size_t length = strlen(longer);
	if (length >= room)
		for (length = room - 1;
		     length > 0 && ((unsigned char)longer[length] & 0xc0) == 0x80;)
			length--;
	why->id[0] = '\0';
	why->error = 0;
	why->value_count = 0;
	why->template = NULL; /* these words are no template */
	/* It may hold a path or a name from outside. */
	copy_printable(longer, length, why->text, sizeof why->text);
}

void reason_say(struct reason *why, const char *format, ...)
{
	if (!why)
		return;
	va_list args;
	va_start(args, format);
	print_whole(why, sizeof why->text, format, args);
	va_end(args);
}

int reason_say_errno(struct reason *why, int error, const char *format, ...)
{
	assert(error != 0); /* else a failure would be returned as a success */
	if (!why)
		return -abs(error);
	/* The cause must not be what a long path pushes out. */
	char cause[100] = ": ";
	describe_errno(error, cause + 2, sizeof cause - 2);
	va_list args;
	va_start(args, format);
	print_whole(why, sizeof why->text - strlen(cause), format, args);
	va_end(args);
	strcat(why->text, cause);
	why->error = abs(error);
	return -why->error;
}
