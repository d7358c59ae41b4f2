/* SPDX-License-Identifier: MIT */
/* Lab 11: what an event loop must do, over any engine, and by which calls of it. */
#include "lab_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "event_loop.h"

/* A loop that sleeps on is stopped after this long. A right one never comes to it. */
#define PATIENCE_MS 2000

/* The engine below, behind functions that count, and that refuse where a test wants it. */
static struct engine_ops spied;
static const struct engine_ops *below;
static struct {
	unsigned submits, offered, offered_most; /* calls of submit(), operations in all, in one */
	unsigned accepts_most; /* of one submit(); 0: no limit */
	const void *accepted[8]; /* the buffers of the first operations that it accepted */
	unsigned accepted_count;
	unsigned reaps, waits; /* calls of reap(), and those that may wait */
	unsigned max; /* of the last reap() */
	int64_t timeout_ns, longest_ns; /* of the last one that may wait, and the longest */
	int fails; /* what reap() answers in place of the engine; 0: it does not */
	unsigned cancels;
} spy;

static int spied_submit(struct engine *engine, struct io_op *const *ops, unsigned count)
{
	spy.submits++;
	spy.offered += count;
	if (count > spy.offered_most)
		spy.offered_most = count;
	if (spy.accepts_most && count > spy.accepts_most)
		count = spy.accepts_most;
	int accepted = below->submit(engine, ops, count);
	for (int i = 0; i < accepted && spy.accepted_count < 8; i++)
		spy.accepted[spy.accepted_count++] = ops[i]->buf;
	return accepted;
}

static int spied_reap(struct engine *engine, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	spy.reaps++;
	spy.max = max;
	if (min > 0 && timeout_ns != 0) {
		spy.waits++;
		spy.timeout_ns = timeout_ns;
		if (timeout_ns < 0 || spy.longest_ns < timeout_ns)
			spy.longest_ns = timeout_ns;
	}
	return spy.fails ? spy.fails : below->reap(engine, done, min, max, timeout_ns);
}

static void spied_cancel_one(struct engine *engine, struct io_op *op)
{
	spy.cancels++;
	below->cancel_one(engine, op);
}

/* One loop, one pair of sockets: the loop has ends[0]. */
static struct event_loop *loop;
static int ends[2] = { -1, -1 };
static unsigned fd_slot;
static volatile sig_atomic_t was_impatient;

static void stop_waiting(int number)
{
	(void)number;
	was_impatient = 1;
	event_loop_stop(loop);
}

static void lose_patience_after(unsigned patience_ms)
{
	struct sigaction action = { .sa_handler = stop_waiting };
	/* Again and again: the first may come just before the loop sleeps. */
	struct itimerval timer = { { 0, 50000 },
				   { patience_ms / 1000, patience_ms % 1000 * 1000 } };
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void need(const struct subject *s, enum io_kind kind, enum io_fd_kind fd_kind)
{
	struct reason why = { "" };
	struct engine_config config = { .depth = 4, .cpu_count = 1, .options = s->options };
	if (s->ops->supports(&config, kind, fd_kind, &why) < 0)
		test_skipped("%s", why.text);
}

static void open_loop(struct subject *s, unsigned depth, unsigned max_fds)
{
	struct reason why = { "" };
	need(s, IO_RECV, IO_FD_SOCKET);
	below = s->ops;
	spied = *s->ops;
	spied.submit = spied_submit;
	spied.reap = spied_reap;
	spied.cancel_one = s->ops->cancel_one ? spied_cancel_one : NULL;
	struct event_loop_config config = {
		.engine = &spied,
		.options = s->options,
		.depth = depth,
		.max_fds = max_fds,
		.buffers_len_bytes = 4096,
	};
	int rc = event_loop_open(&loop, &config, &why);
	expect(rc == 0, EXPECTED("0 from event_loop_open()") SAW("%s: %s"), answer(rc), why.text);
	lose_patience_after(PATIENCE_MS);
}

static void attach_pair(void)
{
	struct reason why = { "" };
	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	int rc = event_loop_attach(loop, ends[0], IO_FD_SOCKET, &why);
	expect(rc >= 0, EXPECTED("a number from event_loop_attach()") SAW("%s: %s"), answer(rc),
	       why.text);
	fd_slot = (unsigned)rc;
}

static void close_pair(void)
{
	event_loop_detach(loop, fd_slot);
	close(ends[0]);
	close(ends[1]);
}

static void open_loop_with_pair(struct subject *s)
{
	open_loop(s, 4, 2);
	attach_pair();
}

/* What the test holds is closed with it. */
static void close_loop(void)
{
	lose_patience_after(0);
	event_loop_close(loop);
}

/* Turns until nothing is alive. */
static void run(void)
{
	int rc = event_loop_run(loop, LOOP_RUN);
	expect(!was_impatient,
	       EXPECTED("an end of the loop, since nothing is alive")
		       SAW("that it goes on after %d ms"),
	       PATIENCE_MS);
	expect(rc == 0, EXPECTED("0 from event_loop_run()") SAW("%s"), answer(rc));
}

static void turn(enum loop_run how)
{
	int rc = event_loop_run(loop, how);
	expect(rc >= 0, EXPECTED("0 or 1 from event_loop_run()") SAW("%s"), answer(rc));
}

/* What was called, a letter for each call. */
static char calls[512];

static void add_call(char letter)
{
	size_t length = strlen(calls);
	expect(length < sizeof calls - 1, "more than %zu calls", sizeof calls - 2);
	calls[length] = letter;
}

static void expect_calls(const char *when, const char *expected)
{
	expect(strcmp(calls, expected) == 0, WHEN("%s") EXPECTED("the calls \"%s\"") SAW("\"%s\""),
	       when, expected, calls);
}

static void turn_until_called(size_t count)
{
	while (strlen(calls) < count && !was_impatient)
		turn(LOOP_ONCE);
	expect(!was_impatient, EXPECTED("%zu calls") SAW("\"%s\" after %d ms"), count, calls,
	       PATIENCE_MS);
}

/* What is called in each turn is forgotten, so that there is room for the others. */
static void forget_calls(char letter)
{
	char *to = calls;
	for (const char *from = calls; *from; from++)
		if (*from != letter)
			*to++ = *from;
	memset(to, 0, sizeof calls - (size_t)(to - calls));
}

/* Turns beside work that asks for itself again, with a letter a turn: it must not hold up the other. */
static void turn_until_other(char letter, char own_letter, enum loop_run how)
{
	while (!strchr(calls, letter) && !was_impatient) {
		turn(how);
		if (strlen(calls) > 300)
			forget_calls(own_letter);
	}
	expect(!was_impatient,
	       WHEN("beside calls of '%c', each of which asks for the next")
		       EXPECTED("a call of '%c'") SAW("none in %d ms"),
	       own_letter, letter, PATIENCE_MS);
}

#define LETTER(letter) ((void *)(uintptr_t)(letter))

static void on_call(struct event_loop *its_loop, void *letter)
{
	(void)its_loop;
	add_call((char)(uintptr_t)letter);
}

static int64_t last_result;

static void on_done(struct event_loop *its_loop, void *letter, int64_t result)
{
	(void)its_loop;
	last_result = result;
	add_call((char)(uintptr_t)letter);
}

static struct loop_op *try_receive(loop_done *done, void *context)
{
	struct loop_request request = {
		.kind = IO_RECV,
		.fd_slot = fd_slot,
		.buf = event_loop_buffers(loop),
		.len_bytes = 64,
	};
	return event_loop_start(loop, &request, done, context);
}

static struct loop_op *receive(loop_done *done, void *context)
{
	struct loop_op *op = try_receive(done, context);
	expect(op, EXPECTED("a handle from event_loop_start()") SAW("NULL"));
	return op;
}

static void start_timer(struct loop_timer *timer, int64_t delay_ns, int64_t repeat_ns)
{
	int rc = event_loop_timer_start(loop, timer, delay_ns, repeat_ns);
	expect(rc == 0, EXPECTED("0 from event_loop_timer_start()") SAW("%s"), answer(rc));
}

#define TIMER(letter)                                                                              \
	{                                                                                          \
		.call = on_call, .context = LETTER(letter)                                         \
	}

/* Exercise 1: operations. */

static void calls_back_with_the_result(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	peer_sends(ends[1], "hello", 5);
	run();
	expect_calls("after a receive", "r");
	expect(last_result == 5, EXPECTED("5 bytes") SAW("%s"), answer(last_result));
	expect(memcmp(event_loop_buffers(loop), "hello", 5) == 0,
	       "other bytes came than were sent");
	close_pair();
	close_loop();
}

static bool is_asking;

static void on_done_later(struct event_loop *its_loop, void *letter, int64_t result)
{
	expect(!is_asking, EXPECTED("a callback from event_loop_run()")
				   SAW("one inside the call that asked for it"));
	on_done(its_loop, letter, result);
}

static void never_calls_inside_the_call(struct subject *s)
{
	open_loop_with_pair(s);
	peer_sends(ends[1], "hello", 5); /* so it could end at once */
	is_asking = true;
	receive(on_done_later, LETTER('r'));
	is_asking = false;
	expect(spy.submits == 0,
	       EXPECTED("no call of the engine before step 4") SAW("%u of its submit()"),
	       spy.submits);
	run();
	expect_calls("after a receive", "r");
	close_pair();
	close_loop();
}

static void start_no_ops(unsigned count)
{
	struct loop_request request = {
		.kind = IO_SEND, .fd_slot = fd_slot, .buf = event_loop_buffers(loop), .len_bytes = 1
	};
	for (unsigned i = 0; i < count; i++)
		expect(event_loop_start(loop, &request, on_done, LETTER('a' + i)),
		       EXPECTED("a handle for operation %u") SAW("NULL"), i);
}

static void hands_over_a_batch_at_once(struct subject *s)
{
	open_loop(s, 8, 2);
	attach_pair();
	start_no_ops(8);
	turn(LOOP_POLL);
	expect(spy.submits == 1 && spy.offered_most == 8,
	       EXPECTED("one submit() of 8 operations") SAW("%u calls, with up to %u"), spy.submits,
	       spy.offered_most);
	run();
	expect(strlen(calls) == 8, EXPECTED("8 calls") SAW("\"%s\""), calls);
	close_pair();
	close_loop();
}

static void keeps_what_the_engine_refuses(struct subject *s)
{
	char *buf, bytes[8];
	open_loop(s, 4, 2);
	attach_pair();
	buf = event_loop_buffers(loop);
	spy.accepts_most = 1;
	for (unsigned i = 0; i < 4; i++) {
		struct loop_request request = {
			.kind = IO_SEND, .fd_slot = fd_slot, .buf = buf + i, .len_bytes = 1
		};
		expect(event_loop_start(loop, &request, on_done, LETTER('s')),
		       EXPECTED("a handle for operation %u") SAW("NULL"), i);
	}
	while (strlen(calls) < 4 && spy.submits < 100 && !was_impatient)
		turn(LOOP_ONCE);
	expect_calls("with an engine that accepts one operation a call", "ssss");
	for (unsigned i = 0; i < 4; i++)
		expect(spy.accepted[i] == buf + i,
		       EXPECTED("the four sends in the order of their starts")
			       SAW("another one in place %u"),
		       i);
	ssize_t n = recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT);
	expect(n == 4, EXPECTED("4 bytes") SAW("%zd"), n);
	close_pair();
	close_loop();
}

static unsigned chain_left;

static void on_link(struct event_loop *its_loop, void *letter, int64_t result)
{
	on_done(its_loop, letter, result);
	expect(result == 1, EXPECTED("1 byte") SAW("%s"), answer(result));
	if (--chain_left == 0)
		return;
	peer_sends(ends[1], "x", 1);
	struct loop_request request = {
		.kind = IO_RECV, .fd_slot = fd_slot, .buf = event_loop_buffers(loop), .len_bytes = 1
	};
	expect(event_loop_start(loop, &request, on_link, letter),
	       WHEN("in the callback of the only operation of a loop of depth 1")
		       EXPECTED("room for the next one") SAW("NULL"));
}

static void a_callback_may_start_the_next(struct subject *s)
{
	open_loop(s, 1, 1);
	attach_pair();
	chain_left = 5;
	receive(on_link, LETTER('l'));
	peer_sends(ends[1], "x", 1);
	run();
	expect_calls("each starts the next", "lllll");
	close_pair();
	close_loop();
}

static void full_is_no_handle(struct subject *s)
{
	open_loop(s, 3, 1);
	attach_pair();
	start_no_ops(3);
	expect(!try_receive(on_done, LETTER('x')),
	       WHEN("with as many started as the depth says") EXPECTED("NULL") SAW("a handle"));
	run();
	expect(strlen(calls) == 3, EXPECTED("3 calls") SAW("\"%s\""), calls);
	expect(try_receive(on_done, LETTER('x')),
	       WHEN("after they ended") EXPECTED("a handle") SAW("NULL"));
	peer_sends(ends[1], "x", 1);
	run();
	close_pair();
	close_loop();
}

static void a_batch_has_a_limit(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	peer_sends(ends[1], "x", 1);
	run();
	expect(spy.max == EVENT_LOOP_BATCH, EXPECTED("at most %d completions a turn") SAW("%u"),
	       EVENT_LOOP_BATCH, spy.max);
	close_pair();
	close_loop();
}

static void a_broken_engine_ends_the_run(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	spy.fails = -EIO;
	int rc = event_loop_run(loop, LOOP_RUN);
	expect(rc == -EIO,
	       WHEN("when reap() answers -EIO") EXPECTED("-EIO from event_loop_run()") SAW("%s"),
	       answer(rc));
	spy.fails = 0;
	peer_sends(ends[1], "x", 1);
	run();
	expect_calls("after the engine works again", "r");
	close_pair();
	close_loop();
}

/* Exercise 2: the heap. */

static void timers_come_in_due_order(struct subject *s)
{
	static const int64_t delays_ms[] = { 5, 1, 4, 2, 3, 7, 6 };
	static const char letters[] = "eadbcgf";
	struct loop_timer timers[7];
	open_loop(s, 1, 1);
	for (unsigned i = 0; i < 7; i++) {
		timers[i] = (struct loop_timer)TIMER(letters[i]);
		start_timer(&timers[i], delays_ms[i] * NS_PER_MS / 4, 0);
	}
	run();
	expect_calls("seven timers", "abcdefg");
	close_loop();
}

static void equal_times_come_in_start_order(struct subject *s)
{
	struct loop_timer timers[20];
	open_loop(s, 1, 1);
	for (unsigned i = 0; i < 20; i++) {
		timers[i] = (struct loop_timer)TIMER('a' + i);
		start_timer(&timers[i], 1000, 0);
	}
	run();
	expect_calls("twenty timers for one time", "abcdefghijklmnopqrst");
	close_loop();
}

static uint64_t last_due_ns;
static unsigned in_order_count;

static void on_call_in_order(struct event_loop *its_loop, void *context)
{
	const struct loop_timer *timer = context;
	(void)its_loop;
	expect(timer->due_ns >= last_due_ns,
	       EXPECTED("call %u later than the one before it") SAW("an earlier time"),
	       in_order_count);
	last_due_ns = timer->due_ns;
	in_order_count++;
}

/* A timer that is started again leaves its place in the middle. */
static void timers_move_in_the_middle(struct subject *s)
{
	enum { COUNT = 2000 };
	struct loop_timer *timers = calloc(COUNT, sizeof *timers);
	unsigned seed = 11;
	open_loop(s, 1, 1);
	for (unsigned i = 0; i < COUNT; i++) {
		timers[i].call = on_call_in_order;
		timers[i].context = &timers[i];
		start_timer(&timers[i], 1000 + rand_r(&seed) % 1000000, 0);
	}
	for (unsigned i = 0; i < COUNT; i++)
		start_timer(&timers[(unsigned)rand_r(&seed) % COUNT],
			    1000 + rand_r(&seed) % 1000000, 0);
	run();
	expect(in_order_count == COUNT, EXPECTED("%d calls") SAW("%u"), COUNT, in_order_count);
	close_loop();
	free(timers);
}

static void starting_twice_restarts(struct subject *s)
{
	struct loop_timer a = TIMER('a'), b = TIMER('b');
	open_loop(s, 1, 1);
	start_timer(&a, 1000, 0);
	start_timer(&b, 2000, 0);
	start_timer(&a, 3000, 0);
	run();
	expect_calls("a timer that was started again, for later", "ba");
	close_loop();
}

/* Exercise 3: the life of a timer. */

static uint64_t due_ns;

static void on_call_not_early(struct event_loop *its_loop, void *letter)
{
	uint64_t now_ns = clock_ns();
	expect(now_ns >= due_ns, EXPECTED("a call when it is due") SAW("one %lld ns early"),
	       (long long)(due_ns - now_ns));
	on_call(its_loop, letter);
}

static void never_early(struct subject *s)
{
	struct loop_timer timer = { .call = on_call_not_early, .context = LETTER('t') };
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	for (unsigned i = 0; i < 20; i++) {
		int64_t delay_ns = 1000 + 137777 * i;
		event_loop_update_now(loop);
		due_ns = event_loop_now_ns(loop) + (uint64_t)delay_ns;
		start_timer(&timer, delay_ns, 0);
		turn_until_called(i + 1);
	}
	peer_sends(ends[1], "x", 1);
	run();
	close_pair();
	close_loop();
}

static struct loop_timer chained;
static unsigned restarts_left;

static void on_call_start_again(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	if (restarts_left-- > 0)
		start_timer(&chained, 0, 0);
}

static void a_timer_without_delay_waits_a_turn(struct subject *s)
{
	open_loop(s, 1, 1);
	restarts_left = 2;
	chained = (struct loop_timer) { .call = on_call_start_again, .context = LETTER('t') };
	start_timer(&chained, 0, 0);
	expect_calls("before the first turn", "");
	turn(LOOP_POLL);
	expect_calls("after one turn", "t");
	turn(LOOP_POLL);
	expect_calls("after two turns", "tt");
	run();
	expect_calls("at the end", "ttt");
	close_loop();
}

static void on_call_from_then_on(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	if (!strchr(calls, 'r') && !was_impatient)
		start_timer(&chained, 0, 0);
}

static void timers_starve_nobody(struct subject *s)
{
	open_loop_with_pair(s);
	chained = (struct loop_timer) { .call = on_call_from_then_on, .context = LETTER('t') };
	receive(on_done, LETTER('r'));
	peer_sends(ends[1], "x", 1);
	start_timer(&chained, 0, 0);
	turn_until_other('r', 't', LOOP_POLL);
	run();
	close_pair();
	close_loop();
}

static void a_stopped_timer_is_not_called(struct subject *s)
{
	struct loop_timer a = TIMER('a'), b = TIMER('b');
	open_loop(s, 1, 1);
	start_timer(&a, 1000, 0);
	start_timer(&b, 2000, 0);
	event_loop_timer_stop(loop, &a);
	event_loop_timer_stop(loop, &a); /* nothing */
	expect(!event_loop_timer_is_active(&a), EXPECTED("a timer at rest") SAW("an active one"));
	run();
	expect_calls("after one of two was stopped", "b");
	close_loop();
}

static struct loop_timer victims[3];

static void on_call_stop_the_others(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	event_loop_timer_stop(its_loop, &victims[0]);
	event_loop_timer_stop(its_loop, &victims[2]);
	start_timer(&victims[1], 1000, 0); /* anew, so not in this turn */
}

static void a_callback_stops_timers_already_due(struct subject *s)
{
	struct loop_timer killer = { .call = on_call_stop_the_others, .context = LETTER('k') };
	open_loop(s, 1, 1);
	start_timer(&killer, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		victims[i] = (struct loop_timer)TIMER('0' + i);
		start_timer(&victims[i], 0, i == 2 ? 1000 : 0);
	}
	turn(LOOP_POLL);
	expect_calls("when the first of four that are due stops the others", "k");
	run();
	expect_calls("at the end", "k1");
	close_loop();
}

static struct loop_timer beat;
static unsigned beats_most;

static void on_beat(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	if (strlen(calls) == beats_most)
		event_loop_timer_stop(its_loop, &beat);
}

static void a_repeating_timer_keeps_its_beat(struct subject *s)
{
	open_loop(s, 1, 1);
	beats_most = 5;
	beat = (struct loop_timer) { .call = on_beat, .context = LETTER('b') };
	start_timer(&beat, 2 * NS_PER_MS, NS_PER_MS);
	uint64_t first_ns = beat.due_ns;
	run();
	expect_calls("stopped by its own fifth call", "bbbbb");
	uint64_t off_ns = (beat.due_ns - first_ns) % NS_PER_MS;
	expect(off_ns == 0, EXPECTED("whole pauses since the first beat") SAW("%llu ns more"),
	       (unsigned long long)off_ns);
	int rc = event_loop_timer_again(loop, &beat);
	expect(rc == 0 && beat.due_ns == event_loop_now_ns(loop) + NS_PER_MS,
	       WHEN("begun again") EXPECTED("a beat one pause from now") SAW("another time, or %s"),
	       answer(rc));
	event_loop_timer_stop(loop, &beat);
	struct loop_timer once = TIMER('o');
	rc = event_loop_timer_again(loop, &once);
	expect(rc == -EINVAL, WHEN("begun again without a pause") EXPECTED("-EINVAL") SAW("%s"),
	       answer(rc));
	close_loop();
}

static void on_call_sleep(struct event_loop *its_loop, void *letter)
{
	struct timespec pause = { 0, 3 * NS_PER_MS };
	on_call(its_loop, letter);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static void beats_that_were_missed_are_left_out(struct subject *s)
{
	open_loop(s, 1, 1);
	beat = (struct loop_timer) { .call = on_call_sleep, .context = LETTER('b') };
	start_timer(&beat, 0, NS_PER_MS); /* each call outlasts three beats */
	for (unsigned i = 1; i <= 4; i++) {
		while (strlen(calls) < i && !was_impatient)
			turn(LOOP_ONCE);
		expect(strlen(calls) == i, EXPECTED("at most one beat a turn") SAW("\"%s\""),
		       calls);
	}
	event_loop_timer_stop(loop, &beat);
	close_loop();
}

static void huge_times_are_never(struct subject *s)
{
	struct loop_timer a = TIMER('a'), b = TIMER('b'), c = TIMER('c');
	open_loop(s, 1, 1);
	start_timer(&a, INT64_MAX, INT64_MAX);
	start_timer(&c, 1000, INT64_MAX);
	int rc = event_loop_timer_start(loop, &b, -1, 0);
	expect(rc == -EINVAL, WHEN("a delay below 0") EXPECTED("-EINVAL") SAW("%s"), answer(rc));
	turn_until_called(1);
	for (unsigned i = 0; i < 20; i++)
		turn(LOOP_POLL);
	expect_calls("with two timers that are never due", "c");
	event_loop_timer_stop(loop, &a);
	event_loop_timer_stop(loop, &c);
	close_loop();
}

/* Exercise 4: deferred calls and turns. */

static struct loop_deferred deferred[3];

static void prepare_deferred(loop_call *call)
{
	for (unsigned i = 0; i < 3; i++)
		deferred[i] = (struct loop_deferred) { .call = call, .context = LETTER('a' + i) };
}

static void deferred_calls_come_once_and_in_order(struct subject *s)
{
	open_loop(s, 1, 1);
	prepare_deferred(on_call);
	event_loop_defer(loop, &deferred[0]);
	event_loop_defer(loop, &deferred[1]);
	event_loop_defer(loop, &deferred[0]); /* it waits already */
	event_loop_defer(loop, &deferred[2]);
	expect_calls("before the turn", "");
	run();
	expect_calls("after it", "abc");
	close_loop();
}

static void on_call_defer_again(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	event_loop_defer(its_loop, &deferred[0]);
	event_loop_undefer(its_loop, &deferred[1]);
}

static void what_a_deferred_call_asks_waits_a_turn(struct subject *s)
{
	open_loop(s, 1, 1);
	prepare_deferred(on_call);
	deferred[0].call = on_call_defer_again;
	event_loop_defer(loop, &deferred[0]);
	event_loop_defer(loop, &deferred[1]);
	event_loop_defer(loop, &deferred[2]);
	turn(LOOP_POLL);
	expect_calls("when the first defers itself and takes the second back", "ac");
	turn(LOOP_POLL);
	expect_calls("a turn later", "aca");
	event_loop_undefer(loop, &deferred[0]);
	event_loop_undefer(loop, &deferred[0]); /* nothing */
	run();
	expect_calls("after all were taken back", "aca");
	close_loop();
}

static void a_turn_has_an_order(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop_with_pair(s);
	prepare_deferred(on_call);
	receive(on_done, LETTER('r'));
	turn(LOOP_POLL);
	peer_sends(ends[1], "x", 1);
	event_loop_defer(loop, &deferred[0]);
	start_timer(&timer, 0, 0);
	turn_until_called(3);
	expect_calls("a timer, a deferred call and a receive", "tar");
	close_pair();
	close_loop();
}

static void idle_work_starves_nobody(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop_with_pair(s);
	prepare_deferred(on_call_defer_again);
	receive(on_done, LETTER('r'));
	peer_sends(ends[1], "x", 1);
	start_timer(&timer, 1000, 0);
	event_loop_defer(loop, &deferred[0]);
	turn_until_other('r', 'a', LOOP_ONCE);
	turn_until_other('t', 'a', LOOP_ONCE);
	event_loop_undefer(loop, &deferred[0]);
	run();
	close_pair();
	close_loop();
}

static void runs_once_and_without_waiting(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop_with_pair(s);
	prepare_deferred(on_call);
	receive(on_done, LETTER('r'));
	turn(LOOP_POLL);
	event_loop_defer(loop, &deferred[0]);
	turn(LOOP_POLL);
	start_timer(&timer, 0, 0);
	turn(LOOP_ONCE); /* which calls the timer, and so does not wait */
	expect_calls("two turns beside a receive that waits", "at");
	expect(spy.waits == 0, EXPECTED("no wait") SAW("%u that may wait"), spy.waits);
	peer_sends(ends[1], "x", 1);
	turn_until_called(3);
	expect(spy.waits >= 1,
	       WHEN("LOOP_ONCE with nothing to call") EXPECTED("a wait") SAW("none"));
	close_pair();
	close_loop();
}

static void ends_when_nothing_is_alive(struct subject *s)
{
	struct loop_timer background = TIMER('b'), timer = TIMER('f');
	open_loop(s, 1, 1);
	run();
	background.background = true;
	start_timer(&background, 10 * NS_PER_S, 0);
	run();
	expect_calls("with a timer in the background alone", "");
	start_timer(&timer, 1000, 0);
	start_timer(&background, 0, 0);
	run();
	expect_calls("with another one", "bf");
	close_loop();
}

/* Exercise 5: how long it sleeps. */

#define SLEEP_NS (60 * NS_PER_MS)

static void sleeps_until_the_next_timer(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	turn(LOOP_POLL);
	unsigned before = spy.reaps;
	event_loop_update_now(loop);
	start_timer(&timer, SLEEP_NS, 0);
	turn_until_called(1);
	unsigned reaps = spy.reaps - before;
	expect(reaps <= 10,
	       WHEN("while a timer runs for 60 ms") EXPECTED("one or two calls of reap()")
		       SAW("%u"),
	       reaps);
	expect(spy.longest_ns > SLEEP_NS / 10 && spy.longest_ns <= SLEEP_NS,
	       EXPECTED("a wait until the timer is due, in 60 ms") SAW("at most %s ns"),
	       answer(spy.longest_ns));
	peer_sends(ends[1], "x", 1);
	run();
	close_pair();
	close_loop();
}

static void on_call_spend_time(struct event_loop *its_loop, void *letter)
{
	struct timespec pause = { 0, 40 * NS_PER_MS };
	on_call(its_loop, letter);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static void on_call_stop_loop(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	event_loop_stop(its_loop);
}

/* The loop's time is that of the beginning of the turn; the wait counts from the present. */
static void a_slow_callback_shortens_the_wait(struct subject *s)
{
	struct loop_timer timer = { .call = on_call_stop_loop, .context = LETTER('t') };
	open_loop_with_pair(s);
	prepare_deferred(on_call_spend_time);
	receive(on_done, LETTER('r'));
	event_loop_update_now(loop);
	start_timer(&timer, SLEEP_NS, 0);
	event_loop_defer(loop, &deferred[0]);
	turn(LOOP_RUN);
	expect_calls("a slow deferred call and a timer", "at");
	expect(spy.waits == 0 ||
		       (spy.longest_ns > 0 && spy.longest_ns <= SLEEP_NS - 40 * NS_PER_MS),
	       WHEN("with 60 ms to wait, of which a callback spent 40")
		       EXPECTED("a wait of at most 20 ms") SAW("one of %s ns"),
	       answer(spy.longest_ns));
	peer_sends(ends[1], "x", 1);
	run();
	close_pair();
	close_loop();
}

static void sleeps_for_ever_without_a_timer(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	turn(LOOP_POLL);
	peer_sends(ends[1], "x", 1);
	turn_until_called(1);
	expect(spy.waits == 0 || spy.timeout_ns < 0,
	       WHEN("with a receive and no timer") EXPECTED("a wait without limit")
		       SAW("one of %s ns"),
	       answer(spy.timeout_ns));
	close_pair();
	close_loop();
}

static void on_call_defer_to_the_third(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	if (strlen(calls) < 3)
		event_loop_defer(its_loop, &deferred[0]);
	else
		event_loop_stop(its_loop);
}

static void waits_for_no_one_while_a_call_waits(struct subject *s)
{
	open_loop_with_pair(s);
	prepare_deferred(on_call_defer_to_the_third);
	receive(on_done, LETTER('r'));
	event_loop_defer(loop, &deferred[0]);
	turn(LOOP_RUN);
	expect_calls("a call that defers itself twice, and then stops the loop", "aaa");
	expect(spy.waits == 0, WHEN("while a deferred call waits") EXPECTED("no wait") SAW("%u"),
	       spy.waits);
	peer_sends(ends[1], "x", 1);
	run();
	close_pair();
	close_loop();
}

static void sleeps_without_operations(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop(s, 1, 1);
	start_timer(&timer, SLEEP_NS, 0);
	int64_t before_ns = thread_cpu_ns();
	run();
	int64_t used_ns = thread_cpu_ns() - before_ns;
	expect(used_ns < SLEEP_NS / 3,
	       WHEN("while a timer runs for 60 ms") EXPECTED("a thread that sleeps")
		       SAW("%lld us of CPU"),
	       (long long)(used_ns / NS_PER_US));
	expect(spy.reaps == 0, EXPECTED("no reap() with nothing in flight") SAW("%u"), spy.reaps);
	close_loop();
}

static volatile sig_atomic_t signal_count;

#define SIGNAL_PAUSE_MS 3

static void count_signal(int number)
{
	if (++signal_count > PATIENCE_MS / SIGNAL_PAUSE_MS)
		stop_waiting(number);
}

static void signals_end_no_run(struct subject *s)
{
	struct loop_timer timer = { .call = on_call_not_early, .context = LETTER('t') };
	struct sigaction action = { .sa_handler = count_signal }; /* without SA_RESTART */
	struct itimerval often = { { 0, SIGNAL_PAUSE_MS * 1000 }, { 0, SIGNAL_PAUSE_MS * 1000 } };
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	turn(LOOP_POLL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned i = 1; i <= 2; i++) {
		event_loop_update_now(loop);
		due_ns = event_loop_now_ns(loop) + SLEEP_NS / 2;
		start_timer(&timer, SLEEP_NS / 2, 0);
		turn_until_called(2 * i - 1);
		if (i == 1) { /* the second time with nothing in flight */
			peer_sends(ends[1], "x", 1);
			turn_until_called(2);
		}
	}
	expect_calls("two timers, while signals come", "trt");
	expect(signal_count > 0, EXPECTED("signals in 60 ms") SAW("none"));
	lose_patience_after(PATIENCE_MS);
	close_pair();
	close_loop();
}

static void stops_before_and_during_a_run(struct subject *s)
{
	struct loop_timer late = TIMER('l'),
			  stops = { .call = on_call_stop_loop, .context = LETTER('s') };
	open_loop(s, 1, 1);
	start_timer(&late, 10 * NS_PER_S, 0);
	event_loop_stop(loop);
	int rc = event_loop_run(loop, LOOP_RUN);
	expect(rc == 1 && !was_impatient,
	       WHEN("stopped before it ran") EXPECTED("1 after a turn") SAW("%s"), answer(rc));
	start_timer(&stops, 1000, 0);
	rc = event_loop_run(loop, LOOP_RUN);
	expect(rc == 1 && !was_impatient,
	       WHEN("stopped by a call") EXPECTED("1 after its turn") SAW("%s"), answer(rc));
	expect_calls("of two timers, one far away", "s");
	event_loop_timer_stop(loop, &late);
	close_loop();
}

/* Exercise 6: cancel and close. */

static void expect_canceled(void)
{
	expect(last_result == -ECANCELED, EXPECTED("-ECANCELED") SAW("%s"), answer(last_result));
}

static void a_cancel_comes_back(struct subject *s)
{
	open_loop_with_pair(s);
	struct loop_op *asked = receive(on_done_later, LETTER('r'));
	turn(LOOP_POLL);
	is_asking = true;
	event_loop_cancel(loop, asked);
	event_loop_cancel(loop, asked);
	is_asking = false;
	run();
	expect_calls("after a cancel, twice", "r");
	if (!(s->ops->traits & IO_CANCEL_SHUTS_DOWN))
		expect_canceled();
	expect(spy.cancels == 1, EXPECTED("one cancel_one()") SAW("%u"), spy.cancels);
	close_pair();
	close_loop();
}

static void a_cancel_before_the_turn_never_reaches_the_engine(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done_later, LETTER('a'));
	struct loop_op *asked = receive(on_done_later, LETTER('b'));
	is_asking = true;
	event_loop_cancel(loop, asked);
	is_asking = false;
	turn_until_called(1);
	expect_calls("after a cancel", "b");
	expect_canceled();
	expect(spy.offered == 1 && spy.cancels == 0,
	       EXPECTED("only the other operation with the engine")
		       SAW("%u offered to it, %u asked back"),
	       spy.offered, spy.cancels);
	peer_sends(ends[1], "x", 1);
	run();
	expect_calls("at the end", "ba");
	close_pair();
	close_loop();
}

static struct loop_op *other_op;

static void on_done_cancel_the_other(struct event_loop *its_loop, void *letter, int64_t result)
{
	on_done(its_loop, letter, result);
	if (strlen(calls) == 1)
		event_loop_cancel(its_loop, other_op);
}

/* Both sends came back in one reap(): the second is over, and its result counts. */
static void a_cancel_that_comes_too_late_changes_nothing(struct subject *s)
{
	open_loop_with_pair(s);
	struct loop_request request = {
		.kind = IO_SEND, .fd_slot = fd_slot, .buf = event_loop_buffers(loop), .len_bytes = 1
	};
	event_loop_start(loop, &request, on_done_cancel_the_other, LETTER('a'));
	other_op = event_loop_start(loop, &request, on_done_cancel_the_other, LETTER('a'));
	run();
	expect_calls("two sends, the first of which cancels the second", "aa");
	expect(last_result == 1 || last_result == -ECANCELED,
	       EXPECTED("1 byte, or -ECANCELED") SAW("%s"), answer(last_result));
	close_pair();
	close_loop();
}

static void on_closed(struct event_loop *its_loop, void *letter)
{
	expect(fcntl(ends[0], F_GETFD) < 0,
	       WHEN("in the last call") EXPECTED("a closed descriptor") SAW("an open one"));
	on_call(its_loop, letter);
}

static void close_is_the_last_call(struct subject *s)
{
	char byte;
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	turn(LOOP_POLL);
	receive(on_done, LETTER('r')); /* not yet with the engine */
	event_loop_close_fd(loop, fd_slot, on_closed, LETTER('c'));
	expect_calls("inside event_loop_close_fd()", "");
	run();
	expect_calls("after it, with two receives", "rrc");
	expect(read(ends[1], &byte, 1) == 0,
	       EXPECTED("the end of the stream at the peer") SAW("something else"));
	close(ends[1]);
	close_loop();
}

static void on_done_close(struct event_loop *its_loop, void *letter, int64_t result)
{
	on_done(its_loop, letter, result);
	receive(on_done, LETTER('x'));
	event_loop_close_fd(its_loop, fd_slot, on_closed, LETTER('c'));
	add_call('.');
}

static void a_callback_closes_its_own_descriptor(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done_close, LETTER('r'));
	peer_sends(ends[1], "1", 1);
	run();
	expect_calls("a callback that starts another receive and closes", "r.xc");
	close(ends[1]);
	close_loop();
}

static void a_number_that_is_used_again_starts_clean(struct subject *s)
{
	open_loop(s, 4, 1);
	for (unsigned i = 0; i < 8; i++) {
		memset(calls, 0, sizeof calls);
		attach_pair();
		receive(on_done, LETTER('r'));
		peer_sends(ends[1], "12", i % 2 + 1);
		turn_until_called(1);
		expect(last_result == i % 2 + 1,
		       WHEN("on connection %u with one number") EXPECTED("%u bytes") SAW("%s"), i,
		       i % 2 + 1, answer(last_result));
		receive(on_done, LETTER('x'));
		event_loop_close_fd(loop, fd_slot, on_closed, LETTER('c'));
		run();
		expect_calls("one connection", "rxc");
		close(ends[1]);
	}
	close_loop();
}

static void on_closed_attach_the_next(struct event_loop *its_loop, void *letter)
{
	int old_peer = ends[1];
	on_call(its_loop, letter);
	attach_pair(); /* in a loop with room for one */
	close(old_peer);
	receive(on_done, LETTER('n'));
	peer_sends(ends[1], "x", 1);
}

static void the_last_call_may_attach_the_next(struct subject *s)
{
	open_loop(s, 4, 1);
	attach_pair();
	receive(on_done, LETTER('r'));
	event_loop_close_fd(loop, fd_slot, on_closed_attach_the_next, LETTER('c'));
	run();
	expect_calls("a close, whose callback attaches the next descriptor", "rcn");
	close_pair();
	close_loop();
}

/* Exercise 7: from outside. */

static struct loop_wakeup wakeup, second;

static void start_wakeup(struct loop_wakeup *w, loop_call *call, char letter)
{
	struct reason why = { "" };
	*w = (struct loop_wakeup) { .call = call, .context = LETTER(letter) };
	int rc = event_loop_wakeup_start(loop, w, &why);
	expect(rc == 0, EXPECTED("0 from event_loop_wakeup_start()") SAW("%s: %s"), answer(rc),
	       why.text);
}

enum { WAKES = 300 };
static unsigned posted;

static void on_wake_until_all(struct event_loop *its_loop, void *letter)
{
	(void)letter;
	if (__atomic_load_n(&posted, __ATOMIC_RELAXED) == WAKES)
		event_loop_wakeup_stop(its_loop, &wakeup);
}

static void *wake_often(void *unused)
{
	struct timespec pause = { 0, 20000 };
	(void)unused;
	for (unsigned i = 1; i <= WAKES; i++) {
		__atomic_store_n(&posted, i, __ATOMIC_RELAXED);
		event_loop_wake(&wakeup);
		if (i % 7 == 0)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return NULL;
}

static void another_thread_wakes_the_loop(struct subject *s)
{
	pthread_t thread;
	sigset_t signals;
	open_loop(s, 4, 1);
	start_wakeup(&wakeup, on_wake_until_all, 'w');
	sigfillset(&signals); /* the test's alarm is for the loop's thread */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	pthread_create(&thread, NULL, wake_often, NULL);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	event_loop_run(loop, LOOP_RUN);
	pthread_join(thread, NULL);
	expect(!was_impatient, EXPECTED("a call after the last of %d wake-ups") SAW("none"), WAKES);
	close_loop();
}

static void several_wakes_are_one_call(struct subject *s)
{
	open_loop(s, 4, 1);
	start_wakeup(&wakeup, on_call, 'w');
	start_wakeup(&second, on_call, 'v');
	event_loop_wake(&wakeup);
	event_loop_wake(&wakeup);
	event_loop_wake(&wakeup);
	expect_calls("inside event_loop_wake()", "");
	turn_until_called(1);
	turn(LOOP_POLL);
	expect_calls("three wakes of one of two", "w");
	event_loop_wake(&wakeup);
	turn_until_called(2);
	expect_calls("one more", "ww");
	event_loop_wakeup_stop(loop, &wakeup);
	event_loop_wake(&second);
	event_loop_wakeup_stop(loop, &second);
	run();
	expect_calls("a wake, and a stop before its call", "ww");
	close_loop();
}

static void on_wake_wake_the_other(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	event_loop_wake(&second); /* the loop looked there already, or looks there next */
}

/* A note that comes while the loop looks at its notes must be heard. */
static void a_wake_during_the_calls_is_not_lost(struct subject *s)
{
	open_loop(s, 4, 1);
	start_wakeup(&second, on_call, 'v');
	start_wakeup(&wakeup, on_wake_wake_the_other, 'w');
	event_loop_wake(&wakeup);
	turn_until_called(2);
	expect_calls("a wake-up that wakes another", "wv");
	event_loop_wake(&wakeup);
	turn_until_called(4);
	expect_calls("and again", "wvwv");
	event_loop_wakeup_stop(loop, &wakeup);
	event_loop_wakeup_stop(loop, &second);
	close_loop();
}

static void on_wake_wake_itself(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	if (strlen(calls) == 1)
		event_loop_wake(&wakeup);
}

static void a_wake_in_its_own_call_is_news(struct subject *s)
{
	open_loop(s, 4, 1);
	start_wakeup(&wakeup, on_wake_wake_itself, 'w');
	event_loop_wake(&wakeup);
	turn_until_called(2);
	expect_calls("a wake-up that wakes itself once", "ww");
	event_loop_wakeup_stop(loop, &wakeup);
	close_loop();
}

static void start_signal(struct loop_signal *watcher, int number)
{
	struct reason why = { "" };
	int rc = event_loop_signal_start(loop, watcher, number, &why);
	expect(rc == 0, EXPECTED("0 from event_loop_signal_start()") SAW("%s: %s"), answer(rc),
	       why.text);
}

static void signals_reach_their_watchers(struct subject *s)
{
	struct loop_signal a = { .call = on_call, .context = LETTER('a') },
			   b = { .call = on_call, .context = LETTER('b'), .once = true },
			   other = { .call = on_call, .context = LETTER('o') };
	open_loop(s, 4, 1);
	start_signal(&a, SIGUSR1);
	start_signal(&b, SIGUSR1);
	start_signal(&other, SIGUSR2);
	raise(SIGUSR1);
	raise(SIGUSR1);
	expect_calls("inside the handler", "");
	turn_until_called(2);
	turn(LOOP_POLL);
	expect_calls("a signal that came twice, with two watchers", "ab");
	raise(SIGUSR1);
	turn_until_called(3);
	turn(LOOP_POLL);
	expect_calls("once more: one of them was for once", "aba");
	event_loop_signal_stop(loop, &a);
	event_loop_signal_stop(loop, &other);
	close_loop();
}

static void a_signal_ends_the_sleep(struct subject *s)
{
	struct loop_signal watcher = { .call = on_call, .context = LETTER('s') };
	struct sigevent by_signal = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec soon = { .it_value = { 0, 20 * NS_PER_MS } };
	timer_t timer;
	open_loop(s, 4, 1);
	start_signal(&watcher, SIGUSR1);
	expect(timer_create(CLOCK_MONOTONIC, &by_signal, &timer) == 0, "timer_create");
	timer_settime(timer, 0, &soon, NULL);
	turn_until_called(1);
	expect_calls("a signal that comes while the loop sleeps", "s");
	expect(spy.reaps <= 10, EXPECTED("one or two calls of reap()") SAW("%u"), spy.reaps);
	timer_delete(timer);
	event_loop_signal_stop(loop, &watcher);
	close_loop();
}

static void a_signals_disposition_comes_back(struct subject *s)
{
	struct loop_signal a = { .call = on_call, .context = LETTER('a') };
	struct sigaction after;
	signal(SIGUSR1, SIG_IGN);
	open_loop(s, 4, 1);
	start_signal(&a, SIGUSR1);
	raise(SIGUSR1);
	event_loop_signal_stop(loop, &a);
	sigaction(SIGUSR1, NULL, &after);
	expect(after.sa_handler == SIG_IGN,
	       WHEN("after the last watcher stopped") EXPECTED("the disposition of before")
		       SAW("another one"));
	run();
	expect_calls("a signal, and a stop before its call", "");
	close_loop();
}

static void sleeps_while_it_listens(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop(s, 4, 1);
	start_wakeup(&wakeup, on_call, 'w');
	event_loop_wake(&wakeup);
	turn_until_called(1);
	unsigned before = spy.reaps;
	event_loop_update_now(loop);
	start_timer(&timer, SLEEP_NS, 0);
	turn_until_called(2);
	expect(spy.reaps - before <= 10,
	       WHEN("while it listens for 60 ms") EXPECTED("one or two calls of reap()") SAW("%u"),
	       spy.reaps - before);
	event_loop_wakeup_stop(loop, &wakeup);
	close_loop();
}

#define EACH .over = "epoll io_uring libaio threads"
#define TEST(n, test)                                                                              \
	{                                                                                          \
		.name = #test, .exercise = n, .run = test, EACH                                    \
	}

const struct lab_test lab_tests[] = {
	TEST(1, calls_back_with_the_result),
	TEST(1, never_calls_inside_the_call),
	TEST(1, hands_over_a_batch_at_once),
	TEST(1, keeps_what_the_engine_refuses),
	TEST(1, a_callback_may_start_the_next),
	TEST(1, full_is_no_handle),
	TEST(1, a_batch_has_a_limit),
	TEST(1, a_broken_engine_ends_the_run),

	TEST(2, timers_come_in_due_order),
	TEST(2, equal_times_come_in_start_order),
	TEST(2, timers_move_in_the_middle),
	TEST(2, starting_twice_restarts),

	TEST(3, a_timer_without_delay_waits_a_turn),
	TEST(3, timers_starve_nobody),
	TEST(3, never_early),
	TEST(3, a_stopped_timer_is_not_called),
	TEST(3, a_callback_stops_timers_already_due),
	TEST(3, a_repeating_timer_keeps_its_beat),
	TEST(3, beats_that_were_missed_are_left_out),
	TEST(3, huge_times_are_never),

	TEST(4, deferred_calls_come_once_and_in_order),
	TEST(4, what_a_deferred_call_asks_waits_a_turn),
	TEST(4, a_turn_has_an_order),
	TEST(4, idle_work_starves_nobody),
	TEST(4, runs_once_and_without_waiting),
	TEST(4, ends_when_nothing_is_alive),

	TEST(5, sleeps_until_the_next_timer),
	TEST(5, a_slow_callback_shortens_the_wait),
	TEST(5, sleeps_for_ever_without_a_timer),
	TEST(5, waits_for_no_one_while_a_call_waits),
	TEST(5, sleeps_without_operations),
	TEST(5, signals_end_no_run),
	TEST(5, stops_before_and_during_a_run),

	TEST(6, a_cancel_comes_back),
	TEST(6, a_cancel_before_the_turn_never_reaches_the_engine),
	TEST(6, a_cancel_that_comes_too_late_changes_nothing),
	TEST(6, close_is_the_last_call),
	TEST(6, a_callback_closes_its_own_descriptor),
	TEST(6, a_number_that_is_used_again_starts_clean),
	TEST(6, the_last_call_may_attach_the_next),

	TEST(7, another_thread_wakes_the_loop),
	TEST(7, several_wakes_are_one_call),
	TEST(7, a_wake_during_the_calls_is_not_lost),
	TEST(7, a_wake_in_its_own_call_is_news),
	TEST(7, signals_reach_their_watchers),
	TEST(7, a_signal_ends_the_sleep),
	TEST(7, a_signals_disposition_comes_back),
	TEST(7, sleeps_while_it_listens),
	{ NULL },
};
