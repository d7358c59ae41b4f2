/* SPDX-License-Identifier: MIT */
/*
 * io_uring, tuned: a ring as one should ask for it today, and what else one may ask for.
 *
 * The plain engine has one thread alone submit, completions processed only when this thread asks for
 * them, in batches (SINGLE_ISSUER and DEFER_TASKRUN, Linux 6.1), and the ring's own descriptor
 * registered. An older kernel is refused, and no other flags are put in place of these.
 *
 *   multishot        One request receives all that comes on a socket, ahead of those who ask
 *                    (engine_receives.c).
 *   bundle           With multishot: what came since the last completion is one completion, over as many
 *                    buffers as it needs (Linux 6.10).
 *   incremental      With multishot: the kernel fills buffers one after the other, message behind message
 *                    (Linux 6.12).
 *   multishot_accept One request accepts all who come to a listener (engine_accepts.c).
 *   send_zc          The kernel sends from the buffer itself. One completion has the result, and a second
 *                    one says that the kernel needs the buffer no more. Over loopback it copies anyway.
 *   fixed_files      Descriptors are registered, so the kernel need not look each one up. (An accept
 *                    into that table would save a descriptor more. The contract has an ACCEPT return a
 *                    descriptor, which others can use, so it is not done.)
 *   fixed_buffers    Buffers are registered, so their pages are pinned once, not every time.
 *   registered_wait, min_wait   What a wait says, and how long it is (engine_wait.c).
 *   iopoll, hybrid_iopoll   Who waits for a block asks the device for it (engine_polled.c). O_DIRECT only.
 *   no_sqarray       The submission ring has no array of indices: SQEs are taken in their order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "tuned.h"
#include "uring_registered.h"

/* In the order of enum tuned_option. */
static const struct engine_option options[] = {
	{ "multishot", "one request receives all that comes on a socket", .compared = true,
	  .traits = IO_RECEIVES_AHEAD },
	{ "bundle", "a completion may span several buffers (with multishot; Linux 6.10)" },
	{ "incremental", "messages share a buffer (with multishot; Linux 6.12)" },
	{ "multishot_accept", "one request accepts all who come to a listener",
	  .traits = IO_ACCEPTS_AHEAD },
	{ "send_zc", "sends without a copy, and two completions for each (TCP)",
	  .traits = IO_SENDS_UNCOPIED },
	{ "fixed_files", "registered descriptors" },
	{ "fixed_buffers", "registered buffers (files)" },
	{ "registered_wait", "the limits of a wait in registered memory (Linux 6.13)" },
	{ "min_wait", "a wait for one goes on for a while, for more (Linux 6.12)" },
	{ "no_sqarray", "no array of indices in the submission ring (Linux 6.6)" },
	{ "iopoll", "a device is asked until it has the block (O_DIRECT)" },
	{ "hybrid_iopoll", "the same, after a sleep of half of the usual time (Linux 6.13)" },
	{ NULL, NULL },
};

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
		return options_asked & SEND_ZC ? IORING_OP_SEND_ZC : IORING_OP_SEND;
	case IO_ACCEPT:
		return IORING_OP_ACCEPT;
	case IO_CONNECT:
		return IORING_OP_CONNECT;
	default:
		return IORING_OP_NOP;
	}
}

/* An option that would have no effect is refused: it must not be a mere label. */
static int refuse_pointless_option(uint64_t options_asked, enum io_kind kind,
				   enum io_fd_kind fd_kind, struct reason *why)
{
	bool of_blocks = fd_kind == IO_FD_FILE && (kind == IO_READ || kind == IO_WRITE);
	bool on_socket = io_kind_is_for_sockets(kind);
	if (kind == IO_NOP && (options_asked & (FIXED_FILES | FIXED_BUFFERS)))
		reason_set(why, "nothing_to_register",
			   "a no-op has no file and no buffer that could be registered");
	else if (on_socket && (options_asked & FIXED_BUFFERS))
		reason_set(why, "fixed_buffers_are_for_files",
			   "fixed_buffers is for files: a receive has no form that takes a "
			   "registered buffer");
	else if (!on_socket && (options_asked & MULTISHOT))
		reason_set(why, "multishot_is_for_sockets",
			   "multishot is for receives from sockets");
	else if (!of_blocks && (options_asked & ANY_IOPOLL))
		reason_set(why, "iopoll_is_for_blocks",
			   "only a device that holds blocks is polled, for reads and writes");
	else if (!(options_asked & MULTISHOT) && (options_asked & (BUNDLE | INCREMENTAL)))
		reason_set(why, "only_with_multishot",
			   "bundle and incremental change what multishot does, and need it");
	else if (!on_socket && (options_asked & MULTISHOT_ACCEPT))
		reason_set(why, "multishot_accept_is_for_sockets",
			   "multishot_accept is for connections from a listener");
	else if (!on_socket && (options_asked & SEND_ZC))
		reason_set(why, "send_zc_is_for_sockets", "send_zc is for sends to sockets");
	else
		return 0;
	return -EOPNOTSUPP;
}

static int find_opcode(struct io_uring *ring, int opcode, struct reason *why)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	bool has = probe && io_uring_opcode_supported(probe, opcode);
	io_uring_free_probe(probe);
	if (has)
		return 0;
	reason_set(why, "no_opcode", "this kernel's io_uring lacks the operation (opcode {opcode})",
		   reason_int("opcode", opcode));
	return -EOPNOTSUPP;
}

static int uring_supports(const struct engine_config *config, enum io_kind kind,
			  enum io_fd_kind fd_kind, struct reason *why)
{
	if (refuse_pointless_option(config->options, kind, fd_kind, why) < 0)
		return -EOPNOTSUPP;
	struct io_uring ring;
	struct ring_extras extras = { 0 };
	struct buffers buffers = { 0 };
	int rc = tuned_ring_open(&ring, &extras, config, why);
	if (rc < 0)
		return rc;
	rc = find_opcode(&ring, opcode_of(kind, config->options), why);
	if (rc == 0 && kind == IO_SEND && (config->options & SEND_ZC))
		rc = tuned_page_for_each(config->depth, why);
	if (rc == 0 && (config->options & ANY_IOPOLL))
		rc = polled_read_works(&ring, why);
	if (rc == 0 && kind == IO_RECV)
		rc = buffers_open(&buffers, &ring, config, why);
	tuned_ring_close(&ring, &extras);
	buffers_close(&buffers);
	return rc;
}

/* What an option cannot do with this descriptor, although the kernel has it. */
static int refuse_descriptor(uint64_t options_asked, int fd, enum io_fd_kind fd_kind,
			     struct reason *why)
{
	int domain = 0;
	socklen_t size = sizeof domain;
	if ((options_asked & ANY_IOPOLL) && !(fcntl(fd, F_GETFL) & O_DIRECT))
		return reason_errno(why, "iopoll_needs_direct", EOPNOTSUPP,
				    "polling for blocks that come through the page cache");
	if (!(options_asked & SEND_ZC) || fd_kind != IO_FD_SOCKET)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_UNIX)
		return 0;
	return reason_errno(why, "send_zc_needs_ip", EOPNOTSUPP,
			    "send_zc to a Unix socket, which has no sends without a copy");
}

static int uring_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			struct reason *why)
{
	if (refuse_descriptor(e->options, fd, fd_kind, why) < 0)
		return -EOPNOTSUPP;
	return e->options & FIXED_FILES ? uring_register_file(&e->ring, fd_slot, fd, why) : 0;
}

static void uring_detach(struct engine *e, unsigned fd_slot)
{
	if (e->receives)
		receives_detach(e, fd_slot);
	if (e->accepts)
		accepts_detach(e, fd_slot);
	if (e->options & FIXED_FILES)
		uring_forget_file(&e->ring, fd_slot);
}

void tuned_use_fixed_file(const struct engine *e, struct io_uring_sqe *sqe, unsigned fd_slot)
{
	if (!(e->options & FIXED_FILES))
		return;
	sqe->fd = (int)fd_slot;
	sqe->flags |= IOSQE_FIXED_FILE;
}

static void prepare_send(const struct engine *e, struct io_uring_sqe *sqe, const struct io_op *op)
{
	//> 7 With the option send_zc: io_uring_prep_send_zc(), with the same flags and none of its own.
	//+ (void)e;
	if (e->options & SEND_ZC) {
		io_uring_prep_send_zc(sqe, op->fd, op->buf, op->len_bytes, MSG_NOSIGNAL, 0);
		return;
	}
	//< 7
	io_uring_prep_send(sqe, op->fd, op->buf, op->len_bytes, MSG_NOSIGNAL);
}

/*
 * A receive that tries first takes a buffer for the try, and ends with -ENOBUFS where there is none, even
 * if no byte is there. So it waits first.
 */
static void ask_to_be_lent(struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
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
		if (!op->buf)
			ask_to_be_lent(sqe);
		break;
	case IO_SEND:
		prepare_send(e, sqe, op);
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
	/* One buffer holds the whole arena: its number, sqe->buf_index, is 0. */
	if ((e->options & FIXED_BUFFERS) && (op->kind == IO_READ || op->kind == IO_WRITE))
		sqe->opcode = (uint8_t)opcode_of(op->kind, e->options);
	tuned_use_fixed_file(e, sqe, op->fd_slot);
	io_uring_sqe_set_data(sqe, op);
}

struct io_uring_sqe *tuned_take_sqe(struct engine *e)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&e->ring);
	if (sqe)
		return sqe;
	if (io_uring_submit(&e->ring) < 0)
		return NULL; /* reap() hands over again, and tells what is wrong */
	return io_uring_get_sqe(&e->ring);
}

/* In a row, by reap(), while what is parked suffices. */
#define WITHOUT_CALL_MOST 32

/* What a receive of no bytes waits for is nothing that a request for bytes can tell. */
static bool is_ahead(const struct engine *e, const struct io_op *op)
{
	return e->receives && op->kind == IO_RECV && op->len_bytes > 0;
}

/* Only for the first of a batch the ring is made to have room. */
static bool start(struct engine *e, struct io_op *op, bool first)
{
	struct io_uring_sqe *sqe = first ? tuned_take_sqe(e) : io_uring_get_sqe(&e->ring);
	if (sqe)
		prepare(e, sqe, op);
	return sqe;
}

/* Accepts as many as the submission ring has room for. reap() hands them over. */
static int uring_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	unsigned n = 0;
	for (; n < count; n++) {
		struct io_op *op = ops[n];
		bool accepted = is_ahead(e, op)			      ? receives_start(e, op)
				: e->accepts && op->kind == IO_ACCEPT ? accepts_start(e, op)
								      : start(e, op, n == 0);
		if (!accepted)
			break;
		e->held[op->slot] = op;
	}
	e->in_flight += n;
	return (int)n;
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
	struct io_uring_sqe *sqe = tuned_take_sqe(e);
	if (sqe)
		prepare(e, sqe, op);
	return sqe;
}

static void forget_unasked(struct engine *e, unsigned slot)
{
	e->unasked_count -= e->unasked[slot];
	e->unasked[slot] = false;
}

/* The kernel chose a buffer for it. */
static void lend(struct engine *e, struct io_op *op, unsigned number)
{
	if (op->result > 0) {
		op->buf = buffers_at(&e->buffers, number);
		e->buffers.lent++;
	} else {
		buffers_release(&e->buffers, number);
	}
}

/* The operation of a CQE, with its result, or NULL when there is none to hand out. */
static struct io_op *operation_of(struct engine *e, const struct io_uring_cqe *cqe)
{
	switch (cqe->user_data & OWNER_MASK) {
	case OF_RECEIVES:
		return receives_complete(e, cqe);
	case OF_WATCHES:
		receives_hung_up(e, cqe);
		return NULL;
	case OF_ACCEPTS:
		return accepts_complete(e, cqe);
	case OF_NOBODY:
		return NULL;
	default:
		break;
	}
	struct io_op *op = io_uring_cqe_get_data(cqe);
	if (!op) /* a cancel's own completion */
		return NULL;
	//> 7 A send without a copy completes twice. The first completion has the result. If it says
	//> IORING_CQE_F_MORE, the buffer is still the kernel's: the operation is not over. The second one says
	//> IORING_CQE_F_NOTIF and has no result: now it is.
	//+
	if (cqe->flags & IORING_CQE_F_NOTIF)
		return op;
	if (cqe->flags & IORING_CQE_F_MORE) {
		op->result = cqe->res;
		return NULL;
	}
	//< 7
	if (cqe->res == -ECANCELED && begin_anew(e, op))
		return NULL;
	op->result = cqe->res;
	if (cqe->flags & IORING_CQE_F_BUFFER)
		lend(e, op, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	return is_ahead(e, op) ? receives_once_over(e, op) : op;
}

void tuned_drain(struct engine *e)
{
	unsigned head, seen = 0;
	struct io_uring_cqe *cqe;
	io_uring_for_each_cqe (&e->ring, head, cqe) {
		seen++;
		struct io_op *op = operation_of(e, cqe);
		if (op)
			op_queue_push(&e->finished, op);
	}
	io_uring_cq_advance(&e->ring, seen);
}

bool tuned_ask_back(struct engine *e, uint64_t name)
{
	struct io_uring_sqe *sqe = tuned_take_sqe(e);
	if (!sqe)
		return false;
	unsigned all = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
	io_uring_prep_cancel64(sqe, name, name ? 0 : (int)all);
	sqe->user_data = OF_NOBODY;
	return true;
}

bool tuned_take_what_ended(struct engine *e)
{
	int rc = io_uring_submit_and_wait(&e->ring, 1); /* a cancel's own completion, at least */
	tuned_drain(e);
	return rc >= 0 || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY;
}

/* Nothing may be received or accepted any more when close() returns. */
static void end_requests(struct engine *e)
{
	//> 5 While requests are armed that nobody asked for: ask all of them back, and wait for what ends.
	//+ (void)e;
	while (e->armed > 0 && tuned_ask_back(e, 0) && tuned_take_what_ended(e))
		;
	//< 5
}

/*
 * Also stores whether the wait may go on: all that it was for came, and some of it was no operation's. What
 * else ends a wait is the time or a signal. (The kernel tells of a signal only where nothing has come.)
 */
static int reap_once(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns, bool *goes_on)
{
	unsigned ready = io_uring_cq_ready(&e->ring);
	/* With DEFER_TASKRUN none may be there because nobody has asked. */
	if (io_uring_sq_ready(&e->ring) > 0 || ready == 0 || ready < min) {
		int rc = tuned_enter(e, ready < min ? min : 0, timeout_ns);
		if (rc < 0)
			return rc;
	}
	bool all_came = io_uring_cq_ready(&e->ring) >= min;
	unsigned head, seen = 0, n = 0;
	struct io_uring_cqe *cqe;
	io_uring_for_each_cqe (&e->ring, head, cqe) {
		if (n == max)
			break;
		seen++;
		struct io_op *op = operation_of(e, cqe);
		if (op)
			done[n++] = op;
	}
	io_uring_cq_advance(&e->ring, seen);
	*goes_on = all_came && seen > n;
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
	if ((e->receives && receives_called_back(e, op)) ||
	    (e->accepts && accepts_called_back(e, op))) {
		e->held[op->slot] = NULL;
		return;
	}
	struct io_uring_sqe *sqe = tuned_take_sqe(e);
	e->unasked_count += !sqe && !e->unasked[op->slot];
	e->unasked[op->slot] = !sqe;
	if (!sqe)
		return;
	io_uring_prep_cancel(sqe, op, 0);
	io_uring_sqe_set_data(sqe, NULL);
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

/* There is no room for more, `count` as it is. What else has come lines up behind what was finished before. */
static int look_for_others(struct engine *e, unsigned count)
{
	int rc = tuned_enter(e, 0, 0);
	if (rc < 0 && count == 0)
		return rc;
	tuned_drain(e);
	return (int)count;
}

/*
 * A completion that is no operation's ends a wait that is not for it. So the rest of the time is waited.
 * While some operations are still to be asked back nothing is waited for.
 */
static int wait_for(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		    int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	unsigned n = 0;
	bool goes_on;
	do {
		ask_again(e);
		n += op_queue_take(&e->finished, done + n, max - n);
		if (n == max)
			return look_for_others(e, n);
		bool none_unasked = e->unasked_count == 0;
		int rc = reap_once(e, done + n, none_unasked && min > n ? min - n : 0, max - n,
				   deadline_left_ns(deadline), &goes_on);
		if (rc < 0)
			return rc;
		n += (unsigned)rc;
		if (!none_unasked)
			goes_on = deadline_left_ns(deadline) != 0;
	} while (n < min && n < max && goes_on);
	return (int)n;
}

static int uring_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	/* Where enough is parked the kernel is not needed. It is asked now and then: others wait, too. */
	bool without_call = e->finished.count >= (min > 0 ? min : 1) && max > 0 &&
			    io_uring_sq_ready(&e->ring) == 0 && e->without_call < WITHOUT_CALL_MOST;
	e->without_call = without_call ? e->without_call + 1 : 0;
	int n = without_call ? (int)op_queue_take(&e->finished, done, max)
			     : wait_for(e, done, min, max, timeout_ns);
	for (int i = 0; i < n; i++) { /* no longer the engine's */
		e->held[done[i]->slot] = NULL;
		forget_unasked(e, done[i]->slot);
	}
	e->in_flight -= n > 0 ? (unsigned)n : 0;
	return n;
}

static void uring_give_back(struct engine *e, void *buf)
{
	buffers_give_back(&e->buffers, buf);
}

/* The next reap() hands the request over. */
static void uring_cancel_one(struct engine *e, struct io_op *op)
{
	call_back(e, op);
}

/* One cancel for each operation: a cancel of all would end what nobody holds, too. */
static void uring_cancel(struct engine *e)
{
	for (unsigned slot = 0; slot < e->depth; slot++)
		if (e->held[slot])
			call_back(e, e->held[slot]);
	/* What is not handed over now, reap() hands over. */
	(void)io_uring_submit(&e->ring);
}

static void uring_close(struct engine *e)
{
	end_requests(e);
	if (e->accepts)
		accepts_end(e);
	if (e->has_ring)
		tuned_ring_close(&e->ring, &e->extras);
	receives_free(e);
	accepts_free(e);
	buffers_close(&e->buffers);
	free(e->held);
	free(e->unasked);
	free(e);
}

static int uring_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the uring_tuned engine");
	e->options = config->options;
	e->depth = config->depth;
	op_queue_init(&e->finished);
	e->held = calloc(config->depth, sizeof(struct io_op *));
	e->unasked = calloc(config->depth, sizeof *e->unasked);
	int rc = e->held && e->unasked ? tuned_ring_open(&e->ring, &e->extras, config, why)
				       : reason_no_memory(why, "the uring_tuned engine");
	e->has_ring = rc == 0;
	if (rc == 0)
		rc = tuned_register(e, config, why);
	if (rc == 0)
		rc = buffers_open(&e->buffers, &e->ring, config, why);
	if (rc == 0)
		rc = receives_open(e, config, why);
	if (rc == 0)
		rc = accepts_open(e, config, why);
	if (rc < 0) {
		uring_close(e);
		return rc;
	}
	*engine = e;
	return 0;
}

static const struct engine_ops uring_tuned_engine = {
	.name = IO_ENGINE_NAME("uring_tuned"),
	.summary = "shared rings, as one should ask for them today (liburing)",
	.lab = IO_ENGINE_LAB,
	.traits = IO_REPEATS_INTERFACE,
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

IO_ENGINE(uring_tuned_engine);
