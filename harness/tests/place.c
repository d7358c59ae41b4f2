/* SPDX-License-Identifier: MIT */
/* Which configurations of a summary may be compared: panels are data, and their texts are not. */
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "summary/first_run.h"
#include "summary/place.h"
#include "tap.h"
#include "workloads/panel.h"

static json_t *parsed(const char *text)
{
	return required(json_loads(text, 0, NULL));
}

static json_t *configuration(const char *panel, const char *x_name, int x)
{
	json_t *entry = required(json_object()), *workload = required(json_object());
	json_t *config = required(json_object());
	put_new(workload, "panel", parsed(panel));
	put_new(entry, "workload", workload);
	put_string(config, "x_name", x_name);
	put_int(config, "x", x);
	put_new(entry, "config", config);
	return entry;
}

#define FILE_4K "{\"id\":\"file\",\"values\":{\"rw\":\"read\",\"bs_bytes\":4096},\"text\":\"file\"}"
#define IN_OTHER_WORDS                                                                             \
	"{\"text\":\"a file\",\"values\":{\"bs_bytes\":4096,\"rw\":\"read\"},\"id\":\"file\"}"
#define FILE_8K "{\"id\":\"file\",\"values\":{\"rw\":\"read\",\"bs_bytes\":8192},\"text\":\"file\"}"
#define ECHO_4K "{\"id\":\"echo\",\"values\":{\"rw\":\"read\",\"bs_bytes\":4096},\"text\":\"file\"}"

static void place_tests(struct tap *tap)
{
	json_t *here = configuration(FILE_4K, "depth", 16);
	json_t *again = configuration(IN_OTHER_WORDS, "depth", 16);
	json_t *deeper = configuration(FILE_4K, "depth", 64);
	json_t *larger = configuration(FILE_8K, "depth", 16);
	json_t *elsewhere = configuration(ECHO_4K, "depth", 16);
	json_t *swept_otherwise = configuration(FILE_4K, "rate", 16);
	tap_check(tap, same_place(here, again), "same values in other words: one place");
	tap_check(tap,
		  same_panel(here, deeper) && !same_x(here, deeper) && !same_place(here, deeper),
		  "another swept value is another place in the same panel");
	tap_check(tap, !same_panel(here, larger) && !same_place(here, larger),
		  "other values in the same words are another panel");
	tap_check(tap, !same_panel(here, elsewhere), "so is another workload");
	tap_check(tap, !same_x(here, swept_otherwise) && !same_place(here, swept_otherwise),
		  "16 a second is not a depth of 16");
	tap_check(tap, !panels_same(NULL, NULL), "no panel is like no panel");
	json_decref(here);
	json_decref(again);
	json_decref(deeper);
	json_decref(larger);
	json_decref(elsewhere);
	json_decref(swept_otherwise);
}

/* What a panel is made of, and what not. */
static void panel_tests(struct tap *tap)
{
	struct reason unread;
	const struct workload_ops *echo = workload_find("echo", &unread);
	json_t *few =
		parsed("{\"transport\":\"tcp\",\"msg_size_bytes\":128,\"conns\":2,\"active\":2}");
	json_t *many =
		parsed("{\"transport\":\"tcp\",\"msg_size_bytes\":128,\"conns\":50,\"active\":50}");
	json_t *silent =
		parsed("{\"transport\":\"tcp\",\"msg_size_bytes\":128,\"conns\":50,\"active\":2}");
	json_t *slow = parsed("{\"compute_us\":2.5,\"verify\":false,\"rate_per_s\":null}");
	json_t *open = parsed("{\"rate_per_s\":1000}");
	json_t *panel = panel_new(echo, few, NULL), *other = panel_new(echo, many, NULL);
	json_t *third = panel_new(echo, silent, NULL), *computing = panel_new(echo, few, slow);
	json_t *paced = panel_new(echo, few, open), *paced_otherwise = panel_new(echo, many, open);
	tap_check(tap, panels_same(panel, other), "the swept value is no part of a panel");
	tap_check(tap, !panels_same(other, third), "how many of them are active is");
	tap_check(tap, !panels_same(panel, computing), "so is what every workload may do");
	tap_check(tap, !panels_same(paced, paced_otherwise),
		  "in an open loop the swept value is another one, so this one is, too");
	tap_check(tap,
		  strcmp(string_at(computing, "text"), "echo tcp 128B, 2.5 us of compute") == 0,
		  "in words: %s", string_at(computing, "text"));
	tap_check(tap, strcmp(string_at(paced, "text"), "echo tcp 128B, open loop, conns 2") == 0,
		  "in words: %s", string_at(paced, "text"));
	json_t *all[] = { few,	 many,	slow,	   open,  silent,	  panel,
			  other, third, computing, paced, paced_otherwise };
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		json_decref(all[i]);
}

#define OLD_RUN(title)                                                                             \
	"{\"workload\":{\"name\":\"echo\",\"panel\":\"" title "\",\"transport\":\"tcp\","          \
	"\"msg_size_bytes\":128,\"conns\":2,\"active\":2,\"slow_conns\":0},\"config\":{}}"

/* A run of the first version has a title in place of a panel. */
static void first_version_tests(struct tap *tap)
{
	struct reason unread;
	json_t *run = parsed(OLD_RUN("echo tcp 128B")),
	       *imported = parsed(OLD_RUN("echo, as found"));
	json_t *damaged = parsed("{\"workload\":{\"name\":\"echo\",\"panel\":{}}}");
	json_t *today =
		panel_new(workload_find("echo", &unread), json_object_get(run, "workload"), NULL);
	first_run_upgrade(run);
	first_run_upgrade(imported);
	first_run_upgrade(damaged);
	const json_t *known = at_path(run, "workload.panel");
	const json_t *unknown = at_path(imported, "workload.panel");
	tap_check(tap, panels_same(known, today), "its panel is the one of today's run");
	tap_check(tap,
		  !panels_same(unknown, today) &&
			  strcmp(string_at(unknown, "values.title"), "echo, as found") == 0,
		  "where its title says more, the title decides");
	tap_check(tap, json_is_object(at_path(damaged, "workload.panel")),
		  "what is damaged stays as it is");
	json_decref(run);
	json_decref(imported);
	json_decref(damaged);
	json_decref(today);
}

int main(void)
{
	struct tap tap = { 0 };
	place_tests(&tap);
	panel_tests(&tap);
	first_version_tests(&tap);
	return tap_end(&tap);
}
