/* SPDX-License-Identifier: MIT */
/* Words from another program as names of ours: of a limited length, and fit for a terminal. */
#ifndef IOLAB_SHORT_NAME_H
#define IOLAB_SHORT_NAME_H

#include <stddef.h>

/*
 * `name` with a '?' for each control character, in memory to be freed (the program ends when there
 * is none). One of more than `most_bytes` (at least 16) is cut, and ends in "~" and a number of 8
 * digits that is made from all of it: two long names stay two.
 */
char *short_name(const char *name, size_t most_bytes);

#endif
