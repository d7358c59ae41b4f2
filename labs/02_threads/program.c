/* SPDX-License-Identifier: MIT */
/*
 * checksums: the checksums of many files, as cksum(1) prints them, by a pool of threads.
 *
 *     cc -O2 -Wall -Wextra -pthread -o build/checksums labs/02_threads/program.c
 *     build/checksums THREADS FILE...
 *     build/checksums lose FILE      a wake-up is lost, every time, step by step
 *
 * A worker takes the next file, and sleeps in read(2). The main thread prints what is finished.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct summed_file {
	const char *path;
	uint32_t checksum;
	uint64_t len_bytes;
	int failed;
	struct summed_file *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the lines below */
static pthread_cond_t is_finished = PTHREAD_COND_INITIALIZER;
static struct summed_file *files, *finished;
static unsigned file_count, taken;
static int lose; /* a wake-up; where main and worker wait for each other, to force that: */
static pthread_barrier_t both;

/* One byte more, as POSIX says of cksum: the polynomial 0x04c11db7, the highest bit first. */
static uint32_t add_byte(uint32_t checksum, unsigned byte)
{
	checksum ^= (uint32_t)byte << 24;
	for (int bit = 0; bit < 8; bit++)
		checksum = checksum << 1 ^ (checksum >> 31 ? 0x04c11db7u : 0);
	return checksum;
}

/* The plain code of a blocking program: that it runs in many threads at once changes nothing. */
static void perform(struct summed_file *file)
{
	unsigned char block[16384];
	ssize_t n = -1;
	int fd = open(file->path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR)))
		for (ssize_t i = 0; i < n; i++, file->len_bytes++)
			file->checksum = add_byte(file->checksum, block[i]);
	file->failed = n < 0;
	close(fd); /* fails where open() has failed */
	for (uint64_t rest = file->len_bytes; rest > 0; rest >>= 8)
		file->checksum = add_byte(file->checksum, rest & 0xff);
	file->checksum = ~file->checksum;
}

static void *work(void *unused)
{
	pthread_mutex_lock(&lock);
	while (taken < file_count) {
		struct summed_file *file = &files[taken++];
		pthread_mutex_unlock(&lock);
		perform(file); /* without the lock: the others perform theirs meanwhile */
		if (lose)
			pthread_barrier_wait(&both); /* after step 1 */
		pthread_mutex_lock(&lock);
		file->next = finished;
		finished = file;
		pthread_cond_signal(&is_finished);
		if (lose) {
			fprintf(stderr, "step 2, worker: queues it, wakes who sleeps: nobody\n");
			pthread_barrier_wait(&both);
		}
	}
	pthread_mutex_unlock(&lock);
	return unused;
}

/* How it must not be done: look, give the lock back, and only then fall asleep. */
static void wait_and_lose(void)
{
	struct timespec until = { .tv_sec = time(NULL) + 2 };
	fprintf(stderr, "step 1, main:   looks: nothing is finished; gives the lock back\n");
	pthread_mutex_unlock(&lock);
	pthread_barrier_wait(&both); /* forces the order: the worker acts just now */
	pthread_barrier_wait(&both);
	pthread_mutex_lock(&lock);
	fprintf(stderr, "step 3, main:   sleeps until somebody wakes it\n");
	if (pthread_cond_timedwait(&is_finished, &lock, &until) == ETIMEDOUT)
		fprintf(stderr,
			"step 4, main:   nobody did for a second; it was there all along\n");
}

static struct summed_file *next_finished(void)
{
	pthread_mutex_lock(&lock);
	while (!finished)
		if (lose)
			wait_and_lose();
		else
			pthread_cond_wait(&is_finished, &lock); /* both in one step */
	struct summed_file *file = finished;
	finished = file->next;
	pthread_mutex_unlock(&lock);
	return file;
}

int main(int argc, char **argv)
{
	static pthread_t threads[1000];
	struct rusage used;
	struct timespec begun, ended;
	int failures = 0;
	lose = argc == 3 && strcmp(argv[1], "lose") == 0;
	int thread_count = lose ? 1 : argc > 2 ? atoi(argv[1]) : 0;
	if (thread_count < 1 || thread_count > 1000)
		return fprintf(stderr, "usage: checksums THREADS|lose FILE...\n"), 2;
	file_count = (unsigned)argc - 2;
	files = calloc(file_count, sizeof *files);
	for (unsigned i = 0; files && i < file_count; i++)
		files[i].path = argv[i + 2];
	pthread_barrier_init(&both, NULL, 2);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (int i = 0; i < thread_count; i++)
		if (!files || pthread_create(&threads[i], NULL, work, NULL) != 0)
			abort();
	for (unsigned i = 0; i < file_count; i++) {
		struct summed_file *file = next_finished();
		failures += file->failed;
		printf("%u %ju %s%s\n", file->checksum, (uintmax_t)file->len_bytes, file->path,
		       file->failed ? " could not be read" : "");
		fflush(stdout);
	}
	for (int i = 0; i < thread_count; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	getrusage(RUSAGE_SELF, &used);
	fprintf(stderr, "%u files, %d threads: %.3f s, %ld context switches\n", file_count,
		thread_count,
		(double)(ended.tv_sec - begun.tv_sec) +
			(double)(ended.tv_nsec - begun.tv_nsec) / 1e9,
		used.ru_nvcsw + used.ru_nivcsw);
	return failures ? 1 : 0;
}
