/* SPDX-License-Identifier: MIT */
/*
 * What the commands have in common that run several engines in turn and write one document: their
 * options, rounds in random order, the idle baseline, the head of the document, interruption, and
 * the exit status. A command's own file has its experiment only:
 *
 *     engine_series_begin(&series, argc, argv);
 *     while (engine_series_next(&series, engine_count, &turn))
 *             ...run engine turn.piece in round turn.round
 *     json_t *document = engine_series_document(&series, env);
 *     ...its own fields
 *     return engine_series_end(&series, document, status, print_document);
 */
#ifndef IOLAB_ENGINE_SERIES_H
#define IOLAB_ENGINE_SERIES_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>

#include "plan/engine_choice.h"
#include "random.h"

/* In a round: each engine with each of a few targets. */
#define PIECES_MAX (8 * ENGINES_MAX)

struct engine_series {
	/* Set by the command, with the defaults of its options. */
	struct engine_choice engines;
	struct round_choice order;
	const char *schema; /* "iolab.timeline.v2" */
	const char *file_name; /* in the results folder: "timeline.json" */

	/* By the options. */
	bool json; /* --json: one line in place of the table */
	/* Another program's format of the document, printed in place of the table; or NULL. */
	json_t *(*print_as)(const json_t *document);

	/* From engine_series_begin() on. */
	int argc;
	char **argv;
	json_t *idle_baseline;
	struct random_stream random;
	unsigned sequence[PIECES_MAX]; /* the order of this round */
	unsigned rounds_begun, pieces_begun; /* the last: in this round */
};

/* What is due now. */
struct turn {
	unsigned round; /* from 0 */
	unsigned piece; /* of work, from 0 */
};

/*
 * Children of a command's own parser, whose input is a struct engine_series: with --rounds and
 * --seed, and without them for a command that runs everything once.
 */
extern const struct argp engine_series_argp, engine_series_once_argp;

/*
 * The value of a command's --format: table, json or chrome; `chrome` makes the last. Ends the program
 * on anything else.
 */
void choose_document_format(struct engine_series *series, const char *format,
			    json_t *(*chrome)(const json_t *document),
			    const struct argp_state *state);

/* Catches signals, and watches the idle host for IDLE_HOST_S. */
void engine_series_begin(struct engine_series *series, int argc, char **argv);

/*
 * The next of `piece_count` pieces of work, which a round has in random order. Returns false when
 * all rounds are done, or a signal asked for the end.
 */
bool engine_series_next(struct engine_series *series, unsigned piece_count, struct turn *turn);

/*
 * The head of the document: what, when, where, how often. Takes over `env`; NULL is null. A new
 * reference.
 */
json_t *engine_series_document(const struct engine_series *series, json_t *env);

/* Why something that a signal came before has no figures, a remark. A new reference. */
json_t *engine_series_not_reached(void);

/*
 * Hands the document over, and frees it and the series: as a table by `print`, which gets a copy that
 * is fit for a terminal, or as JSON; and as a file in the results folder, but never a document that a
 * signal cut short. Returns the exit status: EXIT_INTERRUPTED after a signal, EXIT_ERROR when it
 * could not be written, else `status`.
 */
int engine_series_end(struct engine_series *series, json_t *document, int status,
		      void (*print)(const json_t *document));

#endif
