/* SPDX-License-Identifier: MIT */
/* A reason is an identifier, values and a text, in memory and as a remark. */
#include "reason.h"

#include <errno.h>
#include <string.h>

#include "base/json_path.h"
#include "base/remark.h"
#include "tap.h"

/* 150 bytes of path. */
#define LONG   "/some/folder/with/a/long/name/that/goes/on/and/on"
#define LONGER LONG LONG LONG

static int limit_exceeded(struct reason *why, int limit)
{
	reason_set(why, "limit_of_test", "{option} needs {needed} descriptors, not {limit}",
		   reason_string("option", "--conns"), reason_int("needed", 264),
		   reason_int("limit", limit));
	return -EMFILE;
}

static json_t *remark_of_limit(int limit)
{
	struct reason why;
	limit_exceeded(&why, limit);
	return remark_of_reason(&why);
}

static void value_tests(struct tap *tap)
{
	json_t *one = remark_of_limit(100), *same = remark_of_limit(100),
	       *two = remark_of_limit(101);
	const json_t *values = json_object_get(one, "values");
	tap_check(tap,
		  remark_is(one, "limit_of_test") && json_object_size(values) == 3 &&
			  strcmp(string_at(values, "option"), "--conns") == 0 &&
			  number_at(values, "needed") == 264 && number_at(values, "limit") == 100,
		  "each value has a name of its own");
	tap_check(tap, strchr(string_at(one, "text"), '1') == NULL,
		  "and the text holds none of them: %s", string_at(one, "text"));
	tap_check(tap, remarks_same(one, same), "equal limits are one reason");
	tap_check(tap, !remarks_same(one, two), "two limits are two");
	char *text = remark_text(one);
	struct reason why;
	struct reason again, other;
	limit_exceeded(&why, 100);
	limit_exceeded(&again, 100);
	limit_exceeded(&other, 101);
	tap_check(tap, reasons_same(&why, &again) && !reasons_same(&why, &other), "in memory, too");
	tap_check(tap,
		  strcmp(text, "--conns needs 264 descriptors, not 100") == 0 &&
			  strcmp(text, why.text) == 0,
		  "people read the same in both: %s", text);
	free(text);
	json_decref(one);
	json_decref(same);
	json_decref(two);
}

static void errno_tests(struct tap *tap)
{
	struct reason why;
	int rc = reason_errno(&why, "file_not_read", EIO, "reading {path}",
			      reason_string("path", LONGER LONGER LONGER));
	tap_check(tap, rc == -EIO && why.error == EIO, "an errno value is returned negative: %d",
		  rc);
	tap_check(tap, strstr(why.text, ": EIO: Input/output error") != NULL,
		  "a long path does not push it out: %s", why.text);
	json_t *failed = remark_of_reason(&why);
	tap_check(tap, strcmp(string_at(failed, "values.errno"), "EIO") == 0,
		  "its name is a value: %s", string_at(failed, "values.errno"));
	reason_errno(&why, "file_not_read", -EACCES, "reading {path}",
		     reason_string("path", LONGER LONGER LONGER));
	json_t *refused = remark_of_reason(&why);
	tap_check(tap, !remarks_same(failed, refused), "another errno value is another reason");
	reason_errno(&why, "file_not_read", 524, "reading {path}", reason_string("path", "x"));
	json_t *nameless = remark_of_reason(&why);
	tap_check(tap, number_at(nameless, "values.errno") == 524,
		  "one without a name is its number: %s", why.text);
	json_decref(failed);
	json_decref(refused);
	json_decref(nameless);
	tap_check(tap,
		  reason_no_memory(NULL, "tests") == -ENOMEM && limit_exceeded(NULL, 1) == -EMFILE,
		  "nobody may want to know the reason");
}

static void string_tests(struct tap *tap)
{
	struct reason why, copy;
	reason_set(&why, "three_names", "{a} and {b}{c}", reason_string("a", "one\033[1m"),
		   reason_string("b", NULL), reason_real("c", 0.25));
	tap_check(tap, strcmp(why.text, "one?[1m and ?0.25") == 0,
		  "no control character, and a '?' for NULL: %s", why.text);
	/* "ä" is two bytes; the last one would not fit whole. */
	char longest[REASON_STRING_BYTES + 2] = "x";
	for (unsigned i = 1; i + 2 < sizeof longest; i += 2)
		memcpy(longest + i, "ä", 3);
	reason_set(&why, "two_names", "{a} and {b}", reason_string("a", longest),
		   reason_string("b", longest));
	copy = why;
	memset(&why, 'x', sizeof why);
	tap_check(tap, strlen(reason_string_at(&copy, 0)) == REASON_STRING_BYTES - 1,
		  "a string is cut at %d bytes: %zu", REASON_STRING_BYTES,
		  strlen(reason_string_at(&copy, 0)));
	tap_check(tap, strcmp(reason_string_at(&copy, 0), reason_string_at(&copy, 1)) == 0,
		  "a copy of a reason has strings of its own");
}

static void cause_tests(struct tap *tap)
{
	struct reason why;
	limit_exceeded(&why, 100);
	json_t *one = remark_because("round_failed", "a round: {cause}", &why);
	json_t *same = remark_because("round_failed", "a round: {cause}", &why);
	limit_exceeded(&why, 101);
	json_t *other = remark_because("round_failed", "a round: {cause}", &why);
	json_t *without = remark_new("round_failed", NULL, "a round");
	char *text = remark_text(one);
	tap_check(tap, strcmp(text, "a round: --conns needs 264 descriptors, not 100") == 0,
		  "a cause is told in its place: %s", text);
	tap_check(tap,
		  remarks_same(one, same) && !remarks_same(one, other) &&
			  !remarks_same(one, without) && !remarks_same(without, one),
		  "two causes are two reasons");
	free(text);
	json_decref(one);
	json_decref(same);
	json_decref(other);
	json_decref(without);
}

static void sentence_tests(struct tap *tap)
{
	struct reason why;
	reason_say(&why, "%d of %d", 1, 2);
	json_t *one = remark_of_reason(&why);
	reason_say(&why, "%d of %d", 1, 3);
	json_t *other = remark_of_reason(&why);
	tap_check(tap, remark_is(one, "unnamed") && !remarks_same(one, other),
		  "what has no identifier is never taken for something else");
	why.text[0] = '\0';
	json_t *none = remark_of_reason(&why);
	tap_check(tap, remark_is(none, "no_reason"), "nor what was never given");
	json_decref(one);
	json_decref(other);
	json_decref(none);
}

int main(void)
{
	struct tap tap = { 0 };
	value_tests(&tap);
	errno_tests(&tap);
	string_tests(&tap);
	cause_tests(&tap);
	sentence_tests(&tap);
	return tap_end(&tap);
}
