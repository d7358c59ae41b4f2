/* SPDX-License-Identifier: MIT */
/* Medians, and intervals for them that assume nothing about the distribution. */
#ifndef IOLAB_STATISTICS_H
#define IOLAB_STATISTICS_H

struct estimate {
	double median;
	double low, high; /* an interval for the median, see below */
	double min, max;
	double confidence; /* that of the interval, 0 .. 1 */
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

#endif
