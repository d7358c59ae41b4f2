/* SPDX-License-Identifier: MIT */
#include "summary/upcall_legs.h"

#include <math.h>
#include <stdlib.h>

#include "base/estimate_json.h"
#include "base/json_put.h"
#include "meters/upcall_path.h"

#define LOW_SHARE  0.1 /* what is shown as the spread: from p10 */
#define HIGH_SHARE 0.9 /* to p90 */

/* Memory for one number an operation, used again for each moment. */
struct legs_work {
	struct upcall_path *paths; /* of all rounds, one round after another */
	unsigned *ends; /* [round]: where the next one begins */
	double *values, *round_medians;
	unsigned ops;
};

/* A moment's own number in a path: its time, or its leg; NAN where it was not seen. */
typedef double measure(const struct upcall_path *path, enum upcall_moment moment);

static double moment_time(const struct upcall_path *path, enum upcall_moment moment)
{
	return path->at_ns[moment] ? (double)(path->at_ns[moment] - path->at_ns[MOMENT_OFFERED])
				   : NAN;
}

/* From the moment that was seen before it. The first has none. */
static double moment_leg(const struct upcall_path *path, enum upcall_moment moment)
{
	if (path->at_ns[moment] == 0)
		return NAN;
	enum upcall_moment before = upcall_before(path, moment);
	return before == UPCALL_MOMENTS ? NAN : (double)(path->at_ns[moment] - path->at_ns[before]);
}

/* Times count from the first moment there, from 1 here: 0 is "not seen". */
static struct upcall_path path_of_times(const json_t *list)
{
	struct upcall_path path = { { 0 } };
	for (unsigned m = 0; m < UPCALL_MOMENTS; m++) {
		const json_t *at_ns = json_array_get(list, m);
		if (json_is_integer(at_ns))
			path.at_ns[m] = (uint64_t)json_integer_value(at_ns) + 1;
	}
	return path;
}

unsigned upcall_ops(const struct upcall_ways *ways)
{
	size_t ops = 0;
	for (unsigned round = 0; round < ways->rounds; round++)
		ops += json_array_size(ways->paths[round]);
	return (unsigned)ops;
}

/* The numbers of one round that there are. */
static unsigned gather_measured(const struct legs_work *work, unsigned begin, unsigned end,
				measure *of, enum upcall_moment moment)
{
	unsigned count = 0;
	for (unsigned i = begin; i < end; i++) {
		double value = of(&work->paths[i], moment);
		if (!isnan(value))
			work->values[count++] = value;
	}
	return count;
}

static int compare_values(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* The value below which this share of the sorted values lies. */
static double share_of(const double *sorted, unsigned count, double share)
{
	double place = share * (count - 1);
	unsigned below = (unsigned)place;
	unsigned above = below + 1 < count ? below + 1 : below;
	return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

/* {p10, median, p90} over all operations; null without one. */
static json_t *spread_json(const struct legs_work *work, measure *of, enum upcall_moment moment)
{
	unsigned count = gather_measured(work, 0, work->ops, of, moment);
	if (count == 0)
		return json_null();
	json_t *spread = required(json_object());
	qsort(work->values, count, sizeof *work->values, compare_values);
	put_real(spread, "p10", share_of(work->values, count, LOW_SHARE));
	put_real(spread, "median", share_of(work->values, count, 0.5));
	put_real(spread, "p90", share_of(work->values, count, HIGH_SHARE));
	return spread;
}

/* Of each round's median. */
static json_t *by_round_json(const struct legs_work *work, unsigned rounds, measure *of,
			     enum upcall_moment moment)
{
	unsigned begin = 0;
	for (unsigned round = 0; round < rounds; round++) {
		unsigned count = gather_measured(work, begin, work->ends[round], of, moment);
		begin = work->ends[round];
		qsort(work->values, count, sizeof *work->values, compare_values);
		work->round_medians[round] = count ? share_of(work->values, count, 0.5) : NAN;
	}
	return estimate_of(work->round_medians, rounds);
}

/* The course's six steps, docs/measurement.md; 0: none begins here. */
static int step_of(const struct legs_work *work, const struct upcall_ways *ways,
		   enum upcall_moment moment)
{
	bool is_free = gather_measured(work, 0, work->ops, moment_time, MOMENT_ACCEPTED) > 0;
	bool has_ring = gather_measured(work, 0, work->ops, moment_time, MOMENT_TAKEN_UP) > 0;
	switch (moment) {
	case MOMENT_OFFERED:
		return 1;
	case MOMENT_ACCEPTED:
		return 2;
	case MOMENT_ISSUED:
		return 3;
	case MOMENT_TAKEN_UP: /* a receive has no request that goes to a device */
		return ways->of_file ? 0 : 3;
	case MOMENT_CALLED:
		return ways->of_file || has_ring ? 0 : 3;
	case MOMENT_SLEEPS: /* who sleeps within submit() looks for nothing */
		return is_free ? 4 : 0;
	case MOMENT_COMPLETED:
		return 5;
	case MOMENT_TAKEN:
		return 6;
	default:
		return 0;
	}
}

static json_t *moment_json(const struct legs_work *work, const struct upcall_ways *ways,
			   enum upcall_moment moment)
{
	json_t *entry = required(json_object());
	int step = step_of(work, ways, moment);
	put_string(entry, "name", upcall_moments[moment].name);
	put_new(entry, "step", step ? json_integer(step) : NULL);
	put_int(entry, "seen", gather_measured(work, 0, work->ops, moment_time, moment));
	put_new(entry, "at_ns", spread_json(work, moment_time, moment));
	put_new(entry, "leg_ns", spread_json(work, moment_leg, moment));
	put_new(entry, "leg_by_round", by_round_json(work, ways->rounds, moment_leg, moment));
	return entry;
}

/* Returns false without memory. */
static bool gather_paths(struct legs_work *work, const struct upcall_ways *ways)
{
	size_t i;
	const json_t *list;
	unsigned ops = upcall_ops(ways);
	work->paths = calloc(ops + 1, sizeof *work->paths);
	work->values = calloc(ops + 1, sizeof *work->values);
	work->ends = calloc(ways->rounds + 1, sizeof *work->ends);
	work->round_medians = calloc(ways->rounds + 1, sizeof *work->round_medians);
	if (!work->paths || !work->values || !work->ends || !work->round_medians)
		return false;
	for (unsigned round = 0; round < ways->rounds; round++) {
		json_array_foreach (ways->paths[round], i, list)
			work->paths[work->ops++] = path_of_times(list);
		work->ends[round] = work->ops;
	}
	return true;
}

/* Does `a` come before `b`, in most of the operations that have both? What nobody saw comes last. */
static bool comes_before(const struct legs_work *work, enum upcall_moment a, enum upcall_moment b)
{
	unsigned before = 0, after = 0, a_seen = 0, b_seen = 0;
	for (unsigned i = 0; i < work->ops; i++) {
		uint64_t a_ns = work->paths[i].at_ns[a], b_ns = work->paths[i].at_ns[b];
		a_seen += a_ns > 0;
		b_seen += b_ns > 0;
		if (a_ns == 0 || b_ns == 0)
			continue;
		before += a_ns < b_ns || (a_ns == b_ns && a < b);
		after += a_ns > b_ns || (a_ns == b_ns && a > b);
	}
	if (a_seen == 0 || b_seen == 0)
		return a_seen != b_seen ? a_seen > 0 : a < b;
	return before != after ? before > after : a < b;
}

/* Those to be told of, in the order in which they come. */
static unsigned place_moments(const struct legs_work *work, const struct upcall_ways *ways,
			      enum upcall_moment *placed)
{
	unsigned count = 0;
	for (enum upcall_moment m = 0; m < UPCALL_MOMENTS; m++) {
		bool expected = ways->of_file ? upcall_moments[m].expected_of_file
					      : upcall_moments[m].expected_of_socket;
		if (gather_measured(work, 0, work->ops, moment_time, m) == 0 && !expected)
			continue;
		unsigned at = count++;
		for (; at > 0 && comes_before(work, m, placed[at - 1]); at--)
			placed[at] = placed[at - 1];
		placed[at] = m;
	}
	return count;
}

json_t *upcall_legs_json(const struct upcall_ways *ways)
{
	struct legs_work work = { 0 };
	enum upcall_moment placed[UPCALL_MOMENTS];
	json_t *list = required(json_array());
	required(gather_paths(&work, ways) ? list : NULL);
	unsigned count = place_moments(&work, ways, placed);
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, moment_json(&work, ways, placed[i]));
	free(work.paths);
	free(work.values);
	free(work.ends);
	free(work.round_medians);
	return list;
}
