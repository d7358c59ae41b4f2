/* SPDX-License-Identifier: MIT */
/* The same remark on several configurations, told once. */
#ifndef IOLAB_REMARKS_H
#define IOLAB_REMARKS_H

#include <jansson.h>
#include <stdbool.h>

/* Have they the same id, the same strings among their values, and causes alike? Numbers may differ. */
bool remarks_alike(const json_t *a, const json_t *b);

/* The remark of `list` that is like this one, borrowed; NULL when there is none. */
const json_t *find_alike(const json_t *list, const json_t *remark);

/*
 * The text of `remark` for all that are alike in the lists under `key` of `configurations`: a number
 * that differs among them is a range. Memory to be freed.
 */
char *text_for_all(const json_t *configurations, const char *key, const json_t *remark);

#endif
