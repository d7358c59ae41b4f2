/* SPDX-License-Identifier: MIT */
/*
 * file: blocks of one file, read or written in order or at random.
 *
 * The sequence of operations follows from the seed alone. With --verify every block that is read is
 * compared with what was last written there, and after the run the whole file is read back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "random.h"
#include "base/interrupt.h"
#include "workloads/block_pattern.h"
#include "workloads/data_file.h"
#include "workloads/workload.h"

struct file_workload {
	struct workload base; /* first: the harness sees only this */
	const struct run_config *config;

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

	/* --verify only */
	uint32_t *generation; /* [block]: how often it has been written */
	uint8_t *busy; /* [block]: an operation on it is in flight */
	uint64_t verified_blocks;

	double resident_pct; /* in the page cache when the window opened, and when it closed */
	double resident_end_pct;
	bool deleted; /* the file's name went away during the run */
};

static const char *const rw_names[RW_COUNT] = {
	[RW_READ] = "read",	      [RW_WRITE] = "write",   [RW_RANDREAD] = "randread",
	[RW_RANDWRITE] = "randwrite", [RW_RANDRW] = "randrw",
};

static struct file_workload *file_of(struct workload *workload)
{
	return (struct file_workload *)workload;
}

static bool reads(const struct run_config *config)
{
	return config->rw == RW_READ || config->rw == RW_RANDREAD || config->rw == RW_RANDRW;
}

static bool writes(const struct run_config *config)
{
	return config->rw == RW_WRITE || config->rw == RW_RANDWRITE || config->rw == RW_RANDRW;
}

static unsigned file_needs(const struct run_config *config,
			   struct io_pair pairs[WORKLOAD_PAIRS_MAX], unsigned *refused_traits,
			   const char **refusal)
{
	unsigned n = 0;
	if (reads(config))
		pairs[n++] = (struct io_pair) { IO_READ, IO_FD_FILE };
	if (writes(config))
		pairs[n++] = (struct io_pair) { IO_WRITE, IO_FD_FILE };
	if (config->fsync_every)
		pairs[n++] = (struct io_pair) { IO_FSYNC, IO_FD_FILE };
	else if (config->fdatasync_every)
		pairs[n++] = (struct io_pair) { IO_FDATASYNC, IO_FD_FILE };
	if (config->verify) {
		*refused_traits = IO_MOVES_NO_BYTES;
		*refusal = "an engine that moves no bytes cannot pass --verify";
	}
	return n;
}

static int open_test_file(const struct run_config *config, struct reason *why)
{
	int flags = (writes(config) ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	int fd = open(config->file, flags | (config->direct ? O_DIRECT : 0));
	if (fd >= 0)
		return fd;
	if (errno == EINVAL && config->direct)
		return reason_errno(
			why, errno,
			"the file system of %s refuses O_DIRECT; use --direct 0, or --file "
			"on another",
			config->file);
	return reason_errno(why, errno, "--file %s", config->file);
}

/* One real read tells whether the block size suits O_DIRECT here, whatever the rule may be. */
static int try_block_size(const struct run_config *config, int fd, void *buffer, struct reason *why)
{
	if (test_file_pread(fd, buffer, config->bs_bytes, 0) >= 0)
		return 0;
	if (errno == EINVAL && config->direct)
		return reason_errno(
			why, errno,
			"--bs %u is not aligned for O_DIRECT on this device; multiples of "
			"4096 always are",
			config->bs_bytes);
	return reason_errno(why, errno, "reading %s", config->file);
}

static int open_descriptors(struct file_workload *w, struct reason *why)
{
	const struct run_config *config = w->config;
	unsigned count = config->fd_per_slot ? w->base.depth : 1;
	w->base.fds = calloc(count, sizeof *w->base.fds);
	if (!w->base.fds)
		return reason_errno(why, ENOMEM, "%u descriptors", count);
	int rc = config->fd_per_slot
			 ? workload_raise_fd_limit("--depth with --fd-per-op", count, why)
			 : 0;
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < count; i++) {
		int fd = open_test_file(config, why);
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
	bool sequential = w->config->rw == RW_READ || w->config->rw == RW_WRITE;
	for (unsigned i = 0; i < w->base.fd_count; i++)
		posix_fadvise(w->base.fds[i].fd, 0, 0,
			      sequential ? POSIX_FADV_SEQUENTIAL : POSIX_FADV_RANDOM);
}

static int allocate(struct file_workload *w, struct reason *why)
{
	unsigned depth = w->base.depth;
	int rc = workload_arena_alloc(&w->base, depth, w->config->bs_bytes, why);
	if (rc < 0)
		return rc;
	w->buffers = w->base.arena;
	w->buffer_stride_bytes = w->base.arena_len_bytes / depth;
	w->ops = aligned_alloc(64, depth * sizeof *w->ops);
	w->idle = malloc(depth * sizeof(struct io_op *));
	w->unfinished = malloc(depth * sizeof(struct io_op *));
	if (w->config->verify) {
		w->generation = calloc(w->block_count, sizeof *w->generation);
		w->busy = calloc(w->block_count, sizeof *w->busy);
	}
	if (!w->ops || !w->idle || !w->unfinished ||
	    (w->config->verify && (!w->generation || !w->busy)))
		return reason_errno(why, ENOMEM, "file workload, depth %u", depth);

	memset(w->ops, 0, depth * sizeof *w->ops);
	for (unsigned slot = depth; slot-- > 0;) {
		struct io_op *op = &w->ops[slot];
		op->slot = slot;
		op->fd_slot = w->config->fd_per_slot ? slot : 0;
		op->fd = w->base.fds[op->fd_slot].fd;
		w->idle[w->idle_count++] = op; /* slot 0 ends on top */
		block_fill(w->buffers + slot * w->buffer_stride_bytes, w->config->bs_bytes, 0,
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
	free(w->generation);
	free(w->busy);
	free(w);
}

static int file_open(struct workload **workload, const struct run_config *config,
		     struct reason *why)
{
	struct file_workload *w = calloc(1, sizeof *w);
	if (!w)
		return reason_errno(why, ENOMEM, "file workload");
	w->base.ops = &workload_file;
	w->base.depth = config->depth;
	w->config = config;
	w->random.state = config->seed;
	w->block_count = config->size_bytes / config->bs_bytes;
	w->sync_every = config->fsync_every ? config->fsync_every : config->fdatasync_every;
	w->sync_kind = config->fsync_every ? IO_FSYNC : IO_FDATASYNC;

	int rc = test_file_prepare(config->file, config->size_bytes, config->bs_bytes,
				   writes(config), config->verify, why);
	if (rc == 0)
		rc = open_descriptors(w, why);
	if (rc == 0)
		rc = test_file_lock(w->base.fds[0].fd, config->file, writes(config), why);
	if (rc == 0)
		rc = allocate(w, why);
	if (rc == 0)
		rc = try_block_size(config, w->base.fds[0].fd, w->buffers, why);
	if (rc == 0)
		rc = test_file_set_cache(w->base.fds[0].fd, config->size_bytes, config->cache,
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
	if (w->config->cache != CACHE_DROPPED)
		return;
	if (open) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		w->resident_pct = test_file_resident_pct(fd, w->config->size_bytes);
	} else {
		w->resident_end_pct = test_file_resident_pct(fd, w->config->size_bytes);
	}
}

/* Which block comes next? With --verify never one that is already in flight. */
static uint64_t choose_block(struct file_workload *w)
{
	bool sequential = w->config->rw == RW_READ || w->config->rw == RW_WRITE;
	uint64_t block = sequential ? w->next_block : random_below(&w->random, w->block_count);
	if (w->busy) {
		while (w->busy[block])
			block = block + 1 < w->block_count ? block + 1 : 0;
		w->busy[block] = 1;
	}
	if (sequential)
		w->next_block = block + 1 < w->block_count ? block + 1 : 0;
	return block;
}

static bool choose_write(struct file_workload *w)
{
	if (w->config->rw == RW_RANDRW)
		return random_below(&w->random, 100) >= w->config->read_pct;
	return writes(w->config);
}

static void prepare_transfer(struct file_workload *w, struct io_op *op)
{
	bool is_write = choose_write(w);
	uint64_t block = choose_block(w);
	op->kind = is_write ? IO_WRITE : IO_READ;
	op->continues = 0;
	op->buf = w->buffers + op->slot * w->buffer_stride_bytes;
	op->len_bytes = w->config->bs_bytes;
	op->offset = block * w->config->bs_bytes;
	if (!is_write)
		return;
	w->writes_since_sync++;
	if (w->generation)
		block_fill(op->buf, op->len_bytes, op->offset, w->generation[block] + 1);
	else
		*(uint64_t *)op->buf = block_mark(op->offset); /* the rest is old noise */
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
	uint64_t limit = w->config->op_limit;
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

/* Compares a finished read with what should be there, or notes what a finished write put there. */
static int verify_block(struct file_workload *w, const struct io_op *op)
{
	uint32_t bs_bytes = w->config->bs_bytes;
	char *buffer = w->buffers + op->slot * w->buffer_stride_bytes;
	uint64_t offset = op->offset + op->len_bytes - bs_bytes; /* of the block's first byte */
	uint64_t block = offset / bs_bytes;
	w->busy[block] = 0;
	if (op->kind == IO_WRITE) {
		w->generation[block]++;
		return 0;
	}
	int64_t at = block_mismatch(buffer, bs_bytes, offset, w->generation[block]);
	if (at >= 0) {
		reason_set(&w->base.failure,
			   "verify: the block read at offset %llu differs at byte %lld from its "
			   "generation %u",
			   (unsigned long long)offset, (long long)at, w->generation[block]);
		return -EILSEQ;
	}
	w->verified_blocks++;
	return 0;
}

static int describe_failure(struct file_workload *w, const struct io_op *op)
{
	static const char *const verbs[IO_KIND_COUNT] = { [IO_READ] = "read",
							  [IO_WRITE] = "write",
							  [IO_FSYNC] = "fsync",
							  [IO_FDATASYNC] = "fdatasync" };
	if (op->result < 0)
		return reason_errno(&w->base.failure, (int)op->result,
				    "%s of %u bytes at offset %llu", verbs[op->kind], op->len_bytes,
				    (unsigned long long)op->offset);
	reason_set(&w->base.failure,
		   "%s at offset %llu moved nothing: was %s truncated during the run?",
		   verbs[op->kind], (unsigned long long)op->offset, w->config->file);
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
		if (w->generation && verify_block(w, op) < 0)
			rc = -EILSEQ;
	}
	return rc;
}

/* With --verify: everything that was ever written must be in the file, in its last generation. */
static int file_check(struct workload *workload)
{
	struct file_workload *w = file_of(workload);
	struct stat status;
	w->deleted = fstat(w->base.fds[0].fd, &status) == 0 && status.st_nlink == 0;
	w->base.tally.reads = w->base.tally.ops - w->base.tally.writes;
	if (!w->generation)
		return 0;

	int fd = w->base.fds[0].fd;
	double resident_pct;
	int rc = test_file_set_cache(fd, w->config->size_bytes, CACHE_DROPPED, &resident_pct,
				     &w->base.failure);
	for (uint64_t block = 0; rc == 0 && block < w->block_count; block++) {
		if (interrupt_requested()) {
			reason_set(&w->base.failure, "interrupted");
			return -EINTR;
		}
		uint32_t bs_bytes = w->config->bs_bytes;
		uint64_t offset = block * bs_bytes;
		ssize_t n = test_file_pread(fd, w->buffers, bs_bytes, offset);
		if (n != (ssize_t)bs_bytes)
			return reason_errno(&w->base.failure, n < 0 ? errno : EIO,
					    "verify: reading back offset %llu",
					    (unsigned long long)offset);
		int64_t at = block_mismatch(w->buffers, bs_bytes, offset, w->generation[block]);
		if (at < 0) {
			w->verified_blocks++;
			continue;
		}
		reason_set(&w->base.failure,
			   "verify: after the run the block at offset %llu differs at byte %lld "
			   "from its generation %u: a write did not reach the file",
			   (unsigned long long)offset, (long long)at, w->generation[block]);
		rc = -EILSEQ;
	}
	return rc;
}

/* All parameters but the depth: what goes into one plot together. */
static json_t *panel(const struct run_config *config)
{
	static const char *const cache_words[] = {
		[CACHE_WARM] = "page cache",
		[CACHE_DROPPED] = "page cache dropped",
		[CACHE_BYPASSED] = "O_DIRECT",
	};
	char size[16], mix[16] = "", sync[48] = "";
	if (config->bs_bytes % 1024 == 0)
		snprintf(size, sizeof size, "%uk", config->bs_bytes / 1024);
	else
		snprintf(size, sizeof size, "%uB", config->bs_bytes);
	if (config->rw == RW_RANDRW)
		snprintf(mix, sizeof mix, " %u%% reads", config->read_pct);
	if (config->fsync_every)
		snprintf(sync, sizeof sync, " fsync every %u", config->fsync_every);
	else if (config->fdatasync_every)
		snprintf(sync, sizeof sync, " fdatasync every %u", config->fdatasync_every);
	return json_sprintf("file %s%s %s %s%s%s", rw_names[config->rw], mix, size,
			    cache_words[config->cache], sync,
			    config->fd_per_slot ? " fd per operation" : "");
}

static void file_parameters(const struct run_config *config, json_t *parameters)
{
	static const char *const cache_names[] = {
		[CACHE_WARM] = "warm", [CACHE_DROPPED] = "dropped", [CACHE_BYPASSED] = "bypassed"
	};
	json_object_update_new(
		parameters,
		json_pack("{s:o, s:s, s:i, s:I, s:b, s:s, s:o, s:i, s:i, s:b, s:s}", "panel",
			  panel(config), "rw", rw_names[config->rw], "bs_bytes",
			  (int)config->bs_bytes, "size_bytes", (json_int_t)config->size_bytes,
			  "direct", config->direct, "cache", cache_names[config->cache], "read_pct",
			  config->rw == RW_RANDRW ? json_integer(config->read_pct) : json_null(),
			  "fsync_every", (int)config->fsync_every, "fdatasync_every",
			  (int)config->fdatasync_every, "fd_per_op", config->fd_per_slot, "path",
			  config->file));
}

static void file_describe(struct workload *workload, json_t *parameters, json_t *metrics,
			  json_t *warnings)
{
	struct file_workload *w = file_of(workload);
	enum cache_state cache = w->config->cache;

	json_object_set_new(parameters, "cache_resident_pct",
			    w->resident_pct < 0 ? json_null() : json_real(w->resident_pct));
	if (w->config->verify)
		json_object_set_new(metrics, "verified_blocks",
				    json_integer((json_int_t)w->verified_blocks));
	if (w->deleted)
		json_array_append_new(warnings,
				      json_string("the test file was deleted during the run; the "
						  "figures are those of the deleted file"));
	if (cache == CACHE_WARM && w->resident_pct >= 0 && w->resident_pct < 99)
		json_array_append_new(
			warnings,
			json_string(
				"part of the file was not in the page cache when the run began "
				"(see cache_resident_pct); is there memory enough for --size?"));
	if (cache == CACHE_DROPPED)
		json_object_set_new(parameters, "cache_resident_end_pct",
				    w->resident_end_pct < 0 ? json_null()
							    : json_real(w->resident_end_pct));
	if (cache == CACHE_DROPPED && w->resident_pct > 5)
		json_array_append_new(warnings,
				      json_string("part of the file stayed in the page cache: see "
						  "cache_resident_pct"));
	if (cache == CACHE_DROPPED && w->resident_end_pct > 50)
		json_array_append_new(
			warnings,
			json_string(
				"the window read most of the file in, and later reads came from "
				"the page cache; a larger --size or a shorter --runtime shows the "
				"device"));
	if (cache == CACHE_BYPASSED && w->resident_pct > 50)
		json_array_append_new(
			warnings,
			json_string("this file system keeps its files in memory: there is "
				    "nothing for O_DIRECT to bypass"));
}

const struct workload_ops workload_file = {
	.name = "file",
	.summary = "blocks of one file, in order or at random, O_DIRECT or through the page cache",
	.op_name = "block",
	.needs = file_needs,
	.open = file_open,
	.fill = file_fill,
	.complete = file_complete,
	.window = file_window,
	.check = file_check,
	.parameters = file_parameters,
	.describe = file_describe,
	.close = file_close,
};
