/* SPDX-License-Identifier: MIT */
/* Can a run from outside be believed? Each rule is checked here, and nowhere else. */
#ifndef IOLAB_RUN_CHECK_H
#define IOLAB_RUN_CHECK_H

#include <jansson.h>
#include <stdbool.h>

#include "reason.h"

/*
 * Has `run`, as iolab.run.v2 has it, its shape; are its options among those that `iolab run` accepts; and
 * do its numbers agree with each other? Otherwise false with `why`, which names the key.
 */
bool run_is_sound(const json_t *run, struct reason *why);

/* Parts of it, of a run whose shape is right. */
bool run_is_in_range(const json_t *run, struct reason *why);
bool run_numbers_agree(const json_t *run, struct reason *why);

#endif
