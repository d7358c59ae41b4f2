/* SPDX-License-Identifier: MIT */
/* The value of --engines. */
#ifndef IOLAB_ENGINE_LIST_H
#define IOLAB_ENGINE_LIST_H

#include "base/list_option.h"
#include "reason.h"

/*
 * Splits `text` at its commas, as word_list_split() does. A word such as "io_uring:each" stands for the
 * plain engine and each of its options alone. What else is wrong with a word, engine_spec_parse() says.
 */
int engine_list_split(struct word_list *list, const char *text, unsigned most, struct reason *why);

#endif
