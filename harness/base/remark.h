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
 *
 * The value "errno" is the name of an errno value (the number where it has no name); who shows it
 * may add its message. A remark that has another one as its cause holds it under "cause", beside
 * "values", and {cause} in its text stands for that one's text.
 */
#ifndef IOLAB_REMARK_H
#define IOLAB_REMARK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "reason.h"

/*
 * A new reference. `id` is a word of [a-z0-9_]; `values` (taken over; NULL: none) is a flat object
 * of numbers and strings, and names every {name} of `text`.
 */
json_t *remark_new(const char *id, json_t *values, const char *text);

/*
 * A reason as a remark, a new reference: its identifier, values and text, with the value "errno" where
 * it has an errno value. Where nobody gave a reason, the id is "no_reason"; where it has no
 * identifier, "unnamed", and its one value "sentence" is the text.
 */
json_t *remark_of_reason(const struct reason *why);

/*
 * As remark_new(), with a cause: a remark that is shared; NULL or null where no reason was given.
 */
json_t *remark_caused(const char *id, json_t *values, const char *text, const json_t *cause);

/* The same without values, where the cause is a reason. */
json_t *remark_because(const char *id, const char *text, const struct reason *why);

/* A sentence of which nothing else is known, as a remark with the one value "sentence". */
json_t *remark_of_sentence(const char *id, const char *sentence);

/* Appends remark_new() to `list`. */
void remark_add(json_t *list, const char *id, json_t *values, const char *text);

/* Is it a remark with this id? False for NULL and null. */
bool remark_is(const json_t *remark, const char *id);

/*
 * Have both the same id, the same values and the same cause? Their texts are not looked at. False
 * where one is NULL or null.
 */
bool remarks_same(const json_t *a, const json_t *b);

/* Is there one in `list`? */
bool remark_in(const json_t *list, const char *id);

/*
 * Writes the text with its values filled in; numbers with up to 4 significant digits. A name without
 * a value stays as it stands. Writes nothing for NULL and null.
 */
void remark_print(FILE *out, const json_t *remark);

/* The same in memory to be freed. */
char *remark_text(const json_t *remark);

#endif
