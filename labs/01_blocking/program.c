/* SPDX-License-Identifier: MIT */
/*
 * copy_file: copies a file with read(2) and write(2), done right.
 *
 *     cc -O2 -Wall -Wextra -o build/copy_file labs/01_blocking/program.c
 *     build/copy_file SOURCE TARGET [BLOCK_BYTES]      "-" is standard input or output
 *
 * Both calls may move less than they were asked to. A signal may end them with nothing moved. An
 * error may come as late as close(2). At the end standard error tells how often each happened.
 * SIGUSR1 asks for that at once, as with dd(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES_DEFAULT (64 * 1024)
#define BLOCK_BYTES_MAX	    (4 * 1024 * 1024)

static char block[BLOCK_BYTES_MAX];

static struct {
	uint64_t bytes, reads, short_reads, writes, short_writes, interrupted;
	struct timespec begun;
} counts;

static volatile sig_atomic_t report_wanted;

static void on_usr1(int signal_number)
{
	(void)signal_number;
	report_wanted = 1; /* printing is not for a handler: signal-safety(7) */
}

static void report(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	double elapsed_ms = (double)(now.tv_sec - counts.begun.tv_sec) * 1e3 +
			    (double)(now.tv_nsec - counts.begun.tv_nsec) / 1e6;
	fprintf(stderr,
		"%ju bytes in %.1f ms: %ju reads (%ju short), %ju writes (%ju short), "
		"%ju interrupted\n",
		(uintmax_t)counts.bytes, elapsed_ms, (uintmax_t)counts.reads,
		(uintmax_t)counts.short_reads, (uintmax_t)counts.writes,
		(uintmax_t)counts.short_writes, (uintmax_t)counts.interrupted);
}

static void report_if_wanted(void)
{
	if (report_wanted)
		report();
	report_wanted = 0;
}

/* Reads what is there, again after a signal. Returns its length, 0 at the end, or -1 with errno. */
static ssize_t read_some(int fd, char *bytes, size_t len_bytes)
{
	for (;;) {
		ssize_t n = read(fd, bytes, len_bytes);
		counts.reads++;
		counts.short_reads += n > 0 && (size_t)n < len_bytes;
		if (n >= 0 || errno != EINTR)
			return n;
		counts.interrupted++;
		report_if_wanted();
	}
}

/* Writes all of it, in as many calls as it takes. Returns 0, or -1 with errno. */
static int write_all(int fd, const char *bytes, size_t len_bytes)
{
	while (len_bytes > 0) {
		ssize_t n = write(fd, bytes, len_bytes);
		counts.writes++;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n < 0) {
			counts.interrupted++;
		} else {
			counts.short_writes += (size_t)n < len_bytes;
			counts.bytes += (uint64_t)n;
			bytes += n;
			len_bytes -= (size_t)n;
		}
		report_if_wanted(); /* spoils errno, which is no longer needed */
	}
	return 0;
}

static int fail(const char *what, const char *path)
{
	fprintf(stderr, "copy_file: %s %s: %s\n", what, path, strerror(errno));
	return 1;
}

/* Not with O_TRUNC: that would empty a file which is also the source, before we could see it. */
static int open_target(const char *path, int in)
{
	struct stat source, target;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || fstat(in, &source) < 0 || fstat(fd, &target) < 0)
		return -1;
	if (source.st_dev == target.st_dev && source.st_ino == target.st_ino &&
	    S_ISREG(source.st_mode)) {
		fprintf(stderr, "copy_file: %s is source and target at once\n", path);
		exit(1);
	}
	return S_ISREG(target.st_mode) && ftruncate(fd, 0) < 0 ? -1 : fd;
}

int main(int argc, char **argv)
{
	long block_bytes = argc == 4 ? atol(argv[3]) : BLOCK_BYTES_DEFAULT;
	if (argc < 3 || argc > 4 || block_bytes < 1 || block_bytes > BLOCK_BYTES_MAX) {
		fprintf(stderr, "usage: copy_file SOURCE TARGET [BLOCK_BYTES, 1 to %d]\n",
			BLOCK_BYTES_MAX);
		return 2;
	}
	/* Without SA_RESTART, so that a sleeping call ends with EINTR. */
	struct sigaction action = { .sa_handler = on_usr1 };
	if (sigaction(SIGUSR1, &action, NULL) < 0)
		return fail("preparing to copy", argv[1]);
	int in = strcmp(argv[1], "-") ? open(argv[1], O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (in < 0)
		return fail("opening", argv[1]);
	int out = strcmp(argv[2], "-") ? open_target(argv[2], in) : STDOUT_FILENO;
	if (out < 0)
		return fail("opening", argv[2]);

	clock_gettime(CLOCK_MONOTONIC, &counts.begun);
	ssize_t n;
	while ((n = read_some(in, block, (size_t)block_bytes)) > 0)
		if (write_all(out, block, (size_t)n) < 0)
			return fail("writing", argv[2]);
	if (n < 0)
		return fail("reading", argv[1]);
	if (close(out) < 0) /* a full quota or a network's file system may say so only here */
		return fail("closing", argv[2]);
	report();
	return 0;
}
