/* SPDX-License-Identifier: MIT */
/* A process of its own for each run, and the JSON that it answers. */
#ifndef IOLAB_CHILD_RUN_H
#define IOLAB_CHILD_RUN_H

#include <jansson.h>
#include <signal.h>

#include "reason.h"
#include "run/run_options.h"

/* The words of an `iolab run`, gathered one by one; the first two are the program and "run". */
struct run_words {
	const char *words[128]; /* ended by NULL */
	unsigned count;
};

void run_words_begin(struct run_words *run);

/* The word is borrowed. Ends the program when there are too many: a person typed most of them. */
void run_words_add(struct run_words *run, const char *word);

/*
 * Parses them. Ends the program with run's own message when one of the words is wrong, as
 * run_options_parse() does; what only this machine refuses is not.
 */
void run_words_parse(const struct run_words *run, struct run_options *parsed);

/* The result that such a run leaves when it could leave none itself. A new reference. */
json_t *run_words_failure(const struct run_words *run, const struct reason *why);

/*
 * Runs it with --json and returns its line: a new reference. NULL with `why` when it left none, or
 * took longer than `limit_s` (it is killed then). Unless NULL, `stop` is looked at several times a
 * second; once it is set the run is told to end early, and what it answers then is returned.
 */
json_t *child_run(const struct run_words *run, double limit_s, const volatile sig_atomic_t *stop,
		  struct reason *why);

/*
 * Runs `work` in a forked process and returns the object that it answers there; otherwise as
 * child_run(). The child has this process's memory as it is now, and none of its threads.
 */
json_t *child_work(json_t *(*work)(const void *), const void *argument, double limit_s,
		   struct reason *why);

#endif
