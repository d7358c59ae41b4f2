/* SPDX-License-Identifier: MIT */
/*
 * Does another round run? A pure function of what is known: it reads no clock, no file and no
 * flag, and without knowledge it never says that enough was measured.
 */
#ifndef IOLAB_ROUNDS_H
#define IOLAB_ROUNDS_H

#include <stdbool.h>

/* The most rounds of any command. */
#define ROUNDS_MAX 1000

/* How the ratios stand to the width that was asked for. */
enum precision_state {
	PRECISION_UNKNOWN, /* nothing was computed: not precise */
	PRECISION_UNREACHED,
	PRECISION_REACHED,
	PRECISION_UNREACHABLE, /* whatever could be reached is, or there is no ratio at all */
};

/* What is known of a comparison before its next round. */
struct progress {
	unsigned rounds_done; /* whole ones */
	unsigned rounds_asked; /* with until_precise: at least */
	bool until_precise; /* then rounds go on until the ratios are */
	enum precision_state precision; /* after the last round */
	unsigned rounds_needed; /* an estimate for PRECISION_UNREACHED; 0: none */
	double elapsed_s; /* by all rounds so far */
	double limit_s; /* no round begins that would probably end later; 0: none */
	bool interrupted; /* by a signal */
	bool failed; /* a result could not be kept */
};

enum ending {
	GOES_ON,
	ENDED_BY_ROUNDS, /* as many as asked for, or as there may be */
	ENDED_BY_PRECISION,
	ENDED_BY_LIMIT, /* of time */
	ENDED_BY_INTERRUPT,
	ENDED_BY_FAILURE,
	ENDED_UNREACHABLE, /* no further round would make anything precise */
};

/* Which of them it is: GOES_ON when another round is due. */
enum ending next_round(const struct progress *progress);

/* The identifier that results carry as "ended_by". `ending` must not be GOES_ON. */
const char *ending_id(enum ending ending);

/* How many rounds it will probably be in all, those that are done included. */
unsigned rounds_expected(const struct progress *progress);

#endif
