/* SPDX-License-Identifier: MIT */
#include "meters/helper_threads.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct helper_threads helper_threads_now(void)
{
	struct helper_threads now = { 0 };
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		char path[300], name[32] = "";
		int tid = atoi(entry->d_name); /* 0 for "." and ".." */
		if (tid == 0 || tid == getpid())
			continue;
		snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
		FILE *file = fopen(path, "re");
		if (!file)
			continue; /* it has ended */
		if (fgets(name, sizeof name, file)) {
			now.io_wq += strncmp(name, "iou-wrk", 7) == 0;
			now.sqpoll += strncmp(name, "iou-sqp", 7) == 0;
			now.user += strncmp(name, "iou-", 4) != 0;
		}
		fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return now;
}
