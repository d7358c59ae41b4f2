/* SPDX-License-Identifier: MIT */
/* What the files of the event loop share. */
#ifndef IOLAB_LOOP_H
#define IOLAB_LOOP_H

#include <stddef.h>

#include "event_loop.h"

/* A list is a ring: its head is a link that belongs to no object. */

static inline void list_init(struct loop_link *head)
{
	head->next = head->previous = head;
}

static inline bool list_is_empty(const struct loop_link *head)
{
	return head->next == head;
}

static inline void list_push(struct loop_link *head, struct loop_link *link)
{
	link->next = head;
	link->previous = head->previous;
	head->previous->next = link;
	head->previous = link;
}

/* Whatever list it is in. */
static inline void list_remove(struct loop_link *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	link->next = link->previous = NULL;
}

/* The oldest, taken out; NULL when there is none. */
static inline struct loop_link *list_pop(struct loop_link *head)
{
	struct loop_link *first = head->next;
	if (first == head)
		return NULL;
	list_remove(first);
	return first;
}

/* Moves all of `from` to the list `to`: a step takes up what was there when it began. */
static inline void list_move(struct loop_link *from, struct loop_link *to)
{
	list_push(from, to);
	list_remove(from);
	list_init(from);
}

/* The object that a link is a member of. */
#define object_of(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Timers that are active, the soonest on top: a heap with four children a node. */

struct heap_entry {
	uint64_t due_ns;
	uint64_t start; /* the number of its start: equal times are called in this order */
	struct loop_timer *timer;
};

static inline bool is_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->start < b->start;
}

struct timer_heap {
	struct heap_entry *entries; /* [1 .. count] */
	uint32_t count, capacity;
	uint64_t starts;
};

/* Puts it in by timer->due_ns. Returns 0 or -ENOMEM. */
int timer_heap_add(struct timer_heap *heap, struct loop_timer *timer);
void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer);

/* An operation, with what the loop knows of it. */
struct loop_op {
	_Alignas(64) struct io_op op; /* first: the engine hands out its address */
	loop_done *done;
	void *context;
	struct loop_link on_fd; /* among the operations of its descriptor */
	bool is_asked_back;
};

struct loop_fd {
	int fd; /* -1: this place is free */
	bool is_closing;
	struct loop_link ops; /* in flight on it */
	loop_call *closed;
	void *context;
	struct loop_link link; /* among the free places, or among those that are closing */
};

struct event_loop {
	const struct engine_ops *ops;
	struct engine *engine;
	uint64_t options;
	uint64_t now_ns;
	unsigned alive; /* what keeps event_loop_run() going */
	bool is_stopped;

	/* Operations: free, started, with the engine, ended without it. */
	unsigned depth;
	struct loop_op *all_ops;
	struct io_op *free_ops; /* through `next` */
	struct io_op **started; /* in order; not yet with the engine */
	unsigned started_count, with_engine_count;
	struct io_op *asked_back; /* before the engine had them: through `next` */
	struct io_op *done[EVENT_LOOP_BATCH];

	unsigned max_fds;
	struct loop_fd *fds;
	struct loop_link free_fds, closing_fds;

	void *lent; /* by the operation that is called back */
	void *buffers;
	size_t buffers_len_bytes;

	struct timer_heap timers;
	struct loop_link deferred;

	/* Calls from outside of the thread: a byte through a pair of sockets ends the wait. */
	bool is_woken; /* a byte is on its way: by any thread */
	bool hears; /* the receive is armed */
	int wake_fds[2]; /* -1 until the first wake-up or signal is started */
	unsigned listeners; /* wake-ups and signals that are started */
	struct loop_op *wake_op;
	struct loop_link wakeups, signals;
};

/* event_loop_start() without the check that one operation is left for the loop itself. */
struct loop_op *loop_start(struct event_loop *loop, const struct loop_request *request,
			   loop_done *done, void *context);
/* The last place of `fds` is the loop's own. */
#define OWN_FD_SLOT(loop) ((loop)->max_fds - 1)
int loop_attach_at(struct event_loop *loop, unsigned fd_slot, int fd, enum io_fd_kind kind,
		   struct reason *why);

/* signals_and_wakeups.c: gives up what is started, and closes the sockets. */
void loop_stop_listening(struct event_loop *loop);

#endif
