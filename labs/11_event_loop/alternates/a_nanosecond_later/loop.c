/* SPDX-License-Identifier: MIT */
/* The event loop's turn, and what it takes up: operations, timers, deferred calls, descriptors. */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "engines.h"
#include "loop.h"

/* One more descriptor and operation than the program asked for: the loop's own, to be woken by. */
#define OWN 1

#define PAGE_BYTES 4096

static unsigned usable_cpus(void)
{
	cpu_set_t allowed;
	return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (unsigned)CPU_COUNT(&allowed)
								   : 1;
}

static int allocate(struct event_loop *loop, const struct event_loop_config *config)
{
	loop->depth = config->depth + OWN;
	loop->max_fds = config->max_fds + OWN;
	loop->buffers_len_bytes =
		(config->buffers_len_bytes + 2 * PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	loop->buffers = mmap(NULL, loop->buffers_len_bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	loop->all_ops = aligned_alloc(64, loop->depth * sizeof *loop->all_ops);
	loop->started = calloc(loop->depth, sizeof(struct io_op *));
	loop->fds = calloc(loop->max_fds, sizeof *loop->fds);
	if (loop->buffers == MAP_FAILED || !loop->all_ops || !loop->started || !loop->fds)
		return -ENOMEM;
	memset(loop->all_ops, 0, loop->depth * sizeof *loop->all_ops);
	for (unsigned i = loop->depth; i-- > 0;) {
		struct io_op *op = &loop->all_ops[i].op;
		op->slot = i;
		op->next = loop->free_ops;
		loop->free_ops = op;
	}
	for (unsigned i = 0; i < loop->max_fds; i++) {
		loop->fds[i].fd = -1;
		list_init(&loop->fds[i].ops);
		if (i != OWN_FD_SLOT(loop))
			list_push(&loop->free_fds, &loop->fds[i].link);
	}
	return 0;
}

static void release(struct event_loop *loop)
{
	if (loop->buffers && loop->buffers != MAP_FAILED)
		munmap(loop->buffers, loop->buffers_len_bytes);
	free(loop->timers.entries);
	free(loop->all_ops);
	free(loop->started);
	free(loop->fds);
	free(loop);
}

int event_loop_open(struct event_loop **opened, const struct event_loop_config *config,
		    struct reason *why)
{
	if (config->depth < 1)
		return reason_errno(why, "no_depth", EINVAL,
				    "a loop needs room for at least one operation");
	struct event_loop *loop = calloc(1, sizeof *loop);
	if (!loop)
		return reason_no_memory(why, "the event loop");
	loop->ops = config->engine;
	loop->options = config->options;
	loop->wake_fds[0] = loop->wake_fds[1] = -1;
	struct loop_link *const lists[] = { &loop->free_fds, &loop->closing_fds, &loop->deferred,
					    &loop->wakeups, &loop->signals };
	for (unsigned i = 0; i < sizeof lists / sizeof *lists; i++)
		list_init(lists[i]);
	int rc = allocate(loop, config);
	if (rc < 0)
		rc = reason_no_memory(why, "the event loop");
	if (rc == 0) {
		struct engine_config engine_config = {
			.depth = loop->depth,
			.max_fds = loop->max_fds,
			.arena = loop->buffers,
			.arena_len_bytes = loop->buffers_len_bytes,
			.cpu_count = usable_cpus(),
			.options = loop->options,
			.lent_count = config->lent_count,
			.lent_len_bytes = config->lent_len_bytes,
		};
		if (config->lent_count > 0)
			rc = engine_lends(loop->ops, &engine_config, why);
		if (rc == 0)
			rc = loop->ops->open(&loop->engine, &engine_config, why);
	}
	if (rc < 0) {
		release(loop);
		return rc;
	}
	event_loop_update_now(loop);
	*opened = loop;
	return 0;
}

void *event_loop_buffers(const struct event_loop *loop)
{
	return loop->buffers;
}

uint64_t event_loop_now_ns(const struct event_loop *loop)
{
	return loop->now_ns;
}

void event_loop_update_now(struct event_loop *loop)
{
	loop->now_ns = clock_ns();
}

bool event_loop_wants_nonblocking(const struct event_loop *loop)
{
	return loop->ops->traits & IO_TRIES_CONNECTIONS;
}

int event_loop_supports(const struct event_loop *loop, enum io_kind kind, enum io_fd_kind fd_kind,
			struct reason *why)
{
	struct engine_config config = {
		.depth = loop->depth,
		.cpu_count = usable_cpus(),
		.options = loop->options,
	};
	return loop->ops->supports(&config, kind, fd_kind, why);
}

/* Descriptors. */

int loop_attach_at(struct event_loop *loop, unsigned fd_slot, int fd, enum io_fd_kind kind,
		   struct reason *why)
{
	struct loop_fd *place = &loop->fds[fd_slot];
	int rc = loop->ops->attach ? loop->ops->attach(loop->engine, fd_slot, fd, kind, why) : 0;
	if (rc < 0)
		return rc;
	place->fd = fd;
	place->is_closing = false;
	return 0;
}

int event_loop_attach(struct event_loop *loop, int fd, enum io_fd_kind kind, struct reason *why)
{
	/* The first that became free is used first: a number rests for as long as it can. */
	struct loop_link *link = list_pop(&loop->free_fds);
	if (!link)
		return reason_errno(why, "too_many_descriptors", EMFILE,
				    "the loop has room for {descriptors} descriptors",
				    reason_int("descriptors", loop->max_fds - OWN));
	struct loop_fd *place = object_of(link, struct loop_fd, link);
	unsigned fd_slot = (unsigned)(place - loop->fds);
	int rc = loop_attach_at(loop, fd_slot, fd, kind, why);
	if (rc < 0)
		list_push(&loop->free_fds, &place->link);
	return rc < 0 ? rc : (int)fd_slot;
}

void event_loop_detach(struct event_loop *loop, unsigned fd_slot)
{
	struct loop_fd *place = &loop->fds[fd_slot];
	assert(place->fd >= 0 && list_is_empty(&place->ops));
	if (loop->ops->detach)
		loop->ops->detach(loop->engine, fd_slot);
	place->fd = -1;
	list_push(&loop->free_fds, &place->link);
}

void event_loop_close_fd(struct event_loop *loop, unsigned fd_slot, loop_call *closed,
			 void *context)
{
	struct loop_fd *place = &loop->fds[fd_slot];
	assert(place->fd >= 0 && !place->is_closing);
	place->is_closing = true;
	place->closed = closed;
	place->context = context;
	list_push(&loop->closing_fds, &place->link);
	loop->alive++;
	for (struct loop_link *link = place->ops.next; link != &place->ops;) {
		struct loop_op *op = object_of(link, struct loop_op, on_fd);
		link = link->next;
		event_loop_cancel(loop, op);
	}
}

/* Is step 5 to close one? Then step 4 may not sleep before it. */
static bool is_one_to_be_closed(const struct event_loop *loop)
{
	const struct loop_link *head = &loop->closing_fds;
	for (struct loop_link *link = head->next; link != head; link = link->next)
		if (list_is_empty(&object_of(link, struct loop_fd, link)->ops))
			return true;
	return false;
}

/* Step 5. */
static void finish_closing(struct event_loop *loop)
{
	struct loop_link closing, *link;
	list_move(&loop->closing_fds, &closing);
	while ((link = list_pop(&closing))) {
		struct loop_fd *place = object_of(link, struct loop_fd, link);
		if (!list_is_empty(&place->ops)) {
			list_push(&loop->closing_fds, link);
			continue;
		}
		loop_call *closed = place->closed;
		void *context = place->context;
		int fd = place->fd;
		event_loop_detach(loop, (unsigned)(place - loop->fds));
		close(fd);
		loop->alive--;
		if (closed)
			closed(loop, context);
	}
}

/* Operations. */

struct loop_op *event_loop_start(struct event_loop *loop, const struct loop_request *request,
				 loop_done *done, void *context)
{
	const struct io_op *op = loop->free_ops;
	if (!op || (!op->next && !loop->wake_op))
		return NULL; /* the last one is the loop's own */
	return loop_start(loop, request, done, context);
}

struct loop_op *loop_start(struct event_loop *loop, const struct loop_request *request,
			   loop_done *done, void *context)
{
	struct io_op *op = loop->free_ops;
	loop->free_ops = op->next;
	struct loop_op *started = (struct loop_op *)op;
	struct loop_fd *place = &loop->fds[request->fd_slot];
	op->kind = (uint8_t)request->kind;
	op->fd = request->kind == IO_NOP ? -1 : place->fd;
	op->fd_slot = request->fd_slot;
	op->buf = request->buf;
	op->len_bytes = request->len_bytes;
	op->offset = request->offset;
	started->done = done;
	started->context = context;
	started->is_asked_back = false;
	if (request->kind != IO_NOP) {
		assert(place->fd >= 0 && !place->is_closing);
		list_push(&place->ops, &started->on_fd);
	}
	loop->started[loop->started_count++] = op;
	loop->alive++;
	return started;
}

void *event_loop_lent(const struct event_loop *loop)
{
	return loop->lent;
}

void event_loop_give_back(struct event_loop *loop, void *buf)
{
	loop->ops->give_back(loop->engine, buf);
}

/* Takes it out of what was started. Returns whether it was there. */
static bool take_back(struct event_loop *loop, struct io_op *op)
{
	unsigned i = 0;
	while (i < loop->started_count && loop->started[i] != op)
		i++;
	if (i == loop->started_count)
		return false;
	loop->started_count--;
	memmove(loop->started + i, loop->started + i + 1,
		(loop->started_count - i) * sizeof(struct io_op *));
	return true;
}

void event_loop_cancel(struct event_loop *loop, struct loop_op *op)
{
	if (op->is_asked_back)
		return;
	op->is_asked_back = true;
	if (op->op.in_flight) {
		if (loop->ops->cancel_one)
			loop->ops->cancel_one(loop->engine, &op->op);
	} else if (take_back(loop, &op->op)) {
		op->op.result = -ECANCELED;
		op->op.next = loop->asked_back;
		loop->asked_back = &op->op;
	}
}

/* The callback of an operation that is over. Its place is free before: the callback may start one. */
static void end_op(struct event_loop *loop, struct io_op *op)
{
	struct loop_op *ended = (struct loop_op *)op;
	loop->lent = op->buf;
	if (ended->on_fd.next)
		list_remove(&ended->on_fd);
	op->next = loop->free_ops;
	loop->free_ops = op;
	loop->alive--;
	ended->done(loop, ended->context, op->result);
}

/* Hands over as many as the engine takes. Returns 0 or -errno. */
static int submit_started(struct event_loop *loop)
{
	unsigned count = loop->started_count;
	if (count == 0)
		return 0;
	int accepted = loop->ops->submit(loop->engine, loop->started, count);
	if (accepted < 0)
		return accepted;
	for (int i = 0; i < accepted; i++)
		loop->started[i]->in_flight = 1;
	loop->with_engine_count += (unsigned)accepted;
	loop->started_count -= (unsigned)accepted;
	if (loop->started_count > 0)
		memmove(loop->started, loop->started + accepted,
			loop->started_count * sizeof(struct io_op *));
	return 0;
}

/* How long step 4 may wait; negative: for ever. */
static int64_t longest_wait_ns(const struct event_loop *loop, bool may_wait)
{
	if (!may_wait || loop->asked_back || !list_is_empty(&loop->deferred))
		return 0;
	if (loop->timers.count == 0 || loop->timers.entries[1].due_ns > INT64_MAX)
		return -1;
	int64_t left_ns = (int64_t)(loop->timers.entries[1].due_ns - clock_ns());
	return left_ns > 0 ? left_ns : 0;
}

/* No operation could end the wait: a timer does, or a signal handler that runs in this thread. */
static void sleep_without_engine(int64_t wait_ns)
{
	if (wait_ns < 0)
		pause(); /* no timer will ever be due */
	if (wait_ns <= 0)
		return;
	struct timespec wait = timespec_of_ns(wait_ns);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
}

/* Step 4. Returns 0 or -errno. */
static int do_operations(struct event_loop *loop, bool may_wait)
{
	int rc = submit_started(loop);
	if (rc < 0)
		return rc;
	int64_t wait_ns = longest_wait_ns(loop, may_wait && !is_one_to_be_closed(loop));
	int count = 0;
	if (loop->with_engine_count > 0) {
		count = loop->ops->reap(loop->engine, loop->done, wait_ns != 0, EVENT_LOOP_BATCH,
					wait_ns);
		if (count < 0)
			return count;
	} else {
		sleep_without_engine(wait_ns);
	}
	struct io_op *asked_back = loop->asked_back;
	loop->asked_back = NULL;
	for (int i = 0; i < count; i++)
		loop->done[i]->in_flight = 0;
	loop->with_engine_count -= (unsigned)count;
	for (int i = 0; i < count; i++)
		end_op(loop, loop->done[i]);
	while (asked_back) {
		struct io_op *op = asked_back;
		asked_back = op->next;
		end_op(loop, op);
	}
	return 0;
}

/* Timers. */

static uint64_t later(uint64_t from_ns, uint64_t by_ns)
{
	return from_ns > UINT64_MAX - by_ns ? UINT64_MAX : from_ns + by_ns;
}

static int begin_timer(struct event_loop *loop, struct loop_timer *timer, uint64_t due_ns)
{
	bool was_active = event_loop_timer_is_active(timer);
	if (timer->place)
		timer_heap_remove(&loop->timers, timer);
	timer->due_ns = due_ns;
	int rc = timer_heap_add(&loop->timers, timer);
	bool is_active = rc == 0;
	if (!timer->background)
		loop->alive += (unsigned)is_active - (unsigned)was_active;
	return rc;
}

int event_loop_timer_start(struct event_loop *loop, struct loop_timer *timer, int64_t delay_ns,
			   int64_t repeat_ns)
{
	if (delay_ns < 0 || repeat_ns < 0)
		return -EINVAL;
	timer->repeat_ns = (uint64_t)repeat_ns;
	/* A delay of 0 is 1, so no timer that a callback starts is due in the same step. */
	uint64_t least_ns = delay_ns > 0 ? (uint64_t)delay_ns : 1;
	return begin_timer(loop, timer, later(loop->now_ns, least_ns));
}

int event_loop_timer_again(struct event_loop *loop, struct loop_timer *timer)
{
	if (timer->repeat_ns == 0)
		return -EINVAL;
	return begin_timer(loop, timer, later(loop->now_ns, timer->repeat_ns));
}

void event_loop_timer_stop(struct event_loop *loop, struct loop_timer *timer)
{
	if (!event_loop_timer_is_active(timer))
		return;
	timer_heap_remove(&loop->timers, timer);
	loop->alive -= !timer->background;
}

/*
 * A repeating timer keeps its beat: the next time is counted from the last one and not from now.
 * Beats that were missed are left out. Its place in the heap is free, so this cannot fail.
 */
static void repeat_timer(struct event_loop *loop, struct loop_timer *timer)
{
	uint64_t missed = (loop->now_ns - timer->due_ns) / timer->repeat_ns;
	timer->due_ns = later(timer->due_ns, (missed + 1) * timer->repeat_ns);
	timer_heap_add(&loop->timers, timer);
}

/* It is due: called, and where it repeats begun again before, so that the callback may stop it. */
static void call_timer(struct event_loop *loop, struct loop_timer *timer)
{
	if (timer->repeat_ns > 0)
		repeat_timer(loop, timer);
	else
		loop->alive -= !timer->background;
	timer->call(loop, timer->context);
}

/* Step 2. What a callback starts is due after `now_ns`. Returns whether there were any. */
static bool call_timers(struct event_loop *loop)
{
	struct timer_heap *heap = &loop->timers;
	const uint64_t now_ns = loop->now_ns;
	bool any = false;
	while (heap->count > 0 && heap->entries[1].due_ns <= now_ns) {
		struct loop_timer *timer = heap->entries[1].timer;
		timer_heap_remove(heap, timer);
		call_timer(loop, timer);
		any = true;
	}
	return any;
}

/* Deferred calls. */

void event_loop_defer(struct event_loop *loop, struct loop_deferred *deferred)
{
	if (deferred->link.next)
		return;
	list_push(&loop->deferred, &deferred->link);
	loop->alive++;
}

void event_loop_undefer(struct event_loop *loop, struct loop_deferred *deferred)
{
	if (!deferred->link.next)
		return;
	list_remove(&deferred->link);
	loop->alive--;
}

/* Step 3. Returns whether there were any. */
static bool call_deferred(struct event_loop *loop)
{
	bool any = false;
	struct loop_link due, *link;
	list_move(&loop->deferred, &due);
	while ((link = list_pop(&due))) {
		struct loop_deferred *deferred = object_of(link, struct loop_deferred, link);
		loop->alive--;
		deferred->call(loop, deferred->context);
		any = true;
	}
	return any;
}

/* The turn. */

static int turn(struct event_loop *loop, enum loop_run how)
{
	event_loop_update_now(loop);
	bool any = call_timers(loop);
	any |= call_deferred(loop);
	bool may_wait = how == LOOP_RUN;
	may_wait |= how == LOOP_ONCE && !any;
	int rc = do_operations(loop, may_wait && loop->alive > 0 && !loop->is_stopped);
	if (rc == 0)
		finish_closing(loop);
	return rc;
}

void event_loop_stop(struct event_loop *loop)
{
	loop->is_stopped = true;
}

int event_loop_run(struct event_loop *loop, enum loop_run how)
{
	int rc;
	do
		rc = turn(loop, how);
	while (rc == 0 && how == LOOP_RUN && loop->alive > 0 && !loop->is_stopped);
	loop->is_stopped = false;
	return rc < 0 ? rc : loop->alive > 0;
}

/* They are the program's, which may use them again. */
static void give_up_timers_and_calls(struct event_loop *loop)
{
	while (list_pop(&loop->deferred))
		;
	for (uint32_t place = 1; place <= loop->timers.count; place++)
		loop->timers.entries[place].timer->place = 0;
}

void event_loop_close(struct event_loop *loop)
{
	struct loop_link *link;
	loop_stop_listening(loop);
	give_up_timers_and_calls(loop);
	loop->ops->cancel(loop->engine);
	while (loop->with_engine_count > 0) {
		int count = loop->ops->reap(loop->engine, loop->done, 1, EVENT_LOOP_BATCH, -1);
		if (count < 0)
			break; /* the engine is broken: it cannot give back anything */
		loop->with_engine_count -= (unsigned)count;
	}
	loop->ops->close(loop->engine);
	while ((link = list_pop(&loop->closing_fds)))
		close(object_of(link, struct loop_fd, link)->fd);
	if (loop->wake_fds[0] >= 0) {
		close(loop->wake_fds[0]);
		close(loop->wake_fds[1]);
	}
	release(loop);
}
