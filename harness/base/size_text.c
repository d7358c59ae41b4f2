/* SPDX-License-Identifier: MIT */
#include "base/size_text.h"

#include <stdio.h>

#define NO_BREAK_SPACE "\u00a0"

const char *size_brief(uint64_t bytes, char text[SIZE_TEXT_BYTES])
{
	static const char units[] = "BkMGT";
	unsigned unit = 0;
	for (; unit < 4 && bytes && bytes % 1024 == 0; unit++)
		bytes /= 1024;
	snprintf(text, SIZE_TEXT_BYTES, "%llu%c", (unsigned long long)bytes, units[unit]);
	return text;
}

const char *size_words(double bytes, char text[SIZE_TEXT_BYTES])
{
	static const struct {
		double bytes;
		const char *unit;
	} units[] = { { 0x1p30, "GiB" }, { 0x1p20, "MiB" }, { 0x1p10, "KiB" } };
	for (unsigned i = 0; i < sizeof units / sizeof *units; i++) {
		if (bytes < units[i].bytes)
			continue;
		snprintf(text, SIZE_TEXT_BYTES, "%.4g" NO_BREAK_SPACE "%s", bytes / units[i].bytes,
			 units[i].unit);
		return text;
	}
	snprintf(text, SIZE_TEXT_BYTES, "%.0f" NO_BREAK_SPACE "byte%s", bytes,
		 bytes == 1 ? "" : "s");
	return text;
}
