/* SPDX-License-Identifier: MIT */
#include "op_syscall.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

int64_t op_syscall_once(const struct io_op *op, int msg_flags)
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
	case IO_ACCEPT:
		n = accept4(op->fd, NULL, NULL, SOCK_CLOEXEC);
		break;
	case IO_CONNECT:
		n = connect(op->fd, op->buf, op->len_bytes);
		break;
	default:
		return -EINVAL;
	}
	return n < 0 ? -errno : n;
}

int64_t op_syscall(const struct io_op *op, int msg_flags)
{
	int64_t result;
	do
		result = op_syscall_once(op, msg_flags);
	while (result == -EINTR);
	return result;
}

int64_t op_try_connect(const struct io_op *op)
{
	int64_t result = op_syscall(op, 0);
	if (result == -EAGAIN)
		return -ECONNREFUSED;
	/* EALREADY: a second call, and the connection is not there yet. */
	return result == -EINPROGRESS || result == -EALREADY ? -EAGAIN : result;
}

int64_t op_try_when_ready(const struct io_op *op)
{
	if (op->kind == IO_CONNECT)
		return op_try_connect(op);
	bool on_pipe = op->kind == IO_WRITE && op->offset == IO_NO_OFFSET;
	if (!on_pipe || op->len_bytes <= PIPE_BUF)
		return op_syscall(op, MSG_DONTWAIT);
	struct io_op part = *op;
	part.len_bytes = PIPE_BUF;
	return op_syscall(&part, MSG_DONTWAIT);
}
