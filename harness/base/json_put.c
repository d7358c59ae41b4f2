/* SPDX-License-Identifier: MIT */
#include "base/json_put.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

json_t *required(json_t *value)
{
	if (value)
		return value;
	fprintf(stderr, "iolab: cannot make JSON: out of memory, or a text is not UTF-8\n");
	exit(1);
}

void put_new(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value ? value : json_null()) < 0)
		required(NULL);
}

void put_shared(json_t *object, const char *key, const json_t *value)
{
	put_new(object, key, json_incref((json_t *)value));
}

void put_int(json_t *object, const char *key, int64_t value)
{
	put_new(object, key, required(json_integer(value)));
}

void append_int(json_t *array, int64_t value)
{
	if (json_array_append_new(array, required(json_integer(value))) < 0)
		required(NULL);
}

void put_real(json_t *object, const char *key, double value)
{
	put_new(object, key, isfinite(value) ? required(json_real(value)) : json_null());
}

void put_bool(json_t *object, const char *key, bool value)
{
	put_new(object, key, json_boolean(value));
}

void put_string(json_t *object, const char *key, const char *text)
{
	put_new(object, key, text ? required(json_string(text)) : json_null());
}

void put_null(json_t *object, const char *key)
{
	put_new(object, key, json_null());
}
