/* SPDX-License-Identifier: MIT */
#include "base/round_options.h"

#include <stddef.h>
#include <string.h>

const struct round_option round_options[] = {
	{ "round", true }, { "position", true },	{ "plan", true },
	{ "json", false }, { "count-syscalls", false }, { NULL, false },
};

const struct round_option *round_option_find(const char *name)
{
	for (const struct round_option *option = round_options; option->name; option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}
