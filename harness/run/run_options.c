/* SPDX-License-Identifier: MIT */
#include "run/run_options.h"

#include <argp.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/option_table.h"
#include "base/round_options.h"
#include "engines.h"
#include "workloads/workload.h"

/* Help and default of --workload follow from what is linked in: help_of(), parse_subject(). */
static const struct option_row subject_options[] = {
	{ .name = "engine",
	  .planned = true,
	  .letter = 'e',
	  .argument = "NAME[:OPTION+...]",
	  .kind = OPTION_TEXT,
	  OPTION_FIELD(struct run_options, engine_spec),
	  .help = "interface under test (see `iolab list`)" },
	{ .name = "workload",
	  .planned = true,
	  .letter = 'w',
	  .argument = "NAME",
	  .kind = OPTION_TEXT,
	  OPTION_FIELD(struct run_options, workload_name) },
	{ 0 },
};

static const struct option_row common_options[] = {
	{ .name = "batch-submit",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .most = BATCH_MOST,
	  OPTION_FIELD(struct run_options, config.batch_submit),
	  .help = "most operations to submit together (default: all that are ready)" },
	{ .name = "batch-complete",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .most = BATCH_MOST,
	  OPTION_FIELD(struct run_options, config.batch_complete),
	  .help = "most operations to reap together (default: all that are done)" },
	{ .name = "compute-us",
	  .argument = "US",
	  .kind = OPTION_REAL,
	  .real_most = COMPUTE_MOST_US,
	  OPTION_FIELD(struct run_options, config.compute_us),
	  .help = "microseconds of CPU work after each finished operation, in a calibrated loop" },
	{ .name = "rate",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .least = 1,
	  .most = RATE_MOST_PER_S,
	  OPTION_FIELD(struct run_options, config.rate_per_s),
	  .help = "open loop: begin N operations a second, whether or not earlier ones have "
		  "finished" },
	{ .name = "stall-ms",
	  .argument = "MS",
	  .kind = OPTION_REAL,
	  .real_least = STALL_LEAST_MS,
	  .real_most = STALL_MOST_MS,
	  OPTION_FIELD(struct run_options, config.stall_ms),
	  .help = "pause this long halfway through the window, like a stalled program" },
	{ .name = "runtime",
	  .planned = true,
	  .argument = "S",
	  .kind = OPTION_REAL,
	  .real_least = RUNTIME_LEAST_S,
	  .real_most = RUNTIME_MOST_S,
	  OPTION_FIELD(struct run_options, config.runtime_s),
	  .usual = "1",
	  .help = "seconds to measure" },
	{ .name = "warmup",
	  .planned = true,
	  .argument = "S",
	  .kind = OPTION_REAL,
	  .real_most = WARMUP_MOST_S,
	  OPTION_FIELD(struct run_options, config.warmup_s),
	  .usual = "0.2",
	  .help = "seconds of warm-up before the window" },
	{ .name = "ops",
	  .ends_window = true,
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .least = 1,
	  .most = OPS_MOST,
	  OPTION_FIELD(struct run_options, config.op_limit),
	  .help = "measure exactly N operations, without warm-up, in place of --runtime" },
	/* JSON's integers end at INT64_MAX. */
	{ .name = "seed",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .most = INT64_MAX,
	  OPTION_FIELD(struct run_options, config.seed),
	  .usual = "1",
	  .help = "seed of the random generator: the same seed gives the same operations" },
	{ .name = "cpus",
	  .argument = "LIST",
	  .kind = OPTION_TEXT,
	  OPTION_FIELD(struct run_options, cpu_list),
	  .help = "CPUs for this process, such as 0,2-3 (default: all; all but the last where a peer "
		  "process needs one)" },
	{ .name = "count-syscalls",
	  .kind = OPTION_FLAG,
	  OPTION_FIELD(struct run_options, config.count_syscalls),
	  .help = "count system calls through a tracepoint; slows them down" },
	{ .name = "count-hardware",
	  .kind = OPTION_FLAG,
	  OPTION_FIELD(struct run_options, config.count_hardware),
	  .help = "count the CPU's instructions, cycles and misses; slows context switches down" },
	{ .name = "trace-us",
	  .argument = "US",
	  .kind = OPTION_COUNT,
	  .least = 1,
	  .most = 1000000,
	  OPTION_FIELD(struct run_options, config.trace_us),
	  .help = "with --json: add a trace of a typical piece of the window, this long (see "
		  "`iolab timeline`)" },
	{ .name = "json",
	  .kind = OPTION_FLAG,
	  OPTION_FIELD(struct run_options, json),
	  .help = "print the result as one line of JSON" },

	/* What `compare` tells its runs. */
	{ .name = "round",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .most = ROUND_MOST,
	  .hidden = true,
	  OPTION_FIELD(struct run_options, round) },
	{ .name = "position",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .most = ROUND_MOST,
	  .hidden = true,
	  OPTION_FIELD(struct run_options, position) },
	{ .name = "plan",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .most = ROUND_MOST,
	  .hidden = true,
	  OPTION_FIELD(struct run_options, plan) },
	{ .name = "compute-loops-per-us",
	  .argument = "X",
	  .kind = OPTION_REAL,
	  .real_most = LOOPS_MOST_PER_US,
	  .hidden = true,
	  OPTION_FIELD(struct run_options, config.compute_loops_per_us) },
	{ 0 },
};

/* The table at `position`: one for each group of --help, no table twice. NULL after the last. */
static const struct option_row *table_at(unsigned position)
{
	if (position == 0)
		return subject_options;
	for (unsigned i = 0, seen = 0; i < workloads_count(); i++) {
		const struct option_row *table = workload_at(i)->options;
		bool known = !table;
		for (unsigned j = 0; j < i; j++)
			known |= workload_at(j)->options == table;
		if (!known && ++seen == position)
			return table;
		if (i + 1 == workloads_count() && seen + 1 == position)
			return common_options;
	}
	return NULL;
}

static const struct option_row *common_option(const char *name)
{
	const struct option_row *row = option_find(subject_options, name);
	return row ? row : option_find(common_options, name);
}

/* In all tables; the first of that name. NULL when there is none. */
static const struct option_row *any_option(const char *name)
{
	const struct option_row *table, *row = NULL;
	for (unsigned t = 0; !row && (table = table_at(t)) != NULL; t++)
		row = option_find(table, name);
	return row;
}

const char *run_option_name(const char *word)
{
	const char *found = NULL;
	size_t length = strlen(word) > 2 ? strcspn(word + 2, "=") : 0;
	const struct option_row *table;
	if (word[0] != '-')
		return NULL;
	for (unsigned t = 0; (table = table_at(t)) != NULL; t++) {
		for (const struct option_row *row = table; row->name; row++) {
			if (word[1] != '-' && row->letter && row->letter == word[1])
				return row->name;
			if (word[1] != '-' || length == 0 ||
			    strncmp(row->name, word + 2, length) != 0)
				continue;
			if (row->name[length] == '\0')
				return row->name;
			/* An abbreviation; an ambiguous one is refused when it is parsed. */
			found = row->name;
		}
	}
	return found;
}

bool run_option_is_planned(const char *name)
{
	const struct option_row *row = common_option(name);
	return round_option_find(name) || (row && row->planned);
}

bool run_option_ends_window(const char *name)
{
	const struct option_row *row = common_option(name);
	return row && row->ends_window;
}

bool run_option_works(const char *name, const struct run_config *config)
{
	struct reason unused;
	return common_option(name) || workload_option_works(config, name, &unused);
}

double run_limit_s(const struct run_config *config)
{
	const double ops_per_s = 100, spare_s = 30; /* a slow disk */
	double limit_s = config->runtime_s + config->warmup_s + spare_s;
	if (config->workload->spare_s)
		limit_s += config->workload->spare_s(config);
	if (config->op_limit)
		limit_s += (double)config->op_limit * (1 / ops_per_s + config->compute_us * 1e-6);
	return limit_s;
}

/* "0,2-3". Returns 0, or -EINVAL with `why`. */
static int parse_cpus(const char *text, cpu_set_t *cpus, struct reason *why)
{
	CPU_ZERO(cpus);
	for (const char *at = text; *at;) {
		/* CPU_SETSIZE for what is no number: strtoul(3) takes blanks and signs. */
		char *end = (char *)at;
		unsigned long first =
			isdigit((unsigned char)*at) ? strtoul(at, &end, 10) : CPU_SETSIZE;
		unsigned long last = first;
		if (*end == '-')
			last = isdigit((unsigned char)end[1]) ? strtoul(end + 1, &end, 10)
							      : CPU_SETSIZE;
		if ((*end && *end != ',') || first > last || last >= CPU_SETSIZE) {
			reason_say(why, "--cpus %s: must be a list as 0,2-3", text);
			return -EINVAL;
		}
		for (unsigned long cpu = first; cpu <= last; cpu++)
			CPU_SET(cpu, cpus);
		at = *end ? end + 1 : end;
		if (*end && !*at) {
			reason_say(why, "--cpus %s: ends in a comma", text);
			return -EINVAL;
		}
	}
	cpu_set_t allowed, wanted = *cpus;
	sched_getaffinity(0, sizeof allowed, &allowed);
	CPU_AND(&wanted, &wanted, &allowed);
	if (CPU_EQUAL(&wanted, cpus) && CPU_COUNT(cpus) > 0)
		return 0;
	reason_say(why,
		   "--cpus %s: this process may use only %d CPUs, see `nproc` and `taskset -p $$`",
		   text, CPU_COUNT(&allowed));
	return -EINVAL;
}

/* The options whose values are no plain numbers or words. */
static int parse_subject(struct run_options *o, struct reason *why)
{
	struct run_config *c = &o->config;
	struct reason cause;
	if (!o->engine_spec) {
		reason_say(why, "--engine is missing; `iolab list` shows what there is");
		return -EINVAL;
	}
	if (engine_spec_parse(o->engine_spec, &c->engine, &c->engine_options, &cause) < 0) {
		reason_say(why, "--engine %s: %s", o->engine_spec, cause.text);
		return -EINVAL;
	}
	if (!o->workload_name)
		o->workload_name = workload_at(0)->name;
	c->workload = workload_find(o->workload_name, &cause);
	if (!c->workload) {
		reason_say(why, "--workload %s: %s", o->workload_name, cause.text);
		return -EINVAL;
	}
	return o->cpu_list ? parse_cpus(o->cpu_list, &c->cpus, why) : 0;
}

/* Combinations that make no sense with any workload. */
static int settle_window(struct run_config *c, const struct typed_options *typed,
			 struct reason *why)
{
	if (c->op_limit && c->stall_ms > 0)
		reason_say(why, "--stall-ms: a window of --ops has no middle; use --runtime");
	else if (c->stall_ms > 500 * c->runtime_s)
		reason_say(why, "--stall-ms %g: more than half of --runtime %g s", c->stall_ms,
			   c->runtime_s);
	else if (c->trace_us && (c->op_limit || c->trace_us * 1e-6 > c->runtime_s))
		reason_say(why, "--trace-us %u: must lie within --runtime (and not go with --ops)",
			   c->trace_us);
	else if (c->op_limit && (option_typed(typed, "runtime") || option_typed(typed, "warmup")))
		reason_say(why, "--ops ends the window and has no warm-up: leave out --runtime and "
				"--warmup");
	else
		return 0;
	return -EINVAL;
}

/* Stores what was typed that the workload's own table holds. */
static int store_workload_options(struct run_config *c, const struct typed_options *typed,
				  struct reason *why)
{
	for (unsigned i = 0; i < typed->count; i++) {
		const char *name = typed->list[i].name;
		const struct option_row *row = option_find(c->workload->options, name);
		int rc = 0;
		if (common_option(name))
			continue;
		if (row)
			rc = workload_option_store(c, row, typed->list[i].text, why);
		if (rc < 0)
			return rc;
	}
	/* Only now: whether one has an effect may depend on the others. */
	for (unsigned i = 0; i < typed->count; i++) {
		const char *name = typed->list[i].name;
		struct reason cause;
		if (common_option(name) || workload_option_works(c, name, &cause))
			continue;
		reason_say(why, "--%s has no effect here: %s", name, cause.text);
		return -EINVAL;
	}
	return 0;
}

/* From what was typed to a configuration. Returns 0, or -EINVAL with `why`. */
static int settle(struct run_options *o, const struct typed_options *typed, struct reason *why)
{
	struct run_config *c = &o->config;
	for (const struct option_row *row = subject_options; row->name; row++)
		option_store_default(row, (char *)o);
	for (const struct option_row *row = common_options; row->name; row++)
		option_store_default(row, (char *)o);
	for (unsigned i = 0; i < typed->count; i++) {
		const struct option_row *row = common_option(typed->list[i].name);
		int rc = row ? option_store(row, (char *)o, typed->list[i].text, why) : 0;
		if (rc < 0)
			return rc;
	}
	int rc = parse_subject(o, why);
	if (rc == 0)
		rc = workload_settings_begin(c, why);
	if (rc == 0)
		rc = store_workload_options(c, typed, why);
	if (rc == 0 && c->workload->settle)
		rc = c->workload->settle(c, typed, why);
	if (rc == 0)
		rc = settle_window(c, typed, why);
	if (c->op_limit)
		c->warmup_s = 0;
	return rc;
}

/* argp's keys: a letter, or this and more for the options without one. */
#define FIRST_KEY 0x100

struct parse {
	struct run_options *options;
	struct argp_option *table; /* what argp was given */
	struct typed_options typed;
	struct reason *why;
	bool quiet; /* nothing is printed, and the program goes on */
};

static const char *name_of_key(const struct argp_option *table, int key)
{
	for (; table->name || table->doc; table++)
		if (table->name && table->key == key)
			return table->name;
	return NULL;
}

/* argp finds what is no option of ours, and says so only by printing. */
static void describe_bad_word(const char *word, struct reason *why)
{
	const char *name = run_option_name(word);
	const struct option_row *row = name ? any_option(name) : NULL;
	if (row && row->argument && !strchr(word, '='))
		reason_say(why, "--%s needs a value (%s)", name, row->argument);
	else
		reason_say(why, "'%s' is not an option of `iolab run`, or an ambiguous one", word);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	const char *name = key > 0 ? name_of_key(p->table, key) : NULL;
	int rc = 0;
	if (name) {
		p->typed.list[p->typed.count++] = (struct typed_option) { name, arg };
	} else if (key == ARGP_KEY_ARG) {
		reason_say(p->why, "'%s' is not an option; options begin with --", arg);
		rc = -EINVAL;
	} else if (key == ARGP_KEY_END) {
		rc = settle(p->options, &p->typed, p->why);
	} else if (key == ARGP_KEY_ERROR && !p->why->text[0]) {
		describe_bad_word(state->argv[state->next - 1], p->why);
	} else {
		return ARGP_ERR_UNKNOWN;
	}
	if (rc < 0 && !p->quiet)
		argp_error(state, "%s", p->why->text);
	return -rc;
}

/* The row's help with its default, in memory to be freed. */
static char *help_of(const struct option_row *row)
{
	char names[120];
	char *text = NULL;
	if (row == option_find(subject_options, "workload")) {
		workload_names(names, sizeof names);
		if (asprintf(&text, "%s (default: %s)", names, workload_at(0)->name) < 0)
			return NULL;
		return text;
	}
	if (row->hidden)
		return NULL;
	int rc = row->usual ? asprintf(&text, "%s (default: %s)", row->help, row->usual)
			    : asprintf(&text, "%s", row->help);
	return rc < 0 ? NULL : text;
}

static char *heading_of(const struct option_row *table)
{
	char names[120];
	char *text = NULL;
	if (table == subject_options)
		return strdup("What to compare:");
	if (table == common_options)
		return strdup("On every workload:");
	workload_names_by_options(table, names, sizeof names);
	return asprintf(&text, "Workload%s %s:", strchr(names, ' ') ? "s" : "", names) < 0 ? NULL
											   : text;
}

static unsigned rows_count(void)
{
	const struct option_row *table;
	unsigned count = 0;
	for (unsigned t = 0; (table = table_at(t)) != NULL; t++)
		for (const struct option_row *row = table; row->name; row++)
			count++;
	return count;
}

/*
 * All tables as argp has them, a group each, in memory to be freed by free_argp_table(). An option
 * that two tables have gets one key, so that its abbreviation stays unambiguous.
 */
static struct argp_option *make_argp_table(void)
{
	const struct option_row *table;
	unsigned count = 0, tables = 0;
	while (table_at(tables))
		tables++;
	struct argp_option *made = calloc(rows_count() + tables + 1, sizeof *made);
	for (unsigned t = 0; made && (table = table_at(t)) != NULL; t++) {
		made[count++] =
			(struct argp_option) { .doc = heading_of(table), .group = (int)t + 1 };
		for (const struct option_row *row = table; row->name; row++) {
			int key = FIRST_KEY + (int)count;
			if (row->kind == OPTION_REFUSED)
				continue;
			for (unsigned i = 0; i < count; i++)
				if (made[i].name && strcmp(made[i].name, row->name) == 0)
					key = made[i].key;
			made[count++] = (struct argp_option) {
				.name = row->name,
				.key = row->letter ? row->letter : key,
				.arg = row->argument,
				.flags = row->hidden ? OPTION_HIDDEN : 0,
				.doc = help_of(row),
				.group = (int)t + 1,
			};
		}
	}
	return made;
}

static void free_argp_table(struct argp_option *table)
{
	for (struct argp_option *o = table; o && (o->name || o->doc); o++)
		free((char *)o->doc);
	free(table);
}

static int parse_all(struct run_options *o, int argc, char **argv, bool quiet, struct reason *why)
{
	struct parse parse = { .options = o, .why = why, .quiet = quiet };
	struct argp argp = {
		.parser = parse_option,
		.doc = "Runs one workload once through one interface and prints what was measured."
		       "\vCounts take k, M, G for powers of 1000; sizes in bytes take them for "
		       "powers of 1024.\n\n"
		       "Exit status: 0 measured, 1 error, 2 wrong use, 77 unsupported here, 130 "
		       "interrupted.",
	};
	int rc = -ENOMEM;
	*o = (struct run_options) { .round = -1, .position = -1, .plan = -1 };
	why->text[0] = '\0';
	argp.options = parse.table = make_argp_table();
	parse.typed.list = calloc((size_t)argc + 1, sizeof *parse.typed.list);
	if (!parse.table || !parse.typed.list) {
		reason_say_errno(why, ENOMEM, "options");
		goto out;
	}
	rc = -argp_parse(&argp, argc, argv, quiet ? ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP : 0,
			 NULL, &parse);
out:
	free(parse.typed.list);
	free_argp_table(parse.table);
	if (rc < 0)
		run_options_free(o);
	return rc;
}

void run_options_free(struct run_options *options)
{
	free(options->config.settings);
	options->config.settings = NULL;
}

int run_options_read(struct run_options *options, int argc, char **argv, struct reason *why)
{
	return parse_all(options, argc, argv, true, why);
}

int run_options_parse(struct run_options *options, int argc, char **argv, struct reason *why)
{
	return parse_all(options, argc, argv, false, why);
}
