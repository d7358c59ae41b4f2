/* SPDX-License-Identifier: MIT */
#include "workloads/data_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "workloads/block_pattern.h"

#define CHUNK_BYTES (1u << 20)

void data_file_default_path(char *path, size_t size)
{
	const char *folder = getenv("TMPDIR");
	snprintf(path, size, "%s/iolab-%u.test", folder && *folder ? folder : "/var/tmp",
		 (unsigned)getuid());
}

static bool is_default(const char *path)
{
	char usual[PATH_MAX];
	data_file_default_path(usual, sizeof usual);
	return strcmp(path, usual) == 0;
}

int data_file_open_flags(const char *path)
{
	return O_CLOEXEC | (is_default(path) ? O_NOFOLLOW : 0);
}

/* Writes a chunk as a whole. Returns 0, or -errno with a `why` that says how much was there. */
static int write_chunk(int fd, const char *path, const char *chunk, uint64_t length,
		       uint64_t offset, uint64_t size_bytes, struct reason *why)
{
	for (uint64_t at = 0; at < length;) {
		ssize_t n = pwrite(fd, chunk + at, length - at, (off_t)(offset + at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT))
			return reason_errno(
				why, "no_space", errno,
				"laying out {path}, {written_mib} of {size_mib} MiB written; free "
				"some space, or choose --size or --file",
				reason_string("path", path),
				reason_int("written_mib", (int64_t)((offset + at) >> 20)),
				reason_int("size_mib", (int64_t)(size_bytes >> 20)));
		if (n < 0)
			return reason_errno(why, "file_not_laid_out", errno, "laying out {path}",
					    reason_string("path", path));
		at += (uint64_t)n;
	}
	return 0;
}

/* Writes `size_bytes` of generation 0 from the start, and waits until the device has them. */
static int lay_out(int fd, const char *path, uint64_t size_bytes, uint32_t bs_bytes,
		   struct reason *why)
{
	/* A chunk holds whole blocks, so that each can be filled at its own offset. */
	uint64_t chunk_bytes =
		bs_bytes > CHUNK_BYTES ? bs_bytes : CHUNK_BYTES / bs_bytes * bs_bytes;
	char *chunk = malloc(chunk_bytes);
	if (!chunk)
		return reason_no_memory(why, "a piece of the test file");

	int rc = 0;
	if (ftruncate(fd, 0) < 0) /* blocks of an older layout would keep their generation */
		rc = reason_errno(why, "file_not_laid_out", errno, "laying out {path}",
				  reason_string("path", path));
	for (uint64_t offset = 0; rc == 0 && offset < size_bytes;) {
		if (interrupt_requested()) {
			rc = interrupt_reason(why);
			break;
		}
		uint64_t length =
			size_bytes - offset < chunk_bytes ? size_bytes - offset : chunk_bytes;
		for (uint64_t at = 0; at < length; at += bs_bytes)
			block_fill(chunk + at,
				   (uint32_t)(length - at < bs_bytes ? length - at : bs_bytes),
				   offset + at, 0);
		rc = write_chunk(fd, path, chunk, length, offset, size_bytes, why);
		offset += length;
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = reason_errno(why, "file_not_laid_out", errno, "laying out {path}",
				  reason_string("path", path));
	free(chunk);
	return rc;
}

ssize_t data_file_pread(int fd, void *buffer, size_t len_bytes, uint64_t offset)
{
	ssize_t n;
	do
		n = pread(fd, buffer, len_bytes, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool has_mark(int fd, uint64_t offset)
{
	uint64_t word;
	return data_file_pread(fd, &word, sizeof word, offset) == sizeof word &&
	       word == block_mark(offset);
}

/*
 * Did iolab lay this file out? The first block says so. Where a run spoilt that one, half of the
 * first blocks have to say it, of this size or of the usual one.
 */
static bool is_ours(int fd, uint32_t bs_bytes)
{
	enum { BLOCKS = 64 };
	const uint32_t sizes_bytes[] = { bs_bytes, 4096 };
	if (has_mark(fd, 0))
		return true;
	for (unsigned i = 0; i < 2; i++) {
		unsigned marked = 0;
		for (uint64_t block = 0; block < BLOCKS; block++)
			marked += has_mark(fd, block * sizes_bytes[i]);
		if (marked >= BLOCKS / 2)
			return true;
	}
	return false;
}

/*
 * Does every byte of the file have data on the device? Holes and extents that were allocated and
 * never written (fallocate(2)) are answered by the kernel alone: reading those measures no disk.
 * Where the file system keeps no such map, a file that is as large as its blocks has to do.
 */
static bool is_all_data(int fd, uint64_t size_bytes)
{
	enum { EXTENTS = 64 };
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)];
	} asked;
	uint64_t known_to = 0;
	while (known_to < size_bytes) {
		memset(&asked, 0, sizeof asked);
		asked.map.fm_start = known_to;
		asked.map.fm_length = size_bytes - known_to;
		asked.map.fm_flags = FIEMAP_FLAG_SYNC;
		asked.map.fm_extent_count = EXTENTS;
		if (ioctl(fd, FS_IOC_FIEMAP, &asked.map) < 0)
			return true;
		if (asked.map.fm_mapped_extents == 0)
			return false;
		for (unsigned i = 0; i < asked.map.fm_mapped_extents; i++) {
			const struct fiemap_extent *extent = &asked.map.fm_extents[i];
			if (extent->fe_logical > known_to ||
			    (extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN))
				return false;
			known_to = extent->fe_logical + extent->fe_length;
		}
	}
	return true;
}

int data_file_lock(int fd, const char *path, bool exclusive, struct reason *why)
{
	if (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return 0; /* a file system without locks */
	return reason_errno(why, "file_in_use", EBUSY,
			    "another run is using {path}; wait for it, or name another file with "
			    "--file",
			    reason_string("path", path));
}

/* Is the block device large enough, and only read? Returns 0, or -errno with `why`. */
static int check_device(int fd, const char *path, uint64_t size_bytes, bool will_write,
			struct reason *why)
{
	uint64_t have_bytes = 0;
	if (ioctl(fd, BLKGETSIZE64, &have_bytes) < 0)
		return reason_errno(why, "file_size_unknown", errno, "the size of {path}",
				    reason_string("path", path));
	if (will_write) {
		reason_set(why, "device_not_written",
			   "--file {path} is a block device: iolab only reads those",
			   reason_string("path", path));
		return -EPERM;
	}
	if (have_bytes >= size_bytes)
		return 0;
	reason_set(why, "file_too_short",
		   "--file {path} holds {held_bytes} bytes, less than --size {size_bytes}",
		   reason_string("path", path), reason_int("held_bytes", (int64_t)have_bytes),
		   reason_int("size_bytes", (int64_t)size_bytes));
	return -EINVAL;
}

/* Lays the file out anew. Half a file is of no use and may fill the disk, so it is removed. */
static int lay_out_anew(const char *path, uint64_t size_bytes, uint32_t bs_bytes,
			struct reason *why)
{
	int fd = open(path, O_RDWR | data_file_open_flags(path));
	if (fd < 0)
		return reason_errno(why, "file_not_opened", errno, "opening {path}",
				    reason_string("path", path));
	int rc = data_file_lock(fd, path, true, why);
	if (rc == 0) {
		rc = lay_out(fd, path, size_bytes, bs_bytes, why);
		if (rc < 0)
			unlink(path);
	}
	close(fd);
	return rc;
}

/*
 * Does the file system keep what is written? Those of /proc, /sys and their like have no room to
 * tell of, and writing there changes the machine. So has a tmpfs without a limit, and what FUSE
 * serves need not tell.
 */
static int check_file_system(int fd, const char *path, struct reason *why)
{
	struct statfs fs;
	if (fstatfs(fd, &fs) < 0)
		return reason_errno(why, "file_system_unknown", errno, "the file system of {path}",
				    reason_string("path", path));
	bool may_be_silent = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ||
			     fs.f_type == FUSE_SUPER_MAGIC;
	bool is_firmware = fs.f_type == EFIVARFS_MAGIC;
	if ((fs.f_blocks > 0 || may_be_silent) && !is_firmware)
		return 0;
	reason_set(why, "keeps_no_data",
		   "--file {path} is in a file system that keeps no data (as /proc and /sys); name "
		   "a file on a disk",
		   reason_string("path", path));
	return -EINVAL;
}

/* A regular file: kept where it fits, laid out anew where it is iolab's own, refused otherwise. */
static int prepare_regular(int fd, const char *path, const struct stat *status, uint64_t size_bytes,
			   uint32_t bs_bytes, bool will_write, bool fresh, struct reason *why)
{
	/* An empty file holds nothing that could be lost: mktemp makes such files. */
	bool ours = status->st_size == 0 || is_ours(fd, bs_bytes);
	bool whole = (uint64_t)status->st_size >= size_bytes &&
		     (uint64_t)status->st_blocks * 512 >= size_bytes && is_all_data(fd, size_bytes);
	if (!ours && (will_write || fresh)) {
		reason_set(why, "file_not_ours",
			   "--file {path} is not one of iolab's test files and would be "
			   "overwritten; name another file, or delete it",
			   reason_string("path", path));
		return -EEXIST;
	}
	if (!ours && !whole) {
		reason_set(why, "file_has_holes",
			   "--file {path} does not hold --size {size_bytes} bytes of written data "
			   "(it is shorter, or has holes or extents that were never written)",
			   reason_string("path", path),
			   reason_int("size_bytes", (int64_t)size_bytes));
		return -EINVAL;
	}
	return whole && !fresh ? 0 : lay_out_anew(path, size_bytes, bs_bytes, why);
}

int data_file_prepare(const char *path, uint64_t size_bytes, uint32_t bs_bytes, bool will_write,
		      bool fresh, struct reason *why)
{
	/* Without waiting: opening a FIFO sleeps until somebody writes to it, fifo(7). */
	int fd = open(path, O_RDONLY | O_NONBLOCK | data_file_open_flags(path));
	if (fd < 0 && errno == ENOENT)
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == ELOOP && is_default(path))
		return reason_errno(why, "file_is_a_link", errno,
				    "{path} is a link; delete it, or name a --file",
				    reason_string("path", path));
	if (fd < 0)
		return reason_errno(why, "file_not_opened", errno, "opening {path}",
				    reason_string("path", path));

	int rc;
	struct stat status;
	if (fstat(fd, &status) < 0) {
		rc = reason_errno(why, "file_not_opened", errno, "opening {path}",
				  reason_string("path", path));
	} else if (is_default(path) && status.st_uid != geteuid()) {
		rc = reason_errno(why, "file_of_another_user", EPERM,
				  "{path} belongs to another user; name a --file",
				  reason_string("path", path));
	} else if (S_ISBLK(status.st_mode)) {
		rc = check_device(fd, path, size_bytes, will_write || fresh, why);
	} else if (S_ISREG(status.st_mode)) {
		rc = check_file_system(fd, path, why);
		if (rc == 0)
			rc = prepare_regular(fd, path, &status, size_bytes, bs_bytes, will_write,
					     fresh, why);
	} else {
		reason_set(why, "file_unusable",
			   "--file {path} is neither a regular file nor a block device",
			   reason_string("path", path));
		rc = -EINVAL;
	}
	close(fd);
	return rc;
}

int data_file_check(int fd, const char *path, uint64_t size_bytes, struct reason *why)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return reason_errno(why, "file_size_unknown", errno, "the size of {path}",
				    reason_string("path", path));
	if (!S_ISREG(status.st_mode))
		return 0;
	if ((uint64_t)status.st_size < size_bytes) {
		reason_set(why, "file_truncated",
			   "{path} was truncated during the run: {left_bytes} of {size_bytes} "
			   "bytes are left, so the figures are those of another file",
			   reason_string("path", path), reason_int("left_bytes", status.st_size),
			   reason_int("size_bytes", (int64_t)size_bytes));
		return -EIO;
	}
	off_t hole = lseek(fd, 0, SEEK_HOLE);
	if (hole < 0 || (uint64_t)hole >= size_bytes)
		return 0; /* lseek(2): without holes one is found at the end; old NFS knows none */
	reason_set(why, "file_punched",
		   "{path} got a hole during the run, at byte {byte}: it was truncated or punched, "
		   "so the figures are those of another file",
		   reason_string("path", path), reason_int("byte", hole));
	return -EIO;
}

double data_file_resident_pct(int fd, uint64_t size_bytes)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	size_t pages = (size_bytes + page_bytes - 1) / page_bytes;
	unsigned char *resident = malloc(pages);
	void *map = mmap(NULL, size_bytes, PROT_READ, MAP_SHARED, fd, 0);
	double pct = -1;

	if (resident && map != MAP_FAILED && mincore(map, size_bytes, resident) == 0) {
		size_t count = 0;
		for (size_t i = 0; i < pages; i++)
			count += resident[i] & 1;
		pct = 100.0 * (double)count / (double)pages;
	}
	if (map != MAP_FAILED)
		munmap(map, size_bytes);
	free(resident);
	return pct;
}

int data_file_set_cache(int fd, uint64_t size_bytes, enum cache_state cache, double *resident_pct,
			struct reason *why)
{
	/* Dirty pages cannot be dropped: posix_fadvise(2). */
	if (fdatasync(fd) < 0 && errno != EROFS && errno != EINVAL)
		return reason_errno(why, "file_not_written_back", errno,
				    "writing back the test file");
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (cache == CACHE_WARM) {
		char *chunk = malloc(CHUNK_BYTES);
		if (!chunk)
			return reason_no_memory(why, "a piece of the test file");
		for (uint64_t offset = 0; offset < size_bytes && !interrupt_requested();) {
			ssize_t n = data_file_pread(fd, chunk, CHUNK_BYTES, offset);
			if (n <= 0)
				break;
			offset += (uint64_t)n;
		}
		free(chunk);
	}
	*resident_pct = data_file_resident_pct(fd, size_bytes);
	if (!interrupt_requested())
		return 0;
	return interrupt_reason(why);
}
