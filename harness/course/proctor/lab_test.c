/* SPDX-License-Identifier: MIT */
/*
 * The main() of every lab's test program: runs one test of the table in this process.
 *
 *     tests --list           names, exercises, limits in seconds and engines, one a line
 *     tests --run NAME       one test; exits 0 when it holds, 1 when not, 77 when it cannot tell
 *     tests --each NAME...   each of these in a process of its own; tells only which do not hold
 *
 * The proctor starts it, counts system calls and judges. It also works by hand, for example in gdb;
 * then tests that need the counts are skipped.
 */
#include "lab_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "each_test.h"
#include "engines.h"
#include "exam_record.h"
#include "reason.h"
#include "syscall_names.h"
#include "threads_asleep.h"

/* The engine under test, behind functions that record each call to it. */
static const struct engine_ops *real;
static struct engine_ops watched;
static const char *watched_spec; /* as in --engine: "null:narrow" */
static const char *allowed_calls;
static struct exam_record *record; /* the proctor's, or private memory when there is none */
static bool proctored;
static uint64_t token;
/* The proctor counts the calls of the first. What another thread of the test does is only told. */
static _Thread_local bool is_first_thread;

/*
 * Says a word to the proctor. The instruction stands here, and not in the C library, so that the proctor
 * knows this place from all others.
 */
__attribute__((noinline)) static void tell_proctor(enum exam_word word, unsigned long value)
{
	void *own_frame = __builtin_frame_address(0);
#if defined __x86_64__
	long number = SYS_prctl;
	register const void *fourth __asm__("r10") = own_frame;
	__asm__ volatile("syscall\n.globl " EXAM_TELLS_AT "\n" EXAM_TELLS_AT ":"
			 : "+a"(number)
			 : "D"((unsigned long)word), "S"(value), "d"(record), "r"(fourth)
			 : "rcx", "r11", "memory");
#elif defined __aarch64__
	register long number __asm__("x8") = SYS_prctl;
	register unsigned long first __asm__("x0") = word, second __asm__("x1") = value;
	register const void *third __asm__("x2") = record, *fourth __asm__("x3") = own_frame;
	__asm__ volatile("svc 0\n.globl " EXAM_TELLS_AT "\n" EXAM_TELLS_AT ":"
			 : "+r"(first)
			 : "r"(number), "r"(second), "r"(third), "r"(fourth)
			 : "memory");
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "how is a system call made on this architecture?"
#endif
}

static void keep_event(struct event_key key, const char *text)
{
	uint32_t i = __atomic_fetch_add(&record->event_count, 1, __ATOMIC_RELAXED);
	struct exam_event *event = &record->events[exam_event_slot(i)];
	event->key = key;
	snprintf(event->text, sizeof event->text, "%s", text);
}

void note(const char *format, ...)
{
	char text[4 * EXAM_EVENT_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	keep_event(key_of_note(text), text);
}

/* What is told of a call to the engine: that it is made, and how it ends. */
enum told {
	TOLD_SUPPORTS = 1,
	TOLD_OPEN,
	TOLD_ATTACH,
	TOLD_DETACH,
	TOLD_SUBMIT,
	TOLD_ACCEPTED,
	TOLD_REAP,
	TOLD_CAME_BACK,
	TOLD_CANCEL_ONE,
	TOLD_CANCEL,
	TOLD_CLOSE,
};

/* An event with up to three values that make it another one. */
static struct event_key key_of(enum told told, int64_t a, int64_t b, int64_t c)
{
	struct event_key key = { 0, 0 };
	key_fixed(&key, told);
	key_fixed(&key, (uint64_t)a);
	key_fixed(&key, (uint64_t)b);
	key_fixed(&key, (uint64_t)c);
	return key;
}

static struct event_key key_with(struct event_key key, uint64_t varying)
{
	key_varying(&key, varying);
	return key;
}

/*
 * This thread's place among those that drive an engine beside the first; NULL for the first, and for
 * one more than there are places.
 */
static struct exam_driver *driver(void)
{
	static _Thread_local struct exam_driver *own;
	static uint32_t taken;
	if (is_first_thread || own)
		return own;
	uint32_t place = __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
	if (place >= EXAM_DRIVERS)
		return NULL;
	own = &record->drivers[place];
	__atomic_store_n(&own->tid, (uint32_t)gettid(), __ATOMIC_SEQ_CST);
	return own;
}

/* What the test asks of the engine, and what it answers. */
__attribute__((format(printf, 2, 3))) static void tell(struct event_key key, const char *format,
						       ...)
{
	char text[EXAM_EVENT_BYTES];
	va_list args;
	/* Under a sanitizer two threads that write here would be ordered, or a race of ours. */
	if (!is_first_thread && !record->attached)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (!is_first_thread) {
		size_t used = strlen(text);
		unsigned number = driver() ? driver_number(record, gettid()) : 0;
		snprintf(text + used, sizeof text - used, "   [the test's thread %u]", number);
		key_fixed(&key, number);
	}
	keep_event(key, text);
}

/* First of all: what the engine does later changes nothing. */
void failure_begins(void)
{
	if (record->attached)
		tell_proctor(EXAM_FAILED, 0);
}

bool report_failure(const struct test_failure *failure)
{
	if (!proctored)
		return false;
	struct exam_failure *to = &record->failure;
	snprintf(to->file, sizeof to->file, "%s", failure->file);
	snprintf(to->when, sizeof to->when, "%s", failure->when);
	snprintf(to->expected, sizeof to->expected, "%s", failure->expected);
	snprintf(to->seen, sizeof to->seen, "%s", failure->seen);
	to->line = (uint32_t)failure->line;
	return true;
}

bool report_skip(const char *why)
{
	if (proctored)
		snprintf(record->skipped, sizeof record->skipped, "%s", why);
	return proctored;
}

static bool always_allowed(long number)
{
	static const char *const names[] = { "brk",	      "mmap",	      "munmap",
					     "mprotect",      "madvise",      "futex",
					     "sched_yield",   "rt_sigreturn", "restart_syscall",
					     "clock_gettime", "getrandom" };
	char text[SYSCALL_NAME_SIZE];
	const char *name = syscall_name(number, text);
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* On the loop's thread, a call that is not of this lab's interface ends the test. */
static void check_allowed(const char *where, const uint32_t *before)
{
	char name[SYSCALL_NAME_SIZE];
	if (!allowed_calls || !record->attached || !is_first_thread)
		return;
	for (long n = 0; n < EXAM_CALLS_MAX; n++)
		if (record->calls_main[n] > before[n] && !always_allowed(n) &&
		    !syscall_among(n, allowed_calls))
			expect(false, "%s() made the system call %s; this exercise is about: %s",
			       where, syscall_name(n, name), allowed_calls);
}

static uint32_t counts_before[EXAM_CALLS_MAX];

static bool is_told; /* the call to the engine that is under way */

/* Of another thread, whose calls are not counted. */
static void set_driving(bool in_engine)
{
	if (record->attached && driver())
		__atomic_store_n(&driver()->in_engine, in_engine, __ATOMIC_SEQ_CST);
}

/*
 * This and leave() become part of the function that calls them: so the proctor sees that one frame speaks
 * both times.
 */
__attribute__((always_inline)) static inline void enter(enum engine_function function)
{
	static uint32_t told[FUNCTION_COUNT];
	const char *where = function_names[function];
	if (!is_first_thread) {
		set_driving(true);
		return;
	}
	snprintf(record->where, sizeof record->where, "%s", where);
	memcpy(counts_before, record->calls_main, sizeof counts_before);
	is_told = record->attached && told[function] < EXAM_TOLD_MAX;
	if (is_told) {
		told[function]++;
		tell_proctor(EXAM_CALL, function);
	}
	__atomic_store_n(&record->in_engine, 1, __ATOMIC_SEQ_CST);
}

__attribute__((always_inline)) static inline void leave(void)
{
	if (!is_first_thread) {
		set_driving(false);
		return;
	}
	__atomic_store_n(&record->in_engine, 0, __ATOMIC_SEQ_CST);
	if (is_told)
		tell_proctor(EXAM_RETURN, 0);
	record->where[0] = '\0';
}

static const char *describe(const struct io_op *op, char *text, size_t size)
{
	int used = snprintf(text, size, "%s of %u bytes, fd %d", kind_name(op->kind), op->len_bytes,
			    op->fd);
	if (op->offset != IO_NO_OFFSET && (op->kind == IO_READ || op->kind == IO_WRITE))
		snprintf(text + used, size - (size_t)used, ", offset %llu",
			 (unsigned long long)op->offset);
	return text;
}

static int watched_supports(const struct engine_config *config, enum io_kind kind,
			    enum io_fd_kind fd_kind, struct reason *why)
{
	static const char *const fd_kinds[IO_FD_KIND_COUNT] = {
		"no descriptor", "a file", "a socket", "a pipe", "a listener",
	};
	enter(FUNCTION_SUPPORTS);
	int rc = real->supports(config, kind, fd_kind, why);
	leave();
	tell(key_of(TOLD_SUPPORTS, kind, fd_kind, rc), "supports %s on %s = %s", kind_name(kind),
	     fd_kinds[fd_kind], answer(rc));
	return rc;
}

static int watched_open(struct engine **engine, const struct engine_config *config,
			struct reason *why)
{
	enter(FUNCTION_OPEN);
	int rc = real->open(engine, config, why);
	leave();
	tell(key_of(TOLD_OPEN, config->depth, rc, 0), "open     %s, depth %u = %s", watched_spec,
	     config->depth, answer(rc));
	return rc;
}

static int watched_attach(struct engine *engine, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
			  struct reason *why)
{
	enter(FUNCTION_ATTACH);
	int rc = real->attach(engine, fd_slot, fd, fd_kind, why);
	leave();
	tell(key_of(TOLD_ATTACH, fd, fd_slot, rc), "attach   fd %d as fd_slot %u = %s", fd, fd_slot,
	     answer(rc));
	return rc;
}

static void watched_detach(struct engine *engine, unsigned fd_slot)
{
	enter(FUNCTION_DETACH);
	real->detach(engine, fd_slot);
	leave();
	tell(key_of(TOLD_DETACH, fd_slot, 0, 0), "detach   fd_slot %u", fd_slot);
}

static int watched_submit(struct engine *engine, struct io_op *const *ops, unsigned count)
{
	char text[80];
	struct event_key key = key_of(TOLD_SUBMIT, count, ops[0]->kind, ops[0]->len_bytes);
	key_fixed(&key, (uint64_t)ops[0]->fd);
	key_varying(&key, (uint64_t)ops[0]->offset);
	tell(key_with(key, ops[0]->slot), "submit   %u offered; the first: slot %u, %s", count,
	     ops[0]->slot, describe(ops[0], text, sizeof text));
	enter(FUNCTION_SUBMIT);
	int n = real->submit(engine, ops, count);
	leave();
	if (n < 0)
		tell(key_of(TOLD_ACCEPTED, n, 0, 0), "         returned %s", answer(n));
	else
		tell(key_of(TOLD_ACCEPTED, n, 0, 0), "         %d accepted", n);
	check_allowed("submit", counts_before);
	return n;
}

static int watched_reap(struct engine *engine, struct io_op **done, unsigned min, unsigned max,
			int64_t timeout_ns)
{
	struct event_key asked = key_with(key_of(TOLD_REAP, min, timeout_ns, 0), max);
	if (min == 0)
		tell(asked, "reap     min 0, max %u, without waiting", max);
	else if (timeout_ns < 0)
		tell(asked, "reap     min %u, max %u, for ever", min, max);
	else
		tell(asked, "reap     min %u, max %u, %lld us", min, max,
		     (long long)(timeout_ns / NS_PER_US));
	enter(FUNCTION_REAP);
	int n = real->reap(engine, done, min, max, timeout_ns);
	leave();
	if (n > 0 && done[0])
		tell(key_with(key_of(TOLD_CAME_BACK, n, done[0]->result, 0), done[0]->slot),
		     "         %d came back; the first: slot %u, result %s", n, done[0]->slot,
		     answer(done[0]->result));
	else if (n < 0)
		tell(key_of(TOLD_CAME_BACK, n, 0, 0), "         returned %s", answer(n));
	else
		tell(key_of(TOLD_CAME_BACK, n, 0, 0), "         %d came back", n);
	check_allowed("reap", counts_before);
	return n;
}

static void watched_cancel_one(struct engine *engine, struct io_op *op)
{
	tell(key_with(key_of(TOLD_CANCEL_ONE, 0, 0, 0), op->slot), "cancel   slot %u", op->slot);
	enter(FUNCTION_CANCEL);
	real->cancel_one(engine, op);
	leave();
	check_allowed("cancel_one", counts_before);
}

static void watched_cancel(struct engine *engine)
{
	tell(key_of(TOLD_CANCEL, 0, 0, 0), "cancel");
	enter(FUNCTION_CANCEL);
	real->cancel(engine);
	leave();
	check_allowed("cancel", counts_before);
}

static void watched_close(struct engine *engine)
{
	tell(key_of(TOLD_CLOSE, 0, 0, 0), "close");
	enter(FUNCTION_CLOSE);
	real->close(engine);
	leave();
}

static void watch_engine(struct subject *s, const char *spec)
{
	struct reason why = { "" };
	watched_spec = spec;
	expect(engines_count() > 0,
	       EXPECTED("an engine %s") SAW("none: does the file end with IO_ENGINE(...)?"), spec);
	int rc = engine_spec_parse(spec, &real, &s->options, &why);
	expect(rc == 0, EXPECTED("an engine %s") SAW("none: %s"), spec, why.text);
	watched = *real;
	watched.supports = watched_supports;
	watched.open = watched_open;
	watched.attach = real->attach ? watched_attach : NULL;
	watched.detach = real->detach ? watched_detach : NULL;
	watched.submit = watched_submit;
	watched.reap = watched_reap;
	watched.cancel_one = real->cancel_one ? watched_cancel_one : NULL;
	watched.cancel = watched_cancel;
	watched.close = watched_close;
	s->ops = &watched;
}

/* Whoever changed them is found out before the test reads them. */
static void look_at_counts(void)
{
	if (is_first_thread && record->attached)
		tell_proctor(EXAM_COUNT, 0);
}

static void need_counts(void)
{
	if (!record->attached)
		test_skipped(
			"system calls are not counted here (sanitizer build, or ptrace refused)");
}

void calls_reset(void)
{
	need_counts();
	tell_proctor(EXAM_RESET, 0);
	note("-- counting system calls from here");
}

static unsigned sum(const uint32_t *counts, const char *names)
{
	unsigned total = 0;
	need_counts();
	for (long n = 0; n < EXAM_CALLS_MAX; n++)
		if (counts[n] && (names ? syscall_among(n, names) : !always_allowed(n)))
			total += counts[n];
	return total;
}

unsigned calls_made(const char *names)
{
	look_at_counts();
	return sum(record->calls_main, names);
}

unsigned calls_made_by_workers(const char *names)
{
	return sum(record->calls_others, names);
}

#define JOINED_SIZE 120 /* for the words of struct exam_fault */
#define WORDS_SIZE  160

/* "poll or ppoll", of words with blanks between or after them. */
static const char *joined_by_or(const char *names, char words[JOINED_SIZE])
{
	size_t used = 0;
	words[0] = '\0';
	while (*(names += strspn(names, " ")) && used < JOINED_SIZE) {
		int length = (int)strcspn(names, " ");
		bool is_last = !names[length + (int)strspn(names + length, " ")];
		used += (size_t)snprintf(words + used, JOINED_SIZE - used, "%s%.*s",
					 used == 0 ? ""
					 : is_last ? " or "
						   : ", ",
					 length, names);
		names += length;
	}
	return words;
}

static const char *which_call(const char *names, unsigned let_through, char words[WORDS_SIZE])
{
	char joined[JOINED_SIZE];
	joined_by_or(names, joined);
	if (let_through == 0)
		snprintf(words, WORDS_SIZE, "the next call of %s", joined);
	else
		snprintf(words, WORDS_SIZE, "call number %u of %s", let_through + 1, joined);
	return words;
}

void fail_call(const char *names, int error, unsigned let_through)
{
	need_counts();
	record->fault = (struct exam_fault) { .let_through = let_through };
	snprintf(record->fault.names, sizeof record->fault.names, "%s", names);
	record->fault.error = error;
	char words[WORDS_SIZE];
	note("-- from here on %s fails with %s", which_call(names, let_through, words),
	     errno_name(error));
}

const char *failing_call(void)
{
	static char words[JOINED_SIZE];
	return record->fault.failed ? record->fault.call : joined_by_or(record->fault.names, words);
}

bool call_failed(void)
{
	look_at_counts();
	record->fault.error = 0;
	return record->fault.failed;
}

unsigned calls_after_failure(void)
{
	return record->fault.calls_since;
}

void hold_call(const char *names)
{
	hold_call_after(names, 0);
}

void hold_call_after(const char *names, unsigned let_through)
{
	need_counts();
	record->hold = (struct exam_hold) { .let_through = let_through };
	snprintf(record->hold.names, sizeof record->hold.names, "%s", names);
	char words[WORDS_SIZE];
	note("-- from here on %s is held up", which_call(names, let_through, words));
}

bool wait_until_held(int64_t patience_ns)
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)patience_ns;
	while (!__atomic_load_n(&record->hold.held, __ATOMIC_SEQ_CST)) {
		if (clock_ns() > deadline_ns)
			return false;
		usleep(200);
	}
	return true;
}

void let_call_go(void)
{
	record->hold.names[0] = '\0';
	__atomic_store_n(&record->hold.let_go, 1, __ATOMIC_SEQ_CST);
}

void wait_until_others_sleep(void)
{
	expect(others_fall_asleep(5 * NS_PER_S),
	       EXPECTED("the other threads to sleep in the kernel")
		       SAW("one of them up at each look for 5 s"));
}

unsigned prints_made(void)
{
	need_counts();
	look_at_counts();
	return record->prints;
}

unsigned threads_started(void)
{
	need_counts();
	look_at_counts();
	return record->threads_started;
}

void peer_sends(int fd, const void *bytes, size_t count)
{
	note("peer     sends %zu byte%s", count, count == 1 ? "" : "s");
	ssize_t n = write(fd, bytes, count);
	expect(n == (ssize_t)count, "the test's own write failed: %s", strerror(errno));
}

void wait_until_asleep(int tid)
{
	int rc = thread_falls_asleep(tid, 5 * NS_PER_S);
	expect(rc != -ESRCH, "the test itself cannot read the status of thread %d", tid);
	expect(rc == 0, EXPECTED("the thread to sleep in the kernel") SAW("it running for 5 s"));
}

int polling_thread(void)
{
	int found = -1;
	DIR *directory = opendir("/proc/self/task");
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char path[300], name[32] = "";
		snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
		FILE *file = fopen(path, "re");
		if (file && fgets(name, sizeof name, file) && strncmp(name, "iou-sqp-", 8) == 0)
			found = atoi(entry->d_name);
		if (file)
			fclose(file);
	}
	if (directory)
		closedir(directory);
	return found;
}

int64_t thread_cpu_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return used.tv_sec * NS_PER_S + used.tv_nsec;
}

int64_t process_cpu_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * NS_PER_S + used.tv_nsec;
}

/* The shared memory of the proctor, or memory of our own. */
static void meet_proctor(void)
{
	const char *word = getenv(EXAM_FD_VARIABLE);
	int fd = word ? atoi(word) : -1;
	void *memory = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE,
			    fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	if (memory == MAP_FAILED) {
		perror("the proctor's memory");
		exit(2);
	}
	record = memory;
	if (fd < 0)
		return;
	proctored = true;
	close(fd);
	unsetenv(EXAM_FD_VARIABLE);
}

/* It is there once the proctor has heard EXAM_BEGIN. */
static void take_token(void)
{
	token = record->token;
	record->token = 0;
	choose_pattern(token);
}

/* ThreadSanitizer would wait a second at each end of a process that still has threads. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "atexit_sleep_ms=0";
}

/* AddressSanitizer calls it once it has found something, before it looks up where. */
void __asan_on_error(void);
void __asan_on_error(void)
{
	if (record)
		__atomic_store_n(&record->reporting, 1, __ATOMIC_SEQ_CST);
}

/* One of the runs of a test: over a flavour of descriptors, or over an engine. */
struct variant {
	char name[128];
	char engine[64]; /* as in --engine */
	enum flavour flavour;
	void (*run)(struct subject *s);
};

/* Does another row of the lab's ask this of the same engine? */
static bool is_named(const struct lab_test *rest, const struct test *test, enum flavour flavour)
{
	for (const struct lab_test *row = lab_tests; row->name; row++)
		if (row->run == test->run && (row->flavours & ONE(flavour)) &&
		    strcmp(row->engine, rest->engine) == 0)
			return true;
	return false;
}

static bool is_of_the_rest(const struct lab_test *rest, const struct test *test,
			   enum flavour flavour)
{
	unsigned flavours = test->flavours & rest->flavours;
	return (flavours & ONE(flavour)) && !is_one_more(flavours, flavour) && !test->is_long &&
	       !test->needs_interposers && !(test->about & rest->left_out) &&
	       !is_named(rest, test, flavour);
}

static bool find_variant_of_the_rest(const struct lab_test *rest, unsigned number,
				     struct variant *v)
{
	for (const struct test *test = contract_tests; test < contract_tests + contract_test_count;
	     test++)
		for (unsigned f = 0; f < FLAVOUR_COUNT; f++) {
			if (!is_of_the_rest(rest, test, f) || number-- > 0)
				continue;
			v->flavour = f;
			v->run = test->run;
			snprintf(v->name, sizeof v->name, "%s_%s/%s", rest->name, test->name,
				 flavour_names[f]);
			snprintf(v->engine, sizeof v->engine, "%s", rest->engine);
			return true;
		}
	return false;
}

/* Returns whether the test has a run of that number, from 0. */
static bool find_variant(const struct lab_test *test, unsigned number, struct variant *v)
{
	const char *word = test->over;
	if (!test->run)
		return find_variant_of_the_rest(test, number, v);
	v->run = test->run;
	for (unsigned f = 0; !word && f < FLAVOUR_COUNT; f++) {
		if (!(test->flavours & 1u << f) || number-- > 0)
			continue;
		v->flavour = f;
		snprintf(v->name, sizeof v->name, "%s/%s", test->name, flavour_names[f]);
		snprintf(v->engine, sizeof v->engine, "%s", test->engine);
		return true;
	}
	while (word && *word) {
		int length = (int)strcspn(word, " ");
		if (number-- == 0) {
			v->flavour = NO_FD;
			snprintf(v->name, sizeof v->name, "%s/%.*s", test->name, length, word);
			snprintf(v->engine, sizeof v->engine, "%.*s", length, word);
			return true;
		}
		word += length + strspn(word + length, " ");
	}
	return false;
}

static unsigned limit_s(const struct lab_test *test)
{
	return test->limit_s ? test->limit_s : 10;
}

static int list_tests(void)
{
	struct variant v;
	for (const struct lab_test *test = lab_tests; test->name; test++)
		for (unsigned i = 0; find_variant(test, i, &v); i++)
			printf("%s\t%u\t%u\t%s\t%s\n", v.name, test->exercise, limit_s(test),
			       v.engine, test->allowed_calls ? test->allowed_calls : "");
	return 0;
}

static const struct lab_test *find_test(const char *wanted, struct variant *v)
{
	for (const struct lab_test *test = lab_tests; test->name; test++)
		for (unsigned i = 0; find_variant(test, i, v); i++)
			if (strcmp(v->name, wanted) == 0)
				return test;
	return NULL;
}

static int run_test(const char *name)
{
	struct subject s = { 0 };
	static struct variant v; /* the engine's name stays in use */
	const struct lab_test *test = find_test(name, &v);
	if (!test) {
		fprintf(stderr, "no test is called %s; --list shows them\n", name);
		return 2;
	}
	is_first_thread = true;
	meet_proctor();
	/* From here, as at the end: the proctor compares the two. */
	if (proctored) {
		tell_proctor(EXAM_BEGIN, 0);
		take_token();
	}
	s.flavour = v.flavour;
	allowed_calls = test->allowed_calls;
	const char *folder = getenv("TMPDIR");
	snprintf(s.folder, sizeof s.folder, "%.220s/lab-XXXXXX", folder ? folder : "/var/tmp");
	expect(mkdtemp(s.folder), "cannot make a folder in %s", folder ? folder : "/var/tmp");
	watch_engine(&s, v.engine);

	struct holdings before = holdings_now();
	v.run(&s);
	expect_nothing_left_since(&before);

	char path[256];
	snprintf(path, sizeof path, "%s/file", s.folder);
	unlink(path);
	rmdir(s.folder);
	if (record->attached)
		tell_proctor(EXAM_END, 0);
	record->finished = token;
	exit(0); /* not _exit: LeakSanitizer looks on the way out */
}

static unsigned limit_of_named(const char *name)
{
	struct variant v;
	const struct lab_test *test = find_test(name, &v);
	return test ? limit_s(test) : 1;
}

int main(int argc, char **argv)
{
	/* A print of the engine's allocates no buffer, so that a test which counts memory does not see it. */
	static char printed[BUFSIZ];
	setvbuf(stdout, printed, _IOLBF, sizeof printed);
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list_tests();
	if (argc == 3 && strcmp(argv[1], "--run") == 0)
		return run_test(argv[2]);
	if (argc > 2 && strcmp(argv[1], "--each") == 0)
		return run_each_test(argv + 2, (unsigned)argc - 2, run_test, limit_of_named);
	fprintf(stderr, "usage: %s --list | --run NAME | --each NAME...\n", argv[0]);
	return 2;
}
