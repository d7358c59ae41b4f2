/* SPDX-License-Identifier: MIT */
/*
 * Which system calls stop the program. A stop costs ten microseconds and more, and most of a test's time
 * is stops. So the kernel itself lets those calls through of which nothing is ever asked.
 */
#ifndef IOLAB_COURSE_CALL_FILTER_H
#define IOLAB_COURSE_CALL_FILTER_H

/*
 * In the child, once its tracer has asked for PTRACE_O_TRACESECCOMP: from now on each call of this
 * process and of its threads stops it for the tracer, but for memory calls, reading the clock and what
 * the C library does at a thread's start. No call of another architecture is let through. Returns 0 or -1.
 */
int stop_at_calls(void);

#endif
