/* SPDX-License-Identifier: MIT */
#include "base/option_table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/number_option.h"

const struct option_row *option_find(const struct option_row *table, const char *name)
{
	for (const struct option_row *row = table; row && row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

/* memcpy(3), since `base` is the address of more than one kind of structure. */
static void store_whole(const struct option_row *row, char *base, uint64_t value)
{
	char *field = base + row->offset;
	switch (row->field) {
	case FIELD_BOOL:
		memcpy(field, &(bool) { value != 0 }, sizeof(bool));
		break;
	case FIELD_INT:
		memcpy(field, &(int) { (int)value }, sizeof(int));
		break;
	case FIELD_UNSIGNED:
		memcpy(field, &(unsigned) { (unsigned)value }, sizeof(unsigned));
		break;
	case FIELD_UINT64:
		memcpy(field, &value, sizeof value);
		break;
	default:
		assert(!"a row's kind and its field do not fit");
	}
}

uint64_t option_number(const struct option_row *row, const char *base)
{
	unsigned number;
	uint64_t large_number;
	switch (row->field) {
	case FIELD_UNSIGNED:
		memcpy(&number, base + row->offset, sizeof number);
		return number;
	case FIELD_UINT64:
		memcpy(&large_number, base + row->offset, sizeof large_number);
		return large_number;
	default:
		assert(!"the row holds no whole number");
		return 0;
	}
}

static int store_word(const struct option_row *row, char *base, const char *text,
		      struct reason *why)
{
	char known[200] = "";
	for (unsigned i = 0; row->words[i]; i++) {
		if (strcmp(text, row->words[i]) == 0) {
			store_whole(row, base, i);
			return 0;
		}
		assert(strlen(known) + strlen(row->words[i]) + 3 < sizeof known);
		strcat(strcat(known, i ? ", " : ""), row->words[i]);
	}
	reason_say(why, "--%s %s: must be one of %s", row->name, text, known);
	return -EINVAL;
}

int option_store(const struct option_row *row, char *base, const char *text, struct reason *why)
{
	uint64_t whole;
	double real;
	int rc = 0;
	switch (row->kind) {
	case OPTION_FLAG:
		store_whole(row, base, true);
		break;
	case OPTION_COUNT:
	case OPTION_BYTES:
		rc = number_whole(row->name, text, row->least, row->most,
				  row->kind == OPTION_BYTES ? UNIT_KIBI : UNIT_THOUSAND, &whole,
				  why);
		if (rc == 0)
			store_whole(row, base, whole);
		break;
	case OPTION_REAL:
		assert(row->field == FIELD_DOUBLE);
		rc = number_real(row->name, text, row->real_least, row->real_most, &real, why);
		if (rc == 0)
			memcpy(base + row->offset, &real, sizeof real);
		break;
	case OPTION_WORD:
		rc = store_word(row, base, text, why);
		break;
	case OPTION_TEXT:
		assert(row->field == FIELD_TEXT);
		memcpy(base + row->offset, &text, sizeof text);
		break;
	case OPTION_REFUSED:
		reason_say(why, "--%s has no effect here: %s", row->name, row->help);
		rc = -EINVAL;
		break;
	}
	return rc;
}

void option_store_default(const struct option_row *row, char *base)
{
	struct reason why = { "" };
	int rc = row->usual ? option_store(row, base, row->usual, &why) : 0;
	assert(rc == 0);
	(void)rc;
}

bool option_typed(const struct typed_options *typed, const char *name)
{
	for (unsigned i = 0; i < typed->count; i++)
		if (strcmp(typed->list[i].name, name) == 0)
			return true;
	return false;
}
