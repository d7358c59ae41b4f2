/* SPDX-License-Identifier: MIT */
#include "threads_asleep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

/* Reads /proc/self/task/TID/status into `text`; false for a thread that has ended. */
static bool read_status(int tid, char *text, size_t room)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, room - 1) : -1;
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

bool others_sleep(uint64_t *switches)
{
	int own = (int)syscall(SYS_gettid);
	bool asleep = true;
	DIR *directory = opendir("/proc/self/task");
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char status[4096];
		int tid = atoi(entry->d_name);
		if (tid <= 0 || tid == own || tid == getpid() ||
		    !read_status(tid, status, sizeof status))
			continue;
		const char *count = strstr(status, "\nvoluntary_ctxt_switches:");
		asleep = asleep && count && strstr(status, "\nState:\tS");
		*switches += count ? strtoull(strchr(count, ':') + 1, NULL, 10) : 0;
	}
	if (directory)
		closedir(directory);
	return asleep;
}

/*
 * One look is not enough: while it is at the second thread, the first may wake up, and a thread may
 * sleep for a moment because another one holds its mutex. Two looks that find all asleep, with nobody
 * up in between, show a moment at which all slept.
 */
bool others_fall_asleep(int64_t within_ns)
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)within_ns;
	do {
		uint64_t first = 0, second = 0;
		if (others_sleep(&first) && others_sleep(&second) && first == second)
			return true;
		usleep(200);
	} while (clock_ns() < deadline_ns);
	return false;
}

int thread_falls_asleep(int tid, int64_t within_ns)
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)within_ns;
	char status[4096];
	do {
		if (!read_status(tid, status, sizeof status))
			return -ESRCH;
		if (strstr(status, "\nState:\tS"))
			return 0;
		usleep(200);
	} while (clock_ns() < deadline_ns);
	return -ETIMEDOUT;
}
