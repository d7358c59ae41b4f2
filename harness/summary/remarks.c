/* SPDX-License-Identifier: MIT */
#include "summary/remarks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"

static bool values_alike(const json_t *a, const json_t *b)
{
	const char *name;
	json_t *value;
	json_object_foreach ((json_t *)a, name, value) {
		const json_t *other = json_object_get(b, name);
		if (json_is_number(value) ? !json_is_number(other) : !json_equal(value, other))
			return false;
	}
	return json_object_size(a) == json_object_size(b);
}

bool remarks_alike(const json_t *a, const json_t *b)
{
	const json_t *a_cause = json_object_get(a, "cause"), *b_cause = json_object_get(b, "cause");
	return remark_is(a, string_at(b, "id")) &&
	       values_alike(json_object_get(a, "values"), json_object_get(b, "values")) &&
	       ((!a_cause && !b_cause) || (a_cause && b_cause && remarks_alike(a_cause, b_cause)));
}

const json_t *find_alike(const json_t *list, const json_t *remark)
{
	size_t i;
	const json_t *other;
	json_array_foreach (list, i, other)
		if (remarks_alike(other, remark))
			return other;
	return NULL;
}

/* The number at `path` of all that are alike: itself, or "4-77". A new reference. */
static json_t *range_of(const json_t *configurations, const char *key, const json_t *remark,
			const char *path)
{
	double least = INFINITY, most = -INFINITY;
	size_t i, j;
	const json_t *c, *other;
	json_array_foreach (configurations, i, c) {
		json_array_foreach (json_object_get(c, key), j, other) {
			if (!remarks_alike(other, remark))
				continue;
			double value = number_at(other, path);
			least = fmin(least, value);
			most = fmax(most, value);
		}
	}
	return required(least < most ? json_sprintf("%.4g-%.4g", least, most) : json_real(least));
}

/* Puts ranges in place of the numbers of `part`: the remark that is written, or a cause in it. */
static void put_ranges(json_t *part, const char *path, const json_t *configurations,
		       const char *key, const json_t *remark)
{
	json_t *values = json_object_get(part, "values"), *value;
	char inner[200];
	const char *name;
	json_object_foreach (values, name, value) {
		if (!json_is_number(value))
			continue;
		snprintf(inner, sizeof inner, "%svalues.%s", path, name);
		put_new(values, name, range_of(configurations, key, remark, inner));
	}
	snprintf(inner, sizeof inner, "%scause.", path);
	if (json_object_get(part, "cause"))
		put_ranges(json_object_get(part, "cause"), inner, configurations, key, remark);
}

char *text_for_all(const json_t *configurations, const char *key, const json_t *remark)
{
	json_t *whole = required(json_deep_copy(remark));
	put_ranges(whole, "", configurations, key, remark);
	char *text = remark_text(whole);
	json_decref(whole);
	return text;
}
