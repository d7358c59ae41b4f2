/* SPDX-License-Identifier: MIT */
/*
 * The contract between a workload, the driver and an engine.
 *
 *     workload ──ops──► driver ──submit──► engine ──system calls──► kernel
 *         ▲                │◄───reap─────────┘
 *         └───complete─────┘
 *
 * A workload decides which operations to perform. An engine performs them through exactly one
 * kernel interface. The driver (harness/run/driver.c) hands operations to the engine, takes
 * completions back and reads the clock. It is the only loop that a comparison measures. The three
 * share this header and nothing else. (harness/commands/matrix.c,
 * harness/commands/responsiveness.c and harness/run/upcall_run.c ask other questions of an engine:
 * each is a small driver of its own.)
 *
 * The shape is a proactor: submit operations, reap completions. These are the rules, in the order
 * in which readers usually ask for them.
 *
 * Ownership.   Operations and their buffers belong to the workload, which allocates them once.
 *              From the moment submit() accepts an operation until reap() returns it, only the
 *              engine may touch it. During that time the kernel may touch its buffer. `next`
 *              belongs to whoever holds the operation. An engine writes `result` and `next`, and
 *              `buf` where it lends a buffer, nothing else.
 * Exactly once. Every accepted operation comes back from reap() exactly once. Its `result` is then
 *              a count of bytes (0 for a sync or a no-op), never more than `len_bytes`, or -errno.
 *              The result of an ACCEPT is a new descriptor, that of a CONNECT is 0.
 * Order.       There is none: completions may come back in any order, whatever the interface. At
 *              most one operation of each direction (in: READ, RECV, ACCEPT; out: WRITE, SEND,
 *              CONNECT) is in flight on a socket or pipe. A workload that needs an order there
 *              waits for each.
 * Short I/O.   A count below `len_bytes` is a success. The workload reissues the remainder, in one
 *              place for all engines. An engine never loops to fill a buffer. 0 from a read is the
 *              end of the file, or the peer's orderly close.
 * Back-pressure. submit() returns how many operations it accepted: always the first of those that
 *              were offered, perhaps none. That is not an error. The driver reaps and offers the
 *              rest again. With nothing in flight an engine must accept at least one.
 * Lent buffers. A RECV without a `buf` asks to be lent one, by an engine that has give_back() and
 *              was opened with buffers to lend. While it waits it holds none. When it has received
 *              something, `buf` is the engine's memory, and its first `result` bytes are what came.
 *              The buffer is the workload's until it gives it back, and may be the `buf` of other
 *              operations meanwhile. A result of 0 or below lends nothing, and `buf` stays NULL.
 *              When bytes are there and no buffer is free, the result is -ENOBUFS at once. The
 *              bytes stay in the socket, for a RECV that is offered once a buffer was given back.
 * Errors.      An operation's failure is its `result`. A negative return from submit() or reap()
 *              means that the engine itself is broken, and the run ends. An engine never retries an
 *              error silently. There are two exceptions: EINTR, where the operation had not begun,
 *              and EAGAIN from a readiness engine's own non-blocking try, which is its mechanism.
 * Blocking.    Descriptors arrive in blocking mode and stay in it. Readiness engines pass
 *              MSG_DONTWAIT (see common/op_syscall.h for pipes). accept(2) and connect(2) have no
 *              such flag. So to an engine that tries them (IO_TRIES_CONNECTIONS) a listener, and a
 *              socket for a CONNECT, come in non-blocking mode. An engine whose submit() sleeps
 *              until the operation is over says so with IO_BLOCKS_IN_SUBMIT.
 * Signals.     A descriptor comes without O_ASYNC and is left without it. From attach() until
 *              detach() or close() an engine may set it. Until close() it may handle one signal: a
 *              real-time one, or SIGUSR2. It may block a real-time one and SIGIO in the caller's
 *              thread.
 * Connections. The descriptor that an ACCEPT returns is in blocking mode and closed on exec. It
 *              belongs to the workload. A client that has gone again is a result (-ECONNABORTED)
 *              or nothing at all, never a wait in accept(2).
 * Waiting.     reap() sleeps in the kernel and never spins, unless the variant is about spinning. A
 *              signal ends the wait early, also where its handler has SA_RESTART: reap() then
 *              returns what it has, perhaps 0, never -EINTR. The driver relies on that, since it
 *              waits without a time limit.
 * Time.        Latency counts from the driver's clock reading before the submit() call that first
 *              offered the operation. It ends with the reading after the reap() call that returned
 *              it. So the wait for an engine that accepts few at a time counts. Engines read no
 *              clock for measurement.
 * Deferral.    submit() may put off the kernel call until the next reap(), so that a batch costs
 *              one system call. Therefore the driver always calls reap() after submit().
 * Ending.      The workload makes its own operations end, by closing the peer, for example. Where
 *              that fails, cancel() takes everything back. When close() is called nothing is in
 *              flight.
 * Threads.     All calls of one engine come from the thread that called open().
 * Never.       An engine never prints and never exits. It never allocates after open(). It never
 *              falls back to another interface. It never does what it was not asked for. (A variant
 *              that takes ahead says so, with a trait.)
 */
#ifndef IOLAB_IO_ENGINE_H
#define IOLAB_IO_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reason.h"

/*
 * What an operation does. READ and WRITE work on files and pipes, RECV and SEND on connected
 * sockets. ACCEPT takes a connection from a listener. CONNECT connects a new socket to the address
 * in `buf`, a struct sockaddr of `len_bytes` bytes.
 */
enum io_kind {
	IO_NOP,
	IO_READ,
	IO_WRITE,
	IO_FSYNC,
	IO_FDATASYNC,
	IO_RECV,
	IO_SEND,
	IO_ACCEPT,
	IO_CONNECT,
	IO_KIND_COUNT,
};

/* The direction in: what waits for something to come. WRITE, SEND and CONNECT are the other one. */
static inline bool io_kind_is_input(enum io_kind kind)
{
	return kind == IO_READ || kind == IO_RECV || kind == IO_ACCEPT;
}

static inline bool io_kind_is_for_sockets(enum io_kind kind)
{
	return kind == IO_RECV || kind == IO_SEND || kind == IO_ACCEPT || kind == IO_CONNECT;
}

/* What kind of descriptor it is done to. Interfaces differ more by this than by anything else. */
enum io_fd_kind {
	IO_FD_NONE, /* IO_NOP only */
	IO_FD_FILE, /* a regular file or a block device: seekable, "always ready" */
	IO_FD_SOCKET, /* a stream socket: connected, or for a CONNECT */
	IO_FD_PIPE, /* a pipe or FIFO end */
	IO_FD_LISTENER, /* a stream socket on which listen(2) was called: for ACCEPT */
	IO_FD_KIND_COUNT,
};

/* `offset` of a READ or WRITE on a pipe: there is no position to name. */
#define IO_NO_OFFSET UINT64_MAX

/* One operation: one cache line. */
struct io_op {
	uint8_t kind; /* enum io_kind */
	uint8_t in_flight; /* the driver's: set while the engine holds the operation */
	uint8_t continues; /* the workload's: the rest of a short transfer, which keeps `submit_ns` */
	uint8_t reserved;
	int32_t fd;
	/*
	 * Lies within the arena of struct engine_config, or in a lent buffer. NULL for syncs, NOP and
	 * ACCEPT, and for a RECV that asks to be lent one.
	 */
	void *buf;
	uint64_t offset; /* in bytes from the start of the file, or IO_NO_OFFSET */
	uint32_t len_bytes; /* from 1 to lent_len_bytes, to be lent a buffer */
	uint32_t slot; /* 0 .. depth-1, unique among operations: an engine may index by it */
	uint32_t fd_slot; /* as given to attach(): an engine may index by it */
	uint32_t tag; /* the workload's */
	int64_t result; /* bytes, descriptor or -errno; set before reap() returns the operation */
	uint64_t submit_ns; /* the driver's; CLOCK_MONOTONIC */
	struct io_op *next; /* the holder's: engines may queue operations through it */
};

_Static_assert(sizeof(struct io_op) == 64, "an operation is meant to fill one cache line");

/* What an engine is told when it opens. Valid during open() only. The arena outlives the engine. */
struct engine_config {
	unsigned depth; /* the most operations in flight at once; at least 1 */
	unsigned max_fds; /* every fd_slot is below this */
	void *arena; /* all buffers lie in here, page-aligned: for registering them */
	size_t arena_len_bytes;
	unsigned cpu_count; /* CPUs that this process may use */
	uint64_t options; /* bit i set: option i of engine_ops.options was asked for */
	unsigned lent_count; /* buffers to lend; 0 where none is asked for */
	uint32_t lent_len_bytes; /* of each */
};

/* A named on/off choice of an engine. A set of them is a variant, as in `io_uring:fixed_files`. */
struct engine_option {
	const char *name;
	const char *summary;
	bool compared; /* the variant with this option alone is part of the standard comparison */
	/* With it another thread makes the calls that the plain engine's caller makes. `iolab timeline`
	 * and `iolab matrix`, which show who works, then take the variant by default. */
	bool other_worker;
	unsigned traits; /* enum engine_trait: what the variant has beside the engine's own */
};

enum engine_trait {
	/*
	 * submit() returns only when the operation is over. So nothing is ever in flight, and
	 * reap() cannot keep a timeout. Workloads that leave receives waiting answer "unsupported".
	 */
	IO_BLOCKS_IN_SUBMIT = 1u << 0,
	/* Moves no bytes: it measures the harness. Workloads that depend on data refuse it. */
	IO_MOVES_NO_BYTES = 1u << 1,
	/*
	 * Performs the operations on one descriptor one after another, so a receive that waits
	 * holds up a send on the same socket. Then only one operation may be in flight on a socket.
	 */
	IO_SERIALISES_DESCRIPTOR = 1u << 2,
	/*
	 * Waits until a descriptor is ready, and only then makes the call. A file is always ready: its
	 * reads and writes block, or the interface refuses it. Commands that read a file to show what is
	 * asynchronous leave the engine out by default.
	 */
	IO_WAITS_FOR_READINESS = 1u << 3,
	/*
	 * Makes accept(2) and connect(2) without sleeping in them, so it needs a listener, and a
	 * socket for a CONNECT, in non-blocking mode. They stay in it.
	 */
	IO_TRIES_CONNECTIONS = 1u << 4,
	/*
	 * Has no other means to call back what waits on a socket than shutdown(2). So after
	 * cancel_one() that socket can only be closed.
	 */
	IO_CANCEL_SHUTS_DOWN = 1u << 5,
	/*
	 * Reaches an interface that another engine reaches already, by other means. Commands that compare
	 * interfaces leave it out by default.
	 */
	IO_REPEATS_INTERFACE = 1u << 6,
	/*
	 * Takes ahead: from the first RECV on a socket until detach() or close() it may receive what nobody
	 * has asked for yet, and keeps it for later RECVs. What is left then is lost.
	 */
	IO_RECEIVES_AHEAD = 1u << 7,
	/* The same for a listener and its ACCEPTs. Connections that are left are closed. */
	IO_ACCEPTS_AHEAD = 1u << 8,
	/*
	 * Sends from the workload's buffer itself. So a SEND is over when the peer has the bytes, and not
	 * when they wait for it in the kernel. Until then no cancel brings it back.
	 */
	IO_SENDS_UNCOPIED = 1u << 9,
};

/* Each engine's file completes this type, so no engine casts a void pointer. */
struct engine;

struct engine_ops {
	const char *name; /* as in --engine */
	const char *summary; /* one line for `iolab list` */
	const char *lab; /* the folder; set by IO_ENGINE_LAB */
	const struct engine_option *options; /* ended by a NULL name; NULL when there are none */
	unsigned traits; /* enum engine_trait */
	bool is_baseline; /* ratios are taken to this engine by default; only one has it */

	/*
	 * Can this machine do `kind` on `fd_kind` through this interface, with these options? The
	 * engine is asked before open(). It finds out by trying, not by reading versions, and
	 * leaves nothing behind. Of the configuration only `options`, `cpu_count`, `depth`,
	 * `lent_count` and `lent_len_bytes` are valid. With a `lent_count` the question about RECV
	 * includes the lending. Returns 0, or -errno with the kernel's reason in `why`, in words
	 * and with an identifier.
	 */
	int (*supports)(const struct engine_config *config, enum io_kind kind,
			enum io_fd_kind fd_kind, struct reason *why);

	/* Allocates everything that the engine will ever need. Returns 0, or -errno with `why`. */
	int (*open)(struct engine **engine, const struct engine_config *config, struct reason *why);

	/*
	 * Tells the engine of a descriptor, as fd_slot, before its first use: for epoll_ctl(2) or
	 * as a registered file. The caller keeps the descriptor open until detach() or close().
	 * NULL when the interface has no such step. Returns 0, or -errno with `why`. It is -EOPNOTSUPP
	 * where the variant is of no use with this descriptor, though with others of its kind.
	 */
	int (*attach)(struct engine *engine, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
		      struct reason *why);

	/* Undoes attach(), before the caller closes the descriptor. Nothing is in flight on it. May
	 * be NULL. */
	void (*detach)(struct engine *engine, unsigned fd_slot);

	/*
	 * Offers `count` operations (at least 1). Returns how many were accepted, from the front,
	 * or -errno. Does not wait, except with IO_BLOCKS_IN_SUBMIT, or where the interface itself
	 * blocks. The engine's file says so then.
	 */
	int (*submit)(struct engine *engine, struct io_op *const *ops, unsigned count);

	/*
	 * Stores up to `max` finished operations in `done` and returns how many, or -errno. Waits
	 * until `min` are there, or until `timeout_ns` has passed. The caller has at least `min` in
	 * flight. A negative timeout waits for ever, 0 does not wait. With min 0 it does not wait
	 * either.
	 */
	int (*reap)(struct engine *engine, struct io_op **done, unsigned min, unsigned max,
		    int64_t timeout_ns);

	/*
	 * Takes back, without waiting, a buffer that it lent. `buf` is what the operation's `buf`
	 * was, and comes back once. What was not given back ends with close(). NULL where the engine
	 * lends none: engine_lends() in engines.h says so in words.
	 */
	void (*give_back)(struct engine *engine, void *buf);

	/*
	 * Asks for one operation back that is in flight, at most once for each time that it was
	 * submitted. Soon it comes out of reap(), as it ended (the request may come too late) or
	 * with -ECANCELED. What it had received is its result and is not lost. A file's operation
	 * that the kernel performs already comes back when it is done. All others go on. Does not
	 * wait. NULL where nothing waits once submit() has returned.
	 */
	void (*cancel_one)(struct engine *engine, struct io_op *op);

	/*
	 * Asks for everything in flight back. Soon each such operation comes out of reap(), as it
	 * ended or with -ECANCELED. A socket that still had one in flight may have been shut down:
	 * it can only be closed. Nothing may be submitted afterwards. Does not wait.
	 */
	void (*cancel)(struct engine *engine);

	/* Frees everything, threads included. Nothing is in flight. Descriptors stay open. */
	void (*close)(struct engine *engine);
};

/*
 * Registers an engine with the program. A lab's file ends with `IO_ENGINE(epoll_engine);`, and
 * there is no list to edit: the linker gathers the pointers of one section into an array.
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
