/* SPDX-License-Identifier: MIT */
#include "plan/engine_series.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/exit_status.h"
#include "base/interrupt.h"
#include "base/json_folder.h"
#include "base/json_put.h"
#include "base/printable_json.h"
#include "base/remark.h"
#include "meters/idle_host.h"

static error_t parse_once(int key, char *arg, struct argp_state *state)
{
	struct engine_series *series = state->input;
	(void)arg;
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = &series->engines;
	else if (key == 'j')
		choose_document_format(series, "json", NULL, state);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static error_t parse_rounds(int key, char *arg, struct argp_state *state)
{
	struct engine_series *series = state->input;
	if (key == ARGP_KEY_INIT)
		state->child_inputs[1] = &series->order;
	return parse_once(key, arg, state);
}

static const struct argp_option json_option[] = {
	{ "json", 'j', NULL, 0, "print one line of JSON", 0 },
	{ 0 },
};

const struct argp engine_series_argp = {
	.options = json_option,
	.parser = parse_rounds,
	.children = (const struct argp_child[]) { { &engine_choice_argp, 0, NULL, 0 },
						  { &round_choice_argp, 0, NULL, 0 },
						  { 0 } },
};

const struct argp engine_series_once_argp = {
	.options = json_option,
	.parser = parse_once,
	.children = (const struct argp_child[]) { { &engine_choice_argp, 0, NULL, 0 }, { 0 } },
};

void choose_document_format(struct engine_series *s, const char *format,
			    json_t *(*chrome)(const json_t *), const struct argp_state *state)
{
	s->json = strcmp(format, "json") == 0;
	s->print_as = strcmp(format, "chrome") == 0 ? chrome : NULL;
	if (!s->json && !s->print_as && strcmp(format, "table") != 0)
		argp_failure(state, EXIT_USAGE, 0, "--format %s: table, json or chrome", format);
}

void engine_series_begin(struct engine_series *s, int argc, char **argv)
{
	s->argc = argc;
	s->argv = argv;
	s->random.state = s->order.seed;
	interrupt_install(NULL);
	s->idle_baseline = idle_host_json(IDLE_HOST_S);
}

bool engine_series_next(struct engine_series *s, unsigned piece_count, struct turn *turn)
{
	assert(piece_count > 0 && piece_count <= PIECES_MAX);
	if (interrupt_requested())
		return false;
	if (s->rounds_begun == 0 || s->pieces_begun == piece_count) {
		if (s->rounds_begun == s->order.rounds)
			return false;
		random_order(&s->random, s->sequence, piece_count);
		s->rounds_begun++;
		s->pieces_begun = 0;
	}
	*turn = (struct turn) { s->rounds_begun - 1, s->sequence[s->pieces_begun++] };
	return true;
}

json_t *engine_series_document(const struct engine_series *s, json_t *env)
{
	char stamp[32];
	json_t *document = required(json_object());
	put_string(document, "schema", s->schema);
	put_string(document, "time_utc", time_utc(stamp));
	put_new(document, "command", command_json(s->argc, s->argv));
	put_new(document, "env", env);
	put_shared(document, "idle_baseline", s->idle_baseline);
	put_int(document, "rounds", s->rounds_begun);
	put_int(document, "seed", (int64_t)s->order.seed);
	put_bool(document, "interrupted", interrupt_requested());
	return document;
}

json_t *engine_series_not_reached(void)
{
	return remark_new("not_reached", NULL, "interrupted before it ran");
}

/* The other format goes to stdout, and the document itself to the folder. */
static int deliver_as(const struct engine_series *s, const json_t *document, const char *folder)
{
	struct reason why;
	json_t *other = s->print_as(document);
	int delivered = json_deliver(other, true, NULL, NULL);
	json_decref(other);
	if (!folder || json_to_folder(document, folder, s->file_name, &why) == 0)
		return delivered;
	fprintf(stderr, "iolab: %s\n", why.text);
	return EXIT_ERROR;
}

int engine_series_end(struct engine_series *s, json_t *document, int status,
		      void (*print)(const json_t *document))
{
	bool interrupted = json_is_true(json_object_get(document, "interrupted"));
	bool has_table = !s->json && !s->print_as;
	if (has_table) {
		json_t *printable = printable_copy(document);
		print(printable);
		json_decref(printable);
	}
	if (interrupted && has_table)
		printf("\nInterrupted in round %u of %u. The table has what was measured%s%s.\n",
		       s->rounds_begun, s->order.rounds,
		       s->engines.out ? "; no file was written to " : "",
		       s->engines.out ? s->engines.out : "");
	const char *folder = interrupted ? NULL : s->engines.out;
	int delivered = s->print_as ? deliver_as(s, document, folder)
				    : json_deliver(document, s->json, folder, s->file_name);
	json_decref(document);
	engine_choice_free(&s->engines);
	json_decref(s->idle_baseline);
	s->idle_baseline = NULL;
	return interrupted ? EXIT_INTERRUPTED : delivered != EXIT_OK ? delivered : status;
}
