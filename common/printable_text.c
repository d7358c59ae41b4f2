/* SPDX-License-Identifier: MIT */
#include "printable_text.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/*
 * How many bytes of UTF-8 begin here that terminals obey and do not show: 0 for a visible character. These
 * are control characters, ends of lines, and marks that turn the direction of the text behind them.
 */
static size_t hidden_bytes(const unsigned char *at, size_t left)
{
	if (at[0] < ' ' || at[0] == 0x7f)
		return 1;
	/* U+0080 to U+009F, U+061C */
	if (left >= 2 &&
	    ((at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) || (at[0] == 0xd8 && at[1] == 0x9c)))
		return 2;
	if (left < 3 || at[0] != 0xe2)
		return 0;
	/* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 */
	bool general = at[1] == 0x80 &&
		       (at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae));
	bool isolate = at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9;
	return general || isolate ? 3 : 0;
}

void copy_printable(const char *text, size_t length, char *to, size_t size)
{
	assert(size > 0);
	if (length >= size)
		for (length = size - 1; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
			length--;
	for (size_t i = 0; i < length;) {
		size_t hidden = hidden_bytes((const unsigned char *)text + i, length - i);
		if (hidden == 0)
			to[i] = text[i];
		memset(to + i, '?', hidden);
		i += hidden ? hidden : 1;
	}
	to[length] = '\0';
}
