/* SPDX-License-Identifier: MIT */
/*
 * blocking, by the numbers of the system calls: a row of a table says which call a kind is and how
 * its arguments are laid out, and syscall(2) makes it. A finished operation waits in the engine's
 * only slot.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io_engine.h"

struct engine {
	struct io_op *finished; /* what submit() has performed and reap() will return */
};

static int blocking_supports(const struct engine_config *config, enum io_kind kind,
			     enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)fd_kind;
	if (kind != IO_NOP)
		return 0;
	reason_set(why, "no_noop_call", "there is no system call that does nothing");
	return -EOPNOTSUPP;
}

static int blocking_open(struct engine **engine, const struct engine_config *config,
			 struct reason *why)
{
	(void)config;
	struct engine *e = malloc(sizeof *e);
	if (!e)
		return reason_no_memory(why, "the blocking engine");
	e->finished = NULL;
	*engine = e;
	return 0;
}

enum { ANYWHERE, AT_AN_OFFSET, PLACES };

/* Beside the descriptor: how many of buffer, length and offset the call takes, and what follows them. */
struct call {
	long number;
	bool takes_buffer, takes_offset;
	long flags;
};

static const struct call calls[IO_KIND_COUNT][PLACES] = {
	[IO_READ] = { { SYS_read, true, false, 0 }, { SYS_pread64, true, true, 0 } },
	[IO_WRITE] = { { SYS_write, true, false, 0 }, { SYS_pwrite64, true, true, 0 } },
	[IO_FSYNC] = { { SYS_fsync, false, false, 0 } },
	[IO_FDATASYNC] = { { SYS_fdatasync, false, false, 0 } },
	[IO_RECV] = { { SYS_recvfrom, true, false, 0 } },
	[IO_SEND] = { { SYS_sendto, true, false, MSG_NOSIGNAL } },
	[IO_ACCEPT] = { { SYS_accept4, false, false, SOCK_CLOEXEC } },
	[IO_CONNECT] = { { SYS_connect, true, false, 0 } },
};

/* read(2) is call 0 on x86-64, so a kind without a call is known by its place. */
static bool has_call(unsigned kind)
{
	return kind < IO_KIND_COUNT && kind != IO_NOP;
}

/* One call. Returns bytes or -errno; a count below len_bytes is a success (a short transfer). */
static int64_t make_call(const struct io_op *op)
{
	if (!has_call(op->kind))
		return -ENOSYS;
	bool moves = op->kind == IO_READ || op->kind == IO_WRITE;
	const struct call *call =
		&calls[op->kind][moves && op->offset != IO_NO_OFFSET ? AT_AN_OFFSET : ANYWHERE];
	long n;
	if (call->takes_offset)
		n = syscall(call->number, op->fd, op->buf, (size_t)op->len_bytes,
			    (off_t)op->offset);
	else if (call->takes_buffer)
		n = syscall(call->number, op->fd, op->buf, (size_t)op->len_bytes, call->flags, NULL,
			    NULL);
	else
		n = syscall(call->number, op->fd, NULL, NULL, call->flags);
	return n < 0 ? -errno : n;
}

/* The same, again after a signal: EINTR says that the call had moved nothing yet. */
static int64_t call(const struct io_op *op)
{
	int64_t result;
	do
		result = make_call(op);
	while (result == -EINTR);
	return result;
}

/*
 * Performs what it accepts here and now. The driver reaps it before it offers the next, so no
 * result waits for the rest of a batch.
 */
static int blocking_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	(void)count;
	if (e->finished)
		return 0;
	ops[0]->result = call(ops[0]);
	e->finished = ops[0];
	return 1;
}

static int blocking_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			 int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	if (!e->finished || max == 0)
		return 0;
	done[0] = e->finished;
	e->finished = NULL;
	return 1;
}

static void blocking_cancel(struct engine *e)
{
	(void)e; /* submit() returned, so the call is over */
}

static void blocking_close(struct engine *e)
{
	free(e);
}

static const struct engine_ops blocking_engine = {
	.name = IO_ENGINE_NAME("blocking"),
	.summary = "one plain system call at a time, inside submit",
	.lab = IO_ENGINE_LAB,
	.traits = IO_BLOCKS_IN_SUBMIT,
	.is_baseline = true,
	.supports = blocking_supports,
	.open = blocking_open,
	.submit = blocking_submit,
	.reap = blocking_reap,
	.cancel = blocking_cancel,
	.close = blocking_close,
};

IO_ENGINE(blocking_engine);
