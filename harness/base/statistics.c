/* SPDX-License-Identifier: MIT */
#include "base/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fewer values do not show a trend or an outlier. */
#define STEADINESS_COUNT_MIN 5

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median_of_sorted(const double *values, unsigned count)
{
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
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

/* The interval runs from the k-th smallest to the k-th largest of `count` values. */
static unsigned interval_rank(unsigned count)
{
	unsigned k = 1;
	while (2 * (k + 1) <= count && interval_confidence(count, k + 1) >= CONFIDENCE_WANTED)
		k++;
	return k;
}

double median_confidence(unsigned count)
{
	return interval_confidence(count, interval_rank(count));
}

struct estimate estimate_median(double *values, unsigned count)
{
	qsort(values, count, sizeof *values, compare_doubles);
	unsigned k = interval_rank(count);
	return (struct estimate) {
		.median = median_of_sorted(values, count),
		.low = values[k - 1],
		.high = values[count - k],
		.min = values[0],
		.max = values[count - 1],
		.confidence = interval_confidence(count, k),
		.count = count,
	};
}

/*
 * The continued fraction 1 + d1/(1 + d2/(1 + ...)) that I_x(a, b) is divided by, Abramowitz and
 * Stegun 26.5.8, from front to back by Lentz's method. It converges fast where x is below the mean
 * of the distribution.
 */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300; /* in place of a 0 to divide by */
	double value = 1, c = 1, d = 0;
	for (unsigned i = 1; i < 10000; i++) {
		double m = i / 2;
		double term = i % 2 ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
				    : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		d = 1 + term * d;
		c = 1 + term / c;
		if (d == 0)
			d = tiny;
		if (c == 0)
			c = tiny;
		d = 1 / d;
		value *= c * d;
		if (fabs(c * d - 1) < 1e-15)
			break;
	}
	return value;
}

double incomplete_beta(double a, double b, double x)
{
	if (x <= 0 || x >= 1)
		return x >= 1;
	if (x > (a + 1) / (a + b + 2))
		return 1 - incomplete_beta(b, a, 1 - x);
	double log_factor = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x);
	return exp(log_factor) / (a * beta_fraction(a, b, x));
}

double student_t_quantile(double probability, double degrees)
{
	double tail = probability > 0.5 ? 1 - probability : probability;
	/* Beyond -t and t together lies I_x(degrees/2, 1/2) with x = degrees / (degrees + t^2). */
	double low = 0, high = 1;
	for (int i = 0; i < 200; i++) {
		double x = (low + high) / 2;
		if (incomplete_beta(degrees / 2, 0.5, x) < 2 * tail)
			low = x;
		else
			high = x;
	}
	double t = sqrt(degrees * (1 - high) / high);
	return probability < 0.5 ? -t : t;
}

struct ratio_estimate estimate_ratio(double *ratios, unsigned count)
{
	double sum = 0, squares = 0, half = 0;
	qsort(ratios, count, sizeof *ratios, compare_doubles);
	for (unsigned i = 0; i < count; i++)
		sum += log(ratios[i]);
	double mean = sum / count;
	for (unsigned i = 0; i < count; i++)
		squares += (log(ratios[i]) - mean) * (log(ratios[i]) - mean);
	if (count > 1)
		half = student_t_quantile((1 + CONFIDENCE_WANTED) / 2, count - 1) *
		       sqrt(squares / (count - 1) / count);
	return (struct ratio_estimate) {
		.mean = exp(mean),
		.low = exp(mean - half),
		.high = exp(mean + half),
		.half_width = expm1(half),
		.median = median_of_sorted(ratios, count),
		.min = ratios[0],
		.max = ratios[count - 1],
		.confidence = count > 1 ? CONFIDENCE_WANTED : 0,
		.count = count,
	};
}

/* Mean and variance of the logarithms. */
static double log_mean(const double *values, unsigned count, double *variance)
{
	double mean = 0, squares = 0;
	for (unsigned i = 0; i < count; i++)
		mean += log(values[i]) / count;
	for (unsigned i = 0; i < count; i++)
		squares += (log(values[i]) - mean) * (log(values[i]) - mean);
	*variance = count > 1 ? squares / (count - 1) : 0;
	return mean;
}

struct unpaired_ratio estimate_unpaired_ratio(const double *a, unsigned a_count, const double *b,
					      unsigned b_count)
{
	double a_variance, b_variance, half = 0;
	double mean = -log_mean(a, a_count, &a_variance) + log_mean(b, b_count, &b_variance);
	double a_part = a_variance / a_count, b_part = b_variance / b_count;
	struct unpaired_ratio r = { .mean = exp(mean), .a_count = a_count, .b_count = b_count };
	if (a_count > 1 && b_count > 1) {
		r.confidence = CONFIDENCE_WANTED;
		r.degrees = a_count + b_count - 2; /* where neither varies at all */
		if (a_part + b_part > 0) {
			r.degrees =
				(a_part + b_part) * (a_part + b_part) /
				(a_part * a_part / (a_count - 1) + b_part * b_part / (b_count - 1));
			half = student_t_quantile((1 + CONFIDENCE_WANTED) / 2, r.degrees) *
			       sqrt(a_part + b_part);
		}
	}
	r.low = exp(mean - half);
	r.high = exp(mean + half);
	return r;
}

unsigned rounds_needed(double half_width, unsigned count, double wanted)
{
	double deviation = log1p(half_width) * sqrt(count) /
			   student_t_quantile((1 + CONFIDENCE_WANTED) / 2, count - 1);
	double needed = count;
	/* t depends on the answer, but hardly beyond a few rounds. */
	for (int i = 0; i < 8; i++) {
		double t = student_t_quantile((1 + CONFIDENCE_WANTED) / 2, needed - 1);
		needed = ceil(pow(t * deviation / log1p(wanted), 2));
		if (needed < 2)
			needed = 2;
	}
	return needed < 1e9 ? (unsigned)needed : 1000000000;
}

struct drift drift_of(const double *values, unsigned count)
{
	double mean = 0, across = 0, along = 0, rest = 0, middle = (count - 1) / 2.0;
	for (unsigned i = 0; i < count; i++)
		mean += values[i] / count;
	for (unsigned i = 0; i < count; i++) {
		across += (i - middle) * (i - middle);
		along += (i - middle) * (values[i] - mean);
	}
	if (count < 2 || mean <= 0)
		return (struct drift) { 0 };
	double slope = along / across;
	for (unsigned i = 0; i < count; i++) {
		double residual = values[i] - mean - slope * (i - middle);
		rest += residual * residual;
	}
	struct drift drift = { .change = slope * (count - 1) / mean };
	if (count < STEADINESS_COUNT_MIN || fabs(drift.change) <= DRIFT_CHANGE)
		return drift;
	double error = sqrt(rest / (count - 2) / across);
	drift.shown = fabs(slope) > student_t_quantile(0.995, count - 2) * error;
	return drift;
}

unsigned find_outliers(const double *values, unsigned count, bool *outlying)
{
	memset(outlying, 0, count * sizeof *outlying);
	if (count < STEADINESS_COUNT_MIN)
		return 0;
	double *sorted = malloc(count * sizeof *sorted);
	memcpy(sorted, values, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare_doubles);
	double median = median_of_sorted(sorted, count);
	for (unsigned i = 0; i < count; i++)
		sorted[i] = fabs(values[i] - median);
	qsort(sorted, count, sizeof *sorted, compare_doubles);
	double deviation = median_of_sorted(sorted, count); /* "MAD" */
	free(sorted);

	unsigned found = 0;
	for (unsigned i = 0; i < count; i++) {
		double distance = fabs(values[i] - median);
		outlying[i] = 0.6745 * distance > 3.5 * deviation &&
			      distance > OUTLIER_DISTANCE * fabs(median);
		found += outlying[i];
	}
	return found;
}
