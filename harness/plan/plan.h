/* SPDX-License-Identifier: MIT */
/* What a comparison runs: every engine on every workload at every swept value. */
#ifndef IOLAB_PLAN_H
#define IOLAB_PLAN_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/list_option.h"
#include "plan/child_run.h"
#include "workloads/workload.h"

#define PLAN_AXES_MAX 16

/* What a person chose. Lists are separated by commas; NULL is the standard plan's own. */
struct plan_choice {
	const char *engines, *workloads, *rates;
	const char *swept[PLAN_AXES_MAX]; /* the values of each axis_at() */
	const char *baseline; /* NULL: engine_baseline_name(), whether it is there or not */
	const char *runtime, *warmup; /* seconds, passed on; NULL: as compare has them */
	char **run_words; /* after "--": passed on to the runs that they mean something to */
	unsigned run_word_count;
};

/* One engine on one workload at one swept value. */
struct planned_run {
	struct run_words run;
	char label[96]; /* for the progress bar */
	char engine_label[240]; /* as results write it */
	json_t *panel; /* with `x`: what tells it apart from other runs of this engine */
	unsigned x;
	uint64_t op_limit; /* 0: it ends by time */
	double limit_s; /* a run that takes longer is hung */
	bool unsupported; /* found out by a run: not to be tried again */
};

/* One option that is swept, and its values. */
struct swept_words {
	char option[40]; /* "--depth" */
	struct word_list values;
};

struct plan {
	struct planned_run *runs; /* in the order of the table */
	unsigned count;
	unsigned engine_count; /* this many neighbours differ by nothing but their engine */
	char baseline[240]; /* as results write it */
	bool has_baseline; /* it is among the engines */

	/* What the runs' words point into. */
	struct word_list engines;
	struct swept_words **swept;
	unsigned swept_count;
	char compute_loops[32];
};

/* The axes of all workloads, no one twice; NULL after the last. */
const struct sweep_axis *axis_at(unsigned position);

/*
 * A child of compare's own parser: one option for each axis, as --depths. Its input is the struct
 * plan_choice. To be freed with swept_options_free() after argp_parse().
 */
struct argp *swept_options(void);
void swept_options_free(struct argp *argp);

/*
 * Lists and checks all runs; `choice` and its words have to outlive the plan. Returns 0, and the
 * plan is to be freed; or -errno with a `why` that names the option and the cure.
 */
int plan_make(struct plan *plan, const struct plan_choice *choice, struct reason *why);

void plan_free(struct plan *plan);

#endif
