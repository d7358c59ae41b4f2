/* SPDX-License-Identifier: MIT */
/*
 * iolab's own loop, over the engine that the command line names. Where that engine lends buffers, a
 * connection gets one when bytes are there. Else each has one of its own.
 */
#include "event_loop.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "engines.h"
#include "peers/loops/loop_bench.h"

/* One for each of the completions that the loop takes at once. */
#define LENT_MAX EVENT_LOOP_BATCH

struct connection {
	char *buffer; /* its own, or lent while an answer is on its way */
	unsigned fd_slot;
	uint32_t sent_bytes, got_bytes;
	struct connection *next; /* free, or waiting for a buffer */
};

static struct {
	struct event_loop *loop;
	struct loop_timer *timers;
	unsigned left; /* timers to be called */
	uint32_t message_bytes;
	struct connection *free;
	struct connection *short_of_buffer;
	bool lends;
	bool accepts;
	unsigned listener_slot;
} own;

static void fail(long rc, const char *what, const struct reason *why)
{
	errx(1, "%s: %s", what, why && why->text[0] ? why->text : strerror((int)-rc));
}

static void open_loop(const char *engine, unsigned timers, unsigned conns, uint32_t message_bytes)
{
	const struct engine_ops *ops;
	uint64_t options;
	struct reason why;
	int rc = engine_spec_parse(engine ? engine : "epoll", &ops, &options, &why);
	if (rc < 0)
		fail(rc, "engine", &why);
	own.message_bytes = message_bytes;
	unsigned lent_count = conns < LENT_MAX ? conns : LENT_MAX;
	struct engine_config asked = { .depth = conns + 1,
				       .cpu_count = 1,
				       .options = options,
				       .lent_count = lent_count,
				       .lent_len_bytes = message_bytes };
	own.lends = conns > 0 && engine_lends(ops, &asked, &why) == 0;
	struct event_loop_config config = {
		.engine = ops,
		.options = options,
		.depth = conns + 1,
		.max_fds = conns + 1,
		.buffers_len_bytes = own.lends ? 0 : (size_t)conns * message_bytes,
		.lent_count = own.lends ? lent_count : 0,
		.lent_len_bytes = message_bytes,
	};
	rc = event_loop_open(&own.loop, &config, &why);
	if (rc < 0)
		fail(rc, "loop", &why);
	own.timers = calloc(timers + 1, sizeof *own.timers);
	struct connection *all = calloc(conns, sizeof *all);
	if (!own.timers || !all)
		errx(1, "no memory");
	for (unsigned i = conns; i-- > 0;) {
		if (!own.lends)
			all[i].buffer =
				(char *)event_loop_buffers(own.loop) + (size_t)i * message_bytes;
		all[i].next = own.free;
		own.free = &all[i];
	}
}

static void count_down(struct event_loop *loop, void *context)
{
	(void)loop;
	(void)context;
	own.left--;
}

static void start_timers(const struct timer_task *task)
{
	for (unsigned i = 0; i < task->count; i++) {
		own.timers[i].call = count_down;
		event_loop_timer_start(own.loop, &own.timers[i],
				       (int64_t)task->delays_ms[i] * NS_PER_MS, 0);
	}
}

static void start_and_stop(const struct timer_task *task)
{
	start_timers(task);
	for (unsigned i = 0; i < task->count; i++)
		event_loop_timer_stop(own.loop, &own.timers[task->stop_order[i]]);
}

static void expire(const struct timer_task *task)
{
	own.left = task->count;
	event_loop_update_now(own.loop);
	start_timers(task);
	int rc = event_loop_run(own.loop, LOOP_RUN);
	if (rc < 0 || own.left > 0)
		errx(1, "%u timers were not called", own.left);
}

static void next_no_op(struct event_loop *loop, void *context, int64_t result)
{
	static const struct loop_request request = { .kind = IO_NOP };
	(void)context;
	(void)result;
	if (own.left > 0) {
		own.left--;
		event_loop_start(loop, &request, next_no_op, NULL);
	}
}

static void no_ops(unsigned count)
{
	own.left = count;
	for (unsigned i = 0; i < NO_OPS_IN_FLIGHT; i++)
		next_no_op(own.loop, NULL, 0);
	if (event_loop_run(own.loop, LOOP_RUN) < 0)
		errx(1, "the engine is broken");
}

static void receive(struct connection *connection);
static void accept_next(void);

static void on_closed(struct event_loop *loop, void *context)
{
	struct connection *connection = context;
	(void)loop;
	connection->next = own.free;
	own.free = connection;
	accept_next();
}

static void forget(struct connection *connection)
{
	event_loop_close_fd(own.loop, connection->fd_slot, on_closed, connection);
}

/* Then one that waits for a buffer tries again. */
static void return_buffer(struct connection *connection)
{
	struct connection *waits = own.short_of_buffer;
	if (!own.lends)
		return;
	event_loop_give_back(own.loop, connection->buffer);
	connection->buffer = NULL;
	if (!waits)
		return;
	own.short_of_buffer = waits->next;
	receive(waits);
}

static void send_rest(struct connection *connection);

static void on_sent(struct event_loop *loop, void *context, int64_t result)
{
	struct connection *connection = context;
	(void)loop;
	if (result < 0) {
		return_buffer(connection);
		forget(connection);
		return;
	}
	connection->sent_bytes += (uint32_t)result;
	if (connection->sent_bytes < connection->got_bytes) {
		send_rest(connection);
		return;
	}
	return_buffer(connection);
	receive(connection);
}

static void send_rest(struct connection *connection)
{
	struct loop_request request = { .kind = IO_SEND,
					.fd_slot = connection->fd_slot,
					.buf = connection->buffer + connection->sent_bytes,
					.len_bytes =
						connection->got_bytes - connection->sent_bytes };
	event_loop_start(own.loop, &request, on_sent, connection);
}

static void on_received(struct event_loop *loop, void *context, int64_t result)
{
	struct connection *connection = context;
	if (result == -ENOBUFS) {
		connection->next = own.short_of_buffer;
		own.short_of_buffer = connection;
		return;
	}
	if (result <= 0) {
		forget(connection);
		return;
	}
	if (own.lends)
		connection->buffer = event_loop_lent(loop);
	connection->got_bytes = (uint32_t)result;
	connection->sent_bytes = 0;
	send_rest(connection);
}

static void receive(struct connection *connection)
{
	struct loop_request request = { .kind = IO_RECV,
					.fd_slot = connection->fd_slot,
					.buf = connection->buffer,
					.len_bytes = own.message_bytes };
	event_loop_start(own.loop, &request, on_received, connection);
}

static void take_on(int fd)
{
	struct reason why;
	struct connection *connection = own.free;
	own.free = connection->next;
	int slot = event_loop_attach(own.loop, fd, IO_FD_SOCKET, &why);
	if (slot < 0)
		fail(slot, "connection", &why);
	connection->fd_slot = (unsigned)slot;
	receive(connection);
}

static void on_accepted(struct event_loop *loop, void *context, int64_t result)
{
	(void)loop;
	(void)context;
	own.accepts = false;
	if (result < 0)
		fail((long)result, "accept", NULL);
	take_on((int)result);
	accept_next();
}

/* While there is room for one more; the others wait in the listener's queue. */
static void accept_next(void)
{
	struct loop_request request = { .kind = IO_ACCEPT, .fd_slot = own.listener_slot };
	if (own.accepts || !own.free)
		return;
	own.accepts = true;
	event_loop_start(own.loop, &request, on_accepted, NULL);
}

static void echo(int listener_fd)
{
	struct reason why;
	int slot = event_loop_attach(own.loop, listener_fd, IO_FD_LISTENER, &why);
	if (slot < 0)
		fail(slot, "listener", &why);
	own.listener_slot = (unsigned)slot;
	accept_next();
	for (;;)
		if (event_loop_run(own.loop, LOOP_RUN) < 0)
			errx(1, "the engine is broken");
}

static bool idle_holds_a_buffer(void)
{
	return !own.lends;
}

static void wait_on(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		take_on(fds[i]);
	event_loop_run(own.loop, LOOP_POLL);
}

const struct loop_bench loop_bench = {
	.name = "iolab",
	.open = open_loop,
	.start_and_stop = start_and_stop,
	.expire = expire,
	.no_ops = no_ops,
	.echo = echo,
	.wait_on = wait_on,
	.idle_holds_a_buffer = idle_holds_a_buffer,
};
