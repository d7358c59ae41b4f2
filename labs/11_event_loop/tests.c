/* SPDX-License-Identifier: MIT */
/* Lab 11: what an event loop must do, over any engine, and by which calls of it. */
#include "loop_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

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
	struct io_op offers[8]; /* the first operations that it was offered */
	unsigned offer_count;
	int submit_fails, open_fails, attach_fails; /* what these answer; 0: the engine answers */
	struct engine_config opened, asked; /* as open() and supports() got them */
	unsigned attach_slot, detach_slot;
	int attach_fd;
	bool was_open_at_detach;
	enum io_fd_kind attach_kind, asked_kind;
	enum io_kind asked_op;
	unsigned closes;
	int in_flight, in_flight_at_close; /* operations */
	unsigned
		empty_reaps; /* so many calls of reap() that may wait bring nothing, as after a signal */
	int came_most; /* completions of one reap() */
	int interrupts; /* operations on this descriptor come back with -EINTR, once; 0: none */
	int raises; /* this signal comes just before the next reap() that may wait; 0: none */
} spy;

/* No engine has it. */
#define OPTION_OF_THE_TEST (UINT64_C(1) << 60)

/* A reason that no engine has. */
static int fail_as(int error, struct reason *why)
{
	return reason_errno(why, "as_the_test_wants", error, "the test wants it so");
}

static int spied_supports(const struct engine_config *config, enum io_kind kind,
			  enum io_fd_kind fd_kind, struct reason *why)
{
	struct engine_config known = *config;
	spy.asked = *config;
	spy.asked_op = kind;
	spy.asked_kind = fd_kind;
	known.options &= ~OPTION_OF_THE_TEST;
	return below->supports(&known, kind, fd_kind, why);
}

static int spied_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	struct engine_config known = *config;
	spy.opened = *config;
	known.options &= ~OPTION_OF_THE_TEST;
	return spy.open_fails ? fail_as(spy.open_fails, why) : below->open(engine, &known, why);
}

static int spied_attach(struct engine *engine, unsigned slot, int fd, enum io_fd_kind kind,
			struct reason *why)
{
	spy.attach_slot = slot;
	spy.attach_fd = fd;
	spy.attach_kind = kind;
	if (spy.attach_fails)
		return fail_as(spy.attach_fails, why);
	return below->attach ? below->attach(engine, slot, fd, kind, why) : 0;
}

static void spied_detach(struct engine *engine, unsigned slot)
{
	spy.detach_slot = slot;
	spy.was_open_at_detach = fcntl(spy.attach_fd, F_GETFD) >= 0;
	if (below->detach)
		below->detach(engine, slot);
}

static int spied_submit(struct engine *engine, struct io_op *const *ops, unsigned count)
{
	spy.submits++;
	spy.offered += count;
	for (unsigned i = 0; i < count && spy.offer_count < 8; i++)
		spy.offers[spy.offer_count++] = *ops[i];
	if (spy.submit_fails)
		return spy.submit_fails;
	if (count > spy.offered_most)
		spy.offered_most = count;
	if (spy.accepts_most && count > spy.accepts_most)
		count = spy.accepts_most;
	int accepted = below->submit(engine, ops, count);
	spy.in_flight += accepted;
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
	if (spy.fails)
		return spy.fails;
	if (min > 0 && spy.empty_reaps > 0) {
		spy.empty_reaps--;
		return 0;
	}
	bool raises = spy.raises && min > 0 && timeout_ns != 0;
	if (raises)
		raise(spy.raises);
	int count = below->reap(engine, done, min, max, timeout_ns);
	expect(!raises || count > 0,
	       WHEN("%s") EXPECTED("a byte that ends reap()") SAW("none until something else did"),
	       scene);
	if (raises)
		spy.raises = 0;
	spy.in_flight -= count;
	if (count > spy.came_most)
		spy.came_most = count;
	for (int i = 0; i < count; i++)
		if (spy.interrupts && done[i]->fd == spy.interrupts) {
			done[i]->result = -EINTR;
			spy.interrupts = 0;
		}
	return count;
}

static void spied_cancel_one(struct engine *engine, struct io_op *op)
{
	spy.cancels++;
	below->cancel_one(engine, op);
}

/* An engine that fails gives nothing back to the loop: what is in flight ends here. */
static void spied_close(struct engine *engine)
{
	struct io_op *done[8];
	spy.closes++;
	spy.in_flight_at_close = spy.in_flight;
	if (spy.fails)
		below->reap(engine, done, 1, 8, NS_PER_S);
	below->close(engine);
}

/* One loop, one pair of sockets: the loop has ends[0]. */
static int ends[2] = { -1, -1 };
static unsigned fd_slot;

#define BUFFERS_BYTES 4096

static struct event_loop_config spied_config(struct subject *s, unsigned depth, unsigned max_fds)
{
	need_support(s, IO_RECV, IO_FD_SOCKET);
	below = s->ops;
	spied = *s->ops;
	spied.supports = spied_supports;
	spied.open = spied_open;
	spied.attach = s->ops->attach ? spied_attach : NULL;
	spied.detach = s->ops->detach ? spied_detach : NULL;
	spied.submit = spied_submit;
	spied.reap = spied_reap;
	spied.cancel_one = s->ops->cancel_one ? spied_cancel_one : NULL;
	spied.close = spied_close;
	return (struct event_loop_config) {
		.engine = &spied,
		.options = s->options | OPTION_OF_THE_TEST,
		.depth = depth,
		.max_fds = max_fds,
		.buffers_len_bytes = BUFFERS_BYTES,
	};
}

static void open_loop(struct subject *s, unsigned depth, unsigned max_fds)
{
	struct event_loop_config config = spied_config(s, depth, max_fds);
	open_loop_under_test(&config);
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

/* What is called in each turn is forgotten, so that there is room for the others. */
static void forget_calls_of(char letter)
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
		turn_loop(how);
		if (strlen(calls) > 300)
			forget_calls_of(own_letter);
	}
	expect(!was_impatient,
	       WHEN("beside calls of '%c', each of which asks for the next")
		       EXPECTED("a call of '%c'") SAW("none in %d ms"),
	       own_letter, letter, PATIENCE_MS);
}

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
	run_to_its_end();
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
	run_to_its_end();
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
	turn_loop(LOOP_POLL);
	expect(spy.submits == 1 && spy.offered_most == 8,
	       EXPECTED("one submit() of 8 operations") SAW("%u calls, with up to %u"), spy.submits,
	       spy.offered_most);
	run_to_its_end();
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
		turn_loop(LOOP_ONCE);
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
	run_to_its_end();
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
	run_to_its_end();
	expect(strlen(calls) == 3, EXPECTED("3 calls") SAW("\"%s\""), calls);
	expect(try_receive(on_done, LETTER('x')),
	       WHEN("after they ended") EXPECTED("a handle") SAW("NULL"));
	peer_sends(ends[1], "x", 1);
	run_to_its_end();
	close_pair();
	close_loop();
}

static void a_batch_has_a_limit(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	peer_sends(ends[1], "x", 1);
	run_to_its_end();
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
	run_to_its_end();
	expect_calls("after the engine works again", "r");
	close_pair();
	close_loop();
}

static void expect_reason(const char *when, int rc, int expected, const struct reason *why,
			  const char *id)
{
	expect(rc == expected && strcmp(why->id, id) == 0,
	       WHEN("%s") EXPECTED("%s with the reason %s") SAW("%s with \"%s\": %s"), when,
	       errno_name(-expected), id, answer(rc), why->id, why->text);
}

/* CPUs that this process may use. */
static unsigned cpu_count(void)
{
	cpu_set_t allowed;
	CPU_ZERO(&allowed);
	expect(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity");
	return (unsigned)CPU_COUNT(&allowed);
}

static int supports_nothing(const struct engine_config *config, enum io_kind kind,
			    enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	(void)fd_kind;
	return fail_as(EOPNOTSUPP, why);
}

static void opens_the_engine_as_asked(struct subject *s)
{
	open_loop(s, 3, 2);
	const struct engine_config *c = &spy.opened;
	expect(c->depth == 4 && c->max_fds == 3,
	       WHEN("with a depth of 3 and 2 descriptors")
		       EXPECTED("room for one more of each, the loop's own")
			       SAW("an engine with depth %u and %u descriptors"),
	       c->depth, c->max_fds);
	expect(c->cpu_count == cpu_count() && c->options == (s->options | OPTION_OF_THE_TEST),
	       EXPECTED("the engine's options, and %u CPUs") SAW("other options, or %u CPUs"),
	       cpu_count(), c->cpu_count);
	close_loop();
	expect(spy.closes == 1, EXPECTED("one close() of the engine") SAW("%u"), spy.closes);
}

static void *given_back;

static void spied_give_back(struct engine *engine, void *buf)
{
	(void)engine;
	given_back = buf;
}

static void buffers_are_lent_by_the_engine(struct subject *s)
{
	char buf;
	struct reason why = { "" };
	struct event_loop_config config = spied_config(s, 3, 2);
	config.lent_count = 1;
	config.lent_len_bytes = 64;
	spied.give_back = NULL;
	int rc = event_loop_open(&loop, &config, &why);
	expect(rc == -EOPNOTSUPP && why.text[0] && spy.opened.depth == 0,
	       WHEN("over an engine that lends nothing")
		       EXPECTED("-EOPNOTSUPP with a reason, and no open() of the engine")
			       SAW("%s: %s"),
	       answer(rc), why.text);
	if (!s->ops->give_back)
		return;
	spied.give_back = spied_give_back;
	open_loop_under_test(&config);
	expect(spy.opened.lent_count == 1 && spy.opened.lent_len_bytes == 64,
	       EXPECTED("one buffer of 64 bytes asked of the engine") SAW("%u of %u"),
	       spy.opened.lent_count, spy.opened.lent_len_bytes);
	event_loop_give_back(loop, &buf);
	expect(given_back == &buf,
	       EXPECTED("what was given back, at the engine") SAW("another, or none"));
	close_loop();
}

static void passes_questions_on_to_the_engine(struct subject *s)
{
	struct reason why = { "" };
	open_loop(s, 3, 2);
	struct engine_config known = spy.opened;
	known.options &= ~OPTION_OF_THE_TEST;
	int expected = s->ops->supports(&known, IO_NOP, IO_FD_NONE, &why);
	int rc = event_loop_supports(loop, IO_NOP, IO_FD_NONE, &why);
	expect(rc == expected && spy.asked_op == IO_NOP && spy.asked_kind == IO_FD_NONE,
	       WHEN("asked for a NOP") EXPECTED("the engine's %s") SAW("%s"), answer(expected),
	       answer(rc));
	const struct engine_config *c = &spy.asked;
	expect(c->depth == 4 && c->cpu_count == cpu_count() &&
		       c->options == (s->options | OPTION_OF_THE_TEST),
	       EXPECTED("a question about the engine as it was opened") SAW("about another"));
	expect(event_loop_wants_nonblocking(loop) == !!(s->ops->traits & IO_TRIES_CONNECTIONS),
	       EXPECTED("the engine's wish for a non-blocking listener") SAW("the opposite"));
	event_loop_supports(loop, IO_SEND, IO_FD_SOCKET, &why);
	expect(spy.asked_op == IO_SEND && spy.asked_kind == IO_FD_SOCKET,
	       EXPECTED("a question about sending on a socket") SAW("about something else"));
	spied.supports = supports_nothing;
	rc = event_loop_supports(loop, IO_SEND, IO_FD_SOCKET, &why);
	expect_reason("of an engine that cannot", rc, -EOPNOTSUPP, &why, "as_the_test_wants");
	close_loop();
}

/* Whole pages, with room for the loop's own receive behind what the program asked for. */
static void buffers_are_pages(struct subject *s)
{
	static const struct {
		size_t asked_bytes, arena_bytes;
	} cases[] = { { 0, 4096 }, { 1, 8192 }, { 4096, 8192 }, { 4097, 12288 } };
	struct reason why = { "" };
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len_bytes = cases[i].arena_bytes;
		struct event_loop_config config = spied_config(s, 1, 1);
		config.buffers_len_bytes = cases[i].asked_bytes;
		expect(event_loop_open(&loop, &config, &why) == 0, "%s", why.text);
		char *buffers = event_loop_buffers(loop);
		expect(spy.opened.arena == buffers && (uintptr_t)buffers % 4096 == 0 &&
			       spy.opened.arena_len_bytes == len_bytes,
		       WHEN("for %zu bytes") EXPECTED("%zu, in pages, as the engine's arena")
			       SAW("%zu"),
		       cases[i].asked_bytes, len_bytes, spy.opened.arena_len_bytes);
		for (size_t at = 0; at < len_bytes; at++)
			expect(buffers[at] == 0, EXPECTED("zeroed buffers") SAW("others"));
		memset(buffers, 1, len_bytes);
		event_loop_close(loop);
		unsigned char is_there;
		for (size_t at = 0; at < len_bytes; at += 4096)
			expect(mincore(buffers + at, 4096, &is_there) < 0 && errno == ENOMEM,
			       WHEN("after event_loop_close()") EXPECTED("no buffers")
				       SAW("page %zu"),
			       at / 4096);
	}
}

static void what_cannot_open_says_why(struct subject *s)
{
	struct reason why = { "" };
	struct event_loop_config config = spied_config(s, 0, 1);
	int rc = event_loop_open(&loop, &config, &why);
	expect_reason("without a depth", rc, -EINVAL, &why, "no_depth");
	config.depth = 1;
	config.buffers_len_bytes = (size_t)1 << 60;
	rc = event_loop_open(&loop, &config, &why);
	expect_reason("with more buffers than there is memory", rc, -ENOMEM, &why, "no_memory");
	expect(spy.opened.depth == 0, EXPECTED("no open() of the engine") SAW("one"));
	config.buffers_len_bytes = 0;
	spy.open_fails = -EIO;
	rc = event_loop_open(&loop, &config, &why);
	expect_reason("when the engine does not open", rc, -EIO, &why, "as_the_test_wants");
	expect(spy.closes == 0, EXPECTED("no close() of the engine") SAW("%u"), spy.closes);
	spy.open_fails = 0;
	rc = event_loop_open(&loop, &config, &why);
	expect(rc == 0, WHEN("at last") EXPECTED("0 from event_loop_open()") SAW("%s: %s"),
	       answer(rc), why.text);
	event_loop_close(loop);
}

static int sockets[3];

static int attach_socket(unsigned i, struct reason *why)
{
	return event_loop_attach(loop, sockets[i], IO_FD_SOCKET, why);
}

static void descriptors_have_places(struct subject *s)
{
	struct reason why = { "" };
	open_loop(s, 1, 2);
	spied.attach = spied_attach;
	spied.detach = spied_detach;
	for (unsigned i = 0; i < 3; i++)
		expect((sockets[i] = socket(AF_UNIX, SOCK_DGRAM, 0)) >= 0, "socket");
	spy.attach_fails = -EIO;
	for (unsigned i = 0; i < 3; i++)
		expect_reason("when the engine does not take it", attach_socket(0, &why), -EIO,
			      &why, "as_the_test_wants");
	spy.attach_fails = 0;
	int first = attach_socket(0, &why);
	expect(first >= 0 && spy.attach_slot == (unsigned)first && spy.attach_fd == sockets[0] &&
		       spy.attach_kind == IO_FD_SOCKET,
	       EXPECTED("an attach() of the engine with number, descriptor and kind")
		       SAW("other values, or %s"),
	       answer(first));
	event_loop_detach(loop, (unsigned)first);
	expect(spy.detach_slot == (unsigned)first, EXPECTED("its detach()") SAW("another's"));
	int other = attach_socket(0, &why);
	expect(other >= 0 && other != first,
	       WHEN("while another number is free")
		       EXPECTED("a rest for the one that was just used") SAW("%s again"),
	       answer(other));
	int second = attach_socket(1, &why);
	expect(second == first, EXPECTED("the other number") SAW("%s"), answer(second));
	expect_reason("with more than max_fds", attach_socket(2, &why), -EMFILE, &why,
		      "too_many_descriptors");
	expect(why.values[0].integer == 2, EXPECTED("room for 2, in the reason") SAW("%lld"),
	       (long long)why.values[0].integer);
	event_loop_detach(loop, (unsigned)second);
	expect(attach_socket(2, &why) == second, EXPECTED("the number again") SAW("another"));
	event_loop_detach(loop, (unsigned)second);
	event_loop_detach(loop, (unsigned)other);
	int listener = event_loop_attach(loop, sockets[0], IO_FD_LISTENER, &why);
	expect(listener >= 0 && spy.attach_kind == IO_FD_LISTENER,
	       WHEN("when a listener is attached") EXPECTED("that the engine is told so")
		       SAW("another kind, or %s"),
	       answer(listener));
	event_loop_detach(loop, (unsigned)listener);
	for (unsigned i = 0; i < 3; i++)
		close(sockets[i]);
	close_loop();
}

static void operations_reach_the_engine_whole(struct subject *s)
{
	open_loop_with_pair(s);
	char *buf = (char *)event_loop_buffers(loop) + 64;
	struct loop_request request = {
		.kind = IO_SEND, .fd_slot = fd_slot, .buf = buf, .len_bytes = 5, .offset = 7
	};
	struct loop_request receives = {
		.kind = IO_RECV, .fd_slot = fd_slot, .buf = buf + 64, .len_bytes = 9
	};
	expect(event_loop_start(loop, &request, on_done, LETTER('s')), "a send");
	expect(event_loop_start(loop, &receives, on_done, LETTER('r')), "a receive");
	peer_sends(ends[1], "x", 1);
	run_to_its_end();
	const struct io_op *send = &spy.offers[0], *receive = &spy.offers[1];
	expect(send->kind == IO_SEND && send->fd == ends[0] && send->fd_slot == fd_slot &&
		       send->buf == buf && send->len_bytes == 5 && send->offset == 7,
	       EXPECTED("the send as it was asked for") SAW("another operation"));
	expect(receive->kind == IO_RECV && receive->fd == ends[0] && receive->buf == buf + 64 &&
		       receive->len_bytes == 9,
	       EXPECTED("the receive as it was asked for") SAW("another operation"));
	expect(send->slot < spy.opened.depth && receive->slot < spy.opened.depth &&
		       send->slot != receive->slot,
	       EXPECTED("slots of their own below the depth") SAW("%u and %u"), send->slot,
	       receive->slot);
	expect(strlen(calls) == 2, EXPECTED("2 calls") SAW("\"%s\""), calls);
	close_pair();
	close_loop();
}

/* Each place of an operation is used for a descriptor and for nothing, in turn. */
static void no_ops_have_no_descriptor(struct subject *s)
{
	open_loop(s, 1, 1);
	need_support(s, IO_NOP, IO_FD_NONE);
	attach_pair();
	struct loop_request nop = { .kind = IO_NOP };
	for (unsigned i = 0; i < 4; i++) {
		expect(event_loop_start(loop, &nop, on_done, LETTER('n')), "a NOP");
		run_to_its_end();
		start_no_ops(1);
		run_to_its_end();
	}
	expect_calls("a NOP and a send, four times", "nananana");
	expect(spy.offers[0].fd == -1, EXPECTED("a NOP with descriptor -1") SAW("%d"),
	       spy.offers[0].fd);
	close_pair();
	close_loop();
}

static void an_error_of_submit_ends_the_run(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	spy.submit_fails = -EIO;
	int rc = event_loop_run(loop, LOOP_RUN);
	expect(rc == -EIO && spy.reaps == 0,
	       WHEN("when submit() answers -EIO")
		       EXPECTED("-EIO from event_loop_run(), and no reap()")
			       SAW("%s, after %u calls of reap()"),
	       answer(rc), spy.reaps);
	spy.submit_fails = 0;
	peer_sends(ends[1], "x", 1);
	run_to_its_end();
	expect_calls("after the engine works again", "r");
	close_pair();
	close_loop();
}

/* The last one in flight is asked back; the engine's own end is not the loop's to wait for. */
static void closes_with_operations_in_flight(struct subject *s)
{
	for (int fails = 0; fails >= -EIO; fails -= EIO) {
		open_loop_with_pair(s);
		receive(on_done, LETTER('r'));
		turn_loop(LOOP_POLL);
		spy.fails = fails;
		close_loop();
		spy.fails = 0;
		expect_calls("given up by event_loop_close()", "");
		expect(fcntl(ends[0], F_GETFD) >= 0,
		       EXPECTED("an attached descriptor that stays open") SAW("a closed one"));
		close(ends[0]);
		close(ends[1]);
	}
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
	run_to_its_end();
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
	run_to_its_end();
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
	run_to_its_end();
	expect(in_order_count == COUNT, EXPECTED("%d calls") SAW("%u"), COUNT, in_order_count);
	close_loop();
	free(timers);
}

/*
 * What fills a hole in the middle goes down from there, among the children of that place and no others: the first
 * child of the next place is sooner here than the parent of the hole.
 */
static void a_hole_is_filled_from_below(struct subject *s)
{
	/* How often, and how late, in the order of their places: each is later than its parent. */
	static const struct {
		unsigned count, delay;
	} rows[] = { { 1, 0 },	{ 1, 100 }, { 1, 5 },	 { 2, 50 }, { 4, 200 }, { 1, 6 },
		     { 3, 60 }, { 8, 300 }, { 16, 400 }, { 1, 7 },  { 3, 8 },	{ 1, 500 } };
	static struct loop_timer timers[42];
	unsigned count = 0;
	open_loop(s, 1, 1);
	for (unsigned row = 0; row < sizeof rows / sizeof *rows; row++)
		for (unsigned i = 0; i < rows[row].count; i++) {
			struct loop_timer *timer = &timers[count++];
			*timer = (struct loop_timer) { .call = on_call_in_order, .context = timer };
			start_timer(timer, rows[row].delay * NS_PER_US, 0);
		}
	start_timer(&timers[8], 600 * NS_PER_US, 0); /* it leaves its place for the last one */
	last_due_ns = 0;
	in_order_count = 0;
	run_to_its_end();
	expect(in_order_count == count, EXPECTED("%u calls in the order of their times") SAW("%u"),
	       count, in_order_count);
	close_loop();
}

static void starting_twice_restarts(struct subject *s)
{
	struct loop_timer a = TIMER('a'), b = TIMER('b');
	open_loop(s, 1, 1);
	start_timer(&a, 1000, 0);
	start_timer(&b, 2000, 0);
	start_timer(&a, 3000, 0);
	run_to_its_end();
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

static void starting_again_changes_all(struct subject *s)
{
	struct loop_timer a = TIMER('a'), b = TIMER('b');
	open_loop(s, 1, 1);
	start_timer(&a, 1000, 1000);
	start_timer(&a, 2000, 0); /* it repeats no more */
	turn_until_called(1);
	run_to_its_end();
	expect_calls("a timer that repeated before it was started again", "a");
	forget_calls();
	/* What cannot start leaves what there is. */
	start_timer(&a, 2000, 0);
	int rc = event_loop_timer_start(loop, &a, -1, 0);
	expect(rc == -EINVAL, WHEN("a delay below 0") EXPECTED("-EINVAL") SAW("%s"), answer(rc));
	run_to_its_end();
	expect_calls("an active timer, after a start that was refused", "a");
	forget_calls();
	/* The delay counts from the turn's time, however long a callback has computed. */
	event_loop_update_now(loop);
	start_timer(&a, NS_PER_MS + 1000, 0);
	uint64_t until_ns = clock_ns() + 50000;
	while (clock_ns() < until_ns)
		;
	start_timer(&b, NS_PER_MS, 0);
	run_to_its_end();
	expect_calls("the second was started 50 us after the first, in the same turn", "ba");
	close_loop();
}

static void what_is_refused_leaves_the_timer(struct subject *s)
{
	static const struct {
		int64_t delay_ns, repeat_ns;
	} refused[] = { { -1, 0 }, { -1, 10 * NS_PER_S }, { 0, -1 }, { 10 * NS_PER_S, -1 } };
	struct loop_timer beats = TIMER('b'), once = TIMER('o');
	scene = "when a timer repeats every 20 us, and a start of it was refused";
	open_loop(s, 1, 1);
	start_timer(&beats, 0, 20 * NS_PER_US);
	for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
		int rc = event_loop_timer_start(loop, &beats, refused[i].delay_ns,
						refused[i].repeat_ns);
		expect(rc == -EINVAL,
		       WHEN("a delay or a pause below 0") EXPECTED("-EINVAL") SAW("%s"),
		       answer(rc));
		turn_until_called(2 * (i + 1));
	}
	event_loop_timer_stop(loop, &beats);
	forget_calls();
	start_timer(&once, 1000, 0);
	int rc = event_loop_timer_again(loop, &once);
	expect(rc == -EINVAL, WHEN("begun again without a pause") EXPECTED("-EINVAL") SAW("%s"),
	       answer(rc));
	run_to_its_end();
	expect_calls("a timer that could not be begun again", "o");
	close_loop();
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
	run_to_its_end();
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
	turn_loop(LOOP_POLL);
	expect_calls("after one turn", "t");
	turn_loop(LOOP_POLL);
	expect_calls("after two turns", "tt");
	run_to_its_end();
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
	run_to_its_end();
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
	run_to_its_end();
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
	turn_loop(LOOP_POLL);
	expect_calls("when the first of four that are due stops the others", "k");
	run_to_its_end();
	expect_calls("at the end", "k1");
	close_loop();
}

static struct loop_timer beat;
static unsigned beats_most;

static void on_beat(struct event_loop *its_loop, void *letter)
{
	uint64_t left_ns = beat.due_ns - event_loop_now_ns(its_loop);
	on_call(its_loop, letter);
	expect(left_ns > 0 && left_ns <= NS_PER_MS,
	       WHEN("in a call of the timer") EXPECTED("the first beat after now as its next one")
		       SAW("one in %llu ns"),
	       (unsigned long long)left_ns);
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
	run_to_its_end();
	expect_calls("stopped by its own fifth call", "bbbbb");
	uint64_t off_ns = (beat.due_ns - first_ns) % NS_PER_MS;
	expect(off_ns == 0, EXPECTED("whole pauses since the first beat") SAW("%llu ns more"),
	       (unsigned long long)off_ns);
	int rc = event_loop_timer_again(loop, &beat);
	expect(rc == 0 && beat.due_ns == event_loop_now_ns(loop) + NS_PER_MS,
	       WHEN("begun again") EXPECTED("a beat one pause from now") SAW("another time, or %s"),
	       answer(rc));
	rc = event_loop_timer_again(loop, &beat);
	expect(rc == 0 && beat.due_ns == event_loop_now_ns(loop) + NS_PER_MS,
	       WHEN("begun again while it is active") EXPECTED("a beat one pause from now")
		       SAW("another time, or %s"),
	       answer(rc));
	event_loop_timer_stop(loop, &beat);
	forget_calls();
	struct loop_timer least = TIMER('l');
	start_timer(&least, 0, 1);
	turn_until_called(1);
	expect(event_loop_timer_is_active(&least),
	       WHEN("with a pause of 1 ns") EXPECTED("another beat") SAW("the end"));
	event_loop_timer_stop(loop, &least);
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
			turn_loop(LOOP_ONCE);
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
	rc = event_loop_timer_start(loop, &b, 0, -1);
	expect(rc == -EINVAL, WHEN("a pause below 0") EXPECTED("-EINVAL") SAW("%s"), answer(rc));
	turn_until_called(1);
	for (unsigned i = 0; i < 20; i++)
		turn_loop(LOOP_POLL);
	expect_calls("with two timers that are never due", "c");
	event_loop_timer_stop(loop, &a);
	event_loop_timer_stop(loop, &c);
	close_loop();
}

/* In place of libc's, which the heap asks for room. */
static bool memory_is_short;

void *reallocarray(void *old, size_t count, size_t size_bytes)
{
	if (memory_is_short) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, count * size_bytes);
}

enum { MANY = 300 };
static struct loop_timer many[MANY];

/* Starts timers until memory is short. Returns how many it started, in the order of their letters. */
static unsigned fill_heap(int64_t delay_ns, int64_t repeat_ns, loop_call *call)
{
	unsigned count = 0;
	int rc = 0;
	memset(many, 0, sizeof many);
	for (; count < MANY; count++) {
		many[count].call = call;
		many[count].context = LETTER('t');
		rc = event_loop_timer_start(loop, &many[count], delay_ns, repeat_ns);
		if (rc < 0)
			break;
		memory_is_short = true; /* the first had its room */
	}
	expect(rc == -ENOMEM && count > 0, EXPECTED("timers, and then -ENOMEM") SAW("%s after %u"),
	       answer(rc), count);
	expect(!event_loop_timer_is_active(&many[count]),
	       EXPECTED("a timer that did not start") SAW("an active one"));
	return count;
}

static void without_memory_a_timer_does_not_start(struct subject *s)
{
	struct loop_timer first = TIMER('f');
	open_loop(s, 1, 1);
	memory_is_short = true;
	int rc = event_loop_timer_start(loop, &first, 0, 0);
	expect(rc == -ENOMEM, WHEN("without any memory") EXPECTED("-ENOMEM") SAW("%s"), answer(rc));
	first.repeat_ns = 1000; /* as if it had repeated before */
	rc = event_loop_timer_again(loop, &first);
	expect(rc == -ENOMEM, WHEN("begun again without any memory") EXPECTED("-ENOMEM") SAW("%s"),
	       answer(rc));
	run_to_its_end(); /* nothing is alive */
	memory_is_short = false;
	unsigned count = fill_heap(1000, 0, on_call);
	event_loop_timer_stop(loop, &many[0]);
	start_timer(&many[0], 1000, 0); /* a place that became free */
	run_to_its_end();
	expect(strlen(calls) == count, EXPECTED("%u calls") SAW("%zu"), count, strlen(calls));
	close_loop();
}

static void on_call_start_more(struct event_loop *its_loop, void *letter)
{
	static struct loop_timer more[2] = { TIMER('m'), TIMER('m') };
	on_call(its_loop, letter);
	if (strlen(calls) == 1)
		for (unsigned i = 0; i < 2; i++)
			event_loop_timer_start(its_loop, &more[i], 10 * NS_PER_S, 0);
}

static unsigned places_of_heap(void)
{
	unsigned count = fill_heap(10 * NS_PER_S, 0, on_call);
	for (unsigned i = 0; i < count; i++)
		event_loop_timer_stop(loop, &many[i]);
	return count;
}

/* Whether it is called, stopped or started anew in its turn, a timer gives its place back. */
static void places_come_back(struct subject *s)
{
	struct loop_timer killer = { .call = on_call_stop_the_others, .context = LETTER('k') };
	open_loop(s, 1, 1);
	unsigned before = places_of_heap();
	for (unsigned round = 0; round < 3; round++) {
		start_timer(&killer, 0, 0);
		for (unsigned i = 0; i < 3; i++) {
			victims[i] = (struct loop_timer)TIMER('0' + i);
			start_timer(&victims[i], 0, i == 2 ? 1000 : 0);
		}
		run_to_its_end();
	}
	expect_calls("three rounds of four timers, one of which stops the others", "k1k1k1");
	unsigned after = places_of_heap();
	expect(after == before, EXPECTED("%u places in the heap, as before") SAW("%u"), before,
	       after);
	close_loop();
}

/* All that repeat are due in one turn. Their places stay theirs while they are called. */
static void a_beat_needs_no_memory(struct subject *s)
{
	open_loop(s, 1, 1);
	unsigned count = fill_heap(0, NS_PER_S, on_call_start_more);
	turn_loop(LOOP_POLL);
	expect(strlen(calls) == count, EXPECTED("%u calls") SAW("%zu"), count, strlen(calls));
	for (unsigned i = 0; i < count; i++)
		expect(event_loop_timer_is_active(&many[i]),
		       WHEN("without memory for other timers")
			       EXPECTED("a repeating timer that goes on") SAW("one at rest"));
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
	run_to_its_end();
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
	turn_loop(LOOP_POLL);
	expect_calls("when the first defers itself and takes the second back", "ac");
	turn_loop(LOOP_POLL);
	expect_calls("a turn later", "aca");
	event_loop_undefer(loop, &deferred[0]);
	event_loop_undefer(loop, &deferred[0]); /* nothing */
	run_to_its_end();
	expect_calls("after all were taken back", "aca");
	close_loop();
}

static void a_turn_has_an_order(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop_with_pair(s);
	prepare_deferred(on_call);
	receive(on_done, LETTER('r'));
	turn_loop(LOOP_POLL);
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
	run_to_its_end();
	close_pair();
	close_loop();
}

static void runs_once_and_without_waiting(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop_with_pair(s);
	prepare_deferred(on_call);
	receive(on_done, LETTER('r'));
	turn_loop(LOOP_POLL);
	event_loop_defer(loop, &deferred[0]);
	turn_loop(LOOP_POLL);
	start_timer(&timer, 0, 0);
	turn_loop(LOOP_ONCE); /* which calls the timer, and so does not wait */
	expect_calls("two turns beside a receive that waits", "at");
	event_loop_defer(loop, &deferred[0]);
	turn_loop(LOOP_ONCE);
	expect_calls("a turn more, with a deferred call", "ata");
	expect(spy.waits == 0, EXPECTED("no wait") SAW("%u that may wait"), spy.waits);
	peer_sends(ends[1], "x", 1);
	turn_until_called(4);
	expect(spy.waits >= 1,
	       WHEN("LOOP_ONCE with nothing to call") EXPECTED("a wait") SAW("none"));
	close_pair();
	close_loop();
}

static void ends_when_nothing_is_alive(struct subject *s)
{
	struct loop_timer background = TIMER('b'), timer = TIMER('f');
	open_loop(s, 1, 1);
	run_to_its_end();
	background.background = true;
	start_timer(&background, 10 * NS_PER_S, 0);
	run_to_its_end();
	expect_calls("with a timer in the background alone", "");
	start_timer(&timer, 1000, 0);
	start_timer(&background, 0, 0);
	run_to_its_end();
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
	turn_loop(LOOP_POLL);
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
	run_to_its_end();
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
	turn_loop(LOOP_RUN);
	expect_calls("a slow deferred call and a timer", "at");
	expect(spy.waits == 0 ||
		       (spy.longest_ns > 0 && spy.longest_ns <= SLEEP_NS - 40 * NS_PER_MS),
	       WHEN("with 60 ms to wait, of which a callback spent 40")
		       EXPECTED("a wait of at most 20 ms") SAW("one of %s ns"),
	       answer(spy.longest_ns));
	peer_sends(ends[1], "x", 1);
	run_to_its_end();
	close_pair();
	close_loop();
}

static void sleeps_for_ever_without_a_timer(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	turn_loop(LOOP_POLL);
	peer_sends(ends[1], "x", 1);
	turn_until_called(1);
	expect(spy.waits == 0 || spy.timeout_ns < 0,
	       WHEN("with a receive and no timer") EXPECTED("a wait without limit")
		       SAW("one of %s ns"),
	       answer(spy.timeout_ns));
	close_pair();
	close_loop();
}

static void huge_times_are_waited_for_for_ever(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	start_timer(&timer, INT64_MAX, 0);
	peer_sends(ends[1], "x", 1);
	turn_loop(LOOP_ONCE);
	expect(spy.waits == 1 && spy.timeout_ns < 0,
	       WHEN("with a timer that is never due") EXPECTED("a wait without limit")
		       SAW("%u waits, the last of %s ns"),
	       spy.waits, answer(spy.timeout_ns));
	event_loop_timer_stop(loop, &timer);
	turn_until_called(1);
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
	turn_loop(LOOP_RUN);
	expect_calls("a call that defers itself twice, and then stops the loop", "aaa");
	expect(spy.waits == 0, WHEN("while a deferred call waits") EXPECTED("no wait") SAW("%u"),
	       spy.waits);
	peer_sends(ends[1], "x", 1);
	run_to_its_end();
	close_pair();
	close_loop();
}

static void sleeps_without_operations(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	open_loop(s, 1, 1);
	start_timer(&timer, SLEEP_NS, 0);
	struct rusage before, after;
	getrusage(RUSAGE_THREAD, &before);
	int64_t before_ns = thread_cpu_ns();
	run_to_its_end();
	int64_t used_ns = thread_cpu_ns() - before_ns;
	getrusage(RUSAGE_THREAD, &after);
	expect(after.ru_nvcsw > before.ru_nvcsw,
	       WHEN("while a timer runs for 60 ms") EXPECTED("a thread that sleeps")
		       SAW("one that never gave up its CPU"));
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
	turn_loop(LOOP_POLL);
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

/* With a timer in the distance and with one that is never due, without an operation and beside one. */
static void a_signal_ends_each_wait(struct subject *s)
{
	struct loop_timer timer = TIMER('t');
	struct sigaction action = { .sa_handler = count_signal };
	struct itimerval often = { { 0, SIGNAL_PAUSE_MS * 1000 }, { 0, SIGNAL_PAUSE_MS * 1000 } };
	open_loop_with_pair(s);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned i = 0; i < 4; i++) {
		if (i == 2)
			receive(on_done, LETTER('r'));
		start_timer(&timer, i % 2 ? INT64_MAX : 2 * PATIENCE_MS * NS_PER_MS, 0);
		turn_loop(LOOP_ONCE);
		expect(!was_impatient,
		       WHEN("%s, while signals come") EXPECTED("the end of one turn")
			       SAW("a sleep of %d ms"),
		       i < 2 ? "with nothing in flight" : "with a receive in flight", PATIENCE_MS);
	}
	lose_patience_after(PATIENCE_MS);
	event_loop_timer_stop(loop, &timer);
	peer_sends(ends[1], "x", 1);
	run_to_its_end();
	close_pair();
	close_loop();
}

static void stops_before_and_during_a_run(struct subject *s)
{
	struct loop_timer late = TIMER('l'),
			  stops = { .call = on_call_stop_loop, .context = LETTER('s') };
	struct loop_deferred asked = { .call = on_call, .context = LETTER('d') };
	open_loop(s, 1, 1);
	start_timer(&late, 10 * NS_PER_S, 0);
	event_loop_stop(loop);
	int rc = event_loop_run(loop, LOOP_RUN);
	expect(rc == 1 && !was_impatient,
	       WHEN("stopped before it ran") EXPECTED("1 after a turn") SAW("%s"), answer(rc));
	event_loop_defer(loop, &asked);
	event_loop_stop(loop);
	event_loop_run(loop, LOOP_RUN);
	expect_calls("stopped before it ran, with a deferred call", "d");
	forget_calls();
	event_loop_stop(loop);
	event_loop_run(loop, LOOP_POLL); /* this is the turn that it ended */
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
	scene = "when a receive is cancelled";
	open_loop_with_pair(s);
	struct loop_op *asked = receive(on_done_later, LETTER('r'));
	turn_loop(LOOP_POLL);
	is_asking = true;
	event_loop_cancel(loop, asked);
	event_loop_cancel(loop, asked);
	is_asking = false;
	run_to_its_end();
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
	run_to_its_end();
	expect_calls("at the end", "ba");
	close_pair();
	close_loop();
}

/* Its place is used again, and was asked back before. */
static void the_next_in_its_place_is_cancelled_too(struct subject *s)
{
	open_loop_with_pair(s);
	for (unsigned i = 1; i <= 3; i++) {
		event_loop_cancel(loop, receive(on_done, LETTER('r')));
		turn_until_called(i);
		expect_canceled();
	}
	close_pair();
	close_loop();
}

static void a_cancel_from_the_middle_leaves_the_others(struct subject *s)
{
	static char letters[] = "abcd";
	open_loop(s, 5, 1);
	attach_pair();
	memcpy(event_loop_buffers(loop), letters, 4);
	struct loop_op *asked = NULL;
	char bytes[8] = "";
	spy.accepts_most = 1;
	for (unsigned i = 0; i < 4; i++) {
		struct loop_request request = { .kind = IO_SEND,
						.fd_slot = fd_slot,
						.buf = (char *)event_loop_buffers(loop) + i,
						.len_bytes = 1 };
		struct loop_op *op = event_loop_start(loop, &request, on_done, LETTER('a' + i));
		if (i == 1)
			asked = op;
	}
	event_loop_cancel(loop, asked);
	while (strlen(calls) < 4 && !was_impatient)
		turn_loop(LOOP_ONCE);
	ssize_t n = recv(ends[1], bytes, sizeof bytes - 1, MSG_DONTWAIT);
	/* In any order: an engine may send with several threads. */
	bool all_three = strchr(bytes, 'a') && strchr(bytes, 'c') && strchr(bytes, 'd');
	expect(n == 3 && all_three && spy.offer_count < 8,
	       WHEN("four sends, the second of which was cancelled before its turn")
		       EXPECTED("a, c and d") SAW("\"%s\""),
	       bytes);
	expect(spy.waits == 0 || strchr(calls, 'b') != NULL, "a cancelled operation waits");
	run_to_its_end();
	close_pair();
	close_loop();
}

static void what_was_cancelled_is_called_without_a_wait(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	turn_loop(LOOP_POLL);
	event_loop_cancel(loop, receive(on_done, LETTER('x')));
	turn_loop(LOOP_ONCE);
	expect_calls("after the next turn", "x");
	expect(spy.waits == 0, EXPECTED("no wait") SAW("%u"), spy.waits);
	expect_canceled();
	peer_sends(ends[1], "x", 1);
	run_to_its_end();
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
	run_to_its_end();
	turn_loop(LOOP_POLL);
	expect_calls("two sends, the first of which cancels the second", "aa");
	expect(last_result == 1 || (last_result == -ECANCELED && spy.came_most < 2),
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
	scene = "when a descriptor is closed with two receives in flight";
	open_loop(s, 4, 2);
	spied.attach = spied_attach;
	spied.detach = spied_detach;
	attach_pair();
	receive(on_done, LETTER('r'));
	turn_loop(LOOP_POLL);
	receive(on_done, LETTER('r')); /* not yet with the engine */
	event_loop_close_fd(loop, fd_slot, on_closed, LETTER('c'));
	expect_calls("inside event_loop_close_fd()", "");
	run_to_its_end();
	expect_calls("after it, with two receives", "rrc");
	expect(spy.was_open_at_detach,
	       EXPECTED("that the engine forgets the descriptor before it is closed")
		       SAW("the opposite"));
	expect(read(ends[1], &byte, 1) == 0,
	       EXPECTED("the end of the stream at the peer") SAW("something else"));
	close(ends[1]);
	close_loop();
}

/* Step 5 comes after step 4, and takes up what was there when it began. */
static int other_pairs[2][2];
static unsigned other_slots[2];

static void on_closed_close_another(struct event_loop *its_loop, void *letter)
{
	add_call((char)(uintptr_t)letter);
	event_loop_close_fd(its_loop, other_slots[1], on_call, LETTER('z'));
}

static void closes_in_the_last_step_of_a_turn(struct subject *s)
{
	struct reason why = { "" };
	struct loop_deferred asked = { .call = on_call, .context = LETTER('d') };
	open_loop(s, 4, 3);
	attach_pair();
	for (unsigned i = 0; i < 2; i++) {
		expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other_pairs[i]) == 0,
		       "socketpair");
		int rc = event_loop_attach(loop, other_pairs[i][0], IO_FD_SOCKET, &why);
		expect(rc >= 0, EXPECTED("a number from event_loop_attach()") SAW("%s"), why.text);
		other_slots[i] = (unsigned)rc;
	}
	event_loop_cancel(loop, receive(on_done, LETTER('r'))); /* it ends in step 4 */
	event_loop_close_fd(loop, other_slots[0], on_closed_close_another, LETTER('y'));
	event_loop_defer(loop, &asked);
	turn_loop(LOOP_POLL);
	expect_calls("a turn with a deferred call, an operation that ends and a close", "dry");
	turn_loop(LOOP_POLL);
	expect_calls("the next turn, with a close that the last call asked for", "dryz");
	event_loop_close_fd(loop, fd_slot, NULL, NULL); /* nobody is told */
	run_to_its_end();
	expect(fcntl(ends[0], F_GETFD) < 0, "closed without a last call, it is open still");
	close(ends[1]);
	close(other_pairs[0][1]);
	close(other_pairs[1][1]);
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
	scene = "when a callback starts another receive and closes";
	open_loop_with_pair(s);
	receive(on_done_close, LETTER('r'));
	peer_sends(ends[1], "1", 1);
	run_to_its_end();
	expect_calls("a callback that starts another receive and closes", "r.xc");
	close(ends[1]);
	close_loop();
}

static void a_number_that_is_used_again_starts_clean(struct subject *s)
{
	open_loop(s, 4, 1);
	for (unsigned i = 0; i < 8; i++) {
		forget_calls();
		attach_pair();
		receive(on_done, LETTER('r'));
		peer_sends(ends[1], "12", i % 2 + 1);
		turn_until_called(1);
		expect(last_result == i % 2 + 1,
		       WHEN("on connection %u with one number") EXPECTED("%u bytes") SAW("%s"), i,
		       i % 2 + 1, answer(last_result));
		receive(on_done, LETTER('x'));
		event_loop_close_fd(loop, fd_slot, on_closed, LETTER('c'));
		run_to_its_end();
		expect_calls("one connection", "rxc");
		close(ends[1]);
	}
	close_loop();
}

static void the_loops_close_ends_what_is_left(struct subject *s)
{
	struct loop_timer timers[] = { TIMER('a'), TIMER('b'), TIMER('c') };
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	for (unsigned i = 0; i < 3; i++)
		start_timer(&timers[i], NS_PER_S, 0);
	turn_loop(LOOP_POLL);
	event_loop_close_fd(loop, fd_slot, on_closed, LETTER('c'));
	close_loop();
	for (unsigned i = 0; i < 3; i++)
		expect(!event_loop_timer_is_active(&timers[i]),
		       WHEN("after event_loop_close()") EXPECTED("no timer active")
			       SAW("number %u"),
		       i);
	expect(fcntl(ends[0], F_GETFD) < 0,
	       WHEN("after event_loop_close()") EXPECTED("the descriptor closed that was to be")
		       SAW("it open"));
	close(ends[1]);
}

static void the_loops_close_waits_for_the_engine(struct subject *s)
{
	open_loop_with_pair(s);
	receive(on_done, LETTER('r'));
	turn_loop(LOOP_POLL);
	spy.empty_reaps = 2;
	lose_patience_after(0);
	event_loop_close(loop);
	expect(spy.in_flight_at_close == 0,
	       WHEN("event_loop_close() with a receive that waits")
		       EXPECTED("nothing in flight when the engine is closed") SAW("%d"),
	       spy.in_flight_at_close);
	expect_calls("after event_loop_close()", "");
	close(ends[0]);
	close(ends[1]);
}

static sigjmp_buf after_abort;

static void leave_abort(int number)
{
	siglongjmp(after_abort, number);
}

/* What a precondition forbids ends the program. */
#define EXPECT_ABORT(when, call)                                                                   \
	do {                                                                                       \
		signal(SIGABRT, leave_abort);                                                      \
		if (sigsetjmp(after_abort, 1) == 0) {                                              \
			call;                                                                      \
			expect(false, WHEN(when) EXPECTED("an abort") SAW("none"));                \
		}                                                                                  \
	} while (0)

static void what_is_forbidden_aborts(struct subject *s)
{
	open_loop_with_pair(s);
	EXPECT_ABORT("a detach of a number that is none", event_loop_detach(loop, 1 - fd_slot));
	EXPECT_ABORT("a close of a number that is none",
		     event_loop_close_fd(loop, 1 - fd_slot, NULL, NULL));
	receive(on_done, LETTER('r'));
	EXPECT_ABORT("a detach with a receive", event_loop_detach(loop, fd_slot));
	event_loop_close_fd(loop, fd_slot, on_closed, LETTER('c'));
	EXPECT_ABORT("a second close", event_loop_close_fd(loop, fd_slot, NULL, NULL));
	run_to_its_end();
	expect_calls("at the end", "rc");
	EXPECT_ABORT("a detach after the close", event_loop_detach(loop, fd_slot));
	close(ends[1]);
	attach_pair(); /* the other number */
	event_loop_close_fd(loop, fd_slot, on_closed, LETTER('d'));
	run_to_its_end();
	expect_calls("after another one's close", "rcd");
	EXPECT_ABORT("a second close", event_loop_close_fd(loop, fd_slot, NULL, NULL));
	close(ends[1]);
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
	run_to_its_end();
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
	lose_patience_after(PATIENCE_MS); /* it goes on: a busy machine may take long for all */
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
	turn_loop(LOOP_POLL);
	expect_calls("three wakes of one of two", "w");
	event_loop_wake(&wakeup);
	turn_until_called(2);
	expect_calls("one more", "ww");
	event_loop_wakeup_stop(loop, &wakeup);
	event_loop_wake(&second);
	event_loop_wakeup_stop(loop, &second);
	run_to_its_end();
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
	scene = "when a wake-up wakes another one in its call";
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
	scene = "when a wake-up wakes itself once in its call";
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
	turn_loop(LOOP_POLL);
	expect_calls("a signal that came twice, with two watchers", "ab");
	raise(SIGUSR1);
	turn_until_called(3);
	turn_loop(LOOP_POLL);
	expect_calls("once more: one of them was for once", "aba");
	event_loop_signal_stop(loop, &a);
	event_loop_signal_stop(loop, &other);
	close_loop();
}

static void on_signal_start_again(struct event_loop *its_loop, void *watcher)
{
	struct reason why = { "" };
	(void)its_loop;
	add_call('s');
	int rc = event_loop_signal_start(loop, watcher, SIGUSR2, &why);
	expect(rc == 0, EXPECTED("0 from event_loop_signal_start()") SAW("%s: %s"), answer(rc),
	       why.text);
}

static void a_watcher_may_start_again_in_its_call(struct subject *s)
{
	struct loop_signal watcher = { .call = on_signal_start_again,
				       .context = &watcher,
				       .once = true };
	scene = "when a watcher for once starts itself again in its call";
	open_loop(s, 4, 1);
	start_signal(&watcher, SIGUSR1);
	raise(SIGUSR1);
	turn_until_called(1);
	raise(SIGUSR2); /* which would end the program if nobody watched it */
	turn_until_called(2);
	expect_calls("called once for each of its starts", "ss");
	event_loop_signal_stop(loop, &watcher);
	run_to_its_end();
	close_loop();
}

static void a_signal_ends_the_sleep(struct subject *s)
{
	struct loop_signal watcher = { .call = on_call, .context = LETTER('s') };
	struct sigevent by_signal = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec soon = { .it_value = { 0, 20 * NS_PER_MS } };
	timer_t timer;
	scene = "when a signal comes while the loop sleeps";
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

static void wake_in_handler(int number)
{
	(void)number;
	event_loop_wake(&wakeup);
}

/* The loop has looked for notes by then, and its own thread is the one that leaves them. */
static void a_signal_just_before_the_sleep_is_heard(struct subject *s)
{
	struct loop_signal watcher = { .call = on_call, .context = LETTER('s') };
	struct sigaction action = { .sa_handler = wake_in_handler };
	scene = "when a signal comes after the loop has decided to sleep";
	open_loop(s, 4, 1);
	start_signal(&watcher, SIGUSR1);
	start_wakeup(&wakeup, on_call, 'w');
	sigaction(SIGUSR2, &action, NULL);
	turn_loop(LOOP_POLL); /* the loop's own receive waits from here on */
	spy.raises = SIGUSR1;
	turn_until_called(1);
	expect_calls("a signal that is watched", "s");
	spy.raises = SIGUSR2;
	turn_until_called(2);
	expect_calls("one whose handler wakes the loop", "sw");
	event_loop_wakeup_stop(loop, &wakeup);
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
	run_to_its_end();
	expect_calls("a signal, and a stop before its call", "");
	close_loop();
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;
	for (int fd = 0; fd < 200; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int try_wakeup(struct loop_wakeup *w, struct reason *why)
{
	*w = (struct loop_wakeup) { .call = on_call, .context = LETTER('w') };
	return event_loop_wakeup_start(loop, w, why);
}

static void allow_descriptors(unsigned most)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = most ? most : limit.rlim_max;
	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

/* An engine that looks needs a descriptor itself. */
static int supports_without_a_look(const struct engine_config *config, enum io_kind kind,
				   enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	return kind == IO_RECV && fd_kind == IO_FD_SOCKET ? 0 : fail_as(EOPNOTSUPP, why);
}

static void what_cannot_be_woken_says_why(struct subject *s)
{
	struct reason why = { "" };
	struct loop_signal watcher = { .call = on_call, .context = LETTER('s') };
	unsigned before_all = open_descriptors();
	open_loop(s, 4, 1);
	unsigned before = open_descriptors();
	spied.traits |= IO_BLOCKS_IN_SUBMIT;
	expect_reason("over an engine that sleeps in submit()", try_wakeup(&wakeup, &why),
		      -EOPNOTSUPP, &why, "cannot_leave_a_receive_waiting");
	spied.traits = s->ops->traits;
	spied.supports = supports_nothing;
	expect_reason("over an engine without sockets", try_wakeup(&wakeup, &why), -EOPNOTSUPP,
		      &why, "as_the_test_wants");
	spied.supports = supports_without_a_look;
	allow_descriptors(1);
	expect_reason("without descriptors", try_wakeup(&wakeup, &why), -EMFILE, &why,
		      "socketpair");
	expect_reason("without descriptors", event_loop_signal_start(loop, &watcher, SIGUSR1, &why),
		      -EMFILE, &why, "socketpair");
	allow_descriptors(0);
	spied.attach = spied_attach;
	spy.attach_fails = -EIO;
	expect_reason("when the engine does not take it", try_wakeup(&wakeup, &why), -EIO, &why,
		      "as_the_test_wants");
	spy.attach_fails = 0;
	expect(open_descriptors() == before,
	       WHEN("after three failures") EXPECTED("%u descriptors") SAW("%u"), before,
	       open_descriptors());
	run_to_its_end(); /* nothing is alive */
	close_loop();
	open_loop(s, 4, 1);
	spied.attach = spied_attach;
	start_wakeup(&wakeup, on_call, 'w');
	expect(fcntl(spy.attach_fd, F_GETFD) & FD_CLOEXEC && spy.attach_kind == IO_FD_SOCKET &&
		       spy.attach_slot < spy.opened.max_fds,
	       EXPECTED("a socket that no child inherits, in a place of its own")
		       SAW("another descriptor"));
	event_loop_wake(&wakeup);
	turn_until_called(1);
	close_loop();
	expect(open_descriptors() == before_all,
	       WHEN("after the loop's end") EXPECTED("%u descriptors") SAW("%u"), before_all,
	       open_descriptors());
}

static void wakeups_start_and_stop(struct subject *s)
{
	struct reason why = { "" };
	open_loop(s, 1, 1);
	attach_pair();
	start_wakeup(&wakeup, on_call, 'w');
	int rc = event_loop_wakeup_start(loop, &wakeup, &why);
	expect(rc == 0, WHEN("started twice") EXPECTED("0") SAW("%s"), answer(rc));
	event_loop_wake(&wakeup);
	event_loop_wakeup_stop(loop, &wakeup);
	event_loop_wakeup_stop(loop, &wakeup); /* nothing */
	rc = event_loop_wakeup_start(loop, &wakeup, &why);
	expect(rc == 0, WHEN("started again") EXPECTED("0") SAW("%s"), answer(rc));
	start_wakeup(&second, on_call, 'v');
	event_loop_wake(&second);
	turn_until_called(1);
	expect_calls("a wake, a stop, and a start before its call", "v");
	event_loop_wakeup_stop(loop, &wakeup);
	event_loop_wakeup_stop(loop, &second);
	run_to_its_end();
	second.background = true;
	rc = event_loop_wakeup_start(loop, &second, &why);
	expect(rc == 0, WHEN("in the background") EXPECTED("0") SAW("%s"), answer(rc));
	run_to_its_end();
	event_loop_wakeup_stop(loop, &second);
	start_no_ops(1); /* there is room beside the loop's own receive */
	expect(!try_receive(on_done, LETTER('x')),
	       EXPECTED("NULL, since depth is 1") SAW("a handle"));
	run_to_its_end();
	expect_calls("at the end", "va");
	close_pair();
	close_loop();
}

static void the_loops_own_receive_begins_again(struct subject *s)
{
	char *buf;
	open_loop(s, 1, 1);
	spied.attach = spied_attach;
	buf = event_loop_buffers(loop);
	memset(buf, 'b', BUFFERS_BYTES);
	start_wakeup(&wakeup, on_call, 'w');
	spy.interrupts = spy.attach_fd;
	for (unsigned i = 1; i <= 20; i++) {
		event_loop_wake(&wakeup);
		turn_until_called(i);
	}
	for (unsigned i = 0; i < BUFFERS_BYTES; i++)
		expect(buf[i] == 'b',
		       EXPECTED("buffers that are the program's alone") SAW("another byte at %u"),
		       i);
	event_loop_wakeup_stop(loop, &wakeup);
	run_to_its_end();
	close_loop();
}

/* Even where the byte cannot be sent: the test shuts down the loop's end. */
static void a_wake_leaves_errno_alone(struct subject *s)
{
	struct loop_signal watcher = { .call = on_call, .context = LETTER('s') };
	open_loop(s, 4, 1);
	spied.attach = spied_attach;
	start_wakeup(&wakeup, on_call, 'w');
	turn_loop(LOOP_POLL);
	shutdown(spy.attach_fd, SHUT_RD);
	errno = ERANGE;
	event_loop_wake(&wakeup);
	expect(errno == ERANGE,
	       WHEN("after event_loop_wake()") EXPECTED("errno as it was") SAW("%s"),
	       errno_name(errno));
	close_loop();
	open_loop(s, 4, 1);
	spied.attach = spied_attach;
	start_signal(&watcher, SIGUSR1);
	turn_loop(LOOP_POLL);
	shutdown(spy.attach_fd, SHUT_RD);
	errno = ERANGE;
	raise(SIGUSR1);
	expect(errno == ERANGE, WHEN("after a signal") EXPECTED("errno as it was") SAW("%s"),
	       errno_name(errno));
	close_loop();
}

static void what_cannot_be_watched_says_why(struct subject *s)
{
	struct reason why = { "" };
	struct loop_signal watcher = { .call = on_call, .context = LETTER('s') }, others = watcher;
	struct event_loop *its_own;
	static const int none[] = { 0, -1, NSIG };
	open_loop(s, 4, 1);
	for (unsigned i = 0; i < 3; i++) {
		int rc = event_loop_signal_start(loop, &watcher, none[i], &why);
		expect_reason("a number that is no signal", rc, -EINVAL, &why, "no_such_signal");
	}
	its_own = loop;
	open_loop(s, 4, 1);
	for (unsigned i = 0; i < 2; i++) {
		int rc = event_loop_signal_start(i ? loop : its_own, &watcher, SIGKILL, &why);
		expect_reason("SIGKILL", rc, -EINVAL, &why, "signal_not_caught");
	}
	run_to_its_end();
	start_signal(&watcher, SIGUSR1);
	expect_reason("a signal that another loop watches",
		      event_loop_signal_start(its_own, &others, SIGUSR1, &why), -EBUSY, &why,
		      "signal_has_another_loop");
	event_loop_signal_stop(loop, &watcher);
	expect(event_loop_signal_start(its_own, &others, SIGUSR1, &why) == 0,
	       WHEN("after its watcher stopped") EXPECTED("0") SAW("%s"), why.text);
	event_loop_close(its_own); /* which gives the watcher up */
	start_signal(&watcher, SIGUSR1);
	raise(SIGUSR1);
	turn_until_called(1);
	event_loop_signal_stop(loop, &watcher);
	close_loop();
}

static void a_refused_watch_leaves_the_signal_to_others(struct subject *s)
{
	struct reason why = { "" };
	struct loop_signal refused = { .call = on_call, .context = LETTER('r') },
			   watcher = { .call = on_call, .context = LETTER('w') };
	struct sigaction now;
	open_loop(s, 4, 1);
	struct event_loop *first = loop;
	spied.supports = supports_nothing;
	expect_reason("over an engine without sockets",
		      event_loop_signal_start(first, &refused, SIGUSR1, &why), -EOPNOTSUPP, &why,
		      "as_the_test_wants");
	sigaction(SIGUSR1, NULL, &now);
	expect(now.sa_handler == SIG_DFL, EXPECTED("the disposition of before") SAW("another"));
	open_loop(s, 4, 1);
	start_signal(&watcher, SIGUSR1);
	raise(SIGUSR1);
	turn_until_called(1);
	event_loop_close(first); /* which gives up nothing of the other loop's */
	raise(SIGUSR1);
	turn_until_called(2);
	expect_calls("watched by the other loop", "ww");
	event_loop_signal_stop(loop, &watcher);
	close_loop();
}

static struct loop_signal watchers[2];

static void on_signal_restart_the_other(struct event_loop *its_loop, void *letter)
{
	on_call(its_loop, letter);
	event_loop_signal_stop(its_loop, &watchers[1]);
	start_signal(&watchers[1], SIGUSR1);
}

static void watchers_start_and_stop(struct subject *s)
{
	struct sigaction now;
	open_loop(s, 4, 1);
	for (unsigned i = 0; i < 2; i++)
		watchers[i] = (struct loop_signal) { .call = on_call, .context = LETTER('a' + i) };
	watchers[0].call = on_signal_restart_the_other;
	start_signal(&watchers[0], SIGUSR1);
	start_signal(&watchers[1], SIGUSR1);
	sigaction(SIGUSR1, NULL, &now);
	expect(now.sa_flags & SA_RESTART && sigismember(&now.sa_mask, SIGUSR2) == 1,
	       EXPECTED("a handler that interrupts no call, and that no signal interrupts")
		       SAW("another one"));
	raise(SIGUSR1);
	turn_until_called(1);
	turn_loop(LOOP_POLL);
	expect_calls("when the first of two stops the second and starts it again", "a");
	event_loop_signal_stop(loop, &watchers[0]);
	raise(SIGUSR1);
	event_loop_signal_stop(loop, &watchers[1]);
	event_loop_signal_stop(loop, &watchers[1]); /* nothing */
	run_to_its_end();
	start_signal(&watchers[1], SIGUSR1);
	start_signal(&watchers[1], SIGUSR2); /* which ends the watch for the other */
	start_wakeup(&wakeup, on_call, 'w');
	sigaction(SIGUSR1, NULL, &now);
	expect(now.sa_handler == SIG_DFL, EXPECTED("the disposition of before") SAW("another"));
	start_signal(&watchers[1], SIGUSR1);
	event_loop_wake(&wakeup);
	turn_until_called(2);
	turn_loop(LOOP_POLL);
	expect_calls("a signal, and a stop and a start before its call", "aw");
	event_loop_wakeup_stop(loop, &wakeup);
	event_loop_signal_stop(loop, &watchers[1]);
	watchers[1].background = true;
	start_signal(&watchers[1], SIGUSR1);
	run_to_its_end();
	close_loop();
	sigaction(SIGUSR1, NULL, &now);
	expect(now.sa_handler == SIG_DFL,
	       WHEN("after the loop's end") EXPECTED("the disposition of before") SAW("another"));
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
	{ .name = "opens_the_engine_as_asked",
	  .exercise = 1,
	  .run = opens_the_engine_as_asked,
	  .over = "epoll io_uring libaio threads epoll:edge" },
	{ .name = "passes_questions_on_to_the_engine",
	  .exercise = 1,
	  .run = passes_questions_on_to_the_engine,
	  .over = "epoll io_uring libaio threads epoll:edge" },
	TEST(1, buffers_are_pages),
	TEST(1, what_cannot_open_says_why),
	TEST(1, buffers_are_lent_by_the_engine),
	TEST(1, descriptors_have_places),
	TEST(1, operations_reach_the_engine_whole),
	TEST(1, no_ops_have_no_descriptor),
	TEST(1, an_error_of_submit_ends_the_run),
	TEST(1, closes_with_operations_in_flight),

	TEST(2, timers_come_in_due_order),
	TEST(2, equal_times_come_in_start_order),
	TEST(2, timers_move_in_the_middle),
	TEST(2, a_hole_is_filled_from_below),
	TEST(2, starting_twice_restarts),

	TEST(3, a_timer_without_delay_waits_a_turn),
	TEST(3, timers_starve_nobody),
	TEST(3, starting_again_changes_all),
	TEST(3, what_is_refused_leaves_the_timer),
	TEST(3, never_early),
	TEST(3, a_stopped_timer_is_not_called),
	TEST(3, a_callback_stops_timers_already_due),
	TEST(3, a_repeating_timer_keeps_its_beat),
	TEST(3, beats_that_were_missed_are_left_out),
	TEST(3, huge_times_are_never),
	TEST(3, without_memory_a_timer_does_not_start),
	TEST(3, places_come_back),
	TEST(3, a_beat_needs_no_memory),

	TEST(4, deferred_calls_come_once_and_in_order),
	TEST(4, what_a_deferred_call_asks_waits_a_turn),
	TEST(4, a_turn_has_an_order),
	TEST(4, idle_work_starves_nobody),
	TEST(4, runs_once_and_without_waiting),
	TEST(4, ends_when_nothing_is_alive),

	TEST(5, sleeps_until_the_next_timer),
	TEST(5, a_slow_callback_shortens_the_wait),
	TEST(5, sleeps_for_ever_without_a_timer),
	TEST(5, huge_times_are_waited_for_for_ever),
	TEST(5, waits_for_no_one_while_a_call_waits),
	TEST(5, sleeps_without_operations),
	TEST(5, signals_end_no_run),
	TEST(5, a_signal_ends_each_wait),
	TEST(5, stops_before_and_during_a_run),

	TEST(6, a_cancel_comes_back),
	TEST(6, a_cancel_before_the_turn_never_reaches_the_engine),
	TEST(6, the_next_in_its_place_is_cancelled_too),
	TEST(6, a_cancel_from_the_middle_leaves_the_others),
	TEST(6, what_was_cancelled_is_called_without_a_wait),
	TEST(6, a_cancel_that_comes_too_late_changes_nothing),
	TEST(6, close_is_the_last_call),
	TEST(6, closes_in_the_last_step_of_a_turn),
	TEST(6, the_loops_close_waits_for_the_engine),
	TEST(6, the_loops_close_ends_what_is_left),
	TEST(6, a_callback_closes_its_own_descriptor),
	TEST(6, a_number_that_is_used_again_starts_clean),
	TEST(6, the_last_call_may_attach_the_next),
	TEST(6, what_is_forbidden_aborts),

	TEST(7, another_thread_wakes_the_loop),
	TEST(7, several_wakes_are_one_call),
	TEST(7, a_wake_during_the_calls_is_not_lost),
	TEST(7, a_wake_in_its_own_call_is_news),
	TEST(7, signals_reach_their_watchers),
	TEST(7, a_watcher_may_start_again_in_its_call),
	TEST(7, a_signal_ends_the_sleep),
	TEST(7, a_signal_just_before_the_sleep_is_heard),
	TEST(7, a_signals_disposition_comes_back),
	TEST(7, sleeps_while_it_listens),
	TEST(7, what_cannot_be_woken_says_why),
	TEST(7, wakeups_start_and_stop),
	TEST(7, the_loops_own_receive_begins_again),
	TEST(7, a_wake_leaves_errno_alone),
	TEST(7, what_cannot_be_watched_says_why),
	TEST(7, a_refused_watch_leaves_the_signal_to_others),
	TEST(7, watchers_start_and_stop),
	{ NULL },
};
