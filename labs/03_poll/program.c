/* SPDX-License-Identifier: MIT */
/*
 * hear_all: prints the lines of several inputs as they come, and obeys the keyboard meanwhile.
 *
 *     cc -O2 -Wall -Wextra -o build/hear_all labs/03_poll/program.c
 *     build/hear_all SECONDS INPUT...     INPUT: a path, or the number of an open descriptor
 *
 * The keyboard (standard input) understands "stop N", "go N" and "quit". The program ends when all
 * inputs have ended, or after SECONDS in which nothing came, or at SIGINT. There is one thread, and
 * one call in which it sleeps. SIGINT is let in while it sleeps there, and only then.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MAX 64
#define OVER	 (-1) /* instead of a descriptor: ppoll passes over a row below 0 */

/* rows[i] goes with inputs[i]; row 0 is the keyboard. */
static struct pollfd rows[ROWS_MAX];
static struct {
	const char *name;
	size_t held; /* of `line`, whose end has not come yet */
	char line[1024];
} inputs[ROWS_MAX];
static unsigned row_count, open_count;
static unsigned long calls, rows_walked, news_found;
static volatile sig_atomic_t ended;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

static void add(const char *name)
{
	/* What is opened here is ours, and may be non-blocking; what was inherited is not. */
	int fd = isdigit((unsigned char)*name) ? atoi(name)
					       : open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || row_count == ROWS_MAX) {
		perror(name);
		exit(1);
	}
	open_count += row_count > 0; /* the keyboard does not count */
	inputs[row_count].name = name;
	rows[row_count++] = (struct pollfd) { .fd = fd, .events = POLLIN };
}

/* What the keyboard says. ~fd is below 0, and ~ once more brings the number back. */
static void obey(const char *line)
{
	unsigned i = 0;
	bool stops = sscanf(line, "stop %u", &i) == 1 && i < row_count && rows[i].fd >= 0;
	bool goes = sscanf(line, "go %u", &i) == 1 && i < row_count && rows[i].fd < OVER;
	if (!strcmp(line, "quit"))
		ended = 1;
	else if ((stops || goes) && i > 0)
		rows[i].fd = ~rows[i].fd;
}

static void take_lines(unsigned i)
{
	char *line = inputs[i].line, *end;
	while ((end = memchr(line, '\n', inputs[i].held))) {
		*end++ = '\0';
		if (i == 0)
			obey(line);
		else
			printf("[%u] %s\n", i, line);
		inputs[i].held -= (size_t)(end - line);
		memmove(line, end, inputs[i].held);
	}
	if (inputs[i].held == sizeof inputs[i].line) {
		printf("[%u] %.*s ...\n", i, (int)sizeof inputs[i].line, line);
		inputs[i].held = 0;
	}
}

/* Reads once: ppoll says that one read would not sleep now, and no more than that. */
static void serve(unsigned i)
{
	size_t held = inputs[i].held;
	ssize_t n = read(rows[i].fd, inputs[i].line + held, sizeof inputs[i].line - held);
	if (n > 0) {
		inputs[i].held += (size_t)n;
		take_lines(i);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		printf("[%u] %s: %s\n", i, inputs[i].name, n == 0 ? "the end" : strerror(errno));
		rows[i].fd = OVER;
		open_count -= i > 0;
	}
}

/* The question, to all at once. Returns how many rows have news; 0 after a silence or a signal. */
static int ask(const struct timespec *silence, const sigset_t *mask)
{
	int ready = ppoll(rows, row_count, silence, mask);
	calls++;
	rows_walked += row_count;
	news_found += ready > 0 ? (unsigned long)ready : 0;
	ended |= ready == 0;
	return ready > 0 ? ready : 0;
}

int main(int argc, char **argv)
{
	double silence_s = argc > 2 ? atof(argv[1]) : 0;
	if (silence_s <= 0)
		return fprintf(stderr, "usage: hear_all SECONDS INPUT...\n"), 2;
	struct timespec silence = { .tv_sec = (time_t)silence_s };
	silence.tv_nsec = (long)((silence_s - (double)silence.tv_sec) * 1e9);
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Blocked but during ppoll: else one that comes just before it would be heard too late. */
	sigset_t blocked, before;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	sigaction(SIGINT, &(struct sigaction) { .sa_handler = on_interrupt }, NULL);

	add("0");
	inputs[0].name = "the keyboard";
	for (int i = 2; i < argc; i++)
		add(argv[i]);
	while (!ended && open_count > 0) {
		int news = ask(&silence, &before);
		for (unsigned i = 0; i < row_count && news > 0; i++)
			if (rows[i].revents && news--)
				serve(i);
	}
	printf("%lu calls of ppoll, %lu rows walked, %lu with news\n", calls, rows_walked,
	       news_found);
	return 0;
}
