/* SPDX-License-Identifier: MIT */
/* What `iolab doctor` found: remarks for programs, and their words for a person. */
#ifndef IOLAB_DOCTOR_REPORT_H
#define IOLAB_DOCTOR_REPORT_H

#include <jansson.h>
#include <stdbool.h>

enum health { GOOD, LIMITED, MISSING };

/* A remark without values: what is examined, or what would help. */
struct said {
	const char *id, *text;
};

struct report {
	json_t *findings; /* a list, owned */
	unsigned engines; /* that can do something */
	bool can_compare;
};

/*
 * Adds a finding. `topic` and `cause` are remarks, taken over; `cure` may be NULL. The pieces of a
 * finding are borrowed no longer than the call.
 */
void add_finding_on(struct report *report, json_t *topic, enum health health,
		    const struct said *cure, json_t *cause);

/* The same for a topic that is always the same words. */
void add_finding(struct report *report, const struct said *topic, enum health health,
		 const struct said *cure, json_t *cause);

/* The findings on stdout, a line for each cause and each cure. */
void print_findings(const struct report *report);

#endif
