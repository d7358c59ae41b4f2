/* SPDX-License-Identifier: MIT */
/* A deadline is the timeout that it was made of: 0, for ever, short ones and those beyond time. */
#include "clock.h"
#include "tap.h"

static void check_never(struct tap *tap, int64_t timeout_ns, const char *name)
{
	struct deadline deadline = deadline_after(timeout_ns);
	struct timespec left;
	tap_check(tap, deadline.at_ns == DEADLINE_NEVER, "%s: no moment is named", name);
	tap_check(tap, deadline_left_ns(deadline) == -1, "%s: for ever is left", name);
	tap_check(tap, deadline_left_ms(deadline) == -1, "%s: for ever in milliseconds", name);
	tap_check(tap, deadline_left(deadline, &left) == NULL, "%s: for ever is no timespec", name);
}

static void check_at_once(struct tap *tap)
{
	struct deadline deadline = deadline_after(0);
	struct timespec left = { .tv_sec = 1, .tv_nsec = 1 };
	tap_check(tap, deadline_left_ns(deadline) == 0, "0: nothing is left");
	tap_check(tap, deadline_left_ms(deadline) == 0, "0: no millisecond is left");
	tap_check(tap,
		  deadline_left(deadline, &left) == &left && left.tv_sec == 0 && left.tv_nsec == 0,
		  "0: a timespec of 0, which does not wait");
}

/* Whatever holds this thread up, what is left only shrinks: so the bounds are from above. */
static void check_soon(struct tap *tap)
{
	const int64_t timeout_ns = 400 * NS_PER_US;
	uint64_t before_ns = clock_ns();
	struct deadline deadline = deadline_after(timeout_ns);
	uint64_t after_ns = clock_ns();
	tap_check(tap,
		  deadline.at_ns >= (int64_t)before_ns + timeout_ns &&
			  deadline.at_ns <= (int64_t)after_ns + timeout_ns,
		  "0.4 ms: the moment lies that far ahead");
	tap_check(tap, deadline_left_ns(deadline) <= timeout_ns, "0.4 ms: no more than it is left");
	bool rounded_up = true;
	int64_t left_ns;
	do {
		int left_ms = deadline_left_ms(deadline);
		left_ns = deadline_left_ns(deadline);
		rounded_up &= left_ms == 1 || (left_ms == 0 && left_ns == 0);
	} while (left_ns > 0);
	tap_check(tap, rounded_up, "0.4 ms: a whole millisecond until it has passed");
	tap_check(tap, deadline_left_ns(deadline) == 0 && deadline_left_ms(deadline) == 0,
		  "0.4 ms: once it has passed 0 is left, never less");
}

static void check_far(struct tap *tap)
{
	const int64_t year_ns = 365 * 24 * 3600 * NS_PER_S;
	struct deadline deadline = deadline_after(year_ns);
	struct timespec left;
	int64_t left_ns = deadline_left_ns(deadline);
	tap_check(tap, left_ns > year_ns - 3600 * NS_PER_S && left_ns <= year_ns, "a year is left");
	tap_check(tap, deadline_left_ms(deadline) == INT_MAX,
		  "a year has more milliseconds than an int: the most that it holds");
	tap_check(tap,
		  deadline_left(deadline, &left) == &left && left.tv_nsec >= 0 &&
			  left.tv_nsec < NS_PER_S && left.tv_sec <= year_ns / NS_PER_S,
		  "a year as a timespec is a valid one");
}

static void check_sooner(struct tap *tap)
{
	struct deadline never = deadline_after(-1), soon = deadline_after(NS_PER_S);
	tap_check(tap, deadline_sooner(never, soon).at_ns == soon.at_ns, "a second before never");
	tap_check(tap, deadline_sooner(soon, never).at_ns == soon.at_ns, "in either order");
}

int main(void)
{
	struct tap tap = { 0 };
	check_at_once(&tap);
	check_soon(&tap);
	check_far(&tap);
	check_never(&tap, -1, "-1");
	check_never(&tap, INT64_MIN, "INT64_MIN");
	check_never(&tap, INT64_MAX, "INT64_MAX");
	check_never(&tap, INT64_MAX - 1, "INT64_MAX - 1");
	check_sooner(&tap);
	return tap_end(&tap);
}
