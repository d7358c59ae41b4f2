/* SPDX-License-Identifier: MIT */
#include "reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reason_set(struct reason *why, const char *format, ...)
{
	if (!why)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(why->text, sizeof why->text, format, args);
	va_end(args);
}

const char *errno_name(int error)
{
	const char *name = strerrorname_np(abs(error));
	return name ? name : "E?";
}

int reason_errno(struct reason *why, int error, const char *format, ...)
{
	error = abs(error);
	if (!why)
		return -error;
	va_list args;
	va_start(args, format);
	vsnprintf(why->text, sizeof why->text, format, args);
	va_end(args);
	size_t used = strlen(why->text);
	snprintf(why->text + used, sizeof why->text - used, ": %s: %s", errno_name(error),
		 strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error");
	return -error;
}
