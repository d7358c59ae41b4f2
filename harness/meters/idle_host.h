/* SPDX-License-Identifier: MIT */
/* How busy the host is while iolab does nothing: what CPU time elsewhere is to be held against. */
#ifndef IOLAB_IDLE_HOST_H
#define IOLAB_IDLE_HOST_H

#include <jansson.h>
#include <signal.h>

#define IDLE_HOST_S 0.5 /* of looking, before what runs no comparison */

/*
 * Sleeps for `idle_s` seconds and returns "idle_baseline" as docs/results.md describes it, a new
 * reference; null for 0 seconds, where /proc/stat cannot be read, and when a signal came meanwhile
 * (`*interrupted` is set then; it may be NULL).
 */
json_t *idle_host_json(double idle_s, const volatile sig_atomic_t *interrupted);

#endif
