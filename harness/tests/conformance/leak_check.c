/* SPDX-License-Identifier: MIT */
/* What a test left behind: descriptors, threads and rings of libaio. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "conformance.h"

/* glibc's AIO threads stay for a second after their last request. */
#define THREADS_LINGER_NS (4 * NS_PER_S)

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

void expect_nothing_left_since(const struct holdings *before)
{
	unsigned fds = entries_in("/proc/self/fd");
	expect(fds <= before->fds, "%u descriptors were left open after close()",
	       fds - before->fds);
	unsigned rings = mapped_aio_rings();
	expect(rings <= before->aio_rings, "%u contexts of io_setup(2) were left after close()",
	       rings - before->aio_rings);
	uint64_t deadline_ns = clock_ns() + THREADS_LINGER_NS;
	unsigned threads;
	while ((threads = entries_in("/proc/self/task")) > before->threads &&
	       clock_ns() < deadline_ns)
		usleep(1000);
	expect(threads <= before->threads, "%u threads were left running after close()",
	       threads - before->threads);
}
