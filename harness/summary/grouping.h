/* SPDX-License-Identifier: MIT */
/* Raw runs by configuration and round: what the statistics of a summary are taken from. */
#ifndef IOLAB_GROUPING_H
#define IOLAB_GROUPING_H

#include <jansson.h>
#include <stdbool.h>

struct measured_config {
	json_t *identity; /* with the engine */
	json_t *workpiece; /* without: what it has in common with its baseline */
	json_t **by_round; /* [round]: the run, or NULL */
	json_t *first;
	json_t *counting; /* the runs that counted system calls, a list */
	const json_t *idle; /* how busy the idle host was before, borrowed, or NULL */
};

/*
 * Configurations stand in the order of the plan, not in the shuffled one in which they ran. An empty
 * grouping is one of zeros. It shares the runs that it holds.
 */
struct grouping {
	struct measured_config *configurations;
	unsigned count, room;
	unsigned rounds, rounds_room;
	const json_t *idle; /* how busy the idle host was, borrowed, or NULL */
};

/* Groups a list of runs. */
struct grouping group_runs(const json_t *runs, const json_t *idle);

/* Adds one run. Pointers to configurations are good until then only. */
void grouping_add(struct grouping *grouping, json_t *run);

void free_grouping(struct grouping *grouping);

/*
 * Of a run, what its configuration is, with the words that people read: without what was found by
 * running, or differs by round. A new reference.
 */
json_t *configuration_of(const json_t *run, bool with_engine);

/* The same without words. Runs of one configuration have equal ones. A new reference. */
json_t *identity_of(const json_t *run, bool with_engine);

/* Takes the words that people read out of "config", in place. */
void config_without_words(json_t *config);

/* Such a run has a window of its own and enters no other figure. */
bool counts_syscalls(const json_t *run);

/* Measured by another program, so not in turns with the others. */
bool is_imported(const struct measured_config *c);

bool ok_in_round(const struct measured_config *c, unsigned round);

/* In how many of the rounds it ended ok. */
unsigned ok_rounds_of(const struct measured_config *c, unsigned rounds);

#endif
