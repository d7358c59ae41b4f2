/* SPDX-License-Identifier: MIT */
#include "summary/remarks.h"

#include <math.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"

bool remarks_alike(const json_t *a, const json_t *b)
{
	const json_t *a_values = json_object_get(a, "values");
	const json_t *b_values = json_object_get(b, "values");
	const char *name;
	json_t *value;
	if (!remark_is(a, string_at(b, "id")))
		return false;
	json_object_foreach ((json_t *)a_values, name, value) {
		const json_t *other = json_object_get(b_values, name);
		if (json_is_number(value) ? !json_is_number(other) : !json_equal(value, other))
			return false;
	}
	return json_object_size(a_values) == json_object_size(b_values);
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

/* The number `name` of all that are alike: itself, or "4-77". A new reference. */
static json_t *range_of(const json_t *configurations, const char *key, const json_t *remark,
			const char *name)
{
	double least = INFINITY, most = -INFINITY;
	size_t i, j;
	const json_t *c, *other;
	json_array_foreach (configurations, i, c) {
		json_array_foreach (json_object_get(c, key), j, other) {
			if (!remarks_alike(other, remark))
				continue;
			double value = number_at(json_object_get(other, "values"), name);
			least = fmin(least, value);
			most = fmax(most, value);
		}
	}
	return required(least < most ? json_sprintf("%.4g-%.4g", least, most) : json_real(least));
}

char *text_for_all(const json_t *configurations, const char *key, const json_t *remark)
{
	json_t *whole = required(json_deep_copy(remark));
	json_t *values = json_object_get(whole, "values"), *value;
	const char *name;
	json_object_foreach (values, name, value)
		if (json_is_number(value))
			put_new(values, name, range_of(configurations, key, remark, name));
	char *text = remark_text(whole);
	json_decref(whole);
	return text;
}
