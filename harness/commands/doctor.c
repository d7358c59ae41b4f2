/* SPDX-License-Identifier: MIT */
/*
 * `iolab doctor`: what this machine can and cannot measure. Every finding is the result of a try,
 * and carries its cause and its cure.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "commands/commands.h"
#include "engines.h"
#include "meters/environment.h"
#include "meters/hardware_counters.h"
#include "meters/meter.h"
#include "workloads/data_file.h"

enum health { GOOD, LIMITED, MISSING };

static const char *const health_names[] = { "ok", "limited", "missing" };

struct report {
	json_t *findings;
	unsigned engines; /* that can do something */
	bool can_compare;
};

/* Adds a finding; `cure` may be NULL. The format gives the cause. */
__attribute__((format(printf, 5, 6))) static void find(struct report *report, const char *topic,
						       enum health health, const char *cure,
						       const char *format, ...)
{
	struct reason cause;
	va_list args;
	va_start(args, format);
	reason_vset(&cause, format, args);
	va_end(args);
	json_array_append_new(report->findings,
			      json_pack("{s:s, s:s, s:s, s:s?}", "topic", topic, "status",
					health_names[health], "cause", cause.text, "cure", cure));
}

static long number_in(const char *path, long otherwise)
{
	FILE *file = fopen(path, "re");
	long value;
	if (!file)
		return otherwise;
	if (fscanf(file, "%ld", &value) != 1)
		value = otherwise;
	fclose(file);
	return value;
}

static unsigned cpus_allowed(void)
{
	cpu_set_t allowed;
	sched_getaffinity(0, sizeof allowed, &allowed);
	return (unsigned)CPU_COUNT(&allowed);
}

/* What helps against a refusal of the system; NULL where nothing on this machine would. */
static const char *cure_of(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return "lift what the cause names: a sysctl as root; seccomp by another profile, "
		       "as with docker run --security-opt seccomp=unconfined";
	case ENOSYS:
		return "a kernel, or a container's profile, that has this call";
	case EINVAL:
		return "a newer kernel";
	case ENOMEM:
	case EAGAIN:
		return "raise the limit that the cause names";
	default:
		return NULL;
	}
}

/* One finding for each engine and each of its options, over files and sockets. */
static void examine_engine(struct report *report, const struct engine_ops *engine, uint64_t options)
{
	struct engine_config config = { .depth = 1,
					.options = options,
					.cpu_count = cpus_allowed() };
	struct reason file_why = { "" }, socket_why = { "" };
	int file_rc = engine->supports(&config, IO_READ, IO_FD_FILE, &file_why);
	int socket_rc = engine->supports(&config, IO_RECV, IO_FD_SOCKET, &socket_why);
	bool file = file_rc == 0, socket = socket_rc == 0;
	char topic[96];
	int length = snprintf(topic, sizeof topic, "engine ");
	engine_label(engine, options, topic + length, sizeof topic - (size_t)length);

	if (file && socket)
		find(report, topic, GOOD, NULL, "files and sockets");
	else if (file)
		find(report, topic, GOOD, NULL, "files; no sockets: %s", socket_why.text);
	else if (socket)
		find(report, topic, GOOD, NULL, "sockets; no files: %s", file_why.text);
	else
		find(report, topic, MISSING, cure_of(cure_of(-file_rc) ? -file_rc : -socket_rc),
		     "%s", cure_of(-file_rc) ? file_why.text : socket_why.text);
	report->engines += file || socket;
}

static void examine_engines(struct report *report)
{
	for (unsigned i = 0; i < engines_count(); i++) {
		const struct engine_ops *engine = engine_at(i);
		examine_engine(report, engine, 0);
		for (unsigned o = 0; engine->options && engine->options[o].name; o++)
			examine_engine(report, engine, UINT64_C(1) << o);
	}
	if (report->engines == 0)
		report->can_compare = false;
}

static void examine_cpus(struct report *report)
{
	unsigned count = cpus_allowed();
	if (count >= 3)
		find(report, "CPUs", GOOD, NULL, "%u", count);
	else if (count == 2)
		find(report, "CPUs", LIMITED, "a machine with three CPUs or more",
		     "2: server and peer take one each, so sqpoll has none left in echo and idle");
	else
		find(report, "CPUs", LIMITED, "allow it more (taskset, cpuset)",
		     "1: server and peer share it, and sqpoll has none");
}

static void test_file_missing(struct report *report, const char *cure, const char *path, int error)
{
	find(report, "test file", MISSING, cure, "%s: %s: %s", path, errno_name(error),
	     strerror(error));
	report->can_compare = false;
}

/* Reads one block past the page cache. */
static void examine_direct(struct report *report, const char *path)
{
	void *buffer;
	if (posix_memalign(&buffer, 4096, 4096) != 0)
		return;
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || pread(fd, buffer, 4096, 0) < 0)
		find(report, "O_DIRECT", MISSING, "name a place on another file system with --file",
		     "%s: %s: the file system refuses it", errno_name(errno), strerror(errno));
	else
		find(report, "O_DIRECT", GOOD, NULL, "works on %s", path);
	if (fd >= 0)
		close(fd);
	free(buffer);
}

/* What lies there already is only read. */
static void examine_existing(struct report *report, const char *path, const char *what)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		test_file_missing(report, "permission to read it, or another --file", path, errno);
		return;
	}
	off_t len_bytes = lseek(fd, 0, SEEK_END);
	close(fd);
	if (len_bytes <= 0) {
		find(report, "test file", MISSING, "name another with --file", "%s: %s, and empty",
		     path, what);
		report->can_compare = false;
		return;
	}
	find(report, "test file", GOOD, NULL, "%s: %s of %lld MiB", path, what,
	     (long long)len_bytes >> 20);
	examine_direct(report, path);
}

/* Writes a file of its own beside the test file, and reads it with O_DIRECT. */
static void examine_folder(struct report *report, const char *folder)
{
	char path[4200], block[4096];
	snprintf(path, sizeof path, "%s/iolab-doctor-XXXXXX", folder);
	int fd = mkstemp(path);
	if (fd < 0) {
		test_file_missing(report, "name another place with --file", folder, errno);
		return;
	}
	memset(block, 1, sizeof block);
	errno = ENOSPC; /* of a short write */
	if (write(fd, block, sizeof block) != sizeof block || fsync(fd) < 0)
		test_file_missing(report, "free some space, or name another place with --file",
				  folder, errno);
	else
		examine_direct(report, path);
	close(fd);
	unlink(path);
}

static void examine_file_system(struct report *report, const char *test_file)
{
	struct stat existing;
	bool exists = stat(test_file, &existing) == 0;
	if (exists && S_ISBLK(existing.st_mode)) {
		examine_existing(report, test_file, "a block device");
		return;
	}
	char folder[4096];
	snprintf(folder, sizeof folder, "%s", test_file);
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder ? 1 : 0] = '\0';
	else
		strcpy(folder, ".");
	struct statfs status;
	if (statfs(folder, &status) < 0) {
		test_file_missing(report, "name another place with --file", folder, errno);
		return;
	}
	unsigned long long free_mib =
		(unsigned long long)status.f_bavail * (unsigned long long)status.f_bsize >> 20;
	if (free_mib < 512)
		find(report, "disk space", LIMITED, "free some, or name another --file",
		     "%llu MiB free in %s; the default test file takes 256", free_mib, folder);
	else
		find(report, "disk space", GOOD, NULL, "%llu MiB free in %s", free_mib, folder);
	if (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC)
		find(report, "test file", LIMITED, "name a place on a disk with --file",
		     "%s is in memory: there is no disk to wait for", folder);
	if (exists && access(folder, W_OK) < 0)
		examine_existing(report, test_file, "a file");
	else
		examine_folder(report, folder);
}

/* The least pids.max of the cgroups that this process is in, cgroups(7); -1 when there is none. */
static long pids_allowed(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096];
	long least = -1;
	while (file && fgets(line, sizeof line, file)) {
		/* "0::/a/b" in version 2, "8:pids:/a/b" in version 1. */
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		const char *mount = strcmp(controllers, ":") == 0 ? "/sys/fs/cgroup"
				    : strstr(controllers, "pids") ? "/sys/fs/cgroup/pids"
								  : NULL;
		for (char *end = path + strlen(path); mount && end; end = strrchr(path, '/')) {
			char limit[4200];
			*end = '\0';
			snprintf(limit, sizeof limit, "%s%s/pids.max", mount, path);
			long pids = number_in(limit, -1);
			if (pids > 0 && (least < 0 || pids < least))
				least = pids;
		}
	}
	if (file)
		fclose(file);
	return least;
}

static void examine_limits(struct report *report)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max >= 10064)
		find(report, "descriptors", GOOD, NULL,
		     "RLIMIT_NOFILE %llu: enough for 10,000 connections",
		     (unsigned long long)limit.rlim_max);
	else
		find(report, "descriptors", LIMITED,
		     "raise the hard limit: ulimit -Hn, limits.conf",
		     "RLIMIT_NOFILE %llu: at most %llu connections",
		     (unsigned long long)limit.rlim_max, (unsigned long long)limit.rlim_max - 64);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur >= 8u << 20)
		find(report, "locked memory", GOOD, NULL,
		     "RLIMIT_MEMLOCK suffices for registered buffers at the usual depths");
	else
		find(report, "locked memory", LIMITED, "raise it: ulimit -l, limits.conf",
		     "RLIMIT_MEMLOCK %llu bytes bounds io_uring:fixed_buffers for ordinary users",
		     (unsigned long long)limit.rlim_cur);

	long threads = number_in("/proc/sys/kernel/threads-max", -1);
	long pids = pids_allowed();
	getrlimit(RLIMIT_NPROC, &limit);
	long most = threads;
	if (limit.rlim_cur != RLIM_INFINITY && (most < 0 || (long)limit.rlim_cur < most))
		most = (long)limit.rlim_cur;
	if (pids > 0 && (most < 0 || pids < most))
		most = pids;
	if (most < 0 || most >= 2000)
		find(report, "threads", GOOD, NULL, "%ld allowed: enough for one a connection",
		     most);
	else
		find(report, "threads", LIMITED, "raise ulimit -u, the pids cgroup or threads-max",
		     "%ld allowed: bounds --conns and --depth of threads and posix_aio", most);

	long aio_max = number_in("/proc/sys/fs/aio-max-nr", -1);
	long aio_used = number_in("/proc/sys/fs/aio-nr", 0);
	if (aio_max >= 0)
		find(report, "libaio requests", aio_max - aio_used >= 16384 ? GOOD : LIMITED,
		     aio_max - aio_used >= 16384 ? NULL : "raise the sysctl fs.aio-max-nr",
		     "%ld of fs.aio-max-nr %ld in use", aio_used, aio_max);
}

static void examine_hardware_counters(struct report *report)
{
	struct hardware_counters counters;
	unsigned there = 0;
	hardware_counters_open(&counters, hardware_events);
	for (unsigned i = 0; i < HARDWARE_COUNTERS; i++)
		there += counters.fds[i] >= 0;
	hardware_counters_close(&counters);
	bool forbidden = counters.error == EACCES || counters.error == EPERM;
	if (counters.error == 0)
		find(report, "hardware counters", GOOD, NULL,
		     "instructions, cycles, misses: counted with --count-hardware");
	else
		find(report, "hardware counters", there ? LIMITED : MISSING,
		     forbidden ? "as root: sysctl kernel.perf_event_paranoid=1; a container "
				 "also needs --cap-add PERFMON"
			       : "a physical machine, or a virtual one that is given a PMU",
		     "%s", counters.why.text);
}

static void examine_counters(struct report *report)
{
	struct meter meter;
	meter_open(&meter, 0, true);
	if (meter.syscall_counter_fd >= 0)
		find(report, "system calls", GOOD, NULL, "counted through a tracepoint");
	else
		find(report, "system calls", MISSING,
		     "as root: mount -t tracefs tracefs /sys/kernel/tracing; "
		     "sysctl kernel.perf_event_paranoid=-1 for other users",
		     "not counted: %s", meter.no_syscalls.text);
	meter_close(&meter);

	examine_hardware_counters(report);
}

static void examine_noise(struct report *report)
{
	json_t *env = environment_json(NULL);
	const char *virtualization = json_string_value(json_object_get(env, "virtualization"));
	const char *governor = json_string_value(json_object_get(env, "governor"));
	if (virtualization)
		find(report, "virtualization", LIMITED,
		     "trust ratios within a comparison, not absolute figures",
		     "%s: neighbours make noise", virtualization);
	else
		find(report, "virtualization", GOOD, NULL, "none found");
	if (governor && strcmp(governor, "performance") != 0)
		find(report, "CPU frequency", LIMITED,
		     "as root: cpupower frequency-set -g performance",
		     "the governor is %s: the clock follows the load", governor);
	else
		find(report, "CPU frequency", GOOD, NULL, "%s",
		     governor ? governor : "no governor is visible from here");
	json_decref(env);
	find(report, "timer slack", GOOD, NULL, "%d ns: timeouts may be so late",
	     prctl(PR_GET_TIMERSLACK));
}

static void print_report(const struct report *report)
{
	size_t i;
	json_t *finding;
	json_array_foreach (report->findings, i, finding) {
		const char *status = json_string_value(json_object_get(finding, "status"));
		const char *cure = json_string_value(json_object_get(finding, "cure"));
		printf("%-8s %-31s %s\n", status,
		       json_string_value(json_object_get(finding, "topic")),
		       json_string_value(json_object_get(finding, "cause")));
		if (cure)
			printf("%-8s %-31s cure: %s\n", "", "", cure);
	}
	printf("\n%s\n", report->can_compare
				 ? "The comparison can run here."
				 : "The comparison cannot run here; see `missing` above.");
}

struct doctor_options {
	bool json;
	char *file;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct doctor_options *o = state->input;
	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'f':
		o->file = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option; did you mean --file %s?", arg, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int command_doctor(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "print JSON", 0 },
		{ "file", 'f', "PATH", 0, "test file that runs will use (default: run's)", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Says what this machine can and cannot measure, why, and what helps.",
	};
	struct doctor_options o = { 0 };
	char default_file[256];
	struct report report = { .findings = json_array(), .can_compare = true };
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &o);

	examine_engines(&report);
	examine_cpus(&report);
	data_file_default_path(default_file, sizeof default_file);
	examine_file_system(&report, o.file ? o.file : default_file);
	examine_limits(&report);
	examine_counters(&report);
	examine_noise(&report);
	if (o.json) {
		json_t *all = json_pack("{s:s, s:b, s:O, s:o}", "schema", "iolab.doctor.v1",
					"can_compare", report.can_compare, "findings",
					report.findings, "env", environment_json(o.file));
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(all);
	} else {
		print_report(&report);
	}
	json_decref(report.findings);
	return report.can_compare ? EXIT_OK : EXIT_ERROR;
}
