/* SPDX-License-Identifier: MIT */
#include "exchange/short_name.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "printable_text.h"

#define HASH_BYTES strlen("~12345678")

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
