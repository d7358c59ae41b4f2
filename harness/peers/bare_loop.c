/* SPDX-License-Identifier: MIT */
/*
 * The same random reads with nothing around them: no contract, no driver, no latency. What is left
 * between this and iolab is what iolab itself costs. `make bench-peers` runs it.
 *
 *     bare_loop pread|libaio|io_uring FILE SIZE_BYTES BLOCK_BYTES DEPTH BATCH WARM_UP_S WINDOW_S
 *               [direct]
 *
 * Keeps DEPTH reads in flight, hands over and takes at most BATCH at a time, and prints the
 * operations per second and the mean CPU time of one, as JSON.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "random.h"

/* Each slot's buffer begins a page of its own, as the harness has them. */
#define PAGE_BYTES ((size_t)4096)

struct bare_task {
	int fd;
	uint64_t block_count;
	uint32_t bs_bytes;
	unsigned depth, batch;
	char *buffers;
	size_t stride_bytes;
	struct random_stream random;
	uint64_t ops;
};

static volatile sig_atomic_t window; /* 0: warm-up, 1: open, 2: over */

static struct {
	uint64_t ns, ops;
	double cpu_s;
} from;

static struct bare_task task;

static double cpu_s(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* What io_setup(2) maps: fs/aio.c, struct aio_ring. */
struct aio_ring {
	unsigned id, size, head, tail, magic, compat_features, incompat_features, header_bytes;
	struct io_event events[];
};

/* SIGALRM: first the warm-up is over, then the window. The loops read no clock. */
static void next_phase(int signal_number)
{
	(void)signal_number;
	if (window++ == 0) {
		from.ns = clock_ns();
		from.ops = task.ops;
		from.cpu_s = cpu_s();
	}
}

static uint64_t next_offset(struct bare_task *t)
{
	return random_below(&t->random, t->block_count) * t->bs_bytes;
}

static void check(long got, const struct bare_task *t, const char *what)
{
	if (got != (long)t->bs_bytes)
		errx(1, "%s: %s", what, got < 0 ? strerror((int)-got) : "a short read");
}

static void loop_pread(struct bare_task *t)
{
	while (window < 2) {
		ssize_t n = pread(t->fd, t->buffers, t->bs_bytes, (off_t)next_offset(t));
		if (n != (ssize_t)t->bs_bytes)
			err(1, "pread");
		t->ops++;
	}
}

/* Completions without a system call, as iolab's engine and fio's userspace_reap take them. */
static int take_from_ring(struct aio_ring *ring, struct io_event *events, unsigned max)
{
	unsigned head = ring->head, count = 0;
	unsigned tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	while (head != tail && count < max) {
		events[count++] = ring->events[head];
		head = head + 1 == ring->size ? 0 : head + 1;
	}
	__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
	return (int)count;
}

static void loop_libaio(struct bare_task *t)
{
	io_context_t context = NULL;
	struct iocb *iocbs = calloc(t->depth, sizeof *iocbs);
	struct iocb **ready = malloc(t->depth * sizeof(struct iocb *));
	struct io_event *events = calloc(t->batch, sizeof *events);
	unsigned ready_count = 0;
	if (!iocbs || !ready || !events || io_setup((int)t->depth, &context) < 0)
		errx(1, "io_setup");
	if (((struct aio_ring *)context)->magic != 0xa10a10a1)
		errx(1, "this kernel's ring of completions has another layout");
	for (unsigned i = 0; i < t->depth; i++) {
		io_prep_pread(&iocbs[i], t->fd, t->buffers + i * t->stride_bytes, t->bs_bytes, 0);
		ready[ready_count++] = &iocbs[i];
	}
	while (window < 2) {
		unsigned count = ready_count < t->batch ? ready_count : t->batch;
		for (unsigned i = 0; i < count; i++)
			ready[ready_count - 1 - i]->u.c.offset = (long long)next_offset(t);
		int n = count ? io_submit(context, count, ready + ready_count - count) : 0;
		if (n < 0 && n != -EINTR)
			errx(1, "io_submit: %s", strerror(-n));
		if (n > 0 && n != (int)count)
			errx(1, "io_submit took %d of %u", n, count);
		ready_count -= n > 0 ? count : 0;
		if (ready_count > 0 && ready_count >= t->batch)
			continue; /* fill the depth first */
		n = take_from_ring((struct aio_ring *)context, events, t->batch);
		if (n == 0)
			n = io_getevents(context, 1, t->batch, events, NULL);
		for (int i = 0; i < n; i++) {
			check((long)events[i].res, t, "libaio");
			ready[ready_count++] = events[i].obj;
		}
		t->ops += n > 0 ? (unsigned)n : 0;
	}
}

static void loop_io_uring(struct bare_task *t)
{
	struct io_uring ring;
	/* fio's flags, and those of iolab's io_uring:defer_taskrun. */
	int rc = io_uring_queue_init(t->depth, &ring,
				     IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	if (rc == -EINVAL) /* before Linux 6.1 */
		rc = io_uring_queue_init(t->depth, &ring, 0);
	if (rc < 0)
		errx(1, "io_uring_setup: %s", strerror(-rc));
	unsigned *idle = malloc(t->depth * sizeof *idle);
	unsigned idle_count = 0;
	if (!idle)
		errx(1, "no memory");
	while (idle_count < t->depth) {
		idle[idle_count] = idle_count;
		idle_count++;
	}
	while (window < 2) {
		for (unsigned n = 0; n < t->batch && idle_count > 0; n++) {
			unsigned slot = idle[--idle_count];
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
			io_uring_prep_read(sqe, t->fd, t->buffers + slot * t->stride_bytes,
					   t->bs_bytes, next_offset(t));
			io_uring_sqe_set_data64(sqe, slot);
		}
		bool full = idle_count < t->batch;
		rc = full ? io_uring_submit_and_wait(&ring, 1) : io_uring_submit(&ring);
		if (rc < 0 && rc != -EINTR)
			errx(1, "io_uring_enter: %s", strerror(-rc));
		if (!full)
			continue;
		unsigned head, seen = 0;
		struct io_uring_cqe *cqe;
		io_uring_for_each_cqe (&ring, head, cqe) {
			if (seen == t->batch)
				break;
			check(cqe->res, t, "io_uring");
			idle[idle_count++] = (unsigned)cqe->user_data;
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		t->ops += seen;
	}
}

static void set_alarm(double after_s, double then_s)
{
	struct itimerval timer = {
		.it_value = { (time_t)after_s,
			      (suseconds_t)((after_s - (double)(time_t)after_s) * 1e6) },
		.it_interval = { (time_t)then_s,
				 (suseconds_t)((then_s - (double)(time_t)then_s) * 1e6) },
	};
	setitimer(ITIMER_REAL, &timer, NULL);
}

int main(int argc, char **argv)
{
	bool direct = argc == 10 && strcmp(argv[9], "direct") == 0;
	if (argc != 9 && !direct)
		errx(2, "usage: bare_loop pread|libaio|io_uring FILE SIZE_BYTES BLOCK_BYTES DEPTH "
			"BATCH WARM_UP_S WINDOW_S [direct]");
	static const struct {
		const char *name;
		void (*run)(struct bare_task *t);
	} loops[] = { { "pread", loop_pread },
		      { "libaio", loop_libaio },
		      { "io_uring", loop_io_uring } };
	struct bare_task *t = &task;
	t->fd = open(argv[2], O_RDONLY | (direct ? O_DIRECT : 0));
	if (t->fd < 0)
		err(1, "%s", argv[2]);
	posix_fadvise(t->fd, 0, 0, POSIX_FADV_RANDOM);
	t->bs_bytes = (uint32_t)strtoul(argv[4], NULL, 10);
	t->block_count = strtoull(argv[3], NULL, 10) / (t->bs_bytes ? t->bs_bytes : 1);
	t->depth = (unsigned)strtoul(argv[5], NULL, 10);
	t->batch = (unsigned)strtoul(argv[6], NULL, 10);
	double warm_up_s = strtod(argv[7], NULL), window_s = strtod(argv[8], NULL);
	if (!t->block_count || !t->depth || !t->batch || t->batch > t->depth || warm_up_s <= 0 ||
	    window_s <= 0)
		errx(2, "a number is out of range");
	t->stride_bytes = (t->bs_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	t->buffers = aligned_alloc(PAGE_BYTES, t->depth * t->stride_bytes);
	if (!t->buffers)
		errx(1, "no memory");
	memset(t->buffers, 1, t->depth * t->stride_bytes);
	t->random.state = 1;

	signal(SIGALRM, next_phase);
	set_alarm(warm_up_s, window_s);
	for (unsigned i = 0; i < sizeof loops / sizeof *loops; i++) {
		if (strcmp(loops[i].name, argv[1]) != 0)
			continue;
		loops[i].run(t);
		double elapsed_s = (double)(clock_ns() - from.ns) / NS_PER_S;
		double ops = (double)(t->ops - from.ops);
		printf("{\"ops_per_s\": %.1f, \"cpu_us_per_op\": %.4f}\n", ops / elapsed_s,
		       (cpu_s() - from.cpu_s) / ops * 1e6);
		return 0;
	}
	errx(2, "%s: there are pread, libaio and io_uring", argv[1]);
}
