/* SPDX-License-Identifier: MIT */
#include "workloads/timed_news.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

/* The process's whole life. */
static _Noreturn void keep_sending(const int *sockets, unsigned count, int64_t beat_ns)
{
	/* The default of 50 us would make every message that much later: prctl(2). */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	uint64_t due_ns = clock_ns();
	for (unsigned next = 0;; next = (next + 1) % count) {
		due_ns += (uint64_t)beat_ns;
		struct timespec due = timespec_of_ns((int64_t)due_ns);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
			;
		uint64_t now_ns = clock_ns();
		if (send(sockets[next], &now_ns, sizeof now_ns, MSG_DONTWAIT | MSG_NOSIGNAL) !=
		    sizeof now_ns)
			_exit(1);
	}
}

/* Connected pairs: one end for each side. Returns 0 or -errno; what was made before stays. */
static int make_pairs(struct timed_news *news, int *far_ends, unsigned count)
{
	for (news->count = 0; news->count < count; news->count++) {
		int ends[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
			return -errno;
		news->sockets[news->count] = ends[0];
		far_ends[news->count] = ends[1];
	}
	return 0;
}

int timed_news_start(struct timed_news *news, unsigned count, int64_t beat_ns, struct reason *why)
{
	assert(count >= 1 && count <= TIMED_NEWS_SOCKETS_MAX && beat_ns > 0);
	int far_ends[TIMED_NEWS_SOCKETS_MAX];
	*news = (struct timed_news) { .pid = 0 };
	int rc = make_pairs(news, far_ends, count);
	pid_t parent = getpid(), pid = rc < 0 ? -1 : fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		signal(SIGINT, SIG_IGN); /* the parent decides when it is over */
		for (unsigned i = 0; i < count; i++)
			close(news->sockets[i]);
		keep_sending(far_ends, count, beat_ns);
	}
	if (rc == 0 && pid < 0)
		rc = -errno;
	for (unsigned i = 0; i < news->count; i++)
		close(far_ends[i]);
	if (rc < 0) {
		timed_news_stop(news);
		return reason_errno(why, "news_not_started", rc, "starting the sender of news");
	}
	news->pid = pid;
	return 0;
}

void timed_news_stop(struct timed_news *news)
{
	if (news->pid > 0)
		kill(news->pid, SIGKILL);
	while (news->pid > 0 && waitpid(news->pid, NULL, 0) < 0 && errno == EINTR)
		;
	for (unsigned i = 0; i < news->count; i++)
		close(news->sockets[i]);
	*news = (struct timed_news) { .pid = 0 };
}
