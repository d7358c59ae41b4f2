/* SPDX-License-Identifier: MIT */
#include "engines.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * Bounds of the section that IO_ENGINE() fills; the linker defines them for any C-named section.
 * Weak: a lab's tests can be listed by a program that has no engine.
 */
extern const struct engine_ops *const __start_io_engines[] __attribute__((weak));
extern const struct engine_ops *const __stop_io_engines[] __attribute__((weak));

#define WORDS_MAX 64

unsigned engines_count(void)
{
	/* cppcheck-suppress comparePointers ; the linker makes them one array */
	return (unsigned)(__stop_io_engines - __start_io_engines);
}

static int compare_engines(const struct engine_ops *a, const struct engine_ops *b)
{
	int by_lab = strcmp(a->lab, b->lab);
	return by_lab ? by_lab : strcmp(a->name, b->name);
}

const struct engine_ops *engine_at(unsigned position)
{
	/* The linker keeps the order of the object files. A dozen engines need no sorted copy. */
	assert(position < engines_count());
	for (unsigned i = 0; i < engines_count(); i++) {
		unsigned before = 0;
		for (unsigned j = 0; j < engines_count(); j++)
			before += compare_engines(__start_io_engines[j], __start_io_engines[i]) < 0;
		if (before == position)
			return __start_io_engines[i];
	}
	return NULL;
}

const char *engine_baseline_name(void)
{
	/* A learner's copy of it comes later in that order. */
	for (unsigned i = 0; i < engines_count(); i++)
		if (engine_at(i)->is_baseline)
			return engine_at(i)->name;
	return "";
}

const struct engine_ops *engine_find(const char *name)
{
	for (unsigned i = 0; i < engines_count(); i++)
		if (strcmp(__start_io_engines[i]->name, name) == 0)
			return __start_io_engines[i];
	return NULL;
}

/* Levenshtein's distance, for words of up to 63 letters. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t b_length = strlen(b);
	if (b_length > 63)
		return 64;
	for (unsigned j = 0; j <= b_length; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		unsigned diagonal = row[0];
		row[0] = i + 1;
		for (unsigned j = 0; j < b_length; j++) {
			unsigned replaced = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			unsigned shorter = row[j] < diagonal ? row[j] : diagonal;
			row[j + 1] = replaced < shorter + 1 ? replaced : shorter + 1;
		}
	}
	return row[b_length];
}

const char *nearest_word(const char *typed, const char *const *words, unsigned count)
{
	const char *nearest = NULL;
	unsigned least = 1 + (unsigned)strlen(typed) / 2; /* half of it wrong: no resemblance */
	for (unsigned i = 0; i < count; i++) {
		unsigned distance = edit_distance(typed, words[i]);
		if (distance < least) {
			least = distance;
			nearest = words[i];
		}
	}
	return nearest;
}

/* "no such <what>[; did you mean X?] There are a, b, c" */
static int unknown_word(struct reason *why, const char *what, const char *typed,
			const char *const *words, unsigned count)
{
	char known[300] = "";
	size_t used = 0;
	for (unsigned i = 0; i < count && used < sizeof known; i++)
		used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
					 words[i]);
	const char *nearest = nearest_word(typed, words, count);
	if (nearest)
		reason_say(why, "no %s '%s'; did you mean '%s'? There are %s", what, typed, nearest,
			   known);
	else
		reason_say(why, "no %s '%s'; there are %s", what, typed, known);
	return -EINVAL;
}

int engine_spec_parse(const char *spec, const struct engine_ops **engine, uint64_t *options,
		      struct reason *why)
{
	const char *words[WORDS_MAX];
	unsigned count = 0;
	char text[200];
	if (strlen(spec) >= sizeof text) {
		reason_say(why, "the name is too long");
		return -EINVAL;
	}
	strcpy(text, spec);
	char *rest = strchr(text, ':');
	if (rest)
		*rest++ = '\0';

	*engine = engine_find(text);
	if (!*engine) {
		for (; count < engines_count() && count < WORDS_MAX; count++)
			words[count] = engine_at(count)->name;
		return unknown_word(why, "engine", text, words, count);
	}
	*options = 0;
	const struct engine_option *table = (*engine)->options;
	for (; table && count < WORDS_MAX && table[count].name; count++)
		words[count] = table[count].name;
	for (char *word; (word = strsep(&rest, "+")) != NULL;) {
		unsigned i = 0;
		if (!*word) {
			reason_say(why,
				   "an option is missing; write it as %s:option+option, or "
				   "%s alone",
				   text, text);
			return -EINVAL;
		}
		while (i < count && strcmp(words[i], word) != 0)
			i++;
		if (i == count && count == 0) {
			reason_say(why, "engine %s has no options, so not '%s' either", text, word);
			return -EINVAL;
		}
		if (i == count && strchr(word, ',')) {
			reason_say(
				why,
				"options of one engine are joined by '+', as in %s:option+option",
				text);
			return -EINVAL;
		}
		if (i == count)
			return unknown_word(why, "option", word, words, count);
		*options |= UINT64_C(1) << i;
	}
	return 0;
}

int engine_lends(const struct engine_ops *engine, const struct engine_config *config,
		 struct reason *why)
{
	if (!engine->give_back) {
		reason_set(
			why, "lends_no_buffers",
			"{engine} lends no buffers: each receive that waits needs one of its own",
			reason_string("engine", engine->name));
		return -EOPNOTSUPP;
	}
	return engine->supports(config, IO_RECV, IO_FD_SOCKET, why);
}

void engine_variant_name(const struct engine_ops *engine, uint64_t options, char *text, size_t size)
{
	assert(size > 0);
	size_t used = 0;
	text[0] = '\0';
	for (unsigned i = 0; engine->options && engine->options[i].name && used < size; i++)
		if (options >> i & 1)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "+" : "",
						 engine->options[i].name);
}

void engine_label(const struct engine_ops *engine, uint64_t options, char *text, size_t size)
{
	char variant[200];
	engine_variant_name(engine, options, variant, sizeof variant);
	snprintf(text, size, "%s%s%s", engine->name, *variant ? ":" : "", variant);
}
