/* SPDX-License-Identifier: MIT */
#include "exchange/fio_options.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_put.h"
#include "base/whole_number.h"
#include "printable_text.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* No job runs for 30 years. */
#define SECONDS_MOST 1e9

/* No count among fio's options has a meaning here beyond it. */
#define COUNT_MOST 1000000000

/*
 * Options that set the same thing: the one that comes later counts. bssplit and bsrange go before bs,
 * whatever comes later.
 */
static const char *const same[][2] = {
	{ "rw", "readwrite" },	  { "bs", "blocksize" },	 { "bsrange", "blocksize_range" },
	{ "direct", "buffered" }, { "runtime", "timeout" },	 { "io_size", "io_limit" },
	{ "steadystate", "ss" },  { "rwmixread", "rwmixwrite" },
};

static void forget_same(json_t *options, const char *name)
{
	for (unsigned i = 0; i < LENGTH(same); i++)
		if (strcmp(name, same[i][0]) == 0 || strcmp(name, same[i][1]) == 0) {
			json_object_del(options, same[i][0]);
			json_object_del(options, same[i][1]);
		}
}

static void add_options(json_t *options, const json_t *given)
{
	const char *name;
	json_t *value;
	json_object_foreach ((json_t *)given, name, value) {
		forget_same(options, name);
		if (json_is_string(value))
			put_shared(options, name, value);
		else if (json_is_number(value))
			put_new(options, name, json_sprintf("%.17g", json_number_value(value)));
		else
			put_string(options, name, json_is_false(value) ? "0" : "1");
	}
}

json_t *fio_options_of(const json_t *document, const json_t *job)
{
	json_t *options = required(json_object());
	add_options(options, json_object_get(document, "global options"));
	add_options(options, json_object_get(job, "job options"));
	return options;
}

const char *fio_option(const json_t *options, const char *name, const char *alias)
{
	const json_t *value = json_object_get(options, name);
	if (!value && alias)
		value = json_object_get(options, alias);
	return json_string_value(value);
}

bool fio_option_is_on(const json_t *options, const char *name)
{
	const char *value = fio_option(options, name, NULL);
	return value && (!*value || strtol(value, NULL, 10) != 0);
}

/*
 * With fio's usual kb_base of 1024 k is 1024 and ki is 1000, with 1000 the other way round. Negative
 * for what is not a number.
 */
static double number_of(const json_t *options, const char *text)
{
	static const char units[] = "kmgtp";
	const char *base = fio_option(options, "kb_base", NULL);
	bool k_is_1024 = !base || strcmp(base, "1000") != 0;
	char *end;
	double value = strtod(text, &end);
	const char *unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	bool has_i = unit && tolower((unsigned char)end[1]) == 'i';
	bool any = end != text;
	end += (unit != NULL) + has_i;
	end += tolower((unsigned char)*end) == 'b';
	if (*end || !any || !(value >= 0))
		return -1;
	return value * pow(k_is_1024 != has_i ? 1024 : 1000, unit ? (double)(unit - units + 1) : 0);
}

/* -EINVAL with `why`: the option cannot have this value. */
static int refuse_value(const char *name, const char *value, const char *what, struct reason *why)
{
	char shown[40];
	copy_printable(value, strlen(value), shown, sizeof shown);
	reason_say(why, "%s=%s is not %s", name, shown, what);
	return -EINVAL;
}

int fio_option_count(const json_t *options, const char *name, unsigned usual, unsigned *count,
		     struct reason *why)
{
	const char *value = fio_option(options, name, NULL);
	double number = value ? number_of(options, value) : usual;
	*count = (unsigned)whole_number(number, 0, COUNT_MOST);
	if (number >= 0 && number <= COUNT_MOST)
		return 0;
	return refuse_value(name, value, "a count", why);
}

int fio_option_large(const json_t *options, const char *name, uint64_t *number, struct reason *why)
{
	const char *value = fio_option(options, name, NULL);
	*number = 0;
	if (!value)
		return 0;
	/* As digits it may have more of them than a double. */
	char *end;
	errno = 0;
	*number = strtoull(value, &end, 10);
	if (isdigit((unsigned char)*value) && !*end && errno == 0)
		return 0;
	double rounded = number_of(options, value);
	*number = (uint64_t)whole_number(rounded, 0, INT64_MAX);
	return rounded >= 0 && rounded < 0x1p63 ? 0 : refuse_value(name, value, "a number", why);
}

uint64_t fio_option_bytes(const json_t *options, const char *text)
{
	double bytes = number_of(options, text);
	return bytes >= 1 && bytes < 0x1p62 ? (uint64_t)whole_number(bytes, 0, INT64_MAX) : 0;
}

/* Negative for what is not a time. */
static double seconds_of(const char *text)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {
		{ "", 1 },	{ "s", 1 },	  { "sec", 1 }, { "ms", 1e-3 }, { "msec", 1e-3 },
		{ "us", 1e-6 }, { "usec", 1e-6 }, { "m", 60 },	{ "h", 3600 },	{ "d", 86400 },
	};
	char *end;
	double value = strtod(text, &end);
	for (unsigned i = 0; end > text && value >= 0 && value <= SECONDS_MOST && i < LENGTH(units);
	     i++)
		if (strcasecmp(end, units[i].unit) == 0)
			return value * units[i].seconds;
	return -1;
}

double fio_option_seconds(const json_t *options, const char *name, const char *alias)
{
	const char *text = fio_option(options, name, alias);
	return text ? fmax(seconds_of(text), 0) : 0;
}

int fio_option_check_time(const json_t *options, const char *name, const char *alias,
			  struct reason *why)
{
	const char *text = fio_option(options, name, alias);
	return !text || seconds_of(text) >= 0 ? 0 : refuse_value(name, text, "a time", why);
}

/*
 * Copies the part of "reads,writes,trims" that is for `direction` (0, 1): what is not given is as the
 * last one, and what is empty is as usual.
 */
static void part_for(const char *text, unsigned direction, char part[64])
{
	const char *at = text;
	for (; direction > 0 && strchr(at, ','); direction--)
		at = strchr(at, ',') + 1;
	snprintf(part, 64, "%.*s", (int)strcspn(at, ","), at);
	if (!*part)
		snprintf(part, 64, "4096");
}

/*
 * The one size in "4k", "4k-4k" or "4k/100"; 0 when there are several ("4k-16k", "4k/50:64k/50"), -1
 * when it is none.
 */
static double one_size(const json_t *options, const char *part)
{
	char first[64], last[64];
	size_t length = strcspn(part, "-:/");
	const char *rest = part + length;
	snprintf(first, sizeof first, "%.*s", (int)length, part);
	double bytes = (double)fio_option_bytes(options, first);
	if (bytes < 1 || bytes > UINT32_MAX)
		return -1;
	if (*rest == '/' && !strchr(rest, ':'))
		return bytes;
	if (!*rest)
		return bytes;
	snprintf(last, sizeof last, "%s", rest + 1);
	if (*rest == '-' && (double)fio_option_bytes(options, last) == bytes)
		return bytes;
	return 0;
}

int fio_option_blocks(const json_t *options, bool reads, bool writes, bool random,
		      struct fio_blocks *blocks, struct reason *why)
{
	const char *text = fio_option(options, "bssplit", NULL);
	if (!text)
		text = fio_option(options, "bsrange", "blocksize_range");
	if (!text)
		text = fio_option(options, "bs", "blocksize");
	*blocks = (struct fio_blocks) { .bytes = 4096 };
	if (!text)
		return 0;
	bool by_order = fio_option_is_on(options, "bs_is_seq_rand");
	double bytes[2];
	for (unsigned i = 0; i < 2; i++) {
		char part[64];
		part_for(text, by_order ? random : i, part);
		bytes[i] = one_size(options, part);
	}
	if ((reads && bytes[0] < 0) || (writes && bytes[1] < 0)) {
		char shown[80];
		copy_printable(text, strlen(text), shown, sizeof shown);
		reason_say(why, "bs=%s is not a size of blocks", shown);
		return -EINVAL;
	}
	double size = reads ? bytes[0] : bytes[1];
	if (reads && writes && bytes[0] != bytes[1])
		size = 0;
	blocks->bytes = (uint32_t)whole_number(size, 0, UINT32_MAX);
	if (blocks->bytes == 0)
		blocks->words = text;
	return 0;
}

bool fio_is_listed(const char *name, const char *words)
{
	char pattern[40];
	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");
		snprintf(pattern, sizeof pattern, "%.*s", (int)length, at);
		if (fnmatch(pattern, name, 0) == 0)
			return true;
		at += length;
	}
	return false;
}
