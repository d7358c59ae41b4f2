/* SPDX-License-Identifier: MIT */
#include "base/results_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SAME_SECOND_MAX 1000

/* Replaces the link in one step, so that it always leads somewhere. It is a convenience: no error is reported. */
static void point_latest_to(const char *name)
{
	unlink("results/.latest");
	if (symlink(name, "results/.latest") == 0)
		rename("results/.latest", "results/latest");
}

/* The folder that `out` names; it may be there already. */
static int make_named(struct results_folder *folder, const char *out, struct reason *why)
{
	if (strlen(out) >= sizeof folder->path)
		return reason_say_errno(why, ENAMETOOLONG, "%s (see --out)", out);
	strcpy(folder->path, out);
	folder->made = mkdir(out, 0777) == 0;
	if (!folder->made && errno != EEXIST)
		return reason_say_errno(why, errno, "making the folder %s (see --out)", out);
	return 0;
}

/* A new folder, named after this second; others may begin in the same one. */
static int make_dated(struct results_folder *folder, struct reason *why)
{
	char stamp[32];
	time_t now = time(NULL);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H%M%SZ", gmtime(&now));
	if (mkdir("results", 0777) < 0 && errno != EEXIST)
		return reason_say_errno(why, errno,
					"making the folder results; --out names another");
	snprintf(folder->path, sizeof folder->path, "results/%s", stamp);
	for (unsigned number = 2; mkdir(folder->path, 0777) < 0; number++) {
		if (errno != EEXIST || number > SAME_SECOND_MAX)
			return reason_say_errno(why, errno, "making the folder %s (see --out)",
						folder->path);
		snprintf(folder->path, sizeof folder->path, "results/%s-%u", stamp, number);
	}
	folder->made = folder->dated = true;
	return 0;
}

int results_folder_create(struct results_folder *folder, const char *out, struct reason *why)
{
	char path[PATH_MAX];
	*folder = (struct results_folder) { .runs_fd = -1 };
	int rc = out ? make_named(folder, out, why) : make_dated(folder, why);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof path, "%s/runs.jsonl", folder->path);
	folder->runs_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (folder->runs_fd < 0 && errno == EEXIST)
		return reason_say_errno(why, errno, "%s: choose another --out, or delete it", path);
	if (folder->runs_fd < 0)
		return reason_say_errno(why, errno, "%s (see --out)", path);
	return 0;
}

int results_folder_append(struct results_folder *folder, const char *line, struct reason *why)
{
	off_t before = lseek(folder->runs_fd, 0, SEEK_END);
	size_t len_bytes = strlen(line);
	struct iovec parts[] = { { (char *)line, len_bytes }, { (char *)"\n", 1 } };
	ssize_t n = writev(folder->runs_fd, parts, 2);
	if (n == (ssize_t)len_bytes + 1) {
		if (before == 0 && folder->dated)
			point_latest_to(strchr(folder->path, '/') + 1);
		return 0;
	}
	int error = n < 0 ? errno : ENOSPC;
	if (n > 0 && ftruncate(folder->runs_fd, before) < 0)
		error = errno;
	return reason_say_errno(why, error, "writing %s/runs.jsonl; the runs before are safe",
				folder->path);
}

int results_folder_sync(const struct results_folder *folder, struct reason *why)
{
	/* EINVAL: not a file that can be synchronised. */
	if (fsync(folder->runs_fd) == 0 || errno == EINVAL)
		return 0;
	return reason_say_errno(why, errno, "writing %s/runs.jsonl", folder->path);
}

/* An empty runs.jsonl would look like a comparison that measured nothing. */
static void remove_empty(const struct results_folder *folder)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/runs.jsonl", folder->path);
	if (lseek(folder->runs_fd, 0, SEEK_END) != 0)
		return;
	unlink(path);
	if (folder->made)
		rmdir(folder->path); /* fails where others put something there, and should */
}

void results_folder_close(struct results_folder *folder)
{
	if (folder->runs_fd >= 0) {
		remove_empty(folder);
		close(folder->runs_fd);
	}
	folder->runs_fd = -1;
}
