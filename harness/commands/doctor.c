/* SPDX-License-Identifier: MIT */
/*
 * `iolab doctor`: what this machine can and cannot measure. Every finding is the result of a try,
 * and carries its cause and its cure.
 */
#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/findings.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "commands/commands.h"
#include "engines.h"
#include "meters/environment.h"
#include "meters/hardware_counters.h"
#include "meters/kernel_minimum.h"
#include "meters/kernel_trace.h"
#include "meters/meter.h"
#include "workloads/workload.h"

/* What is examined. */
static const struct said kernel = { "kernel", "kernel" };
static const struct said cpus = { "cpus", "CPUs" };
static const struct said locked_memory = { "locked_memory", "locked memory" };
static const struct said threads = { "threads", "threads" };
static const struct said libaio_requests = { "libaio_requests", "libaio requests" };
static const struct said hardware_counters = { "hardware_counters", "hardware counters" };
static const struct said system_calls = { "system_calls", "system calls" };
static const struct said upcall = { "upcall", "iolab upcall" };
static const struct said cpu_quota = { "cpu_quota", "CPU quota" };
static const struct said virtualization = { "virtualization", "virtualization" };
static const struct said cpu_frequency = { "cpu_frequency", "CPU frequency" };
static const struct said timer_slack = { "timer_slack", "timer slack" };

#define WORKLOADS_MAX 32

static json_t *with_cpus(double cpu_count)
{
	json_t *values = required(json_object());
	put_real(values, "cpus", cpu_count);
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
		     reasons_same(&answers->why[i], &answers->why[workload])))
			found |= UINT64_C(1) << i;
	return found;
}

static void add_engine_finding(struct findings *found, const char *label, enum health health,
			       const struct said *cure, json_t *cause)
{
	add_finding_on(found, remark_new("engine", with_text("engine", label), "engine {engine}"),
		       health, cure, cause);
}

/*
 * One finding for the workloads that the engine can run, and one for each reason why not. A variant's
 * are those in which it differs from the plain engine, whose answers are `plain`.
 */
static void examine_engine(struct findings *found, const struct engine_ops *engine,
			   uint64_t options, const struct answers *plain, struct answers *answers)
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
			found, label, GOOD, NULL,
			remark_new("workloads", with_text("workloads", names), "{workloads}"));
	for (unsigned i = 0; i < workloads_count(); i++) {
		bool known = works && plain && plain->rc[i] == answers->rc[i] &&
			     reasons_same(&plain->why[i], &answers->why[i]);
		if ((works | told) >> i & 1 || known)
			continue;
		told |= alike(answers, i);
		workload_names_chosen(alike(answers, i), names, sizeof names);
		json_t *reason = remark_of_reason(&answers->why[i]);
		add_engine_finding(found, label, works ? GOOD : MISSING,
				   works ? NULL : cure_of(-answers->rc[i]),
				   remark_caused("not_workloads", with_text("workloads", names),
						 "not {workloads}: {cause}", reason));
		json_decref(reason);
	}
	found->engines += works != 0;
}

static void examine_engines(struct findings *found)
{
	struct answers plain, answers;
	for (unsigned i = 0; i < engines_count(); i++) {
		const struct engine_ops *engine = engine_at(i);
		examine_engine(found, engine, 0, NULL, &plain);
		for (unsigned o = 0; engine->options && engine->options[o].name; o++)
			examine_engine(found, engine, UINT64_C(1) << o, &plain, &answers);
	}
	if (found->engines == 0)
		found->can_compare = false;
}

/* What each workload depends on beside its engine. Some share it. */
static void examine_workloads(struct findings *found, const char *file)
{
	for (unsigned i = 0; i < workloads_count(); i++) {
		bool known = !workload_at(i)->examine;
		for (unsigned j = 0; j < i; j++)
			known |= workload_at(j)->examine == workload_at(i)->examine;
		if (!known)
			workload_at(i)->examine(found, file);
	}
}

static void examine_kernel(struct findings *found)
{
	static const struct said newer = { "kernel_minimum", "Linux " KERNEL_MINIMUM " or newer" };
	struct utsname system;
	uname(&system);
	if (kernel_below_minimum(system.release))
		add_finding(
			found, &kernel, LIMITED, &newer,
			remark_new(
				"kernel_too_old", with_text("release", system.release),
				"{release} is older than the oldest that iolab is for, " KERNEL_MINIMUM));
	else
		add_finding(
			found, &kernel, GOOD, NULL,
			remark_new("kernel", with_text("release", system.release), "{release}"));
}

static void examine_cpus(struct findings *found)
{
	static const struct said three = { "three_cpus", "a machine with three CPUs or more" };
	static const struct said more = { "allow_cpus", "allow it more (taskset, cpuset)" };
	unsigned count = cpus_allowed();
	char with_peer[120];
	json_t *values = with_int("count", count);
	workload_names_with_peer(with_peer, sizeof with_peer);
	put_string(values, "workloads", with_peer);
	if (count >= 3)
		add_finding(found, &cpus, GOOD, NULL, remark_new("cpus", values, "{count}"));
	else if (count == 2)
		add_finding(
			found, &cpus, LIMITED, &three,
			remark_new("one_cpu_for_engine", values,
				   "{count}: in {workloads} the peer takes one, and the engine's "
				   "threads share the other"));
	else
		add_finding(found, &cpus, LIMITED, &more,
			    remark_new("cpu_shared", values,
				       "{count}: in {workloads} engine and peer share it"));
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

static void examine_locked_memory(struct findings *found)
{
	static const struct said raise = { "raise_memlock", "raise it: ulimit -l, limits.conf" };
	struct rlimit limit;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	json_t *values = required(json_object());
	put_limit(values, "limit_bytes", limit.rlim_cur);
	if (limit.rlim_cur >= 8u << 20)
		add_finding(
			found, &locked_memory, GOOD, NULL,
			remark_new("memlock_suffices", values,
				   "RLIMIT_MEMLOCK suffices for registered buffers at the usual "
				   "depths"));
	else
		add_finding(found, &locked_memory, LIMITED, &raise,
			    remark_new("memlock_bounds", values,
				       "RLIMIT_MEMLOCK {limit_bytes} bytes bounds "
				       "io_uring:fixed_buffers for ordinary users"));
}

static void examine_threads(struct findings *found)
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
		add_finding(found, &threads, GOOD, NULL,
			    remark_new("threads_unbounded", NULL, "no limit is known"));
	else if (most >= 2000)
		add_finding(found, &threads, GOOD, NULL,
			    remark_new("threads_suffice", with_int("most", most),
				       "{most} allowed: enough for one a connection"));
	else
		add_finding(found, &threads, LIMITED, &raise,
			    remark_new("threads_bound", with_int("most", most),
				       "{most} allowed: bounds --conns and --depth of threads and "
				       "posix_aio"));
}

static void examine_libaio(struct findings *found)
{
	static const struct said raise = { "raise_aio_max", "raise the sysctl fs.aio-max-nr" };
	long most = number_in("/proc/sys/fs/aio-max-nr", -1);
	long used = number_in("/proc/sys/fs/aio-nr", 0);
	if (most < 0)
		return;
	bool enough = most - used >= 16384;
	json_t *values = with_int("used", used);
	put_int(values, "most", most);
	add_finding(found, &libaio_requests, enough ? GOOD : LIMITED, enough ? NULL : &raise,
		    remark_new("aio_used", values, "{used} of fs.aio-max-nr {most} in use"));
}

static void examine_hardware_counters(struct findings *found)
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
		add_finding(found, &hardware_counters, GOOD, NULL,
			    remark_new("hardware_counted", NULL,
				       "instructions, cycles, misses: counted with "
				       "--count-hardware"));
	else
		add_finding(found, &hardware_counters, there ? LIMITED : MISSING,
			    forbidden ? &allow : &pmu,
			    remark_because("hardware_not_counted", "{cause}", &counters.why));
}

static void examine_counters(struct findings *found)
{
	static const struct said mount = {
		"mount_tracefs", "as root: mount -t tracefs tracefs /sys/kernel/tracing; sysctl "
				 "kernel.perf_event_paranoid=-1 for other users"
	};
	struct meter meter;
	meter_open(&meter, 0, true);
	if (meter.syscall_counter_fd >= 0)
		add_finding(found, &system_calls, GOOD, NULL,
			    remark_new("syscalls_counted", NULL, "counted through a tracepoint"));
	else
		add_finding(found, &system_calls, MISSING, &mount,
			    remark_because("syscalls_refused", "not counted: {cause}",
					   &meter.no_syscalls));
	meter_close(&meter);
	examine_hardware_counters(found);
}

/* Where tracefs has to be mounted, that is in a mount namespace: so nothing is examined after it. */
static void examine_upcall(struct findings *found)
{
	struct kernel_trace *trace;
	struct reason why = { "" };
	if (kernel_trace_open(&trace, &why) == 0)
		add_finding(found, &upcall, GOOD, NULL,
			    remark_new("can_trace", NULL,
				       "the steps of an operation in the kernel can be traced"));
	else
		add_finding(found, &upcall, MISSING, kernel_trace_cure(&why),
			    remark_because("cannot_trace", "{cause}", &why));
	kernel_trace_close(trace);
}

static void examine_noise(struct findings *found)
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
		add_finding(found, &virtualization, LIMITED, &ratios,
			    remark_new("virtual", with_text("machine", machine),
				       "{machine}: neighbours make noise"));
	else
		add_finding(found, &virtualization, GOOD, NULL,
			    remark_new("not_virtual", NULL, "none found"));
	double quota = json_number_value(json_object_get(env, "cpu_quota"));
	if (quota > 0)
		add_finding(found, &cpu_quota, LIMITED, &no_quota,
			    remark_new("cpu_quota", with_cpus(quota),
				       "a control group allows {cpus} CPUs' time (cpu.max)"));
	if (!governor)
		add_finding(
			found, &cpu_frequency, GOOD, NULL,
			remark_new("governor_unknown", NULL, "no governor is visible from here"));
	else if (strcmp(governor, "performance") == 0)
		add_finding(found, &cpu_frequency, GOOD, NULL,
			    remark_new("governor", with_text("governor", governor), "{governor}"));
	else
		add_finding(found, &cpu_frequency, LIMITED, &performance,
			    remark_new("governor_follows_load", with_text("governor", governor),
				       "the governor is {governor}: the clock follows the load"));
	json_decref(env);
	add_finding(found, &timer_slack, GOOD, NULL,
		    remark_new("timer_slack", with_int("slack_ns", prctl(PR_GET_TIMERSLACK)),
			       "{slack_ns} ns: a timeout may come this much late"));
}

static json_t *document_json(const struct findings *found, const char *file)
{
	json_t *document = required(json_object());
	put_string(document, "schema", "iolab.doctor.v2");
	put_bool(document, "can_compare", found->can_compare);
	put_shared(document, "findings", found->list);
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
	struct findings found = { .list = required(json_array()), .can_compare = true };
	argp_parse(&argp, argc, argv, 0, NULL, &o);

	examine_kernel(&found);
	examine_engines(&found);
	examine_cpus(&found);
	examine_workloads(&found, o.file);
	examine_locked_memory(&found);
	examine_threads(&found);
	examine_libaio(&found);
	examine_counters(&found);
	examine_noise(&found);
	examine_upcall(&found);
	if (o.json) {
		json_t *all = document_json(&found, o.file);
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(all);
	} else {
		print_findings(&found);
	}
	json_decref(found.list);
	return found.can_compare ? EXIT_OK : EXIT_ERROR;
}
