/* SPDX-License-Identifier: MIT */
/*
 * io_uring by its three system calls: no library stands between this file and the kernel's rings.
 *
 * submit() only fills in submission entries (SQEs). reap() makes one io_uring_enter(2), which hands over
 * all of them and waits for completions (CQEs) in the same call. Where enough completions are there
 * already and nothing is to be handed over, it makes no call at all.
 *
 *   sqpoll          A kernel thread watches the submission ring. Submitting needs no system call, and
 *                   the thread takes a CPU. It falls asleep after SQPOLL_IDLE_MS without work.
 *   sqpoll_shared   The same, but not refused where the polling thread has to share the only CPU.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "io_engine.h"
#include "rings.h"
#include "uring_refusal.h"

enum {
	SQPOLL = 1 << 0,
	SQPOLL_SHARED = 1 << 1,
	ANY_SQPOLL = SQPOLL | SQPOLL_SHARED,
};

static const struct engine_option options[] = {
	{ "sqpoll", "a kernel thread polls for submissions; takes a CPU", .compared = true,
	  .other_worker = true },
	{ "sqpoll_shared", "as sqpoll, even where its thread must share the only CPU" },
	{ NULL, NULL },
};

/* A deeper engine hands over several times in a batch. The kernel's limit is 32768. */
#define SQ_ENTRIES_MAX 4096

#define SQPOLL_IDLE_MS 100

struct engine {
	struct rings rings;
	unsigned depth;
	struct io_uring_cqe *taken; /* room for `depth` completions, copied out of the ring */
	struct io_op **held; /* [slot]: the last accepted there that nobody called back */
	unsigned calls_back; /* completions of cancels that are still to come */
	bool *unasked; /* [slot]: to be called back, and the ring had no room for that yet */
	unsigned unasked_count;
};

/* The two rings. Each of these is a step of struct ring_steps. */

static int map(struct rings *r, struct ring_memory *memory, size_t len_bytes, uint64_t offset)
{
	void *start;
	int rc = r->calls->map(&start, r->fd, len_bytes, offset);
	if (rc == 0)
		*memory = (struct ring_memory) { start, len_bytes };
	return rc;
}

/* Of rings that are mapped, or a part of them. */
static void close_rings(struct rings *r)
{
	const struct ring_memory *all[] = { &r->sq_memory, &r->cq_memory, &r->sqe_memory };
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i]->start)
			munmap(all[i]->start, all[i]->len_bytes);
	close(r->fd);
}

/* A field of a ring, or the first one of an array. */
static void *at(const struct ring_memory *memory, uint32_t offset_bytes)
{
	return (char *)memory->start + offset_bytes;
}

/*
 * mmap(2) of the ring's descriptor brings three pieces of memory. (With IORING_FEAT_SINGLE_MMAP the two
 * rings are one. Two mappings of it are right all the same.)
 */
static int map_rings(struct rings *r, const struct io_uring_params *params)
{
	const struct io_sqring_offsets *sq = &params->sq_off;
	const struct io_cqring_offsets *cq = &params->cq_off;
	int rc = map(r, &r->sq_memory, sq->array + params->sq_entries * sizeof(uint32_t),
		     IORING_OFF_SQ_RING);
	if (rc == 0)
		rc = map(r, &r->cq_memory,
			 cq->cqes + params->cq_entries * sizeof(struct io_uring_cqe),
			 IORING_OFF_CQ_RING);
	if (rc == 0)
		rc = map(r, &r->sqe_memory, params->sq_entries * sizeof(struct io_uring_sqe),
			 IORING_OFF_SQES);
	if (rc < 0)
		return rc;

	r->sqes = r->sqe_memory.start;
	r->sq_entries = params->sq_entries;
	r->sq_mask = *(uint32_t *)at(&r->sq_memory, sq->ring_mask);
	r->sq_head = at(&r->sq_memory, sq->head);
	r->sq_tail = at(&r->sq_memory, sq->tail);
	r->sq_flags = at(&r->sq_memory, sq->flags);
	r->sq_filled = *r->sq_tail;
	/* SQEs are used from the last to the first: the ring says which is at its place. */
	uint32_t *array = at(&r->sq_memory, sq->array);
	for (uint32_t i = 0; i < params->sq_entries; i++)
		array[i] = r->sq_mask - i;

	r->cqes = at(&r->cq_memory, cq->cqes);
	r->cq_mask = *(uint32_t *)at(&r->cq_memory, cq->ring_mask);
	r->cq_head = at(&r->cq_memory, cq->head);
	r->cq_tail = at(&r->cq_memory, cq->tail);
	r->cq_taken = *r->cq_head;
	return 0;
}

static int open_rings(struct rings *r, const struct ring_calls *calls, unsigned entries,
		      struct io_uring_params *params)
{
	*r = (struct rings) { .calls = calls };
	r->fd = calls->setup(entries, params);
	if (r->fd < 0)
		return r->fd;
	r->polled = params->flags & IORING_SETUP_SQPOLL;
	int rc = map_rings(r, params);
	if (rc < 0)
		close_rings(r);
	return rc;
}

static struct io_uring_sqe *next_sqe(struct rings *r)
{
	uint32_t head = __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE);
	if (r->sq_filled - head == r->sq_entries)
		return NULL;
	struct io_uring_sqe *sqe = &r->sqes[r->sq_mask - (r->sq_filled++ & r->sq_mask)];
	*sqe = (struct io_uring_sqe) { 0 };
	return sqe;
}

static void publish(struct rings *r)
{
	__atomic_store_n(r->sq_tail, r->sq_filled, __ATOMIC_RELEASE);
}

/* Completions that nobody has taken. */
static unsigned ready(const struct rings *r)
{
	return __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) - r->cq_taken;
}

static unsigned take(struct rings *r, struct io_uring_cqe *taken, unsigned max)
{
	unsigned there = ready(r);
	unsigned count = there < max ? there : max;
	for (unsigned i = 0; i < count; i++) {
		const struct io_uring_cqe *cqe = &r->cqes[(r->cq_taken + i) & r->cq_mask];
		taken[i].user_data = cqe->user_data;
		taken[i].res = cqe->res;
		taken[i].flags = cqe->flags;
	}
	r->cq_taken += count;
	__atomic_store_n(r->cq_head, r->cq_taken, __ATOMIC_RELEASE);
	return count;
}

/* Entries that the kernel has not read. */
static unsigned unsubmitted(const struct rings *r)
{
	return r->sq_filled - __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE);
}

/*
 * Does a published entry need a call, so that the kernel reads it? Then `flags` gets what the call has to
 * say.
 */
static bool must_be_told(const struct rings *r, unsigned *flags)
{
	if (!r->polled)
		return true;
	/* A full barrier, as the kernel's thread has one. Release and acquire do not order these two. */
	__sync_synchronize();
	if (!(__atomic_load_n(r->sq_flags, __ATOMIC_RELAXED) & IORING_SQ_NEED_WAKEUP))
		return false;
	*flags |= IORING_ENTER_SQ_WAKEUP;
	return true;
}

static int wait_for_room(struct rings *r)
{
	unsigned flags = IORING_ENTER_SQ_WAIT;
	(void)must_be_told(r, &flags);
	int rc = r->calls->enter(r->fd, 0, 0, flags, NULL, 0);
	return rc < 0 ? rc : 0;
}

/* Does the kernel hold completions for which the ring had no room? */
static bool overflowed(const struct rings *r)
{
	return __atomic_load_n(r->sq_flags, __ATOMIC_RELAXED) & IORING_SQ_CQ_OVERFLOW;
}

static int enter(struct rings *r, unsigned min, int64_t timeout_ns)
{
	publish(r);
	if (timeout_ns == 0)
		min = 0;
	unsigned to_submit = unsubmitted(r), flags = 0;
	bool needed = to_submit > 0 && must_be_told(r, &flags);
	if (min > 0 || overflowed(r))
		flags |= IORING_ENTER_GETEVENTS;
	if (!needed && flags == 0)
		return 0;

	if (min == 0 || timeout_ns < 0)
		return r->calls->enter(r->fd, to_submit, min, flags, NULL, 0);
	struct __kernel_timespec limit = { .tv_sec = timeout_ns / NS_PER_S,
					   .tv_nsec = timeout_ns % NS_PER_S };
	struct io_uring_getevents_arg argument = { .ts = (uintptr_t)&limit };
	return r->calls->enter(r->fd, to_submit, min, flags | IORING_ENTER_EXT_ARG, &argument,
			       sizeof argument);
}

static const struct ring_steps steps = {
	.open = open_rings,
	.close = close_rings,
	.next_sqe = next_sqe,
	.publish = publish,
	.enter = enter,
	.wait_for_room = wait_for_room,
	.take = take,
};

RING_STEPS(steps);

/* The engine on them. */

static int create_rings(struct rings *rings, unsigned depth, uint64_t options_asked,
			struct reason *why)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		/* Room for every operation and, at the end, for a cancel of every one. */
		.cq_entries = 2 * depth,
		.sq_thread_idle = SQPOLL_IDLE_MS,
	};
	if (options_asked & ANY_SQPOLL)
		params.flags |= IORING_SETUP_SQPOLL;
	unsigned sq_entries = depth < SQ_ENTRIES_MAX ? depth : SQ_ENTRIES_MAX;
	int rc = open_rings(rings, &kernel_calls, sq_entries, &params);
	if (rc < 0)
		return uring_setup_refused(why, rc);
	/* With it come all that rings.h takes for granted: NODROP, and SQ_WAIT. */
	if (!(params.features & IORING_FEAT_EXT_ARG)) {
		close_rings(rings);
		return reason_errno(why, "kernel_too_old", EOPNOTSUPP,
				    "{option} needs Linux {linux}",
				    reason_string("option", "a wait with a time limit in the call"),
				    reason_string("linux", "5.11"));
	}
	return 0;
}

static int opcode_of(enum io_kind kind)
{
	switch (kind) {
	case IO_READ:
		return IORING_OP_READ;
	case IO_WRITE:
		return IORING_OP_WRITE;
	case IO_FSYNC:
	case IO_FDATASYNC:
		return IORING_OP_FSYNC;
	case IO_RECV:
		return IORING_OP_RECV;
	case IO_SEND:
		return IORING_OP_SEND;
	case IO_ACCEPT:
		return IORING_OP_ACCEPT;
	case IO_CONNECT:
		return IORING_OP_CONNECT;
	default:
		return IORING_OP_NOP;
	}
}

/* The kernel has a list of what it can do (Linux 5.6). */
static int find_opcode(const struct rings *rings, unsigned opcode, struct reason *why)
{
	enum { OPCODES = 256 }; /* sqe->opcode is a byte */
	struct io_uring_probe *probe =
		calloc(1, sizeof *probe + OPCODES * sizeof(struct io_uring_probe_op));
	if (!probe)
		return reason_no_memory(why, "the list of operations");
	int rc = rings->calls->enroll(rings->fd, IORING_REGISTER_PROBE, probe, OPCODES);
	bool has = rc >= 0 && opcode <= probe->last_op &&
		   (probe->ops[opcode].flags & IO_URING_OP_SUPPORTED);
	free(probe);
	if (rc < 0)
		return reason_errno(why, "io_uring_register", rc, "io_uring_register");
	if (has)
		return 0;
	reason_set(why, "no_opcode", "this kernel's io_uring lacks the operation (opcode {opcode})",
		   reason_int("opcode", opcode));
	return -EOPNOTSUPP;
}

static int uring_supports(const struct engine_config *config, enum io_kind kind,
			  enum io_fd_kind fd_kind, struct reason *why)
{
	(void)fd_kind;
	if ((config->options & SQPOLL) && config->cpu_count < 2) {
		reason_set(why, "needs_second_cpu",
			   "sqpoll needs a CPU of its own for the polling thread, and this process "
			   "has only one (a peer, where there is one, takes another)");
		return -EOPNOTSUPP;
	}
	struct rings rings;
	int rc = create_rings(&rings, 1, config->options, why);
	if (rc < 0)
		return rc;
	rc = find_opcode(&rings, (unsigned)opcode_of(kind), why);
	close_rings(&rings);
	return rc;
}

static void free_engine(struct engine *e)
{
	free(e->taken);
	free(e->held);
	free(e->unasked);
	free(e);
}

static void uring_close(struct engine *e)
{
	close_rings(&e->rings);
	free_engine(e);
}

static int uring_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the uring_raw engine");
	e->depth = config->depth;
	e->taken = calloc(config->depth, sizeof *e->taken);
	e->held = calloc(config->depth, sizeof(struct io_op *));
	e->unasked = calloc(config->depth, sizeof *e->unasked);
	int rc = e->taken && e->held && e->unasked
			 ? create_rings(&e->rings, config->depth, config->options, why)
			 : reason_no_memory(why, "the uring_raw engine");
	if (rc < 0) {
		free_engine(e);
		return rc;
	}
	*engine = e;
	return 0;
}

/* Fills in an SQE, which is all zero, with what io_uring_enter(2) says for its opcode. */
static void fill_in(struct io_uring_sqe *sqe, struct io_op *op)
{
	sqe->user_data = (uintptr_t)op;
	sqe->opcode = (uint8_t)opcode_of(op->kind);
	sqe->fd = op->fd;
	sqe->addr = (uintptr_t)op->buf;
	switch ((enum io_kind)op->kind) {
	case IO_READ:
	case IO_WRITE:
		sqe->len = op->len_bytes;
		sqe->off = op->offset;
		break;
	case IO_FDATASYNC:
		sqe->fsync_flags = IORING_FSYNC_DATASYNC;
		break;
	case IO_RECV:
		sqe->len = op->len_bytes;
		break;
	case IO_SEND:
		sqe->len = op->len_bytes;
		sqe->msg_flags = MSG_NOSIGNAL;
		break;
	case IO_ACCEPT:
		sqe->accept_flags = SOCK_CLOEXEC;
		break;
	case IO_CONNECT:
		sqe->off = op->len_bytes; /* the address's length: so the manual page has it */
		break;
	default:
		break;
	}
}

/* The next free SQE. Hands over what the ring holds, to have one. NULL when the kernel took none. */
static struct io_uring_sqe *find_room(struct engine *e)
{
	struct io_uring_sqe *sqe = next_sqe(&e->rings);
	if (sqe)
		return sqe;
	if (enter(&e->rings, 0, 0) < 0)
		return NULL; /* short of memory: reap() hands over again, and tells what is wrong */
	sqe = next_sqe(&e->rings);
	/* The wait ends early, without an error, when a signal comes. */
	while (!sqe && e->rings.polled && wait_for_room(&e->rings) == 0)
		sqe = next_sqe(&e->rings);
	return sqe;
}

/* Accepts as many as the submission ring has room for. reap() hands them over. */
static int uring_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	unsigned n = 0;
	for (; n < count; n++) {
		struct io_uring_sqe *sqe = n == 0 ? find_room(e) : next_sqe(&e->rings);
		if (!sqe)
			break;
		fill_in(sqe, ops[n]);
		e->held[ops[n]->slot] = ops[n];
	}
	return (int)n;
}

/* Makes the one system call of a batch. Returns 0 or -errno. "Nothing yet" is no error. */
static int hand_over(struct engine *e, unsigned min, int64_t timeout_ns)
{
	int rc = enter(&e->rings, min, timeout_ns);
	/*
	 * ETIME: the time is over. EINTR: a signal. EAGAIN, EBUSY: the kernel is short of memory or
	 * wants completions taken first; SQEs that it did not take stay in the ring for the next
	 * call.
	 */
	bool nothing_yet = rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY;
	return rc < 0 && !nothing_yet ? rc : 0;
}

/*
 * Linux 6.1 has a worker thread read a pipe, and when a signal comes before it has begun, the read
 * ends with ECANCELED: an EINTR by another name. Returns whether the operation goes on.
 */
static bool begin_anew(struct engine *e, struct io_op *op)
{
	bool on_pipe = !io_kind_is_for_sockets(op->kind) && op->offset == IO_NO_OFFSET;
	bool called_back = e->held[op->slot] != op;
	if (!on_pipe || called_back)
		return false;
	struct io_uring_sqe *sqe = find_room(e);
	if (sqe)
		fill_in(sqe, op);
	return sqe;
}

static void forget_unasked(struct engine *e, unsigned slot)
{
	e->unasked_count -= e->unasked[slot];
	e->unasked[slot] = false;
}

/* Returns whether an operation is over. */
static bool finish(struct engine *e, const struct io_uring_cqe *cqe)
{
	struct io_op *op = (struct io_op *)(uintptr_t)cqe->user_data;
	if (!op) { /* a cancel's own completion */
		e->calls_back--;
		return false;
	}
	if (cqe->res == -ECANCELED && begin_anew(e, op))
		return false;
	if (e->unasked_count > 0)
		forget_unasked(e, op->slot);
	e->held[op->slot] = NULL;
	op->result = cqe->res;
	return true;
}

static int reap_once(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	unsigned there = ready(&e->rings);
	bool to_submit = unsubmitted(&e->rings) > 0;
	if (to_submit || there < min || overflowed(&e->rings)) {
		int rc = hand_over(e, there < min ? min : 0, timeout_ns);
		if (rc < 0)
			return rc;
	}

	unsigned n = 0, count;
	do {
		unsigned room = max - n;
		count = take(&e->rings, e->taken, room < e->depth ? room : e->depth);
		for (unsigned i = 0; i < count; i++) {
			done[n] = (struct io_op *)(uintptr_t)e->taken[i].user_data;
			n += finish(e, &e->taken[i]);
		}
	} while (count > 0 && n < max);
	return (int)n;
}

/*
 * What is already over answers ENOENT. When the kernel takes nothing, and so leaves no room in the ring,
 * reap() asks again.
 */
static void call_back(struct engine *e, struct io_op *op)
{
	if (e->held[op->slot] != op)
		return; /* it is asked back already */
	struct io_uring_sqe *sqe = find_room(e);
	e->unasked_count += !sqe && !e->unasked[op->slot];
	e->unasked[op->slot] = !sqe;
	if (!sqe)
		return;
	sqe->opcode = IORING_OP_ASYNC_CANCEL;
	sqe->fd = -1;
	sqe->addr = (uintptr_t)op; /* the user_data that is looked for; its own stays 0 */
	e->held[op->slot] = NULL;
	e->calls_back++;
}

static void ask_again(struct engine *e)
{
	for (unsigned slot = 0; e->unasked_count > 0 && slot < e->depth; slot++) {
		if (!e->unasked[slot])
			continue;
		forget_unasked(e, slot);
		call_back(e, e->held[slot]);
		if (e->unasked[slot])
			break; /* no room even now */
	}
}

/*
 * A cancel's own completion ends a wait that is not for it. So the rest of the time is waited: where as many
 * came as were waited for, and not where the time or a signal ended the wait. While some are still to be asked
 * back nothing is waited for.
 */
static int uring_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	if (e->calls_back == 0 && e->unasked_count == 0)
		return reap_once(e, done, min, max, timeout_ns);
	struct deadline deadline = deadline_after(timeout_ns);
	unsigned n = 0, answers;
	bool goes_on;
	do {
		ask_again(e);
		bool none_unasked = e->unasked_count == 0;
		answers = e->calls_back;
		unsigned wanted = none_unasked && min > n ? min - n : 0;
		int rc = reap_once(e, done + n, wanted, max - n, deadline_left_ns(deadline));
		if (rc < 0)
			return rc;
		n += (unsigned)rc;
		answers -= e->calls_back; /* those that came */
		goes_on = none_unasked ? answers + (unsigned)rc >= wanted
				       : deadline_left_ns(deadline) != 0;
	} while (n < min && n < max && goes_on);
	return (int)n;
}

/* The next reap() hands the request over. */
static void uring_cancel_one(struct engine *e, struct io_op *op)
{
	call_back(e, op);
}

/* One cancel for each operation works on every kernel. */
static void uring_cancel(struct engine *e)
{
	for (unsigned slot = 0; slot < e->depth; slot++)
		if (e->held[slot])
			call_back(e, e->held[slot]);
	/* What is not handed over now, reap() hands over. */
	(void)enter(&e->rings, 0, 0);
}

static const struct engine_ops uring_raw_engine = {
	.name = IO_ENGINE_NAME("uring_raw"),
	.summary = "shared rings, one system call a batch (three system calls and mmap)",
	.lab = IO_ENGINE_LAB,
	.traits = IO_REPEATS_INTERFACE,
	.options = options,
	.supports = uring_supports,
	.open = uring_open,
	.submit = uring_submit,
	.reap = uring_reap,
	.cancel_one = uring_cancel_one,
	.cancel = uring_cancel,
	.close = uring_close,
};

IO_ENGINE(uring_raw_engine);
