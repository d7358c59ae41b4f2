/* SPDX-License-Identifier: MIT */
/*
 * `iolab doctor`: what this machine can and cannot measure. Every finding is the result of a try,
 * and carries its cause and its cure.
 */
#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/json_put.h"
#include "base/remark.h"
#include "commands/commands.h"
#include "commands/doctor_report.h"
#include "engines.h"
#include "meters/environment.h"
#include "meters/hardware_counters.h"
#include "meters/kernel_minimum.h"
#include "meters/meter.h"
#include "workloads/data_file.h"
#include "workloads/workload.h"

/* What is examined. */
static const struct said kernel = { "kernel", "kernel" };
static const struct said cpus = { "cpus", "CPUs" };
static const struct said test_file = { "test_file", "test file" };
static const struct said o_direct = { "o_direct", "O_DIRECT" };
static const struct said disk_space = { "disk_space", "disk space" };
static const struct said descriptors = { "descriptors", "descriptors" };
static const struct said locked_memory = { "locked_memory", "locked memory" };
static const struct said threads = { "threads", "threads" };
static const struct said libaio_requests = { "libaio_requests", "libaio requests" };
static const struct said hardware_counters = { "hardware_counters", "hardware counters" };
static const struct said system_calls = { "system_calls", "system calls" };
static const struct said cpu_quota = { "cpu_quota", "CPU quota" };
static const struct said virtualization = { "virtualization", "virtualization" };
static const struct said cpu_frequency = { "cpu_frequency", "CPU frequency" };
static const struct said timer_slack = { "timer_slack", "timer slack" };

#define WORKLOADS_MAX 32

/* Descriptors that are no connections: files, eventfds, the driver's own. */
#define DESCRIPTORS_RESERVED 64

static const struct said another_place = { "another_place", "name another place with --file" };

/* The values of a remark that has one. */
static json_t *with_int(const char *name, int64_t value)
{
	json_t *values = required(json_object());
	put_int(values, name, value);
	return values;
}

static void put_limit(json_t *values, const char *name, rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		put_string(values, name, "unlimited");
	else
		put_int(values, name, (int64_t)limit);
}

static json_t *with_cpus(double cpu_count)
{
	json_t *values = required(json_object());
	put_real(values, "cpus", cpu_count);
	return values;
}

static json_t *with_text(const char *name, const char *text)
{
	json_t *values = required(json_object());
	put_string(values, name, text);
	return values;
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
static const struct said *cure_of(int error)
{
	static const struct said lift = {
		"lift_refusal",
		"lift what the cause names: a sysctl as root; seccomp by another profile, as with "
		"docker run --security-opt seccomp=unconfined"
	};
	static const struct said with_call = {
		"kernel_with_call", "a kernel, or a container's profile, that has this call"
	};
	static const struct said newer = { "newer_kernel", "a newer kernel" };
	static const struct said raise = { "raise_limit", "raise the limit that the cause names" };
	switch (error) {
	case EPERM:
	case EACCES:
		return &lift;
	case ENOSYS:
		return &with_call;
	case EINVAL:
		return &newer;
	case ENOMEM:
	case EAGAIN:
		return &raise;
	default:
		return NULL;
	}
}

/* What an engine answers to each workload with its usual options. */
struct answers {
	int rc[WORKLOADS_MAX]; /* by the workload's position; 0: supported */
	struct reason why[WORKLOADS_MAX];
};

static void ask_engine(const struct engine_ops *engine, uint64_t options, struct answers *answers)
{
	assert(workloads_count() <= WORKLOADS_MAX);
	for (unsigned i = 0; i < workloads_count(); i++) {
		struct run_config config;
		struct reason *why = &answers->why[i];
		*why = (struct reason) { "" };
		answers->rc[i] = workload_usual_config(workload_at(i), &config, why);
		config.engine = engine;
		config.engine_options = options;
		if (answers->rc[i] == 0)
			answers->rc[i] = workload_supported(&config, why);
		free(config.settings);
	}
}

/* The workloads that this one's answer holds for, a bit each: all with the same reason. */
static uint64_t alike(const struct answers *answers, unsigned workload)
{
	uint64_t found = 0;
	for (unsigned i = 0; i < workloads_count(); i++)
		if (answers->rc[i] == answers->rc[workload] &&
		    (answers->rc[i] == 0 ||
		     strcmp(answers->why[i].text, answers->why[workload].text) == 0))
			found |= UINT64_C(1) << i;
	return found;
}

static void add_engine_finding(struct report *report, const char *label, enum health health,
			       const struct said *cure, json_t *cause)
{
	add_finding_on(report, remark_new("engine", with_text("engine", label), "engine {engine}"),
		       health, cure, cause);
}

/*
 * One finding for the workloads that the engine can run, and one for each reason why not. A variant's
 * are those in which it differs from the plain engine, whose answers are `plain`.
 */
static void examine_engine(struct report *report, const struct engine_ops *engine, uint64_t options,
			   const struct answers *plain, struct answers *answers)
{
	char label[96], names[200];
	uint64_t works = 0, told = 0;
	ask_engine(engine, options, answers);
	engine_label(engine, options, label, sizeof label);
	for (unsigned i = 0; i < workloads_count(); i++)
		works |= (uint64_t)(answers->rc[i] == 0) << i;
	workload_names_chosen(works, names, sizeof names);
	if (works)
		add_engine_finding(
			report, label, GOOD, NULL,
			remark_new("workloads", with_text("workloads", names), "{workloads}"));
	for (unsigned i = 0; i < workloads_count(); i++) {
		bool known = works && plain && plain->rc[i] == answers->rc[i] &&
			     strcmp(plain->why[i].text, answers->why[i].text) == 0;
		if ((works | told) >> i & 1 || known)
			continue;
		told |= alike(answers, i);
		workload_names_chosen(alike(answers, i), names, sizeof names);
		json_t *reason = remark_of_reason(&answers->why[i]);
		add_engine_finding(report, label, works ? GOOD : MISSING,
				   works ? NULL : cure_of(-answers->rc[i]),
				   remark_caused("not_workloads", with_text("workloads", names),
						 "not {workloads}: {why}", reason));
		json_decref(reason);
	}
	report->engines += works != 0;
}

static void examine_engines(struct report *report)
{
	struct answers plain, answers;
	for (unsigned i = 0; i < engines_count(); i++) {
		const struct engine_ops *engine = engine_at(i);
		examine_engine(report, engine, 0, NULL, &plain);
		for (unsigned o = 0; engine->options && engine->options[o].name; o++)
			examine_engine(report, engine, UINT64_C(1) << o, &plain, &answers);
	}
	if (report->engines == 0)
		report->can_compare = false;
}

static void examine_kernel(struct report *report)
{
	static const struct said newer = { "kernel_minimum", "Linux " KERNEL_MINIMUM " or newer" };
	struct utsname system;
	uname(&system);
	if (kernel_below_minimum(system.release))
		add_finding(
			report, &kernel, LIMITED, &newer,
			remark_new(
				"kernel_too_old", with_text("release", system.release),
				"{release} is older than the oldest that iolab is for, " KERNEL_MINIMUM));
	else
		add_finding(
			report, &kernel, GOOD, NULL,
			remark_new("kernel", with_text("release", system.release), "{release}"));
}

static void examine_cpus(struct report *report)
{
	static const struct said three = { "three_cpus", "a machine with three CPUs or more" };
	static const struct said more = { "allow_cpus", "allow it more (taskset, cpuset)" };
	unsigned count = cpus_allowed();
	char with_peer[120];
	json_t *values = with_int("count", count);
	workload_names_with_peer(with_peer, sizeof with_peer);
	put_string(values, "workloads", with_peer);
	if (count >= 3)
		add_finding(report, &cpus, GOOD, NULL, remark_new("cpus", values, "{count}"));
	else if (count == 2)
		add_finding(
			report, &cpus, LIMITED, &three,
			remark_new("one_cpu_for_engine", values,
				   "{count}: in {workloads} the peer takes one, and the engine's "
				   "threads share the other"));
	else
		add_finding(report, &cpus, LIMITED, &more,
			    remark_new("cpu_shared", values,
				       "{count}: in {workloads} engine and peer share it"));
}

static void test_file_missing(struct report *report, const struct said *cure, const char *path,
			      int error)
{
	struct reason why;
	reason_errno(&why, "file_not_opened", error, "%s", path);
	add_finding(report, &test_file, MISSING, cure,
		    remark_because("path_refused", "{why}", &why));
	report->can_compare = false;
}

#define ERROR_WORDS_SIZE 128

/* "EINVAL: Invalid argument" in `text`, which is returned. */
static const char *error_words(int error, char text[ERROR_WORDS_SIZE])
{
	snprintf(text, ERROR_WORDS_SIZE, "%s: %s", errno_name(error), strerror(error));
	return text;
}

/* Reads one block past the page cache. */
static void examine_direct(struct report *report, const char *path)
{
	static const struct said another = { "another_file_system",
					     "name a place on another file system with --file" };
	char text[ERROR_WORDS_SIZE];
	void *buffer;
	if (posix_memalign(&buffer, 4096, 4096) != 0)
		return;
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || pread(fd, buffer, 4096, 0) < 0)
		add_finding(report, &o_direct, MISSING, &another,
			    remark_new("o_direct_refused",
				       with_text("error", error_words(errno, text)),
				       "{error}: the file system refuses it"));
	else
		add_finding(
			report, &o_direct, GOOD, NULL,
			remark_new("o_direct_works", with_text("path", path), "works on {path}"));
	if (fd >= 0)
		close(fd);
	free(buffer);
}

/* What lies there already is only read. */
static void examine_existing(struct report *report, const char *path, const char *what)
{
	static const struct said permission = { "permission",
						"permission to read it, or another --file" };
	static const struct said another = { "another_file", "name another with --file" };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		test_file_missing(report, &permission, path, errno);
		return;
	}
	off_t len_bytes = lseek(fd, 0, SEEK_END);
	close(fd);
	json_t *values = with_text("path", path);
	put_string(values, "what", what);
	if (len_bytes <= 0) {
		add_finding(report, &test_file, MISSING, &another,
			    remark_new("empty", values, "{path}: {what}, and empty"));
		report->can_compare = false;
		return;
	}
	put_int(values, "size_mib", len_bytes >> 20);
	add_finding(report, &test_file, GOOD, NULL,
		    remark_new("readable", values, "{path}: {what} of {size_mib} MiB"));
	examine_direct(report, path);
}

/* Writes a file of its own beside the test file, and reads it with O_DIRECT. */
static void examine_folder(struct report *report, const char *folder)
{
	static const struct said free_space = {
		"free_space", "free some space, or name another place with --file"
	};
	char path[4200], block[4096];
	snprintf(path, sizeof path, "%s/iolab-doctor-XXXXXX", folder);
	int fd = mkstemp(path);
	if (fd < 0) {
		test_file_missing(report, &another_place, folder, errno);
		return;
	}
	memset(block, 1, sizeof block);
	errno = ENOSPC; /* of a short write */
	if (write(fd, block, sizeof block) != sizeof block || fsync(fd) < 0)
		test_file_missing(report, &free_space, folder, errno);
	else
		examine_direct(report, path);
	close(fd);
	unlink(path);
}

static void examine_space(struct report *report, const char *folder, const struct statfs *status)
{
	static const struct said free_some = { "free_space", "free some, or name another --file" };
	static const struct said on_disk = { "place_on_disk",
					     "name a place on a disk with --file" };
	uint64_t free_mib = (uint64_t)status->f_bavail * (uint64_t)status->f_bsize >> 20;
	json_t *values = with_text("folder", folder);
	put_int(values, "free_mib", (int64_t)free_mib);
	if (free_mib < 512)
		add_finding(report, &disk_space, LIMITED, &free_some,
			    remark_new("little_space", values,
				       "{free_mib} MiB free in {folder}; the default test file "
				       "takes 256"));
	else
		add_finding(report, &disk_space, GOOD, NULL,
			    remark_new("space", values, "{free_mib} MiB free in {folder}"));
	if (status->f_type == TMPFS_MAGIC || status->f_type == RAMFS_MAGIC)
		add_finding(report, &test_file, LIMITED, &on_disk,
			    remark_new("in_memory", with_text("folder", folder),
				       "{folder} is in memory: there is no disk to wait for"));
}

static void examine_file_system(struct report *report, const char *path)
{
	struct stat existing;
	bool exists = stat(path, &existing) == 0;
	if (exists && S_ISBLK(existing.st_mode)) {
		examine_existing(report, path, "a block device");
		return;
	}
	char folder[4096];
	snprintf(folder, sizeof folder, "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder ? 1 : 0] = '\0';
	else
		strcpy(folder, ".");
	struct statfs status;
	if (statfs(folder, &status) < 0) {
		test_file_missing(report, &another_place, folder, errno);
		return;
	}
	examine_space(report, folder, &status);
	if (exists && access(folder, W_OK) < 0)
		examine_existing(report, path, "a file");
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

static void examine_descriptors(struct report *report)
{
	static const struct said raise = { "raise_descriptors",
					   "raise the hard limit: ulimit -Hn, limits.conf" };
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	json_t *values = required(json_object());
	put_limit(values, "limit", limit.rlim_max);
	if (limit.rlim_max >= 10064) {
		add_finding(report, &descriptors, GOOD, NULL,
			    remark_new("descriptors_suffice", values,
				       "RLIMIT_NOFILE {limit}: enough for 10,000 connections"));
		return;
	}
	put_int(values, "connections",
		limit.rlim_max > DESCRIPTORS_RESERVED
			? (int64_t)(limit.rlim_max - DESCRIPTORS_RESERVED)
			: 0);
	add_finding(report, &descriptors, LIMITED, &raise,
		    remark_new("descriptors_bound", values,
			       "RLIMIT_NOFILE {limit}: at most {connections} connections"));
}

static void examine_locked_memory(struct report *report)
{
	static const struct said raise = { "raise_memlock", "raise it: ulimit -l, limits.conf" };
	struct rlimit limit;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	json_t *values = required(json_object());
	put_limit(values, "limit_bytes", limit.rlim_cur);
	if (limit.rlim_cur >= 8u << 20)
		add_finding(
			report, &locked_memory, GOOD, NULL,
			remark_new("memlock_suffices", values,
				   "RLIMIT_MEMLOCK suffices for registered buffers at the usual "
				   "depths"));
	else
		add_finding(report, &locked_memory, LIMITED, &raise,
			    remark_new("memlock_bounds", values,
				       "RLIMIT_MEMLOCK {limit_bytes} bytes bounds "
				       "io_uring:fixed_buffers for ordinary users"));
}

static void examine_threads(struct report *report)
{
	static const struct said raise = { "raise_threads",
					   "raise ulimit -u, the pids cgroup or threads-max" };
	struct rlimit limit;
	long most = number_in("/proc/sys/kernel/threads-max", -1);
	long pids = pids_allowed();
	getrlimit(RLIMIT_NPROC, &limit);
	if (limit.rlim_cur != RLIM_INFINITY && (most < 0 || (long)limit.rlim_cur < most))
		most = (long)limit.rlim_cur;
	if (pids > 0 && (most < 0 || pids < most))
		most = pids;
	if (most < 0)
		add_finding(report, &threads, GOOD, NULL,
			    remark_new("threads_unbounded", NULL, "no limit is known"));
	else if (most >= 2000)
		add_finding(report, &threads, GOOD, NULL,
			    remark_new("threads_suffice", with_int("most", most),
				       "{most} allowed: enough for one a connection"));
	else
		add_finding(report, &threads, LIMITED, &raise,
			    remark_new("threads_bound", with_int("most", most),
				       "{most} allowed: bounds --conns and --depth of threads and "
				       "posix_aio"));
}

static void examine_libaio(struct report *report)
{
	static const struct said raise = { "raise_aio_max", "raise the sysctl fs.aio-max-nr" };
	long most = number_in("/proc/sys/fs/aio-max-nr", -1);
	long used = number_in("/proc/sys/fs/aio-nr", 0);
	if (most < 0)
		return;
	bool enough = most - used >= 16384;
	json_t *values = with_int("used", used);
	put_int(values, "most", most);
	add_finding(report, &libaio_requests, enough ? GOOD : LIMITED, enough ? NULL : &raise,
		    remark_new("aio_used", values, "{used} of fs.aio-max-nr {most} in use"));
}

static void examine_hardware_counters(struct report *report)
{
	static const struct said allow = {
		"allow_counters", "as root: sysctl kernel.perf_event_paranoid=1; a container also "
				  "needs --cap-add PERFMON"
	};
	static const struct said pmu = { "machine_with_pmu", "a physical machine, or a virtual one "
							     "that is given a PMU" };
	struct hardware_counters counters;
	unsigned there = 0;
	hardware_counters_open(&counters, hardware_events);
	for (unsigned i = 0; i < HARDWARE_COUNTERS; i++)
		there += counters.fds[i] >= 0;
	hardware_counters_close(&counters);
	bool forbidden = counters.error == EACCES || counters.error == EPERM;
	if (counters.error == 0)
		add_finding(report, &hardware_counters, GOOD, NULL,
			    remark_new("hardware_counted", NULL,
				       "instructions, cycles, misses: counted with "
				       "--count-hardware"));
	else
		add_finding(report, &hardware_counters, there ? LIMITED : MISSING,
			    forbidden ? &allow : &pmu,
			    remark_because("hardware_not_counted", "{why}", &counters.why));
}

static void examine_counters(struct report *report)
{
	static const struct said mount = {
		"mount_tracefs", "as root: mount -t tracefs tracefs /sys/kernel/tracing; sysctl "
				 "kernel.perf_event_paranoid=-1 for other users"
	};
	struct meter meter;
	meter_open(&meter, 0, true);
	if (meter.syscall_counter_fd >= 0)
		add_finding(report, &system_calls, GOOD, NULL,
			    remark_new("syscalls_counted", NULL, "counted through a tracepoint"));
	else
		add_finding(report, &system_calls, MISSING, &mount,
			    remark_because("syscalls_refused", "not counted: {why}",
					   &meter.no_syscalls));
	meter_close(&meter);
	examine_hardware_counters(report);
}

static void examine_noise(struct report *report)
{
	static const struct said ratios = {
		"trust_ratios", "trust ratios within a comparison, not absolute figures"
	};
	static const struct said no_quota = { "no_quota",
					      "raise cpu.max; with docker run, drop --cpus" };
	static const struct said performance = { "performance_governor",
						 "as root: cpupower frequency-set -g performance" };
	json_t *env = environment_json(NULL);
	const char *machine = json_string_value(json_object_get(env, "virtualization"));
	const char *governor = json_string_value(json_object_get(env, "governor"));
	if (machine)
		add_finding(report, &virtualization, LIMITED, &ratios,
			    remark_new("virtual", with_text("machine", machine),
				       "{machine}: neighbours make noise"));
	else
		add_finding(report, &virtualization, GOOD, NULL,
			    remark_new("not_virtual", NULL, "none found"));
	double quota = json_number_value(json_object_get(env, "cpu_quota"));
	if (quota > 0)
		add_finding(report, &cpu_quota, LIMITED, &no_quota,
			    remark_new("cpu_quota", with_cpus(quota),
				       "a control group allows {cpus} CPUs' time (cpu.max)"));
	if (!governor)
		add_finding(
			report, &cpu_frequency, GOOD, NULL,
			remark_new("governor_unknown", NULL, "no governor is visible from here"));
	else if (strcmp(governor, "performance") == 0)
		add_finding(report, &cpu_frequency, GOOD, NULL,
			    remark_new("governor", with_text("governor", governor), "{governor}"));
	else
		add_finding(report, &cpu_frequency, LIMITED, &performance,
			    remark_new("governor_follows_load", with_text("governor", governor),
				       "the governor is {governor}: the clock follows the load"));
	json_decref(env);
	add_finding(report, &timer_slack, GOOD, NULL,
		    remark_new("timer_slack", with_int("slack_ns", prctl(PR_GET_TIMERSLACK)),
			       "{slack_ns} ns: a timeout may come this much late"));
}

static json_t *document_json(const struct report *report, const char *file)
{
	json_t *document = required(json_object());
	put_string(document, "schema", "iolab.doctor.v2");
	put_bool(document, "can_compare", report->can_compare);
	put_shared(document, "findings", report->findings);
	put_new(document, "env", environment_json(file));
	return document;
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
	struct report report = { .findings = required(json_array()), .can_compare = true };
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &o);

	examine_kernel(&report);
	examine_engines(&report);
	examine_cpus(&report);
	data_file_default_path(default_file, sizeof default_file);
	examine_file_system(&report, o.file ? o.file : default_file);
	examine_descriptors(&report);
	examine_locked_memory(&report);
	examine_threads(&report);
	examine_libaio(&report);
	examine_counters(&report);
	examine_noise(&report);
	if (o.json) {
		json_t *all = document_json(&report, o.file);
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(all);
	} else {
		print_findings(&report);
	}
	json_decref(report.findings);
	return report.can_compare ? EXIT_OK : EXIT_ERROR;
}
