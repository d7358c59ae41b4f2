/* SPDX-License-Identifier: MIT */
#include "child_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "run_options.h"

#define WORDS_MAX (sizeof((struct run_words *)0)->words / sizeof(const char *))

void run_words_begin(struct run_words *run)
{
	*run = (struct run_words) { { "iolab", "run" }, 2 };
}

void run_words_add(struct run_words *run, const char *word)
{
	if (run->count + 1 < WORDS_MAX)
		run->words[run->count++] = word;
	run->words[run->count] = NULL;
}

void run_words_check(const struct run_words *run)
{
	struct run_options parsed;
	const char *words[WORDS_MAX];
	memcpy(words, run->words, sizeof words);
	words[1] = "iolab run"; /* argp's name for the program */
	run_options_parse(&parsed, (int)run->count - 1, (char **)words + 1);
}

unsigned split_list(const char *list, const char **words, unsigned max)
{
	unsigned count = 0;
	char *copy = strdup(list);
	for (char *save, *word = copy ? strtok_r(copy, ",", &save) : NULL; word && count < max;
	     word = strtok_r(NULL, ",", &save))
		words[count++] = word;
	return count;
}

/* All that comes through `fd` until its other end is closed; false when the time is over first. */
static bool read_all(int fd, uint64_t deadline_ns, char **text, size_t *length)
{
	size_t size = 0;
	*text = NULL;
	*length = 0;
	for (;;) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		int ready = poll(&readable, 1, 200);
		if (clock_ns() > deadline_ns)
			return false;
		if (ready <= 0)
			continue;
		if (*length + 65536 > size) {
			size = *length + 131072;
			*text = realloc(*text, size);
			if (!*text)
				return false;
		}
		ssize_t n = read(fd, *text + *length, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		*length += (size_t)n;
	}
}

/* Waits for what the child at the other end of `fd` answers; kills it when it takes too long. */
static json_t *answer_of(pid_t pid, int fd, double limit_s, struct reason *why)
{
	char *text;
	size_t length;
	bool in_time = read_all(fd, clock_ns() + (uint64_t)(limit_s * NS_PER_S), &text, &length);
	close(fd);
	if (!in_time)
		kill(pid, SIGKILL);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	json_t *result = in_time ? json_loadb(text, length, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
	free(text);
	if (!in_time)
		reason_set(why, "hung: killed after %.0f s", limit_s);
	else if (!result && WIFSIGNALED(status))
		reason_set(why, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (!result)
		reason_set(why, "ended with status %d and no result", WEXITSTATUS(status));
	return result;
}

/* Forks with a pipe to the parent. Returns as fork(2) does; `end` is this side's end of the pipe.
 */
static pid_t fork_with_pipe(int *end, struct reason *why)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return reason_errno(why, errno, "pipe");
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		reason_errno(why, errno, "fork");
	close(ends[pid == 0 ? 0 : 1]);
	*end = ends[pid == 0 ? 1 : 0];
	return pid;
}

json_t *child_run(const struct run_words *run, double limit_s, struct reason *why)
{
	int end;
	pid_t pid = fork_with_pipe(&end, why);
	if (pid < 0)
		return NULL;
	if (pid > 0)
		return answer_of(pid, end, limit_s, why);
	struct run_words words = *run;
	run_words_add(&words, "--json");
	dup2(end, STDOUT_FILENO);
	execv("/proc/self/exe", (char **)words.words);
	_exit(1);
}

json_t *child_work(json_t *(*work)(const void *), const void *argument, double limit_s,
		   struct reason *why)
{
	int end;
	pid_t pid = fork_with_pipe(&end, why);
	if (pid < 0)
		return NULL;
	if (pid > 0)
		return answer_of(pid, end, limit_s, why);
	json_t *answer = work(argument);
	/* _exit(): what exit() would flush belongs to the parent. */
	_exit(answer && json_dumpfd(answer, end, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 ? 0
											     : 1);
}
