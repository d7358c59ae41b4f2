/* SPDX-License-Identifier: MIT */
/*
 * Options as rows of a table: name, limits, default, help, and the field that takes the value. A
 * workload owns such a table, and so does `iolab run` for what all workloads have in common.
 */
#ifndef IOLAB_OPTION_TABLE_H
#define IOLAB_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reason.h"

enum option_kind {
	OPTION_FLAG, /* takes no value and sets a bool */
	OPTION_COUNT, /* a whole number; k is 1000 */
	OPTION_BYTES, /* a whole number; k is 1024 */
	OPTION_REAL, /* a number with a fraction */
	OPTION_WORD, /* one of `words`; the field gets its index */
	OPTION_TEXT, /* any text, borrowed from argv */
	/* Another table's option, which has no effect here. `help` says why, and names the cure. */
	OPTION_REFUSED,
};

enum option_field {
	FIELD_NONE,
	FIELD_BOOL,
	FIELD_INT,
	FIELD_UNSIGNED, /* enumerations, too */
	FIELD_UINT64,
	FIELD_DOUBLE,
	FIELD_TEXT,
};

struct option_row {
	const char *name; /* NULL ends a table */
	const char *argument; /* as --help names the value; NULL for a flag */
	enum option_kind kind;
	enum option_field field;
	size_t offset; /* of the field, in what option_store() is given */
	bool own; /* for the table's owner: the field lies in a structure of its own */
	uint64_t least, most; /* of a count or a number of bytes */
	double real_least, real_most;
	const char *const *words; /* ended by NULL */
	const char *usual; /* the default, as a person would type it; NULL: the field stays empty */
	const char *help;
	char letter; /* -e, or 0 */
	bool hidden; /* not in --help */
	bool planned; /* `iolab compare` sets it itself, so it must not come after -- */
	bool ends_window; /* with it the window has no length in time, and no warm-up */
};

/* Where a row's value goes: OPTION_FIELD(struct run_config, depth). */
#define OPTION_FIELD(structure, member)                                                            \
	.offset = offsetof(structure, member),                                                     \
	.field = _Generic(((structure *)0)->member,                                                \
		bool: FIELD_BOOL,                                                                  \
		int: FIELD_INT,                                                                    \
		unsigned: FIELD_UNSIGNED,                                                          \
		uint64_t: FIELD_UINT64,                                                            \
		double: FIELD_DOUBLE,                                                              \
		const char *: FIELD_TEXT)

/* NULL when the table (NULL: an empty one) has no row of that name. */
const struct option_row *option_find(const struct option_row *table, const char *name);

/*
 * Parses `text` (NULL for a flag) and stores the value at the row's offset from `base`. Returns 0,
 * or -EINVAL with a `why` that names the option and what it takes.
 */
int option_store(const struct option_row *row, char *base, const char *text, struct reason *why);

/* Stores the default of a row that has one. A default that its own row refuses is a bug. */
void option_store_default(const struct option_row *row, char *base);

/* The value of a row with a whole number. */
uint64_t option_number(const struct option_row *row, const char *base);

/* What a person typed, in that order. The words are argv's. */
struct typed_option {
	const char *name, *text;
};

struct typed_options {
	struct typed_option *list;
	unsigned count;
};

bool option_typed(const struct typed_options *typed, const char *name);

#endif
