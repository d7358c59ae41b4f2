/* SPDX-License-Identifier: MIT */
/* Where a figure was measured: everything that could explain why another machine's differs. */
#ifndef IOLAB_ENVIRONMENT_H
#define IOLAB_ENVIRONMENT_H

#include <jansson.h>
#include <stdbool.h>

/*
 * The `env` object of docs/results.md: a new reference, NULL when memory runs out. `test_file` may
 * be NULL, and need not exist yet (its folder must). What cannot be found is null, never guessed.
 */
json_t *environment_json(const char *test_file);

/* Does the key of that name say something about the test file? It is null in runs without one. */
bool environment_is_of_file(const char *key);

/* Version and commit of this program, "0.1 (abc1234)". */
const char *iolab_version(void);

#endif
