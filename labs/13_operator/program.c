/* SPDX-License-Identifier: MIT */
/*
 * each ordered|unordered CAPACITY SECONDS COMMAND
 *
 * Asks COMMAND about each line of input, its $1: CAPACITY at a time. Answers come out in the order of
 * the lines, or as they come. Nothing overtakes an empty line. What fails is tried twice more.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CAPACITY_MAX = 64, RETRIES = 2, PAUSE_MS = 100 };
struct entry {
	enum { ASKED, PAUSING, OVER, WATERMARK } phase;
	char line[256], answer[4096];
	int length, fd, pid, attempts;
	long due_ms, again_ms;
};
static struct entry *queue[CAPACITY_MAX]; /* in the order of the lines */
static int count, capacity, is_unordered, is_at_end, input_length;
static long began_ms, now_ms, limit_ms;
static char *command, input[4096]; /* read, and not yet in the queue */

static void ask(struct entry *entry)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0 || (entry->pid = fork()) < 0)
		err(1, "no way to ask");
	if (entry->pid == 0) {
		setpgid(0, 0);
		close(0); /* the lines are not for it */
		dup2(ends[1], 1);
		execl("/bin/sh", "sh", "-c", command, "sh", entry->line, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	entry->fd = ends[0];
	entry->phase = ASKED;
	entry->length = 0;
	entry->attempts++;
}

/* Takes a line out of the input, if there is a whole one and a place for it. */
static int put_next(void)
{
	char *end = memchr(input, '\n', (size_t)input_length);
	if (!end || count == capacity)
		return 0;
	struct entry *entry = queue[count++] = calloc(1, sizeof *entry);
	snprintf(entry->line, sizeof entry->line, "%.*s", (int)(end - input), input);
	input_length -= (int)(end + 1 - input);
	memmove(input, end + 1, (size_t)input_length);
	entry->due_ms = now_ms + limit_ms;
	entry->phase = WATERMARK;
	if (entry->line[0])
		ask(entry);
	return 1;
}

/* Lets out what may leave next, if there is something. */
static int emit_next(void)
{
	int i = 0;
	while (is_unordered && i < count && queue[i]->phase < OVER)
		i++;
	if (i == count || queue[i]->phase < OVER || (i > 0 && queue[i]->phase == WATERMARK))
		return 0;
	struct entry *entry = queue[i];
	memmove(queue + i, queue + i + 1, (size_t)(--count - i) * sizeof *queue);
	printf("%5ld ms  %s: %.*s%s", now_ms - began_ms, entry->line, entry->length, entry->answer,
	       entry->length ? "" : "\n");
	free(entry);
	return 1;
}

static void end_attempt(struct entry *entry, int is_late)
{
	int status = 0;
	if (entry->phase == ASKED) {
		if (is_late)
			kill(-entry->pid, SIGKILL);
		close(entry->fd);
		waitpid(entry->pid, &status, 0);
	}
	entry->phase = !is_late && status != 0 && entry->attempts <= RETRIES ? PAUSING : OVER;
	entry->again_ms = now_ms + (PAUSE_MS << (entry->attempts - 1));
	if (is_late)
		entry->length = sprintf(entry->answer, "no answer in time\n");
}

static int read_more(int fd, char *bytes, int *length, size_t room)
{
	int n = (int)read(fd, bytes + *length, room - (size_t)*length);
	*length += n > 0 ? n : 0;
	return n > 0;
}

/* Sleeps until there is news, and handles it. */
static void turn(void)
{
	struct pollfd fds[CAPACITY_MAX + 1];
	struct timespec now;
	long next_ms = now_ms + 1000000;
	for (int i = 0; i < count; i++) {
		struct entry *entry = queue[i];
		long wake_ms = entry->phase == PAUSING ? entry->again_ms : entry->due_ms;
		fds[i] = (struct pollfd) { entry->phase == ASKED ? entry->fd : -1, POLLIN, 0 };
		if (entry->phase < OVER && wake_ms < next_ms)
			next_ms = wake_ms;
	}
	/* When it is full, nobody reads the source. */
	fds[count] = (struct pollfd) { count < capacity && !is_at_end ? 0 : -1, POLLIN, 0 };
	poll(fds, (nfds_t)count + 1, next_ms > now_ms ? (int)(next_ms - now_ms) : 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
	began_ms = began_ms ? began_ms : now_ms; /* with the first line */
	for (int i = 0; i < count; i++) {
		struct entry *entry = queue[i];
		if (fds[i].revents &&
		    !read_more(entry->fd, entry->answer, &entry->length, sizeof entry->answer))
			end_attempt(entry, 0);
		if (entry->phase < OVER && entry->due_ms <= now_ms)
			end_attempt(entry, 1);
		else if (entry->phase == PAUSING && entry->again_ms <= now_ms)
			ask(entry);
	}
	if (fds[count].revents)
		is_at_end = !read_more(0, input, &input_length, sizeof input);
	while (emit_next() || put_next())
		;
}

int main(int argc, char **argv)
{
	if (argc != 5 || (capacity = atoi(argv[2])) < 1 || capacity > CAPACITY_MAX)
		errx(2, "usage: each ordered|unordered CAPACITY SECONDS COMMAND");
	is_unordered = argv[1][0] == 'u';
	limit_ms = (long)(atof(argv[3]) * 1000);
	command = argv[4];
	do
		turn();
	while (!is_at_end || count > 0);
}
