/* SPDX-License-Identifier: MIT */
/* What the conformance tests are written with: a subject, operations, and words for failures. */
#ifndef IOLAB_CONFORMANCE_H
#define IOLAB_CONFORMANCE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "io_engine.h"

#define CANNOT_WAIT "its submit() sleeps until the operation is over, so none can be left waiting"

/* Kinds of descriptor a test runs over, finer than enum io_fd_kind. */
enum flavour { BUFFERED, DIRECT, TCP, UNIX, PIPE, NO_FD, FLAVOUR_COUNT };

#define ONE(flavour) (1u << (flavour))
#define FILES	     (1u << BUFFERED | 1u << DIRECT)
#define SOCKETS	     (1u << TCP | 1u << UNIX)
#define STREAMS	     (SOCKETS | 1u << PIPE)

#define BUFFER_BYTES 8192

extern const char *const flavour_names[FLAVOUR_COUNT];

/* An operation that is away for longer never comes back: far above what any takes here. */
extern uint64_t operation_patience_ns;

/*
 * Has this time come? It comes later by what a busy machine has let the calling thread wait for a CPU. May be called
 * in a signal handler.
 */
bool time_is_up(uint64_t deadline_ns);

/* The same for another process, by what its first thread has waited. Not in a signal handler. */
bool time_is_up_for(pid_t pid, uint64_t deadline_ns);

/* Pages of this process's address space, whether memory stands behind them or not. */
long pages_mapped(void);

/* One engine in one variant, open on descriptors of one flavour, with its operations. */
struct subject {
	const struct engine_ops *ops;
	uint64_t options;
	enum flavour flavour;
	char folder[240]; /* for files; removed by the parent */

	struct engine *engine;
	unsigned depth, max_fds;
	unsigned lent_count; /* as the engine is opened; a test sets them before */
	uint32_t lent_len_bytes;
	struct io_op *op; /* [depth], with buffers of BUFFER_BYTES */
	char *arena;
	size_t arena_len_bytes;
	unsigned inflight;
};

/*
 * A failure ends the test. The format is a sentence, or has parts, each with its own values:
 *
 *     expect(rc == 0, EXPECTED("0 from open()") SAW("%s"), answer(rc));
 *     expect(n == 2, WHEN("after cancel of slot %u") EXPECTED("2 operations") SAW("%u"), slot, n);
 */
#define WHEN(format)	 format
#define EXPECTED(format) "\x1f" format /* a control character, which no value holds */
#define SAW(format)	 "\x1f" format

#define expect(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			test_failed(__FILE__, __LINE__, __VA_ARGS__);                              \
	} while (0)
__attribute__((noreturn, format(printf, 3, 4))) void test_failed(const char *file, int line,
								 const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void test_skipped(const char *format, ...);

struct test_failure {
	const char *file; /* its name alone */
	int line;
	const char *when, *expected; /* may be empty */
	const char *seen;
};

/*
 * A program that links these tests may define them, to tell somebody else why a test ends
 * (harness/course/proctor/lab_test.c). Where they are not there or return false, it is printed.
 */
void failure_begins(void); /* comes first */
bool report_failure(const struct test_failure *failure);
bool report_skip(const char *why);

/* "FDATASYNC"; "kind 9" (in a buffer that the next call overwrites) for what is no kind. */
const char *kind_name(unsigned kind);

/* The result of an operation that has none yet: prepare() sets it. */
#define NO_RESULT INT64_MIN

/* A number that an engine gave: "512", "-38 (-ENOSYS)"; "nothing" where it gave none. The text lasts as long as the block around it. */
#define ANSWER_SIZE    48
#define answer(number) answer_text((number), (char[ANSWER_SIZE]) { "" })
const char *answer_text(int64_t number, char *text);

/* Opens the engine for `depth` operations and `max_fds` descriptors. */
void open_engine(struct subject *s, unsigned depth, unsigned max_fds);
/*
 * The same with an arena of that length, of which no page is there before it is touched. Skips the
 * test, with the reason, where memory or the engine refuses.
 */
void open_engine_with_arena(struct subject *s, unsigned depth, size_t arena_len_bytes);
/* The same for more descriptors than an engine may have room for. */
void open_engine_with_slots(struct subject *s, unsigned depth, unsigned max_fds);
/* Closes it; nothing may be in flight. */
void close_engine(struct subject *s);
int try_attach(struct subject *s, unsigned fd_slot, int fd, struct reason *why);
void attach(struct subject *s, unsigned fd_slot, int fd);

/* Fills an operation on the whole buffer of its slot. */
struct io_op *prepare(struct subject *s, unsigned slot, enum io_kind kind, int fd, unsigned fd_slot,
		      uint64_t offset, uint32_t len_bytes);
/* On a socket or pipe: a receive into the whole buffer, a send of its first bytes. */
struct io_op *prepare_receive(struct subject *s, unsigned slot, int fd, unsigned fd_slot);
struct io_op *prepare_send(struct subject *s, unsigned slot, int fd, unsigned fd_slot,
			   uint32_t len_bytes);
char *buffer_of(const struct subject *s, unsigned slot);

/* Submits, reaping as long as there is back-pressure. */
void start(struct subject *s, struct io_op *op);
/* Offers all of them in one call, and after back-pressure the rest in the next. */
void start_all(struct subject *s, struct io_op *const *ops, unsigned count);
/* One reap(), with every rule of the contract checked. Returns how many came back. */
unsigned reap(struct subject *s, struct io_op **done, unsigned min, unsigned max,
	      int64_t timeout_ns);
/* Waits until it, or everything, is back; a failure after three seconds. */
void await(struct subject *s, struct io_op *op);
void await_all(struct subject *s);
/* Waits for what does not come. The engine's threads must sleep for `quiet_ns`, and the caller's. */
void expect_asleep(struct subject *s, int64_t quiet_ns);
/* start() and await(); returns the result. */
int64_t perform(struct subject *s, struct io_op *op);

/* detach(), where the engine has it. */
void detach(struct subject *s, unsigned fd_slot);
/* cancel_one() of an operation that waits. The test fails where the engine has no such function. */
void cancel_one(struct subject *s, struct io_op *op);

/* One connection, accepted through a listener in `fd_slot`, where the engine can do that. */
void accept_a_client(struct subject *s, unsigned slot, unsigned fd_slot);

/* A file in s->folder, of `size_bytes` bytes that pattern_byte() gives, opened for the flavour. */
int make_file(struct subject *s, uint64_t size_bytes, int flags);
char pattern_byte(uint64_t position);

/* Another pattern from now on: an engine that knows it by heart does not know this one. */
void choose_pattern(uint64_t number);

/* Two connected ends of the flavour: [0] for the engine, [1] for the test. PIPE: see below. */
void make_pair(const struct subject *s, int ends[2]);
/* Two ends such that the engine reads from (or writes to) ends[0]; pipes have a direction. */
void make_reading_pair(const struct subject *s, int ends[2]);
void make_writing_pair(const struct subject *s, int ends[2]);
enum io_kind in_kind(const struct subject *s); /* RECV, or READ on a pipe */
enum io_kind out_kind(const struct subject *s);

/* Writes into a socket or pipe, on the test's own side, until nothing more fits. */
void fill(const struct subject *s, int fd);
/* Fills it, and starts a send of 1000 bytes in slot 0, through fd_slot 0, which finds no room. */
struct io_op *start_send_that_waits(struct subject *s, int fd);

/* Takes what there is to read from `fd` now. Returns how many bytes, and does not wait for more. */
size_t read_what_is_there(int fd);
/* The same, and what a socket's other end still has to send: on a busy machine that comes late. */
void read_what_is_on_its_way(int sender, int receiver);
/*
 * A timer that sends SIGUSR1 to this thread, again and again, without SA_RESTART. For the caller to
 * delete.
 */
timer_t signal_every(int64_t interval_ns);

/* Skips the test for engines of a trait, with the reason. */
void not_for(const struct subject *s, unsigned traits, const char *reason);

/* enum engine_trait, of the engine and of this variant. */
unsigned traits_of(const struct subject *s);

/* How many descriptors, threads and rings of libaio this process has. */
struct holdings {
	unsigned fds, threads, aio_rings;
};
struct holdings holdings_now(void);
/* The test fails when there are more. Waits up to four seconds for threads on their way out. */
void expect_nothing_left_since(const struct holdings *before);
/* What this thread blocks, and what this process does on each signal. */
struct signals {
	sigset_t blocked;
	struct sigaction actions[NSIG];
};
struct signals signals_now(void);
/* The test fails when another signal is blocked. While it is open, an engine may have blocked its own. */
void expect_same_mask(const sigset_t *before, bool open, const char *when);
/* The same, also when a signal does something else. */
void expect_signals_as(const struct signals *before, const char *when);
/* How many threads of this process the kernel has started to do io_uring's blocking work (io-wq). */
unsigned io_workers(void);

/* One test. It runs in a process of its own. */
/* What only some engines do: let operations wait, lend buffers, sleep in submit(), accept and connect. */
enum about { WAITING = 1 << 0, LENDING = 1 << 1, BLOCKING = 1 << 2, CONNECTING = 1 << 3 };

struct test {
	const char *name;
	unsigned flavours; /* bits of enum flavour */
	void (*run)(struct subject *s);
	bool is_long; /* not asked of two options together, nor under a sanitizer */
	bool without_fd; /* its flavour makes no difference */
	unsigned about; /* bits of enum about: skipped where the engine does not; 0: all do */
	bool needs_interposers; /* faults.c and allocations.c, which a lab's program has not */
};

/* To an engine, "direct" is a file like "buffered", and "unix" a socket like "tcp": is this one beside the other? */
bool is_one_more(unsigned flavours, enum flavour flavour);

#endif
