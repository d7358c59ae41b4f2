/* SPDX-License-Identifier: MIT */
/*
 * A metric has one home: its row in metrics.c. Results, summaries, ratios, tables, CSV, diffs,
 * predictions, figures, the schema and docs/metrics.md walk these rows; docs/add-a-metric.md shows
 * how to add one.
 */
#ifndef IOLAB_METRIC_H
#define IOLAB_METRIC_H

#include <jansson.h>
#include <stdbool.h>

#include "meters/meter.h"
#include "workloads/workload.h"

/* What a finished run offers the rows that measure. */
struct measured {
	const struct workload *workload; /* its tally is the window's */
	const struct window *window;
	struct usage usage; /* of the window */
	bool open_loop;
};

enum better { BETTER_NEITHER, BETTER_LOWER, BETTER_HIGHER };

/* How a value is written for a person. */
enum shown_as {
	SHOWN_SMALL, /* 0.02, 1.53 */
	SHOWN_WHOLE, /* 3 */
	SHOWN_SCALED, /* 1.23k, 45.6M */
	SHOWN_TIME, /* of nanoseconds: 45.6 us */
};

/* When the table has a column for it. */
enum column_shown {
	COLUMN_NEVER,
	COLUMN_ALWAYS,
	COLUMN_IF_SOME, /* in a panel where a value is above 0 */
};

struct metric {
	const char *name; /* its path in a run's "metrics", and its key in a summary's */
	const char *words; /* for axes and tables, "latency p50" */
	const char *unit; /* behind a value, "ns"; "" for a plain number */
	const char *meaning; /* a sentence for docs/metrics.md */
	enum better better;
	enum shown_as shown_as;
	bool whole; /* an integer */
	bool below_zero; /* may be, within an error; any other is refused where a run is read */
	bool always; /* each run that ended ok has it, imported ones too */

	/*
	 * Where it comes from: at most one of these three. NAN is null: not known, or nothing to
	 * divide by. Without any of them it is part of an object that a run has (a latency).
	 */
	double (*measure)(const struct measured *m); /* when the run is over */
	double (*observe)(void); /* after the window, while the engine is still open */
	double (*derive)(const json_t *metrics, const json_t *idle); /* from a run's "metrics" and
									the idle host's, or NULL */

	bool in_summary; /* has an estimate over the rounds */
	bool apart; /* ... over the runs that counted system calls, which enter nothing else */
	bool ratio; /* is compared with the baseline's, and in a diff */
	bool until_ci; /* --until-ci asks for the precision of that ratio */
	bool bucketed; /* a quantile of a histogram: a ratio is off by up to two half buckets */
	const char *error; /* the metric that tells how far each value may be off, or NULL */
	const char *csv; /* its column in CSV, with the unit, or NULL */
	/*
	 * The text of `iolab run` tells of it in a sentence, or leaves it to --json. Any other has a
	 * line of its own there where it is not 0.
	 */
	bool in_prose;

	struct {
		enum column_shown shown;
		const char *group, *head; /* the two lines above it */
		int width_chars;
	} column; /* in the table */
};

/* Every metric, in the order of tables and columns; the last row has no name. */
extern const struct metric all_metrics[];

/* The rate of the operations: what a comparison is about. */
#define METRIC_RATE "ops_per_s"

#define for_each_metric(m) for (const struct metric *m = all_metrics; m->name; m++)

/* The row of that name; NULL when there is none. */
const struct metric *metric_find(const char *name);

/* A value of a run ("metrics" is its object of that name); NAN when it has none. */
double metric_value(const struct metric *m, const json_t *metrics, const json_t *idle);

/*
 * "metrics" of a run: every row that measures, by its path. Of `observed` (borrowed, may be NULL)
 * come the rows that observe. A new reference.
 */
json_t *metrics_of_run(const struct measured *measured, const json_t *observed);

/* The same for a run of which nothing is known: all are null. A new reference. */
json_t *metrics_unknown(void);

/* What the rows that observe see now. A new reference. */
json_t *metrics_observe(void);

/* Sets `metrics` at the path of the row `name`, which must exist. */
void metric_put(json_t *metrics, const char *name, double value);

/* "metrics" of `iolab list --json`: every row as an object, for programs. A new reference. */
json_t *metrics_described(void);

/* The same of those in a summary, by name: for figures and predictions. A new reference. */
json_t *metrics_in_summary(void);

/* A value in a table, without its unit but where it is scaled: 1.23k, 45.6 us. Returns `text`. */
const char *metric_format(const struct metric *m, double value, char text[16]);

#endif
