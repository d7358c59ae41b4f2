/* SPDX-License-Identifier: MIT */
#include "workloads/examine_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/json_put.h"
#include "base/remark.h"
#include "reason.h"
#include "workloads/data_file.h"

static const struct said disk_space = { "disk_space", "disk space" };
static const struct said o_direct = { "o_direct", "O_DIRECT" };
static const struct said test_file = { "test_file", "test file" };
static const struct said another_place = { "another_place", "name another place with --file" };

static void test_file_missing(struct findings *found, const struct said *cure, const char *path,
			      int error)
{
	struct reason why;
	reason_errno(&why, "file_not_opened", error, "opening {path}", reason_string("path", path));
	add_finding(found, &test_file, MISSING, cure,
		    remark_because("path_refused", "{cause}", &why));
	found->can_compare = false;
}

/* Reads one block past the page cache. */
static void examine_direct(struct findings *found, const char *path)
{
	static const struct said another = { "another_file_system",
					     "name a place on another file system with --file" };
	void *buffer;
	if (posix_memalign(&buffer, 4096, 4096) != 0)
		return;
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || pread(fd, buffer, 4096, 0) < 0)
		add_finding(found, &o_direct, MISSING, &another,
			    remark_new("o_direct_refused", with_text("errno", errno_name(errno)),
				       "{errno}: the file system refuses it"));
	else
		add_finding(
			found, &o_direct, GOOD, NULL,
			remark_new("o_direct_works", with_text("path", path), "works on {path}"));
	if (fd >= 0)
		close(fd);
	free(buffer);
}

/* What lies there already is only read. */
static void examine_existing(struct findings *found, const char *path, const char *what)
{
	static const struct said permission = { "permission",
						"permission to read it, or another --file" };
	static const struct said another = { "another_file", "name another with --file" };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		test_file_missing(found, &permission, path, errno);
		return;
	}
	off_t len_bytes = lseek(fd, 0, SEEK_END);
	close(fd);
	json_t *values = with_text("path", path);
	put_string(values, "what", what);
	if (len_bytes <= 0) {
		add_finding(found, &test_file, MISSING, &another,
			    remark_new("empty", values, "{path}: {what}, and empty"));
		found->can_compare = false;
		return;
	}
	put_int(values, "size_mib", len_bytes >> 20);
	add_finding(found, &test_file, GOOD, NULL,
		    remark_new("readable", values, "{path}: {what} of {size_mib} MiB"));
	examine_direct(found, path);
}

/* Writes a file of its own beside the test file, and reads it with O_DIRECT. */
static void examine_folder(struct findings *found, const char *folder)
{
	static const struct said free_space = {
		"free_space", "free some space, or name another place with --file"
	};
	char path[4200], block[4096];
	snprintf(path, sizeof path, "%s/iolab-doctor-XXXXXX", folder);
	int fd = mkstemp(path);
	if (fd < 0) {
		test_file_missing(found, &another_place, folder, errno);
		return;
	}
	memset(block, 1, sizeof block);
	errno = ENOSPC; /* of a short write */
	if (write(fd, block, sizeof block) != sizeof block || fsync(fd) < 0)
		test_file_missing(found, &free_space, folder, errno);
	else
		examine_direct(found, path);
	close(fd);
	unlink(path);
}

static void examine_space(struct findings *found, const char *folder, const struct statfs *status)
{
	static const struct said free_some = { "free_space", "free some, or name another --file" };
	static const struct said on_disk = { "place_on_disk",
					     "name a place on a disk with --file" };
	uint64_t free_mib = (uint64_t)status->f_bavail * (uint64_t)status->f_bsize >> 20;
	json_t *values = with_text("folder", folder);
	put_int(values, "free_mib", (int64_t)free_mib);
	if (free_mib < 512)
		add_finding(found, &disk_space, LIMITED, &free_some,
			    remark_new("little_space", values,
				       "{free_mib} MiB free in {folder}; the default test file "
				       "takes 256"));
	else
		add_finding(found, &disk_space, GOOD, NULL,
			    remark_new("space", values, "{free_mib} MiB free in {folder}"));
	if (status->f_type == TMPFS_MAGIC || status->f_type == RAMFS_MAGIC)
		add_finding(found, &test_file, LIMITED, &on_disk,
			    remark_new("in_memory", with_text("folder", folder),
				       "{folder} is in memory: there is no disk to wait for"));
}

void examine_file(struct findings *found, const char *path)
{
	char default_path[256];
	if (!path) {
		data_file_default_path(default_path, sizeof default_path);
		path = default_path;
	}
	struct stat existing;
	bool exists = stat(path, &existing) == 0;
	if (!exists && errno != ENOENT) { /* a name that is too long, say */
		test_file_missing(found, &another_place, path, errno);
		return;
	}
	if (exists && S_ISBLK(existing.st_mode)) {
		examine_existing(found, path, "a block device");
		return;
	}
	char folder[4096];
	snprintf(folder, sizeof folder, "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder ? 1 : 0] = '\0';
	else
		strcpy(folder, ".");
	struct statfs status;
	if (statfs(folder, &status) < 0) {
		test_file_missing(found, &another_place, folder, errno);
		return;
	}
	examine_space(found, folder, &status);
	if (exists && access(folder, W_OK) < 0)
		examine_existing(found, path, "a file");
	else
		examine_folder(found, folder);
}
