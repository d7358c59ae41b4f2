/* SPDX-License-Identifier: MIT */
/* `iolab list`: engines and workloads, and which engine can do what on this machine. */
#include <argp.h>
#include <jansson.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/json_folder.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "commands/commands.h"
#include "engines.h"
#include "meters/kernel_minimum.h"
#include "metrics/metric.h"
#include "workloads/workload.h"

/* What stands for a kind of descriptor: an operation that needs nothing else of the interface. */
static const struct {
	const char *name;
	enum io_kind kind;
	enum io_fd_kind fd_kind;
} columns[] = {
	{ "file", IO_READ, IO_FD_FILE }, { "socket", IO_RECV, IO_FD_SOCKET },
	{ "pipe", IO_READ, IO_FD_PIPE }, { "listener", IO_ACCEPT, IO_FD_LISTENER },
	{ "nop", IO_NOP, IO_FD_NONE },
};

#define COLUMN_COUNT (sizeof columns / sizeof *columns)

static bool supports(const struct engine_ops *engine, uint64_t options, unsigned column,
		     struct reason *why)
{
	cpu_set_t allowed;
	sched_getaffinity(0, sizeof allowed, &allowed);
	struct engine_config config = { .depth = 1,
					.options = options,
					.cpu_count = (unsigned)CPU_COUNT(&allowed) };
	return engine->supports(&config, columns[column].kind, columns[column].fd_kind, why) == 0;
}

static json_t *supports_json(const struct engine_ops *engine, uint64_t options)
{
	json_t *result = required(json_object());
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		struct reason why = { "" };
		json_t *answer = required(json_object());
		bool yes = supports(engine, options, i, &why);
		put_bool(answer, "supported", yes);
		put_new(answer, "reason", yes ? NULL : remark_of_reason(&why));
		put_new(result, columns[i].name, answer);
	}
	return result;
}

static json_t *option_json(const struct engine_ops *engine, unsigned i)
{
	json_t *option = required(json_object());
	put_string(option, "name", engine->options[i].name);
	put_string(option, "summary", engine->options[i].summary);
	put_new(option, "supports", supports_json(engine, UINT64_C(1) << i));
	return option;
}

static json_t *engine_json(const struct engine_ops *engine)
{
	json_t *options = required(json_array()), *json = required(json_object());
	for (unsigned i = 0; engine->options && engine->options[i].name; i++)
		json_array_append_new(options, option_json(engine, i));
	put_string(json, "name", engine->name);
	put_string(json, "lab", engine->lab);
	put_string(json, "summary", engine->summary);
	put_new(json, "supports", supports_json(engine, 0));
	put_new(json, "options", options);
	return json;
}

/* In the short form of harness/schema/documents.json. */
static json_t *parameters_json(const struct workload_ops *workload)
{
	json_t *parameters = required(json_object());
	for (const struct parameter_row *row = workload->parameter_rows; row && row->name; row++) {
		json_t *type = json_string(row->type), *words = required(json_array());
		char key[80];
		for (unsigned i = 0; row->words && row->words[i]; i++)
			json_array_append_new(words, required(json_string(row->words[i])));
		if (row->words && strchr(row->type, '?'))
			json_array_append_new(words, json_null());
		if (row->words) {
			json_decref(type);
			type = required(json_object());
			put_shared(type, "enum", words);
		}
		json_decref(words);
		snprintf(key, sizeof key, "%s%s", row->name, row->may_be_missing ? "?" : "");
		put_new(parameters, key, type);
	}
	return parameters;
}

static json_t *list_json(void)
{
	json_t *engines = required(json_array()), *workloads = required(json_array());
	json_t *list = required(json_object());
	for (unsigned i = 0; i < engines_count(); i++)
		json_array_append_new(engines, engine_json(engine_at(i)));
	for (unsigned i = 0; i < workloads_count(); i++) {
		json_t *workload = required(json_object());
		put_string(workload, "name", workload_at(i)->name);
		put_string(workload, "summary", workload_at(i)->summary);
		put_string(workload, "op", workload_at(i)->op_name);
		put_new(workload, "parameters", parameters_json(workload_at(i)));
		json_array_append_new(workloads, workload);
	}
	put_string(list, "schema", "iolab.list.v2");
	put_new(list, "engines", engines);
	put_new(list, "workloads", workloads);
	put_new(list, "metrics", metrics_described());
	return list;
}

/* A column is as wide as its name, and has room for an answer. */
static void print_in_column(unsigned column, const char *text)
{
	size_t name_width = strlen(columns[column].name);
	printf(" %-*s", (int)(name_width < 6 ? 6 : name_width), text);
}

static void print_engine_row(const char *name, const char *lab, const struct engine_ops *engine,
			     uint64_t options, const char *summary)
{
	printf("  %-20s %-13s", name, lab);
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		struct reason why;
		print_in_column(i, supports(engine, options, i, &why) ? "yes" : "-");
	}
	printf(" %s\n", summary);
}

static void print_registered(void)
{
	printf("Engines\n  %-20s %-13s", "", "lab");
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		print_in_column(i, columns[i].name);
	printf("\n");
	for (unsigned i = 0; i < engines_count(); i++) {
		const struct engine_ops *engine = engine_at(i);
		print_engine_row(engine->name, engine->lab, engine, 0, engine->summary);
		for (unsigned o = 0; engine->options && engine->options[o].name; o++) {
			char name[40];
			snprintf(name, sizeof name, "  :%s", engine->options[o].name);
			print_engine_row(name, "", engine, UINT64_C(1) << o,
					 engine->options[o].summary);
		}
	}
	printf("\nWorkloads\n");
	for (unsigned i = 0; i < workloads_count(); i++)
		printf("  %-20s %s\n", workload_at(i)->name, workload_at(i)->summary);
	printf("\nOptions of an engine combine: --engine io_uring:fixed_files+fixed_buffers\n"
	       "Why something cannot be done here: iolab doctor, or iolab list --json\n");
	struct utsname system;
	uname(&system);
	if (kernel_below_minimum(system.release))
		printf("This kernel is %s: iolab is for Linux " KERNEL_MINIMUM " and newer\n",
		       system.release);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG)
		argp_error(state, "'%s': list takes no argument", arg);
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

int command_list(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "print JSON, with the reasons", 0 }, { 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Lists engines with their options, workloads, and what each engine can do "
		       "here.",
	};
	bool json = false;
	argp_parse(&argp, argc, argv, 0, NULL, &json);
	if (!json) {
		print_registered();
		return EXIT_OK;
	}
	json_t *list = list_json();
	int status = json_deliver(list, true, NULL, "");
	json_decref(list);
	return status;
}
