/* SPDX-License-Identifier: MIT */
/* Lab 13: what an asynchronous operator must do, whatever engine its questions go through. */
#include "loop_test.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async_operator.h"
#include "clock.h"

#define QUESTIONS_MAX 16
#define ATTEMPTS_MAX  8

/*
 * A record. Its question is a receive on a pair of sockets of its own, and reply() sends the answer
 * into the other end: 'g' good, 'b' bad, 'e' an error. With `at_once` each attempt in turn is answered
 * inside invoke() by one of these letters; the last one is for all that follow, and '.' is no answer.
 */
struct question {
	char letter;
	const char *at_once;
	int error; /* what 'e' means; 0: -EIO */
	unsigned result_count; /* of 'g' */

	unsigned attempts, heard;
	struct operator_ticket tickets[ATTEMPTS_MAX]; /* of each attempt */
};

/* The engine below, behind a function that counts. */
static struct engine_ops spied;
static const struct engine_ops *below;
static unsigned reaps;

static struct async_operator *op;
static struct operator_config config;
static struct question questions[QUESTIONS_MAX]; /* 'a', 'b', ... */
static int ends[QUESTIONS_MAX][2];
static unsigned fd_slots[QUESTIONS_MAX], pair_count;

static int spied_reap(struct engine *engine, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	reaps++;
	return below->reap(engine, done, min, max, timeout_ns);
}

/* What was called: a letter for each result, a digit for a watermark, and some more. */
static char events[1024];
static unsigned failures;
static int failed_with;
static bool is_inside_a_call;

static void add_event(char letter)
{
	size_t length = strlen(events);
	expect(length < sizeof events - 1, "more than %zu events", sizeof events - 2);
	expect(!is_inside_a_call,
	       EXPECTED("a call from event_loop_run()")
		       SAW("one ('%c') inside a call of the operator"),
	       letter);
	events[length] = letter;
}

static void expect_events(const char *when, const char *expected)
{
	expect(strcmp(events, expected) == 0,
	       WHEN("%s") EXPECTED("the events \"%s\"") SAW("\"%s\""), when, expected, events);
}

static unsigned count_events(char letter)
{
	unsigned count = 0;
	for (const char *event = events; *event; event++)
		count += *event == letter;
	return count;
}

/* Callbacks. */

static void settle(struct question *q, char answer, struct operator_ticket ticket)
{
	void *results[ATTEMPTS_MAX] = { q, q, q, q, q, q, q, q };
	if (answer == 'e')
		operator_fail(ticket, q->error ? q->error : -EIO);
	else if (answer == 'b')
		operator_complete(ticket, (void *[]) { NULL }, 1);
	else
		operator_complete(ticket, results, q->result_count);
}

static unsigned slot_of(const struct question *q)
{
	return (unsigned)(q - questions);
}

/* Where the engine puts the answer. */
static char *answer_of(const struct question *q)
{
	return (char *)event_loop_buffers(loop) + slot_of(q);
}

static void on_answer(struct event_loop *its_loop, void *context, int64_t result)
{
	struct question *q = context;
	(void)its_loop;
	if (result != 1)
		return;
	q->heard++;
	settle(q, *answer_of(q), q->tickets[q->attempts - 1]);
}

static void receive_answer(struct question *q)
{
	struct reason why = { "" };
	unsigned place = slot_of(q);
	while (pair_count <= place) {
		expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[pair_count]) == 0,
		       "socketpair");
		int rc = event_loop_attach(loop, ends[pair_count][0], IO_FD_SOCKET, &why);
		expect(rc >= 0, EXPECTED("a number from event_loop_attach()") SAW("%s: %s"),
		       answer(rc), why.text);
		fd_slots[pair_count++] = (unsigned)rc;
	}
	struct loop_request request = {
		.kind = IO_RECV, .fd_slot = fd_slots[place], .buf = answer_of(q), .len_bytes = 1
	};
	expect(event_loop_start(loop, &request, on_answer, q),
	       EXPECTED("a handle from event_loop_start()") SAW("NULL"));
}

static void (*on_attempt)(struct question *q); /* what a test does in invoke() */

static void invoke(void *context, void *record, struct operator_ticket ticket)
{
	struct question *q = record;
	(void)context;
	expect(q->attempts < ATTEMPTS_MAX, "more than %d attempts", ATTEMPTS_MAX);
	q->tickets[q->attempts++] = ticket;
	if (on_attempt)
		on_attempt(q);
	if (!q->at_once) {
		receive_answer(q);
		return;
	}
	size_t last = strlen(q->at_once) - 1;
	char letter = q->at_once[q->attempts - 1 < last ? q->attempts - 1 : last];
	if (letter != '.')
		settle(q, letter, ticket);
}

static void emit(void *context, void *record, struct operator_results results)
{
	const struct question *q = record;
	(void)context;
	expect(!op || !failures, EXPECTED("nothing emitted after the failure") SAW("'%c'"),
	       q->letter);
	if (results.count == 0)
		add_event('-');
	for (unsigned i = 0; i < results.count; i++)
		add_event(results.items[i] == q ? q->letter : '?');
}

static void emit_watermark(void *context, int64_t timestamp)
{
	(void)context;
	add_event((char)('0' + timestamp));
}

static void has_room(void *context)
{
	(void)context;
	add_event('R');
}

static void failed(void *context, void *record, int error)
{
	(void)context;
	failures++;
	failed_with = error;
	add_event('!');
	add_event(((const struct question *)record)->letter);
}

static void ended(void *context)
{
	(void)context;
	add_event('E');
}

static void timed_out(void *context, void *record, struct operator_ticket ticket)
{
	(void)context;
	(void)ticket;
	add_event('T');
	add_event(((const struct question *)record)->letter);
}

/* As above, with an answer of its own, which is shown as '?'. */
static void timed_out_with_answer(void *context, void *record, struct operator_ticket ticket)
{
	timed_out(context, record, ticket);
	expect(operator_complete(ticket, (void *[]) { &questions[QUESTIONS_MAX - 1] }, 1),
	       WHEN("in timed_out()") EXPECTED("that its ticket counts")
		       SAW("false from operator_complete()"));
}

static void expect_own_record(const struct question *record)
{
	expect(record >= questions && record < questions + QUESTIONS_MAX,
	       EXPECTED("a retry to be asked about with its record") SAW("%p"),
	       (const void *)record);
}

static bool is_bad(void *context, void *record, struct operator_results results)
{
	(void)context;
	expect_own_record(record);
	return results.count == 1 && !results.items[0];
}

static bool is_eio(void *context, void *record, int error)
{
	(void)context;
	expect_own_record(record);
	return error == -EIO;
}

/* Opening and closing. */

static void open_loop(struct subject *s)
{
	need_support(s, IO_RECV, IO_FD_SOCKET);
	below = s->ops;
	spied = *s->ops;
	spied.reap = spied_reap;
	struct event_loop_config loop_config = {
		.engine = &spied,
		.options = s->options,
		.depth = QUESTIONS_MAX,
		.max_fds = QUESTIONS_MAX,
		.buffers_len_bytes = 4096,
	};
	open_loop_under_test(&loop_config);
	for (unsigned i = 0; i < QUESTIONS_MAX; i++)
		questions[i] = (struct question) { .letter = (char)('a' + i), .result_count = 1 };
}

/* What a test wants to be different, it sets in `config` before. */
static void open_operator(bool is_ordered, unsigned capacity)
{
	struct reason why = { "" };
	config.loop = loop;
	config.is_ordered = is_ordered;
	config.capacity = capacity;
	config.invoke = invoke;
	config.emit = emit;
	config.emit_watermark = emit_watermark;
	config.failed = failed;
	int rc = operator_open(&op, &config, &why);
	expect(rc == 0, EXPECTED("0 from operator_open()") SAW("%s: %s"), answer(rc), why.text);
	failures = 0;
	failed_with = 0;
}

static void open_both(struct subject *s, bool is_ordered, unsigned capacity)
{
	open_loop(s);
	open_operator(is_ordered, capacity);
}

static void close_both(void)
{
	lose_patience_after(0);
	operator_close(op);
	event_loop_close(loop);
	for (unsigned i = 0; i < pair_count; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* What a test does. */

static int try_put(struct question *q)
{
	is_inside_a_call = true;
	int rc = operator_put(op, q);
	is_inside_a_call = false;
	return rc;
}

static void expect_put(struct question *q, int expected, const char *when)
{
	int rc = try_put(q);
	expect(rc == expected, WHEN("record '%c', %s") EXPECTED("%s from operator_put()") SAW("%s"),
	       q->letter, when, answer(expected), answer(rc));
}

static void put(char letter)
{
	expect_put(&questions[letter - 'a'], 0, "with room for it");
}

static void put_watermark(int64_t timestamp)
{
	int rc = operator_put_watermark(op, timestamp);
	expect(rc == 0, EXPECTED("0 from operator_put_watermark()") SAW("%s"), answer(rc));
}

/* Lets out what may leave now: what the operator has deferred comes in the next turn. */
static void let_out(void)
{
	for (unsigned i = 0; i < 3; i++)
		turn_loop(LOOP_POLL);
}

/* The outside world answers the newest attempt, the engine brings it, and what may leave leaves. */
static void reply(char letter, char what)
{
	struct question *q = &questions[letter - 'a'];
	unsigned before = q->heard;
	expect(slot_of(q) < pair_count, EXPECTED("that invoke() was called for '%c'") SAW("none"),
	       letter);
	peer_sends(ends[slot_of(q)][1], &what, 1);
	while (q->heard == before && !was_impatient)
		turn_loop(LOOP_ONCE);
	expect(!was_impatient, EXPECTED("the answer to '%c'") SAW("none after %d ms"), letter,
	       PATIENCE_MS);
	let_out();
}

/* By a ticket, beside the engine. */
static bool complete(struct operator_ticket ticket, void *result)
{
	is_inside_a_call = true;
	bool counted = operator_complete(ticket, (void *[]) { result }, 1);
	is_inside_a_call = false;
	return counted;
}

static void expect_too_late(struct operator_ticket ticket, const char *when)
{
	struct question *stranger = &questions[QUESTIONS_MAX - 1];
	expect(!complete(ticket, stranger),
	       WHEN("%s") EXPECTED("false from operator_complete()") SAW("true"), when);
	expect(!operator_fail(ticket, -EPERM),
	       WHEN("%s") EXPECTED("false from operator_fail()") SAW("true"), when);
}

/*
 * A timer beside those of the operator. Timers are called in the order in which they are due, however
 * late the thread is: so the letters of two probes around a moment tell exactly when another one was due.
 */
static struct loop_timer probes[8];
static unsigned probe_count;

static void on_probe(struct event_loop *its_loop, void *letter)
{
	(void)its_loop;
	add_event((char)(uintptr_t)letter);
}

static void start_probe(char letter, int64_t delay_ns)
{
	struct loop_timer *probe = &probes[probe_count++];
	*probe = (struct loop_timer) { .call = on_probe, .context = (void *)(uintptr_t)letter };
	int rc = event_loop_timer_start(loop, probe, delay_ns, 0);
	expect(rc == 0, EXPECTED("0 from event_loop_timer_start()") SAW("%s"), answer(rc));
}

/* 'x' just before this time from now, 'y' just after it. */
static void start_probes_around(int64_t delay_ns)
{
	start_probe('x', delay_ns - 1);
	start_probe('y', delay_ns + 1);
}

/* Turns until these many events are there. */
static void turn_until_events(size_t count)
{
	while (strlen(events) < count && !was_impatient)
		turn_loop(LOOP_ONCE);
	expect(!was_impatient, EXPECTED("%zu events") SAW("\"%s\" after %d ms"), count, events,
	       PATIENCE_MS);
}

/* The loop's time goes on, since it stands still between two turns. */
static void pass_time(int64_t delay_ns)
{
	uint64_t until_ns = clock_ns() + (uint64_t)delay_ns;
	while (clock_ns() < until_ns)
		turn_loop(LOOP_POLL);
}

/* Exercise 1: in order, and not more than fit. */

static void answers_leave_in_the_order_of_records(struct subject *s)
{
	open_both(s, true, 4);
	put('a');
	put('b');
	put('c');
	expect_events("before any answer", "");
	reply('c', 'g');
	expect_events("the last of three is answered", "");
	reply('a', 'g');
	expect_events("the first is answered, too", "a");
	reply('b', 'g');
	expect_events("all three are answered", "abc");
	run_to_its_end();
	close_both();
}

static void nothing_is_called_inside_a_call(struct subject *s)
{
	open_both(s, true, 4);
	questions[0].at_once = "g";
	questions[1].at_once = ".";
	questions[2].at_once = "e";
	put('a');
	put('b');
	expect_events("a record whose answer was there at once, before the loop runs", "");
	run_to_its_end();
	expect_events("after the loop ran", "a");
	expect(complete(questions[1].tickets[0], &questions[1]),
	       EXPECTED("true from operator_complete()") SAW("false"));
	expect_events("inside operator_complete()", "a");
	run_to_its_end();
	put('c'); /* fails inside invoke() */
	expect_events("an error at once, before the loop runs", "ab");
	run_to_its_end();
	expect_events("after the loop ran", "ab!c");
	close_both();
}

static void a_full_operator_says_when_it_has_room(struct subject *s)
{
	config.has_room = has_room;
	open_both(s, true, 2);
	put('a');
	expect(operator_in_flight(op) == 1 && operator_capacity_left(op) == 1,
	       EXPECTED("1 inside and 1 left") SAW("%u and %u"), operator_in_flight(op),
	       operator_capacity_left(op));
	put('b');
	expect_put(&questions[2], -EAGAIN, "the third of a capacity of 2");
	expect_put(&questions[2], -EAGAIN, "refused once more");
	expect(questions[2].attempts == 0, EXPECTED("no invoke() for what was refused") SAW("%u"),
	       questions[2].attempts);
	reply('b', 'g');
	expect_events("full, and the first one is not answered", "");
	expect(operator_in_flight(op) == 2,
	       WHEN("one is over, behind one that is not") EXPECTED("2 inside") SAW("%u"),
	       operator_in_flight(op));
	reply('a', 'g');
	expect(count_events('R') == 1 && events[0] == 'a',
	       WHEN("refused twice, and the first one leaves")
		       EXPECTED("one 'R' (has_room) after 'a'") SAW("\"%s\""),
	       events);
	expect(operator_in_flight(op) == 0, EXPECTED("0 inside") SAW("%u"), operator_in_flight(op));
	put('c');
	reply('c', 'g');
	expect(count_events('R') == 1,
	       WHEN("nothing was refused since") EXPECTED("no more 'R'") SAW("\"%s\""), events);
	run_to_its_end();
	close_both();
}

/* A source that puts what fits, when it is told. */
static unsigned next_record;

static void put_what_fits(void *context)
{
	(void)context;
	while (next_record < 14 && operator_put(op, &questions[next_record]) == 0) {
		expect(operator_in_flight(op) <= 3, EXPECTED("at most 3 inside") SAW("%u"),
		       operator_in_flight(op));
		next_record++;
	}
}

static void back_pressure_keeps_a_stream_going(struct subject *s)
{
	open_loop(s);
	config.has_room = put_what_fits;
	for (unsigned i = 0; i < 14; i++)
		questions[i].at_once = i % 3 ? "g" : NULL;
	open_operator(true, 3);
	put_what_fits(NULL);
	expect(next_record == 3, EXPECTED("3 records that fit") SAW("%u"), next_record);
	for (unsigned i = 0; i < 14; i += 3)
		reply((char)('a' + i), 'g');
	run_to_its_end();
	expect_events("14 records through a capacity of 3", "abcdefghijklmn");
	close_both();
}

static void put_the_next(void *context, void *record, struct operator_results results)
{
	const struct question *q = record;
	(void)context;
	if (q->letter < 'e')
		expect_put(&questions[q->letter - 'a' + 1], 0, "in emit(), with a capacity of 1");
	expect(results.count == 2 && results.items[0] == q && results.items[1] == q,
	       WHEN("after a put in emit()") EXPECTED("the results of '%c' still") SAW("others"),
	       q->letter);
	add_event(q->letter);
}

static void the_sink_may_put_the_next_record(struct subject *s)
{
	open_loop(s);
	config.results_max = 2;
	open_operator(true, 1);
	operator_close(op);
	config.emit = put_the_next;
	struct reason why = { "" };
	expect(operator_open(&op, &config, &why) == 0, "%s", why.text);
	for (unsigned i = 0; i < 5; i++) {
		questions[i].at_once = "g";
		questions[i].result_count = 2;
	}
	is_inside_a_call = false;
	expect(operator_put(op, &questions[0]) == 0, "the first put");
	run_to_its_end();
	expect_events("each record puts the next one", "abcde");
	close_both();
}

static void a_record_has_none_one_or_many_results(struct subject *s)
{
	config.results_max = 3;
	open_both(s, true, 4);
	questions[0].result_count = 0;
	questions[2].result_count = 3;
	questions[3].result_count = 4;
	put('a');
	put('b');
	put('c');
	reply('a', 'g');
	reply('b', 'g');
	reply('c', 'g');
	expect_events("none, one and three results", "-bccc");
	put('d');
	reply('d', 'g');
	expect(failed_with == -E2BIG,
	       WHEN("four results, of at most three") EXPECTED("failed with %s") SAW("%s"),
	       answer(-E2BIG), answer(failed_with));
	run_to_its_end();
	operator_close(op);
	config.results_max = 0;
	open_operator(true, 2);
	questions[4].at_once = questions[5].at_once = "g";
	questions[5].result_count = 2;
	put('e');
	put('f');
	run_to_its_end();
	expect(failed_with == -E2BIG,
	       WHEN("two results, where results_max is 0") EXPECTED("failed with %s") SAW("%s"),
	       answer(-E2BIG), answer(failed_with));
	close_both();
}

static void only_the_first_completion_counts(struct subject *s)
{
	open_both(s, true, 2);
	questions[0].at_once = questions[1].at_once = questions[2].at_once = ".";
	put('a');
	put('b');
	expect(complete(questions[1].tickets[0], &questions[1]),
	       WHEN("the first completion") EXPECTED("true") SAW("false"));
	expect_too_late(questions[1].tickets[0], "a second completion");
	expect(complete(questions[0].tickets[0], &questions[0]),
	       WHEN("the first completion") EXPECTED("true") SAW("false"));
	run_to_its_end();
	expect_too_late(questions[0].tickets[0], "after it left");
	put('c'); /* in a place of before */
	put('d');
	expect_too_late(questions[0].tickets[0], "by the ticket of a record before");
	expect_too_late(questions[1].tickets[0], "by the ticket of a record before");
	expect(complete(questions[2].tickets[0], &questions[2]),
	       WHEN("its own ticket") EXPECTED("true") SAW("false"));
	reply('d', 'g');
	expect_events("four records", "abcd");
	close_both();
}

/* A place has been used so often that a number of 16 bits would have come round. */
static void a_ticket_is_never_good_again(struct subject *s)
{
	enum { TIMES = 70000 };
	open_both(s, true, 1);
	questions[0].at_once = questions[1].at_once = ".";
	put('a');
	struct operator_ticket old = questions[0].tickets[0];
	expect(complete(old, &questions[0]), "its own ticket");
	for (unsigned i = 0; i < TIMES; i++) {
		turn_loop(LOOP_POLL);
		memset(events, 0, sizeof events);
		questions[1].attempts = 0;
		put('b');
		expect(!complete(old, &questions[15]),
		       WHEN("%u records later in its place") EXPECTED("that a ticket is too late")
			       SAW("that it counts"),
		       i + 1);
		expect(complete(questions[1].tickets[0], &questions[1]), "its own ticket");
	}
	run_to_its_end();
	close_both();
}

static unsigned emitted_count;

static void count_emitted(void *context, void *record, struct operator_results results)
{
	(void)context;
	(void)record;
	(void)results;
	emitted_count++;
}

static void discard_ticket(void *context, void *record, struct operator_ticket ticket)
{
	(void)context;
	operator_complete(ticket, &record, 1);
}

static void a_turn_emits_a_batch_at_most(struct subject *s)
{
	enum { MANY = 2 * EVENT_LOOP_BATCH + 10 };
	struct reason why = { "" };
	open_loop(s);
	config = (struct operator_config) { .loop = loop,
					    .is_ordered = true,
					    .capacity = MANY,
					    .invoke = discard_ticket,
					    .emit = count_emitted,
					    .failed = failed };
	expect(operator_open(&op, &config, &why) == 0, "%s", why.text);
	for (unsigned i = 0; i < MANY; i++)
		expect_put(&questions[0], 0, "with room for it");
	unsigned before = 0;
	for (unsigned turns = 1; emitted_count < MANY && turns <= 4; turns++) {
		turn_loop(LOOP_POLL);
		expect(emitted_count - before <= EVENT_LOOP_BATCH,
		       EXPECTED("at most %d emitted in a turn") SAW("%u"), EVENT_LOOP_BATCH,
		       emitted_count - before);
		before = emitted_count;
	}
	expect(emitted_count == MANY, WHEN("after four turns") EXPECTED("all %d emitted") SAW("%u"),
	       MANY, emitted_count);
	run_to_its_end();
	close_both();
}

static void an_error_fails_the_operator_once(struct subject *s)
{
	scene = "when the operator has failed";
	config.ended = ended;
	config.has_room = has_room;
	open_both(s, true, 3);
	for (unsigned i = 0; i < 3; i++)
		questions[i].at_once = ".";
	put('a');
	put('b');
	put('c');
	expect_put(&questions[3], -EAGAIN, "full");
	expect(complete(questions[0].tickets[0], &questions[0]), "a");
	is_inside_a_call = true;
	expect(operator_fail(questions[1].tickets[0], -EIO),
	       EXPECTED("true from operator_fail()") SAW("false"));
	is_inside_a_call = false;
	expect_put(&questions[3], -EIO, "after the failure");
	int rc = operator_put_watermark(op, 1);
	expect(rc == -EIO, WHEN("a watermark after the failure") EXPECTED("-EIO") SAW("%s"),
	       answer(rc));
	expect_too_late(questions[2].tickets[0], "another record, after the failure");
	run_to_its_end();
	expect_events("an error, while a result waits for its turn", "!b");
	operator_finish(op);
	run_to_its_end();
	expect_events("after a finish", "!b");
	expect(failed_with == -EIO, EXPECTED("failed with -EIO") SAW("%s"), answer(failed_with));
	close_both();
}

static void emit_and_fail_the_next(void *context, void *record, struct operator_results results)
{
	const struct question *q = record;
	emit(context, record, results);
	operator_fail(questions[q->letter - 'a' + 1].tickets[0], -EIO);
}

static void the_sink_may_fail_another_record(struct subject *s)
{
	struct reason why = { "" };
	open_both(s, true, 2);
	operator_close(op);
	config.emit = emit_and_fail_the_next;
	expect(operator_open(&op, &config, &why) == 0, "%s", why.text);
	questions[0].at_once = questions[1].at_once = ".";
	put('a');
	put('b');
	complete(questions[0].tickets[0], &questions[0]);
	run_to_its_end();
	let_out();
	expect_events("emit() of 'a' fails 'b'", "a!b");
	close_both();
}

static void emit_and_fail_the_third(void *context, void *record, struct operator_results results)
{
	emit(context, record, results);
	operator_fail(questions[2].tickets[0], -EIO);
}

static void a_failure_holds_back_what_could_leave(struct subject *s)
{
	struct reason why = { "" };
	open_both(s, true, 3);
	operator_close(op);
	config.emit = emit_and_fail_the_third;
	expect(operator_open(&op, &config, &why) == 0, "%s", why.text);
	for (unsigned i = 0; i < 3; i++)
		questions[i].at_once = ".";
	put('a');
	put('b');
	put('c');
	complete(questions[0].tickets[0], &questions[0]);
	complete(questions[1].tickets[0], &questions[1]);
	run_to_its_end();
	let_out();
	expect_events("emit() of 'a' fails 'c', while 'b' could leave", "a!c");
	close_both();
}

static void calls_may_be_left_out(struct subject *s)
{
	open_both(s, true, 1);
	operator_close(op);
	config.emit_watermark = NULL;
	struct reason why = { "" };
	expect(operator_open(&op, &config, &why) == 0, "%s", why.text);
	put('a');
	expect_put(&questions[1], -EAGAIN, "full, without a has_room()");
	reply('a', 'g');
	expect_events("without has_room(), emit_watermark() and ended()", "a");
	close_both();
}

static void close_calls_nothing(struct subject *s)
{
	scene = "when the operator was closed";
	config.timeout_ns = NS_PER_MS;
	config.timed_out = timed_out_with_answer;
	config.retry = (struct operator_retry) { .attempts = 1,
						 .by_result = is_bad,
						 .pause_ns = NS_PER_MS };
	open_both(s, true, 4);
	questions[0].at_once = ".";
	questions[1].at_once = "g";
	questions[2].at_once = "b";
	put('a'); /* in flight */
	put('b'); /* over */
	put('c'); /* pausing */
	operator_close(op);
	start_probe('x', 2 * NS_PER_MS);
	run_to_its_end();
	expect_events("after the close, 2 ms", "x");
	expect(questions[2].attempts == 1, EXPECTED("no more attempts") SAW("%u"),
	       questions[2].attempts);
	open_operator(true, 1);
	questions[3].at_once = "g";
	put('d'); /* it could leave in the next turn */
	operator_close(op);
	run_to_its_end();
	expect_events("after a second close", "x");
	open_operator(true, 1);
	close_both();
}

static void allocates_when_it_opens_only(struct subject *s)
{
	struct reason why = { "" };
	open_loop(s);
	config = (struct operator_config) { .loop = loop,
					    .is_ordered = true,
					    .capacity = 64,
					    .invoke = discard_ticket,
					    .emit = count_emitted,
					    .failed = failed,
					    .timeout_ns = NS_PER_S };
	expect(operator_open(&op, &config, &why) == 0, "%s", why.text);
	expect_put(&questions[0], 0, "the first"); /* the loop may grow its heap */
	run_to_its_end();
	size_t before = mallinfo2().uordblks;
	for (unsigned i = 0; i < 64; i++)
		expect_put(&questions[0], 0, "with room for it");
	size_t after = mallinfo2().uordblks;
	expect(before == after, WHEN("64 records") EXPECTED("no memory") SAW("%zu bytes"),
	       after - before);
	run_to_its_end();
	expect(emitted_count == 65, EXPECTED("65 emitted") SAW("%u"), emitted_count);
	close_both();
}

static void sleeps_while_records_wait(struct subject *s)
{
	config.has_room = has_room;
	open_both(s, true, 2);
	put('a');
	put('b');
	expect_put(&questions[2], -EAGAIN, "full");
	reply('b', 'g');
	unsigned before = reaps;
	event_loop_update_now(loop);
	start_probe('x', 40 * NS_PER_MS);
	turn_until_events(1);
	expect_events("40 ms later", "x");
	expect(reaps - before <= 5,
	       WHEN("while a full operator waits for 40 ms")
		       EXPECTED("one or two calls of the engine's reap()") SAW("%u"),
	       reaps - before);
	reply('a', 'g');
	run_to_its_end();
	close_both();
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static void without_memory_it_does_not_open(struct subject *s)
{
	(void)s;
	test_skipped("a sanitizer has a malloc(3) of its own");
}
#else
static unsigned callocs_until_one_fails; /* 0: none fails */

/* In place of libc's, which operator_open() asks for memory. */
void *calloc(size_t count, size_t size_bytes)
{
	void *__libc_calloc(size_t, size_t);
	if (callocs_until_one_fails > 0 && --callocs_until_one_fails == 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_calloc(count, size_bytes);
}

/* Returns whether it came to the calloc() that fails. */
static bool fails_to_open(unsigned which)
{
	struct reason why = { "" };
	op = NULL;
	callocs_until_one_fails = which;
	int rc = operator_open(&op, &config, &why);
	bool has_failed = callocs_until_one_fails == 0;
	callocs_until_one_fails = 0;
	expect(!has_failed || (rc == -ENOMEM && !op && why.text[0]),
	       WHEN("when calloc(3) %u fails") EXPECTED("-ENOMEM, with a reason") SAW("%s"), which,
	       answer(rc));
	return has_failed;
}

static void without_memory_it_does_not_open(struct subject *s)
{
	enum { TIMES = 50 };
	open_both(s, true, 4);
	operator_close(op);
	for (unsigned which = 1; fails_to_open(which); which++) {
		size_t before = 0;
		/* The first times fill what malloc(3) keeps for itself. */
		for (unsigned i = 0; i < 2 * TIMES; i++) {
			if (i == TIMES)
				before = mallinfo2().uordblks;
			fails_to_open(which);
		}
		expect(mallinfo2().uordblks == before,
		       WHEN("when calloc(3) %u failed, %d times") EXPECTED("no memory kept")
			       SAW("%zu bytes"),
		       which, TIMES, mallinfo2().uordblks - before);
	}
	close_both();
}
#endif

static void refused(const char *id, struct operator_config wrong)
{
	struct async_operator *none = NULL;
	struct reason why = { "" };
	wrong.loop = loop;
	int rc = operator_open(&none, &wrong, &why);
	expect(rc == -EINVAL && strcmp(why.id, id) == 0 && !none,
	       WHEN("a wrong setting (%s)") EXPECTED("-EINVAL, and its name") SAW("%s, %s"), id,
	       answer(rc), why.id);
}

static void wrong_settings_are_named(struct subject *s)
{
	struct operator_config right = {
		.capacity = 1, .timeout_ns = 1, .invoke = invoke, .emit = emit, .failed = failed
	};
	open_both(s, true, 1);
	struct operator_config wrong = right;
	wrong.capacity = 0;
	refused("no_capacity", wrong);
	wrong = right;
	wrong.timeout_ns = -1;
	refused("timeout_below_0", wrong);
	wrong = right;
	wrong.timeout_ns = 0;
	wrong.retry.attempts = 1;
	refused("retry_without_timeout", wrong);
	wrong = right;
	wrong.retry.pause_ns = -1;
	refused("pause_below_0", wrong);
	wrong = right;
	wrong.retry.pause_max_ns = -1;
	refused("pause_below_0", wrong);
	wrong = right;
	wrong.retry.factor = -1;
	refused("pause_below_0", wrong);
	wrong = right;
	wrong.invoke = NULL;
	refused("call_missing", wrong);
	wrong = right;
	wrong.emit = NULL;
	refused("call_missing", wrong);
	wrong = right;
	wrong.failed = NULL;
	refused("call_missing", wrong);
	put('a');
	reply('a', 'g');
	expect_events("a right one beside them", "a");
	close_both();
}

/* Exercise 2: as they come, and watermarks. */

static void answers_leave_as_they_come(struct subject *s)
{
	config.has_room = has_room;
	open_both(s, false, 3);
	put('a');
	put('b');
	put('c');
	expect_put(&questions[3], -EAGAIN, "the fourth of a capacity of 3");
	reply('c', 'g');
	expect_events("the last of three is answered", "cR");
	put('d'); /* in the place of 'c' */
	reply('a', 'g');
	reply('d', 'g');
	reply('b', 'g');
	expect_events("unordered", "cRadb");
	run_to_its_end();
	close_both();
}

static void several_leave_in_the_order_of_their_answers(struct subject *s)
{
	open_both(s, false, 4);
	for (unsigned i = 0; i < 4; i++)
		questions[i].at_once = ".";
	put('a');
	put('b');
	put('c');
	put('d');
	static const char order[] = "cadb";
	for (unsigned i = 0; i < 4; i++)
		complete(questions[order[i] - 'a'].tickets[0], &questions[order[i] - 'a']);
	run_to_its_end();
	expect_events("four answers in one turn", order);
	close_both();
}

/* R1 R2 W1 R3 R4 W2 R5 R6 */
static void put_six_with_watermarks(void)
{
	put('a');
	put('b');
	put_watermark(1);
	put('c');
	put('d');
	put_watermark(2);
	put('e');
	put('f');
	let_out();
}

static void nothing_overtakes_a_watermark(struct subject *s)
{
	open_both(s, false, 8);
	put_six_with_watermarks();
	expect_events("before any answer", "");
	reply('f', 'g');
	reply('d', 'g');
	expect_events("answers behind watermarks", "");
	reply('b', 'g');
	expect_events("one before them", "b");
	reply('a', 'g');
	expect_events("all before the first watermark", "ba1d");
	reply('e', 'g');
	expect_events("one behind the second watermark", "ba1d");
	reply('c', 'g');
	expect_events("all before the second watermark", "ba1dc2fe");
	run_to_its_end();
	close_both();
}

static void in_order_watermarks_keep_their_place(struct subject *s)
{
	open_both(s, true, 8);
	put_six_with_watermarks();
	reply('f', 'g');
	reply('c', 'g');
	reply('b', 'g');
	expect_events("the first one is not answered", "");
	reply('a', 'g');
	expect_events("all before the first watermark", "ab1c");
	reply('d', 'g');
	reply('e', 'g');
	expect_events("all", "ab1cd2ef");
	run_to_its_end();
	close_both();
}

static void a_watermark_takes_a_place(struct subject *s)
{
	config.has_room = has_room;
	open_both(s, false, 2);
	put_watermark(2);
	put_watermark(5);
	expect(operator_capacity_left(op) == 0, EXPECTED("0 left") SAW("%u"),
	       operator_capacity_left(op));
	expect(operator_in_flight(op) == 2, EXPECTED("2 inside") SAW("%u"), operator_in_flight(op));
	int rc = operator_put_watermark(op, 6);
	expect(rc == -EAGAIN, WHEN("the third of a capacity of 2") EXPECTED("-EAGAIN") SAW("%s"),
	       answer(rc));
	expect_events("inside operator_put_watermark()", "");
	run_to_its_end();
	expect_events("watermarks alone leave at once", "25R");
	close_both();
}

static void a_watermark_may_go_unheard(struct subject *s)
{
	struct reason why = { "" };
	open_both(s, false, 3);
	operator_close(op);
	config.emit_watermark = NULL;
	expect(operator_open(&op, &config, &why) == 0, "%s", why.text);
	put('a');
	put_watermark(1);
	put('b');
	reply('b', 'g');
	expect_events("without emit_watermark(), the first record is not answered", "");
	reply('a', 'g');
	expect_events("without emit_watermark()", "ab");
	run_to_its_end();
	close_both();
}

/* Watermarks that have left, whose places others take. */
static void segments_go_on_for_ever(struct subject *s)
{
	open_both(s, false, 3);
	for (unsigned round = 0; round < 20; round++) {
		bool first_later = round % 2;
		put('a');
		put_watermark(round % 10);
		put('b');
		reply(first_later ? 'b' : 'a', 'g');
		reply(first_later ? 'a' : 'b', 'g');
		char expected[] = { 'a', (char)('0' + round % 10), 'b', '\0' };
		expect_events("one before a watermark, one behind it", expected);
		memset(events, 0, sizeof events);
		questions[0].attempts = questions[1].attempts = 0;
	}
	run_to_its_end();
	close_both();
}

/* A stream of records and watermarks, answered in any order, beside a model. */

enum { STREAM = 3000, ROOM = 24 };

static struct streamed {
	struct operator_ticket ticket;
	unsigned segment;
	unsigned answered; /* its number among the answers; 0: not yet */
	bool has_left;
} stream[STREAM];
static unsigned streamed_count, answered_count, left_count, watermarks_put, watermarks_left;
static unsigned last_answered_of_segment, last_left;
static bool is_stream_ordered;

static void stream_invoke(void *context, void *record, struct operator_ticket ticket)
{
	(void)context;
	((struct streamed *)record)->ticket = ticket;
}

static void stream_emit(void *context, void *record, struct operator_results results)
{
	struct streamed *it = record;
	(void)context;
	expect(results.count == 1 && results.items[0] == it, "another record's result");
	expect(it->answered && !it->has_left,
	       "a record that is not answered, or that has left already");
	expect(it->segment == watermarks_left,
	       EXPECTED("record %zu behind watermark %u") SAW("%u before it"),
	       (size_t)(it - stream), it->segment, watermarks_left);
	if (is_stream_ordered)
		expect((size_t)(it - stream) == left_count, EXPECTED("record %u") SAW("record %zu"),
		       left_count, (size_t)(it - stream));
	else
		expect(it->answered > last_answered_of_segment,
		       EXPECTED("the records of a segment in the order of their answers")
			       SAW("answer %u after answer %u"),
		       it->answered, last_answered_of_segment);
	last_answered_of_segment = it->answered;
	it->has_left = true;
	left_count++;
}

static void stream_emit_watermark(void *context, int64_t timestamp)
{
	(void)context;
	expect(timestamp == watermarks_left, EXPECTED("watermark %u") SAW("%lld"), watermarks_left,
	       (long long)timestamp);
	for (unsigned i = last_left; i < streamed_count && stream[i].segment <= watermarks_left;
	     i++) {
		expect(stream[i].has_left, "watermark %u before record %u", watermarks_left, i);
		last_left = i;
	}
	watermarks_left++;
	last_answered_of_segment = 0;
}

static void answer_one_of(unsigned *seed)
{
	unsigned waiting[ROOM], count = 0;
	for (unsigned i = streamed_count; i-- > 0 && count < ROOM;)
		if (!stream[i].answered)
			waiting[count++] = i;
	if (count == 0)
		return;
	struct streamed *it = &stream[waiting[(unsigned)rand_r(seed) % count]];
	it->answered = ++answered_count;
	complete(it->ticket, it);
}

static void put_one_of_stream(unsigned *seed)
{
	if (rand_r(seed) % 5 == 0) {
		watermarks_put += operator_put_watermark(op, watermarks_put) == 0;
		return;
	}
	stream[streamed_count].segment = watermarks_put;
	streamed_count += operator_put(op, &stream[streamed_count]) == 0;
}

static void run_stream(bool is_ordered, unsigned seed)
{
	struct reason why = { "" };
	config = (struct operator_config) { .loop = loop,
					    .is_ordered = is_ordered,
					    .capacity = ROOM,
					    .invoke = stream_invoke,
					    .emit = stream_emit,
					    .emit_watermark = stream_emit_watermark,
					    .failed = failed };
	expect(operator_open(&op, &config, &why) == 0, "%s", why.text);
	is_stream_ordered = is_ordered;
	unsigned steps = 0;
	while ((left_count < STREAM || watermarks_left < watermarks_put) && steps++ < 50 * STREAM) {
		if (rand_r(&seed) % 2 && streamed_count < STREAM)
			put_one_of_stream(&seed);
		else
			answer_one_of(&seed);
		if (rand_r(&seed) % 3 == 0)
			turn_loop(LOOP_POLL);
	}
	expect(left_count == STREAM && watermarks_left == watermarks_put,
	       EXPECTED("%d records and %u watermarks that leave") SAW("%u and %u"), STREAM,
	       watermarks_put, left_count, watermarks_left);
}

static void a_long_stream_keeps_the_rules(struct subject *s)
{
	open_loop(s);
	run_stream(false, 13);
	close_both();
}

static void a_long_stream_stays_in_order(struct subject *s)
{
	open_loop(s);
	run_stream(true, 31);
	close_both();
}

/* Exercise 3: timeouts. */

static void a_timeout_counts_from_put(struct subject *s)
{
	config.timeout_ns = 5 * NS_PER_MS;
	config.timed_out = timed_out_with_answer;
	open_both(s, true, 2);
	pass_time(NS_PER_MS);
	put('a');
	start_probes_around(5 * NS_PER_MS);
	turn_until_events(5);
	expect_events("probes around 5 ms, and a time of 5 ms", "xTay?");
	close_both();
}

static void without_an_answer_a_timeout_fails(struct subject *s)
{
	config.timeout_ns = NS_PER_MS;
	config.timed_out = timed_out;
	open_both(s, true, 2);
	questions[0].at_once = questions[1].at_once = ".";
	put('a');
	put('b');
	run_to_its_end();
	expect_events("timed_out() does not answer", "Ta!a");
	expect(failed_with == -ETIMEDOUT, EXPECTED("failed with -ETIMEDOUT") SAW("%s"),
	       answer(failed_with));
	operator_close(op);
	memset(events, 0, sizeof events);
	config.timed_out = NULL;
	config.timeout_ns = 1;
	open_operator(true, 2);
	questions[0].attempts = 0;
	put('a');
	run_to_its_end();
	expect_events("a time of 1 ns, without a timed_out()", "!a");
	expect(failed_with == -ETIMEDOUT, EXPECTED("failed with -ETIMEDOUT") SAW("%s"),
	       answer(failed_with));
	close_both();
}

static void a_timeout_may_answer(struct subject *s)
{
	config.timeout_ns = 4 * NS_PER_MS;
	config.timed_out = timed_out_with_answer;
	open_both(s, true, 3);
	questions[0].at_once = questions[1].at_once = questions[2].at_once = ".";
	put('a');
	put('b');
	put('c');
	complete(questions[1].tickets[0], &questions[1]);
	run_to_its_end();
	expect_events("two of three are not answered in time", "TaTc?b?");
	expect_too_late(questions[0].tickets[0], "after its time was over");
	close_both();
}

/* However it is over, its time is not. */
static void what_is_over_does_not_time_out(struct subject *s)
{
	config.timeout_ns = 3 * NS_PER_MS;
	config.timed_out = timed_out_with_answer;
	open_both(s, true, 3);
	questions[0].at_once = ".";
	questions[1].at_once = "g";
	questions[2].at_once = "g";
	put('a');
	put('b'); /* over, and waits for 'a' beyond its time */
	put('c');
	run_to_its_end();
	expect_events("one of three is not answered in time", "Ta?bc");
	close_both();
}

static void no_timer_stays(struct subject *s)
{
	scene = "when all records were answered in time";
	config.timeout_ns = 1000 * NS_PER_S;
	open_both(s, false, 5);
	put('a');
	put('b');
	put('c');
	put('d');
	reply('b', 'g'); /* from the middle of those that wait, the end, and the beginning */
	reply('d', 'g');
	reply('a', 'g');
	put('e');
	reply('c', 'g');
	reply('e', 'g');
	run_to_its_end(); /* ends at once, since no timer is active */
	expect_events("five answered", "bdace");
	for (unsigned i = 0; i < 4; i++) {
		questions[i].at_once = ".";
		questions[i].attempts = 0;
		put((char)('a' + i));
	}
	for (const char *letter = "bcad"; *letter; letter++)
		complete(questions[*letter - 'a'].tickets[0], &questions[*letter - 'a']);
	run_to_its_end();
	expect_events("four more, two from the middle", "bdacebcad");
	questions[6].at_once = ".";
	put('f');
	put('g');
	reply('f', 'e');
	run_to_its_end();
	expect_events("and a failure", "bdacebcad!f");
	close_both();
}

/* In place of libc's, by which the loop's heap of timers grows. */
static bool heap_may_not_grow;

void *reallocarray(void *old, size_t count, size_t size_bytes)
{
	if (heap_may_not_grow) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, count * size_bytes);
}

static struct loop_timer fillers[1000];
static unsigned filler_count;

/* From now on the loop has no memory for another timer. */
static void fill_the_heap(void)
{
	int rc = 0;
	heap_may_not_grow = true;
	for (filler_count = 0; filler_count < 1000 && rc == 0; filler_count++) {
		fillers[filler_count] = (struct loop_timer) { .call = on_probe };
		rc = event_loop_timer_start(loop, &fillers[filler_count], 1000 * NS_PER_S, 0);
	}
	expect(rc == -ENOMEM, EXPECTED("timers until memory is short") SAW("%s after %u"),
	       answer(rc), filler_count);
}

static void empty_the_heap(void)
{
	heap_may_not_grow = false;
	for (unsigned i = 0; i < filler_count; i++)
		event_loop_timer_stop(loop, &fillers[i]);
}

static void expect_out_of_memory(const char *when, const char *wanted)
{
	expect_events(when, wanted);
	expect(failed_with == -ENOMEM, WHEN("%s") EXPECTED("failed with -ENOMEM") SAW("%s"), when,
	       answer(failed_with));
}

static void a_deadline_that_does_not_start_fails_the_operator(struct subject *s)
{
	config.timeout_ns = NS_PER_S;
	open_both(s, true, 1);
	fill_the_heap();
	put('a');
	empty_the_heap();
	run_to_its_end();
	expect_out_of_memory("a record, and no room for its timeout's timer", "!a");
	expect(questions[0].attempts == 0,
	       EXPECTED("no attempt at a record whose timeout cannot run") SAW("%u"),
	       questions[0].attempts);
	close_both();
}

/* The timer has gone off, so its place in the heap is free: until now. */
static void timed_out_and_filled_the_heap(void *context, void *record,
					  struct operator_ticket ticket)
{
	if (!heap_may_not_grow)
		fill_the_heap();
	timed_out_with_answer(context, record, ticket);
}

/* Returns whether the second deadline was due later than the first, and did not come. */
static bool run_two_deadlines(struct subject *s, int64_t between_ns)
{
	memset(events, 0, sizeof events);
	config.timeout_ns = 4 * between_ns;
	open_both(s, true, 2);
	questions[0].at_once = questions[1].at_once = ".";
	put('a');
	pass_time(between_ns);
	bool is_first_alone = !events[0];
	put('b');
	while (!strstr(events, "Tb") && !strstr(events, "!b") && !was_impatient)
		turn_loop(LOOP_ONCE);
	empty_the_heap();
	run_to_its_end();
	bool came = strstr(events, "Tb");
	if (is_first_alone && !came)
		expect_out_of_memory("two timeouts, and no room for another timer", "Ta!b");
	close_both();
	return is_first_alone && !came;
}

/*
 * A deadline that has a timer of its own comes. On a busy machine both may be due at once and come, too: so they
 * are tried further and further apart.
 */
static void the_next_deadline_is_not_lost_when_memory_is_short(struct subject *s)
{
	int64_t between_ns = NS_PER_MS;
	config.timed_out = timed_out_and_filled_the_heap;
	while (!run_two_deadlines(s, between_ns) && between_ns < 200 * NS_PER_MS)
		between_ns *= 4;
}

static uint64_t due_ns[QUESTIONS_MAX];

static void timed_out_not_early(void *context, void *record, struct operator_ticket ticket)
{
	const struct question *q = record;
	uint64_t due = due_ns[slot_of(q)];
	expect(due && event_loop_now_ns(loop) >= due,
	       EXPECTED("no timed_out() of '%c' before its time") SAW("one"), q->letter);
	timed_out_with_answer(context, record, ticket);
}

static void put_with_due(char letter)
{
	put(letter);
	due_ns[letter - 'a'] = event_loop_now_ns(loop) + (uint64_t)config.timeout_ns;
}

static void each_record_has_its_own_time(struct subject *s)
{
	config.timeout_ns = 500 * NS_PER_MS;
	config.timed_out = timed_out_not_early;
	open_both(s, false, 4);
	for (unsigned i = 0; i < 4; i++)
		questions[i].at_once = ".";
	put_with_due('a');
	start_probe('w', 500 * NS_PER_MS + 1);
	pass_time(NS_PER_MS);
	put_with_due('b');
	pass_time(NS_PER_MS);
	put_with_due('c');
	pass_time(NS_PER_MS);
	put_with_due('d');
	start_probe('y', 500 * NS_PER_MS + 1);
	complete(questions[2].tickets[0], &questions[2]); /* from the middle */
	complete(questions[1].tickets[0], &questions[1]);
	run_to_its_end();
	const char *a = strstr(events, "Ta"), *d = strstr(events, "Td");
	expect(a && d && a < strchr(events, 'w') && d < strchr(events, 'y') &&
		       count_events('T') == 2,
	       WHEN("two of four are not answered in time") EXPECTED(
		       "'Ta' before 'w', which is just after its time, and 'Td' before 'y'")
		       SAW("\"%s\""),
	       events);
	close_both();
}

static void timed_out_and_put_the_next(void *context, void *record, struct operator_ticket ticket)
{
	const struct question *q = record;
	timed_out_not_early(context, record, ticket);
	if (q->letter < 'd')
		put_with_due((char)(q->letter + 1));
}

/* However short its time is, it does not end in the turn in which it began. */
static void what_a_timeout_puts_has_its_whole_time(struct subject *s)
{
	static const int64_t timeouts_ns[] = { 1, 100 * NS_PER_US, 2 * NS_PER_MS };
	config.timed_out = timed_out_and_put_the_next;
	open_loop(s);
	for (unsigned round = 0; round < 3; round++) {
		config.timeout_ns = timeouts_ns[round];
		open_operator(false, 4);
		for (unsigned i = 0; i < 4; i++) {
			questions[i].at_once = ".";
			questions[i].attempts = 0;
		}
		memset(events, 0, sizeof events);
		put_with_due('a');
		run_to_its_end();
		expect(count_events('T') == 4 && count_events('?') == 4,
		       WHEN("the end of each time puts the next one")
			       EXPECTED("4 times that are over, and an answer to each")
				       SAW("\"%s\""),
		       events);
		if (round < 2)
			operator_close(op);
	}
	close_both();
}

/* A record that comes after the latest one has left stands behind those that stay. */
static void a_deadline_behind_one_that_left(struct subject *s)
{
	config.timeout_ns = 100 * NS_PER_MS;
	config.timed_out = timed_out_with_answer;
	open_both(s, false, 4);
	for (unsigned i = 0; i < 4; i++)
		questions[i].at_once = ".";
	put('a');
	put('b');
	complete(questions[1].tickets[0], &questions[1]);
	put('c');
	put('d');
	complete(questions[0].tickets[0], &questions[0]);
	run_to_its_end();
	const char *c = strstr(events, "Tc"), *d = strstr(events, "Td");
	expect(c && d && c < d && count_events('T') == 2 && count_events('?') == 2,
	       WHEN("the latest and the first of four left, and two stay")
		       EXPECTED("'Tc', 'Td', and an answer to each") SAW("\"%s\""),
	       events);
	close_both();
}

static void a_list_of_deadlines_survives_everything(struct subject *s)
{
	unsigned seed = 7;
	open_loop(s);
	config.timeout_ns = 1000 * NS_PER_S;
	open_operator(false, QUESTIONS_MAX);
	bool is_inside[QUESTIONS_MAX] = { false };
	for (unsigned i = 0; i < QUESTIONS_MAX; i++)
		questions[i].at_once = ".";
	for (unsigned step = 0; step < 500; step++) {
		unsigned i = (unsigned)rand_r(&seed) % QUESTIONS_MAX;
		questions[i].attempts = is_inside[i];
		if (is_inside[i])
			complete(questions[i].tickets[0], &questions[i]);
		else
			put((char)('a' + i));
		is_inside[i] = !is_inside[i];
		turn_loop(LOOP_POLL);
		memset(events, 0, sizeof events);
	}
	for (unsigned i = 0; i < QUESTIONS_MAX; i++)
		if (is_inside[i])
			complete(questions[i].tickets[0], &questions[i]);
	run_to_its_end();
	expect(operator_in_flight(op) == 0, EXPECTED("none inside") SAW("%u"),
	       operator_in_flight(op));
	close_both();
}

/* Exercise 4: retries. */

static void allow_retry(unsigned attempts, int64_t pause_ns)
{
	config.timeout_ns = 1000 * NS_PER_S;
	config.retry = (struct operator_retry) {
		.attempts = attempts, .by_result = is_bad, .by_error = is_eio, .pause_ns = pause_ns
	};
}

static void expect_attempts(char letter, unsigned expected)
{
	unsigned attempts = questions[letter - 'a'].attempts;
	expect(attempts == expected, EXPECTED("%u attempts at '%c'") SAW("%u"), expected, letter,
	       attempts);
}

/* Turns until a record is tried again. */
static void turn_until_attempt(char letter, unsigned number)
{
	const struct question *q = &questions[letter - 'a'];
	while (q->attempts < number && !was_impatient && !failures)
		turn_loop(LOOP_ONCE);
	expect_attempts(letter, number);
}

static void tries_again_by_result(struct subject *s)
{
	allow_retry(3, 1000);
	open_both(s, true, 2);
	put('a');
	reply('a', 'b');
	turn_until_attempt('a', 2);
	reply('a', 'b');
	turn_until_attempt('a', 3);
	expect_events("two bad results", "");
	reply('a', 'g');
	expect_events("two bad results, then a good one", "a");
	run_to_its_end();
	expect_attempts('a', 3);
	close_both();
}

static void tries_again_by_error(struct subject *s)
{
	allow_retry(3, 1000);
	open_both(s, true, 2);
	put('a');
	reply('a', 'e');
	turn_until_attempt('a', 2);
	reply('a', 'e');
	turn_until_attempt('a', 3);
	expect_events("two errors", "");
	reply('a', 'g');
	expect_events("two errors, then a result", "a");
	run_to_its_end();
	expect_attempts('a', 3);
	close_both();
}

static void what_is_tried_again_has_counted(struct subject *s)
{
	allow_retry(2, 1000 * NS_PER_S);
	open_both(s, true, 2);
	questions[0].at_once = questions[1].at_once = ".";
	put('a');
	put('b');
	expect(complete(questions[0].tickets[0], NULL),
	       WHEN("a result that is tried again") EXPECTED("true from operator_complete()")
		       SAW("false"));
	expect(operator_fail(questions[1].tickets[0], -EIO),
	       WHEN("an error that is tried again") EXPECTED("true from operator_fail()")
		       SAW("false"));
	let_out();
	expect_events("both pause", "");
	close_both();
}

static bool has_none(void *context, void *record, struct operator_results results)
{
	(void)context;
	expect_own_record(record);
	return results.count == 0;
}

static void tries_again_what_has_no_result(struct subject *s)
{
	allow_retry(2, 1000);
	config.retry.by_result = has_none;
	open_both(s, true, 2);
	questions[0].at_once = questions[1].at_once = "g";
	questions[0].result_count = 0;
	put('a');
	put('b');
	run_to_its_end();
	expect_events("no result, each time; and one", "-b");
	expect_attempts('a', 3);
	expect_attempts('b', 1);
	close_both();
}

static bool is_too_many(void *context, void *record, int error)
{
	(void)context;
	expect_own_record(record);
	return error == -E2BIG;
}

static void too_many_results_are_an_error_to_try_again(struct subject *s)
{
	allow_retry(2, 1000);
	config.retry.by_error = is_too_many;
	open_both(s, true, 1);
	questions[0].at_once = "g";
	questions[0].result_count = 2;
	put('a');
	run_to_its_end();
	expect_events("two results of at most one, each time", "!a");
	expect_attempts('a', 3);
	expect(failed_with == -E2BIG, EXPECTED("failed with %s") SAW("%s"), answer(-E2BIG),
	       answer(failed_with));
	close_both();
}

static void tries_again_only_what_is_asked_for(struct subject *s)
{
	allow_retry(3, 1000);
	open_both(s, true, 2);
	questions[0].at_once = "g";
	questions[1].at_once = "e";
	questions[1].error = -EPERM;
	put('a');
	put('b');
	run_to_its_end();
	expect_events("a good result, and an error that is not tried again", "!b");
	expect_attempts('a', 1);
	expect_attempts('b', 1);
	operator_close(op);
	memset(events, 0, sizeof events);
	config.retry.by_result = NULL;
	open_operator(true, 2);
	questions[2].at_once = "b";
	put('c');
	run_to_its_end();
	expect_events("a bad result, without by_result()", "?");
	operator_close(op);
	config.retry.by_error = NULL;
	config.retry.by_result = is_bad;
	open_operator(true, 2);
	questions[3].at_once = "e";
	put('d');
	run_to_its_end();
	expect_events("an error, without by_error()", "?!d");
	expect_attempts('d', 1);
	close_both();
}

static void the_last_attempt_counts_as_it_ends(struct subject *s)
{
	allow_retry(2, 1000);
	open_both(s, true, 2);
	questions[0].at_once = "b";
	questions[1].at_once = "e";
	put('a');
	run_to_its_end();
	expect_events("three bad results of three", "?");
	expect_attempts('a', 3);
	put('b');
	run_to_its_end();
	expect_events("three errors of three", "?!b");
	expect(failed_with == -EIO, EXPECTED("failed with -EIO") SAW("%s"), answer(failed_with));
	expect_attempts('b', 3);
	close_both();
}

static void note_attempt(struct question *q)
{
	if (q->attempts > 1)
		add_event('+');
}

static void pauses_before_it_tries_again(struct subject *s)
{
	allow_retry(1, 3 * NS_PER_MS);
	open_both(s, true, 2);
	on_attempt = note_attempt;
	questions[0].at_once = "bg";
	put('a');
	expect_too_late(questions[0].tickets[0], "during the pause");
	start_probes_around(3 * NS_PER_MS);
	turn_until_events(4);
	/* The pause was asked for before the probes, and so comes between them. */
	expect(strncmp(events, "x+", 2) == 0 && count_events('y') == 1 && count_events('a') == 1,
	       WHEN("probes around 3 ms, and a pause of 3 ms")
		       EXPECTED("the attempt ('+') between 'x' and 'y', and 'a'") SAW("\"%s\""),
	       events);
	close_both();
}

static const int64_t *expected_pauses_ns;

static void probe_each_pause(struct question *q)
{
	if (q->attempts > 1)
		add_event('+');
	if (expected_pauses_ns[q->attempts - 1])
		start_probes_around(expected_pauses_ns[q->attempts - 1]);
}

/* Four pauses, the first as `config` says, and 0. */
static void expect_pauses(struct subject *s, const char *when, const int64_t *pauses_ns)
{
	config.retry.attempts = 4;
	config.retry.pause_ns = pauses_ns[0];
	open_both(s, true, 2);
	expected_pauses_ns = pauses_ns;
	on_attempt = probe_each_pause;
	questions[0].at_once = "bbbbg";
	put('a');
	run_to_its_end();
	for (char *event = events; *event; event++)
		if (*event == 'a')
			memmove(event, event + 1, strlen(event)), event--;
	expect_events(when, "x+yx+yx+yx+y");
	close_both();
}

static void pauses_grow_up_to_a_limit(struct subject *s)
{
	static const int64_t pauses_ns[] = { 2 * NS_PER_MS, 4 * NS_PER_MS, 5 * NS_PER_MS,
					     5 * NS_PER_MS, 0 };
	allow_retry(4, 0);
	config.retry.factor = 2;
	config.retry.pause_max_ns = 5 * NS_PER_MS;
	expect_pauses(s, "probes around 2, 4, 5 and 5 ms", pauses_ns);
}

static void without_a_factor_pauses_are_equal(struct subject *s)
{
	static const int64_t pauses_ns[] = { 2 * NS_PER_MS, 2 * NS_PER_MS, 2 * NS_PER_MS,
					     2 * NS_PER_MS, 0 };
	allow_retry(4, 0);
	expect_pauses(s, "probes around 2 ms, four times", pauses_ns);
}

static void a_factor_below_1_makes_pauses_shorter(struct subject *s)
{
	static const int64_t pauses_ns[] = { 4 * NS_PER_MS, 2 * NS_PER_MS, NS_PER_MS, NS_PER_MS / 2,
					     0 };
	allow_retry(4, 0);
	config.retry.factor = 0.5;
	expect_pauses(s, "probes around 4, 2, 1 and 0.5 ms", pauses_ns);
}

static void the_least_limit_of_a_pause_is_1_ns(struct subject *s)
{
	static const int64_t pauses_ns[] = { NS_PER_MS, 1, 1, 1, 0 };
	allow_retry(4, 0);
	config.retry.pause_max_ns = 1;
	expect_pauses(s, "probes around 1 ms and three times 1 ns", pauses_ns);
}

static void a_pause_that_does_not_start_fails_the_operator(struct subject *s)
{
	allow_retry(1, NS_PER_MS);
	open_both(s, true, 1);
	questions[0].at_once = ".";
	put('a');
	fill_the_heap();
	expect(complete(questions[0].tickets[0], NULL),
	       EXPECTED("that its ticket counts") SAW("false"));
	empty_the_heap();
	run_to_its_end();
	expect_out_of_memory("a bad result, and no room for the pause's timer", "!a");
	close_both();
}

/* One of three pauses, another one has left, and the last one leaves or fails. */
static void no_pause_outlives_the_operator(struct subject *s)
{
	allow_retry(5, 500 * NS_PER_S);
	open_loop(s);
	for (unsigned round = 0; round < 6; round++) {
		struct question *pauses = &questions[round % 3],
				*leaves = &questions[(round + 1) % 3],
				*last = &questions[(round + 2) % 3];
		bool fails = round >= 3;
		open_operator(false, 3);
		for (unsigned i = 0; i < 3; i++) {
			questions[i].at_once = ".";
			questions[i].attempts = 0;
			put((char)('a' + i));
		}
		operator_fail(pauses->tickets[0], -EIO);
		complete(leaves->tickets[0], leaves);
		let_out();
		if (fails) {
			scene = "when the operator has failed while a record pauses";
			operator_fail(last->tickets[0], -EPERM);
			run_to_its_end();
		} else {
			scene = "when the operator was closed while a record pauses";
			complete(last->tickets[0], last);
			let_out();
		}
		operator_close(op);
		run_to_its_end();
		expect(pauses->attempts == 1, EXPECTED("no second attempt at '%c'") SAW("%u"),
		       pauses->letter, pauses->attempts);
	}
	open_operator(false, 1);
	close_both();
}

static void a_record_keeps_its_place_while_it_is_tried(struct subject *s)
{
	allow_retry(1, NS_PER_MS);
	open_both(s, true, 2);
	put('a');
	put('b');
	reply('a', 'b');
	reply('b', 'g');
	expect_events("ordered: the first pauses, the second is answered", "");
	expect_put(&questions[2], -EAGAIN, "beside one that pauses");
	turn_until_attempt('a', 2);
	reply('a', 'g');
	expect_events("ordered: the first is answered", "ab");
	operator_close(op);
	memset(events, 0, sizeof events);
	open_operator(false, 2);
	put('c');
	put('d');
	reply('c', 'e');
	reply('d', 'g');
	expect_events("unordered: the first pauses, the second is answered", "d");
	turn_until_attempt('c', 2);
	reply('c', 'g');
	expect_events("unordered: the first is answered", "dc");
	run_to_its_end();
	close_both();
}

static void the_time_is_over_all_attempts(struct subject *s)
{
	allow_retry(5, 0);
	config.timeout_ns = 400 * NS_PER_MS;
	config.timed_out = timed_out_with_answer;
	open_both(s, true, 2);
	questions[0].at_once = ".";
	put('a');
	start_probes_around(400 * NS_PER_MS);
	pass_time(NS_PER_MS);
	complete(questions[0].tickets[0], NULL);
	turn_until_events(5);
	expect_events("a bad answer after 1 ms, and probes around 400 ms from the put", "xTay?");
	expect_attempts('a', 2);
	close_both();
}

static void an_abandoned_attempt_is_too_late(struct subject *s)
{
	allow_retry(3, NS_PER_MS);
	open_both(s, true, 2);
	put('a');
	reply('a', 'e');
	turn_until_attempt('a', 2);
	expect_too_late(questions[0].tickets[0],
			"by the ticket of the first attempt, while the second is in flight");
	let_out();
	expect_events("the first attempt answered late", "");
	reply('a', 'e');
	turn_until_attempt('a', 3);
	expect_too_late(questions[0].tickets[0], "by the ticket of the first attempt of three");
	expect_too_late(questions[0].tickets[1], "by the ticket of the second attempt of three");
	reply('a', 'g');
	expect_events("the third attempt answered", "a");
	run_to_its_end();
	close_both();
}

static void timed_out_and_late(void *context, void *record, struct operator_ticket ticket)
{
	const struct question *q = record;
	expect(!operator_complete(q->tickets[q->attempts - 1], (void *[]) { record }, 1),
	       WHEN("in timed_out(), by the ticket of the attempt that took too long")
		       EXPECTED("false") SAW("true"));
	timed_out_with_answer(context, record, ticket);
}

static void a_timeout_abandons_the_attempt(struct subject *s)
{
	allow_retry(3, NS_PER_MS);
	config.timeout_ns = 2 * NS_PER_MS;
	config.timed_out = timed_out_and_late;
	open_both(s, true, 2);
	questions[0].at_once = ".";
	put('a');
	run_to_its_end();
	expect_events("a late answer, and one by timed_out()", "Ta?");
	expect_attempts('a', 1);
	close_both();
}

/* Exercise 5: the end, and a snapshot. */

static void ended_comes_once_and_last(struct subject *s)
{
	scene = "when all is out after operator_finish()";
	config.ended = ended;
	config.has_room = has_room;
	open_both(s, true, 2);
	put('a');
	put_watermark(1);
	is_inside_a_call = true;
	operator_finish(op);
	is_inside_a_call = false;
	expect_put(&questions[1], -EPIPE, "after operator_finish()");
	int rc = operator_put_watermark(op, 2);
	expect(rc == -EPIPE,
	       WHEN("a watermark after operator_finish()") EXPECTED("-EPIPE") SAW("%s"),
	       answer(rc));
	let_out();
	expect_events("one record is not answered", "");
	reply('a', 'g');
	run_to_its_end();
	expect_events("all is out", "a1E");
	operator_finish(op);
	run_to_its_end();
	expect_events("a second operator_finish()", "a1E");
	operator_close(op);
	memset(events, 0, sizeof events);
	open_operator(false, 1);
	is_inside_a_call = true;
	operator_finish(op);
	is_inside_a_call = false;
	run_to_its_end();
	expect_events("an operator in which nothing ever was", "E");
	close_both();
}

static void emit_and_finish(void *context, void *record, struct operator_results results)
{
	emit(context, record, results);
	operator_finish(op);
}

static void the_sink_may_finish(struct subject *s)
{
	struct reason why = { "" };
	config.ended = ended;
	open_both(s, true, 1);
	operator_close(op);
	config.emit = emit_and_finish;
	expect(operator_open(&op, &config, &why) == 0, "%s", why.text);
	questions[0].at_once = "g";
	put('a');
	run_to_its_end();
	let_out();
	expect_events("emit() of the last record calls operator_finish()", "aE");
	close_both();
}

static void at_the_end_pauses_are_cut_short(struct subject *s)
{
	scene = "when operator_finish() comes while records pause";
	allow_retry(5, 1000 * NS_PER_S);
	config.ended = ended;
	open_both(s, true, 3);
	questions[0].at_once = "b";
	questions[1].at_once = "eg";
	on_attempt = note_attempt;
	put('a');
	put('b');
	let_out();
	expect_attempts('a', 1);
	is_inside_a_call = true;
	operator_finish(op);
	is_inside_a_call = false;
	run_to_its_end();
	expect_events("two that paused are tried again ('+'): one is bad again", "++?bE");
	expect_attempts('a', 2);
	expect_attempts('b', 2);
	close_both();
}

/* The last attempt has no more time than any other. */
static void at_the_end_time_goes_on(struct subject *s)
{
	scene = "when the last attempt of all is never answered";
	allow_retry(5, 1000 * NS_PER_S);
	config.timeout_ns = 20 * NS_PER_MS;
	config.timed_out = timed_out_with_answer;
	config.ended = ended;
	open_both(s, true, 1);
	questions[0].at_once = "b.";
	put('a');
	operator_finish(op);
	run_to_its_end();
	expect_events("the last attempt is never answered", "Ta?E");
	expect_attempts('a', 2);
	close_both();
}

static void ended_may_be_left_out(struct subject *s)
{
	open_both(s, true, 1);
	questions[0].at_once = "g";
	put('a');
	operator_finish(op);
	run_to_its_end();
	expect_events("without an ended()", "a");
	close_both();
}

static void at_the_end_nothing_is_tried_again(struct subject *s)
{
	allow_retry(5, NS_PER_MS);
	config.ended = ended;
	open_both(s, true, 3);
	put('a');
	operator_finish(op);
	reply('a', 'b');
	run_to_its_end();
	expect_events("a bad result of what was in flight at the end", "?E");
	expect_attempts('a', 1);
	operator_close(op);
	memset(events, 0, sizeof events);
	open_operator(true, 2);
	put('b');
	operator_finish(op);
	reply('b', 'e');
	run_to_its_end();
	expect_events("an error of what was in flight at the end", "!b");
	close_both();
}

static void after_a_failure_nothing_is_tried_again(struct subject *s)
{
	allow_retry(5, NS_PER_MS);
	config.ended = ended;
	open_both(s, true, 3);
	questions[0].at_once = "b";
	questions[1].at_once = "e";
	questions[1].error = -EPERM;
	put('a');
	put('b');
	operator_finish(op);
	run_to_its_end();
	expect_events("an error beside one that pauses, and a finish", "!b");
	expect_attempts('a', 1);
	close_both();
}

static void *kept[8];
static unsigned kept_count;

static void keep_record(void *context, void *record)
{
	expect(context == kept, "another context");
	kept[kept_count++] = record;
}

static void keep_watermark(void *context, int64_t timestamp)
{
	expect(context == kept, "another context");
	kept[kept_count++] = (void *)(intptr_t)timestamp;
}

static void take_snapshot(void)
{
	kept_count = 0;
	operator_snapshot(op, keep_record, keep_watermark, kept);
}

static void a_snapshot_has_all_that_is_inside(struct subject *s)
{
	allow_retry(2, 1000 * NS_PER_S);
	open_both(s, true, 5);
	questions[1].at_once = ".";
	questions[2].at_once = "g";
	questions[3].at_once = "b";
	put('a');
	put('b'); /* in flight */
	put('c'); /* over */
	put_watermark(7);
	put('d'); /* pauses */
	reply('a', 'g');
	expect_events("the first has left", "a");
	take_snapshot();
	expect(kept_count == 4 && kept[0] == &questions[1] && kept[1] == &questions[2] &&
		       kept[2] == (void *)7 && kept[3] == &questions[3],
	       EXPECTED("'b', 'c', a watermark and 'd', in this order")
		       SAW("%u kept, or another order"),
	       kept_count);
	complete(questions[1].tickets[0], &questions[1]);
	let_out();
	expect_events("a snapshot changes nothing", "abc7");
	take_snapshot();
	expect(kept_count == 1 && kept[0] == &questions[3], EXPECTED("'d' alone") SAW("%u kept"),
	       kept_count);
	close_both();
}

static void what_was_kept_is_put_again(struct subject *s)
{
	open_both(s, false, 4);
	questions[0].at_once = ".";
	questions[1].at_once = "g";
	questions[2].at_once = "g";
	put('a');
	put_watermark(1);
	put('b');
	put('c');
	run_to_its_end();
	expect_events("a record holds up two that are over", "");
	take_snapshot();
	expect(kept_count == 4, EXPECTED("4 kept") SAW("%u"), kept_count);
	operator_close(op);
	open_operator(false, 4); /* full at once, by what was kept */
	questions[0].at_once = "g";
	put('a');
	put_watermark((intptr_t)kept[1]);
	put('b');
	put('c');
	expect_put(&questions[3], -EAGAIN, "full by what was kept");
	run_to_its_end();
	expect_events("each once", "a1bc");
	expect_attempts('b', 2);
	close_both();
}

static void a_snapshot_changes_nothing(struct subject *s)
{
	config.has_room = has_room;
	open_both(s, true, 1);
	put('a');
	expect_put(&questions[1], -EAGAIN, "full");
	take_snapshot();
	expect(kept_count == 1, EXPECTED("1 kept") SAW("%u"), kept_count);
	reply('a', 'g');
	expect_events("has_room() was owed when the snapshot was taken", "aR");
	run_to_its_end();
	close_both();
}

/* Exercise 6: three bugs in given code. */

static void note_and_probe_second(struct question *q)
{
	if (q->letter == 'b' && q->attempts == 1)
		start_probes_around(2 * NS_PER_MS);
	if (q->letter == 'b' && q->attempts == 2)
		add_event('+');
}

static void a_pause_belongs_to_one_record(struct subject *s)
{
	allow_retry(3, 2 * NS_PER_MS);
	config.retry.factor = 4;
	open_both(s, true, 2);
	on_attempt = note_and_probe_second;
	questions[0].at_once = "bbg";
	questions[1].at_once = "bg";
	put('a');
	put('b');
	turn_until_events(3);
	expect_events("the first pause of the second record, and probes around it", "x+y");
	memset(events, 0, sizeof events);
	run_to_its_end();
	expect_events("in the end", "ab");
	probe_count = 0;
	questions[1].attempts = 0;
	memset(events, 0, sizeof events);
	put('b');
	turn_until_events(3);
	expect(strncmp(events, "x+y", 3) == 0,
	       WHEN("a record long after, in a place whose pause has grown before")
		       EXPECTED("'+' between the probes around its first pause") SAW("\"%s\""),
	       events);
	run_to_its_end();
	close_both();
}

static void a_timeout_in_a_pause_ends_the_record(struct subject *s)
{
	scene = "when the time of a record is over while it pauses";
	allow_retry(9, 20 * NS_PER_MS);
	config.timeout_ns = 2 * NS_PER_MS;
	config.timed_out = timed_out_with_answer;
	open_both(s, true, 2);
	questions[0].at_once = "b";
	put('a');
	run_to_its_end();
	expect_events("its time is over while it pauses", "Ta?");
	expect_attempts('a', 1);
	expect(operator_in_flight(op) == 0, EXPECTED("none inside") SAW("%u"),
	       operator_in_flight(op));
	operator_close(op);
	memset(events, 0, sizeof events);
	config.timed_out = NULL;
	open_operator(true, 2);
	questions[0].attempts = 0;
	put('a');
	run_to_its_end();
	expect_events("the same without a timed_out()", "!a");
	expect(failed_with == -ETIMEDOUT, EXPECTED("failed with -ETIMEDOUT") SAW("%s"),
	       answer(failed_with));
	close_both();
}

static void timed_out_with_error(void *context, void *record, struct operator_ticket ticket)
{
	timed_out(context, record, ticket);
	operator_fail(ticket, -EIO);
}

static void timed_out_badly(void *context, void *record, struct operator_ticket ticket)
{
	timed_out(context, record, ticket);
	operator_complete(ticket, (void *[]) { NULL }, 1);
}

/* What timed_out() answers is final, even if it is something that would be tried again. */
static void after_a_timeout_nothing_is_tried_again(struct subject *s)
{
	allow_retry(5, NS_PER_MS);
	config.timeout_ns = 2 * NS_PER_MS;
	config.timed_out = timed_out_badly;
	open_both(s, true, 2);
	questions[0].at_once = ".";
	put('a');
	run_to_its_end();
	expect_events("timed_out() gives a result that is tried again otherwise", "Ta?");
	expect_attempts('a', 1);
	operator_close(op);
	memset(events, 0, sizeof events);
	config.timed_out = timed_out_with_error;
	open_operator(true, 2);
	questions[0].attempts = 0;
	put('a');
	run_to_its_end();
	expect_events("timed_out() gives an error that is tried again otherwise", "Ta!a");
	expect(failed_with == -EIO, EXPECTED("failed with that error, -EIO") SAW("%s"),
	       answer(failed_with));
	expect_attempts('a', 1);
	close_both();
}

#define EACH .over = "epoll io_uring libaio threads"
#define TEST(n, test)                                                                              \
	{                                                                                          \
		.name = #test, .exercise = n, .run = test, EACH                                    \
	}

const struct lab_test lab_tests[] = {
	TEST(1, answers_leave_in_the_order_of_records),
	TEST(1, nothing_is_called_inside_a_call),
	TEST(1, a_full_operator_says_when_it_has_room),
	TEST(1, back_pressure_keeps_a_stream_going),
	TEST(1, the_sink_may_put_the_next_record),
	TEST(1, a_record_has_none_one_or_many_results),
	TEST(1, only_the_first_completion_counts),
	TEST(1, a_ticket_is_never_good_again),
	TEST(1, a_turn_emits_a_batch_at_most),
	TEST(1, an_error_fails_the_operator_once),
	TEST(1, the_sink_may_fail_another_record),
	TEST(1, a_failure_holds_back_what_could_leave),
	TEST(1, calls_may_be_left_out),
	TEST(1, close_calls_nothing),
	TEST(1, allocates_when_it_opens_only),
	TEST(1, without_memory_it_does_not_open),
	TEST(1, sleeps_while_records_wait),
	TEST(1, wrong_settings_are_named),

	TEST(2, answers_leave_as_they_come),
	TEST(2, several_leave_in_the_order_of_their_answers),
	TEST(2, nothing_overtakes_a_watermark),
	TEST(2, in_order_watermarks_keep_their_place),
	TEST(2, a_watermark_takes_a_place),
	TEST(2, a_watermark_may_go_unheard),
	TEST(2, segments_go_on_for_ever),
	TEST(2, a_long_stream_keeps_the_rules),
	TEST(2, a_long_stream_stays_in_order),

	TEST(3, a_timeout_counts_from_put),
	TEST(3, without_an_answer_a_timeout_fails),
	TEST(3, a_timeout_may_answer),
	TEST(3, what_is_over_does_not_time_out),
	TEST(3, no_timer_stays),
	TEST(3, each_record_has_its_own_time),
	TEST(3, what_a_timeout_puts_has_its_whole_time),
	TEST(3, a_deadline_behind_one_that_left),
	TEST(3, a_list_of_deadlines_survives_everything),
	TEST(3, a_deadline_that_does_not_start_fails_the_operator),
	TEST(3, the_next_deadline_is_not_lost_when_memory_is_short),

	TEST(4, tries_again_by_result),
	TEST(4, tries_again_by_error),
	TEST(4, what_is_tried_again_has_counted),
	TEST(4, tries_again_what_has_no_result),
	TEST(4, too_many_results_are_an_error_to_try_again),
	TEST(4, tries_again_only_what_is_asked_for),
	TEST(4, the_last_attempt_counts_as_it_ends),
	TEST(4, pauses_before_it_tries_again),
	TEST(4, pauses_grow_up_to_a_limit),
	TEST(4, without_a_factor_pauses_are_equal),
	TEST(4, a_factor_below_1_makes_pauses_shorter),
	TEST(4, the_least_limit_of_a_pause_is_1_ns),
	TEST(4, a_pause_that_does_not_start_fails_the_operator),
	TEST(4, no_pause_outlives_the_operator),
	TEST(4, a_record_keeps_its_place_while_it_is_tried),
	TEST(4, the_time_is_over_all_attempts),
	TEST(4, an_abandoned_attempt_is_too_late),
	TEST(4, a_timeout_abandons_the_attempt),

	TEST(5, ended_comes_once_and_last),
	TEST(5, the_sink_may_finish),
	TEST(5, at_the_end_pauses_are_cut_short),
	TEST(5, at_the_end_time_goes_on),
	TEST(5, ended_may_be_left_out),
	TEST(5, at_the_end_nothing_is_tried_again),
	TEST(5, after_a_failure_nothing_is_tried_again),
	TEST(5, a_snapshot_has_all_that_is_inside),
	TEST(5, a_snapshot_changes_nothing),
	TEST(5, what_was_kept_is_put_again),

	TEST(6, a_pause_belongs_to_one_record),
	TEST(6, a_timeout_in_a_pause_ends_the_record),
	TEST(6, after_a_timeout_nothing_is_tried_again),
	{ NULL },
};
