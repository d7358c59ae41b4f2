/* SPDX-License-Identifier: MIT */
#include "workloads/peer_process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

struct reason *peer_failure(struct peer_shared *shared)
{
	return shared->failed ? NULL : &shared->failure;
}

void peer_end_failed(struct peer_shared *shared)
{
	shared->failed = 1;
	_exit(1);
}

void peer_await_go(int control_fd)
{
	eventfd_t go;
	while (eventfd_read(control_fd, &go) < 0 && errno == EINTR)
		;
}

int peer_start(struct peer_process *peer,
	       void (*live)(struct peer_shared *shared, int control_fd, const void *context),
	       const void *context, const cpu_set_t *cpus, struct reason *why)
{
	*peer = (struct peer_process) { .control_fd = eventfd(0, EFD_CLOEXEC) };
	if (peer->control_fd < 0)
		return reason_errno(why, "peer_not_started", errno, "starting the peer, {call}",
				    reason_string("call", "eventfd"));
	void *shared = mmap(NULL, sizeof *peer->shared, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return reason_errno(why, "peer_not_started", errno, "starting the peer, {call}",
				    reason_string("call", "mmap"));
	peer->shared = shared;
	histogram_reset(&peer->shared->round_trips);
	histogram_reset(&peer->shared->uncorrected);

	pid_t parent = getpid();
	peer->pid = fork();
	if (peer->pid < 0)
		return reason_errno(why, "peer_not_started", errno, "starting the peer, {call}",
				    reason_string("call", "fork"));
	if (peer->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		signal(SIGINT, SIG_IGN); /* the parent decides when it is over */
		signal(SIGTERM, SIG_DFL);
		sched_setaffinity(0, sizeof *cpus, cpus);
		live(peer->shared, peer->control_fd, context);
		_exit(1);
	}
	return 0;
}

void peer_go(struct peer_process *peer)
{
	if (!peer->started)
		eventfd_write(peer->control_fd, 1);
	peer->started = true;
}

void peer_set_phase(struct peer_process *peer, enum peer_phase phase)
{
	__atomic_store_n(&peer->shared->phase, phase, __ATOMIC_RELAXED);
	if (phase >= PEER_STOP)
		eventfd_write(peer->control_fd, 1);
}

uint64_t peer_due(const struct peer_process *peer, uint64_t *unfinished)
{
	uint64_t begun_ns = __atomic_load_n(&peer->shared->schedule.begun_ns, __ATOMIC_RELAXED);
	uint64_t answered = __atomic_load_n(&peer->shared->answered, __ATOMIC_RELAXED);
	struct schedule schedule = { begun_ns, peer->shared->schedule.rate_per_s };
	uint64_t due = begun_ns ? schedule_due_count(&schedule, clock_ns()) : 0;
	*unfinished = due > answered ? due - answered : 0;
	return due;
}

/* What its exit status says. Reaps it. */
static int judge(struct peer_process *peer, int status, struct reason *why)
{
	peer->pid = 0;
	if (peer->shared->failed) {
		*why = peer->shared->failure;
		return -EPROTO;
	}
	if (WIFSIGNALED(status)) {
		reason_set(why, "peer_killed", "the peer process was killed by SIG{signal}",
			   reason_string("signal", sigabbrev_np(WTERMSIG(status))));
		return -ECHILD;
	}
	if (peer->shared->phase < PEER_STOP) {
		reason_set(why, "peer_ended_early",
			   "the peer process ended before the run was over");
		return -ECHILD;
	}
	return 0;
}

int peer_check(struct peer_process *peer, struct reason *why)
{
	int status;
	if (peer->pid <= 0 || waitpid(peer->pid, &status, WNOHANG) != peer->pid)
		return 0;
	return judge(peer, status, why);
}

int peer_finish(struct peer_process *peer, struct reason *why)
{
	uint64_t deadline_ns = clock_ns() + (PEER_PATIENCE_S + 1) * NS_PER_S;
	int status;
	while (peer->pid > 0 && clock_ns() < deadline_ns) {
		if (waitpid(peer->pid, &status, WNOHANG) == peer->pid)
			return judge(peer, status, why);
		usleep(200);
	}
	if (peer->pid <= 0)
		return 0;
	reason_set(why, "peer_hung",
		   "the peer process did not end within {patience_s} s of being told to",
		   reason_int("patience_s", PEER_PATIENCE_S + 1));
	return -ETIMEDOUT;
}

void peer_close(struct peer_process *peer)
{
	if (peer->pid > 0) {
		kill(peer->pid, SIGKILL);
		waitpid(peer->pid, NULL, 0);
	}
	if (peer->control_fd >= 0)
		close(peer->control_fd);
	if (peer->shared)
		munmap(peer->shared, sizeof *peer->shared);
}
