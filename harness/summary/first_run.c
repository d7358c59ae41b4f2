/* SPDX-License-Identifier: MIT */
#include "summary/first_run.h"

#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "metrics/documents.h"
#include "workloads/panel.h"

/*
 * A sentence of iolab.run.v1 as a remark; null stays null. The sentence is the value, so that two of
 * them differ. The one kind that figures look for keeps its identifier. A new reference.
 */
static json_t *remark_of_v1(const json_t *sentence)
{
	static const char hardware[] = "hardware counters: ";
	const size_t length = sizeof hardware - 1;
	if (!json_is_string(sentence))
		return json_null();
	const char *words = json_string_value(sentence);
	bool of_hardware = strncmp(words, hardware, length) == 0;
	json_t *remark = remark_of_sentence("v1", of_hardware ? words + length : words);
	if (!of_hardware)
		return remark;
	json_t *caused =
		remark_caused("hardware_not_counted", NULL, "hardware counters: {cause}", remark);
	json_decref(remark);
	return caused;
}

static void upgrade_reason(json_t *object, const char *key)
{
	if (json_is_object(object))
		put_new(object, key, remark_of_v1(json_object_get(object, key)));
}

/*
 * The title of a plot as a panel. The parameters beside it tell the same. Where they do not, as in an
 * imported run, the title is all that is known, and is the panel's value.
 */
static void upgrade_panel(json_t *run)
{
	struct reason unknown;
	json_t *workload = json_object_get(run, "workload");
	const char *name = string_at(workload, "name");
	const json_t *title = json_object_get(workload, "panel");
	const struct workload_ops *ops = workload_find(name, &unknown);
	if (!json_is_string(title))
		return;
	json_t *panel =
		ops ? panel_new(ops, workload, json_object_get(run, "config")) : json_null();
	if (!json_equal(json_object_get(panel, "text"), title)) {
		json_t *values = required(json_object());
		json_decref(panel);
		panel = required(json_object());
		put_shared(values, "title", title);
		put_string(panel, "id", name);
		put_new(panel, "values", values);
		put_shared(panel, "text", title);
	}
	put_new(workload, "panel", panel);
}

void first_run_upgrade(json_t *run)
{
	json_t *warnings = required(json_array()), *metrics = json_object_get(run, "metrics");
	size_t i;
	json_t *sentence;
	/* Where there were no counters, v1 has null in place of an object of nulls. */
	if (json_is_object(metrics) && json_is_null(json_object_get(metrics, "hardware"))) {
		json_t *hardware = required(json_object());
		put_null(hardware, "scope");
		put_null(hardware, "running_pct");
		put_new(metrics, "hardware", hardware);
	}
	json_array_foreach (json_object_get(run, "warnings"), i, sentence)
		json_array_append_new(warnings, remark_of_v1(sentence));
	put_new(run, "warnings", warnings);
	upgrade_panel(run);
	upgrade_reason(run, "reason");
	upgrade_reason(metrics, "syscalls_reason");
	upgrade_reason(metrics, "hardware_reason");
	upgrade_reason(json_object_get(run, "trace"), "threads_reason");
	json_object_del(metrics, "achieved_per_s"); /* ops_per_s again */
	json_object_del(json_object_get(run, "config"), "conns"); /* workload.conns again */
	put_string(run, "schema", RUN_SCHEMA);
}
