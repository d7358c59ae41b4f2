/* SPDX-License-Identifier: MIT */
/*
 * epoll_workers: files in an epoll loop, through worker threads and an eventfd.
 *
 * epoll refuses regular files. So event loops (libuv, nginx with aio threads) hand the blocking
 * call to a few threads, and hear of the result through a descriptor that epoll does watch. A
 * thread works asynchronously here, not the kernel's file system.
 *
 * In the pool of lab 02 the loop's thread sleeps until a worker is done. Here it sleeps in
 * epoll_wait, where sockets and timers could wake it too. That is why the result comes by eventfd
 * and not by condition variable.
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

/* More threads would only queue up before the same device. libuv starts 4, nginx 32. */
#define WORKERS_MAX 64

struct engine {
	int epoll_fd;
	int wakeup_fd; /* an eventfd: readable while `finished` has news for the loop */

	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t work;
	struct op_queue waiting; /* for a worker */
	struct op_queue finished; /* for the loop */
	bool announced; /* the eventfd has been written and not yet read: once a batch is enough */
	bool closing;
	unsigned worker_count;
	pthread_t workers[WORKERS_MAX];
};

/* Some sandboxes hide epoll_pwait2(2), which is younger than the other calls. */
static int try_a_wait(struct reason *why)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	struct timespec at_once = { 0 };
	int rc = 0;
	if (epoll_fd < 0 || epoll_pwait2(epoll_fd, &event, 1, &at_once, NULL) < 0)
		rc = reason_errno(why, "no_epoll_pwait2", errno, "epoll_create1, epoll_pwait2");
	if (epoll_fd >= 0)
		close(epoll_fd);
	return rc;
}

static int workers_supports(const struct engine_config *config, enum io_kind kind,
			    enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	if (fd_kind == IO_FD_FILE && kind != IO_NOP)
		return try_a_wait(why);
	reason_set(why, "only_files",
		   "worker threads read, write and sync files; sockets and pipes need none, see "
		   "the engine epoll");
	return -EOPNOTSUPP;
}

/*
 * Makes the loop's epoll_wait return. Called with the lock held, after pushing to `finished`. The
 * write cannot fail: the counter is 0 before it.
 */
static void announce(struct engine *e)
{
	//> 7 Write to the eventfd (eventfd_write(3)), unless it has been written already and the
	//> loop has not read it since: then the loop will come anyway.
	//+ (void)e;
	if (e->announced)
		return;
	e->announced = true;
	eventfd_write(e->wakeup_fd, 1);
	//< 7
}

/* The loop's thread: takes what is finished; returns how many. */
static unsigned take_finished(struct engine *e, struct io_op **done, unsigned max)
{
	unsigned count = 0;
	//> 7 Under the lock, move up to `max` operations from `finished` to `done`
	//> (op_queue_take()). When that emptied the queue, read the eventfd, and lower `announced`
	//> before the lock is released: a worker that finishes a moment later must write again. An
	//> eventfd that is never read stays readable, and the loop spins.
	//+ (void)e;
	//+ (void)done;
	//+ (void)max;
	pthread_mutex_lock(&e->lock);
	count = op_queue_take(&e->finished, done, max);
	if (e->announced && !e->finished.first) {
		eventfd_t written;
		eventfd_read(e->wakeup_fd, &written);
		e->announced = false;
	}
	pthread_mutex_unlock(&e->lock);
	//< 7
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

		//> 7 The call that blocks: op_syscall(op, 0). Here it holds up nobody.
		//+ op->result = -ENOSYS;
		op->result = op_syscall(op, 0);
		//< 7

		pthread_mutex_lock(&e->lock);
		op_queue_push(&e->finished, op);
		announce(e);
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
	struct engine *e = malloc(sizeof *e);
	if (!e)
		return reason_no_memory(why, "the epoll_workers engine");
	*e = (struct engine) { .lock = PTHREAD_MUTEX_INITIALIZER,
			       .work = PTHREAD_COND_INITIALIZER };
	op_queue_init(&e->waiting);
	op_queue_init(&e->finished);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	//> 7 How the workers are heard: an eventfd(2), that epoll watches for EPOLLIN. It must not
	//> block, and not be inherited (EFD_NONBLOCK, EFD_CLOEXEC). epoll_ctl is called below.
	//+ e->wakeup_fd = -1;
	//+ errno = ENOSYS;
	e->wakeup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	//< 7
	struct epoll_event event = { .events = EPOLLIN };
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
	//> 7 Put all of them into `waiting` under the lock, and wake as many workers as there is
	//> work for (pthread_cond_signal(3)). Touch no file here: this is the loop's thread.
	//+ (void)e;
	//+ (void)ops;
	//+ (void)count;
	//+ return -ENOSYS;
	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < count; i++)
		op_queue_push(&e->waiting, ops[i]);
	pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; i < count; i++)
		pthread_cond_signal(&e->work);
	return (int)count;
	//< 7
}

/* Sleeps in epoll until a worker has news. Returns 1, 0 when the time is over, or -errno. */
static int wait_for_news(struct engine *e, int64_t timeout_ns)
{
	//> 7 Wait as in exercise 1. One event is enough: there is one descriptor.
	//+ (void)e;
	//+ (void)timeout_ns;
	//+ return -ENOSYS;
	struct epoll_event event;
	struct timespec timeout = timespec_of_ns(timeout_ns > 0 ? timeout_ns : 0);
	int count = epoll_pwait2(e->epoll_fd, &event, 1, timeout_ns < 0 ? NULL : &timeout, NULL);
	return count < 0 ? -errno : count;
	//< 7
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
		int news = wait_for_news(e, deadline_left_ns(deadline));
		if (news < 0 && news != -EINTR)
			return news;
		if (news <= 0)
			return (int)count;
	}
}

/*
 * A worker that is inside a file operation cannot be called back. It will be done soon. Nothing is
 * announced here: the next reap() looks into `finished` before it sleeps.
 */
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
