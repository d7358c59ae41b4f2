/* SPDX-License-Identifier: MIT */
/* What a test left behind: descriptors, threads and rings of libaio. */
#include <dirent.h>
#include <liburing.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "conformance.h"

/* glibc's AIO threads stay for a second after their last request. */
#define THREADS_LINGER_NS (4 * NS_PER_S)

/* The kernel ends its threads some time after a ring is closed, and a busy machine takes its time. */
#define KERNEL_LINGERS_NS (60 * NS_PER_S)

static unsigned entries_in(const char *folder)
{
	unsigned count = 0;
	DIR *directory = opendir(folder);
	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

/* io_setup(2) gives no descriptor: it maps the ring into this process. */
static unsigned mapped_aio_rings(void)
{
	char line[512];
	unsigned count = 0;
	FILE *file = fopen("/proc/self/maps", "re");
	while (file && fgets(line, sizeof line, file))
		count += strstr(line, " /[aio]") != NULL;
	if (file)
		fclose(file);
	return count;
}

struct holdings holdings_now(void)
{
	struct holdings now = { entries_in("/proc/self/fd"), entries_in("/proc/self/task"),
				mapped_aio_rings() };
#ifdef __SANITIZE_THREAD__
	now.threads++; /* ThreadSanitizer starts one of its own */
#endif
	return now;
}

/* PF_IO_WORKER of the kernel's sched.h: a thread that the kernel started for io_uring. */
#define IO_WORKER_FLAG 0x10

static bool is_io_worker(const char *thread)
{
	char path[300], line[500] = "";
	unsigned flags = 0;
	snprintf(path, sizeof path, "/proc/self/task/%s/stat", thread);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	const char *after_name = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return after_name && sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & IO_WORKER_FLAG);
}

unsigned io_workers(void)
{
	unsigned count = 0;
	const struct dirent *entry;
	DIR *threads = opendir("/proc/self/task");
	while (threads && (entry = readdir(threads)))
		count += is_io_worker(entry->d_name);
	if (threads)
		closedir(threads);
	return count;
}

/* A worker does one operation of a ring that is closed at once. Is it there when others would be gone? */
static bool worker_outlives_its_ring(void)
{
	struct io_uring ring;
	if (io_uring_queue_init(1, &ring, 0) < 0)
		return false;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	io_uring_submit_and_wait(&ring, 1);
	io_uring_queue_exit(&ring);
	uint64_t deadline_ns = clock_ns() + THREADS_LINGER_NS;
	while (io_workers() > 0 && clock_ns() < deadline_ns)
		usleep(1000);
	return io_workers() > 0;
}

/*
 * Older kernels (6.1, 6.12) keep a worker after the last ring is closed, whoever closed it. Asks this
 * kernel, in a process that has no worker yet.
 */
static bool kernel_keeps_io_workers(void)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0)
		_exit(worker_outlives_its_ring());
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 1;
}

/*
 * How many there are, once they are no more than `wanted`, or none has ended for `patience_ns`: a slow machine
 * takes long for a thousand of them.
 */
static unsigned threads_after(unsigned wanted, int64_t patience_ns)
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)patience_ns;
	unsigned threads, fewest = UINT_MAX;
	while ((threads = entries_in("/proc/self/task")) > wanted && clock_ns() < deadline_ns) {
		if (threads < fewest)
			deadline_ns = clock_ns() + (uint64_t)patience_ns;
		fewest = threads < fewest ? threads : fewest;
		usleep(1000);
	}
	return threads;
}

void expect_nothing_left_since(const struct holdings *before)
{
	unsigned fds = entries_in("/proc/self/fd");
	expect(fds <= before->fds, "%u descriptors were left open after close()",
	       fds - before->fds);
	unsigned rings = mapped_aio_rings();
	expect(rings <= before->aio_rings, "%u contexts of io_setup(2) were left after close()",
	       rings - before->aio_rings);
	unsigned threads = threads_after(before->threads, THREADS_LINGER_NS);
	unsigned workers = threads > before->threads ? io_workers() : 0;
	if (workers > 0 && kernel_keeps_io_workers())
		threads -= workers;
	else if (workers > 0 && threads - workers <= before->threads)
		threads = threads_after(before->threads, KERNEL_LINGERS_NS);
	expect(threads <= before->threads, "%u threads were left running after close()",
	       threads - before->threads);
}
