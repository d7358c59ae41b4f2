/* SPDX-License-Identifier: MIT */
#include "workloads/accept_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "workloads/message_bytes.h"

#define EVENTS_MAX 256

struct visitor {
	int fd; /* -1: none */
	uint32_t index;
	uint32_t visit; /* the first is 1 */
	uint32_t received_bytes;
	uint64_t begun_ns;
};

struct visitors {
	struct peer_shared *shared;
	const struct accept_load *load;
	const struct sockaddr *address;
	socklen_t address_len;
	int epoll_fd, control_fd;
	struct visitor *all;
	char *received, *expected;
	bool stopping; /* PEER_STOP was seen */
	uint32_t open_count;
	unsigned silent_waits; /* once stopping: in a row */
};

static void fail_visit(struct visitors *v, const struct visitor *visitor, const char *call,
		       int error)
{
	reason_errno(peer_failure(v->shared), "peer_call_failed", error,
		     "peer, connection {connection}: {call}",
		     reason_int("connection", visitor ? visitor->index : 0),
		     reason_string("call", call));
	peer_end_failed(v->shared);
}

/* Blocks only as long as the server's backlog is full. */
static int connect_to_server(struct visitors *v, const struct visitor *visitor)
{
	const struct linger reset_at_close = { .l_onoff = 1, .l_linger = 0 };
	int fd = socket(v->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail_visit(v, visitor, "socket", errno);
	if (v->address->sa_family == AF_INET &&
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset_at_close, sizeof reset_at_close) < 0)
		fail_visit(v, visitor, "SO_LINGER", errno);
	if (connect(fd, v->address, v->address_len) == 0)
		return fd;
	if (errno != EADDRNOTAVAIL)
		fail_visit(v, visitor, "connect", errno);
	reason_errno(peer_failure(v->shared), "no_free_port", errno,
		     "peer, connection {connection}: no port is free: all of "
		     "net.ipv4.ip_local_port_range are in use, or the kernel keeps "
		     "those of ended connections for a minute (TIME_WAIT)",
		     reason_int("connection", visitor ? visitor->index : 0));
	peer_end_failed(v->shared);
}

static void begin_visit(struct visitors *v, struct visitor *visitor)
{
	uint32_t msg_bytes = v->load->msg_size_bytes;
	visitor->visit++;
	visitor->received_bytes = 0;
	visitor->begun_ns = clock_ns();
	visitor->fd = connect_to_server(v, visitor);
	v->open_count++;
	message_bytes(v->load->seed, visitor->index, visitor->visit, v->expected, 0, msg_bytes);
	/* The socket is new and blocks, so all of it goes in one call. */
	ssize_t n = send(visitor->fd, v->expected, msg_bytes, MSG_NOSIGNAL);
	if (n != (ssize_t)msg_bytes)
		fail_visit(v, visitor, "send", n < 0 ? errno : EIO);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = visitor };
	if (epoll_ctl(v->epoll_fd, EPOLL_CTL_ADD, visitor->fd, &event) < 0)
		fail_visit(v, visitor, "epoll_ctl", errno);
}

static void end_visit(struct visitors *v, struct visitor *visitor)
{
	uint64_t now_ns = clock_ns();
	if (peer_phase(v->shared) == PEER_WINDOW)
		histogram_record(&v->shared->round_trips, now_ns - visitor->begun_ns, 1);
	close(visitor->fd);
	visitor->fd = -1;
	v->open_count--;
	if (!v->stopping)
		begin_visit(v, visitor);
}

static void receive_echo(struct visitors *v, struct visitor *visitor)
{
	uint32_t left = v->load->msg_size_bytes - visitor->received_bytes;
	/* One byte more than may come: an echo that is too long must show. */
	ssize_t n = recv(visitor->fd, v->received, left + 1, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return; /* epoll reports it again */
	if (n < 0)
		fail_visit(v, visitor, "recv", errno);
	if (n == 0) {
		reason_set(
			peer_failure(v->shared), "visit_cut_short",
			"peer, connection {connection}: the server closed the connection of visit "
			"{visit} before its echo was whole",
			reason_int("connection", visitor->index),
			reason_int("visit", visitor->visit));
		peer_end_failed(v->shared);
	}
	if (n > left) {
		reason_set(
			peer_failure(v->shared), "visit_sent_too_much",
			"peer, connection {connection}, visit {visit}: the server sent more than "
			"it had received",
			reason_int("connection", visitor->index),
			reason_int("visit", visitor->visit));
		peer_end_failed(v->shared);
	}
	message_bytes(v->load->seed, visitor->index, visitor->visit, v->expected,
		      visitor->received_bytes, (uint32_t)n);
	if (memcmp(v->received, v->expected + visitor->received_bytes % 8, (size_t)n) != 0) {
		reason_set(peer_failure(v->shared), "visit_echo_differs",
			   "peer, connection {connection}, visit {visit}: the echo differs within "
			   "bytes {first_byte} to {last_byte}",
			   reason_int("connection", visitor->index),
			   reason_int("visit", visitor->visit),
			   reason_int("first_byte", visitor->received_bytes),
			   reason_int("last_byte", visitor->received_bytes + (uint32_t)n - 1));
		peer_end_failed(v->shared);
	}
	visitor->received_bytes += (uint32_t)n;
	if (visitor->received_bytes == v->load->msg_size_bytes)
		end_visit(v, visitor);
}

/* Nothing came for long: names the first visit that is owed its echo. */
static void give_up_visits(struct visitors *v)
{
	const struct visitor *visitor = v->all;
	while (visitor->fd < 0)
		visitor++;
	reason_set(peer_failure(v->shared), "visit_echo_missing",
		   "peer, connection {connection}: the echo of visit {visit} never came back: "
		   "{returned_bytes} bytes returned, and nothing followed for {patience_s} s; "
		   "{waiting} of {clients} clients wait for an echo",
		   reason_int("connection", visitor->index), reason_int("visit", visitor->visit),
		   reason_int("returned_bytes", visitor->received_bytes),
		   reason_int("patience_s", PEER_PATIENCE_S), reason_int("waiting", v->open_count),
		   reason_int("clients", v->load->clients));
	peer_end_failed(v->shared);
}

/*
 * Once stopping: for echoes, and not for ever. Two waits must bring nothing: Ctrl-Z may have stopped
 * both processes for longer than one.
 */
static int wait_for_echoes(struct visitors *v, struct epoll_event *events)
{
	int wait_ms = v->stopping ? 1000 * PEER_PATIENCE_S / 2 : -1;
	int count = epoll_wait(v->epoll_fd, events, EVENTS_MAX, wait_ms);
	v->silent_waits = count == 0 ? v->silent_waits + 1 : 0;
	if (v->silent_waits == 2)
		give_up_visits(v);
	return count;
}

static void visit_until_stopped(struct visitors *v)
{
	struct epoll_event events[EVENTS_MAX];
	while (!v->stopping || v->open_count > 0) {
		int count = wait_for_echoes(v, events);
		if (count < 0 && errno != EINTR)
			fail_visit(v, NULL, "epoll_wait", errno);
		if (peer_phase(v->shared) == PEER_LEAVE)
			_exit(0);
		v->stopping = peer_phase(v->shared) == PEER_STOP;
		for (int i = 0; i < count; i++) {
			eventfd_t woken;
			if (events[i].data.ptr)
				receive_echo(v, events[i].data.ptr);
			else
				eventfd_read(v->control_fd,
					     &woken); /* what it is about is the phase */
		}
	}
}

/* What the child takes along. */
struct visitors_life {
	const struct accept_load *load;
	const struct sockaddr *address;
	socklen_t address_len;
};

static void visitors_live(struct peer_shared *shared, int control_fd, const void *context)
{
	const struct visitors_life *life = context;
	const struct accept_load *load = life->load;
	struct visitors v = {
		.shared = shared,
		.load = load,
		.address = life->address,
		.address_len = life->address_len,
		.control_fd = control_fd,
		.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		.all = calloc(load->clients, sizeof *v.all),
		.received = malloc(load->msg_size_bytes + 8),
		.expected = malloc(load->msg_size_bytes + 16),
	};
	if (!v.all || !v.received || !v.expected)
		fail_visit(&v, NULL, "malloc", ENOMEM);
	peer_await_go(control_fd);
	struct epoll_event control = { .events = EPOLLIN, .data.ptr = NULL };
	if (v.epoll_fd < 0 || epoll_ctl(v.epoll_fd, EPOLL_CTL_ADD, control_fd, &control) < 0)
		fail_visit(&v, NULL, "epoll", errno);
	for (uint32_t i = 0; i < load->clients; i++) {
		v.all[i].index = i;
		begin_visit(&v, &v.all[i]);
	}
	visit_until_stopped(&v);
	if (!load->no_farewell)
		shutdown(connect_to_server(&v, NULL), SHUT_WR);
	_exit(0);
}

int accept_peer_start(struct peer_process *peer, const struct accept_load *load,
		      const struct sockaddr *address, socklen_t address_len, const cpu_set_t *cpus,
		      struct reason *why)
{
	const struct visitors_life life = { load, address, address_len };
	return peer_start(peer, visitors_live, &life, cpus, why);
}
