/* SPDX-License-Identifier: MIT */
/* Rounds in which a run failed: the others' figures stay, and the reason is among the warnings. */
#ifndef IOLAB_FAILED_ROUNDS_H
#define IOLAB_FAILED_ROUNDS_H

#include <jansson.h>

#include "reason.h"

/*
 * Adds a remark "round_failed" to `warnings`, with the values round, rounds and why. Rounds count
 * from 0 here, from 1 in the remark.
 */
void failed_round_add(json_t *warnings, unsigned round, unsigned rounds, const struct reason *why);

/* Prints the "warnings" of each entry of a list that is ok, with the label of its engine. */
void print_warnings_of(const json_t *entries);

#endif
