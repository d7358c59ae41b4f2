/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void histogram_reset(struct histogram *h)
{
	memset(h, 0, sizeof *h);
	h->min_ns = UINT64_MAX;
}

void histogram_add(struct histogram *into, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
	into->count += from->count;
	into->sum_ns += from->sum_ns;
	if (from->min_ns < into->min_ns)
		into->min_ns = from->min_ns;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
}

uint64_t histogram_bucket_low_ns(unsigned bucket)
{
	assert(bucket < HISTOGRAM_BUCKETS);
	if (bucket < 2 * HISTOGRAM_HALF)
		return bucket;
	unsigned shift = bucket / HISTOGRAM_HALF - 1;
	return (uint64_t)(bucket - shift * HISTOGRAM_HALF) << shift;
}

uint64_t histogram_bucket_end_ns(unsigned bucket)
{
	return bucket + 1 < HISTOGRAM_BUCKETS ? histogram_bucket_low_ns(bucket + 1) : UINT64_MAX;
}

double histogram_quantile_ns(const struct histogram *h, double q)
{
	assert(q >= 0 && q <= 1);
	if (h->count == 0)
		return 0;
	uint64_t rank = (uint64_t)ceil(q * (double)h->count);
	if (rank <= 1)
		return (double)h->min_ns;
	if (rank >= h->count)
		return (double)h->max_ns;
	uint64_t seen = 0;
	unsigned bucket = 0;
	while ((seen += h->buckets[bucket]) < rank)
		bucket++;
	double low = (double)histogram_bucket_low_ns(bucket);
	double middle = (low + (double)histogram_bucket_end_ns(bucket) - 1) / 2;
	/* The exact ends are known; the middle of an outermost bucket must not lie beyond them. */
	return fmin(fmax(middle, (double)h->min_ns), (double)h->max_ns);
}

double histogram_mean_ns(const struct histogram *h)
{
	return h->count ? (double)h->sum_ns / (double)h->count : 0;
}
