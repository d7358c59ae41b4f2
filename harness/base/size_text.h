/* SPDX-License-Identifier: MIT */
/* A number of bytes as text. */
#ifndef IOLAB_SIZE_TEXT_H
#define IOLAB_SIZE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define SIZE_TEXT_BYTES 40

/* As a person types it, "128M": in the largest unit of which it is a whole number. Returns `text`. */
const char *size_brief(uint64_t bytes, char text[SIZE_TEXT_BYTES]);

/* As a person reads it, "4 KiB", "23.54 GiB", with a space that does not break. Returns `text`. */
const char *size_words(double bytes, char text[SIZE_TEXT_BYTES]);

#endif
