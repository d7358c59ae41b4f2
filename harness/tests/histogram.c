/* SPDX-License-Identifier: MIT */
/* The histogram against exact quantiles of the same values. */
#include <math.h>
#include <stdlib.h>

#include "histogram.h"
#include "random.h"
#include "tap.h"

#define COUNT 100000

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static double unit(struct random_stream *random)
{
	return (double)(random_next(random) >> 11) / (double)(UINT64_C(1) << 53);
}

static uint64_t small(struct random_stream *random)
{
	return random_below(random, 100);
}

static uint64_t uniform(struct random_stream *random)
{
	return random_below(random, 10000000);
}

static uint64_t exponential(struct random_stream *random)
{
	return (uint64_t)(-70000 * log(1 - unit(random)));
}

static uint64_t heavy_tail(struct random_stream *random)
{
	return (uint64_t)(500 / pow(1 - unit(random), 1.2));
}

static uint64_t two_modes(struct random_stream *random)
{
	return random_below(random, 100) < 99 ? 1000 + random_below(random, 50)
					      : 4000000 + random_below(random, 1000);
}

static void compare_with_exact(struct tap *tap, const char *name,
			       uint64_t (*draw)(struct random_stream *))
{
	static const double shares[] = { 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 };
	static uint64_t values[COUNT];
	static struct histogram h;
	struct random_stream random = { 42 };
	uint64_t sum = 0;
	double worst = 0;

	histogram_reset(&h);
	for (unsigned i = 0; i < COUNT; i++) {
		values[i] = draw(&random);
		sum += values[i];
		histogram_record(&h, values[i], 1);
	}
	qsort(values, COUNT, sizeof *values, compare);
	for (unsigned i = 0; i < sizeof shares / sizeof *shares; i++) {
		double exact = (double)values[(unsigned)ceil(shares[i] * COUNT) - 1];
		double error = fabs(histogram_quantile_ns(&h, shares[i]) - exact);
		if (exact > 0 && error / exact > worst)
			worst = error / exact;
	}
	tap_check(tap, worst <= HISTOGRAM_ERROR_BOUND, "%s: worst error %.3f %%, bound %.3f %%",
		  name, 100 * worst, 100 * HISTOGRAM_ERROR_BOUND);
	tap_check(tap,
		  h.count == COUNT && h.sum_ns == sum && h.min_ns == values[0] &&
			  h.max_ns == values[COUNT - 1],
		  "%s: count, sum, minimum and maximum are exact", name);
}

int main(void)
{
	struct tap tap = { 0 };
	static struct histogram a, b;

	compare_with_exact(&tap, "small numbers", small);
	compare_with_exact(&tap, "uniform", uniform);
	compare_with_exact(&tap, "exponential", exponential);
	compare_with_exact(&tap, "heavy tail", heavy_tail);
	compare_with_exact(&tap, "two modes", two_modes);

	bool seamless = true;
	for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
		uint64_t low = histogram_bucket_low_ns(i), end = histogram_bucket_end_ns(i);
		seamless = seamless && low < end && histogram_bucket(low) == i &&
			   histogram_bucket(end - 1) == i && histogram_bucket(end) == i + 1;
	}
	tap_check(&tap, seamless, "the buckets touch each other and do not overlap");
	tap_check(&tap, histogram_bucket(UINT64_MAX) == HISTOGRAM_BUCKETS - 1,
		  "the largest value falls into the last bucket");

	histogram_reset(&a);
	histogram_reset(&b);
	tap_check(&tap, histogram_quantile_ns(&a, 0.5) == 0 && histogram_mean_ns(&a) == 0,
		  "an empty histogram answers 0");
	histogram_record(&a, 10, 3);
	histogram_record(&b, 1000, 1);
	histogram_add(&a, &b);
	tap_check(&tap, a.count == 4 && a.sum_ns == 1030 && a.min_ns == 10 && a.max_ns == 1000,
		  "adding keeps count, sum, minimum and maximum");
	tap_check(&tap,
		  histogram_quantile_ns(&a, 0.75) == 10 && histogram_quantile_ns(&a, 1) == 1000,
		  "nearest rank: three quarters of 10 10 10 1000 do not exceed 10");
	return tap_end(&tap);
}
