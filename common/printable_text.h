/* SPDX-License-Identifier: MIT */
/*
 * Text from outside, fit for a terminal: no control characters, so no escapes and no new lines, and no
 * marks that make text run backwards.
 */
#ifndef IO_PRINTABLE_TEXT_H
#define IO_PRINTABLE_TEXT_H

#include <stddef.h>

/*
 * Copies at most `length` bytes of `text`, with a '?' for each byte of such a character; what
 * does not fit into `size` is cut off between two characters of UTF-8.
 */
void copy_printable(const char *text, size_t length, char *to, size_t size);

#endif
