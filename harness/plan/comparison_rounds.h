/* SPDX-License-Identifier: MIT */
/*
 * The rounds of a comparison. Each round runs every configuration once, in an order shuffled anew
 * from a recorded seed, each run in a fresh process. What disturbs the machine for a while then
 * disturbs all engines alike, and ratios within a round survive it.
 */
#ifndef IOLAB_COMPARISON_ROUNDS_H
#define IOLAB_COMPARISON_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/results_folder.h"
#include "plan/plan.h"
#include "plan/rounds.h"
#include "random.h"
#include "summary/grouping.h"

struct comparison_rounds {
	/* Set by the caller. */
	struct plan *plan;
	struct results_folder *folder;
	struct random_stream random; /* of the order */
	double wanted_ci_pct; /* with progress.until_precise */
	bool count_syscalls; /* in rounds of their own, at the end */
	bool show_progress; /* on stderr */
	struct progress progress; /* what is asked for */

	/* Zeros at first. */
	struct grouping measured; /* without the parts that no ratio needs */
	double widest_pct; /* of the ratios' intervals after the last round; 0: not known yet */
	unsigned kept; /* lines in runs.jsonl */
	unsigned finished, planned; /* runs; what is left out as unsupported is finished, too */
	uint64_t begun_ns;
};

/*
 * Runs rounds until next_round() says why not. Returns that; after ENDED_BY_FAILURE `why` is set.
 * Blocks for as long as it takes; a signal ends it early (base/interrupt.h).
 */
enum ending comparison_rounds_run(struct comparison_rounds *rounds, struct reason *why);

void comparison_rounds_free(struct comparison_rounds *rounds);

#endif
