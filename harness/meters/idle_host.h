/* SPDX-License-Identifier: MIT */
/* How busy the host is while iolab does nothing: what CPU time elsewhere is to be held against. */
#ifndef IOLAB_IDLE_HOST_H
#define IOLAB_IDLE_HOST_H

#include <jansson.h>

#define IDLE_HOST_S 0.5 /* seconds that a series of runs looks at the idle host first */

/*
 * Sleeps for `idle_s` seconds and returns "idle_baseline" as docs/results.md describes it, a new
 * reference; null for 0 seconds, where /proc/stat cannot be read, and when a signal asked for the
 * end meanwhile.
 */
json_t *idle_host_json(double idle_s);

#endif
