/* SPDX-License-Identifier: MIT */
/*
 * echo and idle: the engine under test is a server that sends back what it receives; a fixed peer
 * process is the client. In idle most connections stay silent, and what they cost shows.
 *
 * One operation belongs to each connection: it receives, sends what came, and receives again. The
 * rate is counted here, in messages sent back; latency is the round trip that the peer saw.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "base/size_text.h"
#include "base/whole_number.h"
#include "clock.h"
#include "meters/meter.h"
#include "op_queue.h"
#include "workloads/echo_peer.h"
#include "workloads/panel.h"
#include "workloads/server_socket.h"
#include "workloads/workload.h"

#define CONNECT_NS (20 * NS_PER_S)

/*
 * A receive asks for more than a message, so that it comes back short and a readiness engine can
 * tell that nothing is left. Large messages come in pieces.
 */
#define RECEIVE_BYTES_MIN 2048
#define RECEIVE_BYTES_MAX (64 * 1024)

struct workload_settings {
	struct echo_load load;
	enum transport transport;
};

struct echo_workload {
	struct workload base;
	const struct workload_settings *settings;
	const cpu_set_t *server_cpus;
	struct io_op *ops; /* [connection] */
	char *buffers;
	uint32_t buffer_bytes;
	uint32_t *into_message; /* [connection]: bytes sent back of the message under way */
	struct op_queue ready;
	struct peer_process peer;
	bool peer_shares_cpu;
	int ended_early; /* 0, or the -errno with which the first connection did */
};

static struct echo_workload *echo_of(struct workload *workload)
{
	return (struct echo_workload *)workload;
}

/* Of echo and of idle, which differ in their defaults. */
static const struct option_row echo_options[] = {
	{ .name = "conns",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .least = 1,
	  .most = 60000,
	  OPTION_SETTING(load.conns),
	  .help = "connections (default: 50; idle: 1000)" },
	{ .name = "active",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .least = 1,
	  .most = 60000,
	  OPTION_SETTING(load.active),
	  .help = "how many connections talk (default: all; idle: 1)" },
	{ .name = "msg-size",
	  .argument = "SIZE",
	  .kind = OPTION_BYTES,
	  .least = 1,
	  .most = 64u << 20,
	  OPTION_SETTING(load.msg_size_bytes),
	  .usual = "128",
	  .help = "bytes of a message" },
	{ .name = "transport",
	  .argument = "tcp|unix",
	  .kind = OPTION_WORD,
	  .words = transport_names,
	  OPTION_SETTING(transport),
	  .usual = "tcp",
	  .help = "TCP over loopback, or Unix sockets" },
	{ .name = "slow",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .most = 60000,
	  OPTION_SETTING(load.slow_conns),
	  .usual = "0",
	  .help = "clients that pause between messages" },
	{ .name = "slow-pause-ms",
	  .argument = "MS",
	  .kind = OPTION_REAL,
	  .real_least = 0.01,
	  .real_most = 10000,
	  OPTION_SETTING(load.slow_pause_ms),
	  .usual = "10",
	  .help = "length of that pause" },
	{ .name = "depth",
	  .kind = OPTION_REFUSED,
	  .help = "each connection is an operation in flight; use --conns" },
	{ .name = "verify",
	  .kind = OPTION_REFUSED,
	  .help = "the client of echo and idle compares every byte already; leave it out" },
	{ 0 },
};

static const struct parameter_row echo_parameter_rows[] = {
	{ "transport", "string", .words = transport_names },
	{ "msg_size_bytes", "count", .option = "msg-size", .moved_by_op = true },
	{ "conns", "count", .option = "conns" },
	{ "active", "count", .option = "active", .csv = "active_conns" },
	{ "slow_conns", "count", .option = "slow" },
	{ "slow_pause_ms", "amount", .option = "slow-pause-ms" },
	{ 0 },
};

static const struct sweep_axis axis_conns = {
	.option = "conns",
	.list_option = "conns",
	.list_help = "connections",
	.label = "connections",
	.unit = "connection",
};

/* The rest of echo_settle() and idle_settle(), once the defaults are there. */
static int settle_load(struct run_config *config, const struct typed_options *typed,
		       struct reason *why)
{
	struct echo_load *load = &config->settings->load;
	load->seed = config->seed;
	load->rate_per_s = config->rate_per_s;
	config->depth = load->conns;
	if (load->active > load->conns)
		reason_say(why, "--active %u: there are only %u connections (--conns)",
			   load->active, load->conns);
	else if (load->slow_conns > load->active)
		reason_say(why, "--slow %u: only %u connections are active", load->slow_conns,
			   load->active);
	else if (config->op_limit)
		reason_say(why, "--ops: echo and idle are measured for a time; use --runtime");
	else if (load->rate_per_s && load->slow_conns)
		reason_say(why, "--slow: with --rate no client pauses");
	else if (option_typed(typed, "slow-pause-ms") && load->slow_conns == 0)
		reason_say(why,
			   "--slow-pause-ms has no effect here: no client pauses without --slow");
	else
		return 0;
	return -EINVAL;
}

static int echo_settle(struct run_config *config, const struct typed_options *typed,
		       struct reason *why)
{
	struct echo_load *load = &config->settings->load;
	load->conns = load->conns ? load->conns : 50;
	load->active = load->active ? load->active : load->conns;
	return settle_load(config, typed, why);
}

static int idle_settle(struct run_config *config, const struct typed_options *typed,
		       struct reason *why)
{
	struct workload_settings *settings = config->settings;
	settings->load.conns = settings->load.conns ? settings->load.conns : 1000;
	settings->load.active = settings->load.active ? settings->load.active : 1;
	return settle_load(config, typed, why);
}

static void echo_needs(const struct run_config *config, struct workload_needs *needs)
{
	const struct echo_load *load = &config->settings->load;
	workload_need(needs, IO_RECV, IO_FD_SOCKET);
	workload_need(needs, IO_SEND, IO_FD_SOCKET);
	if (load->active < load->conns)
		workload_refuse(needs, IO_BLOCKS_IN_SUBMIT, "would_wait_for_ever",
				"one thread that blocks would wait for ever on the first silent "
				"descriptor");
	else if (load->rate_per_s && load->conns > 1)
		workload_refuse(needs, IO_BLOCKS_IN_SUBMIT, "would_miss_schedule",
				"one thread that blocks answers a connection only when all others "
				"have sent, so on a schedule it would measure the schedule");
}

/* For `iolab doctor`: the number of connections that servers are compared with. */
#define CONNS_WANTED 10000

static void echo_examine(struct findings *found, const char *file)
{
	(void)file;
	workload_examine_fds(found, CONNS_WANTED, "connections");
}

/* Accepts while the peer connects, since the backlog holds fewer than there may be. */
static int accept_all(struct echo_workload *w, int listen_fd, struct reason *why)
{
	uint64_t deadline_ns = clock_ns() + CONNECT_NS;
	while (w->base.fd_count < w->settings->load.conns) {
		struct pollfd listening = { .fd = listen_fd, .events = POLLIN };
		if (poll(&listening, 1, 100) <= 0) {
			int rc = peer_check(&w->peer, why);
			if (rc < 0)
				return rc;
			if (clock_ns() < deadline_ns)
				continue;
			return reason_errno(why, "connections_missing", ETIMEDOUT,
					    "only {connections} of {wanted} connections came about",
					    reason_int("connections", w->base.fd_count),
					    reason_int("wanted", w->settings->load.conns));
		}
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return reason_errno(why, "connection_not_accepted", errno,
					    "accept of connection {connection}",
					    reason_int("connection", w->base.fd_count));
		int on = 1;
		if (w->settings->transport == TRANSPORT_TCP)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		w->base.fds[w->base.fd_count++] = (struct workload_fd) { fd, IO_FD_SOCKET };
	}
	return 0;
}

static int connect_peer(struct echo_workload *w, struct reason *why)
{
	struct sockaddr_storage address;
	socklen_t address_len;
	int listen_fd = listen_anywhere(w->settings->transport, &address, &address_len, why);
	if (listen_fd < 0)
		return listen_fd;
	cpu_set_t cpus = choose_peer_cpu(w->server_cpus, &w->peer_shares_cpu);
	int rc = echo_peer_start(&w->peer, &w->settings->load, (struct sockaddr *)&address,
				 address_len, &cpus, why);
	if (rc == 0)
		rc = accept_all(w, listen_fd, why);
	close(listen_fd);
	return rc;
}

static void prepare_receive(struct echo_workload *w, struct io_op *op)
{
	op->kind = IO_RECV;
	op->continues = 0;
	op->buf = w->buffers + (size_t)op->slot * w->buffer_bytes;
	op->len_bytes = w->buffer_bytes;
}

static int allocate_connections(struct echo_workload *w, struct reason *why)
{
	unsigned conns = w->settings->load.conns;
	uint32_t wanted = 2 * w->settings->load.msg_size_bytes;
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	if (wanted < RECEIVE_BYTES_MIN)
		wanted = RECEIVE_BYTES_MIN;
	if (wanted > RECEIVE_BYTES_MAX)
		wanted = RECEIVE_BYTES_MAX;
	w->buffer_bytes = (wanted + page / 2 - 1) / (page / 2) * (page / 2);

	/* The arena counts in pages; small buffers share one. */
	int rc = workload_arena_alloc(&w->base, 1, (size_t)conns * w->buffer_bytes, why);
	if (rc < 0)
		return rc;
	w->buffers = w->base.arena;
	w->base.fds = calloc(conns, sizeof *w->base.fds);
	w->into_message = calloc(conns, sizeof *w->into_message);
	w->ops = aligned_alloc(64, conns * sizeof *w->ops);
	if (!w->base.fds || !w->into_message || !w->ops)
		return reason_no_memory(why, "connections");
	memset(w->ops, 0, conns * sizeof *w->ops);
	return 0;
}

static void echo_close(struct workload *workload)
{
	struct echo_workload *w = echo_of(workload);
	peer_close(&w->peer);
	for (unsigned i = 0; i < w->base.fd_count; i++)
		close(w->base.fds[i].fd);
	if (w->base.arena)
		munmap(w->base.arena, w->base.arena_len_bytes);
	free(w->base.fds);
	free(w->into_message);
	free(w->ops);
	free(w);
}

static int echo_open(struct workload **workload, const struct run_config *config,
		     struct reason *why)
{
	unsigned conns = config->settings->load.conns;
	struct echo_workload *w = calloc(1, sizeof *w);
	if (!w)
		return reason_no_memory(why, "the echo workload");
	w->base.ops = config->workload;
	w->base.depth = conns;
	w->settings = config->settings;
	w->server_cpus = &config->cpus;
	w->peer.control_fd = -1;
	op_queue_init(&w->ready);

	int rc = workload_raise_fd_limit("--conns", conns, conns, why);
	if (rc == 0)
		rc = allocate_connections(w, why);
	if (rc == 0)
		rc = connect_peer(w, why);
	if (rc < 0) {
		echo_close(&w->base);
		return rc;
	}
	w->base.peer = w->peer.pid;
	for (unsigned i = 0; i < conns; i++) {
		w->ops[i].slot = w->ops[i].fd_slot = i;
		w->ops[i].fd = w->base.fds[i].fd;
		prepare_receive(w, &w->ops[i]);
		op_queue_push(&w->ready, &w->ops[i]);
	}
	w->base.first_op = w->ops;
	w->base.op_stride_bytes = sizeof *w->ops;
	*workload = &w->base;
	return 0;
}

static unsigned echo_fill(struct workload *workload, struct io_op **ops, unsigned max)
{
	struct echo_workload *w = echo_of(workload);
	peer_go(&w->peer);
	return op_queue_take(&w->ready, ops, max);
}

/* A connection is over: rightly after stop(), wrongly before. */
static int end_connection(struct echo_workload *w, const struct io_op *op)
{
	if (w->base.stopping || w->ended_early)
		return w->ended_early;
	/* The peer's own word, if it left one, says more than the end of its connection does. */
	for (int tries = 0; tries < 100 && !w->ended_early; tries++) {
		w->ended_early = peer_check(&w->peer, &w->base.failure);
		usleep(1000);
	}
	if (w->ended_early)
		return w->ended_early;
	w->ended_early = op->result < 0 ? (int)op->result : -ECONNRESET;
	return reason_errno(&w->base.failure, "operation_failed", w->ended_early,
			    "{operation} at {place} {position}",
			    reason_string("operation", op->kind == IO_SEND ? "send" : "receive"),
			    reason_string("place", "connection"), reason_int("position", op->slot));
}

static void count_sent(struct echo_workload *w, const struct io_op *op)
{
	uint32_t msg_bytes = w->settings->load.msg_size_bytes;
	uint32_t into = w->into_message[op->slot] + (uint32_t)op->result;
	w->base.tally.bytes += (uint64_t)op->result;
	for (; into >= msg_bytes; into -= msg_bytes)
		w->base.tally.ops++;
	w->into_message[op->slot] = into;
}

static int echo_complete(struct workload *workload, struct io_op *const *ops, unsigned count,
			 uint64_t now_ns)
{
	struct echo_workload *w = echo_of(workload);
	(void)now_ns;
	int rc = 0;
	for (unsigned i = 0; i < count; i++) {
		struct io_op *op = ops[i];
		if (op->result <= 0) {
			int ended = end_connection(w, op);
			rc = rc ? rc : ended;
			continue;
		}
		if (op->kind == IO_RECV) {
			op->kind = IO_SEND;
			op->len_bytes = (uint32_t)op->result;
		} else {
			count_sent(w, op);
			if (op->result < op->len_bytes) {
				op->buf = (char *)op->buf + op->result;
				op->len_bytes -= (uint32_t)op->result;
				op->continues = 1;
				w->base.tally.short_transfers++;
			} else {
				prepare_receive(w, op);
			}
		}
		op_queue_push(&w->ready, op);
	}
	return rc;
}

static void echo_window(struct workload *workload, bool open)
{
	struct peer_process *peer = &echo_of(workload)->peer;
	peer_set_phase(peer, open ? PEER_WINDOW : PEER_DONE);
	if (!echo_of(workload)->settings->load.rate_per_s)
		return;
	uint64_t unfinished, due = peer_due(peer, &unfinished);
	if (open) {
		workload->due_before = due;
		workload->owed_before = unfinished;
	} else {
		workload->window_due = due - workload->due_before;
		workload->unfinished = unfinished;
	}
}

static void echo_stop(struct workload *workload)
{
	peer_set_phase(&echo_of(workload)->peer, workload->failed ? PEER_LEAVE : PEER_STOP);
}

static int echo_check(struct workload *workload)
{
	return peer_finish(&echo_of(workload)->peer, &workload->failure);
}

static const struct histogram *echo_latency(struct workload *workload,
					    const struct histogram **uncorrected,
					    const char **source)
{
	*source = "peer";
	*uncorrected = &echo_of(workload)->peer.shared->uncorrected;
	return &echo_of(workload)->peer.shared->round_trips;
}

static void echo_parameters(const struct run_config *config, json_t *parameters)
{
	const struct workload_settings *settings = config->settings;
	const struct echo_load *load = &settings->load;
	put_string(parameters, "transport", transport_names[settings->transport]);
	put_int(parameters, "msg_size_bytes", load->msg_size_bytes);
	put_int(parameters, "conns", load->conns);
	put_int(parameters, "active", load->active);
	put_int(parameters, "slow_conns", load->slow_conns);
	put_real(parameters, "slow_pause_ms", load->slow_pause_ms);
}

static void echo_panel_values(const json_t *parameters, json_t *values)
{
	static const char *const names[] = { "transport", "msg_size_bytes", NULL };
	static const char *const slow[] = { "slow_conns", "slow_pause_ms", NULL };
	panel_keep(values, parameters, names);
	/* Where all are active, their number is the swept value. */
	if (number_at(parameters, "active") < number_at(parameters, "conns"))
		put_shared(values, "active", json_object_get(parameters, "active"));
	if (number_at(parameters, "slow_conns") > 0)
		panel_keep(values, parameters, slow);
}

/* Most connections are silent, and the number of the others is fixed. */
static void idle_panel_values(const json_t *parameters, json_t *values)
{
	echo_panel_values(parameters, values);
	put_shared(values, "active", json_object_get(parameters, "active"));
}

static json_t *panel_text(const char *name, const json_t *values)
{
	unsigned size_bytes =
		(unsigned)whole_number(number_at(values, "msg_size_bytes"), 0, UINT32_MAX);
	char size[24], active[40] = "", slow[64] = "";
	if (size_bytes % 1024 == 0)
		snprintf(size, sizeof size, "%uk", size_bytes / 1024);
	else
		snprintf(size, sizeof size, "%uB", size_bytes);
	if (json_object_get(values, "active"))
		snprintf(active, sizeof active, ", %.0f active", number_at(values, "active"));
	if (json_object_get(values, "slow_conns"))
		snprintf(slow, sizeof slow, ", %.0f slow (%g ms)", number_at(values, "slow_conns"),
			 number_at(values, "slow_pause_ms"));
	return json_sprintf("%s %s %s%s%s", name, string_at(values, "transport"), size, active,
			    slow);
}

static json_t *echo_panel_text(const json_t *values)
{
	return panel_text("echo", values);
}

static json_t *idle_panel_text(const json_t *values)
{
	return panel_text("idle", values);
}

/* "messages of 128 bytes over TCP" */
static void message_words(const json_t *parameters, char *text, size_t size)
{
	char bytes[SIZE_TEXT_BYTES];
	bool tcp = strcmp(string_at(parameters, "transport"), "tcp") == 0;
	snprintf(text, size, "messages of %s over %s",
		 size_words(number_at(parameters, "msg_size_bytes"), bytes),
		 tcp ? "TCP" : "Unix sockets");
}

static json_t *echo_words(const json_t *parameters)
{
	char messages[100], slow[120] = "";
	double slow_conns = number_at(parameters, "slow_conns");
	message_words(parameters, messages, sizeof messages);
	if (slow_conns > 0)
		snprintf(slow, sizeof slow,
			 ", while %.0f of the clients pause for %g ms between two", slow_conns,
			 number_at(parameters, "slow_pause_ms"));
	return json_sprintf("a server that sends back what it receives, %s%s", messages, slow);
}

static json_t *idle_words(const json_t *parameters)
{
	char messages[100];
	double active = number_at(parameters, "active");
	message_words(parameters, messages, sizeof messages);
	return json_sprintf("a server that watches connections of which %.0f %s and all others are "
			    "silent, %s",
			    active, active == 1 ? "sends" : "send", messages);
}

static void echo_describe(struct workload *workload, json_t *parameters, json_t *metrics,
			  json_t *warnings)
{
	(void)parameters;
	peer_remarks(echo_of(workload)->peer_shares_cpu, metrics, warnings);
}

/* A busy server, and a mostly idle one. */
static const struct standard_row echo_rows[] = { { .swept = "1,50,500" }, { .swept = NULL } };
static const struct standard_row idle_rows[] = { { .swept = "1000" }, { .swept = NULL } };

/* All that the two do alike. */
#define SERVER_AND_PEER                                                                            \
	.op_name = "message", .has_peer = true, .options = echo_options,                           \
	.settings_bytes = sizeof(struct workload_settings), .axis = &axis_conns,                   \
	.examine = echo_examine, .needs = echo_needs, .open = echo_open, .fill = echo_fill,        \
	.complete = echo_complete, .window = echo_window, .stop = echo_stop, .check = echo_check,  \
	.parameter_rows = echo_parameter_rows, .parameters = echo_parameters,                      \
	.describe = echo_describe, .latency = echo_latency, .close = echo_close

static const struct workload_ops echo_workload = {
	SERVER_AND_PEER,
	.name = "echo",
	.summary = "a server sends messages back; a fixed client process checks and times them",
	.place = 2,
	.swept = "1,50,500",
	.standard = echo_rows,
	.settle = echo_settle,
	.panel_values = echo_panel_values,
	.panel_text = echo_panel_text,
	.words = echo_words,
};
WORKLOAD(echo_workload);

static const struct workload_ops idle_workload = {
	SERVER_AND_PEER,
	.name = "idle",
	.summary = "the same with most connections silent: what watching them costs",
	.place = 3,
	.swept = "1000",
	.standard = idle_rows,
	.settle = idle_settle,
	.panel_values = idle_panel_values,
	.panel_text = idle_panel_text,
	.words = idle_words,
};
WORKLOAD(idle_workload);
