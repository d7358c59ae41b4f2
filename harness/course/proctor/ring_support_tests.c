/* SPDX-License-Identifier: MIT */
/* What a kernel lacks or refuses, and how an engine asks and tells. */
#include "ring_test.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "allocation_count.h"
#include "clock.h"
#include "failing_calls.h"
#include "stream_test.h"

/* EBUSY may say: take completions first. Then those that are there must come, or it is busy for ever. */
void takes_completions_from_a_busy_kernel(struct subject *s)
{
	enum { DEPTH = 8 };
	struct io_op *ops[DEPTH], *done[DEPTH];
	open_engine(s, DEPTH, 1);
	for (unsigned i = 0; i < DEPTH; i++)
		ops[i] = ring_no_op(s, i);
	start_all(s, ops, DEPTH - 1);
	unsigned n = reap(s, done, DEPTH - 1, 1, PATIENCE_NS);
	expect(n == 1, EXPECTED("1 operation, the most that were asked for") SAW("%u"), n);
	start(s, ops[DEPTH - 1]);
	fail_call(RING_ENTER, EBUSY, 0);
	n = reap(s, done, 1, DEPTH, PATIENCE_NS);
	expect(call_failed(), EXPECTED("a call that hands over the last one") SAW("none"));
	expect(n == DEPTH - 2,
	       WHEN("the kernel is busy") EXPECTED("the %u completions that are in the ring")
		       SAW("%u"),
	       DEPTH - 2, n);
	await_all(s);
	close_engine(s);
}

/* It takes no SQE now. They are still in the ring, and go over with the next call. */
void a_busy_kernel_is_no_error(struct subject *s)
{
	static const int errors[] = { EAGAIN, EBUSY, EINTR };
	static const int64_t timeouts_ns[] = { 0, A_MOMENT_NS, -1 };
	struct io_op *done[1];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 2);
	for (unsigned i = 0; i < 9; i++) {
		struct io_op *op = ring_receive(s, i % 2, c.ends[0][0], 0);
		start(s, op);
		fail_call(RING_ENTER, errors[i % 3], 0);
		unsigned n = reap(s, done, i / 3 > 0, 1, timeouts_ns[i / 3]);
		bool failed = call_failed();
		expect(failed, EXPECTED("a call of io_uring_enter") SAW("none"));
		expect(n == 0, EXPECTED("nothing yet") SAW("%u"), n);
		peer_sends(c.ends[0][1], "late", 4);
		await(s, op);
		expect(op->result == 4, EXPECTED("4 bytes") SAW("%s"), answer(op->result));
	}
	close_ring_connections(s, &c);
}

/* Everything else says that the engine is broken, and reap() tells it. */
void a_broken_ring_is_told(struct subject *s)
{
	static const int errors[] = { EBADF, ENOMEM, ENXIO, EBADFD, EOPNOTSUPP };
	struct io_op *done[1];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 1);
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
		struct io_op *op = ring_receive(s, 0, c.ends[0][0], 0);
		start(s, op);
		fail_call(RING_ENTER, errors[i], 0);
		int rc = s->ops->reap(s->engine, done, 1, 1, i % 2 ? -1 : A_MOMENT_NS);
		expect(call_failed(), EXPECTED("a call of io_uring_enter") SAW("none"));
		expect(rc == -errors[i],
		       WHEN("when io_uring_enter fails") EXPECTED("%s from reap()") SAW("%s"),
		       answer(-errors[i]), answer(rc));
		peer_sends(c.ends[0][1], "x", 1);
		await(s, op);
	}
	close_ring_connections(s, &c);
}

void a_broken_ring_is_told_beside_a_cancel(struct subject *s)
{
	struct io_op *done[1];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 2);
	struct io_op *op = ring_receive(s, 0, c.ends[0][0], 0);
	start(s, op);
	unsigned n = reap(s, done, 0, 1, 0);
	expect(n == 0, EXPECTED("nothing yet") SAW("%u"), n);
	cancel_one(s, op);
	fail_call(RING_ENTER, EBADF, 0);
	int rc = s->ops->reap(s->engine, done, 1, 1, A_MOMENT_NS);
	expect(call_failed(), EXPECTED("a call of io_uring_enter") SAW("none"));
	expect(rc == -EBADF, WHEN("when io_uring_enter fails") EXPECTED("%s from reap()") SAW("%s"),
	       answer(-EBADF), answer(rc));
	await(s, op);
	close_ring_connections(s, &c);
}

/* Asked often, it leaves nothing behind; and it asks the kernel each time. */
void supports_leaves_nothing_behind(struct subject *s)
{
	const struct engine_config config = { .depth = 64, .cpu_count = 2, .options = s->options };
	struct holdings before = holdings_now();
	for (unsigned i = 0; i < 3; i++)
		for (enum io_kind kind = 0; kind < IO_KIND_COUNT; kind++) {
			struct reason why = { "" };
			calls_reset();
			int rc = s->ops->supports(&config, kind, IO_FD_FILE, &why);
			expect(rc == 0, WHEN("%s") EXPECTED("0 from supports()") SAW("%s: %s"),
			       kind_name(kind), answer(rc), why.text);
			expect(calls_made("io_uring_register") >= 1,
			       WHEN("%s") EXPECTED("the kernel to be asked for its operations")
				       SAW("no io_uring_register"),
			       kind_name(kind));
		}
	expect_nothing_left_since(&before);
}

/* A kernel that cannot say which operations it has is not trusted. */
void an_unanswered_probe_is_no_promise(struct subject *s)
{
	const struct engine_config config = { .depth = 2, .cpu_count = 2, .options = s->options };
	struct reason why = { "" };
	unsigned before = count_open_descriptors();
	fail_call("io_uring_register", EINVAL, 0);
	int rc = s->ops->supports(&config, IO_READ, IO_FD_FILE, &why);
	expect(call_failed(), EXPECTED("the kernel to be asked") SAW("an answer without it"));
	expect(rc < 0 && why.text[0],
	       WHEN("when the probe fails") EXPECTED("-errno from supports(), and words")
		       SAW("%s: %s"),
	       answer(rc), why.text);
	unsigned after = count_open_descriptors();
	expect(after == before,
	       WHEN("when the probe fails") EXPECTED("no descriptor more") SAW("%u more"),
	       after - before);
}

/* A completion and a cancel's for each operation fit into the ring, and it takes no more than it needs. */
void a_ring_is_as_large_as_needed(struct subject *s)
{
	static const unsigned depths[] = { 4, MORE_THAN_A_RING };
	for (unsigned i = 0; i < 2; i++) {
		unsigned depth = depths[i];
		open_engine(s, depth, 1);
		struct ring_view view = view_ring();
		unsigned sqes = number_at(&view, view.sq.ring_entries);
		unsigned cqes = number_at(&view, view.cq.ring_entries);
		expect(sqes > 0 && sqes <= depth,
		       WHEN("%u operations") EXPECTED("at most as many SQEs") SAW("%u"), depth,
		       sqes);
		expect(cqes >= 2 * depth,
		       WHEN("%u operations") EXPECTED("twice as many CQEs") SAW("%u"), depth, cqes);
		expect(cqes < 4 * depth,
		       WHEN("%u operations") EXPECTED("twice as many CQEs") SAW("%u"), depth, cqes);
		close_view(&view);
		close_engine(s);
	}
}

void ring_opens_for_more_than_it_holds(struct subject *s)
{
	struct engine_config config = { .depth = 40000, .max_fds = 1, .cpu_count = 2 };
	struct reason why = { "" };
	int rc = s->ops->open(&s->engine, &config, &why);
	if (rc == -ENOMEM)
		test_skipped("%s", why.text);
	expect(rc == 0, WHEN("a depth of 40,000") EXPECTED("0 from open()") SAW("%s: %s"),
	       answer(rc), why.text);
	s->ops->close(s->engine);
	s->engine = NULL;
}

/* As many buffers as a ring of them holds are lent, and one more is refused as too many. */
void lends_as_many_as_a_ring_holds(struct subject *s)
{
	struct engine_config config = { .depth = 2, .cpu_count = 2, .lent_len_bytes = 1 };
	struct reason why = { "" };
	config.lent_count = 2;
	int rc = s->ops->supports(&config, IO_RECV, IO_FD_SOCKET, &why);
	if (rc < 0)
		test_skipped("%s", why.text);
	for (unsigned over = 0; over < 2; over++) {
		config.lent_count = 32768 + over;
		rc = s->ops->supports(&config, IO_RECV, IO_FD_SOCKET, &why);
		if (rc == -ENOMEM)
			test_skipped("%s", why.text);
		expect(rc == (over ? -E2BIG : 0),
		       WHEN("%u buffers to lend") EXPECTED("%s from supports()") SAW("%s"),
		       config.lent_count, answer(over ? -E2BIG : 0), answer(rc));
	}
}

static long pages_of_this_process(void)
{
	long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "re");
	if (!statm || fscanf(statm, "%ld", &pages) != 1)
		test_skipped("/proc/self/statm cannot be read");
	fclose(statm);
	return pages;
}

/* A mapping that is kept is kept each time. */
void keeps_no_page_of_what_it_lent(struct subject *s)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	test_skipped("a sanitizer keeps what is freed");
#endif
	enum { TIMES = 64, PAGES_A_RING = 32768 * 16 / 4096 };
	struct engine_config config = {
		.depth = 2, .cpu_count = 2, .max_fds = 1, .lent_count = 32768, .lent_len_bytes = 1
	};
	long before = 0;
	for (unsigned i = 0; i <= TIMES; i++) {
		struct reason why = { "" };
		int rc = s->ops->open(&s->engine, &config, &why);
		if (rc < 0)
			test_skipped("%s", why.text);
		s->ops->close(s->engine);
		if (i == 0)
			before = pages_of_this_process();
	}
	s->engine = NULL;
	long more = pages_of_this_process() - before;
	expect(more < TIMES / 2 * PAGES_A_RING,
	       WHEN("it was opened and closed %d times") EXPECTED("next to no page kept")
		       SAW("%ld pages"),
	       TIMES, more);
}

/*
 * Which operation the kernel shall seem to lack, or -1. liburing's function of this name is this one in the
 * test program. So the test stands between the engine and what the kernel says.
 */
static int lacking = -1;
static _Thread_local unsigned probes;

struct io_uring_probe *io_uring_get_probe_ring(struct io_uring *ring)
{
	static _Thread_local struct io_uring_probe *(*real)(struct io_uring *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_get_probe_ring");
	struct io_uring_probe *probe = real ? real(ring) : NULL;
	probes++;
	if (probe && lacking >= 0 && lacking < probe->ops_len)
		probe->ops[lacking].flags = 0;
	return probe;
}

void asks_for_the_very_operation(struct subject *s)
{
	const struct engine_config config = { .depth = 2, .cpu_count = 2, .options = s->options };
	for (enum io_kind kind = 0; kind < IO_KIND_COUNT; kind++) {
		struct reason why = { "" };
		lacking = -1;
		if (s->ops->supports(&config, kind, IO_FD_NONE, &why) < 0)
			continue; /* an option that would do nothing */
		int opcode = ring_opcode_of(s, kind);
		for (lacking = 0; lacking < IORING_OP_LAST; lacking++) {
			unsigned before = probes;
			why = (struct reason) { "" };
			int rc = s->ops->supports(&config, kind, IO_FD_NONE, &why);
			if (probes == before)
				test_skipped("the engine asks by other means");
			expect(rc == (lacking == opcode ? -EOPNOTSUPP : 0),
			       WHEN("%s where the kernel lacks opcode %d")
				       EXPECTED("%s from supports()") SAW("%s"),
			       kind_name(kind), lacking,
			       answer(lacking == opcode ? -EOPNOTSUPP : 0), answer(rc));
			expect(rc == 0 || why.text[0],
			       WHEN("%s where the kernel lacks it") EXPECTED("words") SAW("none"),
			       kind_name(kind));
		}
		lacking = -1;
	}
}

static unsigned hidden_features, hidden_flags;

void hide_ring_features(unsigned features)
{
	hidden_features = features;
}

void hide_ring_flags(unsigned flags)
{
	hidden_flags = flags;
}

/* In place of liburing's function, as the one above. */
int io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
			       struct io_uring_params *params)
{
	static _Thread_local int (*real)(unsigned, struct io_uring *, struct io_uring_params *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	params->flags &= ~hidden_flags;
	int rc = real ? real(entries, ring, params) : -ENOSYS;
	if (rc == 0) {
		params->features &= ~hidden_features;
		ring->features &= ~hidden_features;
	}
	return rc;
}
