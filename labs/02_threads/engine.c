/* SPDX-License-Identifier: MIT */
/*
 * threads: concurrency by blocking in parallel.
 *
 * A pool has one thread for each operation that may be in flight. A thread takes an operation from
 * a queue, performs it by the plain blocking call, and puts it on a second queue for the loop's
 * thread. The code of a thread stays as simple as the blocking engine's. The price is a wake-up and
 * a context switch in each direction, and a stack for every operation in flight.
 *
 * With a thread for every operation there is always one free, so receives that wait on silent peers
 * cannot starve the others.
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
	pthread_cond_t work; /* `waiting` is no longer empty, or `closing` */
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
	//> 5 op_syscall() makes the call again after EINTR, so no signal ends it. Make the call by
	//> op_syscall_once(). When it returns -EINTR, ask whether this worker was called back: then
	//> the result is -ECANCELED, and otherwise the call is made again. `called_back` is written
	//> by the loop's thread meanwhile, so read it with __atomic_load_n(..., __ATOMIC_RELAXED).
	//+ (void)self;
	//+ return op_syscall(op, 0);
	for (;;) {
		int64_t result = op_syscall_once(op, 0);
		if (result != -EINTR)
			return result;
		if (__atomic_load_n(&self->called_back, __ATOMIC_RELAXED))
			return -ECANCELED;
	}
	//< 5
}

/*
 * The next operation for a worker, which sleeps while there is none. NULL: the engine closes. Called
 * with the lock held.
 */
static struct io_op *take(struct engine *e)
{
	//> 2 Given code that is right, yet comes late, and wakes up for nothing. Sleep on `work`
	//> (pthread_cond_wait(3)) until `waiting` holds an operation or the engine is `closing`.
	//> Look again after each wake-up: another worker may have been faster.
	//+ const struct timespec nap = { .tv_nsec = NS_PER_MS };
	//+ while (!e->waiting.first && !e->closing) {
	//+ 	pthread_mutex_unlock(&e->lock);
	//+ 	nanosleep(&nap, NULL);
	//+ 	pthread_mutex_lock(&e->lock);
	//+ }
	while (!e->waiting.first && !e->closing)
		pthread_cond_wait(&e->work, &e->lock);
	//< 2
	return op_queue_pop(&e->waiting);
}

/* An operation is over. Called with the lock held. */
static void hand_over(struct engine *e, struct io_op *op)
{
	op_queue_push(&e->finished, op);
	//> 3 Wake the loop's thread (sem_post(3)) with the last operation that it waits for, and
	//> with no other one.
	if (e->finished.count == e->wanted)
		sem_post(&e->enough);
	//< 3
}

/* A worker's life. */
static void *work(void *argument)
{
	struct worker *self = argument;
	struct engine *e = self->engine;

	pthread_mutex_lock(&e->lock);
	for (struct io_op *op; (op = take(e));) {
		self->op = op;
		//> 2 Perform it, and store its result. The lock is held here, and must not be while
		//> this thread sleeps in the call: all others would wait for it.
		//+ (void)perform;
		//+ op->result = -ENOSYS;
		pthread_mutex_unlock(&e->lock);
		op->result = perform(self, op);
		pthread_mutex_lock(&e->lock);
		//< 2
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
	//> 1 Start `count` threads: each runs work(), with its own element of `workers` as the
	//> argument, and is counted in `worker_count`. Stop at the first that fails.
	//> A new thread inherits the mask of blocked signals. Signals for the program are for its
	//> own thread; a worker takes only CANCEL_SIGNAL. So change this thread's mask before, and
	//> put it back afterwards (pthread_sigmask(3)). STACK_BYTES is enough for a stack
	//> (pthread_attr_setstacksize(3)).
	//+ (void)work;
	//+ (void)e;
	//+ (void)count;
	//+ error = ENOSYS;
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
	//< 1
	return error;
}

/* Returns when the last one has ended: only then does nobody use the lock any more. */
static void end_workers(struct engine *e)
{
	//> 1 Raise `closing` under the lock, wake all that sleep on `work`
	//> (pthread_cond_broadcast(3)), and join each (pthread_join(3)).
	//+ (void)e;
	pthread_mutex_lock(&e->lock);
	e->closing = true;
	pthread_cond_broadcast(&e->work);
	pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; i < e->worker_count; i++)
		pthread_join(e->workers[i].thread, NULL);
	//< 1
}

static void threads_close(struct engine *e)
{
	end_workers(e);
	leave_cancel_signal();
	sem_destroy(&e->enough);
	pthread_cond_destroy(&e->work);
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
	pthread_cond_init(&e->work, NULL);
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
	//> 4 Given code with a bug. The handout tells how it shows.
	//+ pthread_mutex_lock(&e->lock);
	//+ bool was_empty = !e->waiting.first;
	//+ for (unsigned i = 0; i < count; i++)
	//+ 	op_queue_push(&e->waiting, ops[i]);
	//+ pthread_mutex_unlock(&e->lock);
	//+ /* A worker takes one after the other until nothing is left. So only the first needs a wake-up. */
	//+ if (was_empty)
	//+ 	pthread_cond_signal(&e->work);
	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < count; i++)
		op_queue_push(&e->waiting, ops[i]);
	pthread_mutex_unlock(&e->lock);
	/* One worker for each: with nobody asleep this makes no system call. */
	for (unsigned i = 0; i < count; i++)
		pthread_cond_signal(&e->work);
	//< 4
	return (int)count;
}

/* Ends what this worker performs. Called with the lock held. */
static void call_back(struct engine *e, struct worker *worker)
{
	//> 5 Unless that was done already: raise the worker's `called_back` (__atomic_store_n(),
	//> for perform() reads it without the lock), count it in the engine's, and send
	//> CANCEL_SIGNAL to the thread (pthread_kill(3)).
	//+ (void)e;
	//+ (void)worker;
	if (worker->called_back)
		return;
	__atomic_store_n(&worker->called_back, true, __ATOMIC_RELAXED);
	e->called_back++;
	pthread_kill(worker->thread, CANCEL_SIGNAL);
	//< 5
}

/*
 * A call that begins after the signal came does not hear of it. Returns how long the loop's thread
 * may sleep before it comes here again: until `deadline` at most. Called with the lock held.
 */
static struct deadline remind_workers(struct engine *e, struct deadline deadline)
{
	//> 5 While any worker is called back, send the signal again to each of these, and come back
	//> in CANCEL_REPEAT_NS (deadline_after(), deadline_sooner()).
	//+ (void)e;
	//+ return deadline;
	if (e->called_back == 0)
		return deadline;
	for (unsigned i = 0; i < e->worker_count; i++)
		if (e->workers[i].called_back)
			pthread_kill(e->workers[i].thread, CANCEL_SIGNAL);
	return deadline_sooner(deadline, deadline_after(CANCEL_REPEAT_NS));
	//< 5
}

/* Sleeps until `min` are finished, the deadline has passed, or a signal comes. Called with the lock held. */
static void wait_for_workers(struct engine *e, unsigned min, struct deadline deadline)
{
	//> 3 Given code that is right, yet comes late, and wakes up for nothing. Say in `wanted`
	//> how many are needed, release the lock, and sleep in sem_clockwait(3) with
	//> CLOCK_MONOTONIC: until remind_workers() says, which is the deadline in general. Take the
	//> lock and look again. A signal ends the wait (EINTR): one for a condition variable would go
	//> on. So would sem_wait(3), where the signal's handler has SA_RESTART. DEADLINE_NEVER is a
	//> moment as well, in 292 years. At the end nobody is `wanted`.
	//+ const struct timespec nap = { .tv_nsec = NS_PER_MS };
	//+ while (e->finished.count < min && deadline_left_ns(deadline) != 0) {
	//+ 	remind_workers(e, deadline);
	//+ 	pthread_mutex_unlock(&e->lock);
	//+ 	int rc = nanosleep(&nap, NULL);
	//+ 	pthread_mutex_lock(&e->lock);
	//+ 	if (rc < 0)
	//+ 		break;
	//+ }
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
	//< 3
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
	//> 6 Under the lock: what no worker has taken comes back at once (op_queue_cancel_one()).
	//> Otherwise call back the worker that performs it, and no other one. It may be over.
	//+ (void)e;
	//+ (void)op;
	pthread_mutex_lock(&e->lock);
	if (!op_queue_cancel_one(&e->waiting, &e->finished, op))
		for (unsigned i = 0; i < e->worker_count; i++)
			if (e->workers[i].op == op)
				call_back(e, &e->workers[i]);
	pthread_mutex_unlock(&e->lock);
	//< 6
}

static void threads_cancel(struct engine *e)
{
	//> 5 Under the lock: take back what no worker has taken yet (op_queue_cancel()), and call
	//> back each worker that performs something (call_back()).
	//+ (void)e;
	//+ (void)call_back;
	pthread_mutex_lock(&e->lock);
	op_queue_cancel(&e->waiting, &e->finished);
	for (unsigned i = 0; i < e->worker_count; i++)
		if (e->workers[i].op)
			call_back(e, &e->workers[i]);
	pthread_mutex_unlock(&e->lock);
	//< 5
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
