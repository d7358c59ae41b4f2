/* SPDX-License-Identifier: MIT */
/* Promises, tasks and await, over each engine that can do what a test needs. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "clock.h"
#include "engines.h"
#include "promise.h"
#include "tests/test_apart.h"

#define LIMIT_S 60

static const char *engine_name;
static uint64_t engine_options;
static const struct engine_ops *engine_ops;
static struct event_loop *loop;
static struct promise_pool *pool;
static char events[4096];
static unsigned event_count;
static int neglected_count;
static int64_t neglected_value;

#define TAG(letter) ((void *)(uintptr_t)(letter))

static void note(char letter)
{
	expect(event_count < sizeof events - 1, "too many events");
	events[event_count++] = letter;
	events[event_count] = '\0';
}

static void expect_events(const char *expected)
{
	expect(strcmp(events, expected) == 0, "expected \"%s\", saw \"%s\"", expected, events);
}

static void count_neglected(void *context, int64_t value)
{
	(void)context;
	neglected_count++;
	neglected_value = value;
}

static void need_sockets(void)
{
	struct reason why = { "" };
	if (event_loop_supports(loop, IO_RECV, IO_FD_SOCKET, &why) == 0 &&
	    !(engine_ops->traits & IO_BLOCKS_IN_SUBMIT))
		return;
	puts(*why.text ? why.text : "its submit() sleeps until the operation is over");
	exit(TEST_SKIPPED_STATUS);
}

static void run(void)
{
	int rc = event_loop_run(loop, LOOP_RUN);
	expect(rc == 0, "event_loop_run: %d", rc);
}

static struct promise_answer plus_one(void *context, int64_t value)
{
	note(*(char *)context);
	return PROMISE_VALUE(value + 1);
}

static struct promise_answer reject_with(void *context, int64_t value)
{
	note(*(char *)context);
	return PROMISE_REJECTION(-value);
}

static int64_t value_of(struct promise *p, enum promise_state expected)
{
	int64_t value = 0;
	enum promise_state state = promise_state(p, &value);
	expect(state == expected, "expected state %d, saw %d", (int)expected, (int)state);
	promise_drop(p);
	return value;
}

static void settles_once(void)
{
	struct promise *p = promise_new(pool);
	expect(promise_state(p, NULL) == PROMISE_PENDING, "pending");
	expect(promise_fulfil(p, 7) == 0, "first");
	expect(promise_fulfil(p, 8) == -EALREADY && promise_reject(p, 9) == -EALREADY, "second");
	expect(value_of(p, PROMISE_FULFILLED) == 7, "value");
}

static void callbacks_run_from_the_loop(void)
{
	struct promise *p = promise_new(pool);
	struct promise *a = promise_then(p, plus_one, TAG("a"));
	promise_fulfil(p, 1);
	struct promise *b = promise_then(p, plus_one, TAG("b"));
	expect_events("");
	run();
	expect_events("ab");
	expect(value_of(a, PROMISE_FULFILLED) == 2 && value_of(b, PROMISE_FULFILLED) == 2, "value");
	struct promise *c = promise_then(p, plus_one, TAG("c"));
	expect_events("ab");
	run();
	expect_events("abc");
	promise_drop(c);
	promise_drop(p);
}

static void a_rejection_passes_by(void)
{
	struct promise *p = promise_new(pool);
	struct promise *a = promise_then(p, reject_with, TAG("a"));
	struct promise *b = promise_then(a, plus_one, TAG("b"));
	struct promise *f = promise_finally(b, plus_one, TAG("f"));
	struct promise *c = promise_catch(f, plus_one, TAG("c"));
	struct promise *d = promise_catch(c, plus_one, TAG("d"));
	struct promise *e = promise_then(d, plus_one, TAG("e"));
	promise_drop(a);
	promise_drop(b);
	promise_drop(f);
	promise_drop(c);
	promise_drop(d);
	promise_fulfil(p, 5);
	promise_drop(p);
	run();
	expect_events("afce");
	expect(value_of(e, PROMISE_FULFILLED) == -3, "value");
	expect(neglected_count == 0, "neglected");
}

/* A chain of which only the last is kept: no other hold is left. */
static void a_chain_is_passed_on(void)
{
	struct promise *p = promise_new(pool);
	struct promise *chain = promise_and_then(promise_hold(p), reject_with, TAG("a"));
	chain = promise_and_then(chain, plus_one, TAG("b"));
	chain = promise_and_catch(chain, plus_one, TAG("c"));
	promise_fulfil(p, 5);
	promise_drop(p);
	run();
	expect_events("ac");
	expect(promise_pool_used(pool) == 1, "%u used", promise_pool_used(pool));
	expect(value_of(chain, PROMISE_FULFILLED) == -4, "value");
	expect(!promise_and_then(NULL, plus_one, NULL), "NULL");
}

static struct promise *inner;

static struct promise_answer follow_inner(void *context, int64_t value)
{
	(void)context;
	(void)value;
	return PROMISE_FOLLOW(promise_hold(inner));
}

static void a_callback_may_answer_with_a_promise(void)
{
	struct promise *p = promise_new(pool);
	inner = promise_new(pool);
	struct promise *a = promise_then(p, follow_inner, NULL);
	struct promise *b = promise_then(a, plus_one, TAG("b"));
	promise_fulfil(p, 1);
	run();
	expect(promise_state(a, NULL) == PROMISE_PENDING, "it follows");
	expect(promise_fulfil(a, 3) == -EALREADY, "it follows, and nobody else settles it");
	promise_fulfil(inner, 41);
	run();
	expect(value_of(b, PROMISE_FULFILLED) == 42, "value");
	promise_drop(a);
	promise_drop(p);
	promise_drop(inner);
}

static void neglect_is_reported(void)
{
	struct promise *p = promise_new(pool);
	struct promise *a = promise_then(p, plus_one, TAG("a"));
	promise_reject(p, -5);
	run();
	expect(neglected_count == 1 && neglected_value == -5, "%d reports", neglected_count);
	run();
	expect(neglected_count == 1, "reported twice");
	promise_drop(a);
	promise_drop(p);
	/* The last hold is gone: it is reported nevertheless. */
	p = promise_new(pool);
	promise_reject(p, -6);
	promise_drop(p);
	run();
	expect(neglected_count == 2 && neglected_value == -6, "%d reports", neglected_count);
	/* Looked at within the turn: no report. */
	p = promise_new(pool);
	promise_reject(p, -7);
	promise_state(p, NULL);
	promise_drop(p);
	run();
	expect(neglected_count == 2, "%d reports", neglected_count);
}

static struct promise *three[3];

static struct promise *answered;

static struct promise_answer follow_answered(void *context, int64_t value)
{
	(void)value;
	note(*(char *)context);
	return PROMISE_FOLLOW(promise_hold(answered));
}

/* Not even a rejection, which nobody could look at, and a hold that is taken over. */
static void what_an_await_answers_does_not_count(void)
{
	struct promise *p = promise_new(pool);
	answered = promise_new(pool);
	expect(promise_await(p, reject_with, TAG("r")), "await");
	expect(promise_await(p, follow_answered, TAG("f")), "await");
	expect(promise_await(p, plus_one, TAG("v")), "await");
	promise_fulfil(p, 5);
	run();
	expect_events("rfv");
	expect(value_of(p, PROMISE_FULFILLED) == 5, "value");
	expect(neglected_count == 0, "%d neglected", neglected_count);
	promise_drop(answered);
	expect(promise_pool_used(pool) == 0, "%u promises are left", promise_pool_used(pool));
}

static void make_three(void)
{
	for (unsigned i = 0; i < 3; i++)
		three[i] = promise_new(pool);
}

static void drop_three(void)
{
	for (unsigned i = 0; i < 3; i++)
		promise_drop(three[i]);
}

static void all_any_race(void)
{
	make_three();
	struct promise *all = promise_all(pool, three, 3), *any = promise_any(pool, three, 3),
		       *race = promise_race(pool, three, 3);
	promise_fulfil(three[1], 11);
	run();
	expect(promise_state(all, NULL) == PROMISE_PENDING, "all");
	expect(value_of(any, PROMISE_FULFILLED) == 11, "any");
	expect(value_of(race, PROMISE_FULFILLED) == 11, "race");
	promise_fulfil(three[0], 10);
	promise_fulfil(three[2], 12);
	run();
	expect(value_of(all, PROMISE_FULFILLED) == 3, "all");
	drop_three();

	make_three();
	all = promise_all(pool, three, 3);
	any = promise_any(pool, three, 3);
	race = promise_race(pool, three, 3);
	promise_state(all, NULL); /* looks at them */
	promise_state(any, NULL);
	promise_state(race, NULL);
	promise_reject(three[2], -2);
	run();
	expect(value_of(all, PROMISE_REJECTED) == -2, "all");
	expect(value_of(race, PROMISE_REJECTED) == -2, "race");
	promise_reject(three[0], -10);
	promise_reject(three[1], -11);
	run();
	expect(value_of(any, PROMISE_REJECTED) == -11, "any");
	drop_three();
	expect(neglected_count == 0, "neglected");
	expect(value_of(promise_all(pool, three, 0), PROMISE_FULFILLED) == 0, "all of none");
	expect(value_of(promise_any(pool, three, 0), PROMISE_REJECTED) == -ENOENT, "any of none");
	run();
}

static void an_empty_pool_is_told(void)
{
	struct promise *all[100];
	unsigned n = 0;
	while ((all[n] = promise_new(pool)))
		n++;
	expect(n == 64, "%u promises from a pool of 64", n);
	expect(!promise_then(all[0], plus_one, NULL) && !promise_all(pool, all, 2), "then");
	expect(!promise_then(NULL, plus_one, NULL) && !promise_all(pool, all, 65), "NULL");
	promise_drop(all[--n]);
	promise_drop(all[--n]);
	expect(!promise_all(pool, all, 3), "all that has not enough parts");
	expect(promise_pool_used(pool) == n, "%u used", promise_pool_used(pool));
	while (n > 0)
		promise_drop(all[--n]);
}

/* A million, of four kinds. Whatever is not given back, to the pool or to malloc(3), shows. */
static void abandoned_chains_leak_nothing(void)
{
	struct mallinfo2 before = mallinfo2();
	unsigned chains = 0;
	while (chains < 1000000) {
		struct promise *p = promise_new(pool);
		struct promise *a = promise_then(p, plus_one, TAG("a"));
		promise_drop(promise_then(a, plus_one, TAG("a")));
		promise_drop(promise_race(pool, (struct promise *[]) { a, p }, 2));
		promise_drop(a);
		promise_drop(promise_with_deadline(p, 1000));
		promise_drop(promise_finally(p, plus_one, TAG("a")));
		promise_drop(p); /* nobody can settle it any more */
		expect(promise_pool_used(pool) == 0, "%u used", promise_pool_used(pool));
		if (chains == 0)
			before = mallinfo2(); /* the heap of timers has its first room */
		chains += 4;
	}
	expect(mallinfo2().uordblks == before.uordblks, "%zu bytes were allocated",
	       mallinfo2().uordblks - before.uordblks);
	run();
	expect_events("");
}

static void what_has_ended_is_not_cancelled(void)
{
	struct promise *p = promise_new(pool);
	expect(promise_fulfil(p, 7) == 0, "fulfil");
	promise_cancel(p);
	promise_cancel(p);
	expect(promise_reject(p, 9) == -EALREADY, "settled twice");
	struct promise *a = promise_then(p, plus_one, TAG("a"));
	run();
	promise_cancel(a); /* the whole chain has ended */
	run();
	expect(value_of(p, PROMISE_FULFILLED) == 7 && value_of(a, PROMISE_FULFILLED) == 8, "7, 8");
	struct promise *delay = promise_delay(pool, 1000);
	run();
	promise_cancel(delay);
	expect(value_of(delay, PROMISE_FULFILLED) == 0, "a delay");
	struct promise *q = promise_new(pool);
	promise_cancel(q);
	promise_cancel(q);
	expect(promise_fulfil(q, 1) == -EALREADY, "fulfilled after a cancel");
	expect(value_of(q, PROMISE_REJECTED) == -ECANCELED, "a cancel, twice");
	run();
	expect_events("a");
}

static void deadlines(void)
{
	struct promise *late = promise_new(pool);
	struct promise *a = promise_with_deadline(late, 1000);
	run();
	expect(value_of(a, PROMISE_REJECTED) == -ETIMEDOUT, "deadline");
	expect(value_of(late, PROMISE_REJECTED) == -ECANCELED, "what it waited for");
	struct promise *soon = promise_delay(pool, 1000);
	struct promise *b = promise_with_deadline(soon, 10 * NS_PER_S);
	uint64_t began_ns = clock_ns();
	run();
	expect(clock_ns() - began_ns < 10 * NS_PER_S, "the deadline's timer is active still");
	expect(value_of(b, PROMISE_FULFILLED) == 0, "in time");
	promise_drop(soon);
	struct promise *delay = promise_delay(pool, 10 * NS_PER_S);
	struct promise *c = promise_then(delay, plus_one, TAG("x"));
	promise_cancel(c);
	run();
	expect(value_of(c, PROMISE_REJECTED) == -ECANCELED, "cancelled");
	promise_drop(delay);
	expect_events("");
}

/* Operations and tasks. */

static int pair[2], fd_slot;

static void attach_pair(void)
{
	struct reason why;
	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	fd_slot = event_loop_attach(loop, pair[0], IO_FD_SOCKET, &why);
	expect(fd_slot >= 0, "attach");
}

static struct loop_request receive(void)
{
	return (struct loop_request) { .kind = IO_RECV,
				       .fd_slot = (unsigned)fd_slot,
				       .buf = event_loop_buffers(loop),
				       .len_bytes = 100 };
}

static void operations_are_promises(void)
{
	need_sockets();
	attach_pair();
	struct loop_request request = receive();
	struct promise *a = promise_operation(pool, &request);
	struct promise *b = promise_then(a, plus_one, TAG("b"));
	expect(write(pair[1], "123", 3) == 3, "write");
	run();
	expect(value_of(a, PROMISE_FULFILLED) == 3 && value_of(b, PROMISE_FULFILLED) == 4, "3, 4");
	if (engine_ops->traits & IO_CANCEL_SHUTS_DOWN) {
		puts("it has to shut the socket down to call back");
		exit(TEST_SKIPPED_STATUS);
	}
	a = promise_operation(pool, &request);
	b = promise_then(a, plus_one, TAG("x"));
	event_loop_run(loop, LOOP_POLL);
	promise_cancel(b);
	run();
	expect(value_of(a, PROMISE_REJECTED) == -ECANCELED, "cancelled");
	expect(value_of(b, PROMISE_REJECTED) == -ECANCELED, "cancelled");
	expect_events("b");
	close(pair[1]);
	event_loop_close_fd(loop, (unsigned)fd_slot, NULL, NULL);
	run();
}

static void echo(void *argument)
{
	struct task *self = task_current();
	struct loop_request request = receive();
	int64_t n;
	(void)argument;
	while ((n = await_operation(self, &request)) > 0) {
		struct loop_request answer = request;
		answer.kind = IO_SEND;
		answer.len_bytes = (uint32_t)n;
		n = await_operation(self, &answer);
		expect(n == answer.len_bytes, "sent %lld", (long long)n);
		note('e');
	}
	note(n == 0 ? '0' : n == -ECANCELED ? 'c' : '?');
	/* Whatever it awaits now ends at once. */
	if (n < 0)
		expect(await_operation(self, &request) == -ECANCELED, "cancelled for ever");
}

static struct task_pool *open_tasks(unsigned count)
{
	struct task_pool *tasks;
	struct reason why = { "" };
	int rc = task_pool_open(&tasks, loop, pool, count, 32768, &why);
	expect(rc == 0, "task_pool_open: %s", why.text);
	return tasks;
}

static void a_task_awaits_operations(void)
{
	need_sockets();
	struct task_pool *tasks = open_tasks(1);
	for (unsigned round = 0; round < 2; round++) {
		attach_pair();
		struct task *task = task_start(tasks, echo, NULL);
		expect(task && !task_start(tasks, echo, NULL), "a pool of one task");
		for (unsigned i = 0; i < 3; i++) {
			char byte;
			expect(write(pair[1], "x", 1) == 1, "write");
			while (event_count == i)
				event_loop_run(loop, LOOP_ONCE);
			expect(read(pair[1], &byte, 1) == 1 && byte == 'x', "read");
		}
		if (round == 0)
			shutdown(pair[1], SHUT_WR);
		else
			task_cancel(task);
		run();
		expect_events(round == 0 ? "eee0" : "eeec");
		event_count = 0;
		event_loop_close_fd(loop, (unsigned)fd_slot, NULL, NULL);
		run();
		close(pair[1]);
	}
	task_pool_close(tasks);
}

static struct promise *awaited;

static void await_it(void *argument)
{
	bool is_rejected;
	int64_t value = await_promise(task_current(), awaited, &is_rejected);
	note(*(char *)argument);
	expect(value == (is_rejected ? -5 : 5), "%lld", (long long)value);
	value = await_promise(task_current(), awaited, NULL); /* settled already */
	expect(value == (is_rejected ? -5 : 5), "%lld", (long long)value);
	expect(await_promise(task_current(), NULL, &is_rejected) == -ENOMEM && is_rejected, "NULL");
	note(*(char *)argument);
}

static void await_in_an_empty_pool(void *argument)
{
	bool is_rejected = false;
	int64_t value = await_promise(task_current(), awaited, &is_rejected);
	expect(value == -ENOMEM && is_rejected, "%lld", (long long)value);
	note(*(char *)argument);
}

static void an_await_needs_a_place_in_the_pool(void)
{
	struct promise *all[64];
	struct task_pool *tasks = open_tasks(1);
	unsigned count = 0;
	while (count < 64 && (all[count] = promise_new(pool)))
		count++;
	awaited = all[0];
	task_start(tasks, await_in_an_empty_pool, TAG("e"));
	run();
	expect_events("e");
	while (count > 0)
		promise_drop(all[--count]);
	task_pool_close(tasks);
}

static void note_task(void *argument)
{
	expect(!task_current()->is_cancelled, "cancelled from the beginning");
	note(*(char *)argument);
}

static void note_nothing(void *argument)
{
	(void)argument;
	expect(task_current()->is_cancelled, "not cancelled");
}

static void tasks_may_do_without_promises(void)
{
	struct task_pool *tasks;
	struct reason why = { "" };
	int rc = task_pool_open(&tasks, loop, NULL, 2, 32768, &why);
	expect(rc == 0, "task_pool_open: %s", why.text);
	for (unsigned round = 0; round < 2; round++) {
		task_cancel(
			task_start(tasks, note_nothing, TAG("c"))); /* whose place is used again */
		task_start(tasks, note_task, TAG("a"));
		run();
		task_start(tasks, note_task, TAG("b"));
		run();
	}
	expect_events("abab");
	task_pool_close(tasks);
}

static void tasks_await_promises(void)
{
	struct task_pool *tasks = open_tasks(3);
	for (unsigned round = 0; round < 2; round++) {
		awaited = promise_new(pool);
		struct task *a = task_start(tasks, await_it, TAG("a"));
		task_start(tasks, await_it, TAG("b"));
		struct promise *end = task_promise(a);
		event_loop_run(loop, LOOP_POLL);
		expect_events("");
		if (round == 0)
			promise_fulfil(awaited, 5);
		else
			promise_reject(awaited, -5);
		run();
		expect_events("aabb");
		expect(value_of(end, PROMISE_FULFILLED) == 0, "the task's end");
		promise_drop(awaited);
		event_count = 0;
		events[0] = '\0';
	}
	expect(neglected_count == 0, "neglected");
	task_pool_close(tasks);
}

/*
 * Groups, of both kinds of tasks. A task notes its letter: a capital when nothing came, since it was
 * cancelled. (An engine that shuts the socket down to call back says 0.)
 */

struct waiting {
	struct task task; /* of a stackless one */
	struct loop_request receive;
	struct task_group *joined, group;
	char letter;
};

static struct waiting *waiting_of(struct task *task)
{
	return (struct waiting *)task;
}

static void note_end(const struct waiting *w, int64_t result)
{
	note(result > 0 ? w->letter : (char)(w->letter - 'a' + 'A'));
}

static void receive_once(void *argument)
{
	const struct waiting *w = argument;
	note_end(w, await_operation(task_current(), &w->receive));
}

static bool receive_once_stackless(struct task *self)
{
	struct waiting *w = waiting_of(self);
	STACKLESS_BEGIN(&self->at);
	expect(task_current() == self, "the task that runs");
	AWAIT_OPERATION(self, &w->receive);
	note_end(w, self->result);
	STACKLESS_END(&self->at);
}

static void wait_for_group(void *argument)
{
	struct waiting *w = argument;
	await_group(task_current(), w->joined);
	note(task_current()->is_cancelled ? 'W' : 'w');
	await_group(task_current(), w->joined); /* nothing is left in it */
	note('.');
}

static bool wait_for_group_stackless(struct task *self)
{
	struct waiting *w = waiting_of(self);
	STACKLESS_BEGIN(&self->at);
	AWAIT_GROUP(self, w->joined);
	note(self->is_cancelled ? 'W' : 'w');
	AWAIT_GROUP(self, w->joined);
	note('.');
	STACKLESS_END(&self->at);
}

enum ending { BOTH_END, WAITER_IS_CANCELLED, WAITER_WAS_CANCELLED, MEMBER_IS_CANCELLED };

/* Two tasks that receive, each on a pair of its own, and one that waits for both. */
static void try_group(struct task_pool *tasks, bool stackless, enum ending ending,
		      const char *expected)
{
	struct task_group group = { 0 };
	struct waiting a = { .letter = 'a' }, b = { .letter = 'b' }, w = { .joined = &group };
	int far[2];
	unsigned slots[2];
	struct waiting *const members[2] = { &a, &b };
	struct task *member[2], *waiter;
	for (unsigned i = 0; i < 2; i++) {
		attach_pair();
		far[i] = pair[1];
		slots[i] = (unsigned)fd_slot;
		members[i]->receive = receive();
		member[i] = &members[i]->task;
		if (stackless)
			task_start_stackless(member[i], loop, receive_once_stackless);
		else
			member[i] = task_start(tasks, receive_once, members[i]);
		task_join(member[i], &group);
	}
	waiter = &w.task;
	if (stackless)
		task_start_stackless(waiter, loop, wait_for_group_stackless);
	else
		waiter = task_start(tasks, wait_for_group, &w);
	if (ending == WAITER_WAS_CANCELLED)
		task_cancel(waiter);
	event_loop_run(loop, LOOP_POLL);
	event_loop_run(loop, LOOP_POLL);
	if (ending == WAITER_IS_CANCELLED)
		task_cancel(waiter);
	if (ending == MEMBER_IS_CANCELLED)
		task_cancel(member[1]);
	if (ending == BOTH_END || ending == MEMBER_IS_CANCELLED) {
		while (ending == MEMBER_IS_CANCELLED && event_count == 0)
			event_loop_run(loop, LOOP_ONCE);
		expect(write(far[0], "x", 1) == 1, "write");
		while (event_count < 1 + (ending == MEMBER_IS_CANCELLED))
			event_loop_run(loop, LOOP_ONCE);
	}
	if (ending == BOTH_END)
		expect(write(far[1], "x", 1) == 1, "write");
	run();
	/* Those that were cancelled may end in any order. */
	if (event_count >= 2 && events[0] == 'B' && events[1] == 'A') {
		events[0] = 'A';
		events[1] = 'B';
	}
	expect_events(expected);
	event_count = 0;
	events[0] = '\0';
	for (unsigned i = 0; i < 2; i++) {
		event_loop_close_fd(loop, slots[i], NULL, NULL);
		close(far[i]);
	}
	run();
}

static void a_task_awaits_a_group(void)
{
	need_sockets();
	struct task_pool *tasks = open_tasks(3);
	for (int stackless = 0; stackless < 2; stackless++) {
		try_group(tasks, stackless, BOTH_END, "abw.");
		try_group(tasks, stackless, WAITER_IS_CANCELLED, "ABW.");
		try_group(tasks, stackless, WAITER_WAS_CANCELLED, "ABW.");
		try_group(tasks, stackless, MEMBER_IS_CANCELLED, "Baw.");
	}
	task_join(NULL, &(struct task_group) { 0 });
	task_pool_close(tasks);
}

/* A stackless task goes on where it was, and hears why an await did not wait. */
static bool receive_twice(struct task *self)
{
	struct waiting *w = waiting_of(self);
	STACKLESS_BEGIN(&self->at);
	for (; self->result >= 0 && event_count < 2; note('r'))
		AWAIT_OPERATION(self, &w->receive);
	task_cancel(self);
	AWAIT_OPERATION(self, &w->receive);
	note_end(w, self->result);
	STACKLESS_END(&self->at);
}

static void a_stackless_task_awaits_operations(void)
{
	need_sockets();
	attach_pair();
	struct waiting w = { .letter = 'a', .receive = receive() };
	for (unsigned round = 0; round < 2; round++) {
		event_count = 0;
		task_start_stackless(&w.task, loop, receive_twice);
		expect_events(round == 0 ? "" : "rrA");
		for (unsigned i = 0; i < 2; i++) {
			expect(write(pair[1], "x", 1) == 1, "write");
			while (event_count == i)
				event_loop_run(loop, LOOP_ONCE);
		}
		run();
		expect_events("rrA");
		task_cancel(&w.task); /* it has ended */
	}
	event_loop_close_fd(loop, (unsigned)fd_slot, NULL, NULL);
	close(pair[1]);
	run();
}

static void ignore(struct event_loop *l, void *context, int64_t result)
{
	(void)l;
	(void)context;
	(void)result;
}

static bool start_too_many(struct task *self)
{
	struct waiting *w = waiting_of(self);
	STACKLESS_BEGIN(&self->at);
	while (event_loop_start(loop, &w->receive, ignore, NULL))
		note('s');
	AWAIT_OPERATION(self, &w->receive);
	note(self->result == -EAGAIN ? 'f' : '?');
	STACKLESS_END(&self->at);
}

/* The loop's depth is used up: the await tells, and does not wait. */
static void an_await_without_room(void)
{
	struct waiting w = { .receive = { .kind = IO_NOP } };
	struct reason why;
	if (event_loop_supports(loop, IO_NOP, IO_FD_NONE, &why) < 0) {
		puts(why.text);
		exit(TEST_SKIPPED_STATUS);
	}
	task_start_stackless(&w.task, loop, start_too_many);
	run();
	expect_events("ssssf");
}

static void note_and_suspend(void *argument)
{
	note(*(char *)argument);
	coroutine_suspend(coroutine_current);
}

static void overflow(void *argument)
{
	volatile char deep[1024];
	deep[0] = *(char *)argument;
	if (deep[0])
		overflow((void *)deep);
	deep[1] = deep[0];
}

/* What a program that may not go on prints to stderr. Returns its status. */
static int outcome_of(void (*misuse)(void), char *text, size_t size)
{
	int ends[2], status;
	expect(pipe(ends) == 0, "pipe");
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		misuse();
		_exit(0);
	}
	close(ends[1]);
	waitpid(pid, &status, 0);
	ssize_t n = read(ends[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	return status;
}

static void overflow_the_second(void)
{
	struct coroutine_pool *older, *stacks;
	struct reason why;
	expect(coroutine_name_overflows() == 0, "coroutine_name_overflows");
	coroutine_pool_open(&older, 2, 32768, &why);
	coroutine_pool_open(&stacks, 3, 16384, &why);
	coroutine_new(stacks, overflow, TAG("a"));
	coroutine_resume(coroutine_new(stacks, overflow, TAG("a")));
}

static void an_overflow_is_named(void)
{
	char text[200];
	int status = outcome_of(overflow_the_second, text, sizeof text);
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x", (unsigned)status);
	expect(strcmp(text, "coroutine 1 has overflowed its stack of 16384 bytes\n") == 0,
	       "saw: %s", text);
}

static void await_here(void)
{
	struct loop_request request = { .kind = IO_NOP };
	await_operation(task_current(), &request);
}

static void an_await_outside_of_tasks_is_named(void)
{
	char text[200];
	int status = outcome_of(await_here, text, sizeof text);
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x", (unsigned)status);
	expect(strcmp(text, "task_current: no task runs here, and only a task can await\n") == 0,
	       "saw: %s", text);
}

/* A stack is memory once it was touched: the rest of it costs nothing. */
static void a_stack_is_memory_when_it_is_touched(void)
{
	enum {
		STACKS = 8,
		STACK_BYTES = 1 << 20,
		PAGE_BYTES = 4096,
		PAGES = STACK_BYTES / PAGE_BYTES
	};
	static unsigned char is_there[PAGES];
	struct coroutine_pool *stacks;
	struct reason why = { "" };
	int rc = coroutine_pool_open(&stacks, STACKS, STACK_BYTES, &why);
	if (rc == -EOPNOTSUPP) {
		puts(why.text);
		exit(TEST_SKIPPED_STATUS);
	}
	expect(rc == 0, "%s", why.text);
	for (unsigned i = 0; i < STACKS; i++) {
		unsigned count = 0;
		struct coroutine *c = coroutine_new(stacks, note_and_suspend, TAG("s"));
		expect(coroutine_resume(c), "it does not suspend");
		expect(mincore(c->stack, STACK_BYTES, is_there) == 0, "mincore");
		for (unsigned page = 0; page < PAGES; page++)
			count += is_there[page] & 1;
		/* It suspended at once: a page or two, and what a sanitizer takes. */
		expect(count <= PAGES / 4, "%u of %d pages of a stack are memory", count, PAGES);
	}
	expect_events("ssssssss");
	coroutine_pool_close(stacks);
	rc = coroutine_pool_open(&stacks, 1, SIZE_MAX, &why);
	expect(rc == -ENOMEM && *why.text, "stacks of SIZE_MAX bytes: %d", rc);
}

struct count {
	struct stackless at;
	unsigned i;
};

static bool count_to_three(struct count *s)
{
	STACKLESS_BEGIN(&s->at);
	for (s->i = 0; s->i < 3; s->i++) {
		note('s');
		STACKLESS_SUSPEND(&s->at);
	}
	note('e');
	STACKLESS_END(&s->at);
}

static void stackless_goes_on_where_it_was(void)
{
	struct count s = { 0 };
	unsigned calls = 1;
	while (!count_to_three(&s))
		calls++;
	expect(calls == 4 && count_to_three(&s), "%u calls", calls);
	expect_events("ssse");
}

#define T(name)                                                                                    \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	T(settles_once),
	T(callbacks_run_from_the_loop),
	T(a_rejection_passes_by),
	T(a_chain_is_passed_on),
	T(a_callback_may_answer_with_a_promise),
	T(neglect_is_reported),
	T(all_any_race),
	T(an_empty_pool_is_told),
	T(abandoned_chains_leak_nothing),
	T(what_has_ended_is_not_cancelled),
	T(deadlines),
	T(operations_are_promises),
	T(a_task_awaits_operations),
	T(tasks_await_promises),
	T(an_await_needs_a_place_in_the_pool),
	T(tasks_may_do_without_promises),
	T(a_task_awaits_a_group),
	T(a_stackless_task_awaits_operations),
	T(an_await_without_room),
	T(an_overflow_is_named),
	T(an_await_outside_of_tasks_is_named),
	T(stackless_goes_on_where_it_was),
	T(what_an_await_answers_does_not_count),
	T(a_stack_is_memory_when_it_is_touched),
};

static struct test_counts counts;

static void run_one(void (*test)(void))
{
	struct reason why = { "" };
	struct event_loop_config config = { .engine = engine_ops,
					    .options = engine_options,
					    .depth = 4,
					    .max_fds = 2,
					    .buffers_len_bytes = 4096 };
	int rc = event_loop_open(&loop, &config, &why);
	expect(rc == 0, "event_loop_open: %s", why.text);
	struct promise_pool_config pool_config = { .loop = loop,
						   .count = 64,
						   .neglected = count_neglected };
	rc = promise_pool_open(&pool, &pool_config, &why);
	expect(rc == 0, "promise_pool_open: %s", why.text);
	test();
	expect(promise_pool_used(pool) == 0, "%u promises are left", promise_pool_used(pool));
	promise_pool_close(pool);
	event_loop_close(loop);
}

static void run_tests(const char *only)
{
	for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
		if (!only || strcmp(only, tests[i].name) == 0)
			run_test_apart(&counts, run_one, tests[i].run, LIMIT_S, engine_name,
				       tests[i].name);
}

int main(int argc, char **argv)
{
	static const char *const all[] = { "epoll", "io_uring",	 "libaio",   "threads",
					   "poll",  "posix_aio", "blocking", "null" };
	struct reason why;
	for (unsigned i = 0; i < (argc > 1 ? 1 : sizeof all / sizeof *all); i++) {
		engine_name = argc > 1 ? argv[1] : all[i];
		expect(engine_spec_parse(engine_name, &engine_ops, &engine_options, &why) == 0,
		       "%s", why.text);
		run_tests(argc > 2 ? argv[2] : NULL);
	}
	return report_tests(&counts);
}
