/* SPDX-License-Identifier: MIT */
#include "plan/child_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "base/exit_status.h"
#include "run/result.h"

#define WORDS_MAX (sizeof((struct run_words *)0)->words / sizeof(const char *))

void run_words_begin(struct run_words *run)
{
	*run = (struct run_words) { { program_invocation_name, "run" }, 2 };
}

void run_words_add(struct run_words *run, const char *word)
{
	if (run->count + 1 >= WORDS_MAX) {
		fprintf(stderr, "iolab: more than %d words after --; name each option once\n",
			(int)WORDS_MAX / 2);
		exit(EXIT_USAGE);
	}
	run->words[run->count++] = word;
	run->words[run->count] = NULL;
}

/* As main() hands them to a command. `copy` has room for them. */
static unsigned as_argv(const struct run_words *run, const char **copy)
{
	memcpy(copy, run->words + 1, (WORDS_MAX - 1) * sizeof *copy);
	copy[0] = "iolab run"; /* argp's name for the program */
	return run->count - 1;
}

void run_words_parse(const struct run_words *run, struct run_options *parsed)
{
	const char *argv[WORDS_MAX];
	unsigned argc = as_argv(run, argv);
	run_options_parse(parsed, (int)argc, (char **)argv);
}

json_t *run_words_failure(const struct run_words *run, const struct reason *why)
{
	const char *argv[WORDS_MAX];
	unsigned argc = as_argv(run, argv);
	struct run_options parsed;
	run_options_parse(&parsed, (int)argc, (char **)argv);
	json_t *result = result_new(&parsed, (int)argc, (char **)argv);
	result_set_status(result, RESULT_ERROR, why);
	return result;
}

/* What a child may do: how long, and who may ask it to end. */
struct bounds {
	double limit_s;
	const volatile sig_atomic_t *stop; /* NULL: nobody */
};

/* All that comes through `fd` until its other end is closed; false when the time is over first. */
static bool read_all(int fd, pid_t pid, const struct bounds *bounds, char **text, size_t *length)
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)(bounds->limit_s * NS_PER_S);
	size_t size = 0;
	bool told = false;
	*text = NULL;
	*length = 0;
	for (;;) {
		if (bounds->stop && *bounds->stop && !told) {
			kill(pid, SIGINT); /* the terminal tells it too, `kill` on us does not */
			told = true;
		}
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
static json_t *answer_of(pid_t pid, int fd, const struct bounds *bounds, struct reason *why)
{
	char *text;
	size_t length;
	bool in_time = read_all(fd, pid, bounds, &text, &length);
	close(fd);
	if (!in_time)
		kill(pid, SIGKILL);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	json_t *result = in_time ? json_loadb(text, length, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
	free(text);
	if (!in_time)
		reason_set(why, "hung: killed after %.0f s", bounds->limit_s);
	else if (!result && WIFSIGNALED(status))
		reason_set(why, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (!result)
		reason_set(why, "ended with status %d and no result", WEXITSTATUS(status));
	return result;
}

/* Forks with a pipe to the parent; `end` is this side's end of it. Returns as fork(2) does. */
static pid_t fork_with_pipe(int *end, struct reason *why)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return reason_errno(why, errno, "pipe");
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0) {
		reason_errno(why, errno, "fork (see ulimit -u and the pids cgroup)");
		close(ends[0]);
		close(ends[1]);
		return pid;
	}
	close(ends[pid == 0 ? 0 : 1]);
	*end = ends[pid == 0 ? 1 : 0];
	return pid;
}

json_t *child_run(const struct run_words *run, double limit_s, const volatile sig_atomic_t *stop,
		  struct reason *why)
{
	int end;
	pid_t pid = fork_with_pipe(&end, why);
	if (pid < 0)
		return NULL;
	if (pid > 0)
		return answer_of(pid, end, &(struct bounds) { limit_s, stop }, why);
	struct run_words words = *run;
	run_words_add(&words, "--json");
	dup2(end, STDOUT_FILENO);
	execv("/proc/self/exe", (char **)words.words);
	fprintf(stderr, "iolab: /proc/self/exe: %s\n", strerror(errno));
	_exit(EXIT_ERROR);
}

json_t *child_work(json_t *(*work)(const void *), const void *argument, double limit_s,
		   struct reason *why)
{
	int end;
	pid_t pid = fork_with_pipe(&end, why);
	if (pid < 0)
		return NULL;
	if (pid > 0)
		return answer_of(pid, end, &(struct bounds) { limit_s, NULL }, why);
	json_t *answer = work(argument);
	/* _exit(): what exit() would flush belongs to the parent. */
	_exit(answer && json_dumpfd(answer, end, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0
		      ? EXIT_OK
		      : EXIT_ERROR);
}
