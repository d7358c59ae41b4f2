/* SPDX-License-Identifier: MIT */
/*
 * interrupted: looks for prime numbers, and answers questions meanwhile, by signals (O_ASYNC) alone.
 *
 *     cc -O2 -Wall -Wextra -o build/interrupted labs/05_signal/program.c
 *     build/interrupted PORT [CLIENTS]     on 127.0.0.1, until CLIENTS have left (default: 1)
 *
 * Each line that a client sends is a question: how far are you? While nobody asks, the search makes no
 * system call at all. The kernel interrupts it when something happens: it calls a function, between two
 * instructions. That function only takes a note; the search looks at the notes before each number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define NOTES_MAX   64 /* a power of two */

static bool present[CLIENTS_MAX]; /* by descriptor */
static int listen_fd, expected, left;
static unsigned long found, largest, interruptions, overflows;

/* Written by the handler, read by the search: one writer, one reader, and no lock. */
static int notes[NOTES_MAX];
static volatile unsigned written, taken;
static volatile sig_atomic_t
	lost; /* the notes are full, or the kernel's queue was: nobody knows who */

/* Only what signal-safety(7) allows: no printf, no malloc, no lock. */
static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	interruptions++;
	if (number == SIGIO || written - taken == NOTES_MAX)
		lost = 1;
	else
		notes[written++ % NOTES_MAX] = info->si_fd;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void install(int number)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	sigaddset(&action.sa_mask, SIGRTMIN); /* neither of the two interrupts the other */
	sigaddset(&action.sa_mask, SIGIO);
	if (sigaction(number, &action, NULL) < 0)
		die("sigaction");
}

/* From now on the kernel sends SIGRTMIN, with the number `fd`, when something happens to it. */
static void arm(int fd)
{
	struct f_owner_ex owner = { F_OWNER_TID, gettid() };
	if (fcntl(fd, F_SETOWN_EX, &owner) < 0 || fcntl(fd, F_SETSIG, SIGRTMIN) < 0 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC | O_NONBLOCK) < 0)
		die("fcntl");
	if (!(fcntl(fd, F_GETFL) & O_ASYNC))
		die("O_ASYNC did not take");
}

static void listen_on(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)atoi(port)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listen_fd < 0 || setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(listen_fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(listen_fd, SOMAXCONN) < 0)
		die("listening");
}

/* One signal may have told of several questions, so it goes on until EAGAIN. */
static void answer(int fd)
{
	char question[512], words[128];
	ssize_t n;
	while ((n = recv(fd, question, sizeof question, 0)) > 0)
		for (char *line = question;
		     (line = memchr(line, '\n', (size_t)(question + n - line))); line++) {
			int length = snprintf(words, sizeof words, "%lu primes, the last one %lu\n",
					      found, largest);
			if (send(fd, words, (size_t)length, MSG_NOSIGNAL) < 0)
				break; /* it does not read its answers: it misses some */
		}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close(fd);
	present[fd] = false;
	left++;
}

static void welcome(void)
{
	int fd;
	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (fd >= CLIENTS_MAX) {
			close(fd);
			continue;
		}
		present[fd] = true;
		arm(fd);
		answer(fd); /* what came before it was armed made no signal */
	}
}

static void look_at(int fd)
{
	if (fd == listen_fd)
		welcome();
	else if (fd >= 0 && fd < CLIENTS_MAX &&
		 present[fd]) /* else it is closed, and its signal was late */
		answer(fd);
}

static void look_at_notes(void)
{
	while (taken != written) {
		int fd = notes[taken % NOTES_MAX];
		taken++;
		look_at(fd);
	}
	if (!lost)
		return;
	lost = 0; /* first, since it may be set again from now on */
	overflows++;
	welcome();
	for (int fd = 0; fd < CLIENTS_MAX; fd++)
		look_at(fd == listen_fd ? -1 : fd);
}

static bool is_prime(unsigned long n)
{
	for (unsigned long d = 3; d * d <= n; d += 2)
		if (n % d == 0)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	if (argc < 2 || atoi(argv[1]) < 1 || atoi(argv[1]) > 65535)
		return fprintf(stderr, "usage: interrupted PORT [CLIENTS]\n"), 2;
	expected = argc > 2 ? atoi(argv[2]) : 1;
	install(SIGRTMIN);
	install(SIGIO);
	listen_on(argv[1]);
	arm(listen_fd);
	welcome();
	for (unsigned long n = 3; left < expected; n += 2) {
		if (taken != written || lost)
			look_at_notes();
		if (is_prime(n)) {
			found++;
			largest = n;
		}
	}
	printf("%lu primes, the last one %lu; %lu interruptions, %lu overflows\n", found, largest,
	       interruptions, overflows);
	return 0;
}
