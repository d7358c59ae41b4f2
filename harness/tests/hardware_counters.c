/* SPDX-License-Identifier: MIT */
/*
 * The reader of hardware counters, by events that the kernel counts in software and every machine
 * has, in place of the CPU's: nanoseconds on a CPU for instructions, context switches for cycles,
 * page faults for cache misses, and for branch misses one that does not exist.
 *
 *   hardware_counters          runs the tests
 *   hardware_counters --json   prints "hardware" of one window, to be held against the schema
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/perf_event.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/json_path.h"
#include "clock.h"
#include "meters/hardware_counters.h"
#include "meters/measurement.h"
#include "tap.h"

#define BURN_NS (100 * NS_PER_MS)
#define PAGES	256
#define PAUSES	20
#define THREADS 3
#define OPS	100

static const struct counted_event software_events[HARDWARE_COUNTERS] = {
	[COUNT_INSTRUCTIONS] = { PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
	[COUNT_CYCLES] = { PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES },
	[COUNT_CACHE_MISSES] = { PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
	[COUNT_BRANCH_MISSES] = { PERF_TYPE_SOFTWARE, PERF_COUNT_SW_MAX },
};

static void burn(void)
{
	struct timespec start, now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((now.tv_sec - start.tv_sec) * NS_PER_S + now.tv_nsec - start.tv_nsec < BURN_NS);
}

static unsigned char *fresh_pages(size_t count)
{
	size_t length = count * (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *pages =
		mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return NULL;
	madvise(pages, length, MADV_NOHUGEPAGE); /* a fault for each */
	return pages;
}

static void *work(void *unused)
{
	(void)unused;
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *pages = fresh_pages(PAGES);
	for (size_t i = 0; pages && i < PAGES; i++)
		pages[i * page_bytes] = 1;
	for (unsigned i = 0; i < PAUSES; i++)
		nanosleep(&(struct timespec) { .tv_nsec = 100 * 1000 }, NULL);
	burn();
	return NULL;
}

static sem_t go;

static void *work_when_told(void *unused)
{
	sem_wait(&go);
	return work(unused);
}

/* The two readings of a window, and the counters behind them. */
struct window {
	struct hardware_counters counters;
	struct measurement before, after;
};

static void open_window(struct window *w)
{
	struct reason unused;
	measurement_open(&w->before, &w->after, 0, 0, &unused);
	hardware_counters_open(&w->counters, software_events);
	w->before.hardware = w->after.hardware = &w->counters;
}

static json_t *close_window(struct window *w)
{
	struct reason unused = { "" };
	measurement_end(&w->after);
	json_t *metrics = measurement_json(&w->before, &w->after, OPS, &unused);
	hardware_counters_close(&w->counters);
	measurement_close(&w->before, &w->after);
	return metrics;
}

/* In the window, with this count for an operation. */
static double total(const json_t *metrics, const char *key)
{
	return OPS * number_at(metrics, key);
}

static json_t *threads_in_window(void)
{
	struct window w;
	pthread_t threads[THREADS], earlier;
	sem_init(&go, 0, 0);
	pthread_create(&earlier, NULL, work_when_told, NULL);
	open_window(&w);
	burn(); /* counted, and not within the window */
	measurement_begin(&w.before);
	sem_post(&go);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(earlier, NULL);
	return close_window(&w);
}

static void count_threads(struct tap *tap)
{
	json_t *metrics = threads_in_window();
	double cpu_ns = total(metrics, "hardware.instructions_per_op"),
	       burnt_ns = THREADS * BURN_NS;
	double switches = total(metrics, "hardware.cycles_per_op");
	double faults = total(metrics, "hardware.cache_misses_per_op");
	tap_check(tap, cpu_ns > burnt_ns && cpu_ns < burnt_ns + 0.5 * BURN_NS,
		  "%d threads burn %.0f ms in the window: %.1f ms counted, none of earlier work",
		  THREADS, burnt_ns / NS_PER_MS, cpu_ns / NS_PER_MS);
	tap_check(tap, switches >= THREADS * PAUSES,
		  "they sleep %d times, and are preempted: %.0f switches", THREADS * PAUSES,
		  switches);
	tap_check(tap, faults >= THREADS * PAGES && faults < THREADS * PAGES + PAGES,
		  "and touch %d new pages: %.0f faults", THREADS * PAGES, faults);
	tap_check(tap,
		  fabs(number_at(metrics, "hardware.instructions_per_cycle") - cpu_ns / switches) <
			  1e-6 * cpu_ns / switches,
		  "the quotient of two counters is the quotient of their counts");
	tap_check(tap, number_at(metrics, "hardware.running_pct") > 99.9,
		  "they counted all the time: %.1f %%", number_at(metrics, "hardware.running_pct"));
	tap_check(tap,
		  json_is_null(at_path(metrics, "hardware.branch_misses_per_op")) &&
			  strstr(string_at(metrics, "hardware_reason"), "branch misses"),
		  "what cannot be counted is null, with the reason: %s",
		  string_at(metrics, "hardware_reason"));
	json_decref(metrics);
}

static void count_sqpoll(struct tap *tap)
{
	struct window w;
	struct io_uring ring;
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 10000 };
	open_window(&w);
	bool opened = io_uring_queue_init_params(4, &ring, &params) == 0;
	if (opened) { /* it begins to spin with the first operation */
		io_uring_prep_nop(io_uring_get_sqe(&ring));
		io_uring_submit_and_wait(&ring, 1);
	}
	measurement_begin(&w.before);
	nanosleep(&(struct timespec) { .tv_nsec = BURN_NS }, NULL);
	json_t *metrics = close_window(&w);
	double cpu_ns = total(metrics, "hardware.instructions_per_op");
	double process_ns =
		1e9 * (number_at(metrics, "cpu.user_s") + number_at(metrics, "cpu.system_s"));
	if (opened)
		io_uring_queue_exit(&ring);
	if (!opened || process_ns < 0.2 * BURN_NS)
		tap_skip(tap, "an SQPOLL thread is counted", "none spins here");
	else
		tap_check(tap, fabs(cpu_ns - process_ns) < 0.1 * process_ns,
			  "an SQPOLL thread spins for %.1f ms by getrusage: %.1f ms counted",
			  process_ns / NS_PER_MS, cpu_ns / NS_PER_MS);
	json_decref(metrics);
}

/* A read that is told not to be tried inline. The worker fills the pages, so the faults are its. */
static void count_io_wq(struct tap *tap)
{
	struct window w;
	struct io_uring ring;
	struct io_uring_cqe *cqe = NULL;
	struct rusage before, after;
	size_t length = 4096 * (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *pages = fresh_pages(4096);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), read_bytes = -1;
	open_window(&w);
	bool opened = pages && zero >= 0 && io_uring_queue_init(4, &ring, 0) == 0;
	getrusage(RUSAGE_THREAD, &before);
	measurement_begin(&w.before);
	if (opened) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		io_uring_prep_read(sqe, zero, pages, (unsigned)length, 0);
		sqe->flags |= IOSQE_ASYNC;
		io_uring_submit(&ring);
		if (io_uring_wait_cqe(&ring, &cqe) == 0)
			read_bytes = cqe->res;
	}
	json_t *metrics = close_window(&w);
	getrusage(RUSAGE_THREAD, &after);
	long expected = read_bytes / sysconf(_SC_PAGESIZE),
	     own = after.ru_minflt - before.ru_minflt;
	double faults = total(metrics, "hardware.cache_misses_per_op");
	if (opened)
		io_uring_queue_exit(&ring);
	if (!opened || read_bytes <= 0)
		tap_skip(tap, "an io-wq worker is counted", "no io_uring to be had here");
	else
		tap_check(
			tap, own < expected / 2 && faults >= (double)expected,
			"an io-wq worker fills %ld pages, this thread has %ld faults: %.0f counted",
			expected, own, faults);
	json_decref(metrics);
}

/* Counters that had the CPU for half of the time, not at all, and all the time. */
static void take_turns(struct tap *tap)
{
	struct hardware_counters counters = { .fds = { 0, 0, 0, 0 } };
	struct hardware_reading before = { .of = { { 10, 1000, 1000 }, { 0, 1000, 0 } } };
	struct hardware_reading after = {
		.of = { { 510, 2000, 1500 },
			{ 0, 2000, 0 },
			{ 70, 1000, 1000 },
			{ 7, 1000, 1000 } },
	};
	struct reason why = { "" };
	json_t *hardware = hardware_counters_json(&counters, &before, &after, 10, &why);
	tap_check(tap, number_at(hardware, "instructions_per_op") == 100,
		  "500 in half of the time are 1000: %g for each of 10 operations",
		  number_at(hardware, "instructions_per_op"));
	tap_check(tap, number_at(hardware, "running_pct") == 50, "and that is said: %g %%",
		  number_at(hardware, "running_pct"));
	tap_check(tap,
		  json_is_null(json_object_get(hardware, "cycles_per_op")) &&
			  json_is_null(json_object_get(hardware, "instructions_per_cycle")) &&
			  strstr(why.text, "cycles"),
		  "one that never ran is null: %s", why.text);
	tap_check(tap, number_at(hardware, "cache_misses_per_op") == 7, "others are as counted");
	json_decref(hardware);
}

/* The CPU's own counters: present, or absent with the kernel's reason. */
static void ask_the_cpu(struct tap *tap)
{
	struct hardware_counters counters;
	struct hardware_reading reading = { 0 };
	struct reason why = { "" };
	hardware_counters_open(&counters, hardware_events);
	bool there = counters.fds[COUNT_INSTRUCTIONS] >= 0;
	hardware_counters_read(&counters, &reading);
	json_t *hardware = hardware_counters_json(&counters, &(struct hardware_reading) { 0 },
						  &reading, 1, &why);
	hardware_counters_close(&counters);
	if (there)
		tap_check(tap, number_at(hardware, "instructions_per_op") > 100,
			  "instructions of this CPU: %g",
			  number_at(hardware, "instructions_per_op"));
	else
		tap_check(tap, counters.error > 0 && strstr(why.text, errno_name(counters.error)),
			  "no instructions of this CPU: %s", why.text);
	json_decref(hardware);
}

int main(int argc, char **argv)
{
	struct tap tap = { 0 };
	if (argc > 1 && strcmp(argv[1], "--json") == 0) {
		json_t *metrics = threads_in_window();
		json_dumpf(json_object_get(metrics, "hardware"), stdout,
			   JSON_COMPACT | JSON_ENCODE_ANY);
		json_decref(metrics);
		return 0;
	}
	struct hardware_counters counters;
	hardware_counters_open(&counters, software_events);
	bool forbidden = counters.fds[COUNT_INSTRUCTIONS] < 0 &&
			 (counters.error == EACCES || counters.error == EPERM);
	hardware_counters_close(&counters);
	if (forbidden) {
		tap_skip(&tap, "threads, an SQPOLL thread, an io-wq worker", counters.why.text);
	} else {
		count_threads(&tap);
		count_sqpoll(&tap);
		count_io_wq(&tap);
	}
	take_turns(&tap);
	ask_the_cpu(&tap);
	return tap_end(&tap);
}
