/* SPDX-License-Identifier: MIT */
/* System calls that appear in the labs: their names, and which arguments reports show. */
#ifndef IOLAB_COURSE_SYSCALL_NAMES_H
#define IOLAB_COURSE_SYSCALL_NAMES_H

#include <stdbool.h>

#define SYSCALL_NAME_SIZE 40

/* "read"; of a call without a name "system call 123", written to `text`. */
const char *syscall_name(long number, char text[SYSCALL_NAME_SIZE]);

/*
 * The arguments to show, a letter each. By value: 'd' a descriptor or another int, 'n' a number, 'm' a
 * time limit in milliseconds, 's' a signal, 'o' flags of open(2), 'e' and 'h' what epoll_ctl(2) and
 * sigprocmask(2) shall do, 'F' a command of fcntl(2) with its argument. By a pointer: 't' a time limit,
 * 'S' a set of signals, 'B' one of signals that are blocked meanwhile, 'O' an owner of fcntl(2), 'E' an
 * event of epoll_ctl(2). '.' is not shown.
 */
const char *syscall_shape(long number);

/* Is the call one of the words in `names`, as in "read recvfrom"? */
bool syscall_among(long number, const char *names);

#endif
