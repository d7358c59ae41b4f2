/* SPDX-License-Identifier: MIT */
/* From the ways of many operations to the legs between their moments. */
#ifndef IOLAB_UPCALL_LEGS_H
#define IOLAB_UPCALL_LEGS_H

#include <jansson.h>
#include <stdbool.h>

/* The rounds of one engine on one target: `paths` as upcall_run() answers them, NULL where it failed. */
struct upcall_ways {
	json_t *const *paths; /* [round] */
	unsigned rounds;
	bool of_file;
};

/* How many operations there are. */
unsigned upcall_ops(const struct upcall_ways *ways);

/*
 * A list of the moments that were seen, or are expected and were not, as docs/results.md has them: in
 * the order in which they come in most operations, then those that were not seen. A new reference.
 */
json_t *upcall_legs_json(const struct upcall_ways *ways);

#endif
