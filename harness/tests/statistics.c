/* SPDX-License-Identifier: MIT */
/* Medians and their intervals against values worked out by hand. */
#include <math.h>

#include "random.h"
#include "statistics.h"
#include "tap.h"

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

/* How often does the interval of `count` draws contain the true median of an ugly distribution? */
static double covered(unsigned count, struct random_stream *random)
{
	const unsigned trials = 20000;
	unsigned hits = 0;
	for (unsigned t = 0; t < trials; t++) {
		double values[64];
		for (unsigned i = 0; i < count; i++) {
			/* Skewed, with far outliers; its median is exp(0) = 1. */
			double u = ((double)(random_next(random) >> 11) + 0.5) / 9007199254740992.0;
			values[i] = exp(tan(3.14159265358979 * (u - 0.5)) / 4);
		}
		struct estimate e = estimate_median(values, count);
		hits += e.low <= 1 && 1 <= e.high;
	}
	return (double)hits / trials;
}

int main(void)
{
	struct tap tap = { 0 };
	struct random_stream random = { 5 };

	struct estimate e = estimate_median((double[]) { 5, 1, 4, 2, 3 }, 5);
	tap_check(&tap, e.median == 3 && e.low == 1 && e.high == 5 && e.min == 1 && e.max == 5,
		  "five values: the extremes are the interval");
	tap_check(&tap, near(e.confidence, 0.9375), "five values: 1 - 2/32 = 93.75 %%, saw %.4f",
		  e.confidence);
	e = estimate_median((double[]) { 7 }, 1);
	tap_check(&tap, e.median == 7 && e.low == 7 && e.high == 7 && near(e.confidence, 0),
		  "one value: an interval of no confidence");
	e = estimate_median((double[]) { 2, 1 }, 2);
	tap_check(&tap, e.median == 1.5 && near(e.confidence, 0.5), "two values: 50 %%");
	e = estimate_median((double[]) { 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 }, 10);
	tap_check(&tap, e.median == 5.5 && e.low == 2 && e.high == 9,
		  "ten values: from the second to the ninth, saw %g to %g", e.low, e.high);
	tap_check(&tap, near(e.confidence, 1 - 2 * 11.0 / 1024), "ten values: 97.85 %%, saw %.4f",
		  e.confidence);
	double twenty[20];
	for (unsigned i = 0; i < 20; i++)
		twenty[i] = i + 1;
	e = estimate_median(twenty, 20);
	tap_check(&tap, e.low == 6 && e.high == 15,
		  "twenty values: from the 6th to the 15th, saw %g to %g", e.low, e.high);
	tap_check(&tap, fabs(e.confidence - 0.9586) < 1e-4, "twenty values: 95.86 %%, saw %.4f",
		  e.confidence);
	tap_check(&tap, near(interval_confidence(6, 1), 0.96875), "six values: 96.875 %%");
	for (unsigned count = 5; count <= 20; count += 5) {
		double expected = count == 5	? 0.9375
				  : count == 10 ? 0.9785
				  : count == 15 ? 0.9648
						: 0.9586;
		double seen = covered(count, &random);
		tap_check(&tap, fabs(seen - expected) < 0.01,
			  "%u values of a skewed distribution: covered %.3f, promised %.3f", count,
			  seen, expected);
	}
	return tap_end(&tap);
}
