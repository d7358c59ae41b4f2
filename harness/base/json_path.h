/* SPDX-License-Identifier: MIT */
/* Reading what a run or a summary says, by a dotted path. */
#ifndef IOLAB_JSON_PATH_H
#define IOLAB_JSON_PATH_H

#include <jansson.h>
#include <stdbool.h>

/* The value at "metrics.cpu.user_s", borrowed; NULL when there is none. */
const json_t *at_path(const json_t *object, const char *path);

/* The text there; "" when there is none. The number there; 0 when there is none. */
const char *string_at(const json_t *object, const char *path);
double number_at(const json_t *object, const char *path);

/* Is "status" of a run or a configuration this one? */
bool status_is(const json_t *run, const char *status);

#endif
