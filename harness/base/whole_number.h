/* SPDX-License-Identifier: MIT */
/* A number from outside as an integer: C leaves that undefined for what the integer cannot hold. */
#ifndef IOLAB_WHOLE_NUMBER_H
#define IOLAB_WHOLE_NUMBER_H

#include <stdint.h>

/* `value` rounded to a whole number, and cut off at `least` and `most`; a NaN is `least`. */
int64_t whole_number(double value, int64_t least, int64_t most);

#endif
