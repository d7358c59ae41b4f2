/* SPDX-License-Identifier: MIT */
/* Words from another program as names of ours: of a limited length, and fit for a terminal. */
#ifndef IOLAB_SHORT_NAME_H
#define IOLAB_SHORT_NAME_H

#include <stddef.h>

/*
 * Writes `name` to `text`, with a '?' for each control character. One that does not fit into
 * `size_bytes` (at least 17, the NUL among them) is cut, and ends in "~" and a number of 8 digits that
 * is made from all of it: two long names stay two.
 */
void short_name(const char *name, char *text, size_t size_bytes);

#endif
