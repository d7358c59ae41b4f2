/* SPDX-License-Identifier: MIT */
/*
 * The open loop: when operations are due, whatever became of the earlier ones.
 *
 * Operation k is due at begun_ns + k / rate. What is due and finds no room waits in the workload
 * and keeps the moment that was meant for it: latency counts from there, so that a stall is charged
 * to every operation that it delays and not to the one that happened to be in flight.
 */
#ifndef IOLAB_SCHEDULE_H
#define IOLAB_SCHEDULE_H

#include <stdint.h>

#include "clock.h"
#include "histogram.h"

struct schedule {
	uint64_t begun_ns;
	double rate_per_s; /* 0: closed loop, everything is always due */
};

/* When operation k is due. */
static inline uint64_t schedule_due_ns(const struct schedule *s, uint64_t k)
{
	return s->begun_ns + (uint64_t)((double)k * ((double)NS_PER_S / s->rate_per_s));
}

/* How many operations have been due by `now_ns`: those before this number. */
static inline uint64_t schedule_due_count(const struct schedule *s, uint64_t now_ns)
{
	if (now_ns < s->begun_ns)
		return 0;
	uint64_t k = (uint64_t)((double)(now_ns - s->begun_ns) * s->rate_per_s / (double)NS_PER_S);
	/* The two roundings may disagree by one: schedule_due_ns() decides. */
	while (k > 0 && schedule_due_ns(s, k) > now_ns)
		k--;
	while (schedule_due_ns(s, k) <= now_ns)
		k++;
	return k;
}

/* More are not recorded one by one. */
#define WAITING_RECORDED_MAX 1000000

/*
 * The operations from `first` to `end` - 1 have not begun by `now_ns`. Each has waited so long
 * already: a lower bound of its latency, and leaving it out would be coordinated omission again.
 * Of very many, every n-th stands for n.
 */
static inline void schedule_record_waiting(const struct schedule *s, struct histogram *latency,
					   uint64_t first, uint64_t end, uint64_t now_ns)
{
	uint64_t stride = 1 + (end > first ? end - first : 0) / WAITING_RECORDED_MAX;
	for (uint64_t k = first; k < end; k += stride) {
		uint64_t times = end - k < stride ? end - k : stride;
		histogram_record(latency, now_ns - schedule_due_ns(s, k), times);
	}
}

#endif
