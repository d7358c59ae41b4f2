/* SPDX-License-Identifier: MIT */
#include "base/list_option.h"

#include <argz.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool word_is_missing(const char *text)
{
	size_t length = strlen(text);
	return length == 0 || text[0] == ',' || text[length - 1] == ',' || strstr(text, ",,");
}

int word_list_split(struct word_list *list, const char *option, const char *text, unsigned most,
		    struct reason *why)
{
	size_t length;
	*list = (struct word_list) { 0 };
	if (word_is_missing(text)) { /* argz(3) would skip it */
		reason_say(why, "--%s '%s': a word is missing; write it as a,b,c", option, text);
		return -EINVAL;
	}
	if (argz_create_sep(text, ',', &list->text, &length) != 0)
		return reason_say_errno(why, ENOMEM, "--%s", option);
	size_t count = argz_count(list->text, length);
	if (count > most) {
		reason_say(why, "--%s: more than %u words; name fewer at a time", option, most);
		word_list_free(list);
		return -EINVAL;
	}
	list->count = (unsigned)count;
	list->words = calloc(count + 1, sizeof *list->words);
	if (!list->words) {
		word_list_free(list);
		return reason_say_errno(why, ENOMEM, "--%s", option);
	}
	argz_extract(list->text, length, list->words);
	return 0;
}

void word_list_free(struct word_list *list)
{
	free(list->text);
	free(list->words);
	*list = (struct word_list) { 0 };
}
