/* SPDX-License-Identifier: MIT */
/* Engines with one fault each, to prove that the suite finds it. */
#ifndef IOLAB_CONFORMANCE_MUTANTS_H
#define IOLAB_CONFORMANCE_MUTANTS_H

#include "conformance.h"
#include "io_engine.h"

struct mutant {
	const char *fault;
	struct engine_ops ops;
	const char *killer; /* the test that must fail */
	const char *says; /* what its diagnosis must contain */
	uint64_t options; /* that it is opened with */
	enum flavour flavour; /* the first that its test is tried with */
};

/* Each is ended by a NULL fault. */
extern const struct mutant mutants[]; /* the blocking engine with one thing wrong */
extern const struct mutant laid_over_mutants[]; /* right engines with a fault on top */

#endif
