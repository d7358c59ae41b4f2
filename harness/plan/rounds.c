/* SPDX-License-Identifier: MIT */
#include "plan/rounds.h"

#include <assert.h>

/* How many more rounds, as long as those before, fit into the time. */
static unsigned rounds_in_time(const struct progress *p)
{
	if (p->limit_s <= 0)
		return ROUNDS_MAX;
	if (p->rounds_done == 0)
		return 1; /* how long one takes is not known */
	double left_s = p->limit_s - p->elapsed_s;
	double round_s = p->elapsed_s / p->rounds_done;
	if (left_s < round_s)
		return 0;
	return left_s < ROUNDS_MAX * round_s ? (unsigned)(left_s / round_s) : ROUNDS_MAX;
}

enum ending next_round(const struct progress *p)
{
	bool enough = p->rounds_done >= p->rounds_asked;
	if (p->failed)
		return ENDED_BY_FAILURE;
	if (p->interrupted)
		return ENDED_BY_INTERRUPT;
	if (p->rounds_done >= ROUNDS_MAX || (enough && !p->until_precise))
		return ENDED_BY_ROUNDS;
	if (enough && p->precision == PRECISION_REACHED)
		return ENDED_BY_PRECISION;
	if (enough && p->precision == PRECISION_UNREACHABLE)
		return ENDED_UNREACHABLE;
	return rounds_in_time(p) == 0 ? ENDED_BY_LIMIT : GOES_ON;
}

const char *ending_id(enum ending ending)
{
	static const char *const ids[] = {
		[ENDED_BY_ROUNDS] = "rounds", [ENDED_BY_PRECISION] = "precision",
		[ENDED_BY_LIMIT] = "time",    [ENDED_BY_INTERRUPT] = "signal",
		[ENDED_BY_FAILURE] = "error", [ENDED_UNREACHABLE] = "unreachable",
	};
	assert(ending != GOES_ON);
	return ids[ending];
}

static unsigned greater(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

unsigned rounds_expected(const struct progress *p)
{
	unsigned rounds = greater(p->rounds_asked, p->rounds_done);
	if (p->until_precise && p->precision == PRECISION_UNREACHED)
		rounds = greater(rounds, greater(p->rounds_needed, p->rounds_done + 1));
	unsigned in_time = p->rounds_done + rounds_in_time(p);
	if (p->rounds_done > 0 && rounds > in_time)
		rounds = in_time;
	return rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
}
