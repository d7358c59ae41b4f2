/* SPDX-License-Identifier: MIT */
/*
 * In a program whose tests.c calls one of these, malloc(3) and its relatives are counted, whoever calls them.
 * Under a sanitizer, which has a malloc of its own, nothing is.
 */
#ifndef IOLAB_COURSE_ALLOCATION_COUNT_H
#define IOLAB_COURSE_ALLOCATION_COUNT_H

struct subject;

/* Calls since the program began. */
unsigned long allocations_made(void);

/* no_allocation_after_open() where they are counted: elsewhere it skips itself. */
void counted_no_allocation_after_open(struct subject *s);

/* Each allocation that open() makes fails once: then it says so, and keeps none of the others. */
void open_keeps_nothing_where_memory_is_short(struct subject *s);

#endif
