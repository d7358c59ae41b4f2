/* SPDX-License-Identifier: MIT */
/*
 * One operation through its plain system call, for the engines of the labs after 01: what every
 * interface but libaio and io_uring comes down to in the end. (Lab 01 is about these calls, so it
 * makes its own.)
 */
#ifndef IOLAB_OP_SYSCALL_H
#define IOLAB_OP_SYSCALL_H

#include <sys/socket.h>

#include "io_engine.h"

/*
 * Performs `op` by one system call and returns its result: bytes, or -errno. `msg_flags` goes to
 * recv and send: 0 sleeps until the operation is over, MSG_DONTWAIT answers -EAGAIN instead of
 * sleeping. MSG_NOSIGNAL is added: a peer that went away is -EPIPE, not a dead process.
 */
int64_t op_syscall_once(const struct io_op *op, int msg_flags);

/* The same, again after EINTR: the kernel reports that only when nothing was moved. */
int64_t op_syscall(const struct io_op *op, int msg_flags);

/*
 * The non-blocking try of a readiness engine, once poll or epoll has called `op->fd` ready. Pipes
 * have no MSG_DONTWAIT, and the descriptor is a blocking one: a read returns what is there, and a
 * write of at most PIPE_BUF bytes fits, because POLLOUT promises that much room (pipe(7)). The
 * longer write becomes a short one, which the contract allows. Returns bytes or -errno.
 */
int64_t op_try_when_ready(const struct io_op *op);

#endif
