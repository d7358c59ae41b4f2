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

json_t *remark_of_reason(const struct reason *why)
{
	if (!why->text[0])
		return remark_new("no_reason", NULL, "no reason was given");
	json_t *values = required(json_object());
	put_string(values, "why", why->text);
	if (why->error)
		put_string(values, "errno", errno_name(why->error));
	return remark_new(why->id[0] ? why->id : "unnamed", values, "{why}");
}

json_t *remark_caused(const char *id, json_t *values, const char *text, const json_t *cause)
{
	json_t *all = values ? values : required(json_object());
	json_t *known = json_is_object(cause) ? json_incref((json_t *)cause)
					      : remark_of_reason(&(struct reason) { "" });
	char *words = remark_text(known);
	put_string(all, "cause", string_at(known, "id"));
	put_string(all, "why", words);
	if (at_path(known, "values.errno"))
		put_shared(all, "errno", at_path(known, "values.errno"));
	free(words);
	json_decref(known);
	return remark_new(id, all, text);
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
	return json_is_object(a) && remark_is(b, string_at(a, "id")) &&
	       json_equal(json_object_get(a, "values"), json_object_get(b, "values"));
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

static void print_value(FILE *out, const json_t *value)
{
	if (json_is_integer(value))
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		fprintf(out, "%.4g", json_real_value(value));
	else
		fputs(json_string_value(value), out);
}

void remark_print(FILE *out, const json_t *remark)
{
	const json_t *values = json_object_get(remark, "values");
	for (const char *at = string_at(remark, "text"); *at;) {
		char name[64];
		int length = 0;
		const json_t *value = NULL;
		if (sscanf(at, "{%63[a-z0-9_]}%n", name, &length) == 1 && length > 0)
			value = json_object_get(values, name);
		if (json_is_number(value) || json_is_string(value)) {
			print_value(out, value);
			at += length;
		} else {
			fputc(*at++, out);
		}
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
