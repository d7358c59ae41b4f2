/* SPDX-License-Identifier: MIT */
#include "base/printable_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_put.h"
#include "printable_text.h"

static char *printable(const char *text)
{
	size_t length = strlen(text);
	char *copy = malloc(length + 1);
	if (!copy)
		required(NULL);
	copy_printable(text, length, copy, length + 1);
	return copy;
}

json_t *printable_copy(const json_t *json)
{
	const char *key;
	json_t *value, *copy;
	size_t i;
	switch (json_typeof(json)) {
	case JSON_STRING: {
		char *text = printable(json_string_value(json));
		copy = required(json_string(text));
		free(text);
		return copy;
	}
	case JSON_ARRAY:
		copy = required(json_array());
		json_array_foreach ((json_t *)json, i, value)
			json_array_append_new(copy, printable_copy(value));
		return copy;
	case JSON_OBJECT:
		copy = required(json_object());
		json_object_foreach ((json_t *)json, key, value) {
			char *name = printable(key);
			put_new(copy, name, printable_copy(value));
			free(name);
		}
		return copy;
	default:
		return json_incref((json_t *)json);
	}
}
