/* SPDX-License-Identifier: MIT */
#include "findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_put.h"
#include "exam_record.h"

json_t *add_finding(json_t *findings, const char *id)
{
	json_t *finding = required(json_object());
	json_t *values = required(json_object());
	put_string(finding, "id", id);
	put_new(finding, "values", values);
	if (json_array_append_new(findings, finding) < 0)
		required(NULL);
	return values;
}

json_t *untrusted_text(const char *text, size_t size)
{
	size_t length = strnlen(text, size), used = 0;
	char *copy = malloc(length + 1);
	for (size_t i = 0; copy && i < length; i++)
		copy[used++] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	json_t *string = required(copy ? json_stringn(copy, used) : NULL);
	free(copy);
	return string;
}

void put_untrusted(json_t *values, const char *key, const char *text)
{
	put_new(values, key, untrusted_text(text, strlen(text)));
}
