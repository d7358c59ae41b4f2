/* SPDX-License-Identifier: MIT */
/*
 * interrupted: looks for prime numbers, and answers questions meanwhile, by signals (O_ASYNC) alone.
 *
 *     cc -O2 -Wall -Wextra -o build/interrupted labs/05_signal/program.c
 *     build/interrupted PORT [CLIENTS]     on 127.0.0.1, until CLIENTS have left (default: 1)
 *
 * Whatever a client sends is a question: how far are you? While nobody asks, the search makes no system
 * call at all. The kernel interrupts it when something happens: it calls a function, between two
 * instructions. That function only takes a note. The search looks at its notes before each number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define NOTES_MAX   64 /* a power of two */
static bool present[CLIENTS_MAX]; /* by descriptor */
static int listen_fd, gone, on = 1;
static unsigned long found, largest, signals, overflows;

static int notes[NOTES_MAX]; /* the handler writes them, the search reads: no lock is needed */
static volatile unsigned written, taken;
static volatile sig_atomic_t lost; /* no room for a note, or for a signal in the kernel's queue */

/* Only what signal-safety(7) allows: no printf, no malloc, no lock. */
static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	signals++;
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
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigfillset(&action.sa_mask); /* nothing interrupts the handler */
	if (sigaction(number, &action, NULL) < 0)
		die("sigaction");
}

/* From now on the kernel sends SIGRTMIN to this thread when something happens to `fd`. */
static void arm(int fd)
{
	struct f_owner_ex owner = { F_OWNER_TID, gettid() };
	if (fcntl(fd, F_SETOWN_EX, &owner) < 0 || fcntl(fd, F_SETSIG, SIGRTMIN) < 0 ||
	    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC) < 0 ||
	    !(fcntl(fd, F_GETFL) & O_ASYNC)) /* F_SETFL does not say whether that took */
		die("O_ASYNC");
}

/* A signal may have told of several things, and several signals of one: it goes on until EAGAIN. */
static void answer(int fd)
{
	char question[512], words[128];
	ssize_t n;
	while ((n = recv(fd, question, sizeof question, 0)) > 0 || (n < 0 && errno == EINTR)) {
		int length =
			snprintf(words, sizeof words, "%lu primes, up to %lu\n", found, largest);
		if (n > 0) /* whoever does not read the answers misses some */
			send(fd, words, (size_t)length, MSG_NOSIGNAL);
	}
	if (n < 0 && errno == EAGAIN)
		return;
	close(fd);
	present[fd] = false;
	gone++;
}

static void welcome(void)
{
	int fd;
	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (fd >= CLIENTS_MAX)
			die("too many clients");
		present[fd] = true;
		arm(fd);
		answer(fd); /* what came before it was armed made no signal */
	}
}

static void look_at(int fd)
{
	if (fd == listen_fd)
		welcome();
	else if (fd >= 0 && fd < CLIENTS_MAX && present[fd])
		answer(fd); /* else it is closed already, and a signal came late */
}

static void look_at_notes(void)
{
	while (taken != written)
		look_at(notes[taken++ % NOTES_MAX]);
	if (!lost)
		return;
	lost = 0; /* first, for it may be set again from now on */
	overflows++;
	for (int fd = 0; fd < CLIENTS_MAX; fd++)
		look_at(fd);
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
	struct sockaddr_in address = {
		AF_INET, htons((uint16_t)atoi(argv[1])), { htonl(INADDR_LOOPBACK) }, ""
	};
	int clients = argc > 2 ? atoi(argv[2]) : 1;
	install(SIGRTMIN);
	install(SIGIO);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listen_fd < 0 || setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(listen_fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(listen_fd, SOMAXCONN) < 0)
		die("listening");
	arm(listen_fd);
	for (unsigned long n = 3; gone < clients; n += 2) {
		if (taken != written || lost)
			look_at_notes();
		if (is_prime(n))
			found++, largest = n;
	}
	printf("%lu primes; %lu signals, %lu overflows\n", found, signals, overflows);
	return 0;
}
