/* SPDX-License-Identifier: MIT */
/*
 * One operation through its plain system call: what every interface but libaio and io_uring comes
 * down to in the end.
 */
#ifndef IOLAB_OP_SYSCALL_H
#define IOLAB_OP_SYSCALL_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_engine.h"

/*
 * Performs `op` by one system call and returns its result: bytes, or -errno. `msg_flags` goes to
 * recv and send: 0 sleeps until the operation is over, MSG_DONTWAIT answers -EAGAIN instead of
 * sleeping. MSG_NOSIGNAL: a peer that went away is -EPIPE, not a dead process.
 */
static inline int64_t op_syscall_once(const struct io_op *op, int msg_flags)
{
	bool positioned = op->offset != IO_NO_OFFSET;
	ssize_t n;
	switch ((enum io_kind)op->kind) {
	case IO_READ:
		n = positioned ? pread(op->fd, op->buf, op->len_bytes, (off_t)op->offset)
			       : read(op->fd, op->buf, op->len_bytes);
		break;
	case IO_WRITE:
		n = positioned ? pwrite(op->fd, op->buf, op->len_bytes, (off_t)op->offset)
			       : write(op->fd, op->buf, op->len_bytes);
		break;
	case IO_FSYNC:
		n = fsync(op->fd);
		break;
	case IO_FDATASYNC:
		n = fdatasync(op->fd);
		break;
	case IO_RECV:
		n = recv(op->fd, op->buf, op->len_bytes, msg_flags);
		break;
	case IO_SEND:
		n = send(op->fd, op->buf, op->len_bytes, msg_flags | MSG_NOSIGNAL);
		break;
	default:
		return -EINVAL;
	}
	return n < 0 ? -errno : n;
}

/* The same, again after EINTR: the kernel reports that only when nothing was moved. */
static inline int64_t op_syscall(const struct io_op *op, int msg_flags)
{
	int64_t result;
	do
		result = op_syscall_once(op, msg_flags);
	while (result == -EINTR);
	return result;
}

/*
 * The non-blocking try of a readiness engine, once poll or epoll has called `op->fd` ready. Pipes
 * have no MSG_DONTWAIT, and the descriptor is a blocking one: a read returns what is there, and a
 * write of at most PIPE_BUF bytes fits, because POLLOUT promises that much room (pipe(7)). The
 * longer write becomes a short one, which the contract allows.
 */
static inline int64_t op_try_when_ready(const struct io_op *op)
{
	if (op->kind != IO_WRITE || op->len_bytes <= PIPE_BUF)
		return op_syscall(op, MSG_DONTWAIT);
	struct io_op part = *op;
	part.len_bytes = PIPE_BUF;
	return op_syscall(&part, MSG_DONTWAIT);
}

#endif
