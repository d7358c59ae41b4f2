/* SPDX-License-Identifier: MIT */
/* Each is the blocking engine with one thing wrong. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mutants.h"
#include "op_queue.h"
#include "op_syscall.h"

struct engine {
	struct op_queue finished;
	unsigned count;
	pthread_t forgotten;
};

static int any_supports(const struct engine_config *config, enum io_kind kind,
			enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	(void)fd_kind;
	(void)why;
	return 0;
}

static int plain_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	(void)config;
	(void)why;
	*engine = calloc(1, sizeof **engine);
	op_queue_init(&(*engine)->finished);
	return 0;
}

static int plain_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		ops[i]->result = op_syscall(ops[i], 0);
		op_queue_push(&e->finished, ops[i]);
	}
	return (int)count;
}

static int plain_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	(void)min;
	(void)timeout_ns;
	return (int)op_queue_take(&e->finished, done, max);
}

static void plain_cancel(struct engine *e)
{
	(void)e;
}

static void plain_close(struct engine *e)
{
	free(e);
}

static int losing_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	if (++e->count == 20)
		return (int)count; /* accepted, and forgotten */
	return plain_submit(e, ops, count);
}

static int doubling_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			 int64_t timeout_ns)
{
	int n = plain_reap(e, done, min, max, timeout_ns);
	if (n > 0 && (unsigned)n < max) {
		done[n] = done[n - 1];
		n++;
	}
	return n;
}

static int lying_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		ops[i]->result = ops[i]->len_bytes; /* without moving a byte */
		op_queue_push(&e->finished, ops[i]);
	}
	return (int)count;
}

static int greedy_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		       int64_t timeout_ns)
{
	(void)max;
	return plain_reap(e, done, min, 8, timeout_ns);
}

static int wrong_place_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct io_op moved = *ops[i];
		moved.offset = 0;
		ops[i]->result = op_syscall(&moved, 0);
		op_queue_push(&e->finished, ops[i]);
	}
	return (int)count;
}

static int hanging_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			int64_t timeout_ns)
{
	if (e->count++ == 3)
		pause();
	return plain_reap(e, done, min, max, timeout_ns);
}

static void fd_leaking_close(struct engine *e)
{
	if (open("/dev/null", O_RDONLY) < 0)
		abort();
	plain_close(e);
}

static void *sleep_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static void thread_leaking_close(struct engine *e)
{
	pthread_create(&e->forgotten, NULL, sleep_for_ever, NULL);
	plain_close(e);
}

static int unblocking_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	fcntl(ops[0]->fd, F_SETFL, fcntl(ops[0]->fd, F_GETFL) | O_NONBLOCK);
	return plain_submit(e, ops, count);
}

static int eintr_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	plain_submit(e, ops, count);
	if (e->count++ == 10)
		ops[0]->result = -EINTR;
	return (int)count;
}

static int stubborn_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	plain_submit(e, ops, count);
	for (unsigned i = 0; i < count; i++)
		while (ops[i]->result == -EAGAIN)
			ops[i]->result = op_syscall(ops[i], 0);
	return (int)count;
}

/* After EINTR the kernel goes on with a connect: the next call waits for it. */
static int hasty_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		bool connects = ops[i]->kind == IO_CONNECT;
		op_queue_finish(&e->finished, ops[i],
				connects ? op_syscall_once(ops[i], 0) : op_syscall(ops[i], 0));
	}
	return (int)count;
}

/* Writes into files until all is written. */
static int writing_on_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	plain_submit(e, ops, count);
	for (unsigned i = 0; i < count; i++) {
		struct io_op rest = *ops[i];
		for (int64_t n = rest.result; rest.kind == IO_WRITE && n > 0;) {
			rest.buf = (char *)rest.buf + n;
			rest.offset += (uint64_t)n;
			rest.len_bytes -= (uint32_t)n;
			n = rest.len_bytes ? op_syscall(&rest, 0) : 0;
		}
	}
	return (int)count;
}

/* Finds what is over at the second call. */
static int dawdling_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			 int64_t timeout_ns)
{
	return e->count++ % 2 ? plain_reap(e, done, min, max, timeout_ns) : 0;
}

#define PLAIN                                                                                      \
	.traits = IO_BLOCKS_IN_SUBMIT, .supports = any_supports, .open = plain_open,               \
	.submit = plain_submit, .reap = plain_reap, .cancel = plain_cancel, .close = plain_close

/* A field that is given twice has the last value: C11 6.7.9p19. Here that is the fault. */
#pragma GCC diagnostic ignored "-Woverride-init"

const struct mutant mutants[] = {
	{ "loses an operation",
	  { .name = "mutant", PLAIN, .submit = losing_submit },
	  "file_read_right_data",
	  "never came back" },
	{ "returns an operation twice",
	  { .name = "mutant", PLAIN, .reap = doubling_reap },
	  "file_read_right_data",
	  "twice" },
	{ "reports bytes that it did not move",
	  { .name = "mutant", PLAIN, .submit = lying_submit },
	  "file_read_right_data",
	  "wrong byte" },
	{ "returns more than max",
	  { .name = "mutant", PLAIN, .traits = 0, .reap = greedy_reap },
	  "reap_keeps_min_and_max",
	  "at most 1" },
	{ "reads from the wrong place",
	  { .name = "mutant", PLAIN, .submit = wrong_place_submit },
	  "file_read_right_data",
	  "wrong byte" },
	{ "hangs",
	  { .name = "mutant", PLAIN, .reap = hanging_reap },
	  "file_read_right_data",
	  "hung" },
	{ "leaks a descriptor",
	  { .name = "mutant", PLAIN, .close = fd_leaking_close },
	  "file_sync",
	  "descriptor" },
	{ "leaks a thread",
	  { .name = "mutant", PLAIN, .close = thread_leaking_close },
	  "file_sync",
	  "thread" },
	{ "sets O_NONBLOCK",
	  { .name = "mutant", PLAIN, .submit = unblocking_submit },
	  "stream_stays_blocking",
	  "flags" },
	{ "takes EINTR for an error",
	  { .name = "mutant", PLAIN, .submit = eintr_submit },
	  "stream_survives_signals",
	  "EINTR" },
	{ "receives again after SO_RCVTIMEO",
	  { .name = "mutant", PLAIN, .submit = stubborn_submit },
	  "socket_receive_timeout_is_an_error",
	  "SIGALRM" },
	{ "does not connect again after EINTR",
	  { .name = "mutant", PLAIN, .submit = hasty_submit },
	  "connection_failing_calls",
	  "EINTR" },
	{ "writes on after a short write into a file",
	  { .name = "mutant", PLAIN, .submit = writing_on_submit },
	  "file_write_up_to_a_limit",
	  "SIGXFSZ" },
	{ "blocks in submit() and does not say so",
	  { .name = "mutant", PLAIN, .traits = 0 },
	  "stream_waits_without_touching",
	  "hung" },
	{ "names a position on a pipe",
	  { .name = "mutant", PLAIN, .submit = wrong_place_submit },
	  "stream_receives_what_is_there",
	  "-29",
	  .flavour = PIPE },
	{ "says that it blocks, and is late nevertheless",
	  { .name = "mutant", PLAIN, .reap = dawdling_reap },
	  "blocking_submit_is_over_at_its_end",
	  "over" },
	{ NULL },
};
