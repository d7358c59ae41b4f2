/* SPDX-License-Identifier: MIT */
/* What `iolab doctor` finds out: remarks for programs, and their words for a person. */
#ifndef IOLAB_FINDINGS_H
#define IOLAB_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

enum health { GOOD, LIMITED, MISSING };

/* A remark without values: what is examined, or what would help. */
struct said {
	const char *id, *text;
};

struct findings {
	json_t *list; /* owned */
	unsigned engines; /* that can run a workload */
	bool can_compare; /* false: what `iolab compare` cannot do without is missing */
};

/*
 * Adds a finding. `topic` and `cause` are remarks, taken over; `cure` may be NULL. The pieces of a
 * finding are borrowed no longer than the call.
 */
void add_finding_on(struct findings *found, json_t *topic, enum health health,
		    const struct said *cure, json_t *cause);

/* The same for a topic that is always the same words. */
void add_finding(struct findings *found, const struct said *topic, enum health health,
		 const struct said *cure, json_t *cause);

/* Values of a remark that has one; put more into it. A new reference. */
json_t *with_text(const char *name, const char *text);
json_t *with_int(const char *name, int64_t value);

/* Sets `key` to the number, or to "unlimited". */
void put_limit(json_t *values, const char *name, rlim_t limit);

/* The findings on stdout, a line for each cause and each cure. */
void print_findings(const struct findings *found);

#endif
