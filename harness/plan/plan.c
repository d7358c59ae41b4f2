/* SPDX-License-Identifier: MIT */
#include "plan/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list_option.h"
#include "base/exit_status.h"
#include "compute.h"
#include "engines.h"
#include "run/run_options.h"
#include "workloads/workload.h"

#define LIST_MAX  64
#define RUNTIME_S "0.2"
#define WARMUP_S  "0.05"

/* One line of a plan: a workload with fixed options, and the option that is swept. */
struct sweep {
	const char *workload;
	const char *options[6]; /* ended by NULL */
	const char *swept;
	const char *values;
};

/*
 * What `make bench` runs: the disk itself, the page cache, a busy server, a mostly idle one. Sized
 * so that all of it ends within three minutes on two CPUs.
 */
static const struct sweep standard_plan[] = {
	{ "file", { "--direct", "1", "--size", "128M" }, "--depth", "1,16,64" },
	{ "file", { "--direct", "0", "--size", "128M" }, "--depth", "1,16" },
	{ "echo", { NULL }, "--conns", "1,50,500" },
	{ "idle", { NULL }, "--conns", "1000" },
	{ NULL },
};

/* A mistake of a person: one line, as argp's own. */
__attribute__((format(printf, 1, 2))) static _Noreturn void wrong_use(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("iolab compare: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_USAGE);
}

/* Every engine that moves data, and of its variants those that its own file puts forward. */
const char *standard_engines(void)
{
	static char list[2048];
	size_t used = 0;
	for (unsigned i = 0; i < engines_count(); i++) {
		const struct engine_ops *engine = engine_at(i);
		if (engine->traits & IO_MOVES_NO_BYTES)
			continue;
		used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? "," : "",
					 engine->name);
		for (const struct engine_option *o = engine->options; o && o->name; o++)
			if (o->compared && used < sizeof list)
				used += (size_t)snprintf(list + used, sizeof list - used, ",%s:%s",
							 engine->name, o->name);
	}
	return list;
}

/* Whether the plan itself sets the option of that name, so that it must not come after "--". */
static bool planned(const struct sweep *sweep, const char *name)
{
	static const char *const own[] = { "engine",	     "workload", "json",
					   "count-syscalls", "round",	 "position",
					   "plan",	     "runtime",	 "warmup" };
	for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
		if (strcmp(name, own[i]) == 0)
			return true;
	return strcmp(name, sweep->swept + 2) == 0 ||
	       (sweep->options[0] && strcmp(name, sweep->options[0] + 2) == 0);
}

/*
 * The options after "--" that mean something to this configuration, so that one list can serve
 * several workloads. `used` remembers which words meant something to anybody.
 */
static void add_run_words(struct planned_run *c, const struct plan_choice *choice,
			  const struct sweep *sweep, bool *used)
{
	struct run_options parsed;
	run_words_parse(&c->run, &parsed);
	for (unsigned i = 0, end; i < choice->run_word_count; i = end) {
		/* A word that is an option, and its value. */
		for (end = i + 1; end < choice->run_word_count && choice->run_words[end][0] != '-';)
			end++;
		const char *name = run_option_name(choice->run_words[i]);
		if (name && planned(sweep, name))
			wrong_use("--%s after -- would override the plan%s; use what compare has "
				  "for it, see iolab compare --help",
				  name,
				  choice->workloads ? "" : " (without --workloads, a fixed one)");
		if (name && run_option_unused(name, &parsed.config))
			continue;
		used[i] = true;
		for (unsigned word = i; word < end; word++)
			run_words_add(&c->run, choice->run_words[word]);
	}
}

/* Whether the runs' windows end by --ops. They have no length in time then, and no warm-up. */
static bool ends_by_ops(const struct plan_choice *choice)
{
	for (unsigned i = 0; i < choice->run_word_count; i++) {
		const char *name = run_option_name(choice->run_words[i]);
		if (name && strcmp(name, "ops") == 0)
			return true;
	}
	return false;
}

static void add_configuration(struct plan *plan, const struct plan_choice *choice,
			      const struct sweep *sweep, const char *engine, const char *value,
			      bool *used)
{
	plan->configurations =
		realloc(plan->configurations, (plan->count + 1) * sizeof *plan->configurations);
	struct planned_run *c = &plan->configurations[plan->count++];
	memset(c, 0, sizeof *c);
	run_words_begin(&c->run);
	run_words_add(&c->run, "--engine");
	run_words_add(&c->run, engine);
	run_words_add(&c->run, "--workload");
	run_words_add(&c->run, sweep->workload);
	for (unsigned i = 0; sweep->options[i]; i++)
		run_words_add(&c->run, sweep->options[i]);
	run_words_add(&c->run, sweep->swept);
	run_words_add(&c->run, value);
	if (choice->runtime || !ends_by_ops(choice)) {
		run_words_add(&c->run, "--runtime");
		run_words_add(&c->run, choice->runtime ? choice->runtime : RUNTIME_S);
	}
	if (choice->warmup || !ends_by_ops(choice)) {
		run_words_add(&c->run, "--warmup");
		run_words_add(&c->run, choice->warmup ? choice->warmup : WARMUP_S);
	}
	add_run_words(c, choice, sweep, used);
	snprintf(c->label, sizeof c->label, "%s %s %s %s", engine, sweep->workload,
		 sweep->swept + 2, value);
}

static void add_sweep(struct plan *plan, const struct plan_choice *choice,
		      const struct sweep *sweep, bool *used)
{
	const char *engines[LIST_MAX], *values[LIST_MAX];
	const char *option = strcmp(sweep->swept, "--depth") == 0  ? "depths"
			     : strcmp(sweep->swept, "--rate") == 0 ? "rates"
								   : "conns";
	unsigned engine_count =
		split_list("iolab compare", "engines", choice->engines, engines, LIST_MAX);
	unsigned value_count = split_list("iolab compare", option, sweep->values, values, LIST_MAX);
	plan->engine_count = engine_count;
	for (unsigned v = 0; v < value_count; v++)
		for (unsigned e = 0; e < engine_count; e++)
			add_configuration(plan, choice, sweep, engines[e], values[v], used);
}

/* Every configuration, in the order in which the table will show them. */
static void list_configurations(struct plan *plan, const struct plan_choice *choice, bool *used)
{
	const char *names[LIST_MAX];
	if (!choice->workloads) {
		for (const struct sweep *sweep = standard_plan; sweep->workload; sweep++) {
			struct sweep chosen = *sweep;
			bool depth = strcmp(sweep->swept, "--depth") == 0;
			if (depth && choice->depths)
				chosen.values = choice->depths;
			if (!depth && choice->conns)
				chosen.values = choice->conns;
			add_sweep(plan, choice, &chosen, used);
		}
		return;
	}
	unsigned workload_count =
		split_list("iolab compare", "workloads", choice->workloads, names, LIST_MAX);
	bool any_depth = false, any_conns = false;
	if (choice->rates && (choice->depths || choice->conns))
		wrong_use(
			"--rates is swept in place of --depths and --conns; one value for all runs "
			"comes after --, as -- --depth 64");
	for (unsigned w = 0; w < workload_count; w++) {
		struct reason why;
		const struct workload_ops *workload = workload_find(names[w], &why);
		if (!workload)
			wrong_use("--workloads: %s", why.text);
		struct sweep sweep = { names[w], { NULL }, "--depth", "1,16,64" };
		if (workload->has_peer) {
			sweep.swept = "--conns";
			sweep.values = workload == &workload_idle ? "1000" : "1,50,500";
		}
		const char *chosen = workload->has_peer ? choice->conns : choice->depths;
		if (chosen)
			sweep.values = chosen;
		any_depth = any_depth || !workload->has_peer;
		any_conns = any_conns || workload->has_peer;
		if (choice->rates) {
			sweep.swept = "--rate";
			sweep.values = choice->rates;
		}
		add_sweep(plan, choice, &sweep, used);
	}
	if (choice->depths && !any_depth)
		wrong_use("--depths: echo and idle have --conns");
	if (choice->conns && !any_conns)
		wrong_use("--conns: file and nop have --depths");
}

/* The same engine on the same work? The summary could not tell the two apart. */
static bool same_configuration(const struct run_config *a, const struct run_config *b)
{
	return a->engine == b->engine && a->engine_options == b->engine_options &&
	       a->workload == b->workload && a->direct == b->direct && a->depth == b->depth &&
	       a->conns == b->conns && a->rate_per_s == b->rate_per_s;
}

/*
 * Every configuration's options are parsed here too: a mistake ends the program now, with the line
 * that run would print, and not in the midst of the comparison. The amount of computing is
 * calibrated once, so that every run does the same.
 */
static void check_configurations(struct plan *plan)
{
	static char loops[32];
	for (unsigned i = 0; i < plan->count; i++) {
		struct planned_run *c = &plan->configurations[i];
		struct run_options parsed;
		run_words_parse(&c->run, &parsed);
		c->config = parsed.config;
		c->limit_s = run_limit_s(&parsed.config);
		for (unsigned j = 0; j < i; j++)
			if (same_configuration(&plan->configurations[j].config, &c->config))
				wrong_use("'%s' is there twice; name each engine, workload, depth "
					  "and number of connections once",
					  c->label);
		if (parsed.config.compute_us <= 0 || parsed.config.compute_loops_per_us > 0)
			continue;
		if (!*loops)
			snprintf(loops, sizeof loops, "%.3f", compute_calibrate());
		run_words_add(&c->run, "--compute-loops-per-us");
		run_words_add(&c->run, loops);
	}
}

/* --baseline as results write it. Ends the program when it is none of the engines. */
static const char *baseline_label(const struct plan *plan, const char *spec)
{
	static char label[240];
	const struct engine_ops *engine;
	uint64_t options;
	struct reason why;
	if (!spec)
		return "blocking";
	if (engine_spec_parse(spec, &engine, &options, &why) < 0)
		wrong_use("--baseline %s: %s", spec, why.text);
	engine_label(engine, options, label, sizeof label);
	for (unsigned i = 0; i < plan->count; i++) {
		const struct run_config *config = &plan->configurations[i].config;
		if (config->engine == engine && config->engine_options == options)
			return label;
	}
	wrong_use("--baseline %s: add it to --engines, or choose one of them", label);
}

void plan_make(struct plan *plan, const struct plan_choice *choice)
{
	bool *used = calloc(choice->run_word_count + 1, sizeof *used);
	*plan = (struct plan) { 0 };
	list_configurations(plan, choice, used);
	for (unsigned i = 0; i < choice->run_word_count; i++)
		if (choice->run_words[i][0] == '-' && !used[i])
			wrong_use("%s has no effect on any of these workloads; leave it out",
				  choice->run_words[i]);
	free(used);
	check_configurations(plan);
	plan->baseline = baseline_label(plan, choice->baseline);
	for (unsigned i = 0; i < plan->count; i++) {
		char label[240];
		const struct run_config *config = &plan->configurations[i].config;
		engine_label(config->engine, config->engine_options, label, sizeof label);
		plan->has_baseline = plan->has_baseline || strcmp(label, plan->baseline) == 0;
	}
}

void plan_free(struct plan *plan)
{
	free(plan->configurations);
}
