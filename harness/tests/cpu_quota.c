/* SPDX-License-Identifier: MIT */
/* Is the quota of a control group found, and those of its parents? */
#include "meters/cpu_quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
		perror(path);
		exit(2);
	}
}

int main(void)
{
	struct tap tap = { 0 };
	char folder[] = "/tmp/iolab-quota-XXXXXX";
	if (!mkdtemp(folder) || chdir(folder) < 0 || mkdir("mount", 0700) < 0 ||
	    mkdir("mount/a", 0700) < 0 || mkdir("mount/a/b", 0700) < 0)
		return 2;
	put("own", "8:pids:/x\n0::/a/b\n");
	tap_check(&tap, cpu_quota_cpus("own", "mount") == 0, "no file: no quota");
	put("mount/a/b/cpu.max", "max 100000\n");
	tap_check(&tap, cpu_quota_cpus("own", "mount") == 0, "max: no quota");
	put("mount/a/cpu.max", "150000 100000\n");
	tap_check(&tap, cpu_quota_cpus("own", "mount") == 1.5, "a parent's quota counts");
	put("mount/a/b/cpu.max", "25000 50000\n");
	put("mount/cpu.max", "80000 100000\n");
	tap_check(&tap, cpu_quota_cpus("own", "mount") == 0.5, "the smallest quota counts");
	put("own", "0::/\n");
	tap_check(&tap, cpu_quota_cpus("own", "mount") == 0.8,
		  "a container's own root has one, too");
	put("own", "0::/../other\n");
	tap_check(&tap, cpu_quota_cpus("own", "mount") == 0.8, "a group outside of what is seen");
	put("own", "8:pids:/x\n");
	tap_check(&tap, cpu_quota_cpus("own", "mount") == 0, "only version 1: no quota");
	static const char *const made[] = { "own", "mount/a/b/cpu.max", "mount/a/cpu.max",
					    "mount/cpu.max" };
	for (unsigned i = 0; i < sizeof made / sizeof *made; i++)
		unlink(made[i]);
	rmdir("mount/a/b");
	rmdir("mount/a");
	rmdir("mount");
	rmdir(folder);
	return tap_end(&tap);
}
