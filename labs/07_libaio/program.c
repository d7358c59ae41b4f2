/* SPDX-License-Identifier: MIT */
/*
 * aio_copy: copies a file by Linux native AIO, many blocks at a time, from one event loop.
 *     cc -O2 -Wall -Wextra -o build/aio_copy labs/07_libaio/program.c -laio
 *     build/aio_copy direct|growing|buffered SOURCE TARGET [BLOCKS_IN_FLIGHT [BLOCK_BYTES]]
 *
 * The loop sleeps in epoll. It hears of blocks by an eventfd, and of a clock that ticks each ms.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct transfer {
	struct iocb request; /* the kernel's, from io_submit until its event */
	char *block;
	long long offset;
	int writes; /* it has been read */
};

static io_context_t context; /* NULL for io_setup */
static int in, out, completions, ticks, epoll_fd, direct;
static long long size_bytes, next_offset;
static size_t block_bytes;
static struct iocb **queued; /* for the next io_submit */
static long queued_count, in_flight, submits, submit_ns, waits, heard, late;

static long check(const char *what, long result) /* -1 with errno, or libaio's -errno */
{
	if (result >= 0)
		return result;
	fprintf(stderr, "aio_copy: %s: %s\n", what,
		strerror(result == -1 && errno ? errno : (int)-result));
	exit(1);
}

static void queue(struct transfer *t)
{
	io_set_eventfd(&t->request, completions); /* after io_prep_..., which clears all */
	t->request.data = t;
	queued[queued_count++] = &t->request;
}

static void read_next_block(struct transfer *t)
{
	if (next_offset >= size_bytes)
		return;
	t->offset = next_offset;
	next_offset += (long long)block_bytes;
	io_prep_pread(&t->request, in, t->block, block_bytes, t->offset);
	queue(t);
}

static void handle(const struct io_event *event)
{
	struct transfer *t = event->data;
	long long left = size_bytes - t->offset;
	size_t len_bytes = left < (long long)block_bytes ? (size_t)left : block_bytes;
	in_flight--;
	long moved = check(t->writes ? "a write's event" : "a read's event", (long)event->res);
	check("a block moved in part", moved < (long)len_bytes ? -EIO : 0);
	t->writes = !t->writes;
	if (t->writes) {
		/* With O_DIRECT the length must be aligned, too: main() cuts the last block. */
		io_prep_pwrite(&t->request, out, t->block, direct ? block_bytes : len_bytes,
			       t->offset);
		queue(t);
	} else {
		read_next_block(t);
	}
}

static void submit(void)
{
	for (; queued_count > 0; submits++) {
		struct timespec begun, now;
		clock_gettime(CLOCK_MONOTONIC, &begun);
		long taken = check("io_submit", io_submit(context, queued_count, queued));
		clock_gettime(CLOCK_MONOTONIC, &now);
		submit_ns += (now.tv_sec - begun.tv_sec) * 1000000000 + now.tv_nsec - begun.tv_nsec;
		in_flight += taken;
		queued_count -= taken;
		memmove(queued, queued + taken, (size_t)queued_count * sizeof *queued);
	}
}

/* Sleeps until blocks are done, which it handles, or the clock ticks. */
static void wait_in_epoll(void)
{
	struct epoll_event ready;
	struct io_event events[64];
	eventfd_t count = 0; /* 64 bits, as of a timerfd */
	waits += check("epoll_wait", epoll_wait(epoll_fd, &ready, 1, -1));
	check("read", read(ready.data.fd, &count, sizeof count));
	if (ready.data.fd == ticks) {
		heard += (long)count;
		late += (long)count - 1; /* the clock had gone on before we looked */
	}
	for (long n = 64; ready.data.fd == completions && n > 0;) {
		n = check("io_getevents",
			  io_getevents(context, 0, 64, events, &(struct timespec) { 0 }));
		for (long i = 0; i < n; i++)
			handle(&events[i]);
	}
}

static void watch(int fd)
{
	struct epoll_event event = { EPOLLIN, { .fd = fd } };
	check("epoll_ctl", epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event));
}

int main(int argc, char **argv)
{
	struct itimerspec each_ms = { { 0, 1000000 }, { 0, 1000000 } };
	long most = argc > 4 ? atol(argv[4]) : 16;
	block_bytes = argc > 5 ? (size_t)atol(argv[5]) : 64 * 1024;
	check("which MODE, SOURCE and TARGET?", argc < 4 ? -EINVAL : 0);
	direct = *argv[1] == 'b' ? 0 : O_DIRECT;
	in = (int)check(argv[2], open(argv[2], direct | O_RDONLY));
	out = (int)check(argv[3], open(argv[3], direct | O_WRONLY | O_CREAT | O_TRUNC, 0666));
	size_bytes = lseek(in, 0, SEEK_END);
	check("ftruncate", *argv[1] == 'g' ? 0 : ftruncate(out, size_bytes));
	check("io_setup", io_setup((int)most, &context));
	epoll_fd = epoll_create1(0);
	watch(completions = eventfd(0, EFD_NONBLOCK));
	watch(ticks = timerfd_create(CLOCK_MONOTONIC, 0));
	timerfd_settime(ticks, 0, &each_ms, NULL);
	posix_fadvise(in, 0, 0, POSIX_FADV_DONTNEED); /* out of the page cache */
	queued = calloc((size_t)most, sizeof *queued);
	for (long i = 0; i < most; i++) {
		struct transfer *t = calloc(1, sizeof *t);
		t->block = aligned_alloc(4096, block_bytes); /* enough for nearly every disk */
		read_next_block(t);
	}
	for (submit(); in_flight > 0; submit())
		wait_in_epoll();
	check("ftruncate", ftruncate(out, size_bytes));
	printf("%lld bytes; %ld io_submit: %.1f ms; %ld epoll_wait; %ld ticks, %ld heard late\n",
	       size_bytes, submits, (double)submit_ns / 1e6, waits, heard, late);
	return close(out) < 0;
}
