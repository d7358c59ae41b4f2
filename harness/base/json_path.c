/* SPDX-License-Identifier: MIT */
#include "base/json_path.h"

#include <stdio.h>
#include <string.h>

const json_t *at_path(const json_t *object, const char *path)
{
	char key[64];
	size_t length = strcspn(path, ".");
	snprintf(key, sizeof key, "%.*s", (int)length, path);
	const json_t *value = json_object_get(object, key);
	return path[length] ? at_path(value, path + length + 1) : value;
}

const char *string_at(const json_t *object, const char *path)
{
	const char *text = json_string_value(at_path(object, path));
	return text ? text : "";
}

double number_at(const json_t *object, const char *path)
{
	return json_number_value(at_path(object, path));
}

bool status_is(const json_t *run, const char *status)
{
	return strcmp(string_at(run, "status"), status) == 0;
}
