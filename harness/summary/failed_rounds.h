/* SPDX-License-Identifier: MIT */
/* Rounds in which a run failed: the others' figures stay, and the reason is among the warnings. */
#ifndef IOLAB_FAILED_ROUNDS_H
#define IOLAB_FAILED_ROUNDS_H

#include <jansson.h>

/*
 * Adds a remark "round_failed" to `warnings`, with the values round, rounds and what `cause`, a remark,
 * says. Rounds count from 0 here, from 1 in the remark.
 */
void failed_round_add(json_t *warnings, unsigned round, unsigned rounds, const json_t *cause);

/* Prints "status: reason" of an entry that is not ok, as the rest of a line. */
void print_status_of(const json_t *entry);

/* Prints the "warnings" of each entry of a list that is ok, with the label of its engine. */
void print_warnings_of(const json_t *entries);

#endif
