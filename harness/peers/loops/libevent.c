/* SPDX-License-Identifier: MIT */
/*
 * libevent with events, which cost less than its bufferevents. The echo answers at once, and waits for
 * room only when the socket is full.
 */
#include <err.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peers/loops/loop_bench.h"

struct connection {
	struct event readable, writable;
	uint32_t left_bytes;
	char *rest; /* what could not be sent at once, or NULL */
};

static struct {
	struct event_base *base;
	struct event *timers;
	unsigned left;
	uint32_t message_bytes;
	char *buffer;
} own;

static void count_down(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	(void)context;
	own.left--;
}

static void open_loop(const char *engine, unsigned timers, unsigned conns, uint32_t message_bytes)
{
	(void)engine;
	(void)conns;
	struct event_config *config = event_config_new();
	/* No lock: there is one thread. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	own.base = event_base_new_with_config(config);
	event_config_free(config);
	own.timers = calloc(timers + 1, sizeof *own.timers);
	own.buffer = malloc(message_bytes);
	own.message_bytes = message_bytes;
	if (!own.base || !own.timers || !own.buffer)
		errx(1, "no loop or no memory");
	for (unsigned i = 0; i < timers; i++)
		evtimer_assign(&own.timers[i], own.base, count_down, NULL);
}

static void start_timers(const struct timer_task *task)
{
	for (unsigned i = 0; i < task->count; i++) {
		struct timeval delay = { task->delays_ms[i] / 1000,
					 task->delays_ms[i] % 1000 * 1000 };
		evtimer_add(&own.timers[i], &delay);
	}
}

static void start_and_stop(const struct timer_task *task)
{
	start_timers(task);
	for (unsigned i = 0; i < task->count; i++)
		evtimer_del(&own.timers[task->stop_order[i]]);
}

static void expire(const struct timer_task *task)
{
	own.left = task->count;
	event_base_update_cache_time(own.base);
	start_timers(task);
	event_base_dispatch(own.base);
	if (own.left > 0)
		errx(1, "%u timers were not called", own.left);
}

static void forget(struct connection *connection, int fd)
{
	event_del(&connection->readable);
	event_del(&connection->writable);
	close(fd);
	free(connection->rest);
	free(connection);
}

static void on_room(evutil_socket_t fd, short events, void *context)
{
	struct connection *connection = context;
	(void)events;
	ssize_t sent = send(fd, connection->rest, connection->left_bytes, MSG_NOSIGNAL);
	if (sent < 0)
		return;
	connection->left_bytes -= (uint32_t)sent;
	memmove(connection->rest, connection->rest + sent, connection->left_bytes);
	if (connection->left_bytes > 0)
		return;
	free(connection->rest);
	connection->rest = NULL;
	event_del(&connection->writable);
	event_add(&connection->readable, NULL);
}

static void on_bytes(evutil_socket_t fd, short events, void *context)
{
	struct connection *connection = context;
	(void)events;
	ssize_t count = recv(fd, own.buffer, own.message_bytes, 0);
	if (count <= 0) {
		if (count == 0 || errno != EAGAIN)
			forget(connection, fd);
		return;
	}
	ssize_t sent = send(fd, own.buffer, (size_t)count, MSG_NOSIGNAL);
	if (sent == count)
		return;
	sent = sent > 0 ? sent : 0;
	connection->left_bytes = (uint32_t)(count - sent);
	connection->rest = malloc(connection->left_bytes);
	if (!connection->rest)
		errx(1, "no memory");
	memcpy(connection->rest, own.buffer + sent, connection->left_bytes);
	event_del(&connection->readable);
	event_add(&connection->writable, NULL);
}

static void take_on(int fd)
{
	struct connection *connection = calloc(1, sizeof *connection);
	if (!connection)
		errx(1, "no memory");
	event_assign(&connection->readable, own.base, fd, EV_READ | EV_PERSIST, on_bytes,
		     connection);
	event_assign(&connection->writable, own.base, fd, EV_WRITE | EV_PERSIST, on_room,
		     connection);
	event_add(&connection->readable, NULL);
}

static void on_connection(evutil_socket_t listener, short events, void *context)
{
	(void)events;
	(void)context;
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		take_on(fd);
	}
}

static void echo(int listener_fd)
{
	struct event listener;
	event_assign(&listener, own.base, listener_fd, EV_READ | EV_PERSIST, on_connection, NULL);
	event_add(&listener, NULL);
	event_base_dispatch(own.base);
}

static void wait_on(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		take_on(fds[i]);
	event_base_loop(own.base, EVLOOP_NONBLOCK);
}

const struct loop_bench loop_bench = {
	.name = "libevent",
	.open = open_loop,
	.start_and_stop = start_and_stop,
	.expire = expire,
	.echo = echo,
	.wait_on = wait_on,
};
