/* SPDX-License-Identifier: MIT */
/*
 * In a program whose tests.c calls this, malloc(3) and its relatives are counted, whoever calls them. So
 * no_allocation_after_open() has something to look at, and so has who asks allocations_so_far() (allocations.h):
 * of it only `made` is kept. Under a sanitizer, which has a malloc of its own, nothing is counted.
 */
#ifndef IOLAB_COURSE_ALLOCATION_COUNT_H
#define IOLAB_COURSE_ALLOCATION_COUNT_H

struct subject;

/* no_allocation_after_open(), and a reason for the linker to add the counters to the program. */
void allocates_nothing_after_open(struct subject *s);

#endif
