/* SPDX-License-Identifier: MIT */
/*
 * A workload decides which operations are performed. It owns them, their buffers and descriptors,
 * and knows no engine: identical workloads by construction. It is one file, which registers itself
 * with WORKLOAD(); docs/add-a-workload.md.
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

#include "base/findings.h"
#include "base/option_table.h"
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

/* A descriptor that comes or goes in the midst of a run. */
struct fd_change {
	unsigned fd_slot;
	int fd;
};

/* The first member of every workload's own structure. */
struct workload {
	const struct workload_ops *ops;
	unsigned depth; /* operations that can be in flight at once; `slot` is below this */
	struct workload_fd *fds; /* its index is the operations' fd_slot; open() fills it */
	unsigned fd_count; /* slots; one that is free has the descriptor -1 */
	/*
	 * Filled by complete(). After it the driver attaches what is coming, and detaches and closes what
	 * is going, that first. NULL where all descriptors stay for the whole run.
	 */
	struct fd_change *coming, *going;
	unsigned coming_count, going_count;
	struct io_op *first_op; /* of slot 0; the next one lies op_stride_bytes behind it */
	size_t op_stride_bytes;
	void *arena; /* all buffers, page-aligned */
	size_t arena_len_bytes;
	/* What a device may have to move before all that is in flight comes back; 0: no device does it. */
	uint64_t device_bytes;
	pid_t peer; /* the process at the other end, or 0; its CPU time is measured apart */
	bool stopping; /* set by the driver: nothing new begins */
	bool failed; /* set by the driver: the run is lost, so what is owed need not come */
	bool exhausted; /* op_limit is reached: nothing more to offer but rests of short transfers */

	/* The open loop (--rate); the driver's, unless a peer keeps the schedule. */
	struct schedule schedule;
	uint64_t due; /* operations that may have begun by now; UINT64_MAX in a closed loop */
	uint64_t begun; /* operations that fill() gave out, rests and syncs not counted */
	uint64_t *due_ns; /* [slot]: when its operation was due; 0: it is finished. NULL in a closed
			     loop */
	/* When the window opened: operations due until then, and those of them not finished. */
	uint64_t due_before, owed_before;
	/*
	 * When it closed: operations due in it, and those not finished of all that were due. What
	 * finished in it and what did not are together what was owed before and what was due in it.
	 */
	uint64_t window_due, unfinished;

	struct tally tally;
	struct reason failure; /* set with a negative return */
};

/* One thing that the workload needs an engine to be able to do. */
struct io_pair {
	enum io_kind kind;
	enum io_fd_kind fd_kind;
};

#define WORKLOAD_NEEDS_MAX 4

/* What a configuration asks of its engine. */
struct workload_needs {
	struct io_pair pairs[WORKLOAD_NEEDS_MAX];
	unsigned pair_count;
	struct {
		unsigned trait; /* that it cannot live with */
		const char *id, *text; /* of the reason, see reason.h; it has no values */
	} refused[WORKLOAD_NEEDS_MAX];
	unsigned refused_count;
};

void workload_need(struct workload_needs *needs, enum io_kind kind, enum io_fd_kind fd_kind);
void workload_refuse(struct workload_needs *needs, enum engine_trait trait, const char *id,
		     const char *text);

/* What is swept along a figure's x axis: one of the workload's own options. */
struct sweep_axis {
	const char *option; /* --depth; also the "x_name" of a result */
	const char *list_option; /* --depths, of `iolab compare` */
	const char *list_help; /* what its values are: "operations in flight" */
	const char *label; /* of a figure's axis: "depth (operations offered)" */
	const char *unit; /* what is counted, in the singular: "connection"; NULL: "depth 4" */
	const char *about; /* a sentence for the report; NULL where the label says all */
};

/* For workloads whose operations are alike: how many of them are in flight. */
extern const struct sweep_axis axis_depth;

/* The option that axis_depth sweeps, as a row of the workload's table. */
#define DEPTH_OPTION                                                                               \
	{                                                                                          \
		.name = "depth", .argument = "N", .kind = OPTION_COUNT, .least = 1,                \
		.most = DEPTH_MOST, OPTION_FIELD(struct run_config, depth), .usual = "1",          \
		.help = "most operations in flight"                                                \
	}

/* The field of an option's row, for a member of the workload's own settings. */
#define OPTION_SETTING(member) .own = true, OPTION_FIELD(struct workload_settings, member)

/* A row of the comparison that `make bench` runs. */
struct standard_row {
	const char *fixed[3]; /* an option and its value that set the row apart; ended by NULL */
	const char *usual[5]; /* options that a person may override after --; ended by NULL */
	const char *swept; /* the values, separated by commas; NULL ends the rows */
};

/* A key of "workload" in a result, for the schema and for CSV. docs/result.schema.json is made of
 * these rows. */
struct parameter_row {
	const char *name; /* NULL ends a table */
	/* "count", "amount", "boolean", "string"; with "?" null, too: harness/schema/make_schema.py */
	const char *type;
	const char *const
		*words; /* the only values, ended by NULL; any of the type where this is NULL */
	bool may_be_missing; /* not every result has it */
	const char *option; /* the option that sets it, whose limits it keeps; NULL: none */
	bool moved_by_op; /* so many bytes are moved by each operation */
	const char *csv; /* the column of `iolab export --format csv`; NULL: called `name` */
};

struct workload_ops {
	const char *name;
	const char *summary; /* one line for `iolab list` */
	unsigned
		place; /* in lists: lower is first, and the first is what `iolab run` takes by default */
	bool has_peer; /* a second process at the other end, which wants a CPU of its own */
	const char *op_name; /* what one of `tally.ops` is, in the singular: "block", "message" */

	const struct option_row *options;
	size_t settings_bytes; /* sizeof(struct workload_settings); 0: it needs none */
	const struct sweep_axis *axis;
	const char *swept; /* what `iolab compare` sweeps by default, separated by commas */
	const struct standard_row *standard; /* its part of `make bench`; NULL: none */
	/* What parameters() and describe() write beside "panel"; NULL: nothing. */
	const struct parameter_row *parameter_rows;

	/*
	 * Fills in what follows from other options, and refuses what makes no sense together.
	 * Returns 0, or -EINVAL with a `why` that names the option and the cure. May be NULL.
	 */
	int (*settle)(struct run_config *config, const struct typed_options *typed,
		      struct reason *why);

	/*
	 * Why one of the workload's options has no effect on this configuration, with the cure, or
	 * NULL when it has one. `iolab compare` leaves such an option out. May be NULL.
	 */
	const char *(*ignores)(const struct run_config *config, const char *option);

	/* The seconds that a run may take beside its window, to prepare and to verify. May be NULL. */
	double (*spare_s)(const struct run_config *config);

	/* The file that is read or written, whose device is described in the result. May be NULL. */
	const char *(*path)(const struct run_config *config);

	/*
	 * For `iolab doctor`: what this machine has, beside its engines, of what the workload depends on.
	 * `file` is the test file that a person named, or NULL. May be NULL.
	 */
	void (*examine)(struct findings *found, const char *file);

	/* What this configuration needs of an engine. */
	void (*needs)(const struct run_config *config, struct workload_needs *needs);

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
	 * every operation in flight soon ends without help. NULL: setting `stopping` is enough.
	 */
	void (*stop)(struct workload *workload);

	/*
	 * After the engine is closed: are the results right (--verify), is the window's measurement
	 * whole (the peer's histogram)? Returns 0, or -errno with workload->failure. May be NULL.
	 */
	int (*check)(struct workload *workload);

	/*
	 * Adds the workload's parameters to "workload" of the result, from the options alone, since
	 * a run that is unsupported never opens its workload. NULL: it has none.
	 */
	void (*parameters)(const struct run_config *config, json_t *parameters);

	/*
	 * Copies to `values` those of the parameters that tell its panels apart (workloads/panel.h):
	 * all that change the work, but for the swept one. NULL: it has one panel.
	 */
	void (*panel_values)(const json_t *parameters, json_t *values);

	/*
	 * These values as the title of a plot, "file randread 4k O_DIRECT, 1M". An imported run may
	 * have a null for each of them. A new reference. NULL: the workload's name.
	 */
	json_t *(*panel_text)(const json_t *values);

	/*
	 * The work as a sentence, for the report: "random reads of 4 KiB". From the parameters, so
	 * that an imported run has words, too. A new reference; NULL when there are none.
	 */
	json_t *(*words)(const json_t *parameters);

	/*
	 * After check(): adds what was found by running. Facts go to `parameters`, figures to
	 * `metrics` (complete but for these), what a reader must see to `warnings`, a list of
	 * remarks (base/remark.h). NULL when there is nothing.
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

/* The workloads that are linked in, 0 .. workloads_count()-1, in the order of their places. */
unsigned workloads_count(void);
const struct workload_ops *workload_at(unsigned position);

/* NULL, with the list of names in `why`, when there is no such workload. */
const struct workload_ops *workload_find(const char *name, struct reason *why);

/*
 * Has an option of that name an effect on this configuration? Options that all workloads have in
 * common are not asked about. False with a `why` that names the cure.
 */
bool workload_option_works(const struct run_config *config, const char *name, struct reason *why);

/*
 * Allocates the settings of `config->workload`, to be freed with free(3), and stores the defaults.
 * Returns 0, or -ENOMEM with `why`.
 */
int workload_settings_begin(struct run_config *config, struct reason *why);

/*
 * Parses `text` and stores the value of one of the workload's own rows, in its settings or in the
 * configuration. Returns 0, or -EINVAL with `why`.
 */
int workload_option_store(struct run_config *config, const struct option_row *row, const char *text,
			  struct reason *why);

/* How many percent of the operations had an effect that was seen (--verify); NAN without any. */
double workload_proven_pct(uint64_t proven, uint64_t finished);

/* The value on the axis of `config->workload`. */
unsigned workload_x(const struct run_config *config);

/*
 * The names of workloads in words, "file and nop": of all, of those with a peer, and of those with
 * that table or axis; and of those whose bit is set, by their position.
 */
void workload_names(char *text, size_t size);
void workload_names_with_peer(char *text, size_t size);
void workload_names_chosen(uint64_t chosen, char *text, size_t size);
void workload_names_by_options(const struct option_row *options, char *text, size_t size);
void workload_names_by_axis(const struct sweep_axis *axis, char *text, size_t size);

/*
 * The configuration of a run in which nobody sets an option. Returns 0, or -errno with `why`. In both
 * cases its settings are to be freed with free(3).
 */
int workload_usual_config(const struct workload_ops *workload, struct run_config *config,
			  struct reason *why);

/*
 * Sets the CPUs for this process, if nobody has chosen any: all that are allowed, but for the last
 * where a peer needs one and there are two or more.
 */
void workload_settle_cpus(struct run_config *config);

/* The first workload that needs no descriptor, and so does no I/O; NULL when there is none. */
const struct workload_ops *workload_without_io(void);

/*
 * Can the configured engine run the configured workload here? Returns 0, or -errno with the
 * kernel's or the contract's reason in `why`. No side effects.
 */
int workload_supported(const struct run_config *config, struct reason *why);

/*
 * Raises the soft limit of descriptors to the hard one. Returns 0 when `count` fit beside the
 * program's own, or -EMFILE with a `why` that names the option they come from: "--conns 50".
 */
int workload_raise_fd_limit(const char *option, unsigned value, unsigned count, struct reason *why);

/*
 * Adds a finding: does the hard limit of descriptors suffice for `wanted` of what is counted in `what`,
 * such as "connections"?
 */
void workload_examine_fds(struct findings *found, unsigned wanted, const char *what);

/*
 * Page-aligned memory for `depth` buffers of `len_bytes` each (rounded up to a page), touched so
 * that no page fault falls into the window. Freed with munmap(arena, arena_len_bytes).
 */
int workload_arena_alloc(struct workload *workload, unsigned depth, size_t len_bytes,
			 struct reason *why);

/*
 * Registers a workload with the program: its file ends with `WORKLOAD(pipe_workload);` and no other
 * file has to know. The linker gathers the pointers of one section into an array.
 */
#define WORKLOAD(ops)                                                                              \
	static const struct workload_ops *const ops##_registration                                 \
		__attribute__((used, section("io_workloads"))) = &(ops)

#endif
