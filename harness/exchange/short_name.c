/* SPDX-License-Identifier: MIT */
#include "exchange/short_name.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_BYTES strlen("~12345678")

void copy_printable(const char *text, size_t length, char *to, size_t size)
{
	assert(size > 0);
	if (length >= size)
		for (length = size - 1; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
			length--;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		/* U+0080 to U+009F, which terminals obey as well, are C2 80 to C2 9F. */
		bool high = c >= 0x80 && c < 0xa0 && i > 0 && (unsigned char)text[i - 1] == 0xc2;
		to[i] = c < ' ' || c == 0x7f ? '?' : (char)c;
		if (high)
			to[i - 1] = to[i] = '?';
	}
	to[length] = '\0';
}

/* FNV-1a. */
static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261;
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619;
	return hash;
}

char *short_name(const char *name, size_t most_bytes)
{
	size_t length = strlen(name);
	char *copy = malloc(length + 1);
	if (!copy) {
		fprintf(stderr, "iolab: out of memory\n");
		exit(EXIT_FAILURE);
	}
	assert(most_bytes >= 16);
	if (length <= most_bytes) {
		copy_printable(name, length, copy, length + 1);
		return copy;
	}
	copy_printable(name, length, copy, most_bytes - HASH_BYTES + 1);
	sprintf(copy + strlen(copy), "~%08x", hash_of(name));
	return copy;
}
