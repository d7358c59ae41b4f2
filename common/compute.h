/* SPDX-License-Identifier: MIT */
/*
 * CPU work of a fixed amount, to see how much of it overlaps with I/O.
 *
 * The work is a number of turns of a loop. A loop that watches the clock instead would count the
 * time in which the thread did not run as work done. How many turns make a microsecond is
 * calibrated once. The amount is then the same for every engine.
 */
#ifndef IOLAB_COMPUTE_H
#define IOLAB_COMPUTE_H

#include <stdint.h>

/* Loops of compute_loops() per microsecond on this CPU, undisturbed. Takes some 20 ms. */
double compute_calibrate(void);

/* Does the work: a chain of dependent multiplications that no compiler can shorten. */
void compute_loops(uint64_t loops);

#endif
