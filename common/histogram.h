/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram of nanoseconds.
 *
 * Each value below 2^HISTOGRAM_SUB_BITS has a bucket of its own. Above, every power of two is cut
 * into 2^(SUB_BITS-1) equal buckets. So the width of a bucket is at most 1/2^(SUB_BITS-1) of its
 * lower bound. A quantile is reported as the middle of its bucket, so it is wrong by at most half
 * of the width:
 *
 *     |reported - true| / true  <=  1/2 * 1/2^6  =  0.78 %      (SUB_BITS = 7)
 *
 * Minimum, maximum, count and sum are exact. Recording is a count-leading-zeros, a shift and an
 * increment. No value is out of range, so there is no range to configure.
 */
#ifndef IOLAB_HISTOGRAM_H
#define IOLAB_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS    7
#define HISTOGRAM_HALF	      (1u << (HISTOGRAM_SUB_BITS - 1))
#define HISTOGRAM_BUCKETS     ((64 - HISTOGRAM_SUB_BITS + 2) * HISTOGRAM_HALF)
#define HISTOGRAM_ERROR_BOUND (0.5 / HISTOGRAM_HALF)

struct histogram {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t min_ns; /* UINT64_MAX while empty */
	uint64_t max_ns;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* The bucket that holds `value_ns`. */
static inline unsigned histogram_bucket(uint64_t value_ns)
{
	if (value_ns < 2 * HISTOGRAM_HALF)
		return (unsigned)value_ns;
	unsigned shift = 63u - (unsigned)__builtin_clzll(value_ns) - (HISTOGRAM_SUB_BITS - 1);
	return shift * HISTOGRAM_HALF + (unsigned)(value_ns >> shift);
}

/* Counts `value_ns` `times` times: the operations of a batch share their clock readings. */
static inline void histogram_record(struct histogram *h, uint64_t value_ns, uint64_t times)
{
	h->buckets[histogram_bucket(value_ns)] += times;
	h->count += times;
	h->sum_ns += value_ns * times;
	if (value_ns < h->min_ns)
		h->min_ns = value_ns;
	if (value_ns > h->max_ns)
		h->max_ns = value_ns;
}

/* Empties the histogram; needed before its first use. */
void histogram_reset(struct histogram *h);

/* Adds what `from` counted to `into`. */
void histogram_add(struct histogram *into, const struct histogram *from);

/* The smallest value of a bucket, and the first one too large for it. `bucket` exists. */
uint64_t histogram_bucket_low_ns(unsigned bucket);
uint64_t histogram_bucket_end_ns(unsigned bucket);

/*
 * The quantile `q` (0 .. 1) by the nearest-rank definition, within HISTOGRAM_ERROR_BOUND: the share
 * `q` of the recorded values do not exceed it. 0 when the histogram is empty.
 */
double histogram_quantile_ns(const struct histogram *h, double q);

double histogram_mean_ns(const struct histogram *h);

#endif
