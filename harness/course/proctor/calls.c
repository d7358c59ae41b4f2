/* SPDX-License-Identifier: MIT */
#include "calls.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "program_memory.h"
#include "reason.h"
#include "syscall_names.h"

/* The engine's calls stand in the account to the right of the test's own operations. */
#define INDENT "             "

struct flag {
	uint32_t bit;
	const char *name;
};

static const struct flag epoll_events[] = {
	{ EPOLLIN, "IN" },   { EPOLLOUT, "OUT" },	  { EPOLLRDHUP, "RDHUP" },
	{ EPOLLPRI, "PRI" }, { EPOLLERR, "ERR" },	  { EPOLLHUP, "HUP" },
	{ EPOLLET, "ET" },   { EPOLLONESHOT, "ONESHOT" }, { 0, NULL },
};

static const struct flag message_flags[] = {
	{ MSG_DONTWAIT, "MSG_DONTWAIT" }, { MSG_WAITALL, "MSG_WAITALL" },
	{ MSG_NOSIGNAL, "MSG_NOSIGNAL" }, { MSG_PEEK, "MSG_PEEK" },
	{ MSG_MORE, "MSG_MORE" },	  { MSG_TRUNC, "MSG_TRUNC" },
	{ MSG_OOB, "MSG_OOB" },		  { 0, NULL },
};

/* "IN|ET"; bits without a name follow as a number. */
static const char *flag_names(uint32_t bits, const struct flag *flags, char *text, size_t size)
{
	text[0] = '\0';
	for (; flags->name; flags++) {
		if (bits & flags->bit)
			snprintf(text + strlen(text), size - strlen(text), "%s%s", *text ? "|" : "",
				 flags->name);
		bits &= ~flags->bit;
	}
	if (bits || !*text)
		snprintf(text + strlen(text), size - strlen(text), *text ? "|%#x" : "%#x", bits);
	return text;
}

/* Which argument of a call holds MSG_ flags; 6: none. */
static unsigned message_flags_at(long call)
{
	return call == SYS_recvfrom || call == SYS_sendto   ? 3
	       : call == SYS_recvmsg || call == SYS_sendmsg ? 2
							    : 6;
}

static void describe_epoll_ctl(const struct task *task, char *text, size_t size)
{
	static const char *const operations[] = { "?", "ADD", "DEL", "MOD" };
	char events[64] = "-";
	struct epoll_event event = { 0 };
	if (task->args[3] && read_program(task->tid, task->args[3], &event, sizeof event))
		flag_names(event.events, epoll_events, events, sizeof events);
	snprintf(text, size, "epoll_ctl(" EXAM_ANY "%d, %s, " EXAM_ANY "%d, %s)",
		 (int)task->args[0], operations[task->args[1] < 4 ? task->args[1] : 0],
		 (int)task->args[2], events);
}

void describe_call(const struct task *task, char *text, size_t size)
{
	if (task->call == SYS_epoll_ctl) {
		describe_epoll_ctl(task, text, size);
		return;
	}
	size_t used = (size_t)snprintf(text, size, "%s(", syscall_name(task->call));
	const char *shape = syscall_shape(task->call), *separator = "";
	for (unsigned i = 0; shape[i] && used < size; i++) {
		char names[100];
		if (shape[i] == '.')
			continue;
		if (i == message_flags_at(task->call))
			used += (size_t)snprintf(text + used, size - used, "%s%s", separator,
						 flag_names((uint32_t)task->args[i], message_flags,
							    names, sizeof names));
		else
			used += (size_t)snprintf(
				text + used, size - used, "%s" EXAM_ANY "%lld", separator,
				shape[i] == 'd' ? (int)task->args[i] : (long long)task->args[i]);
		separator = ", ";
	}
	if (used < size)
		snprintf(text + used, size - used, ")");
}

/*
 * A signal ends a call with one of the codes 512 to 516 (ERESTARTSYS and its kin). The program sees
 * only what follows: EINTR, or the call once more. See include/linux/errno.h.
 */
static const char *failure_name(long long result)
{
	return result <= -512 && result >= -516 ? "ended by a signal" : errno_name((int)result);
}

static const char *thread_note(const struct exam *e, const struct task *task)
{
	return task->tid == e->pid ? "" : "   [in another thread]";
}

void write_down_call(struct exam *e, const struct task *task, bool failed, long long result)
{
	char text[EXAM_EVENT_BYTES] = INDENT, number[32];
	describe_call(task, text + strlen(INDENT), sizeof text - strlen(INDENT));
	size_t used = strlen(text);
	snprintf(number, sizeof number, "%lld", result);
	snprintf(text + used, sizeof text - used, " = %s%s", failed ? failure_name(result) : number,
		 thread_note(e, task));
	write_down(e, text);
}

void write_down_calls_under_way(struct exam *e)
{
	for (unsigned i = 0; i < e->task_count; i++) {
		const struct task *task = &e->tasks[i];
		char text[EXAM_EVENT_BYTES] = INDENT;
		if (task->call < 0 || !task->counted)
			continue;
		describe_call(task, text + strlen(INDENT), sizeof text - strlen(INDENT));
		size_t used = strlen(text);
		snprintf(text + used, sizeof text - used, " ... still in it%s",
			 thread_note(e, task));
		write_down(e, text);
	}
}

bool is_printing(const struct task *task)
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
