/* SPDX-License-Identifier: MIT */
/* The engines that are linked in: every lab's IO_ENGINE(...), found by nobody naming them. */
#ifndef IOLAB_ENGINES_H
#define IOLAB_ENGINES_H

#include <stddef.h>
#include <stdint.h>

#include "io_engine.h"

unsigned engines_count(void);

/* The engine at `position` in the order of the labs, 0 .. engines_count()-1. */
const struct engine_ops *engine_at(unsigned position);

/* NULL when there is no such engine. */
const struct engine_ops *engine_find(const char *name);

/*
 * Parses "name" or "name:option+option". Returns 0, or -EINVAL with a `why` that lists what there
 * is and names the nearest.
 */
int engine_spec_parse(const char *spec, const struct engine_ops **engine, uint64_t *options,
		      struct reason *why);

/* "option+option" in the order of the engine's table, whatever order was typed; "" for none. */
void engine_variant_name(const struct engine_ops *engine, uint64_t options, char *text,
			 size_t size);

/* "name" or "name:option+option". */
void engine_label(const struct engine_ops *engine, uint64_t options, char *text, size_t size);

/*
 * The word among `count` that `typed` was probably meant to be, or NULL when none is near. For
 * "did you mean".
 */
const char *nearest_word(const char *typed, const char *const *words, unsigned count);

#endif
