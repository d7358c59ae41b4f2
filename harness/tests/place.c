/* SPDX-License-Identifier: MIT */
/* Which configurations of a summary may be compared. */
#include "summary/place.h"
#include "tap.h"

static json_t *configuration(const char *panel, const char *x_name, int x)
{
	return json_pack("{s:{s:s}, s:{s:s, s:i}}", "workload", "panel", panel, "config", "x_name",
			 x_name, "x", x);
}

int main(void)
{
	struct tap tap = { 0 };
	json_t *here = configuration("file", "depth", 16),
	       *again = configuration("file", "depth", 16),
	       *deeper = configuration("file", "depth", 64),
	       *elsewhere = configuration("echo", "depth", 16),
	       *swept_otherwise = configuration("file", "rate", 16);
	tap_check(&tap, same_place(here, again), "same panel, same swept value: one place");
	tap_check(&tap,
		  same_panel(here, deeper) && !same_x(here, deeper) && !same_place(here, deeper),
		  "another value is another place in the same panel");
	tap_check(&tap, !same_panel(here, elsewhere) && !same_place(here, elsewhere),
		  "another panel is another place");
	tap_check(&tap, !same_x(here, swept_otherwise) && !same_place(here, swept_otherwise),
		  "16 a second is not a depth of 16");
	json_decref(here);
	json_decref(again);
	json_decref(deeper);
	json_decref(elsewhere);
	json_decref(swept_otherwise);
	return tap_end(&tap);
}
