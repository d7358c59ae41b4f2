/* SPDX-License-Identifier: MIT */
#include "workloads/echo_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "workloads/message_bytes.h"

/* How much of a message is built, sent, received and compared at a time. */
#define CHUNK_BYTES (64 * 1024)

#define EVENTS_MAX 256

/*
 * Open loop: messages of one connection that may be on their way at once. More than these wait for
 * an echo, as they would for room in the socket, and keep the time at which they were due.
 */
#define ON_THE_WAY_MAX 256

struct connection {
	int fd;
	bool slow;
	bool paused; /* slow, and its next message is not due yet */
	bool watches_out; /* a send waits for room */
	bool over; /* the run is, and no echo is owed: nothing follows */
	uint32_t index;
	uint32_t sequence; /* of the message that is or was sent last; the first is 1 */
	uint32_t receiving; /* that whose echo comes next; the same one in a closed loop */
	uint32_t sent_bytes, received_bytes; /* of these two */
	uint32_t due; /* open loop: messages that should have been sent by now */
	uint64_t begun_ns; /* closed loop: when the message began */
	uint64_t *begun_ns_of; /* open loop: the same of each, [sequence % ON_THE_WAY_MAX] */
	uint64_t due_ns; /* slow: when the next message begins */
	struct connection *next; /* slow: in the queue of those that pause */
};

struct client {
	struct peer_shared *shared;
	const struct echo_load *load;
	int epoll_fd, control_fd, timer_fd;
	struct connection *connections;
	/* All pauses are equally long, so the queue is in the order in which they end. */
	struct connection *pausing, **pausing_end;
	uint64_t given_out; /* open loop: messages that were due and went to their connections */
	bool stopping; /* PEER_STOP was seen */
	uint32_t open_count; /* once stopping: connections that an echo is owed on */
	unsigned silent_waits; /* once stopping: in a row */
	bool settled; /* open loop: what was unanswered at the window's end is recorded */
	char *received, *expected;
};

static void fail_client(struct client *c, const struct connection *conn, const char *call,
			int error)
{
	reason_errno(peer_failure(c->shared), "peer_call_failed", error,
		     "peer, connection {connection}: {call}",
		     reason_int("connection", conn ? conn->index : 0), reason_string("call", call));
	peer_end_failed(c->shared);
}

static void watch(struct client *c, struct connection *conn, bool out)
{
	struct epoll_event event = { .events = out ? EPOLLIN | EPOLLOUT : EPOLLIN,
				     .data.ptr = conn };
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event) < 0)
		fail_client(c, conn, "epoll_ctl", errno);
	conn->watches_out = out;
}

/* Sends what the socket takes of the message under way. */
static void send_more(struct client *c, struct connection *conn)
{
	uint32_t msg_bytes = c->load->msg_size_bytes;
	while (conn->sent_bytes < msg_bytes) {
		uint32_t left = msg_bytes - conn->sent_bytes;
		uint32_t length = left < CHUNK_BYTES ? left : CHUNK_BYTES;
		message_bytes(c->load->seed, conn->index, conn->sequence, c->expected,
			      conn->sent_bytes, length);
		ssize_t n =
			send(conn->fd, c->expected + conn->sent_bytes % 8, length, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			if (!conn->watches_out)
				watch(c, conn, true);
			return;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_client(c, conn, "send", errno);
		conn->sent_bytes += (uint32_t)n;
	}
	if (conn->watches_out)
		watch(c, conn, false);
}

static void begin_message(struct client *c, struct connection *conn, uint64_t now_ns)
{
	conn->sequence++;
	conn->receiving++;
	conn->sent_bytes = conn->received_bytes = 0;
	conn->begun_ns = now_ns;
	send_more(c, conn);
}

/* Open loop: sends what is due on this connection, as far as there is room for it. */
static void send_due(struct client *c, struct connection *conn, uint64_t now_ns)
{
	while (!c->stopping && !conn->watches_out && conn->sequence < conn->due &&
	       conn->sequence - conn->receiving + 1 < ON_THE_WAY_MAX) {
		conn->sequence++;
		conn->sent_bytes = 0;
		conn->begun_ns_of[conn->sequence % ON_THE_WAY_MAX] = now_ns;
		send_more(c, conn);
	}
}

/* Open loop: gives every message that is due by now to its connection, in turn. */
static void follow_schedule(struct client *c)
{
	uint64_t now_ns = clock_ns();
	uint64_t due = schedule_due_count(&c->shared->schedule, now_ns);
	for (; c->given_out < due; c->given_out++) {
		struct connection *conn = &c->connections[c->given_out % c->load->active];
		conn->due++;
		send_due(c, conn, now_ns);
	}
}

/* Open loop: when message `sequence` of a connection was due. Of all, it has every active-th. */
static uint64_t message_due_ns(const struct client *c, const struct connection *conn,
			       uint32_t sequence)
{
	uint64_t number = (uint64_t)(sequence - 1) * c->load->active + conn->index;
	return schedule_due_ns(&c->shared->schedule, number);
}

/*
 * Open loop: once the window is over, what is due and has no echo counts with the time that it has
 * waited. To leave it out would be coordinated omission again.
 */
static void settle_overdue(struct client *c)
{
	if (c->settled || peer_phase(c->shared) < PEER_DONE)
		return;
	uint64_t now_ns = clock_ns();
	c->settled = true;
	for (uint32_t i = 0; i < c->load->active; i++) {
		const struct connection *conn = &c->connections[i];
		for (uint32_t k = conn->receiving; k <= conn->due; k++)
			histogram_record(&c->shared->round_trips,
					 now_ns - message_due_ns(c, conn, k), 1);
	}
}

/* The last echo of this connection is here, and no message follows. */
static void close_conn(struct client *c, struct connection *conn)
{
	conn->over = true;
	c->open_count--;
	close(conn->fd); /* an engine that blocks in its next receive must go on to another one */
}

/* Open loop: the whole echo of a message is here. */
static void end_scheduled_message(struct client *c, struct connection *conn)
{
	struct peer_shared *shared = c->shared;
	settle_overdue(c);
	uint64_t now_ns = clock_ns();
	if (peer_phase(shared) == PEER_WINDOW) {
		uint64_t begun_ns = conn->begun_ns_of[conn->receiving % ON_THE_WAY_MAX];
		histogram_record(&shared->round_trips,
				 now_ns - message_due_ns(c, conn, conn->receiving), 1);
		histogram_record(&shared->uncorrected, now_ns - begun_ns, 1);
	}
	__atomic_store_n(&shared->answered, shared->answered + 1, __ATOMIC_RELAXED);
	conn->receiving++;
	conn->received_bytes = 0;
	if (c->stopping && conn->receiving > conn->sequence)
		close_conn(c, conn);
	else
		send_due(c, conn, now_ns);
}

static void set_timer(struct client *c)
{
	struct itimerspec at = { .it_value = timespec_of_ns((int64_t)c->pausing->due_ns) };
	if (timerfd_settime(c->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		fail_client(c, NULL, "timerfd_settime", errno);
}

static void pause_connection(struct client *c, struct connection *conn, uint64_t now_ns)
{
	conn->due_ns = now_ns + (uint64_t)(c->load->slow_pause_ms * NS_PER_MS);
	conn->next = NULL;
	conn->paused = true;
	bool was_empty = !c->pausing;
	*c->pausing_end = conn;
	c->pausing_end = &conn->next;
	if (was_empty)
		set_timer(c);
}

static void end_pauses(struct client *c)
{
	uint64_t expirations, now_ns = clock_ns();
	if (read(c->timer_fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
		fail_client(c, NULL, "timerfd", errno);
	while (c->pausing && c->pausing->due_ns <= now_ns) {
		struct connection *conn = c->pausing;
		c->pausing = conn->next;
		if (!c->pausing)
			c->pausing_end = &c->pausing;
		conn->paused = false;
		if (!c->stopping)
			begin_message(c, conn, now_ns);
	}
	if (c->pausing)
		set_timer(c);
}

static void end_message(struct client *c, struct connection *conn)
{
	if (c->load->rate_per_s) {
		end_scheduled_message(c, conn);
		return;
	}
	uint64_t now_ns = clock_ns();
	if (!conn->slow && peer_phase(c->shared) == PEER_WINDOW)
		histogram_record(&c->shared->round_trips, now_ns - conn->begun_ns, 1);
	if (c->stopping)
		close_conn(c, conn);
	else if (conn->slow)
		pause_connection(c, conn, now_ns);
	else
		begin_message(c, conn, now_ns);
}

static void receive(struct client *c, struct connection *conn)
{
	uint32_t left = c->load->msg_size_bytes - conn->received_bytes;
	uint32_t length = left < CHUNK_BYTES ? left : CHUNK_BYTES;
	bool last = conn->receiving >= conn->sequence;
	/* One byte more than may come: an echo that is too long must show. */
	ssize_t n = recv(conn->fd, c->received, last && length == left ? length + 1 : length, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return; /* epoll reports it again */
	if (n < 0)
		fail_client(c, conn, "recv", errno);
	if (n == 0) {
		reason_set(
			peer_failure(c->shared), "server_closed_early",
			"peer, connection {connection}: the server closed the connection in the midst of the run",
			reason_int("connection", conn->index));
		peer_end_failed(c->shared);
	}
	int64_t echoed = ((int64_t)conn->sequence - conn->receiving) * c->load->msg_size_bytes +
			 conn->sent_bytes - conn->received_bytes;
	if (n > echoed) {
		reason_set(
			peer_failure(c->shared), "server_sent_too_much",
			"peer, connection {connection}: the server sent more than it had received",
			reason_int("connection", conn->index));
		peer_end_failed(c->shared);
	}
	message_bytes(c->load->seed, conn->index, conn->receiving, c->expected,
		      conn->received_bytes, (uint32_t)n);
	if (!c->load->trust_echo &&
	    memcmp(c->received, c->expected + conn->received_bytes % 8, (size_t)n) != 0) {
		reason_set(
			peer_failure(c->shared), "echo_differs",
			"peer, connection {connection}: message {message}: the echo differs within "
			"bytes {first_byte} to {last_byte}",
			reason_int("connection", conn->index),
			reason_int("message", conn->receiving),
			reason_int("first_byte", conn->received_bytes),
			reason_int("last_byte", conn->received_bytes + (uint32_t)n - 1));
		peer_end_failed(c->shared);
	}
	conn->received_bytes += (uint32_t)n;
	if (conn->received_bytes == c->load->msg_size_bytes)
		end_message(c, conn);
}

static void fail_to_connect(struct client *c, const struct connection *conn)
{
	if (errno != EADDRNOTAVAIL)
		fail_client(c, conn, "connect", errno);
	reason_errno(peer_failure(c->shared), "no_free_port", errno,
		     "peer, connection {connection}: no port is free: all of "
		     "net.ipv4.ip_local_port_range are in use, or the kernel keeps "
		     "those of ended connections for a minute (TIME_WAIT)",
		     reason_int("connection", conn->index));
	peer_end_failed(c->shared);
}

static void connect_all(struct client *c, const struct sockaddr *address, socklen_t address_len)
{
	const struct echo_load *load = c->load;
	for (uint32_t i = 0; i < load->conns; i++) {
		struct connection *conn = &c->connections[i];
		conn->index = i;
		conn->slow = i < load->slow_conns;
		conn->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (conn->fd < 0)
			fail_client(c, conn, "socket", errno);
		if (connect(conn->fd, address, address_len) < 0)
			fail_to_connect(c, conn);
		int on = 1;
		if (address->sa_family == AF_INET &&
		    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
			fail_client(c, conn, "TCP_NODELAY", errno);
		if (fcntl(conn->fd, F_SETFL, O_NONBLOCK) < 0)
			fail_client(c, conn, "O_NONBLOCK", errno);
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
		if (i < load->active && epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) < 0)
			fail_client(c, conn, "epoll_ctl", errno);
	}
}

/* Is the echo of a message under way, or one of several in an open loop? */
static bool owes(const struct client *c, const struct connection *conn)
{
	if (c->load->rate_per_s)
		return conn->receiving <= conn->sequence;
	return !conn->paused;
}

/* PEER_STOP was seen: what is owed nothing leaves at once. */
static void begin_to_stop(struct client *c)
{
	c->stopping = true;
	c->open_count = c->load->conns;
	if (c->load->rate_per_s)
		settle_overdue(c);
	for (uint32_t i = 0; i < c->load->conns; i++)
		if (i >= c->load->active || !owes(c, &c->connections[i]))
			close_conn(c, &c->connections[i]);
}

/* Nothing came for long: names the first message that is owed, and how many connections wait. */
static void give_up(struct client *c)
{
	uint32_t i = 0;
	while (c->connections[i].over)
		i++;
	const struct connection *conn = &c->connections[i];
	uint32_t sent_bytes =
		conn->receiving == conn->sequence ? conn->sent_bytes : c->load->msg_size_bytes;
	reason_set(
		peer_failure(c->shared), "echo_missing",
		"peer, connection {connection}: message {message} never came back: {sent_bytes} "
		"bytes were sent, {returned_bytes} returned, and nothing followed for {patience_s} "
		"s; {waiting} of {active} connections wait for an echo",
		reason_int("connection", conn->index), reason_int("message", conn->receiving),
		reason_int("sent_bytes", sent_bytes),
		reason_int("returned_bytes", conn->received_bytes),
		reason_int("patience_s", PEER_PATIENCE_S), reason_int("waiting", c->open_count),
		reason_int("active", c->load->active));
	peer_end_failed(c->shared);
}

/*
 * Once stopping: for echoes, and not for ever. Two waits must bring nothing: Ctrl-Z may have stopped
 * both processes for longer than one.
 */
static int wait_for_owed(struct client *c, struct epoll_event *events)
{
	int count = epoll_wait(c->epoll_fd, events, EVENTS_MAX, 1000 * PEER_PATIENCE_S / 2);
	c->silent_waits = count == 0 ? c->silent_waits + 1 : 0;
	if (c->silent_waits == 2)
		give_up(c);
	return count;
}

/* Until something happens; in an open loop until the next message is due at the latest. */
static int wait_for_events(struct client *c, struct epoll_event *events)
{
	if (c->stopping)
		return wait_for_owed(c, events);
	if (!c->load->rate_per_s)
		return epoll_wait(c->epoll_fd, events, EVENTS_MAX, -1);
	uint64_t now_ns = clock_ns();
	uint64_t due_ns = schedule_due_ns(&c->shared->schedule, c->given_out);
	struct timespec wait = timespec_of_ns(due_ns > now_ns ? (int64_t)(due_ns - now_ns) : 0);
	/* In nanoseconds, Linux 5.11; milliseconds could not keep a schedule. */
	return epoll_pwait2(c->epoll_fd, events, EVENTS_MAX, &wait, NULL);
}

/* Only to wake us; what it is about is the phase. */
static void hear_control(struct client *c)
{
	eventfd_t count;
	eventfd_read(c->control_fd, &count);
}

static void serve_events(struct client *c)
{
	struct epoll_event events[EVENTS_MAX];
	while (!c->stopping || c->open_count > 0) {
		if (c->load->rate_per_s && !c->stopping) {
			follow_schedule(c);
			settle_overdue(c);
		}
		int count = wait_for_events(c, events);
		if (count < 0 && errno != EINTR)
			fail_client(c, NULL, "epoll_wait", errno);
		enum peer_phase phase = peer_phase(c->shared);
		if (phase == PEER_LEAVE)
			return;
		if (phase == PEER_STOP && !c->stopping)
			begin_to_stop(c);
		for (int i = 0; i < count; i++) {
			struct connection *conn = events[i].data.ptr;
			if (!conn) {
				hear_control(c);
				continue;
			}
			if (conn == c->connections + c->load->conns) {
				end_pauses(c);
				continue;
			}
			if (conn->over)
				continue;
			if (conn->watches_out && (events[i].events & EPOLLOUT)) {
				send_more(c, conn);
				if (c->load->rate_per_s)
					send_due(c, conn, clock_ns());
			}
			if ((events[i].events & ~(uint32_t)EPOLLOUT) && !conn->over)
				receive(c, conn);
		}
	}
}

static void begin_schedule(struct client *c, struct connection *conn)
{
	conn->receiving = 1;
	conn->begun_ns_of = malloc(ON_THE_WAY_MAX * sizeof *conn->begun_ns_of);
	if (!conn->begun_ns_of)
		fail_client(c, conn, "malloc", ENOMEM);
}

/* What the child takes along. */
struct life {
	const struct echo_load *load;
	const struct sockaddr *address;
	socklen_t address_len;
};

/* The peer's whole life, in the child. */
static void live(struct peer_shared *shared, int control_fd, const void *context)
{
	const struct life *life = context;
	const struct echo_load *load = life->load;
	shared->schedule.rate_per_s = load->rate_per_s;
	struct client c = {
		.shared = shared,
		.load = load,
		.control_fd = control_fd,
		.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		/* One more than there are: its address marks the timer's events. */
		.connections = calloc(load->conns + 1, sizeof(struct connection)),
		.received = malloc(CHUNK_BYTES + 8),
		.expected = malloc(CHUNK_BYTES + 16),
	};
	c.pausing_end = &c.pausing;
	if (!c.connections || !c.received || !c.expected)
		fail_client(&c, NULL, "malloc", ENOMEM);
	struct epoll_event control = { .events = EPOLLIN, .data.ptr = NULL };
	struct epoll_event timer = { .events = EPOLLIN, .data.ptr = c.connections + load->conns };
	if (c.epoll_fd < 0 || c.timer_fd < 0 ||
	    epoll_ctl(c.epoll_fd, EPOLL_CTL_ADD, c.timer_fd, &timer) < 0)
		fail_client(&c, NULL, "epoll, timerfd", errno);
	connect_all(&c, life->address, life->address_len);

	peer_await_go(control_fd);
	if (epoll_ctl(c.epoll_fd, EPOLL_CTL_ADD, control_fd, &control) < 0)
		fail_client(&c, NULL, "epoll_ctl", errno);
	uint64_t now_ns = clock_ns();
	__atomic_store_n(&shared->schedule.begun_ns, now_ns, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < load->active; i++) {
		if (load->rate_per_s)
			begin_schedule(&c, &c.connections[i]);
		else
			begin_message(&c, &c.connections[i], now_ns);
	}
	serve_events(&c);
	_exit(0); /* closes every connection */
}

int echo_peer_start(struct peer_process *peer, const struct echo_load *load,
		    const struct sockaddr *address, socklen_t address_len, const cpu_set_t *cpus,
		    struct reason *why)
{
	const struct life life = { load, address, address_len };
	return peer_start(peer, live, &life, cpus, why);
}
