/* SPDX-License-Identifier: MIT */
/*
 * An event loop over any engine: operations with callbacks, timers, signals, calls from other
 * threads, deferred calls, and an orderly end.
 *
 *     program ──start──► loop ──submit──► engine ──system calls──► kernel
 *        ▲                │ ◄───reap────────┘
 *        └──callbacks─────┘
 *
 * One thread owns a loop and makes all calls here; event_loop_wake() is the one exception. The
 * loop calls back in that thread, from event_loop_run(), and from nowhere else: a callback never
 * runs inside the call that asked for it.
 *
 * A turn of the loop has five steps, in this order:
 *
 *     1. read the clock, once; event_loop_now_ns() answers that time for the whole turn
 *     2. timers that are due, in the order in which they are due
 *     3. deferred calls that were there when the step began
 *     4. operations: hand over what was started, wait, and call back for what has ended
 *     5. descriptors that were closed: the last callback of each
 *
 * Fairness.    Each step takes up what was there when it began. What a callback asks for (a timer
 *              of no delay, another deferred call) comes in the next turn. A step 4 takes at most
 *              EVENT_LOOP_BATCH completions. So no step can hold up the others for ever.
 * Waiting.     Step 4 waits until an operation ends, the next timer is due, a signal comes or
 *              another thread wakes the loop. It does not wait while deferred calls are waiting.
 *              It sleeps in the kernel, in the engine's own manner. An engine that sleeps in
 *              submit() (IO_BLOCKS_IN_SUBMIT) holds up all else, timers too.
 * Timers.      Never early, by CLOCK_MONOTONIC. Never twice in one turn.
 * Lifetimes.   A timer, a signal, a wake-up and a deferred call belong to the program, which keeps
 *              the memory while they are active. All four may be stopped, started again or given
 *              up in any callback, their own too. An event that was fetched for something that is
 *              stopped before its callback runs is not delivered. Operations belong to the loop; a
 *              handle to one is valid until its callback is called.
 * Memory.      All that operations need is allocated when the loop opens. The timers' heap grows
 *              as timers are started, and never shrinks. Nothing else allocates.
 * Lent buffers. An IO_RECV without a `buf` is lent one of the engine's when bytes are there, where
 *              the loop was opened with buffers to lend. In `done`, event_loop_lent() answers which.
 *              The program gives it back once. -ENOBUFS is its result when no buffer was free.
 * The end.     event_loop_run() returns when nothing is alive: no operation in flight, no active
 *              timer, signal or wake-up, no deferred call, no descriptor on its way out. What is
 *              `background` does not count.
 * Engines.     What the engine cannot do, the loop says in the engine's words. Wake-ups and signals
 *              need an engine that can leave a receive waiting on a socket.
 */
#ifndef IOLAB_EVENT_LOOP_H
#define IOLAB_EVENT_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "io_engine.h"

#define EVENT_LOOP_BATCH 256

struct event_loop;
struct loop_op; /* an operation that was started: a handle to cancel it by */

/* A place in one of the loop's lists. All 0 before the first use, and while it is in none. */
struct loop_link {
	struct loop_link *next, *previous;
};

typedef void loop_call(struct event_loop *loop, void *context);
/* `result` as in struct io_op: bytes, a descriptor, or -errno; -ECANCELED after a cancel. */
typedef void loop_done(struct event_loop *loop, void *context, int64_t result);

/* Opening and running. */

struct event_loop_config {
	const struct engine_ops *engine;
	uint64_t options; /* the engine's */
	unsigned depth; /* operations that may be in flight at once */
	unsigned max_fds; /* descriptors that may be attached at once */
	size_t buffers_len_bytes; /* of event_loop_buffers() */
	unsigned lent_count; /* buffers that the engine lends; 0: none */
	uint32_t lent_len_bytes; /* of each */
};

/*
 * Opens the engine, and the loop over it. Returns 0, or -errno with `why`: the engine's own reason
 * where it is the engine that cannot.
 */
int event_loop_open(struct event_loop **loop, const struct event_loop_config *config,
		    struct reason *why);

/*
 * Frees everything. Timers, signals, wake-ups and deferred calls that are still active are given
 * up without a call: another loop may have them. Operations in flight are asked back and waited for,
 * without a call. A descriptor on its way out is closed. Other attached descriptors stay open. Not from
 * a callback.
 */
void event_loop_close(struct event_loop *loop);

/* The memory in which the buffers of all operations lie: page-aligned, the loop's, zeroed. */
void *event_loop_buffers(const struct event_loop *loop);

/*
 * LOOP_RUN makes turns until nothing is alive, or until event_loop_stop(). LOOP_ONCE makes one, which
 * waits if no timer and no deferred call was there. LOOP_POLL makes one that does not wait.
 */
enum loop_run { LOOP_RUN, LOOP_ONCE, LOOP_POLL };

/*
 * Runs turns. Returns 1 while something is alive still, 0 when nothing is, or -errno when the
 * engine is broken. Not from a callback.
 */
int event_loop_run(struct event_loop *loop, enum loop_run how);

/*
 * Ends event_loop_run() after the present turn. Asked for before run(), it ends the next run()
 * after one turn, which does not wait.
 */
void event_loop_stop(struct event_loop *loop);

/* The time at the beginning of this turn, CLOCK_MONOTONIC. Does not ask the kernel. */
uint64_t event_loop_now_ns(const struct event_loop *loop);

/*
 * Reads the clock again: after a long computation, so that a timer that is started now counts from
 * here.
 */
void event_loop_update_now(struct event_loop *loop);

/* Descriptors. */

/*
 * Tells engine and loop of a descriptor. Returns its number in this loop (an fd_slot), or -errno
 * with `why`; -EMFILE when max_fds are attached. The mode is as the engine wants it, see
 * event_loop_wants_nonblocking().
 */
int event_loop_attach(struct event_loop *loop, int fd, enum io_fd_kind kind, struct reason *why);

/* Forgets a descriptor, which stays open. Nothing is in flight on it. */
void event_loop_detach(struct event_loop *loop, unsigned fd_slot);

/*
 * Asks back what is in flight on the descriptor, and closes it once all of that has ended. Then
 * `closed` is called, in a later step than this call: it is the last callback that concerns the
 * descriptor, and comes once. Nothing may be started on it after this call. `closed` may be NULL.
 */
void event_loop_close_fd(struct event_loop *loop, unsigned fd_slot, loop_call *closed,
			 void *context);

/* Must a listener, and a socket for a CONNECT, be non-blocking? (IO_TRIES_CONNECTIONS) */
bool event_loop_wants_nonblocking(const struct event_loop *loop);

/* Can the engine do this? 0, or -errno with the engine's reason. */
int event_loop_supports(const struct event_loop *loop, enum io_kind kind, enum io_fd_kind fd_kind,
			struct reason *why);

/* Operations. */

/* As in struct io_op; 0 is right for what an operation does not need. */
struct loop_request {
	enum io_kind kind;
	unsigned fd_slot; /* as event_loop_attach() gave it; not for a NOP */
	void *buf; /* NULL in an IO_RECV: a lent one */
	uint32_t len_bytes;
	uint64_t offset; /* IO_NO_OFFSET on a pipe */
};

/*
 * Starts an operation; `done` is called once, when it has ended. Returns its handle, or NULL when
 * `depth` are started and not yet ended: that is back-pressure, and the caller waits for one of
 * them. Does not wait, and makes no system call before step 4.
 */
struct loop_op *event_loop_start(struct event_loop *loop, const struct loop_request *request,
				 loop_done *done, void *context);

/*
 * Asks for an operation back. Its `done` is still called, with what it ended with or -ECANCELED,
 * and not from this call. A second request does nothing.
 */
void event_loop_cancel(struct event_loop *loop, struct loop_op *op);

/*
 * In the `done` of an IO_RECV without a `buf`: the buffer that it was lent; NULL when its result is 0 or
 * below. It is the program's until it gives it back, also after `done`.
 */
void *event_loop_lent(const struct event_loop *loop);

/* From a callback or not. `buf` as event_loop_lent() answered it. */
void event_loop_give_back(struct event_loop *loop, void *buf);

/* Timers. */

struct loop_timer {
	loop_call *call;
	void *context;
	bool background; /* does not keep the loop alive; not to be changed while it is active */

	/* The loop's. All 0 before the first start. */
	uint64_t due_ns;
	uint64_t repeat_ns;
	uint32_t place; /* in the heap, from 1; 0: not in it */
};

/*
 * Calls `timer->call` in `delay_ns` from event_loop_now_ns(), and with `repeat_ns` above 0 every
 * so often from then on. A timer that is active starts anew. Equal times are called in the order
 * of their starts. A time beyond the clock's end is never. Returns 0; -EINVAL for a delay or a
 * pause below 0; -ENOMEM.
 */
int event_loop_timer_start(struct event_loop *loop, struct loop_timer *timer, int64_t delay_ns,
			   int64_t repeat_ns);

/* It is not called any more. Nothing for one that is not active. */
void event_loop_timer_stop(struct event_loop *loop, struct loop_timer *timer);

/*
 * Begins the pause of a repeating timer anew, from now on, whether it is active or not. Returns 0;
 * -EINVAL for one without a pause; -ENOMEM.
 */
int event_loop_timer_again(struct event_loop *loop, struct loop_timer *timer);

static inline bool event_loop_timer_is_active(const struct loop_timer *timer)
{
	return timer->place;
}

/* Deferred calls. */

struct loop_deferred {
	loop_call *call;
	void *context;

	struct loop_link link; /* the loop's */
};

/*
 * Calls `deferred->call` in the next step 3. One that is waiting already is not called twice. To do
 * a long computation in pieces, a call defers itself again: I/O and timers come in between.
 */
void event_loop_defer(struct event_loop *loop, struct loop_deferred *deferred);

/* Takes it back. */
void event_loop_undefer(struct event_loop *loop, struct loop_deferred *deferred);

/* Calls from other threads. */

struct loop_wakeup {
	loop_call *call;
	void *context;
	bool background;

	bool is_asked_for; /* by another thread; the rest is the loop's */
	struct event_loop *loop;
	struct loop_link link;
};

/* From now on event_loop_wake() works. Returns 0, or -errno with `why`. */
int event_loop_wakeup_start(struct event_loop *loop, struct loop_wakeup *wakeup,
			    struct reason *why);
void event_loop_wakeup_stop(struct event_loop *loop, struct loop_wakeup *wakeup);

/*
 * Has the loop call `wakeup->call`. From any thread, and from a signal handler. Several wakes
 * before the call are one. What was written before is seen by the call.
 */
void event_loop_wake(struct loop_wakeup *wakeup);

/* Signals. */

struct loop_signal {
	loop_call *call;
	void *context;
	bool background;
	bool once; /* stops when it is called */

	int signal_number; /* the loop's, as all below */
	bool is_due;
	struct loop_link link;
};

/*
 * Calls `watcher->call` when the signal came; several signals before the call are one. Several
 * watchers of one signal are all called. One for `once` stops before its call. The disposition of
 * before comes back when the last watcher stops. A signal number has one loop. Returns 0; -EBUSY when
 * another loop watches this number; -EINVAL for a number that cannot be caught; else -errno; each with
 * `why`.
 */
int event_loop_signal_start(struct event_loop *loop, struct loop_signal *watcher, int signal_number,
			    struct reason *why);
void event_loop_signal_stop(struct event_loop *loop, struct loop_signal *watcher);

#endif
