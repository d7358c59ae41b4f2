/* SPDX-License-Identifier: MIT */
/* Engines with one fault each, to prove that the suite finds it. */
#ifndef IOLAB_CONFORMANCE_MUTANTS_H
#define IOLAB_CONFORMANCE_MUTANTS_H

#include "io_engine.h"

struct mutant {
	const char *fault;
	struct engine_ops ops;
	const char *killer; /* the test that must fail */
	const char *says; /* what its diagnosis must contain */
};

extern const struct mutant mutants[]; /* ended by a NULL fault */

#endif
