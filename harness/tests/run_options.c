/* SPDX-License-Identifier: MIT */
/* After how long a run counts as hung: a long one must not. */
#include "run/run_options.h"
#include "tap.h"

static double limit_of(int argc, const char **argv)
{
	struct run_options options;
	run_options_parse(&options, argc, (char **)argv);
	return run_limit_s(&options.config);
}

#define LIMIT_OF(...)                                                                              \
	limit_of(sizeof((const char *[]) { "iolab run", __VA_ARGS__ }) / sizeof(const char *),     \
		 (const char *[]) { "iolab run", __VA_ARGS__, NULL })

static struct run_config config_of(int argc, const char **argv)
{
	struct run_options options;
	run_options_parse(&options, argc, (char **)argv);
	return options.config;
}

#define CONFIG_OF(...)                                                                             \
	config_of(sizeof((const char *[]) { "iolab run", __VA_ARGS__ }) / sizeof(const char *),    \
		  (const char *[]) { "iolab run", __VA_ARGS__, NULL })

/* k is 1024 bytes, and a thousand of whatever is counted. */
static void unit_tests(struct tap *tap)
{
	struct run_config c = CONFIG_OF("-e", "null", "-w", "nop", "--rate", "10k", "--depth", "2k",
					"--seed", "3M");
	tap_check(tap, c.rate_per_s == 10000, "--rate 10k is %g a second", (double)c.rate_per_s);
	tap_check(tap, c.depth == 2000, "--depth 2k is %u", c.depth);
	tap_check(tap, c.seed == 3000000, "--seed 3M is %llu", (unsigned long long)c.seed);
	c = CONFIG_OF("-e", "null", "-w", "nop", "--ops", "1G");
	tap_check(tap, c.op_limit == 1000000000, "--ops 1G is %llu",
		  (unsigned long long)c.op_limit);
	c = CONFIG_OF("-e", "epoll", "-w", "echo", "--conns", "1k", "--msg-size", "4k");
	tap_check(tap, c.conns == 1000 && c.msg_size_bytes == 4096,
		  "--conns 1k is %u, --msg-size 4k is %u bytes", c.conns, c.msg_size_bytes);
	c = CONFIG_OF("-e", "blocking", "--bs", "8k", "--size", "1M", "--rw", "write", "--fsync",
		      "1k");
	tap_check(tap, c.bs_bytes == 8192 && c.size_bytes == 1 << 20 && c.fsync_every == 1000,
		  "--bs 8k is %u and --size 1M %llu bytes, --fsync 1k is %u", c.bs_bytes,
		  (unsigned long long)c.size_bytes, c.fsync_every);
}

int main(void)
{
	struct tap tap = { 0 };
	unit_tests(&tap);
	double limit_s = LIMIT_OF("-e", "null", "-w", "nop", "--runtime", "0.2", "--runtime", "32");
	tap_check(&tap, limit_s > 32 + 10, "the last --runtime is the one that counts: %.0f s",
		  limit_s);
	limit_s = LIMIT_OF("-e", "null", "-w", "nop", "--warmup", "100");
	tap_check(&tap, limit_s > 100 + 10, "so does the warm-up: %.0f s", limit_s);
	limit_s = LIMIT_OF("-e", "blocking", "--size", "100G");
	tap_check(&tap, limit_s > 3 * 100 * 1024 / 30.0,
		  "three passes of 100 GiB at 30 MiB/s are no hang: %.0f s", limit_s);
	limit_s = LIMIT_OF("-e", "blocking", "--size", "4M");
	tap_check(&tap, limit_s < 60, "a small file is not waited for as if it were large: %.0f s",
		  limit_s);
	limit_s = LIMIT_OF("-e", "blocking", "--ops", "100000", "--compute-us", "1000");
	tap_check(&tap, limit_s > 100 + 100, "operations and their computing take time: %.0f s",
		  limit_s);
	return tap_end(&tap);
}
