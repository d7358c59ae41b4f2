/* SPDX-License-Identifier: MIT */
/*
 * A process of its own for each run, and the JSON that it answers. No child outlives this process,
 * however it ends.
 */
#ifndef IOLAB_CHILD_RUN_H
#define IOLAB_CHILD_RUN_H

#include <jansson.h>
#include <stdbool.h>

#include "reason.h"
#include "run/run_options.h"

#define RUN_WORDS_MAX 128

/* The words of an `iolab run`, gathered one by one; the first two are the program and "run". */
struct run_words {
	const char *words[RUN_WORDS_MAX]; /* ended by NULL */
	unsigned count;
	bool too_many; /* some were left out */
};

void run_words_begin(struct run_words *run);

/* The word is borrowed. */
void run_words_add(struct run_words *run, const char *word);

/* Did all words fit? Returns 0, or -E2BIG with `why`. */
int run_words_check(const struct run_words *run, struct reason *why);

/*
 * Parses them. Returns 0, and `parsed` is to be freed; or -errno with a `why` that names the option
 * and the cure. What only this machine refuses is no mistake.
 */
int run_words_read(const struct run_words *run, struct run_options *parsed, struct reason *why);

/* Would `iolab run` take them? Returns 0, or -errno with `why` as above. */
int run_words_try(const struct run_words *run, struct reason *why);

/* The result that such a run leaves when it could leave none itself. A new reference. */
json_t *run_words_failure(const struct run_words *run, const struct reason *why);

/*
 * Runs it with --json and returns its line: a new reference. NULL with `why` when it left none, or
 * took longer than `limit_s` (then it is killed). Once interrupt_requested(), the run is told to
 * end early, and what it answers then is returned; after interrupt_at_once() it is killed. Blocks
 * until the run has ended.
 */
json_t *child_run(const struct run_words *run, double limit_s, struct reason *why);

/*
 * Why such a run brought no figures, a remark: its own reason; `why` when it left no result (NULL);
 * or "finished_nothing" when it ended well without a single operation. A new reference.
 */
json_t *child_run_failure(const json_t *result, const struct reason *why);

/*
 * Runs `work` in a forked process and returns the object that it answers there; NULL with `why` when
 * it answered none, or took longer than `limit_s`. Such a piece of work leaves nothing behind, so
 * it is killed once interrupt_requested(). The child has this process's memory as it is now, and
 * none of its threads.
 */
json_t *child_work(json_t *(*work)(const void *), const void *argument, double limit_s,
		   struct reason *why);

#endif
