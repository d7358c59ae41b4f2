/* SPDX-License-Identifier: MIT */
/*
 * pipe: tokens passed round a ring of pipes. Station i reads from pipe i and writes what came to the
 * next one. All stations wait, and each token wakes one of them: what does that cost?
 *
 * One operation belongs to each station: it reads, writes, and reads again. A hop is counted when
 * the token arrives, and its latency is the time since it arrived at the station before.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/size_text.h"
#include "base/whole_number.h"
#include "clock.h"
#include "op_queue.h"
#include "random.h"
#include "workloads/panel.h"
#include "workloads/workload.h"

struct workload_settings {
	unsigned pipes;
	unsigned tokens; /* going round at the same time */
	uint32_t msg_size_bytes; /* at most PIPE_BUF: a token never comes in pieces */
};

struct token {
	struct token *next; /* in the same pipe, behind this one */
	uint64_t arrived_ns; /* at the last station */
};

struct station {
	_Alignas(64) struct io_op op; /* a cache line, as everywhere */
	struct token *token; /* it is here, and about to be passed on; NULL: there is none */
	struct token *first, **end; /* tokens in the pipe that this station reads */
	uint64_t received, sent; /* messages, since the beginning */
	bool home; /* the operation is here: neither the driver nor the engine has it */
};

struct pipe_workload {
	struct workload base;
	const struct workload_settings *settings;
	struct station *stations; /* [pipe] */
	struct token *tokens; /* [settings->tokens] */
	struct op_queue ready;
	uint64_t seed;
	bool verify;
	bool begun;
	uint64_t proven_hops, hops; /* --verify: of all hops, how many were compared */
};

static const struct option_row pipe_options[] = {
	{ .name = "pipes",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .least = 2,
	  .most = 8192,
	  OPTION_SETTING(pipes),
	  .usual = "16",
	  .help = "pipes in the ring" },
	{ .name = "tokens",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .least = 1,
	  .most = 8192,
	  OPTION_SETTING(tokens),
	  .usual = "1",
	  .help = "tokens that go round at the same time" },
	{ .name = "msg-size",
	  .argument = "SIZE",
	  .kind = OPTION_BYTES,
	  .least = 1,
	  .most = PIPE_BUF,
	  OPTION_SETTING(msg_size_bytes),
	  .usual = "64",
	  .help = "bytes of a token" },
	{ .name = "verify",
	  .kind = OPTION_FLAG,
	  OPTION_FIELD(struct run_config, verify),
	  .help = "compare every byte of every token that arrives" },
	{ .name = "depth",
	  .kind = OPTION_REFUSED,
	  .help = "each pipe has one operation in flight; use --pipes" },
	{ 0 },
};

static const struct parameter_row pipe_parameter_rows[] = {
	{ "pipes", "count", .option = "pipes" },
	{ "tokens", "count", .option = "tokens" },
	{ "msg_size_bytes", "count", .option = "msg-size", .moved_by_op = true },
	{ 0 },
};

static const struct sweep_axis axis_pipes = {
	.option = "pipes",
	.list_option = "pipes",
	.list_help = "pipes in the ring",
	.label = "pipes in the ring",
	.unit = "pipe",
};

static struct pipe_workload *pipe_of(struct workload *workload)
{
	return (struct pipe_workload *)workload;
}

static int pipe_settle(struct run_config *config, const struct typed_options *typed,
		       struct reason *why)
{
	const struct workload_settings *s = config->settings;
	(void)typed;
	config->depth = s->pipes;
	if (s->tokens > s->pipes)
		reason_say(why, "--tokens %u: there are only %u pipes (--pipes)", s->tokens,
			   s->pipes);
	else if (config->verify && s->msg_size_bytes % 8)
		reason_say(why, "--verify: --msg-size %u must be a multiple of 8",
			   s->msg_size_bytes);
	else if (config->op_limit)
		reason_say(why, "--ops: pipe is measured for a time; use --runtime");
	else if (config->rate_per_s)
		reason_say(why, "--rate: a token is passed on when it arrives; leave it out");
	else
		return 0;
	return -EINVAL;
}

static void pipe_needs(const struct run_config *config, struct workload_needs *needs)
{
	(void)config;
	workload_need(needs, IO_READ, IO_FD_PIPE);
	workload_need(needs, IO_WRITE, IO_FD_PIPE);
	workload_refuse(
		needs, IO_BLOCKS_IN_SUBMIT, "would_wait_for_ever",
		"one thread that blocks would wait for ever on the first silent descriptor");
	workload_refuse(needs, IO_MOVES_NO_BYTES, "passes_no_token",
			"an engine that moves no bytes passes no token");
}

/* Message `number` through `pipe` has words of its own, so a lost or doubled one shows, too. */
static uint64_t token_word(const struct pipe_workload *w, unsigned pipe, uint64_t number,
			   unsigned word)
{
	return mix64(w->seed + mix64(((uint64_t)pipe << 40) + number) + word);
}

static void prepare_read(struct pipe_workload *w, struct station *s)
{
	s->op.kind = IO_READ;
	s->op.continues = 0;
	s->op.fd_slot = 2 * s->op.slot;
	s->op.fd = w->base.fds[s->op.fd_slot].fd;
	s->op.buf = (char *)w->base.arena + s->op.slot * (w->base.arena_len_bytes / w->base.depth);
	s->op.len_bytes = w->settings->msg_size_bytes;
	s->op.offset = IO_NO_OFFSET;
}

/* What this station has goes into the next pipe. */
static void prepare_write(struct pipe_workload *w, struct station *s)
{
	unsigned next = (s->op.slot + 1) % w->base.depth;
	prepare_read(w, s);
	s->op.kind = IO_WRITE;
	s->op.fd_slot = 2 * next + 1;
	s->op.fd = w->base.fds[s->op.fd_slot].fd;
	uint64_t *words = s->op.buf;
	for (unsigned i = 0; w->verify && i < s->op.len_bytes / 8; i++)
		words[i] = token_word(w, next, s->sent, i);
	s->sent++;
}

static void pipe_close(struct workload *workload)
{
	struct pipe_workload *w = pipe_of(workload);
	for (unsigned i = 0; i < w->base.fd_count; i++)
		close(w->base.fds[i].fd);
	if (w->base.arena)
		munmap(w->base.arena, w->base.arena_len_bytes);
	free(w->base.fds);
	free(w->stations);
	free(w->tokens);
	free(w);
}

/* Descriptor 2 * i reads from pipe i, and the one after it writes to it. */
static int open_pipes(struct pipe_workload *w, struct reason *why)
{
	unsigned pipes = w->settings->pipes;
	int rc = workload_raise_fd_limit("--pipes", pipes, 2 * pipes, why);
	for (unsigned i = 0; rc == 0 && i < pipes; i++) {
		int ends[2];
		if (pipe2(ends, O_CLOEXEC) < 0)
			return reason_errno(why, "pipe_not_made", errno, "pipe {pipe} of {pipes}",
					    reason_int("pipe", i + 1), reason_int("pipes", pipes));
		for (unsigned end = 0; end < 2; end++)
			w->base.fds[w->base.fd_count++] =
				(struct workload_fd) { ends[end], IO_FD_PIPE };
	}
	return rc;
}

static int allocate_ring(struct pipe_workload *w, struct reason *why)
{
	unsigned pipes = w->settings->pipes;
	w->base.fds = calloc(2 * pipes, sizeof *w->base.fds);
	w->stations = aligned_alloc(64, pipes * sizeof *w->stations);
	w->tokens = calloc(w->settings->tokens, sizeof *w->tokens);
	if (!w->base.fds || !w->stations || !w->tokens)
		return reason_no_memory(why, "pipes");
	memset(w->stations, 0, pipes * sizeof *w->stations);
	return workload_arena_alloc(&w->base, pipes, w->settings->msg_size_bytes, why);
}

static int pipe_open(struct workload **workload, const struct run_config *config,
		     struct reason *why)
{
	struct pipe_workload *w = calloc(1, sizeof *w);
	if (!w)
		return reason_no_memory(why, "the pipe workload");
	w->base.ops = config->workload;
	w->base.depth = config->depth;
	w->settings = config->settings;
	w->seed = config->seed;
	w->verify = config->verify;
	op_queue_init(&w->ready);
	int rc = allocate_ring(w, why);
	if (rc == 0)
		rc = open_pipes(w, why);
	if (rc < 0) {
		pipe_close(&w->base);
		return rc;
	}
	for (unsigned i = 0; i < w->base.depth; i++) {
		struct station *s = &w->stations[i];
		s->op.slot = i;
		s->end = &s->first;
		s->home = true;
		s->token = i < w->settings->tokens ? &w->tokens[i] : NULL;
		if (s->token)
			prepare_write(w, s);
		else
			prepare_read(w, s);
		op_queue_push(&w->ready, &s->op);
	}
	w->base.first_op = &w->stations->op;
	w->base.op_stride_bytes = sizeof *w->stations;
	*workload = &w->base;
	return 0;
}

static void put_into_pipe(struct station *reader, struct token *token)
{
	token->next = NULL;
	*reader->end = token;
	reader->end = &token->next;
}

static struct token *take_from_pipe(struct station *reader)
{
	struct token *token = reader->first;
	reader->first = token->next;
	if (!reader->first)
		reader->end = &reader->first;
	return token;
}

static unsigned pipe_fill(struct workload *workload, struct io_op **ops, unsigned max)
{
	struct pipe_workload *w = pipe_of(workload);
	unsigned count = op_queue_take(&w->ready, ops, max);
	for (unsigned i = 0; !w->begun && i < w->settings->tokens; i++)
		w->tokens[i].arrived_ns = clock_ns();
	w->begun = true;
	for (unsigned i = 0; i < count; i++) {
		struct station *s = &w->stations[ops[i]->slot];
		s->home = false;
		if (ops[i]->kind != IO_WRITE || ops[i]->continues)
			continue;
		/* Now and not when the write returns: the read may return first. */
		put_into_pipe(&w->stations[(ops[i]->slot + 1) % w->base.depth], s->token);
		s->token = NULL;
		workload_begin(&w->base, &ops[i], 1);
	}
	return count;
}

static int verify_token(struct pipe_workload *w, const struct station *s)
{
	unsigned pipe = s->op.slot;
	const uint64_t *words =
		(const uint64_t *)((const char *)w->base.arena +
				   pipe * (w->base.arena_len_bytes / w->base.depth));
	for (unsigned i = 0; i < w->settings->msg_size_bytes / 8; i++) {
		if (words[i] == token_word(w, pipe, s->received, i))
			continue;
		reason_set(&w->base.failure, "message_differs",
			   "verify: message {message} through pipe {pipe} differs at byte {byte}",
			   reason_int("message", (int64_t)s->received), reason_int("pipe", pipe),
			   reason_int("byte", 8 * i));
		return -EILSEQ;
	}
	return 0;
}

/* A whole token came. Returns 0, or -EILSEQ where it is not the one that was sent. */
static int arrive(struct pipe_workload *w, struct station *s, uint64_t now_ns)
{
	struct tally *tally = &w->base.tally;
	if (!s->first) {
		reason_set(&w->base.failure, "unsent_token",
			   "a token came out of pipe {pipe} that nobody had sent",
			   reason_int("pipe", s->op.slot));
		return -EILSEQ;
	}
	int rc = w->verify ? verify_token(w, s) : 0;
	w->hops++;
	w->proven_hops += w->verify && rc == 0;
	s->received++;
	s->token = take_from_pipe(s);
	tally->ops++;
	tally->bytes += w->settings->msg_size_bytes;
	histogram_record(&tally->latency, now_ns - s->token->arrived_ns, 1);
	s->token->arrived_ns = now_ns;
	return rc;
}

static int fail_at_station(struct pipe_workload *w, const struct io_op *op)
{
	int error = op->result < 0 ? (int)op->result : -EPIPE;
	return reason_errno(&w->base.failure, "operation_failed", error,
			    "{operation} at {place} {position}",
			    reason_string("operation", op->kind == IO_READ ? "read" : "write"),
			    reason_string("place", "station"), reason_int("position", op->slot));
}

/* After a failure nobody reads this pipe any more: makes room for a write that is on its way. */
static void drain(struct pipe_workload *w, const struct station *s)
{
	char unwanted[PIPE_BUF];
	struct pollfd readable = { .fd = w->base.fds[2 * s->op.slot].fd, .events = POLLIN };
	while (poll(&readable, 1, 0) > 0 && (readable.revents & POLLIN))
		if (read(readable.fd, unwanted, sizeof unwanted) <= 0 && errno != EINTR)
			break;
}

/*
 * The run is over: tokens that are on their way arrive, and stay where they are then. So this
 * station begins nothing but a read of what must come, and ends what it began.
 */
static bool must_go_on(const struct station *s)
{
	return s->op.continues || (s->op.kind == IO_READ && s->first);
}

static int pipe_complete(struct workload *workload, struct io_op *const *ops, unsigned count,
			 uint64_t now_ns)
{
	struct pipe_workload *w = pipe_of(workload);
	int rc = 0;
	for (unsigned i = 0; i < count; i++) {
		struct io_op *op = ops[i];
		struct station *s = &w->stations[op->slot];
		s->home = true;
		bool farewell = w->base.stopping && op->kind == IO_READ && !s->first;
		if (w->base.failed)
			drain(w, s);
		if (w->base.failed || farewell || (w->base.stopping && op->result == -ECANCELED))
			continue;
		if (op->result <= 0) {
			rc = fail_at_station(w, op);
			continue;
		}
		if (op->result < op->len_bytes) {
			op->buf = (char *)op->buf + op->result;
			op->len_bytes -= (uint32_t)op->result;
			op->continues = 1;
			w->base.tally.short_transfers++;
		} else if (op->kind == IO_WRITE) {
			prepare_read(w, s);
		} else {
			int arrived = arrive(w, s, now_ns);
			rc = arrived < 0 ? arrived : rc;
			if (w->base.stopping)
				prepare_read(w, s);
			else if (s->token)
				prepare_write(w, s);
		}
		if (!w->base.stopping || must_go_on(s))
			op_queue_push(&w->ready, op);
	}
	return rc;
}

/*
 * A read that waits, or that the driver has still to submit, gets something to read where no token
 * is on its way to it. After a failure every read does. A pipe without room has something already.
 * poll(2) promises room for PIPE_BUF bytes.
 */
static void pipe_stop(struct workload *workload)
{
	static const char farewell[PIPE_BUF];
	struct pipe_workload *w = pipe_of(workload);
	op_queue_init(&w->ready);
	for (unsigned i = 0; i < w->base.depth; i++) {
		struct station *s = &w->stations[i];
		struct pollfd writable = { .fd = w->base.fds[2 * i + 1].fd, .events = POLLOUT };
		/* Its token has not left: it stays here, and one on its way may still come. */
		if (s->home && s->op.kind == IO_WRITE && !s->op.continues)
			prepare_read(w, s);
		if (s->home && w->base.failed)
			drain(w, s);
		else if (s->home && must_go_on(s))
			op_queue_push(&w->ready, &s->op);
		else if (!s->home && s->op.kind == IO_READ && (w->base.failed || !s->first) &&
			 poll(&writable, 1, 0) > 0)
			while (write(writable.fd, farewell, w->settings->msg_size_bytes) < 0 &&
			       errno == EINTR)
				;
	}
}

/* Every token must have arrived: what was written, and what the engine only said it had written. */
static int pipe_check(struct workload *workload)
{
	struct pipe_workload *w = pipe_of(workload);
	unsigned lost = 0;
	uint64_t now_ns = clock_ns(), longest_ns = 0;
	for (unsigned i = 0; i < w->base.depth; i++) {
		for (const struct token *t = w->stations[i].first; t; t = t->next) {
			lost++;
			if (now_ns - t->arrived_ns > longest_ns)
				longest_ns = now_ns - t->arrived_ns;
		}
	}
	if (lost == 0)
		return 0;
	reason_set(&w->base.failure, "tokens_lost",
		   "{lost} of {tokens} tokens never arrived, the first since {silence_s} s: a "
		   "write was lost, or a read never ended",
		   reason_int("lost", lost), reason_int("tokens", w->settings->tokens),
		   reason_real("silence_s", (double)longest_ns / NS_PER_S));
	return -EIO;
}

static void pipe_parameters(const struct run_config *config, json_t *parameters)
{
	const struct workload_settings *s = config->settings;
	put_int(parameters, "pipes", s->pipes);
	put_int(parameters, "tokens", s->tokens);
	put_int(parameters, "msg_size_bytes", s->msg_size_bytes);
}

static void pipe_panel_values(const json_t *parameters, json_t *values)
{
	static const char *const names[] = { "msg_size_bytes", "tokens", NULL };
	panel_keep(values, parameters, names);
}

static json_t *pipe_panel_text(const json_t *values)
{
	char size[SIZE_TEXT_BYTES];
	double tokens = number_at(values, "tokens");
	return json_sprintf("pipe %s, %.0f token%s",
			    size_brief((uint64_t)whole_number(number_at(values, "msg_size_bytes"),
							      0, INT64_MAX),
				       size),
			    tokens, tokens == 1 ? "" : "s");
}

static json_t *pipe_words(const json_t *parameters)
{
	char size[SIZE_TEXT_BYTES];
	double tokens = number_at(parameters, "tokens");
	return json_sprintf("%.0f token%s of %s passed round a ring of pipes: each hop wakes one "
			    "waiting read",
			    tokens, tokens == 1 ? "" : "s",
			    size_words(number_at(parameters, "msg_size_bytes"), size));
}

static void pipe_describe(struct workload *workload, json_t *parameters, json_t *metrics,
			  json_t *warnings)
{
	const struct pipe_workload *w = pipe_of(workload);
	(void)parameters;
	(void)warnings;
	if (w->verify)
		put_real(metrics, "verified_pct", workload_proven_pct(w->proven_hops, w->hops));
}

static const struct workload_ops pipe_workload = {
	.name = "pipe",
	.summary = "tokens passed round a ring of pipes: what waking one waiting read costs",
	.place = 5,
	.op_name = "hop",
	.options = pipe_options,
	.settings_bytes = sizeof(struct workload_settings),
	.axis = &axis_pipes,
	.swept = "2,16,128",
	.settle = pipe_settle,
	.needs = pipe_needs,
	.open = pipe_open,
	.fill = pipe_fill,
	.complete = pipe_complete,
	.stop = pipe_stop,
	.check = pipe_check,
	.parameter_rows = pipe_parameter_rows,
	.parameters = pipe_parameters,
	.panel_values = pipe_panel_values,
	.panel_text = pipe_panel_text,
	.words = pipe_words,
	.describe = pipe_describe,
	.close = pipe_close,
};
WORKLOAD(pipe_workload);
