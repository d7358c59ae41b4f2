/* SPDX-License-Identifier: MIT */
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_put.h"
#include "calls.h"
#include "findings.h"
#include "hearing.h"
#include "launch.h"
#include "syscall_names.h"

#define EXIT_FAILED  1 /* the test program's: an expectation does not hold */
#define EXIT_SKIPPED 77
#define TICKS_MAX    250 /* 5 s: a busy machine may keep a program from running so long */

/* Reads until the end or until `size` - 1 bytes are there. */
static void read_output(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t n;
	while (length < size - 1 &&
	       ((n = read(fd, text + length, size - 1 - length)) > 0 || (n < 0 && errno == EINTR)))
		length += n > 0 ? (size_t)n : 0;
	text[length] = '\0';
}

/*
 * Sets "file" and "line" to where the instruction at `address` comes from, if that is known. The
 * program is not to be trusted, so addr2line reads it as the program's user.
 */
static void put_place(json_t *values, const struct exam *e, uint64_t address)
{
	int ends[2];
	char number[32], text[512];
	if (!address || pipe2(ends, O_CLOEXEC) < 0)
		return;
	snprintf(number, sizeof number, "%#llx", (unsigned long long)address);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		if (become_user(e->options) < 0)
			_exit(1);
		alarm(10);
		execlp("addr2line", "addr2line", "-e", e->options->program, number, (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	read_output(ends[0], text, sizeof text);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	/* "/home/ann/work/04_epoll/engine.c:88 (discriminator 2)", or "??:0" */
	text[strcspn(text, "\n")] = '\0';
	char *colon = strrchr(text, ':');
	if (!colon || atoi(colon + 1) <= 0)
		return;
	*colon = '\0';
	const char *slash = strrchr(text, '/');
	put_untrusted(values, "file", slash ? slash + 1 : text);
	put_int(values, "line", atoi(colon + 1));
}

/* Copies a text of the record, which the program may change at any time. */
static void put_record_text(json_t *values, const char *key, const char *text, size_t size)
{
	put_new(values, key, untrusted_text(text, size));
}

/* "inside": the function of the engine; or "before_main". */
static void put_where(json_t *values, const struct exam *e)
{
	put_bool(values, "before_main", !reached_main(e));
	put_record_text(values, "inside", e->record->where, sizeof e->record->where);
}

/* As /proc tells it: 'S' sleeps, 'R' runs. A '?' when it cannot be read. */
static char process_state(pid_t pid)
{
	char path[64], line[256];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	const char *state = NULL;
	if (file && fgets(line, sizeof line, file))
		state = strrchr(line, ')');
	if (file)
		fclose(file);
	return state && state[1] ? state[2] : '?';
}

void find_hang(struct exam *e)
{
	json_t *values = add_finding(e->findings, "hung");
	put_int(values, "limit_s", e->test->limit_s);
	put_where(values, e);
	write_down_calls_under_way(e);
	const struct tracee *task = find_task(e, e->pid);
	if (task && is_in_call(task) && !is_told_by_test(task)) {
		char text[EXAM_EVENT_BYTES], name[SYSCALL_NAME_SIZE];
		describe_call(task, text, sizeof text);
		put_string(values, "state", "in_call");
		put_string(values, "call", syscall_name(task->call, name));
		put_untrusted(values, "call_text", text);
		return;
	}
	char state = e->options->untraced ? process_state(e->pid) : 'R';
	put_string(values, "state", state == 'R' ? "runs" : state == '?' ? "unknown" : "sleeps");
	if (state != 'R' || e->options->untraced)
		return;
	struct __ptrace_syscall_info info = { 0 };
	int status;
	kill(e->pid, SIGSTOP);
	pid_t stopped = -1;
	/* On a busy machine a tick comes first. One that stands still already never stops again. */
	for (int ticks = 0; stopped < 0 && ticks < TICKS_MAX; ticks++)
		stopped = waitpid(e->pid, &status, __WALL);
	if (stopped == e->pid) {
		ptrace(PTRACE_GET_SYSCALL_INFO, e->pid, sizeof info, &info);
		put_place(values, e, info.instruction_pointer);
	}
}

/* The limit that a signal stands for, where it is not the code's own mistake. */
static const char *limit_behind(int signal_number)
{
	switch (signal_number) {
	case SIGKILL:
		return "memory_or_cpu";
	case SIGXCPU:
		return "cpu_time";
	case SIGXFSZ:
		return "file_size";
	default:
		return NULL;
	}
}

static void find_crash(struct exam *e)
{
	json_t *values = add_finding(e->findings, "crashed");
	const char *name = sigabbrev_np(WTERMSIG(e->status));
	put_string(values, "signal", name ? name : "?");
	/* abort() sends its signal, too; there the reason is what the C library found. */
	bool itself = e->own_signal == WTERMSIG(e->status) && e->own_signal != SIGABRT;
	put_bool(values, "by_itself", itself);
	put_string(values, "limit", itself ? NULL : limit_behind(WTERMSIG(e->status)));
	put_where(values, e);
	put_place(values, e, e->fault_address);
}

/* The test program's own words: what it expected and what it saw. */
static void find_failure(struct exam *e)
{
	struct exam_failure failure = e->record->failure;
	if (failure.line == 0)
		return;
	json_t *values = add_finding(e->findings, "expectation");
	put_record_text(values, "when", failure.when, sizeof failure.when);
	put_record_text(values, "expected", failure.expected, sizeof failure.expected);
	put_record_text(values, "seen", failure.seen, sizeof failure.seen);
	put_record_text(values, "file", failure.file, sizeof failure.file);
	put_int(values, "line", failure.line);
}

/* The test ended in order, as far as the program says. */
static enum verdict judge_finished(struct exam *e)
{
	char name[SYSCALL_NAME_SIZE];
	if (e->told_failure) {
		add_finding(e->findings, "passes_after_failure");
		return FAILED;
	}
	if (e->hidden_call >= 0) {
		put_string(add_finding(e->findings, "hides_call"), "call",
			   syscall_name(e->hidden_call, name));
		return FAILED;
	}
	return PASSED;
}

enum verdict judge(struct exam *e, bool hung)
{
	if (e->rule_broken || hung)
		return FAILED;
	if (WIFSIGNALED(e->status)) {
		find_crash(e);
		return FAILED;
	}
	int code = WEXITSTATUS(e->status);
	bool told_end = e->told_end || e->options->untraced;
	if (code == 0 && e->record->finished == e->token && told_end && !e->left_inside)
		return judge_finished(e);
	if (code == EXIT_SKIPPED) {
		put_record_text(add_finding(e->findings, "skipped"), "why", e->record->skipped,
				sizeof e->record->skipped);
		return SKIPPED;
	}
	if (code == EXIT_FAILED) {
		find_failure(e);
		return FAILED;
	}
	json_t *values = add_finding(e->findings, "ended");
	put_int(values, "status", code);
	put_where(values, e);
	return FAILED;
}
