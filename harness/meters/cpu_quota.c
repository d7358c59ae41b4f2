/* SPDX-License-Identifier: MIT */
#include "meters/cpu_quota.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The path of our group, "/a/b", from the line "0::/a/b". "/" where it lies outside of what we see. */
static bool own_group(const char *groups_path, char *group, size_t size)
{
	char line[PATH_MAX];
	FILE *file = fopen(groups_path, "re");
	bool found = false;
	while (file && !found && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, "0::/", 4) == 0;
	}
	if (file)
		fclose(file);
	if (found)
		snprintf(group, size, "%s", strstr(line, "/..") ? "/" : line + 3);
	return found;
}

/* The quota of one group; 0 where it has none. */
static double quota_of(const char *mount, const char *group)
{
	char path[2 * PATH_MAX];
	double quota_us, period_us;
	snprintf(path, sizeof path, "%s%s/cpu.max", mount, group);
	FILE *file = fopen(path, "re");
	bool set = file && fscanf(file, "%lf %lf", &quota_us, &period_us) == 2 && period_us > 0;
	if (file)
		fclose(file);
	return set ? quota_us / period_us : 0;
}

double cpu_quota_cpus(const char *groups_path, const char *mount)
{
	char group[PATH_MAX];
	double smallest = 0;
	if (!own_group(groups_path, group, sizeof group))
		return 0;
	for (char *end = group + strlen(group); end; end = strrchr(group, '/')) {
		*end = '\0';
		double quota = quota_of(mount, group);
		if (quota > 0 && (smallest == 0 || quota < smallest))
			smallest = quota;
	}
	return smallest;
}
