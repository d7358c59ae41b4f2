/* SPDX-License-Identifier: MIT */
/*
 * Like the solution, but without lists of what is over: each end has a number, and whoever leaves is
 * looked for, among all before the first watermark.
 */
#include "async_operator.h"

#include <errno.h>
#include <stdlib.h>

enum phase { IN_FLIGHT, PAUSING, OVER, WATERMARK };

/* A place in the queue. */
struct entry {
	struct async_operator *op;
	enum phase phase;
	uint32_t attempt; /* of its ticket: a completion by another one is too late */
	unsigned attempts_left;
	int64_t pause_ns; /* before the next attempt */
	void *record;
	int64_t timestamp; /* of a watermark */
	void **results;
	unsigned result_count;
	uint64_t ended; /* the number of its end, over all records */
	uint64_t deadline_ns;
	struct loop_timer pause;

	struct entry *next, *previous; /* in the queue; `next` also among the free */
	struct entry *later, *sooner; /* among those with a deadline: all have the same timeout */
};

struct async_operator {
	struct operator_config config;
	struct entry *entries;
	void **results;
	struct entry *free;
	unsigned inside;

	struct entry *first, *last;
	uint64_t ends;
	void **emitted; /* results on their way to the sink, when their place is free already */

	struct entry *soonest, *latest;
	struct loop_timer timeout;

	struct loop_deferred flush;
	bool is_refusing; /* put() was refused: `has_room` is owed */
	bool is_finished;
	bool has_ended; /* `failed` or `ended` was called */
	int error;
	void *failed_record;
};

static void flush(struct event_loop *loop, void *context);
static void on_timeout(struct event_loop *loop, void *context);
static void on_pause_over(struct event_loop *loop, void *context);

static int check(const struct operator_config *config, struct reason *why)
{
	if (config->capacity == 0)
		return reason_errno(why, "no_capacity", EINVAL, "the capacity must be positive");
	if (config->timeout_ns < 0)
		return reason_errno(why, "timeout_below_0", EINVAL,
				    "the timeout must not be negative");
	if (config->retry.attempts > 0 && config->timeout_ns == 0)
		return reason_errno(why, "retry_without_timeout", EINVAL,
				    "a retry needs a timeout, and it must be positive");
	if (config->retry.pause_ns < 0 || config->retry.pause_max_ns < 0 ||
	    config->retry.factor < 0)
		return reason_errno(why, "pause_below_0", EINVAL,
				    "a retry's pause and factor must not be negative");
	if (!config->invoke || !config->emit || !config->failed)
		return reason_errno(why, "call_missing", EINVAL,
				    "invoke, emit and failed must be given");
	return 0;
}

static void release(struct async_operator *op)
{
	free(op->entries);
	free(op->results);
	free(op->emitted);
	free(op);
}

int operator_open(struct async_operator **opened, const struct operator_config *config,
		  struct reason *why)
{
	int rc = check(config, why);
	if (rc < 0)
		return rc;
	struct async_operator *op = calloc(1, sizeof *op);
	if (!op)
		return reason_no_memory(why, "the operator");
	op->config = *config;
	if (op->config.results_max == 0)
		op->config.results_max = 1;
	op->entries = calloc(config->capacity, sizeof *op->entries);
	op->results = calloc((size_t)config->capacity * op->config.results_max, sizeof(void *));
	op->emitted = calloc(op->config.results_max, sizeof(void *));
	if (!op->entries || !op->results || !op->emitted) {
		release(op);
		return reason_no_memory(why, "the operator");
	}
	for (unsigned i = config->capacity; i-- > 0;) {
		struct entry *entry = &op->entries[i];
		entry->op = op;
		entry->results = op->results + (size_t)i * op->config.results_max;
		entry->pause = (struct loop_timer) { .call = on_pause_over, .context = entry };
		entry->next = op->free;
		op->free = entry;
	}
	op->flush = (struct loop_deferred) { .call = flush, .context = op };
	op->timeout = (struct loop_timer) { .call = on_timeout, .context = op };
	*opened = op;
	return 0;
}

/* Whatever timers are active would call into an operator that has gone, or has failed. */
static void stop_timers(struct async_operator *op)
{
	event_loop_timer_stop(op->config.loop, &op->timeout);
	for (struct entry *entry = op->first; entry; entry = entry->next)
		event_loop_timer_stop(op->config.loop, &entry->pause);
}

/* Nothing is emitted from now on. */
static void fail(struct async_operator *op, struct entry *entry, int error)
{
	op->error = error;
	op->failed_record = entry->record;
	stop_timers(op);
	event_loop_defer(op->config.loop, &op->flush);
}

void operator_close(struct async_operator *op)
{
	stop_timers(op);
	event_loop_undefer(op->config.loop, &op->flush);
	release(op);
}

unsigned operator_in_flight(const struct async_operator *op)
{
	return op->inside;
}

unsigned operator_capacity_left(const struct async_operator *op)
{
	return op->config.capacity - op->inside;
}

/* Deadlines: the timer is set to the soonest, which is the oldest. */

static void start_timeout(struct async_operator *op, int64_t timeout_ns)
{
	int rc = event_loop_timer_start(op->config.loop, &op->timeout, timeout_ns, 0);
	if (rc < 0)
		fail(op, op->soonest, rc);
}

static void add_deadline(struct async_operator *op, struct entry *entry)
{
	entry->deadline_ns = event_loop_now_ns(op->config.loop) + (uint64_t)op->config.timeout_ns;
	entry->later = NULL;
	entry->sooner = op->latest;
	if (op->latest)
		op->latest->later = entry;
	else
		op->soonest = entry;
	op->latest = entry;
	if (op->soonest == entry)
		start_timeout(op, op->config.timeout_ns);
}

static void remove_deadline(struct async_operator *op, struct entry *entry)
{
	if (entry->deadline_ns == 0)
		return; /* it has none, or no more */
	entry->deadline_ns = 0;
	if (entry->sooner)
		entry->sooner->later = entry->later;
	else
		op->soonest = entry->later;
	if (entry->later)
		entry->later->sooner = entry->sooner;
	else
		op->latest = entry->sooner;
	/* With none left the timer would keep the loop alive. */
	if (!op->soonest)
		event_loop_timer_stop(op->config.loop, &op->timeout);
}

/* In and out of the queue. */

static struct entry *enter(struct async_operator *op, enum phase phase)
{
	struct entry *entry = op->free;
	op->free = entry->next;
	op->inside++;
	entry->phase = phase;
	entry->next = NULL;
	entry->previous = op->last;
	if (op->last)
		op->last->next = entry;
	else
		op->first = entry;
	op->last = entry;
	return entry;
}

static void leave(struct async_operator *op, struct entry *entry)
{
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		op->first = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	else
		op->last = entry->previous;
	entry->next = op->free;
	op->free = entry;
	op->inside--;
}

static int refusal(struct async_operator *op)
{
	if (op->error)
		return op->error;
	if (op->is_finished)
		return -EPIPE;
	if (op->free)
		return 0;
	op->is_refusing = true;
	return -EAGAIN;
}

static struct operator_ticket new_ticket(struct entry *entry)
{
	struct async_operator *op = entry->op;
	entry->attempt++;
	return (struct operator_ticket) { op, (uint32_t)(entry - op->entries), entry->attempt };
}

static void attempt(struct entry *entry)
{
	const struct operator_config *config = &entry->op->config;
	entry->phase = IN_FLIGHT;
	config->invoke(config->context, entry->record, new_ticket(entry));
}

int operator_put(struct async_operator *op, void *record)
{
	int rc = refusal(op);
	if (rc < 0)
		return rc;
	struct entry *entry = enter(op, IN_FLIGHT);
	entry->record = record;
	entry->attempts_left = op->config.retry.attempts;
	entry->pause_ns = op->config.retry.pause_ns;
	if (op->config.timeout_ns > 0)
		add_deadline(op, entry);
	if (!op->error)
		attempt(entry);
	return 0;
}

int operator_put_watermark(struct async_operator *op, int64_t timestamp)
{
	int rc = refusal(op);
	if (rc < 0)
		return rc;
	struct entry *entry = enter(op, WATERMARK);
	entry->timestamp = timestamp;
	event_loop_defer(op->config.loop, &op->flush);
	return 0;
}

/* A record is over. */

static void end_entry(struct entry *entry)
{
	struct async_operator *op = entry->op;
	entry->attempt++; /* a late completion is not of this number */
	remove_deadline(op, entry);
	entry->ended = ++op->ends;
	entry->phase = OVER;
	event_loop_defer(op->config.loop, &op->flush);
}

/* After a pause: the next one. */
static void grow_pause(struct entry *entry)
{
	const struct operator_retry *retry = &entry->op->config.retry;
	double next_ns = (double)entry->pause_ns * (retry->factor > 0 ? retry->factor : 1);
	if (next_ns < (double)(INT64_MAX / 2))
		entry->pause_ns = (int64_t)next_ns;
	if (retry->pause_max_ns > 0 && entry->pause_ns > retry->pause_max_ns)
		entry->pause_ns = retry->pause_max_ns;
}

static void on_pause_over(struct event_loop *loop, void *context)
{
	(void)loop;
	attempt(context);
}

static void pause_before_retry(struct entry *entry)
{
	struct async_operator *op = entry->op;
	int64_t pause_ns = entry->pause_ns;
	grow_pause(entry);
	entry->attempts_left--;
	entry->phase = PAUSING;
	int rc = event_loop_timer_start(op->config.loop, &entry->pause, pause_ns, 0);
	if (rc < 0)
		fail(op, entry, rc);
}

/* NULL for one that is too late. */
static struct entry *entry_of(struct operator_ticket ticket)
{
	struct entry *entry = &ticket.op->entries[ticket.place];
	bool counts =
		entry->phase == IN_FLIGHT && entry->attempt == ticket.attempt && !ticket.op->error;
	return counts ? entry : NULL;
}

bool operator_fail(struct operator_ticket ticket, int error)
{
	struct entry *entry = entry_of(ticket);
	if (!entry)
		return false;
	const struct operator_config *config = &ticket.op->config;
	if (entry->attempts_left > 0 && config->retry.by_error &&
	    config->retry.by_error(config->context, entry->record, error))
		pause_before_retry(entry);
	else
		fail(ticket.op, entry, error);
	return true;
}

bool operator_complete(struct operator_ticket ticket, void *const *results, unsigned count)
{
	struct entry *entry = entry_of(ticket);
	if (!entry)
		return false;
	const struct operator_config *config = &ticket.op->config;
	if (count > config->results_max)
		return operator_fail(ticket, -E2BIG);
	if (entry->attempts_left > 0 && config->retry.by_result &&
	    config->retry.by_result(config->context, entry->record,
				    (struct operator_results) { results, count })) {
		pause_before_retry(entry);
		return true;
	}
	for (unsigned i = 0; i < count; i++)
		entry->results[i] = results[i];
	entry->result_count = count;
	end_entry(entry);
	return true;
}

/* What goes on with a record, an attempt or a pause, is given up. Returns what it may be ended by. */
static struct operator_ticket give_up(struct entry *entry)
{
	event_loop_timer_stop(entry->op->config.loop, &entry->pause);
	entry->phase = IN_FLIGHT;
	return new_ticket(entry);
}

static void time_is_over(struct entry *entry)
{
	struct async_operator *op = entry->op;
	remove_deadline(op, entry);
	struct operator_ticket ticket = give_up(entry);
	entry->attempts_left = 0; /* whatever timed_out() makes of it is final */
	if (op->config.timed_out)
		op->config.timed_out(op->config.context, entry->record, ticket);
	if (entry_of(ticket))
		fail(op, entry, -ETIMEDOUT);
}

static void on_timeout(struct event_loop *loop, void *context)
{
	struct async_operator *op = context;
	uint64_t now_ns = event_loop_now_ns(loop);
	while (op->soonest && op->soonest->deadline_ns <= now_ns && !op->error)
		time_is_over(op->soonest);
	if (op->soonest && !op->error)
		start_timeout(op, (int64_t)(op->soonest->deadline_ns - now_ns));
}

void operator_finish(struct async_operator *op)
{
	if (op->is_finished || op->error)
		return;
	op->is_finished = true;
	for (struct entry *entry = op->first; entry; entry = entry->next) {
		entry->attempts_left = 0;
		if (entry->phase == PAUSING)
			event_loop_timer_start(op->config.loop, &entry->pause, 0, 0);
	}
	event_loop_defer(op->config.loop, &op->flush);
}

/* Out: in the loop's step of deferred calls. */

/* What may leave now, or NULL. */
static struct entry *next_to_leave(const struct async_operator *op)
{
	struct entry *first = op->first;
	if (!first || first->phase == WATERMARK)
		return first;
	if (op->config.is_ordered) {
		return first->phase == OVER ? first : NULL;
	}
	struct entry *oldest = NULL;
	for (struct entry *entry = first; entry && entry->phase != WATERMARK; entry = entry->next)
		if (entry->phase == OVER && (!oldest || entry->ended < oldest->ended))
			oldest = entry;
	return oldest;
}

static void emit(struct async_operator *op, struct entry *entry)
{
	struct operator_results results = { op->emitted, entry->result_count };
	void *record = entry->record;
	for (unsigned i = 0; i < entry->result_count; i++)
		op->emitted[i] = entry->results[i];
	leave(op, entry);
	op->config.emit(op->config.context, record, results);
}

static void emit_watermark(struct async_operator *op, struct entry *watermark)
{
	int64_t timestamp = watermark->timestamp;
	leave(op, watermark);
	if (op->config.emit_watermark)
		op->config.emit_watermark(op->config.context, timestamp);
}

static void tell_failure(struct async_operator *op)
{
	if (op->has_ended)
		return;
	op->has_ended = true;
	op->config.failed(op->config.context, op->failed_record, op->error);
}

static void flush(struct event_loop *loop, void *context)
{
	struct async_operator *op = context;
	struct entry *entry;
	for (unsigned i = 0; i < EVENT_LOOP_BATCH && !op->error && (entry = next_to_leave(op)); i++)
		if (entry->phase == WATERMARK)
			emit_watermark(op, entry);
		else
			emit(op, entry);
	if (op->error) {
		tell_failure(op);
		return;
	}
	if (next_to_leave(op))
		event_loop_defer(loop, &op->flush);
	if (op->is_refusing && op->free) {
		op->is_refusing = false;
		if (op->config.has_room)
			op->config.has_room(op->config.context);
	}
	if (op->is_finished && op->inside == 0 && !op->has_ended) {
		op->has_ended = true;
		if (op->config.ended)
			op->config.ended(op->config.context);
	}
}

void operator_snapshot(const struct async_operator *op,
		       void (*keep_record)(void *context, void *record),
		       void (*keep_watermark)(void *context, int64_t timestamp), void *context)
{
	for (const struct entry *entry = op->first; entry; entry = entry->next)
		if (entry->phase == WATERMARK)
			keep_watermark(context, entry->timestamp);
		else
			keep_record(context, entry->record);
}
