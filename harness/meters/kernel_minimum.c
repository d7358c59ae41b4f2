/* SPDX-License-Identifier: MIT */
#include "meters/kernel_minimum.h"

#include <stdio.h>

bool kernel_below_minimum(const char *release)
{
	unsigned major, minor, least_major, least_minor;
	sscanf(KERNEL_MINIMUM, "%u.%u", &least_major, &least_minor);
	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return false;
	return major < least_major || (major == least_major && minor < least_minor);
}
