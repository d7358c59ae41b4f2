/* SPDX-License-Identifier: MIT */
#include "plan/engine_choice.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/exit_status.h"
#include "base/number_option.h"
#include "clock.h"
#include "engines.h"
#include "plan/engine_list.h"
#include "plan/rounds.h"

/* Can it read files as the rule wants? What only this machine refuses does not count. */
static bool reads_files(const struct engine_ops *engine)
{
	struct engine_config config = { .depth = 1, .cpu_count = 1 };
	struct reason unused;
	return !(engine->traits & IO_WAITS_FOR_READINESS) &&
	       engine->supports(&config, IO_READ, IO_FD_FILE, &unused) != -EOPNOTSUPP;
}

static bool is_usual_variant(enum usual_variants variants, const struct engine_option *option)
{
	return (variants == VARIANTS_COMPARED && option->compared) ||
	       (variants == VARIANTS_OTHER_WORKER && option->other_worker);
}

char *usual_engine_list(const struct usual_engines *usual)
{
	char *list = NULL;
	size_t size;
	FILE *stream = open_memstream(&list, &size);
	const char *comma = "";
	for (unsigned i = 0; stream && i < engines_count(); i++) {
		const struct engine_ops *engine = engine_at(i);
		if ((engine->traits & IO_MOVES_NO_BYTES) ||
		    ((engine->traits & IO_REPEATS_INTERFACE) && !usual->that_repeat) ||
		    (usual->that_read_files && !reads_files(engine)))
			continue;
		fprintf(stream, "%s%s", comma, engine->name);
		comma = ",";
		for (const struct engine_option *o = engine->options; o && o->name; o++)
			if (is_usual_variant(usual->variants, o))
				fprintf(stream, ",%s:%s", engine->name, o->name);
	}
	if (!stream || fclose(stream) != 0)
		return NULL;
	return list;
}

static void parse_engines(struct engine_choice *choice, struct argp_state *state)
{
	struct reason why;
	if (engine_list_split(&choice->words, choice->list, ENGINES_MAX, &why) < 0)
		argp_error(state, "%s", why.text);
	choice->specs = choice->words.words;
	choice->count = choice->words.count;
	for (unsigned i = 0; i < choice->count; i++) {
		const struct engine_ops *engine;
		uint64_t options;
		if (engine_spec_parse(choice->specs[i], &engine, &options, &why) < 0)
			argp_error(state, "--engines %s: %s", choice->specs[i], why.text);
	}
}

static error_t parse_engine_choice(int key, char *arg, struct argp_state *state)
{
	struct engine_choice *choice = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		choice->list = choice->usual_list = usual_engine_list(&choice->usual);
		if (!choice->list)
			argp_failure(state, EXIT_ERROR, ENOMEM, "the list of engines");
		break;
	case 'e':
		choice->list = arg;
		break;
	case 'o':
		choice->out = arg;
		break;
	case ARGP_KEY_ARGS:
		choice->run_words = state->argv + state->next;
		choice->run_word_count = (unsigned)(state->argc - state->next);
		if (!choice->takes_run_words)
			argp_error(state, "'%s' is not an option; options begin with --",
				   choice->run_words[0]);
		if (strncmp(choice->run_words[0], "--", 2) != 0)
			argp_error(state,
				   "'%s' is not an option; options for the runs come after --",
				   choice->run_words[0]);
		break;
	case ARGP_KEY_END:
		parse_engines(choice, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Each command has its own defaults. argp(3) frees what it gets in place of `text`. */
static char *name_defaults(int key, const char *text, void *input)
{
	const struct engine_choice *choice = input;
	bool names_engines = choice && key == 'e';
	bool names_words = choice && key == ARGP_KEY_HELP_POST_DOC && choice->usual_run_words;
	char *named = NULL;
	size_t size;
	FILE *out = names_engines || names_words ? open_memstream(&named, &size) : NULL;
	if (!out)
		return (char *)text;
	if (names_engines) {
		fprintf(out, "%s (default: ", text);
		for (const char *c = choice->usual_list; *c; c++)
			fputs(*c == ',' ? ", " : (char[]) { *c, '\0' }, out);
		fputc(')', out);
	} else {
		fputs("Options after -- go to every `iolab run`. The default is:", out);
		for (const char *const *word = choice->usual_run_words; *word; word++)
			fprintf(out, " %s", *word);
	}
	fclose(out);
	return named ? named : (char *)text;
}

const struct argp engine_choice_argp = {
	.options =
		(const struct argp_option[]) {
			{ "engines", 'e', "LIST", 0,
			  "engines and variants, separated by commas; io_uring:each is the plain "
			  "engine and each of its options alone",
			  0 },
			{ "out", 'o', "FOLDER", 0, "results folder", 0 },
			{ 0 },
		},
	.parser = parse_engine_choice,
	.help_filter = name_defaults,
};

enum { OPT_ROUNDS = 0x1000, OPT_SEED };

static error_t parse_round_choice(int key, char *arg, struct argp_state *state)
{
	struct round_choice *choice = state->input;
	struct reason why;
	uint64_t rounds = 1;
	switch (key) {
	case OPT_ROUNDS:
		if (number_whole("rounds", arg, 1, ROUNDS_MAX, UNIT_THOUSAND, &rounds, &why) < 0)
			argp_error(state, "%s", why.text);
		choice->rounds = (unsigned)rounds;
		break;
	case OPT_SEED:
		if (number_seed("seed", arg, &choice->seed, &why) < 0)
			argp_error(state, "%s", why.text);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp round_choice_argp = {
	.options =
		(const struct argp_option[]) {
			{ "rounds", OPT_ROUNDS, "N", 0, "run everything N times (default: 5)", 0 },
			{ "seed", OPT_SEED, "N", 0,
			  "seed of the order of runs (default: from the clock; recorded)", 0 },
			{ 0 },
		},
	.parser = parse_round_choice,
};

void engine_choice_free(struct engine_choice *choice)
{
	word_list_free(&choice->words);
	free(choice->usual_list);
	choice->list = choice->usual_list = NULL;
	choice->specs = NULL;
	choice->count = 0;
}

void engine_choice_gather(const struct engine_choice *choice, const char *engine,
			  struct run_words *run)
{
	assert(choice->takes_run_words);
	run_words_begin(run);
	run_words_add(run, "--engine");
	run_words_add(run, engine);
	for (unsigned i = 0; choice->usual_run_words && choice->usual_run_words[i]; i++)
		run_words_add(run, choice->usual_run_words[i]);
	for (unsigned i = 0; i < choice->run_word_count; i++)
		run_words_add(run, choice->run_words[i]);
}

struct round_choice default_rounds(void)
{
	return (struct round_choice) { .rounds = 5, .seed = clock_ns() % 1000000 };
}

double number_option(const struct argp_state *state, const char *option, const char *arg,
		     double least, double most)
{
	struct reason why;
	double value = least;
	if (number_real(option, arg, least, most, &value, &why) < 0)
		argp_error(state, "%s", why.text);
	return value;
}

const char *scratch_folder(void)
{
	const char *folder = getenv("TMPDIR");
	return folder && *folder ? folder : "/var/tmp";
}
