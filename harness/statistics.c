/* SPDX-License-Identifier: MIT */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

#define CONFIDENCE_WANTED 0.95

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double interval_confidence(unsigned count, unsigned k)
{
	/* 1 - 2 P(Binomial(count, 1/2) < k), the terms in logarithms: 2^count may overflow. */
	double missed = 0;
	for (unsigned i = 0; i < k; i++)
		missed += exp(lgamma(count + 1.0) - lgamma(i + 1.0) - lgamma(count - i + 1.0) -
			      count * log(2.0));
	double confidence = 1 - 2 * missed;
	return confidence > 0 ? confidence : 0;
}

struct estimate estimate_median(double *values, unsigned count)
{
	qsort(values, count, sizeof *values, compare_doubles);
	unsigned k = 1;
	while (2 * (k + 1) <= count && interval_confidence(count, k + 1) >= CONFIDENCE_WANTED)
		k++;
	return (struct estimate) {
		.median = (values[(count - 1) / 2] + values[count / 2]) / 2,
		.low = values[k - 1],
		.high = values[count - k],
		.min = values[0],
		.max = values[count - 1],
		.confidence = interval_confidence(count, k),
		.count = count,
	};
}
