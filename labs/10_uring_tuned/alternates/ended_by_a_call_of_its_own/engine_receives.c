/* SPDX-License-Identifier: MIT */
/*
 * Receives ahead of those who ask. One request on a socket, armed once, brings a completion for each
 * message (IORING_RECV_MULTISHOT). What comes while nobody waits is *parked*: its buffer stays where it is
 * until the next RECV on that socket takes what is in it. So a message costs no request of its own.
 *
 * The request ends when the kernel says so: its last completion has no IORING_CQE_F_MORE. It is armed
 * again when the next RECV has to wait.
 *
 * The kernel receives when it is woken. Bytes and the peer's end may wake it once. Then it takes the bytes
 * and sleeps on, since nobody wakes it for the end again (Linux 6.18, on a Unix socket, or where an error
 * follows bytes on TCP). So a poll for the end stands beside the request, once for each socket. After the
 * end each RECV has a request of its own.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "newer_kernels.h"
#include "tuned.h"

#define NONE UINT32_MAX

/*
 * Parked on one socket, in buffers, and never more than half of all. Beyond that its request is called back,
 * and others have a chance.
 */
#define PARKED_MOST 16

/* Bytes of one buffer that a socket has parked. */
struct piece {
	struct span span;
	uint32_t next;
};

/* [fd_slot] */
struct socket_ahead {
	struct io_op *waiting; /* a RECV that finds nothing parked */
	uint32_t first, last; /* pieces parked, NONE where there are none */
	uint32_t parked; /* how many */
	uint32_t generation; /* of the fd_slot's owner */
	int32_t end; /* 0 or -errno, to be told after what is parked */
	bool has_end;
	bool armed;
	bool stopping; /* called back by stop() */
	bool delivered; /* bytes came since it was armed */
	bool watched; /* the poll for the peer's end is armed */
	bool hung_up; /* the peer has ended */
};

struct receives {
	struct socket_ahead *sockets;
	uint32_t parked_most; /* on one of them */
	bool *reserved; /* [slot]: it has a buffer of the reserve while it is under way */
	struct piece *pieces;
	uint32_t free; /* the first unused piece */
};

/*
 * A whole buffer is parked at most once. Of incremental ones each message is a piece: those parked on each
 * socket, and those that came before stop() was heard.
 */
static uint32_t piece_count_for(const struct engine *e, unsigned max_fds)
{
	if (!e->buffers.incremental)
		return e->buffers.count;
	return max_fds * (PARKED_MOST + 1) + e->ring.cq.ring_entries + e->buffers.count;
}

int receives_open(struct engine *e, const struct engine_config *config, struct reason *why)
{
	if (!(e->options & MULTISHOT))
		return 0;
	struct receives *r = e->receives = calloc(1, sizeof *r);
	if (!r)
		return reason_no_memory(why, "receives ahead");
	uint32_t piece_count = piece_count_for(e, config->max_fds);
	r->parked_most = e->buffers.count / 2 < PARKED_MOST ? e->buffers.count / 2 : PARKED_MOST;
	if (r->parked_most == 0)
		r->parked_most = 1;
	r->sockets = calloc(config->max_fds, sizeof *r->sockets);
	r->reserved = calloc(config->depth, sizeof *r->reserved);
	r->pieces = calloc(piece_count, sizeof *r->pieces);
	if (!r->sockets || !r->reserved || !r->pieces)
		return reason_no_memory(why, "receives ahead");
	for (unsigned i = 0; i < config->max_fds; i++)
		r->sockets[i].first = r->sockets[i].last = NONE;
	for (uint32_t i = 0; i < piece_count; i++)
		r->pieces[i].next = i + 1 < piece_count ? i + 1 : NONE;
	return 0;
}

void receives_free(struct engine *e)
{
	if (!e->receives)
		return;
	free(e->receives->sockets);
	free(e->receives->reserved);
	free(e->receives->pieces);
	free(e->receives);
}

/* The request */

static uint64_t name_of(const struct engine *e, enum tuned_owner owner, unsigned fd_slot)
{
	return tuned_name(owner, fd_slot, e->receives->sockets[fd_slot].generation);
}

static bool watch(struct engine *e, const struct io_op *op)
{
	struct io_uring_sqe *sqe = tuned_take_sqe(e);
	if (!sqe)
		return false;
	io_uring_prep_poll_add(sqe, op->fd, POLLRDHUP);
	tuned_use_fixed_file(e, sqe, op->fd_slot);
	sqe->user_data = name_of(e, OF_WATCHES, op->fd_slot);
	e->receives->sockets[op->fd_slot].watched = true;
	e->armed++;
	return true;
}

/*
 * Returns false where the submission ring has no room. The poll is armed first: the kernel wakes the
 * youngest first, and so the receive's word comes before the poll's.
 */
static bool arm(struct engine *e, const struct io_op *op)
{
	struct socket_ahead *s = &e->receives->sockets[op->fd_slot];
	if (!s->watched && !watch(e, op))
		return false;
	struct io_uring_sqe *sqe = tuned_take_sqe(e);
	if (!sqe)
		return false;
	io_uring_prep_recv_multishot(sqe, op->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	if (e->options & BUNDLE)
		sqe->ioprio |= RECEIVE_BUNDLE;
	tuned_use_fixed_file(e, sqe, op->fd_slot);
	sqe->user_data = name_of(e, OF_RECEIVES, op->fd_slot);
	s->armed = true;
	s->delivered = false;
	e->armed++;
	return true;
}

/* It ends with -ECANCELED, and what came before that is parked as well. */
static void stop(struct engine *e, unsigned fd_slot)
{
	/* Where that has no room, the next completion asks again. */
	e->receives->sockets[fd_slot].stopping =
		tuned_ask_back(e, name_of(e, OF_RECEIVES, fd_slot));
	(void)io_uring_submit(&e->ring); /* now: it goes on receiving until then */
}

/* What is parked */

static void park(struct receives *r, struct socket_ahead *s, struct span span)
{
	uint32_t place = r->free;
	struct piece *piece = &r->pieces[place];
	r->free = piece->next;
	*piece = (struct piece) { span, NONE };
	if (s->first == NONE)
		s->first = place;
	else
		r->pieces[s->last].next = place;
	s->last = place;
	s->parked++;
}

/* The buffer is not released. */
static void drop_first(struct receives *r, struct socket_ahead *s)
{
	uint32_t place = s->first;
	s->first = r->pieces[place].next;
	r->pieces[place].next = r->free;
	r->free = place;
	s->parked--;
}

/* Takes up to `len_bytes` of the first piece. Returns how many. */
static uint32_t copy_first(struct engine *e, struct socket_ahead *s, char *to, uint32_t len_bytes)
{
	struct span *span = &e->receives->pieces[s->first].span;
	uint32_t count = span->len_bytes < len_bytes ? span->len_bytes : len_bytes;
	memcpy(to, (char *)buffers_at(&e->buffers, span->number) + span->from, count);
	span->from += count;
	span->len_bytes -= count;
	if (span->len_bytes > 0)
		return count;
	buffers_release(&e->buffers, span->number);
	drop_first(e->receives, s);
	return count;
}

/* Fills `buf` of the operation, or takes all that is parked. Returns how many bytes that were. */
static uint32_t copy_parked(struct engine *e, struct socket_ahead *s, const struct io_op *op)
{
	uint32_t count = 0;
	while (s->first != NONE && count < op->len_bytes)
		count += copy_first(e, s, (char *)op->buf + count, op->len_bytes - count);
	return count;
}

/* A whole buffer is lent as it is. Of a part the caller would get what others still need. */
static void lend(struct engine *e, struct socket_ahead *s, struct io_op *op)
{
	struct buffers *b = &e->buffers;
	struct span span = e->receives->pieces[s->first].span;
	if (b->lent == b->lent_most) {
		op->result = -ENOBUFS; /* the bytes stay parked */
		return;
	}
	b->lent++;
	if (span.from == 0 && span.len_bytes <= op->len_bytes) {
		op->buf = buffers_at(b, span.number);
		op->result = span.len_bytes;
		drop_first(e->receives, s);
	} else {
		op->buf = buffers_reserve_take(b);
		op->result = copy_parked(e, s, op);
	}
}

/* Gives an operation its result of what is parked. */
static void take_parked(struct engine *e, struct socket_ahead *s, struct io_op *op)
{
	if (op->buf)
		op->result = copy_parked(e, s, op);
	else
		lend(e, s, op);
}

/* A request of one's own */

/* As the plain engine's. A buffer to lend is of the reserve: something is there, so it does not wait. */
static struct io_op *receive_once(struct engine *e, struct io_op *op)
{
	struct buffers *b = &e->buffers;
	bool lent = !op->buf;
	bool all_lent = lent && b->lent == b->lent_most;
	struct io_uring_sqe *sqe = all_lent ? NULL : tuned_take_sqe(e);
	if (!sqe) { /* or the kernel takes nothing */
		op->result = all_lent ? -ENOBUFS : -EAGAIN;
		return op;
	}
	e->receives->reserved[op->slot] = lent;
	if (lent) {
		op->buf = buffers_reserve_take(b);
		b->lent++;
	}
	io_uring_prep_recv(sqe, op->fd, op->buf, op->len_bytes, lent ? MSG_DONTWAIT : 0);
	tuned_use_fixed_file(e, sqe, op->fd_slot);
	io_uring_sqe_set_data(sqe, op);
	return NULL;
}

/* Returns NULL while it goes on. */
static struct io_op *wait_again(struct engine *e, struct socket_ahead *s, struct io_op *op)
{
	if (e->held[op->slot] != op) { /* called back meanwhile */
		op->result = -ECANCELED;
		return op;
	}
	if (s->hung_up && !s->armed)
		return receive_once(e, op);
	if (s->armed || arm(e, op)) {
		s->waiting = op;
		return NULL;
	}
	op->result = -EAGAIN; /* the kernel takes nothing */
	return op;
}

/* Of a receive_once(). */
struct io_op *receives_once_over(struct engine *e, struct io_op *op)
{
	bool reserved = e->receives->reserved[op->slot];
	e->receives->reserved[op->slot] = false;
	if (!reserved || op->result > 0)
		return op;
	buffers_give_back(&e->buffers, op->buf);
	op->buf = NULL;
	struct socket_ahead *s = &e->receives->sockets[op->fd_slot];
	return op->result == -EAGAIN && !s->hung_up ? wait_again(e, s, op) : op;
}

/*
 * No buffer was free. As the first word of a request that waits before it tries, that says that bytes are
 * there. After others it may come when the last buffer is used, and nothing is there.
 */
static struct io_op *run_out(struct engine *e, struct socket_ahead *s, struct io_op *op)
{
	if (!op)
		return NULL;
	if (s->delivered)
		return wait_again(e, s, op);
	return receive_once(e, op);
}

/* Completions */

static struct io_op *bytes_came(struct engine *e, unsigned fd_slot, struct arrival arrival)
{
	struct socket_ahead *s = &e->receives->sockets[fd_slot];
	struct io_op *op = s->waiting;
	s->delivered = true;
	do /* more than once for a bundle, which spans buffers */
		park(e->receives, s, buffers_next_span(&e->buffers, &arrival));
	while (arrival.left_bytes > 0);
	if (op) {
		s->waiting = NULL;
		take_parked(e, s, op);
	}
	if (s->parked >= e->receives->parked_most && s->armed && !s->stopping)
		stop(e, fd_slot);
	return op;
}

/* A result of 0, the peer's end, or an error. */
static struct io_op *nothing_came(struct engine *e, struct socket_ahead *s, int32_t result)
{
	struct io_op *op = s->waiting;
	s->waiting = NULL;
	if (result == -ENOBUFS)
		return run_out(e, s, op);
	if (result == -ECANCELED) /* stop() */
		return op ? wait_again(e, s, op) : NULL;
	if (op) {
		op->result = result;
	} else {
		s->has_end = true;
		s->end = result;
	}
	return op;
}

struct io_op *receives_complete(struct engine *e, const struct io_uring_cqe *cqe)
{
	unsigned fd_slot = tuned_name_slot(cqe->user_data);
	struct socket_ahead *s = &e->receives->sockets[fd_slot];
	struct arrival arrival = { .number = cqe->flags >> IORING_CQE_BUFFER_SHIFT,
				   .left_bytes = cqe->res > 0 ? (uint32_t)cqe->res : 0,
				   .goes_on = cqe->flags & COMPLETION_BUFFER_GOES_ON };
	bool last = !(cqe->flags & IORING_CQE_F_MORE);
	e->armed -= last; /* whoever asked for it */
	if (cqe->user_data != name_of(e, OF_RECEIVES, fd_slot)) {
		if (cqe->flags & IORING_CQE_F_BUFFER)
			buffers_unused(&e->buffers, cqe->flags);
		return NULL;
	}
	if (last)
		s->armed = s->stopping = false;
	if (cqe->res > 0)
		return bytes_came(e, fd_slot, arrival);
	if (cqe->flags & IORING_CQE_F_BUFFER)
		buffers_unused(&e->buffers, cqe->flags);
	return nothing_came(e, s, cqe->res);
}

/* The peer has ended. What the request has not told by now it may never tell. */
void receives_hung_up(struct engine *e, const struct io_uring_cqe *cqe)
{
	unsigned fd_slot = tuned_name_slot(cqe->user_data);
	struct socket_ahead *s = &e->receives->sockets[fd_slot];
	e->armed--;
	if (cqe->user_data != name_of(e, OF_WATCHES, fd_slot))
		return;
	s->watched = false;
	s->hung_up = cqe->res > 0;
	if (s->hung_up && s->armed && !s->stopping)
		stop(e, fd_slot);
}

/* Operations */

bool receives_start(struct engine *e, struct io_op *op)
{
	struct socket_ahead *s = &e->receives->sockets[op->fd_slot];
	if (s->hung_up && s->armed && !s->stopping) /* there was no room to ask it back */
		stop(e, op->fd_slot);
	if (s->first != NONE) {
		take_parked(e, s, op);
		op_queue_push(&e->finished, op);
		return true;
	}
	if (s->has_end) {
		s->has_end = false;
		op_queue_finish(&e->finished, op, s->end);
		return true;
	}
	if (s->hung_up && !s->armed) {
		if (receive_once(e, op))
			op_queue_push(&e->finished, op);
		return true;
	}
	if (!s->armed && !arm(e, op))
		return false;
	s->waiting = op;
	return true;
}

bool receives_called_back(struct engine *e, struct io_op *op)
{
	struct socket_ahead *s = &e->receives->sockets[op->fd_slot];
	if (op->kind != IO_RECV || s->waiting != op)
		return false;
	s->waiting = NULL;
	op_queue_finish(&e->finished, op, -ECANCELED);
	return true;
}

/* The end */

/* May it be tried once more? */
static bool goes_on(int rc)
{
	return rc >= 0 || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY;
}

/* Linux 6.0: returns when the request has ended. What it has completed with comes into the ring. */
static bool end_at_once(struct engine *e, bool is_armed, uint64_t name)
{
	struct io_uring_sync_cancel_reg request = { .addr = name,
						    .fd = -1,
						    .timeout = { .tv_sec = -1, .tv_nsec = -1 } };
	if (!is_armed)
		return true;
	int rc = io_uring_register_sync_cancel(&e->ring, &request);
	return goes_on(rc) || rc == -ENOENT || rc == -EALREADY;
}

static bool end_both(struct engine *e, unsigned fd_slot)
{
	const struct socket_ahead *s = &e->receives->sockets[fd_slot];
	/* One that is still in the submission ring is unknown to the kernel. */
	return goes_on(io_uring_submit(&e->ring)) &&
	       end_at_once(e, s->armed, name_of(e, OF_RECEIVES, fd_slot)) &&
	       end_at_once(e, s->watched, name_of(e, OF_WATCHES, fd_slot)) &&
	       goes_on(io_uring_get_events(&e->ring));
}

void receives_detach(struct engine *e, unsigned fd_slot)
{
	struct socket_ahead *s = &e->receives->sockets[fd_slot];
	while ((s->armed || s->watched) && end_both(e, fd_slot))
		tuned_drain(e);
	while (s->first != NONE) {
		buffers_release(&e->buffers, e->receives->pieces[s->first].span.number);
		drop_first(e->receives, s);
	}
	*s = (struct socket_ahead) { .first = NONE, .last = NONE, .generation = s->generation + 1 };
}
