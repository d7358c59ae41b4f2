/* SPDX-License-Identifier: MIT */
/* After how long a run counts as hung: a long one must not. */
#include <errno.h>
#include <string.h>

#include "base/json_path.h"
#include "base/number_option.h"
#include "base/round_options.h"
#include "run/result.h"
#include "run/run_options.h"
#include "tap.h"
#include "workloads/file.h"

static struct run_options options_of(int argc, const char **argv)
{
	struct run_options options;
	struct reason unread;
	if (run_options_parse(&options, argc, (char **)argv, &unread) < 0)
		exit(1);
	return options;
}

#define OPTIONS_OF(...)                                                                            \
	options_of(sizeof((const char *[]) { "iolab run", __VA_ARGS__ }) / sizeof(const char *),   \
		   (const char *[]) { "iolab run", __VA_ARGS__, NULL })

static double limit_of(struct run_options options)
{
	double limit_s = run_limit_s(&options.config);
	run_options_free(&options);
	return limit_s;
}

#define LIMIT_OF(...) limit_of(OPTIONS_OF(__VA_ARGS__))

/* k is 1024 bytes, and a thousand of whatever is counted. */
static void unit_tests(struct tap *tap)
{
	struct run_options o = OPTIONS_OF("-e", "null", "-w", "nop", "--rate", "10k", "--depth",
					  "2k", "--seed", "3M");
	tap_check(tap, o.config.rate_per_s == 10000, "--rate 10k is %u a second",
		  o.config.rate_per_s);
	tap_check(tap, o.config.depth == 2000, "--depth 2k is %u", o.config.depth);
	tap_check(tap, o.config.seed == 3000000, "--seed 3M is %llu",
		  (unsigned long long)o.config.seed);
	run_options_free(&o);

	o = OPTIONS_OF("-e", "null", "-w", "nop", "--ops", "1G");
	tap_check(tap, o.config.op_limit == 1000000000, "--ops 1G is %llu",
		  (unsigned long long)o.config.op_limit);
	run_options_free(&o);

	o = OPTIONS_OF("-e", "epoll", "-w", "echo", "--conns", "1k", "--msg-size", "4k");
	json_t *workload = result_workload(&o);
	tap_check(tap, o.config.depth == 1000 && number_at(workload, "msg_size_bytes") == 4096,
		  "--conns 1k is %u, --msg-size 4k is %g bytes", o.config.depth,
		  number_at(workload, "msg_size_bytes"));
	json_decref(workload);
	run_options_free(&o);

	o = OPTIONS_OF("-e", "blocking", "--bs", "8k", "--size", "1M", "--rw", "write", "--fsync",
		       "1k");
	const struct workload_settings *file = o.config.settings;
	tap_check(tap,
		  file->bs_bytes == 8192 && file->size_bytes == 1 << 20 &&
			  file->fsync_every == 1000,
		  "--bs 8k is %u and --size 1M %llu bytes, --fsync 1k is %u", file->bs_bytes,
		  (unsigned long long)file->size_bytes, file->fsync_every);
	run_options_free(&o);
}

/* What strtoull() and strtod() would take, and a person did not mean. */
static void strange_number_tests(struct tap *tap)
{
	static const char *const wholes[] = { "",
					      " 1",
					      "+1",
					      "-1",
					      "0x10",
					      "1 ",
					      "1kk",
					      "1.5",
					      "18446744073709551616",
					      "18446744073709551615k" };
	static const char *const reals[] = { "", " 1", "+1", "-1", "0x1p3", "nan", "inf", "1s" };
	uint64_t whole;
	double real;
	struct reason why;
	for (unsigned i = 0; i < sizeof wholes / sizeof *wholes; i++)
		tap_check(tap,
			  number_whole("n", wholes[i], 0, UINT64_MAX, UNIT_KIBI, &whole, &why) < 0,
			  "'%s' is no whole number: %s", wholes[i], why.text);
	for (unsigned i = 0; i < sizeof reals / sizeof *reals; i++)
		tap_check(tap, number_real("x", reals[i], 0, 1e9, &real, &why) < 0,
			  "'%s' is no number: %s", reals[i], why.text);
	tap_check(tap, number_real("x", "2.5e-1", 0, 1, &real, &why) == 0 && real == 0.25,
		  "2.5e-1 is %g", real);
	tap_check(tap,
		  number_whole("n", "3g", 0, UINT64_MAX, UNIT_KIBI, &whole, &why) == 0 &&
			  whole == UINT64_C(3) << 30,
		  "3g is %llu bytes", (unsigned long long)whole);
}

/* Whoever parses words for another command gets a reason, and goes on. */
static void quiet_tests(struct tap *tap)
{
	static const struct {
		const char *words[4], *says;
	} mistakes[] = {
		{ { "--nosuch", NULL }, "'--nosuch' is not an option" },
		{ { "-e", NULL }, "--engine needs a value" },
		{ { "--bs", "1000", NULL }, "--engine is missing" },
		{ { "-e", "blocking", "--help", NULL }, "'--help' is not an option" },
	};
	for (unsigned i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		const char *argv[8] = { "iolab run" };
		struct run_options options;
		struct reason why;
		int argc = 1;
		for (unsigned w = 0; w < 4 && mistakes[i].words[w]; w++)
			argv[argc++] = mistakes[i].words[w];
		int rc = run_options_read(&options, argc, (char **)argv, &why);
		tap_check(tap, rc == -EINVAL && strstr(why.text, mistakes[i].says),
			  "a mistake is told and ends nothing: %s", why.text);
	}
}

/* What compare sets itself, and what belongs to one run of several. */
static void planned_tests(struct tap *tap)
{
	struct run_config nop = { .workload = workload_find("nop", NULL) };
	for (const struct round_option *o = round_options; o->name; o++) {
		char word[32];
		snprintf(word, sizeof word, "--%s", o->name);
		const char *argv[] = {
			"iolab run", "-e", "null", "-w", "nop", word, "1", NULL, NULL
		};
		struct run_options options;
		struct reason why;
		bool alone = run_options_read(&options, 6, (char **)argv, &why) == 0;
		if (alone)
			run_options_free(&options);
		tap_check(tap, run_option_works(o->name, &nop) && alone == !o->takes_value,
			  "%s is an option of run, and takes %s value", word,
			  o->takes_value ? "a" : "no");
		tap_check(tap, run_option_is_planned(o->name), "compare sets %s itself", word);
	}
	for (const char *const *name = (const char *const[]) { "engine", "runtime", NULL }; *name;
	     name++)
		tap_check(tap, run_option_is_planned(*name), "compare sets --%s itself", *name);
	tap_check(tap, !run_option_is_planned("seed") && !run_option_is_planned("depth"),
		  "other options are a person's");
	tap_check(tap, run_option_ends_window("ops") && !run_option_ends_window("runtime"),
		  "--ops ends the window, --runtime does not");
}

int main(void)
{
	struct tap tap = { 0 };
	planned_tests(&tap);
	unit_tests(&tap);
	strange_number_tests(&tap);
	quiet_tests(&tap);
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
