/* SPDX-License-Identifier: MIT */
#include "summary/run_check.h"

#include <string.h>
#include <time.h>

#include "base/json_path.h"
#include "metrics/documents.h"

/* The label is what tables and figures show, and its parts are what tells engines apart. */
static bool is_labelled_rightly(const json_t *run, struct reason *why)
{
	const char *name = string_at(run, "engine.name");
	const char *variant = string_at(run, "engine.variant");
	const char *label = string_at(run, "engine.label");
	size_t length = strlen(name);
	bool right = strncmp(label, name, length) == 0 &&
		     (*variant ? label[length] == ':' && strcmp(label + length + 1, variant) == 0
			       : label[length] == '\0');
	if (!right)
		reason_say(why, "engine.label must be made of name and variant, not \"%.60s\"",
			   label);
	return right;
}

/* Rounds' buckets are added up in one pass over both, so they must lie in order, none in another. */
static bool has_ordered_buckets(const json_t *run, const char *key, struct reason *why)
{
	size_t i;
	const json_t *bucket;
	double end = -1;
	json_array_foreach (json_object_get(json_object_get(run, key), "buckets"), i, bucket) {
		double low = json_number_value(json_array_get(bucket, 0));
		if (low < end) {
			reason_say(why, "%s.buckets.%zu begins before the one before it ends", key,
				   i);
			return false;
		}
		end = json_number_value(json_array_get(bucket, 1));
		if (end <= low) {
			reason_say(why, "%s.buckets.%zu ends where it begins, or before", key, i);
			return false;
		}
	}
	return true;
}

/* The shape lets each digit pass: the 31st of February, the 25th hour. */
static bool has_real_time(const json_t *run, struct reason *why)
{
	const char *text = string_at(run, "time_utc");
	struct tm read = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &read);
	struct tm real = read;
	/* timegm() turns what is no date into the next one that is. */
	bool right = end && *end == '\0' && timegm(&real) >= 0 && real.tm_mday == read.tm_mday &&
		     real.tm_hour == read.tm_hour && real.tm_min == read.tm_min;
	if (!right)
		reason_say(why, "time_utc must be a time, not \"%.40s\"", text);
	return right;
}

static bool has_shape(const json_t *run, struct reason *why)
{
	return document_fits(RUN_SCHEMA, run, why) && is_labelled_rightly(run, why) &&
	       has_ordered_buckets(run, "histogram", why) &&
	       has_ordered_buckets(run, "histogram_uncorrected", why) && has_real_time(run, why);
}

bool run_is_sound(const json_t *run, struct reason *why)
{
	return has_shape(run, why) && run_is_in_range(run, why) && run_numbers_agree(run, why);
}
