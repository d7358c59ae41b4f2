/* SPDX-License-Identifier: MIT */
#include "workloads/panel.h"

#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"

void panel_add(json_t *panel, const char *key, json_t *value, const char *words)
{
	put_new(json_object_get(panel, "values"), key, value);
	put_new(panel, "text", required(json_sprintf("%s, %s", string_at(panel, "text"), words)));
}

void panel_keep(json_t *values, const json_t *parameters, const char *const *names)
{
	for (; *names; names++)
		if (json_object_get(parameters, *names))
			put_shared(values, *names, json_object_get(parameters, *names));
}

/* Options of all workloads, where they are not as usual. */
static void add_common_options(json_t *panel, const json_t *config)
{
	static const struct {
		const char *key, *words;
	} amounts[] = {
		{ "compute_us", "us of compute" },
		{ "batch_submit", "submitted together" },
		{ "batch_complete", "reaped together" },
	};
	char words[64];
	for (unsigned i = 0; i < sizeof amounts / sizeof *amounts; i++) {
		const json_t *amount = json_object_get(config, amounts[i].key);
		if (!(json_number_value(amount) > 0))
			continue;
		snprintf(words, sizeof words, "%g %s", json_number_value(amount), amounts[i].words);
		panel_add(panel, amounts[i].key, json_incref((json_t *)amount), words);
	}
	if (json_is_true(json_object_get(config, "verify")))
		panel_add(panel, "verify", json_true(), "verified");
}

/* In an open loop the load is swept, so the workload's own axis is a fixed value. */
static void add_open_loop(json_t *panel, const struct workload_ops *ops, const json_t *parameters,
			  const json_t *config)
{
	char words[80];
	double stall_ms = number_at(config, "stall_ms");
	if (number_at(config, "rate_per_s") > 0) {
		const char *axis = ops->axis->option;
		const json_t *fixed = json_object_get(parameters, axis);
		if (!fixed)
			fixed = json_object_get(config, axis);
		panel_add(panel, "open_loop", json_true(), "open loop");
		snprintf(words, sizeof words, "%s %.0f", axis, json_number_value(fixed));
		panel_add(panel, axis, json_incref((json_t *)fixed), words);
	}
	if (stall_ms > 0) {
		snprintf(words, sizeof words, "stall of %g ms", stall_ms);
		panel_add(panel, "stall_ms", json_real(stall_ms), words);
	}
}

json_t *panel_new(const struct workload_ops *ops, const json_t *parameters, const json_t *config)
{
	json_t *panel = required(json_object()), *values = required(json_object());
	put_string(panel, "id", ops->name);
	put_new(panel, "values", values);
	if (ops->panel_values)
		ops->panel_values(parameters, values);
	put_new(panel, "text",
		required(ops->panel_text ? ops->panel_text(values) : json_string(ops->name)));
	add_common_options(panel, config);
	add_open_loop(panel, ops, parameters, config);
	return panel;
}

bool panels_same(const json_t *a, const json_t *b)
{
	const json_t *id = json_object_get(a, "id");
	return json_is_string(id) && json_equal(id, json_object_get(b, "id")) &&
	       json_equal(json_object_get(a, "values"), json_object_get(b, "values"));
}
