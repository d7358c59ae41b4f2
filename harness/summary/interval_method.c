/* SPDX-License-Identifier: MIT */
#include "summary/interval_method.h"

#include <string.h>

const char *interval_method_words(const char *id)
{
	static const char *const words[][2] = {
		{ LEVEL_METHOD, "order statistics of the rounds, sign test" },
		{ RATIO_METHOD,
		  "geometric mean of the rounds' ratios, Student's t on their logarithms" },
		{ DIFF_METHOD,
		  "ratio of geometric means, Welch's t on the logarithms of unpaired rounds" },
	};
	for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(id, words[i][0]) == 0)
			return words[i][1];
	return id;
}
