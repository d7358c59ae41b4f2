/* SPDX-License-Identifier: MIT */
/*
 * accept: connections that come and go. The engine under test is an echo server whose clients stay for
 * one message: it accepts, receives, sends back, and hears that the client has gone. What a connection
 * costs shows: to accept it, to tell the engine of it and to take that back.
 *
 * Each client has one connection at most. So an ACCEPT is in flight as long as fewer are open than there
 * are clients: the next one is on its way then, and not even an engine that blocks waits in vain.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
#include "meters/meter.h"
#include "op_queue.h"
#include "workloads/accept_peer.h"
#include "workloads/panel.h"
#include "workloads/server_socket.h"
#include "workloads/workload.h"

/* A message must fit into a new socket's buffers, since the client's send(2) waits for nobody. */
#define MESSAGE_BYTES_MOST (64u << 10)
#define CLIENTS_MOST	   4000u /* below SOMAXCONN, so that connect(2) never waits for the backlog */

/* Slots of operations and of descriptors alike. */
enum { LISTENER, FIRST_CONNECTION };

struct workload_settings {
	struct accept_load load;
	enum transport transport;
};

/* A connection hears of the client's end after its message. */
enum connection_stage { RECEIVING, SENDING, ENDING };

struct accept_connection {
	enum connection_stage stage;
	uint32_t moved_bytes; /* of the message, in this stage */
};

struct accept_workload {
	struct workload base;
	const struct workload_settings *settings;
	struct io_op *ops; /* [slot] */
	struct accept_connection *connections; /* [slot - FIRST_CONNECTION] */
	unsigned *free_slots, free_count;
	char *buffers; /* [slot - FIRST_CONNECTION] */
	struct op_queue ready;
	bool accepting; /* the listener's operation is not here */
	bool farewell_heard; /* nobody comes after it */
	struct peer_process peer;
	bool peer_shares_cpu;
	int ended_early; /* 0, or the -errno with which the first connection did */
};

static struct accept_workload *accept_of(struct workload *workload)
{
	return (struct accept_workload *)workload;
}

static const struct option_row accept_options[] = {
	{ .name = "clients",
	  .argument = "N",
	  .kind = OPTION_COUNT,
	  .least = 1,
	  .most = CLIENTS_MOST,
	  OPTION_SETTING(load.clients),
	  .usual = "10",
	  .help = "clients; each connects, sends one message, and begins again" },
	{ .name = "msg-size",
	  .argument = "SIZE",
	  .kind = OPTION_BYTES,
	  .least = 1,
	  .most = MESSAGE_BYTES_MOST,
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
	{ .name = "depth",
	  .kind = OPTION_REFUSED,
	  .help = "each client is an operation in flight; use --clients" },
	{ .name = "verify",
	  .kind = OPTION_REFUSED,
	  .help = "the client of accept compares every byte already; leave it out" },
	{ 0 },
};

static const struct parameter_row accept_parameter_rows[] = {
	{ "transport", "string", .words = transport_names },
	{ "msg_size_bytes", "count", .option = "msg-size", .moved_by_op = true },
	{ "clients", "count", .option = "clients" },
	{ 0 },
};

static const struct sweep_axis axis_clients = {
	.option = "clients",
	.list_option = "clients",
	.list_help = "clients that connect again and again",
	.label = "clients",
	.unit = "client",
};

static int accept_settle(struct run_config *config, const struct typed_options *typed,
			 struct reason *why)
{
	struct accept_load *load = &config->settings->load;
	(void)typed;
	load->seed = config->seed;
	config->depth = load->clients + FIRST_CONNECTION;
	if (config->op_limit)
		reason_say(why, "--ops: accept is measured for a time; use --runtime");
	else if (config->rate_per_s)
		reason_say(why, "--rate: the clients of accept come back at once; leave it out");
	else
		return 0;
	return -EINVAL;
}

static void accept_needs(const struct run_config *config, struct workload_needs *needs)
{
	(void)config;
	workload_need(needs, IO_ACCEPT, IO_FD_LISTENER);
	workload_need(needs, IO_RECV, IO_FD_SOCKET);
	workload_need(needs, IO_SEND, IO_FD_SOCKET);
}

static void accept_examine(struct findings *found, const char *file)
{
	(void)file;
	workload_examine_fds(found, CLIENTS_MOST, "clients");
}

static int listen_for_clients(struct accept_workload *w, const struct run_config *config,
			      struct reason *why)
{
	struct sockaddr_storage address;
	socklen_t address_len;
	int fd = listen_anywhere(w->settings->transport, &address, &address_len, why);
	if (fd < 0)
		return fd;
	w->base.fds[LISTENER] = (struct workload_fd) { fd, IO_FD_LISTENER };
	w->base.fd_count = FIRST_CONNECTION;
	int on = 1;
	if (w->settings->transport == TRANSPORT_TCP) /* its connections inherit it */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if ((config->engine->traits & IO_TRIES_CONNECTIONS) && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return reason_errno(why, "not_listening", errno, "listening for the peer");
	cpu_set_t cpus = choose_peer_cpu(&config->cpus, &w->peer_shares_cpu);
	return accept_peer_start(&w->peer, &w->settings->load, (struct sockaddr *)&address,
				 address_len, &cpus, why);
}

static int allocate_visits(struct accept_workload *w, struct reason *why)
{
	unsigned clients = w->settings->load.clients, slots = clients + FIRST_CONNECTION;
	int rc = workload_arena_alloc(&w->base, 1,
				      (size_t)clients * w->settings->load.msg_size_bytes, why);
	if (rc < 0)
		return rc;
	w->buffers = w->base.arena;
	w->base.fds = calloc(slots, sizeof *w->base.fds);
	w->base.coming = calloc(clients, sizeof *w->base.coming);
	w->base.going = calloc(clients, sizeof *w->base.going);
	w->connections = calloc(clients, sizeof *w->connections);
	w->free_slots = calloc(clients, sizeof *w->free_slots);
	w->ops = aligned_alloc(64, slots * sizeof *w->ops);
	if (!w->base.fds || !w->base.coming || !w->base.going || !w->connections ||
	    !w->free_slots || !w->ops)
		return reason_no_memory(why, "connections");
	memset(w->ops, 0, slots * sizeof *w->ops);
	for (unsigned slot = 0; slot < slots; slot++) {
		w->ops[slot].slot = w->ops[slot].fd_slot = slot;
		w->base.fds[slot] = (struct workload_fd) { -1, IO_FD_SOCKET };
	}
	while (w->free_count < clients) {
		w->free_slots[w->free_count] = clients + FIRST_CONNECTION - 1 - w->free_count;
		w->free_count++;
	}
	return 0;
}

static void accept_close(struct workload *workload)
{
	struct accept_workload *w = accept_of(workload);
	peer_close(&w->peer);
	for (unsigned i = 0; i < w->base.fd_count; i++)
		if (w->base.fds[i].fd >= 0)
			close(w->base.fds[i].fd);
	if (w->base.arena)
		munmap(w->base.arena, w->base.arena_len_bytes);
	free(w->base.fds);
	free(w->base.coming);
	free(w->base.going);
	free(w->connections);
	free(w->free_slots);
	free(w->ops);
	free(w);
}

static void offer_accept(struct accept_workload *w)
{
	struct io_op *op = &w->ops[LISTENER];
	op->kind = IO_ACCEPT;
	op->fd = w->base.fds[LISTENER].fd;
	w->accepting = true;
	op_queue_push(&w->ready, op);
}

static int accept_open(struct workload **workload, const struct run_config *config,
		       struct reason *why)
{
	unsigned clients = config->settings->load.clients;
	struct accept_workload *w = calloc(1, sizeof *w);
	if (!w)
		return reason_no_memory(why, "the accept workload");
	w->base.ops = config->workload;
	w->base.depth = clients + FIRST_CONNECTION;
	w->settings = config->settings;
	w->peer.control_fd = -1;
	op_queue_init(&w->ready);

	int rc = workload_raise_fd_limit("--clients", clients, clients, why);
	if (rc == 0)
		rc = allocate_visits(w, why);
	if (rc == 0)
		rc = listen_for_clients(w, config, why);
	if (rc < 0) {
		accept_close(&w->base);
		return rc;
	}
	w->base.fd_count = clients + FIRST_CONNECTION;
	w->base.peer = w->peer.pid;
	w->base.first_op = w->ops;
	w->base.op_stride_bytes = sizeof *w->ops;
	offer_accept(w);
	*workload = &w->base;
	return 0;
}

static unsigned accept_fill(struct workload *workload, struct io_op **ops, unsigned max)
{
	struct accept_workload *w = accept_of(workload);
	peer_go(&w->peer);
	return op_queue_take(&w->ready, ops, max);
}

/* Offers what the connection does next in its stage. */
static void go_on(struct accept_workload *w, struct io_op *op)
{
	unsigned index = op->slot - FIRST_CONNECTION;
	uint32_t msg_bytes = w->settings->load.msg_size_bytes;
	struct accept_connection *connection = &w->connections[index];
	op->kind = connection->stage == SENDING ? IO_SEND : IO_RECV;
	op->continues = connection->moved_bytes > 0;
	op->buf = w->buffers + (size_t)index * msg_bytes + connection->moved_bytes;
	op->len_bytes = msg_bytes - connection->moved_bytes;
	op_queue_push(&w->ready, op);
}

static void begin_stage(struct accept_workload *w, struct io_op *op, enum connection_stage stage)
{
	w->connections[op->slot - FIRST_CONNECTION] = (struct accept_connection) { .stage = stage };
	go_on(w, op);
}

static void welcome(struct accept_workload *w, int fd)
{
	unsigned slot = w->free_slots[--w->free_count];
	w->base.fds[slot].fd = w->ops[slot].fd = fd;
	w->base.coming[w->base.coming_count++] = (struct fd_change) { slot, fd };
	begin_stage(w, &w->ops[slot], RECEIVING);
}

static void see_off(struct accept_workload *w, unsigned slot)
{
	w->base.going[w->base.going_count++] = (struct fd_change) { slot, w->base.fds[slot].fd };
	w->base.fds[slot].fd = -1;
	w->free_slots[w->free_count++] = slot;
}

/* Rightly at the end of a run that failed, wrongly before. */
static int fail_early(struct accept_workload *w, const struct io_op *op)
{
	static const char *const names[IO_KIND_COUNT] = {
		[IO_ACCEPT] = "accept",
		[IO_RECV] = "receive",
		[IO_SEND] = "send",
	};
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
			    reason_string("operation", names[op->kind]),
			    reason_string("place", "connection"), reason_int("position", op->slot));
}

static int complete_accept(struct accept_workload *w, const struct io_op *op)
{
	w->accepting = false;
	if (op->result >= 0)
		welcome(w, (int)op->result);
	else if (op->result != -ECONNABORTED) /* that client has gone again, and comes back */
		return fail_early(w, op);
	return 0;
}

/* The client has gone: after its message, or after none at all, which is the farewell. */
static int complete_end(struct accept_workload *w, const struct io_op *op)
{
	const struct accept_connection *connection = &w->connections[op->slot - FIRST_CONNECTION];
	bool gone = op->result == 0 || op->result == -ECONNRESET;
	int rc = 0;
	if (connection->stage == ENDING && gone) {
		w->base.tally.ops++;
		w->base.tally.bytes += w->settings->load.msg_size_bytes;
	} else if (w->base.stopping && connection->stage == RECEIVING && gone &&
		   connection->moved_bytes == 0) {
		w->farewell_heard = true;
	} else {
		rc = fail_early(w, op);
	}
	see_off(w, op->slot);
	return rc;
}

static int complete_connection(struct accept_workload *w, struct io_op *op)
{
	struct accept_connection *connection = &w->connections[op->slot - FIRST_CONNECTION];
	if (op->result <= 0 || connection->stage == ENDING)
		return complete_end(w, op);
	connection->moved_bytes += (uint32_t)op->result;
	if (connection->moved_bytes < w->settings->load.msg_size_bytes) {
		w->base.tally.short_transfers++;
		go_on(w, op);
	} else {
		begin_stage(w, op, connection->stage == RECEIVING ? SENDING : ENDING);
	}
	return 0;
}

/* Does another client come? Once stopping, only after those that are here, as the peer ends. */
static bool expects_client(const struct accept_workload *w)
{
	unsigned open_count = w->settings->load.clients - w->free_count;
	if (w->base.stopping)
		return open_count == 0 && !w->farewell_heard && !w->base.failed;
	return w->free_count > 0;
}

static int accept_complete(struct workload *workload, struct io_op *const *ops, unsigned count,
			   uint64_t now_ns)
{
	struct accept_workload *w = accept_of(workload);
	(void)now_ns;
	int rc = 0;
	for (unsigned i = 0; i < count; i++) {
		int ended = ops[i]->slot == LISTENER ? complete_accept(w, ops[i])
						     : complete_connection(w, ops[i]);
		rc = rc ? rc : ended;
	}
	if (!w->accepting && expects_client(w) && !w->ended_early)
		offer_accept(w);
	return rc;
}

static void accept_window(struct workload *workload, bool open)
{
	peer_set_phase(&accept_of(workload)->peer, open ? PEER_WINDOW : PEER_DONE);
}

static void accept_stop(struct workload *workload)
{
	struct accept_workload *w = accept_of(workload);
	peer_set_phase(&w->peer, workload->failed ? PEER_LEAVE : PEER_STOP);
	if (workload->failed) /* ends the ACCEPT in flight: nobody comes any more */
		shutdown(w->base.fds[LISTENER].fd, SHUT_RDWR);
}

static int accept_check(struct workload *workload)
{
	return peer_finish(&accept_of(workload)->peer, &workload->failure);
}

static const struct histogram *accept_latency(struct workload *workload,
					      const struct histogram **uncorrected,
					      const char **source)
{
	*source = "peer";
	*uncorrected = &accept_of(workload)->peer.shared->uncorrected;
	return &accept_of(workload)->peer.shared->round_trips;
}

static void accept_parameters(const struct run_config *config, json_t *parameters)
{
	const struct workload_settings *settings = config->settings;
	put_string(parameters, "transport", transport_names[settings->transport]);
	put_int(parameters, "msg_size_bytes", settings->load.msg_size_bytes);
	put_int(parameters, "clients", settings->load.clients);
}

static void accept_panel_values(const json_t *parameters, json_t *values)
{
	static const char *const names[] = { "transport", "msg_size_bytes", NULL };
	panel_keep(values, parameters, names);
}

static json_t *accept_panel_text(const json_t *values)
{
	char bytes[SIZE_TEXT_BYTES];
	return json_sprintf("accept %s, %s a message", string_at(values, "transport"),
			    size_words(number_at(values, "msg_size_bytes"), bytes));
}

static json_t *accept_words(const json_t *parameters)
{
	char bytes[SIZE_TEXT_BYTES];
	bool tcp = strcmp(string_at(parameters, "transport"), "tcp") == 0;
	return json_sprintf("a server whose clients come for one message of %s over %s each",
			    size_words(number_at(parameters, "msg_size_bytes"), bytes),
			    tcp ? "TCP" : "a Unix socket");
}

static void accept_describe(struct workload *workload, json_t *parameters, json_t *metrics,
			    json_t *warnings)
{
	(void)parameters;
	peer_remarks(accept_of(workload)->peer_shares_cpu, metrics, warnings);
}

static const struct workload_ops accept_workload = {
	.name = "accept",
	.summary = "clients come and go: connect, one message, close; what a connection costs",
	.place = 5,
	.op_name = "connection",
	.has_peer = true,
	.options = accept_options,
	.settings_bytes = sizeof(struct workload_settings),
	.axis = &axis_clients,
	.swept = "1,10,100",
	.parameter_rows = accept_parameter_rows,
	.settle = accept_settle,
	.examine = accept_examine,
	.needs = accept_needs,
	.open = accept_open,
	.fill = accept_fill,
	.complete = accept_complete,
	.window = accept_window,
	.stop = accept_stop,
	.check = accept_check,
	.parameters = accept_parameters,
	.panel_values = accept_panel_values,
	.panel_text = accept_panel_text,
	.words = accept_words,
	.describe = accept_describe,
	.latency = accept_latency,
	.close = accept_close,
};
WORKLOAD(accept_workload);
