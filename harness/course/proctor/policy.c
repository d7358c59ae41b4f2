/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

#include "program_memory.h"
#include "syscall_names.h"

#define SET_SYSCALL_USER_DISPATCH 59 /* PR_SET_...; since Linux 5.11 */

static bool begins_with(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	return strncmp(path, folder, length) == 0 && (path[length] == '/' || !path[length]);
}

/*
 * The file that a call's path means. Where its last part does not exist yet, or is a link that the
 * call does not follow, only the folder is looked up. `folder_at`: the argument that holds the
 * folder's descriptor; -1: the call has none.
 */
static bool find_file(const struct tracee *task, int folder_at, unsigned path_at, bool follow,
		      char *real)
{
	char path[PATH_MAX], full[2 * PATH_MAX], link[64];
	if (!read_program_text(task->tid, task->args[path_at], path, sizeof path))
		return false;
	snprintf(full, sizeof full, "%s", path);
	if (path[0] != '/') {
		if (folder_at >= 0 && (int)task->args[folder_at] != AT_FDCWD)
			snprintf(link, sizeof link, "/proc/%d/fd/%d", task->tid,
				 (int)task->args[folder_at]);
		else
			snprintf(link, sizeof link, "/proc/%d/cwd", task->tid);
		ssize_t n = readlink(link, full, sizeof full - sizeof path - 2);
		snprintf(full + (n > 0 ? n : 0), sizeof full - (size_t)(n > 0 ? n : 0), "/%s",
			 path);
	}
	if (follow && realpath(full, real))
		return true;
	/* A link to a file that does not exist: opening it can make that file. */
	ssize_t target = follow ? readlink(full, real, PATH_MAX - 1) : -1;
	if (target > 0) {
		real[target] = '\0';
		return true;
	}
	size_t end = strlen(full);
	while (end > 1 && full[end - 1] == '/')
		full[--end] = '\0';
	char *name = strrchr(full, '/');
	*name++ = '\0';
	if (!realpath(*full ? full : "/", real))
		snprintf(real, PATH_MAX, "%.*s", PATH_MAX - 1, full);
	size_t length = strlen(real);
	snprintf(real + length, PATH_MAX - length, "/%s", name);
	return true;
}

static bool may_write(const struct exam *e, const char *real)
{
	return begins_with(real, e->folder) || begins_with(real, "/dev") ||
	       begins_with(real, "/proc/self");
}

/*
 * The status of a process names its tracer; syscall, wchan and stack show its stops. Whoever asks
 * wants to behave only while it is watched. The test itself may read them.
 */
static bool looks_for_tracer(const struct exam *e, const struct tracee *task, const char *real)
{
	static const char *const files[] = { "/status", "/syscall", "/wchan", "/stack" };
	bool tests = e->begun && task->tid == e->pid && !is_in_engine(e);
	size_t length = strlen(real);
	if (tests || !begins_with(real, "/proc") || real[5] != '/' || real[6] < '0' ||
	    real[6] > '9')
		return false;
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		size_t name = strlen(files[i]);
		if (length > name && strcmp(real + length - name, files[i]) == 0)
			return true;
	}
	return false;
}

/*
 * A program with threads could change the path after this look. Only the grader's user and its mount
 * namespace keep it out for certain; this check names the file.
 */
void check_open(struct exam *e, const struct tracee *task)
{
	bool at = task->call == SYS_openat || task->call == SYS_openat2;
	uint64_t flags = task->args[at ? 2 : 1];
#ifdef SYS_open
	if (task->call == SYS_creat)
		flags = O_CREAT | O_WRONLY;
	else if (!at && task->call != SYS_open)
		return;
#else
	if (!at)
		return;
#endif
	struct open_how how = { 0 };
	if (task->call == SYS_openat2)
		flags = read_program(task->tid, task->args[2], &how, sizeof how) ? how.flags
										 : O_RDWR;
	char real[PATH_MAX];
	if (!find_file(task, at ? 0 : -1, at ? 1 : 0, true, real))
		return;
	if (looks_for_tracer(e, task, real)) {
		break_off(e, "looks_for_tracer", "path", real);
		return;
	}
	for (unsigned i = 0; i < e->options->forbidden_count; i++)
		if (begins_with(real, e->options->forbidden[i])) {
			break_off(e, "opens_forbidden", "path", real);
			return;
		}
	bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
	if (writes && !may_write(e, real))
		break_off(e, "opens_for_writing", "path", real);
}

/* Calls that change what a path names: which arguments hold a folder's descriptor and the path. */
static const struct {
	long call;
	int folder_at;
	unsigned path_at;
	bool follow;
} changing_calls[] = {
	{ SYS_mkdirat, 0, 1, false },	{ SYS_unlinkat, 0, 1, false },
	{ SYS_renameat2, 0, 1, false }, { SYS_renameat2, 2, 3, false },
	{ SYS_linkat, 2, 3, false },	{ SYS_symlinkat, 1, 2, false },
	{ SYS_mknodat, 0, 1, false },	{ SYS_fchmodat, 0, 1, true },
	{ SYS_fchownat, 0, 1, true },	{ SYS_utimensat, 0, 1, true },
	{ SYS_truncate, -1, 0, true },
#ifdef SYS_fchmodat2
	{ SYS_fchmodat2, 0, 1, true },
#endif
#ifdef SYS_renameat
	{ SYS_renameat, 0, 1, false },	{ SYS_renameat, 2, 3, false },
#endif
#ifdef SYS_open
	{ SYS_mkdir, -1, 0, false },	{ SYS_rmdir, -1, 0, false },
	{ SYS_unlink, -1, 0, false },	{ SYS_rename, -1, 0, false },
	{ SYS_rename, -1, 1, false },	{ SYS_link, -1, 1, false },
	{ SYS_symlink, -1, 1, false },	{ SYS_mknod, -1, 0, false },
	{ SYS_chmod, -1, 0, true },	{ SYS_chown, -1, 0, true },
	{ SYS_lchown, -1, 0, false },	{ SYS_utime, -1, 0, true },
	{ SYS_utimes, -1, 0, true },	{ SYS_futimesat, 0, 1, true },
#endif
};

void check_change(struct exam *e, const struct tracee *task)
{
	char real[PATH_MAX];
	for (unsigned i = 0; i < sizeof changing_calls / sizeof *changing_calls; i++)
		if (changing_calls[i].call == task->call &&
		    find_file(task, changing_calls[i].folder_at, changing_calls[i].path_at,
			      changing_calls[i].follow, real) &&
		    !may_write(e, real))
			break_off(e, "changes_file", "path", real);
}

/* A signal that the program sends to itself, or to its own group. */
static void note_own_signal(struct exam *e, const struct tracee *task)
{
	if (task->call == SYS_kill || task->call == SYS_tkill || task->call == SYS_rt_sigqueueinfo)
		e->own_signal = (int)task->args[1];
	else if (task->call == SYS_tgkill || task->call == SYS_rt_tgsigqueueinfo)
		e->own_signal = (int)task->args[2];
}

/*
 * Another process is the proctor, whose user a learner shares, or all processes, as in kill(-1). The
 * program is stopped before the call, so the call is never made. Its numbers are in registers; no
 * thread can change them in the meantime.
 */
void check_reach(struct exam *e, const struct tracee *task, uint32_t arch)
{
	char name[SYSCALL_NAME_SIZE];
	pid_t target = (pid_t)task->args[0];
	bool reaches = false;
	if (!e->arch)
		e->arch = arch;
	/* A 32-bit call (int 0x80) has other numbers, and so would pass unseen. */
	if (arch != e->arch || (uint64_t)task->call >= 0x40000000) {
		break_off(e, "foreign_architecture", NULL, NULL);
		return;
	}
	switch (task->call) {
	case SYS_add_key:
	case SYS_request_key:
	case SYS_keyctl:
	case SYS_shmget:
	case SYS_msgget:
	case SYS_semget:
	case SYS_mq_open:
		break_off(e, "leaves_behind", "call", syscall_name(task->call, name));
		return;
	case SYS_kill:
		reaches = target != e->pid && target != -e->pid && target != 0;
		break;
	case SYS_tkill:
		reaches = !find_task(e, target);
		break;
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
		reaches = target != e->pid;
		break;
	case SYS_prlimit64:
		reaches = target != e->pid && target != 0;
		break;
	case SYS_prctl:
		if (task->args[0] != PR_SET_SECCOMP && task->args[0] != SET_SYSCALL_USER_DISPATCH)
			break;
		/* fall through */
	case SYS_seccomp:
		/*
		 * A filter of its own could make calls that the proctor does not get to see, or take
		 * from the test those by which it tells something.
		 */
		break_off(e, "filters_calls", "call", syscall_name(task->call, name));
		return;
	case SYS_ptrace:
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
	case SYS_pidfd_send_signal:
	case SYS_pidfd_getfd:
		reaches = true;
		break;
	case SYS_execve:
	case SYS_execveat:
		/* The first is our own: it turns our child into the program. */
		if (e->execs++ > 0)
			break_off(e, "becomes_program", "call", syscall_name(task->call, name));
		return;
	default:
		break;
	}
	if (reaches)
		break_off(e, "reaches_process", "call", syscall_name(task->call, name));
	else
		note_own_signal(e, task);
}

/* Can the program have written this file, which has no name or one in a folder of its own? */
static bool is_own_file(const struct exam *e, const struct tracee *task, int fd)
{
	static const char *const folders[] = { "/memfd:", "/tmp", "/var/tmp", "/dev", "/proc" };
	char link[64], path[PATH_MAX];
	struct stat status;
	snprintf(link, sizeof link, "/proc/%d/fd/%d", task->tid, fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length < 0 || stat(link, &status) < 0 || status.st_nlink == 0)
		return true;
	path[length] = '\0';
	for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return true;
	return begins_with(path, e->folder);
}

/*
 * New code, or other code in a place where some stood: the test itself lies in the program's memory, and
 * what it expects. The C library maps the code of libraries, also late.
 */
void check_code(struct exam *e, const struct tracee *task)
{
	char name[SYSCALL_NAME_SIZE];
	uint64_t protection = task->args[2], flags = task->args[3];
	bool changes = false;
	if (task->call == SYS_mprotect || task->call == SYS_pkey_mprotect)
		changes = protection & PROT_EXEC;
	else if (task->call == SYS_mmap)
		changes = (protection & PROT_EXEC) &&
			  ((flags & MAP_ANONYMOUS) || (flags & MAP_TYPE) != MAP_PRIVATE ||
			   is_own_file(e, task, (int)task->args[4]));
	else if (task->call == SYS_mremap)
		changes = flags & MREMAP_FIXED;
	else if (task->call == SYS_remap_file_pages || task->call == SYS_personality)
		changes = true;
	if (changes)
		break_off(e, "changes_code", "call", syscall_name(task->call, name));
}

/*
 * The check comes before the call, not at ptrace's event after it: a child made with CLONE_UNTRACED
 * causes none. A clone with CLONE_THREAD is a thread.
 */
void check_new_process(struct exam *e, struct tracee *task)
{
	bool process = false;
	switch (task->call) {
	case SYS_clone:
		process = !(task->args[0] & CLONE_THREAD) || (task->args[0] & CLONE_UNTRACED);
		break;
	case SYS_clone3: {
		uint64_t flags = 0; /* the first field of struct clone_args */
		read_program(task->tid, task->args[0], &flags, sizeof flags);
		process = !(flags & CLONE_THREAD) || (flags & CLONE_UNTRACED);
#ifdef __x86_64__
		/*
		 * Another thread could change these flags after we looked. So the kernel does
		 * not get to see the call: it is ENOSYS, and the C library turns to clone(),
		 * whose flags lie in a register.
		 */
		ptrace(PTRACE_POKEUSER, task->tid, offsetof(struct user, regs.orig_rax), -1l);
		task->counted = task->told = false;
#endif
		break;
	}
#ifdef SYS_fork
	case SYS_fork:
	case SYS_vfork:
		process = true;
		break;
#endif
	default:
		break;
	}
	if (process)
		break_off(e, "starts_process", NULL, NULL);
}
