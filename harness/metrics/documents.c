/* SPDX-License-Identifier: MIT */
/* The part of JSON Schema that documents.json uses, in its short form: see make_schema.py. */
#include "metrics/documents.h"

#include <assert.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_put.h"
#include "metrics/metric.h"
#include "printable_text.h"
#include "workloads/workload.h"

/* Beyond it a number no longer fits an integer of C, and no count or amount is real. */
#define AMOUNT_MOST 9e18

static const char documents[] =
#include "documents_text.h"
	;

/* Where a value stands: a key, or an index where `key` is NULL. */
struct place {
	const struct place *outer;
	const char *key;
	size_t index;
};

/* A check under way. */
struct check {
	const json_t *shapes;
	unsigned passed; /* values that fit so far */
	struct reason why;
};

static bool fits(struct check *check, const json_t *shape, const json_t *value,
		 const struct place *place);

/* "config.cpus.3"; "the whole" for the document itself. Returns its length. */
static size_t print_place(const struct place *place, char *text, size_t size)
{
	size_t used = place->outer ? print_place(place->outer, text, size) : 0;
	char key[48], number[24];
	if (!place->key)
		snprintf(number, sizeof number, "%zu", place->index);
	else
		copy_printable(place->key, strlen(place->key), key, sizeof key);
	if (used < size)
		used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "." : "",
					 place->key ? key : number);
	return used < size ? used : size - 1;
}

/* Sets the reason. `wanted` is what should be at that place; `found` is shown unless it is NULL. */
static bool fails(struct check *check, const struct place *place, const json_t *found,
		  const char *wanted)
{
	char where[160] = "the document";
	char *shown = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII)
			    : NULL;
	if (place)
		print_place(place, where, sizeof where);
	if (shown)
		reason_say(&check->why, "%s %s, not %.60s%s", where, wanted, shown,
			   strlen(shown) > 60 ? "..." : "");
	else
		reason_say(&check->why, "%s %s", where, wanted);
	free(shown);
	return false;
}

static bool has_type(const json_t *value, const char *type, size_t length)
{
	static const struct {
		const char *name;
		json_type types[2];
	} names[] = {
		{ "object", { JSON_OBJECT, JSON_OBJECT } },
		{ "array", { JSON_ARRAY, JSON_ARRAY } },
		{ "string", { JSON_STRING, JSON_STRING } },
		{ "integer", { JSON_INTEGER, JSON_INTEGER } },
		{ "number", { JSON_INTEGER, JSON_REAL } },
		{ "boolean", { JSON_TRUE, JSON_FALSE } },
		{ "null", { JSON_NULL, JSON_NULL } },
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i].name) == length && strncmp(names[i].name, type, length) == 0)
			return json_typeof(value) == names[i].types[0] ||
			       json_typeof(value) == names[i].types[1];
	assert(false); /* documents.json names no other type */
	return false;
}

/* A shape in its short form: "number", "count?", "[integer]", "#estimate". */
static bool fits_words(struct check *check, const char *words, size_t length, const json_t *value,
		       const struct place *place)
{
	char wanted[80];
	snprintf(wanted, sizeof wanted, "must be of type %.*s", (int)length, words);
	if (words[length - 1] == '?')
		return json_is_null(value) || fits_words(check, words, length - 1, value, place);
	if (words[0] == '[') {
		size_t i;
		json_t *entry;
		if (!json_is_array(value))
			return fails(check, place, value, "must be a list");
		json_array_foreach ((json_t *)value, i, entry) {
			struct place inner = { place, NULL, i };
			if (!fits_words(check, words + 1, length - 2, entry, &inner))
				return false;
		}
		return true;
	}
	if (words[0] == '#') {
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)length - 1, words + 1);
		const json_t *shape = json_object_get(check->shapes, name);
		assert(shape);
		return fits(check, shape, value, place);
	}
	bool count = strncmp(words, "count", length) == 0;
	if (!count && strncmp(words, "amount", length) != 0)
		return has_type(value, words, length) || fails(check, place, value, wanted);
	double number = json_number_value(value);
	if (!(count ? json_is_integer(value) : json_is_number(value)))
		return fails(check, place, value,
			     count ? "must be a whole number" : "must be a number");
	return (number >= 0 && number <= AMOUNT_MOST) ||
	       fails(check, place, value, "must lie between 0 and 9e18");
}

static bool fits_type(struct check *check, const json_t *type, const json_t *value,
		      const struct place *place)
{
	size_t i;
	const json_t *one;
	if (json_is_string(type))
		return fits_words(check, json_string_value(type), json_string_length(type), value,
				  place);
	json_array_foreach ((json_t *)type, i, one)
		if (has_type(value, json_string_value(one), json_string_length(one)))
			return true;
	return fails(check, place, value, "has another type");
}

/* Is it a key of `keys`, whose optional ones end in '?' when `marked`? NULL when it is none. */
static const json_t *find_key(const json_t *keys, const char *key, bool marked)
{
	char optional[200];
	const json_t *shape = json_object_get(keys, key);
	if (shape || !marked ||
	    snprintf(optional, sizeof optional, "%s?", key) >= (int)sizeof optional)
		return shape;
	return json_object_get(keys, optional);
}

/*
 * Of an object: the values of the keys that `keys` describes. Without them `others` decides, a
 * shape, true, false, or NULL for true. With `marked` all are needed that do not end in '?'.
 */
static bool fits_keys(struct check *check, const json_t *keys, bool marked, const json_t *others,
		      const json_t *value, const struct place *place)
{
	const char *key;
	const json_t *inner, *shape;
	if (!json_is_object(value))
		return true;
	/* In the order of the shape: what decides between two forms comes first there. */
	json_object_foreach ((json_t *)keys, key, shape) {
		size_t length = strlen(key);
		bool optional = marked && key[length - 1] == '?';
		char name[80];
		assert(length < sizeof name);
		snprintf(name, sizeof name, "%.*s", (int)(length - optional), key);
		struct place at = { place, name, 0 };
		inner = json_object_get(value, name);
		if (!inner && marked && !optional)
			return fails(check, &at, NULL, "is missing");
		if (inner && !fits(check, shape, inner, &at))
			return false;
	}
	json_object_foreach ((json_t *)value, key, inner) {
		struct place at = { place, key, 0 };
		if (find_key(keys, key, marked) || !others || json_is_true(others))
			continue;
		if (json_is_false(others))
			return fails(check, &at, NULL, "is no key of this");
		if (!fits(check, others, inner, &at))
			return false;
	}
	return true;
}

/* Does at least one shape fit? A constant tells the shapes of a oneOf apart, so there it is exactly one. */
static bool fits_any(struct check *check, const json_t *list, const json_t *value,
		     const struct place *place)
{
	struct check best = { 0 };
	size_t i;
	const json_t *shape;
	json_array_foreach ((json_t *)list, i, shape) {
		struct check one = { .shapes = check->shapes };
		if (fits(&one, shape, value, place))
			return true;
		/* The form that it almost has is the one to speak of. */
		if (i == 0 || one.passed > best.passed)
			best = one;
	}
	check->passed += best.passed;
	check->why = best.why;
	return false;
}

static bool fits_all(struct check *check, const json_t *list, const json_t *value,
		     const struct place *place)
{
	size_t i;
	const json_t *shape;
	json_array_foreach ((json_t *)list, i, shape)
		if (!fits(check, shape, value, place))
			return false;
	return true;
}

/* Does it fit? Writes no reason where it does not. */
static bool is_such(const struct check *check, const json_t *shape, const json_t *value)
{
	struct check unread = { .shapes = check->shapes };
	return fits(&unread, shape, value, NULL);
}

static bool fits_condition(struct check *check, const json_t *shape, const json_t *value,
			   const struct place *place)
{
	const json_t *branch = json_object_get(
		shape, is_such(check, json_object_get(shape, "if"), value) ? "then" : "else");
	return !branch || fits(check, branch, value, place);
}

static bool fits_required(struct check *check, const json_t *names, const json_t *value,
			  const struct place *place)
{
	size_t i;
	const json_t *name;
	if (!json_is_object(value))
		return true;
	json_array_foreach ((json_t *)names, i, name) {
		struct place at = { place, json_string_value(name), 0 };
		if (!json_object_get(value, at.key))
			return fails(check, &at, NULL, "is missing");
	}
	return true;
}

/* "items": one shape for all entries, or a list with one for each. */
static bool fits_items(struct check *check, const json_t *items, const json_t *value,
		       const struct place *place)
{
	size_t i;
	const json_t *entry;
	if (!json_is_array(value))
		return true;
	json_array_foreach ((json_t *)value, i, entry) {
		struct place at = { place, NULL, i };
		const json_t *shape = json_is_array(items) ? json_array_get(items, i) : items;
		if (shape && !fits(check, shape, entry, &at))
			return false;
	}
	return true;
}

/* POSIX has no \d. */
static bool matches(const char *text, const char *pattern)
{
	char posix[256];
	size_t used = 0;
	regex_t regex;
	for (const char *at = pattern; *at; at++) {
		bool digit = at[0] == '\\' && at[1] == 'd';
		int length = snprintf(posix + used, sizeof posix - used, "%.*s", digit ? 5 : 1,
				      digit ? "[0-9]" : at);
		used += (size_t)length;
		assert(used < sizeof posix);
		at += digit;
	}
	if (regcomp(&regex, posix, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	bool found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

static bool fits_enum(struct check *check, const json_t *values, const json_t *value,
		      const struct place *place)
{
	size_t i;
	const json_t *one;
	json_array_foreach ((json_t *)values, i, one)
		if (json_equal(one, value))
			return true;
	char *shown = json_dumps(values, JSON_ENCODE_ANY);
	char wanted[200];
	snprintf(wanted, sizeof wanted, "must be one of %.160s", shown ? shown : "a list");
	free(shown);
	return fails(check, place, value, wanted);
}

/* The keywords that bound a number, a text or the length of a list; others are ignored. */
static bool fits_bound(struct check *check, const char *keyword, const json_t *bound,
		       const json_t *value, const struct place *place)
{
	double limit = json_number_value(bound), number = json_number_value(value);
	char wanted[80] = "";
	if (strcmp(keyword, "pattern") == 0) {
		if (json_is_string(value) &&
		    !matches(json_string_value(value), json_string_value(bound)))
			return fails(check, place, value, "has another form");
	} else if (strcmp(keyword, "minLength") == 0) {
		if (json_is_string(value) && (double)json_string_length(value) < limit)
			return fails(check, place, value, "must not be empty");
	} else if (strcmp(keyword, "maxLength") == 0) {
		if (json_is_string(value) && (double)json_string_length(value) > limit)
			return fails(check, place, value, "is too long");
	} else if (strcmp(keyword, "minItems") == 0) {
		if (json_is_array(value) && (double)json_array_size(value) < limit)
			return fails(check, place, value, "is too short");
	} else if (strcmp(keyword, "maxItems") == 0) {
		if (json_is_array(value) && (double)json_array_size(value) > limit)
			return fails(check, place, value, "is too long");
	} else if (json_is_number(value)) {
		if (strcmp(keyword, "minimum") == 0 && number < limit)
			snprintf(wanted, sizeof wanted, "must be at least %.15g", limit);
		else if (strcmp(keyword, "maximum") == 0 && number > limit)
			snprintf(wanted, sizeof wanted, "must be at most %.15g", limit);
		else if (strcmp(keyword, "exclusiveMinimum") == 0 && number <= limit)
			snprintf(wanted, sizeof wanted, "must be more than %.15g", limit);
	}
	return !wanted[0] || fails(check, place, value, wanted);
}

static bool fits_parameter(struct check *check, const struct parameter_row *row,
			   const json_t *value, const struct place *place)
{
	if (!fits_words(check, row->type, strlen(row->type), value, place))
		return false;
	if (!row->words || !json_is_string(value))
		return true;
	for (unsigned i = 0; row->words[i]; i++)
		if (strcmp(row->words[i], json_string_value(value)) == 0)
			return true;
	return fails(check, place, value, "is none of the words for it");
}

/* What each workload has, described by `keys`, and the parameters of the one that is named. */
static bool fits_workload(struct check *check, const json_t *keys, const json_t *value,
			  const struct place *place)
{
	struct place at = { place, "name", 0 };
	const json_t *name = json_object_get(value, "name");
	struct reason unknown;
	if (!json_is_object(value))
		return fails(check, place, value, "must be an object");
	if (!fits_keys(check, keys, true, json_true(), value, place))
		return false;
	const struct workload_ops *ops =
		json_is_string(name) ? workload_find(json_string_value(name), &unknown) : NULL;
	if (!ops)
		return fails(check, &at, name, "must be a workload that this iolab has");
	for (const struct parameter_row *row = ops->parameter_rows; row && row->name; row++) {
		const json_t *inner = json_object_get(value, row->name);
		at.key = row->name;
		if (!inner && !row->may_be_missing)
			return fails(check, &at, NULL, "is missing");
		if (inner && !fits_parameter(check, row, inner, &at))
			return false;
	}
	return true;
}

static bool fits_keyword(struct check *check, const char *keyword, const json_t *shape,
			 const json_t *value, const struct place *place)
{
	const json_t *argument = json_object_get(shape, keyword);
	if (strcmp(keyword, "type") == 0)
		return fits_type(check, argument, value, place);
	if (strcmp(keyword, "object") == 0) {
		const json_t *open = json_object_get(shape, "open");
		return (json_is_object(value) || fails(check, place, value, "must be an object")) &&
		       fits_keys(check, argument, true, open ? open : json_false(), value, place);
	}
	if (strcmp(keyword, "each_workload") == 0)
		return fits_workload(check, argument, value, place);
	if (strcmp(keyword, "properties") == 0)
		return fits_keys(check, argument, false,
				 json_object_get(shape, "additionalProperties"), value, place);
	if (strcmp(keyword, "additionalProperties") == 0)
		return json_object_get(shape, "properties") ||
		       fits_keys(check, NULL, false, argument, value, place);
	if (strcmp(keyword, "required") == 0)
		return fits_required(check, argument, value, place);
	if (strcmp(keyword, "items") == 0)
		return fits_items(check, argument, value, place);
	if (strcmp(keyword, "enum") == 0)
		return fits_enum(check, argument, value, place);
	if (strcmp(keyword, "const") == 0)
		return json_equal(argument, value) ||
		       fails(check, place, value, "has another value");
	if (strcmp(keyword, "anyOf") == 0 || strcmp(keyword, "oneOf") == 0)
		return fits_any(check, argument, value, place);
	if (strcmp(keyword, "allOf") == 0)
		return fits_all(check, argument, value, place);
	if (strcmp(keyword, "if") == 0)
		return fits_condition(check, shape, value, place);
	if (strcmp(keyword, "not") == 0)
		return !is_such(check, argument, value) ||
		       fails(check, place, value, "has another form");
	return fits_bound(check, keyword, argument, value, place);
}

static bool fits(struct check *check, const json_t *shape, const json_t *value,
		 const struct place *place)
{
	const char *keyword;
	json_t *argument;
	if (json_is_string(shape)) {
		if (!fits_words(check, json_string_value(shape), json_string_length(shape), value,
				place))
			return false;
	} else {
		json_object_foreach ((json_t *)shape, keyword, argument)
			if (!fits_keyword(check, keyword, shape, value, place))
				return false;
	}
	check->passed++;
	return true;
}

/*
 * Puts one row at its path into the keys of "metrics", making objects on the way; with `each`, the
 * shape of all values, under its name.
 */
static void add_row(json_t *keys, const struct metric *m, const char *path, const json_t *each)
{
	char key[64], optional[66];
	size_t length = each ? strlen(path) : strcspn(path, ".");
	snprintf(key, sizeof key, "%.*s", (int)length, path);
	snprintf(optional, sizeof optional, "%s?", key);
	if (path[length]) {
		const char *there = json_object_get(keys, optional) ? optional : key;
		if (!json_object_get(keys, there)) {
			json_t *object = required(json_object());
			there = optional;
			put_new(object, "object", required(json_object()));
			put_new(keys, there, object);
		}
		add_row(json_object_get(json_object_get(keys, there), "object"), m,
			path + length + 1, NULL);
		return;
	}
	if (each) {
		put_shared(keys, optional, each);
		return;
	}
	char type[16];
	snprintf(type, sizeof type, "%s%s",
		 m->below_zero ? "number"
		 : m->whole    ? "count"
			       : "amount",
		 m->always ? "" : "?");
	put_string(keys, m->always ? key : optional, type);
}

/* Puts the rows where documents.json says "metrics", anywhere below `shape`. */
static void add_rows(json_t *shape)
{
	const char *key, *which = json_string_value(json_object_get(shape, "metrics"));
	json_t *inner, *keys = json_object_get(shape, "object");
	size_t i;
	if (which && keys)
		for_each_metric (m)
			if (strcmp(which, "in_run") == 0  ? m->measure || m->observe
			    : strcmp(which, "ratio") == 0 ? m->ratio
							  : m->in_summary)
				add_row(keys, m, m->name, json_object_get(shape, "each"));
	json_object_foreach (shape, key, inner)
		add_rows(inner);
	json_array_foreach (shape, i, inner)
		add_rows(inner);
}

/* The shapes by name, made once, borrowed. */
static json_t *all_shapes(void)
{
	static json_t *shapes;
	if (shapes)
		return shapes;
	json_error_t error;
	json_t *whole = json_loads(documents, 0, &error);
	assert(whole); /* a test holds documents.json against what is written */
	shapes = required(json_incref(json_object_get(whole, "definitions")));
	add_rows(shapes);
	json_decref(whole);
	return shapes;
}

bool document_fits(const char *name, const json_t *value, struct reason *why)
{
	const json_t *shapes = all_shapes(), *shape = json_object_get(shapes, name);
	struct check check = { .shapes = shapes };
	assert(shape && value);
	if (fits(&check, shape, value, NULL))
		return true;
	reason_say(why, "%s", check.why.text);
	return false;
}
