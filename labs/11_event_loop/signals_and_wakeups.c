/* SPDX-License-Identifier: MIT */
/*
 * News from outside of the loop's thread: other threads and signal handlers.
 *
 * Both leave a note in memory and send a byte through a pair of sockets. The loop has a receive
 * waiting at the other end, as for any connection, so the byte ends its wait, whatever the engine.
 * `is_woken` saves the call where a byte is on its way already. The order of the two sides keeps a
 * note from being lost: who wakes writes the note first and looks at `is_woken` then; the loop
 * clears `is_woken` first and looks for notes then.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

/* What the handler needs: one loop for each signal number. */
static struct {
	struct event_loop *loop;
	bool came;
	unsigned watchers;
	struct sigaction before;
} watched[NSIG];

static void wake(struct event_loop *loop)
{
	//> 7 A byte into loop->wake_fds[1], without sleeping, unless one is on its way (is_woken).
	//> Any thread may be here, and a signal handler: use the __atomic functions.
	//+ (void)loop;
	if (!__atomic_exchange_n(&loop->is_woken, true, __ATOMIC_SEQ_CST))
		(void)!send(loop->wake_fds[1], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	//< 7
}

void event_loop_wake(struct loop_wakeup *wakeup)
{
	int error = errno; /* it may be called in a signal handler */
	//> 7 First the note (is_asked_for), then the byte.
	//+ (void)wakeup;
	if (!__atomic_exchange_n(&wakeup->is_asked_for, true, __ATOMIC_SEQ_CST))
		wake(wakeup->loop);
	//< 7
	errno = error;
}

static void on_signal(int signal_number)
{
	int error = errno;
	struct event_loop *loop = watched[signal_number].loop;
	__atomic_store_n(&watched[signal_number].came, true, __ATOMIC_SEQ_CST);
	if (loop)
		wake(loop);
	errno = error;
}

static void call_wakeups(struct event_loop *loop)
{
	struct loop_link all, *link;
	list_move(&loop->wakeups, &all);
	while ((link = list_pop(&all))) {
		struct loop_wakeup *wakeup = object_of(link, struct loop_wakeup, link);
		list_push(&loop->wakeups, link);
		//> 7 Was it asked for? The note goes before the call: the next one is news.
		//+ (void)wakeup;
		if (__atomic_exchange_n(&wakeup->is_asked_for, false, __ATOMIC_SEQ_CST))
			wakeup->call(loop, wakeup->context);
		//< 7
	}
}

/* First it is settled who is called: a signal that comes meanwhile is for the next time. */
static void call_signals(struct event_loop *loop)
{
	struct loop_link all, *link;
	bool came[NSIG] = { false };
	for (link = loop->signals.next; link != &loop->signals; link = link->next) {
		struct loop_signal *watcher = object_of(link, struct loop_signal, link);
		bool *its = &came[watcher->signal_number];
		*its |= __atomic_exchange_n(&watched[watcher->signal_number].came, false,
					    __ATOMIC_SEQ_CST);
		watcher->is_due = *its;
	}
	list_move(&loop->signals, &all);
	while ((link = list_pop(&all))) {
		struct loop_signal *watcher = object_of(link, struct loop_signal, link);
		list_push(&loop->signals, link);
		if (!watcher->is_due)
			continue;
		watcher->is_due = false;
		//> 7 One that is to be called once stops before its call.
		if (watcher->once)
			event_loop_signal_stop(loop, watcher);
		watcher->call(loop, watcher->context);
		//< 7
	}
}

static void on_wake_byte(struct event_loop *loop, void *context, int64_t result);

/* The receive is the loop's own: it does not keep it alive. */
static void hear(struct event_loop *loop)
{
	struct loop_request request = {
		.kind = IO_RECV,
		.fd_slot = OWN_FD_SLOT(loop),
		.buf = (char *)loop->buffers + loop->buffers_len_bytes - 64,
		.len_bytes = 64,
	};
	loop->wake_op = loop_start(loop, &request, on_wake_byte, NULL);
	loop->alive--;
	loop->hears = true;
}

static void on_wake_byte(struct event_loop *loop, void *context, int64_t result)
{
	(void)context;
	loop->alive++; /* end_op() has counted it */
	loop->hears = false;
	if (result < 0 && result != -EINTR)
		return; /* the loop closes */
	//> 7 Three things: hear again, let the next byte be sent (is_woken), look for notes. In which
	//> order is no note lost? Think of a thread that wakes the loop between two of them.
	//+ hear(loop);
	//+ call_wakeups(loop);
	//+ call_signals(loop);
	hear(loop);
	__atomic_store_n(&loop->is_woken, false, __ATOMIC_SEQ_CST);
	call_wakeups(loop);
	call_signals(loop);
	//< 7
}

/* Before the first wake-up or signal. Returns 0, or -errno with `why`. */
static int listen_to_others(struct event_loop *loop, struct reason *why)
{
	if (loop->hears)
		return 0;
	int rc = event_loop_supports(loop, IO_RECV, IO_FD_SOCKET, why);
	if (rc < 0)
		return rc;
	if (loop->ops->traits & IO_BLOCKS_IN_SUBMIT) {
		reason_set(why, "cannot_leave_a_receive_waiting",
			   "the loop is woken by a receive that waits, and this engine's submit() "
			   "sleeps until an operation is over");
		return -EOPNOTSUPP;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, loop->wake_fds) < 0)
		return reason_errno(why, "socketpair", errno, "socketpair(2)");
	rc = loop_attach_at(loop, OWN_FD_SLOT(loop), loop->wake_fds[0], IO_FD_SOCKET, why);
	if (rc < 0) {
		close(loop->wake_fds[0]);
		close(loop->wake_fds[1]);
		loop->wake_fds[0] = loop->wake_fds[1] = -1;
		return rc;
	}
	hear(loop);
	return 0;
}

int event_loop_wakeup_start(struct event_loop *loop, struct loop_wakeup *wakeup, struct reason *why)
{
	if (wakeup->link.next)
		return 0;
	int rc = listen_to_others(loop, why);
	if (rc < 0)
		return rc;
	wakeup->loop = loop;
	wakeup->is_asked_for = false;
	list_push(&loop->wakeups, &wakeup->link);
	loop->alive += !wakeup->background;
	return 0;
}

void event_loop_wakeup_stop(struct event_loop *loop, struct loop_wakeup *wakeup)
{
	if (!wakeup->link.next)
		return;
	list_remove(&wakeup->link);
	loop->alive -= !wakeup->background;
}

int event_loop_signal_start(struct event_loop *loop, struct loop_signal *watcher, int signal_number,
			    struct reason *why)
{
	if (signal_number < 1 || signal_number >= NSIG)
		return reason_errno(why, "no_such_signal", EINVAL, "there is no signal {number}",
				    reason_int("number", signal_number));
	if (watched[signal_number].loop && watched[signal_number].loop != loop)
		return reason_errno(why, "signal_has_another_loop", EBUSY,
				    "another loop watches signal {number}",
				    reason_int("number", signal_number));
	event_loop_signal_stop(loop, watcher);
	int rc = listen_to_others(loop, why);
	if (rc < 0)
		return rc;
	if (watched[signal_number].watchers == 0) {
		struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
		sigfillset(&action.sa_mask);
		watched[signal_number].came = false;
		watched[signal_number].loop = loop;
		if (sigaction(signal_number, &action, &watched[signal_number].before) < 0) {
			watched[signal_number].loop = NULL;
			return reason_errno(why, "signal_not_caught", errno,
					    "signal {number} cannot be caught",
					    reason_int("number", signal_number));
		}
	}
	watched[signal_number].watchers++;
	watcher->signal_number = signal_number;
	watcher->is_due = false;
	list_push(&loop->signals, &watcher->link);
	loop->alive += !watcher->background;
	return 0;
}

void event_loop_signal_stop(struct event_loop *loop, struct loop_signal *watcher)
{
	if (!watcher->link.next)
		return;
	list_remove(&watcher->link);
	loop->alive -= !watcher->background;
	int number = watcher->signal_number;
	if (--watched[number].watchers > 0)
		return;
	//> 7 The last watcher has gone: the disposition of before comes back.
	sigaction(number, &watched[number].before, NULL);
	//< 7
	watched[number].loop = NULL;
}

void loop_stop_listening(struct event_loop *loop)
{
	while (!list_is_empty(&loop->signals))
		event_loop_signal_stop(loop,
				       object_of(loop->signals.next, struct loop_signal, link));
	while (!list_is_empty(&loop->wakeups))
		event_loop_wakeup_stop(loop,
				       object_of(loop->wakeups.next, struct loop_wakeup, link));
}
