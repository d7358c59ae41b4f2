/* SPDX-License-Identifier: MIT */
/* After how long a run counts as hung: a long one must not. */
#include "run_options.h"
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

int main(void)
{
	struct tap tap = { 0 };
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
