/* SPDX-License-Identifier: MIT */
#include "run/driver.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "clock.h"
#include "compute.h"
#include "meters/op_trace.h"

/*
 * reap() waits without a time limit. A signal ends the wait when a phase ends. The signal repeats at
 * this interval, because the first one may come just before the wait begins. A limit on each wait
 * would arm a kernel timer for every sleep. In a virtual machine that costs some percent of the CPU
 * time of a read at depth 1.
 */
#define TICK_NS (20 * NS_PER_MS)

static const struct patience usual_patience = {
	.standstill_ns = 20 * NS_PER_S,
	.drain_ns = 5 * NS_PER_S,
	.cancel_ns = 5 * NS_PER_S,
	.cut_off_ns = 20 * NS_PER_S,
};

/* A device of 1 MB a second is slow and not broken. */
#define SLOW_DEVICE_NS_PER_BYTE 1000

/*
 * For the handler, which runs in the driver's thread. An engine that blocks in submit() waits for
 * its peer there, and nothing but the end of its connection brings it back.
 */
static struct {
	volatile uint64_t cut_off_ns; /* UINT64_MAX: never */
	volatile sig_atomic_t late_ticks; /* since cut_off_ns */
	const struct workload *volatile workload; /* NULL: without a peer, or cut off already */
	volatile sig_atomic_t has_cut_off;
} watchdog;

/* This number of ticks is a second in which the program ran. Ctrl-Z may stop it for an hour. */
#define LATE_TICKS 50

/* Being delivered ends the wait. */
static void cut_off_when_late(int signal_number)
{
	(void)signal_number;
	const struct workload *workload = watchdog.workload;
	if (!workload || clock_ns() < watchdog.cut_off_ns)
		return;
	watchdog.late_ticks++;
	if (watchdog.late_ticks < LATE_TICKS)
		return;
	watchdog.workload = NULL;
	/* On our side: what the peer does need not arrive, when it hangs or the network is down. */
	for (unsigned i = 0; i < workload->fd_count; i++)
		shutdown(workload->fds[i].fd, SHUT_RDWR); /* of a free slot: EBADF */
	watchdog.has_cut_off = 1;
}

enum phase { WARM_UP, WINDOW, DRAIN, CANCELLED, OVER };

struct driver {
	const struct run_config *config;
	const struct engine_ops *ops;
	struct engine *engine;
	struct workload *workload;
	const struct meter *meter;
	struct outcome *out;

	const struct patience *patience;
	enum phase phase;
	uint64_t phase_end_ns; /* UINT64_MAX: it does not end in time */
	uint64_t look_ns; /* when to look next, at the phase's end or at what came back */
	uint64_t looked_ns; /* when that was done last */
	uint64_t returned_ns; /* when something came back last */
	unsigned silent_looks; /* in a row */
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
	uint64_t integrated_until_ns;
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
		d->inflight_ns += (double)d->inflight * (double)(now_ns - d->integrated_until_ns);
	d->integrated_until_ns = now_ns;
}

/* Arms the timer for the next look: after half of a standstill, or at the phase's end if that is
 * sooner. */
static void set_ticker(struct driver *d, uint64_t now_ns)
{
	d->looked_ns = now_ns;
	d->look_ns = now_ns + d->patience->standstill_ns / 2;
	if (d->look_ns > d->phase_end_ns)
		d->look_ns = d->phase_end_ns;
	struct itimerspec ticks = { .it_value = timespec_of_ns((int64_t)d->look_ns),
				    .it_interval = timespec_of_ns(TICK_NS) };
	timer_settime(d->ticker, TIMER_ABSTIME, &ticks, NULL);
}

static void begin_phase(struct driver *d, enum phase phase, uint64_t now_ns, uint64_t length_ns)
{
	d->phase = phase;
	d->phase_end_ns = length_ns < UINT64_MAX - now_ns ? now_ns + length_ns : UINT64_MAX;
	watchdog.cut_off_ns = d->phase_end_ns < UINT64_MAX - d->patience->cut_off_ns
				      ? d->phase_end_ns + d->patience->cut_off_ns
				      : UINT64_MAX;
	watchdog.late_ticks = 0;
	d->silent_looks = 0;
	set_ticker(d, now_ns);
}

/* What a device may take for all that is in flight. */
static uint64_t device_ns(const struct driver *d)
{
	return d->workload->device_bytes * SLOW_DEVICE_NS_PER_BYTE;
}

/* Signals for this thread alone: an engine's threads would swallow them. Returns 0 or -errno. */
static int start_ticker(struct driver *d, struct sigaction *previous)
{
	struct sigaction action = { .sa_handler = cut_off_when_late }; /* without SA_RESTART */
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	event._sigev_un._tid = gettid(); /* glibc has no name for it: timer_create(2) */
	if (timer_create(CLOCK_MONOTONIC, &event, &d->ticker) < 0) {
		if (errno == EAGAIN)
			return reason_errno(
				&d->out->why, "no_room_for_a_timer", EAGAIN,
				"timer_create (a timer takes a place in the queues of signals: "
				"see RLIMIT_SIGPENDING, ulimit -i)");
		return reason_errno(&d->out->why, "timer_not_made", errno, "timer_create");
	}
	watchdog.cut_off_ns = UINT64_MAX;
	watchdog.workload = d->workload->peer > 0 ? d->workload : NULL;
	watchdog.has_cut_off = 0;
	sigaction(SIGALRM, &action, previous);
	return 0;
}

static void stop_ticker(struct driver *d, const struct sigaction *previous)
{
	timer_delete(d->ticker);
	sigaction(SIGALRM, previous, NULL);
}

/* How many operations are not finished, of the first `due` of the schedule. */
static uint64_t count_owed(const struct workload *w, uint64_t due)
{
	uint64_t owed = due > w->begun ? due - w->begun : 0;
	for (unsigned slot = 0; slot < w->depth; slot++)
		owed += w->due_ns[slot] != 0;
	return owed;
}

/*
 * Between `from_ns` and the window's beginning the driver read its meters and could begin nothing.
 * So the schedule stood still as long: what is due later waits for the engine alone.
 */
static void resume_schedule(struct driver *d, uint64_t from_ns)
{
	struct workload *w = d->workload;
	uint64_t window_ns = d->out->window.begin.wall_ns;
	w->schedule.begun_ns += window_ns - from_ns;
	w->due_before = schedule_due_count(&w->schedule, window_ns - 1);
	w->owed_before = count_owed(w, w->due_before);
}

static void open_window(struct driver *d, uint64_t now_ns)
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
	d->integrated_until_ns = d->out->window.begin.wall_ns;
	begin_phase(d, WINDOW, d->integrated_until_ns,
		    d->config->op_limit ? UINT64_MAX : (uint64_t)(d->config->runtime_s * NS_PER_S));
	if (d->open_loop)
		resume_schedule(d, now_ns);
	if (d->config->op_limit)
		return;
	if (d->config->stall_ms > 0)
		d->stall_at_ns =
			d->integrated_until_ns + (d->phase_end_ns - d->integrated_until_ns) / 2;
	d->slice_ns = (d->phase_end_ns - d->integrated_until_ns) / WINDOW_SLICES;
	d->slice_end_ns = d->integrated_until_ns + d->slice_ns;
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
	d->workload->failed = d->rc < 0;
	if (d->workload->ops->stop)
		d->workload->ops->stop(d->workload);
	begin_phase(d, DRAIN, now_ns, d->patience->drain_ns + device_ns(d));
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
	w->window_due = due - w->due_before;
	w->unfinished = count_owed(w, due);
	schedule_record_waiting(&w->schedule, &w->tally.latency, w->begun, due, now_ns);
	for (unsigned slot = 0; slot < w->depth; slot++)
		if (w->due_ns[slot] != 0)
			histogram_record(&w->tally.latency, now_ns - w->due_ns[slot], 1);
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
static void fail(struct driver *d, int error, const struct reason *why)
{
	if (d->rc == 0) {
		d->out->why = *why;
		d->rc = error;
	}
	if (d->phase < DRAIN)
		stop(d, clock_ns());
}

/* What the engine has and did not give back. */
struct held {
	char kinds[80]; /* "reads, writes" */
	double first_s; /* since the oldest of them was handed over */
};

static void find_held(const struct driver *d, uint64_t now_ns, struct held *held)
{
	static const char *const names[IO_KIND_COUNT] = {
		[IO_NOP] = "no-ops",	       [IO_READ] = "reads",	[IO_WRITE] = "writes",
		[IO_FSYNC] = "fsyncs",	       [IO_RECV] = "receives",	[IO_SEND] = "sends",
		[IO_FDATASYNC] = "fdatasyncs", [IO_ACCEPT] = "accepts", [IO_CONNECT] = "connects",
	};
	bool found[IO_KIND_COUNT] = { false };
	uint64_t first_ns = now_ns;
	for (unsigned slot = 0; slot < d->workload->depth; slot++) {
		const struct io_op *op =
			(const struct io_op *)((const char *)d->workload->first_op +
					       slot * d->workload->op_stride_bytes);
		if (!op->in_flight)
			continue;
		found[op->kind] = true;
		if (op->submit_ns < first_ns)
			first_ns = op->submit_ns;
	}
	*held = (struct held) { .first_s = (double)(now_ns - first_ns) / NS_PER_S };
	for (unsigned kind = 0; kind < IO_KIND_COUNT; kind++) {
		if (!found[kind])
			continue;
		if (held->kinds[0])
			strcat(held->kinds, ", ");
		strcat(held->kinds, names[kind]);
	}
}

/*
 * Did anything come back since the last look? Two looks must find nothing: the program may have
 * been stopped for long in between, by Ctrl-Z.
 */
static void look_for_standstill(struct driver *d, uint64_t now_ns)
{
	bool silent = d->inflight > 0 && d->returned_ns < d->looked_ns;
	d->silent_looks = silent ? d->silent_looks + 1 : 0;
	uint64_t silence_ns = now_ns - d->returned_ns;
	if (d->silent_looks >= 2 && silence_ns >= d->patience->standstill_ns + device_ns(d)) {
		struct held held;
		struct reason why;
		find_held(d, now_ns, &held);
		reason_set(&why, "stood_still",
			   "the run stood still: nothing came back for {silence_s} s; {in_flight} "
			   "in flight ({kinds}), the first for {first_s} s",
			   reason_real("silence_s", (double)silence_ns / NS_PER_S),
			   reason_int("in_flight", d->inflight), reason_string("kinds", held.kinds),
			   reason_real("first_s", held.first_s));
		fail(d, -ETIMEDOUT, &why);
	} else {
		set_ticker(d, now_ns);
	}
}

/* The engine sat in a call until its connections were shut down: see cut_off_when_late(). */
static void fail_cut_off(struct driver *d, uint64_t now_ns)
{
	struct reason why;
	reason_set(&why, "sat_in_a_call",
		   "the run stood still: the engine waited for its peer within a call, {late_s} s "
		   "longer than it should have; its connections were shut down",
		   reason_real("late_s", (double)(now_ns - d->phase_end_ns) / NS_PER_S));
	fail(d, -ETIMEDOUT, &why);
}

/* The workload was told to stop, or the engine to give back. While operations keep coming back, the
 * driver waits. */
static void advance_drain(struct driver *d, uint64_t now_ns)
{
	uint64_t silence_ns = now_ns - d->returned_ns;
	uint64_t patience_ns =
		(d->phase == DRAIN ? d->patience->drain_ns : d->patience->cancel_ns) + device_ns(d);
	if (silence_ns < patience_ns) {
		begin_phase(d, d->phase, d->returned_ns, patience_ns);
	} else if (d->phase == DRAIN) {
		/* What was only offered is still the workload's: it is simply not offered again. */
		d->offered_count = d->stamped_count = 0;
		d->ops->cancel(d->engine);
		begin_phase(d, CANCELLED, now_ns, d->patience->cancel_ns + device_ns(d));
	} else {
		struct held held;
		struct reason why;
		find_held(d, now_ns, &held);
		reason_set(&why, "operations_lost",
			   "{in_flight} in flight ({kinds}), the first for {first_s} s, never came "
			   "back, not even after cancel; the engine lost them, or the device is "
			   "slower than 1 MB/s",
			   reason_int("in_flight", d->inflight), reason_string("kinds", held.kinds),
			   reason_real("first_s", held.first_s));
		fail(d, -EIO, &why);
		d->phase = OVER;
	}
}

static void advance_phase(struct driver *d, uint64_t now_ns)
{
	bool timed_out = now_ns >= d->phase_end_ns;
	bool nothing_left = d->inflight == 0 && d->offered_count == 0;
	struct reason why;

	if (interrupt_requested() && d->phase < DRAIN)
		fail(d, interrupt_reason(&why), &why);
	else if (watchdog.has_cut_off)
		fail_cut_off(d, now_ns);
	else if (d->phase < DRAIN && !timed_out && now_ns >= d->look_ns)
		look_for_standstill(d, now_ns);
	switch (d->phase) {
	case WARM_UP:
		if (timed_out)
			open_window(d, now_ns);
		break;
	case WINDOW:
		if (d->workload->exhausted && nothing_left)
			close_window(d);
		else if (timed_out)
			close_window(d);
		break;
	case DRAIN:
	case CANCELLED:
		if (timed_out && !nothing_left)
			advance_drain(d, now_ns);
		break;
	case OVER:
		break;
	}
}

/* Asks the workload for operations. Returns whether nothing but the batch's limit ended that. */
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
	struct reason why;
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
		fail(d, reason_errno(&why, "submit_failed", accepted, "submit"), &why);
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
		reason_set(&why, "accepts_nothing",
			   "the engine accepts nothing although it holds nothing");
		fail(d, -EIO, &why);
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

/*
 * Fails the run when an operation came back against the contract. Returns whether the engine held
 * it; such an operation is over. A count that is too large becomes -EIO, or the workload would go on
 * beyond the end of its buffer.
 */
static bool refuse_returned(struct driver *d, struct io_op *op)
{
	struct reason why;
	if (!op->in_flight) {
		reason_set(&why, "returned_twice",
			   "the engine returned operation {slot} twice, or unasked",
			   reason_int("slot", op->slot));
		fail(d, -EIO, &why);
		return false;
	}
	if (op->kind == IO_ACCEPT) /* its result is a descriptor, and no count */
		return true;
	reason_set(&why, "moved_too_much",
		   "the engine says that operation {slot} moved {moved_bytes} bytes, and it was "
		   "asked for {asked_bytes}",
		   reason_int("slot", op->slot), reason_int("moved_bytes", op->result),
		   reason_int("asked_bytes", op->len_bytes));
	fail(d, -EIO, &why);
	op->result = -EIO;
	return true;
}

/* Tells the engine which descriptors go, and which are new. */
static void exchange_descriptors(struct driver *d)
{
	struct workload *w = d->workload;
	struct reason why;
	for (unsigned i = 0; i < w->going_count; i++) {
		if (d->ops->detach)
			d->ops->detach(d->engine, w->going[i].fd_slot);
		close(w->going[i].fd);
	}
	for (unsigned i = 0; i < w->coming_count && d->ops->attach; i++) {
		int rc = d->ops->attach(d->engine, w->coming[i].fd_slot, w->coming[i].fd,
					w->fds[w->coming[i].fd_slot].kind, &why);
		if (rc < 0)
			fail(d, rc, &why);
	}
	w->going_count = w->coming_count = 0;
}

/* One reap(); hands what came back to the workload, and does its share of computing. */
static uint64_t reap(struct driver *d, unsigned min)
{
	struct reason why;
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
		fail(d, reason_errno(&why, "reap_failed", count, "reap"), &why);
		return now_ns;
	}
	unsigned returned = 0;
	for (int i = 0; i < count; i++) {
		struct io_op *op = d->done[i];
		/* One branch for both; result and length are of one cache line, which is read anyway. */
		if ((!op->in_flight | (op->result > (int64_t)op->len_bytes)) &&
		    !refuse_returned(d, op))
			continue;
		op->in_flight = 0;
		d->done[returned++] = op;
	}
	d->inflight -= returned;
	/* Before these count: they came home in the slice that is beginning. */
	if (now_ns >= d->slice_end_ns)
		end_slices(d, now_ns);
	if (d->trace)
		trace_reaped(d->trace, begin_ns, now_ns, d->done, returned);
	if (returned > 0)
		d->returned_ns = now_ns;

	uint64_t ops_before = d->workload->tally.ops;
	int rc = d->workload->ops->complete(d->workload, d->done, returned, now_ns);
	if (d->workload->going_count + d->workload->coming_count > 0)
		exchange_descriptors(d);
	if (rc < 0 && interrupt_requested())
		fail(d, interrupt_reason(&why), &why); /* the peer goes down with us */
	else if (rc < 0 && watchdog.has_cut_off)
		fail_cut_off(d, now_ns);
	else if (rc < 0)
		fail(d, rc, &d->workload->failure);
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
static int allocate_batches(struct driver *d)
{
	unsigned depth = d->workload->depth;
	d->offered = malloc(depth * sizeof(struct io_op *));
	d->done = malloc(depth * sizeof(struct io_op *));
	d->window_tally = malloc(sizeof *d->window_tally);
	if (d->open_loop)
		d->workload->due_ns = calloc(depth, sizeof *d->workload->due_ns);
	if (!d->offered || !d->done || !d->window_tally || (d->open_loop && !d->workload->due_ns))
		return reason_no_memory(&d->out->why, "the driver");
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
	uint64_t now_ns = d->integrated_until_ns = clock_ns();
	workload->due = UINT64_MAX;
	workload->schedule =
		(struct schedule) { .begun_ns = now_ns, .rate_per_s = d->config->rate_per_s };
	d->returned_ns = now_ns;
	begin_phase(d, WARM_UP, now_ns, (uint64_t)(d->config->warmup_s * NS_PER_S));
	while (d->phase != OVER) {
		if (now_ns >= d->look_ns || interrupt_requested() || workload->exhausted)
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
	assert(job->workload->first_op && job->workload->op_stride_bytes >= sizeof(struct io_op));
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
		.patience = job->patience ? job->patience : &usual_patience,
	};
	struct sigaction previous_action;
	d.rc = allocate_batches(&d);
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
