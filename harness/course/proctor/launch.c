/* SPDX-License-Identifier: MIT */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_put.h"
#include "call_filter.h"

#define FILE_BYTES_MAX (256l << 20)

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

int become_user(const struct exam_options *options)
{
	if (options->uid < 0)
		return 0;
	uid_t uid = (uid_t)options->uid;
	return setgroups(0, NULL) < 0 || setgid((gid_t)uid) < 0 || setuid(uid) < 0 ? -1 : 0;
}

/* ptrace(2) ends a traced program with the proctor, but not before the proctor has asked for that. */
static void end_with(pid_t proctor)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != proctor)
		_exit(CANNOT_START);
}

#define REFUSE_CALL(number)                                                                        \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                       \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

/*
 * Keys outlive the process and its namespaces. The policy ends a program that makes one, but nobody
 * watches the calls of this one, so the kernel refuses them.
 */
static int refuse_keys(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		REFUSE_CALL(SYS_add_key),
		REFUSE_CALL(SYS_request_key),
		REFUSE_CALL(SYS_keyctl),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0
		       ? -1
		       : 0;
}

#define WRITES                                                                                     \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                             \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                            \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |                            \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* Lets the program write to the files below a folder, and make and remove some. */
static void allow_writing(int rules, const char *folder)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = WRITES,
		.parent_fd = open(folder, O_PATH | O_CLOEXEC),
	};
	syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

/*
 * A ring of io_uring opens files unseen. One that opened /proc/self/mem could change the test's code. So
 * where the kernel has Landlock, it refuses what the policy would: to open a file for writing elsewhere.
 */
static void refuse_writing_elsewhere(const struct exam *e)
{
	struct landlock_ruleset_attr handled = { .handled_access_fs = WRITES };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
	if (rules < 0)
		return;
	allow_writing(rules, e->folder);
	allow_writing(rules, "/dev");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		_exit(CANNOT_START);
	close(rules);
}

static void become_program(const struct exam *e, pid_t proctor, int output_fd)
{
	const struct exam_options *o = e->options;
	char number[16];
	setsid();
	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_FSIZE, FILE_BYTES_MAX, FILE_BYTES_MAX);
	limit(RLIMIT_CPU, e->test->limit_s + 2, e->test->limit_s + 4);
	int null = open("/dev/null", O_RDONLY);
	dup2(null, STDIN_FILENO);
	dup2(output_fd, STDOUT_FILENO);
	dup2(output_fd, STDERR_FILENO);
	int kept = dup(e->record_fd);
	for (int fd = STDERR_FILENO + 1; fd < kept; fd++)
		close(fd);
	snprintf(number, sizeof number, "%d", kept);
	setenv(EXAM_FD_VARIABLE, number, 1);
	setenv("TMPDIR", e->folder, 1);
	if (become_user(o) < 0)
		_exit(CANNOT_START);
	end_with(proctor);
	/* A learner's own program may do as it likes. */
	if (o->uid >= 0 || o->forbidden_count > 0)
		refuse_writing_elsewhere(e);
	if (o->untraced) {
		if (o->uid >= 0 && refuse_keys() < 0)
			_exit(CANNOT_START);
	} else {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
			_exit(CANNOT_TRACE);
		raise(SIGSTOP); /* until the proctor has said what it wants to see */
		if (stop_at_calls() < 0)
			_exit(CANNOT_TRACE);
	}
	execl(o->program, o->program, "--run", e->test->name, (char *)NULL);
	dprintf(STDERR_FILENO, "%s: %s\n", o->program, strerror(errno));
	_exit(CANNOT_START);
}

/* Sealed: a program that made it smaller would end the proctor with SIGBUS. */
static int make_record(struct exam *e, struct reason *why)
{
	e->record_fd = memfd_create("iolab-exam", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (e->record_fd < 0 || ftruncate(e->record_fd, sizeof *e->record) < 0 ||
	    fcntl(e->record_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return reason_say_errno(why, errno, "memory to share with the program");
	void *memory =
		mmap(NULL, sizeof *e->record, PROT_READ | PROT_WRITE, MAP_SHARED, e->record_fd, 0);
	if (memory == MAP_FAILED)
		return reason_say_errno(why, errno, "memory to share with the program");
	e->record = memory;
	if (getrandom(&e->token, sizeof e->token, 0) != sizeof e->token)
		return reason_say_errno(why, errno, "a random token");
	e->token |= 1; /* never 0 */
	if (e->options->untraced)
		e->record->token = e->token;
	return 0;
}

static int make_folder(struct exam *e, struct reason *why)
{
	const char *base = getenv("TMPDIR");
	snprintf(e->folder, sizeof e->folder, "%.200s/proctor-XXXXXX", base ? base : "/var/tmp");
	if (!mkdtemp(e->folder)) {
		int error = errno;
		e->folder[0] = '\0';
		return reason_say_errno(why, error, "a folder in %s", base ? base : "/var/tmp");
	}
	uid_t uid = (uid_t)e->options->uid;
	if (e->options->uid >= 0 && chown(e->folder, uid, (gid_t)uid) < 0)
		return reason_say_errno(why, errno, "%s", e->folder);
	return 0;
}

int launch(struct exam *e, struct reason *why)
{
	int ends[2];
	e->record_fd = e->output_fd = -1;
	e->findings = required(json_array());
	int rc = make_record(e, why);
	if (rc == 0)
		rc = make_folder(e, why);
	if (rc < 0)
		return rc;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return reason_say_errno(why, errno, "a pipe");
	e->output_fd = ends[0];
	fflush(stdout);
	pid_t proctor = getpid();
	e->pid = fork();
	if (e->pid == 0)
		become_program(e, proctor, ends[1]);
	int error = errno;
	close(ends[1]);
	return e->pid < 0 ? reason_say_errno(why, error, "a process") : 0;
}

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	remove(path);
	return 0;
}

void clear_away(struct exam *e)
{
	if (e->folder[0])
		nftw(e->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (e->record)
		munmap(e->record, sizeof *e->record);
	if (e->record_fd >= 0)
		close(e->record_fd);
	if (e->output_fd >= 0)
		close(e->output_fd);
	json_decref(e->findings);
}

bool tracing_was_refused(const struct exam *e)
{
	return !e->options->untraced && !e->execs && WIFEXITED(e->status) &&
	       WEXITSTATUS(e->status) == CANNOT_TRACE;
}
