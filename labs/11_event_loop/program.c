/* SPDX-License-Identifier: MIT */
/*
 * together: runs shell commands side by side, in one thread, by a small event loop of its own.
 *
 *     cc -O2 -Wall -Wextra -o build/together labs/11_event_loop/program.c
 *     build/together SECONDS COMMAND...
 *
 * A command that takes longer than SECONDS gets SIGTERM, and half a second later SIGKILL. Ctrl-C ends
 * all of them in good order. Whatever can happen has a callback: an end, a time, a signal.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull

/* The loop: sources of events, and timers. */
struct source {
	void (*call)(void *context);
	void *context;
	int fd;
};

struct timer {
	void (*call)(void *context);
	void *context;
	uint64_t due_ns;
	struct timer *next;
};

static struct timer *timers; /* the soonest first */
static uint64_t now_ns; /* read once a turn */
static int epoll_fd;

static void read_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static void watch(struct source *source)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };
	if (source->fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0) {
		perror("watching a descriptor");
		exit(1);
	}
}

static void stop_timer(struct timer *timer)
{
	struct timer **at = &timers;
	while (*at && *at != timer)
		at = &(*at)->next;
	if (*at)
		*at = timer->next;
}

static void start_timer(struct timer *timer, uint64_t delay_ns)
{
	struct timer **at = &timers;
	stop_timer(timer);
	timer->due_ns = now_ns + delay_ns;
	while (*at && (*at)->due_ns <= timer->due_ns)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
}

static void turn(void)
{
	struct epoll_event events[16];
	read_clock();
	while (timers && timers->due_ns <= now_ns) {
		struct timer *timer = timers;
		stop_timer(timer);
		timer->call(timer->context);
	}
	int64_t left_ns = timers ? (int64_t)(timers->due_ns - now_ns) : 0;
	int left_ms = timers ? (int)((left_ns + (int64_t)MS - 1) / (int64_t)MS) : -1;
	int count = epoll_wait(epoll_fd, events, 16, left_ms);
	for (int i = 0; i < count; i++) {
		struct source *source = events[i].data.ptr;
		source->call(source->context);
	}
}

/* The program: what is called back. */
struct job {
	struct source end; /* a pidfd: readable once the command has ended */
	struct timer limit;
	pid_t pid; /* 0: ended */
	int number, times_asked; /* to end */
} jobs[64];

static int job_count, alive;
static uint64_t began_ns;

static void say(const struct job *job, const char *text, int value)
{
	read_clock();
	printf("%5.2f s  [%d] %s %d\n", (double)(now_ns - began_ns) / 1e9, job->number, text, value);
}

static void on_end(void *context)
{
	struct job *job = context;
	int status;
	waitpid(job->pid, &status, 0);
	say(job, WIFSIGNALED(status) ? "ended by signal" : "ended with status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	stop_timer(&job->limit);
	close(job->end.fd); /* its only descriptor, so epoll forgets it */
	job->pid = 0;
	alive--;
}

static void on_limit(void *context)
{
	struct job *job = context;
	int number = job->times_asked++ ? SIGKILL : SIGTERM;
	say(job, "gets signal", number);
	kill(-job->pid, number);
	start_timer(&job->limit, 500 * MS);
}

static void on_signal(void *context)
{
	struct signalfd_siginfo info;
	struct source *signals = context;
	if (read(signals->fd, &info, sizeof info) == sizeof info)
		for (struct job *job = jobs; job < jobs + job_count; job++)
			if (job->pid)
				start_timer(&job->limit, 0);
}

static void start_job(struct job *job, const char *command, uint64_t limit_ns)
{
	job->number = ++job_count;
	job->pid = fork();
	if (job->pid == 0) {
		setpgid(0, 0); /* a group of its own, so that a signal reaches what it starts */
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	job->end = (struct source) { on_end, job, (int)syscall(SYS_pidfd_open, job->pid, 0) };
	job->limit = (struct timer) { on_limit, job, 0, NULL };
	watch(&job->end);
	start_timer(&job->limit, limit_ns);
	alive++;
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 66)
		return fprintf(stderr, "usage: together SECONDS COMMAND...\n"), 2;
	sigset_t set;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct source signals = { on_signal, &signals, signalfd(-1, &set, SFD_CLOEXEC) };
	watch(&signals);
	read_clock();
	began_ns = now_ns;
	for (int i = 2; i < argc; i++)
		start_job(&jobs[i - 2], argv[i], (uint64_t)(atof(argv[1]) * 1000) * MS);
	sigprocmask(SIG_BLOCK, &set, NULL); /* after the forks: a child must get its signals */
	while (alive > 0)
		turn();
	return 0;
}
