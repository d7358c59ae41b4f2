/* SPDX-License-Identifier: MIT */
/*
 * proctor: runs the tests of a lab around somebody's engine, and judges.
 *
 *     proctor [OPTION...] PROGRAM
 *
 * PROGRAM is a lab's test program with the engine linked in. Each test runs in a process of its
 * own, with a limit of time. The proctor stops it at every system call with ptrace(2): so it can
 * count the calls that the engine makes, show them when a test fails, and say where a program
 * hangs.
 *
 * The verdict is the proctor's. The program's output is only quoted, its exit status alone proves
 * nothing (an engine may call exit(0)), and the descriptor that the verdict is written to was
 * closed before the program began. Prints TAP; what explains a failure follows in comment lines.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "reason.h"
#include "syscall_names.h"
#include "exam_record.h"

#define TESTS_MAX     256
#define TASKS_MAX     256 /* threads of one program; lab 02 needs 130 */
#define FORBIDDEN_MAX 16
#define OUTPUT_BYTES  4096
#define TICK_US	      20000
#define SHOWN_EVENTS  24
#define FILE_BYTES    (256l << 20)

/* What the child says when it could not become the program. */
#define CANNOT_TRACE 120
#define CANNOT_START 121

struct options {
	const char *program;
	const char
		*list_program; /* trusted, for the names of the tests; NULL: the program itself */
	const char *only; /* one test, or NULL */
	unsigned exercise; /* 0: all */
	bool untraced;
	bool keep_going;
	int uid; /* to run the program as; -1: as ourselves */
	const char *forbidden[FORBIDDEN_MAX]; /* folders in which it may open nothing */
	unsigned forbidden_count;
};

struct test {
	char name[128];
	unsigned exercise;
	unsigned limit_s;
};

/* A thread of the program. */
struct task {
	pid_t tid;
	bool engines; /* started by the engine */
	bool counted; /* the call it is in */
	long call; /* -1: outside of the kernel */
	uint64_t args[6];
};

struct run {
	const struct options *options;
	const struct test *test;
	struct trace *trace;
	uint64_t token;
	pid_t pid;
	int output_fd;
	char folder[220];
	char output[OUTPUT_BYTES];
	size_t output_length;
	struct task tasks[TASKS_MAX];
	unsigned task_count;
	bool stopped_at_start;
	bool begun; /* main() was reached */
	uint32_t arch; /* AUDIT_ARCH_* of the system calls that this proctor knows */
	unsigned execs;
	uint64_t fault_address; /* of the instruction, when a signal is about to kill it */
	struct reason broken_rule; /* why the proctor ended it */
	int status;
	bool ended;
};

enum verdict { PASSED, FAILED, SKIPPED };

static struct task *find_task(struct run *r, pid_t tid)
{
	for (unsigned i = 0; i < r->task_count; i++)
		if (r->tasks[i].tid == tid)
			return &r->tasks[i];
	return NULL;
}

static struct task *add_task(struct run *r, pid_t tid)
{
	struct task *task = find_task(r, tid);
	if (task || r->task_count == TASKS_MAX)
		return task;
	task = &r->tasks[r->task_count++];
	*task = (struct task) { .tid = tid, .call = -1 };
	if (tid != r->pid && r->trace->in_engine) {
		task->engines = true;
		r->trace->threads_started++;
	}
	return task;
}

static void kill_all(struct run *r)
{
	kill(r->pid, SIGKILL);
	for (unsigned i = 0; i < r->task_count; i++)
		kill(r->tasks[i].tid, SIGKILL);
}

/* Ends the program because of what it did. */
static void break_off(struct run *r, const char *rule, const char *detail)
{
	if (!r->broken_rule.text[0])
		reason_set(&r->broken_rule, rule, detail);
	kill_all(r);
}

static void write_down(struct run *r, const char *text)
{
	uint32_t i = trace_slot(__atomic_fetch_add(&r->trace->event_count, 1, __ATOMIC_RELAXED));
	snprintf(r->trace->events[i], TRACE_EVENT_BYTES, "%s", text);
}

static bool read_memory(pid_t tid, uint64_t address, void *into, size_t length)
{
	struct iovec local = { into, length }, remote = { (void *)(uintptr_t)address, length };
	return process_vm_readv(tid, &local, 1, &remote, 1, 0) == (ssize_t)length;
}

/* A path lies near the end of a page as often as not, so it is read in small pieces. */
static bool read_path(pid_t tid, uint64_t address, char *path, size_t size)
{
	for (size_t at = 0; at + 16 <= size; at += 16) {
		size_t piece = 16 - (address + at) % 16;
		if (!read_memory(tid, address + at, path + at, piece))
			return false;
		if (memchr(path + at, 0, piece))
			return true;
		at -= 16 - piece;
	}
	return false;
}

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

static void describe_call(const struct task *task, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "             %s(", syscall_name(task->call));
	if (task->call == SYS_epoll_ctl) {
		static const char *const operations[] = { "?", "ADD", "DEL", "MOD" };
		char events[64] = "-";
		struct epoll_event event = { 0 };
		if (task->args[3] && read_memory(task->tid, task->args[3], &event, sizeof event))
			flag_names(event.events, epoll_events, events, sizeof events);
		snprintf(text + used, size - used, "%d, %s, %d, %s)", (int)task->args[0],
			 operations[task->args[1] < 4 ? task->args[1] : 0], (int)task->args[2],
			 events);
		return;
	}
	const char *shape = syscall_shape(task->call);
	bool first = true;
	for (unsigned i = 0; shape[i] && used < size; i++) {
		if (shape[i] == '.')
			continue;
		const char *separator = first ? "" : ", ";
		first = false;
		if (i == message_flags_at(task->call)) {
			char names[100];
			flag_names((uint32_t)task->args[i], message_flags, names, sizeof names);
			used += (size_t)snprintf(text + used, size - used, "%s%s", separator,
						 names);
			continue;
		}
		long long value = shape[i] == 'd' ? (int)task->args[i] : (long long)task->args[i];
		used += (size_t)snprintf(text + used, size - used, "%s%lld", separator, value);
	}
	if (used < size)
		snprintf(text + used, size - used, ")");
}

static bool begins_with(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	return strncmp(path, folder, length) == 0 && (path[length] == '/' || !path[length]);
}

/*
 * The file that a call's path means. The last part may not be there yet, or be a link that the call
 * does not follow, so then only the folder is looked up. `folder_at`: the argument that holds the
 * folder's descriptor, -1 when the call has none.
 */
static bool find_file(const struct task *task, int folder_at, unsigned path_at, bool follow,
		      char *real)
{
	char path[PATH_MAX], full[2 * PATH_MAX], link[64];
	if (!read_path(task->tid, task->args[path_at], path, sizeof path))
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
	/* A link to what is not there yet: opening it can make that. */
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

static bool may_write(const struct run *r, const char *real)
{
	return begins_with(real, r->folder) || begins_with(real, "/dev") ||
	       begins_with(real, "/proc/self");
}

/*
 * Opening a file where nothing is to be read, or for writing outside of the test's own folder. A
 * program with threads could change the path afterwards: this catches it in the act and names it;
 * what keeps it out for certain is the grader's user and its mount namespace.
 */
static void check_open(struct run *r, const struct task *task)
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
		flags = read_memory(task->tid, task->args[2], &how, sizeof how) ? how.flags
										: O_RDWR;
	char real[PATH_MAX];
	if (!find_file(task, at ? 0 : -1, at ? 1 : 0, true, real))
		return;
	for (unsigned i = 0; i < r->options->forbidden_count; i++)
		if (begins_with(real, r->options->forbidden[i])) {
			break_off(r, "the program opens %s, which is not for it to read", real);
			return;
		}
	bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
	if (writes && !may_write(r, real))
		break_off(r, "the program opens %s for writing, outside of its folder", real);
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

static void check_change(struct run *r, const struct task *task)
{
	char real[PATH_MAX];
	for (unsigned i = 0; i < sizeof changing_calls / sizeof *changing_calls; i++)
		if (changing_calls[i].call == task->call &&
		    find_file(task, changing_calls[i].folder_at, changing_calls[i].path_at,
			      changing_calls[i].follow, real) &&
		    !may_write(r, real))
			break_off(r, "the program changes %s, outside of its folder", real);
}

/*
 * Calls that reach for another process: the proctor, whose user a learner shares, or all of them,
 * as kill(-1) does. The program stands before the call, so the call is never made. Its numbers lie
 * in registers; nobody can change them meanwhile.
 */
static void check_reach(struct run *r, struct task *task, const struct __ptrace_syscall_info *info)
{
	pid_t target = (pid_t)task->args[0];
	bool reaches = false;
	if (!r->arch)
		r->arch = info->arch;
	/* A 32-bit call (int 0x80) goes by other numbers, and so would pass unseen. */
	if (info->arch != r->arch || (uint64_t)task->call >= 0x40000000) {
		break_off(r, "the program makes system calls of another architecture%s", "");
		return;
	}
	switch (task->call) {
	case SYS_kill:
		reaches = target != r->pid && target != -r->pid && target != 0;
		break;
	case SYS_tkill:
		reaches = !find_task(r, target);
		break;
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
		reaches = target != r->pid;
		break;
	case SYS_prlimit64:
		reaches = target != r->pid && target != 0;
		break;
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
		if (r->execs++ > 0)
			break_off(r, "the program turns into another one (%s)",
				  syscall_name(task->call));
		return;
	default:
		break;
	}
	if (reaches)
		break_off(r, "the program reaches for another process (%s)",
			  syscall_name(task->call));
}

/*
 * A new process is stopped before the call is made, not by the event that follows it: a child made
 * with CLONE_UNTRACED gives none. A thread is one with CLONE_THREAD.
 */
static void check_new_process(struct run *r, struct task *task)
{
	bool process = false;
	switch (task->call) {
	case SYS_clone:
		process = !(task->args[0] & CLONE_THREAD) || (task->args[0] & CLONE_UNTRACED);
		break;
	case SYS_clone3: {
		uint64_t flags = 0; /* the first field of struct clone_args */
		read_memory(task->tid, task->args[0], &flags, sizeof flags);
		process = !(flags & CLONE_THREAD) || (flags & CLONE_UNTRACED);
#ifdef __x86_64__
		/*
		 * Another thread could change these flags after we looked. So the kernel does
		 * not get to see the call: it is ENOSYS, and the C library turns to clone(),
		 * whose flags lie in a register.
		 */
		ptrace(PTRACE_POKEUSER, task->tid, offsetof(struct user, regs.orig_rax), -1l);
		task->counted = false;
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
		break_off(r, "the program starts another process%s", "");
}

/* What the C library does by itself, beside what an engine asks for. */
static bool is_noise(long call)
{
	return syscall_among(call, "brk mmap munmap mprotect madvise futex clock_gettime "
				   "rt_sigreturn getrandom sched_yield rt_sigprocmask rseq "
				   "set_robust_list");
}

static void enter_call(struct run *r, struct task *task, const struct __ptrace_syscall_info *info)
{
	task->call = (long)info->entry.nr;
	for (unsigned i = 0; i < 6; i++)
		task->args[i] = info->entry.args[i];
	check_reach(r, task, info);
	if (task->call == SYS_prctl && task->args[0] == TRACE_BEGIN && task->tid == r->pid) {
		r->begun = true;
		r->trace->attached = 1;
		r->trace->token = r->token;
	}
	bool mains = task->tid == r->pid && r->trace->in_engine;
	task->counted = (mains || task->engines) && task->call >= 0 && task->call < TRACE_CALLS_MAX;
	check_new_process(r, task);
	if (task->counted)
		(mains ? r->trace->calls_main : r->trace->calls_others)[task->call]++;
	check_open(r, task);
	check_change(r, task);
}

/*
 * A signal ends a call with one of the codes 512 to 516 (ERESTARTSYS and its kin), of which the
 * program sees only what follows: EINTR, or the call once more. See include/linux/errno.h.
 */
static const char *failure_name(long long result)
{
	return result <= -512 && result >= -516 ? "ended by a signal" : errno_name((int)result);
}

static void leave_call(struct run *r, struct task *task, const struct __ptrace_syscall_info *info)
{
	char text[TRACE_EVENT_BYTES];
	if (task->counted && !is_noise(task->call)) {
		describe_call(task, text, sizeof text);
		size_t used = strlen(text);
		if (info->exit.is_error)
			snprintf(text + used, sizeof text - used, " = %s%s",
				 failure_name((long long)info->exit.rval),
				 task->tid == r->pid ? "" : "   [in another thread]");
		else
			snprintf(text + used, sizeof text - used, " = %lld%s",
				 (long long)info->exit.rval,
				 task->tid == r->pid ? "" : "   [in another thread]");
		write_down(r, text);
	}
	task->call = -1;
}

/* Returns the signal with which the stopped task goes on, or 0. */
static int handle_stop(struct run *r, struct task *task, int status)
{
	int signal_number = WSTOPSIG(status), event = status >> 16;
	struct __ptrace_syscall_info info = { 0 };
	if (signal_number == (SIGTRAP | 0x80)) {
		ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof info, &info);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			enter_call(r, task, &info);
		else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
			leave_call(r, task, &info);
		return 0;
	}
	if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK ||
	    event == PTRACE_EVENT_VFORK) {
		unsigned long tid = 0;
		ptrace(PTRACE_GETEVENTMSG, task->tid, 0, &tid);
		if (!add_task(r, (pid_t)tid))
			break_off(r, "the program starts threads without end%s", "");
		if (event != PTRACE_EVENT_CLONE)
			break_off(r, "the program starts another process%s", "");
		return 0;
	}
	if (event != 0 || signal_number == SIGTRAP)
		return 0;
	if (signal_number == SIGSTOP) /* a new thread's first stop, or our own at the start */
		return 0;
	if (signal_number == SIGSEGV || signal_number == SIGBUS || signal_number == SIGFPE ||
	    signal_number == SIGILL || signal_number == SIGABRT) {
		ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof info, &info);
		r->fault_address = info.instruction_pointer;
	}
	return signal_number;
}

static void drain_output(struct run *r)
{
	static char ignored[4096];
	for (;;) {
		size_t room = sizeof r->output - 1 - r->output_length;
		ssize_t n = read(r->output_fd, room ? r->output + r->output_length : ignored,
				 room ? room : sizeof ignored);
		if (n <= 0)
			break;
		if (room)
			r->output_length += (size_t)n;
	}
	r->output[r->output_length] = '\0';
}

/* A grader's own limits are lower than ours: they stay. */
static void limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
	struct rlimit now;
	getrlimit(resource, &now);
	if (hard < now.rlim_max)
		now.rlim_max = hard;
	now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
	setrlimit(resource, &now);
}

static void become_program(const struct run *r, int trace_fd, int output_fd)
{
	const struct options *o = r->options;
	char number[16];
	setsid();
	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_FSIZE, FILE_BYTES, FILE_BYTES);
	limit(RLIMIT_CPU, r->test->limit_s + 2, r->test->limit_s + 4);
	int null = open("/dev/null", O_RDONLY);
	dup2(null, STDIN_FILENO);
	dup2(output_fd, STDOUT_FILENO);
	dup2(output_fd, STDERR_FILENO);
	int kept = dup(trace_fd);
	for (int fd = STDERR_FILENO + 1; fd < kept; fd++)
		close(fd);
	snprintf(number, sizeof number, "%d", kept);
	setenv(TRACE_FD_VARIABLE, number, 1);
	setenv("TMPDIR", r->folder, 1);
	if (o->uid >= 0 &&
	    (setgroups(0, NULL) < 0 || setgid((gid_t)o->uid) < 0 || setuid((uid_t)o->uid) < 0))
		_exit(CANNOT_START);
	if (!o->untraced) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
			_exit(CANNOT_TRACE);
		raise(SIGSTOP); /* until the proctor has said what it wants to see */
	}
	execl(o->program, o->program, "--run", r->test->name, (char *)NULL);
	dprintf(STDERR_FILENO, "%s: %s\n", o->program, strerror(errno));
	_exit(CANNOT_START);
}

static void on_tick(int signal_number)
{
	(void)signal_number; /* it ends waitpid(), which is all */
}

/* Until the program and all that it started are gone. Returns true when its time is over first. */
static bool watch(struct run *r)
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)r->test->limit_s * NS_PER_S;
	long wanted = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
		      PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == ECHILD)
			return false;
		drain_output(r);
		if (clock_ns() > deadline_ns)
			return true; /* as it stands: the report says where */
		if (tid < 0)
			continue;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			struct task *gone = find_task(r, tid);
			if (gone)
				*gone = r->tasks[--r->task_count];
			if (tid == r->pid) {
				r->status = status;
				r->ended = true;
				kill_all(r);
			}
			continue;
		}
		if (!r->stopped_at_start) {
			r->stopped_at_start = true;
			ptrace(PTRACE_SETOPTIONS, tid, 0, wanted);
			add_task(r, tid);
			ptrace(PTRACE_SYSCALL, tid, 0, 0);
			continue;
		}
		struct task *task = add_task(r, tid);
		if (!task) {
			break_off(r, "the program starts threads without end%s", "");
			continue;
		}
		int signal_number = handle_stop(r, task, status);
		ptrace(PTRACE_SYSCALL, tid, 0, signal_number);
	}
}

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	remove(path);
	return 0;
}

/* "engine.c:88", by addr2line, run as the program's user since the program is not to be trusted. */
static void find_line(const struct run *r, uint64_t address, char *text, size_t size)
{
	int ends[2];
	char number[32], line[512] = "";
	text[0] = '\0';
	if (!address || pipe2(ends, O_CLOEXEC) < 0)
		return;
	snprintf(number, sizeof number, "%#llx", (unsigned long long)address);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		if (r->options->uid >= 0 &&
		    (setgroups(0, NULL) < 0 || setgid((gid_t)r->options->uid) < 0 ||
		     setuid((uid_t)r->options->uid) < 0))
			_exit(1);
		alarm(10);
		execlp("addr2line", "addr2line", "-e", r->options->program, number, (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	size_t length = 0;
	ssize_t n;
	while (length < sizeof line - 1 &&
	       ((n = read(ends[0], line + length, sizeof line - 1 - length)) > 0 ||
		(n < 0 && errno == EINTR)))
		length += n > 0 ? (size_t)n : 0;
	close(ends[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	line[strcspn(line, "\n ")] = '\0';
	const char *base = strrchr(line, '/') ? strrchr(line, '/') + 1 : line;
	if (*base && *base != '?')
		snprintf(text, size, "%s", base);
}

/* Not before: what is linked into the program can run earlier, in a constructor. */
static bool reached_main(const struct run *r)
{
	return r->options->untraced ? r->trace->token == 0 : r->begun;
}

static void inside(const struct run *r, char *text, size_t size)
{
	char where[sizeof r->trace->where];
	memcpy(where, r->trace->where, sizeof where);
	where[sizeof where - 1] = '\0';
	text[0] = '\0';
	if (!reached_main(r))
		snprintf(text, size, " before main() began (in a constructor?)");
	else if (where[0])
		snprintf(text, size, " inside the engine's %s()", where);
}

/* The engine's calls that have not returned: the account of what happened ends with them. */
static void write_down_calls_under_way(struct run *r)
{
	for (unsigned i = 0; i < r->task_count; i++) {
		const struct task *task = &r->tasks[i];
		char text[TRACE_EVENT_BYTES];
		if (task->call < 0 || !task->counted)
			continue;
		describe_call(task, text, sizeof text);
		size_t used = strlen(text);
		snprintf(text + used, sizeof text - used, " ... still in it%s",
			 task->tid == r->pid ? "" : "   [in another thread]");
		write_down(r, text);
	}
}

/* As /proc tells it: 'S' sleeps, 'R' runs. A '?' when it cannot be read. */
static char state_of(pid_t pid)
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

/* Where does a program that hangs sit? Only while it still lives. */
static void describe_hang(struct run *r, struct reason *why)
{
	char engine[64], line[128] = "", call[TRACE_EVENT_BYTES] = "";
	inside(r, engine, sizeof engine);
	write_down_calls_under_way(r);
	struct task *main_task = find_task(r, r->pid);
	if (main_task && main_task->call >= 0) {
		describe_call(main_task, call, sizeof call);
		reason_set(why, "hung: not over after %u s%s. It sleeps in %s%s", r->test->limit_s,
			   engine, call + strspn(call, " "),
			   main_task->call == SYS_futex
				   ? ": a lock that somebody holds, a condition that nobody "
				     "signals, or a thread that does not end"
				   : "");
		return;
	}
	char state = r->options->untraced ? state_of(r->pid) : 'R';
	if (state != 'R') {
		reason_set(why, "hung: not over after %u s%s%s", r->test->limit_s, engine,
			   state == '?' ? "" : ". It sleeps");
		return;
	}
	struct __ptrace_syscall_info info = { 0 };
	int status;
	if (!r->options->untraced)
		kill(r->pid, SIGSTOP);
	if (!r->options->untraced && waitpid(r->pid, &status, __WALL) == r->pid) {
		ptrace(PTRACE_GET_SYSCALL_INFO, r->pid, sizeof info, &info);
		find_line(r, info.instruction_pointer, line, sizeof line);
	}
	reason_set(why, "hung: not over after %u s%s. It does not sleep, it runs%s%s",
		   r->test->limit_s, engine, *line ? ", at " : "", line);
}

/* What a signal means that comes from a limit and not from a mistake in the code. */
static const char *limit_behind(int signal_number)
{
	switch (signal_number) {
	case SIGKILL:
		return "; it took more memory or CPU time than it may";
	case SIGXCPU:
		return "; it took more CPU time than it may";
	case SIGXFSZ:
		return "; it wrote a larger file than it may";
	default:
		return "";
	}
}

static enum verdict judge(struct run *r, bool hung, struct reason *why)
{
	char engine[64], line[128];
	inside(r, engine, sizeof engine);
	if (r->broken_rule.text[0]) {
		*why = r->broken_rule;
		return FAILED;
	}
	if (hung)
		return FAILED; /* described while it still lived */
	if (WIFSIGNALED(r->status)) {
		find_line(r, r->fault_address, line, sizeof line);
		const char *name = sigabbrev_np(WTERMSIG(r->status));
		reason_set(why, "crashed with SIG%s%s%s%s%s", name ? name : "?", engine,
			   *line ? ", at " : "", line, limit_behind(WTERMSIG(r->status)));
		return FAILED;
	}
	int code = WEXITSTATUS(r->status);
	if (code == 0 && r->trace->finished == r->token)
		return PASSED;
	if (code == 0) {
		reason_set(why,
			   "the process ended%s, before the test was over. Does %s call exit()?",
			   engine, reached_main(r) ? "the engine" : "it");
		return FAILED;
	}
	if (code == 77) {
		r->output[strcspn(r->output, "\n")] = '\0';
		reason_set(why, "%s", r->output);
		return SKIPPED;
	}
	if (code != 1)
		reason_set(why, "the process ended%s with status %d", engine, code);
	return FAILED;
}

/* Output of the program is quoted line by line, whatever it holds. */
static void quote(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		printf("#   ");
		for (size_t i = 0; i < length && i < 300; i++)
			putchar(text[i] >= ' ' && text[i] < 127 ? text[i] : '?');
		putchar('\n');
		text += length + (text[length] == '\n');
	}
}

/* Entries go round in loops of so many lines at most: reap, its calls, what came back. */
#define LOOP_LINES_MAX 12

/*
 * Two entries are alike when they differ in nothing but which slot, which place in the file, how
 * much room there was or (of a system call) which arguments. What came of it must be the same.
 */
static bool are_alike(const char *a, const char *b)
{
	const char *end_of_arguments =
		strncmp(a, "             ", 13) == 0 ? strstr(a, ") = ") : NULL;
	const char *begin = a;
	while (*a && *b) {
		if (*a >= '0' && *a <= '9' && *b >= '0' && *b <= '9') {
			bool free = (a - begin >= 5 && strncmp(a - 5, "slot ", 5) == 0) ||
				    (a - begin >= 7 && strncmp(a - 7, "offset ", 7) == 0) ||
				    (a - begin >= 4 && strncmp(a - 4, "max ", 4) == 0) ||
				    a < end_of_arguments;
			size_t a_length = strspn(a, "0123456789"),
			       b_length = strspn(b, "0123456789");
			if (!free && (a_length != b_length || strncmp(a, b, a_length) != 0))
				return false;
			a += a_length;
			b += b_length;
		} else if (*a++ != *b++) {
			return false;
		}
	}
	return *a == *b;
}

/* How often the `length` lines at `at` stand there one after another; `same`: word for word. */
static unsigned repeats(char (*lines)[TRACE_EVENT_BYTES], unsigned at, unsigned count,
			unsigned length, bool *same)
{
	unsigned times = 1;
	*same = true;
	for (;; times++)
		for (unsigned i = 0; i < length; i++) {
			unsigned other = at + times * length + i;
			if (other >= count || !are_alike(lines[at + i], lines[other]))
				return times;
			*same &= strcmp(lines[at + i], lines[other]) == 0;
		}
}

/*
 * A test that asks again and again would push the cause out of the account, so what repeats is
 * folded: once, or the first and the last where they are alike but not the same. Returns how many
 * lines are left, in place.
 */
static unsigned fold(char (*lines)[TRACE_EVENT_BYTES], unsigned count, bool more_than_kept)
{
	unsigned kept = 0;
	for (unsigned at = 0; at < count;) {
		unsigned length = 1, times = 1;
		bool same = true;
		for (unsigned l = 1; l <= LOOP_LINES_MAX && at + 2 * l <= count; l++) {
			bool l_same;
			unsigned l_times = repeats(lines, at, count, l, &l_same);
			if (l_times >= (l_same ? 3 : 4) && l_times * l > times * length) {
				length = l;
				times = l_times;
				same = l_same;
			}
		}
		memmove(lines[kept], lines[at], length * sizeof *lines);
		kept += length;
		if (times > 1 && same && more_than_kept)
			snprintf(lines[kept++], sizeof *lines, "... the same, over and over");
		else if (times > 1)
			snprintf(lines[kept++], sizeof *lines,
				 same ? "... the same, %u times more" : "... %u more of this kind",
				 same ? times - 1 : times - 2);
		at += length * (times > 1 && !same ? times - 1 : times);
		if (times > 1 && !same) {
			memmove(lines[kept], lines[at], length * sizeof *lines);
			kept += length;
			at += length;
		}
	}
	return kept;
}

/* Copies what is kept of the events from number `from` on. Returns how many those are. */
static unsigned copy_events(const struct trace *trace, uint32_t from, uint32_t total,
			    char (*lines)[TRACE_EVENT_BYTES])
{
	unsigned count = 0;
	for (uint32_t i = from; i < total; i++, count++) {
		memcpy(lines[count], trace->events[trace_slot(i)], sizeof *lines);
		lines[count][sizeof *lines - 1] = '\0';
	}
	return count;
}

/*
 * All that happened, folded. Where more happened than was kept, a loop may be all that is missing:
 * then the story is whole once its two ends are joined at the same step of the loop.
 */
static unsigned tell_events(const struct trace *trace, char (*lines)[TRACE_EVENT_BYTES],
			    bool *whole)
{
	uint32_t total = trace->event_count;
	*whole = true;
	if (total <= TRACE_EVENTS)
		return fold(lines, copy_events(trace, 0, total, lines), false);
	uint32_t newest = total - (TRACE_EVENTS - TRACE_FIRST_EVENTS);
	unsigned best = 0, best_count = TRACE_EVENTS, count = 0;
	for (unsigned i = 0; i <= LOOP_LINES_MAX; i++) {
		unsigned skipped = i < LOOP_LINES_MAX ? i : best; /* the last time for good */
		count = copy_events(trace, 0, TRACE_FIRST_EVENTS, lines);
		count += copy_events(trace, newest + skipped, total, lines + count);
		count = fold(lines, count, true);
		if (count < best_count) {
			best_count = count;
			best = skipped;
		}
	}
	if (count < SHOWN_EVENTS)
		return count;
	*whole = false;
	return fold(lines, copy_events(trace, newest, total, lines), true);
}

static void show_events(const struct trace *trace)
{
	static char lines[TRACE_EVENTS][TRACE_EVENT_BYTES];
	bool whole;
	unsigned count = tell_events(trace, lines, &whole);
	unsigned shown = count < SHOWN_EVENTS ? count : SHOWN_EVENTS;
	if (shown == 0)
		return;
	printf("# what led there%s:\n", shown < count || !whole ? " (the end of it)" : "");
	for (unsigned i = count - shown; i < count; i++)
		quote(lines[i]);
}

static void report(struct run *r, unsigned number, enum verdict verdict, const struct reason *why)
{
	printf("%s %u - %s # exercise %u%s%s\n", verdict == FAILED ? "not ok" : "ok", number,
	       r->test->name, r->test->exercise, verdict == SKIPPED ? " # SKIP " : "",
	       verdict == SKIPPED ? why->text : "");
	if (verdict == FAILED) {
		if (why->text[0])
			printf("# %s\n", why->text);
		if (r->output_length > 0)
			quote(r->output);
		show_events(r->trace);
	}
	fflush(stdout);
}

/* Set by a test in which main() was not reached: no other test would get further. */
static bool never_starts;

static enum verdict run_test(const struct options *o, const struct test *test, unsigned number)
{
	struct run r = { .options = o, .test = test };
	struct reason why = { "" };
	int ends[2];
	if (never_starts) {
		printf("not ok %u - %s # exercise %u\n# not run: the program does not get as far "
		       "as "
		       "main(), see the first test\n",
		       number, test->name, test->exercise);
		return FAILED;
	}
	const char *base = getenv("TMPDIR");
	snprintf(r.folder, sizeof r.folder, "%.200s/proctor-XXXXXX", base ? base : "/var/tmp");
	/* Sealed: a program that made it smaller would end the proctor with SIGBUS. */
	int trace_fd = memfd_create("iolab-trace", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (trace_fd < 0 || ftruncate(trace_fd, sizeof *r.trace) < 0 ||
	    fcntl(trace_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
	    !mkdtemp(r.folder) || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		fprintf(stderr, "proctor: cannot prepare a test in %s: %s\n", r.folder,
			strerror(errno));
		exit(1);
	}
	if (o->uid >= 0 && chown(r.folder, (uid_t)o->uid, (gid_t)o->uid) < 0)
		fprintf(stderr, "proctor: %s: %s\n", r.folder, strerror(errno));
	r.trace = mmap(NULL, sizeof *r.trace, PROT_READ | PROT_WRITE, MAP_SHARED, trace_fd, 0);
	if (getrandom(&r.token, sizeof r.token, 0) != sizeof r.token || r.trace == MAP_FAILED) {
		fprintf(stderr, "proctor: %s\n", strerror(errno));
		exit(1);
	}
	r.token |= 1; /* never 0 */
	if (o->untraced)
		r.trace->token = r.token;

	fflush(stdout);
	r.pid = fork();
	if (r.pid == 0)
		become_program(&r, trace_fd, ends[1]);
	close(ends[1]);
	r.output_fd = ends[0];
	bool hung = watch(&r);
	if (hung && !r.ended) {
		describe_hang(&r, &why);
		kill_all(&r);
		while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
			;
	}
	drain_output(&r);
	if (!hung && WIFEXITED(r.status) && WEXITSTATUS(r.status) == CANNOT_TRACE) {
		fprintf(stderr,
			"proctor: ptrace is refused here (seccomp, or Yama's ptrace_scope): "
			"tests that count system calls will be skipped\n");
		exit(CANNOT_TRACE);
	}
	enum verdict verdict = judge(&r, hung, &why);
	never_starts = verdict == FAILED && !reached_main(&r);
	report(&r, number, verdict, &why);

	nftw(r.folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	munmap(r.trace, sizeof *r.trace);
	close(trace_fd);
	close(ends[0]);
	return verdict;
}

/* Reads what `PROGRAM --list` prints. Returns how many tests are wanted. */
static unsigned list_tests(const struct options *o, struct test *tests)
{
	char command[PATH_MAX + 16], line[256];
	unsigned count = 0;
	snprintf(command, sizeof command, "'%s' --list",
		 o->list_program ? o->list_program : o->program);
	FILE *list = popen(command, "re");
	while (list && count < TESTS_MAX && fgets(line, sizeof line, list)) {
		struct test *test = &tests[count];
		if (sscanf(line, "%127s %u %u", test->name, &test->exercise, &test->limit_s) != 3)
			continue;
		/* Sanitizers and strace-like stops slow things down; a hang stays a hang. */
		bool wanted = (!o->exercise || test->exercise == o->exercise) &&
			      (!o->only || strncmp(test->name, o->only, strlen(o->only)) == 0);
		count += wanted;
	}
	if (list && pclose(list) != 0)
		count = 0;
	return count;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	switch (key) {
	case 'e':
		o->exercise = (unsigned)atoi(arg);
		return 0;
	case 'o':
		o->only = arg;
		return 0;
	case 'l':
		o->list_program = arg;
		return 0;
	case 'u':
		o->untraced = true;
		return 0;
	case 'k':
		o->keep_going = false;
		return 0;
	case 'U':
		o->uid = atoi(arg);
		return 0;
	case 'f':
		if (o->forbidden_count < FORBIDDEN_MAX)
			o->forbidden[o->forbidden_count++] = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->program)
			argp_error(state, "one program at a time");
		o->program = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->program)
			argp_error(state, "which test program?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "exercise", 'e', "N", 0, "only the tests of this exercise", 0 },
		{ "only", 'o', "NAME", 0, "only tests whose names begin so", 0 },
		{ "list-from", 'l', "PROGRAM", 0,
		  "take the names of the tests from here: the same tests without the submission",
		  0 },
		{ "untraced", 'u', NULL, 0, "do not watch system calls (for sanitizer builds)", 0 },
		{ "stop-at-first", 'k', NULL, 0, "end after the first failure", 0 },
		{ "uid", 'U', "UID", 0, "run the program as this user (as root)", 0 },
		{ "forbid", 'f', "FOLDER", 0, "end it when it opens a file in here", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "PROGRAM",
		.doc = "Runs the tests of a lab around somebody's engine, and judges. Prints TAP.",
	};
	static struct test tests[TESTS_MAX];
	struct options options = { .uid = -1, .keep_going = true };
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	/* Nobody but root may write to our memory or open our descriptors through /proc. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	unsigned counts[3] = { 0 };
	unsigned count = list_tests(&options, tests);
	if (count == 0) {
		fprintf(stderr, "proctor: %s names no test to run\n", options.program);
		return 2;
	}
	struct sigaction action = { .sa_handler = on_tick };
	sigaction(SIGALRM, &action, NULL);
	struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };
	setitimer(ITIMER_REAL, &tick, NULL);
	for (unsigned i = 0; i < count; i++) {
		counts[run_test(&options, &tests[i], i + 1)]++;
		if (counts[FAILED] && !options.keep_going)
			break;
	}
	printf("1..%u\n# %u passed, %u failed, %u skipped\n", counts[0] + counts[1] + counts[2],
	       counts[PASSED], counts[FAILED], counts[SKIPPED]);
	return counts[FAILED] ? 1 : 0;
}
