/* SPDX-License-Identifier: MIT */
#include "base/remark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"

json_t *remark_new(const char *id, json_t *values, const char *text)
{
	json_t *remark = required(json_object());
	put_string(remark, "id", id);
	put_new(remark, "values", values ? values : required(json_object()));
	put_string(remark, "text", text);
	return remark;
}

json_t *remark_of_sentence(const char *id, const char *sentence)
{
	json_t *values = required(json_object());
	put_string(values, "sentence", sentence);
	return remark_new(id, values, "{sentence}");
}

static void put_errno(json_t *values, int error)
{
	const char *name = errno_name(error);
	if (errno_by_name(name))
		put_string(values, "errno", name);
	else
		put_int(values, "errno", error);
}

json_t *remark_of_reason(const struct reason *why)
{
	if (!why->text[0])
		return remark_new("no_reason", NULL, "no reason was given");
	if (!why->id[0])
		return remark_of_sentence("unnamed", why->text);
	json_t *values = required(json_object());
	for (unsigned i = 0; i < why->value_count; i++) {
		const struct reason_value *value = &why->values[i];
		if (value->kind == REASON_INT)
			put_int(values, value->name, value->integer);
		else if (value->kind == REASON_REAL)
			put_real(values, value->name, value->real);
		else
			put_string(values, value->name, reason_string_at(why, i));
	}
	if (why->error)
		put_errno(values, why->error);
	return remark_new(why->id, values, why->template);
}

json_t *remark_caused(const char *id, json_t *values, const char *text, const json_t *cause)
{
	json_t *remark = remark_new(id, values, text);
	if (json_is_object(cause))
		put_shared(remark, "cause", cause);
	else
		put_new(remark, "cause", remark_of_reason(&(struct reason) { "" }));
	return remark;
}

json_t *remark_because(const char *id, const char *text, const struct reason *why)
{
	json_t *cause = remark_of_reason(why);
	json_t *remark = remark_caused(id, NULL, text, cause);
	json_decref(cause);
	return remark;
}

void remark_add(json_t *list, const char *id, json_t *values, const char *text)
{
	if (json_array_append_new(list, remark_new(id, values, text)) < 0)
		required(NULL);
}

bool remark_is(const json_t *remark, const char *id)
{
	return strcmp(string_at(remark, "id"), id) == 0;
}

bool remarks_same(const json_t *a, const json_t *b)
{
	const json_t *a_cause = json_object_get(a, "cause"), *b_cause = json_object_get(b, "cause");
	return json_is_object(a) && remark_is(b, string_at(a, "id")) &&
	       json_equal(json_object_get(a, "values"), json_object_get(b, "values")) &&
	       ((!a_cause && !b_cause) || remarks_same(a_cause, b_cause));
}

bool remark_in(const json_t *list, const char *id)
{
	size_t i;
	const json_t *remark;
	json_array_foreach (list, i, remark)
		if (remark_is(remark, id))
			return true;
	return false;
}

static void print_string(FILE *out, const char *name, const char *string)
{
	int error = strcmp(name, "errno") == 0 ? errno_by_name(string) : 0;
	char described[100];
	if (error)
		describe_errno(error, described, sizeof described);
	fputs(error ? described : string, out);
}

/* Writes what stands for {name}. False when nothing does. */
static bool print_named(FILE *out, const json_t *remark, const char *name)
{
	const json_t *value = json_object_get(json_object_get(remark, "values"), name);
	const json_t *cause = json_object_get(remark, "cause");
	if (json_is_integer(value))
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		fprintf(out, "%.4g", json_real_value(value));
	else if (json_is_string(value))
		print_string(out, name, json_string_value(value));
	else if (cause && strcmp(name, "cause") == 0)
		remark_print(out, cause);
	else
		return false;
	return true;
}

void remark_print(FILE *out, const json_t *remark)
{
	for (const char *at = string_at(remark, "text"); *at;) {
		char name[64];
		size_t length = placeholder_length(at, name, sizeof name);
		if (length && print_named(out, remark, name))
			at += length;
		else
			fputc(*at++, out);
	}
}

char *remark_text(const json_t *remark)
{
	char *filled = NULL;
	size_t filled_len_bytes;
	FILE *out = open_memstream(&filled, &filled_len_bytes);
	if (out) {
		remark_print(out, remark);
		fclose(out);
	}
	if (!filled)
		required(NULL); /* ends the program */
	return filled;
}
