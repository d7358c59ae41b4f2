/* SPDX-License-Identifier: MIT */
/*
 * proctor: runs a lab's tests on an engine that nobody has to trust, and judges.
 *
 *     proctor [OPTION...] PROGRAM
 *
 * PROGRAM is a lab's test program with the engine linked in. Each test runs in a process of its
 * own, with a limit of time (launch.c). The proctor stops it at its system calls with ptrace(2)
 * (tracing.c, call_filter.c): so it can count the calls that the engine makes (calls.c), forbid some (policy.c),
 * and tell where a program hangs (verdict.c) and what led there (account.c).
 *
 * The verdict is the proctor's. The program's output is only quoted, its exit status alone proves
 * nothing (an engine may call exit(0)), and the descriptor that the verdict is written to was
 * closed before the program began. Prints TAP (tap.h).
 *
 * Exit status: 0 every test held or was skipped, 1 a test failed, 2 the proctor could not do its
 * work, 3 no test is named so, 120 ptrace is refused.
 */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/json_put.h"
#include "exam.h"
#include "findings.h"
#include "launch.h"
#include "tap.h"
#include "tracing.h"
#include "verdict.h"

#define TESTS_MAX 1000 /* of one program; lab 04 has 274 */

/* Exit statuses, see above; proctor/programs.py knows them too. */
enum { SOME_FAILED = 1, CANNOT_WORK = 2, NO_TEST = 3, TRACING_REFUSED = CANNOT_TRACE };

/* Ends the program and all that it started. */
static void end_all(struct exam *e)
{
	kill_all(e);
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

/*
 * Holds one exam and prints its result. Returns 0 once it is judged, or an exit status after a line
 * on stderr. `reached`: cleared when the program fails before main(), for then no other test would
 * get further.
 */
static int hold_exam(const struct exam_options *options, const struct exam_test *test,
		     unsigned number, enum verdict *verdict, bool *reached)
{
	struct exam e = { .options = options, .test = test, .hidden_call = -1 };
	struct reason why = { "" };
	int status = 0;
	if (launch(&e, &why) < 0) {
		status = CANNOT_WORK;
		goto out;
	}
	bool late = follow_program(&e), hung = late && !e.ended;
	if (hung)
		find_hang(&e);
	if (late)
		end_all(&e);
	drain_output(&e);
	if (!hung && tracing_was_refused(&e)) {
		status = TRACING_REFUSED;
		reason_say(
			&why,
			"ptrace is refused here (by seccomp, or by Yama's ptrace_scope), or a filter of calls; "
			"with --untraced, tests that count system calls are skipped");
		goto out;
	}
	*verdict = judge(&e, hung);
	*reached = *verdict != FAILED || reached_main(&e);
	tap_result(number, test, *verdict, e.findings, &e);
out:
	if (status)
		fprintf(stderr, "proctor: %s\n", why.text);
	clear_away(&e);
	return status;
}

/* The result of a test that is not run, since the program does not get as far as main(). */
static void refuse_exam(const struct exam_test *test, unsigned number)
{
	json_t *findings = required(json_array());
	add_finding(findings, "main_not_reached");
	tap_result(number, test, FAILED, findings, NULL);
	json_decref(findings);
}

/* Holds them all. Returns an exit status. */
static int hold_exams(const struct exam_options *options, const struct exam_test *tests,
		      unsigned count)
{
	unsigned counts[VERDICT_COUNT] = { 0 };
	bool reached = true;
	tap_begin();
	for (unsigned i = 0; i < count && (options->keep_going || !counts[FAILED]); i++) {
		enum verdict verdict = FAILED;
		if (reached) {
			int status = hold_exam(options, &tests[i], i + 1, &verdict, &reached);
			if (status)
				return status;
		} else {
			refuse_exam(&tests[i], i + 1);
		}
		counts[verdict]++;
	}
	tap_end(counts);
	return counts[FAILED] ? SOME_FAILED : 0;
}

/* Names stand in TAP, and the program itself may have printed them. */
static bool is_test_name(const char *name)
{
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_/.-", *name))
			return false;
	return true;
}

static bool is_wanted(const struct exam_options *o, const struct exam_test *test,
		      const char *engine)
{
	size_t length = strcspn(engine, ":"); /* what follows are the variant's options */
	return (!o->exercise || test->exercise == o->exercise) &&
	       (!o->only || strncmp(test->name, o->only, strlen(o->only)) == 0) &&
	       (!o->engine ||
		(strlen(o->engine) == length && strncmp(engine, o->engine, length) == 0));
}

/*
 * Reads what `PROGRAM --list` prints. Returns how many tests are wanted. Ends the proctor where a
 * program has more than it has room for: a test that is left out would seem to hold.
 */
static unsigned read_test_list(const struct exam_options *o, struct exam_test *tests)
{
	char command[PATH_MAX + 16], line[600], engine[64];
	unsigned count = 0, wanted = 0;
	snprintf(command, sizeof command, "'%s' --list",
		 o->list_program ? o->list_program : o->program);
	FILE *list = popen(command, "re");
	while (list && fgets(line, sizeof line, list)) {
		if (count == TESTS_MAX) {
			fprintf(stderr, "proctor: %s has more than %d tests\n", o->program,
				TESTS_MAX);
			exit(CANNOT_WORK);
		}
		struct exam_test *test = &tests[count];
		test->allowed_calls[0] = '\0';
		if (sscanf(line, "%127s %u %u %63s%*1[\t]%299[^\n]", test->name, &test->exercise,
			   &test->limit_s, engine, test->allowed_calls) < 4 ||
		    !is_test_name(test->name))
			continue;
		if (is_wanted(o, test, engine))
			count += wanted++ % o->parts == o->part;
	}
	if (list && pclose(list) != 0)
		count = 0;
	return count;
}

/* "2/3": the second of three parts. */
static bool read_part(struct exam_options *o, const char *words)
{
	char more;
	if (sscanf(words, "%u/%u%c", &o->part, &o->parts, &more) != 2 || o->part-- == 0)
		return false;
	return o->part < o->parts;
}

/* "0x1000-0x5000". */
static bool read_code(struct exam_options *o, const char *words)
{
	char *end;
	o->code_from_bytes = strtoull(words, &end, 0);
	o->code_to_bytes = *end == '-' ? strtoull(end + 1, &end, 0) : 0;
	return !*end && o->code_from_bytes < o->code_to_bytes;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct exam_options *o = state->input;
	switch (key) {
	case 'e':
		o->exercise = (unsigned)atoi(arg);
		return 0;
	case 'o':
		o->only = arg;
		return 0;
	case 'E':
		o->engine = arg;
		return 0;
	case 'p':
		if (!read_part(o, arg))
			argp_error(state, "--part: as in 2/3");
		return 0;
	case 'l':
		o->list_program = arg;
		return 0;
	case 't':
		o->tells_offset_bytes = strtoull(arg, NULL, 0);
		return 0;
	case 'c':
		if (!read_code(o, arg))
			argp_error(state, "--tests-code: as in 0x1000-0x5000");
		return 0;
	case 'L':
		o->layer = true;
		return 0;
	case 'u':
		o->untraced = true;
		return 0;
	case 'k':
		o->keep_going = false;
		return 0;
	case 'U':
		o->uid = atoi(arg);
		return 0;
	case 'f':
		if (o->forbidden_count == EXAM_FORBIDDEN_MAX)
			argp_error(state, "--forbid: at most %d folders", EXAM_FORBIDDEN_MAX);
		o->forbidden[o->forbidden_count++] = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->program)
			argp_error(state, "one program at a time");
		o->program = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->program)
			argp_error(state, "which test program?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "exercise", 'e', "N", 0, "run only the tests of this exercise", 0 },
	{ "engine", 'E', "NAME", 0, "run only the tests of this engine, in all its variants", 0 },
	{ "only", 'o', "NAME", 0, "run only tests whose names begin with NAME", 0 },
	{ "part", 'p', "K/N", 0, "of those only each Nth test, from the Kth on", 0 },
	{ "list-from", 'l', "PROGRAM", 0,
	  "take the tests' names from here: the same tests without the submission", 0 },
	{ "tells-at", 't', "BYTES", 0,
	  "where the test's own words come from: " EXAM_TELLS_AT
	  " of PROGRAM, behind its table of segments",
	  0 },
	{ "tests-code", 'c', "FROM-TO", 0,
	  "where the test's own code lies in PROGRAM, behind that table, too", 0 },
	{ "layer", 'L', NULL, 0, "the submission itself calls the engine", 0 },
	{ "untraced", 'u', NULL, 0, "do not watch system calls (for sanitizer builds)", 0 },
	{ "stop-at-first", 'k', NULL, 0, "end after the first failure", 0 },
	{ "uid", 'U', "UID", 0, "run the program as this user (as root)", 0 },
	{ "forbid", 'f', "FOLDER", 0, "end a program that opens a file in here", 0 },
	{ 0 },
};

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "PROGRAM",
		.doc = "Runs a lab's tests on an engine, and judges. Prints TAP.",
	};
	static struct exam_test tests[TESTS_MAX];
	struct exam_options options = { .uid = -1, .keep_going = true, .parts = 1 };
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	/* Nobody but root may write to our memory or open our descriptors through /proc. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	unsigned count = read_test_list(&options, tests);
	if (count == 0) {
		fprintf(stderr, "proctor: %s names no test to run\n", options.program);
		return NO_TEST;
	}
	start_ticking();
	return hold_exams(&options, tests, count);
}
