/* SPDX-License-Identifier: MIT */
/*
 * The oldest kernel that iolab is for. What a kernel can do is tried and not told from its number; the
 * number serves to say that nobody tried iolab there.
 */
#pragma once

#include <stdbool.h>

#define KERNEL_MINIMUM "5.15"

/* Is this release, as uname -r prints it, below the minimum? One that is no number is not. */
bool kernel_below_minimum(const char *release);
