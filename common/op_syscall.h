/* SPDX-License-Identifier: MIT */
/*
 * One operation through its plain system call, for the engines of the labs after 01. Every
 * interface but libaio and io_uring comes down to these calls in the end. Lab 01 is about them, so
 * it makes its own.
 */
#ifndef IOLAB_OP_SYSCALL_H
#define IOLAB_OP_SYSCALL_H

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "io_engine.h"

/*
 * Performs `op` by one system call and returns its result: bytes, a descriptor, or -errno.
 * `msg_flags` goes to recv and send: 0 sleeps until the operation is over, MSG_DONTWAIT answers
 * -EAGAIN instead of sleeping. MSG_NOSIGNAL is added: a peer that went away is -EPIPE, not a dead
 * process.
 */
int64_t op_syscall_once(const struct io_op *op, int msg_flags);

/*
 * The same, again after EINTR: the kernel reports that only when nothing was moved. A connect goes
 * on in the kernel after EINTR, and the next call waits for it (net/ipv4/af_inet.c).
 */
int64_t op_syscall(const struct io_op *op, int msg_flags);

/*
 * The non-blocking try of a readiness engine, once poll or epoll has called `op->fd` ready. Returns
 * bytes or -errno; -EAGAIN when that was a false alarm.
 *
 * Pipes have no MSG_DONTWAIT, and the descriptor is in blocking mode. A read returns what is there.
 * A write of at most PIPE_BUF bytes fits, because POLLOUT promises that much room (pipe(7)). A
 * longer write is cut to that length: it becomes a short one, which the contract allows. A write to
 * a file, which has an offset, is not cut.
 */
int64_t op_try_when_ready(const struct io_op *op);

/*
 * Begins a CONNECT on a non-blocking socket, or asks how far it is: connect(2) does both. Returns 0
 * or -errno; -EAGAIN when the operation has to wait. A Unix listener whose backlog is full tells
 * nobody when it has room, so that answer (EAGAIN) becomes -ECONNREFUSED.
 */
int64_t op_try_connect(const struct io_op *op);

/*
 * The try of a readiness engine before the kernel has called `op->fd` ready. A send on a socket is
 * tried, since its buffer mostly has room. A connect begins. A receive mostly finds nothing yet,
 * and a pipe cannot be tried. Returns bytes or -errno; -EAGAIN when the operation has to wait.
 */
static inline int64_t op_try_at_once(const struct io_op *op)
{
	if (op->kind == IO_SEND)
		return op_syscall(op, MSG_DONTWAIT);
	return op->kind == IO_CONNECT ? op_try_connect(op) : -EAGAIN;
}

/* What poll(2) must watch for before the call can be made: POLLIN or POLLOUT. */
static inline short op_poll_events(const struct io_op *op)
{
	return io_kind_is_input(op->kind) ? POLLIN : POLLOUT;
}

#endif
