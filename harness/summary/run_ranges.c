/* SPDX-License-Identifier: MIT */
/*
 * Are the options of a run among those that `iolab run` accepts? Another program's may lie outside, so
 * an imported run is not asked.
 */
#include <sched.h>
#include <string.h>

#include "base/json_path.h"
#include "base/option_table.h"
#include "summary/run_check.h"
#include "workloads/workload.h"

/* Of the options that all workloads have in common. */
static const struct {
	const char *key; /* of "config" */
	double least, most;
	bool may_be_zero; /* it says that the option was not given */
} common_ranges[] = {
	{ "batch_submit", 0, BATCH_MOST, true },
	{ "batch_complete", 0, BATCH_MOST, true },
	{ "compute_us", 0, COMPUTE_MOST_US, true },
	{ "compute_loops_per_us", 0, LOOPS_MOST_PER_US, true },
	{ "rate_per_s", 1, RATE_MOST_PER_S, false },
	{ "stall_ms", STALL_LEAST_MS, STALL_MOST_MS, true },
	{ "runtime_s", RUNTIME_LEAST_S, RUNTIME_MOST_S, false },
	{ "warmup_s", 0, WARMUP_MOST_S, true },
	{ "op_limit", 1, (double)OPS_MOST, true },
	{ "position", 0, ROUND_MOST, true },
	{ "plan", 0, ROUND_MOST, true },
};

static bool lies_within(const json_t *value, const char *parent, const char *key, double least,
			double most, bool may_be_zero, struct reason *why)
{
	double number = json_number_value(value);
	if (!json_is_number(value) || (number >= least && number <= most) ||
	    (may_be_zero && number == 0))
		return true;
	reason_say(why, "%s.%s must lie between %.15g and %.15g, not %.15g", parent, key, least,
		   most, number);
	return false;
}

/* Without a default, and where it is not 0, an option that was not given is 0. */
static bool is_in_row(const json_t *value, const char *parent, const char *key,
		      const struct option_row *row, struct reason *why)
{
	bool real = row->kind == OPTION_REAL;
	return lies_within(value, parent, key, real ? row->real_least : (double)row->least,
			   real ? row->real_most : (double)row->most, !row->usual, why);
}

/* The value on the workload's axis stands twice in a run. */
static bool is_on_axis(const json_t *run, const struct workload_ops *ops, struct reason *why)
{
	const json_t *config = json_object_get(run, "config"), *x = json_object_get(config, "x");
	const char *name = string_at(config, "x_name");
	const json_t *told = strcmp(name, "rate") == 0 ? json_object_get(config, "rate_per_s")
						       : json_object_get(config, name);
	if (strcmp(name, "rate") != 0 && strcmp(name, ops->axis->option) != 0) {
		reason_say(why, "config.x_name: %s has no axis \"%.40s\"", ops->name, name);
		return false;
	}
	if (!told)
		told = json_object_get(json_object_get(run, "workload"), name);
	if (!json_is_number(x) || !json_is_number(told) ||
	    json_number_value(x) == json_number_value(told))
		return true;
	reason_say(why, "config.x is %.15g, and its %s is %.15g", json_number_value(x), name,
		   json_number_value(told));
	return false;
}

/*
 * A panel is made of the parameters beside it. What an import adds to it stands there alone, and so does
 * what is true of one job of a group: the group's parameter is null.
 */
static bool is_in_panel(const json_t *workload, struct reason *why)
{
	const char *name = string_at(workload, "name"), *id = string_at(workload, "panel.id"), *key;
	json_t *value;
	if (strcmp(name, id) != 0) {
		reason_say(why, "workload.panel.id is \"%.40s\", and the workload is %s", id, name);
		return false;
	}
	json_object_foreach ((json_t *)at_path(workload, "panel.values"), key, value) {
		const json_t *parameter = json_object_get(workload, key);
		if (!parameter || json_is_null(parameter) || json_equal(parameter, value))
			continue;
		reason_say(why, "workload.panel.values.%.40s differs from workload.%.40s", key,
			   key);
		return false;
	}
	return true;
}

/* CPUs by their numbers, each once, in order. */
static bool has_cpus(const json_t *config, struct reason *why)
{
	size_t i;
	const json_t *cpu;
	json_int_t last = -1;
	json_array_foreach (json_object_get(config, "cpus"), i, cpu) {
		if (json_integer_value(cpu) <= last || json_integer_value(cpu) >= CPU_SETSIZE) {
			reason_say(why, "config.cpus.%zu must be the number of another CPU", i);
			return false;
		}
		last = json_integer_value(cpu);
	}
	return true;
}

bool run_is_in_range(const json_t *run, struct reason *why)
{
	const json_t *workload = json_object_get(run, "workload");
	const json_t *config = json_object_get(run, "config");
	const struct workload_ops *ops = workload_find(string_at(workload, "name"), why);
	if (!ops)
		return false;
	if (!is_on_axis(run, ops, why) || !is_in_panel(workload, why) || !has_cpus(config, why))
		return false;
	if (json_object_get(run, "imported"))
		return true;
	for (size_t i = 0; i < sizeof common_ranges / sizeof *common_ranges; i++)
		if (!lies_within(json_object_get(config, common_ranges[i].key), "config",
				 common_ranges[i].key, common_ranges[i].least,
				 common_ranges[i].most, common_ranges[i].may_be_zero, why))
			return false;
	const struct option_row *depth = option_find(ops->options, "depth");
	if (depth && depth->kind == OPTION_COUNT &&
	    !is_in_row(json_object_get(config, "depth"), "config", "depth", depth, why))
		return false;
	for (const struct parameter_row *row = ops->parameter_rows; row && row->name; row++) {
		const struct option_row *option =
			row->option ? option_find(ops->options, row->option) : NULL;
		if (option && !is_in_row(json_object_get(workload, row->name), "workload",
					 row->name, option, why))
			return false;
	}
	return true;
}
