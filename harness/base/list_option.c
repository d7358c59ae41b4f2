/* SPDX-License-Identifier: MIT */
#include "base/list_option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/exit_status.h"

unsigned split_list(const char *command, const char *option, const char *list, const char **words,
		    unsigned max)
{
	/* The copies, which nobody frees: the words point into them. */
	static struct copy {
		struct copy *before;
		char text[];
	} * last;
	struct copy *copy = malloc(sizeof *copy + strlen(list) + 1);
	unsigned count = 0;
	copy->before = last;
	last = copy;
	strcpy(copy->text, list);
	for (char *rest = copy->text, *word; (word = strsep(&rest, ",")) != NULL;) {
		if (!*word) {
			fprintf(stderr, "%s: --%s '%s': a word is missing; write it as a,b,c\n",
				command, option, list);
			exit(EXIT_USAGE);
		}
		if (count == max) {
			fprintf(stderr, "%s: --%s: more than %u words; name fewer at a time\n",
				command, option, max);
			exit(EXIT_USAGE);
		}
		words[count++] = word;
	}
	return count;
}
