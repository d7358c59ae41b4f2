/* SPDX-License-Identifier: MIT */
/*
 * Numbers that a person types as an option's value. Plain digits only: no leading blank, no sign,
 * no 0x, and nothing that a conversion would silently wrap or cut.
 */
#ifndef IOLAB_NUMBER_OPTION_H
#define IOLAB_NUMBER_OPTION_H

#include <stdint.h>

#include "reason.h"

/* What k, M and G stand for the powers of. */
enum number_unit { UNIT_THOUSAND = 1000, UNIT_KIBI = 1024 };

/*
 * A whole number from `least` to `most`; k, M or G may follow. Stores it in `*value` and returns 0,
 * or returns -EINVAL and sets `why`: "--depth 0: must lie between 1 and 16384".
 */
int number_whole(const char *option, const char *text, uint64_t least, uint64_t most,
		 enum number_unit unit, uint64_t *value, struct reason *why);

/* The same for a number with a fraction, such as 0.5 or 1e-3. No letter may follow. */
int number_real(const char *option, const char *text, double least, double most, double *value,
		struct reason *why);

/* A seed: a whole number that JSON holds, below 2^63. No letter may follow. */
int number_seed(const char *option, const char *text, uint64_t *value, struct reason *why);

#endif
