/* SPDX-License-Identifier: MIT */
/*
 * The file that the file workload reads and writes: laid out with real data, in a known cache
 * state.
 */
#ifndef IOLAB_DATA_FILE_H
#define IOLAB_DATA_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reason.h"

/*
 * State of the page cache when the window opens. CACHE_BYPASSED goes with O_DIRECT and only with
 * it.
 */
enum cache_state { CACHE_WARM, CACHE_DROPPED, CACHE_BYPASSED };

/* Where it lies when nobody names another place: in $TMPDIR or /var/tmp, one for each user. */
void data_file_default_path(char *path, size_t size);

/*
 * What open(2) of `path` needs beside the way of access. At the default place anybody may have put
 * something, so no link is followed there.
 */
int data_file_open_flags(const char *path);

/*
 * Makes sure that `path` holds at least `size_bytes` of written data (no holes, no unwritten
 * extents). A file of iolab's own that fits is kept as it is, unless `fresh` asks for generation 0
 * in every block of `bs_bytes`. A person's file or a block device is good for reading only: with
 * `will_write` or `fresh` it is refused. A file of a file system that keeps no data, as /proc, is
 * refused before anything is opened for writing, and at the default place what belongs to somebody
 * else. Blocks until the data is on the device.
 */
int data_file_prepare(const char *path, uint64_t size_bytes, uint32_t bs_bytes, bool will_write,
		      bool fresh, struct reason *why);

/*
 * Brings the first `size_bytes` of `fd` into the wanted cache state, always by the same steps:
 * write back, drop, and for CACHE_WARM read once from front to back (how a cache was filled changes
 * later results by tens of percent). Stores the share that is resident afterwards. Returns 0, or
 * -errno with `why`; -EINTR when the run was interrupted meanwhile.
 */
int data_file_set_cache(int fd, uint64_t size_bytes, enum cache_state cache, double *resident_pct,
			struct reason *why);

/*
 * Locks the file for as long as `fd` stays open: shared by runs that only read, exclusive for one
 * that writes. Returns 0 (also where the file system has no locks), or -EBUSY with `why`.
 */
int data_file_lock(int fd, const char *path, bool exclusive, struct reason *why);

/*
 * After a run: does `fd` still hold `size_bytes` without a hole? Returns 0, or -EIO with a `why` that
 * names `path`: then the run measured something else than was asked for.
 */
int data_file_check(int fd, const char *path, uint64_t size_bytes, struct reason *why);

/* How much of the first `size_bytes` is in the page cache, in percent; -1 where nobody may ask. */
double data_file_resident_pct(int fd, uint64_t size_bytes);

/* pread(2) that no signal interrupts, for reading outside of the measured window. */
ssize_t data_file_pread(int fd, void *buffer, size_t len_bytes, uint64_t offset);

#endif
