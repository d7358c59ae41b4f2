/* SPDX-License-Identifier: MIT */
#include "run/run_options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engines.h"
#include "workloads/workload.h"

enum option_key {
	OPT_FILE = 0x100,
	OPT_SIZE,
	OPT_BS,
	OPT_RW,
	OPT_RWMIXREAD,
	OPT_DIRECT,
	OPT_CACHE,
	OPT_FSYNC,
	OPT_FDATASYNC,
	OPT_FD_PER_OP,
	OPT_VERIFY,
	OPT_CONNS,
	OPT_ACTIVE,
	OPT_MSG_SIZE,
	OPT_TRANSPORT,
	OPT_SLOW,
	OPT_SLOW_PAUSE_MS,
	OPT_DEPTH,
	OPT_BATCH_SUBMIT,
	OPT_BATCH_COMPLETE,
	OPT_COMPUTE_US,
	OPT_COMPUTE_LOOPS,
	OPT_RATE,
	OPT_STALL_MS,
	OPT_RUNTIME,
	OPT_WARMUP,
	OPT_OPS,
	OPT_SEED,
	OPT_CPUS,
	OPT_COUNT_SYSCALLS,
	OPT_COUNT_HARDWARE,
	OPT_TRACE_US,
	OPT_JSON,
	OPT_ROUND,
	OPT_POSITION,
	OPT_PLAN,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What to compare:", 1 },
	{ "engine", 'e', "NAME[:OPTION+...]", 0, "interface under test (see `iolab list`)", 1 },
	{ "workload", 'w', "NAME", 0, "file, echo, idle or nop (default: file)", 1 },

	{ NULL, 0, NULL, 0, "Workload file (sizes in bytes take k, M, G, powers of 1024):", 2 },
	{ "file", OPT_FILE, "PATH", 0,
	  "test file or block device (default: iolab-UID.test in $TMPDIR or /var/tmp; kept)", 2 },
	{ "size", OPT_SIZE, "SIZE", 0, "how much of it is used (default: 256M)", 2 },
	{ "bs", OPT_BS, "SIZE", 0, "bytes of one operation (default: 4k)", 2 },
	{ "rw", OPT_RW, "PATTERN", 0,
	  "read, write, randread, randwrite or randrw (default: randread)", 2 },
	{ "rwmixread", OPT_RWMIXREAD, "PERCENT", 0, "share of reads in randrw (default: 50)", 2 },
	{ "direct", OPT_DIRECT, "0|1", 0, "1: O_DIRECT, past the page cache (default: 0)", 2 },
	{ "cache", OPT_CACHE, "warm|dropped", 0, "page cache when the run begins (default: warm)",
	  2 },
	{ "fsync", OPT_FSYNC, "N", 0, "an fsync after every N writes", 2 },
	{ "fdatasync", OPT_FDATASYNC, "N", 0, "an fdatasync after every N writes", 2 },
	{ "fd-per-op", OPT_FD_PER_OP, NULL, 0, "open the file once for each operation in flight",
	  2 },
	{ "verify", OPT_VERIFY, NULL, 0, "prove every block read, and every write after the run",
	  2 },

	{ NULL, 0, NULL, 0, "Workloads echo and idle (counts take k, M, G, powers of 1000):", 3 },
	{ "conns", OPT_CONNS, "N", 0, "connections (default: 50; idle: 1000)", 3 },
	{ "active", OPT_ACTIVE, "N", 0, "how many of them talk (default: all; idle: 1)", 3 },
	{ "msg-size", OPT_MSG_SIZE, "SIZE", 0, "bytes of a message, k is 1024 (default: 128)", 3 },
	{ "transport", OPT_TRANSPORT, "tcp|unix", 0,
	  "TCP over loopback, or Unix sockets (default: tcp)", 3 },
	{ "slow", OPT_SLOW, "N", 0, "clients that pause between messages (default: 0)", 3 },
	{ "slow-pause-ms", OPT_SLOW_PAUSE_MS, "MS", 0, "for so long (default: 10)", 3 },

	{ NULL, 0, NULL, 0, "On every workload (counts take k, M, G, powers of 1000):", 4 },
	{ "depth", OPT_DEPTH, "N", 0, "operations in flight at most, file and nop (default: 1)",
	  4 },
	{ "batch-submit", OPT_BATCH_SUBMIT, "N", 0,
	  "submitted together at most (default: as many as are ready)", 4 },
	{ "batch-complete", OPT_BATCH_COMPLETE, "N", 0,
	  "reaped together at most (default: as many as are done)", 4 },
	{ "compute-us", OPT_COMPUTE_US, "US", 0,
	  "CPU work for each finished operation, a calibrated loop", 4 },
	{ "rate", OPT_RATE, "N", 0,
	  "open loop: begin N operations a second, whatever becomes of them", 4 },
	{ "stall-ms", OPT_STALL_MS, "MS", 0,
	  "stop for so long in the middle of the window, as a program does that is held up", 4 },
	{ "runtime", OPT_RUNTIME, "S", 0, "measure for so long (default: 1)", 4 },
	{ "warmup", OPT_WARMUP, "S", 0, "run for so long before (default: 0.2)", 4 },
	{ "ops", OPT_OPS, "N", 0,
	  "measure exactly N operations instead, without warm-up (file, nop)", 4 },
	{ "seed", OPT_SEED, "N", 0, "of the generator; same seed, same operations (default: 1)",
	  4 },
	{ "cpus", OPT_CPUS, "LIST", 0,
	  "CPUs for this process, as 0,2-3 (default: all; echo and idle: the first)", 4 },
	{ "count-syscalls", OPT_COUNT_SYSCALLS, NULL, 0,
	  "count system calls through a tracepoint, which slows them down", 4 },
	{ "count-hardware", OPT_COUNT_HARDWARE, NULL, 0,
	  "count instructions, cycles and misses of the CPU; slows context switches down", 4 },
	{ "trace-us", OPT_TRACE_US, "US", 0,
	  "with --json: what happened in a typical piece of the window (see `iolab "
	  "timeline`)",
	  4 },
	{ "json", OPT_JSON, NULL, 0, "print the result as one line of JSON", 4 },

	/* What `compare` tells its runs. */
	{ "round", OPT_ROUND, "N", OPTION_HIDDEN, NULL, 5 },
	{ "position", OPT_POSITION, "N", OPTION_HIDDEN, NULL, 5 },
	{ "plan", OPT_PLAN, "N", OPTION_HIDDEN, NULL, 5 },
	{ "compute-loops-per-us", OPT_COMPUTE_LOOPS, "X", OPTION_HIDDEN, NULL, 5 },
	{ 0 },
};

/*
 * A whole number within bounds; k, M or G behind it is `thousand` once, twice or three times: 1024
 * for bytes, 1000 for what is counted. Ends the program otherwise.
 */
static uint64_t parse_number(struct argp_state *state, const char *option, const char *text,
			     uint64_t least, uint64_t most, uint64_t thousand)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	uint64_t unit = 1;
	switch (tolower((unsigned char)*end)) {
	case 'g':
		unit *= thousand;
		/* fall through */
	case 'm':
		unit *= thousand;
		/* fall through */
	case 'k':
		unit *= thousand;
		end++;
		break;
	default:
		break;
	}
	if (end == text || !isdigit((unsigned char)*text) || *end || errno ||
	    value > UINT64_MAX / unit)
		argp_error(state, "--%s %s: not a whole number (k, M or G may follow)", option,
			   text);
	value *= unit;
	if (value < least || value > most)
		argp_error(state, "--%s %s: must lie between %llu and %llu", option, text,
			   (unsigned long long)least, (unsigned long long)most);
	return value;
}

static uint64_t parse_bytes(struct argp_state *state, const char *option, const char *text,
			    uint64_t least, uint64_t most)
{
	return parse_number(state, option, text, least, most, 1024);
}

static uint64_t parse_large_count(struct argp_state *state, const char *option, const char *text,
				  uint64_t least, uint64_t most)
{
	return parse_number(state, option, text, least, most, 1000);
}

static unsigned parse_count(struct argp_state *state, const char *option, const char *text,
			    unsigned least, unsigned most)
{
	return (unsigned)parse_large_count(state, option, text, least, most);
}

static double parse_real(struct argp_state *state, const char *option, const char *text,
			 double least, double most)
{
	char *end;
	double value = strtod(text, &end);
	if (end == text || *end || !isfinite(value) || value < least || value > most)
		argp_error(state, "--%s %s: must be a number between %g and %g", option, text,
			   least, most);
	return value;
}

/* The index of `text` among `count` words. Ends the program when it is none of them. */
static unsigned parse_word(struct argp_state *state, const char *option, const char *text,
			   const char *const *words, unsigned count)
{
	char known[200] = "";
	for (unsigned i = 0; i < count; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
		strcat(strcat(known, i ? ", " : ""), words[i]);
	}
	argp_error(state, "--%s %s: must be one of %s", option, text, known);
	return 0;
}

/* "0,2-3" */
static void parse_cpus(struct argp_state *state, const char *text, cpu_set_t *cpus)
{
	CPU_ZERO(cpus);
	for (const char *at = text; *at;) {
		char *end;
		unsigned long first = strtoul(at, &end, 10), last = first;
		if (end != at && *end == '-') {
			at = end + 1;
			last = strtoul(at, &end, 10);
		}
		if (end == at || (*end && *end != ',') || first > last || last >= CPU_SETSIZE)
			argp_error(state, "--cpus %s: must be a list as 0,2-3", text);
		for (unsigned long cpu = first; cpu <= last; cpu++)
			CPU_SET(cpu, cpus);
		at = *end ? end + 1 : end;
		if (*end && !*at)
			argp_error(state, "--cpus %s: ends in a comma", text);
	}
	cpu_set_t allowed, wanted = *cpus;
	sched_getaffinity(0, sizeof allowed, &allowed);
	CPU_AND(&wanted, &wanted, &allowed);
	if (!CPU_EQUAL(&wanted, cpus) || CPU_COUNT(cpus) == 0)
		argp_error(state,
			   "--cpus %s: this process may use only %d CPUs, see `nproc` and "
			   "`taskset -p $$`",
			   text, CPU_COUNT(&allowed));
}

const char *default_test_file(char *path, size_t size)
{
	const char *folder = getenv("TMPDIR");
	snprintf(path, size, "%s/iolab-%u.test", folder && *folder ? folder : "/var/tmp",
		 (unsigned)getuid());
	return path;
}

/* Why the option has no effect on this workload or with this --direct; NULL when it may have one. */
static const char *unused_by_workload(int key, const struct run_config *c)
{
	switch (key) {
	case OPT_VERIFY:
		if (c->workload->has_peer)
			return "the client of echo and idle compares every byte anyhow; leave it "
			       "out";
		/* fall through */
	case OPT_FILE:
	case OPT_SIZE:
	case OPT_BS:
	case OPT_RW:
	case OPT_RWMIXREAD:
	case OPT_DIRECT:
	case OPT_FSYNC:
	case OPT_FDATASYNC:
	case OPT_FD_PER_OP:
		return c->workload == &workload_file
			       ? NULL
			       : "it belongs to the workload file; leave it out";
	case OPT_CACHE:
		if (c->workload != &workload_file)
			return "it belongs to the workload file; leave it out";
		return c->direct ? "--direct 1 goes past the page cache; leave one of them out"
				 : NULL;
	case OPT_CONNS:
	case OPT_ACTIVE:
	case OPT_MSG_SIZE:
	case OPT_TRANSPORT:
	case OPT_SLOW:
	case OPT_SLOW_PAUSE_MS:
		return c->workload->has_peer
			       ? NULL
			       : "it belongs to the workloads echo and idle; leave it out";
	case OPT_DEPTH:
		return c->workload->has_peer
			       ? "each connection is an operation in flight; use --conns"
			       : NULL;
	default:
		return NULL;
	}
}

/* Why it has none together with the other options. */
static const char *unused_by_options(int key, const struct run_config *c)
{
	if (key == OPT_RWMIXREAD && c->rw != RW_RANDRW)
		return "only --rw randrw mixes reads and writes";
	if (key == OPT_SLOW_PAUSE_MS && c->slow_conns == 0)
		return "no client pauses without --slow";
	return NULL;
}

static uint64_t typed_bit(int key)
{
	return key >= OPT_FILE && key < OPT_FILE + 64 ? UINT64_C(1) << (key - OPT_FILE) : 0;
}

/* What a person typed, and what would be ignored. */
static void refuse_unused(struct argp_state *state, const struct run_options *o)
{
	for (unsigned i = 0; i < sizeof options / sizeof *options; i++) {
		if (!options[i].name || !(o->typed & typed_bit(options[i].key)))
			continue;
		const char *why = unused_by_workload(options[i].key, &o->config);
		if (!why)
			why = unused_by_options(options[i].key, &o->config);
		if (why)
			argp_error(state, "--%s has no effect here: %s", options[i].name, why);
	}
}

const char *run_option_name(const char *word)
{
	const char *found = NULL;
	if (word[0] != '-')
		return NULL;
	if (word[1] != '-') {
		for (unsigned i = 0; i < sizeof options / sizeof *options; i++)
			if (options[i].name && options[i].key == word[1])
				return options[i].name;
		return NULL;
	}
	size_t length = strcspn(word + 2, "=");
	for (unsigned i = 0; i < sizeof options / sizeof *options; i++) {
		const char *name = options[i].name;
		if (!name || strncmp(name, word + 2, length) != 0)
			continue;
		if (strlen(name) == length)
			return name;
		found = name; /* an abbreviation; an ambiguous one is refused when it is parsed */
	}
	return length ? found : NULL;
}

const char *run_option_unused(const char *name, const struct run_config *config)
{
	for (unsigned i = 0; i < sizeof options / sizeof *options; i++)
		if (options[i].name && strcmp(options[i].name, name) == 0)
			return unused_by_workload(options[i].key, config);
	return NULL;
}

double run_limit_s(const struct run_config *config)
{
	/* Slow disks: for laying the file out, reading it into the page cache, and --verify. */
	const double bytes_per_s = 8 << 20, ops_per_s = 100, spare_s = 30;
	double limit_s = config->runtime_s + config->warmup_s + spare_s;
	if (config->workload == &workload_file)
		limit_s += (double)config->size_bytes / bytes_per_s;
	if (config->op_limit)
		limit_s += (double)config->op_limit * (1 / ops_per_s + config->compute_us * 1e-6);
	return limit_s;
}

/* Defaults that depend on other options, and combinations that make no sense anywhere. */
static void settle(struct argp_state *state, struct run_options *o)
{
	struct run_config *c = &o->config;
	bool sockets = c->workload->has_peer;

	if (!c->engine)
		argp_error(state, "--engine is missing; `iolab list` shows what there is");
	refuse_unused(state, o);
	if (c->direct)
		c->cache = CACHE_BYPASSED;
	if (!c->file)
		c->file = default_test_file(o->default_file, sizeof o->default_file);
	if (!c->conns)
		c->conns = c->workload == &workload_idle ? 1000 : 50;
	if (!c->active)
		c->active = c->workload == &workload_idle ? 1 : c->conns;
	if (sockets) {
		if (c->active > c->conns)
			argp_error(state, "--active %u: there are only %u connections (--conns)",
				   c->active, c->conns);
		if (c->slow_conns > c->active)
			argp_error(state, "--slow %u: only %u connections are active",
				   c->slow_conns, c->active);
		if (c->op_limit)
			argp_error(state,
				   "--ops: echo and idle are measured for a time; use --runtime");
		if (c->rate_per_s && c->slow_conns)
			argp_error(state, "--slow: with --rate no client pauses");
		c->depth = c->conns;
	}
	if (c->workload == &workload_file) {
		if (c->bs_bytes % 512)
			argp_error(state, "--bs %u: must be a multiple of 512", c->bs_bytes);
		if (c->size_bytes < c->bs_bytes)
			argp_error(state, "--size %llu: smaller than one block (--bs %u)",
				   (unsigned long long)c->size_bytes, c->bs_bytes);
		c->size_bytes -= c->size_bytes % c->bs_bytes;
		if (c->verify && c->size_bytes / c->bs_bytes < 2 * (uint64_t)c->depth)
			argp_error(state,
				   "--verify: needs a file of twice as many blocks as --depth %u; "
				   "use a larger --size",
				   c->depth);
		bool writing = c->rw == RW_WRITE || c->rw == RW_RANDWRITE || c->rw == RW_RANDRW;
		if ((c->fsync_every || c->fdatasync_every) && !writing)
			argp_error(state, "--fsync, --fdatasync: this --rw writes nothing");
		if (c->fsync_every && c->fdatasync_every)
			argp_error(state, "--fsync and --fdatasync exclude each other");
	}
	if (c->op_limit && c->stall_ms > 0)
		argp_error(state, "--stall-ms: a window of --ops has no middle; use --runtime");
	if (c->stall_ms > 500 * c->runtime_s)
		argp_error(state, "--stall-ms %g: more than half of --runtime %g s", c->stall_ms,
			   c->runtime_s);
	if (c->trace_us && (c->op_limit || c->trace_us * 1e-6 > c->runtime_s))
		argp_error(state,
			   "--trace-us %u: must lie within --runtime (and not go with --ops)",
			   c->trace_us);
	if (c->op_limit && (o->typed & (typed_bit(OPT_RUNTIME) | typed_bit(OPT_WARMUP))))
		argp_error(state,
			   "--ops ends the window and has no warm-up: leave out --runtime and "
			   "--warmup");
	if (c->op_limit)
		c->warmup_s = 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	static const char *const patterns[RW_COUNT] = { "read", "write", "randread", "randwrite",
							"randrw" };
	static const char *const caches[] = { "warm", "dropped" };
	static const char *const transports[] = { "tcp", "unix" };
	static const char *const switches[] = { "0", "1" };
	struct run_options *o = state->input;
	struct run_config *c = &o->config;
	struct reason why;

	o->typed |= typed_bit(key);
	switch (key) {
	case 'e':
		if (engine_spec_parse(arg, &c->engine, &c->engine_options, &why) < 0)
			argp_error(state, "--engine %s: %s", arg, why.text);
		break;
	case 'w':
		c->workload = workload_find(arg, &why);
		if (!c->workload)
			argp_error(state, "--workload %s: %s", arg, why.text);
		break;
	case OPT_FILE:
		c->file = arg;
		break;
	case OPT_SIZE:
		c->size_bytes = parse_bytes(state, "size", arg, 512, UINT64_C(1) << 46);
		break;
	case OPT_BS:
		c->bs_bytes = (unsigned)parse_bytes(state, "bs", arg, 512, 1u << 30);
		break;
	case OPT_RW:
		c->rw = parse_word(state, "rw", arg, patterns, RW_COUNT);
		break;
	case OPT_RWMIXREAD:
		c->read_pct = parse_count(state, "rwmixread", arg, 0, 100);
		break;
	case OPT_DIRECT:
		c->direct = parse_word(state, "direct", arg, switches, 2);
		break;
	case OPT_CACHE:
		c->cache = parse_word(state, "cache", arg, caches, 2) ? CACHE_DROPPED : CACHE_WARM;
		break;
	case OPT_FSYNC:
		c->fsync_every = parse_count(state, "fsync", arg, 1, 1u << 30);
		break;
	case OPT_FDATASYNC:
		c->fdatasync_every = parse_count(state, "fdatasync", arg, 1, 1u << 30);
		break;
	case OPT_FD_PER_OP:
		c->fd_per_slot = true;
		break;
	case OPT_VERIFY:
		c->verify = true;
		break;
	case OPT_CONNS:
		c->conns = parse_count(state, "conns", arg, 1, 60000);
		break;
	case OPT_ACTIVE:
		c->active = parse_count(state, "active", arg, 1, 60000);
		break;
	case OPT_MSG_SIZE:
		c->msg_size_bytes = (unsigned)parse_bytes(state, "msg-size", arg, 1, 64u << 20);
		break;
	case OPT_TRANSPORT:
		c->transport = parse_word(state, "transport", arg, transports, 2) ? TRANSPORT_UNIX
										  : TRANSPORT_TCP;
		break;
	case OPT_SLOW:
		c->slow_conns = parse_count(state, "slow", arg, 0, 60000);
		break;
	case OPT_SLOW_PAUSE_MS:
		c->slow_pause_ms = parse_real(state, "slow-pause-ms", arg, 0.01, 10000);
		break;
	case OPT_DEPTH:
		c->depth = parse_count(state, "depth", arg, 1, 16384);
		break;
	case OPT_BATCH_SUBMIT:
		c->batch_submit = parse_count(state, "batch-submit", arg, 0, 16384);
		break;
	case OPT_BATCH_COMPLETE:
		c->batch_complete = parse_count(state, "batch-complete", arg, 0, 16384);
		break;
	case OPT_COMPUTE_US:
		c->compute_us = parse_real(state, "compute-us", arg, 0, 1e6);
		break;
	case OPT_COMPUTE_LOOPS:
		c->compute_loops_per_us = parse_real(state, "compute-loops-per-us", arg, 0, 1e9);
		break;
	case OPT_RATE:
		c->rate_per_s = parse_count(state, "rate", arg, 1, 100000000);
		break;
	case OPT_STALL_MS:
		c->stall_ms = parse_real(state, "stall-ms", arg, 0.01, 10000);
		break;
	case OPT_RUNTIME:
		c->runtime_s = parse_real(state, "runtime", arg, 0.01, 86400);
		break;
	case OPT_WARMUP:
		c->warmup_s = parse_real(state, "warmup", arg, 0, 3600);
		break;
	case OPT_OPS:
		c->op_limit = parse_large_count(state, "ops", arg, 1, UINT64_C(1) << 46);
		break;
	case OPT_SEED:
		c->seed = parse_large_count(state, "seed", arg, 0, INT64_MAX); /* JSON's integers */
		break;
	case OPT_CPUS:
		parse_cpus(state, arg, &c->cpus);
		break;
	case OPT_COUNT_SYSCALLS:
		c->count_syscalls = true;
		break;
	case OPT_COUNT_HARDWARE:
		c->count_hardware = true;
		break;
	case OPT_TRACE_US:
		c->trace_us = parse_count(state, "trace-us", arg, 1, 1000000);
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_ROUND:
		o->round = (int)parse_count(state, "round", arg, 0, 1u << 30);
		break;
	case OPT_POSITION:
		o->position = (int)parse_count(state, "position", arg, 0, 1u << 30);
		break;
	case OPT_PLAN:
		o->plan = (int)parse_count(state, "plan", arg, 0, 1u << 30);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option; options begin with --", arg);
		break;
	case ARGP_KEY_END:
		settle(state, o);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void run_options_parse(struct run_options *o, int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Runs one workload once through one interface and prints what was measured."
		       "\vExit status: 0 measured, 1 error, 2 wrong use, 77 unsupported here, 130 "
		       "interrupted.",
	};
	*o = (struct run_options){
		.config = {
			.workload = &workload_file,
			.depth = 1,
			.runtime_s = 1,
			.warmup_s = 0.2,
			.seed = 1,
			.size_bytes = UINT64_C(256) << 20,
			.bs_bytes = 4096,
			.rw = RW_RANDREAD,
			.read_pct = 50,
			.cache = CACHE_WARM,
			.msg_size_bytes = 128,
			.slow_pause_ms = 10,
		},
		.round = -1,
		.position = -1,
		.plan = -1,
	};
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, o);
}
