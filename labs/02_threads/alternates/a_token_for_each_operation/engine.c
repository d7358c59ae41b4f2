/* SPDX-License-Identifier: MIT */
/*
 * threads, told otherwise: workers sleep on a semaphore that holds a token for each operation in
 * `waiting`, and one for each worker at the end. A token waits for whoever comes, so none is lost.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "io_engine.h"
#include "op_queue.h"
#include "op_syscall.h"

/* A worker calls nothing deep, and ten thousand connections need ten thousand stacks. */
#define STACK_BYTES 65536

/* Ends a worker's blocking call after cancel(). Its handler does nothing. */
#define CANCEL_SIGNAL SIGUSR2

/* How often it is sent again. */
#define CANCEL_REPEAT_NS NS_PER_MS

struct worker {
	struct engine *engine;
	pthread_t thread;
	struct io_op *op; /* that it performs, or NULL: under the lock */
	bool called_back; /* its operation is to end: read without the lock */
};

struct engine {
	pthread_mutex_t lock; /* of everything below */
	sem_t work; /* a token for each operation that was put into `waiting` */
	sem_t enough; /* posted once `finished` holds as many as reap() wants */
	struct op_queue waiting; /* for a worker */
	struct op_queue finished; /* for the loop's thread */
	unsigned wanted; /* by reap() while it sleeps, else 0 */
	unsigned called_back; /* workers whose operation is to end */
	bool closing;

	unsigned worker_count;
	struct worker workers[];
};

/* A signal's handler belongs to the process. It is there as long as any engine of this kind is open. */
static struct {
	pthread_mutex_t lock;
	unsigned engines;
	struct sigaction previous;
} handler = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int threads_supports(const struct engine_config *config, enum io_kind kind,
			    enum io_fd_kind fd_kind, struct reason *why)
{
	(void)config;
	(void)fd_kind;
	if (kind != IO_NOP)
		return 0;
	reason_set(why, "no_noop_call", "there is no system call that does nothing");
	return -EOPNOTSUPP;
}

static void on_cancel_signal(int signal_number)
{
	(void)signal_number; /* being delivered is enough: the call returns EINTR */
}

/* Without SA_RESTART, so that it ends a blocking call: signal(7). */
static void handle_cancel_signal(void)
{
	struct sigaction action = { .sa_handler = on_cancel_signal };
	pthread_mutex_lock(&handler.lock);
	if (handler.engines++ == 0)
		sigaction(CANCEL_SIGNAL, &action, &handler.previous);
	pthread_mutex_unlock(&handler.lock);
}

static void leave_cancel_signal(void)
{
	pthread_mutex_lock(&handler.lock);
	if (--handler.engines == 0)
		sigaction(CANCEL_SIGNAL, &handler.previous, NULL);
	pthread_mutex_unlock(&handler.lock);
}

/* The call that blocks, on a worker's thread and without the lock. */
static int64_t perform(struct worker *self, const struct io_op *op)
{
	for (;;) {
		int64_t result = op_syscall_once(op, 0);
		if (result != -EINTR)
			return result;
		if (__atomic_load_n(&self->called_back, __ATOMIC_RELAXED))
			return -ECANCELED;
	}
}

/*
 * The next operation for a worker, which sleeps while there is none. NULL: nothing for it, or the end.
 * Called with the lock held.
 */
static struct io_op *take(struct engine *e)
{
	pthread_mutex_unlock(&e->lock);
	while (sem_wait(&e->work) < 0)
		continue; /* a signal */
	pthread_mutex_lock(&e->lock);
	return op_queue_pop(&e->waiting);
}

/* An operation is over. Called with the lock held. */
static void hand_over(struct engine *e, struct io_op *op)
{
	op_queue_push(&e->finished, op);
	if (e->finished.count == e->wanted)
		sem_post(&e->enough);
}

/* A worker's life. */
static void *work(void *argument)
{
	struct worker *self = argument;
	struct engine *e = self->engine;

	pthread_mutex_lock(&e->lock);
	while (!e->closing) {
		struct io_op *op = take(e);
		if (!op)
			continue;
		self->op = op;
		pthread_mutex_unlock(&e->lock);
		op->result = perform(self, op);
		pthread_mutex_lock(&e->lock);
		self->op = NULL;
		if (self->called_back) {
			self->called_back = false;
			e->called_back--;
		}
		hand_over(e, op);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/* Returns 0, or the error of pthread_create(3). `worker_count` says how many there are, even so. */
static int start_workers(struct engine *e, unsigned count)
{
	int error = 0;
	sigset_t workers_mask, previous_mask;
	sigfillset(&workers_mask);
	sigdelset(&workers_mask, CANCEL_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &workers_mask, &previous_mask);
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	/* Refused where a signal's frame needs more than that: then the default stays. */
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	while (e->worker_count < count && error == 0) {
		struct worker *worker = &e->workers[e->worker_count];
		worker->engine = e;
		error = pthread_create(&worker->thread, &attributes, work, worker);
		if (error == 0)
			e->worker_count++;
	}
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &previous_mask, NULL);
	return error;
}

/* Returns when the last one has ended: only then does nobody use the lock any more. */
static void end_workers(struct engine *e)
{
	pthread_mutex_lock(&e->lock);
	e->closing = true;
	pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; i < e->worker_count; i++)
		sem_post(&e->work);
	for (unsigned i = 0; i < e->worker_count; i++)
		pthread_join(e->workers[i].thread, NULL);
}

static void threads_close(struct engine *e)
{
	end_workers(e);
	leave_cancel_signal();
	sem_destroy(&e->enough);
	sem_destroy(&e->work);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

static int threads_open(struct engine **engine, const struct engine_config *config,
			struct reason *why)
{
	struct engine *e = calloc(1, sizeof *e + config->depth * sizeof *e->workers);
	if (!e)
		return reason_no_memory(why, "the threads engine");
	op_queue_init(&e->waiting);
	op_queue_init(&e->finished);
	pthread_mutex_init(&e->lock, NULL);
	sem_init(&e->work, 0, 0);
	sem_init(&e->enough, 0, 0);
	handle_cancel_signal();
	int error = start_workers(e, config->depth);
	if (error) {
		reason_errno(why, "thread_not_started", error,
			     "thread {thread} of {threads} (see ulimit -u, the pids cgroup and "
			     "/proc/sys/kernel/threads-max)",
			     reason_int("thread", e->worker_count + 1),
			     reason_int("threads", config->depth));
		threads_close(e);
		return -error;
	}
	*engine = e;
	return 0;
}

static int threads_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < count; i++)
		op_queue_push(&e->waiting, ops[i]);
	pthread_mutex_unlock(&e->lock);
	/* One worker for each: with nobody asleep this makes no system call. */
	for (unsigned i = 0; i < count; i++)
		sem_post(&e->work);
	return (int)count;
}

/* Ends what this worker performs. Called with the lock held. */
static void call_back(struct engine *e, struct worker *worker)
{
	if (worker->called_back)
		return;
	__atomic_store_n(&worker->called_back, true, __ATOMIC_RELAXED);
	e->called_back++;
	pthread_kill(worker->thread, CANCEL_SIGNAL);
}

/*
 * A call that begins after the signal came does not hear of it. Returns how long the loop's thread
 * may sleep before it comes here again: until `deadline` at most. Called with the lock held.
 */
static struct deadline remind_workers(struct engine *e, struct deadline deadline)
{
	if (e->called_back == 0)
		return deadline;
	for (unsigned i = 0; i < e->worker_count; i++)
		if (e->workers[i].called_back)
			pthread_kill(e->workers[i].thread, CANCEL_SIGNAL);
	return deadline_sooner(deadline, deadline_after(CANCEL_REPEAT_NS));
}

/* Sleeps until `min` are finished, the deadline has passed, or a signal comes. Called with the lock held. */
static void wait_for_workers(struct engine *e, unsigned min, struct deadline deadline)
{
	while (e->finished.count < min) {
		struct deadline until = remind_workers(e, deadline);
		struct timespec at = timespec_of_ns(until.at_ns);
		e->wanted = min;
		pthread_mutex_unlock(&e->lock);
		int rc = sem_clockwait(&e->enough, CLOCK_MONOTONIC, &at);
		int error = rc ? errno : 0;
		pthread_mutex_lock(&e->lock);
		if (error == EINTR || (error == ETIMEDOUT && until.at_ns == deadline.at_ns))
			break;
	}
	e->wanted = 0;
}

static int threads_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	pthread_mutex_lock(&e->lock);
	remind_workers(e, deadline); /* also for a caller who only polls */
	wait_for_workers(e, min, deadline);
	unsigned n = op_queue_take(&e->finished, done, max);
	pthread_mutex_unlock(&e->lock);
	return (int)n;
}

static void threads_cancel_one(struct engine *e, struct io_op *op)
{
	pthread_mutex_lock(&e->lock);
	if (!op_queue_cancel_one(&e->waiting, &e->finished, op))
		for (unsigned i = 0; i < e->worker_count; i++)
			if (e->workers[i].op == op)
				call_back(e, &e->workers[i]);
	pthread_mutex_unlock(&e->lock);
}

static void threads_cancel(struct engine *e)
{
	pthread_mutex_lock(&e->lock);
	op_queue_cancel(&e->waiting, &e->finished);
	for (unsigned i = 0; i < e->worker_count; i++)
		if (e->workers[i].op)
			call_back(e, &e->workers[i]);
	pthread_mutex_unlock(&e->lock);
}

static const struct engine_ops threads_engine = {
	.name = IO_ENGINE_NAME("threads"),
	.summary = "a pool of threads, each blocking in one system call",
	.lab = IO_ENGINE_LAB,
	.supports = threads_supports,
	.open = threads_open,
	.submit = threads_submit,
	.reap = threads_reap,
	.cancel_one = threads_cancel_one,
	.cancel = threads_cancel,
	.close = threads_close,
};

IO_ENGINE(threads_engine);
