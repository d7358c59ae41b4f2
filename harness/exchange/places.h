/* SPDX-License-Identifier: MIT */
/*
 * Which round of which configuration an imported run is: jobs of one configuration are its rounds, in
 * the order in which they come. In the table they come after all that is there.
 */
#ifndef IOLAB_PLACES_H
#define IOLAB_PLACES_H

#include <jansson.h>
#include <stdbool.h>

struct places {
	json_t *taken; /* by identity as text: the next "round", and the "plan" of all of its rounds */
	json_t *imported; /* what was imported, as text */
	json_int_t plans; /* how many configurations there are */
	json_int_t rounds; /* of the configuration that has most */
};

/* Of the runs that are there already. */
struct places places_of(const json_t *runs);

/* Frees it. */
void places_free(struct places *places);

/* Is the same result there? A second time it would count twice. */
bool places_has(const struct places *places, const json_t *run);

/* Takes the next round of the run's configuration, and writes it into the run. */
void places_take(struct places *places, json_t *run);

#endif
