/* SPDX-License-Identifier: MIT */
/* ACCEPT and CONNECT: connections that come, that are made, that are refused, that are gone. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "conformance.h"
#include "faults.h"
#include "tests.h"

#define BACKLOG 8

/* Where the listener is. */
struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_un un;
	};
	socklen_t len_bytes;
};

static void only_with_connections(struct subject *s, enum io_kind kind)
{
	struct reason why = { "" };
	struct engine_config config = {
		.depth = 1,
		.options = s->options,
		.cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
	};
	enum io_fd_kind fd_kind = kind == IO_ACCEPT ? IO_FD_LISTENER : IO_FD_SOCKET;
	if (s->ops->supports(&config, kind, fd_kind, &why) < 0)
		test_skipped("%s", why.text);
}

/* In the mode that the engine asks for. */
static int new_socket(const struct subject *s)
{
	int mode = s->ops->traits & IO_TRIES_CONNECTIONS ? SOCK_NONBLOCK : 0;
	int fd =
		socket(s->flavour == TCP ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | mode, 0);
	expect(fd >= 0, "socket: %s", strerror(errno));
	return fd;
}

static int new_listener(const struct subject *s, int backlog, struct address *at)
{
	memset(at, 0, sizeof *at);
	if (s->flavour == TCP) {
		at->in = (struct sockaddr_in) { .sin_family = AF_INET };
		at->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		at->len_bytes = sizeof at->in;
	} else {
		/* Only the family: the kernel chooses a name that no file has, unix(7). */
		at->un.sun_family = AF_UNIX;
		at->len_bytes = sizeof(sa_family_t);
	}
	int fd = new_socket(s);
	expect(bind(fd, &at->any, at->len_bytes) == 0, "bind: %s", strerror(errno));
	at->len_bytes = sizeof at->un;
	expect(getsockname(fd, &at->any, &at->len_bytes) == 0, "getsockname: %s", strerror(errno));
	expect(listen(fd, backlog) == 0, "listen: %s", strerror(errno));
	return fd;
}

/* The test's own client. */
static int new_client(const struct subject *s, const struct address *at)
{
	int fd = socket(s->flavour == TCP ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(fd >= 0 && connect(fd, &at->any, at->len_bytes) == 0,
	       "the test's own connect failed: %s", strerror(errno));
	return fd;
}

static void attach_as(struct subject *s, unsigned fd_slot, int fd, enum io_fd_kind fd_kind)
{
	struct reason why = { "" };
	int rc = s->ops->attach ? s->ops->attach(s->engine, fd_slot, fd, fd_kind, &why) : 0;
	if (rc == -EOPNOTSUPP &&
	    s->options) /* an option of use with other descriptors of the kind */
		test_skipped("%s", why.text);
	expect(rc == 0, EXPECTED("attach() to succeed") SAW("%s: %s"), answer(rc), why.text);
}

static struct io_op *prepare_accept(struct subject *s, unsigned slot, int listener,
				    unsigned fd_slot)
{
	struct io_op *op = prepare(s, slot, IO_ACCEPT, listener, fd_slot, 0, 0);
	op->buf = NULL;
	return op;
}

static struct io_op *prepare_connect(struct subject *s, unsigned slot, int fd, unsigned fd_slot,
				     const struct address *at)
{
	memcpy(buffer_of(s, slot), &at->any, at->len_bytes);
	return prepare(s, slot, IO_CONNECT, fd, fd_slot, 0, at->len_bytes);
}

static void expect_connected(int accepted, int client)
{
	char seen[8];
	expect(accepted >= 0, EXPECTED("a descriptor") SAW("%s"), answer(accepted));
	expect((fcntl(accepted, F_GETFD) & FD_CLOEXEC) != 0,
	       "the accepted descriptor is not closed on exec");
	expect((fcntl(accepted, F_GETFL) & O_NONBLOCK) == 0,
	       "the accepted descriptor is not in blocking mode");
	expect(write(client, "ping", 4) == 4 && read(accepted, seen, 8) == 4 &&
		       memcmp(seen, "ping", 4) == 0,
	       "what the client wrote did not come through the accepted descriptor");
}

void accept_takes_who_waits(struct subject *s)
{
	enum { CLIENTS = 5 };
	only_with_connections(s, IO_ACCEPT);
	struct address at;
	int clients[CLIENTS], listener = new_listener(s, BACKLOG, &at);
	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = new_client(s, &at);
	open_engine(s, 2, 1);
	attach_as(s, 0, listener, IO_FD_LISTENER);
	for (unsigned i = 0; i < CLIENTS; i++) {
		int accepted = (int)perform(s, prepare_accept(s, i % 2, listener, 0));
		expect_connected(accepted, clients[i]); /* in the order in which they came */
		close(accepted);
		close(clients[i]);
	}
	detach(s, 0);
	close_engine(s);
	close(listener);
}

/* After detach(), and after close() without it: the engine accepts no more, and keeps nothing open. */
void accept_ends_with_the_engine(struct subject *s)
{
	enum { CLIENTS = 3 };
	char byte;
	only_with_connections(s, IO_ACCEPT);
	for (unsigned detached = 0; detached < 2; detached++) {
		struct address at;
		int clients[CLIENTS], listener = new_listener(s, BACKLOG, &at);
		open_engine(s, 1, 2);
		attach_as(s, 1, listener, IO_FD_LISTENER);
		for (unsigned i = 0; i < CLIENTS; i++)
			clients[i] = new_client(s, &at);
		int accepted = (int)perform(s, prepare_accept(s, 0, listener, 1));
		expect_connected(accepted, clients[0]);
		close(accepted);
		if (detached)
			detach(s, 1);
		else
			close_engine(s);
		for (unsigned i = 1; i < CLIENTS; i++) {
			if (traits_of(s) &
			    IO_ACCEPTS_AHEAD) { /* accepted by nobody: closed, or in the backlog */
				ssize_t n = recv(clients[i], &byte, 1, MSG_DONTWAIT);
				expect(n == 0 || errno == EAGAIN,
				       "a connection that was taken ahead is open");
				if (n == 0) {
					close(clients[i]);
					clients[i] = new_client(s, &at);
				}
			}
			int next = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			expect_connected(next, clients[i]);
			close(next);
			close(clients[i]);
		}
		if (detached)
			close_engine(s);
		close(clients[0]);
		close(listener);
	}
}

/* Nobody asks for a client that is there. Another operation waits meanwhile, and reap() sleeps. */
void accept_leaves_who_comes_unasked(struct subject *s)
{
	enum { ROUNDS = 3 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	only_with_connections(s, IO_ACCEPT);
	struct address at;
	int ends[2], listener = new_listener(s, BACKLOG, &at);
	make_pair(s, ends);
	open_engine(s, 2, 2);
	attach_as(s, 0, listener, IO_FD_LISTENER);
	attach(s, 1, ends[0]);
	for (unsigned round = 0; round < ROUNDS; round++) {
		int client = new_client(s, &at);
		struct io_op *receive = prepare_receive(s, 1, ends[0], 1);
		start(s, receive);
		expect_asleep(s, 50 * NS_PER_MS);
		expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
		await(s, receive);
		int accepted = (int)perform(s, prepare_accept(s, 0, listener, 0));
		expect_connected(accepted, client);
		close(accepted);
		close(client);
	}
	detach(s, 0);
	detach(s, 1);
	close_engine(s);
	close(listener);
	close(ends[0]);
	close(ends[1]);
}

void accept_waits_for_a_client(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	only_with_connections(s, IO_ACCEPT);
	struct address at;
	struct io_op *done[1];
	int listener = new_listener(s, BACKLOG, &at);
	open_engine(s, 1, 1);
	attach_as(s, 0, listener, IO_FD_LISTENER);
	for (unsigned i = 0; i < 3; i++) {
		struct io_op *op = prepare_accept(s, 0, listener, 0);
		start(s, op);
		expect(reap(s, done, 1, 1, NS_PER_MS) == 0, EXPECTED("no client yet") SAW("%s"),
		       answer(op->result));
		int client = new_client(s, &at);
		await(s, op);
		expect_connected((int)op->result, client);
		close((int)op->result);
		close(client);
	}
	detach(s, 0);
	close_engine(s);
	close(listener);
}

/* Another process may take the client between the kernel's word and the call. */
void accept_false_alarm_goes_on_waiting(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	only_with_connections(s, IO_ACCEPT);
	struct address at;
	struct io_op *done[1];
	int listener = new_listener(s, BACKLOG, &at);
	open_engine(s, 1, 1);
	attach_as(s, 0, listener, IO_FD_LISTENER);
	struct io_op *op = prepare_accept(s, 0, listener, 0);
	start(s, op);
	expect(reap(s, done, 1, 1, NS_PER_MS) == 0, EXPECTED("no client yet") SAW("%s"),
	       answer(op->result));
	int first = new_client(s, &at);
	int mode = fcntl(listener, F_GETFL);
	fcntl(listener, F_SETFL, mode | O_NONBLOCK);
	int taken = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	fcntl(listener, F_SETFL, mode);
	if (taken >= 0) { /* else the engine was faster */
		unsigned n = reap(s, done, 1, 1, NS_PER_MS);
		expect(n == 0,
		       WHEN("the client was taken by another") EXPECTED("nothing") SAW("%s"),
		       answer(op->result));
		close(taken);
		close(first);
		first = new_client(s, &at);
	}
	await(s, op);
	expect_connected((int)op->result, first);
	close((int)op->result);
	close(first);
	detach(s, 0);
	close_engine(s);
	close(listener);
}

/* A client that has gone again: a connection at its end, or an error, and never a wait. */
void accept_of_a_client_that_has_gone(struct subject *s)
{
	only_with_connections(s, IO_ACCEPT);
	struct address at;
	int listener = new_listener(s, BACKLOG, &at);
	int client = new_client(s, &at);
	struct linger reset = { .l_onoff = 1 };
	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(client);
	open_engine(s, 1, 1);
	attach_as(s, 0, listener, IO_FD_LISTENER);
	int64_t result = perform(s, prepare_accept(s, 0, listener, 0));
	expect(result >= 0 || result == -ECONNABORTED,
	       EXPECTED("a descriptor, or -ECONNABORTED") SAW("%s"), answer(result));
	if (result >= 0)
		close((int)result);
	detach(s, 0);
	close_engine(s);
	close(listener);
}

/* A program may have closed its standard input: then 0 is the next descriptor, and as good as any. */
void accept_returns_descriptor_0(struct subject *s)
{
	only_with_connections(s, IO_ACCEPT);
	struct address at;
	int listener = new_listener(s, BACKLOG, &at);
	open_engine(s, 1, 1);
	attach_as(s, 0, listener, IO_FD_LISTENER);
	int client = new_client(s, &at);
	int standard_input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	expect(standard_input >= 0, "the test itself gets no descriptor");
	close(STDIN_FILENO);
	int64_t result = perform(s, prepare_accept(s, 0, listener, 0));
	expect(result == 0, WHEN("standard input is closed") EXPECTED("descriptor 0") SAW("%s"),
	       answer(result));
	expect_connected(0, client);
	dup2(standard_input, STDIN_FILENO);
	close(standard_input);
	close(client);
	detach(s, 0);
	close_engine(s);
	close(listener);
}

/* After an accept that failed: its client is there still, and is the next accept's. */
static void expect_client_not_lost(struct subject *s, int listener, int client)
{
	int accepted = (int)perform(s, prepare_accept(s, 0, listener, 0));
	expect_connected(accepted, client);
	close(accepted);
}

/* No number is free for it: that is its result, and the client waits for the next one. */
void accept_without_a_free_number(struct subject *s)
{
	only_with_connections(s, IO_ACCEPT);
	struct address at;
	struct rlimit limit;
	int listener = new_listener(s, BACKLOG, &at);
	int client = new_client(s, &at);
	open_engine(s, 1, 1);
	attach_as(s, 0, listener, IO_FD_LISTENER);
	getrlimit(RLIMIT_NOFILE, &limit);
	int lowest = fcntl(listener, F_DUPFD_CLOEXEC, 0);
	close(lowest);
	struct rlimit low = { .rlim_cur = (rlim_t)lowest, .rlim_max = limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &low);
	int64_t result = perform(s, prepare_accept(s, 0, listener, 0));
	setrlimit(RLIMIT_NOFILE, &limit);
	expect(result == -EMFILE, WHEN("no number is free") EXPECTED("-EMFILE") SAW("%s"),
	       answer(result));
	expect_client_not_lost(s, listener, client);
	close(client);
	detach(s, 0);
	close_engine(s);
	close(listener);
}

void accept_on_no_listener(struct subject *s)
{
	only_with_connections(s, IO_ACCEPT);
	int fd = new_socket(s);
	open_engine(s, 1, 1);
	attach_as(s, 0, fd, IO_FD_LISTENER);
	int64_t result = perform(s, prepare_accept(s, 0, fd, 0));
	expect(result == -EINVAL, EXPECTED("-EINVAL") SAW("%s"), answer(result));
	detach(s, 0);
	close_engine(s);
	close(fd);
}

/* For a test of other things: one connection, accepted through `fd_slot`, where the engine can. */
void accept_a_client(struct subject *s, unsigned slot, unsigned fd_slot)
{
	struct reason why = { "" };
	struct engine_config config = { .depth = 1, .cpu_count = 2, .options = s->options };
	struct address at;
	if (s->ops->supports(&config, IO_ACCEPT, IO_FD_LISTENER, &why) < 0)
		return;
	int listener = new_listener(s, BACKLOG, &at), client = new_client(s, &at);
	attach_as(s, fd_slot, listener, IO_FD_LISTENER);
	int accepted = (int)perform(s, prepare_accept(s, slot, listener, fd_slot));
	expect_connected(accepted, client);
	detach(s, fd_slot);
	close(accepted);
	close(client);
	close(listener);
}

void connect_reaches_a_listener(struct subject *s)
{
	only_with_connections(s, IO_CONNECT);
	struct address at;
	struct io_op *done[1];
	int listener = new_listener(s, BACKLOG, &at);
	fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) & ~O_NONBLOCK);
	open_engine(s, 2, 2);
	for (unsigned i = 0; i < 4; i++) {
		int fd = new_socket(s);
		int mode = fcntl(fd, F_GETFL);
		attach_as(s, i % 2, fd, IO_FD_SOCKET);
		if (i >= 2) /* the engine hears of the socket before it is connected */
			expect(reap(s, done, 0, 1, 0) == 0,
			       "something came back, and nothing waits");
		int64_t result = perform(s, prepare_connect(s, 0, fd, i % 2, &at));
		expect(result == 0, EXPECTED("0") SAW("%s"), answer(result));
		expect((fcntl(fd, F_GETFL) & ~O_ASYNC) == mode,
		       "the mode of the socket has changed");
		int other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		/* The same socket then works in both directions, for the engine too. */
		expect(write(other, "hello", 5) == 5, "the test's own write failed");
		struct io_op *receive = prepare_receive(s, 0, fd, i % 2);
		result = perform(s, receive);
		expect(result == 5 && memcmp(receive->buf, "hello", 5) == 0,
		       WHEN("received from it") EXPECTED("5") SAW("%s"), answer(result));
		memcpy(buffer_of(s, 1), "answer", 6);
		result = perform(s, prepare_send(s, 1, fd, i % 2, 6));
		expect(result == 6, WHEN("sent to it") EXPECTED("6") SAW("%s"), answer(result));
		shutdown(other, SHUT_WR);
		result = perform(s, prepare_receive(s, 0, fd, i % 2));
		expect(result == 0, WHEN("the peer has ended") EXPECTED("0") SAW("%s"),
		       answer(result));
		detach(s, i % 2);
		close(fd);
		close(other);
	}
	close_engine(s);
	close(listener);
}

void connect_to_nobody(struct subject *s)
{
	only_with_connections(s, IO_CONNECT);
	struct address at;
	close(new_listener(s, BACKLOG, &at));
	int fd = new_socket(s);
	open_engine(s, 1, 1);
	attach_as(s, 0, fd, IO_FD_SOCKET);
	int64_t result = perform(s, prepare_connect(s, 0, fd, 0, &at));
	expect(result == -ECONNREFUSED, EXPECTED("-ECONNREFUSED") SAW("%s"), answer(result));
	detach(s, 0);
	close_engine(s);
	close(fd);
}

/* The kernel drops the SYN of a client for whom the listener has no room, so its connect waits. */
void connect_waits_and_is_called_back(struct subject *s)
{
	enum { FILLERS = 4 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	only_with_connections(s, IO_CONNECT);
	struct address at;
	struct io_op *done[1];
	int fillers[FILLERS], listener = new_listener(s, 0, &at);
	for (unsigned i = 0; i < FILLERS; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(fillers[i], &at.any, at.len_bytes);
	}
	int fd = new_socket(s);
	open_engine(s, 1, 1);
	attach_as(s, 0, fd, IO_FD_SOCKET);
	struct io_op *op = prepare_connect(s, 0, fd, 0, &at);
	start(s, op);
	expect(reap(s, done, 1, 1, 5 * NS_PER_MS) == 0,
	       WHEN("the listener has no room") EXPECTED("a connect that waits") SAW("%s"),
	       answer(op->result));
	cancel_one(s, op);
	await(s, op);
	expect(op->result == -ECANCELED,
	       WHEN("after cancel_one()") EXPECTED("-ECANCELED") SAW("%s"), answer(op->result));
	detach(s, 0);
	close_engine(s);
	close(fd);
	close(listener);
	for (unsigned i = 0; i < FILLERS; i++)
		close(fillers[i]);
}

void accept_is_called_back(struct subject *s)
{
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	only_with_connections(s, IO_ACCEPT);
	struct address at;
	struct io_op *done[1];
	int listener = new_listener(s, BACKLOG, &at);
	open_engine(s, 2, 1);
	attach_as(s, 0, listener, IO_FD_LISTENER);
	struct io_op *op = prepare_accept(s, 0, listener, 0);
	start(s, op);
	expect(reap(s, done, 1, 1, NS_PER_MS) == 0, EXPECTED("no client yet") SAW("%s"),
	       answer(op->result));
	cancel_one(s, op);
	await(s, op);
	expect(op->result == -ECANCELED,
	       WHEN("after cancel_one()") EXPECTED("-ECANCELED") SAW("%s"), answer(op->result));
	/* The listener is whole: the next client is the next accept's. */
	int client = new_client(s, &at);
	int accepted = (int)perform(s, prepare_accept(s, 1, listener, 0));
	expect_connected(accepted, client);
	close(accepted);
	close(client);
	detach(s, 0);
	close_engine(s);
	close(listener);
}

/* A client that comes at the moment of the request is the accept's, or the next one's. */
void accept_called_back_loses_no_client(struct subject *s)
{
	enum { ROUNDS = 100 };
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	only_with_connections(s, IO_ACCEPT);
	struct address at;
	struct io_op *done[1];
	int listener = new_listener(s, BACKLOG, &at);
	open_engine(s, 1, 1);
	attach_as(s, 0, listener, IO_FD_LISTENER);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct io_op *op = prepare_accept(s, 0, listener, 0);
		start(s, op);
		reap(s, done, 0, 1, 0);
		int client = new_client(s, &at);
		if (op->in_flight)
			cancel_one(s, op);
		await(s, op);
		if (op->result == -ECANCELED)
			perform(s, prepare_accept(s, 0, listener, 0));
		expect_connected((int)op->result, client);
		close((int)op->result);
		close(client);
	}
	detach(s, 0);
	close_engine(s);
	close(listener);
}

/* Each call that fails */

static void expect_error_told(enum fault_id id, int error, unsigned nth, int64_t result)
{
	const char *call = fault_at(id)->name, *name = strerrorname_np(error);
	if (error == EINTR)
		expect(result >= 0,
		       WHEN("call %u of %s fails with EINTR") EXPECTED("it to be made again")
			       SAW("%s"),
		       nth, call, answer(result));
	else
		expect(result == -error,
		       WHEN("call %u of %s fails with %s") EXPECTED("%d as the result") SAW("%s"),
		       nth, call, name, -error, answer(result));
}

/* One connection, during which a call fails. Returns whether that call was made. */
static bool connection_fails_rightly(struct subject *s, enum fault_id id, int error, unsigned nth)
{
	struct address at;
	bool accepts = id == FAULT_accept4;
	int listener = new_listener(s, BACKLOG, &at);
	int fd = accepts ? listener : new_socket(s);
	int client = accepts ? new_client(s, &at) : -1;
	open_engine(s, 1, 1);
	attach_as(s, 0, fd, accepts ? IO_FD_LISTENER : IO_FD_SOCKET);
	struct io_op *op =
		accepts ? prepare_accept(s, 0, listener, 0) : prepare_connect(s, 0, fd, 0, &at);
	faults_arm(id, error, nth);
	int64_t result = perform(s, op);
	faults_end();
	bool struck = faults_struck();
	if (struck)
		expect_error_told(id, error, nth, result);
	else
		expect(result >= 0, EXPECTED("no error") SAW("%s"), answer(result));
	if (accepts && result < 0)
		expect_client_not_lost(s, listener, client);
	else if (accepts)
		close((int)result);
	detach(s, 0);
	close_engine(s);
	close(listener);
	close(accepts ? client : fd);
	return struck;
}

void connection_failing_calls(struct subject *s)
{
	enum { NTH_MAX = 3 };
	static const enum fault_id ids[] = { FAULT_accept4, FAULT_connect };
	unsigned tried = 0;
	only_with_connections(s, IO_ACCEPT);
	if (!faults_watch || !faults_watch())
		test_skipped("calls are made to fail in the plain build");
	for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++)
		for (const int *error = fault_at(ids[i])->errors; *error; error++)
			for (unsigned nth = 1; nth <= NTH_MAX; nth++) {
				if (!connection_fails_rightly(s, ids[i], *error, nth))
					break;
				tried++;
			}
	if (tried == 0)
		test_skipped("it makes no call that could fail here");
}

/*
 * No address is that long, and the kernel may stop at it. What was offered together with it begins as well, also
 * where nobody waits: reap() is asked again and again for what it has.
 */
void connect_that_is_refused_stops_nobody(struct subject *s)
{
	enum { TOO_LONG_BYTES = 200 };
	only_with_connections(s, IO_CONNECT);
	only_with_connections(s, IO_RECV);
	int ends[2], fd = new_socket(s);
	struct io_op *done[2];
	make_pair(s, ends);
	open_engine(s, 2, 2);
	attach_as(s, 0, fd, IO_FD_SOCKET);
	attach_as(s, 1, ends[0], IO_FD_SOCKET);
	for (unsigned round = 0; round < 3; round++) {
		memset(buffer_of(s, 0), 0, TOO_LONG_BYTES);
		struct io_op *ops[] = { prepare(s, 0, IO_CONNECT, fd, 0, 0, TOO_LONG_BYTES),
					prepare_receive(s, 1, ends[0], 1) };
		expect(write(ends[1], "x", 1) == 1, "the test's own write failed");
		start_all(s, ops, 2);
		uint64_t until_ns = clock_ns() + 5 * (uint64_t)NS_PER_S;
		while (s->inflight > 0 && !time_is_up(until_ns)) {
			reap(s, done, 0, 2, 0);
			usleep(100);
		}
		expect(s->inflight == 0,
		       WHEN("a connect was refused, and reap() does not wait")
			       EXPECTED("what was offered behind it to come back, too")
				       SAW("%u in flight after 5 s"),
		       s->inflight);
		expect(ops[0]->result == -EINVAL && ops[1]->result == 1,
		       EXPECTED("-EINVAL for an address that is too long, and 1 byte behind it")
			       SAW("%s and %s"),
		       answer(ops[0]->result), answer(ops[1]->result));
	}
	detach(s, 0);
	detach(s, 1);
	close_engine(s);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}
