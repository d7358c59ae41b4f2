/* SPDX-License-Identifier: MIT */
/*
 * file: blocks of one file, read or written in order or at random.
 *
 * The sequence of operations follows from the seed alone. What --verify adds is in block_check.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/size_text.h"
#include "base/whole_number.h"
#include "random.h"
#include "workloads/block_check.h"
#include "workloads/block_pattern.h"
#include "workloads/data_file.h"
#include "workloads/examine_file.h"
#include "workloads/file.h"
#include "workloads/panel.h"

struct file_workload {
	struct workload base; /* first: the harness sees only this */
	const struct workload_settings *settings;
	uint64_t op_limit;
	bool verify;

	struct io_op *ops; /* [depth]; each owns the buffer of its slot */
	char *buffers;
	size_t buffer_stride_bytes;
	struct io_op **idle; /* a stack: the buffer used last is the one still in the CPU's cache */
	unsigned idle_count;
	struct io_op **unfinished; /* short transfers, to be continued before anything new begins */
	unsigned unfinished_count;

	struct random_stream random;
	uint64_t block_count;
	uint64_t next_block; /* of a sequential pattern */
	unsigned writes_since_sync;
	unsigned sync_every; /* 0: never */
	enum io_kind sync_kind;

	struct block_check check; /* --verify only */
	int check_rc; /* what it found in fill(), for complete() to return */

	double resident_pct; /* in the page cache when the window opened, and when it closed */
	double resident_end_pct;
	bool deleted; /* the file's name went away during the run */
};

static const char *const rw_names[] = {
	[RW_READ] = "read",	      [RW_WRITE] = "write",   [RW_RANDREAD] = "randread",
	[RW_RANDWRITE] = "randwrite", [RW_RANDRW] = "randrw", NULL,
};

/* CACHE_BYPASSED follows from --direct. */
static const char *const cache_names[] = { "warm", "dropped", NULL };
static const char *const switches[] = { "0", "1", NULL };

static const struct option_row file_options[] = {
	{ .name = "file",
	  .argument = "PATH",
	  .kind = OPTION_TEXT,
	  OPTION_SETTING(path),
	  .help = "test file or block device (default: iolab-UID.test in $TMPDIR or /var/tmp; kept)" },
	{ .name = "size",
	  .argument = "SIZE",
	  .kind = OPTION_BYTES,
	  .least = 512,
	  .most = UINT64_C(1) << 46,
	  OPTION_SETTING(size_bytes),
	  .usual = "256M",
	  .help = "how much of the file to use" },
	{ .name = "bs",
	  .argument = "SIZE",
	  .kind = OPTION_BYTES,
	  .least = 512,
	  .most = 1u << 30,
	  OPTION_SETTING(bs_bytes),
	  .usual = "4k",
	  .help = "bytes of one operation" },
	{ .name = "rw",
	  .argument = "PATTERN",
	  .kind = OPTION_WORD,
	  .words = rw_names,
	  OPTION_SETTING(rw),
	  .usual = "randread",
	  .help = "read, write, randread, randwrite or randrw" },
	{ .name = "rwmixread",
	  .argument = "PERCENT",
	  .kind = OPTION_COUNT,
	  .most = 100,
	  OPTION_SETTING(read_pct),
	  .usual = "50",
	  .help = "share of reads in randrw" },
	{ .name = "direct",
	  .argument = "0|1",
	  .kind = OPTION_WORD,
	  .words = switches,
	  OPTION_SETTING(direct),
	  .usual = "0",
	  .help = "1: O_DIRECT, which bypasses the page cache" },
	{ .name = "cache",
	  .argument = "warm|dropped",
	  .kind = OPTION_WORD,
	  .words = cache_names,
	  OPTION_SETTING(cache),
	  .usual = "warm",
	  .help = "page cache when the run begins" },
	{ .name = "fsync",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .least = 1,
	  .most = 1u << 30,
	  OPTION_SETTING(fsync_every),
	  .help = "an fsync after every N writes" },
	{ .name = "fdatasync",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .least = 1,
	  .most = 1u << 30,
	  OPTION_SETTING(fdatasync_every),
	  .help = "an fdatasync after every N writes" },
	{ .name = "fd-per-op",
	  .kind = OPTION_FLAG,
	  OPTION_SETTING(fd_per_slot),
	  .help = "open the file once for each operation in flight" },
	{ .name = "verify",
	  .kind = OPTION_FLAG,
	  OPTION_FIELD(struct run_config, verify),
	  .help = "check every block that is read, and read back every block that is written" },
	DEPTH_OPTION,
	{ 0 },
};

/* An imported run may have the pattern "rw"; what another program does not tell is null there. */
static const char *const recorded_patterns[] = { "read",   "write", "randread", "randwrite",
						 "randrw", "rw",    NULL };
static const char *const recorded_caches[] = { "warm", "dropped", "bypassed", NULL };

static const struct parameter_row file_parameter_rows[] = {
	{ "rw", "string?", .words = recorded_patterns },
	{ "bs_bytes", "count?", .option = "bs", .moved_by_op = true },
	{ "blocks", "string", .may_be_missing = true }, /* of an import: sizes that are not one */
	{ "size_bytes", "count?", .option = "size" },
	{ "direct", "boolean?" },
	{ "cache", "string?", .words = recorded_caches },
	{ "cache_resident_pct", "amount?", .may_be_missing = true },
	{ "cache_resident_end_pct", "amount?", .may_be_missing = true },
	{ "read_pct", "count?", .option = "rwmixread" },
	{ "fsync_every", "count?", .option = "fsync" },
	{ "fdatasync_every", "count?", .option = "fdatasync" },
	{ "fd_per_op", "boolean?" },
	{ "path", "string", .may_be_missing = true },
	{ 0 },
};

static const char *path_of(const struct workload_settings *s)
{
	return s->path ? s->path : s->default_path;
}

static struct file_workload *file_of(struct workload *workload)
{
	return (struct file_workload *)workload;
}

static bool reads(const struct workload_settings *s)
{
	return s->rw == RW_READ || s->rw == RW_RANDREAD || s->rw == RW_RANDRW;
}

static bool writes(const struct workload_settings *s)
{
	return s->rw == RW_WRITE || s->rw == RW_RANDWRITE || s->rw == RW_RANDRW;
}

static int file_settle(struct run_config *config, const struct typed_options *typed,
		       struct reason *why)
{
	struct workload_settings *s = config->settings;
	data_file_default_path(s->default_path, sizeof s->default_path);
	if (s->direct)
		s->cache = CACHE_BYPASSED;
	uint64_t size_bytes = s->size_bytes;
	s->size_bytes -= size_bytes % s->bs_bytes;
	if (option_typed(typed, "rwmixread") && s->rw != RW_RANDRW)
		reason_say(why, "--rwmixread has no effect here: only --rw randrw mixes reads and "
				"writes");
	else if (s->bs_bytes % 512)
		reason_say(why, "--bs %u: must be a multiple of 512", s->bs_bytes);
	else if (s->size_bytes == 0)
		reason_say(why, "--size %llu: smaller than one block (--bs %u)",
			   (unsigned long long)size_bytes, s->bs_bytes);
	else if (config->verify && s->size_bytes / s->bs_bytes < 2 * (uint64_t)config->depth)
		reason_say(why,
			   "--verify: needs a file of twice as many blocks as --depth %u; use a "
			   "larger --size",
			   config->depth);
	else if ((s->fsync_every || s->fdatasync_every) && !writes(s))
		reason_say(why, "--fsync, --fdatasync: this --rw writes nothing");
	else if (s->fsync_every && s->fdatasync_every)
		reason_say(why, "--fsync and --fdatasync exclude each other");
	else
		return 0;
	return -EINVAL;
}

static const char *file_ignores(const struct run_config *config, const char *option)
{
	if (strcmp(option, "cache") == 0 && config->settings->direct)
		return "--direct 1 goes past the page cache; leave one of them out";
	return NULL;
}

/*
 * What is in flight. A sync has to wait for all that was written to the page cache since the one before
 * it as well.
 */
static uint64_t device_bytes(const struct run_config *config)
{
	const struct workload_settings *s = config->settings;
	uint64_t every = s->fsync_every ? s->fsync_every : s->fdatasync_every;
	uint64_t cached = s->direct ? 0 : every * s->bs_bytes;
	return (uint64_t)config->depth * s->bs_bytes +
	       (cached < s->size_bytes ? cached : s->size_bytes);
}

/* For laying the file out, reading it into the page cache, --verify, and the end of it, on a slow disk. */
static double file_spare_s(const struct run_config *config)
{
	const double bytes_per_s = 1e6;
	unsigned passes = config->verify ? 2 : 1;
	double passed_bytes = passes * (double)config->settings->size_bytes;
	return (passed_bytes + (double)device_bytes(config)) / bytes_per_s;
}

static const char *file_path(const struct run_config *config)
{
	return path_of(config->settings);
}

static void file_needs(const struct run_config *config, struct workload_needs *needs)
{
	const struct workload_settings *s = config->settings;
	if (reads(s))
		workload_need(needs, IO_READ, IO_FD_FILE);
	if (writes(s))
		workload_need(needs, IO_WRITE, IO_FD_FILE);
	if (s->fsync_every)
		workload_need(needs, IO_FSYNC, IO_FD_FILE);
	else if (s->fdatasync_every)
		workload_need(needs, IO_FDATASYNC, IO_FD_FILE);
	if (config->verify)
		workload_refuse(needs, IO_MOVES_NO_BYTES, "cannot_be_verified",
				"an engine that moves no bytes cannot pass --verify");
}

static int open_data_file(const struct workload_settings *s, struct reason *why)
{
	int flags = (writes(s) ? O_RDWR : O_RDONLY) | data_file_open_flags(path_of(s));
	int fd = open(path_of(s), flags | (s->direct ? O_DIRECT : 0));
	if (fd >= 0)
		return fd;
	if (errno == EINVAL && s->direct)
		return reason_errno(why, "direct_refused", errno,
				    "the file system of {path} refuses O_DIRECT; use --direct 0, "
				    "or --file on another",
				    reason_string("path", path_of(s)));
	return reason_errno(why, "file_not_opened", errno, "opening {path}",
			    reason_string("path", path_of(s)));
}

/* One real read tells whether the block size suits O_DIRECT here, whatever the rule may be. */
static int try_block_size(const struct workload_settings *s, int fd, void *buffer,
			  struct reason *why)
{
	if (data_file_pread(fd, buffer, s->bs_bytes, 0) >= 0)
		return 0;
	if (errno == EINVAL && s->direct)
		return reason_errno(why, "block_size_refused", errno,
				    "--bs {bs_bytes} is not aligned for O_DIRECT on this device; "
				    "multiples of 4096 always are",
				    reason_int("bs_bytes", s->bs_bytes));
	return reason_errno(why, "file_not_read", errno, "reading {path}",
			    reason_string("path", path_of(s)));
}

static int open_for_slots(struct file_workload *w, struct reason *why)
{
	const struct workload_settings *s = w->settings;
	unsigned count = s->fd_per_slot ? w->base.depth : 1;
	w->base.fds = calloc(count, sizeof *w->base.fds);
	if (!w->base.fds)
		return reason_no_memory(why, "descriptors");
	int rc = s->fd_per_slot ? workload_raise_fd_limit("--fd-per-op: --depth", count, count, why)
				: 0;
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < count; i++) {
		int fd = open_data_file(s, why);
		if (fd < 0)
			return fd;
		w->base.fds[w->base.fd_count++] = (struct workload_fd) { fd, IO_FD_FILE };
	}
	return 0;
}

/*
 * Tells the kernel the pattern. Only once the page cache is as it should be: read in after
 * FADV_RANDOM it would consist of single pages, and every later read would be a third slower.
 */
static void advise(struct file_workload *w)
{
	bool sequential = w->settings->rw == RW_READ || w->settings->rw == RW_WRITE;
	for (unsigned i = 0; i < w->base.fd_count; i++)
		posix_fadvise(w->base.fds[i].fd, 0, 0,
			      sequential ? POSIX_FADV_SEQUENTIAL : POSIX_FADV_RANDOM);
}

static int allocate_blocks(struct file_workload *w, struct reason *why)
{
	unsigned depth = w->base.depth;
	int rc = workload_arena_alloc(&w->base, depth, w->settings->bs_bytes, why);
	if (rc < 0)
		return rc;
	w->buffers = w->base.arena;
	w->buffer_stride_bytes = w->base.arena_len_bytes / depth;
	w->ops = aligned_alloc(64, depth * sizeof *w->ops);
	w->idle = malloc(depth * sizeof(struct io_op *));
	w->unfinished = malloc(depth * sizeof(struct io_op *));
	if (!w->ops || !w->idle || !w->unfinished)
		return reason_no_memory(why, "the file workload");
	w->check.fd = w->base.fds[0].fd;
	rc = w->verify ? block_check_open(&w->check, w->block_count, w->settings->bs_bytes, why)
		       : 0;
	if (rc < 0)
		return rc;
	w->base.first_op = w->ops;
	w->base.op_stride_bytes = sizeof *w->ops;

	memset(w->ops, 0, depth * sizeof *w->ops);
	for (unsigned slot = depth; slot-- > 0;) {
		struct io_op *op = &w->ops[slot];
		op->slot = slot;
		op->fd_slot = w->settings->fd_per_slot ? slot : 0;
		op->fd = w->base.fds[op->fd_slot].fd;
		w->idle[w->idle_count++] = op; /* slot 0 ends on top */
		block_fill(w->buffers + slot * w->buffer_stride_bytes, w->settings->bs_bytes, 0,
			   slot);
	}
	return 0;
}

static void file_close(struct workload *workload)
{
	struct file_workload *w = file_of(workload);
	for (unsigned i = 0; i < w->base.fd_count; i++)
		close(w->base.fds[i].fd);
	if (w->base.arena)
		munmap(w->base.arena, w->base.arena_len_bytes);
	free(w->base.fds);
	free(w->ops);
	free(w->idle);
	free(w->unfinished);
	block_check_close(&w->check);
	free(w);
}

static int file_open(struct workload **workload, const struct run_config *config,
		     struct reason *why)
{
	const struct workload_settings *s = config->settings;
	struct file_workload *w = calloc(1, sizeof *w);
	if (!w)
		return reason_no_memory(why, "the file workload");
	w->base.ops = config->workload;
	w->base.depth = config->depth;
	w->base.device_bytes = device_bytes(config);
	w->op_limit = config->op_limit;
	w->verify = config->verify;
	w->settings = s;
	w->random.state = config->seed;
	w->block_count = s->size_bytes / s->bs_bytes;
	w->sync_every = s->fsync_every ? s->fsync_every : s->fdatasync_every;
	w->sync_kind = s->fsync_every ? IO_FSYNC : IO_FDATASYNC;

	int rc = data_file_prepare(path_of(s), s->size_bytes, s->bs_bytes, writes(s),
				   config->verify, why);
	if (rc == 0)
		rc = open_for_slots(w, why);
	if (rc == 0)
		rc = data_file_lock(w->base.fds[0].fd, path_of(s), writes(s), why);
	if (rc == 0)
		rc = allocate_blocks(w, why);
	if (rc == 0)
		rc = try_block_size(s, w->base.fds[0].fd, w->buffers, why);
	if (rc == 0)
		rc = data_file_set_cache(w->base.fds[0].fd, s->size_bytes, s->cache,
					 &w->resident_pct, why);
	if (rc < 0) {
		file_close(&w->base);
		return rc;
	}
	advise(w);
	*workload = &w->base;
	return 0;
}

/*
 * A cache that was dropped before the warm-up would have been filled again by it, so it is dropped
 * when the window opens. What the window itself reads stays, and is told in the result.
 */
static void file_window(struct workload *workload, bool open)
{
	struct file_workload *w = file_of(workload);
	int fd = w->base.fds[0].fd;
	if (w->settings->cache != CACHE_DROPPED)
		return;
	if (open) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		w->resident_pct = data_file_resident_pct(fd, w->settings->size_bytes);
	} else {
		w->resident_end_pct = data_file_resident_pct(fd, w->settings->size_bytes);
	}
}

/* Which block comes next? With --verify never one that is already in flight. */
static uint64_t choose_block(struct file_workload *w)
{
	bool sequential = w->settings->rw == RW_READ || w->settings->rw == RW_WRITE;
	uint64_t block = sequential ? w->next_block : random_below(&w->random, w->block_count);
	if (w->verify)
		block = block_check_take(&w->check, block);
	if (sequential)
		w->next_block = block + 1 < w->block_count ? block + 1 : 0;
	return block;
}

static bool choose_write(struct file_workload *w)
{
	if (w->settings->rw == RW_RANDRW)
		return random_below(&w->random, 100) >= w->settings->read_pct;
	return writes(w->settings);
}

static void prepare_transfer(struct file_workload *w, struct io_op *op)
{
	bool is_write = choose_write(w);
	uint64_t block = choose_block(w);
	op->kind = is_write ? IO_WRITE : IO_READ;
	op->continues = 0;
	op->buf = w->buffers + op->slot * w->buffer_stride_bytes;
	op->len_bytes = w->settings->bs_bytes;
	op->offset = block * w->settings->bs_bytes;
	w->writes_since_sync += is_write;
	if (w->verify) {
		int rc = block_check_begin(&w->check, op, w->check_rc ? NULL : &w->base.failure);
		w->check_rc = w->check_rc ? w->check_rc : rc;
	} else if (is_write) {
		*(uint64_t *)op->buf = block_mark(op->offset); /* the rest is old noise */
	}
}

static void prepare_sync(struct file_workload *w, struct io_op *op)
{
	op->kind = (uint8_t)w->sync_kind;
	op->continues = 0;
	op->buf = NULL;
	op->len_bytes = 0;
	op->offset = 0;
	w->writes_since_sync = 0;
}

static unsigned file_fill(struct workload *workload, struct io_op **ops, unsigned max)
{
	struct file_workload *w = file_of(workload);
	uint64_t limit = w->op_limit;
	unsigned n = 0;

	while (n < max && w->unfinished_count > 0)
		ops[n++] = w->unfinished[--w->unfinished_count];
	if (w->base.stopping)
		return n;
	while (n < max && w->idle_count > 0) {
		bool sync_due = w->sync_every && w->writes_since_sync >= w->sync_every;
		if (!sync_due && limit && w->base.begun == limit) {
			w->base.exhausted = true;
			break;
		}
		if (!sync_due && w->base.begun == w->base.due)
			break;
		struct io_op *op = w->idle[--w->idle_count];
		if (sync_due) {
			prepare_sync(w, op);
		} else {
			prepare_transfer(w, op);
			workload_begin(&w->base, &op, 1);
		}
		ops[n++] = op;
	}
	return n;
}

static int describe_failure(struct file_workload *w, const struct io_op *op)
{
	static const char *const verbs[IO_KIND_COUNT] = { [IO_READ] = "read",
							  [IO_WRITE] = "write",
							  [IO_FSYNC] = "fsync",
							  [IO_FDATASYNC] = "fdatasync" };
	if (op->result < 0)
		return reason_errno(&w->base.failure, "operation_failed", (int)op->result,
				    "{operation} at {place} {position}",
				    reason_string("operation", verbs[op->kind]),
				    reason_string("place", "offset"),
				    reason_int("position", (int64_t)op->offset));
	reason_set(&w->base.failure, "moved_nothing",
		   "{operation} at offset {offset} moved nothing: was {path} truncated during the "
		   "run?",
		   reason_string("operation", verbs[op->kind]),
		   reason_int("offset", (int64_t)op->offset),
		   reason_string("path", path_of(w->settings)));
	return -EIO;
}

static int file_complete(struct workload *workload, struct io_op *const *ops, unsigned count,
			 uint64_t now_ns)
{
	struct file_workload *w = file_of(workload);
	struct tally *tally = &w->base.tally;
	int rc = 0;

	for (unsigned i = 0; i < count; i++) {
		struct io_op *op = ops[i];
		if (op->result < 0 || (op->result == 0 && op->len_bytes > 0)) {
			rc = describe_failure(w, op);
			w->idle[w->idle_count++] = op;
			continue;
		}
		if (op->result < op->len_bytes) {
			op->buf = (char *)op->buf + op->result;
			op->offset += (uint64_t)op->result;
			op->len_bytes -= (uint32_t)op->result;
			op->continues = 1;
			tally->short_transfers++;
			tally->bytes += (uint64_t)op->result;
			w->unfinished[w->unfinished_count++] = op;
			w->base.exhausted = false;
			continue;
		}
		w->idle[w->idle_count++] = op;
		if (op->len_bytes == 0) {
			tally->syncs++;
			histogram_record(&tally->sync_latency, now_ns - op->submit_ns, 1);
			continue;
		}
		tally->ops++;
		tally->writes += op->kind == IO_WRITE;
		tally->bytes += (uint64_t)op->result;
		workload_record(&w->base, &op, 1, now_ns);
		if (w->verify && rc == 0)
			rc = block_check_end(&w->check, op,
					     w->buffers + op->slot * w->buffer_stride_bytes,
					     &w->base.failure);
	}
	return rc ? rc : w->check_rc;
}

static int file_check(struct workload *workload)
{
	struct file_workload *w = file_of(workload);
	int fd = w->base.fds[0].fd;
	struct stat status;
	w->deleted = fstat(fd, &status) == 0 && status.st_nlink == 0;
	w->base.tally.reads = w->base.tally.ops - w->base.tally.writes;
	if (!w->verify)
		return data_file_check(fd, path_of(w->settings), w->settings->size_bytes,
				       &w->base.failure);

	double resident_pct;
	int rc = data_file_set_cache(fd, w->settings->size_bytes, CACHE_DROPPED, &resident_pct,
				     &w->base.failure);
	return rc < 0 ? rc : block_check_all(&w->check, &w->base.failure);
}

static void file_parameters(const struct run_config *config, json_t *parameters)
{
	const struct workload_settings *s = config->settings;
	put_string(parameters, "rw", rw_names[s->rw]);
	put_int(parameters, "bs_bytes", s->bs_bytes);
	put_int(parameters, "size_bytes", (int64_t)s->size_bytes);
	put_bool(parameters, "direct", s->direct);
	put_string(parameters, "cache",
		   s->cache == CACHE_BYPASSED ? "bypassed" : cache_names[s->cache]);
	put_new(parameters, "read_pct", s->rw == RW_RANDRW ? json_integer(s->read_pct) : NULL);
	put_int(parameters, "fsync_every", s->fsync_every);
	put_int(parameters, "fdatasync_every", s->fdatasync_every);
	put_bool(parameters, "fd_per_op", s->fd_per_slot);
	put_string(parameters, "path", path_of(s));
}

static void file_panel_values(const json_t *parameters, json_t *values)
{
	static const char *const names[] = { "rw",	  "read_pct",	 "bs_bytes",
					     "blocks",	  "size_bytes",	 "direct",
					     "cache",	  "fsync_every", "fdatasync_every",
					     "fd_per_op", NULL };
	panel_keep(values, parameters, names);
}

/* "4k", "512B"; what an import knows of blocks of several sizes, or of unknown ones. */
static void panel_blocks(const json_t *values, char *text, size_t size)
{
	unsigned bs_bytes = (unsigned)whole_number(number_at(values, "bs_bytes"), 0, UINT32_MAX);
	if (json_object_get(values, "blocks"))
		snprintf(text, size, "blocks %s", string_at(values, "blocks"));
	else if (bs_bytes == 0)
		snprintf(text, size, "blocks of unknown size");
	else if (bs_bytes % 1024 == 0)
		snprintf(text, size, "%uk", bs_bytes / 1024);
	else
		snprintf(text, size, "%uB", bs_bytes);
}

static const char *panel_cache(const json_t *values)
{
	const char *cache = string_at(values, "cache");
	return strcmp(cache, "bypassed") == 0  ? "O_DIRECT"
	       : strcmp(cache, "dropped") == 0 ? "page cache dropped"
	       : strcmp(cache, "warm") == 0    ? "page cache"
					       : "page cache as found";
}

static json_t *file_panel_text(const json_t *values)
{
	const char *rw = string_at(values, "rw");
	double size_bytes = number_at(values, "size_bytes");
	double fsync_every = number_at(values, "fsync_every");
	double fdatasync_every = number_at(values, "fdatasync_every");
	char blocks[120], size[SIZE_TEXT_BYTES], mix[32] = "", sync[48] = "";
	if (!*rw && !json_is_boolean(json_object_get(values, "direct")))
		return json_string("file, workload unknown");
	panel_blocks(values, blocks, sizeof blocks);
	if (json_is_number(json_object_get(values, "read_pct")))
		snprintf(mix, sizeof mix, " %.0f%% reads", number_at(values, "read_pct"));
	if (fsync_every > 0)
		snprintf(sync, sizeof sync, " fsync every %.0f", fsync_every);
	else if (fdatasync_every > 0)
		snprintf(sync, sizeof sync, " fdatasync every %.0f", fdatasync_every);
	bool fd_per_op = json_is_true(json_object_get(values, "fd_per_op"));
	return json_sprintf(
		"file %s%s %s %s%s%s%s%s", *rw ? rw : "pattern unknown", mix, blocks,
		panel_cache(values), sync, fd_per_op ? " fd per operation" : "",
		size_bytes > 0 ? ", " : "",
		size_bytes > 0 ? size_brief((uint64_t)whole_number(size_bytes, 0, INT64_MAX), size)
			       : "");
}

/* "after every write", "after every 10 writes" */
static void add_sync_words(const json_t *parameters, const char *key, const char *sync, char *text,
			   size_t size)
{
	size_t used = strlen(text);
	json_int_t every = (json_int_t)number_at(parameters, key);
	if (every == 1)
		snprintf(text + used, size - used, ", %s after every write", sync);
	else if (every > 1)
		snprintf(text + used, size - used, ", %s after every %lld writes", sync,
			 (long long)every);
}

static const char *phrase_of(const json_t *parameters, const char *key,
			     const char *const (*phrases)[2])
{
	const char *word = string_at(parameters, key);
	for (unsigned i = 0; phrases[i][0]; i++)
		if (strcmp(phrases[i][0], word) == 0)
			return phrases[i][1];
	return NULL;
}

static json_t *file_words(const json_t *parameters)
{
	static const char *const accesses[][2] = { { "read", "reads in order" },
						   { "write", "writes in order" },
						   { "randread", "random reads" },
						   { "randwrite", "random writes" },
						   { "randrw", "random reads and writes" },
						   { "rw", "reads and writes in order" },
						   { NULL, NULL } };
	static const char *const caches[][2] = { { "bypassed", ", past the page cache (O_DIRECT)" },
						 { "warm", ", through a warm page cache" },
						 { "dropped", ", through a cold page cache" },
						 { NULL, NULL } };
	const char *access = phrase_of(parameters, "rw", accesses);
	const char *cache = phrase_of(parameters, "cache", caches);
	char block[SIZE_TEXT_BYTES], file[SIZE_TEXT_BYTES], mix[40] = "", size[60] = "",
							    syncs[120] = "";
	if (!access)
		return NULL;
	if (json_is_number(json_object_get(parameters, "read_pct")))
		snprintf(mix, sizeof mix, " (%.0f %% reads)", number_at(parameters, "read_pct"));
	if (number_at(parameters, "size_bytes") > 0)
		snprintf(size, sizeof size, " in a file of %s",
			 size_words(number_at(parameters, "size_bytes"), file));
	add_sync_words(parameters, "fsync_every", "fsync", syncs, sizeof syncs);
	add_sync_words(parameters, "fdatasync_every", "fdatasync", syncs, sizeof syncs);
	return json_sprintf("%s of %s%s%s%s%s", access,
			    size_words(number_at(parameters, "bs_bytes"), block), mix, size,
			    cache ? cache : "", syncs);
}

/* The value of a remark on the page cache. */
static json_t *resident_pct(double pct)
{
	json_t *values = required(json_object());
	put_real(values, "resident_pct", pct);
	return values;
}

static void file_describe(struct workload *workload, json_t *parameters, json_t *metrics,
			  json_t *warnings)
{
	struct file_workload *w = file_of(workload);
	enum cache_state cache = w->settings->cache;

	json_object_set_new(parameters, "cache_resident_pct",
			    w->resident_pct < 0 ? json_null() : json_real(w->resident_pct));
	if (w->verify) {
		put_int(metrics, "verified_blocks", (int64_t)w->check.compared_blocks);
		put_real(metrics, "verified_pct",
			 workload_proven_pct(w->check.proven_ops, w->check.finished_ops));
	}
	if (w->deleted)
		remark_add(warnings, "test_file_deleted", NULL,
			   "the test file was deleted during the run; the figures are those of the "
			   "deleted file");
	if (cache == CACHE_WARM && w->resident_pct >= 0 && w->resident_pct < 99)
		remark_add(warnings, "cache_incomplete", resident_pct(w->resident_pct),
			   "only {resident_pct} % of the file was in the page cache when the run "
			   "began; is there memory enough for --size?");
	if (cache == CACHE_DROPPED)
		json_object_set_new(parameters, "cache_resident_end_pct",
				    w->resident_end_pct < 0 ? json_null()
							    : json_real(w->resident_end_pct));
	if (cache == CACHE_DROPPED && w->resident_pct > 5)
		remark_add(warnings, "cache_not_dropped", resident_pct(w->resident_pct),
			   "{resident_pct} % of the file stayed in the page cache");
	if (cache == CACHE_DROPPED && w->resident_end_pct > 50)
		remark_add(warnings, "cache_refilled", resident_pct(w->resident_end_pct),
			   "the window read {resident_pct} % of the file in, and later reads came "
			   "from the page cache; a larger --size or a shorter --runtime shows the "
			   "device");
	if (cache == CACHE_BYPASSED && w->resident_pct > 50)
		remark_add(warnings, "nothing_to_bypass", NULL,
			   "this file system keeps its files in memory: there is nothing for "
			   "O_DIRECT to bypass");
}

/* The disk itself, and the page cache. */
static const struct standard_row file_rows[] = {
	{ { "--direct", "1" }, { "--size", "128M" }, "1,16,64" },
	{ { "--direct", "0" }, { "--size", "128M" }, "1,16" },
	{ .swept = NULL },
};

static const struct workload_ops file_workload = {
	.name = "file",
	.summary = "blocks of one file, in order or at random, O_DIRECT or through the page cache",
	.place = 1,
	.op_name = "block",
	.options = file_options,
	.settings_bytes = sizeof(struct workload_settings),
	.axis = &axis_depth,
	.swept = "1,16,64",
	.standard = file_rows,
	.settle = file_settle,
	.ignores = file_ignores,
	.spare_s = file_spare_s,
	.path = file_path,
	.needs = file_needs,
	.open = file_open,
	.fill = file_fill,
	.complete = file_complete,
	.window = file_window,
	.check = file_check,
	.examine = examine_file,
	.parameter_rows = file_parameter_rows,
	.parameters = file_parameters,
	.panel_values = file_panel_values,
	.panel_text = file_panel_text,
	.words = file_words,
	.describe = file_describe,
	.close = file_close,
};
WORKLOAD(file_workload);
