/* SPDX-License-Identifier: MIT */
#include "plan/plan.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "compute.h"
#include "engines.h"
#include "plan/engine_list.h"
#include "run/result.h"
#include "run/run_options.h"
#include "workloads/panel.h"

#define LIST_MAX  64
#define RUNTIME_S "0.2"
#define WARMUP_S  "0.05"

/* One line of a plan: a workload with fixed options, and the option that is swept. */
struct sweep {
	const struct workload_ops *workload;
	const struct standard_row *row; /* NULL: the workload's defaults */
	const char *option; /* without its dashes */
	const char *list_option; /* of `compare` */
	const char *values;
};

/* A plan while it is made. */
struct making {
	struct plan *plan;
	const struct plan_choice *choice;
	bool *used; /* [word after --]: it means something to some run */
	struct reason *why;
};

const struct sweep_axis *axis_at(unsigned position)
{
	for (unsigned i = 0; i < workloads_count(); i++) {
		bool known = false;
		for (unsigned j = 0; j < i; j++)
			known |= workload_at(j)->axis == workload_at(i)->axis;
		if (!known && position-- == 0)
			return workload_at(i)->axis;
	}
	return NULL;
}

/* What a person chose for this axis, or NULL. */
static const char *chosen_values(const struct plan_choice *choice, const struct sweep_axis *axis)
{
	for (unsigned i = 0; axis_at(i); i++)
		if (axis_at(i) == axis)
			return choice->swept[i];
	return NULL;
}

#define FIRST_KEY 0x1000

static error_t parse_swept(int key, char *arg, struct argp_state *state)
{
	struct plan_choice *choice = state->input;
	if (key < FIRST_KEY || key >= FIRST_KEY + PLAN_AXES_MAX)
		return ARGP_ERR_UNKNOWN;
	choice->swept[key - FIRST_KEY] = arg;
	return 0;
}

/* The values that each workload of an axis has by default: "1,50,500; idle: 1000". */
static void default_values(const struct sweep_axis *axis, char *text, size_t size)
{
	const char *usual = NULL;
	size_t used = 0;
	for (unsigned i = 0; i < workloads_count() && used < size; i++) {
		const struct workload_ops *workload = workload_at(i);
		if (workload->axis != axis || (usual && strcmp(usual, workload->swept) == 0))
			continue;
		if (usual)
			used += (size_t)snprintf(text + used, size - used, "; %s: %s",
						 workload->name, workload->swept);
		else
			used += (size_t)snprintf(text + used, size - used, "%s", workload->swept);
		usual = usual ? usual : workload->swept;
	}
}

struct argp *swept_options(void)
{
	struct argp *argp = calloc(1, sizeof *argp);
	struct argp_option *options = calloc(PLAN_AXES_MAX + 1, sizeof *options);
	if (!argp || !options) {
		free(argp);
		free(options);
		return NULL;
	}
	for (unsigned i = 0; axis_at(i); i++) {
		const struct sweep_axis *axis = axis_at(i);
		char names[120], values[120], *help;
		assert(i < PLAN_AXES_MAX);
		workload_names_by_axis(axis, names, sizeof names);
		default_values(axis, values, sizeof values);
		if (asprintf(&help, "%s, for %s (default: %s)", axis->list_help, names, values) < 0)
			help = NULL;
		options[i] = (struct argp_option) { .name = axis->list_option,
						    .key = FIRST_KEY + (int)i,
						    .arg = "LIST",
						    .doc = help };
	}
	argp->options = options;
	argp->parser = parse_swept;
	return argp;
}

void swept_options_free(struct argp *argp)
{
	if (!argp)
		return;
	for (const struct argp_option *o = argp->options; o->name; o++)
		free((char *)o->doc);
	free((struct argp_option *)argp->options);
	free(argp);
}

/* Whether the plan itself sets the option of that name, so that it must not come after "--". */
static bool is_planned(const struct sweep *sweep, const char *name)
{
	if (run_option_is_planned(name))
		return true;
	const char *fixed = sweep->row ? sweep->row->fixed[0] : NULL;
	return strcmp(name, sweep->option) == 0 || (fixed && strcmp(name, fixed + 2) == 0);
}

/*
 * The options after "--" that mean something to this run, so that one list can serve several
 * workloads. Returns 0, or -EINVAL with `why`.
 */
static int add_run_words(struct making *m, struct planned_run *r, const struct sweep *sweep)
{
	const struct plan_choice *choice = m->choice;
	struct run_options parsed;
	int rc = run_words_read(&r->run, &parsed, m->why);
	if (rc < 0)
		return rc;
	for (unsigned i = 0, end; rc == 0 && i < choice->run_word_count; i = end) {
		/* A word that is an option, and its value. */
		for (end = i + 1; end < choice->run_word_count && choice->run_words[end][0] != '-';)
			end++;
		const char *name = run_option_name(choice->run_words[i]);
		if (name && is_planned(sweep, name)) {
			reason_say(m->why,
				   "--%s after -- would override the plan%s; use what compare has "
				   "for it, see iolab compare --help",
				   name,
				   choice->workloads ? "" : " (without --workloads, a fixed one)");
			rc = -EINVAL;
			break;
		}
		if (name && !run_option_works(name, &parsed.config))
			continue;
		m->used[i] = true;
		for (unsigned word = i; word < end; word++)
			run_words_add(&r->run, choice->run_words[word]);
	}
	run_options_free(&parsed);
	return rc;
}

/* Whether an option ends the runs' windows, so that they have no length in time, and no warm-up. */
static bool ends_by_ops(const struct plan_choice *choice)
{
	for (unsigned i = 0; i < choice->run_word_count; i++) {
		const char *name = run_option_name(choice->run_words[i]);
		if (name && run_option_ends_window(name))
			return true;
	}
	return false;
}

static void add_option(struct run_words *run, const char *option, const char *value)
{
	run_words_add(run, option);
	run_words_add(run, value);
}

static void add_row_words(struct run_words *run, const struct standard_row *row)
{
	for (unsigned i = 0; row && row->fixed[i]; i++)
		run_words_add(run, row->fixed[i]);
	for (unsigned i = 0; row && row->usual[i]; i++)
		run_words_add(run, row->usual[i]);
}

static int add_run(struct making *m, const struct sweep *sweep, const char *engine,
		   const char *option, const char *value)
{
	const struct plan_choice *choice = m->choice;
	struct plan *plan = m->plan;
	struct planned_run *runs = realloc(plan->runs, (plan->count + 1) * sizeof *runs);
	if (!runs)
		return reason_say_errno(m->why, ENOMEM, "a plan of %u runs", plan->count + 1);
	plan->runs = runs;
	struct planned_run *r = &runs[plan->count++];
	memset(r, 0, sizeof *r);
	run_words_begin(&r->run);
	add_option(&r->run, "--engine", engine);
	add_option(&r->run, "--workload", sweep->workload->name);
	add_row_words(&r->run, sweep->row);
	add_option(&r->run, option, value);
	if (choice->runtime || !ends_by_ops(choice))
		add_option(&r->run, "--runtime", choice->runtime ? choice->runtime : RUNTIME_S);
	if (choice->warmup || !ends_by_ops(choice))
		add_option(&r->run, "--warmup", choice->warmup ? choice->warmup : WARMUP_S);
	snprintf(r->label, sizeof r->label, "%s %s %s %s", engine, sweep->workload->name,
		 sweep->option, value);
	return add_run_words(m, r, sweep);
}

/* The words of a sweep, which stay as long as the plan does. NULL with `why`. */
static const struct swept_words *split_values(struct making *m, const struct sweep *sweep)
{
	struct plan *plan = m->plan;
	struct swept_words *made = calloc(1, sizeof *made);
	struct swept_words **list =
		realloc(plan->swept, (plan->swept_count + 1) * sizeof(struct swept_words *));
	if (list)
		plan->swept = list;
	if (!made || !list) {
		free(made);
		reason_say_errno(m->why, ENOMEM, "--%s", sweep->list_option);
		return NULL;
	}
	plan->swept[plan->swept_count++] = made;
	snprintf(made->option, sizeof made->option, "--%s", sweep->option);
	if (word_list_split(&made->values, sweep->list_option, sweep->values, LIST_MAX, m->why) < 0)
		return NULL;
	return made;
}

static int add_sweep(struct making *m, const struct sweep *sweep)
{
	const struct swept_words *swept = split_values(m, sweep);
	int rc = swept ? 0 : -EINVAL;
	for (unsigned v = 0; rc == 0 && v < swept->values.count; v++)
		for (unsigned e = 0; rc == 0 && e < m->plan->engine_count; e++)
			rc = add_run(m, sweep, m->plan->engines.words[e], swept->option,
				     swept->values.words[v]);
	return rc;
}

/* What is swept on a workload, in values of the person's, of the row's, or by default. */
static struct sweep sweep_of(const struct plan_choice *choice, const struct workload_ops *workload,
			     const struct standard_row *row)
{
	const struct sweep_axis *axis = workload->axis;
	const char *chosen = chosen_values(choice, axis);
	struct sweep sweep = { workload, row, axis->option, axis->list_option, workload->swept };
	if (row)
		sweep.values = row->swept;
	if (chosen)
		sweep.values = chosen;
	if (choice->rates) {
		sweep.option = "rate";
		sweep.list_option = "rates";
		sweep.values = choice->rates;
	}
	return sweep;
}

/* All that workloads themselves put forward. */
static int list_standard(struct making *m)
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < workloads_count(); i++) {
		const struct workload_ops *workload = workload_at(i);
		const struct standard_row *row = workload->standard;
		for (; rc == 0 && row && row->swept; row++) {
			struct sweep sweep = sweep_of(m->choice, workload, row);
			rc = add_sweep(m, &sweep);
		}
	}
	return rc;
}

/* Values were chosen for this axis, and no chosen workload has it. */
static int refuse_unused_axis(struct making *m, const struct sweep_axis *axis,
			      const struct sweep_axis *instead)
{
	char names[120];
	workload_names_by_axis(instead, names, sizeof names);
	reason_say(m->why, "--%s: %s ha%s --%s", axis->list_option, names,
		   strchr(names, ' ') ? "ve" : "s", instead->list_option);
	return -EINVAL;
}

/* Every run of the workloads that were named, in the order in which the table will show them. */
static int list_chosen(struct making *m)
{
	struct word_list names;
	bool axis_used[PLAN_AXES_MAX] = { false };
	const struct workload_ops *workload = NULL;
	int rc = word_list_split(&names, "workloads", m->choice->workloads, LIST_MAX, m->why);
	for (unsigned w = 0; rc == 0 && w < names.count; w++) {
		struct reason cause;
		workload = workload_find(names.words[w], &cause);
		if (!workload) {
			reason_say(m->why, "--workloads: %s", cause.text);
			rc = -EINVAL;
			break;
		}
		for (unsigned a = 0; axis_at(a); a++)
			axis_used[a] |= axis_at(a) == workload->axis;
		struct sweep sweep = sweep_of(m->choice, workload, NULL);
		rc = add_sweep(m, &sweep);
	}
	for (unsigned a = 0; rc == 0 && axis_at(a); a++)
		if (m->choice->swept[a] && !axis_used[a])
			rc = refuse_unused_axis(m, axis_at(a), workload->axis);
	word_list_free(&names);
	return rc;
}

/* --rates stands in place of a workload's own axis. */
static int check_rates(struct making *m)
{
	for (unsigned a = 0; m->choice->rates && axis_at(a); a++) {
		if (!m->choice->swept[a])
			continue;
		reason_say(m->why,
			   "--rates is swept in place of --%s; one value for all runs comes after "
			   "--, as -- --%s 64",
			   axis_at(a)->list_option, axis_at(a)->option);
		return -EINVAL;
	}
	return 0;
}

/* What the summary could not tell apart must not be there twice. */
static int refuse_doubles(struct making *m)
{
	struct plan *plan = m->plan;
	for (unsigned i = 0; i < plan->count; i++) {
		const struct planned_run *a = &plan->runs[i];
		for (unsigned j = 0; j < i; j++) {
			const struct planned_run *b = &plan->runs[j];
			if (a->x != b->x || strcmp(a->engine_label, b->engine_label) != 0 ||
			    !panels_same(a->panel, b->panel))
				continue;
			reason_say(m->why,
				   "'%s' is there twice; name each engine, workload and swept "
				   "value once",
				   a->label);
			return -EINVAL;
		}
	}
	return 0;
}

/*
 * Every run's options are parsed here too: a mistake is found now, and not in the midst of the
 * comparison. The amount of computing is calibrated once, so that every run does the same.
 */
static int check_run(struct making *m, struct planned_run *r)
{
	struct plan *plan = m->plan;
	struct run_options parsed;
	struct run_config *config = &parsed.config;
	int rc = run_words_read(&r->run, &parsed, m->why);
	if (rc < 0)
		return rc;
	json_t *workload = result_workload(&parsed);
	r->panel = json_incref(json_object_get(workload, "panel"));
	json_decref(workload);
	engine_label(config->engine, config->engine_options, r->engine_label,
		     sizeof r->engine_label);
	r->x = config->rate_per_s ? config->rate_per_s : workload_x(config);
	r->op_limit = config->op_limit;
	r->limit_s = run_limit_s(config);
	bool calibrated = config->compute_us <= 0 || config->compute_loops_per_us > 0;
	run_options_free(&parsed);
	if (calibrated)
		return 0;
	if (!*plan->compute_loops)
		snprintf(plan->compute_loops, sizeof plan->compute_loops, "%.3f",
			 compute_calibrate());
	add_option(&r->run, "--compute-loops-per-us", plan->compute_loops);
	return run_words_check(&r->run, m->why);
}

/* Sets the baseline's label, as results write it. */
static int choose_baseline(struct making *m)
{
	struct plan *plan = m->plan;
	const char *spec = m->choice->baseline;
	const struct engine_ops *engine;
	uint64_t options;
	struct reason cause;
	snprintf(plan->baseline, sizeof plan->baseline, "%s", engine_baseline_name());
	if (spec && engine_spec_parse(spec, &engine, &options, &cause) < 0) {
		reason_say(m->why, "--baseline %s: %s", spec, cause.text);
		return -EINVAL;
	}
	if (spec)
		engine_label(engine, options, plan->baseline, sizeof plan->baseline);
	for (unsigned i = 0; i < plan->count; i++)
		plan->has_baseline |= strcmp(plan->runs[i].engine_label, plan->baseline) == 0;
	if (!spec || plan->has_baseline)
		return 0;
	reason_say(m->why, "--baseline %s: add it to --engines, or choose one of them",
		   plan->baseline);
	return -EINVAL;
}

/* A word after "--" that no run took. */
static int refuse_unused_words(struct making *m)
{
	for (unsigned i = 0; i < m->choice->run_word_count; i++) {
		if (m->choice->run_words[i][0] != '-' || m->used[i])
			continue;
		reason_say(m->why, "%s has no effect on any of these workloads; leave it out",
			   m->choice->run_words[i]);
		return -EINVAL;
	}
	return 0;
}

int plan_make(struct plan *plan, const struct plan_choice *choice, struct reason *why)
{
	*plan = (struct plan) { 0 };
	struct making m = { plan, choice, NULL, why };
	m.used = calloc(choice->run_word_count + 1, sizeof *m.used);
	if (!m.used || !choice->engines)
		return reason_say_errno(why, ENOMEM, "a plan");
	int rc = engine_list_split(&plan->engines, choice->engines, LIST_MAX, why);
	plan->engine_count = plan->engines.count;
	if (rc == 0)
		rc = check_rates(&m);
	if (rc == 0)
		rc = choice->workloads ? list_chosen(&m) : list_standard(&m);
	if (rc == 0)
		rc = refuse_unused_words(&m);
	for (unsigned i = 0; rc == 0 && i < plan->count; i++)
		rc = check_run(&m, &plan->runs[i]);
	if (rc == 0)
		rc = refuse_doubles(&m);
	if (rc == 0)
		rc = choose_baseline(&m);
	free(m.used);
	if (rc < 0)
		plan_free(plan);
	return rc;
}

void plan_free(struct plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++)
		json_decref(plan->runs[i].panel);
	free(plan->runs);
	for (unsigned i = 0; i < plan->swept_count; i++) {
		word_list_free(&plan->swept[i]->values);
		free(plan->swept[i]);
	}
	free(plan->swept);
	word_list_free(&plan->engines);
	*plan = (struct plan) { 0 };
}
