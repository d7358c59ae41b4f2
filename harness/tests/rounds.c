/* SPDX-License-Identifier: MIT */
/* next_round(): every ending, every unknown. Nothing is run. */
#include "plan/rounds.h"

#include <string.h>

#include "tap.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const struct {
	const char *what;
	struct progress progress;
	enum ending expected;
} cases[] = {
	/* A fixed number of rounds. */
	{ "before the first round", { .rounds_asked = 5 }, GOES_ON },
	{ "one is missing", { .rounds_done = 4, .rounds_asked = 5 }, GOES_ON },
	{ "all are done", { .rounds_done = 5, .rounds_asked = 5 }, ENDED_BY_ROUNDS },
	{ "precision does not matter when nobody asked for it",
	  { .rounds_done = 1, .rounds_asked = 5, .precision = PRECISION_REACHED },
	  GOES_ON },

	/* Until the ratios are precise. */
	{ "unknown is not precise",
	  { .rounds_done = 5, .rounds_asked = 5, .until_precise = true },
	  GOES_ON },
	{ "unknown is not precise, however many rounds there were",
	  { .rounds_done = ROUNDS_MAX - 1, .rounds_asked = 5, .until_precise = true },
	  GOES_ON },
	{ "unknown ends by the greatest number of rounds",
	  { .rounds_done = ROUNDS_MAX, .rounds_asked = 5, .until_precise = true },
	  ENDED_BY_ROUNDS },
	{ "unknown ends by time",
	  { .rounds_done = 5,
	    .rounds_asked = 5,
	    .until_precise = true,
	    .limit_s = 10,
	    .elapsed_s = 9 },
	  ENDED_BY_LIMIT },
	{ "not reached",
	  { .rounds_done = 9,
	    .rounds_asked = 5,
	    .until_precise = true,
	    .precision = PRECISION_UNREACHED },
	  GOES_ON },
	{ "reached, but there were too few rounds to judge from",
	  { .rounds_done = 4,
	    .rounds_asked = 5,
	    .until_precise = true,
	    .precision = PRECISION_REACHED },
	  GOES_ON },
	{ "reached",
	  { .rounds_done = 5,
	    .rounds_asked = 5,
	    .until_precise = true,
	    .precision = PRECISION_REACHED },
	  ENDED_BY_PRECISION },
	{ "reached in the round in which the time was over",
	  { .rounds_done = 5,
	    .rounds_asked = 5,
	    .until_precise = true,
	    .precision = PRECISION_REACHED,
	    .limit_s = 10,
	    .elapsed_s = 11 },
	  ENDED_BY_PRECISION },
	{ "unreachable, but a ratio may still come",
	  { .rounds_done = 1,
	    .rounds_asked = 5,
	    .until_precise = true,
	    .precision = PRECISION_UNREACHABLE },
	  GOES_ON },
	{ "unreachable",
	  { .rounds_done = 5,
	    .rounds_asked = 5,
	    .until_precise = true,
	    .precision = PRECISION_UNREACHABLE },
	  ENDED_UNREACHABLE },

	/* Time. */
	{ "the first round always begins", { .rounds_asked = 5, .limit_s = 0.001 }, GOES_ON },
	{ "another one fits",
	  { .rounds_done = 2, .rounds_asked = 5, .limit_s = 10, .elapsed_s = 6 },
	  GOES_ON },
	{ "another one fits exactly",
	  { .rounds_done = 2, .rounds_asked = 5, .limit_s = 9, .elapsed_s = 6 },
	  GOES_ON },
	{ "no other one fits",
	  { .rounds_done = 2, .rounds_asked = 5, .limit_s = 8.9, .elapsed_s = 6 },
	  ENDED_BY_LIMIT },
	{ "the time is over",
	  { .rounds_done = 2, .rounds_asked = 5, .limit_s = 5, .elapsed_s = 6 },
	  ENDED_BY_LIMIT },
	{ "no limit", { .rounds_done = 2, .rounds_asked = 5, .elapsed_s = 1e9 }, GOES_ON },
	{ "the rounds were done before the time was over",
	  { .rounds_done = 5, .rounds_asked = 5, .limit_s = 5, .elapsed_s = 6 },
	  ENDED_BY_ROUNDS },

	/* What ends it whatever else is known. */
	{ "interrupted before the first round",
	  { .rounds_asked = 5, .interrupted = true },
	  ENDED_BY_INTERRUPT },
	{ "interrupted after the last one, while system calls were counted",
	  { .rounds_done = 5, .rounds_asked = 5, .interrupted = true },
	  ENDED_BY_INTERRUPT },
	{ "interrupted when it was precise",
	  { .rounds_done = 5,
	    .rounds_asked = 5,
	    .until_precise = true,
	    .precision = PRECISION_REACHED,
	    .interrupted = true },
	  ENDED_BY_INTERRUPT },
	{ "a result was lost", { .rounds_asked = 5, .failed = true }, ENDED_BY_FAILURE },
	{ "a result was lost, and then it was interrupted",
	  { .rounds_asked = 5, .failed = true, .interrupted = true },
	  ENDED_BY_FAILURE },
};

static void expectation_tests(struct tap *tap)
{
	struct progress p = { .rounds_asked = 5 };
	tap_check(tap, rounds_expected(&p) == 5, "expected: as many as asked for");
	p.until_precise = true;
	p.rounds_done = 5;
	p.rounds_needed = 40;
	p.precision = PRECISION_UNREACHED;
	tap_check(tap, rounds_expected(&p) == 40, "expected: as many as the spread needs");
	p.rounds_needed = 0;
	tap_check(tap, rounds_expected(&p) == 6, "expected: one more at least");
	p.rounds_needed = 1000000;
	tap_check(tap, rounds_expected(&p) == ROUNDS_MAX, "expected: never more than there may be");
	p.elapsed_s = 10;
	p.limit_s = 16;
	tap_check(tap, rounds_expected(&p) == 8, "expected: never more than the time allows");
	p.precision = PRECISION_REACHED;
	tap_check(tap, rounds_expected(&p) == 5, "expected: none more once it is precise");
}

/* The identifiers are in results: each ending has one of its own. */
static void identifier_tests(struct tap *tap)
{
	static const enum ending endings[] = { ENDED_BY_ROUNDS,	 ENDED_BY_PRECISION,
					       ENDED_BY_LIMIT,	 ENDED_BY_INTERRUPT,
					       ENDED_BY_FAILURE, ENDED_UNREACHABLE };
	bool unique = true;
	for (size_t i = 0; i < LENGTH(endings); i++)
		for (size_t j = 0; j < i; j++)
			unique =
				unique && strcmp(ending_id(endings[i]), ending_id(endings[j])) != 0;
	tap_check(tap, unique, "every ending has an identifier of its own");
	for (size_t i = 0; i < LENGTH(endings); i++) {
		bool tested = false;
		for (size_t c = 0; c < LENGTH(cases); c++)
			tested = tested || cases[c].expected == endings[i];
		tap_check(tap, tested, "the ending '%s' is tested", ending_id(endings[i]));
	}
}

int main(void)
{
	struct tap tap = { 0 };
	for (size_t i = 0; i < LENGTH(cases); i++) {
		enum ending got = next_round(&cases[i].progress);
		tap_check(&tap, got == cases[i].expected, "%s: %s", cases[i].what,
			  got == GOES_ON ? "goes on" : ending_id(got));
	}
	expectation_tests(&tap);
	identifier_tests(&tap);
	return tap_end(&tap);
}
