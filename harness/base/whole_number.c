/* SPDX-License-Identifier: MIT */
#include "base/whole_number.h"

#include <assert.h>
#include <math.h>

int64_t whole_number(double value, int64_t least, int64_t most)
{
	assert(least <= most);
	double rounded = round(value);
	if (!(rounded > (double)least))
		return least;
	/* (double)INT64_MAX is 2^63, the first number that does not fit. */
	return rounded >= (double)most ? most : (int64_t)rounded;
}
