/* SPDX-License-Identifier: MIT */
#include "workloads/probe_target.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define CHUNK_BYTES 65536u

/* Writes and syncs. Returns 0 or -errno. */
static int fill_file(int fd, uint64_t size_bytes)
{
	int rc = 0;
	char *chunk = malloc(CHUNK_BYTES);
	if (!chunk)
		return -ENOMEM;
	memset(chunk, 'm', CHUNK_BYTES);
	for (uint64_t at = 0; at < size_bytes && rc == 0; at += CHUNK_BYTES) {
		ssize_t n = pwrite(fd, chunk, CHUNK_BYTES, (off_t)at);
		rc = n == CHUNK_BYTES ? 0 : n < 0 ? -errno : -ENOSPC;
	}
	free(chunk);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	return rc;
}

int nameless_file(const char *folder, uint64_t size_bytes, int flags, struct reason *why)
{
	char path[400];
	snprintf(path, sizeof path, "%s/iolab-probe-XXXXXX", folder);
	int filling = mkostemp(path, O_CLOEXEC);
	if (filling < 0)
		return reason_errno(why, "probe_not_made", errno, "making a file in {folder}",
				    reason_string("folder", folder));
	int opened = open(path, O_RDWR | O_CLOEXEC | flags);
	int rc = opened < 0 ? -errno : 0;
	unlink(path); /* at once: whatever happens now leaves nothing behind */
	if (rc == 0)
		rc = fill_file(filling, size_bytes);
	close(filling);
	if (rc == 0)
		return opened;
	if (opened >= 0)
		close(opened);
	return reason_errno(why, "probe_not_opened", rc, "opening a file in {folder}",
			    reason_string("folder", folder));
}

int probe_error(const struct io_op *op)
{
	if (op->result < 0)
		return (int)op->result;
	bool moves_bytes = op->kind != IO_FSYNC && op->kind != IO_FDATASYNC;
	int64_t least = moves_bytes ? 1 : 0, most = moves_bytes ? op->len_bytes : 0;
	return op->result < least || op->result > most ? -EIO : 0;
}

/* The other process: a byte in, a while, a byte out; until the asking end is closed. */
static void answer(int asked_fd, int far_fd, unsigned after_ms)
{
	char byte;
	while (read(asked_fd, &byte, 1) == 1) {
		struct timespec pause = timespec_of_ns(after_ms * NS_PER_MS);
		nanosleep(&pause, NULL);
		if (write(far_fd, &byte, 1) != 1)
			break;
	}
}

/* Two ends of a connection through the loopback interface. Returns 0 or -1 with errno. */
static int tcp_pair(int ends[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ends[0] = ends[1] = -1;
	if (listener >= 0 && bind(listener, (struct sockaddr *)&at, size) == 0 &&
	    listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&at, &size) == 0 &&
	    (ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0 &&
	    connect(ends[1], (struct sockaddr *)&at, size) == 0)
		ends[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int error = errno;
	close(listener);
	if (ends[0] < 0) {
		close(ends[1]);
		errno = error;
		return -1;
	}
	/* A small answer must not wait until the one before it was acknowledged. */
	setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return 0;
}

static int open_ends(int ends[2], enum answer_way way)
{
	return way == ANSWER_BY_PIPE  ? pipe2(ends, O_CLOEXEC)
	       : way == ANSWER_BY_TCP ? tcp_pair(ends)
				      : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

int answerer_start(struct answerer *answerer, enum answer_way way, unsigned after_ms,
		   struct reason *why)
{
	int ends[2], asking[2];
	if (open_ends(ends, way) < 0 || pipe2(asking, O_CLOEXEC) < 0)
		return reason_errno(why, "answerer_not_started", errno,
				    "starting the answering process, {call}",
				    reason_string("call", "pipe or socket"));
	pid_t parent = getpid();
	*answerer = (struct answerer) {
		.fd = ends[0], .far_fd = ends[1], .ask_fd = asking[1], .pid = fork()
	};
	if (answerer->pid < 0)
		return reason_errno(why, "answerer_not_started", errno,
				    "starting the answering process, {call}",
				    reason_string("call", "fork"));
	if (answerer->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(asking[1]);
		answer(asking[0], ends[1], after_ms);
		_exit(0);
	}
	close(asking[0]);
	return 0;
}

int answerer_ask(struct answerer *answerer)
{
	return write(answerer->ask_fd, "?", 1) == 1 ? 0 : -errno;
}

void answerer_stop(struct answerer *answerer)
{
	if (answerer->pid <= 0)
		return;
	close(answerer->ask_fd);
	kill(answerer->pid, SIGTERM);
	while (waitpid(answerer->pid, NULL, 0) < 0 && errno == EINTR)
		;
	answerer->pid = 0;
}
