/* SPDX-License-Identifier: MIT */
/* What a ratio shows alone, and beside many others of its metric. */
#include <math.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "metrics/metric.h"
#include "summary/parts.h"
#include "summary/summary.h"
#include "tap.h"

/* `count` ratios from five rounds, each of them `mean`, with an interval of a factor of `half` on both sides. */
static json_t *ratios(unsigned count, double mean, double half)
{
	json_t *configurations = json_array();
	for (unsigned i = 0; i < count; i++) {
		json_t *estimate = json_object(), *ratio = json_object(), *c = json_object();
		put_real(estimate, "mean", mean);
		put_real(estimate, "low", mean / half);
		put_real(estimate, "high", mean * half);
		put_int(estimate, "count", 5);
		put_new(ratio, METRIC_RATE, estimate);
		put_new(c, "ratio", ratio);
		json_array_append_new(configurations, c);
	}
	json_t *without = json_object();
	put_null(without, "ratio");
	json_array_append_new(configurations, without);
	return configurations;
}

static const char *shown(unsigned count, double mean, double half)
{
	static char text[16];
	json_t *configurations = ratios(count, mean, half);
	judge_ratios_together(configurations);
	const json_t *ratio = json_object_get(json_array_get(configurations, 0), "ratio");
	snprintf(text, sizeof text, "%s",
		 string_at(json_object_get(ratio, METRIC_RATE), "verdict_together"));
	json_decref(configurations);
	return text;
}

static void expect_shown(struct tap *tap, unsigned count, double mean, double half,
			 const char *wanted)
{
	const char *found = shown(count, mean, half);
	tap_check(tap, strcmp(found, wanted) == 0, "%u of %.2f, known to a factor of %.2f: %s (%s)",
		  count, mean, half, wanted, found);
}

int main(void)
{
	struct tap tap = { 0 };
	expect_shown(&tap, 1, 1.05, 1.04, VERDICT_HIGHER);
	expect_shown(&tap, 21, 1.05, 1.04, VERDICT_NONE);
	expect_shown(&tap, 21, 1 / 1.05, 1.04, VERDICT_NONE);
	/* With 21, t is 6.9 in place of 2.8: 2.5 times as wide. */
	expect_shown(&tap, 21, 1.05, pow(1.05, 1 / 2.4), VERDICT_NONE);
	expect_shown(&tap, 21, 1.05, pow(1.05, 1 / 2.55), VERDICT_HIGHER);
	expect_shown(&tap, 21, 1 / 1.05, pow(1.05, 1 / 2.55), VERDICT_LOWER);
	return tap_end(&tap);
}
