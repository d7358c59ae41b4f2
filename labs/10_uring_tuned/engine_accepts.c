/* SPDX-License-Identifier: MIT */
/*
 * Connections ahead of those who ask. One request on a listener, armed once, brings a completion for each
 * client (IORING_ACCEPT_MULTISHOT). A connection that comes while nobody waits is parked: the next ACCEPT
 * has it as its result. What is parked when the listener is detached is closed: its client sees that.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tuned.h"

#define NONE UINT32_MAX

/* Parked in all. Beyond that all requests are called back, none is armed, and clients wait in a backlog. */
#define PARKED_MOST 64

struct connection {
	int fd;
	uint32_t next;
};

/* [fd_slot] */
struct listener_ahead {
	struct io_op *waiting; /* an ACCEPT that finds nothing parked */
	uint32_t first, last; /* connections parked, NONE where there are none */
	uint32_t generation; /* of the fd_slot's owner */
	int32_t error; /* -errno, to be told after what is parked; 0 */
	bool armed;
	bool stopping; /* called back because too much is parked */
};

struct accepts {
	struct listener_ahead *listeners;
	unsigned count; /* of them */
	struct connection *connections;
	uint32_t free; /* the first unused one */
	unsigned parked;
	unsigned running; /* requests that are armed and not called back */
};

int accepts_open(struct engine *e, const struct engine_config *config, struct reason *why)
{
	if (!(e->options & MULTISHOT_ACCEPT))
		return 0;
	struct accepts *a = e->accepts = calloc(1, sizeof *a);
	if (!a)
		return reason_no_memory(why, "connections ahead");
	a->count = config->max_fds;
	/*
	 * What is called back may have filled the completion ring before. Where that is full a request ends,
	 * with one connection more.
	 */
	uint32_t most = PARKED_MOST + e->ring.cq.ring_entries + a->count;
	a->listeners = calloc(a->count, sizeof *a->listeners);
	a->connections = calloc(most, sizeof *a->connections);
	if (!a->listeners || !a->connections)
		return reason_no_memory(why, "connections ahead");
	for (unsigned i = 0; i < a->count; i++)
		a->listeners[i].first = a->listeners[i].last = NONE;
	for (uint32_t i = 0; i < most; i++)
		a->connections[i].next = i + 1 < most ? i + 1 : NONE;
	return 0;
}

void accepts_free(struct engine *e)
{
	if (!e->accepts)
		return;
	free(e->accepts->listeners);
	free(e->accepts->connections);
	free(e->accepts);
}

static uint64_t name_of(const struct engine *e, unsigned fd_slot)
{
	return tuned_name(OF_ACCEPTS, fd_slot, e->accepts->listeners[fd_slot].generation);
}

/* Returns false where the submission ring has no room. */
static bool arm(struct engine *e, const struct io_op *op)
{
	struct io_uring_sqe *sqe = tuned_take_sqe(e);
	if (!sqe)
		return false;
	//> 6 Make it an accept that stays armed: io_uring_prep_multishot_accept(), without an address. What it
	//> returns is closed on exec.
	//+ io_uring_prep_nop(sqe);
	io_uring_prep_multishot_accept(sqe, op->fd, NULL, NULL, SOCK_CLOEXEC);
	//< 6
	tuned_use_fixed_file(e, sqe, op->fd_slot);
	sqe->user_data = name_of(e, op->fd_slot);
	e->accepts->listeners[op->fd_slot].armed = true;
	e->accepts->running++;
	e->armed++;
	return true;
}

/* Of one connection, as the plain engine's: while enough are parked. */
static bool accept_once(struct engine *e, struct io_op *op)
{
	struct io_uring_sqe *sqe = tuned_take_sqe(e);
	if (!sqe)
		return false;
	io_uring_prep_accept(sqe, op->fd, NULL, NULL, SOCK_CLOEXEC);
	tuned_use_fixed_file(e, sqe, op->fd_slot);
	io_uring_sqe_set_data(sqe, op);
	return true;
}

static bool enough_parked(const struct accepts *a)
{
	return a->parked >= PARKED_MOST;
}

/* What has no room now is asked back at the next completion. */
static void stop_all(struct engine *e)
{
	struct accepts *a = e->accepts;
	for (unsigned i = 0; a->running > 0 && i < a->count; i++) {
		struct listener_ahead *l = &a->listeners[i];
		if (!l->armed || l->stopping || !tuned_ask_back(e, name_of(e, i)))
			continue;
		l->stopping = true;
		a->running--;
	}
	(void)io_uring_submit(&e->ring); /* now: they go on accepting until then */
}

static void park(struct accepts *a, struct listener_ahead *l, int fd)
{
	uint32_t place = a->free;
	assert(place != NONE);
	a->free = a->connections[place].next;
	a->connections[place] = (struct connection) { fd, NONE };
	if (l->first == NONE)
		l->first = place;
	else
		a->connections[l->last].next = place;
	l->last = place;
	a->parked++;
}

static int take_first(struct accepts *a, struct listener_ahead *l)
{
	uint32_t place = l->first;
	l->first = a->connections[place].next;
	a->connections[place].next = a->free;
	a->free = place;
	a->parked--;
	return a->connections[place].fd;
}

/* Returns NULL while it goes on. */
static struct io_op *wait_again(struct engine *e, struct listener_ahead *l, struct io_op *op)
{
	bool once = !l->armed && enough_parked(e->accepts);
	if (once ? accept_once(e, op) : l->armed || arm(e, op)) {
		l->waiting = once ? NULL : op;
		return NULL;
	}
	op->result = -EAGAIN; /* the kernel takes nothing */
	return op;
}

struct io_op *accepts_complete(struct engine *e, const struct io_uring_cqe *cqe)
{
	unsigned fd_slot = tuned_name_slot(cqe->user_data);
	struct listener_ahead *l = &e->accepts->listeners[fd_slot];
	struct io_op *op = l->waiting;
	bool last = !(cqe->flags & IORING_CQE_F_MORE);
	e->armed -= last;
	bool own = cqe->user_data == name_of(e, fd_slot);
	e->accepts->running -= own && last && !l->stopping;
	if (!own) { /* of another owner of the fd_slot */
		if (cqe->res >= 0)
			close(cqe->res);
		return NULL;
	}
	//> 6 A result is a connection, or an error. Who waits has it as the result, and waits no more. Without
	//> one it is kept: park(), or `error`. A last completion leaves nothing armed.
	//> -ECANCELED says that stop_all() was heard: who waits, waits again.
	//+ (void)last, (void)wait_again, (void)park;
	//+ l->waiting = NULL;
	if (last)
		l->armed = l->stopping = false;
	l->waiting = NULL;
	if (cqe->res == -ECANCELED)
		return op ? wait_again(e, l, op) : NULL;
	if (op)
		op->result = cqe->res;
	else if (cqe->res < 0)
		l->error = cqe->res;
	else
		park(e->accepts, l, cqe->res);
	//< 6
	//> 6 Enough may be parked: stop_all(), while a request is `running`.
	//+ (void)stop_all;
	if (enough_parked(e->accepts) && e->accepts->running > 0)
		stop_all(e);
	//< 6
	return op;
}

bool accepts_start(struct engine *e, struct io_op *op)
{
	struct listener_ahead *l = &e->accepts->listeners[op->fd_slot];
	if (l->first != NONE) {
		op_queue_finish(&e->finished, op, take_first(e->accepts, l));
		return true;
	}
	if (l->error) {
		op_queue_finish(&e->finished, op, l->error);
		l->error = 0;
		return true;
	}
	if (!l->armed && enough_parked(e->accepts))
		return accept_once(e, op);
	if (!l->armed && !arm(e, op))
		return false;
	l->waiting = op;
	return true;
}

bool accepts_called_back(struct engine *e, struct io_op *op)
{
	struct listener_ahead *l = &e->accepts->listeners[op->fd_slot];
	if (op->kind != IO_ACCEPT || l->waiting != op)
		return false;
	l->waiting = NULL;
	op_queue_finish(&e->finished, op, -ECANCELED);
	return true;
}

void accepts_detach(struct engine *e, unsigned fd_slot)
{
	struct listener_ahead *l = &e->accepts->listeners[fd_slot];
	while (l->armed && tuned_ask_back(e, name_of(e, fd_slot)) && tuned_take_what_ended(e))
		;
	//> 6 Close what is parked: nobody else knows of these descriptors.
	//+ (void)take_first;
	while (l->first != NONE)
		close(take_first(e->accepts, l));
	//< 6
	e->accepts->running -= l->armed && !l->stopping; /* its last completion is still to come */
	*l = (struct listener_ahead) { .first = NONE,
				       .last = NONE,
				       .generation = l->generation + 1 };
}

void accepts_end(struct engine *e)
{
	struct accepts *a = e->accepts;
	for (unsigned i = 0; i < a->count; i++)
		while (a->listeners[i].first != NONE)
			close(take_first(a, &a->listeners[i]));
}
