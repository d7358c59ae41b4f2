/* SPDX-License-Identifier: MIT */
/*
 * One conformance suite over every engine, every variant and every kind of descriptor.
 *
 *     conformance [ENGINE[:OPTION+...]] [TEST]     only these
 *     conformance --alone ENGINE                   each option alone, none with another
 *     conformance --alone --brief ENGINE           the same, with an option on one of each kind, and what takes
 *                                                  long once with a file and once with a stream
 *     conformance --pairs ENGINE                   only each two options together
 *     conformance --only ENGINE/FLAVOUR/TEST       one test, by its name as printed: poll/tcp/tcp_reset
 *     conformance --self-test                      only: are faulty engines found?
 *     conformance --list                           the engines' names
 *     conformance --rules                          which test asserts what, and what it catches
 *
 * Each test runs in a process of its own, with a time limit (--limit SECONDS) and a leak check around
 * it: what a test opens it must close, descriptors, threads and (under AddressSanitizer) memory alike.
 * Those that take long come last. Prints TAP.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/number_option.h"
#include "clock.h"
#include "conformance/conformance.h"
#include "conformance/mutants.h"
#include "conformance/rules.h"
#include "conformance/tests.h"
#include "engines.h"

/* A sanitizer looks at code and not at numbers: what takes long runs in the plain build. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/* A test that takes longer hangs. Sanitizers and a busy machine are allowed for. */
#define TEST_LIMIT_S 240
/* A faulty engine may hang: what is right must be over by then. */
#define MUTANT_LIMIT_NS (10 * NS_PER_S)

/*
 * Tests whose body is over wait for threads on their way out (glibc's of AIO stay for a second).
 * They sleep, so other tests run meanwhile.
 */
#define OVERLAPPING_MAX 32

struct suite {
	unsigned number, passed, failed, skipped;
	unsigned ran[CONTRACT_TESTS_MAX]; /* by how many engines a test was really run */
	const char *only_flavour, *only_test; /* NULL for all */
	uint64_t limit_ns; /* of each test */
	bool one_of_each; /* leave out a test of what is_one_more() of its kind */
	bool brief; /* the same, but with an option only, and is_long_again() */
};

enum test_end { PASSED, FAILED, SKIPPED };

/* A test in a process of its own. */
struct running {
	struct subject subject;
	const struct test *test;
	pid_t pid; /* 0 where there is none */
	int out_fd; /* what it prints */
	uint64_t deadline_ns;
	bool *body_is_over; /* shared with the process: only the leak check is left */
};

/* The test's process. */
static void run_child(struct running *r, int out_fd)
{
	dup2(out_fd, STDOUT_FILENO);
	dup2(out_fd, STDERR_FILENO);
	close(out_fd);
	struct holdings before = holdings_now();
	r->test->run(&r->subject);
	__atomic_store_n(r->body_is_over, true, __ATOMIC_RELEASE);
	expect_nothing_left_since(&before);
	exit(0); /* not _exit: LeakSanitizer looks on the way out */
}

/* Where a hanging process sits: the system call of its main thread. */
static void describe_hang(pid_t pid, char *text, size_t size)
{
	char path[64], wchan[64] = "";
	snprintf(path, sizeof path, "/proc/%d/wchan", pid);
	FILE *file = fopen(path, "re");
	if (file) {
		if (!fgets(wchan, sizeof wchan, file))
			wchan[0] = '\0';
		fclose(file);
	}
	snprintf(text, size, "hung, in the kernel's %s",
		 *wchan && strcmp(wchan, "0") != 0 ? wchan : "(running, not asleep)");
}

/*
 * A test that passes prints nothing but remarks ("# ..."), so all else was printed by the engine.
 * Returns false, and says so in `text`, where there is such a line.
 */
static bool passed_in_silence(char *text, size_t size)
{
	char printed[200];
	if (!*text || *text == '#')
		return true;
	snprintf(printed, sizeof printed, "%.*s", (int)strcspn(text, "\n"), text);
	snprintf(text, size, "the engine printed \"%s\"", printed);
	return false;
}

/* Returns false, with the reason in `text`, where that cannot be done. */
static bool begin_test(struct running *r, uint64_t limit_ns, char *text, size_t size)
{
	int ends[2];
	struct subject *s = &r->subject;
	snprintf(s->folder, sizeof s->folder, "%.40s/conformance-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp");
	if (!mkdtemp(s->folder) || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		snprintf(text, size, "cannot prepare %s: %s", s->folder, strerror(errno));
		return false;
	}
	fflush(stdout);
	*r->body_is_over = false;
	r->deadline_ns = clock_ns() + limit_ns;
	r->pid = fork();
	if (r->pid == 0)
		run_child(r, ends[1]);
	close(ends[1]);
	r->out_fd = ends[0];
	return true;
}

static void remove_folder(const struct subject *s)
{
	char path[sizeof s->folder + 8];
	snprintf(path, sizeof path, "%s/file", s->folder);
	unlink(path);
	rmdir(s->folder);
}

/* The process has ended. `text` gets its last words. */
static enum test_end verdict_of(struct running *r, int status, char *text, size_t size)
{
	size_t used = 0;
	ssize_t n;
	while (used < size - 1 && (n = read(r->out_fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return passed_in_silence(text, size) ? PASSED : FAILED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return SKIPPED;
	if (WIFSIGNALED(status))
		snprintf(text + used, size - used, "killed by SIG%s",
			 sigabbrev_np(WTERMSIG(status)));
	return FAILED;
}

/* Returns false while the test goes on; then its verdict, and `text` its last words. */
static bool has_ended(struct running *r, enum test_end *verdict, char *text, size_t size)
{
	int status;
	pid_t ended = waitpid(r->pid, &status, WNOHANG);
	if (ended == 0 && !time_is_up_for(r->pid, r->deadline_ns))
		return false;
	if (ended == 0) {
		describe_hang(r->pid, text, size);
		kill(r->pid, SIGKILL);
		waitpid(r->pid, &status, 0);
		*verdict = FAILED;
	} else {
		*verdict = verdict_of(r, status, text, size);
	}
	close(r->out_fd);
	remove_folder(&r->subject);
	r->pid = 0;
	return true;
}

/*
 * Sleeps before the next look at a test: the shorter the test, the sooner. Some take a millisecond, others seconds,
 * and to look thousands of times at these would take more CPU time than they do. `*us` begins with 0.
 */
static void look_again_later(unsigned *us)
{
	enum { FIRST_US = 100, LONGEST_US = 5000 };
	*us = *us ? *us + *us / 2 : FIRST_US;
	if (*us > LONGEST_US)
		*us = LONGEST_US;
	usleep(*us);
}

/* Runs a test to its end; `text` gets its last words. */
static enum test_end run_test(const struct subject *s, const struct test *test, uint64_t limit_ns,
			      char *text, size_t size)
{
	bool body_is_over;
	struct running r = { .subject = *s, .test = test, .body_is_over = &body_is_over };
	enum test_end verdict;
	unsigned us = 0;
	if (!begin_test(&r, limit_ns, text, size))
		return FAILED;
	while (!has_ended(&r, &verdict, text, size))
		look_again_later(&us);
	return verdict;
}

/* Can the engine do what the tests of a flavour need? */
static bool engine_supports(const struct subject *s, struct reason *why)
{
	struct engine_config config = { .depth = 1,
					.options = s->options,
					.cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) };
	static const struct {
		enum io_kind in, out;
		enum io_fd_kind fd_kind;
	} needs[FLAVOUR_COUNT] = {
		[BUFFERED] = { IO_READ, IO_WRITE, IO_FD_FILE },
		[DIRECT] = { IO_READ, IO_WRITE, IO_FD_FILE },
		[TCP] = { IO_RECV, IO_SEND, IO_FD_SOCKET },
		[UNIX] = { IO_RECV, IO_SEND, IO_FD_SOCKET },
		[PIPE] = { IO_READ, IO_WRITE, IO_FD_PIPE },
		[NO_FD] = { IO_NOP, IO_NOP, IO_FD_NONE },
	};
	why->text[0] = '\0';
	return s->ops->supports(&config, needs[s->flavour].in, needs[s->flavour].fd_kind, why) ==
		       0 &&
	       s->ops->supports(&config, needs[s->flavour].out, needs[s->flavour].fd_kind, why) ==
		       0;
}

static void report(struct suite *suite, enum test_end verdict, const char *label,
		   const char *flavour, const char *test, char *text)
{
	text[strcspn(text, "\n")] = '\0';
	suite->number++;
	switch (verdict) {
	case PASSED:
		suite->passed++;
		printf("ok %u - %s/%s/%s\n", suite->number, label, flavour, test);
		if (*text == '#') /* a remark of the test's */
			puts(text);
		break;
	case SKIPPED:
		suite->skipped++;
		printf("ok %u - %s/%s/%s # SKIP %s\n", suite->number, label, flavour, test, text);
		break;
	case FAILED:
		suite->failed++;
		printf("not ok %u - %s/%s/%s\n# %s\n", suite->number, label, flavour, test, text);
		break;
	}
}

/* Tests of one variant: one whose body runs, and others that wait for threads to end. */
struct overlapping {
	struct suite *suite;
	const char *label;
	struct running running[OVERLAPPING_MAX];
};

/* A page that the processes of tests share with this one. */
static bool *bodies_over(void)
{
	static bool *flags;
	if (!flags)
		flags = mmap(NULL, OVERLAPPING_MAX, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return flags;
}

/* Reports the test in this place once it has ended. Returns whether the place is free. */
static bool report_ended(struct overlapping *o, struct running *r)
{
	char text[2000];
	enum test_end verdict;
	if (r->pid == 0)
		return true;
	if (!has_ended(r, &verdict, text, sizeof text))
		return false;
	o->suite->ran[r->test - contract_tests] += verdict != SKIPPED;
	report(o->suite, verdict, o->label, flavour_names[r->subject.flavour], r->test->name, text);
	return true;
}

/* A place in which no test runs, waiting for one. */
static struct running *free_place(struct overlapping *o)
{
	for (unsigned us = 0;; look_again_later(&us))
		for (unsigned i = 0; i < OVERLAPPING_MAX; i++)
			if (report_ended(o, &o->running[i]))
				return &o->running[i];
}

/* Begins a test and waits until its body is over. */
static void run_body(struct overlapping *o, const struct subject *s, const struct test *test)
{
	char text[2000];
	struct running *r = free_place(o);
	unsigned us = 0;
	*r = (struct running) { .subject = *s,
				.test = test,
				.body_is_over = bodies_over() + (r - o->running) };
	if (!begin_test(r, o->suite->limit_ns, text, sizeof text)) {
		report(o->suite, FAILED, o->label, flavour_names[s->flavour], test->name, text);
		return;
	}
	while (!report_ended(o, r) && !__atomic_load_n(r->body_is_over, __ATOMIC_ACQUIRE))
		look_again_later(&us);
}

static void await_all_tests(struct overlapping *o)
{
	unsigned us = 0;
	for (unsigned i = 0; i < OVERLAPPING_MAX; i++)
		while (!report_ended(o, &o->running[i]))
			look_again_later(&us);
}

/*
 * Briefly, an option meets what takes long once with a file and once with a stream. What only fails to open needs
 * neither. Is the test asked of an earlier subject for the same?
 */
static bool is_long_again(const struct test *test, const struct subject *subjects, unsigned at)
{
	bool is_stream = (ONE(subjects[at].flavour) & STREAMS) != 0;
	if (!test->is_long)
		return false;
	for (unsigned i = 0; i < at; i++) {
		bool alike = subjects[i].flavour != NO_FD && subjects[at].flavour != NO_FD &&
			     ((ONE(subjects[i].flavour) & STREAMS) != 0) == is_stream;
		if ((test->flavours & ONE(subjects[i].flavour)) && (alike || test->without_fd))
			return true;
	}
	return false;
}

static bool is_asked_for(const struct suite *suite, const struct test *test,
			 const struct subject *subjects, unsigned at)
{
	const struct subject *s = &subjects[at];
	bool combined = (s->options & (s->options - 1)) != 0;
	bool brief = suite->brief && s->options;
	if ((suite->one_of_each || brief) && is_one_more(test->flavours, s->flavour))
		return false;
	if (brief && is_long_again(test, subjects, at))
		return false;
	return (test->flavours & ONE(s->flavour)) && !(test->is_long && (combined || sanitized)) &&
	       (!suite->only_test || strcmp(suite->only_test, test->name) == 0);
}

/* Where the engine refuses, one line tells why; a refusal without a reason fails. */
static bool is_supported(struct suite *suite, const struct subject *s, const char *label)
{
	struct reason why;
	if (engine_supports(s, &why))
		return true;
	char silent[] = "supports() refuses without a reason";
	bool has_reason = why.text[0] != '\0';
	report(suite, has_reason ? SKIPPED : FAILED, label, flavour_names[s->flavour], "*",
	       has_reason ? why.text : silent);
	return false;
}

static void test_variant(struct suite *suite, const struct engine_ops *ops, uint64_t options)
{
	char label[200];
	struct overlapping overlapping = { .suite = suite, .label = label };
	struct subject subjects[FLAVOUR_COUNT];
	unsigned count = 0;
	engine_label(ops, options, label, sizeof label);
	for (unsigned flavour = 0; flavour < FLAVOUR_COUNT; flavour++) {
		struct subject s = { .ops = ops, .options = options, .flavour = flavour };
		if (suite->only_flavour && strcmp(suite->only_flavour, flavour_names[flavour]) != 0)
			continue;
		if (is_supported(suite, &s, label))
			subjects[count++] = s;
	}
	for (int is_long = 0; is_long <= 1; is_long++)
		for (unsigned i = 0; i < count; i++)
			for (unsigned t = 0; t < contract_test_count; t++)
				if (contract_tests[t].is_long == is_long &&
				    is_asked_for(suite, &contract_tests[t], subjects, i))
					run_body(&overlapping, &subjects[i], &contract_tests[t]);
	await_all_tests(&overlapping);
}

static unsigned option_count(const struct engine_ops *ops)
{
	unsigned count = 0;
	while (ops->options && ops->options[count].name)
		count++;
	return count;
}

/* Plain and with each option alone, with each two options together, or both. */
enum variants { ALONE = 1, PAIRS = 2 };

static void test_engine(struct suite *suite, const struct engine_ops *ops, unsigned which)
{
	unsigned count = option_count(ops);
	if (which & ALONE)
		test_variant(suite, ops, 0);
	for (unsigned i = 0; i < count; i++)
		for (unsigned j = i; j < count; j++)
			if (which & (i == j ? ALONE : PAIRS))
				test_variant(suite, ops, UINT64_C(1) << i | UINT64_C(1) << j);
}

static const struct test *test_named(const char *name)
{
	for (unsigned t = 0; t < contract_test_count; t++)
		if (strcmp(contract_tests[t].name, name) == 0)
			return &contract_tests[t];
	return NULL;
}

/* A suite that finds nothing wrong with a wrong engine proves nothing. */
static void kill_mutants(struct suite *suite, const struct mutant *first)
{
	char text[2000];
	for (const struct mutant *mutant = first; mutant->fault; mutant++) {
		const struct test *killer = test_named(mutant->killer);
		if (suite->only_test && strcmp(suite->only_test, killer->name) != 0)
			continue;
		struct subject s = { .ops = &mutant->ops,
				     .options = mutant->options,
				     .flavour = mutant->flavour };
		while (!(killer->flavours & ONE(s.flavour)))
			s.flavour++;
		enum test_end verdict = run_test(&s, killer, MUTANT_LIMIT_NS, text, sizeof text);
		bool found = verdict == FAILED && strstr(text, mutant->says);
		if (!found && verdict != SKIPPED)
			printf("# expected a failure that says \"%s\"\n", mutant->says);
		if (verdict != SKIPPED)
			verdict = found ? PASSED : FAILED;
		report(suite, verdict, "self-test", mutant->killer, mutant->fault, text);
	}
}

/* What finds fault with a right engine proves nothing either: here those that faults are laid over. */
static void spare_the_right(struct suite *suite)
{
	char text[2000];
	for (unsigned t = 0; t < contract_test_count; t++) {
		const struct test *test = &contract_tests[t];
		struct subject s = { .ops = &laid_over_mutants->ops };
		struct reason why;
		while (!(test->flavours & ONE(s.flavour)))
			s.flavour++;
		if (!engine_supports(&s, &why) ||
		    (suite->only_test && strcmp(suite->only_test, test->name) != 0))
			continue;
		enum test_end verdict = run_test(&s, test, suite->limit_ns, text, sizeof text);
		report(suite, verdict, "self-test", test->name, "no fault", text);
	}
}

static void test_the_suite(struct suite *suite)
{
	kill_mutants(suite, mutants);
	kill_mutants(suite, laid_over_mutants);
	spare_the_right(suite);
}

/* A test that no engine has run proves nothing either. */
static void expect_every_test_ran(struct suite *suite)
{
	for (unsigned t = 0; t < contract_test_count; t++) {
		char text[] = "skipped for every engine";
		if (suite->ran[t] == 0)
			report(suite, FAILED, "suite", "*", contract_tests[t].name, text);
	}
}

/*
 * Lines of fields with a tab between. Which test asserts which sentence: "rule", its first words,
 * tests, where else it is tested, why not. What each catches: "mutant", test, fault. "test": a name.
 */
static void print_rules(void)
{
	for (const struct rule *rule = rules; rule->begins; rule++)
		printf("rule\t%s\t%s\t%s\t%s\n", rule->begins, rule->tests ? rule->tests : "",
		       rule->elsewhere ? rule->elsewhere : "",
		       rule->untestable ? rule->untestable : "");
	for (unsigned t = 0; t < contract_test_count; t++)
		printf("test\t%s\n", contract_tests[t].name);
	const struct mutant *const lists[] = { mutants, laid_over_mutants };
	for (unsigned i = 0; i < 2; i++)
		for (const struct mutant *mutant = lists[i]; mutant->fault; mutant++)
			printf("mutant\t%s\t%s\n", mutant->killer, mutant->fault);
}

struct command_line {
	unsigned variants; /* enum variants */
	bool self_test, one_of_each, brief;
	char *only; /* ENGINE/FLAVOUR/TEST */
	const char *words[2];
	uint64_t limit_s;
};

enum {
	ALONE_KEY = 256,
	PAIRS_KEY,
	ONE_OF_EACH_KEY,
	BRIEF_KEY,
	ONLY_KEY,
	LIMIT_KEY,
	SELF_TEST_KEY,
	LIST_KEY,
	RULES_KEY
};

static const struct argp_option argp_options[] = {
	{ "alone", ALONE_KEY, NULL, 0, "each option alone, none with another", 0 },
	{ "pairs", PAIRS_KEY, NULL, 0, "only each two options together", 0 },
	{ "one-of-each", ONE_OF_EACH_KEY, NULL, 0,
	  "leave out direct files and unix sockets, where a test has buffered files and TCP, too",
	  0 },
	{ "brief", BRIEF_KEY, NULL, 0,
	  "the same, but only with an option, which meets what takes long once with a file and once "
	  "with a stream",
	  0 },
	{ "only", ONLY_KEY, "ENGINE/FLAVOUR/TEST", 0, "one test, by its name as it is printed", 0 },
	{ "limit", LIMIT_KEY, "SECONDS", 0,
	  "what takes longer hangs (default: 240); more makes all waits of a test more patient",
	  0 },
	{ "self-test", SELF_TEST_KEY, NULL, 0, "only: are faulty engines found?", 0 },
	{ "list", LIST_KEY, NULL, 0, "print the engines' names", 0 },
	{ "rules", RULES_KEY, NULL, 0, "print which test asserts what, and what it catches", 0 },
	{ 0 },
};

static void print_engines(void)
{
	for (unsigned i = 0; i < engines_count(); i++)
		puts(engine_at(i)->name);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct command_line *line = state->input;
	struct reason why;
	switch (key) {
	case ALONE_KEY:
		line->variants = ALONE;
		return 0;
	case PAIRS_KEY:
		line->variants = PAIRS;
		return 0;
	case ONE_OF_EACH_KEY:
		line->one_of_each = true;
		return 0;
	case BRIEF_KEY:
		line->brief = true;
		return 0;
	case ONLY_KEY:
		line->only = text;
		return 0;
	case LIMIT_KEY:
		if (number_whole("limit", text, 1, 3600, UNIT_THOUSAND, &line->limit_s, &why) < 0)
			argp_error(state, "%s", why.text);
		return 0;
	case SELF_TEST_KEY:
		line->self_test = true;
		return 0;
	case LIST_KEY:
		print_engines();
		exit(0);
	case RULES_KEY:
		print_rules();
		exit(0);
	case ARGP_KEY_ARG:
		if (state->arg_num >= 2)
			return ARGP_ERR_UNKNOWN;
		line->words[state->arg_num] = text;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The parts of --only take the places of the words ENGINE and TEST. "*" as TEST asks for support alone. */
static void take_apart(struct command_line *line, struct suite *suite)
{
	line->words[0] = strsep(&line->only, "/");
	suite->only_flavour = strsep(&line->only, "/");
	line->words[1] = line->only ? line->only : "";
}

int main(int argc, char **argv)
{
	static const struct argp argp = { .options = argp_options,
					  .parser = parse_option,
					  .args_doc = "[ENGINE[:OPTION+...]] [TEST]",
					  .doc = "The contract of engines, as tests. Prints TAP." };
	struct command_line line = { .variants = ALONE | PAIRS, .limit_s = TEST_LIMIT_S };
	struct suite suite = { 0 };
	const struct engine_ops *only = NULL;
	uint64_t options = 0;
	struct reason why;
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &line);
	bool one_test = line.only;
	if (one_test)
		take_apart(&line, &suite);
	/* With --self-test there is no engine to name. */
	const char *engine = line.self_test ? NULL : line.words[0];
	suite.only_test = line.self_test ? line.words[0] : line.words[1];
	suite.one_of_each = line.one_of_each;
	suite.brief = line.brief;
	suite.limit_ns = line.limit_s * NS_PER_S;
	if (line.limit_s > TEST_LIMIT_S)
		operation_patience_ns *= line.limit_s / TEST_LIMIT_S;
	if (engine && engine_spec_parse(engine, &only, &options, &why) < 0) {
		fprintf(stderr, "conformance: %s\n", why.text);
		return EXIT_USAGE;
	}
	if (suite.only_test && !(one_test && strcmp(suite.only_test, "*") == 0) &&
	    !test_named(suite.only_test)) {
		fprintf(stderr, "conformance: no test '%s'\n", suite.only_test);
		return EXIT_USAGE;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!only)
		test_the_suite(&suite);
	if (only && (one_test || options))
		test_variant(&suite, only, options);
	else if (only)
		test_engine(&suite, only, line.variants);
	for (unsigned i = 0; !only && !line.self_test && i < engines_count(); i++)
		test_engine(&suite, engine_at(i), line.variants);
	if (!only && !line.self_test)
		expect_every_test_ran(&suite);
	if (one_test && suite.number == 0 && strcmp(suite.only_test, "*") != 0) {
		fprintf(stderr, "conformance: %s has no test '%s/%s'\n", engine,
			suite.only_flavour ? suite.only_flavour : "", suite.only_test);
		return EXIT_USAGE;
	}
	printf("1..%u\n# %u passed, %u failed, %u skipped\n", suite.number, suite.passed,
	       suite.failed, suite.skipped);
	return suite.failed ? 1 : 0;
}
