/* SPDX-License-Identifier: MIT */
#include "workloads/timed_answers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define BATCH 1024

struct waiting {
	uint64_t due_ns, number;
};

struct service {
	int fd;
	struct waiting *heap; /* the earliest first */
	unsigned count, max;
	struct timed_question in[BATCH];
	size_t in_bytes;
	struct timed_answer out[BATCH];
	size_t out_bytes, sent_bytes;
};

static void heap_push(struct service *s, struct waiting added)
{
	unsigned at = s->count++;
	for (; at > 0 && s->heap[(at - 1) / 2].due_ns > added.due_ns; at = (at - 1) / 2)
		s->heap[at] = s->heap[(at - 1) / 2];
	s->heap[at] = added;
}

static struct waiting heap_pop(struct service *s)
{
	struct waiting first = s->heap[0], last = s->heap[--s->count];
	unsigned at = 0;
	for (unsigned child; (child = 2 * at + 1) < s->count; at = child) {
		if (child + 1 < s->count && s->heap[child + 1].due_ns < s->heap[child].due_ns)
			child++;
		if (s->heap[child].due_ns >= last.due_ns)
			break;
		s->heap[at] = s->heap[child];
	}
	s->heap[at] = last;
	return first;
}

/* Returns false when nobody asks any more. */
static bool take_questions(struct service *s)
{
	size_t room_bytes = (s->max - s->count) * sizeof *s->in;
	if (room_bytes > sizeof s->in)
		room_bytes = sizeof s->in;
	if (room_bytes <= s->in_bytes)
		return true;
	ssize_t n =
		recv(s->fd, (char *)s->in + s->in_bytes, room_bytes - s->in_bytes, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	s->in_bytes += (size_t)n;
	uint64_t now_ns = clock_ns();
	unsigned whole = (unsigned)(s->in_bytes / sizeof *s->in);
	for (unsigned i = 0; i < whole; i++)
		if (s->in[i].delay_ns != TIMED_NEVER)
			heap_push(s,
				  (struct waiting) { now_ns + s->in[i].delay_ns, s->in[i].number });
	s->in_bytes -= whole * sizeof *s->in;
	memmove(s->in, s->in + whole, s->in_bytes);
	return true;
}

/* What is due goes out, as far as the socket takes it. Returns false when nobody listens. */
static bool give_answers(struct service *s)
{
	for (;;) {
		uint64_t now_ns = clock_ns();
		while (s->out_bytes < sizeof s->out && s->count > 0 &&
		       s->heap[0].due_ns <= now_ns) {
			uint64_t number = heap_pop(s).number;
			s->out[s->out_bytes / sizeof *s->out] =
				(struct timed_answer) { number, timed_value(number) };
			s->out_bytes += sizeof *s->out;
		}
		if (s->sent_bytes == s->out_bytes)
			return true;
		ssize_t n = send(s->fd, (char *)s->out + s->sent_bytes,
				 s->out_bytes - s->sent_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		s->sent_bytes += (size_t)n;
		if (s->sent_bytes == s->out_bytes)
			s->sent_bytes = s->out_bytes = 0;
	}
}

/* The service's whole life. */
static void keep_answering(struct service *s)
{
	/* The default of 50 us would make every answer that much later: prctl(2). */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	while (take_questions(s) && give_answers(s)) {
		bool has_room = s->count < s->max;
		bool is_owing = s->out_bytes > 0;
		struct pollfd polled = {
			.fd = s->fd,
			.events = (short)((has_room ? POLLIN : 0) | (is_owing ? POLLOUT : 0)),
		};
		uint64_t now_ns = clock_ns();
		uint64_t wait_ns =
			s->count > 0 && s->heap[0].due_ns > now_ns ? s->heap[0].due_ns - now_ns : 0;
		struct timespec wait = timespec_of_ns((int64_t)wait_ns);
		bool for_ever = is_owing || s->count == 0;
		if (ppoll(&polled, 1, for_ever ? NULL : &wait, NULL) < 0 && errno != EINTR)
			return;
	}
}

static void run_service(int fd, unsigned waiting_max)
{
	struct service *s = calloc(1, sizeof *s);
	if (!s)
		_exit(1);
	s->fd = fd;
	s->max = waiting_max;
	s->heap = malloc(waiting_max * sizeof *s->heap);
	if (!s->heap)
		_exit(1);
	keep_answering(s);
	_exit(0);
}

static int fail_to_begin(struct timed_answers *service, const char *call, int error,
			 struct reason *why)
{
	timed_answers_stop(service);
	return reason_errno(why, "answers_not_started", error,
			    "starting the answering service, {call}", reason_string("call", call));
}

int timed_answers_start(struct timed_answers *service, unsigned waiting_max, struct reason *why)
{
	int ends[2];
	*service = (struct timed_answers) { -1, -1, 0 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_to_begin(service, "socketpair", errno, why);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		signal(SIGINT, SIG_IGN); /* the parent decides when it is over */
		close(ends[0]);
		run_service(ends[1], waiting_max);
	}
	int error = errno;
	close(ends[1]);
	*service = (struct timed_answers) { ends[0], -1, pid };
	if (pid < 0)
		return fail_to_begin(service, "fork", error, why);
	service->hear_fd = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	return service->hear_fd < 0 ? fail_to_begin(service, "fcntl", errno, why) : 0;
}

void timed_answers_stop(struct timed_answers *service)
{
	if (service->ask_fd >= 0)
		close(service->ask_fd);
	if (service->hear_fd >= 0)
		close(service->hear_fd);
	while (service->pid > 0 && waitpid(service->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*service = (struct timed_answers) { -1, -1, 0 };
}
