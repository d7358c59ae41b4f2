/* SPDX-License-Identifier: MIT */
/*
 * What a command prints as a table is fit for a terminal; what it delivers as JSON is what it was. A
 * new engine is among those that a command takes by default, by what it says of itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "engines.h"
#include "plan/engine_list.h"
#include "plan/engine_series.h"
#include "tap.h"

static const char hostile[] = "no \033[2J\033]0;title\a device";

static char printed[80];

static void keep_reason(const json_t *document)
{
	snprintf(printed, sizeof printed, "%s", string_at(document, "lanes.reason"));
}

static int newcomer_supports(const struct engine_config *config, enum io_kind kind,
			     enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	(void)why;
	return fd_kind == IO_FD_SOCKET ? -EOPNOTSUPP : 0;
}

static const struct engine_option newcomer_options[] = {
	{ "helped", "another thread makes the calls", .other_worker = true },
	{ "tuned", "a variant to compare", .compared = true },
	{ NULL, NULL },
};

/* Engines of a lab that comes after all others. */
#define NEWCOMER(symbol, ...)                                                                      \
	static const struct engine_ops symbol = { .lab = "99_new", __VA_ARGS__ };                  \
	IO_ENGINE(symbol)

static int refuses_all(const struct engine_config *config, enum io_kind kind,
		       enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	(void)fd_kind;
	(void)why;
	return -EOPNOTSUPP;
}

/* As where seccomp refuses the call: the engine is one of the default, and its row says why not. */
static int refused_here(const struct engine_config *config, enum io_kind kind,
			enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	(void)fd_kind;
	(void)why;
	return -EPERM;
}

NEWCOMER(new_reader, .name = "a_reader", .is_baseline = true, .supports = newcomer_supports,
	 .options = newcomer_options);
NEWCOMER(new_readiness, .name = "b_readiness", .traits = IO_WAITS_FOR_READINESS,
	 .supports = newcomer_supports);
NEWCOMER(new_harness, .name = "c_harness", .traits = IO_MOVES_NO_BYTES,
	 .supports = newcomer_supports);
NEWCOMER(new_not_files, .name = "d_not_files", .supports = refuses_all);
NEWCOMER(new_refused, .name = "e_refused", .supports = refused_here);
NEWCOMER(new_means, .name = "f_other_means", .traits = IO_REPEATS_INTERFACE,
	 .supports = newcomer_supports);

static void check_default(struct tap *tap, struct usual_engines usual, const char *ending,
			  const char *name)
{
	char *list = usual_engine_list(&usual);
	const char *from = list ? strstr(list, ",a_reader") : NULL;
	tap_check(tap, from && strcmp(from + 1, ending) == 0, "%s: expected ...,%s, saw %s", name,
		  ending, list ? list : "none");
	free(list);
}

static void check_defaults(struct tap *tap)
{
	check_default(tap, (struct usual_engines) { VARIANTS_NONE, false },
		      "a_reader,b_readiness,d_not_files,e_refused", "plain engines");
	check_default(tap, (struct usual_engines) { VARIANTS_NONE, true }, "a_reader,e_refused",
		      "engines that read files");
	check_default(tap, (struct usual_engines) { VARIANTS_OTHER_WORKER, true },
		      "a_reader,a_reader:helped,e_refused", "variants with another worker");
	check_default(tap, (struct usual_engines) { VARIANTS_COMPARED, false },
		      "a_reader,a_reader:tuned,b_readiness,d_not_files,e_refused",
		      "variants to compare");
	check_default(tap, (struct usual_engines) { VARIANTS_NONE, true, true },
		      "a_reader,e_refused,f_other_means", "an interface by other means, too");
	tap_check(tap, strcmp(engine_baseline_name(), "blocking") == 0,
		  "the baseline is the first engine that says so, saw %s", engine_baseline_name());
}

static void check_list(struct tap *tap, const char *typed, const char *written_out)
{
	struct word_list list;
	struct reason why = { .text = "" };
	char found[200] = "";
	if (engine_list_split(&list, typed, 6, &why) == 0) {
		for (unsigned i = 0; i < list.count; i++) {
			strcat(found, list.words[i]);
			strcat(found, " ");
		}
		word_list_free(&list);
	}
	tap_check(tap, strcmp(found, written_out) == 0,
		  "--engines %s: expected \"%s\", saw \"%s\" %s", typed, written_out, found,
		  why.text);
}

static void check_lists(struct tap *tap)
{
	check_list(tap, "a_reader:each,null", "a_reader a_reader:helped a_reader:tuned null ");
	check_list(tap, "b_readiness:each", "b_readiness ");
	check_list(tap, "nobody:each,a_reader:eachx,:each", "nobody:each a_reader:eachx :each ");
	check_list(tap, "a_reader:each,a_reader:each",
		   "a_reader a_reader:helped a_reader:tuned a_reader "
		   "a_reader:helped a_reader:tuned ");
	check_list(tap, "a_reader:each,a_reader:each,null", ""); /* more than 6 */
	check_list(tap, "a_reader:each,,null", "");
}

int main(void)
{
	struct tap tap = { 0 };
	struct engine_series series = { .file_name = "series.json" };
	json_t *document = required(json_object()), *lane = required(json_object());
	put_string(lane, "reason", hostile);
	put_new(document, "lanes", lane);
	json_incref(lane);
	int status = engine_series_end(&series, document, 0, keep_reason);
	tap_check(&tap, status == 0 && strcmp(printed, "no ?[2J?]0;title? device") == 0,
		  "a table gets a reason without its control characters: \"%s\"",
		  strchr(printed, '\033') ? "it has some" : printed);
	tap_check(&tap, strcmp(string_at(lane, "reason"), hostile) == 0,
		  "and the document itself stays as it was");
	json_decref(lane);
	check_defaults(&tap);
	check_lists(&tap);
	return tap_end(&tap);
}
