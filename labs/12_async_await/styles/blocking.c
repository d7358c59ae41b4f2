/* SPDX-License-Identifier: MIT */
/*
 * With blocking calls. The job reads from the top to the bottom, and one block is on its way at a
 * time. The price: while the thread sleeps in a call it can do nothing else. It cannot even see that
 * time is up, so each call has to be given the time that is left, where it takes one. A read of a
 * file takes none. To cancel, somebody else must end the call: here by shutdown(2).
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "styles.h"

static int64_t call(const struct job_lane *lane, const struct loop_request *request)
{
	const struct index_job *job = lane->job;
	ssize_t n;
	switch (request->kind) {
	case IO_READ:
		n = pread(job->file, request->buf, request->len_bytes, (off_t)request->offset);
		break;
	case IO_WRITE:
		n = pwrite(job->result_file, request->buf, request->len_bytes,
			   (off_t)request->offset);
		break;
	case IO_SEND:
		n = send(lane->connection, request->buf, request->len_bytes, MSG_NOSIGNAL);
		break;
	default:
		n = recv(lane->connection, request->buf, request->len_bytes, 0);
	}
	return n < 0 ? -errno : n;
}

/* Gives the next call on the socket the time that is left. Returns 0 or -errno. */
static int limit(const struct job_lane *lane)
{
	uint64_t now_ns = clock_ns();
	if (now_ns >= lane->job->deadline_ns)
		return -ETIMEDOUT;
	uint64_t left_us = (lane->job->deadline_ns - now_ns + 999) / 1000;
	struct timeval left = { .tv_sec = (time_t)(left_us / 1000000),
				.tv_usec = (suseconds_t)(left_us % 1000000) };
	if (setsockopt(lane->connection, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left) < 0 ||
	    setsockopt(lane->connection, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left) < 0)
		return -errno;
	return 0;
}

static int transfer(const struct job_lane *lane, struct loop_request left)
{
	const struct index_job *job = lane->job;
	int rc = 1;
	while (rc > 0) {
		if (__atomic_load_n(&job->error, __ATOMIC_SEQ_CST) < 0)
			return -ECANCELED;
		if (job->timeout_ns > 0 && (rc = limit(lane)) < 0)
			return rc;
		int64_t result = call(lane, &left);
		if (result == -EINTR)
			continue;
		rc = job_transferred(&left, result == -EAGAIN ? -ETIMEDOUT : result);
	}
	return rc;
}

static int fetch_block(const struct job_lane *lane)
{
	if (job_is_in_file(lane))
		return transfer(lane, job_read_block(lane));
	int rc = transfer(lane, job_ask(lane));
	return rc < 0 ? rc : transfer(lane, job_hear(lane));
}

static void run(struct index_job *job)
{
	struct job_lane *lane = &job->lanes[0];
	int rc = transfer(lane, job_read_index(job));
	if (rc == 0)
		rc = job_take_index(job);
	while (rc == 0 && job_next_entry(lane)) {
		rc = fetch_block(lane);
		if (rc == 0)
			job_take_block(lane);
	}
	if (rc == 0)
		rc = transfer(lane, job_write_result(job));
	if (rc < 0)
		job_fail(job, rc);
	job_end(job);
}

static void give_up(struct index_job *job)
{
	shutdown(job->lanes[0].connection, SHUT_RDWR);
}

const struct style style_blocking = {
	.name = "blocking",
	.words = "blocking calls",
	.blocks = true,
	.start = run,
	.give_up = give_up,
};
