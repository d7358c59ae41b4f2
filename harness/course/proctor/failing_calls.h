/* SPDX-License-Identifier: MIT */
/*
 * Tests for the table of any lab: each system call that the engine makes fails once, with each
 * errno value of its manual page that a correct program can meet. An engine may not hide that (it
 * shows the very value), nor keep anything of what it had made by then.
 */
#ifndef IOLAB_COURSE_FAILING_CALLS_H
#define IOLAB_COURSE_FAILING_CALLS_H

#include "conformance.h"

/* In open(), supports() and attach(): they return it, with the reason in words. */
void open_tells_what_fails(struct subject *s);
void supports_tells_what_fails(struct subject *s);
void attach_tells_what_fails(struct subject *s);

/* In submit() and reap(): it is an operation's result, or the engine says that it is broken. */
void stream_tells_what_fails(struct subject *s);
void file_tells_what_fails(struct subject *s);
void connections_tell_what_fails(struct subject *s); /* on TCP */

/* The test's own listener, in the mode that the engine asks for, and a client that it has not met. */
struct sockaddr_in;
int tcp_listener(const struct subject *s, struct sockaddr_in *at);
int tcp_client(const struct sockaddr_in *at);

#endif
