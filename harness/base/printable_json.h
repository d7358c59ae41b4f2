/* SPDX-License-Identifier: MIT */
/* JSON from outside, fit for a terminal. */
#ifndef IOLAB_PRINTABLE_JSON_H
#define IOLAB_PRINTABLE_JSON_H

#include <jansson.h>

/* A deep copy of `json` with all texts and keys as copy_printable() makes them, a new reference. */
json_t *printable_copy(const json_t *json);

#endif
