/* SPDX-License-Identifier: MIT */
#include "calls.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "call_words.h"
#include "program_memory.h"
#include "reason.h"
#include "syscall_names.h"

/* The engine's calls stand in the account to the right of the test's own operations. */
#define INDENT "             "

/* The C library makes recv() and send() of the calls with an address, which is NULL then. */
static const char *name_as_written(const struct tracee *task, char text[SYSCALL_NAME_SIZE])
{
	if (task->call == SYS_recvfrom && !task->args[4])
		return "recv";
	if (task->call == SYS_sendto && !task->args[4])
		return "send";
	return syscall_name(task->call, text);
}

void describe_call(const struct tracee *task, char *text, size_t size)
{
	char name[SYSCALL_NAME_SIZE], arguments[EXAM_EVENT_BYTES];
	describe_arguments(task, arguments, sizeof arguments, NULL);
	snprintf(text, size, "%s(%s)", name_as_written(task, name), arguments);
}

/*
 * A signal ends a call with one of the codes 512 to 516 (ERESTARTSYS and its kin). The program sees
 * only what follows: EINTR, or the call once more. See include/linux/errno.h.
 */
static const char *failure_name(long long result)
{
	return result <= -512 && result >= -516 ? "ended by a signal" : errno_name((int)result);
}

bool is_in_call(const struct tracee *task)
{
	char path[40];
	long call = -1;
	if (task->call < 0 || task->sees_end)
		return task->call >= 0;
	snprintf(path, sizeof path, "/proc/%d/syscall", task->tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	/* Where the thread runs, the file says so in a word. */
	bool sleeps = fscanf(file, "%ld", &call) == 1;
	fclose(file);
	return sleeps && call == task->call;
}

#define NOTE_SIZE 80

/* Who makes the call, where that is not the test's first thread; and whether it is made at all. */
static const char *side_note(const struct exam *e, const struct tracee *task, char text[NOTE_SIZE])
{
	const char *fault = task->fault ? "the test lets it fail" : "";
	char thread[40] = "";
	if (task->engines)
		snprintf(thread, sizeof thread, "the engine's thread %u", task->number);
	else if (task->tid != e->pid)
		snprintf(thread, sizeof thread, "the test's thread %u",
			 driver_number(e->record, task->tid));
	text[0] = '\0';
	if (*thread || *fault)
		snprintf(text, NOTE_SIZE, "   [%s%s%s]", thread, *thread && *fault ? ", " : "",
			 fault);
	return text;
}

/* Of all that a wait brought, of which a text shows the first: what happened, and for whom. */
static void key_events(struct event_key *key, const struct tracee *task, long long count)
{
	bool polls = syscall_among(task->call, "poll ppoll");
	struct epoll_event events[64];
	struct pollfd fds[64];
	uint64_t listed = polls ? task->args[1] : (uint64_t)count;
	size_t read = listed < 64 ? listed : 64;
	if (polls && read_program(task->tid, task->args[0], fds, read * sizeof *fds))
		for (size_t i = 0; i < read; i++) {
			key_fixed(key, (uint64_t)fds[i].revents);
			key_varying(key, (uint64_t)fds[i].fd);
		}
	if (!polls && read_program(task->tid, task->args[1], events, read * sizeof *events))
		for (size_t i = 0; i < read; i++) {
			key_fixed(key, events[i].events);
			key_varying(key, events[i].data.u64);
		}
}

/* The call and what it was asked for. Operations and flags make it another one, numbers vary. */
static struct event_key key_of_call(const struct exam *e, const struct tracee *task)
{
	struct event_key key = { 0, 0 };
	char unused[EXAM_EVENT_BYTES];
	key_fixed(&key, (uint64_t)task->call);
	key_fixed(&key, task->fault ? 2 : task->tid != e->pid);
	key_varying(&key, (uint64_t)task->tid);
	describe_arguments(task, unused, sizeof unused, &key);
	return key;
}

static bool is_wait_for_events(long call)
{
	return syscall_among(call, "epoll_wait epoll_pwait epoll_pwait2 poll ppoll");
}

void write_down_call(struct exam *e, const struct tracee *task, bool failed, long long result)
{
	char text[EXAM_EVENT_BYTES] = INDENT, number[32], words[EXAM_EVENT_BYTES] = "";
	char note[NOTE_SIZE];
	struct event_key key = key_of_call(e, task);
	key_fixed(&key, failed);
	key_fixed(&key, (uint64_t)result);
	if (!failed && result > 0 && is_wait_for_events(task->call))
		key_events(&key, task, result);
	if (!failed)
		describe_answer(task, result, words, sizeof words);
	describe_call(task, text + strlen(INDENT), sizeof text - strlen(INDENT));
	size_t used = strlen(text);
	snprintf(number, sizeof number, "%lld", result);
	snprintf(text + used, sizeof text - used, " = %s%s%s",
		 failed ? failure_name(result) : number, words, side_note(e, task, note));
	write_down(e, key, text);
}

void write_down_calls_under_way(struct exam *e)
{
	for (unsigned i = 0; i < e->task_count; i++) {
		const struct tracee *task = &e->tasks[i];
		char text[EXAM_EVENT_BYTES] = INDENT, note[NOTE_SIZE];
		if (!task->told || !is_in_call(task))
			continue;
		describe_call(task, text + strlen(INDENT), sizeof text - strlen(INDENT));
		size_t used = strlen(text);
		snprintf(text + used, sizeof text - used, " ... still in it%s",
			 side_note(e, task, note));
		write_down(e, key_of_call(e, task), text);
	}
}

void write_down_signal(struct exam *e, const struct tracee *task, const siginfo_t *info)
{
	char text[EXAM_EVENT_BYTES], number[16], words[64], note[NOTE_SIZE];
	struct event_key key = { 0, 0 };
	bool is_queued = info->si_code > 0 && info->si_signo >= 32;
	key_fixed(&key, UINT64_C(1) << 32 | (uint64_t)info->si_signo);
	key_fixed(&key, (uint64_t)info->si_code);
	key_fixed(&key, task->tid != e->pid);
	key_varying(&key, (uint64_t)task->tid);
	key_varying(&key, is_queued ? (uint64_t)info->si_fd : 0);
	describe_signal(info, words, sizeof words);
	snprintf(text, sizeof text, INDENT "-- signal %s comes%s%s",
		 signal_word(info->si_signo, number), words, side_note(e, task, note));
	write_down(e, key, text);
}

bool is_printing(const struct tracee *task)
{
	int fd = (int)task->args[0];
	return (fd == 1 || fd == 2) &&
	       syscall_among(task->call, "write writev fstat newfstatat statx ioctl");
}

bool is_background_call(long call)
{
	return syscall_among(call, "brk mmap munmap mprotect madvise futex clock_gettime "
				   "rt_sigreturn getrandom sched_yield rt_sigprocmask rseq "
				   "set_robust_list");
}

const char *const wait_names[WAIT_COUNT] = {
	"select",	"pselect6",	"epoll_wait",	 "epoll_pwait",
	"epoll_pwait2", "io_getevents", "io_pgetevents",
#ifdef SYS_poll
	"ppoll",
#else
	"select",
#endif
};

bool is_worth_telling(long call)
{
	return call == SYS_rt_sigprocmask || !is_background_call(call);
}

bool varies_in_tests(long call)
{
	return syscall_among(call,
			     "clock_nanosleep nanosleep poll ppoll ioctl getdents64 openat close "
			     "newfstatat fstat lseek read recvfrom setsockopt getsockopt fcntl "
			     "sched_getaffinity wait4 kill tgkill rt_sigaction exit_group "
			     "getpid gettid");
}
