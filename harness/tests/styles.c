/* SPDX-License-Identifier: MIT */
/*
 * The job of common/styles.h: five styles, each over each engine that can do the job, give the same
 * bytes, and the same answer to each fault. A fault is laid over the engine; for the style that makes
 * its calls itself, over the C library's calls.
 *
 *     styles [ENGINE[:OPTION] [TEST]]
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "engines.h"
#include "styles.h"
#include "tests/test_apart.h"
#include "workloads/index_file.h"
#include "workloads/lookup_server.h"
#include "workloads/memory_engine.h"

#define LIMIT_S 120
#define LANES	3
#define BLOCKS	5u
/* With this many blocks; the index and the result, too. */
#define OPERATIONS 9u
#define NOBODY	   UINT_MAX

static char label[100];
static uint64_t engine_options;
static const struct engine_ops *right;

/* What is laid over the engine, and over the calls of the style that blocks. */

enum fault { NO_FAULT, FAILS, ENDS, IS_SHORT, FAULT_COUNT };

static struct {
	enum fault fault;
	enum io_kind kind;
	unsigned at; /* the operation of this kind, from 0 */
	unsigned seen[IO_KIND_COUNT], ended;
	unsigned in_flight, in_flight_most;
	struct io_op *struck;
	uint32_t len_bytes; /* of the one that was struck */
	unsigned cancel_after; /* operations that have ended; NOBODY: never */
	struct index_job *job;
	bool watches_calls;
} laid;

/* The first error counts. */
static void cancel_job(void)
{
	job_fail(laid.job, -ECANCELED);
	job_fail(laid.job, -EIO);
}

static bool strikes(enum io_kind kind)
{
	return laid.fault != NO_FAULT && kind == laid.kind && laid.seen[kind] == laid.at;
}

static int64_t faulty_result(int64_t result)
{
	return laid.fault == FAILS ? -EIO : laid.fault == ENDS ? 0 : result;
}

static int submit_laid_over(struct engine *engine, struct io_op *const *ops, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct io_op *op = ops[i];
		bool is_struck = strikes(op->kind);
		uint32_t len_bytes = op->len_bytes;
		if (is_struck && laid.fault == IS_SHORT)
			op->len_bytes = 1;
		int rc = right->submit(engine, &ops[i], 1);
		if (rc != 1) {
			op->len_bytes = len_bytes;
			return i > 0 ? (int)i : rc;
		}
		laid.seen[op->kind]++;
		if (++laid.in_flight > laid.in_flight_most)
			laid.in_flight_most = laid.in_flight;
		if (is_struck) {
			laid.struck = op;
			laid.len_bytes = len_bytes;
		}
	}
	return (int)count;
}

static int reap_laid_over(struct engine *engine, struct io_op **done, unsigned min, unsigned max,
			  int64_t timeout_ns)
{
	int count = right->reap(engine, done, min, max, timeout_ns);
	for (int i = 0; i < count; i++) {
		laid.ended++;
		laid.in_flight--;
		if (done[i] != laid.struck)
			continue;
		done[i]->len_bytes = laid.len_bytes;
		done[i]->result = faulty_result(done[i]->result);
		laid.struck = NULL;
	}
	return count;
}

static ssize_t call_laid_over(enum io_kind kind, int fd, void *buffer, size_t len_bytes,
			      off_t offset, int flags)
{
	bool is_struck = laid.watches_calls && strikes(kind);
	ssize_t n;
	if (is_struck && laid.fault == IS_SHORT)
		len_bytes = 1;
	if (kind == IO_READ)
		n = syscall(SYS_pread64, fd, buffer, len_bytes, offset);
	else if (kind == IO_WRITE)
		n = syscall(SYS_pwrite64, fd, buffer, len_bytes, offset);
	else if (kind == IO_SEND)
		n = syscall(SYS_sendto, fd, buffer, len_bytes, flags, NULL, 0);
	else
		n = syscall(SYS_recvfrom, fd, buffer, len_bytes, flags, NULL, NULL);
	if (!laid.watches_calls)
		return n;
	laid.seen[kind]++;
	if (++laid.ended == laid.cancel_after)
		cancel_job();
	int64_t result = is_struck ? faulty_result(n) : n;
	if (result == -EIO)
		errno = EIO;
	return result < 0 ? -1 : result;
}

/* This program's own, in place of the C library's. */

ssize_t pread(int fd, void *buffer, size_t len_bytes, off_t offset)
{
	return call_laid_over(IO_READ, fd, buffer, len_bytes, offset, 0);
}

ssize_t pwrite(int fd, const void *buffer, size_t len_bytes, off_t offset)
{
	return call_laid_over(IO_WRITE, fd, (void *)buffer, len_bytes, offset, 0);
}

ssize_t send(int fd, const void *buffer, size_t len_bytes, int flags)
{
	return call_laid_over(IO_SEND, fd, (void *)buffer, len_bytes, 0, flags);
}

ssize_t recv(int fd, void *buffer, size_t len_bytes, int flags)
{
	return call_laid_over(IO_RECV, fd, buffer, len_bytes, 0, flags);
}

/* Cancels when enough has ended. It looks in each turn of the loop. */
static void look_for_cancel(struct event_loop *loop, void *context)
{
	struct loop_deferred *deferred = context;
	if (laid.ended >= laid.cancel_after)
		cancel_job();
	else if (laid.job->is_running)
		event_loop_defer(loop, deferred);
}

/* One job: its input, its run, its result. */

struct trial {
	const struct style *style;
	unsigned lane_count;
	uint32_t block_count, block_bytes;
	int64_t timeout_ns;
	unsigned silent; /* the entry that the server does not answer; NOBODY: none */
	enum fault fault;
	enum io_kind kind;
	unsigned at;
	unsigned cancel_after;
	unsigned runs;
};

static const struct trial plain = { .lane_count = LANES,
				    .block_count = BLOCKS,
				    .block_bytes = 4096,
				    .silent = NOBODY,
				    .cancel_after = NOBODY,
				    .runs = 1 };

static unsigned open_descriptors(void)
{
	unsigned count = 0;
	for (int fd = 0; fd < 1000; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int nameless(void)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		char path[] = "/tmp/iolab-styles-XXXXXX";
		fd = mkostemp(path, O_CLOEXEC);
		unlink(path);
	}
	expect(fd >= 0, "a file without a name: %s", strerror(errno));
	return fd;
}

static int run_once(const struct trial *trial, struct index_job *job)
{
	struct loop_deferred canceller = { .call = look_for_cancel, .context = &canceller };
	laid.fault = trial->fault;
	laid.kind = trial->kind;
	laid.at = trial->at;
	laid.ended = laid.in_flight = laid.in_flight_most = 0;
	laid.cancel_after = trial->cancel_after;
	laid.job = job;
	laid.struck = NULL;
	memset(laid.seen, 0, sizeof laid.seen);
	laid.watches_calls = trial->style->blocks;
	if (trial->cancel_after != NOBODY && job->loop)
		event_loop_defer(job->loop, &canceller);
	int rc = job_run(job);
	job_fail(job, -EIO); /* it has ended: nothing */
	laid.watches_calls = false;
	if (job->loop)
		expect(event_loop_run(job->loop, LOOP_POLL) == 0, "%s left something alive",
		       trial->style->name);
	return rc;
}

/*
 * Returns the job's error, or 0 after a comparison of the bytes. `*wrote` (may be NULL) tells whether
 * a result is there. Ends this test when the engine cannot do the job.
 */
static int try_job(const struct trial *trial, bool *wrote)
{
	static struct engine_ops laid_over;
	struct reason why = { "" };
	struct job_index index;
	struct job_result expected, seen;
	struct lookup_server server;
	struct index_job *job;
	unsigned descriptors = open_descriptors();
	int file = nameless(), result_file = nameless();
	index_make(&index, trial->block_count, trial->block_bytes, &expected);
	if (trial->silent != NOBODY)
		index.entries[trial->silent].key = LOOKUP_SILENT_KEY;
	expect(index_write(file, &index, trial->block_bytes, &why) == 0, "%s", why.text);
	int rc = lookup_server_start(&server, trial->lane_count, trial->block_bytes, &why);
	expect(rc == 0, "%s", why.text);
	laid_over = *right;
	laid_over.submit = submit_laid_over;
	laid_over.reap = reap_laid_over;
	struct job_config config = { .style = trial->style,
				     .engine = &laid_over,
				     .engine_options = engine_options,
				     .file = file,
				     .result_file = result_file,
				     .connections = server.connections,
				     .lane_count = trial->lane_count,
				     .block_bytes = trial->block_bytes,
				     .timeout_ns = trial->timeout_ns };
	rc = job_open(&job, &config, &why);
	if (rc < 0) {
		expect(*why.id && *why.text, "%s refuses without a reason", label);
		puts(why.text);
		exit(TEST_SKIPPED_STATUS);
	}
	for (unsigned i = 0; i < trial->runs && rc == 0; i++)
		rc = run_once(trial, job);
	job_close(job);
	expect(fcntl(file, F_GETFD) >= 0 && fcntl(result_file, F_GETFD) >= 0 &&
		       fcntl(server.connections[0], F_GETFD) >= 0,
	       "%s: closes what is not its own", trial->style->name);
	lookup_server_stop(&server);
	memset(&seen, 0, sizeof seen);
	size_t len_bytes = (1 + trial->block_count) * sizeof(uint64_t);
	ssize_t n = pread(result_file, &seen, sizeof seen, 0);
	if (rc == 0)
		expect(n == (ssize_t)len_bytes && memcmp(&seen, &expected, len_bytes) == 0,
		       "%s: another result", trial->style->name);
	if (wrote)
		*wrote = n > 0;
	close(file);
	close(result_file);
	expect(open_descriptors() == descriptors, "%s: %u descriptors, %u before",
	       trial->style->name, open_descriptors(), descriptors);
	return rc;
}

/* As many blocks are on their way at once as there are lanes, and never more. */
static void expect_all_lanes(const struct trial *trial)
{
	unsigned most =
		trial->lane_count < trial->block_count ? trial->lane_count : trial->block_count;
	if (trial->style->blocks || right->traits & IO_BLOCKS_IN_SUBMIT)
		return;
	if (most == 0)
		most = 1; /* the index, and the result */
	expect(laid.in_flight_most == most, "%s, %u blocks, %u lanes: %u at once",
	       trial->style->name, trial->block_count, trial->lane_count, laid.in_flight_most);
}

static void same_bytes(void)
{
	static const uint32_t block_counts[] = { 0, 1, 2, 37, JOB_ENTRIES_MAX };
	static const unsigned lane_counts[] = { 1, 3, 40 };
	for (const struct style *const *style = styles; *style; style++)
		for (unsigned i = 0; i < 5; i++)
			for (unsigned j = 0; j < 3; j++) {
				struct trial trial = plain;
				trial.style = *style;
				trial.block_count = block_counts[i];
				trial.lane_count = lane_counts[j];
				trial.block_bytes = j == 1 ? 4096 : 64;
				trial.runs = 2;
				int rc = try_job(&trial, NULL);
				expect(rc == 0, "%s, %u blocks, %u lanes: %d", (*style)->name,
				       block_counts[i], lane_counts[j], rc);
				expect_all_lanes(&trial);
			}
}

static void a_fault_at_each_step(void)
{
	static const struct {
		enum io_kind kind;
		unsigned count;
	} steps[] = { { IO_READ, 1 + (BLOCKS + 1) / 2 },
		      { IO_SEND, BLOCKS / 2 },
		      { IO_RECV, BLOCKS / 2 },
		      { IO_WRITE, 1 } };
	static const int answers[FAULT_COUNT] = { 0, -EIO, -ENODATA, 0 };
	for (const struct style *const *style = styles; *style; style++)
		for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++)
			for (unsigned at = 0; at < steps[i].count; at++)
				for (enum fault fault = FAILS; fault < FAULT_COUNT; fault++) {
					struct trial trial = plain;
					bool wrote;
					trial.style = *style;
					trial.fault = fault;
					trial.kind = steps[i].kind;
					trial.at = at;
					int rc = try_job(&trial, &wrote);
					expect(rc == answers[fault],
					       "%s, kind %d, number %u, fault %d: %d",
					       (*style)->name, (int)trial.kind, at, (int)fault, rc);
					expect(rc == 0 || trial.kind == IO_WRITE || !wrote,
					       "%s, kind %d, number %u, fault %d: a result",
					       (*style)->name, (int)trial.kind, at, (int)fault);
				}
}

static void a_deadline_that_passes(void)
{
	for (const struct style *const *style = styles; *style; style++)
		for (unsigned silent = 1; silent < BLOCKS; silent += 2) {
			struct trial trial = plain;
			bool wrote;
			trial.style = *style;
			trial.silent = silent;
			trial.timeout_ns = 20 * NS_PER_MS;
			uint64_t began_ns = clock_ns();
			int rc = try_job(&trial, &wrote);
			uint64_t took_ns = clock_ns() - began_ns;
			expect(rc == -ETIMEDOUT && !wrote, "%s: %d", (*style)->name, rc);
			expect(took_ns >= 20 * NS_PER_MS, "%s: %llu ns", (*style)->name,
			       (unsigned long long)took_ns);
		}
}

static void a_deadline_that_is_kept(void)
{
	for (const struct style *const *style = styles; *style; style++) {
		struct trial trial = plain;
		trial.style = *style;
		trial.timeout_ns = 1000 * NS_PER_S;
		trial.runs = 2;
		int rc = try_job(&trial, NULL);
		expect(rc == 0, "%s: %d", (*style)->name, rc);
	}
}

static void cancelled_after_each_operation(void)
{
	struct job_index index;
	struct job_result expected;
	index_make(&index, BLOCKS, 64, &expected);
	unsigned operations = (unsigned)job_operations(&index);
	expect(operations == OPERATIONS, "%u operations", operations);
	for (const struct style *const *style = styles; *style; style++)
		for (unsigned after = (*style)->blocks; after < operations; after++) {
			struct trial trial = plain;
			bool wrote;
			trial.style = *style;
			trial.cancel_after = after;
			int rc = try_job(&trial, &wrote);
			expect(rc == -ECANCELED && !wrote, "%s, after %u operations: %d",
			       (*style)->name, after, rc);
		}
}

/* Nobody hears of time but the one who cancels: the others wait for what never comes. */
static void cancelled_while_it_waits(void)
{
	for (const struct style *const *style = styles; *style; style++) {
		struct trial trial = plain;
		bool wrote;
		if ((*style)->blocks || right->traits & IO_BLOCKS_IN_SUBMIT)
			continue;
		trial.style = *style;
		trial.silent = 1;
		/* All but the silent one's answer and the result. */
		trial.cancel_after = OPERATIONS - 2;
		int rc = try_job(&trial, &wrote);
		expect(rc == -ECANCELED && !wrote, "%s: %d", (*style)->name, rc);
	}
}

static void an_index_that_is_none(void)
{
	static const char *const names[] = { "magic", "count", "source" };
	for (const struct style *const *style = styles; *style; style++)
		for (unsigned i = 0; i < 3; i++) {
			struct reason why = { "" };
			struct lookup_server server;
			struct job_index index;
			struct job_result expected;
			struct index_job *job;
			int file = nameless(), result_file = nameless();
			index_make(&index, BLOCKS, 64, &expected);
			index_write(file, &index, 64, &why);
			index.magic += i == 0;
			index.count = i == 1 ? JOB_ENTRIES_MAX + 1 : BLOCKS;
			index.entries[3].source = i == 2 ? JOB_SOURCE_COUNT : JOB_FROM_SERVER;
			expect(pwrite(file, &index, sizeof index, 0) == sizeof index, "pwrite");
			lookup_server_start(&server, 1, 64, &why);
			struct job_config config = { .style = *style,
						     .engine = right,
						     .engine_options = engine_options,
						     .file = file,
						     .result_file = result_file,
						     .connections = server.connections,
						     .lane_count = 1,
						     .block_bytes = 64 };
			if (job_open(&job, &config, &why) < 0) {
				puts(why.text);
				exit(TEST_SKIPPED_STATUS);
			}
			int rc = job_run(job);
			expect(rc == -EBADMSG, "%s, %s: %d", (*style)->name, names[i], rc);
			job_close(job);
			lookup_server_stop(&server);
			close(file);
			close(result_file);
		}
}

/* Over an engine that allocates nothing itself, and is no interface of the kernel. */
static void a_run_allocates_nothing(void)
{
	struct job_index index;
	struct job_result expected, seen;
	struct index_image image;
	struct reason why = { "" };
	index_make(&index, JOB_ENTRIES_MAX, 64, &expected);
	expect(index_image_make(&image, &index, 64, &why) == 0, "%s", why.text);
	memory_engine_serve(&(struct memory_source) {
		.file = image.file, .answers = image.answers, .block_bytes = 64, .result = &seen });
	for (const struct style *const *style = styles; *style; style++) {
		struct job_config config = { .style = *style,
					     .engine = &memory_engine,
					     .connections = (int[LANES]) { 0 },
					     .lane_count = LANES,
					     .block_bytes = 64,
					     .timeout_ns = 1000 * NS_PER_S };
		struct index_job *job;
		if ((*style)->blocks)
			continue;
		expect(job_open(&job, &config, &why) == 0, "%s: %s", (*style)->name, why.text);
		size_t before = mallinfo2().uordblks;
		for (unsigned i = 0; i < 3; i++) {
			memset(&seen, 0, sizeof seen);
			expect(job_run(job) == 0, "%s: job_run", (*style)->name);
			expect(memcmp(&seen, &expected, sizeof seen) == 0, "%s: another result",
			       (*style)->name);
		}
		expect(mallinfo2().uordblks == before, "%s allocates while it runs",
		       (*style)->name);
		job_close(job);
	}
	index_image_free(&image);
}

#define T(name)                                                                                    \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	T(same_bytes),
	T(a_fault_at_each_step),
	T(a_deadline_that_passes),
	T(a_deadline_that_is_kept),
	T(cancelled_after_each_operation),
	T(cancelled_while_it_waits),
	T(an_index_that_is_none),
};

static struct test_counts counts;

static void run_test(const char *name, void (*test)(void))
{
	run_test_apart(&counts, NULL, test, LIMIT_S, label, name);
}

static void run_engine(const struct engine_ops *engine, uint64_t options, const char *only)
{
	right = engine;
	engine_options = options;
	engine_label(engine, options, label, sizeof label);
	for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
		if (!only || strcmp(only, tests[i].name) == 0)
			run_test(tests[i].name, tests[i].run);
}

int main(int argc, char **argv)
{
	struct reason why;
	if (argc > 1) {
		const struct engine_ops *engine;
		uint64_t options;
		expect(engine_spec_parse(argv[1], &engine, &options, &why) == 0, "%s", why.text);
		run_engine(engine, options, argc > 2 ? argv[2] : NULL);
	}
	if (argc == 1) {
		snprintf(label, sizeof label, "memory");
		run_test("a_run_allocates_nothing", a_run_allocates_nothing);
	}
	for (unsigned i = 0; argc == 1 && i < engines_count(); i++) {
		const struct engine_ops *engine = engine_at(i);
		run_engine(engine, 0, NULL);
		for (unsigned j = 0; engine->options && engine->options[j].name; j++)
			if (engine->options[j].compared)
				run_engine(engine, UINT64_C(1) << j, NULL);
	}
	return report_tests(&counts);
}
