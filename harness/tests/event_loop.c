/* SPDX-License-Identifier: MIT */
/*
 * The event loop's behaviours, over each engine that can do what a behaviour needs.
 *
 *     event_loop [ENGINE[:OPTION]] [TEST]
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "engines.h"
#include "event_loop.h"
#include "tests/test_apart.h"

#define LIMIT_S 60

static const char *engine_name;
static uint64_t engine_options;
static const struct engine_ops *engine_ops;

static void skip(const char *why)
{
	puts(why);
	exit(TEST_SKIPPED_STATUS);
}

static struct event_loop *open_loop(unsigned depth, unsigned max_fds)
{
	struct event_loop *loop;
	struct reason why = { "" };
	struct event_loop_config config = {
		.engine = engine_ops,
		.options = engine_options,
		.depth = depth,
		.max_fds = max_fds,
		.buffers_len_bytes = 1 << 16,
	};
	int rc = event_loop_open(&loop, &config, &why);
	expect(rc == 0, "event_loop_open: %d %s", rc, why.text);
	return loop;
}

static void need(struct event_loop *loop, enum io_kind kind, enum io_fd_kind fd_kind)
{
	struct reason why = { "" };
	if (event_loop_supports(loop, kind, fd_kind, &why) < 0)
		skip(why.text);
	if (engine_ops->traits & IO_BLOCKS_IN_SUBMIT)
		skip("its submit() sleeps until the operation is over");
}

/* A context that is one letter. */
#define TAG(letter) ((void *)(uintptr_t)(letter))

/* What happened, in order: a letter for each. */
static char events[4096];
static unsigned event_count;

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

static void note_call(struct event_loop *loop, void *context)
{
	(void)loop;
	note(*(const char *)context);
}

static void note_done(struct event_loop *loop, void *context, int64_t result)
{
	(void)loop;
	(void)result;
	note(*(const char *)context);
}

#define TIMER(letter)                                                                              \
	{                                                                                          \
		.call = note_call, .context = TAG(letter)                                          \
	}

static void start(struct event_loop *loop, struct loop_timer *timer, int64_t delay_ns,
		  int64_t repeat_ns)
{
	int rc = event_loop_timer_start(loop, timer, delay_ns, repeat_ns);
	expect(rc == 0, "event_loop_timer_start: %d", rc);
}

static void run(struct event_loop *loop)
{
	int rc = event_loop_run(loop, LOOP_RUN);
	expect(rc == 0, "event_loop_run: %d", rc);
}

/* 1 */
static void timers_come_in_due_order(void)
{
	struct event_loop *loop = open_loop(4, 1);
	struct loop_timer a = TIMER("a"), b = TIMER("b"), c = TIMER("c"), d = TIMER("d"),
			  e = TIMER("e");
	start(loop, &c, 3000, 0);
	start(loop, &a, 1000, 0);
	start(loop, &d, 3000, 0);
	start(loop, &b, 2000, 0);
	start(loop, &e, 3000, 0);
	run(loop);
	expect_events("abcde");
	event_loop_close(loop);
}

/* The heap at all sizes, against what sorting gives. */
static uint64_t last_due_ns;
static unsigned called_count;

static void in_order(struct event_loop *loop, void *context)
{
	const struct loop_timer *timer = context;
	(void)loop;
	expect(timer->due_ns >= last_due_ns, "timer %u came before an earlier one", called_count);
	last_due_ns = timer->due_ns;
	called_count++;
}

static void many_timers_come_in_due_order(void)
{
	enum { COUNT = 3000 };
	struct event_loop *loop = open_loop(1, 1);
	struct loop_timer *timers = calloc(COUNT, sizeof *timers);
	unsigned seed = 1, stopped = 0;
	for (unsigned i = 0; i < COUNT; i++) {
		timers[i].call = in_order;
		timers[i].context = &timers[i];
		start(loop, &timers[i], rand_r(&seed) % 1000000, 0);
	}
	for (unsigned i = 0; i < COUNT; i += 1 + (unsigned)rand_r(&seed) % 3) {
		stopped += event_loop_timer_is_active(&timers[i]);
		event_loop_timer_stop(loop, &timers[i]);
	}
	run(loop);
	expect(called_count == COUNT - stopped, "expected %u calls, saw %u", COUNT - stopped,
	       called_count);
	event_loop_close(loop);
	free(timers);
}

/* 2 */
static struct loop_timer again_timer;
static unsigned turns;

static void start_at_once(struct event_loop *loop, void *context)
{
	note('t');
	if (*(unsigned *)context == 0)
		return;
	(*(unsigned *)context)--;
	start(loop, &again_timer, 0, 0);
}

static void a_timer_of_0_waits_a_turn(void)
{
	struct event_loop *loop = open_loop(1, 1);
	unsigned left = 2;
	again_timer = (struct loop_timer) { .call = start_at_once, .context = &left };
	start(loop, &again_timer, 0, 0);
	expect_events(""); /* never within the call that asks */
	expect(event_loop_run(loop, LOOP_POLL) == 1, "one is left");
	expect_events("t");
	expect(event_loop_run(loop, LOOP_POLL) == 1, "one is left");
	expect_events("tt");
	expect(event_loop_run(loop, LOOP_POLL) == 0, "none is left");
	expect_events("ttt");
	event_loop_close(loop);
}

/* 3 */
static void huge_times_are_never(void)
{
	struct event_loop *loop = open_loop(1, 1);
	struct loop_timer a = TIMER("a"), b = TIMER("b"), c = TIMER("c");
	start(loop, &a, INT64_MAX, INT64_MAX);
	start(loop, &b, INT64_MAX, 0);
	start(loop, &c, 1000, INT64_MAX);
	expect(event_loop_timer_start(loop, &a, -1, 0) == -EINVAL, "a delay below 0");
	expect(event_loop_timer_start(loop, &a, 0, -1) == -EINVAL, "a pause below 0");
	while (event_count == 0)
		expect(event_loop_run(loop, LOOP_POLL) == 1, "they are alive");
	for (unsigned i = 0; i < 100; i++)
		event_loop_run(loop, LOOP_POLL);
	expect_events("c");
	event_loop_close(loop);
}

/* 4 */
static void starting_twice_restarts(void)
{
	struct event_loop *loop = open_loop(1, 1);
	struct loop_timer a = TIMER("a"), b = TIMER("b");
	start(loop, &a, 1000, 0);
	start(loop, &b, 2000, 0);
	start(loop, &a, 3000, 0);
	run(loop);
	expect_events("ba");
	event_loop_close(loop);
}

/* 5 */
static uint64_t due_ns;

static void not_early(struct event_loop *loop, void *context)
{
	(void)context;
	expect(clock_ns() >= due_ns, "early by %lld ns", (long long)(due_ns - clock_ns()));
	expect(event_loop_now_ns(loop) >= due_ns, "the loop's time is before that of the timer");
	note('t');
}

static void never_early(void)
{
	struct event_loop *loop = open_loop(1, 1);
	for (unsigned i = 0; i < 50; i++) {
		struct loop_timer timer = { .call = not_early };
		int64_t delay_ns = 1000 + 37777 * i;
		event_loop_update_now(loop);
		due_ns = event_loop_now_ns(loop) + (uint64_t)delay_ns;
		start(loop, &timer, delay_ns, 0);
		run(loop);
	}
	expect(event_count == 50, "expected 50 calls, saw %u", event_count);
	event_loop_close(loop);
}

/* 6 */
static void sleep_long(struct event_loop *loop, void *context)
{
	(void)loop;
	(void)context;
	usleep(2000);
}

static void never_twice_in_one_turn(void)
{
	struct event_loop *loop = open_loop(1, 1);
	struct loop_timer beat = TIMER("b"), slow = { .call = sleep_long };
	start(loop, &slow, 0, 0);
	start(loop, &beat, 0, 1000); /* it misses beats while the other sleeps */
	for (unsigned i = 1; i < 20; i++) {
		unsigned before = event_count;
		start(loop, &slow, 0, 0);
		event_loop_run(loop, LOOP_POLL);
		expect(event_count - before <= 1, "%u calls in one turn", event_count - before);
	}
	event_loop_close(loop);
}

/* 7 */
static struct loop_timer beat;

static void count_to_five(struct event_loop *loop, void *context)
{
	(void)context;
	note('b');
	if (event_count == 5)
		event_loop_timer_stop(loop, &beat);
}

static void repeats_keep_their_beat(void)
{
	struct event_loop *loop = open_loop(1, 1);
	beat = (struct loop_timer) { .call = count_to_five };
	start(loop, &beat, 2000000, 1000000);
	uint64_t first_ns = beat.due_ns;
	run(loop);
	expect_events("bbbbb");
	/* The sixth would have been on the beat, however late the others were. */
	expect((beat.due_ns - first_ns) % 1000000 == 0, "it is off its beat");
	expect(event_loop_timer_again(loop, &beat) == 0, "again");
	expect(beat.due_ns == event_loop_now_ns(loop) + 1000000, "again begins the pause anew");
	struct loop_timer once = TIMER("o");
	start(loop, &once, 1000, 0);
	expect(event_loop_timer_again(loop, &once) == -EINVAL, "it has no pause");
	event_loop_close(loop);
}

/* 8 */
static void stop_itself(struct event_loop *loop, void *context)
{
	(void)context;
	note('s');
	event_loop_timer_stop(loop, &beat);
}

static void stop_inside_its_own_callback(void)
{
	struct event_loop *loop = open_loop(1, 1);
	beat = (struct loop_timer) { .call = stop_itself };
	start(loop, &beat, 0, 1000);
	run(loop);
	expect_events("s");
	expect(!event_loop_timer_is_active(&beat), "it is active");
	event_loop_close(loop);
}

/* 9 */
static struct loop_timer victims[3];

static void stop_the_others(struct event_loop *loop, void *context)
{
	(void)context;
	note('s');
	event_loop_timer_stop(loop, &victims[0]);
	event_loop_timer_stop(loop, &victims[2]);
	start(loop, &victims[1], 1000, 0); /* started anew: not in this turn */
}

static void a_callback_stops_others_already_fetched(void)
{
	struct event_loop *loop = open_loop(1, 1);
	struct loop_timer killer = { .call = stop_the_others };
	start(loop, &killer, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		victims[i] = (struct loop_timer)TIMER("v");
		start(loop, &victims[i], 0, i == 2 ? 1000 : 0);
	}
	event_loop_run(loop, LOOP_POLL);
	expect_events("s");
	run(loop);
	expect_events("sv");
	event_loop_close(loop);
}

/* Descriptors. */

static int pair[2];
static int fd_slot;

static void attach_pair(struct event_loop *loop)
{
	struct reason why = { "" };
	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	fd_slot = event_loop_attach(loop, pair[0], IO_FD_SOCKET, &why);
	expect(fd_slot >= 0, "event_loop_attach: %d %s", fd_slot, why.text);
}

static struct loop_op *receive(struct event_loop *loop, loop_done *done, void *context)
{
	struct loop_request request = {
		.kind = IO_RECV,
		.fd_slot = (unsigned)fd_slot,
		.buf = event_loop_buffers(loop),
		.len_bytes = 100,
	};
	struct loop_op *op = event_loop_start(loop, &request, done, context);
	expect(op, "event_loop_start");
	return op;
}

static int64_t last_result;

static void keep_result(struct event_loop *loop, void *context, int64_t result)
{
	(void)loop;
	last_result = result;
	note(*(const char *)context);
}

static void closed_call(struct event_loop *loop, void *context)
{
	(void)loop;
	(void)context;
	expect(fcntl(pair[0], F_GETFD) < 0, "the descriptor is open still");
	note('c');
}

/* What the last receive was lent, and the letter in it. */
static void *lent;
static bool gives_back_at_once; /* in the callback */

static void keep_lent(struct event_loop *loop, void *context, int64_t result)
{
	lent = event_loop_lent(loop);
	expect((lent != NULL) == (result > 0), "result %lld, and %s buffer", (long long)result,
	       lent ? "a" : "no");
	keep_result(loop, context, result);
	if (!lent)
		return;
	note(*(char *)lent);
	if (gives_back_at_once)
		event_loop_give_back(loop, lent);
}

static void receive_lent(struct event_loop *loop, unsigned slot, const char *letter)
{
	struct loop_request request = { .kind = IO_RECV, .fd_slot = slot, .len_bytes = 100 };
	expect(event_loop_start(loop, &request, keep_lent, TAG(letter)), "event_loop_start");
}

static struct event_loop *open_lending_loop(void)
{
	struct event_loop *loop;
	struct reason why = { "" };
	struct event_loop_config config = {
		.engine = engine_ops,
		.options = engine_options,
		.depth = 4,
		.max_fds = 4,
		.lent_count = 1,
		.lent_len_bytes = 100,
	};
	int rc = event_loop_open(&loop, &config, &why);
	expect(rc == 0 || (why.text[0] && why.id[0]), "event_loop_open: %d, without a reason", rc);
	if (rc < 0)
		skip(why.text);
	return loop;
}

/* Two receives wait, and one buffer is there: for whom bytes come; the other is told of the shortage. */
static void lends_when_bytes_come(void)
{
	struct event_loop *loop = open_lending_loop();
	int pairs[2][2], slots[2];
	for (unsigned i = 0; i < 2; i++) {
		attach_pair(loop);
		slots[i] = fd_slot;
		memcpy(pairs[i], pair, sizeof pair);
		receive_lent(loop, (unsigned)slots[i], i == 0 ? "1" : "2");
	}
	expect(event_loop_run(loop, LOOP_POLL) == 1, "nothing came");
	expect_events("");
	expect(write(pairs[1][1], "b", 1) == 1, "write");
	event_loop_run(loop, LOOP_ONCE);
	expect_events("2b");
	void *kept = lent;
	expect(write(pairs[0][1], "a", 1) == 1, "write");
	event_loop_run(loop, LOOP_ONCE);
	expect_events("2b1");
	expect(last_result == -ENOBUFS, "expected -ENOBUFS, saw %lld", (long long)last_result);
	expect(*(char *)kept == 'b', "the buffer that was lent has changed");
	event_loop_give_back(loop, kept);
	receive_lent(loop, (unsigned)slots[0], "1");
	gives_back_at_once = true;
	event_loop_run(loop, LOOP_ONCE);
	expect_events("2b11a");
	expect(write(pairs[0][1], "c", 1) == 1, "write");
	receive_lent(loop, (unsigned)slots[0], "1");
	event_loop_run(loop, LOOP_ONCE);
	expect_events("2b11a1c");
	event_loop_close(loop);
	for (unsigned i = 0; i < 2; i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
}

/* 10 and 11 */
static void close_it(struct event_loop *loop, void *context, int64_t result)
{
	(void)context;
	expect(result == 1, "received %lld", (long long)result);
	note('r');
	receive(loop, keep_result, TAG("x")); /* in flight, or not even handed over */
	event_loop_close_fd(loop, (unsigned)fd_slot, closed_call, NULL);
	note('.');
}

static void close_inside_a_callback(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	attach_pair(loop);
	receive(loop, close_it, NULL);
	expect(write(pair[1], "1", 1) == 1, "write");
	run(loop);
	expect_events("r.xc");
	expect(last_result == -ECANCELED || last_result == 0, "the other ended with %lld",
	       (long long)last_result);
	char byte;
	expect(read(pair[1], &byte, 1) == 0, "the peer does not see the end");
	close(pair[1]);
	event_loop_close(loop);
}

static void close_with_an_operation_in_flight(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	attach_pair(loop);
	receive(loop, keep_result, TAG("x"));
	event_loop_run(loop, LOOP_POLL);
	event_loop_close_fd(loop, (unsigned)fd_slot, closed_call, NULL);
	expect_events(""); /* deferred */
	run(loop);
	expect_events("xc");
	close(pair[1]);
	event_loop_close(loop);
}

/* 12 */
static void a_number_is_used_again(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	for (unsigned i = 0; i < 20; i++) {
		event_count = 0;
		attach_pair(loop);
		receive(loop, keep_result, TAG("r"));
		event_loop_run(loop, LOOP_POLL);
		expect(write(pair[1], "12", i % 2 + 1) > 0, "write");
		while (event_count == 0)
			event_loop_run(loop, LOOP_ONCE);
		expect(last_result == i % 2 + 1, "received %lld", (long long)last_result);
		receive(loop, keep_result, TAG("x"));
		event_loop_close_fd(loop, (unsigned)fd_slot, NULL, NULL);
		run(loop);
		expect_events("rx");
		close(pair[1]);
	}
	event_loop_close(loop);
}

/* 13 */
static bool inside_call;

static void not_inside(struct event_loop *loop, void *context, int64_t result)
{
	(void)loop;
	(void)context;
	(void)result;
	expect(!inside_call, "a callback ran inside the call that asked for it");
	note('d');
}

static void never_on_the_callers_stack(void)
{
	struct event_loop *loop = open_loop(8, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	attach_pair(loop);
	expect(write(pair[1], "12345678", 8) == 8, "write");
	inside_call = true;
	struct loop_op *op = receive(loop, not_inside, NULL);
	event_loop_cancel(loop, op);
	event_loop_cancel(loop, op);
	inside_call = false;
	run(loop);
	expect_events("d");
	inside_call = true;
	op = receive(loop, not_inside, NULL);
	inside_call = false;
	run(loop);
	expect_events("dd");
	event_loop_detach(loop, (unsigned)fd_slot);
	close(pair[0]);
	close(pair[1]);
	event_loop_close(loop);
}

/* 14 */
static void ends_when_nothing_is_alive(void)
{
	struct event_loop *loop = open_loop(1, 1);
	run(loop);
	struct loop_timer background = TIMER("b"), foreground = TIMER("f");
	background.background = true;
	start(loop, &background, 10 * NS_PER_S, 0);
	run(loop);
	expect_events("");
	start(loop, &foreground, 1000, 0);
	start(loop, &background, 0, 0);
	run(loop);
	expect_events("bf");
	event_loop_close(loop);
}

/* 15 */
static void stop_loop(struct event_loop *loop, void *context)
{
	(void)context;
	note('s');
	event_loop_stop(loop);
}

static void stop_before_and_during_run(void)
{
	struct event_loop *loop = open_loop(1, 1);
	struct loop_timer late = TIMER("l"), stops = { .call = stop_loop };
	start(loop, &late, 10 * NS_PER_S, 0);
	event_loop_stop(loop);
	expect(event_loop_run(loop, LOOP_RUN) == 1, "stopped before run()");
	start(loop, &stops, 1000, 0);
	expect(event_loop_run(loop, LOOP_RUN) == 1, "stopped during run()");
	expect_events("s");
	event_loop_close(loop);
}

/* 16 */
static void run_once_and_without_waiting(void)
{
	struct event_loop *loop = open_loop(1, 1);
	struct loop_timer soon = TIMER("t");
	expect(event_loop_run(loop, LOOP_ONCE) == 0, "nothing is alive, and it waits");
	start(loop, &soon, 10 * NS_PER_S, 0);
	expect(event_loop_run(loop, LOOP_POLL) == 1, "alive");
	expect_events("");
	event_loop_update_now(loop);
	start(loop, &soon, 20 * NS_PER_MS, 0);
	/* The first turn sleeps until it is due, the second calls it; on a slow machine the first. */
	if (event_loop_run(loop, LOOP_ONCE) == 1) {
		expect(clock_ns() >= soon.due_ns, "LOOP_ONCE did not wait");
		expect(event_loop_run(loop, LOOP_ONCE) == 0, "not alive");
	}
	expect_events("t");
	event_loop_close(loop);
}

/* 17 */
static struct loop_deferred idle;

static void idle_work(struct event_loop *loop, void *context)
{
	unsigned *left = context;
	turns++;
	if (--*left > 0)
		event_loop_defer(loop, &idle);
}

static void idle_work_starves_nobody(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	attach_pair(loop);
	unsigned left = 1000000;
	idle = (struct loop_deferred) { .call = idle_work, .context = &left };
	struct loop_timer timer = TIMER("t");
	receive(loop, keep_result, TAG("r"));
	expect(write(pair[1], "1", 1) == 1, "write");
	start(loop, &timer, 1000, 0);
	event_loop_defer(loop, &idle);
	event_loop_defer(loop, &idle); /* once */
	while (event_count < 2 && left > 0)
		event_loop_run(loop, LOOP_ONCE);
	expect(event_count == 2, "idle work held up the timer or the receive: \"%s\"", events);
	event_loop_undefer(loop, &idle);
	run(loop);
	event_loop_detach(loop, (unsigned)fd_slot);
	close(pair[0]);
	close(pair[1]);
	event_loop_close(loop);
}

static struct loop_timer chain;

static void chain_timer(struct event_loop *loop, void *context)
{
	(void)context;
	if (event_count == 0)
		start(loop, &chain, 0, 0);
}

static void timers_of_0_starve_nobody(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	attach_pair(loop);
	chain = (struct loop_timer) { .call = chain_timer };
	start(loop, &chain, 0, 0);
	receive(loop, keep_result, TAG("r"));
	expect(write(pair[1], "1", 1) == 1, "write");
	run(loop);
	expect_events("r");
	event_loop_detach(loop, (unsigned)fd_slot);
	close(pair[0]);
	close(pair[1]);
	event_loop_close(loop);
}

/* 18 */
static void on_usr2(int number)
{
	(void)number;
}

static void signals_of_others_disturb_nothing(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	attach_pair(loop);
	struct sigaction action = { .sa_handler = on_usr2 };
	sigaction(SIGUSR2, &action, NULL);
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	struct itimerspec often = { { 0, 500000 }, { 0, 500000 } };
	timer_settime(timer, 0, &often, NULL);
	struct loop_timer late = TIMER("t");
	receive(loop, keep_result, TAG("r"));
	start(loop, &late, 20 * NS_PER_MS, 0);
	while (event_count == 0)
		expect(event_loop_run(loop, LOOP_ONCE) >= 0, "run");
	expect_events("t");
	expect(write(pair[1], "1", 1) == 1, "write");
	run(loop);
	expect_events("tr");
	timer_delete(timer);
	event_loop_detach(loop, (unsigned)fd_slot);
	close(pair[0]);
	close(pair[1]);
	event_loop_close(loop);
}

/* 19 */
static void start_signal(struct event_loop *loop, struct loop_signal *watcher, int number)
{
	struct reason why = { "" };
	int rc = event_loop_signal_start(loop, watcher, number, &why);
	expect(rc == 0, "event_loop_signal_start: %d %s", rc, why.text);
}

static void signals_reach_their_watchers(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	struct sigaction before, after;
	struct reason why = { "" };
	signal(SIGUSR1, SIG_IGN);
	struct loop_signal a = { .call = note_call, .context = TAG("a") },
			   b = { .call = note_call, .context = TAG("b"), .once = true },
			   other = { .call = note_call, .context = TAG("o") };
	start_signal(loop, &a, SIGUSR1);
	start_signal(loop, &b, SIGUSR1);
	start_signal(loop, &other, SIGUSR2);
	expect(event_loop_signal_start(loop, &other, SIGKILL, &why) == -EINVAL && *why.text,
	       "SIGKILL");
	expect(event_loop_signal_start(loop, &other, 10000, &why) == -EINVAL, "no signal");
	raise(SIGUSR1);
	raise(SIGUSR1);
	while (event_count == 0)
		event_loop_run(loop, LOOP_ONCE);
	expect_events("ab");
	raise(SIGUSR1);
	while (event_count == 2)
		event_loop_run(loop, LOOP_ONCE);
	expect_events("aba");
	raise(SIGUSR1); /* pending while it is stopped */
	event_loop_signal_stop(loop, &a);
	sigaction(SIGUSR1, NULL, &after);
	expect(after.sa_handler == SIG_IGN, "the disposition of before is not back");
	(void)before;
	run(loop);
	expect_events("aba");
	event_loop_close(loop);
}

static void a_signal_has_one_loop(void)
{
	struct event_loop *one = open_loop(4, 1), *two = open_loop(4, 1);
	need(one, IO_RECV, IO_FD_SOCKET);
	struct reason why = { "" };
	struct loop_signal a = { .call = note_call, .context = TAG("a") }, b = a;
	start_signal(one, &a, SIGUSR1);
	expect(event_loop_signal_start(two, &b, SIGUSR1, &why) == -EBUSY && *why.text, "busy");
	event_loop_close(one);
	start_signal(two, &b, SIGUSR1);
	event_loop_close(two);
}

/* 20 */
enum { WAKES = 2000 };
static struct loop_wakeup wakeup;
static unsigned posted, seen;
static pthread_t loops_thread;

static void on_wake(struct event_loop *loop, void *context)
{
	(void)context;
	expect(pthread_equal(pthread_self(), loops_thread), "a callback in another thread");
	note('w');
	event_count = 0;
	seen = __atomic_load_n(&posted, __ATOMIC_RELAXED);
	if (seen == WAKES)
		event_loop_wakeup_stop(loop, &wakeup);
}

static void *wake_often(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < WAKES; i++) {
		__atomic_store_n(&posted, i + 1, __ATOMIC_RELAXED);
		event_loop_wake(&wakeup);
		if (i % 7 == 0)
			usleep(20);
	}
	return NULL;
}

static void another_thread_wakes_the_loop(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	struct reason why = { "" };
	wakeup = (struct loop_wakeup) { .call = on_wake };
	loops_thread = pthread_self();
	expect(event_loop_wakeup_start(loop, &wakeup, &why) == 0, "%s", why.text);
	pthread_t thread;
	pthread_create(&thread, NULL, wake_often, NULL);
	run(loop); /* hangs where a wake-up is lost */
	pthread_join(thread, NULL);
	expect(seen == WAKES, "the last wake-up was not heard");
	event_loop_close(loop);
}

/* Back-pressure, and all of the depth. */
static void depth_is_what_was_asked_for(void)
{
	struct event_loop *loop = open_loop(3, 3);
	need(loop, IO_RECV, IO_FD_SOCKET);
	int ends[4][2], slots[4];
	struct reason why = { "" };
	struct loop_op *op = NULL;
	for (unsigned i = 0; i < 4; i++) {
		expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]) == 0, "socketpair");
		slots[i] = event_loop_attach(loop, ends[i][0], IO_FD_SOCKET, &why);
		expect(i == 3 ? slots[i] == -EMFILE && *why.text : slots[i] >= 0, "attach %u: %d",
		       i, slots[i]);
	}
	wakeup = (struct loop_wakeup) { .call = on_wake, .background = true };
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 4; i++) {
			struct loop_request request = { .kind = IO_RECV,
							.fd_slot = (unsigned)slots[i % 3],
							.buf = event_loop_buffers(loop),
							.len_bytes = 10 };
			if (i == 3)
				request.kind = IO_SEND;
			op = event_loop_start(loop, &request, note_done, TAG("d"));
			expect(i == 3 ? !op : !!op, "operation %u of a depth of 3", i);
		}
		for (unsigned i = 0; i < 3; i++)
			expect(write(ends[i][1], "x", 1) == 1, "write");
		run(loop);
		expect(event_loop_wakeup_start(loop, &wakeup, &why) == 0, "%s", why.text);
	}
	expect_events("dddddd");
	event_loop_close(loop);
	for (unsigned i = 0; i < 4; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* Nothing to do costs nothing. */
static void sleeps_while_it_waits(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	attach_pair(loop);
	struct loop_timer late = TIMER("t");
	receive(loop, keep_result, TAG("r"));
	start(loop, &late, 300 * NS_PER_MS, 0);
	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	while (event_count == 0)
		event_loop_run(loop, LOOP_ONCE);
	getrusage(RUSAGE_SELF, &after);
	int64_t used_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
			  after.ru_utime.tv_usec - before.ru_utime.tv_usec +
			  (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
			  after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	expect(used_us < 100000, "%lld us of CPU in 300 ms of waiting", (long long)used_us);
	expect_events("t");
	event_loop_close(loop);
	close(pair[0]);
	close(pair[1]);
}

static void connected(struct event_loop *loop, void *context, int64_t result)
{
	(void)loop;
	expect(result >= 0, "%s: %lld", (const char *)context, (long long)result);
	last_result = *(const char *)context == 'a' ? result : last_result;
	note(*(const char *)context);
}

static void connections_come_and_go(void)
{
	struct event_loop *loop = open_loop(4, 3);
	need(loop, IO_RECV, IO_FD_SOCKET);
	need(loop, IO_ACCEPT, IO_FD_LISTENER);
	int mode = event_loop_wants_nonblocking(loop) ? SOCK_NONBLOCK : 0;
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | mode, 0);
	struct sockaddr *at = event_loop_buffers(loop);
	socklen_t length = 128;
	struct reason why;
	at->sa_family = AF_UNIX;
	expect(bind(listener, at, sizeof at->sa_family) == 0, "bind");
	expect(getsockname(listener, at, &length) == 0 && listen(listener, 4) == 0, "listen");
	int listener_slot = event_loop_attach(loop, listener, IO_FD_LISTENER, &why);
	for (unsigned i = 0; i < 10; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | mode, 0);
		int slot = event_loop_attach(loop, fd, IO_FD_SOCKET, &why);
		struct loop_request accepting = { .kind = IO_ACCEPT,
						  .fd_slot = (unsigned)listener_slot };
		struct loop_request connecting = { .kind = IO_CONNECT,
						   .fd_slot = (unsigned)slot,
						   .buf = at,
						   .len_bytes = length };
		event_count = 0;
		event_loop_start(loop, &accepting, connected, TAG("a"));
		event_loop_start(loop, &connecting, connected, TAG("c"));
		run(loop);
		expect(event_count == 2, "expected both, saw \"%s\"", events);
		pair[0] = fd;
		fd_slot = event_loop_attach(loop, (int)last_result, IO_FD_SOCKET, &why);
		expect(fd_slot >= 0, "attach: %s", why.text);
		event_loop_close_fd(loop, (unsigned)fd_slot, NULL, NULL);
		event_loop_close_fd(loop, (unsigned)slot, closed_call, NULL);
		run(loop);
	}
	event_loop_detach(loop, (unsigned)listener_slot);
	event_loop_close(loop);
	close(listener);
}

/* What each of the five steps finds: one time, that of the beginning of the turn. */
static uint64_t turn_ns;

static void spend_a_moment(struct event_loop *loop)
{
	uint64_t until_ns = clock_ns() + 200 * NS_PER_US;
	expect(event_loop_now_ns(loop) == turn_ns, "the loop's time has gone on in the turn");
	while (clock_ns() < until_ns)
		;
	expect(event_loop_now_ns(loop) == turn_ns, "the loop's time has gone on in a callback");
}

static void begin_turn(struct event_loop *loop, void *context)
{
	turn_ns = event_loop_now_ns(loop);
	expect(turn_ns <= clock_ns(), "the loop's time is ahead");
	spend_a_moment(loop);
	note(*(const char *)context);
}

static void spend_a_moment_more(struct event_loop *loop, void *context)
{
	spend_a_moment(loop);
	note(*(const char *)context);
}

static void end_op_in_turn(struct event_loop *loop, void *context, int64_t result)
{
	(void)result;
	spend_a_moment_more(loop, context);
}

static void the_time_stands_still_in_a_turn(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	struct loop_timer first = { .call = begin_turn, .context = TAG("b") };
	struct loop_timer second = { .call = spend_a_moment_more, .context = TAG("t") };
	struct loop_deferred deferred = { .call = spend_a_moment_more, .context = TAG("d") };
	attach_pair(loop);
	start(loop, &first, 0, 0);
	start(loop, &second, 0, 0);
	event_loop_defer(loop, &deferred);
	event_loop_cancel(loop, receive(loop, end_op_in_turn, TAG("r")));
	event_loop_close_fd(loop, (unsigned)fd_slot, spend_a_moment_more, TAG("c"));
	event_loop_run(loop, LOOP_POLL);
	expect_events("btdrc");
	event_loop_update_now(loop);
	expect(event_loop_now_ns(loop) >= turn_ns + 4 * 200 * NS_PER_US,
	       "its time is that of before");
	start(loop, &second, 1000, 0);
	expect(second.due_ns == event_loop_now_ns(loop) + 1000, "a timer counts from another time");
	event_loop_timer_stop(loop, &second);
	close(pair[1]);
	event_loop_close(loop);
}

/* A timer, a deferred call, a wake-up and a signal, each of which is given up by its own callback. */
struct given_up {
	struct loop_timer timer;
	struct loop_deferred deferred;
	struct loop_wakeup wakeup;
	struct loop_signal watcher;
};

static void give_up(struct event_loop *loop, void *context)
{
	struct given_up *all = context;
	note('g');
	if (all->wakeup.link.next)
		event_loop_wakeup_stop(loop, &all->wakeup);
	if (all->watcher.link.next)
		event_loop_signal_stop(loop, &all->watcher);
	event_loop_timer_stop(loop, &all->timer);
	memset(all, 0xee, sizeof *all);
	free(all);
}

static void given_up_in_their_own_callbacks(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	for (unsigned which = 0; which < 5; which++) {
		struct given_up *all = calloc(1, sizeof *all);
		struct reason why = { "" };
		all->timer = (struct loop_timer) { .call = give_up, .context = all };
		all->deferred = (struct loop_deferred) { .call = give_up, .context = all };
		all->wakeup = (struct loop_wakeup) { .call = give_up, .context = all };
		all->watcher = (struct loop_signal) { .call = give_up, .context = all };
		event_count = 0;
		if (which <= 1) {
			start(loop, &all->timer, 0, which == 0 ? 0 : 1000);
		} else if (which == 2) {
			event_loop_defer(loop, &all->deferred);
		} else if (which == 3) {
			expect(event_loop_wakeup_start(loop, &all->wakeup, &why) == 0, "%s",
			       why.text);
			event_loop_wake(&all->wakeup);
		} else {
			int rc = event_loop_signal_start(loop, &all->watcher, SIGUSR1, &why);
			expect(rc == 0, "%s", why.text);
			raise(SIGUSR1);
		}
		run(loop);
		expect_events("g");
	}
	event_loop_close(loop);
}

/* Each alone keeps the loop alive, and does so no more when it is over. */
static void each_keeps_the_loop_alive(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	struct reason why = { "" };
	struct loop_timer timer = TIMER("t");
	struct loop_deferred deferred = { .call = note_call, .context = TAG("d") };
	struct loop_wakeup woken = { .call = note_call, .context = TAG("w") };
	struct loop_signal watcher = { .call = note_call, .context = TAG("s") };
	attach_pair(loop);
	expect(event_loop_run(loop, LOOP_POLL) == 0, "an attached descriptor keeps it alive");
	start(loop, &timer, 10 * NS_PER_S, 0);
	expect(event_loop_run(loop, LOOP_POLL) == 1, "a timer does not keep it alive");
	event_loop_timer_stop(loop, &timer);
	expect(event_loop_run(loop, LOOP_POLL) == 0, "a timer that was stopped keeps it alive");
	event_loop_defer(loop, &deferred);
	event_loop_undefer(loop, &deferred);
	expect(event_loop_run(loop, LOOP_POLL) == 0, "a call that was taken back keeps it alive");
	expect(event_loop_wakeup_start(loop, &woken, &why) == 0, "%s", why.text);
	expect(event_loop_run(loop, LOOP_POLL) == 1, "a wake-up does not keep it alive");
	event_loop_wakeup_stop(loop, &woken);
	expect(event_loop_run(loop, LOOP_POLL) == 0, "a wake-up that was stopped keeps it alive");
	start_signal(loop, &watcher, SIGUSR1);
	expect(event_loop_run(loop, LOOP_POLL) == 1, "a signal does not keep it alive");
	event_loop_signal_stop(loop, &watcher);
	expect(event_loop_run(loop, LOOP_POLL) == 0, "a signal that was stopped keeps it alive");
	expect(!timer.place && !deferred.link.next && !woken.link.next && !watcher.link.next,
	       "one is in a list of the loop still");
	receive(loop, keep_result, TAG("r"));
	expect(event_loop_run(loop, LOOP_POLL) == 1, "an operation does not keep it alive");
	event_loop_close_fd(loop, (unsigned)fd_slot, closed_call, NULL);
	run(loop);
	expect_events("rc");
	close(pair[1]);
	event_loop_close(loop);
}

/* What is active when its loop closes is not called, and another loop may have it. */
static void close_gives_up_what_is_active(void)
{
	struct event_loop *loop = open_loop(4, 2), *next;
	need(loop, IO_RECV, IO_FD_SOCKET);
	struct reason why = { "" };
	struct loop_timer timers[3] = { TIMER("t"), TIMER("u"), TIMER("v") };
	struct loop_deferred deferred = { .call = note_call, .context = TAG("d") };
	struct loop_signal watcher = { .call = note_call, .context = TAG("s"), .once = true };
	wakeup =
		(struct loop_wakeup) { .call = note_call, .context = TAG("w"), .background = true };
	attach_pair(loop);
	int kept = pair[0];
	int kept_peer = pair[1];
	attach_pair(loop);
	for (unsigned i = 0; i < 3; i++)
		start(loop, &timers[i], 0, i * 1000);
	expect(event_loop_wakeup_start(loop, &wakeup, &why) == 0, "%s", why.text);
	start_signal(loop, &watcher, SIGUSR1);
	event_loop_wake(&wakeup);
	raise(SIGUSR1);
	event_loop_defer(loop, &deferred);
	receive(loop, keep_result, TAG("r"));
	event_loop_close_fd(loop, (unsigned)fd_slot, closed_call, NULL);
	event_loop_close(loop);
	expect_events("");
	expect(fcntl(kept, F_GETFD) >= 0, "an attached descriptor was closed");
	expect(fcntl(pair[0], F_GETFD) < 0, "a descriptor on its way out is open still");
	next = open_loop(4, 1);
	for (unsigned i = 0; i < 3; i++) {
		expect(!event_loop_timer_is_active(&timers[i]), "timer %u is active", i);
		start(next, &timers[i], 0, 0);
	}
	event_loop_defer(next, &deferred);
	expect(event_loop_wakeup_start(next, &wakeup, &why) == 0, "%s", why.text);
	start_signal(next, &watcher, SIGUSR1);
	raise(SIGUSR1);
	run(next);
	expect_events("tuvds");
	event_loop_close(next);
	close(kept);
	close(kept_peer);
	close(pair[1]);
}

static void closed_call_stops(struct event_loop *loop, void *context)
{
	closed_call(loop, context);
	event_loop_stop(loop);
}

static void close_from_a_timer(struct event_loop *loop, void *context)
{
	event_loop_close_fd(loop, *(const unsigned *)context, closed_call_stops, NULL);
}

/* Nothing is in flight on it, while a receive waits on another: nothing comes that would end a sleep. */
static void a_close_waits_for_no_other(void)
{
	struct event_loop *loop = open_loop(4, 2);
	need(loop, IO_RECV, IO_FD_SOCKET);
	int waiting[2];
	attach_pair(loop);
	memcpy(waiting, pair, sizeof waiting);
	unsigned waiting_slot = (unsigned)fd_slot;
	receive(loop, keep_result, TAG("r"));
	event_loop_run(loop, LOOP_POLL);
	for (unsigned is_outside = 0; is_outside < 2; is_outside++) {
		attach_pair(loop);
		unsigned slot = (unsigned)fd_slot;
		struct loop_timer timer = { .call = close_from_a_timer, .context = &slot };
		struct loop_timer late = { .call = stop_loop };
		event_count = 0;
		events[0] = '\0';
		event_loop_update_now(loop);
		start(loop, &late, 30 * NS_PER_S, 0); /* ends a sleep that should not be */
		if (is_outside)
			event_loop_close_fd(loop, slot, closed_call_stops, NULL);
		else
			start(loop, &timer, 0, 0);
		while (event_count == 0)
			event_loop_run(loop, LOOP_RUN);
		expect_events("c");
		expect(clock_ns() < late.due_ns, "the close has waited for a timer");
		event_loop_timer_stop(loop, &late);
		close(pair[1]);
	}
	event_loop_close_fd(loop, waiting_slot, NULL, NULL);
	run(loop);
	close(waiting[1]);
	event_loop_close(loop);
}

/* A timer that is never due keeps the loop alive, and it sleeps. */
static struct event_loop *loop_of_handler;
static struct loop_wakeup *woken_by_handler;

static void stop_in_handler(int number)
{
	(void)number;
	event_loop_stop(loop_of_handler);
}

static long sleeps_until_now(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return used.ru_nvcsw;
}

static void sleeps_though_no_timer_will_be_due(void)
{
	struct event_loop *loop = loop_of_handler = open_loop(1, 1);
	struct sigaction action = { .sa_handler = stop_in_handler };
	/* Again and again: the first may come just before the loop sleeps. */
	struct itimerval often = { { 0, 50000 }, { 0, 300000 } };
	struct loop_timer never = TIMER("n");
	start(loop, &never, INT64_MAX, 0);
	sigaction(SIGALRM, &action, NULL);
	long before = sleeps_until_now();
	setitimer(ITIMER_REAL, &often, NULL);
	/* On a busy machine a signal may come before the loop has run at all. */
	for (unsigned i = 0; i < 10 && sleeps_until_now() == before; i++)
		expect(event_loop_run(loop, LOOP_RUN) == 1,
		       "a timer that is never due does not keep it alive");
	expect(sleeps_until_now() > before, "it never gave up its CPU");
	setitimer(ITIMER_REAL, &(struct itimerval) { 0 }, NULL);
	expect_events("");
	event_loop_close(loop);
}

static void wake_in_handler(int number)
{
	(void)number;
	event_loop_wake(woken_by_handler);
}

static void a_signal_handler_wakes_the_loop(void)
{
	struct event_loop *loop = open_loop(4, 1);
	need(loop, IO_RECV, IO_FD_SOCKET);
	struct reason why = { "" };
	struct sigaction action = { .sa_handler = wake_in_handler };
	struct itimerval soon = { .it_value = { 0, 20000 } };
	struct loop_wakeup woken = { .call = note_call, .context = TAG("w") };
	woken_by_handler = &woken;
	expect(event_loop_wakeup_start(loop, &woken, &why) == 0, "%s", why.text);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (event_count == 0)
		event_loop_run(loop, LOOP_ONCE);
	expect_events("w");
	event_loop_wakeup_stop(loop, &woken);
	run(loop);
	event_loop_close(loop);
}

/* A stream of operations, calls and timers, none of which takes memory. */
static void allocates_when_it_opens_only(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip("a sanitizer has a malloc(3) of its own, which does not tell");
#else
	enum { ROUNDS = 1000, LEAST_TAKEN_BYTES = 16 };
	struct event_loop *loop = open_loop(4, 2);
	need(loop, IO_RECV, IO_FD_SOCKET);
	struct reason why = { "" };
	struct loop_timer timers[2] = { TIMER("t"), TIMER("u") };
	struct loop_deferred deferred = { .call = note_call, .context = TAG("d") };
	size_t before = 0;
	wakeup =
		(struct loop_wakeup) { .call = note_call, .context = TAG("w"), .background = true };
	attach_pair(loop);
	for (unsigned i = 0; i < ROUNDS; i++) {
		event_count = 0;
		/* The first rounds give the heap, and the engine, what they need. */
		if (i == ROUNDS / 2)
			before = mallinfo2().uordblks;
		start(loop, &timers[0], 0, 0);
		start(loop, &timers[1], 1000, 0);
		event_loop_defer(loop, &deferred);
		expect(event_loop_wakeup_start(loop, &wakeup, &why) == 0, "%s", why.text);
		event_loop_wake(&wakeup);
		receive(loop, keep_result, TAG("r"));
		expect(write(pair[1], "x", 1) == 1, "write");
		run(loop);
		while (event_count < 5)
			event_loop_run(loop, LOOP_ONCE);
		event_loop_wakeup_stop(loop, &wakeup);
	}
	size_t after = mallinfo2().uordblks;
	/* An engine whose queues are libc's may still take some for these. */
	expect(after < before + ROUNDS / 2 * LEAST_TAKEN_BYTES, "%zu bytes of memory in %d rounds",
	       after - before, ROUNDS / 2);
	event_loop_detach(loop, (unsigned)fd_slot);
	close(pair[0]);
	close(pair[1]);
	event_loop_close(loop);
#endif
}

#define T(name)                                                                                    \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	T(timers_come_in_due_order),
	T(many_timers_come_in_due_order),
	T(a_timer_of_0_waits_a_turn),
	T(huge_times_are_never),
	T(starting_twice_restarts),
	T(never_early),
	T(never_twice_in_one_turn),
	T(repeats_keep_their_beat),
	T(stop_inside_its_own_callback),
	T(a_callback_stops_others_already_fetched),
	T(close_inside_a_callback),
	T(close_with_an_operation_in_flight),
	T(a_number_is_used_again),
	T(never_on_the_callers_stack),
	T(ends_when_nothing_is_alive),
	T(stop_before_and_during_run),
	T(run_once_and_without_waiting),
	T(idle_work_starves_nobody),
	T(timers_of_0_starve_nobody),
	T(signals_of_others_disturb_nothing),
	T(signals_reach_their_watchers),
	T(a_signal_has_one_loop),
	T(another_thread_wakes_the_loop),
	T(depth_is_what_was_asked_for),
	T(sleeps_while_it_waits),
	T(connections_come_and_go),
	T(lends_when_bytes_come),
	T(the_time_stands_still_in_a_turn),
	T(given_up_in_their_own_callbacks),
	T(each_keeps_the_loop_alive),
	T(close_gives_up_what_is_active),
	T(a_close_waits_for_no_other),
	T(sleeps_though_no_timer_will_be_due),
	T(a_signal_handler_wakes_the_loop),
	T(allocates_when_it_opens_only),
};

static struct test_counts counts;

static void run_tests(const char *only)
{
	for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
		if (!only || strcmp(only, tests[i].name) == 0)
			run_test_apart(&counts, NULL, tests[i].run, LIMIT_S, engine_name,
				       tests[i].name);
}

int main(int argc, char **argv)
{
	static const char *const all[] = { "epoll",	"io_uring", "io_uring:defer_taskrun",
					   "libaio",	"threads",  "poll",
					   "posix_aio", "blocking", "null" };
	struct reason why;
	for (unsigned i = 0; i < (argc > 1 ? 1 : sizeof all / sizeof *all); i++) {
		engine_name = argc > 1 ? argv[1] : all[i];
		expect(engine_spec_parse(engine_name, &engine_ops, &engine_options, &why) == 0,
		       "%s", why.text);
		run_tests(argc > 2 ? argv[2] : NULL);
	}
	return report_tests(&counts);
}
