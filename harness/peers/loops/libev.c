/* SPDX-License-Identifier: MIT */
/* libev over epoll. The echo answers at once, and waits for room only when the socket is full. */
#include <err.h>
#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peers/loops/loop_bench.h"

struct connection {
	ev_io readable, writable;
	uint32_t left_bytes;
	char *rest; /* what could not be sent at once, or NULL */
};

static struct {
	struct ev_loop *loop;
	ev_timer *timers;
	unsigned left;
	uint32_t message_bytes;
	char *buffer;
} own;

static void count_down(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	own.left--;
}

static void open_loop(const char *engine, unsigned timers, unsigned conns, uint32_t message_bytes)
{
	(void)engine;
	(void)conns;
	own.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	own.timers = calloc(timers + 1, sizeof *own.timers);
	own.buffer = malloc(message_bytes);
	own.message_bytes = message_bytes;
	if (!own.loop || !own.timers || !own.buffer)
		errx(1, "no loop or no memory");
	for (unsigned i = 0; i < timers; i++)
		ev_init(&own.timers[i], count_down);
}

static void start_timers(const struct timer_task *task)
{
	for (unsigned i = 0; i < task->count; i++) {
		ev_timer_set(&own.timers[i], task->delays_ms[i] / 1e3, 0.);
		ev_timer_start(own.loop, &own.timers[i]);
	}
}

static void start_and_stop(const struct timer_task *task)
{
	start_timers(task);
	for (unsigned i = 0; i < task->count; i++)
		ev_timer_stop(own.loop, &own.timers[task->stop_order[i]]);
}

static void expire(const struct timer_task *task)
{
	own.left = task->count;
	ev_now_update(own.loop);
	start_timers(task);
	ev_run(own.loop, 0);
	if (own.left > 0)
		errx(1, "%u timers were not called", own.left);
}

static void forget(struct connection *connection)
{
	ev_io_stop(own.loop, &connection->readable);
	ev_io_stop(own.loop, &connection->writable);
	close(connection->readable.fd);
	free(connection->rest);
	free(connection);
}

static void on_room(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct connection *connection = watcher->data;
	(void)events;
	ssize_t sent = send(watcher->fd, connection->rest, connection->left_bytes, MSG_NOSIGNAL);
	if (sent < 0)
		return;
	connection->left_bytes -= (uint32_t)sent;
	memmove(connection->rest, connection->rest + sent, connection->left_bytes);
	if (connection->left_bytes > 0)
		return;
	free(connection->rest);
	connection->rest = NULL;
	ev_io_stop(loop, &connection->writable);
	ev_io_start(loop, &connection->readable);
}

static void on_bytes(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct connection *connection = watcher->data;
	(void)events;
	ssize_t count = recv(watcher->fd, own.buffer, own.message_bytes, 0);
	if (count <= 0) {
		if (count == 0 || errno != EAGAIN)
			forget(connection);
		return;
	}
	ssize_t sent = send(watcher->fd, own.buffer, (size_t)count, MSG_NOSIGNAL);
	if (sent == count)
		return;
	sent = sent > 0 ? sent : 0;
	connection->left_bytes = (uint32_t)(count - sent);
	connection->rest = malloc(connection->left_bytes);
	if (!connection->rest)
		errx(1, "no memory");
	memcpy(connection->rest, own.buffer + sent, connection->left_bytes);
	ev_io_stop(loop, &connection->readable);
	ev_io_start(loop, &connection->writable);
}

static void take_on(int fd)
{
	struct connection *connection = calloc(1, sizeof *connection);
	if (!connection)
		errx(1, "no memory");
	ev_io_init(&connection->readable, on_bytes, fd, EV_READ);
	ev_io_init(&connection->writable, on_room, fd, EV_WRITE);
	connection->readable.data = connection->writable.data = connection;
	ev_io_start(own.loop, &connection->readable);
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop;
	(void)events;
	for (;;) {
		int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		take_on(fd);
	}
}

static void echo(int listener_fd)
{
	ev_io listener;
	ev_io_init(&listener, on_connection, listener_fd, EV_READ);
	ev_io_start(own.loop, &listener);
	ev_run(own.loop, 0);
}

static void wait_on(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		take_on(fds[i]);
	ev_run(own.loop, EVRUN_NOWAIT);
}

const struct loop_bench loop_bench = {
	.name = "libev",
	.open = open_loop,
	.start_and_stop = start_and_stop,
	.expire = expire,
	.echo = echo,
	.wait_on = wait_on,
};
