/* SPDX-License-Identifier: MIT */
/* A window in which nothing finished for a while, and everything after that: how long was it? */
#ifndef IOLAB_PAUSE_H
#define IOLAB_PAUSE_H

#include "meters/meter.h"

/*
 * The longest time in which no operation finished, in seconds: two slices of the window at least,
 * and 0.1 s. 0 when there was none; when the window has no slices; and when so few operations
 * finished in the other slices that an empty one may be chance.
 */
double longest_pause_s(const struct window *window);

#endif
