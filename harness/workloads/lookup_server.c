/* SPDX-License-Identifier: MIT */
#include "workloads/lookup_server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random.h"

void lookup_block(void *block, uint32_t len_bytes, uint64_t key)
{
	uint64_t *words = block;
	for (uint32_t i = 0; i < len_bytes / 8; i++)
		words[i] = mix64(mix64(key) + i);
}

/* This side of a connection. */
struct far_end {
	uint64_t key;
	size_t key_bytes; /* that are here */
};

/* Returns false when the other side has gone. */
static bool send_all(int fd, const void *buffer, size_t len_bytes)
{
	for (size_t done = 0; done < len_bytes;) {
		ssize_t n = send(fd, (const char *)buffer + done, len_bytes - done, MSG_NOSIGNAL);
		if (n <= 0 && !(n < 0 && errno == EINTR))
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/*
 * Takes what is here, and answers once the key is whole. It never waits for the rest of a key: other
 * connections would wait, too. Returns false when the connection is over.
 */
static bool answer_on(int fd, struct far_end *end, void *block, uint32_t block_bytes)
{
	ssize_t n = recv(fd, (char *)&end->key + end->key_bytes, sizeof end->key - end->key_bytes,
			 MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	end->key_bytes += (size_t)n;
	if (end->key_bytes < sizeof end->key)
		return true;
	end->key_bytes = 0;
	if (end->key == LOOKUP_SILENT_KEY)
		return true;
	lookup_block(block, block_bytes, end->key);
	return send_all(fd, block, block_bytes);
}

/* The server's whole life, until all connections are over. */
static void serve(struct pollfd *polled, struct far_end *ends, unsigned count, void *block,
		  uint32_t block_bytes)
{
	unsigned open_count = count;
	while (open_count > 0) {
		if (poll(polled, count, -1) < 0 && errno != EINTR)
			return;
		for (unsigned i = 0; i < count; i++) {
			if (polled[i].fd < 0 || !polled[i].revents ||
			    answer_on(polled[i].fd, &ends[i], block, block_bytes))
				continue;
			close(polled[i].fd);
			polled[i].fd = -1; /* poll(2) passes it over */
			open_count--;
		}
	}
}

static int fail_to_start(struct lookup_server *server, struct pollfd *far, int error,
			 struct reason *why)
{
	for (unsigned i = 0; far && i < server->connection_count; i++)
		close(far[i].fd);
	free(far);
	lookup_server_stop(server);
	return reason_errno(why, "lookup_server_not_started", error, "starting the lookup server");
}

int lookup_server_start(struct lookup_server *server, unsigned connection_count,
			uint32_t block_bytes, struct reason *why)
{
	struct pollfd *far = calloc(connection_count, sizeof *far);
	*server = (struct lookup_server) { .connections = calloc(connection_count, sizeof(int)) };
	if (!far || !server->connections)
		return fail_to_start(server, far, ENOMEM, why);
	for (; server->connection_count < connection_count; server->connection_count++) {
		int ends[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
			return fail_to_start(server, far, errno, why);
		server->connections[server->connection_count] = ends[0];
		far[server->connection_count] = (struct pollfd) { ends[1], POLLIN, 0 };
	}
	pid_t parent = getpid();
	server->pid = fork();
	if (server->pid < 0)
		return fail_to_start(server, far, errno, why);
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		signal(SIGINT, SIG_IGN); /* the parent decides when it is over */
		/* Its copies of the near ends would keep the connections open. */
		for (unsigned i = 0; i < connection_count; i++)
			close(server->connections[i]);
		uint64_t *block = malloc(block_bytes);
		struct far_end *ends = calloc(connection_count, sizeof *ends);
		if (block && ends)
			serve(far, ends, connection_count, block, block_bytes);
		_exit(0); /* closes every connection */
	}
	for (unsigned i = 0; i < connection_count; i++)
		close(far[i].fd);
	free(far);
	return 0;
}

void lookup_server_stop(struct lookup_server *server)
{
	for (unsigned i = 0; i < server->connection_count; i++) {
		/* A server that was started later has a copy of this end, so closing is not enough. */
		shutdown(server->connections[i], SHUT_RDWR);
		close(server->connections[i]);
	}
	free(server->connections);
	while (server->pid > 0 && waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*server = (struct lookup_server) { 0 };
}
