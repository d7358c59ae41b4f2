/* SPDX-License-Identifier: MIT */
#include "reason.h"

#include <assert.h>
#include <errno.h>
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

void reason_vset(struct reason *why, const char *format, va_list args)
{
	if (why)
		print_whole(why, sizeof why->text, format, args);
}

void reason_set(struct reason *why, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	reason_vset(why, format, args);
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

int reason_errno(struct reason *why, int error, const char *format, ...)
{
	assert(error != 0); /* else a failure would be returned as a success */
	error = abs(error);
	if (!why)
		return -error;
	/* The cause must not be what a long path pushes out. */
	char cause[100];
	snprintf(cause, sizeof cause, ": %s: %s", errno_name(error),
		 strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error");
	va_list args;
	va_start(args, format);
	print_whole(why, sizeof why->text - strlen(cause), format, args);
	va_end(args);
	strcat(why->text, cause);
	return -error;
}
