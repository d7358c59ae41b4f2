/* SPDX-License-Identifier: MIT */
#include "plan/child_run.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/interrupt.h"
#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "clock.h"
#include "run/result.h"

#define CHUNK_BYTES   65536u
#define LOOK_EVERY_MS 200 /* for an interrupt that came between looking and poll() */

void run_words_begin(struct run_words *run)
{
	*run = (struct run_words) { { program_invocation_name, "run" }, 2, false };
}

void run_words_add(struct run_words *run, const char *word)
{
	/* Room for "--json" and the NULL. */
	if (run->count + 2 >= RUN_WORDS_MAX) {
		run->too_many = true;
		return;
	}
	run->words[run->count++] = word;
	run->words[run->count] = NULL;
}

int run_words_check(const struct run_words *run, struct reason *why)
{
	if (!run->too_many)
		return 0;
	reason_say(why, "too many options for the runs; name each once");
	return -E2BIG;
}

/* As main() hands them to a command. `copy` has room for them. */
static unsigned as_argv(const struct run_words *run, const char **copy)
{
	memcpy(copy, run->words + 1, (RUN_WORDS_MAX - 1) * sizeof *copy);
	copy[0] = "iolab run"; /* argp's name for the program */
	return run->count - 1;
}

int run_words_read(const struct run_words *run, struct run_options *parsed, struct reason *why)
{
	const char *argv[RUN_WORDS_MAX];
	unsigned argc = as_argv(run, argv);
	int rc = run_words_check(run, why);
	return rc < 0 ? rc : run_options_read(parsed, (int)argc, (char **)argv, why);
}

int run_words_try(const struct run_words *run, struct reason *why)
{
	struct run_options parsed;
	int rc = run_words_read(run, &parsed, why);
	if (rc == 0)
		run_options_free(&parsed);
	return rc;
}

json_t *run_words_failure(const struct run_words *run, const struct reason *why)
{
	const char *argv[RUN_WORDS_MAX];
	unsigned argc = as_argv(run, argv);
	struct run_options parsed;
	struct reason unused;
	int rc = run_options_read(&parsed, (int)argc, (char **)argv, &unused);
	assert(rc == 0); /* they were read before the run began */
	(void)rc;
	json_t *result = result_new(&parsed, (int)argc, (char **)argv);
	result_set_status(result, RESULT_ERROR, why);
	run_options_free(&parsed);
	return result;
}

struct child {
	pid_t pid;
	int answer_fd;
	double limit_s; /* then it is hung */
	bool drains; /* when told to end it has something to keep */
};

enum answer_end { READ_ALL, READ_LATE, READ_STOPPED };

/* Passes a wish to end on, once. Returns false when the child is not to be waited for. */
static bool pass_interrupt_on(const struct child *child, bool *told)
{
	if (!interrupt_requested() || *told)
		return !interrupt_at_once();
	if (!child->drains || interrupt_at_once())
		return false;
	/* The terminal told it, too; who signals this process alone did not. */
	kill(child->pid, SIGTERM);
	*told = true;
	return true;
}

/* All that comes from the child until it closes its end, into `text`, to be freed. */
static enum answer_end read_answer(const struct child *child, char **text, size_t *len_bytes)
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)(child->limit_s * NS_PER_S);
	size_t size_bytes = 0;
	bool told = false;
	*text = NULL;
	*len_bytes = 0;
	for (;;) {
		if (!pass_interrupt_on(child, &told))
			return READ_STOPPED;
		struct pollfd readable = { .fd = child->answer_fd, .events = POLLIN };
		int ready = poll(&readable, 1, LOOK_EVERY_MS);
		/* What has come counts, however late we look: Ctrl-Z stopped us both. */
		if (ready <= 0 && clock_ns() > deadline_ns)
			return READ_LATE;
		if (ready <= 0)
			continue;
		if (*len_bytes + CHUNK_BYTES > size_bytes) {
			size_bytes = 2 * size_bytes + CHUNK_BYTES;
			char *larger = realloc(*text, size_bytes);
			if (!larger)
				return READ_ALL; /* what is cut short is no JSON */
			*text = larger;
		}
		ssize_t n = read(child->answer_fd, *text + *len_bytes, CHUNK_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return READ_ALL;
		*len_bytes += (size_t)n;
	}
}

/* Waits for what the child answers; kills it when it must not be waited for. */
static json_t *answer_of(const struct child *child, struct reason *why)
{
	char *text;
	size_t len_bytes;
	int status = 0;
	enum answer_end end = read_answer(child, &text, &len_bytes);
	close(child->answer_fd);
	if (end != READ_ALL)
		kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	json_t *answer = NULL;
	if (end == READ_ALL)
		answer = json_loadb(text ? text : "", len_bytes, JSON_DISABLE_EOF_CHECK, NULL);
	free(text);
	if (end == READ_LATE)
		reason_set(why, "hung", "hung: killed after {limit_s} s",
			   reason_real("limit_s", child->limit_s));
	else if (end == READ_STOPPED || (!answer && interrupt_requested()))
		interrupt_reason(why);
	else if (!answer && WIFSIGNALED(status))
		reason_set(why, "killed", "killed by SIG{signal}",
			   reason_string("signal", sigabbrev_np(WTERMSIG(status))));
	else if (!answer)
		reason_set(why, "no_result", "ended with status {exit_status} and no result",
			   reason_int("exit_status", WEXITSTATUS(status)));
	return answer;
}

/*
 * Forks with a pipe to the parent; `end` is this side's end of it. The child dies with its parent,
 * whatever ends that, and a signal for it waits until it calls interrupt_release() or
 * interrupt_release_to_exec() with `before`. Returns as fork(2) does.
 */
static pid_t fork_with_pipe(int *end, sigset_t *before, struct reason *why)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return reason_errno(why, "answer_pipe_not_made", errno,
				    "the pipe for the answer of a run");
	fflush(stdout);
	pid_t parent = getpid();
	interrupt_hold(before);
	pid_t pid = fork();
	int error = errno;
	if (pid != 0)
		interrupt_release(before);
	if (pid < 0) {
		reason_errno(why, "process_not_started", error,
			     "fork (see ulimit -u and the pids cgroup)");
		close(ends[0]);
		close(ends[1]);
		return pid;
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* kept across execve(2) */
		if (getppid() != parent)
			_exit(EXIT_ERROR); /* it died before that */
	}
	close(ends[pid == 0 ? 0 : 1]);
	*end = ends[pid == 0 ? 1 : 0];
	return pid;
}

json_t *child_run(const struct run_words *run, double limit_s, struct reason *why)
{
	int end;
	sigset_t before;
	if (run_words_check(run, why) < 0)
		return NULL;
	pid_t pid = fork_with_pipe(&end, &before, why);
	if (pid < 0)
		return NULL;
	if (pid > 0)
		return answer_of(&(struct child) { pid, end, limit_s, true }, why);
	struct run_words words = *run;
	words.words[words.count++] = "--json";
	words.words[words.count] = NULL;
	dup2(end, STDOUT_FILENO);
	interrupt_release_to_exec(&before);
	execv("/proc/self/exe", (char **)words.words);
	fprintf(stderr, "iolab: /proc/self/exe: %s\n", strerror(errno));
	_exit(EXIT_ERROR);
}

json_t *child_run_failure(const json_t *result, const struct reason *why)
{
	if (!result)
		return remark_of_reason(why);
	if (status_is(result, "ok"))
		return remark_new("finished_nothing", NULL,
				  "nothing was finished; use a longer --runtime");
	return required(json_incref(json_object_get(result, "reason")));
}

json_t *child_work(json_t *(*work)(const void *), const void *argument, double limit_s,
		   struct reason *why)
{
	int end;
	sigset_t before;
	pid_t pid = fork_with_pipe(&end, &before, why);
	if (pid < 0)
		return NULL;
	if (pid > 0)
		return answer_of(&(struct child) { pid, end, limit_s, false }, why);
	interrupt_release(&before);
	json_t *answer = work(argument);
	/* _exit(): what exit() would flush belongs to the parent. */
	_exit(answer && json_dumpfd(answer, end, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0
		      ? EXIT_OK
		      : EXIT_ERROR);
}
