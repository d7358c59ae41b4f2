/* SPDX-License-Identifier: MIT */
/* CPU accounting against work of a known amount: threads, a polling kernel thread, a peer. */
#include <dirent.h>
#include <liburing.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "meters/meter.h"
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

/* A window, and what is read at its edges. */
struct watch {
	struct meter meter;
	struct reading begin, end;
	struct usage usage; /* once it is closed */
};

static void watch_begin(struct watch *w, pid_t peer)
{
	meter_open(&w->meter, peer, false);
	meter_begin(&w->meter, &w->begin);
}

static void watch_end(struct watch *w)
{
	meter_end(&w->meter, &w->end);
	w->usage = usage_between(&w->meter, &w->begin, &w->end);
	meter_close(&w->meter);
}

static double process_s(const struct watch *w)
{
	return w->usage.user_s + w->usage.system_s;
}

static void count_threads(struct tap *tap)
{
	static struct watch w;
	pthread_t threads[3];
	watch_begin(&w, 0);
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, burn_in_thread, NULL);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	watch_end(&w);
	double expected_s = 3.0 * BURN_NS / NS_PER_S;
	double host_s = w.usage.host_busy_s;
	tap_check(tap, fabs(process_s(&w) - expected_s) < 0.1 * expected_s,
		  "three threads burn %.2f s: the process shows %.3f s", expected_s, process_s(&w));
	tap_check(tap, host_s > 0.9 * expected_s - 0.04,
		  "the host shows no less: %.3f s (others may run too)", host_s);
}

/* One busy thread on one CPU: that CPU shows it, whatever others do elsewhere. */
static void count_each_cpu(struct tap *tap)
{
	static struct watch w;
	cpu_set_t allowed, one;
	int cpu = 0;
	sched_getaffinity(0, sizeof allowed, &allowed);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
	watch_begin(&w, 0);
	burn(CLOCK_THREAD_CPUTIME_ID, BURN_NS);
	watch_end(&w);
	sched_setaffinity(0, sizeof allowed, &allowed);
	json_t *list = per_cpu_json(&w.begin, &w.end);
	double busy_pct = json_number_value(json_array_get(list, (size_t)cpu)), sum_pct = 0;
	for (size_t i = 0; i < json_array_size(list); i++)
		sum_pct += json_number_value(json_array_get(list, i));
	double elapsed_s = w.usage.elapsed_s;
	double error_pct = 100 * w.usage.host_error_s / elapsed_s;
	double host_pct = 100 * w.usage.host_busy_s / elapsed_s;
	tap_check(tap, busy_pct > 99 - error_pct, "CPU %d was busy %.0f %% (+-%.0f %%)", cpu,
		  busy_pct, error_pct);
	tap_check(tap, fabs(sum_pct - host_pct) < error_pct * (double)(json_array_size(list) + 1),
		  "all CPUs together are the host: %.0f %% and %.0f %%", sum_pct, host_pct);
	json_decref(list);
}

/* CPU seconds of the ring's polling thread, by the scheduler's own account; -1 where there is none. */
static double polling_thread_s(void)
{
	double seconds = -1;
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *task; tasks && (task = readdir(tasks));) {
		char path[320], comm[32] = "";
		unsigned long long on_cpu_ns;
		snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
		FILE *file = fopen(path, "re");
		if (file && fgets(comm, sizeof comm, file) && strncmp(comm, "iou-sqp", 7) == 0) {
			snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", task->d_name);
			FILE *account = fopen(path, "re");
			if (account && fscanf(account, "%llu", &on_cpu_ns) == 1)
				seconds = (double)on_cpu_ns / NS_PER_S;
			if (account)
				fclose(account);
		}
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return seconds;
}

static void count_polling_thread(struct tap *tap)
{
	static struct watch w;
	struct io_uring ring;
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 10000 };
	if (io_uring_queue_init_params(4, &ring, &params) < 0) {
		tap_skip(tap, "a polling kernel thread", "no SQPOLL ring to be had here");
		return;
	}
	/* It begins to spin with the first operation. */
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	io_uring_submit_and_wait(&ring, 1);
	watch_begin(&w, 0);
	double before_s = polling_thread_s();
	/* This thread sleeps; the kernel's thread spins, for as long as the machine lets it. */
	nanosleep(&(struct timespec) { .tv_nsec = BURN_NS }, NULL);
	double spun_s = polling_thread_s() - before_s;
	watch_end(&w);
	io_uring_queue_exit(&ring);
	wait_until_alone();
	if (before_s < 0) {
		tap_skip(tap, "a polling kernel thread", "no /proc/self/task/TID/schedstat here");
		return;
	}
	/* The account reaches the last tick; the process looks a little earlier and later. */
	tap_check(tap, spun_s > 0 && fabs(process_s(&w) - spun_s) < 0.02 + 0.05 * spun_s,
		  "an SQPOLL thread spins for %.3f s: the process shows %.3f s", spun_s,
		  process_s(&w));
}

static void count_peer(struct tap *tap)
{
	static struct watch w;
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
	watch_begin(&w, peer);
	bool fine = write(go[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 1;
	watch_end(&w);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	double expected_s = (double)BURN_NS / NS_PER_S;
	double peer_s = w.usage.peer_s;
	tap_check(tap, fine && fabs(peer_s - expected_s) < 0.05 * expected_s,
		  "the peer burns %.2f s: its own account shows %.3f s", expected_s, peer_s);
	tap_check(tap, process_s(&w) < 0.1 * expected_s, "and this process next to nothing: %.3f s",
		  process_s(&w));
}

static void count_system_calls(struct tap *tap)
{
	static struct watch w;
	meter_open(&w.meter, 0, true);
	if (w.meter.syscall_counter_fd < 0) {
		tap_skip(tap, "system calls", w.meter.no_syscalls.text);
		meter_close(&w.meter);
		return;
	}
	meter_begin(&w.meter, &w.begin);
	for (unsigned i = 0; i < 100000; i++)
		getppid();
	watch_end(&w);
	tap_check(tap, w.usage.syscalls == 100000, "100,000 system calls: %.0f counted",
		  w.usage.syscalls);
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
