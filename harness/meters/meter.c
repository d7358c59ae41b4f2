/* SPDX-License-Identifier: MIT */
#include "meters/measurement.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define TRACEPOINT "events/raw_syscalls/sys_enter/id"

/*
 * A tracefs of our own, mounted nowhere: the machine is left as it was. For root, where nobody has
 * mounted it (a container, a small virtual machine). Linux 5.2. Returns a descriptor of its root,
 * or -errno.
 */
static int detached_tracefs(void)
{
	int context = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	int root = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0
			   ? -1
			   : fsmount(context, FSMOUNT_CLOEXEC, 0);
	int error = errno;
	close(context);
	return root < 0 ? -error : root;
}

/* The number in a file that was opened as `fd`, which is closed; or -errno. */
static int number_from(int fd)
{
	char text[16] = "";
	ssize_t length = read(fd, text, sizeof text - 1);
	int error = errno;
	close(fd);
	return length < 0 ? -error : length == 0 ? -EPROTO : atoi(text);
}

/* The id of the raw_syscalls:sys_enter tracepoint, from wherever tracefs is to be had; or -errno. */
static int syscall_tracepoint_id(void)
{
	static const char *const paths[] = {
		"/sys/kernel/tracing/" TRACEPOINT,
		"/sys/kernel/debug/tracing/" TRACEPOINT,
	};
	for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return number_from(fd);
		if (errno != ENOENT)
			return -errno;
	}
	int root = detached_tracefs();
	if (root < 0)
		return -ENOENT;
	int fd = openat(root, TRACEPOINT, O_RDONLY | O_CLOEXEC);
	int error = errno;
	close(root);
	return fd < 0 ? -error : number_from(fd);
}

static int open_syscall_counter(struct reason *why)
{
	int id = syscall_tracepoint_id();
	if (id == -ENOENT) {
		reason_set(why, "tracefs is not mounted at /sys/kernel/tracing; as root: "
				"mount -t tracefs tracefs /sys/kernel/tracing");
		return -1;
	}
	if (id < 0) {
		reason_errno(why, id, "tracepoint raw_syscalls:sys_enter");
		return -1;
	}
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof attr,
		.config = (uint64_t)id,
		.inherit = 1, /* threads started later are counted too, perf_event_open(2) */
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		reason_errno(why, errno,
			     "perf_event_open (see kernel.perf_event_paranoid; root may)");
	return fd;
}

void measurement_open(struct measurement *before, struct measurement *after, pid_t peer,
		      int count_syscalls, struct reason *syscalls_why)
{
	memset(before, 0, sizeof *before);
	before->proc_stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	before->syscall_counter_fd = -1;
	if (count_syscalls)
		before->syscall_counter_fd = open_syscall_counter(syscalls_why);
	else
		reason_set(syscalls_why, "counted in a run of its own (--count-syscalls)");
	if (peer > 0 && clock_getcpuclockid(peer, &before->peer_clock) == 0)
		before->peer = peer;
	*after = *before;
}

static uint64_t us_of_ticks(unsigned long long ticks)
{
	return ticks * (1000000ull / (unsigned long long)sysconf(_SC_CLK_TCK));
}

/*
 * The first lines of /proc/stat, for all CPUs and for each: user nice system idle iowait irq
 * softirq steal, in clock ticks. Busy time is taken from idle and iowait, which the kernel keeps
 * exactly; its user and system ticks undercount work that sleeps often. What the hypervisor stole
 * was nobody's work here, so it is not busy time.
 */
static void read_host_cpu(struct measurement *m)
{
	static char text[MEASUREMENT_CPUS * 96]; /* only the main thread measures */
	ssize_t length = pread(m->proc_stat_fd, text, sizeof text - 1, 0);
	m->host_known = length > 0;
	if (length <= 0)
		return;
	text[length] = '\0';
	memset(m->cpu_idle_us, 0xff, sizeof m->cpu_idle_us);
	for (char *line = text; strncmp(line, "cpu", 3) == 0;) {
		char *at = line + 3;
		unsigned long long ticks[8] = { 0 };
		bool all = *at == ' ';
		unsigned long cpu = all ? 0 : strtoul(at, &at, 10);
		for (unsigned i = 0; i < 8; i++)
			ticks[i] = strtoull(at, &at, 10);
		if (all) {
			m->host_idle_us = us_of_ticks(ticks[3] + ticks[4]);
			m->host_steal_us = us_of_ticks(ticks[7]);
		} else if (cpu < MEASUREMENT_CPUS) {
			m->cpu_idle_us[cpu] = us_of_ticks(ticks[3] + ticks[4] + ticks[7]);
			m->cpu_end = (unsigned)cpu + 1;
		}
		line = strchr(at, '\n');
		if (!line)
			break;
		line++;
	}
}

static void read_peer(struct measurement *m)
{
	struct timespec cpu;
	if (m->peer > 0 && clock_gettime(m->peer_clock, &cpu) == 0)
		m->peer_cpu_ns = (uint64_t)cpu.tv_sec * NS_PER_S + (uint64_t)cpu.tv_nsec;
}

/*
 * getrusage(2) brings only the caller up to date; what a thread that runs on another CPU has used
 * since its last tick would be missing, up to 4 ms of it. Asking for a thread's own CPU clock
 * brings that thread up to date (task_sched_runtime() in the kernel).
 */
static void read_own_cpu(struct measurement *m)
{
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		int tid = atoi(entry->d_name); /* 0 for "." and ".." */
		struct timespec unused;
		if (tid > 0) /* pthread_getcpuclockid(3), for threads of the kernel's making, too */
			clock_gettime((clockid_t)(~(unsigned)tid << 3 | 6), &unused);
	}
	if (tasks)
		closedir(tasks);
	getrusage(RUSAGE_SELF, &m->self);
}

static void read_syscalls(struct measurement *m)
{
	if (m->syscall_counter_fd >= 0 &&
	    read(m->syscall_counter_fd, &m->syscalls, sizeof m->syscalls) != sizeof m->syscalls)
		m->syscalls = 0;
}

static void read_hardware(struct measurement *m)
{
	if (m->hardware)
		hardware_counters_read(m->hardware, &m->hardware_reading);
}

void measurement_begin(struct measurement *m)
{
	read_host_cpu(m);
	read_peer(m);
	read_own_cpu(m);
	read_hardware(m);
	read_syscalls(m);
	m->wall_ns = clock_ns();
}

void measurement_end(struct measurement *m)
{
	m->wall_ns = clock_ns();
	read_syscalls(m);
	if (m->syscalls > 0)
		m->syscalls--; /* the call that read it */
	read_hardware(m);
	read_own_cpu(m);
	read_peer(m);
	read_host_cpu(m);
}

void measurement_close(struct measurement *before, struct measurement *after)
{
	if (before->proc_stat_fd >= 0)
		close(before->proc_stat_fd);
	if (before->syscall_counter_fd >= 0)
		close(before->syscall_counter_fd);
	before->proc_stat_fd = after->proc_stat_fd = -1;
	before->syscall_counter_fd = after->syscall_counter_fd = -1;
}

static double seconds(struct timeval from, struct timeval to)
{
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_usec - from.tv_usec) * 1e-6;
}

/* `amount` per operation; null when there were none. */
static json_t *per_op(double amount, uint64_t ops)
{
	return ops ? json_real(amount / (double)ops) : json_null();
}

/* How busy each CPU was, 100 is all the time; null for one that was offline. */
static json_t *per_cpu_json(const struct measurement *before, const struct measurement *after,
			    double elapsed_s)
{
	json_t *list = json_array();
	for (unsigned cpu = 0; cpu < after->cpu_end; cpu++) {
		uint64_t from_us = before->cpu_idle_us[cpu], to_us = after->cpu_idle_us[cpu];
		bool online = from_us != UINT64_MAX && to_us != UINT64_MAX;
		double busy_s = elapsed_s - ((double)to_us - (double)from_us) * 1e-6;
		json_array_append_new(
			list, online ? json_real(busy_s > 0 ? 100 * busy_s / elapsed_s : 0.0)
				     : json_null());
	}
	return list;
}

json_t *measurement_json(const struct measurement *before, const struct measurement *after,
			 uint64_t ops, const struct reason *syscalls_why)
{
	double elapsed_s = (double)(after->wall_ns - before->wall_ns) / NS_PER_S;
	double user_s = seconds(before->self.ru_utime, after->self.ru_utime);
	double system_s = seconds(before->self.ru_stime, after->self.ru_stime);
	double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);
	double idle_s = (double)(after->host_idle_us - before->host_idle_us) * 1e-6;
	double steal_s = (double)(after->host_steal_us - before->host_steal_us) * 1e-6;
	/* The grain of 10 ms can make an idle host look less than idle. */
	double busy_s = cpus * elapsed_s - idle_s - steal_s;
	busy_s = busy_s > 0 ? busy_s : 0;
	double peer_s = (double)(after->peer_cpu_ns - before->peer_cpu_ns) / NS_PER_S;
	bool has_peer = before->peer > 0;
	bool counted = before->syscall_counter_fd >= 0;
	bool host_known = before->host_known && after->host_known;

	struct reason hardware_why = { "" };
	json_t *hardware = json_null();
	if (before->hardware)
		hardware = hardware_counters_json(before->hardware, &before->hardware_reading,
						  &after->hardware_reading, ops, &hardware_why);
	else
		reason_set(&hardware_why, "counted where it is asked for (--count-hardware)");

	json_t *cpu = json_pack(
		"{s:f, s:f, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o}", "user_s",
		user_s, "system_s", system_s, "us_per_op", per_op((user_s + system_s) * 1e6, ops),
		"util_pct", 100 * (user_s + system_s) / elapsed_s, "peer_s",
		has_peer ? json_real(peer_s) : json_null(), "peer_util_pct",
		has_peer ? json_real(100 * peer_s / elapsed_s) : json_null(), "host_busy_s",
		host_known ? json_real(busy_s) : json_null(), "host_util_pct",
		host_known ? json_real(100 * busy_s / elapsed_s) : json_null(), "host_us_per_op",
		host_known ? per_op((busy_s > peer_s ? busy_s - peer_s : 0) * 1e6, ops)
			   : json_null(),
		"host_steal_s", host_known ? json_real(steal_s) : json_null(),
		/* Idle, iowait and, where there is any, steal: each cut to a tick. */
		"host_error_s",
		(after->host_steal_us > 0 ? 3.0 : 2.0) / (double)sysconf(_SC_CLK_TCK),
		"other_util_pct",
		host_known ? json_real(100 * (busy_s - user_s - system_s - peer_s) / elapsed_s)
			   : json_null(),
		"per_cpu_pct", per_cpu_json(before, after, elapsed_s));

	return json_pack(
		"{s:f, s:o, s:{s:I, s:I}, s:o, s:o, s:o, s:o}", "elapsed_s", elapsed_s, "cpu", cpu,
		"context_switches", "voluntary",
		(json_int_t)(after->self.ru_nvcsw - before->self.ru_nvcsw), "involuntary",
		(json_int_t)(after->self.ru_nivcsw - before->self.ru_nivcsw), "syscalls_per_op",
		counted ? per_op((double)(after->syscalls - before->syscalls), ops) : json_null(),
		"syscalls_reason", counted ? json_null() : json_string(syscalls_why->text),
		"hardware", hardware, "hardware_reason",
		hardware_why.text[0] ? json_string(hardware_why.text) : json_null());
}
