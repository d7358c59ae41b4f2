/* SPDX-License-Identifier: MIT */
/*
 * Can a device here be polled? With IORING_SETUP_IOPOLL nobody interrupts when a block has come: who waits
 * asks the device's queue again and again. The driver of the device must have queues for that, and most
 * have none unless they are told so at boot (for NVMe: nvme.poll_queues). The kernel says so when such a
 * read is made, and not before. So one is made, of a file that has no name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tuned.h"

#define BLOCK_BYTES 4096

static int read_first_block(struct io_uring *ring, int fd, char *block)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	if (!sqe)
		return -EAGAIN;
	io_uring_prep_read(sqe, fd, block, BLOCK_BYTES, 0);
	int rc = io_uring_submit(ring);
	if (rc < 0)
		return rc;
	rc = io_uring_wait_cqe(ring, &cqe);
	if (rc < 0)
		return rc;
	rc = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return rc;
}

int polled_read_works(struct io_uring *ring, struct reason *why)
{
	_Alignas(BLOCK_BYTES) char block[BLOCK_BYTES];
	const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
	int fd = open(folder, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		return reason_errno(why, "no_direct_file", errno,
				    "a file in {folder} that is read without the page cache",
				    reason_string("folder", folder));
	memset(block, 0, sizeof block);
	int rc = pwrite(fd, block, sizeof block, 0) < 0 ? -errno : 0;
	if (rc == 0)
		rc = read_first_block(ring, fd, block);
	close(fd);
	return rc < 0 ? reason_errno(why, "device_not_polled", rc,
				     "the device of {folder} has no queues that can be polled",
				     reason_string("folder", folder))
		      : 0;
}
