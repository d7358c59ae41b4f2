/* SPDX-License-Identifier: MIT */
#include "meters/helper_threads.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Before an engine is open there are few. */
#define LEFT_OUT_MAX 64

static int left_out[LEFT_OUT_MAX];
static unsigned left_out_count;

static bool is_left_out(int tid)
{
	for (unsigned i = 0; i < left_out_count; i++)
		if (left_out[i] == tid)
			return true;
	return false;
}

/* The next thread beside the one that began the program; 0 after the last. `tasks` may be NULL. */
static int next_thread(DIR *tasks)
{
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		int tid = atoi(entry->d_name); /* 0 for "." and ".." */
		if (tid != 0 && tid != getpid())
			return tid;
	}
	return 0;
}

void helper_threads_leave_out_present(void)
{
	DIR *tasks = opendir("/proc/self/task");
	left_out_count = 0;
	for (int tid; left_out_count < LEFT_OUT_MAX && (tid = next_thread(tasks));)
		left_out[left_out_count++] = tid;
	if (tasks)
		closedir(tasks);
}

struct helper_threads helper_threads_now(void)
{
	struct helper_threads now = { 0 };
	DIR *tasks = opendir("/proc/self/task");
	for (int tid; (tid = next_thread(tasks));) {
		char path[300], name[32] = "";
		if (is_left_out(tid))
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
