/* SPDX-License-Identifier: MIT */
/*
 * A remark: something that a reader must know of a result, as an identifier and values.
 *
 *     { "id": "cache_incomplete", "values": { "resident_pct": 42.0 },
 *       "text": "only {resident_pct} % of the file was in the page cache" }
 *
 * Programs compare `id` and `values`. `text` is a template for people: who shows it fills each {name}
 * with the value, or with a range when several remarks of one id are shown as one. The template
 * stands once, where the remark is made. Warnings, and reasons for what is missing, are remarks.
 */
#ifndef IOLAB_REMARK_H
#define IOLAB_REMARK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "reason.h"

/*
 * A new reference. `id` is a word of [a-z0-9_]; `values` (taken over; NULL: none) is a flat object
 * of numbers and strings, and names every {name} of `text`.
 */
json_t *remark_new(const char *id, json_t *values, const char *text);

/* A remark of the words of `why`, as its value "why": { id, values: { why }, text: "{why}" }. */
json_t *remark_of_reason(const char *id, const struct reason *why);

/* Appends remark_new() to `list`. */
void remark_add(json_t *list, const char *id, json_t *values, const char *text);

/* Is it a remark with this id? False for NULL and null. */
bool remark_is(const json_t *remark, const char *id);

/* Is there one in `list`? */
bool remark_in(const json_t *list, const char *id);

/*
 * The text with its values filled in, in memory to be freed; numbers with up to 4 significant
 * digits. A name without a value stays as it stands.
 */
char *remark_text(const json_t *remark);

#endif
