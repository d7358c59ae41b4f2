/* SPDX-License-Identifier: MIT */
#include "meters/meter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/json_put.h"
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
		reason_set(why, "no_tracefs",
			   "tracefs is not mounted at /sys/kernel/tracing; as root: mount -t "
			   "tracefs tracefs /sys/kernel/tracing");
		return -1;
	}
	if (id < 0) {
		reason_errno(why, "no_tracepoint", id, "tracepoint raw_syscalls:sys_enter");
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
		reason_errno(why, "perf_refused", errno,
			     "perf_event_open of {event} (see kernel.perf_event_paranoid; root "
			     "may)",
			     reason_string("event", "raw_syscalls:sys_enter"));
	return fd;
}

void meter_open(struct meter *meter, pid_t peer, bool count_syscalls)
{
	*meter = (struct meter) {
		.proc_stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC),
		.syscall_counter_fd = -1,
	};
	if (count_syscalls)
		meter->syscall_counter_fd = open_syscall_counter(&meter->no_syscalls);
	if (peer > 0 && clock_getcpuclockid(peer, &meter->peer_clock) == 0)
		meter->peer = peer;
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
static void read_host_cpu(const struct meter *meter, struct reading *r)
{
	static char text[METER_CPUS * 96]; /* only the main thread measures */
	ssize_t length = pread(meter->proc_stat_fd, text, sizeof text - 1, 0);
	r->host_known = length > 0;
	r->cpu_end = 0;
	if (length <= 0)
		return;
	text[length] = '\0';
	memset(r->cpu_idle_us, 0xff, sizeof r->cpu_idle_us);
	for (char *line = text; strncmp(line, "cpu", 3) == 0;) {
		char *at = line + 3;
		unsigned long long ticks[8] = { 0 };
		bool all = *at == ' ';
		unsigned long cpu = all ? 0 : strtoul(at, &at, 10);
		for (unsigned i = 0; i < 8; i++)
			ticks[i] = strtoull(at, &at, 10);
		if (all) {
			r->host_idle_us = us_of_ticks(ticks[3] + ticks[4]);
			r->host_steal_us = us_of_ticks(ticks[7]);
		} else if (cpu < METER_CPUS) {
			r->cpu_idle_us[cpu] = us_of_ticks(ticks[3] + ticks[4] + ticks[7]);
			r->cpu_end = (unsigned)cpu + 1;
		}
		line = strchr(at, '\n');
		if (!line)
			break;
		line++;
	}
}

static void read_peer(const struct meter *meter, struct reading *r)
{
	struct timespec cpu;
	r->peer_cpu_ns = 0;
	if (meter->peer > 0 && clock_gettime(meter->peer_clock, &cpu) == 0)
		r->peer_cpu_ns = (uint64_t)cpu.tv_sec * NS_PER_S + (uint64_t)cpu.tv_nsec;
}

/*
 * getrusage(2) brings only the caller up to date; what a thread that runs on another CPU has used
 * since its last tick would be missing, up to 4 ms of it. Asking for a thread's own CPU clock
 * brings that thread up to date (task_sched_runtime() in the kernel).
 */
static void read_own_cpu(struct reading *r)
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
	getrusage(RUSAGE_SELF, &r->self);
}

static void read_syscalls(const struct meter *meter, struct reading *r)
{
	r->syscalls = 0;
	if (meter->syscall_counter_fd >= 0 &&
	    read(meter->syscall_counter_fd, &r->syscalls, sizeof r->syscalls) != sizeof r->syscalls)
		r->syscalls = 0;
}

static void read_hardware(const struct meter *meter, struct reading *r)
{
	if (meter->hardware)
		hardware_counters_read(meter->hardware, &r->hardware);
}

void meter_begin(const struct meter *meter, struct reading *r)
{
	read_host_cpu(meter, r);
	read_peer(meter, r);
	read_own_cpu(r);
	read_hardware(meter, r);
	read_syscalls(meter, r);
	r->wall_ns = clock_ns();
}

void meter_end(const struct meter *meter, struct reading *r)
{
	r->wall_ns = clock_ns();
	read_syscalls(meter, r);
	if (r->syscalls > 0)
		r->syscalls--; /* the call that read it */
	read_hardware(meter, r);
	read_own_cpu(r);
	read_peer(meter, r);
	read_host_cpu(meter, r);
}

void meter_close(struct meter *meter)
{
	if (meter->proc_stat_fd >= 0)
		close(meter->proc_stat_fd);
	if (meter->syscall_counter_fd >= 0)
		close(meter->syscall_counter_fd);
	meter->proc_stat_fd = meter->syscall_counter_fd = -1;
}

static double seconds(struct timeval from, struct timeval to)
{
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_usec - from.tv_usec) * 1e-6;
}

struct usage usage_between(const struct meter *meter, const struct reading *begin,
			   const struct reading *end)
{
	const double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
	struct usage u = {
		.elapsed_s = (double)(end->wall_ns - begin->wall_ns) / NS_PER_S,
		.user_s = seconds(begin->self.ru_utime, end->self.ru_utime),
		.system_s = seconds(begin->self.ru_stime, end->self.ru_stime),
		.peer_s = NAN,
		.host_busy_s = NAN,
		.host_steal_s = NAN,
		/* Idle, iowait and, where there is any, steal: each cut to a tick. */
		.host_error_s = (end->host_steal_us > 0 ? 3 : 2) * tick_s,
		.voluntary_switches = (double)(end->self.ru_nvcsw - begin->self.ru_nvcsw),
		.involuntary_switches = (double)(end->self.ru_nivcsw - begin->self.ru_nivcsw),
		.syscalls = NAN,
	};
	if (meter->peer > 0)
		u.peer_s = (double)(end->peer_cpu_ns - begin->peer_cpu_ns) / NS_PER_S;
	if (begin->host_known && end->host_known) {
		double idle_s = (double)(end->host_idle_us - begin->host_idle_us) * 1e-6;
		double all_s = (double)sysconf(_SC_NPROCESSORS_ONLN) * u.elapsed_s;
		u.host_steal_s = (double)(end->host_steal_us - begin->host_steal_us) * 1e-6;
		/* The grain of 10 ms can make an idle host look less than idle. */
		u.host_busy_s = fmax(0, all_s - idle_s - u.host_steal_s);
	}
	if (meter->syscall_counter_fd >= 0)
		u.syscalls = (double)(end->syscalls - begin->syscalls);
	hardware_counters_between(meter->hardware, &begin->hardware, &end->hardware, &u.hardware);
	return u;
}

json_t *per_cpu_json(const struct reading *begin, const struct reading *end)
{
	double elapsed_s = (double)(end->wall_ns - begin->wall_ns) / NS_PER_S;
	json_t *list = required(json_array());
	for (unsigned cpu = 0; cpu < end->cpu_end; cpu++) {
		uint64_t from_us = begin->cpu_idle_us[cpu], to_us = end->cpu_idle_us[cpu];
		bool online = from_us != UINT64_MAX && to_us != UINT64_MAX;
		double busy_s = elapsed_s - ((double)to_us - (double)from_us) * 1e-6;
		json_array_append_new(list, online ? json_real(fmax(0, 100 * busy_s / elapsed_s))
						   : json_null());
	}
	return list;
}
