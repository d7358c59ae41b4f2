/* SPDX-License-Identifier: MIT */
#include "each_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define AT_ONCE_MAX  64
#define EXIT_SKIPPED 77

/* One test and its process. */
struct test_process {
	const char *name; /* NULL: there is none */
	pid_t pid;
	int fd; /* a pidfd: readable once the process has ended */
	uint64_t deadline_ns;
};

static void become_test(const char *name, int (*run)(const char *name), pid_t parent)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null < 0)
		_exit(1);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
	exit(run(name));
}

/* Returns false, with errno, when there is no process. */
static bool begin_test_process(struct test_process *r, const char *name,
			       int (*run)(const char *name), unsigned limit_s)
{
	pid_t parent = getpid();
	fflush(stdout);
	r->pid = fork();
	if (r->pid == 0)
		become_test(name, run, parent);
	r->fd = r->pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, r->pid, 0);
	r->deadline_ns = clock_ns() + limit_s * (uint64_t)NS_PER_S;
	r->name = r->fd < 0 ? NULL : name;
	return r->name;
}

/* Prints the verdict. Returns whether the test failed. */
static bool end_test_process(struct test_process *r, bool hung)
{
	int status;
	if (hung)
		kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(r->fd);
	bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED;
	printf("%s %s\n", r->name, passed ? "passed" : skipped ? "skipped" : "failed");
	r->name = NULL;
	return !passed && !skipped;
}

/* Waits until one has ended or its time is up. Returns how many failed by then. */
static unsigned wait_for_some(struct test_process *running, unsigned at_once)
{
	struct pollfd fds[AT_ONCE_MAX];
	unsigned failed = 0;
	uint64_t now_ns = clock_ns();
	int64_t left_ns = INT32_MAX * NS_PER_MS;
	for (unsigned i = 0; i < at_once; i++) {
		struct test_process *r = &running[i];
		fds[i] = (struct pollfd) { .fd = r->name ? r->fd : -1, .events = POLLIN };
		int64_t own_ns = (int64_t)(r->deadline_ns - now_ns);
		if (r->name && own_ns < left_ns)
			left_ns = own_ns > 0 ? own_ns : 0;
	}
	if (poll(fds, at_once, (int)(left_ns / NS_PER_MS) + 1) < 0)
		return 0;
	now_ns = clock_ns();
	for (unsigned i = 0; i < at_once; i++) {
		struct test_process *r = &running[i];
		if (r->name && (fds[i].revents || now_ns >= r->deadline_ns))
			failed += end_test_process(r, !fds[i].revents);
	}
	return failed;
}

static unsigned count_running(const struct test_process *running, unsigned at_once)
{
	unsigned count = 0;
	for (unsigned i = 0; i < at_once; i++)
		count += running[i].name != NULL;
	return count;
}

static struct test_process *free_test_process(struct test_process *running)
{
	while (running->name)
		running++;
	return running;
}

int run_each_test(char *const names[], unsigned count, int (*run)(const char *name),
		  unsigned (*limit_s)(const char *name))
{
	struct test_process running[AT_ONCE_MAX] = { { .name = NULL } };
	struct rlimit none = { 0 };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned at_once = cpus < 1 ? 1 : cpus > AT_ONCE_MAX ? AT_ONCE_MAX : (unsigned)cpus;
	unsigned begun = 0, failed = 0;
	setrlimit(RLIMIT_CORE, &none);
	while (begun < count || count_running(running, at_once) > 0) {
		if (begun == count || count_running(running, at_once) == at_once) {
			failed += wait_for_some(running, at_once);
			continue;
		}
		const char *name = names[begun++];
		if (!begin_test_process(free_test_process(running), name, run, limit_s(name))) {
			perror(name);
			exit(2);
		}
	}
	return failed > 0;
}
