/* SPDX-License-Identifier: MIT */
#include "meters/upcall_path.h"

#define NOWHERE	      SIZE_MAX
#define SOFTIRQ_NET   3 /* NET_RX_SOFTIRQ */
#define SOFTIRQ_BLOCK 4 /* BLOCK_SOFTIRQ */
/* sched_switch: bits of a state in which a thread waits. Those above say that it was pushed aside. */
#define STATE_WAITS 0xff

const struct upcall_moment_kind upcall_moments[UPCALL_MOMENTS] = {
	[MOMENT_OFFERED] = { "offered", "submit() is called", KERNEL_EVENT_KINDS },
	[MOMENT_CALLED] = { "called", "first system call", EVENT_SYSCALL_ENTER },
	[MOMENT_TAKEN_UP] = { "taken_up", "io_uring takes the request up", EVENT_URING_SUBMIT },
	[MOMENT_HELPER_BEGINS] = { "helper_begins", "a helper thread runs", EVENT_SWITCH },
	[MOMENT_ISSUED] = { "issued", "block request issued", EVENT_BLOCK_ISSUE, true, false },
	[MOMENT_ACCEPTED] = { "accepted", "submit() has returned", KERNEL_EVENT_KINDS },
	[MOMENT_SLEEPS] = { "sleeps", "the thread waits, off the CPU", EVENT_SWITCH },
	[MOMENT_PACKET] = { "packet", "packet queued by the peer", EVENT_PACKET_QUEUE, false,
			    true },
	[MOMENT_INTERRUPT] = { "interrupt", "hardware interrupt", EVENT_IRQ_ENTER, true, true },
	[MOMENT_SOFTIRQ] = { "softirq", "softirq", EVENT_SOFTIRQ_ENTER, true, true },
	/* A socket's data is there by sk_data_ready; the request of a file by this one. */
	[MOMENT_COMPLETED] = { "completed", "complete in the kernel", EVENT_BLOCK_COMPLETE, true,
			       true },
	[MOMENT_HELPER_WOKEN] = { "helper_woken", "a helper thread is woken", EVENT_WAKING },
	[MOMENT_HELPER_RUNS] = { "helper_runs", "the helper runs", EVENT_SWITCH },
	[MOMENT_POSTED] = { "posted", "io_uring posts the completion", EVENT_URING_COMPLETE },
	[MOMENT_WOKEN] = { "woken", "the thread is woken", EVENT_WAKING, true, true },
	[MOMENT_RUNS] = { "runs", "the thread runs", EVENT_SWITCH, true, true },
	[MOMENT_RETURNED] = { "returned", "its system call returns", EVENT_SYSCALL_EXIT, true,
			      true },
	[MOMENT_TAKEN] = { "taken", "reap() has returned it", KERNEL_EVENT_KINDS },
};

/* The events of one operation's time. */
struct op_window {
	const struct kernel_event *events;
	size_t begin, end; /* positions */
	const struct upcall_actors *actors;
};

static bool is_own(const struct upcall_actors *actors, int64_t thread)
{
	for (size_t i = 0; i < actors->own_count; i++)
		if (actors->own[i] == thread)
			return true;
	return false;
}

static bool is_helper(const struct upcall_actors *actors, int64_t thread)
{
	return thread != actors->loop && is_own(actors, thread);
}

static bool is_actor(const struct upcall_actors *actors, int64_t thread)
{
	return is_own(actors, thread) || (actors->peer != 0 && thread == actors->peer);
}

size_t upcall_keep(struct kernel_event *events, size_t count, const struct upcall_actors *actors)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		const struct kernel_event *e = &events[i];
		bool keep = true;
		if (e->kind == EVENT_SYSCALL_ENTER || e->kind == EVENT_SYSCALL_EXIT)
			keep = is_actor(actors, e->thread);
		else if (e->kind == EVENT_SWITCH)
			keep = is_actor(actors, e->values[0]) || is_actor(actors, e->values[1]);
		else if (e->kind == EVENT_WAKING)
			keep = is_actor(actors, e->values[0]);
		if (keep)
			events[kept++] = *e;
	}
	return kept;
}

size_t upcall_first_at(const struct kernel_event *events, size_t count, uint64_t at_ns)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (events[middle].at_ns < at_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A position's time; 0 for NOWHERE. */
static uint64_t time_at(const struct op_window *w, size_t position)
{
	return position == NOWHERE ? 0 : w->events[position].at_ns;
}

/* The first event of this kind from `from` on that the thread made itself. */
static size_t first_of_thread(const struct op_window *w, size_t from, enum kernel_event_kind kind,
			      int32_t thread)
{
	for (size_t i = from; i < w->end; i++)
		if (w->events[i].kind == kind && w->events[i].thread == thread)
			return i;
	return NOWHERE;
}

/* The same by any thread of the process. */
static size_t first_of_process(const struct op_window *w, size_t from, enum kernel_event_kind kind)
{
	for (size_t i = from; i < w->end; i++)
		if (w->events[i].kind == kind && is_own(w->actors, w->events[i].thread))
			return i;
	return NOWHERE;
}

/* The first from `from` on whose first values are the same as those of `like`. */
static size_t first_like(const struct op_window *w, size_t from, enum kernel_event_kind kind,
			 const struct kernel_event *like)
{
	for (size_t i = from; i < w->end; i++)
		if (w->events[i].kind == kind && w->events[i].values[0] == like->values[0] &&
		    w->events[i].values[1] == like->values[1])
			return i;
	return NOWHERE;
}

static size_t first_on_cpu(const struct op_window *w, size_t from, enum kernel_event_kind kind,
			   unsigned cpu)
{
	for (size_t i = from; i < w->end; i++)
		if (w->events[i].kind == kind && w->events[i].cpu == cpu)
			return i;
	return NOWHERE;
}

/* The handler of an interrupt in which the event at this position came; NOWHERE for none. */
static size_t handler_around(const struct op_window *w, size_t position)
{
	unsigned ended = 0;
	for (size_t i = position; i-- > w->begin;) {
		const struct kernel_event *e = &w->events[i];
		if (e->cpu != w->events[position].cpu)
			continue;
		if (e->kind == EVENT_IRQ_EXIT)
			ended++;
		else if (e->kind == EVENT_IRQ_ENTER && ended-- == 0)
			return i;
		else if (e->kind == EVENT_SWITCH)
			return NOWHERE; /* no thread is switched within a handler */
	}
	return NOWHERE;
}

/* The softirq `number` in which the event at this position came; NOWHERE for none. */
static size_t softirq_around(const struct op_window *w, size_t position, int64_t number)
{
	for (size_t i = position; i-- > w->begin;) {
		const struct kernel_event *e = &w->events[i];
		if (e->cpu != w->events[position].cpu || e->values[0] != number)
			continue;
		if (e->kind == EVENT_SOFTIRQ_EXIT)
			return NOWHERE;
		if (e->kind == EVENT_SOFTIRQ_ENTER)
			return i;
	}
	return NOWHERE;
}

/* Where the softirq at this position was asked for. */
static size_t raise_before(const struct op_window *w, size_t position)
{
	const struct kernel_event *softirq = &w->events[position];
	for (size_t i = position; i-- > w->begin;) {
		const struct kernel_event *e = &w->events[i];
		if (e->cpu == softirq->cpu && e->kind == EVENT_SOFTIRQ_RAISE &&
		    e->values[0] == softirq->values[0])
			return i;
	}
	return NOWHERE;
}

/* Interrupt and softirq that led to the completion at this position, not before `earliest`. */
static void find_interrupt(const struct op_window *w, size_t completed, int64_t softirq_number,
			   size_t earliest, struct upcall_path *path)
{
	struct op_window since = { w->events, earliest, w->end, w->actors };
	size_t handler = handler_around(&since, completed);
	size_t softirq = softirq_around(&since, completed, softirq_number);
	bool within_softirq = softirq != NOWHERE && (handler == NOWHERE || handler < softirq);
	if (within_softirq) {
		size_t raised = raise_before(&since, softirq);
		handler = raised == NOWHERE ? NOWHERE : handler_around(&since, raised);
		path->at_ns[MOMENT_SOFTIRQ] = time_at(w, softirq);
	}
	path->at_ns[MOMENT_INTERRUPT] = time_at(w, handler);
}

/*
 * The request of a thread of ours, and its completion. A request that another thread issues on our
 * behalf is one that we have put into the queue. Returns the position of the completion.
 */
static size_t follow_request(const struct op_window *w, struct upcall_path *path)
{
	size_t issued = first_of_process(w, w->begin, EVENT_BLOCK_ISSUE);
	size_t queued = first_of_process(w, w->begin, EVENT_BLOCK_INSERT);
	if (issued == NOWHERE && queued != NOWHERE)
		issued = first_like(w, queued, EVENT_BLOCK_ISSUE, &w->events[queued]);
	if (issued == NOWHERE)
		return NOWHERE;
	path->at_ns[MOMENT_ISSUED] = time_at(w, issued);
	size_t completed = first_like(w, issued, EVENT_BLOCK_COMPLETE, &w->events[issued]);
	if (completed != NOWHERE)
		find_interrupt(w, completed, SOFTIRQ_BLOCK, issued, path);
	return completed;
}

/* The peer's packet, and the moment in which its data is with a socket. Returns that position. */
static size_t follow_packet(const struct op_window *w, struct upcall_path *path)
{
	size_t queued = first_of_thread(w, w->begin, EVENT_PACKET_QUEUE, w->actors->peer);
	if (queued == NOWHERE)
		return NOWHERE;
	path->at_ns[MOMENT_PACKET] = time_at(w, queued);
	size_t received = first_like(w, queued, EVENT_PACKET_RECEIVE, &w->events[queued]);
	if (received == NOWHERE)
		return NOWHERE;
	size_t completed = first_on_cpu(w, received, EVENT_SOCKET_READY, w->events[received].cpu);
	if (completed != NOWHERE)
		find_interrupt(w, completed, SOFTIRQ_NET, queued, path);
	return completed;
}

/* When `thread` gets a CPU. */
static size_t first_switch_to(const struct op_window *w, size_t from, int64_t thread)
{
	for (size_t i = from; i < w->end; i++)
		if (w->events[i].kind == EVENT_SWITCH && w->events[i].values[1] == thread)
			return i;
	return NOWHERE;
}

static size_t first_waking(const struct op_window *w, size_t from, int64_t thread)
{
	for (size_t i = from; i < w->end; i++)
		if (w->events[i].kind == EVENT_WAKING && w->events[i].values[0] == thread)
			return i;
	return NOWHERE;
}

/* The last time before `before` that the loop's thread left the CPU to wait. */
static size_t last_sleep(const struct op_window *w, size_t before)
{
	for (size_t i = before; i-- > w->begin;)
		if (w->events[i].kind == EVENT_SWITCH &&
		    w->events[i].values[0] == w->actors->loop &&
		    (w->events[i].values[2] & STATE_WAITS) != 0)
			return i;
	return NOWHERE;
}

/* The thread of ours beside the loop's that is woken first between two positions. */
static void find_woken_helper(const struct op_window *w, size_t from, size_t end,
			      struct upcall_path *path)
{
	for (size_t i = from; i < end; i++) {
		int64_t thread = w->events[i].values[0];
		if (w->events[i].kind != EVENT_WAKING || !is_helper(w->actors, thread))
			continue;
		size_t runs = first_switch_to(w, i, thread);
		path->at_ns[MOMENT_HELPER_WOKEN] = w->events[i].at_ns;
		path->at_ns[MOMENT_HELPER_RUNS] = runs < end ? w->events[runs].at_ns : 0;
		return;
	}
}

/* The first that gets a CPU; none where one had it all along, as a thread that polls has. */
static void find_handover(const struct op_window *w, uint64_t before_ns, struct upcall_path *path)
{
	for (size_t i = w->begin; i < w->end && w->events[i].at_ns < before_ns; i++) {
		if (is_helper(w->actors, w->events[i].thread))
			return;
		if (w->events[i].kind == EVENT_SWITCH &&
		    is_helper(w->actors, w->events[i].values[1])) {
			path->at_ns[MOMENT_HELPER_BEGINS] = w->events[i].at_ns;
			return;
		}
	}
}

/* How the loop's thread hears of what was completed. */
static void follow_news(const struct op_window *w, size_t completed, struct upcall_path *path)
{
	size_t woken = first_waking(w, completed, w->actors->loop);
	size_t runs = woken == NOWHERE ? NOWHERE : first_switch_to(w, woken, w->actors->loop);
	size_t heard = runs == NOWHERE ? completed : runs;
	path->at_ns[MOMENT_WOKEN] = time_at(w, woken);
	path->at_ns[MOMENT_RUNS] = time_at(w, runs);
	path->at_ns[MOMENT_SLEEPS] = time_at(w, woken == NOWHERE ? NOWHERE : last_sleep(w, woken));
	path->at_ns[MOMENT_RETURNED] =
		time_at(w, first_of_thread(w, heard, EVENT_SYSCALL_EXIT, w->actors->loop));
	path->at_ns[MOMENT_POSTED] =
		time_at(w, first_of_process(w, completed, EVENT_URING_COMPLETE));
	/* Who is woken first wakes the loop's thread in turn. */
	find_woken_helper(w, completed, woken == NOWHERE ? w->end : woken, path);
}

struct upcall_path upcall_follow(const struct kernel_event *events, size_t count,
				 const struct upcall_op *op, const struct upcall_actors *actors)
{
	struct upcall_path path = { { 0 } };
	struct op_window w = {
		.events = events,
		.begin = upcall_first_at(events, count, op->offered_ns),
		.end = upcall_first_at(events, count, op->taken_ns + 1),
		.actors = actors,
	};
	path.at_ns[MOMENT_OFFERED] = op->offered_ns;
	path.at_ns[MOMENT_TAKEN] = op->taken_ns;
	path.at_ns[MOMENT_CALLED] =
		time_at(&w, first_of_thread(&w, w.begin, EVENT_SYSCALL_ENTER, actors->loop));
	path.at_ns[MOMENT_TAKEN_UP] =
		time_at(&w, first_of_process(&w, w.begin, EVENT_URING_SUBMIT));
	size_t completed = actors->peer ? follow_packet(&w, &path) : follow_request(&w, &path);
	if (completed ==
	    NOWHERE) /* the rest has no beginning: which wake-up would be this one's? */
		return path;
	path.at_ns[MOMENT_COMPLETED] = time_at(&w, completed);
	find_handover(&w, path.at_ns[actors->peer ? MOMENT_PACKET : MOMENT_ISSUED], &path);
	if (op->accepted_ns < path.at_ns[MOMENT_COMPLETED])
		path.at_ns[MOMENT_ACCEPTED] = op->accepted_ns;
	follow_news(&w, completed, &path);
	return path;
}

enum upcall_moment upcall_before(const struct upcall_path *path, enum upcall_moment moment)
{
	enum upcall_moment found = UPCALL_MOMENTS;
	uint64_t at_ns = path->at_ns[moment];
	for (enum upcall_moment m = 0; m < UPCALL_MOMENTS; m++) {
		uint64_t other_ns = path->at_ns[m];
		bool is_earlier = other_ns < at_ns || (other_ns == at_ns && m < moment);
		if (m == moment || other_ns == 0 || !is_earlier)
			continue;
		if (found == UPCALL_MOMENTS || other_ns >= path->at_ns[found])
			found = m;
	}
	return found;
}
