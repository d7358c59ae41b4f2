/* SPDX-License-Identifier: MIT */
#include "meters/hardware_counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Never a part under the name of the whole: where kernel.perf_event_paranoid allows user space
 * alone (2 and above), there is no count, since what an interface costs is the kernel's work.
 */
#define SCOPE "user+kernel"

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

static const char *const keys[HARDWARE_COUNTERS] = {
	[COUNT_INSTRUCTIONS] = "instructions_per_op",
	[COUNT_CYCLES] = "cycles_per_op",
	[COUNT_CACHE_MISSES] = "cache_misses_per_op",
	[COUNT_BRANCH_MISSES] = "branch_misses_per_op",
};

/*
 * Threads that are there already are not counted: inherit follows those that are started later. The
 * kernel makes SQPOLL's and io-wq's threads as threads of the process, through copy_process() as
 * any other (create_io_thread(), since Linux 5.12), so they inherit, too;
 * harness/tests/hardware_counters.c sees both counted.
 *
 * Instructions and cycles are one group, so that they are on the CPU at the same moments and their
 * quotient means something. All four in one would not fit where a CPU has few counters (or the NMI
 * watchdog holds one), and then none would ever count. Each is read by itself: PERF_FORMAT_GROUP
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
		bool forbidden = errno == EACCES || errno == EPERM;
		reason_errno(&counters->why, errno, "perf_event_open, %s of %s%s", names[i], SCOPE,
			     forbidden ? " (see kernel.perf_event_paranoid; 1 allows it)" : "");
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
 * How often it happened between two readings. When a CPU has fewer counters than are asked of it,
 * they take turns: what was counted is scaled up to the whole time, perf_event_open(2). `share` of
 * the time it counted. False, with `why`, when it did not count at all.
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
		reason_set(why, "%s: the counter could not be read", names[i]);
		return false;
	}
	if (after->of[i].running_ns <= before->of[i].running_ns) {
		reason_set(why,
			   "%s: no counter of the CPU was free for it in the window; what else "
			   "counts here (perf, the NMI watchdog)?",
			   names[i]);
		return false;
	}
	*share = (double)(after->of[i].running_ns - before->of[i].running_ns) /
		 (double)(after->of[i].enabled_ns - before->of[i].enabled_ns);
	*amount = (double)(after->of[i].count - before->of[i].count) / *share;
	return true;
}

json_t *hardware_counters_json(const struct hardware_counters *counters,
			       const struct hardware_reading *before,
			       const struct hardware_reading *after, uint64_t ops,
			       struct reason *why)
{
	double amounts[HARDWARE_COUNTERS], least_share = 1;
	bool there[HARDWARE_COUNTERS], any = false;
	for (unsigned i = HARDWARE_COUNTERS; i-- > 0;) { /* the first one's reason is kept */
		double share = 1;
		there[i] = amount_of(counters, before, after, i, &amounts[i], &share, why);
		any = any || there[i];
		least_share = share < least_share ? share : least_share;
	}
	if (!any)
		return json_null();
	json_t *hardware =
		json_pack("{s:s, s:f}", "scope", SCOPE, "running_pct", 100 * least_share);
	for (unsigned i = 0; i < HARDWARE_COUNTERS; i++)
		json_object_set_new(hardware, keys[i],
				    there[i] && ops ? json_real(amounts[i] / (double)ops)
						    : json_null());
	bool both = there[COUNT_INSTRUCTIONS] && there[COUNT_CYCLES] && amounts[COUNT_CYCLES] > 0;
	json_object_set_new(hardware, "instructions_per_cycle",
			    both ? json_real(amounts[COUNT_INSTRUCTIONS] / amounts[COUNT_CYCLES])
				 : json_null());
	return hardware;
}
