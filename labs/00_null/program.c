/* SPDX-License-Identifier: MIT */
/*
 * count_mapped: counts the lines and words of files, as wc(1) does, and never reads them.
 *
 *     cc -O2 -Wall -Wextra -o build/count_mapped labs/00_null/program.c
 *     build/count_mapped FILE...
 *
 * Requests are submitted and completions are reaped, as everywhere in this course. The file lies in
 * memory (mmap(2)). So a request is complete when submit() returns, and the kernel is asked for
 * nothing. Where is the I/O then? Standard error counts the pages that were missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_BYTES (256u * 1024)
#define DEPTH	      16 /* requests in flight at most */

struct request {
	uint64_t offset, len_bytes;
	uint64_t lines, words; /* the result, once it has been reaped */
	struct request *next;
};

struct engine {
	const char *bytes; /* of the mapped file */
	struct request *finished; /* until they are reaped */
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A word counts where it begins, so the byte before the request matters. */
static void submit(struct engine *e, struct request *request)
{
	const char *at = e->bytes + request->offset, *end = at + request->len_bytes;
	bool in_space = request->offset == 0 || is_space(at[-1]);
	request->lines = request->words = 0;
	for (; at < end; at++) {
		bool space = is_space(*at);
		request->lines += *at == '\n';
		request->words += in_space && !space;
		in_space = space;
	}
	request->next = e->finished;
	e->finished = request;
}

static unsigned reap(struct engine *e, struct request **done, unsigned max)
{
	unsigned n = 0;
	for (; n < max && e->finished; e->finished = e->finished->next)
		done[n++] = e->finished;
	return n;
}

/* Submits while a request is idle and something is left, then reaps, until all has come back. */
static void count(const char *bytes, uint64_t len_bytes, uint64_t *lines, uint64_t *words)
{
	struct engine engine = { .bytes = bytes };
	struct request requests[DEPTH], *idle[DEPTH], *done[DEPTH];
	unsigned idle_count = 0;
	uint64_t offset = 0;
	for (; idle_count < DEPTH; idle_count++)
		idle[idle_count] = &requests[idle_count];
	do {
		while (idle_count > 0 && offset < len_bytes) {
			struct request *request = idle[--idle_count];
			uint64_t left = len_bytes - offset;
			request->offset = offset;
			request->len_bytes = left < REQUEST_BYTES ? left : REQUEST_BYTES;
			offset += request->len_bytes;
			submit(&engine, request);
		}
		unsigned n = reap(&engine, done, DEPTH);
		for (unsigned i = 0; i < n; i++) {
			*lines += done[i]->lines;
			*words += done[i]->words;
			idle[idle_count++] = done[i];
		}
	} while (idle_count < DEPTH || offset < len_bytes);
}

static int fail(const char *path, const char *why)
{
	fprintf(stderr, "count_mapped: %s: %s\n", path, why);
	return -1;
}

/* Returns 0, or -1 after a line that says what failed. mmap(2) refuses an empty file: NULL. */
static int map_file(const char *path, char **bytes, uint64_t *len_bytes)
{
	struct stat status;
	const char *why = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		why = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		why = "only a regular file can be mapped";
	*bytes = NULL;
	*len_bytes = why ? 0 : (uint64_t)status.st_size;
	if (*len_bytes > 0)
		*bytes = mmap(NULL, *len_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (*bytes == MAP_FAILED)
		why = strerror(errno);
	if (fd >= 0)
		close(fd); /* the mapping keeps the file */
	return why ? fail(path, why) : 0;
}

static int count_file(const char *path)
{
	uint64_t len_bytes, lines = 0, words = 0;
	struct rusage before, after;
	char *bytes;
	if (map_file(path, &bytes, &len_bytes) < 0)
		return -1;
	getrusage(RUSAGE_SELF, &before);
	count(bytes, len_bytes, &lines, &words);
	getrusage(RUSAGE_SELF, &after);
	if (bytes)
		munmap(bytes, len_bytes);
	printf("%9ju %9ju %9ju %s\n", (uintmax_t)lines, (uintmax_t)words, (uintmax_t)len_bytes,
	       path);
	fprintf(stderr, "page faults: %ld without I/O, %ld with\n",
		after.ru_minflt - before.ru_minflt, after.ru_majflt - before.ru_majflt);
	return 0;
}

int main(int argc, char **argv)
{
	int status = argc < 2 ? 2 : 0;
	if (argc < 2)
		fprintf(stderr, "usage: count_mapped FILE...\n");
	for (int i = 1; i < argc; i++)
		if (count_file(argv[i]) < 0)
			status = 1;
	if (fflush(stdout) != 0)
		status = -fail("standard output", strerror(errno));
	return status;
}
