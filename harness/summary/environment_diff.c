/* SPDX-License-Identifier: MIT */
#include "summary/environment_diff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Another one of these, and the two folders speak of two machines, or of two disks. */
static const char *const machine_keys[] = { "cpu_model", "machine",	   "cpus_online",
					    "governor",	 "virtualization", "filesystem",
					    "device",	 "scheduler" };

static void compare_value(json_t *diff, const char *key, const json_t *a, const json_t *b)
{
	json_t *same = json_object_get(diff, "same");
	if (json_equal(a, b)) {
		json_array_append_new(same, json_string(key));
		return;
	}
	json_t *entry = required(json_object());
	put_string(entry, "key", key);
	put_shared(entry, "a", a);
	put_shared(entry, "b", b);
	json_array_append_new(json_object_get(diff, "differs"), entry);
	for (unsigned i = 0; i < LENGTH(machine_keys); i++)
		if (strcmp(key, machine_keys[i]) == 0)
			json_array_append_new(json_object_get(diff, "incomparable"),
					      json_string(key));
}

/* Every key of `a`, then those that only `b` has. */
static void compare_objects(json_t *diff, const char *prefix, const json_t *a, const json_t *b)
{
	const json_t *sides[] = { a, b };
	for (unsigned side = 0; side < 2; side++) {
		const char *name;
		json_t *value;
		json_object_foreach ((json_t *)sides[side], name, value) {
			const json_t *in_a = json_object_get(a, name);
			const json_t *in_b = json_object_get(b, name);
			char key[128];
			if (side == 1 && in_a)
				continue;
			snprintf(key, sizeof key, "%s%s", prefix, name);
			if (json_is_object(value) && !json_equal(in_a, in_b)) {
				char inner[136];
				snprintf(inner, sizeof inner, "%s.", key);
				compare_objects(diff, inner, in_a, in_b);
			} else {
				compare_value(diff, key, in_a ? in_a : json_null(),
					      in_b ? in_b : json_null());
			}
		}
	}
}

json_t *environment_diff(const json_t *a, const json_t *b)
{
	bool known = json_is_object(a) && json_is_object(b);
	json_t *diff = required(json_object());
	put_bool(diff, "known", known);
	put_new(diff, "differs", required(json_array()));
	put_new(diff, "same", required(json_array()));
	put_new(diff, "incomparable", required(json_array()));
	if (known)
		compare_objects(diff, "", a, b);
	return diff;
}

/* A value as text of at most `size` - 1 bytes; "-" where there is none. */
static const char *words_of(const json_t *value, char *text, size_t size)
{
	if (json_is_string(value)) {
		snprintf(text, size, "%s", json_string_value(value));
	} else if (json_is_integer(value)) {
		snprintf(text, size, "%lld", (long long)json_integer_value(value));
	} else {
		char *dumped = value && !json_is_null(value)
				       ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT)
				       : NULL;
		snprintf(text, size, "%s", dumped ? dumped : "-");
		free(dumped);
	}
	return text;
}

/* "a, b, c" over lines of some 90 characters. */
static void print_list(FILE *out, const char *head, const json_t *names)
{
	size_t i, column = strlen(head);
	json_t *name;
	fputs(head, out);
	json_array_foreach (names, i, name) {
		const char *text = json_string_value(name);
		if (i > 0)
			column += (size_t)fprintf(out, ",");
		if (column + strlen(text) > 92)
			column = (size_t)fprintf(out, "\n   ") - 1;
		column += (size_t)fprintf(out, " %s", text);
	}
	fputc('\n', out);
}

void environment_diff_print(FILE *out, const json_t *diff)
{
	const json_t *differs = json_object_get(diff, "differs");
	const json_t *incomparable = json_object_get(diff, "incomparable");
	size_t i;
	json_t *entry;
	if (!json_is_true(json_object_get(diff, "known"))) {
		fputs("Environment: of one of them it is not known, so anything may differ.\n",
		      out);
		return;
	}
	fputs(json_array_size(differs) ? "What differs in the environment\n"
				       : "The environment is the same.\n",
	      out);
	json_array_foreach (differs, i, entry) {
		char a[512], b[512];
		words_of(json_object_get(entry, "a"), a, sizeof a);
		words_of(json_object_get(entry, "b"), b, sizeof b);
		/* Side by side where both are short. */
		if (strlen(a) <= 34 && strlen(b) <= 34)
			fprintf(out, "  %-30s %-34s  %s\n", string_at(entry, "key"), a, b);
		else
			fprintf(out, "  %s\n    A  %s\n    B  %s\n", string_at(entry, "key"), a, b);
	}
	if (json_array_size(json_object_get(diff, "same")))
		print_list(out, "Same:", json_object_get(diff, "same"));
	if (json_array_size(incomparable) == 0)
		return;
	print_list(out, "Not the same machine or disk:", incomparable);
	fputs("    Throughput, latency and CPU time then tell the two apart, and not their "
	      "software.\n",
	      out);
}
