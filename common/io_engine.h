/* SPDX-License-Identifier: MIT */
/*
 * The contract between a workload, the driver and an engine.
 *
 *     workload ──ops──► driver ──submit──► engine ──system calls──► kernel
 *         ▲                │◄───reap─────────┘
 *         └───complete─────┘
 *
 * A workload decides which operations to perform. An engine performs them through exactly one
 * kernel interface. The driver (harness/run/driver.c) is the only loop that a comparison measures: it
 * hands operations to the engine, takes completions back, and reads the clock. This header is all
 * that the three share. (harness/commands/matrix.c and harness/commands/responsiveness.c ask other questions of an
 * engine, and are small drivers of their own.)
 *
 * The shape is that of a proactor: submit operations, reap completions. Rules, in the order in
 * which a reader usually asks for them:
 *
 * Ownership.   Operations and their buffers belong to the workload, which allocates them once.
 *              From the moment submit() accepts an operation until reap() returns it, the
 *              engine alone may touch it and the kernel may touch its buffer at any time.
 *              `next` belongs to whoever holds the operation. An engine writes `result` and
 *              `next`, nothing else.
 * Exactly once. Every accepted operation comes back from reap() exactly once, with `result`
 *              set to a count of bytes (0 for a sync or a no-op) or to -errno.
 * Order.       None. Completions may come back in any order, whatever the interface. At most
 *              one operation of each direction (in: READ, RECV; out: WRITE, SEND) is in flight
 *              on a socket or pipe; a workload that wants order there waits for it.
 * Short I/O.   A count below `len_bytes` is a success. The workload reissues the remainder, once
 *              for all engines. An engine never loops to fill a buffer. 0 from a read is the end
 *              of the file, or the peer's orderly close.
 * Back-pressure. submit() returns how many operations it accepted, always a prefix of what was
 *              offered, perhaps none. That is not an error: the driver reaps and offers the rest
 *              again. With nothing in flight an engine must accept at least one.
 * Errors.      An operation's failure is its `result`. A negative return from submit() or reap()
 *              means that the engine itself is broken; the run ends. Engines never retry an error
 *              silently, with two exceptions: EINTR, where the operation had not begun, and
 *              EAGAIN from a readiness engine's own non-blocking try, which is its mechanism.
 * Blocking.    Descriptors arrive in blocking mode and stay so. Readiness engines pass
 *              MSG_DONTWAIT (see common/op_syscall.h for pipes). An engine whose submit() sleeps
 *              until the operation is over says so with IO_BLOCKS_IN_SUBMIT.
 * Waiting.     reap() sleeps in the kernel, never spins, unless the variant is about spinning. A
 *              signal ends the wait early: reap() then returns what it has, perhaps 0, never
 *              -EINTR. The driver relies on it: it waits without a time limit.
 * Time.        Latency counts from the driver's clock reading just before the submit() call that
 *              first offered the operation to its reading just after the reap() call that returned
 *              it: waiting for an engine that accepts few at a time counts. Engines read no clock
 *              for measurement.
 * Deferral.    submit() may put off the kernel call until the next reap(), so that a batch costs
 *              one system call. The driver therefore always follows submit() with reap().
 * Ending.      The workload makes its own operations end (it closes the peer, say). Where that
 *              fails, cancel() takes everything back. close() is called with nothing in flight.
 * Threads.     All calls of one engine come from the one thread that called open().
 * Never.       An engine never prints, never exits, never allocates after open(), never falls
 *              back to another interface, and never performs what it was not asked for.
 */
#ifndef IOLAB_IO_ENGINE_H
#define IOLAB_IO_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reason.h"

/* What an operation does. READ and WRITE work on files and pipes, RECV and SEND on sockets. */
enum io_kind {
	IO_NOP,
	IO_READ,
	IO_WRITE,
	IO_FSYNC,
	IO_FDATASYNC,
	IO_RECV,
	IO_SEND,
	IO_KIND_COUNT,
};

/* Moves bytes into this process. WRITE and SEND move them out; syncs and no-ops move none. */
static inline bool io_kind_is_input(enum io_kind kind)
{
	return kind == IO_READ || kind == IO_RECV;
}

static inline bool io_kind_is_for_sockets(enum io_kind kind)
{
	return kind == IO_RECV || kind == IO_SEND;
}

/* What kind of descriptor it is done to. Interfaces differ more by this than by anything else. */
enum io_fd_kind {
	IO_FD_NONE, /* IO_NOP only */
	IO_FD_FILE, /* a regular file or a block device: seekable, "always ready" */
	IO_FD_SOCKET, /* a connected stream socket */
	IO_FD_PIPE, /* a pipe or FIFO end */
	IO_FD_KIND_COUNT,
};

/* `offset` of a READ or WRITE on a pipe: there is no position to name. */
#define IO_NO_OFFSET UINT64_MAX

/* One operation: one cache line. */
struct io_op {
	uint8_t kind; /* enum io_kind */
	uint8_t in_flight; /* the driver's: set while the engine holds the operation */
	uint8_t continues; /* the workload's: the rest of a short transfer; keeps `submit_ns` */
	uint8_t reserved;
	int32_t fd;
	void *buf; /* lies within the arena of struct engine_config; NULL for syncs and NOP */
	uint64_t offset; /* in bytes from the start of the file, or IO_NO_OFFSET */
	uint32_t len_bytes;
	uint32_t slot; /* 0 .. depth-1, unique among operations: an engine may index by it */
	uint32_t fd_slot; /* as given to attach(): an engine may index by it */
	uint32_t tag; /* the workload's */
	int64_t result; /* bytes or -errno; the engine sets it before reap() returns the operation */
	uint64_t submit_ns; /* the driver's; CLOCK_MONOTONIC */
	struct io_op *next; /* the holder's: engines may queue operations through it */
};

_Static_assert(sizeof(struct io_op) == 64, "an operation is meant to fill one cache line");

/* What an engine is told when it opens. Valid during open() only; the arena outlives the engine. */
struct engine_config {
	unsigned depth; /* most operations in flight at once; at least 1 */
	unsigned max_fds; /* every fd_slot is below this */
	void *arena; /* all buffers lie in here, page-aligned: for registering them */
	size_t arena_len_bytes;
	unsigned cpu_count; /* CPUs that this process may use */
	uint64_t options; /* bit i set: option i of engine_ops.options was asked for */
};

/* A named on/off choice of an engine; a set of them is a variant, as in `io_uring:fixed_files`. */
struct engine_option {
	const char *name;
	const char *summary;
	bool compared; /* the variant with this option alone is part of the standard comparison */
};

enum engine_trait {
	/*
	 * submit() returns only when the operation is over, so nothing is ever in flight and a
	 * timeout given to reap() cannot be kept. Workloads that leave receives waiting answer
	 * "unsupported".
	 */
	IO_BLOCKS_IN_SUBMIT = 1u << 0,
	/* Moves no bytes: it measures the harness. Workloads that depend on data refuse it. */
	IO_MOVES_NO_BYTES = 1u << 1,
	/*
	 * Performs the operations on one descriptor one after another, so a receive that waits
	 * holds up a send on the same socket. Then only one operation may be in flight on a socket.
	 */
	IO_SERIALISES_DESCRIPTOR = 1u << 2,
};

/* Each engine file completes this type for itself, so no engine casts a void pointer. */
struct engine;

struct engine_ops {
	const char *name; /* as in --engine */
	const char *summary; /* one line for `iolab list` */
	const char *lab; /* the folder; set by IO_ENGINE_LAB */
	const struct engine_option *options; /* ended by a NULL name; NULL when there are none */
	unsigned traits; /* enum engine_trait */

	/*
	 * Can this machine do `kind` on `fd_kind` through this interface, with these options?
	 * Asked before open(), without side effects, by trying rather than by reading versions.
	 * Of the configuration only `options`, `cpu_count` and `depth` need be valid. Returns 0, or
	 * -errno with the kernel's reason in `why` (never left empty).
	 */
	int (*supports)(const struct engine_config *config, enum io_kind kind,
			enum io_fd_kind fd_kind, struct reason *why);

	/* Allocates everything that the engine will ever need. Returns 0, or -errno with `why`. */
	int (*open)(struct engine **engine, const struct engine_config *config, struct reason *why);

	/*
	 * Tells the engine of a descriptor before its first use, as fd_slot (epoll_ctl ADD, a
	 * fixed file). The caller keeps the descriptor open until detach() or close(). NULL when
	 * the interface has no such notion. Returns 0, or -errno with `why`.
	 */
	int (*attach)(struct engine *engine, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
		      struct reason *why);

	/* Forgets it again, with nothing in flight on it, before the caller closes it. May be NULL. */
	void (*detach)(struct engine *engine, unsigned fd_slot);

	/*
	 * Offers `count` operations (at least 1). Returns how many were accepted, from the front,
	 * or -errno. Does not wait, save with IO_BLOCKS_IN_SUBMIT or where the interface itself
	 * blocks (then the engine's file says so).
	 */
	int (*submit)(struct engine *engine, struct io_op *const *ops, unsigned count);

	/*
	 * Stores up to `max` finished operations in `done` and returns how many, or -errno. Waits
	 * until `min` are there (the caller has at least that many in flight) or until `timeout_ns`
	 * has passed; negative waits for ever, 0 does not wait. With min 0 it does not wait either.
	 */
	int (*reap)(struct engine *engine, struct io_op **done, unsigned min, unsigned max,
		    int64_t timeout_ns);

	/*
	 * Asks for everything in flight back: afterwards each such operation comes out of reap(),
	 * as it ended or with -ECANCELED, soon. A socket that still had one in flight may have been
	 * shut down and is good only for closing. Nothing may be submitted afterwards. Does not
	 * wait.
	 */
	void (*cancel)(struct engine *engine);

	/* Frees everything, threads included. Nothing is in flight. Descriptors stay open. */
	void (*close)(struct engine *engine);
};

/*
 * Registers an engine with the program: a lab's file ends with `IO_ENGINE(epoll_engine);` and no
 * other file has to know. The linker gathers the pointers of one section into an array.
 */
#define IO_ENGINE(ops)                                                                             \
	static const struct engine_ops *const ops##_registration                                   \
		__attribute__((used, section("io_engines"))) = &(ops)

/*
 * An engine's name as it registers: IO_ENGINE_NAME("epoll"). A learner's own copy is compiled with
 * a prefix, so that `my_epoll` runs beside `epoll` in one comparison.
 */
#ifndef IO_NAME_PREFIX
#define IO_NAME_PREFIX ""
#endif
#define IO_ENGINE_NAME(name) IO_NAME_PREFIX name

/* The Makefile passes the name of the folder that holds the file. */
#ifdef IO_LAB_FOLDER
#define IO_ENGINE_LAB IO_LAB_FOLDER
#else
#define IO_ENGINE_LAB ""
#endif

#endif
