/* SPDX-License-Identifier: MIT */
/* CPU accounting against work of a known amount: threads, a polling kernel thread, a peer. */
#include <dirent.h>
#include <liburing.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "meters/measurement.h"
#include "tap.h"

#define BURN_NS (300 * NS_PER_MS)

/* Uses up that much CPU time, however long it takes. */
static void burn(clockid_t clock, int64_t amount_ns)
{
	struct timespec start, now;
	clock_gettime(clock, &start);
	do
		clock_gettime(clock, &now);
	while ((now.tv_sec - start.tv_sec) * NS_PER_S + now.tv_nsec - start.tv_nsec < amount_ns);
}

static void *burn_in_thread(void *unused)
{
	(void)unused;
	burn(CLOCK_THREAD_CPUTIME_ID, BURN_NS);
	return NULL;
}

/* The kernel ends a ring's thread after the ring was closed, when it comes to that. Two seconds at
 * most. */
static void wait_until_alone(void)
{
	for (unsigned tries = 0; tries < 2000; tries++) {
		unsigned threads = 0;
		DIR *folder = opendir("/proc/self/task");
		for (const struct dirent *entry; folder && (entry = readdir(folder));)
			threads += entry->d_name[0] != '.';
		if (folder)
			closedir(folder);
		if (threads <= 1)
			return;
		struct timespec pause = timespec_of_ns(NS_PER_MS);
		nanosleep(&pause, NULL);
	}
}

static double number(const json_t *metrics, const char *key)
{
	return json_number_value(json_object_get(json_object_get(metrics, "cpu"), key));
}

static json_t *difference(struct measurement *before, struct measurement *after)
{
	struct reason why = { "" };
	measurement_end(after);
	json_t *metrics = measurement_json(before, after, 1000, &why);
	measurement_close(before, after);
	return metrics;
}

static void count_threads(struct tap *tap)
{
	struct measurement before, after;
	struct reason why;
	pthread_t threads[3];
	measurement_open(&before, &after, 0, 0, &why);
	measurement_begin(&before);
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, burn_in_thread, NULL);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	json_t *metrics = difference(&before, &after);
	double expected_s = 3.0 * BURN_NS / NS_PER_S;
	double process_s = number(metrics, "user_s") + number(metrics, "system_s");
	double host_s = number(metrics, "host_busy_s");
	tap_check(tap, fabs(process_s - expected_s) < 0.1 * expected_s,
		  "three threads burn %.2f s: the process shows %.3f s", expected_s, process_s);
	tap_check(tap, host_s > 0.9 * expected_s - 0.04,
		  "the host shows no less: %.3f s (others may run too)", host_s);
	tap_check(tap, fabs(number(metrics, "us_per_op") - process_s * 1e6 / 1000) < 1,
		  "per operation it is the thousandth part");
	json_decref(metrics);
}

/* One busy thread on one CPU: that CPU shows it, whatever others do elsewhere. */
static void count_each_cpu(struct tap *tap)
{
	struct measurement before, after;
	struct reason why;
	cpu_set_t allowed, one;
	int cpu = 0;
	sched_getaffinity(0, sizeof allowed, &allowed);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
	measurement_open(&before, &after, 0, 0, &why);
	measurement_begin(&before);
	burn(CLOCK_THREAD_CPUTIME_ID, BURN_NS);
	json_t *metrics = difference(&before, &after);
	sched_setaffinity(0, sizeof allowed, &allowed);
	const json_t *list = json_object_get(json_object_get(metrics, "cpu"), "per_cpu_pct");
	double busy_pct = json_number_value(json_array_get(list, (size_t)cpu)), sum_pct = 0;
	for (size_t i = 0; i < json_array_size(list); i++)
		sum_pct += json_number_value(json_array_get(list, i));
	double elapsed_s = json_number_value(json_object_get(metrics, "elapsed_s"));
	double error_pct = 100 * number(metrics, "host_error_s") / elapsed_s;
	tap_check(tap, busy_pct > 99 - error_pct, "CPU %d was busy %.0f %% (+-%.0f %%)", cpu,
		  busy_pct, error_pct);
	tap_check(tap,
		  fabs(sum_pct - number(metrics, "host_util_pct")) <
			  error_pct * (double)(json_array_size(list) + 1),
		  "all CPUs together are the host: %.0f %% and %.0f %%", sum_pct,
		  number(metrics, "host_util_pct"));
	double process_pct =
		100 * (number(metrics, "user_s") + number(metrics, "system_s")) / elapsed_s;
	tap_check(tap,
		  fabs(number(metrics, "host_util_pct") - process_pct -
		       number(metrics, "other_util_pct")) < 0.1,
		  "what is not the process's is other: %.0f %%", number(metrics, "other_util_pct"));
	json_decref(metrics);
}

static void count_polling_thread(struct tap *tap)
{
	struct measurement before, after;
	struct reason why;
	struct io_uring ring;
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 10000 };
	if (io_uring_queue_init_params(4, &ring, &params) < 0) {
		tap_skip(tap, "a polling kernel thread", "no SQPOLL ring to be had here");
		return;
	}
	/* It begins to spin with the first operation. */
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	io_uring_submit_and_wait(&ring, 1);
	measurement_open(&before, &after, 0, 0, &why);
	measurement_begin(&before);
	/* This thread sleeps; the kernel's thread spins. */
	nanosleep(&(struct timespec) { .tv_nsec = BURN_NS }, NULL);
	json_t *metrics = difference(&before, &after);
	io_uring_queue_exit(&ring);
	wait_until_alone();
	double process_s = number(metrics, "user_s") + number(metrics, "system_s");
	double elapsed_s = json_number_value(json_object_get(metrics, "elapsed_s"));
	tap_check(tap, process_s > 0.5 * elapsed_s && process_s < 1.1 * elapsed_s,
		  "an SQPOLL thread spins for %.3f s: the process shows %.3f s", elapsed_s,
		  process_s);
	json_decref(metrics);
}

static void count_peer(struct tap *tap)
{
	struct measurement before, after;
	struct reason why;
	int go[2], done[2];
	char byte = 0;
	if (pipe(go) < 0 || pipe(done) < 0)
		return;
	pid_t peer = fork();
	if (peer == 0) {
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		burn(CLOCK_PROCESS_CPUTIME_ID, BURN_NS);
		if (write(done[1], &byte, 1) != 1)
			_exit(1);
		pause();
	}
	measurement_open(&before, &after, peer, 0, &why);
	measurement_begin(&before);
	bool fine = write(go[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 1;
	json_t *metrics = difference(&before, &after);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	double expected_s = (double)BURN_NS / NS_PER_S;
	double peer_s = number(metrics, "peer_s");
	double process_s = number(metrics, "user_s") + number(metrics, "system_s");
	tap_check(tap, fine && fabs(peer_s - expected_s) < 0.05 * expected_s,
		  "the peer burns %.2f s: its own account shows %.3f s", expected_s, peer_s);
	tap_check(tap, process_s < 0.1 * expected_s, "and this process next to nothing: %.3f s",
		  process_s);
	json_decref(metrics);
}

static void count_system_calls(struct tap *tap)
{
	struct measurement before, after;
	struct reason why = { "" };
	measurement_open(&before, &after, 0, 1, &why);
	if (before.syscall_counter_fd < 0) {
		tap_skip(tap, "system calls", why.text);
		measurement_close(&before, &after);
		return;
	}
	measurement_begin(&before);
	for (unsigned i = 0; i < 100000; i++)
		getppid();
	json_t *metrics = difference(&before, &after);
	double counted = 1000 * json_number_value(json_object_get(metrics, "syscalls_per_op"));
	tap_check(tap, counted == 100000, "100,000 system calls: %.0f counted", counted);
	json_decref(metrics);
}

int main(void)
{
	struct tap tap = { 0 };
	count_threads(&tap);
	count_each_cpu(&tap);
	count_polling_thread(&tap);
	count_peer(&tap);
	count_system_calls(&tap);
	return tap_end(&tap);
}
