/* SPDX-License-Identifier: MIT */
#include "meters/hardware_counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNREAD UINT64_MAX /* the running_ns of a counter whose read(2) failed */

const struct counted_event hardware_events[HARDWARE_COUNTERS] = {
	[COUNT_INSTRUCTIONS] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
	[COUNT_CYCLES] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	[COUNT_CACHE_MISSES] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
	[COUNT_BRANCH_MISSES] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES },
};

static const char *const names[HARDWARE_COUNTERS] = {
	[COUNT_INSTRUCTIONS] = "instructions",
	[COUNT_CYCLES] = "cycles",
	[COUNT_CACHE_MISSES] = "cache misses",
	[COUNT_BRANCH_MISSES] = "branch misses",
};

/*
 * Threads that are there already are not counted: inherit follows those that are started later. The
 * kernel makes SQPOLL's and io-wq's threads as threads of the process, through copy_process() as
 * any other (create_io_thread(), since Linux 5.12), so they inherit, too;
 * harness/tests/hardware_counters.c sees both counted.
 *
 * Instructions and cycles are one group, so that they are on the CPU at the same moments and their
 * quotient means something. All four in one would not fit where a CPU has few counters (or the NMI
 * watchdog holds one), and then none would ever count. Each is read alone: PERF_FORMAT_GROUP
 * does not go with inherit, says perf_event_open(2).
 */
void hardware_counters_open(struct hardware_counters *counters,
			    const struct counted_event events[HARDWARE_COUNTERS])
{
	counters->why.text[0] = '\0';
	counters->error = 0;
	for (unsigned i = 0; i < HARDWARE_COUNTERS; i++) {
		struct perf_event_attr attr = {
			.type = events[i].type,
			.size = sizeof attr,
			.config = events[i].config,
			.inherit = 1,
			.read_format =
				PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		};
		int group_fd = i == COUNT_CYCLES ? counters->fds[COUNT_INSTRUCTIONS] : -1;
		counters->fds[i] = (int)syscall(SYS_perf_event_open, &attr, 0, -1, group_fd,
						PERF_FLAG_FD_CLOEXEC);
		if (counters->fds[i] >= 0 || counters->error)
			continue;
		counters->error = errno;
		if (errno == EACCES || errno == EPERM)
			reason_errno(&counters->why, "counter_forbidden", errno,
				     "perf_event_open, {event} of {scope} (see "
				     "kernel.perf_event_paranoid; 1 allows it)",
				     reason_string("event", names[i]),
				     reason_string("scope", HARDWARE_SCOPE));
		else
			reason_errno(&counters->why, "counter_not_opened", errno,
				     "perf_event_open, {event} of {scope}",
				     reason_string("event", names[i]),
				     reason_string("scope", HARDWARE_SCOPE));
	}
}

void hardware_counters_close(struct hardware_counters *counters)
{
	/* A group's leader last. */
	for (unsigned i = HARDWARE_COUNTERS; i-- > 0;) {
		if (counters->fds[i] >= 0)
			close(counters->fds[i]);
		counters->fds[i] = -1;
	}
}

void hardware_counters_read(const struct hardware_counters *counters,
			    struct hardware_reading *reading)
{
	*reading = (struct hardware_reading) { 0 };
	for (unsigned i = 0; i < HARDWARE_COUNTERS; i++) {
		if (counters->fds[i] >= 0 && read(counters->fds[i], &reading->of[i],
						  sizeof reading->of[i]) != sizeof reading->of[i])
			reading->of[i].running_ns = UNREAD;
	}
}

/*
 * How often event `i` happened between two readings, scaled up from the `share` of the time in which
 * it was counted, as perf_event_open(2) says. False, with `why`, when it was not counted at all.
 */
static bool amount_of(const struct hardware_counters *counters,
		      const struct hardware_reading *before, const struct hardware_reading *after,
		      unsigned i, double *amount, double *share, struct reason *why)
{
	if (counters->fds[i] < 0) {
		*why = counters->why;
		return false;
	}
	if (before->of[i].running_ns == UNREAD || after->of[i].running_ns == UNREAD) {
		reason_set(why, "counter_unreadable", "{event}: the counter could not be read",
			   reason_string("event", names[i]));
		return false;
	}
	if (after->of[i].running_ns <= before->of[i].running_ns) {
		reason_set(why, "counter_not_free",
			   "{event}: no counter of the CPU was free for it in the window; what "
			   "else counts here (perf, the NMI watchdog)?",
			   reason_string("event", names[i]));
		return false;
	}
	*share = (double)(after->of[i].running_ns - before->of[i].running_ns) /
		 (double)(after->of[i].enabled_ns - before->of[i].enabled_ns);
	*amount = (double)(after->of[i].count - before->of[i].count) / *share;
	return true;
}

void hardware_counters_between(const struct hardware_counters *counters,
			       const struct hardware_reading *before,
			       const struct hardware_reading *after, struct hardware_counts *counts)
{
	*counts = (struct hardware_counts) { .running_pct = NAN };
	for (unsigned i = HARDWARE_COUNTERS; i-- > 0;) { /* the first one's reason is kept */
		double share;
		counts->of[i] = NAN;
		if (counters &&
		    amount_of(counters, before, after, i, &counts->of[i], &share, &counts->why))
			counts->running_pct =
				fmin(100 * share,
				     isnan(counts->running_pct) ? 100 : counts->running_pct);
	}
}
