/* SPDX-License-Identifier: MIT */
#include "call_faults.h"

#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "syscall_names.h"

#if defined __x86_64__

static void drop_call(const struct tracee *task)
{
	ptrace(PTRACE_POKEUSER, task->tid, offsetof(struct user, regs.orig_rax), -1l);
}

static void answer_instead(const struct tracee *task, long answer)
{
	ptrace(PTRACE_POKEUSER, task->tid, offsetof(struct user, regs.rax), answer);
}

#elif defined __aarch64__

static void drop_call(const struct tracee *task)
{
	int none = -1;
	struct iovec number = { &none, sizeof none };
	ptrace(PTRACE_SETREGSET, task->tid, NT_ARM_SYSTEM_CALL, &number);
}

static void answer_instead(const struct tracee *task, long answer)
{
	struct user_regs_struct registers;
	struct iovec all = { &registers, sizeof registers };
	if (ptrace(PTRACE_GETREGSET, task->tid, NT_PRSTATUS, &all) < 0)
		return;
	registers.regs[0] = (unsigned long long)answer;
	ptrace(PTRACE_SETREGSET, task->tid, NT_PRSTATUS, &all);
}

#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "how is a system call replaced on this architecture?"
#endif

static bool is_among(const struct tracee *task, const char *theirs, size_t size)
{
	char names[64];
	snprintf(names, sizeof names, "%.*s", (int)size, theirs);
	return syscall_among(task->call, names);
}

void begin_fault(struct exam *e, struct tracee *task)
{
	struct exam_fault *fault = &e->record->fault;
	if (fault->failed && !syscall_among(task->call, EXAM_CALLS_AFTER_A_FAULT))
		fault->calls_since++;
	if (!fault->error || fault->failed)
		return;
	if (!is_among(task, fault->names, sizeof fault->names - 1) || fault->let_through-- > 0)
		return;
	char name[SYSCALL_NAME_SIZE];
	fault->failed = 1;
	snprintf(fault->call, sizeof fault->call, "%s", syscall_name(task->call, name));
	e->faults++;
	task->fault = fault->error;
	if (task->call != SYS_close)
		drop_call(task);
}

void end_fault(struct tracee *task, bool *failed, long long *answer)
{
	if (!task->fault)
		return;
	*failed = true;
	*answer = -task->fault;
	answer_instead(task, -task->fault);
}

void begin_hold(struct exam *e, struct tracee *task)
{
	struct exam_hold *hold = &e->record->hold;
	if (task->tid != e->pid || hold->held ||
	    !is_among(task, hold->names, sizeof hold->names - 1) || hold->let_through-- > 0)
		return;
	hold->held = 1;
	task->held = true;
}

struct tracee *end_hold(struct exam *e)
{
	struct tracee *task = find_task(e, e->pid);
	if (!task || !task->held || !e->record->hold.let_go)
		return NULL;
	task->held = false;
	return task;
}
