/* SPDX-License-Identifier: MIT */
/* What a command prints as a table is fit for a terminal; what it delivers as JSON is what it was. */
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "plan/engine_series.h"
#include "tap.h"

static const char hostile[] = "no \033[2J\033]0;title\a device";

static char printed[80];

static void keep_reason(const json_t *document)
{
	snprintf(printed, sizeof printed, "%s", string_at(document, "lanes.reason"));
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
	return tap_end(&tap);
}
