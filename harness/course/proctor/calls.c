/* SPDX-License-Identifier: MIT */
#include "calls.h"

#include <linux/io_uring.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "clock.h"
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

static const struct flag ring_flags[] = {
	{ IORING_ENTER_GETEVENTS, "IORING_ENTER_GETEVENTS" },
	{ IORING_ENTER_SQ_WAKEUP, "IORING_ENTER_SQ_WAKEUP" },
	{ IORING_ENTER_SQ_WAIT, "IORING_ENTER_SQ_WAIT" },
	{ IORING_ENTER_EXT_ARG, "IORING_ENTER_EXT_ARG" },
	{ 1u << 4, "IORING_ENTER_REGISTERED_RING" }, /* Linux 5.18 */
	{ 0, NULL },
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

/* What the bits of a call's argument are called; NULL where it holds no flags that we know. */
static const struct flag *flags_in(long call, unsigned argument)
{
	if ((call == SYS_recvfrom || call == SYS_sendto) && argument == 3)
		return message_flags;
	if ((call == SYS_recvmsg || call == SYS_sendmsg) && argument == 2)
		return message_flags;
	return call == SYS_io_uring_enter && argument == 3 ? ring_flags : NULL;
}

static void describe_epoll_ctl(const struct tracee *task, char *text, size_t size)
{
	static const char *const operations[] = { "?", "ADD", "DEL", "MOD" };
	char events[64] = "-";
	struct epoll_event event = { 0 };
	if (task->args[3] && read_program(task->tid, task->args[3], &event, sizeof event))
		flag_names(event.events, epoll_events, events, sizeof events);
	snprintf(text, size, "epoll_ctl(%d, %s, %d, %s)", (int)task->args[0],
		 operations[task->args[1] < 4 ? task->args[1] : 0], (int)task->args[2], events);
}

/*
 * The time limit of epoll_pwait2, which it names by a pointer: ", 400 us", ", for ever"; empty for other
 * calls. (ppoll does so, too, and the kernel leaves there what was left of it.)
 */
static void describe_time_limit(const struct tracee *task, char *text, size_t size)
{
	struct timespec limit = { 0 };
	text[0] = '\0';
	if (task->call != SYS_epoll_pwait2)
		return;
	if (!task->args[3])
		snprintf(text, size, ", for ever");
	else if (read_program(task->tid, task->args[3], &limit, sizeof limit))
		snprintf(text, size, ", %lld us",
			 (long long)limit.tv_sec * (NS_PER_S / NS_PER_US) +
				 limit.tv_nsec / NS_PER_US);
}

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
	if (task->call == SYS_epoll_ctl) {
		describe_epoll_ctl(task, text, size);
		return;
	}
	char name[SYSCALL_NAME_SIZE];
	size_t used = (size_t)snprintf(text, size, "%s(", name_as_written(task, name));
	const char *shape = syscall_shape(task->call), *separator = "";
	for (unsigned i = 0; shape[i] && used < size; i++) {
		char names[100];
		if (shape[i] == '.')
			continue;
		const struct flag *flags = flags_in(task->call, i);
		if (flags)
			used += (size_t)snprintf(
				text + used, size - used, "%s%s", separator,
				flag_names((uint32_t)task->args[i], flags, names, sizeof names));
		else
			used += (size_t)snprintf(text + used, size - used, "%s%lld", separator,
						 shape[i] == 'd' ? (int)task->args[i]
								 : (long long)task->args[i]);
		separator = ", ";
	}
	if (used < size) {
		char time_limit[48];
		describe_time_limit(task, time_limit, sizeof time_limit);
		snprintf(text + used, size - used, "%s)", time_limit);
	}
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

static const char *side_note(const struct exam *e, const struct tracee *task)
{
	if (task->fault)
		return "   [the test lets it fail]";
	return task->tid == e->pid ? "" : "   [in another thread]";
}

#define EVENTS_SHOWN 2 /* of those that a wait returned */

/* What epoll said, ": IN|RDHUP for 5, ...": the events, and the word that the engine gave with them. */
static void describe_epoll_events(const struct tracee *task, long long count, char *text,
				  size_t size)
{
	struct epoll_event events[EVENTS_SHOWN];
	unsigned shown = count < EVENTS_SHOWN ? (unsigned)count : EVENTS_SHOWN;
	size_t used = 0;
	if (!read_program(task->tid, task->args[1], events, shown * sizeof *events))
		return;
	for (unsigned i = 0; i < shown && used < size; i++) {
		char names[64];
		uint64_t word = events[i].data.u64;
		flag_names(events[i].events, epoll_events, names, sizeof names);
		used += (size_t)snprintf(text + used, size - used,
					 word < 1u << 20 ? "%s %s for %llu" : "%s %s for %#llx",
					 i ? "," : ":", names, (unsigned long long)word);
	}
	if (count > shown && used < size)
		snprintf(text + used, size - used, ", ...");
}

/* The first descriptors that poll found ready, ": fd 5 IN". */
static void describe_poll_events(const struct tracee *task, char *text, size_t size)
{
	struct pollfd fds[64];
	uint64_t count = task->args[1] < 64 ? task->args[1] : 64;
	size_t used = 0;
	if (!read_program(task->tid, task->args[0], fds, count * sizeof *fds))
		return;
	for (uint64_t i = 0, shown = 0; i < count && shown < EVENTS_SHOWN && used < size; i++) {
		char names[64];
		if (!fds[i].revents)
			continue;
		/* The bits of poll and of epoll are the same. */
		flag_names((uint16_t)fds[i].revents, epoll_events, names, sizeof names);
		used += (size_t)snprintf(text + used, size - used, "%s fd %d %s",
					 shown++ ? "," : ":", fds[i].fd, names);
	}
}

/* Which events a wait brought; empty for other calls. */
static void describe_events(const struct tracee *task, bool failed, long long result, char *text,
			    size_t size)
{
	text[0] = '\0';
	if (failed || result <= 0)
		return;
	if (syscall_among(task->call, "epoll_wait epoll_pwait epoll_pwait2"))
		describe_epoll_events(task, result, text, size);
	else if (syscall_among(task->call, "poll ppoll"))
		describe_poll_events(task, text, size);
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
	struct epoll_event event = { 0 };
	struct timespec limit = { 0 };
	const char *shape = syscall_shape(task->call);
	key_fixed(&key, (uint64_t)task->call);
	key_fixed(&key, task->fault ? 2 : task->tid != e->pid);
	for (unsigned i = 0; shape[i]; i++) {
		bool is_word = flags_in(task->call, i) || (task->call == SYS_epoll_ctl && i == 1);
		if (shape[i] != '.')
			(is_word ? key_fixed : key_varying)(&key, task->args[i]);
	}
	if (task->call == SYS_epoll_ctl && task->args[3] &&
	    read_program(task->tid, task->args[3], &event, sizeof event))
		key_fixed(&key, event.events);
	if (task->call == SYS_epoll_pwait2) {
		key_fixed(&key, task->args[3] != 0);
		if (task->args[3] && read_program(task->tid, task->args[3], &limit, sizeof limit))
			key_varying(&key, (uint64_t)(limit.tv_sec * NS_PER_S + limit.tv_nsec));
	}
	return key;
}

static bool is_wait_for_events(long call)
{
	return syscall_among(call, "epoll_wait epoll_pwait epoll_pwait2 poll ppoll");
}

void write_down_call(struct exam *e, const struct tracee *task, bool failed, long long result)
{
	char text[EXAM_EVENT_BYTES] = INDENT, number[32], events[EXAM_EVENT_BYTES];
	struct event_key key = key_of_call(e, task);
	key_fixed(&key, failed);
	key_fixed(&key, (uint64_t)result);
	if (!failed && result > 0 && is_wait_for_events(task->call))
		key_events(&key, task, result);
	describe_events(task, failed, result, events, sizeof events);
	describe_call(task, text + strlen(INDENT), sizeof text - strlen(INDENT));
	size_t used = strlen(text);
	snprintf(number, sizeof number, "%lld", result);
	snprintf(text + used, sizeof text - used, " = %s%s%s",
		 failed ? failure_name(result) : number, events, side_note(e, task));
	write_down(e, key, text);
}

void write_down_calls_under_way(struct exam *e)
{
	for (unsigned i = 0; i < e->task_count; i++) {
		const struct tracee *task = &e->tasks[i];
		char text[EXAM_EVENT_BYTES] = INDENT;
		if (!task->counted || !is_in_call(task))
			continue;
		describe_call(task, text + strlen(INDENT), sizeof text - strlen(INDENT));
		size_t used = strlen(text);
		snprintf(text + used, sizeof text - used, " ... still in it%s", side_note(e, task));
		write_down(e, key_of_call(e, task), text);
	}
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

bool varies_in_tests(long call)
{
	return syscall_among(call,
			     "clock_nanosleep nanosleep poll ppoll ioctl getdents64 openat close "
			     "newfstatat fstat lseek read recvfrom setsockopt getsockopt fcntl "
			     "sched_getaffinity wait4 kill tgkill rt_sigaction exit_group "
			     "getpid gettid");
}
