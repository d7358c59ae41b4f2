/* SPDX-License-Identifier: MIT */
/* A process of its own for each engine, and the JSON that it answers: for commands that look at
 * several. */
#ifndef IOLAB_CHILD_RUN_H
#define IOLAB_CHILD_RUN_H

#include <jansson.h>

#include "reason.h"

/* The words of an `iolab run`, gathered one by one; the first two are "iolab", "run". */
struct run_words {
	const char *words[128]; /* ended by NULL */
	unsigned count;
};

void run_words_begin(struct run_words *run);
void run_words_add(struct run_words *run, const char *word);

/*
 * Runs it with --json and returns its line: a new reference. NULL with `why` when it left none, or
 * took longer than `limit_s` (it is killed then).
 */
json_t *child_run(const struct run_words *run, double limit_s, struct reason *why);

/*
 * Runs `work` in a forked process and returns the object that it answers there; otherwise as
 * child_run(). The child has this process's memory as it is now, and none of its threads.
 */
json_t *child_work(json_t *(*work)(const void *), const void *argument, double limit_s,
		   struct reason *why);

/*
 * Ends the program with run's own message when one of the words is wrong, as run_options_parse()
 * does; what only this machine refuses is not.
 */
void run_words_check(const struct run_words *run);

/*
 * Splits a copy of "a,b,c", which stays for as long as the program does: the list itself is to be
 * recorded as it was typed. Returns how many of at most `max` words were stored.
 */
unsigned split_list(const char *list, const char **words, unsigned max);

#endif
