/* SPDX-License-Identifier: MIT */
/*
 * aio_copy: copies a file with many blocks in flight, or a pipe with one, by POSIX AIO alone.
 *
 *     cc -O2 -Wall -Wextra -o build/aio_copy labs/06_posix_aio/program.c
 *     build/aio_copy SOURCE TARGET [suspend|signal|thread] [BLOCKS] [own]
 *
 * How does it hear that a request is over? It waits for any of a list, or gets a signal for each (then
 * SIGINT calls all back), or has a thread started for each. `own`: descriptors for each block.
 */
#define _GNU_SOURCE
#include <aio.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 65536, BLOCKS_MAX = 64 };

static struct block {
	struct aiocb request;
	enum { IDLE, READING, WRITING } state;
	int in, out;
	char bytes[BLOCK_BYTES];
} blocks[BLOCKS_MAX];

static int block_count, in_flight;
static off_t read_at, copied_bytes;
static bool ended; /* a read has met the end */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that, in the form `thread` */
static pthread_cond_t progress = PTHREAD_COND_INITIALIZER;

static void begin(struct block *b, int state, char *bytes, size_t len_bytes)
{
	b->state = state;
	b->request.aio_fildes = state == READING ? b->in : b->out;
	b->request.aio_buf = bytes;
	b->request.aio_nbytes = len_bytes;
	in_flight++;
	if ((state == READING ? aio_read : aio_write)(&b->request) < 0)
		err(1, "beginning a request");
}

static void read_next(struct block *b)
{
	b->state = IDLE;
	b->request.aio_offset = block_count == 1 ? copied_bytes : read_at;
	read_at += BLOCK_BYTES;
	if (!ended)
		begin(b, READING, b->bytes, BLOCK_BYTES);
}

/* A request of the block's is over. How that came to be known is another matter. */
static void handle(struct block *b)
{
	errno = aio_error(&b->request); /* of the request, not of this call */
	ssize_t n = aio_return(&b->request); /* once: it gives the request up */
	in_flight--;
	bool was_read = b->state == READING;
	if (n < 0)
		err(1, was_read ? "reading" : "writing");
	ssize_t written = was_read ? 0 : n; /* perhaps not all: a write may be short */
	size_t left_bytes = (was_read ? (size_t)n : b->request.aio_nbytes) - (size_t)written;
	ended |= was_read && n == 0;
	b->request.aio_offset += written;
	copied_bytes += written;
	if (left_bytes > 0)
		begin(b, WRITING, (char *)b->request.aio_buf + written, left_bytes);
	else
		read_next(b);
}

static void wait_for_a_list(void)
{
	const struct aiocb *list[BLOCKS_MAX]; /* NULL is passed over */
	for (int i = 0; i < block_count; i++)
		list[i] = blocks[i].state == IDLE ? NULL : &blocks[i].request;
	aio_suspend(list, block_count, NULL);
	for (int i = 0; i < block_count; i++) /* it does not say which: ask each */
		if (list[i] && aio_error(list[i]) != EINPROGRESS)
			handle(&blocks[i]);
}

static void wait_for_a_signal(const sigset_t *set)
{
	siginfo_t info;
	int answers[3] = { 0 }, number = sigwaitinfo(set, &info);
	if (number == SIGRTMIN)
		handle(info.si_value.sival_ptr);
	if (number != SIGINT)
		return;
	for (struct block *b = blocks; b < blocks + block_count; b++)
		if (b->state != IDLE) /* AIO_CANCELED, AIO_NOTCANCELED, AIO_ALLDONE */
			answers[aio_cancel(b->request.aio_fildes, &b->request)]++;
	errx(1, "%d taken back, %d go on, %d were over", answers[0], answers[1], answers[2]);
}

static void on_completion(union sigval value) /* in a thread that glibc started for it */
{
	pthread_mutex_lock(&lock);
	handle(value.sival_ptr);
	pthread_cond_signal(&progress);
	pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
	bool by_signal = argc > 3 && strcmp(argv[3], "signal") == 0;
	bool by_thread = argc > 3 && strcmp(argv[3], "thread") == 0;
	block_count = argc > 4 ? atoi(argv[4]) : 16;
	if (argc < 3 || block_count < 1 || block_count > BLOCKS_MAX)
		errx(2, "usage: SOURCE TARGET [suspend|signal|thread] [BLOCKS] [own]");
	int in = open(argv[1], O_RDONLY), out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (in < 0 || out < 0)
		err(1, "opening");
	if (lseek(in, 0, SEEK_CUR) < 0)
		block_count = 1; /* a pipe: its bytes have no place, but an order */
	struct sigevent event = { .sigev_notify = SIGEV_NONE, .sigev_signo = SIGRTMIN };
	event.sigev_notify_function = on_completion;
	if (by_signal || by_thread)
		event.sigev_notify = by_signal ? SIGEV_SIGNAL : SIGEV_THREAD;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGINT);
	if (by_signal)
		sigprocmask(SIG_BLOCK, &set, NULL); /* or they would end us */
	pthread_mutex_lock(&lock);
	for (struct block *b = blocks; b < blocks + block_count; b++) {
		b->request.aio_sigevent = event;
		b->request.aio_sigevent.sigev_value.sival_ptr = b;
		b->in = argc > 5 ? dup(in) : in;
		b->out = argc > 5 ? dup(out) : out;
		read_next(b);
	}
	while (in_flight > 0)
		if (by_thread)
			pthread_cond_wait(&progress, &lock);
		else if (by_signal)
			wait_for_a_signal(&set);
		else
			wait_for_a_list();
	return printf("%lld bytes copied\n", (long long)copied_bytes) < 0;
}
