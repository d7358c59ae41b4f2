/* SPDX-License-Identifier: MIT */
#include "plan/comparison_rounds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "clock.h"
#include "plan/child_run.h"
#include "summary/summary.h"

/* System calls per operation hardly vary, so the run that counts them is short. */
#define COUNTING_RUNTIME_S "0.05"

#define BAR_CHARS 30

static double elapsed_s(const struct comparison_rounds *r)
{
	return (double)(clock_ns() - r->begun_ns) / NS_PER_S;
}

static void show_progress(const struct comparison_rounds *r, const char *label)
{
	if (!r->show_progress)
		return;
	double share = (double)r->finished / r->planned;
	int left_s = r->finished ? (int)(elapsed_s(r) / share * (1 - share) + 0.5) : 0;
	char bar[BAR_CHARS + 1] = "";
	for (int i = 0; i < BAR_CHARS; i++)
		bar[i] = i < share * BAR_CHARS ? '#' : '.';
	fprintf(stderr, "\r\033[K[%s] %u/%u", bar, r->finished, r->planned);
	if (r->finished)
		fprintf(stderr, ", %s%d:%02d left", r->progress.until_precise ? "about " : "",
			left_s / 60, left_s % 60);
	if (r->widest_pct > 0)
		fprintf(stderr, ", %u rounds, widest +-%.2g %% of +-%g %%", r->progress.rounds_done,
			r->widest_pct, r->wanted_ci_pct);
	fprintf(stderr, "  %s", label);
}

static void clear_progress(const struct comparison_rounds *r)
{
	if (r->show_progress)
		fputs("\r\033[K", stderr);
}

/* Where in the comparison a run stands. */
struct due_run {
	unsigned round, position; /* in time */
	unsigned plan; /* in the table */
	bool counting; /* system calls, instead of being measured */
};

/*
 * Runs one configuration and returns its result, a new reference. What goes wrong with a run is a
 * result, too; NULL when a signal cut it short.
 */
static json_t *run_once(struct planned_run *c, const struct due_run *turn)
{
	char round[16], position[16], plan[16];
	struct run_words run = c->run;
	struct reason why;
	snprintf(round, sizeof round, "%u", turn->round);
	snprintf(position, sizeof position, "%u", turn->position);
	snprintf(plan, sizeof plan, "%u", turn->plan);
	run_words_add(&run, "--round");
	run_words_add(&run, round);
	run_words_add(&run, "--position");
	run_words_add(&run, position);
	run_words_add(&run, "--plan");
	run_words_add(&run, plan);
	if (turn->counting)
		run_words_add(&run, "--count-syscalls");
	if (turn->counting && c->op_limit == 0) {
		run_words_add(&run, "--runtime");
		run_words_add(&run, COUNTING_RUNTIME_S);
	}
	json_t *result = child_run(&run, c->limit_s, &why);
	if (interrupt_requested()) {
		json_decref(result);
		return NULL;
	}
	if (!result)
		result = run_words_failure(&run, &why);
	if (status_is(result, "unsupported"))
		c->unsupported = true;
	return result;
}

/* Writes the result's line, and keeps what ratios need of it. Takes over `result`. */
static int keep_result(struct comparison_rounds *r, json_t *result, struct reason *why)
{
	char *line = json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(9));
	int rc = line ? results_folder_append(r->folder, line, why)
		      : reason_say_errno(why, ENOMEM, "a result's line");
	free(line);
	r->kept += rc == 0;
	if (rc == 0 && r->progress.until_precise) {
		static const char *const bulky[] = { "histogram", "histogram_uncorrected", "env" };
		for (size_t i = 0; i < sizeof bulky / sizeof *bulky; i++)
			json_object_del(result, bulky[i]);
		grouping_add(&r->measured, result);
	}
	json_decref(result);
	return rc;
}

/*
 * The plan in random order, to be freed: workload and swept value by chance, and for each of these
 * the engines by chance, one right after the other. So an engine and its baseline are neighbours in
 * time, and what disturbs the machine for a few seconds disturbs both.
 */
static unsigned *shuffled_plan(struct comparison_rounds *r)
{
	unsigned engines = r->plan->engine_count, places = r->plan->count / engines;
	unsigned *order = malloc(r->plan->count * sizeof *order);
	unsigned *places_order = malloc(places * sizeof *places_order);
	random_order(&r->random, places_order, places);
	for (unsigned i = 0; i < places; i++) {
		unsigned *group = order + i * engines;
		random_order(&r->random, group, engines);
		for (unsigned e = 0; e < engines; e++)
			group[e] += places_order[i] * engines;
	}
	free(places_order);
	return order;
}

/* Runs every configuration once. Returns 0, -EINTR, or -errno with `why`. */
static int run_round(struct comparison_rounds *r, unsigned round, bool counting, struct reason *why)
{
	unsigned *order = shuffled_plan(r);
	int rc = 0;
	for (unsigned i = 0; i < r->plan->count && rc == 0; i++) {
		struct planned_run *c = &r->plan->runs[order[i]];
		if (!c->unsupported) {
			show_progress(r, c->label);
			struct due_run turn = { round, i, order[i], counting };
			json_t *result = run_once(c, &turn);
			rc = result ? keep_result(r, result, why) : -EINTR;
		}
		r->finished++;
	}
	free(order);
	return rc < 0 ? rc : results_folder_sync(r->folder, why);
}

/* Rounds that only count system calls: not more than there are to be measured. */
static unsigned counting_rounds(const struct comparison_rounds *r, unsigned measured)
{
	if (!r->count_syscalls)
		return 0;
	return measured < COUNTING_ROUNDS ? measured : COUNTING_ROUNDS;
}

/* The shares of the progress bar follow the number of rounds that is expected now. */
static void expect_rounds(struct comparison_rounds *r)
{
	unsigned rounds = rounds_expected(&r->progress);
	r->planned = r->plan->count * (rounds + counting_rounds(r, rounds));
}

static enum precision_state state_of_precision(const struct precision *p)
{
	if (p->ratios == 0)
		return PRECISION_UNREACHABLE;
	if (p->unreached == 0)
		return PRECISION_REACHED;
	return p->unreached == p->lost ? PRECISION_UNREACHABLE : PRECISION_UNREACHED;
}

/* What came of a round, for next_round(). */
static void note_round(struct comparison_rounds *r, int rc)
{
	struct progress *progress = &r->progress;
	progress->interrupted = rc == -EINTR;
	progress->failed = rc < 0 && rc != -EINTR;
	progress->elapsed_s = elapsed_s(r);
	if (rc < 0)
		return;
	progress->rounds_done++;
	if (progress->until_precise) {
		struct precision p =
			precision_so_far(&r->measured, r->plan->baseline, r->wanted_ci_pct);
		progress->precision = state_of_precision(&p);
		progress->rounds_needed = p.rounds_needed;
		r->widest_pct = p.widest_pct;
	}
	expect_rounds(r);
}

enum ending comparison_rounds_run(struct comparison_rounds *r, struct reason *why)
{
	r->begun_ns = clock_ns();
	r->progress.interrupted = interrupt_requested();
	expect_rounds(r);
	while (next_round(&r->progress) == GOES_ON)
		note_round(r, run_round(r, r->progress.rounds_done, false, why));
	/* Apart from the measured rounds: the tracepoint slows every system call down. */
	int rc = 0;
	unsigned counting = counting_rounds(r, r->progress.rounds_done);
	if (r->progress.interrupted || r->progress.failed)
		counting = 0;
	for (unsigned i = 0; rc == 0 && i < counting; i++)
		rc = run_round(r, r->progress.rounds_done + i, true, why);
	r->progress.interrupted |= rc == -EINTR;
	r->progress.failed |= rc < 0 && rc != -EINTR;
	clear_progress(r);
	return next_round(&r->progress);
}

void comparison_rounds_free(struct comparison_rounds *r)
{
	free_grouping(&r->measured);
}
