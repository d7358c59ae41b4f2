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

#include "base/json_put.h"
#include "clock.h"
#include "meters/hardware_counters.h"
#include "meters/meter.h"
#include "metrics/metric.h"
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

/* A window, and the counters that are read at its edges. */
struct watch {
	struct hardware_counters counters;
	struct meter meter;
	struct reading begin, end;
	struct usage usage; /* once it is closed */
};

static void open_watch(struct watch *w)
{
	meter_open(&w->meter, 0, false);
	hardware_counters_open(&w->counters, software_events);
	w->meter.hardware = &w->counters;
}

static void close_watch(struct watch *w)
{
	meter_end(&w->meter, &w->end);
	w->usage = usage_between(&w->meter, &w->begin, &w->end);
	hardware_counters_close(&w->counters);
	meter_close(&w->meter);
}

static void watch_threads(struct watch *w)
{
	pthread_t threads[THREADS], earlier;
	sem_init(&go, 0, 0);
	pthread_create(&earlier, NULL, work_when_told, NULL);
	open_watch(w);
	burn(); /* counted, and not within the window */
	meter_begin(&w->meter, &w->begin);
	sem_post(&go);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(earlier, NULL);
	close_watch(w);
}

static void count_threads(struct tap *tap)
{
	static struct watch w;
	watch_threads(&w);
	const struct hardware_counts *counted = &w.usage.hardware;
	double cpu_ns = counted->of[COUNT_INSTRUCTIONS], burnt_ns = THREADS * BURN_NS;
	double switches = counted->of[COUNT_CYCLES];
	double faults = counted->of[COUNT_CACHE_MISSES];
	tap_check(tap, cpu_ns > burnt_ns && cpu_ns < burnt_ns + 0.5 * BURN_NS,
		  "%d threads burn %.0f ms within the window: %.1f ms counted, without what an "
		  "earlier thread and the time before it burnt",
		  THREADS, burnt_ns / NS_PER_MS, cpu_ns / NS_PER_MS);
	tap_check(tap, switches >= THREADS * PAUSES,
		  "they sleep %d times, and are preempted: %.0f switches", THREADS * PAUSES,
		  switches);
	tap_check(tap, faults >= THREADS * PAGES && faults < THREADS * PAGES + PAGES,
		  "and touch %d new pages: %.0f faults", THREADS * PAGES, faults);
	tap_check(tap, counted->running_pct > 99.9, "they counted all the time: %.1f %%",
		  counted->running_pct);
	tap_check(tap,
		  isnan(counted->of[COUNT_BRANCH_MISSES]) &&
			  strstr(counted->why.text, "branch misses"),
		  "what cannot be counted is not there, with the reason: %s", counted->why.text);
}

/* Both, over the same time. Returns false when no such thread can be had. */
static bool measure_sqpoll(double *cpu_ns, double *process_ns)
{
	static struct watch w;
	struct io_uring ring;
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 10000 };
	open_watch(&w);
	bool opened = io_uring_queue_init_params(4, &ring, &params) == 0;
	if (opened) { /* it begins to spin with the first operation */
		io_uring_prep_nop(io_uring_get_sqe(&ring));
		io_uring_submit_and_wait(&ring, 1);
	}
	meter_begin(&w.meter, &w.begin);
	nanosleep(&(struct timespec) { .tv_nsec = BURN_NS }, NULL);
	close_watch(&w);
	*cpu_ns = w.usage.hardware.of[COUNT_INSTRUCTIONS];
	*process_ns = 1e9 * (w.usage.user_s + w.usage.system_s);
	if (opened)
		io_uring_queue_exit(&ring);
	return opened;
}

static void count_sqpoll(struct tap *tap)
{
	double cpu_ns = 0, process_ns = 0;
	bool opened = true, near = false;
	/* On a busy machine time passes between the two readings. */
	for (unsigned tries = 0; opened && !near && tries < 10; tries++) {
		opened = measure_sqpoll(&cpu_ns, &process_ns);
		near = fabs(cpu_ns - process_ns) < 0.1 * process_ns;
	}
	if (!opened || process_ns < 0.2 * BURN_NS)
		tap_skip(tap, "an SQPOLL thread is counted", "none spins here");
	else
		tap_check(tap, near,
			  "an SQPOLL thread spins for %.1f ms by getrusage: %.1f ms counted",
			  process_ns / NS_PER_MS, cpu_ns / NS_PER_MS);
}

/* A read that is told not to be tried inline. The worker fills the pages, so the faults are its. */
static void count_io_wq(struct tap *tap)
{
	static struct watch w;
	struct io_uring ring;
	struct io_uring_cqe *cqe = NULL;
	struct rusage before, after;
	size_t length = 4096 * (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *pages = fresh_pages(4096);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), read_bytes = -1;
	open_watch(&w);
	bool opened = pages && zero >= 0 && io_uring_queue_init(4, &ring, 0) == 0;
	getrusage(RUSAGE_THREAD, &before);
	meter_begin(&w.meter, &w.begin);
	if (opened) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		io_uring_prep_read(sqe, zero, pages, (unsigned)length, 0);
		sqe->flags |= IOSQE_ASYNC;
		io_uring_submit(&ring);
		if (io_uring_wait_cqe(&ring, &cqe) == 0)
			read_bytes = cqe->res;
	}
	close_watch(&w);
	getrusage(RUSAGE_THREAD, &after);
	long expected = read_bytes / sysconf(_SC_PAGESIZE),
	     own = after.ru_minflt - before.ru_minflt;
	double faults = w.usage.hardware.of[COUNT_CACHE_MISSES];
	if (opened)
		io_uring_queue_exit(&ring);
	if (!opened || read_bytes <= 0)
		tap_skip(tap, "an io-wq worker is counted", "no io_uring to be had here");
	else
		tap_check(
			tap, own < expected / 2 && faults >= (double)expected,
			"an io-wq worker fills %ld pages, this thread has %ld faults: %.0f counted",
			expected, own, faults);
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
	struct hardware_counts counts;
	hardware_counters_between(&counters, &before, &after, &counts);
	tap_check(tap, counts.of[COUNT_INSTRUCTIONS] == 1000,
		  "500 in half of the time are 1000: %g", counts.of[COUNT_INSTRUCTIONS]);
	tap_check(tap, counts.running_pct == 50, "and that is said: %g %%", counts.running_pct);
	tap_check(tap, isnan(counts.of[COUNT_CYCLES]) && strstr(counts.why.text, "cycles"),
		  "one that never ran is not there: %s", counts.why.text);
	tap_check(tap, counts.of[COUNT_CACHE_MISSES] == 70, "others are as counted");
}

/* What the CPU itself has: here, or absent with the kernel's reason. */
static void ask_the_cpu(struct tap *tap)
{
	struct hardware_counters counters;
	struct hardware_reading reading = { 0 };
	struct hardware_counts counts;
	hardware_counters_open(&counters, hardware_events);
	bool there = counters.fds[COUNT_INSTRUCTIONS] >= 0;
	hardware_counters_read(&counters, &reading);
	hardware_counters_between(&counters, &(struct hardware_reading) { 0 }, &reading, &counts);
	hardware_counters_close(&counters);
	if (there)
		tap_check(tap, counts.of[COUNT_INSTRUCTIONS] > 100, "instructions of this CPU: %g",
			  counts.of[COUNT_INSTRUCTIONS]);
	else
		tap_check(tap,
			  counters.error > 0 && strstr(counts.why.text, errno_name(counters.error)),
			  "no instructions of this CPU: %s", counts.why.text);
}

/* "hardware" of a run that had finished OPS operations in this window. */
static void print_hardware(const struct watch *w)
{
	static struct workload workload;
	static struct window window;
	workload.tally.ops = OPS;
	struct measured measured = { .workload = &workload, .window = &window, .usage = w->usage };
	json_t *metrics = metrics_of_run(&measured, NULL);
	json_t *hardware = json_object_get(metrics, "hardware");
	put_string(hardware, "scope", HARDWARE_SCOPE);
	put_real(hardware, "running_pct", w->usage.hardware.running_pct);
	json_dumpf(hardware, stdout, JSON_COMPACT);
	json_decref(metrics);
}

int main(int argc, char **argv)
{
	struct tap tap = { 0 };
	if (argc > 1 && strcmp(argv[1], "--json") == 0) {
		static struct watch w;
		watch_threads(&w);
		print_hardware(&w);
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
