/* SPDX-License-Identifier: MIT */
#include "reason.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "printable_text.h"

/*
 * Sets `why` to what fits into `room` bytes, cut between two characters: JSON takes no text that
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
	/* It may hold a path or a name from outside. */
	copy_printable(longer, length, why->text, sizeof why->text);
}

static bool is_identifier(const char *word)
{
	size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return length > 0 && word[length] == '\0' && length < sizeof((struct reason *)0)->id;
}

void reason_set(struct reason *why, const char *id, const char *format, ...)
{
	assert(is_identifier(id));
	if (!why)
		return;
	va_list args;
	va_start(args, format);
	strcpy(why->id, id);
	why->error = 0;
	print_whole(why, sizeof why->text, format, args);
	va_end(args);
}

void reason_say(struct reason *why, const char *format, ...)
{
	if (!why)
		return;
	va_list args;
	va_start(args, format);
	why->id[0] = '\0';
	why->error = 0;
	print_whole(why, sizeof why->text, format, args);
	va_end(args);
}

const char *errno_name(int error)
{
	/* On Linux the same number as ENOTSUP, which is the name that glibc chooses. */
	if (abs(error) == EOPNOTSUPP)
		return "EOPNOTSUPP";
	const char *name = strerrorname_np(abs(error));
	return name ? name : "E?";
}

/* The words and their cause, which must not be what a long path pushes out. */
static void print_with_cause(struct reason *why, int error, const char *format, va_list args)
{
	char cause[100];
	error = abs(error);
	snprintf(cause, sizeof cause, ": %s: %s", errno_name(error),
		 strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error");
	print_whole(why, sizeof why->text - strlen(cause), format, args);
	strcat(why->text, cause);
	why->error = error;
}

int reason_errno(struct reason *why, const char *id, int error, const char *format, ...)
{
	assert(error != 0); /* else a failure would be returned as a success */
	assert(is_identifier(id));
	if (!why)
		return -abs(error);
	va_list args;
	va_start(args, format);
	strcpy(why->id, id);
	print_with_cause(why, error, format, args);
	va_end(args);
	return -abs(error);
}

int reason_say_errno(struct reason *why, int error, const char *format, ...)
{
	assert(error != 0);
	if (!why)
		return -abs(error);
	va_list args;
	va_start(args, format);
	why->id[0] = '\0';
	print_with_cause(why, error, format, args);
	va_end(args);
	return -abs(error);
}
