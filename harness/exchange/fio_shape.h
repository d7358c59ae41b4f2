/* SPDX-License-Identifier: MIT */
/* The types of what is read from fio's JSON. Numbers have ranges, too: fio_counters.h. */
#ifndef IOLAB_FIO_SHAPE_H
#define IOLAB_FIO_SHAPE_H

#include <jansson.h>

#include "reason.h"

/*
 * Are a result of fio's and one of its jobs of the types that fio writes? A key may be missing, or null:
 * that is how a nan is read. Returns 0, or -EINVAL with a `why` that names the key.
 */
int fio_shape_check(const json_t *document, const json_t *job, struct reason *why);

#endif
