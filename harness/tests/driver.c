/* SPDX-License-Identifier: MIT */
/*
 * Driver and workloads against an engine that misbehaves on purpose: what is allowed (short I/O,
 * any order, back-pressure) must not harm, what is not must be noticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "engines.h"
#include "op_queue.h"
#include "op_syscall.h"
#include "random.h"
#include "run/driver.h"
#include "run/pause.h"
#include "run/run_options.h"
#include "tap.h"

/* Bits of engine_config.options. */
enum fault {
	SHORT_IO = 1 << 0, /* moves less than asked for, often */
	REORDER = 1 << 1, /* returns operations in random order, some much later */
	BACK_PRESSURE = 1 << 2, /* accepts a random part of what is offered */
	FAIL = 1 << 3, /* the 500th operation ends with -EIO */
	LOSE = 1 << 4, /* the 500th never comes back, not even after cancel */
	DOUBLE = 1 << 5, /* the 500th comes back twice */
	CORRUPT = 1 << 6, /* flips a bit in what the 500th read */
	DROP_WRITE =
		1 << 7, /* from the 500th on, the first write or send is said to be done, no more */
	BREAK = 1 << 8, /* the 50th submit() fails */
	ACCEPT_NOTHING = 1 << 9, /* from the 50th on, for ever */
	TRICKLE = 1 << 10, /* no fault: returns one operation a millisecond, and notes when */
	LATE = 1 << 11, /* no fault: not the 500th but the 50,000th errs */
	WAITS = 1 << 12, /* no fault: waits for pipes and sockets in reap(), not in submit() */
	SPOIL_WRITE = 1 << 13, /* flips a bit on its way out */
	STRAY_WRITE = 1 << 14, /* writes to another block as well */
	SKIP_READ = 1 << 15, /* the first read of the block that its buffer holds is not made */
	PUNCH = 1 << 16, /* a hole is punched into the file */
	TRUNCATE = 1 << 17, /* the file is cut to nothing */
	STOP_PEER = 1 << 18, /* the process at the other end stands still */
	SAY_MORE = 1 << 19, /* the 500th is said to have moved a byte more than it was asked for */
	SLOW_SYNC = 1 << 20, /* no fault: each fsync takes SYNC_NS, as on a slow disk */
	PAUSE = 1 << 21, /* no fault: from the 500th on nothing comes back for PAUSE_NS */
};

#define SYNC_NS	 (5 * NS_PER_S)
#define PAUSE_NS (1200 * NS_PER_MS)

/* When TRICKLE returned what. */
static struct {
	uint64_t at_ns[1000];
	unsigned count;
} trickled;

#define FAULTY	      500u
#define FAULTY_LATE   50000u
#define FAULTY_SUBMIT 50u

struct engine {
	uint64_t faults;
	unsigned depth;
	struct random_stream random;
	unsigned submits, performed, held_count;
	struct io_op **held; /* accepted and not yet returned */
	struct io_op *twice;
	struct io_op **waiting; /* accepted, and there is nothing to read yet */
	unsigned waiting_count;
	uint64_t paused_until_ns;
	uint64_t *held_offset; /* [slot]: of the block that its buffer holds, and one more */
	pid_t peer;
};

static int fault_supports(const struct engine_config *config, enum io_kind kind,
			  enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)kind;
	(void)fd_kind;
	(void)why;
	return 0;
}

static int fault_open(struct engine **engine, const struct engine_config *config,
		      struct reason *why)
{
	(void)why;
	struct engine *e = calloc(1, sizeof *e);
	e->faults = config->options;
	e->depth = config->depth;
	e->random.state = 11;
	e->held = calloc(config->depth, sizeof(struct io_op *));
	e->waiting = calloc(config->depth, sizeof(struct io_op *));
	e->held_offset = calloc(config->depth, sizeof *e->held_offset);
	*engine = e;
	return 0;
}

/* What an engine that errs once does in the place of a write or send. */
static int64_t err_in_write(struct engine *e, const struct io_op *op)
{
	struct io_op actual = *op;
	char copy[8192];
	if (e->faults & DROP_WRITE) {
		e->faults &= ~(uint64_t)DROP_WRITE;
		return op->len_bytes;
	}
	if (op->len_bytes <= sizeof copy && (e->faults & SPOIL_WRITE)) {
		memcpy(copy, op->buf, op->len_bytes);
		copy[op->len_bytes / 2] ^= 0x10;
		actual.buf = copy;
		e->faults &= ~(uint64_t)SPOIL_WRITE;
	}
	if (e->faults & STRAY_WRITE) {
		e->faults &= ~(uint64_t)STRAY_WRITE;
		actual.offset = op->offset ? 0 : op->len_bytes;
		op_syscall(&actual, 0);
		actual.offset = op->offset;
	}
	return op_syscall(&actual, 0);
}

/* What somebody else does to the file, or to the peer, in the middle of the run. */
static void disturb(struct engine *e, const struct io_op *op)
{
	if (e->faults & PUNCH)
		fallocate(op->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20);
	if ((e->faults & TRUNCATE) && ftruncate(op->fd, 0) < 0)
		abort();
	if (e->faults & STOP_PEER)
		kill(e->peer, SIGSTOP);
	if (e->faults & PAUSE)
		e->paused_until_ns = clock_ns() + PAUSE_NS;
}

static bool skips_read(struct engine *e, const struct io_op *op)
{
	if (!(e->faults & SKIP_READ) || e->held_offset[op->slot] != op->offset + 1)
		return false;
	e->faults &= ~(uint64_t)SKIP_READ;
	return true;
}

static void fault_perform(struct engine *e, struct io_op *op)
{
	struct io_op actual = *op;
	unsigned faulty = e->faults & LATE ? FAULTY_LATE : FAULTY;
	bool nth = ++e->performed == faulty, from_nth = e->performed >= faulty;
	bool is_read = op->kind == IO_READ || op->kind == IO_RECV;
	bool is_write = op->kind == IO_WRITE || op->kind == IO_SEND;
	uint32_t sector = op->kind == IO_READ || op->kind == IO_WRITE ? 512 : 1;
	/* Never to nothing: that would be the end of the file. */
	if ((e->faults & SHORT_IO) && op->len_bytes > sector && random_below(&e->random, 3) == 0)
		actual.len_bytes =
			sector * (uint32_t)(1 + random_below(&e->random, op->len_bytes / sector));
	if (nth)
		disturb(e, op);
	if (is_write && from_nth && (e->faults & (DROP_WRITE | SPOIL_WRITE | STRAY_WRITE)))
		op->result = err_in_write(e, op);
	else if (is_read && from_nth && skips_read(e, op))
		op->result = op->len_bytes;
	else
		op->result = op_syscall(&actual, 0);
	e->held_offset[op->slot] = is_read ? op->offset + 1 : 0;
	if (nth && (e->faults & FAIL))
		op->result = -EIO;
	if (nth && (e->faults & SAY_MORE))
		op->result = (int64_t)op->len_bytes + 1;
	if (from_nth && (e->faults & CORRUPT) && is_read && op->result > 0) {
		((char *)op->buf)[op->result / 2] ^= 0x10;
		e->faults &= ~(uint64_t)CORRUPT;
	}
	if (nth && (e->faults & DOUBLE))
		e->twice = op;
	if (nth && (e->faults & LOSE))
		return;
	e->held[e->held_count++] = op;
}

static bool must_wait(const struct engine *e, const struct io_op *op)
{
	struct pollfd readable = { .fd = op->fd, .events = POLLIN };
	if ((e->faults & SLOW_SYNC) && op->kind == IO_FSYNC)
		return clock_ns() < op->submit_ns + SYNC_NS;
	if (clock_ns() < e->paused_until_ns)
		return true;
	return (e->faults & WAITS) && io_kind_is_input(op->kind) && poll(&readable, 1, 0) <= 0;
}

static void perform_waiting(struct engine *e)
{
	for (unsigned i = e->waiting_count; i-- > 0;) {
		struct io_op *op = e->waiting[i];
		if (must_wait(e, op))
			continue;
		e->waiting[i] = e->waiting[--e->waiting_count];
		fault_perform(e, op);
	}
}

static int fault_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	if (++e->submits == FAULTY_SUBMIT && (e->faults & BREAK))
		return -EBADF;
	if (e->submits >= FAULTY_SUBMIT && (e->faults & ACCEPT_NOTHING))
		return 0;
	unsigned room = e->depth - e->held_count - e->waiting_count;
	if ((e->faults & BACK_PRESSURE) && e->held_count > 0)
		count = (unsigned)random_below(&e->random, count + 1);
	if (count > room)
		count = room;
	for (unsigned i = 0; i < count; i++) {
		if (must_wait(e, ops[i]))
			e->waiting[e->waiting_count++] = ops[i];
		else
			fault_perform(e, ops[i]);
	}
	return (int)count;
}

static int fault_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	(void)timeout_ns;
	unsigned n = 0;
	perform_waiting(e);
	if (e->held_count == 0)
		usleep(e->waiting_count > 0 ? 100 : 1000); /* only what was lost is awaited */
	if (e->faults & TRICKLE && e->held_count > 0 && trickled.count < 1000) {
		usleep(1000);
		done[0] = e->held[--e->held_count];
		trickled.at_ns[trickled.count++] = clock_ns();
		return 1;
	}
	while (n < max && e->held_count > 0) {
		bool enough = n >= min && random_below(&e->random, 4) == 0;
		if ((e->faults & REORDER) && enough)
			break;
		unsigned i =
			e->faults & REORDER ? (unsigned)random_below(&e->random, e->held_count) : 0;
		done[n++] = e->held[i];
		if (e->held[i] == e->twice && n < max) {
			done[n++] = e->twice;
			e->twice = NULL;
		}
		e->held[i] = e->held[--e->held_count];
	}
	return (int)n;
}

/* Which descriptor each slot has, for the workload whose descriptors come and go; -1: none. */
#define FD_SLOTS 16
static struct {
	int fds[FD_SLOTS];
	unsigned attached, detached;
	bool wrong; /* attached twice, never attached, or closed before it was detached */
} descriptors;

static int fault_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			struct reason *why)
{
	(void)e;
	(void)fd_kind;
	(void)why;
	if (fd_slot < FD_SLOTS) {
		descriptors.wrong |= descriptors.fds[fd_slot] >= 0;
		descriptors.fds[fd_slot] = fd;
	}
	descriptors.attached++;
	return 0;
}

static void fault_detach(struct engine *e, unsigned fd_slot)
{
	(void)e;
	if (fd_slot < FD_SLOTS) {
		int fd = descriptors.fds[fd_slot];
		descriptors.wrong |= fd < 0 || fcntl(fd, F_GETFD) < 0;
		descriptors.fds[fd_slot] = -1;
	}
	descriptors.detached++;
}

static void fault_cancel(struct engine *e)
{
	while (e->waiting_count > 0) {
		struct io_op *op = e->waiting[--e->waiting_count];
		op->result = -ECANCELED;
		e->held[e->held_count++] = op;
	}
}

static void fault_close(struct engine *e)
{
	free(e->held);
	free(e->waiting);
	free(e->held_offset);
	free(e);
}

static const struct engine_ops fault_engine = {
	.name = "fault",
	.lab = "",
	.supports = fault_supports,
	.open = fault_open,
	.attach = fault_attach,
	.detach = fault_detach,
	.submit = fault_submit,
	.reap = fault_reap,
	.cancel = fault_cancel,
	.close = fault_close,
};

struct ended {
	int rc;
	unsigned lost;
	struct tally tally;
	uint64_t owed_before, window_due, unfinished;
	struct schedule schedule;
	struct window window;
	uint64_t window_ns[2]; /* from, to */
	struct reason why;
};

/* Shorter than usual, and long enough for a machine that is loaded: the peer's patience is 4 s. */
static const struct patience short_patience = {
	.standstill_ns = 2 * NS_PER_S,
	.drain_ns = 6 * NS_PER_S,
	.cancel_ns = 1 * NS_PER_S,
	.cut_off_ns = 1 * NS_PER_S,
};

/* One whole run, as run.c does it, with the fault engine in the place of the one named. */
static void run(uint64_t faults, const char *const *words, struct ended *o)
{
	const char *argv[32] = { "iolab run", "--engine", "blocking" };
	int argc = 3;
	while (*words)
		argv[argc++] = *words++;
	struct run_options options;
	struct reason unread;
	if (run_options_parse(&options, argc, (char **)argv, &unread) < 0)
		exit(1);
	struct run_config *config = &options.config;
	config->engine = &fault_engine;
	config->engine_options = faults;
	if (config->workload->has_peer)
		CPU_SET(0, &config->cpus);

	struct workload *workload = NULL;
	struct engine *engine;
	struct meter meter;
	struct outcome outcome = { .lost = 0 };
	memset(o, 0, sizeof *o);
	o->rc = config->workload->open(&workload, config, &o->why);
	if (o->rc < 0)
		return;
	struct engine_config engine_config = { .depth = workload->depth, .options = faults };
	fault_open(&engine, &engine_config, &o->why);
	engine->peer = workload->peer;
	memset(&descriptors, 0, sizeof descriptors);
	memset(descriptors.fds, -1, sizeof descriptors.fds);
	meter_open(&meter, workload->peer, false);
	struct job job = {
		.config = config,
		.workload = workload,
		.engine = engine,
		.meter = &meter,
		.patience = &short_patience,
	};
	o->rc = driver_run(&job, &outcome);
	o->window = outcome.window;
	o->lost = outcome.lost;
	o->why = outcome.why;
	o->window_ns[0] = outcome.window.begin.wall_ns;
	o->window_ns[1] = outcome.window.end.wall_ns;
	meter_close(&meter);
	fault_close(engine);
	if (o->rc == 0 && workload->ops->check && (o->rc = workload->ops->check(workload)) < 0)
		o->why = workload->failure;
	o->tally = workload->tally;
	o->owed_before = workload->owed_before;
	o->window_due = workload->window_due;
	o->unfinished = workload->unfinished;
	o->schedule = workload->schedule;
	workload->ops->close(workload);
	run_options_free(&options);
}

static const char *file_path;

/* Has the reason this value, written as "name=value"? "errno=EIO" is its errno value. */
static bool has_value(const struct reason *why, const char *value)
{
	char written[REASON_STRING_BYTES + 40];
	snprintf(written, sizeof written, "errno=%s", errno_name(why->error));
	bool found = strcmp(written, value) == 0;
	for (unsigned i = 0; i < why->value_count; i++) {
		const struct reason_value *v = &why->values[i];
		if (v->kind == REASON_STRING)
			snprintf(written, sizeof written, "%s=%s", v->name,
				 reason_string_at(why, i));
		else
			snprintf(written, sizeof written, "%s=%lld", v->name,
				 (long long)v->integer);
		found = found || (v->kind != REASON_REAL && strcmp(written, value) == 0);
	}
	return found;
}

/* Checks that a fault is found: the run fails, for this reason, with this value unless it is NULL. */
static void expect_found(struct tap *tap, const char *name, uint64_t faults,
			 const char *const *words, const char *id, const char *value)
{
	struct ended o;
	run(faults, words, &o);
	tap_check(tap,
		  o.rc < 0 && strcmp(o.why.id, id) == 0 && (!value || has_value(&o.why, value)),
		  "%s is found: rc %d, %s, \"%s\"", name, o.rc, o.why.id, o.why.text);
}

static void file_tests(struct tap *tap)
{
	const char *const mixed[] = { "--file",	 file_path, "--size", "4M",   "--rw",	  "randrw",
				      "--depth", "32",	    "--ops",  "5000", "--verify", NULL };
	const char *const synced[] = { "--file",    file_path, "--size", "4M",	    "--rw",
				       "randwrite", "--depth", "8",	 "--fsync", "10",
				       "--ops",	    "1000",    NULL };
	const char *const verified_writes[] = { "--file", file_path,   "--size",   "16M",
						"--rw",	  "randwrite", "--depth",  "8",
						"--ops",  "1000",      "--verify", NULL };
	struct ended o;

	run(0, mixed, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops == 5000,
		  "no fault: 5000 operations, rc %d, %llu: %s", o.rc,
		  (unsigned long long)o.tally.ops, o.why.text);
	tap_check(tap, o.tally.latency.count == 5000 && o.window.inflight_max <= 32,
		  "a latency for each, never more than 32 in flight (%u)", o.window.inflight_max);
	run(SHORT_IO, mixed, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops == 5000 && o.tally.short_transfers > 100,
		  "short I/O is continued: %llu short transfers, rc %d %s",
		  (unsigned long long)o.tally.short_transfers, o.rc, o.why.text);
	tap_check(tap, o.tally.bytes == 5000 * 4096ull, "and every byte is counted once: %llu",
		  (unsigned long long)o.tally.bytes);
	run(REORDER | BACK_PRESSURE | SHORT_IO, mixed, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops == 5000,
		  "any order, back-pressure and short I/O together: rc %d %s", o.rc, o.why.text);
	run(REORDER, synced, &o);
	tap_check(tap,
		  o.rc == 0 && o.tally.ops == 1000 && o.tally.syncs >= 90 && o.tally.syncs <= 100,
		  "an fsync after every 10 of 1000 writes: %llu",
		  (unsigned long long)o.tally.syncs);

	expect_found(tap, "an I/O error", FAIL, mixed, "operation_failed", "errno=EIO");
	expect_found(tap, "an operation returned twice", DOUBLE, mixed, "returned_twice", NULL);
	expect_found(tap, "a byte more than was asked for", SAY_MORE, mixed, "moved_too_much",
		     "moved_bytes=4097");
	expect_found(tap, "a flipped bit", CORRUPT, mixed, "data_differs", "when=when reading");
	expect_found(tap, "a write that was not made", DROP_WRITE, verified_writes, "data_differs",
		     "when=after writing");
	expect_found(tap, "a broken submit()", BREAK, mixed, "submit_failed", "errno=EBADF");
	expect_found(tap, "an engine that accepts nothing", ACCEPT_NOTHING, mixed,
		     "accepts_nothing", NULL);
	run(LOSE, mixed, &o);
	tap_check(tap,
		  o.rc < 0 && o.lost == 1 && strcmp(o.why.id, "stood_still") == 0 &&
			  has_value(&o.why, "in_flight=1"),
		  "a lost operation is found: lost %u, \"%s\"", o.lost, o.why.text);
}

/* A disk of 1 MB a second has 8 MB to write back before its fsync ends: nothing stands still. */
static void slow_disk_test(struct tap *tap)
{
	const char *const cached[] = { "--file",    file_path, "--size", "8M",	    "--rw",
				       "randwrite", "--ops",   "2500",	 "--fsync", "2000",
				       "--depth",   "8",       NULL };
	const char *const direct[] = { "--file",    file_path, "--size",   "8M",      "--rw",
				       "randwrite", "--ops",   "2500",	   "--fsync", "2000",
				       "--depth",   "8",       "--direct", "1",	      NULL };
	struct ended o;
	run(SLOW_SYNC, cached, &o);
	tap_check(tap, o.rc == 0 && o.tally.syncs == 1,
		  "a sync of 8 MB in the page cache may take 5 s: rc %d %s", o.rc, o.why.text);
	run(SLOW_SYNC, direct, &o);
	tap_check(
		tap, o.rc == -EINVAL || strcmp(o.why.id, "stood_still") == 0,
		"after direct writes, which wait for nothing, the same sync stands still: rc %d %s",
		o.rc, o.why.text);
}

/* A run that stands still for half of its window, and then goes on, is ok; but it must be told. */
static void pause_tests(struct tap *tap)
{
	const char *const timed[] = { "--file",	   file_path, "--size",	  "4M", "--depth", "4",
				      "--runtime", "3",	      "--warmup", "0",	NULL };
	static const struct {
		const char *what;
		struct window window;
		double pause_s;
	} cases[] = {
		{ "a steady window", { .slice_s = 1, .slice_ops = { [0 ... 9] = 20 } }, 0 },
		{ "half a window at its end",
		  { .slice_s = 0.2, .slice_ops = { [0 ... 4] = 20 } },
		  1 },
		{ "the longest of two",
		  { .slice_s = 1, .slice_ops = { [0] = 90, [3] = 90, [7 ... 9] = 90 } },
		  3 },
		{ "one slice", { .slice_s = 1, .slice_ops = { [1 ... 9] = 20 } }, 0 },
		{ "a short while", { .slice_s = 0.02, .slice_ops = { [0 ... 5] = 20 } }, 0 },
		{ "by chance", { .slice_s = 1, .slice_ops = { [0 ... 4] = 19 } }, 0 },
		{ "nothing at all", { .slice_s = 1, .slice_ops = { 0 } }, 0 },
		{ "no slices", { .slice_s = 0 }, 0 },
	};
	struct ended o;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		tap_check(tap, longest_pause_s(&cases[i].window) == cases[i].pause_s,
			  "a pause, %s: %.1f s", cases[i].what, longest_pause_s(&cases[i].window));
	run(PAUSE, timed, &o);
	double pause_s = longest_pause_s(&o.window);
	tap_check(tap, o.rc == 0 && pause_s > 0.8 && pause_s <= 1.2,
		  "1.2 s of a window of 3 in which nothing comes back: rc %d %s, %.1f s", o.rc,
		  o.why.text, pause_s);
}

/* One operation in 100,000 goes wrong, long before the end: its block is written many times more. */
static void one_in_100000_tests(struct tap *tap)
{
	const char *const writes[] = { "--file", file_path, "--size",	 "1M",	    "--bs",
				       "512",	 "--rw",    "randwrite", "--depth", "8",
				       "--ops",	 "100000",  "--verify",	 NULL };
	const char *const reads[] = { "--file", file_path, "--size",   "1k",	  "--bs",
				      "512",	"--rw",	   "randread", "--depth", "1",
				      "--ops",	"100000",  "--verify", NULL };
	const char *const cut[] = { "--file",  file_path, "--size", "4M",   "--rw", "randwrite",
				    "--depth", "8",	  "--ops",  "1000", NULL };
	struct ended o;
	run(LATE, writes, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops == 100000, "100,000 writes are all right: rc %d %s",
		  o.rc, o.why.text);
	expect_found(tap, "one write of 100,000 that was not made", LATE | DROP_WRITE, writes,
		     "data_differs", "when=after writing");
	expect_found(tap, "one write of 100,000 that was spoilt", LATE | SPOIL_WRITE, writes,
		     "data_differs", "when=after writing");
	expect_found(tap, "one write of 100,000 that hit another block, too", LATE | STRAY_WRITE,
		     writes, "data_differs", "when=before writing again");
	expect_found(tap, "one read of 100,000 that was not made", LATE | SKIP_READ, reads,
		     "data_differs", "when=when reading");
	/* After each of these the file is nobody's any more. */
	expect_found(tap, "a hole that was filled again", LATE | PUNCH, writes, "data_differs",
		     NULL);
	unlink(file_path);
	expect_found(tap, "a file that was cut and grew again", LATE | TRUNCATE, writes,
		     "data_differs", NULL);
	unlink(file_path);
	expect_found(tap, "a hole, without --verify", PUNCH, cut, "file_punched", NULL);
	unlink(file_path);
	expect_found(tap, "a file that was cut, without --verify", TRUNCATE, cut, "file_truncated",
		     "size_bytes=4194304");
	unlink(file_path);
}

/* As many tokens as pipes: an engine that blocks always finds something to read. */
static void pipe_tests(struct tap *tap)
{
	const char *const ring[] = { "--workload", "pipe", "--pipes",  "8",   "--tokens", "8",
				     "--runtime",  "0.1",  "--warmup", "0.0", "--verify", NULL };
	struct ended o;
	run(0, ring, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops > 1000 && o.tally.latency.count == o.tally.ops,
		  "pipe: a latency for each of %llu hops, rc %d %s",
		  (unsigned long long)o.tally.ops, o.rc, o.why.text);
	expect_found(tap, "an I/O error in a ring of pipes", FAIL, ring, "operation_failed",
		     "errno=EIO");
	expect_found(tap, "a byte more than was asked for, in a ring", SAY_MORE, ring,
		     "moved_too_much", "asked_bytes=64");
	expect_found(tap, "a flipped bit in a token", CORRUPT, ring, "message_differs", NULL);
	expect_found(tap, "a hop returned twice", DOUBLE, ring, "returned_twice", NULL);

	const char *const still[] = { "--workload", "pipe", "--pipes",	"8",   "--tokens", "1",
				      "--runtime",  "30",   "--warmup", "0.0", NULL };
	const char *const longer[] = { "--workload", "pipe", "--pipes",	 "8",	"--tokens", "4",
				       "--runtime",  "1",    "--warmup", "0.0", NULL };
	run(WAITS, ring, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops > 100, "pipe, waiting in reap(): rc %d %s", o.rc,
		  o.why.text);
	expect_found(tap, "a token that was dropped, one of four", WAITS | DROP_WRITE, longer,
		     "tokens_lost", "lost=1");
	expect_found(tap, "a token that was dropped, the only one", WAITS | DROP_WRITE, still,
		     "stood_still", "in_flight=8");
}

/* With 16 in flight at the end of the window, 16 come home after it. */
static void window_tests(struct tap *tap)
{
	const char *const timed[] = { "--file",	   file_path, "--size",	  "4M",	  "--depth", "16",
				      "--runtime", "0.1",     "--warmup", "0.03", NULL };
	struct ended o;
	run(TRICKLE, timed, &o);
	unsigned within = 0, late = 0;
	for (unsigned i = 0; i < trickled.count; i++) {
		within += trickled.at_ns[i] > o.window_ns[0] && trickled.at_ns[i] <= o.window_ns[1];
		late += trickled.at_ns[i] > o.window_ns[1];
	}
	tap_check(tap, o.rc == 0 && late >= 15, "%u operations come home after the window", late);
	tap_check(tap, o.tally.ops == within && o.tally.latency.count == within,
		  "and only those within it count: %llu of %u", (unsigned long long)o.tally.ops,
		  within);

	/* Slices by the engine's own notes; an operation at an edge may fall to either side. */
	double slice_ns = o.window.slice_s * NS_PER_S;
	uint64_t sum = 0;
	unsigned moved = 0;
	for (unsigned slice = 0; slice < WINDOW_SLICES; slice++) {
		unsigned noted = 0;
		for (unsigned i = 0; i < trickled.count; i++) {
			double into_ns = (double)trickled.at_ns[i] - (double)o.window_ns[0];
			bool last = slice + 1 == WINDOW_SLICES;
			noted += into_ns > slice * slice_ns &&
				 trickled.at_ns[i] <= o.window_ns[1] &&
				 (last || into_ns <= (slice + 1) * slice_ns);
		}
		sum += o.window.slice_ops[slice];
		moved += (unsigned)labs((long)noted - (long)o.window.slice_ops[slice]);
	}
	tap_check(tap, sum == o.tally.ops && moved <= 4,
		  "ten slices count all of them, each when it came (%u at an edge)", moved);

	const char *const counted[] = { "--file", file_path, "--size", "4M", "--depth",
					"16",	  "--ops",   "100",    NULL };
	run(0, counted, &o);
	tap_check(tap, o.rc == 0 && o.window.slice_s == 0, "a window of --ops is not sliced");
}

/* Is every moment of a schedule counted as due then, and not before? */
static void schedule_tests(struct tap *tap)
{
	const double rates[] = { 1, 3, 999, 1000, 333333, 7e6, 1e8 };
	bool agrees = true;
	for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++) {
		struct schedule s = { .begun_ns = 1234567890123, .rate_per_s = rates[i] };
		for (uint64_t k = 0; k < 3000000000; k = k * 3 + 1) {
			uint64_t due_ns = schedule_due_ns(&s, k);
			agrees = agrees && schedule_due_count(&s, due_ns) == k + 1 &&
				 schedule_due_count(&s, due_ns - 1) == k;
		}
	}
	tap_check(tap, agrees, "an operation is due from its moment on");
}

/* On any machine: what was owed and what was due has finished, or is counted as unfinished. */
static void expect_balance(struct tap *tap, const char *what, const struct ended *o)
{
	tap_check(tap, o->rc == 0 && o->owed_before + o->window_due == o->tally.ops + o->unfinished,
		  "%s: %llu owed before and %llu due, %llu finished, %llu not: rc %d %s", what,
		  (unsigned long long)o->owed_before, (unsigned long long)o->window_due,
		  (unsigned long long)o->tally.ops, (unsigned long long)o->unfinished, o->rc,
		  o->why.text);
}

static void open_loop_tests(struct tap *tap)
{
	const char *const scheduled[] = { "--file",    file_path, "--size", "4M",	"--rate",
					  "2000",      "--depth", "4",	    "--warmup", "0",
					  "--runtime", "0.3",	  NULL };
	const char *const stalled[] = { "--file",    file_path, "--size",     "4M",	  "--rate",
					"1000",	     "--depth", "4",	      "--warmup", "0",
					"--runtime", "0.4",	"--stall-ms", "100",	  NULL };
	const char *const hung[] = { "--file",	  file_path, "--size",	   "4M",       "--rate",
				     "1000",	  "--depth", "4",	   "--warmup", "0",
				     "--runtime", "0.4",     "--stall-ms", "200",      NULL };
	/* Nothing reads a million blocks of 1 MiB in a second. */
	const char *const behind[] = { "--file",    file_path, "--size", "4M",	     "--rate",
				       "1000000",   "--depth", "4",	 "--warmup", "0.05",
				       "--runtime", "0.1",     "--bs",	 "1M",	     NULL };
	const char *const late[] = { "--file",	  file_path, "--size", "4M",	   "--rate",
				     "20000",	  "--depth", "16",     "--warmup", "0.05",
				     "--runtime", "0.2",     NULL };
	const char *const limited[] = { "--file", file_path, "--size", "4M", "--rate",
					"2000",	  "--ops",   "200",    NULL };
	const char *const closed[] = { "--file", file_path, "--size", "4M", "--ops", "100", NULL };
	struct ended o;

	run(0, scheduled, &o);
	uint64_t accounted = o.tally.ops + o.unfinished;
	tap_check(tap, o.owed_before == 0 && o.window_due >= 599,
		  "open loop without a warm-up: %llu owed before, %llu due in 0.3 s at 2000/s",
		  (unsigned long long)o.owed_before, (unsigned long long)o.window_due);
	expect_balance(tap, "open loop", &o);
	tap_check(
		tap,
		o.tally.latency.count == accounted && o.tally.uncorrected.count == o.tally.ops &&
			o.tally.latency.sum_ns >= o.tally.uncorrected.sum_ns,
		"latency counts from the due time, for every due operation, and is never shorter");

	tap_check(tap, o.window.inflight_mean < 0.5 * o.window.inflight_max,
		  "while it sleeps it holds nothing: %.3f in flight, at most %u",
		  o.window.inflight_mean, o.window.inflight_max);

	run(0, stalled, &o);
	double due_ms = histogram_quantile_ns(&o.tally.latency, 0.9) / 1e6;
	double begun_ms = histogram_quantile_ns(&o.tally.uncorrected, 0.9) / 1e6;
	tap_check(tap, o.rc == 0 && due_ms > 20 && begun_ms < due_ms / 2,
		  "a stall of 100 ms in 400: p90 is %.1f ms since due, %.1f ms since begun", due_ms,
		  begun_ms);
	tap_check(tap, o.tally.latency.max_ns >= 95 * NS_PER_MS,
		  "and the longest wait is the stall: %.1f ms",
		  (double)o.tally.latency.max_ns / 1e6);

	run(0, behind, &o);
	tap_check(tap, o.owed_before > 1000,
		  "a warm-up that is behind its schedule: %llu are owed when the window opens",
		  (unsigned long long)o.owed_before);
	expect_balance(tap, "open loop, behind its schedule", &o);
	run(REORDER | SHORT_IO | BACK_PRESSURE, late, &o);
	expect_balance(tap, "open loop, any order", &o);

	run(0, hung, &o);
	due_ms = histogram_quantile_ns(&o.tally.latency, 0.9) / 1e6;
	tap_check(
		tap, o.rc == 0 && o.unfinished > 100 && due_ms > 100,
		"a stall up to the window's end counts as well: p90 is %.1f ms, %llu not finished",
		due_ms, (unsigned long long)o.unfinished);

	run(REORDER | SHORT_IO | BACK_PRESSURE, limited, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops == 200 && o.unfinished == 0,
		  "open loop with --ops and any order: %llu, rc %d %s",
		  (unsigned long long)o.tally.ops, o.rc, o.why.text);
	tap_check(tap, o.window_ns[1] >= schedule_due_ns(&o.schedule, 199),
		  "and it does not end before the last of them is due");
	run(0, closed, &o);
	tap_check(tap, o.rc == 0 && o.tally.uncorrected.count == 0,
		  "a closed loop has nothing to correct");
}

static void echo_tests(struct tap *tap)
{
	const char *const echo[] = { "--workload", "echo", "--conns",  "1",    "--msg-size", "5000",
				     "--runtime",  "0.3",  "--warmup", "0.05", NULL };
	/* Longer, since an operation must err in it on a busy machine, too. */
	const char *const longer[] = { "--workload", "echo", "--conns",	  "1",
				       "--msg-size", "5000", "--runtime", "1.5",
				       "--warmup",   "0.05", NULL };
	struct ended o;
	run(0, echo, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops > 100, "echo, no fault: %llu messages, rc %d %s",
		  (unsigned long long)o.tally.ops, o.rc, o.why.text);
	run(SHORT_IO, echo, &o);
	tap_check(tap, o.rc == 0 && o.tally.short_transfers > 10,
		  "echo, short I/O is continued: %llu short transfers, rc %d %s",
		  (unsigned long long)o.tally.short_transfers, o.rc, o.why.text);
	expect_found(tap, "echo, a flipped bit", CORRUPT, longer, "echo_differs", NULL);
	expect_found(tap, "echo, an I/O error", FAIL, longer, "operation_failed", "errno=EIO");
	expect_found(tap, "echo, a byte more than was asked for", SAY_MORE, longer,
		     "moved_too_much", "asked_bytes=5000");

	const char *const four[] = { "--workload", "echo",     "--conns", "4", "--runtime",
				     "1.5",	   "--warmup", "0.05",	  NULL };
	run(WAITS, four, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops > 100, "echo, four connections: rc %d %s", o.rc,
		  o.why.text);
	expect_found(tap, "echo, a send that was not made, while others go on", WAITS | DROP_WRITE,
		     four, "echo_missing", "sent_bytes=128");
	expect_found(tap, "echo, a send that was not made, where submit() blocks", DROP_WRITE,
		     longer, "sat_in_a_call", NULL);
	expect_found(tap, "echo, a peer that stands still, where submit() blocks", STOP_PEER,
		     longer, "sat_in_a_call", NULL);
	expect_found(tap, "echo, a peer that stands still", WAITS | STOP_PEER, four, "peer_hung",
		     NULL);
}

/* Connections come and go, and the descriptors with them. */
static void accept_tests(struct tap *tap)
{
	const char *const one[] = { "--workload", "accept",    "--clients", "1", "--msg-size",
				    "5000",	  "--runtime", "1",	    NULL };
	const char *const four[] = { "--workload", "accept",	"--clients", "4", "--msg-size",
				     "5000",	   "--runtime", "1",	     NULL };
	struct ended o;
	run(0, one, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops > 10,
		  "accept, no fault, where submit() blocks: %llu connections, rc %d %s",
		  (unsigned long long)o.tally.ops, o.rc, o.why.text);
	run(0, four, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops > 10,
		  "accept, four clients, where submit() blocks: rc %d %s", o.rc, o.why.text);
	run(WAITS | SHORT_IO | REORDER | BACK_PRESSURE, four, &o);
	tap_check(tap, o.rc == 0 && o.tally.ops > 10 && o.tally.short_transfers > 10,
		  "accept, short I/O, any order, back-pressure: %llu short transfers, rc %d %s",
		  (unsigned long long)o.tally.short_transfers, o.rc, o.why.text);
	tap_check(tap, o.tally.bytes == o.tally.ops * 5000,
		  "and each connection moved one message");
	tap_check(tap,
		  !descriptors.wrong && descriptors.attached >= o.tally.ops &&
			  descriptors.attached == descriptors.detached,
		  "each descriptor is attached once, and detached before it is closed: %u, %u",
		  descriptors.attached, descriptors.detached);
	expect_found(tap, "accept, a flipped bit", WAITS | CORRUPT, four, "visit_echo_differs",
		     NULL);
	expect_found(tap, "accept, an I/O error", WAITS | FAIL, four, "operation_failed",
		     "errno=EIO");
	expect_found(tap, "accept, a send that was not made, while others go on",
		     WAITS | DROP_WRITE, four, "visit_echo_missing", "clients=4");
	expect_found(tap, "accept, a send that was not made, where submit() blocks", DROP_WRITE,
		     one, "sat_in_a_call", NULL);
	expect_found(tap, "accept, a peer that stands still, where submit() blocks", STOP_PEER, one,
		     "sat_in_a_call", NULL);
	expect_found(tap, "accept, a peer that stands still", WAITS | STOP_PEER, four, "peer_hung",
		     NULL);
}

int main(void)
{
	struct tap tap = { 0 };
	char path[] = "/var/tmp/iolab-driver-test-XXXXXX";
	close(mkstemp(path));
	file_path = path;
	file_tests(&tap);
	slow_disk_test(&tap);
	pause_tests(&tap);
	one_in_100000_tests(&tap);
	pipe_tests(&tap);
	window_tests(&tap);
	schedule_tests(&tap);
	open_loop_tests(&tap);
	echo_tests(&tap);
	accept_tests(&tap);
	unlink(path);
	return tap_end(&tap);
}
