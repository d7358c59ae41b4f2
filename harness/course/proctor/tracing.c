/* SPDX-License-Identifier: MIT */
#include "tracing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call_faults.h"
#include "call_words.h"
#include "calls.h"
#include "clock.h"
#include "hearing.h"
#include "policy.h"
#include "program_memory.h"
#include "syscall_names.h"

#define TICK_US	       20000
#define REPORT_LIMIT_S 60
#define BUSY_FACTOR    20 /* of the limit, at most, on a machine that is busy with other things */
#define OWN_TOLD_MAX   200 /* see tap.h */

static void on_tick(int signal_number)
{
	(void)signal_number; /* it ends waitpid(), which is all */
}

void start_ticking(void)
{
	struct sigaction action = { .sa_handler = on_tick };
	struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
}

void drain_output(struct exam *e)
{
	static char piece[4096];
	ssize_t n;
	while ((n = read(e->output_fd, piece, sizeof piece)) > 0)
		for (ssize_t i = 0; i < n; i++, e->output_bytes++) {
			uint64_t at = e->output_bytes;
			piece[i] = piece[i] ? piece[i] : '?';
			if (at < EXAM_HEAD_BYTES)
				e->output_head[at] = piece[i];
			else
				e->output_tail[(at - EXAM_HEAD_BYTES) % EXAM_TAIL_BYTES] = piece[i];
		}
}

/* Is it a thread of the test, beside the first, that is inside of an engine? */
static bool drives_engine(const struct exam *e, const struct tracee *task)
{
	unsigned number = task->tid == e->pid ? 0 : driver_number(e->record, task->tid);
	return number && e->record->drivers[number - 2].in_engine;
}

/* Counts the call as the engine's or as the test's own. */
static void count_call(struct exam *e, struct tracee *task)
{
	bool first = task->tid == e->pid, mains = first && is_in_engine(e);
	bool known = task->call >= 0 && task->call < EXAM_CALLS_MAX;
	task->counted = known && (mains || task->engines);
	task->told = task->counted || drives_engine(e, task);
	task->prints = task->told && is_printing(task);
	check_new_process(e, task);
	if (task->counted)
		note_call_of_engine(e, task, mains);
	task->tests = known && !task->counted && e->begun && first;
	/* The test tells this before it does it, and takes it back before it tells that. */
	if (task->tests && !mains && e->record->in_engine)
		break_off(e, "forges", "call", "prctl");
	/* Whoever clears it lets the test tell nothing. */
	if (e->begun && !e->record->attached)
		break_off(e, "changes_counts", NULL, NULL);
	for (unsigned i = 0; task->tests && i < WAIT_COUNT; i++)
		e->waited[i] |= syscall_among(task->call, wait_names[i]);
	if (mains && task->call == SYS_exit_group)
		e->left_inside = true;
	if (task->counted && !task->prints)
		begin_fault(e, task);
	if (task->counted)
		begin_hold(e, task);
}

/* A number that is closed is nobody's. */
static void note_closing(struct exam *e, const struct tracee *task)
{
	uint64_t first = task->args[0], last = first;
	if (task->call == SYS_close_range)
		last = task->args[1];
	else if (task->call != SYS_close)
		return;
	for (uint64_t fd = first; fd <= last && fd < EXAM_DESCRIPTORS_MAX; fd++)
		e->opened_by_engine[fd] = false;
}

/* Does anything depend on how the call ends? If not, its end stops nobody. */
static bool end_matters(const struct exam *e, const struct tracee *task)
{
	if (task->fault || (task->told && is_worth_telling(task->call)) ||
	    task->call == SYS_io_uring_setup)
		return true;
	return task->tests && e->own_calls[task->call] < OWN_TOLD_MAX &&
	       !is_background_call(task->call) && !varies_in_tests(task->call);
}

static void enter_call(struct exam *e, struct tracee *task,
		       const struct __ptrace_syscall_info *info)
{
	/* After seccomp(2) the number and the arguments stand where they stand after a plain stop. */
	task->call = (long)info->seccomp.nr;
	for (unsigned i = 0; i < 6; i++)
		task->args[i] = info->seccomp.args[i];
	task->counted = task->told = task->tests = task->prints = task->sees_end = false;
	task->fault = 0;
	check_reach(e, task, info->arch);
	if (hear_test(e, task, info))
		return;
	count_call(e, task);
	check_open(e, task);
	check_change(e, task);
	check_code(e, task);
	note_closing(e, task);
	task->sees_end = end_matters(e, task);
	if (task->told)
		task->limit_ns = time_limit_of(task);
}

static void note_own_descriptor(struct exam *e, int fd)
{
	if (fd >= 0 && fd < EXAM_DESCRIPTORS_MAX)
		e->opened_by_engine[fd] = true;
}

/* Remembers which descriptors the engine opened itself. A copy is whose the first one is. */
static void note_new_descriptor(struct exam *e, const struct tracee *task, long long answer)
{
	int ends[2];
	uint64_t fd = task->args[0];
	bool pair = task->call == SYS_socketpair;
	if (!task->counted)
		return;
	if (syscall_among(task->call,
			  "open openat openat2 creat socket accept accept4 eventfd "
			  "eventfd2 timerfd_create signalfd4 memfd_create inotify_init1"))
		note_own_descriptor(e, (int)answer);
	if ((pair || syscall_among(task->call, "pipe pipe2")) &&
	    read_program(task->tid, task->args[pair ? 3 : 0], ends, sizeof ends)) {
		note_own_descriptor(e, ends[0]);
		note_own_descriptor(e, ends[1]);
	}
	bool copies = syscall_among(task->call, "dup dup2 dup3") ||
		      (task->call == SYS_fcntl &&
		       (task->args[1] == F_DUPFD || task->args[1] == F_DUPFD_CLOEXEC));
	if (copies && fd < EXAM_DESCRIPTORS_MAX && answer < EXAM_DESCRIPTORS_MAX)
		e->opened_by_engine[answer] = e->opened_by_engine[fd];
}

/*
 * What the grader holds against the reference. A call that fails did nothing, and what moves over a
 * descriptor of the engine's own (an eventfd, say) is none of the test's bytes.
 */
static void count_what_was_done(struct exam *e, const struct tracee *task, long long answer)
{
	uint64_t fd = task->args[0];
	note_new_descriptor(e, task, answer);
	e->rings += task->call == SYS_io_uring_setup;
	if (task->tests)
		e->own_calls[task->call]++;
	if (!task->counted || task->prints ||
	    (fd < EXAM_DESCRIPTORS_MAX && e->opened_by_engine[fd]))
		return;
	if (syscall_among(task->call, "read readv pread64 preadv preadv2 recvfrom recvmsg"))
		e->engine_moved_bytes[DIRECTION_IN] += (uint64_t)answer;
	if (syscall_among(task->call, "write writev pwrite64 pwritev pwritev2 sendto sendmsg"))
		e->engine_moved_bytes[DIRECTION_OUT] += (uint64_t)answer;
}

static void leave_call(struct exam *e, struct tracee *task,
		       const struct __ptrace_syscall_info *info)
{
	bool failed = info->exit.is_error;
	long long answer = (long long)info->exit.rval;
	end_fault(task, &failed, &answer);
	if (!failed)
		count_what_was_done(e, task, answer);
	if (task->told && is_worth_telling(task->call))
		write_down_call(e, task, failed, answer);
	task->fault = 0;
	task->call = -1;
}

static bool is_crash(int signal_number)
{
	return signal_number == SIGSEGV || signal_number == SIGBUS || signal_number == SIGFPE ||
	       signal_number == SIGILL || signal_number == SIGABRT;
}

static void take_new_task(struct exam *e, const struct tracee *parent, int event)
{
	unsigned long tid = 0;
	ptrace(PTRACE_GETEVENTMSG, parent->tid, 0, &tid);
	if (!add_task(e, (pid_t)tid))
		break_off(e, "starts_threads", NULL, NULL);
	if (event != PTRACE_EVENT_CLONE)
		break_off(e, "starts_process", NULL, NULL);
}

/* A program may have the processor stop after each of its instructions, to look at them. */
static bool steps_itself(pid_t tid)
{
	siginfo_t info = { 0 };
	return ptrace(PTRACE_GETSIGINFO, tid, 0, &info) == 0 && info.si_code == TRAP_TRACE;
}

/* A handler's calls are the engine's, too, and a signal may end the call that it is in. */
static void tell_signal(struct exam *e, const struct tracee *task)
{
	siginfo_t info = { 0 };
	bool inside = task->engines || drives_engine(e, task) ||
		      (task->tid == e->pid && e->record->in_engine);
	if (inside && ptrace(PTRACE_GETSIGINFO, task->tid, 0, &info) == 0)
		write_down_signal(e, task, &info);
}

/* Returns the signal with which the stopped task goes on, or 0. */
static int handle_stop(struct exam *e, struct tracee *task, int status)
{
	int signal_number = WSTOPSIG(status), event = status >> 16;
	struct __ptrace_syscall_info info = { 0 };
	if (signal_number == (SIGTRAP | 0x80)) {
		ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof info, &info);
		if (info.op == PTRACE_SYSCALL_INFO_EXIT)
			leave_call(e, task, &info);
		return 0;
	}
	if (event == PTRACE_EVENT_SECCOMP) {
		ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof info, &info);
		enter_call(e, task, &info);
		return 0;
	}
	if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK ||
	    event == PTRACE_EVENT_VFORK) {
		take_new_task(e, task, event);
		return 0;
	}
	if (event != 0 || (signal_number == SIGTRAP && !steps_itself(task->tid)))
		return 0;
	if (signal_number == SIGSTOP) /* a new thread's first stop, or our own at the start */
		return 0;
	if (is_crash(signal_number)) {
		ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof info, &info);
		e->fault_address = info.instruction_pointer;
	}
	tell_signal(e, task);
	return signal_number;
}

/* Output is read at each tick, and here, before a program that prints much waits for room. */
static void drain_when_it_prints(struct exam *e, const struct tracee *task)
{
	if (task && task->call >= 0 && is_printing(task))
		drain_output(e);
}

static void handle_end(struct exam *e, pid_t tid, int status)
{
	remove_task(e, tid);
	if (tid != e->pid)
		return;
	e->status = status;
	e->ended = true;
	kill_all(e);
}

/*
 * A sanitizer that has found something looks up each function and line before it ends the program.
 * That is no hang, and takes seconds on a busy machine. Where calls are watched there is none.
 */
static uint64_t limit_ns(const struct exam *e)
{
	bool reports =
		e->options->untraced && __atomic_load_n(&e->record->reporting, __ATOMIC_SEQ_CST);
	return (e->test->limit_s + (reports ? REPORT_LIMIT_S : 0)) * (uint64_t)NS_PER_S;
}

struct cpu_share {
	unsigned long long ran_ns, waited_ns;
};

/*
 * How long a thread has run, and has stood ready to run while others had the CPUs, in its whole life.
 * 0 where the kernel does not tell.
 */
static struct cpu_share cpu_share_of(pid_t tid)
{
	char path[40];
	struct cpu_share share = { 0 };
	snprintf(path, sizeof path, "/proc/%d/schedstat", tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return share;
	if (fscanf(file, "%llu %llu", &share.ran_ns, &share.waited_ns) != 2)
		share = (struct cpu_share) { 0 };
	fclose(file);
	return share;
}

/* What the program and its proctor have waited for a CPU. It is not told of a program that ends. */
static void note_waiting(struct exam *e, struct cpu_share proctor_before)
{
	struct cpu_share program = cpu_share_of(e->pid), proctor = cpu_share_of(getpid());
	uint64_t waited_ns = program.waited_ns + proctor.waited_ns - proctor_before.waited_ns;
	e->worked_ns = proctor.ran_ns - proctor_before.ran_ns;
	if (waited_ns > e->kept_waiting_ns)
		e->kept_waiting_ns = waited_ns;
	if (program.ran_ns > e->ran_ns)
		e->ran_ns = program.ran_ns;
}

/*
 * Is the test not over in its time? What it waited for a CPU is not its time: on a busy machine a test
 * that goes on is no hang. It counts twice, because the kernel counts a wait only when it is over. One
 * that has run for all of its time is late, whatever else it waited for; so is one that made its proctor
 * work that long, by call after call.
 */
static bool is_late(const struct exam *e, uint64_t begun_ns)
{
	uint64_t passed_ns = clock_ns() - begun_ns, limit = limit_ns(e);
	return passed_ns > limit + 2 * e->kept_waiting_ns || e->ran_ns > limit ||
	       e->worked_ns > limit || passed_ns > BUSY_FACTOR * limit;
}

/* Lets a stopped task run to its next call; or, where that matters, to the end of the one that it is in. */
static void resume(const struct tracee *task, int signal_number)
{
	bool to_end = task->call >= 0 && task->sees_end;
	ptrace(to_end ? PTRACE_SYSCALL : PTRACE_CONT, task->tid, 0, signal_number);
}

bool follow_program(struct exam *e)
{
	uint64_t begun_ns = clock_ns();
	struct cpu_share proctor_before = cpu_share_of(getpid());
	long wanted = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE |
		      PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == ECHILD)
			return false;
		if (tid < 0) {
			drain_output(e);
			note_waiting(e, proctor_before);
		}
		const struct tracee *let_go = end_hold(e);
		if (let_go)
			resume(let_go, 0);
		if (is_late(e, begun_ns))
			return true;
		if (tid < 0)
			continue;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			handle_end(e, tid, status);
			continue;
		}
		struct tracee *task = add_task(e, tid);
		if (!e->stopped_at_start) {
			e->stopped_at_start = true;
			ptrace(PTRACE_SETOPTIONS, tid, 0, wanted);
			ptrace(PTRACE_CONT, tid, 0, 0);
		} else if (!task) {
			break_off(e, "starts_threads", NULL, NULL);
		} else {
			int signal_number = handle_stop(e, task, status);
			drain_when_it_prints(e, task);
			if (!task->held)
				resume(task, signal_number);
		}
	}
}
