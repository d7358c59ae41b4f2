/* SPDX-License-Identifier: MIT */
/*
 * epoll_workers with an eventfd that is never read. It is registered with EPOLLET, so each write is
 * an edge, whether the counter was 0 before it or not: one wait, and silence until the next write.
 * (The counter has room for 2^64 - 2 of them.) A worker that pushes to an empty queue writes. The
 * loop looks into the queue before each wait, so a late edge wakes it for nothing, once.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "io_engine.h"
#include "op_queue.h"
#include "op_syscall.h"

/* More threads than this only queue up before the same device; libuv starts 4, nginx 32. */
#define WORKERS_MAX 64

struct engine {
	int epoll_fd;
	int wakeup_fd; /* an eventfd, watched for edges */

	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t work;
	struct op_queue waiting; /* for a worker */
	struct op_queue finished; /* for the loop */
	bool closing;
	unsigned worker_count;
	pthread_t workers[WORKERS_MAX];
};

static int workers_supports(const struct engine_config *config, enum io_kind kind,
			    enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	if (fd_kind == IO_FD_FILE && kind != IO_NOP)
		return 0;
	reason_set(why, "only_files",
		   "worker threads read, write and sync files; sockets and pipes need none, see "
		   "the engine epoll");
	return -EOPNOTSUPP;
}

/* The loop's thread: takes what is finished; returns how many. */
static unsigned take_finished(struct engine *e, struct io_op **done, unsigned max)
{
	unsigned count = 0;
	pthread_mutex_lock(&e->lock);
	count = op_queue_take(&e->finished, done, max);
	pthread_mutex_unlock(&e->lock);
	return count;
}

static void *work(void *argument)
{
	struct engine *e = argument;
	pthread_mutex_lock(&e->lock);
	for (;;) {
		while (!e->waiting.first && !e->closing)
			pthread_cond_wait(&e->work, &e->lock);
		struct io_op *op = op_queue_pop(&e->waiting);
		if (!op)
			break;
		pthread_mutex_unlock(&e->lock);

		op->result = op_syscall(op, 0);

		pthread_mutex_lock(&e->lock);
		bool news = !e->finished.first;
		op_queue_push(&e->finished, op);
		if (news)
			eventfd_write(e->wakeup_fd, 1);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

static void workers_close(struct engine *e)
{
	pthread_mutex_lock(&e->lock);
	e->closing = true;
	pthread_cond_broadcast(&e->work);
	pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; i < e->worker_count; i++)
		pthread_join(e->workers[i], NULL);
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	if (e->wakeup_fd >= 0)
		close(e->wakeup_fd);
	pthread_cond_destroy(&e->work);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

static int start_workers(struct engine *e, unsigned count, struct reason *why)
{
	/* Signals are for the program's own thread. */
	sigset_t all, previous;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &previous);
	int error = 0;
	while (e->worker_count < count && error == 0) {
		error = pthread_create(&e->workers[e->worker_count], NULL, work, e);
		if (error == 0)
			e->worker_count++;
	}
	pthread_sigmask(SIG_SETMASK, &previous, NULL);
	if (error)
		return reason_errno(why, "thread_not_started", error,
				    "thread {thread} of {threads} (see ulimit -u, the pids cgroup "
				    "and /proc/sys/kernel/threads-max)",
				    reason_int("thread", e->worker_count + 1),
				    reason_int("threads", count));
	return 0;
}

static int workers_open(struct engine **engine, const struct engine_config *config,
			struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return reason_no_memory(why, "the epoll_workers engine");
	op_queue_init(&e->waiting);
	op_queue_init(&e->finished);
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->work, NULL);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	e->wakeup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int rc = 0;
	if (e->epoll_fd < 0 || e->wakeup_fd < 0 ||
	    epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->wakeup_fd, &event) < 0)
		rc = reason_errno(why, "epoll_not_made", errno, "setting up epoll");
	if (rc == 0)
		rc = start_workers(e, config->depth < WORKERS_MAX ? config->depth : WORKERS_MAX,
				   why);
	if (rc < 0) {
		workers_close(e);
		return rc;
	}
	*engine = e;
	return 0;
}

static int workers_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < count; i++)
		op_queue_push(&e->waiting, ops[i]);
	pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; i < count && i < e->worker_count; i++)
		pthread_cond_signal(&e->work);
	return (int)count;
}

/* Sleeps in epoll until a worker has news. Returns 1, 0 when the time is over, or -errno. */
static int wait_for_news(struct engine *e, int64_t timeout_ns)
{
	struct epoll_event event;
	struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
	int count = epoll_pwait2(e->epoll_fd, &event, 1, timeout_ns < 0 ? NULL : &timeout, NULL);
	return count < 0 ? -errno : count;
}

static int workers_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			int64_t timeout_ns)
{
	unsigned count = 0;
	struct deadline deadline = deadline_after(timeout_ns);
	for (;;) {
		count += take_finished(e, done + count, max - count);
		if (count >= min)
			return (int)count;
		int64_t left_ns = deadline_left_ns(deadline);
		int news = left_ns == 0 ? 0 : wait_for_news(e, left_ns);
		if (news < 0 && news != -EINTR)
			return news;
		if (news <= 0)
			return (int)count;
	}
}

/* A worker that is inside a file operation cannot be called back. It will be done soon. */
static void workers_cancel_one(struct engine *e, struct io_op *op)
{
	pthread_mutex_lock(&e->lock);
	op_queue_cancel_one(&e->waiting, &e->finished, op);
	pthread_mutex_unlock(&e->lock);
}

static void workers_cancel(struct engine *e)
{
	pthread_mutex_lock(&e->lock);
	op_queue_cancel(&e->waiting, &e->finished);
	pthread_mutex_unlock(&e->lock);
}

static const struct engine_ops epoll_workers_engine = {
	.name = IO_ENGINE_NAME("epoll_workers"),
	.summary = "files in an epoll loop: worker threads block, an eventfd tells the loop",
	.lab = IO_ENGINE_LAB,
	.supports = workers_supports,
	.open = workers_open,
	.submit = workers_submit,
	.reap = workers_reap,
	.cancel_one = workers_cancel_one,
	.cancel = workers_cancel,
	.close = workers_close,
};

IO_ENGINE(epoll_workers_engine);
