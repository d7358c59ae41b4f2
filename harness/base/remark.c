/* SPDX-License-Identifier: MIT */
#include "base/remark.h"

#include <stdio.h>
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

json_t *remark_of_reason(const char *id, const struct reason *why)
{
	json_t *values = required(json_object());
	put_string(values, "why", why->text);
	return remark_new(id, values, "{why}");
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

char *remark_text(const json_t *remark)
{
	const json_t *values = json_object_get(remark, "values");
	char *filled = NULL;
	size_t filled_len_bytes;
	FILE *out = open_memstream(&filled, &filled_len_bytes);
	if (!out)
		required(NULL);
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
	fclose(out);
	return filled;
}
