/* SPDX-License-Identifier: MIT */
/*
 * The asynchronous operator. The tests are those of Apache Flink 1.18's operator and of its known
 * bugs; the comment before each names them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "async_operator.h"
#include "clock.h"
#include "engines.h"
#include "tests/test_apart.h"

#define LIMIT_S	 60
#define FOR_EVER INT64_MAX

/* A record, and what the outside world makes of it. */
struct question {
	char name;
	int64_t delay_ns; /* of the answer; below 0: at once, within invoke(); FOR_EVER: never */
	int error; /* of the first attempts */
	unsigned failures; /* attempts that end so */
	unsigned bad_results; /* attempts that have a result that is to be tried again */
	unsigned result_count;

	unsigned attempts;
	struct operator_ticket ticket, first_ticket;
	struct loop_timer timer;
	uint64_t attempted_ns[8];
};

static struct event_loop *loop;
static struct async_operator *op;
static struct operator_config config;
static char events[4096];
static unsigned event_count;
static int failed_with;
static bool has_ended;

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

static void answer(struct question *q)
{
	void *results[4] = { q, q, q, q };
	if (q->attempts <= q->failures)
		operator_fail(q->ticket, q->error);
	else if (q->attempts <= q->failures + q->bad_results)
		operator_complete(q->ticket, (void *[]) { NULL }, 1);
	else
		operator_complete(q->ticket, results, q->result_count);
}

static void on_answer(struct event_loop *unused, void *context)
{
	(void)unused;
	answer(context);
}

static void invoke(void *context, void *record, struct operator_ticket ticket)
{
	struct question *q = record;
	(void)context;
	if (q->attempts < 8)
		q->attempted_ns[q->attempts] = event_loop_now_ns(loop);
	if (q->attempts++ == 0)
		q->first_ticket = ticket;
	q->ticket = ticket;
	q->timer.call = on_answer;
	q->timer.context = q;
	if (q->delay_ns < 0)
		answer(q);
	else if (q->delay_ns != FOR_EVER)
		event_loop_timer_start(loop, &q->timer, q->delay_ns, 0);
}

static void emit(void *context, void *record, struct operator_results results)
{
	struct question *q = record;
	(void)context;
	expect(!failed_with, "a result was emitted after the failure");
	if (results.count == 0)
		note('-');
	for (unsigned i = 0; i < results.count; i++)
		note(results.items[i] ? q->name : '?');
}

static void emit_watermark(void *context, int64_t timestamp)
{
	(void)context;
	note((char)('0' + timestamp));
}

static void failed(void *context, void *record, int error)
{
	(void)context;
	expect(!failed_with, "failed twice");
	failed_with = error;
	note('!');
	note(((struct question *)record)->name);
}

static void ended(void *context)
{
	(void)context;
	expect(!has_ended, "ended twice");
	has_ended = true;
}

static void open_op(bool is_ordered, unsigned capacity)
{
	struct reason why = { "" };
	config.loop = loop;
	config.is_ordered = is_ordered;
	config.capacity = capacity;
	config.invoke = invoke;
	config.emit = emit;
	config.emit_watermark = emit_watermark;
	config.failed = failed;
	config.ended = ended;
	int rc = operator_open(&op, &config, &why);
	expect(rc == 0, "operator_open: %d %s", rc, why.text);
}

static void put(struct question *q)
{
	int rc = operator_put(op, q);
	expect(rc == 0, "put %c: %d", q->name, rc);
}

static void put_watermark(int64_t timestamp)
{
	int rc = operator_put_watermark(op, timestamp);
	expect(rc == 0, "watermark: %d", rc);
}

static void run(void)
{
	int rc = event_loop_run(loop, LOOP_RUN);
	expect(rc == 0, "event_loop_run: %d", rc);
}

#define Q(name_, delay_ms)                                                                         \
	{                                                                                          \
		.name = (name_), .delay_ns = (delay_ms)*NS_PER_MS, .result_count = 1               \
	}

/* Six records and two watermarks: R1 R2 W1 R3 R4 W2 R5 R6. Later ones are answered sooner. */
static void six_with_watermarks(bool is_ordered, const char *expected)
{
	struct question q[] = {
		Q('a', 12), Q('b', 10), Q('c', 8), Q('d', 6), Q('e', 4), Q('f', 2)
	};
	open_op(is_ordered, 8);
	put(&q[0]);
	put(&q[1]);
	put_watermark(1);
	put(&q[2]);
	put(&q[3]);
	put_watermark(2);
	put(&q[4]);
	put(&q[5]);
	expect_events("");
	run();
	expect_events(expected);
	operator_finish(op);
	run();
	expect(has_ended, "not ended");
}

/* testEventTimeOrdered, OrderedStreamElementQueueTest */
static void ordered_with_watermarks(void)
{
	six_with_watermarks(true, "ab1cd2ef");
}

/* testEventTimeUnordered, UnorderedStreamElementQueueTest.testWatermarkAndCompletion */
static void unordered_with_watermarks(void)
{
	six_with_watermarks(false, "ba1dc2fe");
}

/* testWatermarksOnly (both queues) */
static void watermarks_only(void)
{
	for (unsigned i = 0; i < 2; i++) {
		event_count = 0;
		open_op(i == 0, 2);
		put_watermark(2);
		put_watermark(5);
		expect(operator_put_watermark(op, 6) == -EAGAIN, "a watermark takes a place");
		run();
		expect_events("25");
		operator_close(op);
	}
	open_op(true, 1);
}

/* testPutOnFull, and more records than capacity with a source that waits */
static struct question many[50];
static unsigned many_next;

static void put_what_fits(void *context)
{
	(void)context;
	while (many_next < 50 && operator_put(op, &many[many_next]) == 0) {
		expect(operator_in_flight(op) <= 4, "%u inside", operator_in_flight(op));
		many_next++;
	}
	if (many_next == 50)
		operator_finish(op);
}

static void more_records_than_capacity(void)
{
	config.has_room = put_what_fits;
	open_op(true, 4);
	for (unsigned i = 0; i < 50; i++)
		many[i] = (struct question) { .name = (char)('A' + i % 26),
					      .delay_ns = i % 3 ? (int64_t)(i % 7) * 100000 : -1,
					      .result_count = 1 };
	put_what_fits(NULL);
	expect(many_next == 4 && operator_capacity_left(op) == 0, "%u fit", many_next);
	run();
	expect(has_ended && event_count == 50, "ended %d, %u emitted", has_ended, event_count);
	for (unsigned i = 0; i < 50; i++)
		expect(events[i] == (char)('A' + i % 26), "wrong order at %u: %s", i, events);
	expect(operator_put(op, &many[0]) == -EPIPE, "put after the end");
}

/* none, one or many results */
static void none_one_or_many_results(void)
{
	config.results_max = 3;
	struct question none = Q('n', 1), one = Q('o', 1), many_of_it = Q('m', 1),
			too_many = Q('t', 2);
	none.result_count = 0;
	many_of_it.result_count = 3;
	too_many.result_count = 4;
	open_op(true, 4);
	put(&none);
	put(&one);
	put(&many_of_it);
	run();
	expect_events("-ommm");
	put(&too_many);
	run();
	expect(failed_with == -E2BIG, "%d", failed_with);
}

/* FLINK-6435: an exception frees a blocked queue; testAsyncFunctionException */
static void an_error_fails_the_job(void)
{
	struct question good = Q('g', 2), bad = Q('b', 1);
	bad.failures = 1;
	bad.error = -EIO;
	open_op(true, 2);
	put(&good);
	put(&bad);
	expect(operator_put(op, &good) == -EAGAIN, "full");
	run();
	expect_events("!b");
	expect(failed_with == -EIO && operator_put(op, &good) == -EIO, "%d", failed_with);
}

/* testAsyncTimeoutFailure */
static void a_timeout_fails_the_job(void)
{
	struct question slow = Q('s', 0), quick = Q('q', 0);
	slow.delay_ns = FOR_EVER;
	config.timeout_ns = 2 * NS_PER_MS;
	open_op(true, 2);
	put(&slow);
	put(&quick);
	run();
	expect_events("!s"); /* `quick` stands behind it */
	expect(failed_with == -ETIMEDOUT, "%d", failed_with);
}

static void answer_instead(void *context, void *record, struct operator_ticket ticket)
{
	struct question *q = record;
	(void)context;
	note('t');
	if (q->error != -1)
		expect(operator_complete(ticket, (void *[]) { NULL }, 1), "it does not count");
}

/* testAsyncTimeoutAware; no timeout after completion (testTimeoutAfterComplete, FLINK-22573) */
static void a_timeout_may_answer(void)
{
	struct question slow = Q('s', 20), quick = Q('q', 1);
	config.timeout_ns = 5 * NS_PER_MS;
	config.timed_out = answer_instead;
	open_op(true, 2);
	put(&slow);
	put(&quick);
	run(); /* the late answer of `slow` comes in here, and is not heard */
	expect_events("t?q");
	event_count = 0;
	slow = (struct question)Q('s', 20);
	slow.error = -1;
	put(&slow);
	run();
	expect(failed_with == -ETIMEDOUT, "timed_out() did not answer, and the operator goes on");
}

/* FLINK-5652, testTimerCleanup: no timer stays when the record is over */
static void no_timer_stays(void)
{
	struct question q = Q('q', 1);
	config.timeout_ns = 10 * NS_PER_S;
	open_op(false, 2);
	uint64_t began_ns = clock_ns();
	put(&q);
	run();
	expect_events("q");
	expect(clock_ns() - began_ns < 10 * NS_PER_S, "a timer kept the loop alive");
}

/* testRepeatedCompletion; a late answer of an attempt that was given up */
static void only_the_first_completion_counts(void)
{
	struct question q = Q('q', 1), next = Q('n', 3);
	open_op(true, 1);
	put(&q);
	run();
	expect(!operator_complete(q.ticket, (void *[]) { &q }, 1), "a second completion");
	expect(!operator_fail(q.ticket, -EIO), "a failure after the completion");
	put(&next); /* in the same place */
	expect(!operator_complete(q.ticket, (void *[]) { &q }, 1), "of the record before");
	run();
	expect_events("qn");
}

static bool is_bad(void *context, void *record, struct operator_results results)
{
	(void)context;
	(void)record;
	return results.count == 1 && !results.items[0];
}

static bool is_eio(void *context, void *record, int error)
{
	(void)context;
	(void)record;
	return error == -EIO;
}

static void allow_retry(unsigned attempts, int64_t pause_ns)
{
	config.timeout_ns = 10 * NS_PER_S;
	config.retry = (struct operator_retry) {
		.attempts = attempts, .by_result = is_bad, .by_error = is_eio, .pause_ns = pause_ns
	};
}

/* testProcessingTimeAlwaysTimeoutFunctionWithRetry and the retry tests: by result, by error */
static void retry_by_result_and_by_error(void)
{
	struct question bad = Q('b', 1), failing = Q('f', 1), good = Q('g', 0);
	bad.bad_results = 2;
	failing.failures = 2;
	failing.error = -EIO;
	allow_retry(3, NS_PER_MS);
	open_op(true, 3);
	put(&bad);
	put(&failing);
	put(&good);
	run();
	expect_events("bfg"); /* each kept its place */
	expect(bad.attempts == 3 && failing.attempts == 3 && good.attempts == 1, "%u %u %u",
	       bad.attempts, failing.attempts, good.attempts);
	expect(!operator_complete(failing.first_ticket, (void *[]) { &failing }, 1),
	       "the first attempt's ticket counts");
}

static bool is_bad_noted(void *context, void *record, struct operator_results results)
{
	note('r');
	return is_bad(context, record, results);
}

static bool is_eio_noted(void *context, void *record, int error)
{
	note('e');
	return is_eio(context, record, error);
}

/* by_result() and by_error() are asked by complete() and fail() themselves. */
static void retries_are_decided_inside_the_call(void)
{
	struct question bad = Q('b', 0), failing = Q('f', 0);
	bad.delay_ns = failing.delay_ns = FOR_EVER;
	allow_retry(1, NS_PER_S);
	config.retry.by_result = is_bad_noted;
	config.retry.by_error = is_eio_noted;
	open_op(true, 2);
	put(&bad);
	put(&failing);
	operator_complete(bad.ticket, (void *[]) { NULL }, 1);
	expect_events("r");
	operator_fail(failing.ticket, -EIO);
	expect_events("re");
}

static void the_last_attempt_counts_as_it_ends(void)
{
	struct question bad = Q('b', 0), failing = Q('f', 0), other = Q('o', 0);
	bad.bad_results = 9;
	failing.failures = 9;
	failing.error = -EIO;
	other.failures = 1;
	other.error = -EPERM; /* not one to try again */
	allow_retry(2, 100);
	open_op(true, 3);
	put(&bad);
	run();
	expect_events("?");
	expect(bad.attempts == 3, "%u attempts", bad.attempts);
	put(&failing);
	run();
	expect(failed_with == -EIO && failing.attempts == 3, "%d after %u", failed_with,
	       failing.attempts);
	operator_close(op);
	failed_with = 0;
	open_op(true, 3);
	put(&other);
	run();
	expect(failed_with == -EPERM && other.attempts == 1, "%d after %u", failed_with,
	       other.attempts);
}

/* The back-off of each attempt: the pause grows for each record by itself. */
static void pauses_grow_for_each_record(void)
{
	static const int64_t at_least_ms[] = { 2, 4, 5, 5 };
	struct question first = Q('a', -1), second = Q('b', -1);
	first.bad_results = second.bad_results = 4;
	allow_retry(4, 2 * NS_PER_MS);
	config.retry.factor = 2;
	config.retry.pause_max_ns = 5 * NS_PER_MS;
	open_op(true, 2);
	put(&first);
	put(&second);
	run();
	expect_events("ab");
	for (unsigned i = 0; i < 4; i++) {
		int64_t a = (int64_t)(first.attempted_ns[i + 1] - first.attempted_ns[i]),
			b = (int64_t)(second.attempted_ns[i + 1] - second.attempted_ns[i]);
		expect(a >= at_least_ms[i] * NS_PER_MS && b >= at_least_ms[i] * NS_PER_MS,
		       "pause %u: %lld and %lld ns", i, (long long)a, (long long)b);
	}
}

/*
 * FLINK-33698: one record's pause, grown beyond all time, is not the next one's; and the limit of a pause.
 * A record that waits for it is over by its timeout.
 */
static void a_grown_pause_is_not_shared(void)
{
	struct question first = Q('a', -1), second = Q('b', -1), third = Q('c', -1);
	first.bad_results = second.bad_results = 1;
	third.bad_results = 3;
	allow_retry(3, NS_PER_MS);
	config.retry.factor = 1e9;
	open_op(true, 1);
	put(&first);
	run();
	put(&second);
	run();
	expect_events("ab");
	expect(second.attempts == 2, "%u attempts", second.attempts);
	operator_close(op);
	config.retry.pause_max_ns = 2 * NS_PER_MS;
	open_op(true, 1);
	put(&third);
	run();
	expect_events("abc");
	expect(third.attempts == 4, "%u attempts", third.attempts);
}

/* FLINK-30477, 40456: a timeout that races a retry. The record must not hang. */
static void a_timeout_ends_the_retries(void)
{
	struct question pausing = Q('p', 0), trying = Q('t', 50);
	pausing.bad_results = 9;
	trying.bad_results = 9;
	allow_retry(9, 50 * NS_PER_MS);
	config.timeout_ns = 10 * NS_PER_MS;
	config.timed_out = answer_instead;
	open_op(true, 2);
	put(&pausing);
	put(&trying);
	run();
	expect_events("tt??");
	expect(pausing.attempts == 1 && trying.attempts == 1, "%u and %u attempts",
	       pausing.attempts, trying.attempts);
	expect(operator_in_flight(op) == 0, "a record hangs");
}

static void give_up_with_an_error(void *context, void *record, struct operator_ticket ticket)
{
	(void)context;
	(void)record;
	expect(operator_fail(ticket, -EIO), "it does not count");
}

/* FLINK-38082: an error that the timeout's function gives is not one to try again. */
static void a_timeout_with_an_error_is_final(void)
{
	struct question slow = Q('s', 0);
	slow.delay_ns = FOR_EVER;
	allow_retry(9, NS_PER_MS);
	config.timeout_ns = 2 * NS_PER_MS;
	config.timed_out = give_up_with_an_error;
	open_op(true, 1);
	put(&slow);
	run();
	expect_events("!s");
	expect(failed_with == -EIO && slow.attempts == 1, "%d after %u attempts", failed_with,
	       slow.attempts);
}

static struct question *neighbour;

static void fail_the_neighbour(void *context, void *record, struct operator_ticket ticket)
{
	(void)context;
	note('t');
	expect(operator_fail(neighbour->ticket, -EIO), "the neighbour's ticket does not count");
	expect(!operator_complete(ticket, &record, 1), "a ticket counts after the failure");
	note('.');
}

/*
 * FLINK-13635: the job is cancelled while a timeout's function runs. The function runs to its end, and no
 * other one begins.
 */
static void a_timeout_is_not_cut_short(void)
{
	struct question a = Q('a', 0), b = Q('b', 0);
	a.delay_ns = b.delay_ns = FOR_EVER;
	neighbour = &b;
	config.timeout_ns = NS_PER_MS;
	config.timed_out = fail_the_neighbour;
	open_op(true, 2);
	put(&a);
	put(&b);
	run();
	expect_events("t.!b");
	expect(failed_with == -EIO, "%d", failed_with);
}

/* testEndInput with retries: at once, and only once */
static void at_the_end_retries_run_at_once_and_once(void)
{
	struct question pausing = Q('p', 0), good = Q('g', 1);
	pausing.bad_results = 9;
	allow_retry(9, 100 * NS_PER_S);
	config.timeout_ns = 1000 * NS_PER_S;
	open_op(true, 2);
	put(&pausing);
	put(&good);
	while (pausing.attempts < 1 || event_loop_timer_is_active(&good.timer) ||
	       event_loop_timer_is_active(&pausing.timer))
		event_loop_run(loop, LOOP_ONCE);
	expect_events("");
	operator_finish(op);
	run();
	expect_events("?g");
	expect(pausing.attempts == 2 && has_ended, "%u attempts", pausing.attempts);
}

/* testStateSnapshotAndRestore; FLINK-7949: a restart with a full queue */
static void *kept[8];
static unsigned kept_count;

static void keep_record(void *context, void *record)
{
	(void)context;
	kept[kept_count++] = record;
}

static void keep_watermark(void *context, int64_t timestamp)
{
	(void)context;
	kept[kept_count++] = (void *)(intptr_t)-timestamp;
}

static void snapshot_and_restore(void)
{
	struct question q[] = { Q('a', 1), Q('b', 0), Q('c', 1) };
	q[0].delay_ns = FOR_EVER; /* it holds up the others */
	q[2].delay_ns = FOR_EVER;
	open_op(true, 4);
	put(&q[0]);
	put(&q[1]);
	put_watermark(1);
	put(&q[2]);
	run();
	expect_events("");
	operator_snapshot(op, keep_record, keep_watermark, NULL);
	expect(kept_count == 4 && kept[0] == &q[0] && kept[1] == &q[1] && (intptr_t)kept[2] == -1 &&
		       kept[3] == &q[2],
	       "%u kept", kept_count);
	operator_close(op);
	open_op(true, 4); /* full at once, from what was kept */
	for (unsigned i = 0; i < 3; i++)
		q[i] = (struct question)Q((char)('a' + i), 1);
	put(&q[0]);
	put(&q[1]);
	put_watermark(1);
	put(&q[2]);
	run();
	expect_events("ab1c");
}

/*
 * testIgnoreAsyncOperatorRecordsOnDrain: what was answered and not emitted when the job stops is emitted by
 * the one that is restored, and not by this one.
 */
static void what_is_kept_is_not_emitted_too(void)
{
	struct question q[] = { Q('a', 0), Q('b', 0) };
	q[0].delay_ns = q[1].delay_ns = FOR_EVER;
	open_op(true, 2);
	put(&q[0]);
	put(&q[1]);
	for (unsigned i = 2; i-- > 0;)
		expect(operator_complete(q[i].ticket, (void *[]) { &q[i] }, 1), "no completion");
	operator_snapshot(op, keep_record, keep_watermark, NULL);
	operator_close(op);
	run();
	expect_events("");
	expect(kept_count == 2 && kept[0] == &q[0] && kept[1] == &q[1], "%u kept", kept_count);
	open_op(true, 2);
	q[0].delay_ns = q[1].delay_ns = -1;
	put(kept[0]);
	put(kept[1]);
	run();
	expect_events("ab");
}

/* testOperatorChainWithProcessingTime: the sink of one is the source of the next */
static struct async_operator *second_op;

static void emit_to_second(void *context, void *record, struct operator_results results)
{
	struct question *q = record;
	(void)context;
	(void)results;
	q->delay_ns = -1;
	int rc = operator_put(second_op, q);
	expect(rc == 0, "the second operator: %d", rc);
}

static void operators_in_a_chain(void)
{
	struct question q[] = { Q('a', 3), Q('b', 2), Q('c', 1) };
	struct reason why;
	open_op(true, 3);
	second_op = op;
	struct operator_config first = config;
	first.emit = emit_to_second;
	expect(operator_open(&op, &first, &why) == 0, "open");
	for (unsigned i = 0; i < 3; i++)
		put(&q[i]);
	run();
	expect_events("abc");
	operator_close(second_op);
}

/* What the first one has emitted waits here for room in the second. */
static struct question *held_back[4];
static unsigned held_count, passed_on;
static bool first_has_ended;
static int64_t second_delay_ns;

static void pass_on(void *context)
{
	(void)context;
	while (passed_on < held_count && operator_put(second_op, held_back[passed_on]) == 0)
		passed_on++;
	if (first_has_ended && passed_on == held_count)
		operator_finish(second_op);
}

static void hold_back(void *context, void *record, struct operator_results results)
{
	struct question *q = record;
	(void)results;
	q->delay_ns = second_delay_ns;
	held_back[held_count++] = q;
	pass_on(context);
}

static void first_ended(void *context)
{
	first_has_ended = true;
	pass_on(context);
}

static void open_chain_with_three(struct question *q)
{
	struct reason why;
	config.has_room = pass_on;
	open_op(true, 1);
	second_op = op;
	struct operator_config first = config;
	first.capacity = 3;
	first.emit = hold_back;
	first.ended = first_ended;
	first.has_room = NULL;
	expect(operator_open(&op, &first, &why) == 0, "open");
	for (unsigned i = 0; i < 3; i++)
		put(&q[i]);
}

/* FLINK-5638: two in a chain end, and close, while the second one is full. */
static void a_chain_ends_while_it_is_full(void)
{
	struct question q[] = { Q('a', 3), Q('b', 2), Q('c', 1) };
	second_delay_ns = NS_PER_MS;
	open_chain_with_three(q);
	operator_finish(op);
	run();
	expect_events("abc");
	expect(has_ended, "the second one has not ended");
	operator_close(op);
	operator_close(second_op);
	held_count = passed_on = 0;
	first_has_ended = has_ended = false;
	second_delay_ns = FOR_EVER;
	for (unsigned i = 0; i < 3; i++)
		q[i] = (struct question)Q((char)('d' + i), 1);
	open_chain_with_three(q);
	while (held_count < 3)
		event_loop_run(loop, LOOP_ONCE);
	expect(passed_on == 1 && operator_capacity_left(second_op) == 0, "%u passed on", passed_on);
	operator_close(op);
	operator_close(second_op);
	run();
	expect_events("abc");
	open_op(true, 1);
}

static void wrong_settings_are_named(void)
{
	struct reason why = { "" };
	open_op(true, 1);
	operator_close(op);
	struct operator_config good = config, bad = good;
	bad.capacity = 0;
	expect(operator_open(&op, &bad, &why) == -EINVAL && strstr(why.text, "capacity"), "%s",
	       why.text);
	bad = good;
	bad.timeout_ns = -1;
	expect(operator_open(&op, &bad, &why) == -EINVAL && strstr(why.text, "timeout"), "%s",
	       why.text);
	bad = good;
	bad.retry.attempts = 1;
	expect(operator_open(&op, &bad, &why) == -EINVAL && strstr(why.text, "retry"), "%s",
	       why.text);
	bad.timeout_ns = 1;
	bad.retry.pause_ns = -1;
	expect(operator_open(&op, &bad, &why) == -EINVAL && strstr(why.text, "pause"), "%s",
	       why.text);
	bad = good;
	bad.emit = NULL;
	expect(operator_open(&op, &bad, &why) == -EINVAL && strstr(why.text, "emit"), "%s",
	       why.text);
	open_op(true, 1);
}

#define T(name)                                                                                    \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	T(ordered_with_watermarks),
	T(unordered_with_watermarks),
	T(watermarks_only),
	T(more_records_than_capacity),
	T(none_one_or_many_results),
	T(an_error_fails_the_job),
	T(a_timeout_fails_the_job),
	T(a_timeout_may_answer),
	T(no_timer_stays),
	T(only_the_first_completion_counts),
	T(retry_by_result_and_by_error),
	T(retries_are_decided_inside_the_call),
	T(the_last_attempt_counts_as_it_ends),
	T(pauses_grow_for_each_record),
	T(a_grown_pause_is_not_shared),
	T(a_timeout_ends_the_retries),
	T(a_timeout_with_an_error_is_final),
	T(a_timeout_is_not_cut_short),
	T(at_the_end_retries_run_at_once_and_once),
	T(snapshot_and_restore),
	T(what_is_kept_is_not_emitted_too),
	T(operators_in_a_chain),
	T(a_chain_ends_while_it_is_full),
	T(wrong_settings_are_named),
};

static void run_one(void (*test)(void))
{
	struct reason why = { "" };
	struct event_loop_config loop_config = { .depth = 4, .max_fds = 2 };
	uint64_t options;
	expect(engine_spec_parse("null", &loop_config.engine, &options, &why) == 0, "%s", why.text);
	int rc = event_loop_open(&loop, &loop_config, &why);
	expect(rc == 0, "event_loop_open: %s", why.text);
	test();
	operator_close(op);
	event_loop_close(loop);
}

int main(int argc, char **argv)
{
	struct test_counts counts = { 0 };
	for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
		if (argc < 2 || strcmp(argv[1], tests[i].name) == 0)
			run_test_apart(&counts, run_one, tests[i].run, LIMIT_S, NULL,
				       tests[i].name);
	return report_tests(&counts);
}
