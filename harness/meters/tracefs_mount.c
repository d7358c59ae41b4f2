/* SPDX-License-Identifier: MIT */
#include "meters/tracefs_mount.h"

#include <errno.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* Where the kernel makes a place for it. */
#define USUAL_FOLDER "/sys/kernel/tracing"

/* Reads the list of mounts and no folder: to look into debugfs would mount one. */
static int find_mounted(char *folder, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	int rc = -ENOENT;
	for (struct mntent *m; mounts && rc < 0 && (m = getmntent(mounts));)
		if (strcmp(m->mnt_type, "tracefs") == 0 && strlen(m->mnt_dir) < size) {
			strcpy(folder, m->mnt_dir);
			rc = 0;
		}
	if (mounts)
		endmntent(mounts);
	return rc;
}

int tracefs_folder(char *folder, size_t size, struct reason *why)
{
	if (find_mounted(folder, size) == 0)
		return 0;
	if (access(USUAL_FOLDER, F_OK) < 0)
		return reason_errno(why, "kernel_without_tracefs", errno,
				    "this kernel has no tracefs");
	/* Private: so nothing that is mounted here reaches the namespace that we leave. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tracefs", USUAL_FOLDER, "tracefs", 0, NULL) < 0)
		return reason_errno(why, "tracefs_not_mounted", errno,
				    "no tracefs is mounted, and mounting one at {folder}",
				    reason_string("folder", USUAL_FOLDER));
	snprintf(folder, size, "%s", USUAL_FOLDER);
	return 0;
}
