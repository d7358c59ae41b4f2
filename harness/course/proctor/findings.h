/* SPDX-License-Identifier: MIT */
/*
 * What the proctor found, as identifiers with values:
 *
 *     { "id": "opens_forbidden", "values": { "path": "/home/ann/labs/04_epoll/engine.c" } }
 *
 * Programs compare `id` and `values`. No sentence is made here: proctor/findings.py has one for each
 * id, and names the values that each has.
 */
#ifndef IOLAB_COURSE_FINDINGS_H
#define IOLAB_COURSE_FINDINGS_H

#include <jansson.h>

/* Appends one to `findings`. Returns its values, empty and borrowed, to be filled in. */
json_t *add_finding(json_t *findings, const char *id);

/*
 * A new string of the first `size` bytes, at most, of a text from a submission: what is not
 * printable ASCII becomes '?'.
 */
json_t *untrusted_text(const char *text, size_t size);

/* Sets `key` to such a text, which ends with a NUL. */
void put_untrusted(json_t *values, const char *key, const char *text);

#endif
