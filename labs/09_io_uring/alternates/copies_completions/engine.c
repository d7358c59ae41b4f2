/* SPDX-License-Identifier: MIT */
/*
 * io_uring: two rings shared with the kernel, one for submissions, one for completions.
 *
 * submit() only writes submission entries (SQEs). reap() makes one io_uring_enter(2), which hands
 * over all of them and waits for completions (CQEs) in the same call. When enough CQEs are there
 * already and there is nothing to hand over, it makes no call at all. The kernel sees to it that
 * nothing blocks: it waits for a socket by polling it, and gives a file operation that would block
 * to a worker thread (io-wq).
 *
 * Plain `io_uring` sets no flags, as a first program would. Each option changes one thing:
 *
 *   fixed_files      Descriptors are registered, so the kernel need not look each one up.
 *   fixed_buffers    Buffers are registered, so their pages are pinned once, not every time.
 *   sqpoll           A kernel thread watches the submission ring. Submitting needs no system call,
 *                    and the thread takes a CPU. It falls asleep after SQPOLL_IDLE_MS without work.
 *                    Waiting still is a system call: this engine sleeps until completions are
 *                    there. With one operation in flight it sleeps for each. A program that spins
 *                    on the completion ring instead spends a second CPU.
 *   sqpoll_shared    The same, but not refused where the polling thread has to share the only CPU,
 *                    to see what that does.
 *   defer_taskrun    Completions are processed only when this thread asks for them, in batches
 *                    (SINGLE_ISSUER and DEFER_TASKRUN, Linux 6.1).
 *   registered_ring  The ring's own descriptor is registered, to save its look-up in each call.
 *   poll_first       A receive waits before it tries. That is right when nothing can be there yet
 *                    (Linux 5.19).
 */
#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "io_engine.h"
#include "lent_ring.h"

enum {
	FIXED_FILES = 1 << 0,
	FIXED_BUFFERS = 1 << 1,
	SQPOLL = 1 << 2,
	DEFER_TASKRUN = 1 << 3,
	REGISTERED_RING = 1 << 4,
	POLL_FIRST = 1 << 5,
	SQPOLL_SHARED = 1 << 6,
	ANY_SQPOLL = SQPOLL | SQPOLL_SHARED,
};

static const struct engine_option options[] = {
	{ "fixed_files", "registered descriptors" },
	{ "fixed_buffers", "registered buffers (files)", .compared = true },
	{ "sqpoll", "a kernel thread polls for submissions; takes a CPU", .compared = true,
	  .other_worker = true },
	{ "defer_taskrun", "completions processed when asked for, in batches (Linux 6.1)",
	  .compared = true },
	{ "registered_ring", "the ring's descriptor registered (Linux 5.18)" },
	{ "poll_first", "receives wait before they try (Linux 5.19)" },
	{ "sqpoll_shared", "as sqpoll, even where its thread must share the only CPU" },
	{ NULL, NULL },
};

/* A deeper engine hands over several times in a batch. The kernel's limit is 32768. */
#define SQ_ENTRIES_MAX 4096

#define SQPOLL_IDLE_MS 100

/* The kernel's limit for one registered buffer. */
#define BUFFER_BYTES_MAX ((size_t)1 << 30)

struct engine {
	struct io_uring ring;
	bool has_ring;
	uint64_t options;
	unsigned depth;
	struct io_op **held; /* [slot]: the last accepted there that nobody called back */
	unsigned calls_back; /* completions of cancels that are still to come */
	bool *unasked; /* [slot]: to be called back, and the ring had no room for that yet */
	unsigned unasked_count;
	struct lent_ring lent;
};

/* Says why the kernel refused a ring: each cause has another cure. */
static int explain_setup(int rc, uint64_t options_asked, struct reason *why)
{
	FILE *file;
	int disabled = 0;
	switch (-rc) {
	case ENOSYS:
		return reason_errno(
			why, "no_io_uring", rc,
			"io_uring_setup: this kernel has no io_uring, or seccomp hides it as "
			"containers do");
	case EPERM:
	case EACCES:
		file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
		if (file && fscanf(file, "%d", &disabled) != 1)
			disabled = 0;
		if (file)
			fclose(file);
		if (disabled)
			return reason_errno(
				why, "io_uring_disabled", rc,
				"io_uring_setup: the sysctl kernel.io_uring_disabled is {sysctl}",
				reason_int("sysctl", disabled));
		return reason_errno(why, "refused_by_seccomp", rc,
				    "{call} is refused, probably by seccomp as in a container",
				    reason_string("call", "io_uring_setup"));
	case ENOMEM:
		return reason_errno(why, "rings_exceed_memlock", rc,
				    "io_uring_setup: the rings exceed RLIMIT_MEMLOCK; raise it "
				    "with ulimit -l, or lower the depth");
	case EINVAL:
		if ((options_asked & ANY_SQPOLL) && (options_asked & DEFER_TASKRUN))
			return reason_errno(why, "sqpoll_with_defer_taskrun", rc,
					    "io_uring_setup: sqpoll and defer_taskrun exclude each "
					    "other, as the polling thread runs the completions");
		if (options_asked & DEFER_TASKRUN)
			return reason_errno(why, "kernel_too_old", rc,
					    "{option} needs Linux {linux}",
					    reason_string("option", "defer_taskrun"),
					    reason_string("linux", "6.1"));
		/* fall through */
	default:
		return reason_errno(why, "io_uring_setup", rc, "io_uring_setup");
	}
}

static int create_ring(struct io_uring *ring, unsigned depth, uint64_t options_asked,
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
	if (options_asked & DEFER_TASKRUN)
		params.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;

	unsigned sq_entries = depth < SQ_ENTRIES_MAX ? depth : SQ_ENTRIES_MAX;
	int rc = io_uring_queue_init_params(sq_entries, ring, &params);
	return rc < 0 ? explain_setup(rc, options_asked, why) : 0;
}

static int opcode_of(enum io_kind kind, uint64_t options_asked)
{
	switch (kind) {
	case IO_READ:
		return options_asked & FIXED_BUFFERS ? IORING_OP_READ_FIXED : IORING_OP_READ;
	case IO_WRITE:
		return options_asked & FIXED_BUFFERS ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE;
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

/* An option that would have no effect is refused: it must not be a mere label. */
static int refuse_pointless_option(uint64_t options_asked, enum io_kind kind, struct reason *why)
{
	bool on_socket = io_kind_is_for_sockets(kind);
	bool moves_bytes = kind == IO_RECV || kind == IO_SEND;
	if (kind == IO_NOP && (options_asked & (FIXED_FILES | FIXED_BUFFERS)))
		reason_set(why, "nothing_to_register",
			   "a no-op has no file and no buffer that could be registered");
	else if (on_socket && (options_asked & FIXED_BUFFERS))
		reason_set(why, "no_fixed_buffers_on_sockets",
			   "recv and send have no form that takes a registered buffer");
	else if (!moves_bytes && (options_asked & POLL_FIRST))
		reason_set(why, "poll_first_is_for_sockets",
			   "poll_first is for receives from sockets");
	else
		return 0;
	return -EOPNOTSUPP;
}

static int uring_supports(const struct engine_config *config, enum io_kind kind,
			  enum io_fd_kind fd_kind, struct reason *why)
{
	(void)fd_kind;
	if (refuse_pointless_option(config->options, kind, why) < 0)
		return -EOPNOTSUPP;
	if ((config->options & SQPOLL) && config->cpu_count < 2) {
		reason_set(why, "needs_second_cpu",
			   "sqpoll needs a CPU of its own for the polling thread, and this process "
			   "has only one (a peer, where there is one, takes another)");
		return -EOPNOTSUPP;
	}

	struct io_uring ring;
	int rc = create_ring(&ring, 1, config->options, why);
	if (rc < 0)
		return rc;
	int opcode = opcode_of(kind, config->options);
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring);
	if (!probe || !io_uring_opcode_supported(probe, opcode)) {
		reason_set(why, "no_opcode",
			   "this kernel's io_uring lacks the operation (opcode {opcode})",
			   reason_int("opcode", opcode));
		rc = -EOPNOTSUPP;
	}
	io_uring_free_probe(probe);
	struct lent_ring lent = { NULL };
	if (rc == 0 && kind == IO_RECV)
		rc = lent_ring_open(&lent, &ring, config, why);
	io_uring_queue_exit(&ring);
	lent_ring_close(&lent);
	return rc;
}

static int register_files(struct engine *e, unsigned max_fds, struct reason *why)
{
	int *fds = malloc(max_fds * sizeof *fds);
	if (!fds)
		return reason_no_memory(why, "registered files");
	for (unsigned i = 0; i < max_fds; i++)
		fds[i] = -1; /* an empty place, for attach() to fill (Linux 5.5) */
	int rc = io_uring_register_files(&e->ring, fds, max_fds);
	free(fds);
	return rc < 0 ? reason_errno(why, "register_files", rc,
				     "registering {files} files (RLIMIT_NOFILE bounds it)",
				     reason_int("files", max_fds))
		      : 0;
}

static int register_buffers(struct engine *e, const struct engine_config *config,
			    struct reason *why)
{
	struct iovec arena = { .iov_base = config->arena, .iov_len = config->arena_len_bytes };
	if (config->arena_len_bytes > BUFFER_BYTES_MAX)
		return reason_errno(why, "too_many_buffer_bytes", EFBIG,
				    "registering {bytes} bytes of buffers, and the kernel takes "
				    "{limit_bytes} at most",
				    reason_int("bytes", (int64_t)config->arena_len_bytes),
				    reason_int("limit_bytes", BUFFER_BYTES_MAX));
	int rc = io_uring_register_buffers(&e->ring, &arena, 1);
	if (rc == -ENOMEM)
		return reason_errno(why, "buffers_exceed_memlock", rc,
				    "registering {bytes} bytes of buffers exceeds RLIMIT_MEMLOCK; "
				    "raise it with ulimit -l, or lower --depth or --bs",
				    reason_int("bytes", (int64_t)config->arena_len_bytes));
	return rc < 0 ? reason_errno(why, "register_buffers", rc, "registering the buffers") : 0;
}

static void uring_close(struct engine *e)
{
	if (e->has_ring)
		io_uring_queue_exit(&e->ring);
	lent_ring_close(&e->lent);
	free(e->held);
	free(e->unasked);
	free(e);
}

static int uring_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the io_uring engine");
	e->options = config->options;
	e->depth = config->depth;
	e->held = calloc(config->depth, sizeof(struct io_op *));
	e->unasked = calloc(config->depth, sizeof *e->unasked);
	int rc = e->held && e->unasked ? create_ring(&e->ring, config->depth, config->options, why)
				       : reason_no_memory(why, "the io_uring engine");
	e->has_ring = rc == 0;
	if (rc == 0 && (e->options & FIXED_FILES))
		rc = register_files(e, config->max_fds, why);
	if (rc == 0 && (e->options & FIXED_BUFFERS))
		rc = register_buffers(e, config, why);
	if (rc == 0)
		rc = lent_ring_open(&e->lent, &e->ring, config, why);
	if (rc == 0 && (e->options & REGISTERED_RING)) {
		int registered = io_uring_register_ring_fd(&e->ring); /* 1, or -errno */
		if (registered < 0)
			rc = reason_errno(why, "register_ring", registered,
					  "registering the ring (Linux 5.18)");
	}
	if (rc < 0) {
		uring_close(e);
		return rc;
	}
	*engine = e;
	return 0;
}

static int uring_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			struct reason *why)
{
	(void)fd_kind;
	if (!(e->options & FIXED_FILES))
		return 0;
	int rc = io_uring_register_files_update(&e->ring, fd_slot, &fd, 1);
	return rc < 0 ? reason_errno(why, "register_descriptor", rc, "registering descriptor {fd}",
				     reason_int("fd", fd))
		      : 0;
}

static void uring_detach(struct engine *e, unsigned fd_slot)
{
	int none = -1;
	if (e->options & FIXED_FILES)
		io_uring_register_files_update(&e->ring, fd_slot, &none, 1);
}

/* What the options change in an SQE. After the prep functions, which may clear its flags. */
static void apply_options(const struct engine *e, struct io_uring_sqe *sqe, const struct io_op *op)
{
	bool is_of_file = op->kind == IO_READ || op->kind == IO_WRITE;
	if (e->options & FIXED_FILES) {
		sqe->fd = (int)op->fd_slot;
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	if ((e->options & FIXED_BUFFERS) && is_of_file)
		sqe->opcode = (uint8_t)opcode_of(op->kind, e->options);
	if ((e->options & POLL_FIRST) && op->kind == IO_RECV)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	if (op->kind == IO_RECV && !op->buf)
		lent_ring_prepare(sqe);
}

static void prepare(const struct engine *e, struct io_uring_sqe *sqe, struct io_op *op)
{
	switch ((enum io_kind)op->kind) {
	case IO_READ:
		io_uring_prep_read(sqe, op->fd, op->buf, op->len_bytes, op->offset);
		break;
	case IO_WRITE:
		io_uring_prep_write(sqe, op->fd, op->buf, op->len_bytes, op->offset);
		break;
	case IO_FSYNC:
		io_uring_prep_fsync(sqe, op->fd, 0);
		break;
	case IO_FDATASYNC:
		io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
		break;
	case IO_RECV:
		io_uring_prep_recv(sqe, op->fd, op->buf, op->len_bytes, 0);
		break;
	case IO_SEND:
		io_uring_prep_send(sqe, op->fd, op->buf, op->len_bytes, MSG_NOSIGNAL);
		break;
	case IO_ACCEPT:
		io_uring_prep_accept(sqe, op->fd, NULL, NULL, SOCK_CLOEXEC);
		break;
	case IO_CONNECT:
		io_uring_prep_connect(sqe, op->fd, op->buf, op->len_bytes);
		break;
	default:
		io_uring_prep_nop(sqe);
		break;
	}
	/* After prep: older libraries clear user_data there. */
	io_uring_sqe_set_data(sqe, op);
	apply_options(e, sqe, op);
}

/*
 * A free SQE, also when the submission ring is full. NULL when the kernel takes nothing. Whoever takes
 * one must fill it: what is in it will be handed over.
 */
static struct io_uring_sqe *take_sqe(struct engine *e)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&e->ring);
	if (sqe)
		return sqe;
	if (io_uring_submit(&e->ring) < 0)
		return NULL;
	sqe = io_uring_get_sqe(&e->ring);
	/*
	 * The polling thread frees entries some time after it took them, perhaps even after the
	 * operations have completed. The wait for that ends early, without an error, when a signal
	 * comes.
	 */
	while (!sqe && (e->options & ANY_SQPOLL) && io_uring_sqring_wait(&e->ring) >= 0)
		sqe = io_uring_get_sqe(&e->ring);
	return sqe;
}

/* Accepts as many as the submission ring has room for. reap() hands them over. */
static int uring_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	unsigned n = 0;
	for (; n < count; n++) {
		struct io_uring_sqe *sqe = n == 0 ? take_sqe(e) : io_uring_get_sqe(&e->ring);
		if (!sqe)
			break;
		prepare(e, sqe, ops[n]);
		e->held[ops[n]->slot] = ops[n];
	}
	return (int)n;
}

/* Makes the one system call of a batch. Returns 0 or -errno. "Nothing yet" is no error. */
static int enter(struct engine *e, unsigned min, int64_t timeout_ns)
{
	struct io_uring_cqe *unused;
	struct __kernel_timespec limit = { .tv_sec = timeout_ns / NS_PER_S,
					   .tv_nsec = timeout_ns % NS_PER_S };
	bool may_wait = min > 0 && timeout_ns != 0;
	int rc = may_wait && timeout_ns > 0
			 ? io_uring_submit_and_wait_timeout(&e->ring, &unused, min, &limit, NULL)
		 : may_wait		      ? io_uring_submit_and_wait(&e->ring, min)
		 : e->options & DEFER_TASKRUN ? io_uring_submit_and_get_events(&e->ring)
					      : io_uring_submit(&e->ring);
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
	struct io_uring_sqe *sqe = take_sqe(e);
	if (sqe)
		prepare(e, sqe, op);
	return sqe;
}

static void forget_unasked(struct engine *e, unsigned slot)
{
	e->unasked_count -= e->unasked[slot];
	e->unasked[slot] = false;
}

/* The operation of a CQE, with its result, or NULL when there is none to hand out. */
static struct io_op *operation_of(struct engine *e, const struct io_uring_cqe *cqe)
{
	struct io_op *op = io_uring_cqe_get_data(cqe);
	if (!op) {
		e->calls_back--;
		return NULL;
	}
	if (cqe->res == -ECANCELED && begin_anew(e, op))
		return NULL;
	if (e->unasked_count > 0)
		forget_unasked(e, op->slot);
	e->held[op->slot] = NULL;
	op->result = cqe->res;
	if (cqe->flags & IORING_CQE_F_BUFFER)
		lent_ring_finish(&e->lent, op, cqe);
	return op;
}

static int reap_once(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	unsigned ready = io_uring_cq_ready(&e->ring);
	bool to_submit = io_uring_sq_ready(&e->ring) > 0;
	bool to_look = ready == 0 && (e->options & DEFER_TASKRUN);
	bool to_call = to_submit || to_look || ready < min;
	if (to_call) {
		int rc = enter(e, ready < min ? min : 0, timeout_ns);
		if (rc < 0)
			return rc;
	}

	/* The entries are copied and given back first; what is done with them comes afterwards. */
	enum { COPIES = 64 };
	unsigned n = 0, count;
	do {
		struct io_uring_cqe *cqes[COPIES], copies[COPIES];
		count = max - n < COPIES ? max - n : COPIES;
		count = count ? io_uring_peek_batch_cqe(&e->ring, cqes, count) : 0;
		for (unsigned i = 0; i < count; i++)
			copies[i] = *cqes[i];
		io_uring_cq_advance(&e->ring, count);
		for (unsigned i = 0; i < count; i++) {
			struct io_op *op = operation_of(e, &copies[i]);
			if (op)
				done[n++] = op;
		}
	} while (count == COPIES);
	return (int)n;
}

/* Returns whether there was an SQE for it. */
static bool prepare_cancel(struct engine *e, struct io_op *op)
{
	struct io_uring_sqe *sqe = take_sqe(e);
	if (!sqe)
		return false;
	io_uring_prep_cancel(sqe, op, 0);
	io_uring_sqe_set_data(sqe, NULL);
	e->calls_back++;
	return true;
}

/*
 * What is already over answers ENOENT. When the kernel takes nothing, and so leaves no room in the ring,
 * reap() asks again.
 */
static void call_back(struct engine *e, struct io_op *op)
{
	if (e->held[op->slot] != op)
		return; /* it is asked back already */
	bool asked = prepare_cancel(e, op);
	e->unasked_count += !asked && !e->unasked[op->slot];
	e->unasked[op->slot] = !asked;
	if (asked)
		e->held[op->slot] = NULL;
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

static void uring_give_back(struct engine *e, void *buf)
{
	lent_ring_give_back(&e->lent, buf);
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
	(void)io_uring_submit(&e->ring);
}

static const struct engine_ops io_uring_engine = {
	.name = IO_ENGINE_NAME("io_uring"),
	.summary = "shared rings, one system call a batch (liburing)",
	.lab = IO_ENGINE_LAB,
	.options = options,
	.supports = uring_supports,
	.open = uring_open,
	.attach = uring_attach,
	.detach = uring_detach,
	.submit = uring_submit,
	.reap = uring_reap,
	.give_back = uring_give_back,
	.cancel_one = uring_cancel_one,
	.cancel = uring_cancel,
	.close = uring_close,
};

IO_ENGINE(io_uring_engine);
