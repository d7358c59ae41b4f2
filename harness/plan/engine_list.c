/* SPDX-License-Identifier: MIT */
#include "plan/engine_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines.h"

/* At the end of an engine's name. */
#define EACH_OPTION ":each"

/* The engine of a word that ends with EACH_OPTION, or NULL. */
static const struct engine_ops *engine_of_each(const char *word, size_t word_len)
{
	const size_t suffix_len = strlen(EACH_OPTION);
	if (word_len <= suffix_len ||
	    strncmp(word + word_len - suffix_len, EACH_OPTION, suffix_len) != 0)
		return NULL;
	char *name = strndup(word, word_len - suffix_len);
	const struct engine_ops *engine = name ? engine_find(name) : NULL;
	free(name);
	return engine;
}

/* The list with `name:each` written out: the plain engine, and each of its options alone. */
static char *write_out_each(const char *list)
{
	char *whole = NULL;
	size_t size;
	FILE *stream = open_memstream(&whole, &size);
	const char *word = list, *comma = "";
	for (size_t len; stream && word; word = word[len] ? word + len + 1 : NULL, comma = ",") {
		len = strcspn(word, ",");
		const struct engine_ops *engine = engine_of_each(word, len);
		fprintf(stream, "%s%.*s", comma, engine ? (int)strlen(engine->name) : (int)len,
			word);
		for (const struct engine_option *o = engine ? engine->options : NULL; o && o->name;
		     o++)
			fprintf(stream, ",%s:%s", engine->name, o->name);
	}
	if (!stream || fclose(stream) != 0)
		return NULL;
	return whole;
}

int engine_list_split(struct word_list *list, const char *text, unsigned most, struct reason *why)
{
	char *whole = write_out_each(text);
	int rc = whole ? word_list_split(list, "engines", whole, most, why)
		       : reason_no_memory(why, "the list of engines");
	free(whole);
	return rc;
}
