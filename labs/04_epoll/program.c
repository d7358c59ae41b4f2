/* SPDX-License-Identifier: MIT */
/*
 * epoll_echo: sends every client its own bytes back, many clients on one thread, by epoll(7) alone.
 *
 *     cc -O2 -Wall -Wextra -o build/epoll_echo labs/04_epoll/program.c
 *     build/epoll_echo PORT [CLIENTS]     on 127.0.0.1, until CLIENTS have left, or SIGINT comes
 *
 * While a client does not read its echo, the server takes no more from it: it asks for EPOLLOUT in
 * place of EPOLLIN. That is back-pressure, and TCP passes it on until the client's own send waits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1000

struct client {
	bool here;
	size_t begin, end; /* bytes[begin..end) came and have not gone back yet */
	unsigned long taken_bytes;
	char bytes[16384];
};

static struct client clients[CLIENTS_MAX]; /* by descriptor */
static int present, expected; /* here now; still to come, without end when below 0 */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void ask(int epoll_fd, int operation, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	if (epoll_ctl(epoll_fd, operation, fd, &event) < 0)
		die("epoll_ctl");
}

static int listen_on(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)atoi(port)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0)
		die("listening");
	return fd;
}

static int hear_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	int fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0) /* or it would end us at once */
		die("signalfd");
	return fd;
}

static void welcome(int epoll_fd, int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		die("accept4"); /* EMFILE, say, which every wait would report from now on */
	if (fd >= CLIENTS_MAX)
		close(fd); /* too many clients */
	if (fd < 0 || fd >= CLIENTS_MAX)
		return;
	clients[fd] = (struct client) { .here = true };
	ask(epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN);
	printf("client %d came, %d are here\n", fd, ++present);
	if (expected > 0 && --expected == 0)
		ask(epoll_fd, EPOLL_CTL_MOD, listen_fd, 0); /* no more connections are reported */
}

static void part_with(int fd)
{
	close(fd); /* its only descriptor, so epoll forgets the connection, too */
	printf("client %d went after %lu bytes\n", fd, clients[fd].taken_bytes);
	clients[fd].here = false;
	present--;
}

/* Moves what can be moved without sleeping. Returns whether the client stays. */
static bool serve(int epoll_fd, int fd)
{
	struct client *c = &clients[fd];
	bool waited = c->begin < c->end; /* for room */
	if (!waited) {
		ssize_t n = recv(fd, c->bytes, sizeof c->bytes, MSG_DONTWAIT);
		if (n <= 0) /* 0: it has said all, and has had it all back */
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		c->begin = 0;
		c->end = (size_t)n;
		c->taken_bytes += c->end;
	}
	ssize_t n = send(fd, c->bytes + c->begin, c->end - c->begin, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	c->begin += n > 0 ? (size_t)n : 0;
	if (waited == (c->begin < c->end))
		return true;
	ask(epoll_fd, EPOLL_CTL_MOD, fd, waited ? EPOLLIN : EPOLLOUT);
	printf("client %d %s\n", fd, waited ? "has read: IN" : "does not read: OUT");
	return true;
}

int main(int argc, char **argv)
{
	if (argc < 2 || atoi(argv[1]) < 1 || atoi(argv[1]) > 65535)
		return fprintf(stderr, "usage: epoll_echo PORT [CLIENTS]\n"), 2;
	expected = argc > 2 ? atoi(argv[2]) : -1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll_create1");
	int listen_fd = listen_on(argv[1]), signal_fd = hear_signals();
	ask(epoll_fd, EPOLL_CTL_ADD, listen_fd, EPOLLIN);
	ask(epoll_fd, EPOLL_CTL_ADD, signal_fd, EPOLLIN);
	for (bool ended = false; !ended && (expected != 0 || present > 0);) {
		struct epoll_event events[64];
		int count = epoll_wait(epoll_fd, events, 64, -1);
		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			if (fd == signal_fd)
				ended = true;
			else if (fd == listen_fd)
				welcome(epoll_fd, fd);
			else if (!serve(epoll_fd, fd))
				part_with(fd);
		}
	}
	for (int fd = 0; fd < CLIENTS_MAX; fd++)
		if (clients[fd].here)
			part_with(fd);
	return 0; /* which closes our own three descriptors */
}
