/* SPDX-License-Identifier: MIT */
#include "run/operator_run.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "async_operator.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "clock.h"
#include "event_loop.h"
#include "histogram.h"
#include "meters/cpu_time.h"
#include "random.h"
#include "workloads/timed_answers.h"

#define HEARD_BYTES	    (64u << 10)
#define TRACED_ATTEMPTS_MAX 4u
#define PARETO_SHAPE	    1.5
#define PARETO_LIMIT	    100.0

const char *const emission_names[EMISSION_COUNT] = {
	[EMIT_ORDERED] = "ordered",
	[EMIT_UNORDERED] = "unordered",
	[EMIT_SYNCHRONOUS] = "synchronous",
};

const char *const answer_times_names[ANSWER_TIMES_COUNT] = {
	[ANSWERS_CONSTANT] = "constant",
	[ANSWERS_EXPONENTIAL] = "exponential",
	[ANSWERS_HEAVY_TAILED] = "heavy_tailed",
};

/* Every time in the life of a record. 0: not yet. */
struct traced_record {
	uint64_t put_ns, timed_out_ns, emitted_ns;
	unsigned attempt_count;
	struct {
		uint64_t asked_ns, heard_ns;
		bool failed;
	} attempts[TRACED_ATTEMPTS_MAX]; /* later ones leave no trace */
};

struct record {
	struct traced_record *traced; /* NULL for most */
	uint64_t put_ns;
	uint64_t answer_ns; /* what its answer takes, with all attempts and pauses */
	struct record *next; /* free ones */
};

/* What is counted, while the window is open. */
struct window_tally {
	bool is_open;
	uint64_t begun_ns, ended_ns;
	uint64_t cpu_begun_ns, cpu_ended_ns;
	uint64_t records, retried, timed_out;
	struct histogram latency, answers;
};

/* Questions on their way: one half is filled while the other one is sent. */
struct outbox {
	struct timed_question *halves[2]; /* in the loop's buffers */
	unsigned filling; /* which one */
	unsigned count, max; /* in the half that is being filled */
	bool is_sending;
	size_t sent_bytes, len_bytes; /* of the other one */
};

struct stage {
	const struct operator_task *task;
	struct timed_answers service;
	struct random_stream random;
	struct window_tally tally;
	struct traced_record traced[OPERATOR_TRACED_MAX];
	unsigned traced_count;
	int error; /* the first; it ends the run */
	struct reason *why;

	struct event_loop *loop;
	struct async_operator *op;
	unsigned ask_slot, hear_slot; /* of the service's descriptors, in the loop */
	struct record *records, *free;
	struct record **in_place; /* [place in the operator]: the record whose ticket it is */
	struct outbox outbox;
	struct loop_deferred flush;
	struct timed_answer *heard;
	size_t heard_bytes;
	struct loop_timer window; /* its beginning, then its end */
};

static void tally_open(struct window_tally *t)
{
	histogram_reset(&t->latency);
	histogram_reset(&t->answers);
	t->cpu_begun_ns = process_cpu_ns();
	t->begun_ns = clock_ns();
	t->is_open = true;
}

static void tally_close(struct window_tally *t)
{
	t->is_open = false;
	t->ended_ns = clock_ns();
	t->cpu_ended_ns = process_cpu_ns();
}

static void tally_record(struct window_tally *t, const struct record *record)
{
	if (!t->is_open)
		return;
	t->records++;
	histogram_record(&t->latency, clock_ns() - record->put_ns, 1);
	histogram_record(&t->answers, record->answer_ns, 1);
}

/* The trace: of the first records that come within the window. */

static void trace_put(struct stage *s, struct record *record)
{
	record->traced = NULL;
	if (!s->tally.is_open || s->traced_count == s->task->traced_records)
		return;
	record->traced = &s->traced[s->traced_count++];
	*record->traced = (struct traced_record) { .put_ns = record->put_ns };
}

static void trace_asked(const struct record *record)
{
	struct traced_record *traced = record->traced;
	if (traced && traced->attempt_count < TRACED_ATTEMPTS_MAX)
		traced->attempts[traced->attempt_count++].asked_ns = clock_ns();
}

static void trace_heard(const struct record *record, bool failed)
{
	struct traced_record *traced = record->traced;
	if (!traced || traced->attempts[traced->attempt_count - 1].heard_ns)
		return;
	traced->attempts[traced->attempt_count - 1].heard_ns = clock_ns();
	traced->attempts[traced->attempt_count - 1].failed = failed;
}

static void trace_timed_out(const struct record *record)
{
	if (record->traced)
		record->traced->timed_out_ns = clock_ns();
}

static void trace_emitted(const struct record *record)
{
	if (record->traced)
		record->traced->emitted_ns = clock_ns();
}

/* Above 0 and below 1. */
static double draw_share(struct random_stream *random)
{
	return ((double)(random_next(random) >> 11) + 0.5) * 0x1p-53;
}

/* An inverse distribution function each; the mean is `answer_ns`. */
static uint64_t draw_answer_ns(struct stage *s)
{
	double mean_ns = s->task->answer_ns, share = draw_share(&s->random), drawn_ns = mean_ns;
	if (s->task->answer_times == ANSWERS_EXPONENTIAL)
		drawn_ns = -mean_ns * log(share);
	else if (s->task->answer_times == ANSWERS_HEAVY_TAILED)
		drawn_ns = fmin(mean_ns * (PARETO_SHAPE - 1) / PARETO_SHAPE *
					pow(share, -1 / PARETO_SHAPE),
				PARETO_LIMIT * mean_ns);
	return (uint64_t)drawn_ns;
}

/* Where the cause goes; NULL after the first one, which counts. */
static struct reason *cause(const struct stage *s)
{
	return s->error ? NULL : s->why;
}

/* Ends the run. */
static void end_early(struct stage *s, int error)
{
	if (s->error == 0)
		s->error = error;
	event_loop_stop(s->loop);
}

/* Asking. */

static void begin_sending(struct stage *s);

static void on_sent(struct event_loop *loop, void *context, int64_t result)
{
	struct stage *s = context;
	struct outbox *out = &s->outbox;
	(void)loop;
	if (result < 0) {
		end_early(s, reason_errno(cause(s), "question_not_sent", (int)result,
					  "sending questions"));
		return;
	}
	out->sent_bytes += (size_t)result;
	out->is_sending = false;
	if (out->sent_bytes < out->len_bytes || out->count > 0)
		begin_sending(s);
}

/* Sends the rest of the half under way, or else the one that was filled meanwhile. */
static void begin_sending(struct stage *s)
{
	struct outbox *out = &s->outbox;
	if (out->sent_bytes == out->len_bytes) {
		out->len_bytes = out->count * sizeof(struct timed_question);
		out->sent_bytes = 0;
		out->filling = !out->filling;
		out->count = 0;
	}
	struct loop_request request = {
		.kind = IO_SEND,
		.fd_slot = s->ask_slot,
		.buf = (char *)out->halves[!out->filling] + out->sent_bytes,
		.len_bytes = (uint32_t)(out->len_bytes - out->sent_bytes),
	};
	out->is_sending = event_loop_start(s->loop, &request, on_sent, s);
}

/* Once a turn: so the questions of a turn go out together. */
static void on_flush(struct event_loop *loop, void *context)
{
	struct stage *s = context;
	(void)loop;
	if (!s->outbox.is_sending && s->outbox.count > 0)
		begin_sending(s);
}

static void invoke(void *context, void *item, struct operator_ticket ticket)
{
	struct stage *s = context;
	struct record *record = item;
	struct outbox *out = &s->outbox;
	double share = draw_share(&s->random);
	s->in_place[ticket.place] = record;
	trace_asked(record);
	bool is_lost = share < s->task->lost_share;
	bool fails = !is_lost && share < s->task->lost_share + s->task->failing_share;
	uint64_t answer_ns = draw_answer_ns(s);
	if (is_lost)
		return; /* as far as anybody can see, it was asked */
	record->answer_ns += answer_ns;
	if (out->count == out->max) {
		end_early(s, reason_errno(cause(s), "service_not_reading", ENOBUFS,
					  "the answering service does not read"));
		return;
	}
	/* An answer brings the ticket back, and whether it is an error. */
	uint64_t number = (uint64_t)fails << 63 | (uint64_t)ticket.attempt << 31 | ticket.place;
	out->halves[out->filling][out->count++] = (struct timed_question) { number, answer_ns };
	event_loop_defer(s->loop, &s->flush);
}

/* Hearing. */

static void take_answer(struct stage *s, const struct timed_answer *answer)
{
	uint64_t number = answer->number;
	struct operator_ticket ticket = {
		.op = s->op,
		.place = (uint32_t)(number & INT32_MAX),
		.attempt = (uint32_t)(number >> 31),
	};
	if (answer->value != timed_value(number))
		end_early(s, reason_errno(cause(s), "answer_differs", EIO,
					  "an answer is not that of its question"));
	else if (number >> 63)
		operator_fail(ticket, EIO);
	else if (operator_complete(ticket, (void *[]) { s }, 1))
		trace_heard(s->in_place[ticket.place], false);
}

static void listen_again(struct stage *s);

static void on_heard(struct event_loop *loop, void *context, int64_t result)
{
	struct stage *s = context;
	(void)loop;
	if (result <= 0) {
		end_early(s, reason_errno(cause(s), "answer_not_received",
					  result < 0 ? (int)result : EPIPE, "receiving answers"));
		return;
	}
	s->heard_bytes += (size_t)result;
	size_t whole = s->heard_bytes / sizeof *s->heard;
	for (size_t i = 0; i < whole && s->error == 0; i++)
		take_answer(s, &s->heard[i]);
	s->heard_bytes -= whole * sizeof *s->heard;
	memmove(s->heard, s->heard + whole, s->heard_bytes);
	listen_again(s);
}

static void listen_again(struct stage *s)
{
	struct loop_request request = {
		.kind = IO_RECV,
		.fd_slot = s->hear_slot,
		.buf = (char *)s->heard + s->heard_bytes,
		.len_bytes = (uint32_t)(HEARD_BYTES - s->heard_bytes),
	};
	event_loop_start(s->loop, &request, on_heard, s);
}

/* Source and sink. */

static void fill_operator(void *context)
{
	struct stage *s = context;
	while (s->free && s->error == 0) {
		struct record *record = s->free;
		record->put_ns = clock_ns();
		record->answer_ns = 0;
		trace_put(s, record);
		if (operator_put(s->op, record) < 0) {
			s->traced_count -= record->traced != NULL;
			return; /* it is full, and calls again */
		}
		s->free = record->next;
	}
}

static void emit(void *context, void *item, struct operator_results results)
{
	struct stage *s = context;
	struct record *record = item;
	(void)results;
	tally_record(&s->tally, record);
	trace_emitted(record);
	record->next = s->free;
	s->free = record;
}

static void timed_out(void *context, void *item, struct operator_ticket ticket)
{
	struct stage *s = context;
	struct record *record = item;
	record->answer_ns = (uint64_t)s->task->timeout_ns;
	trace_timed_out(record);
	s->tally.timed_out += s->tally.is_open;
	operator_complete(ticket, NULL, 0);
}

static bool tries_again(void *context, void *item, int error)
{
	struct stage *s = context;
	struct record *record = item;
	(void)error;
	record->answer_ns += (uint64_t)s->task->pause_ns;
	trace_heard(record, true);
	s->tally.retried += s->tally.is_open;
	return true;
}

static void failed(void *context, void *record, int error)
{
	struct stage *s = context;
	(void)record;
	end_early(s, reason_errno(cause(s), "record_failed", error, "a record failed"));
}

/* A run. */

static void on_window(struct event_loop *loop, void *context)
{
	struct stage *s = context;
	if (!s->tally.is_open) {
		tally_open(&s->tally);
		event_loop_timer_start(loop, &s->window, (int64_t)(s->task->runtime_s * NS_PER_S),
				       0);
		return;
	}
	tally_close(&s->tally);
	event_loop_stop(loop);
}

/* All return 0, or -errno with the reason. */

static int attach(struct stage *s, int fd, unsigned *fd_slot)
{
	int slot = event_loop_attach(s->loop, fd, IO_FD_SOCKET, s->why);
	if (slot < 0)
		return slot;
	*fd_slot = (unsigned)slot;
	return 0;
}

/* The loop, and what it sends and receives through. */
static int open_stage_loop(struct stage *s)
{
	const struct operator_task *task = s->task;
	/* As many questions as there are places, and those of attempts that nobody waits for. */
	s->outbox.max = 2 * task->capacity + 64;
	size_t half_bytes = s->outbox.max * sizeof(struct timed_question);
	struct event_loop_config loop_config = {
		.engine = task->engine,
		.options = task->engine_options,
		.depth = 2,
		.max_fds = 2,
		.buffers_len_bytes = HEARD_BYTES + 2 * half_bytes,
	};
	if (task->engine->traits & IO_BLOCKS_IN_SUBMIT) {
		reason_set(s->why, "sleeps_in_submit",
			   "its submit() sleeps until an answer is there, so nothing can be asked "
			   "meanwhile");
		return -EOPNOTSUPP;
	}
	int rc = timed_answers_start(&s->service, s->outbox.max, s->why);
	if (rc == 0)
		rc = event_loop_open(&s->loop, &loop_config, s->why);
	for (int kind = 0; kind < 2 && rc == 0; kind++)
		rc = event_loop_supports(s->loop, kind ? IO_SEND : IO_RECV, IO_FD_SOCKET, s->why);
	if (rc == 0)
		rc = attach(s, s->service.ask_fd, &s->ask_slot);
	if (rc == 0)
		rc = attach(s, s->service.hear_fd, &s->hear_slot);
	if (rc < 0)
		return rc;
	char *buffers = event_loop_buffers(s->loop);
	s->heard = (struct timed_answer *)buffers;
	for (unsigned half = 0; half < 2; half++)
		s->outbox.halves[half] =
			(struct timed_question *)(buffers + HEARD_BYTES + half * half_bytes);
	return 0;
}

static int open_stage_operator(struct stage *s)
{
	const struct operator_task *task = s->task;
	/* One more than there are places: only a put() that is refused is called again. */
	s->records = calloc(task->capacity + 1, sizeof *s->records);
	s->in_place = calloc(task->capacity, sizeof(struct record *));
	if (!s->records || !s->in_place)
		return reason_no_memory(s->why, "records");
	for (unsigned i = 0; i <= task->capacity; i++) {
		s->records[i].next = s->free;
		s->free = &s->records[i];
	}
	struct operator_config config = {
		.loop = s->loop,
		.is_ordered = task->emission == EMIT_ORDERED,
		.capacity = task->capacity,
		.timeout_ns = task->timeout_ns,
		.context = s,
		.invoke = invoke,
		.timed_out = timed_out,
		.emit = emit,
		.has_room = fill_operator,
		.failed = failed,
	};
	if (task->failing_share > 0)
		config.retry = (struct operator_retry) {
			.attempts = UINT32_MAX,
			.by_error = tries_again,
			.pause_ns = task->pause_ns,
		};
	return operator_open(&s->op, &config, s->why);
}

static int run_operator(struct stage *s)
{
	int rc = open_stage_loop(s);
	if (rc == 0)
		rc = open_stage_operator(s);
	if (rc == 0) {
		s->flush = (struct loop_deferred) { .call = on_flush, .context = s };
		s->window = (struct loop_timer) { .call = on_window, .context = s };
		event_loop_timer_start(s->loop, &s->window, (int64_t)(s->task->warmup_s * NS_PER_S),
				       0);
		listen_again(s);
		fill_operator(s);
		rc = event_loop_run(s->loop, LOOP_RUN);
		if (rc < 0)
			reason_errno(s->why, "loop_failed", rc, "the event loop");
		else
			rc = s->error;
	}
	if (s->op)
		operator_close(s->op);
	if (s->loop)
		event_loop_close(s->loop);
	/* After the loop: a receive in flight keeps the socket open, and the service with it. */
	timed_answers_stop(&s->service);
	free(s->records);
	free(s->in_place);
	return rc;
}

/* Both move all of it. Return 0 or -errno. */

static int ask(int fd, const struct timed_question *question)
{
	ssize_t n = send(fd, question, sizeof *question, MSG_NOSIGNAL);
	return n == sizeof *question ? 0 : n < 0 ? -errno : -EIO;
}

static int hear(int fd, struct timed_answer *answer)
{
	ssize_t n = recv(fd, answer, sizeof *answer, MSG_WAITALL);
	return n == sizeof *answer ? 0 : n < 0 ? -errno : -EPIPE;
}

static void sleep_ns(int64_t pause_ns)
{
	struct timespec pause = timespec_of_ns(pause_ns);
	nanosleep(&pause, NULL);
}

static int do_one_attempt(struct stage *s, struct record *record)
{
	struct timed_question question = { .delay_ns = draw_answer_ns(s) };
	struct timed_answer answer;
	trace_asked(record);
	int rc = ask(s->service.ask_fd, &question);
	if (rc == 0)
		rc = hear(s->service.hear_fd, &answer);
	record->answer_ns += question.delay_ns;
	return rc < 0 ? reason_errno(s->why, "answer_not_received", rc, "receiving answers") : 0;
}

/* As many attempts as it takes. One that is lost takes the whole time that a record may have. */
static int do_one_record(struct stage *s)
{
	const struct operator_task *task = s->task;
	struct record record = { .put_ns = clock_ns() };
	double share;
	trace_put(s, &record);
	while ((share = draw_share(&s->random)) >= task->lost_share) {
		int rc = do_one_attempt(s, &record);
		if (rc < 0)
			return rc;
		bool failed = share < task->lost_share + task->failing_share;
		trace_heard(&record, failed);
		if (!failed)
			break;
		sleep_ns(task->pause_ns);
		record.answer_ns += (uint64_t)task->pause_ns;
		s->tally.retried += s->tally.is_open;
	}
	if (share < task->lost_share) {
		trace_asked(&record);
		sleep_ns(task->timeout_ns - (int64_t)(clock_ns() - record.put_ns));
		record.answer_ns = (uint64_t)task->timeout_ns;
		trace_timed_out(&record);
		s->tally.timed_out += s->tally.is_open;
	}
	trace_emitted(&record);
	tally_record(&s->tally, &record);
	return 0;
}

static int run_synchronously(struct stage *s)
{
	uint64_t warm_ns = clock_ns() + (uint64_t)(s->task->warmup_s * NS_PER_S);
	uint64_t end_ns = warm_ns + (uint64_t)(s->task->runtime_s * NS_PER_S);
	int rc = timed_answers_start(&s->service, 1, s->why);
	while (rc == 0 && clock_ns() < warm_ns)
		rc = do_one_record(s);
	tally_open(&s->tally);
	while (rc == 0 && clock_ns() < end_ns)
		rc = do_one_record(s);
	tally_close(&s->tally);
	timed_answers_stop(&s->service);
	return rc;
}

static json_t *times_json(const struct histogram *h)
{
	json_t *times = required(json_object());
	put_real(times, "mean", (double)h->sum_ns / (double)h->count);
	put_real(times, "p50", histogram_quantile_ns(h, 0.50));
	put_real(times, "p99", histogram_quantile_ns(h, 0.99));
	return times;
}

/* null for a time that never came. */
static json_t *time_json(uint64_t time_ns, uint64_t begun_ns)
{
	return time_ns ? json_integer((json_int_t)(time_ns - begun_ns)) : json_null();
}

static json_t *traced_json(const struct traced_record *traced, uint64_t begun_ns)
{
	json_t *entry = required(json_array()), *attempts = required(json_array());
	for (unsigned i = 0; i < traced->attempt_count; i++) {
		json_t *attempt = required(json_array());
		json_array_append_new(attempt, time_json(traced->attempts[i].asked_ns, begun_ns));
		json_array_append_new(attempt, time_json(traced->attempts[i].heard_ns, begun_ns));
		json_array_append_new(attempt, json_boolean(traced->attempts[i].failed));
		json_array_append_new(attempts, attempt);
	}
	json_array_append_new(entry, time_json(traced->put_ns, begun_ns));
	json_array_append_new(entry, time_json(traced->timed_out_ns, begun_ns));
	json_array_append_new(entry, time_json(traced->emitted_ns, begun_ns));
	json_array_append_new(entry, attempts);
	return entry;
}

/* Of those that were emitted, in the order in which they came. */
static json_t *traced_records_json(const struct stage *s)
{
	json_t *trace = required(json_array());
	for (unsigned i = 0; i < s->traced_count; i++)
		if (s->traced[i].emitted_ns)
			json_array_append_new(trace, traced_json(&s->traced[i], s->tally.begun_ns));
	return trace;
}

static json_t *tally_json(const struct window_tally *t)
{
	json_t *answer = required(json_object());
	put_string(answer, "status", "ok");
	put_int(answer, "records", (int64_t)t->records);
	put_int(answer, "retried", (int64_t)t->retried);
	put_int(answer, "timed_out", (int64_t)t->timed_out);
	put_real(answer, "records_per_s",
		 (double)t->records * NS_PER_S / (double)(t->ended_ns - t->begun_ns));
	put_real(answer, "cpu_ns",
		 (double)(t->cpu_ended_ns - t->cpu_begun_ns) / (double)t->records);
	put_new(answer, "latency_ns", times_json(&t->latency));
	put_new(answer, "answer_ns", times_json(&t->answers));
	return answer;
}

json_t *operator_run(const void *task)
{
	struct reason why = { "" };
	static struct stage stage; /* in a process of its own */
	struct stage *s = &stage;
	s->task = task;
	s->why = &why;
	s->random.state = s->task->seed;
	s->service.ask_fd = s->service.hear_fd = -1;
	/* The default of 50 us would make every wait that much longer: prctl(2). */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	int rc = s->task->emission == EMIT_SYNCHRONOUS ? run_synchronously(s) : run_operator(s);
	if (rc == 0 && s->tally.records == 0) {
		reason_set(&why, "no_record_left", "no record left the operator in the window");
		rc = -ETIMEDOUT;
	}
	json_t *answer = rc == 0 ? tally_json(&s->tally) : required(json_object());
	if (rc == 0) {
		put_new(answer, "trace", traced_records_json(s));
	} else {
		put_string(answer, "status", rc == -EOPNOTSUPP ? "unsupported" : "error");
		put_new(answer, "reason", remark_of_reason(&why));
	}
	return answer;
}
