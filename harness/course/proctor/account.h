/* SPDX-License-Identifier: MIT */
/* The events that led to a failure, few enough to be read. */
#ifndef IOLAB_COURSE_ACCOUNT_H
#define IOLAB_COURSE_ACCOUNT_H

#include <jansson.h>
#include <stdbool.h>

#include "exam_record.h"

/*
 * A new array, oldest first: an event is a text; where events repeat stands instead
 * { "repeats": "same" | "alike" | "endless", "times": 7 }, after the last of those shown. Alike
 * events differ in varying values alone (event_key.h). `cut`: older events are left out.
 */
json_t *account_of(const struct exam_record *record, bool *cut);

#endif
