/* SPDX-License-Identifier: MIT */
/* The engines in this program. Each registers itself with IO_ENGINE(); there is no list to edit. */
#ifndef IOLAB_ENGINES_H
#define IOLAB_ENGINES_H

#include <stddef.h>
#include <stdint.h>

#include "io_engine.h"

unsigned engines_count(void);

/* The engine at `position`, 0 .. engines_count()-1, in the order of the labs. */
const struct engine_ops *engine_at(unsigned position);

/* The name of the engine that ratios are taken to by default; "" where none registered as such. */
const char *engine_baseline_name(void);

/* The engine that is called `name`, or NULL. */
const struct engine_ops *engine_find(const char *name);

/*
 * Does the engine lend buffers, as many and as long as `config` asks for, in this variant and on this
 * machine? 0, or -errno with the reason. Of the configuration what supports() reads is valid.
 */
int engine_lends(const struct engine_ops *engine, const struct engine_config *config,
		 struct reason *why);

/*
 * Parses "name" or "name:option+option". Sets `*engine` and `*options` and returns 0, or returns
 * -EINVAL. `why` then lists what there is and names the nearest.
 */
int engine_spec_parse(const char *spec, const struct engine_ops **engine, uint64_t *options,
		      struct reason *why);

/* Writes "option+option", in the order of the engine's table; "" for none. */
void engine_variant_name(const struct engine_ops *engine, uint64_t options, char *text,
			 size_t size);

/* Writes "name" or "name:option+option". */
void engine_label(const struct engine_ops *engine, uint64_t options, char *text, size_t size);

/*
 * For "did you mean ...?": the word among `count` that `typed` resembles most, or NULL when none is
 * near.
 */
const char *nearest_word(const char *typed, const char *const *words, unsigned count);

#endif
