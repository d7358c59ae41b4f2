/* SPDX-License-Identifier: MIT */
/* What differs between the environments of two results folders. */
#ifndef IOLAB_ENVIRONMENT_DIFF_H
#define IOLAB_ENVIRONMENT_DIFF_H

#include <jansson.h>
#include <stdio.h>

/*
 * {known, differs: [{key, a, b}], same: [key], incomparable: [key]} of two `env` objects, a new
 * reference. Keys of inner objects are "limits.nofile". Of what is `incomparable`, throughput
 * depends so much that it says nothing about software. `known` is false when either has no
 * environment.
 */
json_t *environment_diff(const json_t *a, const json_t *b);

/* The same for a person. */
void environment_diff_print(FILE *out, const json_t *diff);

#endif
