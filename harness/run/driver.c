/* SPDX-License-Identifier: MIT */
#include "run/driver.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "clock.h"
#include "compute.h"
#include "meters/op_trace.h"

/*
 * reap() waits for as long as it takes. What ends the wait at the end of a phase is a signal, and
 * again so often, in case it came just before the wait began. A time limit on each wait would do it
 * too, but arms a kernel timer for every sleep: in a virtual machine that is some percent of
 * the CPU time of a read at depth 1.
 */
#define TICK_NS (20 * NS_PER_MS)

/* How long operations may take to come home once the workload was told to stop, and once cancelled. */
#define DRAIN_NS  (5 * NS_PER_S)
#define CANCEL_NS (5 * NS_PER_S)

/* A window that ends by --ops has no end in time; this long without a completion ends it too. */
#define STALL_NS (5 * NS_PER_S)

static void on_tick(int signal_number)
{
	(void)signal_number; /* being delivered ends the wait */
}

enum phase { WARM_UP, WINDOW, DRAIN, CANCELLED, OVER };

struct driver {
	const struct run_config *config;
	const struct engine_ops *ops;
	struct engine *engine;
	struct workload *workload;
	const struct meter *meter;
	struct outcome *out;

	enum phase phase;
	uint64_t phase_end_ns;
	int rc; /* what driver_run() will return */

	struct io_op **offered; /* filled by the workload, not yet accepted by the engine */
	unsigned offered_count;
	unsigned stamped_count; /* of these, offered before: their latency counts already */
	unsigned offer_max;
	struct io_op **done;
	unsigned done_max;

	unsigned inflight;
	unsigned inflight_max; /* of the window */
	double inflight_ns; /* integral of `inflight` over the window's time */
	uint64_t last_ns; /* up to where it was integrated */
	uint64_t compute_loops_per_op;
	struct tally *window_tally; /* what was counted when the window closed, before the drain */
	timer_t ticker;
	struct trace *trace; /* NULL: nothing is recorded */

	bool open_loop; /* we keep the schedule, not a peer */
	uint64_t stall_at_ns; /* UINT64_MAX: not, or not any more */

	uint64_t slice_ns, slice_end_ns; /* UINT64_MAX: nothing to slice now */
	unsigned slice; /* under way */
	uint64_t sliced_ops; /* of the workload, in the slices before */
	uint64_t slice_ops[WINDOW_SLICES];
};

/* To be called before each change of `inflight`, and at the window's end. */
static void integrate_inflight(struct driver *d, uint64_t now_ns)
{
	if (d->phase == WINDOW)
		d->inflight_ns += (double)d->inflight * (double)(now_ns - d->last_ns);
	d->last_ns = now_ns;
}

static void begin_phase(struct driver *d, enum phase phase, uint64_t now_ns, double length_s)
{
	d->phase = phase;
	d->phase_end_ns = now_ns + (uint64_t)(length_s * NS_PER_S);
	struct itimerspec ticks = { .it_value = timespec_of_ns((int64_t)d->phase_end_ns),
				    .it_interval = timespec_of_ns(TICK_NS) };
	timer_settime(d->ticker, TIMER_ABSTIME, &ticks, NULL);
}

/* Signals for this thread alone: an engine's threads would swallow them. Returns 0 or -errno. */
static int start_ticker(struct driver *d, struct sigaction *previous)
{
	struct sigaction action = { .sa_handler = on_tick }; /* without SA_RESTART */
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	event._sigev_un._tid = gettid(); /* glibc has no name for it: timer_create(2) */
	if (timer_create(CLOCK_MONOTONIC, &event, &d->ticker) < 0)
		return reason_errno(&d->out->why, errno, "timer_create");
	sigaction(SIGALRM, &action, previous);
	return 0;
}

static void stop_ticker(struct driver *d, const struct sigaction *previous)
{
	timer_delete(d->ticker);
	sigaction(SIGALRM, previous, NULL);
}

static void open_window(struct driver *d)
{
	struct tally *tally = &d->workload->tally;
	memset(tally, 0, offsetof(struct tally, latency));
	histogram_reset(&tally->latency);
	histogram_reset(&tally->uncorrected);
	histogram_reset(&tally->sync_latency);
	d->inflight_ns = 0;
	d->inflight_max = d->inflight;
	if (d->workload->ops->window)
		d->workload->ops->window(d->workload, true);
	meter_begin(d->meter, &d->out->window.begin);
	d->last_ns = d->out->window.begin.wall_ns;
	begin_phase(d, WINDOW, d->last_ns,
		    d->config->op_limit ? (double)STALL_NS / NS_PER_S : d->config->runtime_s);
	if (d->open_loop)
		d->workload->window_due =
			schedule_due_count(&d->workload->schedule, d->last_ns - 1);
	if (d->config->op_limit)
		return;
	if (d->config->stall_ms > 0)
		d->stall_at_ns = d->last_ns + (d->phase_end_ns - d->last_ns) / 2;
	d->slice_ns = (d->phase_end_ns - d->last_ns) / WINDOW_SLICES;
	d->slice_end_ns = d->last_ns + d->slice_ns;
}

/* Closes the slices that ended before `now_ns`; the last one ends with the window. */
static void end_slices(struct driver *d, uint64_t now_ns)
{
	uint64_t ops = d->workload->tally.ops;
	while (now_ns >= d->slice_end_ns && d->slice + 1 < WINDOW_SLICES) {
		d->slice_ops[d->slice++] = ops - d->sliced_ops;
		d->sliced_ops = ops;
		d->slice_end_ns += d->slice_ns;
	}
	if (d->slice + 1 == WINDOW_SLICES)
		d->slice_end_ns = UINT64_MAX;
}

static void stop(struct driver *d, uint64_t now_ns)
{
	d->workload->stopping = true;
	if (d->workload->ops->stop)
		d->workload->ops->stop(d->workload);
	begin_phase(d, DRAIN, now_ns, (double)DRAIN_NS / NS_PER_S);
}

/*
 * The schedule's account of the window: what was due in it, and what is still owed. What has begun
 * or not, but is not finished, counts with the time that it has waited until now.
 */
static void settle_schedule(struct driver *d)
{
	struct workload *w = d->workload;
	uint64_t now_ns = d->out->window.end.wall_ns;
	uint64_t due = schedule_due_count(&w->schedule, now_ns);
	if (d->config->op_limit && due > d->config->op_limit)
		due = d->config->op_limit;
	w->window_due = due - w->window_due;
	w->unfinished = due > w->begun ? due - w->begun : 0;
	schedule_record_waiting(&w->schedule, &w->tally.latency, w->begun, due, now_ns);
	for (unsigned slot = 0; slot < w->depth; slot++) {
		if (w->due_ns[slot] == 0)
			continue;
		w->unfinished++;
		histogram_record(&w->tally.latency, now_ns - w->due_ns[slot], 1);
	}
}

static void close_window(struct driver *d)
{
	meter_end(d->meter, &d->out->window.end);
	integrate_inflight(d, d->out->window.end.wall_ns);
	if (d->open_loop)
		settle_schedule(d);
	*d->window_tally = d->workload->tally;
	end_slices(d, d->out->window.end.wall_ns);
	d->slice_ops[d->slice] = d->window_tally->ops - d->sliced_ops;
	d->slice_end_ns = UINT64_MAX;
	if (d->workload->ops->window)
		d->workload->ops->window(d->workload, false);
	stop(d, d->out->window.end.wall_ns);
}

/*
 * Ends the run early, with the first reason of several. What is in flight is still waited for,
 * whatever the cause.
 */
__attribute__((format(printf, 3, 4))) static void fail(struct driver *d, int error,
						       const char *format, ...)
{
	if (d->rc == 0) {
		va_list args;
		va_start(args, format);
		vsnprintf(d->out->why.text, sizeof d->out->why.text, format, args);
		va_end(args);
		d->rc = error;
	}
	if (d->phase < DRAIN)
		stop(d, clock_ns());
}

static void advance_phase(struct driver *d, uint64_t now_ns)
{
	bool timed_out = now_ns >= d->phase_end_ns;
	bool idle = d->inflight == 0 && d->offered_count == 0;

	if (interrupt_requested() && d->phase < DRAIN)
		fail(d, -EINTR, "interrupted");
	switch (d->phase) {
	case WARM_UP:
		if (timed_out)
			open_window(d);
		break;
	case WINDOW:
		if (d->workload->exhausted && idle)
			close_window(d);
		else if (timed_out && d->config->op_limit)
			fail(d, -ETIMEDOUT, "nothing came back for %lld s",
			     (long long)(STALL_NS / NS_PER_S));
		else if (timed_out)
			close_window(d);
		break;
	case DRAIN:
		if (timed_out && !idle) {
			/* What was only offered is still the workload's: it is simply not offered
			 * again. */
			d->offered_count = d->stamped_count = 0;
			d->ops->cancel(d->engine);
			begin_phase(d, CANCELLED, now_ns, (double)CANCEL_NS / NS_PER_S);
		}
		break;
	case CANCELLED:
		if (timed_out && !idle) {
			reason_set(&d->out->why,
				   "%u operations never came back from the engine, not even after "
				   "cancel",
				   d->inflight);
			d->rc = -EIO;
			d->phase = OVER;
		}
		break;
	case OVER:
		break;
	}
}

/* Asks the workload for operations, and says whether it would have had more at once. */
static bool fill(struct driver *d)
{
	unsigned room = d->workload->depth - d->inflight - d->offered_count;
	unsigned want = d->offer_max - d->offered_count;
	bool limited_by_batch = want < room;
	if (want > room)
		want = room;
	if (want == 0 || d->phase >= CANCELLED)
		return false;
	unsigned got = d->workload->ops->fill(d->workload, d->offered + d->offered_count, want);
	d->offered_count += got;
	return limited_by_batch && got == want;
}

/* One submit() of what is on offer. Returns how many were accepted. */
static unsigned submit(struct driver *d)
{
	uint64_t now_ns = clock_ns();
	for (unsigned i = d->stamped_count; i < d->offered_count; i++)
		if (!d->offered[i]->continues)
			d->offered[i]->submit_ns = now_ns;
	integrate_inflight(d, now_ns);

	int accepted = d->ops->submit(d->engine, d->offered, d->offered_count);
	if (d->trace)
		trace_submitted(d->trace, now_ns, d->offered, accepted);
	if (accepted < 0) {
		d->offered_count = d->stamped_count = 0;
		fail(d, accepted, "submit: %s: %s", errno_name(accepted), strerror(-accepted));
		return 0;
	}
	for (int i = 0; i < accepted; i++)
		d->offered[i]->in_flight = 1;
	d->inflight += (unsigned)accepted;
	if (d->phase == WINDOW && d->inflight > d->inflight_max)
		d->inflight_max = d->inflight;
	d->offered_count -= (unsigned)accepted;
	d->stamped_count = d->offered_count;
	if (d->offered_count > 0)
		memmove(d->offered, d->offered + accepted, d->offered_count * sizeof *d->offered);
	if (accepted == 0 && d->inflight == 0) {
		d->offered_count = d->stamped_count = 0;
		fail(d, -EIO, "the engine accepts nothing although it holds nothing");
	}
	return (unsigned)accepted;
}

/* As long as the next operation is not due, there is nothing to do but to wait for completions. */
static uint64_t next_due_ns(const struct driver *d)
{
	const struct workload *w = d->workload;
	bool waits_for_time = d->open_loop && d->phase < DRAIN && w->begun >= w->due;
	return waits_for_time ? schedule_due_ns(&w->schedule, w->begun) : UINT64_MAX;
}

/* With nothing in flight the engine has nothing to wait for: sleeps until an operation is due. */
static uint64_t sleep_until_due(const struct driver *d)
{
	uint64_t until_ns = next_due_ns(d);
	if (until_ns > d->phase_end_ns)
		until_ns = d->phase_end_ns;
	struct timespec until = timespec_of_ns((int64_t)until_ns);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	return clock_ns();
}

/* --stall-ms: this thread does nothing for once, as if it had been held up. */
static void stall(struct driver *d)
{
	struct timespec pause = timespec_of_ns((int64_t)(d->config->stall_ms * NS_PER_MS));
	d->stall_at_ns = UINT64_MAX;
	nanosleep(&pause, NULL);
}

/* The program's own work for `ops` operations. Returns the time afterwards. */
static uint64_t compute(struct driver *d, uint64_t ops)
{
	uint64_t begin_ns = d->trace ? clock_ns() : 0;
	bool any = ops > 0;
	while (ops-- > 0 && !interrupt_requested())
		compute_loops(d->compute_loops_per_op);
	uint64_t now_ns = clock_ns();
	if (d->trace && any)
		trace_span(d->trace, TRACE_COMPUTE, begin_ns, now_ns);
	return now_ns;
}

/* One reap(); hands what came back to the workload, and does its share of computing. */
static uint64_t reap(struct driver *d, unsigned min)
{
	/* A wait ends when the next operation is due; without one a signal ends it, see TICK_NS. */
	int64_t wait_ns = -1;
	uint64_t due_ns = min ? next_due_ns(d) : UINT64_MAX;
	if (due_ns != UINT64_MAX) {
		uint64_t now_ns = clock_ns(); /* submit() may have taken long */
		wait_ns = due_ns > now_ns ? (int64_t)(due_ns - now_ns) : 0;
	}

	uint64_t begin_ns = d->trace ? clock_ns() : 0;
	int count = d->ops->reap(d->engine, d->done, min, d->done_max, min ? wait_ns : 0);
	uint64_t now_ns = clock_ns();
	integrate_inflight(d, now_ns); /* the engine held them until now */
	if (count < 0) {
		fail(d, count, "reap: %s: %s", errno_name(count), strerror(-count));
		return now_ns;
	}
	unsigned returned = 0;
	for (int i = 0; i < count; i++) {
		struct io_op *op = d->done[i];
		if (!op->in_flight) {
			fail(d, -EIO, "the engine returned operation %u twice, or unasked",
			     op->slot);
			continue;
		}
		op->in_flight = 0;
		d->done[returned++] = op;
	}
	d->inflight -= returned;
	/* Before these count: they came home in the slice that is beginning. */
	if (now_ns >= d->slice_end_ns)
		end_slices(d, now_ns);
	if (d->trace)
		trace_reaped(d->trace, begin_ns, now_ns, d->done, returned);
	/* Something came back, so the time in which something must come back begins anew. */
	if (returned > 0 && d->phase == WINDOW && d->config->op_limit &&
	    now_ns + STALL_NS > d->phase_end_ns + NS_PER_S)
		begin_phase(d, WINDOW, now_ns, (double)STALL_NS / NS_PER_S);

	uint64_t ops_before = d->workload->tally.ops;
	int rc = d->workload->ops->complete(d->workload, d->done, returned, now_ns);
	if (rc < 0 && interrupt_requested())
		fail(d, -EINTR, "interrupted"); /* the peer goes down with us */
	else if (rc < 0)
		fail(d, rc, "%s", d->workload->failure.text);
	if (d->compute_loops_per_op)
		now_ns = compute(d, d->workload->tally.ops - ops_before);
	return now_ns;
}

/* At most `limit` at a time; 0: no limit but the depth. */
static unsigned batch_of(unsigned limit, unsigned depth)
{
	return limit && limit < depth ? limit : depth;
}

/* All memory that the loop needs. Returns 0, or -errno with the outcome's `why`. */
static int allocate(struct driver *d)
{
	unsigned depth = d->workload->depth;
	d->offered = malloc(depth * sizeof(struct io_op *));
	d->done = malloc(depth * sizeof(struct io_op *));
	d->window_tally = malloc(sizeof *d->window_tally);
	if (d->open_loop)
		d->workload->due_ns = calloc(depth, sizeof *d->workload->due_ns);
	if (!d->offered || !d->done || !d->window_tally || (d->open_loop && !d->workload->due_ns))
		return reason_errno(&d->out->why, ENOMEM, "driver, depth %u", depth);
	return 0;
}

static void release(struct driver *d)
{
	free(d->workload->due_ns);
	d->workload->due_ns = NULL;
	free(d->window_tally);
	free(d->done);
	free(d->offered);
}

/* From the beginning of the warm-up until nothing is in flight any more. */
static void run_loop(struct driver *d)
{
	struct workload *workload = d->workload;
	uint64_t now_ns = d->last_ns = clock_ns();
	workload->due = UINT64_MAX;
	workload->schedule =
		(struct schedule) { .begun_ns = now_ns, .rate_per_s = d->config->rate_per_s };
	begin_phase(d, WARM_UP, now_ns, d->config->warmup_s);
	while (d->phase != OVER) {
		if (now_ns >= d->phase_end_ns || interrupt_requested() || workload->exhausted)
			advance_phase(d, now_ns);
		if (now_ns >= d->stall_at_ns)
			stall(d);
		if (d->open_loop) {
			now_ns = clock_ns();
			workload->due = schedule_due_count(&workload->schedule, now_ns);
		}

		bool more = fill(d);
		if (d->offered_count > 0) {
			unsigned accepted = submit(d);
			more = accepted > 0 && (more || d->offered_count > 0);
		}
		if (d->inflight > 0)
			now_ns = reap(d, more ? 0 : 1);
		else if (d->phase >= DRAIN && d->offered_count == 0)
			d->phase = OVER;
		else if (d->open_loop && d->offered_count == 0 && !workload->exhausted)
			now_ns = sleep_until_due(d);
		else
			now_ns = clock_ns();
	}
}

/* What the driver counted in the window. */
static void fill_window(const struct driver *d, struct window *window)
{
	double length_ns = (double)(window->end.wall_ns - window->begin.wall_ns);
	window->inflight_mean = d->inflight_ns / (length_ns + 1e-9);
	window->inflight_max = d->inflight_max;
	window->slice_s = (double)d->slice_ns / NS_PER_S;
	memcpy(window->slice_ops, d->slice_ops, sizeof d->slice_ops);
}

int driver_run(const struct job *job, struct outcome *outcome)
{
	const struct run_config *config = job->config;
	unsigned depth = job->workload->depth;
	struct driver d = {
		.config = config,
		.ops = config->engine,
		.engine = job->engine,
		.workload = job->workload,
		.meter = job->meter,
		.out = outcome,
		.slice_end_ns = UINT64_MAX,
		.stall_at_ns = UINT64_MAX,
		.open_loop = config->rate_per_s > 0 && !config->workload->has_peer,
		.offer_max = batch_of(config->batch_submit, depth),
		.done_max = batch_of(config->batch_complete, depth),
		.compute_loops_per_op =
			(uint64_t)(config->compute_us * config->compute_loops_per_us),
		.trace = job->trace,
	};
	struct sigaction previous_action;
	d.rc = allocate(&d);
	if (d.rc == 0)
		d.rc = start_ticker(&d, &previous_action);
	if (d.rc == 0) {
		run_loop(&d);
		stop_ticker(&d, &previous_action);
		fill_window(&d, &outcome->window);
	}
	if (d.rc == 0)
		d.workload->tally = *d.window_tally;
	outcome->lost = d.inflight;
	release(&d);
	return d.rc;
}
