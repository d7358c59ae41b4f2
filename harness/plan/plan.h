/* SPDX-License-Identifier: MIT */
/* What a comparison runs: every engine on every workload at every swept value. */
#ifndef IOLAB_PLAN_H
#define IOLAB_PLAN_H

#include <stdbool.h>

#include "plan/child_run.h"
#include "workloads/run_config.h"

/* What a person chose. Lists are separated by commas; NULL is the standard plan's own. */
struct plan_choice {
	const char *engines, *workloads, *depths, *conns, *rates;
	const char *baseline; /* NULL: blocking, whether it is there or not */
	const char *runtime, *warmup; /* seconds, passed on; NULL: as compare has them */
	char **run_words; /* after "--": passed on to the runs that they mean something to */
	unsigned run_word_count;
};

/* One engine on one workload at one swept value. */
struct planned_run {
	struct run_words run;
	char label[96]; /* for the progress bar */
	struct run_config config; /* what the words say; its file may be gone */
	double limit_s; /* a run that takes longer is hung */
	bool unsupported; /* found out by a run: not to be tried again */
};

struct plan {
	struct planned_run *configurations; /* in the order of the table */
	unsigned count;
	unsigned engine_count; /* so many neighbours differ by nothing but their engine */
	const char *baseline; /* as results write it */
	bool has_baseline; /* it is among the engines */
};

/* What is compared when nobody says otherwise: the labs' engines and the variants they put forward. */
const char *standard_engines(void);

/*
 * Lists and checks all configurations; `choice` and its words have to outlive the plan. A person's
 * mistake ends the program with one line that names the option and the cure, exit status 2.
 */
void plan_make(struct plan *plan, const struct plan_choice *choice);

void plan_free(struct plan *plan);

#endif
