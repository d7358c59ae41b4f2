/* SPDX-License-Identifier: MIT */
#include "meters/environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/json_put.h"
#include "build_info.h"
#include "meters/cpu_quota.h"

#define IOLAB_VERSION "0.1"

const char *iolab_version(void)
{
	return IOLAB_VERSION " (" IOLAB_COMMIT ")";
}

/* The first line of a small file, without its newline; NULL (errno set) when it cannot be read. */
static char *first_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	char *got = fgets(line, (int)size, file);
	fclose(file);
	if (got)
		line[strcspn(line, "\n")] = '\0';
	return got;
}

static json_t *first_line_json(const char *path)
{
	char line[512];
	return first_line(path, line, sizeof line) ? json_string(line) : json_null();
}

/* The value of a "key : value" line of /proc/cpuinfo. */
static json_t *cpuinfo(const char *key)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[1024];
	json_t *value = NULL;
	while (file && !value && fgets(line, sizeof line, file)) {
		char *colon = strchr(line, ':');
		if (!colon || strncmp(line, key, strlen(key)) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		value = json_string(colon + 1 + strspn(colon + 1, " "));
	}
	if (file)
		fclose(file);
	return value ? value : json_null();
}

/*
 * Does the program see another system than the kernel began with? What container engines make is such a
 * namespace, whatever file system lies below it. The numbers are those of the kernel's proc_ns.h.
 */
static bool is_in_namespace(void)
{
	static const struct {
		const char *path;
		ino_t first;
	} namespaces[] = { { "/proc/self/ns/pid", 0xeffffffc },
			   { "/proc/self/ns/uts", 0xeffffffe },
			   { "/proc/self/ns/ipc", 0xefffffff },
			   { "/proc/self/ns/user", 0xeffffffd } };
	struct stat status;
	for (unsigned i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
		if (stat(namespaces[i].path, &status) == 0 && status.st_ino != namespaces[i].first)
			return true;
	return false;
}

/* Which container this is; NULL when it is none. */
static json_t *container(void)
{
	char line[512];
	if (access("/run/.containerenv", F_OK) == 0)
		return json_string("container: podman");
	if (first_line("/run/systemd/container", line, sizeof line))
		return json_sprintf("container: %s", line);
	/* Last: a virtual machine that was made from an image of docker has this file, too. */
	if (access("/.dockerenv", F_OK) == 0)
		return json_string(is_in_namespace() ? "container: docker" : "image of docker");
	return NULL;
}

/* Whether the CPU says that a hypervisor is below it, and who; NULL when it says nothing. */
static json_t *hypervisor(void)
{
	char line[512];
	json_t *flags = cpuinfo("flags");
	const char *text = json_string_value(flags);
	bool is_guest = text && strstr(text, " hypervisor");
	json_decref(flags);
	if (!is_guest)
		return NULL;
	if (first_line("/sys/class/dmi/id/sys_vendor", line, sizeof line))
		return json_sprintf("virtual machine: %s", line);
	return json_string("virtual machine");
}

/* One does not exclude the other: a container is most often in a virtual machine. */
static json_t *virtualization(void)
{
	json_t *inner = container(), *outer = hypervisor();
	if (!inner || !outer)
		return inner ? inner : outer ? outer : json_null();
	json_t *both =
		json_sprintf("%s, in a %s", json_string_value(inner), json_string_value(outer));
	json_decref(inner);
	json_decref(outer);
	return both;
}

static json_t *mitigations(void)
{
	const char *folder = "/sys/devices/system/cpu/vulnerabilities";
	json_t *found = json_object();
	DIR *directory = opendir(folder);
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char path[PATH_MAX];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		json_object_set_new(found, entry->d_name, first_line_json(path));
	}
	if (directory)
		closedir(directory);
	return found;
}

static json_t *limit_json(int resource)
{
	struct rlimit limits;
	if (getrlimit(resource, &limits) < 0)
		return json_null();
	return limits.rlim_cur == RLIM_INFINITY ? json_string("unlimited")
						: json_integer((json_int_t)limits.rlim_cur);
}

/* The path that exists: the file, or the folder that it will be made in. */
static bool existing_path(const char *file, char path[PATH_MAX])
{
	struct stat status;
	if (strlen(file) >= PATH_MAX)
		return false;
	strcpy(path, file);
	if (stat(path, &status) == 0)
		return true;
	const char *folder = dirname(path); /* most often `path` itself, cut short */
	memmove(path, folder, strlen(folder) + 1);
	return stat(path, &status) == 0;
}

/* The file system's type, from the line of /proc/self/mountinfo that has the file's device. */
static json_t *filesystem_type(dev_t device)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	json_t *type = NULL;
	while (file && !type && fgets(line, sizeof line, file)) {
		unsigned major_number, minor_number;
		char name[64];
		char *dash = strstr(line, " - ");
		if (dash && sscanf(line, "%*d %*d %u:%u", &major_number, &minor_number) == 2 &&
		    makedev(major_number, minor_number) == device &&
		    sscanf(dash, " - %63s", name) == 1)
			type = json_string(name);
	}
	if (file)
		fclose(file);
	return type ? type : json_null();
}

/* The scheduler in [brackets]; a partition has none of its own, its disk has. */
static json_t *io_scheduler(const char *sysfs_device)
{
	static const char *const queues[] = { "queue/scheduler", "../queue/scheduler" };
	for (unsigned i = 0; i < 2; i++) {
		char path[PATH_MAX], line[256];
		snprintf(path, sizeof path, "%s/%s", sysfs_device, queues[i]);
		if (!first_line(path, line, sizeof line))
			continue;
		char *open = strchr(line, '['), *shut = strchr(line, ']');
		if (open && shut > open) {
			*shut = '\0';
			return json_string(open + 1);
		}
		return json_string(line);
	}
	return json_null();
}

/* Fills filesystem, device and scheduler. A file on tmpfs or overlayfs has no device. */
static void describe_file(json_t *env, const char *test_file)
{
	char path[PATH_MAX], sysfs_device[64], real[PATH_MAX];
	struct stat status;
	json_t *filesystem = NULL, *device = NULL, *scheduler = NULL;

	if (test_file && existing_path(test_file, path) && stat(path, &status) == 0) {
		bool is_device = S_ISBLK(status.st_mode);
		dev_t number = is_device ? status.st_rdev : status.st_dev;
		filesystem =
			is_device ? json_string("none: block device") : filesystem_type(number);
		snprintf(sysfs_device, sizeof sysfs_device, "/sys/dev/block/%u:%u", major(number),
			 minor(number));
		if (realpath(sysfs_device, real)) {
			char backing[PATH_MAX];
			snprintf(backing, sizeof backing, "%.4000s/loop/backing_file", real);
			char line[512];
			device = first_line(backing, line, sizeof line)
					 ? json_sprintf("%s over %s", basename(real), line)
					 : json_string(basename(real));
			scheduler = io_scheduler(sysfs_device);
		}
	}
	json_object_set_new(env, "filesystem", filesystem ? filesystem : json_null());
	json_object_set_new(env, "device", device ? device : json_null());
	json_object_set_new(env, "scheduler", scheduler ? scheduler : json_null());
}

bool environment_is_of_file(const char *key)
{
	return strcmp(key, "filesystem") == 0 || strcmp(key, "device") == 0 ||
	       strcmp(key, "scheduler") == 0;
}

static json_t *limits_json(void)
{
	json_t *limits = required(json_object());
	put_new(limits, "nofile", limit_json(RLIMIT_NOFILE));
	put_new(limits, "memlock_bytes", limit_json(RLIMIT_MEMLOCK));
	put_new(limits, "nproc", limit_json(RLIMIT_NPROC));
	return limits;
}

json_t *environment_json(const char *test_file)
{
	struct utsname system;
	uname(&system);
	json_t *env = required(json_object());
	put_string(env, "kernel", system.release);
	put_string(env, "machine", system.machine);
	put_new(env, "cpu_model", cpuinfo("model name"));
	put_int(env, "cpus_online", sysconf(_SC_NPROCESSORS_ONLN));
	put_int(env, "memory_bytes", (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
	double quota_cpus = cpu_quota_cpus("/proc/self/cgroup", "/sys/fs/cgroup");
	put_new(env, "cpu_quota", quota_cpus > 0 ? json_real(quota_cpus) : json_null());
	put_new(env, "virtualization", virtualization());
	put_new(env, "mitigations", mitigations());
	put_new(env, "governor",
		first_line_json("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
	put_new(env, "limits", limits_json());
	put_int(env, "timer_slack_ns", prctl(PR_GET_TIMERSLACK));
	put_string(env, "libc", gnu_get_libc_version());
	put_string(env, "liburing", IOLAB_LIBURING);
	put_string(env, "compiler", IOLAB_COMPILER);
	put_string(env, "cflags", IOLAB_CFLAGS);
	put_string(env, "commit", IOLAB_COMMIT);
	put_string(env, "iolab", IOLAB_VERSION);
	describe_file(env, test_file);
	return env;
}
