/* SPDX-License-Identifier: MIT */
#include "printable_text.h"

#include <assert.h>
#include <stdbool.h>

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
