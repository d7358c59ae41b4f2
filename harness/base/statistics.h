/* SPDX-License-Identifier: MIT */
/*
 * What rounds say about a metric, and about the ratio of two: a middle value and an interval for
 * it. docs/measurement.md says why each is as it is.
 */
#ifndef IOLAB_STATISTICS_H
#define IOLAB_STATISTICS_H

#include <stdbool.h>

/* The level of one metric, without any assumption on its distribution. */
struct estimate {
	double median;
	double low, high; /* an interval for the median, see below */
	double min, max;
	double confidence; /* of the interval, 0 .. 1 */
	unsigned count;
};

/*
 * Sorts `values` in place and estimates their median. The interval runs from the k-th smallest to
 * the k-th largest value: it misses the true median only when fewer than k of `count` values fall
 * on one side of it, each by a fair coin's chance (the sign test's interval). k is the largest that
 * keeps the confidence at 95 % or more; with fewer than six values even the extremes do not reach
 * that, so they are the interval and `confidence` says what it is worth (five: 93.75 %). `count` is
 * at least 1.
 */
struct estimate estimate_median(double *values, unsigned count);

/* The confidence of the interval from the k-th smallest to the k-th largest of `count` values. */
double interval_confidence(unsigned count, unsigned k);

/* The confidence of the interval that estimate_median() gives of `count` values, at least 1. */
double median_confidence(unsigned count);

/* The confidence of a ratio's interval, from two rounds on; that of a median's is at least this where the
 * rounds allow it. */
#define CONFIDENCE_WANTED 0.95

/* A ratio of two engines, from one ratio a round. */
struct ratio_estimate {
	double mean; /* geometric */
	double low, high; /* its 95 % interval */
	double half_width; /* of the interval, relative: high = mean (1 + half_width) */
	double median, min, max; /* of the rounds */
	double confidence; /* 0.95; 0 with a single round, whose interval is a point */
	unsigned count;
};

/*
 * Sorts `ratios`, all above 0, in place. The interval is Student's t interval of their logarithms.
 * Rounds are blocks: a disturbance of a whole round cancels in its ratio. `count` is at least 1.
 */
struct ratio_estimate estimate_ratio(double *ratios, unsigned count);

/* A ratio of two sessions, whose rounds have nothing to do with each other. */
struct unpaired_ratio {
	double mean; /* of the geometric means, b to a */
	double low, high; /* its 95 % interval */
	double degrees; /* of freedom; 0 without an interval */
	double confidence; /* 0.95; 0 when either has a single round, whose interval is a point */
	unsigned a_count, b_count;
};

/*
 * Of `a_count` and `b_count` values, each at least one and all above 0. The interval is Welch's: t
 * on the logarithms, with a variance for each session and Satterthwaite's degrees of freedom. It is
 * wider than for paired rounds, because it still contains what disturbed a round.
 */
struct unpaired_ratio estimate_unpaired_ratio(const double *a, unsigned a_count, const double *b,
					      unsigned b_count);

/*
 * How many rounds bring an interval of `half_width` (as above, above 0) after `count` rounds, at
 * least 2, down to `wanted`: the same spread, in more rounds.
 */
unsigned rounds_needed(double half_width, unsigned count, double wanted);

/* Whether values in the order of time go one way. */
struct drift {
	double change; /* from first to last along the least-squares line, relative to the mean */
	bool shown; /* more than DRIFT_CHANGE, and the slope differs from 0 at 99 % */
};

#define DRIFT_CHANGE 0.1

/* A drift of fewer than 5 values is never shown. */
struct drift drift_of(const double *values, unsigned count);

/*
 * Marks values that lie far from the others: 0.6745 |value - median| / MAD above 3.5 (the modified
 * z score of Iglewicz and Hoaglin), and more than OUTLIER_DISTANCE of the median away. Returns how
 * many it marked. Among fewer than 5 values it marks none.
 */
unsigned find_outliers(const double *values, unsigned count, bool *outlying);

#define OUTLIER_DISTANCE 0.1

/* The quantile of Student's t with `degrees` of freedom: it stays below with `probability` (0 .. 1). */
double student_t_quantile(double probability, double degrees);

/* The regularised incomplete beta function I_x(a, b), for a and b above 0. */
double incomplete_beta(double a, double b, double x);

#endif
