/* SPDX-License-Identifier: MIT */
#include "base/number_option.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* 1 without a letter, 0 for a letter that is no unit. */
static uint64_t factor_of(const char *letter, uint64_t thousand)
{
	if (letter[0] == '\0')
		return 1;
	if (letter[1] != '\0')
		return 0;
	switch (tolower((unsigned char)letter[0])) {
	case 'k':
		return thousand;
	case 'm':
		return thousand * thousand;
	case 'g':
		return thousand * thousand * thousand;
	default:
		return 0;
	}
}

/* The digits that `text` begins with. False when there are none, or too many for 64 bits. */
static bool read_digits(const char *text, uint64_t *value, char **end)
{
	if (!isdigit((unsigned char)text[0])) /* strtoull(3) takes blanks and signs */
		return false;
	errno = 0;
	*value = strtoull(text, end, 10);
	return errno == 0;
}

int number_whole(const char *option, const char *text, uint64_t least, uint64_t most,
		 enum number_unit unit, uint64_t *value, struct reason *why)
{
	char *end = NULL;
	uint64_t number = 0;
	uint64_t factor = read_digits(text, &number, &end) ? factor_of(end, unit) : 0;
	if (factor == 0 || number > UINT64_MAX / factor) {
		reason_say(why, "--%s %s: not a whole number (k, M or G may follow)", option, text);
		return -EINVAL;
	}
	number *= factor;
	if (number < least || number > most) {
		reason_say(why, "--%s %s: must lie between %llu and %llu", option, text,
			   (unsigned long long)least, (unsigned long long)most);
		return -EINVAL;
	}
	*value = number;
	return 0;
}

int number_real(const char *option, const char *text, double least, double most, double *value,
		struct reason *why)
{
	char *end = NULL;
	/* strtod(3) also takes blanks, signs, 0x1p3, inf and nan. */
	bool plain = strspn(text, "0123456789.eE-") == strlen(text) &&
		     (isdigit((unsigned char)text[0]) || text[0] == '.');
	double number = plain ? strtod(text, &end) : NAN;
	if (!plain || *end || !(number >= least && number <= most)) {
		reason_say(why, "--%s %s: must be a number between %g and %g", option, text, least,
			   most);
		return -EINVAL;
	}
	*value = number;
	return 0;
}

int number_seed(const char *option, const char *text, uint64_t *value, struct reason *why)
{
	char *end = NULL;
	uint64_t number = 0;
	if (!read_digits(text, &number, &end) || *end || number > INT64_MAX) {
		reason_say(why, "--%s %s: must be a whole number below 2^63", option, text);
		return -EINVAL;
	}
	*value = number;
	return 0;
}
