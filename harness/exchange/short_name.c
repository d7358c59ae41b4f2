/* SPDX-License-Identifier: MIT */
#include "exchange/short_name.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
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

void short_name(const char *name, char *text, size_t size_bytes)
{
	size_t length = strlen(name);
	assert(size_bytes > 16);
	if (length < size_bytes) {
		copy_printable(name, length, text, size_bytes);
		return;
	}
	copy_printable(name, length, text, size_bytes - HASH_BYTES);
	size_t used = strlen(text);
	snprintf(text + used, size_bytes - used, "~%08x", hash_of(name));
}
