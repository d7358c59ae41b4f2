/* SPDX-License-Identifier: MIT */
#include "run/loop_lateness_run.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/json_put.h"
#include "base/remark.h"
#include "clock.h"
#include "compute.h"
#include "event_loop.h"
#include "histogram.h"
#include "workloads/timed_news.h"

const char *const computing_names[COMPUTING_COUNT] = {
	[COMPUTING_NOTHING] = "nothing",
	[COMPUTING_AT_ONCE] = "at_once",
	[COMPUTING_IN_PIECES] = "in_pieces",
	[COMPUTING_IN_A_THREAD] = "in_a_thread",
};

/* One receive takes all news that came meanwhile, so none is left over at the end. */
#define NEWS_MAX 64u

struct watched_loop;

struct lateness {
	struct histogram histogram;
	uint64_t late;
};

struct watched_timer {
	struct watched_loop *watched;
	struct loop_timer timer;
	uint64_t due_ns;
};

struct watched_receive {
	struct watched_loop *watched;
	unsigned fd_slot;
	uint64_t *news; /* what is received, in the loop's buffers: NEWS_MAX times of sending */
	uint32_t have_bytes;
};

struct watched_loop {
	const struct loop_lateness_task *task;
	struct event_loop *loop;
	struct timed_news news;
	struct watched_timer timers[LOOP_WATCHED];
	struct watched_receive receives[LOOP_WATCHED];
	struct lateness timers_late, receives_late;
	uint64_t begun_ns; /* what was sent before is not counted */
	int error; /* the first; it ends the run */
	struct reason *why;
	struct loop_timer end;

	/* The computing. */
	struct loop_timer begin;
	struct loop_deferred piece;
	uint64_t left_loops; /* of the computation that is under way in pieces */
	struct loop_wakeup has_computed;
	pthread_t thread;
	bool has_thread, is_over;
	sem_t asked; /* the thread sleeps here */
	bool is_computing;
	uint64_t begun_computing_ns, computed_in_ns, computations;
};

static void record_lateness(struct lateness *l, uint64_t late_ns)
{
	histogram_record(&l->histogram, late_ns, 1);
	l->late += late_ns > LOOP_WATCHED_LATE_NS;
}

/* Ends the run. */
static void end_watching(struct watched_loop *w, int error)
{
	if (w->error == 0)
		w->error = error;
	event_loop_stop(w->loop);
}

/* What is watched. */

/* The next beat counts from the last one; those that were slept through count as late. */
static void on_beat(struct event_loop *loop, void *context)
{
	struct watched_timer *t = context;
	uint64_t now_ns = clock_ns();
	for (; t->due_ns <= now_ns; t->due_ns += LOOP_WATCHED_BEAT_NS)
		record_lateness(&t->watched->timers_late, now_ns - t->due_ns);
	event_loop_timer_start(loop, &t->timer, (int64_t)(t->due_ns - event_loop_now_ns(loop)), 0);
}

static void on_news(struct event_loop *loop, void *context, int64_t result);

static void hear_news(struct watched_receive *r)
{
	struct loop_request request = {
		.kind = IO_RECV,
		.fd_slot = r->fd_slot,
		.buf = (char *)r->news + r->have_bytes,
		.len_bytes = NEWS_MAX * (uint32_t)sizeof *r->news - r->have_bytes,
	};
	event_loop_start(r->watched->loop, &request, on_news, r);
}

static void on_news(struct event_loop *loop, void *context, int64_t result)
{
	struct watched_receive *r = context;
	struct watched_loop *w = r->watched;
	(void)loop;
	if (result <= 0) {
		int error = result < 0 ? (int)result : -EPIPE;
		end_watching(w, reason_errno(w->error ? NULL : w->why, "news_not_received", error,
					     "receiving news"));
		return;
	}
	r->have_bytes += (uint32_t)result;
	uint32_t whole = r->have_bytes / (uint32_t)sizeof *r->news;
	for (uint32_t i = 0; i < whole; i++)
		if (r->news[i] >= w->begun_ns)
			record_lateness(&w->receives_late, clock_ns() - r->news[i]);
	r->have_bytes -= whole * (uint32_t)sizeof *r->news;
	memmove(r->news, r->news + whole, r->have_bytes);
	hear_news(r);
}

/* Computing. */

static void end_computing(struct watched_loop *w)
{
	w->computed_in_ns += clock_ns() - w->begun_computing_ns;
	w->computations++;
	w->is_computing = false;
}

static void compute_piece(struct event_loop *loop, void *context)
{
	struct watched_loop *w = context;
	uint64_t loops =
		w->left_loops < w->task->piece_loops ? w->left_loops : w->task->piece_loops;
	compute_loops(loops);
	w->left_loops -= loops;
	if (w->left_loops > 0)
		event_loop_defer(loop, &w->piece);
	else
		end_computing(w);
}

static void on_computed(struct event_loop *loop, void *context)
{
	(void)loop;
	end_computing(context);
}

static void *compute_when_asked(void *context)
{
	struct watched_loop *w = context;
	for (;;) {
		while (sem_wait(&w->asked) < 0) /* EINTR */
			;
		if (__atomic_load_n(&w->is_over, __ATOMIC_ACQUIRE))
			return NULL;
		compute_loops(w->task->computing_loops);
		event_loop_wake(&w->has_computed);
	}
}

/* One that is still under way has the processor for longer than its share: the next is left out. */
static void begin_computing(struct event_loop *loop, void *context)
{
	struct watched_loop *w = context;
	if (w->is_computing)
		return;
	w->is_computing = true;
	w->begun_computing_ns = clock_ns();
	switch (w->task->computing) {
	case COMPUTING_AT_ONCE:
		compute_loops(w->task->computing_loops);
		end_computing(w);
		return;
	case COMPUTING_IN_PIECES:
		w->left_loops = w->task->computing_loops;
		event_loop_defer(loop, &w->piece);
		return;
	default:
		sem_post(&w->asked);
	}
}

/* A run. All return 0, or -errno with the reason. */

static void on_end(struct event_loop *loop, void *context)
{
	(void)context;
	event_loop_stop(loop);
}

static int open_watched_loop(struct watched_loop *w)
{
	struct event_loop_config config = {
		.engine = w->task->engine,
		.options = w->task->engine_options,
		.depth = LOOP_WATCHED,
		.max_fds = LOOP_WATCHED,
		.buffers_len_bytes = LOOP_WATCHED * NEWS_MAX * sizeof(uint64_t),
	};
	int rc = event_loop_open(&w->loop, &config, w->why);
	if (rc == 0)
		rc = event_loop_supports(w->loop, IO_RECV, IO_FD_SOCKET, w->why);
	/* Only the thread wakes the loop, but what cannot be woken is unsupported as a whole. */
	w->has_computed =
		(struct loop_wakeup) { .call = on_computed, .context = w, .background = true };
	if (rc == 0)
		rc = event_loop_wakeup_start(w->loop, &w->has_computed, w->why);
	if (rc < 0)
		return rc;
	rc = timed_news_start(&w->news, LOOP_WATCHED, LOOP_WATCHED_BEAT_NS / LOOP_WATCHED, w->why);
	uint64_t *buffers = event_loop_buffers(w->loop);
	for (unsigned i = 0; i < LOOP_WATCHED && rc >= 0; i++) {
		rc = event_loop_attach(w->loop, w->news.sockets[i], IO_FD_SOCKET, w->why);
		w->receives[i] = (struct watched_receive) {
			.watched = w,
			.fd_slot = (unsigned)rc,
			.news = &buffers[i * NEWS_MAX],
		};
	}
	return rc < 0 ? rc : 0;
}

static int prepare_computing(struct watched_loop *w)
{
	w->begin = (struct loop_timer) { .call = begin_computing, .context = w };
	w->piece = (struct loop_deferred) { .call = compute_piece, .context = w };
	if (w->task->computing != COMPUTING_IN_A_THREAD)
		return 0;
	sem_init(&w->asked, 0, 0);
	int error = pthread_create(&w->thread, NULL, compute_when_asked, w);
	w->has_thread = error == 0;
	return error ? reason_errno(w->why, "computing_thread_not_started", error,
				    "starting a thread")
		     : 0;
}

/* The timers' beats lie evenly in the time between two. */
static void start_watching(struct watched_loop *w)
{
	const int64_t apart_ns = LOOP_WATCHED_BEAT_NS / LOOP_WATCHED;
	int64_t computing_ns = w->task->computing_ns;
	histogram_reset(&w->timers_late.histogram);
	histogram_reset(&w->receives_late.histogram);
	event_loop_update_now(w->loop);
	w->begun_ns = event_loop_now_ns(w->loop);
	for (unsigned i = 0; i < LOOP_WATCHED; i++) {
		struct watched_timer *t = &w->timers[i];
		t->watched = w;
		t->timer = (struct loop_timer) { .call = on_beat, .context = t };
		t->due_ns = w->begun_ns + (uint64_t)((i + 1) * apart_ns);
		event_loop_timer_start(w->loop, &t->timer, (i + 1) * apart_ns, 0);
		hear_news(&w->receives[i]);
	}
	if (w->task->computing != COMPUTING_NOTHING)
		event_loop_timer_start(w->loop, &w->begin, computing_ns,
				       LOOP_COMPUTING_PERIODS * computing_ns);
	w->end = (struct loop_timer) { .call = on_end };
	event_loop_timer_start(w->loop, &w->end, (int64_t)(w->task->runtime_s * NS_PER_S), 0);
}

static void close_watched_loop(struct watched_loop *w)
{
	if (w->has_thread) {
		__atomic_store_n(&w->is_over, true, __ATOMIC_RELEASE);
		sem_post(&w->asked);
		pthread_join(w->thread, NULL);
	}
	if (w->loop)
		event_loop_close(w->loop);
	timed_news_stop(&w->news);
}

static int watch_loop(struct watched_loop *w)
{
	int rc = open_watched_loop(w);
	if (rc == 0)
		rc = prepare_computing(w);
	if (rc == 0) {
		start_watching(w);
		rc = event_loop_run(w->loop, LOOP_RUN);
		if (rc < 0)
			reason_errno(w->why, "loop_failed", rc, "the event loop");
		else
			rc = w->error;
	}
	close_watched_loop(w);
	return rc;
}

static json_t *lateness_json(const struct lateness *l)
{
	const struct histogram *h = &l->histogram;
	json_t *entry = required(json_object());
	put_int(entry, "count", (int64_t)h->count);
	put_real(entry, "p50", histogram_quantile_ns(h, 0.50));
	put_real(entry, "p99", histogram_quantile_ns(h, 0.99));
	put_real(entry, "max", (double)h->max_ns);
	put_real(entry, "late", (double)l->late / (double)h->count);
	return entry;
}

json_t *loop_lateness_run(const void *task)
{
	static struct watched_loop watched; /* in a process of its own */
	struct watched_loop *w = &watched;
	struct reason why = { "" };
	w->task = task;
	w->why = &why;
	/* The default of 50 us would make every wait that much longer: prctl(2). */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	int rc = watch_loop(w);
	if (rc == 0 &&
	    (w->timers_late.histogram.count == 0 || w->receives_late.histogram.count == 0)) {
		reason_set(&why, "nothing_called_back", "no timer, or no receive, was called back");
		rc = -ETIMEDOUT;
	}
	json_t *answer = required(json_object());
	put_string(answer, "status", rc == 0 ? "ok" : rc == -EOPNOTSUPP ? "unsupported" : "error");
	put_new(answer, "reason", rc == 0 ? NULL : remark_of_reason(&why));
	if (rc == 0) {
		put_new(answer, "timers", lateness_json(&w->timers_late));
		put_new(answer, "receives", lateness_json(&w->receives_late));
		put_int(answer, "computations", (int64_t)w->computations);
		put_real(answer, "computed_in_ns",
			 w->computations ? (double)w->computed_in_ns / (double)w->computations : 0);
	}
	return answer;
}
