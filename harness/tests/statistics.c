/* SPDX-License-Identifier: MIT */
/* Medians, ratios and their intervals against values worked out by hand. */
#include <math.h>
#include <string.h>

#include "base/estimate_json.h"
#include "base/json_path.h"
#include "base/statistics.h"
#include "random.h"
#include "tap.h"

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

static double unit(struct random_stream *random)
{
	return ((double)(random_next(random) >> 11) + 0.5) / 9007199254740992.0;
}

/* Skewed, with far outliers; its median is exp(0) = 1. */
static double ugly(struct random_stream *random)
{
	return exp(tan(3.14159265358979 * (unit(random) - 0.5)) / 4);
}

/* Log-normal (Box and Muller). */
static double tame(struct random_stream *random)
{
	return exp(0.02 * sqrt(-2 * log(unit(random))) * cos(6.28318530717959 * unit(random)));
}

/* How often does the interval of `count` draws contain the true median of an ugly distribution? */
static double covered(unsigned count, struct random_stream *random)
{
	const unsigned trials = 20000;
	unsigned hits = 0;
	for (unsigned t = 0; t < trials; t++) {
		double values[64];
		for (unsigned i = 0; i < count; i++)
			values[i] = ugly(random);
		struct estimate e = estimate_median(values, count);
		hits += e.low <= 1 && 1 <= e.high;
	}
	return (double)hits / trials;
}

/*
 * How often does the interval of a ratio contain 1, when two equal engines meet in rounds that are
 * a hundredfold apart?
 */
static double ratio_covered(double (*draw)(struct random_stream *), unsigned count,
			    struct random_stream *random)
{
	const unsigned trials = 4000;
	unsigned hits = 0;
	for (unsigned t = 0; t < trials; t++) {
		double ratios[64];
		for (unsigned i = 0; i < count; i++) {
			double round = 1 + 99 * unit(random);
			ratios[i] = (round * draw(random)) / (round * draw(random));
		}
		struct ratio_estimate e = estimate_ratio(ratios, count);
		hits += e.low <= 1 && 1 <= e.high;
	}
	return (double)hits / trials;
}

/* The same with rounds until the interval is as narrow as `half_width`, as with --until-ci. */
static double until_covered(double half_width, struct random_stream *random, double *rounds_mean)
{
	const unsigned trials = 2000;
	unsigned hits = 0, rounds = 0;
	for (unsigned t = 0; t < trials; t++) {
		double ratios[200], sorted[200];
		struct ratio_estimate e = { .half_width = INFINITY };
		unsigned count = 0;
		while (count < 5 || (e.half_width > half_width && count < 200)) {
			ratios[count++] = tame(random) / tame(random);
			memcpy(sorted, ratios, count * sizeof *ratios);
			if (count >= 5)
				e = estimate_ratio(sorted, count);
		}
		rounds += count;
		hits += e.low <= 1 && 1 <= e.high;
	}
	*rounds_mean = (double)rounds / trials;
	return (double)hits / trials;
}

static bool close_to(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fabs(b);
}

static void student_tests(struct tap *tap)
{
	/* Printed tables, to as many digits as they have. */
	static const struct {
		double probability, degrees, t;
	} printed[] = {
		{ 0.975, 1, 12.7062 },	  { 0.975, 4, 2.776445 },   { 0.975, 9, 2.262157 },
		{ 0.975, 29, 2.045230 },  { 0.995, 4, 4.604095 },   { 0.95, 10, 1.812461 },
		{ 0.975, 100, 1.983972 }, { 0.975, 1e6, 1.959966 },
	};
	for (unsigned i = 0; i < sizeof printed / sizeof *printed; i++) {
		double t = student_t_quantile(printed[i].probability, printed[i].degrees);
		tap_check(tap, fabs(t / printed[i].t - 1) < 5e-7,
			  "t of %g with %g degrees of freedom: %.7f, in tables %g",
			  printed[i].probability, printed[i].degrees, t, printed[i].t);
	}
	/* With 1, 2 and 4 degrees of freedom there are closed forms. */
	bool closed = true, mirrored = true;
	for (double p = 0.51; p < 0.9999; p += 0.0098) {
		double alpha = 4 * p * (1 - p);
		double q = cos(acos(sqrt(alpha)) / 3) / sqrt(alpha);
		closed = closed && close_to(student_t_quantile(p, 1), tan(M_PI * (p - 0.5)));
		closed =
			closed && close_to(student_t_quantile(p, 2), (2 * p - 1) * sqrt(2 / alpha));
		closed = closed && close_to(student_t_quantile(p, 4), 2 * sqrt(q - 1));
		mirrored = mirrored &&
			   close_to(student_t_quantile(1 - p, 7), -student_t_quantile(p, 7));
	}
	tap_check(tap, closed, "t agrees with its closed forms for 1, 2 and 4 degrees of freedom");
	tap_check(tap, mirrored && fabs(student_t_quantile(0.5, 3)) < 1e-6, "t is symmetric");
	/* I_x(1, b) = 1 - (1 - x)^b, and I_x(a, b) = 1 - I_{1-x}(b, a). */
	tap_check(tap,
		  close_to(incomplete_beta(1, 3, 0.2), 1 - 0.8 * 0.8 * 0.8) &&
			  close_to(incomplete_beta(2.5, 0.5, 0.9),
				   1 - incomplete_beta(0.5, 2.5, 0.1)) &&
			  incomplete_beta(2, 3, 0) == 0 && incomplete_beta(2, 3, 1) == 1,
		  "the incomplete beta function");
}

static void ratio_tests(struct tap *tap, struct random_stream *random)
{
	/* Logarithms -1, 0, 1: mean 0, deviation 1, half width 4.302653 / sqrt(3). */
	struct ratio_estimate e = estimate_ratio((double[]) { exp(1), 1, exp(-1) }, 3);
	double half = 4.302652729911275 / sqrt(3);
	tap_check(tap,
		  close_to(e.mean, 1) && close_to(e.low, exp(-half)) && close_to(e.high, exp(half)),
		  "three ratios: %g (%g to %g)", e.mean, e.low, e.high);
	tap_check(tap, close_to(e.high, e.mean * (1 + e.half_width)), "half width %g",
		  e.half_width);
	struct ratio_estimate f = estimate_ratio((double[]) { 0.5, 0.5, 0.6, 0.7 }, 4);
	struct ratio_estimate g =
		estimate_ratio((double[]) { 1 / 0.5, 1 / 0.6, 1 / 0.5, 1 / 0.7 }, 4);
	tap_check(tap, close_to(f.mean, 1 / g.mean) && close_to(f.low, 1 / g.high),
		  "A to B says the same as B to A");
	e = estimate_ratio((double[]) { 3 }, 1);
	tap_check(tap, close_to(e.low, 3) && close_to(e.high, 3) && e.confidence == 0,
		  "one ratio: an interval of no confidence");
	e = estimate_ratio((double[]) { 2, 2, 2 }, 3);
	tap_check(tap, close_to(e.low, 2) && close_to(e.high, 2), "equal ratios: a point");

	double normal = ratio_covered(tame, 5, random), more = ratio_covered(tame, 20, random);
	tap_check(tap, fabs(normal - 0.95) < 0.012 && fabs(more - 0.95) < 0.012,
		  "equal engines in uneven rounds: 1 is covered in %.3f (5 rounds), %.3f (20)",
		  normal, more);
	double rounds, until = until_covered(0.02, random, &rounds);
	tap_check(tap, fabs(until - 0.95) < 0.025,
		  "with rounds until it is +-2 %%, %.1f on average, in %.3f", rounds, until);
	double outliers = ratio_covered(ugly, 5, random);
	tap_check(tap, outliers > 0.94, "and in %.3f when rounds have far outliers", outliers);
}

/*
 * How often does the interval of two sessions' ratio contain the true one, when the rounds of B
 * vary `spread` times as much as those of A?
 */
static double unpaired_covered(unsigned a_count, unsigned b_count, double spread,
			       struct random_stream *random)
{
	const unsigned trials = 10000;
	unsigned hits = 0;
	for (unsigned t = 0; t < trials; t++) {
		double a[64], b[64];
		for (unsigned i = 0; i < a_count; i++)
			a[i] = tame(random);
		for (unsigned i = 0; i < b_count; i++)
			b[i] = 3 * pow(tame(random), spread);
		struct unpaired_ratio r = estimate_unpaired_ratio(a, a_count, b, b_count);
		hits += r.low <= 3 && 3 <= r.high;
	}
	return (double)hits / trials;
}

static void unpaired_tests(struct tap *tap, struct random_stream *random)
{
	/* Logarithms -1, 0, 1 and 1, 2, 3, 4, 5: variances 1 and 2.5, so 1/3 + 1/2 with 5.882
	 * degrees. */
	const double a[] = { exp(-1), 1, exp(1) };
	const double b[] = { exp(1), exp(2), exp(3), exp(4), exp(5) };
	struct unpaired_ratio r = estimate_unpaired_ratio(a, 3, b, 5);
	double part = 1.0 / 3 + 0.5, degrees = part * part / (1.0 / 9 / 2 + 0.25 / 4);
	double half = student_t_quantile(0.975, degrees) * sqrt(part);
	tap_check(tap,
		  close_to(r.mean, exp(3)) && fabs(r.degrees - 5.8824) < 1e-4 &&
			  close_to(r.low, exp(3 - half)) && close_to(r.high, exp(3 + half)),
		  "two sessions: %g (%g to %g) with %.4f degrees of freedom", r.mean, r.low, r.high,
		  r.degrees);
	struct unpaired_ratio s = estimate_unpaired_ratio(b, 5, a, 3);
	tap_check(tap, close_to(s.mean, 1 / r.mean) && close_to(s.low, 1 / r.high),
		  "A to B says the same as B to A");
	s = estimate_unpaired_ratio(b, 1, a, 3);
	tap_check(tap, s.confidence == 0 && s.low == s.high,
		  "a session of one round: an interval of no confidence");
	const double same[] = { 2, 2 }, twice[] = { 4, 4, 4 };
	s = estimate_unpaired_ratio(same, 2, twice, 3);
	tap_check(tap, close_to(s.low, 2) && close_to(s.high, 2), "equal rounds: a point");

	double alike = unpaired_covered(5, 5, 1, random),
	       uneven = unpaired_covered(5, 20, 4, random);
	double few = unpaired_covered(5, 5, 5, random), many = unpaired_covered(20, 10, 1, random);
	tap_check(tap, fabs(alike - 0.95) < 0.012 && fabs(many - 0.95) < 0.012,
		  "sessions that vary alike: covered %.3f (5 and 5 rounds), %.3f (20 and 10)",
		  alike, many);
	tap_check(tap, fabs(uneven - 0.95) < 0.012 && fabs(few - 0.95) < 0.012,
		  "one varies more: covered %.3f (fourfold, 5 + 20 rounds), %.3f (fivefold, 5 + 5)",
		  uneven, few);
}

static void steadiness_tests(struct tap *tap, struct random_stream *random)
{
	struct drift d = drift_of((double[]) { 90, 95, 100, 105, 110 }, 5);
	tap_check(tap, close_to(d.change, 0.2) && d.shown, "a straight rise: %.3f", d.change);
	d = drift_of((double[]) { 100, 100.1, 100.2, 100.3, 100.4, 100.5 }, 6);
	tap_check(tap, fabs(d.change - 0.5 / 100.25) < 1e-9 && !d.shown,
		  "a rise too small to show");
	d = drift_of((double[]) { 100, 150, 90, 160, 80, 170 }, 6);
	tap_check(tap, d.change > 0.1 && !d.shown, "a rise that noise explains: %.3f", d.change);
	d = drift_of((double[]) { 0, 0, 0, 0, 0 }, 5);
	tap_check(tap, d.change == 0 && !d.shown, "nothing at all does not drift");

	bool outlying[10];
	double one_off[] = { 100, 101, 99, 100, 250, 102, 98, 100 };
	unsigned found = find_outliers(one_off, 8, outlying);
	tap_check(tap, found == 1 && outlying[4], "the value that is far from the others");
	found = find_outliers((double[]) { 100, 100, 100, 100, 105 }, 5, outlying);
	tap_check(tap, found == 0, "5 %% off is not far, however close the others are");
	found = find_outliers((double[]) { 100, 100, 100, 900 }, 4, outlying);
	tap_check(tap, found == 0, "four values have no outlier");

	/* How often steady values are suspected: docs/measurement.md states it. */
	unsigned drifts = 0, outliers = 0, trials = 20000;
	for (unsigned t = 0; t < trials; t++) {
		double values[5];
		for (unsigned i = 0; i < 5; i++)
			values[i] = pow(tame(random), 5); /* a coefficient of variation of 10 % */
		drifts += drift_of(values, 5).shown;
		outliers += find_outliers(values, 5, outlying) > 0;
	}
	tap_check(tap, drifts < 0.015 * trials, "of steady sets of 5 rounds %.3f seem to drift",
		  (double)drifts / trials);
	tap_check(tap, outliers < 0.3 * trials, "and %.3f seem to have an outlier",
		  (double)outliers / trials);

	tap_check(tap, rounds_needed(0.1, 5, 0.1) == 5, "the width that is there needs no more");
	/* Log-widths of 0.1 and 0.05: a spread s = 0.1 sqrt(10) / t9 needs m with t s / sqrt(m) <=
	 * 0.05. */
	unsigned needed = rounds_needed(expm1(0.1), 10, expm1(0.05));
	double s = 0.1 * sqrt(10) / student_t_quantile(0.975, 9);
	tap_check(tap,
		  student_t_quantile(0.975, needed - 1) * s / sqrt(needed) <= 0.0501 &&
			  student_t_quantile(0.975, needed - 3) * s / sqrt(needed - 2) > 0.05,
		  "half the width needs %u rounds in place of 10", needed);
}

/* What a document has of an estimate: every round's value, where it was measured. */
static void json_tests(struct tap *tap)
{
	const double by_round[] = { 4, NAN, 1, 2 };
	json_t *json = estimate_of(by_round, 4), *expected = json_pack("[f, n, f, f]", 4., 1., 2.);
	tap_check(tap, json_equal(json_object_get(json, "values"), expected),
		  "values stay in the order of the rounds, null where a round has none");
	tap_check(tap, number_at(json, "median") == 2 && number_at(json, "count") == 3,
		  "and that round counts for nothing");
	json_decref(json);
	json = ratio_estimate_of(by_round, 4);
	tap_check(tap,
		  json_equal(json_object_get(json, "values"), expected) &&
			  near(number_at(json, "mean"), 2) && number_at(json, "count") == 3 &&
			  number_at(json, "confidence_pct") == 95,
		  "so with ratios, whose mean is geometric");
	json_decref(json);
	json_decref(expected);
	json = estimate_of(by_round + 1, 1);
	tap_check(tap, json_is_null(json), "no round with a value: null");
	json_decref(json);
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
	json_tests(&tap);
	student_tests(&tap);
	ratio_tests(&tap, &random);
	unpaired_tests(&tap, &random);
	steadiness_tests(&tap, &random);
	return tap_end(&tap);
}
