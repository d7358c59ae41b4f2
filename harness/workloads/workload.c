/* SPDX-License-Identifier: MIT */
#include "workloads/workload.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors that are not the workload's: of the program, its libraries and the engine. */
#define OTHER_FDS 64

const struct workload_ops *const workloads[] = {
	&workload_file, &workload_echo, &workload_idle, &workload_nop, NULL,
};

const struct workload_ops *workload_find(const char *name, struct reason *why)
{
	char known[200] = "";
	for (unsigned i = 0; workloads[i]; i++) {
		if (strcmp(workloads[i]->name, name) == 0)
			return workloads[i];
		strcat(strcat(known, i ? ", " : ""), workloads[i]->name);
	}
	reason_set(why, "no workload is called '%s'; there are %s", name, known);
	return NULL;
}

/* The engine's view of a run, as far as it can be known before the workload is open. */
static struct engine_config config_for_engine(const struct run_config *config)
{
	return (struct engine_config) {
		.depth = config->depth,
		.cpu_count = (unsigned)CPU_COUNT(&config->cpus),
		.options = config->engine_options,
	};
}

int workload_supported(const struct run_config *config, struct reason *why)
{
	struct io_pair pairs[WORKLOAD_PAIRS_MAX];
	unsigned refused_traits = 0;
	const char *refusal = NULL;
	unsigned pair_count = config->workload->needs(config, pairs, &refused_traits, &refusal);
	struct engine_config engine_config = config_for_engine(config);

	for (unsigned i = 0; i < pair_count; i++) {
		int rc = config->engine->supports(&engine_config, pairs[i].kind, pairs[i].fd_kind,
						  why);
		if (rc < 0)
			return rc;
	}
	if (config->engine->traits & refused_traits) {
		reason_set(why, "%s", refusal);
		return -EOPNOTSUPP;
	}
	return 0;
}

int workload_raise_fd_limit(const char *option, unsigned count, struct reason *why)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max >= count + OTHER_FDS)
		return 0;
	reason_set(
		why,
		"%s %u needs %u descriptors, and RLIMIT_NOFILE allows %llu; lower it, or raise the "
		"hard limit (ulimit -Hn)",
		option, count, count + OTHER_FDS, (unsigned long long)limit.rlim_max);
	return -EMFILE;
}

int workload_arena_alloc(struct workload *workload, unsigned depth, size_t len_bytes,
			 struct reason *why)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t stride = (len_bytes + page - 1) / page * page;
	void *arena = mmap(NULL, stride * depth, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (arena == MAP_FAILED)
		return reason_errno(why, errno, "%u buffers of %zu bytes", depth, stride);
	workload->arena = arena;
	workload->arena_len_bytes = stride * depth;
	return 0;
}
