/* SPDX-License-Identifier: MIT */
#include "call_words.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "clock.h"
#include "program_memory.h"
#include "syscall_names.h"

#define EVENTS_SHOWN  2 /* of those that a wait returned */
#define SIGNALS_SHOWN 4 /* of a set */
#define US_SHOWN_MAX  (10 * NS_PER_S) /* a longer time limit is told in seconds */

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

/* O_RDONLY is no bit, and of a descriptor that is open already the rest does not matter. */
static const struct flag file_flags[] = {
	{ O_WRONLY, "O_WRONLY" },
	{ O_RDWR, "O_RDWR" },
	{ O_APPEND, "O_APPEND" },
	{ O_NONBLOCK, "O_NONBLOCK" },
	{ O_ASYNC, "O_ASYNC" },
	{ O_DIRECT, "O_DIRECT" },
	{ 0100000, "O_LARGEFILE" }, /* the C library says 0, as every file is one */
	{ 0, NULL },
};

/* A call's argument that stands for a name, and no sum of bits. */
struct choice {
	int value;
	const char *name;
};

/* What follows the command of fcntl(2), as one of the letters of syscall_shape(). */
static const struct command {
	int value;
	const char *name;
	char argument;
} commands[] = {
	{ F_GETFL, "F_GETFL", '.' },	       { F_SETFL, "F_SETFL", 'o' },
	{ F_GETFD, "F_GETFD", '.' },	       { F_SETFD, "F_SETFD", 'n' },
	{ F_GETSIG, "F_GETSIG", '.' },	       { F_SETSIG, "F_SETSIG", 's' },
	{ F_GETOWN, "F_GETOWN", '.' },	       { F_SETOWN, "F_SETOWN", 'd' },
	{ F_GETOWN_EX, "F_GETOWN_EX", 'O' },   { F_SETOWN_EX, "F_SETOWN_EX", 'O' },
	{ F_DUPFD, "F_DUPFD", 'd' },	       { F_DUPFD_CLOEXEC, "F_DUPFD_CLOEXEC", 'd' },
	{ F_GETPIPE_SZ, "F_GETPIPE_SZ", '.' }, { F_SETPIPE_SZ, "F_SETPIPE_SZ", 'd' },
};

static const struct choice owner_types[] = { { F_OWNER_TID, "F_OWNER_TID" },
					     { F_OWNER_PID, "F_OWNER_PID" },
					     { F_OWNER_PGRP, "F_OWNER_PGRP" },
					     { 0, NULL } };
static const struct choice mask_changes[] = { { SIG_BLOCK, "SIG_BLOCK" },
					      { SIG_UNBLOCK, "SIG_UNBLOCK" },
					      { SIG_SETMASK, "SIG_SETMASK" },
					      { -1, NULL } };
static const struct choice epoll_operations[] = {
	{ EPOLL_CTL_ADD, "ADD" }, { EPOLL_CTL_DEL, "DEL" }, { EPOLL_CTL_MOD, "MOD" }, { 0, NULL }
};
static const struct choice poll_codes[] = { { POLL_IN, "POLL_IN" },
					    { POLL_OUT, "POLL_OUT" },
					    { POLL_MSG, "POLL_MSG" },
					    { POLL_ERR, "POLL_ERR" },
					    { POLL_PRI, "POLL_PRI" },
					    { POLL_HUP, "POLL_HUP" },
					    { 0, NULL } };

const char *flag_names(uint32_t bits, const struct flag *flags, char *text, size_t size)
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

static void choice_name(int value, const struct choice *choices, char *text, size_t size)
{
	while (choices->name && choices->value != value)
		choices++;
	if (choices->name)
		snprintf(text, size, "%s", choices->name);
	else
		snprintf(text, size, "%d", value);
}

const char *signal_word(int number, char text[16])
{
	/* POLL is its other name. */
	const char *name = number == SIGIO ? "IO" : sigabbrev_np(number);
	/* Those that the C library keeps for itself have no name either. */
	if (name && number < 32)
		snprintf(text, 16, "SIG%s", name);
	else
		snprintf(text, 16, "%d", number);
	return text;
}

/* "{SIGIO, 64}"; of a set of most signals those that are not in it, "all but {64}". */
static void describe_set(uint64_t set, char *text, size_t size)
{
	bool most = __builtin_popcountll(set) > 32;
	uint64_t left = most ? ~set : set;
	if (most && !left) {
		snprintf(text, size, "all");
		return;
	}
	size_t used = (size_t)snprintf(text, size, most ? "all but {" : "{");
	for (int number = 1, shown = 0; number <= 64 && used < size; number++) {
		char word[16];
		if (!(left & UINT64_C(1) << (number - 1)))
			continue;
		if (shown++ == SIGNALS_SHOWN) {
			used += (size_t)snprintf(text + used, size - used, ", ...");
			break;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%s", shown > 1 ? ", " : "",
					 signal_word(number, word));
	}
	if (used < size)
		snprintf(text + used, size - used, "}");
}

int64_t time_limit_of(const struct tracee *task)
{
	struct timespec limit = { 0 };
	const char *shape = syscall_shape(task->call), *at = strchr(shape, 't');
	if (!at)
		return LIMIT_NONE;
	uint64_t address = task->args[at - shape];
	if (!address)
		return LIMIT_FOR_EVER;
	if (!read_program(task->tid, address, &limit, sizeof limit))
		return LIMIT_NONE;
	return limit.tv_sec < INT64_MAX / NS_PER_S ? limit.tv_sec * NS_PER_S + limit.tv_nsec
						   : INT64_MAX;
}

static void describe_limit(int64_t limit_ns, char *text, size_t size)
{
	if (limit_ns == LIMIT_NONE)
		snprintf(text, size, "?");
	else if (limit_ns == LIMIT_FOR_EVER)
		snprintf(text, size, "for ever");
	else if (limit_ns < US_SHOWN_MAX)
		snprintf(text, size, "%lld us", (long long)(limit_ns / NS_PER_US));
	else
		snprintf(text, size, "%lld s", (long long)(limit_ns / NS_PER_S));
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

/* Words for one argument, and what it makes of the event's key. */
struct words {
	char *text;
	size_t size;
	struct event_key *key;
};

static void name_fixed(const struct words *w, int value, const struct choice *choices)
{
	key_fixed(w->key, (uint64_t)value);
	choice_name(value, choices, w->text, w->size);
}

static void name_set(const struct tracee *task, uint64_t address, const char *before,
		     const struct words *w)
{
	uint64_t set = 0;
	key_fixed(w->key, address != 0);
	if (!address || !read_program(task->tid, address, &set, sizeof set)) {
		snprintf(w->text, w->size, "%s", *before ? "" : "NULL");
		return;
	}
	key_fixed(w->key, set);
	int used = snprintf(w->text, w->size, "%s", before);
	describe_set(set, w->text + used, w->size - (size_t)used);
}

/* Whom a descriptor's signals go to, "F_OWNER_TID 1234". */
static void name_owner(const struct tracee *task, uint64_t address, const struct words *w)
{
	struct f_owner_ex owner = { 0 };
	char type[24];
	if (!read_program(task->tid, address, &owner, sizeof owner)) {
		snprintf(w->text, w->size, "?");
		return;
	}
	key_fixed(w->key, (uint64_t)owner.type);
	key_varying(w->key, (uint64_t)owner.pid);
	choice_name((int)owner.type, owner_types, type, sizeof type);
	snprintf(w->text, w->size, "%s %d", type, (int)owner.pid);
}

static void name_epoll_event(const struct tracee *task, uint64_t address, const struct words *w)
{
	struct epoll_event event = { 0 };
	snprintf(w->text, w->size, "-");
	if (!address || !read_program(task->tid, address, &event, sizeof event))
		return;
	key_fixed(w->key, event.events);
	flag_names(event.events, epoll_events, w->text, w->size);
}

static void name_argument(const struct tracee *task, unsigned i, char letter,
			  const struct words *w);

/* The command of fcntl(2) stands before an argument whose meaning it decides. */
static void name_command(const struct tracee *task, unsigned i, const struct words *w)
{
	int value = (int)task->args[i];
	const struct command *command = commands,
			     *end = commands + sizeof commands / sizeof *commands;
	while (command < end && command->value != value)
		command++;
	key_fixed(w->key, (uint64_t)value);
	if (command == end) {
		key_varying(w->key, task->args[i + 1]);
		snprintf(w->text, w->size, "%d, %lld", value, (long long)task->args[i + 1]);
		return;
	}
	int used = snprintf(w->text, w->size, "%s%s", command->name,
			    command->argument == '.' ? "" : ", ");
	if (command->argument != '.')
		name_argument(task, i + 1, command->argument,
			      &(struct words) { w->text + used, w->size - (size_t)used, w->key });
}

/* Writes nothing where there is nothing to show. */
static void name_argument(const struct tracee *task, unsigned i, char letter, const struct words *w)
{
	uint64_t value = task->args[i];
	const struct flag *flags = letter == 'o' ? file_flags : flags_in(task->call, i);
	char signal[16];
	w->text[0] = '\0';
	if (flags) {
		key_fixed(w->key, value);
		flag_names((uint32_t)value, flags, w->text, w->size);
		return;
	}
	switch (letter) {
	case '.':
		return;
	case 'F':
		name_command(task, i, w);
		return;
	case 'O':
		name_owner(task, value, w);
		return;
	case 'e':
		name_fixed(w, (int)value, epoll_operations);
		return;
	case 'E':
		name_epoll_event(task, value, w);
		return;
	case 'h':
		name_fixed(w, (int)value, mask_changes);
		return;
	case 'S':
		name_set(task, value, "", w);
		return;
	case 'B':
		name_set(task, value, "blocked ", w);
		return;
	case 's':
		key_fixed(w->key, value);
		snprintf(w->text, w->size, "%s", value ? signal_word((int)value, signal) : "0");
		return;
	case 't':
		key_fixed(w->key, task->limit_ns == LIMIT_FOR_EVER);
		key_varying(w->key, (uint64_t)task->limit_ns);
		describe_limit(task->limit_ns, w->text, w->size);
		return;
	case 'm':
		key_varying(w->key, value);
		snprintf(w->text, w->size, (int)value < 0 ? "for ever" : "%d ms", (int)value);
		return;
	default:
		key_varying(w->key, value);
		snprintf(w->text, w->size, "%lld", letter == 'd' ? (int)value : (long long)value);
	}
}

void describe_arguments(const struct tracee *task, char *text, size_t size, struct event_key *key)
{
	const char *shape = syscall_shape(task->call), *separator = "";
	struct event_key unused = { 0, 0 };
	size_t used = 0;
	text[0] = '\0';
	for (unsigned i = 0; shape[i] && used < size; i++) {
		char word[EXAM_EVENT_BYTES];
		name_argument(task, i, shape[i],
			      &(struct words) { word, sizeof word, key ? key : &unused });
		if (!*word)
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%s", separator, word);
		separator = ", ";
	}
}

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

void describe_signal(const siginfo_t *info, char *text, size_t size)
{
	char code[16];
	text[0] = '\0';
	if (info->si_code <= 0)
		snprintf(text, size, ": sent by a program");
	else if (info->si_code <= POLL_HUP && (info->si_signo == SIGIO || info->si_signo >= 32)) {
		choice_name(info->si_code, poll_codes, code, sizeof code);
		snprintf(text, size, ": %s for fd %d", code, info->si_fd);
	} else if (info->si_signo == SIGIO) { /* SI_KERNEL: what it stands for was lost */
		snprintf(text, size, ": for nobody, the queue was full");
	}
}

/* Which signal a wait took, where it has a name, and what it says. */
static void describe_taken_signal(const struct tracee *task, int number, char *text, size_t size)
{
	siginfo_t info = { 0 };
	char name[16];
	int used = snprintf(text, size, number < 32 ? ": %s" : "%.0s", signal_word(number, name));
	if (task->args[1] && read_program(task->tid, task->args[1], &info, sizeof info))
		describe_signal(&info, text + used, size - (size_t)used);
}

void describe_answer(const struct tracee *task, long long answer, char *text, size_t size)
{
	char words[EXAM_EVENT_BYTES] = "";
	struct words w = { words, sizeof words, &(struct event_key) { 0, 0 } };
	text[0] = '\0';
	if (task->call == SYS_rt_sigprocmask && !task->args[1] && task->args[2])
		name_set(task, task->args[2], "", &w);
	else if (task->call == SYS_fcntl && task->args[1] == F_GETFL)
		flag_names((uint32_t)answer, file_flags, words, sizeof words);
	if (*words)
		snprintf(text, size, ": %s", words);
	if (answer <= 0)
		return;
	if (syscall_among(task->call, "epoll_wait epoll_pwait epoll_pwait2"))
		describe_epoll_events(task, answer, text, size);
	else if (syscall_among(task->call, "poll ppoll"))
		describe_poll_events(task, text, size);
	else if (task->call == SYS_rt_sigtimedwait)
		describe_taken_signal(task, (int)answer, text, size);
}
