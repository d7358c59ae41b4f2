/* SPDX-License-Identifier: MIT */
/* An option whose value is a list: a,b,c. */
#ifndef IOLAB_LIST_OPTION_H
#define IOLAB_LIST_OPTION_H

#include "reason.h"

struct word_list {
	char *text; /* the words, one after another, each ended by NUL */
	char **words; /* into `text`; ended by NULL */
	unsigned count; /* at least 1 */
};

/*
 * Splits a copy of `text`. Returns 0, and the list is the caller's to free; or -EINVAL with a `why`
 * that names the option when a word is missing or there are more than `most`.
 */
int word_list_split(struct word_list *list, const char *option, const char *text, unsigned most,
		    struct reason *why);

void word_list_free(struct word_list *list);

#endif
