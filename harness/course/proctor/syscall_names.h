/* SPDX-License-Identifier: MIT */
/* System calls that appear in the labs: their names, and which arguments reports show. */
#ifndef IOLAB_COURSE_SYSCALL_NAMES_H
#define IOLAB_COURSE_SYSCALL_NAMES_H

#include <stdbool.h>

/* "read", or "system call 123" (in a buffer that the next call overwrites). */
const char *syscall_name(long number);

/* The arguments to show, a letter each: 'd' a descriptor, 'n' a number, '.' not shown. */
const char *syscall_shape(long number);

/* Is the call one of the words in `names`, as in "read recvfrom"? */
bool syscall_among(long number, const char *names);

#endif
