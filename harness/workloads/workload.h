/* SPDX-License-Identifier: MIT */
/*
 * A workload decides which operations are performed. It owns them, their buffers and descriptors,
 * and knows no engine: identical workloads by construction.
 *
 * Life of a run:  open ─► (engine opened, descriptors attached) ─► fill/complete ... ─► stop ─►
 *                 fill/complete until nothing is left ─► (engine closed) ─► check ─► describe ─►
 * close
 */
#ifndef IOLAB_WORKLOAD_H
#define IOLAB_WORKLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"
#include "io_engine.h"
#include "workloads/run_config.h"
#include "workloads/schedule.h"

/*
 * What a workload counts. The driver empties it when the window opens, and puts it back to what it
 * was at the window's end when all is over: what comes home later is not of the window.
 */
struct tally {
	uint64_t ops; /* finished units of the workload: blocks, messages, no-ops */
	uint64_t bytes;
	uint64_t reads, writes; /* of `ops`, where the workload tells them apart */
	uint64_t syncs; /* fsync, fdatasync: not part of `ops` */
	uint64_t short_transfers; /* completions that had to be continued */
	struct histogram latency; /* of `ops`, by the driver's clock; see latency() for echo */
	struct histogram uncorrected; /* open loop: the same from submission instead of when due */
	struct histogram sync_latency;
};

struct workload_fd {
	int fd;
	enum io_fd_kind kind;
};

/* The first member of every workload's own structure. */
struct workload {
	const struct workload_ops *ops;
	unsigned depth; /* operations that can be in flight at once; `slot` is below this */
	struct workload_fd *fds; /* its index is the operations' fd_slot; open() fills it */
	unsigned fd_count;
	void *arena; /* all buffers, page-aligned */
	size_t arena_len_bytes;
	pid_t peer; /* the process at the other end, or 0; its CPU time is measured apart */
	bool stopping; /* set by the driver: nothing new begins */
	bool exhausted; /* op_limit is reached: nothing more to offer but rests of short transfers */

	/* The open loop (--rate); the driver's, unless a peer keeps the schedule. */
	struct schedule schedule;
	uint64_t due; /* operations that may have begun by now; UINT64_MAX in a closed loop */
	uint64_t begun; /* operations that fill() gave out, rests and syncs not counted */
	uint64_t *due_ns; /* [slot]: when its operation was due; 0: it is finished. NULL in a closed
			     loop */
	uint64_t window_due, unfinished; /* due in the window; due and not finished at its end */

	struct tally tally;
	struct reason failure; /* set with a negative return */
};

/* One thing that the workload needs an engine to be able to do. */
struct io_pair {
	enum io_kind kind;
	enum io_fd_kind fd_kind;
};

#define WORKLOAD_PAIRS_MAX 4

struct workload_ops {
	const char *name;
	const char *summary;
	bool has_peer; /* a second process at the other end, which wants a CPU of its own */
	const char *op_name; /* what one of `tally.ops` is, in the singular: "read", "message" */

	/*
	 * The pairs this configuration needs, and the traits that it cannot live with (with the
	 * reason). Returns how many pairs were stored.
	 */
	unsigned (*needs)(const struct run_config *config, struct io_pair pairs[WORKLOAD_PAIRS_MAX],
			  unsigned *refused_traits, const char **refusal);

	/* Prepares files, peers, operations and buffers. Returns 0, or -errno with `why`. */
	int (*open)(struct workload **workload, const struct run_config *config,
		    struct reason *why);

	/* Stores up to `max` operations that may be submitted now; returns how many. May be 0. */
	unsigned (*fill)(struct workload *workload, struct io_op **ops, unsigned max);

	/*
	 * Takes `count` finished operations back (in_flight is clear), at `now_ns`, the driver's
	 * clock reading after the reap. Counts them in the tally. Returns 0, or -errno with
	 * workload->failure: the run ends then, since a measurement with errors in it is none.
	 */
	int (*complete)(struct workload *workload, struct io_op *const *ops, unsigned count,
			uint64_t now_ns);

	/*
	 * The measured window opens (true) or closes (false). For a workload whose peer measures
	 * too. NULL when it has nothing to do.
	 */
	void (*window)(struct workload *workload, bool open);

	/*
	 * From now on fill() offers only what must be finished (the rest of a short transfer), and
	 * every operation in flight ends by itself soon. NULL: setting `stopping` is enough.
	 */
	void (*stop)(struct workload *workload);

	/*
	 * After the engine is closed: are the results right (--verify), is the window's measurement
	 * whole (the peer's histogram)? Returns 0, or -errno with workload->failure. May be NULL.
	 */
	int (*check)(struct workload *workload);

	/*
	 * Adds the workload's parameters to "workload" of the result, from the options alone, since
	 * a run that is unsupported never opens its workload. `panel` among them names all of them
	 * but the swept one.
	 */
	void (*parameters)(const struct run_config *config, json_t *parameters);

	/*
	 * After check(): adds what was found by running. Facts go to `parameters`, figures to
	 * `metrics` (complete but for these), remarks a reader must see to `warnings`, an array of
	 * strings. NULL when there is nothing.
	 */
	void (*describe)(struct workload *workload, json_t *parameters, json_t *metrics,
			 json_t *warnings);

	/*
	 * The histograms for the result, corrected and not (the latter in an open loop only), and
	 * whose clock they are of ("peer"). NULL: those of the tally, by the driver's.
	 */
	const struct histogram *(*latency)(struct workload *workload,
					   const struct histogram **uncorrected,
					   const char **source);

	/* Frees everything and ends the peer. Also called after a failure anywhere above. */
	void (*close)(struct workload *workload);
};

/* fill() calls this for new operations, as long as `begun` is below `due`. */
static inline void workload_begin(struct workload *workload, struct io_op *const *ops,
				  unsigned count)
{
	if (workload->due_ns)
		for (unsigned i = 0; i < count; i++)
			workload->due_ns[ops[i]->slot] =
				schedule_due_ns(&workload->schedule, workload->begun + i);
	workload->begun += count;
}

/* complete() calls this for operations that are finished as a whole. */
static inline void workload_record(struct workload *workload, struct io_op *const *ops,
				   unsigned count, uint64_t now_ns)
{
	struct tally *tally = &workload->tally;
	uint64_t *due_ns = workload->due_ns;
	for (unsigned i = 0; !due_ns && i < count; i++)
		histogram_record(&tally->latency, now_ns - ops[i]->submit_ns, 1);
	for (unsigned i = 0; due_ns && i < count; i++) {
		histogram_record(&tally->latency, now_ns - due_ns[ops[i]->slot], 1);
		due_ns[ops[i]->slot] = 0;
		histogram_record(&tally->uncorrected, now_ns - ops[i]->submit_ns, 1);
	}
}

/* The workloads, in the order in which they are listed; the last entry is NULL. */
extern const struct workload_ops *const workloads[];

/* NULL, with the list of names in `why`, when there is no such workload. */
const struct workload_ops *workload_find(const char *name, struct reason *why);

/*
 * Can the configured engine run the configured workload here? Returns 0, or -errno with the
 * kernel's or the contract's reason in `why`. No side effects.
 */
int workload_supported(const struct run_config *config, struct reason *why);

/*
 * Raises the soft limit of descriptors to the hard one. Returns 0 when `count` fit beside the
 * program's own, or -EMFILE with a `why` that names the option they come from.
 */
int workload_raise_fd_limit(const char *option, unsigned count, struct reason *why);

/*
 * Page-aligned memory for `depth` buffers of `len_bytes` each (rounded up to a page), touched so
 * that no page fault falls into the window. Freed with munmap(arena, arena_len_bytes).
 */
int workload_arena_alloc(struct workload *workload, unsigned depth, size_t len_bytes,
			 struct reason *why);

extern const struct workload_ops workload_file, workload_echo, workload_idle, workload_nop;

#endif
