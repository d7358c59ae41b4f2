/* SPDX-License-Identifier: MIT */
#include "meters/kernel_trace.h"

#include <errno.h>
#include <string.h>

#ifdef IOLAB_HAS_LIBTRACEFS

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <tracefs.h>
#include <unistd.h>

#include "meters/tracefs_mount.h"

#define INSTANCE_PREFIX "iolab-"
#define BUFFER_KIB	"2048" /* of each CPU */

/* PROC_PID_INIT_INO in the kernel: the namespace whose numbers of threads the trace has. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCu

struct kernel_trace {
	char folder[PATH_MAX]; /* of tracefs */
	struct tracefs_instance *instance;
	int lock_fd; /* the instance's folder: locked as long as its owner lives */
	struct tep_handle *formats;
	struct tep_event *events[KERNEL_EVENT_KINDS]; /* NULL where the kernel has none */
	struct tep_format_field *fields[KERNEL_EVENT_KINDS][KERNEL_EVENT_VALUES];
};

/*
 * Removes the instance of a process that was killed. Its owner is gone when no such process is to be
 * seen and the lock is free: a process of another container is not to be seen either.
 */
static void remove_if_stale(const char *folder, const char *name)
{
	char path[PATH_MAX + 300], *end;
	long pid = strtol(name + strlen(INSTANCE_PREFIX), &end, 10);
	if (*end || pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
		return;
	snprintf(path, sizeof path, "%s/instances/%s", folder, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	if (is_free)
		rmdir(path);
}

static void remove_stale_instances(const char *folder)
{
	char path[PATH_MAX + 20];
	snprintf(path, sizeof path, "%s/instances", folder);
	DIR *instances = opendir(path);
	for (struct dirent *entry; instances && (entry = readdir(instances));)
		if (strncmp(entry->d_name, INSTANCE_PREFIX, strlen(INSTANCE_PREFIX)) == 0)
			remove_if_stale(folder, entry->d_name);
	if (instances)
		closedir(instances);
}

static int make_instance(struct kernel_trace *trace, struct reason *why)
{
	char name[40];
	snprintf(name, sizeof name, INSTANCE_PREFIX "%ld", (long)getpid());
	errno = 0;
	trace->instance = tracefs_instance_create(name);
	if (!trace->instance)
		return reason_errno(why, "no_right_to_trace", errno ? errno : EPERM,
				    "making an instance in {folder}",
				    reason_string("folder", trace->folder));
	char *path = tracefs_instance_get_dir(trace->instance);
	if (path)
		trace->lock_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tracefs_put_tracing_file(path);
	if (trace->lock_fd < 0 || flock(trace->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return reason_errno(why, "no_right_to_trace", errno,
				    "making an instance in {folder}",
				    reason_string("folder", trace->folder));
	return 0;
}

static int write_setting(struct kernel_trace *trace, const char *file, const char *value,
			 struct reason *why)
{
	errno = 0;
	if (tracefs_instance_file_write(trace->instance, file, value) >= 0)
		return 0;
	return reason_errno(why, "trace_not_set", errno ? errno : EIO,
			    "writing {value} to {file} of tracefs", reason_string("value", value),
			    reason_string("file", file));
}

/* How the kernel lays out the tracepoints that it has, and turns them on. */
static int turn_on_events(struct kernel_trace *trace, struct reason *why)
{
	const char *systems[KERNEL_EVENT_KINDS + 1] = { NULL };
	unsigned count = 0;
	for (unsigned kind = 0; kind < KERNEL_EVENT_KINDS; kind++)
		if (count == 0 || strcmp(systems[count - 1], kernel_tracepoints[kind].system) != 0)
			systems[count++] = kernel_tracepoints[kind].system;
	trace->formats = tracefs_local_events_system(trace->folder, systems);
	if (!trace->formats)
		return reason_errno(why, "no_trace_events", errno ? errno : EIO,
				    "reading the formats of events in {folder}",
				    reason_string("folder", trace->folder));
	for (unsigned kind = 0; kind < KERNEL_EVENT_KINDS; kind++) {
		const struct kernel_tracepoint *point = &kernel_tracepoints[kind];
		struct tep_event *event =
			tep_find_event_by_name(trace->formats, point->system, point->name);
		if (!event || tracefs_event_enable(trace->instance, point->system, point->name) < 0)
			continue;
		trace->events[kind] = event;
		for (unsigned i = 0; i < KERNEL_EVENT_VALUES && point->fields[i]; i++)
			trace->fields[kind][i] = tep_find_field(event, point->fields[i]);
	}
	return 0;
}

/* In another namespace our threads have other numbers than in the trace, and would not be found there. */
static int check_pid_namespace(struct reason *why)
{
	struct stat namespace;
	if (stat("/proc/self/ns/pid", &namespace) < 0 || namespace.st_ino == FIRST_PID_NAMESPACE)
		return 0;
	reason_set(why, "pid_namespace",
		   "in a PID namespace, as in a container, threads have other numbers than in the "
		   "kernel's trace");
	return -ENOTSUP;
}

int kernel_trace_open(struct kernel_trace **out, struct reason *why)
{
	struct kernel_trace *trace = calloc(1, sizeof *trace);
	*out = NULL;
	if (!trace)
		return reason_no_memory(why, "the kernel's trace");
	trace->lock_fd = -1;
	int rc = check_pid_namespace(why);
	if (rc == 0)
		rc = tracefs_folder(trace->folder, sizeof trace->folder, why);
	if (rc < 0)
		goto out;
	/* Told where it is, the library mounts none of its own. */
	tracefs_set_tracing_dir(trace->folder);
	remove_stale_instances(trace->folder);
	rc = make_instance(trace, why);
	if (rc < 0)
		goto out;
	tracefs_trace_off(trace->instance);
	rc = write_setting(trace, "trace_clock", "mono", why);
	if (rc == 0)
		rc = write_setting(trace, "buffer_size_kb", BUFFER_KIB, why);
	if (rc == 0)
		rc = turn_on_events(trace, why);
out:
	if (rc < 0)
		kernel_trace_close(trace);
	else
		*out = trace;
	return rc;
}

bool kernel_trace_has(const struct kernel_trace *trace, enum kernel_event_kind kind)
{
	return trace->events[kind] != NULL;
}

int kernel_trace_begin(struct kernel_trace *trace, struct reason *why)
{
	tracefs_trace_off(trace->instance);
	int rc = write_setting(trace, "trace", "0", why); /* empties the buffer */
	return rc < 0 ? rc : write_setting(trace, "tracing_on", "1", why);
}

/* What the reader's callback fills. */
struct trace_reading {
	const struct kernel_trace *trace;
	struct kernel_events *events;
	uint64_t missed;
	bool no_memory;
};

static bool has_room(struct kernel_events *events)
{
	if (events->count < events->capacity)
		return true;
	size_t capacity = events->capacity ? 2 * events->capacity : 4096;
	struct kernel_event *all = realloc(events->all, capacity * sizeof *all);
	if (!all)
		return false;
	events->all = all;
	events->capacity = capacity;
	return true;
}

/* Returns 0 to go on, anything else to stop. */
static int take_event(struct tep_event *event, struct tep_record *record, int cpu, void *context)
{
	struct trace_reading *reading = context;
	const struct kernel_trace *trace = reading->trace;
	unsigned kind = 0;
	if (record->missed_events)
		reading->missed++;
	while (kind < KERNEL_EVENT_KINDS && trace->events[kind] != event)
		kind++;
	if (kind == KERNEL_EVENT_KINDS)
		return 0;
	if (!has_room(reading->events)) {
		reading->no_memory = true;
		return 1;
	}
	struct kernel_event *taken = &reading->events->all[reading->events->count++];
	*taken = (struct kernel_event) {
		.at_ns = record->ts,
		.thread = tep_data_pid(trace->formats, record),
		.cpu = (uint16_t)cpu,
		.kind = (uint8_t)kind,
	};
	for (unsigned i = 0; i < KERNEL_EVENT_VALUES && trace->fields[kind][i]; i++) {
		unsigned long long value = 0;
		tep_read_number_field(trace->fields[kind][i], record->data, &value);
		taken->values[i] = (int64_t)value;
	}
	return 0;
}

/* The number after `key` in a CPU's statistics. */
static uint64_t statistic(const char *text, const char *key)
{
	const char *found = text ? strstr(text, key) : NULL;
	return found ? strtoull(found + strlen(key), NULL, 10) : 0;
}

/* What the ring of each CPU had no room for. */
static uint64_t count_dropped(const struct kernel_trace *trace)
{
	uint64_t dropped = 0;
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	for (long cpu = 0; cpu < cpus; cpu++) {
		char file[60];
		snprintf(file, sizeof file, "per_cpu/cpu%ld/stats", cpu);
		char *text = tracefs_instance_file_read(trace->instance, file, NULL);
		dropped += statistic(text, "\noverrun: ") + statistic(text, "\ndropped events: ");
		free(text);
	}
	return dropped;
}

static int compare_event_times(const void *a, const void *b)
{
	const struct kernel_event *x = a, *y = b;
	return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

int kernel_trace_end(struct kernel_trace *trace, struct kernel_events *events, struct reason *why)
{
	struct trace_reading reading = { .trace = trace, .events = events };
	events->count = 0;
	tracefs_trace_off(trace->instance);
	uint64_t dropped = count_dropped(trace);
	errno = 0;
	int rc = tracefs_iterate_raw_events(trace->formats, trace->instance, NULL, 0, take_event,
					    &reading);
	if (reading.no_memory)
		return reason_no_memory(why, "the kernel's events");
	if (rc < 0)
		return reason_errno(why, "trace_not_read", errno ? errno : EIO,
				    "reading the kernel's events");
	if (dropped + reading.missed > 0)
		return reason_errno(why, "events_lost", EOVERFLOW,
				    "the kernel had to drop {events} events of this trace; other "
				    "programs leave it too many: end them, or take fewer --ops",
				    reason_int("events", (int64_t)(dropped + reading.missed)));
	qsort(events->all, events->count, sizeof *events->all, compare_event_times);
	return 0;
}

void kernel_trace_close(struct kernel_trace *trace)
{
	if (!trace)
		return;
	if (trace->lock_fd >= 0)
		close(trace->lock_fd);
	if (trace->instance) {
		tracefs_instance_destroy(trace->instance);
		tracefs_instance_free(trace->instance);
	}
	if (trace->formats)
		tep_free(trace->formats);
	free(trace);
}

#else /* built without the libraries */

int kernel_trace_open(struct kernel_trace **trace, struct reason *why)
{
	*trace = NULL;
	reason_set(why, "built_without_libtracefs", "built without libtracefs");
	return -ENOSYS;
}

bool kernel_trace_has(const struct kernel_trace *trace, enum kernel_event_kind kind)
{
	(void)trace;
	(void)kind;
	return false;
}

int kernel_trace_begin(struct kernel_trace *trace, struct reason *why)
{
	return kernel_trace_open(&trace, why);
}

int kernel_trace_end(struct kernel_trace *trace, struct kernel_events *events, struct reason *why)
{
	(void)events;
	return kernel_trace_open(&trace, why);
}

void kernel_trace_close(struct kernel_trace *trace)
{
	(void)trace;
}

#endif

const struct said *kernel_trace_cure(const struct reason *why)
{
	static const struct {
		const char *cause;
		struct said cure;
	} known[] = {
		{ "no_right_to_trace", { "trace_as_root", "run it as root" } },
		{ "tracefs_not_mounted",
		  { "mount_tracefs_once",
		    "run it as root, or once as root: mount -t tracefs tracefs "
		    "/sys/kernel/tracing" } },
		{ "kernel_without_tracefs",
		  { "kernel_with_tracing", "a kernel with CONFIG_TRACING" } },
		{ "pid_namespace", { "trace_on_the_host", "run it on the host" } },
		{ "built_without_libtracefs",
		  { "build_with_libtracefs", "run harness/setup.sh, then make" } },
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i].cause, why->id) == 0)
			return &known[i].cure;
	return NULL;
}
