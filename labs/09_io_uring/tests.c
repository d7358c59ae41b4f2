/* SPDX-License-Identifier: MIT */
/* Lab 09: what an engine on io_uring must do, and how many system calls it may make for it. */
#include "lab_test.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "allocation_count.h"
#include "clock.h"
#include "failing_calls.h"
#include "ring_test.h"
#include "stream_test.h"

#define URING "io_uring_enter io_uring_register "
#define BLOCK 4096u

/* Exercise 1: SQEs and CQEs. */

/* The entries held reads before. */
static void a_no_op_does_nothing(struct subject *s)
{
	int fd = make_file(s, BLOCK, O_RDONLY);
	open_engine(s, 2, 1);
	attach(s, 0, fd);
	for (unsigned i = 0; i < 8; i++)
		perform(s, prepare(s, 0, IO_READ, fd, 0, 0, BLOCK));
	memset(buffer_of(s, 0), 0x55, BLOCK);
	for (unsigned i = 0; i < 4; i++) {
		int64_t result = perform(s, ring_no_op(s, 1));
		expect(result == 0, EXPECTED("0 from a no-op") SAW("%s"), answer(result));
	}
	expect(buffer_of(s, 0)[0] == 0x55,
	       EXPECTED("no-ops to touch no buffer") SAW("an older read made once more"));
	close_engine(s);
	close(fd);
}

/*
 * What need not wait is done in the call that hands it over, and a socket is waited for by polling it.
 * Neither needs a worker.
 */
static void asks_for_no_worker(struct subject *s)
{
	struct io_op *done[4], *ops[4];
	struct ring_connections c;
	open_ring_connections(s, &c, 4, 4);
	for (unsigned i = 0; i < 4; i++)
		ops[i] = ring_receive(s, i, c.ends[i][0], i);
	start_all(s, ops, 4);
	unsigned n = reap(s, done, 1, 4, A_MOMENT_NS);
	expect(n == 0, EXPECTED("four receives to wait") SAW("%u came back"), n);
	unsigned workers = io_workers();
	expect(workers == 0,
	       WHEN("four receives wait") EXPECTED("the sockets to be polled")
		       SAW("%u worker threads of io_uring"),
	       workers);
	for (unsigned i = 0; i < 4; i++)
		peer_sends(c.ends[i][1], "here", 4);
	await_all(s);
	close_ring_connections(s, &c);
}

static void file_asks_for_no_worker(struct subject *s)
{
	int fd = make_file(s, 16 * BLOCK, O_RDONLY);
	char block[BLOCK];
	struct iovec whole = { .iov_base = block, .iov_len = BLOCK };
	for (unsigned i = 0; i < 16; i++)
		expect(pread(fd, block, BLOCK, i * BLOCK) == BLOCK, "the test cannot read");
	/* Where this is refused io_uring cannot try either: it needs a worker for each read. */
	for (unsigned i = 0; i < 16; i++)
		if (preadv2(fd, &whole, 1, i * BLOCK, RWF_NOWAIT) != BLOCK)
			test_skipped("the file system of %s cannot read without blocking",
				     s->folder);
	open_engine(s, 4, 1);
	attach(s, 0, fd);
	for (unsigned i = 0; i < 16; i++) {
		int64_t n = perform(s, prepare(s, i % 4, IO_READ, fd, 0, i * BLOCK, BLOCK));
		expect(n == BLOCK, EXPECTED("a block") SAW("%s"), answer(n));
	}
	unsigned workers = io_workers();
	expect(workers == 0,
	       WHEN("the blocks are in the page cache") EXPECTED("no worker thread of io_uring")
		       SAW("%u"),
	       workers);
	close_engine(s);
	close(fd);
}

/* Exercise 2: one call, or none. */

static void one_call_a_batch(struct subject *s)
{
	enum { DEPTH = 32, ROUNDS = 10 };
	struct io_op *ops[DEPTH], *done[DEPTH];
	open_engine(s, DEPTH, 1);
	calls_reset();
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < DEPTH; i++)
			ops[i] = ring_no_op(s, i);
		start_all(s, ops, DEPTH);
		unsigned n = reap(s, done, DEPTH, DEPTH, PATIENCE_NS);
		expect(n == DEPTH, EXPECTED("all %u in one reap()") SAW("%u"), DEPTH, n);
		/* All is over, so these have nothing to ask the kernel for. */
		for (unsigned i = 0; i < 3; i++)
			reap(s, done, 0, DEPTH, 0);
	}
	expect_ring_calls(ROUNDS, "10 batches of 32 operations");
	close_engine(s);
}

/* The same where an empty ring costs a look: the batch itself is one call even so. */
static void one_call_a_batch_in_all(struct subject *s)
{
	enum { DEPTH = 32 };
	struct io_op *ops[DEPTH], *done[DEPTH];
	open_engine(s, DEPTH, 1);
	calls_reset();
	for (unsigned i = 0; i < DEPTH; i++)
		ops[i] = ring_no_op(s, i);
	start_all(s, ops, DEPTH);
	unsigned n = reap(s, done, DEPTH, DEPTH, PATIENCE_NS);
	expect(n == DEPTH, EXPECTED("all %u in one reap()") SAW("%u"), DEPTH, n);
	expect_ring_calls(1, "a batch of 32 operations");
	close_engine(s);
}

/* Exercise 5: what the kernel says. */

/* supports() and open() meet the kernel's refusal in the same call, and both have words for it. */
static void says_why_there_is_no_ring(struct subject *s)
{
	static const int errors[] = { ENOSYS, EPERM, ENOMEM, EMFILE, ENFILE, EINVAL };
	struct engine_config config = {
		.depth = 2, .max_fds = 2, .cpu_count = 2, .options = s->options
	};
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++)
		for (unsigned opens = 0; opens < 2; opens++) {
			struct reason why = { "" };
			struct engine *engine = NULL;
			unsigned before = count_open_descriptors();
			fail_call("io_uring_setup", errors[i], 0);
			int rc = opens ? s->ops->open(&engine, &config, &why)
				       : s->ops->supports(&config, IO_READ, IO_FD_FILE, &why);
			expect(call_failed(),
			       EXPECTED("%s() to try io_uring_setup") SAW("an answer without it"),
			       opens ? "open" : "supports");
			expect(rc == -errors[i] && why.text[0],
			       WHEN("when io_uring_setup fails in %s()") EXPECTED("%s and words")
				       SAW("%s: %s"),
			       opens ? "open" : "supports", answer(-errors[i]), answer(rc),
			       why.text);
			unsigned after = count_open_descriptors();
			expect(after == before,
			       WHEN("when io_uring_setup fails in %s()")
				       EXPECTED("no descriptor more") SAW("%u more"),
			       opens ? "open" : "supports", after - before);
		}
}

/* No io_uring, forbidden, too little memory: each has another cure, so each has other words. */
static void tells_causes_apart(struct subject *s)
{
	static const int errors[] = { ENOSYS, EPERM, ENOMEM, EINVAL };
	enum { COUNT = sizeof errors / sizeof *errors };
	const struct engine_config config = { .depth = 2, .cpu_count = 2, .options = s->options };
	struct reason whys[COUNT] = { 0 };
	for (unsigned i = 0; i < COUNT; i++) {
		fail_call("io_uring_setup", errors[i], 0);
		s->ops->supports(&config, IO_READ, IO_FD_FILE, &whys[i]);
		expect(call_failed(), EXPECTED("io_uring_setup to be tried") SAW("no call"));
		for (unsigned other = 0; other < i; other++)
			expect(strcmp(whys[i].id, whys[other].id) != 0,
			       EXPECTED("%s and %s to have reasons of their own")
				       SAW("\"%s\" for both"),
			       answer(-errors[i]), answer(-errors[other]), whys[i].id);
	}
}

/* Options: that each does what its name says. */

#define REGISTERING_OPTIONS 0x13u /* fixed_files, fixed_buffers, registered_ring */

/* How often the kernel is given something to keep while the engine opens: once for each such option. */
static void registers_what_was_asked_for(struct subject *s)
{
	unsigned expected = 0;
	for (uint64_t left = s->options & REGISTERING_OPTIONS; left; left &= left - 1)
		expected++;
	calls_reset();
	open_engine(s, 2, 1);
	unsigned calls = calls_made("io_uring_register");
	expect(calls == expected, EXPECTED("%u io_uring_register in open()") SAW("%u"), expected,
	       calls);
	close_engine(s);
}

/* Only a receive waits before it tries, and only where that was asked for. */
static void waits_first_where_asked(struct subject *s)
{
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 1);
	unsigned expected = s->options ? IORING_RECVSEND_POLL_FIRST : 0;
	struct ring_view view = view_ring();
	peer_sends(c.ends[0][1], "here", 4);
	struct io_uring_sqe sqe = last_sqe_of(s, &view, ring_receive(s, 0, c.ends[0][0], 0));
	expect(sqe.ioprio == expected, WHEN("RECV") EXPECTED("%#x in ioprio") SAW("%#x"), expected,
	       sqe.ioprio);
	sqe = last_sqe_of(s, &view, prepare_send(s, 0, c.ends[0][0], 0, 4));
	expect(sqe.ioprio == 0, WHEN("SEND") EXPECTED("0 in ioprio") SAW("%#x"), sqe.ioprio);
	close_view(&view);
	close_ring_connections(s, &c);
}

/* No page of it is touched: the kernel is asked to pin it, and refuses, or the engine refuses before. */
static void refuses_buffers_that_are_too_large(struct subject *s)
{
	const size_t most_bytes = (size_t)1 << 30;
	char *arena = mmap(NULL, most_bytes + BLOCK, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		test_skipped("there is no address space of 1 GiB");
	for (unsigned over = 0; over < 2; over++) {
		struct engine_config config = { .depth = 1,
						.max_fds = 1,
						.arena = arena,
						.arena_len_bytes = most_bytes + over * BLOCK,
						.cpu_count = 2,
						.options = s->options };
		struct reason why = { "" };
		int rc = s->ops->open(&s->engine, &config, &why);
		expect(rc < 0 && why.text[0],
		       EXPECTED("-errno from open() for memory that is not there, and words")
			       SAW("%s: %s"),
		       answer(rc), why.text);
		expect((rc == -EFBIG) == over,
		       WHEN("%s buffers") EXPECTED("-EFBIG for more than the kernel takes, 1 GiB")
			       SAW("%s"),
		       over ? "1 GiB and a page of" : "1 GiB of", answer(rc));
	}
	munmap(arena, most_bytes + BLOCK);
}

/* Too little memory to pin has a cure of its own, and so words of its own. */
static void tells_why_nothing_is_registered(struct subject *s)
{
	static const int errors[] = { ENOMEM, EINVAL, EOPNOTSUPP };
	char ids[3][sizeof((struct reason *)NULL)->id];
	static char arena[BLOCK] __attribute__((aligned(4096)));
	for (unsigned i = 0; i < 3; i++) {
		struct engine_config config = { .depth = 1,
						.max_fds = 1,
						.arena = arena,
						.arena_len_bytes = sizeof arena,
						.cpu_count = 2,
						.options = s->options };
		struct reason why = { "" };
		if (s->options == 0)
			config.lent_count = config.lent_len_bytes = 2;
		fail_call("io_uring_register", errors[i], 0);
		int rc = s->ops->open(&s->engine, &config, &why);
		expect(call_failed() && rc == -errors[i] && why.text[0],
		       WHEN("when io_uring_register fails") EXPECTED("%s from open(), and words")
			       SAW("%s: %s"),
		       answer(-errors[i]), answer(rc), why.text);
		memcpy(ids[i], why.id, sizeof ids[i]);
	}
	/* EINVAL is what a kernel says that knows no lending. */
	bool is_apart = strcmp(ids[s->options ? 0 : 1], ids[2]) != 0;
	expect(is_apart, EXPECTED("%s and %s to have reasons of their own") SAW("\"%s\" for both"),
	       answer(-errors[s->options ? 0 : 1]), answer(-errors[2]), ids[2]);
}

/* Completions wait until they are asked for. Without the option they come with any system call. */
static void completions_wait_to_be_asked_for(struct subject *s)
{
	struct io_op *done[1];
	struct ring_connections c;
	open_ring_connections(s, &c, 1, 1);
	struct ring_view view = view_ring();
	start(s, ring_receive(s, 0, c.ends[0][0], 0));
	unsigned n = reap(s, done, 0, 1, 0);
	expect(n == 0, EXPECTED("nothing yet") SAW("%u"), n);
	unsigned before = number_at(&view, view.cq.tail);
	peer_sends(c.ends[0][1], "here", 4);
	for (unsigned i = 0; i < 20; i++)
		sched_yield();
	unsigned came = number_at(&view, view.cq.tail) - before;
	expect(came == 0, EXPECTED("no completion before it is asked for") SAW("%u"), came);
	await(s, &s->op[0]);
	close_view(&view);
	close_ring_connections(s, &c);
}

static void says_which_option_is_refused(struct subject *s)
{
	const struct engine_config config = { .depth = 2, .cpu_count = 2, .options = s->options };
	static const char *const ids[] = { "kernel_too_old", "sqpoll_with_defer_taskrun" };
	struct reason why = { "" };
	bool together = (s->options & (s->options - 1)) != 0;
	if (!together)
		fail_call("io_uring_setup", EINVAL, 0);
	int rc = s->ops->supports(&config, IO_READ, IO_FD_FILE, &why);
	if (!together)
		call_failed();
	expect(rc == -EINVAL && strcmp(why.id, ids[together]) == 0,
	       EXPECTED("-EINVAL from supports(), for the reason %s") SAW("%s: %s"), ids[together],
	       answer(rc), why.id);
}

/* The kernel's thread sees what is in the ring. It may have fallen asleep now and then. */
static void hands_over_without_a_call(struct subject *s)
{
	enum { OPERATIONS = 200, CALLS = 40 };
	struct io_op *done[1];
	open_engine(s, 1, 1);
	perform(s, ring_no_op(s, 0));
	calls_reset();
	for (unsigned i = 0; i < OPERATIONS; i++) {
		start(s, ring_no_op(s, 0));
		uint64_t until_ns = clock_ns() + (uint64_t)PATIENCE_NS;
		while (reap(s, done, 0, 1, 0) == 0) {
			expect(clock_ns() < until_ns, EXPECTED("a no-op back") SAW("none in 2 s"));
			sched_yield();
		}
	}
	unsigned calls = calls_made(RING_ENTER);
	expect(calls <= CALLS, EXPECTED("next to no call for %d operations") SAW("%u"), OPERATIONS,
	       calls);
	close_engine(s);
}

/* The ring is full, and the thread needs a moment to take what is in it: submit() waits for that. */
static void waits_for_the_polling_thread(struct subject *s)
{
	static struct io_op *ops[MORE_THAN_A_RING];
	open_engine(s, MORE_THAN_A_RING, 1);
	ring_no_ops(s, ops, MORE_THAN_A_RING);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned accepted = 0; accepted < MORE_THAN_A_RING;) {
			unsigned n =
				ring_submit_once(s, ops + accepted, MORE_THAN_A_RING - accepted);
			expect(n > 0,
			       WHEN("the ring holds %u operations")
				       EXPECTED("submit() to wait for the thread that takes them")
					       SAW("none accepted"),
			       accepted);
			accepted += n;
		}
		await_all(s);
	}
	close_engine(s);
}

/* Its owner may be told to leave some CPUs alone, and did not ask for one of them. */
static void the_polling_thread_has_all_cpus(struct subject *s)
{
	cpu_set_t ours, its;
	open_engine(s, 1, 1);
	perform(s, ring_no_op(s, 0)); /* the thread has a name of its own once it has begun */
	int tid = polling_thread();
	if (tid < 0)
		test_skipped("/proc/self/task shows no polling thread");
	expect(sched_getaffinity(0, sizeof ours, &ours) == 0 &&
		       sched_getaffinity(tid, sizeof its, &its) == 0,
	       "the test itself cannot read which CPUs a thread may use");
	expect(CPU_EQUAL(&ours, &its),
	       EXPECTED("the polling thread to run on any of the %d CPUs of this process")
		       SAW("%d"),
	       CPU_COUNT(&ours), CPU_COUNT(&its));
	close_engine(s);
}

/* When there was no work for a while, it leaves the CPU. */
static void the_polling_thread_falls_asleep(struct subject *s)
{
	open_engine(s, 1, 1);
	perform(s, ring_no_op(s, 0));
	int tid = polling_thread();
	if (tid < 0)
		test_skipped("/proc/self/task shows no polling thread");
	wait_until_asleep(tid);
	close_engine(s);
}

/* An option that would change nothing is refused in words, and accepted where it does something. */
static void expect_support(struct subject *s, enum io_kind kind, unsigned cpu_count, int expected)
{
	const struct engine_config config = { .depth = 2,
					      .cpu_count = cpu_count,
					      .options = s->options };
	struct reason why = { "" };
	int rc = s->ops->supports(&config, kind, IO_FD_NONE, &why);
	expect(rc == expected, WHEN("%s, on %u CPUs") EXPECTED("%s from supports()") SAW("%s"),
	       kind_name(kind), cpu_count, answer(expected), answer(rc));
	expect(rc == 0 || why.text[0], WHEN("%s") EXPECTED("words") SAW("none"), kind_name(kind));
}

static void fixed_files_are_for_files(struct subject *s)
{
	expect_support(s, IO_NOP, 2, -EOPNOTSUPP);
	expect_support(s, IO_READ, 1, 0);
	expect_support(s, IO_RECV, 1, 0);
}

static void fixed_buffers_are_for_files(struct subject *s)
{
	expect_support(s, IO_NOP, 2, -EOPNOTSUPP);
	expect_support(s, IO_RECV, 2, -EOPNOTSUPP);
	expect_support(s, IO_ACCEPT, 2, -EOPNOTSUPP);
	expect_support(s, IO_WRITE, 1, 0);
}

static void poll_first_is_for_receives(struct subject *s)
{
	expect_support(s, IO_READ, 2, -EOPNOTSUPP);
	expect_support(s, IO_ACCEPT, 2, -EOPNOTSUPP);
	expect_support(s, IO_RECV, 1, 0);
}

static void sqpoll_wants_a_second_cpu(struct subject *s)
{
	expect_support(s, IO_READ, 1, -EOPNOTSUPP);
	expect_support(s, IO_READ, 2, 0);
}

/* The table. */

#define EXERCISE(number) .exercise = number, .engine = "io_uring", .allowed_calls = URING

/* Given code, which goes through all regions: the exercises leave it whole. */
#define OPTION(option) .exercise = 5, .engine = "io_uring:" option, .allowed_calls = URING

#define TEST(test, which, function) .name = test, .flavours = which, .run = function

const struct lab_test lab_tests[] = {
	{ EXERCISE(1), TEST("reads_the_right_blocks", FILES, file_read_right_data) },
	{ EXERCISE(1), TEST("writes_the_right_blocks", FILES, file_write_right_data) },
	{ EXERCISE(1), TEST("reads_across_the_end", FILES, file_read_across_end) },
	{ EXERCISE(1), TEST("syncs", ONE(BUFFERED), file_sync) },
	{ EXERCISE(1), TEST("tells_a_write_to_read_only", ONE(BUFFERED), file_write_to_read_only) },
	{ EXERCISE(1), TEST("tells_a_bad_descriptor", ONE(BUFFERED), file_bad_descriptor) },
	{ EXERCISE(1),
	  TEST("keeps_all_bits_of_an_offset", ONE(BUFFERED), file_offsets_beyond_4_gib) },
	{ EXERCISE(1), TEST("reads_zero_bytes", ONE(BUFFERED), file_zero_bytes) },
	{ EXERCISE(1), TEST("fills_its_depth", FILES, file_fills_its_depth) },
	{ EXERCISE(1),
	  TEST("an_entry_for_each_operation", ONE(BUFFERED), an_entry_for_each_operation) },
	{ EXERCISE(1), TEST("a_sync_is_a_sync", ONE(UNIX), a_sync_is_a_sync) },
	{ EXERCISE(1), TEST("a_send_raises_no_signal", ONE(UNIX), a_send_raises_no_signal) },
	{ EXERCISE(1), TEST("a_send_ends_with_what_fits", SOCKETS, a_send_ends_with_what_fits) },
	{ EXERCISE(1), TEST("each_sync_has_its_flag", ONE(BUFFERED), each_sync_has_its_flag) },
	{ EXERCISE(1), TEST("a_no_op_does_nothing", ONE(BUFFERED), a_no_op_does_nothing) },
	{ EXERCISE(1), TEST("nop_completes", ONE(NO_FD), nop_completes) },
	{ EXERCISE(1), TEST("what_is_beyond_max_stays", ONE(NO_FD), what_is_beyond_max_stays) },
	{ EXERCISE(1), TEST("submit_makes_no_call", ONE(NO_FD), submit_makes_no_call) },
	{ EXERCISE(1),
	  TEST("survives_many_operations", ONE(NO_FD), file_survives_many_operations) },
	{ EXERCISE(1), TEST("receives_what_is_there", STREAMS, stream_receives_what_is_there) },
	{ EXERCISE(1), TEST("sends_right_data", STREAMS, stream_sends_right_data) },
	{ EXERCISE(1), TEST("send_to_nobody", ONE(TCP) | ONE(UNIX), stream_send_to_nobody) },
	{ EXERCISE(1), TEST("end_of_file", STREAMS, stream_end_of_file) },
	{ EXERCISE(1), TEST("accepts_who_waits", ONE(TCP), accept_takes_who_waits) },
	{ EXERCISE(1), TEST("connects", SOCKETS, connect_reaches_a_listener) },
	{ EXERCISE(1), TEST("asks_for_no_worker", ONE(TCP) | ONE(UNIX), asks_for_no_worker) },
	{ EXERCISE(1),
	  TEST("a_cached_file_needs_no_worker", ONE(BUFFERED), file_asks_for_no_worker) },
	{ EXERCISE(1), TEST("result_is_all_that_is_written", ONE(UNIX) | ONE(BUFFERED),
			    result_is_all_that_is_written) },
	{ EXERCISE(1), TEST("two_engines", ONE(BUFFERED), two_engines_on_files) },

	{ EXERCISE(2), TEST("one_call_a_batch", ONE(NO_FD), one_call_a_batch) },
	{ EXERCISE(2),
	  TEST("one_call_a_batch_of_messages", SOCKETS, one_call_a_batch_of_messages) },
	{ EXERCISE(2), TEST("takes_what_is_there_without_a_call", ONE(NO_FD),
			    ring_is_taken_from_without_a_call) },
	{ EXERCISE(2), TEST("does_not_wait_when_enough_is_there", ONE(UNIX),
			    does_not_wait_when_enough_is_there) },
	{ EXERCISE(2), TEST("hands_over_even_if_it_may_not_wait", ONE(UNIX),
			    hands_over_even_if_it_may_not_wait) },
	{ EXERCISE(2),
	  TEST("a_time_limit_is_part_of_the_call", ONE(UNIX), a_time_limit_is_part_of_the_call) },
	{ EXERCISE(2),
	  TEST("an_endless_wait_is_one_call", ONE(UNIX), ring_endless_wait_is_one_call) },
	{ EXERCISE(2), TEST("sleeps_while_waiting", ONE(TCP), stream_sleeps_while_waiting) },
	{ EXERCISE(2), TEST("keeps_its_timeout", ONE(UNIX), stream_keeps_its_timeout) },
	{ EXERCISE(2),
	  TEST("short_waits_are_short", ONE(UNIX), stream_waits_less_than_a_millisecond) },
	{ EXERCISE(2), TEST("keeps_all_bits_of_a_timeout", ONE(UNIX), stream_waits_for_ever) },
	{ EXERCISE(2), TEST("waits_for_seconds", ONE(UNIX), stream_waits_for_seconds) },
	{ EXERCISE(2),
	  TEST("waits_for_as_many_as_asked", ONE(UNIX), stream_waits_for_as_many_as_asked) },
	{ EXERCISE(2), TEST("counts_what_was_left", ONE(UNIX), stream_counts_what_was_left) },
	{ EXERCISE(2), TEST("keeps_min_and_max", ONE(UNIX), reap_keeps_min_and_max) },
	{ EXERCISE(2), TEST("keeps_a_large_min", ONE(NO_FD), reap_keeps_a_large_min) },
	{ EXERCISE(2), TEST("a_signal_ends_the_wait", ONE(TCP), stream_signal_ends_the_wait) },
	{ EXERCISE(2), TEST("survives_signals", ONE(TCP), stream_survives_signals) },

	{ EXERCISE(3), TEST("goes_on_behind_a_full_ring", ONE(NO_FD), goes_on_behind_a_full_ring) },
	{ EXERCISE(3), TEST("a_refusal_is_back_pressure", ONE(NO_FD), a_refusal_is_back_pressure) },

	{ EXERCISE(4), TEST("calls_one_back", ONE(TCP) | ONE(PIPE), cancel_one_leaves_the_others) },
	{ EXERCISE(4),
	  TEST("leaves_the_descriptor_whole", ONE(UNIX), cancel_one_leaves_the_descriptor_whole) },
	{ EXERCISE(4), TEST("leaves_no_trace", ONE(UNIX), cancel_one_leaves_no_trace) },
	{ EXERCISE(4), TEST("loses_no_byte", ONE(UNIX), cancel_one_loses_no_byte) },
	{ EXERCISE(4), TEST("meets_the_beginning", ONE(UNIX), cancel_one_meets_the_beginning) },
	{ EXERCISE(4), TEST("comes_too_late", ONE(UNIX), cancel_one_comes_too_late) },
	{ EXERCISE(4), TEST("calls_a_send_back", ONE(UNIX), cancel_one_of_a_send) },
	{ EXERCISE(4),
	  TEST("calls_a_short_send_back", ONE(UNIX) | ONE(PIPE), cancel_one_of_a_short_send) },
	{ EXERCISE(4), TEST("a_signal_ends_a_wait_after_a_cancel", ONE(UNIX),
			    stream_signal_ends_a_wait_after_a_cancel) },
	{ EXERCISE(4),
	  TEST("allocates_nothing_later", ONE(UNIX), counted_no_allocation_after_open) },
	{ EXERCISE(4), TEST("calls_a_file_back", ONE(BUFFERED), cancel_one_of_a_file) },
	{ EXERCISE(4),
	  TEST("a_cancel_is_part_of_the_batch", ONE(UNIX), a_cancel_is_part_of_the_batch) },
	{ EXERCISE(4),
	  TEST("a_cancels_completion_ends_no_wait", ONE(UNIX), a_cancels_completion_ends_no_wait) },
	{ EXERCISE(4), TEST("what_came_back_is_waited_for_no_more", ONE(UNIX),
			    what_came_back_is_waited_for_no_more) },
	{ EXERCISE(4),
	  TEST("a_cancel_begins_no_time_anew", ONE(UNIX), a_cancel_begins_no_time_anew) },
	{ EXERCISE(4),
	  TEST("max_is_kept_beside_a_cancel", ONE(UNIX), max_is_kept_beside_a_cancel) },
	{ EXERCISE(4),
	  TEST("a_full_ring_has_room_for_cancels", ONE(UNIX), a_full_ring_has_room_for_cancels) },
	{ EXERCISE(4), TEST("a_cancel_without_room_is_not_forgotten", ONE(UNIX),
			    a_cancel_without_room_is_not_forgotten) },
	{ EXERCISE(4), TEST("a_cancel_without_room_twice_is_asked_again", ONE(UNIX),
			    a_cancel_without_room_twice_is_asked_again) },
	{ EXERCISE(4), TEST("what_is_over_is_called_back_no_more", ONE(UNIX),
			    what_is_over_is_called_back_no_more) },
	{ EXERCISE(4), TEST("cancels_without_room_are_all_asked", ONE(UNIX),
			    cancels_without_room_are_all_asked) },
	{ EXERCISE(4), TEST("what_nobody_called_back_goes_on", ONE(UNIX) | ONE(PIPE),
			    what_nobody_called_back_goes_on) },
	{ EXERCISE(4),
	  TEST("a_cancel_names_one_operation", ONE(UNIX), a_cancel_names_one_operation) },
	{ EXERCISE(4), TEST("a_cancel_leaves_the_other_direction", ONE(UNIX),
			    a_cancel_leaves_the_other_direction) },
	{ EXERCISE(4),
	  TEST("a_deep_engine_calls_all_back", ONE(UNIX), a_deep_engine_calls_all_back) },
	{ EXERCISE(4), TEST("calls_all_back", ONE(TCP) | ONE(PIPE), stream_cancel) },
	{ EXERCISE(4),
	  TEST("calls_all_back_in_scattered_slots", ONE(UNIX), stream_cancel_in_scattered_slots) },
	{ EXERCISE(4),
	  TEST("a_cancel_leaves_what_is_back", ONE(UNIX), cancel_leaves_what_is_back) },
	{ EXERCISE(4), TEST("calls_sends_back", ONE(UNIX), stream_cancel_of_sends) },
	{ EXERCISE(4), TEST("calls_files_back", FILES, file_cancel) },
	{ EXERCISE(4), TEST("calls_nothing_back", ONE(UNIX), cancel_with_nothing_in_flight) },
	{ EXERCISE(4), TEST("stays_whole_after_the_end", ONE(UNIX) | ONE(PIPE),
			    stream_stays_whole_after_the_end) },
	{ EXERCISE(4), TEST("calls_an_accept_back", ONE(TCP), accept_is_called_back) },
	{ EXERCISE(4), TEST("calls_a_connect_back", ONE(TCP), connect_waits_and_is_called_back) },

	{ EXERCISE(5), TEST("a_busy_kernel_is_no_error", ONE(TCP), a_busy_kernel_is_no_error) },
	{ EXERCISE(5), TEST("takes_completions_from_a_busy_kernel", ONE(NO_FD),
			    takes_completions_from_a_busy_kernel) },
	{ EXERCISE(5), TEST("a_broken_ring_is_told", ONE(TCP), a_broken_ring_is_told) },
	{ EXERCISE(5), TEST("a_broken_ring_is_told_beside_a_cancel", ONE(UNIX),
			    a_broken_ring_is_told_beside_a_cancel) },
	{ EXERCISE(5), TEST("says_why_there_is_no_ring", ONE(NO_FD), says_why_there_is_no_ring) },
	{ EXERCISE(5), TEST("tells_causes_apart", ONE(NO_FD), tells_causes_apart) },
	{ EXERCISE(5),
	  TEST("supports_leaves_nothing_behind", ONE(NO_FD), supports_leaves_nothing_behind) },
	{ EXERCISE(5), TEST("an_unanswered_probe_is_no_promise", ONE(NO_FD),
			    an_unanswered_probe_is_no_promise) },

	{ EXERCISE(5),
	  TEST("asks_for_the_very_operation", ONE(NO_FD), asks_for_the_very_operation) },
	{ EXERCISE(5), TEST("supports_or_says_why", ONE(NO_FD), supports_or_says_why) },
	{ EXERCISE(5), TEST("open_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ EXERCISE(5),
	  TEST("a_ring_is_as_large_as_needed", ONE(NO_FD), a_ring_is_as_large_as_needed) },
	{ EXERCISE(5),
	  TEST("opens_for_more_than_a_ring_holds", ONE(NO_FD), ring_opens_for_more_than_it_holds) },
	{ EXERCISE(5),
	  TEST("registers_nothing_unasked", ONE(NO_FD), registers_what_was_asked_for) },
	{ EXERCISE(5), TEST("tries_before_it_waits", ONE(UNIX), waits_first_where_asked) },

	{ EXERCISE(5),
	  TEST("lends_as_many_as_a_ring_holds", ONE(UNIX), lends_as_many_as_a_ring_holds) },
	{ EXERCISE(5),
	  TEST("keeps_no_page_of_what_it_lent", ONE(UNIX), keeps_no_page_of_what_it_lent) },
	{ EXERCISE(5),
	  TEST("tells_why_nothing_is_lent", ONE(UNIX), tells_why_nothing_is_registered) },
	{ EXERCISE(5), TEST("lends_what_came", ONE(UNIX), lent_buffer_holds_what_came) },
	{ EXERCISE(5), TEST("lends_and_takes_back", ONE(UNIX), lent_buffer_is_the_callers) },
	{ EXERCISE(5), TEST("lends_to_nobody_who_waits", ONE(UNIX), lent_buffers_wait_for_none) },
	{ EXERCISE(5), TEST("lends_until_none_is_left", ONE(UNIX), lent_buffers_are_short) },
	{ EXERCISE(5), TEST("lends_for_bytes_only", ONE(UNIX), lent_buffer_for_bytes_only) },
	{ EXERCISE(5), TEST("lends_the_length", ONE(UNIX), lent_buffers_take_the_length) },
	{ EXERCISE(5), TEST("lends_beside_others", ONE(UNIX), lent_buffers_and_others) },
	{ EXERCISE(5), TEST("lends_or_says_why_not", ONE(UNIX), lent_buffers_or_a_reason) },
	{ EXERCISE(5), TEST("opens_without_memory", ONE(TCP), open_without_memory) },
	{ EXERCISE(5),
	  TEST("failures_leave_nothing_behind", ONE(NO_FD), failures_leave_nothing_behind) },
	{ OPTION("fixed_files"), TEST("fixed_files_read", ONE(BUFFERED), file_read_right_data) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_receive", ONE(UNIX), stream_receives_what_is_there) },
	{ OPTION("fixed_files"), TEST("fixed_files_number_moves_to_another_slot", ONE(UNIX),
				      stream_number_moves_to_another_slot) },
	{ OPTION("fixed_files"), TEST("fixed_files_slot_takes_another_number", ONE(UNIX),
				      stream_slot_takes_another_number) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_call_one_back", ONE(UNIX), cancel_one_leaves_the_others) },
	{ OPTION("fixed_buffers"), TEST("fixed_buffers_read", FILES, file_read_right_data) },
	{ OPTION("fixed_buffers"), TEST("fixed_buffers_write", FILES, file_write_right_data) },
	{ OPTION("defer_taskrun"),
	  TEST("deferred_work_is_asked_for", STREAMS, stream_receives_what_is_there) },
	{ OPTION("defer_taskrun"), TEST("deferred_work_is_asked_for_without_a_wait", ONE(UNIX),
					hands_over_even_if_it_may_not_wait) },
	{ OPTION("defer_taskrun"),
	  TEST("deferred_two_engines", ONE(UNIX), two_engines_on_streams) },
	{ OPTION("defer_taskrun"),
	  TEST("deferred_one_call_a_batch", ONE(NO_FD), one_call_a_batch_in_all) },
	{ OPTION("defer_taskrun"),
	  TEST("deferred_calls_one_back", ONE(UNIX), cancel_one_leaves_the_others) },
	{ OPTION("defer_taskrun"), TEST("deferred_takes_what_is_there_without_a_call", ONE(NO_FD),
					ring_is_taken_from_without_a_call) },
	{ OPTION("registered_ring"),
	  TEST("registered_ring_reads", ONE(BUFFERED), file_read_right_data) },
	{ OPTION("poll_first"),
	  TEST("poll_first_receives", SOCKETS, stream_receives_what_is_there) },
	{ OPTION("sqpoll"),
	  TEST("sqpoll_survives_many_operations", ONE(NO_FD), file_survives_many_operations),
	  .limit_s = 240 },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_tell_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_attach_or_tell", ONE(UNIX), attach_tells_what_fails) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_have_empty_places", ONE(BUFFERED), an_empty_place_is_no_descriptor) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_let_go_what_is_detached", ONE(UNIX), what_is_detached_is_let_go) },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_and_lent_buffers", ONE(UNIX), lent_buffer_holds_what_came) },
	{ OPTION("fixed_buffers"),
	  TEST("fixed_buffers_are_used", ONE(BUFFERED), uses_registered_buffers) },
	{ OPTION("fixed_buffers"),
	  TEST("fixed_buffers_tell_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ OPTION("fixed_buffers"), TEST("fixed_buffers_tell_too_little_memory", ONE(NO_FD),
					tells_why_nothing_is_registered) },
	{ OPTION("fixed_buffers"),
	  TEST("fixed_buffers_end_at_a_gibibyte", ONE(NO_FD), refuses_buffers_that_are_too_large) },
	{ OPTION("fixed_buffers"), TEST("fixed_buffers_ask_for_the_very_operation", ONE(NO_FD),
					asks_for_the_very_operation) },
	{ OPTION("fixed_files+fixed_buffers+registered_ring"),
	  TEST("registers_all_that_was_asked_for", ONE(NO_FD), registers_what_was_asked_for) },
	{ OPTION("registered_ring"),
	  TEST("registered_ring_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ OPTION("defer_taskrun"), TEST("deferred_completions_wait_to_be_asked_for", ONE(UNIX),
					completions_wait_to_be_asked_for) },
	{ OPTION("defer_taskrun"),
	  TEST("deferred_says_what_it_needs", ONE(NO_FD), says_which_option_is_refused) },
	{ OPTION("sqpoll+defer_taskrun"),
	  TEST("sqpoll_excludes_deferral", ONE(NO_FD), says_which_option_is_refused) },
	{ OPTION("poll_first"),
	  TEST("poll_first_is_asked_for", ONE(UNIX), waits_first_where_asked) },
	{ OPTION("sqpoll"),
	  TEST("sqpoll_hands_over_without_a_call", ONE(NO_FD), hands_over_without_a_call),
	  .limit_s = 30 },
	{ OPTION("sqpoll_shared"),
	  TEST("sqpoll_shared_hands_over_without_a_call", ONE(NO_FD), hands_over_without_a_call),
	  .limit_s = 30 },
	{ OPTION("sqpoll"), TEST("sqpoll_waits_for_room", ONE(NO_FD), waits_for_the_polling_thread),
	  .limit_s = 30 },
	{ OPTION("sqpoll"),
	  TEST("sqpoll_falls_asleep", ONE(NO_FD), the_polling_thread_falls_asleep), .limit_s = 30 },
	{ OPTION("sqpoll"),
	  TEST("sqpoll_has_all_cpus", ONE(NO_FD), the_polling_thread_has_all_cpus), .limit_s = 30 },
	{ OPTION("fixed_files"),
	  TEST("fixed_files_are_for_files", ONE(NO_FD), fixed_files_are_for_files) },
	{ OPTION("fixed_buffers"),
	  TEST("fixed_buffers_are_for_files", ONE(NO_FD), fixed_buffers_are_for_files) },
	{ OPTION("poll_first"),
	  TEST("poll_first_is_for_receives", ONE(NO_FD), poll_first_is_for_receives) },
	{ OPTION("sqpoll"),
	  TEST("sqpoll_wants_a_second_cpu", ONE(NO_FD), sqpoll_wants_a_second_cpu) },

	THE_REST_OF_THE_CONTRACT(5, "io_uring", FILES | STREAMS | ONE(NO_FD), BLOCKING),
	{ NULL },
};
