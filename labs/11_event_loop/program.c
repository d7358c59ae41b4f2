/* SPDX-License-Identifier: MIT */
/*
 * together SECONDS COMMAND...
 *
 * Runs shell commands side by side, in one thread, by a small event loop of its own. A command that
 * takes longer than SECONDS gets SIGTERM, and half a second later SIGKILL. Ctrl-C does so at once.
 */
#define _GNU_SOURCE
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u
#define NEVER	 UINT64_MAX
#define JOBS_MAX 64

/* The loop. A watch is a descriptor and a time, with a callback for each. */
struct watch {
	int fd;
	uint64_t due_ns; /* NEVER: no time is set */
	void (*on_ready)(struct watch *watch);
	void (*on_due)(struct watch *watch);
};

static struct watch *watches[JOBS_MAX + 1];
static int watch_count, epoll_fd;
static uint64_t now_ns; /* read once a turn */

static void read_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void start_watch(struct watch *watch)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
		err(1, "epoll_ctl");
	watches[watch_count++] = watch;
}

/* How long the wait may last; -1: for ever. */
static int ms_to_wait(void)
{
	uint64_t due_ns = NEVER;
	for (int i = 0; i < watch_count; i++)
		if (watches[i]->due_ns < due_ns)
			due_ns = watches[i]->due_ns;
	if (due_ns == NEVER)
		return -1;
	return due_ns > now_ns ? (int)((due_ns - now_ns) / (NS_PER_S / 1000)) + 1 : 0;
}

static void turn(void)
{
	struct epoll_event events[16];
	read_clock();
	for (int i = 0; i < watch_count; i++)
		if (watches[i]->due_ns <= now_ns)
			watches[i]->on_due(watches[i]);
	int count = epoll_wait(epoll_fd, events, 16, ms_to_wait());
	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;
		watch->on_ready(watch);
	}
}

/* The program: what is called back. */
static struct job {
	struct watch watch; /* first. Its descriptor is readable when the command has ended */
	const char *command;
	pid_t pid;
	int times_asked; /* to end */
} jobs[JOBS_MAX];
static int alive;

static void on_end(struct watch *watch)
{
	struct job *job = (struct job *)watch;
	int status;
	waitpid(job->pid, &status, 0);
	warnx("%s: status %d, signal %d", job->command, WEXITSTATUS(status), WTERMSIG(status));
	watch->due_ns = NEVER;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL); /* a child may have inherited it */
	close(watch->fd);
	alive--;
}

static void on_limit(struct watch *watch)
{
	struct job *job = (struct job *)watch;
	kill(-job->pid, job->times_asked++ ? SIGKILL : SIGTERM);
	watch->due_ns = now_ns + NS_PER_S / 2;
}

static void on_interrupt(struct watch *watch)
{
	struct signalfd_siginfo info;
	if (read(watch->fd, &info, sizeof info) == sizeof info)
		for (int i = 0; i < watch_count; i++)
			if (watches[i]->due_ns != NEVER)
				watches[i]->due_ns = now_ns;
}

static void start_job(struct job *job, const char *command, uint64_t limit_ns,
		      const sigset_t *blocked)
{
	job->command = command;
	job->pid = fork();
	if (job->pid == 0) {
		setpgid(0, 0); /* so that a signal reaches all that the command starts */
		sigprocmask(SIG_UNBLOCK, blocked, NULL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	int pidfd = (int)syscall(SYS_pidfd_open, job->pid, 0);
	job->watch = (struct watch) { pidfd, now_ns + limit_ns, on_end, on_limit };
	start_watch(&job->watch);
	alive++;
}

int main(int argc, char **argv)
{
	sigset_t signals;
	if (argc < 3 || argc > JOBS_MAX + 2)
		errx(2, "usage: together SECONDS COMMAND...");
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL); /* it comes through a descriptor */
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct watch interrupt = { signalfd(-1, &signals, SFD_CLOEXEC), NEVER, on_interrupt, NULL };
	start_watch(&interrupt);
	read_clock();
	uint64_t limit_ns = (uint64_t)(atof(argv[1]) * NS_PER_S);
	for (int i = 2; i < argc; i++)
		start_job(&jobs[i - 2], argv[i], limit_ns, &signals);
	while (alive > 0)
		turn();
	return 0;
}
