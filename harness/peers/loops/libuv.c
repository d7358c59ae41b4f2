/* SPDX-License-Identifier: MIT */
/*
 * libuv. Timers of its own heap; uv_try_write(), which sends at once and falls back to a request;
 * one buffer for all connections, since alloc_cb is called when bytes are there.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "peers/loops/loop_bench.h"

struct connection {
	uv_stream_t *stream;
	union {
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} handle;
	uv_write_t request;
	char *rest; /* what could not be sent at once, or NULL */
};

static struct {
	uv_loop_t loop;
	uv_timer_t *timers;
	unsigned left;
	uint32_t message_bytes;
	char *buffer;
} own;

static void check(int rc, const char *what)
{
	if (rc < 0)
		errx(1, "%s: %s", what, uv_strerror(rc));
}

static void open_loop(const char *engine, unsigned timers, unsigned conns, uint32_t message_bytes)
{
	(void)engine;
	(void)conns;
	check(uv_loop_init(&own.loop), "uv_loop_init");
	own.timers = calloc(timers + 1, sizeof *own.timers);
	own.buffer = malloc(message_bytes);
	own.message_bytes = message_bytes;
	if (!own.timers || !own.buffer)
		errx(1, "no memory");
	for (unsigned i = 0; i < timers; i++)
		uv_timer_init(&own.loop, &own.timers[i]);
}

static void count_down(uv_timer_t *timer)
{
	(void)timer;
	own.left--;
}

static void start_timers(const struct timer_task *task)
{
	for (unsigned i = 0; i < task->count; i++)
		uv_timer_start(&own.timers[i], count_down, task->delays_ms[i], 0);
}

static void start_and_stop(const struct timer_task *task)
{
	start_timers(task);
	for (unsigned i = 0; i < task->count; i++)
		uv_timer_stop(&own.timers[task->stop_order[i]]);
}

static void expire(const struct timer_task *task)
{
	own.left = task->count;
	uv_update_time(&own.loop);
	start_timers(task);
	uv_run(&own.loop, UV_RUN_DEFAULT);
	if (own.left > 0)
		errx(1, "%u timers were not called", own.left);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(own.buffer, own.message_bytes);
}

static void on_closed(uv_handle_t *handle)
{
	struct connection *connection = handle->data;
	free(connection->rest);
	free(connection);
}

static void on_received(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf);

static void on_sent(uv_write_t *request, int status)
{
	struct connection *connection = request->handle->data;
	free(connection->rest);
	connection->rest = NULL;
	if (status == 0)
		uv_read_start(request->handle, give_buffer, on_received);
}

static void on_received(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
	struct connection *connection = stream->data;
	if (count < 0) {
		uv_close((uv_handle_t *)stream, on_closed);
		return;
	}
	uv_buf_t answer = uv_buf_init(buf->base, (unsigned)count);
	int sent = uv_try_write(stream, &answer, 1);
	if (sent == count || (sent < 0 && sent != UV_EAGAIN))
		return;
	unsigned skipped = sent > 0 ? (unsigned)sent : 0, left = (unsigned)count - skipped;
	connection->rest = malloc(left);
	if (!connection->rest)
		errx(1, "no memory");
	memcpy(connection->rest, buf->base + skipped, left);
	uv_read_stop(stream);
	answer = uv_buf_init(connection->rest, left);
	uv_write(&connection->request, stream, &answer, 1, on_sent);
}

static struct connection *make_connection(void)
{
	struct connection *connection = calloc(1, sizeof *connection);
	if (!connection)
		errx(1, "no memory");
	return connection;
}

static void on_connection(uv_stream_t *listener, int status)
{
	check(status, "listen");
	struct connection *connection = make_connection();
	connection->stream = (uv_stream_t *)&connection->handle.tcp;
	uv_tcp_init(&own.loop, &connection->handle.tcp);
	connection->stream->data = connection;
	check(uv_accept(listener, connection->stream), "accept");
	uv_read_start(connection->stream, give_buffer, on_received);
}

static void echo(int listener_fd)
{
	uv_tcp_t listener;
	uv_tcp_init(&own.loop, &listener);
	check(uv_tcp_open(&listener, listener_fd), "uv_tcp_open");
	check(uv_listen((uv_stream_t *)&listener, 1024, on_connection), "uv_listen");
	uv_run(&own.loop, UV_RUN_DEFAULT);
}

static void wait_on(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct connection *connection = make_connection();
		connection->stream = (uv_stream_t *)&connection->handle.pipe;
		uv_pipe_init(&own.loop, &connection->handle.pipe, 0);
		connection->stream->data = connection;
		check(uv_pipe_open(&connection->handle.pipe, fds[i]), "uv_pipe_open");
		uv_read_start(connection->stream, give_buffer, on_received);
	}
	uv_run(&own.loop, UV_RUN_NOWAIT);
}

const struct loop_bench loop_bench = {
	.name = "libuv",
	.open = open_loop,
	.start_and_stop = start_and_stop,
	.expire = expire,
	.echo = echo,
	.wait_on = wait_on,
};
