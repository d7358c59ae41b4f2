/* SPDX-License-Identifier: MIT */
#include "syscall_names.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define CALL(name, shape)                                                                          \
	{                                                                                          \
		SYS_##name, #name, shape                                                           \
	}

static const struct {
	long number;
	const char *name, *shape;
} calls[] = {
	CALL(read, "d.n"),
	CALL(write, "d.n"),
	CALL(pread64, "d.nn"),
	CALL(pwrite64, "d.nn"),
	CALL(readv, "d.n"),
	CALL(writev, "d.n"),
	CALL(preadv, "d.nn"),
	CALL(pwritev, "d.nn"),
	CALL(preadv2, "d.nn"),
	CALL(pwritev2, "d.nn"),
	CALL(recvfrom, "d.nn"),
	CALL(sendto, "d.nn"),
	CALL(recvmsg, "d.n"),
	CALL(sendmsg, "d.n"),
	CALL(fsync, "d"),
	CALL(fdatasync, "d"),
	CALL(lseek, "dnn"),
	CALL(fcntl, "dF"),
	CALL(ioctl, "dn"),
	CALL(close, "d"),
	CALL(openat, "d"),
	CALL(fstat, "d"),
	CALL(newfstatat, "d"),
	CALL(ppoll, ".ntB"),
	CALL(pselect6, "n"),
	CALL(epoll_create1, "n"),
	CALL(epoll_ctl, "dedE"),
	CALL(epoll_pwait, "d.nm"),
	CALL(eventfd2, "nn"),
	CALL(timerfd_create, "nn"),
	CALL(timerfd_settime, "dn"),
	CALL(signalfd4, "d"),
	CALL(rt_sigtimedwait, "S.t"),
	CALL(rt_sigaction, "s"),
	CALL(rt_sigprocmask, "hS"),
	CALL(rt_sigreturn, ""),
	CALL(io_setup, "n"),
	CALL(io_submit, ".n"),
	CALL(io_getevents, ".nn.t"),
	CALL(io_cancel, ""),
	CALL(io_destroy, ""),
	CALL(io_uring_setup, "n"),
	CALL(io_uring_enter, "dnnn"),
	CALL(io_uring_register, "dn"),
	CALL(mmap, ".n"),
	CALL(munmap, ".n"),
	CALL(mprotect, ".n"),
	CALL(madvise, ".n"),
	CALL(brk, ""),
	CALL(futex, ""),
	CALL(clone3, ""),
	CALL(clone, ""),
	CALL(rseq, ""),
	CALL(set_robust_list, ""),
	CALL(exit, "n"),
	CALL(exit_group, "n"),
	CALL(nanosleep, ""),
	CALL(clock_nanosleep, "n"),
	CALL(clock_gettime, "n"),
	CALL(sched_yield, ""),
	CALL(getrandom, ""),
	CALL(getpid, ""),
	CALL(getppid, ""),
	CALL(gettid, ""),
	CALL(kill, "ds"),
	CALL(tgkill, "dds"),
	CALL(tkill, "ds"),
	CALL(rt_sigqueueinfo, "ds"),
	CALL(rt_tgsigqueueinfo, "dds"),
	CALL(pidfd_send_signal, "ds"),
	CALL(pidfd_getfd, "dd"),
	CALL(ptrace, "nn"),
	CALL(process_vm_readv, "n"),
	CALL(process_vm_writev, "n"),
	CALL(prlimit64, "nn"),
	CALL(execve, ""),
	CALL(execveat, ""),
	CALL(restart_syscall, ""),
	CALL(socket, "nnn"),
	CALL(accept4, "d"),
	CALL(shutdown, "dn"),
	CALL(setsockopt, "dnn"),
	CALL(getsockopt, "dnn"),
	CALL(dup, "d"),
	CALL(pipe2, "."),
	CALL(memfd_create, ".n"),
	CALL(prctl, "n"),
/* Newer architectures lack these calls. */
#ifdef SYS_poll
	CALL(poll, ".nm"),
	CALL(select, "n"),
	CALL(epoll_create, "n"),
	CALL(epoll_wait, "d.nm"),
	CALL(eventfd, "n"),
	CALL(open, "."),
	CALL(fork, ""),
	CALL(vfork, ""),
	CALL(pause, ""),
	CALL(dup2, "dd"),
#endif
#ifdef SYS_epoll_pwait2
	CALL(epoll_pwait2, "d.nt"),
#endif
};

#define CALL_COUNT (sizeof calls / sizeof *calls)

/* Calls that have no shape above: names of all that the kernel's headers know. */
static const struct {
	long number;
	const char *name;
} all_calls[] = {
#define SYSCALL(name) { SYS_##name, #name },
#include "syscall_list.h"
#undef SYSCALL
};

#define NUMBERS_MAX 1024 /* above all of them */

/* Asked several times at each stop of a program, so the names are found once. */
static const char *names_by_number[NUMBERS_MAX];

__attribute__((constructor)) static void sort_names(void)
{
	for (unsigned i = 0; i < sizeof all_calls / sizeof *all_calls; i++)
		if (all_calls[i].number < NUMBERS_MAX)
			names_by_number[all_calls[i].number] = all_calls[i].name;
	for (unsigned i = 0; i < CALL_COUNT; i++)
		names_by_number[calls[i].number] = calls[i].name;
}

const char *syscall_name(long number, char text[SYSCALL_NAME_SIZE])
{
	if (number >= 0 && number < NUMBERS_MAX && names_by_number[number])
		return names_by_number[number];
	snprintf(text, SYSCALL_NAME_SIZE, "system call %ld", number);
	return text;
}

const char *syscall_shape(long number)
{
	for (unsigned i = 0; i < CALL_COUNT; i++)
		if (calls[i].number == number)
			return calls[i].shape;
	return "nnn";
}

bool syscall_among(long number, const char *names)
{
	char text[SYSCALL_NAME_SIZE];
	const char *name = syscall_name(number, text);
	size_t length = strlen(name);
	for (const char *word = names; *word;) {
		size_t word_length = strcspn(word, " ");
		if (word_length == length && memcmp(word, name, length) == 0)
			return true;
		word += word_length;
		word += strspn(word, " ");
	}
	return false;
}
