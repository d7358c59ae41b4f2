/* SPDX-License-Identifier: MIT */
/* How much CPU time the control groups (version 2) leave to this process. */
#ifndef IOLAB_CPU_QUOTA_H
#define IOLAB_CPU_QUOTA_H

/*
 * The smallest quota of our control group and its parents, in CPUs: 1.5 means 150 ms of CPU time in
 * 100 ms. 0 where there is none. `groups_path` is "/proc/self/cgroup", `mount` the folder of the
 * control groups, "/sys/fs/cgroup".
 */
double cpu_quota_cpus(const char *groups_path, const char *mount);

#endif
