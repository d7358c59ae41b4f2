/* SPDX-License-Identifier: MIT */
/* Lab 12: what promises, coroutines and tasks must do, over any engine. */
#include "loop_test.h"

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unwind.h>

#include "await.h"
#include "clock.h"
#include "coroutine.h"
#include "promise.h"

#define LONG_NS	    (60 * (int64_t)NS_PER_S)
#define STACK_BYTES 32768
#define DEPTH	    2 /* of the loop */
#define POOL_COUNT  64

/* The engine below, which also counts what it is asked back. */
static struct engine_ops spied;
static const struct engine_ops *below;
static unsigned asked_back;

static void spied_cancel_one(struct engine *engine, struct io_op *op)
{
	asked_back++;
	below->cancel_one(engine, op);
}

/* One loop and one pool. */
static struct promise_pool *pool;

static unsigned neglected_count;
static int64_t neglected_value;

static void count_neglected(void *context, int64_t value)
{
	expect(context == &neglected_count,
	       EXPECTED("the pool's context in a report of neglect") SAW("another one"));
	neglected_count++;
	neglected_value = value;
}

static void open_pool(unsigned count, void (*neglected)(void *context, int64_t value))
{
	struct reason why = { "" };
	struct promise_pool_config config = {
		.loop = loop, .count = count, .neglected = neglected, .context = &neglected_count
	};
	int rc = promise_pool_open(&pool, &config, &why);
	expect(rc == 0, EXPECTED("0 from promise_pool_open()") SAW("%s: %s"), answer(rc), why.text);
}

static bool can(const struct subject *s, enum io_kind kind, enum io_fd_kind fd_kind,
		struct reason *why)
{
	struct engine_config config = { .depth = DEPTH, .cpu_count = 1, .options = s->options };
	return s->ops->supports(&config, kind, fd_kind, why) == 0;
}

static void need_sockets(const struct subject *s)
{
	struct reason why = { "" };
	if (!can(s, IO_RECV, IO_FD_SOCKET, &why))
		test_skipped("%s", why.text);
}

static void open_loop(struct subject *s)
{
	struct reason why = { "" };
	/* One that can do neither is refused here altogether. */
	if (!can(s, IO_NOP, IO_FD_NONE, &why) && !can(s, IO_RECV, IO_FD_SOCKET, &why))
		test_skipped("%s", why.text);
	below = s->ops;
	spied = *s->ops;
	spied.cancel_one = s->ops->cancel_one ? spied_cancel_one : NULL;
	struct event_loop_config config = {
		.engine = &spied,
		.options = s->options,
		.depth = DEPTH,
		.max_fds = 2,
		.buffers_len_bytes = 4096,
	};
	open_loop_under_test(&config);
}

static void open_all(struct subject *s)
{
	open_loop(s);
	open_pool(POOL_COUNT, count_neglected);
}

static void expect_none_left(void)
{
	expect(promise_pool_used(pool) == 0,
	       WHEN("when every chain has ended and nothing is held") EXPECTED("no promise")
		       SAW("%u of them"),
	       promise_pool_used(pool));
}

static void expect_neglected(unsigned count)
{
	expect(neglected_count == count, EXPECTED("%u reports of neglect") SAW("%u"), count,
	       neglected_count);
}

static void close_all(void)
{
	expect_none_left();
	lose_patience_after(0);
	promise_pool_close(pool);
	event_loop_close(loop);
}

static void on_call(struct event_loop *its_loop, void *letter)
{
	(void)its_loop;
	add_call((char)(uintptr_t)letter);
}

/* Steps of chains. */

static bool is_asking; /* inside a call that must not call back */
static int64_t last_value;

static struct promise_answer plus_one(void *letter, int64_t value)
{
	expect(!is_asking, EXPECTED("a callback from the loop")
				   SAW("one inside the call that asked for it or that settled"));
	last_value = value;
	add_call((char)(uintptr_t)letter);
	return PROMISE_VALUE(value + 1);
}

static struct promise_answer reject(void *letter, int64_t value)
{
	add_call((char)(uintptr_t)letter);
	return PROMISE_REJECTION(-value);
}

static struct promise *inner;

static struct promise_answer follow_inner(void *letter, int64_t value)
{
	(void)value;
	add_call((char)(uintptr_t)letter);
	return PROMISE_FOLLOW(promise_hold(inner));
}

static struct promise *made(struct promise *p)
{
	expect(p, EXPECTED("a promise, since the pool has room") SAW("NULL"));
	return p;
}

static const char *const state_names[] = { "pending", "fulfilled", "rejected" };

static void expect_state(const char *when, struct promise *p, enum promise_state expected,
			 int64_t expected_value)
{
	int64_t value = expected_value;
	enum promise_state state = promise_state(p, &value);
	expect(state == expected, WHEN("%s") EXPECTED("that it is %s") SAW("that it is %s"), when,
	       state_names[expected], state_names[state]);
	expect(value == expected_value, WHEN("%s") EXPECTED("the value %" PRId64) SAW("%" PRId64),
	       when, expected_value, value);
}

/* The same, of one that is given up then. */
static void expect_end(const char *when, struct promise *p, enum promise_state expected,
		       int64_t expected_value)
{
	expect_state(when, p, expected, expected_value);
	promise_drop(p);
}

/* Exercise 1: settled once, and called back later. */

static void expect_refused(int rc)
{
	expect(rc == -EALREADY,
	       WHEN("when one is settled a second time") EXPECTED("-EALREADY") SAW("%s"),
	       answer(rc));
}

static void settles_once(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool)), *q = made(promise_new(pool));
	expect_state("before anybody settled it", p, PROMISE_PENDING, 0);
	int rc = promise_fulfil(p, 7);
	expect(rc == 0, EXPECTED("0 from promise_fulfil()") SAW("%s"), answer(rc));
	expect_refused(promise_fulfil(p, 8));
	expect_refused(promise_reject(p, -9));
	expect_end("fulfilled with 7", p, PROMISE_FULFILLED, 7);
	rc = promise_reject(q, -5);
	expect(rc == 0, EXPECTED("0 from promise_reject()") SAW("%s"), answer(rc));
	expect_refused(promise_fulfil(q, 8));
	expect_refused(promise_reject(q, -6));
	run_to_its_end();
	expect_end("rejected with -5", q, PROMISE_REJECTED, -5);
	close_all();
}

static void only_its_maker_settles_it(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	struct promise *a = made(promise_then(p, plus_one, LETTER('a')));
	expect_refused(promise_fulfil(a, 1));
	expect_refused(promise_reject(a, -1));
	expect_state("one that follows another", a, PROMISE_PENDING, 0);
	promise_fulfil(p, 0);
	run_to_its_end();
	promise_drop(a);
	promise_drop(p);
	close_all();
}

static void await_it(struct promise *p, char letter)
{
	expect(promise_await(p, plus_one, LETTER(letter)),
	       EXPECTED("true from promise_await()") SAW("false, as with no room"));
}

static void never_calls_inside_a_call(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	is_asking = true;
	await_it(p, 'a');
	promise_fulfil(p, 3);
	await_it(p, 'b'); /* of one that is settled already */
	is_asking = false;
	run_to_its_end();
	expect_calls("one callback of before the end, one of after it", "ab");
	expect(last_value == 3, EXPECTED("the value 3") SAW("%" PRId64), last_value);
	await_it(p, 'c');
	expect_calls("before the loop runs again", "ab");
	run_to_its_end();
	expect_calls("when the loop has run again", "abc");
	promise_drop(p);
	close_all();
}

static void calls_back_in_order(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool)), *q = made(promise_new(pool));
	for (char letter = 'a'; letter <= 'j'; letter++)
		await_it(p, letter);
	for (char letter = 'k'; letter <= 't'; letter++)
		await_it(q, letter);
	promise_fulfil(q, 1);
	promise_fulfil(p, 2);
	run_to_its_end();
	expect_calls("ten that wait for q, which is settled first, and ten for p",
		     "klmnopqrstabcdefghij");
	promise_drop(p);
	promise_drop(q);
	close_all();
}

static struct promise *p_of_step;

static struct promise_answer await_again(void *letter, int64_t value)
{
	add_call((char)(uintptr_t)letter);
	is_asking = true;
	await_it(p_of_step, (char)((uintptr_t)letter + 1));
	promise_fulfil(inner, value);
	is_asking = false;
	return PROMISE_VALUE(0);
}

static struct promise_answer ask_behind_others(void *letter, int64_t value)
{
	add_call((char)(uintptr_t)letter);
	await_it(p_of_step, 'c');
	return PROMISE_VALUE(value);
}

/* What a callback adds to its own promise became due later than what waits in the queue. */
static void who_is_added_comes_behind_the_others(struct subject *s)
{
	open_all(s);
	p_of_step = made(promise_new(pool));
	struct promise *q = made(promise_new(pool));
	promise_await(p_of_step, ask_behind_others, LETTER('a'));
	await_it(q, 'b');
	promise_fulfil(p_of_step, 1);
	promise_fulfil(q, 1);
	run_to_its_end();
	expect_calls(
		"two promises that are settled, and a third callback that the first one asks for",
		"abc");
	promise_drop(p_of_step);
	promise_drop(q);
	close_all();
}

static void a_callback_may_ask_for_more(struct subject *s)
{
	open_all(s);
	p_of_step = made(promise_new(pool));
	inner = made(promise_new(pool));
	await_it(inner, 'x');
	expect(promise_await(p_of_step, await_again, LETTER('a')),
	       EXPECTED("true from promise_await()") SAW("false"));
	await_it(p_of_step, 'm');
	promise_reject(p_of_step, -4);
	run_to_its_end();
	expect(strlen(calls) == 4 && calls[0] == 'a' && calls[1] == 'm' && strchr(calls, 'b') &&
		       strchr(calls, 'x'),
	       WHEN("when the first of two callbacks adds a third one and settles another promise")
		       EXPECTED("\"am\", then 'b' and 'x'") SAW("\"%s\""),
	       calls);
	promise_drop(p_of_step);
	promise_drop(inner);
	close_all();
}

static void calls_back_among_deferred_calls(struct subject *s)
{
	struct loop_timer timer = { .call = on_call, .context = LETTER('t') };
	open_all(s);
	struct promise *p = made(promise_new(pool));
	await_it(p, 'a');
	promise_fulfil(p, 1);
	event_loop_timer_start(loop, &timer, 0, 0);
	int rc = event_loop_run(loop, LOOP_POLL);
	expect(rc == 0, WHEN("after one turn") EXPECTED("that nothing is alive") SAW("%s"),
	       answer(rc));
	expect_calls("in one turn, with a timer that is due", "ta");
	promise_drop(p);
	close_all();
}

/* Exercise 2: chains. */

static void a_chain_passes_values_on(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	struct promise *a = made(promise_then(p, plus_one, LETTER('a')));
	struct promise *b = made(promise_then(a, plus_one, LETTER('b')));
	struct promise *c = made(promise_catch(b, plus_one, LETTER('c')));
	struct promise *d = made(promise_then(c, plus_one, LETTER('d')));
	promise_fulfil(p, 5);
	run_to_its_end();
	expect_calls("two thens, a catch, a then", "abd");
	expect_end("p", p, PROMISE_FULFILLED, 5);
	expect_end("then of p", a, PROMISE_FULFILLED, 6);
	expect_end("then of that", b, PROMISE_FULFILLED, 7);
	expect_end("catch: a value passes it by", c, PROMISE_FULFILLED, 7);
	expect_end("then of that", d, PROMISE_FULFILLED, 8);
	close_all();
}

static void a_rejection_passes_by_to_the_catch(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	struct promise *a = made(promise_then(p, reject, LETTER('a')));
	struct promise *b = made(promise_then(a, plus_one, LETTER('b')));
	struct promise *c = made(promise_catch(b, plus_one, LETTER('c')));
	struct promise *d = made(promise_catch(c, plus_one, LETTER('d')));
	struct promise *e = made(promise_then(d, plus_one, LETTER('e')));
	promise_fulfil(p, 5);
	run_to_its_end();
	expect_calls("a rejects, b is a then, c and d are catches, e is a then", "ace");
	expect_end("p", p, PROMISE_FULFILLED, 5);
	expect_end("what answered with a rejection", a, PROMISE_REJECTED, -5);
	expect_end("the then after it", b, PROMISE_REJECTED, -5);
	expect_end("the catch", c, PROMISE_FULFILLED, -4);
	expect_end("the catch after that", d, PROMISE_FULFILLED, -4);
	expect_end("the then after that", e, PROMISE_FULFILLED, -3);
	close_all();
}

static void a_catch_may_reject_again(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	struct promise *a = made(promise_catch(p, reject, LETTER('a')));
	struct promise *b = made(promise_catch(a, plus_one, LETTER('b')));
	promise_reject(p, -5);
	promise_drop(p);
	promise_drop(a);
	run_to_its_end();
	expect_calls("two catches, and the first rejects", "ab");
	expect_end("the second", b, PROMISE_FULFILLED, 6);
	close_all();
}

static void finally_runs_either_way(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool)), *q = made(promise_new(pool));
	struct promise *a = made(promise_finally(p, plus_one, LETTER('a')));
	struct promise *b = made(promise_finally(q, plus_one, LETTER('b')));
	struct promise *c = made(promise_finally(p, reject, LETTER('c')));
	struct promise *d = made(promise_finally(q, reject, LETTER('d')));
	promise_fulfil(p, 5);
	promise_reject(q, -6);
	promise_drop(p);
	promise_drop(q);
	run_to_its_end();
	expect(strlen(calls) == 4, EXPECTED("4 calls") SAW("\"%s\""), calls);
	expect_end("of a value", a, PROMISE_FULFILLED, 5);
	expect_end("of a rejection", b, PROMISE_REJECTED, -6);
	expect_end("of a value, and its callback rejects", c, PROMISE_REJECTED, -5);
	expect_end("of a rejection, and its callback rejects", d, PROMISE_REJECTED, 6);
	close_all();
}

static void finally_does_not_wait(struct subject *s)
{
	open_all(s);
	inner = made(promise_new(pool));
	struct promise *p = made(promise_new(pool));
	struct promise *a = made(promise_finally(p, follow_inner, LETTER('a')));
	promise_fulfil(p, 5);
	promise_drop(p);
	run_to_its_end();
	expect_calls("a finally", "a");
	expect_end("though its callback answered with a pending promise", a, PROMISE_FULFILLED, 5);
	promise_drop(inner);
	close_all();
}

static void what_await_answers_does_not_count(struct subject *s)
{
	open_all(s);
	inner = made(promise_new(pool));
	struct promise *p = made(promise_new(pool));
	expect(promise_await(p, follow_inner, LETTER('a')) &&
		       promise_await(p, reject, LETTER('b')) &&
		       promise_await(p, plus_one, LETTER('c')),
	       EXPECTED("true from promise_await()") SAW("false"));
	promise_fulfil(p, 5);
	promise_drop(p);
	run_to_its_end();
	expect_calls("three steps: a pending promise, a rejection, a value", "abc");
	promise_drop(inner);
	expect_neglected(0);
	close_all();
}

static void a_callback_may_answer_with_a_promise(struct subject *s)
{
	open_all(s);
	for (unsigned round = 0; round < 3; round++) {
		inner = made(promise_new(pool));
		struct promise *p = made(promise_new(pool));
		struct promise *a = made(promise_then(p, follow_inner, LETTER('a')));
		struct promise *b = made(promise_then(a, plus_one, LETTER('b')));
		struct promise *c = made(promise_catch(b, plus_one, LETTER('c')));
		promise_fulfil(p, 1);
		if (round == 2) /* it is settled already */
			promise_fulfil(inner, 40);
		promise_drop(b);
		promise_drop(p);
		run_to_its_end();
		if (round < 2) {
			expect_calls("while the promise of the answer is pending", "a");
			expect_state("the same", a, PROMISE_PENDING, 0);
			expect_refused(promise_fulfil(a, 0));
		}
		if (round == 0)
			promise_fulfil(inner, 40);
		if (round == 1)
			promise_reject(inner, -40);
		promise_drop(inner);
		run_to_its_end();
		expect_calls("when it has ended", round == 1 ? "ac" : "ab");
		expect_end("its end", a, round == 1 ? PROMISE_REJECTED : PROMISE_FULFILLED,
			   round == 1 ? -40 : 40);
		expect_end("of the chain", c, PROMISE_FULFILLED, round == 1 ? -39 : 41);
		expect_none_left();
		forget_calls();
	}
	close_all();
}

static struct promise_answer follow_none(void *letter, int64_t value)
{
	(void)letter;
	(void)value;
	return PROMISE_FOLLOW(NULL);
}

static void an_answer_of_no_promise_rejects(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	struct promise *a = made(promise_then(p, follow_none, NULL));
	promise_fulfil(p, 1);
	promise_drop(p);
	run_to_its_end();
	expect_end("of PROMISE_FOLLOW(NULL)", a, PROMISE_REJECTED, -ENOMEM);
	close_all();
}

static void a_chain_is_whole_when_its_last_is_kept(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	struct promise *chain = promise_and_then(promise_hold(p), reject, LETTER('a'));
	chain = promise_and_then(chain, plus_one, LETTER('b'));
	chain = promise_and_catch(chain, plus_one, LETTER('c'));
	made(chain);
	promise_fulfil(p, 5);
	promise_drop(p);
	run_to_its_end();
	expect_calls("a chain by promise_and_then() and promise_and_catch()", "ac");
	expect_end("its end", chain, PROMISE_FULFILLED, -4);
	close_all();
}

/* Exercise 3: all, any, race. */

static struct promise *three[3];

static void make_three(void)
{
	for (unsigned i = 0; i < 3; i++)
		three[i] = made(promise_new(pool));
}

static void drop_three(void)
{
	for (unsigned i = 0; i < 3; i++)
		promise_drop(three[i]);
}

static void all_takes_all(struct subject *s)
{
	open_all(s);
	make_three();
	struct promise *all = made(promise_all(pool, three, 3));
	promise_fulfil(three[2], 30);
	promise_fulfil(three[0], 10);
	run_to_its_end();
	expect_state("with two of three", all, PROMISE_PENDING, 0);
	promise_fulfil(three[1], 20);
	run_to_its_end();
	expect_end("all of three", all, PROMISE_FULFILLED, 3);
	expect_state("the parts stay with their holders", three[1], PROMISE_FULFILLED, 20);
	drop_three();
	close_all();
}

static void all_fails_with_the_first(struct subject *s)
{
	open_all(s);
	make_three();
	struct promise *all = made(promise_all(pool, three, 3));
	promise_reject(three[1], -20);
	run_to_its_end();
	expect_state("with one rejection, at once", all, PROMISE_REJECTED, -20);
	promise_reject(three[0], -10);
	promise_fulfil(three[2], 30);
	run_to_its_end();
	expect_end("later ends change nothing", all, PROMISE_REJECTED, -20);
	drop_three();
	close_all();
}

static void any_takes_the_first_value(struct subject *s)
{
	open_all(s);
	make_three();
	struct promise *any = made(promise_any(pool, three, 3));
	promise_reject(three[0], -10);
	run_to_its_end();
	expect_state("with one rejection", any, PROMISE_PENDING, 0);
	promise_fulfil(three[2], 30);
	run_to_its_end();
	expect_state("with the first value, at once", any, PROMISE_FULFILLED, 30);
	promise_fulfil(three[1], 20);
	run_to_its_end();
	expect_end("later ends change nothing", any, PROMISE_FULFILLED, 30);
	drop_three();
	make_three();
	any = made(promise_any(pool, three, 3));
	promise_reject(three[2], -30);
	promise_reject(three[0], -10);
	promise_reject(three[1], -20);
	run_to_its_end();
	expect_end("when all are rejected: as the last", any, PROMISE_REJECTED, -20);
	drop_three();
	close_all();
}

static void a_race_has_one_winner(struct subject *s)
{
	open_all(s);
	for (unsigned round = 0; round < 2; round++) {
		make_three();
		struct promise *race = made(promise_race(pool, three, 3));
		run_to_its_end();
		expect_state("with no end", race, PROMISE_PENDING, 0);
		if (round == 0)
			promise_fulfil(three[1], 20);
		else
			promise_reject(three[1], -20);
		run_to_its_end();
		promise_fulfil(three[0], 10);
		promise_reject(three[2], -30);
		run_to_its_end();
		expect_end("the first end", race, round == 0 ? PROMISE_FULFILLED : PROMISE_REJECTED,
			   round == 0 ? 20 : -20);
		drop_three();
	}
	close_all();
}

static void combines_what_is_settled_already(struct subject *s)
{
	open_all(s);
	make_three();
	for (unsigned i = 0; i < 3; i++)
		promise_fulfil(three[i], i);
	is_asking = true;
	struct promise *all = made(promise_all(pool, three, 3));
	struct promise *race = made(promise_race(pool, three, 3));
	is_asking = false;
	run_to_its_end();
	expect_end("all", all, PROMISE_FULFILLED, 3);
	expect_end("race: the first of them", race, PROMISE_FULFILLED, 0);
	drop_three();
	close_all();
}

static void of_none(struct subject *s)
{
	open_all(s);
	struct promise *all = made(promise_all(pool, NULL, 0));
	struct promise *any = made(promise_any(pool, NULL, 0));
	struct promise *race = made(promise_race(pool, NULL, 0));
	run_to_its_end();
	expect_end("all of none", all, PROMISE_FULFILLED, 0);
	expect_end("any of none", any, PROMISE_REJECTED, -ENOENT);
	expect_end("a race of none", race, PROMISE_PENDING, 0);
	close_all();
}

static void a_whole_without_room_begins_nothing(struct subject *s)
{
	open_loop(s);
	open_pool(6, count_neglected);
	make_three();
	promise_reject(three[0], -10);
	/* There is room for the whole and two of its parts. */
	expect(!promise_all(pool, three, 3),
	       EXPECTED("NULL, as the pool is empty") SAW("a promise"));
	expect(promise_pool_used(pool) == 3,
	       EXPECTED("that all it took is back") SAW("%u promises in place of 3"),
	       promise_pool_used(pool));
	struct promise *with_null[] = { three[1], NULL };
	expect(!promise_all(pool, with_null, 2) && !promise_any(pool, with_null, 2) &&
		       !promise_race(pool, with_null, 2),
	       WHEN("when one of them is NULL") EXPECTED("NULL") SAW("a promise"));
	expect_state("and nobody has looked at it", three[0], PROMISE_REJECTED, -10);
	run_to_its_end();
	drop_three();
	close_all();
}

/* Exercise 4: from the loop; time limits; giving up. */

static int ends[2][2]; /* pairs of sockets: the loop has [i][0] */
static unsigned fd_slots[2];

static void attach_pairs(void)
{
	struct reason why = { "" };
	for (unsigned i = 0; i < 2; i++) {
		expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]) == 0,
		       "socketpair");
		int rc = event_loop_attach(loop, ends[i][0], IO_FD_SOCKET, &why);
		expect(rc >= 0, "event_loop_attach: %s", why.text);
		fd_slots[i] = (unsigned)rc;
	}
}

static void close_pairs(void)
{
	for (unsigned i = 0; i < 2; i++) {
		event_loop_detach(loop, fd_slots[i]);
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

static void open_all_with_pairs(struct subject *s)
{
	need_sockets(s);
	open_all(s);
	attach_pairs();
}

static struct loop_request receive_on(unsigned i)
{
	return (struct loop_request) {
		.kind = IO_RECV,
		.fd_slot = fd_slots[i],
		.buf = (char *)event_loop_buffers(loop) + (size_t)i * 64,
		.len_bytes = 64,
	};
}

static struct promise *promise_receive(unsigned i)
{
	struct loop_request request = receive_on(i);
	return made(promise_operation(pool, &request));
}

static void an_operation_is_a_promise(struct subject *s)
{
	open_all_with_pairs(s);
	struct promise *a = promise_receive(0);
	struct promise *b = made(promise_then(a, plus_one, LETTER('b')));
	expect_refused(promise_fulfil(a, 1));
	peer_sends(ends[0][1], "hello", 5);
	run_to_its_end();
	expect_calls("a then of a receive", "b");
	expect_end("after 5 bytes", a, PROMISE_FULFILLED, 5);
	expect_end("its then", b, PROMISE_FULFILLED, 6);
	shutdown(ends[0][1], SHUT_WR);
	a = promise_receive(0);
	run_to_its_end();
	expect_end("a receive at the end of the stream", a, PROMISE_FULFILLED, 0);
	struct loop_request send = receive_on(0);
	send.kind = IO_SEND;
	shutdown(ends[0][0], SHUT_WR);
	a = made(promise_operation(pool, &send));
	run_to_its_end();
	expect_end("a send after shutdown()", a, PROMISE_REJECTED, -EPIPE);
	close_pairs();
	close_all();
}

/* Nobody holds it, and the engine has it still. */
static void an_abandoned_operation_ends_alone(struct subject *s)
{
	open_all_with_pairs(s);
	promise_drop(promise_receive(0));
	promise_drop(promise_and_then(promise_receive(1), plus_one, LETTER('a')));
	event_loop_run(loop, LOOP_POLL);
	make_three(); /* of the memory that is free now */
	peer_sends(ends[0][1], "x", 1);
	peer_sends(ends[1][1], "xy", 2);
	run_to_its_end();
	expect_calls("a then of a receive that nobody holds", "a");
	expect(last_value == 2, EXPECTED("2 bytes") SAW("%" PRId64), last_value);
	for (unsigned i = 0; i < 3; i++)
		expect_state("beside two receives that nobody holds", three[i], PROMISE_PENDING, 0);
	drop_three();
	close_pairs();
	close_all();
}

static void no_room_is_a_rejection(struct subject *s)
{
	open_all_with_pairs(s);
	struct promise *waiting[DEPTH];
	for (unsigned i = 0; i < DEPTH; i++)
		waiting[i] = promise_receive(i);
	struct promise *a = promise_receive(0);
	expect_state("beyond the loop's depth", a, PROMISE_REJECTED, -EAGAIN);
	promise_drop(a);
	for (unsigned i = 0; i < DEPTH; i++)
		promise_cancel(waiting[i]);
	run_to_its_end();
	for (unsigned i = 0; i < DEPTH; i++)
		expect_end("cancelled", waiting[i], PROMISE_REJECTED, -ECANCELED);
	close_pairs();
	close_all();
}

static void a_delay_is_never_early(struct subject *s)
{
	open_all(s);
	event_loop_update_now(loop);
	uint64_t began_ns = event_loop_now_ns(loop);
	struct promise *a = made(promise_delay(pool, 5 * NS_PER_MS));
	struct promise *b = made(promise_then(a, plus_one, LETTER('b')));
	run_to_its_end();
	expect(clock_ns() - began_ns >= 5 * NS_PER_MS, EXPECTED("5 ms") SAW("%" PRIu64 " ns"),
	       clock_ns() - began_ns);
	expect_end("a delay", a, PROMISE_FULFILLED, 0);
	expect_end("its then", b, PROMISE_FULFILLED, 1);
	close_all();
}

static void a_cancel_calls_the_operation_back(struct subject *s)
{
	scene = "when a chain is cancelled that begins with a receive";
	open_all_with_pairs(s);
	struct promise *a = promise_receive(0);
	struct promise *b = made(promise_then(a, plus_one, LETTER('b')));
	struct promise *c = made(promise_then(b, plus_one, LETTER('c')));
	struct promise *d = made(promise_catch(c, plus_one, LETTER('d')));
	event_loop_run(loop, LOOP_POLL); /* it is with the engine now */
	promise_cancel(c);
	expect_state("inside of the cancel nothing ends", a, PROMISE_PENDING, 0);
	run_to_its_end();
	expect(asked_back == 1, EXPECTED("one operation asked back") SAW("%u"), asked_back);
	expect_calls("the end comes down the chain", "d");
	expect_end("the operation", a, PROMISE_REJECTED, -ECANCELED);
	expect_end("its then", b, PROMISE_REJECTED, -ECANCELED);
	expect_end("what was cancelled", c, PROMISE_REJECTED, -ECANCELED);
	expect_end("its catch", d, PROMISE_FULFILLED, -ECANCELED + 1);
	close_pairs();
	close_all();
}

static void a_cancelled_delay_leaves_no_timer(struct subject *s)
{
	scene = "when a delay was cancelled";
	open_all(s);
	struct promise *a = made(promise_delay(pool, LONG_NS));
	struct promise *b = made(promise_then(a, plus_one, LETTER('b')));
	promise_cancel(b);
	run_to_its_end();
	expect_end("a delay that was cancelled", a, PROMISE_REJECTED, -ECANCELED);
	expect_end("its then", b, PROMISE_REJECTED, -ECANCELED);
	close_all();
}

static void a_cancel_ends_what_nobody_settles(struct subject *s)
{
	open_all(s);
	make_three();
	struct promise *then = made(promise_then(three[0], plus_one, LETTER('a')));
	struct promise *all = made(promise_all(pool, &three[1], 2));
	promise_cancel(then);
	promise_cancel(all);
	run_to_its_end();
	expect_end("what waits for promise_new()", then, PROMISE_REJECTED, -ECANCELED);
	expect_state("that one", three[0], PROMISE_REJECTED, -ECANCELED);
	expect_end("a combined one", all, PROMISE_REJECTED, -ECANCELED);
	expect_state("its parts go on", three[1], PROMISE_PENDING, 0);
	expect(promise_fulfil(three[1], 1) == 0 && promise_fulfil(three[2], 2) == 0,
	       "its parts cannot be settled any more");
	run_to_its_end();
	drop_three();
	promise_cancel(NULL);
	close_all();
}

static void a_cancel_reaches_what_is_followed(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	inner = made(promise_new(pool));
	struct promise *then = made(promise_then(p, follow_inner, LETTER('f')));
	promise_fulfil(p, 1);
	run_to_its_end();
	expect_calls("an answer that is a promise", "f");
	promise_cancel(then);
	run_to_its_end();
	expect_end("that waits for promise_new() by its answer", then, PROMISE_REJECTED,
		   -ECANCELED);
	expect_state("the promise in the answer", inner, PROMISE_REJECTED, -ECANCELED);
	expect_refused(promise_fulfil(inner, 2));
	promise_drop(inner);
	promise_drop(p);
	close_all();
}

static struct promise_answer cancel_inner(void *letter, int64_t value)
{
	add_call((char)(uintptr_t)letter);
	promise_cancel(inner);
	expect_state("that is cancelled by the callback whose answer it waits for", inner,
		     PROMISE_PENDING, 0);
	return PROMISE_VALUE(value + 1);
}

static void a_cancel_that_comes_too_late_changes_nothing(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	struct promise *a = made(promise_then(p, plus_one, LETTER('a')));
	promise_fulfil(p, 5);
	promise_cancel(a); /* its end is on the way */
	promise_cancel(p);
	run_to_its_end();
	promise_cancel(a);
	expect_calls("a then of what was settled before the cancel", "a");
	expect_end("p", p, PROMISE_FULFILLED, 5);
	expect_end("its then", a, PROMISE_FULFILLED, 6);
	p = made(promise_new(pool));
	inner = made(promise_then(p, cancel_inner, LETTER('i')));
	promise_fulfil(p, 5);
	run_to_its_end();
	expect_calls("a then that cancels what is made of its answer", "ai");
	expect_end("that one", inner, PROMISE_FULFILLED, 6);
	promise_drop(p);
	close_all();
}

static void a_deadline_that_passes(struct subject *s)
{
	scene = "when a deadline passes while a receive waits";
	open_all_with_pairs(s);
	struct promise *receive = promise_receive(0);
	struct promise *then = made(promise_then(receive, plus_one, LETTER('x')));
	event_loop_run(loop, LOOP_POLL); /* it is with the engine now */
	struct promise *a = made(promise_with_deadline(then, 2 * NS_PER_MS));
	struct promise *b = made(promise_catch(a, plus_one, LETTER('b')));
	run_to_its_end();
	expect_calls("a deadline that passes", "b");
	expect_end("with its deadline", a, PROMISE_REJECTED, -ETIMEDOUT);
	expect_end("its catch", b, PROMISE_FULFILLED, -ETIMEDOUT + 1);
	expect_end("what it waited for", then, PROMISE_REJECTED, -ECANCELED);
	expect_end("the operation", receive, PROMISE_REJECTED, -ECANCELED);
	expect(asked_back == 1, EXPECTED("one operation asked back") SAW("%u"), asked_back);
	close_pairs();
	close_all();
}

static void a_deadline_of_which_only_the_end_is_kept(struct subject *s)
{
	open_all(s);
	struct promise *delay = made(promise_delay(pool, LONG_NS));
	struct promise *a = made(promise_with_deadline(delay, 2 * NS_PER_MS));
	struct promise *p = made(promise_new(pool));
	struct promise *b = made(promise_with_deadline(p, 2 * NS_PER_MS));
	promise_drop(delay);
	run_to_its_end();
	expect_end("of a delay", a, PROMISE_REJECTED, -ETIMEDOUT);
	expect_end("of promise_new()", b, PROMISE_REJECTED, -ETIMEDOUT);
	expect_end("that one", p, PROMISE_REJECTED, -ECANCELED);
	close_all();
}

static void a_deadline_leaves_the_others(struct subject *s)
{
	open_all(s);
	for (unsigned is_wrong = 0; is_wrong < 2; is_wrong++) {
		struct promise *p = made(promise_new(pool));
		await_it(p, 'a');
		struct promise *b =
			made(promise_with_deadline(p, is_wrong ? -1 : 2 * (int64_t)NS_PER_MS));
		await_it(p, 'c');
		struct promise *d = made(promise_catch(b, plus_one, LETTER('d')));
		await_it(p, 'e');
		if (is_wrong)
			promise_fulfil(p, 5);
		run_to_its_end();
		expect(strlen(calls) == 4 && strchr(calls, 'd') &&
			       strstr(calls, "e") > strstr(calls, "c") &&
			       strstr(calls, "c") > strstr(calls, "a"),
		       WHEN("when a deadline passes that is one of four")
			       EXPECTED("\"ace\" in this order, and 'd'") SAW("\"%s\""),
		       calls);
		expect_state("what it waited for", p,
			     is_wrong ? PROMISE_FULFILLED : PROMISE_REJECTED,
			     is_wrong ? 5 : -ECANCELED);
		forget_calls();
		promise_drop(p);
		promise_drop(b);
		promise_drop(d);
	}
	close_all();
}

static void a_deadline_in_time_leaves_no_timer(struct subject *s)
{
	scene = "when what a deadline waits for has ended in time";
	open_all(s);
	struct promise *p = made(promise_new(pool)), *q = made(promise_new(pool));
	struct promise *a = made(promise_with_deadline(p, LONG_NS));
	struct promise *b = made(promise_with_deadline(q, LONG_NS));
	promise_fulfil(p, 5);
	promise_reject(q, -6);
	promise_drop(p);
	promise_drop(q);
	run_to_its_end(); /* which ends, since no timer is active */
	expect_end("in time", a, PROMISE_FULFILLED, 5);
	expect_end("rejected in time", b, PROMISE_REJECTED, -6);
	close_all();
}

static void a_deadline_may_be_too_late_or_wrong(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool)), *q = made(promise_new(pool));
	promise_fulfil(p, 5);
	struct promise *a = made(promise_with_deadline(p, 0));
	struct promise *b = made(promise_with_deadline(q, -1));
	struct promise *c = made(promise_delay(pool, -1));
	run_to_its_end();
	expect_end("of what is settled already", a, PROMISE_FULFILLED, 5);
	expect_end("of a deadline below 0", b, PROMISE_REJECTED, -EINVAL);
	expect_end("of a delay below 0", c, PROMISE_REJECTED, -EINVAL);
	promise_fulfil(q, 0);
	run_to_its_end();
	promise_drop(p);
	promise_drop(q);
	close_all();
}

/* Exercise 5: what is given up, and what is neglected. */

static void abandoned_chains_leak_nothing(struct subject *s)
{
	open_all(s);
	for (unsigned i = 0; i < 20000; i++) {
		struct promise *p = made(promise_new(pool));
		struct promise *a = made(promise_then(p, plus_one, LETTER('a')));
		promise_drop(promise_catch(a, plus_one, LETTER('b')));
		promise_drop(promise_finally(a, plus_one, LETTER('c')));
		promise_drop(promise_all(pool, (struct promise *[]) { a, p }, 2));
		promise_drop(promise_any(pool, (struct promise *[]) { a, a }, 2));
		promise_drop(promise_with_deadline(a, LONG_NS));
		promise_drop(a);
		promise_drop(p); /* nobody can settle it any more */
		expect(promise_pool_used(pool) == 0,
		       WHEN("when all of a chain was given up") EXPECTED("no promise")
			       SAW("%u of them"),
		       promise_pool_used(pool));
	}
	run_to_its_end();
	expect_calls("of abandoned chains", "");
	close_all();
}

static void an_abandoned_deadline_never_rings(struct subject *s)
{
	scene = "when a deadline was given up";
	open_all(s);
	struct promise *p = made(promise_new(pool));
	promise_drop(promise_with_deadline(p, 2 * NS_PER_MS));
	promise_drop(p);
	make_three(); /* of the memory that is free now */
	struct promise *later = made(promise_delay(pool, 10 * NS_PER_MS));
	run_to_its_end();
	for (unsigned i = 0; i < 3; i++)
		expect_state("of which nobody asked for a deadline", three[i], PROMISE_PENDING, 0);
	expect_end("another delay", later, PROMISE_FULFILLED, 0);
	drop_three();
	/* One that is held still, when what it waits for is given up. */
	for (unsigned is_cancelled = 0; is_cancelled < 2; is_cancelled++) {
		p = made(promise_new(pool));
		struct promise *a = made(promise_with_deadline(p, 2 * NS_PER_MS));
		promise_drop(p); /* nobody can settle it any more */
		if (is_cancelled)
			promise_cancel(a);
		promise_state(a, NULL);
		run_to_its_end();
		expect(promise_pool_used(pool) == 1,
		       WHEN("when one deadline is held") EXPECTED("1 promise") SAW("%u"),
		       promise_pool_used(pool));
		expect_end("of what was given up", a, PROMISE_REJECTED,
			   is_cancelled ? -ECANCELED : -ETIMEDOUT);
	}
	close_all();
}

static void a_chain_of_which_nothing_is_kept_goes_on(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	struct promise *chain = promise_and_then(promise_hold(p), reject, LETTER('a'));
	promise_drop(promise_and_catch(chain, plus_one, LETTER('b')));
	promise_fulfil(p, 5);
	promise_drop(p);
	run_to_its_end();
	expect_calls("a chain that nobody holds", "ab");
	promise_drop(promise_and_then(promise_delay(pool, NS_PER_MS), plus_one, LETTER('c')));
	run_to_its_end();
	expect_calls("one that begins with a delay", "abc");
	close_all();
}

static unsigned steps;
static bool has_seen_enough;

/* Makes the next step of a chain that has no end. */
static struct promise_answer make_another(void *context, int64_t value)
{
	expect(steps++ < 1000000,
	       EXPECTED("a timer between the steps of a chain without end")
		       SAW("%u steps, and no timer"),
	       steps);
	if (has_seen_enough)
		return PROMISE_VALUE(value);
	struct promise *p = made(promise_new(pool));
	promise_fulfil(p, value);
	promise_drop(made(promise_then(p, make_another, context)));
	promise_drop(p);
	return PROMISE_VALUE(value);
}

static void see_enough(struct event_loop *its_loop, void *letter)
{
	has_seen_enough = true;
	on_call(its_loop, letter);
}

static void a_chain_without_end_starves_nobody(struct subject *s)
{
	struct loop_timer timer = { .call = see_enough, .context = LETTER('t') };
	open_all(s);
	make_another(NULL, 0);
	event_loop_run(loop, LOOP_POLL); /* which comes back */
	event_loop_timer_start(loop, &timer, 0, 0);
	event_loop_run(loop, LOOP_POLL);
	expect_calls("a timer beside a chain without end", "t");
	run_to_its_end();
	close_all();
}

/* Asks for the same promise's end once more. */
static struct promise_answer ask_once_more(void *context, int64_t value)
{
	expect(steps++ < 1000000,
	       EXPECTED("a timer between callbacks without end of one promise")
		       SAW("%u callbacks, and no timer"),
	       steps);
	if (!has_seen_enough)
		promise_await(p_of_step, ask_once_more, context);
	return PROMISE_VALUE(value);
}

static void callbacks_without_end_starve_nobody(struct subject *s)
{
	struct loop_timer timer = { .call = see_enough, .context = LETTER('t') };
	open_all(s);
	p_of_step = made(promise_new(pool));
	promise_await(p_of_step, ask_once_more, NULL);
	promise_fulfil(p_of_step, 0);
	event_loop_run(loop, LOOP_POLL); /* which comes back */
	event_loop_timer_start(loop, &timer, 0, 0);
	event_loop_run(loop, LOOP_POLL);
	expect_calls("a timer beside callbacks without end of one promise", "t");
	run_to_its_end();
	promise_drop(p_of_step);
	close_all();
}

static void a_closed_pool_calls_nobody(struct subject *s)
{
	open_all(s);
	promise_delay(pool, LONG_NS); /* the first of all in the pool, and the last */
	struct promise *rejected = made(promise_new(pool)), *p = made(promise_new(pool));
	promise_then(p, plus_one, LETTER('x'));
	while (promise_pool_used(pool) < POOL_COUNT - 2)
		made(promise_new(pool));
	promise_with_deadline(promise_new(pool), LONG_NS);
	promise_reject(rejected, -5);
	event_loop_run(loop, LOOP_POLL); /* the rejection is to be reported in the next turn */
	promise_fulfil(p, 5);
	promise_pool_close(pool);
	int rc = event_loop_run(loop, LOOP_POLL);
	expect(rc == 0,
	       WHEN("when its pool is closed") EXPECTED("nothing alive in the loop")
		       SAW("%s from event_loop_run()"),
	       answer(rc));
	expect_calls("of a pool that is closed", "");
	expect_neglected(0);
	lose_patience_after(0);
	event_loop_close(loop);
}

static void neglect_is_reported_once(struct subject *s)
{
	struct loop_deferred more = { .call = on_call, .context = LETTER('m') };
	open_all(s);
	struct promise *p = made(promise_new(pool));
	promise_reject(p, -5);
	expect_neglected(0);
	run_to_its_end();
	expect_neglected(1);
	expect(neglected_value == -5, EXPECTED("the value -5") SAW("%" PRId64), neglected_value);
	for (unsigned i = 0; i < 3; i++) {
		event_loop_defer(loop, &more);
		run_to_its_end();
	}
	expect_neglected(1);
	promise_drop(p);
	/* One that nobody holds; and only the end of a chain is neglected. */
	p = made(promise_new(pool));
	promise_drop(promise_and_then(promise_hold(p), plus_one, LETTER('x')));
	promise_reject(p, -6);
	promise_drop(p);
	event_loop_run(loop, LOOP_POLL);
	make_three(); /* of the memory that is free now */
	run_to_its_end();
	expect_neglected(2);
	expect(neglected_value == -6, EXPECTED("the value -6") SAW("%" PRId64), neglected_value);
	expect(promise_pool_used(pool) == 3,
	       WHEN("when three others are held") EXPECTED("3 promises") SAW("%u"),
	       promise_pool_used(pool));
	drop_three();
	close_all();
}

static void a_turn_is_time_to_look(struct subject *s)
{
	open_all(s);
	struct promise *p = made(promise_new(pool));
	promise_reject(p, -5);
	event_loop_run(loop, LOOP_POLL);
	expect_neglected(0);
	struct promise *a = made(promise_catch(p, plus_one, LETTER('a')));
	run_to_its_end();
	expect_neglected(0);
	expect_end("caught a turn later", a, PROMISE_FULFILLED, -4);
	promise_drop(p);
	forget_calls();
	make_three(); /* of which one is caught in time, and one is no rejection */
	promise_reject(three[0], -10);
	promise_reject(three[1], -20);
	promise_fulfil(three[2], 30);
	event_loop_run(loop, LOOP_POLL);
	promise_drop(made(promise_catch(three[1], plus_one, LETTER('b'))));
	promise_drop(made(promise_then(three[2], plus_one, LETTER('c'))));
	run_to_its_end();
	expect_calls("two that are looked at a turn later", "bc");
	expect_neglected(1);
	expect(neglected_value == -10, EXPECTED("the value -10") SAW("%" PRId64), neglected_value);
	drop_three();
	close_all();
}

static void any_look_counts(struct subject *s)
{
	open_all(s);
	struct promise *fulfilled = made(promise_new(pool));
	promise_fulfil(fulfilled, 1);
	for (unsigned way = 0; way < 10; way++) {
		struct promise *p = made(promise_new(pool)), *end = NULL;
		inner = p;
		promise_reject(p, -5);
		if (way == 0)
			end = made(promise_catch(p, plus_one, LETTER('c')));
		else if (way == 1)
			end = made(promise_finally(p, plus_one, LETTER('f')));
		else if (way == 2)
			end = made(promise_race(pool, &p, 1));
		else if (way == 3)
			await_it(p, 'w');
		else if (way == 4)
			end = made(promise_with_deadline(p, LONG_NS));
		else if (way == 5)
			end = made(promise_then(fulfilled, follow_inner, LETTER('a')));
		else if (way == 6)
			end = made(promise_then(p, plus_one, LETTER('x')));
		else if (way == 7)
			end = made(promise_all(pool, (struct promise *[]) { p, fulfilled }, 2));
		else if (way == 8)
			end = made(promise_any(pool, (struct promise *[]) { p, fulfilled }, 2));
		else
			promise_state(p, NULL);
		if (end)
			promise_state(end, NULL);
		promise_drop(end);
		promise_drop(p);
		run_to_its_end();
		expect(neglected_count == 0,
		       WHEN("after a look by %s") EXPECTED("no report") SAW("one"),
		       (const char *[]) { "catch", "finally", "race", "await", "deadline",
					  "an answer", "then", "all", "any", "state" }[way]);
	}
	promise_drop(fulfilled);
	close_all();
}

static void neglect_is_printed_by_default(struct subject *s)
{
	char text[200] = "";
	int pipe_ends[2], saved = dup(STDERR_FILENO);
	open_loop(s);
	open_pool(4, NULL);
	expect(pipe(pipe_ends) == 0, "pipe");
	dup2(pipe_ends[1], STDERR_FILENO);
	promise_reject(promise_new(pool), -12345);
	run_to_its_end();
	dup2(saved, STDERR_FILENO);
	close(pipe_ends[1]);
	ssize_t n = read(pipe_ends[0], text, sizeof text - 1);
	expect(n > 0 && strstr(text, "-12345"), EXPECTED("the value on stderr") SAW("\"%s\""),
	       text);
	close(pipe_ends[0]);
	close(saved);
	lose_patience_after(0);
	promise_pool_close(pool); /* one is held still, which close frees */
	event_loop_close(loop);
}

static void takes_no_memory_once_open(struct subject *s)
{
#if COROUTINE_SANITIZED
	(void)s;
	test_skipped("a sanitizer has a malloc(3) of its own, which does not tell");
#else
	open_all(s);
	promise_drop(promise_delay(pool, 0)); /* the loop's heap of timers has its place now */
	run_to_its_end();
	struct mallinfo2 before = mallinfo2();
	for (unsigned i = 0; i < 100; i++) {
		struct promise *p = made(promise_new(pool));
		struct promise *a = made(promise_then(p, plus_one, LETTER('a')));
		struct promise *all = made(promise_all(pool, (struct promise *[]) { a, p }, 2));
		struct promise *b = made(promise_with_deadline(all, LONG_NS));
		promise_fulfil(p, 1);
		run_to_its_end();
		expect_end("a chain", b, PROMISE_FULFILLED, 2);
		promise_drop(all);
		promise_drop(a);
		promise_drop(p);
		forget_calls();
	}
	struct mallinfo2 after = mallinfo2();
	expect(after.uordblks == before.uordblks,
	       EXPECTED("no memory from malloc(3)") SAW("%zu bytes in place of %zu"),
	       after.uordblks, before.uordblks);
	close_all();
#endif
}

static void a_pool_holds_what_was_asked_for(struct subject *s)
{
	struct promise *all[7];
	open_loop(s);
	open_pool(7, count_neglected);
	for (unsigned i = 0; i < 7; i++)
		all[i] = made(promise_new(pool));
	expect(!promise_new(pool), EXPECTED("NULL for the eighth of 7") SAW("a promise"));
	expect(promise_pool_used(pool) == 7, EXPECTED("7 that exist") SAW("%u"),
	       promise_pool_used(pool));
	for (unsigned i = 0; i < 7; i++)
		promise_drop(all[i]);
	close_all();
}

static void an_empty_pool_is_told(struct subject *s)
{
	struct loop_request nop = { .kind = IO_NOP };
	open_loop(s);
	open_pool(1, count_neglected);
	struct promise *p = made(promise_new(pool));
	expect(!promise_new(pool) && !promise_then(p, plus_one, NULL) &&
		       !promise_catch(p, plus_one, NULL) && !promise_finally(p, plus_one, NULL) &&
		       !promise_with_deadline(p, 1) && !promise_delay(pool, 1) &&
		       !promise_operation(pool, &nop) && !promise_race(pool, &p, 1) &&
		       !promise_await(p, plus_one, NULL),
	       WHEN("when the pool is empty") EXPECTED("NULL, and false from promise_await()")
		       SAW("something else"));
	expect(!promise_then(NULL, plus_one, NULL) && !promise_and_then(NULL, plus_one, NULL) &&
		       !promise_and_catch(NULL, plus_one, NULL) &&
		       !promise_finally(NULL, plus_one, NULL) && !promise_with_deadline(NULL, 1) &&
		       !promise_await(NULL, plus_one, NULL) && !promise_hold(NULL),
	       WHEN("of NULL") EXPECTED("NULL") SAW("something else"));
	int64_t value = 0;
	expect(promise_state(NULL, &value) == PROMISE_REJECTED && value == -ENOMEM,
	       WHEN("of NULL") EXPECTED("a rejection with -ENOMEM from promise_state()")
		       SAW("another end"));
	expect_refused(promise_fulfil(NULL, 0));
	expect_refused(promise_reject(NULL, 0));
	promise_drop(NULL);
	promise_cancel(NULL);
	promise_fulfil(p, 0);
	run_to_its_end();
	expect(!promise_and_then(p, plus_one, NULL),
	       WHEN("when the pool is empty") EXPECTED("NULL from promise_and_then()")
		       SAW("a promise"));
	expect_none_left(); /* it took over the hold */
	p = made(promise_new(pool)); /* the place is free again */
	expect(!promise_and_catch(p, plus_one, NULL),
	       WHEN("when the pool is empty") EXPECTED("NULL from promise_and_catch()")
		       SAW("a promise"));
	close_all();
}

/* Exercise 6: the switch. */

static struct coroutine_pool *stacks;

static void open_stacks(unsigned count)
{
	struct reason why = { "" };
	int rc = coroutine_pool_open(&stacks, count, STACK_BYTES, &why);
	if (rc == -EOPNOTSUPP)
		test_skipped("%s", why.text);
	expect(rc == 0, EXPECTED("0 from coroutine_pool_open()") SAW("%s: %s"), answer(rc),
	       why.text);
}

static struct coroutine *new_coroutine(coroutine_body *body, void *argument)
{
	struct coroutine *c = coroutine_new(stacks, body, argument);
	expect(c, EXPECTED("a coroutine, since a stack is free") SAW("NULL"));
	return c;
}

static void resume_to(struct coroutine *c, bool goes_on)
{
	bool rc = coroutine_resume(c);
	expect(rc == goes_on, WHEN("after \"%s\"") EXPECTED("%s from coroutine_resume()") SAW("%s"),
	       calls, goes_on ? "true" : "false", rc ? "true" : "false");
}

static void call_twice(void *letter)
{
	add_call((char)(uintptr_t)letter);
	coroutine_suspend(coroutine_current);
	add_call((char)(uintptr_t)letter);
}

static void stops_in_the_middle_and_goes_on(struct subject *s)
{
	(void)s;
	open_stacks(2);
	struct coroutine *a = new_coroutine(call_twice, LETTER('a'));
	struct coroutine *b = new_coroutine(call_twice, LETTER('b'));
	expect_calls("before the first resume", "");
	resume_to(a, true);
	expect_calls("after the first", "a");
	resume_to(b, true);
	resume_to(a, false);
	resume_to(b, false);
	expect_calls("two coroutines in turn", "abab");
	expect(!coroutine_current, "coroutine_current is not NULL outside of all");
	coroutine_pool_close(stacks);
}

struct sum {
	uint64_t from, total;
};

static void add_up(void *argument)
{
	struct sum *sum = argument;
	double halves = 0;
	long double quarters = 0;
	uint64_t total = 0;
	for (uint64_t i = sum->from; i < sum->from + 100; i++) {
		total += i;
		halves += (double)i / 2;
		quarters += (long double)i / 4;
		coroutine_suspend(coroutine_current);
	}
	sum->total = total + (uint64_t)halves + (uint64_t)quarters;
}

static void variables_stay(struct subject *s)
{
	struct sum sums[50] = { 0 };
	struct coroutine *c[50];
	(void)s;
	open_stacks(50);
	for (unsigned i = 0; i < 50; i++) {
		sums[i].from = i * 1000;
		c[i] = new_coroutine(add_up, &sums[i]);
	}
	for (unsigned turn = 0; turn <= 100; turn++)
		for (unsigned i = 0; i < 50; i++)
			resume_to(c[i], turn < 100);
	for (unsigned i = 0; i < 50; i++) {
		uint64_t total = sums[i].from * 100 + 4950;
		expect(sums[i].total == total + total / 2 + total / 4,
		       EXPECTED("%" PRIu64 " from coroutine %u") SAW("%" PRIu64),
		       total + total / 2 + total / 4, i, sums[i].total);
	}
	coroutine_pool_close(stacks);
}

static uintptr_t place_of_variable;

static __attribute__((noinline)) void note_place(void)
{
	char variable[4096];
	place_of_variable = (uintptr_t)variable;
	__asm__ volatile("" : : "r"(variable) : "memory");
}

static void use_stack(void *argument)
{
	(void)argument;
	note_place();
	coroutine_suspend(coroutine_current);
	note_place();
}

static void runs_on_a_stack_of_its_own(struct subject *s)
{
	(void)s;
	open_stacks(2);
	for (unsigned i = 0; i < 2; i++) {
		struct coroutine *c = new_coroutine(use_stack, NULL);
		for (unsigned turn = 0; turn < 2; turn++) {
			place_of_variable = 0;
			resume_to(c, turn == 0);
			uintptr_t stack = (uintptr_t)c->stack;
#if COROUTINE_SANITIZED
			expect(place_of_variable, "its body did not run");
			(void)stack; /* its variables may be elsewhere */
#else
			expect(place_of_variable >= stack &&
				       place_of_variable < stack + c->stack_len_bytes,
			       EXPECTED("a variable in [%p, %p)") SAW("one at %p"), (void *)stack,
			       (void *)(stack + c->stack_len_bytes), (void *)place_of_variable);
#endif
		}
		coroutine_drop(new_coroutine(use_stack, NULL));
	}
	coroutine_pool_close(stacks);
}

/* What was asked for is the body's, but for what its caller needs. */
#define CALLERS_BYTES 1024

static uintptr_t top_of_body;

static void note_frame(void *argument)
{
	(void)argument;
	top_of_body = (uintptr_t)__builtin_frame_address(0);
}

static void expect_long_stack(uintptr_t lowest)
{
	expect(top_of_body - lowest >= STACK_BYTES - CALLERS_BYTES,
	       WHEN("when a stack of %d bytes is asked for")
		       EXPECTED("about as much below its body") SAW("%zu bytes"),
	       STACK_BYTES, (size_t)(top_of_body - lowest));
}

static void its_stack_is_as_long_as_asked_for(struct subject *s)
{
	struct reason why = { "" };
	struct coroutine *all[9];
	(void)s;
	open_stacks(9);
	for (unsigned i = 0; i < 9; i++)
		all[i] = new_coroutine(note_frame, NULL);
	expect(!coroutine_new(stacks, note_frame, NULL),
	       WHEN("when all stacks are taken") EXPECTED("NULL") SAW("a coroutine"));
	for (unsigned i = 0; i < 9; i++) {
		uintptr_t lowest = (uintptr_t)all[i]->stack;
		expect(all[i]->number < 9 && all[i]->pool == stacks,
		       EXPECTED("a number in its pool") SAW("%u"), all[i]->number);
		for (unsigned j = 0; j < i; j++)
			expect(all[j]->number != all[i]->number,
			       EXPECTED("a number for each") SAW("%u twice"), all[i]->number);
		resume_to(all[i], false);
		expect_long_stack(lowest);
	}
	coroutine_pool_close(stacks);
	int rc = coroutine_pool_open(&stacks, 2, (size_t)1 << 62, &why);
	expect(rc == -ENOMEM && why.text[0],
	       WHEN("when there is no memory for the stacks") EXPECTED("-ENOMEM, with a reason")
		       SAW("%s"),
	       answer(rc));
}

static void a_closed_pool_leaves_nothing_mapped(struct subject *s)
{
	enum { COUNT = 64, POOLS = 20 };
	(void)s;
	if (COROUTINE_SANITIZED)
		test_skipped("a sanitizer maps memory of its own");
	open_stacks(COUNT);
	coroutine_pool_close(stacks);
	long before = pages_mapped();
	for (unsigned i = 0; i < POOLS; i++) {
		open_stacks(COUNT);
		coroutine_pool_close(stacks);
	}
	long more_bytes = (pages_mapped() - before) * getpagesize();
	expect(more_bytes < COUNT * STACK_BYTES,
	       WHEN("when %d pools were opened and closed") EXPECTED("not even one left")
		       SAW("%ld bytes more"),
	       POOLS, more_bytes);
}

/* What a fault in a coroutine leads to. */
static sigjmp_buf after_fault;
static bool expects_fault;

/* In place of libc's, which the handler calls last: the instruction would be tried again, and end the program. */
sighandler_t signal(int number, sighandler_t handler)
{
	struct sigaction action = { .sa_handler = handler };
	sigaction(number, &action, NULL);
	if (expects_fault && number == SIGSEGV && handler == SIG_DFL)
		siglongjmp(after_fault, 1);
	return SIG_DFL;
}

static void overflow(void *argument)
{
	volatile char deep[1024];
	deep[0] = argument ? *(char *)argument : 'x';
	if (deep[0])
		overflow((void *)deep);
	deep[1] = deep[0];
}

static volatile uintptr_t nowhere = 8; /* in a variable, since gcc warns of what it sees */

static void write_to_nowhere(void *argument)
{
	(void)argument;
	*(volatile char *)nowhere = 'x';
}

/* What is said of a coroutine of this pool that faults. */
static void expect_said(struct coroutine_pool *of, coroutine_body *body, const char *wanted)
{
	static char said[200];
	int words[2], stderr_kept = dup(STDERR_FILENO);
	struct coroutine *c = coroutine_new(of, body, NULL);
	expect(c && pipe(words) == 0 && fcntl(words[0], F_SETFL, O_NONBLOCK) == 0,
	       "no coroutine, or no pipe");
	int rc = coroutine_name_overflows();
	expect(rc == 0, EXPECTED("0 from coroutine_name_overflows()") SAW("%s"), answer(rc));
	dup2(words[1], STDERR_FILENO);
	expects_fault = true;
	if (sigsetjmp(after_fault, 1) == 0)
		coroutine_resume(c);
	expects_fault = false;
	coroutine_current = NULL;
	dup2(stderr_kept, STDERR_FILENO);
	ssize_t n = read(words[0], said, sizeof said - 1);
	said[n > 0 ? n : 0] = '\0';
	expect(strcmp(said, wanted) == 0, EXPECTED("\"%s\"") SAW("\"%s\""), wanted, said);
	close(words[0]);
	close(words[1]);
	close(stderr_kept);
	coroutine_drop(c);
}

static void an_overflow_is_named(struct subject *s)
{
	enum { COUNT = 12 };
	static char wanted[200];
	struct coroutine_pool *older, *newer;
	struct reason why = { "" };
	size_t page_bytes = (size_t)getpagesize();
	(void)s;
	if (COROUTINE_SANITIZED)
		test_skipped("a sanitizer has a handler of its own");
	open_stacks(COUNT);
	older = stacks;
	/* One byte above a page: the stack is a page longer. */
	expect(coroutine_pool_open(&newer, 1, 8 * page_bytes + 1, &why) == 0, "no other pool: %s",
	       why.text);
	for (unsigned i = 0; i < COUNT - 1; i++)
		new_coroutine(overflow, NULL);
	snprintf(wanted, sizeof wanted, "coroutine 11 has overflowed its stack of %zu bytes\n",
		 (STACK_BYTES + page_bytes - 1) / page_bytes * page_bytes);
	expect_said(older, overflow, wanted);
	snprintf(wanted, sizeof wanted, "coroutine 0 has overflowed its stack of %zu bytes\n",
		 9 * page_bytes);
	expect_said(newer, overflow, wanted);
	expect_said(newer, write_to_nowhere, "");
	coroutine_pool_close(older);
	expect_said(newer, overflow, wanted);
	coroutine_pool_close(newer);
}

#if !COROUTINE_SANITIZED
static bool spoils_what_is_freed;

/* In place of libc's: what is freed may be anything afterwards. */
void free(void *memory)
{
	void __libc_free(void *);
	if (memory && spoils_what_is_freed)
		memset(memory, 0xa5, malloc_usable_size(memory));
	__libc_free(memory);
}

static void what_is_closed_is_not_looked_at(struct subject *s)
{
	enum { COUNT = 3 };
	static const unsigned order[COUNT] = { 1, 0, 2 }; /* the first from between the others */
	static char wanted[200];
	struct coroutine_pool *opened[COUNT];
	(void)s;
	for (unsigned i = 0; i < COUNT; i++) {
		open_stacks(1);
		opened[i] = stacks;
	}
	size_t page_bytes = (size_t)getpagesize();
	snprintf(wanted, sizeof wanted, "coroutine 0 has overflowed its stack of %zu bytes\n",
		 (STACK_BYTES + page_bytes - 1) / page_bytes * page_bytes);
	spoils_what_is_freed = true;
	for (unsigned closed = 0; closed < COUNT; closed++) {
		coroutine_pool_close(opened[order[closed]]);
		for (unsigned i = closed + 1; i < COUNT; i++)
			expect_said(opened[order[i]], overflow, wanted);
	}
	open_stacks(1);
	expect_said(stacks, write_to_nowhere, "");
	coroutine_pool_close(stacks);
}
#else
static void what_is_closed_is_not_looked_at(struct subject *s)
{
	(void)s;
	test_skipped("a sanitizer has a handler of its own");
}
#endif

static void a_guard_page_lies_below(struct subject *s)
{
	int pipe_ends[2];
	(void)s;
	open_stacks(2);
	expect(pipe(pipe_ends) == 0, "pipe");
	for (unsigned i = 0; i < 2; i++) {
		struct coroutine *c = new_coroutine(use_stack, NULL);
		char *stack = c->stack;
		/* The kernel reads it, and says whether it could. */
		expect(write(pipe_ends[1], stack, 1) == 1, "its lowest byte cannot be read");
		expect(write(pipe_ends[1], stack - 1, 1) == -1 && errno == EFAULT,
		       EXPECTED("no access to the byte below the stack") SAW("that it is memory"));
	}
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	coroutine_pool_close(stacks);
}

static uintptr_t misalignment;

static __attribute__((noinline)) void note_alignment(void)
{
	_Alignas(16) char variable[16];
	char *place = variable;
	__asm__ volatile("" : "+r"(place) : : "memory");
	misalignment |= (uintptr_t)place % 16;
	add_call('n');
}

static void use_alignment(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < 3; i++) {
		note_alignment();
		coroutine_suspend(coroutine_current);
	}
}

static void its_stack_is_aligned(struct subject *s)
{
	(void)s;
	open_stacks(1);
	struct coroutine *c = new_coroutine(use_alignment, NULL);
	for (unsigned i = 0; i < 3; i++)
		resume_to(c, true);
	resume_to(c, false);
	expect_calls("three looks", "nnn");
	expect(misalignment == 0,
	       EXPECTED("variables at multiples of 16, as the compiler takes for granted")
		       SAW("one that is off by %zu"),
	       (size_t)misalignment);
	coroutine_pool_close(stacks);
}

/*
 * call_with_registers(function, argument, in, out): fills all registers that a call keeps from `in`, calls,
 * and stores them to `out`.
 */
void call_with_registers(void *function, void *argument, const uint64_t *in, uint64_t *out);

#if defined(__x86_64__)
#define REGISTER_NAMES                                                                             \
	{                                                                                          \
		"rbx", "rbp", "r12", "r13", "r14", "r15"                                           \
	}
#define LOAD_REGISTERS(from)                                                                       \
	"movq 0(" from "), %rbx\n\tmovq 8(" from "), %rbp\n\tmovq 16(" from "), %r12\n\t"          \
	"movq 24(" from "), %r13\n\tmovq 32(" from "), %r14\n\tmovq 40(" from "), %r15\n\t"
__asm__(".text\n"
	".globl call_with_registers\n"
	".type call_with_registers, @function\n"
	"call_with_registers:\n\t"
	"pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
	"pushq %rcx\n\t"
	"movq %rdi, %rax\n\tmovq %rsi, %rdi\n\t" LOAD_REGISTERS(
		"%rdx") "call *%rax\n\t"
			"popq %rcx\n\t"
			"movq %rbx, 0(%rcx)\n\tmovq %rbp, 8(%rcx)\n\tmovq %r12, 16(%rcx)\n\t"
			"movq %r13, 24(%rcx)\n\tmovq %r14, 32(%rcx)\n\tmovq %r15, 40(%rcx)\n\t"
			"popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\tpopq %rbx\n\tret\n"
			".size call_with_registers, . - call_with_registers\n");
#elif defined(__aarch64__)
#define REGISTER_NAMES                                                                             \
	{                                                                                          \
		"x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "d8", \
			"d9", "d10", "d11", "d12", "d13", "d14", "d15"                             \
	}
#define EACH_PAIR(DO, at)                                                                          \
	DO " x19, x20, [" at ", #0]\n\t" DO " x21, x22, [" at ", #16]\n\t" DO " x23, x24, [" at    \
	   ", #32]\n\t" DO " x25, x26, [" at ", #48]\n\t" DO " x27, x28, [" at ", #64]\n\t" DO     \
	   " d9, d10, [" at ", #96]\n\t" DO " d11, d12, [" at ", #112]\n\t" DO " d13, d14, [" at   \
	   ", #128]\n\t"
__asm__(".text\n"
	".globl call_with_registers\n"
	".type call_with_registers, %function\n"
	"call_with_registers:\n\t"
	"stp x29, x30, [sp, #-176]!\n\t"
	"str x3, [sp, #168]\n\t"
	"add x9, sp, #16\n\t" EACH_PAIR(
		"stp",
		"x9") "str d8, [x9, #80]\n\tstr d15, [x9, #88]\n\t"
		      "mov x10, x0\n\tmov x0, x1\n\tmov x9, x2\n\t" EACH_PAIR(
			      "ldp",
			      "x9") "ldr x29, [x9, #80]\n\tldr d8, [x9, #88]\n\tldr d15, [x9, #144]\n\t"
				    "blr x10\n\t"
				    "ldr x9, [sp, #168]\n\t" EACH_PAIR(
					    "stp",
					    "x9") "str x29, [x9, #80]\n\tstr d8, [x9, #88]\n\tstr d15, [x9, #144]\n\t"
						  "add x9, sp, #16\n\t" EACH_PAIR(
							  "ldp",
							  "x9") "ldr d8, [x9, #80]\n\tldr d15, [x9, #88]\n\t"
								"ldp x29, x30, [sp], #176\n\tret\n"
								".size call_with_registers, . - call_with_registers\n");
#else
#define REGISTER_NAMES                                                                             \
	{                                                                                          \
		"none"                                                                             \
	}
void call_with_registers(void *function, void *argument, const uint64_t *in, uint64_t *out)
{
	(void)function; /* no pool opens */
	(void)argument;
	(void)in;
	(void)out;
}
#endif

static const char *const register_names[] = REGISTER_NAMES;
#define REGISTERS (sizeof register_names / sizeof *register_names)

static uint64_t spoiled[REGISTERS], unused[REGISTERS];

/* Without the C around it, which keeps some registers itself; but a sanitizer has to be told. */
#if COROUTINE_SANITIZED
#define ENTER coroutine_resume
#else
#define ENTER coroutine_enter
#endif

static volatile size_t some_bytes = 64;

/* Leaves its own values in all registers, and goes back from there. */
static void suspend_there(void *coroutine)
{
	/* With a place of unknown size on its stack it needs its frame pointer. */
	char *place = __builtin_alloca(some_bytes);
	memset(place, 's', some_bytes);
	coroutine_suspend(coroutine);
	add_call(place[some_bytes - 1]);
}

static struct coroutine *spoiler;

static void spoil(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < 3; i++)
		call_with_registers((void *)suspend_there, spoiler, spoiled, unused);
}

static void keeps_the_resumers_registers(struct subject *s)
{
	uint64_t in[REGISTERS], out[REGISTERS];
	(void)s;
	open_stacks(1);
	spoiler = new_coroutine(spoil, NULL);
	for (unsigned i = 0; i < REGISTERS; i++) {
		in[i] = 0x1111111111111100 + i;
		spoiled[i] = 0x2222222222222200 + i;
	}
	for (unsigned turn = 0; turn < 4; turn++) {
		memset(out, 0, sizeof out);
		call_with_registers((void *)ENTER, spoiler, in, out);
		for (unsigned i = 0; i < REGISTERS; i++)
			expect(out[i] == in[i],
			       WHEN("after resume %u") EXPECTED("0x%" PRIx64 " in %s, as before")
				       SAW("0x%" PRIx64),
			       turn, in[i], register_names[i], out[i]);
	}
	expect_calls("a body that suspends three times", "sss");
	coroutine_pool_close(stacks);
}

static uint64_t seen[REGISTERS];

static void look_at_own(void *argument)
{
	(void)argument;
	call_with_registers((void *)suspend_there, spoiler, spoiled, seen);
}

static void keeps_its_own_registers(struct subject *s)
{
	uint64_t in[REGISTERS];
	(void)s;
	open_stacks(1);
	spoiler = new_coroutine(look_at_own, NULL);
	for (unsigned i = 0; i < REGISTERS; i++) {
		in[i] = 0x3333333333333300 + i;
		spoiled[i] = 0x4444444444444400 + i;
	}
	call_with_registers((void *)ENTER, spoiler, in, unused);
	call_with_registers((void *)ENTER, spoiler, in, unused);
	expect_calls("a body that suspends once", "s");
	for (unsigned i = 0; i < REGISTERS; i++)
		expect(seen[i] == spoiled[i],
		       WHEN("when it goes on") EXPECTED("0x%" PRIx64 " in %s, as before the switch")
			       SAW("0x%" PRIx64),
		       spoiled[i], register_names[i], seen[i]);
	coroutine_pool_close(stacks);
}

static void suspend_for_ever(void *argument)
{
	for (unsigned *count = argument;; ++*count)
		coroutine_suspend(coroutine_current);
}

#if defined(__x86_64__) && !COROUTINE_SANITIZED
#include <ucontext.h>

/* What the processor predicts of a return: the instruction after the last call. */
static struct {
	uintptr_t after[64];
	unsigned depth, calls, returns, wrong;
	bool last_was_call;
} predictor;

static bool is_call(const uint8_t *at)
{
	if (at[0] >= 0x40 && at[0] <= 0x4f) /* a prefix */
		at++;
	return at[0] == 0xe8 || (at[0] == 0xff && (at[1] >> 3 & 7) == 2);
}

static bool is_return(const uint8_t *at)
{
	if (at[0] == 0xf3) /* a prefix */
		at++;
	return at[0] == 0xc3 || at[0] == 0xc2;
}

/* Before each instruction. */
static void look_at_instruction(int number, siginfo_t *info, void *context)
{
	const ucontext_t *at = context;
	const uint8_t *instruction = (const uint8_t *)at->uc_mcontext.gregs[REG_RIP];
	const uintptr_t *stack = (const uintptr_t *)at->uc_mcontext.gregs[REG_RSP];
	(void)number;
	(void)info;
	if (predictor.last_was_call && predictor.depth < 64)
		predictor.after[predictor.depth++] = *stack;
	predictor.last_was_call = is_call(instruction);
	predictor.calls += predictor.last_was_call;
	if (!is_return(instruction))
		return;
	predictor.returns++;
	/* What began before the looking has no call here. */
	if (predictor.depth > 0 && predictor.after[--predictor.depth] != *stack)
		predictor.wrong++;
}

#define SWITCH_STEPS(operation)                                                                    \
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\t" operation                         \
			 ", (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"                            \
			 :                                                                         \
			 :                                                                         \
			 : "memory", "cc")

static void each_return_answers_its_call(struct subject *s)
{
	static char handler_stack[256 * 1024];
	stack_t alternate = { .ss_sp = handler_stack, .ss_size = sizeof handler_stack };
	struct sigaction action = { .sa_sigaction = look_at_instruction,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	unsigned count = 0;
	(void)s;
	open_stacks(1);
	struct coroutine *c = new_coroutine(suspend_for_ever, &count);
	resume_to(c, true);
	sigaltstack(&alternate, NULL);
	sigaction(SIGTRAP, &action, NULL);
	SWITCH_STEPS("orq $0x100"); /* the processor stops after each instruction */
	for (unsigned i = 0; i < 10; i++)
		coroutine_resume(c);
	SWITCH_STEPS("andq $-257");
	expect(count == 10, EXPECTED("10 switches there and back") SAW("%u"), count);
	expect(predictor.returns >= 10 && predictor.calls >= 10,
	       EXPECTED("10 calls and returns at least") SAW("%u calls, %u returns"),
	       predictor.calls, predictor.returns);
	expect(predictor.wrong == 0,
	       EXPECTED("that each ret leads to where its call was, which is what the processor "
			"predicts")
		       SAW("%u of %u returns that lead elsewhere, in 10 switches there and back"),
	       predictor.wrong, predictor.returns);
	coroutine_drop(c);
	coroutine_pool_close(stacks);
}
#else
static void each_return_answers_its_call(struct subject *s)
{
	(void)s;
	(void)suspend_for_ever;
	test_skipped("a program can step through its own instructions on x86-64 only, and without "
		     "a sanitizer");
}
#endif

static struct coroutine *outer;

static void call_inside(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < 2; i++) {
		add_call(coroutine_current && coroutine_current->resumer == outer ? 'i' : '?');
		coroutine_suspend(coroutine_current);
	}
}

static void resume_another(void *argument)
{
	struct coroutine *other = argument;
	for (unsigned i = 0; i < 2; i++) {
		resume_to(other, true);
		add_call(coroutine_current == outer && !outer->resumer ? 'o' : '?');
		coroutine_suspend(coroutine_current);
	}
	resume_to(other, false);
	add_call(coroutine_current == outer ? 'o' : '?');
}

static void a_coroutine_may_resume_another(struct subject *s)
{
	(void)s;
	open_stacks(2);
	outer = new_coroutine(resume_another, new_coroutine(call_inside, NULL));
	resume_to(outer, true);
	resume_to(outer, true);
	expect(!coroutine_current, "coroutine_current is not NULL outside of all");
	resume_to(outer, false);
	expect_calls("a coroutine in a coroutine", "ioioo");
	coroutine_pool_close(stacks);
}

static void a_stack_is_used_again(struct subject *s)
{
	(void)s;
	open_stacks(2);
	for (unsigned i = 0; i < 100; i++) {
		struct coroutine *a = new_coroutine(call_twice, LETTER('a'));
		struct coroutine *b = new_coroutine(call_twice, LETTER('b'));
		expect(!coroutine_new(stacks, call_twice, LETTER('c')),
		       WHEN("when all stacks are taken") EXPECTED("NULL") SAW("a coroutine"));
		resume_to(a, true);
		resume_to(b, true);
		resume_to(a, false);
		coroutine_drop(b); /* it never goes on again */
		expect_calls("one that is done, one that is given up", "aba");
		forget_calls();
	}
	coroutine_pool_close(stacks);
}

static unsigned frame_count;

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *argument)
{
	(void)context;
	(void)argument;
	return ++frame_count < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static void walk(void *argument)
{
	_Unwind_Reason_Code *rc = argument;
	*rc = _Unwind_Backtrace(count_frame, NULL);
}

static void a_walk_over_its_stack_ends(struct subject *s)
{
	_Unwind_Reason_Code rc = _URC_FATAL_PHASE1_ERROR;
	(void)s;
	open_stacks(2); /* above the first one is a page that nobody may read */
	resume_to(new_coroutine(walk, &rc), false);
	expect(rc == _URC_END_OF_STACK && frame_count < 20,
	       EXPECTED("that a debugger's walk ends where the coroutine began")
		       SAW("%u frames, and the code %d"),
	       frame_count, (int)rc);
	coroutine_pool_close(stacks);
}

static void look_at_rounding(void *argument)
{
	(void)argument;
	add_call(fegetround() == FE_UPWARD ? 'u' : '?');
	fesetround(FE_DOWNWARD);
	coroutine_suspend(coroutine_current);
	add_call(fegetround() == FE_TOWARDZERO ? 'z' : '?');
}

static void rounding_modes_are_not_switched(struct subject *s)
{
	(void)s;
	open_stacks(1);
	struct coroutine *c = new_coroutine(look_at_rounding, NULL);
	fesetround(FE_UPWARD);
	resume_to(c, true);
	add_call(fegetround() == FE_DOWNWARD ? 'd' : '?');
	fesetround(FE_TOWARDZERO);
	resume_to(c, false);
	fesetround(FE_TONEAREST);
	expect_calls("each sees what the other has set", "udz");
	coroutine_pool_close(stacks);
}

/* Exercise 7: tasks. */

static struct task_pool *tasks;

static void need_waiting(const struct subject *s)
{
	need_sockets(s);
	if (s->ops->traits & IO_BLOCKS_IN_SUBMIT)
		test_skipped("its submit() sleeps until the operation is over");
}

static void open_tasks(unsigned count)
{
	struct reason why = { "" };
	int rc = task_pool_open(&tasks, loop, pool, count, STACK_BYTES, &why);
	if (rc == -EOPNOTSUPP)
		test_skipped("%s", why.text);
	expect(rc == 0, EXPECTED("0 from task_pool_open()") SAW("%s: %s"), answer(rc), why.text);
}

static struct task *start_task(task_body *body, void *argument)
{
	struct task *task = task_start(tasks, body, argument);
	expect(task, EXPECTED("a task, since one is free") SAW("NULL"));
	return task;
}

static void close_tasks(void)
{
	task_pool_close(tasks);
	close_all();
}

static void note_task(void *letter)
{
	add_call((char)(uintptr_t)letter);
}

static void note_frame_of_task(void *argument)
{
	note_frame(argument);
	expect_long_stack((uintptr_t)task_current()->coroutine->stack);
}

static bool note_stackless(struct task *self)
{
	STACKLESS_BEGIN(&self->at);
	add_call('s');
	STACKLESS_END(&self->at);
}

static void begins_among_deferred_calls(struct subject *s)
{
	struct task stackless;
	open_all(s);
	task_start_stackless(&stackless, loop, note_stackless);
	expect_calls("inside of task_start_stackless()", "");
	run_to_its_end();
	expect_calls("a stackless task", "s");
	forget_calls();
	open_tasks(2);
	start_task(note_frame_of_task, NULL);
	run_to_its_end();
	start_task(note_task, LETTER('a'));
	start_task(note_task, LETTER('b'));
	expect(!task_start(tasks, note_task, LETTER('c')),
	       WHEN("when all tasks run") EXPECTED("NULL") SAW("a task"));
	expect_calls("inside of task_start()", "");
	run_to_its_end();
	expect_calls("in the order of their starts", "ab");
	for (unsigned i = 0; i < 100; i++) {
		start_task(note_task, LETTER('x')); /* the places are free again */
		run_to_its_end();
		forget_calls();
	}
	close_tasks();
}

static sigjmp_buf before_abort;

static void leave_abort(int signal_number)
{
	(void)signal_number;
	siglongjmp(before_abort, 1);
}

/* Calls task_current(), which must abort. What it prints goes into a pipe. */
static void expect_no_task(const char *when)
{
	int told[2], stderr_fd = dup(STDERR_FILENO);
	struct sigaction leave = { .sa_handler = leave_abort }, before;
	volatile bool has_aborted = true;
	char words[200] = { 0 };
	expect(stderr_fd >= 0 && pipe(told) == 0, "no pipe to be had");
	dup2(told[1], STDERR_FILENO);
	sigaction(SIGABRT, &leave, &before);
	if (sigsetjmp(before_abort, 1) == 0) {
		task_current();
		has_aborted = false;
	}
	sigaction(SIGABRT, &before, NULL);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	close(told[1]);
	bool has_said = read(told[0], words, sizeof words - 1) > 0;
	close(told[0]);
	expect(has_aborted,
	       WHEN("%s") EXPECTED("that task_current() aborts") SAW("that it returns"), when);
	expect(has_said,
	       WHEN("%s") EXPECTED("that task_current() says why it aborts") SAW("nothing"), when);
}

static void expect_current(struct task *const *task)
{
	expect(task_current() == *task,
	       WHEN("while a task runs") EXPECTED("that task_current() is this task")
		       SAW("another one"));
}

static void look_who_runs(void *task)
{
	expect_current(task);
	struct promise *promise = promise_delay(pool, NS_PER_MS);
	await_promise(task_current(), promise, NULL);
	promise_drop(promise);
	expect_current(task);
	add_call('.');
}

static void look_outside(struct event_loop *its_loop, void *context)
{
	(void)its_loop;
	(void)context;
	expect_no_task("while two tasks wait");
	add_call('o');
}

static void current_is_the_task_that_runs(struct subject *s)
{
	struct task *first, *second;
	struct loop_deferred after = { .call = look_outside };
	open_all(s);
	open_tasks(2);
	expect_no_task("before any task has begun");
	first = start_task(look_who_runs, &first);
	second = start_task(look_who_runs, &second);
	event_loop_defer(loop, &after);
	run_to_its_end();
	expect_calls("two tasks, and between them a callback of the loop", "o..");
	expect_no_task("when all tasks have ended");
	close_tasks();
}

static struct event_loop_config config_of_another;
static pthread_barrier_t both;

static void meet(void)
{
	pthread_barrier_wait(&both);
}

/* Between the two meetings the other thread is in a task, too. */
static void look_beside_another_thread(void *task)
{
	expect_current(task);
	meet();
	expect_current(task);
	meet();
}

static void *run_another_loop(void *no_argument)
{
	struct reason why = { "" };
	struct event_loop *its_loop;
	struct task_pool *its_tasks;
	struct task *task;
	(void)no_argument;
	expect_no_task("in a thread without a task, while another thread is in one");
	int rc = event_loop_open(&its_loop, &config_of_another, &why);
	expect(rc == 0, EXPECTED("0 from event_loop_open()") SAW("%s: %s"), answer(rc), why.text);
	rc = task_pool_open(&its_tasks, its_loop, NULL, 1, STACK_BYTES, &why);
	expect(rc == 0, EXPECTED("0 from task_pool_open()") SAW("%s: %s"), answer(rc), why.text);
	task = task_start(its_tasks, look_beside_another_thread, &task);
	event_loop_run(its_loop, LOOP_RUN);
	task_pool_close(its_tasks);
	event_loop_close(its_loop);
	return NULL;
}

static void start_another_thread_and_look(void *task)
{
	pthread_t thread;
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGALRM); /* the test's alarm is for this thread */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	pthread_create(&thread, NULL, run_another_loop, NULL);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	look_beside_another_thread(task);
	pthread_join(thread, NULL);
	add_call('.');
}

static void each_thread_has_its_own_task(struct subject *s)
{
	struct task *task;
	open_all(s);
	open_tasks(1);
	config_of_another = (struct event_loop_config) {
		.engine = &spied, .options = s->options, .depth = DEPTH, .max_fds = 2
	};
	pthread_barrier_init(&both, NULL, 2);
	task = start_task(start_another_thread_and_look, &task);
	run_to_its_end();
	expect_calls("a task, and another one in another thread", ".");
	close_tasks();
}

/* Echoes what comes, until the end of the stream. The buffer is the loop's. */
static void echo(void *argument)
{
	struct task *self = task_current();
	struct loop_request request = receive_on(0);
	int64_t n;
	(void)argument;
	while ((n = await_operation(self, &request)) > 0) {
		struct loop_request answer_back = request;
		answer_back.kind = IO_SEND;
		answer_back.len_bytes = (uint32_t)n;
		int64_t sent = await_operation(self, &answer_back);
		expect(sent == n, EXPECTED("%" PRId64 " bytes sent") SAW("%s"), n, answer(sent));
		add_call('e');
	}
	add_call(n == 0 ? '0' : n == -ECANCELED ? 'c' : '?');
}

struct echo_task {
	struct task task;
	struct loop_request request, answer_back;
};

static bool echo_stackless(struct task *self)
{
	struct echo_task *e = (struct echo_task *)self;
	STACKLESS_BEGIN(&self->at);
	for (;;) {
		e->request = receive_on(0);
		AWAIT_OPERATION(self, &e->request);
		if (self->result <= 0)
			break;
		e->answer_back = e->request;
		e->answer_back.kind = IO_SEND;
		e->answer_back.len_bytes = (uint32_t)self->result;
		AWAIT_OPERATION(self, &e->answer_back);
		expect(self->result == e->answer_back.len_bytes,
		       EXPECTED("%u bytes sent") SAW("%s"), e->answer_back.len_bytes,
		       answer(self->result));
		add_call('e');
	}
	add_call(self->result == 0 ? '0' : self->result == -ECANCELED ? 'c' : '?');
	STACKLESS_END(&self->at);
}

static void talk_to_echo(struct task *task, bool is_cancelled)
{
	char byte = 0;
	for (unsigned i = 0; i < 3; i++) {
		peer_sends(ends[0][1], "x", 1);
		turn_until_called(i + 1);
		ssize_t n = recv(ends[0][1], &byte, 1, MSG_DONTWAIT);
		expect(n == 1 && byte == 'x', EXPECTED("the byte back") SAW("%zd bytes"), n);
	}
	event_loop_run(loop, LOOP_POLL);
	if (is_cancelled)
		task_cancel(task);
	else
		shutdown(ends[0][1], SHUT_WR);
	run_to_its_end();
	expect_calls("three messages and the end", is_cancelled ? "eeec" : "eee0");
	forget_calls();
}

static void a_task_awaits_operations(struct subject *s)
{
	need_waiting(s);
	open_all_with_pairs(s);
	open_tasks(1);
	for (unsigned is_cancelled = 0; is_cancelled < 2; is_cancelled++) {
		struct task *task = start_task(echo, NULL);
		struct promise *end = made(task_promise(task));
		talk_to_echo(task, !is_cancelled);
		expect_end("however a task ends, its end", end, PROMISE_FULFILLED, 0);
	}
	close_pairs();
	close_tasks();
}

static void a_stackless_task_awaits_operations(struct subject *s)
{
	struct echo_task e;
	need_waiting(s);
	open_all_with_pairs(s);
	task_start_stackless(&e.task, loop, echo_stackless);
	talk_to_echo(&e.task, true);
	task_start_stackless(&e.task, loop, echo_stackless);
	talk_to_echo(&e.task, false);
	close_pairs();
	close_all();
}

static void note_error(int64_t result)
{
	expect(result == -EPIPE,
	       WHEN("when it awaits a send after shutdown()") EXPECTED("-EPIPE") SAW("%s"),
	       answer(result));
	add_call('p');
}

static void send_in_vain(void *request)
{
	note_error(await_operation(task_current(), request));
}

static bool send_in_vain_stackless(struct task *self)
{
	struct echo_task *e = (struct echo_task *)self;
	STACKLESS_BEGIN(&self->at);
	AWAIT_OPERATION(self, &e->request);
	note_error(self->result);
	STACKLESS_END(&self->at);
}

static void an_error_is_what_await_returns(struct subject *s)
{
	struct echo_task e;
	need_waiting(s);
	open_all_with_pairs(s);
	open_tasks(1);
	e.request = receive_on(0);
	e.request.kind = IO_SEND;
	shutdown(ends[0][0], SHUT_WR);
	start_task(send_in_vain, &e.request);
	task_start_stackless(&e.task, loop, send_in_vain_stackless);
	run_to_its_end();
	expect_calls("two tasks that send after shutdown()", "pp");
	close_pairs();
	close_tasks();
}

/* Receives once, and notes its letter; a capital when nothing came, since it was cancelled. */
struct receiver {
	struct task task; /* of a stackless one */
	struct loop_request request;
	struct task_group *group; /* of the one that waits for the others */
	char letter;
};

static void note_end(const struct receiver *r, int64_t result)
{
	expect(result == 1 || result == -ECANCELED, EXPECTED("1 byte, or -ECANCELED") SAW("%s"),
	       answer(result));
	add_call(result > 0 ? r->letter : (char)(r->letter - 'a' + 'A'));
}

static void receive_once(void *argument)
{
	const struct receiver *r = argument;
	note_end(r, await_operation(task_current(), &r->request));
}

static bool receive_once_stackless(struct task *self)
{
	struct receiver *r = (struct receiver *)self;
	STACKLESS_BEGIN(&self->at);
	expect(task_current() == self, "task_current() is not the task that runs");
	AWAIT_OPERATION(self, &r->request);
	note_end(r, self->result);
	STACKLESS_END(&self->at);
}

static void wait_for_group(void *argument)
{
	struct receiver *r = argument;
	await_group(task_current(), r->group);
	add_call(task_current()->is_cancelled ? 'W' : 'w');
	await_group(task_current(), r->group); /* nothing is left in it */
	add_call('.');
}

static bool wait_for_group_stackless(struct task *self)
{
	struct receiver *r = (struct receiver *)self;
	STACKLESS_BEGIN(&self->at);
	AWAIT_GROUP(self, r->group);
	add_call(self->is_cancelled ? 'W' : 'w');
	AWAIT_GROUP(self, r->group);
	add_call('.');
	STACKLESS_END(&self->at);
}

static struct task *start_receiver(struct receiver *r, bool is_stackless, task_body *body,
				   stackless_body *stackless)
{
	if (!is_stackless)
		return start_task(body, r);
	task_start_stackless(&r->task, loop, stackless);
	return &r->task;
}

static void tasks_wait_side_by_side(struct subject *s)
{
	struct receiver a = { .letter = 'a' }, b = { .letter = 'b' };
	need_waiting(s);
	open_all_with_pairs(s);
	open_tasks(1);
	a.request = receive_on(0);
	b.request = receive_on(1);
	start_receiver(&a, false, receive_once, NULL);
	start_receiver(&b, true, NULL, receive_once_stackless);
	event_loop_run(loop, LOOP_POLL);
	peer_sends(ends[1][1], "x", 1);
	turn_until_called(1);
	peer_sends(ends[0][1], "x", 1);
	run_to_its_end();
	expect_calls("the second task's byte comes first", "ba");
	close_pairs();
	close_tasks();
}

static struct promise *awaited;

static void await_three_times(void *letter)
{
	bool is_rejected = false;
	for (unsigned i = 0; i < 2; i++) { /* the second time it is settled already */
		int64_t value = await_promise(task_current(), awaited, &is_rejected);
		expect(value == (is_rejected ? -5 : 5),
		       EXPECTED("5, or -5 of a rejection") SAW("%" PRId64), value);
		add_call((char)(uintptr_t)letter);
	}
	int64_t value = await_promise(task_current(), NULL, &is_rejected);
	expect(value == -ENOMEM && is_rejected,
	       WHEN("of NULL") EXPECTED("a rejection with -ENOMEM") SAW("%s"), answer(value));
}

static void a_task_awaits_promises(struct subject *s)
{
	open_all(s);
	open_tasks(2);
	for (unsigned round = 0; round < 2; round++) {
		awaited = made(promise_new(pool));
		start_task(await_three_times, LETTER('a'));
		start_task(await_three_times, LETTER('b'));
		run_to_its_end();
		expect_calls("while it is pending", "");
		if (round == 0)
			promise_fulfil(awaited, 5);
		else
			promise_reject(awaited, -5);
		expect_calls("inside of the call that settles it", "");
		run_to_its_end();
		expect_calls("two tasks, each of which awaits it twice", "aabb");
		promise_drop(awaited);
		forget_calls();
	}
	close_tasks();
}

static void await_twice_cancelled(void *argument)
{
	struct task *self = task_current();
	struct loop_request request = receive_on(0);
	bool is_rejected = false;
	(void)argument;
	int64_t n = await_operation(self, &request);
	add_call(n == -ECANCELED ? 'c' : '?');
	n = await_operation(self, &request);
	add_call(n == -ECANCELED ? 'c' : '?');
	n = await_promise(self, awaited, &is_rejected);
	add_call(n == -ECANCELED && is_rejected ? 'c' : '?');
	add_call('!'); /* here it would clean up */
}

static void a_cancelled_task_runs_to_its_end(struct subject *s)
{
	scene = "when a task is cancelled while it awaits";
	need_waiting(s);
	open_all_with_pairs(s);
	open_tasks(1);
	awaited = made(promise_new(pool));
	struct task *task = start_task(await_twice_cancelled, NULL);
	event_loop_run(loop, LOOP_POLL); /* it waits */
	task_cancel(task);
	task_cancel(task); /* which changes nothing */
	expect_calls("inside of task_cancel()", "");
	run_to_its_end();
	expect_calls("its awaits return -ECANCELED, and it cleans up", "ccc!");
	expect(asked_back == 1, EXPECTED("one operation asked back") SAW("%u"), asked_back);
	forget_calls();
	task = start_task(await_twice_cancelled, NULL);
	task_cancel(task); /* before it began */
	run_to_its_end();
	expect_calls("cancelled before it began", "ccc!");
	expect(asked_back == 1, EXPECTED("no further operation asked back") SAW("%u"),
	       asked_back - 1);
	expect_state("what it never awaited", awaited, PROMISE_PENDING, 0);
	promise_drop(awaited);
	close_pairs();
	close_tasks();
}

static void await_delay(void *argument)
{
	bool is_rejected = false;
	struct promise *delay = made(promise_delay(pool, LONG_NS));
	struct promise *then = made(promise_then(delay, plus_one, LETTER('x')));
	int64_t value = await_promise(task_current(), then, &is_rejected);
	(void)argument;
	add_call(value == -ECANCELED && is_rejected ? 'c' : '?');
	promise_drop(then);
	promise_drop(delay);
}

static void receive_and_await_delay(void *argument)
{
	struct loop_request request = receive_on(0);
	int64_t n = await_operation(task_current(), &request);
	add_call(n == 1 ? 'r' : '?');
	await_delay(argument);
}

static void a_cancel_leaves_what_has_ended(struct subject *s)
{
	need_waiting(s);
	open_all_with_pairs(s);
	open_tasks(1);
	struct task *task = start_task(receive_and_await_delay, NULL);
	peer_sends(ends[0][1], "x", 1);
	turn_until_called(1);
	task_cancel(task);
	run_to_its_end();
	expect_calls("a receive that has ended, then a delay that is cancelled", "rc");
	expect(asked_back == 0, EXPECTED("no operation asked back") SAW("%u"), asked_back);
	close_pairs();
	close_tasks();
}

static void a_cancel_cancels_the_promise(struct subject *s)
{
	scene = "when a task is cancelled that awaits a long delay";
	open_all(s);
	open_tasks(1);
	struct task *task = start_task(await_delay, NULL);
	event_loop_run(loop, LOOP_POLL);
	task_cancel(task);
	run_to_its_end(); /* which ends, as the delay does */
	expect_calls("a task that awaits the chain of a long delay", "c");
	close_tasks();
}

static bool await_without_room(struct task *self)
{
	struct receiver *r = (struct receiver *)self;
	STACKLESS_BEGIN(&self->at);
	AWAIT_OPERATION(self, &r->request);
	add_call(self->result == -EAGAIN ? 'f' : '?');
	STACKLESS_END(&self->at);
}

static void await_without_room_stackful(void *argument)
{
	const struct receiver *r = argument;
	add_call(await_operation(task_current(), &r->request) == -EAGAIN ? 'f' : '?');
}

static void an_await_without_room_does_not_wait(struct subject *s)
{
	struct receiver r = { .letter = 'a' };
	struct promise *waiting[DEPTH];
	need_waiting(s);
	open_all_with_pairs(s);
	open_tasks(1);
	for (unsigned i = 0; i < DEPTH; i++)
		waiting[i] = promise_receive(i);
	r.request = receive_on(1);
	start_receiver(&r, true, NULL, await_without_room);
	start_task(await_without_room_stackful, &r);
	event_loop_run(loop, LOOP_POLL);
	expect_calls("with as many operations as the loop's depth", "ff");
	for (unsigned i = 0; i < DEPTH; i++)
		promise_cancel(waiting[i]);
	run_to_its_end();
	for (unsigned i = 0; i < DEPTH; i++)
		promise_drop(waiting[i]);
	close_pairs();
	close_tasks();
}

enum group_end { BOTH_END, WAITER_IS_CANCELLED, WAITER_WAS_CANCELLED, MEMBER_IS_CANCELLED };

/* Two tasks that receive, and one that waits for both. */
static void try_group(bool is_stackless, enum group_end group_end, const char *expected)
{
	struct task_group group = { 0 };
	struct receiver a = { .letter = 'a', .request = receive_on(0) };
	struct receiver b = { .letter = 'b', .request = receive_on(1) };
	struct receiver w = { .group = &group };
	struct task *first = start_receiver(&a, is_stackless, receive_once, receive_once_stackless);
	struct task *second =
		start_receiver(&b, is_stackless, receive_once, receive_once_stackless);
	task_join(first, &group);
	task_join(second, &group);
	struct task *waiter =
		start_receiver(&w, is_stackless, wait_for_group, wait_for_group_stackless);
	if (group_end == WAITER_WAS_CANCELLED)
		task_cancel(waiter);
	event_loop_run(loop, LOOP_POLL);
	event_loop_run(loop, LOOP_POLL);
	if (group_end == WAITER_IS_CANCELLED)
		task_cancel(waiter);
	if (group_end == MEMBER_IS_CANCELLED) {
		task_cancel(second);
		turn_until_called(1);
	}
	if (group_end == BOTH_END || group_end == MEMBER_IS_CANCELLED) {
		peer_sends(ends[0][1], "x", 1);
		turn_until_called(1 + (group_end == MEMBER_IS_CANCELLED));
	}
	if (group_end == BOTH_END)
		peer_sends(ends[1][1], "x", 1);
	run_to_its_end();
	/* Those that were cancelled may end in any order. */
	if (calls[0] == 'B' && calls[1] == 'A')
		memcpy(calls, "AB", 2);
	expect_calls(is_stackless ? "a group of stackless tasks" : "a group of tasks", expected);
	forget_calls();
}

static void a_group_ends_with_its_last(struct subject *s)
{
	scene = "when all tasks of a group end";
	need_waiting(s);
	open_all_with_pairs(s);
	open_tasks(3);
	for (unsigned is_stackless = 0; is_stackless < 2; is_stackless++) {
		try_group(is_stackless, BOTH_END, "abw.");
		try_group(is_stackless, MEMBER_IS_CANCELLED, "Baw.");
	}
	task_join(NULL, &(struct task_group) { 0 });
	close_pairs();
	close_tasks();
}

static void a_cancel_reaches_the_group(struct subject *s)
{
	scene = "when a task is cancelled that waits for its group";
	need_waiting(s);
	open_all_with_pairs(s);
	open_tasks(3);
	for (unsigned is_stackless = 0; is_stackless < 2; is_stackless++) {
		try_group(is_stackless, WAITER_IS_CANCELLED, "ABW.");
		try_group(is_stackless, WAITER_WAS_CANCELLED, "ABW.");
	}
	expect(asked_back == 4,
	       EXPECTED("two operations asked back each time that both were waiting")
		       SAW("%u in all"),
	       asked_back);
	close_pairs();
	close_tasks();
}

/* Waits for its group, and then for bytes. */
static void wait_for_group_and_receive(void *argument)
{
	const struct receiver *r = argument;
	await_group(task_current(), r->group);
	add_call('w');
	receive_once(argument);
}

static void a_group_that_has_ended_is_forgotten(struct subject *s)
{
	struct task_group group = { 0 };
	struct receiver w = { .group = &group, .letter = 'r' };
	need_waiting(s);
	open_all_with_pairs(s);
	open_tasks(2);
	w.request = receive_on(0);
	start_task(wait_for_group_and_receive, &w);
	task_join(start_task(note_task, LETTER('a')), &group);
	turn_until_called(2);
	expect_calls("a group that ends", "aw");
	task_join(start_task(note_task, LETTER('b')), &group);
	event_loop_run(loop, LOOP_POLL);
	event_loop_run(loop, LOOP_POLL);
	expect_calls("the same group ends again, while its waiter waits for bytes", "awb");
	peer_sends(ends[0][1], "x", 1);
	run_to_its_end();
	expect_calls("and then the bytes", "awbr");
	close_pairs();
	close_tasks();
}

/* A task that starts one task after the other in the same place, and waits for each. */
struct one_by_one {
	struct task task, member; /* without stacks */
	struct task_group group;
	unsigned round;
};

static void wait_for_one_by_one(void *argument)
{
	(void)argument;
	for (unsigned round = 0; round < 3; round++) {
		struct task_group group = { 0 };
		task_join(start_task(note_task, LETTER('m')), &group);
		await_group(task_current(), &group);
		add_call('w');
	}
}

static bool wait_for_one_by_one_stackless(struct task *self)
{
	struct one_by_one *o = (struct one_by_one *)self;
	STACKLESS_BEGIN(&self->at);
	for (o->round = 0; o->round < 3; o->round++) {
		task_start_stackless(&o->member, loop, note_stackless);
		task_join(&o->member, &o->group);
		AWAIT_GROUP(self, &o->group);
		add_call('w');
	}
	memset(&o->member, 0xa5, sizeof o->member); /* it is the program's again */
	STACKLESS_END(&self->at);
}

static void a_member_has_ended_before_its_waiter_goes_on(struct subject *s)
{
	struct one_by_one o = { 0 };
	open_all(s);
	open_tasks(2);
	start_task(wait_for_one_by_one, NULL);
	run_to_its_end();
	expect_calls("a task that waits three times for another one", "mwmwmw");
	forget_calls();
	task_start_stackless(&o.task, loop, wait_for_one_by_one_stackless);
	run_to_its_end();
	expect_calls("the same without stacks", "swswsw");
	for (unsigned i = 0; i < sizeof o.member; i++)
		expect(((unsigned char *)&o.member)[i] == 0xa5,
		       WHEN("when the waiter of a stackless task has gone on")
			       EXPECTED("its memory left alone") SAW("another byte at %u"),
		       i);
	close_tasks();
}

static void wait_for_none(void *argument)
{
	struct task_group group = { 0 };
	(void)argument;
	await_group(task_current(), &group);
	add_call('n');
}

static void an_empty_group_is_not_waited_for(struct subject *s)
{
	open_all(s);
	open_tasks(1);
	start_task(wait_for_none, NULL);
	event_loop_run(loop, LOOP_POLL);
	expect_calls("after one turn", "n");
	close_tasks();
}

/* The one in the middle leaves first, then the first, then the last. */
static void members_leave_in_any_order(struct subject *s)
{
	static const unsigned order[] = { 1, 0, 2 };
	struct task_group group = { 0 };
	struct receiver w = { .group = &group };
	scene = "when the tasks of a group end in another order";
	open_all(s);
	open_tasks(4);
	make_three();
	for (unsigned i = 0; i < 3; i++) {
		awaited = three[i];
		task_join(start_task(await_three_times, LETTER('a' + i)), &group);
		event_loop_run(loop, LOOP_POLL);
	}
	start_task(wait_for_group, &w);
	event_loop_run(loop, LOOP_POLL);
	for (unsigned i = 0; i < 3; i++) {
		awaited = three[order[i]];
		promise_fulfil(awaited, 5);
		run_to_its_end();
	}
	expect_calls("three members, and the one that waits", "bbaaccw.");
	drop_three();
	close_tasks();
}

static void its_end_is_a_promise(struct subject *s)
{
	open_all(s);
	open_tasks(1);
	awaited = made(promise_new(pool));
	struct task *task = start_task(await_three_times, LETTER('a'));
	struct promise *end = made(task_promise(task));
	struct promise *same = made(task_promise(task)), *then;
	then = made(promise_then(end, plus_one, LETTER('t')));
	run_to_its_end();
	expect_state("while the task waits", end, PROMISE_PENDING, 0);
	promise_fulfil(awaited, 5);
	run_to_its_end();
	expect_calls("the task, and a then of its end", "aat");
	make_three(); /* of the memory that is free now: what is held is not among it */
	expect_end("its end", end, PROMISE_FULFILLED, 0);
	expect_end("asked for twice", same, PROMISE_FULFILLED, 0);
	expect_end("a then of it", then, PROMISE_FULFILLED, 1);
	drop_three();
	promise_drop(awaited);
	close_tasks();
}

#if COROUTINE_SANITIZED
static void without_memory_no_pool_opens(struct subject *s)
{
	(void)s;
	test_skipped("a sanitizer has a malloc(3) of its own");
}
#else
static unsigned allocations_until_one_fails; /* 0: none fails */

static bool fails_now(void)
{
	if (allocations_until_one_fails == 0 || --allocations_until_one_fails > 0)
		return false;
	errno = ENOMEM;
	return true;
}

/* In place of libc's, which the pools ask for memory. */
void *calloc(size_t count, size_t size_bytes)
{
	void *__libc_calloc(size_t, size_t);
	return fails_now() ? NULL : __libc_calloc(count, size_bytes);
}

void *aligned_alloc(size_t alignment_bytes, size_t size_bytes)
{
	void *__libc_memalign(size_t, size_t);
	return fails_now() ? NULL : __libc_memalign(alignment_bytes, size_bytes);
}

static int open_promises_and_close(struct reason *why)
{
	struct promise_pool_config config = { .loop = loop, .count = 8 };
	struct promise_pool *opened;
	int rc = promise_pool_open(&opened, &config, why);
	if (rc == 0)
		promise_pool_close(opened);
	return rc;
}

static int open_tasks_and_close(struct reason *why)
{
	struct task_pool *opened;
	int rc = task_pool_open(&opened, loop, pool, 4, STACK_BYTES, why);
	if (rc == 0)
		task_pool_close(opened);
	return rc;
}

/* Each allocation fails in turn. Often, so that memory that is kept shows beside malloc(3)'s own rests. */
static void try_without_memory(int (*open_and_close)(struct reason *why))
{
	enum { TIMES = 200, LEAST_KEPT_BYTES = 16 };
	bool has_failed = true;
	for (unsigned which = 1; has_failed; which++) {
		size_t before = 0;
		for (unsigned i = 0; i < 2 * TIMES; i++) {
			struct reason why = { "" };
			if (i == TIMES)
				before = mallinfo2().uordblks;
			allocations_until_one_fails = which;
			int rc = open_and_close(&why);
			has_failed = allocations_until_one_fails == 0;
			allocations_until_one_fails = 0;
			if (rc == -EOPNOTSUPP)
				return;
			expect(!has_failed || (rc == -ENOMEM && why.text[0]),
			       WHEN("when allocation %u fails") EXPECTED("-ENOMEM, with a reason")
				       SAW("%s"),
			       which, answer(rc));
		}
		size_t after = mallinfo2().uordblks;
		expect(after < before + (size_t)TIMES * LEAST_KEPT_BYTES,
		       WHEN("when allocation %u failed, %d times") EXPECTED("no memory kept")
			       SAW("%zu bytes"),
		       which, TIMES, after - before);
	}
}

static void without_memory_no_pool_opens(struct subject *s)
{
	open_all(s);
	try_without_memory(open_promises_and_close);
	try_without_memory(open_tasks_and_close);
	close_all();
}
#endif

/* The promises need no I/O. The switch needs no engine at all. */
#define OVER_ANY     .over = "null epoll io_uring"
#define OVER_SOCKETS .over = "epoll io_uring libaio threads"
#define OVER_NONE    .over = "null"
#define TEST(n, test, where)                                                                       \
	{                                                                                          \
		.name = #test, .exercise = n, .run = test, where                                   \
	}

const struct lab_test lab_tests[] = {
	TEST(1, settles_once, OVER_ANY),
	TEST(1, only_its_maker_settles_it, OVER_ANY),
	TEST(1, never_calls_inside_a_call, OVER_ANY),
	TEST(1, calls_back_in_order, OVER_ANY),
	TEST(1, who_is_added_comes_behind_the_others, OVER_ANY),
	TEST(1, a_callback_may_ask_for_more, OVER_ANY),
	TEST(1, calls_back_among_deferred_calls, OVER_ANY),

	TEST(2, a_chain_passes_values_on, OVER_ANY),
	TEST(2, a_rejection_passes_by_to_the_catch, OVER_ANY),
	TEST(2, a_catch_may_reject_again, OVER_ANY),
	TEST(2, finally_runs_either_way, OVER_ANY),
	TEST(2, finally_does_not_wait, OVER_ANY),
	TEST(2, what_await_answers_does_not_count, OVER_ANY),
	TEST(2, a_callback_may_answer_with_a_promise, OVER_ANY),
	TEST(2, an_answer_of_no_promise_rejects, OVER_ANY),
	TEST(2, a_chain_is_whole_when_its_last_is_kept, OVER_ANY),

	TEST(3, all_takes_all, OVER_ANY),
	TEST(3, all_fails_with_the_first, OVER_ANY),
	TEST(3, any_takes_the_first_value, OVER_ANY),
	TEST(3, a_race_has_one_winner, OVER_ANY),
	TEST(3, combines_what_is_settled_already, OVER_ANY),
	TEST(3, of_none, OVER_ANY),
	TEST(3, a_whole_without_room_begins_nothing, OVER_ANY),

	TEST(4, an_operation_is_a_promise, OVER_SOCKETS),
	TEST(4, an_abandoned_operation_ends_alone, OVER_SOCKETS),
	TEST(4, no_room_is_a_rejection, OVER_SOCKETS),
	TEST(4, a_delay_is_never_early, OVER_ANY),
	TEST(4, a_cancel_calls_the_operation_back, OVER_SOCKETS),
	TEST(4, a_cancelled_delay_leaves_no_timer, OVER_ANY),
	TEST(4, a_cancel_ends_what_nobody_settles, OVER_ANY),
	TEST(4, a_cancel_reaches_what_is_followed, OVER_ANY),
	TEST(4, a_cancel_that_comes_too_late_changes_nothing, OVER_ANY),
	TEST(4, a_deadline_that_passes, OVER_SOCKETS),
	TEST(4, a_deadline_of_which_only_the_end_is_kept, OVER_ANY),
	TEST(4, a_deadline_leaves_the_others, OVER_ANY),
	TEST(4, a_deadline_in_time_leaves_no_timer, OVER_ANY),
	TEST(4, a_deadline_may_be_too_late_or_wrong, OVER_ANY),

	TEST(5, abandoned_chains_leak_nothing, OVER_ANY),
	TEST(5, an_abandoned_deadline_never_rings, OVER_ANY),
	TEST(5, a_chain_of_which_nothing_is_kept_goes_on, OVER_ANY),
	TEST(5, a_chain_without_end_starves_nobody, OVER_ANY),
	TEST(5, callbacks_without_end_starve_nobody, OVER_ANY),
	TEST(5, a_closed_pool_calls_nobody, OVER_ANY),
	TEST(5, neglect_is_reported_once, OVER_ANY),
	TEST(5, a_turn_is_time_to_look, OVER_ANY),
	TEST(5, any_look_counts, OVER_ANY),
	TEST(5, neglect_is_printed_by_default, OVER_ANY),
	TEST(5, takes_no_memory_once_open, OVER_ANY),
	TEST(5, a_pool_holds_what_was_asked_for, OVER_ANY),
	TEST(5, an_empty_pool_is_told, OVER_ANY),

	TEST(6, stops_in_the_middle_and_goes_on, OVER_NONE),
	TEST(6, variables_stay, OVER_NONE),
	TEST(6, runs_on_a_stack_of_its_own, OVER_NONE),
	TEST(6, its_stack_is_as_long_as_asked_for, OVER_NONE),
	TEST(6, a_guard_page_lies_below, OVER_NONE),
	TEST(6, an_overflow_is_named, OVER_NONE),
	TEST(6, what_is_closed_is_not_looked_at, OVER_NONE),
	TEST(6, a_closed_pool_leaves_nothing_mapped, OVER_NONE),
	TEST(6, its_stack_is_aligned, OVER_NONE),
	TEST(6, keeps_the_resumers_registers, OVER_NONE),
	TEST(6, keeps_its_own_registers, OVER_NONE),
	TEST(6, each_return_answers_its_call, OVER_NONE),
	TEST(6, a_coroutine_may_resume_another, OVER_NONE),
	TEST(6, a_stack_is_used_again, OVER_NONE),
	TEST(6, a_walk_over_its_stack_ends, OVER_NONE),
	TEST(6, rounding_modes_are_not_switched, OVER_NONE),

	TEST(7, begins_among_deferred_calls, OVER_ANY),
	TEST(7, current_is_the_task_that_runs, OVER_ANY),
	TEST(7, each_thread_has_its_own_task, OVER_ANY),
	TEST(7, a_task_awaits_operations, OVER_SOCKETS),
	TEST(7, a_stackless_task_awaits_operations, OVER_SOCKETS),
	TEST(7, an_error_is_what_await_returns, OVER_SOCKETS),
	TEST(7, tasks_wait_side_by_side, OVER_SOCKETS),
	TEST(7, a_task_awaits_promises, OVER_ANY),
	TEST(7, a_cancelled_task_runs_to_its_end, OVER_SOCKETS),
	TEST(7, a_cancel_cancels_the_promise, OVER_ANY),
	TEST(7, a_cancel_leaves_what_has_ended, OVER_SOCKETS),
	TEST(7, an_await_without_room_does_not_wait, OVER_SOCKETS),
	TEST(7, a_group_ends_with_its_last, OVER_SOCKETS),
	TEST(7, a_cancel_reaches_the_group, OVER_SOCKETS),
	TEST(7, a_group_that_has_ended_is_forgotten, OVER_SOCKETS),
	TEST(7, a_member_has_ended_before_its_waiter_goes_on, OVER_ANY),
	TEST(7, an_empty_group_is_not_waited_for, OVER_ANY),
	TEST(7, members_leave_in_any_order, OVER_ANY),
	TEST(7, without_memory_no_pool_opens, OVER_ANY),
	TEST(7, its_end_is_a_promise, OVER_ANY),
	{ NULL },
};
