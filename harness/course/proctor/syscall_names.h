/* SPDX-License-Identifier: MIT */
/* System calls that appear in the labs: their names, and which arguments reports show. */
#ifndef IOLAB_COURSE_SYSCALL_NAMES_H
#define IOLAB_COURSE_SYSCALL_NAMES_H

#include <stdbool.h>

#define SYSCALL_NAME_SIZE 40

/* "read"; of a call without a name "system call 123", written to `text`. */
const char *syscall_name(long number, char text[SYSCALL_NAME_SIZE]);

/* The arguments to show, a letter each: 'd' a descriptor, 'n' a number, '.' not shown. */
const char *syscall_shape(long number);

/* Is the call one of the words in `names`, as in "read recvfrom"? */
bool syscall_among(long number, const char *names);

#endif
