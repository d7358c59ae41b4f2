/* SPDX-License-Identifier: MIT */
#include "summary/place.h"

#include <stdio.h>
#include <string.h>

#include "base/json_path.h"
#include "workloads/panel.h"

bool same_panel(const json_t *a, const json_t *b)
{
	return panels_same(at_path(a, "workload.panel"), at_path(b, "workload.panel"));
}

bool same_x(const json_t *a, const json_t *b)
{
	return strcmp(string_at(a, "config.x_name"), string_at(b, "config.x_name")) == 0 &&
	       json_equal(at_path(a, "config.x"), at_path(b, "config.x"));
}

bool same_place(const json_t *a, const json_t *b)
{
	return same_panel(a, b) && same_x(a, b);
}

const char *x_words(const json_t *configuration, char text[64])
{
	const json_t *x = at_path(configuration, "config.x");
	const char *name = string_at(configuration, "config.x_name");
	if (json_is_number(x))
		snprintf(text, 64, "%.40s %.0f", name, json_number_value(x));
	else
		snprintf(text, 64, "%.40s unknown", name);
	return text;
}

const json_t *metric_estimate(const json_t *configuration, const char *metric)
{
	const json_t *found = json_object_get(json_object_get(configuration, "metrics"), metric);
	return json_is_object(found) ? found : NULL;
}
