/* SPDX-License-Identifier: MIT */
#include "workloads/workload.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/json_put.h"
#include "base/remark.h"

/* Descriptors that are not the workload's: of the program, its libraries and the engine. */
#define OTHER_FDS 64

/* Bounds of the section that WORKLOAD() fills; the linker defines them for any C-named section. */
extern const struct workload_ops *const __start_io_workloads[] __attribute__((weak));
extern const struct workload_ops *const __stop_io_workloads[] __attribute__((weak));

const struct sweep_axis axis_depth = {
	.option = "depth",
	.list_option = "depths",
	.list_help = "operations in flight",
	.label = "depth (operations offered)",
	.about = "“Depth” is how many operations are offered at a time.",
};

unsigned workloads_count(void)
{
	/* cppcheck-suppress comparePointers ; the linker makes them one array */
	return (unsigned)(__stop_io_workloads - __start_io_workloads);
}

static int compare_workloads(const struct workload_ops *a, const struct workload_ops *b)
{
	return a->place != b->place ? (a->place < b->place ? -1 : 1) : strcmp(a->name, b->name);
}

const struct workload_ops *workload_at(unsigned position)
{
	/* The linker keeps the order of the object files. A handful needs no sorted copy. */
	for (unsigned i = 0; i < workloads_count(); i++) {
		unsigned before = 0;
		for (unsigned j = 0; j < workloads_count(); j++)
			before += compare_workloads(__start_io_workloads[j],
						    __start_io_workloads[i]) < 0;
		if (before == position)
			return __start_io_workloads[i];
	}
	return NULL;
}

const struct workload_ops *workload_find(const char *name, struct reason *why)
{
	char known[200];
	size_t used = 0;
	for (unsigned i = 0; i < workloads_count(); i++) {
		const struct workload_ops *workload = workload_at(i);
		if (strcmp(workload->name, name) == 0)
			return workload;
		if (used < sizeof known)
			used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
						 used ? ", " : "", workload->name);
	}
	reason_say(why, "no workload is called '%s'; there are %s", name, known);
	return NULL;
}

void workload_names_chosen(uint64_t chosen, char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < workloads_count(); i++) {
		if (!(chosen >> i & 1))
			continue;
		bool last = chosen >> i == 1;
		if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 used == 0 ? ""
						 : last	   ? " and "
							   : ", ",
						 workload_at(i)->name);
	}
}

void workload_names(char *text, size_t size)
{
	workload_names_chosen((UINT64_C(1) << workloads_count()) - 1, text, size);
}

void workload_names_with_peer(char *text, size_t size)
{
	uint64_t chosen = 0;
	for (unsigned i = 0; i < workloads_count(); i++)
		chosen |= (uint64_t)workload_at(i)->has_peer << i;
	workload_names_chosen(chosen, text, size);
}

void workload_names_by_options(const struct option_row *options, char *text, size_t size)
{
	uint64_t chosen = 0;
	for (unsigned i = 0; i < workloads_count(); i++)
		chosen |= (uint64_t)(workload_at(i)->options == options) << i;
	workload_names_chosen(chosen, text, size);
}

void workload_names_by_axis(const struct sweep_axis *axis, char *text, size_t size)
{
	uint64_t chosen = 0;
	for (unsigned i = 0; i < workloads_count(); i++)
		chosen |= (uint64_t)(workload_at(i)->axis == axis) << i;
	workload_names_chosen(chosen, text, size);
}

/* The option is not in this workload's table: whose is it, and what takes its place? */
static void refuse_foreign_option(const struct workload_ops *workload, const char *name,
				  struct reason *why)
{
	char owners[120];
	uint64_t chosen = 0;
	bool is_axis = false;
	for (unsigned i = 0; i < workloads_count(); i++) {
		const struct workload_ops *other = workload_at(i);
		const struct option_row *row = option_find(other->options, name);
		if (!row || row->kind == OPTION_REFUSED)
			continue;
		chosen |= UINT64_C(1) << i;
		is_axis |= strcmp(other->axis->option, name) == 0;
	}
	workload_names_chosen(chosen, owners, sizeof owners);
	reason_say(why, "it belongs to the workload%s %s; %s%s", chosen & (chosen - 1) ? "s" : "",
		   owners, is_axis ? "use --" : "leave it out",
		   is_axis ? workload->axis->option : "");
}

bool workload_option_works(const struct run_config *config, const char *name, struct reason *why)
{
	const struct workload_ops *workload = config->workload;
	const struct option_row *row = option_find(workload->options, name);
	const char *ignored = row && row->kind == OPTION_REFUSED ? row->help : NULL;
	if (!row)
		refuse_foreign_option(workload, name, why);
	if (row && !ignored && workload->ignores)
		ignored = workload->ignores(config, name);
	if (ignored)
		reason_say(why, "%s", ignored);
	return row && !ignored;
}

/* Where the row's field lies. */
static char *base_of(const struct run_config *config, const struct option_row *row)
{
	return row->own ? (char *)config->settings : (char *)config;
}

int workload_settings_begin(struct run_config *config, struct reason *why)
{
	const struct workload_ops *workload = config->workload;
	config->settings = workload->settings_bytes ? calloc(1, workload->settings_bytes) : NULL;
	if (workload->settings_bytes && !config->settings)
		return reason_no_memory(why, "settings");
	for (const struct option_row *row = workload->options; row && row->name; row++)
		option_store_default(row, base_of(config, row));
	return 0;
}

int workload_option_store(struct run_config *config, const struct option_row *row, const char *text,
			  struct reason *why)
{
	return option_store(row, base_of(config, row), text, why);
}

double workload_proven_pct(uint64_t proven, uint64_t finished)
{
	return finished ? 100.0 * (double)proven / (double)finished : NAN;
}

unsigned workload_x(const struct run_config *config)
{
	const struct workload_ops *workload = config->workload;
	const struct option_row *row = option_find(workload->options, workload->axis->option);
	assert(row);
	return (unsigned)option_number(row, base_of(config, row));
}

void workload_need(struct workload_needs *needs, enum io_kind kind, enum io_fd_kind fd_kind)
{
	assert(needs->pair_count < WORKLOAD_NEEDS_MAX);
	needs->pairs[needs->pair_count++] = (struct io_pair) { kind, fd_kind };
}

void workload_refuse(struct workload_needs *needs, enum engine_trait trait, const char *id,
		     const char *text)
{
	assert(needs->refused_count < WORKLOAD_NEEDS_MAX);
	needs->refused[needs->refused_count].trait = trait;
	needs->refused[needs->refused_count].id = id;
	needs->refused[needs->refused_count++].text = text;
}

int workload_usual_config(const struct workload_ops *workload, struct run_config *config,
			  struct reason *why)
{
	const struct typed_options none = { 0 };
	*config = (struct run_config) { .workload = workload };
	int rc = workload_settings_begin(config, why);
	if (rc == 0 && workload->settle)
		rc = workload->settle(config, &none, why);
	workload_settle_cpus(config);
	return rc;
}

const struct workload_ops *workload_without_io(void)
{
	for (unsigned i = 0; i < workloads_count(); i++) {
		struct run_config config;
		struct workload_needs needs = { 0 };
		struct reason unused;
		bool without = workload_usual_config(workload_at(i), &config, &unused) == 0;
		if (without)
			workload_at(i)->needs(&config, &needs);
		for (unsigned pair = 0; pair < needs.pair_count; pair++)
			without = without && needs.pairs[pair].fd_kind == IO_FD_NONE;
		free(config.settings);
		if (without)
			return workload_at(i);
	}
	return NULL;
}

void workload_settle_cpus(struct run_config *config)
{
	if (CPU_COUNT(&config->cpus) > 0)
		return;
	cpu_set_t allowed;
	sched_getaffinity(0, sizeof allowed, &allowed);
	config->cpus = allowed;
	if (!config->workload->has_peer || CPU_COUNT(&allowed) < 2)
		return;
	int last = CPU_SETSIZE - 1;
	while (!CPU_ISSET(last, &allowed))
		last--;
	CPU_CLR(last, &config->cpus);
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

static bool needs_kind(const struct workload_needs *needs, enum io_kind kind)
{
	for (unsigned i = 0; i < needs->pair_count; i++)
		if (needs->pairs[i].kind == kind)
			return true;
	return false;
}

/*
 * An engine is asked for one pair after another. So it cannot know that an option for accepts stands where
 * nobody accepts, and the plain engine would run under the option's name.
 */
static int refuse_idle_options(const struct run_config *config, const struct workload_needs *needs,
			       struct reason *why)
{
	const struct engine_option *options = config->engine->options;
	for (unsigned i = 0; options && options[i].name; i++) {
		if (!(config->engine_options >> i & 1) || !(options[i].traits & IO_ACCEPTS_AHEAD) ||
		    needs_kind(needs, IO_ACCEPT))
			continue;
		reason_set(why, "accepts_nobody",
			   "{option} changes how an engine accepts, and here it accepts nobody",
			   reason_string("option", options[i].name));
		return -EOPNOTSUPP;
	}
	return 0;
}

int workload_supported(const struct run_config *config, struct reason *why)
{
	struct workload_needs needs = { 0 };
	struct engine_config engine_config = config_for_engine(config);
	config->workload->needs(config, &needs);

	for (unsigned i = 0; i < needs.pair_count; i++) {
		int rc = config->engine->supports(&engine_config, needs.pairs[i].kind,
						  needs.pairs[i].fd_kind, why);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < needs.refused_count; i++) {
		if (!(config->engine->traits & needs.refused[i].trait))
			continue;
		reason_store(why, 0, needs.refused[i].id, needs.refused[i].text, REASON_LIST());
		return -EOPNOTSUPP;
	}
	return refuse_idle_options(config, &needs, why);
}

int workload_raise_fd_limit(const char *option, unsigned value, unsigned count, struct reason *why)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max >= count + OTHER_FDS)
		return 0;
	reason_set(why, "descriptor_limit",
		   "{option} {value} needs {needed} descriptors, and RLIMIT_NOFILE allows {limit}; "
		   "lower it, or raise the hard limit (ulimit -Hn)",
		   reason_string("option", option), reason_int("value", value),
		   reason_int("needed", count + OTHER_FDS),
		   reason_int("limit", (int64_t)limit.rlim_max));
	return -EMFILE;
}

void workload_examine_fds(struct findings *found, unsigned wanted, const char *what)
{
	static const struct said descriptors = { "descriptors", "descriptors" };
	static const struct said raise = { "raise_descriptors",
					   "raise the hard limit: ulimit -Hn, limits.conf" };
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	bool enough = limit.rlim_max >= wanted + OTHER_FDS;
	json_t *values = with_text("what", what);
	put_limit(values, "limit", limit.rlim_max);
	if (enough)
		put_int(values, "count", wanted);
	else
		put_int(values, "count",
			limit.rlim_max > OTHER_FDS ? (int64_t)(limit.rlim_max - OTHER_FDS) : 0);
	if (enough)
		add_finding(found, &descriptors, GOOD, NULL,
			    remark_new("descriptors_suffice", values,
				       "RLIMIT_NOFILE {limit}: enough for {count} {what}"));
	else
		add_finding(found, &descriptors, LIMITED, &raise,
			    remark_new("descriptors_bound", values,
				       "RLIMIT_NOFILE {limit}: at most {count} {what}"));
}

int workload_arena_alloc(struct workload *workload, unsigned depth, size_t len_bytes,
			 struct reason *why)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t stride = (len_bytes + page - 1) / page * page;
	void *arena = mmap(NULL, stride * depth, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (arena == MAP_FAILED)
		return reason_no_memory(why, "buffers");
	workload->arena = arena;
	workload->arena_len_bytes = stride * depth;
	return 0;
}
